"""Contiguity as a relation with evidence: which pieces are neighbours, across what, along how much, and what blocks it.

Components come second. The relation is worked out once at the widest gap of interest; every narrower gap is read off
the same stretches, so that a larger gap can only join and never split.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo.plots.exclusion import Walls, subdivide
from geo.plots.facing import Stretches, stretches

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Lengths are compared with this slack, so that 10 m drawn at millimetres is 10 m.
LENGTH_SLACK_M = 1e-6
_WALL_VERTICES = 64


@dataclass(frozen=True, slots=True)
class Relation:
    """Candidate pairs of pieces and the stretches along which they face each other.

    ``pairs`` (k, 2) rows of pieces, first < second · ``stretches`` free and blocked ones · ``wall_kind``,
    ``wall_name`` of the walls that ``stretches.blocker`` counts · ``piece_count``.
    """

    pairs: Ints
    stretches: Stretches
    wall_kind: NDArray[np.object_]
    wall_name: NDArray[np.object_]
    piece_count: int

    def facing_m(self, reach_m: float) -> Floats:
        """Facing length of each pair within reach: of the two directions the smaller, metres."""
        length, _, _ = self.stretches.within(reach_m + LENGTH_SLACK_M)
        return self._smaller_side(np.where(self.stretches.blocker < 0, length, 0.0))

    def gap_m(self, reach_m: float) -> Floats:
        """Narrowest gap of each pair along its free stretches, ``inf`` where it has none."""
        free = (self.stretches.blocker < 0) & (self.stretches.within(reach_m + LENGTH_SLACK_M)[0] > 0)
        gap = np.full(len(self.pairs), np.inf)
        np.minimum.at(gap, self.stretches.pair[free], np.minimum(self.stretches.v0_m, self.stretches.v1_m)[free])
        return gap

    def joined(self, reach_m: float, frontage_m: float) -> NDArray[np.bool_]:
        """Which pairs are neighbours: they face each other along the frontage within reach."""
        facing = self.facing_m(reach_m)
        return (facing > 0) & (facing >= frontage_m - LENGTH_SLACK_M)

    def components(self, joined: NDArray[np.bool_]) -> Ints:
        """Label of the connected component of each piece."""
        first, second = self.pairs[joined].T
        graph = coo_array((np.ones(len(first)), (first, second)), shape=(self.piece_count, self.piece_count))
        return connected_components(graph, directed=False)[1].astype(np.int64)

    def bridges(self, joined: NDArray[np.bool_], reach_m: float, tolerance_m: float) -> tuple[Ints, Geometries]:
        """The ground between neighbours: (m,) pair rows and polygons, one per free stretch wider than the tolerance."""
        length, start, end = self.stretches.within(reach_m + LENGTH_SLACK_M)
        free = self.stretches.blocker < 0
        wide = np.maximum(self.stretches.v0_m, self.stretches.v1_m) > tolerance_m
        chosen = free & (length > 0) & wide & joined[self.stretches.pair]
        pair, side = self.stretches.pair[chosen], self.stretches.side[chosen]
        quad = self.stretches.quad[chosen].reshape(-1, 4, 2)
        start, end = start[chosen, None], end[chosen, None]
        p0, p1, q1, q0 = quad[:, 0], quad[:, 1], quad[:, 2], quad[:, 3]
        p0, p1 = p0 + start * (p1 - p0), p0 + end * (p1 - p0)
        q0, q1 = q0 + start * (q1 - q0), q0 + end * (q1 - q0)
        owner, polygons = _strips(pair * 2 + side, p0, p1, q0, q1)
        crossed = ~shapely.is_valid(polygons)
        polygons[crossed] = shapely.make_valid(polygons[crossed], method="structure", keep_collapsed=False)
        real = shapely.area(polygons) > 0
        return owner[real] // 2, polygons[real]

    def blockers(self, reach_m: float) -> tuple[Ints, NDArray[np.object_], NDArray[np.object_], Floats]:
        """Per pair and barrier: pair row, kind and name of the barrier, blocked metres (the larger direction)."""
        length, _, _ = self.stretches.within(reach_m + LENGTH_SLACK_M)
        blocked = (self.stretches.blocker >= 0) & (length > 0)
        key = np.column_stack([self.stretches.pair, self.stretches.side, self.stretches.blocker])[blocked]
        groups, place = np.unique(key, axis=0, return_inverse=True)
        metres: Floats = np.bincount(place.ravel(), length[blocked], minlength=len(groups)).astype(np.float64)
        return groups[:, 0], self.wall_kind[groups[:, 2]], self.wall_name[groups[:, 2]], metres

    def _smaller_side(self, length: Floats) -> Floats:
        """Sum of ``length`` by pair in either direction, the smaller of the two."""
        if len(self.pairs) == 0:
            return np.empty(0)
        key = self.stretches.pair * 2 + self.stretches.side
        sides = np.bincount(key, length, minlength=2 * len(self.pairs)).astype(np.float64)
        return sides.reshape(-1, 2).min(axis=1)


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


def relate(pieces: Geometries, walls: Walls, reach_m: float) -> Relation:
    """The contiguity relation of pieces within reach.

    Parameters
    ----------
    pieces : (n,) polygons in a metric system, interiors disjoint
    walls : what may not be crossed; polygons, or lines without width
    reach_m : float, the widest gap of interest in metres
    """
    tree = shapely.STRtree(pieces)
    second, first = tree.query(pieces, predicate="dwithin", distance=reach_m + LENGTH_SLACK_M)
    upper = first < second
    pairs = np.column_stack([first[upper], second[upper]]).astype(np.int64)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    areal = shapely.get_dimensions(walls.geometry) == 2
    # Tiles of a long river: their inner borders lie inside the river, so a view that meets one was blocked before.
    tiles, of_wall = _tiles(walls.geometry, areal)
    if len(tiles) and len(pieces):
        piece, wall = shapely.STRtree(tiles).query(pieces, predicate="dwithin", distance=reach_m + LENGTH_SLACK_M)
        near = np.column_stack([piece, wall]).astype(np.int64)
        near = near[np.lexsort((near[:, 1], near[:, 0]))]
    else:
        near = np.empty((0, 2), dtype=np.int64)
    found = stretches(pieces, pairs, tiles, near, reach_m)
    return Relation(pairs, found, walls.kind[of_wall], walls.name[of_wall], len(pieces))


def _tiles(walls: Geometries, areal: NDArray[np.bool_]) -> tuple[Geometries, Ints]:
    heavy = areal & (shapely.get_num_coordinates(walls) > _WALL_VERTICES)
    light = np.flatnonzero(~heavy)
    tiles, owner = [walls[light]], [light]
    for row in np.flatnonzero(heavy):
        cut = subdivide(walls[[row]], _WALL_VERTICES)
        tiles.append(cut)
        owner.append(np.full(len(cut), row))
    return np.concatenate(tiles), np.concatenate(owner).astype(np.int64)
