"""The JSON documents about the service and its collections (OGC 17-069r4, 18-058r1, 19-079r2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from api.ogc.systems import CRS84, STORAGE_URI, SYSTEMS
from api.ogc.temporal import DATE_FIELDS
from geo.layers.schema import LAYERS, Field, Layer
from geo.store.base import Query, Store

JSON, HTML, GEOJSON = "application/json", "text/html", "application/geo+json"
SCHEMA_JSON = "application/schema+json"
OPENAPI_3_0 = "application/vnd.oai.openapi+json;version=3.0"

_PART_1 = "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/"
_PART_3 = "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/"
# ``casei`` folds the letters A to Z and not all of Unicode, and two constants are not compared: the classes
# case-insensitive-comparison and property-property are not declared, nor are spatial-functions (no collections of
# geometries as constants) and arithmetic (no ``%``, ``div``, ``^``).
_CQL2 = "http://www.opengis.net/spec/cql2/1.0/conf/"
CONFORMS_TO: tuple[str, ...] = (
    *(f"{_PART_1}{name}" for name in ("core", "geojson", "html", "oas30")),
    "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs",
    *(f"{_PART_3}{name}" for name in ("queryables", "queryables-query-parameters", "filter", "features-filter")),
    *(
        f"{_CQL2}{name}"
        for name in (
            "cql2-text",
            "cql2-json",
            "basic-cql2",
            "advanced-comparison-operators",
            "basic-spatial-functions",
        )
    ),
)
FORMATS_OF_ITEMS = {
    "geojson": GEOJSON,
    "html": HTML,
    "csv": "text/csv; charset=utf-8",
    "fgb": "application/flatgeobuf",
    "geoparquet": "application/vnd.apache.parquet",
}
_REL = "http://www.opengis.net/def/rel/ogc/1.0/"


def link(rel: str, href: str, kind: str, title: str = "") -> dict[str, str]:
    """One link; ``rel`` and ``type`` are always there (/req/core/fc-rel-type)."""
    told = {"rel": rel, "type": kind, "href": href}
    return {**told, "title": title} if title else told


def queryables_link(base_url: str, layer: Layer) -> str:
    """The queryables of what can be filtered, as the header ``Link`` (/req/queryables/queryables-link)."""
    return f'<{base_url}/collections/{layer.name}/queryables>; rel="{_REL}queryables"; type="{SCHEMA_JSON}"'


def self_and_html(address: str, kind: str = JSON) -> list[dict[str, str]]:
    """The links of a document to itself and to the page of it."""
    word = "geojson" if kind == GEOJSON else "json"
    return [link("self", f"{address}?f={word}", kind), link("alternate", f"{address}?f=html", HTML)]


def landing_page(base_url: str, further: Iterable[dict[str, Any]] = ()) -> dict[str, Any]:
    """The landing page (/req/core/root-success)."""
    return {
        "title": "连片",
        "description": "闲置与低效用地、500 亩以上集中连片工业用地、项目选址",
        "links": [
            *self_and_html(f"{base_url}/"),
            link("service-desc", f"{base_url}/openapi.json", OPENAPI_3_0, "接口定义"),
            link("service-doc", f"{base_url}/docs", HTML, "接口文档"),
            link("conformance", f"{base_url}/conformance", JSON, "符合的标准"),
            link("data", f"{base_url}/collections", JSON, "图层"),
            *further,
        ],
    }


def conformance(base_url: str, classes: Iterable[str]) -> dict[str, Any]:
    """The conformance classes that are met (/req/core/conformance-success)."""
    return {"links": self_and_html(f"{base_url}/conformance"), "conformsTo": list(dict.fromkeys(classes))}


def collection(
    layer: Layer, store: Store, base_url: str, further: Iterable[dict[str, Any]] = (), *, alone: bool = True
) -> dict[str, Any]:
    """The document of one collection (/req/core/sfc-md-success, /req/crs/fc-md-crs-list, fc-md-storageCrs)."""
    here = f"{base_url}/collections/{layer.name}"
    items = f"{here}/items"
    links = [
        *self_and_html(here),
        link("items", f"{items}?f=geojson", GEOJSON, layer.zh),
        link("items", f"{items}?f=html", HTML, layer.zh),
        *(
            link("items", f"{items}?f={word}", kind)
            for word, kind in FORMATS_OF_ITEMS.items()
            if word in ("csv", "geoparquet") or (word == "fgb" and layer.geometry is not None)
        ),
        link(f"{_REL}queryables", f"{here}/queryables", SCHEMA_JSON, "可查询的字段"),
        link(f"{_REL}sortables", f"{here}/sortables", SCHEMA_JSON, "可排序的字段"),
        link("aggregates", f"{here}/aggregates", JSON, "汇总"),
        *([link("nearest", f"{here}/nearest", GEOJSON, "最近的要素")] if layer.geometry is not None else []),
        *further,
    ]
    if not alone:
        links[0] = link("self", here, JSON)
    document: dict[str, Any] = {"id": layer.name, "title": layer.zh, "itemType": "feature", "links": links}
    extent: dict[str, Any] = {}
    if layer.geometry is not None:
        document |= {"crs": list(SYSTEMS), "storageCrs": STORAGE_URI}
        bounds = store.bounds(layer.name)
        if bounds is not None:
            extent["spatial"] = {"bbox": [list(bounds)], "crs": CRS84}
    else:
        document["crs"] = [CRS84]
    interval = _interval(layer, store) if alone else None
    if interval is not None:
        extent["temporal"] = {"interval": [interval], "trs": "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian"}
    if extent:
        document["extent"] = extent
    return document


def _interval(layer: Layer, store: Store) -> list[str] | None:
    """The first and the last day of a layer, as moments in China."""
    name = DATE_FIELDS.get(layer.name)
    if name is None:
        return None
    ends = []
    for direction in ("asc", "desc"):
        frame = store.read(Query(layer.name, columns=(name,), geometry=False, limit=1, sort=((name, direction),)))
        if frame.empty or frame[name].isna().iloc[0]:
            return None
        ends.append(frame[name].iloc[0].date().isoformat())
    return [f"{ends[0]}T00:00:00+08:00", f"{ends[1]}T23:59:59+08:00"]


def collections(store: Store, base_url: str, further: Any) -> dict[str, Any]:
    """All collections (/req/core/fc-md-success); ``further(layer)`` gives the links of other standards."""
    return {
        "links": self_and_html(f"{base_url}/collections"),
        "crs": list(SYSTEMS),
        "collections": [
            collection(layer, store, base_url, further(layer.name), alone=False) for layer in LAYERS.values()
        ],
    }


def schema_of(layer: Layer, base_url: str, what: str) -> dict[str, Any]:
    """Queryables or sortables as JSON Schema (/req/queryables/get-queryables-response)."""
    properties = {field.name: schema_of_field(field) for field in layer.fields if field.kind != "json"}
    if what == "queryables" and layer.geometry is not None:
        kind = "any" if layer.geometry == "any" else layer.geometry
        properties["geom"] = {"title": "几何", "format": f"geometry-{kind}", "x-ogc-role": "primary-geometry"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{base_url}/collections/{layer.name}/{what}",
        "type": "object",
        "title": layer.zh,
        "properties": properties,
        "additionalProperties": False,
    }


def schema_of_field(field: Field) -> dict[str, Any]:
    """The schema of the values of a field."""
    kinds: dict[str, dict[str, Any]] = {
        "text": {"type": "string"},
        "real": {"type": "number"},
        "integer": {"type": "integer"},
        "boolean": {"type": "boolean"},
        "date": {"type": "string", "format": "date"},
    }
    told = {"title": field.zh, **kinds[field.kind]}
    return {**told, "x-ogc-unit": field.unit} if field.unit else told
