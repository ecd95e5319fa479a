"""Straight-line distance from sites to the terminals of road, rail and water: a first figure, and called that."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from geo import crs

METHOD = "直线距离（未计路网）"
# terminal kind -> column of the site layer
DISTANCES = {
    "motorway_ramp": "motorway_ramp_km",
    "rail_yard": "rail_yard_km",
    "port": "port_km",
    "logistics_hub": "logistics_hub_km",
}


def straight_distances(
    sites: gpd.GeoDataFrame, terminals: gpd.GeoDataFrame | None
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.object_]]]:
    """Distance from the border of each site to the nearest terminal of each kind, and that terminal's name.

    Parameters
    ----------
    sites : (n,) polygons, EPSG:4490
    terminals : canonical ``terminals``, EPSG:4490, or ``None``

    Returns
    -------
    km : column -> (n,) float64, kilometres in the local 3-degree zone, ``nan`` where there is no terminal of the kind
    nearest : column -> (n,) object, name of the nearest terminal or ``None``
    """
    count = len(sites)
    km = {column: np.full(count, np.nan) for column in DISTANCES.values()}
    nearest = {column: np.full(count, None, dtype=object) for column in DISTANCES.values()}
    if count == 0 or terminals is None or terminals.empty:
        return km, nearest
    lon = crs.central_longitude(np.asarray(sites.geometry.array))
    land = crs.to_metric(np.asarray(sites.geometry.array), lon)
    points = crs.to_metric(np.asarray(terminals.geometry.array), lon)
    for kind, column in DISTANCES.items():
        rows = np.flatnonzero(terminals["kind"].to_numpy(dtype=object) == kind)
        if len(rows) == 0:
            continue
        (site, point), distance = shapely.STRtree(points[rows]).query_nearest(
            land, return_distance=True, all_matches=False
        )
        km[column][site] = distance / 1000
        nearest[column][site] = terminals["name"].to_numpy(dtype=object)[rows[point]]
    return km, nearest
