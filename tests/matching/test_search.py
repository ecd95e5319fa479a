"""Sites for a project: conditions with margins, fixed scales, reasons; and properties of the ranking."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from geo.layers.schema import SITES
from geo.matching.demand import Demand
from geo.matching.ranking import search_sites

AS_OF = np.datetime64("2026-06-30")
SITE = {
    "land_use": "100101", "motorway_ramp_km": 3.0, "rail_yard_km": 8.0, "port_km": 20.0, "price_yuan_per_mu": 300_000.0,
    "power_kva": 20_000.0, "inscribed_radius_m": 200.0, "available_from": "2026-12-31",
}  # fmt: skip


def sites(*records: dict[str, Any]) -> gpd.GeoDataFrame:
    rows = [
        {**SITE, "site_id": f"S{i}", "name": f"地块{i}", "kind": "plot", "area_mu": 600.0, **record}
        for i, record in enumerate(records)
    ]
    table = pd.DataFrame(rows)
    table["area_m2"] = table.pop("area_mu") * 2000 / 3
    table["available_from"] = table["available_from"].astype("datetime64[s]")
    for item in SITES.fields:
        if item.name not in table:
            table[item.name] = np.nan if item.kind == "real" else None
    return gpd.GeoDataFrame(table, geometry=[shapely.box(120, 32, 120.01, 32.01)] * len(table), crs=4490)


def ask(table: gpd.GeoDataFrame, **need: Any) -> dict[str, Any]:
    return search_sites(table, Demand.model_validate({"area_mu": {"min": 500}, **need}), AS_OF)


def ids(answer: dict[str, Any]) -> list[str]:
    return [site["site_id"] for site in answer["sites"]]


@pytest.mark.parametrize(
    ("need", "fits"),
    [
        ({"area_mu": {"min": 600}}, True),
        ({"area_mu": {"min": 600.1}}, False),
        ({"area_mu": {"max": 600}}, True),
        ({"area_mu": {"max": 599.9}}, False),
        ({"land_use": ["1001"]}, True),
        ({"land_use": ["1101", "16"]}, False),
        ({"max_km": {"motorway_ramp": 3}}, True),
        ({"max_km": {"motorway_ramp": 2.9}}, False),
        ({"min_factors": {"power_kva": 20_000}}, True),
        ({"min_factors": {"power_kva": 20_001}}, False),
        ({"max_price_yuan_per_mu": 300_000}, True),
        ({"max_price_yuan_per_mu": 299_999}, False),
        ({"min_inscribed_radius_m": 200}, True),
        ({"min_inscribed_radius_m": 201}, False),
        ({"deadline": "2026-12-31"}, True),
        ({"deadline": "2026-12-30"}, False),
    ],
)
def test_each_condition_at_its_limit(need: dict[str, Any], fits: bool) -> None:
    answer = ask(sites({}), **need)
    assert (answer["matched"], answer["excluded_total"]) == ((1, 0) if fits else (0, 1))


def test_the_reason_says_by_how_much() -> None:
    answer = ask(sites({"area_mu": 494.0, "motorway_ramp_km": 7.5}), max_km={"motorway_ramp": 5})
    assert answer["excluded"][0]["reasons"] == [
        "面积 494 亩，要求不少于 500 亩，差 6 亩",
        "距高速互通 7.50 km，要求不超过 5 km，超出 2.50 km",
    ]


def test_missing_data_is_not_assessed_never_passed_and_comes_last() -> None:
    answer = ask(sites({"power_kva": np.nan, "price_yuan_per_mu": 1.0}, {}), min_factors={"power_kva": 1000})
    assert ids(answer) == ["S1", "S0"]
    assert [site["complete"] for site in answer["sites"]] == [True, False]
    told = next(item for item in answer["sites"][1]["conditions"] if item["condition"] == "power_kva")
    assert (told["outcome"], told["value"]) == ("not_assessed", None)


def test_weights_decide() -> None:
    near, cheap = (
        {"motorway_ramp_km": 1.0, "price_yuan_per_mu": 500_000.0},
        {"motorway_ramp_km": 20.0, "price_yuan_per_mu": 100_000.0},
    )
    assert ids(ask(sites(near, cheap), weights={"motorway_ramp": 10, "price": 1})) == ["S0", "S1"]
    assert ids(ask(sites(near, cheap), weights={"motorway_ramp": 1, "price": 10})) == ["S1", "S0"]


@pytest.mark.parametrize(
    "need",
    [{"area_mu": {}}, {"area_mu": {"min": 9, "max": 1}}, {"area_mu": {"min": -1}}, {"max_km": {"moon": 1}},
     {"limit": 0},
     {"wrong": 1}, {"area_mu": {"min": float("nan")}}],
)  # fmt: skip
def test_a_demand_that_makes_no_sense_is_refused(need: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Demand.model_validate({"area_mu": {"min": 500}, **need})


_SITES = st.lists(
    st.fixed_dictionaries(
        {"area_mu": st.floats(100, 2000), "motorway_ramp_km": st.floats(0, 40),
         "price_yuan_per_mu": st.floats(1e4, 1e6)}
    ),
    min_size=1, max_size=6,
)  # fmt: skip


@given(_SITES, st.floats(100, 1500), st.floats(1, 30))
def test_relaxing_a_demand_never_removes_a_site(records: list[dict[str, Any]], area: float, km: float) -> None:
    strict = ask(sites(*records), area_mu={"min": area}, max_km={"motorway_ramp": km}, limit=200)
    loose = ask(sites(*records), area_mu={"min": area * 0.8}, max_km={"motorway_ramp": km * 1.5}, limit=200)
    assert set(ids(strict)) <= set(ids(loose))


@given(_SITES, st.floats(0.1, 9))
def test_scaling_all_weights_or_adding_a_site_reorders_nothing(records: list[dict[str, Any]], scale: float) -> None:
    need = {"area_mu": {"min": 1}, "max_km": {"motorway_ramp": 1000}, "limit": 200}
    weights = {"area": 1.0, "motorway_ramp": 2.0, "price": 3.0}
    base = ids(ask(sites(*records), **need, weights=weights))
    assert ids(ask(sites(*records), **need, weights={name: scale * value for name, value in weights.items()})) == base
    more = ids(ask(sites(*records, {"area_mu": 5000.0}), **need, weights=weights))
    assert [name for name in more if name in base] == base
