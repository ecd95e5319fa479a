"""Numbers that belong to a place: the same for a lattice node whatever the size of the district around it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def hashed_uniform(i: NDArray[np.int64], j: NDArray[np.int64], salt: int) -> NDArray[np.float64]:
    """Uniform numbers in [0, 1) from integer lattice coordinates (splitmix64 finaliser)."""
    with np.errstate(over="ignore"):
        z = (
            i.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
            ^ j.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
            ^ np.uint64(salt) * np.uint64(0x165667B19E3779F9)
        )
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) / 2.0**53


def warp(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bend the plan smoothly (up to some 300 m over 6-13 km), so that no road runs straight through the district."""
    x, y = xy[:, 0] / 1000, xy[:, 1] / 1000
    dx = 170 * np.sin(y / 1.9 + 0.6) + 110 * np.sin((x + 0.7 * y) / 1.5 + 2.1) + 60 * np.sin((x - 1.3 * y) / 1.1)
    dy = 180 * np.sin(x / 2.1 + 1.1) + 100 * np.sin((0.8 * x - y) / 1.4 + 0.4) + 50 * np.sin((x + y) / 0.95)
    return np.column_stack([xy[:, 0] + dx, xy[:, 1] + dy])
