"""Layers out: a layer or a selection of it, read through the store's one door and written with where it comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import shapely
from shapely.geometry.base import BaseGeometry

from geo.crs import crs_name
from geo.errors import InvalidParameter, NotFound
from geo.layers.filters import Filter, parse_filter
from geo.layers.formats.provenance import Provenance, Written
from geo.layers.schema import LAYERS, Layer
from geo.layers.writing import target_crs, write_layer
from geo.store.base import EVERYTHING, Bounds, Frame, Query, Scope, Store
from geo.store.records import standing_loads

_CHINA = ZoneInfo("Asia/Shanghai")
AREA_METHOD = "CGCS2000 椭球面积（经纬度直线边，等积纬度公式）"
MAX_POLYGON_VERTICES = 10_000


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows of a layer are wanted.

    Parameters
    ----------
    layer : canonical layer name
    bbox : west, south, east, north in EPSG:4490
    filter : CQL2, as text or as its JSON
    polygon : drawn area in EPSG:4490; rows that meet it
    """

    layer: str
    bbox: Bounds | None = None
    filter: str | dict[str, Any] | None = None
    polygon: BaseGeometry | None = None

    def query(self) -> Query:
        """The question to the store.

        Raises
        ------
        InvalidParameter
            An unknown layer, a filter that does not hold against the schema, an area that is none.
        """
        layer = exported_layer(self.layer)
        if layer.geometry is None and (self.bbox is not None or self.polygon is not None):
            raise InvalidParameter(f"图层“{layer.zh}”没有几何，不能按范围选择", where=layer.name, remedy="请去掉范围")
        return Query(layer.name, bbox=self.bbox, filter=self._filter(layer))

    def _filter(self, layer: Layer) -> Filter | None:
        if self.polygon is None:
            return None if self.filter is None else parse_filter(self.filter, layer)
        meets = {"op": "s_intersects", "args": [{"property": "geom"}, _area(self.polygon)]}
        if self.filter is None:
            return parse_filter(meets, layer)
        return parse_filter({"op": "and", "args": [parse_filter(self.filter, layer).expression, meets]}, layer)

    def told(self) -> str:
        """The selection in words, as an export says it of itself."""
        parts = []
        if self.bbox is not None:
            parts.append("范围 " + ",".join(f"{value:g}" for value in self.bbox))
        if self.filter is not None:
            text = self.filter if isinstance(self.filter, str) else json.dumps(self.filter, ensure_ascii=False)
            parts.append(f"条件 {text}")
        if self.polygon is not None:
            west, south, east, north = self.polygon.bounds
            parts.append(f"绘制范围（{west:.5f},{south:.5f},{east:.5f},{north:.5f} 之内的多边形）")
        return "；".join(parts)


def _area(polygon: BaseGeometry) -> dict[str, Any]:
    if polygon.geom_type not in ("Polygon", "MultiPolygon") or polygon.is_empty:
        raise InvalidParameter("选择范围应为多边形", where="polygon", remedy="请画一个面")
    if shapely.get_num_coordinates(polygon) > MAX_POLYGON_VERTICES:
        raise InvalidParameter(
            f"选择范围的顶点超过 {MAX_POLYGON_VERTICES:,} 个", where="polygon", remedy="请简化后再选"
        )
    if not polygon.is_valid:
        raise InvalidParameter("选择范围自相交", where="polygon", remedy="请重画不自相交的多边形")
    area: dict[str, Any] = json.loads(shapely.to_geojson(polygon))
    return area


def exported_layer(name: str) -> Layer:
    """The layer called ``name``; ``NotFound`` where there is none."""
    if name not in LAYERS:
        raise NotFound(f"没有图层“{name[:40]}”", where="layer", remedy="可用：" + "、".join(LAYERS))
    return LAYERS[name]


@dataclass(frozen=True, slots=True)
class Form:
    """How a selection is written: ``format`` is a key of ``FORMATS``, the rest is as in ``write_layer``."""

    format: str
    crs: str = "EPSG:4490"
    names: Literal["canonical", "zh", "short"] | None = None
    encoding: str | None = None
    expand_extra: bool = False


class Pages:
    """The rows of a query in pages; it can be gone through twice, as long as the store stays as it was."""

    def __init__(self, store: Store, query: Query, scope: Scope) -> None:
        self._store, self._query, self._scope = store, query, scope
        self._revision = store.revision()

    def __iter__(self) -> Iterator[Frame]:
        yield from self._store.stream(self._query, self._scope)
        if self._store.revision() != self._revision:
            raise InvalidParameter("导出期间数据有更新，已停止", where=self._query.layer, remedy="请重新导出")


def export_layer(
    store: Store,
    selection: Selection,
    form: Form,
    path: Path,
    *,
    organisation: str = "",
    style: str | None = None,
    scope: Scope = EVERYTHING,
) -> Written:
    """Write a selection into a new file.

    Parameters
    ----------
    path : file to make; it must not exist
    organisation : named in the file
    style : QML for formats that carry one
    scope : what the reader may see

    Raises
    ------
    NotFound
        The layer is outside the scope.
    InvalidParameter
        The selection, the format or the target system does not exist, or the store changed while reading.
    """
    layer = exported_layer(selection.layer)
    query = selection.query()
    bounds = store.bounds(layer.name, scope) if layer.geometry is not None else None
    target = None if layer.geometry is None else target_crs(form.format, form.crs, bounds)
    about = Provenance(
        layer=layer.name,
        title=layer.zh,
        crs="" if target is None else f"{crs_name(target)}（{target.name}）",
        run_id=_run_id(store, layer),
        data_date=_data_date(store, layer),
        made_at=datetime.now(_CHINA).isoformat(timespec="seconds"),
        organisation=organisation,
        selection=selection.told(),
        area_method=AREA_METHOD,
    )
    return write_layer(
        Pages(store, query, scope),
        layer,
        path,
        format=form.format,
        crs=form.crs if target is None else target,
        names=form.names,
        about=about,
        style=style,
        encoding=form.encoding,
        expand_extra=form.expand_extra,
    )


def _run_id(store: Store, layer: Layer) -> str | None:
    runs = store.runs() if layer.origin == "derived" else []
    return runs[-1].run_id if runs else None


def _data_date(store: Store, layer: Layer) -> str | None:
    dates = {load.data_date for load in standing_loads(store.loads()) if load.layer == layer.name and load.data_date}
    return "、".join(sorted(dates)) or None
