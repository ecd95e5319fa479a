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
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from geo.errors import InvalidInput, StoreUnreachable
from geo.layers.schema import QUARANTINE, Layer
from geo.store import geopackage_tables as tables
from geo.store import rtree
from geo.store.asking import (
    Question,
    ask,
    ask_all,
    ask_page,
    ask_totals,
    following,
    page_size,
    stretches,
    totals_of,
    visible_layer,
)
from geo.store.base import EVERYTHING, Bounds, FeaturePage, Frame, Load, Mode, Query, Run, Scope, Total
from geo.store.blobs import from_blobs, register_functions, to_blobs
from geo.store.columns import Rows, repeated_keys, to_stored
from geo.store.geojson import feature_texts, geometry_texts, property_texts
from geo.store.geopackage_reading import frame_of, rows_sql, selected, totals_sql
from geo.store.lending import Lending, pages_of
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

_REBUILD_SHARE = 10  # a row changed in the R-tree costs as much as ten when it is made anew
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

    def write_load(self, load: Load, features: Frame, quarantine: gpd.GeoDataFrame, mode: Mode = "replace") -> None:
        """Store the rows of one import, its quarantine and its record in one transaction; see ``Store.write_load``."""
        layer = loadable(load, mode)
        rows = to_stored(layer, features)
        apart = to_stored(QUARANTINE, quarantine, {"load_id": load.load_id, "layer": layer.name})
        check_balance(load, rows, apart)
        values = record_values(load)
        with self._transaction() as connection:
            if mode == "update":
                values = record_values(with_counts(load, **self._update(connection, rows)))
            self._record(connection, "loads", tuple(LOAD_COLUMNS), values)
            if mode == "replace":
                self._replace(connection, rows)
                connection.execute("DELETE FROM quarantine WHERE layer = ?", (layer.name,))
            elif mode == "append":
                self._append(connection, rows)
            self._append(connection, apart)

    def write_run(self, run: Run, layers: Mapping[str, Frame]) -> None:
        """Store a run and its derived layers in one transaction; see ``Store.write_run``."""
        stored = [to_stored(runnable(name), frame, {"run_id": run.run_id}) for name, frame in layers.items()]
        values = record_values(run)
        with self._transaction() as connection:
            self._record(connection, "runs", tuple(RUN_COLUMNS), values)
            for rows in stored:
                if rows.layer.keeps_earlier_runs:
                    self._append(connection, rows)
                else:
                    self._replace(connection, rows)

    def read(self, query: Query, scope: Scope = EVERYTHING) -> Frame:
        """Rows of a layer in ascending order of its key; see ``Store.read``."""
        return self._answer(ask(query, scope))

    def stream(self, query: Query, scope: Scope = EVERYTHING, rows: int = 50_000) -> Iterator[Frame]:
        """The rows of ``read`` in pages out of one snapshot; see ``Store.stream``."""
        return self._pages(ask(query, scope), page_size(rows))

    def features(
        self, query: Query, scope: Scope = EVERYTHING, *, crs: str | None = None, count_to: int = 0
    ) -> FeaturePage:
        """The rows of ``read`` as GeoJSON; see ``Store.features``."""
        question, wanted = ask_page(query, scope)
        rows: list[tuple[Any, ...]] = []
        with self._faults(), self._readers.borrowed() as connection:
            for stretch in stretches(question):
                if len(rows) <= wanted:
                    part = replace(stretch, limit=wanted + 1 - len(rows))
                    with selected(connection, part) as chosen:
                        rows += connection.execute(*rows_sql(part, chosen, placed=True)).fetchall()
        matched: int | None = None
        if count_to and query.after is None and len(rows) <= wanted:
            matched = len(rows)
        elif count_to:
            counted = self.count(query, scope, at_most=count_to + 1)
            matched = counted if counted <= count_to else None
        placed = len(question.sort) + 1
        page = rows[:wanted]
        keys = [row[placed - 1] for row in page]
        texts = ["null"] * len(page)
        if question.geometry and page:
            texts = geometry_texts(from_blobs([row[-1] for row in page]), crs)
        end = -1 if question.geometry else None
        properties = property_texts(question.layer, question.columns, [row[placed:end] for row in page])
        return FeaturePage(keys, feature_texts(keys, texts, properties), following(question, rows, wanted), matched)

    def totals(
        self, query: Query, by: tuple[str, ...], sums: tuple[str, ...] = (), scope: Scope = EVERYTHING
    ) -> list[Total]:
        """Counts and sums by the values of fields; see ``Store.totals``."""
        grouping = ask_totals(query, by, sums, scope)
        question = grouping.question
        with self._faults(), self._readers.borrowed() as connection, selected(connection, question) as chosen:
            rows = connection.execute(*totals_sql(grouping, chosen)).fetchall()
        return totals_of(grouping, rows)

    def count(self, query: Query, scope: Scope = EVERYTHING, *, at_most: int | None = None) -> int:
        """How many rows ``read`` would give without ``limit`` and ``after``; see ``Store.count``."""
        question = ask_all(query, scope)
        if at_most is not None:
            question = replace(question, limit=at_most)  # judged row by row, as far as the bound
        with self._faults(), self._readers.borrowed() as connection, selected(connection, question) as chosen:
            inner, values = f"SELECT 1 FROM {chosen.source}", list(chosen.values)  # noqa: S608
            if at_most is not None:
                inner, values = f"{inner} LIMIT ?", [*values, at_most]
            ((number,),) = connection.execute(f"SELECT count(*) FROM ({inner})", values)  # noqa: S608
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
        with self._faults(), self._readers.borrowed() as connection, selected(connection, question) as chosen:
            rows = connection.execute(*rows_sql(question, chosen)).fetchall()
        return frame_of(question, rows)

    def _pages(self, question: Question, rows: int) -> Iterator[Frame]:
        with (
            self._faults(),
            self._readers.borrowed() as connection,
            selected(connection, question) as chosen,
            suppress(GeneratorExit),  # left early, the iterator gives its connection back as at the end
            closing(connection.cursor()) as cursor,
        ):
            cursor.execute(*rows_sql(question, chosen))
            yield from pages_of(cursor.fetchmany, rows, partial(frame_of, question))

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
        self._insert(connection, rows, np.arange(1, len(rows) + 1))
        if rows.geometries is not None:
            rtree.fill_rtree(connection, layer.name, rows.geometries)
        tables.finish_table(connection, layer)
        tables.note_change(connection, layer, rows.geometries, replaced=True)

    def _append(self, connection: sqlite3.Connection, rows: Rows) -> None:
        """Add rows behind those that are there."""
        if len(rows) == 0:
            return
        there = self._there(connection, rows)
        if there:
            raise repeated_keys(rows.layer, list(there))
        fids = self._next_fid(connection, rows.layer) + np.arange(len(rows))
        self._add(connection, rows, fids, self._better_anew(connection, rows))
        tables.note_change(connection, rows.layer, rows.geometries, replaced=False)

    def _update(self, connection: sqlite3.Connection, rows: Rows) -> dict[str, int]:
        """Rows whose key is there take the place (and the fid) of that row, others are added; how many of each."""
        if len(rows) == 0:
            return {"updated": 0, "added": 0}
        layer = rows.layer
        there = self._there(connection, rows)
        old = np.fromiter(there.values(), dtype=np.int64, count=len(there))
        anew = self._better_anew(connection, rows)
        if layer.geometry is not None:
            rtree.drop_triggers(connection, layer.name)
            if not anew:
                rtree.delete_from_rtree(connection, layer.name, old)
        connection.executemany(f"DELETE FROM {quoted(layer.name)} WHERE fid = ?", zip(old.tolist(), strict=True))  # noqa: S608
        fids = np.array([there.get(key, 0) for key in rows.keys], dtype=np.int64)
        new = fids == 0
        fids[new] = self._next_fid(connection, layer) + np.arange(new.sum())
        self._add(connection, rows, fids, anew)
        tables.note_update(connection, layer)
        return {"updated": len(there), "added": int(new.sum())}

    @staticmethod
    def _there(connection: sqlite3.Connection, rows: Rows) -> dict[str, int]:
        """Keys of the rows that the layer has already, in order, and their fids."""
        key = quoted(rows.layer.key)
        return dict(
            connection.execute(
                f"SELECT {key}, fid FROM {quoted(rows.layer.name)} "  # noqa: S608
                f"WHERE {key} IN (SELECT value FROM json_each(?)) ORDER BY 1",
                (json.dumps(rows.keys, ensure_ascii=False),),
            )
        )

    @staticmethod
    def _next_fid(connection: sqlite3.Connection, layer: Layer) -> int:
        """A fid that no row of the layer has or had."""
        ((last,),) = connection.execute(
            "SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = ?", (layer.name,)
        ).fetchall()
        return int(last) + 1

    @staticmethod
    def _better_anew(connection: sqlite3.Connection, rows: Rows) -> bool:
        """Whether so many rows change that the R-tree is sooner made anew."""
        if rows.geometries is None:
            return False
        ((there,),) = connection.execute(f"SELECT count(*) FROM {quoted(rows.layer.name)}").fetchall()  # noqa: S608
        return len(rows) * _REBUILD_SHARE > there

    def _add(self, connection: sqlite3.Connection, rows: Rows, fids: NDArray[np.int64], anew: bool) -> None:
        """Insert rows beside others, past the triggers; the R-tree row by row or ``anew``."""
        if rows.geometries is None:
            self._insert(connection, rows, fids)
            return
        name = rows.layer.name
        rtree.drop_triggers(connection, name)
        self._insert(connection, rows, fids)
        if anew:
            rtree.rebuild_rtree(connection, name)
        else:
            rtree.insert_into_rtree(connection, name, rows.geometries, fids)
        rtree.create_triggers(connection, name)

    @staticmethod
    def _insert(connection: sqlite3.Connection, rows: Rows, fids: NDArray[np.int64]) -> None:
        names = ["fid", *map(quoted, rows.names)]
        values: list[Sequence[Any]] = [fids.tolist(), *rows.values]
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


def _listing(table: str, names: tuple[str, ...]) -> str:
    return f"SELECT {', '.join(map(quoted, names))} FROM {quoted(table)} ORDER BY fid"  # noqa: S608
