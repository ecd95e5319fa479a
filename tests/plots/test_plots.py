"""What a search tells: the account, the evidence, the ladder; which land is a plot is drawn in ``test_figures.py``."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import pytest
from shapely.geometry import LineString, MultiPolygon, box

from geo.errors import InvalidParameter
from geo.plots.parameters import PlotRules
from geo.plots.plot import PlotSet, find_plots
from tests.plots.figures import barriers, control_lines, parcels

# 500 mu = 333,333.33 m²; 400 × 500 m = 300 mu.
LEFT, RIGHT = box(0, 0, 400, 500), box(400, 0, 800, 500)


def areas(found: PlotSet) -> list[float]:
    return [round(area * 3 / 2000, 1) for area in found.plots["area_m2"]]


def right(gap: float) -> Any:
    return box(400 + gap, 0, 800 + gap, 500)


def test_a_barrier_through_a_parcel_cuts_it() -> None:
    line = LineString([(400, -50), (400, 550)])
    wide = find_plots(parcels(box(0, 0, 800, 500)), barriers=barriers("railway", line, width_m=10))
    assert areas(wide) == []
    assert wide.balance["cut_m2"] == pytest.approx(5000, rel=1e-4)
    thin = find_plots(parcels(box(0, 0, 800, 500)), barriers=barriers("railway", line))
    assert areas(thin) == []
    assert thin.balance["cut_m2"] == 0
    dead_end = find_plots(
        parcels(box(0, 0, 800, 500)), barriers=barriers("railway", LineString([(400, -50), (400, 300)]))
    )
    assert areas(dead_end) == [600.0]


def test_a_road_polygon_of_unknown_width_is_not_crossed() -> None:
    road, halves = box(400, -10, 414, 510), parcels(LEFT, right(14))
    unknown = find_plots(halves, barriers=barriers("local_road", road))
    assert areas(unknown) == []
    assert unknown.unassessed_barriers == ("local_road0",)
    assert areas(find_plots(halves, barriers=barriers("local_road", road, width_m=14))) == [600.0]


def test_a_narrow_parcel_as_surveyed_is_no_sliver() -> None:
    strip = parcels(box(0, 0, 400, 4), MultiPolygon([box(0, 100, 400, 104), box(0, 200, 400, 300)]))
    farmland = control_lines("basic_farmland", box(0, -50, 400, 0), box(0, 290, 400, 400))
    found = find_plots(strip, control_lines=farmland)
    assert found.balance["cut_m2"] == pytest.approx(4000, rel=1e-3)


def test_a_parcel_in_two_plots_keeps_the_bridges_of_both() -> None:
    dumbbell = box(0, 0, 700, 500).union(box(700, 200, 900, 230)).union(box(900, 0, 1600, 500))
    found = find_plots(parcels(dumbbell, box(-210, 0, -10, 500), box(1610, 0, 1810, 500)))
    assert list(found.plots["bridge_count"]) == [1, 1]
    assert sorted(found.members["parcel_id"]) == ["P000", "P000", "P001", "P002"]


def test_what_is_left_of_a_parcel_is_known() -> None:
    found = find_plots(parcels(LEFT, RIGHT), control_lines=control_lines("basic_farmland", box(-10, -10, 410, 510)))
    assert list(found.land["parcel_id"]) == ["P001"]
    assert found.land["cut_m2"][0] == pytest.approx(5000, rel=1e-3)


def test_exclusions_cost_their_land() -> None:
    land = parcels(box(0, 0, 800, 500))
    farmland = find_plots(land, control_lines=control_lines("basic_farmland", box(700, 0, 900, 500)))
    assert areas(farmland) == [525.0]
    assert farmland.plots["evidence"][0]["exclusions"] == [
        {"kind": "basic_farmland", "zh": "永久基本农田", "area_m2": pytest.approx(50_000, rel=1e-4)}
    ]
    assert areas(find_plots(land, control_lines=control_lines("ecological_redline", box(600, 0, 900, 500)))) == []
    inside = find_plots(land, control_lines=control_lines("urban_boundary", box(-100, -100, 700, 600)))
    assert areas(inside) == [525.0]
    nowhere = find_plots(land, control_lines=control_lines("urban_boundary", box(5000, 0, 6000, 600)))
    assert areas(nowhere) == []
    line = find_plots(land, control_lines=control_lines("industrial_line", box(0, 0, 10, 10)))
    assert areas(line) == [600.0]


def test_setbacks_cost_land_and_may_be_bridged() -> None:
    line = LineString([(400, -50), (400, 550)])
    found = find_plots(parcels(LEFT, RIGHT), barriers=barriers("power_line", line, setback_m=8))
    assert areas(found) == [588.0]
    assert found.plots["evidence"][0]["exclusions"][0]["kind"] == "setback_power_line"
    assert found.plots["bridge_count"][0] == 1


def test_thin_leftovers_of_cutting_are_dropped_and_reported() -> None:
    farmland = control_lines("basic_farmland", box(4, -10, 1000, 600))
    found = find_plots(parcels(box(0, 0, 800, 500)), control_lines=farmland)
    assert found.leftovers.empty
    assert found.balance["cut_m2"] == pytest.approx(found.balance["eligible_m2"])


def test_a_bridge_names_what_it_crosses() -> None:
    others = parcels(box(400, 0, 414, 500), prefix="R")
    others["land_use"] = "1207"
    found = find_plots(parcels(LEFT, right(14)), others=others)
    bridge = found.plots["evidence"][0]["bridges"][0]
    assert (bridge["a"], bridge["b"], bridge["gap_m"], bridge["facing_m"]) == ("P000", "P001", 14.0, 500.0)
    assert bridge["between"] == [{"parcel_id": "R000", "land_use": "1207", "holder": "甲公司"}]
    assert areas(find_plots(parcels(LEFT, right(14)), others=others, rules=PlotRules(bridge_over="unparcelled"))) == []
    assert areas(find_plots(parcels(LEFT, right(14)), others=others, rules=PlotRules(bridge_over=("12",)))) == [600.0]


def test_a_plot_says_what_separates_it_from_its_neighbour() -> None:
    line = barriers("railway", LineString([(807, -50), (807, 550)]), width_m=6)
    found = find_plots(parcels(LEFT, RIGHT, box(814, 0, 1000, 500)), barriers=line)
    assert found.plots["evidence"][0]["separated_by"] == [
        {
            "parcel_id": "P001",
            "neighbour": "P002",
            "neighbour_plot": None,
            "barrier_kind": "railway",
            "barrier": "railway",
            "blocked_m": 500.0,
        }
    ]


def test_the_ladder_shows_how_the_gap_decides() -> None:
    found = find_plots(parcels(LEFT, right(15)))
    assert {step["gap_m"]: step["plots"] for step in found.ladder} == {0: 0, 5: 0, 10: 0, 20: 1, 30: 1, 45: 1}
    assert found.plots["strict_area_m2"][0] == pytest.approx(200_000, rel=1e-4)


def test_without_a_ladder() -> None:
    assert find_plots(parcels(LEFT, RIGHT), rules=PlotRules(ladder_m=())).ladder == []


def test_impossible_parameters_are_refused() -> None:
    with pytest.raises(InvalidParameter, match="gap_m"):
        PlotRules(gap_m=-1)


def test_a_district_without_eligible_land() -> None:
    found = find_plots(parcels(LEFT).iloc[:0])
    assert found.plots.empty
    assert isinstance(found.plots, gpd.GeoDataFrame)
