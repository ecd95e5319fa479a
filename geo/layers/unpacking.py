"""Zip archives, opened with suspicion: bounded while reading, names flattened, links and encryption refused."""

from __future__ import annotations

import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from geo.errors import InvalidInput

MAX_MEMBERS = 512
MAX_TOTAL_BYTES = 4 * 1024**3
MAX_RATIO = 200
_CHUNK = 1 << 20


def unpack(archive: Path, folder: Path) -> None:
    """Unpack ``archive`` into ``folder``; directories are kept (a FileGDB is one), paths never leave the folder.

    Raises
    ------
    InvalidInput
        Not a zip, damaged, encrypted, too many members, too large or too tightly packed, or a member with a path that
        leaves the archive or a link.
    """
    where = archive.name
    try:
        with zipfile.ZipFile(archive) as packed:
            members = [member for member in packed.infolist() if not member.is_dir()]
            if len(members) > MAX_MEMBERS:
                raise InvalidInput(
                    f"压缩包内有 {len(members)} 个文件，超过 {MAX_MEMBERS} 个", where=where, remedy="请拆分后上传"
                )
            total = 0
            for member in members:
                target = folder / _safe(member, where)
                target.parent.mkdir(parents=True, exist_ok=True)
                written = 0
                with packed.open(member) as source, target.open("wb") as sink:
                    while chunk := source.read(_CHUNK):
                        written += len(chunk)
                        total += len(chunk)
                        # Counted while reading: the sizes that an archive states about itself are not trusted.
                        if total > MAX_TOTAL_BYTES or written > MAX_RATIO * max(member.compress_size, _CHUNK // 64):
                            raise InvalidInput(
                                "压缩包解开后过大", where=f"{where}: {target.name}", remedy="请检查文件来源"
                            )
                        sink.write(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise InvalidInput("压缩包已损坏或不是 ZIP 文件", where=where, remedy="请重新压缩后再导入") from error


def _safe(member: zipfile.ZipInfo, where: str) -> Path:
    name = member.filename
    if not member.flag_bits & 0x800:
        # Windows writes names in the code page of the system; Python decodes them as cp437.
        try:
            name = name.encode("cp437").decode("gb18030")
        except (UnicodeEncodeError, UnicodeDecodeError):
            name = member.filename
    path = PurePosixPath(name.replace("\\", "/"))
    mode = member.external_attr >> 16
    if path.is_absolute() or ".." in path.parts or ":" in name or stat.S_ISLNK(mode):
        raise InvalidInput("压缩包内有越界路径或链接", where=f"{where}: {path.name}", remedy="请检查文件来源")
    if member.flag_bits & 0x1:
        raise InvalidInput("压缩包已加密", where=where, remedy="请解密后再导入")
    return Path(*path.parts)
