"""The ledgers of idle and inefficient land: known answers, the form of the sheet, and the way back into the reader."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import InvalidParameter, NotFound
from geo.land.findings import findings_frame
from geo.land.ledger import ledger
from geo.layers.formats.ledger_layout import COMPUTED, LEDGER_KINDS, Layout, load_layout
from geo.layers.formats.ledger_sheet import Ledger, LedgerAbout, write_ledger
from geo.layers.reading import read_file
from geo.layers.schema import ENTERPRISES, FIRMS, INDICATORS, PARCELS

AS_OF = np.datetime64("2026-06-30")
TEN_MU = 10 * 2000 / 3
TITLES = {"IDLE_A": "逾期未动工开发", "IDLE_B": "动工后中止开发", "IDLE_SLOW": "逾期两年投资不足",
          "LOW_TAX": "亩均税收低于标准", "LOW_FAR": "容积率低于下限"}  # fmt: skip
ABOUT = LedgerAbout(
    run_id="R20260701", as_of="2026-06-30", ruleset="国家规定（闲置土地） 2026.2", ruleset_sha256="f" * 64,
    organisation="某县自然资源局", selection="乡镇街道 北镇", loads=(("宗地", "宗地2026.gpkg", "2026-06-01"),),
    made_at="2026-07-01T09:00:00+08:00", area_method="CGCS2000 椭球面积",
)  # fmt: skip
IDLE, INEFFICIENT = load_layout("idle"), load_layout("inefficient")
# Codes of nineteen digits, as 宗地代码 has them: more than a number of a sheet can hold.
LAND = [f"320281001001{number:07d}" for number in range(1, 41)]


def canonical(layer: Any, records: list[dict[str, Any]]) -> pd.DataFrame:
    kinds = {"real": "float64", "integer": "Int64", "boolean": "boolean", "date": "datetime64[s]"}
    return pd.DataFrame(
        {f.name: pd.Series([one.get(f.name) for one in records], dtype=kinds.get(f.kind, object)) for f in layer.fields}
    )


def parcels_of(*records: dict[str, Any]) -> gpd.GeoDataFrame:
    told = [{"parcel_id": LAND[i], "town": "北镇", "area_m2": TEN_MU, **one} for i, one in enumerate(records)]
    return gpd.GeoDataFrame(
        canonical(PARCELS, told), geometry=[shapely.Point(120, 32).buffer(0.001)] * len(told), crs=4490
    )


def found(parcels: gpd.GeoDataFrame, *rows: dict[str, Any], kind: str = "idle") -> gpd.GeoDataFrame:
    """Findings of a kind, each ``row`` of the parcels with rule, level, dates, fee, reading and what is missing."""
    frames = [
        findings_frame(
            [one["row"]], parcels, kind=kind, rule=one["rule"], level=[one["level"]],
            since=np.array([one.get("since", "NaT")], "datetime64[D]"),
            next_date=np.array([one.get("next_date", "NaT")], "datetime64[D]"), fee_yuan=[one.get("fee", np.nan)],
            evidence=[{"used": [], "reading": one.get("reading", {}), "parameters": []}],
            missing=[one.get("missing", [])], source="闲置土地处置办法（国土资源部令第53号）",
            article=one.get("article", "第二条第一款"), ruleset="national 2026.2", disposals=one.get("disposals", ""),
            shortfall=one.get("shortfall", ""), unverified=[one.get("unverified", [])], as_of=AS_OF,
        )
        for one in rows
    ]  # fmt: skip
    return gpd.GeoDataFrame(pd.concat(frames, ignore_index=True), crs=4490)


def made(layout: Layout, findings: pd.DataFrame, parcels: pd.DataFrame, **tables: Any) -> Ledger:
    return ledger(layout, findings, parcels, as_of=AS_OF, rule_titles=TITLES, **tables)


@pytest.fixture
def idle() -> Ledger:
    parcels = parcels_of(
        {"holder": "甲公司", "address": "工业路1号", "supply_kind": "grant", "supervision_no": "3202812020B00123",
         "contract_date": "2022-01-10", "start_due": "2023-01-01", "land_price_yuan": 1_000_000.0},
        {"holder": "乙公司", "area_m2": 12_345.6, "handover_date": "2023-06-01", "land_price_yuan": 61_250.0},
        {"holder": "丙公司", "area_m2": 1_000.0, "town": "南镇"},
    )  # fmt: skip
    excuse = {"cause": "art8_2", "from": "2023-02-01", "to": "2023-02-10", "counts": True, "why_not": None}
    own = {"cause": "own", "from": "2024-03-01", "to": None, "counts": False, "why_not": "不属于可扣除的原因"}
    return made(
        IDLE,
        found(
            parcels,
            # Due 2023-01-01, ten days excused: a year is full on 2024-01-11, so idle from 12 January 2024.
            {"row": 0, "rule": "IDLE_A", "level": "idle_2y", "since": "2025-01-12", "fee": np.nan,
             "reading": {"start_due": "2023-01-01", "idle_since": "2024-01-12", "excuses": [excuse, own],
                         "excused_days": 10},
             "disposals": "无偿收回国有建设用地使用权", "unverified": ["延误原因的读法"]},
            {"row": 1, "rule": "IDLE_A", "level": "idle_1y", "since": "2025-06-02", "next_date": "2026-06-02",
             "fee": 12_250.0, "reading": {"start_due": "2024-06-01"},
             "unverified": ["延误原因的读法", "约定不明的宽限"]},
            {"row": 2, "rule": "IDLE_B", "level": "idle_stalled", "since": "2026-06-30", "article": "第二条第二款"},
            {"row": 2, "rule": "IDLE_SLOW", "level": "idle_stalled", "since": "2026-01-01"},
            {"row": 1, "rule": "IDLE_B", "level": "not_assessed", "missing": ["suspended_on", "area_due_m2"]},
            {"row": 0, "rule": "IDLE_SLOW", "level": "warning"},
        ),
        parcels,
    )  # fmt: skip


def written(made: Ledger, layout: Layout, folder: Path) -> Path:
    path = folder / "台账.xlsx"
    write_ledger(made, layout, path, ABOUT)
    return path


# ------------------------------------------------------------------------------------------------------------- rows


def test_an_idle_row_tells_the_case_in_the_order_of_the_layout(idle: Ledger) -> None:
    assert list(idle.rows.columns) == [column.name for column in IDLE.columns]
    first = {name.rpartition("_")[2]: value for name, value in idle.rows.iloc[0].items()}
    assert first == {
        "序号": 1, "县区/乡镇": "北镇", "宗地代码": LAND[0], "电子监管号": "3202812020B00123", "使用权人": "甲公司",
        "坐落": "工业路1号", "用途": None, "面积（亩）": 10.0, "供应方式": "出让", "合同签订日期": "2022-01-10",
        "交地日期": None, "土地价款（万元）": 100.0, "约定动工日期": "2023-01-01", "认定所据动工日期": "2023-01-01",
        "实际动工日期": None, "闲置起始日期": "2024-01-12",
        "闲置天数": 901,  # 2024-01-12 to 2026-06-30: 355 days of 2024, 365 of 2025, 181 of 2026
        "等级": "闲置满两年",
        "闲置原因": "政府原因：规划依法修改（2023-02-01 至 2023-02-10）；"
                    "企业自身原因（2024-03-01 至 今，未扣除：不属于可扣除的原因）；共扣除 10 天",
        "规则与条款": "逾期未动工开发（闲置土地处置办法（国土资源部令第53号）第二条第一款）", "闲置费（万元）": None,
        "下一节点": None, "可采取措施": "无偿收回国有建设用地使用权", "缺少资料": None, "未核实取值": "延误原因的读法",
        "确认状态": "疑似，待确认", "调查通知书文号及日期": None, "认定书文号及日期": None, "处置方案": None,
        "处置方式": None, "进展": None, "销号日期": None, "备注": None,
    }  # fmt: skip


def test_the_contract_says_nothing_so_the_due_date_of_the_finding_stands_alone(idle: Ledger) -> None:
    second = idle.rows.iloc[1]
    assert (second["动工情况_约定动工日期"], second["动工情况_认定所据动工日期"]) == (None, "2024-06-01")
    # Idle for a year since the day on which the level was reached; 2025-06-02 to 2026-06-30 are 394 days.
    assert (second["闲置认定_闲置起始日期"], second["闲置认定_闲置天数"]) == ("2025-06-02", 394)


def test_since_when_it_may_be_taken_back_is_not_since_when_it_is_idle() -> None:
    parcels = parcels_of({})
    told = made(IDLE, found(parcels, {"row": 0, "rule": "IDLE_A", "level": "idle_2y", "since": "2025-01-12"}), parcels)
    assert told.rows["闲置认定_闲置起始日期"].tolist() == [None]
    assert told.rows["闲置认定_闲置天数"].tolist() == [None]


def test_sums_are_those_of_what_is_shown_and_a_parcel_counts_once(idle: Ledger) -> None:
    # 10 + 12,345.6 × 3/2000 = 18.5184; 1,000 m² are 1.5 mu and stand in two rows.
    assert idle.rows["面积（亩）"].tolist() == [10.0, 18.5184, 1.5, 1.5]
    assert idle.totals.sums["面积（亩）"] == 30.0184
    # 12,250 yuan are 1.225, half up 1.23; 1,000,000 + 61,250 yuan are 100 + 6.13 (6.125 half up).
    assert idle.totals.sums["闲置认定_闲置费（万元）"] == 1.23
    assert idle.totals.sums["供应情况_土地价款（万元）"] == 106.13
    assert (idle.totals.rows, idle.totals.parcels, idle.totals.fee_yuan) == (4, 3, 12_250.0)
    assert idle.totals.watched == {"warning": 1}
    assert idle.totals.unverified == {"延误原因的读法": 2, "约定不明的宽限": 1}


@settings(max_examples=15)
@given(st.lists(st.floats(0.01, 1e7), min_size=1, max_size=12))
def test_the_total_is_the_sum_of_the_cells_to_the_last_digit(areas: list[float]) -> None:
    parcels = parcels_of(*({"area_m2": area} for area in areas))
    rows = [{"row": i, "rule": "IDLE_A", "level": "idle_1y", "since": "2026-01-01"} for i in range(len(areas))]
    told = made(IDLE, found(parcels, *rows), parcels)
    cells = [Decimal(str(value)) for value in told.rows["面积（亩）"]]
    assert Decimal(str(told.totals.sums["面积（亩）"])) == sum(cells)


def test_what_could_not_be_judged_says_what_is_missing(idle: Ledger) -> None:
    (row,) = idle.unassessed.to_dict("records")
    assert (row["宗地代码"], row["缺少资料"]) == (LAND[1], "停工日期、应动工面积")
    assert row["规则与条款"].startswith("动工后中止开发（")
    assert idle.totals.unassessed == 1


TEXTILES = {"firm_id": "F1", "holder": "丁纺织", "level": "inefficient", "measure": "亩均税收", "value": 2.5,
            "threshold": 6.0, "unit": "万元/亩"}  # fmt: skip


def inefficient(*firms: dict[str, Any], layout: Layout = INEFFICIENT, **parcel: Any) -> Ledger:
    """A parcel of ten mu with a low tax by its firms and a low plot ratio, and one whose ratio is not known."""
    parcels = parcels_of({"holder": "丁集团", "status": "producing", **parcel}, {"holder": "戊"})
    tax = {"measure": "亩均税收", "value": 2.5, "threshold": 6.0, "unit": "万元/亩", "comparison": "below",
           "firms": list(firms)}  # fmt: skip
    far = {"measure": "容积率", "value": 0.45, "threshold": 0.8, "unit": "", "comparison": "below"}
    findings = found(
        parcels,
        {"row": 0, "rule": "LOW_TAX", "level": "inefficient", "reading": tax, "shortfall": "税收还差 35.00 万元/年",
         "article": "", "unverified": ["亩均税收标准"], "disposals": "转让；政府收储"},
        {"row": 0, "rule": "LOW_FAR", "level": "inefficient", "reading": far, "shortfall": "建筑面积还差 2,334 m²",
         "article": "", "unverified": ["容积率标准", "亩均税收标准"], "disposals": "追加投资；转让"},
        {"row": 1, "rule": "LOW_FAR", "level": "not_assessed", "missing": ["floor_area_m2"]},
        kind="inefficient",
    )  # fmt: skip
    own = [{"firm_id": "F1", "holder": "丁纺织", "credit_code": "91320281MA1234567X", "year": 2025, "land_m2": TEN_MU,
            "tax_per_mu": 25_000.0},
           {"firm_id": "F2", "holder": "己物流", "credit_code": "91320281MA7654321Y", "year": 2025,
            "tax_per_mu": 10_000.0}]  # fmt: skip
    years = [{"enterprise_id": "1", "holder": "丁纺织", "year": 2024, "tax_yuan": 200_000.0},
             {"enterprise_id": "2", "holder": "丁纺织", "year": 2023, "tax_yuan": 1.0}]  # fmt: skip
    tables = {
        "firms": canonical(FIRMS, own), "enterprises": canonical(ENTERPRISES, years),
        "indicators": canonical(INDICATORS, [{"parcel_id": LAND[0], "year": 2025, "tax_per_mu": 18_000.0}]),
    }  # fmt: skip
    return made(layout, findings, parcels, **tables)


def test_a_parcel_with_several_rules_is_one_row(tmp_path: Path) -> None:
    told = inefficient(TEXTILES)
    assert list(told.rows.columns) == [column.name for column in INEFFICIENT.columns]
    (row,) = told.rows.to_dict("records")
    assert (row["低效类型"], row["占地面积（亩）"]) == ("容积率低于下限、亩均税收低于标准", 10.0)
    assert row["认定依据_达标差距"] == "建筑面积还差 2,334 m²；税收还差 35.00 万元/年"
    assert row["认定依据_指标与标准"] == "容积率 0.45（标准：低于 0.8）；亩均税收 2.5 万元/亩（标准：低于 6 万元/亩）"
    assert row["认定依据_可采取措施"] == "追加投资；转让；政府收储"
    assert row["认定依据_未核实取值"] == "容积率标准；亩均税收标准"
    assert told.totals.sums["占地面积（亩）"] == 10.0
    (open_,) = told.unassessed.to_dict("records")
    assert (open_["企业名称"], open_["缺少资料"]) == ("戊", "总建筑面积")


def test_the_firm_that_was_judged_stands_in_the_row_with_its_two_years() -> None:
    (row,) = inefficient(TEXTILES).rows.to_dict("records")
    assert (row["企业名称"], row["统一社会信用代码"], row["年度"]) == ("丁纺织", "91320281MA1234567X", 2025)
    # 2025: 25,000 yuan/mu by the run; 2024: 200,000 yuan over the firm's 10 mu.
    assert (row["亩均税收（万元/亩）_上年度"], row["亩均税收（万元/亩）_前一年度"]) == (2.5, 2.0)
    assert row["经营状况"] == "投产"


def test_several_firms_are_named_and_no_figure_of_one_stands_for_all() -> None:
    other = {**TEXTILES, "firm_id": "F2", "holder": "己物流", "value": 1.0}
    sound = {**TEXTILES, "firm_id": "F3", "holder": "庚", "level": "not_assessed"}
    (row,) = inefficient(TEXTILES, other, sound).rows.to_dict("records")
    assert row["企业名称"] == "丁纺织、己物流"
    assert row["统一社会信用代码"] == "91320281MA1234567X、91320281MA7654321Y"
    assert row["亩均税收（万元/亩）_上年度"] is None
    assert "丁纺织：亩均税收 2.5 万元/亩（标准：6 万元/亩）；己物流：亩均税收 1 万元/亩" in row["认定依据_指标与标准"]


def test_without_a_firm_the_parcel_speaks_for_itself() -> None:
    (row,) = inefficient(credit_code="91320281000000000A").rows.to_dict("records")
    assert (row["企业名称"], row["统一社会信用代码"]) == ("丁集团", "91320281000000000A")
    assert (row["亩均税收（万元/亩）_上年度"], row["亩均税收（万元/亩）_前一年度"]) == (1.8, None)


@pytest.mark.parametrize(
    ("extra", "disposed", "remaining"),
    [({"已处置": "4"}, 4.0, 6.0), ({"已处置": 12}, 12.0, None), ({}, None, None), ({"已处置": "待查"}, None, None)],
)
def test_remaining_area_needs_both(extra: dict[str, Any], disposed: float | None, remaining: float | None) -> None:
    told = {**INEFFICIENT.model_dump(), "disposed_area": {"source": "parcels.extra:已处置", "unit": "亩"}}
    (row,) = inefficient(TEXTILES, layout=Layout.model_validate(told), extra=extra).rows.to_dict("records")
    assert (row["处置情况_已处置面积（亩）"], row["处置情况_剩余面积（亩）"]) == (disposed, remaining)
    (plain,) = inefficient(TEXTILES, extra=extra).rows.to_dict("records")
    assert (plain["处置情况_已处置面积（亩）"], plain["处置情况_剩余面积（亩）"]) == (None, None)


def test_a_name_that_is_an_error_of_the_sheet_is_a_name(tmp_path: Path) -> None:
    parcels = parcels_of({"holder": "#N/A"})
    told = made(IDLE, found(parcels, {"row": 0, "rule": "IDLE_A", "level": "idle_1y"}), parcels)
    cell = openpyxl.load_workbook(written(told, IDLE, tmp_path))["闲置土地台账"]["E5"]
    assert (cell.value, cell.data_type) == ("#N/A", "s")


@pytest.mark.parametrize("kind", LEDGER_KINDS)
def test_every_computed_value_can_stand_in_a_column(kind: Any) -> None:
    names = [name for name, shown in COMPUTED.items() if kind in shown.ledgers]
    columns = [{"heading": name, "source": f"computed.{name}"} for name in names]
    layout = Layout.model_validate({**load_layout(kind).model_dump(), "columns": columns, "unassessed": columns})
    parcels = parcels_of({})
    for level in (layout.levels[0], "not_assessed"):
        told = made(layout, found(parcels, {"row": 0, "rule": "X", "level": level}, kind=kind), parcels)
        assert list(told.rows.columns) == names
        assert len(told.rows) + len(told.unassessed) == 1
    nothing = made(layout, found(parcels, {"row": 0, "rule": "X", "level": "ok"}, kind=kind), parcels)
    assert (len(nothing.rows), len(nothing.unassessed)) == (0, 0)


def test_the_readme_tells_every_computed_value() -> None:
    readme = (Path(__file__).parents[2] / "data" / "ledgers" / "README.md").read_text(encoding="utf-8")
    assert [name for name in COMPUTED if f"`{name}`" not in readme] == []


# ------------------------------------------------------------------------------------------------------------ sheet


def test_the_sheet_has_a_title_merged_heads_data_from_row_five_and_a_total(idle: Ledger, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(written(idle, IDLE, tmp_path))
    assert book.sheetnames == ["闲置土地台账", "未能评估", "说明"]
    sheet = book["闲置土地台账"]
    merged = {str(each) for each in sheet.merged_cells.ranges}
    assert {"A1:AG1", "A2:AG2", "A3:A4", "C3:C4", "I3:L3", "M3:O3", "P3:Z3", "AA3:AF3", "AG3:AG4"} <= merged
    assert sheet["A1"].value == "闲置土地台账"
    line = sheet["A2"].value
    for told in ("某县自然资源局", "2026-06-30", "国家规定（闲置土地） 2026.2", "单位：亩、万元"):
        assert told in line
    assert (sheet["I3"].value, sheet["I4"].value, sheet["J4"].value) == ("供应情况", "供应方式", "合同签订日期")
    assert (sheet["C5"].value, sheet["H5"].value, sheet["H5"].number_format) == (LAND[0], 10, "0.0000")
    last = sheet.max_row
    assert (last, sheet.cell(last, 1).value, sheet.cell(last, 8).value) == (9, "合计", 30.0184)
    assert sheet.cell(last, 7).value is None
    assert (sheet.freeze_panes, sheet.print_title_rows, sheet.page_setup.orientation) == ("D5", "$1:$4", "landscape")
    assert (sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) == (1, 0)
    assert sheet.sheet_properties.pageSetUpPr.fitToPage
    assert sheet.column_dimensions["C"].width == 22
    assert sheet["E5"].alignment.wrap_text


def test_dates_and_codes_are_text_and_nothing_is_a_formula(idle: Ledger, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(written(idle, IDLE, tmp_path))
    sheet = book["闲置土地台账"]
    for place, value in (("C5", LAND[0]), ("D5", "3202812020B00123"), ("M5", "2023-01-01"), ("P5", "2024-01-12")):
        assert (sheet[place].value, sheet[place].data_type, sheet[place].number_format) == (value, "s", "@")
    assert all(cell.data_type != "f" for each in book for row in each.iter_rows() for cell in row)


def test_text_that_a_sheet_would_compute_stays_text(tmp_path: Path) -> None:
    computed = ["=1+1", "+86", "-5", "@SUM(A1)", "＝1", '=HYPERLINK("http://x")', "\t=1"]
    texts = [*computed, "_x0041_", "a\x07b", "平常"]
    parcels = parcels_of(*({"holder": text} for text in texts))
    rows = [{"row": i, "rule": "IDLE_A", "level": "idle_1y"} for i in range(len(texts))]
    path = written(made(IDLE, found(parcels, *rows), parcels), IDLE, tmp_path)
    cells = [openpyxl.load_workbook(path)["闲置土地台账"][f"E{row}"] for row in range(5, 5 + len(texts))]
    assert {cell.data_type for cell in cells} == {"s"}
    assert [cell.quotePrefix for cell in cells] == [text in computed for text in texts]
    (table, *_) = read_file(path)
    assert table.frame["使用权人"].tolist() == texts


def test_our_own_reader_takes_the_ledger_back(idle: Ledger, tmp_path: Path) -> None:
    table, unassessed = read_file(written(idle, IDLE, tmp_path))
    assert list(table.frame.columns) == [column.name for column in IDLE.columns]
    assert table.frame["宗地代码"].tolist() == [LAND[0], LAND[1], LAND[2], LAND[2]]
    assert [float(area) for area in table.frame["面积（亩）"]] == idle.rows["面积（亩）"].tolist()
    for name in idle.rows.columns:
        cells = idle.rows[name].tolist()
        back = [
            None if pd.isna(text) else type(cell)(text) for text, cell in zip(table.frame[name], cells, strict=True)
        ]
        assert back == cells, name
    assert any("合计" in note for note in table.notes)
    assert unassessed.frame["缺少资料"].tolist() == ["停工日期、应动工面积"]


def test_the_inefficient_ledger_comes_back_too(tmp_path: Path) -> None:
    table, _ = read_file(written(inefficient(TEXTILES), INEFFICIENT, tmp_path))
    assert list(table.frame.columns) == [column.name for column in INEFFICIENT.columns]
    assert table.frame["占地面积（亩）"].tolist() == ["10"]


def test_a_ledger_without_rows_is_a_form_with_a_total_of_nought(tmp_path: Path) -> None:
    parcels = parcels_of({})
    path = written(made(IDLE, found(parcels, {"row": 0, "rule": "X", "level": "ok"}), parcels), IDLE, tmp_path)
    sheet = openpyxl.load_workbook(path)["闲置土地台账"]
    assert (sheet["A5"].value, sheet["H5"].value, sheet.max_row) == ("合计", 0, 5)


def test_the_last_sheet_says_where_everything_comes_from(idle: Ledger, tmp_path: Path) -> None:
    sheet = openpyxl.load_workbook(written(idle, IDLE, tmp_path))["说明"]
    told = {str(row[0]): row[1:] for row in sheet.iter_rows(values_only=True) if row[0]}
    assert told["分析批次"][0] == "R20260701"
    assert told["截至日期"][0] == "2026-06-30"
    assert told["数据"][:2] == ("宗地：宗地2026.gpkg", "2026-06-01")
    assert told["选择范围"][0] == "乡镇街道 北镇"
    assert told["版式核实状态"][0] == "未核实"
    assert (told["行数"][0], told["宗地数"][0]) == ("4", "3")
    assert told["面积合计（每宗计一次，未经取整）"][0] == "30.0184 亩"
    assert told["闲置费合计（未经取整）"][0] == "12,250.00 元"
    assert told["未列入的其他等级"][0] == "即将到期 1 条"
    assert told["延误原因的读法"][0] == "2 条认定用到"
    assert told["面积（亩）"] == ("认定：面积（findings.area_m2）", "亩", "合计")
    assert told["备注"][0] == "由填报人填写"


# ----------------------------------------------------------------------------------------------------------- layout

OWN = """
kind = "idle"
title = "本县闲置土地台账"
source = "本县表样"
status = "verified"
levels = ["idle_1y", "overdue"]
columns = [
  { heading = "序号", source = "computed.number" },
  { heading = "县", text = "某县" },
  { heading = "面积（公顷）", source = "findings.area_m2", unit = "公顷", decimals = 2, total = true },
  { heading = "楼长", source = "parcels.extra:楼长" },
]
unassessed = [{ heading = "宗地", source = "findings.parcel_id" }, { heading = "缺少", source = "computed.missing" }]
"""


def own(folder: Path, text: str) -> Layout:
    path = folder / "本县.toml"
    path.write_text(text, encoding="utf-8")
    return load_layout("idle", path)


def test_an_office_brings_its_own_layout(tmp_path: Path) -> None:
    layout = own(tmp_path, OWN)
    parcels = parcels_of({"area_m2": 12_345.0, "extra": {"楼长": "老王"}}, {})
    rows = [{"row": 0, "rule": "IDLE_A", "level": "overdue"}, {"row": 1, "rule": "IDLE_A", "level": "idle_2y"}]
    told = made(layout, found(parcels, *rows), parcels)
    # 12,345 m² are 1.2345 ha.
    assert told.rows.to_dict("records") == [{"序号": 1, "县": "某县", "面积（公顷）": 1.23, "楼长": "老王"}]
    sheet = openpyxl.load_workbook(written(told, layout, tmp_path))["本县闲置土地台账"]
    assert sheet["A2"].value.endswith("单位：公顷")
    assert [cell.value for cell in sheet[3]] == ["序号", "县", "面积（公顷）", "楼长"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("area_m2", "area_mu"), "columns 第 3 列“面积（公顷）”：认定没有字段“area_mu”，可用：finding_id"),
        (("computed.number", "computed.no"), "columns 第 1 列“序号”：没有计算值“computed.no”，可用：computed.number"),
        (("parcels.extra:楼长", "owners.name"), "没有来源“owners.name”，应为 图层.字段"),
        (("computed.number", "findings.evidence"), "认定没有字段“evidence”"),
        (("computed.number", "computed.year"), "columns 的“序号”：computed.year 不适用于这种台账"),
        (('unit = "公顷"', 'unit = "万元"'), "findings.area_m2 的值（平方米）不能以“万元”表示"),
        (('unit = "公顷"', 'units = "公顷"'), "columns 第 3 列“面积（公顷）”的 units：不认识这一项"),
        (('decimals = 2', 'decimals = 12'), "columns 第 3 列“面积（公顷）”的 decimals：应不大于 8"),
        (('heading = "县", text', 'text'), "columns 第 2 列的 heading：缺少这一项"),
        (('text = "某县"', 'total = true'), "没有 source 的列不能写 unit、decimals、total"),
        (('source = "parcels.extra:楼长"', 'source = "findings.days", total = true'), "findings.days 不能合计"),
        (('heading = "楼长"', 'heading = "县"'), "columns 中列名重复：县"),
        (('"overdue"', '"late"'), "没有等级“late”，可用：warning、overdue"),
        (('status = "verified"', 'status = "sure"'), "status：可用："),
        (('kind = "idle"', 'kind = "inefficient"'), "不是“idle”的"),
        (('title = ', 'title '), "不是有效的 TOML"),
    ],
)  # fmt: skip
def test_a_wrong_layout_says_which_column_and_what_may_stand_there(
    change: tuple[str, str], told: str, tmp_path: Path
) -> None:
    assert change[0] in OWN
    with pytest.raises(InvalidParameter) as caught:
        own(tmp_path, OWN.replace(*change))
    assert told in caught.value.detail
    assert caught.value.where.startswith("本县.toml")


def test_there_are_two_kinds_of_ledger(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="没有台账“lost”"):
        load_layout("lost")
    with pytest.raises(InvalidParameter, match="找不到台账版式"):
        load_layout("idle", tmp_path / "none.toml")
