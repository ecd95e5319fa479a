"""What is measured of a parcel before any rule looks at it, by hand from 工业项目建设用地控制指标 and its formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from geo.land.indicators import Measured, firms_frame, indicators_frame, measured
from geo.land.measures import MEASURES
from geo.land.rule_sets.inefficiency import MeasureRules
from geo.layers.schema import FIRMS, INDICATORS
from tests.land.tables import parcel_table
from tests.land.test_firms import MU, firm_rows

PARCEL = {"holder": "甲", "land_use": "100101", "status": "producing", "year": 2025}


def ground_table(count: int, **facts: Any) -> pd.DataFrame:
    """Ground of a place without a layer of buildings, with these facts for every parcel."""
    unknown = {"building_count": None, "footprint_m2": np.nan, "building_floor_m2": np.nan, "floor_unknown": False,
               "vacant_m2": np.nan}  # fmt: skip
    frame = pd.DataFrame({name: [facts.get(name, value)] * count for name, value in unknown.items()})
    return frame.astype({"building_count": "Int64"})


def measure(
    *parcels: dict[str, Any], ground: dict[str, Any] | None = None, rows: Any = (), as_of: str = "2026-06-30",
    **rules: Any,
) -> Measured:  # fmt: skip
    table = parcel_table(*({**PARCEL, **parcel} for parcel in parcels))
    return measured(
        table, ground_table(len(parcels), **(ground or {})), firm_rows(*rows) if rows else None,
        MeasureRules(**rules), np.datetime64(as_of),
    )  # fmt: skip


def value(found: Measured, name: str) -> float | None:
    """A measure of the first parcel."""
    got = found.parcels.value(name)[0]
    return None if np.isnan(got) else float(got)


def test_every_measure_has_its_inputs() -> None:
    """No measure of the table speaks of a column that nobody makes."""
    found = measure({})
    for one in MEASURES.values():
        for subject in one.of:
            table = getattr(found, f"{subject}s").table
            assert {one.numerator, one.denominator or "land_m2"} <= set(table.columns), (one.name, subject)


@pytest.mark.parametrize(
    ("declared", "overlay", "order", "expected", "basis"),
    [
        (8000.0, 6000.0, "declared", 0.8, "登记"),
        (8000.0, 6000.0, "buildings", 0.6, "建筑图层叠加"),
        (None, 6000.0, "declared", 0.6, "建筑图层叠加"),
        (8000.0, np.nan, "buildings", 0.8, "登记"),
        (None, np.nan, "declared", None, None),
    ],
)
def test_floor_area_and_footprint_come_from_the_source_that_is_put_first(
    declared: float | None, overlay: float, order: str, expected: float | None, basis: str | None
) -> None:
    floors = measure({"floor_area_m2": declared}, ground={"building_floor_m2": overlay}, floor_area=order)
    ground = measure({"footprint_m2": declared}, ground={"footprint_m2": overlay}, footprint=order)
    assert (value(floors, "far"), floors.parcels.table["floor_area_basis"][0]) == (expected, basis)
    assert (value(ground, "building_density"), ground.parcels.table["footprint_basis"][0]) == (expected, basis)


def test_a_building_of_unknown_floor_area_is_what_is_missing() -> None:
    partly = measure({}, ground={"floor_unknown": True})
    assert partly.parcels.missing("far", 0) == ["buildings.floor_area_m2"]
    assert measure({}).parcels.missing("far", 0) == ["floor_area_m2"]


def test_the_building_coefficient_counts_yards() -> None:
    """建筑系数 = (buildings + structures + open yards) / site."""
    assert value(measure({"yard_area_m2": 500.0}, ground={"footprint_m2": 3000.0}), "building_coefficient") == 0.35
    silent = measure({}, ground={"footprint_m2": 3000.0})
    assert silent.parcels.missing("building_coefficient", 0) == ["yard_area_m2"]
    assert measure({"yard_area_m2": 5.0}).parcels.missing("building_coefficient", 0) == ["footprint_m2"]


def test_vacant_land_needs_a_layer_of_buildings() -> None:
    assert measure({}).parcels.missing("vacant_mu", 0) == ["buildings"]
    assert value(measure({}, ground={"vacant_m2": 5000.0}), "vacant_mu") == pytest.approx(7.5)


def test_measures_in_their_units() -> None:
    """12 万元 on 6 mu is 20 000 yuan/mu; 1 万元/亩 = 15 万元/公顷 (2.3)."""
    facts = {"area_m2": 6 * MU, "tax_yuan": 120_000.0, "value_added_yuan": 600_000.0, "energy_tce": 30.0,
             "employees": 12, "fixed_assets_yuan": 6e6}  # fmt: skip
    found = measure(facts)
    expected = {"land_mu": 6.0, "tax_per_mu": 20_000.0, "value_added_per_tce": 20_000.0, "tax_per_tce": 4_000.0,
                "value_added_per_person": 50_000.0, "investment_per_mu": 1e6, "employees_per_mu": 2.0}  # fmt: skip
    for name, number in expected.items():
        assert value(found, name) == pytest.approx(number), name
        assert found.firms.value(name)[0] == pytest.approx(number), name
    idle = measure({**facts, "employees": 0})
    assert idle.parcels.missing("value_added_per_person", 0) == ["employees<=0"]


@pytest.mark.parametrize(
    ("facts", "months", "missing"),
    [
        ({"status": "suspended", "suspended_on": "2025-06-29"}, 12, None),
        ({"status": "suspended", "suspended_on": "2025-06-30"}, 11, None),  # the month is full at 24:00
        ({"status": "building", "suspended_on": "2025-01-01", "resumed_on": "2025-03-01"}, 0, None),
        ({"status": "suspended", "suspended_on": "2025-05-01", "resumed_on": "2025-03-01"}, 13, None),
        ({"status": "suspended", "suspended_on": "2025-01-01", "resumed_on": "2025-03-01"}, None, "suspended_on"),
        ({"status": "completed", "suspended_on": "2020-01-01"}, 0, None),
        ({"status": "building"}, 0, None),
        ({"status": "suspended"}, None, "suspended_on"),
        ({"status": None}, None, "status"),
        ({"status": None, "suspended_on": "2025-01-29"}, 17, None),
        ({"status": "suspended", "suspended_on": "2026-07-01"}, 0, None),  # not yet on the day
    ],
)
def test_months_of_suspension(facts: dict[str, Any], months: float | None, missing: str | None) -> None:
    found = measure(facts)
    assert value(found, "suspended_months") == months
    assert found.parcels.missing("suspended_months", 0) == ([missing] if missing else [])


@pytest.mark.parametrize(
    ("facts", "months", "stopped", "missing"),
    [
        ({"status": "stopped", "stopped_on": "2025-06-29"}, 12, 1, None),
        ({"status": "stopped"}, None, 1, "stopped_on"),
        ({"status": "producing"}, 0, 0, None),
        ({"status": "producing", "stopped_on": "2020-01-01"}, None, 0, "contradiction:stopped_on"),
        ({"status": None}, None, None, "status"),
        ({"status": None, "stopped_on": "2025-06-29"}, 12, None, None),
        ({"status": "stopped", "stopped_on": "2026-07-01"}, 0, 0, None),
    ],
)
def test_months_without_production(
    facts: dict[str, Any], months: float | None, stopped: float | None, missing: str | None
) -> None:
    """利辛 item 5: stopped for a year or more."""
    found = measure(facts)
    assert (value(found, "stopped_months"), value(found, "stopped")) == (months, stopped)
    assert found.parcels.missing("stopped_months", 0) == ([missing] if missing else [])


def test_the_layer_of_indicators_names_what_is_missing() -> None:
    frame = indicators_frame(measure({"tax_yuan": 15_000.0, "floor_area_m2": 9000.0, "town": "东"}, {"tax_yuan": 1.0}))
    assert ["run_id", *frame.columns] == [INDICATORS.columns[1], INDICATORS.columns[0], *INDICATORS.columns[2:]]
    first = frame.iloc[0]
    assert (first["far"], first["year"], first["firm_count"], first["town"]) == (0.9, 2025, 1, "东")
    assert first["tax_per_mu"] == pytest.approx(1000.0)
    lacking = [[item["field"] for item in row] for row in frame["missing"]]
    assert "floor_area_m2" not in lacking[0]
    assert "floor_area_m2" in lacking[1]
    assert {"buildings", "footprint_m2", "energy_tce"} <= set(lacking[0])  # no yard can help without a footprint
    assert all(item["zh"] for item in frame["missing"][0])


def test_the_layer_of_firms() -> None:
    rows = [{"holder": "甲", "parcel_id": "P0", "tax_yuan": 30_000.0, "employees": 3, "above_scale": True}]
    frame = firms_frame(measure({}, rows=rows))
    assert ["run_id", *frame.columns] == [FIRMS.columns[1], FIRMS.columns[0], *FIRMS.columns[2:]]
    row = frame.iloc[0]
    assert (row["firm_id"], row["tax_yuan"], row["employees"], row["above_scale"]) == ("甲", 30_000.0, 3, True)
    assert row["tax_per_mu"] == pytest.approx(2000.0)
    assert pd.isna(row["grade"])
    assert "energy_tce" in [item["field"] for item in row["missing"]]


def test_scores_are_kept_with_their_firm() -> None:
    scores = pd.DataFrame(
        {
            "score_group": ["规上"], "score": [88.5], "rank": pd.array([1], dtype="Int64"),
            "ranked": pd.array([4], dtype="Int64"), "grade": ["A"], "missing": [["energy_tce"]],
            "parts": [[{"measure": "tax_per_mu", "points": 45.0}]], "to_next": [None],
        }
    )  # fmt: skip
    row = firms_frame(measure({}), scores).iloc[0]
    assert (row["score"], row["rank"], row["ranked"], row["grade"]) == (88.5, 1, 4, "A")
    assert [item["field"] for item in row["missing"]] == ["energy_tce"]
    assert row["evidence"]["parts"][0]["points"] == 45.0
