"""What each exclusion costs, worked by hand, and the account that it must keep."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.affinity import rotate, translate
from shapely.geometry import LineString, MultiPolygon, Point, box

from geo import crs
from geo.plots.exclusion import Pieces, cut
from geo.plots.overlaps import overlapping_pairs, resolve_overlaps
from geo.plots.parameters import PlotRules
from geo.plots.splitting import split_along
from geo.plots.subdividing import subdivide, subtract
from tests.plots.figures import EAST, LON, NORTH

GK = crs.metric_crs(LON)
RULES = PlotRules()


def land(*shapes: Any) -> gpd.GeoDataFrame:
    placed = [translate(shape, EAST, NORTH) for shape in shapes]
    return gpd.GeoDataFrame({"parcel_id": [f"P{k:03d}" for k in range(len(shapes))]}, geometry=placed, crs=GK)


def lines(*pairs: tuple[str, Any]) -> gpd.GeoDataFrame:
    kinds, shapes = zip(*pairs, strict=True)
    return land(*shapes).assign(kind=list(kinds), name=None)


def walls(*rows: tuple[str, Any, float, float]) -> gpd.GeoDataFrame:
    kinds, shapes, width, setback = zip(*rows, strict=True)
    names = [f"B{k}" for k in range(len(rows))]
    return land(*shapes).assign(barrier_id=names, name=names, kind=list(kinds), width_m=width, setback_m=setback)


def cost(pieces: Pieces) -> dict[str, float]:
    """Square metres by reason."""
    area = shapely.area(np.asarray(pieces.losses["geometry"], dtype=object))
    return {str(k): round(v, 2) for k, v in pd.Series(area).groupby(pieces.losses["reason"].to_numpy()).sum().items()}


NONE = float("nan")
FIELD = box(0, 0, 400, 500)  # 200,000 m²


@pytest.mark.parametrize(
    ("control", "barrier", "expected", "left_m2"),
    [
        (("basic_farmland", box(300, 0, 900, 500)), None, {"basic_farmland": 50_000}, 150_000),
        (("ecological_redline", box(100, 100, 200, 200)), None, {"ecological_redline": 10_000}, 190_000),
        (("urban_boundary", box(0, 0, 300, 500)), None, {"urban_boundary": 50_000}, 150_000),  # the outside is cut
        (("urban_boundary", box(0, 600, 300, 900)), None, {"urban_boundary": 200_000}, 0),
        (("industrial_line", box(0, 0, 300, 500)), None, {}, 200_000),
        (("basic_farmland", box(400, 0, 900, 500)), None, {}, 200_000),  # a shared edge costs nothing
        (None, ("railway", LineString([(200, -9), (200, 509)]), 10, NONE), {"railway": 5_000}, 195_000),
        (None, ("railway", LineString([(200, -9), (200, 509)]), NONE, NONE), {}, 200_000),  # splits without area
        (None, ("railway", LineString([(200, -9), (200, 300)]), 10, NONE), {"railway": 3_000}, 197_000),  # flat end
        (None, ("river", box(200, 0, 260, 500), NONE, 0), {"river": 30_000}, 170_000),
        (None, ("local_road", LineString([(200, -9), (200, 509)]), 24, NONE), {}, 200_000),
        (None, ("local_road", LineString([(200, -9), (200, 509)]), 25, NONE), {"local_road": 12_500}, 187_500),
        (None, ("power_line", LineString([(200, -99), (200, 599)]), NONE, 10), {"setback_power_line": 10_000}, 190_000),
        (
            None,
            ("motorway", LineString([(200, -99), (200, 599)]), 28, 30),
            {"motorway": 14_000, "setback_motorway": 30_000},
            156_000,
        ),
        # 4 m beside the farmland are left over, narrower than 5 m; 6 m would be land.
        (("basic_farmland", box(4, 0, 900, 500)), None, {"basic_farmland": 198_000, "sliver": 2_000}, 0),
        (("basic_farmland", box(6, 0, 900, 500)), None, {"basic_farmland": 197_000}, 3_000),
    ],
)  # fmt: skip
def test_what_an_exclusion_costs(control: Any, barrier: Any, expected: dict[str, float], left_m2: float) -> None:
    pieces = cut(land(FIELD), lines(control) if control else None, walls(barrier) if barrier else None, RULES)
    assert cost(pieces) == expected
    assert shapely.area(pieces.geometry).sum() == pytest.approx(left_m2, abs=1e-3)


def test_land_that_two_exclusions_claim_is_told_once() -> None:
    # Farmland takes its 100 m first; the railway 10 m by 300 m of the rest, its set-back 2 × 5 m; then steep ground.
    control = lines(("basic_farmland", box(300, 0, 900, 500)), ("ecological_redline", box(350, 0, 900, 500)))
    barrier = walls(("railway", LineString([(-50, 250), (450, 250)]), 10, 5))
    steep = land(box(-10, -10, 300, 250))
    pieces = cut(land(FIELD), control, barrier, RULES, steep)
    assert cost(pieces) == {
        "basic_farmland": 50_000, "railway": 3_000, "setback_railway": 3_000, "steep_slope": 300 * 240,
    }  # fmt: skip
    assert list(dict.fromkeys(pieces.losses["reason"])) == list(cost(pieces))


def test_overlaps_cost_the_larger_parcel() -> None:
    pieces = cut(land(FIELD, box(300, 0, 600, 500)), None, None, RULES)
    assert cost(pieces) == {"overlap": 50_000}
    assert list(pieces.losses["parcel"]) == [0]
    stacked = cut(land(FIELD, FIELD, FIELD), None, None, RULES)
    assert cost(stacked) == {"overlap": 400_000}
    assert list(stacked.parcel) == [0]  # of equal ones the smallest id keeps the land


def test_walls_and_roads() -> None:
    middle = LineString([(200, -9), (200, 509)])
    barrier = walls(
        ("railway", middle, NONE, NONE), ("local_road", middle, 12, NONE), ("local_road", middle, 25, NONE),
        ("local_road", middle, NONE, NONE), ("power_line", middle, 10, NONE),
    )  # fmt: skip
    control = lines(("basic_farmland", box(500, 0, 900, 500)), ("urban_boundary", box(-9, -9, 900, 500)))
    pieces = cut(land(FIELD), control, barrier, RULES)
    assert sorted(zip(pieces.walls.kind, pieces.walls.name, strict=True), key=str) == [
        ("basic_farmland", None), ("local_road", "B2"), ("local_road", "B3"), ("railway", "B0"),
    ]  # fmt: skip
    assert list(pieces.roads.name) == ["B1"]
    assert pieces.roads.geometry[0].area == pytest.approx(12 * 518)
    assert pieces.unassessed == ("B3",)


def test_a_road_that_may_be_bridged_has_no_gap_at_its_bend() -> None:
    bend = [LineString([(0, 0), (100, 0)]), LineString([(100, 0), (100, 100)])]
    roads = cut(land(FIELD), None, walls(*(("local_road", line, 20, NONE) for line in bend)), RULES).roads
    ground = shapely.union_all(roads.geometry)
    assert ground.geom_type == "Polygon"
    assert ground.covers(translate(Point(106, -6), EAST, NORTH))


def test_only_what_is_cut_is_touched() -> None:
    parcels = land(FIELD, box(400, 0, 800, 500), MultiPolygon([box(900, 0, 902, 9), box(950, 0, 960, 9)]))
    pieces = cut(parcels, lines(("basic_farmland", box(-9, 0, 100, 500))), None, RULES)
    assert shapely.equals_identical(pieces.geometry[1], parcels.geometry.array[1])
    assert list(pieces.parcel) == [0, 1, 2, 2]


# --- overlaps ---------------------------------------------------------------------------------------------------------

_LONG_AND_TWO_BESIDE = (box(0, 0, 300, 90), box(0, 90, 100, 200), box(100, 90, 300, 200))
_TURNED = [rotate(shape, 17, origin=(0, 0)) for shape in _LONG_AND_TWO_BESIDE]
_YARD = box(0, 0, 100, 100).difference(box(10, 10, 90, 100))


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (box(0, 0, 10, 10), box(10, 0, 20, 10), False),  # an edge
        (box(0, 0, 10, 10), box(10, 10, 20, 20), False),  # a corner
        (box(0, 0, 10, 10), box(9.999, 0, 20, 10), True),  # a millimetre
        (box(0, 0, 10, 10), box(0, 0, 10, 10), True),  # the same
        (box(0, 0, 10, 10), box(2, 2, 8, 8), True),  # within
        (box(0, 0, 10, 10), box(0, 0, 5, 10), True),  # its half
        (box(0, 4, 10, 6), box(4, 0, 6, 10), True),  # a cross: no vertex of either lies in the other
        (box(0, 0, 10, 10).difference(box(2, 2, 8, 8)), box(2, 2, 8, 8), False),  # fills the hole
        (box(0, 0, 10, 10).difference(box(2, 2, 8, 8)), box(1.9, 2, 8, 8), True),
        (MultiPolygon([box(0, 0, 1, 1), box(5, 5, 6, 6)]), MultiPolygon([box(5, 5, 6, 6), box(9, 9, 10, 10)]), True),
        (_TURNED[0], _TURNED[1], False),  # an edge with a vertex on one side only: rounding overlaps by nanometres
        (_TURNED[0], _TURNED[2], False),
        (_YARD, box(20, 20, 80, 80), False),  # in the other's bay
        (_YARD, box(20, 5, 80, 80), True),
        (Point(0, 0).buffer(50, quad_segs=64), Point(99.9, 0).buffer(50, quad_segs=64), True),
    ],
)  # fmt: skip
def test_which_parcels_overlap(one: Any, other: Any, overlap: bool) -> None:
    shapes = np.array([translate(shape, EAST, NORTH) for shape in (one, other)])
    assert bool(len(overlapping_pairs(shapes)[0])) is overlap
    assert bool(len(overlapping_pairs(shapes[::-1])[0])) is overlap


@st.composite
def clutter(draw: st.DrawFn) -> list[Any]:
    """Rectangles on half a metre's lattice, turned as one: many share edges, some are stacked, some overlap."""
    angle = draw(st.sampled_from([0.0, 17.0, 45.0]))
    shapes = []
    for _ in range(draw(st.integers(2, 7))):
        x, y = draw(st.integers(0, 12)), draw(st.integers(0, 12))
        width, height = draw(st.integers(1, 8)), draw(st.integers(1, 8))
        shape = box(20 * x, 20 * y, 20 * (x + width), 20 * (y + height))
        hole = box(20 * x + 5, 20 * y + 5, 20 * x + 15, 20 * y + 15)
        shapes.append(rotate(shape.difference(hole) if draw(st.booleans()) else shape, angle, origin=(0, 0)))
    return shapes


@settings(max_examples=60, deadline=None)
@given(clutter())
def test_overlaps_are_those_of_the_exact_overlay(shapes: list[Any]) -> None:
    geometry = np.array([translate(shape, EAST, NORTH) for shape in shapes])
    first, second = np.triu_indices(len(geometry), 1)
    # On this lattice an overlap has 10 m² at least.
    real = shapely.area(shapely.intersection(geometry[first], geometry[second])) > 1.0
    expected = set(zip(first[real], second[real], strict=True))
    assert set(zip(*overlapping_pairs(geometry), strict=True)) == expected
    resolved, taken = resolve_overlaps(geometry, np.array([f"P{k}" for k in range(len(geometry))], dtype=object))
    lost = np.where(shapely.is_missing(taken), 0.0, shapely.area(taken))
    assert shapely.area(resolved) + lost == pytest.approx(shapely.area(geometry), abs=1e-5)
    assert shapely.area(resolved).sum() == pytest.approx(shapely.union_all(geometry).area, abs=1e-4)


# --- subtraction and splitting ----------------------------------------------------------------------------------------


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3))
def test_subtraction_in_tiles_equals_the_plain_one(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    corner, size = rng.uniform(0, 900, (40, 2)), rng.uniform(5, 200, (40, 2))
    targets = shapely.box(*corner.T, *(corner + size).T)
    angle = np.linspace(0, 2 * np.pi, 700, endpoint=False)
    stars = [
        shapely.Polygon(np.column_stack([np.cos(angle), np.sin(angle)]) * rng.uniform(150, 250, (700, 1)) + middle)
        for middle in rng.uniform(200, 800, (count, 2))
    ]
    constraints = np.array(stars)
    kept, taken = subtract(targets, constraints)
    whole = shapely.union_all(constraints)
    assert shapely.area(kept) == pytest.approx(shapely.area(shapely.difference(targets, whole)), abs=1e-6)
    lost = np.where(shapely.is_missing(taken), 0, shapely.area(taken))
    assert shapely.area(kept) + lost == pytest.approx(shapely.area(targets), abs=1e-5)


def test_tiles_cover_the_ground_once() -> None:
    star = Point(0, 0).buffer(500, quad_segs=2000).difference(Point(100, 0).buffer(200, quad_segs=500))
    tiles = subdivide(np.array([star]), 64)
    assert shapely.get_num_coordinates(tiles).max() <= 64
    assert shapely.area(tiles).sum() == pytest.approx(star.area)
    assert shapely.union_all(tiles).area == pytest.approx(star.area)


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        (LineString([(200, -9), (200, 509)]), 2),
        (LineString([(200, 0), (200, 500)]), 2),  # from edge to edge
        (LineString([(200, -9), (200, 300)]), 1),  # a dead end
        (LineString([(0, -9), (0, 509)]), 1),  # along the border
        (LineString([(200, -9), (200, 250), (300, 250), (300, -9)]), 2),
    ],
)
def test_a_line_splits_where_it_goes_through(line: LineString, parts: int) -> None:
    split = split_along(np.array([FIELD]), np.array([line]))
    assert len(shapely.get_parts(split)) == parts
    assert shapely.area(split)[0] == pytest.approx(200_000)
    holed = MultiPolygon([box(500, 0, 600, 100), box(700, 0, 800, 100).difference(box(720, 20, 740, 40))])
    assert split_along(np.array([FIELD, holed]), np.array([line]))[1] is holed


# --- properties of the whole cut --------------------------------------------------------------------------------------

_KINDS = ("basic_farmland", "ecological_redline", "urban_boundary")


@st.composite
def districts(draw: st.DrawFn) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    def rectangle(most: int) -> Any:
        x, y, w, h = (draw(st.integers(0, 30)) for _ in range(4))
        return box(10 * x, 10 * y, 10 * x + 10 * min(w + 1, most), 10 * y + 10 * min(h + 1, most))

    parcels = [rectangle(12) for _ in range(draw(st.integers(1, 8)))]
    control = [(draw(st.sampled_from(_KINDS)), rectangle(20)) for _ in range(draw(st.integers(0, 4)))]
    barrier = [
        (
            draw(st.sampled_from(["railway", "local_road", "power_line", "river", "motorway"])),
            LineString([(draw(st.integers(0, 300)), -50), (draw(st.integers(0, 300)), draw(st.integers(0, 400)))]),
            draw(st.sampled_from([NONE, 8.0, 30.0])),
            draw(st.sampled_from([NONE, 0.0, 15.0])),
        )
        for _ in range(draw(st.integers(0, 4)))
    ]
    steep = [rectangle(9) for _ in range(draw(st.integers(0, 2)))]
    return parcels, control, barrier, steep


def run(district: Any, order: Any = None) -> tuple[gpd.GeoDataFrame, Pieces]:
    parcels, control, barrier, steep = district
    table = land(*parcels)
    shuffled = (lambda frame: frame) if order is None else order
    pieces = cut(
        shuffled(table), shuffled(lines(*control)) if control else None, shuffled(walls(*barrier)) if barrier else None,
        RULES, shuffled(land(*steep)) if steep else None,
    )  # fmt: skip
    return shuffled(table), pieces


@settings(max_examples=60, deadline=None)
@given(districts())
def test_what_is_kept_and_what_was_taken_is_what_there_was(district: Any) -> None:
    table, pieces = run(district)
    taken = shapely.area(np.asarray(pieces.losses["geometry"], dtype=object))
    lost = np.bincount(pieces.losses["parcel"].to_numpy(dtype=np.int64), taken, minlength=len(table))
    kept = np.bincount(pieces.parcel, shapely.area(pieces.geometry), minlength=len(table))
    assert kept + lost == pytest.approx(table.area.to_numpy(), abs=1e-3)
    # And nothing is kept twice.
    assert shapely.union_all(pieces.geometry).area == pytest.approx(shapely.area(pieces.geometry).sum(), abs=1e-3)


@settings(max_examples=40, deadline=None)
@given(districts(), st.integers(0, 1000))
def test_the_order_of_the_rows_changes_nothing(district: Any, seed: int) -> None:
    def shuffled(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        return frame.sample(frac=1, random_state=seed).reset_index(drop=True)

    (table, base), (mixed, other) = run(district), run(district, shuffled)

    def by_parcel(frame: gpd.GeoDataFrame, pieces: Pieces) -> pd.Series:
        name = frame["parcel_id"].to_numpy()[pieces.losses["parcel"].to_numpy(dtype=np.int64)]
        area = shapely.area(np.asarray(pieces.losses["geometry"], dtype=object))
        lost = pd.Series(area).groupby([name, pieces.losses["reason"].to_numpy()]).sum()
        return lost[lost > 1e-3].round(3).sort_index()

    assert cost(other) == pytest.approx(cost(base), abs=0.05)
    pd.testing.assert_series_equal(by_parcel(table, base), by_parcel(mixed, other), atol=0.01)
    assert shapely.area(other.geometry).sum() == pytest.approx(shapely.area(base.geometry).sum(), abs=1e-3)
