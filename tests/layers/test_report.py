"""The report of a load says what became of every row, in stable keys for programs and in Chinese for people."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import geopandas as gpd
import pytest
import shapely
from pyproj import CRS

from geo.importing import prepare_load
from geo.layers.checking.report import LABELS, load_report, report_lines, report_rows
from geo.layers.profiles import Profile, plain_profile
from geo.layers.reading import SourceLayer
from geo.layers.schema import LAYERS

PARCELS = LAYERS["parcels"]
SQUARE = shapely.box(120, 32, 120.001, 32.001)
BESIDE = shapely.box(120.0009, 32, 120.002, 32.001)
BOW_TIE = shapely.Polygon([(120.01, 32), (120.011, 32.001), (120.011, 32), (120.01, 32.001)])


@pytest.fixture(scope="module")
def load() -> dict[str, Any]:
    """The record of a load in which something of everything happened."""
    profile = Profile.model_validate(
        {"name": "p", "title": "t", "layer": "parcels",
         "fields": {"declared_area_m2": {"column": "面积", "unit": "亩"}}}
    )  # fmt: skip
    frame = gpd.GeoDataFrame(
        {"parcel_id": ["A", "B", "C", "A", "E", "F"], "面积": ["15.9", "?", None, "1", "900", None],
         "foundation_pct": [130.0, None, None, None, None, None]},
        geometry=[SQUARE, BESIDE, BOW_TIE, SQUARE, SQUARE, None], crs=4490,
    )  # fmt: skip
    source = SourceLayer(
        "地块", frame, CRS.from_epsg(4490), "a.shp", "0" * 64, "GB18030", ("跳过 2 个注记",), {5: "环未闭合"}
    )
    return asdict(prepare_load(source, profile, data_date="2026-06-30").load)


def test_the_balance_adds_up(load: dict[str, Any]) -> None:
    told = load_report(load, PARCELS)
    assert told["balance"] == {"read": 6, "stored": 4, "repaired": 1, "quarantined": 2, "adds_up": True}
    assert told["sections"]["balance"]["label"] == "行数"


def test_every_section_is_there_with_its_label_and_json_takes_it(load: dict[str, Any]) -> None:
    told = json.loads(json.dumps(load_report(load, PARCELS), allow_nan=False))
    assert {key: section["label"] for key, section in told["sections"].items()} == {
        key: label for key, label in LABELS.items() if key != "shift"
    }
    assert told["sections"]["quarantined"]["rows"] == [
        {"what": "宗地代码重复", "count": 1, "detail": ""},
        {"what": "环未闭合", "count": 1, "detail": ""},
    ]
    assert told["report"]["quarantined"] == {"宗地代码重复": 1, "环未闭合": 1}


@pytest.mark.parametrize(
    "line",
    [
        "文字编码：GB18030",
        "读取说明：跳过 2 个注记",
        "单位换算：登记面积 ← 面积（亩 → m2）",
        "已修复：几何已修复：自相交 1",
        "已隔离：环未闭合 1",
        "存疑的值（原样存入）：基础完成比例 1（要求：0 至 100；例：A=130.0（第 1 行））",
        "几何完全相同：组 1（多出 1 个；例：A=E）",
        "图形衔接：重叠（对），对 1（容差 1 平方米）",
    ],
)
def test_people_read_the_same_facts_as_lines(load: dict[str, Any], line: str) -> None:
    assert line in report_lines(load["report"], PARCELS)


def test_a_load_without_a_fault_says_only_how_it_was_read() -> None:
    frame = gpd.GeoDataFrame({"parcel_id": ["A"]}, geometry=[SQUARE], crs=4490)
    source = SourceLayer("parcels", frame, CRS.from_epsg(4490), "a.gpkg", "0" * 64)
    report = prepare_load(source, plain_profile("parcels")).load.report
    assert report_lines(report, PARCELS) == ["图形衔接：公共界线完全一致，没有重叠"]


def test_a_suspected_shift_is_a_line() -> None:
    rows = report_rows({"shift": {"assessed": True, "suspected": True, "why": "疑为 GCJ-02"}}, PARCELS)
    assert [(row.section, row.what) for row in rows] == [("shift", "疑为 GCJ-02")]


def test_records_of_earlier_versions_are_still_told() -> None:
    old = {"repaired": {"几何已修复：Self-intersection": 2}, "quarantined": {}, "notes": {}}
    assert report_lines(old, PARCELS) == ["已修复：几何已修复：Self-intersection 2"]
