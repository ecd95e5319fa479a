"""Scores and grades of firms, worked by hand from the documents that the rule files name; 1 mu = 2000/3 m²."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.land.inputs import Inputs
from geo.land.rule_sets.scoring import Scoring
from geo.land.rules import load_rules
from geo.land.scoring import Scores, scored

MU = 2000 / 3
DAY = np.datetime64("2024-06-30")
HUAIAN, HUANGYAN = load_rules("huaian").scoring, load_rules("huangyan").scoring

# A firm of 10 mu that has just the benchmark in each component of Huangyan: 30 + 20 + 20 + 10 + 10 + 10 = 100.
ABOVE = {
    "land_m2": 10 * MU, "above_scale": 1.0, "industry": "3841", "industry_edition": "2017", "year": 2023,
    "tax_yuan": 2_409_700.0,  # 24.097 万元/亩
    "value_added_yuan": 13_616_000.0,  # 136.16 万元/亩
    "energy_tce": 1361.6 / 2.694,  # 2.694 万元/吨标准煤
    "emission_t": 1361.6 / 4929.81,  # 4929.81 万元/吨
    "employees": 1361.6 / 18.14,  # 18.14 万元/人
    "rd_yuan": 302_000.0, "revenue_yuan": 10_000_000.0,  # 0.0302
}  # fmt: skip
# Below scale: 11.5932 万元/亩 earns 50; 115.932 万元 of tax at 0.2352 元/kWh another 50.
BELOW = {
    "land_m2": 10 * MU, "above_scale": 0.0, "industry": "3841", "industry_edition": "2017", "year": 2023,
    "tax_yuan": 1_159_320.0, "electricity_kwh": 1_159_320.0 / 0.2352,
}  # fmt: skip


def firms(*records: dict[str, Any]) -> Inputs:
    return Inputs("firm", pd.DataFrame(list(records)))


def by_tax(*taxes: float | None, **facts: Any) -> Inputs:
    """Firms of 1 mu with a tax each."""
    return firms(*({"land_m2": MU, "tax_yuan": tax, **facts} for tax in taxes))


def rules(**own: Any) -> Scoring:
    """Tax per mu against 100 yuan/mu: so many points as percent of it."""
    components = own.pop("components", [{"measure": "tax_per_mu", "weight": 100, "benchmark": 100}])
    groups = own.pop("groups", [{"name": "全部", "components": components}])
    return Scoring.model_validate({"source": "s", "status": "verified", "population": "p", "groups": groups, **own})


ABCD = [{"grade": grade, "to_percent": to} for grade, to in (("A", 20), ("B", 60), ("C", 95), ("D", 100))]
GRADED = rules(cuts=ABCD)


def outcome(table: Inputs, scoring: Scoring) -> pd.DataFrame:
    return scored(table, scoring, DAY).frame


def grades(table: Inputs, scoring: Scoring = GRADED) -> str:
    return "".join(grade or "-" for grade in outcome(table, scoring)["grade"])


def points(scores: Scores, row: int) -> list[float | None]:
    return [None if part["points"] is None else round(part["points"], 9) for part in scores.parts(row)]


# --- 黄岩 2022: fixed benchmarks, two groups, the mean for firms without emission data


def test_huangyan_above_scale_weighs_six_measures_against_benchmarks() -> None:
    half_tax = {**ABOVE, "tax_yuan": 1_204_850.0}
    no_emission = {**ABOVE, "emission_t": None}
    twice_as_clean = {**ABOVE, "emission_t": ABOVE["emission_t"] / 2}
    scores = scored(firms(ABOVE, half_tax, no_emission, twice_as_clean), HUANGYAN, DAY)
    # No emission data: the mean of 10, 10 and 20 points.
    assert points(scores, 2) == [30, 20, 20, round(40 / 3, 9), 10, 10]
    assert scores.frame["score"].tolist() == pytest.approx([100, 85, 90 + 40 / 3, 110])
    assert scores.frame["rank"].tolist() == [3, 4, 2, 1]
    assert scores.frame["ranked"].tolist() == [4, 4, 4, 4]
    assert "按本组企业此项平均得分计" in scores.parts(2)[3]["note"]
    assert scores.frame["missing"].tolist() == [[], [], [], []]


def test_huangyan_below_scale_is_a_group_of_its_own() -> None:
    frame = outcome(firms(ABOVE, BELOW, {**BELOW, "land_m2": 20 * MU}), HUANGYAN)
    assert frame["score_group"].tolist() == ["规模以上", "规模以下", "规模以下"]
    assert frame["score"].tolist() == pytest.approx([100, 100, 75])  # half the tax per mu: 25 + 50
    assert frame["rank"].tolist() == [1, 1, 2]
    assert frame["ranked"].tolist() == [1, 2, 2]


def test_huangyan_has_no_cuts_so_scores_and_no_grades() -> None:
    frame = outcome(firms(ABOVE, BELOW), HUANGYAN)
    assert frame["grade"].tolist() == [None, None]
    assert frame["to_next"].tolist() == [None, None]
    assert frame["missing"].tolist() == [[], []]
    assert frame["note"].str.contains("没有等级分界").all()


def test_huangyan_has_no_cap() -> None:
    # Three times the tax: 90 + 70.
    assert outcome(firms({**ABOVE, "tax_yuan": 3 * 2_409_700.0}), HUANGYAN)["score"].tolist() == pytest.approx([160])


def test_a_firm_of_unknown_size_is_not_assessed_where_the_groups_differ_by_it() -> None:
    table = firms(ABOVE, {**ABOVE, "above_scale": None})
    frame = outcome(table, HUANGYAN)
    assert frame["missing"].tolist() == [[], ["above_scale"]]
    assert frame["ranked"].tolist() == [1, pd.NA]
    assert outcome(table, GRADED)["missing"].tolist() == [[], []]  # one group for all sizes


# --- 淮安 2024: benchmarks of the mean, T, 3 mu


def huaian(tax: float, sales: float, tce: float, **facts: Any) -> dict[str, Any]:
    return {"land_m2": 10 * MU, "industry": "C3841", "industry_edition": "2017", "year": 2023, "tax_yuan": tax,
            "sales_yuan": sales, "energy_tce": tce, **facts}  # fmt: skip


def test_huaian_measures_against_twice_the_mean_of_the_population() -> None:
    # Tax 4 over 20 mu, sales 40 over 20 mu, tax 4 over 8 tce: the benchmarks are 0.4, 4 and 1. Firm one has 0.1, 1 and
    # 0.25: a quarter of each; firm two 0.3, 3 and 0.75.
    scores = scored(firms(huaian(1, 10, 4), huaian(3, 30, 4)), HUAIAN, DAY)
    assert [part["benchmark"] for part in scores.parts(0)] == pytest.approx([0.4, 4, 1])
    assert scores.frame["score"].tolist() == pytest.approx([25, 75])
    assert points(scores, 0) == [11.25, 8.75, 5]
    assert "参评企业平均值的2倍" in scores.parts(0)[0]["note"]


def test_a_mean_is_of_the_firms_that_have_both_figures() -> None:
    # The second firm has no sales and no score, but its tax over its land counts: benchmark 2 × 4 / 20.
    scores = scored(firms(huaian(1, 10, 4), huaian(3, None, 4)), HUAIAN, DAY)
    assert [part["benchmark"] for part in scores.parts(0)] == pytest.approx([0.4, 2, 1])
    assert scores.frame["missing"].tolist() == [[], ["sales_yuan"]]
    assert scores.frame["ranked"].tolist() == [1, pd.NA]


@pytest.mark.parametrize(
    ("facts", "grade", "missing", "note"),
    [
        ({"industry": "4420"}, "T", [], "行业不参评"),
        ({"industry": "D4610"}, "T", [], "行业不参评"),  # ledgers write the section letter too
        ({"industry": "4420", "tax_yuan": None}, "T", [], "行业不参评"),
        ({"industry": "4420", "industry_edition": "2002"}, "D", [], "按参评企业计"),  # other edition, other sectors
        ({"industry": None}, "D", [], "按参评企业计"),
        ({"land_m2": 2.999 * MU, "above_scale": 0.0}, None, [], "不足3亩"),
        ({"land_m2": 2.999 * MU, "above_scale": 1.0}, "D", [], None),  # the least area is for firms below scale
        ({"land_m2": 2.999 * MU}, None, ["above_scale"], None),
        ({"land_m2": 3 * MU}, "D", [], None),
        ({"land_m2": None}, None, ["land_m2"], None),
        ({"land_m2": 0.0}, None, ["land_m2<=0"], None),
        ({"industry": "4420", "land_m2": None}, "T", [], "行业不参评"),
        ({"energy_tce": None}, None, ["energy_tce"], None),
        ({"tax_yuan": None, "sales_yuan": None}, None, ["tax_yuan", "sales_yuan"], None),
    ],
)
def test_who_is_rated_in_huaian(facts: dict[str, Any], grade: str | None, missing: list[str], note: str | None) -> None:
    # The weakest of twenty firms in every measure: the last 5 %.
    others = [huaian(10 + i, 100 + i, 10) for i in range(19)]
    one = outcome(firms(huaian(1, 10, 10, **facts), *others), HUAIAN).iloc[0]
    assert (one["grade"], one["missing"]) == (grade, missing)
    assert np.isnan(one["score"]) == (grade in ("T", None))
    assert (note or "") in (one["note"] or "")


def test_the_values_of_huaian_that_nobody_verified_are_told() -> None:
    table = firms(*(huaian(10 + i, 100 + i, 10) for i in range(20)))
    told = {one["key"]: one["status"] for one in scored(table, HUAIAN, DAY).parameters(0)}
    assert told["scoring.tax_per_mu"] == told["scoring.exempt_industry"] == "unverified"  # mean of this year, codes
    assert told["scoring.ties"] == told["scoring.inefficient_grades"] == "unverified"
    assert told["scoring.cuts"] == told["scoring.min_land_mu"] == "secondary"
    assert "scoring.negative" not in told


# --- percentile cuts: whole firms, half up; ties take the better grade


@pytest.mark.parametrize(
    ("ranked", "expected"),
    [
        (20, "AAAABBBBBBBBCCCCCCCD"),  # 4, 12, 19
        (10, "AABBBBCCCC"),  # 2, 6, 9.5 -> 10: the last 5 % are no whole firm
        (7, "ABBBCCC"),  # 1.4 -> 1, 4.2 -> 4, 6.65 -> 7
        (2, "BC"),  # 0.4 -> 0, 1.2 -> 1, 1.9 -> 2
        (1, "B"),  # 0.2 -> 0, 0.6 -> 1
    ],
)
def test_cuts_round_half_up_to_whole_firms(ranked: int, expected: str) -> None:
    assert grades(by_tax(*range(ranked, 0, -1))) == expected


def test_half_a_firm_is_one_in_decimals_not_in_floats() -> None:
    # 12.5 % of 4 is 0.5 -> 1; 16.4 % of 375 is 61.5 -> 62, though 16.4 * 375 / 100 is 61.49999999999999 in floats.
    few = rules(cuts=[{"grade": "A", "to_percent": 12.5}, {"grade": "B", "to_percent": 100}])
    assert grades(by_tax(4, 3, 2, 1), few) == "ABBB"
    many = rules(cuts=[{"grade": "A", "to_percent": 16.4}, {"grade": "B", "to_percent": 100}])
    assert grades(by_tax(*range(375, 0, -1)), many).count("A") == 62


def test_firms_that_tie_across_a_cut_all_take_the_better_grade() -> None:
    frame = outcome(by_tax(9, 8, 8, 8, 5, 4, 3, 2, 1, 0), GRADED)  # A has two places, B goes to six
    assert frame["rank"].tolist() == [1, 2, 2, 2, 5, 6, 7, 8, 9, 10]
    assert "".join(frame["grade"]) == "AAAABBCCCC"


def test_float_noise_makes_no_order() -> None:
    # 0.1 + 0.2 is not 0.3 in floats.
    assert outcome(by_tax(0.3, 0.1 + 0.2, 0.3), GRADED)["rank"].tolist() == [1, 1, 1]
    assert outcome(by_tax(100.0, 100.000001), GRADED)["rank"].tolist() == [2, 1]


def test_firms_are_ranked_in_their_group_or_together() -> None:
    own = [
        {"name": name, "size": size, "components": [{"measure": "tax_per_mu", "weight": 100, "benchmark": benchmark}]}
        for name, size, benchmark in (("大", "above_scale", 100), ("小", "below_scale", 10))
    ]
    table = firms(*({"land_m2": MU, "tax_yuan": tax, "above_scale": big} for tax, big in ((50, 1), (40, 1), (9, 0))))
    assert outcome(table, rules(groups=own))["rank"].tolist() == [1, 2, 1]
    together = outcome(table, rules(groups=own, rank_within="all", cuts=ABCD))
    assert together["rank"].tolist() == [2, 3, 1]  # 50, 40 and 90 points
    assert together["ranked"].tolist() == [3, 3, 3]


# --- points: floor, cap, weights left out


@pytest.mark.parametrize(("tax", "score"), [(-50, 0), (0, 0), (50, 50), (150, 150), (200, 200), (900, 200)])
def test_points_are_at_least_nought_and_at_most_the_cap(tax: float, score: float) -> None:
    capped = rules(components=[{"measure": "tax_per_mu", "weight": 100, "benchmark": 100, "cap": 2}])
    scores = scored(by_tax(tax), capped, DAY)
    assert scores.frame["score"].tolist() == pytest.approx([score])
    assert ("按0分计" in scores.parts(0)[0]["note"]) == (tax < 0)
    assert ("超过上限" in scores.parts(0)[0]["note"]) == (tax > 200)
    assert ("指标为负按0分计" in {one["zh"] for one in scores.parameters(0)}) == (tax < 0)


def two_measures(missing: str) -> Scoring:
    return rules(
        components=[
            {"measure": "tax_per_mu", "weight": 60, "benchmark": 100},
            {"measure": "value_added_per_person", "weight": 40, "benchmark": 100, "missing": missing},
        ]
    )


@pytest.mark.parametrize(
    ("missing", "facts", "score", "lacking"),
    [
        ("not_assessed", {}, 30 + 20, []),
        ("not_assessed", {"employees": 0}, 50, []),  # no staff: 30 of 60, scaled up to 100
        ("not_assessed", {"employees": None}, None, ["employees"]),
        ("not_assessed", {"employees": None, "value_added_yuan": None}, None, ["value_added_yuan", "employees"]),
        ("drop", {"employees": None}, 50, []),
        ("drop", {"employees": None, "tax_yuan": None}, None, ["tax_yuan"]),
        ("mean", {"employees": None}, 30 + 40, []),  # the others have 40 points there
        ("mean", {"employees": 0}, 50, []),  # nought is known: no measure, not a missing one
    ],
)
def test_what_becomes_of_a_component_without_a_value(
    missing: str, facts: dict[str, Any], score: float | None, lacking: list[str]
) -> None:
    other = {"land_m2": MU, "tax_yuan": 10, "employees": 2, "value_added_yuan": 200}
    one = {"land_m2": MU, "tax_yuan": 50, "employees": 4, "value_added_yuan": 200, **facts}
    scores = scored(firms(one, other), two_measures(missing), DAY)
    found = scores.frame.iloc[0]
    assert found["missing"] == lacking
    assert (None if np.isnan(found["score"]) else found["score"]) == (None if score is None else pytest.approx(score))
    if score is not None:
        assert sum(part["points"] or 0 for part in scores.parts(0)) == pytest.approx(score)
        left_out = [part["note"] for part in scores.parts(0) if part["points"] is None]
        assert all("其余指标按比例放大" in note for note in left_out)


def test_a_firm_of_which_nothing_can_be_computed_is_not_assessed() -> None:
    only = rules(components=[{"measure": "value_added_per_person", "weight": 1, "benchmark": 1, "missing": "drop"}])
    frame = outcome(firms(*({"employees": staff, "value_added_yuan": 5.0} for staff in (0, None, 1))), only)
    assert frame["missing"].tolist() == [["employees<=0"], ["employees"], []]


def test_the_mean_of_nobody_is_missing() -> None:
    table = firms({"land_m2": MU, "tax_yuan": 50, "employees": None, "value_added_yuan": 200})
    assert outcome(table, two_measures("mean"))["missing"].tolist() == [["employees"]]
    of_mean = rules(components=[{"measure": "tax_per_mu", "weight": 1, "benchmark": {"mean_times": 2}}])
    assert outcome(by_tax(-1, 1, 0), of_mean)["missing"].tolist() == [["threshold"]] * 3


def test_what_is_missing_is_named_by_its_reason() -> None:
    table = by_tax(1, None, None)
    reasons = {"tax_yuan": np.array([None, "enterprises", None], dtype=object)}
    frame = outcome(Inputs("firm", table.table, reasons), GRADED)
    assert frame["missing"].tolist() == [[], ["enterprises"], ["tax_yuan"]]


def test_figures_older_than_last_year_are_noted() -> None:
    frame = outcome(firms(*({"land_m2": MU, "tax_yuan": 1.0, "year": year} for year in (2023, 2021, None))), GRADED)
    assert frame["note"].tolist() == [None, "经营数据为2021年度，早于评价日的上一年度", None]


# --- what would lift a firm to the next grade


def test_the_amount_to_the_next_grade() -> None:
    to_next = outcome(by_tax(90, 80, 70, 60, 50, 40, 30, 20, 10, 0), GRADED)["to_next"]
    assert to_next[0] is None
    assert to_next[1] is None
    assert to_next[2] == {
        "grade": "A", "score": pytest.approx(80), "quantity": "tax_yuan", "zh": "税收", "unit": "yuan",
        "value": pytest.approx(10),
    }  # fmt: skip
    assert (to_next[9]["grade"], to_next[9]["value"]) == ("B", pytest.approx(40))  # like the sixth


def test_every_component_of_the_same_numerator_rises_and_each_to_its_cap() -> None:
    # Tax per mu earns 45 per 100 yuan up to 90, tax per tce (10 tce) 20 per 100 yuan without cap. The leader has
    # 90 + 60 = 150 at 300 yuan; beyond 200 yuan, which earn 130, another 100 yuan earn only 20.
    scoring = rules(
        cuts=[{"grade": "A", "to_percent": 50}, {"grade": "B", "to_percent": 100}],
        components=[
            {"measure": "tax_per_mu", "weight": 45, "benchmark": 100, "cap": 2},
            {"measure": "tax_per_tce", "weight": 20, "benchmark": 10},
        ],
    )
    table = firms(*({"land_m2": MU, "tax_yuan": tax, "energy_tce": 10.0} for tax in (300, 50, -20)))
    to_next = outcome(table, scoring)["to_next"]  # half of three firms: two places
    assert to_next[2]["value"] == pytest.approx(70)  # the loss first, then as much as the second
    assert outcome(Inputs("firm", table.table[:2]), scoring)["to_next"][1]["value"] == pytest.approx(250)


def test_a_cap_can_be_in_the_way() -> None:
    scoring = rules(
        cuts=[{"grade": "A", "to_percent": 50}, {"grade": "B", "to_percent": 100}],
        components=[
            {"measure": "tax_per_mu", "weight": 50, "benchmark": 100, "cap": 1},
            {"measure": "sales_per_mu", "weight": 50, "benchmark": 100},
        ],
    )
    table = firms(*({"land_m2": MU, "tax_yuan": 100, "sales_yuan": sales} for sales in (90, 10)))
    way = outcome(table, scoring)["to_next"][1]
    assert (way["grade"], way["value"]) == ("A", None)


def test_a_grade_without_places_is_no_aim() -> None:
    to_next = outcome(by_tax(2, 1), GRADED)["to_next"]  # 0, 1 and 2 places: the leader is B, and nobody can be A
    assert to_next[0] is None
    assert to_next[1]["grade"] == "B"


# --- properties

FEW = settings(max_examples=30, deadline=None)
taxes = st.lists(st.integers(0, 60), min_size=1, max_size=40)
MIXED = rules(
    cuts=ABCD,
    exempt_industry=["44"],
    components=[
        {"measure": "tax_per_mu", "weight": 45, "benchmark": {"mean_times": 2}, "cap": 2},
        {"measure": "tax_per_tce", "weight": 20, "benchmark": 3, "missing": "drop"},
        {"measure": "value_added_per_t", "weight": 35, "benchmark": {"mean_times": 1}, "missing": "mean"},
    ],
)
FIRM = st.fixed_dictionaries(
    {
        "land_m2": st.sampled_from([MU, 2 * MU, 7 * MU]),
        "tax_yuan": st.integers(0, 30),
        "energy_tce": st.sampled_from([None, 0, 1, 5]),
        "value_added_yuan": st.integers(1, 30),
        "emission_t": st.sampled_from([None, 1, 3]),
        "industry": st.just("3841"),
        "industry_edition": st.just("2017"),
    }
)
MANY = st.lists(FIRM, min_size=1, max_size=25)


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one.drop(columns="to_next"), other.drop(columns="to_next"), rtol=1e-9)


@FEW
@given(MANY, st.randoms(use_true_random=False))
def test_the_order_of_firms_changes_nothing(records: list[dict[str, Any]], random: Any) -> None:
    order = list(range(len(records)))
    random.shuffle(order)
    moved = outcome(firms(*(records[i] for i in order)), MIXED)
    same(moved, outcome(firms(*records), MIXED).iloc[order].reset_index(drop=True))


@FEW
@given(MANY, st.data())
def test_a_higher_tax_never_lowers_a_firms_own_score_or_grade(
    records: list[dict[str, Any]], data: st.DataObject
) -> None:
    one, more = data.draw(st.integers(0, len(records) - 1)), data.draw(st.integers(1, 30))
    before = outcome(firms(*records), MIXED).iloc[one]
    richer = [{**record, "tax_yuan": record["tax_yuan"] + more * (i == one)} for i, record in enumerate(records)]
    after = outcome(firms(*richer), MIXED).iloc[one]
    if before["grade"] is not None:
        assert after["score"] >= before["score"] * (1 - 1e-9)
        assert after["grade"] <= before["grade"]
        assert after["rank"] <= before["rank"]


@FEW
@given(MANY, st.sampled_from([("yuan/mu", 3e4), ("万元/亩", 3.0), ("万元/公顷", 45.0), ("元/平方米", 45.0)]))
def test_the_unit_of_a_benchmark_changes_nothing(records: list[dict[str, Any]], written: tuple[str, float]) -> None:
    unit, benchmark = written
    component = {"measure": "tax_per_mu", "weight": 100}
    plain = rules(cuts=ABCD, components=[{**component, "benchmark": 30_000}])
    other = rules(cuts=ABCD, components=[{**component, "benchmark": benchmark, "unit": unit}])
    same(outcome(firms(*records), other), outcome(firms(*records), plain))


@FEW
@given(MANY, FIRM)
def test_an_exempt_firm_changes_nobody(records: list[dict[str, Any]], utility: dict[str, Any]) -> None:
    table = outcome(firms({**utility, "industry": "44"}, *records), MIXED)
    assert table["grade"][0] == "T"
    same(table.iloc[1:].reset_index(drop=True), outcome(firms(*records), MIXED))


@FEW
@given(st.sets(st.integers(0, 1000), min_size=1, max_size=60))
def test_without_ties_the_grades_have_as_many_firms_as_their_places(values: set[int]) -> None:
    found = grades(by_tax(*values))
    # Half up in whole numbers: floor((2·percent·N + 100) / 200).
    last = [(2 * to * len(values) + 100) // 200 for to in (20, 60, 95, 100)]
    assert [found.count(grade) for grade in "ABCD"] == np.diff([0, *last]).tolist()


@FEW
@given(taxes)
def test_the_amount_told_is_enough_and_a_cent_less_is_not(values: list[int]) -> None:
    frame = outcome(by_tax(*values), GRADED)
    for row in [row for row in range(len(values)) if frame["to_next"][row]][:3]:
        way = frame["to_next"][row]
        assert way["grade"] < frame["grade"][row]
        for less, reached in ((0.0, True), (0.01, False)):
            lifted = [value + (way["value"] - less) * (i == row) for i, value in enumerate(values)]
            assert (grades(by_tax(*lifted))[row] <= way["grade"]) == reached
