"""Coordinate reference systems by reference (OGC 18-058r1): their addresses, their axes, geometry out of them."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from pyproj.exceptions import ProjError

from geo.crs import STORAGE_CRS, reproject
from geo.errors import InvalidParameter
from geo.store.geojson import axes_swapped, is_in_degrees

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
STORAGE_URI = f"{_EPSG}4490"
# CGCS2000 in degrees, its 3-degree zones with the zone in the easting (4513 …) and without (4534 …), web mercator.
_CODES = (4490, 4326, *range(4513, 4534), *range(4534, 4555), 3857)
SYSTEMS: tuple[str, ...] = (CRS84, *(f"{_EPSG}{code}" for code in _CODES))
_ALONG = 8  # points on each side of a box that becomes curved


def known_system(text: str, where: str) -> str | None:
    """``EPSG:n`` of an address, ``None`` for CRS84.

    Raises
    ------
    InvalidParameter
        Not one of ``SYSTEMS`` (/req/crs/fc-crs-valid-value, /req/crs/fc-bbox-crs-valid-value).
    """
    if text == CRS84 or text == "CRS84" or text == "OGC:CRS84":
        return None
    code = text.removeprefix(_EPSG).removeprefix("EPSG:")
    if code != text and code in {str(known) for known in _CODES}:
        return f"EPSG:{code}"
    raise InvalidParameter(
        f"不支持坐标系“{text[:80]}”", where=where, remedy=f"可用的坐标系见图层说明的 crs，例如 {STORAGE_URI}"
    )


def address_of(crs: str | None) -> str:
    """The address of ``EPSG:n``, of CRS84 where it is ``None``."""
    return CRS84 if crs is None else f"{_EPSG}{crs.removeprefix('EPSG:')}"


@lru_cache(maxsize=64)
def content_crs(crs: str | None) -> str:
    """The value of the header ``Content-Crs`` (/req/crs/ogc-crs-header-value)."""
    return f"<{address_of(crs)}>"


def to_lon_lat(geometry: dict[str, Any], crs: str | None, where: str) -> dict[str, Any]:
    """A GeoJSON geometry, or ``{"bbox": [...]}``, of another system in longitude and latitude (EPSG:4490).

    Raises
    ------
    InvalidParameter
        Coordinates that the system cannot have.
    """
    if crs is None:
        return geometry
    wrong = InvalidParameter("几何坐标无效，或不在所指坐标系的范围内", where=where, remedy=f"请检查 {crs} 的坐标与轴序")
    try:
        if "bbox" in geometry:
            west, south, east, north = (float(value) for value in geometry["bbox"])
            shape = shapely.box(west, south, east, north)
            shape = shapely.segmentize(shape, max(east - west, north - south) / _ALONG)
        else:
            shape = shapely.from_geojson(json.dumps(geometry, allow_nan=False))
        shapes = np.array([shape], dtype=object)
        if axes_swapped(crs):
            shapes = shapely.transform(shapes, lambda xy: xy[:, ::-1])
        if not is_in_degrees(crs):
            shapes = reproject(shapes, crs, STORAGE_CRS)
    except (shapely.errors.GEOSException, ProjError, ValueError, TypeError, KeyError, RecursionError):
        raise wrong from None
    if not (np.abs(shapely.get_coordinates(shapes)) <= (180.0, 90.0)).all():
        raise wrong
    told: dict[str, Any] = json.loads(shapely.to_geojson(shapes[0]))
    return told


def box_condition(values: tuple[float, float, float, float], crs: str | None) -> dict[str, Any] | bool:
    """A box that is not plain west–south–east–north degrees as a CQL2 condition on ``geom``.

    One that crosses the antimeridian (west > east) is two.
    """
    first, second, third, fourth = values
    if crs is not None and not is_in_degrees(crs):
        if first > third or second > fourth:
            raise InvalidParameter("bbox 的次序应为：最小、最小、最大、最大", where="bbox")
        return _meets(to_lon_lat({"bbox": list(values)}, crs, "bbox"))
    west, south, east, north = values if crs is None or not axes_swapped(crs) else (second, first, fourth, third)
    if south > north:
        raise InvalidParameter("bbox 的南应不大于北", where="bbox")
    spans = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
    parts = [_meets(json.loads(shapely.to_geojson(_box_or_less(a, south, b, north)))) for a, b in spans]
    return parts[0] if len(parts) == 1 else {"op": "or", "args": parts}


def plain_box(values: tuple[float, float, float, float], crs: str | None) -> tuple[float, float, float, float] | None:
    """A box as west, south, east, north in degrees where it is one, else ``None``."""
    first, second, third, fourth = values
    if crs is None:
        box = values
    elif is_in_degrees(crs):
        box = (second, first, fourth, third)
    else:
        return None
    return box if box[0] <= box[2] and box[1] <= box[3] else None


def _box_or_less(west: float, south: float, east: float, north: float) -> shapely.Geometry:
    """A box, or the line or point that it has shrunk to."""
    west, east = (max(min(value, 180.0), -180.0) for value in (west, east))
    south, north = (max(min(value, 90.0), -90.0) for value in (south, north))
    if west < east and south < north:
        return shapely.box(west, south, east, north)
    if math.isclose(west, east) and math.isclose(south, north):
        return shapely.Point(west, south)
    return shapely.LineString([(west, south), (east, north)])


def _meets(geometry: dict[str, Any]) -> dict[str, Any]:
    return {"op": "s_intersects", "args": [{"property": "geom"}, geometry]}
