"""Compression of answers that are not compressed already, by ISA-L: several times quicker than zlib."""

from __future__ import annotations

from isal import isal_zlib
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.headers import header

LEVEL = 2
_GZIP = 31  # window bits that ask for gzip framing
_TEXT = (b"text/", b"application/json", b"application/geo+json", b"application/schema+json", b"application/javascript")
_PLUS = (b"+json", b"+xml")


class Compression:
    """Middleware that compresses text and JSON of at least ``minimum_bytes``.

    Tiles and files come compressed, or are not worth it, and pass untouched.
    """

    def __init__(self, app: ASGIApp, minimum_bytes: int = 2048) -> None:
        self.app = app
        self.minimum_bytes = minimum_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; only HTTP answers for who takes gzip are touched."""
        if scope["type"] != "http" or scope["path"].startswith(("/tiles/", "/editions/")):
            await self.app(scope, receive, send)
            return
        accepts = _takes_gzip(header(scope["headers"], b"accept-encoding"))
        start: Message | None = None
        squeeze = None

        async def answer(message: Message) -> None:
            nonlocal start, squeeze
            if message["type"] == "http.response.start":
                if not _compressible(message):
                    await send(message)
                    return
                message["headers"] = [*message["headers"], (b"vary", b"Accept-Encoding")]
                if accepts:
                    start = message
                else:
                    await send(message)
                return
            if message["type"] != "http.response.body":
                await send(message)
                return
            body, more = message.get("body", b""), message.get("more_body", False)
            if start is not None:  # the first piece decides
                if more or len(body) >= self.minimum_bytes:
                    squeeze = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, _GZIP)
                    kept = [(k, v) for k, v in start["headers"] if k.lower() not in (b"content-length", b"etag")]
                    etag = header(start["headers"], b"etag")
                    if etag:  # other bytes: at most a weak tag of the same
                        kept.append((b"etag", etag if etag.startswith(b"W/") else b"W/" + etag))
                    start["headers"] = [*kept, (b"content-encoding", b"gzip")]
                await send(start)
                start = None
            if squeeze is not None:
                packed = squeeze.compress(body)
                packed += squeeze.flush() if not more else squeeze.flush(isal_zlib.Z_SYNC_FLUSH)
                message = {**message, "body": packed}
            await send(message)

        await self.app(scope, receive, answer)


def _takes_gzip(accepted: bytes) -> bool:
    for part in accepted.split(b","):
        coding, _, weight = part.strip().partition(b";")
        if coding.strip() in (b"gzip", b"*"):
            return weight.replace(b" ", b"") not in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000")
    return False


def _compressible(start: Message) -> bool:
    if start["status"] in (204, 206, 304) or header(start["headers"], b"content-encoding"):
        return False
    kind = header(start["headers"], b"content-type").split(b";")[0].strip()
    return kind.startswith(_TEXT) or kind.endswith(_PLUS) or kind.startswith(b"application/vnd.oai.openapi")
