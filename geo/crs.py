"""CGCS2000: the metric zone of a layer, ellipsoidal area, and what a coordinate range says about its system.

Sources: EPSG registry for the codes (3-degree zone n: central meridian 3n, zone form 4488+n with the zone in the
easting, CM form 4509+n); the area formula of the national land survey (椭球面积, trapezoids between an edge and the
meridian), rewritten with the exact authalic function, to which the survey's five-term series agrees to 1e-12.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer

STORAGE_CRS = "EPSG:4490"  # CGCS2000; axis order longitude, latitude everywhere in this project

SEMI_MAJOR_M = 6_378_137.0
FLATTENING = 1 / 298.257222101  # CGCS2000
_E2 = FLATTENING * (2 - FLATTENING)
_E = np.sqrt(_E2)

# What CGCS2000 covers with 3-degree zones 25 … 45.
CHINA_LON = (73.0, 136.0)
CHINA_LAT = (3.0, 54.0)


def metric_crs(lon: float) -> CRS:
    """The local 3-degree Gauss–Krüger system (CM form, easting first when ``always_xy``) for a longitude.

    Inside China this is EPSG:4534…4554 (CGCS2000 / 3-degree Gauss-Kruger CM 75E…135E); elsewhere the same projection
    on the same ellipsoid with the nearest multiple of 3 degrees as central meridian.
    """
    zone = round(lon / 3)
    if 25 <= zone <= 45:
        return CRS.from_epsg(4509 + zone)
    return CRS.from_proj4(f"+proj=tmerc +lat_0=0 +lon_0={3 * zone} +k=1 +x_0=500000 +y_0=0 +ellps=GRS80 +units=m")


@lru_cache(maxsize=64)
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(CRS.from_user_input(source), CRS.from_user_input(target), always_xy=True)


def reproject(geometries: NDArray[np.object_], source: CRS | str, target: CRS | str) -> NDArray[np.object_]:
    """Geometries in another system, x (easting, longitude) first, Z dropped.

    Parameters
    ----------
    geometries : (n,) object array of shapely geometries, ``None`` passed through
    source, target : CRS
    """
    transformer = _transformer(CRS.from_user_input(source).to_wkt(), CRS.from_user_input(target).to_wkt())

    def forward(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = transformer.transform(xy[:, 0], xy[:, 1])
        return np.column_stack([x, y])

    return shapely.transform(shapely.force_2d(geometries), forward)


def to_metric(geometries: NDArray[np.object_], lon: float) -> NDArray[np.object_]:
    """Stored geometries (EPSG:4490) in the metric system of longitude ``lon``."""
    return reproject(geometries, STORAGE_CRS, metric_crs(lon))


def to_storage(geometries: NDArray[np.object_], lon: float) -> NDArray[np.object_]:
    """The way back from the metric system of longitude ``lon`` to EPSG:4490."""
    return reproject(geometries, metric_crs(lon), STORAGE_CRS)


def central_longitude(geometries: NDArray[np.object_]) -> float:
    """Longitude of the middle of all geometries in EPSG:4490; it chooses the metric zone of a run."""
    west, _, east, _ = shapely.total_bounds(geometries)
    return float((west + east) / 2)


def _authalic(lat_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Area in m² per radian of longitude between the equator and a latitude on CGCS2000."""
    s = np.sin(lat_rad)
    b2 = (SEMI_MAJOR_M * (1 - FLATTENING)) ** 2
    return b2 / 2 * (s / (1 - _E2 * s * s) + np.arctanh(_E * s) / _E)


def ellipsoidal_area(geometries: NDArray[np.object_]) -> NDArray[np.float64]:
    """Ellipsoidal area in m² on CGCS2000, edges straight in longitude and latitude.

    Parameters
    ----------
    geometries : (n,) object array of polygons or multipolygons in EPSG:4490, longitude first
        ``None``, empty geometries and other types count 0.

    Returns
    -------
    (n,) float64 array, m²

    Notes
    -----
    Every edge contributes the exact area between itself and the equator, written as ΔL times the mean of the authalic
    function along the edge (three-point Gauss–Legendre, 1e-14 relative for edges of parcels); rings are summed by
    their own orientation, so that holes subtract whatever the order of their points.
    Source: 第三次全国国土调查技术规程, 椭球面积计算.
    """
    geometries = np.asarray(geometries, dtype=object)
    polygons, owner = shapely.get_parts(geometries, return_index=True)
    is_polygon = shapely.get_type_id(polygons) == shapely.GeometryType.POLYGON
    polygons, owner = polygons[is_polygon], owner[is_polygon]
    result = np.zeros(len(geometries))
    if len(polygons) == 0:
        return result
    rings, polygon_of_ring = shapely.get_rings(polygons, return_index=True)
    xy, ring_of_point = shapely.get_coordinates(rings, return_index=True)
    rad = np.radians(xy)
    same_ring = ring_of_point[1:] == ring_of_point[:-1]
    lon, lat = rad[:, 0], rad[:, 1]
    d_lon, d_lat = np.diff(lon), np.diff(lat)
    middle = lat[:-1] + d_lat / 2
    # A common reference keeps the sums small; closed rings have Σ ΔL = 0, so it cancels.
    reference = _authalic(np.array([lat[0]]))[0]
    reach = d_lat / 2 * np.sqrt(3 / 5)
    mean = (5 * _authalic(middle - reach) + 8 * _authalic(middle) + 5 * _authalic(middle + reach)) / 18
    contribution = np.where(same_ring, d_lon * (mean - reference), 0.0)
    ring_area = np.abs(np.bincount(ring_of_point[:-1], contribution, minlength=len(rings)))
    first = np.r_[True, polygon_of_ring[1:] != polygon_of_ring[:-1]]  # a polygon's first ring is its shell
    signed = np.where(first, ring_area, -ring_area)
    np.add.at(result, owner[polygon_of_ring], signed)
    return result


def candidates_in_china(bounds: tuple[float, float, float, float]) -> list[str]:
    """The CGCS2000 systems in which these bounds would lie inside China, most likely first.

    Parameters
    ----------
    bounds : (minx, miny, maxx, maxy) as found in a file without a coordinate system

    Returns
    -------
    list of ``"EPSG:n (name)"``; empty where none fits. Eight-digit eastings carry the zone; six-digit eastings do not
    tell their meridian, so every zone of the country is possible and only the form is named.
    """
    minx, miny, maxx, maxy = bounds
    for west, south, east, north, swapped in ((minx, miny, maxx, maxy, ""), (miny, minx, maxy, maxx, "，但坐标轴颠倒")):
        if CHINA_LON[0] <= west and east <= CHINA_LON[1] and CHINA_LAT[0] <= south and north <= CHINA_LAT[1]:
            return [f"EPSG:4490 (CGCS2000 经纬度{swapped})"]
        if south > 3e5 and north < 6.1e6:
            if west >= 1.3e7 and int(west // 1e6) == int(east // 1e6):
                zone = int(west // 1e6)
                if 25 <= zone <= 45:
                    return [f"EPSG:{4488 + zone} (CGCS2000 3度带 第{zone}带{swapped})"]
                if 13 <= zone <= 23:
                    return [f"EPSG:{4478 + zone} (CGCS2000 6度带 第{zone}带{swapped})"]
            if west > 1e5 and east < 9e5:
                return [f"EPSG:4534…4554 (CGCS2000 3度带 中央经线 75°…135°，需指明中央经线{swapped})"]
    return []
