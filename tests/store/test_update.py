"""Updates by key, and which loads stand."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from geopandas.testing import assert_geodataframe_equal

from geo.errors import InvalidInput, InvalidParameter
from geo.store.base import Load, Query, Store
from geo.store.records import earlier_load, standing_loads

if TYPE_CHECKING:
    from tests.store.conftest import Samples


def update(store: Store, make: Samples, frame: pd.DataFrame, layer: str = "parcels") -> Load:
    """Write a frame as an update; the record as the store has it."""
    make.fill(store, frame, layer, mode="update")
    return store.loads()[-1]


def test_rows_with_the_key_are_replaced_whole_others_added_the_rest_stays(store: Store, make: Samples) -> None:
    make.fill(store, make.squares(10, town=["甲镇"] * 10, area_m2=range(10)))
    changed = make.squares(4, start=8, town=["乙街道"] * 4)  # two are there, two are new, no area
    load = update(store, make, changed)
    assert load.report == {"重叠": 0, "updated": 2, "added": 2}
    found = store.read(Query("parcels", columns=("town", "area_m2")))
    assert found["parcel_id"].tolist() == [f"P{i:06d}" for i in range(12)]
    assert found["town"].tolist() == ["甲镇"] * 8 + ["乙街道"] * 4
    assert found["area_m2"].tolist()[:8] == list(range(8))
    assert found["area_m2"].isna().tolist() == [False] * 8 + [True] * 4
    assert store.count(Query("parcels")) == 12


def test_index_and_extent_follow(store: Store, store_url: str, make: Samples) -> None:
    """Rows move, lose their geometry and get one; the old places are empty, and the extent shrinks."""
    make.fill(store, make.squares(500))
    moved = make.squares(3, start=497)
    moved.geometry = [shapely.box(119, 30, 119.5, 30.5), None, shapely.Polygon()]
    update(store, make, moved)
    assert store.count(Query("parcels", bbox=(120.0135, 31.0979, 121, 32))) == 0
    assert store.read(Query("parcels", bbox=(119.5, 30.5, 119.6, 30.6)))["parcel_id"].tolist() == ["P000497"]
    assert store.bounds("parcels") == (119.0, 30.0, *make.squares(497).total_bounds[2:])
    back = make.squares(2, start=497)
    update(store, make, back)
    assert store.bounds("parcels") == tuple(make.squares(499).total_bounds)
    for everything in (make.squares(500, start=100), make.squares(600)):
        update(store, make, everything)
    assert_geodataframe_equal(
        store.read(Query("parcels", columns=())), make.squares(600), check_dtype=False, check_column_type=False
    )
    assert store.bounds("parcels") == tuple(make.squares(600).total_bounds)
    if not store_url.startswith("postgresql"):
        with sqlite3.connect(store_url) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("SELECT rtreecheck('rtree_parcels_geom')").fetchone() == ("ok",)
            triggers = connection.execute(
                "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'parcels'"
            ).fetchone()
            assert triggers == (7,)
        connection.close()


def test_features_keep_their_number_in_the_file(store: Store, store_url: str, make: Samples) -> None:
    """A GIS selects by fid; an updated parcel stays the same feature, and a number is never used twice."""
    if store_url.startswith("postgresql"):
        return
    make.fill(store, make.squares(5))
    update(store, make, make.squares(3, start=3))
    with sqlite3.connect(store_url) as connection:
        numbers = dict(connection.execute("SELECT parcel_id, fid FROM parcels"))
    connection.close()
    assert numbers == {f"P{i:06d}": i + 1 for i in range(6)}


def test_tables_without_geometry_and_empty_updates(store: Store, make: Samples) -> None:
    delays = make.table("delays", delay_id=["a", "b"], parcel_id=["1", "2"])
    make.fill(store, delays, "delays")
    load = update(store, make, make.table("delays", delay_id=["b", "c"], parcel_id=["3", "4"]), "delays")
    assert (load.report["updated"], load.report["added"]) == (1, 1)
    assert store.read(Query("delays"))["parcel_id"].tolist() == ["1", "3", "4"]
    load = update(store, make, make.table("delays", delay_id=[], parcel_id=[]), "delays")
    assert (load.report["updated"], load.report["added"]) == (0, 0)
    load = update(store, make, make.nothing("parcels"))
    assert (load.report["updated"], load.report["added"]) == (0, 0)
    make.fill(store, make.squares(2), mode="append")
    assert store.count(Query("parcels", bbox=(120, 31, 121, 32))) == 2


def test_quarantine_of_earlier_loads_stays(store: Store, make: Samples) -> None:
    def bad(name: str) -> gpd.GeoDataFrame:
        return make.squares(1, layer="quarantine", reason=["自相交"]).assign(row_id=[name])

    store.write_load(make.load("parcels", 5, 1), make.squares(5), bad("one"))
    store.write_load(make.load("parcels", 2, 1), make.squares(2), bad("two"), "update")
    assert store.read(Query("quarantine"))["row_id"].tolist() == ["one", "two"]


def test_all_or_nothing(store: Store, make: Samples) -> None:
    load = make.fill(store, make.squares(5, town=["甲镇"] * 5))
    bad = make.squares(1, layer="quarantine").assign(row_id=["q"])
    store.write_load(make.load("buildings", 0, 1), make.nothing("buildings"), bad)
    before = store.revision(), store.loads(), store.bounds("parcels")
    for record, apart in ((make.load("parcels", 9, 1), bad), (replace(load, read=9, stored=9), make.nothing())):
        with pytest.raises(InvalidInput):  # a quarantined row, and a load, that are there already
            store.write_load(record, make.squares(9, start=2), apart, "update")
        assert (store.revision(), store.loads(), store.bounds("parcels")) == before
        assert store.read(Query("parcels"))["town"].tolist() == ["甲镇"] * 5
    assert store.count(Query("parcels", bbox=(120, 31, 121, 32))) == 5
    with pytest.raises(InvalidParameter, match="upsert"):
        store.write_load(make.load("parcels", 1), make.squares(1), make.nothing(), "upsert")  # type: ignore[arg-type]


# ---------------------------------------------------------------------- which loads stand


def loads(make: Samples, *told: tuple[str, str, int | None], layer: str = "parcels") -> list[Load]:
    """Loads by (sha256, mode, rows that an update replaced)."""
    return [
        make.load(layer, 3, sha256=sha, report={"mode": mode} | ({} if n is None else {"updated": n}))
        for sha, mode, n in told
    ]


def test_an_update_is_on_top_like_an_append(make: Samples) -> None:
    found = loads(
        make, ("a", "replace", None), ("b", "append", None), ("c", "replace", None), ("d", "update", 2),
        ("e", "append", None),
    )  # fmt: skip
    assert [load.sha256 for load in standing_loads(found)] == ["c", "d", "e"]
    assert standing_loads(standing_loads(found)) == standing_loads(found)


def test_the_same_file_is_recognised_while_its_rows_stand(make: Samples) -> None:
    def found(among: list[Load], sha256: str, layer: str = "parcels", **report: str) -> Load | None:
        return earlier_load(among, make.load(layer, 3, sha256=sha256, report=report))

    stored = loads(make, ("a", "replace", None), ("b", "append", None), ("c", "update", 0))
    assert found(stored, "a") is stored[0]
    assert found(stored, "c") is stored[2]
    assert found(stored, "a", "buildings") is None
    assert found(stored, "a", read_with="otherwise") is None
    assert found(stored, "x") is None
    replaced = [*stored, *loads(make, ("d", "replace", None))]
    assert found(replaced, "a") is None
    assert found(replaced, "d") is replaced[3]
    updated = [*stored, *loads(make, ("d", "update", 1))]
    assert found(updated, "a") is None  # a row of it may say something else now
    assert found(updated, "d") is updated[3]
