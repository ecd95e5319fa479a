"""What stands in the way of a box: kernels over the edges of a polygon, for one place and one angle at a time.

Edges are rows ``(x1, y1, x2, y2)`` of every ring of every part; a box is free when no edge enters its interior and its
centre lies inside by the parity rule, so holes and several parts need no case of their own. A *pose* is a centre and an
angle; in the frame of a pose the box has half sides ``hw`` along its angle and ``hh`` across.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# An edge flush with a side may enter the box by so much: the rounding of its direction over some kilometres.
TOUCH_M = 1e-6


@numba.njit(cache=True, nogil=True, error_model="numpy")
def clearance(
    edges: Floats, cx: float, cy: float, cos: float, sin: float, hw: float, hh: float, stop: float
) -> tuple[float, bool]:
    """By how much a box could grow on all four sides (negative: must shrink) before an edge enters it.

    The search ends as soon as the clearance is below ``stop``; the edge that ended it moves to the front of ``edges``,
    since it is likely to end the next search too. The second answer is whether the centre lies inside.
    """
    least = np.inf
    inside = False
    for row in range(len(edges)):
        x1, y1 = edges[row, 0] - cx, edges[row, 1] - cy
        x2, y2 = edges[row, 2] - cx, edges[row, 3] - cy
        u1, v1 = x1 * cos + y1 * sin, y1 * cos - x1 * sin
        u2, v2 = x2 * cos + y2 * sin, y2 * cos - x2 * sin
        if (v1 > 0) != (v2 > 0) and u1 + (u2 - u1) * v1 / (v1 - v2) > 0:
            inside = not inside
        wide, high = hw + least, hh + least
        if min(u1, u2) >= wide or max(u1, u2) <= -wide or min(v1, v2) >= high or max(v1, v2) <= -high:
            continue
        # The greatest of four linear functions is convex: its minimum is at an end or where two of them are equal.
        du, dv = u2 - u1, v2 - v1
        best = max(abs(u1) - hw, abs(v1) - hh)
        best = min(best, max(abs(u2) - hw, abs(v2) - hh))
        for turn in range(4):
            if turn == 0:
                over, under = hw - hh + v1 - u1, du - dv
            elif turn == 1:
                over, under = hw - hh - v1 - u1, du + dv
            elif turn == 2:
                over, under = hw - hh + v1 + u1, -du - dv
            else:
                over, under = hw - hh - v1 + u1, dv - du
            if under != 0.0:
                t = over / under
                if 0.0 < t < 1.0:
                    best = min(best, max(abs(u1 + t * du) - hw, abs(v1 + t * dv) - hh))
        if du != 0.0 and 0.0 < -u1 / du < 1.0:
            best = min(best, max(-hw, abs(v1 - dv * u1 / du) - hh))
        if dv != 0.0 and 0.0 < -v1 / dv < 1.0:
            best = min(best, max(abs(u1 - du * v1 / dv) - hw, -hh))
        if best < least:
            least = best
            if least < stop:
                for column in range(4):
                    edges[0, column], edges[row, column] = edges[row, column], edges[0, column]
                return least, False
    return least, inside


@numba.njit(cache=True, nogil=True, error_model="numpy")
def run_along(
    edges: Floats, cx: float, cy: float, cos: float, sin: float, west: float, east: float, south: float, north: float,
    far: float,
) -> tuple[float, float]:  # fmt: skip
    """How far a free box ``[west, east] x [south, north]`` of a pose can be stretched along its angle, both ways."""
    middle = (west + east) / 2
    left, right = -far, far
    for row in range(len(edges)):
        x1, y1 = edges[row, 0] - cx, edges[row, 1] - cy
        x2, y2 = edges[row, 2] - cx, edges[row, 3] - cy
        v1, v2 = y1 * cos - x1 * sin, y2 * cos - x2 * sin
        if (v1 <= south and v2 <= south) or (v1 >= north and v2 >= north):
            continue
        u1, u2 = x1 * cos + y1 * sin, x2 * cos + y2 * sin
        # The part of the edge within the open strip; its ends bound it.
        first, last = 0.0, 1.0
        dv = v2 - v1
        if dv != 0.0:
            low, high = (south - v1) / dv, (north - v1) / dv
            first, last = max(0.0, min(low, high)), min(1.0, max(low, high))
        a, b = u1 + first * (u2 - u1), u1 + last * (u2 - u1)
        near, away = min(a, b), max(a, b)
        if near + away >= 2 * middle:
            right = min(right, near)
        else:
            left = max(left, away)
    return left, right


@numba.njit(cache=True, nogil=True, error_model="numpy")
def grown(
    edges: Floats, cx: float, cy: float, cos: float, sin: float, hw: float, hh: float, far: float, along_first: bool
) -> tuple[float, float, float, float]:
    """A free box stretched until all four sides touch: (west, east, south, north) in the frame of the pose."""
    west, east, south, north = -hw, hw, -hh, hh
    for step in range(2):
        if (step == 0) == along_first:
            west, east = run_along(edges, cx, cy, cos, sin, west, east, south + TOUCH_M, north - TOUCH_M, far)
        else:
            # Across the angle is along the angle turned by a right one: u' = v, v' = -u.
            south, north = run_along(edges, cx, cy, -sin, cos, south, north, TOUCH_M - east, -west - TOUCH_M, far)
    return west, east, south, north


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _put(floor: Floats, bins: int, u1: float, v1: float, u2: float, v2: float, start: float, step: float) -> None:
    """Lower the floor by one piece of an edge that lies in one quadrant: least v of its points in each bin of u."""
    if u1 > u2:
        u1, v1, u2, v2 = u2, v2, u1, v1
    first = 0 if u1 < start else 1 + int((u1 - start) / step)
    if first > bins:
        return
    if v2 >= v1:
        floor[first] = min(floor[first], v1)
        return
    slope = (v2 - v1) / (u2 - u1) if u2 > u1 else 0.0
    for k in range(first, bins + 1):
        end = start + k * step
        if u2 <= end:
            floor[k] = min(floor[k], v2)
            return
        floor[k] = min(floor[k], v1 + slope * (end - u1))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def floor_of(
    edges: Floats, count: int, cx: float, cy: float, cos: float, sin: float, tilt: float, du: float, dv: float,
    start: float, step: float, kill: float, bins: int, floor: Floats,
) -> bool:  # fmt: skip
    """How high a box can be for each width, whatever pose it has within a range of poses.

    ``floor[k]`` becomes the least half height that an edge allows to boxes of half width above ``start + k * step``,
    from points with u within bin k (bin 0: below ``start``), each moved away by as much as another pose of the range
    can move it: u by ``du + tilt * |v|``, v by ``dv + tilt * |u|``. False when a point forbids every box wider than
    ``start`` and higher than ``kill``.
    """
    for k in range(bins + 1):
        floor[k] = np.inf
    reach = start + bins * step
    for row in range(count):
        x1, y1 = edges[row, 0] - cx, edges[row, 1] - cy
        x2, y2 = edges[row, 2] - cx, edges[row, 3] - cy
        u1, v1 = x1 * cos + y1 * sin, y1 * cos - x1 * sin
        u2, v2 = x2 * cos + y2 * sin, y2 * cos - x2 * sin
        if min(u1, u2) >= reach or max(u1, u2) <= -reach or min(v1, v2) >= floor[0] or max(v1, v2) <= -floor[0]:
            continue
        crossings = 0
        s, t = 1.0, 1.0
        if (u1 > 0) != (u2 > 0):
            s = u1 / (u1 - u2)
            crossings += 1
        if (v1 > 0) != (v2 > 0):
            t = v1 / (v1 - v2)
            crossings += 1
        if s > t:
            s, t = t, s
        done, au, av = 0.0, abs(u1), abs(v1)
        for piece in range(crossings + 1):
            until = 1.0 if piece == crossings else (s if piece == 0 else t)
            if until == 1.0:
                bu, bv = abs(u2), abs(v2)
            else:
                bu, bv = abs(u1 + until * (u2 - u1)), abs(v1 + until * (v2 - v1))
            if until >= done:
                _put(floor, bins, au + tilt * av + du, av + tilt * au + dv, bu + tilt * bv + du, bv + tilt * bu + dv,
                     start, step)  # fmt: skip
            done, au, av = until, bu, bv
        if floor[0] < kill:
            for column in range(4):
                edges[0, column], edges[row, column] = edges[row, column], edges[0, column]
            return False
    return True


@numba.njit(cache=True, nogil=True, error_model="numpy")
def near_edges(
    edges: Floats, cx: float, cy: float, cos: float, sin: float, tilt: float, du: float, dv: float,
    start: float, step: float, bins: int, ceiling: Floats, near: Floats,
) -> int:  # fmt: skip
    """Copy to ``near`` the edges that can matter to a range of poses, and count them.

    ``ceiling[k]`` is the running least of ``floor_of``: no box of the range wider than ``start + k * step`` is higher.
    An edge that stays above it wherever the range moves it takes nothing from any box.
    """
    reach = start + bins * step
    shrink = np.sqrt(1 - tilt * tilt)
    count = 0
    for row in range(len(edges)):
        x1, y1 = edges[row, 0] - cx, edges[row, 1] - cy
        x2, y2 = edges[row, 2] - cx, edges[row, 3] - cy
        u1, v1 = x1 * cos + y1 * sin, y1 * cos - x1 * sin
        u2, v2 = x2 * cos + y2 * sin, y2 * cos - x2 * sin
        least_u = 0.0 if (u1 > 0) != (u2 > 0) else min(abs(u1), abs(u2))
        least_v = 0.0 if (v1 > 0) != (v2 > 0) else min(abs(v1), abs(v2))
        u = least_u * shrink - tilt * max(abs(v1), abs(v2)) - du
        v = least_v * shrink - tilt * max(abs(u1), abs(u2)) - dv
        if u >= reach or v >= ceiling[0 if u < start else int((u - start) / step)]:
            continue
        for column in range(4):
            near[count, column] = edges[row, column]
        count += 1
    return count


@numba.njit(cache=True, nogil=True, error_model="numpy")
def covers_point(edges: Floats, x: float, y: float) -> bool:
    """Whether a point lies inside, by parity."""
    inside = False
    for row in range(len(edges)):
        y1, y2 = edges[row, 1] - y, edges[row, 3] - y
        if (y1 > 0) != (y2 > 0) and edges[row, 0] - x + (edges[row, 2] - edges[row, 0]) * y1 / (y1 - y2) > 0:
            inside = not inside
    return inside
