"""Three outcomes for every row: stored, repaired and stored (with what was done), or quarantined (with why)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo import crs
from geo.layers.checking.attribute_checks import ValueWarning, attribute_warnings
from geo.layers.checking.coverage import COVERAGE_LAYERS, CoverageReport, measure_coverage
from geo.layers.checking.repair import Repaired, identical, repair
from geo.layers.checking.rules import QualityRules
from geo.layers.mapping.origins import has_origin
from geo.layers.profiles import Mapped, plain_value
from geo.layers.schema import LAYERS, Layer


@dataclass(frozen=True, slots=True)
class Checked:
    """Rows that may be stored (EPSG:4490) and rows that may not; ``read == len(features) + len(quarantine)``.

    ``report`` holds JSON types only: ``repaired`` reason -> rows, ``quarantined`` reason -> rows, ``notes`` of the
    mapping, ``warnings`` (``ValueWarning`` as dicts: values stored as they are although they cannot be right),
    ``identical`` geometries, ``coverage`` (figures, or ``None`` where the layer is none) and ``rules``. ``coverage``
    carries the places of the worst faults for a map.
    """

    features: gpd.GeoDataFrame | pd.DataFrame
    quarantine: gpd.GeoDataFrame
    repaired: int
    report: dict[str, Any]
    coverage: CoverageReport | None = None


def check(
    mapped: Mapped,
    layer_name: str,
    duplicate_key: Literal["quarantine", "number"] = "quarantine",
    *,
    rules: QualityRules | None = None,
    data_date: str | None = None,
) -> Checked:
    """Check and repair mapped rows and bring them into EPSG:4490.

    Parameters
    ----------
    mapped : rows in canonical columns, geometry in the source's system
    layer_name : canonical layer
    duplicate_key : what becomes of a row whose key was there before: quarantined, or stored as ``key#2`` (condominium
        stacks share one key in some cadastres)
    rules : tolerances
    data_date : the day (ISO) that the data describe; dates are held against it
    """
    rules = rules or QualityRules()
    layer = LAYERS[layer_name]
    frame, notes = mapped.frame.reset_index(drop=True), dict(mapped.notes)
    why = np.full(len(frame), None, dtype=object)
    done = np.full(len(frame), None, dtype=object)
    geometry: NDArray[np.object_] | None = None
    mended: Repaired | None = None
    if isinstance(frame, gpd.GeoDataFrame):
        if layer.geometry is not None:
            mended = repair(np.asarray(frame.geometry.array), frame.crs, layer.geometry, rules)
            geometry, why, done = mended.geometry, mended.why, mended.done
            if mended.elsewhere:
                notes["geometry"] = {"在坐标系适用范围之外（整层如此，未隔离）": mended.elsewhere}
        elif len(frame):
            notes["geometry"] = {"该图层不存几何（未保留）": int(frame.geometry.notna().sum())}
        frame = pd.DataFrame(frame.drop(columns=frame.geometry.name))
    for row, reason in mapped.faults.items():
        why[row] = reason

    kept = why == None  # noqa: E711  (element by element)
    key = frame[layer.key].astype(object)
    keyless = key.isna().to_numpy()
    why[kept & keyless] = f"缺少{layer.field(layer.key).zh}"
    kept &= ~keyless
    again = kept.copy()
    again[kept] = key[kept].duplicated()
    if duplicate_key == "quarantine":
        why[again] = f"{layer.field(layer.key).zh}重复"
        kept &= ~again
    elif again.any():
        frame.loc[again, layer.key] = _numbered(key[again], set(key[~keyless]))
        said = "重复的键已编号"
        done[again] = [said if before is None else f"{before}；{said}" for before in done[again]]

    features: gpd.GeoDataFrame | pd.DataFrame = frame[kept].reset_index(drop=True)
    if geometry is not None:
        shapes = geometry[kept]
        if layer.name == "parcels":
            features["area_m2"] = crs.ellipsoidal_area(shapes)
        features = gpd.GeoDataFrame(features, geometry=shapes, crs=crs.STORAGE_CRS)
    source_row = np.flatnonzero(kept) + 1
    if has_origin(layer.name):
        features["source_row"] = pd.array(source_row, dtype="Int64")
    warnings = attribute_warnings(features, layer, source_row, rules, data_date)
    stacked: dict[str, Any] | None = None
    coverage: CoverageReport | None = None
    if mended is not None and geometry is not None:
        keys = features[layer.key].to_numpy(dtype=object)
        warnings += _area_warnings(mended, kept, key, features, layer, rules)
        group = identical(shapes)
        stacked = _stacked(group, keys, rules)
        if layer.name in COVERAGE_LAYERS and rules.coverage is not None:
            # Identical polygons are told above; here they are one, or a tower of flats would be thousands of pairs.
            first = np.ones(len(group), dtype=bool)
            first[group >= 0] = ~pd.Series(group[group >= 0]).duplicated().to_numpy()
            area = features["area_m2"].to_numpy(dtype=float)[first] if layer.name == "parcels" else None
            coverage = measure_coverage(shapes[first], rules.coverage, keys=keys[first], area_m2=area)
    repaired = done[kept & (done != None)]  # noqa: E711
    report = {
        "repaired": _counts(repaired),
        "quarantined": _counts(why[~kept]),
        "notes": notes,
        "warnings": [warning.as_dict() for warning in warnings],
        "identical": stacked,
        "coverage": coverage.as_dict() if coverage else None,
        "rules": asdict(rules),
    }
    return Checked(features, quarantined_rows(mapped.frame, ~kept, why, layer), len(repaired), report, coverage)


def _counts(reasons: NDArray[np.object_]) -> dict[str, int]:
    return {str(reason): int(count) for reason, count in pd.Series(reasons, dtype=object).value_counts().items()}


def _numbered(repeated: pd.Series, taken: set[str]) -> list[str]:
    """``key#2``, ``key#3`` … for keys that were there before, passing over numbers that the source uses itself."""
    names = []
    last: dict[str, int] = {}
    for key in repeated:
        number = last.get(key, 1) + 1
        while f"{key}#{number}" in taken:
            number += 1
        last[key] = number
        taken.add(f"{key}#{number}")
        names.append(f"{key}#{number}")
    return names


def _area_warnings(
    mended: Repaired,
    kept: NDArray[np.bool_],
    key: pd.Series,
    features: pd.DataFrame,
    layer: Layer,
    rules: QualityRules,
) -> list[ValueWarning]:
    """Repairs that changed the area, and polygons that are hardly there."""
    found = []

    def warn(kind: str, zh: str, limit: str, examples: list[tuple[str, str, int]], count: int) -> None:
        told = tuple({"key": name, "value": value, "source_row": row} for name, value, row in examples)
        found.append(ValueWarning(kind, "geometry", zh, limit, "m2", count, told))

    there = kept[mended.rows]
    rows, before, after = mended.rows[there], mended.before_m2[there], mended.after_m2[there]
    share = np.abs(after - before) / np.maximum(np.maximum(before, after), 1e-9)
    worst = np.flatnonzero(share > rules.repair_area_share)
    if len(worst):
        chosen = worst[np.argsort(-np.abs(after - before)[worst], kind="stable")][: rules.examples]
        examples = [
            (str(key[rows[at]]), f"修复前 {before[at]:.2f}，修复后 {after[at]:.2f}", int(rows[at]) + 1) for at in chosen
        ]
        limit = f"修复使面积变化不超过 {rules.repair_area_share:.0%}"
        warn("area_changed_by_repair", "面积变化", limit, examples, len(worst))
    if "area_m2" in features:
        area = features["area_m2"].to_numpy(dtype=float)
        tiny = np.flatnonzero(area < rules.tiny_area_m2)
        if len(tiny):
            row = np.flatnonzero(kept)
            keys = features[layer.key].to_numpy()
            examples = [(str(keys[at]), f"{area[at]:.4f}", int(row[at]) + 1) for at in tiny[: rules.examples]]
            warn("tiny_area", "面积极小", f"不小于 {rules.tiny_area_m2:g} 平方米", examples, len(tiny))
    return found


def _stacked(group: NDArray[np.intp], keys: NDArray[np.object_], rules: QualityRules) -> dict[str, Any]:
    """Geometries that are there more than once: groups, rows in them, the keys of the first groups."""
    rows = np.flatnonzero(group >= 0)
    number = group[rows]
    count = int(number.max()) + 1 if len(number) else 0
    examples = [
        [str(name) for name in keys[rows[number == at]][: rules.examples]] for at in range(min(count, rules.examples))
    ]
    return {"groups": count, "rows": len(rows), "surplus": len(rows) - count, "examples": examples}


def quarantined_rows(frame: Any, rows: NDArray[np.bool_], why: NDArray[np.object_], layer: Layer) -> gpd.GeoDataFrame:
    """Rows that may not be stored, as the quarantine keeps them.

    Parameters
    ----------
    frame : all mapped rows, geometry in the source's system
    rows : (n,) which of them
    why : (n,) object array, the reason in Chinese
    layer : the layer that they were meant for
    """
    chosen = frame[rows]
    index = np.flatnonzero(rows)
    attributes = chosen.drop(columns=chosen.geometry.name) if isinstance(chosen, gpd.GeoDataFrame) else chosen
    records = attributes.astype(object).where(attributes.notna(), None).to_dict("records")
    geometry = np.full(len(chosen), None, dtype=object)
    if isinstance(chosen, gpd.GeoDataFrame) and len(chosen):
        # As it was, faults included, wherever its coordinates are numbers.
        geometry = np.asarray(chosen.geometry.array).copy()
        geometry[~_finite(geometry)] = None
        geometry = crs.reproject(geometry, chosen.crs, crs.STORAGE_CRS)
        geometry[~_finite(geometry)] = None
    table = pd.DataFrame(
        {
            "layer": layer.name,
            "source_row": index + 1,
            "reason": why[rows],
            "extra": [
                {key: plain_value(value) for key, value in record.items() if value is not None} for record in records
            ],
        }
    )
    return gpd.GeoDataFrame(table, geometry=geometry, crs=crs.STORAGE_CRS)


def _finite(geometry: NDArray[np.object_]) -> NDArray[np.bool_]:
    xy, row = shapely.get_coordinates(geometry, return_index=True)
    finite = np.ones(len(geometry), dtype=bool)
    finite[row[~np.isfinite(xy).all(axis=1)]] = False
    return finite


_FAULT_ZH = {
    "overlap": "重叠",
    "gap": "缝隙",
    "hole": "封闭小空隙",
    "sliver": "狭长图形",
    "unclean_border": "界线不重合",
}


def quarantine_frame_for_file(checked: Checked) -> gpd.GeoDataFrame:
    """Quarantined rows as a layer to look at in QGIS: why, which row, and every attribute of the source as text.

    Geometry is as it came (faults included) in EPSG:4490, missing where it has no usable coordinates. Columns:
    ``layer``, ``source_row``, ``reason``, then canonical fields and source columns that have a value in any row; a
    name that differs from another only in case gets ``_2``, for a GeoPackage does not tell them apart.
    """
    table = checked.quarantine
    flat = [_flat(row) for row in table["extra"]]
    out: dict[str, Any] = {name: table[name].tolist() for name in ("layer", "source_row", "reason")}
    taken = {name.lower() for name in (*out, "fid", "geom", "geometry")}
    for name in dict.fromkeys(name for row in flat for name in row):
        column, number = name, 1
        while column.lower() in taken:
            number += 1
            column = f"{name}_{number}"
        taken.add(column.lower())
        out[column] = pd.Series([row.get(name) for row in flat], dtype=object)
    frame = pd.DataFrame(out, index=range(len(table)))
    return gpd.GeoDataFrame(frame, geometry=np.asarray(table.geometry.array), crs=crs.STORAGE_CRS)


def coverage_frame_for_file(checked: Checked) -> gpd.GeoDataFrame | None:
    """The worst places of a coverage as a layer to look at in QGIS, ``None`` where none was measured."""
    if checked.coverage is None:
        return None
    places = checked.coverage.places
    return places.assign(kind_zh=places["kind"].map(_FAULT_ZH))


def _flat(row: Any) -> dict[str, str]:
    """Attributes of a quarantined row as text: its fields, and those that had no field beside them."""
    found: dict[str, str] = {}
    for name, value in (row or {}).items():
        if name == "extra" and isinstance(value, dict):
            found |= {inner: _text(content) for inner, content in value.items() if inner not in found}
        else:
            found[name] = _text(value)
    return found


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)
