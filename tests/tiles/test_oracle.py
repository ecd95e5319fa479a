"""Tiles beside those of PostGIS itself: ``ST_AsMVT`` with a margin as wide as the buffer is the oracle.

Both stores are served; tiles are asked for over HTTP, and read by three readers: our judge of the format, the library
``mapbox-vector-tile`` and GDAL.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import geopandas as gpd
import mapbox_vector_tile
import numpy as np
import psycopg2
import pyogrio
import pytest
import shapely
from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from geo.layers.schema import LAYERS
from geo.store.base import Load, Query, Store
from geo.store.opening import open_store
from maps.tiles.keeping import Editions
from maps.tiles.layers import TILE_LAYERS
from tests.bench.serving_rig.district import make_district
from tests.cluster import Cluster
from tests.district import Made, run_main_job
from tests.tiles.mvt_rules import POLYGON, Feature, faults_of, geometry_of, parts_of, read_tile

EXTENT, BUFFER = 4096, 64
UNITS_A_PIXEL = 8  # of a tile that is drawn 512 pixels wide
FULL, SIMPLER = (14, 15, 16), (12, 13)
Tile = tuple[int, int, int]

# Layers of polygons, lines and points; those for labels have no counterpart in a table.
DRAWN = ("parcels", "findings", "plots", "leftovers", "towns", "barriers", "network", "terminals", "buildings")


@dataclass(frozen=True)
class Ours:
    """A served store."""

    client: TestClient

    def tile(self, layers: str, tile: Tile, query: str = "") -> bytes:
        """A tile, decompressed; empty where nothing falls into it."""
        z, x, y = tile
        answer = self.client.get(f"/tiles/{layers}/{z}/{x}/{y}.mvt{query}")
        assert answer.status_code in (200, 204), answer.text
        return answer.content


@dataclass(frozen=True)
class Oracle:
    """PostGIS over the tables of the same store."""

    url: str

    @cache  # noqa: B019  # as long as the tests of this file
    def tile(self, layer: str, tile: Tile) -> bytes:
        """The tile as ``ST_AsMVT`` makes it, with the key and the columns of our tile."""
        kind = TILE_LAYERS[layer]
        columns = ", ".join(f'"{name}"' for name in kind.columns)
        box = "ST_TileEnvelope(%(z)s, %(x)s, %(y)s, margin => 64.0 / 4096)"
        sql = (
            f"SELECT ST_AsMVT(m, '{layer}', 4096, 'geom') FROM (SELECT {columns}, ST_AsMVTGeom("
            "ST_Transform(geom, 3857), ST_TileEnvelope(%(z)s, %(x)s, %(y)s), 4096, 64, true) AS geom "
            f"FROM lianpian.{kind.source} WHERE geom && ST_Transform({box}, 4490) "
            f"AND ST_Intersects(ST_Transform(geom, 3857), {box})) m"
        )
        with psycopg2.connect(self.url) as connection, connection.cursor() as cursor:
            cursor.execute(sql, dict(zip("zxy", tile, strict=True)))
            return bytes(cursor.fetchone()[0])

    @cache  # noqa: B019
    def land(self, layer: str, tile: Tile) -> dict[str, shapely.Geometry]:
        """The features that meet the buffered tile as they are in the store, in tile units, not rounded, not cut."""
        kind = TILE_LAYERS[layer]
        box = "ST_TileEnvelope(%(z)s, %(x)s, %(y)s, margin => 65.0 / 4096)"
        sql = (
            f"SELECT {kind.key}, ST_AsBinary(ST_Transform(geom, 3857)) FROM lianpian.{kind.source} "
            f"WHERE geom && ST_Transform({box}, 4490) AND ST_Intersects(ST_Transform(geom, 3857), {box})"
        )
        with psycopg2.connect(self.url) as connection, connection.cursor() as cursor:
            cursor.execute(sql, dict(zip("zxy", tile, strict=True)))
            found = dict(cursor.fetchall())
        z, x, y = tile
        half, unit = math.pi * 6_378_137, 2 * math.pi * 6_378_137 / 2**z / EXTENT
        corner = np.array([x * EXTENT * unit - half, half - y * EXTENT * unit])
        geometries = shapely.from_wkb([bytes(one) for one in found.values()])
        placed = shapely.transform(geometries, lambda xy: (xy - corner) / (unit, -unit))
        return dict(zip(found, placed, strict=True))


@dataclass(frozen=True)
class Both:
    """The demo district in either store, served, and its oracle."""

    geopackage: Ours
    postgis: Ours
    oracle: Oracle
    store: Store
    tiles: dict[str, list[Tile]]  # of z14 to z16, by layer


def served(store: Store, folder: Path) -> TestClient:
    """The service over a store whose edition is published."""
    Editions(folder, store).publish()
    return TestClient(create_app(store, Settings(editions=str(folder), publish=False)))


def record(layer: str, rows: int) -> Load:
    """The record of an import."""
    return Load(
        f"hard-{layer}", layer, "hard.gpkg", "0" * 64, "plain", "EPSG:4490", "2026-05-01T08:00:00+08:00", None,
        rows, rows, 0, 0,
    )  # fmt: skip


def nothing() -> gpd.GeoDataFrame:
    """An empty quarantine."""
    return gpd.GeoDataFrame({LAYERS["quarantine"].key: []}, geometry=[], crs=4490)


def add_hard_shapes(store: Store) -> None:
    """Holes, islands in holes, many parts, slivers and spikes, from a metre to kilometres, beside the district."""
    west, south, east, north = store.bounds("parcels")
    middle = ((west + east) / 2, (south + north) / 2)
    generator = np.random.default_rng(53)
    shapes = []
    for row in range(48):
        x, y = generator.uniform(-0.03, 0.03, 2) + middle
        size = 10 ** generator.uniform(-4.5, -1.7)  # degrees
        outer = shapely.Point(x, y).buffer(size, quad_segs=32)
        ring = outer.difference(shapely.Point(x, y).buffer(size * 0.7, quad_segs=20))
        star = shapely.Polygon(
            [(x + size * r * math.cos(a), y + size * r * math.sin(a))
             for a, r in zip(np.linspace(0, 2 * math.pi, 40, endpoint=False), [1.0, 0.05] * 20, strict=True)]
        )  # fmt: skip
        island = shapely.Point(x, y).buffer(size * 0.4)
        sliver = shapely.box(x - size, y, x + size, y + size / 200)
        beads = shapely.MultiPolygon(
            [shapely.box(x + k * size, y, x + k * size + size / 3, y + size) for k in range(5)]
        )
        shapes.append(
            (ring, star, ring.union(island), sliver, beads, star.difference(island.buffer(size / 50)))[row % 6]
        )
    keys = [f"hard-{row:02}" for row in range(len(shapes))]
    plain = {"land_use": "0601", "land_use_edition": "2017", "status": "producing", "town": "甲镇"}
    store.write_load(
        record("parcels", len(keys)),
        gpd.GeoDataFrame({"parcel_id": keys, **plain, "area_m2": 1.5}, geometry=shapes, crs=4490), nothing(), "append",
    )  # fmt: skip
    x, y = middle
    walk = np.cumsum(generator.normal(0, 0.0004, (6, 200, 2)), axis=1) + np.array(middle)
    ways = list(shapely.linestrings(walk))
    lines = [*ways, shapely.multilinestrings(ways)]
    keys = [f"hard-{row}" for row in range(len(lines))]
    store.write_load(
        record("barriers", len(lines)),
        gpd.GeoDataFrame(
            {"barrier_id": keys, "kind": "river", "name": "长河", "width_m": 12.5},
            geometry=lines, crs=4490,
        ),
        nothing(), "append",
    )  # fmt: skip


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, postgis_cluster: Cluster, district: Made) -> Iterator[Both]:
    url = postgis_cluster.fresh_database()
    folder = tmp_path_factory.mktemp("tiles")
    store, other = open_store(folder / "district.gpkg"), open_store(url)
    for each in (store, other):
        run_main_job(each, district)
        add_hard_shapes(each)
    first, second = served(store, folder / "geopackage"), served(other, folder / "postgis")
    yield Both(
        Ours(first), Ours(second), Oracle(url), store, {layer: telling_tiles(store, layer, FULL) for layer in DRAWN}
    )
    store.close()
    other.close()


def tile_at(longitude: float, latitude: float, zoom: int) -> Tile:
    y = (1 - math.asinh(math.tan(math.radians(latitude))) / math.pi) / 2
    return zoom, math.floor((longitude + 180) / 360 * 2**zoom), math.floor(y * 2**zoom)


def telling_tiles(store: Store, layer: str, zooms: Sequence[int]) -> list[Tile]:
    """Tiles on the borders of the features that are hard to draw: many parts, holes, great size; and some others."""
    geometries = np.asarray(store.read(Query(TILE_LAYERS[layer].source, columns=())).geometry.array)
    holes = np.zeros(len(geometries), dtype=np.int64)
    parts, owner = shapely.get_parts(geometries, return_index=True)
    np.add.at(holes, owner, shapely.get_num_interior_rings(parts))
    generator = np.random.default_rng(len(geometries))
    chosen = [
        *np.argsort(-holes, kind="stable")[:2],
        *np.argsort(-shapely.get_num_geometries(geometries), kind="stable")[:2],
        *np.argsort(-shapely.length(geometries), kind="stable")[:2],
        *generator.integers(0, len(geometries), 4),
    ]
    found: dict[Tile, None] = {}
    for row in chosen:
        points = shapely.get_coordinates(geometries[row])
        for zoom in zooms:
            for at in (0, len(points) // 2):
                found[tile_at(*points[at], zoom)] = None
    return list(found)


def by_key(data: bytes, layer: str) -> dict[str, Feature]:
    """Features of a tile by their key."""
    key = TILE_LAYERS[layer].key
    layers = [each for each in read_tile(data) if each.name == layer]
    return {feature.attributes[key]: feature for each in layers for feature in each.features}


def told(feature: Feature) -> dict[str, Any]:
    """Attributes that have a value, as both sides write them."""
    return {name: round(value, 9) if isinstance(value, float) else value for name, value in feature.attributes.items()}


@pytest.mark.parametrize("layer", DRAWN)
def test_a_tile_holds_the_features_of_the_oracle_with_their_attributes(both: Both, layer: str) -> None:
    seen = missing = 0
    for tile in both.tiles[layer]:
        ours = by_key(both.geopackage.tile(layer, tile), layer)
        theirs = by_key(both.oracle.tile(layer, tile), layer)
        seen += len(theirs)
        missing += len(theirs.keys() - ours.keys())
        # The oracle leaves out what is smaller than a unit; here it is drawn as one.
        assert ours.keys() <= both.oracle.land(layer, tile).keys(), tile
        for key in ours.keys() & theirs.keys():
            assert told(ours[key]) == pytest.approx(told(theirs[key])), (tile, key)
            assert ours[key].kind == theirs[key].kind
    assert seen >= 12
    assert missing <= seen / 1000


def slack(geometry: shapely.Geometry) -> float:
    """What rounding to whole units may change of an area: each vertex moves by up to half a unit, at random."""
    points = shapely.get_coordinates(geometry)
    steps = np.hypot(*np.diff(points, axis=0).T) if len(points) > 1 else np.zeros(1)
    return 2 + 1.2 * float(np.sqrt((steps**2).sum()))


@pytest.mark.parametrize("layer", DRAWN)
def test_each_feature_is_drawn_where_it_is(both: Both, layer: str) -> None:
    """Against the land itself: the oracle takes away vertices that stand out by less than a unit."""
    frame = shapely.box(-BUFFER, -BUFFER, EXTENT + BUFFER, EXTENT + BUFFER)
    inner = shapely.box(-BUFFER + 2, -BUFFER + 2, EXTENT + BUFFER - 2, EXTENT + BUFFER - 2)
    compared, areas = 0, np.zeros(2)
    for tile in both.tiles[layer]:
        land = both.oracle.land(layer, tile)
        for key, feature in by_key(both.geopackage.tile(layer, tile), layer).items():
            drawn, true = geometry_of(feature), shapely.make_valid(land[key]).intersection(frame)
            compared += 1
            if feature.kind == POLYGON:
                assert drawn.area == pytest.approx(true.area, rel=1e-3, abs=slack(true)), (tile, key)
                areas += drawn.area, true.area
            # Pieces thinner than a unit vanish, so what is drawn is held against the land, not the land against it.
            seen = shapely.intersection(shapely.make_valid(drawn), inner)
            apart = shapely.distance(shapely.points(shapely.get_coordinates(seen)), true)
            assert apart.max(initial=0) <= 2, (tile, key)  # half a diagonal, and as much where a crossing was rounded
    assert compared >= 12
    assert areas[0] == pytest.approx(areas[1], rel=1e-3)


def union_of(features: dict[str, Feature]) -> shapely.Geometry:
    return shapely.union_all(shapely.make_valid([geometry_of(feature) for feature in features.values()]))


def test_there_is_no_gap_between_neighbours(both: Both) -> None:
    for tile in both.tiles["parcels"]:
        ours = union_of(by_key(both.geopackage.tile("parcels", tile), "parcels"))
        theirs = union_of(by_key(both.oracle.tile("parcels", tile), "parcels"))
        # What one draws and the other does not is nowhere two units wide.
        for apart in (shapely.difference(theirs, ours), shapely.difference(ours, theirs)):
            assert shapely.buffer(apart, -1, join_style="mitre").is_empty, tile


def test_simplified_levels_keep_features_attributes_area_and_borders(both: Both) -> None:
    whole = np.zeros(2)
    for tile in telling_tiles(both.store, "parcels", SIMPLER):
        ours = by_key(both.geopackage.tile("parcels", tile), "parcels")
        theirs = by_key(both.oracle.tile("parcels", tile), "parcels")
        assert len(theirs.keys() - ours.keys()) <= len(theirs) / 1000, tile
        assert ours.keys() <= both.oracle.land("parcels", tile).keys(), tile
        for key in ours.keys() & theirs.keys():
            assert told(ours[key]) == pytest.approx(told(theirs[key])), (tile, key)
        common = sorted(ours.keys() & theirs.keys())
        areas = np.array([[geometry_of(side[key]).area for side in (ours, theirs)] for key in common])
        whole += areas.sum(axis=0)
        assert np.median(np.abs(areas[:, 0] / areas[:, 1] - 1)) < 0.01, tile
        first, second = union_of(ours), union_of(theirs)
        for apart in (shapely.difference(second, first), shapely.difference(first, second)):
            assert shapely.buffer(apart, -UNITS_A_PIXEL / 2, join_style="mitre").is_empty, tile
    assert whole[0] == pytest.approx(whole[1], rel=0.01)


@pytest.mark.parametrize("layer", sorted(TILE_LAYERS))
def test_every_tile_keeps_the_rules_of_the_format(both: Both, layer: str) -> None:
    tiles = 0
    for tile in telling_tiles(both.store, layer, range(10, 17)):
        if data := both.geopackage.tile(layer, tile):
            assert faults_of(data, BUFFER) == [], (layer, tile)
            tiles += 1
    assert tiles > 0 or not both.store.count(Query(TILE_LAYERS[layer].source))


def test_the_tiles_chosen_hold_what_is_hard_to_draw(both: Both) -> None:
    cut = holes = parts = 0
    kinds = set()
    for layer in DRAWN:
        for tile in both.tiles[layer]:
            for feature in by_key(both.geopackage.tile(layer, tile), layer).values():
                geometry = geometry_of(feature)
                kinds.add(feature.kind)
                cut += any(min(point) < 0 or max(point) > EXTENT for part in parts_of(feature)[0] for point in part)
                holes += any(len(part.interiors) for part in geometry.geoms) if feature.kind == POLYGON else 0
                parts += len(geometry.geoms) > 1
    assert kinds == {1, 2, 3}
    assert min(cut, holes, parts) > 10, (cut, holes, parts)


def test_both_stores_give_the_same_bytes(both: Both) -> None:
    for layer in TILE_LAYERS:
        for tile in telling_tiles(both.store, layer, range(10, 17, 2)):
            assert both.geopackage.tile(layer, tile) == both.postgis.tile(layer, tile), (layer, tile)


def test_other_decoders_read_the_same(both: Both, tmp_path: Path) -> None:
    compared = 0
    for layer in DRAWN:
        key = TILE_LAYERS[layer].key
        for tile in both.tiles[layer][:4]:
            data = both.geopackage.tile(layer, tile)
            ours = by_key(data, layer)
            if not ours:
                continue
            decoded = mapbox_vector_tile.decode(data, default_options={"y_coord_down": True})[layer]["features"]
            assert {one["properties"][key]: one["id"] for one in decoded} == {k: f.id for k, f in ours.items()}
            by_library = {one["properties"][key]: shapely.geometry.shape(one["geometry"]) for one in decoded}
            by_gdal = read_by_gdal(data, layer, tile, tmp_path)
            assert set(by_gdal[key]) == set(ours)
            unit = 2 * math.pi * 6_378_137 / 2 ** tile[0] / EXTENT
            gdal_area = dict(zip(by_gdal[key], shapely.area(by_gdal.geometry.array) / unit**2, strict=True))
            for name, feature in ours.items():
                area = geometry_of(feature).area if feature.kind == POLYGON else 0
                assert by_library[name].area == pytest.approx(area)
                # GDAL takes away what lies in the buffer.
                inside = geometry_of(feature).intersection(shapely.box(0, 0, EXTENT, EXTENT)).area if area else 0
                assert gdal_area[name] == pytest.approx(inside, rel=1e-3, abs=1) or gdal_area[name] == pytest.approx(
                    area, rel=1e-3, abs=1
                )
                compared += 1
    assert compared > 200


def read_by_gdal(data: bytes, layer: str, tile: Tile, folder: Path) -> gpd.GeoDataFrame:
    z, x, y = tile
    path = folder / f"{layer}-{z}-{x}-{y}.mvt"
    path.write_bytes(data)
    return pyogrio.read_dataframe(path, layer=layer, X=str(x), Y=str(y), Z=str(z), CLIP="NO")


def test_several_layers_in_one_tile_are_those_of_the_single_ones(both: Both) -> None:
    tile = both.tiles["plots"][0]
    together = {layer.name: layer for layer in read_tile(both.geopackage.tile("parcels,plots,towns", tile))}
    for name in ("parcels", "plots", "towns"):
        alone = read_tile(both.geopackage.tile(name, tile))
        assert [together[name]] == alone if alone else name not in together


# ---------------------------------------------------------------------- low zooms of many features


@dataclass(frozen=True)
class Many:
    """A layer with more features than a screen can show, served."""

    ours: Ours
    parcels: gpd.GeoDataFrame

    def tiles(self, zoom: int) -> list[Tile]:
        """All tiles over the district."""
        west, south, east, north = self.parcels.total_bounds
        (_, first_x, first_y), (_, last_x, last_y) = tile_at(west, north, zoom), tile_at(east, south, zoom)
        return [(zoom, x, y) for x in range(first_x, last_x + 1) for y in range(first_y, last_y + 1)]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Many]:
    parcels = make_district(12_000).parcels
    folder = tmp_path_factory.mktemp("many")
    store = open_store(folder / "many.gpkg")
    store.write_load(record("parcels", len(parcels)), parcels, nothing())
    yield Many(Ours(served(store, folder / "editions")), parcels)
    store.close()


@pytest.mark.parametrize("zoom", range(6, 12))
def test_low_zooms_add_up_to_the_layer(many: Many, zoom: int) -> None:
    found: dict[int, dict[str, Any]] = {}
    for tile in many.tiles(zoom):
        data = many.ours.tile("parcels", tile)
        if data:
            assert faults_of(data, BUFFER) == [], tile
        for layer in read_tile(data):
            for feature in layer.features:
                assert feature.id is not None
                # The same feature on two tiles says the same.
                assert found.setdefault(feature.id, feature.attributes) == feature.attributes
    assert 0 < len(found) < len(many.parcels) / 2
    assert sum(one["count"] for one in found.values()) == len(many.parcels)
    true_mu = many.parcels["area_m2"].sum() * 3 / 2000
    assert sum(one["area_mu"] for one in found.values()) == pytest.approx(true_mu, rel=1e-6)
    by_state = many.parcels.groupby(["land_use", "status"]).size().to_dict()
    states = {(one["land_use"], one["status"]) for one in found.values()}
    assert states == set(by_state)
    for state in sorted(states):
        counted = sum(one["count"] for one in found.values() if (one["land_use"], one["status"]) == state)
        assert counted == by_state[state]


@pytest.mark.parametrize("zoom", [8, 11])
def test_low_zooms_draw_the_whole_area(many: Many, zoom: int) -> None:
    """Nothing is left out of the picture: the area drawn is that of the land, tile by tile without the buffer."""
    unit_m = 2 * math.pi * 6_378_137 / 2**zoom / EXTENT
    tile_box = shapely.box(0, 0, EXTENT, EXTENT)
    drawn = 0.0
    for tile in many.tiles(zoom):
        features = [feature for layer in read_tile(many.ours.tile("parcels", tile)) for feature in layer.features]
        if features:
            whole = shapely.union_all(shapely.make_valid([geometry_of(feature) for feature in features]))
            drawn += whole.intersection(tile_box).area * unit_m**2
    land = shapely.union_all(many.parcels.geometry.array)
    true = shapely.area(gpd.GeoSeries([land], crs=4490).to_crs(3857).array)[0]
    assert drawn == pytest.approx(true, rel=0.01)


def test_a_gathered_tile_says_so(many: Many) -> None:
    tile = many.tiles(10)[0]
    answer = many.ours.client.get("/tiles/parcels/{}/{}/{}.mvt".format(*tile))
    drawn = sum(len(layer.features) for layer in read_tile(answer.content))
    assert answer.headers["x-tile-features"] == str(drawn)
    assert answer.headers["x-tile-aggregated"]
    full = many.ours.client.get("/tiles/parcels/{}/{}/{}.mvt".format(*many.tiles(14)[len(many.tiles(14)) // 2]))
    assert full.status_code == 200
    assert "x-tile-aggregated" not in full.headers


def test_a_filter_shows_what_it_leaves_at_every_zoom(many: Many) -> None:
    """What a filter leaves is gathered anew, not picked out of what was gathered before."""
    wanted = many.parcels.query("area_m2 > 12000")
    query = "?filter=area_m2%20%3E%2012000&filter-lang=cql2-text"
    found: dict[int, dict[str, Any]] = {}
    for tile in many.tiles(9):
        for layer in read_tile(many.ours.tile("parcels", tile, query)):
            found |= {feature.id: feature.attributes for feature in layer.features if feature.id is not None}
    # Few enough of them are drawn one by one, many are gathered.
    assert sum(one.get("count", 1) for one in found.values()) == len(wanted)
