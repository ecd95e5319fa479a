"""Between canonical frames and the values that a database stores; both stores use the same.

Stored form: text as ``str``, numbers as ``float`` and ``int``, booleans as ``bool`` (0 and 1 on the way out), dates as
ISO text, json as text, ``None`` for what is missing. Frames that come out have ``object`` (text, json), ``float64``,
``Int64``, ``boolean`` and ``datetime64[s]`` columns whether or not a value is missing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from geopandas.array import GeometryArray
from numpy.typing import NDArray
from pyproj import CRS

from geo.crs import STORAGE_CRS
from geo.errors import InvalidInput
from geo.layers.json_text import json_text as strict_json_text
from geo.layers.json_text import plain_json
from geo.layers.schema import QUARANTINE, Field, Layer
from geo.store.base import Frame

_SHORT = 20  # rows
_NAMED = 5  # rows or keys that an error names

_TYPES_OF = {
    "polygon": (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON),
    "line": (shapely.GeometryType.LINESTRING, shapely.GeometryType.MULTILINESTRING),
    "point": (shapely.GeometryType.POINT, shapely.GeometryType.MULTIPOINT),
}


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a layer in stored form, in ascending order of the key.

    Parameters
    ----------
    names : attribute columns that hold any value; all others are null throughout
    values : one list a column
    geometries : (n,) object array, 2D, ``None`` where missing; ``None`` for a layer without geometry
    """

    layer: Layer
    names: tuple[str, ...]
    values: tuple[list[Any], ...]
    geometries: NDArray[np.object_] | None

    def __len__(self) -> int:
        return len(self.values[0]) if self.values else 0

    @property
    def keys(self) -> list[str]:
        """The key of each row."""
        return self.values[self.names.index(self.layer.key)] if self.values else []


@cache
def storage_crs() -> CRS:
    """EPSG:4490 as an object; making one costs more than a small read."""
    return CRS.from_user_input(STORAGE_CRS)


def to_stored(layer: Layer, frame: Frame, fill: Mapping[str, str] | None = None) -> Rows:
    """The rows of a canonical frame as a database stores them.

    Parameters
    ----------
    frame : canonical columns of ``layer``; missing ones are null
    fill : values for columns that the frame does not have (the run of a finding, the load of a quarantined row)

    Raises
    ------
    InvalidInput
        An unknown column, a value that is not of the field's kind, a missing or repeated key, a geometry of another
        kind or outside longitude and latitude, another CRS.
    """
    geometry_name = frame.active_geometry_name if isinstance(frame, gpd.GeoDataFrame) else None
    unknown = [str(name) for name in frame.columns if name not in layer.columns and name != geometry_name]
    if unknown:
        raise InvalidInput(
            f"图层“{layer.zh}”不认识这些列：{'、'.join(unknown[:_NAMED])}", where=layer.name, remedy="请放入 extra 列"
        )
    if not frame.columns.is_unique:
        raise InvalidInput(f"图层“{layer.zh}”有重名的列", where=layer.name, remedy="请检查映射方案")
    geometries = _geometries(layer, frame, geometry_name)
    if len(frame) == 0:
        return Rows(layer, (), (), geometries)
    keys = _stored_values(layer, layer.field(layer.key), frame[layer.key]) if layer.key in frame.columns else None
    order = _key_order(layer, keys)
    columns: dict[str, list[Any]] = {}
    for field in layer.fields:
        if field.name in frame.columns:
            # Sorted first: to take Python objects out of order costs more than to make them.
            series = frame[field.name] if order is None else frame[field.name].take(order)
            values = _stored_values(layer, field, series)
        elif fill and field.name in fill:
            values = [fill[field.name]] * len(frame)
        else:
            continue
        if field.name == layer.key or any(value is not None for value in values):
            columns[field.name] = values
    if geometries is not None and order is not None:
        geometries = geometries[order]
    return Rows(layer, tuple(columns), tuple(columns.values()), geometries)


def from_stored(
    layer: Layer, names: Sequence[str], values: Sequence[Sequence[Any]], geometries: NDArray[np.object_] | None
) -> Frame:
    """A canonical frame from stored values.

    Parameters
    ----------
    names : attribute columns, in schema order
    values : one sequence a column; empty where there are no rows
    geometries : (n,) object array, or ``None`` where no geometry is wanted
    """
    columns: dict[str, Any] = {
        name: _frame_values(layer, name, column)
        for name, column in zip(names, values or [()] * len(names), strict=True)
    }
    if geometries is None:
        return pd.DataFrame(columns, copy=False)
    columns["geometry"] = GeometryArray(geometries, crs=storage_crs())
    return gpd.GeoDataFrame(pd.DataFrame(columns, copy=False), geometry="geometry")


def _frame_values(layer: Layer, name: str, column: Sequence[Any]) -> Any:
    """One column of a frame. Arrow reads long lists with ``None`` several times faster than numpy, short ones not."""
    kind = layer.field(name).kind
    try:
        if len(column) <= _SHORT and kind in ("real", "date"):
            return np.array(column, dtype=np.float64 if kind == "real" else "datetime64[s]")
        if kind == "real":
            return pa.array(column, pa.float64()).to_numpy(zero_copy_only=False, writable=True)  # None becomes NaN
        if kind == "date":
            days = pa.array(column, pa.string()).cast(pa.date32()).to_numpy(zero_copy_only=False)
            return days.astype("datetime64[s]")  # None becomes NaT
        if kind in ("integer", "boolean"):
            whole = pa.array(column, pa.int64())
            missing = whole.is_null().to_numpy(zero_copy_only=False)
            filled = whole.fill_null(0).to_numpy(zero_copy_only=False).copy()  # Arrow's own memory is read-only
            if kind == "boolean":
                return pd.arrays.BooleanArray(filled.astype(bool), missing.copy())
            return pd.arrays.IntegerArray(filled, missing.copy())
    except (pa.ArrowException, ValueError, TypeError) as error:  # somebody has edited the store by other means
        raise InvalidInput(
            f"图层“{layer.zh}”的字段“{name}”存有无效的值", where=layer.name, remedy="请重新导入"
        ) from error
    objects = np.empty(len(column), dtype=object)
    objects[:] = [None if value is None else json.loads(value) for value in column] if kind == "json" else column
    return pd.Series(objects, dtype=object, copy=False)  # without the dtype pandas would make text its own type


def _stored_values(layer: Layer, field: Field, series: pd.Series) -> list[Any]:
    try:
        match field.kind:
            case "text":
                return _text(series)
            case "real":
                return _real(series)
            case "integer":
                return _integer(series)
            case "boolean":
                return _boolean(series)
            case "date":
                return _date(series)
            case _:
                return _json(series)
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidInput(
            f"图层“{layer.zh}”的字段“{field.zh}”有不能存储的值：{error}",
            where=f"{layer.name}.{field.name}",
            remedy=f"字段类型为 {field.kind}，请检查来源数据或映射方案",
        ) from error


def _objects(series: pd.Series) -> tuple[NDArray[np.object_], NDArray[np.bool_]]:
    """Values as objects, and where they are missing."""
    objects = series.to_numpy(dtype=object)
    return objects, pd.isna(objects)


def _with_none(values: NDArray[Any], missing: NDArray[np.bool_]) -> list[Any]:
    """An array as a list of Python values, ``None`` where missing."""
    result = values.tolist()
    for i in np.flatnonzero(missing).tolist():
        result[i] = None
    return result


def _text(series: pd.Series) -> list[str | None]:
    objects, missing = _objects(series)
    if pd.api.types.infer_dtype(objects, skipna=True) not in ("string", "empty"):
        first = next((value for value in objects[~missing].tolist() if not isinstance(value, str)), None)
        if first is not None:
            raise ValueError(f"{first!r} 不是文本")
    values: list[str | None] = _with_none(objects, missing)
    check_text("".join(value for value in values if value is not None))
    return values


def check_text(text: str) -> None:
    """``ValueError`` where a database could not hold the text: a NUL character, or half a surrogate pair."""
    if "\0" in text:
        raise ValueError("文本含有 NUL 字符")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("文本含有不成对的代理字符") from error


def _real(series: pd.Series) -> list[float | None]:
    numbers = _numbers(series)
    if np.isinf(numbers).any():
        raise ValueError("数值为无穷大")
    return _with_none(numbers, np.isnan(numbers))


def _numbers(series: pd.Series) -> NDArray[np.float64]:
    if pd.api.types.is_numeric_dtype(series.dtype):
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    objects, missing = _objects(series)
    if any(isinstance(value, (str, bytes)) for value in objects.tolist()):
        raise ValueError("文本不是数值")
    return np.where(missing, np.nan, objects).astype(np.float64)


def _integer(series: pd.Series) -> list[int | None]:
    if pd.api.types.is_integer_dtype(series.dtype):  # exact beyond 2**53
        objects, missing = _objects(series)
        whole = np.where(missing, 0, objects)
        if len(whole) and not -(2**63) <= min(whole.tolist()) <= max(whole.tolist()) < 2**63:
            raise ValueError("整数超出 64 位")
        return _with_none(whole.astype(np.int64), missing)
    if series.dtype == object:
        objects, missing = _objects(series)
        if all(isinstance(value, (int, np.integer)) for value in objects[~missing].tolist()):
            return _with_none(np.where(missing, 0, objects).astype(np.int64), missing)
    numbers = _numbers(series)
    missing = np.isnan(numbers)
    whole = np.where(missing, 0.0, numbers)
    if not (np.isfinite(whole) & (np.abs(whole) < 2**63) & (whole == np.trunc(whole))).all():
        raise ValueError("不是整数")
    return _with_none(whole.astype(np.int64), missing)


def _boolean(series: pd.Series) -> list[bool | None]:
    if pd.api.types.is_bool_dtype(series.dtype):
        objects, missing = _objects(series)
        return [None if gone else bool(value) for value, gone in zip(objects.tolist(), missing.tolist(), strict=True)]
    numbers = _numbers(series)
    missing = np.isnan(numbers)
    if not np.isin(numbers[~missing], (0.0, 1.0)).all():
        raise ValueError("不是真假值")
    return _with_none(np.where(missing, 0.0, numbers).astype(bool), missing)


def _date(series: pd.Series) -> list[str | None]:
    if pd.api.types.is_numeric_dtype(series.dtype) and not series.isna().all():
        raise ValueError("数值不是日期")
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        series = series.dt.tz_localize(None)
    if not pd.api.types.is_datetime64_dtype(series.dtype):
        objects, missing = _objects(series)
        told = [None if gone else _iso(value) for value, gone in zip(objects.tolist(), missing.tolist(), strict=True)]
        days = np.array(told, dtype="datetime64[D]")
    else:
        days = series.to_numpy().astype("datetime64[D]")
    missing = np.isnat(days)
    seen = days[~missing]
    if len(seen) and (seen.min() < np.datetime64("0001-01-01") or seen.max() > np.datetime64("9999-12-31")):
        raise ValueError("年份超出 1 至 9999")
    return _with_none(np.datetime_as_string(days).astype(object), missing)


def _iso(value: Any) -> str:
    if isinstance(value, date):  # datetime and Timestamp included
        return value.isoformat()[:10]
    if isinstance(value, np.datetime64):
        return str(value.astype("datetime64[D]"))
    if isinstance(value, str):
        return date.fromisoformat(value[:10]).isoformat()
    raise ValueError(f"{value!r} 不是日期")


def _json(series: pd.Series) -> list[str | None]:
    objects, missing = _objects(series)
    if objects.ndim != 1:
        raise ValueError("不是一列")
    texts: list[str | None] = [
        None if gone else json_text(value) for value, gone in zip(objects.tolist(), missing.tolist(), strict=True)
    ]
    check_text("".join(text for text in texts if text is not None))
    return texts


_lenient = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=plain_json)


def json_text(value: Any) -> str:
    """A value as JSON text; numbers that are none become ``null``, as JSON has no word for them."""
    try:
        return strict_json_text(value)
    except ValueError:
        return strict_json_text(_finite(json.loads(_lenient.encode(value))))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value


def _key_order(layer: Layer, keys: list[Any] | None) -> NDArray[np.int64] | None:
    """The order that sorts the keys, ``None`` where they are sorted; each must be there, once."""
    if keys is None or any(not key for key in keys):
        raise InvalidInput(
            f"图层“{layer.zh}”有行没有“{layer.field(layer.key).zh}”",
            where=f"{layer.name}.{layer.key}",
            remedy="每行都要有编号",
        )
    texts = pa.array(keys, pa.string())
    order = pc.sort_indices(texts)  # by the bytes of the UTF-8
    ordered = texts.take(order)
    again = pc.equal(ordered[1:], ordered[:-1])
    if pc.any(again).as_py():
        raise repeated_keys(layer, ordered[1:].filter(again).to_pylist())
    return None if ordered.equals(texts) else order.to_numpy()


def repeated_keys(layer: Layer, keys: Sequence[str]) -> InvalidInput:
    """The error for keys that are there already."""
    some = "、".join(list(dict.fromkeys(keys))[:_NAMED])
    way = (
        "每次分析要有新的编号" if layer.origin == "derived" else "按编号更新请用 --update，不加 --append 则替换整个图层"
    )
    return InvalidInput(
        f"图层“{layer.zh}”的“{layer.field(layer.key).zh}”重复：{some}",
        where=f"{layer.name}.{layer.key}",
        remedy=f"编号必须唯一；{way}",
    )


def flattened(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    """Geometries without Z and M; the same array where none has any, as to ask is quicker than to copy."""
    more = shapely.has_z(geometries).any() or shapely.has_m(geometries).any()
    return shapely.force_2d(geometries) if more else geometries


def _geometries(layer: Layer, frame: Frame, geometry_name: str | None) -> NDArray[np.object_] | None:
    none_given = np.full(len(frame), None, dtype=object)
    geometries = none_given if geometry_name is None else np.asarray(frame[geometry_name].array, dtype=object)
    there = ~shapely.is_missing(geometries)
    if layer.geometry is None:
        if there.any():
            raise InvalidInput(f"图层“{layer.zh}”不带几何", where=layer.name, remedy="请去掉几何列")
        return None
    if not there.any():
        return none_given
    crs = frame.crs
    if crs is None or not (crs == storage_crs() or crs.equals(storage_crs(), ignore_axis_order=True)):
        raise InvalidInput(
            f"图层“{layer.zh}”的坐标系是 {'未知' if crs is None else crs.name}",
            where=layer.name,
            remedy=f"请先转换到 {STORAGE_CRS}",
        )
    allowed = _TYPES_OF.get(layer.geometry)
    if allowed is not None and not np.isin(shapely.get_type_id(geometries[there]), allowed).all():
        raise InvalidInput(f"图层“{layer.zh}”含有其他类型的几何", where=layer.name, remedy=f"应为 {layer.geometry}")
    flat = flattened(geometries)
    coordinates, owner = shapely.get_coordinates(flat, return_index=True)
    if layer is QUARANTINE:  # its rows are wrong by right; only what a database could not hold is left out
        flat = flat.copy()
        flat[np.unique(owner[~np.isfinite(coordinates).all(axis=1)])] = None
    elif not (np.abs(coordinates) <= (180.0, 90.0)).all():  # NaN and infinity fail too
        raise InvalidInput(f"图层“{layer.zh}”有坐标超出经纬度范围", where=layer.name, remedy="请检查坐标系与坐标轴顺序")
    return flat
