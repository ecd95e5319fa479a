"""Shapefiles: geometry by GDAL, the attribute table by ``formats.dbf``, joined record by record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from geo.errors import InvalidInput
from geo.layers.formats.dbf import DbfTable, NoFields, read_dbf, stated_encoding
from geo.layers.opening.from_gdal import FAILURES, read_shapes, told
from geo.layers.opening.inspection import sibling
from geo.layers.opening.limits import Limits
from geo.layers.opening.transfer import Outgoing, Progress

_BATCH_ROWS = 32_768
_SHAPES = "__shape__"


def read_shapefile(
    path: Path, out: Path, *, folder: Path, encoding: str | None, limits: Limits, progress: Progress
) -> Outgoing:
    """Read one Shapefile into an Arrow file under ``out``; ``folder`` takes what has to be prepared.

    Deleted records are left out and counted. A missing index is rebuilt beside a link, never beside the file; without
    an attribute table the shapes come alone.

    Raises
    ------
    InvalidInput
        Damaged, or text that is in no encoding tried.
    """
    notes: list[str] = []
    shape_file = _staged(path, folder, notes)
    try:
        shapes, crs = read_shapes(shape_file)
    except FAILURES as error:
        raise InvalidInput(
            f"文件无法读取：{told(error, shape_file.parent)}",
            where=path.name,
            remedy="请检查 .shp、.shx、.dbf 是否齐全完整",
        ) from error
    beside = sibling(path, ".dbf")
    table = None
    if beside is None:
        notes.append("缺少属性表（.dbf），只读取几何")
    else:
        try:
            table = read_dbf(beside, stated=stated_encoding(path), forced=encoding, progress=progress)
        except NoFields as error:
            notes.append(f"{error.detail}，只读取几何")
    layer = Outgoing(path.stem, out / f"{len(list(out.iterdir()))}.arrow", limits, path.name, crs=crs, notes=notes)
    joined = _joined(shapes, table, layer)
    layer.write(joined.schema, _batches(joined), joined.schema.get_field_index(_SHAPES), progress=progress)
    return layer


def read_table(path: Path, out: Path, *, encoding: str | None, limits: Limits, progress: Progress) -> Outgoing:
    """Read a DBF file that stands alone: a plain table."""
    table = read_dbf(path, stated=stated_encoding(path), forced=encoding, progress=progress)
    layer = Outgoing(path.stem, out / f"{len(list(out.iterdir()))}.arrow", limits, path.name)
    rows = _described(table, layer)
    layer.write(rows.schema, _batches(rows), None, progress=progress)
    return layer


def _staged(path: Path, folder: Path, notes: list[str]) -> Path:
    """Links under a plain name, without the table, whose field names GDAL may not be able to return."""
    stem = re.sub(r"[^\w-]", "_", path.stem) or "shapes"
    home = folder / f"shapes-{len(list(folder.iterdir()))}"
    home.mkdir()
    for suffix in (".shp", ".shx", ".prj"):
        if found := sibling(path, suffix):
            (home / f"{stem}{suffix}").symlink_to(found.resolve())
        elif suffix == ".shx":
            notes.append("缺少索引文件（.shx），已由 .shp 重建")
    return home / f"{stem}.shp"


def _described(table: DbfTable, layer: Outgoing) -> pa.Table:
    layer.encoding = {"utf-8": "UTF-8", "gb18030": "GB18030"}.get(table.encoding.name, table.encoding.name)
    layer.notes += [*([table.encoding.note] if table.encoding.note else []), *table.notes]
    if table.deleted.any():
        layer.notes.append(f"{int(table.deleted.sum())} 条已标记删除的记录未读取")
        return table.table.filter(pa.array(~table.deleted))
    return table.table


def _joined(shapes: pa.ChunkedArray, table: DbfTable | None, layer: Outgoing) -> pa.Table:
    if table is None:
        return pa.table({_SHAPES: shapes})
    count, records = len(shapes), table.table.num_rows
    attributes = table.table
    if records < count:
        layer.notes.append(f"几何有 {count} 个，属性只有 {records} 条：其余几何没有属性")
        rows = pa.array(np.arange(count), mask=np.arange(count) >= records)
        attributes = attributes.take(rows)
    elif records > count:
        layer.notes.append(f"属性有 {records} 条，几何只有 {count} 个：其余记录没有几何")
        shapes = pa.chunked_array([*shapes.chunks, pa.nulls(records - count, shapes.type)])
    whole = attributes.append_column(_SHAPES, shapes)
    deleted = np.zeros(whole.num_rows, dtype=bool)
    deleted[: len(table.deleted)] = table.deleted
    _described(table, layer)
    return whole.filter(pc.invert(pa.array(deleted))) if deleted.any() else whole


def _batches(table: pa.Table) -> Iterator[pa.RecordBatch]:
    yield from table.to_batches(max_chunksize=_BATCH_ROWS)
