"""OGC API – Features – Part 1 (OGC 17-069r4), class Core: each test under the number of its requirement."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import geopandas as gpd
import pytest
import shapely

from geo.layers.schema import LAYERS
from geo.store.base import Query
from tests.conformance.conftest import Api, relations
from tests.conformance.requirements import FEATURES_1, requirement

ITEMS = "/collections/parcels/items"
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"


def parameter(api: Api, name: str) -> dict[str, Any]:
    """How the definition describes a parameter of items."""
    operation = api.json("/openapi.json")["paths"]["/collections/{collectionId}/items"]["get"]
    (found,) = (one for one in operation["parameters"] if one["name"] == name)
    return found


def is_links(links: list[dict[str, Any]]) -> bool:
    """Whether all have what a link needs."""
    return all(link["href"].startswith("http") and link["rel"] and link["type"] for link in links)


# --- landing page, definition, conformance ----------------------------------------------------------------------------


@requirement(FEATURES_1, "core/root-op", "core/root-success")
def test_landing_page(api: Api) -> None:
    document = api.json("/", accept="application/json")
    assert is_links(document["links"])
    assert {link["rel"] for link in document["links"]} >= {"service-desc", "service-doc", "conformance", "data"}
    assert relations(document, "conformance")[0]["href"] == f"{api.base_url}/conformance"
    assert relations(document, "data")[0]["href"] == f"{api.base_url}/collections"


@requirement(FEATURES_1, "core/api-definition-op", "core/api-definition-success")
@pytest.mark.parametrize("rel", ["service-desc", "service-doc"])
def test_the_definition_is_where_the_landing_page_says(api: Api, rel: str) -> None:
    for link in relations(api.json("/", f="json"), rel):
        answer = api.get(link["href"], accept=link["type"])
        assert answer.headers["content-type"].split(";")[0] == link["type"].split(";")[0]


@requirement(FEATURES_1, "core/conformance-op", "core/conformance-success")
def test_conformance(api: Api) -> None:
    classes = api.json("/conformance")["conformsTo"]
    assert all(one.startswith("http://www.opengis.net/spec/") for one in classes)
    assert "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core" in classes


@requirement(FEATURES_1, "core/http")
def test_http_1_1_and_its_methods(api: Api) -> None:
    assert api.get("/conformance").http_version == "HTTP/1.1"
    refused = api.client.post("/conformance")
    assert refused.status_code == 405
    assert "GET" in refused.headers["allow"]
    assert api.get("/collections/nowhere", status=404).headers["content-type"] == "application/problem+json"


@requirement(FEATURES_1, "core/query-param-unknown")
@pytest.mark.parametrize(
    "path", ["/conformance", "/collections", "/collections/parcels", ITEMS, "/collections/delays/items"]
)
def test_an_unknown_parameter_is_refused(api: Api, path: str) -> None:
    problem = api.get(path, status=400, no_such="1").json()
    assert "no_such" in problem["detail"]


@requirement(FEATURES_1, "core/query-param-invalid")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"), ("limit", "-1"), ("limit", "many"), ("limit", "1.5"),
        ("bbox", "1,2,3"), ("bbox", "a,b,c,d"), ("bbox", "1,2,3,nan"), ("bbox", "1,2,3,inf"), ("bbox", "1,5,2,4"),
        ("bbox", "1,2,3,4,5"), ("bbox", "1,2,9,3,4,5"),
        ("datetime", "yesterday"), ("datetime", "2024-13-01"), ("datetime", "2024-02-02/2024-01-01"),
        ("datetime", "2024-01-01/2024-01-02/2024-01-03"), ("datetime", "2024-02-30T00:00:00Z"),
        ("properties", "no_such_field"), ("sortby", "+no_such_field"), ("after", "!!"), ("f", "gml"),
        ("area_m2", "wide"), ("contract_date", "soon"), ("above_scale", "perhaps"),
        ("town", "\0"), ("limit", "9" * 400 + "x"),
    ],
)  # fmt: skip
def test_an_invalid_value_is_refused(api: Api, name: str, value: str) -> None:
    assert api.get(ITEMS, status=400, **{name: value}).json()["detail"]


@requirement(FEATURES_1, "core/query-param-invalid")
@pytest.mark.parametrize(
    "query",
    ["town=%ED%A0%80", "filter=town%3D'%ED%A0%80'", "limit=1&limit=2", "bbox=%00", f"employees={'9' * 400}",
     f"area_m2={'9' * 5000}", f"employees={2**63}", f"filter=employees%3E{'9' * 400}"],
)  # fmt: skip
def test_what_no_row_can_have_is_refused_or_found_nowhere(api: Api, query: str) -> None:
    answer = api.client.get(f"{ITEMS}?{query}")
    assert answer.status_code in (200, 400), answer.text
    assert answer.status_code == 400 or answer.json()["numberReturned"] == 0


@requirement(FEATURES_1, "core/crs84")
def test_coordinates_are_longitude_and_latitude(api: Api, parcels: gpd.GeoDataFrame) -> None:
    for feature in api.json(ITEMS, limit=5)["features"]:
        drawn = shapely.from_geojson(json.dumps(feature["geometry"]))
        assert shapely.equals_exact(drawn, parcels.geometry[feature["id"]], 1e-7)


# --- collections ------------------------------------------------------------------------------------------------------


@requirement(FEATURES_1, "core/fc-md-op", "core/fc-md-success", "core/fc-md-items")
def test_every_layer_is_a_collection(api: Api) -> None:
    document = api.json("/collections")
    assert {one["id"] for one in document["collections"]} == set(LAYERS)
    assert all(one["itemType"] == "feature" for one in document["collections"])


@requirement(FEATURES_1, "core/fc-md-links")
def test_collections_link_to_themselves_and_their_other_forms(api: Api) -> None:
    document = api.json("/collections")
    assert is_links(document["links"])
    assert relations(document, "self")[0]["type"] == "application/json"
    assert {link["type"] for link in relations(document, "alternate")} == {"text/html"}


@requirement(FEATURES_1, "core/fc-md-items-links")
def test_a_collection_links_to_its_items_in_every_form(api: Api) -> None:
    for one in api.json("/collections")["collections"]:
        links = relations(one, "items")
        assert is_links(links)
        assert {link["type"] for link in links} >= {"application/geo+json", "text/html"}
        assert all(link["href"].startswith(f"{api.base_url}/collections/{one['id']}/items") for link in links)


@requirement(FEATURES_1, "core/fc-md-extent")
def test_the_extent_holds_every_feature(api: Api, parcels: gpd.GeoDataFrame) -> None:
    extent = api.json("/collections/parcels")["extent"]
    west, south, east, north = extent["spatial"]["bbox"][0]
    bounds = parcels.total_bounds
    assert (west, south) <= (bounds[0] + 1e-9, bounds[1] + 1e-9)
    assert (east, north) >= (bounds[2] - 1e-9, bounds[3] - 1e-9)
    assert extent["spatial"]["crs"] == CRS84
    begin, end = (datetime.fromisoformat(one) for one in extent["temporal"]["interval"][0])
    days = parcels["contract_date"].dropna().dt.tz_localize("Asia/Shanghai")
    assert begin <= days.min()
    assert days.max() <= end


@requirement(FEATURES_1, "core/sfc-md-op", "core/sfc-md-success")
def test_a_collection_by_itself_is_the_one_of_the_list(api: Api) -> None:
    for listed in api.json("/collections")["collections"]:
        alone = api.json(f"/collections/{listed['id']}")
        for name in ("id", "title", "itemType", "crs"):
            assert alone[name] == listed[name]
        assert alone.get("extent", {}).get("spatial") == listed.get("extent", {}).get("spatial")
        assert {link["rel"] for link in listed["links"]} <= {link["rel"] for link in alone["links"]}


# --- features ---------------------------------------------------------------------------------------------------------


@requirement(FEATURES_1, "core/fc-op")
def test_every_collection_gives_its_features(api: Api) -> None:
    for layer in LAYERS:
        page = api.json(f"/collections/{layer}/items", limit=2)
        assert page["numberMatched"] == api.store.count(Query(layer))
        assert page["numberReturned"] == min(2, page["numberMatched"])


@requirement(FEATURES_1, "core/fc-limit-definition")
def test_limit_is_defined(api: Api) -> None:
    told = parameter(api, "limit")
    assert (told["in"], told["required"], told["style"], told["explode"]) == ("query", False, "form", False)
    schema = told["schema"]
    assert (schema["type"], schema["minimum"], schema["default"], schema["maximum"]) == ("integer", 1, 1000, 10_000)


@requirement(FEATURES_1, "core/fc-limit-response-1")
@pytest.mark.parametrize(("limit", "number"), [(None, 1000), (1, 1), (17, 17), (10_000, 3000), (10**30, 3000)])
def test_no_more_features_than_the_limit(api: Api, limit: int | None, number: int) -> None:
    page = api.json(ITEMS, properties="town", **({} if limit is None else {"limit": limit}))
    assert page["numberReturned"] == len(page["features"]) == number


@requirement(FEATURES_1, "core/fc-bbox-definition")
def test_bbox_is_defined(api: Api) -> None:
    told = parameter(api, "bbox")
    assert (told["in"], told["required"], told["style"], told["explode"]) == ("query", False, "form", False)
    assert told["schema"]["type"] == "array"
    assert told["schema"]["items"] == {"type": "number"}
    assert [(one["minItems"], one["maxItems"]) for one in told["schema"]["oneOf"]] == [(4, 4), (6, 6)]


@requirement(FEATURES_1, "core/fc-bbox-response")
@pytest.mark.parametrize("form", ["{0},{1},{2},{3}", "{0},{1},-100,{2},{3},900"])
def test_only_features_that_meet_the_box(api: Api, parcels: gpd.GeoDataFrame, form: str) -> None:
    box = (119.9, 32.0, 119.95, 32.03)
    meeting = parcels.geometry.bounds
    within = meeting[(meeting.minx <= box[2]) & (meeting.maxx >= box[0]) & (meeting.miny <= box[3])
                     & (meeting.maxy >= box[1])]  # fmt: skip
    assert 0 < len(within) < len(parcels)
    assert set(api.keys(bbox=form.format(*box))) == set(within.index)


@requirement(FEATURES_1, "core/fc-bbox-response")
def test_a_box_over_the_antimeridian(api: Api) -> None:
    assert api.keys(bbox="119,31,-170,33") == api.keys()
    assert api.keys(bbox="170,31,-170,33") == []
    assert api.keys(bbox="121,-90,119.9,90") == api.keys(bbox="-180,-90,119.9,90")


@requirement(FEATURES_1, "core/fc-bbox-response")
def test_features_without_geometry_are_left_out_of_no_box(api: Api) -> None:
    assert api.keys("delays", bbox="0,0,1,1") == api.keys("delays")


@requirement(FEATURES_1, "core/fc-time-definition")
def test_datetime_is_defined(api: Api) -> None:
    told = parameter(api, "datetime")
    assert (told["in"], told["required"], told["style"], told["explode"]) == ("query", False, "form", False)
    assert told["schema"]["type"] == "string"


@requirement(FEATURES_1, "core/fc-time-response")
@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2015-01-01/2019-12-31", "2015-01-01", "2019-12-31"),
        ("2015-01-01T00:00:00Z/2019-12-31T00:00:00Z", "2015-01-01", "2019-12-31"),
        ("2019-06-01/..", "2019-06-01", None),
        ("2019-06-01/", "2019-06-01", None),
        ("../2010-01-01", None, "2010-01-01"),
        ("/2010-01-01", None, "2010-01-01"),
        ("../..", None, None),
        ("2014-12-31T23:30:00Z/..", "2015-01-01", None),  # it is the next day in China
    ],
)
def test_only_features_of_the_time(
    api: Api, parcels: gpd.GeoDataFrame, text: str, first: str | None, last: str | None
) -> None:
    days = parcels["contract_date"]
    within = (days >= (first or "1900-01-01")) & (days <= (last or "2900-01-01")) | days.isna()
    assert set(api.keys(datetime=text, properties="town")) == set(parcels.index[within])


@requirement(FEATURES_1, "core/fc-time-response")
def test_only_features_of_the_day(api: Api, parcels: gpd.GeoDataFrame) -> None:
    day = parcels["contract_date"].dropna().iloc[0]
    within = parcels["contract_date"].isna() | (parcels["contract_date"] == day)
    assert set(api.keys(datetime=f"{day:%Y-%m-%d}")) == set(parcels.index[within])


@requirement(FEATURES_1, "core/fc-response")
def test_parameters_are_joined_by_and(api: Api, parcels: gpd.GeoDataFrame) -> None:
    town = parcels["town"].mode()[0]
    together = {"bbox": "119.9,32.0,119.95,32.03", "datetime": "2015-01-01/..", "town": town}
    each = [set(api.keys(**{name: value})) for name, value in together.items()]
    assert set(api.keys(**together)) == set.intersection(*each)
    assert each[2] == set(parcels.index[parcels["town"] == town])


@requirement(FEATURES_1, "core/fc-links")
def test_pages_follow_each_other_to_the_end(api: Api) -> None:
    page, seen = api.json(ITEMS, limit=700, properties="town", sortby="-area_m2"), []
    while True:
        assert relations(page, "self")[0]["type"] == "application/geo+json"
        assert "text/html" in {link["type"] for link in relations(page, "alternate")}
        seen += [feature["id"] for feature in page["features"]]
        following = relations(page, "next")
        if not following:
            break
        page = api.json(following[0]["href"])
    assert len(seen) == len(set(seen)) == 3000


@requirement(FEATURES_1, "core/fc-rel-type")
def test_links_have_relation_and_type(api: Api) -> None:
    page = api.json(ITEMS, limit=1)
    feature = api.json(f"{ITEMS}/{page['features'][0]['id']}")
    for document in (page, feature, api.json("/collections"), api.json("/collections/parcels"), api.json("/?f=json")):
        assert is_links(document["links"])


@requirement(FEATURES_1, "core/fc-timeStamp")
def test_the_time_of_the_answer(api: Api) -> None:
    text = api.json(ITEMS, limit=1)["timeStamp"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(text)) < timedelta(minutes=1)


@requirement(FEATURES_1, "core/fc-numberMatched")
def test_number_matched_is_that_of_the_question(api: Api, parcels: gpd.GeoDataFrame) -> None:
    town = parcels["town"].iloc[0]
    page = api.json(ITEMS, limit=3, town=town)
    assert page["numberMatched"] == int((parcels["town"] == town).sum())
    assert api.json(relations(page, "next")[0]["href"])["numberMatched"] == page["numberMatched"]


@requirement(FEATURES_1, "core/fc-numberReturned")
@pytest.mark.parametrize("limit", [1, 9])
def test_number_returned_is_that_of_the_page(api: Api, limit: int) -> None:
    page = api.json(ITEMS, limit=limit)
    assert page["numberReturned"] == len(page["features"]) == limit


# --- one feature ------------------------------------------------------------------------------------------------------


@requirement(FEATURES_1, "core/f-op", "core/f-success")
def test_one_feature_is_the_one_of_the_page(api: Api) -> None:
    for layer in LAYERS:
        for feature in api.json(f"/collections/{layer}/items", limit=1)["features"]:
            alone = api.json(f"/collections/{layer}/items/{feature['id']}")
            del alone["links"]
            assert alone == feature
        api.get(f"/collections/{layer}/items/nobody", status=404)


@requirement(FEATURES_1, "core/f-links")
def test_one_feature_links_to_itself_and_its_collection(api: Api, parcels: gpd.GeoDataFrame) -> None:
    key = parcels.index[0]
    document = api.json(f"{ITEMS}/{key}")
    assert api.json(relations(document, "self")[0]["href"])["id"] == key
    assert relations(document, "alternate")[0]["type"] == "text/html"
    assert api.json(relations(document, "collection")[0]["href"])["id"] == "parcels"
