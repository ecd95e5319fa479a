"""The encoder: drawn features and their attributes as one layer of a Mapbox Vector Tile 2.1, compiled."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from maps.tiles.matrices import EXTENT
from maps.tiles.rings import Whole
from maps.tiles.varints import Bytes, put, size_of, varint

Ints = NDArray[np.int64]


@numba.njit(cache=True, error_model="numpy", nogil=True)
def write_features(
    commands: Bytes,
    bounds: Ints,
    mended: Bytes,
    mended_bounds: Ints,
    mended_place: Ints,
    features: Ints,
    kinds: Bytes,
    rows: NDArray[np.int32],
    ids: NDArray[np.uint64],
    codes: NDArray[np.int32],
    columns: Ints,
    values: Whole,
) -> tuple[Bytes, NDArray[np.int32], Whole]:
    """Feature messages of a layer, the values they use in the order of first use, and how many features there are.

    Parameters
    ----------
    commands, bounds : as ``draw`` gives them
    mended, mended_bounds, mended_place : commands of mended polygons, and their place among ``features``, ascending
    features : (n,) features of the level
    kinds, rows : (f,) kind and attribute row of each feature of the level
    ids, codes : (r,) ids and (c, r) values of all attribute rows; -1 where there is none
    columns : (k,) columns that are written, in order; their place is their key
    values : how many values there are at most in ``codes``
    """
    number = features.shape[0]
    width = columns.shape[0]
    slots = 16
    while slots < 2 * min(number * width, values) + 2:
        slots *= 2
    table_value = np.full(slots, -1, dtype=np.int32)
    table_place = np.empty(slots, dtype=np.int32)
    used_values = np.empty(slots, dtype=np.int32)
    distinct = 0
    tags = np.empty(2 * width, dtype=np.int64)
    out = np.empty(commands.shape[0] + mended.shape[0] + number * (40 + 8 * width) + 64, dtype=np.uint8)
    at = 0
    written = 0
    next_mended = 0
    for k in range(number):
        begin, end = bounds[k], bounds[k + 1]
        repaired = False
        if next_mended < mended_place.shape[0] and mended_place[next_mended] == k:
            begin, end = mended_bounds[next_mended], mended_bounds[next_mended + 1]
            repaired = True
            next_mended += 1
        if end == begin:
            continue
        row = rows[features[k]]
        count = 0
        tag_bytes = 0
        for c in range(width):
            code = codes[columns[c], row]
            if code < 0:
                continue
            slot = (np.int64(code) * 2654435761) & (slots - 1)
            while table_value[slot] != code and table_value[slot] != -1:
                slot = (slot + 1) & (slots - 1)
            if table_value[slot] == -1:
                table_value[slot] = code
                table_place[slot] = distinct
                used_values[distinct] = code
                distinct += 1
            place = np.int64(table_place[slot])
            tags[count], tags[count + 1] = c, place
            tag_bytes += size_of(c) + size_of(place)
            count += 2
        identity = np.int64(ids[row])
        length = 1 + size_of(identity) + 2 + 1 + size_of(end - begin) + end - begin
        if count > 0:
            length += 1 + size_of(tag_bytes) + tag_bytes
        out[at] = 0x12  # Layer.features
        at = put(out, at + 1, length)
        out[at] = 0x08  # Feature.id
        at = put(out, at + 1, identity)
        if count > 0:
            out[at] = 0x12  # Feature.tags
            at = put(out, at + 1, tag_bytes)
            for t in range(count):
                at = put(out, at, tags[t])
        out[at], out[at + 1] = 0x18, kinds[features[k]]  # Feature.type
        out[at + 2] = 0x22  # Feature.geometry
        at = put(out, at + 3, end - begin)
        if repaired:
            out[at : at + end - begin] = mended[begin:end]
        else:
            out[at : at + end - begin] = commands[begin:end]
        at += end - begin
        written += 1
    return out[:at], used_values[:distinct], written


@numba.njit(cache=True, error_model="numpy", nogil=True)
def gather(flat: Bytes, start: Ints, wanted: NDArray[np.int32]) -> Bytes:
    """The messages ``wanted`` out of messages that lie one behind the other."""
    total = 0
    for k in range(wanted.shape[0]):
        total += start[wanted[k] + 1] - start[wanted[k]]
    out = np.empty(total, dtype=np.uint8)
    at = 0
    for k in range(wanted.shape[0]):
        begin, end = start[wanted[k]], start[wanted[k] + 1]
        out[at : at + end - begin] = flat[begin:end]
        at += end - begin
    return out


@numba.njit(cache=True, error_model="numpy", nogil=True)
def vertex_count(ring_start: Ints, feature_start: Ints, features: Ints) -> Whole:
    """How many vertices features have together."""
    total = 0
    for k in range(features.shape[0]):
        total += ring_start[feature_start[features[k] + 1]] - ring_start[feature_start[features[k]]]
    return total


def layer_message(name: bytes, keys: bytes, features: bytes, values: bytes) -> bytes:
    """A layer of a tile, with its field header, from its parts (each with theirs)."""
    body = b"".join((b"\x78\x02\x0a", varint(len(name)), name, features, keys, values, b"\x28", varint(EXTENT)))
    return b"\x1a" + varint(len(body)) + body


def key_messages(names: list[str]) -> bytes:
    """The keys of a layer, each with its field header."""
    encoded = [name.encode() for name in names]
    return b"".join(b"\x1a" + varint(len(name)) + name for name in encoded)
