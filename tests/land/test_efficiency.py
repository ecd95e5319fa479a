"""Inefficient land by the rules of the demo set; thresholds in yuan per mu, 1 mu = 2000/3 m²."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from geo.errors import InvalidParameter
from geo.land.efficiency import assess_inefficiency
from geo.land.rules import load_rules, rule_set_names
from tests.land.test_idle import parcel_table

RULES = load_rules("demo")
TEN_MU = 10 * 2000 / 3
SOUND = {
    "land_use": "100101", "status": "producing", "area_m2": TEN_MU, "holder": "甲", "tax_yuan": 900_000.0,
    "above_scale": True, "floor_area_m2": TEN_MU * 1.5, "industry": "3841", "industry_edition": "2017",
}  # fmt: skip


def levels(
    *records: dict[str, Any], as_of: str = "2026-06-30", buildings: pd.DataFrame | None = None
) -> set[tuple[str, str, str]]:
    table = parcel_table(*({**SOUND, **record} for record in records))
    found = assess_inefficiency(table, buildings, RULES, np.datetime64(as_of))
    return set(zip(found["parcel_id"], found["rule"], found["level"], strict=True))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, set()),
        ({"tax_yuan": 599_999.0}, {("P0", "LOW_TAX", "inefficient")}),  # 59,999.9 yuan/mu, above scale
        ({"tax_yuan": 600_000.0}, set()),  # exactly the threshold is not below it
        ({"tax_yuan": 400_000.0, "above_scale": False}, set()),  # 40,000 against 30,000
        ({"tax_yuan": 290_000.0, "above_scale": False}, {("P0", "LOW_TAX", "inefficient")}),
        ({"tax_yuan": None}, {("P0", "LOW_TAX", "not_assessed")}),
        ({"tax_yuan": 400_000.0, "above_scale": None}, {("P0", "LOW_TAX", "not_assessed")}),  # depends on the scale
        ({"tax_yuan": 100_000.0, "above_scale": None}, {("P0", "LOW_TAX", "inefficient")}),  # below both
        ({"floor_area_m2": TEN_MU * 0.69}, {("P0", "LOW_FAR", "inefficient")}),  # 38 electrical: 0.7
        ({"floor_area_m2": TEN_MU * 0.7}, set()),
        ({"floor_area_m2": None}, {("P0", "LOW_FAR", "not_assessed")}),
        ({"industry_edition": "2002"}, {("P0", "LOW_FAR", "not_assessed")}),  # other edition, other sectors
        ({"industry": "C3841"}, set()),  # ledgers write the section letter too
        ({"floor_area_m2": TEN_MU * 0.69996}, {("P0", "LOW_FAR", "inefficient")}),
        ({"industry": "4310"}, {("P0", "LOW_FAR", "not_assessed")}),  # repair has no minimum
        ({"stopped_on": "2025-06-29", "status": "stopped"}, {("P0", "STOPPED", "inefficient")}),
        ({"stopped_on": "2025-06-30", "status": "stopped"}, set()),
        ({"status": "stopped"}, {("P0", "STOPPED", "not_assessed")}),
        ({"status": "building", "tax_yuan": 0.0}, set()),  # not in use yet: not inefficient
        ({"land_use": "0701", "tax_yuan": 0.0}, set()),
        ({"status": None, "tax_yuan": 599_999.0}, {("P0", "LOW_TAX", "not_assessed")}),  # figures, but no status
        ({"status": None}, set()),  # nothing below a threshold: the status decides nothing
    ],
)
def test_one_parcel(facts: dict[str, Any], expected: set[tuple[str, str, str]]) -> None:
    assert levels(facts) == expected


def test_tax_is_judged_by_firm_not_by_parcel() -> None:
    # One weak and one sound parcel of a firm: (100,000 + 1,200,000) / 20 mu = 65,000.
    assert levels({"tax_yuan": 100_000.0}, {"tax_yuan": 1_200_000.0}) == set()


def test_floor_area_comes_from_buildings_where_the_parcel_declares_none() -> None:
    buildings = pd.DataFrame({"parcel_id": ["P0", "P0"], "floor_area_m2": [TEN_MU * 0.4, TEN_MU * 0.4]})
    assert levels({"floor_area_m2": None}, buildings=buildings) == set()


def test_a_building_of_unknown_floor_area_leaves_the_ratio_unknown() -> None:
    buildings = pd.DataFrame({"parcel_id": ["P0", "P0"], "floor_area_m2": [TEN_MU * 0.4, None]})
    assert levels({"floor_area_m2": None}, buildings=buildings) == {("P0", "LOW_FAR", "not_assessed")}


def test_a_hall_above_eight_metres_counts_twice() -> None:
    hall = pd.DataFrame({"parcel_id": ["P0"], "floor_area_m2": [TEN_MU * 0.5], "storey_height_m": [9.0]})
    assert levels({"floor_area_m2": None}, buildings=hall) == set()
    flat = hall.assign(storey_height_m=8.0)
    assert levels({"floor_area_m2": None}, buildings=flat) == {("P0", "LOW_FAR", "inefficient")}


def test_a_firm_that_produces_again_is_a_contradiction_not_a_finding() -> None:
    assert levels({"status": "producing", "stopped_on": "2020-01-01"}) == {("P0", "STOPPED", "not_assessed")}
    assert levels({"status": "stopped", "stopped_on": "2027-01-01"}) == set()


def test_the_finding_says_how_much_is_missing() -> None:
    table = parcel_table({**SOUND, "tax_yuan": 500_000.0})
    finding = assess_inefficiency(table, None, RULES, np.datetime64("2026-06-30")).iloc[0]
    assert finding["evidence"]["reading"]["shortfall_yuan"] == pytest.approx(100_000.0)
    assert "湖州" in finding["source"]


@pytest.mark.parametrize("name", rule_set_names())
def test_every_rule_set_loads_and_names_its_sources(name: str) -> None:
    rules = load_rules(name)
    assert rules.idle.source
    assert all(rule.source and rule.status for rule in rules.inefficient)


def test_a_wrong_threshold_is_named_with_its_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '[ruleset]\nname="mine"\ntitle="t"\nversion="1"\nextends="demo"\n[sites]\nmin_parcel_mu=-1\n', encoding="utf-8"
    )
    with pytest.raises(InvalidParameter, match=r"sites\.min_parcel_mu"):
        load_rules(str(path))
