"""The attribute table of a Shapefile, read column by column: text decoded strictly, nothing replaced, nothing guessed.

GDAL replaces or drops what does not decode and cannot return a field whose UTF-8 name was cut inside a character at the
tenth byte; both are common in deliveries. Source: dBASE III/IV file structure; language bytes of ESRI and FoxPro.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from geo.errors import InvalidInput, InvalidParameter
from geo.layers.opening.encodings import Encoding, choose, decodes, python_name

_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
# Language byte of the header -> code page.
_LANGUAGES = {
    0x01: "cp437", 0x02: "cp850", 0x03: "cp1252", 0x13: "cp932", 0x26: "cp866", 0x4D: "gbk", 0x4E: "cp949",
    0x4F: "cp950", 0x57: "cp1252", 0x64: "cp852", 0x65: "cp866", 0x78: "cp950", 0x79: "cp949", 0x7A: "gbk",
    0x7B: "cp932", 0xC8: "cp1250", 0xC9: "cp1251", 0xCB: "cp1253", 0xCA: "cp1254",
}  # fmt: skip


class NoFields(InvalidInput):
    """A table without a single field: nothing is lost by doing without it."""


@dataclass(frozen=True, slots=True)
class DbfTable:
    """All records, deleted ones included (``deleted``: (n,) bool), so that row ``i`` belongs to shape ``i``."""

    table: pa.Table
    deleted: NDArray[np.bool_]
    encoding: Encoding
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Field:
    raw_name: bytes
    kind: str
    start: int
    width: int
    decimals: int


def read_dbf(
    path: Path,
    *,
    stated: str | None = None,
    forced: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> DbfTable:
    """Read a DBF file.

    Parameters
    ----------
    path : the file
    stated : content of the ``.cpg`` file beside it
    forced : encoding that the user names

    Raises
    ------
    InvalidInput
        No DBF, or text that strictly decodes in no encoding tried.
    """
    fields, records, counted, language = _open(path)
    notes: list[str] = []
    if len(records) < counted:
        notes.append(f"属性表应有 {counted} 条记录，文件中只有 {len(records)} 条")
    texts = {field: _trimmed(records, field) for field in fields if field.kind not in "IBO+@MGP"}
    encoding = choose(_samples(fields, texts), stated=stated or language, forced=forced, where=path.name)
    arrays, names = [], []
    for number, field in enumerate(fields, 1):
        progress(f"读取属性 {number}/{len(fields)}")
        name = _name(field, encoding.name, notes)
        array = _column(records, field, name, texts.pop(field, None), encoding.name, notes)
        if array is not None:
            arrays.append(array)
            names.append(name)
    table = pa.Table.from_arrays(arrays, names=names)
    deleted = records[:, 0] == ord("*") if len(records) else np.zeros(0, dtype=bool)
    return DbfTable(table, deleted, encoding, tuple(notes))


def _open(path: Path) -> tuple[list[_Field], NDArray[np.uint8], int, str | None]:
    size = path.stat().st_size
    damaged = InvalidInput("属性表（.dbf）已损坏", where=path.name, remedy="请用 GIS 软件检查后另存")
    with path.open("rb") as source:
        head = source.read(min(size, 65_536))
    if len(head) < 33:
        raise damaged
    counted, start, width = (int.from_bytes(head[at:to], "little") for at, to in ((4, 8), (8, 10), (10, 12)))
    fields, offset = [], 1
    for at in range(32, min(start, len(head)) - 31, 32):
        entry = head[at : at + 32]
        if entry[0] in (0x0D, 0x00):
            break
        # A character field may be wider than a byte counts; the second byte is the decimals of numbers.
        kind = chr(entry[11]).upper()
        field = _Field(entry[:11].split(b"\0")[0].rstrip(), kind, offset, entry[16], entry[17] if kind in "NF" else 0)
        fields.append(field)
        offset += field.width
    if not fields and head[32] == 0x0D:
        raise NoFields("属性表（.dbf）没有字段", where=path.name, remedy="请检查文件是否完整")
    if start < 33 or width < 1 or offset > width or not fields:
        raise damaged
    rows = min(counted, max(size - start, 0) // width)
    if rows == 0:
        return fields, np.zeros((0, width), dtype=np.uint8), counted, _LANGUAGES.get(head[29])
    records = np.memmap(path, dtype=np.uint8, mode="r", offset=start, shape=(rows, width))
    return fields, records, counted, _LANGUAGES.get(head[29])


def _trimmed(records: NDArray[np.uint8], field: _Field) -> pa.Array:
    """The bytes of a column as a binary array, up to the first NUL and without the padding."""
    rows = len(records)
    if rows == 0 or field.width == 0:
        return pa.array([b""] * rows, pa.binary())
    cells = np.ascontiguousarray(records[:, field.start : field.start + field.width])
    # A table is mostly padding: columns of blanks on the right go at once.
    used = np.flatnonzero(((cells != 0x20) & (cells != 0)).any(axis=0))
    width = int(used[-1]) + 1 if len(used) else 1
    cells = np.ascontiguousarray(cells[:, :width])
    fixed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), rows, [None, pa.py_buffer(cells)])
    # The kernel works on bytes; neither a blank nor NUL is part of a longer character in any encoding of DBF files.
    trimmed = pc.ascii_rtrim(_as_text(fixed.cast(pa.large_binary())), characters=" \0")
    ended = pc.find_substring(trimmed, "\0")
    if pc.max(ended).as_py() >= 0:
        values = [value.split(b"\0")[0].rstrip() for value in trimmed.cast(pa.large_binary()).to_pylist()]
        return pa.array(values, pa.binary())
    return trimmed.cast(pa.large_binary())


def _as_text(raw: pa.Array) -> pa.Array:
    """The same bytes called text, unchecked: for kernels that only compare bytes, or digits."""
    return pa.Array.from_buffers(pa.large_string(), len(raw), raw.buffers(), offset=raw.offset)


def _samples(fields: list[_Field], texts: dict[_Field, pa.Array]) -> Iterator[bytes]:
    for field in fields:
        yield _Cut(_numbered(field.raw_name)[0]) if len(field.raw_name) >= 10 else field.raw_name
    for field, array in texts.items():
        if field.kind in "NFDL" or _is_ascii(array):
            continue
        values = [value for value in array.unique().to_pylist() if not value.isascii()]
        # A value as wide as its field may have been cut inside its last character.
        yield b"\n".join(value for value in values if len(value) < field.width)
        yield from (_Cut(value) for value in values if len(value) == field.width)


class _Cut(bytes):
    """Bytes whose last character may be incomplete."""

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Decode strictly all but an incomplete last character."""
        return codecs.getincrementaldecoder(encoding)(errors).decode(bytes(self), final=False)


def _is_ascii(raw: pa.Array) -> bool:
    data = raw.buffers()[2]
    return data is None or len(data) == 0 or int(np.frombuffer(data, dtype=np.uint8).max()) < 0x80


def _name(field: _Field, encoding: str, notes: list[str]) -> str:
    if decodes(field.raw_name, encoding):
        return field.raw_name.decode(encoding).strip()
    stem, number = _numbered(field.raw_name)
    name = _Cut(stem).decode(encoding).strip() + number.decode("ascii")
    notes.append(f"字段名“{name}”截断了半个字，已去掉残余字节")
    return name


def _numbered(raw_name: bytes) -> tuple[bytes, bytes]:
    """A name, and the number that writers put in place of its last bytes to tell it from another."""
    match = re.fullmatch(rb"(.*?)(_[0-9]+)?", raw_name, re.DOTALL)
    assert match is not None
    return match[1], match[2] or b""


def _column(
    records: NDArray[np.uint8], field: _Field, name: str, text: pa.Array | None, encoding: str, notes: list[str]
) -> pa.Array | None:
    if text is None:
        return _binary_column(records, field, name, notes)
    if field.kind in "NF":
        return _numbers(_as_text(text.cast(pa.large_binary())), field, name, notes)
    if field.kind == "D":
        return _by_value(text, _date, pa.date32(), name, "不是日期", notes)
    if field.kind == "L":
        return _by_value(text, lambda value: _LOGICAL.get(value, ...), pa.bool_(), name, "不是逻辑值", notes)
    return _text(text, field, name, encoding, notes)


def _text(raw: pa.Array, field: _Field, name: str, encoding: str, notes: list[str]) -> pa.Array:
    if _is_ascii(raw):
        text = pc.ascii_trim_whitespace(_as_text(raw.cast(pa.large_binary())))
        return pc.if_else(pc.equal(text, ""), pa.scalar(None, text.type), text)
    coded = raw.dictionary_encode()
    words, cut = [], []
    for position, value in enumerate(coded.dictionary.to_pylist()):
        if decodes(value, encoding):
            words.append(value.decode(encoding).strip() or None)
        else:
            words.append(_Cut(value).decode(encoding).strip() or None)
            cut.append(position)
    if cut:
        rows = pc.sum(pc.is_in(coded.indices, pa.array(cut, coded.indices.type))).as_py()
        notes.append(f"字段“{name}”有 {rows} 个值在字段末尾截断了半个字，已去掉残余字节")
    return pa.array(words, pa.string()).take(coded.indices)


def _numbers(text: pa.Array, field: _Field, name: str, notes: list[str]) -> pa.Array:
    text = pc.ascii_ltrim_whitespace(text)
    # A field filled with stars is how dBase writes that there is no number.
    blank = pc.match_substring_regex(text, r"^\**$")
    number = pc.match_substring_regex(text, _NUMBER)
    wrong = pc.and_(pc.invert(blank), pc.invert(number))
    if lost := pc.sum(wrong).as_py():
        example = text.filter(wrong)[0].as_py()
        notes.append(f"字段“{name}”有 {lost} 个值不是数字（如“{example}”），按空值读取")
    text = pc.if_else(number, text, pa.scalar(None, text.type))
    if field.decimals == 0 and field.kind == "N":
        try:
            return text.cast(pa.int64())
        except pa.ArrowInvalid:
            if field.width > 15:  # a code of many digits would lose its last ones as a float
                return text.cast(pa.string())
    return text.cast(pa.float64())


_LOGICAL: dict[str, bool | None] = {
    **dict.fromkeys("TtYy", True), **dict.fromkeys("FfNn", False), "?": None, "": None,
}  # fmt: skip


def _date(value: str) -> object:
    if not value or not value.strip("0"):
        return None
    try:
        return date(int(value[:4]), int(value[4:6]), int(value[6:8])) if len(value) == 8 else ...
    except ValueError:
        return ...


def _by_value(
    raw: pa.Array, parse: Callable[[str], object], kind: pa.DataType, name: str, problem: str, notes: list[str]
) -> pa.Array:
    coded = raw.dictionary_encode()
    parsed = [parse(value.decode("latin-1").strip()) for value in coded.dictionary.to_pylist()]
    wrong = [position for position, value in enumerate(parsed) if value is ...]
    if wrong:
        rows = pc.sum(pc.is_in(coded.indices, pa.array(wrong, coded.indices.type))).as_py()
        notes.append(f"字段“{name}”有 {rows} 个值{problem}，按空值读取")
    return pa.array([None if value is ... else value for value in parsed], kind).take(coded.indices)


def _binary_column(records: NDArray[np.uint8], field: _Field, name: str, notes: list[str]) -> pa.Array | None:
    cells = np.ascontiguousarray(records[:, field.start : field.start + field.width])
    if field.kind in "I+" and field.width == 4:
        return pa.array(cells.view("<i4").ravel())
    if field.kind in "BO" and field.width == 8:
        return pa.array(cells.view("<f8").ravel())
    notes.append(f"字段“{name}”的类型（{field.kind}）不能读取，未读入")
    return None


def stated_encoding(path: Path) -> str | None:
    """What the ``.cpg`` file beside a Shapefile says, ``None`` where there is none or it says nothing known."""
    for suffix in (".cpg", ".CPG", ".Cpg"):
        beside = path.with_suffix(suffix)
        if beside.is_file():
            text = beside.read_bytes()[:64].decode("ascii", "ignore").strip()
            try:
                return text if text and python_name(text) else None
            except InvalidParameter:
                return None
    return None
