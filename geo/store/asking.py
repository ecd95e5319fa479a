"""From a query and a scope to the one question that a store may ask its database.

Every read of land data is narrowed here and nowhere else: what a scope hides is not in the question, so that rows,
counts and bounds cannot tell of it. A field outside the scope is answered like a field that does not exist.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np

from geo.errors import InvalidParameter, NotFound
from geo.layers.filters import Filter, properties, unknown_field
from geo.layers.schema import Field, Layer
from geo.store.base import Bounds, Query, Scope
from geo.store.tables import known_layer, quoted

_INT64 = (-(2**63), 2**63 - 1)
_TRUTH = {"true": True, "false": False, "1": True, "0": False}


@dataclass(frozen=True, slots=True)
class Condition:
    """``field`` is one of ``values`` (none of them where it is empty), or is not below/above the only one of them."""

    field: str
    operator: Literal["in", ">=", "<=", ">"]
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A query that has passed schema and scope. Values are in stored form, dates as ISO text."""

    layer: Layer
    columns: tuple[str, ...]
    geometry: bool
    conditions: tuple[Condition, ...] = ()
    box: Bounds | None = None
    limit: int | None = None
    filter: Any = None  # normal form of geo.layers.filters

    @property
    def whole(self) -> bool:
        """Whether every row of the layer is wanted."""
        return not self.conditions and self.box is None and self.limit is None and self.filter is None


def ask(query: Query, scope: Scope) -> Question:
    """What ``query`` asks, as far as ``scope`` lets it.

    Raises
    ------
    NotFound
        The layer does not exist or is outside the scope.
    InvalidParameter
        A field that the layer does not have (or that the scope hides), a value that its kind cannot have, a box that
        is none, a filter of another layer.
    """
    layer = visible_layer(query.layer, scope)
    fields = {
        f.name: f for f in layer.fields if scope.columns is None or f.name in scope.columns or f.name == layer.key
    }

    def field(name: str) -> Field:
        if name not in fields:
            raise InvalidParameter(
                f"图层“{layer.zh}”没有字段“{name}”", where=layer.name, remedy="可用字段：" + "、".join(fields)
            )
        return fields[name]

    conditions = [_one_of(field(name), value) for name, value in query.equals.items()]
    conditions += [_limit(field(name), ">=", value) for name, value in query.minimum.items()]
    conditions += [_limit(field(name), "<=", value) for name, value in query.maximum.items()]
    if scope.towns is not None and "town" in layer.columns:
        conditions.append(_one_of(layer.field("town"), tuple(sorted(scope.towns))))
    if query.after is not None:
        if not isinstance(query.after, str) or not _storable(query.after):
            raise InvalidParameter("翻页标记无效", where="after", remedy="请使用上一页最后一行的键值")
        conditions.append(Condition(layer.key, ">", (query.after,)))
    wanted = set(fields) if query.columns is None else {field(name).name for name in query.columns} | {layer.key}
    return Question(
        layer=layer,
        columns=tuple(name for name in layer.columns if name in wanted),
        geometry=query.geometry and layer.geometry is not None,
        conditions=tuple(conditions),
        box=None if query.bbox is None else _box(query.bbox, layer),
        limit=_row_limit(query.limit),
        filter=None if query.filter is None else _expression(query.filter, layer, fields),
    )


def _expression(filter: Filter, layer: Layer, fields: Mapping[str, Field]) -> Any:
    """The expression of a filter whose fields all may be seen."""
    if filter.layer != layer.name:
        raise InvalidParameter(
            f"过滤条件属于图层“{filter.layer}”，不能用于“{layer.name}”", where="filter", remedy="请按图层解析过滤条件"
        )
    for name in sorted(properties(filter.expression)):
        if name not in fields and not (name == "geom" and layer.geometry is not None):
            raise unknown_field(layer, name, fields)
    return filter.expression


def ask_all(query: Query, scope: Scope) -> Question:
    """The question without page: what ``count`` counts."""
    question = ask(replace(query, limit=None, after=None), scope)
    return replace(question, columns=(question.layer.key,), geometry=False)


def page_size(rows: int) -> int:
    """How many rows a page of a stream has; ``InvalidParameter`` where that is no positive number."""
    if isinstance(rows, bool) or not isinstance(rows, Integral) or rows < 1:
        raise InvalidParameter(f"每页行数 {rows!r} 无效", where="rows", remedy="应为正整数")
    return min(int(rows), 2**31 - 1)


def visible_layer(name: str, scope: Scope) -> Layer:
    """The layer called ``name`` where the scope shows it; ``NotFound`` with the same words where it does not exist."""
    if scope.layers is not None and name not in scope.layers:
        raise NotFound(
            f"没有名为“{name}”的图层", where=str(name), remedy="可用图层：" + "、".join(sorted(scope.layers))
        )
    return known_layer(name)


def written(conditions: Iterable[Condition], mark: str, most: int) -> tuple[list[str], list[Any]]:
    """Conditions as SQL with a ``mark`` for every bound value, and the values.

    Parameters
    ----------
    mark : placeholder of the driver, ``?`` or ``%s``
    most : values that one list may bind; a longer one is bound as a single JSON array (SQLite limits the number)
    """
    parts: list[str] = []
    values: list[Any] = []
    for condition in conditions:
        name = quoted(condition.field)
        if condition.operator != "in":
            parts.append(f"{name} {condition.operator} {mark}")
            values.extend(condition.values)
        elif not condition.values:
            parts.append("1 = 0")
        elif len(condition.values) <= most:
            parts.append(f"{name} IN ({', '.join([mark] * len(condition.values))})")
            values.extend(condition.values)
        else:
            parts.append(f"{name} IN (SELECT value FROM json_each({mark}))")  # noqa: S608
            values.append(_json_array(condition.values))
    return parts, values


def _json_array(values: tuple[Any, ...]) -> str:
    return json.dumps(values, ensure_ascii=False)


def _one_of(field: Field, value: Any) -> Condition:
    several = value if isinstance(value, (tuple, list, set, frozenset)) else (value,)
    stored = (_stored(field, one) for one in several if one is not None)
    return Condition(field.name, "in", tuple(dict.fromkeys(one for one in stored if one is not None)))


def _limit(field: Field, operator: Literal[">=", "<="], value: Any) -> Condition:
    """A bound on a number or a date; on integers the next integer inside, so that integers are compared."""
    if field.kind == "date":
        return Condition(field.name, operator, (_stored(field, value),))
    if field.kind not in ("real", "integer"):
        raise InvalidParameter(f"字段“{field.zh}”不能比较大小", where=field.name, remedy="只有数值和日期字段可以比较")
    number = _number(field, value)
    if field.kind == "real" or math.isinf(number):
        return Condition(field.name, operator, (float(number),))
    inside = math.ceil(number) if operator == ">=" else math.floor(number)
    if not _INT64[0] <= inside <= _INT64[1]:
        return Condition(field.name, operator, (math.copysign(math.inf, inside),))
    return Condition(field.name, operator, (inside,))


def _stored(field: Field, value: Any) -> Any:
    """A value in stored form; ``None`` where no stored value can equal it."""
    if field.kind == "text":
        if not isinstance(value, str):
            raise _wrong(field, value, "文本")
        return value if _storable(value) else None
    if field.kind == "boolean":
        known = _TRUTH.get(str(value).lower()) if isinstance(value, (str, bool, np.bool_, Integral)) else None
        if known is None:
            raise _wrong(field, value, "true 或 false")
        return known
    if field.kind == "date":
        if isinstance(value, datetime):  # pandas' Timestamp included
            value = value.date()
        if isinstance(value, date):
            return value.isoformat()
        try:
            return date.fromisoformat(value).isoformat()
        except (TypeError, ValueError):
            raise _wrong(field, value, "日期，如 2024-05-01") from None
    if field.kind in ("real", "integer"):
        number = _number(field, value)
        if field.kind == "real":
            return float(number)
        if not math.isfinite(number) or number != int(number) or not _INT64[0] <= number <= _INT64[1]:
            return None
        return int(number)
    raise InvalidParameter(f"字段“{field.zh}”不能作为条件", where=field.name, remedy="结构化字段不能比较")


def _number(field: Field, value: Any) -> float | int:
    if isinstance(value, bool) or not isinstance(value, (str, Real)):
        raise _wrong(field, value, "数值")
    try:
        number = int(value) if isinstance(value, (str, Integral)) else float(value)
    except ValueError:
        try:
            number = float(value)
        except ValueError:
            raise _wrong(field, value, "数值") from None
    if isinstance(number, float) and math.isnan(number):
        raise _wrong(field, value, "数值")
    return number


def _wrong(field: Field, value: Any, expected: str) -> InvalidParameter:
    return InvalidParameter(f"字段“{field.zh}”的值 {value!r} 无效", where=field.name, remedy=f"应为{expected}")


def _storable(text: str) -> bool:
    """Whether both databases can hold a text: no NUL, no lone surrogate."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _box(bbox: Bounds, layer: Layer) -> Bounds:
    if layer.geometry is None:
        raise InvalidParameter(f"图层“{layer.zh}”没有几何，不能按范围查询", where="bbox", remedy="请去掉 bbox")
    try:
        west, south, east, north = (float(value) for value in bbox)
    except (TypeError, ValueError):
        raise InvalidParameter(
            "范围应为四个数：西、南、东、北", where="bbox", remedy="如 120.1,31.2,120.2,31.3"
        ) from None
    if not all(map(math.isfinite, (west, south, east, north))) or west > east or south > north:
        raise InvalidParameter("范围无效：西应不大于东，南应不大于北", where="bbox", remedy="如 120.1,31.2,120.2,31.3")
    return west, south, east, north


def _row_limit(limit: int | None) -> int | None:
    if limit is None:
        return None
    if isinstance(limit, bool) or not isinstance(limit, Integral) or limit < 0:
        raise InvalidParameter(f"行数上限 {limit!r} 无效", where="limit", remedy="应为不小于 0 的整数")
    return min(int(limit), _INT64[1])
