"""Editions: what is published, how it is kept, and that a tile depends on nothing else."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import mapbox_vector_tile
import numpy as np
import pandas as pd
import pytest
import shapely
from pmtiles.reader import MmapSource, Reader, all_tiles

from geo.errors import Busy, Gone, InvalidInput, InvalidParameter, NotFound
from geo.layers.filters import parse_filter
from geo.layers.schema import LAYERS
from geo.store.base import Load, Scope, Store
from geo.store.opening import open_store
from maps.tiles.archives import write_archive
from maps.tiles.edition import Edition, check_layer, open_layer
from maps.tiles.keeping import Editions
from maps.tiles.matrices import CGCS2000_QUAD, WEB_MERCATOR_QUAD
from maps.tiles.source import TileSource, Wanted

SIDE = 80  # parcels in a row of the chequered district: 6,400, more than a low zoom shows one by one
STEP_DEG = 0.001
WEST, SOUTH = 120.0, 31.5


def chequered(side: int = SIDE, west: float = WEST) -> gpd.GeoDataFrame:
    """Squares that share their borders, half of them industry, in two towns."""
    column, row = (part.ravel() for part in np.meshgrid(np.arange(side), np.arange(side)))
    x, y = west + column * STEP_DEG, SOUTH + row * STEP_DEG
    return gpd.GeoDataFrame(
        {
            "parcel_id": [f"P{number:06d}" for number in range(side * side)],
            "land_use": np.where((column // 8 + row // 8) % 2 == 0, "1001", "0701"),
            "status": np.where(column % 5 == 0, None, "producing"),
            "town": np.where(column < side // 2, "东圩镇", "石浦镇"),
            "area_m2": np.full(side * side, 10_000.5),
        },
        geometry=shapely.box(x, y, x + STEP_DEG, y + STEP_DEG),
        crs="EPSG:4490",
    )


def stored(store: Store, frame: gpd.GeoDataFrame, name: str = "L1", layer: str = "parcels") -> None:
    """The frame as one load."""
    load = Load(name, layer, f"{name}.gpkg", "0" * 64, "canonical", "EPSG:4490", "2026-01-01T00:00:00+08:00",
                None, len(frame), len(frame), 0, 0)  # fmt: skip
    full = frame.reindex(columns=[*LAYERS[layer].columns, "geometry"])
    store.write_load(load, full, gpd.GeoDataFrame(geometry=[], crs="EPSG:4490"))


class Kept:
    """A store with its editions."""

    def __init__(self, folder: Path, kept: int = 8) -> None:
        self.store = open_store(folder / "d.gpkg")
        self.editions = Editions(folder / "d.editions", self.store, kept)
        self.source = TileSource(self.editions.folder)

    def tile(self, z: int, x: int, y: int, **further: object) -> dict[int, dict[str, object]]:
        """Features of a tile of parcels by id."""
        wanted = Wanted(("parcels",), WEB_MERCATOR_QUAD, z, x, y, **further)  # type: ignore[arg-type]
        packed = self.source.tile(self.editions.current(), wanted)
        return decoded(packed.data)


def decoded(data: bytes) -> dict[int, dict[str, object]]:
    """Features of a compressed tile by id."""
    from isal import igzip

    layers = mapbox_vector_tile.decode(igzip.decompress(data)) if data else {}
    return {feature["id"]: feature for layer in layers.values() for feature in layer["features"]}


def tiles_at(z: int, frame: gpd.GeoDataFrame) -> list[tuple[int, int]]:
    """Tiles of a zoom that a frame covers."""
    from maps.tiles.grid import to_grid

    west, south, east, north = frame.total_bounds
    corners = to_grid(np.array([[west, north], [east, south]])).astype(np.float64)
    return [tuple(tile) for tile in WEB_MERCATOR_QUAD.tiles_of(corners.reshape(1, 4), z).tolist()]  # type: ignore[misc]


def drawn(kept: Kept, edition: Edition) -> dict[int, dict[str, object]]:
    """Features of all tiles of sixteen parcels."""
    found: dict[int, dict[str, object]] = {}
    for x, y in tiles_at(15, chequered(4)):
        found |= decoded(kept.source.tile(edition, Wanted(("parcels",), WEB_MERCATOR_QUAD, 15, x, y)).data)
    return found


@pytest.fixture(scope="module")
def chequer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """The chequered district, published."""
    kept = Kept(tmp_path_factory.mktemp("chequer"))
    stored(kept.store, chequered())
    kept.editions.publish()
    yield kept
    kept.store.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Kept]:
    """Sixteen parcels, not published yet; two editions are kept."""
    kept = Kept(tmp_path, kept=2)
    stored(kept.store, chequered(4))
    yield kept
    kept.store.close()


# ---------------------------------------------------------------------- low zooms


@pytest.mark.parametrize("zoom", [7, 8, 9, 10, 11])
def test_at_low_zooms_nothing_is_left_out(chequer: Kept, zoom: int) -> None:
    frame = chequered()
    found: dict[int, dict[str, object]] = {}
    for x, y in tiles_at(zoom, frame):
        found |= chequer.tile(zoom, x, y)
    rows = pd.DataFrame([feature["properties"] for feature in found.values()])
    sums = rows.groupby(["land_use", rows["status"].fillna("")])[["count", "area_mu"]].sum()
    truth = frame.assign(status=frame["status"].fillna("")).groupby(["land_use", "status"])["area_m2"]
    assert sums["count"].to_dict() == truth.count().to_dict()
    assert sums["area_mu"].to_dict() == pytest.approx((truth.sum() * 3 / 2000).to_dict(), rel=1e-9)


def test_gathered_land_has_the_area_of_its_parcels(chequer: Kept) -> None:
    layer = chequer.editions.current().layers["parcels"]
    from maps.tiles.shapes import polygons_of

    areas = [shapely.area(polygons_of(level.shapes, np.arange(len(level.shapes)))).sum() for level in layer.levels]
    assert areas == pytest.approx([areas[0]] * len(areas), rel=0.02)
    assert [len(level.shapes) for level in layer.levels[:3]] == [SIDE**2] * 3
    assert all(len(level.shapes) < 1000 for level in layer.levels[3:])


def test_neighbours_share_their_border_at_every_level(chequer: Kept) -> None:
    from maps.tiles.shapes import polygons_of

    for level in chequer.editions.current().layers["parcels"].levels[:3]:
        polygons = polygons_of(level.shapes, np.arange(len(level.shapes)))
        whole = shapely.coverage_union_all(polygons)
        assert shapely.get_num_geometries(whole) == 1
        assert not shapely.get_rings(whole)[1:].size, "a hole is a gap between neighbours"


def test_many_lines_are_gathered_by_state_with_their_length(tmp_path: Path) -> None:
    number = 6000
    x = WEST + np.arange(number) % 100 * STEP_DEG
    y = SOUTH + np.arange(number) // 100 * STEP_DEG
    ends = np.stack([np.column_stack([x, y]), np.column_stack([x + STEP_DEG, y])], axis=1)
    frame = gpd.GeoDataFrame(
        {"edge_id": [f"E{k:05d}" for k in range(number)], "mode": "road",
         "road_class": np.where(np.arange(number) % 2 == 0, "county", "trunk")},
        geometry=shapely.linestrings(ends), crs="EPSG:4490",
    )  # fmt: skip
    kept = Kept(tmp_path)
    stored(kept.store, frame, layer="network")
    edition = kept.editions.publish()
    for filter, count in ((None, number), ("road_class = 'county' OR edge_id < 'E05000'", 5500)):
        filters = () if filter is None else (parse_filter(filter, LAYERS["network"]),)
        found: dict[int, dict[str, object]] = {}
        for place in tiles_at(9, frame):
            wanted = Wanted(("network",), WEB_MERCATOR_QUAD, 9, *place, filters=filters)
            found |= decoded(kept.source.tile(edition, wanted).data)
        told = [feature["properties"] for feature in found.values()]
        assert sum(one["count"] for one in told) == count  # type: ignore[index, misc]
        # A thousandth of a degree of longitude at 31.5° is 95 m.
        assert sum(one["length_km"] for one in told) == pytest.approx(count * 0.095, rel=0.01)  # type: ignore[index, misc]
    kept.store.close()


# ---------------------------------------------------------------------- filters, columns, scopes


def test_a_filter_leaves_what_it_takes_at_every_zoom(chequer: Kept) -> None:
    frame = chequered()
    filter = parse_filter("town = '东圩镇' AND land_use = '1001'", LAYERS["parcels"])
    number = int(((frame["town"] == "东圩镇") & (frame["land_use"] == "1001")).sum())
    assert number < 5000
    for zoom in (9, 12, 14):
        found: dict[int, dict[str, object]] = {}
        for x, y in tiles_at(zoom, frame):
            found |= chequer.tile(zoom, x, y, filters=(filter,))
        assert len(found) == number, zoom


def test_what_a_filter_leaves_of_many_is_gathered_anew(chequer: Kept) -> None:
    frame = chequered()
    filter = parse_filter("area_m2 > 1 AND parcel_id > 'P000999'", LAYERS["parcels"])
    found: dict[int, dict[str, object]] = {}
    for x, y in tiles_at(9, frame):
        found |= chequer.tile(9, x, y, filters=(filter,))
    assert sum(int(feature["properties"]["count"]) for feature in found.values()) == SIDE**2 - 1000  # type: ignore[index]


def test_a_filter_by_place_is_refused(chequer: Kept) -> None:
    filter = parse_filter("s_intersects(geom, POINT(120 31.5))", LAYERS["parcels"])
    with pytest.raises(InvalidParameter, match="空间"):
        chequer.tile(14, *tiles_at(14, chequered())[0], filters=(filter,))


def test_a_tile_carries_the_columns_asked_for(chequer: Kept) -> None:
    x, y = tiles_at(15, chequered())[5]
    slim = next(iter(chequer.tile(15, x, y).values()))["properties"]
    assert set(slim) <= {"parcel_id", "land_use", "town", "status", "area_m2"}  # type: ignore[call-overload]
    few = next(iter(chequer.tile(15, x, y, columns=("town",)).values()))["properties"]
    assert set(few) == {"town"}  # type: ignore[call-overload]
    with pytest.raises(InvalidParameter, match="没有属性"):
        chequer.tile(15, x, y, columns=("extra",))


def test_a_scope_hides_towns_layers_and_columns(chequer: Kept) -> None:
    frame = chequered()
    edition = chequer.editions.current()
    scoped = TileSource(chequer.editions.folder, Scope(towns=frozenset({"石浦镇"}), columns=frozenset({"land_use"})))
    towns_seen = set()
    count = 0
    for x, y in tiles_at(13, frame):
        wanted = Wanted(("parcels",), WEB_MERCATOR_QUAD, 13, x, y)
        for feature in decoded(scoped.tile(edition, wanted).data).values():
            towns_seen.add(feature["properties"].get("town"))  # type: ignore[attr-defined]
            count += 1
    assert towns_seen == {None}, "a hidden column is not in the tile, not even among the layer's own choice"
    assert count >= SIDE**2 // 2
    with pytest.raises(InvalidParameter):
        scoped.wanted(edition, Wanted(("parcels",), WEB_MERCATOR_QUAD, 13, 0, 0, ("town",)))
    closed = TileSource(chequer.editions.folder, Scope(layers=frozenset({"towns"})))
    with pytest.raises(NotFound):
        closed.wanted(edition, Wanted(("parcels",), WEB_MERCATOR_QUAD, 13, 0, 0))


# ---------------------------------------------------------------------- matrices


def test_cgcs2000_tiles_show_the_same_land(chequer: Kept) -> None:
    """Level 12 of the geographic set has the columns of level 13 of web mercator."""
    frame = chequered()
    edition = chequer.editions.current()
    inside = shapely.box(120.02, 31.52, 120.025, 31.525)
    expected = set(frame.loc[frame.intersects(inside), "parcel_id"])
    z = 16
    found = set()
    west, south, east, north = inside.bounds
    columns = range(int((west + 180) / 180 * 2**z), int((east + 180) / 180 * 2**z) + 1)
    rows = range(int((90 - north) / 180 * 2**z), int((90 - south) / 180 * 2**z) + 1)
    for x in columns:
        for y in rows:
            tile = chequer.source.tile(edition, Wanted(("parcels",), CGCS2000_QUAD, z, x, y))
            found |= {feature["properties"]["parcel_id"] for feature in decoded(tile.data).values()}  # type: ignore[index]
    assert expected <= found
    assert CGCS2000_QUAD.lonlat_bounds(0, 1, 0) == (0.0, -90.0, 180.0, 90.0)


def test_there_is_no_tile_outside_the_matrix(chequer: Kept) -> None:
    edition = chequer.editions.current()
    for matrices, z, x, y in ((WEB_MERCATOR_QUAD, 3, 8, 0), (WEB_MERCATOR_QUAD, 23, 0, 0), (CGCS2000_QUAD, 0, 0, 1)):
        with pytest.raises(NotFound, match="矩阵"):
            chequer.source.wanted(edition, Wanted(("parcels",), matrices, z, x, y))


# ---------------------------------------------------------------------- keeping


def test_without_a_publication_there_is_no_edition(small: Kept) -> None:
    with pytest.raises(Busy):
        small.editions.current()
    assert not small.editions.is_current()


def test_only_layers_that_changed_are_published_anew(small: Kept) -> None:
    first = small.editions.publish()
    assert small.editions.publish().name == first.name, "nothing was committed since"
    stored(small.store, chequered(5), "L2")
    assert not small.editions.is_current()
    second = small.editions.publish()
    assert second.name != first.name
    assert second.layers["parcels"].token != first.layers["parcels"].token
    assert second.layers["towns"] is first.layers["towns"]
    assert len(second.layers["parcels"].table) == 25
    assert len(small.editions.edition(first.name).layers["parcels"].table) == 16, "the earlier one is as it was"


def test_the_same_rows_give_the_same_content(small: Kept) -> None:
    first = small.editions.publish()
    stored(small.store, chequered(4).sample(frac=1, random_state=1), "L2")
    assert small.editions.publish().layers["parcels"].token == first.layers["parcels"].token


def test_a_stated_number_of_editions_is_kept_and_those_that_are_pinned(small: Kept) -> None:
    names = [small.editions.publish().name]
    small.editions.pin(names[0])
    for number in range(4):
        stored(small.store, chequered(5 + number), f"L{number + 2}")
        names.append(small.editions.publish().name)
    assert small.editions.names() == [names[0], *names[-2:]]
    assert len(small.editions.edition(names[0]).layers["parcels"].table) == 16
    with pytest.raises(Gone, match="不保留"):
        small.editions.edition(names[1])
    small.editions.unpin(names[0])
    stored(small.store, chequered(9), "L9")
    small.editions.publish()
    with pytest.raises(Gone):
        small.editions.edition(names[0])
    kept = {layer.folder.name for name in small.editions.names()
            for layer in small.editions.edition(name).layers.values()}  # fmt: skip
    assert {path.name for path in (small.editions.folder / "layers").iterdir()} == kept


@pytest.mark.parametrize("name", ["../current", "000001-zz/..", "", "a\0b", "000009-00000000"])
def test_a_name_that_is_none_is_gone(small: Kept, name: str) -> None:
    small.editions.publish()
    with pytest.raises(Gone):
        small.editions.edition(name)


def test_a_publication_that_dies_leaves_the_edition_that_was(small: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    first = small.editions.publish()
    stored(small.store, chequered(6), "L2")

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("maps.tiles.keeping.pregenerate", dies)
    with pytest.raises(KeyboardInterrupt):
        small.editions.publish()
    assert small.editions.current().name == first.name
    monkeypatch.undo()
    assert len(small.editions.publish().layers["parcels"].table) == 36
    assert not list((small.editions.folder / "layers").glob(".*")), "no unfinished folder stays"


def test_a_changed_file_shows_by_its_sum(small: Kept) -> None:
    folder = small.editions.publish().layers["parcels"].folder
    assert check_layer(folder) == []
    path = folder / "measures.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    assert check_layer(folder) == ["measures"]
    described = folder / "layer.json"
    described.write_text(described.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(InvalidInput, match="格式"):
        open_layer(folder)


def test_readers_go_on_while_an_edition_is_removed(small: Kept) -> None:
    first = small.editions.publish()
    shutil.rmtree(first.layers["parcels"].folder)
    assert len(drawn(small, first)) == 16


# ---------------------------------------------------------------------- cache


def test_a_tile_is_made_once_however_many_ask(chequer: Kept) -> None:
    sources = [TileSource(chequer.editions.folder) for _ in range(4)]  # as many workers
    edition = chequer.editions.current()
    x, y = tiles_at(12, chequered())[0]
    wanted = Wanted(("parcels",), WEB_MERCATOR_QUAD, 12, x, y, ("parcel_id", "holder"))  # nobody has asked for it yet
    with sqlite3.connect(chequer.editions.folder / "tiles.sqlite") as file:
        file.execute("DELETE FROM tiles WHERE columns <> ''")
    barrier = threading.Barrier(16)
    answers = []

    def ask(number: int) -> None:
        barrier.wait()
        answers.append(sources[number % 4].tile(edition, wanted))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer.data for answer in answers}) == 1
    assert sum(source.stats()["made"] for source in sources) == 1


def test_the_cache_holds_no_more_bytes_than_it_may(chequer: Kept) -> None:
    source = TileSource(chequer.editions.folder, cache_bytes=20_000)
    edition = chequer.editions.current()
    for x, y in tiles_at(15, chequered()):
        source.tile(edition, Wanted(("parcels",), WEB_MERCATOR_QUAD, 15, x, y))
        assert source.stats()["held_bytes"] <= 20_000
    assert source.stats()["held_tiles"] > 1


def test_a_broken_shared_file_costs_no_tile(small: Kept) -> None:
    edition = small.editions.publish()
    (small.editions.folder / "tiles.sqlite").write_bytes(b"not a database" * 1000)
    assert len(drawn(small, edition)) == 16


# ---------------------------------------------------------------------- archives


@pytest.mark.parametrize("suffix", [".pmtiles", ".mbtiles"])
def test_an_archive_holds_the_bytes_of_the_service(chequer: Kept, tmp_path: Path, suffix: str) -> None:
    edition = chequer.editions.current()
    path = tmp_path / f"district{suffix}"
    written = write_archive(chequer.source, edition, ("parcels", "towns"), path, max_zoom=13)
    if suffix == ".pmtiles":
        with path.open("rb") as file:
            reader = MmapSource(file)
            archive = Reader(reader)
            told = dict(all_tiles(reader))
            assert archive.header()["max_zoom"] == 13
            assert [one["id"] for one in archive.metadata()["vector_layers"]] == ["parcels", "towns"]
    else:
        with sqlite3.connect(path) as file:
            told = {(z, x, 2**z - 1 - y): data for z, x, y, data in file.execute("SELECT * FROM tiles")}
            assert dict(file.execute("SELECT name, value FROM metadata"))["format"] == "pbf"
    assert len(told) == written.tiles > 20
    for (z, x, y), data in told.items():
        live = chequer.source.tile(edition, Wanted(("parcels", "towns"), WEB_MERCATOR_QUAD, z, x, y))
        assert data == live.data
    assert {z for z, _, _ in told} == set(range(6, 14))


def test_an_archive_of_another_kind_is_refused(chequer: Kept, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="瓦片文件"):
        write_archive(chequer.source, chequer.editions.current(), ("parcels",), tmp_path / "x.zip")
    assert list(tmp_path.iterdir()) == []
