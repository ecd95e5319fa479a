"""OGC API – Tiles (OGC 20-057): what the declared classes ask of tiles, tile sets and their lists."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import mapbox_vector_tile
import pytest
import shapely

from maps.tiles.layers import TILE_LAYERS
from maps.tiles.matrices import MATRIX_SETS
from tests.clients.tiled import tile_at
from tests.conformance.conftest import Api, relations
from tests.conformance.requirements import TILES, class_address, requirement

REL = "http://www.opengis.net/def/rel/ogc/1.0/"
MVT = "application/vnd.mapbox-vector-tile"
TILESETS = "/collections/parcels/tiles"


@pytest.fixture(scope="session")
def template(api: Api) -> str:
    """The address of tiles as the tile set tells it."""
    (link,) = relations(api.json(f"{TILESETS}/WebMercatorQuad"), "item")
    address: str = link["href"]
    return address


def address(template: str, matrix: Any, row: Any, column: Any) -> str:
    return (
        template.replace("{tileMatrix}", str(matrix)).replace("{tileRow}", str(row)).replace("{tileCol}", str(column))
    )


@requirement(
    TILES, "core/conformance-success", "tileset/conformance-success", "tilesets-list/conformance-success",
    "geodata-tilesets/conformance-success",
)  # fmt: skip
def test_the_class_is_declared(api: Api, requirement: str) -> None:
    name = requirement.removeprefix(f"{TILES}/req/").partition("/")[0]
    assert class_address((TILES, name)) in api.json("/conformance")["conformsTo"]


@requirement(TILES, "core/tc-op", "core/tc-success")
def test_a_tile_by_its_template(api: Api, template: str) -> None:
    z, x, y = tile_at(api.store, 14)
    answer = api.get(address(template, z, y, x), accept=MVT)
    assert answer.headers["content-type"] == MVT
    assert answer.content


@requirement(TILES, "core/tc-tilematrix-definition", "core/tc-tilerow-definition", "core/tc-tilecol-definition")
def test_the_variables_are_matrix_row_and_column(api: Api, template: str) -> None:
    z, x, y = tile_at(api.store, 14)
    assert api.get(address(template, z, y, x)).content == api.get(f"/tiles/parcels/{z}/{x}/{y}.mvt").content
    for wrong in (("a", y, x), (z, "a", x), (z, y, "a"), (z, -1, x), (z, y, "1.5")):
        api.get(address(template, *wrong), status=404)


@requirement(TILES, "core/tc-error")
def test_tiles_outside_are_not_found_and_empty_ones_have_no_content(api: Api, template: str) -> None:
    for wrong in ((14, 2**14, 0), (14, 0, 2**14), (99, 0, 0), (14, 10**30, 0)):
        assert api.get(address(template, *wrong), status=404).headers["content-type"] == "application/problem+json"
    assert api.get(address(template, 14, 0, 0), status=204).content == b""


@requirement(TILES, "tileset/description")
@pytest.mark.parametrize("matrices", MATRIX_SETS)
def test_a_tile_set_is_described(api: Api, matrices: str) -> None:
    document = api.json(f"{TILESETS}/{matrices}", accept="application/json")
    assert document["dataType"] == "vector"
    assert document["crs"].startswith("http://www.opengis.net/def/crs/EPSG/0/")
    (scheme,) = relations(document, f"{REL}tiling-scheme")
    definition = api.json(scheme["href"])
    assert definition["id"] == matrices
    assert len(definition["tileMatrices"]) > 14
    if matrices == "WebMercatorQuad":
        assert document["tileMatrixSetURI"] == "http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad"
    (item,) = relations(document, "item")
    assert item["templated"] is True
    assert item["type"] == MVT
    assert all(f"{{{name}}}" in item["href"] for name in ("tileMatrix", "tileRow", "tileCol"))
    api.get(f"{TILESETS}/NoSuchQuad", status=404)


@requirement(TILES, "tilesets-list/tileset-links", "geodata-tilesets/operation")
@pytest.mark.parametrize("layer", ["parcels", "plots"])
def test_a_collection_lists_its_tile_sets(api: Api, layer: str) -> None:
    tilesets = api.json(f"/collections/{layer}/tiles")["tilesets"]
    assert len(tilesets) == len(MATRIX_SETS)
    for one, name in zip(tilesets, MATRIX_SETS, strict=True):
        assert one["dataType"] == "vector"
        assert relations(one, "self")[0]["href"] == f"{api.base_url}/collections/{layer}/tiles/{name}"
        assert relations(one, f"{REL}tiling-scheme")
        assert one["tileMatrixSetURI"]
        assert api.json(relations(one, "self")[0]["href"])["dataType"] == "vector"


@requirement(TILES, "geodata-tilesets/desc-links")
def test_collections_with_tiles_link_to_them(api: Api) -> None:
    for one in api.json("/collections")["collections"]:
        links = relations(one, f"{REL}tilesets-vector")
        assert bool(links) is (one["id"] in TILE_LAYERS)
        assert all(link["href"] == f"{api.base_url}/collections/{one['id']}/tiles" for link in links)


@requirement(TILES, "mvt/content")
def test_a_tile_is_one_vector_tile_from_its_upper_left(api: Api, parcels: gpd.GeoDataFrame, template: str) -> None:
    z, x, y = tile_at(api.store, 15)
    decoded = mapbox_vector_tile.decode(
        api.get(address(template, z, y, x)).content, default_options={"y_coord_down": True}
    )
    assert list(decoded) == ["parcels"]
    extent, tile_m = decoded["parcels"]["extent"], 2 * 20_037_508.342789244 / 2**z
    west, north = x * tile_m - 20_037_508.342789244, 20_037_508.342789244 - y * tile_m
    projected = parcels.geometry.to_crs(3857)
    whole = 0
    for feature in decoded["parcels"]["features"]:
        assert feature["geometry"]["type"] in ("Polygon", "MultiPolygon")
        drawn = shapely.transform(
            shapely.geometry.shape(feature["geometry"]),
            lambda xy: xy * [tile_m / extent, -tile_m / extent] + [west, north],
        )
        stored = projected[feature["properties"]["parcel_id"]]
        if shapely.box(west, north - tile_m, west + tile_m, north).contains(stored):
            assert shapely.hausdorff_distance(drawn, stored) < 2 * tile_m / extent
            whole += 1
    assert whole
