"""Idle land: findings under 闲置土地处置办法 (国土资源部令第53号), strictly by calendar, in three-valued logic.

Rule A: not started a year and two years after the day that was agreed. Rule B: started, little developed or invested,
and suspended for a year. A rule set may add a stricter local rule of slow investment. Every finding is a suspicion
until a person confirms it.
"""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.land.excuses import Clock, Delays, told
from geo.land.facts import dated_later, status_seen, supply_dated, supply_known
from geo.land.findings import evidence_of, findings_frame, unverified_of
from geo.land.idle_basis import Basis, basis_of, parameters_of, told_disposals
from geo.land.idle_state import IdleState, NotStarted, idle_state
from geo.land.rule_sets.idle import Disposal, IdleRules

Flags = NDArray[np.bool_]

_STARTS = (
    "started_on", "foundation_kind", "permit_date", "pit_done_date", "piles_done_date", "foundation_pct",
    "completed_on",
)  # fmt: skip
_EVIDENCE = {
    "IDLE_A": ("start_due", "handover_date", "contract_date", "status", *_STARTS, "land_price_yuan", "supply_kind",
               "tenure", "stock_class"),
    "IDLE_B": ("status", *_STARTS, "suspended_on", "resumed_on", "area_developed_m2", "area_due_m2",
               "investment_made_yuan", "investment_due_yuan", "contract_date", "supply_kind", "tenure", "stock_class"),
    "IDLE_SLOW": ("start_due", "handover_date", "contract_date", "status", *_STARTS, "investment_made_yuan",
                  "investment_due_yuan", "supply_kind", "tenure", "stock_class"),
}  # fmt: skip
# Agreed days may lie ahead; what happened may not.
_HAPPENED = (
    "started_on",
    "permit_date",
    "pit_done_date",
    "piles_done_date",
    "completed_on",
    "suspended_on",
    "resumed_on",
)


def subject_to_idle(parcels: pd.DataFrame, as_of: np.datetime64 | None = None) -> Flags:
    """Which parcels the rules apply to: those that were supplied (a contract, an allocation, a hand-over is known).

    Parameters
    ----------
    parcels : (n) canonical parcels
    as_of : day; what was supplied by a contract of a later day was not yet subject. Without it, whatever the day

    Notes
    -----
    Land that is approved and not supplied (批而未供) is never idle. Where it has dates of a supply all the same, that
    is a contradiction, which the assessment reports: it is subject.
    """
    unsupplied = np.asarray(parcels["stock_class"].isin(("approved_unsupplied",)), dtype=bool)
    return supply_known(parcels, as_of) & (~unsupplied | supply_dated(parcels))


def assess_idle(
    parcels: gpd.GeoDataFrame,
    delays: pd.DataFrame | None,
    rules: IdleRules,
    as_of: np.datetime64,
    ruleset: str = "",
) -> gpd.GeoDataFrame:
    """Findings of idle land, one row per parcel and rule whose level is not ``ok``.

    Parameters
    ----------
    parcels : canonical parcels with ``area_m2``; only those with a supply (contract, allocation, hand-over) are subject
    delays : canonical ``delays``, or ``None``; the first delay of a parcel may also stand in the parcel itself
    rules : idle part of a rule set
    as_of : day, Asia/Shanghai
    ruleset : edition of the rule set, as findings cite it

    Returns
    -------
    findings : canonical ``findings`` without run id; levels ``warning``, ``overdue``, ``idle_1y``, ``idle_2y``
        (``IDLE_A``), ``idle_stalled`` (``IDLE_B``, ``IDLE_SLOW``), ``not_assessed``
    """
    as_of = as_of.astype("datetime64[D]")
    table = parcels[subject_to_idle(parcels, as_of)].reset_index(drop=True)
    if table.empty:
        return findings_frame([], table)
    state = idle_state(table, delays, rules, as_of)
    basis = basis_of(state)
    frames = [_findings(table, state, basis, rule, ruleset) for rule in state.verdicts()]
    frames = [frame for frame in frames if len(frame)]
    if not frames:
        return findings_frame([], table)
    return gpd.GeoDataFrame(pd.concat(frames, ignore_index=True), crs=parcels.crs)


def _findings(
    table: gpd.GeoDataFrame, state: IdleState, basis: Basis, rule: str, ruleset: str
) -> gpd.GeoDataFrame:  # fmt: skip
    rules, verdict = state.rules, state.verdicts()[rule]
    found = np.flatnonzero(verdict.level != "ok")
    if not len(found):
        return findings_frame([], table)
    rows: list[int] = found.tolist()
    used = [basis.keys(rule, row) for row in rows]
    known = {keys: parameters_of(rules, keys) for keys in set(used)}
    parameters = [known[keys] for keys in used]
    allowed = [basis.disposals(rule, row) for row in rows]
    excuses = _excuses_by_row(state, rule, found)
    seen = _seen(table.iloc[rows].reset_index(drop=True), state.as_of)
    reading = [
        _reading(state, basis, rule, row) | {"excuses": excuses.get(row, []), "disposals": told_disposals(measures)}
        for row, measures in zip(rows, allowed, strict=True)
    ]
    slow = rules.slow_investment
    return findings_frame(
        rows, table, kind="idle", rule=rule, level=verdict.level[rows], since=verdict.since[rows], as_of=state.as_of,
        next_date=verdict.next_date[rows],
        fee_yuan=verdict.fee_yuan[rows] if isinstance(verdict, NotStarted) else np.full(len(rows), np.nan),
        evidence=evidence_of(seen, np.arange(len(rows)), _EVIDENCE[rule], reading, parameters),
        missing=[state.missing(rule, row) for row in rows],
        source=slow.source if rule == "IDLE_SLOW" and slow else rules.source,
        article=[basis.article(rule, row, keys) for row, keys in zip(rows, used, strict=True)],
        ruleset=ruleset,
        disposals=["；".join(_cited(each) for each in measures) for measures in allowed],
        unverified=[_unverified(*each) for each in zip(parameters, allowed, strict=True)],
    )  # fmt: skip


def _cited(disposal: Disposal) -> str:
    about = "，".join(text for text in (disposal.article, disposal.paper) if text)
    return f"{disposal.measure}（{about}）" if about else disposal.measure


def _unverified(parameters: list[dict[str, Any]], measures: tuple[Disposal, ...]) -> list[str]:
    return unverified_of(parameters) + [f"措施“{each.measure}”" for each in measures if each.status == "unverified"]


def _reading(state: IdleState, basis: Basis, rule: str, row: int) -> dict[str, Any]:
    """What the rule computed on the way to the level of one parcel."""
    verdict = state.verdicts()[rule]
    about: dict[str, Any] = {"collective": bool(basis.collective[row])}
    if rule == "IDLE_B":
        about |= {"discretionary": True, "excused_days": int(state.stop_clock.taken[row, 0])}
        return about
    due, silent = state.due[row], bool(state.silent[row])
    about["start_due"] = None if np.isnat(due) else str(due)
    about["start_due_basis"] = None if np.isnat(due) else ("handover" if silent else "contract")
    period = 2 if rule == "IDLE_SLOW" else int(verdict.level[row] == "idle_2y")
    about["excused_days"] = int(state.clock.taken[row, period])
    if rule == "IDLE_A" and verdict.level[row] in ("idle_1y", "idle_2y"):
        about["idle_since"] = str(state.clock.over[row, 0])  # the level of two years holds only since its own day
    return about | ({"discretionary": True} if rule == "IDLE_SLOW" else {})


def _excuses_by_row(state: IdleState, rule: str, rows: NDArray[np.int64]) -> dict[int, list[dict[str, Any]]]:
    """The delays of some parcels in words, in the order of time: those that counted and those set aside, with why."""
    delays: Delays = state.stop_delays if rule == "IDLE_B" else state.delays
    clock: Clock = state.stop_clock if rule == "IDLE_B" else state.clock
    wanted = np.zeros(len(state.table), dtype=bool)
    wanted[rows] = True
    # What lies ahead does not exist yet.
    chosen = np.flatnonzero(wanted[delays.parcel] & (clock.why_not != "later"))
    found: dict[int, list[dict[str, Any]]] = {}
    periods = {"IDLE_A": {"days_counted_1y": 0, "days_counted_2y": 1}, "IDLE_SLOW": {"days_counted": 2}}
    named = periods.get(rule, {"days_counted": 0})
    for position in chosen[np.lexsort((delays.end[chosen], delays.begin[chosen]))].tolist():
        counted = {name: int(clock.counted[position, period]) for name, period in named.items()}
        about = told(delays, clock, position, state.as_of) | counted
        found.setdefault(int(delays.parcel[position]), []).append(about)
    return found


def _seen(table: pd.DataFrame, as_of: np.datetime64) -> pd.DataFrame:
    """The rows as they were known on a day: what happened later is left out, and the status it brought about."""
    later = {name: table[name].mask(dated_later(table, name, as_of)) for name in _HAPPENED}
    return table.assign(**later, status=status_seen(table, as_of))
