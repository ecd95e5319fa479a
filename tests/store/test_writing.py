"""Loads and runs: replace, append, and that nothing is half written."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from geo.errors import InvalidInput, InvalidParameter, NotFound
from geo.store.base import Query, Store
from geo.store.opening import open_store

if TYPE_CHECKING:
    import geopandas as gpd

    from tests.store.conftest import Samples


def keys(store: Store, layer: str = "parcels") -> list[str]:
    frame = store.read(Query(layer, columns=(), geometry=False))
    found: list[str] = frame.iloc[:, 0].tolist()
    return found


def bad_rows(make: Samples, number: int, load_id: str = "load") -> gpd.GeoDataFrame:
    """Quarantined rows without load and layer; the store fills them in."""
    frame = make.squares(number, layer="quarantine", reason=["自相交"] * number, source_row=range(number))
    return frame.assign(row_id=[f"{load_id}/{i}" for i in range(number)])


def everything(store: Store) -> list[object]:
    """All that a store tells, to compare before and after."""
    frames = [pd.DataFrame(store.read(Query(layer))) for layer in ("parcels", "quarantine", "findings", "plots")]
    return [store.revision(), store.loads(), store.runs(), store.bounds("parcels"), *frames]


def assert_same(before: list[object], after: list[object]) -> None:
    for one, other in zip(before, after, strict=True):
        if isinstance(one, pd.DataFrame):
            assert_frame_equal(one, other)
        else:
            assert one == other


def test_replace_takes_the_place_of_rows_and_quarantine(store: Store, make: Samples) -> None:
    store.write_load(make.load("parcels", 20, 2), make.squares(20), bad_rows(make, 2, "one"))
    store.write_load(make.load("buildings", 3, 1), make.squares(3, layer="buildings"), bad_rows(make, 1, "two"))
    second = make.load("parcels", 5, 1)
    store.write_load(second, make.squares(5, start=100), bad_rows(make, 1, "three"))
    assert keys(store) == [f"P{i:06d}" for i in range(100, 105)]
    assert store.bounds("parcels") == tuple(make.squares(5, start=100).total_bounds)
    assert store.count(Query("parcels", bbox=(120, 31, 120.1, 31.005))) == 0
    assert store.count(Query("parcels", bbox=(120, 31.02, 120.0015, 31.021))) == 1
    left = store.read(Query("quarantine"))
    assert left["row_id"].tolist() == ["three/0", "two/0"]
    assert left["layer"].tolist() == ["parcels", "buildings"]
    assert left["load_id"].tolist()[0] == second.load_id
    assert len(store.loads()) == 3


def test_append_adds(store: Store, make: Samples) -> None:
    store.write_load(make.load("parcels", 10, 1), make.squares(10), bad_rows(make, 1, "one"))
    store.write_load(make.load("parcels", 15, 1), make.squares(15, start=95), bad_rows(make, 1, "two"), "append")
    assert len(keys(store)) == 25
    assert len(keys(store, "quarantine")) == 2
    assert store.bounds("parcels") == tuple(pd.concat([make.squares(10), make.squares(15, start=95)]).total_bounds)
    assert store.read(Query("parcels", bbox=(120.008, 31.0, 120.03, 31.0001)))["parcel_id"].tolist() == [
        "P000004",
        "P000005",
        "P000006",
        "P000007",
        "P000008",
        "P000009",
    ]
    assert store.count(Query("parcels", bbox=(120.0, 31.018, 121.0, 31.0215))) == 15


def test_append_of_a_key_that_is_there_writes_nothing(store: Store, make: Samples) -> None:
    make.fill(store, make.squares(10))
    before = everything(store)
    with pytest.raises(InvalidInput, match="P000009"):
        store.write_load(make.load("parcels", 3, 1), make.squares(3, start=9), bad_rows(make, 1), "append")
    assert_same(before, everything(store))


def test_a_fault_in_the_last_step_writes_nothing(store: Store, make: Samples) -> None:
    """The quarantine comes last; when its rows are there already, layer, record and revision stay as they were."""
    store.write_load(make.load("buildings", 0, 2), make.nothing("buildings"), bad_rows(make, 2))
    make.fill(store, make.squares(10))
    before = everything(store)
    with pytest.raises(InvalidInput, match="load/1"):
        store.write_load(make.load("parcels", 5, 2), make.squares(5, start=50), bad_rows(make, 2))
    assert_same(before, everything(store))


def test_a_load_is_written_once(store: Store, make: Samples) -> None:
    load = make.fill(store, make.squares(3))
    before = everything(store)
    with pytest.raises(InvalidInput, match=load.load_id):
        store.write_load(replace(load, read=4, stored=4), make.squares(4), make.nothing())
    assert_same(before, everything(store))


def test_a_load_must_account_for_every_row(store: Store, make: Samples) -> None:
    for wrong in (make.load("parcels", 3), make.load("parcels", 2, read=5), make.load("parcels", 2, quarantined=1)):
        with pytest.raises(InvalidInput):
            store.write_load(wrong, make.squares(2), make.nothing())
    assert store.loads() == []


def test_an_empty_load_empties_the_layer(store: Store, make: Samples) -> None:
    make.fill(store, make.squares(3))
    make.fill(store, make.nothing("parcels"))
    assert keys(store) == []
    assert store.bounds("parcels") is None
    make.fill(store, make.nothing("parcels"), mode="append")
    make.fill(store, make.squares(2), mode="append")
    assert store.count(Query("parcels", bbox=(120, 31, 121, 32))) == 2


def test_layers_that_a_load_or_run_may_not_write(store: Store, make: Samples) -> None:
    with pytest.raises(InvalidParameter):
        make.fill(store, make.nothing(), "quarantine")
    with pytest.raises(InvalidParameter):
        store.write_run(make.run(), {"parcels": make.squares(1)})
    with pytest.raises(NotFound):
        store.write_run(make.run(), {"nothing": make.squares(1)})
    assert store.runs() == []


def test_a_run_replaces_the_rows_of_earlier_runs(store: Store, make: Samples) -> None:
    first, second, third = make.run(), make.run(), make.run()
    plots, findings = make.squares(4, layer="plots"), make.squares(6, layer="findings", kind=["idle"] * 6)
    store.write_run(first, {"plots": plots, "findings": findings})
    store.write_run(second, {"plots": plots.head(1), "findings": findings.head(0)})
    found = store.read(Query("plots"))
    assert found["run_id"].tolist() == [second.run_id]  # filled in where the frame does not say
    assert keys(store, "findings") == []
    assert store.bounds("findings") is None
    store.write_run(third, {"findings": findings})
    assert keys(store, "plots") == ["P000000"]  # layers that a run does not speak of stay
    assert store.count(Query("findings", equals={"run_id": third.run_id, "kind": "idle"})) == 6
    assert store.runs() == [first, second, third]
    before = everything(store)
    with pytest.raises(InvalidInput):
        store.write_run(second, {"plots": plots})
    with pytest.raises(InvalidInput):
        store.write_run(make.run(), {"findings": findings.head(1), "plots": plots.assign(plot_id="同")})
    assert_same(before, everything(store))


def past(make: Samples, run_id: str, number: int) -> pd.DataFrame:
    keys = [f"{run_id}:{i}" for i in range(number)]
    return make.table("past_findings", past_id=keys, parcel_id=[f"P{i}" for i in range(number)])


def test_a_layer_that_keeps_earlier_runs_grows(store: Store, make: Samples) -> None:
    first, second, third = make.run(), make.run(), make.run()
    findings = make.squares(3, layer="findings")
    store.write_run(first, {"findings": findings, "past_findings": past(make, first.run_id, 3)})
    store.write_run(second, {"findings": findings.head(1), "past_findings": past(make, second.run_id, 1)})
    store.write_run(third, {"findings": findings.head(0), "past_findings": past(make, third.run_id, 0)})
    assert len(keys(store, "findings")) == 0
    kept = store.read(Query("past_findings"))
    assert kept["run_id"].tolist() == [first.run_id] * 3 + [second.run_id]
    assert store.count(Query("past_findings", equals={"run_id": first.run_id, "parcel_id": "P2"})) == 1


def test_a_past_finding_that_is_there_already_writes_nothing(store: Store, make: Samples) -> None:
    """Wherever it stands among the layers of the run: what was written before it is taken back."""
    first = make.run()
    findings, plots = make.squares(3, layer="findings"), make.squares(2, layer="plots")
    store.write_run(first, {"findings": findings, "past_findings": past(make, first.run_id, 3)})
    before = [*everything(store), pd.DataFrame(store.read(Query("past_findings")))]
    again = pd.concat([past(make, "new", 1), past(make, first.run_id, 1)])
    with pytest.raises(InvalidInput, match=f"{first.run_id}:0"):
        store.write_run(make.run(), {"findings": findings.head(1), "past_findings": again, "plots": plots})
    assert_same(before, [*everything(store), pd.DataFrame(store.read(Query("past_findings")))])


def test_revision_changes_with_commits_only(store: Store, store_url: str, make: Samples) -> None:
    other = open_store(store_url)
    try:
        seen = [store.revision()]
        make.fill(store, make.squares(2))
        seen.append(store.revision())
        with pytest.raises(InvalidInput):
            make.fill(store, make.squares(2), mode="append")
        store.read(Query("parcels"))
        assert store.revision() == seen[-1] == other.revision()
        other.write_run(make.run(), {})
        seen.append(store.revision())
        assert len(set(seen)) == 3
        assert other.revision() == seen[-1]
        assert other.count(Query("parcels")) == 2
    finally:
        other.close()
    reopened = open_store(store_url)
    assert reopened.revision() == seen[-1]
    reopened.close()


KILLED = """
import os, signal, sys
import geopandas as gpd, shapely
from geo.store.base import Load
from geo.store.opening import open_store

store, step = open_store(sys.argv[1]), int(sys.argv[2])
name = "_insert" if hasattr(store, "_insert") else "_copy"
real = getattr(type(store), name)
calls = 0

def deadly(*given, **named):
    global calls
    calls += 1
    if calls == step:
        os.kill(os.getpid(), signal.SIGKILL)
    real(*given, **named)

setattr(type(store), name, staticmethod(deadly))
at = range(500)
boxes = shapely.box([121.0] * 500, [32.0] * 500, [121.1] * 500, [32.1] * 500)
frame = gpd.GeoDataFrame({"parcel_id": [f"K{i}" for i in at]}, geometry=boxes, crs=4490)
bad = gpd.GeoDataFrame({"row_id": ["k/1"]}, geometry=boxes[:1], crs=4490)
load = Load("killed", "parcels", "a.shp", "0", "p", "EPSG:4490", "2026-05-01T08:00:00+08:00", None, 501, 500, 0, 1, {})
print("ready", flush=True)
store.write_load(load, frame, bad)
"""


@pytest.mark.parametrize("step", [1, 2])
def test_a_killed_writer_leaves_the_old_state_whole(store: Store, store_url: str, make: Samples, step: int) -> None:
    """Killed before its rows are written (the old ones deleted already), and before the quarantine is."""
    store.write_load(make.load("parcels", 20, 2), make.squares(20), bad_rows(make, 2))
    before = everything(store)
    writer = subprocess.run(
        [sys.executable, "-c", KILLED, store_url, str(step)], capture_output=True, text=True, timeout=60, check=False
    )
    assert writer.returncode == -signal.SIGKILL, writer.stderr
    assert "ready" in writer.stdout
    assert_same(before, everything(store))
    reopened = open_store(store_url)
    assert_same(before, everything(reopened))
    reopened.close()
    make.fill(store, make.squares(30))  # and the next writer is not held up
    assert len(keys(store)) == 30
    if not store_url.startswith("postgresql"):
        with sqlite3.connect(store_url) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("SELECT rtreecheck('rtree_parcels_geom')").fetchone() == ("ok",)
        connection.close()


def test_an_exception_between_statements_writes_nothing(
    store: Store, make: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.fill(store, make.squares(20))
    before = everything(store)

    def interrupted(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(type(store), "_append", interrupted)  # the quarantine, after the rows
    with pytest.raises(KeyboardInterrupt):
        store.write_load(make.load("parcels", 5, 1), make.squares(5), bad_rows(make, 1))
    monkeypatch.undo()
    assert_same(before, everything(store))
    make.fill(store, make.squares(2))
    assert len(keys(store)) == 2


def test_the_file_can_be_copied_after_closing(tmp_path: Path, make: Samples) -> None:
    path = tmp_path / "a.gpkg"
    store = open_store(path)
    make.fill(store, make.squares(200))
    store.close()
    assert os.listdir(tmp_path) == ["a.gpkg"]  # the log is folded in
