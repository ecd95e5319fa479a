"""Logs on stderr: one JSON object a line, or short lines for a person at a terminal. Never a query or a secret."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from json.encoder import encode_basestring
from typing import Any

_PASSWORD = re.compile(r"(://[^/\s:@]*):[^@/\s]+@|\b(password=)\S+")
_STDERR = 2


def set_up_logs(form: str = "auto", *, every: bool = True) -> RequestLog:
    """Send the logs of the service and its server to stderr; what writes the lines of its requests.

    Parameters
    ----------
    form : ``json``, ``text``, or ``auto``: text at a terminal, JSON elsewhere
    every : whether every request has its line; failures have theirs in any case
    """
    handler = logging.StreamHandler(sys.stderr)
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    handler.setFormatter(JsonLines() if as_json else _Plain("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    for name in ("lianpian", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(logging.INFO if name == "lianpian" else logging.WARNING)
    return RequestLog(as_json=as_json, every=every)


class JsonLines(logging.Formatter):
    """A record as one line of JSON: ts, level, event, worker, and what ``extra={"fields": …}`` adds."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        told: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": without_secrets(record.getMessage()),
            **getattr(record, "fields", {}),
            "worker": os.getpid(),
        }
        if record.exc_info and record.exc_info[0] is not None:
            told["failure"] = without_secrets("".join(traceback.format_exception(*record.exc_info)))
        return json.dumps(told, ensure_ascii=False, default=str)


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", {})
        text = super().format(record) + "".join(f" {name}={value}" for name, value in fields.items())
        return without_secrets(text)


def without_secrets(text: str) -> str:
    """A text without the passwords of the addresses in it."""
    return _PASSWORD.sub(lambda found: f"{found[1]}:***@" if found[1] else f"{found[2]}***", text)


class RequestLog:
    """A line for every request, written past ``logging``, which takes several times as long as a tile from memory.

    Parameters
    ----------
    as_json : one JSON object a line, else a short line for a person
    every : a line for each request; else only for those that the service failed (5xx)
    """

    def __init__(self, *, as_json: bool, every: bool = True) -> None:
        self._as_json = as_json
        self._every = every
        self._worker = os.getpid()
        self._second = (0, "")

    def line(
        self, request_id: str, method: str, path: str, route: str, status: int, duration_s: float, sent_bytes: int
    ) -> None:
        """Tell of one request; its path without the query, which may hold what is nobody's business."""
        if status < 500 and not self._every:
            return
        level = "info" if status < 500 else "warning" if status == 503 else "error"
        path = encode_basestring(path[:200])
        if self._as_json:
            text = (
                f'{{"ts":"{self._now()}","level":"{level}","event":"request","request_id":"{request_id}",'
                f'"method":"{method}","path":{path},"route":{encode_basestring(route)},"status":{status},'
                f'"duration_ms":{duration_s * 1000:.2f},"bytes":{sent_bytes},"worker":{self._worker}}}\n'
            )
        else:
            text = f"{status} {method} {path[1:-1]} {duration_s * 1000:.1f} ms {sent_bytes} B {request_id}\n"
        with suppress(OSError):  # a log that nobody reads any more stops no request
            os.write(_STDERR, text.encode("utf-8", "replace"))  # one call a line, so that workers do not mix theirs

    def _now(self) -> str:
        now = time.time()
        second = int(now)
        if self._second[0] != second:
            self._second = (second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))
        return f"{self._second[1]}.{int(now % 1 * 1000):03d}Z"
