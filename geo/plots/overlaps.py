"""Land that several parcels claim: found by how deep borders run into each other, given to the smaller parcel.

Neighbours drawn along the same edge overlap by nanometres wherever one of them has a vertex that the other lacks: a
quarter of the parcels of a clean district. Such rounding is no claim on land, and rebuilding those parcels would cost
more than the whole search; so pairs are first asked, in a kernel over coordinates, whether either border runs deeper
than a micrometre inside the other.
"""

from __future__ import annotations

import numba
import numpy as np
import shapely
from numpy.typing import NDArray

from geo.plots.polygons import none_without_area, parts_with_owner, polygonal, union_by

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

# Coordinates of a zone (up to 5,000,000 m) carry nanometres of rounding; nothing that was surveyed is this thin.
DEPTH_M = 1e-6
# Where along a piece of border between two crossings its depth is looked at.
_LOOKS = (0.5, 0.21)


def resolve_overlaps(geometries: Geometries, parcel_id: NDArray[np.object_]) -> tuple[Geometries, Geometries]:
    """Land that several parcels claim belongs to the smaller one (then the smaller id), so that it counts once.

    Parameters
    ----------
    geometries : (n,) valid polygons or multipolygons, metric
    parcel_id : (n,) str

    Returns
    -------
    resolved, taken : (n,) as in :func:`geo.plots.subdividing.subtract`
    """
    taken = np.full(len(geometries), None, dtype=object)
    resolved = geometries.copy()
    first, second = overlapping_pairs(geometries)
    if len(first) == 0:
        return resolved, taken
    area = np.round(shapely.area(geometries), 4)  # equal stacks must tie, so that the id decides
    rank = np.lexsort((parcel_id.astype(str), area)).argsort()
    loser = np.where(rank[first] > rank[second], first, second)
    winner = first + second - loser
    rows, claims = union_by(loser, geometries[winner])
    resolved[rows] = polygonal(shapely.difference(geometries[rows], claims))
    taken[rows] = none_without_area(polygonal(shapely.intersection(geometries[rows], claims)))
    return resolved, taken


def overlapping_pairs(geometries: Geometries) -> tuple[Ints, Ints]:
    """Pairs of rows, first < second, whose interiors share land deeper than ``DEPTH_M``.

    Parameters
    ----------
    geometries : (n,) valid polygons or multipolygons, metric
    """
    parts, owner = parts_with_owner(geometries)
    first, second = _boxes_that_overlap(parts, owner)
    if len(first) == 0:
        return first, second
    _, points, offsets = shapely.to_ragged_array(parts)
    rings, polygons = offsets
    ends = np.zeros(len(points), dtype=bool)
    ends[rings[1:] - 1] = True
    bounds = rings[polygons].astype(np.int64)
    runs_in = _border_runs_in(points, ends, bounds, shapely.bounds(parts), first, second, DEPTH_M)
    # Borders that nowhere run into the other polygon leave one way to share land: to be the same polygon.
    for row in np.flatnonzero(~runs_in & _same_box(parts, first, second)):
        runs_in[row] = shapely.relate_pattern(parts[first[row]], parts[second[row]], "T********")
    pairs = np.sort(np.column_stack([owner[first], owner[second]])[runs_in], axis=1)
    pairs = np.unique(pairs, axis=0)
    real = shapely.area(shapely.intersection(geometries[pairs[:, 0]], geometries[pairs[:, 1]])) > 0
    return pairs[real, 0], pairs[real, 1]


def _boxes_that_overlap(parts: Geometries, owner: Ints) -> tuple[Ints, Ints]:
    """Pairs of parts of different rows whose boxes share ground."""
    first, second = shapely.STRtree(parts).query(parts)
    upper = (first < second) & (owner[first] != owner[second])
    first, second = first[upper].astype(np.int64), second[upper].astype(np.int64)
    box = shapely.bounds(parts)
    shared = np.minimum(box[first, 2:], box[second, 2:]) - np.maximum(box[first, :2], box[second, :2])
    wide = shared.min(axis=1, initial=np.inf) > DEPTH_M
    return first[wide], second[wide]


def _same_box(parts: Geometries, first: Ints, second: Ints) -> Flags:
    box = shapely.bounds(parts)
    return np.asarray(np.abs(box[first] - box[second]).max(axis=1, initial=0.0) <= DEPTH_M)


@numba.njit(cache=True)
def _border_runs_in(
    points: Floats, ends: Flags, bounds: Ints, boxes: Floats, first: Ints, second: Ints, depth_m: float
) -> Flags:
    """Whether, in each pair, a part of either border lies deeper than ``depth_m`` inside the other polygon.

    Parameters
    ----------
    points : (c, 2) vertices of all polygons, rings closed
    ends : (c,) last vertex of a ring
    bounds : (p + 1,) first vertex of each polygon
    boxes : (p, 4)
    first, second : (k,) polygons of each pair
    """
    most = 0
    for polygon in range(len(bounds) - 1):
        most = max(most, bounds[polygon + 1] - bounds[polygon])
    near = np.empty(most, dtype=np.int64)
    cuts = np.empty(3 * most + 2, dtype=np.float64)
    found = np.zeros(len(first), dtype=np.bool_)
    for pair in range(len(first)):
        a, b = first[pair], second[pair]
        found[pair] = _runs_into(points, ends, bounds, boxes, a, b, depth_m, near, cuts) or _runs_into(
            points, ends, bounds, boxes, b, a, depth_m, near, cuts
        )
    return found


@numba.njit(cache=True)
def _runs_into(
    points: Floats, ends: Flags, bounds: Ints, boxes: Floats, a: int, b: int, depth_m: float, near: Ints, cuts: Floats
) -> bool:
    """Whether a part of the border of ``a`` lies deeper than ``depth_m`` inside ``b``; ``near``, ``cuts`` are lent."""
    west, south = max(boxes[a, 0], boxes[b, 0]) - depth_m, max(boxes[a, 1], boxes[b, 1]) - depth_m
    east, north = min(boxes[a, 2], boxes[b, 2]) + depth_m, min(boxes[a, 3], boxes[b, 3]) + depth_m
    count = 0
    for edge in range(bounds[b], bounds[b + 1]):
        if not ends[edge] and _meets(points, edge, west, south, east, north):
            near[count] = edge
            count += 1
    # No border of the other in the shared box: all of the box lies inside the other, or outside.
    middle_x, middle_y = (west + east) / 2, (south + north) / 2
    if count == 0 and not _is_inside(points, ends, bounds[b], bounds[b + 1], near, 0, middle_x, middle_y, depth_m):
        return False
    for edge in range(bounds[a], bounds[a + 1]):
        if ends[edge] or not _meets(points, edge, west, south, east, north):
            continue
        pieces = _cuts_of(points, edge, near, count, depth_m, cuts)
        x, y = points[edge, 0], points[edge, 1]
        dx, dy = points[edge + 1, 0] - x, points[edge + 1, 1] - y
        shortest = depth_m / np.sqrt(max(dx * dx + dy * dy, 1e-300))
        for piece in range(pieces - 1):
            start, share = cuts[piece], cuts[piece + 1] - cuts[piece]
            if share <= shortest:
                continue
            for look in _LOOKS:
                at = start + look * share
                u, v = x + at * dx, y + at * dy
                # Outside the other's box it is outside the other.
                if u < west or u > east or v < south or v > north:
                    continue
                if _is_inside(points, ends, bounds[b], bounds[b + 1], near, count, u, v, depth_m):
                    return True
    return False


@numba.njit(cache=True)
def _meets(points: Floats, edge: int, west: float, south: float, east: float, north: float) -> bool:
    """Whether the box of an edge meets a box."""
    x0, y0, x1, y1 = points[edge, 0], points[edge, 1], points[edge + 1, 0], points[edge + 1, 1]
    return min(x0, x1) <= east and max(x0, x1) >= west and min(y0, y1) <= north and max(y0, y1) >= south


@numba.njit(cache=True)
def _cuts_of(points: Floats, edge: int, others: Ints, other_count: int, depth_m: float, cuts: Floats) -> int:
    """Where other edges cut an edge or end beside it, as shares of its length in ``cuts``, 0 and 1 included, sorted."""
    x, y = points[edge, 0], points[edge, 1]
    dx, dy = points[edge + 1, 0] - x, points[edge + 1, 1] - y
    square = dx * dx + dy * dy
    cuts[0], cuts[1] = 0.0, 1.0
    if square == 0.0:
        return 2
    west, east = min(x, x + dx) - depth_m, max(x, x + dx) + depth_m
    south, north = min(y, y + dy) - depth_m, max(y, y + dy) + depth_m
    count = 2
    # Sides are areas of parallelograms: distance from the edge's line times the edge's length.
    beside = depth_m * np.sqrt(square)
    for place in range(other_count):
        other = others[place]
        if not _meets(points, other, west, south, east, north):
            continue
        px, py = points[other, 0] - x, points[other, 1] - y
        qx, qy = points[other + 1, 0] - x, points[other + 1, 1] - y
        side_p, side_q = dx * py - dy * px, dx * qy - dy * qx
        if (side_p < 0.0) != (side_q < 0.0):
            across = side_p / (side_p - side_q)
            count = _insert(cuts, count, ((px + across * (qx - px)) * dx + (py + across * (qy - py)) * dy) / square)
        if abs(side_p) <= beside:
            count = _insert(cuts, count, (px * dx + py * dy) / square)
        if abs(side_q) <= beside:
            count = _insert(cuts, count, (qx * dx + qy * dy) / square)
    return count


@numba.njit(cache=True)
def _insert(cuts: Floats, count: int, at: float) -> int:
    """Put a share into the sorted ``cuts``; one that is no inner point of the edge is passed over."""
    if not 0.0 < at < 1.0:
        return count
    place = count
    while cuts[place - 1] > at:
        cuts[place] = cuts[place - 1]
        place -= 1
    cuts[place] = at
    return count + 1


@numba.njit(cache=True)
def _is_inside(
    points: Floats, ends: Flags, start: int, stop: int, near: Ints, near_count: int, x: float, y: float, depth_m: float
) -> bool:
    """Whether a point lies inside a polygon, further than ``depth_m`` from the border that is ``near``."""
    for place in range(near_count):
        edge = near[place]
        if not _meets(points, edge, x - depth_m, y - depth_m, x + depth_m, y + depth_m):
            continue
        px, py = points[edge, 0] - x, points[edge, 1] - y
        dx, dy = points[edge + 1, 0] - points[edge, 0], points[edge + 1, 1] - points[edge, 1]
        square = dx * dx + dy * dy
        at = 0.0 if square == 0.0 else min(max(-(px * dx + py * dy) / square, 0.0), 1.0)
        if (px + at * dx) ** 2 + (py + at * dy) ** 2 <= depth_m * depth_m:
            return False
    inside = False
    for edge in range(start, stop - 1):
        if ends[edge]:
            continue
        y0, y1 = points[edge, 1], points[edge + 1, 1]
        if (y0 > y) != (y1 > y):
            x0, x1 = points[edge, 0], points[edge + 1, 0]
            if x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
                inside = not inside
    return inside
