"""Plots: connected groups of pieces that reach the wanted area, wide enough, with all that explains them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import geopandas as gpd

from geo import crs
from geo.plots.describing import PLOT_COLUMNS, describe
from geo.plots.members import empty_table, land_left, leftovers_table, members_table
from geo.plots.parameters import PlotRules
from geo.plots.search import search
from geo.plots.why_not import near_misses


@dataclass(frozen=True, slots=True)
class PlotSet:
    """What the search found; geometry in EPSG:4490, areas ellipsoidal m².

    ``plots``, ``members``, ``leftovers`` are canonical derived layers without run id · ``land`` what is left of each
    eligible parcel after cutting (``parcel_id``, ``area_m2``, ``cut_m2``) · ``ladder`` number and mu of plots by gap ·
    ``coverage`` how well the parcels fit together · ``near_misses`` the largest groups that are too small ·
    ``balance`` the land account: eligible = cut + plots + leftovers · ``unassessed_barriers`` local roads without a
    width, ``unassessed_setbacks`` barriers whose set-back is not known, ``setbacks`` the rows of the law applied.
    """

    plots: gpd.GeoDataFrame
    members: gpd.GeoDataFrame
    leftovers: gpd.GeoDataFrame
    land: gpd.GeoDataFrame
    ladder: list[dict[str, float]]
    balance: dict[str, float]
    coverage: dict[str, Any]
    near_misses: list[dict[str, Any]]
    unassessed_barriers: tuple[str, ...]
    unassessed_setbacks: list[dict[str, Any]]
    setbacks: list[dict[str, Any]]


def find_plots(
    eligible: gpd.GeoDataFrame,
    *,
    others: gpd.GeoDataFrame | None = None,
    control_lines: gpd.GeoDataFrame | None = None,
    barriers: gpd.GeoDataFrame | None = None,
    steep: gpd.GeoDataFrame | None = None,
    roads: gpd.GeoDataFrame | None = None,
    rules: PlotRules | None = None,
    processes: int = 1,
) -> PlotSet:
    """Contiguous plots of eligible parcels.

    Parameters
    ----------
    eligible : parcels that may be part of a plot (``parcel_id``, ``holder``, ``land_use``, ``town``), EPSG:4490, valid
    others : parcels that are not eligible; they name what a bridge crosses, and block it where ``bridge_over`` says so;
        ``because`` and ``because_zh``, where they are columns, say why
    control_lines, barriers : canonical layers, or ``None``
    steep : polygons of ground that is too steep, or ``None`` where no elevation is known
    roads : lines of the road network for the frontage, or ``None``
    rules : parameters; the defaults are those of the design
    processes : int, processes that share the work; the answer is the same

    Returns
    -------
    PlotSet
    """
    rules = rules or PlotRules()
    if eligible.empty:
        return _nothing(rules)
    found = search(
        eligible, others=others, control_lines=control_lines, barriers=barriers, steep=steep, rules=rules,
        processes=processes,
    )  # fmt: skip
    scene = found.scene
    members = members_table(found.formed, scene.eligible, scene.whole_m2, scene.pieces, scene.lon)
    plots = describe(found, members, None if roads is None else roads.to_crs(crs.metric_crs(scene.lon)), processes)
    rest = leftovers_table(found.leftovers, scene.pieces, scene.eligible, scene.lon)
    return PlotSet(
        plots=plots,
        members=members.drop(columns="parcel"),
        leftovers=rest,
        land=land_left(scene.eligible, scene.whole_m2, scene.pieces, found.area_m2, scene.lon),
        ladder=found.ladder,
        balance={
            "eligible_m2": float(scene.whole_m2.sum()),
            "cut_m2": float(scene.losses["area_m2"].sum()),
            "plots_m2": float(plots["area_m2"].sum()),
            "leftovers_m2": float(rest["area_m2"].sum()),
        },
        coverage=found.coverage,
        near_misses=near_misses(scene),
        unassessed_barriers=scene.pieces.unassessed,
        unassessed_setbacks=[asdict(one) for one in scene.pieces.unassessed_setbacks],
        setbacks=[asdict(one) for one in scene.pieces.setbacks],
    )


def _nothing(rules: PlotRules) -> PlotSet:
    return PlotSet(
        plots=empty_table(list(PLOT_COLUMNS)),
        members=empty_table(["member_id", "plot_id", "parcel_id", "area_m2", "share"]),
        leftovers=empty_table(["leftover_id", "parcel_id", "reason", "area_m2", "group_area_m2"]),
        land=empty_table(["parcel_id", "area_m2", "cut_m2"]),
        ladder=[{"gap_m": gap, "plots": 0, "mu": 0.0, "groups": 0, "groups_mu": 0.0} for gap in rules.ladder_m],
        balance={"eligible_m2": 0.0, "cut_m2": 0.0, "plots_m2": 0.0, "leftovers_m2": 0.0},
        coverage={"shared_m": 0.0, "apart_m": 0.0, "overlap_m2": 0.0, "dirty": False},
        near_misses=[],
        unassessed_barriers=(),
        unassessed_setbacks=[],
        setbacks=[],
    )
