"""The main job in the order in which a planner would tell it: findings, plots, sites, store (import: ``importing``)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo.errors import InvalidParameter
from geo.land.efficiency import assess_inefficiency, subject_to_inefficiency
from geo.land.findings import IDLE_LEVELS, INEFFICIENT_LEVELS, LEVELS, RULE_TITLES
from geo.land.idle import assess_idle, subject_to_idle
from geo.land.rules import RuleSet
from geo.layers.land_use_codes import land_and_sea_codes
from geo.matching.sites import build_sites
from geo.plots.composition import built_area_m2, level_share
from geo.plots.parameters import PlotRules
from geo.plots.plot import PlotSet, find_plots
from geo.store.base import Frame, Load, Query, Run, Store
from geo.store.records import standing_loads
from geo.units import mu

_CHINA = ZoneInfo("Asia/Shanghai")
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a run found: the record and its derived layers, as they go into the store."""

    run: Run
    layers: dict[str, Frame]


def analyse(
    layers: dict[str, Frame],
    loads: list[Load],
    rules: RuleSet,
    as_of: np.datetime64,
    plot_rules: PlotRules | None = None,
    progress: Progress = lambda step: None,
) -> Analysis:
    """Findings, plots and sites of a district.

    Parameters
    ----------
    layers : canonical source layers by name; ``parcels`` is needed, the others make the answer richer
    loads : the loads these layers came from
    rules : rule set of the jurisdiction
    as_of : the day for which everything is judged, Asia/Shanghai
    plot_rules : parameters of the search for plots

    Raises
    ------
    InvalidParameter
        There are no parcels.
    """
    plot_rules = plot_rules or PlotRules()
    started = datetime.now(_CHINA)
    parcels = _layer(layers, "parcels")
    if parcels is None:
        raise InvalidParameter("没有宗地数据，无法分析", where="parcels", remedy="请先运行 lianpian import")
    buildings = _layer(layers, "buildings")

    progress("认定闲置土地")
    delays = layers.get("delays")
    idle = assess_idle(parcels, delays, rules.idle, as_of)
    progress("认定低效用地")
    inefficient = assess_inefficiency(parcels, buildings, rules, as_of)
    findings = _concat(idle, inefficient)

    progress("筛选可连片宗地")
    chosen = eligible_parcels(parcels, findings, _layer(layers, "zoning"), rules)
    progress("寻找连片地块")
    found = find_plots(
        parcels[chosen],
        others=parcels[~chosen],
        control_lines=_layer(layers, "control_lines"),
        barriers=_layer(layers, "barriers"),
        rules=plot_rules,
    )
    plots = found.plots
    progress("汇总地块构成")
    judged = {
        "idle": int(subject_to_idle(parcels).sum()),
        "inefficient": int(subject_to_inefficiency(parcels, rules).sum()),
    }
    for kind, levels in (("idle", IDLE_LEVELS), ("inefficient", INEFFICIENT_LEVELS)):
        # Where no parcel could be judged a share of nought would be a claim.
        share = level_share(found.members, findings, levels) if judged[kind] else pd.Series(dtype=float)
        plots[f"{kind}_share"] = plots["plot_id"].map(share).astype(float)
    plots["built_share"] = np.nan
    if buildings is not None and len(plots):
        # On the members' own land: what stands in a bridged gap is not built on the plot.
        built = pd.Series(built_area_m2(np.asarray(found.members.geometry.array), buildings))
        by_plot = built.groupby(found.members["plot_id"].to_numpy()).sum()
        plots["built_share"] = plots["plot_id"].map(by_plot).astype(float) / plots["area_m2"].astype(float)
    progress("生成候选地块")
    eligible = parcels[chosen]
    sites = build_sites(found, eligible, _layer(layers, "terminals"), rules.sites.min_parcel_mu)

    parameters = {
        "plots": asdict(plot_rules),
        "eligible": rules.eligible.model_dump(),
        "sites": rules.sites.model_dump(),
        "inefficient_land_use": sorted({prefix for rule in rules.inefficient for prefix in rule.land_use}),
        "rule_titles": RULE_TITLES | {rule.rule: rule.title for rule in rules.inefficient},
        "ruleset_title": rules.ruleset.title,
        "ruleset_version": rules.ruleset.version,
    }
    run = Run(
        run_id=f"R{started:%Y%m%d%H%M%S%f}",
        as_of=str(as_of.astype("datetime64[D]")),
        ruleset=rules.ruleset.name,
        ruleset_sha256=rules.sha256,
        # As JSON from the start, so that the record reads back as it was written.
        parameters=json.loads(json.dumps(parameters)),
        loads=tuple(load.load_id for load in loads),
        started_at=started.isoformat(timespec="seconds"),
        summary=summarise(parcels, findings, judged, found, sites, eligible),
    )
    derived: dict[str, Frame] = {
        "findings": findings,
        "plots": plots,
        "plot_members": found.members,
        "leftovers": found.leftovers,
        "sites": sites,
    }
    return Analysis(run, {name: frame.assign(run_id=run.run_id) for name, frame in derived.items()})


def _layer(layers: dict[str, Frame], name: str) -> gpd.GeoDataFrame | None:
    frame = layers.get(name)
    return frame if isinstance(frame, gpd.GeoDataFrame) and not frame.empty else None


def _concat(first: gpd.GeoDataFrame, second: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    frames = [frame for frame in (first, second) if len(frame)]
    if not frames:
        return first
    return gpd.GeoDataFrame(pd.concat(frames, ignore_index=True), crs=first.crs)


def eligible_parcels(
    parcels: gpd.GeoDataFrame, findings: pd.DataFrame, zoning: gpd.GeoDataFrame | None, rules: RuleSet
) -> Any:
    """Which parcels may be part of a plot: (n,) bool.

    Raises
    ------
    InvalidParameter
        The rule set asks for planned land use and the district has no zoning layer.
    """
    wanted = rules.eligible
    chosen = np.ones(len(parcels), dtype=bool)
    if wanted.land_use:
        chosen &= pd.Series(land_and_sea_codes(parcels)).str.startswith(wanted.land_use).to_numpy(dtype=bool)
    if wanted.planned_land_use:
        if zoning is None:
            raise InvalidParameter(
                "规则集按规划用途筛选，但没有规划图层", where="zoning", remedy="请先导入 zoning 图层"
            )
        zones = zoning[zoning["land_use"].isin(wanted.planned_land_use)]
        point = shapely.point_on_surface(np.asarray(parcels.geometry.array))
        inside = shapely.STRtree(np.asarray(zones.geometry.array)).query(point, predicate="intersects")[0]
        in_zone = np.zeros(len(parcels), dtype=bool)
        in_zone[inside] = True
        chosen &= in_zone
    if wanted.levels or wanted.stock_class:
        found = findings.loc[findings["level"].isin(wanted.levels), "parcel_id"]
        chosen &= (parcels["parcel_id"].isin(found) | parcels["stock_class"].isin(wanted.stock_class)).to_numpy()
    return chosen


def summarise(
    parcels: gpd.GeoDataFrame,
    findings: gpd.GeoDataFrame,
    judged: dict[str, int],
    found: PlotSet,
    sites: gpd.GeoDataFrame,
    eligible: pd.DataFrame,
) -> dict[str, Any]:
    """The headline figures of a run: parcels count once however many rules they meet; areas ellipsoidal, in mu.

    ``judged`` counts the parcels that each kind of rule applied to; where it is none, the kind's figures are ``None``.
    """

    def of(levels: tuple[str, ...]) -> tuple[int, float]:
        chosen = findings[findings["level"].isin(levels)].drop_duplicates("parcel_id")
        return len(chosen), round(float(mu(chosen["area_m2"].sum())), 2)

    idle, idle_mu = of(IDLE_LEVELS) if judged["idle"] else (None, None)
    inefficient, inefficient_mu = of(INEFFICIENT_LEVELS) if judged["inefficient"] else (None, None)
    unknown, _ = of(("not_assessed",))
    by_level = {level: dict(zip(("count", "mu"), of((level,)), strict=True)) for level in LEVELS if level != "ok"}
    return {
        "parcels": len(parcels),
        "parcels_mu": round(float(mu(parcels["area_m2"].sum())), 2),
        "idle": idle,
        "idle_mu": idle_mu,
        "inefficient": inefficient,
        "inefficient_mu": inefficient_mu,
        "judged": judged,
        "not_assessed": unknown,
        "eligible": len(eligible),
        "eligible_mu": round(float(mu(eligible["area_m2"].sum())), 2),
        "plots": len(found.plots),
        "plots_mu": round(float(mu(found.plots["area_m2"].sum())), 2),
        "sites": len(sites),
        "by_level": by_level,
        "ladder": found.ladder,
        "balance": {name: round(value, 3) for name, value in found.balance.items()},
        "unassessed_barriers": list(found.unassessed_barriers),
    }


ANALYSED_LAYERS = ("parcels", "delays", "buildings", "zoning", "control_lines", "barriers", "terminals")


def analyse_store(
    store: Store,
    rules: RuleSet,
    as_of: np.datetime64,
    plot_rules: PlotRules | None = None,
    progress: Progress = lambda step: None,
) -> Run:
    """Analyse what a store holds and keep the result in it, in one transaction."""
    progress("读取图层")
    layers = {name: store.read(Query(name)) for name in ANALYSED_LAYERS}
    analysis = analyse(layers, standing_loads(store.loads()), rules, as_of, plot_rules, progress)
    progress("写入结果")
    store.write_run(analysis.run, analysis.layers)
    return analysis.run
