"""Findings through the two interfaces: filters, statistics that add up, the card, and what changed between two runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pandas as pd
import pytest
import shapely
from fastapi.testclient import TestClient

from api.app import create_app
from geo.importing import prepare_loads, store_loads
from geo.land.rules import load_rules
from geo.layers.profiles import plain_profile
from geo.layers.reading import read_file
from geo.pipeline import analyse_store
from geo.store.base import Query
from geo.store.opening import open_store
from tests.api.test_cli import lianpian
from tests.district import Served


@pytest.fixture(scope="module")
def client(served_district: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served_district.url, timeout=60) as opened:
        yield opened


def planted(served: Served, **facts: Any) -> dict[str, Any]:
    """The first row of the truth table with these facts."""
    return next(row for row in served.truth["findings"] if all(row.get(name) == value for name, value in facts.items()))


def test_a_filter_in_cql2_narrows_findings_and_statistics_alike(client: httpx.Client, served_district: Served) -> None:
    asked = {"filter": "level = 'idle_1y' AND fee_yuan > 1000000"}
    found = served_district.store.read(Query("findings", equals={"level": "idle_1y"}, geometry=False))
    wanted = found[found["fee_yuan"] > 1_000_000]
    assert client.get("/findings", params=asked).json()["matched"] == len(wanted) > 0
    rows = client.get("/findings/statistics", params={**asked, "by": "holder"}).json()["rows"]
    assert sum(row["count"] for row in rows) == wanted["parcel_id"].nunique()
    assert sum(row["fee_yuan"] for row in rows) == pytest.approx(wanted["fee_yuan"].sum(), abs=0.05 * len(rows))


def test_a_fee_that_is_not_known_is_counted_not_added_as_nought(client: httpx.Client, served_district: Served) -> None:
    rows = client.get("/findings/statistics", params={"by": "level", "level": "idle_1y"}).json()["rows"]
    found = served_district.store.read(Query("findings", equals={"level": "idle_1y"}, geometry=False))
    priceless = [any(one["field"].startswith("land_price") for one in missing) for missing in found["missing"]]
    assert rows[0]["fee_unknown"] == sum(priceless) > 0
    assert found.loc[priceless, "fee_yuan"].isna().all()
    assert rows[0]["fee_yuan"] == pytest.approx(found["fee_yuan"].sum(), abs=0.01)


def test_every_parcel_is_in_one_state_of_each_kind(client: httpx.Client, served_district: Served) -> None:
    assessed = client.get("/findings/statistics").json()["assessed"]
    for kind in ("idle", "inefficient"):
        states = ("found", "watched", "not_assessed", "ok", "not_subject")
        assert sum(assessed[kind][state]["count"] for state in states) == served_district.truth["counts"]["parcels"]
        assert sum(assessed[kind]["not_subject_why"].values()) == assessed[kind]["not_subject"]["count"]
    assert assessed["idle"]["found"]["count"] == served_district.truth["counts"]["idle"]
    assert assessed["inefficient"]["found"]["count"] == served_district.truth["counts"]["inefficient"]


def test_the_card_tells_article_source_row_and_timeline(client: httpx.Client, served_district: Served) -> None:
    row = planted(served_district, level="idle_2y")
    card = client.get(f"/parcels/{quote(row['parcel_id'], safe='')}/findings").json()
    finding = next(one for one in card["findings"] if one["rule"] == "IDLE_A")
    assert finding["article"] == "第二条第一款、第十四条第二项"
    assert finding["ruleset"].startswith("demo ")
    due = next(one for one in finding["evidence"] if one["field"] == "start_due")
    load = card["loads"][due["source"]["load_id"]]
    assert load["file_name"].endswith(".gpkg")
    assert load["data_date"] == served_district.truth["as_of"]
    assert due["source"]["row"] >= 1
    timeline = card["timeline"]
    assert timeline["level"] == "idle_2y"
    passed = [stone["level"] for stone in timeline["milestones"] if stone["passed"]]
    assert passed[-2:] == ["idle_1y", "idle_2y"]
    assert any("收回" in one["measure"] for one in finding["reading"]["disposals"])


def test_a_parcel_without_finding_says_what_comes_next_or_why_it_was_not_looked_at(
    client: httpx.Client, served_district: Served
) -> None:
    found = set(served_district.store.read(Query("findings", geometry=False))["parcel_id"])
    parcels = served_district.store.read(Query("parcels", geometry=False))
    clear = parcels[~parcels["parcel_id"].isin(found)]
    producing = clear[clear["status"] == "producing"].iloc[0]["parcel_id"]
    card = client.get(f"/parcels/{quote(producing, safe='')}/findings").json()
    assert card["judged"]
    assert card["assessed"]["inefficient"]["subject"]
    assert {one["field"] for one in card["indicators"]["values"]} >= {"far", "tax_per_mu", "building_density"}
    assert card["firms"][0]["holder"]
    bare = clear[clear["supply_kind"].isna() & clear["status"].isna()].iloc[0]["parcel_id"]
    card = client.get(f"/parcels/{quote(bare, safe='')}/findings").json()
    assert not card["judged"]
    assert card["assessed"]["idle"]["why"] == "没有供地信息"
    assert card["timeline"]["level"] is None


def test_rule_sets_can_be_looked_at_but_no_file_of_the_server(client: httpx.Client) -> None:
    names = [one["name"] for one in client.get("/rules").json()["rules"]]
    assert {"national", "huzhou", "lixin"} <= set(names)
    assert client.get("/rules/huzhou").json()["inefficient"][0]["status"] == "secondary"
    for name in ("none", "..%2Fdemo", "pyproject.toml", "%2Fetc%2Fpasswd"):
        assert client.get(f"/rules/{name}").status_code == 404


# --- two runs ---------------------------------------------------------------------------------------------------------


PARCELS = [
    {"parcel_id": "320899/1", "start_due": "2024-06-29", "status": "not_started"},  # idle a year, then two
    {"parcel_id": "320899/2", "start_due": "2025-06-29", "status": "not_started"},  # overdue, then idle a year
    {"parcel_id": "320899/3", "start_due": "2024-01-01", "status": "not_started"},  # idle, then started
    {"parcel_id": "320899/4", "start_due": "2028-01-01", "status": "not_started"},  # nothing in either
]


def districts_file(folder: Path, name: str, rows: list[dict[str, Any]]) -> Path:
    features = [
        {"type": "Feature", "properties": {"supply_kind": "grant", "land_use": "1001", "land_price_yuan": 1e6, **row},
         "geometry": json.loads(shapely.to_geojson(shapely.box(120 + i / 100, 32, 120.005 + i / 100, 32.005)))}
        for i, row in enumerate(rows)
    ]  # fmt: skip
    path = folder / name
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


@pytest.fixture
def twice(tmp_path: Path) -> Path:
    """A store with two analyses a year apart; between them a parcel was started and another left the layer."""
    store = open_store(tmp_path / "twice.gpkg")
    for day, rows in (
        ("2025-12-31", [*PARCELS, {"parcel_id": "320899/5", "start_due": "2020-01-01", "status": "not_started"}]),
        ("2026-12-31", [{**row, **({"status": "building"} if row["parcel_id"].endswith("3") else {})}
                        for row in PARCELS]),
    ):  # fmt: skip
        store_loads(store, prepare_loads(read_file(districts_file(tmp_path, f"{day}.geojson", rows)),
                                         lambda source: plain_profile("parcels")))  # fmt: skip
        analyse_store(store, load_rules("national"), np.datetime64(day))
    store.close()
    return tmp_path / "twice.gpkg"


def test_what_changed_between_two_runs(twice: Path, tmp_path: Path) -> None:
    told = json.loads(lianpian(tmp_path, "changes", "--store", str(twice), "--json").stdout)
    changed = {row["parcel_id"]: (row["change"], row["before_level"], row["after_level"]) for row in told["changes"]}
    assert changed == {
        "320899/1": ("changed", "idle_1y", "idle_2y"),
        "320899/2": ("changed", "overdue", "idle_1y"),
        "320899/3": ("cleared", "idle_1y", None),
        "320899/5": ("cleared", "idle_2y", None),
    }
    reasons = pd.DataFrame(told["changes"]).set_index("parcel_id")["reason"]
    assert reasons["320899/5"] == "宗地已不在图层中"
    assert reasons.isna()["320899/3"]


def test_the_same_over_http_and_no_earlier_run_is_said(twice: Path) -> None:
    with TestClient(create_app(open_store(twice))) as client:
        runs = [run["run_id"] for run in client.get("/runs").json()["runs"]]
        told = client.get(f"/runs/{runs[1]}/changes", params={"kind": "idle", "change": "cleared", "limit": 1}).json()
        assert (told["before"]["run_id"], told["matched"], len(told["changes"])) == (runs[0], 2, 1)
        assert told["next_offset"] == 1
        assert told["ruleset_changed"] is False
        first = client.get(f"/runs/{runs[0]}/changes")
        assert (first.status_code, first.headers["content-type"]) == (404, "application/problem+json")
        same = client.get(f"/runs/{runs[1]}/changes", params={"since": runs[1]}).json()
        assert same["matched"] == 0


def test_the_ledger_of_findings_on_the_command_line(twice: Path, tmp_path: Path) -> None:
    listed = lianpian(tmp_path, "findings", "--list", "--store", str(twice), "--where", "level = 'idle_1y'").stdout
    assert "320899/2" in listed
    assert "320899/1" not in listed
    rows = json.loads(lianpian(tmp_path, "findings", "--by", "level", "--store", str(twice), "--json").stdout)["rows"]
    assert {row["key"]: (row["count"], row["fee_yuan"]) for row in rows} == {
        "idle_1y": (1, 200_000.0),
        "idle_2y": (1, None),
    }
    wrong = lianpian(tmp_path, "findings", "--by", "geometry", "--store", str(twice))
    assert (wrong.returncode, "没有统计口径" in wrong.stderr) == (2, True)
