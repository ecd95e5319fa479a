"""The embedded store: one GeoPackage in WAL mode, read by many processes while one writes, opened by any GIS.

A load or run is one transaction (``synchronous`` FULL), so an answered commit is kept and a killed process leaves the
old state whole. Readers have their own snapshot and never wait for the writer.

Inside a process only ``sqlite3`` may touch an open store. GDAL's wheel brings a second copy of SQLite, and when that
one closes the file the operating system drops the locks of the first (sqlite.org, "How To Corrupt", 2.2.1). Other
processes, QGIS among them, open it as they like.
"""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import geopandas as gpd
import shapely

from geo.errors import InvalidInput, StoreUnreachable
from geo.layers.schema import QUARANTINE, Layer
from geo.store import geopackage_tables as tables
from geo.store import rtree
from geo.store.asking import Question, ask, ask_all, visible_layer, written
from geo.store.base import EVERYTHING, Bounds, Frame, Load, Query, Run, Scope
from geo.store.blobs import from_blobs, register_functions, to_blobs
from geo.store.columns import Rows, from_stored, repeated_keys, to_stored
from geo.store.lending import Lending
from geo.store.records import (
    LOAD_COLUMNS,
    RUN_COLUMNS,
    check_balance,
    load_from,
    loadable,
    record_values,
    run_from,
    runnable,
)
from geo.store.tables import quoted

_MOST_BOUND = 30_000  # SQLite binds at most 32,766 values
_WAL_KEPT_BYTES = 64 * 1024 * 1024  # the log is cut back to this after a large import


class GeoPackageStore:
    """A store in one file.

    Parameters
    ----------
    path : file; made with all layers where it does not exist
    busy_s : seconds to wait while another process writes

    Raises
    ------
    StoreUnreachable
        The file cannot be opened, or another process holds it for longer than ``busy_s``.
    InvalidInput
        The file is a database, but none of ours.
    """

    def __init__(self, path: str | Path, *, busy_s: float = 30.0) -> None:
        self.path = Path(path).absolute()
        self._busy_s = busy_s
        with self._faults():
            self._make_ready()
        self._readers: Lending[sqlite3.Connection] = Lending(self._open_reader)

    # ------------------------------------------------------------------ protocol

    def revision(self) -> str:
        """A token that changes with every committed load or run, and only then."""
        ((token,),) = self._rows("SELECT store_id || '-' || revision FROM store_state")
        return str(token)

    def write_load(
        self, load: Load, features: Frame, quarantine: gpd.GeoDataFrame, mode: Literal["replace", "append"] = "replace"
    ) -> None:
        """Store the rows of one import, its quarantine and its record in one transaction; see ``Store.write_load``."""
        layer = loadable(load)
        rows = to_stored(layer, features)
        apart = to_stored(QUARANTINE, quarantine, {"load_id": load.load_id, "layer": layer.name})
        check_balance(load, rows, apart)
        values = record_values(load)
        with self._transaction() as connection:
            self._record(connection, "loads", tuple(LOAD_COLUMNS), values)
            if mode == "replace":
                self._replace(connection, rows)
                connection.execute("DELETE FROM quarantine WHERE layer = ?", (layer.name,))
            else:
                self._append(connection, rows)
            self._append(connection, apart)

    def write_run(self, run: Run, layers: Mapping[str, Frame]) -> None:
        """Store a run and its derived layers in one transaction; see ``Store.write_run``."""
        stored = [to_stored(runnable(name), frame, {"run_id": run.run_id}) for name, frame in layers.items()]
        values = record_values(run)
        with self._transaction() as connection:
            self._record(connection, "runs", tuple(RUN_COLUMNS), values)
            for rows in stored:
                self._replace(connection, rows)

    def read(self, query: Query, scope: Scope = EVERYTHING) -> Frame:
        """Rows of a layer in ascending order of its key; see ``Store.read``."""
        return self._answer(ask(query, scope))

    def count(self, query: Query, scope: Scope = EVERYTHING) -> int:
        """How many rows ``read`` would give without ``limit`` and ``after``."""
        question = ask_all(query, scope)
        source, values = _source(question)
        ((number,),) = self._rows(f"SELECT count(*) FROM {source}", values)  # noqa: S608
        return int(number)

    def bounds(self, layer: str, scope: Scope = EVERYTHING) -> Bounds | None:
        """West, south, east, north of a layer; ``None`` where it is empty or has no geometry."""
        if visible_layer(layer, scope).geometry is None:
            return None
        question = ask(Query(layer, columns=()), scope)
        if question.whole:
            # The container's own list holds the exact extent; the R-tree only a rounded one.
            ((west, south, east, north),) = self._rows(
                "SELECT min_x, min_y, max_x, max_y FROM gpkg_contents WHERE table_name = ?", [layer]
            )
            return None if west is None else (west, south, east, north)
        geometries = self._answer(question).geometry.to_numpy()
        found = shapely.total_bounds(geometries).tolist() if len(geometries) else [math.nan]
        return None if math.isnan(found[0]) else tuple(found)

    def loads(self) -> list[Load]:
        """All loads, oldest first."""
        return [load_from(row) for row in self._rows(_listing("loads", tuple(LOAD_COLUMNS)))]

    def runs(self) -> list[Run]:
        """All runs, oldest first."""
        return [run_from(row) for row in self._rows(_listing("runs", tuple(RUN_COLUMNS)))]

    def close(self) -> None:
        """Close connections; the last one to leave folds the log into the file, so that it can be copied alone."""
        self._readers.close()
        with suppress(StoreUnreachable), self._faults():
            self._open_writer(busy_s=0.0).close()

    # ------------------------------------------------------------------ reading

    def _rows(self, sql: str, values: list[Any] | None = None) -> list[tuple[Any, ...]]:
        with self._faults(), self._readers.borrowed() as connection:
            return connection.execute(sql, values or ()).fetchall()

    def _answer(self, question: Question) -> Frame:
        layer = question.layer
        key = f"t.{quoted(layer.key)}"
        source, values = _source(question, by_key=self._better_by_key(question))
        wanted = [f"t.{quoted(name)}" for name in question.columns] + (["t.geom"] if question.geometry else [])
        if question.limit is not None:
            # Keys alone are sorted and cut; whole rows are fetched for the page only.
            source = (
                f"(SELECT t.fid AS page_fid FROM {source} ORDER BY {key} LIMIT ?) "  # noqa: S608
                f"CROSS JOIN {quoted(layer.name)} AS t ON t.fid = page_fid"
            )
            values.append(question.limit)
        sql = f"SELECT {', '.join(wanted)} FROM {source} ORDER BY {key}"  # noqa: S608
        columns = list(zip(*self._rows(sql, values), strict=True)) or [()] * len(wanted)
        geometries = from_blobs(columns.pop()) if question.geometry else None
        return from_stored(layer, question.columns, columns, geometries)

    def _better_by_key(self, question: Question) -> bool:
        """Whether a page in a box is found sooner along the keys than by sorting all rows of the box.

        With n rows of which the box holds a share p, the R-tree gives p·n rows to sort, a walk along the keys passes
        limit/p rows. Either way the answer is the same.
        """
        if question.box is None or question.limit is None:
            return False
        name = question.layer.name
        ((west, south, east, north, rows),) = self._rows(
            f"SELECT min_x, min_y, max_x, max_y, (SELECT max(fid) FROM {quoted(name)}) "  # noqa: S608
            "FROM gpkg_contents WHERE table_name = ?",
            [name],
        )
        if west is None or rows is None:
            return False
        box = question.box
        across = (min(box[2], east) - max(box[0], west)) / max(east - west, 1e-9)
        along = (min(box[3], north) - max(box[1], south)) / max(north - south, 1e-9)
        share = max(across, 0.0) * max(along, 0.0)
        return bool(share * share * rows > max(question.limit, 1))

    def _open_reader(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?mode=ro",
            uri=True,
            timeout=self._busy_s,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA cache_size = -16000")  # KiB
        register_functions(connection)
        return connection

    # ------------------------------------------------------------------ writing

    def _open_writer(self, busy_s: float | None = None) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=self._busy_s if busy_s is None else busy_s, isolation_level=None
        )
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = OFF")  # dropped pages need not be overwritten
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT_BYTES}")
        register_functions(connection)
        return connection

    @contextmanager
    def _transaction(self, *, counted: bool = True) -> Iterator[sqlite3.Connection]:
        """One writing transaction; all of it or nothing. ``counted`` ones change the revision."""
        with self._faults():
            connection = self._open_writer()
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                if counted:
                    connection.execute("UPDATE store_state SET revision = revision + 1")
                connection.execute("COMMIT")
            finally:
                connection.close()  # rolls back what was not committed

    @staticmethod
    def _record(connection: sqlite3.Connection, table: str, names: tuple[str, ...], values: list[Any]) -> None:
        (there,) = connection.execute(
            f"SELECT count(*) FROM {quoted(table)} WHERE {quoted(names[0])} = ?",  # noqa: S608
            (values[0],),
        ).fetchone()
        if there:
            raise InvalidInput(f"批次“{values[0]}”已存在", where=table, remedy="每次导入或分析要有新的批次号")
        marks = ", ".join("?" * len(names))
        connection.execute(
            f"INSERT INTO {quoted(table)} ({', '.join(map(quoted, names))}) VALUES ({marks})",  # noqa: S608
            values,
        )

    def _replace(self, connection: sqlite3.Connection, rows: Rows) -> None:
        """The rows take the place of the layer's: a new table, filled before it has indexes and triggers."""
        layer = rows.layer
        tables.drop_table(connection, layer)
        tables.create_table(connection, layer)
        self._insert(connection, rows, first_fid=1)
        if rows.geometries is not None:
            rtree.fill_rtree(connection, layer.name, rows.geometries)
        tables.finish_table(connection, layer)
        tables.note_change(connection, layer, rows.geometries, replaced=True)

    def _append(self, connection: sqlite3.Connection, rows: Rows) -> None:
        """Add rows behind those that are there."""
        if len(rows) == 0:
            return
        layer = rows.layer
        key = quoted(layer.key)
        there = connection.execute(
            f"SELECT {key} FROM {quoted(layer.name)} "  # noqa: S608
            f"WHERE {key} IN (SELECT value FROM json_each(?)) ORDER BY 1 LIMIT 9",
            (json.dumps(rows.keys, ensure_ascii=False),),
        ).fetchall()
        if there:
            raise repeated_keys(layer, [key for (key,) in there])
        ((last,),) = connection.execute(f"SELECT ifnull(max(fid), 0) FROM {quoted(layer.name)}").fetchall()  # noqa: S608
        if rows.geometries is None:
            self._insert(connection, rows, first_fid=last + 1)
        else:
            rtree.drop_triggers(connection, layer.name)
            self._insert(connection, rows, first_fid=last + 1)
            rtree.insert_into_rtree(connection, layer.name, rows.geometries, last + 1)
            rtree.create_triggers(connection, layer.name)
        tables.note_change(connection, layer, rows.geometries, replaced=False)

    @staticmethod
    def _insert(connection: sqlite3.Connection, rows: Rows, first_fid: int) -> None:
        names = ["fid", *map(quoted, rows.names)]
        values: list[Sequence[Any]] = [range(first_fid, first_fid + len(rows)), *rows.values]
        if rows.geometries is not None:
            names.append("geom")
            values.append(to_blobs(rows.geometries))
        connection.executemany(
            f"INSERT INTO {quoted(rows.layer.name)} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",  # noqa: S608
            zip(*values, strict=True),
        )

    # ------------------------------------------------------------------ opening

    def _make_ready(self) -> None:
        """Make the file where it is missing, and bring its tables up to the schema."""
        if not self.path.parent.is_dir():
            raise StoreUnreachable(f"文件夹不存在：{self.path.parent}", where=str(self.path), remedy="请先建立文件夹")
        if self.path.exists() and self.path.stat().st_size:
            connection = self._open_reader()
            try:
                if tables.is_store(connection) and tables.is_current(connection) and _is_wal(connection):
                    return
                if not tables.is_blank(connection) and not tables.is_store(connection):
                    raise InvalidInput(
                        f"{self.path.name} 不是联片数据库",
                        where=str(self.path),
                        remedy="请指定新文件，再用 import 导入该文件",
                    )
            finally:
                connection.close()
        self._switch_to_wal()
        with self._transaction(counted=False) as connection:
            if tables.is_blank(connection):  # another process may have been first
                tables.create_container(connection)
            elif not tables.is_current(connection):
                tables.bring_up_to_date(connection)

    def _switch_to_wal(self) -> None:
        """SQLite does not wait with its busy handler for this one, so wait here."""
        give_up = time.monotonic() + self._busy_s
        connection = self._open_writer()
        try:
            while True:
                try:
                    connection.execute("PRAGMA journal_mode = WAL")
                    return
                except sqlite3.OperationalError:
                    if time.monotonic() > give_up:
                        raise
                    time.sleep(0.05)
        finally:
            connection.close()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """SQLite's errors as ours."""
        try:
            yield
        except sqlite3.Error as error:
            busy = "locked" in str(error) or "busy" in str(error)
            raise StoreUnreachable(
                f"数据库被其他程序占用超过 {self._busy_s:g} 秒" if busy else f"数据库不能读写：{error}",
                where=str(self.path),
                remedy="请稍后重试" if busy else "请检查文件、权限和磁盘空间",
            ) from error


def _is_wal(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal")


def _source(question: Question, *, by_key: bool = False) -> tuple[str, list[Any]]:
    """What stands after FROM, and its bound values. ``t`` is the layer, ``r`` its R-tree where a box is asked for."""
    layer: Layer = question.layer
    parts, values = written(question.conditions, "?", _MOST_BOUND)
    source = f"{quoted(layer.name)} AS t"
    if question.box is not None:
        condition, box_values = rtree.box_condition(question.box)
        tree = f'"rtree_{layer.name}_geom" AS r'
        # CROSS JOIN: SQLite keeps the order.
        source = (
            f"{source} CROSS JOIN {tree} ON r.id = t.fid" if by_key else f"{tree} CROSS JOIN {source} ON t.fid = r.id"
        )
        parts, values = [condition, *parts], [*box_values, *values]
    return source + (f" WHERE {' AND '.join(parts)}" if parts else ""), values


def _listing(table: str, names: tuple[str, ...]) -> str:
    return f"SELECT {', '.join(map(quoted, names))} FROM {quoted(table)} ORDER BY fid"  # noqa: S608
