"""The sheet in a browser that has no network: it must draw, and what others wrote must stay text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
from playwright.sync_api import expect
from shapely.geometry import box

from geo.store.base import Query, Run
from geo.store.opening import open_store
from maps.sheet import SheetParameters, plots_sheet

from .conftest import WIDE, Lab

pytestmark = pytest.mark.browser
HOSTILE = "<img src=x onerror=\"alert('owned')\"></script><script>alert('owned')</script>"


def test_it_draws_the_plots_without_a_network(served_district: Any, lab: Lab, tmp_path: Path) -> None:
    out = plots_sheet(served_district.store, tmp_path / "sheet.html", SheetParameters(unit="示例区自然资源局"))
    plots = served_district.store.read(Query("plots"))
    with lab.open(out.as_uri(), WIDE, offline=True) as watched:
        page = watched.page
        expect(page.locator(".plot-name")).to_have_count(len(plots))
        assert page.locator(".leaflet-overlay-pane path").count() > len(plots)
        expect(page.locator(".leaflet-control-scale")).to_contain_text("m")
        expect(page.locator(".north")).to_be_visible()
        expect(page.locator(".sheet-side tbody tr")).to_have_count(len(plots))
        picture = lab.picture(page, "sheet-1440")
        assert lab.compare(picture, picture)["colours"] > 50
        page.locator(".leaflet-overlay-pane path.leaflet-interactive").nth(40).hover(force=True)
        expect(page.locator(".leaflet-tooltip")).to_contain_text("使用权人")
        assert watched.requests == [out.as_uri()]


def test_names_stay_text_when_hovered(lab: Lab, tmp_path: Path) -> None:
    square = box(120.0, 32.0, 120.005, 32.005)
    common = {"run_id": "R1", "area_m2": 400_000.0, "geometry": [square]}
    layers = {
        "plots": {"plot_id": ["L1"], "name": [HOSTILE], "town": [HOSTILE], "parcel_count": [1], "holder_count": [1]},
        "plot_members": {"member_id": ["M1"], "plot_id": ["L1"], "parcel_id": [HOSTILE], "share": [1.0]},
        "findings": {"finding_id": ["F1"], "parcel_id": [HOSTILE], "level": ["idle_2y"], "holder": [HOSTILE]},
    }
    store = open_store(tmp_path / "hostile.gpkg")
    try:
        run = Run("R1", "2026-03-01", HOSTILE, "0" * 64, {"ruleset_title": HOSTILE}, (), "2026-03-01T09:00:00+08:00")
        store.write_run(run, {name: gpd.GeoDataFrame({**rows, **common}, crs=4490) for name, rows in layers.items()})
        out = plots_sheet(store, tmp_path / "sheet.html", SheetParameters(title=HOSTILE, unit=HOSTILE))
    finally:
        store.close()
    with lab.open(out.as_uri(), offline=True) as watched:
        page = watched.page
        expect(page.locator("h1")).to_have_text(HOSTILE)
        expect(page.locator(".sheet-side tbody")).to_contain_text("<img")
        page.locator(".leaflet-overlay-pane path.leaflet-interactive").first.hover(force=True)
        expect(page.locator(".leaflet-tooltip")).to_contain_text(HOSTILE)
        assert page.locator("img").count() == 0
