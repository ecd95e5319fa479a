"""The area of rows that are about to be written, in whatever system they are."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from geo.crs import STORAGE_CRS, ellipsoidal_area, reproject


def area_m2(page: gpd.GeoDataFrame, crs: CRS) -> NDArray[np.float64]:
    """(n,) ellipsoidal area in m² of a page in ``crs``: its ``area_m2`` where that is given, else computed."""
    given = page["area_m2"].astype("float64").to_numpy() if "area_m2" in page else np.full(len(page), np.nan)
    missing = np.isnan(given)
    if missing.any():
        given = given.copy()
        given[missing] = ellipsoidal_area(reproject(page.geometry.to_numpy()[missing], crs, STORAGE_CRS))
    return given
