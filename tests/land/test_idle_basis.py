"""What a finding of idle land says about itself: articles, the values of the rule set it used, measures, delays."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from geo.land.idle import assess_idle
from geo.land.rules import load_rules
from tests.land.tables import delay_table, delays_of, parcel_table

SET = load_rules("national")
RULES, HAINAN = SET.idle, load_rules("hainan").idle
GRANTED = {"supply_kind": "grant", "status": "not_started", "land_price_yuan": 1_000_000.0}
STALLED = {
    "status": "suspended", "start_due": "2022-01-01", "started_on": "2022-01-01", "suspended_on": "2024-01-01",
    "area_due_m2": 30_000.0, "area_developed_m2": 9_000.0, "investment_due_yuan": 1e8, "investment_made_yuan": 5e7,
}  # fmt: skip
AS_OF = np.datetime64("2026-06-30")


def finding(delays: pd.DataFrame | None = None, rules: Any = RULES, **facts: Any) -> pd.Series:
    """The only finding of one parcel."""
    found = assess_idle(parcel_table({**GRANTED, **facts}), delays, rules, AS_OF, SET.edition)
    assert len(found) == 1
    json.dumps(found.iloc[0]["evidence"])
    return found.iloc[0]


def keys(one: pd.Series) -> list[str]:
    return [value["key"] for value in one["evidence"]["parameters"]]


def measures(one: pd.Series) -> list[str]:
    return [each["measure"] for each in one["evidence"]["reading"]["disposals"]]


@pytest.mark.parametrize(
    ("facts", "used"),
    [
        ({"start_due": "2026-08-01"}, ["warn_days"]),
        ({"start_due": "2026-05-01"}, ["idle_years", "year_full_on"]),
        ({"start_due": "2025-05-01"}, ["idle_years", "takeback_years", "year_full_on", "fee_rate"]),
        ({"start_due": "2025-05-01", "land_price_yuan": None}, ["idle_years", "takeback_years", "year_full_on"]),
        ({"start_due": "2023-05-01"}, ["takeback_years", "year_full_on"]),
        ({"handover_date": "2022-05-01"}, ["grace_years", "takeback_years", "year_full_on"]),
        ({"start_due": "2023-05-01", "handover_date": "2023-06-01"},
         ["takeback_years", "year_full_on", "late_handover_excuses"]),
        (STALLED, ["suspended_years", "year_full_on", "developed_below"]),
        ({**STALLED, "area_developed_m2": 2e4, "investment_made_yuan": 1e7},
         ["suspended_years", "year_full_on", "invested_below"]),
        ({}, []),
    ],
)  # fmt: skip
def test_only_the_values_that_decided_are_named(facts: dict[str, Any], used: list[str]) -> None:
    assert keys(finding(**facts)) == used


def test_values_that_nobody_verified_show_only_where_they_were_used() -> None:
    # 办法第二十二条: how long the grace is has not been checked against the text.
    assert "约定不明时的动工宽限年数" in finding(handover_date="2022-05-01")["unverified"]
    assert "宽限" not in finding(start_due="2022-05-01")["unverified"]
    assert finding(start_due="2026-05-01")["unverified"] is None
    own = delays_of(("own", "2024-05-01", "2024-06-01"))
    assert "停工期间" in finding(own, **STALLED)["unverified"]
    assert "停工期间" not in finding(**STALLED)["unverified"]


def test_a_value_says_what_it_is_and_how_sure() -> None:
    (rate,) = (
        value for value in finding(start_due="2025-05-01")["evidence"]["parameters"] if value["key"] == "fee_rate"
    )
    assert rate == {"key": "fee_rate", "zh": "土地闲置费比例", "value": "1/5", "status": "secondary",
                    "status_title": "据二手资料"}  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "article"),
    [
        ({"start_due": "2026-05-01"}, "第二条第一款"),
        ({"start_due": "2025-05-01"}, "第二条第一款、第十四条第一项"),
        ({"start_due": "2023-05-01"}, "第二条第一款、第十四条第二项"),
        ({"handover_date": "2022-05-01"}, "第二条第一款、第十四条第二项、第二十二条"),
        ({"start_due": "2023-05-01", "handover_date": "2023-06-01"}, "第二条第一款、第十四条第二项、第八条"),
        (STALLED, "第二条第二款"),
    ],
)
def test_articles_of_rule_level_and_values(facts: dict[str, Any], article: str) -> None:
    one = finding(**facts)
    assert one["article"] == article
    assert one["ruleset"] == SET.edition
    assert "第53号" in one["source"]


def test_measures_fit_level_cause_and_tenure() -> None:
    # 办法第十四条 for the level net of excuses, 第十二条 beside it where the government caused some of the delay.
    fee = finding(start_due="2025-05-01")
    assert "征缴土地闲置费" in measures(fee)
    assert "征缴土地闲置费（第十四条第一项，征缴土地闲置费决定书）" in fee["disposals"]
    taken = measures(finding(start_due="2023-05-01"))
    assert "无偿收回国有建设用地使用权" in taken
    assert "征缴土地闲置费" not in taken
    excused = measures(finding(delays_of(("art8_2", "2023-06-01", "2023-06-30")), start_due="2023-05-01"))
    assert {"延长动工开发期限", "协议有偿收回"} <= set(excused)
    assert "无偿收回国有建设用地使用权" in excused
    assert "延长动工开发期限" not in taken
    late = measures(finding(start_due="2023-05-01", handover_date="2023-06-01"))
    assert "置换土地" in late
    # (2017)最高法行申5480号: a plan changed after the second year does not take the measure away.
    too_late = finding(delays_of(("art8_2", "2026-01-01", None)), start_due="2023-05-01")
    assert "无偿收回国有建设用地使用权" in measures(too_late)
    collective = measures(finding(start_due="2023-05-01", tenure="collective"))
    assert collective == ["调查核实", "认定并公开"]
    assert not {"征缴土地闲置费", "无偿收回国有建设用地使用权"} & set(measures(finding(**STALLED)))
    assert measures(finding()) == []


def test_measures_that_are_not_verified_are_named() -> None:
    assert "措施“延长动工开发期限”" in finding(**STALLED)["unverified"]
    excused = finding(delays_of(("art8_2", "2023-06-01", "2023-06-30")), start_due="2023-05-01")
    assert "措施“延长动工开发期限”" not in excused["unverified"]


def test_every_delay_is_listed_with_its_days_or_why_it_did_not_count() -> None:
    rows = [
        ("art8_2", "2025-06-01", "2025-06-10", "海规〔2025〕3号"),
        ("own", "2025-07-01", "2025-07-31", None),
        ("art8_1", None, "2025-12-31", None),
        ("art8_4", "2024-01-01", "2025-05-01", None),
        ("force_majeure", "2025-06-02", "2025-06-03", None),
        ("art8_5", "2026-06-01", None, None),
        ("art8_3", "2026-07-01", None, None),
    ]
    delays = delay_table(
        *({"parcel_id": "P0", "delay_cause": cause, "delay_from": begin, "delay_to": end, "evidence": paper,
           "load_id": "L1", "source_row": row}
          for row, (cause, begin, end, paper) in enumerate(rows, 2))
    )  # fmt: skip
    # Due 2025-05-01 and ten days excused: idle from 2026-05-12, and what came in June moves the second year alone.
    one = finding(delays, start_due="2025-05-01")
    listed = {each["cause"]: each for each in one["evidence"]["reading"]["excuses"]}
    assert "art8_3" not in listed  # begins tomorrow
    counted = listed["art8_2"]
    assert (counted["zh"], counted["from"], counted["to"], counted["days_counted_1y"]) == (
        "规划依法修改", "2025-06-01", "2025-06-10", 10,
    )  # fmt: skip
    assert counted["evidence"] == "海规〔2025〕3号"
    assert counted["source"] == {"load_id": "L1", "row": 2}
    running = listed["art8_5"]
    assert (running["to"], running["running"], running["days_counted_1y"], running["days_counted_2y"]) == (
        None, True, 0, 30,
    )  # fmt: skip
    reasons = {cause: each["why_not"] for cause, each in listed.items() if not each["counts"]}
    assert reasons == {
        "own": "企业自身原因，不予扣除", "art8_1": "没有起始日期", "art8_4": "在起算日之前已经结束",
        "force_majeure": "与其他期间重叠，不重复扣除",
    }  # fmt: skip
    assert one["evidence"]["reading"]["excused_days"] == 10


def test_a_delay_after_the_second_year_says_so() -> None:
    one = finding(delays_of(("art8_2", "2026-01-01", None)), start_due="2023-05-01")
    (excuse,) = one["evidence"]["reading"]["excuses"]
    assert excuse["why_not"] == "期满之后才开始，不再扣除"


def test_the_first_delay_that_a_parcel_repeats_is_listed_once() -> None:
    again = {"delay_cause": "art8_2", "delay_from": "2023-06-01", "delay_to": "2023-06-30"}
    one = finding(delays_of(("art8_2", "2023-06-01", "2023-06-30")), start_due="2023-05-01", **again)
    assert len(one["evidence"]["reading"]["excuses"]) == 1
    alone = finding(start_due="2023-05-01", **again)
    assert alone["since"] == one["since"] == pd.Timestamp("2025-06-01")


def test_what_happened_later_is_no_evidence() -> None:
    found = assess_idle(
        parcel_table({**GRANTED, "start_due": "2024-01-01", "status": "building", "started_on": "2026-07-01"}),
        None, RULES, AS_OF,
    )  # fmt: skip
    used = {item["field"] for item in found.iloc[0]["evidence"]["used"]}
    assert "start_due" in used
    assert not {"started_on", "status"} & used


def test_a_local_rule_names_its_own_source_and_values() -> None:
    slow = finding(
        rules=HAINAN, start_due="2024-01-01", started_on="2024-01-01", status="building",
        investment_due_yuan=1e8, investment_made_yuan=1e7,
    )  # fmt: skip
    assert (slow["rule"], slow["level"]) == ("IDLE_SLOW", "idle_stalled")
    assert "第247号" in slow["source"]
    assert keys(slow) == ["slow_investment.years", "year_full_on", "slow_investment.invested_below"]


def test_an_agreed_start_before_the_contract_is_a_contradiction() -> None:
    # 办法第二条第一款: the date is agreed in the contract, so it cannot lie before it.
    backward = finding(contract_date="2022-01-01", start_due="2019-01-01")
    assert backward["level"] == "not_assessed"
    assert [one["field"] for one in backward["missing"]] == ["contradiction:start_due"]
    handed_over = finding(contract_date="2022-01-01", start_due="2019-01-01", handover_date="2018-06-01")
    assert handed_over["level"] == "idle_2y"  # supplied before it was put in writing
