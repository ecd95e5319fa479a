"""The office's store: PostGIS through psycopg2, every value bound, every identifier from the schema.

Rows are replaced by DELETE and COPY in one transaction. That is slower than building a new table and renaming it, but
readers keep their snapshot and never wait for a lock, and grants and views that an office has put on a table survive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import geopandas as gpd
import psycopg2

from geo.errors import InvalidInput
from geo.layers.schema import QUARANTINE, Layer
from geo.store import postgis_tables as tables
from geo.store.asking import (
    Question,
    ask,
    ask_all,
    ask_page,
    ask_totals,
    following,
    page_size,
    totals_of,
    visible_layer,
)
from geo.store.base import EVERYTHING, Bounds, FeaturePage, Frame, Load, Mode, Query, Run, Scope, Total
from geo.store.columns import Rows, repeated_keys, to_stored
from geo.store.geojson import feature_texts, geometry_texts
from geo.store.lending import pages_of
from geo.store.postgis_connections import Connections, named_role
from geo.store.postgis_copy import copy_chunks
from geo.store.postgis_reading import (
    count_sql,
    features_sql,
    frame_of,
    geometries_of,
    rows_sql,
    totals_sql,
    where_sql,
)
from geo.store.postgis_tables import table
from geo.store.records import (
    LOAD_COLUMNS,
    RUN_COLUMNS,
    check_balance,
    load_from,
    loadable,
    record_values,
    run_from,
    runnable,
    with_counts,
)
from geo.store.tables import quoted

_STREAM_S = 600  # seconds that a page of a stream may take, and that its reader may take until the next
_CURSOR = "lianpian_stream"


class PostGISStore:
    """A store in the schema ``lianpian`` of a PostGIS database.

    Parameters
    ----------
    url : ``postgresql://user@host/database``; made ready where the schema is missing
    read_s : seconds after which a read is given up
    busy_s : seconds that a writer waits for another
    readonly : address of a user who may only read, or a role that reads take on; writing goes by ``url`` all the same
    ready : whether the tables are known to be there; then the server need not answer yet

    Raises
    ------
    StoreUnreachable
        The server does not answer or refuses.
    """

    def __init__(
        self, url: str, *, read_s: float = 30.0, busy_s: float = 30.0, readonly: str = "", ready: bool = False
    ) -> None:
        self._connections = Connections(url, readonly, read_s, busy_s)
        if not ready:
            self._make_ready()

    # ------------------------------------------------------------------ protocol

    def revision(self) -> str:
        """A token that changes with every committed load or run, and only then."""
        ((token,),) = self._rows(f"SELECT store_id || '-' || revision FROM {table('store_state')}")  # noqa: S608
        return str(token)

    def write_load(self, load: Load, features: Frame, quarantine: gpd.GeoDataFrame, mode: Mode = "replace") -> None:
        """Store the rows of one import, its quarantine and its record in one transaction; see ``Store.write_load``."""
        layer = loadable(load, mode)
        rows = to_stored(layer, features)
        apart = to_stored(QUARANTINE, quarantine, {"load_id": load.load_id, "layer": layer.name})
        check_balance(load, rows, apart)
        values = record_values(load)
        with self._transaction() as cursor:
            if mode == "update":
                values = record_values(with_counts(load, **self._update(cursor, rows)))
            self._record(cursor, "loads", tuple(LOAD_COLUMNS), values)
            if mode == "replace":
                self._replace(cursor, rows)
                cursor.execute(f"DELETE FROM {table('quarantine')} WHERE layer = %s", (layer.name,))  # noqa: S608
            elif mode == "append":
                self._append(cursor, rows)
            self._append(cursor, apart)
        self._tidy([layer, QUARANTINE])

    def write_run(self, run: Run, layers: Mapping[str, Frame]) -> None:
        """Store a run and its derived layers in one transaction; see ``Store.write_run``."""
        stored = [to_stored(runnable(name), frame, {"run_id": run.run_id}) for name, frame in layers.items()]
        values = record_values(run)
        with self._transaction() as cursor:
            self._record(cursor, "runs", tuple(RUN_COLUMNS), values)
            for rows in stored:
                if rows.layer.keeps_earlier_runs:
                    self._append(cursor, rows)
                else:
                    self._replace(cursor, rows)
        self._tidy([rows.layer for rows in stored])

    def read(self, query: Query, scope: Scope = EVERYTHING) -> Frame:
        """Rows of a layer in ascending order of its key; see ``Store.read``."""
        question = ask(query, scope)
        return frame_of(question, self._rows(*rows_sql(question)))

    def stream(self, query: Query, scope: Scope = EVERYTHING, rows: int = 50_000) -> Iterator[Frame]:
        """The rows of ``read`` in pages out of one snapshot; see ``Store.stream``."""
        return self._pages(ask(query, scope), page_size(rows))

    def features(
        self, query: Query, scope: Scope = EVERYTHING, *, crs: str | None = None, count_to: int = 0
    ) -> FeaturePage:
        """The rows of ``read`` as GeoJSON, in one statement; see ``Store.features``."""
        question, wanted = ask_page(query, scope)
        counted = ask_all(query, scope) if count_to else None
        rows = self._rows(*features_sql(question, counted, count_to, written=crs is None))
        placed = len(question.sort) + 1
        page = rows[:wanted]
        keys = [row[placed - 1] for row in page]
        matched: int | None = None
        if rows and count_to:
            matched = rows[0][-1] if rows[0][-1] <= count_to else None
        elif count_to:  # nothing here to carry the number
            number = 0 if query.after is None and wanted else self.count(query, scope, at_most=count_to + 1)
            matched = number if number <= count_to else None
        if crs is None or not question.geometry:
            features = [row[placed] for row in page]
        else:
            texts = geometry_texts(geometries_of([row[placed + 1] for row in page]), crs) if page else []
            features = feature_texts(keys, texts, [row[placed] for row in page])
        return FeaturePage(keys, features, following(question, rows, wanted), matched)

    def totals(
        self, query: Query, by: tuple[str, ...], sums: tuple[str, ...] = (), scope: Scope = EVERYTHING
    ) -> list[Total]:
        """Counts and sums by the values of fields; see ``Store.totals``."""
        grouping = ask_totals(query, by, sums, scope)
        return totals_of(grouping, self._rows(*totals_sql(grouping)))

    def count(self, query: Query, scope: Scope = EVERYTHING, *, at_most: int | None = None) -> int:
        """How many rows ``read`` would give without ``limit`` and ``after``; see ``Store.count``."""
        ((number,),) = self._rows(*count_sql(ask_all(query, scope), at_most))
        return int(number)

    def bounds(self, layer: str, scope: Scope = EVERYTHING) -> Bounds | None:
        """West, south, east, north of a layer; ``None`` where it is empty or has no geometry."""
        if visible_layer(layer, scope).geometry is None:
            return None
        where, values = where_sql(ask(Query(layer, columns=()), scope))
        # The extremes of exact coordinates; the index and the cached boxes are rounded to 32 bits.
        ((west, south, east, north),) = self._rows(
            "SELECT min(ST_XMin(geom)), min(ST_YMin(geom)), max(ST_XMax(geom)), max(ST_YMax(geom)) "  # noqa: S608
            f"FROM {table(layer)}{where}",
            values,
        )
        return None if west is None else (west, south, east, north)

    def loads(self) -> list[Load]:
        """All loads, oldest first."""
        return [load_from(row) for row in self._rows(_listing("loads", LOAD_COLUMNS))]

    def runs(self) -> list[Run]:
        """All runs, oldest first."""
        return [run_from(row) for row in self._rows(_listing("runs", RUN_COLUMNS))]

    def make_reader(self, role: str) -> None:
        """Make (or mend) a role that may read the store and nothing else, and let this user take it on.

        Raises
        ------
        InvalidParameter
            Not the name of a role.
        StoreUnreachable
            This user may not make roles.
        """
        named_role(role)
        with self._connections.transaction() as cursor:
            tables.make_reader(cursor, role)

    def close(self) -> None:
        """Close connections."""
        self._connections.close()

    # ------------------------------------------------------------------ connections

    def _rows(self, sql: str, values: list[Any] | None = None) -> list[tuple[Any, ...]]:
        return self._connections.rows(sql, values)

    def _pages(self, question: Question, rows: int) -> Iterator[Frame]:
        """Pages from a cursor of the server; each page has its own time, whatever the caller does between two."""
        self._rows("SELECT 1")  # where the server had gone away, the lent connection is a new one
        sql, values = rows_sql(question)
        with (
            self._connections.faults(_STREAM_S),
            self._connections.borrowed() as reader,
            reader.connection.cursor() as cursor,
        ):

            def fetch(number: int) -> list[tuple[Any, ...]]:
                cursor.execute(f"FETCH {number} FROM {_CURSOR}")
                found: list[tuple[Any, ...]] = cursor.fetchall()
                return found

            cursor.execute(
                "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; "
                f"SET LOCAL statement_timeout = {_STREAM_S * 1000}; "
                f"SET LOCAL idle_in_transaction_session_timeout = {_STREAM_S * 1000}"
            )
            cursor.execute(f"DECLARE {_CURSOR} NO SCROLL CURSOR FOR {sql}", values)
            # Left early, the iterator gives its connection back as if it had come to the end.
            with suppress(GeneratorExit):
                yield from pages_of(fetch, rows, partial(frame_of, question))
            cursor.execute("ROLLBACK")

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        """One writing transaction; all of it or nothing. Writers take turns by the row that holds the revision."""
        with self._connections.transaction() as cursor:
            cursor.execute(f"UPDATE {table('store_state')} SET revision = revision + 1")  # noqa: S608
            yield cursor

    def _make_ready(self) -> None:
        with self._connections.transaction() as cursor:
            cursor.execute("SHOW server_encoding")
            if cursor.fetchone()[0] != "UTF8":
                raise InvalidInput("数据库的编码不是 UTF8", where="PostGIS", remedy="请用 ENCODING 'UTF8' 建库")
            if not tables.is_current(cursor):
                tables.bring_up_to_date(cursor)

    # ------------------------------------------------------------------ writing

    @staticmethod
    def _record(cursor: Any, name: str, columns: tuple[str, ...], values: list[Any]) -> None:
        cursor.execute(
            f"SELECT count(*) FROM {table(name)} WHERE {quoted(columns[0])} = %s",  # noqa: S608
            (values[0],),
        )
        if cursor.fetchone()[0]:
            raise InvalidInput(f"批次“{values[0]}”已存在", where=name, remedy="每次导入或分析要有新的批次号")
        marks = ", ".join(["%s"] * len(columns))
        cursor.execute(
            f"INSERT INTO {table(name)} ({', '.join(map(quoted, columns))}) VALUES ({marks})",  # noqa: S608
            values,
        )

    def _replace(self, cursor: Any, rows: Rows) -> None:
        cursor.execute(f"DELETE FROM {table(rows.layer.name)}")  # noqa: S608
        self._copy(cursor, rows)

    def _append(self, cursor: Any, rows: Rows) -> None:
        if len(rows) == 0:
            return
        key = quoted(rows.layer.key)
        cursor.execute(
            f"SELECT {key} FROM {table(rows.layer.name)} WHERE {key} = ANY(%s) ORDER BY 1 LIMIT 9",  # noqa: S608
            (rows.keys,),
        )
        there = cursor.fetchall()
        if there:
            raise repeated_keys(rows.layer, [key for (key,) in there])
        self._copy(cursor, rows)

    def _update(self, cursor: Any, rows: Rows) -> dict[str, int]:
        """Rows whose key is there take the place of that row, others are added; how many of each."""
        if len(rows) == 0:
            return {"updated": 0, "added": 0}
        name = rows.layer.name
        cursor.execute(f"DELETE FROM {table(name)} WHERE {quoted(rows.layer.key)} = ANY(%s)", (rows.keys,))  # noqa: S608
        updated = cursor.rowcount
        self._copy(cursor, rows)
        return {"updated": updated, "added": len(rows) - updated}

    @staticmethod
    def _copy(cursor: Any, rows: Rows) -> None:
        if len(rows) == 0:
            return
        names = [*map(quoted, rows.names), *(["geom"] if rows.geometries is not None else [])]
        cursor.copy_expert(
            f"COPY {table(rows.layer.name)} ({', '.join(names)}) FROM STDIN (FORMAT binary)",
            _Stream(copy_chunks(rows)),
            size=1 << 20,
        )

    def _tidy(self, layers: list[Layer]) -> None:
        """Give back the space of replaced rows and tell the planner of the new ones; the commit stands without it."""
        with suppress(psycopg2.Error):
            connection = self._connections.writer()
            try:
                with connection.cursor() as cursor:
                    for layer in layers:
                        cursor.execute(f"VACUUM (ANALYZE, SKIP_LOCKED) {table(layer.name)}")
            finally:
                connection.close()


class _Stream:
    """Chunks of bytes as a file that COPY reads."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
        taken = self._rest[:size] if size >= 0 else self._rest
        self._rest = self._rest[len(taken) :]
        return bytes(taken)


def _listing(name: str, columns: Mapping[str, tuple[str, str]]) -> str:
    listed = [f"{quoted(column)}::text" if kind == "json" else quoted(column) for column, (kind, _) in columns.items()]
    return f"SELECT {', '.join(listed)} FROM {table(name)} ORDER BY fid"  # noqa: S608
