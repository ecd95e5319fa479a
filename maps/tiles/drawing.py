"""Features of a level as the drawing commands of a Mapbox Vector Tile 2.1, compiled.

Polygons whose rings touch themselves after rounding are named, not written; ``mending`` gives them back valid, and
they are written in their place.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from maps.tiles.grid import BITS
from maps.tiles.matrices import BUFFER, EXTENT
from maps.tiles.rings import (
    UNIT_BITS,
    Whole,
    clip_ring,
    column_of,
    crossing,
    doubled_area,
    row_of,
    straighten,
    touches_itself,
    turn,
)
from maps.tiles.varints import Bytes, put

Ints = NDArray[np.int64]
Cells = NDArray[np.uint32]

POINT, LINE, POLYGON = 1, 2, 3
_LOW = -BUFFER
_HIGH = EXTENT + BUFFER
# A ring that is cut by one side grows by half at most, so five times by four sides.
_GROWTH = 6


class Drawn(NamedTuple):
    """Geometry of features as commands: of feature ``k`` ``commands[bounds[k]:bounds[k + 1]]``, empty where not drawn.

    ``faulty`` tells polygons that touch themselves and are to be mended.
    """

    commands: Bytes
    bounds: Ints
    faulty: NDArray[np.bool_]


@numba.njit(cache=True, error_model="numpy", nogil=True, inline="always")
def _zigzag(value: Whole) -> Whole:
    return (value << 1) ^ (value >> 63)


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _with_room(out: Bytes, used: Whole, more: Whole) -> Bytes:
    if used + more <= out.shape[0]:
        return out
    wider = np.empty(2 * out.shape[0] + more, dtype=np.uint8)
    wider[:used] = out[:used]
    return wider


@numba.njit(cache=True, error_model="numpy", nogil=True)
def draw(
    xy: Cells,
    ring_start: Ints,
    ring_hole: Bytes,
    feature_start: Ints,
    kinds: Bytes,
    chosen: Ints,
    geographic: bool,
    deeper: Whole,
    z: Whole,
    x: Whole,
    y: Whole,
) -> Drawn:
    """Commands of the chosen features in tile ``z/x/y``; a polygon smaller than a unit is drawn as a square of one.

    Parameters
    ----------
    xy : (v, 2) cells of the grid; rings are closed, outer rings run clockwise on the map
    ring_start : (r + 1,) vertices of each ring, line or point
    ring_hole : (r,) 1 for an inner ring, which belongs to the outer ring before it
    feature_start : (f + 1,) rings of each feature
    kinds : (f,) point, line or polygon
    chosen : (n,) features, ascending
    """
    number = chosen.shape[0]
    bounds = np.zeros(number + 1, dtype=np.int64)
    faulty = np.zeros(number, dtype=np.bool_)
    most, most_rings, total = 0, 1, 0
    for k in range(number):
        first, last = feature_start[chosen[k]], feature_start[chosen[k] + 1]
        vertices = ring_start[last] - ring_start[first]
        most = max(most, vertices)
        most_rings = max(most_rings, last - first)
        total += vertices
    room = _GROWTH * most + 32
    px, py = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
    qx, qy = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
    fx, fy = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
    starts = np.zeros(most_rings + 1, dtype=np.int64)
    shift = BITS - UNIT_BITS - z - deeper
    fraction = np.uint32((1 << shift) - 1) if shift > 0 else np.uint32(0)
    out = np.empty(4 * total + 16 * number + 64, dtype=np.uint8)
    used = 0
    for k in range(number):
        feature = chosen[k]
        first, last = feature_start[feature], feature_start[feature + 1]
        kind = kinds[feature]
        if kind == 3:
            rings = 0
            dropped = False
            touched = False
            # Where every vertex lies on a whole unit already, rounding moves nothing and a valid polygon stays one.
            entire = shift > 0 and not geographic
            for ring in range(first, last):
                hole = ring_hole[ring] == 1
                if hole and dropped:
                    continue
                dropped = False if hole else dropped
                n = ring_start[ring + 1] - ring_start[ring] - 1
                base = ring_start[ring]
                west, east, north, south = np.int64(1 << 62), -np.int64(1 << 62), np.int64(1 << 62), -np.int64(1 << 62)
                off = np.uint32(0)
                for v in range(n):
                    a = column_of(xy[base + v, 0], deeper, z, x)
                    b = row_of(xy[base + v, 1], geographic, z, y)
                    px[v], py[v] = a, b
                    off |= (xy[base + v, 0] | xy[base + v, 1]) & fraction
                    west, east = min(west, a), max(east, a)
                    north, south = min(north, b), max(south, b)
                if n < 3 or west > _HIGH or east < _LOW or north > _HIGH or south < _LOW:
                    dropped = not hole
                    continue
                entire = entire and off == 0
                if west < _LOW or east > _HIGH or north < _LOW or south > _HIGH:
                    entire = False
                    n = clip_ring(px, py, n, qx, qy)
                touched = touched or n > 0
                n = straighten(px, py, n)
                area = doubled_area(px, py, 0, n) if n >= 3 else np.int64(0)
                if (area >= 0 and hole) or (area <= 0 and not hole):
                    dropped = not hole
                    continue
                at = starts[rings]
                for v in range(n):
                    fx[at + v], fy[at + v] = px[v], py[v]
                rings += 1
                starts[rings] = at + n
                dropped = False
            if rings > 0:
                if not entire and touches_itself(fx, fy, starts, rings):
                    faulty[k] = True
                else:
                    out = _with_room(out, used, 10 * starts[rings] + 16 * rings)
                    used = _put_rings(out, used, fx, fy, starts, rings)
            elif touched:
                # Smaller or thinner than a unit: a square of one where it begins, or where the mending finds it.
                a = column_of(xy[ring_start[first], 0], deeper, z, x)
                b = row_of(xy[ring_start[first], 1], geographic, z, y)
                faulty[k] = not (_LOW <= a < _HIGH and _LOW <= b < _HIGH)
                if not faulty[k]:
                    fx[0], fx[1], fx[2], fx[3] = a, a + 1, a + 1, a
                    fy[0], fy[1], fy[2], fy[3] = b, b, b + 1, b + 1
                    starts[1] = 4
                    out = _with_room(out, used, 128)
                    used = _put_rings(out, used, fx, fy, starts, 1)
        elif kind == 2:
            cx, cy = np.int64(0), np.int64(0)
            for ring in range(first, last):
                n = ring_start[ring + 1] - ring_start[ring]
                base = ring_start[ring]
                for v in range(n):
                    px[v] = column_of(xy[base + v, 0], deeper, z, x)
                    py[v] = row_of(xy[base + v, 1], geographic, z, y)
                out = _with_room(out, used, 24 * n + 32)
                used, cx, cy = _put_line(out, used, px, py, n, qx, qy, cx, cy)
        else:
            count = 0
            for v in range(ring_start[first], ring_start[last]):
                a = column_of(xy[v, 0], deeper, z, x)
                b = row_of(xy[v, 1], geographic, z, y)
                if _LOW <= a <= _HIGH and _LOW <= b <= _HIGH:
                    fx[count], fy[count] = a, b
                    count += 1
            if count > 0:
                out = _with_room(out, used, 10 * count + 16)
                used = put(out, used, (count << 3) | 1)
                cx, cy = np.int64(0), np.int64(0)
                for v in range(count):
                    used = put(out, used, _zigzag(fx[v] - cx))
                    used = put(out, used, _zigzag(fy[v] - cy))
                    cx, cy = fx[v], fy[v]
        bounds[k + 1] = used
    return Drawn(out[:used], bounds, faulty)


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _put_rings(out: Bytes, at: Whole, px: Ints, py: Ints, starts: Ints, rings: Whole) -> Whole:
    """Write the commands of a polygon."""
    cx, cy = np.int64(0), np.int64(0)
    for ring in range(rings):
        begin, end = starts[ring], starts[ring + 1]
        for v in range(begin, end):
            if v == begin:
                at = put(out, at, 9)  # MoveTo, once
            elif v == begin + 1:
                at = put(out, at, ((end - begin - 1) << 3) | 2)  # LineTo
            at = put(out, at, _zigzag(px[v] - cx))
            at = put(out, at, _zigzag(py[v] - cy))
            cx, cy = px[v], py[v]
        at = put(out, at, 15)  # ClosePath
    return at


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _put_line(
    out: Bytes, at: Whole, px: Ints, py: Ints, n: Whole, qx: Ints, qy: Ints, cx: Whole, cy: Whole
) -> tuple[Whole, Whole, Whole]:
    """Write the pieces of a line that lie in the buffered tile; where the next byte and the next delta start."""
    count = 0
    for v in range(n - 1):
        ax, ay, bx, by = px[v], py[v], px[v + 1], py[v + 1]
        entire = min(ax, bx) >= _LOW and max(ax, bx) <= _HIGH and min(ay, by) >= _LOW and max(ay, by) <= _HIGH
        sx, sy, tx, ty = ax, ay, bx, by
        outside = max(ax, bx) < _LOW or min(ax, bx) > _HIGH or max(ay, by) < _LOW or min(ay, by) > _HIGH
        if not entire and not outside:
            # Both ends moved onto the sides, west and east first; each crossing is that of the whole segment.
            if sx < _LOW:
                sx, sy = np.int64(_LOW), crossing(ax, ay, bx, by, _LOW)
            elif sx > _HIGH:
                sx, sy = np.int64(_HIGH), crossing(ax, ay, bx, by, _HIGH)
            if tx < _LOW:
                tx, ty = np.int64(_LOW), crossing(ax, ay, bx, by, _LOW)
            elif tx > _HIGH:
                tx, ty = np.int64(_HIGH), crossing(ax, ay, bx, by, _HIGH)
            outside = max(sy, ty) < _LOW or min(sy, ty) > _HIGH
            if not outside:
                if sy < _LOW:
                    sx, sy = crossing(ay, ax, by, bx, _LOW), np.int64(_LOW)
                elif sy > _HIGH:
                    sx, sy = crossing(ay, ax, by, bx, _HIGH), np.int64(_HIGH)
                if ty < _LOW:
                    tx, ty = crossing(ay, ax, by, bx, _LOW), np.int64(_LOW)
                elif ty > _HIGH:
                    tx, ty = crossing(ay, ax, by, bx, _HIGH), np.int64(_HIGH)
        if outside:
            at, cx, cy = _flush(out, at, qx, qy, count, cx, cy)
            count = 0
            continue
        if count > 0 and (qx[count - 1] != sx or qy[count - 1] != sy):
            at, cx, cy = _flush(out, at, qx, qy, count, cx, cy)
            count = 0
        if count == 0:
            qx[0], qy[0] = sx, sy
            count = 1
        if tx != qx[count - 1] or ty != qy[count - 1]:
            if (
                count > 1
                and turn(qx[count - 2], qy[count - 2], qx[count - 1], qy[count - 1], tx, ty) == 0
                and (qx[count - 1] - qx[count - 2]) * (tx - qx[count - 1])
                + (qy[count - 1] - qy[count - 2]) * (ty - qy[count - 1])
                > 0
            ):
                count -= 1
            qx[count], qy[count] = tx, ty
            count += 1
    return _flush(out, at, qx, qy, count, cx, cy)


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _flush(out: Bytes, at: Whole, qx: Ints, qy: Ints, count: Whole, cx: Whole, cy: Whole) -> tuple[Whole, Whole, Whole]:
    if count < 2:
        return at, cx, cy
    for v in range(count):
        if v == 0:
            at = put(out, at, 9)
        elif v == 1:
            at = put(out, at, ((count - 1) << 3) | 2)
        at = put(out, at, _zigzag(qx[v] - cx))
        at = put(out, at, _zigzag(qy[v] - cy))
        cx, cy = qx[v], qy[v]
    return at, cx, cy


@numba.njit(cache=True, error_model="numpy", nogil=True)
def put_polygons(px: Ints, py: Ints, ring_start: Ints, polygon_start: Ints) -> tuple[Bytes, Ints]:
    """Commands of polygons that are in tile units and valid already (no closing vertices): bytes and their bounds."""
    number = polygon_start.shape[0] - 1
    bounds = np.zeros(number + 1, dtype=np.int64)
    out = np.empty(10 * px.shape[0] + 16 * ring_start.shape[0] + 16, dtype=np.uint8)
    used = 0
    for k in range(number):
        first, last = polygon_start[k], polygon_start[k + 1]
        if last > first:
            used = _put_rings(out, used, px, py, ring_start[first : last + 1], last - first)
        bounds[k + 1] = used
    return out[:used], bounds
