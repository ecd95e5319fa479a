"""What a plot consists of: idle, inefficient and built-up shares, from findings and buildings on its members."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo import crs


def level_share(members: pd.DataFrame, findings: pd.DataFrame, levels: tuple[str, ...]) -> pd.Series:
    """Share of each plot's land in parcels that have a finding of one of ``levels``; index ``plot_id``."""
    found = members["parcel_id"].isin(findings.loc[findings["level"].isin(levels), "parcel_id"])
    area = members["area_m2"].astype(float)
    return area.where(found, 0.0).groupby(members["plot_id"]).sum() / area.groupby(members["plot_id"]).sum()


def built_area_m2(land: NDArray[np.object_], buildings: gpd.GeoDataFrame) -> NDArray[np.float64]:
    """Ground that buildings cover inside each of (n,) polygons in EPSG:4490, m² in the local 3-degree zone.

    Overlapping footprints count once.
    """
    result = np.zeros(len(land))
    if len(land) == 0 or buildings.empty:
        return result
    footprints = np.asarray(buildings.geometry.array)
    lon = crs.central_longitude(land)
    row, building = shapely.STRtree(footprints).query(land, predicate="intersects")
    if len(row) == 0:
        return result
    used, place = np.unique(building, return_inverse=True)
    covered = shapely.intersection(crs.to_metric(land, lon)[row], crs.to_metric(footprints[used], lon)[place])
    start = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
    unions = [shapely.union_all(group) for group in np.split(covered, start[1:])]
    result[row[start]] = shapely.area(unions)
    return result
