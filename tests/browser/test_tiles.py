"""MapLibre on a bare page of its own loads the style of the service as it is and draws the tiles of every zoom."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import DESK, Lab
from tests.clients.tiled import tile_at, tiled_district

pytestmark = pytest.mark.browser
tiled = tiled_district
LIBRARY = Path(__file__).resolve().parents[2] / "maps/workbench/node_modules/maplibre-gl/dist"
PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<style>body { margin: 0 } #map { height: 100vh }</style>
<div id="map"></div>
<script type="module">
  import * as maplibre from "/bare/maplibre-gl.mjs";
  maplibre.setWorkerUrl("/bare/maplibre-gl-worker.mjs");
  window.faults = [];
  const map = window.map = new maplibre.Map({
    container: "map", style: "/styles/district.json", center: [LON, LAT], zoom: ZOOM, fadeDuration: 0,
  });
  map.on("error", (event) => window.faults.push(String(event.error?.message ?? event.error)));
  map.on("idle", () => { document.querySelector("#map").dataset.idle = true; });
</script>"""
# What a tile holds of a source, whether the style shows it or not.
COUNT = """() => {
  const sources = Object.entries(window.map.getStyle().sources).filter(([, source]) => source.type === 'vector');
  return Object.fromEntries(sources.map(([name]) => {
    const found = window.map.querySourceFeatures(name, {sourceLayer: name});
    return [name, {features: found.length, ids: found.filter(f => f.id !== undefined).length}];
  }));
}"""


@pytest.mark.parametrize("zoom", [8, 11, 13, 16])
def test_the_style_is_loaded_and_the_tiles_are_drawn(tiled: Any, lab: Lab, zoom: int) -> None:
    z, x, y = tile_at(tiled.store, 16)
    longitude, latitude = middle_of(z, x, y)
    text = PAGE.replace("LON", str(longitude)).replace("LAT", str(latitude)).replace("ZOOM", str(zoom))
    with lab.open("about:blank", DESK) as watched:
        page = watched.page
        page.route(f"{tiled.url}/bare/", lambda route: route.fulfill(body=text, content_type="text/html"))
        page.route(
            re.compile(r"/bare/maplibre-gl[\w-]*\.mjs$"),
            lambda route: route.fulfill(
                body=(LIBRARY / route.request.url.rpartition("/")[2]).read_bytes(), content_type="text/javascript"
            ),
        )
        page.goto(f"{tiled.url}/bare/")
        watched.wait_until_drawn()
        assert page.evaluate("window.faults") == []
        held = page.evaluate(COUNT)
        drawn = page.evaluate(
            "() => window.map.queryRenderedFeatures().map(f => ({id: f.id, source: f.source, layer: f.layer.id}))"
        )
        picture = lab.picture(page, f"maplibre-{zoom}", "#map")
        assert lab.compare(picture, picture)["colours"] > 20, "an empty sheet"
    assert held["parcels"]["features"] > 0, held
    assert all(one["ids"] == one["features"] for one in held.values()), held
    assert drawn
    assert [one for one in drawn if one["id"] is None] == []
    asked = {int(found[1]) for url in watched.requests if (found := re.search(r"/tiles/\w+/(\d+)/\d+/\d+", url))}
    assert asked, "no tile was asked for"


def middle_of(z: int, x: int, y: int) -> tuple[float, float]:
    """Longitude and latitude of the middle of a tile."""
    return (
        (x + 0.5) / 2**z * 360 - 180,
        math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * (y + 0.5) / 2**z)))),
    )
