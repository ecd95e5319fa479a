"""Borders of polygons as flat arrays, and tiles of the plane so that an array never grows with the district.

Everything that looks at neighbours works on one tile at a time: the border edges that run through it, and all edges
within reach of it. Edges are cut at the tile's sides, so a length is counted once whatever the tiles are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numba
import numpy as np
import shapely
from numpy.typing import NDArray

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Ids = NDArray[np.int32]

# Vertices of a tile: its arrays stay in the processor's cache.
TILE_VERTICES = 100_000


@dataclass(frozen=True, slots=True)
class Borders:
    """Border vertices of objects; edge ``k`` runs from vertex ``k`` to ``k + 1`` of the same ring or line.

    ``xy`` (n, 2) float64 metres, the interior of polygons to the left · ``owner`` (n,) int32 row of the object that the
    edge beginning here belongs to, -1 at the last vertex of a ring or line.
    """

    xy: Floats
    owner: Ids

    @classmethod
    def of_polygons(cls, polygons: Geometries, rows: Ids) -> Borders:
        """Borders of (n,) polygons or multipolygons, none of them empty, that are known as ``rows`` (n,) int32."""
        if len(polygons) == 0:
            return cls(np.empty((0, 2)), np.empty(0, dtype=np.int32))
        single = shapely.get_type_id(polygons) == shapely.GeometryType.POLYGON
        if not single.all():
            polygons, part_of = shapely.get_parts(polygons, return_index=True)
            rows = rows[part_of]
        # Coordinates come ring by ring; only where there are holes their sizes have to be asked for.
        xy = shapely.get_coordinates(polygons)
        size = shapely.get_num_coordinates(polygons).astype(np.int64)
        first_ring = np.ones(len(polygons), dtype=bool)
        holed = shapely.get_num_interior_rings(polygons) > 0
        if holed.any():
            rings, place = shapely.get_rings(polygons[holed], return_index=True)
            of_ring = np.concatenate([np.flatnonzero(~holed), np.flatnonzero(holed)[place]])
            sizes = np.concatenate([size[~holed], shapely.get_num_coordinates(rings)])
            order = np.argsort(of_ring, kind="stable")
            size, rows = sizes[order], rows[of_ring[order]]
            first_ring = np.r_[True, np.diff(of_ring[order]) > 0]
        owner = np.empty(len(xy), dtype=np.int32)
        _orient(xy, size, first_ring, np.ascontiguousarray(rows, dtype=np.int32), owner)
        return cls(xy, owner)

    @classmethod
    def of_any(cls, geometries: Geometries, rows: Ids) -> Borders:
        """Edges of (n,) polygons and lines; which side the interior is on is not kept."""
        parts, of_object = shapely.get_parts(shapely.boundary(geometries), return_index=True)
        lines, of_line = shapely.get_parts(geometries, return_index=True)
        straight = shapely.get_dimensions(lines) == 1
        areal = shapely.get_dimensions(parts) == 1
        every = np.concatenate([parts[areal], lines[straight]])
        of_every = np.concatenate([of_object[areal], of_line[straight]])
        xy, index = shapely.get_coordinates(every, return_index=True)
        owner = rows[of_every][index].astype(np.int32)
        last = np.ones(len(xy), dtype=bool)
        last[:-1] = index[1:] != index[:-1]
        owner[last] = -1
        return cls(np.ascontiguousarray(xy), owner)

    def then(self, other: Borders) -> Borders:
        """These borders followed by others."""
        if len(other.owner) == 0:
            return self
        return Borders(np.concatenate([self.xy, other.xy]), np.concatenate([self.owner, other.owner]))


@numba.njit(cache=True)
def _orient(xy: Floats, size: Ints, shell: NDArray[np.bool_], rows: Ids, owner: Ids) -> None:
    """Turn rings so that the interior lies to the left, in place, and write the owner of each vertex."""
    first = 0
    for ring in range(size.shape[0]):
        last = first + size[ring]
        twice = 0.0
        x, y = xy[first, 0], xy[first, 1]
        for k in range(first, last - 1):
            twice += (xy[k, 0] - x) * (xy[k + 1, 1] - y) - (xy[k + 1, 0] - x) * (xy[k, 1] - y)
        if (twice > 0.0) != shell[ring]:
            low, high = first, last - 1
            while low < high:
                for c in range(2):
                    xy[low, c], xy[high, c] = xy[high, c], xy[low, c]
                low += 1
                high -= 1
        owner[first:last] = rows[ring]
        owner[last - 1] = -1
        first = last


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of the plane, half open: ``box`` west, south, east, north; ``rows`` of the objects within reach."""

    box: tuple[float, float, float, float]
    rows: Ids


def tiles_of(boxes: Floats, vertices: Ints, reach_m: float, tile_vertices: int = TILE_VERTICES) -> Iterator[Tile]:
    """Split the plane so that the objects within reach of each tile have about ``tile_vertices`` vertices.

    Parameters
    ----------
    boxes : (n, 4) float64 bounds of the objects
    vertices : (n,) int64 number of vertices of each
    reach_m : float, metres around a tile that it must know
    tile_vertices : int, vertices wanted in a tile; one object that has more cannot be split

    Yields
    ------
    Tile
        They cover the plane without overlap.
    """
    everything = (-np.inf, -np.inf, np.inf, np.inf)
    west, south, east, north = np.ascontiguousarray(boxes.T) if len(boxes) else np.empty((4, 0))
    sides = ((west, east, (west + east) / 2), (south, north, (south + north) / 2))
    waiting = [Tile(everything, np.arange(len(boxes), dtype=np.int32))]
    while waiting:
        tile = waiting.pop()
        halves = None
        if len(tile.rows) > 1 and vertices[tile.rows].sum() > tile_vertices:
            halves = _halves(tile, sides, reach_m)
        if halves is None:
            yield tile
        else:
            waiting.extend(reversed(halves))


def _halves(tile: Tile, sides: tuple[tuple[Floats, Floats, Floats], ...], reach_m: float) -> tuple[Tile, Tile] | None:
    """The tile split across its longer side, at the middle of the objects there; ``None`` where that gains nothing."""
    rows = tile.rows
    inside = [np.clip(middle[rows], tile.box[axis], tile.box[axis + 2]) for axis, (_, _, middle) in enumerate(sides)]
    spread = [float(at.max() - at.min()) for at in inside]
    axis = 0 if spread[0] >= spread[1] else 1
    # Narrower tiles than a few reaches would hold more of their surroundings than of themselves.
    if spread[axis] < 4 * max(reach_m, 1.0):
        return None
    low, high, _ = sides[axis]
    border = float(np.median(inside[axis]))
    before, after = rows[low[rows] <= border + reach_m], rows[high[rows] >= border - reach_m]
    if max(len(before), len(after)) > 0.9 * len(rows):
        return None
    first, second = list(tile.box), list(tile.box)
    first[axis + 2], second[axis] = border, border
    return Tile(tuple(first), before), Tile(tuple(second), after)  # type: ignore[arg-type]
