"""The nearest rows to a point, by their exact distance on the ellipsoid; the same way over either store."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import shapely
from pyproj import CRS

from geo.crs import STORAGE_CRS, reproject
from geo.errors import InvalidParameter
from geo.store.asking import visible_layer
from geo.store.base import EVERYTHING, Query, Scope, Store

_FIRST_M = 300.0
_FARTHEST_M = 300_000.0  # beyond, a plane about the point tells distances of edges no more exactly
_DEGREE_M = 110_500.0  # no degree of latitude is shorter
MOST_NEAREST = 1000


@dataclass(frozen=True, slots=True)
class Near:
    """A row and how far it is: 0 where the point lies in it."""

    key: str
    distance_m: float


def nearest(store: Store, query: Query, lon: float, lat: float, number: int, scope: Scope = EVERYTHING) -> list[Near]:
    """The rows of a query that lie nearest to a point, nearest first, rows as far by their keys.

    A box about the point is widened until it surely holds enough rows; distances are taken in the azimuthal
    equidistant projection about the point, where they are those of the ellipsoid.

    Parameters
    ----------
    lon, lat : EPSG:4490
    number : at most so many rows, 1 to ``MOST_NEAREST``; none farther than 300 km

    Raises
    ------
    NotFound, InvalidParameter
        As ``Store.read``; also a layer without geometry, a point that is none.
    """
    layer = visible_layer(query.layer, scope)
    if layer.geometry is None:
        raise InvalidParameter(f"图层“{layer.zh}”没有几何", where=layer.name, remedy="请选有几何的图层")
    if not (math.isfinite(lon) and math.isfinite(lat) and abs(lon) <= 180 and abs(lat) <= 89):
        raise InvalidParameter("点的经纬度无效", where="lon,lat", remedy="例如 lon=120.1&lat=31.3")
    if not 1 <= number <= MOST_NEAREST:
        raise InvalidParameter(f"个数应为 1 至 {MOST_NEAREST}", where="k")
    here = CRS.from_proj4(f"+proj=aeqd +lat_0={lat!r} +lon_0={lon!r} +ellps=GRS80 +units=m")
    reach_m = _FIRST_M
    while True:
        across = min(reach_m / (_DEGREE_M * math.cos(math.radians(min(abs(lat) + reach_m / _DEGREE_M, 89.0)))), 180.0)
        along = reach_m / _DEGREE_M
        box = (max(lon - across, -180.0), max(lat - along, -90.0), min(lon + across, 180.0), min(lat + along, 90.0))
        if query.bbox is not None:
            box = (*map(max, box[:2], query.bbox[:2]), *map(min, box[2:], query.bbox[2:]))  # type: ignore[assignment]
        found = []
        if box[0] <= box[2] and box[1] <= box[3]:
            frame = store.read(replace(query, bbox=box, columns=(), limit=None, after=None, sort=()), scope)
            shapes = reproject(np.asarray(frame.geometry.array, dtype=object), STORAGE_CRS, here)
            distances = shapely.distance(shapes, shapely.Point(0.0, 0.0))
            found = sorted(
                (float(distance), key)
                for distance, key in zip(distances, frame[layer.key], strict=True)
                if distance <= reach_m
            )
        if len(found) >= number or reach_m >= _FARTHEST_M:
            return [Near(key, distance) for distance, key in found[:number]]
        reach_m = min(reach_m * 3, _FARTHEST_M)
