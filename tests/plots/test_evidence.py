"""Why a plot is as it is: what keeps further land out of it, what it consists of, which groups nearly are one."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely.geometry import LineString, MultiPolygon, box

from geo import crs
from geo.plots.composition import UNPLANNED, land_uses, owners, planned_uses, towns
from geo.plots.evidence import reason_zh
from geo.plots.plot import PlotSet, find_plots
from tests.plots.figures import barriers, control_lines, parcels, stored

PLOT = box(0, 0, 1000, 400)  # 600 mu


def search(*shapes: Any, walls: Any = None, lines: Any = None, others: Any = None) -> PlotSet:
    return find_plots(parcels(*shapes), others=others, control_lines=lines, barriers=walls)


def why(*shapes: Any, **around: Any) -> list[dict[str, Any]]:
    """What keeps other land out of the largest plot of these parcels."""
    told = search(*shapes, **around).plots["evidence"].iloc[0]["why_not_larger"]
    assert (told["rest"], told["rest_m2"]) == (0, 0.0)
    entries: list[dict[str, Any]] = told["entries"]
    return entries


def mu(area_m2: float) -> float:
    return area_m2 * 3 / 2000


@pytest.mark.parametrize(
    ("shape", "reason", "zh", "distance_m"),
    [
        (box(1023.4, 0, 1123.4, 100), "too_far", "相距 23.4 米，超过连片间距 20 米", 23.4),
        (box(1020.02, 0, 1123.4, 100), "too_far", "相距 20.02 米，超过连片间距 20 米", 20.02),
        (box(1010, 393.8, 1110, 493.8), "short_frontage", "相对边长 6.2 米，不足 10 米", 10.0),
        (box(1010, 390.02, 1110, 490.02), "short_frontage", "相对边长 9.98 米，不足 10 米", 10.0),
        (box(1000, 400, 1100, 500), "corner", "只有角点相接，没有相对的边", 0.0),
        (box(1003, 404, 1103, 504), "corner", "相距 5.0 米，但没有相对的边", 5.0),
        (box(1099, 0, 1199, 100), "too_far", "相距 99.0 米，超过连片间距 20 米", 99.0),
    ],
)
def test_why_a_neighbour_is_not_in_the_plot(shape: Any, reason: str, zh: str, distance_m: float) -> None:
    (told,) = why(PLOT, shape)
    assert (told["parcel_id"], told["reason"], told["zh"]) == ("P001", reason, zh)
    assert told["distance_m"] == pytest.approx(distance_m, abs=0.02)
    assert told["area_m2"] == pytest.approx(shape.area, rel=1e-3)
    assert told["if_added_mu"] == pytest.approx(mu(PLOT.area + shape.area), rel=1e-3)


def test_nothing_is_told_of_what_is_not_near() -> None:
    assert why(PLOT, box(1101, 0, 1201, 100)) == []
    assert why(PLOT, box(1010, 0, 1110, 100)) == []  # it is in the plot


def test_a_barrier_is_named_with_what_it_blocks() -> None:
    railway = barriers("railway", LineString([(1005, -50), (1005, 450)]), width_m=4).assign(name="苏澜铁路")
    (told,) = why(PLOT, box(1010, 0, 1110, 100), walls=railway)
    assert (told["reason"], told["kind"], told["name"]) == ("barrier", "railway", "苏澜铁路")
    assert told["zh"] == "被铁路“苏澜铁路”隔开，阻断 100.0 米"
    # Without the railway they would face each other along 6.2 m only: the railway is not what keeps them apart.
    (short,) = why(PLOT, box(1010, 393.8, 1110, 493.8), walls=railway)
    assert short["reason"] == "short_frontage"
    # A railway that ends half way leaves 6 m of 100 free.
    half = barriers("railway", LineString([(1005, -50), (1005, 94)]), width_m=4)
    (partly,) = why(PLOT, box(1010, 0, 1110, 100), walls=half)
    assert (partly["reason"], partly["facing_m"]) == ("barrier", pytest.approx(6, abs=0.1))
    # Wider than the gap: distance decides, and what lies between is named.
    river = barriers("river", LineString([(1030, -50), (1030, 450)]), width_m=60).assign(name="清河")
    (far,) = why(PLOT, box(1060, 0, 1160, 100), walls=river)
    assert far["zh"] == "相距 60.0 米，超过连片间距 20 米，其间有河流“清河”"


def test_land_behind_a_corridor_says_that_it_was_cut() -> None:
    dumbbell = [box(0, 0, 700, 500), box(700, 200, 900, 230), box(900, 0, 1100, 500)]
    told = {one["parcel_id"]: one for one in why(*dumbbell)}
    assert told["P001"]["zh"] == "宽度不足 50 米，已从地块中切去"
    assert told["P002"]["zh"] == "只经宽度不足 50 米的狭窄处相连，已切开"
    assert {one["reason"] for one in told.values()} == {"cut_corridor"}
    assert told["P002"]["area_m2"] == pytest.approx(100_000, rel=0.03)  # but for corners that the opening rounds
    both = why(box(0, 0, 700, 500), box(700, 200, 900, 230), box(900, 0, 1700, 500))
    (other,) = (one for one in both if one["reason"] == "other_plot")
    assert other["zh"] == "属于另一连片地块 LP0002：只经宽度不足 50 米的狭窄处相连，已切开"
    assert mu(other["area_m2"]) == pytest.approx(525, rel=0.01)


def test_another_plot_is_one_entry_and_brings_all_its_land() -> None:
    railway = barriers("railway", LineString([(1005, -50), (1005, 450)]), width_m=4)
    quarters = [box(1010 + x, y, 1510 + x, y + 200) for x in (0, 500) for y in (0, 200)]
    first, second = search(PLOT, *quarters, walls=railway).plots["evidence"]
    (told,) = first["why_not_larger"]["entries"]
    assert (told["reason"], told["plot"]) == ("other_plot", "LP0002")
    assert told["zh"] == "属于另一连片地块 LP0002：被铁路隔开，阻断 200.0 米"
    assert told["if_added_mu"] == pytest.approx(1200, rel=1e-3)
    (back,) = second["why_not_larger"]["entries"]
    assert back["parcel_id"] == "P000"
    assert {one["neighbour_plot"] for one in first["separated_by"]} == {"LP0002"}


def test_what_separates_a_plot_from_land_in_no_plot_names_no_plot() -> None:
    railway = barriers("railway", LineString([(1005, -50), (1005, 450)]), width_m=4)
    (found,) = search(PLOT, box(1010, 0, 1110, 100), walls=railway).plots["evidence"]
    (told,) = found["separated_by"]
    assert (told["neighbour"], told["neighbour_plot"], told["barrier_kind"]) == ("P001", None, "railway")


def test_a_parcel_of_which_nothing_was_left_says_what_took_it() -> None:
    farmland = control_lines("basic_farmland", box(1000, 0, 1100, 100))
    redline = control_lines("ecological_redline", box(1100, 0, 1110, 100))
    lines = pd.concat([farmland, redline], ignore_index=True)
    (told,) = why(PLOT, box(1000, 0, 1110, 100), lines=lines)
    assert (told["reason"], told["kind"], told["zh"]) == ("excluded", "basic_farmland", "全部扣除：永久基本农田")
    assert told["area_m2"] == pytest.approx(11_000, rel=1e-3)
    # Stacked land counts once already: it would add nothing.
    assert why(PLOT, PLOT) == []


def test_other_parcels_that_would_be_neighbours_say_which_condition_they_fail() -> None:
    others = parcels(
        box(0, 400, 300, 600),  # 300 m of common border
        box(1009, 395, 1109, 495),  # faces along 5 m
        box(1025, 0, 1125, 100),  # too far
        box(1010, 100, 1110, 200),  # across 10 m
        box(400, 390, 700, 500),  # claims 10 m of the plot's land too
        prefix="X",
    ).assign(because=[("land_use", "unknown_status")] * 5, because_zh="用途、建设状态不明", holder=None)
    told = why(PLOT, others=others)
    assert [one["parcel_id"] for one in told] == ["X000", "X004", "X003"]  # what would add most first
    assert told[0]["zh"] == "不符合参选条件：用途、建设状态不明"
    assert told[0]["because"] == ["land_use", "unknown_status"]
    assert told[0]["holder"] is None
    assert told[0]["facing_m"] == pytest.approx(300, abs=0.5)
    assert [mu(one["area_m2"]) for one in told] == pytest.approx([90, 45, 15], rel=1e-3)
    assert told[2]["distance_m"] == pytest.approx(10, abs=0.01)
    # Were they eligible, a railway would still keep them out: it is not for their conditions that they are not in.
    railway = barriers("railway", LineString([(1005, -50), (1005, 450)]), width_m=4)
    assert [one["parcel_id"] for one in why(PLOT, others=others, walls=railway)] == ["X000", "X004"]
    # What a control line would take of them anyway is not promised.
    half = control_lines("basic_farmland", box(0, 450, 300, 600))
    (first, *_) = why(PLOT, others=others.iloc[:1], lines=half)
    assert mu(first["area_m2"]) == pytest.approx(22.5, rel=1e-3)


def test_only_so_many_are_listed_and_the_rest_is_counted() -> None:
    sides = [10 + k / 10 for k in range(25)]
    small = [box(40 * k, 430, 40 * k + side, 440) for k, side in enumerate(sides)]
    (found,) = search(PLOT, *small).plots["evidence"]
    told = found["why_not_larger"]
    assert [one["parcel_id"] for one in told["entries"]] == [f"P{25 - k:03d}" for k in range(20)]
    assert (told["rest"], told["rest_m2"]) == (5, pytest.approx(10 * sum(sides[:5]), rel=1e-3))
    assert why(PLOT) == []


def test_a_multipart_parcel_is_one_entry_for_each_reason() -> None:
    told = why(PLOT, MultiPolygon([box(1025, 0, 1065, 40), box(1030, 60, 1070, 100), box(1010, 397, 1050, 437)]))
    assert {(one["parcel_id"], one["reason"]): round(one["area_m2"], -1) for one in told} == {
        ("P001", "too_far"): 3200,
        ("P001", "short_frontage"): 1600,
    }
    assert min(one["distance_m"] for one in told if one["reason"] == "too_far") == pytest.approx(25, abs=0.02)


def test_groups_that_nearly_are_plots_say_what_they_lack_and_what_would_lift_them() -> None:
    # 487 mu and 90 mu across a gap of 25 m; 30 mu far away.
    west, east, alone = box(0, 0, 811.6667, 400), box(836.6667, 0, 986.6667, 400), box(3000, 0, 3100, 200)
    told = search(west, east, alone).near_misses
    assert [mu(one["area_m2"]) for one in told] == pytest.approx([487, 90, 30], rel=1e-3)
    first = told[0]
    assert (first["parcel_ids"], first["parcel_count"]) == (["P000"], 1)
    assert mu(first["short_m2"]) == pytest.approx(13, rel=0.03)
    (help_,) = first["help"]
    assert (help_["parcel_id"], help_["reason"], help_["enough"]) == ("P001", "too_far", True)
    assert help_["if_added_mu"] == pytest.approx(577, rel=1e-3)
    assert told[2]["help"] == []
    lon, lat = first["bounds"][:2]
    corner = shapely.get_coordinates(stored(box(0, 0, 1, 1))[0]).min(axis=0)
    assert (lon, lat) == pytest.approx(tuple(corner), abs=2e-5)


def test_land_that_is_joined_to_a_neighbour_would_come_along() -> None:
    row = [box(836.6667 + x, 0, 886.6667 + x, 100) for x in (0, 50, 100)]
    (first, *_) = search(box(0, 0, 811.6667, 400), *row).near_misses
    nearest = next(one for one in first["help"] if one["parcel_id"] == "P001")
    assert nearest["area_m2"] == pytest.approx(5000, rel=1e-3)
    assert nearest["group_area_m2"] == pytest.approx(15_000, rel=1e-3)
    assert nearest["enough"] is True  # 13 mu are missing, 7.5 alone and 22.5 with its neighbours


def test_every_reason_has_a_chinese_name() -> None:
    assert reason_zh("setback_power_line") == "电力线路退让范围"
    assert reason_zh("steep_slope") == "坡度超限"
    assert reason_zh("urban_boundary") == "城镇开发边界外"


# --- what a plot consists of

LAND = gpd.GeoDataFrame(
    {
        "parcel_id": ["A", "B", "C", "D"],
        "holder": ["甲公司", None, "甲公司", "乙公司"],
        "town": ["东镇", "东镇", "西镇", None],
        "land_use": ["100101", "100102", "100101", None],
    },
    geometry=stored(box(0, 0, 100, 100), box(100, 0, 200, 100), box(200, 0, 300, 100), box(300, 0, 400, 100)),
    crs=4490,
)
MEMBERS = gpd.GeoDataFrame(
    {
        "plot_id": ["LP0001", "LP0001", "LP0001", "LP0002"],
        "parcel_id": ["A", "B", "C", "D"],
        "area_m2": crs.ellipsoidal_area(np.asarray(LAND.geometry.array)),
    },
    geometry=LAND.geometry,
    crs=4490,
)  # fmt: skip


def test_owners_towns_and_uses_add_up_to_the_plot() -> None:
    held = owners(MEMBERS, LAND)
    assert [(one["holder"], one["parcels"]) for one in held["LP0001"]] == [("甲公司", 2), (None, 1)]
    assert [one["area_m2"] for one in held["LP0001"]] == pytest.approx([20_000, 10_000], rel=1e-3)
    assert towns(MEMBERS, LAND)["LP0002"] == [{"town": None, "area_m2": pytest.approx(10_000, rel=1e-3)}]
    uses = land_uses(MEMBERS, LAND)["LP0001"]
    assert [(one["land_use"], one["share"]) for one in uses] == [("100101", 0.6667), ("100102", 0.3333)]


def test_planned_uses_add_up_to_the_plot_and_overlapping_zones_count_once() -> None:
    zones = gpd.GeoDataFrame(
        {"land_use": ["工业", "居住", None, "工业"]},
        geometry=stored(
            box(-50, -50, 150, 150), box(120, -50, 180, 150), box(180, -50, 400, 150), box(350, 0, 400, 100)
        ),
        crs=4490,
    )
    told = planned_uses(MEMBERS, zones)
    # 0–150 industry, 150–180 housing (120–150 belongs to the zone before), 180–300 without a use.
    assert {one["land_use"]: one["share"] for one in told["LP0001"]} == pytest.approx(
        {"工业": 0.5, UNPLANNED: 0.4, "居住": 0.1}, abs=1e-3
    )
    assert sum(one["area_m2"] for one in told["LP0001"]) == pytest.approx(MEMBERS["area_m2"][:3].sum(), abs=0.1)
    assert {one["land_use"]: one["share"] for one in told["LP0002"]} == {"工业": 0.5, UNPLANNED: 0.5}
    assert planned_uses(MEMBERS, zones.iloc[:0])["LP0002"][0]["land_use"] == UNPLANNED


def test_a_zone_with_very_many_vertices_has_the_same_area() -> None:
    circle = shapely.Point(150, 50).buffer(140, quad_segs=500)
    zones = gpd.GeoDataFrame({"land_use": ["工业"]}, geometry=stored(circle), crs=4490)
    told = {one["land_use"]: one["area_m2"] for one in planned_uses(MEMBERS, zones)["LP0001"]}
    expected = circle.intersection(box(0, 0, 300, 100)).area
    assert told["工业"] == pytest.approx(expected, rel=1e-3)
