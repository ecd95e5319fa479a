"""What the addresses of the features interface take and give, as OpenAPI 3.0 (/req/oas30/oas-definition-2)."""

from __future__ import annotations

from typing import Any

from api.ogc.asking import DEFAULT_LIMIT, MAX_LIMIT
from api.ogc.documents import FORMATS_OF_ITEMS, GEOJSON, HTML, JSON, SCHEMA_JSON, schema_of_field
from api.ogc.systems import CRS84, SYSTEMS
from api.openapi import problem_response
from geo.layers.schema import LAYERS, Field, Layer
from geo.store.nearest import MOST_NEAREST

_TAG = ["图层"]


def _query(name: str, schema: dict[str, Any], told: str, *, required: bool = False, **more: Any) -> dict[str, Any]:
    return {
        "name": name, "in": "query", "required": required, "description": told, "schema": schema, **more,
    }  # fmt: skip


def _text(**more: Any) -> dict[str, Any]:
    return {"type": "string", **more}


_COLLECTION = {
    "name": "collectionId", "in": "path", "required": True, "description": "图层",
    "schema": _text(enum=list(LAYERS)),
}  # fmt: skip
_FEATURE = {
    "name": "featureId", "in": "path", "required": True, "description": "要素编号", "schema": _text(minLength=1),
}  # fmt: skip
# /req/core/fc-limit-definition, fc-bbox-definition, fc-time-definition.
_LIMIT = _query(
    "limit", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    "每页最多条数；超过最大值按最大值", style="form", explode=False,
)  # fmt: skip
_BBOX = _query(
    "bbox",
    {"type": "array", "oneOf": [{"minItems": 4, "maxItems": 4}, {"minItems": 6, "maxItems": 6}],
     "items": {"type": "number"}},
    "范围：西,南,东,北（或带最低、最高高程的六个数）；西大于东则跨越 180 度经线", style="form", explode=False,
)  # fmt: skip
_TIME = _query("datetime", _text(), "时刻或时段（RFC 3339），开端用 .. 表示", style="form", explode=False)
_SYSTEM = _text(format="uri", enum=list(SYSTEMS), default=CRS84)
_CRS = _query("crs", _SYSTEM, "坐标系（轴序从其定义）", style="form", explode=False)
_FILTERING = [
    _query("bbox-crs", _SYSTEM, "bbox 的坐标系", style="form", explode=False),
    _query("filter", _text(maxLength=8192), "条件（CQL2）"),
    _query("filter-lang", _text(enum=["cql2-text", "cql2-json"], default="cql2-text"), "条件的写法"),
    _query("filter-crs", _SYSTEM, "条件中几何的坐标系"),
]
_SELECTING = [_BBOX, _TIME, *_FILTERING]
_PROPERTIES = _query("properties", {"type": "array", "items": _text()}, "要哪些字段", style="form", explode=False)
_SHOWING = [
    _PROPERTIES,
    _query("sortby", _text(), "排序：+字段,-字段；没有值的排在最后"),
    _query("after", _text(), "翻页标记，来自 next 链接"),
]
_LANGUAGE = _query("lang", _text(enum=["zh", "en"]), "页面的语言")
# Any field of the layer is a parameter of its own (/req/queryables-query-parameters/parameters).
_FIELDS = _query(
    "fields", {"type": "object", "additionalProperties": {"type": "string"}}, "字段=值：按字段筛选", style="form",
    explode=True,
)  # fmt: skip


def _form(*words: str) -> dict[str, Any]:
    return _query("f", _text(enum=list(words)), "格式；不给则按 Accept")


_LINKS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["href", "rel"],
        "properties": {name: _text() for name in ("href", "rel", "type", "title")},
    },
}
_GEOMETRY = {"type": "object", "nullable": True, "required": ["type"], "properties": {"type": _text()}}
_FEATURE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "geometry", "properties"],
    "properties": {
        "type": _text(enum=["Feature"]),
        "id": _text(),
        "geometry": _GEOMETRY,
        "properties": {"type": "object", "nullable": True},
        "distance_m": {"type": "number", "minimum": 0},
        "links": _LINKS,
    },
}
_PAGE_SCHEMA = {
    "type": "object",
    "required": ["type", "features", "links", "timeStamp", "numberReturned"],
    "properties": {
        "type": _text(enum=["FeatureCollection"]),
        "features": {"type": "array", "items": _FEATURE_SCHEMA},
        "links": _LINKS,
        "timeStamp": _text(format="date-time"),
        "numberReturned": {"type": "integer", "minimum": 0},
        "numberMatched": {"type": "integer", "minimum": 0},
    },
}
_ONE_COLLECTION = {
    "type": "object",
    "required": ["id", "links"],
    "properties": {
        "id": _text(),
        "title": _text(),
        "itemType": _text(),
        "links": _LINKS,
        "crs": {"type": "array", "items": _text()},
        "storageCrs": _text(),
        "extent": {"type": "object"},
    },
}
_LANDING = {"type": "object", "required": ["links"], "properties": {"title": _text(), "links": _LINKS}}
_CLASSES = {
    "type": "object",
    "required": ["conformsTo"],
    "properties": {"conformsTo": {"type": "array", "items": _text()}},
}
_COLLECTIONS = {
    "type": "object",
    "required": ["links", "collections"],
    "properties": {"links": _LINKS, "collections": {"type": "array", "items": _ONE_COLLECTION}},
}
_TOTAL = {
    "type": "object",
    "required": ["count", "sums"],
    "properties": {
        "count": {"type": "integer", "minimum": 0},
        "sums": {"type": "object", "additionalProperties": {"type": "number", "nullable": True}},
        "area_mu": {"type": "number", "nullable": True},
        "key": {"type": "object"},
    },
}
_TOTALS = {
    "type": "object",
    "required": ["collection", "groups", "total"],
    "properties": {"groups": {"type": "array", "items": _TOTAL}, "total": _TOTAL, "collection": _text()},
}
_SEARCH = {
    "type": "object",
    "properties": {
        "polygon": {"type": "object", "nullable": True, "description": "GeoJSON Polygon 或 MultiPolygon"},
        "polygon-crs": _text(),
        "bbox": {"type": "array", "items": {"type": "number"}},
        "filter": {"oneOf": [{"type": "string"}, {"type": "object"}], "description": "CQL2 文本或 JSON"},
        "filter-lang": _text(),
        "filter-crs": _text(),
        "datetime": _text(),
        "properties": {"type": "array", "items": _text()},
        "sortby": _text(),
        "limit": {"type": "integer", "minimum": 1},
        "after": _text(),
        "crs": _text(),
    },
}


def _content(schema: dict[str, Any], kind: str, *others: str) -> dict[str, Any]:
    text = {other: {"schema": {"type": "string"}} for other in others}
    return {kind: {"schema": schema}, **text}


def _get(
    name: str, summary: str, parameters: list[dict[str, Any]], content: dict[str, Any], *, found: bool = True
) -> dict[str, Any]:
    """A GET with what it answers (/req/oas30/exceptions-codes)."""
    answers: dict[str, Any] = {
        "200": {"description": summary, "content": content},
        "400": problem_response("请求参数不合要求"),
        **({"404": problem_response("没有这个图层或要素")} if found else {}),
        "500": problem_response("服务内部错误"),
        "503": problem_response("数据库没有应答或服务繁忙"),
    }
    return {
        "tags": _TAG, "operationId": name, "summary": summary, "parameters": parameters, "responses": answers,
    }  # fmt: skip


def _post(name: str, summary: str, body: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    operation = _get(name, summary, [_COLLECTION], content)
    operation["requestBody"] = {"required": True, "content": {JSON: {"schema": body}}}
    operation["responses"]["413"] = problem_response("请求内容过大")
    return operation


_HERE = "/collections/{collectionId}"
_PAIR = _form("json", "html")
_BINARY = {"type": "string", "format": "binary"}
_ITEMS_CONTENT: dict[str, Any] = {
    GEOJSON: {"schema": _PAGE_SCHEMA},
    **{kind: {"schema": _BINARY} for kind in FORMATS_OF_ITEMS.values() if kind != GEOJSON},
}
_BY = [
    _query("by", {"type": "array", "items": _text()}, "按哪些字段分组，最多三个", style="form", explode=False),
    _query("sum", {"type": "array", "items": _text()}, "对哪些数值字段求和", style="form", explode=False),
]

PATHS: dict[str, dict[str, Any]] = {
    "/": {"get": _get("getLandingPage", "首页", [_PAIR], _content(_LANDING, JSON, HTML), found=False)},
    "/conformance": {
        "get": _get("getConformance", "符合的标准", [_PAIR, _LANGUAGE], _content(_CLASSES, JSON, HTML), found=False)
    },
    "/collections": {
        "get": _get("getCollections", "全部图层", [_PAIR, _LANGUAGE], _content(_COLLECTIONS, JSON, HTML), found=False)
    },
    _HERE: {
        "get": _get(
            "describeCollection", "一个图层", [_COLLECTION, _PAIR, _LANGUAGE], _content(_ONE_COLLECTION, JSON, HTML)
        )
    },
    **{
        f"{_HERE}/{what}": {
            "get": _get(name, summary, [_COLLECTION, _PAIR, _LANGUAGE], _content({"type": "object"}, SCHEMA_JSON, HTML))
        }
        for what, name, summary in (
            ("queryables", "getQueryables", "可查询的字段"),
            ("sortables", "getSortables", "可排序的字段"),
        )
    },
    f"{_HERE}/items": {
        "get": _get(
            "getFeatures",
            "图层要素",
            [_COLLECTION, _LIMIT, *_SELECTING, _CRS, *_SHOWING, _FIELDS, _form(*FORMATS_OF_ITEMS, "json"), _LANGUAGE],
            _ITEMS_CONTENT,
        )
    },
    f"{_HERE}/items/{{featureId}}": {
        "get": _get(
            "getFeature",
            "一个要素",
            [_COLLECTION, _FEATURE, _CRS, _form("geojson", "json", "html"), _LANGUAGE],
            _content(_FEATURE_SCHEMA, GEOJSON, HTML),
        )
    },
    f"{_HERE}/search": {
        "post": _post("searchFeatures", "按多边形或条件查询", _SEARCH, _content(_PAGE_SCHEMA, GEOJSON))
    },
    f"{_HERE}/aggregates": {
        "get": _get("getTotals", "汇总", [_COLLECTION, *_BY, *_SELECTING, _FIELDS], _content(_TOTALS, JSON)),
        "post": _post("postTotals", "按多边形或条件汇总", _SEARCH, _content(_TOTALS, JSON)),
    },
    f"{_HERE}/nearest": {
        "get": _get(
            "getNearest",
            "最近的要素",
            [
                _COLLECTION,
                _query("lon", {"type": "number", "minimum": -180, "maximum": 180}, "经度", required=True),
                _query("lat", {"type": "number", "minimum": -89, "maximum": 89}, "纬度", required=True),
                _query("k", {"type": "integer", "minimum": 1, "maximum": MOST_NEAREST, "default": 10}, "个数"),
                *_SELECTING,
                _CRS,
                _PROPERTIES,
                _FIELDS,
            ],
            _content(_PAGE_SCHEMA, GEOJSON),
        )
    },
}


def _field(field: Field) -> dict[str, Any]:
    return _query(field.name, schema_of_field(field), field.zh, style="form", explode=False)


def _items_of(layer: Layer) -> dict[str, Any]:
    """The items of one layer: its fields by name, as GDAL looks for them before it leaves a filter to the server."""
    content = dict(_ITEMS_CONTENT)
    if layer.geometry is None:
        del content[FORMATS_OF_ITEMS["fgb"]]
    fields = [_field(field) for field in layer.fields if field.kind != "json"]
    forms = [word for word in FORMATS_OF_ITEMS if word != "fgb" or layer.geometry is not None]
    parameters = [_LIMIT, *_SELECTING, _CRS, *_SHOWING, *fields, _form(*forms, "json"), _LANGUAGE]
    return {"get": _get(f"getFeatures_{layer.name}", layer.zh, parameters, content)}


# A path without variables goes before one with them.
PATHS |= {f"/collections/{layer.name}/items": _items_of(layer) for layer in LAYERS.values()}
