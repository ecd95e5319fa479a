"""Idle land: known answers worked by hand, each with the article it rests on.

办法 is 闲置土地处置办法 (国土资源部令第53号), 民法典 the Civil Code. Unless a case says otherwise the land is granted
for 1,000,000 yuan and nothing was started.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest

from geo.land.idle import assess_idle
from geo.land.rules import load_rules
from tests.land.tables import delays_of, parcel_table

NATIONAL, HAINAN = load_rules("national").idle, load_rules("hainan").idle
GRANTED = {"supply_kind": "grant", "status": "not_started", "land_price_yuan": 1_000_000.0}
STALLED = {
    "status": "suspended", "start_due": "2022-01-01", "started_on": "2022-01-01", "suspended_on": "2024-02-29",
    "area_due_m2": 30_000.0, "area_developed_m2": 9_000.0, "investment_due_yuan": 1e8, "investment_made_yuan": 5e7,
}  # fmt: skip
Span = tuple[str | None, str | None, str | None]


@dataclass(frozen=True)
class Case:
    """Facts and what must be found: level by rule, since, next date, fee, what is missing."""

    name: str
    article: str
    facts: dict[str, Any]
    as_of: str
    levels: dict[str, str]
    since: str | None = None
    next_date: str | None = None
    fee: float | None = None
    delays: tuple[Span, ...] = ()
    rules: dict[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    hainan: bool = False


def a(level: str) -> dict[str, str]:
    return {"IDLE_A": level}


def b(level: str) -> dict[str, str]:
    return {"IDLE_B": level}


DUE = {"start_due": "2023-03-15"}
CASES = [
    # ------------------------------------------------------------------ 办法第二条第一款, 民法典第二百零一、二百零二条
    Case("no finding 91 days before", "办法第二条第一款", DUE, "2022-12-14", {}),
    Case("warning 90 days before", "办法第二条第一款", DUE, "2022-12-15", a("warning"), "2022-12-15", "2023-03-16"),
    Case("on the day it is due nothing is over", "民法典第二百零一条", DUE, "2023-03-15", a("warning"), "2022-12-15",
         "2023-03-16"),
    Case("overdue the day after", "办法第二条第一款", DUE, "2023-03-16", a("overdue"), "2023-03-16", "2024-03-16"),
    Case("the anniversary completes the year at its end", "民法典第二百零二条", DUE, "2024-03-15", a("overdue"),
         "2023-03-16", "2024-03-16"),
    Case("idle the day after the anniversary", "办法第十四条第一项", DUE, "2024-03-16", a("idle_1y"), "2024-03-16",
         "2025-03-16", 200_000.0),
    Case("one year on the second anniversary", "办法第十四条第一项", DUE, "2025-03-15", a("idle_1y"), "2024-03-16",
         "2025-03-16", 200_000.0),
    Case("two years the day after, no fee added", "办法第十四条第二项", DUE, "2025-03-16", a("idle_2y"), "2025-03-16"),
    Case("same-day reading: idle on the anniversary", "民法典第二百零二条", DUE, "2024-03-15", a("idle_1y"),
         "2024-03-15", "2025-03-15", 200_000.0, rules={"year_full_on": "same_day"}),
    Case("same-day reading: not the day before", "民法典第二百零二条", DUE, "2024-03-14", a("overdue"), "2023-03-16",
         "2024-03-15", rules={"year_full_on": "same_day"}),
    Case("due on a leap day: the year ends on 28 February", "民法典第二百零二条", {"start_due": "2024-02-29"},
         "2025-02-28", a("overdue"), "2024-03-01", "2025-03-01"),
    Case("due on a leap day: idle from 1 March", "民法典第二百零二条", {"start_due": "2024-02-29"}, "2025-03-01",
         a("idle_1y"), "2025-03-01", "2026-03-01", 200_000.0),
    Case("a leap day within the year is one day more", "民法典第二百零二条", {"start_due": "2023-03-01"}, "2024-03-01",
         a("overdue"), "2023-03-02", "2024-03-02"),
    Case("four years after a leap day", "办法第十四条第二项", {"start_due": "2020-02-29"}, "2022-03-01", a("idle_2y"),
         "2022-03-01"),
    # ------------------------------------------------------------------ 办法第二十二条: the contract is silent
    Case("silent: due a year after the hand-over", "办法第二十二条", {"handover_date": "2022-03-15"}, "2023-03-16",
         a("overdue"), "2023-03-16", "2024-03-16"),
    Case("silent: idle two years after the hand-over", "办法第二十二条", {"handover_date": "2022-03-15"}, "2024-03-16",
         a("idle_1y"), "2024-03-16", "2025-03-16", 200_000.0),
    Case("silent: handed over on a leap day", "办法第二十二条", {"handover_date": "2020-02-29"}, "2022-03-01",
         a("idle_1y"), "2022-03-01", "2023-03-01", 200_000.0),
    Case("silent and never handed over", "办法第二十二条", {"contract_date": "2018-01-01"}, "2024-01-01",
         a("not_assessed"), missing=("start_due", "handover_date")),
    Case("silent, handed over yesterday", "办法第二十二条", {"handover_date": "2024-01-01"}, "2024-01-02", {}),
    # ------------------------------------------------------------------ 办法第三十条: what a start is
    Case("pit dug after the permit", "办法第三十条",
         DUE | {"status": None, "foundation_kind": "pit", "permit_date": "2023-02-01", "pit_done_date": "2023-06-01"},
         "2026-01-01", {}),
    Case("pit dug only later: not started on the day", "办法第三十条",
         DUE | {"status": "building", "foundation_kind": "pit", "permit_date": "2023-02-01",
                "pit_done_date": "2025-06-01"}, "2024-03-16", a("idle_1y"), "2024-03-16", "2025-03-16", 200_000.0),
    Case("all piles driven", "办法第三十条",
         DUE | {"status": None, "foundation_kind": "pile", "permit_date": "2023-02-01",
                "piles_done_date": "2023-06-01"}, "2026-01-01", {}),
    Case("some piles are no start: the last day is unknown", "办法第三十条",
         DUE | {"status": "building", "foundation_kind": "pile", "permit_date": "2023-02-01"}, "2024-03-16",
         a("not_assessed"), missing=("piles_done_date",)),
    Case("a third of another foundation", "办法第三十条",
         DUE | {"status": None, "foundation_kind": "other", "permit_date": "2023-02-01", "foundation_pct": 33.34},
         "2026-01-01", {}),
    Case("less than a third", "办法第三十条",
         DUE | {"foundation_kind": "other", "permit_date": "2023-02-01", "foundation_pct": 33.0}, "2024-03-16",
         a("idle_1y"), "2024-03-16", "2025-03-16", 200_000.0),
    Case("before the permit nothing is a start", "办法第三十条",
         DUE | {"status": None, "foundation_kind": "pit", "permit_date": "2025-01-01", "pit_done_date": "2023-06-01"},
         "2024-03-16", a("idle_1y"), "2024-03-16", "2025-03-16", 200_000.0),
    Case("a stated start before the permit", "办法第三十条",
         DUE | {"status": "building", "started_on": "2023-03-01", "permit_date": "2023-05-01"}, "2024-03-16",
         a("not_assessed"), missing=("contradiction:started_on",)),
    Case("said to be unstarted with a date of completion", "办法第三十条",
         DUE | {"completed_on": "2023-12-01"}, "2024-03-16", a("not_assessed"), missing=("contradiction:started_on",)),
    Case("completed, whatever its permit says", "办法第三十条",
         DUE | {"status": "completed", "started_on": "2023-03-01", "permit_date": "2023-05-01"}, "2026-01-01", {}),
    Case("started after the day: not yet", "办法第三十条", DUE | {"status": "building", "started_on": "2024-03-17"},
         "2024-03-16", a("idle_1y"), "2024-03-16", "2025-03-16", 200_000.0),
    # ------------------------------------------------------------------ 办法第八条, (2017)最高法行申5480号
    Case("excused days move both dates", "办法第八条", DUE, "2024-03-26", a("idle_1y"), "2024-03-26", "2025-03-26",
         200_000.0, delays=(("art8_2", "2023-06-01", "2023-06-10"),)),  # 10 days
    Case("a day less and the year is not full", "办法第八条", DUE, "2024-03-25", a("overdue"), "2023-03-16",
         "2024-03-26", delays=(("art8_2", "2023-06-01", "2023-06-10"),)),
    Case("an excuse that ended before the due date", "办法第八条", DUE, "2024-03-16", a("idle_1y"), "2024-03-16",
         "2025-03-16", 200_000.0, delays=(("art8_5", "2022-01-01", "2023-03-15"),)),
    Case("an excuse across the due date counts from the day after", "办法第八条", DUE, "2024-03-20", a("idle_1y"),
         "2024-03-20", "2025-03-20", 200_000.0, delays=(("art8_5", "2022-01-01", "2023-03-19"),)),  # 16 to 19 March
    Case("begun on the last day of the second year", "(2017)最高法行申5480号", DUE, "2025-04-30", a("idle_1y"),
         "2024-03-16", "2025-05-02", 200_000.0, delays=(("art8_2", "2025-03-15", "2025-04-30"),)),  # 47 days
    Case("begun the day after the second year was complete", "(2017)最高法行申5480号", DUE, "2025-04-30", a("idle_2y"),
         "2025-03-16", delays=(("art8_2", "2025-03-16", "2025-04-30"),)),
    Case("begun after the first year: moves only the second", "(2017)最高法行申5480号", DUE, "2025-03-20",
         a("idle_1y"), "2024-03-16", "2025-04-15", 200_000.0, delays=(("art8_3", "2024-04-01", "2024-04-30"),)),
    Case("same-day reading: begun on the anniversary is too late", "(2017)最高法行申5480号", DUE, "2025-03-15",
         a("idle_2y"), "2025-03-15", delays=(("art8_2", "2025-03-15", None),), rules={"year_full_on": "same_day"}),
    Case("same-day reading: begun the day before", "(2017)最高法行申5480号", DUE, "2025-03-15", a("idle_1y"),
         "2024-03-15", None, 200_000.0, delays=(("art8_2", "2025-03-14", None),), rules={"year_full_on": "same_day"}),
    Case("overlapping excuses count once", "办法第八条", DUE, "2024-04-30", a("idle_1y"), "2024-04-04", "2025-04-04",
         200_000.0, delays=(("art8_2", "2023-06-01", "2023-06-10"), ("art8_4", "2023-06-06", "2023-06-19"))),  # 19 days
    Case("an excuse within another adds nothing", "办法第八条", DUE, "2024-04-30", a("idle_1y"), "2024-04-15",
         "2025-04-15", 200_000.0,
         delays=(("art8_2", "2023-06-01", "2023-06-30"), ("force_majeure", "2023-06-10", "2023-06-12"))),
    Case("the second counts only because the first moved the clock", "(2017)最高法行申5480号", DUE, "2024-05-01",
         a("overdue"), "2023-03-16", "2024-05-05",
         # 31 days put the end of the year off to 15 April, so 1 to 19 April (19 days) came in time: 16 March + 50.
         delays=(("art8_2", "2023-06-01", "2023-07-01"), ("art8_3", "2024-04-01", "2024-04-19"))),
    Case("without the first the second is too late", "(2017)最高法行申5480号", DUE, "2024-05-01", a("idle_1y"),
         "2024-03-16", "2025-04-04", 200_000.0, delays=(("art8_3", "2024-04-01", "2024-04-19"),)),
    Case("a running excuse has no next date", "办法第八条", DUE, "2026-01-01", a("overdue"), "2023-03-16",
         delays=(("art8_4", "2023-05-01", None),)),
    Case("an end that lies ahead is still running", "办法第八条", DUE, "2024-06-01", a("overdue"), "2023-03-16",
         delays=(("art8_4", "2023-05-01", "2024-12-31"),)),
    Case("an excuse that begins tomorrow does not exist", "办法第八条", DUE, "2024-03-16", a("idle_1y"), "2024-03-16",
         "2025-03-16", 200_000.0, delays=(("art8_4", "2024-03-17", None),)),
    Case("the holder's own cause", "办法第八条", DUE, "2024-03-16", a("idle_1y"), "2024-03-16", "2025-03-16",
         200_000.0, delays=(("own", "2023-04-01", None),)),
    Case("an excuse without beginning is named", "办法第八条", DUE, "2024-03-16", a("idle_1y"), "2024-03-16",
         "2025-03-16", 200_000.0, delays=(("art8_1", None, "2023-12-31"),), missing=("delay_from",)),
    Case("one that ended before the due date needs no beginning", "办法第八条", DUE, "2024-03-16", a("idle_1y"),
         "2024-03-16", "2025-03-16", 200_000.0, delays=(("art8_1", None, "2023-03-15"),)),
    Case("a delay without cause is named", "办法第八条", DUE, "2024-03-16", a("idle_1y"), "2024-03-16", "2025-03-16",
         200_000.0, delays=((None, "2023-04-01", None),), missing=("delay_cause",)),
    Case("handed over late: the days between", "办法第八条第一项", DUE | {"handover_date": "2023-03-25"}, "2024-03-26",
         a("idle_1y"), "2024-03-26", "2025-03-26", 200_000.0),
    Case("handed over late, switched off", "办法第八条第一项", DUE | {"handover_date": "2023-03-25"}, "2024-03-26",
         a("idle_1y"), "2024-03-16", "2025-03-16", 200_000.0, rules={"late_handover_excuses": False}),
    Case("not handed over yet", "办法第八条第一项", DUE | {"handover_date": "2025-01-01"}, "2024-06-01", a("overdue"),
         "2023-03-16"),
    # ------------------------------------------------------------------ 办法第十四条: the fee
    Case("half a cent goes up", "办法第十四条第一项", DUE | {"land_price_yuan": 100.025}, "2024-03-16", a("idle_1y"),
         "2024-03-16", "2025-03-16", 20.01),  # 20.005
    Case("allocation price", "办法第十四条第一项", DUE | {"supply_kind": "allocation"}, "2024-03-16", a("idle_1y"),
         "2024-03-16", "2025-03-16", 200_000.0),
    Case("price unknown: fee unknown, never 0", "办法第十四条第一项", DUE | {"land_price_yuan": None}, "2024-03-16",
         a("idle_1y"), "2024-03-16", "2025-03-16", missing=("land_price_yuan",)),
    Case("price 0 is reported", "办法第十四条第一项", DUE | {"land_price_yuan": 0.0}, "2024-03-16", a("idle_1y"),
         "2024-03-16", "2025-03-16", missing=("land_price_yuan<=0",)),
    Case("leased: no base is stated", "办法第十四条第一项", DUE | {"supply_kind": "lease"}, "2024-03-16",
         a("idle_1y"), "2024-03-16", "2025-03-16", missing=("fee_base_of_lease",)),
    Case("collective land by reference", "办法第三十一条", DUE | {"tenure": "collective"}, "2024-03-16", a("idle_1y"),
         "2024-03-16", "2025-03-16"),
    # ------------------------------------------------------------------ 办法第二条第二款: stalled
    Case("suspended on a leap day: not full on 28 February", "办法第二条第二款", STALLED, "2025-02-28", {}),
    Case("suspended a full year, area below a third", "办法第二条第二款", STALLED, "2025-03-01", b("idle_stalled"),
         "2025-03-01"),
    Case("exactly a third, half invested", "办法第二条第二款", STALLED | {"area_developed_m2": 10_000.0}, "2026-01-01",
         {}),
    Case("exactly a third and exactly a quarter", "办法第二条第二款",
         STALLED | {"area_developed_m2": 10_000.0, "investment_made_yuan": 25_000_000.0}, "2026-01-01", {}),
    Case("a cent below a quarter is enough", "办法第二条第二款",
         STALLED | {"area_developed_m2": 30_000.0, "investment_made_yuan": 24_999_999.99}, "2025-03-01",
         b("idle_stalled"), "2025-03-01"),
    Case("area decides alone", "办法第二条第二款", STALLED | {"investment_made_yuan": None}, "2025-03-01",
         b("idle_stalled"), "2025-03-01"),
    Case("area does not decide, investment unknown", "办法第二条第二款",
         STALLED | {"area_developed_m2": 10_000.0, "investment_made_yuan": None}, "2025-03-01", b("not_assessed"),
         missing=("investment_made_yuan",)),
    Case("resumed the day before", "办法第二条第二款", STALLED | {"resumed_on": "2025-02-28", "status": "building"},
         "2025-03-01", {}),
    Case("building, and nobody says since when again", "办法第二条第二款", STALLED | {"status": "building"},
         "2025-03-01", b("not_assessed"), missing=("resumed_on",)),
    Case("suspended since nobody knows when", "办法第二条第二款", STALLED | {"suspended_on": None}, "2025-03-01",
         b("not_assessed"), missing=("suspended_on",)),
    Case("cannot be a year: started less than a year ago", "办法第二条第二款",
         STALLED | {"suspended_on": None, "start_due": "2024-06-01", "started_on": "2024-06-01"}, "2025-03-01", {}),
    Case("an excuse does not stop rule B", "办法第二条第二款", STALLED, "2025-03-01", b("idle_stalled"), "2025-03-01",
         delays=(("art8_2", "2024-06-01", "2024-06-30"),)),
    Case("an excuse stops rule B where the rule set says so", "办法第八条", STALLED, "2025-03-30", {},
         delays=(("art8_2", "2024-06-01", "2024-06-30"),), rules={"excuses_stop_rule_b": True}),
    Case("and the year is full thirty days later", "办法第八条", STALLED, "2025-03-31", b("idle_stalled"),
         "2025-03-31", delays=(("art8_2", "2024-06-01", "2024-06-30"),), rules={"excuses_stop_rule_b": True}),
    Case("but not one from after the year was full", "办法第八条", STALLED, "2025-06-01", b("idle_stalled"),
         "2025-03-01", delays=(("art8_2", "2025-03-01", None),), rules={"excuses_stop_rule_b": True}),
    # ------------------------------------------------------------------ 海南省人民政府令第247号
    Case("two years past the due start and a quarter not invested", "海南省人民政府令第247号",
         {"start_due": "2023-03-15", "started_on": "2023-03-01", "status": "building", "investment_due_yuan": 1e8,
          "investment_made_yuan": 2e7}, "2025-03-16", {"IDLE_SLOW": "idle_stalled"}, "2025-03-16", hainan=True),
    Case("a day earlier nothing", "海南省人民政府令第247号",
         {"start_due": "2023-03-15", "started_on": "2023-03-01", "status": "building", "investment_due_yuan": 1e8,
          "investment_made_yuan": 2e7}, "2025-03-15", {}, hainan=True),
    Case("exactly a quarter", "海南省人民政府令第247号",
         {"start_due": "2023-03-15", "started_on": "2023-03-01", "status": "building", "investment_due_yuan": 1e8,
          "investment_made_yuan": 2.5e7}, "2026-01-01", {}, hainan=True),
    Case("investment unknown", "海南省人民政府令第247号",
         {"start_due": "2023-03-15", "started_on": "2023-03-01", "status": "building"}, "2025-03-16",
         {"IDLE_SLOW": "not_assessed"}, missing=("investment_made_yuan", "investment_due_yuan"), hainan=True),
    Case("never started is rule A's", "海南省人民政府令第247号", DUE | {"investment_due_yuan": 1e8,
         "investment_made_yuan": 0.0}, "2025-03-16", a("idle_2y"), "2025-03-16", hainan=True),
    Case("the national rules know no such rule", "办法第二条",
         {"start_due": "2023-03-15", "started_on": "2023-03-01", "status": "building", "investment_due_yuan": 1e8,
          "investment_made_yuan": 2e7}, "2026-01-01", {}),
    # ------------------------------------------------------------------ what is subject at all
    Case("approved and not supplied is never idle", "办法第二条", {"stock_class": "approved_unsupplied"},
         "2026-01-01", {}),
    Case("approved and not supplied, with a contract", "办法第二条", DUE | {"stock_class": "approved_unsupplied"},
         "2024-03-16", a("not_assessed"), missing=("contradiction:stock_class",)),
    Case("the contradiction does not matter before the date", "办法第二条",
         DUE | {"stock_class": "approved_unsupplied"}, "2022-01-01", {}),
    Case("contract of a later day: not subject yet", "办法第二条",
         {"contract_date": "2023-01-01", "start_due": "2023-03-15"}, "2022-12-31", {}),
    Case("contract signed: subject", "办法第二条", {"contract_date": "2023-01-01", "start_due": "2023-03-15"},
         "2023-01-01", a("warning"), "2022-12-15", "2023-03-16"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case) -> None:
    rules = (HAINAN if case.hainan else NATIONAL).model_copy(update=case.rules)
    found = assess_idle(
        parcel_table({**GRANTED, **case.facts}), delays_of(*case.delays), rules, np.datetime64(case.as_of)
    )
    assert dict(zip(found["rule"], found["level"], strict=True)) == case.levels, case.article
    if not case.levels:
        return
    finding = found.iloc[0]
    assert tuple(item["field"] for item in finding["missing"]) == case.missing
    assert _iso(finding["since"]) == case.since
    assert _iso(finding["next_date"]) == case.next_date
    assert (None if np.isnan(finding["fee_yuan"]) else finding["fee_yuan"]) == case.fee


def _iso(day: pd.Timestamp) -> str | None:
    return None if pd.isna(day) else str(day.date())


def test_the_cases_are_many_and_each_is_itself() -> None:
    assert len(CASES) >= 40
    assert len({case.name for case in CASES}) == len(CASES)
