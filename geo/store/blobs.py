"""Geometry as GeoPackage keeps it: a header with the envelope, then WKB (OGC 12-128r18, clause 2.1.3)."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterable

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.errors import InvalidInput
from geo.store.base import Bounds
from geo.store.columns import flattened

SRS_ID = 4490

# Length of the header by the envelope indicator in bits 1–3 of the flags: none, xy, xyz, xym, xyzm.
_HEADER_LENGTHS = (8, 40, 56, 56, 72)
_HEADER_OF_FLAGS = [_HEADER_LENGTHS[min((flags >> 1) & 7, 4)] for flags in range(256)]
_EMPTY = 0x10

_WITH_ENVELOPE = np.dtype(
    [("magic", "S2"), ("version", "u1"), ("flags", "u1"), ("srs_id", "<i4"), ("envelope", "<f8", 4)]
)


def to_blobs(geometries: NDArray[np.object_]) -> list[bytes | None]:
    """GeoPackage blobs of 2D geometries, little-endian, with the exact envelope; points and empty ones without.

    Parameters
    ----------
    geometries : (n,) object array, ``None`` where missing
    """
    headers = np.zeros(len(geometries), dtype=_WITH_ENVELOPE)
    headers["magic"], headers["srs_id"] = b"GP", SRS_ID
    bounds = shapely.bounds(geometries)
    headers["envelope"] = bounds[:, [0, 2, 1, 3]]
    empty = shapely.is_empty(geometries)
    bare = empty | (shapely.get_type_id(geometries) == shapely.GeometryType.POINT)
    headers["flags"] = np.where(empty, _EMPTY, 0) | np.where(bare, 0, 1 << 1) | 1
    size = _WITH_ENVELOPE.itemsize
    packed = headers.tobytes()
    wkb = shapely.to_wkb(geometries, byte_order=1).tolist()
    return [
        None if body is None else packed[at : at + (8 if short else size)] + body
        for at, short, body in zip(range(0, len(packed), size), bare.tolist(), wkb, strict=True)
    ]


def from_blobs(blobs: Iterable[bytes | None]) -> NDArray[np.object_]:
    """Geometries of GeoPackage blobs, whoever wrote them; ``InvalidInput`` where one is none."""
    try:
        wkb = [None if blob is None else blob[_HEADER_OF_FLAGS[blob[3]] :] for blob in blobs]
        return flattened(shapely.from_wkb(np.array(wkb, dtype=object)))
    except (shapely.errors.GEOSException, IndexError, TypeError) as error:
        raise InvalidInput(
            "数据库中有不能读取的几何", where="geom", remedy="该行可能被其他软件改写，请重新导入"
        ) from error


def body(blob: bytes) -> bytes:
    """The WKB of one blob."""
    return blob[_HEADER_OF_FLAGS[blob[3]] :]


def envelope(blob: bytes | None) -> Bounds | None:
    """West, south, east, north of one blob; ``None`` where it is missing or empty."""
    if blob is None or blob[3] & _EMPTY:
        return None
    if (blob[3] >> 1) & 7:
        west, east, south, north = struct.unpack_from("<4d" if blob[3] & 1 else ">4d", blob, 8)
        return west, south, east, north
    geometry = shapely.from_wkb(blob[8:])
    return None if geometry.is_empty else geometry.bounds


def _meets(blob: bytes | None, west: float, south: float, east: float, north: float) -> bool:
    box = envelope(blob)
    return box is not None and box[0] <= east and box[2] >= west and box[1] <= north and box[3] >= south


def register_functions(connection: sqlite3.Connection) -> None:
    """Teach a connection the functions that the R-tree triggers of every GeoPackage call, and ``lianpian_meets``."""

    def side(index: int) -> object:
        def of(blob: bytes | None) -> float | None:
            box = envelope(blob)
            return None if box is None else box[index]

        return of

    def is_empty(blob: bytes | None) -> int | None:
        return None if blob is None else int(envelope(blob) is None)

    for index, name in enumerate(("ST_MinX", "ST_MinY", "ST_MaxX", "ST_MaxY")):
        connection.create_function(name, 1, side(index), deterministic=True)  # type: ignore[arg-type]
    connection.create_function("ST_IsEmpty", 1, is_empty, deterministic=True)
    connection.create_function("lianpian_meets", 5, _meets, deterministic=True)
