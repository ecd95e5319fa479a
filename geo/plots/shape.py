"""Shape of a plot: width by opening, inscribed circle, compactness."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.errors import LianpianError

Geometries = NDArray[np.object_]

# Segments a quarter circle: the chord error at 25 m radius is 2 mm.
QUAD_SEGS = 32
# Accuracy in metres of the inscribed circle.
CIRCLE_TOLERANCE_M = 0.5


def opened(outline: shapely.Geometry, width_m: float) -> shapely.Geometry:
    """Morphological opening by a disc of diameter ``width_m``: what a strip of that width can reach inside.

    Parameters
    ----------
    outline : polygon or multipolygon, metric
    width_m : float, metres

    Raises
    ------
    LianpianError
        The overlay library lost the polygon although its inscribed circle is wider (reported for GEOS negative
        buffers); never passed over in silence.
    """
    if width_m <= 0:
        return outline
    radius = width_m / 2
    core = shapely.buffer(outline, -radius, quad_segs=QUAD_SEGS)
    if shapely.is_empty(core):
        circle = shapely.length(shapely.maximum_inscribed_circle(outline, tolerance=CIRCLE_TOLERANCE_M))
        if circle > radius + CIRCLE_TOLERANCE_M:
            core = shapely.buffer(shapely.simplify(outline, 0.05), -radius, quad_segs=QUAD_SEGS)
            if shapely.is_empty(core):
                raise LianpianError("最小宽度检验未能完成：几何库返回空结果，而内切圆表明存在足够宽的部分")
    return shapely.intersection(shapely.buffer(core, radius, quad_segs=QUAD_SEGS), outline)


def inscribed_circle(outlines: Geometries) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Largest inscribed circle of (n,) polygons: centres (n, 2) and radii (n,), to ``CIRCLE_TOLERANCE_M``."""
    spokes = np.array(
        [
            shapely.maximum_inscribed_circle(max(shapely.get_parts(outline), key=shapely.area), CIRCLE_TOLERANCE_M)
            for outline in outlines
        ],
        dtype=object,
    )
    if len(spokes) == 0:
        return np.empty((0, 2)), np.empty(0)
    return shapely.get_coordinates(shapely.get_point(spokes, 0)), shapely.length(spokes)


def compactness(outlines: Geometries) -> NDArray[np.float64]:
    """Isoperimetric quotient 4πA/P² of (n,) polygons (1 for a disc; Polsby and Popper 1991)."""
    perimeter = shapely.length(outlines)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(perimeter > 0, 4 * np.pi * shapely.area(outlines) / perimeter**2, 0.0)
