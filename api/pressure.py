"""Back-pressure: so many requests in work, so many that wait, and a clear no at once for one more.

Tiles, and what else never asks the store, have places of their own: slow questions cannot starve the map.
"""

from __future__ import annotations

import asyncio
from collections import deque

from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import busy

# These answer from memory or from files. An upload has its own bound and may take minutes to arrive.
FREE = (
    "/healthz", "/readyz", "/metrics", "/static/", "/favicon.svg", "/docs", "/imports",
    "/tiles/", "/editions/", "/tileMatrixSets", "/styles/",
)  # fmt: skip
RETRY_AFTER_S = 2


class Places:
    """Places in one event loop.

    Parameters
    ----------
    most : requests in work at the same time
    waiting : requests that may wait for a place
    wait_s : how long one waits
    """

    def __init__(self, most: int, waiting: int, wait_s: float) -> None:
        self.free = most  # places that nobody has
        self._most = most
        self._waiting = waiting
        self._wait_s = wait_s
        self._queue: deque[asyncio.Future[None]] = deque()

    @property
    def in_work(self) -> int:
        """Requests that have a place."""
        return self._most - self.free

    @property
    def in_queue(self) -> int:
        """Requests that wait for one."""
        return len(self._queue)

    async def take(self) -> bool:
        """Whether there is a place now, or in time; at once ``False`` where the queue is full."""
        if self.free:
            self.free -= 1
            return True
        if len(self._queue) >= self._waiting:
            return False
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            await asyncio.wait_for(asyncio.shield(turn), self._wait_s)
        except BaseException as error:
            if turn.done():  # the place came in the same moment; it goes to the next
                self.give_back()
            else:
                self._queue.remove(turn)
            if isinstance(error, TimeoutError):
                return False
            raise
        return True

    def give_back(self) -> None:
        """A place is free again: for the one who waits longest, else for who comes."""
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.free += 1


class Pressure:
    """Middleware that lets a request in when there is a place.

    Parameters
    ----------
    app : what works
    places : for how many
    free : beginnings of addresses that need no place
    """

    def __init__(self, app: ASGIApp, places: Places, free: tuple[str, ...] = ()) -> None:
        self.app = app
        self.places = places
        self.free = free

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 503 with Retry-After; only HTTP is touched."""
        if scope["type"] != "http" or (self.free and (scope["path"].startswith(self.free) or scope["path"] == "/")):
            await self.app(scope, receive, send)
            return
        places = self.places
        # Nobody waits on most days: no coroutine more then.
        if places.free:
            places.free -= 1
        elif not await places.take():
            await busy(scope, RETRY_AFTER_S)(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        finally:
            places.give_back()
