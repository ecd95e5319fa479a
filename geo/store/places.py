"""Where a page of rows ends, and how the next begins there: a place in a total order, not a number of rows.

Rows are ordered by the fields of a sort and then by the key, so that no two stand at the same place. A row without a
value stands behind all that have one, whichever way the field is sorted. A place survives rows that come and go: the
next page begins with the first row behind it.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from geo.errors import InvalidParameter

Direction: TypeAlias = Literal["asc", "desc"]
Sort: TypeAlias = tuple[tuple[str, Direction], ...]
_LONGEST_TOKEN = 4096


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a row: its values of the sorted fields, in stored form, then its key."""

    sort: Sort
    values: tuple[Any, ...]

    def token(self) -> str:
        """The place as text for an address; it means nothing under another sort."""
        told = [[name, direction == "desc"] for name, direction in self.sort]
        text = json.dumps([told, self.values], ensure_ascii=False, separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place_from(token: str, sort: Sort) -> Place:
    """The place of a token.

    Raises
    ------
    InvalidParameter
        Not a token, or the token of another sort.
    """
    wrong = InvalidParameter("翻页标记无效", where="after", remedy="请使用上一页 next 链接，不要更改排序")
    if len(token) > _LONGEST_TOKEN:
        raise wrong
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        told, values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        place = Place(tuple((str(name), "desc" if down else "asc") for name, down in told), tuple(values))
    except (ValueError, TypeError, RecursionError):
        raise wrong from None
    plain = (str, int, float, bool, type(None))
    if place.sort != sort or len(place.values) != len(sort) + 1 or not all(isinstance(v, plain) for v in place.values):
        raise wrong
    return place
