"""What an import does beyond one file: it knows the file again, joins tables, and looks at what lies beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo.eligibility import eligible_parcels
from geo.errors import InvalidInput
from geo.importing import Stored, prepare_loads, store_loads
from geo.land.rules import load_rules
from geo.layers.land_use_codes import land_and_sea_codes
from geo.layers.profiles import Profile, load_profile, plain_profile, with_columns
from geo.layers.reading import read_file
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


def origins(store: Store, layer: str = "parcels") -> dict[str, tuple[Any, ...]]:
    """Key -> load, row of the source and, for parcels, the sources of single fields."""
    rows = store.read(Query(layer, geometry=False))
    names = [name for name in ("load_id", "source_row", "field_sources") if name in rows]
    return dict(zip(rows.iloc[:, 0], rows[names].astype(object).itertuples(index=False, name=None), strict=True))


def test_every_row_says_which_row_of_which_load_it_was(store: Store, tmp_path: Path) -> None:
    """Rows between quarantined ones keep their numbers, and so do those whose key was there before."""
    path = tmp_path / "parcels.gpkg"
    outlines = [SQUARES[0], shapely.Point(120, 32), SQUARES[1], SQUARES[0], SQUARES[2]]
    gpd.GeoDataFrame({"parcel_id": ["B", "X", "A", "B", "B"]}, geometry=outlines, crs=4490).to_file(path)
    numbered = plain_profile("parcels").model_copy(update={"duplicate_key": "number"})
    (done,) = bring(store, path, numbered)
    load = done.load.load_id
    assert origins(store) == {
        "A": (load, 3, None),
        "B": (load, 1, None),
        "B#2": (load, 4, None),
        "B#3": (load, 5, None),
    }
    assert list(store.read(Query("quarantine"))["source_row"]) == [2]
    gpd.GeoDataFrame({"building_id": ["1", "2"]}, geometry=[SQUARES[1], None], crs=4490).to_file(path)
    (done,) = bring(store, path, plain_profile("buildings"))
    assert origins(store, "buildings") == {"1": (done.load.load_id, 1)}
    table = tmp_path / "延误.csv"
    table.write_text("delay_id,parcel_id,load_id,source_row\nD2,A,别处,9\nD1,B,别处,8\n", encoding="utf-8")
    (done,) = bring(store, table, plain_profile("delays"))
    assert origins(store, "delays") == {"D1": (done.load.load_id, 2), "D2": (done.load.load_id, 1)}
    assert store.read(Query("delays"))["extra"].isna().all()


def test_a_joined_value_comes_from_the_row_of_its_table(store: Store, tmp_path: Path) -> None:
    (land,) = bring(store, parcels_file(tmp_path, holder=["甲", None, None]), plain_profile("parcels"))
    table = tmp_path / "供地合同.csv"
    table.write_text(
        "宗地代码,受让人,约定开工时间\nZ,丙,2024-01-01\nB,乙,2024-03-01\nA,另一家,2023-05-01\n", encoding="utf-8"
    )
    (first,) = bring(store, table, load_profile("contracts"))
    one, other = land.load.load_id, first.load.load_id
    joined = {
        "A": (one, 1, {"start_due": [other, 3]}),
        "B": (one, 2, {"holder": [other, 2], "start_due": [other, 2]}),
        "C": (one, 3, None),
    }
    assert origins(store) == joined
    table.write_text("宗地代码,受让人,约定竣工时间\nB,别家,2025-03-01\n", encoding="utf-8")
    (second,) = bring(store, table, load_profile("contracts"))
    joined["B"][2]["completion_due"] = [second.load.load_id, 1]  # type: ignore[index]
    assert origins(store) == joined  # the holder was there: not taken, and its source stays


def test_a_value_that_an_update_keeps_comes_from_where_it_came(store: Store, tmp_path: Path) -> None:
    file = parcels_file(tmp_path, address=["一路", None, "三路"], tenure=["国有", "国有", "国有"])
    (first,) = bring(store, file, plain_profile("parcels"))

    def update(*columns: dict[str, Any]) -> list[str]:
        loads = []
        for number, rows in enumerate(columns):
            path = tmp_path / f"new{number}.gpkg"
            outlines = SQUARES[: len(rows["parcel_id"])]
            gpd.GeoDataFrame(rows, geometry=outlines, crs=4490).to_file(path, layer="parcels")
            loads.append(store_loads(store, prepare_loads(read_file(path), standing=store), "update")[0].load.load_id)
        return loads

    one = first.load.load_id
    two, three = update(
        {"parcel_id": ["D", "B", "A"], "address": ["四路", "二路", None]}, {"parcel_id": ["A"], "tenure": ["集体"]}
    )
    kept = {"credit_code": [one, 2], "tenure": [one, 2]}
    assert origins(store) == {
        "A": (three, 1, {"credit_code": [one, 1]}),  # through two updates; the address was emptied by the first of them
        "B": (two, 2, kept),
        "C": (one, 3, None),
        "D": (two, 1, None),
    }


def test_rows_stored_before_there_were_origins_say_so(store: Store, tmp_path: Path) -> None:
    """A value kept from such a row must not pass for one of the file that updated it."""
    (load,) = bring(store, parcels_file(tmp_path), plain_profile("parcels"))
    old = store.read(Query("parcels")).assign(load_id=None, source_row=None)
    store.write_load(replace(load.load, load_id="old"), old, gpd.GeoDataFrame({"row_id": []}, geometry=[], crs=4490))
    path = tmp_path / "new.gpkg"
    gpd.GeoDataFrame({"parcel_id": ["A"], "holder": ["甲"]}, geometry=SQUARES[:1], crs=4490).to_file(
        path, layer="parcels"
    )
    (new,) = store_loads(store, prepare_loads(read_file(path), standing=store), "update")
    assert origins(store)["A"] == (new.load.load_id, 1, {"credit_code": [None, None]})
    assert origins(store)["B"][2] is None


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
    findings = pd.DataFrame({"parcel_id": list("ABCDEF"), "kind": "idle", "level": "idle_2y"})
    chosen = eligible_parcels(land, findings, None, None, rules.eligible).chosen
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
