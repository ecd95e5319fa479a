"""What lies around groups of land: eligible land that is not in them, parcels of which nothing was left, other parcels.

Groups are plots, or groups that are too small to be one. Everything is worked out for all groups at once from arrays;
only the search for the nearest part of a group goes group by group, each with an index of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo import crs
from geo.plots.contiguity import Relation
from geo.plots.exclusion import Pieces
from geo.plots.forming import Formed, Leftover
from geo.plots.parameters import PlotRules

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# What two layers claim both, below this area, is rounding of their common border.
_OVERLAP_M2 = 0.01


@dataclass(frozen=True, slots=True)
class Parts:
    """Eligible land that is left after cutting, each part once: what plots hold and what is left over.

    ``geometry`` (u,) metric polygons · ``piece`` (u,) int64 row of the piece · ``area_m2`` (u,) ellipsoidal ·
    ``plot`` (u,) int64 row of the plot, -1 for what is left over · ``reason`` (u,) why it is left over, ``None`` in a
    plot · ``group_area_m2`` (u,) land of the group that it was left over with, its own area in a plot.
    """

    geometry: Geometries
    piece: Ints
    area_m2: Floats
    plot: Ints
    reason: NDArray[np.object_]
    group_area_m2: Floats


def parts_of(formed: Sequence[Formed], leftovers: Sequence[Leftover]) -> Parts:
    """All parts of plots, in the order of ``formed``, and then what is left over."""
    held = [(land, row) for row, plot in enumerate(formed) for land in plot.land]
    land = [part for part, _ in held] + [one.land for one in leftovers]
    geometry = np.empty(len(land), dtype=object)
    geometry[:] = [part.geometry for part in land]
    area = np.array([part.area_m2 for part in land], dtype=np.float64)
    return Parts(
        geometry,
        np.array([part.piece for part in land], dtype=np.int64),
        area,
        np.array([*(row for _, row in held), *(-1 for _ in leftovers)], dtype=np.int64),
        np.array([*(None for _ in held), *(one.reason for one in leftovers)], dtype=object),
        np.concatenate([area[: len(held)], np.array([one.group_area_m2 for one in leftovers], dtype=np.float64)]),
    )


@dataclass(frozen=True, slots=True)
class Scene:
    """A finished search for plots and what it looked at; geometry metric.

    ``parts`` · ``eligible`` (n) parcels with ``parcel_id``, ``land_use``, ``holder`` · ``whole_m2`` (n,) their
    ellipsoidal areas · ``pieces`` · ``relation`` of the pieces, ``joined`` (k,) which of its pairs are neighbours ·
    ``losses`` ``parcel``, ``reason`` and ``area_m2`` of what was cut · ``plot_ids`` by row · ``others`` parcels that
    are not eligible, with ``because`` (tuples of codes) and ``because_zh`` where that is known · ``left_of`` what
    cutting would leave of further parcels · ``related`` the relation of further pieces, by the same walls and reaches
    · ``rules`` · ``lon`` of the zone.
    """

    parts: Parts
    eligible: gpd.GeoDataFrame
    whole_m2: Floats
    pieces: Pieces
    relation: Relation
    joined: NDArray[np.bool_]
    losses: pd.DataFrame
    plot_ids: Sequence[str]
    others: gpd.GeoDataFrame | None
    left_of: Callable[[gpd.GeoDataFrame], Pieces]
    related: Callable[[Geometries], Relation]
    rules: PlotRules
    lon: float


def eligible_nearby(scene: Scene, group: Ints) -> pd.DataFrame:
    """Eligible land within ``near_m`` of each group that is not in it, and all that narrow ground joins to it.

    Parameters
    ----------
    group : (u,) group of each part, -1 for none

    Returns
    -------
    DataFrame
        ``group``, ``part``, ``nearest`` (part of the group), ``distance_m``, ``same`` (joined through narrow ground),
        ``facing_m``, ``blocked_m``, ``would_face_m`` (without the barriers), ``kind``, ``name`` of the chief barrier.
    """
    parts = scene.parts
    label = scene.relation.components(scene.joined)[parts.piece]
    by_label = np.argsort(label, kind="stable")
    sorted_label = label[by_label]
    found = []
    for number, mine, near in _around(parts.geometry, group, parts.geometry, scene.rules.near_m):
        # What has the group's label and is not in it was joined to it by ground that the opening removed.
        own = np.unique(label[mine])
        ends = np.searchsorted(sorted_label, np.column_stack([own, own + 1]))
        same = np.setdiff1d(np.concatenate([by_label[low:high] for low, high in ends]), mine)
        apart = np.setdiff1d(near[~np.isin(label[near], own)], mine)
        found.append(_nearest(parts.geometry, mine, apart, same, scene.rules.near_m).assign(group=number))
    if not found:
        return pd.DataFrame(columns=["group", "part", "nearest", "distance_m", "same", *_FACTS])
    table = pd.concat(found, ignore_index=True)
    table["piece"] = parts.piece[table["part"].to_numpy(dtype=np.int64)]
    table = table.merge(_facts(scene, group), how="left", on=["group", "piece"])
    zero = ["facing_m", "blocked_m", "would_face_m"]
    table[zero] = table[zero].fillna(0.0)
    return table


_FACTS = ("facing_m", "blocked_m", "would_face_m", "kind", "name")


def _around(parts: Geometries, group: Ints, candidates: Geometries, near_m: float) -> list[tuple[int, Ints, Ints]]:
    """For each group its parts and the candidates whose box is near its box."""
    rows = np.flatnonzero(group >= 0)
    rows = rows[np.argsort(group[rows], kind="stable")]
    numbers, start = np.unique(group[rows], return_index=True)
    if len(numbers) == 0:
        return []
    mine = np.split(rows, start[1:])
    bounds = shapely.bounds(parts[rows])
    low = np.minimum.reduceat(bounds[:, :2], start, axis=0) - near_m
    high = np.maximum.reduceat(bounds[:, 2:], start, axis=0) + near_m
    place, near = shapely.STRtree(candidates).query(shapely.box(*low.T, *high.T))
    order = np.argsort(place, kind="stable")
    edges = np.searchsorted(place[order], np.arange(1, len(numbers)))
    return list(zip(numbers.tolist(), mine, np.split(near[order], edges), strict=True))


def _nearest(parts: Geometries, mine: Ints, apart: Ints, same: Ints, near_m: float) -> pd.DataFrame:
    """The nearest part of a group to what is near it, and to what was joined to it wherever that lies."""
    rows, nearest, distance = [], [], []
    tree = shapely.STRtree(parts[mine])
    for asked, limit in ((apart, near_m), (same, None)):
        (row, found), metres = tree.query_nearest(
            parts[asked], max_distance=limit, return_distance=True, all_matches=False
        )
        rows.append(asked[row])
        nearest.append(mine[found])
        distance.append(metres)
    return pd.DataFrame(
        {
            "part": np.concatenate(rows),
            "nearest": np.concatenate(nearest),
            "distance_m": np.concatenate(distance),
            "same": np.repeat([False, True], [len(rows[0]), len(rows[1])]),
        }
    )


def _facts(scene: Scene, group: Ints) -> pd.DataFrame:
    """Along how much a group and a piece that is not joined to it face each other, and what blocks the view."""
    relation, reach_m = scene.relation, scene.rules.reach_m
    label = relation.components(scene.joined)
    apart = label[relation.pairs[:, 0]] != label[relation.pairs[:, 1]]
    blocked = relation.blockers(reach_m)
    blocked = blocked[apart[blocked["pair"].to_numpy(dtype=np.int64)]]
    chief = blocked.sort_values("blocked_m", ascending=False, kind="stable").drop_duplicates("pair")
    rows = np.flatnonzero(apart)
    table = pd.DataFrame(
        {"pair": rows, "a": relation.pairs[rows, 0], "b": relation.pairs[rows, 1],
         "facing_m": relation.facing_m(reach_m)[rows]}
    ).merge(chief, how="left", on="pair")  # fmt: skip
    every = blocked.groupby("pair")["blocked_m"].sum()
    table["would_face_m"] = table["facing_m"] + table["pair"].map(every).fillna(0.0)
    held = np.flatnonzero(group >= 0)
    of_group = pd.DataFrame({"inner": scene.parts.piece[held], "group": group[held]}).drop_duplicates()
    seen = [
        table.rename(columns={one: "inner", other: "piece"}).merge(of_group, on="inner")
        for one, other in (("a", "b"), ("b", "a"))
    ]
    both = pd.concat(seen, ignore_index=True).sort_values(
        ["would_face_m", "facing_m"], ascending=False, kind="stable"
    )  # fmt: skip
    return both.drop_duplicates(["group", "piece"])[["group", "piece", *_FACTS]]


def excluded_nearby(scene: Scene, group: Ints) -> pd.DataFrame:
    """Eligible parcels near each group of which cutting left nothing: ``group``, ``parcel``, ``distance_m``, ``kind``.

    ``kind`` is what took most of the parcel, ``area_m2`` what was taken by anything but an overlap, whose land counts
    in the other parcel.
    """
    taken = scene.losses.loc[scene.losses["reason"] != "overlap", ["parcel", "reason", "area_m2"]]
    taken = taken.groupby(["parcel", "reason"], sort=True)["area_m2"].sum().reset_index()
    gone = np.setdiff1d(taken["parcel"].to_numpy(dtype=np.int64), scene.pieces.parcel)
    columns = ["group", "parcel", "distance_m", "kind", "area_m2"]
    if len(gone) == 0:
        return pd.DataFrame(columns=columns)
    land = np.asarray(scene.eligible.geometry.array, dtype=object)[gone]
    found = []
    for number, mine, near in _around(scene.parts.geometry, group, land, scene.rules.near_m):
        (asked, _), metres = shapely.STRtree(scene.parts.geometry[mine]).query_nearest(
            land[near], max_distance=scene.rules.near_m, return_distance=True, all_matches=False
        )
        found.append(pd.DataFrame({"group": number, "parcel": gone[near[asked]], "distance_m": metres}))
    if not found:
        return pd.DataFrame(columns=columns)
    chief = taken.sort_values("area_m2", ascending=False, kind="stable").drop_duplicates("parcel")
    table = pd.concat(found, ignore_index=True)
    table["kind"] = table["parcel"].map(chief.set_index("parcel")["reason"])
    table["area_m2"] = table["parcel"].map(taken.groupby("parcel")["area_m2"].sum())
    return table[columns]


def others_adjoining(scene: Scene, group: Ints) -> pd.DataFrame:
    """Parcels that are not eligible and would be neighbours of a group if they were.

    Returns
    -------
    DataFrame
        ``group``, ``other`` (row of ``scene.others``), ``facing_m``, ``distance_m``, ``area_m2`` that cutting would
        leave of its pieces that adjoin
    """
    columns = ["group", "other", "facing_m", "distance_m", "area_m2"]
    nothing = pd.DataFrame(columns=columns)
    held = np.flatnonzero(group >= 0)
    if scene.others is None or len(held) == 0:
        return nothing
    land = np.asarray(scene.others.geometry.array, dtype=object)
    other, member = shapely.STRtree(scene.parts.geometry[held]).query(
        land, predicate="dwithin", distance=scene.rules.reach_m
    )
    near, members = np.unique(other), held[np.unique(member)]
    if len(near) == 0:
        return nothing
    left = scene.left_of(scene.others.iloc[near].reset_index(drop=True))
    pieces, owner = _without(left.geometry, left.parcel, scene.pieces.geometry)
    if len(pieces) == 0:
        return nothing
    relation = scene.related(np.concatenate([scene.parts.geometry[members], pieces]))
    first, second = relation.pairs.T
    adjoin = relation.joined(scene.rules.reach_m, scene.rules.frontage_m)
    adjoin &= (first < len(members)) & (second >= len(members))
    whole = land[near]
    scale = crs.ellipsoidal_area(crs.to_storage(whole, scene.lon)) / np.maximum(shapely.area(whole), 1e-9)
    piece = second[adjoin] - len(members)
    table = pd.DataFrame(
        {
            "group": group[members[first[adjoin]]],
            "piece": piece,
            "other": near[owner[piece]],
            "facing_m": relation.facing_m(scene.rules.reach_m)[adjoin],
            "distance_m": relation.gap_m(scene.rules.reach_m)[adjoin],
            "area_m2": shapely.area(pieces[piece]) * scale[owner[piece]],
        }
    )
    by = table.groupby(["group", "other"], sort=True)
    areas = table.drop_duplicates(["group", "piece"]).groupby(["group", "other"], sort=True)["area_m2"].sum()
    return by.agg({"facing_m": "sum", "distance_m": "min"}).assign(area_m2=areas).reset_index()[columns]


def _without(land: Geometries, owner: Ints, claimed: Geometries) -> tuple[Geometries, Ints]:
    """Polygons and their owners without the ground that others claim; common borders are left alone."""
    row, claim = shapely.STRtree(claimed).query(land, predicate="intersects")
    inner = ~shapely.touches(land[row], claimed[claim])
    row, claim = row[inner], claim[inner]
    shared = shapely.area(shapely.intersection(land[row], claimed[claim])) > _OVERLAP_M2
    row, claim = row[shared], claim[shared]
    if len(row) == 0:
        return land, owner
    rows, start = np.unique(row, return_index=True)
    result = land.copy()
    result[rows] = shapely.difference(
        land[rows], np.array([shapely.union_all(each) for each in np.split(claimed[claim], start[1:])], dtype=object)
    )
    parts, of_row = shapely.get_parts(result, return_index=True)
    real = (shapely.get_type_id(parts) == shapely.GeometryType.POLYGON) & (shapely.area(parts) > _OVERLAP_M2)
    return parts[real], owner[of_row[real]]
