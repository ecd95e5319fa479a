"""The district's border: a crooked ellipse around the centre, drawn out to the industrial zones where it is small."""

from __future__ import annotations

import numpy as np
import shapely

_WAVES = ((3, 0.10, 0.7), (5, 0.06, 2.0), (9, 0.035, 1.1), (17, 0.022, 4.0), (31, 0.012, 2.6), (53, 0.007, 0.3))


def _border(radius_m: float, width_to_height: float, zones: shapely.Geometry) -> shapely.Geometry:
    angle = np.linspace(0, 2 * np.pi, max(240, int(radius_m / 18)), endpoint=False)
    r = radius_m * (1 + sum(a * np.sin(k * angle + p) for k, a, p in _WAVES))
    stretch = np.sqrt(width_to_height)
    ellipse = shapely.Polygon(np.column_stack([r * np.cos(angle) * stretch, r * np.sin(angle) / stretch])).buffer(0)
    near = zones.buffer(min(radius_m / 4, 1800.0), quad_segs=6)
    whole = shapely.union(ellipse, near)
    closed = whole.buffer(1200, quad_segs=4).buffer(-1200, quad_segs=4)
    return closed if ellipse.area < 2e8 else shapely.union(whole, closed)


def draw_border(area_m2: float, width_to_height: float, zones: list[shapely.Polygon]) -> shapely.Geometry:
    """A border around about ``area_m2`` that contains every zone (metres from the centre; bisection on its size)."""
    whole = shapely.union_all(zones)
    low, high = 500.0, np.sqrt(area_m2)
    for _ in range(24):
        middle = (low + high) / 2
        if _border(middle, width_to_height, whole).area < area_m2:
            low = middle
        else:
            high = middle
    return shapely.simplify(_border(low, width_to_height, whole), 3.0)
