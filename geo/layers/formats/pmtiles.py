"""PMTiles: one file of vector tiles that a web page shows without a server.

The driver drops detail and features from tiles above its limits; here the limits are out of the way and the lowest
zoom is chosen so that a tile holds a sensible number of features, so that every row is in the tiles of every zoom.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from geo.errors import InvalidParameter
from geo.layers.dictionary import NameRules
from geo.layers.formats.job import Job, told, write_with_gdal
from geo.layers.formats.stream import Dialect, outgoing

MAX_ZOOM = 14
# A tile of zoom 14 is 2.4 km wide on the equator: 0.15 m a step.
_STEPS = 16_384
_ROWS_PER_TILE = 4_000
_NAMES = NameRules(reserved=frozenset({"mvt_id", "id", "geometry"}))


def lowest_zoom(rows: int, bounds: tuple[float, float, float, float]) -> int:
    """The zoom at which the layer is half a tile wide and a tile holds at most some thousand rows on the average.

    Parameters
    ----------
    bounds : west, south, east, north in degrees
    """
    west, south, east, north = bounds
    width = max((east - west) / 360, 1e-9)
    tall = [math.asinh(math.tan(math.radians(max(-85.0, min(85.0, lat))))) for lat in (south, north)]
    height = max((tall[1] - tall[0]) / (2 * math.pi), 1e-9)
    for zoom in range(MAX_ZOOM):
        across = 2**zoom
        tiles = max(1.0, across * width) * max(1.0, across * height)
        if max(width, height) * across >= 0.5 and rows / tiles <= _ROWS_PER_TILE:
            return zoom
    return MAX_ZOOM


def write_pmtiles(job: Job) -> Iterator[str]:
    """Tiles in Web Mercator from the lowest sensible zoom to 14."""
    bounds = job.spool.bounds
    if bounds is None:
        raise InvalidParameter("没有带几何的行，不能生成切片", where=job.spool.layer.name, remedy="请检查筛选条件")
    dialect = Dialect(date="text", promote=False, collections=False)
    rows = outgoing(job.spool, job.columns(_NAMES), dialect, job.crs, without_geometry=False)
    lowest = lowest_zoom(job.spool.rows, bounds)
    said = "；".join(f"{label}：{value}" for label, value in job.about.rows())
    write_with_gdal(
        rows,
        job.path,
        "PMTiles",
        job.spool.layer.name,
        job.crs_text,
        dataset_options={
            "NAME": job.spool.layer.zh,
            "DESCRIPTION": said,
            "TYPE": "overlay",
            "MINZOOM": str(lowest),
            "MAXZOOM": str(MAX_ZOOM),
            "EXTENT": str(_STEPS),
            "MAX_SIZE": str(2**30),
            "MAX_FEATURES": str(2**30),
        },
    )
    yield f"切片级别 {lowest} 至 {MAX_ZOOM}，坐标取整到约 0.15 米，只供显示，不用于量算"
    if job.spool.without_geometry:
        yield f"{job.spool.without_geometry} 行没有几何，不在切片中"
    yield from told(rows)
