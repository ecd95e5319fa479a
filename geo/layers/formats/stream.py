"""Spooled rows as one Arrow stream, in the system, with the names and in the types that a format can hold."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geo.errors import LianpianError
from geo.layers.dictionary import Column
from geo.layers.formats.spool import ARROW_TYPES, GEOMETRY, REPLACEMENT, Spool, moved
from geo.layers.json_text import json_text

Family: TypeAlias = Literal["polygon", "line", "point", "mixed"]

# Type ids of shapely: 0 point, 1 line, 2 ring, 3 polygon, 4 … 6 their multiples, 7 collection.
_FAMILY_OF_ID: dict[int, Family] = {0: "point", 1: "line", 2: "line", 3: "polygon", 4: "point", 5: "line", 6: "polygon"}
FAMILIES_ZH: dict[Family, str] = {"polygon": "面", "line": "线", "point": "点", "mixed": "混合"}
_COLLECTION = 7
_LONG_NUMBER = r"\d{16}"
_CONTROL = r"[\x01-\x08\x0b\x0c\x0e-\x1f\x{fffe}\x{ffff}]"  # what XML 1.0 cannot hold, NUL apart

Convert: TypeAlias = Callable[[Column, pa.Array], pa.Array]


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a format can hold.

    Parameters
    ----------
    json_type : whether it knows JSON; text otherwise
    date : ``day``, ``moment`` (a day as midnight) or ``text`` (ISO)
    narrow : whether whole numbers are written with 32 bits where all of them fit
    promote : whether lines and polygons are always written as multiples, so that the layer has one type
    collections : whether a geometry collection can be written; its parts of the highest dimension otherwise
    xml : whether the file is XML, which has no control characters
    wide_as_text : whether whole numbers above 2**53 become text, in columns and inside what is known to be JSON
    """

    json_type: bool = False
    date: Literal["day", "moment", "text"] = "day"
    narrow: bool = False
    promote: bool = True
    collections: bool = True
    xml: bool = False
    wide_as_text: bool = False


@dataclass
class Outgoing:
    """The rows of one file or feature class as an Arrow stream, and what happened to them on the way.

    Parameters
    ----------
    reader : geometry as WKB in the column ``geometry``, where there is one
    geometry_type : as GDAL calls it; ``None`` for a table
    failure : what went wrong inside the stream; the driver that reads it only says that something did
    reduced : geometry collections of which parts were left out
    replaced : texts in which a control character was replaced
    rows : rows handed over so far
    """

    schema: pa.Schema
    geometry_type: str | None
    reader: pa.RecordBatchReader = None
    failure: LianpianError | None = None
    reduced: int = 0
    replaced: int = 0
    rows: int = 0


def families(found: Spool, dialect: Dialect) -> tuple[Family, ...]:
    """The families of geometry that occur; ``mixed`` where there are collections and the format takes them."""
    kinds = {_FAMILY_OF_ID[number] for number in found.type_ids if number != _COLLECTION}
    if _COLLECTION in found.type_ids:
        if dialect.collections:
            return ("mixed",)
        for batch in found.batches():
            kinds |= set(_families_of(_reduced(_read_wkb(batch))[0])) - {None}
    if not kinds:  # no row has a geometry: the layer says what it would be
        told = found.layer.geometry
        return ("polygon" if told in (None, "any") else told,)  # type: ignore[return-value]
    order: tuple[Family, ...] = ("polygon", "line", "point")
    return tuple(kind for kind in order if kind in kinds)


def outgoing(
    found: Spool,
    columns: tuple[Column, ...],
    dialect: Dialect,
    crs: CRS,
    *,
    only: Family | None = None,
    without_geometry: bool = True,
    convert: Convert | None = None,
    widths: dict[str, int] | None = None,
) -> Outgoing:
    """The rows as a stream.

    Parameters
    ----------
    columns : what is written, under which names
    crs : system of the geometry
    only : rows of one family of geometry; all rows otherwise
    without_geometry : whether rows without a geometry are among them
    convert : what a format does to a text column beyond its dialect
    widths : name of a column -> width that GDAL declares

    Raises
    ------
    InvalidParameter
        From the stream, kept in ``failure`` too: coordinates that the target system does not have.
    """
    schema = pa.schema([_arrow_field(found, column, dialect, widths or {}) for column in columns])
    kind = _geometry_type(found, only, dialect) if found.has_geometry else None
    if kind is not None:
        schema = schema.append(pa.field(GEOMETRY, pa.binary(), metadata={"ARROW:extension:name": "geoarrow.wkb"}))
    result = Outgoing(schema, kind)

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            for batch in found.batches():
                rows = _rows(found, batch, columns, schema, dialect, crs, only, without_geometry, convert, result)
                if rows.num_rows:
                    result.rows += rows.num_rows
                    yield rows
        except LianpianError as error:
            result.failure = error
            raise

    result.reader = pa.RecordBatchReader.from_batches(schema, batches())
    return result


def _arrow_field(found: Spool, column: Column, dialect: Dialect, widths: dict[str, int]) -> pa.Field:
    kind: pa.DataType = ARROW_TYPES[column.kind]
    metadata = {"GDAL:OGR:alternative_name": column.zh} if column.zh != column.name else {}
    if column.kind == "json" and dialect.json_type:
        metadata["ARROW:extension:name"] = "arrow.json"
    elif column.kind == "date" and dialect.date != "day":
        kind = pa.timestamp("ms") if dialect.date == "moment" else pa.string()
    elif column.kind == "integer":
        ranges = found.extra_integers if column.from_extra else found.integers
        low, high = ranges.get(column.source, (0, 0))
        if dialect.wide_as_text and max(-low, high) > 2**53:
            kind = pa.string()
        elif dialect.narrow and low > -(2**31) and high < 2**31:
            kind = pa.int32()
    if column.name in widths:
        metadata["GDAL:OGR:width"] = str(widths[column.name])
    return pa.field(column.name, kind, metadata=metadata or None)


def _geometry_type(found: Spool, only: Family | None, dialect: Dialect) -> str:
    present = (only,) if only else families(found, dialect)
    if len(present) > 1 or present[0] == "mixed":
        return "Unknown"
    family = present[0]
    if family == "point":
        return "Point" if 4 not in found.type_ids and _COLLECTION not in found.type_ids else "MultiPoint"
    if dialect.promote:
        return "MultiPolygon" if family == "polygon" else "MultiLineString"
    return "Unknown"


def _rows(
    found: Spool,
    batch: pa.RecordBatch,
    columns: tuple[Column, ...],
    schema: pa.Schema,
    dialect: Dialect,
    crs: CRS,
    only: Family | None,
    without_geometry: bool,
    convert: Convert | None,
    result: Outgoing,
) -> pa.RecordBatch:
    geometries = None
    if found.has_geometry:
        geometries = _read_wkb(batch)
        if not dialect.collections:
            geometries, reduced = _reduced(geometries)
            result.reduced += reduced
        keep = _chosen(geometries, only, without_geometry)
        if not keep.all():
            batch, geometries = batch.filter(pa.array(keep)), geometries[keep]
    arrays = []
    extra = _parsed_extra(batch) if any(column.from_extra for column in columns) else []
    for column, target in zip(columns, schema, strict=False):
        if column.from_extra:
            array = _extra_array(column, extra)
        elif column.source == "extra" and found.extra:  # the objects have columns of their own
            rest = [None if value is None or isinstance(value, dict) else json_text(value) for value in extra]
            array = pa.array(rest, pa.string())
        else:
            array = batch[column.source]
        arrays.append(_shaped(column, array, target.type, dialect, convert, result))
    if geometries is not None:
        arrays.append(pa.array(_written(geometries, crs, result), pa.binary()))
    return pa.record_batch(arrays, schema=schema)


def _read_wkb(batch: pa.RecordBatch) -> NDArray[np.object_]:
    geometries: NDArray[np.object_] = shapely.from_wkb(batch[GEOMETRY].to_numpy(zero_copy_only=False))
    return geometries


def _families_of(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    names = np.array([*(_FAMILY_OF_ID.get(number) for number in range(_COLLECTION)), "mixed", None], dtype=object)
    return names[shapely.get_type_id(geometries)]  # missing is -1, the last name


def _chosen(geometries: NDArray[np.object_], only: Family | None, without_geometry: bool) -> NDArray[np.bool_]:
    there = ~shapely.is_missing(geometries)
    fits = there if only is None else _families_of(geometries) == only
    return fits | ~there if without_geometry else fits


def _reduced(geometries: NDArray[np.object_]) -> tuple[NDArray[np.object_], int]:
    """Collections as their parts of the highest dimension, and how many of them lost something by it."""
    where = np.flatnonzero(shapely.get_type_id(geometries) == _COLLECTION)
    if len(where) == 0:
        return geometries, 0
    geometries, lost = geometries.copy(), 0
    for i in where.tolist():  # collections are rare: quarantined rows
        parts = _atoms(geometries[i])
        dimension = shapely.get_dimensions(parts)
        kept = parts[dimension == dimension.max()]
        make = (shapely.multipoints, shapely.multilinestrings, shapely.multipolygons)[int(dimension.max())]
        geometries[i] = make(kept)
        lost += len(kept) < len(parts)
    return geometries, lost


def _atoms(geometry: Any) -> NDArray[np.object_]:
    parts = shapely.get_parts(geometry)
    while (shapely.get_type_id(parts) >= 4).any():
        parts = shapely.get_parts(parts)
    return np.asarray(parts[~shapely.is_empty(parts)], dtype=object)


def _parsed_extra(batch: pa.RecordBatch) -> list[Any]:
    return [None if text is None else json.loads(text) for text in batch["extra"].to_pylist()]


def _extra_array(column: Column, extra: list[Any]) -> pa.Array:
    values = [value.get(column.source) if isinstance(value, dict) else None for value in extra]
    match column.kind:
        case "real":
            return pa.array([None if value is None else float(value) for value in values], pa.float64())
        case "text" | "json":
            texts = [value if value is None or isinstance(value, str) else json_text(value) for value in values]
            return pa.array(texts, pa.string())
        case _:
            return pa.array(values, ARROW_TYPES[column.kind])


def _shaped(
    column: Column, array: pa.Array, kind: pa.DataType, dialect: Dialect, convert: Convert | None, result: Outgoing
) -> pa.Array:
    if column.kind == "date" and kind == pa.string():
        return pc.strftime(array, format="%Y-%m-%d")
    if column.kind in ("text", "json"):
        if dialect.xml:
            bad = pc.match_substring_regex(array, _CONTROL)
            if pc.any(bad).as_py():
                result.replaced += pc.sum(bad).as_py()
                array = pc.replace_substring_regex(array, _CONTROL, REPLACEMENT)
        if column.kind == "json" and dialect.json_type and dialect.wide_as_text:
            array = _wide_as_text(array)
        if convert is not None:
            array = convert(column, array)
    return array if array.type == kind else array.cast(kind)


def _wide_as_text(array: pa.Array) -> pa.Array:
    """JSON texts in which whole numbers above 2**53 are strings; other programs would round them."""
    if not pc.any(pc.match_substring_regex(array, _LONG_NUMBER)).as_py():
        return array

    def number(digits: str) -> int | str:
        value = int(digits)
        return value if abs(value) <= 2**53 else digits

    texts = [
        json_text(json.loads(text, parse_int=number)) if text and re.search(_LONG_NUMBER, text) else text
        for text in array.to_pylist()
    ]
    return pa.array(texts, pa.string())


def _written(geometries: NDArray[np.object_], crs: CRS, result: Outgoing) -> NDArray[np.object_]:
    geometries = moved(geometries, crs)
    if result.geometry_type in ("MultiPolygon", "MultiLineString", "MultiPoint"):
        geometries = _promoted(geometries)
    return np.asarray(shapely.to_wkb(geometries), dtype=object)


def _promoted(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    """Single points, lines and polygons as multiples of one part."""
    result = geometries.copy()
    type_ids = shapely.get_type_id(geometries)
    for ids, make in (
        ((3,), shapely.multipolygons),
        ((1, 2), shapely.multilinestrings),
        ((0,), shapely.multipoints),
    ):
        single = np.isin(type_ids, ids)
        if single.any():
            result[single] = make(geometries[single][:, None])
    return result
