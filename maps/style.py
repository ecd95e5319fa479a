"""The MapLibre style of the district map.

It names no glyph server and no sprite: text is drawn with the reader's own Chinese font, and hatches are described
under ``metadata`` for the client to draw.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from maps import legend as ink
from maps.legend import LAND_USE_GROUPS, LEGEND, PATTERNS, STATES, legend

__all__ = ["LEGEND", "STATES", "district_style"]

Expression = list[Any]
StyleLayer = dict[str, Any]

FONT = ["Noto Sans CJK SC"]
BOLD = ["Noto Sans CJK SC Bold"]
WHITE = "#ffffff"
HALO = "rgba(255,255,255,0.92)"
# Metres that one pixel covers at z0 and 32°N, where a tile is 512 pixels wide.
_M_PER_PX_Z0 = 66_380
_SOURCES = (
    "parcels", "findings", "plots", "plot_members", "plot_labels", "control_lines", "barriers", "towns", "town_labels",
    "network", "terminals", "buildings",
)  # fmt: skip


def _is(field: str, *values: str) -> Expression:
    return ["in", ["get", field], ["literal", list(values)]]


_POLYGON = ["in", ["geometry-type"], ["literal", ["Polygon", "MultiPolygon"]]]
_LINE = ["in", ["geometry-type"], ["literal", ["LineString", "MultiLineString"]]]
_NAME = ["get", "name"]
_RIVER_LINE = ["all", _is("kind", "river"), _LINE]
_IS_MOTORWAY = _is("road_class", *ink.MOTORWAYS)
_IS_ROAD = ["all", _is("mode", "road"), ["!", _IS_MOTORWAY]]
_ROAD_RANK = [
    "match", ["get", "road_class"],
    [*ink.MAIN_ROADS], 2.2,
    ["secondary", "county", "ramp", "县道", "次干路"], 1.5,
    1,
]  # fmt: skip


def _by_zoom(*stops: Any, base: float = 1.4) -> Expression:
    """Interpolation over zoom: zoom, value, zoom, value …"""
    return ["interpolate", ["exponential", base], ["zoom"], *stops]


def _layer(
    name: str, kind: str, source: str, where: Expression | None, minzoom: float, paint: StyleLayer
) -> StyleLayer:
    layer: StyleLayer = {"id": name, "type": kind, "source": source, "source-layer": source, "paint": paint}
    if where is not None:
        layer["filter"] = where
    if minzoom:
        layer["minzoom"] = minzoom
    return layer


def _fill(
    name: str,
    source: str,
    colour: str | Expression = "",
    *,
    pattern: str = "",
    opacity: float | Expression = 1.0,
    where: Expression | None = None,
    minzoom: float = 0,
    edge: str = "",
) -> StyleLayer:
    paint: StyleLayer = {"fill-opacity": opacity}
    paint |= {"fill-pattern": pattern} if pattern else {"fill-color": colour}
    if edge:
        paint["fill-outline-color"] = edge
    return _layer(name, "fill", source, where, minzoom, paint)


def _line(
    name: str,
    source: str,
    colour: str | Expression,
    width: float | Expression,
    *,
    dash: list[float] | None = None,
    opacity: float = 1.0,
    where: Expression | None = None,
    minzoom: float = 0,
) -> StyleLayer:
    paint: StyleLayer = {"line-color": colour, "line-width": width, "line-opacity": opacity}
    if dash:
        paint["line-dasharray"] = dash
    layer = _layer(name, "line", source, where, minzoom, paint)
    layer["layout"] = {"line-join": "round", "line-cap": "butt" if dash else "round"}
    return layer


def _label(
    name: str,
    source: str,
    text: Expression,
    colour: str,
    size: float | Expression,
    *,
    halo_px: float = 1.6,
    where: Expression | None = None,
    minzoom: float = 0,
    **layout: Any,
) -> StyleLayer:
    """Text; ``layout`` takes further layout properties with underscores for hyphens."""
    paint = {"text-color": colour, "text-halo-color": HALO, "text-halo-width": halo_px}
    layer = _layer(name, "symbol", source, where, minzoom, paint)
    layer["layout"] = {"text-field": text, "text-font": FONT, "text-size": size}
    layer["layout"] |= {key.replace("_", "-"): value for key, value in layout.items()}
    return layer


def _ground() -> list[StyleLayer]:
    tints = [item for code, (_, _, tint) in LAND_USE_GROUPS.items() for item in (code, tint)]
    use = ["slice", ["coalesce", ["get", "land_use"], ""], 0, 2]
    # A river that comes as a line is drawn as wide as it is.
    width_m = ["coalesce", ["get", "width_m"], 30]
    true_width = _by_zoom(
        8, ["max", 1.2, ["*", width_m, 2**8 / _M_PER_PX_Z0]], 18, ["*", width_m, 2**18 / _M_PER_PX_Z0], base=2
    )
    farmland, redline = "basic_farmland", "ecological_redline"
    return [
        {"id": "ground", "type": "background", "paint": {"background-color": ink.GROUND}},
        _fill("parcels-fill", "parcels", ["match", use, *tints, ink.LAND_USE_OTHER]),
        _fill("river-fill", "barriers", ink.WATER, where=["all", _is("kind", "river"), _POLYGON]),
        _line("river-line", "barriers", ink.WATER, true_width, where=_RIVER_LINE),
        _line("waterway-line", "network", "#6fa3bf", 1.3, dash=[4, 3], where=_is("mode", "water")),
        _fill(
            "farmland-hatch", "control_lines", pattern=f"hatch-{farmland}", opacity=_by_zoom(9, 0.18, 14, 0.5),
            where=_is("kind", farmland),
        ),
        _fill(
            "redline-hatch", "control_lines", pattern=f"hatch-{redline}", opacity=_by_zoom(9, 0.4, 13, 0.6),
            where=_is("kind", redline),
        ),
        _line("parcels-line", "parcels", "#cbc1ae", _by_zoom(12, 0.25, 17, 1.0), minzoom=12),
        _fill("buildings-fill", "buildings", "#d5cbbb", opacity=0.8, minzoom=14, edge="#b9ad99"),
    ]  # fmt: skip


def _findings(name: str, *levels: str, hatched: str = "", seams: bool = True) -> list[StyleLayer]:
    """Fill by level, the hatch of one of the levels, white seams between neighbours."""
    pairs = [item for level, colour in STATES.items() for item in (level, colour)]
    chosen = _is("level", *levels)
    colour = ["match", ["get", "level"], *pairs, STATES["not_assessed"]]
    layers = [_fill(f"{name}-fill", "findings", colour, opacity=_by_zoom(8, 0.95, 15, 0.78), where=chosen)]
    if hatched:
        layers.append(
            _fill(f"{name}-hatch", "findings", pattern=f"hatch-{hatched}", where=_is("level", hatched), minzoom=11)
        )
    if seams:
        layers.append(
            _line(f"{name}-line", "findings", WHITE, _by_zoom(12, 0.4, 17, 1.2), where=chosen, minzoom=12, opacity=0.85)
        )
    return layers


def _transport() -> list[StyleLayer]:
    road = [(8, 0.5), (12, 1.2), (17, 7)]
    width = _by_zoom(*(item for zoom, px in road for item in (zoom, ["*", px, _ROAD_RANK])), base=1.6)
    casing = _by_zoom(*(item for zoom, px in road for item in (zoom, ["+", 1.2, ["*", px, _ROAD_RANK]])), base=1.6)
    rail = _is("mode", "rail")
    return [
        _line("road-casing", "network", ink.ROAD_EDGE, casing, where=_IS_ROAD),
        _line("road-line", "network", WHITE, width, where=_IS_ROAD),
        _line("motorway-casing", "network", ink.MOTORWAY_EDGE, _by_zoom(7, 2.2, 12, 5, 17, 22), where=_IS_MOTORWAY),
        _line("motorway-line", "network", ink.MOTORWAY, _by_zoom(7, 1.2, 12, 3.4, 17, 19), where=_IS_MOTORWAY),
        _line("railway-line", "network", ink.RAIL, _by_zoom(7, 1.2, 12, 2.6, 17, 7), where=rail),
        _line("railway-dash", "network", WHITE, _by_zoom(9, 0.8, 12, 1.5, 17, 4.6), dash=[5, 5], where=rail, minzoom=9),
        _line("power-line", "barriers", "#7b7f7c", 0.9, dash=[8, 3, 1, 3], where=_is("kind", "power_line"), minzoom=11),
        _line(
            "pipeline-line", "barriers", "#a0694b", 1.1, dash=[6, 2, 2, 2], where=_is("kind", "pipeline"), minzoom=11
        ),
    ]


def _boundaries() -> list[StyleLayer]:
    kind = ["get", "kind"]
    return [
        _line(
            "constraints-line", "control_lines", ["match", kind, "basic_farmland", ink.OLIVE, ink.GREEN], 0.8,
            where=_is("kind", "basic_farmland", "ecological_redline"), minzoom=13,
        ),
        _line(
            "urban-boundary-line", "control_lines", ink.VIOLET, _by_zoom(8, 1.2, 15, 2.6), dash=[5, 2, 1, 2],
            where=_is("kind", "urban_boundary"),
        ),
        _line(
            "industrial-line", "control_lines", ink.BROWN, _by_zoom(10, 0.9, 15, 2.0), dash=[3, 2],
            where=_is("kind", "industrial_line"), minzoom=10,
        ),
        _line("towns-line", "towns", ink.TOWN, _by_zoom(7, 0.6, 14, 1.5), dash=[4, 2, 1, 2], opacity=0.75),
    ]  # fmt: skip


def _plots() -> list[StyleLayer]:
    green = STATES["reserve"]
    return [
        _line(
            "plot-members-line", "plot_members", green, _by_zoom(12, 0.5, 17, 1.4), dash=[3, 2], opacity=0.8, minzoom=12
        ),
        _line("plots-casing", "plots", WHITE, _by_zoom(7, 3, 12, 5.5, 17, 8), opacity=0.9),
        _line("plots-line", "plots", green, _by_zoom(7, 1.6, 12, 3, 17, 4.5)),
    ]


def _labels() -> list[StyleLayer]:
    along: dict[str, Any] = {"symbol_placement": "line", "symbol_spacing": 400, "text_letter_spacing": 0.15}
    mark = ["match", ["get", "kind"]]
    mark += ["motorway_ramp", "互", "rail_yard", "铁", "port", "港", "logistics_hub", "流", "点"]
    disc = {
        "circle-color": ink.INK,
        "circle-radius": _by_zoom(9, 5.5, 12, 8, 14, 10),
        "circle-stroke-color": WHITE,
        "circle-stroke-width": 1.5,
    }
    area_mu = ["/", ["*", ["get", "area_m2"], 3], 2000]
    area_text = ["concat", ["number-format", ["round", area_mu], {"locale": "zh-CN"}], " 亩"]
    plot_name = ["coalesce", _NAME, ["get", "plot_id"]]
    full_text = ["format", plot_name, {}, "\n", {}, area_text, {"font-scale": 1.12}]
    # From afar a name would hide the plot that it names.
    plot_text = ["step", ["zoom"], area_text, 13, full_text]
    towns = _label("towns-label", "town_labels", _NAME, "#5d574b", _by_zoom(8, 11, 13, 16), text_letter_spacing=0.25)
    marks = _label(
        "terminals-mark",
        "terminals",
        mark,
        WHITE,
        _by_zoom(10, 8.5, 12, 11, 14, 13),
        minzoom=10,
        text_allow_overlap=True,
    )
    marks["paint"] = {"text-color": WHITE}
    return [
        _label("road-label", "network", _NAME, "#6d6557", 11, where=_is("mode", "road"), minzoom=13, **along),
        _label(
            "river-label", "barriers", _NAME, "#3f7593", 12, where=_RIVER_LINE, minzoom=11, **along
        ),
        _layer("terminals-circle", "circle", "terminals", None, 9, disc),
        marks,
        _label(
            "terminals-label", "terminals", _NAME, ink.INK, 11, minzoom=11.5, text_offset=[0, 1.3], text_anchor="top"
        ),
        towns,
        _label(
            "plots-label", "plot_labels", plot_text, "#06342e", _by_zoom(8, 11.5, 14, 15), halo_px=2.2, text_font=BOLD,
            symbol_sort_key=["-", 0, ["get", "area_m2"]], text_line_height=1.25,
        ),
    ]  # fmt: skip


def district_style(base_url: str) -> dict[str, Any]:
    """The MapLibre style of the district map.

    Parameters
    ----------
    base_url : str
        Scheme, host and prefix under which the service is reached; sources point at ``{base_url}/tiles/{layer}.json``.

    Returns
    -------
    dict
        Style specification version 8 without glyphs and sprite. ``metadata`` carries the legend
        (``lianpian:legend``), the hatches (``lianpian:patterns``) and names of land-use groups (``lianpian:land-use``).
    """
    base = base_url.rstrip("/")
    layers = [
        *_ground(),
        _fill("plots-fill", "plots", STATES["reserve"], opacity=_by_zoom(7, 0.3, 13, 0.1)),
        *_findings("not-assessed", "not_assessed", hatched="not_assessed", seams=False),
        *_findings("due", "overdue", "warning"),
        *_findings("inefficient", "inefficient"),
        *_findings("idle", "idle_1y", "idle_2y", "idle_stalled", hatched="idle_stalled"),
        *_transport(),
        *_boundaries(),
        *_plots(),
        *_labels(),
    ]
    hidden = {name for group in LEGEND if not group.visible for name in group.layers}
    for layer in layers:
        if layer["id"] in hidden:
            layer.setdefault("layout", {})["visibility"] = "none"
    return {
        "version": 8,
        "name": "连片 · 全区一张图",
        "metadata": {
            "lianpian:legend": legend(),
            "lianpian:patterns": {name: asdict(pattern) for name, pattern in PATTERNS.items()},
            "lianpian:land-use": {code: zh for code, (zh, _, _) in LAND_USE_GROUPS.items()},
        },
        "sources": {name: {"type": "vector", "url": f"{base}/tiles/{name}.json"} for name in _SOURCES},
        "layers": layers,
    }
