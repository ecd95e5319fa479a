"""OWSLib, the client library of Python, walks the service from its landing page to one feature."""

from __future__ import annotations

import pytest
from owslib.ogcapi.features import Features

from geo.layers.schema import LAYERS
from geo.store.base import Query
from tests.district import Served


@pytest.fixture(scope="module")
def service(served_district: Served) -> Features:
    """The service as the library sees it."""
    return Features(f"{served_district.url}/", headers={"Accept": "application/json"})


def test_landing_page_conformance_and_definition(service: Features) -> None:
    assert {link["rel"] for link in service.links} >= {"service-desc", "conformance", "data"}
    assert any(one.endswith("/conf/core") for one in service.conformance()["conformsTo"])
    assert service.api()["openapi"].startswith("3.0.")


def test_collections_and_queryables(service: Features) -> None:
    assert set(service.feature_collections()) == set(LAYERS)
    assert service.collection("parcels")["id"] == "parcels"
    assert "area_m2" in service.collection_queryables("parcels")["properties"]


def test_items_by_box_filter_and_key(service: Features, served_district: Served) -> None:
    page = service.collection_items("parcels", limit=5, bbox=[119.9, 32.0, 119.93, 32.02])
    assert page["numberReturned"] == 5
    stored = served_district.store.read(Query("parcels", geometry=False))
    filtered = service.collection_items("parcels", limit=3, filter="area_m2 > 50000 AND town = '临港街道'")
    wanted = (stored["area_m2"] > 50_000) & (stored["town"] == "临港街道")
    assert filtered["numberMatched"] == int(wanted.sum())
    key = page["features"][0]["id"]
    assert service.collection_item("parcels", key)["properties"]["parcel_id"] == key
