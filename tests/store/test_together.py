"""Several processes at one store: readers and GDAL while an import writes; several writers."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import shapely

from geo.layers.schema import LAYERS
from geo.store.base import Query, Store
from geo.store.opening import open_store

if TYPE_CHECKING:
    from tests.store.conftest import Samples

# Writes n loads; every row of load i says i, so a reader that sees two numbers has seen half a load.
WRITER = """
import sys
import geopandas as gpd, numpy as np, shapely
from geo.store.base import Load
from geo.store.opening import open_store

url, name, rounds, rows = sys.argv[1], sys.argv[2], int(sys.argv[3]), 2000
store = open_store(url)
x = 120 + np.arange(rows) * 0.0001
boxes = shapely.box(x, 31, x + 0.0001, 31.001)
keys = [f"P{i:05d}" for i in range(rows)]
nothing = gpd.GeoDataFrame({"row_id": []}, geometry=[], crs=4490)
for i in range(rounds):
    frame = gpd.GeoDataFrame({"parcel_id": keys, "holder": [f"{name}-{i}"] * rows}, geometry=boxes, crs=4490)
    load = Load(f"{name}-{i}", "parcels", "a", "0", "p", "EPSG:4490", "2026", None, rows, rows, 0, 0, {})
    store.write_load(load, frame, nothing)
    print(i, flush=True)
store.close()
"""

OTHER_READER = """
import sys
from geo.store.base import Query
from geo.store.opening import open_store

store = open_store(sys.argv[1])
seen = set()
for _ in range(int(sys.argv[2])):
    frame = store.read(Query("parcels", columns=("holder",)))
    holders = set(frame["holder"])
    assert len(frame) == 2000 and len(holders) == 1, (len(frame), holders)
    seen |= holders
store.close()
print(len(seen))
"""


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    return out


def test_readers_see_whole_loads_while_one_writes(store: Store, store_url: str, make: Samples) -> None:
    first = make.fill(store, make.squares(2000, holder=["old"] * 2000))
    writer = start(WRITER, store_url, "w", "6")
    reader = start(OTHER_READER, store_url, "8")
    faults: list[str] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            holders = store.read(Query("parcels", columns=("holder",), bbox=(119, 30, 130, 32)))["holder"].tolist()
            if len(holders) != 2000 or len(set(holders)) != 1:
                faults.append(f"{len(holders)} {set(holders)}")
            if store.count(Query("parcels")) != 2000:
                faults.append("count")
            store.revision()
            stop.wait(0.02)

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        finished(writer)
        finished(reader)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert faults == []
    assert [load.load_id for load in store.loads()] == [first.load_id, *(f"w-{i}" for i in range(6))]
    assert set(store.read(Query("parcels", columns=("holder",)))["holder"]) == {"w-5"}


def test_writers_take_turns(store: Store, store_url: str) -> None:
    before = store.revision()
    writers = [start(WRITER, store_url, name, "3") for name in ("甲", "乙")]
    for writer in writers:
        finished(writer)
    told = [load.load_id for load in store.loads()]
    assert sorted(told) == sorted(f"{name}-{i}" for name in ("甲", "乙") for i in range(3))
    assert set(store.read(Query("parcels", columns=("holder",)))["holder"]) == {told[-1]}
    assert int(store.revision().split("-")[-1]) == int(before.split("-")[-1]) + 6


def told_by_gdal(*arguments: str) -> str:
    """What GDAL's own program says, in a process of its own."""
    done = subprocess.run(
        ["ogrinfo", "-ro", "-so", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout


def feature_count(path: Path, *arguments: str) -> int:
    return int(told_by_gdal(*arguments, str(path), "parcels").split("Feature Count: ")[1].split()[0])


@pytest.fixture
def embedded(tmp_path: Path) -> Path:
    return tmp_path / "store.gpkg"


def test_gdal_opens_the_store_while_it_serves_and_while_an_import_writes(embedded: Path, make: Samples) -> None:
    store = open_store(embedded)
    make.fill(store, make.squares(2000))
    writer = start(WRITER, str(embedded), "w", "6")
    seen = 0
    while writer.poll() is None:
        assert feature_count(embedded) == 2000
        assert feature_count(embedded, "-spat", "120", "31", "120.00005", "31.0001") >= 1  # by the R-tree
        assert store.count(Query("parcels")) == 2000
        seen += 1
    finished(writer)
    assert seen >= 1
    store.close()
    assert feature_count(embedded) == 2000


def test_gdal_sees_every_layer_and_its_chinese_names(embedded: Path, make: Samples) -> None:
    store = open_store(embedded)
    make.fill(store, make.squares(7, holder=["某某公司"] * 7))
    told = {part.split("\n")[0]: part for part in told_by_gdal("-al", str(embedded)).split("\nLayer name: ")[1:]}
    assert set(told) == {*LAYERS, "loads", "runs"}
    for name, layer in LAYERS.items():
        assert f"DESCRIPTION={layer.zh}" in told[name]
        assert ("Geometry Column = geom" in told[name]) == (layer.geometry is not None)
    parcels = told["parcels"]
    for line in (
        "Feature Count: 7",
        "Extent: (120.000000, 31.000000) - (120.013000, 31.001000)",
        'ID["EPSG",4490]',
        "FID Column = fid",
        "area_m2: Real (0.0)",
        "start_due: Date",
        "employees: Integer64 (0.0)",
        "above_scale: Integer(Boolean) (0.0)",
        "extra: String(JSON)",
    ):
        assert line in parcels, parcels
    store.close()
    connection = sqlite3.connect(embedded)
    aliases = dict(
        connection.execute("SELECT column_name, name FROM gpkg_data_columns WHERE table_name = 'parcels'").fetchall()
    )
    connection.close()
    assert aliases == {field.name: field.zh for field in LAYERS["parcels"].fields}  # GDAL 3.8 and later show them


def test_gdal_edits_keep_the_index_right(embedded: Path, make: Samples) -> None:
    """A planner moves, deletes and adds a parcel in a GIS; the triggers follow, and the store answers by them."""
    store = open_store(embedded)
    far = make.squares(1).assign(parcel_id="far").set_geometry([shapely.box(121, 32, 121.1, 32.1)], crs=4490)
    make.fill(store, make.squares(100))
    make.fill(store, far, mode="append")
    moved = "(SELECT geom FROM parcels WHERE parcel_id = 'far')"
    edits = (
        f"UPDATE parcels SET geom = {moved}, town = '甲镇' WHERE parcel_id = 'P000003'",
        "DELETE FROM parcels WHERE parcel_id = 'P000004'",
        "UPDATE parcels SET geom = NULL WHERE parcel_id = 'P000005'",
        f"INSERT INTO parcels (parcel_id, geom) VALUES ('新', {moved})",
    )
    for edit in edits:
        subprocess.run(["ogrinfo", "-q", str(embedded), "-sql", edit], check=True, timeout=60, capture_output=True)
    assert store.read(Query("parcels", bbox=(121.05, 32, 122, 33)))["parcel_id"].tolist() == ["P000003", "far", "新"]
    assert store.count(Query("parcels", bbox=(120, 31, 120.02, 31.0005))) == 7
    assert store.count(Query("parcels")) == 101
    # The store's own bulk write leaves triggers and tree in order.
    make.fill(store, make.squares(50, start=200), mode="append")
    subprocess.run(
        ["ogrinfo", "-q", str(embedded), "-sql", "DELETE FROM parcels WHERE parcel_id = 'P000200'"],
        check=True,
        timeout=60,
        capture_output=True,
    )
    assert store.count(Query("parcels", bbox=(120, 31.04, 120.02, 31.0405))) == 9
    store.close()
    connection = sqlite3.connect(embedded)
    assert connection.execute("SELECT rtreecheck('rtree_parcels_geom')").fetchone() == ("ok",)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
