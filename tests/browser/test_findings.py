"""Why a parcel is called idle or inefficient: the card with its timeline and evidence, and the panel with its sums."""

from __future__ import annotations

import json
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from playwright.sync_api import Locator, Page, expect

from api.app import create_app
from geo.land.rules import load_rules
from geo.pipeline import analyse_store
from geo.store.base import Store
from geo.store.opening import open_store

from .conftest import PHONE, WIDE, Lab

pytestmark = pytest.mark.browser
# What a land office reads as a clearance; the page never gives one.
CLEARANCE = re.compile("合格|通过|达标用地|未见问题")
FOUND = {"idle": ("idle_1y", "idle_2y", "idle_stalled"), "inefficient": ("inefficient",)}


def ask(page: Page, url: str, path: str) -> Any:
    """The service's own answer, past the page."""
    answer = page.request.get(url.rstrip("/") + path)
    assert answer.ok, answer.text()
    return answer.json()


def parcel_of(truth: dict[str, Any], case: str) -> str:
    return next(str(each["parcel_ids"][0]) for each in truth["cases"] if each["case"] == case)


def card_of(page: Page, parcel_id: str) -> Locator:
    card = page.locator(f'[data-card="parcel:{parcel_id}"]')
    expect(card).to_be_visible()
    return card


def overlaps(chart: Locator) -> list[str]:
    """Labels of the chart that touch each other or leave it."""
    found: list[str] = chart.evaluate(
        """svg => {
            const frame = svg.getBoundingClientRect();
            const texts = [...svg.querySelectorAll('.label text')].map(each => [each.textContent, each.getBoundingClientRect()]);
            const out = texts.filter(([, box]) => box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1);
            const over = texts.filter(([, a], i) => texts.some(([, b], j) => j < i && a.top < b.bottom - 3 && b.top < a.bottom - 3));
            return [...out, ...over].map(([text]) => text);
        }"""  # noqa: E501
    )
    return found


def test_an_excuse_is_a_band_with_its_days_and_values_name_their_file(served_district: Any, lab: Lab) -> None:
    """规划依法修改停算 100 天（闲置土地处置办法第八条）: seen in the chart, in words, and with its paper."""
    parcel_id = parcel_of(served_district.truth, "government_caused")
    with lab.open(f"{served_district.url}/#card=parcel:{parcel_id}", WIDE) as watched:
        page = watched.page
        card = card_of(page, parcel_id)
        told = ask(page, served_district.url, f"/parcels/{parcel_id}/findings")
        (excuse,), (finding,) = told["timeline"]["excuses"], told["findings"]
        assert excuse["days_counted_1y"] == 100

        band = card.locator(".chart .band")
        expect(band).to_have_count(1)
        expect(band).to_have_attribute("data-days", "计 100 天")
        box = band.bounding_box()
        assert box is not None
        assert box["height"] > 5
        expect(card.locator(".chart .label.excuse")).to_contain_text(f"{excuse['zh']}，计 100 天")
        expect(card.locator(".chart .label.as_of")).to_contain_text(told["timeline"]["as_of"])
        assert overlaps(card.locator(".chart")) == []
        excuses = card.locator(".finding .excuses")
        for text in (excuse["from"], excuse["to"], "计 100 天", excuse["evidence"]):
            expect(excuses).to_contain_text(text)
        # The same without eyes: every event of the chart is in the list.
        card.get_by_text("时间轴文字版").click()
        for event in told["timeline"]["events"]:
            expect(card.locator(".in-words")).to_contain_text(f"{event['date']} {event['zh']}")

        source = finding["evidence"][0]["source"]
        file_name = told["loads"][source["load_id"]]["file_name"]
        expect(card.locator(".evidence .origin").first).to_contain_text(f"{file_name} 第 {source['row']} 条")
        for text in (finding["article"], finding["ruleset"], finding["next_date"], f"{finding['fee_yuan']:,.0f} 元"):
            expect(card.locator(".finding")).to_contain_text(text)
        for part in finding["unverified"].split("；"):
            expect(card.locator(".finding .unverified").first).to_contain_text(part)
        watched.wait_until_drawn()
        lab.picture(page, "excuse-1440")
        page.set_viewport_size({"width": 1440, "height": 2300})
        lab.picture(page, "excuse-card", ".card")


def test_a_parcel_without_a_finding_is_told_what_comes_next(served_district: Any, lab: Lab) -> None:
    parcel_id = parcel_of(served_district.truth, "not_due_yet")
    with lab.open(f"{served_district.url}/#card=parcel:{parcel_id}", WIDE) as watched:
        card = card_of(watched.page, parcel_id)
        told = ask(watched.page, served_district.url, f"/parcels/{parcel_id}/findings")
        timeline = told["timeline"]
        assert (told["findings"], timeline["level"]) == ([], "ok")
        expect(card.locator('[data-assessed="idle"]')).to_contain_text("所评条款中未发现")
        expect(card.locator(".standing .next")).to_have_text(timeline["next_date"])
        # Not looked at is told with why, not passed over.
        looked = told["assessed"]["inefficient"]
        expect(card.locator('[data-assessed="inefficient"]')).to_contain_text(looked["why"] or "所评条款中未发现")
        assert not CLEARANCE.search(card.inner_text())
        lab.picture(watched.page, "next-card", ".card")


def test_an_inefficient_parcel_shows_what_is_short(served_district: Any, lab: Lab) -> None:
    with lab.open("about:blank", WIDE) as watched:
        page = watched.page
        found = ask(page, served_district.url, "/findings?level=inefficient&rule=LOW_TAX&limit=1")["findings"][0]
        page.goto(f"{served_district.url}/#card=parcel:{found['parcel_id']}")
        card = card_of(page, found["parcel_id"])
        told = ask(page, served_district.url, f"/parcels/{found['parcel_id']}/findings")
        shown = card.locator(".finding").filter(has_text=found["rule_title"])
        expect(shown.locator(".shortfall")).to_have_text(f"达标差距 {found['shortfall']}")
        for used in found["evidence"]:
            source = used["source"]
            expect(shown.locator(".evidence")).to_contain_text(
                f"{told['loads'][source['load_id']]['file_name']} 第 {source['row']} 条"
            )
        shown.get_by_text(re.compile("^规则取值")).click()
        for parameter in found["parameters"]:
            row = shown.get_by_role("row").filter(has_text=parameter["zh"]).last
            expect(row).to_contain_text(parameter["status_title"])
        for value in told["indicators"]["values"]:
            expect(card.locator(".indicators")).to_contain_text(value["zh"])
        assert told["firms"]
        for firm in told["firms"]:
            expect(card.locator(".firms")).to_contain_text(firm["holder"])
        watched.wait_until_drawn()
        lab.picture(page, "inefficient-1440")
        page.set_viewport_size({"width": 1440, "height": 2600})
        lab.picture(page, "inefficient-card", ".card")


def test_the_panel_adds_up_to_what_the_service_counts(served_district: Any, lab: Lab) -> None:
    url = served_district.url
    with lab.open(f"{url}/#tab=findings", WIDE) as watched:
        page = watched.page
        panel = page.locator(".findings")

        def compare(query: str) -> None:
            told = ask(page, url, f"/findings/statistics?by=kind{query}")
            for kind, levels in FOUND.items():
                rows = [row for row in told["rows"] if row["kind"] == kind and row["level"] in levels]
                body = panel.locator(f'.totals tbody[data-kind="{kind}"]')
                if not rows:
                    expect(body.locator(".sum")).to_have_count(0)
                    continue
                count, area_mu = sum(row["count"] for row in rows), sum(row["mu"] for row in rows)
                cells = body.locator(".sum td")
                expect(cells.nth(0)).to_have_text(f"{count:,}")
                area = f"{area_mu:,.0f}" if area_mu >= 1000 else f"{area_mu:.1f}".removesuffix(".0")
                expect(cells.nth(1)).to_have_text(area)
                fees = [row["fee_yuan"] for row in rows if row["fee_yuan"] is not None]
                in_wan = sum(fees) / 1e4
                fee = f"{in_wan:,.2f}" if in_wan < 1e4 else f"{in_wan / 1e4:,.2f}"
                expect(cells.nth(2)).to_contain_text(fee.rstrip("0").rstrip(".") if fees else "—")
            matched = ask(page, url, f"/findings?limit=1{query}")["matched"]
            expect(panel.locator(".result-head b")).to_have_text(f"{matched:,}")

        compare("")
        assessed = ask(page, url, "/findings/statistics")["assessed"]
        panel.get_by_text("全区评估情况与存量类别").click()
        for fate in ("found", "watched", "not_assessed", "ok", "not_subject"):
            cells = panel.locator(f'[data-fate="{fate}"] td')
            for place, kind in enumerate(("idle", "inefficient")):
                expect(cells.nth(place)).to_contain_text(f"{assessed[kind][fate]['count']:,}")

        town = ask(page, url, "/findings?level=idle_1y&limit=1")["findings"][0]["town"]
        panel.locator(".towns").get_by_role("button", name=town).click()
        compare(f"&town={town}")
        ledgers = panel.locator(".ledgers a")
        for place in range(2):
            answer = page.request.get(url + str(ledgers.nth(place).get_attribute("href")))
            assert answer.ok
            assert answer.body()[:2] == b"PK"
        panel.locator("[name=level]").select_option("idle_2y")
        compare(f"&town={town}&level=idle_2y")
        panel.get_by_role("button", name="清除全部条件").click()
        holder = ask(page, url, "/findings?limit=1")["findings"][0]["holder"]
        panel.locator("[name=holder]").fill(holder[1:-1])
        compare(f"&holder={holder}")

        changes = panel.locator(".changes")
        changes.locator("summary").click()
        expect(changes).to_contain_text("之前没有可比较的分析批次")


def test_the_panel_and_the_card_fit_a_phone(served_district: Any, lab: Lab) -> None:
    parcel_id = parcel_of(served_district.truth, "two_excuses_overlap")
    with lab.open(f"{served_district.url}/#card=parcel:{parcel_id}", PHONE) as watched:
        page = watched.page
        card = card_of(page, parcel_id)
        watched.wait_until_drawn()
        lab.picture(page, "parcel-390")
        for name in (".chart", ".finding", ".excuses"):
            box = card.locator(name).first.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= PHONE[0], name
        expect(card.locator(".chart .band")).to_have_count(2)
        assert overlaps(card.locator(".chart")) == []
        card.locator(".finding").first.scroll_into_view_if_needed()
        card.evaluate("card => card.scrollTo(0, card.querySelector('.timeline').offsetTop - 60)")
        lab.picture(page, "timeline-390")
        page.get_by_role("button", name="关闭").click()
        page.get_by_role("tab", name="闲置低效").click()
        expect(page.locator(".totals .sum").first).to_be_visible()
        lab.picture(page, "findings-390")
        assert page.locator(".panel-body").evaluate("each => each.scrollWidth <= each.clientWidth")


def test_hostile_text_in_findings_stays_text(served_district: Any, lab: Lab) -> None:
    """Names of holders, files, towns and papers come from outside."""
    hostile = "<img src=x onerror=\"alert('owned')\">"
    parcel_id = parcel_of(served_district.truth, "government_caused")
    with lab.open("about:blank") as watched:
        page = watched.page

        def spoil(route: Any) -> None:
            spoilt = r'"(holder|town|file_name|evidence|zh|shortfall|rule_title|article)":\s*"[^"]*"'
            text = re.sub(spoilt, lambda m: f'"{m[1]}": {json.dumps(hostile)}', route.fetch().text())
            route.fulfill(body=text, content_type="application/json")

        page.route(re.compile(r"^http://[^/]+/(findings|parcels)"), spoil)
        page.goto(f"{served_district.url}/#card=parcel:{parcel_id}&tab=findings")
        expect(card_of(page, parcel_id).locator(".finding").first).to_contain_text(hostile)
        expect(page.locator(".findings .row-title").first).to_have_text(hostile)
        assert page.locator("#app img").count() == 0


@contextmanager
def serving(store: Store) -> Iterator[str]:
    """The service over a store of a test's own, on a free port of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(create_app(store), "127.0.0.1", port, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < deadline, "the service did not start"
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def test_a_second_run_says_what_changed(analysed_geopackage: Any, lab: Lab, tmp_path: Path) -> None:
    """Half a year later some land has been idle for longer: the panel tells it as the service does."""
    first = Path(analysed_geopackage.store.path)
    shutil.copytree(first.parent, tmp_path / "later")
    store = open_store(tmp_path / "later" / first.name)
    try:
        later = np.datetime64(analysed_geopackage.truth["as_of"]) + np.timedelta64(184, "D")
        run = analyse_store(store, load_rules("demo"), later)
        with serving(store) as url, lab.open(f"{url}/#tab=findings", WIDE) as watched:
            page = watched.page
            told = ask(page, url, f"/runs/{run.run_id}/changes?limit=20")
            assert {row["change"] for row in told["summary"]} >= {"new", "changed"}
            changes = page.locator(".findings .changes")
            changes.locator("summary").click()
            for row in told["summary"]:
                cells = changes.locator(f'[data-change="{row["kind"]}:{row["change"]}"]')
                expect(cells).to_contain_text(row["change_title"])
                expect(cells.locator("td").first).to_have_text(f"{row['parcels']:,}")
            expect(changes.locator(".plain-list li")).to_have_count(len(told["changes"]))
            changes.locator("table").scroll_into_view_if_needed()
            lab.picture(page, "changes-1440")
            one = next(each for each in told["changes"] if each["in_layer"] is not False)
            changes.get_by_role("button", name=one["holder"]).first.click()
            expect(page.locator('[data-card^="parcel:"]')).to_be_visible()
    finally:
        store.close()
