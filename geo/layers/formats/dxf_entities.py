"""Entities of an AutoCAD 2000 drawing as bytes, rows at a time: a drawing of any size is written in little memory.

A library makes the frame of the drawing (head, tables, objects) and reads what is written here; it holds every entity
as an object, which a district of parcels has too many of.
"""

from __future__ import annotations

from itertools import count
from typing import BinaryIO

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.layers.formats.drawing import APPLICATION, escaped_beyond_bmp

_EXTENDED_BYTES = 255
_FIRST_HANDLE = 0x10000  # the frame of a drawing has a few dozen handles of its own


class EntityStream:
    """Writes entities into ``sink``; ``escaped`` and ``shortened`` count keys that could not be written as they are.

    Parameters
    ----------
    sink : a binary file
    owner : handle of the model space
    key_field : name of the key field
    decimals : of coordinates
    """

    def __init__(self, sink: BinaryIO, owner: str, key_field: str, decimals: int) -> None:
        self._sink = sink
        self._owner = owner
        self._key_field = key_field
        self._decimals = decimals
        self._handles = count(_FIRST_HANDLE)
        self.escaped = 0
        self.shortened = 0

    @property
    def next_handle(self) -> str:
        """A handle that nothing has yet; none follows."""
        return f"{next(self._handles):X}"

    def rows(self, shapes: NDArray[np.object_], keys: list[str], on: str) -> None:
        """Outlines of each row: closed polylines for rings, open ones for lines, points; each with the key of its row.

        Parameters
        ----------
        shapes : (n,) object array of geometries, none missing
        keys : n keys
        on : layer of the drawing
        """
        pieces, row = shapely.get_parts(_parts(shapes), return_index=True)
        polygon = shapely.get_type_id(pieces) == shapely.GeometryType.POLYGON
        rings, piece_of_ring = shapely.get_rings(pieces[polygon], return_index=True)
        others = pieces[~polygon]
        outlines = np.concatenate([rings, others])
        owner = np.concatenate([row[polygon][piece_of_ring], row[~polygon]])
        order = np.argsort(owner, kind="stable")
        outlines, owner = outlines[order], owner[order]
        ring = np.concatenate([np.ones(len(rings), bool), np.zeros(len(others), bool)])[order]
        point = shapely.get_type_id(outlines) == shapely.GeometryType.POINT
        corners = [
            xy[:-1] if closed else xy
            for xy, closed in zip(
                np.split(shapely.get_coordinates(outlines), np.cumsum(shapely.get_num_coordinates(outlines))[:-1]),
                ring,
                strict=True,
            )
        ] if len(outlines) else []  # fmt: skip
        many = np.bincount(owner, minlength=len(keys)).tolist()
        written = [self._key(key) for key in keys]
        form = f" 10\n%.{self._decimals}f\n 20\n%.{self._decimals}f\n"
        out = []
        for xy, of, closed, is_point in zip(corners, owner.tolist(), ring.tolist(), point.tolist(), strict=True):
            places = "".join([form % (x, y) for x, y in xy.tolist()])
            if is_point:
                body = f"100\nAcDbPoint\n{places} 30\n0.0\n"
            else:
                body = f"100\nAcDbPolyline\n 90\n{len(xy)}\n 70\n{int(closed)}\n{places}"
            kind = "polygon" if closed else "point" if is_point else "line"
            out.append(
                self._head("POINT" if is_point else "LWPOLYLINE", on) + body
                + f"1001\n{APPLICATION}\n1000\n{self._key_field}\n1000\n{written[of]}\n1000\n{kind}\n1071\n{many[of]}\n"
            )  # fmt: skip
        self._sink.write("".join(out).encode("gbk", errors="dxfreplace"))

    def texts(self, texts: list[str], places: NDArray[np.float64], heights: NDArray[np.float64], on: str) -> None:
        """Texts centred on (n, 2) places, of (n,) heights; empty ones are left out."""
        d = self._decimals
        out = []
        for text, (x, y), height in zip(texts, places.tolist(), heights.tolist(), strict=True):
            if not text:
                continue
            spot = f"{x:.{d}f}", f"{y:.{d}f}"
            out.append(
                f"{self._head('TEXT', on)}100\nAcDbText\n 10\n{spot[0]}\n 20\n{spot[1]}\n 30\n0.0\n 40\n{height:.6g}\n"
                f"  1\n{escaped_beyond_bmp(text)}\n  7\nHZ\n 72\n1\n 11\n{spot[0]}\n 21\n{spot[1]}\n 31\n0.0\n"
                "100\nAcDbText\n 73\n2\n"
            )
        self._sink.write("".join(out).encode("gbk", errors="dxfreplace"))

    def _head(self, entity: str, on: str) -> str:
        return f"  0\n{entity}\n  5\n{next(self._handles):X}\n330\n{self._owner}\n100\nAcDbEntity\n  8\n{on}\n"

    def _key(self, key: str) -> str:
        """A key as extended data can hold it: one line of at most 255 bytes."""
        text = escaped_beyond_bmp(key)
        encoded = text.encode("gbk", errors="dxfreplace")
        self.escaped += b"\\U+" in encoded and "\\U+" not in key
        if len(encoded) <= _EXTENDED_BYTES:
            return text
        self.shortened += 1
        while len(key.encode("gbk", errors="dxfreplace")) > _EXTENDED_BYTES - 7:
            key = key[:-1]
        return escaped_beyond_bmp(key)


def _parts(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Geometries with the collections among them made flat: a collection in a collection has no parts of its own."""
    while True:
        nested = shapely.get_type_id(shapes) == shapely.GeometryType.GEOMETRYCOLLECTION
        inner = [i for i in np.flatnonzero(nested) if any(hasattr(part, "geoms") for part in shapes[i].geoms)]
        if not inner:
            return shapes
        shapes = shapes.copy()
        for i in inner:
            shapes[i] = shapely.geometrycollections(shapely.get_parts(shapely.get_parts([shapes[i]])))
