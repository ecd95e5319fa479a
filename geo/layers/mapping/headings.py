"""Column headings as people write them: the same name in several guises, and units stated in the heading."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from geo.units import is_unit

_BRACKETS = re.compile(r"[()\[\]{}<>【】〔〕「」《》\s]")
_BRACKETED = re.compile(r"^(?P<stem>.+?)[(\[{【〔](?:单位[::]?)?(?P<unit>[^()\[\]{}【】〔〕]+)[)\]}】〕]$")
_JOINED = re.compile(r"^(?P<stem>.+?)[_\-,、:](?:单位[::]?)?(?P<unit>[^_\-,、:]+)$")


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """A heading without regard to case, full and half width, blanks and brackets."""
    return _BRACKETS.sub("", unicodedata.normalize("NFKC", name)).casefold()


@lru_cache(maxsize=4096)
def stem_and_unit(name: str) -> tuple[str, str | None]:
    """A heading without its unit (as ``plain`` writes it), and the unit that it states.

    ``面积（公顷）``, ``面积[公顷]``, ``面积_公顷`` and ``面积(单位：公顷)`` all give ``("面积", "公顷")``; what is no
    known unit stays part of the name.
    """
    text = re.sub(r"\s", "", unicodedata.normalize("NFKC", name))
    for form in (_BRACKETED, _JOINED):
        found = form.match(text)
        # A bare number or letter behind a dash is rather a part of the name: ZDMJ_1, LEN_M.
        bare = form is _JOINED and len(found["unit"]) == 1 and found["unit"].isascii() if found else True
        if found and not bare and found["unit"] != "1" and is_unit(found["unit"]):
            return plain(found["stem"]), found["unit"]
    return plain(text), None


def find(wanted: Iterable[str], columns: Iterable[str]) -> str | None:
    """The column that is one of the wanted names: as it stands before in another guise, earlier names before later."""
    there = list(columns)
    guises: dict[str, str] = {}
    for column in there:
        guises.setdefault(plain(column), column)
    for name in wanted:
        found = name if name in there else guises.get(plain(name))
        if found is not None:
            return found
    return None


def find_with_unit(wanted: Iterable[str], columns: Iterable[str]) -> tuple[str, str] | None:
    """The column that is one of the wanted names and states a unit in its heading, with that unit."""
    there = [(column, *stem_and_unit(column)) for column in columns]
    for name in wanted:
        stem = plain(name)
        for column, its_stem, unit in there:
            if unit is not None and its_stem == stem:
                return column, unit
    return None
