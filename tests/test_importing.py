"""What an import does beyond one file: it knows the file again, joins tables, and looks at what lies beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo.errors import InvalidInput
from geo.importing import Stored, prepare_loads, store_loads
from geo.land.rules import load_rules
from geo.layers.land_use_codes import land_and_sea_codes
from geo.layers.profiles import Profile, load_profile, plain_profile, with_columns
from geo.layers.reading import read_file
from geo.pipeline import eligible_parcels
from geo.store.base import Query, Store
from tests.district import Analysed

SQUARES = [shapely.box(120 + i / 100, 32, 120.005 + i / 100, 32.005) for i in range(3)]


def parcels_file(folder: Path, **columns: Any) -> Path:
    path = folder / "parcels.gpkg"
    rows = {"parcel_id": ["A", "B", "C"], "credit_code": ["91330100MA27XW1234", "X1", "X1"], **columns}
    gpd.GeoDataFrame(rows, geometry=SQUARES, crs=4490).to_file(path, layer="parcels")
    return path


def bring(store: Store, file: Path, profile: Profile, **told: Any) -> list[Stored]:
    prepared = prepare_loads(read_file(file, **told), lambda source: profile, standing=store, read_with=told)
    return store_loads(store, prepared)


def test_the_same_file_is_known_until_something_else_comes_or_it_is_read_otherwise(
    store: Store, tmp_path: Path
) -> None:
    file, plain = parcels_file(tmp_path), plain_profile("parcels")
    (first,) = bring(store, file, plain)
    (again,) = bring(store, file, plain)
    assert (first.unchanged, again.unchanged) == (None, first.load.load_id)
    assert len(store.loads()) == 1
    (otherwise,) = bring(store, file, plain, crs="EPSG:4326")
    assert otherwise.unchanged is None
    (back,) = bring(store, file, plain)
    assert back.unchanged is None


def test_contracts_fill_what_the_parcels_lack(store: Store, tmp_path: Path) -> None:
    bring(store, parcels_file(tmp_path, holder=["甲公司", None, None]), plain_profile("parcels"))
    table = tmp_path / "供地合同.csv"
    table.write_text(
        "宗地代码,受让人,约定开工时间,面积(公顷),备注\nA,另一家,2023-05-01,26.2,甲\nB,乙公司,2024-03-01,26.2,\nZ,丙公司,2024-01-01,1,\n",
        encoding="utf-8",
    )
    (done,) = bring(store, table, load_profile("contracts"))
    assert (done.load.read, done.load.stored, done.load.quarantined) == (3, 2, 1)
    assert done.load.report["mode"] == "update"
    land = store.read(Query("parcels")).set_index("parcel_id")
    assert list(land["holder"].where(land["holder"].notna(), None)) == ["甲公司", "乙公司", None]
    assert [str(day)[:10] for day in land["start_due"]] == ["2023-05-01", "2024-03-01", "NaT"]
    assert land["declared_area_m2"]["B"] == pytest.approx(262_000)
    (conflict,) = done.load.report["conflicts"]
    assert (conflict["parcel_id"], conflict["kept"], conflict["offered"]) == ("A", "甲公司", "另一家")
    apart = store.read(Query("quarantine"))
    assert list(apart["reason"]) == ["没有对应的宗地"]
    assert apart["extra"][0]["parcel_id"] == "Z"


def test_contracts_need_parcels(store: Store, tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("宗地代码,受让人\nA,甲\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match="没有宗地"):
        bring(store, table, load_profile("contracts"))


def test_firms_find_their_parcel_by_credit_code(store: Store, tmp_path: Path) -> None:
    bring(store, parcels_file(tmp_path), plain_profile("parcels"))
    table = tmp_path / "企业.csv"
    table.write_text(
        "企业名称,统一社会信用代码,年度,税收（万元）\n甲,91330100MA27XW1234,2024,12.5\n乙,X1,2024,3\n丙,X9,2024,1\n",
        encoding="utf-8",
    )
    (done,) = bring(store, table, load_profile("enterprises"))
    firms = store.read(Query("enterprises")).set_index("holder")
    assert firms["parcel_id"]["甲"] == "A"
    assert firms["parcel_id"][["乙", "丙"]].isna().all()
    assert firms["extra"]["乙"]["parcel_candidates"] == ["B", "C"]
    assert firms["tax_yuan"]["甲"] == pytest.approx(125_000)
    assert sum(done.load.report["joined"].values()) == 3


def test_a_layer_on_a_web_map_grid_is_suspected(analysed_geopackage: Analysed, tmp_path: Path) -> None:
    land = analysed_geopackage.store.read(Query("parcels"))
    moved = land[["parcel_id", "geometry"]].copy()
    moved["geometry"] = moved.geometry.translate(0.0047, -0.0021)
    moved.to_file(tmp_path / "moved.gpkg", layer="parcels")
    (item,) = prepare_loads(read_file(tmp_path / "moved.gpkg"), standing=analysed_geopackage.store)
    shift = item.load.report["shift"]
    assert shift["suspected"]
    assert shift["distance_m"] == pytest.approx(500, rel=0.1)
    land[["parcel_id", "geometry"]].to_file(tmp_path / "same.gpkg", layer="parcels")
    (item,) = prepare_loads(read_file(tmp_path / "same.gpkg"), standing=analysed_geopackage.store)
    assert not item.load.report["shift"]["suspected"]


def test_columns_are_named_by_hand(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    gpd.GeoDataFrame({"编号": ["A", "B", "C"], "面积": [1.5, 15, 0]}, geometry=SQUARES, crs=4490).to_file(path)
    bring(store, path, with_columns(plain_profile("parcels"), ["parcel_id=编号", "登记面积=面积:亩"]))
    assert list(store.read(Query("parcels"))["declared_area_m2"]) == pytest.approx([1000, 10_000, 0])


def test_the_same_digits_mean_other_land_in_another_edition() -> None:
    parcels = pd.DataFrame(
        {
            "parcel_id": list("ABCDEF"),
            "land_use": ["1001", "1001", "0601", "0508", "M2", "1006"],
            "land_use_edition": ["2023", "三调", "三调", "三调", "GB 50137-2011", "三调"],
        }
    )
    assert list(land_and_sea_codes(parcels)) == ["1001", "", "1001", "1101", "100102", ""]
    rules = load_rules("national")
    land = gpd.GeoDataFrame(parcels.assign(stock_class=None), geometry=[SQUARES[0]] * 6, crs=4490)
    findings = pd.DataFrame({"parcel_id": list("ABCDEF"), "level": "idle_2y"})
    chosen = eligible_parcels(land, findings, None, rules)
    assert rules.eligible.land_use
    assert list(np.asarray(chosen)) == [True, False, True, True, True, False]


def test_an_update_keeps_what_its_file_has_no_column_for(store: Store, tmp_path: Path) -> None:
    bring(
        store,
        parcels_file(tmp_path, address=["一路1号", "二路2号", "三路3号"], 备注=["x", "y", "z"]),
        plain_profile("parcels"),
    )
    path = tmp_path / "new.gpkg"
    rows = {"parcel_id": ["A", "D"], "holder": ["甲二", "丁"], "credit_code": [None, "X4"]}
    gpd.GeoDataFrame(rows, geometry=SQUARES[:2], crs=4490).to_file(path, layer="parcels")
    prepared = prepare_loads(read_file(path), standing=store)
    (done,) = store_loads(store, prepared, "update")
    land = store.read(Query("parcels")).set_index("parcel_id")
    assert list(land.index) == ["A", "B", "C", "D"]
    assert (land["address"]["A"], land["holder"]["A"], land["extra"]["A"]) == ("一路1号", "甲二", {"备注": "x"})
    assert land["address"]["D"] is None
    assert done.load.report["emptied"] == {"credit_code": 1}


def test_two_layers_of_a_file_do_not_replace_each_other(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "two.gpkg"
    for name, keys in (("北镇", ["A", "B", "C"]), ("南镇", ["D", "E", "F"])):
        gpd.GeoDataFrame({"parcel_id": keys}, geometry=SQUARES, crs=4490).to_file(path, layer=name)
    plain = plain_profile("parcels")
    prepared = prepare_loads(read_file(path), lambda source: plain)
    with pytest.raises(InvalidInput, match="多个图层要导入同一图层"):
        store_loads(store, prepared)
    assert store.loads() == []
    for name, mode in (("北镇", "replace"), ("南镇", "append")):
        (one,) = store_loads(store, prepare_loads(read_file(path, layers=[name]), lambda source: plain), mode)  # type: ignore[arg-type]
        assert one.unchanged is None
    assert store.count(Query("parcels")) == 6
    (again,) = store_loads(store, prepare_loads(read_file(path, layers=["北镇"]), lambda source: plain), "append")
    assert again.unchanged is not None


def test_cells_that_only_look_like_values_are_kept_as_they_are(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [
        "parcel_id,fid,declared_area_m2,extra,WKT",
        f'A,K-77,3_5,"{"[" * 5000}","{SQUARES[0].wkt}"',
        f'B,2,12,"{{""a"": NaN}}","{SQUARES[1].wkt}"',
    ]
    path.write_text("\n".join(rows), encoding="utf-8")
    bring(store, path, plain_profile("parcels"), crs="EPSG:4490")
    land = store.read(Query("parcels")).set_index("parcel_id")
    assert np.isnan(land["declared_area_m2"]["A"])
    assert land["extra"]["A"]["fid"] == "K-77"
    assert land["extra"]["A"]["declared_area_m2"] == "3_5"
    assert "NaN" in str(land["extra"]["B"])


def test_a_file_without_a_usable_row_replaces_nothing(store: Store, tmp_path: Path) -> None:
    bring(store, parcels_file(tmp_path), plain_profile("parcels"))
    path = tmp_path / "points.gpkg"
    gpd.GeoDataFrame({"parcel_id": ["A"]}, geometry=[shapely.Point(120, 32)], crs=4490).to_file(path, layer="parcels")
    with pytest.raises(InvalidInput, match="没有一行可以存入"):
        bring(store, path, plain_profile("parcels"))
    assert store.count(Query("parcels")) == 3
