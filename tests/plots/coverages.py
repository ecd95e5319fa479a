"""Random coverages for tests of whole layers: blocks of parcels with wiggly common borders and roads between them."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

_SIDE_M = 62.0
_ROADS_M = (4.0, 8.0, 16.0, 24.0, 40.0)


def coverage(blocks: int, seed: int, *, shifted: float = 0.0, split: int = 3) -> NDArray[Any]:
    """``blocks``² blocks of 4 × 3 parcels on a millimetre grid; a share of them ``shifted`` by up to 5 cm."""
    rng = np.random.default_rng(seed)
    polygons: list[shapely.Geometry] = []
    east = np.cumsum(rng.choice(_ROADS_M, blocks)) + np.arange(blocks) * 4 * _SIDE_M
    north = np.cumsum(rng.choice(_ROADS_M, blocks)) + np.arange(blocks) * 3 * _SIDE_M
    for x in east:
        for y in north:
            polygons.extend(_block(rng, 500_000 + x, 3_540_000 + y, split))
    layer = np.array(polygons, dtype=object)
    moved = rng.random(len(layer)) < shifted
    offset = rng.uniform(-0.05, 0.05, (len(layer), 2))
    points, owner = shapely.get_coordinates(layer, return_index=True)
    return np.asarray(shapely.set_coordinates(layer.copy(), points + np.where(moved[owner, None], offset[owner], 0.0)))


def _block(rng: np.random.Generator, x: float, y: float, split: int) -> list[shapely.Geometry]:
    columns, rows = 4, 3
    node = np.stack(np.meshgrid(np.arange(columns + 1), np.arange(rows + 1), indexing="ij"), axis=-1) * _SIDE_M
    node = node + rng.normal(0, 5, node.shape).clip(-12, 12) + [x, y]

    def line(a: Any, b: Any) -> Any:
        step = np.linspace(0, 1, split + 1)[:-1, None]
        points = a * (1 - step) + b * step
        points[1:] += rng.normal(0, 0.8, points[1:].shape)
        return points

    along = {(i, j): line(node[i, j], node[i + 1, j]) for i in range(columns) for j in range(rows + 1)}
    up = {(i, j): line(node[i, j], node[i, j + 1]) for i in range(columns + 1) for j in range(rows)}

    def back(points: Any, end: Any) -> Any:
        return np.vstack([points, end])[::-1][:-1]

    return [
        shapely.polygons(
            np.round(
                np.vstack(
                    [
                        along[i, j],
                        up[i + 1, j],
                        back(along[i, j + 1], node[i + 1, j + 1]),
                        back(up[i, j], node[i, j + 1]),
                    ]
                ),
                3,
            )
        )
        for i in range(columns)
        for j in range(rows)
    ]
