"""Attribute columns of an edition: every value once, as the message that a tile carries, and a code for each row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.layers.canonical.form import Field, Kind
from maps.tiles.varints import varint

_LAYER_VALUE = b"\x22"
_DOUBLE = np.frombuffer(b"\x22\x09\x19", dtype=np.uint8)  # Layer.values, nine bytes, Value.double_value
_RECORD = len(_DOUBLE) + 8


@dataclass(frozen=True, slots=True)
class Table:
    """Attributes of a level's features.

    Parameters
    ----------
    names, kinds : of the columns, (c,)
    codes : (c, n) int32, the message of each row; -1 where it is null
    messages : of all values, one behind the other, those of a column together
    starts : (v + 1,) where each begins
    bases : (c + 1,) first value of each column
    ids : (n,) uint64 below 2⁵³, so that a browser holds them exactly
    """

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    codes: NDArray[np.int32]
    messages: NDArray[np.uint8]
    starts: NDArray[np.int64]
    bases: NDArray[np.int64]
    ids: NDArray[np.uint64]

    def __len__(self) -> int:
        return self.codes.shape[1]

    def place(self, name: str) -> int:
        """Place of a column."""
        return self.names.index(name)

    def series(self, name: str) -> pd.Series:
        """A column as a store gives it: text with ``None``, dates as days, integers and booleans nullable."""
        column = self.place(name)
        codes = self.codes[column]
        base, end = int(self.bases[column]), int(self.bases[column + 1])
        told = _decoded(self, base, end, self.kinds[column])
        known = codes >= 0
        if self.kinds[column] == "real":
            numbers = np.full(len(codes), np.nan)
            numbers[known] = told[codes[known] - base]
            return pd.Series(numbers)
        objects = np.full(len(codes), None, dtype=object)
        objects[known] = told[codes[known] - base]
        if self.kinds[column] == "integer":
            return pd.Series(objects, dtype="Int64")
        if self.kinds[column] == "boolean":
            return pd.Series(objects, dtype="boolean")
        if self.kinds[column] == "date":
            return pd.Series(pd.to_datetime(pd.Series(objects, dtype=object)).astype("datetime64[s]"))
        return pd.Series(objects, dtype=object)


class Gathering:
    """Columns that come in pages; each value is kept once.

    Parameters
    ----------
    fields : columns wanted; structured ones are no attributes of a tile
    """

    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = tuple(field for field in fields if field.kind != "json")
        self._pages: list[list[tuple[NDArray[np.int64], NDArray[np.object_]]]] = [[] for _ in self._fields]

    def add(self, frame: pd.DataFrame) -> None:
        """A page of rows."""
        for pages, field in zip(self._pages, self._fields, strict=True):
            column = frame[field.name]
            if field.kind == "date":
                days = column.astype("datetime64[s]")
                column = days.dt.strftime("%Y-%m-%d").astype(object)
            codes, distinct = pd.factorize(column)
            pages.append((codes, np.asarray(distinct, dtype=object)))

    def table(self, ids: NDArray[np.uint64], order: NDArray[np.int64]) -> Table:
        """All rows, in ``order``, with the ``ids`` of the rows as they came."""
        codes = np.empty((len(self._fields), len(order)), dtype=np.int32)
        encoded: list[NDArray[np.uint8]] = []
        sizes: list[NDArray[np.int64]] = []
        bases = [0]
        for place, (field, pages) in enumerate(zip(self._fields, self._pages, strict=True)):
            distinct = np.concatenate([values for _, values in pages]) if pages else np.empty(0, dtype=object)
            merged, values = pd.factorize(distinct)
            begin = 0
            columns = []
            for page, told in pages:
                known = np.append(merged[begin : begin + len(told)], -1)  # -1 stays null
                columns.append(known[page])
                begin += len(told)
            column = np.concatenate(columns) if columns else np.empty(0, dtype=np.int64)
            column = column[order]
            codes[place] = np.where(column < 0, -1, column + bases[-1])
            flat, size = _messages(values, field.kind)
            encoded.append(flat)
            sizes.append(size)
            bases.append(bases[-1] + len(values))
        starts = np.concatenate([[0], np.cumsum(np.concatenate([*sizes, np.empty(0, dtype=np.int64)]))])
        return Table(
            tuple(field.name for field in self._fields),
            tuple(field.kind for field in self._fields),
            codes,
            np.concatenate([*encoded, np.empty(0, dtype=np.uint8)]),
            starts.astype(np.int64),
            np.array(bases, dtype=np.int64),
            ids[order],
        )


def feature_ids(keys: Iterable[str]) -> NDArray[np.uint64]:
    """An id for each key, the same on every tile and in every edition: 53 bits of its hash, exact in a double."""
    hashed = pd.util.hash_array(np.asarray(list(keys), dtype=object)) >> np.uint64(11)
    return np.asarray(hashed, dtype=np.uint64)


def _messages(values: NDArray[np.object_], kind: Kind) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Layer.values of a column, flat, and the length of each."""
    if kind == "real":
        numbers = np.asarray(values, dtype="<f8")
        records = np.empty((len(numbers), _RECORD), dtype=np.uint8)
        records[:, : len(_DOUBLE)] = _DOUBLE
        records[:, len(_DOUBLE) :] = numbers.view(np.uint8).reshape(-1, 8)
        return records.ravel(), np.full(len(numbers), _RECORD, dtype=np.int64)
    told = [_message(value, kind) for value in values]
    return np.frombuffer(b"".join(told), dtype=np.uint8), np.array([len(one) for one in told], dtype=np.int64)


def _message(value: object, kind: Kind) -> bytes:
    if kind == "integer":
        number = int(value)  # type: ignore[call-overload]
        inner = b"\x30" + varint((number << 1) ^ (number >> 63) if number < 0 else number << 1)
    elif kind == "boolean":
        inner = b"\x38\x01" if value else b"\x38\x00"
    else:
        text = str(value).encode()
        inner = b"\x0a" + varint(len(text)) + text
    return _LAYER_VALUE + varint(len(inner)) + inner


def _decoded(table: Table, base: int, end: int, kind: Kind) -> NDArray[np.object_] | NDArray[np.float64]:
    """Values of a column, from their messages."""
    flat = table.messages[table.starts[base] : table.starts[end]].tobytes()
    if kind == "real":
        records = np.frombuffer(flat, dtype=np.uint8).reshape(-1, _RECORD)
        return np.ascontiguousarray(records[:, len(_DOUBLE) :]).view("<f8").ravel()
    starts = (table.starts[base : end + 1] - table.starts[base]).tolist()
    told = np.empty(end - base, dtype=object)
    told[:] = [_value(flat[a:b], kind) for a, b in pairwise(starts)]
    return told


def _value(message: bytes, kind: Kind) -> object:
    _, at = _read_varint(message, 1)
    number, at = _read_varint(message, at + 1)
    if kind == "integer":
        return (number >> 1) ^ -(number & 1)
    return bool(number) if kind == "boolean" else message[at : at + number].decode()


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7
