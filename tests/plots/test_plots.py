"""Plots: figures with known answers, and properties that must hold whatever the land looks like."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiPolygon, box

from geo.errors import InvalidParameter
from geo.plots.exclusion import subdivide, subtract
from geo.plots.parameters import PlotRules
from geo.plots.plot import PlotSet, find_plots
from tests.plots.figures import barriers, control_lines, parcels

# 500 mu = 333,333.33 m²; 400 × 500 m = 300 mu.
LEFT, RIGHT = box(0, 0, 400, 500), box(400, 0, 800, 500)
TOP = 500


def areas(found: PlotSet) -> list[float]:
    return [round(area * 3 / 2000, 1) for area in found.plots["area_m2"]]


def right(gap: float) -> Any:
    return box(400 + gap, 0, 800 + gap, 500)


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([LEFT], []),
        ([LEFT, RIGHT], [600.0]),
        ([LEFT, right(19.99)], [600.0]),
        ([LEFT, right(20.01)], []),
        ([LEFT, box(400, 500, 800, 1000)], []),  # corner contact
        ([LEFT, box(410, 490.1, 810, 990.1)], []),  # they face each other along 9.9 m
        ([box(0, 0, 666.66, 499.99)], []),  # 499.99 mu
        ([box(0, 0, 666.67, 500.01)], [500.0]),
        ([MultiPolygon([LEFT, right(15)])], [600.0]),  # parts join by the neighbour rule
        ([MultiPolygon([LEFT, right(25)])], []),
        ([LEFT, RIGHT, LEFT], [600.0]),  # stacked: land counts once
        ([LEFT, box(300, 0, 800, 500)], [600.0]),  # overlap belongs to the smaller
        ([box(0, 0, 700, 500), box(700, 200, 900, 230), box(900, 0, 1300, 500)], [524.3]),  # cut at the corridor
        ([box(0, 0, 700, 500), box(700, 200, 900, 255), box(900, 0, 1300, 500)], [841.5]),  # 55 m wide holds
        ([box(0, 0, 12_000, 40)], []),  # 720 mu of ribbon is no plot
        ([box(0, 0, 1000, 1000).difference(box(300, 300, 600, 600))], [1365.0]),  # a hole
    ],
)  # fmt: skip
def test_figures(shapes: list[Any], expected: list[float]) -> None:
    assert areas(find_plots(parcels(*shapes))) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize(
    ("kind", "width_m", "joined"),
    [("railway", 10, False), ("motorway", 10, False), ("river", 10, False), ("local_road", 15, True),
     ("local_road", 24, True), ("local_road", 24.1, False), ("local_road", np.nan, False),
     ("power_line", np.nan, True), ("pipeline", np.nan, True)],
)  # fmt: skip
def test_what_may_lie_between(kind: str, width_m: float, joined: bool) -> None:
    line = LineString([(407, -50), (407, 550)])
    found = find_plots(parcels(LEFT, right(14)), barriers=barriers(kind, line, width_m=width_m))
    assert bool(areas(found)) is joined


def test_a_barrier_that_ends_half_way_blocks_its_half() -> None:
    halves = parcels(LEFT, right(14))
    half = find_plots(halves, barriers=barriers("railway", LineString([(407, -50), (407, 250)]), width_m=4))
    assert areas(half) == [600.0]
    nearly = find_plots(halves, barriers=barriers("railway", LineString([(407, -50), (407, 490.5)]), width_m=4))
    assert areas(nearly) == []


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


def test_a_line_without_width_cuts_however_it_was_digitised() -> None:
    land = parcels(box(0, 0, 800, 500))
    pieces = [
        LineString([(400, -50), (400, 100)]),
        LineString([(400, 100), (400, 300)]),
        LineString([(400, 300), (400, 550)]),
    ]
    assert areas(find_plots(land, barriers=barriers("railway", *pieces))) == []
    edge_to_edge = LineString([(400, 0), (400, 500)])
    assert areas(find_plots(land, barriers=barriers("railway", edge_to_edge))) == []


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


def test_forbidden_land_that_overlaps_a_piece_still_blocks_the_gap() -> None:
    others = parcels(box(390, -10, 424, 510), prefix="R")
    rules = PlotRules(bridge_over="unparcelled")
    assert areas(find_plots(parcels(LEFT, right(14)), others=others, rules=rules)) == []


def test_what_is_left_of_a_parcel_is_known() -> None:
    found = find_plots(parcels(LEFT, RIGHT), control_lines=control_lines("basic_farmland", box(-10, -10, 410, 510)))
    assert list(found.land["parcel_id"]) == ["P001"]
    assert found.land["cut_m2"][0] == pytest.approx(5000, rel=1e-3)


def test_a_road_in_pieces_has_no_gap_at_its_joint() -> None:
    bend = [LineString([(407, -50), (407, 250)]), LineString([(407, 250), (407, 550)])]
    assert areas(find_plots(parcels(LEFT, right(14)), barriers=barriers("railway", *bend, width_m=4))) == []


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


def test_farmland_in_the_gap_blocks_and_the_outside_of_the_boundary_does_not() -> None:
    halves, strip = parcels(LEFT, right(14)), box(402, -50, 412, 550)
    assert areas(find_plots(halves, control_lines=control_lines("basic_farmland", strip))) == []
    boundary = control_lines("urban_boundary", LEFT.buffer(1), right(14).buffer(1))
    assert areas(find_plots(halves, control_lines=boundary)) == [600.0]


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


# --- properties -------------------------------------------------------------------------------------------------------

_CELL = 90.0


@st.composite
def districts(draw: st.DrawFn) -> list[Any]:
    """Rectangles on a jittered lattice with streets of 0–30 m: some touch, some face, some do not."""
    shapes = []
    for column in range(draw(st.integers(2, 5))):
        for row in range(draw(st.integers(2, 5))):
            if draw(st.booleans()) or draw(st.booleans()):
                margin = draw(st.sampled_from([0.0, 3.0, 8.0, 12.0]))
                x, y = column * _CELL, row * _CELL
                shapes.append(box(x + margin, y, x + _CELL, y + _CELL - margin))
    return shapes or [box(0, 0, _CELL, _CELL)]


SMALL = PlotRules(min_area_m2=20_000, min_width_m=20, ladder_m=(20.0,))


def plots_as_sets(found: PlotSet) -> set[frozenset[str]]:
    return {frozenset(group) for _, group in found.members.groupby("plot_id")["parcel_id"]}


def balanced(found: PlotSet) -> bool:
    account = found.balance
    return account["eligible_m2"] == pytest.approx(
        account["cut_m2"] + account["plots_m2"] + account["leftovers_m2"], rel=1e-9, abs=1e-3
    )


@settings(max_examples=15, deadline=None)
@given(districts(), st.randoms(use_true_random=False), st.floats(-300, 300))
def test_order_rotation_and_translation_change_nothing(shapes: list[Any], random: Any, shift: float) -> None:
    base = find_plots(parcels(*shapes), rules=SMALL)
    assert balanced(base)
    table = parcels(*shapes)
    order = list(range(len(shapes)))
    random.shuffle(order)
    assert plots_as_sets(find_plots(table.iloc[order], rules=SMALL)) == plots_as_sets(base)
    assert plots_as_sets(find_plots(parcels(*shapes, shift=(shift, -shift)), rules=SMALL)) == plots_as_sets(base)
    dense = [shapely.segmentize(shape, 17.0) for shape in shapes]
    assert plots_as_sets(find_plots(parcels(*dense), rules=SMALL)) == plots_as_sets(base)


@settings(max_examples=15, deadline=None)
@given(districts(), st.integers(0, 40), st.integers(0, 40))
def test_a_larger_gap_only_joins(shapes: list[Any], first: int, second: int) -> None:
    low, high = sorted((first, second))
    rules = [PlotRules(min_area_m2=1, min_width_m=0, gap_m=float(gap), ladder_m=(0.0,)) for gap in (low, high)]
    small, large = (plots_as_sets(find_plots(parcels(*shapes), rules=rule)) for rule in rules)
    assert all(any(group <= other for other in large) for group in small)


@settings(max_examples=15, deadline=None)
@given(districts(), st.floats(0, 400), st.sampled_from(["railway", "river"]))
def test_an_added_barrier_never_joins_and_the_account_stays_balanced(shapes: list[Any], x: float, kind: str) -> None:
    rules = PlotRules(min_area_m2=1, min_width_m=0, ladder_m=(0.0,))
    free = find_plots(parcels(*shapes), rules=rules)
    wall = barriers(kind, LineString([(x, -50), (x + 60, 500)]), width_m=5)
    cut = find_plots(parcels(*shapes), barriers=wall, rules=rules)
    assert balanced(cut)
    assert all(any(group <= other for other in plots_as_sets(free)) for group in plots_as_sets(cut))


@settings(max_examples=15, deadline=None)
@given(districts(), st.floats(0.2, 0.8))
def test_splitting_a_parcel_keeps_the_land_of_the_plots(shapes: list[Any], at: float) -> None:
    # Split across its width, each part still faces, along the frontage, what the whole faced.
    west, south, east, north = shapes[0].bounds
    cut = west + at * (east - west)
    if min(cut - west, east - cut) < 12:
        return
    split = [box(west, south, cut, north), box(cut, south, east, north), *shapes[1:]]
    rules = PlotRules(min_area_m2=1, min_width_m=0, ladder_m=(0.0,))
    whole, parted = (find_plots(parcels(*item), rules=rules) for item in (shapes, split))
    assert sorted(np.round(parted.plots["area_m2"], 2)) == pytest.approx(
        sorted(np.round(whole.plots["area_m2"], 2)), rel=1e-6
    )


def test_tiled_subtraction_equals_the_plain_one() -> None:
    rng = np.random.default_rng(7)
    wavy = shapely.Point(500, 500).buffer(300, quad_segs=400)
    boxes = shapely.box(*(rng.uniform(0, 900, (2, 60))), *(rng.uniform(100, 1000, (2, 60))))
    boxes = boxes[shapely.area(boxes) > 0]
    kept, taken = subtract(boxes, np.array([wavy]))
    assert shapely.area(kept) == pytest.approx(shapely.area(shapely.difference(boxes, wavy)), abs=1e-6)
    total = shapely.area(kept) + np.where(shapely.is_missing(taken), 0, shapely.area(taken))
    assert total == pytest.approx(shapely.area(boxes), abs=1e-6)
    tiles = subdivide(np.array([wavy]), 64)
    assert shapely.get_num_coordinates(tiles).max() <= 64
    assert shapely.area(tiles).sum() == pytest.approx(wavy.area)


def test_a_district_without_eligible_land() -> None:
    found = find_plots(parcels(LEFT).iloc[:0])
    assert found.plots.empty
    assert isinstance(found.plots, gpd.GeoDataFrame)
