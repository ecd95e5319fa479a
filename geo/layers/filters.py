"""CQL2 filters: parsed by a library, held against the schema, kept in a normal form.

The library reads the syntax; what may be asked is decided here by an allow-list. Stores turn the normal form into SQL
with bound values (``geo.store.filtering``); ``geo.layers.filtering.rows`` evaluates it on frames. All follow SQL's
three-valued logic. OGC 21-065r2 (CQL2): Basic CQL2, advanced comparison operators, case-insensitive comparison,
spatial functions, property-property comparison and arithmetic.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cql2

from geo.errors import InvalidParameter
from geo.layers.filtering.terms import COMPARISONS, GEOMETRY_NAMES, SPATIAL, Terms, unknown_operator, wrong
from geo.layers.schema import Layer

_MOST_CHARACTERS = 8 * 1024  # of an expression, the coordinates of CQL2-JSON apart
_MOST_JSON_CHARACTERS = 1024 * 1024
_MOST_DEEP = 24  # brackets and nodes inside each other
_MOST_NODES = 1000  # SQLite takes expressions up to 1,000 levels deep, and a chain of ANDs is one level each
_MOST_LISTED = 1000
_MOST_VERTICES = 10_000
_MOST_SPATIAL = 10
_MOST_PARSING = 300_000  # steps; the library looks at a bracket twice, so at what is n brackets deep 2**n times

_MOST_OPERATORS = 1000  # the library recurses into each; four times as many end the process

# Parts of CQL2 text that are read before the library reads it: a quoted text or name, an opening bracket with the
# word before it, a closing one, an operator (the signs of coordinates among them).
_TEXT_PARTS = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|(\w*)(\()|(\))|([-+*/^%=<>]|\bnot\b)", re.IGNORECASE)
_WORDS_BEFORE_BRACKETS = ("and", "or", "not", "in", "between", "like", "is", "")
_FLIPPED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_FLIPPED_SPATIAL = {"s_within": "s_contains", "s_contains": "s_within"}


@dataclass(frozen=True, slots=True)
class Filter:
    """A CQL2 expression over the fields of one layer; made by ``parse_filter``.

    Parameters
    ----------
    layer : canonical layer name
    expression : CQL2-JSON in normal form, every name from the schema: predicates are ``true``, ``false``, ``and``,
        ``or``, ``not``, comparisons with the field on the left, ``in``, ``isNull``, ``like`` and the spatial functions
        with ``{"property": "geom"}`` on the left; ``between`` is two comparisons, time stamps are dates, values of
        ``casei`` are lower case, arithmetic on constants is done
    text : the expression as it was given
    """

    layer: str
    expression: dict[str, Any] | bool
    text: str


def parse_filter(
    text_or_json: str | dict[str, Any],
    layer: Layer,
    columns: Collection[str] | None = None,
    placed: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
) -> Filter:
    """A filter from CQL2 text or CQL2-JSON.

    Fields are those of ``layer``, and ``geom`` (or ``geometry``) where it has geometry. Text is compared exactly,
    ``like`` has the wildcards ``%`` and ``_`` and the escape ``\\``, ``casei`` folds the letters A to Z. Geometry is
    EPSG:4490, longitude first. Dates are days in China: ``DATE('2024-01-01')``; a ``TIMESTAMP`` may bound them.
    ``json`` fields can only be asked for ``IS NULL``. Arithmetic is done in double precision; where an operand is
    neither nought nor between 1e-150 and 1e150 in magnitude, or a divisor is nought, the result is null.

    Parameters
    ----------
    text_or_json : CQL2 text, or CQL2-JSON as text (it starts with a brace) or as a dictionary
    columns : names of the fields that the asker may see, ``None`` for all; others are answered like unknown ones
    placed : brings the geometry of a constant, GeoJSON or ``{"bbox": …}``, from the asker's system into EPSG:4490

    Raises
    ------
    InvalidParameter
        Bad syntax, an unknown field or function, a value of another kind than its field, a bad date or geometry, or
        an expression beyond the limits.
    """
    names = None if columns is None else frozenset(columns) | {layer.key}
    expression, text = _parsed(text_or_json)
    _check_size(expression)
    if placed is not None:
        expression = _placed(expression, placed)
    return Filter(layer.name, _Predicates(Terms(layer, names)).predicate(expression), text)


def all_of(parts: Sequence[Filter], layer: Layer) -> Filter | None:
    """The filter that all of several filters of a layer make; ``None`` of none."""
    if len(parts) < 2:
        return parts[0] if parts else None
    # a AND (b AND c) is a AND b AND c.
    listed = [
        inner
        for part in parts
        for inner in (
            part.expression["args"]
            if isinstance(part.expression, dict) and part.expression["op"] == "and"
            else [part.expression]
        )
    ]
    return Filter(layer.name, {"op": "and", "args": listed}, " AND ".join(f"({part.text})" for part in parts))


def properties(expression: Any) -> frozenset[str]:
    """Names of the fields that a normal expression asks for, ``geom`` included."""
    return frozenset(node["property"] for node in _nodes(expression) if isinstance(node, dict) and "property" in node)


def unknown_field(layer: Layer, name: str, columns: Collection[str] | None = None) -> InvalidParameter:
    """The error for a field that the layer does not have, or that the asker may not see: the same words for both."""
    return Terms(layer, columns).unknown(name)


# ---------------------------------------------------------------------- reading


def _parsed(given: Any) -> tuple[Any, str]:
    """CQL2-JSON as the library sees it, and the text of it."""
    if isinstance(given, str) and not given.lstrip().startswith("{"):
        _check_text(given)
        try:
            return cql2.parse_text(given).to_json(), given
        except (cql2.ParseError, cql2.ValidationError, ValueError) as error:
            raise _syntax_error(given, str(error)) from None
    try:
        if isinstance(given, str):
            if len(given) > _MOST_JSON_CHARACTERS:
                raise _too_much(f"过滤条件超过 {_MOST_JSON_CHARACTERS} 个字符")
            given = json.loads(given, parse_constant=_no_number)
        if not isinstance(given, dict):
            raise wrong("过滤条件不是 CQL2", "应为 CQL2 文本或 CQL2-JSON 对象")
        _check_size(given)
        text = json.dumps(given, ensure_ascii=False, allow_nan=False)
        if len(_bare(given)) > _MOST_CHARACTERS:
            raise _too_much(f"过滤条件（坐标除外）超过 {_MOST_CHARACTERS} 个字符")
        return _as_written(cql2.parse_json(text).to_json(), given), text
    except (cql2.ParseError, cql2.ValidationError, ValueError, TypeError, RecursionError):
        raise wrong(
            "过滤条件不是有效的 CQL2-JSON", '例如 {"op": "=", "args": [{"property": "town"}, "甲镇"]}'
        ) from None


def _as_written(parsed: Any, given: Any) -> Any:
    """What the library made of CQL2-JSON, with the numbers as they were given: it is wrong in the last bit of some."""
    if isinstance(parsed, dict) and isinstance(given, dict):
        return {name: _as_written(value, given.get(name)) for name, value in parsed.items()}
    if isinstance(parsed, list) and isinstance(given, list) and len(parsed) == len(given):
        return [_as_written(*pair) for pair in zip(parsed, given, strict=True)]
    return given if isinstance(parsed, float) and isinstance(given, float) else parsed


def _placed(node: Any, placed: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """An expression whose size was checked, its constant geometries in EPSG:4490."""
    if isinstance(node, dict):
        if "coordinates" in node or "bbox" in node:
            return placed(node)
        return {name: _placed(value, placed) for name, value in node.items()}
    return [_placed(value, placed) for value in node] if isinstance(node, list) else node


def _no_number(name: str) -> float:
    raise ValueError(name)


def _bare(node: Any) -> str:
    """An expression as text without the coordinates of its geometries."""

    def without(inner: Any) -> Any:
        if isinstance(inner, dict):
            return {name: None if name == "coordinates" else without(value) for name, value in inner.items()}
        return [without(value) for value in inner] if isinstance(inner, list) else inner

    return json.dumps(without(node), ensure_ascii=False)


def _check_text(text: str) -> None:
    """Refuse text that would cost the parser too much: it recurses, and tries each bracket in two ways."""
    if len(text) > _MOST_CHARACTERS:
        raise _too_much(f"过滤条件超过 {_MOST_CHARACTERS} 个字符", "较大的范围请用 CQL2-JSON，或用 bbox")
    kinds: list[bool] = []  # of the open brackets: whether the parser tries it twice
    doubled = cost = before = operators = 0
    for part in _TEXT_PARTS.finditer(text):
        opening, closing = part[2], part[3]
        operators += part[4] is not None or part[1] in ("not", "NOT")
        if operators > _MOST_OPERATORS:
            raise _too_much(f"过滤条件的运算超过 {_MOST_OPERATORS} 个")
        if not opening and not closing:
            continue
        cost += (part.start() - before) << doubled
        before = part.start()
        if opening:
            kinds.append(part[1].lower() in _WORDS_BEFORE_BRACKETS)
            doubled += kinds[-1]
        elif not kinds:
            raise wrong(f"CQL2 语法错误：第 {part.start() + 1} 个字符的右括号没有左括号", "请检查括号")
        else:
            doubled -= kinds.pop()
        if len(kinds) > _MOST_DEEP:
            raise _too_much(f"过滤条件的括号超过 {_MOST_DEEP} 层")
        if cost > _MOST_PARSING:
            raise _too_much("过滤条件的括号嵌套过深", "请减少括号，或用 CQL2-JSON")
    if kinds:
        raise wrong("CQL2 语法错误：左括号没有右括号", "请检查括号")


def _syntax_error(text: str, said: str) -> InvalidParameter:
    at = re.search(r"-->\s*(\d+):(\d+)", said)
    remedy = "例如 town = '甲镇' AND area_m2 > 10000；文本用单引号，日期写作 DATE('2024-05-01')"
    if at is None:
        return wrong("CQL2 语法错误", remedy)
    row, column = int(at[1]), int(at[2])
    lines = text.split("\n")
    near = lines[row - 1][max(0, column - 1) :][:20] if row <= len(lines) else ""
    place = f"第 {row} 行第 {column} 个字符" if len(lines) > 1 else f"第 {column} 个字符"
    return wrong(f"CQL2 语法错误：{place}" + (f"，“{near}”处" if near.strip() else "，表达式未完"), remedy)


def _too_much(detail: str, remedy: str = "请分几次查询，或用 bbox 和字段条件") -> InvalidParameter:
    return wrong(detail, remedy)


def _nodes(expression: Any) -> Iterator[Any]:
    """Every node of an expression, geometries as one node each; no recursion, so that any depth is taken."""
    waiting = [expression]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, dict) and "coordinates" not in node:
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _check_size(expression: Any) -> None:
    """Bound depth, nodes, lists, vertices and spatial functions before anything recurses into the expression."""
    waiting = [(expression, 0)]
    nodes = vertices = spatial = 0
    while waiting:
        node, depth = waiting.pop()
        if depth > 2 * _MOST_DEEP:  # an object and its list of arguments are two levels
            raise _too_much(f"过滤条件嵌套超过 {_MOST_DEEP} 层")
        if isinstance(node, dict) and "coordinates" in node:
            vertices += _vertices(node["coordinates"])
            if vertices > _MOST_VERTICES:
                raise _too_much(f"几何的顶点超过 {_MOST_VERTICES} 个", "请简化图形")
        elif isinstance(node, dict):
            nodes += 1
            spatial += str(node.get("op", "")).lower().startswith("s_")
            waiting += [(value, depth + 1) for value in node.values()]
        elif isinstance(node, list):
            if len(node) > _MOST_LISTED:
                raise _too_much(f"列表超过 {_MOST_LISTED} 个值")
            waiting += [(value, depth + 1) for value in node]
        if nodes > _MOST_NODES:
            raise _too_much(f"过滤条件超过 {_MOST_NODES} 项")
        if spatial > _MOST_SPATIAL:
            raise _too_much(f"空间判断超过 {_MOST_SPATIAL} 个")


def _vertices(coordinates: Any) -> int:
    """Half the numbers in nested lists; counting ends beyond the limit."""
    waiting, numbers = [coordinates], 0
    while waiting and numbers <= 2 * _MOST_VERTICES + 1:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
            numbers += not node  # an empty list costs too
        else:
            numbers += 1
    return -(-numbers // 2)


# ---------------------------------------------------------------------- predicates


@dataclass(frozen=True, slots=True)
class _Predicates:
    """Checks predicates and brings them into the normal form."""

    terms: Terms

    def predicate(self, node: Any) -> Any:
        if isinstance(node, bool):
            return node
        if isinstance(node, dict) and set(node) == {"property"}:
            term = self.terms.term(node)
            if term.kind != "boolean":
                raise wrong(f"字段“{node['property']}”不是真假字段，不能单独作条件", "请与一个值比较")
            return {"op": "=", "args": [term.node, True]}
        if not isinstance(node, dict) or not isinstance(node.get("op"), str) or not isinstance(node.get("args"), list):
            raise wrong("过滤条件应为判断，而不是一个值", "例如 town = '甲镇'")
        op, given = node["op"], node["args"]
        if op in ("and", "or"):
            if len(given) < 2:
                raise wrong(f"“{op}”至少要有两项", "请检查表达式")
            parts = [self.predicate(one) for one in given]
            # a AND (b AND c) is a AND b AND c.
            return {
                "op": op,
                "args": [
                    inner
                    for part in parts
                    for inner in (part["args"] if isinstance(part, dict) and part["op"] == op else [part])
                ],
            }
        if op == "not":
            (inner,) = _arguments(op, given, 1)
            return {"op": "not", "args": [self.predicate(inner)]}
        if op in COMPARISONS:
            return self._comparison(op, *_arguments(op, given, 2))
        if op == "between":
            value, low, high = _arguments(op, given, 3)
            return {"op": "and", "args": [self._comparison(">=", value, low), self._comparison("<=", value, high)]}
        if op == "in":
            return self._one_of(*_arguments(op, given, 2))
        if op == "isNull":
            (inner,) = _arguments(op, given, 1)
            return {"op": "isNull", "args": [self.terms.any_property(inner)]}
        if op == "like":
            return self._like(*_arguments(op, given, 2))
        if op in SPATIAL:
            return self._spatial(op, *_arguments(op, given, 2))
        raise unknown_operator(op)

    def _comparison(self, op: str, left: Any, right: Any) -> dict[str, Any]:
        one, other = self.terms.term(left), self.terms.term(right)
        if one.constant and other.constant:
            raise wrong("比较的两边都是常数", "至少一边应为字段")
        if one.constant:
            op, one, other = _FLIPPED[op], other, one
        self.terms.check_comparable(one, other)
        if one.kind == "boolean" and op not in ("=", "<>"):
            raise wrong("真假字段不能比较大小", "请用 = 或 <>")
        if other.kind == "moment":
            return self._with_moment(op, one.node, other.node)
        return {"op": op, "args": [one.node, self.terms.value_for(one, other)]}

    def _with_moment(self, op: str, node: Any, moment: Any) -> dict[str, Any]:
        """A day compared with a moment within a day: a day begins at midnight in China."""
        day, midnight = {"date": moment["date"]}, moment["midnight"]
        if not midnight:
            if op in ("=", "<>"):
                raise wrong("日期字段不能等于某一时刻", "请用 DATE('2024-05-01')")
            op = {"<": "<=", ">=": ">"}.get(op, op)
        return {"op": op, "args": [node, day]}

    def _one_of(self, value: Any, listed: Any) -> dict[str, Any]:
        term = self.terms.term(value)
        if term.constant:
            raise wrong("“in”的左边应为字段", "例如 town IN ('甲镇', '乙街道')")
        if not isinstance(listed, list) or not listed:
            raise wrong("“in”的右边应为列表，至少一个值", "例如 town IN ('甲镇', '乙街道')")
        values = []
        for one in listed:
            other = self.terms.term(one)
            if not other.constant:
                raise wrong("“in”的列表只能是常数", "字段之间请用 = 比较")
            self.terms.check_comparable(term, other)
            if other.kind == "moment":
                raise wrong("日期字段不能等于某一时刻", "请用 DATE('2024-05-01')")
            values.append(self.terms.value_for(term, other))
        return {"op": "in", "args": [term.node, values]}

    def _like(self, value: Any, pattern: Any) -> dict[str, Any]:
        term, other = self.terms.term(value), self.terms.term(pattern)
        if term.constant or term.kind != "text":
            raise wrong("“like”的左边应为文本字段", "例如 holder LIKE '%纺织%'")
        if not other.constant or other.kind != "text":
            raise wrong("“like”的右边应为文本常数", "例如 holder LIKE '%纺织%'")
        return {"op": "like", "args": [term.node, self.terms.pattern(other.node)]}

    def _spatial(self, op: str, left: Any, right: Any) -> dict[str, Any]:
        sides = [isinstance(side, dict) and "property" in side for side in (left, right)]
        if sides == [False, True]:
            left, right, op = right, left, _FLIPPED_SPATIAL.get(op, op)
        elif sides != [True, False]:
            raise wrong(
                f"“{op}”的一边应为 geom，另一边应为几何常数", f"例如 {op}(geom, BBOX(120.1, 31.2, 120.2, 31.3))"
            )
        geometry_field = self.terms.any_property(left)
        if geometry_field["property"] not in GEOMETRY_NAMES:
            raise wrong(f"字段“{geometry_field['property']}”不是几何", "空间判断请用 geom")
        if self.terms.layer.name == "quarantine" and op not in ("s_intersects", "s_disjoint"):
            # Its geometry is as it came, and other predicates are not defined on invalid polygons.
            raise wrong(f"隔离记录的几何未经修复，不能判断“{op}”", "请用 s_intersects 或 s_disjoint")
        return {"op": op, "args": [{"property": "geom"}, self.terms.geometry(right)]}


def _arguments(op: str, given: list[Any], number: int) -> list[Any]:
    if len(given) != number:
        raise wrong(f"“{op}”应有 {number} 个参数，实有 {len(given)} 个", "请检查表达式")
    return given
