"""A profile applied: a source layer in canonical columns, every number converted once, and nothing lost.

What a profile does not map is kept in ``extra`` under its own name, and so is a value that does not fit its field.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.errors import InvalidInput, InvalidParameter
from geo.layers.mapping.profile import Profile
from geo.layers.mapping.resolving import Resolution, Taken, lookup, resolve
from geo.layers.mapping.values import Flags, as_json, as_text, convert, plain_column, plain_value
from geo.layers.reading import SourceLayer
from geo.layers.schema import LAYERS, Field, Layer
from geo.units import factor_to_stored, is_convertible


@dataclass(frozen=True, slots=True)
class Mapped:
    """Rows in canonical columns, in the order of the source, geometry still in the source's system.

    ``notes`` says what was not taken over as it stood: field -> what happened -> number of rows; ``faults`` row
    position -> why the reader could not take the row; ``mapping`` what was taken for what, as a report keeps it:
    ``fields`` field -> column and unit, ``key`` columns that make the key, ``extra`` columns that no field holds.
    """

    frame: gpd.GeoDataFrame | pd.DataFrame
    notes: dict[str, dict[str, int]] = field(default_factory=dict)
    faults: dict[int, str] = field(default_factory=dict)
    mapping: dict[str, Any] = field(default_factory=dict)


def plain_profile(layer: str) -> Profile:
    """The profile of a source that already speaks the canonical names, in English, in Chinese or by a known alias.

    Numbers with a dimension are taken by another name than the canonical one only where the heading states a unit.
    """
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
        The source has no geometry where the layer needs one, or lacks the column of the key or one the profile needs.
    """
    layer = LAYERS[profile.layer]
    where = f"{source.file_name}: {source.name}"
    raw = source.frame
    if layer.geometry is not None and not profile.join and not isinstance(raw, gpd.GeoDataFrame):
        raise InvalidInput("该图层没有几何", where=where, remedy=f"“{layer.zh}”需要空间数据")
    table = _table(raw)
    resolved = resolve(profile, list(table.columns))
    _need(resolved, profile, layer, list(table.columns), where)
    notes: dict[str, dict[str, int]] = {}
    rejected: dict[str, Flags] = {}

    def note(name: str, what: str, count: int) -> None:
        if count:
            notes.setdefault(name, {})[what] = count

    def reject(column: str | None, rows: Flags) -> None:
        if column is not None:
            rejected[column] = rejected[column] | rows if column in rejected else rows

    result: dict[str, Any] = {}
    for item in layer.fields:
        if item.name == "extra":
            continue
        taken = resolved.found.get(item.name)
        if taken is not None:
            values, bad = convert(table[taken.column], item, lookup(layer, item, profile))
            note(item.name, "不能识别的值（保留在 extra）", int(bad.sum()))
            if taken.unit is not None or taken.unit_column is not None:
                values, unknown = _in_stored_unit(values, taken, item, table)
                note(item.name, "单位未注明或不认识（原值保留在 extra）", int(unknown.sum()))
                reject(taken.unit_column, unknown)
                bad = bad | unknown
            if bad.any():
                reject(taken.column, bad)
            result[item.name] = values
        if item.name in profile.constants:
            result[item.name] = _with_constant(result.get(item.name), item, layer, profile, len(table))
        elif taken is None:
            result[item.name] = _absent(item, len(table))
    for name, spellings in resolved.missing.items():
        note(name, f"源文件缺少字段 {'、'.join(spellings)}", len(table) or 1)
    if resolved.origin:
        note("load_id", f"列“{'”“'.join(resolved.origin)}”是导出时的来源记录，不采用（来源由本次导入记录）", len(table))
    for name, column in resolved.without_unit.items():
        note(name, f"列“{column}”没有写单位，未采用（原值保留在 extra）", len(table))
    if not profile.join:
        result[layer.key] = _key(table, resolved, profile, layer, note)
    frame = pd.DataFrame({name: _series(result[name]) for name in layer.columns if name != "extra"}, copy=False)
    if "status" in frame and profile.empty_started_on == "not_started":
        silent = frame["started_on"].isna() & frame["status"].isna()
        frame.loc[silent, "status"] = "not_started"
    for codes in ("land_use", "industry"):
        if codes in resolved.found and frame[f"{codes}_edition" if f"{codes}_edition" in frame else codes].isna().all():
            note(codes, "编码所属的分类版本未注明", int(frame[codes].notna().sum()))
    if any(item.name == "extra" for item in layer.fields):
        frame["extra"] = pd.Series(_extra(table, resolved, rejected, frame[layer.key]), dtype=object)
    if isinstance(raw, gpd.GeoDataFrame) and layer.geometry is not None and not profile.join:
        frame = gpd.GeoDataFrame(frame, geometry=np.asarray(raw.geometry.array), crs=source.crs)
    mapping = {
        "fields": {
            name: {"column": taken.column, "unit": taken.unit_column or taken.unit}
            for name, taken in resolved.found.items()
        },
        "key": [list(columns) for columns in resolved.keys],
        "extra": [name for name in table.columns if name not in resolved.columns and name != resolved.extra],
    }
    return Mapped(frame, notes, source.faults, mapping)


def _table(raw: gpd.GeoDataFrame | pd.DataFrame) -> pd.DataFrame:
    """The attributes, rows counted from nought, under names that are text and differ from each other."""
    table = pd.DataFrame(raw.drop(columns=raw.geometry.name)) if isinstance(raw, gpd.GeoDataFrame) else raw
    names: list[str] = []
    for name in map(str, table.columns):
        number, free = 2, name
        while free in names:
            free, number = f"{name}_{number}", number + 1
        names.append(free)
    return table.set_axis(names, axis=1).reset_index(drop=True)


def _need(resolved: Resolution, profile: Profile, layer: Layer, columns: list[str], where: str) -> None:
    there = "文件中的字段：" + "、".join(columns)
    for name in profile.needed:
        if name in resolved.missing or name in resolved.without_unit:
            item = layer.field(name)
            wanted = "”或“".join(resolved.missing.get(name, (resolved.without_unit.get(name, ""),)))
            silent = "，或该列没有写明单位" if name in resolved.without_unit else ""
            raise InvalidInput(
                f"缺少字段“{wanted}”（映射方案“{profile.title}”中的{item.zh}）{silent}", where=where, remedy=there
            )
    if resolved.keys or profile.key_from_row:
        return
    if profile.join:
        if not set(profile.join) & set(resolved.found):
            raise InvalidInput(
                f"缺少用来关联的字段：{'或'.join(layer.field(name).zh for name in profile.join)}",
                where=where, remedy=there,
            )  # fmt: skip
    elif profile.key:
        ways = "，或 ".join("＋".join(parts) for parts in profile.key)
        raise InvalidInput(f"缺少组成{layer.field(layer.key).zh}的字段：{ways}", where=where, remedy=there)
    elif layer.name == "parcels":
        raise InvalidInput(
            f"缺少字段 parcel_id（{layer.field('parcel_id').zh}）", where=where,
            remedy=f"请用 --profile 指明映射方案，或写 --field parcel_id=列名；{there}",
        )  # fmt: skip


def _in_stored_unit(values: Any, taken: Taken, item: Field, table: pd.DataFrame) -> tuple[Any, Flags]:
    """Numbers in the stored unit, and those of rows whose unit is not known (they become empty)."""
    none = np.zeros(len(table), dtype=bool)
    if taken.unit_column is None:
        factor = factor_to_stored(taken.unit, item.unit) if taken.unit else 1.0
        return (values if factor == 1 else values * factor), none
    stated = pd.Series(as_text(table[taken.unit_column]), dtype=object)
    factors = {
        word: factor_to_stored(unit, item.unit)
        for word in stated.dropna().unique()
        if is_convertible(unit := taken.unit_words.get(word, word), item.unit)
    }
    usual = factor_to_stored(taken.unit, item.unit) if taken.unit else np.nan
    factor = stated.map(factors).astype(float).to_numpy(copy=True)
    factor[stated.isna().to_numpy()] = usual
    values = np.asarray(values, dtype=float)
    return values * factor, np.isnan(factor) & ~np.isnan(values)


def _with_constant(values: Any, item: Field, layer: Layer, profile: Profile, count: int) -> Any:
    stated, bad = convert(pd.Series([profile.constants[item.name]]), item, lookup(layer, item, profile))
    if bad.any():
        raise InvalidParameter(
            f"映射方案中{item.zh}的值“{profile.constants[item.name]}”不能识别", where=profile.name
        )  # fmt: skip
    constant = pd.Series(stated).repeat(count).reset_index(drop=True)
    if values is None:
        return constant.array
    return pd.Series(values).where(pd.notna(values), constant).array


def _series(values: Any) -> pd.Series:
    # Text stays objects with None: without the dtype pandas would look at every value for a better one.
    return pd.Series(values, dtype=object if getattr(values, "dtype", None) == np.dtype(object) else None, copy=False)


def _absent(item: Field, count: int) -> Any:
    if item.kind == "date":
        return np.full(count, np.datetime64("NaT", "s"))
    if item.kind == "real":
        return np.full(count, np.nan)
    kind = {"integer": "Int64", "boolean": "boolean"}.get(item.kind)
    return np.full(count, None, dtype=object) if kind is None else pd.array([pd.NA], dtype=kind).repeat(count)


def _key(
    table: pd.DataFrame,
    resolved: Resolution,
    profile: Profile,
    layer: Layer,
    note: Callable[[str, str, int], None],
) -> NDArray[np.object_]:
    """The key of each row: the first way of making it whose parts are all there, or the number of the row."""
    key = np.full(len(table), None, dtype=object)
    for way, columns in enumerate(resolved.keys):
        empty = pd.isna(key)
        if not empty.any():
            break
        made = _joined([as_text(table[column]) for column in columns])
        if way:
            taken = empty & ~pd.isna(made)
            note(layer.key, f"键取自 {'-'.join(columns)}", int(taken.sum()))
        key = np.where(empty, made, key)
    if profile.key_from_row or not resolved.keys:
        empty = pd.isna(key)
        if resolved.keys:
            note(layer.key, "键为空，按行编号", int(empty.sum()))
        key[empty] = [f"{layer.name}-{row:07d}" for row in np.flatnonzero(empty) + 1]
    return key


def _joined(parts: list[NDArray[np.object_]]) -> NDArray[np.object_]:
    key = parts[0]
    for part in parts[1:]:
        key = np.array(
            [
                None if left is None or right is None else right if right.startswith(left) else f"{left}-{right}"
                for left, right in zip(key, part, strict=True)
            ],
            dtype=object,
        )
    return key


def _extra(
    table: pd.DataFrame, resolved: Resolution, rejected: dict[str, Flags], key: pd.Series
) -> list[dict[str, Any] | None]:
    """What no field holds, under the names of the source; an exported ``extra`` is unpacked again."""
    rest = {
        name: plain_column(table[name])
        for name in table.columns
        if name not in resolved.columns and name != resolved.extra and table[name].notna().any()
    }
    # Readers of GeoJSON give the id of a feature as a column; in an export it is the key once more.
    if "id" in rest and (as_text(table["id"]) == key.to_numpy()).all():
        del rest["id"]
    # Columns without gaps go into all rows at one stroke; the others are added where they hold something.
    whole = {name: values for name, values in rest.items() if None not in values}
    records: list[dict[str, Any]]
    if whole:
        records = [dict(zip(whole, row, strict=True)) for row in zip(*whole.values(), strict=True)]
    else:
        records = [{} for _ in range(len(table))]
    for name in (name for name in rest if name not in whole):
        for record, value in zip(records, rest[name], strict=True):
            if value is not None:
                record[name] = value
    for column, rows in rejected.items():
        cells = table[column].to_numpy(dtype=object)
        for row in np.flatnonzero(rows):
            if not pd.isna(cells[row]):
                records[row][column] = plain_value(cells[row])
    if resolved.extra is not None:
        _unpack(records, table[resolved.extra], resolved.extra)
    return [record or None for record in records]


def _unpack(records: list[dict[str, Any]], packed: pd.Series, name: str) -> None:
    cells = packed.to_numpy(dtype=object)
    for row in np.flatnonzero(packed.notna().to_numpy()):
        content, broken = as_json(cells[row])
        if broken or not isinstance(content, dict):
            records[row][name] = plain_value(cells[row])
            continue
        for key, value in content.items():
            # The file's own column goes before what was packed under the same name; neither is dropped.
            records[row][key if key not in records[row] else f"{name}.{key}"] = value
