"""Firms and their land, by hand: evaluation is per firm, Σ figure / Σ land (湖州 2021; 亩均 rules of Zhejiang)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.land.firms import FIGURES, FirmsOnLand, firms_on
from geo.layers.schema import ENTERPRISES
from tests.land.tables import parcel_table

MU = 2000 / 3
CODE = "91330500MA00000001"
Rows = Sequence[dict[str, Any]]


def firm_rows(*records: dict[str, Any]) -> pd.DataFrame:
    """Rows of ``enterprises`` of the year 2025, unless they say otherwise."""
    kinds = {"real": "float64", "integer": "Int64", "boolean": "boolean"}
    full = [{"year": 2025, **record} for record in records]
    return pd.DataFrame(
        {
            item.name: pd.Series([record.get(item.name) for record in full], dtype=kinds.get(item.kind, object))
            for item in ENTERPRISES.fields
        }
    )


def firms_of(parcels: Rows, rows: Rows = (), land: Any = "used", as_of: str = "2026-06-30") -> FirmsOnLand:
    table = firm_rows(*rows) if rows else None
    return firms_on(parcel_table(*parcels), table, land, np.datetime64(as_of))


def told(found: FirmsOnLand, *names: str) -> dict[str, Any]:
    """Firm -> one value, or a tuple of several; ``None`` for unknown."""
    columns = [[None if pd.isna(value) else value for value in found.firms[name]] for name in names]
    values = columns[0] if len(names) == 1 else list(zip(*columns, strict=True))
    return dict(zip(found.firms["firm_id"], values, strict=True))


def reason(found: FirmsOnLand, name: str) -> Any:
    return found.firm_reasons[name][0]


# --- a firm and its parcels


def test_a_firm_of_two_parcels_of_six_mu_has_twelve() -> None:
    """湖州 2021: firms of 10 mu and more; 6 + 6 mu reaches them, and tax is Σ over Σ."""
    own = {"holder": "甲", "area_m2": 6 * MU, "year": 2025}
    found = firms_of([{**own, "tax_yuan": 100_000.0}, {**own, "tax_yuan": 500_000.0}])
    assert told(found, "tax_yuan") == {"甲": 600_000.0}
    assert found.firms["land_m2"].tolist() == pytest.approx([12 * MU])
    assert found.uses["share"].tolist() == [0.5, 0.5]
    assert found.firms["parcel_count"].tolist() == [2]


def test_a_parcel_without_a_holder_stands_for_itself() -> None:
    assert set(told(firms_of([{"tax_yuan": 1.0}, {"tax_yuan": 2.0}]), "tax_yuan")) == {"宗地 P0", "宗地 P1"}


@pytest.mark.parametrize(
    ("parcels", "rows", "firms"),
    [
        # one code under two names is one firm
        ([{"holder": "甲", "credit_code": CODE}, {"holder": "甲（老）", "credit_code": CODE}], (), {CODE}),
        # a bare name goes with the one code that it has elsewhere
        ([{"holder": "甲", "credit_code": CODE}, {"holder": "甲"}], (), {CODE}),
        ([{"holder": "甲"}], [{"holder": "甲", "credit_code": CODE, "parcel_id": "P0"}], {CODE}),
        # two codes under one name are two firms, and the bare name is neither
        ([{"holder": "甲", "credit_code": CODE}, {"holder": "甲", "credit_code": "X2"}, {"holder": "甲"}], (),
         {CODE, "X2", "甲"}),
        # full and half width, case and blanks are not told apart
        ([{"holder": "甲(湖州) co"}, {"holder": "甲（湖州）CO"}], (), {"甲(湖州)CO"}),
        # the register wrote the code where the name belongs
        ([{"holder": CODE}], [{"holder": "甲", "credit_code": CODE, "parcel_id": "P0"}], {CODE}),
        # a row that names only the parcel is of its holder
        ([{"holder": "甲"}], [{"parcel_id": "P0", "tax_yuan": 1.0}], {"甲"}),
        # the tenant is on the parcel, not its owner
        ([{"holder": "房东"}], [{"holder": "乙", "parcel_id": "P0"}], {"乙"}),
    ],
)  # fmt: skip
def test_who_is_who(parcels: Rows, rows: Rows, firms: set[str]) -> None:
    assert set(firms_of(parcels, rows).firms["firm_id"]) == firms


def test_a_firm_is_called_as_its_newest_row_writes_it() -> None:
    found = firms_of(
        [{"holder": "旧名", "credit_code": CODE}],
        [{"holder": "中名", "credit_code": CODE, "parcel_id": "P0", "year": 2024},
         {"holder": "新名", "credit_code": CODE, "parcel_id": "P0"}],
    )  # fmt: skip
    assert told(found, "holder", "credit_code") == {CODE: ("新名", CODE)}


# --- where figures come from


def test_rows_of_the_firm_win_over_the_parcels_own_figures() -> None:
    found = firms_of(
        [{"holder": "甲", "tax_yuan": 9.0, "year": 2025}], [{"holder": "甲", "parcel_id": "P0", "tax_yuan": 5.0}]
    )
    assert told(found, "tax_yuan", "figures_basis") == {"甲": (5.0, "企业数据")}


def test_rows_and_own_figures_of_one_firm_are_added() -> None:
    found = firms_of(
        [{"holder": "甲"}, {"holder": "甲", "tax_yuan": 2.0, "year": 2025}],
        [{"holder": "甲", "parcel_id": "P0", "tax_yuan": 5.0}, {"holder": "甲", "parcel_id": "P0", "tax_yuan": 1.0}],
    )
    assert told(found, "tax_yuan", "figures_basis") == {"甲": (8.0, "企业数据与宗地数据")}
    assert found.parcels["tax_yuan"].tolist() == [6.0, 2.0]


def test_a_row_without_parcel_is_spread_over_the_firms_parcels_by_area() -> None:
    parcels = [{"holder": "甲", "area_m2": 3000.0}, {"holder": "甲", "area_m2": 1000.0}, {"holder": "乙"}]
    found = firms_of(parcels, [{"holder": "甲", "tax_yuan": 8.0, "area_used_m2": 3600.0}])
    assert told(found, "tax_yuan", "land_m2")["甲"] == (8.0, 3600.0)
    assert found.parcels["tax_yuan"].tolist()[:2] == [6.0, 2.0]
    assert dict(zip(found.uses["parcel"], found.uses["land_m2"], strict=True)) == {0: 2700.0, 1: 900.0, 2: 10_000.0}
    assert found.parcels["apportioned_by"].tolist() == ["企业合计按宗地面积", "企业合计按宗地面积", None]


def test_beside_a_total_rows_for_single_parcels_only_say_where_the_firm_is() -> None:
    rows = [{"holder": "甲", "tax_yuan": 10.0}, {"holder": "甲", "parcel_id": "P0", "tax_yuan": 4.0}]
    assert told(firms_of([{"holder": "房东"}], rows), "tax_yuan") == {"甲": 10.0}
    rows[0]["tax_yuan"] = 3.0  # less than one of its parts
    contrary = firms_of([{"holder": "甲"}], rows)
    assert told(contrary, "tax_yuan") == {"甲": None}
    assert reason(contrary, "tax_yuan") == "enterprises"


def test_rows_of_parcels_out_of_scope_are_left_out() -> None:
    rows = [{"holder": "甲", "parcel_id": "P0", "tax_yuan": 1.0}, {"holder": "甲", "parcel_id": "P9", "tax_yuan": 7.0}]
    assert told(firms_of([{"holder": "甲"}], rows), "tax_yuan") == {"甲": 1.0}


def test_a_sum_with_an_unknown_part_is_unknown() -> None:
    found = firms_of([{"holder": "甲", "tax_yuan": 1.0, "year": 2025}, {"holder": "甲"}])
    assert told(found, "tax_yuan") == {"甲": None}
    assert reason(found, "tax_yuan") is None  # the tax itself
    assert found.parcels["tax_yuan"].tolist()[0] == 1.0


# --- years


def test_all_figures_of_a_firm_are_of_its_newest_year_that_is_over() -> None:
    rows = [{"holder": "甲", "parcel_id": "P0", "year": year, "tax_yuan": float(year)} for year in (2024, 2025, 2026)]
    for as_of, year in (("2026-12-31", 2025), ("2025-01-01", 2024), ("2027-01-01", 2026)):
        assert told(firms_of([{}], rows, as_of=as_of), "year", "tax_yuan") == {"甲": (year, float(year))}


def test_a_parcel_without_a_row_in_that_year_has_land_and_no_figure() -> None:
    rows = [{"holder": "甲", "parcel_id": "P0", "tax_yuan": 1.0},
            {"holder": "甲", "parcel_id": "P1", "tax_yuan": 1.0, "year": 2024}]  # fmt: skip
    found = firms_of([{}, {}], rows)
    assert told(found, "year", "land_m2", "tax_yuan") == {"甲": (2025, 20_000.0, None)}
    assert reason(found, "tax_yuan") == "enterprises"
    own = firms_of([{"holder": "甲", "tax_yuan": 1.0, "year": 2025}, {"holder": "甲", "tax_yuan": 1.0, "year": 2024}])
    assert (told(own, "tax_yuan"), reason(own, "tax_yuan")) == ({"甲": None}, "year")


def test_figures_without_a_year_are_used_and_say_so() -> None:
    found = firms_of([{"holder": "甲", "tax_yuan": 1.0}])
    assert told(found, "year", "tax_yuan", "figures_basis") == {"甲": (None, 1.0, "宗地数据，年度未注明")}
    assert np.isnan(found.firms["years_without_tax"][0])
    assert reason(found, "years_without_tax") == "year"


def test_figures_of_a_year_that_is_not_over_are_not_seen() -> None:
    found = firms_of([{"holder": "甲", "tax_yuan": 1.0, "year": 2026}])
    assert (told(found, "tax_yuan"), reason(found, "tax_yuan")) == ({"甲": None}, "year")


def test_a_tenant_who_left_is_not_on_the_parcel() -> None:
    rows = [{"holder": "旧", "parcel_id": "P0", "year": 2024, "tax_yuan": 1.0},
            {"holder": "新", "parcel_id": "P0", "tax_yuan": 2.0}]  # fmt: skip
    assert told(firms_of([{"holder": "房东"}], rows), "land_m2") == {"新": 10_000.0}
    assert told(firms_of([{"holder": "房东"}], rows, as_of="2025-06-30"), "land_m2") == {"旧": 10_000.0}


@pytest.mark.parametrize(
    ("taxes", "years", "is_open", "why"),
    [
        ({2025: 1.0, 2024: 0.0}, 0, False, None),
        ({2025: 0.0, 2024: 0.0, 2023: 1.0}, 2, False, None),
        ({2025: 0.0, 2024: -3.0, 2023: 1.0}, 2, False, None),  # a refund is no payment
        ({2025: 0.0, 2024: 5.0}, 1, False, None),
        ({2025: 0.0}, None, False, "enterprises"),  # at least one, perhaps two
        ({2025: 0.0, 2023: 5.0}, None, False, "enterprises"),  # 2024 is not on record
        ({2025: 0.0, 2024: None, 2023: 0.0}, None, False, "enterprises"),
        ({2025: 0.0, 2024: 0.0}, 2, True, None),  # at least two: what 闽侯 (b) asks for
        ({2024: 0.0, 2023: 0.0}, None, False, "enterprises"),  # nothing of the year just over
        ({2025: None, 2024: 0.0}, None, False, "enterprises"),
    ],
)
def test_years_without_tax(taxes: dict[int, float | None], years: float | None, is_open: bool, why: str | None) -> None:
    """闽侯 2018 (b): no tax for two years or more; that needs two years of figures."""
    found = firms_of(
        [{}], [{"holder": "甲", "parcel_id": "P0", "year": year, "tax_yuan": tax} for year, tax in taxes.items()]
    )
    assert told(found, "years_without_tax", "years_without_tax_open") == {"甲": (years, is_open)}
    assert found.parcels["years_without_tax"].fillna(-1).tolist() == [-1 if years is None else years]
    if years is None:
        assert reason(found, "years_without_tax") == why


def test_a_year_counts_as_without_tax_when_every_parcel_is_on_record() -> None:
    rows = [
        {"holder": "甲", "parcel_id": f"P{i}", "year": year, "tax_yuan": 0.0} for year in (2024, 2025) for i in (0, 1)
    ]
    assert told(firms_of([{}, {}], rows), "years_without_tax") == {"甲": 2}
    assert told(firms_of([{}, {}], rows[1:]), "years_without_tax") == {"甲": None}
    total = [{"holder": "甲", "year": year, "tax_yuan": 0.0} for year in (2024, 2025)]
    assert told(firms_of([{"holder": "甲"}, {"holder": "甲"}], total), "years_without_tax") == {"甲": 2}


# --- several firms on a parcel


@pytest.mark.parametrize(
    ("first", "second", "land", "expected"),
    [
        # domain §2.2: by stated area, else by employees, else not assessed
        ({"area_used_m2": 3000.0}, {"area_used_m2": 5000.0}, "used", (3000.0, 5000.0)),
        ({"area_used_m2": 3000.0}, {"area_used_m2": 5000.0}, "parcel", (3750.0, 6250.0)),
        ({"area_used_m2": 3000.0}, {"area_used_m2": 5000.0}, "declared", (3375.0, 5625.0)),
        ({"employees": 30}, {"employees": 10}, "used", (7500.0, 2500.0)),
        ({"employees": 30}, {"employees": 0}, "used", (10_000.0, 0.0)),
        ({"employees": 0}, {"employees": 0}, "used", (None, None)),
        ({"employees": 30}, {}, "used", (None, None)),
        ({"area_used_m2": 3000.0, "employees": 30}, {"employees": 10}, "used", (3000.0, 2500.0)),
        ({"area_used_m2": 3000.0}, {}, "used", (3000.0, None)),
        ({}, {}, "used", (None, None)),
    ],
)
def test_several_firms_on_a_parcel(
    first: dict[str, Any], second: dict[str, Any], land: str, expected: tuple[float | None, float | None]
) -> None:
    rows = [{"holder": "甲", "parcel_id": "P0", **first}, {"holder": "乙", "parcel_id": "P0", **second}]
    found = firms_of([{"declared_area_m2": 9000.0}], rows, land)
    land_m2 = told(found, "land_m2")
    assert (land_m2["甲"], land_m2["乙"]) == expected
    unknown = {found.firms["firm_id"][i]: found.firm_reasons["land_m2"][i] for i in range(2)}
    assert all(unknown[name] == "apportionment" for name, area in land_m2.items() if area is None)
    assert found.parcels["firm_count"].tolist() == [2]


def test_the_parcel_of_several_firms_is_whole_whatever_each_of_them_has() -> None:
    rows = [{"holder": "甲", "parcel_id": "P0", "tax_yuan": 1.0}, {"holder": "乙", "parcel_id": "P0", "tax_yuan": 2.0}]
    parcel = firms_of([{}], rows).parcels.iloc[0]
    assert (parcel["land_m2"], parcel["tax_yuan"], parcel["apportioned_by"]) == (10_000.0, 3.0, None)


def test_fixed_assets_of_a_parcel_follow_its_land() -> None:
    rows = [{"holder": "甲", "parcel_id": "P0", "employees": 30}, {"holder": "乙", "parcel_id": "P0", "employees": 10}]
    found = firms_of([{"fixed_assets_yuan": 8e6}], rows)
    assert told(found, "fixed_assets_yuan") == {"甲": 6e6, "乙": 2e6}


# --- land


@pytest.mark.parametrize(
    ("stated", "land", "expected", "basis"),
    [
        ((4000.0, 5000.0), "used", 9000.0, "各企业填报"),
        ((4000.0, None), "used", 14_000.0, "各企业填报与椭球面积"),
        ((None, None), "used", 20_000.0, "椭球面积"),
        ((4000.0, 5000.0), "parcel", 20_000.0, "椭球面积"),
        ((4000.0, 5000.0), "declared", 18_000.0, "登记面积"),
    ],
)
def test_what_land_a_firm_has(
    stated: tuple[float | None, float | None], land: str, expected: float, basis: str
) -> None:
    """Stated by the firm where it is, else the ellipsoidal area; declared only by parameter, and the basis is shown."""
    rows = [{"holder": "甲", "parcel_id": f"P{i}", "area_used_m2": area} for i, area in enumerate(stated)]
    found = firms_of([{"declared_area_m2": 9000.0}, {"declared_area_m2": 9000.0}], rows, land)
    assert told(found, "land_m2", "land_basis") == {"甲": (expected, basis)}


def test_a_declared_area_that_is_not_there_is_named() -> None:
    found = firms_of([{"holder": "甲"}], land="declared")
    assert (told(found, "land_m2"), reason(found, "land_m2")) == ({"甲": None}, "declared_area_m2")


# --- what a firm is


@pytest.mark.parametrize(
    ("values", "expected"),
    [((True, False), 1), ((False, False), 0), ((False, None), None), ((True, None), 1), ((None, None), None)],
)
def test_above_scale(values: tuple[Any, Any], expected: float | None) -> None:
    rows = [{"holder": "甲", "parcel_id": f"P{i}", "above_scale": value} for i, value in enumerate(values)]
    assert told(firms_of([{}, {}], rows), "above_scale") == {"甲": expected}


def test_a_silent_row_leaves_size_and_industry_to_the_parcel() -> None:
    own = {"holder": "甲", "above_scale": True, "industry": "3841", "industry_edition": "2017"}
    found = firms_of([own], [{"holder": "甲", "parcel_id": "P0"}])
    assert told(found, "above_scale", "industry", "industry_edition") == {"甲": (1, "3841", "2017")}
    # What the owner's register says is not told of each of its tenants.
    shared = firms_of([own], [{"holder": "乙", "parcel_id": "P0"}, {"holder": "丙", "parcel_id": "P0"}])
    assert told(shared, "above_scale", "industry") == {"乙": (None, None), "丙": (None, None)}


def test_the_industry_of_a_firm_is_that_of_its_largest_land() -> None:
    rows = [{"holder": "甲", "parcel_id": "P0", "industry": "13", "area_used_m2": 10.0},
            {"holder": "甲", "parcel_id": "P1", "industry": "38", "area_used_m2": 20.0}]  # fmt: skip
    found = firms_of([{"town": "东"}, {"town": "西"}], rows)
    assert told(found, "industry", "town") == {"甲": ("38", "西")}


def test_no_parcels_no_firms() -> None:
    rows = firm_rows({"holder": "甲", "tax_yuan": 1.0})
    found = firms_on(parcel_table({}).iloc[:0], rows, "used", np.datetime64("2026-06-30"))
    assert (len(found.firms), len(found.uses), len(found.parcels)) == (0, 0, 0)


# --- properties

NAMES = st.sampled_from(["甲", "乙", "丙", None])
MAYBE = st.one_of(st.none(), st.integers(0, 10**6).map(lambda cents: cents / 100))
PARCELS = st.lists(
    st.fixed_dictionaries(
        {
            "holder": NAMES, "credit_code": st.sampled_from([None, "X1", "X2"]), "tax_yuan": MAYBE,
            "year": st.sampled_from([None, 2024, 2025, 2026]), "area_m2": st.integers(100, 10**5).map(float),
            "industry": st.sampled_from([None, "13", "38"]), "above_scale": st.sampled_from([None, True, False]),
        }
    ),
    min_size=1, max_size=5,
)  # fmt: skip
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "holder": NAMES, "credit_code": st.sampled_from([None, "X1"]), "tax_yuan": MAYBE,
            "parcel_id": st.sampled_from([None, "P0", "P1", "P2", "P9"]), "area_used_m2": MAYBE,
            "year": st.sampled_from([None, 2023, 2024, 2025]), "employees": st.sampled_from([None, 0, 5, 20]),
            "industry": st.sampled_from([None, "13", "38"]), "above_scale": st.sampled_from([None, True, False]),
        }
    ),
    max_size=7,
)  # fmt: skip
LAND = st.sampled_from(["used", "parcel", "declared"])


def of_each(found: FirmsOnLand) -> pd.DataFrame:
    return found.firms.set_index("firm_id")


def assert_same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, other, check_dtype=False, rtol=1e-9)


@settings(max_examples=25)
@given(PARCELS, ROWS, LAND, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(parcels: Rows, rows: Rows, land: str, chance: Any) -> None:
    parcels = [{**parcel, "parcel_id": f"P{i}"} for i, parcel in enumerate(parcels)]
    one = firms_of(parcels, rows, land)
    other_parcels, other_rows = list(parcels), list(rows)
    chance.shuffle(other_parcels)
    chance.shuffle(other_rows)
    other = firms_of(other_parcels, other_rows, land)
    assert_same(of_each(one), of_each(other))
    assert_same(
        one.parcels.set_axis([each["parcel_id"] for each in parcels]).sort_index(),
        other.parcels.set_axis([each["parcel_id"] for each in other_parcels]).sort_index(),
    )


@settings(max_examples=25)
@given(PARCELS, ROWS, LAND)
def test_figures_of_parcels_add_up_to_those_of_firms(parcels: Rows, rows: Rows, land: str) -> None:
    found = firms_of(parcels, rows, land)
    for name in (*FIGURES, "fixed_assets_yuan", "land_m2"):
        summed = found.uses.groupby("firm")[name].sum(min_count=1)
        whole = ~found.uses.groupby("firm")[name].apply(lambda part: part.isna().any())
        known = whole & found.firms[name].notna()
        assert found.firms[name][known].to_numpy() == pytest.approx(summed[known].to_numpy())
        assert (found.firms[name].isna() | whole).all()  # a firm's figure is known only with those of its parcels
    known = found.uses.groupby("firm")["share"].sum(min_count=1).dropna()
    assert known.to_numpy() == pytest.approx(np.ones(len(known)))
    assert set(found.uses["parcel"]) == set(range(len(parcels)))  # nobody's land is lost


@settings(max_examples=25)
@given(PARCELS, ROWS, st.sampled_from(["used", "parcel"]), st.integers(1, 9))
def test_splitting_a_parcel_leaves_the_firms_sums(parcels: Rows, rows: Rows, land: str, tenths: int) -> None:
    """A holder's parcel in two, with its figures: Σ tax and Σ area stay."""
    first = {**parcels[0], "parcel_id": "P8"}
    rest = [{**parcel, "parcel_id": f"P{i}"} for i, parcel in enumerate(parcels)][1:]
    first["holder"] = first["holder"] or "丁"  # one without holder stands for itself, so in two it is two
    rows = [row for row in rows if row["parcel_id"] != "P0"]
    parts = [
        {**first, "parcel_id": f"{part}", "area_m2": first["area_m2"] * share,
         "tax_yuan": None if first["tax_yuan"] is None else first["tax_yuan"] * share}
        for part, share in (("P7", tenths / 10), ("P8", 1 - tenths / 10))
    ]  # fmt: skip
    whole, split = firms_of([first, *rest], rows, land), firms_of([*parts, *rest], rows, land)
    assert_same(of_each(whole)[["tax_yuan", "land_m2", "year"]], of_each(split)[["tax_yuan", "land_m2", "year"]])


@settings(max_examples=25)
@given(PARCELS, ROWS, LAND)
def test_units_of_input_change_nothing(parcels: Rows, rows: Rows, land: str) -> None:
    def in_units(records: Rows, area: float, money: float) -> Rows:
        factors = {"area_m2": area, "area_used_m2": area, "tax_yuan": money}
        return [
            {name: value * factors[name] if name in factors and value is not None else value
             for name, value in record.items()}
            for record in records
        ]  # fmt: skip

    one = of_each(firms_of(parcels, rows, land))
    # As if mu and 万元 were the stored units; back again afterwards.
    other = of_each(firms_of(in_units(parcels, 1 / MU, 1e-4), in_units(rows, 1 / MU, 1e-4), land))
    other["land_m2"] *= MU
    other["tax_yuan"] *= 1e4
    free = [name for name in one if name not in ("years_without_tax", "years_without_tax_open")]  # a cent is absolute
    assert_same(one[free], other[free])
