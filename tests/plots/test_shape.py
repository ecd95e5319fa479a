"""Measures of shape: hand-worked values, GEOS's own circles, brute force on random plots."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import shapely.affinity
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from geo.errors import LianpianError
from geo.plots import shape
from tests.plots.concave import EAST, NORTH, concave_plot

TRUTH = Path(__file__).resolve().parents[3] / "shared" / "data" / "truth" / "shape"
SQUARE = box(0, 0, 100, 100)
ELL = Polygon([(0, 0), (400, 0), (400, 100), (100, 100), (100, 400), (0, 400)])
RING = box(0, 0, 300, 300).difference(box(100, 100, 200, 200))
TWO = MultiPolygon([box(0, 0, 1000, 20), box(0, 100, 60, 160)])


def of(*shapes: shapely.Geometry | None) -> Any:
    return np.array([*shapes, None], dtype=object)[:-1]


@pytest.mark.parametrize(
    ("measure", "figure", "value"),
    [
        (shape.compactness, SQUARE, np.pi / 4),
        (shape.compactness, ELL, 4 * np.pi * 70_000 / 1600**2),
        (shape.compactness, RING, 4 * np.pi * 80_000 / 1600**2),  # a hole's border counts
        (shape.reock, SQUARE, 2 / np.pi),
        (shape.reock, box(0, 0, 40, 30), 1200 / (np.pi * 25**2)),
        (shape.reock, RING, 80_000 / (np.pi * 150**2 * 2)),
        (shape.rectangularity, shapely.affinity.rotate(box(0, 0, 70, 30), 33), 1),
        (shape.rectangularity, Polygon([(0, 0), (60, 0), (20, 40)]), 0.5),
        # Across its corner: 500/sqrt 2 high and 400 sqrt 2 long is 200,000 m2; upright it is 160,000.
        (shape.rectangularity, ELL, 70_000 / 160_000),
        (shape.convex_area, ELL, 160_000 - 300**2 / 2),
        # The hull's corners are (0 0), (1000 0), (1000 20), (60 160), (0 160).
        (shape.convex_area, TWO, 1000 * 20 + 60 * 140 + 940 * 140 / 2),
        (shape.piece_count, ELL, 1),
        (shape.piece_count, TWO, 2),
    ],
)  # fmt: skip
def test_known_values(measure: Any, figure: shapely.Geometry, value: float) -> None:
    assert measure(of(figure))[0] == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("measure", [shape.compactness, shape.reock, shape.rectangularity])
def test_ratios_lie_between_0_and_1_and_do_not_depend_on_place_or_scale(measure: Any) -> None:
    rng = np.random.default_rng(1)
    plots = [concave_plot(rng, 30, 3, 2e5) for _ in range(30)]
    moved = [shapely.affinity.scale(shapely.affinity.rotate(plot, 77.7), 1.7, 1.7) for plot in plots]
    value = measure(of(*plots))
    assert ((value > 0) & (value <= 1)).all()
    assert value == pytest.approx(measure(of(*moved)), rel=1e-6)
    assert measure(of(Polygon()))[0] == 0
    assert len(measure(of())) == 0


def test_no_rectangle_around_is_smaller() -> None:
    rng = np.random.default_rng(4)
    for plot in (concave_plot(rng, 25, 0, 1e5) for _ in range(20)):
        xy = shapely.get_coordinates(plot) - np.array(plot.centroid.coords[0])
        angle = np.radians(np.arange(0, 90, 0.25))[:, None]
        along = xy[:, 0] * np.cos(angle) + xy[:, 1] * np.sin(angle)
        across = xy[:, 1] * np.cos(angle) - xy[:, 0] * np.sin(angle)
        around = (np.ptp(along, axis=1) * np.ptp(across, axis=1)).min()
        assert plot.area / around <= shape.rectangularity(of(plot))[0] * (1 + 1e-9) <= plot.area / around * 1.01


@pytest.mark.parametrize(
    ("figure", "radius"),
    [
        (SQUARE, 50),
        (Point(0, 0).buffer(80, quad_segs=256), 80),
        (ELL, 100 * np.sqrt(2) / (1 + np.sqrt(2))),  # two outer sides and the inner corner: (100 - r) sqrt 2 = r
        (RING, 100 * np.sqrt(2) / (1 + np.sqrt(2))),  # in a corner of the ring
        (TWO, 30),  # the larger part is the narrower one
        (Polygon([(0, 0), (4, 0), (0, 3)]), 1),
    ],
)
def test_the_circle_of_known_shapes(figure: shapely.Geometry, radius: float) -> None:
    at = shapely.affinity.translate(figure, EAST, NORTH)
    centre, found = shape.inscribed_circle(of(at))
    assert radius - shape.CIRCLE_TOLERANCE_M <= found[0] <= radius * (1 + 1e-6)
    assert shapely.covers(at, Point(centre[0]).buffer(found[0] - 1e-6, quad_segs=64))


def test_no_circle_without_ground() -> None:
    centre, radius = shape.inscribed_circle(of(Polygon(), SQUARE))
    assert np.isnan(centre[0]).all()
    assert radius == pytest.approx([0, 50], abs=0.5)
    assert shape.inscribed_circle(of())[0].shape == (0, 2)


def test_five_hundred_circles_against_a_grid() -> None:
    rng = np.random.default_rng(6)
    plots = [
        concave_plot(rng, int(rng.integers(8, 40)), int(rng.integers(0, 6)), rng.uniform(1e4, 4e5), noise=0.05)
        for _ in range(500)
    ]
    centre, radius = shape.inscribed_circle(of(*plots))
    points, border = shapely.points(centre), shapely.boundary(plots)
    assert shapely.covers(plots, points).all()
    assert shapely.distance(border, points) == pytest.approx(radius, rel=1e-9)
    for plot, edge, found in zip(plots, border, radius, strict=True):
        west, south, east, north = plot.bounds
        x, y = np.meshgrid(np.linspace(west, east, 40), np.linspace(south, north, 40))
        inside = shapely.contains_xy(plot, x.ravel(), y.ravel())
        shapely.prepare(edge)
        clear = shapely.distance(edge, shapely.points(x.ravel()[inside], y.ravel()[inside]))
        assert clear.max() <= found + shape.CIRCLE_TOLERANCE_M


@pytest.mark.real_land
@pytest.mark.skipif(not TRUTH.is_dir(), reason="the shared reference values are not on this machine")
def test_circles_that_geos_tests_itself_with() -> None:
    cases = json.loads((TRUTH / "geos-inscribed-circle.json").read_text(encoding="utf-8"))["cases"]
    figures = of(*(shapely.from_wkt(case["wkt"]) for case in cases))
    centre, radius = shape.inscribed_circle(figures)
    wanted = np.array([case["radius"] for case in cases])
    assert (np.abs(radius - wanted) <= np.minimum(shape.CIRCLE_TOLERANCE_M, wanted / 20)).all()
    assert shapely.covers(figures, shapely.points(centre)).all()


def test_opening_rounds_corners_and_drops_what_is_narrow() -> None:
    square = shape.opened(SQUARE, 50)
    assert square.area == pytest.approx(10_000 - (4 - np.pi) * 25**2, abs=1)  # four corners less their quarter discs
    comb = SQUARE.union(box(100, 40, 300, 60)).union(box(300, 0, 400, 100))
    parts = shapely.get_parts(shape.opened(comb, 50))
    assert len(parts) == 2
    assert not shapely.intersects(parts, box(110, 40, 290, 60)).any()
    assert shape.opened(comb, 0) is comb
    assert shape.opened(comb, 150).is_empty
    assert shape.opened(Polygon(), 50).is_empty
    # 49.9 m wide is too narrow for 50 m, 50.1 m is not.
    assert shape.opened(box(0, 0, 300, 49.9), 50).is_empty
    assert not shape.opened(box(0, 0, 300, 50.1), 50).is_empty


def plain_opening(plot: shapely.Geometry, width_m: float, segments: int) -> shapely.Geometry:
    core = plot.buffer(-width_m / 2, quad_segs=segments)
    return core.buffer(width_m / 2, quad_segs=segments).intersection(plot)


@settings(max_examples=60)
@given(seed=st.integers(0, 5000), width=st.floats(10, 120), keep=st.floats(0.5, 1), dense=st.booleans())
def test_openings_equal_the_plain_formula(seed: int, width: float, keep: float, dense: bool) -> None:
    plot = concave_plot(np.random.default_rng(seed), 40, 4, 2e5)
    plot = shapely.segmentize(plot, 3.0) if dense else plot
    plain, found = plain_opening(plot, width, shape.QUAD_SEGS), shape.opened(plot, width)
    # The millimetre that thinning may move the border by.
    assert plain.symmetric_difference(found).area <= 0.005 * plot.length
    assert shapely.difference(found, plot).area < 1e-6
    parts = shape.wide_parts(plot, width, keep)
    passes = len(shapely.get_parts(plain)) == 1 and plain.area >= keep * plot.area
    if abs(plain.area / plot.area - keep) > 1e-4:
        assert (parts is None) == passes
    if parts is not None:
        assert shapely.area(parts).sum() == pytest.approx(found.area, abs=2)


def test_wide_parts_of_what_passes_and_what_is_cut() -> None:
    assert shape.wide_parts(SQUARE, 50, 0.9) is None
    assert len(shape.wide_parts(SQUARE, 50, 0.99)) == 1  # its corners are more than a hundredth
    dumbbell = SQUARE.union(box(100, 40, 200, 60)).union(box(200, 0, 300, 100))
    assert shapely.area(shape.wide_parts(dumbbell, 50, 0.5)) == pytest.approx([9700, 9700], rel=0.03)
    assert shape.wide_parts(dumbbell, 15, 0.9) is None
    assert shape.wide_parts(SQUARE, 0, 1.0) is None
    assert len(shape.wide_parts(TWO, 0, 0.1)) == 2  # two pieces are two, whatever is asked
    assert len(shape.wide_parts(SQUARE, 150, 0.9)) == 0


def test_lost_land_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The overlay library is known to return nothing, or a part, for some inward buffers: the check must see it."""
    buffer = shapely.buffer
    plot = SQUARE.union(box(100, 40, 200, 60)).union(box(200, 0, 300, 100))

    def broken(geometry: Any, distance: Any, **options: Any) -> Any:
        whole = buffer(geometry, distance, **options)
        return whole.intersection(box(0, 0, 150, 100)) if np.ndim(distance) == 0 and distance < 0 else whole

    monkeypatch.setattr(shapely, "buffer", broken)
    with pytest.raises(LianpianError, match="最小宽度"):
        shape.opened(plot, 50)
    monkeypatch.setattr(shapely, "buffer", lambda geometry, distance, **options: Polygon())
    with pytest.raises(LianpianError, match="最小宽度"):
        shape.wide_parts(SQUARE, 50, 0.9)


@pytest.mark.parametrize(
    ("roads", "reach", "metres"),
    [
        ([LineString([(-500, -10), (600, -10)])], 10, 100),  # just within reach: one side
        ([LineString([(-500, -10), (600, -10)])], 9.9, 0),
        ([LineString([(-500, -10), (600, -10)])], 15, 110),  # and five metres of each side beside it
        ([LineString([(-500, -10), (50, -10)])], 10, 50),  # it ends half way
        ([box(-30, -50, -5, 150)], 5, 100),  # a road's ground
        ([LineString([(-500, -5), (600, -5)]), LineString([(-500, -8), (600, -8)])], 5, 100),  # counted once
        ([LineString([(-5, -500), (-5, 600)]), LineString([(-500, -5), (600, -5)])], 5, 200),  # two sides
        ([None, LineString()], 50, 0),
        ([], 50, 0),
    ],
)
def test_frontage_of_a_square(roads: list[Any], reach: float, metres: float) -> None:
    move = [None if road is None else shapely.affinity.translate(road, EAST, NORTH) for road in roads]
    square = shapely.affinity.translate(SQUARE, EAST, NORTH)
    assert shape.road_frontage_m(of(square), of(*move), reach)[0] == pytest.approx(metres, abs=0.05)


def test_frontage_row_by_row() -> None:
    lots = of(SQUARE, box(0, 500, 100, 600), TWO, RING, Polygon())
    roads = of(LineString([(-500, -10), (500, -10)]), LineString([(150, 150), (160, 150)]))
    found = shape.road_frontage_m(lots, roads, 55.0)
    alone = [shape.road_frontage_m(of(lot), roads, 55.0)[0] for lot in lots]
    assert found == pytest.approx(alone)
    assert found[1] == found[4] == 0
    assert found[3] > 300 + 2 * 45  # the road inside the hole fronts the ring as well
