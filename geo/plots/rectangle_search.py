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
# Ranges too wide to tell anything of come first.
_UNTOLD = 1e9
# Angle ranges to begin with over a half turn.
_FIRST_ANGLES = 24
# Boxes are looked for in each of the first so many ranges, then in every fourth.
_OFTEN = 128
# Steps of the angle, in radians, at which a box is no longer bettered: during the search, and at its end.
_ROUGHLY, _FINELY = 3.5e-3, 1.7e-6
# Places along each side of the polygon where a first box is looked for.
_SEEDS = 9
# How often a range is cut before its parts are queued.
_DEEPER = 4
# Columns of a range of poses; the first is what it is queued by.
_X, _Y, _ANGLE, _GX, _GY, _TILT, _LONGEST, _HIGHEST, _DEPTH = 1, 2, 3, 4, 5, 6, 7, 8, 9
YES, NO, UNDECIDED, LIMIT = 1, 0, -1, -2


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _copy(source: Floats, at: int, target: Floats, to: int) -> None:
    """Copy a row; a plain loop, since slices take the compiler seconds."""
    for column in range(min(source.shape[1], target.shape[1])):
        target[to, column] = source[at, column]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _push(heap: Floats, size: int, rows: Floats, row: int) -> tuple[Floats, int]:
    """Add a row to a heap with the greatest first column on top; a longer heap when it is full."""
    if size + 1 >= len(heap):
        longer = np.empty((2 * len(heap), heap.shape[1]))
        for k in range(size):
            _copy(heap, k, longer, k)
        heap = longer
    at = size
    while at > 0 and heap[(at - 1) // 2, 0] < rows[row, 0]:
        _copy(heap, (at - 1) // 2, heap, at)
        at = (at - 1) // 2
    _copy(rows, row, heap, at)
    return heap, size + 1


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _pop(heap: Floats, size: int, rows: Floats, row: int) -> int:
    """Take the top row off the heap."""
    _copy(heap, 0, rows, row)
    size -= 1
    at = 0
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and heap[child + 1, 0] > heap[child, 0]:
            child += 1
        if heap[child, 0] <= heap[size, 0]:
            break
        _copy(heap, child, heap, at)
        at = child
    _copy(heap, size, heap, at)
    return size


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _halve(rows: Floats, row: int, to: int, swing: float, side: int) -> None:
    """Write one half of a range, cut across what moves a box most; ``swing`` is how long its half side may be."""
    _copy(rows, row, rows, to)
    gx, gy, tilt = rows[row, _GX], rows[row, _GY], rows[row, _TILT]
    if tilt * swing >= max(gx, gy):
        half, middle, by = _TILT, _ANGLE, tilt / 2
    elif gx >= gy:
        half, middle, by = _GX, _X, gx / 2
    else:
        half, middle, by = _GY, _Y, gy / 2
    rows[to, half] = by
    rows[to, middle] += side * by


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _whole(rows: Floats, number: int, of: int, turn: float, score: float, reach_x: float, reach_y: float) -> None:
    """Write to row 0 the range of all places and of one share of the angles; the limits are the longest there are."""
    rows[0, 0] = score
    rows[0, _X], rows[0, _Y], rows[0, _GX], rows[0, _GY] = 0.0, 0.0, reach_x, reach_y
    rows[0, _ANGLE], rows[0, _TILT] = (number + 0.5) * turn / of, turn / of / 2
    rows[0, _LONGEST] = rows[0, _HIGHEST] = np.hypot(reach_x, reach_y)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _flush(directions: Floats, angle: float, tilt: float, turn: float) -> float:
    """The strongest edge direction within a range of angles (they repeat every ``turn``), else the range's middle."""
    for direction in directions:
        away = (direction - angle + turn / 2) % turn - turn / 2
        if abs(away) <= tilt + 1e-9:  # a direction on the border of two ranges belongs to both
            return angle + away
    return angle


@numba.njit(cache=True, nogil=True, error_model="numpy")
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


@numba.njit(cache=True, nogil=True, error_model="numpy")
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
    first = _FIRST_ANGLES if turn > 3 else _FIRST_ANGLES // 2
    heap, rows = np.empty((4096, 9)), np.empty((2, 9))
    size, tested, undecided = 0, 0, False
    for number in range(first):
        _whole(rows, number, first, turn, np.inf, reach_x, reach_y)
        heap, size = _push(heap, size, rows, 0)
    while size > 0:
        size = _pop(heap, size, rows, 0)
        for side in (-1, 1):
            _halve(rows, 0, 1, hw, side)
            tested += 1
            x, y, middle, gx, gy = rows[1, _X], rows[1, _Y], rows[1, _ANGLE], rows[1, _GX], rows[1, _GY]
            cos, sin, tilt = np.cos(middle), np.sin(middle), np.sin(rows[1, _TILT])
            move_u, move_v = gx * abs(cos) + gy * abs(sin) + drift, gx * abs(sin) + gy * abs(cos) + drift
            cw = (hw - hh * tilt) / (1 - tilt * tilt) - move_u
            ch = (hh - hw * tilt) / (1 - tilt * tilt) - move_v
            least = min(cw, ch) - slack
            if least <= 0:  # no core: nothing to tell yet
                rows[1, 0] = _UNTOLD + least
                heap, size = _push(heap, size, rows, 1)
                continue
            free, inside = clearance(edges, x, y, cos, sin, cw - slack, ch - slack, -_ROUNDING_M)
            if free < -_ROUNDING_M or not inside:
                continue
            for trial in range(2):
                angle = _flush(directions, middle, rows[1, _TILT], turn) if trial == 0 else middle
                found, u, v = _slid(exact, x, y, angle, hw, hh, cw, ch, slack)
                if found:
                    return YES, u, v, angle, tested
                if angle == middle:
                    break
            if max(hw - cw, hh - ch) <= tolerance:
                undecided = True
                continue
            rows[1, 0] = free - max(hw - cw, hh - ch)
            heap, size = _push(heap, size, rows, 1)
        if tested >= limit:
            return LIMIT, 0.0, 0.0, 0.0, tested
    return (UNDECIDED if undecided else NO), 0.0, 0.0, 0.0, tested


@numba.njit(cache=True, nogil=True, error_model="numpy")
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
    floor_of(edges, len(edges), x, y, cos, sin, 0.0, 0.0, 0.0, start, step, 0.0, bins, floor)
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
            box[0], box[1], box[2], box[3] = west, east, south, north
    return area, box


@numba.njit(cache=True, nogil=True, error_model="numpy")
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


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _least_sides(rows: Floats, row: int, area: float, least: float) -> tuple[float, float]:
    """The least long and short half sides of a box of a range that is larger than ``area``."""
    quarter = max(area / 4, least * least)
    return max(np.sqrt(quarter), quarter / rows[row, _HIGHEST], 0.01), max(quarter / rows[row, _LONGEST], least)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _bound(
    edges: Floats, count: int, rows: Floats, row: int, area: float, least: float, drift: float, near: Floats,
    floor: Floats,
) -> tuple[float, int]:  # fmt: skip
    """No box of a range of poses is larger than this; 0 when none is larger than ``area``.

    Narrows the longest and the highest half side that the range still allows. With room in ``near``, the edges of the
    first ``count`` that matter to the range are copied there and counted.
    """
    angle, tilt = rows[row, _ANGLE], np.sin(rows[row, _TILT])
    x, y, cos, sin = rows[row, _X], rows[row, _Y], np.cos(angle), np.sin(angle)
    move_u = rows[row, _GX] * abs(cos) + rows[row, _GY] * abs(sin) + drift
    move_v = rows[row, _GX] * abs(sin) + rows[row, _GY] * abs(cos) + drift
    start, low = _least_sides(rows, row, area, least)
    longest, highest = rows[row, _LONGEST], rows[row, _HIGHEST]
    if start >= longest or low > highest:
        return 0.0, 0
    # Steps of the width add to the bound what they are long: about a third of what the range adds.
    bins = int(min(len(floor) - 1.0, max(16.0, (longest - start) / (0.35 * (move_u + tilt * start)))))
    step = (longest - start) / bins
    if not floor_of(edges, count, x, y, cos, sin, tilt, move_u, move_v, start, step, low, bins, floor):
        return 0.0, 0
    bound = 0.0
    floor[0] = min(floor[0], highest)
    for k in range(bins + 1):
        if k:
            floor[k] = min(floor[k], floor[k - 1])
        width = start + (k + 1) * step
        if floor[k] < low:
            longest = min(longest, width - step)
        elif k < bins:
            # The width is the long side; the other way round belongs to the angle a right one away.
            bound = max(bound, 4 * width * min(floor[k], width))
    rows[row, _LONGEST], rows[row, _HIGHEST] = longest, floor[0]
    if bound <= area:
        return 0.0, 0
    if len(near):
        count = near_edges(edges, x, y, cos, sin, tilt, move_u, move_v, start, step, bins, floor, near)
    return bound, count


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _outside(edges: Floats, rows: Floats, row: int, area: float, least: float, drift: float) -> bool:
    """Whether every box of a range that is larger than ``area`` would hold a middle that lies outside."""
    _, low = _least_sides(rows, row, area, least)
    move = np.hypot(rows[row, _GX], rows[row, _GY]) + drift
    return move < low and not covers_point(edges, rows[row, _X], rows[row, _Y])


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _seeded(
    edges: Floats, seed_x: float, seed_y: float, reach_x: float, reach_y: float, area: float, least: float,
    floor: Floats, directions: Floats,
) -> tuple[float, Floats, Floats]:  # fmt: skip
    """The best box larger than ``area`` around the seed and some places over the polygon, flush with long edges."""
    pose, box = np.zeros(3), np.zeros(4)
    for place in range(_SEEDS * _SEEDS + 1):
        x = ((place // _SEEDS + 0.5) * 2 / _SEEDS - 1) * reach_x if place < _SEEDS * _SEEDS else seed_x
        y = ((place % _SEEDS + 0.5) * 2 / _SEEDS - 1) * reach_y if place < _SEEDS * _SEEDS else seed_y
        for k in range(0, min(len(directions), 6), 2):
            found, trial = _best_at(edges, x, y, directions[k], least, np.hypot(reach_x, reach_y), floor)
            if found > area:
                area, box = found, trial
                pose[0], pose[1], pose[2] = x, y, directions[k]
    return area, pose, box


@numba.njit(cache=True, nogil=True, error_model="numpy")
def find_largest(
    edges: Floats, exact: Floats, seed_x: float, seed_y: float, reach_x: float, reach_y: float, area_m2: float,
    known_m2: float, least: float, drift: float, gap: float, directions: Floats, limit: int,
) -> tuple[float, float, Floats, Floats, int]:  # fmt: skip
    """The largest free box with half sides of at least ``least``: (area, upper bound, pose, box, poses tested).

    Boxes up to ``known_m2`` do not matter: the area is 0 when none larger is found.

    ``exact`` are the edges of a polygon of ``area_m2`` around the origin within ``(reach_x, reach_y)``; ``edges``
    are the same or fewer, at most ``drift`` from them, and serve the bound. Ends when the bound is within the share
    ``gap`` of the area, or after ``limit`` poses. The seed is a place inside: without any box in hand the bound could
    not tell inside from outside.
    """
    reach = np.hypot(reach_x, reach_y)
    # Row 0 is the range in hand, row 1 its half, the others wait.
    heap, rows = np.empty((4096, 9)), np.empty((_DEEPER + 4, 10))
    spot = np.zeros(3)
    fine, floor = np.empty(129), np.empty(513)
    near, none = np.empty_like(edges), np.empty((0, 4))
    area, pose, box = _seeded(exact, seed_x, seed_y, reach_x, reach_y, known_m2, least, fine, directions)
    size, tested, popped, better = 0, 0, 0, area > known_m2
    for number in range(_FIRST_ANGLES):
        _whole(rows, number, _FIRST_ANGLES, np.pi, area_m2, reach_x, reach_y)
        heap, size = _push(heap, size, rows, 0)
    while size > 0 and tested < limit and heap[0, 0] > area * (1 + gap):
        size = _pop(heap, size, rows, 0)
        popped += 1
        if popped < _OFTEN or popped % 4 == 0:
            spot[0], spot[1] = rows[0, _X], rows[0, _Y]
            spot[2] = _flush(directions, rows[0, _ANGLE], rows[0, _TILT], np.pi)
            found, trial = _best_at(exact, spot[0], spot[1], spot[2], least, reach, fine)
            if found > area:
                better = True
                area, pose, box = _improved(exact, spot, found, trial, least, reach, fine, directions, _ROUGHLY)
        # A range is cut several times over before its parts go back, all of them tested on its own few edges.
        tested += 1
        bound, count = _bound(edges, len(edges), rows, 0, area * (1 + gap), least, drift, near, floor)
        if bound <= 0:
            continue
        rows[0, _DEPTH] = 0
        _copy(rows, 0, rows, 2)
        waiting = 3
        while waiting > 2:
            waiting -= 1
            _copy(rows, waiting, rows, 0)
            for side in (-1, 1):
                _halve(rows, 0, 1, rows[0, _LONGEST], side)
                tested += 1
                bound, _ = _bound(near, count, rows, 1, area * (1 + gap), least, drift, none, floor)
                if bound <= 0 or _outside(edges, rows, 1, area * (1 + gap), least, drift):
                    continue
                rows[1, 0], rows[1, _DEPTH] = min(bound, rows[0, 0]), rows[0, _DEPTH] + 1
                if rows[1, _DEPTH] < _DEEPER:
                    _copy(rows, 1, rows, waiting)
                    waiting += 1
                else:
                    heap, size = _push(heap, size, rows, 1)
    upper = max(heap[0, 0] if size > 0 else 0.0, area * (1 + gap))
    if better:
        area, pose, box = _improved(exact, pose, area, box, least, reach, fine, directions, _FINELY)
    return area if better else 0.0, min(max(upper, area), area_m2), pose, box, tested
