"""A synthetic district of parcels that share exact edges, as a canonical frame.

A grid of lanes whose widths are log-normal (so the areas are, with a median of 0.74 of their mean), corners moved at
random, four points on every border between two corners. A border is made once and used by both neighbours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo import crs

WEST, SOUTH = 119.76, 31.3  # lower left corner, degrees (EPSG:4490)
MEAN_AREA_M2 = 10_000.0
POINTS_ON_A_BORDER = 4
# What the peers show and what is asked of this service with ``properties=``: eleven attributes.
ATTRIBUTES = (
    "parcel_id", "land_use", "tenure", "holder", "town", "address", "supply_kind", "contract_date", "floor_area_m2",
    "area_m2", "status",
)  # fmt: skip
_M_PER_DEGREE = 111_195.0
_SIGMA = math.sqrt(2 * math.log(1 / 0.74) / 2)  # of the width of a lane: the product of two has mean 1, median 0.74


@dataclass(frozen=True)
class District:
    """Parcels as canonical columns with geometry in EPSG:4490, and their extent (west, south, east, north)."""

    parcels: gpd.GeoDataFrame
    bounds: tuple[float, float, float, float]


def make_district(parcels: int, seed: int = 4490) -> District:
    """A district of about ``parcels`` parcels, one hectare each on average: 202,500 cover 45 × 45 km."""
    generator = np.random.default_rng(seed)
    side = max(2, round(math.sqrt(parcels)))
    rings = _rings(side, generator)
    geometry = shapely.polygons(shapely.linearrings(rings.reshape(side * side, -1, 2)))
    rows = len(geometry)
    town = _blocks(side, 15)
    frame = pd.DataFrame(
        {
            "parcel_id": np.char.add("3205", np.char.zfill(np.arange(rows).astype(str), 15)).astype(object),
            "land_use": generator.choice(np.array(["0601", "0602", "0701", "0501", "1003", "0809"], object), rows),
            "land_use_edition": "2017",
            "tenure": np.where(generator.random(rows) < 0.8, "state", "collective").astype(object),
            "holder": np.char.add("企业", generator.integers(0, rows // 3 + 1, rows).astype(str)).astype(object),
            "town": np.char.add("镇", town.astype(str)).astype(object),
            "address": np.char.add("开发区路", np.arange(rows).astype(str)).astype(object),
            "supply_kind": generator.choice(np.array(["grant", "allocation", "lease"], object), rows),
            "contract_date": np.datetime64("2005-01-01", "s") + generator.integers(0, 7000, rows) * 86_400,
            "floor_area_m2": np.round(generator.gamma(2.0, 3000.0, rows), 1),
            "area_m2": np.round(crs.ellipsoidal_area(geometry), 2),
            "status": generator.choice(
                np.array(["producing", "not_started", "building", "stopped"], object), rows, p=[0.7, 0.1, 0.1, 0.1]
            ),
        }
    )
    bounds = shapely.total_bounds(geometry)
    return District(gpd.GeoDataFrame(frame, geometry=geometry, crs="EPSG:4490"), tuple(float(each) for each in bounds))


def _rings(side: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Rings of 21 points, anticlockwise: ``(side, side, 21, 2)`` degrees."""
    mean = math.sqrt(MEAN_AREA_M2)
    east, north = (_lanes(side, mean, generator) for _ in range(2))
    move = 0.15 * mean * 0.4
    corner = np.stack(np.meshgrid(east, north), axis=-1)  # (row, column, 2), metres
    corner[1:-1, 1:-1] += generator.uniform(-move, move, (side - 1, side - 1, 2))
    along = np.arange(1, POINTS_ON_A_BORDER + 1) / (POINTS_ON_A_BORDER + 1)

    def border(start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points between two corners, each put aside by at most 1.5 % of the length."""
        chord = (end - start)[:, :, None, :]
        aside = generator.uniform(-0.015, 0.015, (*start.shape[:2], POINTS_ON_A_BORDER, 1))
        across = np.concatenate((-chord[..., 1:], chord[..., :1]), axis=-1)
        return start[:, :, None, :] + chord * along[:, None] + across * aside

    level, upright = border(corner[:, :-1], corner[:, 1:]), border(corner[:-1], corner[1:])
    point = corner[:, :, None, :]
    rings = np.concatenate(
        (
            point[:-1, :-1], level[:-1], point[:-1, 1:], upright[:, 1:], point[1:, 1:], level[1:, :, ::-1],
            point[1:, :-1], upright[:, :-1, ::-1], point[:-1, :-1],
        ),
        axis=2,
    )  # fmt: skip
    scale = np.array([_M_PER_DEGREE * math.cos(math.radians(SOUTH + 0.2)), _M_PER_DEGREE])
    return rings / scale + np.array([WEST, SOUTH])


def _lanes(side: int, mean_m: float, generator: np.random.Generator) -> NDArray[np.float64]:
    width = np.clip(generator.lognormal(0, _SIGMA, side), 0.25, 4)
    return np.concatenate(([0.0], np.cumsum(width))) * (mean_m * side / width.sum())


def _blocks(side: int, count: int) -> NDArray[np.int64]:
    row, column = np.divmod(np.arange(side * side), side)
    return (row * count // side) * count + column * count // side
