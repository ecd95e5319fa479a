"""Polygons as flat arrays: the coordinates of many outlines in one block, which kernels walk without objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import shapely
from numpy.typing import NDArray

from geo import crs
from geo.layers.checking.borders import metres_per_degree

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Geometries = NDArray[np.object_]

_POLYGON, _MULTIPOLYGON, _COLLECTION = 3, 6, 7
_LONG = 100  # beyond so many points GEOS finds a self-crossing sooner than a double loop
TALL_DEGREES = 0.05  # up to 5 km from south to north the area at the centroid's latitude is exact to 1e-7
_SOUND, _DOUBTFUL, _NOT_FINITE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Outlines:
    """The rings of (n,) polygons and multipolygons in EPSG:4490; every ring closed.

    ``xy`` (m, 2) degrees · ``last`` (m,) whether a point closes its ring · polygon ``i`` has the points
    ``begin[i]:end[i]``, none where it is no polygon · ``turn`` (n,) 1 where the land is left of its borders, else -1 ·
    ``area_m2`` (n,) ellipsoidal · ``scale`` (n, 2) metres per degree of longitude and latitude at its middle ·
    ``rings`` (n,) number of rings · ``height`` (n,) degrees from south to north
    """

    xy: Floats
    last: Flags
    begin: Ints
    end: Ints
    turn: Floats
    area_m2: Floats
    scale: Floats
    rings: Ints
    height: Floats


def outlines_of(geometries: Geometries) -> Outlines:
    """Flat outlines of (n,) geometries; what is no polygon or multipolygon has no points and area 0."""
    n = len(geometries)
    kind = shapely.get_type_id(geometries)
    holed = (kind == _POLYGON) & (shapely.get_num_interior_rings(geometries) > 0)
    plain = np.flatnonzero((kind == _POLYGON) & ~holed)
    compound = np.flatnonzero(holed | (kind == _MULTIPOLYGON))
    # Taking rings out of polygons costs more than reading them; most polygons have just the one.
    xy, of = shapely.get_coordinates(geometries[plain], return_index=True)
    owner, ring = plain[of], of
    if len(compound):
        parts, of_part = shapely.get_parts(shapely.orient_polygons(geometries[compound]), return_index=True)
        rings, of_ring = shapely.get_rings(parts, return_index=True)
        more, of = shapely.get_coordinates(rings, return_index=True)
        xy = np.concatenate([xy, more])
        owner = np.concatenate([owner, compound[of_part[of_ring[of]]]])
        ring = np.concatenate([ring, of + len(plain)])
    last = np.ones(len(xy), dtype=bool)
    last[:-1] = ring[1:] != ring[:-1]
    count = np.bincount(owner, minlength=n)
    order = np.concatenate([plain, compound])
    ends = np.zeros(n, dtype=np.int64)
    ends[order] = np.cumsum(count[order])
    begin = ends - count
    signed, middle, height = _shoelace(xy, last, begin, ends)
    scale = metres_per_degree(middle)
    area = np.abs(signed) * scale[:, 0] * scale[:, 1]
    tall = np.flatnonzero(height > TALL_DEGREES)
    area[tall] = crs.ellipsoidal_area(geometries[tall])
    return Outlines(
        xy,
        last,
        begin,
        ends,
        np.where(signed < 0, -1.0, 1.0),
        area,
        scale,
        np.bincount(owner[last], minlength=n),
        height,
    )


def rows_of(start: Ints, of: Ints) -> Ints:
    """The numbers ``start[i]`` … ``start[i + 1] - 1`` for each i of ``of``, one after the other."""
    count = start[of + 1] - start[of]
    return np.repeat(start[of] - np.cumsum(count) + count, count) + np.arange(count.sum())


@numba.njit(cache=True, error_model="numpy")
def _shoelace(xy: Floats, last: Flags, begin: Ints, end: Ints) -> tuple[Floats, Floats, Floats]:
    """Signed area in square degrees, latitude of the centroid, and height in degrees."""
    n = len(begin)
    area, middle, height = np.zeros(n), np.zeros(n), np.zeros(n)
    for g in range(n):
        low, high = begin[g], end[g]
        if low == high:
            continue
        x0, y0 = xy[low, 0], xy[low, 1]
        twice, moment, south, north = 0.0, 0.0, 0.0, 0.0
        for i in range(low, high):
            ay = xy[i, 1] - y0
            south, north = min(south, ay), max(north, ay)
            if last[i]:
                continue
            ax, bx, by = xy[i, 0] - x0, xy[i + 1, 0] - x0, xy[i + 1, 1] - y0
            cross = ax * by - bx * ay
            twice += cross
            moment += cross * (ay + by)
        area[g] = twice / 2
        height[g] = north - south
        middle[g] = y0 + (moment / (3 * twice) if abs(twice) > 1e-30 else 0.0)
        if not (y0 + south <= middle[g] <= y0 + north):  # rings that cross themselves
            middle[g] = y0 + (south + north) / 2
    return area, middle, height


def usable(geometries: Geometries, rows: Ints) -> tuple[Geometries, Outlines]:
    """Polygons fit for overlay in ``rows``, and the outlines of these rows.

    Returns the geometries with broken ones of ``rows`` repaired, and ``None`` for those without area.
    """
    chosen = geometries[rows]
    collected = shapely.get_type_id(chosen) == _COLLECTION
    chosen[collected] = _polygons_in(chosen[collected])
    outlines = outlines_of(chosen)
    fault = _look(outlines.xy, outlines.last, outlines.begin, outlines.end)
    doubtful = np.flatnonzero((fault == _DOUBTFUL) | ((outlines.rings > 1) & (fault == _SOUND)))
    broken = doubtful[~shapely.is_valid(chosen[doubtful])]
    gone = (fault == _NOT_FINITE) | (outlines.end == outlines.begin)
    if len(broken):
        chosen[broken] = _polygons_in(shapely.make_valid(chosen[broken]))
    if len(broken) or collected.any() or gone.any():
        chosen[gone | (shapely.area(chosen) == 0)] = None
        outlines = outlines_of(chosen)
    geometries = geometries.copy()
    geometries[rows] = chosen
    return geometries, outlines


def _polygons_in(geometries: Geometries) -> Geometries:
    """The polygons of (n,) geometries as one multipolygon each, ``None`` where there is none."""
    parts, owner = shapely.get_parts(geometries, return_index=True)
    parts, inner = shapely.get_parts(parts, return_index=True)
    owner = owner[inner]
    areal = shapely.get_type_id(parts) == _POLYGON
    result = np.full(len(geometries), None, dtype=object)
    if areal.any():
        shapely.multipolygons(parts[areal], indices=owner[areal], out=result)
    return result


@numba.njit(cache=True, error_model="numpy")
def _look(xy: Floats, last: Flags, begin: Ints, end: Ints) -> Ints:
    """Whether each outline is sound (one ring alone), to be looked at by GEOS, or not finite."""
    result = np.zeros(len(begin), dtype=np.int64)
    for g in range(len(begin)):
        low, high = begin[g], end[g]
        for i in range(low, high):
            if not (np.isfinite(xy[i, 0]) and np.isfinite(xy[i, 1])):
                result[g] = _NOT_FINITE
        if result[g] == _NOT_FINITE or low == high:
            continue
        if high - low > _LONG or _folds(xy, last, low, high):
            result[g] = _DOUBTFUL
    return result


@numba.njit(cache=True, error_model="numpy")
def _folds(xy: Floats, last: Flags, low: int, high: int) -> bool:
    """Whether two edges of a ring that are not neighbours meet, or neighbours run back on each other."""
    for i in range(low, high - 1):
        if last[i]:
            continue
        ax, ay, bx, by = xy[i, 0], xy[i, 1], xy[i + 1, 0], xy[i + 1, 1]
        if ax == bx and ay == by:
            return True
        for j in range(i + 1, high - 1):
            if last[j]:
                continue
            cx, cy, dx, dy = xy[j, 0], xy[j, 1], xy[j + 1, 0], xy[j + 1, 1]
            if j == i + 1 or (i == low and j == high - 2):
                # A spike: neighbours in opposite directions on one line.
                along = (bx - ax) * (dx - cx) + (by - ay) * (dy - cy)
                if along < 0 and (bx - ax) * (dy - cy) == (by - ay) * (dx - cx):
                    return True
                continue
            if max(cx, dx) < min(ax, bx) or min(cx, dx) > max(ax, bx):
                continue
            if max(cy, dy) < min(ay, by) or min(cy, dy) > max(ay, by):
                continue
            d0 = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
            d1 = (bx - ax) * (dy - ay) - (by - ay) * (dx - ax)
            e0 = (dx - cx) * (ay - cy) - (dy - cy) * (ax - cx)
            e1 = (dx - cx) * (by - cy) - (dy - cy) * (bx - cx)
            if d0 * d1 <= 0 and e0 * e1 <= 0:
                return True
    return False


def attempted(operation: Callable[..., Geometries], *arrays: Any) -> Geometries:
    """``operation`` of whole arrays; rows over which GEOS fails are mended and tried alone, ``None`` where in vain."""
    try:
        return np.asarray(operation(*arrays), dtype=object)
    except shapely.errors.GEOSException:
        result = np.full(len(arrays[0]), None, dtype=object)
        for i, row in enumerate(zip(*arrays, strict=True)):
            try:
                result[i] = operation(*(shapely.make_valid(each) for each in row))
            except shapely.errors.GEOSException:
                continue
        return result


def unions(geometries: Geometries, group: Ints) -> tuple[Ints, Geometries]:
    """Union of the geometries of each group: (k,) group numbers, ascending, and (k,) unions."""
    order = np.argsort(group, kind="stable")
    numbers, start, size = np.unique(group[order], return_index=True, return_counts=True)
    result = np.full(len(numbers), None, dtype=object)
    for many in np.unique(size):  # one call for all groups of a size
        rows = np.flatnonzero(size == many)
        members = geometries[order[start[rows][:, None] + np.arange(many)]]
        result[rows] = attempted(lambda *columns: shapely.union_all(np.stack(columns, -1), axis=-1), *members.T)
    return numbers, result
