"""Rings → polygons, decided by geometry alone: which ring is a hole, and of what.

Formats that list rings without saying what each of them is (boundary-point TXT, drawings) share this rule: within a
group, a ring that lies inside another belongs to the smallest ring around it; at even depth it is land, at odd depth
a hole. So an island in a hole is land again, and rings beside each other are parts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

# A hole that touches its shell may lie outside of it by what rounding to a millimetre does to both.
ROUNDING = 0.002
_DEEPEST = 1_000


@dataclass(frozen=True)
class Nest:
    """How n rings lie in each other.

    Parameters
    ----------
    parent : (n,) int64, position of the smallest ring of the same group around each, -1 where there is none
    depth : (n,) int64, how many rings are around each, counted along ``parent``
    """

    parent: NDArray[np.int64]
    depth: NDArray[np.int64]

    @property
    def is_hole(self) -> NDArray[np.bool_]:
        """(n,) bool: odd depth."""
        return self.depth % 2 == 1


def nest(
    rings: NDArray[np.object_],
    group: NDArray[np.int64],
    never_inside: NDArray[np.bool_] | None = None,
    tolerance: float = ROUNDING,
) -> Nest:
    """Which ring lies in which.

    Parameters
    ----------
    rings : (n,) object array of shapely linear rings
    group : (n,) integers; only rings of one group can lie in each other
    never_inside : (n,) bool, rings known to be land of their own, whatever is around them; ``None`` for none of them
    tolerance : how far a ring may reach over the one around it, in units of the coordinates

    Notes
    -----
    Two rings of the same area (the same line drawn twice) never lie in each other: both are land, and the check for
    duplicates finds them.
    """
    count = len(rings)
    parent = np.full(count, -1, dtype=np.int64)
    if count == 0:
        return Nest(parent, parent + 1)
    areas = shapely.polygons(rings)
    size = shapely.area(areas)
    bounds = shapely.bounds(rings)
    tree = shapely.STRtree(rings)
    inner, outer = tree.query(rings)
    near = (group[inner] == group[outer]) & (size[inner] < size[outer] * (1 - 1e-9))
    if never_inside is not None:
        near &= ~never_inside[inner]
    inner, outer = inner[near], outer[near]
    within = (bounds[inner, :2] >= bounds[outer, :2] - tolerance).all(axis=1)
    within &= (bounds[inner, 2:] <= bounds[outer, 2:] + tolerance).all(axis=1)
    inner, outer = inner[within], outer[within]
    # A point in the middle is a cheap first question, and the one that tells a ring inside from one that only fits.
    middle = shapely.point_on_surface(areas)
    shapely.prepare(areas)
    within = shapely.intersects(areas[outer], middle[inner])
    inner, outer = inner[within], outer[within]
    within = shapely.covers(areas[outer], rings[inner])
    doubtful = np.flatnonzero(~within)
    if len(doubtful):
        grown = shapely.buffer(areas[outer[doubtful]], tolerance, quad_segs=2)
        within[doubtful] = shapely.covers(grown, rings[inner[doubtful]])
    inner, outer = inner[within], outer[within]
    # The smallest ring around is the parent: sorted by size downwards, the last assignment wins.
    order = np.argsort(-size[outer], kind="stable")
    parent[inner[order]] = outer[order]
    depth = np.zeros(count, dtype=np.int64)
    above = parent.copy()
    for _ in range(_DEEPEST):
        held = above >= 0
        if not held.any():
            break
        depth += held
        above = np.where(held, parent[above], -1)
    return Nest(parent, depth)


def polygons(rings: NDArray[np.object_], nested: Nest) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """The polygon of every ring that is land, with its holes.

    Returns
    -------
    (m,) object array of polygons, and (m,) int64 positions of their outer rings, ascending
    """
    shells = np.flatnonzero(~nested.is_hole)
    owner = np.where(nested.is_hole, nested.parent, np.arange(len(rings)))
    order = np.lexsort((nested.is_hole, owner))  # each outer ring, then its holes
    rings_each = np.bincount(owner, minlength=len(rings))[shells]
    points_each = shapely.get_num_coordinates(rings[order])
    offsets = (np.r_[0, np.cumsum(points_each)], np.r_[0, np.cumsum(rings_each)])
    coordinates = shapely.get_coordinates(rings[order])
    return shapely.from_ragged_array(shapely.GeometryType.POLYGON, coordinates, offsets), shells
