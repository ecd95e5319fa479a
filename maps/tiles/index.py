"""A packed R-tree over boxes in Hilbert order: built in one pass, laid out flat, asked without an object in sight.

After flatbush and FlatGeobuf: leaves in the order of the curve, sixteen a node, each storey behind the one below.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

NODE = 16
_CURVE_BITS = 16


def hilbert_order(boxes: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Order of boxes along the Hilbert curve through their centres; equals keep their order.

    Parameters
    ----------
    boxes : (n, 4) west, north, east, south
    """
    centres = (boxes[:, :2].astype(np.float64) + boxes[:, 2:].astype(np.float64)) / 2
    if len(centres) == 0:
        return np.empty(0, dtype=np.int64)
    low = centres.min(axis=0)
    span = max(float((centres.max(axis=0) - low).max()), 1.0)
    places = ((centres - low) / span * (2**_CURVE_BITS - 1)).astype(np.int64)
    return np.argsort(_distances(places), kind="stable")


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _distances(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Distance along the curve of each place of a 2¹⁶ × 2¹⁶ square (Skilling 2004, in two dimensions)."""
    out = np.empty(places.shape[0], dtype=np.int64)
    for k in range(places.shape[0]):
        x, y = places[k, 0], places[k, 1]
        distance = np.int64(0)
        s = np.int64(1) << (_CURVE_BITS - 1)
        while s > 0:
            rx = np.int64((x & s) > 0)
            ry = np.int64((y & s) > 0)
            distance += s * s * ((3 * rx) ^ ry)
            if ry == 0:
                if rx == 1:
                    x = s - 1 - (x & (s - 1))
                    y = s - 1 - (y & (s - 1))
                x, y = y, x
            x &= s - 1
            y &= s - 1
            s >>= 1
        out[k] = distance
    return out


def pack(boxes: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The storeys above boxes that lie in order, and where each begins.

    Parameters
    ----------
    boxes : (n, 4) west, north, east, south in Hilbert order

    Returns
    -------
    (m, 4) boxes of all nodes, the storey above the leaves first, and (s + 1,) bounds of the storeys
    """
    storeys = []
    below = boxes
    while len(below) > 1:
        starts = np.arange(0, len(below), NODE)
        low = np.minimum.reduceat(below[:, :2], starts, axis=0)
        high = np.maximum.reduceat(below[:, 2:], starts, axis=0)
        below = np.hstack([low, high])
        storeys.append(below)
    bounds = np.concatenate([[0], np.cumsum([len(storey) for storey in storeys])]).astype(np.int64)
    nodes = np.vstack(storeys) if storeys else np.empty((0, 4), dtype=np.uint32)
    return np.ascontiguousarray(nodes, dtype=np.uint32), bounds


@numba.njit(cache=True, error_model="numpy", nogil=True)
def meeting(
    boxes: NDArray[np.uint32],
    nodes: NDArray[np.uint32],
    bounds: NDArray[np.int64],
    west: int,
    north: int,
    east: int,
    south: int,
) -> NDArray[np.int64]:
    """Places of the boxes that meet a box (edges included), ascending."""
    number = boxes.shape[0]
    found = np.empty(256, dtype=np.int64)
    count = 0
    storeys = bounds.shape[0] - 1
    if number == 0:
        return found[:0]
    # A stack of (storey, place); nodes are pushed last first, so that leaves come out ascending.
    stack_storey = np.empty(NODE * (storeys + 1) + 2, dtype=np.int64)
    stack_place = np.empty(NODE * (storeys + 1) + 2, dtype=np.int64)
    stack_storey[0], stack_place[0] = storeys, 0
    top = 1
    while top > 0:
        top -= 1
        storey, place = stack_storey[top], stack_place[top]
        if storey == 0:
            if count == found.shape[0]:
                wider = np.empty(2 * count, dtype=np.int64)
                wider[:count] = found
                found = wider
            found[count] = place
            count += 1
            continue
        first = place * NODE
        size = number if storey == 1 else bounds[storey - 1] - bounds[storey - 2]
        last = min(first + NODE, size)
        offset = 0 if storey == 1 else bounds[storey - 2]
        for child in range(last - 1, first - 1, -1):
            if storey == 1:
                w, n, e, s = boxes[child, 0], boxes[child, 1], boxes[child, 2], boxes[child, 3]
            else:
                w, n = nodes[offset + child, 0], nodes[offset + child, 1]
                e, s = nodes[offset + child, 2], nodes[offset + child, 3]
            if w <= east and e >= west and n <= south and s >= north:
                stack_storey[top], stack_place[top] = storey - 1, child
                top += 1
    if storeys == 0:  # one box, no storey above it: it went out unasked
        w, n, e, s = boxes[0, 0], boxes[0, 1], boxes[0, 2], boxes[0, 3]
        if not (w <= east and e >= west and n <= south and s >= north):
            return found[:0]
    return found[:count]
