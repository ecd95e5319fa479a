"""What goes into a store comes out of it, whichever store it is."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from pandas.testing import assert_frame_equal

from geo.errors import InvalidInput
from geo.layers.schema import LAYERS
from geo.store.base import Query, Store

if TYPE_CHECKING:
    from tests.store.conftest import Samples

HOLED = shapely.Polygon(
    [(120, 31), (120.01, 31), (120.01, 31.01), (120, 31.01)],
    [[(120.002, 31.002), (120.002, 31.004), (120.004, 31.004), (120.004, 31.002)]],
)
MULTI = shapely.MultiPolygon([HOLED, shapely.box(120.1, 31.1, 120.2, 31.2)])
ALONE = shapely.MultiPolygon([shapely.box(119.1, 31.1, 119.2, 31.2)])


def test_a_new_store_has_every_layer_empty(store: Store) -> None:
    kinds = {"text": "object", "json": "object", "real": "float64", "integer": "Int64", "boolean": "boolean"}
    for layer, known in LAYERS.items():
        frame = store.read(Query(layer))
        assert len(frame) == 0
        assert isinstance(frame, gpd.GeoDataFrame) == (known.geometry is not None)
        assert list(frame.columns) == [*known.columns, *(["geometry"] if known.geometry else [])]
        assert store.count(Query(layer)) == 0
        assert store.bounds(layer) is None
        for field in known.fields:
            assert str(frame[field.name].dtype) == kinds.get(field.kind, "datetime64[s]"), (layer, field.name)


def test_every_kind_with_and_without_values(store: Store, make: Samples) -> None:
    frame = gpd.GeoDataFrame(
        {
            "parcel_id": ["320505001001GB00003", "320505001001GB00001", "320505001001GB00002"],
            "holder": ["苏州“某某”(中国)有限公司\t𠮷\n\\N", None, ""],
            "town": ["\\.", "a\n\\.\nb", "\\N"],
            "contract_date": pd.to_datetime(["2013-04-30", None, "1999-12-31 18:30"], format="ISO8601"),
            "start_due": [datetime.date(2014, 1, 2), "2015-01-02", pd.NaT],
            "area_m2": [0.1 + 0.2, np.nan, -1e-300],
            "employees": pd.array([2**53 + 1, None, -3], dtype="Int64"),
            "year": [2020.0, np.nan, 1.0],
            "above_scale": [True, None, False],
            "extra": [{"备注": "甲", "b": [1, 2.5, None], "a": np.float64("nan"), "": {}}, None, {"z": 1, "a": 1e300}],
        },
        geometry=[HOLED, None, MULTI],
        crs=4490,
    )
    make.fill(store, frame)
    found = store.read(Query("parcels"))
    assert found.crs == "EPSG:4490"
    assert found["parcel_id"].tolist() == sorted(frame["parcel_id"])
    a, b, c = (found.iloc[i] for i in (2, 0, 1))
    assert (a["holder"], b["holder"], c["holder"]) == ("苏州“某某”(中国)有限公司\t𠮷\n\\N", None, "")
    assert [a["town"], b["town"], c["town"]] == ["\\.", "a\n\\.\nb", "\\N"]
    assert [str(row["contract_date"])[:10] for row in (a, b, c)] == ["2013-04-30", "NaT", "1999-12-31"]
    assert [str(row["start_due"])[:10] for row in (a, b, c)] == ["2014-01-02", "2015-01-02", "NaT"]
    assert (a["area_m2"], c["area_m2"]) == (0.1 + 0.2, -1e-300)
    assert np.isnan(b["area_m2"])
    assert (a["employees"], c["employees"]) == (2**53 + 1, -3)
    assert b["employees"] is pd.NA
    assert (a["year"], c["year"]) == (2020, 1)
    assert (bool(a["above_scale"]), bool(c["above_scale"])) == (True, False)
    assert b["above_scale"] is pd.NA
    assert a["extra"] == {"备注": "甲", "b": [1, 2.5, None], "a": None, "": {}}
    assert list(a["extra"]) == ["备注", "b", "a", ""]  # keys keep their order
    assert b["extra"] is None
    assert list(c["extra"]) == ["z", "a"]
    assert found.geometry.iloc[0] is None
    assert shapely.equals_identical(a["geometry"], HOLED)
    assert shapely.equals_identical(c["geometry"], MULTI)
    assert found["power_kva"].isna().all()  # a column that was not given
    assert store.bounds("parcels") == (120.0, 31.0, 120.2, 31.2)


@pytest.mark.parametrize(
    ("layer", "geometries"),
    [
        ("parcels", [HOLED, MULTI, ALONE, shapely.Polygon(), None]),
        (
            "network",
            [shapely.LineString([(120, 31), (121, 32), (121, 33)]), shapely.MultiLineString([[(1, 2), (3, 4)]])],
        ),
        ("terminals", [shapely.Point(120.123456789012345, 31), shapely.MultiPoint([(1, 2), (3, 4)]), None]),
        ("barriers", [HOLED, shapely.LineString([(120, 31), (121, 32)]), shapely.Point(1, 2), MULTI]),
    ],
)
def test_geometry_keeps_its_type_and_every_bit(
    store: Store, make: Samples, layer: str, geometries: list[shapely.Geometry | None]
) -> None:
    key = LAYERS[layer].key
    frame = gpd.GeoDataFrame({key: [f"k{i}" for i in range(len(geometries))]}, geometry=geometries, crs=4490)
    make.fill(store, frame, layer)
    found = store.read(Query(layer)).geometry
    assert [None if g is None else g.wkb for g in found] == [None if g is None else g.wkb for g in geometries]
    assert set(shapely.get_srid(np.array(found))) <= {0, -1}


def test_heights_are_dropped(store: Store, make: Samples) -> None:
    frame = make.squares(1)
    frame = frame.set_geometry(shapely.force_3d(frame.geometry.to_numpy(), 5.0), crs=4490)
    make.fill(store, frame)
    assert not store.read(Query("parcels")).has_z.any()


def test_a_table_without_geometry(store: Store, make: Samples) -> None:
    frame = make.table("demands", demand_id=["d2", "d1"], name=["整车厂", None], need=[{"mu": [500, None]}, "只要朝南"])
    make.fill(store, frame, "demands")
    found = store.read(Query("demands"))
    assert type(found) is pd.DataFrame
    assert found["demand_id"].tolist() == ["d1", "d2"]
    assert found["need"].tolist() == ["只要朝南", {"mu": [500, None]}]
    assert store.bounds("demands") is None


def test_writing_what_was_read_changes_nothing(store: Store, make: Samples) -> None:
    frame = make.squares(30, town=[None if i % 3 else f"镇{i}" for i in range(30)], year=[None, 2020, 2021] * 10)
    make.fill(store, frame)
    first = store.read(Query("parcels"))
    make.fill(store, first)
    assert_frame_equal(pd.DataFrame(store.read(Query("parcels"))), pd.DataFrame(first))


def test_loads_and_runs_come_back_in_order(store: Store, make: Samples) -> None:
    loads = [make.load("parcels", 2, report={"行": [1, {"a": None}]}, data_date="2026-01-01"), make.load("towns", 0)]
    store.write_load(loads[0], make.squares(2), make.nothing())
    store.write_load(loads[1], make.nothing("towns"), make.nothing())
    runs = [make.run(run_id="z"), make.run(run_id="a", loads=(), parameters={"gap_m": 0, "规则": ["甲"]})]
    for run in runs:
        store.write_run(run, {})
    assert store.loads() == loads
    assert store.runs() == runs


BAD_FRAMES = {
    "text that is a number": {"holder": [1, 2]},
    "a number that is text": {"area_m2": ["12", "13"]},
    "infinity": {"area_m2": [np.inf, 1.0]},
    "half a person": {"employees": [1.5, 2.0]},
    "too large": {"employees": [2**63, 1]},
    "not a date": {"contract_date": ["昨天", None]},
    "a number for a date": {"contract_date": [20200101, 20200102]},
    "not true, not false": {"above_scale": [2, 0]},
    "NUL": {"holder": ["a\0b", None]},
    "half a surrogate": {"holder": pd.Series(["\ud800", None], dtype=object)},
    "an object json does not know": {"extra": [{"a": object()}, None]},
    "an unknown column": {"ZDDM": ["1", "2"]},
}


def test_values_that_cannot_be_kept_are_refused(store: Store, make: Samples) -> None:
    for fault, columns in BAD_FRAMES.items():
        frame = make.squares(2, **columns)
        with pytest.raises(InvalidInput):
            pytest.fail(f"{fault}: {make.fill(store, frame)}")
    assert store.count(Query("parcels")) == 0
    assert store.loads() == []


def bad_rows(make: Samples) -> dict[str, gpd.GeoDataFrame]:
    good = make.squares(2)
    return {
        "no key": good.assign(parcel_id=["a", None]),
        "an empty key": good.assign(parcel_id=["a", ""]),
        "no key column": good.drop(columns="parcel_id"),
        "the same key twice": good.assign(parcel_id=["a", "a"]),
        "no coordinate system": good.set_crs(None, allow_override=True),
        "another coordinate system": good.to_crs(4549),
        "metres called degrees": good.to_crs(4549).set_crs(4490, allow_override=True),
        "a line for a polygon": good.set_geometry(good.boundary),
    }


def test_rows_that_cannot_be_kept_are_refused(store: Store, make: Samples) -> None:
    for fault, frame in bad_rows(make).items():
        with pytest.raises(InvalidInput):
            pytest.fail(f"{fault}: {make.fill(store, frame)}")
    assert store.count(Query("parcels")) == 0


def test_quarantine_keeps_what_no_other_layer_takes(store: Store, make: Samples) -> None:
    """A row is quarantined because something is wrong with it; that must not stop the import."""
    with np.errstate(invalid="ignore"):
        far, broken = shapely.box(500, 31, 501, 32), shapely.from_wkt("LINESTRING (1 2, NaN 3)")
    bad = gpd.GeoDataFrame(
        {"row_id": ["a", "b"], "extra": [{"x": np.nan, "y": pd.Timestamp("2020-01-01")}, {"\0": "\0"}]},
        geometry=[far, broken],
        crs=4490,
    )
    store.write_load(make.load("parcels", 0, 2), make.nothing("parcels"), bad)
    found = store.read(Query("quarantine"))
    assert found.geometry.tolist() == [far, None]
    assert found["extra"].tolist() == [{"x": None, "y": "2020-01-01T00:00:00"}, {"\0": "\0"}]
    assert found["layer"].tolist() == ["parcels"] * 2


@pytest.mark.parametrize("rows", [1, 200])
def test_frames_can_be_changed(store: Store, make: Samples, rows: int) -> None:
    """Nothing in a frame is read-only memory of the reader."""
    make.fill(store, make.squares(rows, area_m2=[1.0] * rows, year=[2020] * rows, above_scale=[True] * rows))
    frame = store.read(Query("parcels"))
    for name, value in (("area_m2", 2.0), ("year", 2021), ("above_scale", False), ("start_due", pd.Timestamp("2020"))):
        frame.loc[0, name] = value
        assert frame.loc[0, name] == value
    frame["area_m2"].to_numpy(copy=True)[0] = 3.0
