"""The rows of an export, kept on disk for as long as it is written, so that they can be gone over more than once.

Most formats have to know something of all rows before the first one is written: the longest text, the kinds of
geometry, the keys of ``extra``, the extent. Pages are written to one Arrow file as they come, which also lets go of
the store before a slow format is written; memory holds one page.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geo.crs import STORAGE_CRS, reproject
from geo.errors import InvalidInput, InvalidParameter
from geo.layers.json_text import json_text
from geo.layers.schema import Field, Kind, Layer

Frame: TypeAlias = gpd.GeoDataFrame | pd.DataFrame
Bounds: TypeAlias = tuple[float, float, float, float]

GEOMETRY = "geometry"
REPLACEMENT = "\ufffd"
MAX_EXTRA_COLUMNS = 180  # with the widest layer this stays below the 255 fields of a Shapefile
_BATCH_ROWS = 10_000

ARROW_TYPES: dict[Kind, pa.DataType] = {
    "text": pa.string(),
    "real": pa.float64(),
    "integer": pa.int64(),
    "date": pa.date32(),
    "boolean": pa.bool_(),
    "json": pa.string(),
}


@dataclass
class Spool:
    """Rows of one layer on disk, and what is known of all of them.

    Parameters
    ----------
    path : the Arrow file; columns are canonical fields (json as text) and ``geometry`` as WKB in EPSG:4490
    fields : canonical fields that the pages have, in schema order
    has_geometry : whether there is a geometry column at all
    bounds : west, south, east, north; ``None`` where nothing has a geometry
    type_ids : the shapely type ids that occur
    without_geometry : rows whose geometry is missing or empty, where there is a column
    integers : field -> smallest and largest value
    extra_integers : the same for keys of ``extra``
    extra : key of ``extra`` -> kind, where columns are wanted for them
    extra_rest : whether ``extra`` holds anything but objects
    replaced : texts in which a character was replaced (NUL, half a surrogate pair)
    """

    layer: Layer
    path: Path
    fields: tuple[Field, ...] = ()
    has_geometry: bool = False
    rows: int = 0
    bounds: Bounds | None = None
    type_ids: set[int] = field(default_factory=set)
    without_geometry: int = 0
    integers: dict[str, tuple[int, int]] = field(default_factory=dict)
    extra_integers: dict[str, tuple[int, int]] = field(default_factory=dict)
    extra: dict[str, Kind] = field(default_factory=dict)
    extra_rest: bool = False
    replaced: int = 0

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows, in order, some thousands at a time."""
        with pa.ipc.open_file(self.path) as source:
            for number in range(source.num_record_batches):
                yield source.get_batch(number)

    def frames(self, crs: CRS) -> Iterator[Frame]:
        """All rows as canonical frames, geometry in ``crs``; at least one frame, which may be empty."""
        empty = self.rows == 0
        for batch in [pa.RecordBatch.from_pylist([], schema=_schema(self))] if empty else self.batches():
            columns: dict[str, Any] = {item.name: _canonical(item, batch[item.name]) for item in self.fields}
            if not self.has_geometry:
                yield pd.DataFrame(columns)
                continue
            geometries = shapely.from_wkb(batch[GEOMETRY].to_numpy(zero_copy_only=False))
            columns[GEOMETRY] = moved(geometries, crs)
            yield gpd.GeoDataFrame(columns, geometry=GEOMETRY, crs=crs)


def moved(geometries: NDArray[np.object_], crs: CRS) -> NDArray[np.object_]:
    """Stored geometries in another system.

    Raises
    ------
    InvalidParameter
        The system does not reach as far as the data.
    """
    if crs.equals(CRS(STORAGE_CRS), ignore_axis_order=True):
        return geometries
    result = reproject(geometries, STORAGE_CRS, crs)
    if not np.isfinite(shapely.get_coordinates(result)).all():
        raise InvalidParameter(
            f"数据超出坐标系 {crs.name} 的范围", where="crs", remedy="请选数据所在的分带，或 EPSG:4490"
        )
    return result


def spool(pages: Iterable[Frame], layer: Layer, path: Path, *, expand_extra: bool = False) -> Spool:
    """Keep the pages of a layer in the Arrow file ``path``.

    Parameters
    ----------
    pages : canonical frames with the same columns; read once
    expand_extra : whether to look for the keys of ``extra``

    Raises
    ------
    InvalidInput
        A column that the layer does not have or that the first page did not have, a value of another kind,
        a coordinate that is not finite, another system than EPSG:4490.
    InvalidParameter
        More keys in ``extra`` than may become columns.
    """
    found = Spool(layer, path)
    schema: pa.Schema | None = None
    writer: pa.ipc.RecordBatchFileWriter | None = None
    seen_keys: dict[str, set[Kind]] = {}
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    source = iter(pages)
    try:
        for page in source:
            if schema is None or writer is None:
                schema = _begin(found, page)
                writer = pa.ipc.new_file(path, schema, options=options)
            _check_columns(found, page)
            for start in range(0, len(page), _BATCH_ROWS):
                part = page.iloc[start : start + _BATCH_ROWS]
                writer.write_batch(_batch(found, part, schema))
                if expand_extra and "extra" in part:
                    _note_keys(found, part["extra"], seen_keys)
        if writer is None:  # no page at all
            found.fields, found.has_geometry = layer.fields, layer.geometry is not None
            writer = pa.ipc.new_file(path, _schema(found), options=options)
    finally:
        if writer is not None:
            writer.close()
        if hasattr(source, "close"):  # a store ends its snapshot, also where a page could not be taken
            source.close()
    if len(seen_keys) > MAX_EXTRA_COLUMNS:
        raise InvalidParameter(
            f"“其他字段”里有 {len(seen_keys)} 个不同的键，最多展开 {MAX_EXTRA_COLUMNS} 个",
            where="expand_extra",
            remedy="请不展开（作为 JSON 文本导出），或先筛选",
        )
    found.extra = {key: _common(kinds) for key, kinds in seen_keys.items()}
    return found


def _begin(found: Spool, page: Frame) -> pa.Schema:
    found.fields = tuple(item for item in found.layer.fields if item.name in page.columns)
    found.has_geometry = isinstance(page, gpd.GeoDataFrame) and page.active_geometry_name is not None
    return _schema(found)


def _schema(found: Spool) -> pa.Schema:
    fields = [pa.field(item.name, ARROW_TYPES[item.kind]) for item in found.fields]
    return pa.schema([*fields, pa.field(GEOMETRY, pa.binary())] if found.has_geometry else fields)


def _check_columns(found: Spool, page: Frame) -> None:
    known = {item.name for item in found.fields}
    if isinstance(page, gpd.GeoDataFrame) and page.active_geometry_name is not None and found.has_geometry:
        known.add(page.active_geometry_name)
        if not CRS.from_user_input(page.crs or "EPSG:3857").equals(CRS(STORAGE_CRS), ignore_axis_order=True):
            raise InvalidInput("要导出的数据不是 EPSG:4490", where=found.layer.name, remedy=f"请先转换到 {STORAGE_CRS}")
    unknown = [str(name) for name in page.columns if name not in known]
    if unknown:
        raise InvalidInput(
            f"图层“{found.layer.zh}”不能导出这些列：{'、'.join(unknown[:5])}",
            where=found.layer.name,
            remedy="各页应有相同的列，且只有图层自己的字段",
        )


def _batch(found: Spool, page: Frame, schema: pa.Schema) -> pa.RecordBatch:
    arrays = []
    for item in found.fields:
        try:
            array = _array(found, item, page[item.name]) if item.name in page else pa.nulls(len(page))
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            raise InvalidInput(
                f"字段“{item.zh}”有不能导出的值：{error}",
                where=f"{found.layer.name}.{item.name}",
                remedy=f"字段类型为 {item.kind}，请检查来源数据",
            ) from error
        arrays.append(array.cast(schema.field(item.name).type))
    if found.has_geometry:
        geometries = (
            np.asarray(page.geometry.array, dtype=object)
            if isinstance(page, gpd.GeoDataFrame)
            else np.full(len(page), None, dtype=object)
        )
        arrays.append(pa.array(_noted_geometries(found, geometries), pa.binary()))
    found.rows += len(page)
    return pa.record_batch(arrays, schema=schema)


def _array(found: Spool, item: Field, series: pd.Series) -> pa.Array:
    match item.kind:
        case "text":
            return _sound_text(found, series.to_numpy(dtype=object))
        case "json":
            values = series.to_numpy(dtype=object)
            texts = [None if missing(value) else json_text(value) for value in values.tolist()]
            return _sound_text(found, np.array(texts, dtype=object))
        case "date":
            return pa.array(pd.to_datetime(series).to_numpy().astype("datetime64[D]"), pa.date32())
        case "integer":
            array = pa.array(series, pa.int64(), from_pandas=True)
            ends = pc.min_max(array).as_py()
            if ends["min"] is not None:
                low, high = found.integers.get(item.name, (ends["min"], ends["max"]))
                found.integers[item.name] = (min(low, ends["min"]), max(high, ends["max"]))
            return array
        case _:
            array = pa.array(series, ARROW_TYPES[item.kind], from_pandas=True)
            if item.kind == "real" and pc.any(pc.is_inf(array)).as_py():
                raise ValueError("数值为无穷大")
            return array


def _sound_text(found: Spool, values: NDArray[np.object_]) -> pa.Array:
    """Text that every format can hold: NUL characters and halves of surrogate pairs are replaced, and counted."""
    try:
        array = pa.array(values, pa.string(), from_pandas=True)
    except UnicodeEncodeError:
        clean = [_paired(value) if isinstance(value, str) else value for value in values.tolist()]
        found.replaced += sum(
            1 for old, new in zip(values.tolist(), clean, strict=True) if isinstance(old, str) and old != new
        )
        array = pa.array(clean, pa.string(), from_pandas=True)
    with_nul = pc.sum(pc.match_substring(array, "\0")).as_py()
    if with_nul:
        found.replaced += with_nul
        array = pc.replace_substring(array, "\0", REPLACEMENT)
    return array


def _paired(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def plain_text(value: Any) -> str:
    """A value as text that every format can hold: text as it is, all else as JSON."""
    text = value if isinstance(value, str) else json_text(value)
    return _paired(text).replace("\0", REPLACEMENT)


def missing(value: Any) -> bool:
    """Whether a value of an object column stands for none."""
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def _noted_geometries(found: Spool, geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    """WKB, 2D, ``None`` for what is missing or empty; extent and kinds are noted."""
    flat = shapely.force_2d(geometries)
    gone = shapely.is_missing(flat) | shapely.is_empty(flat)
    flat[gone] = None
    found.without_geometry += int(gone.sum())
    there = flat[~gone]
    if len(there):
        if not np.isfinite(shapely.get_coordinates(there)).all():
            raise InvalidInput("有坐标不是有限的数", where=found.layer.name, remedy="请检查几何")
        found.type_ids |= set(np.unique(shapely.get_type_id(there)).tolist())
        west, south, east, north = (float(value) for value in shapely.total_bounds(there))
        old = found.bounds or (west, south, east, north)
        found.bounds = (min(old[0], west), min(old[1], south), max(old[2], east), max(old[3], north))
    return np.asarray(shapely.to_wkb(flat), dtype=object)


def _canonical(item: Field, array: pa.Array) -> Any:
    """One column as a store gives it."""
    match item.kind:
        case "json":
            values = [None if text is None else json.loads(text) for text in array.to_pylist()]
            return pd.Series(values, dtype=object)
        case "text":
            return pd.Series(array.to_pylist(), dtype=object)
        case "date":
            return array.to_numpy(zero_copy_only=False).astype("datetime64[s]")
        case "real":
            return array.to_numpy(zero_copy_only=False)
        case _:
            return pd.array(array.to_pylist(), dtype="Int64" if item.kind == "integer" else "boolean")


def _note_keys(found: Spool, values: pd.Series, seen: dict[str, set[Kind]]) -> None:
    for value in values.to_numpy(dtype=object).tolist():
        if isinstance(value, dict):
            for key, inner in value.items():
                kinds = seen.setdefault(str(key), set())
                if inner is not None:
                    kinds.add(kind := _kind_of(inner))
                    if kind == "integer":
                        low, high = found.extra_integers.get(str(key), (inner, inner))
                        found.extra_integers[str(key)] = (min(low, inner), max(high, inner))
        elif not missing(value):
            found.extra_rest = True


def _kind_of(value: Any) -> Kind:
    match value:
        case bool():
            return "boolean"
        case int():
            # Longer ones are identifiers, which neither a float nor JavaScript nor Excel would keep whole.
            return "integer" if abs(value) < 2**53 else "text"
        case float():
            return "real"
        case str():
            return "text"
        case _:
            return "json"


def _common(kinds: set[Kind]) -> Kind:
    if len(kinds) == 1:
        return next(iter(kinds))
    return "real" if kinds == {"integer", "real"} else "text"
