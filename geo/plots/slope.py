"""Ground that is too steep, from an elevation raster: slope in per cent by Horn (1981).

CJJ 83-2016, 4.0.1: the natural slope of land for industry and logistics is below 15 %. Per cent, never degrees. The
raster keeps its own grid: cell sizes are true ground metres, row by row, so that a raster in degrees (whose cells are
narrower in the north) or in Mercator's metres gives the slope of the ground.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Proj, Transformer

from geo import crs as systems
from geo.errors import InvalidInput
from geo.layers.elevation import MAX_CELLS, Elevation, elevation_around
from geo.layers.opening.limits import Limits
from geo.plots.polygons import polygonal_parts
from geo.plots.subdividing import subtract

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_STRIP_CELLS = 2_000_000
# A plane of exactly the limit is not steeper than it; elevations in single precision carry this much rounding.
SLOPE_SLACK_PCT = 1e-3
_SAMPLED_ROWS = 65
# A projection that stretches one direction more than the other has no one cell size.
_MOST_DISTORTION = 0.005
# Borders of cells are straight in the raster's system, not in degrees; over this length the two differ by millimetres.
_EDGE_M = 500.0


@dataclass(frozen=True, slots=True)
class SlopeFacts:
    """What the slope was made from, for the parameters of the run.

    ``cell_m`` width and height of a cell on the ground in the middle of what was read · ``unknown_cells`` without
    elevation · ``not_assessed_m2`` land of the parcels whose slope is not known
    """

    file_name: str
    sha256: str
    crs: str
    cell_m: tuple[float, float]
    rows: int
    columns: int
    lowest_m: float | None
    highest_m: float | None
    unknown_cells: int
    limit_pct: float
    not_assessed_m2: float


@dataclass(frozen=True, slots=True)
class SteepGround:
    """Steep and unknown ground near the parcels, polygons in EPSG:4490.

    ``ground`` steeper than the limit · ``unknown`` without slope: no elevation there or beside it, or beyond the raster
    · ``not_assessed_m2`` (n,) ellipsoidal area of each parcel on unknown ground · ``facts``
    """

    ground: gpd.GeoDataFrame
    unknown: gpd.GeoDataFrame
    not_assessed_m2: Floats
    facts: SlopeFacts


def steep_ground(
    path: Path,
    parcels: gpd.GeoDataFrame,
    limit_pct: float = 15.0,
    *,
    crs: str | None = None,
    max_cells: int = MAX_CELLS,
    limits: Limits | None = None,
) -> SteepGround:
    """Ground of parcels that is steeper than a limit, and ground whose slope is not known.

    Parameters
    ----------
    path : elevation raster (GeoTIFF, ASCII grid)
    parcels : (n) parcels in EPSG:4490; only their bounds are read
    limit_pct : natural slope in per cent; steep is what lies strictly above
    crs, max_cells, limits : as for :func:`geo.layers.elevation.elevation_around`

    Raises
    ------
    InvalidInput
        The raster cannot be used (see ``elevation_around``), or its projection has no one cell size.
    """
    land = np.asarray(parcels.geometry.array)
    west, south, east, north = (float(each) for each in shapely.total_bounds(land))
    with elevation_around(path, (west, south, east, north), crs=crs, max_cells=max_cells, limits=limits) as elevation:
        width_m, height_m = cell_sizes_m(elevation)
        steep, unknown = _masked_ground(elevation, width_m, height_m, limit_pct)
        rows, columns = elevation.values.shape
        unknown = _within_box([*unknown, _beyond(elevation)], _box(elevation, (west, south, east, north)))
        steep_shapes, unknown_shapes = (_stored(shapes, elevation.crs, land) for shapes in (steep, unknown))
        lon = systems.central_longitude(land)
        _, lost = subtract(systems.to_metric(land, lon), systems.to_metric(unknown_shapes, lon))
        not_assessed = np.zeros(len(land))
        under = np.flatnonzero(~shapely.is_missing(lost))
        if len(under):
            not_assessed[under] = systems.ellipsoidal_area(systems.to_storage(lost[under], lon))
        facts = SlopeFacts(
            elevation.file_name, elevation.sha256, systems.crs_name(elevation.crs),
            (round(float(width_m[rows // 2]), 3), round(float(height_m[rows // 2]), 3)), rows, columns,
            elevation.lowest_m, elevation.highest_m, rows * columns - elevation.known_cells, limit_pct,
            float(not_assessed.sum()),
        )  # fmt: skip
    return SteepGround(_frame(steep_shapes), _frame(unknown_shapes), not_assessed, facts)


def slope_pct(elevation_m: Floats, width_m: Floats, height_m: Floats) -> Floats:
    """Slope in per cent by Horn (1981): differences over the eight neighbours, those beside weighted twice.

    Parameters
    ----------
    elevation_m : (r + 2, c + 2) elevation with one cell around, north up, ``nan`` where unknown
    width_m, height_m : (r,) ground size of the cells of each row

    Returns
    -------
    (r, c) per cent, ``nan`` where any of the nine cells is unknown
    """
    z = np.asarray(elevation_m, dtype=np.float64)
    north, south = z[:-2, :-2] + 2 * z[:-2, 1:-1] + z[:-2, 2:], z[2:, :-2] + 2 * z[2:, 1:-1] + z[2:, 2:]
    west, east = z[:-2, :-2] + 2 * z[1:-1, :-2] + z[2:, :-2], z[:-2, 2:] + 2 * z[1:-1, 2:] + z[2:, 2:]
    across = (east - west) / (8 * width_m[:, None])
    along = (north - south) / (8 * height_m[:, None])
    slope: Floats = 100 * np.hypot(across, along)
    # The middle cell has no weight, but ground of unknown height has no known slope.
    slope[np.isnan(z[1:-1, 1:-1])] = np.nan
    return slope


def cell_sizes_m(elevation: Elevation) -> tuple[Floats, Floats]:
    """(rows,) true width and height of the cells of each row on the ground, metres.

    Raises
    ------
    InvalidInput
        The projection stretches the two directions differently.
    """
    a, _, c, _, e, f = elevation.transform
    rows, columns = elevation.values.shape
    y = f + (np.arange(rows) + 0.5) * e
    unit = elevation.crs.axis_info[0].unit_conversion_factor  # radians or metres
    if elevation.crs.is_geographic:
        ellipsoid = elevation.crs.ellipsoid
        assert ellipsoid is not None
        flat = 1 / ellipsoid.inverse_flattening if ellipsoid.inverse_flattening else 0.0
        e2 = flat * (2 - flat)
        lat = y * unit
        bend = 1 - e2 * np.sin(lat) ** 2
        normal = ellipsoid.semi_major_metre / np.sqrt(bend)
        return a * unit * normal * np.cos(lat), -e * unit * normal * (1 - e2) / bend
    sampled = np.linspace(y[0], y[-1], _SAMPLED_ROWS)
    middle = np.full(_SAMPLED_ROWS, c + a * columns / 2)
    lon, lat = Transformer.from_crs(elevation.crs, elevation.crs.geodetic_crs, always_xy=True).transform(
        middle, sampled
    )
    factors = Proj(elevation.crs).get_factors(lon, lat)
    meridian, parallel = np.asarray(factors.meridional_scale), np.asarray(factors.parallel_scale)
    if not (np.abs(meridian / parallel - 1) < _MOST_DISTORTION).all():
        raise InvalidInput(
            f"高程栅格的投影 {systems.crs_name(elevation.crs)} 两个方向的比例不同，不能计算坡度",
            where=elevation.file_name,
            remedy="请重投影到 EPSG:4490 或高斯-克吕格 3 度带",
        )
    scale = np.interp(-y, -sampled, meridian)
    return a * unit / scale, -e * unit / scale


def _masked_ground(
    elevation: Elevation, width_m: Floats, height_m: Floats, limit_pct: float
) -> tuple[list[shapely.Geometry], list[shapely.Geometry]]:
    """Polygons of steep cells and of cells without slope, strip by strip, in the raster's system."""
    steep: list[shapely.Geometry] = []
    unknown: list[shapely.Geometry] = []
    rows, columns = elevation.values.shape
    strip = max(1, _STRIP_CELLS // columns)
    for start in range(0, rows, strip):
        stop = min(start + strip, rows)
        around = np.full((stop - start + 2, columns + 2), np.nan)
        first, last = max(start - 1, 0), min(stop + 1, rows)
        around[first - start + 1 : last - start + 1, 1:-1] = elevation.values[first:last]
        slope = slope_pct(around, width_m[start:stop], height_m[start:stop])
        none = np.isnan(slope)
        steep.extend(_outlines(slope > limit_pct + SLOPE_SLACK_PCT, start, elevation))
        unknown.extend(_outlines(none, start, elevation))
    return steep, unknown


def _outlines(mask: Flags, row: int, elevation: Elevation) -> Iterator[shapely.Geometry]:
    """Polygons of the cells of a strip that begins at a row."""
    from rasterio.features import shapes
    from rasterio.transform import Affine

    if mask.any():
        a, b, c, d, e, f = elevation.transform
        placed = Affine(a, b, c, d, e, f + row * e)
        for outline, _ in shapes(mask.astype(np.uint8), mask=mask, transform=placed):
            yield shapely.geometry.shape(outline)


def _box(elevation: Elevation, bounds: tuple[float, float, float, float]) -> shapely.Geometry:
    """A box in EPSG:4490 in the raster's system."""
    to_raster = Transformer.from_crs(systems.STORAGE_CRS, elevation.crs, always_xy=True)
    return shapely.box(*to_raster.transform_bounds(*bounds))


def _beyond(elevation: Elevation) -> shapely.Geometry:
    """All ground outside the cells that were read, in the raster's system."""
    a, _, c, _, e, f = elevation.transform
    rows, columns = elevation.values.shape
    read = shapely.box(c, f + rows * e, c + columns * a, f)
    far = 10 * max(columns * a, -rows * e) + max(abs(c), abs(f))
    return shapely.Polygon(read.buffer(far, join_style="mitre").exterior, [read.exterior])


def _within_box(shapes: list[shapely.Geometry], box: shapely.Geometry) -> list[shapely.Geometry]:
    """What of polygons lies in a box: the cells beside the box were read for the slope of those inside only."""
    parts = polygonal_parts(shapely.intersection(np.array(shapes, dtype=object), box))
    return list(parts[shapely.area(parts) > 0])


def _stored(shapes: list[shapely.Geometry], source: CRS, land: Geometries) -> Geometries:
    """Polygons in EPSG:4490, those whose box meets no parcel left away."""
    if not shapes:
        return np.empty(0, dtype=object)
    unit = source.axis_info[0].unit_conversion_factor
    edge = _EDGE_M / unit if source.is_projected else _EDGE_M / unit / systems.SEMI_MAJOR_M
    moved = systems.reproject(shapely.segmentize(np.array(shapes, dtype=object), edge), source, systems.STORAGE_CRS)
    near = np.unique(shapely.STRtree(land).query(moved)[0])
    return moved[near]


def _frame(shapes: Geometries) -> gpd.GeoDataFrame:
    columns: dict[str, Any] = {"geometry": shapes}
    return gpd.GeoDataFrame(columns, geometry="geometry", crs=systems.STORAGE_CRS)
