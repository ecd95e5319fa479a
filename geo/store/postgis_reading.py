"""A question to PostGIS as SQL: which rows, in which order, written as what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import psycopg2
import shapely
from numpy.typing import NDArray

from geo.layers.schema import Layer
from geo.store.asking import Grouping, Question, behind_sql, order_sql, stretches, written
from geo.store.base import Bounds, Frame
from geo.store.columns import from_stored
from geo.store.filtering import SQL, Dialect, filter_sql, wkb
from geo.store.geojson import DEGREE_DECIMALS
from geo.store.postgis_connections import OWN_PLAN
from geo.store.postgis_copy import SRID
from geo.store.postgis_tables import table
from geo.store.tables import quoted

_NO_LIMIT = 2**31
_LARGE_BOX = 0.005  # square degrees, some 50 km²: more than a screen of parcels
_ROUNDING = 3e-7  # of a coordinate: 32 bits move it by at most 1.2e-7, once in the row and once in the box


def _selected(layer: Layer, name: str) -> str:
    """A column in stored form: dates and json as text, booleans as 0 and 1."""
    cast = {"date": "::text", "json": "::text", "boolean": "::int"}.get(layer.field(name).kind, "")
    return quoted(name) + cast


def rows_sql(question: Question) -> SQL:
    """The statement that gives the rows of a question: its columns, then the geometry where it is wanted."""
    layer = question.layer
    where, values = where_sql(question)
    wanted = [_selected(layer, name) for name in question.columns] + (["geom"] if question.geometry else [])
    sql = f"SELECT {', '.join(wanted)} FROM {table(layer.name)}{where} ORDER BY {order_sql(question)}"  # noqa: S608
    if question.limit is not None:
        sql += " LIMIT %s"
        values.append(question.limit)
    return sql, values


def frame_of(question: Question, rows: Sequence[tuple[Any, ...]]) -> Frame:
    """The frame of the rows that ``_rows_sql`` gave."""
    columns = list(zip(*rows, strict=True)) or [()] * (len(question.columns) + question.geometry)
    geometries = None
    if question.geometry:
        geometries = geometries_of(columns.pop())
    return from_stored(question.layer, question.columns, columns, geometries)


def where_sql(question: Question) -> SQL:
    """The condition of a question, with its WHERE, and the bound values; empty where every row is wanted."""
    parts, values = written(question.conditions, "%s", _NO_LIMIT)
    behind, place = behind_sql(question, "%s")
    parts, values = parts + behind, values + place
    if question.box is not None:
        condition, bound = _box_condition(question.box)
        parts.append(condition)
        values += bound
    if question.filter is not None:
        condition, bound = filter_sql(question.filter, question.layer, _DIALECT)
        parts.append(condition)
        values += bound
    return (f" WHERE {' AND '.join(parts)}" if parts else ""), values


def _takes_many(question: Question) -> bool:
    """Whether a question may take anything between no row and all, so that its best plan hangs on its values."""
    if question.box is None:
        return question.filter is not None or any(one.operator in (">=", "<=") for one in question.conditions)
    west, south, east, north = question.box
    return (east - west) * (north - south) > _LARGE_BOX


def _box_condition(box: Bounds) -> SQL:
    """Rows whose envelope meets a box, edges included.

    ``&&`` compares boxes rounded outwards to 32 bits, so it finds candidates; one that meets the box made smaller by
    more than the rounding is certain, and of the few others the coordinates decide. CASE keeps the planner from taking
    the second test for a further narrowing, which would make it expect hardly any rows.
    """
    west, south, east, north = box
    exact = "ST_XMin(geom) <= %s AND ST_XMax(geom) >= %s AND ST_YMin(geom) <= %s AND ST_YMax(geom) >= %s"
    values = [east, west, north, south]
    margin = _ROUNDING * max(180.0, *map(abs, box))
    inner = (west + margin, south + margin, east - margin, north - margin)
    if inner[0] < inner[2] and inner[1] < inner[3]:
        exact = f"CASE WHEN geom && ST_MakeEnvelope(%s, %s, %s, %s, %s) THEN true ELSE {exact} END"
        values = [*inner, SRID, *values]
    return f"geom && ST_MakeEnvelope(%s, %s, %s, %s, %s) AND {exact}", [west, south, east, north, SRID, *values]


def _spatial(op: str, geometry: dict[str, Any]) -> SQL:
    """A spatial function of a filter. PostGIS looks into the index by itself, but for ST_Disjoint."""
    function = "ST_" + op.removeprefix("s_").capitalize()
    return f"{function}(geom, ST_GeomFromWKB(%s, %s))", [psycopg2.Binary(wkb(geometry)), SRID]


_DIALECT = Dialect("%s", "{0} LIKE %s", lambda pattern: pattern, _spatial, "geom")


def features_sql(question: Question, counted: Question | None, count_to: int, *, written: bool) -> SQL:
    """The statement that gives the features of a page: what makes their place, then the text of each.

    Parameters
    ----------
    counted : a question whose rows are counted as far as ``count_to`` and one more; the number ends every row
    written : whether the text is the whole feature; else it is the properties, and the geometry follows
    """
    layer = question.layer
    properties = ", ".join(map(quoted, question.columns))
    told = f"row_to_json((SELECT p FROM (SELECT {properties}) AS p))::text"  # noqa: S608
    key = quoted(layer.key)
    wanted = [_selected(layer, name) for name in question.sorted_fields]
    if written or not question.geometry:
        shape = f"coalesce(ST_AsGeoJSON(geom, {DEGREE_DECIMALS}, 0), 'null')" if question.geometry else "'null'"
        wanted.append(
            f"""'{{"type":"Feature","id":' || to_json({key})::text || ',"geometry":' || {shape} || """
            f"""',"properties":' || {told} || '}}'"""
        )
    else:
        wanted += [told, "geom"]
    bound: list[Any] = []
    if counted is not None:
        number, bound = count_sql(counted, count_to + 1)
        wanted.append(f"({number})")
    # Places alone are sorted and cut; whole rows are fetched, and written, for the page only.
    ordered = order_sql(question)
    names = [f"place_{number}" for number in range(len(question.sorted_fields))]
    placed = ", ".join(f"{quoted(field)} AS {name}" for field, name in zip(question.sorted_fields, names, strict=True))
    directions = [*(f"{direction.upper()} NULLS LAST" for _, direction in question.sort), "ASC"]
    again = ", ".join(f"{name} {direction}" for name, direction in zip(names, directions, strict=True))
    found, values = [], []
    for stretch in stretches(question):
        where, narrowing = where_sql(stretch)
        found.append(f"SELECT fid, {placed} FROM {table(layer.name)}{where} ORDER BY {ordered} LIMIT %s")  # noqa: S608
        values += [*narrowing, question.limit]
    page = found[0]
    if len(found) > 1:
        page = f"SELECT * FROM (({') UNION ALL ('.join(found)})) AS found ORDER BY {again} LIMIT %s"  # noqa: S608
        values.append(question.limit)
    sql = (
        f"{OWN_PLAN if _takes_many(question) else ''}SELECT {', '.join(wanted)} FROM ({page}) AS page "  # noqa: S608
        f"JOIN {table(layer.name)} USING (fid) ORDER BY {again}"
    )
    return sql, [*bound, *values]


def count_sql(question: Question, at_most: int | None) -> SQL:
    """The statement that counts the rows of a question, as far as ``at_most``."""
    where, values = where_sql(question)
    if at_most is None:
        return f"SELECT count(*) FROM {table(question.layer.name)}{where}", values  # noqa: S608
    inner = f"SELECT 1 FROM {table(question.layer.name)}{where} LIMIT %s"  # noqa: S608
    return f"SELECT count(*) FROM ({inner}) AS counted", [*values, at_most]  # noqa: S608


def totals_sql(grouping: Grouping) -> SQL:
    """The statement that gives groups: their values, the number of rows, the sums."""
    layer = grouping.question.layer
    where, values = where_sql(grouping.question)
    by = [_selected(layer, field.name) for field in grouping.by]
    sums = [f"sum({quoted(field.name)})" for field in grouping.sums]
    places = ", ".join(quoted(field.name) for field in grouping.by)
    grouped = f" GROUP BY {places} ORDER BY {places}" if by else ""
    return f"SELECT {', '.join([*by, 'count(*)', *sums])} FROM {table(layer.name)}{where}{grouped}", values  # noqa: S608


def geometries_of(wkb: Sequence[str | None]) -> NDArray[np.object_]:
    """Geometries of a column as the driver gives it."""
    return shapely.set_srid(shapely.from_wkb(np.array(wkb, dtype=object)), 0)
