"""CQL2 filters as SQL: every value bound, every identifier from the schema, the same meaning in both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from geo.layers.filtering.rows import constant_geometry
from geo.layers.filtering.terms import COMPARISONS, LARGEST, SMALLEST, SPATIAL, pattern_parts
from geo.layers.schema import Layer
from geo.store.base import Bounds
from geo.store.tables import quoted

SQL = tuple[str, list[Any]]

# Both databases take this text. The operands are named, so that none is written (or computed) twice.
_IN_RANGE = f"({{0}} = 0 OR abs({{0}}) BETWEEN {SMALLEST!r} AND {LARGEST!r})"
_ARITHMETIC = (
    "(SELECT CASE WHEN "
    + " AND ".join(_IN_RANGE.format(side) for side in ("lhs", "rhs"))
    + "{divisor} THEN lhs {op} rhs END "
    "FROM (SELECT CAST({left} AS double precision) AS lhs, CAST({right} AS double precision) AS rhs) AS operands)"
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between the databases.

    Parameters
    ----------
    mark : placeholder of a bound value
    like : SQL of a pattern match with ``{0}`` for the text and a mark for the pattern
    pattern : a LIKE pattern in normal form as this database takes it
    spatial : a spatial function and its constant (GeoJSON) as SQL
    geometry : the geometry column
    """

    mark: str
    like: str
    pattern: Callable[[str], str]
    spatial: Callable[[str, dict[str, Any]], SQL]
    geometry: str


def filter_sql(expression: Any, layer: Layer, dialect: Dialect) -> SQL:
    """An expression in normal form (``geo.layers.filters``) as an SQL condition and its bound values."""
    if isinstance(expression, bool):
        return ("1 = 1" if expression else "1 = 0"), []
    op, given = expression["op"], expression["args"]
    if op in ("and", "or"):
        parts, values = _joined(filter_sql(one, layer, dialect) for one in given)
        return f"({f' {op.upper()} '.join(parts)})", values
    if op == "not":
        inner, values = filter_sql(given[0], layer, dialect)
        return f"NOT ({inner})", values
    if op == "isNull":
        name = given[0]["property"]
        return f"{dialect.geometry if name == 'geom' else quoted(name)} IS NULL", []
    if op in SPATIAL:
        return dialect.spatial(op, given[1])
    term, values = _term(given[0], layer, dialect)
    if op == "like":
        return dialect.like.format(term), [*values, dialect.pattern(given[1])]
    if op == "in":
        listed = [_stored(value) for value in given[1]]
        return f"{term} IN ({', '.join([dialect.mark] * len(listed))})", [*values, *listed]
    if op not in COMPARISONS:
        raise ValueError(f"not an operator of filters: {op!r}")
    other, other_values = _term(given[1], layer, dialect)
    kinds = {_kind(one, layer) for one in given if isinstance(one, dict) and "date" not in one}
    if len(kinds) == 2 and "integer" in kinds:  # an integer beside a real number: both in double precision
        term, other = (f"CAST({one} AS double precision)" for one in (term, other))
    return f"{term} {op} {other}", [*values, *other_values]


def needed_parts(expression: Any) -> tuple[list[dict[str, Any]], Any]:
    """The spatial parts that every row must pass and that are true only where envelopes meet, and the rest of it all.

    The rest is ``None`` where there is none; ``expression`` may be ``None`` too.
    """
    if expression is None or isinstance(expression, bool):
        return [], expression
    parts = expression["args"] if expression["op"] == "and" else [expression]
    needed = [part for part in parts if _is_near(part)]
    rest = [part for part in parts if not _is_near(part)]
    return needed, None if not rest else rest[0] if len(rest) == 1 else {"op": "and", "args": rest}


def needed_boxes(expression: Any) -> list[Bounds]:
    """Boxes that the envelope of every row that passes must meet."""
    return [constant_geometry(part["args"][1]).bounds for part in needed_parts(expression)[0]]


def _is_near(part: Any) -> bool:
    return isinstance(part, dict) and part["op"] in SPATIAL and part["op"] != "s_disjoint"


def glob_pattern(pattern: str) -> str:
    """A LIKE pattern in normal form for SQLite's GLOB, which is case-sensitive as LIKE there is not."""
    wild = {"%": "*", "_": "?"}
    return "".join(
        wild[part] if is_wild else f"[{part}]" if part in "*?[" else part for part, is_wild in pattern_parts(pattern)
    )


def wkb(geometry: dict[str, Any]) -> bytes:
    """A constant of a filter as WKB."""
    return bytes(shapely.to_wkb(constant_geometry(geometry)))


def _term(node: Any, layer: Layer, dialect: Dialect) -> SQL:
    if not isinstance(node, dict) or "date" in node:
        return dialect.mark, [_stored(node)]
    if "property" in node:
        return quoted(layer.field(node["property"]).name), []
    if node["op"] == "casei":
        inner, values = _term(node["args"][0], layer, dialect)
        return f"lower({inner})", values
    if node["op"] not in ("+", "-", "*", "/"):
        raise ValueError(f"not an operator of filters: {node['op']!r}")
    (left, right), values = _joined(_term(one, layer, dialect) for one in node["args"])
    divisor = " AND rhs <> 0" if node["op"] == "/" else ""
    return _ARITHMETIC.format(op=node["op"], divisor=divisor, left=left, right=right), values


def _kind(node: dict[str, Any], layer: Layer) -> str:
    return layer.field(node["property"]).kind if "property" in node else "real"


def _stored(value: Any) -> Any:
    """A constant in stored form."""
    return value["date"] if isinstance(value, dict) else value.item() if isinstance(value, np.generic) else value


def _joined(several: Iterator[SQL]) -> tuple[list[str], list[Any]]:
    texts, values = zip(*several, strict=True)
    return list(texts), [value for some in values for value in some]
