"""OGC API – Features, core: collections and their items as GeoJSON, with bbox, limit and keyset paging."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request, Response

from api.dependencies import (
    BaseUrlDep,
    BboxDep,
    FilterDep,
    FilterLanguageDep,
    LimitDep,
    StoreDep,
    cql2,
    known_parameters,
)
from api.features import feature_collection, one_feature
from geo.errors import NotFound
from geo.layers.schema import LAYERS, Layer
from geo.store.base import Query as LayerQuery
from geo.store.base import Store

router = APIRouter(tags=["图层"])
GEOJSON = "application/geo+json"
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
CONFORMS_TO = [
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
]
_ITEM_PARAMETERS = frozenset({"bbox", "limit", "after", "f", "filter", "filter-lang"})


def landing_page(base_url: str) -> dict[str, Any]:
    """The landing page for clients that ask for JSON; people get the workbench."""
    return {
        "title": "连片",
        "description": "闲置与低效用地、500 亩以上集中连片工业用地、项目选址",
        "links": [
            {"rel": "self", "type": "application/json", "href": f"{base_url}/?f=json"},
            {
                "rel": "service-desc",
                "type": "application/vnd.oai.openapi+json;version=3.1",
                "href": f"{base_url}/openapi.json",
            },
            {"rel": "service-doc", "type": "text/html", "href": f"{base_url}/docs"},
            {"rel": "conformance", "type": "application/json", "href": f"{base_url}/conformance"},
            {"rel": "data", "type": "application/json", "href": f"{base_url}/collections"},
        ],
    }


@router.get("/conformance", summary="符合的标准")
def conformance() -> dict[str, Any]:
    """The conformance classes that are met."""
    return {"conformsTo": CONFORMS_TO}


@router.get("/collections", summary="全部图层")
def collections(store: StoreDep, base_url: BaseUrlDep) -> dict[str, Any]:
    """Every layer of the store."""
    return {
        "links": [{"rel": "self", "type": "application/json", "href": f"{base_url}/collections"}],
        "collections": [_collection(layer, store, base_url) for layer in LAYERS.values()],
    }


@router.get("/collections/{layer}", summary="一个图层")
def collection(layer: str, store: StoreDep, base_url: BaseUrlDep) -> dict[str, Any]:
    """One layer: extent, fields with units, links."""
    kind = _known(layer)
    fields = [{"name": item.name, "title": item.zh, "type": item.kind, "unit": item.unit} for item in kind.fields]
    return {**_collection(kind, store, base_url), "fields": fields}


@router.get("/collections/{layer}/items", summary="图层要素", response_class=Response)
def items(
    layer: str, request: Request, store: StoreDep, base_url: BaseUrlDep, bbox: BboxDep, limit: LimitDep = 1000,
    after: Annotated[str | None, Query(max_length=200, description="上一页最后一条的编号")] = None,
    f: Annotated[str, Query(pattern="^(json|geojson)$")] = "geojson",
    filter_text: FilterDep = None, filter_lang: FilterLanguageDep = "cql2-text",
) -> Response:  # fmt: skip
    """A page of features in ascending order of their key; ``next`` leads on from the last key."""
    known_parameters(request, _ITEM_PARAMETERS)
    kind = _known(layer)
    wanted = LayerQuery(layer, bbox=bbox, filter=cql2(filter_text, filter_lang, kind))
    found = store.read(replace(wanted, limit=limit + 1, after=after))
    page = found.iloc[:limit]
    here = f"{base_url}/collections/{layer}/items"
    asked = {name: value for name, value in request.query_params.items() if name != "after"}
    links = [
        {"rel": "self", "type": GEOJSON, "href": str(request.url)},
        {"rel": "collection", "type": "application/json", "href": f"{base_url}/collections/{layer}"},
    ]
    if len(found) > limit:
        following = urlencode({**asked, "after": str(page[kind.key].iloc[-1])})
        links.append({"rel": "next", "type": GEOJSON, "href": f"{here}?{following}"})
    body = feature_collection(page, kind.key, numberReturned=len(page), numberMatched=store.count(wanted), links=links)
    return Response(body, media_type=GEOJSON, headers={"Content-Crs": f"<{CRS84}>"})


@router.get("/collections/{layer}/items/{key:path}", summary="一个要素", response_class=Response)
def item(layer: str, key: str, store: StoreDep, base_url: BaseUrlDep) -> Response:
    """One feature by its key."""
    kind = _known(layer)
    found = store.read(LayerQuery(layer, equals={kind.key: key}, limit=1))
    if found.empty:
        raise NotFound(f"{kind.zh}中没有“{key[:80]}”", where=layer)
    here = f"{base_url}/collections/{layer}"
    links = [
        {"rel": "self", "type": GEOJSON, "href": f"{here}/items/{quote(key, safe='')}"},
        {"rel": "collection", "type": "application/json", "href": here},
    ]
    return Response(
        one_feature(found, kind.key, links=links), media_type=GEOJSON, headers={"Content-Crs": f"<{CRS84}>"}
    )


def _known(layer: str) -> Layer:
    if layer not in LAYERS:
        raise NotFound(f"没有图层“{layer[:40]}”", where="layer", remedy="可用：" + "、".join(LAYERS))
    return LAYERS[layer]


def _collection(layer: Layer, store: Store, base_url: str) -> dict[str, Any]:
    here = f"{base_url}/collections/{layer.name}"
    document: dict[str, Any] = {
        "id": layer.name,
        "title": layer.zh,
        "itemType": "feature",
        "crs": [CRS84],
        "links": [
            {"rel": "self", "type": "application/json", "href": here},
            {"rel": "items", "type": GEOJSON, "href": f"{here}/items"},
        ],
    }
    bounds = store.bounds(layer.name) if layer.geometry is not None else None
    if bounds is not None:
        document["extent"] = {"spatial": {"bbox": [list(bounds)], "crs": CRS84}}
    return document
