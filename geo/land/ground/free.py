"""What is free of a parcel, by a kernel: the parcel without its buildings and the aprons around them.

Where no three lines meet and none lies on another, the border of what is left consists of the stretches of the parcel's
border outside all aprons and the stretches of the aprons' borders inside the parcel and outside all others; at each
crossing one ends and one begins, so that they chain up to rings. Whatever is not so plain is left to GEOS.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from geo.land.ground.outlines import TALL_DEGREES, Flags, Floats, Ints

MITRE_LIMIT = 5.0
_SAFE_M = 1e-6  # what comes nearer than this may as well touch
_EDGES, _POLYGONS, _CROSSINGS = 400, 64, 1600


class _Room(NamedTuple):
    """Working space for one parcel after the other; edge ``e`` begins at node ``e``, crossing ``c`` is node
    ``_EDGES + c``."""

    node: Floats  # x, y of every node, metres
    drawn: Floats  # x, y of the ring being widened
    to: Ints  # edge that follows an edge
    polygon: Ints  # polygon of an edge, 0 the parcel
    first: Ints  # first edge of a polygon
    bent: Flags  # whether a polygon's own edges might meet
    crossing: Ints  # the two edges of a crossing
    at: Floats  # where on them it lies, 0 … 1
    start: Ints  # crossings of edge e: item[start[e]:start[e + 1]], each as 2 × crossing + which of its edges
    item: Ints
    inside: Flags  # polygons that the walker is in
    leads: Ints  # node that follows a node on the border of the free land
    ring: Ints  # ring of a node
    area: Floats  # twice the area of a ring
    moment: Floats  # six times its first moment, northwards
    head: Ints  # a node of a ring
    around: Ints  # ring around a hole


@numba.njit(cache=True, error_model="numpy")
def all_free(
    parcel: Ints, start: Ints, house: Ints, xy: Floats, last: Flags, begin: Ints, end: Ints, turn: Floats,
    scale: Floats, hxy: Floats, hlast: Flags, hbegin: Ints, hend: Ints, hturn: Floats, hrings: Ints, apron: float,
) -> Floats:  # fmt: skip
    """Square degrees and latitude of the centroid of the largest piece and of all pieces: (4, k), else ``nan``."""
    nodes = _EDGES + _CROSSINGS
    room = _Room(
        np.empty((nodes, 2)), np.empty((_EDGES, 2)), np.empty(_EDGES, np.int64), np.empty(_EDGES, np.int64),
        np.empty(_POLYGONS + 1, np.int64), np.empty(_POLYGONS, np.bool_), np.empty((_CROSSINGS, 2), np.int64),
        np.empty((_CROSSINGS, 2)),
        np.empty(_EDGES + 1, np.int64), np.empty(2 * _CROSSINGS, np.int64), np.empty(_POLYGONS, np.bool_),
        np.empty(nodes, np.int64), np.empty(nodes, np.int64), np.empty(nodes), np.empty(nodes),
        np.empty(nodes, np.int64), np.empty(nodes, np.int64),
    )  # fmt: skip
    result = np.full((4, len(parcel)), np.nan)
    for k in range(len(parcel)):
        p = parcel[k]
        points = end[p] - begin[p]
        for m in range(start[k], start[k + 1]):
            points += hend[house[m]] - hbegin[house[m]]
        if begin[p] == end[p] or points > _EDGES or start[k + 1] - start[k] + 1 > _POLYGONS:
            continue
        x0, y0, kx, ky = xy[begin[p], 0], xy[begin[p], 1], scale[p, 0], scale[p, 1]
        room.first[0] = 0
        edges = _enter_rings(room, 0, 0, xy, last, begin[p], end[p], turn[p] > 0, x0, y0, kx, ky)
        polygons = 1
        for m in range(start[k], start[k + 1]):
            if edges < 0:
                break
            b = house[m]
            room.first[polygons] = edges
            if apron == 0:
                edges = _enter_rings(
                    room, edges, polygons, hxy, hlast, hbegin[b], hend[b], hturn[b] < 0, x0, y0, kx, ky
                )
            elif hrings[b] != 1:
                edges = -1
            else:
                edges = _enter_apron(
                    room, edges, polygons, hxy, hbegin[b], hend[b], hturn[b] > 0, x0, y0, kx, ky, apron
                )
            polygons += 1
        if edges < 0:
            continue
        room.first[polygons] = edges
        crossings = _meet(room, edges)
        if crossings < 0 or not _walk(room, edges, polygons, crossings):
            continue
        area, moment, whole, first = _largest(room, edges, crossings)
        result[0, k], result[2, k] = area / (kx * ky), whole / (kx * ky)
        result[1, k] = y0 + (moment / area / ky if area > 0 else 0.0)
        result[3, k] = y0 + (first / whole / ky if whole > 0 else 0.0)
    return result


@numba.njit(cache=True, error_model="numpy")
def _near(ax: float, ay: float, bx: float, by: float) -> bool:
    return (ax - bx) * (ax - bx) + (ay - by) * (ay - by) <= _SAFE_M * _SAFE_M


@numba.njit(cache=True, error_model="numpy")
def _enter_ring(
    points: Floats, count: int, xy: Floats, low: int, high: int, forward: bool, x0: float, y0: float, kx: float,
    ky: float,
) -> int:  # fmt: skip
    """Put a ring's points (the closing one apart) behind the first ``count`` ones, in metres, repeated ones once."""
    begin = count
    for n in range(high - low - 1):
        i = low + n if forward else high - 1 - n
        x, y = (xy[i, 0] - x0) * kx, (xy[i, 1] - y0) * ky
        if count > begin and _near(x, y, points[count - 1, 0], points[count - 1, 1]):
            continue
        points[count, 0], points[count, 1] = x, y
        count += 1
    while count > begin + 1 and _near(points[begin, 0], points[begin, 1], points[count - 1, 0], points[count - 1, 1]):
        count -= 1
    return count if count >= begin + 3 else -1


@numba.njit(cache=True, error_model="numpy")
def _link(room: _Room, begin: int, count: int, polygon: int) -> None:
    for e in range(begin, count):
        room.to[e] = e + 1
        room.polygon[e] = polygon
    room.to[count - 1] = begin


@numba.njit(cache=True, error_model="numpy")
def _enter_rings(
    room: _Room, before: int, polygon: int, xy: Floats, last: Flags, low: int, high: int, forward: bool, x0: float,
    y0: float, kx: float, ky: float,
) -> int:  # fmt: skip
    """Put all rings of a polygon in; how many edges there are then, -1 where a ring is none or too far away."""
    count, begin = before, low
    for i in range(low, high):
        if not last[i]:
            continue
        of_ring = count
        count = _enter_ring(room.node, count, xy, begin, i + 1, forward, x0, y0, kx, ky)
        if count < 0:
            return -1
        _link(room, of_ring, count, polygon)
        room.bent[polygon] = of_ring > before  # several rings may touch
        begin = i + 1
    # Too tall a parcel has no scale of its own.
    for e in range(before, count):
        if abs(room.node[e, 1]) > TALL_DEGREES * ky:
            return -1
    return count


@numba.njit(cache=True, error_model="numpy")
def _enter_apron(
    room: _Room, before: int, polygon: int, xy: Floats, low: int, high: int, forward: bool, x0: float, y0: float,
    kx: float, ky: float, apron: float,
) -> int:  # fmt: skip
    """Put the edges around a building's apron in, building on their right; -1 where corners are too sharp or narrow."""
    ring, node = room.drawn, room.node
    n = _enter_ring(ring, 0, xy, low, high, forward, x0, y0, kx, ky)
    if n < 0:
        return -1
    bent = False
    for i in range(n):
        h, j = i - 1 if i > 0 else n - 1, i + 1 if i < n - 1 else 0
        ax, ay = ring[i, 0] - ring[h, 0], ring[i, 1] - ring[h, 1]
        bx, by = ring[j, 0] - ring[i, 0], ring[j, 1] - ring[i, 1]
        la, lb = np.sqrt(ax * ax + ay * ay), np.sqrt(bx * bx + by * by)
        # Outward normals of both edges; their sum points to the mitred corner.
        mx, my = ay / la + by / lb, -ax / la - bx / lb
        stretch = 1.0 + (ax * bx + ay * by) / (la * lb)
        if stretch < 2.0 / (MITRE_LIMIT * MITRE_LIMIT):
            return -1
        # The aprons on either side of a recess may meet; around convex buildings they cannot.
        bent |= ax * by - ay * bx < 0
        at = before + n - 1 - i
        node[at, 0], node[at, 1] = ring[i, 0] + apron * mx / stretch, ring[i, 1] + apron * my / stretch
    for i in range(n):
        j = i + 1 if i < n - 1 else 0
        a, b = before + n - 1 - i, before + n - 1 - j
        along = (node[b, 0] - node[a, 0]) * (ring[j, 0] - ring[i, 0])
        along += (node[b, 1] - node[a, 1]) * (ring[j, 1] - ring[i, 1])
        if along <= _SAFE_M * _SAFE_M:
            return -1  # a recess that its apron fills
    _link(room, before, before + n, polygon)
    room.bent[polygon] = bent
    return before + n


@numba.njit(cache=True, error_model="numpy")
def _meet(room: _Room, edges: int) -> int:
    """Find all crossings of edges of different polygons and sort them along each edge; -1 where some only touch."""
    node, to, polygon = room.node, room.to, room.polygon
    found = 0
    for e in range(edges):
        ax, ay, bx, by = node[e, 0], node[e, 1], node[to[e], 0], node[to[e], 1]
        west, east = min(ax, bx) - _SAFE_M, max(ax, bx) + _SAFE_M
        south, north = min(ay, by) - _SAFE_M, max(ay, by) + _SAFE_M
        length = np.sqrt((bx - ax) ** 2 + (by - ay) ** 2)
        own = polygon[e]
        for f in range(e + 1 if room.bent[own] else room.first[own + 1], edges):
            cx, cy, dx, dy = node[f, 0], node[f, 1], node[to[f], 0], node[to[f], 1]
            if max(cx, dx) < west or min(cx, dx) > east or max(cy, dy) < south or min(cy, dy) > north:
                continue
            if own == polygon[f] and (to[e] == f or to[f] == e):
                continue
            other = np.sqrt((dx - cx) ** 2 + (dy - cy) ** 2)
            # How far the ends of either lie to the left of the other.
            c = ((bx - ax) * (cy - ay) - (by - ay) * (cx - ax)) / length
            d = ((bx - ax) * (dy - ay) - (by - ay) * (dx - ax)) / length
            a = ((dx - cx) * (ay - cy) - (dy - cy) * (ax - cx)) / other
            b = ((dx - cx) * (by - cy) - (dy - cy) * (bx - cx)) / other
            if (
                (abs(c) <= _SAFE_M and _beside(ax, ay, bx, by, cx, cy, length))
                or (abs(d) <= _SAFE_M and _beside(ax, ay, bx, by, dx, dy, length))
                or (abs(a) <= _SAFE_M and _beside(cx, cy, dx, dy, ax, ay, other))
                or (abs(b) <= _SAFE_M and _beside(cx, cy, dx, dy, bx, by, other))
            ):
                return -1
            if c * d < 0 and a * b < 0:
                if own == polygon[f] or found == _CROSSINGS:
                    return -1
                room.crossing[found, 0], room.crossing[found, 1] = e, f
                t = a / (a - b)
                room.at[found, 0], room.at[found, 1] = t, c / (c - d)
                node[_EDGES + found, 0], node[_EDGES + found, 1] = ax + t * (bx - ax), ay + t * (by - ay)
                found += 1
    return found if _sort_crossings(room, edges, found) else -1


@numba.njit(cache=True, error_model="numpy")
def _beside(ax: float, ay: float, bx: float, by: float, x: float, y: float, length: float) -> bool:
    along = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length
    return -_SAFE_M <= along <= length + _SAFE_M


@numba.njit(cache=True, error_model="numpy")
def _sort_crossings(room: _Room, edges: int, crossings: int) -> bool:
    """Fill ``start`` and ``item``; whether no two crossings of an edge fall together."""
    start, item, node = room.start, room.item, room.node
    used = room.ring  # free until the rings are traced
    start[0] = 0
    for e in range(edges):
        start[e + 1] = used[e] = 0
    for c in range(crossings):
        start[room.crossing[c, 0] + 1] += 1
        start[room.crossing[c, 1] + 1] += 1
    for e in range(edges):
        start[e + 1] += start[e]
    for c in range(crossings):
        for side in range(2):
            e = room.crossing[c, side]
            t = room.at[c, side]
            place = start[e] + used[e]
            while place > start[e] and room.at[item[place - 1] // 2, item[place - 1] % 2] > t:
                item[place] = item[place - 1]
                place -= 1
            item[place] = 2 * c + side
            used[e] += 1
    for e in range(edges):
        for place in range(start[e] + 1, start[e + 1]):
            one, other = _EDGES + item[place - 1] // 2, _EDGES + item[place] // 2
            if _near(node[one, 0], node[one, 1], node[other, 0], node[other, 1]):
                return False
    return True


@numba.njit(cache=True, error_model="numpy")
def _walk(room: _Room, edges: int, polygons: int, crossings: int) -> bool:
    """Walk around every ring and note where it borders free land; whether it all fits together."""
    inside, leads, to = room.inside, room.leads, room.to
    for n in range(edges + crossings):
        at = n if n < edges else _EDGES + n - edges
        leads[at] = room.ring[at] = -1
    e = 0
    while e < edges:
        head, own = e, room.polygon[e]
        covers = 0
        for q in range(polygons):
            inside[q] = q != own and _contains(room, q, room.node[head, 0], room.node[head, 1])
            covers += inside[q] and q > 0
        began, beginning = inside[0], covers
        ended = False
        while not ended:
            at = e
            for place in range(room.start[e], room.start[e + 1]):
                c, side = room.item[place] // 2, room.item[place] % 2
                if covers == 0 and (own == 0 or inside[0]):
                    leads[at] = _EDGES + c
                at = _EDGES + c
                q = room.polygon[room.crossing[c, 1 - side]]
                inside[q] = not inside[q]
                if q > 0:
                    covers += 1 if inside[q] else -1
            if covers == 0 and (own == 0 or inside[0]):
                leads[at] = to[e]
            ended = to[e] == head
            e += 1
        if inside[0] != began or covers != beginning:
            return False
    return True


@numba.njit(cache=True, error_model="numpy")
def _contains(room: _Room, polygon: int, x: float, y: float) -> bool:
    within = False
    for e in range(room.first[polygon], room.first[polygon + 1]):
        ax, ay = room.node[e, 0], room.node[e, 1]
        bx, by = room.node[room.to[e], 0], room.node[room.to[e], 1]
        if (ay > y) != (by > y) and x < ax + (y - ay) * (bx - ax) / (by - ay):
            within = not within
    return within


@numba.njit(cache=True, error_model="numpy")
def _largest(room: _Room, edges: int, crossings: int) -> tuple[float, float, float, float]:
    """Area and first moment of the largest piece that the noted borders enclose, and of all; ``nan`` where they do not
    close."""
    ring, leads, node = room.ring, room.leads, room.node
    rings, pieces, piece = 0, 0, -1
    for n in range(edges + crossings):
        head = n if n < edges else _EDGES + n - edges
        if leads[head] < 0 or ring[head] >= 0:
            continue
        area, moment, at = 0.0, 0.0, head
        while ring[at] < 0:
            ring[at] = rings
            after = leads[at]
            if after < 0:
                return np.nan, np.nan, np.nan, np.nan
            cross = node[at, 0] * node[after, 1] - node[after, 0] * node[at, 1]
            area += cross
            moment += cross * (node[at, 1] + node[after, 1])
            at = after
        if at != head:
            return np.nan, np.nan, np.nan, np.nan
        room.area[rings], room.moment[rings], room.head[rings] = area, moment, head
        if area > 0:
            pieces += 1
            piece = rings
        rings += 1
    if pieces == 0:
        return 0.0, 0.0, 0.0, 0.0
    for hole in range(rings):
        if room.area[hole] <= 0:
            room.around[hole] = piece if pieces == 1 else _ring_around(room, rings, hole)
            if room.around[hole] < 0:
                return np.nan, np.nan, np.nan, np.nan
    best, moment, whole, first = 0.0, 0.0, 0.0, 0.0
    for outer in range(rings):
        if room.area[outer] <= 0:
            continue
        left, shift = room.area[outer], room.moment[outer]
        for hole in range(rings):
            if room.area[hole] <= 0 and room.around[hole] == outer:
                left += room.area[hole]
                shift += room.moment[hole]
        whole += left
        first += shift
        if left > best:
            best, moment = left, shift
    return best / 2, moment / 6, whole / 2, first / 6


@numba.njit(cache=True, error_model="numpy")
def _ring_around(room: _Room, rings: int, hole: int) -> int:
    """The smallest ring that has a hole inside, -1 for none."""
    node, leads = room.node, room.leads
    x, y = node[room.head[hole], 0], node[room.head[hole], 1]
    best = -1
    for outer in range(rings):
        if room.area[outer] <= 0 or (best >= 0 and room.area[outer] >= room.area[best]):
            continue
        within, at = False, room.head[outer]
        while True:
            after = leads[at]
            ax, ay, bx, by = node[at, 0], node[at, 1], node[after, 0], node[after, 1]
            if (ay > y) != (by > y) and x < ax + (y - ay) * (bx - ax) / (by - ay):
                within = not within
            at = after
            if at == room.head[outer]:
                break
        if within:
            best = outer
    return best
