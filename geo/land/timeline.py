"""The life of one parcel under the idle-land rules, as data for a chart: what happened, what is next, what excuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from geo.land.calendar import ONE_DAY, days
from geo.land.excuses import reason, told
from geo.land.findings import LEVELS, named
from geo.land.idle import subject_to_idle
from geo.land.idle_state import IdleState, NotStarted, idle_state
from geo.land.rule_sets.idle import IdleRules

_GRAVEST_FIRST = ("idle_2y", "idle_1y", "idle_stalled", "overdue", "warning", "not_assessed", "ok")
_EVENTS = (
    ("contract", "合同签订", "contract_date"),
    ("handover", "交付土地", "handover_date"),
    ("start_due", "约定动工", "start_due"),
    ("permit", "取得施工许可", "permit_date"),
    ("pit_done", "基坑完成", "pit_done_date"),
    ("piles_done", "桩基完成", "piles_done_date"),
    ("started", "实际动工", "started_on"),
    ("suspended", "停工", "suspended_on"),
    ("resumed", "复工", "resumed_on"),
    ("completed", "竣工", "completed_on"),
    ("stopped", "停产", "stopped_on"),
)
_ORDER = {kind: place for place, (kind, _, _) in enumerate(_EVENTS)}


def timeline_of(
    parcel: pd.DataFrame, delays: pd.DataFrame | None, rules: IdleRules, as_of: np.datetime64
) -> dict[str, Any]:  # fmt: skip
    """Where one parcel stands on a day, how it came there and what is next, by the arithmetic of the findings.

    Parameters
    ----------
    parcel : one row of canonical parcels
    delays : canonical ``delays`` of this or more parcels, or ``None``
    rules : idle part of a rule set
    as_of : day, Asia/Shanghai

    Returns
    -------
    timeline : JSON-ready. ``level`` (``ok`` too; ``None`` with ``why`` where the rules do not apply), ``rule``,
        ``since``, ``next_level``, ``next_date``, ``fee_yuan``, ``events``, ``milestones``, ``excuses``, ``missing``,
        ``started``, ``started_on_computed``. A milestone without a date is one that a running excuse still moves.

    Raises
    ------
    ValueError
        Not exactly one parcel was given.
    """
    if len(parcel) != 1:
        raise ValueError(f"a timeline is of one parcel, not of {len(parcel)}")
    as_of = as_of.astype("datetime64[D]")
    table = parcel.reset_index(drop=True)
    state = idle_state(table, delays, rules, as_of)
    started = state.start.state[0]
    about: dict[str, Any] = {
        "as_of": str(as_of), "level": None, "level_title": None, "rule": None, "since": None, "next_level": None,
        "next_date": None, "fee_yuan": None, "events": _events(state), "milestones": [], "excuses": [], "missing": [],
        "started": None if np.isnan(started) else bool(started == 1), "started_on_computed": _day(state.start.since[0]),
    }  # fmt: skip
    if not subject_to_idle(table, as_of)[0]:
        return about | {"why": _why_not_subject(table)}
    verdicts = state.verdicts()
    rule = min(verdicts, key=lambda code: _GRAVEST_FIRST.index(verdicts[code].level[0]))
    level = verdicts[rule].level[0]
    # The rule whose next level comes first speaks of what is next where nothing holds yet.
    coming = [code for code in verdicts if verdicts[code].next_level[0]]
    if level == "ok":
        rule = min(coming, key=lambda code: str(verdicts[code].next_date[0]).replace("NaT", "~")) if coming else ""
    verdict = verdicts.get(rule)
    fee = verdict.fee_yuan[0] if isinstance(verdict, NotStarted) else np.nan
    return about | {
        "level": level,
        "level_title": LEVELS[level],
        "rule": rule or None,
        "since": _day(verdict.since[0]) if verdict else None,
        "next_level": (verdict.next_level[0] or None) if verdict else None,
        "next_date": _day(verdict.next_date[0]) if verdict else None,
        "fee_yuan": None if np.isnan(fee) else float(fee),
        "milestones": _milestones(state),
        "excuses": _excuses(state),
        "missing": [named(name) for name in dict.fromkeys(_missing(state))],
    }


def _why_not_subject(table: pd.DataFrame) -> str:
    if table["stock_class"].iloc[0] == "approved_unsupplied":
        return "批而未供，尚未供应给用地单位，不属于闲置土地"
    if pd.notna(table["contract_date"].iloc[0]):
        return "评估日尚未签订合同"
    return "没有供地信息（供应方式、合同、约定动工日期、交地日期）"


def _missing(state: IdleState) -> list[str]:
    return [name for code in state.verdicts() for name in state.missing(code, 0)]


def _events(state: IdleState) -> list[dict[str, Any]]:
    found = []
    for kind, zh, field in _EVENTS:
        day = days(state.table[field].to_numpy())[0]
        if not np.isnat(day):
            found.append({"date": str(day), "kind": kind, "zh": zh, "field": field, "seen": bool(day <= state.as_of)})
    due = state.due[0]
    if state.silent[0] and not np.isnat(due):
        zh = f"应动工（合同未约定，交地后 {state.rules.grace_years} 年）"
        found.append(
            {"date": str(due), "kind": "start_due_computed", "zh": zh, "field": "handover_date",
             "seen": bool(due <= state.as_of)}
        )  # fmt: skip
    return sorted(found, key=lambda event: (event["date"], _ORDER.get(event["kind"], 2)))


def _milestones(state: IdleState) -> list[dict[str, Any]]:
    """First days of the levels, net of excuses; of land that was started only those that came before the start."""
    found: list[tuple[str, str, np.datetime64, bool]] = []
    clock, rules = state.clock, state.rules
    if not np.isnat(state.due[0]):
        found = [
            ("warning", f"到期前 {rules.warn_days} 天", state.not_started.warn_from[0], False),
            ("overdue", "应动工日期已过", state.due[0] + ONE_DAY, False),
            ("idle_1y", f"逾期满 {rules.idle_years} 年", clock.over[0, 0], bool(clock.running[0, 0])),
            ("idle_2y", f"逾期满 {rules.takeback_years} 年", clock.over[0, 1], bool(clock.running[0, 1])),
        ]
    start = state.start
    if start.state[0] == 1:
        found = [each for each in found if not np.isnat(start.since[0]) and each[2] <= start.since[0]]
    if state.slow is not None and rules.slow_investment and start.state[0] == 1 and not np.isnat(state.slow.over[0]):
        zh = f"逾期满 {rules.slow_investment.years} 年（投资不足）"
        found.append(("idle_stalled", zh, state.slow.over[0], bool(clock.running[0, 2])))
    if not np.isnat(state.stalled.over[0]) and not start.finished[0]:
        zh = f"停工满 {rules.suspended_years} 年"
        found.append(("idle_stalled", zh, state.stalled.over[0], bool(state.stop_clock.running[0, 0])))
    return [
        {"date": None if moving else str(day), "level": level, "zh": zh, "moving": moving,
         "passed": bool(day <= state.as_of)}
        for level, zh, day, moving in found
    ]  # fmt: skip


def _excuses(state: IdleState) -> list[dict[str, Any]]:
    """Every delay on record, in the order of time, with the days it took out of the first and the second year."""
    delays, clock = state.delays, state.clock
    stop_of = dict(zip(np.flatnonzero(~delays.late).tolist(), range(len(state.stop_delays)), strict=True))
    is_stopped = state.start.state[0] == 1 and not np.isnat(state.suspended[0])
    found = []
    for row in np.lexsort((delays.end, delays.begin)).tolist():
        about = told(delays, clock, row, state.as_of)
        stop = stop_of.get(row) if is_stopped else None
        if stop is not None:
            # Once it was started, what matters is whether the suspension is excused.
            about |= reason(state.stop_clock.why_not[stop])
        found.append(
            {
                **about,
                "days_counted_1y": int(clock.counted[row, 0]),
                "days_counted_2y": int(clock.counted[row, 1]),
                "days_counted_stop": 0 if stop is None else int(state.stop_clock.counted[stop, 0]),
            }
        )
    return found


def _day(day: np.datetime64) -> str | None:
    return None if np.isnat(day) else str(day)
