"""QGIS, headless, draws the tiles: by their address alone, and with the style of the service."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.clients.tiled import get, tile_at, tiled_district

tiled = tiled_district
SCRIPT = Path(__file__).with_name("qgis_tiles.py")
PICTURES = Path(__file__).resolve().parents[1] / "screenshots"
HALF_M = 20_037_508.342789244


def drawn_by_qgis(template: str, style: str, tile: tuple[int, int, int], name: str, home: Path) -> dict[str, Any]:
    """What QGIS says and the colours of the picture of one tile."""
    z, x, y = tile
    size = 2 * HALF_M / 2**z
    west, north = x * size - HALF_M, HALF_M - y * size
    PICTURES.mkdir(exist_ok=True)
    done = subprocess.run(
        [
            "/usr/bin/python3", str(SCRIPT), quote(template, safe=":/{}"), style,
            str(west), str(north - size), str(west + size), str(north), str(PICTURES / f"qgis-{name}.png"),
        ],
        capture_output=True, text=True, timeout=180, check=False,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "HOME": str(home), "XDG_RUNTIME_DIR": str(home)},
    )  # fmt: skip
    if done.returncode and "No module named 'qgis'" in done.stderr:
        pytest.fail("QGIS is missing and no test may skip it: apt-get install python3-qgis", pytrace=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.mark.parametrize("zoom", [9, 13])
def test_a_layer_by_its_address_alone(tiled: Any, tmp_path: Path, zoom: int) -> None:
    template = f"{tiled.url}/tiles/parcels/{{z}}/{{x}}/{{y}}.mvt"
    told = drawn_by_qgis(template, "-", tile_at(tiled.store, zoom), f"plain-{zoom}", tmp_path)
    assert told["valid"]
    assert told["errors"] == []
    assert sum(number for colour, number in told["colours"].items() if colour != "#ffffff") > 512 * 512 / 100


def test_the_service_style_as_it_is(tiled: Any, tmp_path: Path) -> None:
    style = json.loads(get(f"{tiled.url}/styles/district.json"))
    sources = list(dict.fromkeys(layer["source-layer"] for layer in style["layers"] if "source-layer" in layer))
    template = f"{tiled.url}/tiles/{','.join(sources)}/{{z}}/{{x}}/{{y}}.mvt"
    told = drawn_by_qgis(template, f"{tiled.url}/styles/district.json", tile_at(tiled.store, 14), "style-14", tmp_path)
    assert told["valid"]
    assert told["converted"], told["error"]
    assert told["errors"] == []
    assert set(told["styles"]) >= {"parcels", "plots", "barriers", "network"}
    # The colours of land are those that the style gives to parcels.
    wanted = land_colours(style)
    seen = {colour for colour, number in told["colours"].items() if number > 200}
    near = [one for one in seen if any(distance(one, other) <= 24 for other in wanted)]
    assert len(near) >= 3, (sorted(seen), sorted(wanted))


def land_colours(style: dict[str, Any]) -> set[str]:
    """Every colour in the fills of parcels, as ``#rrggbb``."""
    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, str) and value.startswith("#") and len(value) == 7 and value != "#ffffff":
            found.add(value.lower())
        elif isinstance(value, list):
            for each in value:
                walk(each)

    for layer in style["layers"]:
        if layer.get("source-layer") == "parcels" and layer["type"] == "fill":
            walk(layer["paint"].get("fill-color"))
    return found


def distance(first: str, second: str) -> int:
    """The largest difference of two colours in red, green or blue."""
    return max(abs(int(first[at : at + 2], 16) - int(second[at : at + 2], 16)) for at in (1, 3, 5))
