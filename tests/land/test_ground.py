"""Buildings on parcels: footprint, floor area and vacant land by overlay; metres around 120.5° E, 31° N.

Storeys above 8 m count twice for the plot ratio (工业项目建设用地控制指标, 容积率); vacant land is the largest single
piece (利辛县低效用地认定: 宗地内连片空地), an apron around buildings counts as used.
"""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import shapely.affinity
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely import box

from geo.crs import ellipsoidal_area
from geo.land.ground import ground_and_rest, ground_of
from geo.land.rule_sets.inefficiency import MeasureRules
from geo.layers.checking.borders import metres_per_degree

LON, LAT = 120.5, 31.0
PLAIN = MeasureRules(apron_m=0.0)
L_SHAPE = shapely.Polygon([(0, 0), (40, 0), (40, 15), (15, 15), (15, 40), (0, 40)])


def on_earth(shape: Any, east_m: float = 0.0, north_m: float = 0.0) -> Any:
    """A shape in metres as one in EPSG:4490 near 120.5° E, 31° N."""
    if shape is None:
        return None
    kx, ky = metres_per_degree(np.array([LAT]))[0]
    return shapely.transform(shape, lambda xy: (xy + np.array([east_m, north_m])) / [kx, ky] + [LON, LAT])


def layer(*shapes: Any, **columns: Any) -> gpd.GeoDataFrame:
    """Shapes in metres as a layer; columns as lists."""
    return gpd.GeoDataFrame(columns, geometry=[on_earth(each) for each in shapes], crs=4490)


def land(*shapes: Any) -> gpd.GeoDataFrame:
    return layer(*shapes, parcel_id=[f"P{k}" for k in range(len(shapes))])


def houses(*shapes: Any, **columns: Any) -> gpd.GeoDataFrame:
    return layer(*shapes, building_id=[f"B{k}" for k in range(len(shapes))], **columns)


def about(value: Any, rel: float = 1e-4) -> Any:
    """Metres become degrees at one latitude: 100 m north of it they differ by 1e-5."""
    return pytest.approx(value, rel=rel, abs=1e-6, nan_ok=True)


HECTARE = box(0, 0, 100, 100)
NEXT = box(100, 0, 200, 100)


# --- ground and floor area


def test_a_building_inside_counts_with_footprint_and_floors() -> None:
    found = ground_of(land(HECTARE, NEXT), houses(box(10, 10, 30, 40), floors=[3]), PLAIN)
    assert found["building_count"].tolist() == [1, 0]
    assert found["footprint_m2"].tolist() == about([600, 0])
    assert found["building_floor_m2"].tolist() == about([1800, 0])  # 3 floors × 600 m²
    assert found["floor_unknown"].tolist() == [False, False]
    assert list(found.index) == [0, 1]


def test_a_building_across_two_parcels_is_shared_by_its_footprint() -> None:
    # 40 m × 10 m, a quarter of it in the first parcel.
    found = ground_of(land(HECTARE, NEXT), houses(box(90, 10, 130, 20), floor_area_m2=[1000.0]), PLAIN)
    assert found["building_count"].tolist() == [1, 1]
    assert found["footprint_m2"].tolist() == about([100, 300])
    assert found["building_floor_m2"].tolist() == about([250, 750])


def test_a_spill_over_the_border_belongs_to_the_parcel_of_the_rest() -> None:
    # 100 m × 50 m; 8 cm × 50 m = 4 m² beyond the border: under 5 m² and under 1 %.
    spilt = houses(box(0.08, 10, 100.08, 60), floor_area_m2=[10_000.0])
    found = ground_of(land(HECTARE, NEXT), spilt, MeasureRules())
    assert found["building_count"].tolist() == [1, 0]
    assert found["building_floor_m2"].tolist() == about([10_000, 0], rel=1e-12)
    assert found["footprint_m2"].tolist() == about([4996, 4])  # ground counts where it lies
    assert found["vacant_m2"][1] == about(10_000)  # and casts no apron there
    # 12 cm × 50 m = 6 m² is no spill; nor is 4 m² of a hut of 40 m².
    assert ground_of(land(HECTARE, NEXT), houses(box(0.12, 10, 100.12, 60)), PLAIN)["building_count"].tolist() == [1, 1]
    assert ground_of(land(HECTARE, NEXT), houses(box(91, 10, 101, 14)), PLAIN)["building_count"].tolist() == [1, 1]


def test_ground_without_a_parcel_takes_its_share_of_the_floor_area_away() -> None:
    found = ground_and_rest(
        land(HECTARE), houses(box(90, 0, 130, 10), box(300, 300, 310, 310), floor_area_m2=[1000.0, 500.0]), PLAIN
    )
    assert found.table["building_floor_m2"].tolist() == about([250])
    assert found.outside.tolist() == [1]
    assert found.outside_m2 == about(300 + 100)


def test_overlapping_footprints_cover_the_ground_once() -> None:
    two = houses(box(10, 10, 30, 30), box(20, 20, 40, 40), floors=[1, 1])
    found = ground_of(land(HECTARE), two, PLAIN)
    assert found["footprint_m2"].tolist() == about([700])
    assert found["building_floor_m2"].tolist() == about([800])  # both have their floors
    three = houses(box(90, 10, 120, 30), box(80, 20, 130, 40), box(95, 35, 105, 60))
    expected = shapely.union_all(np.array([box(90, 10, 120, 30), box(80, 20, 130, 40), box(95, 35, 105, 60)]))
    found = ground_of(land(HECTARE, NEXT), three, PLAIN)
    assert found["footprint_m2"].tolist() == about([expected.intersection(each).area for each in (HECTARE, NEXT)])


@pytest.mark.parametrize(
    ("facts", "floor_m2"),
    [
        ({"floor_area_m2": 900.0, "storey_height_m": 8.0}, 900),  # exactly 8 m is not above it
        ({"floor_area_m2": 900.0, "storey_height_m": 8.01}, 1800),
        ({"floors": 1, "height_m": 12.0}, 1200),  # a hall: 600 m² × 1 × 2
        ({"floors": 3, "height_m": 24.0}, 1800),  # 8 m a storey
        ({"floors": 3, "height_m": 24.3}, 3600),  # 8.1 m a storey
        ({"floors": 1, "height_m": 12.0, "storey_height_m": 6.0}, 600),  # the given storey height counts
        ({"floor_area_m2": 900.0, "height_m": 30.0}, 900),  # how many storeys nobody knows
        ({"floor_area_m2": 0.0, "floors": 2}, 0),  # an open shed: none is a figure
        ({"floors": 2}, 1200),
        ({"floors": 0}, np.nan),
        ({"height_m": 12.0}, np.nan),
        ({}, np.nan),
    ],
)
def test_floor_area_of_a_building(facts: dict[str, Any], floor_m2: float) -> None:
    one = houses(box(10, 10, 30, 40), **{name: [value] for name, value in facts.items()})
    found = ground_of(land(HECTARE), one, PLAIN)
    assert found["building_floor_m2"].tolist() == about([floor_m2])
    assert found["floor_unknown"].tolist() == [bool(np.isnan(floor_m2))]


def test_the_limit_of_a_storey_is_a_rule() -> None:
    hall = houses(box(10, 10, 30, 40), floor_area_m2=[600.0], storey_height_m=[7.0])
    assert ground_of(land(HECTARE), hall, MeasureRules(tall_storey_m=6.0))["building_floor_m2"].tolist() == [1200]


def test_one_unknown_floor_area_leaves_the_sum_of_its_parcel_unknown() -> None:
    some = houses(box(10, 10, 20, 20), box(30, 10, 40, 20), box(110, 10, 120, 20), floors=[2, None, 2])
    found = ground_of(land(HECTARE, NEXT), some, PLAIN)
    assert found["building_floor_m2"].tolist() == about([np.nan, 200])
    assert found["floor_unknown"].tolist() == [True, False]
    assert found["footprint_m2"].tolist() == about([200, 100])


def test_without_a_layer_nothing_is_known_and_with_an_empty_one_all_is_vacant() -> None:
    found = ground_of(land(HECTARE), None, PLAIN)
    assert found["building_count"].isna().all()
    assert found[["footprint_m2", "building_floor_m2", "vacant_m2"]].isna().all(axis=None)
    found = ground_of(land(HECTARE), houses(), PLAIN)
    assert found["building_count"].tolist() == [0]
    assert found[["footprint_m2", "building_floor_m2"]].to_numpy().tolist() == [[0, 0]]
    assert found["vacant_m2"].tolist() == about([10_000])


def test_geometry_decides_where_a_building_stands() -> None:
    found = ground_of(land(HECTARE, NEXT), houses(box(110, 10, 120, 20), parcel_id=["P0"]), PLAIN)
    assert found["building_count"].tolist() == [0, 1]


def test_a_building_without_polygon_stands_on_the_parcel_it_names() -> None:
    table = pd.DataFrame({"parcel_id": ["P0", "P0", "P9", None], "floor_area_m2": [500.0, 300.0, 9.0, 9.0]})
    for rows in (table, gpd.GeoDataFrame(table, geometry=[None, shapely.Point(LON, LAT), None, None], crs=4490)):
        found = ground_and_rest(land(HECTARE, NEXT), rows, PLAIN)
        assert found.table["building_count"].tolist() == [2, 0]
        assert found.table["building_floor_m2"].tolist() == [800, 0]
        assert found.table["footprint_m2"].tolist() == about([np.nan, 0])
        assert found.table["vacant_m2"].tolist() == about([np.nan, 10_000])
        assert found.outside.tolist() == [2, 3]


def test_broken_and_empty_geometries_do_not_stop_the_overlay() -> None:
    bow_tie = shapely.Polygon([(10, 10), (30, 30), (30, 10), (10, 30)])  # two triangles of 100 m²
    spike = shapely.Polygon([(40, 10), (60, 10), (60, 30), (60, 50), (60, 30), (40, 30)])
    line = shapely.Polygon([(70, 10), (90, 10), (70, 10)])
    with np.errstate(invalid="ignore"):
        wild = shapely.Polygon([(0, 0), (np.nan, 0), (1, 1), (0, 1)])
    mixed = shapely.GeometryCollection([box(70, 70, 80, 80), shapely.Point(0, 0)])
    some = houses(bow_tie, spike, line, wild, shapely.Polygon(), None, mixed)
    found = ground_of(land(HECTARE, None, shapely.Polygon(), bow_tie), some, MeasureRules(apron_m=1.0))
    assert found["footprint_m2"].tolist() == about([200 + 400 + 100, np.nan, np.nan, 200])
    assert found["vacant_m2"].notna().tolist() == [True, False, False, True]
    assert found["building_count"].notna().tolist() == [True, False, False, True]
    assert found["vacant_m2"][3] == 0


def test_a_courtyard_is_not_covered_and_vacant_when_large() -> None:
    block = box(20, 20, 80, 80).difference(box(30, 30, 70, 70))
    found = ground_of(land(HECTARE), houses(block), MeasureRules(apron_m=5.0))
    assert found["footprint_m2"].tolist() == about([3600 - 1600])
    # Outside 100² - 70² = 5,100; in the courtyard 30² = 900.
    assert found["vacant_m2"].tolist() == about([5100])


def test_areas_are_ellipsoidal() -> None:
    # A building across the border of two parcels 300 m high; the clipped pieces measured edge by edge.
    rng = np.random.default_rng(3)
    shapes = [
        shapely.affinity.rotate(box(x, y, x + 70, y + 25), angle)
        for x, y, angle in zip(rng.uniform(0, 300, 40), rng.uniform(0, 250, 40), rng.uniform(0, 90, 40), strict=True)
    ]
    parcels = land(box(0, 0, 150, 300), box(150, 0, 400, 300))
    for shape in shapes:
        building = houses(shape)
        found = ground_of(parcels, building, MeasureRules(apron_m=0.0))
        here, house = np.asarray(parcels.geometry), building.geometry.iloc[0]
        exact = ellipsoidal_area(shapely.intersection(here, house))
        assert found["footprint_m2"].to_numpy() == pytest.approx(exact, rel=1e-9, abs=1e-6)
        rest = [max(ellipsoidal_area(shapely.get_parts(each))) for each in shapely.difference(here, house)]
        # Half a millimetre around the building closes slits: up to 190 m × 0.5 mm.
        assert (rest - found["vacant_m2"].to_numpy()).tolist() == pytest.approx([0.05, 0.05], abs=0.051)


# --- vacant land


def test_vacant_land_is_the_largest_piece_and_not_the_sum() -> None:
    strip = houses(box(30, 0, 40, 100))  # from border to border: 30 m on one side, 60 m on the other
    assert ground_of(land(HECTARE), strip, PLAIN)["vacant_m2"].tolist() == about([6000])
    assert ground_of(land(HECTARE), strip, MeasureRules(apron_m=5.0))["vacant_m2"].tolist() == about([5500])


def test_an_apron_surrounds_a_building_with_square_corners() -> None:
    found = ground_of(land(HECTARE), houses(box(40, 40, 60, 60)), MeasureRules(apron_m=5.0))
    assert found["vacant_m2"].tolist() == about([10_000 - 30 * 30])


def test_aprons_fill_a_bay_that_is_narrower_than_two_of_them() -> None:
    bay = box(30, 30, 60, 60).difference(box(42, 40, 48, 60))  # 6 m wide, 20 m deep
    found = ground_of(land(HECTARE, HECTARE), houses(bay), MeasureRules(apron_m=5.0))  # two parcels on one another
    assert found["vacant_m2"].tolist() == about([10_000 - 40 * 40] * 2)
    assert found["footprint_m2"].tolist() == about([900 - 120] * 2)


def test_aprons_close_the_gap_between_two_buildings() -> None:
    # 8 m between two buildings that reach from border to border but for their gap.
    two = houses(box(40, 0, 50, 46), box(40, 54, 50, 100))
    assert ground_of(land(HECTARE), two, MeasureRules(apron_m=3.0))["vacant_m2"].tolist() == about(
        [10_000 - 16 * 98]
    )  # 2 m remain open
    assert ground_of(land(HECTARE), two, MeasureRules(apron_m=5.0))["vacant_m2"].tolist() == about([45 * 100])


def test_no_piece_goes_on_through_a_slit_of_a_millimetre() -> None:
    # Two halls from border to border, drawn 0.1 mm apart; then 2 m.
    for gap, vacant_m2 in ((0.0001, 6000), (2.0, 10_000 - 980)):
        two = houses(box(30, 0, 40, 50), box(30, 50 + gap, 40, 100))
        assert ground_of(land(HECTARE), two, PLAIN)["vacant_m2"].tolist() == about([vacant_m2])


def test_a_building_beside_the_parcel_casts_its_apron_on_its_own_side_alone() -> None:
    found = ground_of(land(HECTARE, NEXT), houses(box(80, 40, 98, 60)), MeasureRules(apron_m=5.0))
    assert found["vacant_m2"].tolist() == about([10_000 - 25 * 30, 10_000])
    found = ground_of(land(HECTARE, NEXT), houses(box(80, 40, 110, 60)), MeasureRules(apron_m=5.0))
    assert found["vacant_m2"].tolist() == about([10_000 - 25 * 30, 10_000 - 15 * 30])


def test_the_parts_of_a_parcel_are_pieces_of_their_own() -> None:
    two = shapely.MultiPolygon([box(0, 0, 100, 100), box(110, 0, 150, 100)])
    assert ground_of(land(two), houses(), PLAIN)["vacant_m2"].tolist() == about([10_000])
    built = houses(box(0, 0, 100, 80))  # leaves 2,000 of the one, and the 4,000 of the other
    assert ground_of(land(two), built, PLAIN)["vacant_m2"].tolist() == about([4000])
    ring = box(0, 0, 100, 100).difference(box(40, 40, 60, 60))
    assert ground_of(land(ring), houses(box(10, 10, 20, 20)), MeasureRules(apron_m=5.0))["vacant_m2"].tolist() == about(
        [9600 - 400]
    )


def test_a_parcel_that_is_built_up_has_no_vacant_land() -> None:
    assert ground_of(land(HECTARE), houses(box(-1, -1, 101, 101)), PLAIN)["vacant_m2"].tolist() == [0]
    assert ground_of(land(HECTARE), houses(box(3, 3, 97, 97)), MeasureRules(apron_m=5.0))["vacant_m2"].tolist() == [0]


def test_land_narrower_than_the_rule_is_not_vacant() -> None:
    # 60 × 60 and a strip of 8 m along the border.
    land_shape = shapely.union_all(np.array([box(0, 0, 60, 60), box(60, 0, 160, 8)]))
    wide = MeasureRules(apron_m=0.0, vacant_width_m=10.0)
    assert ground_of(land(land_shape), houses(), PLAIN)["vacant_m2"].tolist() == about([4400])
    assert ground_of(land(land_shape), houses(), wide)["vacant_m2"].tolist() == about([3600])
    # The neck between two halves is opened too: the larger half remains.
    dumbbell = houses(box(30, 0, 40, 46), box(30, 54, 40, 100))
    assert ground_of(land(HECTARE), dumbbell, wide)["vacant_m2"].tolist() == about([6000])


# --- properties

_coordinate = st.floats(-30, 130, allow_nan=False).map(lambda value: round(value, 2))
_size = st.floats(2, 60, allow_nan=False).map(lambda value: round(value, 2))
_house = st.builds(
    lambda kind, x, y, w, h, angle: shapely.affinity.translate(
        shapely.affinity.rotate(
            box(0, 0, w, h) if kind else shapely.affinity.scale(L_SHAPE, w / 40, h / 40, origin=(0, 0)), angle
        ),
        x,
        y,
    ),
    st.booleans(), _coordinate, _coordinate, _size, _size, st.sampled_from([0, 0, 0, 7, 30, 45]),
)  # fmt: skip
_houses = st.lists(_house, min_size=1, max_size=7)
# On a grid of 10 m, so that walls lie on borders and on one another.
_step = st.integers(-3, 12).map(lambda value: value * 10)
_aligned = st.lists(st.builds(lambda x, y, w, h: box(x, y, x + w, y + h), _step, _step, st.sampled_from([10, 20, 50]),
                              st.sampled_from([10, 30])), min_size=1, max_size=6)  # fmt: skip
_SLANTED = shapely.Polygon([(0, 0), (60, -8), (110, 5), (95, 50), (105, 100), (50, 92), (0, 104), (12, 40)])
_BESIDE = shapely.Polygon([(110, 5), (160, 0), (160, 100), (105, 100), (95, 50)])
PLACES = [HECTARE, NEXT], [_SLANTED, _BESIDE]


def by_overlay(parcels: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame) -> np.ndarray:
    """The peer: footprints clipped by geopandas, united by parcel."""
    clipped = gpd.overlay(
        buildings[["geometry"]], parcels[["parcel_id", "geometry"]], how="intersection", keep_geom_type=True
    )
    united = clipped.dissolve("parcel_id").geometry.reindex(parcels["parcel_id"])
    return ellipsoidal_area(np.asarray(united.array, dtype=object))


def by_difference(parcels: gpd.GeoDataFrame, standing: list[list[Any]], apron_m: float) -> list[float]:
    """The peer: the largest part of each parcel minus the buffers of its buildings, all in metres."""
    kx, ky = metres_per_degree(np.array([LAT]))[0]
    result = []
    for place, those in zip(parcels.geometry, standing, strict=True):
        flat = shapely.transform(place, lambda xy: (xy - [LON, LAT]) * [kx, ky])
        aprons = shapely.buffer(np.array(those, dtype=object), apron_m + 0.0005, join_style="mitre")
        rest = flat.difference(shapely.union_all(aprons)) if those else flat
        result.append(max((part.area for part in shapely.get_parts(rest)), default=0.0))
    return result


@settings(max_examples=40)
@given(shapes=_houses | _aligned, place=st.sampled_from(PLACES), apron_m=st.sampled_from([0.0, 1.5, 5.0]))
def test_the_result_is_that_of_plain_overlays(shapes: list[Any], place: list[Any], apron_m: float) -> None:
    parcels, buildings = land(*place), houses(*shapes)
    found = ground_of(parcels, buildings, MeasureRules(apron_m=apron_m))
    assert found["footprint_m2"].to_numpy() == pytest.approx(by_overlay(parcels, buildings), rel=1e-7, abs=1e-4)
    stands = []
    for where in place:
        common = [shape.intersection(where).area for shape in shapes]
        clear = [abs(area - 5) > 1e-3 for area in common if area > 0]
        if not all(clear):
            return  # at the limit of the digitising tolerance
        stands.append(
            [shape for shape, area in zip(shapes, common, strict=True) if area > 1e-3 and not _spills(area, shape)]
        )
    assert found["building_count"].tolist() == [len(each) for each in stands]
    assert found["vacant_m2"].to_numpy() == pytest.approx(by_difference(parcels, stands, apron_m), rel=1e-4, abs=0.05)


def _spills(area: float, shape: Any) -> bool:
    return area < 5 and area < 0.01 * shape.area


@settings(max_examples=25)
@given(shapes=_houses, seed=st.integers(0, 99))
def test_order_and_place_change_nothing(shapes: list[Any], seed: int) -> None:
    rules, (here, beside) = MeasureRules(), PLACES[1]
    first = ground_of(land(here, beside), houses(*shapes, floors=[2] * len(shapes)), rules)
    mixed = np.random.default_rng(seed).permutation(len(shapes))
    moved = [shapely.affinity.translate(shapes[k], 300, 0) for k in mixed]
    places = [shapely.affinity.translate(each, 300, 0) for each in (beside, here)]
    second = ground_of(land(*places), houses(*moved, floors=[2] * len(moved)), rules)
    for name in first.columns:
        assert second[name].to_numpy(dtype=float)[::-1] == pytest.approx(
            first[name].to_numpy(dtype=float), rel=1e-6, abs=1e-3
        )


@settings(max_examples=25)
@given(shape=_house, at=st.floats(0.2, 0.8))
def test_splitting_a_building_in_two_changes_nothing(shape: Any, at: float) -> None:
    west, south, east, north = shape.bounds
    cut = west + at * (east - west)
    halves = [shape.intersection(box(west, south, cut, north)), shape.intersection(box(cut, south, east, north))]
    # What is under 5 m² may be a spill for a half and none for the whole.
    both = shapely.union_all(np.array(PLACES[0]))
    beyond = [piece.difference(both).area for piece in (shape, *halves)]
    assume(not any(1e-9 < area < 5 for area in beyond))
    assume(not any(1e-9 < each.intersection(piece).area < 5 for piece in (shape, *halves) for each in PLACES[0]))
    one = ground_of(land(*PLACES[0]), houses(shape, floors=[3]), PLAIN)
    two = ground_of(land(*PLACES[0]), houses(*halves, floors=[3, 3]), PLAIN)
    for name in ("footprint_m2", "building_floor_m2", "vacant_m2"):
        assert two[name].to_numpy() == pytest.approx(one[name].to_numpy(), rel=1e-6, abs=1e-3)
