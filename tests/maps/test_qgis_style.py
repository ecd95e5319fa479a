"""The QGIS style speaks the palette of the page, and every class of it has its symbol."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import geopandas as gpd
import pyogrio
import pytest
import shapely

from geo.land.findings import LEVELS
from geo.layers.formats.provenance import Provenance
from geo.layers.schema import LAYERS
from geo.layers.words import WORDS
from geo.layers.writing import write_layer
from maps.legend import LAND_USE_GROUPS, STATES
from maps.qgis_style import qgis_style

STYLED = [name for name, layer in LAYERS.items() if layer.geometry in ("polygon", "line", "point")]


def parsed(layer: str) -> Element:
    style = qgis_style(layer)
    assert style is not None
    assert style.startswith("<!DOCTYPE qgis")
    return fromstring(style.split("\n", 1)[1])


def colours(root: Element) -> dict[str, str]:
    """Value of a class -> colour of its first symbol layer, as ``#rrggbb``."""
    symbols = {each.get("name"): each for each in root.find("renderer-v2/symbols") or ()}
    found = {}
    for category in root.findall("renderer-v2/categories/category"):
        layer = symbols[category.get("symbol")].find("layer")
        assert layer is not None
        options = {each.get("name"): each.get("value", "") for each in layer.findall("Option/Option")}
        assert options == {each.get("k"): each.get("v") for each in layer.findall("prop")}
        red, green, blue, _ = options["color"].split(",")
        found[category.get("value", "")] = f"#{int(red):02x}{int(green):02x}{int(blue):02x}"
    return found


@pytest.mark.parametrize("layer", STYLED)
def test_every_class_has_one_symbol_of_the_right_kind(layer: str) -> None:
    root = parsed(layer)
    renderer = root.find("renderer-v2")
    assert renderer is not None
    symbols = renderer.findall("symbols/symbol")
    names = [symbol.get("name") for symbol in symbols]
    kind = {"polygon": ("fill", "2"), "line": ("line", "1"), "point": ("marker", "0")}[LAYERS[layer].geometry or ""]
    assert {symbol.get("type") for symbol in symbols} == {kind[0]}
    assert root.findtext("layerGeometryType") == kind[1]
    categories = renderer.findall("categories/category")
    if renderer.get("type") == "singleSymbol":
        assert (names, categories) == (["0"], [])
    else:
        assert [category.get("symbol") for category in categories] == names
        values = [category.get("value") for category in categories]
        assert len(set(values)) == len(values)
        assert any(field in renderer.get("attr", "") for field in LAYERS[layer].columns)
    aliases = {each.get("field"): each.get("name") for each in root.findall("aliases/alias")}
    assert list(aliases) == list(LAYERS[layer].columns)


def test_findings_have_the_colours_of_the_page() -> None:
    found = colours(parsed("findings"))
    assert found == {level: STATES[level] for level in LEVELS if level in found}
    assert set(found) == set(STATES) - {"reserve"}


def test_parcels_have_the_tints_of_the_page() -> None:
    found = colours(parsed("parcels"))
    assert {code: found[code] for code in LAND_USE_GROUPS} == {code: use[2] for code, use in LAND_USE_GROUPS.items()}
    assert "" in found  # what has another code is shown too


def test_control_lines_are_told_apart_by_every_kind() -> None:
    assert set(WORDS["control_lines.kind"]) <= set(colours(parsed("control_lines")))


@pytest.mark.parametrize("layer", sorted(set(LAYERS) - set(STYLED)))
def test_tables_and_mixed_layers_have_no_style(layer: str) -> None:
    assert qgis_style(layer) is None


def test_the_style_travels_in_the_geopackage(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame({"plot_id": ["P1"]}, geometry=[shapely.box(120, 31, 120.01, 31.01)], crs=4490)
    about = Provenance("plots", "连片地块", "", "r1", None, "2024-06-01T08:00:00+08:00", "", "", "")
    style = qgis_style("plots")
    write_layer([frame], LAYERS["plots"], tmp_path / "a.gpkg", about=about, style=style)
    (row,) = pyogrio.read_dataframe(tmp_path / "a.gpkg", layer="layer_styles").to_dict("records")
    assert row["styleQML"] == style
    written = write_layer([frame], LAYERS["plots"], tmp_path / "b.gpkg", about=about, style=style, names="zh")
    assert any("样式" in note for note in written.notes)
    assert pyogrio.list_layers(tmp_path / "b.gpkg")[:, 0].tolist() == ["plots"]
