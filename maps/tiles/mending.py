"""Polygons that touch themselves after rounding, made valid on the tile's grid; by shapely, as they are few."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from maps.tiles.drawing import put_polygons
from maps.tiles.grid import from_grid
from maps.tiles.matrices import BUFFER, EXTENT, TileMatrixSet
from maps.tiles.shapes import made_valid

Ints = NDArray[np.int64]


def mended_commands(shapes: NDArray[np.object_]) -> tuple[NDArray[np.uint8], Ints]:
    """Commands of polygons in exact tile units, clipped and rounded so that they stay valid; bytes and their bounds.

    Parameters
    ----------
    shapes : (n,) polygons and multipolygons, rows downwards
    """
    low, high = -BUFFER, EXTENT + BUFFER
    near = shapely.clip_by_rect(made_valid(shapes), low, low, high, high)
    rounded = shapely.set_precision(made_valid(near), 1.0)
    parts, owner = shapely.get_parts(rounded, return_index=True)
    while (shapely.get_type_id(parts) > 3).any():  # clipping leaves collections of multipolygons
        parts, place = shapely.get_parts(parts, return_index=True)
        owner = owner[place]
    areal = shapely.get_type_id(parts) == 3
    parts, owner = parts[areal], owner[areal]
    # What is smaller or thinner than a unit is drawn as a square of one, on the spot.
    flat = np.setdiff1d(np.flatnonzero(~shapely.is_empty(near)), owner)
    if len(flat):
        corner = np.clip(np.floor(shapely.get_coordinates(shapely.point_on_surface(near[flat]))), low, high - 1)
        squares = shapely.box(corner[:, 0], corner[:, 1], corner[:, 0] + 1, corner[:, 1] + 1)
        parts, owner = np.append(parts, squares), np.append(owner, flat)
        order = np.argsort(owner, kind="stable")
        parts, owner = parts[order], owner[order]
    parts = shapely.orient_polygons(parts)
    # On the tile rows run downwards, so rings that turn left on paper are the outer ones' mirror: positive by the
    # surveyor's formula, as the encoder wants them.
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    xy, ring_of_vertex = shapely.get_coordinates(rings, return_index=True)
    last = np.append(ring_of_vertex[1:] != ring_of_vertex[:-1], True) if len(xy) else np.empty(0, dtype=bool)
    xy, ring_of_vertex = np.rint(xy[~last]).astype(np.int64), ring_of_vertex[~last]
    ring_start = np.searchsorted(ring_of_vertex, np.arange(len(rings) + 1)).astype(np.int64)
    polygon_of_ring = owner[part_of_ring] if len(rings) else np.empty(0, dtype=np.int64)
    polygon_start = np.searchsorted(polygon_of_ring, np.arange(len(shapes) + 1)).astype(np.int64)
    return put_polygons(np.ascontiguousarray(xy[:, 0]), np.ascontiguousarray(xy[:, 1]), ring_start, polygon_start)


def in_tile_units(cells: NDArray[np.uint32], matrices: TileMatrixSet, z: int, x: int, y: int) -> NDArray[np.float64]:
    """Exact tile units of cells, (n, 2)."""
    columns = cells[:, 0].astype(np.float64) * (2.0 ** (z + matrices.deeper - 32)) - x
    if matrices.geographic:
        rows = (90.0 - from_grid(cells)[:, 1]) / 180.0 * 2.0**z - y
    else:
        rows = cells[:, 1].astype(np.float64) * (2.0 ** (z - 32)) - y
    return np.column_stack([columns, rows]) * EXTENT
