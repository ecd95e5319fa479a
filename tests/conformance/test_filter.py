"""OGC API – Features – Part 3 (OGC 19-079r2): queryables and filters; and the encodings of CQL2 (OGC 21-065r2)."""

from __future__ import annotations

import json
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from geo.layers.schema import LAYERS
from tests.conformance.conftest import Api, relations
from tests.conformance.requirements import CQL2, FEATURES_3, requirement
from tests.conformance.test_core import CRS84, ITEMS, parameter
from tests.conformance.test_crs import EPSG, in_system

QUERYABLES = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
BOX = (119.9, 32.0, 119.93, 32.02)


def meeting(parcels: gpd.GeoDataFrame) -> set[str]:
    """The parcels that meet ``BOX``, exactly."""
    return set(parcels.index[parcels.geometry.intersects(shapely.box(*BOX))])


# --- queryables -------------------------------------------------------------------------------------------------------


@requirement(FEATURES_3, "queryables/queryables-link", "features-filter/queryables-link")
def test_collections_and_items_link_to_the_queryables(api: Api) -> None:
    address = f"{api.base_url}/collections/parcels/queryables"
    assert relations(api.json("/collections/parcels"), QUERYABLES)[0]["href"] == address
    assert api.get(ITEMS, limit=1).links[QUERYABLES]["url"] == address


@requirement(
    FEATURES_3, "queryables/get-queryables-op", "queryables/get-queryables-response",
    "features-filter/get-queryables-op",
)  # fmt: skip
@pytest.mark.parametrize("layer", ["parcels", "delays", "network", "quarantine"])
def test_queryables_are_a_schema(api: Api, layer: str) -> None:
    answer = api.get(f"/collections/{layer}/queryables", accept="application/schema+json")
    assert answer.headers["content-type"] == "application/schema+json"
    schema = answer.json()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"{api.base_url}/collections/{layer}/queryables"
    assert schema["type"] == "object"
    assert ("geom" in schema["properties"]) is (LAYERS[layer].geometry is not None)


@requirement(FEATURES_3, "queryables/expression-construction")
@pytest.mark.parametrize("text", ["nothing = 1", "extra = 'a'", "load_files = 'a'", "rowid = 1", "geom = 'a'"])
def test_only_queryables_can_be_asked_for(api: Api, text: str) -> None:
    assert api.get(ITEMS, status=400, filter=text).json()["where"] == "filter"


@requirement(FEATURES_3, "queryables-query-parameters/parameters")
@pytest.mark.parametrize("layer", ["parcels", "findings", "firms", "network"])
def test_every_queryable_is_a_parameter(api: Api, layer: str) -> None:
    schema = api.json(f"/collections/{layer}/queryables")["properties"]
    first = api.json(f"/collections/{layer}/items", limit=1)["features"][0]["properties"]
    for name in schema:
        value = first.get(name)
        if name == "geom" or value is None:
            continue
        word = str(value).lower() if isinstance(value, bool) else value if isinstance(value, str) else repr(value)
        for feature in api.json(f"/collections/{layer}/items", limit=3, **{name: word})["features"]:
            assert feature["properties"][name] == value
        assert api.json(f"/collections/{layer}/items", limit=3, **{name: word})["numberMatched"] > 0


# --- filter -----------------------------------------------------------------------------------------------------------


@requirement(FEATURES_3, "filter/filter-param", "features-filter/filter-param")
def test_the_filter_is_defined_and_refused_where_broken(api: Api) -> None:
    told = parameter(api, "filter")
    assert (told["in"], told["required"], told["schema"]["type"]) == ("query", False, "string")
    for text in (
        "town =",
        "town = 'a",
        "(((",
        "town LIKE 5",
        "pg_sleep(9) = 1",
        "S_INTERSECTS(geom)",
        "",
        "\0",
        "1e999",
    ):
        assert api.get(ITEMS, status=400, filter=text).json()["detail"]


@requirement(FEATURES_3, "filter/filter-lang-param", "features-filter/filter-lang-param")
def test_the_languages_of_a_filter(api: Api) -> None:
    told = parameter(api, "filter-lang")["schema"]
    assert (told["enum"], told["default"]) == (["cql2-text", "cql2-json"], "cql2-text")
    text, tree = "area_m2 > 50000", {"op": ">", "args": [{"property": "area_m2"}, 50000]}
    found = api.keys(filter=text)
    assert found == api.keys(filter=text, filter_lang="cql2-text")
    assert found == api.keys(filter=json.dumps(tree), filter_lang="cql2-json")
    api.get(ITEMS, status=400, filter=text, filter_lang="ecql")
    api.get(ITEMS, status=400, filter=text, filter_lang="cql2-json")
    api.get(ITEMS, status=400, filter=json.dumps(tree), filter_lang="cql2-text")


@requirement(FEATURES_3, "filter/filter-crs-wgs84")
def test_a_geometry_without_a_system_is_longitude_and_latitude(api: Api, parcels: gpd.GeoDataFrame) -> None:
    text = f"S_INTERSECTS(geom, {shapely.box(*BOX).wkt})"
    assert set(api.keys(filter=text)) == meeting(parcels) == set(api.keys(filter=text, filter_crs=CRS84))


@requirement(FEATURES_3, "filter/filter-crs-param", "features-filter/filter-crs-param")
@pytest.mark.parametrize("code", [4490, 4326, 4528, 3857])
def test_a_geometry_in_the_system_of_the_filter(api: Api, parcels: gpd.GeoDataFrame, code: int) -> None:
    there = in_system(shapely.segmentize(shapely.box(*BOX), 0.001), f"{EPSG}{code}")
    found = set(api.keys(filter=f"S_INTERSECTS(geom, {there.wkt})", filter_crs=f"{EPSG}{code}"))
    # Rounding and the lines between corners move the edge by less than a metre.
    edge = parcels.geometry.intersects(shapely.box(*BOX).exterior.buffer(1e-5))
    assert found ^ meeting(parcels) <= set(parcels.index[edge])
    api.get(ITEMS, status=400, filter="town = 'a'", filter_crs=f"{EPSG}9999")
    assert parameter(api, "filter-crs")["schema"]["format"] == "uri"


@requirement(FEATURES_3, "filter/mixing-expressions")
def test_a_filter_is_joined_with_the_other_parameters_by_and(api: Api, parcels: gpd.GeoDataFrame) -> None:
    town = parcels["town"].mode()[0]
    together = {"filter": "area_m2 > 10000 OR area_m2 < 3000", "bbox": "119.9,32.0,119.95,32.03", "town": town,
                "datetime": "2015-01-01/.."}  # fmt: skip
    each = [set(api.keys(**{name: value})) for name, value in together.items()]
    found = set(api.keys(**together))
    assert found == set.intersection(*each)
    assert found


@requirement(FEATURES_3, "filter/response", "features-filter/response")
def test_only_what_passes_the_filter(api: Api, parcels: gpd.GeoDataFrame) -> None:
    wanted = set(parcels.index[parcels["area_m2"] > 50_000])
    assert 0 < len(wanted) < 3000
    assert set(api.keys(filter="area_m2 > 50000")) == wanted
    assert api.json(ITEMS, limit=1, filter="area_m2 > 50000")["numberMatched"] == len(wanted)


# --- CQL2 -------------------------------------------------------------------------------------------------------------

AREA, TOWN, DAY = {"property": "area_m2"}, {"property": "town"}, {"property": "contract_date"}


def oracle(parcels: gpd.GeoDataFrame, name: str) -> pd.Series:
    """Which parcels pass, by pandas."""
    area, town, day = parcels["area_m2"], parcels["town"], parcels["contract_date"]
    first = town.iloc[0]
    return {
        "=": town == first,
        "<>": town != first,
        "<": area < 5000,
        "<=": area <= area.median(),
        ">": area > 5000,
        ">=": area >= area.median(),
        "date": day >= "2015-01-01",
        "boolean": parcels["above_scale"].fillna(False).astype(bool),
        "null": day.isna(),
        "not null": day.notna(),
        "and": (area > 5000) & (town == first),
        "or": (area < 1000) | (town != first),
        "not": ~(area > 5000),
        "nested": ((area > 5000) & (town == first)) | ~((area > 1000) | day.isna()),
        "true": area > -1,
        "false": area < -1,
        "like": parcels["parcel_id"].str.contains("01.B", regex=True),
        "like escaped": town.str.contains("%", regex=False),
        "not like": ~town.str.startswith("开发"),
        "between": area.between(5000, 10_000),
        "not between": ~area.between(5000, 10_000),
        "in": town.isin([first, "无"]),
        "not in": ~town.isin([first, "无"]),
        "in numbers": area.isin(area.iloc[:2]),
    }[name]


def written(parcels: gpd.GeoDataFrame, name: str) -> tuple[str, Any]:
    """The expression as text and as JSON."""
    area, first = parcels["area_m2"], parcels["town"].iloc[0]
    middle = float(area.median())
    big = {"op": ">", "args": [AREA, 5000]}
    here = {"op": "=", "args": [TOWN, first]}
    values = [float(one) for one in area.iloc[:2]]
    return {
        "=": (f"town = '{first}'", here),
        "<>": (f"town <> '{first}'", {"op": "<>", "args": [TOWN, first]}),
        "<": ("area_m2 < 5000", {"op": "<", "args": [AREA, 5000]}),
        "<=": (f"area_m2 <= {middle!r}", {"op": "<=", "args": [AREA, middle]}),
        ">": ("area_m2 > 5000", big),
        ">=": (f"area_m2 >= {middle!r}", {"op": ">=", "args": [AREA, middle]}),
        "date": ("contract_date >= DATE('2015-01-01')", {"op": ">=", "args": [DAY, {"date": "2015-01-01"}]}),
        "boolean": ("above_scale = TRUE", {"op": "=", "args": [{"property": "above_scale"}, True]}),
        "null": ("contract_date IS NULL", {"op": "isNull", "args": [DAY]}),
        "not null": ("contract_date IS NOT NULL", {"op": "not", "args": [{"op": "isNull", "args": [DAY]}]}),
        "and": (f"area_m2 > 5000 AND town = '{first}'", {"op": "and", "args": [big, here]}),
        "or": (
            f"area_m2 < 1000 OR town <> '{first}'",
            {"op": "or", "args": [{"op": "<", "args": [AREA, 1000]}, {"op": "<>", "args": [TOWN, first]}]},
        ),
        "not": ("NOT (area_m2 > 5000)", {"op": "not", "args": [big]}),
        "nested": (
            f"(area_m2 > 5000 AND town = '{first}') OR NOT (area_m2 > 1000 OR contract_date IS NULL)",
            {"op": "or", "args": [
                {"op": "and", "args": [big, here]},
                {"op": "not", "args": [{"op": "or", "args": [{"op": ">", "args": [AREA, 1000]},
                                                             {"op": "isNull", "args": [DAY]}]}]},
            ]},
        ),
        "true": ("TRUE", True),
        "false": ("FALSE", False),
        "like": ("parcel_id LIKE '%01_B%'", {"op": "like", "args": [{"property": "parcel_id"}, "%01_B%"]}),
        "like escaped": (r"town LIKE '%\%%'", {"op": "like", "args": [TOWN, r"%\%%"]}),
        "not like": ("town NOT LIKE '开发%'", {"op": "not", "args": [{"op": "like", "args": [TOWN, "开发%"]}]}),
        "between": ("area_m2 BETWEEN 5000 AND 10000", {"op": "between", "args": [AREA, 5000, 10000]}),
        "not between": (
            "area_m2 NOT BETWEEN 5000 AND 10000",
            {"op": "not", "args": [{"op": "between", "args": [AREA, 5000, 10000]}]},
        ),
        "in": (f"town IN ('{first}', '无')", {"op": "in", "args": [TOWN, [first, "无"]]}),
        "not in": (
            f"town NOT IN ('{first}', '无')", {"op": "not", "args": [{"op": "in", "args": [TOWN, [first, "无"]]}]}
        ),
        "in numbers": (
            f"area_m2 IN ({values[0]!r}, {values[1]!r})", {"op": "in", "args": [AREA, values]}
        ),
    }[name]  # fmt: skip


def check(api: Api, parcels: gpd.GeoDataFrame, name: str, *, as_text: bool, as_json: bool) -> None:
    """The interface finds what pandas finds."""
    text, tree = written(parcels, name)
    wanted = set(parcels.index[oracle(parcels, name)])
    if as_text:
        assert set(api.keys(filter=text)) == wanted, text
    if as_json:
        assert set(api.keys(filter=json.dumps(tree), filter_lang="cql2-json")) == wanted, tree


@requirement(CQL2, "basic-cql2/cql2-filter", "cql2-text/basic-cql2", "cql2-json/basic-cql2")
@pytest.mark.parametrize("name", ["and", "or", "not", "nested", "true", "false"])
def test_logic(api: Api, parcels: gpd.GeoDataFrame, requirement: str, name: str) -> None:
    check(api, parcels, name, as_text="cql2-json" not in requirement, as_json="cql2-text" not in requirement)


@requirement(CQL2, "basic-cql2/property")
@pytest.mark.parametrize("text", ["area_m2 > 5000", '"area_m2" > 5000', "(area_m2 > 5000)", "5000 < area_m2"])
def test_properties_by_name(api: Api, parcels: gpd.GeoDataFrame, text: str) -> None:
    assert set(api.keys(filter=text)) == set(parcels.index[oracle(parcels, ">")])


@requirement(CQL2, "basic-cql2/binary-comparison-predicate")
@pytest.mark.parametrize("name", ["=", "<>", "<", "<=", ">", ">=", "date", "boolean"])
def test_comparisons(api: Api, parcels: gpd.GeoDataFrame, name: str) -> None:
    check(api, parcels, name, as_text=True, as_json=True)


@requirement(CQL2, "basic-cql2/null-predicate")
@pytest.mark.parametrize("name", ["null", "not null"])
def test_missing_values(api: Api, parcels: gpd.GeoDataFrame, name: str) -> None:
    check(api, parcels, name, as_text=True, as_json=True)


@requirement(
    CQL2, "advanced-comparison-operators/like-predicate", "cql2-text/advanced-comparison-operators",
    "cql2-json/advanced-comparison-operators",
)  # fmt: skip
@pytest.mark.parametrize("name", ["like", "like escaped", "not like"])
def test_patterns(api: Api, parcels: gpd.GeoDataFrame, requirement: str, name: str) -> None:
    check(api, parcels, name, as_text="cql2-json" not in requirement, as_json="cql2-text" not in requirement)


@requirement(CQL2, "advanced-comparison-operators/between-predicate")
@pytest.mark.parametrize("name", ["between", "not between"])
def test_ranges(api: Api, parcels: gpd.GeoDataFrame, name: str) -> None:
    check(api, parcels, name, as_text=True, as_json=True)


@requirement(CQL2, "advanced-comparison-operators/in-predicate")
@pytest.mark.parametrize("name", ["in", "not in", "in numbers"])
def test_lists(api: Api, parcels: gpd.GeoDataFrame, name: str) -> None:
    check(api, parcels, name, as_text=True, as_json=True)


@requirement(CQL2, "cql2-text/escaping")
def test_a_quote_in_a_text_is_written_twice(api: Api) -> None:
    assert api.keys(filter="town = 'it''s'") == []
    assert api.keys(filter="town = 'it''s' OR town <> 'it''s'") == api.keys(filter="town IS NOT NULL")
    api.get(ITEMS, status=400, filter="town = 'it's'")


@requirement(
    CQL2, "basic-spatial-functions/spatial-functions", "basic-spatial-functions/spatial-predicate",
    "cql2-text/basic-spatial-functions", "cql2-json/basic-spatial-functions",
)  # fmt: skip
@pytest.mark.parametrize("kind", ["point", "box", "polygon"])
def test_what_meets_a_place(api: Api, parcels: gpd.GeoDataFrame, requirement: str, kind: str) -> None:
    place = {"point": parcels.geometry.iloc[7].representative_point(), "box": shapely.box(*BOX),
             "polygon": shapely.Polygon([(119.9, 32.0), (119.95, 32.01), (119.9, 32.03)])}[kind]  # fmt: skip
    wanted = set(parcels.index[parcels.geometry.intersects(place)])
    assert 0 < len(wanted) < 3000
    literal = "BBOX({},{},{},{})".format(*BOX) if kind == "box" else place.wkt
    tree = {"bbox": list(BOX)} if kind == "box" else json.loads(shapely.to_geojson(place))
    expression = {"op": "s_intersects", "args": [{"property": "geom"}, tree]}
    if "cql2-json" not in requirement:
        assert set(api.keys(filter=f"S_INTERSECTS(geom, {literal})")) == wanted
        assert set(api.keys(filter=f"NOT S_INTERSECTS(geom, {literal})")) == set(parcels.index) - wanted
    if "cql2-text" not in requirement:
        assert set(api.keys(filter=json.dumps(expression), filter_lang="cql2-json")) == wanted
