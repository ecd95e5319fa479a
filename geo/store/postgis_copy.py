"""Rows in the text format of PostgreSQL's COPY, made column by column (PostgreSQL manual, COPY, "Text Format")."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from geo.store.columns import Rows

SRID = 4490
_CHUNK = 20_000  # rows; bounds the memory that text takes

# What COPY takes for the end of something; the backslash first.
_ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))

_ARROW_TYPES = {
    "text": pa.string(),
    "date": pa.string(),
    "json": pa.string(),
    "real": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
}


def copy_chunks(rows: Rows) -> Iterator[bytes]:
    """Chunks of lines, attribute columns in the order of ``rows.names``, then EWKB in hexadecimal."""
    kinds = [rows.layer.field(name).kind for name in rows.names]
    for start in range(0, len(rows), _CHUNK):
        stop = start + _CHUNK
        columns = [
            _told(pa.array(values[start:stop], type=_ARROW_TYPES[kind]), escape=kind in ("text", "json"))
            for kind, values in zip(kinds, rows.values, strict=True)
        ]
        if rows.geometries is not None:
            columns.append(_told(pa.array(_ewkb(rows.geometries[start:stop]), type=pa.string()), escape=False))
        columns[-1] = pc.binary_join_element_wise(columns[-1], "", "\n")  # every line ends in a newline
        lines = pc.binary_join_element_wise(*columns, "\t")
        # Arrow keeps strings end to end, so its buffer is the text itself.
        end = np.frombuffer(lines.buffers()[1], dtype=np.int32)[len(lines)]
        yield memoryview(lines.buffers()[2])[:end].tobytes()


def _told(values: pa.Array, *, escape: bool) -> pa.Array:
    told = values.cast(pa.string())  # the shortest text that reads back as the same number
    if escape:
        for character, written in _ESCAPES:
            if pc.any(pc.match_substring(told, character)).as_py():
                told = pc.replace_substring(told, character, written)
    return pc.fill_null(told, "\\N")


def _ewkb(geometries: NDArray[np.object_]) -> list[str | None]:
    wkb = shapely.to_wkb(shapely.set_srid(geometries, SRID), include_srid=True)
    return [None if one is None else one.hex() for one in wkb.tolist()]  # GEOS writes hexadecimal four times slower
