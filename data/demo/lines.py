"""The large lines of the district: river and canal, railway, motorway. Metres from the district's centre."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from data.demo.cutting import Floats, Geometries
from data.demo.parameters import Parameters

_PERIOD_M = 26_000.0  # a larger district repeats the pattern of river and motorway northwards and southwards


@dataclass(frozen=True, slots=True)
class Water:
    """A river as polygons end to end (they share their short sides), its whole surface and its middle line."""

    name: str
    pieces: Geometries
    surface: shapely.Polygon
    middle: shapely.LineString


@dataclass(frozen=True, slots=True)
class Lines:
    """Rivers, railways and motorways of a district."""

    waters: tuple[Water, ...]
    railway: shapely.LineString
    motorways: tuple[shapely.LineString, ...]


def _smooth(t: Floats) -> Floats:
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def _water(name: str, middle: Floats, width_m: Floats) -> Water:
    step = np.gradient(middle, axis=0)
    step /= np.hypot(*step.T)[:, None]
    normal = np.column_stack([-step[:, 1], step[:, 0]]) * (width_m / 2)[:, None]
    left, right = middle + normal, middle - normal
    cuts = np.r_[np.arange(0, len(middle) - 1, 18), len(middle) - 1]
    pieces = [shapely.Polygon(np.r_[left[a : b + 1], right[a : b + 1][::-1]]) for a, b in itertools.pairwise(cuts)]
    return Water(
        name, np.array(pieces, dtype=object), shapely.Polygon(np.r_[left, right[::-1]]), shapely.LineString(middle)
    )


def river_y(x: NDArray[np.float64]) -> Floats:
    """Northing of the river's middle at an easting."""
    return -3080 + 400 * np.sin(x / 2300 + 0.3) + 165 * np.sin(x / 930 + 1.0)


def draw_lines(parameters: Parameters, half_width_m: float, half_height_m: float) -> Lines:
    """River, canal, railway and motorway across a district of the given half size."""
    x = np.arange(-half_width_m - 3000, half_width_m + 3001, 60.0)
    repeats = int(half_height_m // _PERIOD_M) + 1
    waters: list[Water] = []
    motorways: list[shapely.LineString] = []
    for k in sorted(range(-repeats, repeats + 1), key=abs):
        if abs(k) * _PERIOD_M > half_height_m + 4000:
            continue
        shift = k * 7700.0
        y = river_y(x + shift) + k * _PERIOD_M
        name = "澜江" if k == 0 else f"{'北' if k > 0 else '南'}澜江{abs(k)}号河"
        waters.append(_water(name, np.column_stack([x, y]), 190 + 45 * np.sin(x / 1700 + k)))
        y = 5250 + 620 * np.sin((x + shift + 1500) / 4300) + 0.02 * x + k * _PERIOD_M
        motorways.append(shapely.LineString(np.column_stack([x, y])))
    y = np.arange(-2960.0, half_height_m + 3001, 60.0)
    canal_x = -7900 + 380 * np.sin(y / 2100) + 130 * np.sin(y / 800)
    waters.append(_water("通澜运河", np.column_stack([canal_x, y]), np.full(len(y), 48.0)))

    zone = next(z for z in parameters.zones if z.straight_row >= 0)
    row_y = (zone.straight_row - zone.rows / 2) * zone.cell_m[1]
    # Straight through the zone (two points are enough there), bending outside it.
    u = np.arange(-half_width_m * 1.3 - 6000, half_width_m * 1.3 + 6001, 80.0)
    straight = zone.columns / 2 * zone.cell_m[0] + 150
    u = np.r_[u[u < -straight], -straight, straight, u[u > straight]]
    v = row_y + _smooth((np.abs(u) - straight) / 4500) * 900 * np.sin(u / 4600 + 0.9)
    return Lines(
        tuple(waters),
        shapely.LineString(turned(np.column_stack([u, v]), zone.angle_deg, zone.centre)),
        tuple(motorways),
    )


def draw_lake() -> shapely.Polygon:
    """The lake in the north of the district."""
    angle = np.linspace(0, 2 * np.pi, 140, endpoint=False)
    r = 640 * (1 + 0.16 * np.sin(2 * angle + 0.5) + 0.10 * np.sin(3 * angle + 2) + 0.05 * np.sin(7 * angle))
    return shapely.Polygon(np.column_stack([3150 + 1.25 * r * np.cos(angle), 7050 + r * np.sin(angle)]))


def turned(xy: Floats, angle_deg: float, centre: tuple[float, float]) -> Floats:
    """Points of a turned frame in the frame of the district."""
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return np.column_stack([c * xy[:, 0] - s * xy[:, 1], s * xy[:, 0] + c * xy[:, 1]]) + np.asarray(centre)
