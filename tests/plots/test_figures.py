"""What is a plot and what is not: small figures drawn by hand, each with its answer worked by hand.

Lengths in metres, answers in mu (2000/3 m²): 400 × 500 m are 300 mu, 800 × 500 m are 600 mu. ``NEAR`` asks about
neighbours alone: it switches the minimum width off, which would cut two blocks at a joint of ten metres, neighbours or
not.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from shapely.affinity import rotate, scale, translate
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box
from shapely.ops import unary_union

from geo.plots.parameters import PlotRules
from geo.plots.plot import PlotSet, find_plots
from geo.units import mu
from tests.plots.figures import EAST, LON, NORTH, Barrier, Line, Other, layers

FULL = PlotRules(ladder_m=())
NEAR = PlotRules(min_width_m=0, ladder_m=())
TOUCHING = replace(NEAR, gap_m=0)

LEFT, RIGHT = box(0, 0, 400, 500), box(400, 0, 800, 500)
# At the border of the zones of 120° and 123°, where a plane square metre is 0.9995 of an ellipsoidal one.
BORDER_EAST = 141_788.0


def right(gap: float, up: float = 0.0) -> Any:
    return box(400 + gap, up, 800 + gap, up + 500)


def across(x: float, south: float = -50, north: float = 550) -> LineString:
    return LineString([(x, south), (x, north)])


@dataclass(frozen=True)
class Figure:
    """A picture, what it is drawn of, and the mu of its plots, largest first."""

    name: str
    picture: str
    land: list[Any]
    mu: list[float]
    drawn: tuple[Barrier | Line | Other, ...] = ()
    rules: PlotRules = NEAR
    place: dict[str, Any] = field(default_factory=dict)


def search(figure: Figure) -> PlotSet:
    return find_plots(**layers(figure.land, *figure.drawn, **figure.place), rules=figure.rules)


def figures(*drawn: Figure) -> Any:
    return pytest.mark.parametrize("figure", [pytest.param(each, id=each.name) for each in drawn])


def check(figure: Figure) -> PlotSet:
    found = search(figure)
    answer = sorted((mu(area) for area in found.plots["area_m2"]), reverse=True)
    assert answer == pytest.approx(figure.mu, abs=0.1), figure.picture
    account = found.balance
    rest = account["cut_m2"] + account["plots_m2"] + account["leftovers_m2"]
    assert rest == pytest.approx(account["eligible_m2"], rel=1e-9, abs=1e-3), figure.picture
    return found


# --- the gap ----------------------------------------------------------------------------------------------------------


@figures(
    Figure("alone", "[L] one block of 300 mu", [LEFT], []),
    Figure("shared-edge", "[L|R] two blocks of 300 mu that share an edge", [LEFT, RIGHT], [600]),
    Figure("gap-19.9", "[L] 19.9 m [R]", [LEFT, right(19.9)], [600]),
    Figure("gap-20", "[L] 20.0 m [R]: the gap is the widest that still joins", [LEFT, right(20)], [600]),
    Figure("gap-20.1", "[L] 20.1 m [R]", [LEFT, right(20.1)], []),
    Figure("tolerance-is-not-added", "[L] 20.05 m [R]: the tolerance of 0.1 m is not added to a gap",
           [LEFT, right(20.05)], []),
    Figure("crack-of-5-cm", "gap 0, [L] 5 cm [R]: within the tolerance they touch",
           [LEFT, right(0.05)], [600], (), TOUCHING),
    Figure("crack-of-15-cm", "gap 0, [L] 15 cm [R]: beyond the tolerance", [LEFT, right(0.15)], [], (), TOUCHING),
    Figure("gap-below-the-tolerance", "gap 5 cm, [L] 8 cm [R]: the larger of gap and tolerance counts",
           [LEFT, right(0.08)], [600], (), replace(NEAR, gap_m=0.05)),
    Figure("gap-above-the-tolerance", "gap 0.2 m, [L] 0.25 m [R]",
           [LEFT, right(0.25)], [], (), replace(NEAR, gap_m=0.2)),
    Figure("small-overlap", "[L and R overlap by 5 cm], gap 0: 5 cm × 500 m count once",
           [LEFT, right(-0.05)], [599.96], (), TOUCHING),
    Figure("chain", "[300 mu] 15 m [15 mu] 15 m [300 mu]: the one in the middle joins both",
           [LEFT, box(415, 0, 435, 500), box(450, 0, 850, 500)], [615]),
    Figure("diagonal-14-m", r"a block cut by a slanting lane \ of 14 m: 538.5 m × 14 m are not its land",
           [*(box(0, 0, 800, 500) - LineString([(280, -50), (520, 550)]).buffer(7)).geoms], [588.69]),
    Figure("diagonal-20.2-m", r"the same lane \ 20.2 m wide, measured square to its sides",
           [*(box(0, 0, 800, 500) - LineString([(280, -50), (520, 550)]).buffer(10.1)).geoms], []),
    Figure("wedge-from-19.5-m", "the gap opens from 19.5 to 29.5 m over 500 m: within 20 m along 25 m",
           [LEFT, Polygon([(419.5, 0), (819.5, 0), (819.5, 500), (429.5, 500)])], [596.25]),
    Figure("wedge-from-19.9-m", "from 19.9 to 29.9 m: within 20 m along 5 m only",
           [LEFT, Polygon([(419.9, 0), (829.9, 0), (829.9, 500), (429.9, 500)])], []),
)  # fmt: skip
def test_the_gap(figure: Figure) -> None:
    check(figure)


# --- the frontage -----------------------------------------------------------------------------------------------------


# Two blocks that face each other in two places: a step of `low` metres at the foot, one of `high` at the top, and
# between them a bay of 60 m, out of reach.
def bayed(low: float, high: float) -> Polygon:
    return Polygon(
        [(410, 0), (810, 0), (810, 500), (410, 500), (410, 500 - high), (470, 500 - high), (470, low), (410, low)]
    )  # fmt: skip


LOTS = [box(400, 9 * row, 425, 9 * row + 9) for row in range(10)]


# Both blocks carry a hook of a metre before their side: each looks at its own hook, and the hooks at each other.
def hooked(overlap: float) -> list[Any]:
    low = 500 - overlap
    return [
        unary_union([LEFT, box(403, low, 404, 500), box(399, 499, 404, 500)]),
        unary_union([right(10, low), box(406, low, 407, 500), box(406, low, 411, low + 1)]),
    ]


@figures(
    Figure("corner-touch", "[L] and [R] meet at one corner", [LEFT, right(0, 500)], []),
    Figure("two-corner-touches", "the feet of a gate stand on the two upper corners of a block, nothing else is near",
           [LEFT, box(-50, 500, 450, 1100) - box(0, 500, 400, 600)], []),
    Figure("corner-gap", "from corner to corner 14 m on the slant: nothing lies square to either",
           [LEFT, box(410, 510, 810, 1010)], []),
    Figure("edge-9.9-m", "a shared edge of 9.9 m", [LEFT, right(0, 490.1)], []),
    Figure("edge-10-m", "a shared edge of 10 m: at least 10 m are asked", [LEFT, right(0, 490)], [600]),
    Figure("edge-10.1-m", "a shared edge of 10.1 m", [LEFT, right(0, 489.9)], [600]),
    Figure("offset-9.9-m", "across 15 m they pass each other along 9.9 m", [LEFT, right(15, 490.1)], []),
    Figure("offset-10.1-m", "across 15 m they pass each other along 10.1 m", [LEFT, right(15, 489.9)], [600]),
    Figure("stretches-add-up", "two steps of 6 m face the other side: 12 m", [LEFT, bayed(6, 6)], [556.08]),
    Figure("stretches-too-short", "two steps of 4.9 m face the other side: 9.8 m", [LEFT, bayed(4.9, 4.9)], []),
    Figure("no-frontage-asked", "frontage 0.5 m: a shared edge of 1 m will do",
           [LEFT, right(0, 499)], [600], (), replace(NEAR, frontage_m=0.5)),
    Figure("frontage-30", "frontage 30 m: a shared edge of 29 m will not do",
           [LEFT, right(0, 471)], [], (), replace(NEAR, frontage_m=30)),
    Figure("hooks-hide-the-side",
           "hooks 6 m long before both sides: behind them nothing faces, so it is 6 m and not 11",
           hooked(6), []),
    Figure("longer-hooks", "the same hooks 11 m long", hooked(11), [600.04]),
    Figure("bay-behind-an-arm",
           "L with an arm before its side: the arm faces along 480 m, its inner side counts for nothing",
           [unary_union([LEFT, box(405, 20, 409, 500), box(400, 496, 405, 500)]), box(424, 0, 824, 500)],
           [600 + (480 * 4 + 5 * 4) * 3 / 2000]),
    Figure("many-9-m-lots", "[L] ten lots of 9 m × 25 m [R]: each lot faces a block along 9 m, so neither joins",
           [LEFT, *LOTS, right(25)], []),
    Figure("one-90-m-parcel", "[L] one parcel of 90 m × 25 m in their place [R]",
           [LEFT, box(400, 0, 425, 90), right(25)], [603.375]),
    Figure("slanting-frontage", "the wedge between them is 12° open: each faces the other along what lies within 20 m",
           [LEFT, translate(rotate(box(0, 0, 400, 500), -12, origin=(0, 0)), 400.5, 0)], [600]),
)  # fmt: skip
def test_the_frontage(figure: Figure) -> None:
    check(figure)


def test_lots_that_join_nothing_are_left_over_together() -> None:
    found = search(Figure("", "", [LEFT, *LOTS, right(25)], []))
    assert sorted(set(np.round(found.leftovers["group_area_m2"]))) == [2250, 200_000]


# --- what lies between ------------------------------------------------------------------------------------------------

LANE = [LEFT, right(14)]
STREET = [LEFT, right(30)]


@figures(
    Figure("ditch", "[L] a ditch of 6 m that is no parcel [R]", [LEFT, right(6)], [600]),
    Figure("road-15", "[L] a local road of 15 m [R]",
           [LEFT, right(15)], [600], (Barrier("local_road", across(407.5), 15),)),
    Figure("road-24", "[L] a local road of exactly 24 m, gap 25 [R]", [LEFT, right(24)], [600],
           (Barrier("local_road", across(412), 24),), replace(NEAR, gap_m=25)),
    Figure("road-24.1", "a local road of 24.1 m, gap 25", [LEFT, right(24.2)], [],
           (Barrier("local_road", across(412.1), 24.1),), replace(NEAR, gap_m=25)),
    Figure("road-24-gap-20", "a local road of 24 m between, gap 20: the gap is the limit",
           [LEFT, right(24)], [], (Barrier("local_road", across(412), 24),)),
    Figure("road-of-unknown-width", "a local road whose width nobody told is not crossed",
           LANE, [], (Barrier("local_road", across(407)),)),
    Figure("road-polygon", "a road drawn as a polygon 14 m wide, width told",
           LANE, [600], (Barrier("local_road", box(400, -50, 414, 550), 14),)),
    Figure("railway", "[L] a railway [R] in a gap of 14 m", LANE, [], (Barrier("railway", across(407), 10),)),
    Figure("railway-without-width", "a railway drawn as a line without width",
           LANE, [], (Barrier("railway", across(407)),)),
    Figure("railway-on-the-edge", "a railway without width drawn upon the shared edge",
           [LEFT, RIGHT], [], (Barrier("railway", across(400)),)),
    Figure("railway-behind", "a railway beyond [R]: nothing lies between",
           LANE, [600], (Barrier("railway", across(850), 10),)),
    Figure("railway-that-follows-the-view",
           "a siding of no width that runs from [L] to [R] hides nothing but its own line",
           LANE, [600], (Barrier("railway", LineString([(400, 250), (414, 250)])),)),
    Figure("motorway", "[L] a motorway [R]", LANE, [], (Barrier("motorway", across(407), 10),)),
    Figure("river", "[L] a river drawn as a polygon [R]", LANE, [], (Barrier("river", box(402, -50, 412, 550)),)),
    Figure("narrow-river", "a brook of 1 m is a river all the same", LANE, [], (Barrier("river", across(407), 1),)),
    Figure("power-line", "a power line over the gap, no set-back told",
           LANE, [600], (Barrier("power_line", across(407)),)),
    Figure("pipeline", "a pipeline along the gap, no set-back told", LANE, [600], (Barrier("pipeline", across(407)),)),
    Figure("power-line-with-a-set-back", "8 m either side of a line over the shared edge are cut, and bridged",
           [LEFT, RIGHT], [588], (Barrier("power_line", across(400), setback_m=8),)),
    Figure("set-back-wider-than-the-gap", "10.5 m either side are cut: 21 m are too wide to bridge",
           [LEFT, RIGHT], [], (Barrier("power_line", across(400), setback_m=10.5),)),
    Figure("road-and-railway", "a local road and a railway side by side", [LEFT, right(19)], [],
           (Barrier("local_road", across(405), 8), Barrier("railway", across(414), 6))),
    Figure("redline-in-the-gap", "an ecological redline fills the gap", LANE, [],
           (Line("ecological_redline", box(400, -50, 414, 550)),)),
    Figure("farmland-in-the-gap", "basic farmland of 10 m in a gap of 14 m", LANE, [],
           (Line("basic_farmland", box(402, -50, 412, 550)),)),
    Figure("farmland-over-the-edges", "basic farmland that overlaps both blocks by 2 m and the gap between",
           LANE, [], (Line("basic_farmland", box(398, -50, 416, 550)),)),
    Figure("outside-the-boundary", "the gap lies outside the urban boundary: it costs land, it does not block",
           LANE, [600],
           (Line("urban_boundary", box(-1, -1, 401, 501)), Line("urban_boundary", box(413, -1, 815, 501)))),
    Figure("industrial-line", "an industrial line between is a rule for eligibility, no barrier",
           LANE, [600], (Line("industrial_line", box(402, -50, 412, 550)),)),
)  # fmt: skip
def test_what_lies_between(figure: Figure) -> None:
    check(figure)


def test_a_narrow_road_through_a_parcel_costs_nothing_and_a_wide_one_its_ground() -> None:
    block = [box(0, 0, 1600, 500)]
    check(Figure("", "15 m through a parcel", block, [1200], (Barrier("local_road", across(700), 15),), FULL))
    wide = Figure(
        "", "30 m: 685 and 885 m remain", block, [663.75, 513.75], (Barrier("local_road", across(700), 30),), FULL
    )
    assert check(wide).balance["cut_m2"] == pytest.approx(15_000, rel=1e-4)


# --- a barrier that ends ----------------------------------------------------------------------------------------------


@figures(
    Figure("ends-half-way", "a railway that ends half way blocks its half", LANE, [600],
           (Barrier("railway", across(407, -50, 250)),)),
    Figure("leaves-9.9-m", "it leaves 9.9 m", LANE, [], (Barrier("railway", across(407, -50, 490.1)),)),
    Figure("leaves-10.1-m", "it leaves 10.1 m", LANE, [600], (Barrier("railway", across(407, -50, 489.9)),)),
    Figure("polygon-leaves-9.9-m", "a river's polygon leaves 9.9 m", LANE, [],
           (Barrier("river", box(404, -50, 410, 490.1)),)),
    Figure("polygon-leaves-10.1-m", "a river's polygon leaves 10.1 m", LANE, [600],
           (Barrier("river", box(404, -50, 410, 489.9)),)),
    Figure("open-in-the-middle", "two railways leave 12 m between their ends", LANE, [600],
           (Barrier("railway", across(405, -50, 240)), Barrier("railway", across(409, 252, 550)))),
    Figure("two-railways-that-overlap", "one ends at 300 m, another beside it starts at 200 m", LANE, [],
           (Barrier("railway", across(405, -50, 300)), Barrier("railway", across(409, 200, 550)))),
    Figure("two-ends-open", "a railway in the middle leaves 6 m at either end: stretches add up", LANE, [600],
           (Barrier("railway", across(407, 6, 494)),)),
    Figure("two-short-ends-open", "it leaves 4.9 m at either end",
           LANE, [], (Barrier("railway", across(407, 4.9, 495.1)),)),
    Figure("in-pieces", "a railway digitised in two pieces that meet has no gap at its joint", LANE, [],
           (Barrier("railway", across(407, -50, 250), 4), Barrier("railway", across(407, 250, 550), 4))),
    Figure("dead-end", "a siding without width ends inside a parcel and leaves it in one piece",
           [box(0, 0, 800, 500)], [600], (Barrier("railway", across(400, -50, 300)),), FULL),
    Figure("line-through", "a railway without width through a parcel cuts it, and costs nothing",
           [box(0, 0, 800, 500)], [], (Barrier("railway", across(400)),), FULL),
    Figure("line-from-edge-to-edge", "the same line from edge to edge, not a centimetre further",
           [box(0, 0, 800, 500)], [], (Barrier("railway", across(400, 0, 500)),), FULL),
    Figure("line-in-three-pieces", "the same line digitised in three",
           [box(0, 0, 800, 500)], [],
           tuple(Barrier("railway", across(400, y, y + 200)) for y in (-50, 150, 350)), FULL),
)  # fmt: skip
def test_a_barrier_that_ends(figure: Figure) -> None:
    check(figure)


# --- across a third parcel --------------------------------------------------------------------------------------------

THIRD = Other(box(400, 0, 414, 500), "1207")


@figures(
    Figure("third-any", "[L] a parcel that is not eligible, 14 m [R]: bridged like any ground", LANE, [600], (THIRD,)),
    Figure("third-unparcelled", "bridge over unparcelled ground only", LANE, [], (THIRD,),
           replace(NEAR, bridge_over="unparcelled")),
    Figure("third-by-code", "bridge over land use 12…", LANE, [600], (THIRD,), replace(NEAR, bridge_over=("12",))),
    Figure("third-by-other-code", "bridge over land use 14…", LANE, [], (THIRD,), replace(NEAR, bridge_over=("14",))),
    Figure("half-unparcelled", "the third parcel fills the lower half of the gap: the upper joins", LANE, [600],
           (Other(box(400, 0, 414, 250)),), replace(NEAR, bridge_over="unparcelled")),
    Figure("all-but-9.9-m", "it fills all but 9.9 m of the gap", LANE, [],
           (Other(box(400, 0, 414, 490.1)),), replace(NEAR, bridge_over="unparcelled")),
    Figure("third-over-the-edge", "it overlaps both blocks by 10 m: their land is theirs, the gap is its own", LANE, [],
           (Other(box(390, -10, 424, 510)),), replace(NEAR, bridge_over="unparcelled")),
    Figure("thin-eligible-third", "an eligible strip of 10 m × 500 m in the gap: it joins both, 7.5 mu",
           [LEFT, box(402, 0, 412, 500), right(14)], [607.5]),
    Figure("view-through-eligible-lots",
           "[L] and [R] pass along 12 m; two lots of 6 m fill it: too short to join, and no hindrance",
           [LEFT, box(400, 488, 414, 494), box(400, 494, 414, 500), right(14, 488)], [600]),
)  # fmt: skip
def test_across_a_third_parcel(figure: Figure) -> None:
    check(figure)


# --- a reach of its own across roads ----------------------------------------------------------------------------------


ROAD_20 = Barrier("local_road", across(412.5), 20)
ROAD_8 = Barrier("local_road", across(407.5), 8)


@figures(
    Figure("road-within-its-reach", "25 m over a road of 20 m, roads may be bridged over 30 m",
           [LEFT, right(25)], [600], (ROAD_20,), replace(NEAR, road_gap_m=30)),
    Figure("road-beyond-the-gap", "the same, roads left to the gap of 20 m", [LEFT, right(25)], [], (ROAD_20,)),
    Figure("no-road-beyond-the-gap", "25 m without a road: the reach of roads helps nobody else",
           [LEFT, right(25)], [], (), replace(NEAR, road_gap_m=30)),
    Figure("road-beyond-its-reach", "15 m over a road of 8 m, roads may be bridged over 10 m",
           [LEFT, right(15)], [], (ROAD_8,), replace(NEAR, road_gap_m=10)),
    Figure("no-road-within-the-gap", "15 m without a road, roads may be bridged over 10 m",
           [LEFT, right(15)], [600], (), replace(NEAR, road_gap_m=10)),
    Figure("road-along-half", "25 m; the road runs along the lower half: that half is within its reach",
           [LEFT, right(25)], [600],
           (Barrier("local_road", across(412.5, -50, 250), 20),), replace(NEAR, road_gap_m=30)),
    Figure("wide-road", "a road of 24.5 m is above the limit whatever its reach",
           [LEFT, right(25)], [], (Barrier("local_road", across(412.5), 24.5),), replace(NEAR, road_gap_m=30)),
    Figure("road-wider-than-the-gap", "a road of 24 m fills a gap of 22 m and lies a metre upon either block",
           [LEFT, right(22)], [600], (Barrier("local_road", across(411), 24),), replace(NEAR, road_gap_m=30)),
    Figure("road-wider-than-the-gap-beyond-its-reach",
           "a road of 17 m fills a gap of 15 m, roads may be bridged over 10 m",
           [LEFT, right(15)], [], (Barrier("local_road", across(407.5), 17),), replace(NEAR, road_gap_m=10)),
    Figure("road-polygon-that-fills-the-gap",
           "a road's polygon from edge to edge of the gap of 25 m, width told as 20 m",
           [LEFT, right(25)], [600],
           (Barrier("local_road", box(400, -50, 425, 550), 20),), replace(NEAR, road_gap_m=30)),
    Figure("road-along-the-edge", "a road drawn upon the edge of one block only, half of it in the gap of 25 m",
           [LEFT, right(25)], [600], (Barrier("local_road", across(400), 20),), replace(NEAR, road_gap_m=30)),
    Figure("road-and-railway-in-reach", "a railway beside the road blocks whatever the reach of roads",
           [LEFT, right(28)], [], (Barrier("local_road", across(408), 10), Barrier("railway", across(420), 5)),
           replace(NEAR, road_gap_m=30)),
)  # fmt: skip
def test_a_reach_of_its_own_across_roads(figure: Figure) -> None:
    check(figure)


# --- the land ---------------------------------------------------------------------------------------------------------

TOUCHED_HOLE = Polygon([(0, 0), (1000, 0), (1000, 500), (0, 500)], [[(0, 250), (100, 200), (100, 300)]])
CLOSED = Polygon([(0, 0), (0, 0), (200, 0), (400, 0), (400, 0), (400, 500), (400, 500), (0, 500), (0, 100), (0, 0)])


@figures(
    Figure("499.9-mu", "500 × 666.533 m", [box(0, 0, 500, 666.533)], [], (), FULL),
    Figure("500.0-mu", "500 × 666.667 m are 500.0003 mu", [box(0, 0, 500, 666.667)], [500.0], (), FULL),
    Figure("500-mu-of-two", "a plot's land is that of its pieces: 300 + 199.9 mu and 15 m between",
           [LEFT, box(415, 0, 681.53, 500)], []),
    Figure("plane-500.1-mu", "500.1 plane mu at the border of two zones are 499.85 on the ellipsoid",
           [box(0, 0, 500, 666.8)], [], (), FULL, {"shift": (BORDER_EAST, 0)}),
    Figure("plane-500.3-mu", "500.3 plane mu at the border of two zones are 500.05 on the ellipsoid",
           [box(0, 0, 500, 667.067)], [500.05], (), FULL, {"shift": (BORDER_EAST, 0)}),
    Figure("over-the-border-of-two-zones", "[L] 121.5° E runs through the gap of 15 m [R]",
           [LEFT, right(15)], [599.7], (), FULL, {"shift": (BORDER_EAST - 407, 0)}),
    Figure("just-west-of-the-border", "[L] 15 m [R] just west of 121.5° E",
           [LEFT, right(15)], [599.7], (), FULL, {"shift": (BORDER_EAST - 900, 0)}),
    Figure("just-east-of-the-border", "[L] 15 m [R] just east of 121.5° E",
           [LEFT, right(15)], [599.7], (), FULL, {"shift": (BORDER_EAST + 100, 0)}),
    Figure("multipolygon-15-m", "one parcel of two parts 15 m apart: parts join by the rule of neighbours",
           [MultiPolygon([LEFT, right(15)])], [600]),
    Figure("multipolygon-25-m", "one parcel of two parts 25 m apart", [MultiPolygon([LEFT, right(25)])], []),
    Figure("multipolygon-across-a-railway", "one parcel of two parts, a railway between", [MultiPolygon(LANE)], [],
           (Barrier("railway", across(407), 4),)),
    Figure("overlap", "[L [ both ] R] overlap by 100 m: 800 × 500 m once", [LEFT, box(300, 0, 800, 500)], [600]),
    Figure("stacked", "a block, its neighbour, and the block twice again (condominiums on one ground)",
           [LEFT, RIGHT, LEFT, LEFT], [600]),
    Figure("stacked-alone", "300 mu stacked three times are 300 mu", [LEFT, LEFT, LEFT], []),
    Figure("within", "a parcel drawn upon a larger one takes its land out of it, and stays its neighbour",
           [box(0, 0, 800, 500), box(100, 100, 300, 300)], [600]),
    Figure("sliver-parcels", "a crack of 10 cm filled by a parcel of 5 cm, and slivers that overlap by 5 cm, gap 0",
           [LEFT, box(400, 0, 400.05, 500), right(0.1), box(799.95, 0, 800.1, 500)], [600.04], (), TOUCHING),
    Figure("crack-along-a-wave", "the shared border digitised twice, up to 8 cm off, gap 0",
           [Polygon([(0, 0), (400, 0), (400.04, 125), (400, 250), (399.96, 375), (400, 500), (0, 500)]),
            Polygon([(400, 0), (800, 0), (800, 500), (400, 500), (400.04, 375), (400, 250), (399.96, 125)])], [599.99],
           (), TOUCHING),
    Figure("twice-the-same-vertex", "vertices written twice and vertices on a straight edge", [CLOSED, RIGHT], [600]),
    Figure("clockwise", "a ring that runs the other way round", [LEFT.reverse(), RIGHT], [600]),
    Figure("vertices-that-do-not-meet", "[L] has 4 corners, [R] 500 vertices along the shared edge",
           [LEFT, RIGHT.segmentize(1.0)], [600]),
    Figure("hole-on-the-border", "a hole that touches the shell at one point: valid, 1000 × 500 m less 5000 m²",
           [TOUCHED_HOLE], [742.5], (), FULL),
)  # fmt: skip
def test_the_land(figure: Figure) -> None:
    check(figure)


def test_an_overlap_belongs_to_the_smaller_parcel_and_then_to_the_smaller_number() -> None:
    found = check(Figure("", "overlap of 100 × 500 m", [LEFT, box(300, 0, 800, 500)], [600]))
    assert dict(zip(found.members["parcel_id"], np.round(found.members["area_m2"]), strict=True)) == {
        "P000": 200_000, "P001": 200_000,
    }  # fmt: skip
    equal = check(Figure("", "equal blocks overlap by 100 m", [box(0, 0, 500, 500), box(400, 0, 900, 500)], [675]))
    assert dict(zip(equal.members["parcel_id"], np.round(equal.members["area_m2"]), strict=True)) == {
        "P000": 250_000, "P001": 200_000,
    }  # fmt: skip
    stack = check(Figure("", "a stack of three", [LEFT, LEFT, RIGHT, LEFT], [600]))
    assert sorted(stack.members["parcel_id"]) == ["P000", "P002"]
    assert stack.balance["cut_m2"] == pytest.approx(400_000, rel=1e-4)


# --- holes and rings --------------------------------------------------------------------------------------------------

YARD = box(0, 0, 1000, 1000) - box(300, 300, 600, 600)


def ring(side: float, width: float) -> Any:
    return box(0, 0, side, side) - box(width, width, side - width, side - width)


@figures(
    Figure("hole", "1000 × 1000 m with a hole of 300 × 300 m", [YARD], [1365], (), FULL),
    Figure("island-15-m", "an island 15 m from the rim of the hole",
           [YARD, box(315, 315, 585, 585)], [1365 + 109.35], (), FULL),
    Figure("island-25-m", "an island 25 m from the rim of the hole", [YARD, box(325, 325, 575, 575)], [1365], (), FULL),
    Figure("island-that-fills", "an island that fills the hole", [YARD, box(300, 300, 600, 600)], [1500], (), FULL),
    Figure("island-behind-a-moat", "a river runs around the island, 15 m from the rim",
           [YARD, box(315, 315, 585, 585)], [1365],
           (Barrier("river", box(300, 300, 600, 600) - box(314, 314, 586, 586)),), FULL),
    Figure("island-with-one-ford", "the moat is open along 12 m",
           [YARD, box(315, 315, 585, 585)], [1365 + 109.35],
           (Barrier("river", box(301, 301, 599, 599) - box(314, 314, 586, 586) - box(290, 400, 320, 412)),), NEAR),
    Figure("ring-60-m", "a ring 60 m wide around a lake: 4 × 1540 × 60 m", [ring(1600, 60)], [554.4], (), FULL),
    Figure("ring-45-m", "a ring 45 m wide around a lake is a road, 554.85 mu or not", [ring(2100, 45)], [], (), FULL),
    Figure("ring-of-four", "four blocks around a yard of someone else's, 15 m lanes at the corners",
           [box(0, 0, 600, 200), box(615, 0, 815, 600), box(215, 615, 815, 815), box(0, 215, 200, 815)], [720],
           (), FULL),
)  # fmt: skip
def test_holes_and_rings(figure: Figure) -> None:
    check(figure)


# --- narrow land ------------------------------------------------------------------------------------------------------

ROUND = (1 - np.pi / 4) * 25**2  # what a disc of 25 m cannot reach in a right-angled corner, m²


def dumbbell(neck: float, *sides: float) -> Any:
    """Blocks 500 m deep and `sides` wide, joined by a corridor of 200 m."""
    west, east = sides
    return unary_union([
        box(0, 0, west, 500), box(west - 1, 200, west + 201, 200 + neck), box(west + 200, 0, west + 200 + east, 500),
    ])  # fmt: skip


def comb(teeth: int, length: float) -> Any:
    """A back of 1000 × 400 m with teeth of 20 m, 40 m from its ends."""
    return unary_union([
        box(0, 0, 1000, 400), *(box(40 + 100 * tooth, 399, 60 + 100 * tooth, 400 + length) for tooth in range(teeth)),
    ])  # fmt: skip


def spiral(width: float, pitch: float, turns: int) -> tuple[Any, float]:
    """A ribbon wound at right angles and its area: bends of right angles lose inside what they gain outside."""
    line = [(0.0, 0.0)]
    for leg in range(turns * 2):
        (x, y), length = line[-1], 300 + pitch * (leg // 2 + 1)
        east, north = [(1, 0), (0, 1), (-1, 0), (0, -1)][leg % 4]
        line.append((x + east * length, y + north * length))
    path = LineString(line)
    return path.buffer(width / 2, cap_style="flat", join_style="mitre"), path.length * width


THIN_SPIRAL, THIN_M2 = spiral(40, 50, 8)
WIDE_SPIRAL, WIDE_M2 = spiral(60, 70, 6)


def bite(slit: float) -> float:
    """What a disc of 25 m reaches of a slit narrower than itself, m²."""
    half = slit / 2
    return float(25**2 * np.arcsin(half / 25) - half * np.sqrt(25**2 - half**2))


MOUTH = mu(bite(30) - 4 * ROUND)  # a block with a corridor of 30 m, opened


@figures(
    Figure("ribbon", "12 km × 40 m are 720 mu and no plot", [box(0, 0, 12_000, 40)], [], (), FULL),
    Figure("ribbon-60-m", "8 km × 60 m hold a width of 50 m", [box(0, 0, 8000, 60)], [720], (), FULL),
    Figure("ribbons-side-by-side", "ten ribbons of 40 m with lanes of 10 m between them are one ground, 540 mu",
           [box(0, 50 * row, 900, 50 * row + 40) for row in range(10)], [540], (), FULL),
    Figure("thin-neck-none", "300 mu == 30 m wide == 300 mu: cut at the corridor, neither part reaches 500 mu",
           [dumbbell(30, 400, 400)], [], (), FULL),
    Figure("thin-neck-one",
           "525 mu == 300 mu: cut, the larger part reaches; corners rounded, the neck's mouth rounded out",
           [dumbbell(30, 700, 400)], [525 + MOUTH], (), FULL),
    Figure("thin-neck-both", "600 mu == 525 mu: cut, both parts reach",
           [dumbbell(30, 800, 700)], [600 + MOUTH, 525 + MOUTH], (), FULL),
    Figure("neck-of-49-m", "a corridor of 49 m is cut: a disc of 50 m does not pass",
           [dumbbell(49, 400, 400)], [], (), FULL),
    Figure("neck-of-51-m", "a corridor of 51 m holds: 600 mu and 200 × 51 m",
           [dumbbell(51, 400, 400)], [615.3], (), FULL),
    Figure("narrow-joint-of-two-parcels", "600 mu and 600 mu share an edge of 12 m: neighbours, cut at the joint",
           [box(0, 0, 800, 500), box(800, 488, 1600, 988)], [600 - mu(4 * ROUND)] * 2, (), FULL),
    Figure("wide-joint-of-two-parcels", "300 mu and 300 mu share an edge of 60 m",
           [LEFT, right(0, 440)], [600], (), FULL),
    Figure("narrow-bridge", "300 mu and 300 mu face each other over 10 m along 40 m: too narrow a bridge",
           [LEFT, right(10, 460)], [], (), FULL),
    Figure("wide-bridge", "over 10 m along 60 m", [LEFT, right(10, 440)], [600], (), FULL),
    Figure("a-drive", "600 mu and a drive of 12 × 200 m: less than a tenth is narrow, it stays in the plot",
           [box(0, 0, 800, 500), box(800, 100, 1000, 112)], [603.6], (), FULL),
    Figure("comb", "ten teeth of 20 × 250 m are 11 % of it: cut off, the back is rounded and reaches into the teeth",
           [comb(10, 250)], [600 + mu(10 * bite(20) - 4 * ROUND)], (), FULL),
    Figure("comb-within-keep", "ten teeth of 20 × 200 m are 9 % of it: they stay", [comb(10, 200)], [660], (), FULL),
    Figure("comb-that-keeps-85", "ten teeth of 20 × 250 m, 85 % are enough",
           [comb(10, 250)], [675], (), replace(FULL, keep=0.85)),
    Figure("spiral-40-m",
           "a spiral of 40 m with 10 m between its arms: a piece is no neighbour of itself, it is a ribbon",
           [THIN_SPIRAL], [], (), FULL),
    Figure("spiral-60-m", "a spiral of 60 m holds", [WIDE_SPIRAL], [WIDE_M2 * 3 / 2000], (), FULL),
)  # fmt: skip
def test_narrow_land(figure: Figure) -> None:
    check(figure)


def test_the_spirals_are_large_enough_to_be_plots_but_for_their_width() -> None:
    for shape, area_m2 in ((THIN_SPIRAL, THIN_M2), (WIDE_SPIRAL, WIDE_M2)):
        assert shape.is_valid
        assert shape.area == pytest.approx(area_m2)
        assert mu(area_m2) > 500


# --- a parcel in two plots, splitting ---------------------------------------------------------------------------------


def test_a_parcel_cut_in_two_by_farmland_is_a_member_of_two_plots() -> None:
    farm = Line("basic_farmland", box(800, -10, 900, 510))
    found = check(Figure("", "800 m | 100 m of farmland | 700 m", [box(0, 0, 1600, 500)], [600, 525], (farm,), FULL))
    assert list(found.members["parcel_id"]) == ["P000", "P000"]
    assert sorted(found.members["share"]) == pytest.approx([7 / 16, 8 / 16], abs=1e-4)


@pytest.mark.parametrize("pieces", [1, 2, 8, 50])
def test_splitting_a_parcel_changes_nothing_as_long_as_each_part_keeps_the_frontage(pieces: int) -> None:
    width = 500 / pieces  # 50 strips of 10 m face [L] along exactly the frontage
    split = [box(414, row * width, 814, (row + 1) * width) for row in range(pieces)]
    check(Figure("", f"[L] 14 m [R in {pieces} strips]", [LEFT, *split], [600]))


def test_a_figure_may_lie_anywhere_turned_and_mirrored() -> None:
    for turn in (0, 17, 90, 211):
        land = [translate(rotate(shape, turn, origin=(0, 0)), 3000, -8000) for shape in (LEFT, right(19.9, 489.8))]
        check(Figure("", f"turned by {turn}°", land, [600]))
        check(Figure("", "its mirror", [scale(shape, -1, 1, origin=(0, 0)) for shape in land], [600]))


def test_the_answer_is_measured_in_the_zone_of_the_land() -> None:
    # A disc, 500.5 mu on the plane of 120° E: at the border of the zones it is 0.05 % less.
    disc = Point(0, 0).buffer(np.sqrt(500.5 * 2000 / 3 / np.pi), quad_segs=256)
    assert mu(disc.area) > 500.4
    check(Figure("", "at 120° E", [disc], [500.5], (), FULL))
    check(Figure("", "at 121.5° E", [disc], [500.25], (), FULL, {"shift": (BORDER_EAST, 0)}))
    assert (EAST, NORTH, LON) == (500_000.0, 3_540_000.0, 120.0)
