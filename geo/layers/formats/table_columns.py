"""Rows of a layer as columns of a table for people: headings with units, plain values, nothing that is computed."""

from __future__ import annotations

import json
import re
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj import CRS

from geo.crs import STORAGE_CRS, reproject
from geo.layers.schema import Field, Kind, Layer
from geo.layers.words import words_of
from geo.units import mu

UNITS_ZH = {
    "m2": "平方米", "m": "米", "km": "公里", "%": "%", "d": "天", "h": "小时", "persons": "人",
    "yuan": "元", "yuan/a": "元/年", "yuan/mu": "元/亩", "yuan/t": "元/吨", "yuan/km": "元/公里",
    "tce/a": "吨标准煤/年", "kWh/a": "千瓦时/年", "t/a": "吨/年", "kV": "千伏", "kVA": "千伏安", "m3/d": "立方米/日",
    "t/h": "吨/小时", "km/h": "公里/小时", "yuan/tce": "元/吨标准煤", "yuan/kWh": "元/千瓦时", "yuan/persons": "元/人",
}  # fmt: skip
KINDS_ZH: dict[Kind, str] = {
    "text": "文本", "real": "数值", "integer": "整数", "date": "日期", "boolean": "是否", "json": "JSON 文本",
}  # fmt: skip
MU = "面积（亩）"
# What Excel, WPS and LibreOffice take for a formula, the full-width forms that some of them turn into one included.
FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
_GUARDED = r"^(?='*[=+\-@\t\r\n＝＋－＠])"
_GUARD = r"^'(?='*[=+\-@\t\r\n＝＋－＠])"


def heading(field: Field) -> str:
    """Chinese name with its unit, ``税收（元/年）``."""
    unit = UNITS_ZH.get(field.unit, field.unit if field.unit != "1" else "")
    return f"{field.zh}（{unit}）" if unit else field.zh


def headings(layer: Layer, columns: list[str]) -> dict[str, str]:
    """Column -> heading for the columns of a page, fields in schema order before what is not in the schema; unique."""
    present = [field for field in layer.fields if field.name in columns]
    wanted = {field.name: heading(field) for field in present}
    wanted |= {column: column for column in columns if column not in wanted}
    taken: dict[str, str] = {}
    for column, proposal in wanted.items():
        name, number = proposal, 1
        while name in taken.values():
            number += 1
            name = f"{proposal}_{number}"
        taken[column] = name
    return taken


def field_rows(layer: Layer, columns: dict[str, str]) -> list[tuple[str, str, str, str]]:
    """Heading, field, kind and unit of each column: the field table of an export."""
    fields = {field.name: field for field in layer.fields}
    rows = []
    for column, title in columns.items():
        field = fields.get(column)
        kind = KINDS_ZH[field.kind] if field else ""
        rows.append((title, column, kind, UNITS_ZH.get(field.unit, field.unit) if field else ""))
    return rows


def plain(page: pd.DataFrame, layer: Layer) -> dict[str, list[Any]]:
    """Column -> Python values: text, numbers, ``date``; booleans as 是/否, lists and objects as JSON text.

    Words of coded fields are told in Chinese, as people read a table; the import takes them back.
    """
    kinds = {field.name: field.kind for field in layer.fields}
    out: dict[str, list[Any]] = {}
    for column in attribute_columns(page):
        values = page[column]
        missing = values.isna().to_numpy()
        kind = kinds.get(column)
        cells: list[Any]
        if pd.api.types.is_datetime64_any_dtype(values.dtype):
            stamps = values.dt.tz_localize(None) if values.dt.tz is not None else values
            only_days = kind == "date" or bool((stamps.dropna() == stamps.dropna().dt.normalize()).all())
            cells = list(stamps.dt.date if only_days else stamps.dt.to_pydatetime())
        elif kind == "boolean" or pd.api.types.is_bool_dtype(values.dtype):
            cells = ["是" if value else "否" for value in values.fillna(False)]
        elif kind == "text":
            spoken = {word: spellings[0] for word, spellings in (words_of(layer.name, column) or {}).items()}
            cells = [spoken.get(str(value), str(value)) for value in values]
        elif kind == "json" or values.dtype == object:
            cells = [_json(value) for value in values]
        else:
            cells = values.astype(object).tolist()
        for i in np.flatnonzero(missing).tolist():
            cells[i] = None
        out[column] = cells
    return out


def attribute_columns(page: pd.DataFrame) -> list[str]:
    """The columns of a page without its geometry."""
    geometry = page.active_geometry_name if isinstance(page, gpd.GeoDataFrame) else None
    return [str(column) for column in page.columns if column != geometry]


def _json(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict | tuple | bool) else value


def mu_values(page: pd.DataFrame) -> list[float | None]:
    """``area_m2`` in mu with four decimals, as ledgers have it."""
    areas = page["area_m2"].astype("float64").to_numpy()
    return [None if np.isnan(value) else round(float(mu(value)), 4) for value in areas]


def places(page: gpd.GeoDataFrame, crs: CRS) -> tuple[list[float | None], list[float | None]]:
    """Longitude and latitude (CGCS2000, seven decimals) of each row's point, or of a point that surely lies in it."""
    points = shapely.point_on_surface(page.geometry.to_numpy())
    there = ~(shapely.is_missing(points) | shapely.is_empty(points))
    xy = np.full((len(page), 2), np.nan)
    if there.any():
        xy[there] = shapely.get_coordinates(reproject(points[there], crs, STORAGE_CRS)).round(7)
    lon, lat = ([None if np.isnan(value) else float(value) for value in column] for column in xy.T)
    return lon, lat


def guarded(cells: list[Any]) -> list[Any]:
    """Texts that a sheet would compute begin with ``'``; those that already do get one more."""
    form = re.compile(_GUARDED)
    return [f"'{cell}" if isinstance(cell, str) and form.match(cell) else cell for cell in cells]


def unguarded(column: pd.Series) -> pd.Series:
    """The way back: one ``'`` less before what looks like a formula."""
    texts = column.astype("string").str.replace(_GUARD, "", regex=True)
    return texts.astype(object).where(texts.str.strip() != "", None)
