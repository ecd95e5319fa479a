"""Three outcomes for every row: stored, repaired and stored (with what was done), or quarantined (with why)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo import crs
from geo.layers.profiles import Mapped, plain_value
from geo.layers.schema import LAYERS, Layer

_DIMENSION = {"polygon": 2, "line": 1, "point": 0}


@dataclass(frozen=True, slots=True)
class Checked:
    """Rows that may be stored (EPSG:4490) and rows that may not; ``read == len(features) + len(quarantine)``.

    ``report`` holds the counts: ``repaired`` reason -> rows, ``quarantined`` reason -> rows, ``notes`` of the mapping.
    """

    features: gpd.GeoDataFrame | pd.DataFrame
    quarantine: gpd.GeoDataFrame
    repaired: int
    report: dict[str, Any]


def check(mapped: Mapped, layer_name: str, duplicate_key: Literal["quarantine", "number"] = "quarantine") -> Checked:
    """Check and repair mapped rows and bring them into EPSG:4490.

    Parameters
    ----------
    mapped : rows in canonical columns, geometry in the source's system
    layer_name : canonical layer
    duplicate_key : what becomes of a row whose key was there before: quarantined, or stored as ``key#2`` (condominium
        stacks share one key in some cadastres)
    """
    layer = LAYERS[layer_name]
    frame = mapped.frame.reset_index(drop=True)
    count = len(frame)
    why = np.full(count, None, dtype=object)
    done = np.full(count, None, dtype=object)

    def quarantine(rows: Any, reason: str) -> None:
        mask = np.asarray(rows, dtype=bool) & pd.isna(why)
        why[mask] = reason

    for row, reason in mapped.faults.items():
        why[row] = reason
    geometry = np.full(count, None, dtype=object)
    if layer.geometry is not None:
        geometry = np.asarray(frame.geometry.array)
        geometry = _geometry(geometry, frame, layer, quarantine, done)
    key = frame[layer.key].astype(object)
    quarantine(key.isna(), f"缺少{layer.field(layer.key).zh}")
    again = key.where(pd.isna(why)).groupby(key).cumcount().to_numpy() if count else np.empty(0)
    repeated = (again > 0) & pd.isna(why) & key.notna().to_numpy()
    if duplicate_key == "quarantine":
        quarantine(repeated, f"{layer.field(layer.key).zh}重复")
    else:
        frame.loc[repeated, layer.key] = _numbered(key[repeated], set(key.dropna()))
        done[repeated] = "重复的键已编号"

    stored = pd.isna(why)
    if layer.geometry is not None:
        frame = gpd.GeoDataFrame(frame.drop(columns=frame.geometry.name), geometry=geometry, crs=crs.STORAGE_CRS)
    features = frame[stored].reset_index(drop=True)
    if layer.name == "parcels":
        features["area_m2"] = crs.ellipsoidal_area(np.asarray(features.geometry.array))
    repaired = done[stored & pd.notna(done)]
    report = {
        "repaired": pd.Series(repaired, dtype=object).value_counts().to_dict(),
        "quarantined": pd.Series(why[~stored], dtype=object).value_counts().to_dict(),
        "notes": mapped.notes,
    }
    return Checked(features, _quarantined(mapped.frame, ~stored, why, layer), len(repaired), report)


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


def _geometry(geometry: Any, frame: Any, layer: Layer, quarantine: Any, done: Any) -> Any:
    missing = shapely.is_missing(geometry) | shapely.is_empty(geometry)
    quarantine(missing, "没有几何")
    bounds = shapely.bounds(geometry)
    quarantine(~missing & ~np.isfinite(bounds).all(axis=1), "坐标不是有限数")
    moved = crs.reproject(geometry, frame.crs, crs.STORAGE_CRS)
    bounds = shapely.bounds(moved)
    outside = ~missing & ~(
        np.isfinite(bounds).all(axis=1) & (bounds[:, 0] >= -180) & (bounds[:, 2] <= 180)
        & (bounds[:, 1] >= -90) & (bounds[:, 3] <= 90)
    )  # fmt: skip
    quarantine(outside, "坐标超出坐标系范围")
    good = ~missing & ~outside
    invalid = good & ~shapely.is_valid(moved)
    if invalid.any():
        reason = shapely.is_valid_reason(moved[invalid])
        # "structure" keeps shells and holes as they were meant; "linework" would turn overlaps into holes.
        moved[invalid] = shapely.make_valid(moved[invalid], method="structure", keep_collapsed=False)
        done[invalid] = [f"几何已修复：{text.split('[')[0].strip()}" for text in reason]
    if layer.geometry in _DIMENSION:
        wanted = _DIMENSION[layer.geometry]
        mixed = good & (shapely.get_type_id(moved) == shapely.GeometryType.GEOMETRYCOLLECTION)
        for row in np.flatnonzero(mixed):
            parts = shapely.get_parts(moved[row])
            kept = parts[shapely.get_dimensions(parts) == wanted]
            moved[row] = shapely.union_all(kept) if len(kept) else None
            done[row] = "混合几何中只保留面（线、点）部分"
        other = good & (shapely.is_empty(moved) | (shapely.get_dimensions(moved) != wanted))
        quarantine(other, f"几何类型不符（需要{ {0: '点', 1: '线', 2: '面'}[wanted] }）")
    return moved


def _quarantined(frame: Any, rows: Any, why: Any, layer: Layer) -> gpd.GeoDataFrame:
    chosen = frame[rows]
    index = np.flatnonzero(rows)
    attributes = chosen.drop(columns=chosen.geometry.name) if isinstance(chosen, gpd.GeoDataFrame) else chosen
    records = attributes.astype(object).where(attributes.notna(), None).to_dict("records")
    geometry = np.full(len(chosen), None, dtype=object)
    if isinstance(chosen, gpd.GeoDataFrame) and len(chosen):
        geometry = crs.reproject(np.asarray(chosen.geometry.array), chosen.crs, crs.STORAGE_CRS)
        finite = np.isfinite(shapely.bounds(geometry)).all(axis=1) | shapely.is_missing(geometry)
        geometry[~finite] = None
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
