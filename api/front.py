"""The front of the service: what happens once to every request, in one layer, because each layer costs every tile.

An id, the common headers, a problem document for what nobody expected, a line in the log, a count.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.headers import RequestIds, common_headers
from api.logs import RequestLog
from api.metrics import Figures
from api.problems import failure

_log = logging.getLogger("lianpian")
# Under these a route of the server's own is not told by the router; a label must not be an address.
_MOUNTED = (("/tiles/", "/tiles"), ("/editions/", "/editions/tiles"), ("/static/", "/static"))


class Front:
    """Middleware around everything else.

    Parameters
    ----------
    app : the service
    figures : where requests are counted
    log : where each has its line; ``None`` for none
    templates : endpoint -> template, for plain routes, which leave nothing else in a request
    """

    def __init__(
        self,
        app: ASGIApp,
        figures: Figures,
        log: RequestLog | None = None,
        templates: Mapping[Any, str] | None = None,
    ) -> None:
        self.app = app
        self.figures = figures
        self.log = log
        self.templates = templates or {}
        self.ids = RequestIds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; only HTTP is touched."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = self.ids.of(scope["headers"])
        state = scope.get("state")
        # A server shares one dictionary of its start between requests; an id is of one request.
        scope["state"] = {**state, "request_id": request_id} if state else {"request_id": request_id}
        extra = common_headers(scope["path"], request_id)
        status, sent = 0, 0

        async def answer(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *extra]
            elif message["type"] == "http.response.body":
                sent += len(message.get("body", b""))
            await send(message)

        figures = self.figures
        figures.in_flight += 1
        try:
            await self.app(scope, receive, answer)
        except ClientDisconnect:
            status = status or 499
        except Exception as error:
            if status:  # the answer has begun: its end must be missing, so that nobody takes it for whole
                raise
            _log.error("request failed", exc_info=error, extra={"fields": {"request_id": request_id}})
            await failure(scope)(scope, receive, answer)
        finally:
            figures.in_flight -= 1
            duration_s = time.perf_counter() - began
            route = _template(scope, self.templates)
            figures.count(route, scope["method"] if route != "unmatched" else "ANY", status or 499, duration_s)
            if self.log is not None:
                self.log.line(request_id, scope["method"], scope["path"], route, status or 499, duration_s, sent)


def is_tile(path: str) -> bool:
    """Whether an address is that of a tile."""
    return path.endswith(".mvt") or (path[-1:].isdigit() and "/tiles/" in path)


class TwoDoors:
    """Tiles go straight to their endpoint; everything else through the whole framework, which costs a tile its half.

    Parameters
    ----------
    usual : the framework
    tiles : for addresses of tiles: they end in ``.mvt``, or in the numbers of OGC API – Tiles
    """

    def __init__(self, usual: ASGIApp, tiles: ASGIApp) -> None:
        self.usual = usual
        self.tiles = tiles

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http" and is_tile(scope["path"]):
            await self.tiles(scope, receive, send)
        else:
            await self.usual(scope, receive, send)


def _template(scope: Scope, templates: Mapping[Any, str]) -> str:
    """The template of the route that answered."""
    route = scope.get("route")
    path = getattr(route, "path", None)
    if path is not None:
        return str(path)
    for begin, name in _MOUNTED:
        if scope["path"].startswith(begin):
            return name
    if is_tile(scope["path"]):
        return "/collections/tiles"
    return templates.get(scope.get("endpoint"), "unmatched")
