"""How well polygons cover land once: overlaps, gaps, slivers and unclean borders, with the places where they are."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo import crs
from geo.layers.checking.borders import (
    CROSSING,
    NODE,
    SAME_WAY,
    SLIT,
    STRIP,
    Meetings,
    Segments,
    meetings,
    point_numbers,
    segments_of,
)
from geo.layers.checking.rules import CoverageRules

# Layers whose polygons are meant to lie side by side.
COVERAGE_LAYERS = ("parcels", "zoning", "towns")

_Areas = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number with its unit, its Chinese name and the tolerance that it was measured with."""

    zh: str
    value: float | int
    unit: str
    tolerance: float | None = None
    tolerance_unit: str = ""


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """Figures of a coverage by key, and the worst places (EPSG:4490) of each kind.

    ``clean`` is true where every border that two polygons have in common is the same to the last bit and nothing
    overlaps (what GEOS calls a valid coverage). ``places`` has the columns kind, key, other_key, area_m2, width_m,
    length_m.
    """

    clean: bool
    figures: dict[str, Figure]
    places: gpd.GeoDataFrame
    rules: CoverageRules

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON types."""
        return {
            "clean": self.clean,
            "figures": {key: asdict(figure) for key, figure in self.figures.items()},
            "places": len(self.places),
        }


@dataclass(frozen=True, slots=True)
class _Faults:
    """Faults of one kind between polygons ``first`` and ``second`` (-1: none), with their shapes."""

    kind: str
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    area_m2: _Areas
    width_m: _Areas
    length_m: _Areas
    shape: NDArray[np.object_]


def measure_coverage(
    polygons: NDArray[np.object_],
    rules: CoverageRules | None = None,
    *,
    keys: NDArray[np.object_] | None = None,
    area_m2: NDArray[np.float64] | None = None,
) -> CoverageReport:
    """Measure a layer of polygons as a coverage.

    Parameters
    ----------
    polygons : (n,) valid polygons or multipolygons in EPSG:4490
    rules : tolerances
    keys : (n,) names of the polygons for the places; their numbers where there are none
    area_m2 : (n,) ellipsoidal areas, where they are known already

    Notes
    -----
    Overlaps are exact intersections with ellipsoidal area, summed over pairs. Gaps are slits between borders that face
    each other nearer than ``gap_width_m``, and enclosed ground up to ``hole_area_m2``; lanes and other voids are none.
    Lengths and widths are taken on the ellipsoid at the place itself.
    """
    rules = rules or CoverageRules()
    polygons = np.asarray(polygons, dtype=object)
    names = np.arange(len(polygons)).astype(str).astype(object) if keys is None else keys
    segments = segments_of(polygons)
    length = segments.length_m()
    area = crs.ellipsoidal_area(polygons) if area_m2 is None else area_m2
    perimeter = np.bincount(segments.owner, length, minlength=len(polygons))
    met = meetings(segments, max(rules.gap_width_m, rules.tolerance_m))
    tree = shapely.STRtree(polygons)

    overlaps = _overlaps(polygons, segments, met, tree)
    holes, in_hole = _holes(segments, tree, rules)
    gaps = _slits(segments, met, in_hole, tree)
    big = overlaps.area_m2 >= rules.overlap_min_m2
    wide = gaps.area_m2 >= rules.gap_min_m2
    mean_width = np.divide(2 * area, perimeter, out=np.full(len(area), np.inf), where=perimeter > 0)
    thin = np.flatnonzero(mean_width < rules.sliver_width_m)
    near = ((met.kind == SLIT) | (met.kind == STRIP)) & (met.width_m <= rules.tolerance_m)
    near_m = float(met.length_m[near].sum())
    node_m = float(met.length_m[met.kind == NODE].sum())
    border_m = float(length.sum() - length[segments.shared].sum() / 2)
    land_m2 = float(area.sum())

    slivers = _Faults(
        "sliver", thin, np.full(len(thin), -1), area[thin], mean_width[thin], perimeter[thin] / 2, polygons[thin]
    )
    figures = {
        "polygons": Figure("图形数", len(polygons), "个"),
        "land_m2": Figure("总面积", round(land_m2, 2), "m2"),
        "border_m": Figure("界线总长（公共界线计一次）", round(border_m, 2), "m"),
        "overlaps": Figure("重叠（对）", int(big.sum()), "对", rules.overlap_min_m2, "m2"),
        "overlaps_below": Figure("容差以下的重叠（对）", int((~big).sum()), "对", rules.overlap_min_m2, "m2"),
        "overlap_m2": Figure("重叠面积（逐对累计）", round(float(overlaps.area_m2.sum()), 4), "m2"),
        "overlap_share": Figure("重叠面积占比", _share(overlaps.area_m2.sum(), land_m2), "1"),
        "gaps": Figure("缝隙", int(wide.sum()), "处", rules.gap_width_m, "m"),
        "gap_m2": Figure("缝隙面积", round(float(gaps.area_m2.sum()), 4), "m2", rules.gap_width_m, "m"),
        "holes": Figure("封闭小空隙", len(holes.first), "处", rules.hole_area_m2, "m2"),
        "hole_m2": Figure("封闭小空隙面积", round(float(holes.area_m2.sum()), 4), "m2", rules.hole_area_m2, "m2"),
        "slivers": Figure("狭长图形（2×面积÷周长）", len(thin), "个", rules.sliver_width_m, "m"),
        "unclean_m": Figure("相邻界线不重合", round(near_m, 2), "m", rules.tolerance_m, "m"),
        "unclean_share": Figure("相邻界线不重合占比", _share(near_m, border_m), "1", rules.tolerance_m, "m"),
        "node_m": Figure("公共界线节点不一致", round(node_m, 2), "m"),
        "node_share": Figure("公共界线节点不一致占比", _share(node_m, border_m), "1"),
    }
    clean = not (len(overlaps.first) or near.any() or (met.kind == NODE).any())
    places = [_worst(found, names, rules.worst) for found in (overlaps, gaps, holes, slivers)]
    unclean = _unclean(segments, met, near | (met.kind == NODE))
    places.append(_worst(unclean, names, rules.worst))
    return CoverageReport(clean, figures, pd.concat(places, ignore_index=True), rules)


def _share(part: Any, whole: float) -> float:
    return round(float(part) / whole, 9) if whole > 0 else 0.0


def _pairs(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    pairs = np.sort(np.column_stack([first, second]), axis=1)
    return np.unique(pairs, axis=0)


def _overlaps(polygons: NDArray[np.object_], segments: Segments, met: Meetings, tree: shapely.STRtree) -> _Faults:
    """Pairs with common interior. Only pairs whose borders cross, lie wrongly, or one of which could hold the other."""
    suspects = np.isin(met.kind, (STRIP, SAME_WAY, CROSSING))
    own = segments.owner
    pairs = [np.column_stack([own[met.first[suspects]], own[met.second[suspects]]]), segments.stacked]
    if not segments.shared.all():
        bounds = shapely.bounds(polygons)
        one, other = tree.query(polygons)
        inside = (one != other) & (bounds[one, :2] >= bounds[other, :2]).all(axis=1)
        inside &= (bounds[one, 2:] <= bounds[other, 2:]).all(axis=1)
        pairs.append(np.column_stack([one[inside], other[inside]]))
    found = np.concatenate(pairs)
    found = _pairs(found[:, 0], found[:, 1])
    first, second = found[:, 0], found[:, 1]
    shape = shapely.intersection(polygons[first], polygons[second])
    area = crs.ellipsoidal_area(shape)
    common = area > 0
    first, second, shape, area = first[common], second[common], shape[common], area[common]
    return _Faults("overlap", first, second, area, *_size(shape, area), shape)


def _size(shape: NDArray[np.object_], area: _Areas) -> tuple[_Areas, _Areas]:
    """Mean width 2A/P and half the perimeter of polygons in EPSG:4490."""
    parts = segments_of(shape)
    around = np.bincount(parts.owner, parts.length_m(), minlength=len(shape))
    return np.divide(2 * area, around, out=np.zeros(len(area)), where=around > 0), around / 2


def _slits(segments: Segments, met: Meetings, in_hole: NDArray[np.bool_], tree: shapely.STRtree) -> _Faults:
    """Narrow unparcelled strips, one fault for each pair of polygons that face across it."""
    chosen = np.flatnonzero((met.kind == SLIT) & ~(in_hole[met.first] & in_hole[met.second]))
    quads = _strips(segments, met, chosen)
    # A thin polygon between the two, drawn with borders of its own, fills the strip.
    open_ = np.ones(len(chosen), dtype=bool)
    open_[tree.query(shapely.centroid(quads), predicate="within")[0]] = False
    chosen, quads = chosen[open_], quads[open_]
    pairs = np.sort(np.column_stack([segments.owner[met.first[chosen]], segments.owner[met.second[chosen]]]), axis=1)
    pairs, number = np.unique(pairs, axis=0, return_inverse=True)
    number = number.ravel()
    length: _Areas = np.bincount(number, met.length_m[chosen], minlength=len(pairs)).astype(float)
    area: _Areas = np.bincount(number, met.length_m[chosen] * met.width_m[chosen], minlength=len(pairs)).astype(float)
    order = np.argsort(number, kind="stable")
    shape = np.asarray(shapely.multipolygons(quads[order], indices=number[order])) if len(pairs) else quads
    width = np.divide(area, length, out=np.zeros(len(area)), where=length > 0)
    return _Faults("gap", pairs[:, 0], pairs[:, 1], area, width, length, shape)


def _strips(segments: Segments, met: Meetings, chosen: NDArray[np.int64]) -> NDArray[np.object_]:
    """The ground between two facing segments as quadrilaterals."""
    a, b = segments.xy[met.first[chosen]], segments.xy[met.second[chosen]]
    scale = segments.scale[met.first[chosen]]
    start, way = a[:, :2], a[:, 2:] - a[:, :2]
    near = [start + way * u[chosen][:, None] for u in (met.from_u, met.to_u)]
    base, along = b[:, :2] * scale, (b[:, 2:] - b[:, :2]) * scale
    feet = []
    for point in near:
        t = ((point * scale - base) * along).sum(axis=1) / np.maximum((along**2).sum(axis=1), 1e-30)
        feet.append((base + along * np.clip(t, 0, 1)[:, None]) / scale)
    return np.asarray(shapely.polygons(np.stack([near[0], near[1], feet[1], feet[0]], axis=1)), dtype=object)


def _holes(segments: Segments, tree: shapely.STRtree, rules: CoverageRules) -> tuple[_Faults, NDArray[np.bool_]]:
    """Small ground enclosed by borders that nobody shares, and which segments lie around it.

    The unshared borders form closed loops with land on their left; a loop around a void turns the other way than one
    around land, so its signed area tells them apart. A void that touches the outside at a corner counts as outside.
    """
    loose = np.flatnonzero(~segments.shared)
    around = np.zeros(len(segments.shared), dtype=bool)
    nobody = np.empty(0, dtype=np.int64)
    none = _Faults("hole", nobody, nobody, *(np.empty(0),) * 3, np.empty(0, dtype=object))
    if len(loose) == 0:
        return none, around
    xy = segments.xy[loose]
    number = point_numbers(np.concatenate([xy[:, :2], xy[:, 2:]]))
    start, end = number[: len(loose)], number[len(loose) :]
    points = int(number.max()) + 1
    graph = coo_array((np.ones(len(loose), dtype=np.int8), (start, end)), shape=(points, points))
    count, label = connected_components(graph, directed=False)
    loop = label[start]
    first = np.zeros(count, dtype=np.int64)
    first[loop[::-1]] = np.arange(len(loose))[::-1]
    scale = segments.scale[loose]
    one = (xy[:, :2] - xy[first[loop], :2]) * scale
    two = (xy[:, 2:] - xy[first[loop], :2]) * scale
    signed = np.bincount(loop, one[:, 0] * two[:, 1] - two[:, 0] * one[:, 1], minlength=count) / 2
    small = (signed < -rules.gap_min_m2) & (signed >= -1.01 * rules.hole_area_m2)
    chosen = small[loop]
    if not chosen.any():
        return none, around
    lines = shapely.linestrings(xy[chosen].reshape(-1, 2, 2))
    shape = np.asarray(shapely.get_parts(shapely.polygonize(lines)), dtype=object)
    area = crs.ellipsoidal_area(shape)
    kept = (area >= rules.gap_min_m2) & (area <= rules.hole_area_m2)
    shape, area = shape[kept], area[kept]
    empty = np.ones(len(shape), dtype=bool)
    empty[tree.query(shapely.point_on_surface(shape), predicate="within")[0]] = False
    shape, area = shape[empty], area[empty]
    around[loose[chosen]] = True
    nobody = np.full(len(shape), -1, dtype=np.int64)
    return _Faults("hole", nobody, nobody, area, *_size(shape, area), shape), around


def _unclean(segments: Segments, met: Meetings, rows: NDArray[np.bool_]) -> _Faults:
    """Borders that should be one, as the lines along which they are not."""
    at = np.flatnonzero(rows)
    a = segments.xy[met.first[at]]
    way = a[:, 2:] - a[:, :2]
    ends = [a[:, :2] + way * u[at][:, None] for u in (met.from_u, met.to_u)]
    shape = np.asarray(shapely.linestrings(np.stack(ends, axis=1)), dtype=object) if len(at) else np.empty(0, object)
    return _Faults(
        "unclean_border", segments.owner[met.first[at]], segments.owner[met.second[at]], np.zeros(len(at)),
        met.width_m[at], met.length_m[at], shape,
    )  # fmt: skip


def _worst(faults: _Faults, names: NDArray[np.object_], count: int) -> gpd.GeoDataFrame:
    """The largest faults of a kind (the longest where there is no area)."""
    rank = faults.area_m2 if faults.kind != "unclean_border" else faults.length_m
    at = np.argsort(-rank, kind="stable")[:count]

    def name(owner: NDArray[np.int64]) -> list[str | None]:
        return [None if number < 0 else str(names[number]) for number in owner[at]]

    table = {
        "kind": [faults.kind] * len(at),
        "key": name(faults.first),
        "other_key": name(faults.second),
        "area_m2": faults.area_m2[at],
        "width_m": faults.width_m[at],
        "length_m": faults.length_m[at],
    }
    return gpd.GeoDataFrame(table, geometry=faults.shape[at], crs=crs.STORAGE_CRS)
