"""Borders between polygons, segment by segment: which are shared exactly, which nearly, and how the others lie.

A border that two neighbours share to the last bit needs no geometry at all: its two segments cancel. What is left is
looked up in a grid. On 200,000 parcels this takes about a second, a fifth of GEOS's coverage validator, and it
tells slits, strips of overlap, missing nodes and crossings apart, which that one does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np
import shapely
from numpy.typing import NDArray

from geo import crs

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# How two segments of different polygons lie to one another.
SLIT, STRIP, SAME_WAY, NODE, CROSSING = range(5)

NODE_M = 0.002  # nearer than this, two borders are one line (a straight line bends by less between two systems)
_TOUCH_M = 1e-6  # an end of a segment that reaches less far over another one touches it
_PARALLEL = 0.985  # cosine of 10 degrees
_CELL_M = (16.0, 240.0)


@dataclass(frozen=True, slots=True)
class Segments:
    """Directed segments with the interior of their polygon on the left.

    ``xy`` (n, 4) start and end in degrees; ``owner`` (n,) polygon; ``scale`` (n, 2) metres per degree of longitude and
    latitude there; ``shared`` (n,) whether the only other copy is the opposite one of another polygon.
    """

    xy: Floats
    owner: Ints
    scale: Floats
    shared: NDArray[np.bool_]
    # Segments that more than two polygons have, or two on the same side: (m, 2) pairs of owners.
    stacked: Ints

    def length_m(self) -> Floats:
        """Length of each segment in metres."""
        return np.hypot(
            (self.xy[:, 2] - self.xy[:, 0]) * self.scale[:, 0], (self.xy[:, 3] - self.xy[:, 1]) * self.scale[:, 1]
        )


@dataclass(frozen=True, slots=True)
class Meetings:
    """Pairs of segments that lie close or cross: ``first`` and ``second`` (n,) segments, ``kind`` (n,),
    ``length_m`` of the stretch along which they face, ``width_m`` the mean distance there, ``from_u`` and ``to_u`` the
    part of the first segment (0 … 1)."""

    first: Ints
    second: Ints
    kind: Ints
    length_m: Floats
    width_m: Floats
    from_u: Floats
    to_u: Floats


def segments_of(polygons: NDArray[np.object_]) -> Segments:
    """All segments of (n,) valid polygons and multipolygons in EPSG:4490; other kinds have none."""
    parts, of = np.asarray(polygons, dtype=object), np.arange(len(polygons))
    if (shapely.get_type_id(parts) != shapely.GeometryType.POLYGON).any():
        parts, of = shapely.get_parts(parts, return_index=True)
        areal = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON
        parts, of = parts[areal], of[areal]
    # Taking rings out of polygons costs more than all that follows; most have just the one.
    holed = shapely.get_num_interior_rings(parts) > 0
    rings, of_ring = shapely.get_rings(parts[holed], return_index=True)
    xy_plain, ring_plain = shapely.get_coordinates(parts[~holed], return_index=True)
    xy_ring, ring_ring = shapely.get_coordinates(rings, return_index=True)
    xy = np.concatenate([xy_plain, xy_ring])
    ring = np.concatenate([ring_plain, ring_ring + (~holed).sum()])
    owner_of_ring = np.concatenate([of[~holed], of[holed][of_ring]]).astype(np.int64)
    shell = np.ones(len(owner_of_ring), dtype=bool)
    shell[(~holed).sum() + 1 :] = of_ring[1:] != of_ring[:-1]
    begin = np.searchsorted(ring, np.arange(len(owner_of_ring) + 1))
    pairs, owner = _directed(np.ascontiguousarray(xy), begin, shell, owner_of_ring)
    scale = metres_per_degree(np.ascontiguousarray(pairs[:, 1]))
    shared, stacked = _twins(pairs, owner)
    return Segments(pairs, owner, scale, shared, stacked)


@numba.njit(cache=True, error_model="numpy")
def _directed(xy: Floats, begin: Ints, shell: NDArray[np.bool_], owner_of_ring: Ints) -> tuple[Floats, Ints]:
    """Segments of rings (``begin[r]:begin[r + 1]``), turned so that land is on their left; those of no length go."""
    pairs = np.empty((len(xy), 4))
    owner = np.empty(len(xy), dtype=np.int64)
    used = 0
    for r in range(len(shell)):
        low, high = begin[r], begin[r + 1]
        turn = 0.0
        for i in range(low, high - 1):
            x0, y0 = xy[i, 0] - xy[low, 0], xy[i, 1] - xy[low, 1]
            turn += x0 * (xy[i + 1, 1] - xy[low, 1]) - (xy[i + 1, 0] - xy[low, 0]) * y0
        forward = (turn > 0) == shell[r]
        for i in range(low, high - 1):
            a, b = (i, i + 1) if forward else (i + 1, i)
            if xy[a, 0] == xy[b, 0] and xy[a, 1] == xy[b, 1]:
                continue
            pairs[used, 0], pairs[used, 1], pairs[used, 2], pairs[used, 3] = xy[a, 0], xy[a, 1], xy[b, 0], xy[b, 1]
            owner[used] = owner_of_ring[r]
            used += 1
    return pairs[:used].copy(), owner[:used].copy()


def metres_per_degree(lat: Floats) -> Floats:
    """Metres per degree of longitude and of latitude on CGCS2000 at (n,) latitudes: (n, 2)."""
    scale = np.empty((len(lat), 2))
    _scale(np.asarray(lat, dtype=np.float64), crs.SEMI_MAJOR_M, crs.FLATTENING * (2 - crs.FLATTENING), scale)
    return scale


@numba.njit(cache=True, error_model="numpy")
def _scale(lat: Floats, semi_major_m: float, e2: float, scale: Floats) -> None:
    for i in range(len(lat)):
        s = np.sin(np.radians(lat[i]))
        w2 = 1.0 - e2 * s * s
        east = np.radians(semi_major_m / np.sqrt(w2))
        scale[i, 0] = east * np.sqrt(1.0 - s * s)
        scale[i, 1] = east * (1.0 - e2) / w2


def _twins(xy: Floats, owner: Ints) -> tuple[NDArray[np.bool_], Ints]:
    """Which segments are shared exactly, and pairs of owners that lie on the same side of one."""
    if len(xy) == 0:
        return np.empty(0, dtype=bool), np.empty((0, 2), dtype=np.int64)
    forward = (xy[:, 0] < xy[:, 2]) | ((xy[:, 0] == xy[:, 2]) & (xy[:, 1] < xy[:, 3]))
    key = _keys(xy, ~forward)
    order = np.argsort(key)
    sorted_key = key[order]
    begin = np.flatnonzero(np.r_[True, sorted_key[1:] != sorted_key[:-1]])
    count = np.diff(np.r_[begin, len(key)])
    shared = np.zeros(len(xy), dtype=bool)
    first, second = order[begin[count == 2]], order[begin[count == 2] + 1]
    opposite = (forward[first] != forward[second]) & (owner[first] != owner[second])
    shared[first[opposite]] = shared[second[opposite]] = True
    pairs = [np.column_stack([owner[first[~opposite]], owner[second[~opposite]]])]
    for at, many in zip(begin[count > 2], count[count > 2], strict=True):
        members = owner[order[at : at + many]]
        one, other = np.triu_indices(len(members), 1)
        pairs.append(np.column_stack([members[one], members[other]]))
    stacked = np.concatenate(pairs)
    return shared, stacked[stacked[:, 0] != stacked[:, 1]]


@numba.njit(cache=True, error_model="numpy")
def _hash_all(bits: NDArray[np.uint64], turned: NDArray[np.bool_], out: NDArray[np.uint64]) -> None:
    width = bits.shape[1]
    for i in range(len(out)):
        h = np.uint64(0x243F6A8885A308D3)
        for k in range(width):
            h = (h ^ bits[i, (k + 2) % width if turned[i] else k]) * np.uint64(0x9E3779B97F4A7C15)
            h ^= h >> np.uint64(29)
            h *= np.uint64(0xBF58476D1CE4E5B9)
            h ^= h >> np.uint64(32)
        out[i] = h


def _keys(numbers: Floats, turned: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """64 bits for each row of numbers, its halves exchanged where ``turned``; two of 10 million rows meet by chance
    once in 400,000 layers."""
    out = np.empty(len(numbers), dtype=np.uint64)
    # Adding nought turns -0.0 into 0.0, which is the same place.
    _hash_all(np.ascontiguousarray(numbers + 0.0).view(np.uint64), turned, out)
    return out


def point_numbers(xy: Floats) -> Ints:
    """The same number for the same place, to the last bit: (n,) from 0."""
    keys = _keys(xy, np.zeros(len(xy), dtype=bool))
    return np.asarray(np.unique(keys, return_inverse=True)[1], dtype=np.int64)


def meetings(segments: Segments, reach_m: float) -> Meetings:
    """Segments that are not shared against all others of other polygons, within ``reach_m``."""
    if segments.shared.all():
        none = np.empty(0, dtype=np.int64)
        return Meetings(none, none, none, *(np.empty(0) for _ in range(4)))
    scale = segments.scale.mean(axis=0)
    # Cells as long as the borders: shorter ones list each border many times, longer ones hold too many.
    cell = float(np.clip(1.5 * segments.length_m().mean(), *_CELL_M)) / scale
    origin = segments.xy[:, :2].min(axis=0)
    rows = int((segments.xy[:, 1].max() - origin[1]) / cell[1]) + 3
    grid = _Grid(origin, cell, rows, 1 << max(10, int(np.ceil(np.log2(len(segments.owner))))))
    start, items = _fill_grid(segments.xy, grid)
    # Borders that do not fit meet about once each; where they meet more often, the search is run again with room.
    room, found = max(4096, int(np.count_nonzero(~segments.shared))), -1
    while not 0 <= found <= room:
        room = max(room, found)
        pair, value = np.empty((room, 3), dtype=np.int64), np.empty((room, 4))
        found = _search(
            segments.xy, segments.scale, segments.owner, segments.shared, *grid, start, items, reach_m, pair, value
        )
    pair, value = pair[:found], value[:found]
    _, once = np.unique(pair[:, 0] * len(segments.owner) + pair[:, 1], return_index=True)
    pair, value = pair[once], value[once]
    return Meetings(pair[:, 0], pair[:, 1], pair[:, 2], value[:, 0], value[:, 1], value[:, 2], value[:, 3])


class _Grid(NamedTuple):
    """Square cells; far apart ones may share a slot, which only adds candidates, so one stray row costs no memory."""

    origin: Floats
    cell: Floats
    rows: int
    size: int  # a power of two


@numba.njit(cache=True, error_model="numpy")
def _slot(ix: int, iy: int, rows: int, size: int) -> int:
    # Neighbouring cells stay neighbours in memory.
    return (ix * rows + iy) & (size - 1)


@numba.njit(cache=True, error_model="numpy")
def _pieces(dx: float, dy: float, cx: float, cy: float) -> int:
    return max(1, int(np.ceil(max(abs(dx) / cx, abs(dy) / cy))))


@numba.njit(cache=True, error_model="numpy")
def _cells(
    x0: float, y0: float, x1: float, y1: float, origin: Floats, cell: Floats, mx: float, my: float
) -> tuple[int, int, int, int]:
    return (
        int(np.floor((min(x0, x1) - mx - origin[0]) / cell[0])),
        int(np.floor((min(y0, y1) - my - origin[1]) / cell[1])),
        int(np.floor((max(x0, x1) + mx - origin[0]) / cell[0])),
        int(np.floor((max(y0, y1) + my - origin[1]) / cell[1])),
    )


@numba.njit(cache=True, error_model="numpy")
def _enter(xy: Floats, origin: Floats, cell: Floats, rows: int, size: int, at: Ints, items: Ints) -> None:
    """Count the segments of every slot into ``at`` (``items`` empty), or write them where ``at`` stands."""
    for i in range(len(xy)):
        dx, dy = xy[i, 2] - xy[i, 0], xy[i, 3] - xy[i, 1]
        n = _pieces(dx, dy, cell[0], cell[1])
        for k in range(n):
            x, y = xy[i, 0] + dx * k / n, xy[i, 1] + dy * k / n
            left, low, right, high = _cells(x, y, x + dx / n, y + dy / n, origin, cell, 0.0, 0.0)
            for ix in range(left, right + 1):
                for iy in range(low, high + 1):
                    slot = _slot(ix, iy, rows, size)
                    if len(items):
                        items[at[slot]] = i
                    at[slot] += 1


def _fill_grid(xy: Floats, grid: _Grid) -> tuple[Ints, Ints]:
    """Segments by slot: ``items[start[slot]:start[slot + 1]]``."""
    count = np.zeros(grid.size, dtype=np.int64)
    _enter(xy, *grid, count, np.empty(0, dtype=np.int64))
    start = np.concatenate([[0], np.cumsum(count)])
    items = np.empty(start[-1], dtype=np.int64)
    _enter(xy, *grid, start[:-1].copy(), items)
    return start, items


@numba.njit(cache=True, error_model="numpy")
def _facing(
    along: float, d0: float, slope: float, t0: float, la: float, lb: float, reach: float
) -> tuple[float, float, float, float, float]:
    """The part (u0, u1) of segment a beside b within ``reach``, its length, and how far off b its ends are, in metres.

    The length is 0 where the two are not nearly parallel or do not face each other.
    """
    if abs(along) < _PARALLEL * la:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    u0, u1 = (0 - t0) / along, (lb - t0) / along
    if u0 > u1:
        u0, u1 = u1, u0
    u0, u1 = max(u0, 0.0), min(u1, 1.0)
    if abs(slope) > 1e-12:
        v0, v1 = (-reach - d0) / slope, (reach - d0) / slope
        if v0 > v1:
            v0, v1 = v1, v0
        u0, u1 = max(u0, v0), min(u1, v1)
    elif abs(d0) > reach:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    if u1 <= u0:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    return u0, u1, (u1 - u0) * abs(along), d0 + u0 * slope, d0 + u1 * slope


@numba.njit(cache=True, error_model="numpy")
def _meet(ax: float, ay: float, b: Floats, reach: float, out: Floats) -> int:
    """How segment a (from the origin to ax, ay) lies to b (x0, y0, x1, y1), in metres; -1 for not at all.

    ``out`` receives length, mean width and the part of a that faces b.
    """
    bx, by = b[2] - b[0], b[3] - b[1]
    la, lb = np.hypot(ax, ay), np.hypot(bx, by)
    ux, uy = bx / lb, by / lb
    # Along b (t) and to its left (d), for both ends of a.
    t0, d0 = -b[0] * ux - b[1] * uy, b[0] * uy - b[1] * ux
    t1, d1 = (ax - b[0]) * ux + (ay - b[1]) * uy, -(ax - b[0]) * uy + (ay - b[1]) * ux
    along = t1 - t0
    u0, u1, length, s0, s1 = _facing(along, d0, d1 - d0, t0, la, lb, reach)
    low, high = min(abs(s0), abs(s1)), max(abs(s0), abs(s1))
    # Two drawings of one straight line run through each other all the time; that is a matter of nodes, no overlap.
    one_line = length >= 0.01 and along < 0 and high <= NODE_M
    if not one_line and d0 * d1 < 0 and min(abs(d0), abs(d1)) > _TOUCH_M:
        u = d0 / (d0 - d1)
        t = t0 + u * (t1 - t0)
        if 0 < t < lb:
            # b must pass through a as well, not end on it.
            e0 = (b[0] * ay - b[1] * ax) / la
            e1 = (b[2] * ay - b[3] * ax) / la
            if min(abs(e0), abs(e1)) > _TOUCH_M:
                out[0] = out[1] = out[2] = out[3] = 0.0
                return CROSSING
    # Two borders that run apart from a common corner are no slit, unless they do so very slowly.
    if length < 0.01 or (low < 0.1 * high and high > NODE_M and length < 10 * high):
        return -1
    out[0], out[1], out[2], out[3] = length, (abs(s0) + abs(s1)) / 2, u0, u1
    if along > 0:
        return SAME_WAY
    if high <= NODE_M:
        return NODE
    if s0 * s1 < 0 and low > NODE_M:
        return CROSSING
    return STRIP if s0 + s1 > 0 else SLIT


@numba.njit(cache=True, error_model="numpy")
def _search(
    xy: Floats,
    scale: Floats,
    owner: Ints,
    shared: NDArray[np.bool_],
    origin: Floats,
    cell: Floats,
    rows: int,
    size: int,
    start: Ints,
    items: Ints,
    reach: float,
    pair: Ints,
    value: Floats,
) -> int:
    """Fill as many rows of ``pair`` (two segments, kind) and ``value`` as there are; how many there would be."""
    found = 0
    out = np.zeros(4)
    local = np.empty(4)
    for i in range(len(xy)):
        if shared[i]:
            continue
        kx, ky = scale[i]
        mx, my = reach / kx, reach / ky
        dx, dy = xy[i, 2] - xy[i, 0], xy[i, 3] - xy[i, 1]
        west, east = min(xy[i, 0], xy[i, 2]) - mx, max(xy[i, 0], xy[i, 2]) + mx
        south, north = min(xy[i, 1], xy[i, 3]) - my, max(xy[i, 1], xy[i, 3]) + my
        n = _pieces(dx, dy, cell[0], cell[1])
        for k in range(n):
            x, y = xy[i, 0] + dx * k / n, xy[i, 1] + dy * k / n
            left, low, right, high = _cells(x, y, x + dx / n, y + dy / n, origin, cell, mx, my)
            for ix in range(left, right + 1):
                for iy in range(low, high + 1):
                    at = _slot(ix, iy, rows, size)
                    for m in range(start[at], start[at + 1]):
                        j = items[m]
                        if owner[j] == owner[i] or (j < i and not shared[j]):
                            continue
                        if (
                            max(xy[j, 0], xy[j, 2]) < west
                            or min(xy[j, 0], xy[j, 2]) > east
                            or max(xy[j, 1], xy[j, 3]) < south
                            or min(xy[j, 1], xy[j, 3]) > north
                        ):
                            continue
                        local[0], local[1] = (xy[j, 0] - xy[i, 0]) * kx, (xy[j, 1] - xy[i, 1]) * ky
                        local[2], local[3] = (xy[j, 2] - xy[i, 0]) * kx, (xy[j, 3] - xy[i, 1]) * ky
                        kind = _meet(dx * kx, dy * ky, local, reach, out)
                        # Behind a shared border lies its other owner, so nothing between can be a slit.
                        if kind < 0 or (kind == SLIT and shared[j]):
                            continue
                        if found < len(pair):
                            pair[found, 0], pair[found, 1], pair[found, 2] = i, j, kind
                            for c in range(4):
                                value[found, c] = out[c]
                        found += 1
    return found
