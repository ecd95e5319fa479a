"""What may not be built on is cut from the parcels first; every cut says what it cost.

Order: overlaps (to the smaller parcel), control lines, barriers that may not be crossed, set-backs, slivers. What is
left are the *pieces*, the nodes of the contiguity relation. All geometry here is in the local metric zone.
"""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo.plots.parameters import FORBIDDEN_LAND, NEVER_CROSSED, PlotRules

Geometries = NDArray[np.object_]

# Constraints with more vertices are cut into tiles: parcels minus two redlines of 249,000 vertices took 302 s with the
# whole polygons and 0.7 s with tiles, areas equal.
TILE_VERTICES = 256


@dataclass(frozen=True, slots=True)
class Walls:
    """What may not be crossed in a gap: ``geometry`` (b,), its ``kind`` and ``name`` (b,)."""

    geometry: Geometries
    kind: NDArray[np.object_]
    name: NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Pieces:
    """What is left of the eligible parcels.

    ``geometry`` (n,) polygons · ``parcel`` (n,) row of the parcel each belongs to · ``losses`` one row per parcel and
    reason with the metric ``geometry`` that was taken (``overlap``, a control-line kind, a barrier kind, ``setback``,
    ``sliver``) · ``walls`` what the gap may not cross · ``unassessed`` barriers whose width is missing.
    """

    geometry: Geometries
    parcel: NDArray[np.int64]
    losses: pd.DataFrame
    walls: Walls
    unassessed: tuple[str, ...]


def subdivide(geometries: Geometries, max_vertices: int = TILE_VERTICES) -> Geometries:
    """Polygons cut into tiles of at most ``max_vertices`` vertices each, halving the longer side of the box.

    Parameters
    ----------
    geometries : (n,) polygons or multipolygons
    max_vertices : int, at least 8

    Returns
    -------
    (m,) polygons with disjoint interiors that cover the same ground
    """
    todo = shapely.get_parts(geometries)
    done: list[Geometries] = []
    while len(todo):
        heavy = shapely.get_num_coordinates(todo) > max(max_vertices, 8)
        done.append(todo[~heavy])
        todo = todo[heavy]
        if len(todo) == 0:
            break
        west, south, east, north = shapely.bounds(todo).T
        wide = (east - west) >= (north - south)
        x, y = (west + east) / 2, (south + north) / 2
        first = shapely.box(west, south, np.where(wide, x, east), np.where(wide, north, y))
        second = shapely.box(np.where(wide, x, west), np.where(wide, south, y), east, north)
        halves = np.concatenate([shapely.intersection(todo, first), shapely.intersection(todo, second)])
        todo = polygonal_parts(halves)
    return np.concatenate(done) if done else np.empty(0, dtype=object)


def polygonal_parts(geometries: Geometries) -> Geometries:
    """Every polygon in (n,) geometries; points and lines that overlay leaves behind are passed over."""
    parts = shapely.get_parts(shapely.get_parts(geometries))
    return parts[(shapely.get_type_id(parts) == shapely.GeometryType.POLYGON) & ~shapely.is_empty(parts)]


def polygonal(geometries: Geometries) -> Geometries:
    """(n,) geometries without the points and lines that overlay leaves in collections."""
    result = geometries.copy()
    for row in np.flatnonzero(shapely.get_type_id(result) == shapely.GeometryType.GEOMETRYCOLLECTION):
        result[row] = shapely.multipolygons(polygonal_parts(result[[row]]))
    result[shapely.get_dimensions(result) < 2] = shapely.from_wkt("POLYGON EMPTY")
    return result


def subtract(targets: Geometries, constraints: Geometries) -> tuple[Geometries, Geometries]:
    """Targets minus constraints, and what was taken; only targets that meet a constraint are touched.

    Parameters
    ----------
    targets : (n,) polygons
    constraints : (m,) polygons, of any size and overlapping each other or not

    Returns
    -------
    kept : (n,) geometries, empty where nothing is left
    taken : (n,) geometries, ``None`` where nothing was taken
    """
    kept = targets.copy()
    taken = np.full(len(targets), None, dtype=object)
    tiles = subdivide(constraints)
    if len(tiles) == 0 or len(targets) == 0:
        return kept, taken
    tile, target = shapely.STRtree(targets).query(tiles, predicate="intersects")
    if len(tile) == 0:
        return kept, taken
    rows, groups = _union_by(target, tiles[tile])
    kept[rows] = polygonal(shapely.difference(targets[rows], groups))
    removed = polygonal(shapely.intersection(targets[rows], groups))
    taken[rows] = _real(removed)
    return kept, taken


def _real(geometries: Geometries) -> Geometries:
    """Geometries that have area; ``None`` in place of the others."""
    result = geometries.copy()
    result[shapely.area(geometries) <= 0] = None
    return result


def _union_by(owner: NDArray[np.int64], geometries: Geometries) -> tuple[NDArray[np.int64], Geometries]:
    """Owners that occur, ascending, and the union of the geometries of each."""
    order = np.argsort(owner, kind="stable")
    rows, start = np.unique(owner[order], return_index=True)
    groups = np.split(geometries[order], start[1:])
    merged = np.empty(len(groups), dtype=object)
    merged[:] = [group[0] if len(group) == 1 else shapely.union_all(group) for group in groups]
    return rows, merged


def resolve_overlaps(geometries: Geometries, parcel_id: NDArray[np.object_]) -> tuple[Geometries, Geometries]:
    """Land that several parcels claim belongs to the smaller one (then the smaller id), so that it counts once.

    Parameters
    ----------
    geometries : (n,) valid polygons or multipolygons, metric
    parcel_id : (n,) str

    Returns
    -------
    resolved, taken : (n,) as in :func:`subtract`
    """
    taken = np.full(len(geometries), None, dtype=object)
    if len(geometries) < 2:
        return geometries.copy(), taken
    first, second = shapely.STRtree(geometries).query(geometries, predicate="intersects")
    upper = first < second
    first, second = first[upper], second[upper]
    inner = ~shapely.touches(geometries[first], geometries[second])
    first, second = first[inner], second[inner]
    if len(first) == 0:
        return geometries.copy(), taken
    shared = shapely.area(shapely.intersection(geometries[first], geometries[second])) > 0
    first, second = first[shared], second[shared]
    area = np.round(shapely.area(geometries), 4)  # equal stacks must tie, so that the id decides
    rank = np.lexsort((parcel_id.astype(str), area)).argsort()
    loser = np.where(rank[first] > rank[second], first, second)
    winner = first + second - loser
    rows, claims = _union_by(loser, geometries[winner])
    resolved = geometries.copy()
    resolved[rows] = polygonal(shapely.difference(geometries[rows], claims))
    removed = polygonal(shapely.intersection(geometries[rows], claims))
    taken[rows] = _real(removed)
    return resolved, taken


def barrier_ground(barriers: gpd.GeoDataFrame) -> Geometries:
    """The ground a barrier takes: its polygon, or its line widened by half its width with flat ends.

    A dead end does not reach past its last point; where several lines meet, ``_joints`` closes the wedge between their
    flat ends. A line without width stays a line.
    """
    geometry = np.asarray(barriers.geometry.array)
    width = barriers["width_m"].to_numpy(dtype=float, na_value=np.nan)
    dimension = shapely.get_dimensions(geometry)
    wide = (dimension == 1) & (width > 0)
    ground = geometry.copy()
    ground[wide] = shapely.buffer(geometry[wide], width[wide] / 2, cap_style="flat", join_style="round")
    return ground


def _joints(barriers: gpd.GeoDataFrame) -> tuple[Geometries, NDArray[np.int64]]:
    """Discs where ends of several wide lines meet, and the row each belongs to."""
    geometry = np.asarray(barriers.geometry.array)
    width = barriers["width_m"].to_numpy(dtype=float, na_value=np.nan)
    wide = np.flatnonzero((shapely.get_dimensions(geometry) == 1) & (width > 0))
    lines, part_owner = shapely.get_parts(geometry[wide], return_index=True)
    if len(lines) == 0:
        return np.empty(0, dtype=object), np.empty(0, dtype=np.int64)
    ends = np.concatenate([shapely.get_point(lines, 0), shapely.get_point(lines, -1)])
    owner = wide[np.concatenate([part_owner, part_owner])]
    _, place, count = np.unique(
        np.round(shapely.get_coordinates(ends), 3), axis=0, return_inverse=True, return_counts=True
    )
    shared = count[place.ravel()] > 1
    return shapely.buffer(ends[shared], width[owner[shared]] / 2), owner[shared]


def walls_of(barriers: gpd.GeoDataFrame | None, rules: PlotRules) -> tuple[Walls, tuple[str, ...]]:
    """Barriers that may not be crossed, as ground (polygons, or lines without width), and those not assessable.

    A local road without a width cannot be shown to be narrow enough, so it is not crossed, and is named.
    """
    if barriers is None or barriers.empty:
        nothing = np.empty(0, dtype=object)
        return Walls(nothing, nothing, nothing), ()
    width = barriers["width_m"].to_numpy(dtype=float, na_value=np.nan)
    kind = barriers["kind"].to_numpy(dtype=object)
    local = kind == "local_road"
    unknown = local & np.isnan(width)
    never = np.isin(kind, NEVER_CROSSED) | (local & (width > rules.road_width_limit_m)) | unknown
    chosen = barriers[never]
    discs, owner = _joints(chosen)
    names = chosen["name"].to_numpy(dtype=object)
    kinds = kind[never]
    walls = Walls(
        np.concatenate([barrier_ground(chosen), discs]),
        np.concatenate([kinds, kinds[owner]]),
        np.concatenate([names, names[owner]]),
    )
    return walls, tuple(barriers["barrier_id"].to_numpy(dtype=object)[unknown])


def _setbacks(barriers: gpd.GeoDataFrame) -> Geometries:
    """Ground within the set-back of any barrier that has one, the barrier included."""
    setback = barriers["setback_m"].to_numpy(dtype=float, na_value=np.nan)
    chosen = barriers[setback > 0]
    return shapely.buffer(barrier_ground(chosen), setback[setback > 0], quad_segs=16)


def cut(
    parcels: gpd.GeoDataFrame,
    control_lines: gpd.GeoDataFrame | None,
    barriers: gpd.GeoDataFrame | None,
    rules: PlotRules,
) -> Pieces:
    """Cut exclusions and barriers from the eligible parcels.

    Parameters
    ----------
    parcels : eligible parcels with ``parcel_id``, repaired, in the metric zone
    control_lines, barriers : layers in the same system, or ``None`` where the district has none
    """
    taken: list[tuple[str, Geometries]] = []
    land, lost = resolve_overlaps(np.asarray(parcels.geometry.array), parcels["parcel_id"].to_numpy(dtype=object))
    taken.append(("overlap", lost))
    walls, unassessed = walls_of(barriers, rules)

    if control_lines is not None and not control_lines.empty:
        kinds = control_lines["kind"].to_numpy(dtype=object)
        lines = np.asarray(control_lines.geometry.array)
        for kind in rules.excluded:
            chosen = lines[kinds == kind]
            if len(chosen) == 0:
                continue
            if kind == "urban_boundary":
                # The outside is what is cut: what the boundary does not cover.
                outside, inside = subtract(land, chosen)
                land = inside.copy()
                land[shapely.is_missing(inside)] = shapely.from_wkt("POLYGON EMPTY")
                lost = _real(outside)
            else:
                land, lost = subtract(land, chosen)
            taken.append((kind, lost))
        forbidden = np.isin(kinds, [kind for kind in rules.excluded if kind in FORBIDDEN_LAND])
        tiles = subdivide(lines[forbidden]) if forbidden.any() else np.empty(0, dtype=object)
        if len(tiles):
            of_kind = kinds[forbidden][shapely.STRtree(lines[forbidden]).query_nearest(
                shapely.point_on_surface(tiles), all_matches=False
            )[1]]  # fmt: skip
            walls = Walls(
                np.concatenate([walls.geometry, tiles]),
                np.concatenate([walls.kind, of_kind]),
                np.concatenate([walls.name, np.full(len(tiles), None, dtype=object)]),
            )
    areal = shapely.get_dimensions(walls.geometry) == 2
    for kind in dict.fromkeys(walls.kind[areal]):
        if kind in FORBIDDEN_LAND:
            continue
        land, lost = subtract(land, walls.geometry[areal & (walls.kind == kind)])
        taken.append((kind, lost))
    if barriers is not None and not barriers.empty:
        setbacks = _setbacks(barriers)
        if len(setbacks):
            land, lost = subtract(land, setbacks)
            taken.append(("setback", lost))
    land = _split_along(land, walls.geometry[~areal])

    geometry, parcel = _polygons_with_owner(land)
    # Parts of a parcel that nothing cut are land as surveyed, however narrow; only leftovers of cutting are slivers.
    narrow = shapely.is_empty(shapely.buffer(geometry, -rules.sliver_width_m / 2))
    narrow &= ~_as_surveyed(geometry, parcel, np.asarray(parcels.geometry.array))
    losses = [
        pd.DataFrame({"parcel": rows, "reason": reason, "geometry": lost[rows]})
        for reason, lost in taken
        if len(rows := np.flatnonzero(~shapely.is_missing(lost)))
    ]
    if narrow.any():
        losses.append(pd.DataFrame({"parcel": parcel[narrow], "reason": "sliver", "geometry": geometry[narrow]}))
    table = (
        pd.concat(losses, ignore_index=True) if losses else pd.DataFrame({"parcel": [], "reason": [], "geometry": []})
    )
    return Pieces(geometry[~narrow], parcel[~narrow], table, walls, unassessed)


def _as_surveyed(geometry: Geometries, parcel: NDArray[np.int64], parcels: Geometries) -> NDArray[np.bool_]:
    """Which pieces are whole parts of their parcel: the same parcel, box and area, to a tenth of a millimetre."""

    def signature(shapes: Geometries, owner: NDArray[np.int64]) -> pd.MultiIndex:
        marks = np.round(np.column_stack([shapely.bounds(shapes).reshape(-1, 4), shapely.area(shapes)]), 4)
        return pd.MultiIndex.from_arrays([owner, *marks.T])

    parts, owner = _polygons_with_owner(parcels)
    return np.asarray(signature(geometry, parcel).isin(signature(parts, owner)))


def _polygons_with_owner(land: Geometries) -> tuple[Geometries, NDArray[np.int64]]:
    parts, owner = shapely.get_parts(land, return_index=True)
    deeper, inner = shapely.get_parts(parts, return_index=True)
    polygon = (shapely.get_type_id(deeper) == shapely.GeometryType.POLYGON) & ~shapely.is_empty(deeper)
    return deeper[polygon], owner[inner][polygon].astype(np.int64)


def _split_along(land: Geometries, lines: Geometries) -> Geometries:
    """Polygons split by lines without width; a line that leaves the polygon in one piece changes nothing."""
    if len(lines) == 0:
        return land
    line, row = shapely.STRtree(land).query(lines, predicate="intersects")
    if len(row) == 0:
        return land
    result = land.copy()
    rows, across = _union_by(row, lines[line])
    noded = shapely.union(shapely.boundary(land[rows]), across)
    faces = shapely.get_parts(shapely.polygonize(noded.reshape(-1, 1)), return_index=True)
    inside = shapely.contains_xy(
        land[rows][faces[1]], *shapely.get_coordinates(shapely.point_on_surface(faces[0])).T
    )  # fmt: skip
    parts, owner = faces[0][inside], faces[1][inside]
    several = np.bincount(owner, minlength=len(rows)) > 1
    chosen = several[owner]
    result[rows[several]] = shapely.multipolygons(
        parts[chosen], indices=np.searchsorted(np.flatnonzero(several), owner[chosen])
    )
    return result
