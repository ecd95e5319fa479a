"""Layers → files: any canonical layer in a format that GIS software opens, Chinese intact."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import pandas as pd

from geo.errors import InvalidParameter
from geo.layers.schema import LAYERS

# Shapefile waits for its own rules (short names, GBK, values cut on character borders); half of it would lose text.
FORMATS = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".fgb": "FlatGeobuf"}


def write_layer(frame: gpd.GeoDataFrame | pd.DataFrame, layer: str, path: Path) -> None:
    """Write a layer; lists and objects become JSON text, dates stay dates.

    Raises
    ------
    InvalidParameter
        The ending of ``path`` is not one of ``FORMATS``.
    """
    driver = FORMATS.get(path.suffix.lower())
    if driver is None:
        raise InvalidParameter(f"不能导出为“{path.suffix}”", where=path.name, remedy="可用：" + "、".join(FORMATS))
    out = frame.copy()
    for item in LAYERS[layer].fields:
        if item.kind == "json" and item.name in out:
            out[item.name] = [
                None if value is None else json.dumps(value, ensure_ascii=False) for value in out[item.name]
            ]
    table = out if isinstance(out, gpd.GeoDataFrame) else gpd.GeoDataFrame(out, geometry=[None] * len(out), crs=4490)
    options = {"RFC7946": "YES"} if driver == "GeoJSON" else {}
    table.to_file(path, driver=driver, layer=layer, engine="pyogrio", **options)
