"""The idle-land rules once more, one parcel at a time and day by day, from their definitions.

Unknown facts are tried both ways: the level is known only where every way gives the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import product
from typing import Any

ONE = timedelta(1)
DONE = ("completed", "producing", "stopped")
UNDER_WAY = ("building", "suspended", *DONE)
EXCUSING = ("art8_1", "art8_2", "art8_3", "art8_4", "art8_5", "art8_6", "force_majeure")
# A status is not older than the date that brings it about.
BROUGHT_BY = {
    "started_on": UNDER_WAY, "completed_on": DONE, "suspended_on": ("suspended",), "stopped_on": ("stopped",),
    "resumed_on": ("building",),
}  # fmt: skip


@dataclass
class Reading:
    """How the law is read."""

    same_day: bool = False
    excuses_stop_rule_b: bool = False
    late_handover_excuses: bool = True
    slow_years: int | None = None
    warn_days: int = 90


@dataclass
class Verdict:
    """Level by rule, and where rule A finds something its dates and fee."""

    levels: dict[str, str] = field(default_factory=dict)
    since: dict[str, date | None] = field(default_factory=dict)
    next_date: date | None = None
    fee: Decimal | None = None


def years_later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return day.replace(year=day.year + years, day=28)


def over(origin: date, years: int, spans: list[tuple[date, date | None]], as_of: date, reading: Reading) -> tuple:
    """First day on which the years are over, counting day by day and skipping excused ones; ``None`` while one runs."""
    needed = (years_later(origin, years) - origin).days - (1 if reading.same_day else 0)
    seen = [(begin, min(end or as_of, as_of)) for begin, end in spans if begin <= as_of]
    running = any(begin <= as_of and (end is None or end > as_of) for begin, end in spans)
    day = origin
    while needed:
        day += ONE
        if day > as_of and running:
            return None, True
        if not any(begin <= day <= end for begin, end in seen):
            needed -= 1
    return day + ONE, False


def assess(parcel: dict[str, Any], delays: list[tuple], as_of: date, reading: Reading) -> Verdict:
    """What the rules say about one parcel; levels other than ok only."""
    verdict = Verdict()
    get = parcel.get

    def seen(name: str) -> date | None:
        value = get(name)
        return value if value is not None and value <= as_of else None

    dates = (get("contract_date"), get("start_due"), get("handover_date"))
    unsupplied = get("stock_class") == "approved_unsupplied"
    supplied = any(dates) or (get("supply_kind") is not None and not unsupplied)
    later_contract = get("contract_date") is not None and get("contract_date") > as_of
    if not supplied or (later_contract and not seen("start_due") and not seen("handover_date")):
        return verdict
    status = get("status")
    for name, words in BROUGHT_BY.items():
        if status in words and get(name) is not None and get(name) > as_of:
            status = None
    finished = seen("completed_on") is not None or status in DONE
    starts = started(parcel, seen, status, finished, as_of)

    silent = get("start_due") is None
    handover = get("handover_date")
    due = get("start_due") or (years_later(handover, 1) if handover else None)
    contract = get("contract_date")
    if not silent and contract and get("start_due") < contract and not (handover and handover < contract):
        due = None  # nobody agrees to have started before the contract
    excuses = [
        (begin, end) for cause, begin, end in delays if cause in EXCUSING and begin and not (end and end < begin)
    ]
    spans = list(excuses)
    if reading.late_handover_excuses and not silent and due and handover and handover > due:
        spans.append((due + ONE, handover))

    if due is None:
        answers = {"?" if not state else "ok" for state in starts}
    else:
        steps = [(name, over(due, years, spans, as_of, reading)[0]) for name, years in (("idle_2y", 2), ("idle_1y", 1))]
        steps += [("overdue", due + ONE), ("warning", due - timedelta(reading.warn_days))]
        calendar = next((name for name, day in steps if day is not None and day <= as_of), "ok")
        answers = {"ok" if state else calendar for state in starts}
        if unsupplied:
            answers.add("ok")
    level_a = answers.pop() if len(answers) == 1 else "not_assessed"
    level_a = "not_assessed" if level_a == "?" else level_a
    if level_a != "ok":
        verdict.levels["IDLE_A"] = level_a
        verdict.since["IDLE_A"] = None
        if level_a != "not_assessed":
            place = [name for name, _ in steps].index(level_a)
            verdict.since["IDLE_A"] = steps[place][1]
            verdict.next_date = steps[place - 1][1] if place else None
        price, kind = get("land_price_yuan"), get("supply_kind")
        priced = price is not None and price > 0 and kind != "lease" and get("tenure") != "collective"
        if level_a == "idle_1y" and priced:
            verdict.fee = (Decimal(str(price)) / 5).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)

    area = below(get("area_developed_m2"), get("area_due_m2"), 3)
    money = below(get("investment_made_yuan"), get("investment_due_yuan"), 4)
    passed, since = stalled_a_year(parcel, seen, status, as_of, excuses, starts_on(parcel, as_of, starts), reading)
    worlds = {
        state and not finished and year and (a or m) and fit
        for state, year, a, m, fit in product(starts, passed, area, money, {True, not unsupplied})
    }
    decided = starts == {True} or level_a == "ok"
    if worlds != {False} and decided:
        verdict.levels["IDLE_B"] = "idle_stalled" if worlds == {True} else "not_assessed"
        verdict.since["IDLE_B"] = since if worlds == {True} else None
    if reading.slow_years is not None and starts == {True} and not finished:
        since = over(due, reading.slow_years, spans, as_of, reading)[0] if due else None
        gone = {True, False} if due is None else {since is not None and since <= as_of}
        worlds = {year and m and fit for year, m, fit in product(gone, money, {True, not unsupplied})}
        if worlds != {False}:
            verdict.levels["IDLE_SLOW"] = "idle_stalled" if worlds == {True} else "not_assessed"
            verdict.since["IDLE_SLOW"] = since if worlds == {True} else None
    return verdict


def started(parcel: dict[str, Any], seen: Any, status: str | None, finished: bool, as_of: date) -> set[bool]:
    """Art. 30: permit, and pit dug, all piles driven or a third of another foundation; what may be."""
    kind, said, stated = parcel.get("foundation_kind"), seen("started_on"), parcel.get("started_on")
    permit_on = parcel.get("permit_date")
    done_on = parcel.get({"pit": "pit_done_date", "pile": "piles_done_date"}.get(kind, ""))
    facts: list[bool | None] = [None if permit_on is None else permit_on <= as_of]
    if kind in ("pit", "pile"):
        facts.append(None if done_on is None else done_on <= as_of)
    else:
        share = parcel.get("foundation_pct") if kind and not (stated and stated > as_of) else None
        facts.append(None if share is None else Decimal(str(share)) * 3 >= 100)
    by_law = False if False in facts else (True if facts == [True, True] else None)
    if status == "not_started" and (said or by_law or seen("completed_on")):
        return {True, False}
    if finished:
        return {True}
    if said and (by_law is False or (permit_on and said < permit_on) or (done_on and said < done_on)):
        return {True, False}
    if by_law is not None:
        return {by_law}
    if status == "not_started" or (stated and stated > as_of):
        return {False}
    return {True} if kind is None and (said or status in UNDER_WAY) else {True, False}


def starts_on(parcel: dict[str, Any], as_of: date, starts: set[bool]) -> date | None:
    """The day before which no suspension can have begun, as far as it is known."""
    if starts != {True}:
        return None
    kind, permit = parcel.get("foundation_kind"), parcel.get("permit_date")
    done = parcel.get({"pit": "pit_done_date", "pile": "piles_done_date"}.get(kind, ""))
    if permit and done and max(permit, done) <= as_of:
        return max(permit, done)
    said = parcel.get("started_on")
    return said if said and said <= as_of else None


def below(part: float | None, whole: float | None, times: int) -> set[bool]:
    if part is None or whole is None or whole <= 0:
        return {True, False}
    return {Decimal(str(part)) * times < Decimal(str(whole))}


def stalled_a_year(
    parcel: dict[str, Any],
    seen: Any,
    status: str | None,
    as_of: date,
    excuses: list,
    start: date | None,
    reading: Reading,
) -> tuple[set[bool], date | None]:
    suspended, resumed = seen("suspended_on"), seen("resumed_on")
    took_up = suspended is not None and resumed is not None and resumed >= suspended
    # Work that had not begun could not stand still: since when it does is not known.
    odd = suspended is not None and start is not None and suspended < start
    if suspended and not took_up and not odd:
        since, _ = over(suspended, 1, excuses if reading.excuses_stop_rule_b else [], as_of, reading)
        if since is None or since > as_of:
            return {False}, None
        return ({True, False} if status == "building" else {True}), since
    if status != "suspended":
        return {False}, None
    earliest = resumed if took_up else start
    if earliest and over(earliest, 1, [], as_of, reading)[0] > as_of:
        return {False}, None
    return {True, False}, None
