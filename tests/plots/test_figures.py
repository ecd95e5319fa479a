"""Who is a neighbour of whom: small figures drawn by hand, each with its answer worked by hand.

Lengths in metres, answers in mu; 400 × 500 m are 300 mu, so that two blocks are a plot where they are neighbours.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from shapely.affinity import rotate, translate
from shapely.geometry import LineString, Polygon, box
from shapely.ops import unary_union

from tests.plots.figures import Barrier, Line, Other
from tests.plots.pictures import (
    FULL,
    LANE,
    LEFT,
    NEAR,
    RIGHT,
    TOUCHING,
    Figure,
    across,
    check,
    figures,
    right,
    search,
)

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


def pointed(half_angle: float, depth: float) -> Polygon:
    """A block that points at [L] with a tip 5 m before it, as deep as told."""
    half, x = depth * np.tan(np.radians(half_angle)), 405 + depth
    return Polygon(
        [(405, 250), (x, 250 - half), (x, 0), (x + 400, 0), (x + 400, 500), (x, 500), (x, 250 + half)]
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
    Figure("sharp-tip", "[L] sees a tip of 40° along 11 m, the tip's sides see [L] along 4 m: the smaller counts",
           [LEFT, pointed(20, 75)], []),
    Figure("blunt-tip", "[L] sees a tip of 120° along 52 m, the tip's sides see [L] along 49 m",
           [LEFT, pointed(60, 30)], [600 + 30**2 * np.tan(np.pi / 3) * 3 / 2000]),
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
