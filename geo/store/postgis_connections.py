"""Connections to PostgreSQL: readers, lent to one thread at a time with their prepared statements, and writers.

A lost server costs nothing but the requests that ran: the next one opens a new connection.
"""

from __future__ import annotations

import datetime
import os
import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2
import psycopg2.extensions

from geo.errors import InvalidParameter, StoreUnreachable
from geo.store.lending import Lending
from geo.store.tables import quoted

_CONNECT_S = 5
_PREPARED = 48  # statements kept on a connection; the oldest makes room
_SEEN = 256  # shapes remembered, so that one is prepared when it comes again
# More at once than threads that read: an export keeps its connection between two pages.
READERS = 4 * (os.cpu_count() or 1) + 4
_INT4 = 2**31
# A statement that begins so is planned for its values each time. Left to itself the server settles after five on one
# plan, for values that take hardly a row.
OWN_PLAN = "/* own plan */ "


def named_role(role: str) -> str:
    """The name of a role, held against what one may look like; ``InvalidParameter`` where it does not."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", role):
        raise InvalidParameter(
            "只读角色的名称应由小写字母、数字、下划线组成", where="store_readonly", remedy="例如 lianpian_reader"
        )
    return role


class Reader:
    """A connection for reading that prepares the questions it hears again.

    The server plans a prepared statement once or a few times instead of each time, and reads its text once.
    """

    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self.connection = connection
        self._seen: OrderedDict[tuple[str, ...], None] = OrderedDict()
        self._prepared: OrderedDict[tuple[str, ...], str] = OrderedDict()
        self._number = 0
        self._planning = "auto"

    def rows(self, sql: str, values: Sequence[Any] | None) -> list[tuple[Any, ...]]:
        """Rows of one statement with ``%s`` marks; the second time in the same shape it is prepared."""
        with self.connection.cursor() as cursor:
            shape = _shape(sql, values or ())
            if shape is None:
                cursor.execute(sql, values)
            elif name := self._name(cursor, shape):
                marks = f"({', '.join(['%s'] * len(values))})" if values else ""
                cursor.execute(f"{self._planned(shape)}EXECUTE {name}{marks}", values)
            else:
                cursor.execute(sql, values)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def _planned(self, shape: tuple[str, ...]) -> str:
        """How a prepared statement is to be planned, where that differs from the one before."""
        wanted = "force_custom_plan" if shape[0].startswith(OWN_PLAN) else "auto"
        if wanted == self._planning:
            return ""
        self._planning = wanted
        return f"SET plan_cache_mode = {wanted}; "

    def _name(self, cursor: Any, shape: tuple[str, ...]) -> str | None:
        if shape in self._prepared:
            self._prepared.move_to_end(shape)
            return self._prepared[shape]
        if shape not in self._seen:
            self._seen[shape] = None
            if len(self._seen) > _SEEN:
                self._seen.popitem(last=False)
            return None
        if len(self._prepared) >= _PREPARED:
            cursor.execute(f"DEALLOCATE {self._prepared.popitem(last=False)[1]}")
        self._number += 1
        name = f"lianpian_{self._number}"
        sql, *types = shape
        declared = f"({', '.join(types)})" if types else ""
        cursor.execute(f"PREPARE {name}{declared} AS {_numbered(sql)}")
        self._prepared[shape] = name
        del self._seen[shape]
        return name


def _shape(sql: str, values: Sequence[Any]) -> tuple[str, ...] | None:
    """What makes two questions one prepared statement: text and types; ``None`` where a type is not foreseen.

    Types are told, not inferred: next to an integer column PostgreSQL would round a fraction to an integer.
    """
    types = [_type(value) for value in values]
    return None if any(kind is None for kind in types) else (sql, *(kind or "" for kind in types))


def _type(value: Any) -> str | None:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if -_INT4 <= value < _INT4 else "bigint" if -(2**63) <= value < 2**63 else None
    if isinstance(value, float):
        return "double precision"
    if isinstance(value, bytes | memoryview) or type(value).__name__ == "Binary":
        return "bytea"
    if value is None or isinstance(value, str):
        return "unknown"  # as a quoted literal: the type of what it is compared with
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return "text[]"
    if type(value) is datetime.date:
        return "date"
    return None


def _numbered(sql: str) -> str:
    """``%s`` marks as ``$1``, ``$2`` …, and ``%%`` as one percent sign."""
    numbers = iter(range(1, 1_000_000))
    return re.sub(r"%[s%]", lambda mark: "%" if mark[0] == "%%" else f"${next(numbers)}", sql)


class Connections:
    """Readers and writers of one database.

    Parameters
    ----------
    url : whose user may write
    readonly : address of a user who may only read, or the name of a role that reads take on; empty: the same user
    read_s : seconds after which a read is given up
    busy_s : seconds that a writer waits for another
    """

    def __init__(self, url: str, readonly: str, read_s: float, busy_s: float) -> None:
        self._url = url
        self._read_url, self._role = (readonly, "") if "://" in readonly else (url, readonly)
        if self._role:
            named_role(self._role)
        self._read_s = read_s
        self._busy_s = busy_s
        self._readers: Lending[Reader] = Lending(self._open_reader, most=READERS, wait_s=5.0)

    def borrowed(self) -> Any:
        """A ``Reader`` for the length of a ``with`` block."""
        return self._readers.borrowed()

    def rows(self, sql: str, values: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """Rows of one statement on a borrowed connection; once more on a new one where the server had gone away."""
        with self.faults():
            try:
                return self._rows_once(sql, values)
            except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
                if getattr(error, "pgcode", None) is not None and not isinstance(error, psycopg2.errors.AdminShutdown):
                    raise  # the server is there and says no
                self._readers.forget()
                return self._rows_once(sql, values)

    def _rows_once(self, sql: str, values: Sequence[Any] | None) -> list[tuple[Any, ...]]:
        with self._readers.borrowed() as reader:
            return reader.rows(sql, values)

    def writer(self) -> psycopg2.extensions.connection:
        """A connection that may write, in autocommit; whoever asks closes it."""
        return self._connect(self._url, f"SET lock_timeout = {int(self._busy_s * 1000)}", "SET statement_timeout = 0")

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A cursor of one writing transaction; all of it or nothing."""
        with self.faults():
            connection = self.writer()
            try:
                connection.autocommit = False
                with connection.cursor() as cursor:
                    yield cursor
                connection.commit()
            finally:
                connection.close()  # rolls back what was not committed

    @contextmanager
    def faults(self, read_s: float | None = None) -> Iterator[None]:
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

    def close(self) -> None:
        """Close connections."""
        self._readers.close()

    def _open_reader(self) -> Reader:
        settings = [
            "SET default_transaction_read_only = on",
            f"SET statement_timeout = {int(self._read_s * 1000)}",
            "SET jit = off",  # costs more than it saves on questions of milliseconds
        ]
        if self._role:
            settings.append(f"SET ROLE {quoted(self._role)}")
        return Reader(self._connect(self._read_url, *settings))

    @staticmethod
    def _connect(url: str, *settings: str) -> psycopg2.extensions.connection:
        connection = psycopg2.connect(url, connect_timeout=_CONNECT_S, application_name="lianpian")
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute("; ".join(("SET client_encoding = 'UTF8'", "SET datestyle = 'ISO'", *settings)))
        except BaseException:
            connection.close()
            raise
        return connection
