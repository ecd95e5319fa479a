"""What must hold whatever the land looks like: of small districts, drawn by hypothesis or at random from a seed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
import shapely.affinity
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, Polygon, box

from geo import crs
from geo.plots.parameters import PlotRules
from tests.plots import oracle
from tests.plots.figures import LON, Barrier, Line, Other, Shares, layers, shares
from tests.plots.test_oracle import batch, random_district

# Plots of 30 mu at least 20 m wide; and bare groups, every piece in one.
SMALL = PlotRules(min_area_m2=20_000, min_width_m=20, ladder_m=())
GROUPS = PlotRules(min_area_m2=1, min_width_m=0, ladder_m=())
CELL_M = 90.0

Drawn = Barrier | Line | Other


@st.composite
def districts(draw: st.DrawFn) -> list[Polygon]:
    """Rectangles on a lattice: some touch, some face each other across 3 to 23 m, some along less than the frontage.

    No two of them lie within a centimetre of a threshold, so that rounding decides nothing.
    """
    shapes = []
    for column in range(draw(st.integers(2, 4))):
        up = draw(st.sampled_from([0.0, 0.0, 31.7, 80.3, 83.1]))  # columns side by side, shifted, or passing along 6 m
        for row in range(draw(st.integers(2, 4))):
            if draw(st.integers(0, 4)):
                margin = draw(st.sampled_from([0.0, 0.0, 0.04, 3.3, 8.7, 13.1, 22.6]))
                x, y = column * CELL_M, row * CELL_M + up
                shapes.append(box(x + margin, y, x + CELL_M, y + CELL_M - margin))
    return shapes or [box(0, 0, CELL_M, CELL_M)]


@st.composite
def walls(draw: st.DrawFn) -> list[Barrier]:
    """Up to two barriers through or into the district."""
    found = []
    for _ in range(draw(st.integers(0, 2))):
        start, end = ((draw(st.integers(-50, 400)) + 0.37, draw(st.integers(-50, 400)) + 0.11) for _ in range(2))
        if start != end:
            kind = draw(st.sampled_from(["railway", "river", "motorway", "local_road"]))
            found.append(Barrier(kind, LineString([start, end]), draw(st.sampled_from([np.nan, 6.0, 30.0]))))
    return found


def search(land: list[Any], drawn: list[Drawn] | None = None, rules: PlotRules = GROUPS, **place: Any) -> Shares:
    return shares(layers(land, *(drawn or []), **place), rules)


def named(found: Shares) -> list[tuple[list[str], float]]:
    """The plots by their members and land, in an order of their own."""
    groups = (rows for _, rows in found.members.groupby("plot_id"))
    return sorted((sorted(rows["parcel_id"]), round(float(rows["area_m2"].sum()), 1)) for rows in groups)


def same(here: Shares, there: Shares, within_m2: float = 0.5) -> bool:
    """Whether two answers have the same plots: the same members with the same land."""
    first, second = named(here), named(there)
    return [members for members, _ in first] == [members for members, _ in second] and all(
        abs(a - b) <= within_m2 for (_, a), (_, b) in zip(first, second, strict=True)
    )


def points_of(found: Shares) -> tuple[Any, Any]:
    """A point in each piece of land of each plot, and the plot's name."""
    parts, row = shapely.get_parts(np.asarray(found.members.geometry.array), return_index=True)
    return shapely.point_on_surface(parts), found.members["plot_id"].to_numpy(dtype=object)[row]


def splits(fine: Shares, coarse: Shares) -> list[str]:
    """Plots of one answer whose land is in no plot, or in several plots, of another."""
    point, plot = points_of(fine)
    ground = np.asarray(coarse.members.geometry.array)
    row, member = shapely.STRtree(ground).query(point, predicate="intersects")
    there = coarse.members["plot_id"].to_numpy(dtype=object)[member]
    wrong = []
    for name in np.unique(plot.astype(str)):
        mine = np.flatnonzero(plot == name)
        met = {other for index in mine for other in there[row == index]}
        if len(met) != 1 or not np.isin(mine, row).all():
            wrong.append(name)
    return wrong


# --- how the land is written down -------------------------------------------------------------------------------------


@settings(max_examples=12)
@given(districts(), walls(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(land: list[Any], drawn: list[Barrier], random: Any) -> None:
    tables = layers(land, *drawn)
    shuffled: dict[str, gpd.GeoDataFrame] = {}
    for name, table in tables.items():
        rows = list(range(len(table)))
        random.shuffle(rows)
        shuffled[name] = table.iloc[rows]
    assert same(shares(tables, SMALL), shares(shuffled, SMALL))


@settings(max_examples=12)
@given(districts(), walls(), st.floats(0, 360), st.floats(-3000, 3000), st.floats(-3000, 3000))
def test_rotation_and_translation_change_nothing(
    land: list[Any], drawn: list[Barrier], turn: float, east: float, north: float
) -> None:
    assert same(search(land, drawn, SMALL), search(land, drawn, SMALL, turn=turn, shift=(east, north)))


@settings(max_examples=12)
@given(districts(), walls(), st.floats(3, 60))
def test_more_vertices_change_nothing(land: list[Any], drawn: list[Barrier], every: float) -> None:
    dense = [shapely.segmentize(shape, every) for shape in land]
    lines = [wall._replace(shape=shapely.segmentize(wall.shape, every)) for wall in drawn]
    assert same(search(land, drawn, SMALL), search(dense, lines, SMALL))


@settings(max_examples=12)
@given(districts(), walls(), st.lists(st.booleans(), min_size=16, max_size=16), st.integers(0, 3))
def test_where_a_ring_starts_and_which_way_it_runs_change_nothing(
    land: list[Any], drawn: list[Barrier], turned: list[bool], start: int
) -> None:
    def written(shape: Any, reverse: bool) -> Any:
        ring = np.roll(shapely.get_coordinates(shape)[:-1], start, axis=0)
        return Polygon(ring[::-1] if reverse else ring)

    other = [written(shape, reverse) for shape, reverse in zip(land, turned, strict=False)]
    backwards = [wall._replace(shape=shapely.reverse(wall.shape)) for wall in drawn]
    assert same(search(land, drawn, SMALL), search(other, backwards, SMALL))


@settings(max_examples=25)
@given(districts(), st.integers(0, 15), st.floats(0, 180), st.floats(0.2, 0.8))
def test_splitting_a_parcel_along_a_line_changes_nothing(land: list[Any], which: int, turn: float, at: float) -> None:
    """As the model says it: as long as each part still faces, along the frontage, what the whole faced."""
    whole = land[which % len(land)]
    rest = [shape for shape in land if shape is not whole]
    west, south, east, north = whole.bounds
    middle = (west + at * (east - west), south + at * (north - south))
    line = shapely.affinity.rotate(LineString([(middle[0] - 200, middle[1]), (middle[0] + 200, middle[1])]), turn)
    parts = oracle.split(whole, [line])
    assume(len(parts) == 2)
    before = facing_of([whole], rest)
    after = facing_of(parts, rest)
    kept = {other for part in after for other, metres in part.items() if metres >= SMALL.frontage_m + 0.1}
    lost = {other for other, metres in before[0].items() if metres >= SMALL.frontage_m} - kept
    assume(not lost and oracle.face(ground_of(parts), SMALL).least_m.max(initial=0) >= SMALL.frontage_m)
    for rules in (GROUPS, SMALL):
        first, second = search([whole, *rest], rules=rules), search([*parts, *rest], rules=rules)
        assert sorted(area for _, area in named(first)) == pytest.approx(
            sorted(area for _, area in named(second)), abs=0.5
        )


def ground_of(pieces: list[Any]) -> oracle.Ground:
    nothing = np.empty(0, dtype=object)
    return oracle.Ground(oracle.as_array(pieces), np.arange(len(pieces)), nothing, nothing, set())


def facing_of(parts: list[Any], rest: list[Any]) -> list[dict[int, float]]:
    """What each part faces of the rest, metres."""
    facing = oracle.face(ground_of([*parts, *rest]), GROUPS)
    found: list[dict[int, float]] = [{} for _ in parts]
    for (first, second), metres in zip(facing.pairs, facing.least_m, strict=True):
        if first < len(parts) <= second:
            found[first][int(second) - len(parts)] = float(metres)
    return found


# --- gaps and barriers ------------------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(districts(), walls(), st.floats(0, 40), st.floats(0, 40))
def test_a_larger_gap_never_splits(land: list[Any], drawn: list[Barrier], first: float, second: float) -> None:
    low, high = sorted((first, second))
    small, large = (search(land, drawn, replace(GROUPS, gap_m=gap)) for gap in (low, high))
    assert splits(small, large) == []


@settings(max_examples=20)
@given(districts(), walls(), st.floats(0, 30), st.floats(1, 40))
def test_a_shorter_frontage_never_splits(land: list[Any], drawn: list[Barrier], low: float, more: float) -> None:
    long, short = (search(land, drawn, replace(GROUPS, frontage_m=metres)) for metres in (low + more, low))
    assert splits(long, short) == []


@settings(max_examples=20)
@given(districts(), walls(), walls())
def test_an_added_barrier_never_joins(land: list[Any], drawn: list[Barrier], more: list[Barrier]) -> None:
    assert splits(search(land, [*drawn, *more]), search(land, drawn)) == []


@pytest.mark.parametrize("seeds", [range(2000, 2040)])
def test_a_larger_gap_never_splits_anywhere(seeds: range) -> None:
    made = batch(seeds)
    ladder = [search(made.land, made.drawn, replace(GROUPS, gap_m=gap)) for gap in (0.0, 5.0, 12.0, 20.0, 45.0)]
    for small, large in pairwise(ladder):
        assert splits(small, large) == []


# --- the account ------------------------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(st.integers(3000, 9999), st.sampled_from([0.0, 10.0, 20.0]), st.sampled_from([0.0, 20.0, 40.0]))
def test_no_land_is_lost_and_none_is_won(seed: int, gap_m: float, min_width_m: float) -> None:
    made = random_district(np.random.default_rng(seed))
    found = search(made.land, made.drawn, replace(SMALL, gap_m=gap_m, min_width_m=min_width_m))
    account = found.balance
    rest = account["cut_m2"] + account["plots_m2"] + account["leftovers_m2"]
    assert rest == pytest.approx(account["eligible_m2"], rel=1e-9, abs=1e-3)
    assert account["eligible_m2"] == pytest.approx(shapely.area(made.land).sum(), rel=1e-6)
    # The same of the ground itself: members and leftovers cover what is left of the parcels once, and nothing else.
    ground, left = (
        np.concatenate([crs.to_metric(np.asarray(table.geometry.array), LON) for table in tables])
        for tables in ((found.members, found.leftovers), (found.land,))
    )
    assert shapely.area(ground).sum() == pytest.approx(shapely.area(left).sum(), abs=0.1)
    apart = shapely.union_all(ground, grid_size=1e-4).symmetric_difference(shapely.union_all(left, grid_size=1e-4))
    assert apart.buffer(-0.01).area == 0
    inside = found.members.groupby("plot_id")["area_m2"].sum().to_numpy()
    assert (inside >= SMALL.min_area_m2 - 1e-3).all()


# --- a dirty coverage -------------------------------------------------------------------------------------------------


def coverage(rng: np.random.Generator) -> list[Polygon]:
    """Blocks of touching parcels with lanes of 7 m and a street of 28 m between them, some parcels missing."""
    columns = [(0, 60), (60, 115), (115, 190), (197, 247), (247, 302), (302, 380), (408, 458), (458, 530)]
    rows = [(0, 48), (48, 101), (101, 160), (167, 221), (221, 300), (328, 379), (379, 441)]
    return [box(west, south, east, north) for west, east in columns for south, north in rows if rng.uniform() > 0.15]


@pytest.mark.parametrize("gap_m", [0.0, 20.0])
@pytest.mark.parametrize("seed", range(6))
def test_a_dirty_coverage_gives_the_plots_of_the_clean_one(seed: int, gap_m: float) -> None:
    rng = np.random.default_rng(seed)
    clean = coverage(rng)
    dirty = list(clean)
    chosen = rng.permutation(len(clean))
    for row in chosen[: max(len(clean) // 20, 2)]:  # shifted by 5 cm at most
        turn, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.01, 0.049)
        dirty[row] = shapely.affinity.translate(clean[row], far * np.cos(turn), far * np.sin(turn))
    for row in chosen[-4:-2]:  # drawn 4 cm too large: it overlaps its neighbours
        dirty[row] = clean[row].buffer(0.04, join_style="mitre")
    for row in chosen[-2:]:  # drawn 4 cm too small: cracks all around
        dirty[row] = clean[row].buffer(-0.04, join_style="mitre")
    rules = replace(SMALL, gap_m=gap_m)
    first, second = search(clean, rules=rules), search(dirty, rules=rules)
    assert len(first.members) > 5
    assert [members for members, _ in named(first)] == [members for members, _ in named(second)]
    assert [area for _, area in named(first)] == pytest.approx([area for _, area in named(second)], rel=2e-3)


def test_slivers_between_parcels_change_no_plot() -> None:
    rng = np.random.default_rng(1)
    clean = coverage(rng)
    # The crack that a parcel drawn 4 cm too small leaves is a parcel itself, and another lies upon a shared border.
    small = clean[3].buffer(-0.04, join_style="mitre")
    slivers = [clean[3] - small, *(shape.boundary.buffer(0.03) for shape in clean[8:10])]
    dirty = [*clean[:3], small, *clean[4:], *slivers]
    for gap_m in (0.0, 20.0):
        rules = replace(SMALL, gap_m=gap_m)
        first, second = search(clean, rules=rules), search(dirty, rules=rules)
        parcels = {f"P{row:03d}" for row in range(len(clean))}
        assert [members for members, _ in named(first)] == [
            sorted(set(members) & parcels) for members, _ in named(second)
        ]
        assert [area for _, area in named(first)] == pytest.approx([area for _, area in named(second)], rel=2e-3)


# --- how the work is shared -------------------------------------------------------------------------------------------


def test_several_processes_give_the_same_answer() -> None:
    made = batch(range(4000, 4060))
    tables = layers(made.land, *made.drawn)
    alone, together = (shares(tables, SMALL, processes=count) for count in (1, 2))
    assert alone.balance == together.balance
    for name in ("members", "leftovers", "land"):
        one, two = getattr(alone, name), getattr(together, name)
        assert one.drop(columns="geometry").equals(two.drop(columns="geometry"))
        assert shapely.equals_exact(np.asarray(one.geometry.array), np.asarray(two.geometry.array)).all()
