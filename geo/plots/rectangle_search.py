"""Branch and bound over the poses of a box: centre and angle, halved until every range of poses is decided.

A range of poses holds the centres within ``(gx, gy)`` of a middle and the angles within ``tilt`` of its own. Every box
of a range contains its *core* at the middle pose, the box whose half sides are shorter by what the range can move it:
``(hw - hh * sin(tilt)) / (1 - sin(tilt)**2) - du``, and likewise across. If an edge enters the core, or the core's
centre lies outside, no pose of the range is free: this is what the proofs are made of. The idea is that of the
largest inscribed circle by cells (Garcia-Castellanos and Lombardo 2007; Agafonkin's polylabel), with an angle more.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from geo.plots.box_clearance import clearance, covers_point, floor_of, grown, near_edges, run_along

Floats = NDArray[np.float64]

# Below this an edge that enters a core is rounding: coordinates are relative to the polygon's middle.
_ROUNDING_M = 1e-7
# Angle ranges to begin with over a half turn.
_FIRST_ANGLES = 24
# How often a range is cut before its parts are queued.
_DEEPER = 4
YES, NO, UNDECIDED, LIMIT = 1, 0, -1, -2


@numba.njit(cache=True, nogil=True)
def _push(heap: Floats, size: int, row: Floats) -> int:
    """Add a row to a heap with the greatest first column on top."""
    at = size
    while at > 0 and heap[(at - 1) // 2, 0] < row[0]:
        heap[at] = heap[(at - 1) // 2]
        at = (at - 1) // 2
    heap[at] = row
    return size + 1


@numba.njit(cache=True, nogil=True)
def _pop(heap: Floats, size: int, row: Floats) -> int:
    """Take the top row off the heap."""
    row[:] = heap[0]
    size -= 1
    at = 0
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and heap[child + 1, 0] > heap[child, 0]:
            child += 1
        if heap[child, 0] <= heap[size, 0]:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = heap[size]
    return size


@numba.njit(cache=True, nogil=True)
def _room(heap: Floats, size: int) -> Floats:
    """The heap, or a copy twice as long when it is full."""
    if size + 2 <= len(heap):
        return heap
    longer = np.empty((2 * len(heap), heap.shape[1]))
    longer[:size] = heap[:size]
    return longer


@numba.njit(cache=True, nogil=True)
def _halved(node: Floats, swing: float, side: int) -> Floats:
    """One half of a range, cut across what moves a box most; ``swing`` is the box's longer half side."""
    half = node.copy()
    gx, gy, turn = node[4], node[5], node[6] * swing
    if turn >= max(gx, gy):
        half[6] = node[6] / 2
        half[3] = node[3] + side * half[6]
    elif gx >= gy:
        half[4] = gx / 2
        half[1] = node[1] + side * half[4]
    else:
        half[5] = gy / 2
        half[2] = node[2] + side * half[5]
    return half


@numba.njit(cache=True, nogil=True)
def _flush(directions: Floats, angle: float, tilt: float, turn: float) -> float:
    """The strongest edge direction within a range of angles (they repeat every ``turn``), else the range's middle."""
    for direction in directions:
        away = (direction - angle + turn / 2) % turn - turn / 2
        if abs(away) <= tilt:
            return angle + away
    return angle


@numba.njit(cache=True, nogil=True)
def _slid(
    edges: Floats, x: float, y: float, angle: float, hw: float, hh: float, cw: float, ch: float, slack: float
) -> tuple[bool, float, float]:
    """A free place for a box, found by sliding it between what its core touches: along, then across, or reversed."""
    cos, sin = np.cos(angle), np.sin(angle)
    far = 4 * (hw + hh)
    for order in range(2):
        cx, cy = x, y
        for step in range(3):
            along = (step + order) % 2 == 0
            a, b = (hw, ch if step == 0 else hh) if along else (hh, cw if step == 0 else hw)
            # Later steps look along the strip of the whole box, less what counts as touching.
            b -= slack if step else 0.0
            c, s = (cos, sin) if along else (-sin, cos)
            core = min(cw, ch) * 0.5
            left, right = run_along(edges, cx, cy, c, s, -core, core, -b, b, far)
            roomy = right - left >= 2 * a
            move = max(left + a, 0.0) + min(right - a, 0.0) if roomy else (left + right) / 2
            cx, cy = cx + move * c, cy + move * s
        free, inside = clearance(edges, cx, cy, cos, sin, hw, hh, -slack)
        if inside and free >= -slack:
            return True, cx, cy
    return False, x, y


@numba.njit(cache=True, nogil=True)
def find_box(
    edges: Floats, exact: Floats, reach_x: float, reach_y: float, hw: float, hh: float, drift: float, slack: float,
    tolerance: float, directions: Floats, limit: int,
) -> tuple[int, float, float, float, int]:  # fmt: skip
    """Whether a box of half sides ``hw >= hh`` is free at any pose: (verdict, x, y, angle, poses tested).

    ``exact`` are the edges of a polygon around the origin within ``(reach_x, reach_y)``; ``edges`` are the same or
    fewer, at most ``drift`` from them, and serve the proof; ``slack`` counts as touching, in a placement and in the
    proof alike. ``UNDECIDED`` when only ranges are left in which the box shrunk by ``tolerance`` on each side is free;
    ``LIMIT`` after ``limit`` poses.
    """
    turn = np.pi / 2 if hw - hh < 1e-12 else np.pi
    first = _FIRST_ANGLES * (1 if turn > 3 else 0) + _FIRST_ANGLES // 2 * (0 if turn > 3 else 1)
    heap = np.empty((4096, 7))
    node = np.empty(7)
    size, tested, undecided = 0, 0, False
    for k in range(first):
        node[:] = (np.inf, 0.0, 0.0, (k + 0.5) * turn / first, reach_x, reach_y, turn / first / 2)
        size = _push(heap, size, node)
    while size > 0:
        size = _pop(heap, size, node)
        for side in (-1, 1):
            half = _halved(node, hw, side)
            tested += 1
            cos, sin, tilt = np.cos(half[3]), np.sin(half[3]), np.sin(half[6])
            move_u, move_v = half[4] * abs(cos) + half[5] * abs(sin), half[4] * abs(sin) + half[5] * abs(cos)
            cw = (hw - hh * tilt) / (1 - tilt * tilt) - move_u - drift
            ch = (hh - hw * tilt) / (1 - tilt * tilt) - move_v - drift
            least = min(cw, ch) - slack
            if least <= 0:
                half[0] = 1e9 + least
                heap = _room(heap, size)
                size = _push(heap, size, half)
                continue
            free, inside = clearance(edges, half[1], half[2], cos, sin, cw - slack, ch - slack, -_ROUNDING_M)
            if free < -_ROUNDING_M or not inside:
                continue
            angle = _flush(directions, half[3], half[6], turn)
            found, x, y = _slid(exact, half[1], half[2], angle, hw, hh, cw, ch, slack)
            if not found and angle != half[3]:
                angle = half[3]
                found, x, y = _slid(exact, half[1], half[2], angle, hw, hh, cw, ch, slack)
            if found:
                return YES, x, y, angle, tested
            if max(hw - cw, hh - ch) <= tolerance:
                undecided = True
                continue
            half[0] = free - max(hw - cw, hh - ch)
            heap = _room(heap, size)
            size = _push(heap, size, half)
        if tested >= limit:
            return LIMIT, 0.0, 0.0, 0.0, tested
    return (UNDECIDED if undecided else NO), 0.0, 0.0, 0.0, tested


@numba.njit(cache=True, nogil=True)
def _best_at(
    edges: Floats, x: float, y: float, angle: float, least: float, reach: float, floor: Floats
) -> tuple[float, Floats]:
    """A large free box at one centre and angle, stretched to all sides: its area and (west, east, south, north)."""
    box = np.zeros(4)
    cos, sin = np.cos(angle), np.sin(angle)
    bins = len(floor) - 1
    start = max(least, 1e-3)
    step = (reach - start) / bins
    if step <= 0 or not covers_point(edges, x, y):
        return 0.0, box
    floor_of(edges, x, y, cos, sin, 0.0, 0.0, 0.0, start, step, 0.0, floor)
    best, hw, hh, low = 0.0, 0.0, 0.0, np.inf
    for k in range(bins):
        low = min(low, floor[k])
        width = start + k * step
        if width * low > best and low < np.inf:
            best, hw, hh = width * low, width, low
    if best <= 0:
        return 0.0, box
    area = 0.0
    for order in range(2):
        west, east, south, north = grown(edges, x, y, cos, sin, hw, hh, 4 * reach, order == 0)
        found = (east - west) * (north - south)
        if found > area and min(east - west, north - south) >= 2 * least:
            area = found
            box[:] = (west, east, south, north)
    return area, box


@numba.njit(cache=True, nogil=True)
def _improved(
    edges: Floats, pose: Floats, area: float, box: Floats, least: float, reach: float, floor: Floats,
    directions: Floats, finest: float,
) -> tuple[float, Floats, Floats]:  # fmt: skip
    """A box bettered by turning it a little about its middle, in steps that are halved, and by flush edges."""
    step = np.deg2rad(2.0)
    at = pose.copy()
    while step > finest:
        moved = False
        middle_u, middle_v = (box[0] + box[1]) / 2, (box[2] + box[3]) / 2
        cos, sin = np.cos(at[2]), np.sin(at[2])
        x, y = at[0] + middle_u * cos - middle_v * sin, at[1] + middle_u * sin + middle_v * cos
        for trial in range(3):
            angle = at[2] + (step if trial == 1 else -step)
            if trial == 0:  # often the same angle: then only the middle is new
                angle = _flush(directions, at[2], step, np.pi)
            found, better = _best_at(edges, x, y, angle, least, reach, floor)
            if found > area * (1 + 1e-6):
                area, box, moved = found, better, True
                at[0], at[1], at[2] = x, y, angle
                break
        if not moved:
            step /= 2
    return area, at, box


@numba.njit(cache=True, nogil=True)
def _least_sides(node: Floats, area: float, least: float) -> tuple[float, float]:
    """The least long and short half sides of a box of a range that is larger than ``area``."""
    quarter = max(area / 4, least * least)
    return max(np.sqrt(quarter), quarter / node[8], 0.01), max(quarter / node[7], least)


@numba.njit(cache=True, nogil=True)
def _bound(
    edges: Floats, node: Floats, area: float, least: float, drift: float, near: Floats, floors: Floats
) -> tuple[float, int]:
    """No box of a range of poses is larger than this; 0 when none is larger than ``area``.

    Narrows the longest and the highest half side that the range still allows (columns 7 and 8 of ``node``). With room
    in ``near``, the edges that matter to the range are copied there and counted.
    """
    cos, sin, tilt = np.cos(node[3]), np.sin(node[3]), np.sin(node[6])
    move_u = node[4] * abs(cos) + node[5] * abs(sin) + drift
    move_v = node[4] * abs(sin) + node[5] * abs(cos) + drift
    start, low = _least_sides(node, area, least)
    reach = node[7]
    if start >= reach or low > node[8]:
        return 0.0, 0
    bins = int(min(len(floors) - 1.0, max(16.0, (reach - start) / (0.35 * (move_u + tilt * start)))))
    floor = floors[: bins + 1]
    step = (reach - start) / bins
    if not floor_of(edges, node[1], node[2], cos, sin, tilt, move_u, move_v, start, step, low, floor):
        return 0.0, 0
    bound = 0.0
    floor[0] = min(floor[0], node[8])
    for b in range(bins):
        if b:
            floor[b] = min(floor[b], floor[b - 1])
        width = start + (b + 1) * step
        if floor[b] < low:
            floor[b:] = floor[b]
            node[7] = width - step
            break
        # The width is the long side; the other way round belongs to the angle a right one away.
        bound = max(bound, 4 * width * min(floor[b], width))
    floor[bins] = min(floor[bins], floor[bins - 1])
    node[8] = floor[0]
    if bound <= area:
        return 0.0, 0
    count = 0
    if len(near):
        count = near_edges(edges, node[1], node[2], cos, sin, tilt, move_u, move_v, start, step, floor, near)
    return bound, count


@numba.njit(cache=True, nogil=True)
def _outside(edges: Floats, node: Floats, area: float, least: float, drift: float) -> bool:
    """Whether every box of a range that is larger than ``area`` would hold a middle that lies outside."""
    _, low = _least_sides(node, area, least)
    return np.hypot(node[4], node[5]) + drift < low and not covers_point(edges, node[1], node[2])


@numba.njit(cache=True, nogil=True)
def find_largest(
    edges: Floats, exact: Floats, reach_x: float, reach_y: float, area_m2: float, known_m2: float, least: float,
    drift: float, gap: float, directions: Floats, limit: int,
) -> tuple[float, float, Floats, Floats, int]:  # fmt: skip
    """The largest free box with half sides of at least ``least``: (area, upper bound, pose, box, poses tested).

    Boxes up to ``known_m2`` do not matter: the area is 0 when none larger is found.

    ``exact`` are the edges of a polygon of ``area_m2`` around the origin within ``(reach_x, reach_y)``; ``edges``
    are the same or fewer, at most ``drift`` from them, and serve the bound. Ends when the bound is within the share
    ``gap`` of the area, or after ``limit`` poses.
    """
    reach = np.hypot(reach_x, reach_y)
    heap, stack = np.empty((4096, 9)), np.empty((2 * _DEEPER + 2, 10))
    node, pose, box = np.empty(9), np.zeros(3), np.zeros(4)
    fine, floors = np.empty(129), np.empty(513)
    near, none = np.empty_like(edges), np.empty((0, 4))
    area, size, tested, popped, better = known_m2, 0, 0, 0, False
    for k in range(_FIRST_ANGLES):
        width = np.pi / _FIRST_ANGLES
        node[:] = (area_m2, 0.0, 0.0, (k + 0.5) * width, reach_x, reach_y, width / 2, reach, reach)
        size = _push(heap, size, node)
    while size > 0 and tested < limit and heap[0, 0] > area * (1 + gap):
        size = _pop(heap, size, node)
        popped += 1
        if popped < 256 or popped % 4 == 0:
            angle = _flush(directions, node[3], node[6], np.pi)
            found, trial = _best_at(exact, node[1], node[2], angle, least, reach, fine)
            if found > area:
                better = True
                spot = np.array([node[1], node[2], angle])
                area, pose, box = _improved(
                    exact, spot, found, trial, least, reach, fine, directions, np.deg2rad(0.2)
                )  # fmt: skip
        # A range is cut several times over before its parts go back, all of them tested on its own few edges.
        bound, count = _bound(edges, node, area * (1 + gap), least, drift, near, floors)
        tested += 1
        if bound <= 0:
            continue
        swing = node[7]
        stack[0, :9], stack[0, 9] = node, 0
        filled = 1
        while filled > 0:
            filled -= 1
            node[:] = stack[filled, :9]
            depth = stack[filled, 9]
            for side in (-1, 1):
                half = _halved(node, swing, side)
                tested += 1
                bound, _ = _bound(near[:count], half, area * (1 + gap), least, drift, none, floors)
                if bound <= 0 or _outside(edges, half, area * (1 + gap), least, drift):
                    continue
                half[0] = min(bound, node[0])
                if depth + 1 < _DEEPER:
                    stack[filled, :9], stack[filled, 9] = half, depth + 1
                    filled += 1
                else:
                    heap = _room(heap, size)
                    size = _push(heap, size, half)
    upper = max(heap[0, 0] if size > 0 else 0.0, area * (1 + gap))
    if better:
        area, pose, box = _improved(exact, pose, area, box, least, reach, fine, directions, np.deg2rad(1e-4))
    return area if better else 0.0, min(max(upper, area), area_m2), pose, box, tested
