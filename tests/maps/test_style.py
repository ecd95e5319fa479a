"""The style and the legend: valid, offline, complete, and readable by people who see colours differently."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from geo.layers.schema import LAYERS
from maps.legend import GROUND, LAND_USE_GROUPS, LEGEND, PATTERNS, STATES
from maps.style import district_style

WORKBENCH = Path(__file__).resolve().parents[2] / "maps" / "workbench"
STYLE = district_style("http://127.0.0.1:8000/")
LEVELS = {"warning", "overdue", "idle_1y", "idle_2y", "idle_stalled", "inefficient", "not_assessed"}


def linear_rgb(colour: str) -> np.ndarray:
    """Linear RGB, 0–1, of ``#rrggbb``."""
    srgb = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of linear RGB."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


# Machado, Oliveira and Fernandes 2009, severity 1.0.
SIGHT = {
    "usual": np.eye(3),
    "protan": np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]),
    "deutan": np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]),
    "tritan": np.array([[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]]),
}  # fmt: skip


def test_the_reference_specification_accepts_the_style(tmp_path: Path) -> None:
    node = shutil.which("node")
    validator = WORKBENCH / "node_modules" / "@maplibre" / "maplibre-gl-style-spec" / "dist" / "gl-style-validate.mjs"
    assert node, "Node is missing and no test may skip it: make workbench"
    assert validator.is_file(), "the page's packages are missing: make workbench"
    path = tmp_path / "style.json"
    path.write_text(json.dumps(STYLE), encoding="utf-8")
    done = subprocess.run([node, str(validator), str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stdout.strip(), done.stdout


def test_the_validator_sees_a_wrong_style(tmp_path: Path) -> None:
    wrong = json.loads(json.dumps(STYLE))
    wrong["layers"][1]["paint"]["fill-colour"] = "red"
    path = tmp_path / "style.json"
    path.write_text(json.dumps(wrong), encoding="utf-8")
    validator = WORKBENCH / "node_modules" / "@maplibre" / "maplibre-gl-style-spec" / "dist" / "gl-style-validate.mjs"
    done = subprocess.run(["node", str(validator), str(path)], capture_output=True, text=True, check=False)
    assert "fill-colour" in done.stdout + done.stderr


def test_nothing_is_asked_of_another_host() -> None:
    assert "glyphs" not in STYLE
    assert "sprite" not in STYLE
    for name, source in STYLE["sources"].items():
        assert source == {"type": "vector", "url": f"http://127.0.0.1:8000/tiles/{name}.json"}
    text = json.dumps(STYLE)
    assert text.count("://") == len(STYLE["sources"])


def test_every_source_is_a_layer_and_is_drawn() -> None:
    drawn = {layer["source"] for layer in STYLE["layers"] if "source" in layer}
    assert drawn == set(STYLE["sources"])
    assert drawn - {"plot_labels", "town_labels"} <= set(LAYERS)
    assert all(layer["source-layer"] == layer["source"] for layer in STYLE["layers"] if "source" in layer)


def test_every_style_layer_can_be_switched_by_one_group() -> None:
    switched = Counter(name for group in LEGEND for name in group.layers)
    drawn = {layer["id"] for layer in STYLE["layers"]} - {"ground"}
    assert set(switched) == drawn
    assert set(switched.values()) == {1}
    hidden = {layer["id"] for layer in STYLE["layers"] if layer.get("layout", {}).get("visibility") == "none"}
    assert hidden == {name for group in LEGEND if not group.visible for name in group.layers}


def test_every_hatch_is_described() -> None:
    used = {layer["paint"]["fill-pattern"] for layer in STYLE["layers"] if "fill-pattern" in layer.get("paint", {})}
    assert used == set(PATTERNS) == set(STYLE["metadata"]["lianpian:patterns"])
    assert {entry.pattern for group in LEGEND for entry in group.entries if entry.pattern} == used


def test_every_level_is_drawn_in_its_legend_colour_and_no_other() -> None:
    entries = {entry.key: entry for group in LEGEND for entry in group.entries}
    assert set(entries) >= LEVELS
    fills = [layer for layer in STYLE["layers"] if layer.get("source") == "findings" and "fill-color" in layer["paint"]]
    drawn = Counter(level for layer in fills for level in layer["filter"][2][1])
    assert drawn == dict.fromkeys(LEVELS, 1)
    for layer in fills:
        pairs = layer["paint"]["fill-color"][2:-1]
        colours = dict(zip(pairs[::2], pairs[1::2], strict=True))
        for level in layer["filter"][2][1]:
            assert colours[level] == entries[level].colour == STATES[level]


@pytest.mark.parametrize("sight", SIGHT)
def test_states_stay_apart_for_every_eye(sight: str) -> None:
    drawn = {name: lab(SIGHT[sight] @ linear_rgb(colour)) for name, colour in STATES.items() if name != "reserve"}
    hatched = {"idle_stalled", "not_assessed"}
    for (a, seen_a), (b, seen_b) in itertools.combinations(drawn.items(), 2):
        if (a in hatched) != (b in hatched):
            continue  # a hatch tells them apart whatever the colour
        apart = float(np.linalg.norm(seen_a - seen_b))
        assert apart > 15, f"{a} and {b} look alike ({sight}): {apart:.1f}"


def test_what_must_be_acted_on_stays_apart_in_grey_print() -> None:
    lightness = {name: lab(linear_rgb(STATES[name]))[0] for name in ("idle_1y", "idle_2y", "inefficient", "overdue")}
    for (a, light_a), (b, light_b) in itertools.combinations(lightness.items(), 2):
        assert abs(light_a - light_b) > 6, f"{a} and {b} print alike"


def test_the_ground_is_quiet() -> None:
    """Tints of land use must not compete with findings: all are light and hardly coloured."""
    for code, (_, _, tint) in LAND_USE_GROUPS.items():
        light, a, b = lab(linear_rgb(tint))
        assert light > 86, code
        assert np.hypot(a, b) < 16, code
    assert lab(linear_rgb(GROUND))[0] > 94
