"""Opening: what is made, what is refused, and stores of an earlier schema."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
import pyogrio
import pytest

from geo.errors import InvalidInput, InvalidParameter, NotFound, StoreUnreachable
from geo.layers import schema
from geo.layers.schema import LAYERS, Field
from geo.store.base import Query
from geo.store.geopackage import GeoPackageStore
from geo.store.opening import open_store
from geo.store.postgis import PostGISStore

if TYPE_CHECKING:
    from tests.cluster import Cluster
    from tests.store.conftest import Samples


def test_addresses(tmp_path: Path, postgis_url: str) -> None:
    one, other = open_store(tmp_path / "a.GPKG"), open_store(postgis_url)
    assert isinstance(one, GeoPackageStore)
    assert isinstance(other, PostGISStore)
    one.close()
    other.close()
    for wrong in ("land.shp", "mysql://root:secret@db/land", "", "/tmp"):
        with pytest.raises(InvalidParameter) as error:
            open_store(wrong)
        assert "secret" not in str(error.value)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachable):
        open_store(tmp_path / "missing.gpkg", create=False)
    assert os.listdir(tmp_path) == []
    with pytest.raises(StoreUnreachable):
        open_store(tmp_path / "no" / "folder.gpkg")
    with pytest.raises(StoreUnreachable) as error:
        open_store("postgresql://somebody:secret@127.0.0.1:1/land")
    assert "secret" not in error.value.detail + error.value.where + error.value.remedy


def test_a_file_that_is_no_store_is_left_alone(tmp_path: Path, make: Samples) -> None:
    text = tmp_path / "text.gpkg"
    text.write_text("这不是数据库" * 1000)
    with pytest.raises(StoreUnreachable):
        open_store(text)
    assert text.read_text().startswith("这不是数据库")
    foreign = tmp_path / "foreign.gpkg"
    make.squares(3).to_file(foreign, layer="宗地", engine="pyogrio")
    before = foreign.read_bytes()
    with pytest.raises(InvalidInput):
        open_store(foreign)
    assert foreign.read_bytes() == before


def test_a_blank_file_becomes_a_store(tmp_path: Path) -> None:
    """What is left of a process that was killed while it made the store."""
    (tmp_path / "a.gpkg").touch()
    store = open_store(tmp_path / "a.gpkg")
    assert store.count(Query("parcels")) == 0
    store.close()


def test_several_processes_open_a_new_store_at_once(store_url: str) -> None:
    program = (
        "import sys; from geo.store.opening import open_store; store = open_store(sys.argv[1]); print(store.revision())"
    )
    opening = [
        subprocess.Popen([sys.executable, "-c", program, store_url], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    told = {process.communicate(timeout=60)[0] for process in opening}
    assert [process.returncode for process in opening] == [0, 0, 0]
    assert len(told) == 1


def test_opening_again_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    open_store(path).close()
    before = path.read_bytes()
    open_store(path).close()
    assert path.read_bytes() == before


def test_a_store_gains_the_fields_that_the_schema_has_gained(
    store_url: str, make: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(store_url)
    make.fill(store, make.squares(2, holder=["甲", None]))
    revision = store.revision()
    store.close()
    towns = LAYERS["parcels"]
    later = dataclasses.replace(towns, fields=(*towns.fields, Field("later_field", "integer", "后来的字段")))
    monkeypatch.setitem(schema.LAYERS, "parcels", later)
    store = open_store(store_url)
    assert store.revision() == revision
    found = store.read(Query("parcels", minimum={"area_m2": 0}, columns=("later_field",)))
    assert list(found.columns) == ["parcel_id", "later_field", "geometry"]
    make.fill(store, make.squares(2, start=2, later_field=[7, None]), mode="append")
    assert store.read(Query("parcels", equals={"later_field": 7}))["parcel_id"].tolist() == ["P000002"]
    assert store.read(Query("parcels"))["holder"].tolist() == ["甲", None, None, None]
    store.close()
    changed = dataclasses.replace(towns, fields=(*towns.fields, Field("later_field", "text", "后来的字段")))
    monkeypatch.setitem(schema.LAYERS, "parcels", changed)
    with pytest.raises(InvalidInput, match="later_field"):
        open_store(store_url)


ORIGIN = ("load_id", "source_row", "field_sources")
LATER_LAYERS = ("indicators", "firms", "past_findings")
LATER_FIELDS = {
    **dict.fromkeys(("parcels", "delays", "enterprises", "buildings"), ORIGIN),
    "findings": ("article", "ruleset", "shortfall", "disposals", "unverified"),
}


@pytest.mark.parametrize("kind", ["geopackage", "postgis"])
def test_a_store_of_the_version_before_opens(
    kind: str, tmp_path: Path, postgis_cluster: Cluster, make: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made without origins, past findings and indicators; opened, it keeps its rows and takes all of these."""
    address = str(tmp_path / "a.gpkg") if kind == "geopackage" else postgis_cluster.fresh_database()
    with monkeypatch.context() as earlier:
        for name, later in LATER_FIELDS.items():
            layer = LAYERS[name]
            fields = tuple(field for field in layer.fields if field.name not in later)
            earlier.setitem(schema.LAYERS, name, dataclasses.replace(layer, fields=fields))
        for name in LATER_LAYERS:
            earlier.delitem(schema.LAYERS, name)
        store = open_store(address)
        make.fill(store, make.squares(3, holder=["甲", "乙", None]))
        store.write_run(make.run(), {"findings": make.squares(2, layer="findings", level=["idle_1y"] * 2)})
        with pytest.raises(NotFound):
            store.count(Query("past_findings"))
        store.close()
    store = open_store(address)
    land = store.read(Query("parcels"))
    assert land["holder"].tolist() == ["甲", "乙", None]
    assert land[list(ORIGIN)].isna().all(axis=None)
    assert store.read(Query("findings"))["article"].tolist() == [None, None]
    assert [store.count(Query(name)) for name in LATER_LAYERS] == [0, 0, 0]
    fresh = {"load_id": ["L9"], "source_row": [5], "field_sources": [{"holder": ["L8", 2]}]}
    make.fill(store, make.squares(1, start=2, **fresh), mode="update")
    told = store.read(Query("parcels", equals={"load_id": "L9"}))
    assert told["source_row"].tolist() == [5]
    assert told["field_sources"].tolist() == [{"holder": ["L8", 2]}]
    run = make.run()
    past = make.table("past_findings", past_id=["p"], parcel_id=["P000000"])
    firms = make.table("firms", firm_id=["f"], score=[81.5])
    store.write_run(run, {"findings": make.squares(1, layer="findings"), "past_findings": past, "firms": firms})
    assert store.read(Query("past_findings"))["run_id"].tolist() == [run.run_id]
    assert store.read(Query("firms"))["score"].tolist() == [81.5]
    store.close()
    if kind == "geopackage":
        with sqlite3.connect(address) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
        listed = dict(pyogrio.list_layers(address).tolist())
        assert {"past_findings", "firms", "parcels"} <= set(listed)
        assert "load_id" in pyogrio.read_info(address, layer="parcels")["fields"]


def test_a_held_file_is_told_of(tmp_path: Path, make: Samples) -> None:
    store = GeoPackageStore(tmp_path / "a.gpkg", busy_s=0.2)
    make.fill(store, make.squares(2))
    holder = sqlite3.connect(tmp_path / "a.gpkg", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnreachable, match="占用"):
        make.fill(store, make.squares(3))
    assert store.count(Query("parcels")) == 2  # reading goes on
    holder.execute("ROLLBACK")
    holder.close()
    make.fill(store, make.squares(3))
    store.close()


def test_a_held_database_is_told_of(postgis_url: str, make: Samples) -> None:
    store = PostGISStore(postgis_url, busy_s=0.2)
    make.fill(store, make.squares(2))
    holder = psycopg2.connect(postgis_url)
    holder.cursor().execute("SELECT * FROM lianpian.store_state FOR UPDATE")
    with pytest.raises(StoreUnreachable, match="占用"):
        make.fill(store, make.squares(3))
    assert store.count(Query("parcels")) == 2
    holder.close()
    make.fill(store, make.squares(3))
    store.close()


def test_a_read_that_takes_too_long_is_given_up(postgis_url: str, make: Samples) -> None:
    store = PostGISStore(postgis_url, read_s=0.3)
    holder = psycopg2.connect(postgis_url)
    holder.cursor().execute("LOCK TABLE lianpian.towns IN ACCESS EXCLUSIVE MODE")
    with pytest.raises(StoreUnreachable, match="中止"):
        store.count(Query("towns"))
    holder.close()
    assert store.count(Query("towns")) == 0
    store.close()


def test_a_lost_connection_is_made_again(postgis_url: str) -> None:
    store = open_store(postgis_url)
    store.revision()
    other = psycopg2.connect(postgis_url)
    other.autocommit = True
    other.cursor().execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    other.close()
    assert store.count(Query("parcels")) >= 0
    store.close()


def test_readers_cannot_write(tmp_path: Path, postgis_url: str) -> None:
    embedded, office = GeoPackageStore(tmp_path / "a.gpkg"), PostGISStore(postgis_url)
    with embedded._readers.borrowed() as connection, pytest.raises(sqlite3.OperationalError):
        connection.execute("DELETE FROM parcels")
    with office._connections.borrowed() as reader, pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        reader.connection.cursor().execute("DELETE FROM lianpian.parcels")
    embedded.close()
    office.close()
