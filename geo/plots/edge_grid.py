"""A grid over the edges of a tile: which edges run through which cell. Compiled; shared by the kernels of this room."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Ids = NDArray[np.int32]
Flags = NDArray[np.bool_]


@numba.njit(cache=True, error_model="numpy")
def extent_of(xy: Floats, owner: Ids) -> tuple[float, float, float, float, int, float]:
    """West, south, east and north of the vertices, how many edges there are, and their mean length."""
    west, south, east, north = np.inf, np.inf, -np.inf, -np.inf
    edges = 0
    total = 0.0
    for k in range(owner.shape[0]):
        x, y = xy[k, 0], xy[k, 1]
        west, east = min(west, x), max(east, x)
        south, north = min(south, y), max(north, y)
        if owner[k] >= 0:
            edges += 1
            total += np.sqrt((xy[k + 1, 0] - x) ** 2 + (xy[k + 1, 1] - y) ** 2)
    return west, south, east, north, edges, total / max(edges, 1)


@numba.njit(cache=True, error_model="numpy")
def cells_of(
    x0: float, y0: float, x1: float, y1: float, west: float, south: float, per_metre: float, nx: int, ny: int, out: Ids
) -> int:
    """Write the cells that an edge runs through to ``out`` and say how many; what is outside the grid is left away.

    ``out`` has room for ``2 * (nx + ny)`` cells, more than any straight line meets.
    """
    hair = 1e-6 * per_metre
    # In cells; from the lower end to the upper one.
    x0, y0 = (x0 - west) * per_metre, (y0 - south) * per_metre
    x1, y1 = (x1 - west) * per_metre, (y1 - south) * per_metre
    if y1 < y0:
        x0, y0, x1, y1 = x1, y1, x0, y0
    if y1 < 0.0 or y0 >= ny or max(x0, x1) < -hair or min(x0, x1) >= nx:
        return 0
    first = int(max(y0, 0.0))
    last = min(int(y1), ny - 1)
    slope = (x1 - x0) / (y1 - y0) if y1 > y0 else 0.0
    count = 0
    for row in range(first, last + 1):
        # The part of the edge in this row of cells, a hair wider so that rounding loses no cell.
        a = x0 if y0 >= row else x0 + (row - y0) * slope
        b = x1 if y1 <= row + 1 else x0 + (row + 1 - y0) * slope
        if a > b:
            a, b = b, a
        if b < -hair or a >= nx:
            continue
        for column in range(int(max(a - hair, 0.0)), min(int(b + hair), nx - 1) + 1):
            out[count] = row * nx + column
            count += 1
    return count


@numba.njit(cache=True, error_model="numpy")
def fill_grid(
    xy: Floats, owner: Ids, west: float, south: float, cell: float, nx: int, ny: int, wanted: Flags
) -> tuple[Ints, Ids]:
    """Edges by cell: ``start`` (nx * ny + 1,) and ``edge`` so that cell ``c`` holds ``edge[start[c]:start[c + 1]]``.

    An edge is in every cell that it runs through. Where ``wanted`` (nx * ny,) is not empty only these cells are filled.
    """
    edges = owner.shape[0]
    room = 4 * edges + 16
    place = np.empty((room, 2), dtype=np.int32)
    cells = np.empty(2 * (nx + ny) + 8, dtype=np.int32)
    some = wanted.shape[0] > 0
    used = 0
    for k in range(edges):
        if owner[k] < 0:
            continue
        count = cells_of(xy[k, 0], xy[k, 1], xy[k + 1, 0], xy[k + 1, 1], west, south, 1.0 / cell, nx, ny, cells)
        if used + count > room:
            room = 2 * room + count
            wider = np.empty((room, 2), dtype=np.int32)
            wider[:used] = place[:used]
            place = wider
        for c in range(count):
            if some and not wanted[cells[c]]:
                continue
            place[used, 0] = cells[c]
            place[used, 1] = k
            used += 1
    start = np.zeros(nx * ny + 1, dtype=np.int64)
    for at in range(used):
        start[place[at, 0] + 1] += 1
    for c in range(nx * ny):
        start[c + 1] += start[c]
    edge = np.empty(used, dtype=np.int32)
    free = start[:-1].copy()
    for at in range(used):
        c = place[at, 0]
        edge[free[c]] = place[at, 1]
        free[c] += 1
    return start, edge


@numba.njit(cache=True, error_model="numpy")
def clipped_to_box(
    x0: float, y0: float, x1: float, y1: float, west: float, south: float, east: float, north: float
) -> tuple[float, float]:
    """Part (from, to in 0…1) of a segment inside a half-open box; from >= to where it is outside."""
    if min(x0, x1) >= west and max(x0, x1) < east and min(y0, y1) >= south and max(y0, y1) < north:
        return 0.0, 1.0
    t0, t1 = 0.0, 1.0
    dx, dy = x1 - x0, y1 - y0
    if dx == 0.0:
        if x0 < west or x0 >= east:
            return 1.0, 0.0
    else:
        a, b = (west - x0) / dx, (east - x0) / dx
        if a > b:
            a, b = b, a
        t0, t1 = max(t0, a), min(t1, b)
    if dy == 0.0:
        if y0 < south or y0 >= north:
            return 1.0, 0.0
    else:
        a, b = (south - y0) / dy, (north - y0) / dy
        if a > b:
            a, b = b, a
        t0, t1 = max(t0, a), min(t1, b)
    return t0, t1
