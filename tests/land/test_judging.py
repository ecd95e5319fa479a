"""Criteria to verdicts, worked by hand: bounds, cases, tables by industry, and what an unknown input changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.land.inputs import Inputs
from geo.land.judging import Condition, compare, judged, missing_of
from geo.land.rule_sets.inefficiency import Criterion, InefficiencyRule, SectorTable
from geo.land.thresholds import Lack

MU = 2000 / 3
# 国土资发〔2008〕24号 by sectors of GB/T 4754-2002: 29 rubber, 30 plastics, 39 electrical, 43 recycling.
FAR = SectorTable(
    source="国土资发〔2008〕24号", status="superseded", edition="2002",
    values={"29": 0.8, "30": 1.0, "35": 0.7, "36": 0.7, "39": 0.7, "43": 0.7},
    crosswalk_from="2017",
    # 2017: 29 rubber and plastics, either of two; 38 electrical; 42 recycling; 43 repair without counterpart.
    crosswalk={"29": ("29", "30"), "291": ("29",), "38": ("39",), "42": ("43",), "43": ()},
)  # fmt: skip
INVESTMENT = SectorTable(
    source="投资强度控制指标", status="unverified", edition="2017", unit="万元/公顷",
    values={"一类": {"38": 4440.0}, "五类": {"38": 1555.0, "39": 2220.0}},
)  # fmt: skip
TABLES = {"far": FAR, "investment": INVESTMENT}


def rows(*records: dict[str, Any], subject: Any = "parcel") -> Inputs:
    base = {"area_m2": 1000.0, "land_m2": 10 * MU, "industry_edition": "2017"}
    return Inputs(subject, pd.DataFrame([{**base, **record} for record in records]))


def verdict(criterion: dict[str, Any], *records: dict[str, Any]) -> list[tuple[float | None, list[str]]]:
    """Met 1, not met 0, or ``None`` and what is missing, of each row."""
    inputs = rows(*records)
    found = compare(Criterion(**criterion), inputs, TABLES)
    names = missing_of(found.lacks, np.arange(len(inputs)))
    return [
        (None if np.isnan(low) else float(low), names[i] if np.isnan(low) else []) for i, low in enumerate(found.low)
    ]


@pytest.mark.parametrize(
    ("way", "at", "just_below", "just_above"),
    [("below", 0, 1, 0), ("at_most", 1, 1, 0), ("above", 0, 0, 1), ("at_least", 1, 0, 1)],
)
def test_the_threshold_itself(way: str, at: float, just_below: float, just_above: float) -> None:
    criterion = {"measure": "tax_per_mu", "unit": "万元/亩", way: 6}
    found = verdict(criterion, {"tax_yuan": 600_000.0}, {"tax_yuan": 599_999.99}, {"tax_yuan": 600_000.01})
    assert [low for low, _ in found] == [at, just_below, just_above]


def test_twenty_of_sixty_mu_are_exactly_a_third() -> None:
    # 闽侯 2018: more than a third developed; a third itself is not more.
    facts = {"area_developed_m2": 20 * MU, "area_due_m2": 60 * MU}
    assert verdict({"measure": "developed_share", "above": "1/3"}, facts) == [(0.0, [])]
    assert verdict({"measure": "developed_share", "below": "1/3"}, facts) == [(0.0, [])]
    assert verdict({"measure": "developed_share", "at_least": "1/3"}, facts) == [(1.0, [])]


@given(st.floats(1, 1e9), st.floats(0.01, 1e4))
def test_a_threshold_says_the_same_in_every_unit(tax: float, land_mu: float) -> None:
    inputs = rows({"tax_yuan": tax, "land_m2": land_mu * MU}, {"tax_yuan": 60_000 * land_mu, "land_m2": land_mu * MU})
    units = {"万元/亩": 6.0, "yuan/mu": 60_000.0, "万元/公顷": 90.0, "亿元/平方公里": 0.9}
    found = [
        compare(Criterion(measure="tax_per_mu", below=value, unit=unit), inputs, {}).low.tolist()
        for unit, value in units.items()
    ]
    assert found[1:] == found[:-1]
    assert all(each[1] == 0 for each in found)


def test_a_share_may_be_said_in_percent() -> None:
    # 黄岩 2022: R&D share benchmark 0.0302.
    assert verdict({"measure": "rd_share", "below": 3.02, "unit": "%"}, {"rd_yuan": 302.0, "revenue_yuan": 10_000.0},
                   {"rd_yuan": 301.0, "revenue_yuan": 10_000.0}) == [(0.0, []), (1.0, [])]  # fmt: skip


def test_an_agreed_value_is_compared_in_its_own_unit() -> None:
    # 闽侯 2018 (b): below the tax per mu of the contract. 50,000 yuan/mu on 10 mu, whatever unit the rule names.
    criterion = {"measure": "tax_per_mu", "below": "tax_agreed_yuan_per_mu", "unit": "万元/亩"}
    assert verdict(
        criterion,
        {"tax_yuan": 499_999.0, "tax_agreed_yuan_per_mu": 50_000.0},
        {"tax_yuan": 500_000.0, "tax_agreed_yuan_per_mu": 50_000.0},
        {"tax_yuan": 1.0, "tax_agreed_yuan_per_mu": np.nan},
    ) == [(1.0, []), (0.0, []), (None, ["tax_agreed_yuan_per_mu"])]  # fmt: skip


HUZHOU = {
    "measure": "tax_per_mu", "unit": "万元/亩",
    "below": [{"size": "above_scale", "value": 6}, {"size": "below_scale", "value": 3}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("tax", "above_scale", "expected"),
    [
        (599_999.0, 1.0, (1.0, [])),  # 湖州 2021: above scale 60,000 yuan/mu, below scale 30,000
        (300_000.0, 0.0, (0.0, [])),
        (299_999.0, 0.0, (1.0, [])),
        (299_999.0, np.nan, (1.0, [])),  # below both: the size does not matter
        (600_000.0, np.nan, (0.0, [])),  # below neither
        (450_000.0, np.nan, (None, ["above_scale"])),  # between: it does
        (np.nan, 1.0, (None, ["tax_yuan"])),
        (np.nan, np.nan, (None, ["tax_yuan", "above_scale"])),
    ],
)
def test_cases_by_size(tax: float, above_scale: float, expected: tuple[float | None, list[str]]) -> None:
    assert verdict(HUZHOU, {"tax_yuan": tax, "above_scale": above_scale}) == [expected]


TAIZHOU = {
    "measure": "far",
    "below": [
        {"park_grade": ["A沿江"], "value": 1.5}, {"park_grade": ["A", "B沿江"], "value": 1.3},
        {"industry": ["25", "26"], "value": 0.6}, {"value": 1.2},
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("far", "facts", "expected"),
    [
        (1.4, {"park_grade": "A沿江", "industry": "3841"}, (1.0, [])),  # 泰政办发〔2021〕94号: 1.5, 1.3, 1.2
        (1.4, {"park_grade": "A", "industry": "3841"}, (0.0, [])),
        (1.25, {"park_grade": "C", "industry": "3841"}, (0.0, [])),
        (1.0, {"park_grade": "C", "industry": "2614"}, (0.0, [])),  # chemicals have their own line
        (0.5, {"park_grade": None, "industry": None}, (1.0, [])),  # below every line
        (1.6, {"park_grade": None, "industry": None}, (0.0, [])),  # above every line
        (1.4, {"park_grade": None, "industry": "3841"}, (None, ["park_grade"])),
        (1.0, {"park_grade": "C", "industry": None}, (None, ["industry"])),
        (1.0, {"park_grade": "C", "industry": "2614", "industry_edition": None}, (None, ["industry_edition"])),
    ],
)
def test_cases_by_park_and_industry(far: float, facts: dict[str, Any], expected: tuple[Any, list[str]]) -> None:
    assert verdict(TAIZHOU, {"floor_area_m2": far * 1000, **facts}) == [expected]


def test_a_row_that_no_line_covers_has_no_threshold() -> None:
    criterion = {"measure": "far", "below": [{"land_class": ["一类"], "value": 1.0}]}
    assert verdict(criterion, {"floor_area_m2": 2000.0, "land_class": "二类"}, {"floor_area_m2": 2000.0}) == [
        (None, ["threshold"]), (None, ["land_class"]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("far", "industry", "edition", "expected"),
    [
        (0.69, "3841", "2017", (1.0, [])),  # electrical, 39 of 2002: 0.7
        (0.70, "C3841", "2017", (0.0, [])),  # ledgers write the section letter too
        (0.69, "3911", "2002", (1.0, [])),  # the table's own edition
        (0.79, "2911", "2017", (1.0, [])),  # 291 rubber goods: the longest prefix counts, 0.8
        (0.81, "2911", "2017", (0.0, [])),
        (0.79, "2929", "2017", (1.0, [])),  # rubber 0.8 or plastics 1.0: below both
        (1.00, "2929", "2017", (0.0, [])),
        (0.90, "2929", "2017", (None, ["industry"])),  # it depends on which
        (0.10, "4310", "2017", (None, ["threshold"])),  # 2017: 43 repair has no minimum
        (0.69, "43", "2002", (1.0, [])),  # 2002: 43 recycling has one
        (0.10, "3841", "2011", (None, ["industry"])),  # an edition that nobody translates
        (0.10, "3841", None, (None, ["industry_edition"])),
        (0.10, "电气", "2017", (None, ["industry"])),
        (0.10, None, "2017", (None, ["industry"])),
    ],
)
def test_a_table_by_industry(far: float, industry: Any, edition: Any, expected: tuple[Any, list[str]]) -> None:
    facts = {"floor_area_m2": far * 1000, "industry": industry, "industry_edition": edition}
    assert verdict({"measure": "far", "below": {"table": "far"}}, facts) == [expected]


@pytest.mark.parametrize(
    ("per_ha", "industry", "land_class", "expected"),
    [
        (4439.0, "3841", "一类", (1.0, [])),
        (4440.0, "3841", "一类", (0.0, [])),
        (1554.0, "3841", None, (1.0, [])),  # below that of every class
        (2000.0, "3841", None, (None, ["land_class"])),
        (2000.0, "3911", "一类", (None, ["threshold"])),
        (2000.0, "3841", "九类", (None, ["threshold"])),
    ],
)
def test_a_table_by_land_class_in_its_own_unit(
    per_ha: float, industry: str, land_class: Any, expected: tuple[Any, list[str]]
) -> None:
    facts = {"fixed_assets_yuan": per_ha * 10_000, "land_m2": 10_000.0, "industry": industry, "land_class": land_class}
    assert verdict({"measure": "investment_per_mu", "below": {"table": "investment"}}, facts) == [expected]


def test_no_staff_is_told_apart_from_unknown_staff() -> None:
    criterion = {"measure": "value_added_per_person", "below": 100_000}
    assert verdict(criterion, {"value_added_yuan": 1.0, "employees": 0.0}, {"value_added_yuan": 1.0}) == [
        (None, ["employees<=0"]), (None, ["employees"]),
    ]  # fmt: skip


def test_a_reason_is_named_instead_of_the_column() -> None:
    inputs = rows({"floor_area_m2": np.nan})
    told = Inputs("parcel", inputs.table, {"floor_area_m2": np.array(["buildings.floor_area_m2"], dtype=object)})
    found = compare(Criterion(measure="far", below=1.0), told, {})
    assert missing_of(found.lacks, np.array([0])) == [["buildings.floor_area_m2"]]


def rule(**more: Any) -> InefficiencyRule:
    table: dict[str, Any] = {
        "rule": "LOW", "title": "t", "source": "s", "status": "secondary",
        "when": [{"measure": "far", "below": 1.0}, {"measure": "tax_per_mu", "below": 60_000}],
    }  # fmt: skip
    return InefficiencyRule.model_validate({**table, **more})


@pytest.mark.parametrize(
    ("far", "tax", "expected"),
    [
        (0.9, 599_000.0, (1.0, [])),
        (1.1, np.nan, (0.0, [])),  # one criterion that is not met decides
        (np.nan, 700_000.0, (0.0, [])),
        (0.9, np.nan, (None, ["tax_yuan"])),  # only what the answer depends on
        (np.nan, np.nan, (None, ["floor_area_m2", "tax_yuan"])),
    ],
)
def test_criteria_hold_together(far: float, tax: float, expected: tuple[float | None, list[str]]) -> None:
    inputs = rows({"floor_area_m2": far * 1000, "tax_yuan": tax})
    found = judged(rule(), inputs, {})
    assert (None if np.isnan(found.low[0]) else found.low[0], missing_of(found.lacks, np.array([0]))[0]) == expected


@pytest.mark.parametrize(
    ("applies", "facts", "expected"),
    [
        ({"size": "below_scale"}, {"above_scale": 0.0}, (1.0, [])),
        ({"size": "below_scale"}, {"above_scale": 1.0}, (0.0, [])),
        ({"size": "below_scale"}, {}, (None, ["above_scale"])),
        ({"size": "below_scale"}, {"floor_area_m2": 1100.0}, (0.0, [])),  # not below the ratio: size does not matter
        ({"min_land_mu": 10}, {}, (1.0, [])),  # exactly 10 mu
        ({"min_land_mu": 10.01}, {}, (0.0, [])),
        ({"min_land_mu": 10}, {"land_m2": np.nan}, (None, ["land_m2"])),
        ({"exempt_industry": ["44"]}, {"industry": "4411"}, (0.0, [])),  # 淮安 2024: utilities are not rated
        ({"exempt_industry": ["44"]}, {"industry": "D4411"}, (0.0, [])),
        ({"exempt_industry": ["44"]}, {"industry": "3841"}, (1.0, [])),
        ({"exempt_industry": ["44"]}, {"industry": None}, (None, ["industry"])),
        ({"exempt_industry": ["441"]}, {"industry": "44"}, (None, ["industry"])),  # too coarse to say
    ],
)
def test_what_a_rule_applies_to(
    applies: dict[str, Any], facts: dict[str, Any], expected: tuple[float | None, list[str]]
) -> None:
    inputs = rows({"floor_area_m2": 900.0, "tax_yuan": 1.0, **facts})
    found = judged(rule(applies=applies), inputs, {})
    low = None if np.isnan(found.low[0]) else found.low[0]
    missing = missing_of(found.lacks, np.array([0]))[0]
    assert (low, sorted(missing)) == expected


def test_another_condition_joins_the_criteria() -> None:
    inputs = rows({"floor_area_m2": 900.0, "tax_yuan": 1.0}, {"floor_area_m2": 1100.0, "tax_yuan": 1.0})
    unknown = Condition(np.array([np.nan, np.nan]), (Lack(np.array([True, True]), "status"),))
    found = judged(rule(), inputs, {}, [unknown])
    assert missing_of(found.lacks, np.arange(2)) == [["status"], []]
    assert found.low[1] == 0


def test_months_of_a_stop_that_is_over_are_a_contradiction() -> None:
    criterion = {"measure": "stopped_months", "at_least": 12}
    assert verdict(
        criterion,
        {"stopped_months": 12.0, "status": "stopped"},
        {"stopped_months": 11.0, "status": "stopped"},
        {"stopped_months": 40.0, "status": "producing"},
        {"stopped_months": 5.0, "status": "producing"},
        {"stopped_months": np.nan, "status": "stopped"},
    ) == [
        (1.0, []), (0.0, []), (None, ["contradiction:stopped_on"]), (0.0, []), (None, ["stopped_months"]),
    ]  # fmt: skip


def test_years_without_tax_that_may_be_more_are_a_lower_bound() -> None:
    # 闽侯 2018 (b): no tax for two years; the record does not reach further back.
    facts = {"years_without_tax": 2.0, "years_without_tax_open": True}
    assert verdict({"measure": "years_without_tax", "at_least": 2}, facts) == [(1.0, [])]
    assert verdict({"measure": "years_without_tax", "at_least": 3}, facts) == [(None, ["years_without_tax"])]


@given(st.permutations(range(6)))
def test_the_order_of_the_rows_does_not_show(order: list[int]) -> None:
    codes = ["3841", "2911", "2929", "4310", None, "C3841"]
    records = [
        {"floor_area_m2": 750.0 + 50 * i, "industry": code, "park_grade": None if i % 2 else "A"}
        for i, code in enumerate(codes)
    ]
    for criterion in ({"measure": "far", "below": {"table": "far"}}, TAIZHOU):
        whole = verdict(criterion, *records)
        assert verdict(criterion, *(records[i] for i in order)) == [whole[i] for i in order]


@given(
    far=st.floats(0, 3), more=st.floats(0, 3), industry=st.sampled_from(["3841", "2929", "4310", None]),
    grade=st.sampled_from(["A", "A沿江", "C", None]),
)  # fmt: skip
def test_a_better_figure_never_makes_a_row_inefficient(far: float, more: float, industry: Any, grade: Any) -> None:
    facts = {"industry": industry, "park_grade": grade}
    for criterion in ({"measure": "far", "below": {"table": "far"}}, TAIZHOU):
        (weak, _), (strong, _) = verdict(
            criterion, {"floor_area_m2": far * 1000, **facts}, {"floor_area_m2": (far + more) * 1000, **facts}
        )
        rank = {1.0: 2, None: 1, 0.0: 0}
        assert rank[strong] <= rank[weak]
