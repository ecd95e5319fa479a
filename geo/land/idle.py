"""Idle land: rules A (not started) and B (stalled) of 闲置土地处置办法, strictly by calendar, in three-valued logic.

Facts dated after the as-of date do not exist yet. A missing input matters only where the answer depends on it; then the
parcel is "not assessed" and says what is missing. Every finding is a suspicion until a person confirms it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.land.calendar import NEVER, Days, add_years, days
from geo.land.facts import DONE, UNDER_WAY, known_days, status_seen
from geo.land.findings import evidence_of, findings_frame
from geo.land.rules import IdleRules

Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]

_DAY = np.timedelta64(1, "D")
_WHOLES = ("area_due_m2", "investment_due_yuan")

_EVIDENCE = (
    "start_due", "handover_date", "contract_date", "status", "started_on", "foundation_kind", "permit_date",
    "pit_done_date", "piles_done_date", "foundation_pct", "suspended_on", "resumed_on", "completed_on",
    "area_developed_m2", "area_due_m2", "investment_made_yuan", "investment_due_yuan", "delay_cause", "delay_from",
    "delay_to", "land_price_yuan", "supply_kind", "tenure",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Clock:
    """How excuses move the two dates: days excused before the first and before the second year was complete (n,).

    ``running`` an excuse still runs at the as-of date · ``undated`` an excuse without beginning was set aside.
    """

    first_days: Ints
    second_days: Ints
    running: Flags
    undated: Flags


def excused(due: Days, parcel: Ints, begin: Days, end: Days, as_of: np.datetime64, rules: IdleRules) -> Clock:
    """Days that excuses take out of the idle period.

    Parameters
    ----------
    due : (n,) day on which construction was due
    parcel : (k,) row of the parcel each excuse belongs to
    begin, end : (k,) first and last day, both included; without end it runs on, without beginning it is set aside
    as_of : day
    rules : idle rules

    Notes
    -----
    Overlapping excuses count once. An excuse counts only when it began before the year in question was complete on the
    clock net of the excuses already counted (办法第八条; 最高人民法院 (2017)最高法行申5480号).
    """
    n = len(due)
    first, second = np.zeros(n, np.int64), np.zeros(n, np.int64)
    undated = np.zeros(n, bool)
    undated[parcel[np.isnat(begin)]] = True
    running = np.zeros(n, bool)
    open_end = np.isnat(end) | (end > as_of)
    last = np.where(open_end, as_of, end)
    start = np.maximum(begin, due[parcel] + _DAY)
    usable = ~np.isnat(start) & (begin <= as_of) & (start <= last)
    order = np.lexsort((last, start, parcel))
    order = order[usable[order]]
    parcel, start, last, open_end = parcel[order], start[order], last[order], open_end[order]
    year1, year2 = add_years(due, rules.idle_years), add_years(due, rules.takeback_years)
    covered = due.copy()
    # One round per excuse of the parcel that has most of them: the second waits for the clock that the first has moved.
    turn = np.arange(len(parcel)) - np.searchsorted(parcel, parcel, side="left")
    for k in range(int(turn.max()) + 1 if len(turn) else 0):
        row = turn == k
        owner, to = parcel[row], last[row]
        fresh = np.maximum(start[row], covered[owner] + _DAY)
        gained = np.maximum((to - fresh).astype(np.int64) + 1, 0)
        counts1 = fresh <= year1[owner] + first[owner]
        counts2 = fresh <= year2[owner] + second[owner]
        first[owner] += np.where(counts1, gained, 0)
        second[owner] += np.where(counts2, gained, 0)
        running[owner] |= open_end[row] & counts2
        covered[owner] = np.maximum(covered[owner], to)
    return Clock(first, second, running, undated)


def subject_to_idle(parcels: pd.DataFrame) -> Flags:
    """Which parcels the rules apply to: those that were supplied (a contract, an allocation, a hand-over is known)."""
    return parcels[["supply_kind", "contract_date", "start_due", "handover_date"]].notna().any(axis=1).to_numpy()


def assess_idle(
    parcels: gpd.GeoDataFrame, delays: pd.DataFrame | None, rules: IdleRules, as_of: np.datetime64
) -> gpd.GeoDataFrame:
    """Findings of idle land, one row per parcel and rule whose level is not ``ok``.

    Parameters
    ----------
    parcels : canonical parcels with ``area_m2``; only those with a supply (contract, allocation, hand-over) are subject
    delays : canonical ``delays``, or ``None``; the first delay of a parcel may also stand in the parcel itself
    rules : idle part of a rule set
    as_of : day, Asia/Shanghai

    Returns
    -------
    findings : canonical ``findings`` without run id; levels ``warning``, ``overdue``, ``idle_1y``, ``idle_2y``
        (``IDLE_A``), ``idle_stalled`` (``IDLE_B``), ``not_assessed``
    """
    as_of = as_of.astype("datetime64[D]")
    table = parcels[subject_to_idle(parcels)].reset_index(drop=True)
    if table.empty:
        return findings_frame([], table)

    def known(name: str) -> Days:
        return known_days(table, name, as_of)

    due, handover = days(table["start_due"].to_numpy()), days(table["handover_date"].to_numpy())
    silent = np.isnat(due)
    due = np.where(silent, add_years(handover, rules.grace_years), due)
    status = status_seen(table, as_of)
    start = _start(table, known, status, as_of)
    clock = _clock(table, delays, due, handover, silent, rules, as_of)
    completed = ~np.isnat(known("completed_on")) | np.isin(status.astype(str), DONE)

    frames = [
        _rule_a(table, due, start, clock, rules, as_of),
        _rule_b(table, start.state, status, completed, known, rules, as_of),
    ]
    frames = [frame for frame in frames if len(frame)]
    if not frames:
        return findings_frame([], table)
    return gpd.GeoDataFrame(pd.concat(frames, ignore_index=True), crs=parcels.crs)


def _is(table: pd.DataFrame, field: str, words: tuple[str, ...]) -> Flags:
    return np.asarray(table[field].isin(words), dtype=bool)


@dataclass(frozen=True, slots=True)
class _Start:
    """Whether construction has started: ``state`` (n,) 1 yes, 0 no, nan unknown; ``missing`` what would decide it."""

    state: NDArray[np.float64]
    missing: list[list[str]]


def _start(table: pd.DataFrame, known: Any, status: NDArray[np.object_], as_of: np.datetime64) -> _Start:
    """Whether construction has started, from permit and foundation where they are given, else from date and status.

    Started means, after the permit: pit dug, all piles driven, or a third of another foundation (办法第三十条). A fact
    that contradicts another is reported and nothing is believed.
    """
    said, permit = known("started_on"), known("permit_date")
    kind = table["foundation_kind"].to_numpy(dtype=object)
    dug, driven = known("pit_done_date"), known("piles_done_date")
    done_on = np.select([kind == "pit", kind == "pile"], [dug, driven], default=NEVER)
    percent = table["foundation_pct"].to_numpy(dtype=float, na_value=np.nan)
    third = np.where(np.isnan(percent), np.nan, (3 * percent >= 100).astype(float))
    done = np.where(np.isin(kind.astype(str), ("pit", "pile")), np.where(np.isnat(done_on), np.nan, 1.0), third)
    by_facts = np.asarray(pd.notna(kind), dtype=bool)
    # The permit and the foundation both; one known to be short decides alone.
    facts = np.where(done == 0, 0.0, np.where((done == 1) & ~np.isnat(permit), 1.0, np.nan))
    facts[~by_facts] = np.nan

    later = days(table["started_on"].to_numpy()) > as_of
    not_started = (status == "not_started") | later
    finished = np.isin(status.astype(str), DONE) | ~np.isnat(known("completed_on"))
    under_way = np.isin(status.astype(str), UNDER_WAY) | ~np.isnat(said)
    # Where the kind of foundation is known, being under way is not yet a start in the sense of the law.
    claimed = np.where(finished, 1.0, np.where(not_started, 0.0, np.where(under_way & ~by_facts, 1.0, np.nan)))
    state = np.where(np.isnan(facts), claimed, facts)
    contradiction = (status == "not_started") & ~np.isnat(said) | (facts == 1) & (status == "not_started")
    contradiction |= (facts == 0) & (~np.isnat(said) | finished)
    contradiction |= by_facts & ((said < permit) | (said < done_on))
    state[contradiction] = np.nan
    fact_field = np.select([kind == "pit", kind == "pile", kind == "other"],
                           ["pit_done_date", "piles_done_date", "foundation_pct"], default="")  # fmt: skip
    missing = [
        ["contradiction:started_on"] if contradiction[i]
        else ([*(["permit_date"] if np.isnat(permit[i]) else []), *([str(fact_field[i])] if np.isnan(done[i]) else [])]
              if by_facts[i] else ["started_on"])
        for i in range(len(table))
    ]  # fmt: skip
    return _Start(state, missing)


def _clock(
    table: pd.DataFrame, delays: pd.DataFrame | None, due: Days, handover: Days, silent: Flags, rules: IdleRules,
    as_of: np.datetime64,
) -> Clock:  # fmt: skip
    row = np.arange(len(table))
    own = _is(table, "delay_cause", rules.excusing)
    late = ~silent & (
        handover > due
    )  # land handed over after the agreed start: ground of Art. 8 (1) for the days between
    parcel = [row[own], row[late]]
    begin = [days(table["delay_from"].to_numpy())[own], due[late]]
    end = [days(table["delay_to"].to_numpy())[own], handover[late]]
    if delays is not None and len(delays):
        place = pd.Series(row, index=table["parcel_id"].to_numpy())
        place = place[~place.index.duplicated()]
        listed = delays[delays["delay_cause"].isin(rules.excusing) & delays["parcel_id"].isin(place.index)]
        parcel.append(place.reindex(listed["parcel_id"]).to_numpy(dtype=np.int64))
        begin.append(days(listed["delay_from"].to_numpy()))
        end.append(days(listed["delay_to"].to_numpy()))
    return excused(due, np.concatenate(parcel), np.concatenate(begin), np.concatenate(end), as_of, rules)


def _rule_a(
    table: gpd.GeoDataFrame, due: Days, start: _Start, clock: Clock, rules: IdleRules, as_of: np.datetime64
) -> gpd.GeoDataFrame:
    offset = _DAY if rules.year_full_on == "next_day" else np.timedelta64(0, "D")
    hold1 = add_years(due, rules.idle_years) + clock.first_days.astype("timedelta64[D]") + offset
    hold2 = add_years(due, rules.takeback_years) + clock.second_days.astype("timedelta64[D]") + offset
    warn_from = due - np.timedelta64(rules.warn_days, "D")
    dated = ~np.isnat(due)
    level = np.select(
        [as_of >= hold2, as_of >= hold1, as_of > due, as_of >= warn_from],
        ["idle_2y", "idle_1y", "overdue", "warning"],
        default="ok",
    ).astype(object)
    level[~dated] = "not_assessed"
    level[(level != "ok") & np.isnan(start.state)] = "not_assessed"
    level[start.state == 1] = "ok"
    since = np.select(
        [level == "idle_2y", level == "idle_1y", level == "overdue", level == "warning"],
        [hold2, hold1, due + _DAY, warn_from], default=NEVER,
    )  # fmt: skip
    upcoming = np.select(
        [level == "idle_1y", level == "overdue", level == "warning"], [hold2, hold1, due + _DAY], default=NEVER
    )
    upcoming = np.where(clock.running, NEVER, upcoming)
    rows = np.flatnonzero(level != "ok")
    fee, fee_missing = _fee(table, level, rules)
    missing = [
        [
            *([] if dated[i] else ["start_due", "handover_date"]),
            *(start.missing[i] if np.isnan(start.state[i]) else []),
            *(["delay_from"] if clock.undated[i] else []),
            *fee_missing[i],
        ]
        for i in rows
    ]
    excused_days = np.where(level == "idle_2y", clock.second_days, clock.first_days)
    reading = [
        {"start_due": str(due[i]) if dated[i] else None, "excused_days": int(excused_days[i]),
         "year_full_on": rules.year_full_on, "collective": bool(table["tenure"].iloc[i] == "collective"),
         "unverified": list(rules.unverified)}
        for i in rows
    ]  # fmt: skip
    return findings_frame(
        rows, table, kind="idle", rule="IDLE_A", level=level[rows], since=since[rows], as_of=as_of,
        next_date=upcoming[rows], fee_yuan=fee[rows], evidence=evidence_of(table, rows, _EVIDENCE, reading),
        missing=missing, source=rules.source,
    )  # fmt: skip


def _fee(table: pd.DataFrame, level: NDArray[np.object_], rules: IdleRules) -> tuple[Any, list[list[str]]]:
    """Idle fee in yuan, half up to the cent; ``nan`` with a reason where it cannot be computed."""
    price = table["land_price_yuan"].to_numpy(dtype=float, na_value=np.nan)
    owed = level == "idle_1y"
    collective, leased = _is(table, "tenure", ("collective",)), _is(table, "supply_kind", ("lease",))
    computable = owed & (price > 0) & ~collective & ~leased
    cents = np.rint(np.where(computable, price, 0) * 100).astype(np.int64)
    numerator, denominator = rules.fee_rate
    fee = np.where(computable, (2 * cents * numerator + denominator) // (2 * denominator) / 100, np.nan)
    unknown = owed & np.isnan(price) & ~collective & ~leased
    odd = owed & (price <= 0) & ~collective & ~leased
    reason = np.select(
        [unknown, odd, owed & leased], ["land_price_yuan", "land_price_yuan<=0", "fee_base_of_lease"], default=""
    )
    return fee, [[str(item)] if item else [] for item in reason]


def _below(part: Any, whole: Any, ratio: tuple[int, int]) -> Any:
    """part/whole < ratio: 1 true, 0 false, nan unknown. Exactly the ratio is not below, in whatever unit it was given.

    20 mu of 60 mu are exactly a third although neither is a whole number of m²: a relative slack of 1e-12 takes up what
    the conversion of a unit rounds, and is far below a cent in the largest project.
    """
    known = ~(np.isnan(part) | np.isnan(whole)) & (whole > 0)
    below = part * ratio[1] < whole * ratio[0] * (1 - 1e-12)
    return np.where(known, below.astype(float), np.nan)


def _rule_b(
    table: gpd.GeoDataFrame, started: Any, status: NDArray[np.object_], completed: Flags, known: Any, rules: IdleRules,
    as_of: np.datetime64,
) -> gpd.GeoDataFrame:  # fmt: skip
    number = {
        name: table[name].to_numpy(dtype=float, na_value=np.nan)
        for name in ("area_developed_m2", "area_due_m2", "investment_made_yuan", "investment_due_yuan")
    }
    area = _below(number["area_developed_m2"], number["area_due_m2"], rules.developed_below)
    money = _below(number["investment_made_yuan"], number["investment_due_yuan"], rules.invested_below)
    low = np.where((area == 1) | (money == 1), 1.0, np.where((area == 0) & (money == 0), 0.0, np.nan))
    suspended, resumed = known("suspended_on"), known("resumed_on")
    offset = _DAY if rules.year_full_on == "next_day" else np.timedelta64(0, "D")
    hold = add_years(suspended, rules.suspended_years) + offset
    open_stop = ~np.isnat(suspended) & ~(resumed >= suspended)
    stopped_year = np.where(open_stop, (as_of >= hold).astype(float), 0.0)
    # "Suspended" without a date: how long is unknown.
    stopped_year[(status == "suspended") & np.isnat(suspended)] = np.nan
    candidate = (started == 1) & ~completed & (stopped_year != 0) & (low != 0)
    level = np.where((stopped_year == 1) & (low == 1), "idle_stalled", "not_assessed").astype(object)
    rows = np.flatnonzero(candidate)
    missing = [
        ([] if not np.isnan(stopped_year[i]) else ["suspended_on"])
        + ([] if not np.isnan(low[i]) else [name for name, value in number.items() if np.isnan(value[i])])
        + ([] if not np.isnan(low[i]) else [f"{name}<=0" for name in _WHOLES if number[name][i] <= 0])
        for i in rows
    ]
    reading = [
        {"discretionary": True, "developed_below": list(rules.developed_below),
         "invested_below": list(rules.invested_below), "unverified": list(rules.unverified)}
        for _ in rows
    ]  # fmt: skip
    return findings_frame(
        rows, table, kind="idle", rule="IDLE_B", level=level[rows],
        since=np.where(level == "idle_stalled", hold, NEVER)[rows], as_of=as_of,
        next_date=np.full(len(rows), NEVER), fee_yuan=np.full(len(rows), np.nan),
        evidence=evidence_of(table, rows, _EVIDENCE, reading), missing=missing, source=rules.source,
    )  # fmt: skip
