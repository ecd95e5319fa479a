"""Shape of a plot: width by opening, inscribed circle, compactness, rectangularity, frontage to roads.

All take (n,) polygons or multipolygons in a metric system and give (n,) float64, but for the opening of one outline.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.errors import LianpianError

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]

# Segments a quarter circle: their chords lie up to r (1 - cos(pi / 128)) inside the arc, 7.5 mm at 25 m.
QUAD_SEGS = 32
# Accuracy in metres of the inscribed circle.
CIRCLE_TOLERANCE_M = 0.5
# Vertices this close to the line between their neighbours are left out before an outline is moved inward.
_COLLINEAR_M = 0.001
# Where the overlay library loses land, an outline simplified by so much is tried instead.
_SIMPLER_M = 0.05
_MOST_KNOTS = 4000
# Parts of an opening below this are rounding.
CRUMB_M2 = 1.0


def opened(outline: shapely.Geometry, width_m: float) -> shapely.Geometry:
    """Morphological opening by a disc of diameter ``width_m``: what a strip of that width can reach inside.

    Formula: (A eroded by the disc) dilated by the disc, cut with A (Serra 1982). Accuracy: the arcs are polygons with
    ``QUAD_SEGS`` chords a quarter, up to 0.03 % of the radius off.

    Parameters
    ----------
    outline : polygon or multipolygon, metric
    width_m : float, metres

    Raises
    ------
    LianpianError
        The overlay library lost land in which a circle wider than ``width_m`` fits (reported for GEOS negative
        buffers); never passed over in silence.
    """
    if width_m <= 0 or shapely.is_empty(outline):
        return outline
    core = _core(outline, width_m / 2)
    return shapely.intersection(shapely.buffer(core, width_m / 2, quad_segs=QUAD_SEGS), outline)


def wide_parts(outline: shapely.Geometry, width_m: float, keep: float) -> Geometries | None:
    """The pieces of an outline's opening, or None when the outline passes as it is.

    It passes when it and its opening by ``width_m`` are one piece and the opening keeps the share ``keep`` of its area:
    the answer that ``opened`` gives, mostly without the cut that takes the longest. What is eroded in one piece grows
    into one piece, and what its arcs lack or exceed is less than their chords' error along the border.

    Parameters
    ----------
    outline : polygon or multipolygon, metric
    width_m : float, metres; 0 demands nothing but one piece
    keep : float, share of the area

    Returns
    -------
    None, or the (k,) polygons of the opening above ``CRUMB_M2``

    Raises
    ------
    LianpianError
        As ``opened``.
    """
    one = len(_polygons(outline)) == 1
    if width_m <= 0 or shapely.is_empty(outline):
        return None if one else _polygons(outline)
    radius, area = width_m / 2, shapely.area(outline)
    core = _core(outline, radius)
    swollen = shapely.buffer(core, radius, quad_segs=QUAD_SEGS)
    if one and len(_polygons(core)) == 1:
        over = radius * (1 - np.cos(np.pi / 4 / QUAD_SEGS)) * shapely.length(outline)
        if shapely.area(swollen) - over >= keep * area:
            return None
    whole = shapely.intersection(swollen, outline)
    parts = _polygons(whole)
    parts = parts[shapely.area(parts) > CRUMB_M2]
    return None if one and len(parts) == 1 and shapely.area(whole) >= keep * area else parts


def inscribed_circle(outlines: Geometries) -> tuple[Floats, Floats]:
    """Largest inscribed circle of (n,) polygons: centres (n, 2) and radii (n,); of a multipolygon in any part.

    The circle given lies inside; the largest radius is less than ``CIRCLE_TOLERANCE_M`` above it, or a fiftieth of
    itself for small outlines. Cells as in Garcia-Castellanos and Lombardo (2007), by GEOS. NaN and 0 without area.
    """
    outlines = np.asarray(outlines, dtype=object)
    centre, radius = np.full((len(outlines), 2), np.nan), np.zeros(len(outlines))
    area = shapely.area(outlines)
    rows = np.flatnonzero(area > 0)
    if len(rows):
        # No radius is below that of a square as wide as area over half the perimeter allows: 2 r >= 2 A / P.
        least = area[rows] / np.maximum(shapely.length(outlines[rows]), 1e-9)
        spokes = shapely.maximum_inscribed_circle(outlines[rows], np.minimum(CIRCLE_TOLERANCE_M, least / 50))
        centre[rows], radius[rows] = shapely.get_coordinates(shapely.get_point(spokes, 0)), shapely.length(spokes)
    return centre, radius


def compactness(outlines: Geometries) -> Floats:
    """Isoperimetric quotient 4πA/P² (1 for a disc; Polsby and Popper 1991), to rounding."""
    return _share(4 * np.pi * shapely.area(outlines), shapely.length(outlines) ** 2)


def reock(outlines: Geometries) -> Floats:
    """Area over the area of the smallest circle around (1 for a disc; Reock 1961), to rounding."""
    return _share(shapely.area(outlines), np.pi * shapely.minimum_bounding_radius(outlines) ** 2)


def rectangularity(outlines: Geometries) -> Floats:
    """Area over the area of the smallest rectangle around, at any angle (1 for a rectangle; Rosin 1999), to rounding.

    A smallest rectangle has a side along the convex hull (Freeman and Shapira 1975).
    """
    return _share(shapely.area(outlines), shapely.area(shapely.minimum_rotated_rectangle(outlines)))


def convex_area(outlines: Geometries) -> Floats:
    """Area of the convex hull in square metres, to rounding."""
    return np.asarray(shapely.area(shapely.convex_hull(outlines)), dtype=float)


def piece_count(outlines: Geometries) -> NDArray[np.int64]:
    """Number of separate polygons of each outline."""
    parts, row = shapely.get_parts(np.asarray(outlines, dtype=object), return_index=True)
    return np.bincount(row[shapely.area(parts) > 0], minlength=len(outlines)).astype(np.int64)


def road_frontage_m(outlines: Geometries, roads: Geometries, reach_m: float) -> Floats:
    """Length of each outline's border, holes included, that lies within ``reach_m`` of a road.

    Formula: length of (border cut with the roads dilated by ``reach_m``). Sides that run up to the road count as far as
    they lie within reach. Accuracy: 0.05 % of the reach at each bend or end of a road.

    Parameters
    ----------
    outlines : (n,) polygons or multipolygons, metric
    roads : (m,) lines or polygons, metric, ``None`` among them allowed
    reach_m : float, metres, from the line or from the road's ground
    """
    outlines = np.asarray(outlines, dtype=object)
    roads = np.asarray(roads, dtype=object)
    roads = roads[~(shapely.is_missing(roads) | shapely.is_empty(roads))]
    frontage_m = np.zeros(len(outlines))
    if len(roads) == 0 or len(outlines) == 0:
        return frontage_m
    row, road = shapely.STRtree(roads).query(outlines, predicate="dwithin", distance=reach_m)
    if len(row) == 0:
        return frontage_m
    order = np.lexsort((road, row))
    row, road = row[order], road[order]
    # A road may be as long as the district: only its stretch around the outline is dilated.
    west, south, east, north = (shapely.bounds(outlines[row]) + np.array([-1, -1, 1, 1]) * 2 * reach_m).T
    near = shapely.intersection(roads[road], shapely.box(west, south, east, north))
    rows, place = np.unique(row, return_inverse=True)
    band = shapely.buffer(shapely.geometrycollections(near, indices=place), reach_m, quad_segs=QUAD_SEGS)
    frontage_m[rows] = shapely.length(shapely.intersection(shapely.boundary(outlines[rows]), band))
    return frontage_m


def _share(part: Floats, whole: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / whole, 0.0)


def _polygons(geometry: shapely.Geometry) -> Geometries:
    parts = np.asarray(shapely.get_parts(geometry))
    return parts[shapely.get_dimensions(parts) == 2]


def _core(outline: shapely.Geometry, radius_m: float) -> shapely.Geometry:
    """An outline moved inward; of a simpler outline where the overlay library loses land in moving it."""
    shapely.prepare(outline)
    for simpler_m in (_COLLINEAR_M, _SIMPLER_M):
        # Topology is not kept, which is five times as fast; a millimetre that crosses another is caught by the check.
        ground = shapely.simplify(outline, simpler_m, preserve_topology=simpler_m == _SIMPLER_M)
        core = shapely.buffer(ground, -radius_m, quad_segs=QUAD_SEGS)
        if not _lost_wide_land(outline, core, radius_m):
            return core
    raise LianpianError(
        "最小宽度检验未能完成：几何库丢失了宽度足够的土地",
        where=f"面积 {shapely.area(outline):.0f} 平方米的地块",
        remedy="请检查该处宗地边界是否自交或重叠",
    )


def _lost_wide_land(outline: shapely.Geometry, core: shapely.Geometry, radius_m: float) -> bool:
    """Whether the core lacks places from which the border is further away than the radius.

    Looked for at the centre of each part's inscribed circle and at the knots of a grid no wider than the radius, or of
    ``_MOST_KNOTS`` knots on large outlines: gross losses are found, not each square metre.
    """
    parts = _polygons(outline)
    parts = parts[shapely.area(parts) > np.pi * radius_m**2]
    if len(parts) == 0:
        return False
    centre, _ = inscribed_circle(parts)
    west, south, east, north = shapely.bounds(outline)
    step = max(radius_m, np.sqrt((east - west) * (north - south) / _MOST_KNOTS))
    x, y = np.meshgrid(np.arange(west + step / 2, east, step), np.arange(south + step / 2, north, step))
    x, y = np.concatenate([centre[:, 0], x.ravel()]), np.concatenate([centre[:, 1], y.ravel()])
    shapely.prepare(core)
    # Most knots lie in the core, and what lies outside the outline is nobody's loss.
    open_ = ~shapely.intersects_xy(core, x, y)
    x, y = x[open_], y[open_]
    within = shapely.contains_xy(outline, x, y)
    border = shapely.boundary(outline)
    shapely.prepare(border)
    return not shapely.dwithin(border, shapely.points(x[within], y[within]), radius_m + _SIMPLER_M).all()
