"""Questions too long for an address: a posted polygon, a large filter. The same words as in an address, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import shapely

from api.ogc.asking import PAGING, SELECTING, Asked, asked, check_text
from api.ogc.systems import known_system, to_lon_lat
from geo.errors import InvalidParameter
from geo.exporting import MAX_POLYGON_VERTICES
from geo.layers.filters import all_of, parse_filter
from geo.layers.schema import Layer

_SEARCH = frozenset({*SELECTING, *PAGING, "crs", "properties", "polygon", "polygon-crs"})


def posted(text: bytes) -> dict[str, Any]:
    """The JSON object of a body.

    Raises
    ------
    InvalidParameter
        It is none.
    """
    try:
        body = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise InvalidParameter(
            "请求内容应为 JSON 对象", where="body", remedy='例如 {"polygon": {"type": "Polygon", …}}'
        )
    return body


def asked_by(layer: Layer, body: Mapping[str, Any], further: frozenset[str] = frozenset()) -> Asked:
    """The question of a posted object: parameters of an address, ``filter`` as text or CQL2-JSON, and ``polygon``.

    Parameters
    ----------
    further : words that mean something to the caller
    """
    unknown = sorted(set(body) - _SEARCH - further)
    if unknown:
        raise InvalidParameter(
            f"未知参数：{'、'.join(name[:40] for name in unknown)}",
            where="body",
            remedy="可用：" + "、".join(sorted(_SEARCH | further)),
        )
    given: dict[str, str] = {}
    for name, value in body.items():
        if name in ("polygon", "polygon-crs") or name in further or value is None:
            continue
        if name == "filter" and isinstance(value, dict):
            try:
                given[name] = json.dumps(value, ensure_ascii=False, allow_nan=False)
            except (ValueError, RecursionError):
                raise InvalidParameter("filter 不是有效的 CQL2-JSON", where="filter", remedy="请检查数值") from None
            given.setdefault("filter-lang", "cql2-json")
        elif name in ("bbox", "properties", "sortby") and isinstance(value, list):
            given[name] = ",".join(str(part) for part in value)
        elif isinstance(value, str | int) and not isinstance(value, bool):
            given[name] = str(value)
        else:
            raise InvalidParameter(f"“{name}”的值无效", where=name, remedy="应为文本、数或列表")
    question = asked(layer, given, _SEARCH)
    if body.get("polygon") is None:
        return question
    meets = {"op": "s_intersects", "args": [{"property": "geom"}, _polygon(layer, body)]}
    parts = [*([question.query.filter] if question.query.filter is not None else []), parse_filter(meets, layer)]
    return replace(question, query=replace(question.query, filter=all_of(parts, layer)))


def _polygon(layer: Layer, body: Mapping[str, Any]) -> dict[str, Any]:
    """The posted polygon in EPSG:4490, valid."""
    wrong = InvalidParameter("polygon 不是有效的多边形", where="polygon", remedy="请给 GeoJSON Polygon，环首尾相同")
    if layer.geometry is None:
        raise InvalidParameter(f"图层“{layer.zh}”没有几何，不能按范围选择", where="polygon", remedy="请去掉 polygon")
    system = body.get("polygon-crs")
    if system is not None and not isinstance(system, str):
        raise InvalidParameter("polygon-crs 无效", where="polygon-crs")
    crs = None if system is None else known_system(system, "polygon-crs")
    drawn = body["polygon"]
    if not isinstance(drawn, dict) or drawn.get("type") not in ("Polygon", "MultiPolygon"):
        raise wrong
    try:
        shape = shapely.from_geojson(json.dumps(to_lon_lat(drawn, crs, "polygon"), allow_nan=False))
    except (shapely.errors.GEOSException, ValueError, TypeError, RecursionError):
        raise wrong from None
    if shape.is_empty or not shape.is_valid:
        raise wrong
    if shapely.get_num_coordinates(shape) > MAX_POLYGON_VERTICES:
        raise InvalidParameter(
            f"polygon 的顶点超过 {MAX_POLYGON_VERTICES:,} 个", where="polygon", remedy="请简化后再选"
        )
    area: dict[str, Any] = json.loads(shapely.to_geojson(shapely.force_2d(shape)))
    return area


def words_of(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A list of names in a body: a list, or text with commas."""
    value = body.get(name, [])
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise InvalidParameter(f"“{name}”应为字段名的列表", where=name, remedy='例如 ["town"]')
    for part in parts:
        check_text(part, name)
    return tuple(part.strip() for part in parts if part.strip())


def _no_number(name: str) -> float:
    raise ValueError(name)
