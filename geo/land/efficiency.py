"""Inefficient land: rules and grades applied to the parcels they speak of, with the evidence of each finding."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.land.calendar import days
from geo.land.findings import empty_findings
from geo.land.ground import ground_of
from geo.land.indicators import Measured, firms_frame, indicators_frame, measured
from geo.land.inputs import Inputs
from geo.land.judging import Condition, Verdict, judged, missing_of
from geo.land.measures import measure_of
from geo.land.readings import Reading, fields_used, readings_of
from geo.land.rule_sets.inefficiency import AGREED, Applies, InefficiencyRule
from geo.land.rule_sets.scoring import Scoring
from geo.land.rules import RuleSet
from geo.land.scope import Scope, not_subject, reach, scopes_of, standing_of, subject_to
from geo.land.scoring import Scores, scored
from geo.land.shortfall import amount_text
from geo.land.telling import Scene, findings_of, findings_of_firms, first_days
from geo.land.thresholds import Flags, Lack, all_hold

__all__ = ["Inefficiency", "assess_inefficiency", "not_subject"]

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Inefficiency:
    """What the rules of inefficiency found.

    ``findings``, ``indicators``, ``firms`` canonical frames without run id · ``subject`` (n,) the parcels that any rule
    or the scoring looked at
    """

    findings: gpd.GeoDataFrame
    indicators: pd.DataFrame
    firms: pd.DataFrame
    subject: Flags


@dataclass(frozen=True, slots=True)
class _Survey:
    """Land and figures, measured once for each scope that rules have."""

    parcels: gpd.GeoDataFrame
    ground: pd.DataFrame
    enterprises: pd.DataFrame | None
    rules: RuleSet
    as_of: np.datetime64
    reached: dict[Scope, tuple[Flags, Flags]]
    kept: dict[bytes, tuple[gpd.GeoDataFrame, Measured]] = field(default_factory=dict)

    def scene(self, scope: Scope) -> Scene:
        """What was measured in a scope."""
        inside, unsure = self.reached[scope]
        parcels, found = self.of(inside)
        return Scene(parcels, unsure[inside], found, self.enterprises)

    def of(self, inside: Flags) -> tuple[gpd.GeoDataFrame, Measured]:
        """What was measured on some parcels; scopes that hold the same parcels share it."""
        key = np.packbits(inside).tobytes()
        if key not in self.kept:
            parcels = self.parcels[inside].reset_index(drop=True)
            ground = self.ground[inside].reset_index(drop=True)
            self.kept[key] = parcels, measured(parcels, ground, self.enterprises, self.rules.measures, self.as_of)
        return self.kept[key]


def assess_inefficiency(
    parcels: gpd.GeoDataFrame,
    buildings: gpd.GeoDataFrame | None,
    enterprises: pd.DataFrame | None,
    rules: RuleSet,
    as_of: np.datetime64,
    *,
    idle: pd.DataFrame | None = None,
    planned_land_use: NDArray[np.object_] | None = None,
) -> Inefficiency:
    """Findings of inefficient land, one row per parcel and rule, and the indicators they rest on.

    Parameters
    ----------
    parcels : (n) canonical parcels with ``area_m2`` (ellipsoidal)
    buildings, enterprises : canonical layers, or ``None``
    rules : rule set; each rule names the parcels it looks at
    as_of : day, Asia/Shanghai
    idle : findings of idle land, which rules may leave parcels to; ``None`` where there are none
    planned_land_use : (n,) planned use at a point of each parcel; ``None`` without a zoning layer

    Raises
    ------
    InvalidParameter
        A rule names planned land uses and there is no zoning layer; a threshold's unit does not fit its measure.
    """
    as_of = as_of.astype("datetime64[D]")
    parcels = parcels.reset_index(drop=True)
    standing = standing_of(parcels, as_of, planned_land_use, enterprises)
    own = scopes_of(rules)
    firm_scope = _firm_scope(rules)
    reached = {scope: reach(scope, standing) for scope in {**own, firm_scope: None}}
    looked = np.logical_or.reduce([reached[scope][0] for scope in reached])
    survey = _Survey(parcels, _ground(parcels, looked, buildings, rules), enterprises, rules, as_of, reached)

    frames = []
    for rule in rules.inefficient:
        scene = survey.scene(Scope.of(rule.applies))
        if len(scene.parcels):
            judge = _by_firm if rule.per == "firm" else _by_parcel
            frames.append(judge(rule, scene, rules, idle, as_of))
    firms = survey.scene(firm_scope).measured
    scores = scored(firms.firms, rules.scoring, as_of) if rules.scoring else None
    if rules.scoring and scores and rules.scoring.inefficient_grades and len(firms.firms):
        frames.append(_by_grade(rules.scoring, scores, survey.scene(firm_scope), rules, as_of))
    frames = [frame for frame in frames if len(frame)]
    findings = pd.concat(frames, ignore_index=True) if frames else empty_findings(parcels.crs)
    return Inefficiency(
        gpd.GeoDataFrame(findings, crs=parcels.crs),
        indicators_frame(survey.of(looked)[1]),
        firms_frame(firms, _with_parts(scores)),
        subject_to(rules, standing),
    )


def _with_parts(scores: Scores | None) -> pd.DataFrame | None:
    """Scores with how each is made up, as the layer of firms keeps them."""
    if scores is None:
        return None
    return scores.frame.assign(parts=[scores.parts(row) for row in range(len(scores.frame))])


def _firm_scope(rules: RuleSet) -> Scope:
    """The scope whose firms are kept: those that are scored, else those of the first rule per firm."""
    if rules.scoring:
        return Scope.of(rules.scoring)
    return next((Scope.of(rule.applies) for rule in rules.inefficient if rule.per == "firm"), Scope())


def _ground(
    parcels: gpd.GeoDataFrame, looked: Flags, buildings: gpd.GeoDataFrame | None, rules: RuleSet
) -> pd.DataFrame:
    """What stands on the parcels that are looked at, aligned with all of them."""
    of_looked = ground_of(parcels[looked].reset_index(drop=True), buildings, rules.measures)
    return of_looked.set_axis(np.flatnonzero(looked)).reindex(np.arange(len(parcels)))


def _by_parcel(
    rule: InefficiencyRule, scene: Scene, rules: RuleSet, idle: pd.DataFrame | None, as_of: np.datetime64
) -> gpd.GeoDataFrame:
    inputs = _with_extra(scene.measured.parcels, scene.parcels, rule)
    conditions = [*_of_parcel(rule.applies, scene, idle), _known_state(scene.unsure)]
    verdict = judged(rule, inputs, rules.tables, conditions)
    rows = np.flatnonzero(verdict.low != 0)
    readings = readings_of(verdict, inputs, rows, rule, rules.measures, rules.tables)
    return findings_of(
        rule, rules, scene, rows, verdict.low[rows], readings, missing_of(verdict.lacks, rows),
        fields_used(rule, verdict.compared, rules.measures), first_days(rule, scene.parcels, rows, as_of), as_of,
    )  # fmt: skip


def _by_firm(
    rule: InefficiencyRule, scene: Scene, rules: RuleSet, idle: pd.DataFrame | None, as_of: np.datetime64
) -> gpd.GeoDataFrame:
    """A rule per firm is told to every parcel that the firm uses; see 湖州: one weak parcel of a sound firm is none."""
    found = scene.measured
    inputs = _with_common(found.firms, found.parcels, found.uses)
    verdict = judged(rule, inputs, rules.tables, [_known_state(_any_of(scene.unsure, found.uses, len(inputs)))])

    def read(firms: Rows) -> list[Reading]:
        return readings_of(verdict, inputs, firms, rule, rules.measures, rules.tables)

    conditions = _of_parcel(rule.applies, scene, idle)
    fields = fields_used(rule, verdict.compared, rules.measures)
    return findings_of_firms(rule, rules, scene, verdict, read, conditions, fields, as_of)


def _by_grade(scoring: Scoring, scores: Scores, scene: Scene, rules: RuleSet, as_of: np.datetime64) -> gpd.GeoDataFrame:
    """Parcels of firms of the grades that count as inefficient; a firm that is not rated is none."""
    frame, found = scores.frame, scene.measured
    grade = frame["grade"].to_numpy(dtype=object)
    unknown = pd.isna(grade) & frame["missing"].map(bool).to_numpy(dtype=bool)
    low = np.where(unknown, np.nan, np.isin(np.where(pd.isna(grade), "", grade), scoring.inefficient_grades))
    state = _known_state(_any_of(scene.unsure, found.uses, len(found.firms)))
    told = np.fromiter((tuple(names) for names in frame["missing"]), dtype=object, count=len(frame))
    lacks = (Lack(unknown, told), Lack((low == 1) & np.isnan(state.holds), "status"))
    verdict = Verdict(all_hold([low.astype(float), state.holds], len(low)), (), lacks)

    def read(firms: Rows) -> list[Reading]:
        return [_graded(scores, scoring, int(firm), verdict.low[firm] == 1) for firm in firms]

    weighed = [measure_of(part.measure) for group in scoring.groups for part in group.components]
    figures = [name for of in weighed for name in (of.numerator, of.denominator) if name and name != "land_m2"]
    fields = ["holder", "status", "area_m2", "area_used_m2", "above_scale", "industry", "industry_edition", "year",
              *dict.fromkeys(figures)]  # fmt: skip
    return findings_of_firms(scoring, rules, scene, verdict, read, [], fields, as_of)


def _graded(scores: Scores, scoring: Scoring, firm: int, low: bool) -> Reading:
    row = scores.frame.iloc[firm]
    score, rank, ranked = (None if pd.isna(row[name]) else row[name] for name in ("score", "rank", "ranked"))
    told: dict[str, Any] = {
        "measure": "综合得分", "value": score and float(score), "unit": "分", "per": "firm", "grade": row["grade"],
        "rank": rank and int(rank), "ranked": ranked and int(ranked), "score_group": row["score_group"],
        "population": scoring.population, "status": scoring.status, "note": row["note"],
        "criteria": scores.parts(firm),
    }  # fmt: skip
    line, way = "", row["to_next"]
    if low and way:
        told["threshold"] = float(way["score"])
        if way["value"] is not None:
            amount = amount_text(way["value"], way["unit"], yearly=way["unit"] == "yuan")
            line = f"{way['zh']}还差 {amount}（达到 {way['grade']} 级 {way['score']:.2f} 分）"
            told["shortfall"] = {"quantity": way["zh"], "value": way["value"], "unit": way["unit"]}
            if way["unit"] == "yuan":
                told["shortfall_yuan"] = way["value"]
        else:
            line = f"得分达到 {way['score']:.2f}（{way['grade']} 级）"
    return Reading(told, line, scores.parameters(firm))


def _known_state(unsure: Flags) -> Condition:
    """Without a status, what is found is not assessed: figures of operation are a reason to look, not a proof."""
    return Condition(np.where(unsure, np.nan, 1.0), (Lack(unsure, "status"),))


def _of_parcel(applies: Applies, scene: Scene, idle: pd.DataFrame | None) -> list[Condition]:
    """The conditions of a rule that belong to the parcel whoever uses it: its contract, and idle findings."""
    conditions = []
    if applies.contract_from:
        signed = days(scene.parcels["contract_date"].to_numpy())
        silent = np.isnat(signed)
        new = np.where(silent, np.nan, (signed >= np.datetime64(applies.contract_from, "D")).astype(float))
        conditions.append(Condition(new, (Lack(silent, "contract_date"),)))
    if applies.except_levels and idle is not None and len(idle):
        identity = scene.parcels["parcel_id"]
        left = identity.isin(idle.loc[idle["level"].isin(applies.except_levels), "parcel_id"]).to_numpy(dtype=bool)
        open_ = idle[(idle["level"] == "not_assessed") & idle["parcel_id"].isin(identity[~left])]
        unknown = np.full(len(identity), None, dtype=object)
        place = pd.Series(np.arange(len(identity)), index=identity.to_numpy())
        for row, missing in zip(place.loc[open_["parcel_id"]], open_["missing"], strict=True):
            unknown[row] = (*(unknown[row] or ()), *(each["field"] for each in missing))
        undecided = ~pd.isna(unknown)
        holds = np.where(left, 0.0, np.where(undecided, np.nan, 1.0))
        conditions.append(Condition(holds, (Lack(undecided, unknown),)))
    return conditions


def _with_extra(inputs: Inputs, parcels: pd.DataFrame, rule: InefficiencyRule) -> Inputs:
    """The columns that the source had and a rule compares, as numbers."""
    names = {one.measure for one in rule.when if one.measure.startswith("extra:")}
    if not names:
        return inputs
    records = [each if isinstance(each, dict) else {} for each in parcels["extra"]]
    columns = {
        name: pd.to_numeric(pd.Series([each.get(name[6:]) for each in records], dtype=object), errors="coerce")
        .to_numpy(dtype=float, na_value=np.nan)
        for name in names
    }  # fmt: skip
    return Inputs(inputs.subject, inputs.table.assign(**columns), inputs.reasons)


def _with_common(firms: Inputs, parcels: Inputs, uses: pd.DataFrame) -> Inputs:
    """What contracts agreed, for a firm: the value of its parcels where all of them have the same."""
    absent = [name for name in AGREED if name not in firms.table and name in parcels.table]
    firm = uses["firm"].to_numpy()
    columns = {}
    for name in absent:
        number_of, values = pd.factorize(parcels.table[name].iloc[uses["parcel"].to_numpy()])
        by_firm = pd.Series(number_of).groupby(firm)
        lowest = by_firm.min().reindex(np.arange(len(firms)), fill_value=-1)
        one = (lowest == by_firm.max().reindex(np.arange(len(firms)), fill_value=-1)) & (lowest >= 0)
        columns[name] = pd.Series(values).reindex(lowest.where(one, -1)).to_numpy(dtype=object)
    return Inputs(firms.subject, firms.table.assign(**columns), firms.reasons)


def _any_of(flags: Flags, uses: pd.DataFrame, count: int) -> Flags:
    """Which firms use a parcel of which something holds: (count,) bool."""
    found = np.zeros(count, dtype=bool)
    found[uses["firm"].to_numpy()[flags[uses["parcel"].to_numpy()]]] = True
    return found
