"""The relation and the groups do not depend on the tiles, nor on how many processes share them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from pandas.testing import assert_frame_equal
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from shapely import affinity
from shapely.geometry import LineString, MultiPolygon, Point, box

from geo.plots.borders import tiles_of
from geo.plots.contiguity import Reaches, Relation, relate
from geo.plots.exclusion import Walls
from geo.plots.plot import find_plots
from geo.plots.proximity import groups_within
from tests.plots.coverages import coverage
from tests.plots.figures import barriers, control_lines, parcels

LAYER = coverage(5, seed=11)
REACHES = Reaches(20.0, 0.1, (0.0, 5.0, 45.0), road_gap_m=30.0)


def lines(kind: str, *shapes: shapely.Geometry) -> Walls:
    kinds = np.full(len(shapes), kind, dtype=object)
    return Walls(np.array(shapes, dtype=object), kinds, kinds)


WALLS = lines(
    "railway",
    LineString([(500_000, 3_540_300), (501_500, 3_540_700)]),
    Point(500_700, 3_540_500).buffer(90, quad_segs=64),  # heavy enough to be subdivided
)
ROADS = np.array([LineString([(500_300, 3_540_000), (500_320, 3_542_000)]).buffer(6)], dtype=object)


def told(relation: Relation) -> dict[str, Any]:
    return {
        "pairs": relation.pairs, "facing": relation.facing, "gap": relation.narrowest_m, "blocked": relation.blocked,
        "blocked_m": relation.blocked_m,
    }  # fmt: skip


def assert_same(one: Relation, other: Relation) -> None:
    for name, value in told(one).items():
        np.testing.assert_allclose(value, told(other)[name], rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("tile_vertices", [30, 100, 1000])
def test_the_relation_does_not_depend_on_the_tiles(tile_vertices: int) -> None:
    whole = relate(LAYER, WALLS, REACHES, ROADS, tile_vertices=10**9)
    assert len(whole.blocked) > 20
    assert len(whole.pairs) > len(LAYER)
    assert_same(whole, relate(LAYER, WALLS, REACHES, ROADS, tile_vertices=tile_vertices))


def test_nor_on_the_processes() -> None:
    alone = relate(LAYER, WALLS, REACHES, ROADS, tile_vertices=500)
    assert_same(alone, relate(LAYER, WALLS, REACHES, ROADS, tile_vertices=500, processes=2))


def test_plots_do_not_depend_on_the_processes() -> None:
    land = parcels(box(0, 0, 400, 500), box(414, 0, 814, 500), box(830, 0, 1200, 500), box(2000, 0, 2700, 500))
    layers: Any = {
        "barriers": barriers("railway", LineString([(822, -50), (822, 550)]), width_m=4),
        "control_lines": control_lines("basic_farmland", box(0, 0, 100, 30)),
    }
    one, two = (find_plots(land, processes=count, **layers) for count in (1, 2))
    assert_frame_equal(one.plots, two.plots)
    assert one.ladder == two.ladder


def test_tiles_cover_the_plane_once_and_know_what_is_within_reach() -> None:
    boxes = shapely.bounds(LAYER)
    vertices = shapely.get_num_coordinates(LAYER).astype(np.int64)
    tiles = list(tiles_of(boxes, vertices, 20.0, 200))
    assert len(tiles) > 4
    points = np.random.default_rng(1).uniform(boxes.min(axis=0)[:2], boxes.max(axis=0)[2:], (500, 2))
    holds = np.array(
        [(points[:, 0] >= w) & (points[:, 0] < e) & (points[:, 1] >= s) & (points[:, 1] < n) for w, s, e, n in
         (tile.box for tile in tiles)]
    )  # fmt: skip
    assert (holds.sum(axis=0) == 1).all()
    for tile in tiles:
        near = shapely.box(*np.clip(tile.box, -1e9, 1e9)).buffer(20.0, cap_style="square")
        assert set(np.flatnonzero(shapely.intersects(near, LAYER))) <= set(tile.rows.tolist())


# --- groups by distance alone


def by_pairs(layer: Any, gap_m: float) -> Any:
    """The usual way: all pairs within the distance, then components."""
    first, second = shapely.STRtree(layer).query(layer, predicate="dwithin", distance=gap_m + 1e-9)
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(len(layer), len(layer)))
    return connected_components(graph, directed=False)[1]


def partition(label: Any) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(label == one).tolist()) for one in np.unique(label)}


@pytest.mark.parametrize("gap_m", [0.0, 0.1, 5.0, 7.9, 20.0, 45.0])
@pytest.mark.parametrize("shifted", [0.0, 0.05])
@pytest.mark.parametrize("tile_vertices", [60, 100_000])
def test_groups_are_those_of_all_pairs(gap_m: float, shifted: float, tile_vertices: int) -> None:
    layer = coverage(4, seed=5, shifted=shifted)
    layer = layer[np.random.default_rng(2).random(len(layer)) < 0.6]
    found = groups_within(layer, gap_m, tile_vertices=tile_vertices)
    assert partition(found) == partition(by_pairs(layer, gap_m))


def test_groups_of_land_that_lies_in_other_land() -> None:
    ring = box(0, 0, 500, 500).difference(box(100, 100, 400, 400))
    layer = np.array(
        [
            ring,
            box(200, 200, 300, 300),  # in the hole, 100 m from the ring
            box(20, 20, 40, 40),  # on the ring's own land, further than the gap from its border
            MultiPolygon([box(2000, 0, 2010, 10), box(3000, 0, 3010, 10)]),  # parts hold together by being one
            box(3015, 0, 3025, 10),
            shapely.Polygon(),
        ],
        dtype=object,
    )
    assert partition(groups_within(layer, 8.0)) == {
        frozenset({0, 2}),
        frozenset({1}),
        frozenset({3, 4}),
        frozenset({5}),
    }


def test_groups_are_numbered_by_their_first_member() -> None:
    layer = np.array([box(0, 0, 1, 1), box(50, 0, 51, 1), box(1.5, 0, 2, 1), box(51.5, 0, 52, 1)], dtype=object)
    assert groups_within(layer, 1.0).tolist() == [0, 1, 0, 1]


def test_a_slanted_strip_through_several_tiles_joins_nothing_far_from_it() -> None:
    rng = np.random.default_rng(1)
    for _ in range(60):
        at = rng.uniform(0, 600, (14, 2))
        turn = rng.uniform(0, 180, 14)
        long = rng.uniform(5, 300, 14)
        layer = np.array(
            [
                affinity.rotate(box(x, y, x + metres, y + 9), angle)
                for (x, y), angle, metres in zip(at, turn, long, strict=True)
            ],
            dtype=object,
        )
        assert partition(groups_within(layer, 20.0, tile_vertices=12)) == partition(by_pairs(layer, 20.0))
