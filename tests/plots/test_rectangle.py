"""Rectangles in a plot: known shapes, brute force on random plots, and certificates checked by other means."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
import shapely.affinity
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Point, Polygon, box

from geo.errors import InvalidParameter
from geo.plots.rectangle import HAIR_M, Fit, Rectangle, fits, inscribed_rectangles, largest_rectangle
from tests.plots.concave import EAST, NORTH, brute_rectangle, concave_plot

ACCURACY = 0.02
SQUARE = box(0, 0, 100, 100)
RING = box(0, 0, 300, 300).difference(box(100, 100, 200, 200))
ELL = Polygon([(0, 0), (400, 0), (400, 100), (100, 100), (100, 400), (0, 400)])
TEE = box(0, 300, 400, 400).union(box(150, 0, 250, 300))
CUP = box(0, 0, 300, 300).difference(box(80, 60, 220, 300))
TRIANGLE = Polygon([(0, 0), (300, 0), (90, 200)])
DISC = Point(0, 0).buffer(100, quad_segs=256)
CROSS = box(-200, -30, 200, 30).union(box(-30, -200, 30, 200))
FIGURES = {"square": SQUARE, "ring": RING, "L": ELL, "T": TEE, "U": CUP, "triangle": TRIANGLE, "cross": CROSS}
TURNS = [0.0, 17.3, 45.0, 121.7]


def placed(shape: shapely.Geometry, turn: float = 0.0) -> shapely.Geometry:
    """A figure turned and moved to where plots lie in a 3-degree zone."""
    return shapely.affinity.translate(shapely.affinity.rotate(shape, turn, origin=(0, 0)), EAST, NORTH)


def inward(corners: np.ndarray, metres: float) -> shapely.Geometry:
    return Polygon(corners).buffer(-metres, join_style="mitre")


def assert_placement(plot: shapely.Geometry, corners: np.ndarray | None, length: float, width: float) -> None:
    """Four right corners, the stated sides, inside the plot but for a hair."""
    assert corners is not None
    sides = np.roll(corners, -1, axis=0) - corners
    assert np.hypot(*sides.T) == pytest.approx([length, width, length, width], abs=1e-6)
    assert abs(np.dot(sides[0], sides[1])) < 1e-6 * length * width
    assert shapely.is_ccw(shapely.linearrings(corners))
    assert plot.covers(inward(corners, 2 * HAIR_M))


def random_plots(number: int, seed: int) -> list[shapely.Geometry]:
    rng = np.random.default_rng(seed)
    return [
        concave_plot(rng, int(rng.integers(8, 40)), int(rng.integers(0, 6)), rng.uniform(1e4, 4e5), noise=0.05)
        for _ in range(number)
    ]


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize(
    ("figure", "length", "width", "answer"),
    [
        ("square", 100, 100, True),
        ("square", 100, 101, False),  # its area is larger
        ("square", 110, 30, True),  # across, turned: (110 + 30) / sqrt 2 = 98.99
        ("square", 115, 30, False),  # (115 + 30) / sqrt 2 = 102.53, and 115 > 100
        ("ring", 300, 100, True),
        ("ring", 310, 90, False),  # in an arm of 100 it would have to be turned, and the hole is in the way
        ("ring", 150, 130, False),  # its area is there, the hole is in the middle
        ("L", 400, 100, True),
        ("L", 100, 400, True),  # sides in either order
        ("L", 150, 150, False),
        ("T", 400, 100, True),
        ("T", 101, 400, False),
        ("U", 300, 60, True),
        ("U", 300, 80, True),  # in an arm
        ("U", 300, 81, False),
        ("cross", 400, 60, True),
        ("cross", 80, 80, True),  # turned by 45 degrees: the sides run by the inner corners, which are 84.85 m apart
        ("cross", 86, 86, False),
        ("triangle", 150, 99, True),  # half of the height, half of the base
        ("triangle", 150, 101, False),  # no rectangle has more than half of the triangle
    ],
)
def test_known_shapes_at_any_angle(figure: str, length: float, width: float, answer: bool, turn: float) -> None:
    plot = placed(FIGURES[figure], turn)
    found = fits(plot, length, width, tolerance_m=0.05)
    assert found.fits is answer
    assert found.proof in (("placement",) if answer else ("area", "angles"))
    if answer:
        assert_placement(plot, found.corners, max(length, width), min(length, width))
    else:
        assert found.corners is None
        assert found.angle_deg is None


def test_a_turned_rectangle_is_found_exactly_and_not_a_centimetre_more() -> None:
    plot = placed(box(0, 0, 300, 200).union(box(0, 0, 60, 400)), 17.3)
    found = fits(plot, 300, 200, tolerance_m=0.01)
    assert found.fits is True
    assert found.angle_deg == pytest.approx(17.3, abs=1e-6)
    assert_placement(plot, found.corners, 300, 200)
    assert fits(plot, 300.02, 200, tolerance_m=0.01).fits is False
    # Within a wide tolerance the answer may be left open, never turned into a no or a yes.
    assert fits(plot, 300.3, 200, tolerance_m=0.5).fits in (None, False)


def test_only_the_ranges_within_the_tolerance_are_left_open() -> None:
    strip = placed(box(0, 0, 1000, 99.9), 31.0)
    open_ = fits(strip, 200, 100, tolerance_m=0.5)
    assert (open_.fits, open_.proof, open_.corners) == (None, "tolerance", None)
    assert fits(strip, 200, 100, tolerance_m=0.05).fits is False
    assert fits(strip, 200, 99.5, tolerance_m=0.5).fits is True


def test_the_work_limit_leaves_the_answer_open() -> None:
    stopped = fits(placed(ELL, 9.0), 399, 101, most_poses=50)
    assert (stopped.fits, stopped.proof) == (None, "limit")
    assert stopped.angles_tested >= 50


def test_one_part_of_several_has_to_hold_it() -> None:
    parts = placed(MultiPolygon([box(0, 0, 100, 100), box(100.01, 0, 200, 100), box(0, 300, 500, 340)]), 5)
    assert fits(parts, 150, 60).fits is False
    assert fits(parts, 499, 39).fits is True
    largest = largest_rectangle(parts)
    assert largest.area_m2 == pytest.approx(20_000, rel=1e-6)
    assert_placement(parts, largest.corners, 500, 40)


@pytest.mark.parametrize(
    ("length", "width", "tolerance"), [(0, 10, 0.5), (-1, 10, 0.5), (10, np.nan, 0.5), (10, 10, 0.0)]
)
def test_a_size_that_is_none_is_refused(length: float, width: float, tolerance: float) -> None:
    with pytest.raises(InvalidParameter):
        fits(SQUARE, length, width, tolerance_m=tolerance)


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize(
    ("figure", "area"),
    [
        ("square", 10_000),
        ("ring", 30_000),
        ("L", 40_000),
        ("T", 40_000),
        ("U", 24_000),
        ("triangle", 15_000),  # half of the triangle: the classical answer
        ("cross", 24_000),
    ],
)
def test_the_largest_rectangle_of_known_shapes(figure: str, area: float, turn: float) -> None:
    plot = placed(FIGURES[figure], turn)
    found = largest_rectangle(plot)
    assert found.area_m2 == pytest.approx(area, rel=1e-3)
    assert area * (1 - 1e-9) <= found.upper_bound_m2 <= area * (1 + ACCURACY) * (1 + 1e-9)
    assert found.length_m >= found.width_m
    assert found.area_m2 == pytest.approx(found.length_m * found.width_m)
    assert_placement(plot, found.corners, found.length_m, found.width_m)
    along = found.corners[1] - found.corners[0]
    assert np.degrees(np.arctan2(along[1], along[0])) % 180 == pytest.approx(found.angle_deg, abs=1e-6)


def test_the_largest_rectangle_of_a_disc_is_its_square() -> None:
    found = largest_rectangle(placed(DISC), accuracy=0.01)
    assert found.area_m2 == pytest.approx(20_000, rel=1e-3)
    assert found.upper_bound_m2 <= 1.01 * found.area_m2 * (1 + 1e-9)
    assert found.length_m == pytest.approx(np.sqrt(2) * 100, rel=0.03)


def test_narrower_rectangles_do_not_count() -> None:
    plot = placed(box(0, 0, 1000, 30).union(box(0, 0, 120, 120)), 8)
    assert largest_rectangle(plot).width_m == pytest.approx(30, abs=0.01)
    wide = largest_rectangle(plot, least_width_m=50)
    assert (wide.length_m, wide.width_m) == (pytest.approx(120, abs=0.01), pytest.approx(120, abs=0.01))
    assert wide.upper_bound_m2 <= 14_400 * (1 + ACCURACY) * (1 + 1e-9)
    none = largest_rectangle(plot, least_width_m=150)
    assert none.corners is None
    assert (none.area_m2, np.isnan(none.angle_deg), none.gap) == (0, True, np.inf)


def test_a_gap_that_is_left_is_told() -> None:
    stopped = largest_rectangle(random_plots(1, 3)[0], accuracy=0.001, most_poses=500)
    assert stopped.gap > 0.001
    assert stopped.upper_bound_m2 == pytest.approx(stopped.area_m2 * (1 + stopped.gap))


def test_nothing_fits_into_nothing() -> None:
    assert fits(Polygon(), 10, 10).fits is False
    assert largest_rectangle(Polygon()).corners is None
    rows = inscribed_rectangles(np.array([Polygon(), SQUARE], dtype=object))
    assert rows.corners.shape == (2, 4, 2)
    assert np.isnan(rows.corners[0]).all()
    assert rows.area_m2 == pytest.approx([0, 10_000])
    assert inscribed_rectangles(np.empty(0, dtype=object)).corners.shape == (0, 4, 2)


def test_five_hundred_random_plots_against_pixels() -> None:
    plots = random_plots(500, 5)
    rows = inscribed_rectangles(np.array(plots, dtype=object), accuracy=ACCURACY)
    pixels = [brute_rectangle(plot, 30, 64) for plot in plots]
    drawn = np.array([area for area, _ in pixels])
    touching = shapely.buffer([polygon for _, polygon in pixels], -1e-6, join_style="mitre")
    assert shapely.covers(plots, touching).all()  # what the pixels claim is true, so the bound must be above it
    assert (drawn <= rows.upper_bound_m2).all()
    assert (rows.upper_bound_m2 <= rows.area_m2 * (1 + ACCURACY) * (1 + 1e-9)).all()
    assert (drawn <= rows.area_m2 * (1 + ACCURACY)).all()
    assert np.median(drawn / rows.area_m2) > 0.98  # the pixels are near enough to have caught a bound that is too low
    for plot, row in zip(plots, range(len(plots)), strict=True):
        assert_placement(plot, rows.corners[row], rows.length_m[row], rows.width_m[row])
    # A footprint that the pixels have placed is never refused.
    open_ = 0
    for plot, (_, polygon) in zip(plots, pixels, strict=True):
        corners = shapely.get_coordinates(polygon)
        found = fits(plot, *np.hypot(*(corners[1:3] - corners[:2]).T))
        assert found.fits is not False
        open_ += found.fits is None
    assert open_ <= 5


def test_a_no_stands_against_thousands_of_random_placements() -> None:
    rng = np.random.default_rng(11)
    refused = 0
    for plot in random_plots(120, 7):
        bound = largest_rectangle(plot)
        length, width = bound.length_m * 1.03, bound.width_m * rng.uniform(0.9, 1.03)
        found = fits(plot, length, width)
        if found.fits is not False:
            continue
        refused += found.proof == "angles"
        tries = 400
        # Around the largest rectangle, where it would be if anywhere, and all over the plot.
        near = np.array(bound.corners).mean(axis=0) + rng.normal(0, 4, (tries // 2, 2))
        angle = np.concatenate([np.radians(bound.angle_deg) + rng.normal(0, 0.05, tries // 2), rng.uniform(0, 4, 200)])
        centre = np.concatenate([near, rng.uniform(plot.bounds[:2], plot.bounds[2:], (tries // 2, 2))])
        corner = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * [length / 2, width / 2]
        cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
        xy = np.stack([corner[:, 0] * cos - corner[:, 1] * sin, corner[:, 0] * sin + corner[:, 1] * cos], axis=-1)
        shapely.prepare(plot)
        assert not shapely.covers(plot, shapely.polygons(xy + centre[:, None])).any()
    assert refused > 60


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2000),
    length=st.floats(20, 400),
    width=st.floats(20, 400),
    shorter=st.floats(0.3, 1),
    narrower=st.floats(0.3, 1),
)
def test_what_fits_fits_smaller_and_what_does_not_never_fits_larger(
    seed: int, length: float, width: float, shorter: float, narrower: float
) -> None:
    plot = concave_plot(np.random.default_rng(seed), 25, 3, 2e5)
    large, small = fits(plot, length, width), fits(plot, length * shorter, width * narrower)
    assert not (large.fits is True and small.fits is False)
    largest = largest_rectangle(plot, accuracy=0.1)
    if large.fits is True:
        assert length * width <= largest.upper_bound_m2 * (1 + 1e-6)
    # One rectangle is known to fit, so all that are no larger in both sides do.
    if length <= largest.length_m and width <= largest.width_m:
        assert large.fits is not False


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2000), turn=st.floats(0, 360), east=st.floats(-9e4, 9e4), north=st.floats(-9e5, 9e5),
    scale=st.floats(0.5, 2),
)  # fmt: skip
def test_answers_do_not_depend_on_place_angle_or_scale(
    seed: int, turn: float, east: float, north: float, scale: float
) -> None:
    plot = concave_plot(np.random.default_rng(seed), 20, 2, 2e5)
    moved = shapely.affinity.scale(shapely.affinity.rotate(plot, turn), scale, scale)
    moved = shapely.affinity.translate(moved, east, north)
    a, b = largest_rectangle(plot), largest_rectangle(moved)
    # Both brackets hold the same true area.
    assert a.area_m2 * scale**2 <= b.upper_bound_m2 * (1 + 1e-6)
    assert b.area_m2 <= a.upper_bound_m2 * scale**2 * (1 + 1e-6)
    known = {fits(plot, 200, 120).fits, fits(moved, 200 * scale, 120 * scale, tolerance_m=0.5 * scale).fits}
    assert not known >= {True, False}


def test_many_vertices_are_thinned_for_the_proof_alone() -> None:
    plot = shapely.segmentize(placed(ELL, 33.0), 0.5)
    rng = np.random.default_rng(2)
    ring = shapely.get_coordinates(plot.exterior)[:-1]
    ragged = Polygon(ring + rng.uniform(-0.004, 0.004, ring.shape))
    assert ragged.is_valid
    assert shapely.get_num_coordinates(ragged) > 3000
    found = fits(ragged, 399.9, 99.9)
    assert found.fits is True
    assert_placement(ragged, found.corners, 399.9, 99.9)
    assert fits(ragged, 399, 101).fits is False
    largest = largest_rectangle(ragged)
    assert largest.gap <= ACCURACY + 1e-9
    assert_placement(ragged, largest.corners, largest.length_m, largest.width_m)


def test_answers_are_frozen() -> None:
    for answer in (fits(SQUARE, 10, 10), largest_rectangle(SQUARE)):
        assert isinstance(answer, Fit | Rectangle)
        with pytest.raises(AttributeError):
            answer.corners = None  # type: ignore[misc]
