"""Idle land, worked by hand from 闲置土地处置办法 (令第53号). As of 2026-06-30 unless a case says otherwise."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.land.idle import assess_idle
from geo.land.rules import load_rules
from tests.land.tables import parcel_table

RULES = load_rules("national").idle
AS_OF = "2026-06-30"
CONTRACT = {"supply_kind": "grant", "status": "not_started", "land_price_yuan": 1_000_000.0}


def assess(as_of: str = AS_OF, delays: list[tuple[str, str | None, str | None]] = (), **facts: Any) -> dict[str, str]:  # type: ignore[assignment]
    """Levels by rule of one parcel."""
    return dict(zip(*(found(as_of, delays, **facts)[name] for name in ("rule", "level")), strict=True))


def found(as_of: str = AS_OF, delays: Any = (), **facts: Any) -> gpd.GeoDataFrame:
    table = pd.DataFrame(
        [{"delay_id": str(i), "parcel_id": "P0", "delay_cause": cause, "delay_from": begin, "delay_to": end}
         for i, (cause, begin, end) in enumerate(delays)],
        columns=["delay_id", "parcel_id", "delay_cause", "delay_from", "delay_to"],
    )  # fmt: skip
    for name in ("delay_from", "delay_to"):
        table[name] = table[name].astype("datetime64[s]")
    return assess_idle(parcel_table({**CONTRACT, **facts}), table, RULES, np.datetime64(as_of))


@pytest.mark.parametrize(
    ("start_due", "as_of", "level"),
    [
        ("2026-12-31", "2026-06-30", None),  # more than 90 days before the date
        ("2026-09-28", "2026-06-30", "warning"),  # exactly 90 days before
        ("2026-06-30", "2026-06-30", "warning"),  # on the day itself nothing is over
        ("2026-06-29", "2026-06-30", "overdue"),
        ("2025-06-30", "2026-06-30", "overdue"),  # the anniversary: the year is complete at 24:00
        ("2025-06-29", "2026-06-30", "idle_1y"),  # the day after (Art. 2)
        ("2024-06-30", "2026-06-30", "idle_1y"),
        ("2024-06-29", "2026-06-30", "idle_2y"),  # Art. 14: two years
        ("2024-02-29", "2025-02-28", "overdue"),  # leap day + 1 year = 28 Feb
        ("2024-02-29", "2025-03-01", "idle_1y"),
        ("2024-02-29", "2026-02-28", "idle_1y"),
        ("2024-02-29", "2026-03-01", "idle_2y"),
    ],
)
def test_rule_a_by_calendar(start_due: str, as_of: str, level: str | None) -> None:
    assert assess(as_of, start_due=start_due).get("IDLE_A") == level


def test_silent_contract_counts_from_handover_and_a_year_of_grace() -> None:
    # Handed over 2024-06-29: start due 2025-06-29, idle from 2026-06-30 (Art. 22 as read in the rule set).
    assert assess(handover_date="2024-06-29") == {"IDLE_A": "idle_1y"}
    assert assess(handover_date="2024-06-30") == {"IDLE_A": "overdue"}


def test_without_any_date_it_is_not_assessed_and_says_what_is_missing() -> None:
    finding = found(contract_date="2020-01-01").iloc[0]
    assert finding["level"] == "not_assessed"
    assert [item["field"] for item in finding["missing"]] == ["start_due", "handover_date"]


def test_empty_start_without_a_status_is_unknown_not_idle() -> None:
    finding = found(start_due="2020-01-01", status=None).iloc[0]
    assert finding["level"] == "not_assessed"
    assert [item["field"] for item in finding["missing"]] == ["started_on"]


def test_a_missing_start_does_not_matter_before_the_date() -> None:
    assert found(start_due="2028-01-01", status=None).empty


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        ({"foundation_kind": "pit", "permit_date": "2024-01-01", "pit_done_date": "2024-05-01"}, None),
        ({"foundation_kind": "pit", "permit_date": "2024-01-01"}, "idle_2y"),  # pit not dug
        ({"foundation_kind": "pile", "permit_date": "2024-01-01", "piles_done_date": "2024-05-01"}, None),
        ({"foundation_kind": "pile", "piles_done_date": "2024-05-01"}, "idle_2y"),  # no permit
        ({"foundation_kind": "other", "permit_date": "2024-01-01", "foundation_pct": 34.0}, None),
        ({"foundation_kind": "other", "permit_date": "2024-01-01", "foundation_pct": 33.0}, "idle_2y"),
    ],
)
def test_started_is_what_was_built_after_the_permit(facts: dict[str, Any], level: str | None) -> None:
    # Art. 30: pit dug, all piles driven, a third of other foundations, after the construction permit.
    status = None if level is None else "not_started"
    assert assess(start_due="2023-01-01", **{**facts, "status": status}).get("IDLE_A") == level


def test_a_bare_start_date_against_the_foundation_is_a_contradiction() -> None:
    finding = found(
        start_due="2023-01-01",
        started_on="2023-02-01",
        status="building",
        foundation_kind="pile",
        permit_date="2023-01-15",
        piles_done_date="2023-04-01",
    ).iloc[0]
    assert finding["level"] == "not_assessed"
    assert finding["missing"][0]["field"] == "contradiction:started_on"


@pytest.mark.parametrize(
    ("facts", "missing"),
    [
        ({"status": "building", "foundation_kind": "pile", "permit_date": "2023-01-15"}, ["piles_done_date"]),
        ({"status": "building", "foundation_kind": "other", "permit_date": "2023-01-15"}, ["foundation_pct"]),
        ({"status": None, "foundation_kind": "pit", "pit_done_date": "2023-03-01"}, ["permit_date"]),
    ],
)
def test_a_missing_foundation_fact_is_unknown_not_undone(facts: dict[str, Any], missing: list[str]) -> None:
    finding = found(start_due="2023-01-01", **facts).iloc[0]
    assert finding["level"] == "not_assessed"
    assert [item["field"] for item in finding["missing"]] == missing


def test_what_is_finished_was_started_whatever_is_known_of_its_foundation() -> None:
    assert assess(start_due="2023-01-01", status="producing", foundation_kind="pit") == {}


def test_a_status_of_a_later_day_is_not_seen_yet() -> None:
    later = {"start_due": "2018-01-01", "started_on": "2022-05-01", "status": "building"}
    assert assess("2020-06-30", **later) == {"IDLE_A": "idle_2y"}
    stalled = {**STALLED, "area_developed_m2": 1.0, "suspended_on": "2020-03-01", "started_on": "2019-01-01",
               "completed_on": "2024-01-01", "status": "completed"}  # fmt: skip
    assert assess("2022-06-30", **stalled)["IDLE_B"] == "idle_stalled"
    assert "IDLE_B" not in assess("2024-06-30", **stalled)


def test_facts_after_the_as_of_date_do_not_exist_yet() -> None:
    assert assess(start_due="2024-01-01", started_on="2026-07-01") == {"IDLE_A": "idle_2y"}


@pytest.mark.parametrize(
    ("delays", "level"),
    [
        ([("art8_1", "2025-01-01", "2025-12-31")], "overdue"),  # 365 days excused: idle from 2026-07-01
        ([("art8_1", "2025-01-01", "2025-12-30")], "idle_1y"),  # one day less: idle from 2026-06-30
        ([("own", "2025-01-01", "2025-12-31")], "idle_1y"),  # the holder's own cause does not stop the clock
        ([("force_majeure", "2025-01-01", "2025-12-31")], "overdue"),
        ([("art8_2", "2025-01-01", "2025-09-30"), ("art8_3", "2025-04-01", "2025-12-31")], "overdue"),  # counted once
        ([("art8_2", None, "2025-12-31")], "idle_1y"),  # no beginning is no excuse
        ([("art8_2", "2024-12-01", None)], "overdue"),  # still running
        ([("art8_2", "2020-01-01", "2024-06-30")], "idle_1y"),  # before the date was due: nothing to excuse
    ],
)
def test_excuses_stop_the_clock(delays: list[tuple[str, str | None, str | None]], level: str) -> None:
    # Due 2024-06-30: without excuse idle from 2025-07-01.
    assert assess(delays=delays, start_due="2024-06-30") == {"IDLE_A": level}


def test_an_excuse_after_the_second_year_does_not_help() -> None:
    # (2017)最高法行申5480号: two years complete on 2025-01-01, the plan changed afterwards.
    changed_later = [("art8_2", "2025-01-02", None)]
    assert assess(delays=changed_later, start_due="2023-01-01") == {"IDLE_A": "idle_2y"}
    in_time = [("art8_2", "2025-01-01", None)]
    assert assess(delays=in_time, start_due="2023-01-01") == {"IDLE_A": "idle_1y"}


def test_late_handover_excuses_the_days_between() -> None:
    assert assess(start_due="2025-01-01", handover_date="2025-07-01") == {"IDLE_A": "overdue"}
    assert assess(start_due="2025-01-01", handover_date="2025-01-01") == {"IDLE_A": "idle_1y"}


STALLED = {
    "status": "suspended", "started_on": "2023-03-01", "start_due": "2023-01-01", "suspended_on": "2025-06-29",
    "area_due_m2": 30_000.0, "investment_due_yuan": 100_000_000.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        ({"area_developed_m2": 9_999.99, "investment_made_yuan": 9e7}, "idle_stalled"),
        ({"area_developed_m2": 10_000.0, "investment_made_yuan": 25_000_000.0}, None),  # exactly 1/3 and 25 %
        ({"area_developed_m2": 20_000.0, "investment_made_yuan": 24_999_999.99}, "idle_stalled"),
        ({"area_developed_m2": 6_000.0}, "idle_stalled"),  # area alone decides, investment unknown
        ({"area_developed_m2": 12_000.0}, "not_assessed"),  # now it depends on the investment
        ({"area_developed_m2": 6_000.0, "suspended_on": "2025-06-30"}, None),  # the year is complete tonight
        ({"area_developed_m2": 6_000.0, "resumed_on": "2026-05-01", "status": "building"}, None),
        ({"area_developed_m2": 6_000.0, "suspended_on": None}, "not_assessed"),
        ({"area_developed_m2": 6_000.0, "completed_on": "2025-01-01"}, None),
    ],
)
def test_rule_b_stalled(facts: dict[str, Any], level: str | None) -> None:
    assert assess(**{**STALLED, **facts}).get("IDLE_B") == level


@given(st.integers(1, 10_000))
@settings(max_examples=5)
def test_exactly_a_third_is_not_below_in_mu_either(first: int) -> None:
    mu = np.arange(first, first + 200) * 2000 / 3
    table = parcel_table(
        *({**CONTRACT, **STALLED, "area_developed_m2": part, "area_due_m2": 3 * part, "investment_made_yuan": 9e7}
          for part in mu)
    )  # fmt: skip
    assert assess_idle(table, None, RULES, np.datetime64(AS_OF)).empty


def test_a_whole_of_nought_is_named() -> None:
    finding = found(**{**STALLED, "area_due_m2": 0.0, "investment_due_yuan": 0.0}, area_developed_m2=1.0,
                    investment_made_yuan=1.0).iloc[0]  # fmt: skip
    assert [item["field"] for item in finding["missing"]] == ["area_due_m2<=0", "investment_due_yuan<=0"]


def test_missing_investment_is_named_where_it_decides() -> None:
    finding = found(**STALLED, area_developed_m2=12_000.0).iloc[0]
    assert [item["field"] for item in finding["missing"]] == ["investment_made_yuan"]


@pytest.mark.parametrize(
    ("facts", "fee", "missing"),
    [
        ({}, 200_000.0, []),
        ({"land_price_yuan": 1_000_000.03}, 200_000.01, []),  # 200000.006: half up to the cent
        ({"land_price_yuan": None}, None, ["land_price_yuan"]),  # unknown, never 0
        ({"land_price_yuan": 0.0}, None, ["land_price_yuan<=0"]),
        ({"supply_kind": "lease"}, None, ["fee_base_of_lease"]),
        ({"tenure": "collective"}, None, []),  # by reference only, no fee
    ],
)
def test_fee_is_a_fifth_of_the_price(facts: dict[str, Any], fee: float | None, missing: list[str]) -> None:
    finding = found(start_due="2025-01-01", **facts).iloc[0]
    assert finding["level"] == "idle_1y"
    assert (None if np.isnan(finding["fee_yuan"]) else finding["fee_yuan"]) == fee
    assert [item["field"] for item in finding["missing"]] == missing


def test_at_two_years_no_fee_is_added_to_the_take_back() -> None:
    assert np.isnan(found(start_due="2023-01-01").iloc[0]["fee_yuan"])


def test_since_and_next_date() -> None:
    finding = found(start_due="2025-03-31").iloc[0]
    assert (str(finding["since"].date()), str(finding["next_date"].date())) == ("2026-04-01", "2027-04-01")
    assert finding["days"] == 91
    running = found(start_due="2024-06-30", delays=[("art8_1", "2024-12-01", None)]).iloc[0]
    assert pd.isna(running["next_date"])


def test_land_without_supply_is_not_subject() -> None:
    assert assess_idle(parcel_table({"status": "not_started"}), None, RULES, np.datetime64(AS_OF)).empty
