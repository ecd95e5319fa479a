"""Geometry of a source → valid geometry in EPSG:4490: what can be mended is mended, and said; the rest says why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from geo import crs
from geo.layers.checking.rules import QualityRules

Wanted = Literal["polygon", "line", "point", "any"]
_DIMENSION = {"polygon": 2, "line": 1, "point": 0}
_KIND_ZH = {"polygon": "面", "line": "线", "point": "点"}
_COLLECTION = shapely.GeometryType.GEOMETRYCOLLECTION

# What GEOS says of an invalid geometry, for people.
_FAULTS_ZH = {
    "Self-intersection": "自相交",
    "Ring Self-intersection": "环自相交",
    "Hole lies outside shell": "洞在外环之外",
    "Holes are nested": "洞套洞",
    "Interior is disconnected": "内部不连通",
    "Nested shells": "部件互相包含",
    "Duplicate Rings": "环重复",
    "Too few points in geometry component": "点数不足",
    "Invalid Coordinate": "坐标无效",
    "Ring is not closed": "环未闭合",
}


@dataclass(frozen=True, slots=True)
class Repaired:
    """Geometry that can be stored, with what was done and what cannot be stored.

    ``geometry`` (n,) valid, EPSG:4490, ``None`` where ``why`` says why not; ``done`` (n,) what was repaired or
    ``None``; ``rows``, ``before_m2``, ``after_m2`` the polygons whose repair may have changed their area;
    ``elsewhere`` rows of a layer that lies as a whole outside the area of use of its geographic system.
    """

    geometry: NDArray[np.object_]
    why: NDArray[np.object_]
    done: NDArray[np.object_]
    rows: NDArray[np.intp]
    before_m2: NDArray[np.float64]
    after_m2: NDArray[np.float64]
    elsewhere: int = 0


def repair(
    geometry: NDArray[np.object_], source_crs: CRS, wanted: Wanted, rules: QualityRules | None = None
) -> Repaired:
    """Bring geometries into EPSG:4490 and make them valid with their structure kept.

    Parameters
    ----------
    geometry : (n,) object array in the source's system, x first; Z and M are dropped
    source_crs : of the geometry
    wanted : kind that the layer carries
    rules : the margin around the area of use
    """
    rules = rules or QualityRules()
    geometry = np.asarray(geometry, dtype=object)
    why = np.full(len(geometry), None, dtype=object)
    done = np.full(len(geometry), None, dtype=object)
    good = ~(shapely.is_missing(geometry) | shapely.is_empty(geometry))
    why[~good] = "没有几何"

    def refuse(rows: NDArray[np.bool_], reason: str) -> None:
        why[rows] = reason
        good[rows] = False

    moved, broken, lost = _moved(geometry, source_crs)
    refuse(good & broken, "坐标不是有限数")
    bounds = shapely.bounds(moved)
    with np.errstate(invalid="ignore"):
        inside = (
            (bounds[:, 0] >= -180) & (bounds[:, 2] <= 180) & (bounds[:, 1] >= -90) & (bounds[:, 3] <= 90) & ~lost
        )  # fmt: skip
    refuse(good & ~inside, "坐标超出坐标系范围")
    elsewhere = good & outside_area_of_use(bounds, source_crs, rules.area_of_use_margin_deg)
    # Longitude and latitude mean the same everywhere: a layer that lies elsewhere as a whole is no slip of single rows.
    if not (moves_nothing(source_crs) and elsewhere.sum() > good.sum() / 2):
        refuse(elsewhere, "超出坐标系的适用范围")
        elsewhere[:] = False
    moved[~good] = None

    invalid = np.flatnonzero(good & ~shapely.is_valid(moved))
    before = after = np.empty(0)
    if len(invalid):
        reasons = shapely.is_valid_reason(moved[invalid])
        before = crs.ellipsoidal_area(moved[invalid])
        # "structure" keeps shells and holes as they were meant; "linework" would turn overlaps into holes.
        moved[invalid] = shapely.make_valid(moved[invalid], method="structure", keep_collapsed=False)
        done[invalid] = [f"几何已修复：{_fault(text)}" for text in reasons]
        collapsed = np.zeros(len(good), dtype=bool)
        collapsed[invalid] = shapely.is_empty(moved[invalid])
        refuse(collapsed, "几何退化（修复后没有剩余）")
    if wanted in _DIMENSION:
        mixed = np.flatnonzero(good & (shapely.get_type_id(moved) == _COLLECTION))
        if len(mixed):
            moved[mixed], done[mixed] = _unpacked(moved[mixed], wanted, done[mixed])
        # Empty has no dimension, so a collection without a part of the wanted kind falls here too.
        fits = (shapely.get_dimensions(moved) == _DIMENSION[wanted]) & ~shapely.is_empty(moved)
        refuse(good & ~fits, f"几何类型不符（需要{_KIND_ZH[wanted]}）")
    moved[~good] = None
    done[~good] = None
    if len(invalid):
        after = crs.ellipsoidal_area(moved[invalid])
    kept = good[invalid] if len(invalid) else np.empty(0, dtype=bool)
    return Repaired(moved, why, done, invalid[kept], before[kept], after[kept], int(elsewhere.sum()))


def moves_nothing(source_crs: CRS) -> bool:
    """Whether coordinates of a system are those of EPSG:4490 to the last bit (PROJ's own answer, not a guess)."""
    definition = Transformer.from_crs(source_crs, crs.STORAGE_CRS, always_xy=True).definition
    return definition.startswith("proj=noop") or definition == ""


def _moved(
    geometry: NDArray[np.object_], source_crs: CRS
) -> tuple[NDArray[np.object_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Geometry in EPSG:4490, rows whose coordinates were not finite, rows that the projection could not place."""
    broken = np.zeros(len(geometry), dtype=bool)
    lost = np.zeros(len(geometry), dtype=bool)
    xy, row = shapely.get_coordinates(geometry, return_index=True)
    finite = np.isfinite(xy)
    if not finite.all():
        broken[row[~finite.all(axis=1)]] = True
    if moves_nothing(source_crs):
        flat = shapely.force_2d(geometry) if (shapely.has_z(geometry) | shapely.has_m(geometry)).any() else geometry
        return flat.copy(), broken, lost
    transformer = Transformer.from_crs(source_crs, crs.STORAGE_CRS, always_xy=True)
    moved = np.column_stack(transformer.transform(xy[:, 0], xy[:, 1])) if len(xy) else xy
    if not np.isfinite(moved).all():
        lost[row[~np.isfinite(moved).all(axis=1)]] = True
    return shapely.set_coordinates(geometry.copy(), moved), broken, lost


def outside_area_of_use(bounds: NDArray[np.float64], source_crs: CRS, margin_deg: float) -> NDArray[np.bool_]:
    """Which bounds (EPSG:4490) reach further than the margin out of the area that a system is made for: (n,) bool."""
    area = source_crs.area_of_use
    if area is None or area.west > area.east:  # unknown, or across the antimeridian
        return np.zeros(len(bounds), dtype=bool)
    west, south, east, north = area.bounds
    if moves_nothing(source_crs) and area.west >= crs.CHINA_LON[0]:
        # The registry leaves out the southern islands.
        (west, east), (south, north) = crs.CHINA_LON, crs.CHINA_LAT
    with np.errstate(invalid="ignore"):
        return np.asarray(
            (bounds[:, 0] < west - margin_deg) | (bounds[:, 2] > east + margin_deg)
            | (bounds[:, 1] < south - margin_deg) | (bounds[:, 3] > north + margin_deg)
        )  # fmt: skip


def _fault(reason: str) -> str:
    text = reason.split("[")[0].strip()
    return _FAULTS_ZH.get(text, text)


def _unpacked(
    collections: NDArray[np.object_], wanted: Wanted, done: NDArray[np.object_]
) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """The parts of the wanted kind of each collection as one geometry (empty where there is none)."""
    parts, owner = shapely.get_parts(collections, return_index=True)
    while (nested := shapely.get_type_id(parts) > 3).any():
        # Collections in collections and multi-geometries, one level a turn.
        inner, of = shapely.get_parts(parts[nested], return_index=True)
        parts = np.concatenate([parts[~nested], inner])
        owner = np.concatenate([owner[~nested], owner[nested][of]])
    fits = (shapely.get_dimensions(parts) == _DIMENSION[wanted]) & ~shapely.is_empty(parts)
    order = np.argsort(owner[fits], kind="stable")
    kept, of = parts[fits][order], owner[fits][order]
    build: Any = {"polygon": shapely.multipolygons, "line": shapely.multilinestrings, "point": shapely.multipoints}
    result = np.full(len(collections), shapely.GeometryCollection(), dtype=object)
    if len(kept):
        rows = np.unique(of)
        # Rows are numbered afresh: a builder would make something of the numbers that are missing.
        result[rows] = build[wanted](kept, indices=np.searchsorted(rows, of))
    if wanted == "polygon":
        overlapping = ~shapely.is_valid(result)
        result[overlapping] = shapely.make_valid(result[overlapping], method="structure", keep_collapsed=False)
    count = np.bincount(of, minlength=len(collections))
    single = np.flatnonzero(count == 1)
    result[single] = kept[np.searchsorted(of, single)] if len(single) else result[single]
    dropped = np.bincount(owner[~fits], minlength=len(collections)) > 0
    words = np.where(dropped, f"混合几何中只保留{_KIND_ZH[wanted]}部分", f"几何集合已转为{_KIND_ZH[wanted]}")
    said = [word if before is None else f"{before}；{word}" for word, before in zip(words, done, strict=True)]
    return result, np.array(said, dtype=object)


def identical(geometry: NDArray[np.object_]) -> NDArray[np.intp]:
    """Number of the group of identical geometries that each belongs to: (n,), -1 for one that stands alone.

    Identical means equal as normalised WKB, whatever the start of a ring or the order of parts; only geometries that
    share their bounds to the last bit are looked at closely.
    """
    group = np.full(len(geometry), -1, dtype=np.intp)
    if len(geometry) < 2:
        return group
    bounds = shapely.bounds(geometry)
    order = np.lexsort(bounds.T)
    same = (bounds[order][1:] == bounds[order][:-1]).all(axis=1)
    candidate = np.zeros(len(geometry), dtype=bool)
    candidate[order[1:][same]] = candidate[order[:-1][same]] = True
    rows = np.flatnonzero(candidate)
    if len(rows) == 0:
        return group
    text = shapely.to_wkb(shapely.normalize(geometry[rows]))
    _, number, count = np.unique(np.asarray(text, dtype=object), return_inverse=True, return_counts=True)
    many = count[number] > 1
    group[rows[many]] = np.unique(number[many], return_inverse=True)[1]
    return group
