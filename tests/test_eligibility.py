"""Which parcels may be part of a plot: every condition, what is missing, and one expression for all of them."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Polygon, box

from geo.eligibility import Eligibility, eligible_parcels
from geo.errors import InvalidParameter
from geo.land.rules import Eligible, eligible_by, load_rules, rules_of_run

# Squares of a hundredth of a degree in a row, 120.00, 120.02, …
SQUARES = [box(120 + 0.02 * i, 31, 120.01 + 0.02 * i, 31.01) for i in range(6)]


def parcels(**columns: Any) -> gpd.GeoDataFrame:
    count = max((len(values) for values in columns.values()), default=6)
    plain: dict[str, Any] = {
        "parcel_id": list("ABCDEF")[:count], "land_use": "100101", "status": None, "stock_class": None,
        "area_m2": 1000.0, "town": "东镇",
    }  # fmt: skip
    return gpd.GeoDataFrame(plain | columns, geometry=SQUARES[:count], crs=4490)


def findings(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["parcel_id", "kind", "level"], dtype=object)


def lines(kind: str, *shapes: Any) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({"kind": [kind] * len(shapes)}, geometry=list(shapes), crs=4490)


def judge(
    land: gpd.GeoDataFrame, wanted: Eligible, *found: tuple[str, str, str], plan: Any = None, control: Any = None
) -> Eligibility:
    uses = None if plan is None else np.array(plan, dtype=object)
    return eligible_parcels(land, findings(*found), uses, control, wanted)


def reasons(answer: Eligibility) -> list[str]:
    assert [bool(codes) for codes in answer.because] == list(~answer.chosen)
    assert [bool(words) for words in answer.told] == list(~answer.chosen)
    return [" ".join(codes) for codes in answer.because]


def test_without_conditions_every_parcel_may_be_part_of_a_plot() -> None:
    assert reasons(judge(parcels(), Eligible())) == [""] * 6


def test_each_condition_names_what_fails_and_what_is_not_known() -> None:
    land = parcels(land_use=["100101", "0701", None, "0601"], land_use_edition=[None, None, None, "三调"])
    assert reasons(judge(land, Eligible(land_use=("1001",)))) == ["", "land_use", "unknown_land_use", ""]
    planned = judge(parcels(), Eligible(planned_land_use=("工业",)), plan=["工业", "居住", None] * 2)
    assert reasons(planned) == ["", "planned_land_use", "unknown_planned_land_use"] * 2
    state = parcels(status=["stopped", "producing", None])
    assert reasons(judge(state, Eligible(status=("stopped", "not_started")))) == ["", "status", "unknown_status"]
    assert judge(state, Eligible(status=("stopped",))).told.tolist() == ["", "建设状态", "建设状态不明"]


def test_a_finding_or_a_stock_class_is_enough() -> None:
    land = parcels(stock_class=["approved_unsupplied", None, None, "in_use", None])
    wanted = Eligible(levels=("idle_2y", "inefficient"), stock_class=("approved_unsupplied",))
    found = [("B", "idle", "idle_2y"), ("C", "idle", "warning"), ("D", "inefficient", "not_assessed")]
    # A warning is not yet a finding; what could not be assessed is not silently taken, nor silently refused.
    assert reasons(judge(land, wanted, *found)) == ["", "", "finding", "unknown_finding", "finding"]
    # Where nobody asks for inefficient land it does not matter that it was not assessed.
    idle_only = judge(land, Eligible(levels=("idle_2y",)), *found)
    assert reasons(idle_only) == ["finding", "", "finding", "finding", "finding"]


def test_a_parcel_lies_in_a_control_line_where_a_point_inside_it_does() -> None:
    half = box(120.0, 31, 120.0249, 31.01)  # all of A, 49 % of B
    ring = Polygon([(120, 31), (120.01, 31), (120.01, 31.01), (120, 31.01)], [SQUARES[0].buffer(-1e-4).exterior.coords])
    both = [*SQUARES[:2], MultiPolygon([ring]), None]
    land = gpd.GeoDataFrame(parcels(parcel_id=list("ABCD")).assign(geometry=both), crs=4490)
    answer = judge(land, Eligible(inside=("urban_boundary",)), control=lines("urban_boundary", half))
    assert reasons(answer) == ["", "outside_line", "", "unknown_outside_line"]
    two = pd.concat([lines("urban_boundary", *SQUARES), lines("industrial_line", SQUARES[1])])
    answer = judge(parcels(), Eligible(inside=("urban_boundary", "industrial_line")), control=two)
    assert list(answer.chosen) == [False, True, False, False, False, False]
    assert answer.told[0] == "不在工业用地区块线内"


def test_idle_inefficient_and_reserve_inside_the_boundary_is_one_expression() -> None:
    land = parcels(stock_class=["approved_unsupplied", None, None, None, None, "supplied_unused"])
    found = [
        ("B", "idle", "idle_1y"), ("B", "idle", "warning"), ("C", "inefficient", "inefficient"),
        ("D", "inefficient", "not_assessed"),
    ]  # fmt: skip
    text = """(idle_level IN ('idle_1y', 'idle_2y', 'idle_stalled') OR inefficient = true
              OR stock_class IN ('approved_unsupplied', 'supplied_unused'))
              AND s_intersects(geom, BBOX(119.9, 30.9, 120.095, 31.1))"""
    answer = judge(land, eligible_by(load_rules("national"), text).eligible, *found)
    # D and E: no stock class is stated, so the OR is unknown unless it is true; F lies outside the box.
    assert reasons(answer) == ["", "", "", "unknown_filter", "unknown_filter", "filter"]


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("idle_level = 'idle_2y'", "B"),
        ("idle_level <> 'idle_2y'", "CDE"),  # A's level is not known
        ("idle_level IS NULL", "A"),
        ("idle_level = 'ok'", "CE"),
        ("NOT inefficient", "ADE"),  # B's is not known
        ("inefficient = true OR area_m2 > 2000", "C"),
        ("planned_land_use = '工业' AND land_use LIKE '1001%'", "AE"),
        ("planned_land_use IS NULL", "C"),
    ],
)
def test_computed_fields_follow_three_valued_logic(text: str, chosen: str) -> None:
    found = [
        ("A", "idle", "not_assessed"), ("A", "idle", "overdue"), ("B", "idle", "idle_1y"), ("B", "idle", "idle_2y"),
        ("B", "inefficient", "not_assessed"), ("C", "inefficient", "inefficient"),
        ("C", "inefficient", "not_assessed"), ("D", "idle", "overdue"),
    ]  # fmt: skip
    land = parcels(parcel_id=list("ABCDE"))
    answer = judge(land, Eligible(filter=text), *found, plan=["工业", "居住", None, "居住", "工业"])
    assert "".join(land["parcel_id"][answer.chosen]) == chosen


def test_every_condition_that_is_given_restricts_and_each_is_told() -> None:
    land = parcels(land_use=["0701", "100101"], status=["producing", "producing"])
    wanted = Eligible(land_use=("1001",), status=("stopped",), filter="town = '西镇'")
    answer = judge(land, wanted)
    assert reasons(answer) == ["land_use status filter", "status filter"]
    assert answer.told[0] == "用途、建设状态、筛选条件"


def test_what_the_district_does_not_have_is_an_error_that_says_so() -> None:
    with pytest.raises(InvalidParameter, match="没有规划图层"):
        judge(parcels(), Eligible(filter="planned_land_use = '工业'"))
    with pytest.raises(InvalidParameter, match="没有工业用地区块线"):
        judge(parcels(), Eligible(inside=("industrial_line",)), control=lines("urban_boundary", SQUARES[0]))
    assert Eligible(filter="planned_land_use = '工业'").needs_planned_land_use
    assert not Eligible(filter="idle_level = 'ok'").needs_planned_land_use


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("idel_level = 'ok'", "没有字段“idel_level”"),
        ("inefficient = 'yes'", "字段“inefficient”是真假"),
        ("idle_level =", "语法错误"),
        ("secret(town) = 1", "secret"),
    ],
)
def test_a_wrong_expression_names_the_field_and_the_mend(text: str, says: str) -> None:
    with pytest.raises(InvalidParameter, match=says) as told:
        eligible_by(load_rules("national"), text)
    assert told.value.remedy


def test_a_rule_file_may_hold_the_expression(tmp_path: Any) -> None:
    path = tmp_path / "local.toml"
    head = '[ruleset]\nname = "local"\ntitle = "本地"\nversion = "1"\nextends = "national"\n\n[eligible]\n'
    path.write_text(head + "filter = \"inefficient = true\"\ninside = ['urban_boundary']\n", encoding="utf-8")
    rules = load_rules(str(path))
    assert rules.eligible.filter == "inefficient = true"
    assert rules_of_run({"rules": rules.model_dump(mode="json")}).eligible == rules.eligible
    path.write_text(head + 'filter = "ineficient = true"\n', encoding="utf-8")
    with pytest.raises(InvalidParameter, match=r"local.toml 第 8 行.*没有字段“ineficient”"):
        load_rules(str(path))
    path.write_text(head + "inside = ['city']\n", encoding="utf-8")
    with pytest.raises(InvalidParameter, match="industrial_line"):
        load_rules(str(path))


@given(
    st.lists(st.tuples(st.sampled_from(["100101", "0701", None]), st.booleans(), st.booleans()), min_size=1, max_size=6)
)
def test_a_further_condition_never_adds_a_parcel(rows: list[tuple[str | None, bool, bool]]) -> None:
    names = list("ABCDEF")[: len(rows)]
    land = parcels(parcel_id=names, land_use=[use for use, _, _ in rows])
    found = [
        (name, "idle", "idle_2y" if sure else "not_assessed")
        for name, (_, idle, sure) in zip(names, rows, strict=True)
        if idle
    ]
    by_use = judge(land, Eligible(land_use=("1001",)), *found)
    by_both = judge(land, Eligible(land_use=("1001",), filter="idle_level = 'idle_2y'"), *found)
    assert not (by_both.chosen & ~by_use.chosen).any()
    expected = [use == "100101" and idle and sure for use, idle, sure in rows]
    assert by_both.chosen.tolist() == expected
