"""The command line as a person uses it: one job, one message, one exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import geopandas as gpd
import pyogrio
import pytest
import shapely

from tests.district import Made

SQUARES = [shapely.box(120 + i / 100, 32, 120.005 + i / 100, 32.005) for i in range(3)]


def lianpian(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LIANPIAN_")}
    return subprocess.run(
        [sys.executable, "-m", "api.cli", *arguments], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip


def test_the_demo_is_one_command(tmp_path: Path) -> None:
    done = lianpian(tmp_path, "demo", "--no-serve", "--parcels", "1500")
    assert done.returncode == 0, done.stderr
    assert "500 亩以上集中连片工业用地" in done.stdout
    assert "生成示范区" in done.stderr
    listed = json.loads(lianpian(tmp_path, "plots", "--json").stdout)
    assert len(listed) == 8
    assert all(plot["area_mu"] >= 500 for plot in listed)
    need = tmp_path / "need.json"
    need.write_text('{"area_mu": {"min": 500}}', encoding="utf-8")
    assert json.loads(lianpian(tmp_path, "match", "need.json", "--json").stdout)["matched"] == 8
    assert lianpian(tmp_path, "export", "plots", "plots.geojson").returncode == 0
    assert len(gpd.read_file(tmp_path / "plots.geojson")) == 8
    again = lianpian(tmp_path, "export", "plots", "var/lianpian.gpkg")
    assert (again.returncode, "已经存在" in again.stderr) == (2, True)
    assert lianpian(tmp_path, "doctor").returncode == 0
    assert lianpian(tmp_path, "analyse", "--rules", "demo", "--as-of", "2020-01-01", "--json").returncode == 0


def no_crs(folder: Path) -> str:
    gpd.GeoDataFrame({"parcel_id": list("ABC")}, geometry=SQUARES).to_file(folder / "a.shp")
    return "a.shp"


def broken_zip(folder: Path) -> str:
    (folder / "a.zip").write_bytes(b"PK\x03\x04 nothing")
    return "a.zip"


def truncated_zip(folder: Path) -> str:
    gpd.GeoDataFrame({"parcel_id": list("ABC")}, geometry=SQUARES, crs=4490).to_file(folder / "whole.geojson")
    with zipfile.ZipFile(folder / "whole.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(folder / "whole.geojson", "whole.geojson")
    (folder / "a.zip").write_bytes((folder / "whole.zip").read_bytes()[:-60])
    return "a.zip"


def missing_column(folder: Path) -> str:
    gpd.GeoDataFrame({"number": [1, 2, 3]}, geometry=SQUARES, crs=4490).to_file(folder / "a.gpkg")
    return "a.gpkg"


@pytest.mark.parametrize(
    ("make", "message"),
    [(no_crs, "没有坐标系"), (broken_zip, "已损坏"), (truncated_zip, "已损坏"), (missing_column, "缺少字段 parcel_id")],
)
def test_bad_input_is_one_clear_error_and_nothing_is_written(tmp_path: Path, make: object, message: str) -> None:
    file = make(tmp_path)  # type: ignore[operator]
    done = lianpian(tmp_path, "import", file, "--layer", "parcels")
    assert done.returncode == 3
    assert done.stdout == ""
    assert message in done.stderr
    assert "办法" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["analyse"], 5, "数据库不存在"),
        (["analyse", "--rules", "mars"], 2, "没有名为“mars”的规则集"),
        (["analyse", "--as-of", "gestern"], 2, "应写作 2026-06-30"),
        (["analyse", "--gap-m", "-5"], 2, "gap_m"),
        (["plots", "--store", "postgresql:///nothing?host=/nowhere"], 5, ""),
        (["export", "nothing", "a.gpkg"], 2, "没有图层"),
        (["export", "plots", "nowhere/a.gpkg"], 2, "没有文件夹"),
        (["export", "plots", "a.docx"], 2, "不能导出"),
        (["import", "a.gpkg", "--append", "--update"], 2, "只能选一个"),
        (["frobnicate"], 2, ""),
    ],
)
def test_exit_codes(tmp_path: Path, arguments: list[str], code: int, message: str) -> None:
    done = lianpian(tmp_path, *arguments)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_dry_run_tells_and_writes_nothing(tmp_path: Path, district: Made) -> None:
    done = lianpian(tmp_path, "import", str(district.package), "--dry-run", "--json")
    loads = json.loads(done.stdout)
    assert {load["layer"] for load in loads} >= {"parcels", "towns"}
    assert not (tmp_path / "var").exists()


def survey(folder: Path) -> Path:
    """A land survey layer as it is handed over: survey names, GBK without a word about it, one row without a number."""
    rows = {
        "BSM": ["330100000000000001", "330100000000000002", None],
        "TBBH": ["1", "2", None],
        "DLBM": ["0601", "0508", "0601"],
        "DLMC": ["工业用地", "物流仓储用地", "工业用地"],
        "QSXZ": ["10", "20", "30"],
        "QSDWDM": ["330102001001"] * 3,
        "QSDWMC": ["甲村", "乙村", "丙村"],
        "ZLDWDM": ["3301020010010000000"] * 3,
        "ZLDWMC": ["甲村", "乙村", "丙村"],
        "TBMJ": [262_000.0, 262_000.0, 1.0],
    }
    path = folder / "DLTB.shp"
    gpd.GeoDataFrame(rows, geometry=SQUARES, crs=4490).to_file(path, encoding="GB18030")
    path.with_suffix(".cpg").unlink()
    return path


def test_a_survey_layer_is_recognised_and_waits_for_a_yes(tmp_path: Path) -> None:
    survey(tmp_path)
    asked = lianpian(tmp_path, "import", "DLTB.shp")
    assert asked.returncode == 3, asked.stderr
    assert "dltb" in asked.stderr
    assert "--yes" in asked.stderr
    assert not (tmp_path / "var").exists()
    looked = lianpian(tmp_path, "check", "DLTB.shp", "--yes")
    assert looked.returncode == 0, looked.stderr
    for told in ("GB18030", "前三行", "甲村", "EPSG:4490"):
        assert told in looked.stdout
    assert not (tmp_path / "var").exists()
    done = lianpian(
        tmp_path, "import", "DLTB.shp", "--profile", "dltb", "--quarantine", "隔离.gpkg", "--report", "报告.json"
    )
    assert done.returncode == 0, done.stderr
    (load,) = json.loads((tmp_path / "报告.json").read_text(encoding="utf-8"))
    assert load["read"] == 3 == load["stored"] + load["quarantined"]
    assert len(gpd.read_file(tmp_path / "隔离.gpkg")) == load["quarantined"] == 1


def test_rows_are_updated_by_key_and_the_same_file_is_known(tmp_path: Path) -> None:
    for name, holders in (("old.gpkg", ["甲", "乙", "丙"]), ("new.gpkg", ["甲", "乙二", "丁"])):
        keys = ["A", "B", "C"] if name == "old.gpkg" else ["A", "B", "D"]
        table = gpd.GeoDataFrame({"parcel_id": keys, "holder": holders}, geometry=SQUARES, crs=4490)
        table.to_file(tmp_path / name, layer="parcels")
    assert lianpian(tmp_path, "import", "old.gpkg").returncode == 0
    assert "同一文件已导入" in lianpian(tmp_path, "import", "old.gpkg").stdout
    assert lianpian(tmp_path, "import", "new.gpkg", "--append").returncode == 3
    assert lianpian(tmp_path, "import", "new.gpkg", "--update").returncode == 0
    assert lianpian(tmp_path, "export", "parcels", "now.csv").returncode == 0
    told = (tmp_path / "now.csv").read_text(encoding="utf-8-sig")
    assert [name in told for name in ("甲", "乙二", "丙", "丁")] == [True] * 4
    assert "乙," not in told
    chosen = lianpian(tmp_path, "export", "parcels", "some.geojson", "--where", "holder IN ('甲', '丁')")
    assert chosen.returncode == 0, chosen.stderr
    assert sorted(gpd.read_file(tmp_path / "some.geojson")["parcel_id"]) == ["A", "D"]
    moved = lianpian(tmp_path, "export", "parcels", "带号.shp.zip", "--crs", "EPSG:4528", "--bbox", "120,31,120.006,33")
    assert moved.returncode == 0, moved.stderr
    back = gpd.read_file(tmp_path / "带号.shp.zip")
    assert len(back) == 1
    assert back.total_bounds[0] > 40_000_000


def test_gdal_opens_the_store_while_a_service_runs_and_an_import_writes(tmp_path: Path, district: Made) -> None:
    assert lianpian(tmp_path, "import", str(district.package)).returncode == 0
    store = tmp_path / "var" / "lianpian.gpkg"
    import_ = subprocess.Popen(
        [sys.executable, "-m", "api.cli", "import", str(district.package)], cwd=tmp_path, stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    opened = 0
    try:
        while import_.poll() is None:
            assert pyogrio.read_info(store, layer="parcels")["features"] == len(
                gpd.read_file(district.package, layer="parcels", columns=[])
            )
            opened += 1
            time.sleep(0.05)
    finally:
        import_.wait(timeout=120)
    assert import_.returncode == 0
    assert opened > 0
    told = subprocess.run(["ogrinfo", "-ro", "-so", str(store), "parcels"], capture_output=True, text=True, check=True)
    assert "Feature Count" in told.stdout
