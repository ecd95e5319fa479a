"""Inefficient land, worked by hand from the lists of counties; thresholds in yuan per mu, 1 mu = 2000/3 m²."""

from __future__ import annotations

import json
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import InvalidParameter
from geo.land.efficiency import Inefficiency, assess_inefficiency, not_subject
from geo.land.rules import RuleSet, load_rules
from geo.layers.schema import ENTERPRISES, FIRMS, INDICATORS
from tests.land.tables import parcel_table

AS_OF = "2026-06-30"
MU = 2000 / 3
TEN_MU = 10 * MU
SOUND = {
    "land_use": "100101", "status": "producing", "area_m2": TEN_MU, "holder": "甲", "tax_yuan": 900_000.0,
    "above_scale": True, "floor_area_m2": TEN_MU * 1.5, "industry": "3841", "industry_edition": "2017",
}  # fmt: skip
SOURCE = {"title": "t", "source": "s", "status": "secondary"}
HUZHOU = {
    "per": "firm",
    "when": [{"measure": "tax_per_mu", "unit": "万元/亩",
              "below": [{"size": "above_scale", "value": 6}, {"size": "below_scale", "value": 3}]}],
}  # fmt: skip
LARGE = {
    "rule": "LARGE", "per": "firm",
    "when": [{"measure": "land_mu", "at_least": 10}, {"measure": "above_scale", "at_most": 0}],
}  # fmt: skip
UNFINISHED = {
    "rule": "UNFINISHED", "applies": {"state": "under_construction"},
    "when": [{"measure": "developed_share", "above": "1/3"}, {"measure": "invested_share", "above": "1/4"},
             {"measure": "suspended_months", "at_least": 12}],
}  # fmt: skip
NO_TAX = {"rule": "NO_TAX", "per": "firm", "when": [{"measure": "years_without_tax", "at_least": 2}]}
AGREED_TAX = {"rule": "AGREED", "when": [{"measure": "tax_per_mu", "below": "tax_agreed_yuan_per_mu"}]}
STOPPED = {"rule": "STOPPED", "when": [{"measure": "stopped_months", "at_least": 12}]}
VACANT = {"rule": "VACANT", "when": [{"measure": "vacant_mu", "above": 20}]}
SUSPENDED = {
    "rule": "SUSPENDED", "when": [{"measure": "suspended_months", "at_least": 12}],
    "applies": {"state": "under_construction", "except_levels": ["idle_1y", "idle_2y", "idle_stalled"]},
}  # fmt: skip
AGREED_FAR = {"rule": "FAR", "when": [{"measure": "far", "below": "far_agreed"}]}
TAIZHOU = {
    "rule": "FAR", "applies": {"contract_from": "2021-12-01"},
    "when": [{"measure": "far", "below": [{"park_grade": ["A"], "value": 1.3}, {"value": 1.2}]}],
}  # fmt: skip
DEMO = load_rules("demo")
NATIONAL = load_rules("national")


def rule_set(*rules: dict[str, Any], **tables: Any) -> RuleSet:
    """National rules for idle land with these for inefficient land."""
    base = {"ruleset": {"name": "test", "title": "t", "version": "1"}, "idle": NATIONAL.idle, "sha256": "0"}
    each = [{"rule": "LOW_TAX", **SOURCE, **rule} for rule in rules]
    return RuleSet.model_validate({**base, "inefficient": each, **tables})


def rows_of_firms(*records: dict[str, Any]) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    for item in ENTERPRISES.fields:
        kind = {"real": "float64", "integer": "Int64", "boolean": "boolean"}.get(item.kind)
        columns[item.name] = pd.Series([record.get(item.name) for record in records], dtype=kind or object)
    return pd.DataFrame(columns)


def assess(rules: RuleSet, *records: dict[str, Any], as_of: str = AS_OF, firms: Any = (), **given: Any) -> Inefficiency:
    table = parcel_table(*({**SOUND, **record} for record in records))
    buildings = given.pop("buildings", None)
    enterprises = rows_of_firms(*firms) if firms else None
    return assess_inefficiency(table, buildings, enterprises, rules, np.datetime64(as_of), **given)


def levels(rules: RuleSet, *records: dict[str, Any], **given: Any) -> dict[str, Any]:
    """What was found: parcel -> level, or what is missing in brackets; by rule where there are several."""
    found = assess(rules, *records, **given).findings
    several = len(rules.inefficient) > 1
    told: dict[str, Any] = {}
    for row in found.to_dict("records"):
        level = row["level"] if row["level"] == "inefficient" else [each["field"] for each in row["missing"]]
        told[f"{row['parcel_id']} {row['rule']}" if several else row["parcel_id"]] = level
    return told


LOW = {"P0": "inefficient"}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, {}),
        ({"tax_yuan": 599_999.0}, LOW),  # above scale: 59,999.9 yuan/mu
        ({"tax_yuan": 600_000.0}, {}),  # exactly the threshold is not below it
        ({"tax_yuan": 400_000.0, "above_scale": False}, {}),  # 40,000 against 30,000
        ({"tax_yuan": 300_000.0, "above_scale": False}, {}),
        ({"tax_yuan": 290_000.0, "above_scale": False}, LOW),
        ({"tax_yuan": None}, {"P0": ["tax_yuan"]}),
        ({"tax_yuan": 400_000.0, "above_scale": None}, {"P0": ["above_scale"]}),
        ({"tax_yuan": 100_000.0, "above_scale": None}, LOW),  # below both
        ({"tax_yuan": -5.0}, LOW),  # a refund is less than no tax
        ({"status": "building", "tax_yuan": 0.0}, {}),  # not in use yet
        ({"status": "completed", "tax_yuan": 0.0}, LOW),
        ({"land_use": "0701", "tax_yuan": 0.0}, {}),  # housing
        ({"land_use": "M1", "land_use_edition": "GB 50137-2011", "tax_yuan": 0.0}, LOW),
        ({"land_use": "1001", "land_use_edition": "三调", "tax_yuan": 0.0}, {}),  # railway in the survey's codes
        ({"status": None, "tax_yuan": 599_999.0}, {"P0": ["status"]}),  # figures, but no status
        ({"status": None}, {}),  # not below the threshold: the status decides nothing
        ({"status": None, "tax_yuan": 0.0, "completed_on": "2020-01-01"}, LOW),  # completed is in use
    ],
)
def test_huzhou_tax_of_one_firm(facts: dict[str, Any], expected: dict[str, Any]) -> None:
    """湖州“三低” (2021): above scale below 60,000 yuan/mu, below scale below 30,000."""
    assert levels(rule_set(HUZHOU), facts) == expected


def test_tax_is_judged_by_firm_not_by_parcel() -> None:
    # One weak and one sound parcel of a firm: (100,000 + 1,200,000) / 20 mu = 65,000.
    assert levels(rule_set(HUZHOU), {"tax_yuan": 100_000.0}, {"tax_yuan": 1_200_000.0}) == {}
    # Per parcel the weak one would be found.
    by_parcel = {**HUZHOU, "per": "parcel"}
    assert levels(rule_set(by_parcel), {"tax_yuan": 100_000.0}, {"tax_yuan": 1_200_000.0}) == LOW


def test_a_low_firm_is_told_to_each_of_its_parcels() -> None:
    told = levels(rule_set(HUZHOU), {"tax_yuan": 0.0}, {"tax_yuan": 1_100_000.0}, {"holder": "乙"})
    assert told == {"P0": "inefficient", "P1": "inefficient"}


def test_a_parcel_without_status_leaves_the_firm_open() -> None:
    # Whether its land counts is not known.
    assert levels(rule_set(HUZHOU), {"tax_yuan": 0.0}, {"tax_yuan": 0.0, "status": None}) == {
        "P0": ["status"], "P1": ["status"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ({"area_m2": 4 * MU}, {"P0 LARGE": "inefficient", "P1 LARGE": "inefficient"}),  # 6 + 4 mu reach the 10
        ({"area_m2": 3.99 * MU}, {}),
        ({"area_m2": 6 * MU, "holder": "乙"}, {}),  # another firm
        ({"area_m2": 6 * MU, "status": "not_started", "tax_yuan": None}, {}),  # land not in use is not counted
    ],
)
def test_huzhou_large_and_still_below_scale(second: dict[str, Any], expected: dict[str, Any]) -> None:
    small = {"above_scale": False, "tax_yuan": 900_000.0}
    assert levels(rule_set(HUZHOU, LARGE), {**small, "area_m2": 6 * MU}, {**small, **second}) == expected


def test_the_size_matters_only_for_large_land() -> None:
    unknown = {"above_scale": None}
    assert levels(rule_set(LARGE), unknown) == {"P0": ["above_scale"]}
    assert levels(rule_set(LARGE), {**unknown, "area_m2": 9 * MU}) == {}


CODE = "91330500000000000X"


def test_figures_of_firm_tables_come_first_and_are_told_with_their_row() -> None:
    firms = [{"credit_code": CODE, "holder": "甲", "parcel_id": "P0", "year": 2025, "tax_yuan": 500_000.0,
              "above_scale": True, "area_used_m2": 5 * MU, "load_id": "L7", "source_row": 3}]  # fmt: skip
    # 500,000 on 5 mu used is 100,000; on the 10 mu of the parcel it would be 50,000.
    assert levels(rule_set(HUZHOU), {}, firms=firms) == {}
    found = assess(rule_set(HUZHOU), {}, firms=[{**firms[0], "area_used_m2": None}]).findings.iloc[0]
    told = [each for each in found["evidence"]["used"] if each["field"] == "tax_yuan"]
    assert [(each["value"], each["source"]) for each in told] == [(500_000.0, {"load_id": "L7", "row": 3})]


def test_a_parcel_with_several_firms_is_low_where_one_is() -> None:
    firms = [
        {"holder": "甲", "parcel_id": "P0", "year": 2025, "tax_yuan": 700_000.0, "above_scale": True,
         "area_used_m2": 7 * MU},
        {"holder": "乙", "parcel_id": "P0", "year": 2025, "tax_yuan": 60_000.0, "above_scale": False,
         "area_used_m2": 3 * MU},
    ]  # fmt: skip
    found = assess(rule_set(HUZHOU), {}, firms=firms).findings.iloc[0]
    assert found["level"] == "inefficient"
    reading = found["evidence"]["reading"]
    assert [(each["holder"], each["value"], each["threshold"]) for each in reading["firms"]] == [("乙", 2.0, 3.0)]
    assert found["shortfall"] == "乙：税收还差 3.00 万元/年（达到 3 万元/亩）"
    # Unknown tax of the second leaves it open; a third that is low decides.
    unknown = {**firms[1], "tax_yuan": None}
    assert levels(rule_set(HUZHOU), {}, firms=[firms[0], unknown]) == {"P0": ["tax_yuan"]}
    assert levels(rule_set(HUZHOU), {}, firms=[firms[0], unknown, {**firms[1], "holder": "丙"}]) == LOW


def test_without_a_way_to_apportion_nothing_is_claimed() -> None:
    firms = [{"holder": name, "parcel_id": "P0", "year": 2025, "tax_yuan": 1.0, "above_scale": True} for name in "甲乙"]
    assert levels(rule_set(HUZHOU), {}, firms=firms) == {"P0": ["apportionment"]}


FAR = {"rule": "FAR", "when": [{"measure": "far", "below": {"table": "far"}}]}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"floor_area_m2": TEN_MU * 0.69}, LOW),  # 38 electrical (2017) is 39 of 2002: 0.7
        ({"floor_area_m2": TEN_MU * 0.7}, {}),
        ({"floor_area_m2": None}, {"P0": ["floor_area_m2"]}),
        ({"industry_edition": "2011"}, {"P0": ["industry"]}),  # other edition, other sectors
        ({"industry": "C3841"}, {}),
        ({"industry": "4310"}, {"P0": ["threshold"]}),  # repair has no minimum
        ({"industry": "29", "floor_area_m2": TEN_MU * 0.9}, {"P0": ["industry"]}),  # rubber 0.8 or plastics 1.0
        ({"industry": "29", "floor_area_m2": TEN_MU * 0.79}, LOW),
        ({"industry": "291", "floor_area_m2": TEN_MU * 0.9}, {}),  # 2017: 291 is rubber
        ({"industry": "36", "industry_edition": "2002", "floor_area_m2": TEN_MU * 0.69}, LOW),
    ],
)
def test_far_of_2008_by_sector(facts: dict[str, Any], expected: dict[str, Any]) -> None:
    """国土资发〔2008〕24号 by GB/T 4754-2002, with the crosswalk from 2017."""
    table = {
        "source": "国土资发〔2008〕24号", "status": "superseded", "edition": "2002", "crosswalk_from": "2017",
        "values": {"29": 0.8, "30": 1.0, "36": 0.7, "39": 0.7}, "unverified": ["values.39"],
        "crosswalk": {"29": ["29", "30"], "291": ["29"], "38": ["39"], "43": []},
    }  # fmt: skip
    assert levels(rule_set(FAR, tables={"far": table}), facts) == expected


def test_an_unverified_value_is_named_on_the_finding_that_used_it() -> None:
    table = {
        "source": "国土资发〔2008〕24号", "status": "superseded", "edition": "2017",
        "values": {"38": 0.7, "39": 1.0}, "unverified": ["values.38"],
    }  # fmt: skip
    rules = rule_set(FAR, tables={"far": table})
    found = assess(rules, {"floor_area_m2": 1.0}, {"floor_area_m2": 1.0, "industry": "3911"}).findings
    assert found["unverified"].str.contains("容积率标准").all()
    assert found["unverified"].str.contains("已被新版代替").tolist() == [False, True]
    statuses = [each["parameters"][0]["status"] for each in found["evidence"]]
    assert statuses == ["unverified", "superseded"]


def halls(*specs: tuple[float, float, float | None]) -> gpd.GeoDataFrame:
    """Halls in the first parcel of a table (a box of 0.001 degrees): share of its side, floor area, storey height."""
    boxes = [shapely.box(120 + low, 32, 120 + low + 0.0001, 32.001) for low, _, _ in specs]
    return gpd.GeoDataFrame(
        {"building_id": [str(i) for i in range(len(specs))], "parcel_id": ["P0"] * len(specs),
         "floors": pd.Series([None] * len(specs), dtype="Int64"), "height_m": np.nan,
         "floor_area_m2": [area for _, area, _ in specs], "storey_height_m": [height for *_, height in specs]},
        geometry=boxes, crs=4490,
    )  # fmt: skip


def test_floor_area_comes_from_buildings_where_the_parcel_declares_none() -> None:
    bare = {"floor_area_m2": None, "far_agreed": 0.8}
    two = halls((0.0, TEN_MU * 0.4, 6.0), (0.0005, TEN_MU * 0.4, 6.0))
    assert levels(rule_set(AGREED_FAR), bare, buildings=two) == {}
    assert levels(rule_set(AGREED_FAR), {**bare, "far_agreed": 0.81}, buildings=two) == LOW


def test_a_hall_above_eight_metres_counts_twice() -> None:
    """工业项目建设用地控制指标: a storey higher than 8 m counts twice for the plot ratio."""
    bare = {"floor_area_m2": None, "far_agreed": 0.8}
    assert levels(rule_set(AGREED_FAR), bare, buildings=halls((0.0, TEN_MU * 0.5, 8.01))) == {}
    assert levels(rule_set(AGREED_FAR), bare, buildings=halls((0.0, TEN_MU * 0.5, 8.0))) == LOW


def test_lixin_plot_ratio_below_the_agreed_one() -> None:
    """利辛 (6): below the agreed plot ratio; a contract that agreed none is not assessed."""
    facts = {"floor_area_m2": TEN_MU * 0.9}
    assert levels(rule_set(AGREED_FAR), {**facts, "far_agreed": 1.0}, {**facts, "far_agreed": 0.9}, facts) == {
        "P0": "inefficient", "P2": ["far_agreed"],
    }  # fmt: skip


def test_lixin_vacant_land_in_one_piece() -> None:
    """利辛 (3): more than 20 mu contiguous; the box is about 94.5 m by 110.9 m, 15.7 mu, so scaled to 4 by 4."""
    table = parcel_table({**SOUND, "area_m2": 16 * 10_480.0})
    table.geometry = [shapely.box(120, 32, 120.004, 32.004)]
    none = halls((0.0, 1.0, 3.0)).iloc[:0]
    whole = assess_inefficiency(table, none, None, rule_set(VACANT), np.datetime64(AS_OF)).findings
    assert whole["level"].tolist() == ["inefficient"]
    assert whole["shortfall"].iloc[0].startswith("最大连续空地超出 23")  # 251.5 mu of 20
    assert "建筑外围计为已用的距离" in whole["unverified"].iloc[0]
    full = halls((0.0, 1.0, 3.0)).set_geometry([shapely.box(120, 32, 120.0038, 32.004)], crs=4490)
    # What remains is 0.0002 degrees (18.9 m) less 5 m of apron by 443.6 m: 9.2 mu.
    assert assess_inefficiency(table, full, None, rule_set(VACANT), np.datetime64(AS_OF)).findings.empty
    without = assess_inefficiency(table, None, None, rule_set(VACANT), np.datetime64(AS_OF)).findings
    assert [each["field"] for each in without["missing"].iloc[0]] == ["buildings"]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"stopped_on": "2025-06-29", "status": "stopped"}, LOW),
        ({"stopped_on": "2025-06-30", "status": "stopped"}, {}),  # complete at 24:00 of the anniversary
        ({"status": "stopped"}, {"P0": ["stopped_on"]}),
        ({"stopped_on": "2020-01-01"}, {"P0": ["contradiction:stopped_on"]}),  # it produces again
        ({"stopped_on": "2027-01-01", "status": "stopped"}, {}),  # not yet known on the day
    ],
)
def test_lixin_production_stopped_a_year(facts: dict[str, Any], expected: dict[str, Any]) -> None:
    """利辛 (5): stopped for a year."""
    assert levels(rule_set(STOPPED), facts) == expected


def test_a_stop_counts_from_the_day_after_the_last_month() -> None:
    found = assess(rule_set(STOPPED), {"status": "stopped", "stopped_on": "2024-02-29"}).findings.iloc[0]
    assert str(found["since"].date()) == "2025-03-01"
    assert (found["days"], found["shortfall"]) == (487, "恢复生产")


def idle_findings(*rows: tuple[str, str, list[str]]) -> pd.DataFrame:
    return pd.DataFrame(
        [{"parcel_id": identity, "level": level, "missing": [{"field": name, "zh": name} for name in missing]}
         for identity, level, missing in rows]
    )  # fmt: skip


def test_lixin_a_suspension_that_is_idle_land_is_left_to_that() -> None:
    """利辛 (4): stopped for a year and not yet meeting the test of idle land."""
    halted = {"status": "suspended", "suspended_on": "2025-01-01"}
    idle = idle_findings(("P1", "idle_stalled", []), ("P2", "not_assessed", ["investment_made_yuan"]))
    assert levels(rule_set(SUSPENDED), halted, halted, halted, idle=idle) == {
        "P0": "inefficient", "P2": ["investment_made_yuan"],
    }  # fmt: skip
    # What idle land lacks does not matter where the stop is too short.
    assert levels(rule_set(SUSPENDED), *[{**halted, "suspended_on": "2026-01-01"}] * 3, idle=idle) == {}


HALTED = {"status": "suspended", "suspended_on": "2025-01-01", "area_due_m2": 60 * MU, "investment_due_yuan": 1e8}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"area_developed_m2": 21 * MU, "investment_made_yuan": 25_000_001.0}, LOW),
        ({"area_developed_m2": 20 * MU, "investment_made_yuan": 5e7}, {}),  # exactly a third is not more
        ({"area_developed_m2": 30 * MU, "investment_made_yuan": 2.5e7}, {}),  # exactly 25 % is not more
        ({"area_developed_m2": 30 * MU}, {"P0": ["investment_made_yuan"]}),
        ({"area_developed_m2": 10 * MU}, {}),  # one that is not met decides
        ({"area_developed_m2": 30 * MU, "investment_made_yuan": 5e7, "suspended_on": "2025-07-01"}, {}),
        ({"area_developed_m2": 30 * MU, "investment_made_yuan": 5e7, "status": "completed"}, {}),
    ],
)
def test_minhou_unfinished(facts: dict[str, Any], expected: dict[str, Any]) -> None:
    """闽侯 2018 (a): more than a third of the area and 25 % of the investment, stopped for a year."""
    assert levels(rule_set(UNFINISHED), {**HALTED, **facts}) == expected


@pytest.mark.parametrize(
    ("paid", "expected"),
    [
        ({2025: 0.0, 2024: 0.0}, LOW),
        ({2025: 0.0, 2024: 1.0}, {}),
        ({2025: 1.0, 2024: 0.0}, {}),
        ({2025: 0.0}, {"P0": ["enterprises"]}),  # one year is not two
    ],
)
def test_minhou_no_tax_for_two_years(paid: dict[int, float], expected: dict[str, Any]) -> None:
    """闽侯 2018 (b): no tax for two years or more."""
    firms = [{"holder": "甲", "parcel_id": "P0", "year": year, "tax_yuan": tax} for year, tax in paid.items()]
    assert levels(rule_set(NO_TAX), {"tax_yuan": None}, firms=firms) == expected


def test_minhou_tax_below_the_contract() -> None:
    """闽侯 2018 (b): below the tax per mu of the contract, parcel by parcel or over a firm with one agreement."""
    facts = {"tax_yuan": 490_000.0, "tax_agreed_yuan_per_mu": 50_000.0}
    other = {**facts, "holder": "乙", "tax_yuan": 500_000.0}
    assert levels(rule_set(AGREED_TAX), facts, other, {**facts, "tax_agreed_yuan_per_mu": None}) == {
        "P0": "inefficient", "P2": ["tax_agreed_yuan_per_mu"],
    }  # fmt: skip
    of_firm = rule_set({**AGREED_TAX, "per": "firm"})
    assert levels(of_firm, facts, facts) == {"P0": "inefficient", "P1": "inefficient"}
    assert levels(of_firm, facts, {**facts, "tax_agreed_yuan_per_mu": 40_000.0}) == {
        "P0": ["tax_agreed_yuan_per_mu"], "P1": ["tax_agreed_yuan_per_mu"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"park_grade": "A", "contract_date": "2022-01-01"}, LOW),  # 1.25 against 1.3
        ({"park_grade": "C", "contract_date": "2022-01-01"}, {}),  # 1.25 against 1.2
        ({"park_grade": "A", "contract_date": "2021-11-30"}, {}),  # not a new project
        ({"park_grade": "A", "contract_date": "2021-12-01"}, LOW),
        ({"park_grade": "A"}, {"P0": ["contract_date"]}),
        ({"park_grade": "C"}, {}),  # not below: the date does not matter
        ({"contract_date": "2022-01-01"}, {"P0": ["park_grade"]}),
        ({"contract_date": "2022-01-01", "floor_area_m2": TEN_MU * 1.1}, LOW),  # below both
    ],
)
def test_taizhou_new_projects(facts: dict[str, Any], expected: dict[str, Any]) -> None:
    """泰政办发〔2021〕94号: plot ratio of new projects 1.2, in A parks 1.3."""
    assert levels(rule_set(TAIZHOU), {"floor_area_m2": TEN_MU * 1.25, **facts}) == expected


def test_planned_land_use_and_source_columns() -> None:
    rule = {
        "applies": {"state": "any", "land_use": [], "planned_land_use": ["Industrial"]},
        "when": [{"measure": "extra:CURRIMPR", "at_most": 0}],
    }  # fmt: skip
    zones = np.array(["Industrial", "Industrial", "Industrial", "Housing", None, "Industrial"], dtype=object)
    values = [0, "1,000", 12.5, 0, 0, "0"]
    parcels = [{"status": None, "extra": {"CURRIMPR": value}} for value in values]
    rules = rule_set(rule)
    assert levels(rules, *parcels, planned_land_use=zones) == {
        "P0": "inefficient", "P1": ["extra:CURRIMPR"], "P5": "inefficient",
    }  # fmt: skip
    why = not_subject(parcel_table(*({**SOUND, **each} for each in parcels)), rules, np.datetime64(AS_OF), zones)
    assert why.tolist() == [None, None, None, "规划用途不在范围", "规划用途不在范围", None]
    with pytest.raises(InvalidParameter, match="没有规划图层"):
        levels(rules, *parcels)


def test_every_parcel_is_judged_or_explained() -> None:
    table = parcel_table(*({**SOUND, **each} for each in (
        {}, {"land_use": None}, {"land_use": "0701"}, {"status": "not_started"}, {"status": None, "tax_yuan": None},
        {"status": "stopped"},
    )))  # fmt: skip
    as_of = np.datetime64(AS_OF)
    why = not_subject(table, DEMO, as_of)
    assert why.tolist() == [None, "土地用途不明", "不在适用用地内", "未投入使用", "建设状态不明", None]
    assert (assess_inefficiency(table, None, None, DEMO, as_of).subject == pd.isna(why)).all()
    assert set(not_subject(table, NATIONAL, as_of)) == {"没有低效规则"}


SCORING = {
    "scoring": {
        **SOURCE, "population": "全县", "inefficient_grades": ["D"], "exempt_industry": ["44"],
        "cuts": [{"grade": "A", "to_percent": 20}, {"grade": "C", "to_percent": 75}, {"grade": "D", "to_percent": 100}],
        "groups": [{"name": "工业", "components": [
            {"measure": "tax_per_mu", "weight": 100, "benchmark": 10, "unit": "万元/亩"},
        ]}],
    }
}  # fmt: skip


def test_a_grade_makes_the_parcels_of_a_firm_inefficient() -> None:
    """淮安 2024: percentile grades; the last grade is found, utilities are not rated."""
    taxes = [900_000.0, 800_000.0, 700_000.0, 100_000.0]
    parcels = [{"holder": name, "tax_yuan": tax} for name, tax in zip("甲乙丙丁", taxes, strict=True)]
    utility = {"holder": "戊", "tax_yuan": 0.0, "industry": "4411"}
    found = assess(rule_set(**SCORING), *parcels, utility, {"holder": "己", "tax_yuan": None})
    rows = found.findings.set_index("parcel_id")
    assert rows["level"].to_dict() == {"P3": "inefficient", "P5": "not_assessed"}
    assert rows.loc["P3", "rule"] == "GRADE"
    # 70 points for grade C: 7 on 10 yuan ten thousand per mu, so 700,000 on 10 mu; it pays 100,000.
    assert rows.loc["P3", "shortfall"] == "税收还差 60.00 万元/年（达到 C 级 70.00 分）"
    assert [each["field"] for each in rows.loc["P5", "missing"]] == ["tax_yuan"]
    grades = found.firms.set_index("firm_id")["grade"]
    assert (grades["丁"], grades["戊"]) == ("D", "T")
    assert found.subject.all()


@pytest.mark.parametrize(
    ("rule", "facts", "line", "amount"),
    [
        (HUZHOU, {"tax_yuan": 476_600.0}, "税收还差 12.34 万元/年（达到 6 万元/亩）", 123_400.0),
        (AGREED_FAR, {"floor_area_m2": TEN_MU - 1234, "far_agreed": 1.0},
         "建筑面积还差 1,234 m²（容积率达到 1）", 1234.0),
        ({**HUZHOU, "when": [{"measure": "employees_per_mu", "at_most": 2}]}, {"employees": 15},
         "从业人数还差 5 人（超过 2 人/亩）", 5.0),
        ({**HUZHOU, "when": [{"measure": "tax_per_mu", "below": 60_000}], "applies": {"size": "below_scale"}},
         {"tax_yuan": 0.0, "above_scale": False},
         "税收还差 60.00 万元/年（达到 60,000 元/亩） 或 达到规模以上", 600_000.0),
        (LARGE, {"above_scale": False, "area_m2": 12 * MU}, "用地减少 2.00 亩（低于 10 亩） 或 达到规模以上", 2 * MU),
        (UNFINISHED, {**HALTED, "area_developed_m2": 30 * MU, "investment_made_yuan": 5e7}, "复工", None),
    ],
)  # fmt: skip
def test_what_would_make_it_efficient(rule: Any, facts: dict[str, Any], line: str, amount: float | None) -> None:
    finding = assess(rule_set(rule), facts).findings.iloc[0]
    assert finding["shortfall"] == line
    told = finding["evidence"]["reading"].get("shortfall")
    assert told is None if amount is None else told["value"] == pytest.approx(amount, abs=1e-3)


def test_a_finding_says_what_it_rests_on() -> None:
    rule = {**HUZHOU, "article": "第一项", "disposals": ["转让", "政府收储"]}
    found = assess(rule_set(rule), {"tax_yuan": 500_000.0, "load_id": "L1", "source_row": 7})
    finding = found.findings.iloc[0]
    assert (finding["article"], finding["ruleset"], finding["disposals"]) == ("第一项", "test 1", "转让；政府收储")
    evidence = finding["evidence"]
    json.dumps(evidence, allow_nan=False)
    used = {each["field"]: each for each in evidence["used"]}
    assert used["tax_yuan"]["source"] == {"load_id": "L1", "row": 7}
    assert {"above_scale", "area_m2", "holder"} <= set(used)
    reading = evidence["reading"]
    assert (reading["measure"], reading["value"], reading["threshold"], reading["unit"], reading["per"]) == (
        "亩均税收", 5.0, 6.0, "万元/亩", "firm",
    )  # fmt: skip
    assert reading["shortfall_yuan"] == pytest.approx(100_000.0)
    assert evidence["parameters"][0]["value"] == "6 万元/亩"


def test_indicators_and_firms_are_kept_for_what_was_looked_at() -> None:
    found = assess(DEMO, {}, {"status": "not_started", "tax_yuan": None, "holder": "乙"})
    assert found.indicators["parcel_id"].tolist() == ["P0"]
    assert found.firms["firm_id"].tolist() == ["甲"]
    assert set(found.indicators) == set(INDICATORS.columns) - {"run_id"}
    assert set(found.firms) == set(FIRMS.columns) - {"run_id"}


def test_a_district_without_parcels_or_rules() -> None:
    empty = assess_inefficiency(parcel_table({}).iloc[:0], None, None, DEMO, np.datetime64(AS_OF))
    assert empty.findings.empty
    assert not len(empty.subject)
    assert not assess(NATIONAL, {}).subject.any()


@settings(max_examples=12)
@given(tax=st.floats(0, 2e6), share=st.floats(0.01, 0.99), above=st.sampled_from([True, False, None]))
def test_splitting_a_parcel_of_a_holder_changes_nothing_for_the_firm(
    tax: float, share: float, above: bool | None
) -> None:
    whole = {"tax_yuan": round(tax, 2), "above_scale": above}
    parts = [
        {**whole, "area_m2": TEN_MU * part, "tax_yuan": whole["tax_yuan"] * part} for part in (share, 1 - share)
    ]  # fmt: skip
    rules = rule_set(HUZHOU, LARGE)
    one, two = assess(rules, whole), assess(rules, *parts)

    def told(found: Inefficiency) -> set[tuple[str, str]]:
        return set(zip(found.findings["rule"], found.findings["level"], strict=True))

    assert told(one) == told(two)
    assert one.firms["tax_yuan"].tolist() == pytest.approx(two.firms["tax_yuan"].tolist())
    assert one.firms["land_m2"].tolist() == pytest.approx(two.firms["land_m2"].tolist())


@settings(max_examples=12)
@given(
    taxes=st.lists(st.sampled_from([0.0, 300_000.0, 599_999.0, 600_000.0, 1e6, None]), min_size=2, max_size=6),
    data=st.data(),
)
def test_the_order_of_parcels_does_not_show(taxes: list[float | None], data: st.DataObject) -> None:
    holders = [data.draw(st.sampled_from("甲乙丙")) for _ in taxes]
    records = [
        {"parcel_id": f"P{i}", "tax_yuan": tax, "holder": holder}
        for i, (tax, holder) in enumerate(zip(taxes, holders, strict=True))
    ]
    rules = rule_set(HUZHOU)
    assert levels(rules, *data.draw(st.permutations(records))) == levels(rules, *records)


@settings(max_examples=12)
@given(
    tax=st.floats(0, 1e6), more=st.floats(0, 1e6), above=st.sampled_from([True, False, None]),
    status=st.sampled_from(["producing", None]),
)  # fmt: skip
def test_more_tax_never_makes_a_parcel_inefficient(
    tax: float, more: float, above: bool | None, status: str | None
) -> None:
    rank = {"inefficient": 2, "not_assessed": 1}
    facts = {"above_scale": above, "status": status}
    found = [assess(rule_set(HUZHOU), {**facts, "tax_yuan": each}).findings["level"] for each in (tax, tax + more)]
    weak, strong = (rank[each.iloc[0]] if len(each) else 0 for each in found)
    assert strong <= weak


@settings(max_examples=8)
@given(st.lists(st.floats(0, 2e6), min_size=1, max_size=5))
def test_a_threshold_says_the_same_in_every_unit(taxes: list[float]) -> None:
    parcels = [{"holder": f"H{i}", "tax_yuan": tax} for i, tax in enumerate([*taxes, 600_000.0])]
    found = []
    for unit, value in (("万元/亩", 6), ("yuan/mu", 60_000), ("万元/公顷", 90), ("", 60_000)):
        rule = {**HUZHOU, "when": [{"measure": "tax_per_mu", "below": value, "unit": unit}]}
        rows = assess(rule_set(rule), *parcels).findings
        gaps = [each["reading"]["shortfall_yuan"] for each in rows["evidence"]]
        found.append((rows["parcel_id"].tolist(), [round(gap, 1) for gap in gaps]))
    assert all(each[0] == found[0][0] for each in found)
    assert all(each[1] == pytest.approx(found[0][1], abs=0.2) for each in found)
