"""The sheet: the plots of the latest run as one HTML file that needs no network, now or in ten years.

Leaflet travels inside the file. Scripts and styles are allowed by their hash alone, and every attribute is escaped
before it meets HTML: names come from files that others wrote.
"""

from __future__ import annotations

import base64
import hashlib
import html
import os
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import folium
import geopandas as gpd
import jinja2
import numpy as np
import pandas as pd
import shapely
from folium.elements import MacroElement
from folium.template import Template

from geo.errors import InvalidParameter, NotFound
from geo.store.base import EVERYTHING, Query, Run, Scope, Store
from geo.units import M2_PER_HA, mu
from maps.legend import INK, LEGEND, MAIN_ROADS, MOTORWAY_EDGE, MOTORWAYS, RAIL, STATES, TOWN, WATER
from maps.workbench import dist_folder

# The level of a parcel that has several is the gravest one.
GRAVEST_FIRST = ("idle_2y", "idle_1y", "idle_stalled", "inefficient", "overdue", "warning", "not_assessed")
PLAIN = ("none", "其他成员宗地", "#e3dccd")
# Lines for orientation: layer, field, its values, Chinese name, colour, width in pixels; drawn in this order.
LINES: tuple[tuple[str, str, tuple[str, ...], str, str, float], ...] = (
    ("barriers", "kind", ("river",), "河流", "#8fb9cf", 4),
    ("network", "road_class", MAIN_ROADS, "主要道路", "#c3b9a6", 1.6),
    ("network", "road_class", MOTORWAYS, "高速公路", MOTORWAY_EDGE, 3),
    ("network", "mode", ("rail",), "铁路", RAIL, 2),
)
# About a metre on the ground, far below what a sheet can show; a million vertices are about 20 MB of text.
SIMPLIFY_DEGREES = 1e-5
MANY_VERTICES = 60_000


@dataclass(frozen=True, slots=True)
class SheetParameters:
    """What stands on a sheet besides the map.

    Parameters
    ----------
    title : heading
    unit : the office that draws the sheet, empty to leave it out
    simplify_degrees : tolerance that outlines may be simplified by where the sheet would grow too large
    """

    title: str = "集中连片工业用地分布图"
    unit: str = ""
    simplify_degrees: float = SIMPLIFY_DEGREES


class OfflineMap(folium.Map):
    """A folium map that asks for no script and no style of anybody; the sheet carries Leaflet itself."""

    default_js: list[tuple[str, str]] = []  # noqa: RUF012
    default_css: list[tuple[str, str]] = []  # noqa: RUF012


class MetricScale(MacroElement):
    """A scale bar in metres and kilometres only; folium's own adds miles."""

    _template = Template("""
        {% macro script(this, kwargs) %}
        L.control.scale({imperial: false, maxWidth: 160}).addTo({{ this._parent.get_name() }});
        {% endmacro %}""")


def plots_sheet(
    store: Store, out: Path, parameters: SheetParameters | None = None, *, scope: Scope = EVERYTHING
) -> Path:
    """Write the plots of the latest run as one self-contained HTML file.

    Parameters
    ----------
    store : Store
        Where the latest run and its layers are read.
    out : Path
        The file to write; replaced as a whole or not at all.
    parameters : SheetParameters, optional
        Title, office, simplification.
    scope : Scope
        What the reader of the sheet may see.

    Returns
    -------
    Path
        ``out``.

    Raises
    ------
    NotFound
        Nothing was analysed yet, or the page with its copy of Leaflet was not built.
    InvalidParameter
        The folder of ``out`` does not exist.
    """
    parameters = parameters or SheetParameters()
    if not out.resolve().parent.is_dir():
        raise InvalidParameter(f"文件夹不存在：{out.parent}", where=str(out), remedy="请先建立该文件夹")
    runs = store.runs()
    if not runs:
        raise NotFound("还没有分析结果", where="runs", remedy="请先运行 lianpian analyse")
    run = runs[-1]

    plots = _frame(store, Query("plots"), scope).sort_values("area_m2", ascending=False, ignore_index=True)
    members = _with_levels(store, scope)
    towns = _frame(store, Query("towns"), scope)
    lines = [
        _frame(store, Query(layer, equals={field: values}, columns=("name",)), scope)
        for layer, field, values, _, _, _ in LINES
    ]
    drawn = [plots, members, towns, *lines]
    vertices = sum(int(shapely.get_num_coordinates(frame.geometry.values).sum()) for frame in drawn)
    simplified = vertices > MANY_VERTICES
    if simplified:
        plots, members, towns, *lines = (
            frame.set_geometry(_simpler(frame.geometry, parameters.simplify_degrees)) for frame in drawn
        )

    sheet = OfflineMap(tiles=None, zoom_control=True, attributionControl=False, zoomSnap=0.25, prefer_canvas=False)
    _add_lines(sheet, lines)
    _add_towns(sheet, towns)
    _add_members(sheet, members)
    _add_plots(sheet, plots)
    sheet.add_child(MetricScale())
    folium.LayerControl(collapsed=True).add_to(sheet)
    bounds = _bounds(plots, towns)
    if bounds is not None:
        west, south, east, north = bounds
        sheet.fit_bounds([[south, west], [north, east]], padding=(30, 30))

    frame = _frame_html(store, run, plots, members, lines, parameters, simplified)
    text = _seal(sheet.get_root().render(), frame, parameters.title)
    part = out.with_name(f".{out.name}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, out)
    return out


def _frame(store: Store, query: Query, scope: Scope) -> gpd.GeoDataFrame:
    """A layer with its geometry, rows without one left out."""
    found = store.read(query, scope)
    if not isinstance(found, gpd.GeoDataFrame):
        raise NotFound(f"图层 {query.layer} 没有图形", where=query.layer)
    return found[~(found.geometry.isna() | found.geometry.is_empty)].reset_index(drop=True)


def _with_levels(store: Store, scope: Scope) -> gpd.GeoDataFrame:
    """Members of plots with ``level`` (gravest finding of the parcel, ``none`` without one) and ``holder``."""
    members = _frame(store, Query("plot_members"), scope)
    asked = Query("findings", columns=("parcel_id", "level", "holder"), geometry=False)
    findings = pd.DataFrame(store.read(asked, scope))
    rank = pd.Series(range(len(GRAVEST_FIRST)), index=list(GRAVEST_FIRST))
    findings = findings.assign(rank=findings["level"].map(rank).fillna(len(rank)))
    gravest = findings.sort_values("rank", kind="stable").drop_duplicates("parcel_id").set_index("parcel_id")
    members["level"] = members["parcel_id"].map(gravest["level"]).astype(object).fillna(PLAIN[0])
    members["holder"] = members["parcel_id"].map(gravest["holder"])
    return members


def _simpler(geometry: gpd.GeoSeries, tolerance: float) -> np.ndarray:
    """Outlines with fewer vertices; borders that neighbours share stay shared where the layer is a clean coverage."""
    values = geometry.to_numpy()
    areal = bool((shapely.get_dimensions(values) == 2).all())
    if areal and len(values) and shapely.coverage_is_valid(values):
        return np.asarray(shapely.coverage_simplify(values, tolerance))
    return np.asarray(shapely.simplify(values, tolerance, preserve_topology=True))


def _escaped(values: pd.Series, absent: str = "") -> list[str]:
    return [html.escape(str(value)) if pd.notna(value) else absent for value in values]


def _figures(values: pd.Series, decimals: int = 1) -> list[str]:
    return [f"{value:,.{decimals}f}" if pd.notna(value) else "—" for value in values]


def _layer(frame: gpd.GeoDataFrame, columns: dict[str, list[str]], style: dict[str, Any], name: str) -> folium.GeoJson:
    """A GeoJSON layer with ``columns`` (Chinese heading -> escaped values) as its tooltip, coordinates to 0.1 m."""
    rounded = shapely.transform(frame.geometry.to_numpy(), lambda xy: np.round(xy, 6))
    data = gpd.GeoDataFrame(columns, geometry=rounded, index=range(len(frame)), crs=frame.crs)
    tooltip = folium.GeoJsonTooltip(list(columns), localize=False) if columns else None
    layer = folium.GeoJson(
        data.to_json(to_wgs84=False, drop_id=True), name=name, tooltip=tooltip, style_function=lambda _: style
    )
    return layer


def _name_at(point: shapely.Point, inner: str, class_name: str) -> folium.Marker:
    """Text on the map; ``inner`` is HTML of which every value is escaped already."""
    icon = folium.DivIcon(html=f"<div>{inner}</div>", icon_size=(0, 0), class_name=class_name)
    return folium.Marker((point.y, point.x), icon=icon, interactive=False, keyboard=False)


def _add_lines(sheet: folium.Map, lines: list[gpd.GeoDataFrame]) -> None:
    for (_, _, _, zh, colour, width_px), chosen in zip(LINES, lines, strict=True):
        if len(chosen):
            area = (shapely.get_dimensions(chosen.geometry.to_numpy()) == 2).any()
            style = {"color": colour, "weight": 0.8 if area else width_px, "fillColor": WATER, "fillOpacity": 0.7}
            _layer(chosen, {zh: _escaped(chosen["name"])}, style | {"fill": bool(area)}, zh).add_to(sheet)


def _add_towns(sheet: folium.Map, towns: gpd.GeoDataFrame) -> None:
    if not len(towns):
        return
    style = {"color": TOWN, "weight": 1.2, "dashArray": "8 4 2 4", "fill": False, "interactive": False}
    group = folium.FeatureGroup(name="乡镇街道").add_to(sheet)
    _layer(towns, {}, style, "乡镇街道界").add_to(group)
    for point, name in zip(towns.geometry.representative_point(), _escaped(towns["name"]), strict=True):
        _name_at(point, name, "town-name").add_to(group)


def _levels() -> list[tuple[str, str, str]]:
    """Level, Chinese name and colour of what a member can be, gravest first."""
    entries = {entry.key: entry for group in LEGEND for entry in group.entries}
    return [*((level, entries[level].zh, STATES[level]) for level in GRAVEST_FIRST), PLAIN]


def _add_members(sheet: folium.Map, members: gpd.GeoDataFrame) -> None:
    for level, zh, colour in _levels():
        chosen = members[members["level"] == level]
        if not len(chosen):
            continue
        columns = {
            "宗地": _escaped(chosen["parcel_id"]),
            "使用权人": _escaped(chosen["holder"], "—"),
            "计入（亩）": _figures(mu(chosen["area_m2"])),
            "认定": [zh] * len(chosen),
        }
        style = {"color": "#ffffff", "weight": 0.8, "fillColor": colour, "fillOpacity": 0.85}
        _layer(chosen, columns, style, zh).add_to(sheet)


def _add_plots(sheet: folium.Map, plots: gpd.GeoDataFrame) -> None:
    if not len(plots):
        return
    group = folium.FeatureGroup(name="连片地块").add_to(sheet)
    style = {"color": STATES["reserve"], "weight": 3, "fill": False, "interactive": False}
    _layer(plots, {}, style, "连片地块界线").add_to(group)
    # The number of the plot in the list: names are too long to stand side by side.
    areas = _figures(mu(plots["area_m2"]), 0)
    for place, (point, area) in enumerate(zip(plots.geometry.representative_point(), areas, strict=True), start=1):
        _name_at(point, f"<b>{place}</b>{area} 亩", "plot-name").add_to(group)


def _plot_names(plots: gpd.GeoDataFrame) -> list[str]:
    return [str(value) for value in plots["name"].fillna(plots["plot_id"])]


def _bounds(plots: gpd.GeoDataFrame, towns: gpd.GeoDataFrame) -> tuple[float, float, float, float] | None:
    for frame in (plots, towns):
        if len(frame):
            west, south, east, north = (float(value) for value in frame.total_bounds)
            return west, south, east, north
    return None


def _frame_html(
    store: Store,
    run: Run,
    plots: gpd.GeoDataFrame,
    members: gpd.GeoDataFrame,
    lines: list[gpd.GeoDataFrame],
    parameters: SheetParameters,
    simplified: bool,
) -> str:
    """Title, legend, list and imprint; Jinja escapes every value."""
    present = set(members["level"])
    legend = [{"zh": "连片地块", "symbol": "outline", "stroke": STATES["reserve"], "fill": ""}]
    legend += [
        {"zh": zh, "symbol": "fill", "fill": colour, "stroke": INK}
        for level, zh, colour in _levels()
        if level in present
    ]
    legend += [
        {"zh": zh, "symbol": "line", "stroke": colour, "fill": ""}
        for (_, _, _, zh, colour, _), chosen in zip(LINES, lines, strict=True)
        if len(chosen)
    ]
    dates = [load.data_date or load.loaded_at[:10] for load in store.loads() if load.layer == "parcels"]
    rows = [
        {"name": name, "town": town, "mu": area_mu, "ha": area_ha, "parcels": parcels, "holders": holders}
        for name, town, area_mu, area_ha, parcels, holders in zip(
            _plot_names(plots),
            plots["town"].astype(object).fillna(""),
            _figures(mu(plots["area_m2"])),
            _figures(plots["area_m2"] / M2_PER_HA, 2),
            _figures(plots["parcel_count"], 0),
            _figures(plots["holder_count"], 0),
            strict=True,
        )
    ]
    contiguity = run.parameters.get("plots", {})
    template = jinja2.Template(files("maps").joinpath("sheet_frame.html").read_text("utf-8"), autoescape=True)
    return template.render(
        title=parameters.title,
        unit=parameters.unit,
        simplified=simplified,
        legend=legend,
        plots=rows,
        total_mu=f"{mu(float(plots['area_m2'].sum())):,.1f}",
        total_ha=f"{float(plots['area_m2'].sum()) / M2_PER_HA:,.2f}",
        gap_m=f"{contiguity['gap_m']:g}" if "gap_m" in contiguity else "—",
        min_area_mu=f"{mu(contiguity['min_area_m2']):g}" if "min_area_m2" in contiguity else "—",
        data_date=max(dates, default="—"),
        as_of=run.as_of,
        run_id=run.run_id,
        ruleset=run.parameters.get("ruleset_title", run.ruleset),
    )


def _seal(page: str, frame: str, title: str) -> str:
    """Put Leaflet and the frame into folium's page and allow exactly what is in it, by hash.

    Raises
    ------
    RuntimeError
        Something in the page still points outside.
    """
    vendor = dist_folder() / "vendor"
    script = re.sub(r"//# sourceMappingURL=\S*", "", (vendor / "leaflet.js").read_text("utf-8"))
    script = script.replace("</script", "<\\/script")
    # Leaflet's pictures (marker, layer button) are not used; without their addresses nothing can ask for them.
    styles = re.sub(r"url\([^)]*\)", "none", (vendor / "leaflet.css").read_text("utf-8"))
    styles += files("maps").joinpath("sheet.css").read_text("utf-8")
    head = f"<title>{html.escape(title)}</title><style>{styles}</style><script>{script}</script>"
    page = page.replace("<html>", '<html lang="zh-CN">', 1).replace("<head>", f"<head>{head}", 1)
    page = page.replace("<body>", f"<body>{frame}", 1)
    outside = re.search(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)\s*=", page)
    if outside:
        raise RuntimeError(f"the sheet would load from outside: {outside[0]}")
    scripts = " ".join(_hashes(page, "script"))
    policy = f"default-src 'none'; script-src {scripts}; style-src {' '.join(_hashes(page, 'style'))}"
    return page.replace("<head>", f'<head><meta http-equiv="Content-Security-Policy" content="{policy}">', 1)


def _hashes(page: str, tag: str) -> list[str]:
    bodies = re.findall(rf"<{tag}(?:\s[^>]*)?>(.*?)</{tag}>", page, re.DOTALL)
    digests = (hashlib.sha256(body.encode()).digest() for body in bodies)
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
