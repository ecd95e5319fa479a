"""Boundary points as lines of text, ``J1,ring,X,Y``: lines → polygons and polygons → lines, whole arrays at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from geo.layers.formats import rings as ring_rules

# A ring that meets its first point more often than this is left as it is drawn; the quality check repairs it.
_LOOPS = 1_000


@dataclass(frozen=True)
class Points:
    """Boundary points of a section: (n,) arrays; ``first``, ``second`` in the order of the file."""

    parcel: NDArray[np.int64]
    ring: NDArray[np.object_]
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    bad: NDArray[np.bool_]
    with_height: int


def parsed(lines: list[str], parcel: NDArray[np.int64]) -> Points:
    """All point lines at once: ``J1,ring,X,Y``, ``J1,X,Y``, or with a height behind.

    Parameters
    ----------
    lines : n lines of text
    parcel : (n,) int64, the parcel each belongs to
    """
    if not len(parcel):
        none = np.zeros(0)
        return Points(parcel, none.astype(object), none, none, none.astype(bool), 0)
    text = pc.replace_substring(pa.array(lines, pa.large_string()), "，", ",")
    parts = pc.split_pattern(pc.utf8_rtrim(text, ", \t"), ",")
    length = pc.list_value_length(parts).to_numpy(zero_copy_only=False)
    offset = parts.offsets.to_numpy()[:-1]
    flat = pc.utf8_trim_whitespace(parts.flatten())

    def taken(position: NDArray[np.int64], usable: NDArray[np.bool_]) -> NDArray[np.object_]:
        where = pa.array(np.where(usable, offset + position, 0), mask=~usable)
        found: NDArray[np.object_] = flat.take(where).to_pandas().to_numpy(dtype=object)
        return found

    ring_named = length >= 4
    usable = length >= 3
    start = np.where(ring_named, 2, 1)
    first = pd.to_numeric(pd.Series(taken(start, usable)), errors="coerce").to_numpy(dtype=np.float64)
    second = pd.to_numeric(pd.Series(taken(start + 1, usable)), errors="coerce").to_numpy(dtype=np.float64)
    ring = taken(np.ones_like(start), ring_named)
    ring = np.where(ring_named, ring, "1")
    bad = ~(np.isfinite(first) & np.isfinite(second))
    return Points(parcel, ring, first, second, bad, int((length > 4).sum()))


def easting_first(points: Points, good: NDArray[np.bool_], parcels: int) -> tuple[NDArray[np.bool_], list[str]]:
    """(parcels,) bool: whether the first number of a parcel's points is the easting, told by magnitude."""
    swapped = np.zeros(parcels, dtype=bool)
    owner = points.parcel[good]
    if not len(owner):
        return swapped, []
    limits = np.full((4, parcels), np.nan)
    for row, (least, values) in enumerate(
        ((True, points.first), (False, points.first), (True, points.second), (False, points.second))
    ):
        limits[row] = pd.Series(values[good]).groupby(owner).agg("min" if least else "max").reindex(range(parcels))
    first_low, first_high, second_low, second_high = limits
    ordered = _is_northing(first_low, first_high) & _is_easting(second_low, second_high)
    swapped = _is_northing(second_low, second_high) & _is_easting(first_low, first_high) & ~ordered
    degrees = (first_low >= 73) & (first_high <= 136) & (second_low >= 3) & (second_high <= 54)
    ordered |= (second_low >= 73) & (second_high <= 136) & (first_low >= 3) & (first_high <= 54)
    swapped |= degrees & ~ordered
    seen = ~np.isnan(first_low)
    notes = []
    if swapped.any():
        notes.append(f"{int(swapped.sum())} 个地块的坐标为横坐标（东）在前，已按数值大小识别")
    unclear = int((seen & ~swapped & ~ordered).sum())
    if unclear:
        notes.append(f"{unclear} 个地块不能由数值大小判断坐标顺序，按部格式取纵坐标（X，北）在前")
    return swapped, notes


def _is_northing(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.bool_]:
    return (low > 1.0e6) & (high < 6.2e6)


def _is_easting(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.bool_]:
    # Within half a zone of the meridian at most, with the zone in front or without it.
    return ((low > 5e4) & (high < 9.5e5)) | ((low > 1.3e7) & (high < 4.6e7))


@dataclass(frozen=True)
class Assembled:
    geometry: NDArray[np.object_]
    rings: NDArray[np.int64]  # of each parcel
    faults: dict[int, str]
    notes: list[str]


def assembled(
    parcel: NDArray[np.int64],
    ring_name: NDArray[np.object_],
    xy: NDArray[np.float64],
    parcels: int,
    numbers: NDArray[np.int64],
) -> Assembled:
    """Points → a polygon or multipolygon for each parcel; rings are told by ring number, and by where they close."""
    geometry = np.full(parcels, None, dtype=object)
    counts = np.zeros(parcels, dtype=np.int64)
    if not len(parcel):
        return Assembled(geometry, counts, {}, [])
    opens = np.r_[True, (parcel[1:] != parcel[:-1]) | (ring_name[1:] != ring_name[:-1])]
    repeated = np.r_[False, (xy[1:] == xy[:-1]).all(axis=1)] & ~opens
    parcel, xy, numbers, opens = parcel[~repeated], xy[~repeated], numbers[~repeated], opens[~repeated]
    for _ in range(
        _LOOPS
    ):  # a ring that meets its own first point ends there; once per loop drawn under one ring number
        start = np.maximum.accumulate(np.where(opens, np.arange(len(opens)), 0))
        closes = (xy == xy[start]).all(axis=1) & ~opens
        begins = np.r_[False, closes[:-1]] & ~opens
        # Only the first closing of each ring counts, later ones are told again from their new start.
        ring = np.cumsum(opens) - 1
        position = np.flatnonzero(begins)
        if not len(position):
            break
        opens[position[np.unique(ring[position], return_index=True)[1]]] = True
    ring = np.cumsum(opens) - 1
    first = np.flatnonzero(opens)
    last = np.r_[first[1:], len(xy)] - 1
    closed = (xy[first] == xy[last]).all(axis=1) & (last > first)
    corners = last - first + 1 - closed
    owner = parcel[first]
    faults: dict[int, str] = {}
    for short in np.flatnonzero(corners < 3):
        faults.setdefault(int(owner[short]), f"第 {numbers[first[short]]} 行起的界址圈只有 {corners[short]} 个点")
    sound = ~np.isin(owner, list(faults))
    notes = []
    unclosed = int((~closed & sound).sum())
    if unclosed:
        notes.append(f"{unclosed} 个界址圈首尾不相接，已闭合")
    counts += np.bincount(owner, minlength=parcels)
    keep = sound[ring]
    if keep.any():
        made = np.asarray(shapely.linearrings(xy[keep], indices=np.unique(ring[keep], return_inverse=True)[1]))
        nested = ring_rules.nest(made, owner[sound])
        parts, shells = ring_rules.polygons(made, nested)
        whose = owner[sound][shells]
        single = np.bincount(whose, minlength=parcels)[whose] == 1
        geometry[whose[single]] = parts[single]
        several, indices = np.unique(whose[~single], return_inverse=True)
        if len(several):
            geometry[several] = shapely.multipolygons(parts[~single], indices=indices)
        holes = int(nested.is_hole.sum())
        if holes:
            notes.append(f"按几何关系识别出 {holes} 个内圈（孔洞）")
        if len(several):
            notes.append(f"{len(several)} 个地块由多个部分组成")
    return Assembled(geometry, counts, faults, notes)


def written(geometries: NDArray[np.object_]) -> list[tuple[int, str]]:
    """Point count and point lines of each (multi)polygon; (0, "") where nothing is left of it in millimetres.

    Parameters
    ----------
    geometries : (n,) object array of polygons and multipolygons in metres, easting first
    """
    turned = shapely.orient_polygons(geometries, exterior_cw=True)
    parts, part_owner = shapely.get_parts(turned, return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    if not len(rings):
        return [(0, "")] * len(geometries)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    xy = np.round(xy, 3) + 0.0
    follows = np.r_[False, ring[1:] == ring[:-1]]
    again = follows & np.r_[False, (xy[1:] == xy[:-1]).all(axis=1)]
    xy, ring = xy[~again], ring[~again]
    size = np.bincount(ring, minlength=len(rings)) - 1  # without the closing point
    closing = np.r_[ring[1:] != ring[:-1], True]
    sound = (size >= 3)[ring] & ~closing
    xy, ring = xy[sound], ring[sound]
    kept, ring = np.unique(ring, return_inverse=True)
    owner_of_ring = part_owner[ring_part[kept]]
    size = np.bincount(ring, minlength=len(kept))
    if not len(kept):
        return [(0, "")] * len(geometries)
    first = np.r_[0, np.cumsum(size)[:-1]]
    west = np.minimum.reduceat(xy[:, 0], first)
    north = np.maximum.reduceat(xy[:, 1], first)
    from_corner = (xy[:, 0] - west[ring]) ** 2 + (xy[:, 1] - north[ring]) ** 2
    nearest = np.lexsort((from_corner, ring))[first] - first
    # size + 1 lines a ring: from the vertex nearest the corner around to it again.
    lines = size + 1
    line_ring = np.repeat(np.arange(len(kept)), lines)
    step = np.arange(lines.sum()) - np.repeat(np.r_[0, np.cumsum(lines)[:-1]], lines)
    turn = step % size[line_ring]
    at = first[line_ring] + (nearest[line_ring] + turn) % size[line_ring]
    new_owner = np.r_[True, owner_of_ring[1:] != owner_of_ring[:-1]]
    first_ring = np.maximum.accumulate(np.where(new_owner, np.arange(len(kept)), 0))
    ring_number = np.arange(len(kept)) - first_ring + 1
    point_number = 1 + first[line_ring] - first[first_ring][line_ring] + turn
    easting, northing = xy[at, 0].tolist(), xy[at, 1].tolist()
    text = [
        f"J{j},{r},{n:.3f},{e:.3f}\n"
        for j, r, n, e in zip(point_number.tolist(), ring_number[line_ring].tolist(), northing, easting, strict=True)
    ]
    count = np.bincount(owner_of_ring, lines, minlength=len(geometries)).astype(int)
    end = np.cumsum(count)
    return [(int(n), "".join(text[stop - n : stop])) for n, stop in zip(count, end, strict=True)]
