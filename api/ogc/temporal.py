"""``datetime`` of a request (RFC 3339 instants and intervals, open ends included) as a condition on days."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from geo.errors import InvalidParameter
from geo.layers.schema import Layer

# The field that tells when a row is, by layer; others are not associated with time.
DATE_FIELDS = {
    "parcels": "contract_date",
    "delays": "delay_from",
    "findings": "since",
    "past_findings": "since",
    "sites": "available_from",
}
_CHINA = ZoneInfo("Asia/Shanghai")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})")


def during(text: str, layer: Layer) -> dict[str, Any] | None:
    """The rows whose day lies in an instant or interval, in CQL2-JSON; ``None`` where that is every row.

    A row without a date is not associated with time and always taken (/req/core/fc-time-response). Days are days in
    China; a moment stands for its day.

    Raises
    ------
    InvalidParameter
        Neither an instant nor an interval.
    """
    parts = text.split("/")
    if len(parts) > 2:
        raise _wrong(text)
    ends = [None if len(parts) == 2 and part in ("", "..") else _day(part, text) for part in parts]
    if len(ends) == 2 and ends[0] is not None and ends[1] is not None and ends[0] > ends[1]:
        raise _wrong(text)
    name = DATE_FIELDS.get(layer.name)
    if name is None:
        return None
    field = {"property": name}
    if len(ends) == 1:
        limits = [{"op": "=", "args": [field, {"date": ends[0]}]}]
    else:
        limits = [
            {"op": op, "args": [field, {"date": end}]}
            for op, end in zip((">=", "<="), ends, strict=True)
            if end is not None
        ]
    if not limits:
        return None
    within = limits[0] if len(limits) == 1 else {"op": "and", "args": limits}
    return {"op": "or", "args": [{"op": "isNull", "args": [field]}, within]}


def _day(part: str, whole: str) -> str:
    try:
        if _DAY.fullmatch(part):
            return date.fromisoformat(part).isoformat()
        if _MOMENT.fullmatch(part):
            plain = re.sub(r"(\.\d{6})\d+", r"\1", part.upper())
            return datetime.fromisoformat(plain).astimezone(_CHINA).date().isoformat()
    except (ValueError, OverflowError):
        pass
    raise _wrong(whole)


def _wrong(text: str) -> InvalidParameter:
    return InvalidParameter(
        f"datetime“{text[:80]}”无效",
        where="datetime",
        remedy="例如 2024-05-01、2024-05-01T00:00:00Z、2024-01-01/2024-12-31、2024-01-01/..",
    )
