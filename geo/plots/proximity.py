"""Groups by distance alone: what a clustering tool would call contiguous, as a measure beside the plots.

Polygons belong to one group when a chain of distances of at most the gap joins them; corners count, frontage,
barriers and width do not. The partition is that of ``STRtree.query(predicate="dwithin")`` and connected components.

A grid of cells whose diagonal is the gap joins all borders in a cell without a distance; only where neighbouring
cells still belong to different groups are edges compared. So the work follows the borders between groups.
"""

from __future__ import annotations

import numba
import numpy as np
import shapely
from numpy.typing import NDArray

from geo.plots.borders import TILE_VERTICES, Borders, tiles_of
from geo.plots.edge_grid import cells_of, extent_of, fill_grid

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Ids = NDArray[np.int32]

# Distances are compared with this slack: what touches on paper is apart by rounding.
SLACK_M = 1e-9


def groups_within(polygons: Geometries, gap_m: float, *, tile_vertices: int = TILE_VERTICES) -> Ints:
    """Label of the group of each polygon, groups numbered in the order of their first polygon.

    Parameters
    ----------
    polygons : (n,) polygons or multipolygons in a metric system; they may overlap, and single polygons may lie inside
        others (of a multipolygon only the first part is looked for inside others)
    gap_m : float, metres between neighbours, 0 for touching
    tile_vertices : int, vertices in a tile; the result does not depend on it

    Returns
    -------
    (n,) int64
    """
    parent = np.arange(len(polygons), dtype=np.int32)
    full = np.flatnonzero(~shapely.is_empty(polygons))
    boxes = shapely.bounds(polygons).reshape(-1, 4)[full]
    vertices = shapely.get_num_coordinates(polygons[full]).astype(np.int64)
    for tile in tiles_of(boxes, vertices, gap_m, tile_vertices):
        rows = full[tile.rows].astype(np.int32)
        borders = Borders.of_polygons(polygons[rows], rows)
        _join_in_tile(borders, tile.box, gap_m, parent)
    _join_contained(polygons, full, boxes, parent)
    return _labels(parent)


def _join_in_tile(borders: Borders, box: tuple[float, float, float, float], gap_m: float, parent: Ids) -> None:
    west, south, east, north, edges, mean_m = extent_of(borders.xy, borders.owner)
    if edges == 0:
        return
    reach_m = gap_m + SLACK_M
    west, south = max(west, box[0] - reach_m), max(south, box[1] - reach_m)
    wide, high = min(east, box[2] + reach_m) - west, min(north, box[3] + reach_m) - south
    if wide < 0 or high < 0:
        return
    # A millimetre less than the diagonal allows, so that all borders in a cell are surely within the gap.
    joining = (gap_m - 1e-3) / np.sqrt(2.0)
    by_cells = joining >= max(_least_cell_m(wide, high, 8 * edges), mean_m / 4)
    join = _join_cells if by_cells else _join_edges
    cell = joining if by_cells else max(_least_cell_m(wide, high, 8 * edges), mean_m, gap_m)
    join(borders.xy, borders.owner, west, south, cell, int(wide / cell) + 1, int(high / cell) + 1, reach_m, parent)


def _least_cell_m(wide: float, high: float, cells: int) -> float:
    """Side of the cells of which about ``cells`` cover a rectangle, so that a grid does not outgrow its edges."""
    most = cells + 1024
    return max(float(np.sqrt(wide * high / most)), max(wide, high) / most, 1e-3)


def _join_contained(polygons: Geometries, full: Ints, boxes: Floats, parent: Ids) -> None:
    """Join groups that lie inside a polygon further than the gap from its border: one vertex of each tells."""
    label = _labels(parent)[full]
    _, first = np.unique(label, return_index=True)
    if len(first) < 2:
        return
    points = shapely.get_coordinates(shapely.get_point(shapely.get_exterior_ring(
        shapely.get_geometry(polygons[full[first]], 0)), 0))  # fmt: skip
    inner, outer = _boxes_around(points, boxes, label, label[first])
    inside = shapely.intersects_xy(polygons[full[outer]], points[inner, 0], points[inner, 1])
    for point, polygon in zip(inner[inside], outer[inside], strict=True):
        _unite(parent, full[first[point]], full[polygon])


@numba.njit(cache=True, error_model="numpy")
def _boxes_around(points: Floats, boxes: Floats, of_box: Ints, of_point: Ints) -> tuple[Ints, Ints]:
    """Pairs (point, box) where the point lies in the box of a polygon of another group."""
    west, south = points[:, 0].min(), points[:, 1].min()
    wide, high = points[:, 0].max() - west, points[:, 1].max() - south
    side = max(np.sqrt((wide * high) / points.shape[0]), max(wide, high) / (4 * points.shape[0] + 16), 1.0)
    nx, ny = int(wide / side) + 1, int(high / side) + 1
    start = np.zeros(nx * ny + 1, dtype=np.int64)
    cell = np.empty(points.shape[0], dtype=np.int64)
    for p in range(points.shape[0]):
        cell[p] = int((points[p, 1] - south) / side) * nx + int((points[p, 0] - west) / side)
        start[cell[p] + 1] += 1
    for c in range(nx * ny):
        start[c + 1] += start[c]
    held = np.empty(points.shape[0], dtype=np.int64)
    free = start[:-1].copy()
    for p in range(points.shape[0]):
        held[free[cell[p]]] = p
        free[cell[p]] += 1
    inner = np.empty(64, dtype=np.int64)
    outer = np.empty(64, dtype=np.int64)
    found = 0
    for b in range(boxes.shape[0]):
        if boxes[b, 2] < west or boxes[b, 3] < south or boxes[b, 0] > west + wide or boxes[b, 1] > south + high:
            continue
        left, right = int(max((boxes[b, 0] - west) / side, 0.0)), min(int((boxes[b, 2] - west) / side), nx - 1)
        low, top = int(max((boxes[b, 1] - south) / side, 0.0)), min(int((boxes[b, 3] - south) / side), ny - 1)
        for row in range(low, top + 1):
            for at in range(start[row * nx + left], start[row * nx + right + 1]):
                p = held[at]
                if of_point[p] == of_box[b]:
                    continue
                x, y = points[p, 0], points[p, 1]
                if boxes[b, 0] <= x <= boxes[b, 2] and boxes[b, 1] <= y <= boxes[b, 3]:
                    if found == inner.shape[0]:
                        inner = np.concatenate((inner, np.empty(found, dtype=np.int64)))
                        outer = np.concatenate((outer, np.empty(found, dtype=np.int64)))
                    inner[found], outer[found] = p, b
                    found += 1
    return inner[:found], outer[:found]


@numba.njit(cache=True, error_model="numpy")
def _root(parent: Ids, node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@numba.njit(cache=True, error_model="numpy")
def _unite(parent: Ids, a: int, b: int) -> None:
    """Join two groups under the smaller row."""
    a, b = _root(parent, a), _root(parent, b)
    if a < b:
        parent[b] = a
    elif b < a:
        parent[a] = b


@numba.njit(cache=True, error_model="numpy")
def _labels(parent: Ids) -> Ints:
    label = np.empty(parent.shape[0], dtype=np.int64)
    groups = 0
    for node in range(parent.shape[0]):
        root = _root(parent, node)
        if root == node:
            label[node] = groups
            groups += 1
        else:
            label[node] = label[root]
    return label


@numba.njit(cache=True, error_model="numpy")
def _point_to_segment(x: float, y: float, ax: float, ay: float, dx: float, dy: float) -> float:
    """Square of the distance of a point to a segment."""
    square = dx * dx + dy * dy
    t = 0.0
    if square > 0.0:
        t = min(max(((x - ax) * dx + (y - ay) * dy) / square, 0.0), 1.0)
    ex, ey = x - ax - t * dx, y - ay - t * dy
    return ex * ex + ey * ey


@numba.njit(cache=True, error_model="numpy")
def _near(xy: Floats, e: int, f: int, reach: float) -> bool:
    """Whether two edges are within reach of each other."""
    ax, ay, bx, by = xy[e, 0], xy[e, 1], xy[e + 1, 0], xy[e + 1, 1]
    cx, cy, dx, dy = xy[f, 0], xy[f, 1], xy[f + 1, 0], xy[f + 1, 1]
    if max(ax, bx) + reach < min(cx, dx) or max(cx, dx) + reach < min(ax, bx):
        return False
    if max(ay, by) + reach < min(cy, dy) or max(cy, dy) + reach < min(ay, by):
        return False
    square = reach * reach
    ux, uy, vx, vy = bx - ax, by - ay, dx - cx, dy - cy
    if _point_to_segment(ax, ay, cx, cy, vx, vy) <= square or _point_to_segment(bx, by, cx, cy, vx, vy) <= square:
        return True
    if _point_to_segment(cx, cy, ax, ay, ux, uy) <= square or _point_to_segment(dx, dy, ax, ay, ux, uy) <= square:
        return True
    # No end is near the other edge: only a crossing is left.
    c = ux * (cy - ay) - uy * (cx - ax)
    d = ux * (dy - ay) - uy * (dx - ax)
    a = vx * (ay - cy) - vy * (ax - cx)
    b = vx * (by - cy) - vy * (bx - cx)
    return ((c > 0.0) != (d > 0.0)) and ((a > 0.0) != (b > 0.0))


@numba.njit(cache=True, error_model="numpy")
def _join_cells(
    xy: Floats, owner: Ids, west: float, south: float, cell: float, nx: int, ny: int, reach: float, parent: Ids
) -> None:
    """Join by cells whose diagonal is within reach; only where neighbouring cells differ are edges compared."""
    of_cell = np.full(nx * ny, -1, dtype=np.int32)
    cells = np.empty(2 * (nx + ny) + 8, dtype=np.int32)
    for k in range(owner.shape[0]):
        mine = owner[k]
        if mine < 0:
            continue
        count = cells_of(xy[k, 0], xy[k, 1], xy[k + 1, 0], xy[k + 1, 1], west, south, 1.0 / cell, nx, ny, cells)
        for c in range(count):
            other = of_cell[cells[c]]
            if other < 0:
                of_cell[cells[c]] = mine
            elif other != mine:
                _unite(parent, mine, other)
    steps = _steps_around(cell, reach)
    undecided = np.zeros(nx * ny, dtype=np.bool_)
    for round_ in range(2):
        if round_ == 1:
            start, edge = fill_grid(xy, owner, west, south, cell, nx, ny, undecided)
        for row in range(ny):
            for column in range(nx):
                c = row * nx + column
                if of_cell[c] < 0 or (round_ == 1 and not undecided[c]):
                    continue
                mine = _root(parent, of_cell[c])
                for s in range(steps.shape[0]):
                    if row + steps[s, 0] >= ny or column + steps[s, 1] < 0 or column + steps[s, 1] >= nx:
                        continue
                    n = c + steps[s, 0] * nx + steps[s, 1]
                    other = of_cell[n]
                    if other < 0 or other == mine or _root(parent, other) == mine:
                        continue
                    if round_ == 0:
                        undecided[c] = undecided[n] = True
                    elif _any_near(xy, edge[start[c] : start[c + 1]], edge[start[n] : start[n + 1]], reach):
                        _unite(parent, mine, other)
                        mine = _root(parent, mine)


@numba.njit(cache=True, error_model="numpy")
def _steps_around(cell: float, reach: float) -> Ints:
    """Steps (rows, columns) to the cells within reach, each pair of cells once."""
    around = int(np.ceil(reach / cell))
    steps = np.empty(((around + 1) * (2 * around + 1), 2), dtype=np.int64)
    count = 0
    for down in range(around + 1):
        for aside in range(-around if down > 0 else 1, around + 1):
            x, y = max(abs(aside) - 1, 0) * cell, max(down - 1, 0) * cell
            if x * x + y * y <= reach * reach:
                steps[count, 0], steps[count, 1] = down, aside
                count += 1
    return steps[:count]


@numba.njit(cache=True, error_model="numpy")
def _any_near(xy: Floats, some: Ids, others: Ids, reach: float) -> bool:
    for e in some:
        for f in others:
            if _near(xy, e, f, reach):
                return True
    return False


@numba.njit(cache=True, error_model="numpy")
def _join_edges(
    xy: Floats, owner: Ids, west: float, south: float, cell: float, nx: int, ny: int, reach: float, parent: Ids
) -> None:
    """Join by comparing the edges of neighbouring cells, for gaps that are short beside the edges."""
    start, edge = fill_grid(xy, owner, west, south, cell, nx, ny, np.empty(0, dtype=np.bool_))
    steps = _steps_around(cell, reach)
    for row in range(ny):
        for column in range(nx):
            c = row * nx + column
            if start[c] == start[c + 1]:
                continue
            for at in range(start[c], start[c + 1]):
                _unite_near(xy, owner, edge[at], edge, start[c], at, reach, parent)
            for s in range(steps.shape[0]):
                if row + steps[s, 0] >= ny or column + steps[s, 1] < 0 or column + steps[s, 1] >= nx:
                    continue
                n = c + steps[s, 0] * nx + steps[s, 1]
                if start[n] == start[n + 1]:
                    continue
                for at in range(start[c], start[c + 1]):
                    _unite_near(xy, owner, edge[at], edge, start[n], start[n + 1], reach, parent)


@numba.njit(cache=True, error_model="numpy")
def _unite_near(xy: Floats, owner: Ids, e: int, edge: Ids, first: int, last: int, reach: float, parent: Ids) -> None:
    """Join the owner of an edge with those of ``edge[first:last]`` that are within reach of it."""
    mine = _root(parent, owner[e])
    for at in range(first, last):
        f = edge[at]
        if owner[f] == mine or owner[f] == owner[e]:
            continue
        other = _root(parent, owner[f])
        if other != mine and _near(xy, e, f, reach):
            _unite(parent, mine, other)
            mine = min(mine, other)
