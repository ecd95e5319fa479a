"""The page as a person meets it: the map, the cards, the lists, in a real browser against a real service."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import shapely
from playwright.sync_api import expect
from shapely.geometry import shape

from .conftest import PHONE, WIDE, Lab, Watched

pytestmark = pytest.mark.browser
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def ask(watched: Watched, url: str, path: str) -> Any:
    """The service's own answer, past the page."""
    answer = watched.page.request.get(url.rstrip("/") + path)
    assert answer.ok, answer.text()
    return answer.json()


def largest_plot(watched: Watched, url: str) -> dict[str, Any]:
    plots = ask(watched, url, "/collections/plots/items?limit=1000")["features"]
    return max(plots, key=lambda plot: plot["properties"]["area_m2"])


def mu_text(area_m2: float) -> str:
    area_mu = area_m2 * 3 / 2000
    return f"{area_mu:,.0f}" if area_mu >= 1000 else f"{area_mu:.1f}".removesuffix(".0")


def test_land_and_chinese_names_are_drawn(served_district: Any, lab: Lab) -> None:
    with lab.open(served_district.url, WIDE) as watched:
        watched.wait_until_drawn()
        summary = ask(watched, served_district.url, "/runs/latest")["summary"]
        plots = watched.drawn("plots-fill")
        assert {plot["type"] for plot in plots} <= {"Polygon", "MultiPolygon"}
        assert len({plot["plot_id"] for plot in plots}) == summary["plots"] > 0
        findings = watched.drawn("idle-fill", "inefficient-fill")
        assert {finding["type"] for finding in findings} <= {"Polygon", "MultiPolygon"}
        assert len({finding["parcel_id"] for finding in findings}) > 0.9 * summary["idle"] > 0
        labels = watched.drawn("plots-label", "towns-label")
        assert any(label["layer"] == "plots-label" for label in labels)
        assert all(CHINESE.search(label["name"]) for label in labels)

        whole = lab.picture(watched.page, "map-1440")
        with_names = lab.picture(watched.page, "map-names", "#map canvas")
        watched.page.evaluate("window.lianpian.map.setLayoutProperty('plots-label', 'visibility', 'none')")
        watched.wait_until_drawn()
        without = lab.picture(watched.page, "map-no-names", "#map canvas")
        seen = lab.compare(with_names, without)
        assert seen["colours"] > 50, "the map is an empty sheet"
        assert seen["changed"] > 300, "the names of the plots are not drawn"
        assert len(whole) > 20_000
        assert any(re.search(r"/tiles/plots/\d+/\d+/\d+\.mvt", url) for url in watched.requests)


def test_the_bar_tells_the_districts_figures(served_district: Any, lab: Lab) -> None:
    with lab.open(served_district.url) as watched:
        found = ask(watched, served_district.url, "/runs/latest")["summary"]
        figures = watched.page.locator(".figures")
        for count in ("parcels", "idle", "inefficient", "plots"):
            expect(figures).to_contain_text(f"{found[count]:,}")
        expect(figures).to_contain_text(f"{found['plots_mu']:,.0f}" if found["plots_mu"] >= 1000 else "亩")
        expect(watched.page.locator(".stamp")).to_have_text("内部使用")


def test_a_click_on_a_plot_opens_its_card(served_district: Any, lab: Lab) -> None:
    with lab.open(served_district.url, WIDE) as watched:
        watched.wait_until_drawn()
        plot = largest_plot(watched, served_district.url)
        point = shapely.Polygon(max(polygons(plot), key=lambda each: each.area)).representative_point()
        watched.look(point.x, point.y, 12.4)
        watched.click_at(point.x, point.y)
        card = watched.page.locator(f'[data-card="plot:{plot["properties"]["plot_id"]}"]')
        expect(card).to_be_visible()
        expect(card.locator("h2")).to_have_text(plot["properties"]["name"])
        expect(card.locator(".area b")).to_have_text(mu_text(plot["properties"]["area_m2"]))
        told = ask(watched, served_district.url, f"/plots/{plot['properties']['plot_id']}")
        expect(card).to_contain_text(told["members"][0]["parcel_id"])
        for bridge in told["evidence"]["bridges"][:3]:
            expect(card).to_contain_text(bridge["a"])
        circle = told["evidence"]["inscribed_circle"]
        watched.look(circle["lon"], circle["lat"], 14)
        assert {drawn["type"] for drawn in watched.drawn("inscribed-line")} == {"Polygon"}
        lab.picture(watched.page, "plot-1440")


def polygons(feature: dict[str, Any]) -> list[shapely.Polygon]:
    return list(shapely.get_parts(shape(feature["geometry"])))


def test_a_click_on_a_parcel_opens_its_card_with_the_evidence(served_district: Any, lab: Lab) -> None:
    with lab.open(served_district.url, WIDE) as watched:
        watched.wait_until_drawn()
        idle = ask(watched, served_district.url, "/findings?level=idle_2y&limit=1")["findings"][0]
        parcel = ask(watched, served_district.url, f"/collections/parcels/items/{idle['parcel_id']}")
        point = max(polygons(parcel), key=lambda each: each.area).representative_point()
        watched.look(point.x, point.y, 16)
        watched.click_at(point.x, point.y)
        card = watched.page.locator(f'[data-card="parcel:{idle["parcel_id"]}"]')
        expect(card).to_be_visible()
        expect(card).to_contain_text("闲置满两年")
        expect(card).to_contain_text("疑似，待确认")
        expect(card).to_contain_text(parcel["properties"]["holder"])
        watched.wait_until_drawn()
        lab.picture(watched.page, "parcel-1440")
        told = ask(watched, served_district.url, f"/parcels/{idle['parcel_id']}/findings")
        for evidence in told["findings"][0]["evidence"]:
            expect(card).to_contain_text(evidence["zh"])
        for plot in told["plots"]:
            card.get_by_role("button", name=re.compile("连片地块")).first.click()
            expect(watched.page.locator(f'[data-card="plot:{plot}"]')).to_be_visible()


def test_a_link_shows_the_receiver_what_the_sender_saw(served_district: Any, lab: Lab) -> None:
    with lab.open(served_district.url) as watched:
        watched.wait_until_drawn()
        plot = largest_plot(watched, served_district.url)
        watched.page.locator(".rows .row").first.click()
        selector = f'[data-card="plot:{plot["properties"]["plot_id"]}"]'
        expect(watched.page.locator(selector)).to_be_visible()
        watched.wait_until_drawn()
        link, view = watched.page.url, watched.page.evaluate("window.lianpian.map.getCenter().toArray()")
    assert "run=" in link
    with lab.open(link) as watched:
        expect(watched.page.locator(selector)).to_be_visible()
        watched.wait_until_drawn()
        assert watched.page.evaluate("window.lianpian.map.getCenter().toArray()") == pytest.approx(view, abs=1e-4)
        assert {drawn["plot_id"] for drawn in watched.drawn("selected-plot")} == {plot["properties"]["plot_id"]}


def test_layers_can_be_switched(served_district: Any, lab: Lab) -> None:
    with lab.open(served_district.url, WIDE) as watched:
        watched.wait_until_drawn()
        assert watched.drawn("plots-line")
        watched.page.get_by_role("tab", name="图层").click()
        lab.picture(watched.page, "layers-1440")
        watched.page.locator('[data-group="plots"]').uncheck()
        watched.wait_until_gone("plots-line", "plots-fill", "plots-label")
        assert watched.drawn("idle-fill")


def test_it_can_be_worked_by_keyboard(served_district: Any, lab: Lab) -> None:
    with lab.open(served_district.url) as watched:
        page = watched.page
        first = page.locator(".rows .row").first
        expect(first).to_be_visible()
        page.get_by_role("tab", name="连片地块").focus()
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name="找地")).to_be_focused()
        expect(page.get_by_role("button", name="找地")).to_be_visible()
        page.keyboard.press("ArrowLeft")
        first.focus()
        page.keyboard.press("Enter")
        expect(page.locator('[data-card^="plot:"] h2')).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator(".card")).to_have_count(0)


def test_it_fits_a_phone(served_district: Any, lab: Lab) -> None:
    with lab.open(served_district.url, PHONE) as watched:
        page = watched.page
        watched.wait_until_drawn()
        lab.picture(page, "map-390")
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
        page.get_by_role("tab", name="连片地块").click()
        page.locator(".rows .row").first.click()
        card = page.locator('[data-card^="plot:"]')
        expect(card).to_be_visible()
        watched.wait_until_drawn()
        lab.picture(page, "plot-390")
        box = card.bounding_box()
        assert box is not None
        assert box["width"] == PHONE[0]
        assert box["y"] > 300, "the card hides the map"
        page.get_by_role("button", name="关闭").click()
        for tab in ("找地", "闲置低效", "图层"):
            page.get_by_role("tab", name=tab).click()
            assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0], tab


def test_names_from_files_stay_text(served_district: Any, lab: Lab) -> None:
    """What another wrote into an attribute is put into the service's answers on their way; it must not run."""
    hostile = "<img src=x onerror=\"alert('owned')\"><script>alert('owned')</script>"
    with lab.open("about:blank") as watched:
        page = watched.page

        def spoil(route: Any) -> None:
            text = route.fetch().text()
            text = re.sub(r'"(holder|name|town)":\s*"[^"]*"', lambda m: f'"{m[1]}": {json.dumps(hostile)}', text)
            route.fulfill(body=text, content_type="application/json")

        page.route(re.compile(r"^http://[^/]+/(collections|parcels|plots|findings)/"), spoil)
        page.goto(served_district.url)
        watched.wait_until_drawn()
        page.locator(".rows .row").first.click()
        card = page.locator('[data-card^="plot:"]')
        expect(card.locator("h2")).to_have_text(hostile)
        card.locator(".members .link").first.click()
        expect(page.locator('[data-card^="parcel:"]')).to_contain_text(hostile)
        assert page.locator("#app img").count() == 0


def test_before_the_first_analysis_it_says_what_to_do(served_district: Any, lab: Lab) -> None:
    with lab.open("about:blank") as watched:
        problem = {"type": "not-found", "status": 404, "detail": "还没有分析结果"}
        watched.page.route(
            "**/runs/latest",
            lambda route: route.fulfill(status=404, content_type="application/problem+json", body=json.dumps(problem)),
        )
        watched.page.goto(served_district.url)
        expect(watched.page.locator(".empty")).to_contain_text("lianpian import")
        watched.complaints[:] = [each for each in watched.complaints if "404" not in each]


def test_the_description_of_the_interface_needs_no_other_host(served_district: Any, lab: Lab) -> None:
    with lab.open(served_district.url.rstrip("/") + "/docs") as watched:
        expect(watched.page.locator(".opblock").first).to_be_visible()
        expect(watched.page.locator("#swagger-ui")).to_contain_text("/sites/search")
        lab.picture(watched.page, "docs-1440")


def test_the_pictures_are_not_committed() -> None:
    ignored = (Path(__file__).resolve().parents[2] / ".gitignore").read_text().splitlines()
    assert "/tests/screenshots/" in ignored
