"""The palette of every map as QGIS styles (QML), so that a GeoPackage opens in the colours of the page.

QML is QGIS's own description of a layer: a renderer with its symbols, and Chinese names of the fields. Both spellings
of symbol properties are written, ``Option`` (QGIS 3.20 and later) and ``prop`` (before).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree.ElementTree import Element, SubElement, tostring

from geo.layers.schema import LAYERS, Layer
from geo.layers.words import WORDS
from maps.legend import (
    LAND_USE_GROUPS,
    LAND_USE_OTHER,
    LEGEND,
    MAIN_ROADS,
    MOTORWAYS,
    PATTERNS,
    RAIL,
    STATES,
    Entry,
)

_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_EDGE = "#8f8a7f"
_MM_PER_PX = 0.26
Shape = Literal["fill", "line", "marker"]
_SHAPES: dict[str, tuple[Shape, int]] = {"polygon": ("fill", 2), "line": ("line", 1), "point": ("marker", 0)}


@dataclass(frozen=True, slots=True)
class _Look:
    """One symbol: a label, the value it stands for, a filling, an outline, a hatch."""

    label: str
    value: str = ""
    colour: str = ""
    edge: str = _EDGE
    width_mm: float = 0.2
    dash: bool = False
    pattern: str = ""


def qgis_style(layer: str) -> str | None:
    """The default style of a canonical layer as QML.

    Parameters
    ----------
    layer : name of the layer

    Returns
    -------
    str
        QML text; ``None`` for a table, and for a layer that mixes lines with polygons, as one style fits one of them.
    """
    canonical = LAYERS[layer]
    if canonical.geometry not in _SHAPES:
        return None
    shape, geometry_type = _SHAPES[canonical.geometry]
    root = Element("qgis", version="3.22.0", styleCategories="Symbology|Fields|Forms", hasScaleBasedVisibilityFlag="0")
    by, looks = _looks(layer)
    renderer = _renderer(root, by)
    symbols = Element("symbols")
    if by:
        categories = SubElement(renderer, "categories")
        for number, look in enumerate(looks):
            category = {"render": "true", "symbol": str(number), "value": look.value, "label": look.label}
            SubElement(categories, "category", category, type="string")
    renderer.append(symbols)
    for number, look in enumerate(looks):
        _symbol(symbols, str(number), shape, look)
    _aliases(root, canonical)
    SubElement(root, "blendMode").text = "0"
    SubElement(root, "layerGeometryType").text = str(geometry_type)
    return _DOCTYPE + tostring(root, encoding="unicode")


def _looks(layer: str) -> tuple[str, Sequence[_Look]]:
    """The expression that tells symbols apart (empty where there is one), and the symbols; the last is for the rest."""
    match layer:
        case "findings":
            return "level", [*(_of_entry(entry) for entry in _entries("idle", "inefficient", "due", "not_assessed"))]
        case "control_lines":
            return "kind", [*(_of_entry(entry) for entry in _entries("constraints")), _Look("其他", edge=_EDGE)]
        case "parcels" | "zoning":
            uses = [_Look(f"{code} {name[0]}", code, name[2]) for code, name in LAND_USE_GROUPS.items()]
            return 'left("land_use", 2)', [*uses, _Look("其他", colour=LAND_USE_OTHER)]
        case "plots":
            return "", [_Look("连片工业用地", colour=_tinted(STATES["reserve"]), edge=STATES["reserve"], width_mm=0.8)]
        case "sites":
            return "", [_Look("候选地块", colour=_tinted(STATES["reserve"]), edge=STATES["reserve"], width_mm=0.5)]
        case "plot_members":
            return "", [_Look("地块成员", edge=STATES["reserve"], width_mm=0.3)]
        case "leftovers":
            return "", [_Look("未成片", colour=_tinted(STATES["not_assessed"]))]
        case "towns":
            (entry,) = _entries("towns")
            return "", [_Look(entry.zh, edge=entry.colour, width_mm=0.4, dash=True)]
        case "network":
            roads = {entry.key: entry for entry in _entries("transport")}
            motorways = [
                _Look(f"高速公路（{name}）", name, edge=roads["motorway"].stroke, width_mm=0.9) for name in MOTORWAYS
            ]
            main = [_Look(f"干线（{name}）", name, edge=roads["road"].stroke, width_mm=0.6) for name in MAIN_ROADS]
            rail = _Look("铁路", "rail", edge=RAIL, width_mm=0.5, dash=True)
            return 'coalesce("road_class", "mode")', [*motorways, *main, rail, _Look("其他", edge=roads["road"].stroke)]
        case "terminals":
            kinds = [_Look(words[0], kind, _terminal_colour()) for kind, words in WORDS["terminals.kind"].items()]
            return "kind", [*kinds, _Look("其他", colour=_EDGE)]
        case _:
            return "", [_Look(LAYERS[layer].zh, colour=LAND_USE_OTHER)]


def _terminal_colour() -> str:
    return next(entry.colour for entry in _entries("transport") if entry.key == "terminal")


def _entries(*keys: str) -> list[Entry]:
    return [entry for group in LEGEND if group.key in keys for entry in group.entries]


def _of_entry(entry: Entry) -> _Look:
    line = entry.symbol in ("dash", "line", "outline") or not entry.colour
    edge = entry.stroke or (entry.colour if line else _EDGE)
    fill = "" if line else entry.colour
    return _Look(
        entry.zh, entry.key, fill, edge, 0.5 if line else 0.2, dash=entry.symbol == "dash", pattern=entry.pattern
    )


def _tinted(colour: str) -> str:
    return colour + "40"  # a quarter opaque


def _rgba(colour: str) -> str:
    digits = colour.lstrip("#").ljust(8, "f")
    return ",".join(str(int(digits[i : i + 2], 16)) for i in (0, 2, 4, 6))


def _renderer(root: Element, by: str) -> Element:
    kind = {"type": "categorizedSymbol", "attr": by} if by else {"type": "singleSymbol"}
    return SubElement(root, "renderer-v2", {**kind, "symbollevels": "0", "enableorderby": "0", "forceraster": "0"})


def _symbol(parent: Element, name: str, shape: Shape, look: _Look) -> None:
    symbol = SubElement(parent, "symbol", type=shape, name=name, alpha="1", clip_to_extent="1", force_rhr="0")
    pen = "dash" if look.dash else "solid"
    match shape:
        case "fill":
            properties = {
                "color": _rgba(look.colour or "#ffffff"),
                "style": "solid" if look.colour else "no",
                "outline_color": _rgba(look.edge),
                "outline_style": pen,
                "outline_width": f"{look.width_mm}",
                "outline_width_unit": "MM",
                "joinstyle": "bevel",
            }
            _symbol_layer(symbol, "SimpleFill", properties)
            if look.pattern:
                _hatch(symbol, name, look.pattern)
        case "line":
            properties = {
                "line_color": _rgba(look.edge),
                "line_style": pen,
                "line_width": f"{look.width_mm}",
                "line_width_unit": "MM",
                "capstyle": "round",
                "joinstyle": "round",
            }
            _symbol_layer(symbol, "SimpleLine", properties)
        case _:
            properties = {
                "name": "circle",
                "color": _rgba(look.colour),
                "outline_color": "255,255,255,255",
                "outline_width": "0.4",
                "size": "3",
                "size_unit": "MM",
            }
            _symbol_layer(symbol, "SimpleMarker", properties)


def _symbol_layer(symbol: Element, kind: str, properties: dict[str, str]) -> Element:
    layer = SubElement(symbol, "layer", {"class": kind}, enabled="1", locked="0")
    layer.set("pass", "0")
    options = SubElement(layer, "Option", type="Map")
    for key, value in properties.items():
        SubElement(options, "Option", name=key, type="QString", value=value)
    for key, value in properties.items():
        SubElement(layer, "prop", k=key, v=value)
    return layer


def _hatch(symbol: Element, name: str, pattern: str) -> None:
    hatch = PATTERNS[pattern]
    for number, angle in enumerate((hatch.angle, hatch.angle + 90) if hatch.cross else (hatch.angle,), 1):
        properties = {
            "angle": str(angle),
            "distance": f"{hatch.spacing_px * _MM_PER_PX:.2f}",
            "distance_unit": "MM",
            "line_width": f"{hatch.width_px * _MM_PER_PX:.2f}",
            "line_width_unit": "MM",
            "color": _rgba(hatch.colour),
        }
        layer = _symbol_layer(symbol, "LinePatternFill", properties)
        stroke = _Look("", edge=hatch.colour, width_mm=round(hatch.width_px * _MM_PER_PX, 2))
        _symbol(layer, f"@{name}@{number}", "line", stroke)


def _aliases(root: Element, layer: Layer) -> None:
    aliases = SubElement(root, "aliases")
    for number, field in enumerate(layer.fields, 1):  # the first column is the feature id
        shown = f"{field.zh}（{field.unit}）" if field.unit and field.unit != "1" else field.zh
        SubElement(aliases, "alias", field=field.name, index=str(number), name=shown)
