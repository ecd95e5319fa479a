"""Contiguity as a relation with evidence: which pieces are neighbours, across what, along how much, and what blocks it.

Components come second. The relation is worked out once for all gaps of interest, so that a larger gap can only join
and never split. It is worked out tile by tile; the tiles change nothing but the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numba
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo.plots.borders import TILE_VERTICES, Borders, Tile, tiles_of
from geo.plots.exclusion import Walls, subdivide
from geo.plots.facing import LENGTH_SLACK_M, Views, views_of
from geo.plots.sharing import each

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Ids = NDArray[np.int32]

# Closer than this two borders coincide: where a corner of one lies on a long edge of the other, storing the layer in
# degrees moves it by less than a millimetre.
EXACT_M = 1e-3
_WALL_VERTICES = 64


@dataclass(frozen=True, slots=True)
class Reaches:
    """Distances that the relation is asked about, metres.

    ``gap_m`` the one that decides · ``others_m`` further ones (the ladder) · ``tolerance_m`` what counts as touching ·
    ``road_gap_m`` reach across roads that may be bridged, ``None``: the gap.
    """

    gap_m: float
    tolerance_m: float
    others_m: tuple[float, ...] = ()
    road_gap_m: float | None = None

    @property
    def levels_m(self) -> Floats:
        """(r,) every distance once, ascending; the first two are exact coincidence and the tolerance."""
        wanted = {max(float(gap), self.tolerance_m) for gap in (self.gap_m, *self.others_m)}
        return np.array(sorted({EXACT_M, self.tolerance_m, *wanted}))

    @property
    def road_reach_m(self) -> float | None:
        """Reach across roads that may be bridged; what touches touches whatever is drawn over it."""
        return None if self.road_gap_m is None else max(self.road_gap_m, self.tolerance_m)

    @property
    def reach_m(self) -> float:
        """Reach of the gap that decides."""
        return max(self.gap_m, self.tolerance_m)

    @property
    def widest_m(self) -> float:
        """Widest distance at which anything is looked at."""
        return float(max(*self.levels_m, self.road_gap_m or 0.0))


@dataclass(frozen=True, slots=True)
class Relation:
    """Pairs of pieces that face each other somewhere, and what is known of each.

    ``pairs`` (k, 2) int64 rows of pieces, first < second, sorted · ``levels_m`` (r,) the distances asked about ·
    ``facing`` (k, 2, r) free facing length within each, seen from either piece · ``narrowest_m`` (k,) narrowest gap
    along free stretches, ``inf`` where none is free · ``blocked`` (b, 2) pair row and wall, ``blocked_m`` (b,) metres
    that the wall is the first to block, the larger direction · ``wall_kind``, ``wall_name`` of the walls ·
    ``piece_count`` · ``reach_m`` of the gap that decides.
    """

    pairs: Ints
    levels_m: Floats
    facing: Floats
    narrowest_m: Floats
    blocked: Ints
    blocked_m: Floats
    wall_kind: NDArray[np.object_]
    wall_name: NDArray[np.object_]
    piece_count: int
    reach_m: float

    def facing_m(self, reach_m: float) -> Floats:
        """Facing length of each pair within one of the reaches asked about: of the two directions the smaller."""
        level = np.flatnonzero(np.abs(self.levels_m - reach_m) < LENGTH_SLACK_M)
        if len(level) == 0:
            raise KeyError(f"{reach_m} m is none of the reaches {self.levels_m.tolist()}")
        return self.facing[:, :, level[0]].min(axis=1)

    @property
    def shared_m(self) -> Floats:
        """Facing length of each pair within the tolerance: the border they share."""
        return self.facing[:, :, 1].min(axis=1)

    def gap_m(self, reach_m: float) -> Floats:
        """Narrowest gap of each pair along its free stretches, ``inf`` where it has none within reach."""
        return np.where(self.facing_m(reach_m) > 0, self.narrowest_m, np.inf)

    def joined(self, reach_m: float, frontage_m: float) -> NDArray[np.bool_]:
        """Which pairs are neighbours: they face each other along the frontage within reach."""
        facing = self.facing_m(reach_m)
        return (facing > 0) & (facing >= frontage_m - LENGTH_SLACK_M)

    def components(self, joined: NDArray[np.bool_]) -> Ints:
        """Label of the connected component of each piece."""
        first, second = self.pairs[joined].T
        graph = coo_array((np.ones(len(first)), (first, second)), shape=(self.piece_count, self.piece_count))
        return connected_components(graph, directed=False)[1].astype(np.int64)

    def blockers(self, reach_m: float) -> pd.DataFrame:
        """``pair`` row, ``kind`` and ``name`` of a barrier, and ``blocked_m``; for the gap that decides.

        A long barrier is several walls; what they block of one view belongs together.
        """
        if reach_m != self.reach_m:
            raise KeyError(f"what blocks is known within {self.reach_m} m, not {reach_m} m")
        wall = self.blocked[:, 1]
        table = pd.DataFrame(
            {
                "pair": self.blocked[:, 0],
                "kind": self.wall_kind[wall],
                "name": self.wall_name[wall],
                "blocked_m": self.blocked_m,
            }
        )
        return table.groupby(["pair", "kind", "name"], dropna=False, sort=False)["blocked_m"].sum().reset_index()


def relate(
    pieces: Geometries,
    walls: Walls,
    reaches: Reaches,
    roads: Geometries | None = None,
    *,
    tile_vertices: int = TILE_VERTICES,
    processes: int = 1,
) -> Relation:
    """The contiguity relation of pieces.

    Parameters
    ----------
    pieces : (n,) polygons in a metric system, interiors disjoint, none empty
    walls : what may not be crossed; polygons, or lines without width
    reaches : distances of interest
    roads : ground or lines of roads that may be bridged; only looked at where roads have a reach of their own
    tile_vertices : int, vertices in a tile; the result does not depend on it
    processes : int, processes that share the tiles

    Returns
    -------
    Relation
        Pairs that face each other nowhere within the widest distance (a common corner, say) are not in it.
    """
    levels = reaches.levels_m
    cut_walls, of_wall = in_tiles(walls.geometry)
    found = list(
        views(pieces, cut_walls, roads, reaches, tile_vertices=tile_vertices, processes=processes, stretches=False)
    )
    pairs, facing, narrowest = _both_ways(len(pieces), found, len(levels))
    blocked, blocked_m = _blocked(pairs, len(pieces), found, of_wall)
    return Relation(
        pairs, levels, facing, narrowest, blocked, blocked_m, walls.kind, walls.name, len(pieces), reaches.reach_m
    )


def views(
    pieces: Geometries,
    walls: Geometries,
    roads: Geometries | None,
    reaches: Reaches,
    *,
    tile_vertices: int = TILE_VERTICES,
    processes: int = 1,
    stretches: bool,
) -> Iterator[Views]:
    """What the pieces see, tile by tile, with their own rows; see ``facing.views_of``."""
    if reaches.road_gap_m is None or roads is None:
        roads = np.empty(0, dtype=object)
    vertices = shapely.get_num_coordinates(pieces).astype(np.int64)
    reach_m = reaches.widest_m + 2 * LENGTH_SLACK_M
    tiles = tiles_of(shapely.bounds(pieces).reshape(-1, 4), vertices, reach_m, tile_vertices)
    near_wall = _near(walls, reach_m)
    near_road = _near(roads, reach_m)
    work = ((_tile_job(tile, pieces, walls, near_wall(tile), roads, near_road(tile)), tile.box) for tile in tiles)
    look = _Look(reaches, stretches)
    for views_of_tile, rows, wall_rows in each(look, work, processes):
        blocked = views_of_tile.blocked
        if len(blocked):
            blocked = np.column_stack([rows[blocked[:, 0]], rows[blocked[:, 1]], wall_rows[blocked[:, 2]]])
        yield Views(
            rows[views_of_tile.source], rows[views_of_tile.target], views_of_tile.gap_m, views_of_tile.facing_m,
            blocked.astype(np.int64), views_of_tile.blocked_m, rows[views_of_tile.stretch].astype(np.int64),
            views_of_tile.quad, views_of_tile.height, views_of_tile.over_road,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Job:
    """A tile's arrays, ready to be sent to another process."""

    borders: Borders
    rows: Ids
    wall_rows: Ids


@dataclass(frozen=True, slots=True)
class _Look:
    """What is done with each tile; a picklable function."""

    reaches: Reaches
    stretches: bool

    def __call__(self, work: tuple[_Job, tuple[float, float, float, float]]) -> tuple[Views, Ids, Ids]:
        job, box = work
        reaches = self.reaches
        found = views_of(
            job.borders, len(job.rows), len(job.wall_rows), box, reaches.levels_m, reaches.reach_m,
            reaches.road_reach_m, reaches.tolerance_m, stretches=self.stretches,
        )  # fmt: skip
        return found, job.rows, job.wall_rows


def _near(geometries: Geometries, reach_m: float) -> Callable[[Tile], Ids]:
    """A function that gives the rows of the geometries within reach of a tile."""
    if len(geometries) == 0:
        return lambda tile: np.empty(0, dtype=np.int32)
    boxes = shapely.bounds(geometries).reshape(-1, 4)

    def near(tile: Tile) -> Ids:
        west, south, east, north = tile.box
        meets = (boxes[:, 0] <= east + reach_m) & (boxes[:, 2] >= west - reach_m)
        meets &= (boxes[:, 1] <= north + reach_m) & (boxes[:, 3] >= south - reach_m)
        return np.flatnonzero(meets).astype(np.int32)

    return near


def _tile_job(
    tile: Tile, pieces: Geometries, walls: Geometries, wall_rows: Ids, roads: Geometries, road_rows: Ids
) -> _Job:
    count = len(tile.rows)
    borders = Borders.of_polygons(pieces[tile.rows], np.arange(count, dtype=np.int32))
    if len(wall_rows):
        borders = borders.then(
            Borders.of_any(walls[wall_rows], np.arange(count, count + len(wall_rows), dtype=np.int32))
        )
    if len(road_rows):
        first = count + len(wall_rows)
        borders = borders.then(
            Borders.of_any(roads[road_rows], np.arange(first, first + len(road_rows), dtype=np.int32))
        )
    return _Job(borders, tile.rows, wall_rows)


def _both_ways(pieces: int, found: list[Views], levels: int) -> tuple[Ints, Floats, Floats]:
    """Pairs with what is seen from either piece: pairs (k, 2), facing (k, 2, levels), narrowest gap (k,)."""
    source = np.concatenate([np.empty(0, np.int32), *(part.source for part in found)])
    target = np.concatenate([np.empty(0, np.int32), *(part.target for part in found)])
    gap = np.concatenate([np.empty(0), *(part.gap_m for part in found)])
    facing = np.concatenate([np.empty((0, levels)), *(part.facing_m for part in found)])
    order = _by_pair(pieces, source, target)
    return _merged(order, source, target, gap, facing)


@numba.njit(cache=True)
def _by_pair(pieces: int, source: Ids, target: Ids) -> Ints:
    """Order of directed rows by (smaller, larger) row: by counting on the smaller, then by insertion."""
    rows = source.shape[0]
    start = np.zeros(pieces + 1, dtype=np.int64)
    for k in range(rows):
        start[min(source[k], target[k]) + 1] += 1
    for p in range(pieces):
        start[p + 1] += start[p]
    place = start[:-1].copy()
    order = np.empty(rows, dtype=np.int64)
    for k in range(rows):
        low = min(source[k], target[k])
        high = max(source[k], target[k])
        at = place[low]
        place[low] += 1
        # Few rows have the same smaller piece, and they come nearly in order.
        while at > start[low] and max(source[order[at - 1]], target[order[at - 1]]) > high:
            order[at] = order[at - 1]
            at -= 1
        order[at] = k
    return order


@numba.njit(cache=True)
def _merged(order: Ints, source: Ids, target: Ids, gap: Floats, facing: Floats) -> tuple[Ints, Floats, Floats]:
    levels = facing.shape[1]
    count = 0
    low, high = -1, -1
    for k in order:
        a, b = min(source[k], target[k]), max(source[k], target[k])
        if a != low or b != high:
            low, high = a, b
            count += 1
    pairs = np.empty((count, 2), dtype=np.int64)
    both = np.zeros((count, 2, levels))
    narrowest = np.empty(count)
    at = -1
    low, high = -1, -1
    for k in order:
        a, b = min(source[k], target[k]), max(source[k], target[k])
        if a != low or b != high:
            low, high = a, b
            at += 1
            pairs[at, 0], pairs[at, 1] = a, b
            narrowest[at] = np.inf
        side = 0 if source[k] == a else 1
        narrowest[at] = min(narrowest[at], gap[k])
        for level in range(levels):
            both[at, side, level] += facing[k, level]
    return pairs, both, narrowest


def _blocked(pairs: Ints, pieces: int, found: list[Views], of_wall: Ints) -> tuple[Ints, Floats]:
    """Per pair and wall: rows (b, 2) of both, and the metres blocked, of the two directions the larger."""
    rows = np.concatenate([np.empty((0, 3), np.int64), *(part.blocked for part in found)])
    metres = np.concatenate([np.empty(0), *(part.blocked_m for part in found)])
    if len(rows) == 0:
        return np.empty((0, 2), dtype=np.int64), metres
    low, high = rows[:, :2].min(axis=1), rows[:, :2].max(axis=1)
    pair = np.searchsorted(pairs[:, 0] * pieces + pairs[:, 1], low * pieces + high)
    key = np.column_stack([pair, of_wall[rows[:, 2]], rows[:, 0] == low])
    sides, place = np.unique(key, axis=0, return_inverse=True)
    total = np.bincount(place.ravel(), metres, minlength=len(sides))
    groups, place = np.unique(sides[:, :2], axis=0, return_inverse=True)
    most = np.zeros(len(groups))
    np.maximum.at(most, place.ravel(), total)
    return groups, most


def in_tiles(walls: Geometries) -> tuple[Geometries, Ints]:
    """Walls with the heavy ones subdivided, and the wall each belongs to.

    The inner borders of a long river's tiles lie inside the river, so a view that meets one was blocked before.
    """
    areal = shapely.get_dimensions(walls) == 2
    heavy = areal & (shapely.get_num_coordinates(walls) > _WALL_VERTICES)
    light = np.flatnonzero(~heavy)
    tiles, owner = [walls[light]], [light]
    for row in np.flatnonzero(heavy):
        cut = subdivide(walls[[row]], _WALL_VERTICES)
        tiles.append(cut)
        owner.append(np.full(len(cut), row))
    return np.concatenate(tiles), np.concatenate(owner).astype(np.int64)
