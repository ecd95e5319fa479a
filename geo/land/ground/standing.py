"""Which building stands on which parcel, and with how much of its footprint.

Most buildings lie wholly inside one parcel; a kernel proves it from the points alone, and GEOS clips only those that
cross a border.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import shapely
from numpy.typing import NDArray

from geo import crs
from geo.land.ground.areas import common_m2, free_m2
from geo.land.ground.outlines import Flags, Floats, Geometries, Ints, Outlines, attempted, rows_of, unions, usable

CHUNK = 1 << 17  # parcels looked at together; bounds the memory of a million
TOUCH_M = 1e-6  # a building that reaches less far over a border touches it
# Drawn from different sources, walls and borders differ by a line's width: a piece that is smaller than both is no
# building of the neighbour (digitising tolerance).
SPILL_SHARE = 0.01
SPILL_M2 = 5.0
_HIGH_DEGREES = 0.005  # 500 m: ground by subtraction is exact to 1e-4 m²
_OUTSIDE, _INSIDE, _ACROSS = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Standing:
    """Pairs of a building and a parcel that have ground in common, sorted by parcel.

    ``building``, ``parcel`` (k,) rows · ``covered_m2`` (k,) ellipsoidal ground in common · ``share`` (k,) of the
    building that counts for the parcel; 0 for a spill · ``land`` and ``houses`` the geometries, repaired where needed,
    ``None`` where there is no polygon · ``footprints`` the buildings' outlines · ``footprint_m2`` (n,) ground of each
    parcel that buildings cover
    """

    building: Ints
    parcel: Ints
    covered_m2: Floats
    share: Floats
    land: Geometries
    houses: Geometries
    footprints: Outlines
    footprint_m2: Floats


def standing_of(land: Geometries, houses: Geometries) -> Standing:
    """Overlay of (n,) parcels and (m,) buildings in EPSG:4490.

    A building that spills over a border with less than 1 % of its footprint and less than 5 m² stands on this side
    alone; what it covers counts where it lies.
    """
    houses, footprints = usable(houses, np.arange(len(houses)))
    boxes = shapely.bounds(houses)
    tree = shapely.STRtree(houses)
    footprint = np.zeros(len(land))
    pieces: list[tuple[Ints, Ints, Floats]] = []
    for first in range(0, len(land), CHUNK):
        rows, building = tree.query(land[first : first + CHUNK])
        if len(rows) == 0:
            continue
        opens = np.r_[True, rows[1:] != rows[:-1]]  # the tree answers in the order of the rows
        used, place = rows[opens] + first, np.cumsum(opens) - 1
        land, borders = usable(land, used)
        covered = _covered(building, place, footprints, borders, houses, land[used])
        stands = covered > 0
        building, place, covered = building[stands], place[stands], covered[stands]
        footprint[used] = _footprint(building, place, covered, footprints, borders, boxes, houses, land[used])
        pieces.append((building, used[place], covered))
    building = np.concatenate([np.empty(0, np.int64), *(each[0] for each in pieces)])
    parcel = np.concatenate([np.empty(0, np.int64), *(each[1] for each in pieces)])
    covered = np.concatenate([np.empty(0), *(each[2] for each in pieces)])
    share = _shares(building, covered, footprints.area_m2)
    return Standing(building, parcel, covered, share, land, houses, footprints, footprint)


def _shares(building: Ints, covered_m2: Floats, area_m2: Floats) -> Floats:
    """The share of each building that counts for each of its parcels; spills go to the others."""
    share = np.minimum(covered_m2 / area_m2[building], 1.0)
    share[(share < SPILL_SHARE) & (covered_m2 < SPILL_M2)] = 0.0
    whole = np.bincount(building, share, minlength=len(area_m2))
    lost = 1.0 - whole
    # What is left over is a spill too, onto ground without a parcel or onto the neighbours just set to 0.
    spilt = (whole > 0) & (lost > 0) & (lost < SPILL_SHARE) & (lost * area_m2 < SPILL_M2)
    return np.asarray(np.where(spilt[building], share / np.where(spilt, whole, 1.0)[building], share))


def _covered(
    building: Ints, parcel: Ints, footprints: Outlines, borders: Outlines, houses: Geometries, land: Geometries
) -> Floats:
    """Ground that (k,) pairs have in common, m²: wholly inside, by the kernel where the case is plain, else by GEOS."""
    lies = _relate(
        building, parcel, footprints.xy, footprints.last, footprints.begin, footprints.end, footprints.scale,
        borders.xy, borders.last, borders.begin, borders.end,
    )  # fmt: skip
    area = np.where(lies == _INSIDE, footprints.area_m2[building], 0.0)
    across = np.flatnonzero(lies == _ACROSS)
    area[across] = common_m2(building[across], parcel[across], footprints, borders)
    hard = np.flatnonzero(np.isnan(area))
    area[hard] = crs.ellipsoidal_area(attempted(shapely.intersection, land[parcel[hard]], houses[building[hard]]))
    return np.asarray(area)


def _footprint(
    building: Ints, parcel: Ints, covered_m2: Floats, footprints: Outlines, borders: Outlines, boxes: Floats,
    houses: Geometries, land: Geometries,
) -> Floats:  # fmt: skip
    """Ground of each parcel that its buildings cover, m²: the sum, or where some overlap, their union."""
    start = np.searchsorted(parcel, np.arange(len(land) + 1))
    result = np.bincount(parcel, covered_m2, minlength=len(land)).astype(np.float64)
    overlap = np.flatnonzero(
        _overlapping(start, building, boxes, footprints.xy, footprints.last, footprints.begin, footprints.end,
                     footprints.scale)
    )  # fmt: skip
    row = rows_of(start, overlap)
    count = start[overlap + 1] - start[overlap]
    free = free_m2(overlap, np.append(0, np.cumsum(count)), building[row], borders, footprints)
    # What is left of a large parcel is known less exactly than a union of buildings.
    free[borders.height[overlap] > _HIGH_DEGREES] = np.nan
    result[overlap] = np.maximum(borders.area_m2[overlap] - free, 0.0)
    hard = overlap[np.isnan(free)]
    row = rows_of(start, hard)
    number, joined = unions(attempted(shapely.intersection, land[parcel[row]], houses[building[row]]), parcel[row])
    result[number] = crs.ellipsoidal_area(joined)
    return result


@numba.njit(cache=True, error_model="numpy")
def _overlapping(
    start: Ints, building: Ints, boxes: Floats, xy: Floats, last: Flags, begin: Ints, end: Ints, scale: Floats
) -> Flags:
    """Whether any two of the buildings ``building[start[i]:start[i + 1]]`` overlap, for each i."""
    result = np.zeros(len(start) - 1, dtype=np.bool_)
    for p in range(len(result)):
        if start[p + 1] - start[p] < 2:
            continue
        here = building[start[p] : start[p + 1]]
        here = here[np.argsort(boxes[here, 0])]
        for i in range(len(here)):
            a = here[i]
            for j in range(i + 1, len(here)):
                b = here[j]
                if boxes[b, 0] > boxes[a, 2] or result[p]:
                    break
                if boxes[b, 1] <= boxes[a, 3] and boxes[b, 3] >= boxes[a, 1]:
                    result[p] = (
                        _lies(xy, last, begin[a], end[a], xy, last, begin[b], end[b], scale[a, 0], scale[a, 1])
                        != _OUTSIDE
                    )
            if result[p]:
                break
    return result


@numba.njit(cache=True, error_model="numpy")
def _relate(
    one: Ints, other: Ints, axy: Floats, alast: Flags, abegin: Ints, aend: Ints, ascale: Floats, bxy: Floats,
    blast: Flags, bbegin: Ints, bend: Ints,
) -> NDArray[np.int8]:  # fmt: skip
    result = np.zeros(len(one), dtype=np.int8)
    for k in range(len(one)):
        a, b = one[k], other[k]
        if abegin[a] < aend[a] and bbegin[b] < bend[b]:
            result[k] = _lies(
                axy, alast, abegin[a], aend[a], bxy, blast, bbegin[b], bend[b], ascale[a, 0], ascale[a, 1]
            )
    return result


@numba.njit(cache=True, error_model="numpy")
def _lies(
    axy: Floats, alast: Flags, a0: int, a1: int, bxy: Floats, blast: Flags, b0: int, b1: int, kx: float, ky: float
) -> int:
    """How polygon a lies to polygon b: outside, inside, or across (also where it takes GEOS to tell)."""
    inner = outer = touch = False
    left, right, low, high = axy[a0, 0], axy[a0, 0], axy[a0, 1], axy[a0, 1]
    for i in range(a0, a1):
        left, right = min(left, axy[i, 0]), max(right, axy[i, 0])
        low, high = min(low, axy[i, 1]), max(high, axy[i, 1])
        if alast[i]:
            continue
        side = _side(axy[i, 0], axy[i, 1], bxy, blast, b0, b1, kx, ky)
        inner |= side > 0
        outer |= side < 0
        touch |= side == 0
        if inner and outer:
            return _ACROSS
    if not inner and not outer:
        return _ACROSS
    mx, my = TOUCH_M / kx, TOUCH_M / ky
    for j in range(b0, b1 - 1):
        if blast[j]:
            continue
        x0, y0, x1, y1 = bxy[j, 0], bxy[j, 1], bxy[j + 1, 0], bxy[j + 1, 1]
        if max(x0, x1) < left - mx or min(x0, x1) > right + mx or max(y0, y1) < low - my or min(y0, y1) > high + my:
            continue
        if left - mx <= x0 <= right + mx and low - my <= y0 <= high + my:
            side = _side(x0, y0, axy, alast, a0, a1, kx, ky)
            if side > 0:
                return _ACROSS
            touch |= side == 0
        for i in range(a0, a1 - 1):
            if not alast[i] and _cross(
                (axy[i, 0] - x0) * kx, (axy[i, 1] - y0) * ky, (axy[i + 1, 0] - x0) * kx, (axy[i + 1, 1] - y0) * ky,
                (x1 - x0) * kx, (y1 - y0) * ky,
            ):  # fmt: skip
                return _ACROSS
    if not touch:
        return _INSIDE if inner else _OUTSIDE
    # Where borders touch, one may run through the other from corner to corner; lines tell only the simple cases.
    if inner:
        return _INSIDE if _left_of_all(axy, a0, a1, bxy, blast, b0, b1, kx, ky) else _ACROSS
    apart = _parted(axy, a0, a1, bxy, blast, b0, b1, kx, ky) or _parted(bxy, b0, b1, axy, alast, a0, a1, kx, ky)
    return _OUTSIDE if apart else _ACROSS


@numba.njit(cache=True, error_model="numpy")
def _range_beside(
    x0: float, y0: float, x1: float, y1: float, xy: Floats, low: int, high: int, kx: float, ky: float
) -> tuple[float, float]:
    """How far points lie to the left of a line, in metres: least and most."""
    dx, dy = (x1 - x0) * kx, (y1 - y0) * ky
    length = np.sqrt(dx * dx + dy * dy)
    least, most = np.inf, -np.inf
    for i in range(low, high):
        d = (dx * (xy[i, 1] - y0) * ky - dy * (xy[i, 0] - x0) * kx) / length if length > 0 else 0.0
        least, most = min(least, d), max(most, d)
    return least, most


@numba.njit(cache=True, error_model="numpy")
def _left_of_all(
    axy: Floats, a0: int, a1: int, bxy: Floats, blast: Flags, b0: int, b1: int, kx: float, ky: float
) -> bool:
    """Whether polygon a lies on the same side of all edges of the single ring b, and so inside it."""
    all_left = all_right = True
    for j in range(b0, b1 - 1):
        if blast[j]:
            return False
        least, most = _range_beside(bxy[j, 0], bxy[j, 1], bxy[j + 1, 0], bxy[j + 1, 1], axy, a0, a1, kx, ky)
        all_left &= least >= -TOUCH_M
        all_right &= most <= TOUCH_M
    return all_left or all_right


@numba.njit(cache=True, error_model="numpy")
def _parted(axy: Floats, a0: int, a1: int, bxy: Floats, blast: Flags, b0: int, b1: int, kx: float, ky: float) -> bool:
    """Whether the line of an edge of b has all of a on one side and all of b on the other."""
    for j in range(b0, b1 - 1):
        if blast[j]:
            continue
        x0, y0, x1, y1 = bxy[j, 0], bxy[j, 1], bxy[j + 1, 0], bxy[j + 1, 1]
        least, most = _range_beside(x0, y0, x1, y1, axy, a0, a1, kx, ky)
        if least < -TOUCH_M and most > TOUCH_M:
            continue
        low, high = _range_beside(x0, y0, x1, y1, bxy, b0, b1, kx, ky)
        if (low >= -TOUCH_M and most <= TOUCH_M) or (high <= TOUCH_M and least >= -TOUCH_M):
            return True
    return False


@numba.njit(cache=True, error_model="numpy")
def _side(x: float, y: float, xy: Floats, last: Flags, low: int, high: int, kx: float, ky: float) -> int:
    """1 where a point lies inside a polygon, -1 outside, 0 on its border."""
    inside = False
    for i in range(low, high - 1):
        if last[i]:
            continue
        x0, y0 = (xy[i, 0] - x) * kx, (xy[i, 1] - y) * ky
        x1, y1 = (xy[i + 1, 0] - x) * kx, (xy[i + 1, 1] - y) * ky
        if max(y0, y1) < -TOUCH_M or min(y0, y1) > TOUCH_M or max(x0, x1) < -TOUCH_M:
            continue  # above, below, or to the left of the ray
        dx, dy = x1 - x0, y1 - y0
        length2 = dx * dx + dy * dy
        if min(x0, x1) <= TOUCH_M:
            t = min(max(-(x0 * dx + y0 * dy) / length2, 0.0), 1.0) if length2 > 0 else 0.0
            if (x0 + t * dx) ** 2 + (y0 + t * dy) ** 2 <= TOUCH_M * TOUCH_M:
                return 0
        if (y0 > 0) != (y1 > 0) and x0 - y0 * dx / dy > 0:
            inside = not inside
    return 1 if inside else -1


@numba.njit(cache=True, error_model="numpy")
def _cross(x0: float, y0: float, x1: float, y1: float, bx: float, by: float) -> bool:
    """Whether a segment passes through the one from the origin to (bx, by), beyond touching it."""
    if max(x0, x1) < min(0.0, bx) or min(x0, x1) > max(0.0, bx):
        return False
    if max(y0, y1) < min(0.0, by) or min(y0, y1) > max(0.0, by):
        return False
    d0, d1 = bx * y0 - by * x0, bx * y1 - by * x1
    if d0 * d1 >= 0:
        return False
    length = np.hypot(bx, by)
    if min(abs(d0), abs(d1)) <= TOUCH_M * length:
        return False
    ax, ay = x1 - x0, y1 - y0
    e0, e1 = ay * x0 - ax * y0, ax * (by - y0) - ay * (bx - x0)
    return e0 * e1 < 0 and min(abs(e0), abs(e1)) > TOUCH_M * np.hypot(ax, ay)
