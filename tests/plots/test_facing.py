"""The facing length against hand-drawn figures and against a slow oracle that casts rays."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import shapely
import shapely.affinity
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, Polygon, box

from geo.plots.contiguity import Reaches, relate
from geo.plots.exclusion import Walls

NOTHING = np.empty(0, dtype=object)
NO_WALLS = Walls(NOTHING, NOTHING, NOTHING)


def facing(a: shapely.Geometry, b: shapely.Geometry, *walls: shapely.Geometry, reach_m: float = 20.0) -> float:
    blockers = NO_WALLS
    if walls:
        kinds = np.full(len(walls), "railway", dtype=object)
        blockers = Walls(np.array(walls, dtype=object), kinds, kinds)
    relation = relate(np.array([a, b], dtype=object), blockers, Reaches(reach_m, 0.1))
    return float(relation.facing_m(reach_m).sum())


SQUARE = box(0, 0, 100, 100)


@pytest.mark.parametrize(
    ("other", "walls", "length"),
    [
        (box(100, 0, 200, 100), [], 100),  # a shared edge
        (box(100, 30, 200, 100), [], 70),  # part of an edge
        (box(110, 20, 200, 80), [], 60),  # across 10 m
        (box(120, 0, 200, 100), [], 100),  # exactly at reach
        (box(120.01, 0, 200, 100), [], 0),  # just beyond
        (box(100, 100, 200, 200), [], 0),  # a common corner
        (box(105, 105, 200, 200), [], 0),  # diagonal
        (box(110, 90.1, 200, 200), [], 9.9),
        (box(110, 0, 200, 100), [LineString([(105, -9), (105, 109)])], 0),  # a railway between
        (box(110, 0, 200, 100), [LineString([(105, -9), (105, 40)])], 60),  # it ends: it blocks its stretch only
        (box(110, 0, 200, 100), [box(103, -9, 107, 30)], 70),  # a barrier with width
        (box(100, 0, 200, 100), [LineString([(100, -5), (100, 50)])], 50),  # along the shared border itself
        (box(110, 0, 200, 100), [LineString([(105, 50), (250, 50)])], 100),  # along the view, not across it
        (box(110, 0, 200, 100), [LineString([(150, -9), (150, 109)])], 100),  # behind the other
        # A bay: from inside it the piece's own arm hides the other.
        (Polygon([(105, 0), (105, 20), (103, 20), (103, 80), (105, 80), (105, 100), (130, 100), (130, 0)]), [], 100),
    ],
)  # fmt: skip
def test_a_square_and_its_neighbour(other: shapely.Geometry, walls: list[shapely.Geometry], length: float) -> None:
    assert facing(SQUARE, other, *walls) == pytest.approx(length, abs=1e-6)


def test_the_piece_itself_hides_what_lies_behind_its_arm() -> None:
    # An L whose arm stands between its inner side and the neighbour: only the arm faces.
    ell = Polygon([(0, 0), (60, 0), (60, 10), (50, 10), (50, 20), (60, 20), (60, 30), (0, 30)])
    assert facing(ell, box(65, 0, 100, 30)) == pytest.approx(30)
    hook = Polygon([(0, 0), (40, 0), (40, 30), (36, 30), (36, 4), (4, 4), (4, 30), (0, 30)])
    assert facing(hook, box(10, 10, 30, 30)) == pytest.approx(20 + 20 + 20)


def test_an_island_in_a_hole_faces_all_around() -> None:
    ring = box(0, 0, 100, 100).difference(box(30, 30, 70, 70))
    assert facing(ring, box(35, 35, 65, 65)) == pytest.approx(120)


def ray_oracle(
    a: shapely.Geometry, b: shapely.Geometry, wall: shapely.Geometry, reach_m: float, step: float = 0.05
) -> float:
    """Facing length by rays from border points, written from the definition: no shared code, no envelopes."""

    def one_way(source: shapely.Geometry, target: shapely.Geometry) -> float:
        total = 0.0
        ring = np.asarray(shapely.orient_polygons(source).exterior.coords)
        for (x0, y0), (x1, y1) in pairwise(ring):
            length = np.hypot(x1 - x0, y1 - y0)
            along = (np.arange(int(length / step)) + 0.5) * step
            tx, ty = (x1 - x0) / length, (y1 - y0) / length
            start = np.column_stack([x0 + tx * along, y0 + ty * along])
            out = np.array([ty, -tx])
            rays = shapely.linestrings(np.stack([start + out * 1e-7, start + out * reach_m], axis=1))
            origin = shapely.points(start)
            hit = shapely.distance(origin, shapely.intersection(rays, target))
            own = shapely.distance(
                origin,
                shapely.intersection(
                    shapely.linestrings(np.stack([start + out * 1e-4, start + out * reach_m], axis=1)), source
                ),
            )
            blocked = shapely.distance(origin, shapely.intersection(rays, wall))
            seen = ~np.isnan(hit) & ~(own < hit) & ~(blocked <= hit)
            total += float(seen.sum()) * step
        return total

    return min(one_way(a, b), one_way(b, a))


_SMALL = st.floats(-1, 1)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.5, 1.0), min_size=7, max_size=7), st.lists(st.floats(0.5, 1.0), min_size=7, max_size=7),
       st.floats(0, 6.28), _SMALL, _SMALL)  # fmt: skip
def test_agrees_with_rays(radii: list[float], others: list[float], turn: float, x: float, y: float) -> None:
    def star(values: list[float], angle: float) -> Polygon:
        at = angle + np.arange(len(values)) / len(values) * 2 * np.pi
        return Polygon(np.column_stack([np.cos(at), np.sin(at)]) * np.array(values)[:, None] * 20)

    a = star(radii, 0.0)
    b = shapely.affinity.translate(star(others, turn), 45 + 5 * x, 10 * y)
    wall = LineString([(22 + 4 * y, -30), (24 + 4 * x, 5 * x)])
    if a.intersects(b) or a.intersects(wall) or b.intersects(wall):
        return
    assert facing(a, b, wall) == pytest.approx(ray_oracle(a, b, wall, 20.0), abs=0.8)
