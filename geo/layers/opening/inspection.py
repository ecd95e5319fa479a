"""What a file is, judged by its first bytes, before any reader of that format sees it."""

from __future__ import annotations

import re
import struct
from pathlib import Path

from geo.errors import InvalidInput
from geo.layers.formats.sqlite_check import check_geopackage
from geo.layers.opening.limits import Limits

# Formats that GDAL reads; it decides by content, not by name, so the content has to be what the name says.
GDAL_SUFFIXES = (".gpkg", ".shp", ".geojson", ".json", ".geojsonl", ".fgb", ".gdb", ".kml")
OWN_SUFFIXES = (".dxf", ".csv", ".xlsx", ".txt", ".dbf", ".parquet", ".geoparquet")
ARCHIVE_SUFFIXES = (".zip", ".kmz")
SUFFIXES = (*GDAL_SUFFIXES, *OWN_SUFFIXES, *ARCHIVE_SUFFIXES)

_HEAD_BYTES = 4096
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def inspect(path: Path, limits: Limits) -> None:
    """Refuse a file whose content is not what its name says, or that is larger than allowed.

    Raises
    ------
    InvalidInput
        Empty, too large, of a kind that is not read, cut short, or something else under this name.
    """
    suffix = path.suffix.lower()
    if suffix == ".gz":
        raise InvalidInput("不直接读取 .gz 压缩文件", where=path.name, remedy="请先解压，或改用 ZIP 压缩")
    if suffix not in SUFFIXES:
        raise InvalidInput(f"不支持的文件类型“{path.suffix}”", where=path.name, remedy="可导入：" + "、".join(SUFFIXES))
    if path.is_dir():
        _inspect_folder(path, limits)
        return
    size = path.stat().st_size
    if size == 0:
        raise InvalidInput("文件是空的（0 字节），无法读取", where=path.name, remedy="请重新导出或重新传送文件")
    if size > limits.file_bytes:
        raise InvalidInput(
            f"文件有 {size / 1e6:,.0f} MB，超过上限 {limits.file_bytes / 1e6:,.0f} MB", where=path.name,
            remedy="请拆分后导入",
        )  # fmt: skip
    with path.open("rb") as source:
        head = source.read(_HEAD_BYTES)
        source.seek(max(size - 4, 0))
        tail = source.read(4)
    if not _is(suffix, head, tail):
        raise InvalidInput(
            f"文件无法读取：内容不是{_NAMES[suffix]}，与后缀“{path.suffix}”不符", where=path.name,
            remedy="请检查文件是否完整，并用原软件重新导出",
        )  # fmt: skip
    if suffix == ".gpkg":
        check_geopackage(path)


_NAMES = {
    ".gpkg": " GeoPackage", ".shp": " Shapefile", ".geojson": " GeoJSON", ".json": " GeoJSON",
    ".geojsonl": " GeoJSON", ".fgb": " FlatGeobuf", ".gdb": "文件地理数据库（应为文件夹）", ".kml": " KML",
    ".dxf": " DXF", ".csv": "文本", ".xlsx": " XLSX", ".txt": "文本", ".dbf": " DBF", ".parquet": " Parquet",
    ".geoparquet": " Parquet", ".zip": " ZIP", ".kmz": " KMZ",
}  # fmt: skip


def _is(suffix: str, head: bytes, tail: bytes) -> bool:
    text = head
    for mark in _MARKS:
        text = text.removeprefix(mark)
    # UTF-16 has a NUL beside every ASCII character; only what it says matters here.
    text = text.replace(b"\0", b"") if head.startswith(_MARKS[1:]) else text
    text = text.lstrip()
    match suffix:
        case ".gpkg":
            return head.startswith(b"SQLite format 3\0")
        case ".zip" | ".kmz" | ".xlsx":
            return head.startswith(_ZIP)
        case ".shp":
            return len(head) >= 100 and struct.unpack(">i", head[:4])[0] == 9994
        case ".fgb":
            return head[:3] == b"fgb" and head[4:7] == b"fgb"
        case ".parquet" | ".geoparquet":
            return head.startswith(b"PAR1") and tail == b"PAR1"
        case ".geojson" | ".json" | ".geojsonl":
            return text.lstrip(b"\x1e").startswith((b"{", b"["))
        case ".kml":
            return text.startswith(b"<") and b"<kml" in text and b"<!ENTITY" not in text
        case ".dxf":
            first = text.split(None, 1)[0] if text.split() else b""
            return head.startswith(b"AutoCAD Binary DXF") or first in (b"0", b"999")
        case ".dbf":
            return len(head) >= 33 and head[0] & 0x07 in (2, 3, 4, 5) and head[:1] not in (b"<", b"{")
        case ".csv" | ".txt":
            return b"\0" not in text and not text.startswith((b"<", b"PK\x03\x04"))
    return False


def _inspect_folder(path: Path, limits: Limits) -> None:
    if path.suffix.lower() != ".gdb":
        raise InvalidInput("这是一个文件夹，不是文件", where=path.name, remedy="可直接导入的文件夹只有 .gdb")
    entries = list(path.rglob("*"))
    if any(entry.is_symlink() for entry in entries):
        raise InvalidInput("文件夹内有链接", where=path.name, remedy="请检查文件来源")
    if not any(entry.suffix == ".gdbtable" for entry in entries):
        raise InvalidInput("文件无法读取：文件夹内没有地理数据库", where=path.name, remedy="请检查文件是否完整")
    total = sum(entry.stat().st_size for entry in entries if entry.is_file())
    if len(entries) > limits.members or total > limits.unpacked_bytes:
        raise InvalidInput("文件夹过大或文件过多", where=path.name, remedy="请拆分后导入")


def sibling(path: Path, suffix: str) -> Path | None:
    """A file of the same name with another ending, in whatever case it is written."""
    exact = path.with_suffix(suffix)
    if exact.is_file():
        return exact
    return next((entry for entry in path.parent.iterdir() if entry.name.lower() == exact.name.lower()), None)


def path_that_gdal_takes(path: Path, folder: Path) -> Path:
    """The file itself, or a link to it under a plain name where GDAL would read its name as an instruction."""
    if re.fullmatch(r"[\w .()-]+", path.name) and "!" not in str(path) and "://" not in str(path):
        return path
    stem = re.sub(r"[^\w-]", "_", path.stem) or "data"
    plain = folder / (stem + path.suffix.lower())
    plain.symlink_to(path.resolve())
    return plain
