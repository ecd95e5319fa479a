"""Columns of a source in the kind of their field: text, numbers, days, yes and no, words.

Whole columns at once: what a column's type already tells is not asked of each cell, and what depends on a cell's
value alone (a day written as text, a word, a code) is worked out once for each distinct value.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from geo.layers.schema import Field

Flags = NDArray[np.bool_]

_YES_NO = {
    "true": True, "1": True, "是": True, "y": True, "yes": True, "1.0": True, "有": True,
    "false": False, "0": False, "否": False, "n": False, "no": False, "0.0": False, "无": False,
}  # fmt: skip


def convert(values: pd.Series, field: Field, words: dict[str, str] | None = None) -> tuple[Any, Flags]:
    """A column in the kind of its field.

    Parameters
    ----------
    values : (n,) as the reader made them, of any dtype
    field : the canonical field
    words : spelling -> word, where the field holds words; ``None`` for free text

    Returns
    -------
    converted : (n,) float64, ``Int64``, ``boolean``, datetime64[s], or objects with ``None`` where there is nothing
    unreadable : (n,) values that were there and could not be read; they are empty in ``converted``
    """
    column = _arrow(values)
    if field.kind == "real":
        return _numbers(values, column)
    if field.kind == "integer":
        return _whole_numbers(values, column)
    if field.kind == "date":
        return _days(values, column)
    if field.kind == "json":
        return _json(values)
    if field.kind == "boolean":
        found, bad = _by_value(values, column, lambda texts: [_YES_NO.get(text.casefold()) for text in texts])
        return pd.array(found, dtype="boolean"), bad
    if words is not None:
        return _by_value(values, column, lambda texts: [_word(text, words) for text in texts])
    return as_text(values), np.zeros(len(values), dtype=bool)


def as_text(values: pd.Series) -> NDArray[np.object_]:
    """Text without blanks around it, ``None`` where there is none; a code that became a number is a code again."""
    column = _arrow(values)
    if column is not None and pa.types.is_integer(column.type):
        column = pc.cast(column, pa.string())
    if column is not None and (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        trimmed = pc.utf8_trim_whitespace(column)
        return pc.if_else(pc.equal(trimmed, ""), None, trimmed).to_numpy(zero_copy_only=False)
    return _by_value(values, column, lambda texts: texts)[0]


def plain_value(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, (str, int, float, bool, list, dict)) else str(value)


def plain_column(values: pd.Series) -> list[Any]:
    """A column as JSON can hold it, ``None`` where there is nothing."""
    dtype = values.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "iub":
        return values.to_numpy().tolist()
    if isinstance(dtype, np.dtype) and dtype.kind == "f":
        numbers = values.to_numpy()
        if np.isfinite(numbers).all():
            return numbers.tolist()
        listed = numbers.astype(object)
        listed[np.isnan(numbers)] = None
        listed[np.isinf(numbers)] = [str(value) for value in numbers[np.isinf(numbers)]]
        return listed.tolist()
    column = _arrow(values)
    if column is not None and (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column.to_numpy(zero_copy_only=False).tolist()
    if column is not None and (pa.types.is_integer(column.type) or pa.types.is_boolean(column.type)):
        return column.to_pylist()
    if column is not None and (pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)):
        return _by_value(values, column, _shortest_days)[0].tolist()
    listed = values.astype(object)
    missing = values.isna().to_numpy()
    return [None if gone else plain_value(value) for value, gone in zip(listed, missing, strict=True)]


def _arrow(values: pd.Series) -> pa.Array | None:
    """The column in Arrow's terms, gaps as nulls; ``None`` where it mixes types or holds lists and objects."""
    try:
        column = pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        return None
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return None if pa.types.is_nested(column.type) or pa.types.is_binary(column.type) else column


def _by_value(
    values: pd.Series, column: pa.Array | None, reading: Callable[[list[str]], list[Any]]
) -> tuple[NDArray[np.object_], Flags]:
    """What a function of the trimmed text makes of each value, asked once for each distinct one."""
    if column is None:
        cells = values.to_numpy(dtype=object)
        texts = [None if _missing(cell) else _cell_text(cell) for cell in cells]
        distinct = sorted({text for text in texts if text})
        answer = dict(zip(distinct, reading(distinct), strict=True))
        found = np.array([None, *(answer.get(text) if text else None for text in texts)], dtype=object)[1:]
        present = np.array([bool(text) for text in texts], dtype=bool)
    else:
        encoded = column.dictionary_encode()
        distinct = [_cell_text(value) for value in encoded.dictionary.to_pandas()]
        there = [position for position, text in enumerate(distinct) if text]
        answers = np.full(len(distinct) + 1, None, dtype=object)
        answers[there] = np.array([None, *reading([distinct[position] for position in there])], dtype=object)[1:]
        codes = pc.fill_null(encoded.indices, len(distinct)).to_numpy(zero_copy_only=False)
        shown = np.zeros(len(distinct) + 1, dtype=bool)
        shown[there] = True
        found, present = answers[codes], shown[codes]
    return found, present & pd.isna(found)


def _missing(cell: Any) -> bool:
    return cell is None or (not isinstance(cell, (list, dict, np.ndarray)) and bool(pd.isna(cell)))


def _cell_text(cell: Any) -> str:
    # A code that passed through a spreadsheet comes back as 1001.0.
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _word(text: str, words: dict[str, str]) -> str | None:
    found = words.get(text)
    return words.get(unicodedata.normalize("NFKC", text).replace(" ", "")) if found is None else found


def _numbers(values: pd.Series, column: pa.Array | None) -> tuple[NDArray[np.float64], Flags]:
    if column is not None and (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        number = pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False).copy()
        bad = np.isinf(number)
    elif column is not None and pa.types.is_decimal(column.type):
        return _numbers(values, pc.cast(column, pa.float64()))
    else:
        read, bad = _by_value(values, column, _numbers_in)
        number = read.astype(float)
    number[bad] = np.nan
    return number, bad


# Deeper ones are no record of anything, and what writes them again would give up.
_DEEPEST = 100
_GROUPED = re.compile(r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$")


def _numbers_in(texts: list[str]) -> list[float | None]:
    read = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").to_numpy(dtype=float, copy=True)
    # Python reads 3_5 as 35; in a ledger it is no number.
    read[[position for position, text in enumerate(texts) if "_" in text]] = np.nan
    found: list[float | None] = read.tolist()
    for position in np.flatnonzero(~np.isfinite(read)):
        # Ledgers group digits (1,234.5) and type them full width.
        text = unicodedata.normalize("NFKC", texts[position]).replace(" ", "")
        text = "" if "_" in text else text.replace(",", "") if _GROUPED.match(text) else text
        try:
            number = float(text)
        except ValueError:
            number = np.nan
        found[position] = number if np.isfinite(number) else None
    return found


def _whole_numbers(values: pd.Series, column: pa.Array | None) -> tuple[Any, Flags]:
    if column is not None and pa.types.is_integer(column.type):
        return pd.Series(column.to_pandas(types_mapper=None), dtype="Int64").array, np.zeros(len(values), dtype=bool)
    number, bad = _numbers(values, column)
    broken = ~np.isnan(number) & (number % 1 != 0)
    number[broken] = np.nan
    return pd.array(number, dtype="Float64").astype("Int64"), bad | broken


_DATE = (
    r"^(?P<year>\d{4})\s*[-/.年]?\s*(?P<month>\d{1,2})\s*[-/.月]?\s*(?P<day>\d{1,2})\s*日?"
    r"(?:[T\s]\s*(?P<time>\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)\s*(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)?)?$"
)
_SEPARATED = r"^\d{4}\s*[-/.年]|^\d{8}(?:\.0)?(?:[T\s]|$)"
_DAY = "datetime64[s]"


def _days(values: pd.Series, column: pa.Array | None) -> tuple[NDArray[np.datetime64], Flags]:
    """Calendar days; an instant with a time zone is first moved to Asia/Shanghai. A bare year or month is no day."""
    if column is not None and (pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)):
        instant = column
        if pa.types.is_timestamp(column.type) and column.type.tz is not None:
            instant = pc.local_timestamp(pc.cast(column, pa.timestamp(column.type.unit, "Asia/Shanghai")))
        day = instant.to_numpy(zero_copy_only=False).astype("datetime64[D]").astype(_DAY)
        return day, np.zeros(len(values), dtype=bool)
    read, bad = _by_value(values, column, _days_in)
    day = np.full(len(values), np.datetime64("NaT", "s"), dtype=_DAY)
    there = ~pd.isna(read)
    day[there] = read[there].astype(_DAY)
    return day, bad


def _days_in(texts: list[str]) -> list[Any]:
    text = pd.Series(texts, dtype=object)
    text = text.where(text.str.contains(_SEPARATED, regex=True), "").str.replace(r"^(\d{8})\.0$", r"\1", regex=True)
    part = text.str.extract(_DATE)
    day = part["year"] + "-" + part["month"].str.zfill(2) + "-" + part["day"].str.zfill(2)
    plain = pd.to_datetime(day, format="%Y-%m-%d", errors="coerce")
    zoned = part["zone"].notna()
    instant = pd.to_datetime(
        (day + "T" + part["time"] + part["zone"])[zoned], format="ISO8601", utc=True, errors="coerce"
    )
    moved = instant.dt.tz_convert("Asia/Shanghai").dt.tz_localize(None).dt.floor("D")
    found = plain.where(~zoned, moved.reindex(plain.index)).to_numpy().astype(_DAY)
    return [None if np.isnat(value) else value for value in found]


def _shortest_days(texts: list[str]) -> list[str]:
    """Without the midnight that a calendar day is given by readers."""
    bare = all(text.endswith(" 00:00:00") for text in texts)
    return [text[:10] for text in texts] if bare else texts


def _json(values: pd.Series) -> tuple[NDArray[np.object_], Flags]:
    found = np.full(len(values), None, dtype=object)
    bad = np.zeros(len(values), dtype=bool)
    for position, value in enumerate(values.to_numpy(dtype=object)):
        if not _missing(value) and not (isinstance(value, str) and not value.strip()):
            found[position], bad[position] = as_json(value)
    return found, bad


def as_json(value: Any) -> tuple[Any, bool]:
    """An object or list, and whether the value could not be read as one."""
    if isinstance(value, (dict, list)):
        return value, False
    if isinstance(value, np.ndarray):
        return value.tolist(), False
    try:
        read = json.loads(value, parse_constant=_no_number, parse_float=_finite)
    except (TypeError, ValueError, RecursionError):
        return None, True
    return (None, True) if _depth(read) > _DEEPEST else (read, False)


def _no_number(word: str) -> float:
    raise ValueError(word)


def _finite(text: str) -> float:
    number = float(text)
    if not np.isfinite(number):
        raise ValueError(text)
    return number


def _depth(value: Any) -> int:
    """How deep lists and objects lie in each other, no further than is needed to refuse them."""
    depth, level = 0, [value]
    while level and depth <= _DEEPEST:
        depth += 1
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, dict) else each if isinstance(each, list) else ())
            if isinstance(inner, (dict, list))
        ]
    return depth
