"""Why a plot is as it is, in the page: why it is not larger, its shape, what fits, which groups nearly are one."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import shapely
from playwright.sync_api import Locator, Page, expect

from .conftest import PHONE, WIDE, Lab, Watched

pytestmark = pytest.mark.browser


def ask(page: Page, url: str, path: str) -> Any:
    """The service's own answer, past the page."""
    answer = page.request.get(url.rstrip("/") + path)
    assert answer.ok, answer.text()
    return answer.json()


def mu_text(area_m2: float) -> str:
    area_mu = area_m2 * 3 / 2000
    return f"{area_mu:,.0f}" if area_mu >= 1000 else f"{area_mu:.1f}".removesuffix(".0")


def explained(page: Page, url: str) -> tuple[str, dict[str, Any]]:
    """The plot with the most reasons why it is not larger, and its card as the service has it."""
    cards = {plot["plot_id"]: ask(page, url, f"/plots/{plot['plot_id']}") for plot in ask(page, url, "/plots")["plots"]}
    return max(cards.items(), key=lambda item: len(item[1]["evidence"]["why_not_larger"]["entries"]))


def opened(watched: Watched, url: str, plot_id: str) -> Locator:
    watched.page.goto(f"{url}/#card=plot:{plot_id}")
    card = watched.page.locator(f'[data-card="plot:{plot_id}"]')
    expect(card).to_be_visible()
    return card


def test_the_card_says_why_a_plot_is_not_larger(served_district: Any, lab: Lab) -> None:
    url = served_district.url
    with lab.open("about:blank", WIDE) as watched:
        plot_id, told = explained(watched.page, url)
        why = told["evidence"]["why_not_larger"]
        entries = why["entries"]
        assert entries
        card = opened(watched, url, plot_id)
        listed = card.locator(".why-not")
        for entry in entries[:6]:
            row = listed.locator("li").filter(has_text=entry["parcel_id"]).filter(has_text=entry["zh"]).first
            expect(row).to_contain_text(f"+{mu_text(entry['area_m2'])} 亩")
            expect(row).to_have_attribute("data-reason", entry["reason"])
        if len(entries) > 6:
            listed.get_by_text(f"显示全部 {len(entries)} 处").click()
        expect(listed.locator("li")).to_have_count(len(entries))
        if why["rest"]:
            expect(listed).to_contain_text(f"另有 {why['rest']} 处")

        # A click on a parcel shows it on the map and leaves the card open.
        first = listed.locator("li").first.get_by_title("在地图上显示")
        first.click()
        expect(first).to_have_attribute("aria-pressed", "true")
        watched.wait_until_drawn()
        watched.page.wait_for_function(
            "() => window.lianpian.map.queryRenderedFeatures({layers: ['pointed-line']}).length"
        )
        place = watched.page.evaluate("window.lianpian.map.getCenter().toArray()")
        feature = ask(watched.page, url, f"/collections/parcels/items/{entries[0]['parcel_id']}")
        ground = shapely.from_geojson(json.dumps(feature["geometry"]))
        assert ground.distance(shapely.Point(place)) < 0.01
        expect(card).to_be_visible()
        lab.picture(watched.page, "why-not-1440")
        watched.page.set_viewport_size({"width": 1440, "height": 3200})
        lab.picture(watched.page, "why-not-card", ".card")


def test_shape_and_composition_stand_on_the_card(served_district: Any, lab: Lab) -> None:
    url = served_district.url
    with lab.open("about:blank", WIDE) as watched:
        plot_id, told = explained(watched.page, url)
        card = opened(watched, url, plot_id)
        plot, evidence = told["plot"], told["evidence"]
        expect(card).to_contain_text(f"紧凑度{plot['compactness']:.2f}".rstrip("0"))
        for key, title in (("owners", "权利人"), ("land_use", "现状用途"), ("planned_use", "规划用途")):
            if not evidence.get(key):
                continue
            fold = card.locator("details.mix").filter(has_text=title)
            fold.locator("summary").click()
            expect(fold.locator("tr")).to_have_count(min(len(evidence[key]), 30))
            expect(fold.locator("tr").first).to_contain_text(f"{mu_text(evidence[key][0]['area_m2'])} 亩")
        watched.wait_until_drawn()
        kinds = {each.get("kind") for each in watched.drawn("inscribed-line")}
        assert "circle" in kinds
        if evidence.get("inscribed_rectangle"):
            assert "rectangle" in kinds
            expect(card).to_contain_text(f"{round(evidence['inscribed_rectangle']['length_m']):,} × ")
        for bridge in evidence["bridges"][:3]:
            expect(card).to_contain_text(bridge["a"])


def test_a_building_is_placed_or_refused_with_the_reason(served_district: Any, lab: Lab) -> None:
    url = served_district.url
    with lab.open("about:blank", WIDE) as watched:
        page = watched.page
        plot_id, _ = explained(page, url)
        card = opened(watched, url, plot_id)
        form = card.locator(".fit")
        button = form.get_by_role("button", name="判断")
        expect(button).to_be_disabled()

        def fits(length: int, width: int) -> dict[str, Any]:
            form.get_by_label("长（米）").fill(str(length))
            form.get_by_label("宽（米）").fill(str(width))
            button.click()
            told: dict[str, Any] = ask(page, url, f"/plots/{plot_id}/fit?length_m={length}&width_m={width}")
            expect(form.locator(".fit-answer")).to_contain_text(told["zh"])
            watched.wait_until_drawn()
            return told

        small = fits(100, 60)
        assert small["fits"] is True
        expect(form.locator(".fit-answer")).to_have_class(re.compile("yes"))
        watched.page.wait_for_function(
            "() => window.lianpian.map.queryRenderedFeatures({layers: ['placement-fill']}).length"
        )
        # The whole plot is shown around the building.
        west, south, east, north = shapely.from_geojson(
            json.dumps(ask(page, url, f"/collections/plots/items/{plot_id}")["geometry"])
        ).bounds
        seen = page.evaluate("window.lianpian.map.getBounds().toArray().flat()")
        assert seen[0] < west
        assert seen[1] < south
        assert seen[2] > east
        assert seen[3] > north
        lab.picture(page, "fit-1440")
        assert fits(20_000, 9000)["fits"] is False
        expect(form.locator(".fit-answer")).to_have_class(re.compile("no"))
        watched.wait_until_gone("placement-fill")


def test_the_panel_marks_the_gap_of_the_run_and_tells_what_nearly_is_a_plot(served_district: Any, lab: Lab) -> None:
    url = served_district.url
    with lab.open(url, WIDE) as watched:
        page = watched.page
        summary = ask(page, url, "/runs/latest")["summary"]
        ladder = page.locator(".ladder")
        expect(ladder.locator("tbody tr")).to_have_count(len(summary["ladder"]))
        current = ladder.locator('tr[aria-current="true"]')
        expect(current).to_have_count(1)
        expect(current).to_contain_text("20 米")
        rung = next(step for step in summary["ladder"] if step["gap_m"] == 20)
        expect(current).to_contain_text(f"{rung['plots']} 块")
        if "groups" in rung:
            expect(ladder).to_contain_text("仅按距离")
            expect(current).to_contain_text(f"{rung['groups']} 组")
        misses = summary["near_misses"]
        assert misses
        assert [one["area_m2"] for one in misses] == sorted((one["area_m2"] for one in misses), reverse=True)
        panel = page.locator(".near-misses")
        panel.locator("summary").click()
        expect(panel.locator("li")).to_have_count(len(misses))
        first = panel.locator("li").first
        expect(first).to_contain_text(f"差 {mu_text(misses[0]['short_m2'])} 亩")
        first.scroll_into_view_if_needed()
        lab.picture(page, "near-misses-1440")
        first.get_by_role("button").click()
        watched.wait_until_drawn()
        lon, lat = page.evaluate("window.lianpian.map.getCenter().toArray()")
        west, south, east, north = misses[0]["bounds"]
        assert west - 0.02 < lon < east + 0.02
        assert south - 0.02 < lat < north + 0.02


def test_the_card_is_usable_on_a_phone(served_district: Any, lab: Lab) -> None:
    url = served_district.url
    with lab.open("about:blank", PHONE) as watched:
        plot_id, _ = explained(watched.page, url)
        card = opened(watched, url, plot_id)
        card.locator(".fit").scroll_into_view_if_needed()
        wide = watched.page.evaluate(
            "document.querySelector('.card').scrollWidth - document.querySelector('.card').clientWidth"
        )
        assert wide <= 0
        lab.picture(watched.page, "why-not-390")
