"""What overlay leaves behind, brought back to polygons: parts, collections, empties, owners."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from geo import crs

Geometries = NDArray[np.object_]
Ints = NDArray[np.int64]

# Below a square millimetre an overlay of neighbours drawn along one edge has only met their rounding.
ROUNDING_M2 = 1e-6
EMPTY = shapely.from_wkt("POLYGON EMPTY")


def polygonal_parts(geometries: Geometries) -> Geometries:
    """Every polygon in (n,) geometries; points and lines that overlay leaves behind are passed over."""
    parts = shapely.get_parts(shapely.get_parts(geometries))
    return parts[(shapely.get_type_id(parts) == shapely.GeometryType.POLYGON) & ~shapely.is_empty(parts)]


def polygonal(geometries: Geometries) -> Geometries:
    """(n,) geometries without the points and lines that overlay leaves in collections."""
    result = geometries.copy()
    for row in np.flatnonzero(shapely.get_type_id(result) == shapely.GeometryType.GEOMETRYCOLLECTION):
        result[row] = shapely.multipolygons(polygonal_parts(result[[row]]))
    result[shapely.get_dimensions(result) < 2] = EMPTY
    return result


def parts_with_owner(geometries: Geometries) -> tuple[Geometries, Ints]:
    """(m,) polygons of (n,) geometries, and the row that each belongs to, ascending."""
    plain = (shapely.get_type_id(geometries) == shapely.GeometryType.POLYGON) & ~shapely.is_empty(geometries)
    if plain.all():
        return geometries, np.arange(len(geometries), dtype=np.int64)
    parts, owner = shapely.get_parts(geometries, return_index=True)
    deeper, inner = shapely.get_parts(parts, return_index=True)
    polygon = (shapely.get_type_id(deeper) == shapely.GeometryType.POLYGON) & ~shapely.is_empty(deeper)
    return deeper[polygon], owner[inner][polygon].astype(np.int64)


def none_without_area(geometries: Geometries) -> Geometries:
    """Geometries that have area; ``None`` in place of those that only rounding has left."""
    result = geometries.copy()
    result[shapely.area(geometries) <= ROUNDING_M2] = None
    return result


def union_by(owner: Ints, geometries: Geometries) -> tuple[Ints, Geometries]:
    """Owners that occur, ascending, and the union of the geometries of each."""
    order = np.argsort(owner, kind="stable")
    rows, start, count = np.unique(owner[order], return_index=True, return_counts=True)
    ordered = geometries[order]
    merged = ordered[start]
    for place in np.flatnonzero(count > 1):
        merged[place] = shapely.union_all(ordered[start[place] : start[place] + count[place]])
    return rows.astype(np.int64), merged


def in_metres(geometries: Geometries, lon: float) -> Geometries:
    """(n,) geometries of EPSG:4490 in the metric zone of a longitude; what folds on the way is made valid.

    A border that is valid in degrees can cross itself by a nanometre in metres, and overlay would fail on it.
    """
    moved = np.asarray(crs.to_metric(geometries, lon), dtype=object)
    folded = np.flatnonzero((shapely.get_dimensions(moved) == 2) & ~shapely.is_valid(moved))
    if len(folded):
        moved = moved.copy()
        moved[folded] = polygonal(shapely.make_valid(moved[folded], method="structure", keep_collapsed=False))
    return moved
