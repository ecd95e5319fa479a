"""Sites of a run: plots, and single parcels with the land that is left of them."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import box

from geo.layers.schema import PARCELS
from geo.matching.demand import Demand
from geo.matching.ranking import search_sites
from geo.matching.sites import build_sites
from geo.plots.plot import find_plots
from tests.plots.figures import control_lines, parcels


def full(*shapes: Any, **columns: Any) -> gpd.GeoDataFrame:
    table = parcels(*shapes).assign(**columns)
    for item in PARCELS.fields:
        if item.name not in table:
            empty, kind = (np.nan, "float64") if item.kind == "real" else (None, object)
            table[item.name] = pd.Series(empty, index=table.index, dtype=kind)
    table["available_from"] = table["available_from"].astype("datetime64[s]")
    return table


def test_forbidden_land_is_never_offered() -> None:
    land = full(box(0, 0, 800, 500), box(2000, 0, 2400, 500))
    found = find_plots(
        land, control_lines=control_lines("basic_farmland", box(-10, -10, 810, 510), box(2000, 0, 2100, 500))
    )
    sites = build_sites(found, land, None, 50.0)
    assert list(sites["site_id"]) == ["P001"]
    assert sites["area_m2"][0] * 3 / 2000 == pytest.approx(225, abs=0.1)
    assert sites["evidence"][0]["cut_m2"] == pytest.approx(50_000, rel=1e-3)


def test_without_eligible_land_there_are_no_sites_and_the_search_says_so() -> None:
    land = full(box(0, 0, 800, 500))
    sites = build_sites(find_plots(land.iloc[:0]), land.iloc[:0], None, 50.0)
    assert sites.empty
    answer = search_sites(sites, Demand.model_validate({"area_mu": {"min": 1}}), np.datetime64("2026-06-30"))
    assert (answer["matched"], answer["excluded_total"]) == (0, 0)


def test_a_capacity_that_one_member_does_not_state_is_unknown() -> None:
    land = full(box(0, 0, 400, 500), box(400, 0, 800, 500), power_kva=[5000.0, 3000.0], water_m3d=[100.0, None])
    sites = build_sites(find_plots(land), land, None, 1e6)
    assert sites["power_kva"][0] == 8000
    assert np.isnan(sites["water_m3d"][0])
    assert sites["evidence"][0]["members_without"]["water_m3d"] == 1
