"""What the fields of a layer are called in a file: canonical, Chinese or short names, and the dictionary of them.

Every name is unique in its file whatever the case of its letters, and fits the format: ten bytes for a Shapefile,
letters and digits for a FileGDB. The names of a layer do not depend on which of its fields are exported.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import StringIO
from typing import Literal

from geo.layers.schema import Kind, Layer

Names = Literal["canonical", "zh", "short"]

KINDS_ZH: dict[Kind, str] = {
    "text": "文本",
    "real": "小数",
    "integer": "整数",
    "date": "日期",
    "boolean": "是否",
    "json": "JSON 文本",
}
_SHORT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,9}")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Column:
    """One attribute column of a file.

    Parameters
    ----------
    name : what it is called in the file
    source : canonical field, or the key inside ``extra``
    kind, zh, unit : as in the schema
    from_extra : whether the column is a key of ``extra``
    """

    name: str
    source: str
    kind: Kind
    zh: str
    unit: str = ""
    from_extra: bool = False


@dataclass(frozen=True, slots=True)
class NameRules:
    """What a format allows as the name of a field.

    Parameters
    ----------
    encoding, max_bytes : how a name is encoded, and how long it may then be
    reserved : names that the format keeps for itself, in lower case
    forbidden : characters that a name may not hold (a regular expression); each becomes ``_``
    letter_first : whether a name must begin with a letter
    """

    encoding: str = "utf-8"
    max_bytes: int = 120
    reserved: frozenset[str] = frozenset()
    forbidden: str = r"[\x00-\x1f\x7f\ud800-\udfff]"
    letter_first: bool = False


def columns_of(
    layer: Layer, present: Iterable[str], extra: dict[str, Kind], names: Names, rules: NameRules
) -> tuple[Column, ...]:
    """The columns of a file, in schema order, then the keys of ``extra``.

    Parameters
    ----------
    present : canonical fields that are written
    extra : key of ``extra`` -> kind, for keys that get a column of their own
    """
    wanted = frozenset(present)
    taken = set(rules.reserved)
    columns = []
    # All fields take their names first, so that a field is called the same in every export of the layer.
    proposals = {field.name: _proposal(layer, field.name, names) for field in layer.fields}
    for field in layer.fields:
        name = _fitting(proposals[field.name], rules, taken)
        if field.name in wanted:
            columns.append(Column(name, field.name, field.kind, field.zh, field.unit))
    for number, (key, kind) in enumerate(extra.items(), 1):
        proposal = key if names != "short" or _SHORT_NAME.fullmatch(key) else f"X{number}"
        columns.append(Column(_fitting(proposal, rules, taken), key, kind, key, "", from_extra=True))
    return tuple(columns)


def _proposal(layer: Layer, name: str, names: Names) -> str:
    field = layer.field(name)
    if names == "canonical":
        return field.name
    if names == "zh":
        return field.zh
    return next((alias for alias in field.aliases if _SHORT_NAME.fullmatch(alias)), _abbreviated(field.name))


def _abbreviated(name: str) -> str:
    """A canonical name in at most ten letters: vowels inside words go first, then the ends of the longest words."""
    words = name.upper().split("_")
    while sum(map(len, words)) > 10:
        longest = max(range(len(words)), key=lambda i: len(words[i]))
        word = words[longest]
        vowel = max((word.rfind(letter) for letter in "AEIOU"), default=-1)
        words[longest] = word[:vowel] + word[vowel + 1 :] if vowel > 0 else word[:-1]
    joined = "_".join(words)
    return joined if len(joined) <= 10 else "".join(words)


def fitting_names(proposals: Iterable[str], rules: NameRules) -> list[str]:
    """Names as the rules allow them, unique whatever their case, in the same order."""
    taken = set(rules.reserved)
    return [_fitting(proposal, rules, taken) for proposal in proposals]


def _fitting(proposal: str, rules: NameRules, taken: set[str]) -> str:
    """The proposal as the rules allow it, numbered where it is taken; it is taken from now on."""
    name = re.sub(rules.forbidden, "_", proposal).strip() or "_"
    name = "".join(letter if _encodable(letter, rules.encoding) else "_" for letter in name)
    if rules.letter_first and not name[0].isalpha():
        name = f"f{name}" if name.startswith("_") else f"f_{name}"
    candidate = cut(name, rules.max_bytes, rules.encoding)
    number = 1
    while candidate.casefold() in taken:
        number += 1
        ending = f"_{number}"
        candidate = cut(name, rules.max_bytes - len(ending), rules.encoding) + ending
    taken.add(candidate.casefold())
    return candidate


def _encodable(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def cut(text: str, max_bytes: int, encoding: str) -> str:
    """The longest beginning of ``text`` that takes at most ``max_bytes``; no character is cut in two."""
    encoded = text.encode(encoding)
    if len(encoded) <= max_bytes:
        return text
    # A character is at most four bytes, and GB18030 reads the halves of some as other characters: step by character.
    keep = max_bytes // 4
    used = len(text[:keep].encode(encoding))
    while used + (more := len(text[keep].encode(encoding))) <= max_bytes:
        used += more
        keep += 1
    return text[:keep]


def dictionary_csv(columns: Iterable[Column], remark: Callable[[Column], str] = lambda column: "") -> bytes:
    """The field dictionary as CSV that Excel opens: name in the file, field, Chinese name, kind, unit, remark.

    Returns
    -------
    bytes
        UTF-8 with a byte order mark, lines ended by CR LF; a name that a spreadsheet would compute begins with ``'``.
    """
    out = StringIO()
    table = csv.writer(out)
    table.writerow(["文件中的字段名", "字段", "中文名", "类型", "单位", "说明"])
    for column in columns:
        origin = "来源数据的其他字段" if column.from_extra else ""
        told = "；".join(part for part in (origin, remark(column)) if part)
        row = [column.name, column.source, column.zh, KINDS_ZH[column.kind], column.unit, told]
        table.writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in row])
    # Half a surrogate pair in a key of ``extra`` has no UTF-8.
    return out.getvalue().encode("utf-8-sig", "replace")
