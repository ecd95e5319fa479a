"""From a query and a scope to the one question that a store may ask its database.

Every read of land data is narrowed here and nowhere else: what a scope hides is not in the question, so that rows,
counts and bounds cannot tell of it. A field outside the scope is answered like a field that does not exist.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np

from geo.errors import InvalidParameter, NotFound
from geo.layers.filters import Filter, properties, unknown_field
from geo.layers.schema import Field, Layer
from geo.store.base import Bounds, Query, Scope, Total
from geo.store.places import Place, Sort
from geo.store.tables import known_layer, quoted

_BEYOND = 2**1023
_INT64 = (-(2**63), 2**63 - 1)
_TRUTH = {"true": True, "false": False, "1": True, "0": False}


@dataclass(frozen=True, slots=True)
class Condition:
    """``field`` is one of ``values`` (none of them where it is empty), or is not below/above the only one of them.

    ``missing`` has no values: the field has none.
    """

    field: str
    operator: Literal["in", ">=", "<=", ">", "missing"]
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
    sort: Sort = ()
    behind: tuple[Any, ...] | None = None  # rows behind this place in the order of ``sort``, the key last

    @property
    def whole(self) -> bool:
        """Whether every row of the layer is wanted."""
        return (
            not self.conditions
            and self.box is None
            and self.limit is None
            and self.filter is None
            and self.behind is None
        )

    @property
    def sorted_fields(self) -> tuple[str, ...]:
        """The fields whose values make the place of a row, the key last."""
        return (*(name for name, _ in self.sort), self.layer.key)


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
    sort = tuple((_sortable(field(name)).name, direction) for name, direction in query.sort)
    behind = None
    if isinstance(query.after, Place):
        behind = _place(query.after, sort, layer)
        if not sort:
            conditions.append(Condition(layer.key, ">", behind))
            behind = None
    elif query.after is not None:
        if sort or not isinstance(query.after, str) or not _storable(query.after):
            raise _bad_place()
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
        sort=sort,
        behind=behind,
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
    question = ask(replace(query, limit=None, after=None, sort=()), scope)
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
        if condition.operator == "missing":
            parts.append(f"{name} IS NULL")
        elif condition.operator != "in":
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


def order_sql(question: Question, prefix: str = "") -> str:
    """What stands after ORDER BY; rows without a value come last either way."""
    listed = [f"{prefix}{quoted(name)} {direction.upper()} NULLS LAST" for name, direction in question.sort]
    return ", ".join([*listed, f"{prefix}{quoted(question.layer.key)}"])


def behind_sql(question: Question, mark: str) -> tuple[list[str], list[Any]]:
    """The condition that a row stands behind the place of a question, as ``written`` gives conditions."""
    if question.behind is None:
        return [], []
    *values, key = question.behind
    sql, bound = f"{quoted(question.layer.key)} > {mark}", [key]
    for (name, direction), value in zip(reversed(question.sort), reversed(values), strict=True):
        column = quoted(name)
        if value is None:
            sql = f"({column} IS NULL AND {sql})"
        else:
            beyond = ">" if direction == "asc" else "<"
            sql = f"({column} {beyond} {mark} OR {column} IS NULL OR ({column} = {mark} AND {sql}))"
            bound = [value, value, *bound]
    return [sql], bound


def stretches(question: Question) -> tuple[Question, ...]:
    """A question about a page as one or two whose rows, one after the other, are its rows: each an index can walk.

    Behind a place come the rows with a value beyond it, then those without any; in one condition the two would have
    every row of the layer looked at.
    """
    if question.behind is None or question.behind[0] is None:
        return (question,)
    (name, direction), value = question.sort[0], question.behind[0]
    beyond = Condition(name, ">=" if direction == "asc" else "<=", (value,))
    missing = Condition(name, "missing", ())
    return (
        replace(question, conditions=(*question.conditions, beyond)),
        replace(question, conditions=(*question.conditions, missing), behind=None),
    )


@dataclass(frozen=True, slots=True)
class Grouping:
    """A question whose rows are counted and summed by fields."""

    question: Question
    by: tuple[Field, ...]
    sums: tuple[Field, ...]


def ask_totals(query: Query, by: tuple[str, ...], sums: tuple[str, ...], scope: Scope) -> Grouping:
    """What ``totals`` asks; ``InvalidParameter`` for a field that cannot be grouped or summed."""
    question = ask_all(replace(query, columns=(*by, *sums)), scope)  # the fields pass the scope here
    layer = question.layer
    grouped = tuple(layer.field(name) for name in dict.fromkeys(by))
    summed = tuple(layer.field(name) for name in dict.fromkeys(sums))
    for one in grouped:
        if one.kind == "json":
            raise InvalidParameter(f"字段“{one.zh}”不能分组", where=one.name, remedy="结构化字段不能分组")
    for one in summed:
        if one.kind not in ("real", "integer"):
            raise InvalidParameter(f"字段“{one.zh}”不能求和", where=one.name, remedy="只有数值字段可以求和")
    return Grouping(question, grouped, summed)


def totals_of(grouping: Grouping, rows: Iterable[Sequence[Any]]) -> list[Total]:
    """Totals of the rows that a database gave: values of the groups, count, sums."""
    at = len(grouping.by)
    truths = [field.kind == "boolean" for field in grouping.by]
    return [
        Total(
            tuple(bool(v) if truth and v is not None else v for v, truth in zip(row[:at], truths, strict=True)),
            int(row[at]),
            {
                field.name: None if value is None else float(value)
                for field, value in zip(grouping.sums, row[at + 1 :], strict=True)
            },
        )
        for row in rows
    ]


def ask_page(query: Query, scope: Scope) -> tuple[Question, int]:
    """The question of a page, asked for one row more than wanted to know whether any follows; and the wanted number."""
    question = ask(query, scope)
    if question.limit is None:
        raise InvalidParameter("没有给出行数上限", where="limit", remedy="请给出 limit")
    return replace(question, limit=min(question.limit, _INT64[1] - 1) + 1), question.limit


def following(question: Question, rows: Sequence[Sequence[Any]], wanted: int) -> Place | None:
    """The place of the last wanted row, where more rows came; ``rows`` begin with the sorted fields and the key."""
    if len(rows) <= wanted or wanted == 0:
        return None
    return Place(question.sort, tuple(rows[wanted - 1][: len(question.sort) + 1]))


def _sortable(field: Field) -> Field:
    if field.kind == "json":
        raise InvalidParameter(f"字段“{field.zh}”不能排序", where=field.name, remedy="结构化字段不能排序")
    return field


def _place(place: Place, sort: Sort, layer: Layer) -> tuple[Any, ...]:
    """The values of a place in stored form, held against the kinds of its fields."""
    if place.sort != sort or len(place.values) != len(sort) + 1 or place.values[-1] is None:
        raise _bad_place()
    try:
        values = [
            None if value is None else _stored(layer.field(name), value)
            for (name, _), value in zip((*sort, (layer.key, "asc")), place.values, strict=True)
        ]
    except InvalidParameter:
        raise _bad_place() from None
    if any(new is None and old is not None for new, old in zip(values, place.values, strict=True)):
        raise _bad_place()
    return tuple(values)


def _bad_place() -> InvalidParameter:
    return InvalidParameter("翻页标记无效", where="after", remedy="请使用上一页 next 链接，不要更改排序")


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
    if isinstance(number, int) and abs(number) >= _BEYOND:  # no double holds it
        return math.inf if number > 0 else -math.inf
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
