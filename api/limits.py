"""A bound on what a request may carry; bytes are counted as they come, whatever the request says of its length."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 1 << 20


class BodyLimit:
    """Middleware that ends a request whose body grows beyond ``max_bytes`` with 413.

    ``larger`` path -> bytes for the few addresses that take files.
    """

    def __init__(self, app: ASGIApp, max_bytes: int = MAX_BODY_BYTES, larger: Mapping[str, int] | None = None) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.larger = dict(larger or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, counting its body; only HTTP is touched."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        received = 0
        allowed = self.larger.get(scope["path"], self.max_bytes)

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > allowed:
                raise HTTPException(413)
            return message

        await self.app(scope, counted, send)
