"""A headless Chromium that draws WebGL without a graphics card, and pages that tell on themselves."""

from __future__ import annotations

import base64
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

# SwiftShader draws in software; newer Chromium wants to be asked for it by name.
FLAGS = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-dev-shm-usage"]
NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDE = (1440, 900)
DESK = (1000, 640)  # drawn in software, a smaller window is a quicker test
PHONE = (390, 844)
SLOW_MS = 90_000
_TELL_ON_CSP = """
window.violations = [];
document.addEventListener('securitypolicyviolation',
  event => window.violations.push(event.violatedDirective + ' ' + event.blockedURI));
"""
_COUNT = """
async ([a, b]) => {
  const pixels = async (png) => {
    const bitmap = await createImageBitmap(await (await fetch('data:image/png;base64,' + png)).blob());
    const pen = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
    pen.drawImage(bitmap, 0, 0);
    return new Uint32Array(pen.getImageData(0, 0, bitmap.width, bitmap.height).data.buffer);
  };
  const [first, second] = [await pixels(a), await pixels(b)];
  let changed = 0;
  for (let i = 0; i < first.length; i++) changed += first[i] !== second[i];
  return { colours: new Set(first).size, changed };
}
"""


@dataclass
class Watched:
    """A page with everything that it asked for and complained about."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def wait_until_drawn(self) -> None:
        """Until the map has nothing left to load or to move."""
        self.page.wait_for_timeout(150)
        self.page.wait_for_selector("#map[data-idle=true]", timeout=SLOW_MS)

    def look(self, longitude: float, latitude: float, zoom: float) -> None:
        """Move the map at once and wait."""
        self.page.evaluate("([x, y, z]) => void window.lianpian.map.jumpTo({center: [x, y], zoom: z})",
                           [longitude, latitude, zoom])  # fmt: skip
        self.wait_until_drawn()

    def click_at(self, longitude: float, latitude: float) -> None:
        """Click the map where a place is drawn."""
        x, y = self.page.evaluate(
            """([x, y]) => {
                const point = window.lianpian.map.project([x, y]);
                const box = document.querySelector('#map').getBoundingClientRect();
                return [box.x + point.x, box.y + point.y];
            }""",
            [longitude, latitude],
        )
        self.page.mouse.click(x, y)

    def drawn(self, *layers: str) -> list[dict[str, Any]]:
        """Properties and geometry types of what the style layers show in the view."""
        return self.page.evaluate(
            """layers => window.lianpian.map.queryRenderedFeatures({layers})
                .map(f => ({layer: f.layer.id, type: f.geometry.type, ...f.properties}))""",
            list(layers),
        )

    def wait_until_gone(self, *layers: str) -> None:
        """Until the map shows nothing of these style layers; right after a click it still shows what it drew before."""
        deadline = time.monotonic() + 20
        while left := self.drawn(*layers):
            assert time.monotonic() < deadline, left[:3]
            self.page.wait_for_timeout(50)

    def faults(self) -> list[str]:
        """Errors, violations of the content security policy, requests that left this machine."""
        violations = self.page.evaluate("window.violations ?? []")
        away = [url for url in self.requests if urlsplit(url).hostname not in ("127.0.0.1", None)]
        return [*self.complaints, *(f"CSP: {each}" for each in violations), *(f"away: {each}" for each in away)]


@dataclass
class Lab:
    """The browser and what tests do with it."""

    browser: Browser
    pictures: Path

    @contextmanager
    def open(self, url: str, size: tuple[int, int] = DESK, *, offline: bool = False) -> Iterator[Watched]:
        """A page in a context of its own; on leaving, it must not have had a fault."""
        width, height = size
        # Who asks for less motion gets no flights; the tests do.
        opened = self.browser.new_context(
            viewport={"width": width, "height": height}, locale="zh-CN", reduced_motion="reduce", offline=offline
        )
        opened.set_default_timeout(SLOW_MS)
        opened.add_init_script(_TELL_ON_CSP)
        page = opened.new_page()
        watched = Watched(page)
        page.on("request", lambda request: watched.requests.append(request.url))
        page.on("pageerror", lambda error: watched.complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: watched.complaints.append(f"dialog: {dialog.message}"))
        page.on(
            "console",
            lambda message: watched.complaints.append(f"console: {message.text}") if message.type == "error" else None,
        )
        try:
            page.goto(url)
            yield watched
            assert watched.faults() == []
        finally:
            opened.close()

    def picture(self, page: Page, name: str, selector: str = "") -> bytes:
        """A screenshot, kept for people to look at."""
        path = self.pictures / f"{name}.png"
        target = page.locator(selector) if selector else page
        return target.screenshot(path=path)

    def compare(self, first: bytes, second: bytes) -> dict[str, int]:
        """How many colours the first picture has and how many pixels differ in the second."""
        page = self.browser.new_page()
        try:
            return page.evaluate(_COUNT, [base64.b64encode(picture).decode() for picture in (first, second)])
        finally:
            page.close()


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Headless Chromium for all tests of the page."""
    program = next((path for name in NAMES if (path := shutil.which(name))), None)
    if program is None:
        pytest.fail("Chromium is missing and no test may skip it: apt-get install chromium", pytrace=False)
    pictures = Path(__file__).resolve().parents[1] / "screenshots"
    pictures.mkdir(exist_ok=True)
    flags = [*FLAGS, "--no-sandbox"] if os.geteuid() == 0 else FLAGS
    # While the map is drawn in software, an answer may wait for its turn.
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        yield Lab(browser, pictures)
        browser.close()
