"""Rule files: TOML documents, one taking over from another, and faults told with file, line and key."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from geo.errors import InvalidParameter


def rule_set_names() -> list[str]:
    """Names of the rule sets that come with the project."""
    found = (entry.name for entry in (files("data") / "rules").iterdir())
    return sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml"))


def resolved(name: str, within: tuple[str, ...] = ()) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """A document with what it takes over from the set it extends: whole tables that it does not have itself.

    Returns
    -------
    (document, [(file name, text) of it and of each set it extends, nearest first])
    """
    text, where = _text(name)
    document = _parse(text, where)
    head = document.get("ruleset")
    base = head.get("extends") if isinstance(head, dict) else None
    if not isinstance(base, str):
        return document, [(where, text)]
    if base in (*within, name):
        raise InvalidParameter(f"规则集相互继承：{'、'.join((*within, name, base))}", where=f"{where}: ruleset.extends")
    inherited, texts = resolved(base, (*within, name))
    return {**inherited, **document}, [(where, text), *texts]


def fault(error: ValidationError, texts: list[tuple[str, str]]) -> InvalidParameter:
    """The first fault of a rule set: file, line, key, and what is expected there."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    return InvalidParameter(
        f"规则文件不合要求：{key}：{first['msg']}",
        where=f"{texts[0][0]}: {key}",
        remedy="请对照 data/rules/ 中的示例修改",
    )


def _text(name: str) -> tuple[str, str]:
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise InvalidParameter(f"找不到规则文件 {path.name}", where="rules", remedy="请检查路径")
        try:
            return path.read_text(encoding="utf-8"), path.name
        except UnicodeDecodeError as error:
            raise InvalidParameter(
                f"规则文件 {path.name} 不是 UTF-8 编码", where=path.name, remedy="请另存为 UTF-8"
            ) from error
    if name not in rule_set_names():
        raise InvalidParameter(
            f"没有名为“{name}”的规则集",
            where="rules",
            remedy="可用：" + "、".join(rule_set_names()) + "，或给出 .toml 路径",
        )
    return (files("data") / "rules" / f"{name}.toml").read_text(encoding="utf-8"), f"{name}.toml"


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidParameter(f"规则文件不是有效的 TOML：{error}", where=where, remedy="请检查该行的写法") from error
