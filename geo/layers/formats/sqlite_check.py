"""The schema of a foreign SQLite file, looked at before GDAL opens it: nothing in it may reach other files."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

from geo.errors import InvalidInput

# Tables that a GeoPackage needs: its spatial index, and text search.
_VIRTUAL_ALLOWED = ("rtree", "fts3", "fts4", "fts5")
# Functions by which SQL reaches out of its file.
_FOREIGN = re.compile(r"\b(load_extension|readfile|writefile|edit|ogr_\w+|fts3_tokenizer|pragma_\w+)\s*\(|\battach\b")


def check_geopackage(path: Path) -> None:
    """Look at the schema of a GeoPackage, which is SQL that its reader would run.

    Raises
    ------
    InvalidInput
        It is cut short or damaged, or has a virtual table (other than an index), view or trigger that reaches out.
    """
    size = path.stat().st_size
    with path.open("rb") as source:
        head = source.read(100)
    page_bytes = int.from_bytes(head[16:18], "big") or 65_536
    page_bytes = 65_536 if page_bytes == 1 else page_bytes
    pages, changed, counted_at = (int.from_bytes(head[at : at + 4], "big") for at in (28, 24, 92))
    journal = path.with_name(path.name + "-wal")
    if changed == counted_at and pages * page_bytes > size and not journal.exists():
        raise InvalidInput("文件无法读取：GeoPackage 不完整，后部缺失", where=path.name, remedy="请重新传送文件")
    # Opened as it lies and never written; views and triggers are only looked at, not run.
    immutable = "" if journal.exists() else "&immutable=1"
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro{immutable}", uri=True)
        try:
            connection.execute("PRAGMA trusted_schema = OFF")
            schema = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        finally:
            connection.close()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"文件无法读取：GeoPackage 已损坏（SQLite：{error}）", where=path.name, remedy="请用 GIS 软件检查后另存"
        ) from error
    for kind, name, sql in schema:
        words = " ".join(str(sql).lower().replace("(", " ( ").split())
        if words.startswith("create virtual table"):
            module = words.partition(" using ")[2].split(" ")[0].strip("\"'`[]")
            if module not in _VIRTUAL_ALLOWED:
                raise InvalidInput(
                    f"GeoPackage 含有虚拟表“{name}”（{module}），可能读取其他文件", where=path.name,
                    remedy="请用 GIS 软件将图层另存为新的 GeoPackage",
                )  # fmt: skip
        if kind in ("view", "trigger") and _FOREIGN.search(words):
            raise InvalidInput(
                f"GeoPackage 的视图或触发器“{name}”调用了外部功能", where=path.name,
                remedy="请用 GIS 软件将图层另存为新的 GeoPackage",
            )  # fmt: skip
