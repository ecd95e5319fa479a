"""(Geo)Parquet: batch by batch, geometry passed on as the file has it, within limits that its footer is held to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyproj import CRS
from pyproj.exceptions import CRSError

from geo.errors import InvalidInput
from geo.layers.opening.limits import Limits
from geo.layers.opening.transfer import Outgoing, Progress

_BATCH_ROWS = 32_768
_GEOMETRY_NAMES = ("geometry", "geom", "wkb_geometry", "wkb")
_LONGITUDE_LATITUDE = "OGC:CRS84"  # what GeoParquet means where it states no system


def read_parquet(path: Path, out: Path, *, limits: Limits, progress: Progress) -> Outgoing:
    """Read a Parquet file into an Arrow file under ``out``.

    Raises
    ------
    InvalidInput
        Damaged, crafted to be larger than it says, or geometry in an encoding that is not WKB.
    """
    try:
        return _read(path, out, limits, progress)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"文件无法读取：Parquet 内容有误（{type(error).__name__}：{str(error)[:200]}）", where=path.name,
            remedy="请检查文件是否完整，或重新导出",
        ) from error  # fmt: skip


def _read(path: Path, out: Path, limits: Limits, progress: Progress) -> Outgoing:
    layer = Outgoing(path.stem, out / f"{len(list(out.iterdir()))}.arrow", limits, path.name)
    with pq.ParquetFile(path, thrift_string_size_limit=1 << 26, thrift_container_size_limit=1 << 20) as opened:
        footer = opened.metadata
        unpacked = sum(footer.row_group(group).total_byte_size for group in range(footer.num_row_groups))
        if footer.num_rows > limits.rows or unpacked > limits.unpacked_bytes:
            raise InvalidInput(
                f"文件有 {footer.num_rows:,} 行、解开后 {unpacked / 1e6:,.0f} MB，超过上限", where=path.name,
                remedy="请拆分后导入",
            )  # fmt: skip
        described = _described(opened.schema_arrow)
        primary: str | None = _named_like_geometry(opened.schema_arrow, layer)
        covering: set[str] = set()
        if described is not None:
            primary, covering = _primary(described, layer, path)
        names = [name for name in opened.schema_arrow.names if name not in covering]
        schema = pa.schema([opened.schema_arrow.field(name) for name in names])
        at = schema.get_field_index(primary) if primary is not None else None
        layer.write(schema, _batches(opened, names), at, progress=progress, expected=footer.num_rows)
    return layer


def _batches(opened: pq.ParquetFile, names: list[str]) -> Iterator[pa.RecordBatch]:
    for batch in opened.iter_batches(batch_size=_BATCH_ROWS, columns=names):
        yield batch.select(names)


def _described(schema: pa.Schema) -> dict[str, Any] | None:
    text = (schema.metadata or {}).get(b"geo")
    return json.loads(text) if text else None


def _named_like_geometry(schema: pa.Schema, layer: Outgoing) -> str | None:
    """A column of bytes called geometry in a file without the metadata that would make it one."""
    if b"geo" in (schema.metadata or {}):
        return None
    named = [each.name for each in schema if each.name in _GEOMETRY_NAMES and pa.types.is_binary(each.type)]
    if len(named) != 1:
        return None
    layer.notes.append(f"文件没有 GeoParquet 元数据，字段“{named[0]}”按 WKB 几何读取")
    return named[0]


def _primary(described: dict[str, Any], layer: Outgoing, path: Path) -> tuple[str, set[str]]:
    primary = described["primary_column"]
    column = described["columns"][primary]
    if str(column["encoding"]).upper() != "WKB":
        raise InvalidInput(
            f"几何的编码是 {column['encoding']}，只读取 WKB", where=path.name, remedy="请以 WKB 编码重新导出 GeoParquet"
        )
    crs = column.get("crs", _LONGITUDE_LATITUDE)
    try:
        # Here, where text of a stranger may be parsed; what crosses is plain WKT.
        layer.crs = CRS.from_user_input(crs).to_wkt() if crs is not None else None
    except CRSError as error:
        raise InvalidInput(
            "文件写的坐标系无法识别", where=path.name, remedy="请用 GIS 软件设定坐标系后重新导出"
        ) from error
    boxes = column.get("covering", {}).get("bbox", {})
    others = set(described["columns"]) - {primary}
    if others:
        layer.notes.append(f"只读取主几何，未读取：{'、'.join(sorted(others))}")
    return primary, others | {str(parts[0]) for parts in boxes.values()}
