"""Which land is a plot: areas, zones, stacks, holes, narrow land; small figures with answers worked by hand.

Lengths in metres, answers in mu; 400 × 500 m are 300 mu.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from shapely.affinity import rotate, scale, translate
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box
from shapely.ops import unary_union

from geo.units import mu
from tests.plots.figures import Barrier, Line
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
)

# At the border of the zones of 120° and 123°, where a plane square metre is 0.9995 of an ellipsoidal one.
BORDER_EAST = 141_788.0


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
    Figure("corridor-of-its-own", "the same, the corridor a parcel between the two",
           [box(0, 0, 700, 500), box(700, 200, 900, 230), box(900, 0, 1300, 500)], [525 + MOUTH], (), FULL),
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
