"""Connections for reading, one a thread while it reads, kept open between reads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Any, Generic, Protocol, TypeVar

from geo.errors import Busy


class _Closable(Protocol):
    def close(self) -> None: ...


Connection = TypeVar("Connection", bound=_Closable)
Page = TypeVar("Page")


def pages_of(
    fetch: Callable[[int], Sequence[tuple[Any, ...]]], rows: int, frame_of: Callable[[Sequence[tuple[Any, ...]]], Page]
) -> Iterator[Page]:
    """What a cursor still has to give, in frames of at most ``rows`` rows; one without rows where it has nothing."""
    page = fetch(rows)
    yield frame_of(page)
    while len(page) == rows:
        page = fetch(rows)
        if page:
            yield frame_of(page)


class Lending(Generic[Connection]):
    """Lends a connection to one thread at a time and opens another when all are out.

    So there are never more connections than readers at the same moment, and a thread that ends leaves none behind.

    Parameters
    ----------
    open_one : opens a connection
    most : how many may be out at the same time, ``None`` for as many as ask
    wait_s : how long one more waits for one to come back
    """

    def __init__(self, open_one: Callable[[], Connection], most: int | None = None, wait_s: float = 5.0) -> None:
        self._open_one = open_one
        self._free = None if most is None else BoundedSemaphore(most)
        self._wait_s = wait_s
        self._idle: deque[Connection] = deque()  # append and pop are atomic
        self._closed = False

    @contextmanager
    def borrowed(self) -> Iterator[Connection]:
        """A connection for the length of the block. One that raised is closed, not lent again.

        Raises
        ------
        Busy
            None came back in time.
        """
        if self._free is None:
            with self._lent() as connection:
                yield connection
            return
        if not self._free.acquire(timeout=self._wait_s):
            raise Busy("数据库连接都在使用中", where="store", remedy="请稍后再试")
        try:
            with self._lent() as connection:
                yield connection
        finally:
            self._free.release()

    @contextmanager
    def _lent(self) -> Iterator[Connection]:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._open_one()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if self._closed:
            connection.close()
        else:
            self._idle.append(connection)

    def forget(self) -> None:
        """Close the idle connections, as after the loss of the server."""
        while self._idle:
            self._idle.pop().close()

    def close(self) -> None:
        """Close the idle connections now and the lent ones when they come back."""
        self._closed = True
        self.forget()
