"""Rings and lines of one tile: quantised, clipped, straightened, held against the rules; compiled.

All coordinates here are whole tile units, rows downwards. A step that only one of two neighbours takes never moves
their common border: quantising looks at the vertex alone, clipping at the edge alone, whichever way it is walked.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numba
import numpy as np
from numpy.typing import NDArray

from maps.tiles.grid import BITS, SIZE
from maps.tiles.matrices import BUFFER, EXTENT

Whole: TypeAlias = Any  # an int as it is read, an int64 as it is compiled
Ints = NDArray[np.int64]
Cells = NDArray[np.uint32]

_LOW = -BUFFER
_HIGH = EXTENT + BUFFER
UNIT_BITS = 12  # EXTENT == 2 ** 12
# Beyond so many edges they are sorted before they are compared.
_FEW_EDGES = 48


@numba.njit(cache=True, error_model="numpy", nogil=True, inline="always")
def column_of(cell: Whole, deeper: Whole, z: Whole, x: Whole) -> Whole:
    """Tile unit of a column of the grid, rounded to the nearest, halves upwards."""
    away = np.int64(cell) - (np.int64(x) << (BITS - z - deeper))
    shift = BITS - UNIT_BITS - z - deeper
    if shift > 0:
        return (away + (np.int64(1) << (shift - 1))) >> shift
    return away << (-shift)


@numba.njit(cache=True, error_model="numpy", nogil=True, inline="always")
def row_of(cell: Whole, geographic: bool, z: Whole, y: Whole) -> Whole:
    """Tile unit of a row of the grid, in mercator or in latitude."""
    if not geographic:
        return column_of(cell, 0, z, y)
    latitude = math.degrees(math.atan(math.sinh(math.pi * (1.0 - 2.0 * cell / SIZE))))
    rows = (90.0 - latitude) / 180.0 * 2.0**z - y
    return np.int64(math.floor(rows * EXTENT + 0.5))


@numba.njit(cache=True, error_model="numpy", nogil=True)
def crossing(a: Whole, b: Whole, c: Whole, d: Whole, limit: Whole) -> Whole:
    """Second coordinate where the segment (a, b)–(c, d) meets ``limit`` in the first; the same from either end."""
    if a > c:
        a, b, c, d = c, d, a, b
    return np.int64(math.floor(b + (d - b) * ((limit - a) / (c - a)) + 0.5))


@numba.njit(cache=True, error_model="numpy", nogil=True)
def clip_side(px: Ints, py: Ints, n: Whole, qx: Ints, qy: Ints, limit: Whole, above: bool) -> Whole:
    """One pass of Sutherland and Hodgman: what of a ring lies at ``px >= limit`` (or ``<=``), into ``qx, qy``."""
    count = 0
    for k in range(n):
        before = n - 1 if k == 0 else k - 1
        inside = px[k] >= limit if above else px[k] <= limit
        was = px[before] >= limit if above else px[before] <= limit
        if inside != was:
            qx[count] = limit
            qy[count] = crossing(px[before], py[before], px[k], py[k], limit)
            count += 1
        if inside:
            qx[count], qy[count] = px[k], py[k]
            count += 1
    return count


@numba.njit(cache=True, error_model="numpy", nogil=True)
def clip_ring(px: Ints, py: Ints, n: Whole, qx: Ints, qy: Ints) -> Whole:
    """A ring cut to the buffered tile, in place; ``qx, qy`` are room to work in."""
    n = clip_side(px, py, n, qx, qy, _LOW, True)
    n = clip_side(qx, qy, n, px, py, _HIGH, False)
    n = clip_side(py, px, n, qy, qx, _LOW, True)
    return clip_side(qy, qx, n, py, px, _HIGH, False)


@numba.njit(cache=True, error_model="numpy", nogil=True, inline="always")
def turn(ax: Whole, ay: Whole, bx: Whole, by: Whole, cx: Whole, cy: Whole) -> Whole:
    """Twice the signed area of a triangle: 0 where the three lie on a line."""
    return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)


@numba.njit(cache=True, error_model="numpy", nogil=True)
def straighten(px: Ints, py: Ints, n: Whole) -> Whole:
    """Drop repeats, vertices on a straight border and spikes from a ring, in place; how many vertices stay."""
    count = 0
    for k in range(n):
        x, y = px[k], py[k]
        while count > 0:
            if px[count - 1] == x and py[count - 1] == y:
                count -= 1
                continue
            if count > 1 and turn(px[count - 2], py[count - 2], px[count - 1], py[count - 1], x, y) == 0:
                count -= 1
                continue
            break
        px[count], py[count] = x, y
        count += 1
    # The same over the seam.
    start = 0
    changed = True
    while changed and count - start >= 3:
        changed = False
        last = count - 1
        if (px[last] == px[start] and py[last] == py[start]) or turn(
            px[last - 1], py[last - 1], px[last], py[last], px[start], py[start]
        ) == 0:
            count -= 1
            changed = True
        elif turn(px[last], py[last], px[start], py[start], px[start + 1], py[start + 1]) == 0:
            start += 1
            changed = True
    if count - start < 3:
        return 0
    if start > 0:
        for k in range(start, count):
            px[k - start], py[k - start] = px[k], py[k]
    return count - start


@numba.njit(cache=True, error_model="numpy", nogil=True)
def doubled_area(px: Ints, py: Ints, start: Whole, end: Whole) -> Whole:
    """Twice the area of a ring by the surveyor's formula; positive for outer rings, as rows run downwards."""
    total = np.int64(0)
    for k in range(start, end):
        following = start if k + 1 == end else k + 1
        total += px[k] * py[following] - px[following] * py[k]
    return total


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _meet(ax: Whole, ay: Whole, bx: Whole, by: Whole, cx: Whole, cy: Whole, dx: Whole, dy: Whole) -> bool:
    """Whether two segments share a point."""
    if max(ax, bx) < min(cx, dx) or max(cx, dx) < min(ax, bx):
        return False
    if max(ay, by) < min(cy, dy) or max(cy, dy) < min(ay, by):
        return False
    first = turn(ax, ay, bx, by, cx, cy)
    second = turn(ax, ay, bx, by, dx, dy)
    if (first > 0 and second > 0) or (first < 0 and second < 0):
        return False
    third = turn(cx, cy, dx, dy, ax, ay)
    fourth = turn(cx, cy, dx, dy, bx, by)
    return not ((third > 0 and fourth > 0) or (third < 0 and fourth < 0))


@numba.njit(cache=True, error_model="numpy", nogil=True)
def touches_itself(px: Ints, py: Ints, starts: Ints, rings: Whole) -> bool:
    """Whether edges of a polygon that do not follow each other share a point.

    Parameters
    ----------
    px, py : vertices of its rings, one ring behind the other, without closing vertices, straightened
    starts : (rings + 1,) where each begins
    """
    total = starts[rings] - starts[0]
    if rings == 1 and total == 3:
        return False
    following = np.empty(total, dtype=np.int64)
    base = starts[0]
    for ring in range(rings):
        for k in range(starts[ring], starts[ring + 1]):
            following[k - base] = starts[ring] if k + 1 == starts[ring + 1] else k + 1
    if total <= _FEW_EDGES:
        for i in range(total):
            a, b = base + i, following[i]
            for j in range(i + 1, total):
                c, d = base + j, following[j]
                if b != c and d != a and _meet(px[a], py[a], px[b], py[b], px[c], py[c], px[d], py[d]):
                    return True
        return False
    west = np.empty(total, dtype=np.int64)
    for i in range(total):
        west[i] = min(px[base + i], px[following[i]])
    order = np.argsort(west)
    for i in range(total):
        one = order[i]
        a, b = base + one, following[one]
        east = max(px[a], px[b])
        for j in range(i + 1, total):
            other = order[j]
            if west[other] > east:
                break
            c, d = base + other, following[other]
            if b != c and d != a and _meet(px[a], py[a], px[b], py[b], px[c], py[c], px[d], py[d]):
                return True
    return False
