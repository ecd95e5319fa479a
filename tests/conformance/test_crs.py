"""OGC API – Features – Part 2 (OGC 18-058r1): coordinate reference systems by reference."""

from __future__ import annotations

import json
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from pyproj import CRS, Transformer

from geo.layers.schema import LAYERS
from tests.conformance.conftest import Api
from tests.conformance.requirements import FEATURES_2, requirement
from tests.conformance.test_core import CRS84, ITEMS, parameter

EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
SAMPLED = [CRS84, *(f"{EPSG}{code}" for code in (4490, 4326, 4528, 4549, 3857))]


def in_system(geometry: shapely.Geometry, system: str) -> shapely.Geometry:
    """A stored geometry in a system, axes in the order of its authority, by pyproj alone."""
    if system == CRS84:
        return geometry
    to = Transformer.from_crs("EPSG:4490", f"EPSG:{system.rpartition('/')[2]}")  # latitude first
    return shapely.transform(geometry, lambda xy: np.column_stack(to.transform(xy[:, 1], xy[:, 0])))


def drawn(feature: dict[str, Any]) -> shapely.Geometry:
    return shapely.from_geojson(json.dumps(feature["geometry"]))


@requirement(FEATURES_2, "crs/crs-uri")
def test_every_system_has_an_address_that_pyproj_knows(api: Api) -> None:
    for system in api.json("/collections/parcels")["crs"]:
        assert CRS.from_user_input(system.replace("/0/", "//") if "EPSG" in system else "OGC:CRS84")


@requirement(FEATURES_2, "crs/fc-md-crs-list", "crs/fc-md-crs-list-global")
def test_every_collection_lists_its_systems(api: Api) -> None:
    document = api.json("/collections")
    for one in document["collections"]:
        listed = [name for each in one["crs"] for name in (document["crs"] if each == "#/crs" else [each])]
        assert listed[0] == CRS84
        if LAYERS[one["id"]].geometry is not None:
            assert set(SAMPLED) <= set(listed)
            assert {f"{EPSG}{code}" for code in (*range(4513, 4534), *range(4534, 4555))} <= set(listed)


@requirement(FEATURES_2, "crs/fc-md-storageCrs", "crs/fc-md-storageCrs-valid-value")
def test_the_system_of_the_store_is_one_of_the_list(api: Api) -> None:
    for one in api.json("/collections")["collections"]:
        if LAYERS[one["id"]].geometry is not None:
            assert one["storageCrs"] == f"{EPSG}4490"
            assert one["storageCrs"] in one["crs"]


@requirement(FEATURES_2, "crs/fc-bbox-crs-definition", "crs/fc-crs-definition")
@pytest.mark.parametrize("name", ["bbox-crs", "crs"])
def test_the_parameters_are_defined(api: Api, name: str) -> None:
    told = parameter(api, name)
    assert (told["in"], told["required"], told["style"], told["explode"]) == ("query", False, "form", False)
    assert (told["schema"]["type"], told["schema"]["format"]) == ("string", "uri")


@requirement(FEATURES_2, "crs/fc-bbox-crs-valid-value")
@pytest.mark.parametrize("system", [f"{EPSG}4327", f"{EPSG}999999", "EPSG:0", "nothing", ""])
def test_another_system_of_the_box_is_refused(api: Api, system: str) -> None:
    api.get(ITEMS, status=400, bbox="119,31,121,33", bbox_crs=system)


@requirement(FEATURES_2, "crs/fc-crs-valid-value")
@pytest.mark.parametrize("system", [f"{EPSG}4327", "urn:ogc:def:crs:EPSG::4490x", "nothing", ""])
def test_another_system_of_the_answer_is_refused(api: Api, parcels: gpd.GeoDataFrame, system: str) -> None:
    api.get(ITEMS, status=400, crs=system)
    api.get(f"{ITEMS}/{parcels.index[0]}", status=400, crs=system)


@requirement(FEATURES_2, "crs/fc-bbox-crs-default-value")
def test_a_box_without_a_system_is_longitude_and_latitude(api: Api) -> None:
    box = "119.9,32.0,119.95,32.03"
    found = api.keys(bbox=box)
    assert found == api.keys(bbox=box, bbox_crs=CRS84)
    assert 0 < len(found) < 3000


@requirement(FEATURES_2, "crs/fc-bbox-crs-action")
@pytest.mark.parametrize("system", SAMPLED)
def test_a_box_in_its_system(api: Api, parcels: gpd.GeoDataFrame, system: str) -> None:
    corners = in_system(shapely.MultiPoint([(119.9, 32.0), (119.95, 32.03)]), system)
    box = shapely.get_coordinates(corners)
    ends = np.concatenate([box.min(axis=0), box.max(axis=0)])
    found = set(api.keys(bbox=",".join(repr(float(one)) for one in ends), bbox_crs=system))
    plain = set(api.keys(bbox="119.9,32.0,119.95,32.03"))
    # A box of a projection bends on the ground: features at its edge may differ, the others may not.
    inner = set(api.keys(bbox="119.901,32.001,119.949,32.029"))
    outer = set(api.keys(bbox="119.899,31.999,119.951,32.031"))
    assert inner <= found <= outer
    if CRS.from_user_input("OGC:CRS84" if system == CRS84 else f"EPSG:{system.rpartition('/')[2]}").is_geographic:
        assert found == plain


@requirement(FEATURES_2, "crs/fc-crs-default-value")
def test_an_answer_without_a_system_is_longitude_and_latitude(api: Api) -> None:
    plain = api.get(ITEMS, limit=3)
    assert plain.headers["content-crs"] == f"<{CRS84}>"
    assert plain.json()["features"] == api.json(ITEMS, limit=3, crs=CRS84)["features"]


@requirement(FEATURES_2, "crs/fc-crs-action", "crs/geojson")
@pytest.mark.parametrize("system", SAMPLED)
def test_coordinates_in_the_system_and_its_axis_order(api: Api, parcels: gpd.GeoDataFrame, system: str) -> None:
    features = api.json(ITEMS, limit=5, crs=system)["features"]
    alone = api.json(f"{ITEMS}/{features[0]['id']}", crs=system)
    assert alone["geometry"] == features[0]["geometry"]
    near = 1.5e-7 if abs(features[0]["geometry"]["coordinates"][0][0][0]) < 181 else 0.02
    for feature in features:
        wanted = in_system(parcels.geometry[feature["id"]], system)
        assert shapely.equals_exact(drawn(feature), wanted, near)


@requirement(FEATURES_2, "crs/ogc-crs-header", "crs/ogc-crs-header-value")
@pytest.mark.parametrize("system", SAMPLED)
def test_the_header_names_the_system(api: Api, parcels: gpd.GeoDataFrame, system: str) -> None:
    for path in (ITEMS, f"{ITEMS}/{parcels.index[0]}"):
        given = {"limit": 1} if path == ITEMS else {}
        assert api.get(path, crs=system, **given).headers["content-crs"] == f"<{system}>"
    assert api.get(ITEMS, limit=1, f="html", crs=system).headers["content-crs"] == f"<{system}>"
