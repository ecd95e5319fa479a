"""Mapping profiles: those that come with the project, and any other in a TOML file; the door of the mapping.

``geo.layers.mapping`` says what a profile is (``profile``), applies it (``applying``) and finds the one that fits a
file (``proposal``).
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from geo.errors import InvalidParameter
from geo.layers.mapping.applying import Mapped, apply_profile, importable_layers, plain_profile
from geo.layers.mapping.origins import mappable
from geo.layers.mapping.profile import Column, Profile, check_profile
from geo.layers.mapping.values import plain_value
from geo.layers.schema import LAYERS

__all__ = [
    "Mapped", "Profile", "apply_profile", "importable_layers", "load_profile", "plain_profile", "plain_value",
    "profile_names", "with_columns",
]  # fmt: skip


def profile_names() -> list[str]:
    """Names of the profiles that come with the project."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in (files("data") / "profiles").iterdir()
        if entry.name.endswith(".toml")
    )


def load_profile(name: str) -> Profile:
    """A profile by name (one that comes with the project) or by the path of a TOML file.

    Raises
    ------
    InvalidParameter
        There is no such profile, or it is not one: the message says which entry is wrong.
    """
    if not name.endswith(".toml"):
        if name not in profile_names():
            raise InvalidParameter(
                f"没有名为“{name}”的映射方案", where="profile", remedy="可用：" + "、".join(profile_names())
            )
        return _shipped(name)
    path = Path(name)
    if not path.is_file():
        raise InvalidParameter(f"找不到映射方案 {path.name}", where="profile", remedy="请检查路径")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidParameter(
            f"映射方案 {path.name} 不是 UTF-8 编码", where=path.name, remedy="请另存为 UTF-8"
        ) from error
    return _parsed(text, name)


@cache
def _shipped(name: str) -> Profile:
    return _parsed((files("data") / "profiles" / f"{name}.toml").read_text(encoding="utf-8"), name)


def _parsed(text: str, where: str) -> Profile:
    try:
        profile = Profile.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise InvalidParameter(
            f"映射方案不合要求：{error}", where=where, remedy="请对照 data/profiles/ 中的示例"
        ) from error
    check_profile(profile)
    return profile


def with_columns(profile: Profile, assignments: Sequence[str]) -> Profile:
    """A profile in which some fields are taken from columns that a person names.

    Parameters
    ----------
    assignments : ``field=column`` or ``field=column:unit``; the field by its name or its Chinese name

    Raises
    ------
    InvalidParameter
        An assignment of another form, an unknown field, a unit that does not fit it.
    """
    layer = LAYERS[profile.layer]
    known = mappable(layer)
    by_name = {item.zh: item.name for item in known} | {item.name: item.name for item in known}
    fields = dict(profile.fields)
    for text in assignments:
        name, equals, column = text.partition("=")
        column, colon, unit = column.rpartition(":") if ":" in column else (column, "", "")
        if not equals or not column or name.strip() not in by_name or (colon and not unit):
            raise InvalidParameter(
                f"不能识别“{text[:80]}”", where="field",
                remedy="写作 字段=列名 或 字段=列名:单位，例如 parcel_id=编号、declared_area_m2=面积:亩；"
                f"{layer.zh}的字段：" + "、".join(item.name for item in known),
            )  # fmt: skip
        fields[by_name[name.strip()]] = (Column(column=column, unit=unit or None),)
    key = () if layer.key in fields and layer.key not in profile.fields else profile.key
    told = profile.model_copy(update={"fields": fields, "key": key})
    check_profile(told)
    return told
