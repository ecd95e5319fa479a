"""A coverage's faults are measured where they are, in stated units; lanes, corners and clean borders are none."""

from __future__ import annotations

import json
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyproj import CRS
from shapely import Polygon, affinity, box

from geo.layers.checking.borders import metres_per_degree
from geo.layers.checking.coverage import CoverageReport, measure_coverage
from geo.layers.checking.rules import CoverageRules, QualityRules
from geo.layers.profiles import apply_profile, plain_profile
from geo.layers.quality import check, coverage_frame_for_file
from geo.layers.reading import SourceLayer

ORIGIN = np.array([120.0, 31.0])
PER_DEGREE = metres_per_degree(ORIGIN[1:])[0]


def on_land(shapes: list[Any] | NDArray[np.object_]) -> NDArray[np.object_]:
    """Shapes in metres as shapes in EPSG:4490 around one place."""
    return np.asarray(shapely.transform(np.array(shapes, dtype=object), lambda xy: ORIGIN + xy / PER_DEGREE))


def measured(*shapes: Any, rules: CoverageRules | None = None) -> CoverageReport:
    return measure_coverage(on_land(list(shapes)), rules)


def faults(report: CoverageReport) -> dict[str, float]:
    """Figures other than nought, without the sizes of the layer itself."""
    sizes = ("polygons", "land_m2", "border_m")
    return {name: found.value for name, found in report.figures.items() if found.value and name not in sizes}


def lattice(side: int, cell_m: float = 40.0, seed: int = 1) -> NDArray[np.object_]:
    """``side``² lots with two bends in every shared border, in metres; every sixth row and column is a street."""
    rng = np.random.default_rng(seed)
    steps = 3
    x, y = np.meshgrid(*[np.arange(side * steps + 1) * cell_m / steps] * 2, indexing="ij")
    x, y = x + rng.uniform(-3, 3, x.shape), y + rng.uniform(-3, 3, y.shape)
    east, north = (at.ravel() for at in np.meshgrid(np.arange(side), np.arange(side), indexing="ij"))
    lots = (east % 6 != 0) & (north % 6 != 0)
    along = np.arange(steps)
    ring_x = np.r_[along, [steps] * steps, steps - along, [0] * steps, 0]
    ring_y = np.r_[[0] * steps, along, [steps] * steps, steps - along, 0]
    at = east[lots, None] * steps + ring_x, north[lots, None] * steps + ring_y
    return np.asarray(shapely.polygons(np.stack([x[at], y[at]], axis=-1)))


def test_a_clean_coverage_has_no_faults() -> None:
    report = measure_coverage(on_land(lattice(30)))
    assert report.clean
    assert faults(report) == {}
    assert len(report.places) == 0


def test_every_figure_has_a_name_and_a_unit_and_json_takes_it() -> None:
    report = measured(box(0, 0, 10, 10), box(9, 0, 20, 10))
    told = json.loads(json.dumps(report.as_dict()))
    assert all(figure["zh"] and figure["unit"] for figure in told["figures"].values())
    assert told["figures"]["overlaps"] == {
        "zh": "重叠（对）", "value": 1, "unit": "对", "tolerance": 1.0, "tolerance_unit": "m2",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("shapes", "overlap_m2"),
    [
        ((box(0, 0, 100, 100), box(95, 0, 200, 100)), 500),  # a strip
        ((box(0, 0, 100, 100), box(20, 20, 30, 30)), 100),  # one wholly within the other, far from its border
        ((box(0, 0, 100, 100), box(20, 20, 120, 120)), 6400),  # crossing borders
        ((box(0, 0, 10, 10), Polygon([(0, 0), (10, 0), (10, 10)])), 50),  # all corners in common
        ((box(0, 0, 40, 10), box(0, 0, 20, 10), box(20, 0, 40, 10)), 400),  # a whole over its two parts
        # An intruder over lots all of whose own borders are in order.
        ((*(box(x, y, x + 10, y + 10) for x in (0, 10, 20) for y in (0, 10, 20)), box(12, 2, 18, 28)), 156),
    ],
)
def test_overlaps_are_exact(shapes: tuple[Any, ...], overlap_m2: float) -> None:
    report = measured(*shapes)
    assert not report.clean
    assert report.figures["overlap_m2"].value == pytest.approx(overlap_m2, rel=1e-4)
    assert report.figures["overlaps"].value >= 1
    assert report.places[report.places["kind"] == "overlap"].geometry.is_valid.all()


def test_overlaps_below_the_tolerance_are_counted_apart() -> None:
    shapes = (box(0, 0, 10, 10), box(9.95, 0, 20, 10))
    assert measured(*shapes).figures["overlaps_below"].value == 1
    assert measured(*shapes, rules=CoverageRules(overlap_min_m2=0.1)).figures["overlaps"].value == 1


def test_a_slit_is_a_gap_a_lane_is_none() -> None:
    slit = measured(box(0, 0, 10, 10), box(10.5, 0, 20, 10))
    assert faults(slit) == {"gaps": 1, "gap_m2": pytest.approx(5, rel=1e-3)}
    assert slit.places["width_m"][0] == pytest.approx(0.5, rel=1e-3)
    assert faults(measured(box(0, 0, 10, 10), box(11.5, 0, 20, 10))) == {}
    wider = measured(box(0, 0, 10, 10), box(11.5, 0, 20, 10), rules=CoverageRules(gap_width_m=2))
    assert faults(wider)["gap_m2"] == pytest.approx(15, rel=1e-3)


def test_a_slit_that_a_thin_lot_fills_is_no_gap() -> None:
    report = measured(box(0, 0, 10, 10), box(10, -1, 10.8, 11), box(10.8, 0, 20, 10))
    assert report.figures["gaps"].value == 0
    assert report.figures["slivers"].value == 1


def test_small_enclosed_ground_is_a_hole_a_square_is_none() -> None:
    around = [box(x, y, x + 3, y + 3) for x in (0, 3, 6) for y in (0, 3, 6) if (x, y) != (3, 3)]
    report = measured(*around)
    assert faults(report) == {"holes": 1, "hole_m2": pytest.approx(9, rel=1e-3)}
    assert shapely.contains(on_land([box(2.9, 2.9, 6.1, 6.1)])[0], report.places.geometry[0])
    assert faults(measured(*around, rules=CoverageRules(hole_area_m2=8))) == {}


def test_a_hole_of_a_lot_that_another_fills_is_clean() -> None:
    yard = box(40, 40, 60, 60)
    assert measured(box(0, 0, 100, 100).difference(yard), yard).clean


def test_borders_that_nearly_meet_are_unclean_and_measured_by_length() -> None:
    report = measured(box(0, 0, 100, 100), box(100.03, 0, 200, 100))
    assert faults(report)["unclean_m"] == pytest.approx(100, rel=1e-3)
    assert faults(report)["unclean_share"] == pytest.approx(100 / 800, rel=1e-2)
    assert not report.clean
    line = report.places[report.places["kind"] == "unclean_border"]
    assert (line.geometry.iloc[0].geom_type, line["key"].iloc[0], line["other_key"].iloc[0]) == ("LineString", "0", "1")


def test_a_node_that_one_side_lacks_is_told_from_a_gap() -> None:
    report = measured(box(0, 0, 10, 10), box(10, 0, 20, 5), box(10, 5, 20, 10))
    assert faults(report) == {"node_m": pytest.approx(10, rel=1e-3), "node_share": pytest.approx(1 / 9, rel=1e-2)}


def test_lots_that_part_from_a_common_corner_leave_no_gap() -> None:
    assert faults(measured(Polygon([(0, 0), (50, 0), (50, -20)]), Polygon([(0, 0), (50, 10), (40, 40)]))) == {}


def test_slivers_are_thin_by_mean_width() -> None:
    report = measured(box(0, 0, 100, 0.8), box(0, 10, 100, 12))
    assert faults(report) == {"slivers": 1}
    assert report.places["width_m"][0] == pytest.approx(0.8, rel=0.02)


@given(st.integers(0, 10_000))
def test_clean_means_what_geos_calls_valid(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lots = lattice(7, seed=seed)
    moved = rng.choice(len(lots), rng.integers(0, 3), replace=False)
    step = rng.choice([0.05, 0.5, 15.0])
    for lot in moved:
        lots[lot] = affinity.translate(lots[lot], *rng.uniform(-step, step, 2))
    lots = on_land(lots[rng.random(len(lots)) > 0.1])
    report = measure_coverage(lots, CoverageRules(tolerance_m=1e-9, gap_width_m=0.01))
    assert report.clean == bool(shapely.coverage_is_valid(lots))
    first, second = shapely.STRtree(lots).query(lots)
    common = shapely.intersection(lots[first], lots[second])[first < second]
    true_m2 = (shapely.area(common) * PER_DEGREE.prod()).sum()
    assert report.figures["overlap_m2"].value == pytest.approx(true_m2, rel=1e-3, abs=1e-3)


def test_a_shift_of_centimetres_on_some_lots_is_found() -> None:
    rng = np.random.default_rng(3)
    lots = lattice(40)
    moved = rng.choice(len(lots), len(lots) // 20, replace=False)
    lots[moved] = shapely.transform(lots[moved], lambda xy: xy + np.array([0.03, 0.02]))
    report = measure_coverage(on_land(lots))
    # Four sides of each, and no border of any other.
    assert report.figures["unclean_m"].value > 0.8 * shapely.length(lots[moved]).sum() * 25 / 36
    named = set(report.places["key"]) | set(report.places["other_key"])
    assert {str(number) for number in moved} & named
    assert report.figures["overlap_m2"].value > 1


@pytest.mark.parametrize("shapes", [[], [box(0, 0, 1, 1)]])
def test_layers_of_hardly_anything(shapes: list[Any]) -> None:
    assert measured(*shapes).clean


def parcels(shapes: list[Any], layer: str = "parcels") -> Any:
    frame = gpd.GeoDataFrame({"parcel_id": [f"P{n}" for n in range(len(shapes))]}, geometry=on_land(shapes), crs=4490)
    source = SourceLayer(layer, frame, CRS.from_epsg(4490), "a.gpkg", "0" * 64)
    return apply_profile(source, plain_profile(layer))


def test_a_load_of_parcels_carries_its_coverage_and_a_file_shows_where() -> None:
    found = check(parcels([box(0, 0, 10, 10), box(9, 0, 20, 10), box(0, 0, 10, 10)]), "parcels")
    assert found.report["identical"]["surplus"] == 1
    # The polygon that is there twice counts once.
    assert found.report["coverage"]["figures"]["overlaps"]["value"] == 1
    places = coverage_frame_for_file(found)
    assert places is not None
    assert places.crs.to_epsg() == 4490
    assert (places["key"].iloc[0], places["other_key"].iloc[0], places["kind_zh"].iloc[0]) == ("P0", "P1", "重叠")


def test_only_layers_that_lie_side_by_side_are_measured() -> None:
    shapes = [box(0, 0, 10, 10), box(9, 0, 20, 10)]
    assert check(parcels(shapes, "buildings"), "buildings").report["coverage"] is None
    assert check(parcels(shapes, "zoning"), "zoning").report["coverage"] is not None
    assert check(parcels(shapes), "parcels", rules=QualityRules(coverage=None)).report["coverage"] is None
