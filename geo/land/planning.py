"""The planned use of each parcel, by the zone that a point inside it lies in."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray


def planned_land_uses(parcels: gpd.GeoDataFrame, zoning: gpd.GeoDataFrame) -> NDArray[np.object_]:
    """Planned use at a point inside each parcel.

    Parameters
    ----------
    parcels, zoning : frames in the same system; ``zoning`` with ``land_use``

    Returns
    -------
    uses : (n,) text, ``None`` where no zone lies; of zones that overlap there the first that has a use
    """
    zones = zoning[zoning["land_use"].notna()]
    point = shapely.point_on_surface(np.asarray(parcels.geometry.array))
    row, zone = shapely.STRtree(np.asarray(zones.geometry.array)).query(point, predicate="intersects")
    uses = np.full(len(parcels), None, dtype=object)
    order = np.lexsort((zone, row))[::-1]  # the first zone is written last
    uses[row[order]] = zones["land_use"].to_numpy(dtype=object)[zone[order]]
    return uses
