"""Headers of every answer: request id, content security policy, no sniffing; made once, added as bytes."""

from __future__ import annotations

import os
import re
from itertools import count
from typing import Any

# MapLibre positions its canvas by element styles set from script, which this policy allows; style tags it does not.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
# Swagger UI writes style attributes into its markup.
DOCS_POLICY = CONTENT_SECURITY_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")

_NO_SNIFFING = (b"x-content-type-options", b"nosniff")
_SAME = [
    _NO_SNIFFING,
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"geolocation=()"),
]
_USUAL = [(b"content-security-policy", CONTENT_SECURITY_POLICY.encode()), *_SAME]
_DOCS = [(b"content-security-policy", DOCS_POLICY.encode()), *_SAME]
_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")


class RequestIds:
    """Ids of requests: what the caller sent where it is sane, else one that no other worker gives.

    A counter after a random start is a tenth of the price of a UUID.
    """

    def __init__(self) -> None:
        self._start = os.urandom(8).hex()
        self._numbers = count(1)

    def of(self, headers: list[tuple[bytes, bytes]]) -> str:
        """The id of a request with these headers."""
        for name, value in headers:
            if name == b"x-request-id" and _SANE_ID.fullmatch(value):
                return value.decode()
        return f"{self._start}{next(self._numbers):08x}"


def common_headers(path: str, request_id: str) -> list[tuple[bytes, bytes]]:
    """What every answer to ``path`` carries."""
    known = (b"x-request-id", request_id.encode())
    if path.endswith(".mvt"):  # no page ever: policies for pages would be a quarter of the price of a small tile
        return [known, _NO_SNIFFING]
    return [known, *(_DOCS if path == "/docs" else _USUAL)]


def header(headers: Any, name: bytes) -> bytes:
    """The first header of this lower-case name, empty where there is none."""
    for key, value in headers:
        if key == name:
            found: bytes = value
            return found
    return b""
