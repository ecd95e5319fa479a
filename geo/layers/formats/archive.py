"""Several files as one zip, with a page that says what they are."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

from geo.layers.formats.provenance import Provenance


def pack(target: Path, source: Path, texts: dict[str, bytes]) -> None:
    """Zip a folder under its own name, or the files inside it where it is called ``parts``, with texts beside them."""
    base = source if source.name == "parts" else source.parent
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        for path in sorted(entry for entry in source.rglob("*") if entry.is_file()):
            # The driver's own lock files are no part of the data set.
            if path.suffix != ".lock":
                archive.write(path, path.relative_to(base).as_posix())
        for name, content in texts.items():
            archive.writestr(name, content)


def read_me(about: Provenance, notes: Iterable[str]) -> bytes:
    """The page 说明.txt: provenance and notes, UTF-8 with a byte order mark and CR LF for Notepad."""
    lines = [f"{label}：{value}" for label, value in about.rows()]
    remarks = [f"- {note}" for note in notes]
    if remarks:
        lines += ["", "说明：", *remarks]
    return ("\r\n".join(lines) + "\r\n").encode("utf-8-sig")
