"""A bound on what a request may carry and how long it may take to send it.

Bytes are counted as they come, whatever the request says of its length; a request without a body is not touched.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 1 << 20
BODY_S = 30.0


class BodyLimit:
    """Middleware that ends a request whose body grows beyond ``max_bytes`` (413) or comes too slowly (408).

    ``larger`` path -> bytes for the few addresses that take files, which keep their own time.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_bytes: int = MAX_BODY_BYTES,
        larger: Mapping[str, int] | None = None,
        body_s: float = BODY_S,
    ) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.larger = dict(larger or {})
        self.body_s = body_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, counting its body; only HTTP with a body is touched."""
        if scope["type"] != "http" or (scope["method"] in ("GET", "HEAD") and not _has_body(scope)):
            await self.app(scope, receive, send)
            return
        received, complete = 0, False
        takes_files = scope["path"] in self.larger
        allowed = self.larger.get(scope["path"], self.max_bytes)
        until = time.monotonic() + self.body_s

        async def counted() -> Message:
            nonlocal received, complete
            if takes_files or complete:  # what follows the body is the end of the connection, whenever that comes
                message = await receive()
            else:
                try:
                    message = await asyncio.wait_for(receive(), max(until - time.monotonic(), 0.001))
                except TimeoutError as error:
                    raise HTTPException(408) from error
            complete = complete or not message.get("more_body", False)
            received += len(message.get("body", b""))
            if received > allowed:
                raise HTTPException(413)
            return message

        await self.app(scope, counted, send)


def _has_body(scope: Scope) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])
