"""A layer in a web map's coordinates is suspected, with its vector; a layer in place, or another layer, never is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.layers.checking.borders import metres_per_degree
from geo.layers.checking.map_datums import CONSTANTS, inverse, to_bd09, to_gcj02
from geo.layers.checking.shift import Shift, suspect_shift
from geo.layers.reading import read_file
from tests.district import Made

Moving = Callable[[Any, Any], tuple[Any, Any]]


@pytest.fixture(scope="module")
def land(district: Made) -> dict[str, gpd.GeoDataFrame]:
    """The layers of the demo district that have geometry, as read."""
    return {
        layer.name: layer.frame for layer in read_file(district.package) if isinstance(layer.frame, gpd.GeoDataFrame)
    }


def moved(frame: gpd.GeoDataFrame, moving: Moving) -> gpd.GeoDataFrame:
    shapes = shapely.transform(
        np.asarray(frame.geometry.array), lambda xy: np.column_stack(moving(xy[:, 0], xy[:, 1])), include_z=False
    )
    return frame.set_geometry(gpd.GeoSeries(shapes, index=frame.index, crs=frame.crs))


def by_metres(frame: gpd.GeoDataFrame, east: float, north: float) -> gpd.GeoDataFrame:
    per_degree = metres_per_degree(np.array([frame.total_bounds[1]]))[0]
    return moved(frame, lambda x, y: (x + east / per_degree[0], y + north / per_degree[1]))


def true_vector(frame: gpd.GeoDataFrame, moving: Moving) -> tuple[float, float]:
    """What a formula does in the middle of a layer, in metres."""
    point = shapely.get_coordinates(shapely.centroid(np.asarray(frame.geometry.array)))
    there = np.column_stack(moving(point[:, 0], point[:, 1]))
    offset = (there - point) * metres_per_degree(point[:, 1])
    return tuple(np.median(offset, axis=0))


def assert_suspected(found: Shift, name: str, vector: tuple[float, float]) -> None:
    assert found.assessed
    assert found.suspected
    assert (found.web_map, found.reverse) == (name, False)
    assert (found.dx_m, found.dy_m) == pytest.approx(vector, abs=8)
    assert found.distance_m == pytest.approx(np.hypot(*vector), abs=8)
    assert found.fit_after > found.fit_before + 0.3
    assert name in found.why
    assert "未经核实" in found.why
    assert "未作改正" in found.why


@pytest.mark.parametrize("key", ["parcel_id", None])
@pytest.mark.parametrize(("name", "formula"), [("GCJ-02", to_gcj02), ("BD-09", to_bd09)])
def test_a_layer_in_a_web_map_is_suspected(land: Any, name: str, formula: Moving, key: str | None) -> None:
    parcels = land["parcels"]
    found = suspect_shift(moved(parcels, formula), parcels, key)
    assert_suspected(found, name, true_vector(parcels, formula))
    assert found.method == ("key" if key else "borders")
    assert json.loads(json.dumps(found.as_dict()))["constants"] == CONSTANTS.status == "unverified"


@pytest.mark.parametrize("every", [7, 40])
def test_some_of_its_parcels_are_enough(land: Any, every: int) -> None:
    some = land["parcels"].iloc[::every]
    found = suspect_shift(moved(some, to_gcj02), land["parcels"])
    assert_suspected(found, "GCJ-02", true_vector(some, to_gcj02))


def test_another_layer_with_the_same_borders_serves_as_reference(land: Any) -> None:
    found = suspect_shift(moved(land["zoning"], to_gcj02), land["parcels"])
    assert_suspected(found, "GCJ-02", true_vector(land["zoning"], to_gcj02))


def test_a_shifted_reference_is_told_as_such(land: Any) -> None:
    found = suspect_shift(land["parcels"], moved(land["parcels"], to_gcj02))
    assert found.suspected
    assert (found.web_map, found.reverse) == ("GCJ-02", True)
    assert "疑参照图层为 GCJ-02" in found.why


@pytest.mark.parametrize("key", ["parcel_id", None])
@pytest.mark.parametrize("every", [1, 40])
def test_a_layer_in_place_is_not_suspected(land: Any, key: str | None, every: int) -> None:
    found = suspect_shift(land["parcels"].iloc[::every], land["parcels"], key)
    assert (found.assessed, found.suspected, found.distance_m) == (True, False, 0)
    assert found.why == "与参照图层位置一致"


@pytest.mark.parametrize("key", ["parcel_id", None])
def test_thirty_metres_are_measured_but_are_no_web_map(land: Any, key: str | None) -> None:
    found = suspect_shift(by_metres(land["parcels"], 30, 0), land["parcels"], key)
    assert (found.suspected, found.web_map) == (False, None)
    assert (found.dx_m, found.dy_m) == pytest.approx((30, 0), abs=0.5)
    assert "30 米" in found.why


@pytest.mark.parametrize("key", ["parcel_id", None])
def test_another_shift_of_that_size_is_suspected_without_a_name(land: Any, key: str | None) -> None:
    found = suspect_shift(by_metres(land["parcels"], -200, 150), land["parcels"], key)
    assert (found.suspected, found.web_map) == (True, None)
    assert (found.dx_m, found.dy_m) == pytest.approx((-200, 150), abs=1)
    assert "均不相符" in found.why


def test_other_things_on_the_same_land_cannot_be_compared(land: Any) -> None:
    for moving in (lambda x, y: (x, y), to_gcj02):
        found = suspect_shift(moved(land["buildings"], moving), land["parcels"])
        assert (found.assessed, found.suspected) == (False, False)
        assert "没有共同的界线" in found.why


def test_a_layer_elsewhere_is_not_assessed(land: Any) -> None:
    found = suspect_shift(moved(land["parcels"], lambda x, y: (x + 2, y)), land["parcels"])
    assert (found.assessed, found.suspected) == (False, False)
    assert "没有重叠" in found.why


def test_nothing_is_said_from_next_to_nothing(land: Any) -> None:
    parcels = land["parcels"]
    assert not suspect_shift(moved(parcels.iloc[:2], to_gcj02), parcels).assessed
    assert not suspect_shift(parcels.iloc[:0], parcels).assessed
    assert not suspect_shift(parcels, parcels.iloc[:0]).assessed


def test_lots_all_alike_prove_no_shift() -> None:
    x, y = (at.ravel() * 0.001 for at in np.meshgrid(np.arange(20), np.arange(20)))
    grid = gpd.GeoDataFrame(geometry=shapely.box(120 + x, 31 + y, 120.001 + x, 31.001 + y), crs=4490)
    assert not suspect_shift(grid, grid).suspected
    # The next town's lots in the same pattern: they touch along a side, and would fit anywhere.
    assert not suspect_shift(moved(grid, lambda x, y: (x + 0.02, y)), grid).suspected


def test_the_formula_gives_the_values_in_circulation() -> None:
    # Published by several converters for Tiananmen (116.404, 39.915); none of them is official.
    assert to_gcj02(np.array(116.404), np.array(39.915)) == pytest.approx((116.41024449916938, 39.91640428150164))
    assert to_bd09(np.array(116.404), np.array(39.915)) == pytest.approx((116.41662724378733, 39.922699552216216))


@given(st.floats(74, 134), st.floats(18, 53), st.sampled_from([to_gcj02, to_bd09]))
def test_the_way_back_is_exact(lon: float, lat: float, formula: Moving) -> None:
    there = formula(np.array([lon]), np.array([lat]))
    assert np.concatenate(inverse(formula, *there)) == pytest.approx([lon, lat], abs=1e-9)
