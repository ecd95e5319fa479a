"""The ground that barriers take: polygons as they are, lines widened to their width."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def widths_m(barriers: gpd.GeoDataFrame) -> Floats:
    """(b,) widths in metres, ``nan`` where unknown."""
    return np.asarray(barriers["width_m"].to_numpy(dtype=float, na_value=np.nan))


def barrier_ground(barriers: gpd.GeoDataFrame) -> Geometries:
    """The ground a barrier takes: its polygon, or its line widened by half its width with flat ends.

    A dead end does not reach past its last point; where several lines meet, ``joints`` closes the wedge between their
    flat ends. A line without width stays a line.
    """
    geometry = np.asarray(barriers.geometry.array)
    width = widths_m(barriers)
    wide = (shapely.get_dimensions(geometry) == 1) & (width > 0)
    ground = geometry.copy()
    ground[wide] = shapely.buffer(geometry[wide], width[wide] / 2, cap_style="flat", join_style="round")
    return ground


def joints(barriers: gpd.GeoDataFrame) -> tuple[Geometries, Ints]:
    """Discs where ends of several wide lines meet, and the row each belongs to."""
    geometry = np.asarray(barriers.geometry.array)
    width = widths_m(barriers)
    wide = np.flatnonzero((shapely.get_dimensions(geometry) == 1) & (width > 0))
    lines, part_owner = shapely.get_parts(geometry[wide], return_index=True)
    if len(lines) == 0:
        return np.empty(0, dtype=object), np.empty(0, dtype=np.int64)
    ends = np.concatenate([shapely.get_point(lines, 0), shapely.get_point(lines, -1)])
    owner = wide[np.concatenate([part_owner, part_owner])]
    _, place, count = np.unique(
        np.round(shapely.get_coordinates(ends), 3), axis=0, return_inverse=True, return_counts=True
    )
    shared = count[place.ravel()] > 1
    return shapely.buffer(ends[shared], width[owner[shared]] / 2), owner[shared]
