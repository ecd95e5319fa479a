"""Cutting land: whole arrays of polygons split by lines, with a street as the gap or without one.

Everything here works in metres. A cut is two half-planes; the gap between them is the street.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def polygon_parts(
    geometries: Geometries, min_area_m2: float = 1.0, min_width_m: float = 0.0
) -> tuple[Geometries, Ints]:
    """The polygons inside geometries, small and narrow ones left out, and the index of the geometry each came from.

    Width is taken as 2·area/perimeter, which is the width of a long strip and half the side of a square.
    """
    parts, owner = shapely.get_parts(geometries, return_index=True)
    area, length = shapely.area(parts), shapely.length(parts)
    keep = (shapely.get_type_id(parts) == 3) & (area >= min_area_m2) & (2 * area >= min_width_m * length)
    return parts[keep], owner[keep].astype(np.int64)


def long_axes(polygons: Geometries) -> tuple[Floats, Floats, Floats]:
    """Centre, unit vector of the long side, and length and width of the smallest rectangle around: (n, 2) each."""
    corners = shapely.get_coordinates(shapely.oriented_envelope(polygons)).reshape(-1, 5, 2)
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 1]
    l1, l2 = np.hypot(*first.T), np.hypot(*second.T)
    swap = l2 > l1
    long = np.where(swap[:, None], second, first)
    size = np.column_stack([np.maximum(l1, l2), np.minimum(l1, l2)])
    return corners[:, :4].mean(axis=1), long / size[:, :1], size


def halves(
    polygons: Geometries, origin: Floats, along: Floats, gap_m: Floats, reach_m: Floats
) -> tuple[Geometries, Geometries, Geometries]:
    """What lies left and right of a line through ``origin`` (n, 2) in direction ``along`` (n, 2), and the line inside.

    ``gap_m`` (n,) is left out around the line; ``reach_m`` (n,) is longer than each polygon is wide.
    """
    normal = np.column_stack([-along[:, 1], along[:, 0]])
    reach = reach_m[:, None]

    def side(sign: float) -> Geometries:
        base = origin + sign * normal * (gap_m / 2)[:, None]
        far = base + sign * normal * reach
        ring = np.stack([base - along * reach, base + along * reach, far + along * reach, far - along * reach], axis=1)
        return np.asarray(shapely.intersection(polygons, shapely.polygons(ring)))

    line = shapely.linestrings(np.stack([origin - along * reach, origin + along * reach], axis=1))
    return side(1.0), side(-1.0), np.asarray(shapely.intersection(polygons, line))


@dataclass(frozen=True, slots=True)
class Manner:
    """How land of one kind is cut: target size, street widths, and how straight.

    ``elongation``: a piece longer than this times its width is cut across, else along; fields are strips (1.9),
    lots are not (1.0). ``streets`` are (area from which a cut is a street, gap in m), widest first; below them a cut
    leaves no gap.
    """

    target_m2: Floats
    elongation: Floats
    wobble_deg: float = 3.0
    spread: float = 0.35
    streets: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Pieces:
    """Result of a division: polygons, the index of the polygon each came from, street lines and their gaps in m."""

    polygons: Geometries
    parent: Ints
    street_lines: Geometries
    street_gap_m: Floats
    street_parent: Ints


def divide(
    polygons: Geometries,
    manner: Manner,
    rng: np.random.Generator,
    count: int | None = None,
    until: float = 1.5,
    min_area_m2: float = 60.0,
    min_width_m: float = 3.0,
) -> Pieces:
    """Split polygons again and again, the one largest against its target first.

    Parameters
    ----------
    polygons : (n,) polygons in metres
    manner : ``target_m2`` and ``elongation`` have shape (n,) and are inherited by the pieces
    count : stop at exactly so many pieces; without it stop when no piece exceeds ``until`` times its target
    min_area_m2, min_width_m : what is smaller is dropped (it becomes road-side ground)
    """
    land, parent = polygons, np.arange(len(polygons), dtype=np.int64)
    target = manner.target_m2 * rng.lognormal(0, manner.spread, len(land))
    lines: list[Geometries] = []
    gaps: list[Floats] = []
    owners: list[Ints] = []
    for _ in range(80):
        area = shapely.area(land)
        ratio = area / target
        if count is None:
            chosen = np.flatnonzero(ratio > until)
        else:
            room = min(count - len(land), max(1, len(land) * 2 // 5))
            chosen = np.argsort(-ratio, kind="stable")[: max(room, 0)]
            chosen = chosen[area[chosen] > 4 * min_area_m2]
        if len(chosen) == 0:
            break
        pieces = land[chosen]
        centre, axis, size = long_axes(pieces)
        across = size[:, 0] > manner.elongation[parent[chosen]] * size[:, 1]
        turn = np.radians(np.clip(rng.normal(0, manner.wobble_deg, len(pieces)), -14, 14))
        shift = rng.uniform(-0.13, 0.13, len(pieces))
        normal = np.column_stack([-axis[:, 1], axis[:, 0]])
        along = np.where(across[:, None], normal, axis)
        origin = centre + np.where(
            across[:, None], axis * (shift * size[:, 0])[:, None], normal * (shift * size[:, 1])[:, None]
        )
        c, s = np.cos(turn), np.sin(turn)
        along = np.column_stack([c * along[:, 0] - s * along[:, 1], s * along[:, 0] + c * along[:, 1]])
        gap = np.zeros(len(pieces))
        for from_area, width in sorted(manner.streets):
            gap[area[chosen] >= from_area] = width
        left, right, line = halves(pieces, origin, along, gap, size[:, 0] * 2 + 10)
        cut, owner = polygon_parts(np.r_[left, right], min_area_m2, min_width_m)
        owner = owner % len(pieces)
        if gap.any():
            wide = np.flatnonzero(gap > 0)
            lines.append(line[wide])
            gaps.append(gap[wide])
            owners.append(parent[chosen[wide]])
        stay = np.ones(len(land), dtype=bool)
        stay[chosen] = False
        base = manner.target_m2[parent[chosen]][owner]
        land = np.r_[land[stay], cut]
        target = np.r_[target[stay], base * rng.lognormal(0, manner.spread, len(cut))]
        parent = np.r_[parent[stay], parent[chosen][owner]]
        if count is not None and len(land) >= count:
            break
    empty = np.array([], dtype=object)
    return Pieces(
        land,
        parent,
        np.concatenate(lines) if lines else empty,
        np.concatenate(gaps) if gaps else np.array([]),
        np.concatenate(owners) if owners else np.array([], dtype=np.int64),
    )


def carve(polygons: Geometries, cutters: Geometries, min_area_m2: float, min_width_m: float) -> tuple[Geometries, Ints]:
    """Polygons without the land under the cutters, in parts, and the index of the polygon each part came from.

    Work goes in rounds: the k-th cutter that meets a polygon is taken away in round k, all polygons at once.
    """
    tree = shapely.STRtree(polygons)
    by_cutter, by_polygon = tree.query(cutters, predicate="intersects")
    order = np.lexsort((by_cutter, by_polygon))
    by_cutter, by_polygon = by_cutter[order], by_polygon[order]
    first = np.r_[True, by_polygon[1:] != by_polygon[:-1]] if len(by_polygon) else np.array([], dtype=bool)
    start = np.maximum.accumulate(np.where(first, np.arange(len(first)), 0)) if len(first) else first
    turn = np.arange(len(first)) - start
    land = polygons.copy()
    for k in range(int(turn.max()) + 1 if len(turn) else 0):
        now = turn == k
        land[by_polygon[now]] = shapely.difference(land[by_polygon[now]], cutters[by_cutter[now]])
    untouched = np.ones(len(land), dtype=bool)
    untouched[by_polygon] = False
    parts, owner = polygon_parts(land[~untouched], min_area_m2, min_width_m)
    return np.r_[land[untouched], parts], np.r_[np.flatnonzero(untouched), np.flatnonzero(~untouched)[owner]]
