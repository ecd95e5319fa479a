"""Layers on their way from the reading process to the one that asked: an Arrow file each, geometry as plain WKB.

What crosses is checked on the foreign side: rows and vertices are counted, text is UTF-8, and every geometry is one of
the seven simple kinds, so that nothing is left that could surprise the side that keeps the data.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from geo.errors import InvalidInput
from geo.layers.opening.limits import Limits

GEOMETRY = "__wkb__"
_KINDS = {15: "多面体面", 16: "不规则三角网（TIN）", 17: "三角形"}
_CURVES = range(8, 15)
# GEOS in English -> what is wrong with the row.
_FAULTS = (
    ("closed linestring", "几何无法读取：环没有闭合"),
    ("LinearRing", "几何无法读取：环的点数不足"),
    ("point array must contain 0 or >1", "几何无法读取：线只有一个点"),
    ("Unknown WKB type", "几何无法读取：未知的几何类型"),
)
Progress = Callable[[str], None]


class CurvesFound(Exception):
    """The layer holds arcs, which its reader has to turn into straight lines first."""


@dataclass
class Outgoing:
    """One layer being written, and what is told of it."""

    name: str
    target: Path
    limits: Limits
    where: str
    crs: str | None = None
    encoding: str | None = None
    notes: list[str] = field(default_factory=list)
    faults: dict[int, str] = field(default_factory=dict)
    rows: int = 0
    vertices: int = 0
    has_geometry: bool = False

    def write(
        self,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        geometry: int | None,
        *,
        linear: NDArray[np.object_] | None = None,
        progress: Progress = lambda _: None,
        expected: int | None = None,
    ) -> None:
        """Write all batches.

        Parameters
        ----------
        schema, batches : of the source; text may still be undecoded bytes called text
        geometry : position of the column with WKB, ``None`` for a plain table
        linear : (rows,) WKB to take instead of the column's, for layers with arcs
        expected : number of rows as the file tells it, for progress and for comparison

        Raises
        ------
        CurvesFound
            The layer has arcs and no ``linear`` geometry was given.
        InvalidInput
            More rows, fields or vertices than allowed.
        """
        self.rows, self.vertices, self.has_geometry = 0, 0, geometry is not None
        if len(schema) > self.limits.fields:
            raise self._too_much(f"有 {len(schema)} 个字段", self.limits.fields)
        columns = _columns(schema, geometry, self.notes)
        first: pa.Schema | None = None
        crossed = 0
        writer: pa.RecordBatchFileWriter | None = None
        try:
            for batch in batches:
                if linear is not None and geometry is not None:
                    part = pa.array(linear[self.rows : self.rows + len(batch)], pa.binary())
                    batch = batch.set_column(geometry, schema.field(geometry).name, part)
                arrays = [self._array(batch.column(at), name, at == geometry) for at, name in columns]
                plain = pa.RecordBatch.from_arrays(arrays, names=[name for _, name in columns])
                # What is packed small in a file (one text for a million rows) is not small in memory.
                crossed += plain.get_total_buffer_size()
                if crossed > self.limits.crossing_bytes:
                    raise self._too_much("解开后过大", self.limits.crossing_bytes)
                if writer is None:
                    first = plain.schema
                    writer = pa.ipc.new_file(self.target, first)
                writer.write_batch(plain if plain.schema.equals(first) else plain.cast(first))
                self.rows += len(batch)
                if self.rows > self.limits.rows:
                    raise self._too_much(f"超过 {self.limits.rows:,} 行", self.limits.rows)
                of = f"/{expected:,}" if expected and expected > 0 else ""
                progress(f"读取 {self.name} {self.rows:,}{of}")
            if writer is None:
                empty = pa.RecordBatch.from_arrays(
                    [self._array(pa.array([], schema.field(at).type), name, at == geometry) for at, name in columns],
                    names=[name for _, name in columns],
                )
                writer = pa.ipc.new_file(self.target, empty.schema)
        finally:
            if writer is not None:
                writer.close()
        if expected is not None and expected >= 0 and expected != self.rows:
            self.notes.append(f"文件称有 {expected:,} 行，实际读到 {self.rows:,} 行")

    def answer(self) -> dict[str, Any]:
        """What the other side needs to know, as JSON holds it."""
        return {
            "name": self.name, "file": self.target.name, "crs": self.crs, "rows": self.rows,
            "geometry": self.has_geometry, "encoding": self.encoding, "notes": list(dict.fromkeys(self.notes)),
            "faults": {str(row): reason for row, reason in self.faults.items()},
        }  # fmt: skip

    def _too_much(self, what: str, most: int) -> InvalidInput:
        return InvalidInput(
            f"图层 {self.name} {what}，超过上限 {most:,}", where=self.where, remedy="请拆分或简化后再导入"
        )

    def _array(self, array: pa.Array, name: str, is_geometry: bool) -> pa.Array:
        if is_geometry:
            return self._geometry(array)
        if isinstance(array, pa.ExtensionArray):
            array = array.storage
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
            return self._text(array, name)
        if pa.types.is_nested(array.type):
            values = (None if value is None else _json(value) for value in array.to_pylist())
            return pa.array(list(values), pa.string())
        if pa.types.is_decimal(array.type):
            return array.cast(pa.float64() if array.type.precision <= 15 else pa.string())
        return array

    def _text(self, array: pa.Array, name: str) -> pa.Array:
        try:
            array.validate(full=True)
        except pa.ArrowInvalid:
            raw = pa.Array.from_buffers(
                pa.large_binary() if pa.types.is_large_string(array.type) else pa.binary(),
                len(array), array.buffers(), offset=array.offset,
            )  # fmt: skip
            try:
                values = [None if value is None else _strict(value) for value in raw.to_pylist()]
            except UnicodeDecodeError as error:
                raise InvalidInput(
                    f"字段“{name}”的文字既不是 UTF-8 也不是 GB18030 编码", where=self.where,
                    remedy="请用原软件以 UTF-8 重新导出",
                ) from error  # fmt: skip
            self.notes.append(f"字段“{name}”有文字不是 UTF-8，已按 GB18030 读取，请核对")
            return pa.array(values, array.type)
        return array

    def _geometry(self, array: pa.Array) -> pa.Array:
        if isinstance(array, pa.ExtensionArray):
            array = array.storage
        if not pa.types.is_binary(array.type):
            array = array.cast(pa.binary())
        if len(array) == 0:
            return array
        lengths = pc.fill_null(pc.binary_length(array), 0).to_numpy(zero_copy_only=False)
        if int(lengths.max()) > 16 * self.limits.vertices_of_one:
            self._count_large(array, lengths)
        self.vertices += int(lengths.sum()) // 16
        if self.vertices > self.limits.vertices:
            raise self._too_much(f"有 {self.vertices:,} 个以上顶点", self.limits.vertices)
        kinds, plain = _look(array, lengths)
        if np.isin(kinds, _CURVES).any():
            raise CurvesFound
        doubtful = np.flatnonzero(~plain & (lengths > 0))
        if len(doubtful) == 0:
            return array
        values = array.to_numpy(zero_copy_only=False).copy()
        for row in doubtful[np.isin(kinds[doubtful], list(_KINDS))]:
            self.faults[self.rows + int(row)] = f"几何是{_KINDS[int(kinds[row])]}，不是平面图形"
            values[row] = None
        rest = doubtful[~np.isin(kinds[doubtful], list(_KINDS))]
        # Read here, where a crash costs nothing, and passed on as this process understood it.
        read = shapely.from_wkb(values[rest], on_invalid="ignore")
        for row in rest[shapely.is_missing(read)]:
            self.faults[self.rows + int(row)] = fault_of(values[row])
        values[rest] = shapely.to_wkb(shapely.force_2d(read), include_srid=False)
        return pa.array(values, pa.binary())

    def _count_large(self, array: pa.Array, lengths: NDArray[Any]) -> None:
        large = np.flatnonzero(lengths > 16 * self.limits.vertices_of_one)
        if (most := int(lengths.max()) // 32) > self.limits.vertices_of_one:  # not even with Z and M
            row = self.rows + int(lengths.argmax()) + 1
            raise self._too_much(f"第 {row:,} 行的几何有 {most:,} 个以上顶点", self.limits.vertices_of_one)
        read = shapely.from_wkb(array.take(pa.array(large)).to_numpy(zero_copy_only=False), on_invalid="ignore")
        # What cannot be read is as large as its bytes.
        counts = np.where(shapely.is_missing(read), lengths[large] // 16, shapely.get_num_coordinates(read))
        if (most := int(counts.max())) > self.limits.vertices_of_one:
            row = self.rows + int(large[counts.argmax()]) + 1
            raise self._too_much(f"第 {row:,} 行的几何有 {most:,} 个顶点", self.limits.vertices_of_one)


def fault_of(wkb: bytes) -> str:
    """Why a geometry cannot be read, in Chinese."""
    try:
        shapely.from_wkb(wkb)
    except Exception as error:  # GEOS tells by several classes
        words = str(error)
        return next((text for sign, text in _FAULTS if sign in words), f"几何无法读取（{words.strip()[:80]}）")
    return "几何无法读取"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _strict(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("gb18030")


def _columns(schema: pa.Schema, geometry: int | None, notes: list[str]) -> list[tuple[int, str]]:
    """Position and name of the columns that cross: each name once, binary columns left behind."""
    taken = {GEOMETRY} | ({"geometry"} if geometry is not None else set())
    columns, left = [], []
    for at, each in enumerate(schema):
        if at == geometry:
            columns.append((at, GEOMETRY))
            continue
        kind = each.type.storage_type if isinstance(each.type, pa.ExtensionType) else each.type
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
            left.append(each.name)
            continue
        name, number = each.name, 1
        while name in taken:
            name, number = f"{each.name}_{number}", number + 1
        if name != each.name:
            notes.append(f"字段“{each.name}”重名，第二个改称“{name}”")
        taken.add(name)
        columns.append((at, name))
    if left:
        notes.append(f"二进制字段未读入：{'、'.join(left)}")
    return columns


def _look(array: pa.Array, lengths: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The kind of every WKB, and whether it is plain: little-endian, of a known kind, its one part too.

    Collections of several parts can nest without end, so that they are read before they are believed.
    """
    _, offsets, data = array.buffers()
    kinds, plain = np.full(len(array), -1), np.zeros(len(array), dtype=bool)
    if data is None:
        return kinds, plain
    raw = np.frombuffer(data, dtype=np.uint8)
    start = np.frombuffer(offsets, dtype=np.int32)[array.offset : array.offset + len(array)].astype(np.int64)

    def whole_number(at: NDArray[np.int64]) -> NDArray[np.int64]:
        return sum((raw[at + byte].astype(np.int64) << (8 * byte)) for byte in range(4))  # type: ignore[return-value]

    long_enough = np.flatnonzero(lengths >= 5)
    at = start[long_enough]
    little = raw[at] == 1
    code = whole_number(at + 1)
    code = np.where(little, code, _swapped(code))
    # High bits and thousands tell of Z and M.
    kind = (code & 0x0FFFFFFF) % 1000
    kinds[long_enough] = kind
    plain[long_enough] = little & np.isin(kind, (1, 2, 3))
    multi = long_enough[little & np.isin(kind, (4, 5, 6)) & (lengths[long_enough] >= 14)]
    if len(multi):
        at = start[multi]
        child = (whole_number(at + 10) & 0x0FFFFFFF) % 1000
        plain[multi] = (whole_number(at + 5) == 1) & (raw[at + 9] == 1) & (child == kinds[multi] - 3)
    return kinds, plain


def _swapped(code: NDArray[np.int64]) -> NDArray[np.int64]:
    return code.astype(np.uint32).byteswap().astype(np.int64)


def take(item: dict[str, Any], folder: Path) -> tuple[Any, NDArray[np.object_] | None, dict[int, str]]:
    """Attributes (a data frame), geometries and faults of a layer that another process left in ``folder``."""
    with pa.memory_map(str(folder / item["file"])) as source:
        table = pa.ipc.open_file(source).read_all()
    faults = {int(row): reason for row, reason in item["faults"].items()}
    geometry = None
    if item["geometry"]:
        wkb = table.column(GEOMETRY).to_numpy()
        table = table.drop_columns([GEOMETRY])
        geometry = np.asarray(shapely.from_wkb(wkb, on_invalid="ignore"), dtype=object)
        missing = np.flatnonzero(shapely.is_missing(geometry))
        faults |= {int(row): fault_of(wkb[row]) for row in missing if wkb[row] is not None}
        if (shapely.has_z(geometry) | shapely.has_m(geometry)).any():
            geometry = shapely.force_2d(geometry)
    # Whole numbers with gaps stay whole: an identifier of 19 digits does not fit a float.
    frame = table.to_pandas(integer_object_nulls=True)
    if table.num_columns == 0:
        frame = frame.reindex(range(item["rows"]))
    return frame, geometry, faults
