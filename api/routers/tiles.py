"""Vector tiles, TileJSON and styles."""

from __future__ import annotations

import gzip
from typing import Any

from fastapi import APIRouter, Request, Response

from api.dependencies import BaseUrlDep, StoreDep, TilesDep
from geo.errors import NotFound
from maps.style import district_style

router = APIRouter(tags=["地图"])
MVT = "application/vnd.mapbox-vector-tile"


@router.get("/tiles/{layer}.json", summary="图层的 TileJSON")
def read_tilejson(layer: str, tiles: TilesDep, base_url: BaseUrlDep) -> dict[str, Any]:
    """TileJSON 3.0.0 of one layer."""
    return tiles.tilejson(layer, base_url)


@router.get(
    "/tiles/{layer}/{z}/{x}/{y}.mvt",
    summary="矢量瓦片",
    response_class=Response,
    responses={200: {"content": {MVT: {}}}, 204: {"description": "空瓦片"}, 304: {"description": "未变"}},
)
def read_tile(layer: str, z: int, x: int, y: int, request: Request, store: StoreDep, tiles: TilesDep) -> Response:
    """A tile is a function of the store's revision and its address, so the revision is its ETag."""
    revision = store.revision()
    etag = f'W/"{revision}-{layer}-{z}-{x}-{y}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    tile = tiles.tile(layer, z, x, y, revision)
    if not tile:
        return Response(status_code=204, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(tile, media_type=MVT, headers={**headers, "Content-Encoding": "gzip"})
    return Response(gzip.decompress(tile), media_type=MVT, headers=headers)


@router.get("/styles/{style}.json", summary="地图样式")
def read_style(style: str, base_url: BaseUrlDep) -> dict[str, Any]:
    """A MapLibre style whose sources are this service's tiles."""
    if style != "district":
        raise NotFound(f"没有样式“{style[:40]}”", where="style", remedy="可用：district")
    return district_style(base_url)
