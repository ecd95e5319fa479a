"""OGC API – Features – Part 1 (OGC 17-069r4), classes GeoJSON, HTML and OpenAPI 3.0."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import geopandas as gpd
import jsonschema_rs
import pytest
import shapely
from schemathesis.specs.openapi.definitions import OPENAPI_30

from geo.layers.schema import LAYERS
from tests.conformance.conftest import Api, Page, relations
from tests.conformance.requirements import FEATURES_1, requirement

GEOJSON = "application/geo+json"


def without_form(address: str) -> tuple[str, frozenset[tuple[str, str]]]:
    """An address without the form and language that it asks for."""
    parts = urlsplit(address)
    return parts.path, frozenset(pair for pair in parse_qsl(parts.query) if pair[0] not in ("f", "lang"))


# --- GeoJSON ----------------------------------------------------------------------------------------------------------


@requirement(FEATURES_1, "geojson/definition")
@pytest.mark.parametrize("accept", [GEOJSON, "application/json", "*/*", f"text/html;q=0.5, {GEOJSON}"])
def test_features_come_as_geojson(api: Api, parcels: gpd.GeoDataFrame, accept: str) -> None:
    for path in ("/collections/parcels/items?limit=1", f"/collections/parcels/items/{parcels.index[0]}"):
        assert api.get(path, accept=accept).headers["content-type"] == GEOJSON


@requirement(FEATURES_1, "geojson/content")
@pytest.mark.parametrize("layer", LAYERS)
def test_features_are_geojson(api: Api, layer: str) -> None:
    page = api.json(f"/collections/{layer}/items", limit=20)
    assert page["type"] == "FeatureCollection"
    assert is_links(page)
    for feature in page["features"]:
        assert feature["type"] == "Feature"
        assert isinstance(feature["id"], str)
        assert set(feature["properties"]) <= set(LAYERS[layer].columns)
        if LAYERS[layer].geometry is None:
            assert feature["geometry"] is None
        else:
            drawn = shapely.from_geojson(json.dumps(feature["geometry"]))
            assert shapely.get_coordinate_dimension(drawn) == 2
            west, south, east, north = drawn.bounds
            assert -180 <= west <= east <= 180
            assert -90 <= south <= north <= 90


def is_links(document: dict[str, Any]) -> bool:
    """Whether the links are in the member ``links`` of a collection."""
    return isinstance(document["links"], list) and all({"href", "rel", "type"} <= set(one) for one in document["links"])


# --- HTML -------------------------------------------------------------------------------------------------------------

PAGES = ["/conformance", "/collections", "/collections/parcels", "/collections/delays",
         "/collections/parcels/items?limit=3", "/collections/delays/items?limit=3"]  # fmt: skip


@requirement(FEATURES_1, "html/definition")
@pytest.mark.parametrize("path", [*PAGES, "/", "/openapi.json"])
def test_every_document_has_a_page(api: Api, path: str) -> None:
    answer = api.get(path, accept="text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
    assert answer.headers["content-type"].startswith("text/html")
    assert Page(answer.text).begins_as_html5


@requirement(FEATURES_1, "html/content")
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_leads_where_the_document_does(api: Api, path: str, language: str) -> None:
    document = api.json(path, accept="application/json")
    join = "&" if "?" in path else "?"
    page = Page(api.get(f"{path}{join}f=html&lang={language}").text)
    leads = {without_form(link) for link in page.links}
    nested = [link for one in document.get("collections", []) for link in one["links"]]
    assert {without_form(link["href"]) for link in document["links"] + nested} <= leads
    assert f'lang="{"zh-CN" if language == "zh" else "en"}"' in api.get(f"{path}{join}f=html&lang={language}").text


@requirement(FEATURES_1, "html/content")
def test_pages_say_what_the_documents_say(api: Api, parcels: gpd.GeoDataFrame) -> None:
    page = Page(api.get("/conformance?f=html").text)
    assert all(one in page.text for one in api.json("/conformance")["conformsTo"])
    page = Page(api.get("/collections/parcels?f=html").text)
    assert all(one in page.text for one in api.json("/collections/parcels")["crs"])
    key = parcels.index[0]
    feature = api.json(f"/collections/parcels/items/{key}")
    for text in (
        api.get(f"/collections/parcels/items/{key}?f=html").text,
        api.get("/collections/parcels/items", f="html", parcel_id=key).text,
    ):
        said = Page(text).text
        assert all(str(value) in said for value in feature["properties"].values() if isinstance(value, str))
        assert json.dumps(feature["geometry"]["coordinates"][0][0][0] if feature["geometry"]["type"] == "MultiPolygon"
                          else feature["geometry"]["coordinates"][0][0]) in said  # fmt: skip


@requirement(FEATURES_1, "html/content")
def test_the_workbench_leads_where_the_landing_page_does(api: Api) -> None:
    wanted = {link["href"] for link in api.json("/", f="json")["links"]}
    assert wanted <= Page(api.get("/", accept="text/html").text).links
    assert wanted <= Page(api.get("/?f=html").text).links | {f"{api.base_url}/?f=html"}


def test_pages_carry_no_script_and_ask_no_other_host(api: Api) -> None:
    for path in PAGES:
        answer = api.get(path, accept="text/html")
        assert "<script" not in answer.text
        assert "style=" not in answer.text
        assert "content-security-policy" in answer.headers


# --- OpenAPI 3.0 ------------------------------------------------------------------------------------------------------


@requirement(FEATURES_1, "oas30/oas-definition-1", "oas30/oas-definition-2")
def test_the_definition_is_openapi_3_0(api: Api) -> None:
    (link,) = relations(api.json("/", f="json"), "service-desc")
    assert link["type"] == "application/vnd.oai.openapi+json;version=3.0"
    answer = api.get(link["href"])
    assert answer.headers["content-type"] == link["type"]
    definition = answer.json()
    assert definition["openapi"].startswith("3.0.")
    errors = [f"{list(one.instance_path)}: {one.message}"
              for one in jsonschema_rs.validator_for(OPENAPI_30).iter_errors(definition)]  # fmt: skip
    assert errors == []


@requirement(FEATURES_1, "oas30/oas-impl")
def test_what_is_defined_is_there(api: Api, parcels: gpd.GeoDataFrame) -> None:
    given = {"{collectionId}": "parcels", "{featureId}": parcels.index[0], "{layer}": "parcels"}
    paths = api.json("/openapi.json")["paths"]
    asked = 0
    for path, item in paths.items():
        for word, value in given.items():
            path = path.replace(word, value)
        required = [
            one for one in item.get("get", {}).get("parameters", []) if one["required"] and one["in"] == "query"
        ]
        if "{" not in path and "get" in item and not required:
            answer = api.client.get(path, headers={"Accept": "application/json"})
            assert str(answer.status_code) in item["get"]["responses"], f"{path}: {answer.status_code}"
            asked += 1
    assert asked > 15


@requirement(FEATURES_1, "oas30/completeness")
@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/", "/?f=json"), ("/conformance", "/conformance"), ("/collections", "/collections"),
        ("/collections/{collectionId}", "/collections/parcels"),
        ("/collections/{collectionId}/items", "/collections/parcels/items?limit=5"),
        ("/collections/{collectionId}/items/{featureId}", "/collections/parcels/items/{key}"),
        ("/collections/{collectionId}/queryables", "/collections/parcels/queryables"),
    ],
)  # fmt: skip
def test_answers_are_as_defined(api: Api, parcels: gpd.GeoDataFrame, path: str, document: str) -> None:
    content = api.json("/openapi.json")["paths"][path]["get"]["responses"]["200"]["content"]
    answer = api.get(document.format(key=parcels.index[0]), accept="application/json")
    schema = content[answer.headers["content-type"]]["schema"]
    assert "text/html" in content
    # The schemas use words that both dialects share, but for nullable, which only widens.
    jsonschema_rs.validator_for(_without_nullable(schema)).validate(answer.json())


def _without_nullable(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_nullable(one) for one in node]
    if not isinstance(node, dict):
        return node
    told = {name: _without_nullable(value) for name, value in node.items() if name != "nullable"}
    return {"anyOf": [told, {"type": "null"}]} if node.get("nullable") is True else told


@requirement(FEATURES_1, "oas30/exceptions-codes")
@pytest.mark.parametrize(
    ("address", "status"),
    [("/collections/parcels/items?nothing=1", 400), ("/collections/nothing/items", 404),
     ("/collections/parcels/items/nothing", 404)],
)  # fmt: skip
def test_exceptions_are_defined(api: Api, address: str, status: int) -> None:
    path = "/collections/{collectionId}/items" + ("/{featureId}" if address.count("/") == 4 else "")
    told = api.json("/openapi.json")["paths"][path]["get"]["responses"][str(status)]
    answer = api.get(address, status=status)
    assert answer.headers["content-type"] in told["content"]
    assert set(told["content"]["application/problem+json"]["schema"]["required"]) <= set(answer.json())


@requirement(FEATURES_1, "oas30/security")
def test_no_operation_needs_a_key(api: Api) -> None:
    definition = api.json("/openapi.json")
    assert "security" not in definition
    operations = [one for item in definition["paths"].values() for one in item.values() if isinstance(one, dict)]
    assert not any("security" in one for one in operations)
    assert api.client.get("/collections").status_code == 200
