"""The shifted coordinates of Chinese web maps: GCJ-02 and BD-09, forward and back.

Neither has a published definition. The constants are those in general circulation and are not confirmed by any
official text, so what is measured with them is a suspicion, never a correction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Forward = Callable[[Floats, Floats], tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True)
class WebMapConstants:
    """Constants of GCJ-02 (Krasovsky ellipsoid) and of BD-09 on top of it; ``status`` says how sure they are."""

    semi_major_m: float = 6_378_245.0
    e2: float = 0.00669342162296594323
    origin_lon: float = 105.0
    origin_lat: float = 35.0
    bd_lon: float = 0.0065
    bd_lat: float = 0.006
    bd_radius: float = 0.00002
    bd_angle: float = 0.000003
    status: str = "unverified"


CONSTANTS = WebMapConstants()


def to_gcj02(lon: Floats, lat: Floats, constants: WebMapConstants = CONSTANTS) -> tuple[Floats, Floats]:
    """WGS 84 or CGCS2000 degrees to GCJ-02: arrays of any one shape."""
    x, y = lon - constants.origin_lon, lat - constants.origin_lat
    pi = np.pi
    waves = (20 * np.sin(6 * pi * x) + 20 * np.sin(2 * pi * x)) * 2 / 3
    root = np.sqrt(np.abs(x))
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + waves
    north += (20 * np.sin(pi * y) + 40 * np.sin(pi * y / 3)) * 2 / 3
    north += (160 * np.sin(pi * y / 12) + 320 * np.sin(pi * y / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + waves
    east += (20 * np.sin(pi * x) + 40 * np.sin(pi * x / 3)) * 2 / 3
    east += (150 * np.sin(pi * x / 12) + 300 * np.sin(pi * x / 30)) * 2 / 3
    rad = np.radians(lat)
    w2 = 1 - constants.e2 * np.sin(rad) ** 2
    per_north = constants.semi_major_m * (1 - constants.e2) / w2**1.5
    per_east = constants.semi_major_m / np.sqrt(w2) * np.cos(rad)
    return lon + np.degrees(east / per_east), lat + np.degrees(north / per_north)


def to_bd09(lon: Floats, lat: Floats, constants: WebMapConstants = CONSTANTS) -> tuple[Floats, Floats]:
    """WGS 84 or CGCS2000 degrees to BD-09: arrays of any one shape."""
    x, y = to_gcj02(lon, lat, constants)
    turn = np.pi * 3000 / 180
    radius = np.hypot(x, y) + constants.bd_radius * np.sin(y * turn)
    angle = np.arctan2(y, x) + constants.bd_angle * np.cos(x * turn)
    return radius * np.cos(angle) + constants.bd_lon, radius * np.sin(angle) + constants.bd_lat


def inverse(forward: Forward, lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """The place that ``forward`` would send to (lon, lat), to 1e-9 degrees (0.1 mm)."""
    there_lon, there_lat = lon, lat
    for _ in range(12):
        back_lon, back_lat = forward(there_lon, there_lat)
        step_lon, step_lat = lon - back_lon, lat - back_lat
        there_lon, there_lat = there_lon + step_lon, there_lat + step_lat
        if max(np.abs(step_lon).max(initial=0), np.abs(step_lat).max(initial=0)) < 1e-10:
            break
    return there_lon, there_lat
