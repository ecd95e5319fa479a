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
        lines = pc.binary_join_element_wise(*columns, "\t")
        yield ("\n".join(lines.to_pylist()) + "\n").encode()


def _told(values: pa.Array, *, escape: bool) -> pa.Array:
    told = values.cast(pa.string())  # the shortest text that reads back as the same number
    if escape:
        for character, written in _ESCAPES:
            told = pc.replace_substring(told, character, written)
    return pc.fill_null(told, "\\N")


def _ewkb(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    return shapely.to_wkb(shapely.set_srid(geometries, SRID), hex=True, include_srid=True)
