"""Vector tiles, TileJSON, OGC API – Tiles and styles.

A tile is answered by a plain ASGI endpoint: it is asked for a thousand times as often as anything else, and what a
framework does around each request would cost more than most tiles.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from isal import igzip
from starlette.requests import Request as PlainRequest
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from api.dependencies import BaseUrlDep, TilesDep, cql2
from geo.errors import Busy, InvalidParameter, NotFound
from geo.layers.filters import Filter
from geo.layers.schema import LAYERS
from maps.style import district_style
from maps.tiles.cache import Key, Packed
from maps.tiles.edition import Edition
from maps.tiles.engine import tile_kind
from maps.tiles.keeping import Editions
from maps.tiles.layers import TILE_LAYERS
from maps.tiles.matrices import MATRIX_SETS, WEB_MERCATOR_QUAD, TileMatrixSet, matrix_set
from maps.tiles.source import MAX_DATA_ZOOM, TileSource, Wanted, checked_layers, fields_of

MVT = "application/vnd.mapbox-vector-tile"
CONFORMS_TO: tuple[str, ...] = tuple(
    f"http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/{name}"
    for name in ("core", "tileset", "tilesets-list", "geodata-tilesets", "mvt")
)
_PARAMETERS = frozenset({"properties", "filter", "filter-lang"})
_QUERY_CHARACTERS = 16 * 1024
_FILTERS_KNOWN = 256
_FIRST_EDITION_S = 25.0
_LOOK_AGAIN_S = 0.25
_YEAR = b"public, max-age=31536000, immutable"
_TILE_HEADERS = [(b"content-type", MVT.encode()), (b"vary", b"Accept-Encoding")]

router = APIRouter(tags=["地图"])


class TileEndpoint:
    """Answers every address of a tile: this service's own, and those of OGC API – Tiles.

    One is made with each application. Light tiles are made where the request is; heavy ones in a thread, once however
    many ask.
    """

    def __init__(self) -> None:
        self._making: dict[tuple[str, Key], asyncio.Future[Packed]] = {}
        self._publishing: asyncio.Task[Edition] | None = None
        self._filters: OrderedDict[tuple[str, str, str], Filter] = OrderedDict()
        self._threads = ThreadPoolExecutor(2, "tiles")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        method = scope["method"]
        if method not in ("GET", "HEAD"):
            await JSONResponse({}, 405, {"Allow": "GET, HEAD"})(scope, receive, send)
            return
        state, path = scope["app"].state, scope["path_params"]
        source: TileSource = state.tiles
        pinned = "edition" in path
        edition = (
            state.editions.edition(path["edition"])
            if pinned
            else await self._edition(state.editions, getattr(state, "watched", False))
        )
        wanted = self._wanted(path, scope["query_string"])
        key = source.wanted(edition, wanted)
        etag = _etag(key)
        headers = [
            (b"etag", etag), (b"cache-control", _YEAR if pinned else b"no-cache"), (b"x-edition", edition.name.encode())
        ]  # fmt: skip
        match, encodings = _asked(scope)
        if match is not None and (etag in match or match == b"*"):
            await _answer(send, 304, headers, b"")
            return
        tile = source.held(key)
        if tile is None:
            tile = await self._tile(source, edition, wanted, key)
        headers.append((b"x-tile-features", b"%d" % tile.features))
        if tile.gathered:
            headers.append((b"x-tile-aggregated", ",".join(tile.gathered).encode()))
        if not tile.data:
            await _answer(send, 204, headers, b"")
            return
        headers += _TILE_HEADERS
        data = tile.data
        if b"gzip" in encodings:
            headers.append((b"content-encoding", b"gzip"))
        else:
            data = igzip.decompress(data)
        headers.append((b"content-length", b"%d" % len(data)))
        await _answer(send, 200, headers, b"" if method == "HEAD" else data)

    async def _edition(self, editions: Editions, watched: bool) -> Edition:
        """The newest edition; the first one of a store is waited for, and made here where nobody watches the store."""
        try:
            return editions.current()
        except Busy:
            if not editions.can_publish:
                raise
        if self._publishing is None or self._publishing.done():
            work = _published(editions) if watched else asyncio.to_thread(editions.publish)
            self._publishing = asyncio.create_task(work)
        try:
            return await asyncio.wait_for(asyncio.shield(self._publishing), _FIRST_EDITION_S)
        except TimeoutError:
            return editions.current()  # which says that it is being published

    def _wanted(self, path: dict[str, Any], query: bytes) -> Wanted:
        layers = checked_layers(path["layers"])
        matrices = matrix_set(path["matrices"]) if "matrices" in path else WEB_MERCATOR_QUAD
        columns, filters = (None, ()) if not query else self._parameters(query, layers)
        return Wanted(layers, matrices, path["z"], path["x"], path["y"], columns, filters)

    def _parameters(self, query: bytes, layers: tuple[str, ...]) -> tuple[tuple[str, ...] | None, tuple[Filter, ...]]:
        if len(query) > _QUERY_CHARACTERS:
            raise InvalidParameter("查询参数过长", where="query", remedy=f"应不超过 {_QUERY_CHARACTERS} 字节")
        try:
            pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=8)
        except (ValueError, UnicodeError):
            raise InvalidParameter("查询参数无法读取", where="query", remedy="应为 UTF-8 的百分号编码") from None
        given = dict(pairs)
        unknown = sorted(set(given) - _PARAMETERS)
        if unknown or len(given) != len(pairs):
            raise InvalidParameter(
                f"未知或重复的参数：{'、'.join(name[:40] for name in unknown) or '重复'}", where="query",
                remedy="可用：" + "、".join(sorted(_PARAMETERS)),
            )  # fmt: skip
        columns = None
        if "properties" in given:
            columns = tuple(name for name in given["properties"].split(",") if name)
        if "filter" not in given:
            return columns, ()
        language = given.get("filter-lang", "cql2-text")
        if language not in ("cql2-text", "cql2-json"):
            raise InvalidParameter("filter-lang 无效", where="filter-lang", remedy="可用：cql2-text、cql2-json")
        return columns, tuple(self._filter(given["filter"], language, name) for name in layers)

    def _filter(self, text: str, language: str, name: str) -> Filter:
        known = self._filters.get((text, language, name))
        if known is None:
            parsed = cql2(text, language, LAYERS[tile_kind(name).source])
            if parsed is None:
                raise InvalidParameter("filter 为空", where="filter")
            known = self._filters[text, language, name] = parsed
            while len(self._filters) > _FILTERS_KNOWN:
                self._filters.popitem(last=False)
        return known

    async def _tile(self, source: TileSource, edition: Edition, wanted: Wanted, key: Key) -> Packed:
        if source.is_light(edition, wanted, key):
            return source.tile(edition, wanted, key, light=True)
        # The name stands for the loop's own edition: two editions may hold the same layer.
        place = (edition.name, key)
        running = self._making.get(place)
        if running is None:
            loop = asyncio.get_running_loop()
            running = loop.run_in_executor(self._threads, source.tile, edition, wanted, key)
            self._making[place] = running
            running.add_done_callback(lambda _: self._making.pop(place, None))
        # Who goes away does not take the tile from the others.
        return await asyncio.shield(running)


async def _published(editions: Editions) -> Edition:
    """The first edition, when the process that makes it is done."""
    while True:
        try:
            return editions.current()
        except Busy:
            await asyncio.sleep(_LOOK_AGAIN_S)


def _etag(key: Key) -> bytes:
    """A tag of all that a tile is a function of; weak, as it is the same for compressed bytes and plain ones."""
    tokens = "".join(folder.rpartition("-")[2] for folder in key.layers)
    asked = key.columns + key.selection
    further = "-" + blake2b(asked.encode(), digest_size=8).hexdigest() if asked else ""
    return f'W/"{tokens}-{key.matrices[0]}{key.z}-{key.x}-{key.y}{further}"'.encode()


def _asked(scope: Scope) -> tuple[bytes | None, bytes]:
    match, encodings = None, b""
    for name, value in scope["headers"]:
        if name == b"if-none-match":
            match = value
        elif name == b"accept-encoding":
            encodings = value
    return match, encodings


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


_TILE_PATHS = (
    "/tiles/{layers}/{z:int}/{x:int}/{y:int}.mvt",
    "/editions/{edition}/tiles/{layers}/{z:int}/{x:int}/{y:int}.mvt",
    "/collections/{layers}/tiles/{matrices}/{z:int}/{y:int}/{x:int}",
)


def tile_routes() -> list[Route]:
    """The routes of tiles, for one application."""
    endpoint = TileEndpoint()
    return [Route(path, endpoint, name="tile") for path in _TILE_PATHS]


@router.get("/tiles/{layers}.json", summary="图层的 TileJSON")
async def read_tilejson(layers: str, request: Request, tiles: TilesDep, base_url: BaseUrlDep) -> dict[str, Any]:
    """TileJSON 3.0.0 of one layer or of several in one tile."""
    names = checked_layers(layers)
    edition = await asyncio.to_thread(_current, request)
    return tiles.tilejson(names, base_url, edition)


@router.get("/editions/{edition}/tiles/{layers}.json", summary="固定到一个数据版本的 TileJSON")
def read_pinned_tilejson(
    edition: str, layers: str, request: Request, tiles: TilesDep, base_url: BaseUrlDep
) -> dict[str, Any]:
    """The same with addresses whose tiles never change."""
    names = checked_layers(layers)
    return tiles.tilejson(names, base_url, request.app.state.editions.edition(edition), pinned=True)


@router.get("/editions", summary="数据版本")
def read_editions(request: Request) -> dict[str, Any]:
    """The editions that are kept, oldest first."""
    editions: Editions = request.app.state.editions
    current = _current(request)
    return {"current": current.name, "published_at": current.published_at, "editions": editions.names(),
            "pinned": editions.pinned()}  # fmt: skip


@router.get("/styles/{style}.json", summary="地图样式")
def read_style(style: str, base_url: BaseUrlDep) -> dict[str, Any]:
    """A MapLibre style whose sources are this service's tiles."""
    if style != "district":
        raise NotFound(f"没有样式“{style[:40]}”", where="style", remedy="可用：district")
    return district_style(base_url)


# ---------------------------------------------------------------------- OGC API – Tiles


@router.get("/tileMatrixSets", summary="瓦片矩阵集")
def read_matrix_sets(base_url: BaseUrlDep) -> dict[str, Any]:
    """The tile matrix sets (OGC 17-083r4)."""
    return {
        "tileMatrixSets": [
            {
                "id": one.name,
                "title": one.title,
                "crs": one.crs,
                "links": [_link("self", f"{base_url}/tileMatrixSets/{one.name}", "application/json", one.title)],
            }
            for one in MATRIX_SETS.values()
        ]
    }


@router.get("/tileMatrixSets/{matrices}", summary="一个瓦片矩阵集")
def read_matrix_set(matrices: str) -> dict[str, Any]:
    """The definition of a tile matrix set."""
    return matrix_set(matrices).document()


@router.get("/collections/{layer}/tiles", summary="图层的瓦片集")
def read_tilesets(layer: str, base_url: BaseUrlDep) -> dict[str, Any]:
    """The tile sets of a layer."""
    tile_kind(layer)
    here = f"{base_url}/collections/{layer}/tiles"
    return {
        "links": [_link("self", here, "application/json", "瓦片集")],
        "tilesets": [_tileset(layer, matrices, base_url) for matrices in MATRIX_SETS.values()],
    }


@router.get("/collections/{layer}/tiles/{matrices}", summary="一个瓦片集")
async def read_tileset(layer: str, matrices: str, request: Request, base_url: BaseUrlDep) -> dict[str, Any]:
    """The metadata of a tile set."""
    tile_kind(layer)
    chosen = matrix_set(matrices)
    published = (await asyncio.to_thread(_current, request)).layers[layer]
    document = _tileset(layer, chosen, base_url)
    document["layers"] = [
        {
            "id": layer,
            "dataType": "vector",
            "minTileMatrix": str(max(published.min_zoom - chosen.deeper, 0)),
            "maxTileMatrix": str(MAX_DATA_ZOOM - chosen.deeper),
            "propertiesSchema": {
                "type": "object",
                "properties": {name: {"title": title} for name, title in fields_of(published).items()},
            },
        }
    ]
    if published.bounds is not None:
        west, south, east, north = published.bounds
        document["boundingBox"] = {
            "lowerLeft": [west, south], "upperRight": [east, north],
            "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84",
        }  # fmt: skip
    return document


def links(base_url: str) -> list[dict[str, Any]]:
    """What the landing page says of tiles."""
    return [
        _link("http://www.opengis.net/def/rel/ogc/1.0/tiling-schemes", f"{base_url}/tileMatrixSets",
              "application/json", "瓦片矩阵集"),
    ]  # fmt: skip


def collection_links(layer: str, base_url: str) -> list[dict[str, Any]]:
    """What a collection says of its tiles; nothing where it has none."""
    if layer not in TILE_LAYERS:
        return []
    return [
        _link("http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector", f"{base_url}/collections/{layer}/tiles",
              "application/json", "矢量瓦片"),
    ]  # fmt: skip


def _tileset(layer: str, matrices: TileMatrixSet, base_url: str) -> dict[str, Any]:
    here = f"{base_url}/collections/{layer}/tiles/{matrices.name}"
    matrix_link = f"{base_url}/tileMatrixSets/{matrices.name}"
    return {
        "title": f"{LAYERS[TILE_LAYERS[layer].source].zh} · {matrices.name}",
        "dataType": "vector",
        "crs": matrices.crs,
        "tileMatrixSetURI": matrices.document().get("uri", matrix_link),
        "links": [
            _link("self", here, "application/json", "瓦片集"),
            _link("http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme", matrix_link, "application/json", "矩阵集"),
            {**_link("item", f"{here}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}", MVT, "瓦片"), "templated": True},
        ],
    }


def _link(rel: str, href: str, kind: str, title: str) -> dict[str, Any]:
    return {"rel": rel, "href": href, "type": kind, "title": title}


def _current(request: PlainRequest) -> Edition:
    """The newest edition; made where the store has none yet."""
    editions: Editions = request.app.state.editions
    try:
        return editions.current()
    except Busy:
        if not editions.can_publish:
            raise
    return editions.publish()


def _parameter(name: str, place: str, kind: dict[str, Any], told: str) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": kind, "description": told}


_WHOLE = {"type": "integer", "minimum": 0}
_RESPONSES = {
    "200": {"description": "瓦片", "content": {MVT: {"schema": {"type": "string", "format": "binary"}}}},
    "204": {"description": "空瓦片"},
    "304": {"description": "未变"},
} | {
    status: {"description": told, "content": {"application/problem+json": {"schema": {"type": "object"}}}}
    for status, told in (
        ("400", "参数有误"), ("404", "没有这个图层或瓦片"), ("410", "版本已不保留"), ("503", "稍后再试")
    )
}  # fmt: skip
_QUERY = [
    _parameter("properties", "query", {"type": "string"}, "要带的属性，逗号分隔"),
    _parameter("filter", "query", {"type": "string"}, "条件（CQL2，不含空间函数）"),
    _parameter("filter-lang", "query", {"type": "string", "enum": ["cql2-text", "cql2-json"]}, "条件的写法"),
]


def _operation(names: tuple[str, ...], told: str) -> dict[str, Any]:
    layer_names = {"type": "string", "description": "图层，逗号分隔"}
    kinds: dict[str, Any] = {"layers": layer_names, "edition": {"type": "string"}, "matrices": {"type": "string"}}
    path = [_parameter(name, "path", kinds.get(name, _WHOLE), name) for name in names]
    return {
        "get": {
            "summary": told, "operationId": f"tile_{len(names)}_{names[0]}", "tags": ["地图"],
            "parameters": path + _QUERY, "responses": _RESPONSES,
        }
    }  # fmt: skip


OPENAPI_PATHS: dict[str, dict[str, Any]] = {
    "/tiles/{layers}/{z}/{x}/{y}.mvt": _operation(("layers", "z", "x", "y"), "矢量瓦片"),
    "/editions/{edition}/tiles/{layers}/{z}/{x}/{y}.mvt": _operation(
        ("edition", "layers", "z", "x", "y"), "固定版本的矢量瓦片"
    ),
    "/collections/{layers}/tiles/{matrices}/{z}/{y}/{x}": _operation(
        ("layers", "matrices", "z", "y", "x"), "矢量瓦片（OGC API – Tiles）"
    ),
}
