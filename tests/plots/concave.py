"""Random concave plots with holes, and a slow way to see what fits into them: pixels at many angles."""

from __future__ import annotations

import numba
import numpy as np
import shapely
import shapely.affinity
from numpy.typing import NDArray

Floats = NDArray[np.float64]
EAST, NORTH = 500_000.0, 3_540_000.0


def concave_plot(
    rng: np.random.Generator, vertices: int, holes: int, area_m2: float, bulge: float = 0.5, noise: float = 0.02
) -> shapely.Geometry:
    """One polygon around a wavy ring: arms and bays, a ragged border, blocks cut out of it, at any angle."""
    angle = np.sort(rng.uniform(0, 2 * np.pi, vertices))
    wave, turn = rng.uniform(0, 1, 6), rng.uniform(0, 2 * np.pi, 6)
    radius = 1 + sum(wave[k] * bulge / (k + 1) ** 0.7 * np.cos((k + 2) * angle + turn[k]) for k in range(6))
    radius = np.maximum(radius, 0.25) + rng.normal(0, noise, vertices)
    ring = np.column_stack([radius * np.cos(angle) * rng.uniform(1, 2.2), radius * np.sin(angle)])
    plot = max(shapely.get_parts(shapely.make_valid(shapely.Polygon(ring))), key=shapely.area)
    scale = np.sqrt(area_m2 / plot.area)
    plot = shapely.affinity.scale(plot, scale, scale, origin=(0, 0))
    for _ in range(holes):
        centre = rng.uniform(plot.bounds[:2], plot.bounds[2:])
        corner = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(4, 14)))
        radii = rng.uniform(0.6, 1, (len(corner), 1)) * rng.uniform(0.01, 0.06) * np.sqrt(area_m2)
        hole = shapely.Polygon(centre + np.column_stack([np.cos(corner), np.sin(corner)]) * radii)
        if hole.is_valid and plot.contains(hole):
            plot = plot.difference(hole)
    plot = shapely.affinity.rotate(plot, rng.uniform(0, 180), origin=(0, 0))
    return shapely.affinity.translate(plot, EAST + rng.uniform(0, 1e4), NORTH + rng.uniform(0, 1e4))


def edges_around(plot: shapely.Geometry, middle: Floats) -> Floats:
    """(n, 4) edges of every ring relative to a point."""
    rings = [shapely.get_coordinates(ring) - middle for ring in shapely.get_rings(shapely.get_parts(plot))]
    return np.concatenate([np.hstack([ring[:-1], ring[1:]]) for ring in rings])


@numba.njit(cache=True)
def largest_of_pixels(edges: Floats, angle: float, pixels: int) -> tuple[float, float, float, float, float]:
    """The largest rectangle of whole pixels inside, at one angle: (area, west, east, south, north) in its frame.

    A pixel counts when no edge touches it and its middle is inside; the rectangle is that of the classical stack over
    the histogram of each row.
    """
    cos, sin = np.cos(angle), np.sin(angle)
    ends = np.empty((len(edges), 4))
    for i in range(len(edges)):
        for j in (0, 2):
            ends[i, j] = edges[i, j] * cos + edges[i, j + 1] * sin
            ends[i, j + 1] = edges[i, j + 1] * cos - edges[i, j] * sin
    low_u, high_u = min(ends[:, 0].min(), ends[:, 2].min()), max(ends[:, 0].max(), ends[:, 2].max())
    low_v, high_v = min(ends[:, 1].min(), ends[:, 3].min()), max(ends[:, 1].max(), ends[:, 3].max())
    du, dv = (high_u - low_u) / pixels, (high_v - low_v) / pixels
    odd = np.zeros((pixels, pixels), dtype=np.bool_)
    shut = np.zeros((pixels, pixels), dtype=np.bool_)
    for i in range(len(ends)):
        u1, v1, u2, v2 = ends[i]
        bottom, top = min(v1, v2), max(v1, v2)
        for row in range(max(0, int((bottom - low_v) / dv) - 1), min(pixels, int((top - low_v) / dv) + 2)):
            south, north = low_v + row * dv, low_v + (row + 1) * dv
            middle = (south + north) / 2
            if (v1 > middle) != (v2 > middle):
                crossing = u1 + (u2 - u1) * (middle - v1) / (v2 - v1)
                for column in range(max(0, int(np.ceil((crossing - low_u) / du - 0.5))), pixels):
                    odd[row, column] = not odd[row, column]
            if top < south or bottom > north:
                continue
            a, b = u1, u2
            if v1 != v2:
                s, t = (south - v1) / (v2 - v1), (north - v1) / (v2 - v1)
                a = u1 + (u2 - u1) * min(max(min(s, t), 0.0), 1.0)
                b = u1 + (u2 - u1) * min(max(max(s, t), 0.0), 1.0)
            for column in range(
                max(0, int((min(a, b) - low_u) / du - 1e-6)), min(pixels, int((max(a, b) - low_u) / du + 1e-6) + 1)
            ):
                shut[row, column] = True
    best = (0.0, 0.0, 0.0, 0.0, 0.0)
    height = np.zeros(pixels + 1, dtype=np.int64)
    stack = np.empty(pixels + 1, dtype=np.int64)
    for row in range(pixels):
        size = 0
        for column in range(pixels + 1):
            if column < pixels:
                height[column] = height[column] + 1 if odd[row, column] and not shut[row, column] else 0
            while size > 0 and height[stack[size - 1]] >= height[column]:
                size -= 1
                high = height[stack[size]]
                first = stack[size - 1] + 1 if size > 0 else 0
                area = high * dv * (column - first) * du
                if area > best[0]:
                    best = (
                        area, low_u + first * du, low_u + column * du, low_v + (row + 1 - high) * dv,
                        low_v + (row + 1) * dv,
                    )  # fmt: skip
            stack[size] = column
            size += 1
        height[pixels] = 0
    return best


def brute_rectangle(plot: shapely.Geometry, angles: int, pixels: int) -> tuple[float, shapely.Geometry]:
    """The largest rectangle of pixels over a fan of angles, then finer around the best: its area and its polygon."""
    middle = np.array(plot.bounds).reshape(2, 2).mean(axis=0)
    edges = edges_around(plot, middle)
    step = np.pi / 2 / angles
    best, best_angle = (0.0,) * 5, 0.0
    for angle in np.arange(angles) * step:
        found = largest_of_pixels(edges, angle, pixels)
        if found[0] > best[0]:
            best, best_angle = found, angle
    for angle in best_angle + np.linspace(-step, step, 9):
        found = largest_of_pixels(edges, angle, 3 * pixels)
        if found[0] > best[0]:
            best, best_angle = found, angle
    area, west, east, south, north = best
    cos, sin = np.cos(best_angle), np.sin(best_angle)
    corners = np.array([(west, south), (east, south), (east, north), (west, north)])
    return area, shapely.Polygon(corners @ np.array([[cos, sin], [-sin, cos]]) + middle)
