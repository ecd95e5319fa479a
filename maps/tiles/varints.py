"""Varints of protocol buffers: as the compiled encoder writes them, and one by itself."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from maps.tiles.rings import Whole

Bytes = NDArray[np.uint8]


@numba.njit(cache=True, error_model="numpy", nogil=True, inline="always")
def put(out: Bytes, at: Whole, value: Whole) -> Whole:
    """Write an unsigned varint; where the next byte goes."""
    while value > 127:
        out[at] = (value & 127) | 128
        value >>= 7
        at += 1
    out[at] = value
    return at + 1


@numba.njit(cache=True, error_model="numpy", nogil=True, inline="always")
def size_of(value: Whole) -> Whole:
    """Bytes of an unsigned varint."""
    size = 1
    while value > 127:
        value >>= 7
        size += 1
    return size


def varint(value: int) -> bytes:
    """An unsigned varint."""
    out = bytearray()
    while value > 127:
        out.append((value & 127) | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
