"""The timeline of one parcel: the same arithmetic as the findings, for the state "ok" too."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from geo.land.idle import assess_idle
from geo.land.rules import load_rules
from geo.land.timeline import timeline_of
from tests.land.tables import delay_table, delays_of, parcel_table
from tests.land.test_idle_properties import MANY, some_delays, some_parcel

RULES, HAINAN = load_rules("national").idle, load_rules("hainan").idle
GRANTED = {"supply_kind": "grant", "status": "not_started", "land_price_yuan": 1_000_000.0}


def told(as_of: str, delays: pd.DataFrame | None = None, rules: Any = RULES, **facts: Any) -> dict[str, Any]:
    timeline = timeline_of(parcel_table({**GRANTED, **facts}), delays, rules, np.datetime64(as_of))
    return json.loads(json.dumps(timeline))


def milestones(timeline: dict[str, Any]) -> dict[str, tuple[str | None, bool]]:
    return {each["level"]: (each["date"], each["passed"]) for each in timeline["milestones"]}


def test_ok_says_what_comes_next() -> None:
    timeline = told("2024-01-01", contract_date="2023-12-01", start_due="2024-12-31")
    assert (timeline["level"], timeline["level_title"]) == ("ok", "所评条款中未发现")
    assert (timeline["next_level"], timeline["next_date"]) == ("warning", "2024-10-02")  # 90 days before
    assert timeline["started"] is False
    assert milestones(timeline) == {
        "warning": ("2024-10-02", False), "overdue": ("2025-01-01", False), "idle_1y": ("2026-01-01", False),
        "idle_2y": ("2027-01-01", False),
    }  # fmt: skip
    assert [(event["kind"], event["seen"]) for event in timeline["events"]] == [
        ("contract", True),
        ("start_due", False),
    ]


def test_milestones_are_net_of_excuses_and_move_while_one_runs() -> None:
    excused = told("2024-05-01", delays_of(("art8_2", "2023-06-01", "2023-06-10")), start_due="2023-03-15")
    assert (excused["level"], excused["since"], excused["fee_yuan"]) == ("idle_1y", "2024-03-26", 200_000.0)
    assert milestones(excused)["idle_2y"] == ("2025-03-26", False)
    (excuse,) = excused["excuses"]
    assert (excuse["days_counted_1y"], excuse["days_counted_2y"], excuse["counts"]) == (10, 10, True)
    running = told("2024-05-01", delays_of(("art8_2", "2023-06-01", None)), start_due="2023-03-15")
    assert running["level"] == "overdue"
    assert running["next_date"] is None
    assert milestones(running)["idle_1y"] == (None, False)


def test_a_silent_contract_shows_the_computed_date() -> None:
    timeline = told("2024-01-01", handover_date="2022-03-15")
    assert [(event["kind"], event["date"]) for event in timeline["events"]] == [
        ("handover", "2022-03-15"), ("start_due_computed", "2023-03-15"),
    ]  # fmt: skip


def test_a_start_is_computed_from_permit_and_foundation() -> None:
    # 办法第三十条: the later of permit and foundation.
    timeline = told(
        "2024-01-01", start_due="2023-03-15", status="building", foundation_kind="pile", permit_date="2023-02-01",
        piles_done_date="2023-06-01",
    )  # fmt: skip
    assert (timeline["level"], timeline["started"], timeline["started_on_computed"]) == ("ok", True, "2023-06-01")
    # Started late: it was overdue before, and never idle.
    assert set(milestones(timeline)) == {"warning", "overdue"}


def test_a_suspension_has_its_own_milestone() -> None:
    stalled = {
        "status": "suspended", "start_due": "2022-01-01", "started_on": "2022-01-01", "suspended_on": "2024-03-01",
        "area_due_m2": 3.0, "area_developed_m2": 0.5,
    }  # fmt: skip
    before = told("2024-06-01", **stalled)
    assert (before["level"], before["rule"], before["next_level"], before["next_date"]) == (
        "ok", "IDLE_B", "idle_stalled", "2025-03-02",
    )  # fmt: skip
    after = told("2025-03-02", **stalled)
    assert (after["level"], after["rule"], after["since"]) == ("idle_stalled", "IDLE_B", "2025-03-02")
    excuse = delays_of(("art8_2", "2024-06-01", "2024-06-30"))
    (set_aside,) = told("2025-03-02", excuse, **stalled)["excuses"]
    assert (set_aside["counts"], set_aside["why_not"]) == (False, "本规则集的停工期间不扣除")
    stops = told("2025-03-02", excuse, RULES.model_copy(update={"excuses_stop_rule_b": True}), **stalled)
    assert (stops["level"], stops["next_date"], stops["excuses"][0]["days_counted_stop"]) == ("ok", "2025-04-01", 30)


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"supply_kind": None}, "没有供地信息"),
        ({"stock_class": "approved_unsupplied"}, "批而未供"),
        ({"contract_date": "2024-06-01"}, "尚未签订合同"),
    ],
)
def test_what_is_not_subject_says_why(facts: dict[str, Any], why: str) -> None:
    timeline = told("2024-01-01", **facts)
    assert timeline["level"] is None
    assert why in timeline["why"]
    assert timeline["milestones"] == []


def test_what_cannot_be_assessed_says_what_is_missing() -> None:
    timeline = told("2024-01-01", start_due="2020-01-01", status=None)
    assert (timeline["level"], timeline["started"]) == ("not_assessed", None)
    assert timeline["missing"] == [{"field": "started_on", "zh": "实际动工日期"}]


def test_it_agrees_with_the_findings_on_random_parcels() -> None:
    rng = np.random.default_rng(7)
    table, delays = parcel_table(*(some_parcel(rng) for _ in range(MANY))), delay_table(*some_delays(rng, MANY))
    as_of = np.datetime64("2025-03-01")
    found = assess_idle(table, delays, HAINAN, as_of)
    by_parcel = {key: rows.set_index("rule") for key, rows in found.groupby("parcel_id")}
    seen = set()
    for i, parcel_id in enumerate(table["parcel_id"]):
        timeline = timeline_of(table.iloc[[i]], delays, HAINAN, as_of)
        json.dumps(timeline)
        seen.add(timeline["level"])
        if parcel_id not in by_parcel:
            assert timeline["level"] in (None, "ok")
            continue
        finding = by_parcel[parcel_id].loc[timeline["rule"]]
        assert timeline["level"] == finding["level"]
        assert timeline["since"] == (None if pd.isna(finding["since"]) else str(finding["since"].date()))
        assert timeline["next_date"] == (None if pd.isna(finding["next_date"]) else str(finding["next_date"].date()))
        named = {item["field"] for rows in [by_parcel[parcel_id]] for names in rows["missing"] for item in names}
        assert {item["field"] for item in timeline["missing"]} == named
    assert seen >= {None, "ok", "overdue", "idle_1y", "idle_2y", "idle_stalled", "not_assessed"}
