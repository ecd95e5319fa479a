"""The tables of a search: members of plots, land left over, land that remains of each parcel."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo import crs
from geo.plots.exclusion import Pieces
from geo.plots.forming import Formed, Leftover
from geo.plots.polygons import polygonal

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def plot_id(row: int) -> str:
    """Identifier of the plot in a row of the result."""
    return f"LP{row + 1:04d}"


def members_table(
    formed: list[Formed], eligible: gpd.GeoDataFrame, whole_m2: Floats, pieces: Pieces, lon: float
) -> gpd.GeoDataFrame:
    """One row for each plot and parcel: the land of the parcel in the plot, and its share of the parcel.

    Parameters
    ----------
    eligible : (n) parcels with ``parcel_id``, in the order of ``pieces.parcel``
    whole_m2 : (n,) their ellipsoidal areas
    """
    land = [part for plot in formed for part in plot.land]
    plot = np.repeat(np.arange(len(formed)), [len(one.land) for one in formed])
    parcel = pieces.parcel[np.array([part.piece for part in land], dtype=np.int64)]
    area = np.array([part.area_m2 for part in land], dtype=np.float64)
    key, place = np.unique(np.column_stack([plot, parcel]).reshape(-1, 2), axis=0, return_inverse=True)
    rows = key[:, 1]
    held = np.bincount(place.ravel(), area, minlength=len(key))
    plots = np.array([plot_id(row) for row in range(len(formed))], dtype=object)[key[:, 0]]
    identity = eligible["parcel_id"].to_numpy(dtype=object)[rows]
    table = pd.DataFrame(
        {
            "plot_id": plots,
            "parcel": rows,
            "area_m2": held,
            "parcel_id": identity,
            "share": held / np.where(whole_m2[rows] > 0, whole_m2[rows], np.nan),
            "member_id": [f"{one}/{other}" for one, other in zip(plots, identity, strict=True)],
        }
    )
    geometry = _merged(np.array([part.geometry for part in land], dtype=object), place.ravel(), len(key))
    return gpd.GeoDataFrame(table, geometry=_stored(geometry, lon), crs=crs.STORAGE_CRS)


def land_left(
    eligible: gpd.GeoDataFrame, whole_m2: Floats, pieces: Pieces, area_m2: Floats, lon: float
) -> gpd.GeoDataFrame:
    """What remains of each eligible parcel, one row a parcel that has any land left."""
    rows, place = np.unique(pieces.parcel, return_inverse=True)
    left = np.bincount(pieces.parcel, area_m2, minlength=len(eligible))[rows]
    columns = {
        "parcel_id": eligible["parcel_id"].to_numpy(dtype=object)[rows],
        "area_m2": left,
        "cut_m2": np.maximum(whole_m2[rows] - left, 0.0),
    }
    geometry = _merged(pieces.geometry, place, len(rows), dissolve=False)
    return gpd.GeoDataFrame(columns, geometry=_stored(geometry, lon), crs=crs.STORAGE_CRS)


def leftovers_table(
    leftovers: list[Leftover], pieces: Pieces, eligible: gpd.GeoDataFrame, lon: float
) -> gpd.GeoDataFrame:
    """Land that is in no plot, with the reason and the land of the group that it belongs to."""
    piece = np.array([one.land.piece for one in leftovers], dtype=np.int64)
    columns = {
        "leftover_id": [f"LO{number:06d}" for number in range(1, len(leftovers) + 1)],
        "parcel_id": eligible["parcel_id"].to_numpy(dtype=object)[pieces.parcel[piece]],
        "reason": np.array([one.reason for one in leftovers], dtype=object),
        "area_m2": np.array([one.land.area_m2 for one in leftovers], dtype=np.float64),
        "group_area_m2": np.array([one.group_area_m2 for one in leftovers], dtype=np.float64),
    }
    geometry = np.empty(len(leftovers), dtype=object)
    geometry[:] = [one.land.geometry for one in leftovers]
    return gpd.GeoDataFrame(columns, geometry=_stored(geometry, lon), crs=crs.STORAGE_CRS)


def empty_table(columns: list[str]) -> gpd.GeoDataFrame:
    """A table of these columns without rows."""
    empty = np.empty(0, dtype=object)
    return gpd.GeoDataFrame(dict.fromkeys(columns, empty), geometry=empty, crs=crs.STORAGE_CRS)


def _merged(geometries: Geometries, group: Ints, groups: int, *, dissolve: bool = True) -> Geometries:
    """One geometry for each group; most groups are a single one."""
    result = np.empty(groups, dtype=object)
    order = np.argsort(group, kind="stable")
    first, size = np.unique(group, return_index=True, return_counts=True)[1:]
    result[:] = geometries[first]
    start = np.cumsum(size) - size
    for row in np.flatnonzero(size > 1):
        mine = geometries[order[start[row] : start[row] + size[row]]]
        result[row] = shapely.union_all(mine) if dissolve else shapely.multipolygons(mine)
    return result


def _stored(geometries: Geometries, lon: float) -> Geometries:
    """In EPSG:4490; what folds where coordinates are rounded there is made valid."""
    if len(geometries) == 0:
        return geometries
    stored = crs.to_storage(geometries, lon)
    folded = ~shapely.is_valid(stored)
    stored[folded] = polygonal(shapely.make_valid(stored[folded], method="structure", keep_collapsed=False))
    return stored
