"""Rows in the binary format of PostgreSQL's COPY, made column by column (PostgreSQL manual, COPY, "Binary Format").

A field is its length and its bytes; numbers are big-endian. Half the bytes of the text format, and neither side has to
write or read decimal numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from geo.store.columns import Rows

SRID = 4490
_CHUNK = 20_000  # rows; bounds the memory that the bytes take

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # no flags, no extension
_TRAILER = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"  # the length of what is missing

_FIRST_DAY = np.datetime64("2000-01-01")  # dates are days since then
_EWKB_MARK = b"\x20" + SRID.to_bytes(4, "little")  # the flag "has SRID" in the type of a little-endian geometry, and it


def copy_chunks(rows: Rows) -> Iterator[bytes]:
    """Chunks of the format, attribute columns in the order of ``rows.names``, then EWKB."""
    kinds = [rows.layer.field(name).kind for name in rows.names]
    width = len(kinds) + (rows.geometries is not None)
    yield _HEADER
    for start in range(0, len(rows), _CHUNK):
        stop = min(start + _CHUNK, len(rows))
        parts = [_repeated(width.to_bytes(2, "big"), stop - start)]
        for kind, values in zip(kinds, rows.values, strict=True):
            parts += _fields(kind, values[start:stop])
        if rows.geometries is not None:
            parts += _variable(_ewkb(rows.geometries[start:stop]))
        lines = pc.binary_join_element_wise(*parts, b"")
        # Arrow keeps the elements end to end, so its buffer is the format itself.
        end = np.frombuffer(lines.buffers()[1], dtype=np.int32)[len(lines)]
        yield memoryview(lines.buffers()[2])[:end].tobytes()
    yield _TRAILER


def _fields(kind: str, values: list[Any]) -> list[pa.Array]:
    """A column as arrays of bytes that are to be joined row by row."""
    match kind:
        case "real":
            return _fixed(pa.array(values, pa.float64()), ">f8")
        case "integer":
            return _fixed(pa.array(values, pa.int64()), ">i8")
        case "boolean":
            return _fixed(pa.array(values, pa.bool_()).cast(pa.uint8()), "u1")
        case "date":
            days = pa.array(values, pa.string()).cast(pa.date32()).cast(pa.int32())
            return _fixed(pc.subtract(days, _FIRST_DAY.astype("datetime64[D]").astype(np.int32)), ">i4")
        case _:
            return _variable(pa.array(values, pa.string()).cast(pa.binary()))


def _fixed(values: pa.Array, dtype: str) -> list[pa.Array]:
    """Numbers: the length before each is the same, but for missing ones, which have no bytes."""
    fields = np.empty(len(values), dtype=[("length", ">i4"), ("value", dtype)])
    fields["length"] = np.dtype(dtype).itemsize
    fields["value"] = pc.fill_null(values, 0).to_numpy(zero_copy_only=False)
    told = _of_width(fields.tobytes(), fields.dtype.itemsize, len(values))
    return [pc.if_else(values.is_null(), pa.scalar(_NULL, pa.binary()), told) if values.null_count else told]


def _variable(values: pa.Array) -> list[pa.Array]:
    """Bytes: the length of each, and what there is."""
    lengths = pc.fill_null(pc.binary_length(values), -1).to_numpy(zero_copy_only=False).astype(">i4")
    return [_of_width(lengths.tobytes(), 4, len(values)), pc.fill_null(values, b"")]


def _repeated(one: bytes, number: int) -> pa.Array:
    return _of_width(one * number, len(one), number)


def _of_width(packed: bytes, width: int, number: int) -> pa.Array:
    """Elements of the same width out of bytes that hold them end to end."""
    offsets = pa.py_buffer(np.arange(0, (number + 1) * width, width, dtype=np.int32))
    return pa.Array.from_buffers(pa.binary(), number, [None, offsets, pa.py_buffer(packed)])


def _ewkb(geometries: NDArray[np.object_]) -> pa.Array:
    """Geometries as little-endian EWKB. The mark is put in here: GEOS would copy every geometry to give it an SRID."""
    wkb = pa.array(shapely.to_wkb(geometries, byte_order=1), pa.binary(), from_pandas=True)
    return pc.binary_replace_slice(wkb, start=4, stop=5, replacement=_EWKB_MARK)
