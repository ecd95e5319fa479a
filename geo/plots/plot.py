"""Plots: connected groups of pieces that reach the wanted area, wide enough, with all that explains them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo import crs
from geo.plots import shape
from geo.plots.contiguity import Relation, relate
from geo.plots.evidence import blocked_pairs, land_between, reason_zh, separations
from geo.plots.exclusion import Pieces, Walls, cut, subtract
from geo.plots.forming import Formed, Leftover, form_plots
from geo.plots.parameters import PlotRules
from geo.units import mu

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


PLOT_COLUMNS = (
    "plot_id", "name", "town", "area_m2", "outline_area_m2", "strict_area_m2", "parcel_count", "holder_count",
    "bridge_count", "inscribed_radius_m", "compactness", "evidence",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlotSet:
    """What the search found; geometry in EPSG:4490, areas ellipsoidal m².

    ``plots``, ``members``, ``leftovers`` are canonical derived layers without run id · ``land`` what is left of each
    eligible parcel after cutting (``parcel_id``, ``area_m2``, ``cut_m2``) · ``ladder`` number and mu of plots by gap ·
    ``balance`` the land account: eligible = cut + plots + leftovers.
    """

    plots: gpd.GeoDataFrame
    members: gpd.GeoDataFrame
    leftovers: gpd.GeoDataFrame
    land: gpd.GeoDataFrame
    ladder: list[dict[str, float]]
    balance: dict[str, float]
    unassessed_barriers: tuple[str, ...]


def find_plots(
    eligible: gpd.GeoDataFrame,
    *,
    others: gpd.GeoDataFrame | None = None,
    control_lines: gpd.GeoDataFrame | None = None,
    barriers: gpd.GeoDataFrame | None = None,
    rules: PlotRules | None = None,
) -> PlotSet:
    """Contiguous plots of eligible parcels.

    Parameters
    ----------
    eligible : parcels that may be part of a plot (``parcel_id``, ``holder``, ``land_use``, ``town``), EPSG:4490, valid
    others : parcels that are not eligible; they name what a bridge crosses, and block it where ``bridge_over`` says so
    control_lines, barriers : canonical layers, or ``None``
    rules : parameters; the defaults are those of the design

    Returns
    -------
    PlotSet
    """
    rules = rules or PlotRules()
    eligible = eligible.sort_values("parcel_id", kind="stable").reset_index(drop=True)
    if eligible.empty:
        return _nothing(rules)
    lon = crs.central_longitude(np.asarray(eligible.geometry.array))
    metric = _metric(eligible, lon)
    assert metric is not None
    other_land, metric_barriers = _metric(others, lon), _metric(barriers, lon)
    pieces = cut(metric, _metric(control_lines, lon), metric_barriers, rules)
    # A parcel's area is ellipsoidal, its parts share it by the plane: so every account adds up exactly.
    whole_m2 = crs.ellipsoidal_area(np.asarray(eligible.geometry.array))
    plane = shapely.area(np.asarray(metric.geometry.array))
    scale = np.divide(whole_m2, plane, out=np.ones_like(plane), where=plane > 0)
    area_of = shapely.area(pieces.geometry) * scale[pieces.parcel]
    reach = max((rules.reach_m, *rules.ladder_m))
    relation = relate(pieces.geometry, _with_forbidden_bridges(pieces, other_land, rules), reach)
    formed, leftovers = form_plots(relation, pieces, scale, rules.reach_m, rules)
    ladder = []
    for gap in rules.ladder_m:
        wide = max(gap, rules.tolerance_m)
        rung = formed if wide == rules.reach_m else form_plots(relation, pieces, scale, wide, rules, account=False)[0]
        ladder.append({"gap_m": gap, "plots": len(rung), "mu": round(mu(sum((plot.area_m2 for plot in rung), 0.0)), 2)})
    formed.sort(key=lambda plot: (-round(plot.area_m2, 3), plot.land[0].piece))
    losses = pieces.losses.assign(
        area_m2=shapely.area(np.asarray(pieces.losses["geometry"], dtype=object))
        * scale[pieces.losses["parcel"].to_numpy(dtype=np.int64)]
    )
    members = _members(formed, eligible, whole_m2, pieces, lon)
    plots = _describe(formed, members, eligible, pieces, relation, losses, other_land, metric_barriers, rules, lon)
    rest = _leftovers(leftovers, pieces, eligible, lon)
    balance = {
        "eligible_m2": float(whole_m2.sum()),
        "cut_m2": float(losses["area_m2"].sum()),
        "plots_m2": float(plots["area_m2"].sum()),
        "leftovers_m2": float(rest["area_m2"].sum()),
    }
    land = _land_left(eligible, whole_m2, pieces, area_of, lon)
    return PlotSet(plots, members.drop(columns="parcel"), rest, land, ladder, balance, pieces.unassessed)


def _metric(layer: gpd.GeoDataFrame | None, lon: float) -> gpd.GeoDataFrame | None:
    if layer is None or layer.empty:
        return None
    moved = crs.to_metric(np.asarray(layer.geometry.array), lon)
    return layer.set_geometry(gpd.GeoSeries(moved, index=layer.index, crs=crs.metric_crs(lon)), crs=crs.metric_crs(lon))


def _area(geometries: Geometries, lon: float) -> Floats:
    if len(geometries) == 0:
        return np.empty(0)
    return crs.ellipsoidal_area(crs.to_storage(geometries, lon))


def _with_forbidden_bridges(pieces: Pieces, others: gpd.GeoDataFrame | None, rules: PlotRules) -> Walls:
    """Parcels that a bridge may not cross, added to the walls; where they overlap a piece the piece has the land."""
    walls = pieces.walls
    if rules.bridge_over == "any" or others is None:
        return walls
    use = others["land_use"].fillna("").astype(str)
    allowed = use.str.startswith(rules.bridge_over) if isinstance(rules.bridge_over, tuple) else use.eq("\0")
    blocked = others[~allowed]
    ground, _ = subtract(np.asarray(blocked.geometry.array), pieces.geometry)
    left = ~shapely.is_empty(ground)
    return Walls(
        np.concatenate([walls.geometry, ground[left]]),
        np.concatenate([walls.kind, np.full(left.sum(), "parcel", dtype=object)]),
        np.concatenate([walls.name, blocked["parcel_id"].to_numpy(dtype=object)[left]]),
    )


def _members(
    formed: list[Formed], eligible: gpd.GeoDataFrame, whole_m2: Floats, pieces: Pieces, lon: float
) -> gpd.GeoDataFrame:
    rows = [
        (f"LP{number:04d}", pieces.parcel[part.piece], part.area_m2, part.geometry)
        for number, plot in enumerate(formed, start=1)
        for part in plot.land
    ]
    table = pd.DataFrame(rows, columns=["plot_id", "parcel", "area_m2", "geometry"])
    grouped = table.groupby(["plot_id", "parcel"], sort=True)
    result = grouped["area_m2"].sum().reset_index()
    merged = np.array([shapely.union_all(np.asarray(group)) for _, group in grouped["geometry"]], dtype=object)
    parcel = result["parcel"].to_numpy(dtype=np.int64)
    whole = whole_m2[parcel]
    result["parcel_id"] = eligible["parcel_id"].to_numpy(dtype=object)[parcel]
    result["share"] = result["area_m2"].to_numpy() / np.where(whole > 0, whole, np.nan)
    result["member_id"] = result["plot_id"] + "/" + result["parcel_id"].astype(str)
    geometry = crs.to_storage(merged, lon) if len(merged) else merged
    return gpd.GeoDataFrame(result, geometry=geometry, crs=crs.STORAGE_CRS)


def _land_left(
    eligible: gpd.GeoDataFrame, whole_m2: Floats, pieces: Pieces, area_m2: Floats, lon: float
) -> gpd.GeoDataFrame:
    """What remains of each eligible parcel, one row a parcel that has any land left."""
    if len(pieces.geometry) == 0:
        return _table(["parcel_id", "area_m2", "cut_m2"])
    order = np.argsort(pieces.parcel, kind="stable")
    rows, start = np.unique(pieces.parcel[order], return_index=True)
    groups = np.split(pieces.geometry[order], start[1:])
    merged = np.empty(len(groups), dtype=object)
    merged[:] = [group[0] if len(group) == 1 else shapely.multipolygons(group) for group in groups]
    left = np.bincount(pieces.parcel, area_m2, minlength=len(eligible))[rows]
    columns = {
        "parcel_id": eligible["parcel_id"].to_numpy(dtype=object)[rows],
        "area_m2": left,
        "cut_m2": np.maximum(whole_m2[rows] - left, 0.0),
    }
    return gpd.GeoDataFrame(columns, geometry=crs.to_storage(merged, lon), crs=crs.STORAGE_CRS)


def _leftovers(leftovers: list[Leftover], pieces: Pieces, eligible: gpd.GeoDataFrame, lon: float) -> gpd.GeoDataFrame:
    piece = np.array([item.land.piece for item in leftovers], dtype=np.int64)
    table = pd.DataFrame(
        {
            "leftover_id": [f"LO{number:06d}" for number in range(1, len(leftovers) + 1)],
            "parcel_id": eligible["parcel_id"].to_numpy(dtype=object)[pieces.parcel[piece]],
            "reason": [item.reason for item in leftovers],
            "area_m2": [item.land.area_m2 for item in leftovers],
            "group_area_m2": [item.group_area_m2 for item in leftovers],
        }
    )
    geometry = np.array([item.land.geometry for item in leftovers], dtype=object)
    moved = crs.to_storage(geometry, lon) if len(geometry) else geometry
    return gpd.GeoDataFrame(table, geometry=moved, crs=crs.STORAGE_CRS)


def _describe(
    formed: list[Formed],
    members: gpd.GeoDataFrame,
    eligible: gpd.GeoDataFrame,
    pieces: Pieces,
    relation: Relation,
    losses: pd.DataFrame,
    others: gpd.GeoDataFrame | None,
    barriers: gpd.GeoDataFrame | None,
    rules: PlotRules,
    lon: float,
) -> gpd.GeoDataFrame:
    outlines = np.array([plot.outline for plot in formed], dtype=object)
    parcel_id = eligible["parcel_id"].to_numpy(dtype=object)
    joined = relation.joined(rules.reach_m, rules.frontage_m)
    strict = relation.components(relation.joined(rules.tolerance_m, rules.frontage_m))
    facing, gap = relation.facing_m(rules.reach_m), relation.gap_m(rules.reach_m)
    bridge_pair, bridge = relation.bridges(joined, rules.reach_m, rules.tolerance_m)
    between = land_between(bridge_pair, bridge, others, barriers)
    blocked = blocked_pairs(relation, joined, rules)
    centre, radius = shape.inscribed_circle(outlines)
    circle = shapely.points(centre) if len(centre) else np.empty(0, dtype=object)
    place = shapely.get_coordinates(crs.to_storage(circle, lon)) if len(circle) else centre
    outline_m2, compact = _area(outlines, lon), shape.compactness(outlines)
    records: list[dict[str, Any]] = []
    for number, plot in enumerate(formed):
        plot_id = f"LP{number + 1:04d}"
        mine = members[members["plot_id"] == plot_id]
        rows = mine["parcel"].to_numpy(dtype=np.int64)
        # A piece that the opening cut may belong to two plots, so each plot looks at its own.
        pieces_of_plot = np.unique(np.array([part.piece for part in plot.land], dtype=np.int64))
        ends = np.isin(relation.pairs, pieces_of_plot)
        inside = np.flatnonzero(joined & ends.all(axis=1))
        bridged = inside[gap[inside] > rules.tolerance_m]
        bridges = [
            {
                "a": parcel_id[pieces.parcel[relation.pairs[pair, 0]]],
                "b": parcel_id[pieces.parcel[relation.pairs[pair, 1]]],
                "gap_m": round(float(gap[pair]), 2),
                "facing_m": round(float(facing[pair]), 1),
                "between": between.get(int(pair), []),
            }
            for pair in bridged
        ]
        cost = losses[losses["parcel"].isin(rows)].groupby("reason", sort=False)["area_m2"].sum()
        exclusions = [
            {"kind": kind, "zh": reason_zh(str(kind)), "area_m2": round(float(lost), 2)} for kind, lost in cost.items()
        ]
        town = eligible["town"].iloc[rows].dropna()
        groups = strict[[part.piece for part in plot.land]]
        strict_area = np.bincount(groups, [part.area_m2 for part in plot.land]).max()
        first_town = str(town.mode().iloc[0]) if len(town) else None
        records.append(
            {
                "plot_id": plot_id,
                "name": f"{first_town or ''}{number + 1}号连片地块",
                "town": first_town,
                "area_m2": plot.area_m2,
                "outline_area_m2": float(outline_m2[number]),
                "strict_area_m2": float(strict_area),
                "parcel_count": len(mine),
                "holder_count": int(eligible["holder"].iloc[rows].dropna().nunique()),
                "bridge_count": len(bridges),
                "inscribed_radius_m": float(radius[number]),
                "compactness": float(compact[number]),
                "evidence": {
                    "bridges": bridges,
                    "exclusions": exclusions,
                    "separated_by": separations(blocked, relation, ends, pieces, parcel_id),
                    "inscribed_circle": {
                        "lon": float(place[number, 0]),
                        "lat": float(place[number, 1]),
                        "radius_m": round(float(radius[number]), 1),
                    },
                    "method": {"area": "CGCS2000 椭球面积", "metric_crs": crs.metric_crs(lon).name},
                },
            }
        )
    geometry = crs.to_storage(outlines, lon) if len(outlines) else outlines
    return gpd.GeoDataFrame(pd.DataFrame(records, columns=PLOT_COLUMNS), geometry=geometry, crs=crs.STORAGE_CRS)


def _table(columns: list[str]) -> gpd.GeoDataFrame:
    empty = np.empty(0, dtype=object)
    return gpd.GeoDataFrame(dict.fromkeys(columns, empty), geometry=empty, crs=crs.STORAGE_CRS)


def _nothing(rules: PlotRules) -> PlotSet:
    return PlotSet(
        plots=_table(list(PLOT_COLUMNS)),
        members=_table(["member_id", "plot_id", "parcel_id", "area_m2", "share"]),
        leftovers=_table(["leftover_id", "parcel_id", "reason", "area_m2", "group_area_m2"]),
        land=_table(["parcel_id", "area_m2", "cut_m2"]),
        ladder=[{"gap_m": gap, "plots": 0, "mu": 0.0} for gap in rules.ladder_m],
        balance={"eligible_m2": 0.0, "cut_m2": 0.0, "plots_m2": 0.0, "leftovers_m2": 0.0},
        unassessed_barriers=(),
    )
