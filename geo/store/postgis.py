"""The office's store: PostGIS through psycopg2, every value bound, every identifier from the schema.

Rows are replaced by DELETE and COPY in one transaction. That is slower than building a new table and renaming it, but
readers keep their snapshot and never wait for a lock, and grants and views that an office has put on a table survive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import geopandas as gpd
import numpy as np
import psycopg2
import psycopg2.extensions
import shapely

from geo.errors import InvalidInput, StoreUnreachable
from geo.layers.schema import QUARANTINE, Layer
from geo.store import postgis_tables as tables
from geo.store.asking import Question, ask, ask_all, page_size, visible_layer, written
from geo.store.base import EVERYTHING, Bounds, Frame, Load, Mode, Query, Run, Scope
from geo.store.columns import Rows, from_stored, repeated_keys, to_stored
from geo.store.filtering import SQL, Dialect, filter_sql, wkb
from geo.store.lending import Lending, pages_of
from geo.store.postgis_copy import SRID, copy_chunks
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

_CONNECT_S = 5
_STREAM_S = 600  # seconds that a page of a stream may take, and that its reader may take until the next
_CURSOR = "lianpian_stream"
_NO_LIMIT = 2**31


class PostGISStore:
    """A store in the schema ``lianpian`` of a PostGIS database.

    Parameters
    ----------
    url : ``postgresql://user@host/database``; made ready where the schema is missing
    read_s : seconds after which a read is given up
    busy_s : seconds that a writer waits for another

    Raises
    ------
    StoreUnreachable
        The server does not answer or refuses.
    """

    def __init__(self, url: str, *, read_s: float = 30.0, busy_s: float = 30.0) -> None:
        self._url = url
        self._read_s = read_s
        self._busy_s = busy_s
        self._make_ready()
        self._readers: Lending[psycopg2.extensions.connection] = Lending(self._open_reader)

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
        return _frame_of(question, self._rows(*_rows_sql(question)))

    def stream(self, query: Query, scope: Scope = EVERYTHING, rows: int = 50_000) -> Iterator[Frame]:
        """The rows of ``read`` in pages out of one snapshot; see ``Store.stream``."""
        return self._pages(ask(query, scope), page_size(rows))

    def count(self, query: Query, scope: Scope = EVERYTHING) -> int:
        """How many rows ``read`` would give without ``limit`` and ``after``."""
        question = ask_all(query, scope)
        where, values = _where(question)
        ((number,),) = self._rows(f"SELECT count(*) FROM {table(question.layer.name)}{where}", values)  # noqa: S608
        return int(number)

    def bounds(self, layer: str, scope: Scope = EVERYTHING) -> Bounds | None:
        """West, south, east, north of a layer; ``None`` where it is empty or has no geometry."""
        if visible_layer(layer, scope).geometry is None:
            return None
        where, values = _where(ask(Query(layer, columns=()), scope))
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

    def close(self) -> None:
        """Close connections."""
        self._readers.close()

    # ------------------------------------------------------------------ connections

    def _connect(self, *settings: str) -> psycopg2.extensions.connection:
        connection = psycopg2.connect(self._url, connect_timeout=_CONNECT_S, application_name="lianpian")
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("; ".join(("SET client_encoding = 'UTF8'", "SET datestyle = 'ISO'", *settings)))
        return connection

    def _open_reader(self) -> psycopg2.extensions.connection:
        return self._connect(
            "SET default_transaction_read_only = on",
            f"SET statement_timeout = {int(self._read_s * 1000)}",
            "SET jit = off",  # costs more than it saves on questions of milliseconds
        )

    def _rows(self, sql: str, values: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """Rows of one statement on a borrowed connection; once more on a new one where the server had gone away."""
        with self._faults():
            try:
                return self._rows_once(sql, values)
            except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
                if getattr(error, "pgcode", None) is not None and not isinstance(error, psycopg2.errors.AdminShutdown):
                    raise  # the server is there and says no
                self._readers.forget()
                return self._rows_once(sql, values)

    def _rows_once(self, sql: str, values: list[Any] | None) -> list[tuple[Any, ...]]:
        with self._readers.borrowed() as connection, connection.cursor() as cursor:
            cursor.execute(sql, values)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def _pages(self, question: Question, rows: int) -> Iterator[Frame]:
        """Pages from a cursor of the server; each page has its own time, whatever the caller does between two."""
        self._rows("SELECT 1")  # where the server had gone away, the lent connection is a new one
        sql, values = _rows_sql(question)
        with self._faults(_STREAM_S), self._readers.borrowed() as connection, connection.cursor() as cursor:

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
                yield from pages_of(fetch, rows, partial(_frame_of, question))
            cursor.execute("ROLLBACK")

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        """One writing transaction; all of it or nothing. Writers take turns by the row that holds the revision."""
        with self._faults():
            connection = self._connect(f"SET lock_timeout = {int(self._busy_s * 1000)}", "SET statement_timeout = 0")
            try:
                connection.autocommit = False
                with connection.cursor() as cursor:
                    cursor.execute(f"UPDATE {table('store_state')} SET revision = revision + 1")  # noqa: S608
                    yield cursor
                connection.commit()
            finally:
                connection.close()  # rolls back what was not committed

    def _make_ready(self) -> None:
        with self._faults():
            connection = self._connect(f"SET lock_timeout = {int(self._busy_s * 1000)}")
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SHOW server_encoding")
                    if cursor.fetchone()[0] != "UTF8":
                        raise InvalidInput("数据库的编码不是 UTF8", where="PostGIS", remedy="请用 ENCODING 'UTF8' 建库")
                    if tables.is_current(cursor):
                        return
                    connection.autocommit = False
                    tables.bring_up_to_date(cursor)
                connection.commit()
            finally:
                connection.close()

    @contextmanager
    def _faults(self, read_s: float | None = None) -> Iterator[None]:
        """PostgreSQL's errors as ours. The address is not told: it may hold a password."""
        try:
            yield
        except psycopg2.Error as error:
            if isinstance(error, psycopg2.errors.QueryCanceled):
                detail, remedy = f"查询超过 {read_s or self._read_s:g} 秒，已中止", "请缩小范围或减少条件"
            elif isinstance(error, psycopg2.errors.LockNotAvailable):
                detail, remedy = f"数据库被其他程序占用超过 {self._busy_s:g} 秒", "请稍后重试"
            else:
                said = str(error).strip().splitlines()
                detail, remedy = (
                    f"数据库没有应答：{said[0] if said else type(error).__name__}",
                    "请检查数据库服务、地址和权限",
                )
            raise StoreUnreachable(detail, where="PostGIS", remedy=remedy) from error

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
            connection = self._connect()
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


def _selected(layer: Layer, name: str) -> str:
    """A column in stored form: dates and json as text, booleans as 0 and 1."""
    cast = {"date": "::text", "json": "::text", "boolean": "::int"}.get(layer.field(name).kind, "")
    return quoted(name) + cast


def _rows_sql(question: Question) -> SQL:
    """The statement that gives the rows of a question: its columns, then the geometry where it is wanted."""
    layer = question.layer
    where, values = _where(question)
    wanted = [_selected(layer, name) for name in question.columns] + (["geom"] if question.geometry else [])
    sql = f"SELECT {', '.join(wanted)} FROM {table(layer.name)}{where} ORDER BY {quoted(layer.key)}"  # noqa: S608
    if question.limit is not None:
        sql += " LIMIT %s"
        values.append(question.limit)
    return sql, values


def _frame_of(question: Question, rows: Sequence[tuple[Any, ...]]) -> Frame:
    """The frame of the rows that ``_rows_sql`` gave."""
    columns = list(zip(*rows, strict=True)) or [()] * (len(question.columns) + question.geometry)
    geometries = None
    if question.geometry:
        geometries = shapely.set_srid(shapely.from_wkb(np.array(columns.pop(), dtype=object)), 0)
    return from_stored(question.layer, question.columns, columns, geometries)


def _where(question: Question) -> SQL:
    parts, values = written(question.conditions, "%s", _NO_LIMIT)
    if question.box is not None:
        west, south, east, north = question.box
        # && compares boxes rounded outwards to 32 bits, so it finds candidates; the coordinates decide.
        parts.append(
            "geom && ST_MakeEnvelope(%s, %s, %s, %s, %s) "
            "AND ST_XMin(geom) <= %s AND ST_XMax(geom) >= %s AND ST_YMin(geom) <= %s AND ST_YMax(geom) >= %s"
        )
        values += [west, south, east, north, SRID, east, west, north, south]
    if question.filter is not None:
        condition, bound = filter_sql(question.filter, question.layer, _DIALECT)
        parts.append(condition)
        values += bound
    return (f" WHERE {' AND '.join(parts)}" if parts else ""), values


def _spatial(op: str, geometry: dict[str, Any]) -> SQL:
    """A spatial function of a filter. PostGIS looks into the index by itself, but for ST_Disjoint."""
    function = "ST_" + op.removeprefix("s_").capitalize()
    return f"{function}(geom, ST_GeomFromWKB(%s, %s))", [psycopg2.Binary(wkb(geometry)), SRID]


_DIALECT = Dialect("%s", "{0} LIKE %s", lambda pattern: pattern, _spatial, "geom")


def _listing(name: str, columns: Mapping[str, tuple[str, str]]) -> str:
    listed = [f"{quoted(column)}::text" if kind == "json" else quoted(column) for column, (kind, _) in columns.items()]
    return f"SELECT {', '.join(listed)} FROM {table(name)} ORDER BY fid"  # noqa: S608
