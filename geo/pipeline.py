"""The main job in the order in which a planner would tell it: findings, plots, sites, store (import: ``importing``)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.eligibility import eligible_parcels
from geo.errors import InvalidParameter
from geo.land.changes import past_of
from geo.land.efficiency import assess_inefficiency, not_subject
from geo.land.findings import IDLE_LEVELS, INEFFICIENT_LEVELS, LEVELS, RULE_TITLES
from geo.land.idle import assess_idle, subject_to_idle
from geo.land.planning import planned_land_uses
from geo.land.rules import RuleSet
from geo.land.summary import assessed, stock_summary, why_not_idle
from geo.matching.sites import build_sites
from geo.plots.composition import built_area_m2, level_share, planned_uses
from geo.plots.parameters import PlotRules
from geo.plots.plot import PlotSet, find_plots
from geo.plots.setbacks import load_setbacks
from geo.plots.slope import SteepGround, steep_ground
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
    *,
    elevation: Path | None = None,
    processes: int = 1,
) -> Analysis:
    """Findings, plots and sites of a district.

    Parameters
    ----------
    layers : canonical source layers by name; ``parcels`` is needed, the others make the answer richer
    loads : the loads these layers came from
    rules : rule set of the jurisdiction
    as_of : the day for which everything is judged, Asia/Shanghai
    plot_rules : parameters of the search for plots; by default those of the design and the set-backs of the law
    elevation : raster from which steep ground is told; without it slope is not assessed
    processes : int, processes that share the search for plots; the answer is the same

    Raises
    ------
    InvalidParameter
        There are no parcels.
    InvalidInput
        The raster cannot be used.
    """
    plot_rules = plot_rules or PlotRules(setbacks=load_setbacks())
    started = datetime.now(_CHINA)
    parcels = _layer(layers, "parcels")
    if parcels is None:
        raise InvalidParameter("没有宗地数据，无法分析", where="parcels", remedy="请先运行 lianpian import")
    buildings = _layer(layers, "buildings")

    planned = _planned(parcels, _layer(layers, "zoning"), rules)
    progress("认定闲置土地")
    idle = assess_idle(parcels, layers.get("delays"), rules.idle, as_of, rules.edition)
    progress("认定低效用地")
    inefficiency = assess_inefficiency(
        parcels, buildings, layers.get("enterprises"), rules, as_of, idle=idle, planned_land_use=planned
    )
    findings = _concat(idle, inefficiency.findings)

    progress("筛选可连片宗地")
    control_lines, barriers = _layer(layers, "control_lines"), _layer(layers, "barriers")
    eligibility = eligible_parcels(parcels, findings, planned, control_lines, rules.eligible)
    chosen = eligibility.chosen
    eligible = parcels[chosen]
    steep = None
    if elevation is not None and len(eligible):
        progress("读取高程，计算坡度")
        steep = steep_ground(elevation, eligible, plot_rules.slope_limit_pct)
    progress("寻找连片地块")
    found = find_plots(
        eligible,
        others=parcels.assign(because=eligibility.because, because_zh=eligibility.told)[~chosen],
        control_lines=control_lines,
        barriers=barriers,
        steep=None if steep is None else steep.ground,
        roads=_roads(_layer(layers, "network"), barriers),
        rules=plot_rules,
        processes=processes,
    )
    plots = found.plots
    progress("汇总地块构成")
    subject = {"idle": subject_to_idle(parcels, as_of), "inefficient": inefficiency.subject}
    for kind, levels in (("idle", IDLE_LEVELS), ("inefficient", INEFFICIENT_LEVELS)):
        # Where no parcel could be judged a share of nought would be a claim.
        share = level_share(found.members, findings, levels) if subject[kind].any() else pd.Series(dtype=float)
        plots[f"{kind}_share"] = plots["plot_id"].map(share).astype(float)
    plots["built_share"] = np.nan
    if buildings is not None and len(plots):
        # On the members' own land: what stands in a bridged gap is not built on the plot.
        built = pd.Series(built_area_m2(np.asarray(found.members.geometry.array), buildings))
        by_plot = built.groupby(found.members["plot_id"].to_numpy()).sum()
        plots["built_share"] = plots["plot_id"].map(by_plot).astype(float) / plots["area_m2"].astype(float)
    zoning = _layer(layers, "zoning")
    if zoning is not None:
        planned_use = planned_uses(found.members, zoning)
        plots["evidence"] = [
            {**evidence, "planned_use": planned_use.get(plot_id, [])}
            for plot_id, evidence in zip(plots["plot_id"], plots["evidence"], strict=True)
        ]
    progress("生成候选地块")
    sites = build_sites(found, eligible, _layer(layers, "terminals"), rules.sites.min_parcel_mu)

    parameters = {
        "plots": asdict(plot_rules),
        "eligible": rules.eligible.model_dump(),
        "slope": None if steep is None else asdict(steep.facts),
        "sites": rules.sites.model_dump(),
        # The whole set, so that the run can be done again when the file says something else.
        "rules": rules.model_dump(mode="json"),
        "rule_titles": RULE_TITLES | rules.rule_titles,
        "ruleset_title": rules.ruleset.title,
        "ruleset_version": rules.ruleset.version,
        "not_computed": [clause.model_dump() for clause in rules.not_computed],
    }
    run_id = f"R{started:%Y%m%d%H%M%S%f}"
    judged = {kind: int(rows.sum()) for kind, rows in subject.items()}
    outside = {
        "idle": why_not_idle(parcels, subject["idle"]),
        "inefficient": not_subject(parcels, rules, as_of, planned, layers.get("enterprises")),
    }
    run = Run(
        run_id=run_id,
        as_of=str(as_of.astype("datetime64[D]")),
        ruleset=rules.ruleset.name,
        ruleset_sha256=rules.sha256,
        # As JSON from the start, so that the record reads back as it was written.
        parameters=json.loads(json.dumps(parameters)),
        loads=tuple(load.load_id for load in loads),
        started_at=started.isoformat(timespec="seconds"),
        summary={
            **summarise(parcels, findings, judged, found, sites, eligible),
            "slope": _slope_told(steep),
            "assessed": assessed(parcels, findings, subject, outside),
            "stock": stock_summary(parcels, as_of),
        },
    )
    derived: dict[str, Frame] = {
        "findings": findings,
        "past_findings": past_of(findings, run_id),
        "indicators": inefficiency.indicators,
        "firms": inefficiency.firms,
        "plots": plots,
        "plot_members": found.members,
        "leftovers": found.leftovers,
        "sites": sites,
    }
    return Analysis(run, {name: frame.assign(run_id=run.run_id) for name, frame in derived.items()})


def _roads(network: gpd.GeoDataFrame | None, barriers: gpd.GeoDataFrame | None) -> gpd.GeoDataFrame | None:
    """Roads for the frontage of a plot: those of the network, and local roads that are drawn as barriers."""
    drawn = []
    if network is not None:
        drawn.append(network.loc[network["mode"] == "road", ["geometry"]])
    if barriers is not None:
        drawn.append(barriers.loc[barriers["kind"] == "local_road", ["geometry"]])
    if not drawn:
        return None
    roads = gpd.GeoDataFrame(pd.concat(drawn, ignore_index=True), crs=drawn[0].crs)
    return roads if len(roads) else None


def _slope_told(steep: SteepGround | None) -> dict[str, Any]:
    """Whether slope was assessed, and on how much land it could not be."""
    if steep is None:
        return {"assessed": False, "missing": ["elevation"]}
    return {"assessed": True, "limit_pct": steep.facts.limit_pct, "not_assessed_m2": steep.facts.not_assessed_m2}


def _layer(layers: dict[str, Frame], name: str) -> gpd.GeoDataFrame | None:
    frame = layers.get(name)
    return frame if isinstance(frame, gpd.GeoDataFrame) and not frame.empty else None


def _concat(first: gpd.GeoDataFrame, second: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    frames = [frame for frame in (first, second) if len(frame)]
    if not frames:
        return first
    return gpd.GeoDataFrame(pd.concat(frames, ignore_index=True), crs=first.crs)


def _planned(parcels: gpd.GeoDataFrame, zoning: gpd.GeoDataFrame | None, rules: RuleSet) -> NDArray[np.object_] | None:
    """Planned uses where the rule set speaks of any."""
    wanted = [rules.eligible.needs_planned_land_use, *(rule.applies.planned_land_use for rule in rules.inefficient)]
    if not any(wanted):
        return None
    if zoning is None:
        raise InvalidParameter("规则集按规划用途筛选，但没有规划图层", where="zoning", remedy="请先导入 zoning 图层")
    return planned_land_uses(parcels, zoning)


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
        "coverage": found.coverage,
        "near_misses": found.near_misses,
        "unassessed_barriers": list(found.unassessed_barriers),
        "unassessed_setbacks": found.unassessed_setbacks,
        "setbacks": found.setbacks,
    }


ANALYSED_LAYERS = (
    "parcels",
    "delays",
    "enterprises",
    "buildings",
    "zoning",
    "control_lines",
    "barriers",
    "network",
    "terminals",
)


def analyse_store(
    store: Store,
    rules: RuleSet,
    as_of: np.datetime64,
    plot_rules: PlotRules | None = None,
    progress: Progress = lambda step: None,
    *,
    elevation: Path | None = None,
    processes: int = 1,
) -> Run:
    """Analyse what a store holds and keep the result in it, in one transaction; parameters as for ``analyse``."""
    progress("读取图层")
    layers = {name: store.read(Query(name)) for name in ANALYSED_LAYERS}
    analysis = analyse(
        layers, standing_loads(store.loads()), rules, as_of, plot_rules, progress, elevation=elevation,
        processes=processes,
    )  # fmt: skip
    progress("写入结果")
    store.write_run(analysis.run, analysis.layers)
    return analysis.run
