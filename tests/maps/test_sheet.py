"""The sheet of plots: one file, closed to the outside, that says what the store says."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely.geometry import LineString, box

from geo.errors import InvalidParameter, NotFound
from geo.store.base import Load, Query, Run, Scope, Store
from geo.store.opening import open_store
from maps.sheet import MANY_VERTICES, SheetParameters, plots_sheet

HOSTILE = "<img src=x onerror=\"document.title='owned'\">'</script><script>document.title='owned'</script>"
M2_500_MU = 500 * 2000 / 3


def write(store: Store, layer: str, rows: list[dict], data_date: str = "2026-02-20") -> None:
    """Import ``rows`` as one load, nothing quarantined."""
    record = Load(
        load_id=f"load-{layer}",
        layer=layer,
        file_name=f"{layer}.gpkg",
        sha256="0" * 64,
        profile="",
        source_crs="EPSG:4490",
        loaded_at="2026-03-01T08:00:00+08:00",
        data_date=data_date,
        read=len(rows),
        stored=len(rows),
        repaired=0,
        quarantined=0,
    )
    store.write_load(record, frame(rows), gpd.GeoDataFrame({"extra": []}, geometry=[], crs=4490))


def frame(rows: list[dict]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(rows, geometry="geometry", crs=4490)


def fill(store: Store, *, name: str = "临江一号地块", detail: int = 0) -> None:
    """Two towns, a river and one plot of three parcels: two of them idle, one of those inefficient as well."""
    west, south = 120.0, 32.0
    squares = [box(west + k * 0.005, south, west + (k + 1) * 0.005, south + 0.006) for k in range(3)]
    if detail:  # wavy northern borders with many vertices
        squares = [shapely.segmentize(square, 0.02 / detail) for square in squares]
    towns = [
        {"town_id": "T1", "name": "临江镇", "geometry": box(119.99, 31.99, 120.01, 32.02)},
        {"town_id": "T2", "name": name, "geometry": box(120.01, 31.99, 120.03, 32.02)},
    ]
    write(store, "towns", towns)
    river = LineString([(119.99, 32.008), (120.03, 32.009)])
    write(store, "barriers", [{"barrier_id": "B1", "kind": "river", "name": "澄江", "geometry": river}])
    parcels = [{"parcel_id": f"P{k}", "land_use": "1001", "geometry": square} for k, square in enumerate(squares)]
    write(store, "parcels", parcels, "2026-02-21")
    run = Run(
        run_id="run-7",
        as_of="2026-03-01",
        ruleset="national",
        ruleset_sha256="0" * 64,
        parameters={"plots": {"gap_m": 20.0, "min_area_m2": M2_500_MU}},
        loads=("load-parcels",),
        started_at="2026-03-01T09:00:00+08:00",
    )
    part = M2_500_MU * 1.2 / 3
    plots = [{
        "plot_id": "L1", "run_id": "run-7", "name": name, "town": "临江镇", "area_m2": 3 * part, "parcel_count": 3,
        "holder_count": 2, "geometry": shapely.union_all(squares),
    }]  # fmt: skip
    members = [
        {"member_id": f"L1-P{k}", "run_id": "run-7", "plot_id": "L1", "parcel_id": f"P{k}", "area_m2": part,
         "share": 1.0, "geometry": square}
        for k, square in enumerate(squares)
    ]  # fmt: skip
    levels = [("P0", "idle_2y"), ("P1", "inefficient"), ("P1", "idle_stalled")]
    findings = [
        {"finding_id": f"F{k}", "run_id": "run-7", "parcel_id": parcel, "level": level, "kind": "idle", "holder": name,
         "area_m2": part, "geometry": squares[int(parcel[1])]}
        for k, (parcel, level) in enumerate(levels)
    ]  # fmt: skip
    store.write_run(run, {"plots": frame(plots), "plot_members": frame(members), "findings": frame(findings)})


def rows_of(text: str) -> str:
    """The list of plots on a sheet."""
    found = re.search(r"<tbody>(.*?)</tbody>", text, re.DOTALL)
    assert found is not None
    return html.unescape(found[1])


def rendered(store: Store, folder: Path, **parameters: object) -> str:
    out = folder / "sheet.html"
    assert plots_sheet(store, out, SheetParameters(**parameters)) == out  # type: ignore[arg-type]
    assert [path.name for path in folder.glob("*sheet*")] == ["sheet.html"]
    return out.read_text(encoding="utf-8")


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path / "local.gpkg")
    yield store
    store.close()


def test_it_says_what_the_store_says(store: Store, tmp_path: Path) -> None:
    fill(store)
    text = rendered(store, tmp_path, title="全区连片工业用地", unit="示例区自然资源局")
    body = html.unescape(text)
    figures = ("600.0", "40.00", "不小于 500 亩", "允许间距 20 米", "2026-02-21", "2026-03-01", "run-7", "national")
    words = ("全区连片工业用地", "示例区自然资源局", "内部使用", "临江一号地块", "CGCS2000", "正北")
    for said in (*figures, *words):
        assert said in body, said
    shown = re.findall(r"</svg> ([^<]+)</li>", text)
    assert shown == ["连片地块", "闲置满两年", "中止开发", "其他成员宗地", "河流"]


def test_it_asks_nothing_of_the_network(local: Store, tmp_path: Path) -> None:
    fill(local)
    text = rendered(local, tmp_path)
    markup = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"\b(src|href)\s*=|url\(|@import", markup)
    assert "sourceMappingURL" not in text
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    assert "unsafe" not in policy[1]
    assert "default-src 'none'" in policy[1]
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        allowed = re.search(rf"{directive} ([^;]+)", policy[1])
        bodies = re.findall(rf"<{tag}(?:\s[^>]*)?>(.*?)</{tag}>", text, re.DOTALL)
        hashes = {"'sha256-" + base64.b64encode(hashlib.sha256(b.encode()).digest()).decode() + "'" for b in bodies}
        assert allowed is not None
        assert set(allowed[1].split()) == hashes


def test_names_cannot_become_markup(local: Store, tmp_path: Path) -> None:
    fill(local, name=HOSTILE)
    text = rendered(local, tmp_path, title=HOSTILE, unit=HOSTILE)
    assert "<img" not in text
    assert text.count("document.title=") > 0  # it is there, as text
    assert not re.search(r"<script[^>]*>document\.title", text)


def test_a_parcel_takes_the_colour_of_its_gravest_finding(local: Store, tmp_path: Path) -> None:
    fill(local)
    text = rendered(local, tmp_path)
    by_layer = dict(
        re.findall(r'"fillColor": "(#\w{6})"(?:(?!"fillColor").)*?"\\u8ba4\\u5b9a": "([^"]+)"', text, re.DOTALL)
    )
    said = {colour: name.encode().decode("unicode_escape") for colour, name in by_layer.items()}
    assert said == {"#c2341d": "闲置满两年", "#6f2561": "中止开发", "#e3dccd": "其他成员宗地"}


def test_a_large_district_is_simplified_and_says_so(local: Store, tmp_path: Path) -> None:
    fill(local, detail=MANY_VERTICES // 4)
    text = rendered(local, tmp_path)
    assert "图形已作概化" in text
    assert len(text) < 1_000_000


def test_a_small_one_is_drawn_as_it_is(local: Store, tmp_path: Path) -> None:
    fill(local)
    assert "图形已作概化" not in rendered(local, tmp_path)


def test_simplified_neighbours_still_share_their_border() -> None:
    from maps.sheet import _simpler

    ring = np.linspace(0, 0.01, 400)
    wave = 32.003 + 4e-5 * np.sin(ring * 3000)
    border = np.column_stack([120 + ring, wave])
    lower = shapely.Polygon([*border, (120.01, 32.0), (120.0, 32.0)])
    upper = shapely.Polygon([*border, (120.01, 32.006), (120.0, 32.006)])
    simple = _simpler(gpd.GeoSeries([lower, upper], crs=4490), 1e-4)
    assert shapely.get_num_coordinates(simple).sum() < 200
    assert shapely.coverage_is_valid(simple)
    assert shapely.intersection(*simple).area == pytest.approx(0, abs=1e-15)


def test_a_reader_sees_no_more_than_the_scope_allows(local: Store, tmp_path: Path) -> None:
    fill(local)
    out = tmp_path / "none.html"
    assert "L1" in {*local.read(Query("plots"))["plot_id"]}
    plots_sheet(local, out, scope=Scope(towns=frozenset({"河口街道"})))
    assert "临江一号地块" not in rows_of(out.read_text(encoding="utf-8"))
    plots_sheet(local, out, scope=Scope(towns=frozenset({"临江镇"})))
    assert "临江一号地块" in rows_of(out.read_text(encoding="utf-8"))
    with pytest.raises(NotFound):
        plots_sheet(local, tmp_path / "none.html", scope=Scope(layers=frozenset({"parcels"})))


def test_without_a_run_there_is_no_sheet(local: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        plots_sheet(local, tmp_path / "sheet.html")
    assert "lianpian analyse" in caught.value.remedy
    assert not (tmp_path / "sheet.html").exists()


def test_a_missing_folder_is_a_clear_error(local: Store, tmp_path: Path) -> None:
    fill(local)
    with pytest.raises(InvalidParameter):
        plots_sheet(local, tmp_path / "nowhere" / "sheet.html")


def test_a_failed_sheet_leaves_the_old_one(local: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(local)
    before = rendered(local, tmp_path)
    monkeypatch.setattr(pd.DataFrame, "sort_values", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        plots_sheet(local, tmp_path / "sheet.html")
    assert (tmp_path / "sheet.html").read_text(encoding="utf-8") == before
