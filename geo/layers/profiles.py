"""Mapping profiles: which column of a source is which field, in which unit, and what its words mean.

Nothing is lost: what a profile does not map is kept in ``extra``, and so is a value that does not fit its field.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from geo.errors import InvalidInput, InvalidParameter
from geo.layers.reading import SourceLayer
from geo.layers.schema import LAYERS, Field, Layer
from geo.layers.words import WORDS
from geo.units import factor_to_stored


class _Column(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    column: str
    unit: str | None = None


class Profile(BaseModel):
    """What a source's columns, units and words mean in one canonical layer."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    title: str
    layer: str
    fields: dict[str, str | _Column] = {}
    constants: dict[str, str | float | int | bool] = {}
    words: dict[str, dict[str, str]] = {}
    key_from_row: bool = False
    duplicate_key: Literal["quarantine", "number"] = "quarantine"
    empty_started_on: Literal["unknown", "not_started"] = "unknown"


@dataclass(frozen=True, slots=True)
class Mapped:
    """Rows in canonical columns, in the order of the source, geometry still in the source's system.

    ``notes`` says what was not taken over as it stood: field -> what happened -> number of rows; ``faults`` row
    position -> why the reader could not take the row.
    """

    frame: gpd.GeoDataFrame | pd.DataFrame
    notes: dict[str, dict[str, int]] = field(default_factory=dict)
    faults: dict[int, str] = field(default_factory=dict)


def profile_names() -> list[str]:
    """Names of the profiles that come with the project."""
    return sorted(entry.name.removesuffix(".toml") for entry in (files("data") / "profiles").iterdir())


def load_profile(name: str) -> Profile:
    """A profile by name (one that comes with the project) or by the path of a TOML file."""
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise InvalidParameter(f"找不到映射方案 {path.name}", where="profile", remedy="请检查路径")
        text = path.read_text(encoding="utf-8")
    elif name in profile_names():
        text = (files("data") / "profiles" / f"{name}.toml").read_text(encoding="utf-8")
    else:
        raise InvalidParameter(
            f"没有名为“{name}”的映射方案", where="profile", remedy="可用：" + "、".join(profile_names())
        )
    try:
        profile = Profile.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise InvalidParameter(
            f"映射方案不合要求：{error}", where=name, remedy="请对照 data/profiles/ 中的示例"
        ) from error
    unknown = set(profile.fields) - set(LAYERS[profile.layer].columns) if profile.layer in LAYERS else {profile.layer}
    if unknown:
        raise InvalidParameter(f"映射方案中有未知的图层或字段：{'、'.join(sorted(unknown))}", where=name)
    return profile


def plain_profile(layer: str) -> Profile:
    """The profile of a source that already speaks the canonical names (or, for text and dates, a known alias)."""
    if layer not in LAYERS or LAYERS[layer].origin != "source":
        raise InvalidParameter(
            f"不能导入图层“{layer}”", where="layer", remedy="可导入：" + "、".join(importable_layers())
        )
    return Profile(name="canonical", title="标准字段", layer=layer)


def importable_layers() -> list[str]:
    """Layers that a file can be imported into."""
    return [layer.name for layer in LAYERS.values() if layer.origin == "source" and layer.name != "quarantine"]


def apply_profile(source: SourceLayer, profile: Profile) -> Mapped:
    """A source layer in canonical columns.

    Raises
    ------
    InvalidInput
        The source has no geometry where the layer needs one, or lacks the column of the key or one the profile names.
    """
    layer = LAYERS[profile.layer]
    where = f"{source.file_name}: {source.name}"
    raw = source.frame
    if layer.geometry is not None and not isinstance(raw, gpd.GeoDataFrame):
        raise InvalidInput("该图层没有几何", where=where, remedy=f"“{layer.zh}”需要空间数据")
    table = pd.DataFrame(raw.drop(columns=raw.geometry.name)) if isinstance(raw, gpd.GeoDataFrame) else raw
    table = table.drop(columns=[name for name in ("fid", "ogc_fid") if name in table.columns])
    columns = _columns(table, layer, profile, where)
    notes: dict[str, dict[str, int]] = {}
    result: dict[str, Any] = {}
    rejected: dict[str, pd.Series] = {}
    for item in layer.fields:
        if item.name == "extra":
            continue
        if item.name in profile.constants:
            result[item.name] = _convert(pd.Series([profile.constants[item.name]] * len(table)), item, layer, profile)[
                0
            ]
        elif item.name in columns:
            column, unit = columns[item.name]
            values, bad = _convert(table[column].reset_index(drop=True), item, layer, profile)
            if unit is not None:
                values = values * factor_to_stored(unit, item.unit)
            if bad.any():
                notes[item.name] = {"不能识别的值（保留在 extra）": int(bad.sum())}
                rejected[column] = table[column].reset_index(drop=True).where(bad)
            result[item.name] = values
        else:
            result[item.name] = _absent(item, len(table))
    if profile.key_from_row or (layer.key not in columns and layer.name != "parcels"):
        result[layer.key] = pd.Series(
            [f"{layer.name}-{number:07d}" for number in range(1, len(table) + 1)], dtype=object
        )
    frame = pd.DataFrame(result, columns=[item.name for item in layer.fields if item.name != "extra"])
    if "status" in frame and profile.empty_started_on == "not_started":
        silent = frame["started_on"].isna() & frame["status"].isna()
        frame.loc[silent, "status"] = "not_started"
    if any(item.name == "extra" for item in layer.fields):
        taken = {column for column, _ in columns.values()}
        frame["extra"] = _extra(table, taken, rejected)
    if isinstance(raw, gpd.GeoDataFrame):
        frame = gpd.GeoDataFrame(frame, geometry=np.asarray(raw.geometry.array), crs=source.crs)
    return Mapped(frame, notes, source.faults)


def _columns(table: pd.DataFrame, layer: Layer, profile: Profile, where: str) -> dict[str, tuple[str, str | None]]:
    found: dict[str, tuple[str, str | None]] = {}
    for name, wanted in profile.fields.items():
        column, unit = (wanted, None) if isinstance(wanted, str) else (wanted.column, wanted.unit)
        if column not in table.columns:
            raise InvalidInput(
                f"缺少字段“{column}”（映射方案“{profile.title}”中的{layer.field(name).zh}）", where=where,
                remedy="文件中的字段：" + "、".join(map(str, table.columns)),
            )  # fmt: skip
        found[name] = (column, unit)
    for item in layer.fields:
        if item.name in found or item.name == "extra":
            continue
        # A number under a foreign name has no known unit; it stays in extra until a profile states one.
        spellings = (item.name, item.zh, *item.aliases) if item.kind in ("text", "date") else (item.name,)
        match = next((name for name in spellings if name in table.columns), None)
        if match is not None:
            found[item.name] = (match, None)
    if layer.key == "parcel_id" and "parcel_id" not in found and not profile.key_from_row:
        raise InvalidInput(
            f"缺少字段 parcel_id（{layer.field('parcel_id').zh}）", where=where,
            remedy="请用 --profile 指明映射方案；文件中的字段：" + "、".join(map(str, table.columns)),
        )  # fmt: skip
    return found


def _convert(values: pd.Series, item: Field, layer: Layer, profile: Profile) -> tuple[pd.Series, pd.Series]:
    """Values in the field's kind, and which of them were there but could not be read."""
    present = values.notna() & (values.astype(str).str.strip() != "")
    if item.kind in ("real", "integer"):
        number = pd.to_numeric(values, errors="coerce")
        if item.kind == "integer":
            number = number.where(number % 1 == 0)
            return number.astype("Float64").astype("Int64"), present & number.isna()
        number = number.astype(float)
        return number.where(np.isfinite(number)), present & ~np.isfinite(number.fillna(np.nan))
    if item.kind == "date":
        parsed = _dates(values)
        return parsed, present & parsed.isna()
    if item.kind == "boolean":
        words = {"true": True, "1": True, "是": True, "y": True, "yes": True, "1.0": True,
                 "false": False, "0": False, "否": False, "n": False, "no": False, "0.0": False}  # fmt: skip
        flags = values.astype(str).str.strip().str.lower().map(words).astype("boolean")
        return flags, present & flags.isna()
    if item.kind == "json":
        read = [_as_json(value) if there else (None, False) for value, there in zip(values, present, strict=True)]
        return (
            pd.Series([value for value, _ in read], index=values.index, dtype=object),
            pd.Series([bad for _, bad in read], index=values.index, dtype=bool),
        )
    text = values.where(present).astype(object)
    text = text.where(text.isna(), text.map(_as_text))
    known = WORDS.get(f"{layer.name}.{item.name}") or WORDS.get(item.name)
    if known is None:
        return text.where(text.notna(), None), pd.Series(False, index=values.index)
    lookup = {word: word for word in known} | {
        spelling: word for word, spellings in known.items() for spelling in spellings
    }
    lookup |= profile.words.get(item.name, {})
    words_found = text.map(lookup).astype(object)
    return words_found.where(words_found.notna(), None), present & words_found.isna()


def _as_json(value: Any) -> tuple[Any, bool]:
    """An object or list, and whether the value could not be read as one."""
    if isinstance(value, (dict, list)):
        return value, False
    try:
        return json.loads(value), False
    except (TypeError, ValueError):
        return None, True


def _as_text(value: Any) -> str:
    # A code that passed through a spreadsheet comes back as 1001.0.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


_DATE = (
    r"^(?P<year>\d{4})\s*[-/.年]?\s*(?P<month>\d{1,2})\s*[-/.月]?\s*(?P<day>\d{1,2})\s*日?"
    r"(?:[T\s]\s*(?P<time>\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)\s*(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)?)?$"
)
_SEPARATED = r"^\d{4}\s*[-/.年]|^\d{8}(?:\.0)?(?:[T\s]|$)"


def _dates(values: pd.Series) -> pd.Series:
    """Calendar days; an instant with a time zone is first moved to Asia/Shanghai. A bare year or month is no day."""
    text = values.map(lambda value: str(value).strip() if pd.notna(value) else "").astype(object)
    text = text.where(text.str.contains(_SEPARATED, regex=True), "").str.replace(r"^(\d{8})\.0$", r"\1", regex=True)
    part = text.str.extract(_DATE)
    day = part["year"] + "-" + part["month"].str.zfill(2) + "-" + part["day"].str.zfill(2)
    plain = pd.to_datetime(day, format="%Y-%m-%d", errors="coerce")
    zoned = part["zone"].notna()
    instant = pd.to_datetime(
        (day + "T" + part["time"] + part["zone"])[zoned], format="ISO8601", utc=True, errors="coerce"
    )
    moved = instant.dt.tz_convert("Asia/Shanghai").dt.tz_localize(None).dt.floor("D")
    return plain.where(~zoned, moved.reindex(plain.index)).astype("datetime64[s]")


def _absent(item: Field, count: int) -> pd.Series:
    if item.kind == "date":
        return pd.Series(np.full(count, np.datetime64("NaT", "s")))
    if item.kind == "real":
        return pd.Series(np.full(count, np.nan))
    kind = {"integer": "Int64", "boolean": "boolean"}.get(item.kind)
    return pd.Series([None] * count, dtype=object) if kind is None else pd.Series([pd.NA] * count, dtype=kind)


def _extra(table: pd.DataFrame, taken: set[str], rejected: dict[str, pd.Series]) -> list[dict[str, Any] | None]:
    rest = table[[name for name in table.columns if name not in taken and name != "extra"]].reset_index(drop=True)
    for column, values in rejected.items():
        rest[column] = values
    if rest.shape[1] == 0:
        return [None] * len(table)
    plain = rest.astype(object).where(rest.notna(), None)
    records = plain.to_dict("records")
    return [
        {str(key): plain_value(value) for key, value in record.items() if value is not None} or None
        for record in records
    ]


def plain_value(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, (str, int, float, bool, list, dict)) else str(value)
