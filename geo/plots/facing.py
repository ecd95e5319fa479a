"""Which stretches of their borders two pieces of land turn towards each other, and what blocks the view.

The length along which a piece *faces* another is the length of its border from whose points the perpendicular that
leaves the piece meets the other within reach, without first crossing the piece itself or a barrier. Along one border
edge the first hit is the lower envelope of straight segments, so the answer is exact: between two neighbouring
breakpoints (segment ends and crossings) nothing changes its order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import shapely
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Coordinates that coincide on paper differ by rounding after overlay; a millimetre is below any survey's precision.
TOUCH_M = 1e-3


@dataclass(frozen=True, slots=True)
class Edges:
    """Border edges of polygons or lines as flat arrays; polygon interiors lie to the left of each edge.

    ``xy`` is (m, 4) float64 of x0, y0, x1, y1 in metres; the edges of object ``i`` are ``start[i]:start[i + 1]``.
    """

    xy: Floats
    start: Ints

    @classmethod
    def of(cls, geometries: NDArray[np.object_]) -> Edges:
        """Edges of (n,) polygons, multipolygons or lines."""
        rings, owner = _rings(geometries)
        points, ring = shapely.get_coordinates(rings, return_index=True)
        same = ring[1:] == ring[:-1]
        xy = np.hstack([points[:-1], points[1:]])[same]
        of_object = owner[ring[:-1][same]] if len(ring) else np.empty(0, dtype=np.int64)
        count = np.bincount(of_object, minlength=len(geometries)) if len(of_object) else np.zeros(len(geometries), int)
        return cls(np.ascontiguousarray(xy), np.concatenate([[0], np.cumsum(count)]).astype(np.int64))


def _rings(geometries: NDArray[np.object_]) -> tuple[NDArray[np.object_], Ints]:
    parts, owner = shapely.get_parts(np.asarray(geometries, dtype=object), return_index=True)
    areal = shapely.get_dimensions(parts) == 2
    rings, of_part = shapely.get_rings(shapely.orient_polygons(parts[areal]), return_index=True)
    lines = parts[~areal & (shapely.get_dimensions(parts) == 1)]
    line_owner = owner[~areal & (shapely.get_dimensions(parts) == 1)]
    every = np.concatenate([rings, lines])
    owners = np.concatenate([owner[areal][of_part], line_owner]).astype(np.int64)
    order = np.argsort(owners, kind="stable")
    return every[order], owners[order]


@dataclass(frozen=True, slots=True)
class Stretches:
    """Stretches of facing, free or blocked; one row each.

    ``pair`` (k,) row of the candidate pair · ``side`` 0 seen from the first piece, 1 from the second ·
    ``quad`` (k, 8) the border stretch and its image on the other piece: p0, p1, q1, q0 ·
    ``v0_m``, ``v1_m`` distance at its two ends, linear between · ``length_m`` ·
    ``blocker`` row of the barrier that is met first, -1 where the view is free.
    """

    pair: Ints
    side: Ints
    quad: Floats
    v0_m: Floats
    v1_m: Floats
    length_m: Floats
    blocker: Ints

    def within(self, reach_m: float) -> tuple[Floats, Floats, Floats]:
        """Length of each stretch on which the distance is at most ``reach_m``, and the part (from, to in 0…1)."""
        slope = self.v1_m - self.v0_m
        with np.errstate(divide="ignore", invalid="ignore"):
            cross = (reach_m - self.v0_m) / slope
        rising, falling = slope > 0, slope < 0
        start = np.where(falling, np.clip(cross, 0, 1), 0.0)
        end = np.where(rising, np.clip(cross, 0, 1), 1.0)
        flat_out = ~rising & ~falling & (self.v0_m > reach_m)
        end = np.where(flat_out, start, end)
        return self.length_m * np.maximum(end - start, 0.0), start, end


def stretches(
    pieces: NDArray[np.object_], pairs: Ints, blockers: NDArray[np.object_], near: Ints, reach_m: float
) -> Stretches:
    """All stretches along which the pieces of each pair face each other within reach, with what blocks them.

    Parameters
    ----------
    pieces : (n,) polygons in a metric system, interiors disjoint
    pairs : (k, 2) int64, candidate pairs (distance within reach)
    blockers : (b,) polygons or lines that may not be crossed
    near : (j, 2) int64 rows (piece, blocker) within reach of each other, sorted by piece
    reach_m : float, metres
    """
    edges = Edges.of(pieces)
    walls = Edges.of(blockers)
    # Blocking edges of each piece, flattened: the edges of the blockers near it.
    counts = walls.start[near[:, 1] + 1] - walls.start[near[:, 1]] if len(near) else np.empty(0, np.int64)
    wall_owner = np.repeat(near[:, 1], counts).astype(np.int64) if len(near) else np.empty(0, np.int64)
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    wall_edge = (np.repeat(walls.start[near[:, 1]], counts) + offsets).astype(np.int64) if len(near) else wall_owner
    per_piece = (
        np.bincount(np.repeat(near[:, 0], counts), minlength=len(pieces)) if len(near) else np.zeros(len(pieces))
    )
    wall_start = np.concatenate([[0], np.cumsum(per_piece)]).astype(np.int64)
    bounds = np.ascontiguousarray(shapely.bounds(pieces).reshape(-1, 4))
    rows, quads = _scan(
        edges.xy, edges.start, bounds, np.ascontiguousarray(pairs, dtype=np.int64), walls.xy, wall_edge, wall_owner,
        wall_start, float(reach_m),
    )  # fmt: skip
    return Stretches(
        pair=rows[:, 0].astype(np.int64),
        side=rows[:, 1].astype(np.int64),
        quad=quads,
        v0_m=rows[:, 2],
        v1_m=rows[:, 3],
        length_m=rows[:, 4],
        blocker=rows[:, 5].astype(np.int64),
    )


@numba.njit(cache=True)
def _clip_to_strip(
    x0: float, y0: float, x1: float, y1: float, ox: float, oy: float, tx: float, ty: float, length: float,
    low: float, high: float, out: Floats,
) -> bool:  # fmt: skip
    """Put an edge into a border edge's frame (u along it, v outwards) and clip it to 0 ≤ u ≤ length, low ≤ v ≤ high."""
    u0 = (x0 - ox) * tx + (y0 - oy) * ty
    u1 = (x1 - ox) * tx + (y1 - oy) * ty
    v0 = (x0 - ox) * ty - (y0 - oy) * tx
    v1 = (x1 - ox) * ty - (y1 - oy) * tx
    if u0 > u1:
        u0, u1, v0, v1 = u1, u0, v1, v0
    if u1 <= 0.0 or u0 >= length or u1 - u0 < 1e-9:
        return False
    slope = (v1 - v0) / (u1 - u0)
    if u0 < 0.0:
        v0 -= slope * u0
        u0 = 0.0
    if u1 > length:
        v1 -= slope * (u1 - length)
        u1 = length
    for limit, sign in ((low, 1.0), (high, -1.0)):
        inside0 = sign * (v0 - limit) >= 0.0
        inside1 = sign * (v1 - limit) >= 0.0
        if not inside0 and not inside1:
            return False
        if inside0 != inside1:
            cross = u0 + (limit - v0) / slope
            if inside0:
                u1, v1 = cross, limit
            else:
                u0, v0 = cross, limit
    if u1 - u0 < 1e-9:
        return False
    out[0], out[1], out[2], out[3] = u0, v0, u1, v1
    return True


@numba.njit(cache=True)
def _at(record: Floats, u: float) -> float:
    """Height of a clipped edge above the border at u."""
    return record[1] + (record[3] - record[1]) * (u - record[0]) / (record[2] - record[0])


@numba.njit(cache=True)
def _scan(
    xy: Floats, start: Ints, bounds: Floats, pairs: Ints, wall_xy: Floats, wall_edge: Ints, wall_owner: Ints,
    wall_start: Ints, reach: float,
) -> tuple[Floats, Floats]:  # fmt: skip
    rows = np.empty((1024, 6))
    quads = np.empty((1024, 8))
    used = 0
    most = 0
    for p in range(pairs.shape[0]):
        for side in range(2):
            a, b = pairs[p, side], pairs[p, 1 - side]
            size = start[a + 1] - start[a] + start[b + 1] - start[b] + wall_start[a + 1] - wall_start[a]
            most = max(most, size)
    record = np.empty((most + 1, 4))
    kind = np.empty(most + 1, dtype=np.int64)  # -2 the other piece, -1 the piece itself, else the row of a barrier
    breaks = np.empty(most * 2 + 2)
    for p in range(pairs.shape[0]):
        for side in range(2):
            a, b = pairs[p, side], pairs[p, 1 - side]
            for e in range(start[a], start[a + 1]):
                ox, oy = xy[e, 0], xy[e, 1]
                dx, dy = xy[e, 2] - ox, xy[e, 3] - oy
                length = np.hypot(dx, dy)
                if length < 1e-9:
                    continue
                tx, ty = dx / length, dy / length
                # The strip in front of this edge: border edge and its copy at full reach, outwards (to the right).
                left = min(ox, xy[e, 2], ox + ty * reach, xy[e, 2] + ty * reach) - TOUCH_M
                right = max(ox, xy[e, 2], ox + ty * reach, xy[e, 2] + ty * reach) + TOUCH_M
                below = min(oy, xy[e, 3], oy - tx * reach, xy[e, 3] - tx * reach) - TOUCH_M
                above = max(oy, xy[e, 3], oy - tx * reach, xy[e, 3] - tx * reach) + TOUCH_M
                if right < bounds[b, 0] or left > bounds[b, 2] or above < bounds[b, 1] or below > bounds[b, 3]:
                    continue
                n = 0
                for f in range(start[b], start[b + 1]):
                    if max(xy[f, 0], xy[f, 2]) < left or min(xy[f, 0], xy[f, 2]) > right:
                        continue
                    if max(xy[f, 1], xy[f, 3]) < below or min(xy[f, 1], xy[f, 3]) > above:
                        continue
                    if _clip_to_strip(xy[f, 0], xy[f, 1], xy[f, 2], xy[f, 3], ox, oy, tx, ty, length, -TOUCH_M,
                                      reach + 1e-6, record[n]):  # fmt: skip
                        kind[n] = -2
                        n += 1
                targets = n
                if targets == 0:
                    continue
                for f in range(start[a], start[a + 1]):
                    if f == e:
                        continue
                    if max(xy[f, 0], xy[f, 2]) < left or min(xy[f, 0], xy[f, 2]) > right:
                        continue
                    if max(xy[f, 1], xy[f, 3]) < below or min(xy[f, 1], xy[f, 3]) > above:
                        continue
                    if _clip_to_strip(xy[f, 0], xy[f, 1], xy[f, 2], xy[f, 3], ox, oy, tx, ty, length, 1e-6, reach,
                                      record[n]):  # fmt: skip
                        kind[n] = -1
                        n += 1
                for w in range(wall_start[a], wall_start[a + 1]):
                    f = wall_edge[w]
                    if max(wall_xy[f, 0], wall_xy[f, 2]) < left or min(wall_xy[f, 0], wall_xy[f, 2]) > right:
                        continue
                    if max(wall_xy[f, 1], wall_xy[f, 3]) < below or min(wall_xy[f, 1], wall_xy[f, 3]) > above:
                        continue
                    if _clip_to_strip(wall_xy[f, 0], wall_xy[f, 1], wall_xy[f, 2], wall_xy[f, 3], ox, oy, tx, ty,
                                      length, -TOUCH_M, reach + TOUCH_M, record[n]):  # fmt: skip
                        kind[n] = wall_owner[w]
                        n += 1
                # Breakpoints: ends of all records, and crossings of the other piece's border with what may block it.
                m = 0
                for r in range(n):
                    breaks[m] = record[r, 0]
                    breaks[m + 1] = record[r, 2]
                    m += 2
                cuts = breaks[:m]
                if n > targets:
                    crossings = np.empty(targets * (n - targets))
                    c = 0
                    for r in range(targets):
                        for s in range(targets, n):
                            lo = max(record[r, 0], record[s, 0])
                            hi = min(record[r, 2], record[s, 2])
                            if hi - lo < 1e-9:
                                continue
                            d0 = _at(record[r], lo) - _at(record[s], lo)
                            d1 = _at(record[r], hi) - _at(record[s], hi)
                            if d0 * d1 < 0.0:
                                crossings[c] = lo + (hi - lo) * d0 / (d0 - d1)
                                c += 1
                    cuts = np.concatenate((cuts, crossings[:c]))
                cuts = np.sort(cuts)
                for i in range(cuts.shape[0] - 1):
                    u0, u1 = cuts[i], cuts[i + 1]
                    if u1 - u0 < 1e-9:
                        continue
                    mid = (u0 + u1) / 2
                    best = -1
                    height = np.inf
                    for r in range(targets):
                        if record[r, 0] <= mid <= record[r, 2]:
                            v = _at(record[r], mid)
                            if v < height:
                                best, height = r, v
                    if best < 0:
                        continue
                    blocker = -1
                    nearest = np.inf
                    hidden = False
                    for r in range(targets, n):
                        if record[r, 0] <= mid <= record[r, 2]:
                            v = _at(record[r], mid)
                            if kind[r] == -1:
                                # The piece itself stands in the way (a bay, a hole).
                                if v < height - 1e-6:
                                    hidden = True
                                    break
                            elif v <= height + TOUCH_M and v < nearest:
                                nearest, blocker = v, kind[r]
                    if hidden:
                        continue
                    if used == rows.shape[0]:
                        more_rows = np.empty((2 * used, 6))
                        more_quads = np.empty((2 * used, 8))
                        more_rows[:used] = rows
                        more_quads[:used] = quads
                        rows, quads = more_rows, more_quads
                    v0 = max(_at(record[best], u0), 0.0)
                    v1 = max(_at(record[best], u1), 0.0)
                    rows[used, 0], rows[used, 1] = p, side
                    rows[used, 2], rows[used, 3], rows[used, 4], rows[used, 5] = v0, v1, u1 - u0, blocker
                    quads[used, 0], quads[used, 1] = ox + tx * u0, oy + ty * u0
                    quads[used, 2], quads[used, 3] = ox + tx * u1, oy + ty * u1
                    quads[used, 4], quads[used, 5] = ox + tx * u1 + ty * v1, oy + ty * u1 - tx * v1
                    quads[used, 6], quads[used, 7] = ox + tx * u0 + ty * v0, oy + ty * u0 - tx * v0
                    used += 1
    return rows[:used], quads[:used]
