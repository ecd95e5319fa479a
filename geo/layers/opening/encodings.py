"""Text of unstated or wrongly stated encoding: UTF-8 if it strictly is, else GB18030 if it strictly is, else refused.

No character is ever replaced. A stated encoding that does not hold is not believed, and what was used instead is told.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from geo.errors import InvalidInput, InvalidParameter

REMEDY = "请用 --encoding 指明编码，例如 GB18030、UTF-8、Big5、windows-1251"
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# What programs write when nobody told them the encoding; any bytes are "valid" in these, so they prove nothing.
_WESTERN = {"iso8859-1", "cp1252", "cp437", "cp850", "ascii"}
_CHUNK = 1 << 22
_SAMPLE_BYTES = 20_000
_COMMON = 0.8  # of the characters of Chinese text are in GB2312, bar lists of rare names


@dataclass(frozen=True, slots=True)
class Encoding:
    """How bytes are to be decoded, and what a person should know of the choice (``None`` where it is plain)."""

    name: str
    note: str | None = None


_NO_ENCODINGS = frozenset({"unicode-escape", "raw-unicode-escape", "undefined", "idna", "punycode"})


def python_name(encoding: str) -> str:
    """The codec that a user or a ``.cpg`` file means.

    Raises
    ------
    InvalidParameter
        No such encoding.
    """
    text = encoding.strip().strip('"').replace("_", "-").upper()
    text = {"ANSI 936": "GBK", "ANSI 1252": "CP1252", "936": "GBK", "ANSI": "GB18030"}.get(text, text)
    if text.isdigit():
        text = {"65001": "UTF-8", "54936": "GB18030", "88591": "ISO-8859-1"}.get(text, f"CP{text}")
    try:
        found = codecs.lookup(text)
        # Codecs that are no way of writing text (hex), or that rewrite what is in it (unicode_escape).
        if not found._is_text_encoding or found.name in _NO_ENCODINGS:
            raise LookupError(encoding)
    except LookupError as error:
        raise InvalidParameter(f"没有名为“{encoding}”的编码", where="encoding", remedy=REMEDY) from error
    name = found.name
    # A superset that decodes every GBK text in the same way, and the rare characters of names too.
    return "gb18030" if name in ("gbk", "gb2312", "cp936") else name


def told(name: str) -> str:
    """An encoding as people write it."""
    return {"utf-8": "UTF-8", "gb18030": "GB18030", "utf-8-sig": "UTF-8", "utf-16": "UTF-16"}.get(name, name)


def mark(head: bytes) -> str | None:
    """The encoding that a byte-order mark states."""
    return next((name for bom, name in _MARKS if head.startswith(bom)), None)


def choose(samples: Iterable[bytes], *, stated: str | None = None, forced: str | None = None, where: str) -> Encoding:
    """The encoding in which all these bytes decode strictly.

    Parameters
    ----------
    samples : all the text there is; each piece ends where a character ends, bar values that were cut
    stated : what the file says of itself (``.cpg``, language byte, XML declaration), not believed before it holds
    forced : what the user says; held to as well, but nothing else is tried

    Raises
    ------
    InvalidInput
        It decodes in none of them.
    """
    claimed = _known(stated)
    doubt = claimed in _WESTERN
    if forced is not None:
        tries = [python_name(forced)]
    else:
        tries = ["utf-8", "gb18030"] if claimed is None or doubt else list(dict.fromkeys([claimed, "utf-8", "gb18030"]))
        tries += [claimed] if claimed and doubt else []
    standing, shown, foreign = tries, b"", False
    for piece in samples:
        if piece.isascii():
            continue
        foreign = True
        standing = [name for name in standing if decodes(piece, name)]
        shown = shown if len(shown) > _SAMPLE_BYTES else shown + piece
    if not foreign:
        return Encoding(tries[0] if forced else claimed if claimed not in (None, "ascii") else "utf-8")
    if doubt and "gb18030" in standing and common_share(shown) < _COMMON and len(standing) > 1:
        standing.remove("gb18030")
    if forced is None and {"utf-8", "gb18030"} <= set(standing) and claimed != "utf-8":
        standing = [_likelier(shown)]
    if not standing:
        if forced is not None:
            raise InvalidInput(f"文字不是 {told(tries[0])} 编码", where=where, remedy=REMEDY)
        raise InvalidInput(
            "文字既不是 UTF-8 也不是 GB18030 编码" + (f"，也不是文件所说的 {stated}" if stated else ""),
            where=where, remedy=REMEDY,
        )  # fmt: skip
    return Encoding(standing[0], None if forced else _note(standing[0], stated, claimed, shown))


def decode(data: bytes, *, forced: str | None = None, where: str) -> tuple[str, Encoding]:
    """A whole text file, strictly, without its byte-order mark."""
    found = mark(data)
    chosen = Encoding(found) if found and forced is None else choose([data], forced=forced, where=where)
    try:
        return data.decode(chosen.name).removeprefix("\ufeff"), Encoding(told(chosen.name), chosen.note)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"文字不是 {told(chosen.name)} 编码", where=where, remedy=REMEDY) from error


def as_utf8(source: Path, target: Path, *, stated: str | None, forced: str | None) -> tuple[Path, Encoding]:
    """A text file in UTF-8: itself where it is, else rewritten as ``target``, piece by piece.

    Raises
    ------
    InvalidInput
        It is in none of the encodings tried.
    """
    with source.open("rb") as opened:
        found = mark(opened.read(4))
    if forced is not None:
        tries = [python_name(forced)]
    else:
        tries = list(dict.fromkeys(each for each in (found, _known(stated), "utf-8", "gb18030") if each))
    for name in tries:
        if not _all_decodes(source, name):
            continue
        chosen = Encoding(told(name), None if forced or name == found else _note(name, stated, _known(stated), b""))
        if name in ("utf-8", "utf-8-sig"):
            return source, chosen
        with target.open("w", encoding="utf-8", newline="") as sink:
            for text in _texts(source, name):
                sink.write(text)
        return target, chosen
    raise InvalidInput(f"文字不是 {'、'.join(map(told, tries))} 编码", where=source.name, remedy=REMEDY)


def _known(stated: str | None) -> str | None:
    try:
        return python_name(stated) if stated else None
    except InvalidParameter:
        return None


def decodes(piece: bytes, name: str) -> bool:
    """Whether bytes are text in an encoding, strictly."""
    try:
        piece.decode(name)
    except UnicodeDecodeError:
        return False
    return True


def _texts(source: Path, name: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(name)("strict")
    with source.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            yield decoder.decode(chunk)
        yield decoder.decode(b"", final=True)


def _all_decodes(source: Path, name: str) -> bool:
    try:
        for _ in _texts(source, name):
            pass
    except UnicodeDecodeError:
        return False
    return True


def common_share(piece: bytes) -> float:
    """Share of the characters beyond ASCII that are everyday Chinese (GB2312) when read as GB18030.

    Accented Latin letters pair up with the ASCII letter after them and give characters that nobody uses.
    """
    beyond = [letter for letter in piece.decode("gb18030", "ignore") if letter > "\x7f"]
    return sum(len(letter.encode("gb2312", "ignore")) > 0 for letter in beyond) / max(len(beyond), 1)


def _likelier(piece: bytes) -> str:
    """Bytes that are text in both: Chinese in UTF-8 is three bytes a character, and hardly anything else is."""
    beyond = [letter for letter in piece.decode("utf-8", "ignore") if letter > "\x7f"]
    chinese = sum("\u2e80" <= letter <= "\uffef" for letter in beyond) / max(len(beyond), 1)
    return "gb18030" if chinese < 0.5 and common_share(piece) >= _COMMON else "utf-8"


def _note(name: str, stated: str | None, claimed: str | None, shown: bytes) -> str | None:
    if name == claimed or name == "utf-8-sig":
        return None
    if stated:
        return f"文件自称编码为 {stated}，与内容不符，已按 {told(name)} 读取，请核对样例"
    if name != "gb18030":
        return None
    rare = bool(shown) and common_share(shown) < _COMMON
    return "文件未写明编码，已按 GB18030 读取" + (
        "；多为生僻字，可能不是中文，请核对样例或用 --encoding 指明" if rare else ""
    )
