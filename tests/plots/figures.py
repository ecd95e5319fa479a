"""Small figures in metres, drawn at a corner of a 3-degree zone, as the layers that the search reads."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import shapely
import shapely.affinity

from geo import crs

EAST, NORTH, LON = 500_000.0, 3_540_000.0, 120.0


def stored(*shapes: shapely.Geometry, turn: float = 0.0, shift: tuple[float, float] = (0.0, 0.0)) -> Any:
    """Figures moved to the zone and into EPSG:4490."""
    placed = [
        shapely.affinity.translate(
            shapely.affinity.rotate(shape, turn, origin=(0, 0)), EAST + shift[0], NORTH + shift[1]
        )
        for shape in shapes
    ]
    return crs.to_storage(np.array(placed, dtype=object), LON)


def parcels(*shapes: shapely.Geometry, prefix: str = "P", **place: Any) -> gpd.GeoDataFrame:
    names = [f"{prefix}{number:03d}" for number in range(len(shapes))]
    columns = {"parcel_id": names, "holder": "甲公司", "land_use": "100101", "town": "东镇"}
    return gpd.GeoDataFrame(columns, geometry=stored(*shapes, **place), crs=4490)


def barriers(
    kind: str, *shapes: shapely.Geometry, width_m: float = np.nan, setback_m: float = np.nan, **place: Any
) -> gpd.GeoDataFrame:
    columns = {
        "barrier_id": [f"{kind}{number}" for number in range(len(shapes))], "kind": kind, "name": kind,
        "width_m": float(width_m), "setback_m": float(setback_m),
    }  # fmt: skip
    return gpd.GeoDataFrame(columns, geometry=stored(*shapes, **place), crs=4490)


def control_lines(kind: str, *shapes: shapely.Geometry, **place: Any) -> gpd.GeoDataFrame:
    columns = {"line_id": [f"{kind}{number}" for number in range(len(shapes))], "kind": kind, "name": kind}
    return gpd.GeoDataFrame(columns, geometry=stored(*shapes, **place), crs=4490)
