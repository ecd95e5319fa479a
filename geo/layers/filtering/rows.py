"""CQL2 filters on frames: whole columns at a time, with SQL's three-valued logic.

A predicate is known as two arrays, where it is true and where it is false; where it is neither, it is unknown (null).
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from geo.errors import InvalidParameter
from geo.layers.filtering.terms import LARGEST, SMALLEST
from geo.layers.filters import Filter
from geo.layers.schema import LAYERS, Layer

Bools = NDArray[np.bool_]

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_ARROW_OPERATORS = {
    "=": pc.equal, "<>": pc.not_equal, "<": pc.less, "<=": pc.less_equal, ">": pc.greater, ">=": pc.greater_equal,
}  # fmt: skip
# op -> the predicate with the constant first, as only its first side can be prepared: "geom within c" is "c contains".
_SPATIAL: dict[str, Callable[..., Any]] = {
    "s_intersects": shapely.intersects,
    "s_disjoint": shapely.disjoint,
    "s_within": shapely.contains,
    "s_contains": shapely.within,
    "s_touches": shapely.touches,
    "s_overlaps": shapely.overlaps,
    "s_crosses": shapely.crosses,
    "s_equals": shapely.equals,
}


class Known(NamedTuple):
    """Where a predicate is true and where it is false, (n,) each."""

    true: Bools
    false: Bools


def evaluate(filter: Filter, frame: pd.DataFrame) -> Bools:
    """Which rows of a frame a filter takes.

    Parameters
    ----------
    frame : columns of the filter's layer (others are ignored, missing ones are null throughout), geometry EPSG:4490

    Returns
    -------
    (n,) bool; rows for which the expression is unknown are not taken
    """
    return known(filter, frame, LAYERS[filter.layer]).true


def known(filter: Filter, frame: pd.DataFrame, layer: Layer) -> Known:
    """Where a filter is true and where it is false; elsewhere it is unknown.

    Parameters
    ----------
    frame : columns of ``layer`` (others are ignored, missing ones are null throughout), geometry EPSG:4490
    layer : the layer that the filter was held against; it need not be one that a store keeps
    """
    return _Rows(layer, frame).predicate(filter.expression)


def spatial_test(op: str, geometry: dict[str, Any]) -> Callable[[Any], Any]:
    """A spatial predicate of a filter as a function of a geometry or an array of them; its constant is prepared.

    Parameters
    ----------
    op : ``s_intersects`` …
    geometry : the constant, GeoJSON
    """
    constant = constant_geometry(geometry)
    shapely.prepare(constant)
    predicate = _SPATIAL[op]
    return lambda geometries: predicate(constant, geometries)


def constant_geometry(geometry: dict[str, Any]) -> shapely.Geometry:
    """The geometry of a constant in a filter."""
    return shapely.geometry.shape(geometry)


class _Rows:
    def __init__(self, layer: Layer, frame: pd.DataFrame) -> None:
        self._layer = layer
        self._frame = frame
        self._columns: dict[str, Any] = {}  # as they are compared

    def predicate(self, node: Any) -> Known:
        if isinstance(node, bool):
            return self._known(np.full(len(self._frame), node), np.zeros(len(self._frame), dtype=bool))
        op, given = node["op"], node["args"]
        if op in ("and", "or"):
            true, false = zip(*(self.predicate(one) for one in given), strict=True)
            every, some = np.logical_and.reduce, np.logical_or.reduce
            return Known(every(true), some(false)) if op == "and" else Known(some(true), every(false))
        if op == "not":
            inner = self.predicate(given[0])
            return Known(inner.false, inner.true)
        if op == "isNull":
            null = self._null(given[0]["property"])
            return Known(null, ~null)
        if op == "in":
            listed = [self._compared("=", given[0], value) for value in given[1]]
            return Known(
                np.logical_or.reduce([one.true for one in listed]), np.logical_and.reduce([one.false for one in listed])
            )
        if op == "like":
            return self._arrow(pc.match_like(self._text(given[0]), given[1]))
        if op in _SPATIAL:
            geometries = self._geometries()
            return self._known(spatial_test(op, given[1])(geometries), shapely.is_missing(geometries))
        return self._compared(op, *given)

    def _compared(self, op: str, left: Any, right: Any) -> Known:
        kind = self._kind(left)
        if kind == "text":
            if isinstance(right, dict):
                return self._arrow(_ARROW_OPERATORS[op](self._text(left), self._text(right)))
            return self._arrow(_ARROW_OPERATORS[op](self._text(left), pa.scalar(right, pa.string())))
        if kind == "integer" and (isinstance(right, int) or self._kind(right) == "integer"):
            (one, gone), (other, gone_too) = self._integer(left), self._integer(right)
            return self._known(_OPERATORS[op](one, other), gone | gone_too)
        if kind == "date":
            first, second = self._day(left), self._day(right)
            return self._known(_OPERATORS[op](first, second), np.isnat(first) | np.isnat(second))
        real, other_real = self._number(left), self._number(right)
        return self._known(_OPERATORS[op](real, other_real), np.isnan(real) | np.isnan(other_real))

    def _kind(self, term: Any) -> str:
        """The kind of a term: of a field as the schema has it, of anything calculated ``real``."""
        if isinstance(term, dict):
            if "property" in term:
                return self._layer.field(term["property"]).kind
            return {"casei": "text"}.get(term.get("op", ""), "date" if "date" in term else "real")
        return "text" if isinstance(term, str) else "real"

    def _known(self, true: Any, null: Bools) -> Known:
        true = np.asarray(true, dtype=bool) & ~null
        return Known(true, ~true & ~null)

    def _arrow(self, found: Any) -> Known:
        found = found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
        null = found.is_null().to_numpy(zero_copy_only=False)
        return self._known(pc.fill_null(found, False).to_numpy(zero_copy_only=False), null)

    # ------------------------------------------------------------------ columns

    def _column(self, name: str) -> pd.Series:
        if name not in self._frame.columns:
            return pd.Series(np.full(len(self._frame), None, dtype=object))
        return self._frame[name]

    def _null(self, name: str) -> Bools:
        if name == "geom":
            return shapely.is_missing(self._geometries())
        return pd.isna(self._column(name).to_numpy(dtype=object))

    def _geometries(self) -> NDArray[np.object_]:
        if not isinstance(self._frame, gpd.GeoDataFrame) or self._frame.active_geometry_name is None:
            return np.full(len(self._frame), None, dtype=object)
        return np.asarray(self._frame.geometry.array, dtype=object)

    def _text(self, term: dict[str, Any]) -> pa.Array:
        if "op" in term:
            return pc.ascii_lower(self._text(term["args"][0]))
        name = term["property"]
        if name not in self._columns:
            self._columns[name] = pa.array(self._column(name).to_numpy(dtype=object), pa.string(), from_pandas=True)
        return self._columns[name]

    def _integer(self, term: Any) -> tuple[Any, Bools]:
        if isinstance(term, int):
            return term, np.zeros(len(self._frame), dtype=bool)
        name = term["property"]
        if name not in self._columns:
            objects = self._column(name).to_numpy(dtype=object)
            null = pd.isna(objects)
            self._columns[name] = np.where(null, 0, objects).astype(np.int64), null
        found: tuple[Any, Bools] = self._columns[name]
        return found

    def _day(self, term: dict[str, Any]) -> Any:
        if "date" in term:
            return np.datetime64(term["date"], "s")
        series = self._column(term["property"])
        return pd.to_datetime(series).to_numpy().astype("datetime64[s]")

    def _number(self, term: Any) -> Any:
        """Numbers, and booleans as 0 and 1, in double precision; NaN is null."""
        if not isinstance(term, dict):
            return np.float64(term)
        if "op" in term:
            return _calculate(term["op"], *(self._number(one) for one in term["args"]))
        name = term["property"]
        if self._layer.field(name).kind == "integer":
            whole, null = self._integer(term)
            return np.where(null, np.nan, whole.astype(np.float64))
        column = self._column(name)
        if pd.api.types.is_float_dtype(column.dtype):
            return column.to_numpy(dtype=np.float64, na_value=np.nan)
        objects = column.to_numpy(dtype=object)
        return np.where(pd.isna(objects), np.nan, objects).astype(np.float64)


def _calculate(op: str, left: Any, right: Any) -> Any:
    """Arithmetic; NaN where an operand is out of range or a divisor is nought."""
    with np.errstate(all="ignore"):
        null = ~(_in_range(left) & _in_range(right))
        match op:
            case "+":
                result = left + right
            case "-":
                result = left - right
            case "*":
                result = left * right
            case "/":
                null = null | (right == 0)
                result = left / right
            case _:
                raise InvalidParameter(f"不支持的运算“{op}”", where="filter", remedy="请检查表达式")
        return np.where(null, np.nan, result)


def _in_range(numbers: Any) -> Any:
    size = np.abs(numbers)
    return (size == 0) | ((size >= SMALLEST) & (size <= LARGEST))
