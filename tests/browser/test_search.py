"""The investor's question on the page: sites in order with reasons, the others with what they lack."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from .conftest import PHONE, WIDE, Lab

pytestmark = pytest.mark.browser


def test_a_stored_demand_is_answered(served_district: Any, lab: Lab) -> None:
    url = served_district.url.rstrip("/")
    with lab.open(url) as watched:
        page = watched.page
        watched.wait_until_drawn()
        page.get_by_role("tab", name="找地").click()
        demands = page.request.get(f"{url}/collections/demands/items?limit=200").json()["features"]
        answered = 0
        for demand in (feature["properties"] for feature in demands):
            asked = {key: value for key, value in demand["need"].items() if key != "name"}
            answer = page.request.post(f"{url}/sites/search", data={**asked, "limit": 20}).json()
            with page.expect_response("**/sites/search") as given:
                page.get_by_label("选用已登记的项目需求").select_option(demand["demand_id"])
            shown_need = given.value.request.post_data_json
            assert shown_need == {**asked, "limit": 20}
            result = page.locator("[data-matched]")
            expect(result).to_have_attribute("data-matched", str(answer["matched"]))
            assert page.locator(".site").evaluate_all("all => all.map(one => one.dataset.site)") == [
                site["site_id"] for site in answer["sites"]
            ]
            for site in answer["sites"][:2]:
                shown = page.locator(f'[data-site="{site["site_id"]}"]')
                for condition in site["conditions"]:
                    expect(shown).to_contain_text(condition["text"])
            for excluded in answer["excluded"][:2]:
                for reason in excluded["reasons"]:
                    expect(page.locator(".excluded")).to_contain_text(reason)
            answered += bool(answer["sites"]) and bool(answer["excluded"])
        assert answered > 0, "no demand of the district shows both sides"


def test_an_answer_is_marked_on_the_map_and_opens_the_card(served_district: Any, lab: Lab) -> None:
    with lab.open(served_district.url, WIDE) as watched:
        page = watched.page
        watched.wait_until_drawn()
        page.get_by_role("tab", name="找地").click()
        page.get_by_label("土地用途").select_option("")
        page.get_by_role("button", name="找地").click()
        expect(page.locator(".site").first).to_be_visible()
        watched.wait_until_drawn()
        lab.picture(page, "sites-1440")
        assert 1 in {mark["rank"] for mark in watched.drawn("matches-disc")}
        first = page.locator(".site").first
        site = first.get_attribute("data-site")
        first.get_by_role("button").first.click()
        expect(page.locator(f'[data-card$=":{site}"]')).to_be_visible()


def test_a_need_that_makes_no_sense_is_explained(served_district: Any, lab: Lab) -> None:
    with lab.open(served_district.url) as watched:
        page = watched.page
        page.get_by_role("tab", name="找地").click()
        page.get_by_label("面积不小于").fill("900")
        page.get_by_label("面积不大于").fill("100")
        page.get_by_role("button", name="找地").click()
        expect(page.get_by_role("alert")).to_contain_text(re.compile(r"[\u4e00-\u9fff]{4,}"))
        watched.complaints[:] = [each for each in watched.complaints if "status of 4" not in each]


def test_a_service_that_is_gone_is_named(served_district: Any, lab: Lab) -> None:
    with lab.open(served_district.url) as watched:
        page = watched.page
        page.get_by_role("tab", name="找地").click()
        page.route("**/sites/search", lambda route: route.abort())
        page.get_by_role("button", name="找地").click()
        expect(page.get_by_role("alert")).to_contain_text("无法连接服务")
        watched.complaints[:] = [each for each in watched.complaints if "ERR_FAILED" not in each]


def test_it_can_be_asked_from_a_phone(served_district: Any, lab: Lab) -> None:
    with lab.open(served_district.url, PHONE) as watched:
        page = watched.page
        watched.wait_until_drawn()
        page.get_by_role("tab", name="找地").click()
        page.get_by_label("土地用途").select_option("")
        page.get_by_role("button", name="找地").click()
        expect(page.locator(".site").first).to_be_visible()
        watched.wait_until_drawn()
        lab.picture(page, "sites-390")
        expect(page.locator(".result-head")).to_be_in_viewport()
