"""Which stretches of their borders pieces of land turn towards each other, and what blocks the view.

The length along which a piece *faces* another is the length of its border from whose points the perpendicular that
leaves the piece meets the other within reach, without first crossing the piece itself or a barrier. Along one border
edge the first hit is the lower envelope of straight segments, so the answer is exact: between two neighbouring
breakpoints (segment ends and crossings) nothing changes its order.

The kernel looks at one tile: for each border edge in it, a grid gives the edges in the strip in front, once for all
pieces there. Nothing is decided by equal coordinates: a shared border is a stretch at distance nought, and one that is
off by some centimetres is a stretch at that distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from geo.plots.borders import Borders
from geo.plots.edge_grid import clipped_to_box, extent_of, fill_grid

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Ids = NDArray[np.int32]

# Coordinates that coincide on paper differ by rounding after overlay; a millimetre is below any survey's precision.
TOUCH_M = 1e-3
# The border that a view leaves does not hide it.
SELF_SLACK_M = 1e-6
# Lengths are compared with this slack, so that 10 m drawn at millimetres is 10 m.
LENGTH_SLACK_M = 1e-6


@dataclass(frozen=True, slots=True)
class Views:
    """What a tile's borders see: pieces by the length that faces them, barriers by the length they block.

    ``source``, ``target`` (k,) int32 rows of pieces · ``gap_m`` (k,) narrowest free distance, ``inf`` where none is
    free · ``facing_m`` (k, r) free length within each of the ``r`` reaches · ``blocked`` (b, 3) int64 source, target
    and barrier, ``blocked_m`` (b,) the length of view that the barrier is the first to block within the widest reach
    asked about · ``stretch`` (s, 2) int64 source and target, ``quad`` (s, 8) the border stretch and its image
    on the other piece p0, p1, q1, q0, ``height`` (s, 2) distance at its two ends, ``over_road`` (s,) whether a road
    that may be bridged lies in between; these three are empty unless asked for.
    """

    source: Ids
    target: Ids
    gap_m: Floats
    facing_m: Floats
    blocked: Ints
    blocked_m: Floats
    stretch: Ints
    quad: Floats
    height: Floats
    over_road: NDArray[np.bool_]


def views_of(
    borders: Borders,
    pieces: int,
    walls: int,
    box: tuple[float, float, float, float],
    reaches_m: Floats,
    blocked_reach_m: float,
    road_reach_m: float | None = None,
    strict_m: float = 0.0,
    *,
    stretches: bool = False,
) -> Views:
    """What the borders inside a tile face; a pure function over arrays that can run in another process.

    Parameters
    ----------
    borders : edges of pieces, then of walls, then of roads; rows below ``pieces`` are pieces, below ``pieces + walls``
        what may not be crossed, the others roads that may be
    box : west, south, east, north of the tile; edges are cut at it
    reaches_m : (r,) float64, ascending
    blocked_reach_m : float, views up to this length are reported as blocked
    road_reach_m : float, reach of views across a road; ``None``: as any other view
    strict_m : float, reaches up to this bridge nothing, so a road's own reach does not widen them
    stretches : also report each free stretch with its image
    """
    reaches = np.asarray(reaches_m, dtype=np.float64) + LENGTH_SLACK_M
    road = -1.0 if road_reach_m is None else float(road_reach_m) + LENGTH_SLACK_M
    widest = max(reaches[-1], road, blocked_reach_m)
    west, south, east, north, edges, mean_m = extent_of(borders.xy, borders.owner)
    if edges == 0:
        return _nothing(len(reaches))
    left, bottom = max(west, box[0] - widest), max(south, box[1] - widest)
    wide, high = min(east, box[2] + widest) - left, min(north, box[3] + widest) - bottom
    if wide < 0 or high < 0:
        return _nothing(len(reaches))
    # Cells about as wide as the reach, and never so many that the grid outgrows the edges.
    most = 8 * edges + 1024
    cell = max(min(widest, 2 * mean_m), mean_m, 1.0, float(np.sqrt(wide * high / most)), max(wide, high) / most)
    found = _scan(
        borders.xy, borders.owner, pieces, walls, *box, left, bottom, cell, int(wide / cell) + 1,
        int(high / cell) + 1, reaches, float(widest), float(blocked_reach_m) + LENGTH_SLACK_M, road,
        float(strict_m) + 2 * LENGTH_SLACK_M, stretches,
    )  # fmt: skip
    ids, numbers, blocked, blocked_m, stretch, shape = found
    gap = np.where(np.isnan(numbers[:, 0]), np.inf, numbers[:, 0])
    return Views(
        ids[:, 0], ids[:, 1], gap, numbers[:, 1:], blocked, blocked_m, stretch[:, :2], shape[:, :8],
        shape[:, 8:], stretch[:, 2] > 0,
    )  # fmt: skip


def _nothing(reaches: int) -> Views:
    ids, none = np.empty(0, dtype=np.int32), np.empty(0)
    return Views(
        ids, ids, none, np.empty((0, reaches)), np.empty((0, 3), np.int64), none, np.empty((0, 2), np.int64),
        np.empty((0, 8)), np.empty((0, 2)), np.empty(0, dtype=bool),
    )  # fmt: skip


@numba.njit(cache=True, error_model="numpy")
def _clip(
    u0: float, v0: float, u1: float, v1: float, length: float, low: float, high: float, out: Floats, row: int
) -> bool:
    """Clip a segment with u0 < u1 to 0 ≤ u ≤ length and low ≤ v ≤ high and write it to a row; false if none is left."""
    slope = (v1 - v0) / (u1 - u0)
    if u0 < 0.0:
        v0 -= slope * u0
        u0 = 0.0
    if u1 > length:
        v1 -= slope * (u1 - length)
        u1 = length
    if v0 < low or v1 < low:
        if v0 < low and v1 < low:
            return False
        if v0 < low:
            u0, v0 = u0 + (low - v0) / slope, low
        else:
            u1, v1 = u0 + (low - v0) / slope, low
    if v0 > high or v1 > high:
        if v0 > high and v1 > high:
            return False
        if v0 > high:
            u0, v0 = u0 + (high - v0) / slope, high
        else:
            u1, v1 = u0 + (high - v0) / slope, high
    if u1 - u0 < 1e-9:
        return False
    out[row, 0], out[row, 1], out[row, 2], out[row, 3] = u0, v0, u1, v1
    return True


@numba.njit(cache=True, error_model="numpy")
def _at(records: Floats, row: int, u: float) -> float:
    """Height of a clipped edge above the border at u."""
    u0, v0 = records[row, 0], records[row, 1]
    return v0 + (records[row, 3] - v0) * (u - u0) / (records[row, 2] - u0)


@numba.njit(cache=True, error_model="numpy")
def _within(length: float, v0: float, v1: float, reach: float) -> float:
    """Length of a stretch on which the distance, v0 at one end and v1 at the other, is within reach."""
    low, high = min(v0, v1), max(v0, v1)
    if high <= reach:
        return length
    if low >= reach:
        return 0.0
    return length * (reach - low) / (high - low)


@numba.njit(cache=True, error_model="numpy")
def _more(array: NDArray[Any], rows: int) -> NDArray[Any]:
    """The array with room for twice as many rows."""
    shape = (2 * array.shape[0], array.shape[1])
    larger = np.empty(shape, dtype=array.dtype)
    larger[:rows] = array[:rows]
    return larger


@numba.njit(cache=True, error_model="numpy")
def _scan(
    xy: Floats, owner: Ids, pieces: int, walls: int, west: float, south: float, east: float, north: float,
    left: float, bottom: float, cell: float, nx: int, ny: int, reaches: Floats, widest: float, blocked_reach: float,
    road_reach: float, strict: float, detailed: bool,
) -> tuple[NDArray[Any], ...]:  # fmt: skip
    start, edge = fill_grid(xy, owner, left, bottom, cell, nx, ny, np.empty(0, dtype=np.bool_))
    edges = owner.shape[0]
    # Edges once more in the order of the cells, so that a strip is read in one sweep of memory.
    ends = np.empty((edge.shape[0], 4))
    whose = np.empty(edge.shape[0], dtype=np.int32)
    for at in range(edge.shape[0]):
        f = edge[at]
        ends[at, 0], ends[at, 1], ends[at, 2], ends[at, 3] = xy[f, 0], xy[f, 1], xy[f + 1, 0], xy[f + 1, 1]
        whose[at] = owner[f]
    per_metre = 1.0 / cell
    levels = reaches.shape[0]
    stamp = np.zeros(edges, dtype=np.int64)
    turn = 0
    # What lies in the strip in front of a border edge: other pieces' front sides, and what may hide them.
    seen = np.empty((edges + 1, 4))
    seen_owner = np.empty(edges + 1, dtype=np.int64)
    hides = np.empty((edges + 1, 4))
    hides_code = np.empty(edges + 1, dtype=np.int64)  # -1 the piece itself, -2 a road, else the row of a barrier
    group = np.empty(edges + 1, dtype=np.int64)
    hiding = np.empty(edges + 1, dtype=np.int64)
    breaks = np.empty(1024)

    # Sums for the piece whose border is being walked, one row a neighbour; written out when the next piece begins.
    neighbour = np.empty(64, dtype=np.int64)
    sums = np.zeros((64, 1 + levels))
    known = 0
    held = np.empty((64, 2), dtype=np.int64)
    held_m = np.zeros((64, 1))
    holds = 0

    ids = np.empty((1024, 2), dtype=np.int32)
    numbers = np.empty((1024, 1 + levels))
    rows = 0
    blocked = np.empty((64, 3), dtype=np.int64)
    blocked_m = np.empty((64, 1))
    blocks = 0
    stretch = np.empty((1024 if detailed else 1, 3), dtype=np.int64)
    shape = np.empty((1024 if detailed else 1, 10))
    drawn = 0

    current = -1
    for k in range(edges + 1):
        mine = owner[k] if k < edges else -2
        if mine == -1 or mine >= pieces:
            continue
        if mine != current:
            for h in range(holds):
                if sums[held[h, 0], 0] == np.inf:
                    sums[held[h, 0], 0] = np.nan  # seen, though nowhere free
            for n in range(known):
                if sums[n, 0] == np.inf:
                    continue
                if rows == ids.shape[0]:
                    ids, numbers = _more(ids, rows), _more(numbers, rows)
                ids[rows, 0], ids[rows, 1] = current, neighbour[n]
                numbers[rows] = sums[n]
                rows += 1
            for h in range(holds):
                if blocks == blocked.shape[0]:
                    blocked, blocked_m = _more(blocked, blocks), _more(blocked_m, blocks)
                blocked[blocks, 0], blocked[blocks, 1] = current, neighbour[held[h, 0]]
                blocked[blocks, 2], blocked_m[blocks, 0] = held[h, 1], held_m[h, 0]
                blocks += 1
            known = holds = 0
            current = mine
            if k == edges:
                break
        ax, ay, bx, by = xy[k, 0], xy[k, 1], xy[k + 1, 0], xy[k + 1, 1]
        t0, t1 = clipped_to_box(ax, ay, bx, by, west, south, east, north)
        if t0 >= t1:
            continue
        dx, dy = bx - ax, by - ay
        whole = np.sqrt(dx * dx + dy * dy)
        if whole < 1e-9:
            continue
        tx, ty = dx / whole, dy / whole
        # Long edges are looked at in parts, so that the box around the strip holds little else.
        parts = int(np.ceil((t1 - t0) * whole / (2.0 * cell + widest)))
        for part in range(parts):
            f0 = t0 + (t1 - t0) * part / parts
            f1 = t0 + (t1 - t0) * (part + 1) / parts
            ox, oy = ax + dx * f0, ay + dy * f0
            length = whole * (f1 - f0)
            if length < 1e-9:
                continue
            ex, ey = ox + tx * length, oy + ty * length
            # The strip in front of it: border stretch and its copy at full reach, outwards (to the right).
            wx, wy = ty * widest, -tx * widest
            x_low, x_high = min(ox, ex) + min(wx, 0.0) - TOUCH_M, max(ox, ex) + max(wx, 0.0) + TOUCH_M
            y_low, y_high = min(oy, ey) + min(wy, 0.0) - TOUCH_M, max(oy, ey) + max(wy, 0.0) + TOUCH_M
            c_low = int(max((x_low - left) * per_metre, 0.0))
            c_high = min(int((x_high - left) * per_metre), nx - 1)
            r_low = int(max((y_low - bottom) * per_metre, 0.0))
            r_high = min(int((y_high - bottom) * per_metre), ny - 1)
            turn += 1
            n = 0
            m = 0
            for row in range(r_low, r_high + 1):
                for at in range(start[row * nx + c_low], start[row * nx + c_high + 1]):
                    x0, y0 = ends[at, 0] - ox, ends[at, 1] - oy
                    x1, y1 = ends[at, 2] - ox, ends[at, 3] - oy
                    u0, u1 = x0 * tx + y0 * ty, x1 * tx + y1 * ty
                    of = whose[at]
                    land = of < pieces
                    # A view enters a piece through an edge that runs against the border it left.
                    if land and u1 >= u0:
                        continue
                    v0, v1 = x0 * ty - y0 * tx, x1 * ty - y1 * tx
                    if u0 > u1:
                        u0, u1, v0, v1 = u1, u0, v1, v0
                    if u1 <= 0.0 or u0 >= length or u1 - u0 < 1e-9:
                        continue
                    if min(v0, v1) > widest + TOUCH_M or max(v0, v1) < -TOUCH_M:
                        continue
                    f = edge[at]
                    if stamp[f] == turn:
                        continue
                    stamp[f] = turn
                    if land and of != mine:
                        if _clip(u0, v0, u1, v1, length, -TOUCH_M, widest, seen, n):
                            seen_owner[n] = of
                            n += 1
                    elif land:
                        if f != k and _clip(u0, v0, u1, v1, length, SELF_SLACK_M, widest, hides, m):
                            hides_code[m] = -1
                            m += 1
                    elif of < pieces + walls:
                        if _clip(u0, v0, u1, v1, length, -TOUCH_M, widest + TOUCH_M, hides, m):
                            hides_code[m] = of - pieces
                            m += 1
                    elif _clip(u0, v0, u1, v1, length, -TOUCH_M, widest + TOUCH_M, hides, m):
                        hides_code[m] = -2
                        m += 1
            for first in range(n):
                target = seen_owner[first]
                if target < 0:
                    continue
                # All records of one target, taken out of the list.
                g = 0
                top = -1.0
                for r in range(first, n):
                    if seen_owner[r] == target:
                        seen_owner[r] = -1
                        if (
                            seen[r, 0] <= 1e-9
                            and seen[r, 2] >= length - 1e-9
                            and max(seen[r, 1], seen[r, 3]) <= TOUCH_M
                        ):
                            # A common border from end to end: nothing of the target can be nearer.
                            group[0] = r
                            g = 1
                            top = TOUCH_M
                            for s in range(r + 1, n):
                                if seen_owner[s] == target:
                                    seen_owner[s] = -1
                            break
                        group[g] = r
                        g += 1
                        top = max(top, seen[r, 1], seen[r, 3])
                # What may hide it: whatever begins below its highest point.
                o = 0
                for s in range(m):
                    if min(hides[s, 1], hides[s, 3]) <= top + TOUCH_M:
                        hiding[o] = s
                        o += 1
                slot = -1
                for s in range(known):
                    if neighbour[s] == target:
                        slot = s
                        break
                if slot < 0:
                    if known == neighbour.shape[0]:
                        wider = np.empty(2 * known, dtype=np.int64)
                        wider[:known] = neighbour
                        neighbour = wider
                        sums = _more(sums, known)
                    slot = known
                    neighbour[slot] = target
                    sums[slot] = 0.0
                    sums[slot, 0] = np.inf
                    known += 1
                cuts = 2
                if g == 1 and o == 0:
                    breaks[0], breaks[1] = seen[group[0], 0], seen[group[0], 2]
                else:
                    need = 2 * (g + o) + g * o
                    if breaks.shape[0] < need:
                        breaks = np.empty(2 * need)
                    cuts = 0
                    for i in range(g):
                        breaks[cuts], breaks[cuts + 1] = seen[group[i], 0], seen[group[i], 2]
                        cuts += 2
                    for j in range(o):
                        breaks[cuts], breaks[cuts + 1] = hides[hiding[j], 0], hides[hiding[j], 2]
                        cuts += 2
                        for i in range(g):
                            low = max(seen[group[i], 0], hides[hiding[j], 0])
                            high = min(seen[group[i], 2], hides[hiding[j], 2])
                            if high - low < 1e-9:
                                continue
                            # Where the one begins to hide the other, with the slack of the comparison below.
                            slack = -SELF_SLACK_M if hides_code[hiding[j]] == -1 else TOUCH_M
                            d0 = _at(seen, group[i], low) + slack - _at(hides, hiding[j], low)
                            d1 = _at(seen, group[i], high) + slack - _at(hides, hiding[j], high)
                            if d0 * d1 < 0.0:
                                breaks[cuts] = low + (high - low) * d0 / (d0 - d1)
                                cuts += 1
                    if cuts < 32:
                        for i in range(1, cuts):
                            value = breaks[i]
                            j = i - 1
                            while j >= 0 and breaks[j] > value:
                                breaks[j + 1] = breaks[j]
                                j -= 1
                            breaks[j + 1] = value
                    else:
                        breaks[:cuts] = np.sort(breaks[:cuts])
                for i in range(cuts - 1):
                    u0, u1 = breaks[i], breaks[i + 1]
                    if u1 - u0 < 1e-9:
                        continue
                    middle = (u0 + u1) / 2
                    best = -1
                    height = np.inf
                    for j in range(g):
                        r = group[j]
                        if seen[r, 0] <= middle <= seen[r, 2]:
                            v = _at(seen, r, middle)
                            if v < height:
                                best, height = r, v
                    if best < 0:
                        continue
                    wall = -1
                    nearest = np.inf
                    hidden = False
                    road = False
                    for j in range(o):
                        s = hiding[j]
                        if hides[s, 0] <= middle <= hides[s, 2]:
                            v = _at(hides, s, middle)
                            if hides_code[s] == -1:
                                # The piece itself stands in the way (a bay, a hole).
                                if v < height - SELF_SLACK_M:
                                    hidden = True
                                    break
                            elif v <= height + TOUCH_M:
                                if hides_code[s] == -2:
                                    road = True
                                elif v < nearest:
                                    nearest, wall = v, hides_code[s]
                    if hidden:
                        continue
                    v0, v1 = _at(seen, best, u0), _at(seen, best, u1)
                    if wall >= 0:
                        metres = _within(u1 - u0, v0, v1, blocked_reach)
                        if metres > 0.0:
                            which = -1
                            for h in range(holds):
                                if held[h, 0] == slot and held[h, 1] == wall:
                                    which = h
                                    break
                            if which < 0:
                                if holds == held.shape[0]:
                                    held, held_m = _more(held, holds), _more(held_m, holds)
                                which = holds
                                held[which, 0], held[which, 1], held_m[which, 0] = slot, wall, 0.0
                                holds += 1
                            held_m[which, 0] += metres
                        continue
                    reach = road_reach if road else widest
                    if min(v0, v1) < reach:
                        sums[slot, 0] = min(sums[slot, 0], max(min(v0, v1), 0.0))
                    for level in range(levels):
                        limit = reaches[level]
                        if road and limit > strict:
                            limit = road_reach
                        sums[slot, 1 + level] += _within(u1 - u0, v0, v1, limit)
                    if detailed and min(v0, v1) < reach:
                        if drawn == stretch.shape[0]:
                            stretch, shape = _more(stretch, drawn), _more(shape, drawn)
                        stretch[drawn, 0], stretch[drawn, 1], stretch[drawn, 2] = mine, target, 1 if road else 0
                        shape[drawn, 0], shape[drawn, 1] = ox + tx * u0, oy + ty * u0
                        shape[drawn, 2], shape[drawn, 3] = ox + tx * u1, oy + ty * u1
                        v0, v1 = max(v0, 0.0), max(v1, 0.0)
                        shape[drawn, 4], shape[drawn, 5] = ox + tx * u1 + ty * v1, oy + ty * u1 - tx * v1
                        shape[drawn, 6], shape[drawn, 7] = ox + tx * u0 + ty * v0, oy + ty * u0 - tx * v0
                        shape[drawn, 8], shape[drawn, 9] = v0, v1
                        drawn += 1
    return ids[:rows], numbers[:rows], blocked[:blocks], blocked_m[:blocks, 0], stretch[:drawn], shape[:drawn]
