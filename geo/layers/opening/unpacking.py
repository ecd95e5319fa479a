"""Zip archives, opened with suspicion: bounded while reading, paths kept inside, links and encryption refused."""

from __future__ import annotations

import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from geo.errors import InvalidInput
from geo.layers.opening.inspection import ARCHIVE_SUFFIXES, SUFFIXES
from geo.layers.opening.limits import Limits

_CHUNK = 1 << 20
_SMALL = 1 << 14  # a member of so few packed bytes may be any number of times larger
_NESTED = (*ARCHIVE_SUFFIXES, ".gz", ".7z", ".rar", ".tar", ".tgz", ".bz2", ".xz")
# What stands beside a dataset and belongs to it.
_COMPANIONS = (".shx", ".dbf", ".prj", ".cpg")
_GDB_MEMBERS = (".gdbtable", ".gdbtablx", ".gdbindexes", ".freelist", ".atx", ".spx")
# Indexes, metadata and styles that accompany data and are not needed.
_KNOWN = (
    ".sbn", ".sbx", ".qix", ".xml", ".qml", ".qmd", ".sld", ".lyr", ".lyrx", ".ain", ".aih", ".ixs", ".mxs", ".fix",
    ".idx", ".png", ".jpg", ".gif", ".cst",
)  # fmt: skip
# Read first what has geometry of its own; tables and texts beside it describe it.
_RANKS = (
    (".gpkg", ".shp", ".geojson", ".geojsonl", ".fgb", ".gdb", ".kml", ".dxf", ".parquet", ".geoparquet"),
    (".json",),
    (".csv", ".xlsx", ".txt"),
    (".dbf",),
)


@dataclass(frozen=True, slots=True)
class Datasets:
    """What an archive holds: the datasets to read, and the names of members that were left alone."""

    paths: tuple[Path, ...]
    left: tuple[str, ...]


def unpack(archive: Path, folder: Path, limits: Limits) -> Datasets:
    """Unpack what can be read of ``archive`` into ``folder``; paths never leave the folder.

    Raises
    ------
    InvalidInput
        Not a zip, damaged, encrypted, too many members, too large or too tightly packed, a member twice, an archive
        in the archive, a member with a path that leaves the archive or a link, or nothing that can be read.
    """
    where = archive.name
    try:
        with zipfile.ZipFile(archive) as packed:
            members = _checked(packed, where, limits)
            total = 0
            for member, path in members:
                if not _wanted(path):
                    continue
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                total += _write(packed, member, target, total, f"{where}: {path.name}", limits)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError) as error:
        raise InvalidInput(
            f"压缩包已损坏或不是 ZIP 文件（{error}）", where=where, remedy="请用 ZIP 格式重新压缩后再导入"
        ) from error
    _gather_tables(folder, archive)
    return datasets(folder, where, tuple(str(path) for _, path in members if _is_foreign(path)))


def survey(archive: Path, limits: Limits) -> None:
    """Hold an archive that another reader opens (XLSX) to the same limits, by what it says of its members.

    What a member says is a bound: the reader stops at the stated size.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            for member, path in _checked(packed, archive.name, limits):
                if member.file_size > limits.ratio * max(member.compress_size, _SMALL):
                    raise InvalidInput("文件解开后过大", where=f"{archive.name}: {path.name}", remedy="请检查文件来源")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise InvalidInput(f"文件已损坏（{error}）", where=archive.name, remedy="请重新导出") from error


def datasets(folder: Path, where: str, left: tuple[str, ...] = ()) -> Datasets:
    """The datasets of a folder: those of the highest rank there are, the others are left and named."""
    entries = sorted(folder.rglob("*"))
    inside = {entry for base in entries if _is_gdb(base) for entry in base.rglob("*")}
    found: dict[int, list[Path]] = {}
    for entry in entries:
        suffix = entry.suffix.lower()
        if entry in inside or (entry.is_dir() and not _is_gdb(entry)):
            continue
        if suffix == ".dbf" and any(other.stem == entry.stem and other.suffix.lower() == ".shp" for other in entries):
            continue
        rank = next((rank for rank, suffixes in enumerate(_RANKS) if suffix in suffixes), None)
        if rank is not None:
            found.setdefault(rank, []).append(entry)
    if not found:
        raise InvalidInput(
            "压缩包内没有可读取的数据集" + (f"（内有：{'、'.join(left[:5])}）" if left else ""),
            where=where, remedy="可导入：" + "、".join(SUFFIXES),
        )  # fmt: skip
    best = min(found)
    others = tuple(path.name for rank, paths in found.items() if rank != best for path in paths)
    return Datasets(tuple(found[best]), (*left, *others))


def _is_gdb(path: Path) -> bool:
    return path.suffix.lower() == ".gdb" and path.is_dir()


def _checked(packed: zipfile.ZipFile, where: str, limits: Limits) -> list[tuple[zipfile.ZipInfo, Path]]:
    listed = packed.infolist()
    if len(listed) > limits.members:
        raise InvalidInput(
            f"压缩包内有 {len(listed)} 个文件，超过 {limits.members} 个", where=where, remedy="请拆分后上传"
        )
    members = [(member, _safe(member, where)) for member in listed]
    members = [(member, path) for member, path in members if not member.is_dir() and not _is_litter(path)]
    seen: set[str] = set()
    for _, path in members:
        # Without case, as on the machines that most archives come from.
        if str(path).casefold() in seen:
            raise InvalidInput("压缩包内有重名文件", where=f"{where}: {path.name}", remedy="请重新压缩后再导入")
        seen.add(str(path).casefold())
    if sum(member.file_size for member, _ in members) > limits.unpacked_bytes:
        raise InvalidInput("压缩包解开后过大", where=where, remedy="请拆分后导入，或检查文件来源")
    return members


def _write(
    packed: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, total: int, where: str, limits: Limits
) -> int:
    written = 0
    most = min(limits.member_bytes, limits.unpacked_bytes - total, limits.ratio * max(member.compress_size, _SMALL))
    with packed.open(member) as source, target.open("xb") as sink:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            # Counted while reading: the sizes that an archive states about itself are not trusted.
            if written > most:
                raise InvalidInput("压缩包解开后过大", where=where, remedy="请检查文件来源")
            sink.write(chunk)
    return written


def _safe(member: zipfile.ZipInfo, where: str) -> Path:
    name = member.filename
    if not member.flag_bits & 0x800:
        # Windows writes names in the code page of the system, others in UTF-8; Python decodes both as cp437.
        raw = name.encode("cp437", "ignore")
        for encoding in ("utf-8", "gb18030"):
            try:
                name = raw.decode(encoding) if raw.decode("cp437") == name else name
                break
            except UnicodeDecodeError:
                continue
    path = PurePosixPath(name.replace("\\", "/"))
    mode = member.external_attr >> 16
    if path.is_absolute() or ".." in path.parts or ":" in name or "\0" in name or stat.S_ISLNK(mode):
        raise InvalidInput("压缩包内有越界路径或链接", where=f"{where}: {path.name}", remedy="请检查文件来源")
    if member.flag_bits & 0x1:
        raise InvalidInput("压缩包已加密", where=where, remedy="请解密后再导入")
    if path.suffix.lower() in _NESTED and not member.is_dir():
        raise InvalidInput("压缩包内还有压缩包", where=f"{where}: {path.name}", remedy="请解开后分别导入")
    return Path(*path.parts)


def _is_litter(path: Path) -> bool:
    return (
        path.name.startswith("._") or path.name in (".DS_Store", "Thumbs.db", "desktop.ini") or "__MACOSX" in path.parts
    )


def _is_foreign(path: Path) -> bool:
    return not _wanted(path) and path.suffix.lower() not in _KNOWN


def _wanted(path: Path) -> bool:
    if any(parent.suffix.lower() == ".gdb" for parent in path.parents):
        return True
    return path.suffix.lower() in (*SUFFIXES, *_COMPANIONS) or path.suffix.lower().startswith(_GDB_MEMBERS)


def _gather_tables(folder: Path, archive: Path) -> None:
    """A FileGDB whose files were packed without their folder gets one, by which it is known."""
    homes = {entry.parent for entry in folder.rglob("*.gdbtable")}
    for home in sorted(each for each in homes if each.suffix.lower() != ".gdb"):
        stem = (archive.stem if home == folder else home.name).removesuffix(".gdb")
        target = home / f"{stem or 'data'}.gdb"
        target.mkdir(exist_ok=True)
        for entry in list(home.iterdir()):
            if entry.is_file() and entry.suffix.lower().startswith(_GDB_MEMBERS):
                entry.rename(target / entry.name)
