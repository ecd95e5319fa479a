"""OGC API – Features, Parts 1 to 3: collections and their items, what can be asked of them, totals, the nearest.

The addresses are plain routes of the framework below: a page of features is one question to the store, and parsing of
parameters by declaration would cost more than the question. What they take and give is told in ``api.ogc.description``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.dependencies import get_base_url, get_jobs, get_settings, get_store
from api.ogc import description, documents
from api.ogc.answers import feature_text, nearest_text, page_of, posted_page
from api.ogc.asking import PAGING, SELECTING, SHOWING, asked, check_text, known_layer, names_of, number_of
from api.ogc.documents import FORMATS_OF_ITEMS, GEOJSON, HTML, JSON, SCHEMA_JSON, queryables_link
from api.ogc.files import file_of
from api.ogc.negotiating import only, wanted_form, wanted_language
from api.ogc.pages import Pages
from api.ogc.posting import asked_by, posted, words_of
from api.ogc.systems import content_crs, known_system
from api.ogc.totals import totals_document
from api.routers import tiles
from geo.errors import InvalidParameter
from geo.store.nearest import MOST_NEAREST, nearest

router = APIRouter()
OPENAPI_PATHS = description.PATHS
_FURTHER = (tiles,)  # routers of other standards; what they meet and link to is added to the documents here
_DOCUMENT_FORMS = {"json": JSON, "html": HTML}
_FEATURE_FORMS = {"geojson": GEOJSON, "html": HTML}
_ITEMS = frozenset({*SELECTING, *PAGING, *SHOWING})
_TOTALS = frozenset({*SELECTING, "by", "sum", "f"})
_NEAREST = frozenset({*SELECTING, "lon", "lat", "k", "crs", "properties", "f"})
_VARY = {"Vary": "Accept, Accept-Language"}

Handler = Callable[[Request], Response]


def _given(request: Request) -> dict[str, str]:
    given = dict(request.query_params)
    if len(given) != len(request.query_params.multi_items()):
        raise InvalidParameter("同一参数给了多次", where="query", remedy="每个参数只给一次，多个值用逗号分隔")
    return given


def _documents(request: Request, document: Any, page: Callable[[Pages, Any], str]) -> Response:
    """A document as JSON, or the page of it."""
    if wanted_form(request, _DOCUMENT_FORMS, "json") == "html":
        return Response(page(Pages(request), document), media_type=HTML, headers=_VARY)
    return JSONResponse(document, headers=_VARY)


def landing_document(request: Request) -> dict[str, Any]:
    """What the landing page tells."""
    base_url = get_base_url(request)
    further = [one for module in _FURTHER if hasattr(module, "links") for one in module.links(base_url)]
    return documents.landing_page(base_url, further)


def landing(request: Request) -> Response:
    """The landing page of the interface; ``/`` shows the workbench to people."""
    only(request)
    return _documents(request, landing_document(request), Pages.landing)


def conformance(request: Request) -> Response:
    """The conformance classes that are met, of all standards."""
    only(request)
    classes = [*documents.CONFORMS_TO]
    for module in _FURTHER:
        classes += getattr(module, "CONFORMS_TO", ())
    return _documents(request, documents.conformance(get_base_url(request), classes), Pages.conformance)


def _links_of_others(request: Request) -> Callable[[str], list[dict[str, Any]]]:
    base_url = get_base_url(request)

    def of(layer: str) -> list[dict[str, Any]]:
        modules = [module for module in _FURTHER if hasattr(module, "collection_links")]
        return [one for module in modules for one in module.collection_links(layer, base_url)]

    return of


def collections(request: Request) -> Response:
    """Every layer of the store."""
    only(request)
    document = documents.collections(get_store(request), get_base_url(request), _links_of_others(request))
    return _documents(request, document, Pages.collections)


def collection(request: Request) -> Response:
    """One layer."""
    only(request)
    layer = known_layer(request.path_params["layer"])
    further = _links_of_others(request)(layer.name)
    document = documents.collection(layer, get_store(request), get_base_url(request), further)
    return _documents(request, document, Pages.collection)


def _schema(what: str) -> Handler:
    def schema(request: Request) -> Response:
        only(request)
        layer = known_layer(request.path_params["layer"])
        document = documents.schema_of(layer, get_base_url(request), what)
        if wanted_form(request, _DOCUMENT_FORMS, "json") == "html":
            return Response(Pages(request).fields(layer, document), media_type=HTML, headers=_VARY)
        return Response(JSONResponse(document).body, media_type=SCHEMA_JSON, headers=_VARY)

    return schema


async def items(request: Request) -> Response:
    """A page of features, or all of a selection as a file."""
    form = wanted_form(request, FORMATS_OF_ITEMS, "geojson")
    if form in ("geojson", "html"):
        return await run_in_threadpool(_page, request, form)
    layer = known_layer(request.path_params["layer"])
    wanted = asked(layer, _given(request), _ITEMS)
    store, settings = get_store(request), get_settings(request)
    return await file_of(store, wanted, form, request, get_jobs(request).exports, settings.organisation)


def _page(request: Request, form: str) -> Response:
    layer = known_layer(request.path_params["layer"])
    given = _given(request)
    wanted = asked(layer, given, _ITEMS)
    language = wanted_language(request) if form == "html" or "lang" in given else "zh"
    page = page_of(get_store(request), wanted, get_base_url(request), given, form)
    headers = {"Content-Crs": content_crs(wanted.crs), "Link": queryables_link(get_base_url(request), layer), **_VARY}
    if form == "html":
        return Response(Pages(request, language).items(wanted, page), media_type=HTML, headers=headers)
    return Response(page.text(), media_type=GEOJSON, headers=headers)


def item(request: Request) -> Response:
    """One feature by its key."""
    only(request, "crs")
    layer = known_layer(request.path_params["layer"])
    key = request.path_params["key"]
    check_text(key, "featureId")
    form = wanted_form(request, _FEATURE_FORMS, "geojson")
    crs = known_system(request.query_params["crs"], "crs") if "crs" in request.query_params else None
    text = feature_text(get_store(request), layer, key, crs, get_base_url(request), form)
    headers = {"Content-Crs": content_crs(crs), **_VARY}
    if form == "html":
        return Response(Pages(request).item(layer, key, text), media_type=HTML, headers=headers)
    return Response(text, media_type=GEOJSON, headers=headers)


async def search(request: Request) -> Response:
    """A page of features by a posted question."""
    only(request)
    layer = known_layer(request.path_params["layer"])
    body = posted(await request.body())

    def answer() -> Response:
        wanted = asked_by(layer, body)
        page = posted_page(get_store(request), wanted, get_base_url(request), body)
        return Response(page.text(), media_type=GEOJSON, headers={"Content-Crs": content_crs(wanted.crs)})

    return await run_in_threadpool(answer)


def aggregates(request: Request) -> Response:
    """Counts and sums of a selection by fields."""
    layer = known_layer(request.path_params["layer"])
    given = _given(request)
    wanted_form(request, {"json": JSON}, "json")
    wanted = asked(layer, given, _TOTALS)
    by, sums = names_of(given.get("by", "")), names_of(given.get("sum", ""))
    return JSONResponse(totals_document(get_store(request), wanted, by, sums))


async def posted_aggregates(request: Request) -> Response:
    """The same for a posted polygon or filter."""
    only(request)
    layer = known_layer(request.path_params["layer"])
    body = posted(await request.body())

    def answer() -> Response:
        wanted = asked_by(layer, body, frozenset({"by", "sum"}))
        return JSONResponse(totals_document(get_store(request), wanted, words_of(body, "by"), words_of(body, "sum")))

    return await run_in_threadpool(answer)


def nearest_items(request: Request) -> Response:
    """The features nearest to a point, with their distances."""
    layer = known_layer(request.path_params["layer"])
    given = _given(request)
    wanted_form(request, {"geojson": GEOJSON}, "geojson")
    wanted = asked(layer, given, _NEAREST)
    if "lon" not in given or "lat" not in given:
        raise InvalidParameter("缺少 lon 或 lat", where="lon,lat", remedy="例如 lon=120.1&lat=31.3&k=5")
    number = number_of(given.get("k", "10"), "k")
    if number != int(number) or not 1 <= number <= MOST_NEAREST:
        raise InvalidParameter(f"k 应为 1 至 {MOST_NEAREST} 的整数", where="k", remedy="例如 k=5")
    store = get_store(request)
    lon, lat = number_of(given["lon"], "lon"), number_of(given["lat"], "lat")
    found = nearest(store, wanted.query, lon, lat, int(number))
    distances_m = {near.key: near.distance_m for near in found}
    text = nearest_text(store, wanted, distances_m, get_base_url(request))
    return Response(text, media_type=GEOJSON, headers={"Content-Crs": content_crs(wanted.crs)})


def stylesheet(request: Request) -> Response:
    """The style of the pages; a file of this host, as the content security policy asks."""
    return Response(Pages.stylesheet(), media_type="text/css", headers={"Cache-Control": "max-age=3600"})


for _path, _handler in (
    ("/collections/{layer}/items", items),  # asked most, so looked at first
    ("/collections/{layer}/items/{key:path}", item),
    ("/conformance", conformance),
    ("/collections", collections),
    ("/pages.css", stylesheet),
    ("/collections/{layer}", collection),
    ("/collections/{layer}/queryables", _schema("queryables")),
    ("/collections/{layer}/sortables", _schema("sortables")),
    ("/collections/{layer}/aggregates", aggregates),
    ("/collections/{layer}/nearest", nearest_items),
):
    router.add_route(_path, _handler, methods=["GET"], include_in_schema=False)
router.add_route("/collections/{layer}/search", search, methods=["POST"], include_in_schema=False)
router.add_route("/collections/{layer}/aggregates", posted_aggregates, methods=["POST"], include_in_schema=False)
