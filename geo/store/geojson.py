"""Rows as GeoJSON text: what both stores do alike. A page is written without a frame on the way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geo.crs import STORAGE_CRS, reproject
from geo.layers.schema import Layer

DEGREE_DECIMALS = 7  # about a centimetre
METRE_DECIMALS = 3

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@lru_cache(maxsize=64)
def axes_swapped(crs: str) -> bool:
    """Whether the authority's first axis points north: latitude before longitude, northing before easting."""
    return CRS.from_user_input(crs).axis_info[0].direction.lower() == "north"


@lru_cache(maxsize=64)
def is_in_degrees(crs: str) -> bool:
    """Whether coordinates are longitude and latitude."""
    return bool(CRS.from_user_input(crs).is_geographic)


def geometry_texts(geometries: NDArray[np.object_], crs: str | None) -> list[str]:
    """GeoJSON of geometries in EPSG:4490, ``null`` where missing.

    Parameters
    ----------
    geometries : (n,) object array, longitude first
    crs : ``EPSG:n``, axes in the order of its authority; ``None`` for longitude, latitude (CRS84)

    Notes
    -----
    Degrees have seven decimals, metres three. OGC 18-058r1, /req/crs/geojson.
    """
    if crs is not None and crs not in (STORAGE_CRS, "EPSG:4326"):
        geometries = reproject(geometries, STORAGE_CRS, crs)
    decimals = DEGREE_DECIMALS if crs is None or is_in_degrees(crs) else METRE_DECIMALS
    swapped = crs is not None and axes_swapped(crs)

    def written(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.round(xy[:, ::-1] if swapped else xy, decimals)

    texts = shapely.to_geojson(shapely.transform(geometries, written))
    return ["null" if text is None else text for text in texts.tolist()]


def property_texts(layer: Layer, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """The properties of stored rows as JSON objects; ``json`` fields as what they hold, 0 and 1 as booleans."""
    kinds = [layer.field(name).kind for name in names]
    structured = [(at, json.loads) for at, kind in enumerate(kinds) if kind == "json"]
    truths = [(at, bool) for at, kind in enumerate(kinds) if kind == "boolean"]
    converted: list[tuple[int, Any]] = [*structured, *truths]
    texts = []
    for row in rows:
        told = dict(zip(names, row, strict=True))
        for at, convert in converted:
            if row[at] is not None:
                told[names[at]] = convert(row[at])
        texts.append(_encode(told))
    return texts


def feature_texts(keys: Sequence[str], geometries: Sequence[str], properties: Sequence[str]) -> list[str]:
    """GeoJSON Features of their parts (RFC 7946, 3.2)."""
    return [
        f'{{"type":"Feature","id":{_encode(key)},"geometry":{geometry},"properties":{told}}}'
        for key, geometry, told in zip(keys, geometries, properties, strict=True)
    ]
