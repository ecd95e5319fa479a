"""Land split by lines that take no area."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.plots.polygons import union_by

Geometries = NDArray[np.object_]


def split_along(land: Geometries, lines: Geometries) -> Geometries:
    """Polygons split by lines without width; a line that leaves the polygon in one piece changes nothing.

    Parameters
    ----------
    land : (n,) polygons or multipolygons
    lines : (m,) lines

    Returns
    -------
    (n,) the same objects where nothing was split, multipolygons of the parts elsewhere
    """
    if len(lines) == 0 or len(land) == 0:
        return land
    # A long line is taken edge by edge, so that a parcel meets the few metres of it that are near, not all of it.
    edges = _edges(lines)
    edge, row = shapely.STRtree(land).query(edges, predicate="intersects")
    if len(row) == 0:
        return land
    result = land.copy()
    rows, across = union_by(row, edges[edge])
    noded = shapely.union(shapely.boundary(land[rows]), across)
    faces, owner = shapely.get_parts(shapely.polygonize(noded.reshape(-1, 1)), return_index=True)
    inside = shapely.contains_xy(
        land[rows][owner], *shapely.get_coordinates(shapely.point_on_surface(faces)).T
    )  # fmt: skip
    faces, owner = faces[inside], owner[inside]
    several = np.bincount(owner, minlength=len(rows)) > shapely.get_num_geometries(land[rows])
    chosen = several[owner]
    result[rows[several]] = shapely.multipolygons(
        faces[chosen], indices=np.searchsorted(np.flatnonzero(several), owner[chosen])
    )
    return result


def _edges(lines: Geometries) -> Geometries:
    """Every edge of the lines as a line of its own."""
    points, of_line = shapely.get_coordinates(shapely.get_parts(lines), return_index=True)
    start = np.flatnonzero(of_line[1:] == of_line[:-1])
    return np.asarray(shapely.linestrings(np.stack([points[start], points[start + 1]], axis=1)))
