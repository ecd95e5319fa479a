"""Frames as JSON and GeoJSON: geometry written in bulk, dates as ISO text, missing values as null."""

from __future__ import annotations

import json
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely


def plain_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Attribute rows as JSON values; geometry is left out."""
    table = pd.DataFrame(frame.drop(columns=frame.geometry.name)) if _spatial(frame) else frame
    columns = {name: _plain_column(table[name]) for name in table.columns}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)] if columns else []


def _spatial(frame: pd.DataFrame) -> bool:
    return isinstance(frame, gpd.GeoDataFrame) and frame.active_geometry_name is not None


def _plain_column(values: pd.Series) -> list[Any]:
    if pd.api.types.is_datetime64_any_dtype(values):
        return [None if pd.isna(value) else value.date().isoformat() for value in values]
    if pd.api.types.is_float_dtype(values):
        return [None if pd.isna(value) else float(value) for value in values]
    return [_plain(value) for value in values]


def _plain(value: Any) -> Any:
    if isinstance(value, (dict, list, str)):
        return value
    if value is None or pd.isna(value):
        return None
    return value.item() if isinstance(value, np.generic) else value


def feature_collection(frame: pd.DataFrame, key: str, **members: Any) -> str:
    """A GeoJSON FeatureCollection as text, with ``members`` (links, numberMatched …) beside the features."""
    features = ",".join(_features(frame, key))
    head = json.dumps({"type": "FeatureCollection", **members}, ensure_ascii=False)
    return f'{head[:-1]},"features":[{features}]}}'


def one_feature(frame: pd.DataFrame, key: str, **members: Any) -> str:
    """The first row as a GeoJSON Feature."""
    text = _features(frame.iloc[:1], key)[0]
    more = json.dumps(members, ensure_ascii=False)[1:-1]
    return f"{text[:-1]},{more}}}" if more else text


def _features(frame: pd.DataFrame, key: str) -> list[str]:
    geometry: Any = ["null"] * len(frame)
    if _spatial(frame):
        shapes = np.asarray(frame.geometry.array)
        written = shapely.to_geojson(shapes)
        geometry = ["null" if text is None else text for text in written]
    return [
        f'{{"type":"Feature","id":{json.dumps(record.get(key), ensure_ascii=False)},"geometry":{shape},'
        f'"properties":{json.dumps(record, ensure_ascii=False)}}}'
        for record, shape in zip(plain_records(frame), geometry, strict=True)
    ]
