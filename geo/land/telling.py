"""From verdicts to findings: what holds for a firm is told to the parcels it uses, with evidence and dates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.land.calendar import NEVER, Days, add_months, days
from geo.land.findings import evidence_of, findings_frame, unverified_of
from geo.land.firm_evidence import figures_stated
from geo.land.indicators import Measured
from geo.land.inputs import Inputs
from geo.land.judging import Condition, Verdict, missing_of
from geo.land.readings import Reading, numbers
from geo.land.rule_sets.inefficiency import InefficiencyRule
from geo.land.rule_sets.scoring import Scoring
from geo.land.rules import RuleSet
from geo.land.thresholds import Flags, Floats, Lack, all_hold
from geo.land.uses import FIGURES
from geo.layers.schema import PARCELS

_DAY = np.timedelta64(1, "D")
_SINCE = {"stopped_months": "stopped_on", "suspended_months": "suspended_on"}
# A finding lists so many of the firms on a parcel; an incubator may have thousands.
_FIRMS_TOLD = 50
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Scene:
    """The parcels of a scope with what was measured on them.

    ``unsure`` (n,) those whose state is unknown · ``enterprises`` the rows that figures come from, or ``None``
    """

    parcels: gpd.GeoDataFrame
    unsure: Flags
    measured: Measured
    enterprises: pd.DataFrame | None


def findings_of_firms(
    rule: InefficiencyRule | Scoring, rules: RuleSet, scene: Scene, verdict: Verdict,
    read: Callable[[Rows], list[Reading]], conditions: Sequence[Condition], fields: Sequence[str],
    as_of: np.datetime64,
) -> gpd.GeoDataFrame:  # fmt: skip
    """Findings of the parcels that firms use: low where any firm is, not assessed where none is and one may be."""
    n, firms, uses = len(scene.parcels), scene.measured.firms, scene.measured.uses
    firm, parcel = uses["firm"].to_numpy(dtype=np.int64), uses["parcel"].to_numpy(dtype=np.int64)
    low, land = verdict.low[firm], uses["land_m2"].to_numpy(dtype=float)
    some, open_ = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    some[parcel[low == 1]] = True
    open_[parcel[np.isnan(low)]] = True
    by_firms = np.where(some, 1.0, np.where(open_, np.nan, 0.0))
    whole = all_hold([by_firms, *(each.holds for each in conditions)], n)
    rows = np.flatnonzero(whole != 0)

    # Of the firms on a parcel those that are low come first, of these the one with most land; firms are in order.
    telling = np.flatnonzero((whole != 0)[parcel] & (low != 0))
    telling = telling[
        np.lexsort((firm[telling], -np.nan_to_num(land[telling]), np.isnan(low[telling]), parcel[telling]))
    ]
    first = np.searchsorted(parcel[telling], rows, side="left").tolist()
    last = np.searchsorted(parcel[telling], rows, side="right").tolist()
    named = np.unique(firm[telling])
    told = _FirmsTold.of(firms, named, verdict, read(named), figures_stated(firms.table.iloc[named],
                                                                           scene.enterprises, fields))  # fmt: skip
    place = np.searchsorted(named, firm[telling]).tolist()
    is_low = (low[telling] == 1).tolist()
    here_m2 = numbers(land[telling])
    count = np.bincount(parcel, minlength=n)[rows].tolist()

    lacking = [Lack(lack.where & np.isnan(each.holds), lack.name) for each in conditions for lack in each.lacks]
    missing = missing_of(lacking, rows)
    readings = []
    for i, is_open in enumerate(np.isnan(by_firms[rows]).tolist()):
        at = range(first[i], last[i])
        shown = at[:_FIRMS_TOLD]
        if is_open:
            names = (name for k in at for name in told.missing[place[k]])
            missing[i] = list(dict.fromkeys([*missing[i], *names]))
        front = told.readings[place[at[0]]]
        own = [{**told.briefly[place[k]], "here_m2": here_m2[k]} for k in shown]
        line = told.line([place[k] for k in at if is_low[k]], alone=count[i] == 1)
        used = [item for k in shown for item in told.stated[place[k]]]
        reading = {**front.told, "firms": own, "firm_count": count[i]}
        readings.append(Reading(reading, line, front.parameters, used))
    since = np.full(len(rows), NEVER)
    return findings_of(rule, rules, scene, rows, whole[rows], readings, missing, fields, since, as_of)


@dataclass(frozen=True, slots=True)
class _FirmsTold:
    """What findings say of (k) firms: readings, what is missing, what firm tables state, names, and it in brief."""

    readings: list[Reading]
    missing: list[list[str]]
    stated: list[list[dict[str, Any]]]
    names: list[str]
    briefly: list[dict[str, Any]]

    @classmethod
    def of(
        cls, firms: Inputs, named: Rows, verdict: Verdict, readings: list[Reading], stated: list[list[dict[str, Any]]]
    ) -> _FirmsTold:
        table = firms.table.iloc[named]
        identity, holder = table["firm_id"].tolist(), table["holder"].tolist()
        land, low = numbers(firms.column("land_m2")[named]), (verdict.low[named] == 1).tolist()
        briefly = [
            {**_short(reading.told), "firm_id": identity[i], "holder": holder[i], "land_m2": land[i],
             "level": "inefficient" if low[i] else "not_assessed"}
            for i, reading in enumerate(readings)
        ]  # fmt: skip
        names = [name if isinstance(name, str) else str(identity[i]) for i, name in enumerate(holder)]
        return cls(readings, missing_of(verdict.lacks, named), stated, names, briefly)

    def line(self, low: list[int], *, alone: bool) -> str:
        """The lines of the firms that are low; their names where several firms use the parcel."""
        if alone:
            return self.readings[low[0]].line if low else ""
        rest = f"；另有 {len(low) - 3} 家" if len(low) > 3 else ""
        return "；".join(f"{self.names[k]}：{self.readings[k].line}" for k in low[:3] if self.readings[k].line) + rest


def _short(told: dict[str, Any]) -> dict[str, Any]:
    keys = ("value", "threshold", "shortfall", "grade", "rank")
    return {key: told[key] for key in keys if key in told}


def first_days(rule: InefficiencyRule, parcels: pd.DataFrame, rows: Rows, as_of: np.datetime64) -> Days:
    """The first day on which the months of a stop were full, as far as a rule counts months."""
    first = np.full(len(rows), NEVER)
    for one in rule.when:
        way, bound = one.comparison
        if one.measure not in _SINCE or way not in ("at_least", "above") or not isinstance(bound, int | float):
            continue
        months = int(np.ceil(bound)) if way == "at_least" else int(np.floor(bound)) + 1
        start = days(parcels[_SINCE[one.measure]].to_numpy())[rows]
        full = np.where(np.isnat(start), NEVER, add_months(np.where(np.isnat(start), as_of, start), months) + _DAY)
        first = np.where(np.isnat(first), full, np.maximum(first, full))
    return first


def findings_of(
    rule: InefficiencyRule | Scoring, rules: RuleSet, scene: Scene, rows: Rows, low: Floats,
    readings: Sequence[Reading], missing: Sequence[list[str]], fields: Sequence[str], since: Days,
    as_of: np.datetime64,
) -> gpd.GeoDataFrame:  # fmt: skip
    met = low == 1
    parameters = [each.parameters for each in readings]
    own = [name for name in fields if name in PARCELS.columns]
    evidence = evidence_of(_shown(scene, rows), np.arange(len(rows)), own, [each.told for each in readings], parameters)
    for told, reading in zip(evidence, readings, strict=True):
        told["used"] += reading.used
    unsure = ["可采取措施"] if rule.disposals and rule.status_of("disposals") == "unverified" else []
    lines = [each.line if one else "" for each, one in zip(readings, met, strict=True)]
    return findings_frame(
        rows, scene.parcels, kind="inefficient", rule=rule.rule, level=np.where(met, "inefficient", "not_assessed"),
        since=np.where(met, since, NEVER), next_date=np.full(len(rows), NEVER), fee_yuan=np.full(len(rows), np.nan),
        evidence=evidence, missing=missing, source=rule.source, article=rule.article, ruleset=rules.edition,
        disposals="；".join(rule.disposals), shortfall=lines, as_of=as_of,
        unverified=[[*unverified_of(used), *unsure] for used in parameters],
    )  # fmt: skip


def _shown(scene: Scene, rows: Rows) -> pd.DataFrame:
    """The parcels of findings without figures of their own that were not used, as firm tables spoke instead."""
    shown = scene.parcels.iloc[rows].copy()
    basis = scene.measured.parcels.table["figures_basis"].iloc[rows].fillna("").astype(str)
    elsewhere = ~basis.str.contains("宗地").to_numpy(dtype=bool)
    for name in (*FIGURES, "above_scale", "year"):
        if name in shown:
            shown[name] = shown[name].mask(elsewhere)
    return shown
