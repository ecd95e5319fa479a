"""Mapping profiles: every standard layer comes in with its key, units and editions, and what is not mapped is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.errors import InvalidInput, InvalidParameter
from geo.layers.formats.provenance import Provenance
from geo.layers.mapping.profile import check_profile
from geo.layers.profiles import Profile, apply_profile, load_profile, plain_profile, profile_names
from geo.layers.reading import read_file
from geo.layers.schema import LAYERS
from geo.layers.writing import write_layer
from tests.layers.tables import TABLES, VILLAGE, layer_of


def mapped(name: str, **replaced: list[Any]) -> Any:
    return apply_profile(TABLES[name].source(**replaced), load_profile(name))


def values(column: pd.Series) -> list[Any]:
    return [None if pd.isna(value) else value for value in column]


def profile(**entries: Any) -> Profile:
    return Profile.model_validate({"name": "p", "title": "p", "layer": "parcels", **entries})


def loaded(folder: Path, text: str) -> Profile:
    path = folder / "own.toml"
    path.write_text(f'name = "own"\ntitle = "自定"\nlayer = "parcels"\n{text}', encoding="utf-8")
    return load_profile(str(path))


# --- the profiles that come with the project


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_loads_and_reads_a_table_of_its_kind_without_loss(name: str) -> None:
    table = TABLES[name]
    found = mapped(name)
    layer = LAYERS[load_profile(name).layer]
    assert found.frame.columns.drop("geometry", errors="ignore").tolist() == list(layer.columns)
    assert len(found.frame) == len(table.frame)
    if not load_profile(name).join:
        assert found.frame[layer.key].is_unique
        assert found.frame[layer.key].notna().all()
    # Every column is a field's, states a unit, or is in extra with its values.
    taken = {each["column"] for each in found.mapping["fields"].values()} | {
        each["unit"] for each in found.mapping["fields"].values()
    }
    kept = {key for extra in found.frame["extra"] if extra for key in extra}
    single_key = {parts[0] for parts in found.mapping["key"] if len(parts) == 1}
    assert set(table.frame.dropna(axis="columns", how="all")) <= taken | kept | single_key


def test_survey_patches_have_a_key_and_their_own_edition() -> None:
    found = mapped("dltb")
    parcels = found.frame
    # BSM where there is one; TBBH is unique only within its village.
    assert parcels["parcel_id"].tolist() == ["330110201000000001", "330110201000000002", f"{VILLAGE}-0003"]
    assert found.notes["parcel_id"] == {"键取自 ZLDWDM-TBBH": 1}
    assert parcels["land_use"].tolist() == ["0601", "0508", "1001"]
    assert set(parcels["land_use_edition"]) == {"三调"}
    assert parcels["tenure"].tolist() == ["state", "collective", "collective"]
    assert parcels["declared_area_m2"].tolist() == [6666.67, 1000, 500]
    # The year of the survey is no year of operating figures, an owning village no holder.
    assert parcels["year"].isna().all()
    assert parcels["holder"].isna().all()
    assert parcels["extra"][2] == {
        "YSDM": "2001010100", "TBYBH": "3", "TBBH": "0003", "DLMC": "铁路用地", "QSDWDM": VILLAGE, "QSDWMC": "甲村",
        "ZLDWDM": VILLAGE, "ZLDWMC": "甲村", "KCDLBM": "1203", "KCXS": 0.1, "KCMJ": 50.0, "TBDLMJ": 450.0, "SJNF": 2023,
    }  # fmt: skip


def test_the_second_survey_is_another_edition_and_composes_its_key() -> None:
    parcels = mapped("dltb-2010").frame
    assert parcels["parcel_id"].tolist() == [f"{VILLAGE}-0001", f"{VILLAGE}-0002"]
    assert set(parcels["land_use_edition"]) == {"二调"}
    assert parcels["extra"][1]["BSM"] == 2


def test_registered_parcels_state_the_unit_of_each_area() -> None:
    found = mapped("zdjbxx")
    parcels = found.frame
    assert parcels["declared_area_m2"].tolist()[:2] == pytest.approx([10_000, 6666.67])
    # 9 is no unit of the dictionary: the area is kept as it was, with what was said of it.
    assert np.isnan(parcels["declared_area_m2"][2])
    assert parcels["extra"][2]["zdmj"] == 2.0
    assert parcels["extra"][2]["mjdw"] == "9"
    assert "mjdw" not in parcels["extra"][0]
    assert found.notes["declared_area_m2"] == {"单位未注明或不认识（原值保留在 extra）": 1}
    # G state, J collective, Z unclear; 102 grant, 101 allocation, 203 none of ours.
    assert values(parcels["tenure"]) == ["state", "collective", None]
    assert values(parcels["supply_kind"]) == ["grant", None, "allocation"]
    assert parcels["extra"][1]["qlxz"] == "203"
    assert found.notes["land_use"] == {"编码所属的分类版本未注明": 3}


def test_registered_parcels_come_in_upper_case_too() -> None:
    lower = TABLES["zdjbxx"]
    upper = layer_of(lower.frame.rename(columns=str.upper))
    found = apply_profile(upper, load_profile("zdjbxx")).frame
    pd.testing.assert_frame_equal(
        found.drop(columns=["extra", "geometry"]), mapped("zdjbxx").frame.drop(columns=["extra", "geometry"])
    )


def test_supply_parcels_take_an_area_only_with_its_unit() -> None:
    found = mapped("supply")
    row = found.frame.iloc[0]
    assert (row["parcel_id"], row["supervision_no"], row["supply_kind"], row["status"]) == (
        "3303-1", "3303002020B00001", "grant", "building",
    )  # fmt: skip
    assert np.isnan(row["declared_area_m2"])
    assert row["extra"]["dkmj"] == 1.2
    assert found.notes["declared_area_m2"] == {"列“dkmj”没有写单位，未采用（原值保留在 extra）": 1}
    stated = mapped("supply", dkmj=[], **{"DKMJ（公顷）": [1.2]}).frame
    assert stated["declared_area_m2"][0] == pytest.approx(12_000)


def test_contracts_are_a_table_for_parcels() -> None:
    row = mapped("contracts").frame.iloc[0]
    assert row["supervision_no"] == "3301102020B00001"
    assert row["declared_area_m2"] == 15_000
    assert row["land_price_yuan"] == 15_005_000
    assert row["far_agreed"] == 1.2
    assert [str(row[name].date()) for name in ("contract_date", "handover_date", "start_due", "completion_due")] == [
        "2020-04-01", "2020-05-01", "2020-11-01", "2022-11-01",
    ]  # fmt: skip
    assert row["extra"]["土地用途"] == "工业用地"
    with pytest.raises(InvalidInput, match="用来关联"):
        mapped("contracts", 电子监管号=[])


def test_figures_per_land_are_not_figures_of_the_land() -> None:
    row = mapped("dcdytb").frame.iloc[0]
    assert (row["parcel_id"], row["holder"], row["town"], row["status"]) == ("330110-001", "乙公司", "甲镇", "stopped")
    assert row["declared_area_m2"] == 90
    assert np.isnan(row["fixed_assets_yuan"])
    assert np.isnan(row["tax_yuan"])
    assert (row["extra"]["DJGDZCTZ"], row["extra"]["DJRKSJ"], row["extra"]["MJ"]) == (100.0, 2.0, 100.0)


def test_buildings_are_numbered_within_their_parcel() -> None:
    buildings = mapped("ktt-fw-zrz").frame
    assert buildings["building_id"].tolist() == ["330110001002GB00001-F0001", "330110001002GB00001F0002"]
    assert buildings["floors"].tolist() == [3, 1]
    assert buildings["height_m"].tolist() == [12, 9.5]
    assert buildings["floor_area_m2"].tolist() == [300, 50]


def test_enterprises_state_units_in_their_headings() -> None:
    found = mapped("enterprises")
    firms = found.frame
    assert firms["enterprise_id"].tolist() == ["91330110MA00000001-2023", "91330110MA00000002-2023", "丙作坊-2023"]
    assert firms["area_used_m2"].tolist()[:2] == pytest.approx([20_000, 10_000])
    assert firms["tax_yuan"].tolist()[::2] == [1_205_000, 30_000]
    assert firms["energy_tce"].tolist()[:2] == [100, 5]
    assert firms["above_scale"].tolist() == [True, False, False]
    assert firms["extra"][0] == {"序号": 1, "利润": 7.0, "所属园区": "东区", "评价等级": "A"}
    assert found.notes["parcel_id"] == {"源文件缺少字段 宗地代码、宗地编号、不动产单元宗地代码、ZDDM": 3}
    silent = mapped("enterprises", **{"税收（万元）": [], "税收": [1.0, 2.0, 3.0]})
    assert silent.frame["tax_yuan"].isna().all()
    assert silent.notes["tax_yuan"] == {"列“税收”没有写单位，未采用（原值保留在 extra）": 3}


@pytest.mark.parametrize(
    ("name", "kind"),
    [("farmland", "basic_farmland"), ("redline", "ecological_redline"), ("boundary", "urban_boundary")],
)
def test_control_lines_are_of_their_kind(name: str, kind: str) -> None:
    lines = mapped(name).frame
    assert set(lines["kind"]) == {kind}
    assert lines["line_id"].is_unique


# --- how a profile reads


def test_names_are_matched_without_regard_to_case_width_blanks_and_brackets() -> None:
    own = profile(
        fields={"parcel_id": ["宗地号", "ＺＤＤＭ"], "declared_area_m2": {"column": "面积(m2)", "unit": "m2"}}
    )  # fmt: skip
    frame = apply_profile(layer_of(pd.DataFrame({" zddm ": ["a"], "面积 （㎡）": [3.0]})), own).frame
    assert (frame["parcel_id"][0], frame["declared_area_m2"][0]) == ("a", 3.0)


def test_the_first_spelling_that_exists_is_taken_and_the_other_kept() -> None:
    own = profile(fields={"parcel_id": ["新编号", "旧编号"]})
    both = pd.DataFrame({"旧编号": ["old"], "新编号": ["new"]})
    frame = apply_profile(layer_of(both), own).frame
    assert (frame["parcel_id"][0], frame["extra"][0]) == ("new", {"旧编号": "old"})


def test_an_optional_column_that_lacks_is_reported_and_a_needed_one_refused() -> None:
    own = profile(fields={"parcel_id": "A", "holder": "B"}, required=["parcel_id"])
    found = apply_profile(layer_of(pd.DataFrame({"A": ["1", "2"]})), own)
    assert found.notes["holder"] == {"源文件缺少字段 B": 2}
    with pytest.raises(InvalidInput, match="缺少字段“A”"):
        apply_profile(layer_of(pd.DataFrame({"B": ["1"]})), own)
    with pytest.raises(InvalidInput, match="缺少字段“B”"):
        apply_profile(layer_of(pd.DataFrame({"A": ["1"]})), profile(fields={"parcel_id": "A", "holder": "B"}))


def test_a_key_of_parts_that_are_not_all_there_is_no_key() -> None:
    own = profile(key=["村", "号"], closed=True)
    frame = apply_profile(layer_of(pd.DataFrame({"村": ["甲", None, "乙"], "号": [1, 2, None]})), own).frame
    assert values(frame["parcel_id"]) == ["甲-1", None, None]
    assert frame["extra"][0] == {"村": "甲", "号": 1}
    with pytest.raises(InvalidInput, match="村＋号"):
        apply_profile(layer_of(pd.DataFrame({"村": ["甲"]})), own)


def test_an_edition_is_a_constant_or_a_column_and_never_converted() -> None:
    frame = pd.DataFrame({"parcel_id": ["a", "b"], "YT": ["0601", "1001"], "版本": ["2020", None]})
    constant = profile(fields={"land_use": "YT"}, constants={"land_use_edition": "GB 50137-2011"})
    assert set(apply_profile(layer_of(frame), constant).frame["land_use_edition"]) == {"GB 50137-2011"}
    column = profile(fields={"land_use": "YT", "land_use_edition": "版本"}, constants={"land_use_edition": "2023"})
    found = apply_profile(layer_of(frame), column).frame
    assert found["land_use_edition"].tolist() == ["2020", "2023"]
    assert found["land_use"].tolist() == ["0601", "1001"]


def test_units_by_row_fall_back_on_a_stated_one_only() -> None:
    area = {"column": "面积", "unit_column": "单位", "unit": "平方米"}
    frame = pd.DataFrame({"parcel_id": list("abcd"), "面积": ["1.5", 2, 3, None], "单位": ["亩", "公顷", None, "斤"]})
    found = apply_profile(layer_of(frame), profile(fields={"declared_area_m2": area}))
    assert found.frame["declared_area_m2"].tolist()[:3] == pytest.approx([1000, 20_000, 3])
    without = apply_profile(
        layer_of(frame), profile(fields={"declared_area_m2": {"column": "面积", "unit_column": "单位"}})
    )  # fmt: skip
    assert values(without.frame["declared_area_m2"])[2:] == [None, None]
    assert without.frame["extra"][2] == {"面积": 3}


@pytest.mark.parametrize(
    ("text", "number"),
    [("1,234.5", 1234.5), ("１２．５", 12.5), (" 7 ", 7.0), ("1e3", 1000.0), (True, None), ("12亩", None),
     ("1,23", None), ("inf", None), ("-", None), ("nan", None)],
)  # fmt: skip
def test_numbers_as_ledgers_write_them(text: Any, number: float | None) -> None:
    frame = pd.DataFrame({"parcel_id": ["a", "b"], "far_agreed": pd.Series([text, None], dtype=object)})
    found = apply_profile(layer_of(frame), plain_profile("parcels")).frame
    assert values(found["far_agreed"]) == [number, None]
    assert (found["extra"][0] is None) == (number is not None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[fields]\nno_such = "A"', "no_such"),
        ('[fields]\ndeclared_area_m2 = { column = "A", unit = "斤" }', "未知单位“斤”"),
        ('[fields]\ndeclared_area_m2 = { column = "A", unit = "万元" }', "不能换算"),
        ('[fields]\ndeclared_area_m2 = { column = "面积(公顷)", unit = "亩" }', "列名写的单位是“公顷”"),
        ('[fields]\nholder = { column = "A", unit = "亩" }', "不能写单位"),
        ('[words.status]\n"荒着" = "wasteland"', "wasteland"),
        ('required = ["holder"]', "holder"),
        ("fields = 3", "不合要求"),
    ],
)
def test_a_profile_that_contradicts_the_schema_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidParameter, match=r"映射方案|字段|required|单位") as refused:
        loaded(tmp_path, text)
    assert said in refused.value.detail
    assert refused.value.remedy


def test_a_name_twice_in_a_sheet_keeps_both() -> None:
    frame = pd.DataFrame([["a", "x", "y"]], columns=["parcel_id", "备注", "备注"])
    assert apply_profile(layer_of(frame), plain_profile("parcels")).frame["extra"][0] == {"备注": "x", "备注_2": "y"}


_CELLS = st.one_of(
    st.none(), st.text(max_size=6), st.integers(-(10**12), 10**12), st.floats(allow_nan=True), st.booleans(),
    st.dates().map(pd.Timestamp),
)  # fmt: skip


@given(
    st.lists(_CELLS, min_size=1, max_size=8), st.sampled_from(["real", "integer", "date", "boolean", "words", "text"])
)
def test_whatever_a_cell_holds_it_is_a_value_or_in_extra(cells: list[Any], kind: str) -> None:
    name = {"real": "far_agreed", "integer": "employees", "date": "start_due", "boolean": "above_scale",
            "words": "status", "text": "holder"}[kind]  # fmt: skip
    frame = pd.DataFrame({"parcel_id": [str(i) for i in range(len(cells))], name: pd.Series(cells, dtype=object)})
    found = apply_profile(layer_of(frame), plain_profile("parcels"))
    for cell, value, extra in zip(cells, found.frame[name], found.frame["extra"], strict=True):
        nothing = cell is None or pd.isna(cell) or str(cell).strip() == ""
        assert pd.isna(value) == (nothing or extra is not None)
    assert sum(found.notes.get(name, {}).values()) == sum(extra is not None for extra in found.frame["extra"])


# --- what went out comes back

ABOUT = Provenance("parcels", "宗地", "", None, "2024-01-01", "2024-06-01T08:00:00+08:00", "某区", "全部", "椭球面积")

EXPORTED = {
    "parcel_id": ["330110001002GB00001", "b"], "land_use": ["1001", "1101"], "land_use_edition": ["2023", "2023"],
    "holder": ["甲公司", None], "supervision_no": ["3301102020B00001", None], "tenure": ["state", None],
    "start_due": pd.to_datetime(["2024-02-29", None]), "declared_area_m2": [10_000.5, np.nan],
    "land_price_yuan": [1_500_000.0, np.nan], "tax_yuan": [12_000.0, 0.0], "footprint_m2": [5.5, np.nan],
    "tax_agreed_yuan_per_mu": [200_000.0, np.nan], "employees": pd.array([7, None], dtype="Int64"),
    "water_m3d": [30.0, np.nan], "above_scale": pd.array([True, None], dtype="boolean"), "status": ["producing", None],
    "extra": [{"备注": "好", "嵌套": {"a": [1, 2.5]}, "YSDM": "1"}, None],
}  # fmt: skip


@pytest.mark.parametrize(
    "name", ["a.gpkg", "a.geojson", "a.parquet", "a.fgb", "a.shp.zip", "a.gdb.zip", "a.xlsx", "a.csv"]
)
def test_an_export_of_ours_comes_back_as_it_was(tmp_path: Path, name: str) -> None:
    rows = apply_profile(layer_of(pd.DataFrame(EXPORTED)), plain_profile("parcels")).frame
    rows["area_m2"] = [123.25, 456.5]
    # Where the rows came from is told in the file, and is another matter when it is read again.
    told = rows.assign(
        load_id="L20240601080000000000-parcels",
        source_row=pd.array([7, 8], dtype="Int64"),
        field_sources=pd.Series([{"holder": ["L1", 3]}, None], dtype=object),
    )
    write_layer(iter([told]), LAYERS["parcels"], tmp_path / name, about=ABOUT)
    (source, *_) = read_file(tmp_path / name, crs="EPSG:4490" if name == "a.csv" else None)
    if name == "a.xlsx":  # a workbook carries no outlines
        source = layer_of(source.frame)
    back = apply_profile(source, plain_profile("parcels"))
    found = back.frame.sort_values("parcel_id", ignore_index=True)  # FlatGeobuf orders rows along space
    for field in LAYERS["parcels"].fields:
        if field.kind == "real":
            assert found[field.name].tolist() == pytest.approx(rows[field.name].tolist(), nan_ok=True), field.name
        else:
            assert values(found[field.name]) == values(rows[field.name]), field.name
    assert shapely.hausdorff_distance(np.asarray(found.geometry), np.asarray(rows.geometry)).max() < 1e-6
    assert "来源由本次导入记录" in next(iter(back.notes["load_id"]))


def test_a_lone_column_of_such_a_name_is_the_sources_own() -> None:
    frame = pd.DataFrame({"parcel_id": ["a"], "source_row": [9], "extra": ['{"load_id": "x"}']})
    found = apply_profile(layer_of(frame), plain_profile("parcels"))
    assert found.frame["extra"][0] == {"source_row": 9, "load_id": "x"}
    assert values(found.frame["source_row"]) == values(found.frame["load_id"]) == [None]
    assert found.notes == {}
    for fields in ({"load_id": "批次"}, {"field_sources": "来源"}):
        with pytest.raises(InvalidParameter, match="由导入记录的来源字段"):
            check_profile(Profile(name="own", title="自定", layer="parcels", fields=fields))  # type: ignore[arg-type]


def test_a_packed_extra_goes_beside_columns_of_the_same_name() -> None:
    frame = pd.DataFrame(
        {"parcel_id": ["a", "b"], "备注": ["新", None], "extra": ['{"备注": "旧", "x": 1}', "no json"]}
    )
    extra = apply_profile(layer_of(frame), plain_profile("parcels")).frame["extra"].tolist()
    assert extra == [{"备注": "新", "extra.备注": "旧", "x": 1}, {"extra": "no json"}]


def test_short_names_of_ours_do_not_lend_units_to_a_foreign_file() -> None:
    frame = pd.DataFrame({"ZDDM": ["a"], "ZDMJ": [15.0], "SSZE": [3.0]})
    found = apply_profile(layer_of(frame), plain_profile("parcels"))
    assert values(found.frame["declared_area_m2"]) == [None]
    assert found.frame["extra"][0] == {"ZDMJ": 15.0, "SSZE": 3.0}
    assert found.notes["declared_area_m2"] == {"列“ZDMJ”没有写单位，未采用（原值保留在 extra）": 1}
