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
from pyproj.exceptions import ProjError
from pyproj.transformer import TransformerGroup

_STORAGE_EPSG = 4490
STORAGE_CRS = "EPSG:4490"  # CGCS2000; axis order longitude, latitude everywhere in this project

SEMI_MAJOR_M = 6_378_137.0
FLATTENING = 1 / 298.257222101  # CGCS2000
_E2 = FLATTENING * (2 - FLATTENING)
_E = np.sqrt(_E2)

# Semi-major axis (m) of the ellipsoids that older Chinese maps stand on: IAU 1975 and Krassowsky 1940.
_CHINESE_DATUMS = {6_378_140.0: "1980 西安坐标系", 6_378_245.0: "1954 北京坐标系"}

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
    here, there = CRS.from_user_input(source), CRS.from_user_input(target)
    if there.to_epsg() == _STORAGE_EPSG and (here.is_bound or _is_classical(here)):
        # PROJ knows no way from these datums to CGCS2000 and would change nothing but the name; to WGS 84, which agrees
        # with CGCS2000 within centimetres, parameters may be known.
        there = CRS.from_epsg(4326)
    return Transformer.from_crs(here, there, always_xy=True)


def _is_classical(crs: CRS) -> bool:
    """Whether a datum is of the time before satellites: its ellipsoid is no geocentric one of 6,378,137 m."""
    return crs.ellipsoid is not None and abs(crs.ellipsoid.semi_major_metre - SEMI_MAJOR_M) > 0.5


def datum_fault(crs: CRS) -> tuple[str, str] | None:
    """Why coordinates on the datum of ``crs`` cannot be brought to CGCS2000, and how to mend it; ``None`` if they can.

    1954 北京坐标系 and 1980 西安坐标系 lie up to hundreds of metres off; the parameters between them and CGCS2000 are
    local and not public, so that they have to be given (``+towgs84``).
    """
    if crs.is_bound or not _is_classical(crs):
        return None
    old = _CHINESE_DATUMS.get(crs.ellipsoid.semi_major_metre) if crs.ellipsoid else None
    ways = [] if old else TransformerGroup(crs, CRS.from_epsg(4326), always_xy=True).transformers
    if ways and "ballpark" not in ways[0].description.lower():
        return None
    return (
        f"坐标系 {crs_name(crs)} 是{old or '旧基准'}，与 CGCS2000 之间没有公开的转换参数（偏差可达百米）",
        "请先用当地参数转换到 CGCS2000，或用 --crs 给出带七参数的 PROJ 定义，例如 "
        "“+proj=tmerc +lon_0=120 +x_0=500000 +a=6378140 +rf=298.257 +towgs84=dx,dy,dz,rx,ry,rz,s”",
    )


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
    Every edge contributes the area between itself and the equator, written as ΔL times the mean of the authalic
    function along the edge (Simpson's rule: 1e-10 relative for an edge of half a degree, below the last digit for
    parcels). Rings count by their place, shells plus and holes minus, whichever way their points run.
    Source: 第三次全国国土调查技术规程, 椭球面积计算.
    """
    polygons: NDArray[np.object_] = np.asarray(geometries, dtype=object)
    owner = np.arange(len(polygons))
    result = np.zeros(len(polygons))
    if (shapely.get_type_id(polygons) != shapely.GeometryType.POLYGON).any():
        polygons, owner = shapely.get_parts(polygons, return_index=True)
        is_polygon = shapely.get_type_id(polygons) == shapely.GeometryType.POLYGON
        polygons, owner = polygons[is_polygon], owner[is_polygon]
    holed = shapely.get_num_interior_rings(polygons) > 0
    # Most parcels have no holes, and their coordinates are those of their one ring.
    np.add.at(result, owner[~holed], _ring_areas(polygons[~holed]))
    rings, polygon_of_ring = shapely.get_rings(polygons[holed], return_index=True)
    first = np.r_[True, polygon_of_ring[1:] != polygon_of_ring[:-1]]  # a polygon's first ring is its shell
    area = _ring_areas(rings)
    np.add.at(result, owner[holed][polygon_of_ring], np.where(first[: len(area)], area, -area))
    return result


def _ring_areas(rings: NDArray[np.object_]) -> NDArray[np.float64]:
    """Area in m² within each of n closed rings (or polygons of one ring) in EPSG:4490, whichever way they run."""
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    if len(xy) == 0:
        return np.zeros(len(rings))
    lon, lat = np.radians(xy).T
    at = _authalic(lat)
    # A common reference keeps the sums small; closed rings have Σ ΔL = 0, so it cancels.
    mean = (at[:-1] + at[1:] + 4 * _authalic((lat[:-1] + lat[1:]) / 2)) / 6 - at[0]
    contribution = np.where(ring[1:] == ring[:-1], np.diff(lon) * mean, 0.0)
    return np.asarray(np.abs(np.bincount(ring[:-1], contribution, minlength=len(rings))))


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


def crs_name(crs: CRS) -> str:
    """``"EPSG:n"`` where that is what the system is, else its own name.

    A system that says it is Gauss–Krüger on CGCS2000 is known by its parameters, whatever it calls itself; a central
    meridian that is no multiple of 3 degrees (a city's own system) stays unknown, however similar its name.
    """
    authority = crs.to_2d().to_authority() if len(crs.axis_info) == 3 else crs.to_authority()
    if authority:
        return ":".join(authority)
    zone = _gauss_kruger(crs)
    if zone is not None and _is_cgcs2000(crs):
        lon, easting_m = zone
        if lon % 3 == 0 and 75 <= lon <= 135:
            codes = {500_000.0: 4509 + lon / 3, lon / 3 * 1e6 + 500_000: 4488 + lon / 3}
            codes |= {(lon + 3) / 6 * 1e6 + 500_000: 4478 + (lon + 3) / 6} if lon % 6 == 3 else {}
            if easting_m in codes:
                return f"EPSG:{codes[easting_m]:.0f}"
    return crs.name


def _is_cgcs2000(crs: CRS) -> bool:
    datum = (crs.datum.name if crs.datum else crs.name).lower().replace("_", " ")
    return any(word in datum for word in ("china 2000", "cgcs", "china geodetic coordinate system 2000"))


def _gauss_kruger(crs: CRS) -> tuple[float, float] | None:
    """Central meridian (degrees) and false easting (m) of a Gauss–Krüger system."""
    operation = crs.coordinate_operation if crs.is_projected else None
    if operation is None or "transverse mercator" not in operation.method_name.lower():
        return None
    values = {each.name.lower(): float(each.value) for each in operation.params}
    if values.get("scale factor at natural origin") != 1 or values.get("false northing") != 0:
        return None
    return values["longitude of natural origin"], values["false easting"]


_ROWS_LOOKED_AT = 5000


def typical_bounds(bounds: NDArray[np.float64]) -> tuple[float, float, float, float] | None:
    """The box of the middle of all rows, so that one wild row does not hide where the layer lies.

    Parameters
    ----------
    bounds : (n, 4) float array as of ``shapely.bounds``; rows that are not finite are passed over

    Returns
    -------
    (minx, miny, maxx, maxy) from the 5th to the 95th percentile, ``None`` where no row is finite
    """
    rows = bounds[np.isfinite(bounds).all(axis=1)]
    if len(rows) == 0:
        return None
    low, high = np.quantile(rows[:, :2], 0.05, axis=0), np.quantile(rows[:, 2:], 0.95, axis=0)
    return float(low[0]), float(low[1]), float(max(high[0], low[0])), float(max(high[1], low[1]))


def contradiction(bounds: NDArray[np.float64], crs: CRS) -> tuple[str, str] | None:
    """What is wrong when most coordinates cannot be in the system that is stated for them.

    Parameters
    ----------
    bounds : (n, 4) float array, the box of every row as it stands in the file, x first
    crs : the system that the file or the user states

    Returns
    -------
    (what is wrong, how to mend it), both in Chinese; ``None`` where most rows lie where the system is used. Single
    rows elsewhere are no contradiction: they are faults of their own.
    """
    try:
        _transformer(crs.to_wkt(), CRS.from_user_input(STORAGE_CRS).to_wkt())
    except ProjError:
        return (
            f"坐标系 {crs_name(crs)} 不能换算为 CGCS2000",
            "请用 --crs 指明实际的坐标系；地方独立坐标系请先用七参数或四参数转换",
        )
    rows = bounds[np.isfinite(bounds).all(axis=1)]
    if len(rows) == 0:
        return None
    rows = rows[:: max(len(rows) // _ROWS_LOOKED_AT, 1)]
    x, y = (rows[:, 0] + rows[:, 2]) / 2, (rows[:, 1] + rows[:, 3]) / 2
    middle = (
        f"约 {np.median(x):,.6g}，{np.median(y):,.6g}"
        if np.abs(x).max() < 400
        else f"约 {np.median(x):,.0f}，{np.median(y):,.0f}"
    )
    name = crs_name(crs)
    degrees = _mostly((np.abs(x) <= 180) & (np.abs(y) <= 90))
    in_china = _mostly(_in_china(x, y))
    if crs.is_geographic and not in_china and _mostly(_in_china(y, x)):
        return f"坐标轴颠倒：坐标（{middle}）先纬度后经度，应为先经度后纬度", "请加 --swap-axes 重新读取"
    if _mostly(_belongs(x, y, crs)) and not (crs.is_projected and degrees):
        return None
    likely = candidates_in_china(typical_bounds(rows) or (0, 0, 0, 0))
    option = _option(likely, crs)
    if crs.is_projected and not degrees and _mostly(_belongs(y, x, crs)):
        return f"坐标轴颠倒：坐标（{middle}）先北后东，应为先东后北", "请加 --swap-axes 重新读取"
    fits = f"；坐标与 {'、'.join(likely)} 相符" if likely else ""
    remedy = f"若坐标无误，请用 {option} 指明实际的坐标系" if option else "请用 --crs 指明实际的坐标系，或检查数据"
    if crs.is_projected and degrees:
        return f"坐标系 {name} 以米计，坐标却像经纬度（{middle}）{fits}", remedy
    if crs.is_geographic and not degrees:
        return f"坐标系 {name} 是经纬度，坐标却超出经纬度范围（{middle}）{fits}", remedy
    zone = _gauss_kruger(crs)
    if zone is not None and zone[1] == 500_000 and np.median(x) >= 1e7:
        return f"东坐标带有带号（{middle}），坐标系 {name} 却不带带号{fits}", remedy
    if zone is not None and zone[1] >= 1e7 and 0 < np.median(x) < 1e6:
        return f"东坐标不带带号（{middle}），坐标系 {name} 却要求以带号 {zone[1] // 1e6:.0f} 开头{fits}", remedy
    return f"坐标（{middle}）在坐标系 {name} 的适用范围之外{fits}", remedy


def _mostly(rows: NDArray[np.bool_]) -> bool:
    return bool(rows.mean() >= 0.5)


def _in_china(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.bool_]:
    return (lon >= CHINA_LON[0]) & (lon <= CHINA_LON[1]) & (lat >= CHINA_LAT[0]) & (lat <= CHINA_LAT[1])


def _option(likely: list[str], crs: CRS) -> str | None:
    """The options of the command line that would read the coordinates as the likely system."""
    if not likely:
        return None
    code, swap = likely[0].split()[0], " --swap-axes" if "颠倒" in likely[0] else ""
    if "…" in code:
        zone = _gauss_kruger(crs)
        if zone is None or zone[0] % 3 != 0 or not 75 <= zone[0] <= 135:
            return None
        code = f"EPSG:{4509 + zone[0] / 3:.0f}"
    return f"--crs {code}{swap}"


def _belongs(x: NDArray[np.float64], y: NDArray[np.float64], crs: CRS) -> NDArray[np.bool_]:
    """Where a system is used, with room for districts that reach over the edge of their zone."""
    lon, lat = x, y
    inside = np.ones(len(x), dtype=bool)
    if not crs.is_geographic:
        base = crs.geodetic_crs
        if base is None:
            return inside
        try:
            there = _transformer(crs.to_wkt(), base.to_wkt())
            lon, lat = there.transform(x, y)
            back_x, back_y = there.transform(lon, lat, direction="INVERSE")
        except ProjError:
            return inside
        # Coordinates beyond the projection come back as others, or not at all.
        with np.errstate(invalid="ignore"):
            inside = np.isfinite(lon) & (np.abs(back_x - x) < 1000) & (np.abs(back_y - y) < 1000)
    west, south, east, north = _area(crs)
    return inside & (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)


def _area(crs: CRS) -> tuple[float, float, float, float]:
    margin = 3.0
    west, south, east, north = -180.0, -90.0, 180.0, 90.0
    name = crs_name(crs)
    known = CRS.from_user_input(name).area_of_use if name.startswith("EPSG:") else crs.area_of_use
    zone = _gauss_kruger(crs)
    if zone is not None:
        # A 6-degree zone reaches 3 degrees to either side; districts keep one system across a border.
        west, east = zone[0] - 4.5, zone[0] + 4.5
        south, north = (CHINA_LAT[0], CHINA_LAT[1] + margin) if _is_cgcs2000(crs) else (-90.0, 90.0)
    elif _is_cgcs2000(crs):
        west, east, south, north = CHINA_LON[0] - margin, CHINA_LON[1] + margin, CHINA_LAT[0], CHINA_LAT[1] + margin
    elif known is not None and known.west <= known.east:
        west, south = max(known.west - margin, -180), max(known.south - margin, -90)
        east, north = min(known.east + margin, 180), min(known.north + margin, 90)
    return west, south, east, north
