"""A question to the embedded store as SQL: which rows, by which way, in which order."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.layers.filtering.rows import constant_geometry, spatial_test
from geo.layers.schema import Layer
from geo.store import rtree
from geo.store.asking import Grouping, Question, behind_sql, order_sql, written
from geo.store.base import Bounds, Frame
from geo.store.blobs import body, envelope, from_blobs
from geo.store.columns import from_stored
from geo.store.filtering import SQL, Dialect, filter_sql, glob_pattern, needed_boxes, needed_parts
from geo.store.tables import quoted

_MOST_BOUND = 30_000  # SQLite binds at most 32,766 values
_JUDGED_AT_ONCE = 20_000  # geometries; bounds the memory

_Test = Callable[[bytes | None], int | None]


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows that a question takes.

    Parameters
    ----------
    source : what stands after FROM; ``t`` is the layer, ``r`` its R-tree where one is used
    values : bound values of ``source``
    tests : the spatial parts of its filter, functions of a geometry's blob
    """

    source: str
    values: list[Any]
    tests: tuple[_Test, ...]

    @contextmanager
    def functions(self, connection: sqlite3.Connection) -> Iterator[None]:
        """Teach a connection the tests for as long as the question takes."""
        for number, test in enumerate(self.tests):
            connection.create_function(_test_name(number), 1, test, deterministic=True)
        try:
            yield
        finally:
            for number in range(len(self.tests)):
                connection.create_function(_test_name(number), 1, None)


@contextmanager
def selected(connection: sqlite3.Connection, question: Question) -> Iterator[Selection]:
    """Which rows a question takes; for the length of the block the connection has one snapshot and what SQL needs.

    The spatial parts of a filter are judged row by row for a page, as it needs few rows; for a whole answer all
    candidates are judged at once beforehand, several times quicker a row.
    """
    connection.execute("BEGIN")
    chosen = _whole_answer(connection, question) if question.limit is None else _page(connection, question)
    with chosen.functions(connection):
        yield chosen
    connection.execute("ROLLBACK")


def _page(connection: sqlite3.Connection, question: Question) -> Selection:
    """The selection of a page: spatial parts are functions, those that every row must pass narrow by the R-tree too."""
    tests: list[_Test] = []

    def spatial(op: str, geometry: dict[str, Any]) -> SQL:
        tests.append(_blob_test(op, geometry))
        return f"{_test_name(len(tests) - 1)}(t.geom)", []

    boxes = needed_boxes(question.filter)
    source, values = _source(
        question,
        [] if question.filter is None else [filter_sql(question.filter, question.layer, _dialect(spatial))],
        [rtree.candidate_condition(box) for box in boxes],
        by_key=_better_by_key(connection, question, boxes),
    )
    return Selection(source, values, tuple(tests))


def _whole_answer(connection: sqlite3.Connection, question: Question) -> Selection:
    """The selection of a whole answer: spatial parts are lists of rows."""
    layer = question.layer
    needed, rest = needed_parts(question.filter)
    conditions: list[SQL] = []
    if needed:
        found = [_matching_fids(connection, layer, part["op"], part["args"][1]) for part in needed]
        listed = json.dumps(reduce(np.intersect1d, found).tolist())
        conditions.append(("t.fid IN (SELECT value FROM json_each(?))", [listed]))

    def spatial(op: str, geometry: dict[str, Any]) -> SQL:
        taken = "NOT IN" if op == "s_disjoint" else "IN"
        meets = _matching_fids(connection, layer, "s_intersects" if op == "s_disjoint" else op, geometry)
        sql = f"CASE WHEN t.geom IS NOT NULL THEN t.fid {taken} (SELECT value FROM json_each(?)) END"  # noqa: S608
        return sql, [json.dumps(meets.tolist())]

    if rest is not None:
        conditions.append(filter_sql(rest, layer, _dialect(spatial)))
    return Selection(*_source(question, conditions, [], by_key=False), ())


def _dialect(spatial: Callable[[str, dict[str, Any]], SQL]) -> Dialect:
    return Dialect("?", "{0} GLOB ?", glob_pattern, spatial, "t.geom")


def _source(question: Question, conditions: list[SQL], candidates: list[SQL], *, by_key: bool) -> SQL:
    """What stands after FROM; ``candidates`` are conditions on the R-tree, ``conditions`` on the layer."""
    parts, values = written(question.conditions, "?", _MOST_BOUND)
    behind, place = behind_sql(question, "?")
    parts, values = parts + behind, values + place
    on_tree = [*([rtree.box_condition(question.box)] if question.box is not None else []), *candidates]
    source = f"{quoted(question.layer.name)} AS t"
    if on_tree:
        tree = f'"rtree_{question.layer.name}_geom" AS r'
        # CROSS JOIN: SQLite keeps the order.
        source = (
            f"{source} CROSS JOIN {tree} ON r.id = t.fid" if by_key else f"{tree} CROSS JOIN {source} ON t.fid = r.id"
        )
    parts = [part for part, _ in on_tree] + parts + [part for part, _ in conditions]
    values = [one for _, bound in on_tree for one in bound] + values + [one for _, bound in conditions for one in bound]
    return source + (f" WHERE {' AND '.join(parts)}" if parts else ""), values


def rows_sql(question: Question, chosen: Selection, *, placed: bool = False) -> SQL:
    """The statement that gives the rows of a question: its columns, then the geometry where it is wanted.

    ``placed`` rows begin with the values that make their place.
    """
    layer = question.layer
    order = order_sql(question, "t.")
    source, values = chosen.source, list(chosen.values)
    names = (*question.sorted_fields, *question.columns) if placed else question.columns
    wanted = [f"t.{quoted(name)}" for name in names] + (["t.geom"] if question.geometry else [])
    if question.limit is not None:
        # Keys alone are sorted and cut; whole rows are fetched for the page only.
        source = (
            f"(SELECT t.fid AS page_fid FROM {source} ORDER BY {order} LIMIT ?) "  # noqa: S608
            f"CROSS JOIN {quoted(layer.name)} AS t ON t.fid = page_fid"
        )
        values.append(question.limit)
    return f"SELECT {', '.join(wanted)} FROM {source} ORDER BY {order}", values  # noqa: S608


def totals_sql(grouping: Grouping, chosen: Selection) -> SQL:
    """The statement that gives groups: their values, the number of rows, the sums."""
    by = [f"t.{quoted(field.name)}" for field in grouping.by]
    sums = [f"sum(t.{quoted(field.name)})" for field in grouping.sums]
    grouped = f" GROUP BY {', '.join(by)} ORDER BY {', '.join(f'{one} NULLS LAST' for one in by)}" if by else ""
    return f"SELECT {', '.join([*by, 'count(*)', *sums])} FROM {chosen.source}{grouped}", chosen.values  # noqa: S608


def frame_of(question: Question, rows: Sequence[tuple[Any, ...]]) -> Frame:
    """The frame of the rows that ``rows_sql`` gave."""
    wanted = len(question.columns) + question.geometry
    columns = list(zip(*rows, strict=True)) or [()] * wanted
    geometries = from_blobs(columns.pop()) if question.geometry else None
    return from_stored(question.layer, question.columns, columns, geometries)


def _better_by_key(connection: sqlite3.Connection, question: Question, boxes: list[Bounds]) -> bool:
    """Whether a page in a box is found sooner along the keys than by sorting all rows of the box.

    With n rows of which the box holds a share p, the R-tree gives p·n rows to sort, a walk along the keys passes
    limit/p rows. Either way the answer is the same.
    """
    boxes = [*([question.box] if question.box is not None else []), *boxes]
    if not boxes or question.limit is None or question.sort:
        return False
    name = question.layer.name
    ((west, south, east, north, rows),) = connection.execute(
        f"SELECT min_x, min_y, max_x, max_y, (SELECT max(fid) FROM {quoted(name)}) "  # noqa: S608
        "FROM gpkg_contents WHERE table_name = ?",
        [name],
    ).fetchall()
    if west is None or rows is None:
        return False
    sides = list(zip(*boxes, (west, south, east, north), strict=True))
    across = (min(sides[2]) - max(sides[0])) / max(east - west, 1e-9)
    along = (min(sides[3]) - max(sides[1])) / max(north - south, 1e-9)
    share = max(across, 0.0) * max(along, 0.0)
    return bool(share * share * rows > max(question.limit, 1))


def _matching_fids(
    connection: sqlite3.Connection, layer: Layer, op: str, geometry: dict[str, Any]
) -> NDArray[np.int64]:
    """The rows for which a spatial predicate is true, all candidates judged together, in the order of the file."""
    test = spatial_test(op, geometry)
    condition, values = rtree.candidate_condition(constant_geometry(geometry).bounds)
    cursor = connection.execute(
        f"SELECT t.fid, t.geom FROM {quoted(layer.name)} AS t "  # noqa: S608
        f'WHERE t.fid IN (SELECT r.id FROM "rtree_{layer.name}_geom" AS r WHERE {condition})',
        values,
    )
    found = [np.empty(0, dtype=np.int64)]
    while rows := cursor.fetchmany(_JUDGED_AT_ONCE):
        fids, blobs = zip(*rows, strict=True)
        found.append(np.array(fids, dtype=np.int64)[test(from_blobs(blobs))])
    return np.concatenate(found)


def _test_name(number: int) -> str:
    return f"lianpian_filter_{number}"


def _blob_test(op: str, geometry: dict[str, Any]) -> _Test:
    """A spatial part of a filter as a function of a blob: 1, 0, or ``None`` where there is no geometry."""
    test = spatial_test(op, geometry)
    west, south, east, north = constant_geometry(geometry).bounds
    apart = int(op == "s_disjoint")

    def of(blob: bytes | None) -> int | None:
        if blob is None:
            return None
        box: Bounds | None = envelope(blob)
        if box is None or box[0] > east or box[2] < west or box[1] > north or box[3] < south:
            return apart
        return int(test(shapely.from_wkb(body(blob))))

    return of
