"""The ground between neighbours: which strips of other land a plot bridges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.plots.borders import TILE_VERTICES
from geo.plots.contiguity import Reaches, Relation, in_tiles, views
from geo.plots.facing import LENGTH_SLACK_M

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Gaps:
    """Free stretches between pieces that can be neighbours, wider than the tolerance somewhere.

    ``pair`` (s,) row in the relation · ``side`` (s,) 0 seen from the first piece · ``quad`` (s, 8) the stretch and its
    image p0, p1, q1, q0 · ``height`` (s, 2) distance at either end · ``over_road`` (s,) bool.
    """

    pair: Ints
    side: Ints
    quad: Floats
    height: Floats
    over_road: NDArray[np.bool_]
    reaches: Reaches

    def bridges(self, joined: NDArray[np.bool_], reach_m: float) -> tuple[Ints, Geometries]:
        """The ground between neighbours: (m,) pair rows and polygons, one for each strip within reach.

        Parameters
        ----------
        joined : (k,) bool, which pairs of the relation are neighbours
        reach_m : float, metres
        """
        chosen = joined[self.pair]
        pair, side, height = self.pair[chosen], self.side[chosen], self.height[chosen]
        limit = np.full(len(pair), reach_m + LENGTH_SLACK_M)
        if self.reaches.road_reach_m is not None and reach_m > self.reaches.tolerance_m:
            limit[self.over_road[chosen]] = self.reaches.road_reach_m + LENGTH_SLACK_M
        start, end = _part_within(height, limit)
        some = end > start
        pair, side, start, end = pair[some], side[some], start[some, None], end[some, None]
        quad = self.quad[chosen][some].reshape(-1, 4, 2)
        p0, p1, q1, q0 = quad[:, 0], quad[:, 1], quad[:, 2], quad[:, 3]
        p0, p1 = p0 + start * (p1 - p0), p0 + end * (p1 - p0)
        q0, q1 = q0 + start * (q1 - q0), q0 + end * (q1 - q0)
        owner, polygons = _strips(pair * 2 + side, p0, p1, q0, q1)
        crossed = ~shapely.is_valid(polygons)
        polygons[crossed] = shapely.make_valid(polygons[crossed], method="structure", keep_collapsed=False)
        real = shapely.area(polygons) > 0
        return owner[real] // 2, polygons[real]


def _part_within(height: Floats, reach_m: Floats) -> tuple[Floats, Floats]:
    """Which part (from, to in 0…1) of each stretch is within reach, the distance being linear along it."""
    slope = height[:, 1] - height[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        cross = (reach_m - height[:, 0]) / slope
    start = np.where(slope < 0, np.clip(cross, 0, 1), 0.0)
    end = np.where(slope > 0, np.clip(cross, 0, 1), 1.0)
    return start, np.where((slope == 0) & (height[:, 0] > reach_m), start, end)


def gaps_between(
    relation: Relation,
    rows: Ints,
    pieces: Geometries,
    walls: Geometries,
    roads: Geometries | None,
    reaches: Reaches,
    *,
    tile_vertices: int = TILE_VERTICES,
    processes: int = 1,
) -> Gaps:
    """The free stretches between some of the pieces of a relation.

    Parameters
    ----------
    relation : of all pieces
    rows : (m,) int64, the pieces that matter (those of large groups), ascending
    pieces, walls, roads : as for ``relate``
    """
    walls, _ = in_tiles(walls)
    found = list(
        views(pieces[rows], walls, roads, reaches, tile_vertices=tile_vertices, processes=processes, stretches=True)
    )
    ends = rows[np.concatenate([np.empty((0, 2), np.int64), *(part.stretch for part in found)])]
    quad = np.concatenate([np.empty((0, 8)), *(part.quad for part in found)])
    height = np.concatenate([np.empty((0, 2)), *(part.height for part in found)])
    over_road = np.concatenate([np.empty(0, dtype=bool), *(part.over_road for part in found)])
    wide = height.max(axis=1, initial=0.0) > reaches.tolerance_m
    # Along a side that leads away the rounding of a corner sees a hair of whatever lies behind: no ground.
    wide &= np.hypot(quad[:, 2] - quad[:, 0], quad[:, 3] - quad[:, 1]) > LENGTH_SLACK_M
    ends, quad, height, over_road = ends[wide], quad[wide], height[wide], over_road[wide]
    key = relation.pairs[:, 0] * relation.piece_count + relation.pairs[:, 1]
    pair = np.searchsorted(
        key, ends.min(axis=1, initial=relation.piece_count) * relation.piece_count + ends.max(axis=1, initial=0)
    )
    # Tiles come in any order; along a border the stretches follow each other.
    order = np.lexsort((np.arange(len(pair)), ends[:, 0], pair))
    side = (ends[:, 0] > ends[:, 1]).astype(np.int64)
    return Gaps(pair[order], side[order], quad[order], height[order], over_road[order], reaches)


def _strips(key: Ints, p0: Floats, p1: Floats, q0: Floats, q1: Floats) -> tuple[Ints, Geometries]:
    """Quads p0-p1-q1-q0, those that continue each other joined to one polygon: key of each polygon, polygon."""
    if len(key) == 0:
        return key, np.empty(0, dtype=object)
    along = p1 - p0
    turn = along[:-1, 0] * along[1:, 1] - along[:-1, 1] * along[1:, 0]
    lengths = np.hypot(along[:, 0], along[:, 1])
    goes_on = (
        (key[1:] == key[:-1])
        & (np.abs(turn) <= 1e-9 * lengths[1:] * lengths[:-1])
        & (np.abs(p0[1:] - p1[:-1]).max(axis=1) < 1e-6)
        & (np.abs(q0[1:] - q1[:-1]).max(axis=1) < 1e-6)
    )
    strip = np.concatenate([[0], np.cumsum(~goes_on)])
    row = np.arange(len(key))
    # A strip's ring: along the border, p0 of its first quad and every p1, then back along every q1 to q0 of the first.
    first = np.flatnonzero(np.r_[True, ~goes_on])
    points = np.concatenate([p0[first], p1, q1, q0[first]])
    of_strip = np.concatenate([strip[first], strip, strip, strip[first]])
    leg = np.repeat([0, 1, 2, 3], [len(first), len(key), len(key), len(first)])
    step = np.concatenate([first, row, -row, first])
    order = np.lexsort((step, leg, of_strip))
    return key[first], shapely.polygons(shapely.linearrings(points[order], indices=of_strip[order]))
