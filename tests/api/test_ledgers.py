"""Ledgers out of the store: by the command line and over HTTP, the same rows through the one door."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import shapely
from fastapi.testclient import TestClient

from api.app import create_app
from api.ledgers import export_ledger
from geo.errors import NotFound
from geo.land.findings import findings_frame
from geo.layers.formats.ledger_layout import load_layout
from geo.layers.reading import read_file
from geo.layers.schema import PARCELS
from geo.store.base import Load, Query, Run, Scope, Store
from tests.district import Analysed

AS_OF = "2026-06-30"
TOWNS = ["北镇", "南镇", "北镇"]


def lianpian(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LIANPIAN_")}
    return subprocess.run(
        [sys.executable, "-m", "api.cli", *arguments], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip


def load_of(number: int, rows: int) -> Load:
    return Load(
        load_id=f"L{number}", layer="parcels", file_name="宗地.gpkg", sha256="0" * 64, profile="默认",
        source_crs="EPSG:4490", loaded_at="2026-06-01T08:00:00+08:00", data_date="2026-06-01", read=rows, stored=rows,
        repaired=0, quarantined=0, report={"mode": "replace"},
    )  # fmt: skip


def filled(store: Store) -> gpd.GeoDataFrame:
    """Three parcels: one idle, one of which that is unknown, one inefficient by a rule of its own."""
    squares = [shapely.box(120 + i / 100, 32, 120.001 + i / 100, 32.001) for i in range(3)]
    kinds = {"date": "datetime64[s]", "real": "float64", "integer": "Int64", "boolean": "boolean"}
    parcels = gpd.GeoDataFrame(
        {f.name: pd.Series([None] * 3, dtype=kinds.get(f.kind, object)) for f in PARCELS.fields},
        geometry=squares, crs=4490,
    ).assign(
        parcel_id=[f"P{i}" for i in range(3)], town=TOWNS, holder=["=甲", "乙", "丙"], area_m2=[2000.0, 4000.0, 6000.0],
        address="工业路", supervision_no="3202812020B00123", load_id="L1",
    )  # fmt: skip
    nothing = gpd.GeoDataFrame({"row_id": []}, geometry=[], crs=4490)
    store.write_load(load_of(1, 3), parcels, nothing)
    told: dict[str, Any] = {"source": "闲置土地处置办法（国土资源部令第53号）", "as_of": np.datetime64(AS_OF)}

    def one(row: int, kind: str, rule: str, level: str, missing: list[str], fee: float) -> gpd.GeoDataFrame:
        evidence = [{"used": [], "reading": {"start_due": "2024-01-01"}, "parameters": []}]
        return findings_frame(
            [row], parcels, kind=kind, rule=rule, level=[level], since=np.array(["2025-01-02"], "datetime64[D]"),
            next_date=np.array(["2026-01-02"], "datetime64[D]"), fee_yuan=[fee], evidence=evidence, missing=[missing],
            **told,
        )  # fmt: skip

    findings = pd.concat(
        [
            one(0, "idle", "IDLE_A", "idle_1y", [], 200_000.0),
            one(1, "idle", "IDLE_A", "not_assessed", ["start_due"], np.nan),
            one(2, "inefficient", "LOW_FAR", "inefficient", [], np.nan),
        ],
        ignore_index=True,
    )
    run = Run(
        run_id="R1", as_of=AS_OF, ruleset="national", ruleset_sha256="1" * 64,
        parameters={"rule_titles": {"IDLE_A": "逾期未动工开发", "LOW_FAR": "容积率低于下限"},
                    "ruleset_title": "国家规定", "ruleset_version": "2026.2"},
        loads=("L1",), started_at="2026-07-01T09:00:00+08:00",
    )  # fmt: skip
    store.write_run(run, {"findings": gpd.GeoDataFrame(findings, crs=4490).assign(run_id="R1")})
    return parcels


def sheet_of(content: bytes | Path) -> Any:
    source = io.BytesIO(content) if isinstance(content, bytes) else content
    return openpyxl.load_workbook(source)


def test_the_ledger_is_a_download(store: Store) -> None:
    filled(store)
    client = TestClient(create_app(store), raise_server_exceptions=False)
    answer = client.get("/ledgers/idle.xlsx")
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-rows"] == "1"
    assert "闲置土地台账_" in unquote(answer.headers["content-disposition"])
    assert answer.headers["cache-control"] == "no-store"
    book = sheet_of(answer.content)
    sheet = book["闲置土地台账"]
    # 2,000 m² are 3 mu; the fee of 200,000 yuan is 20 万元.
    cells = (sheet["C5"].value, sheet["E5"].value, sheet["H5"].value, sheet["U5"].value, sheet["A6"].value)
    assert cells == ("P0", "=甲", 3, 20, "合计")
    assert sheet["E5"].data_type == "s"
    assert (book["未能评估"]["C5"].value, book["未能评估"]["I5"].value) == ("P1", "约定动工日期")
    inefficient = sheet_of(client.get("/ledgers/inefficient.xlsx").content)["低效用地台账"]
    assert (inefficient["D5"].value, inefficient["H5"].value, inefficient["O5"].value) == ("丙", 9, "容积率低于下限")


def test_a_town_and_a_filter_choose_findings(store: Store) -> None:
    filled(store)
    client = TestClient(create_app(store), raise_server_exceptions=False)
    south = client.get("/ledgers/idle.xlsx", params={"town": "南镇"})
    assert south.headers["x-rows"] == "0"
    book = sheet_of(south.content)
    assert book["闲置土地台账"]["A5"].value == "合计"
    assert book["未能评估"]["C5"].value == "P1"
    filtered = client.get("/ledgers/idle.xlsx", params={"filter": "fee_yuan > 1000 AND town = '北镇'"})
    assert filtered.headers["x-rows"] == "1"
    told = {row[0]: row[1] for row in sheet_of(filtered.content)["说明"].iter_rows(values_only=True)}
    assert told["选择范围"] == "条件 fee_yuan > 1000 AND town = '北镇'"
    assert told["规则集"] == "国家规定 2026.2"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/ledgers/lost.xlsx", 404),
        ("/ledgers/idle.xlsx?filter=owner='x'", 400),
        ("/ledgers/idle.xlsx?layout=my.toml", 400),  # no file of the server is read for a request
        ("/ledgers/idle.xlsx", 404),  # nothing was analysed
    ],
)
def test_a_wrong_request_is_a_problem(store: Store, path: str, status: int) -> None:
    answer = TestClient(create_app(store), raise_server_exceptions=False).get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_the_ledger_sees_what_its_reader_may_see(store: Store, tmp_path: Path) -> None:
    filled(store)
    layout = load_layout("idle")
    export_ledger(store, layout, tmp_path / "south.xlsx", scope=Scope(towns=frozenset({"南镇"})))
    book = sheet_of(tmp_path / "south.xlsx")
    assert (book["闲置土地台账"].max_row, book["未能评估"].max_row) == (5, 5)
    with pytest.raises(NotFound):
        export_ledger(store, layout, tmp_path / "none.xlsx", scope=Scope(layers=frozenset({"parcels"})))
    assert not (tmp_path / "none.xlsx").exists()


def test_data_that_came_after_the_analysis_is_remarked(store: Store, tmp_path: Path) -> None:
    parcels = filled(store)
    before = export_ledger(store, load_layout("idle"), tmp_path / "before.xlsx")
    assert before.notes == ()
    again = parcels.iloc[:1].assign(address="新址")
    store.write_load(load_of(2, 1), again, gpd.GeoDataFrame({"row_id": []}, geometry=[], crs=4490))
    after = export_ledger(store, load_layout("idle"), tmp_path / "after.xlsx")
    assert "分析之后数据有更新" in after.notes[0]
    sheet = sheet_of(tmp_path / "after.xlsx")["闲置土地台账"]
    assert (sheet["F5"].value, sheet["H5"].value) == ("新址", 3)  # the area is that of the finding


def test_the_command_writes_a_ledger(store: Store, store_url: str, tmp_path: Path) -> None:
    filled(store)
    done = lianpian(tmp_path, "ledger", "idle", "台账.xlsx", "--town", "北镇", "--store", store_url)
    assert done.returncode == 0, done.stderr
    assert "已写出 台账.xlsx：1 行" in done.stderr
    assert sheet_of(tmp_path / "台账.xlsx")["闲置土地台账"]["C5"].value == "P0"
    again = lianpian(tmp_path, "ledger", "idle", "台账.xlsx", "--store", store_url)
    assert (again.returncode, "已经存在" in again.stderr) == (2, True)
    (tmp_path / "我的.toml").write_text('kind = "idle"\ncolumns = []', encoding="utf-8")
    wrong = lianpian(tmp_path, "ledger", "idle", "b.xlsx", "--layout", "我的.toml", "--store", store_url)
    assert (wrong.returncode, "台账版式不合要求" in wrong.stderr) == (2, True)
    assert not (tmp_path / "b.xlsx").exists()


def test_without_a_run_the_command_says_so(store: Store, store_url: str, tmp_path: Path) -> None:
    done = lianpian(tmp_path, "ledger", "idle", "a.xlsx", "--store", store_url)
    assert (done.returncode, "请先运行 lianpian analyse" in done.stderr) == (1, True)


@pytest.mark.parametrize("kind", ["idle", "inefficient"])
def test_the_ledger_of_the_district_adds_up_to_the_run(analysed: Analysed, kind: str, tmp_path: Path) -> None:
    layout = load_layout(kind)
    path = tmp_path / "台账.xlsx"
    export_ledger(analysed.store, layout, path)
    table, _ = read_file(path)
    name = next(column.name for column in layout.columns if column.total)
    found = analysed.store.read(Query("findings", equals={"kind": kind, "level": layout.levels}, geometry=False))
    assert set(table.frame["宗地代码"]) == set(found["parcel_id"])
    once = table.frame.drop_duplicates("宗地代码")
    summary = analysed.run.summary
    assert (len(once), round(once[name].astype(float).sum(), 1)) == (summary[kind], round(summary[f"{kind}_mu"], 1))
    area = found.drop_duplicates("parcel_id").set_index("parcel_id")["area_m2"]
    back = once.set_index("宗地代码")[name].astype(float)
    assert np.allclose(back, area.reindex(back.index) * 3 / 2000, atol=5.1e-5, rtol=0)
