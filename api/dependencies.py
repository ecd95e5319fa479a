"""What handlers get: the store, the tiles, parsed query parameters; handlers see values, never strings to parse."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request

from api.jobs import Jobs
from api.settings import Settings
from geo.errors import InvalidParameter, NotFound
from geo.layers.filters import Filter, parse_filter
from geo.layers.schema import Layer
from geo.store.base import Bounds, Run, Store
from maps.tiles.source import TileSource


def get_store(request: Request) -> Store:
    """The store of this service."""
    store: Store = request.app.state.store
    return store


def get_tiles(request: Request) -> TileSource:
    """The tiles of this service."""
    tiles: TileSource = request.app.state.tiles
    return tiles


def get_settings(request: Request) -> Settings:
    """The settings of this service."""
    settings: Settings = request.app.state.settings
    return settings


@dataclass(frozen=True, slots=True)
class ServiceJobs:
    """The long jobs of this service: reading files takes memory, so one at a time."""

    imports: Jobs
    exports: Jobs


def get_jobs(request: Request) -> ServiceJobs:
    """The long jobs of this service."""
    jobs: ServiceJobs = request.app.state.jobs
    return jobs


def get_base_url(request: Request) -> str:
    """The address that links start with: as configured, else scheme and host as the client wrote them."""
    return (get_settings(request).public_url or str(request.base_url)).rstrip("/")


def get_bbox(
    bbox: Annotated[str | None, Query(description="西,南,东,北（经纬度，CGCS2000）")] = None,
) -> Bounds | None:
    """``bbox=west,south,east,north`` in degrees."""
    if bbox is None:
        return None
    try:
        values = [float(part) for part in bbox.split(",")]
    except ValueError:
        values = []
    if len(values) != 4 or not all(math.isfinite(value) for value in values):
        raise InvalidParameter(
            f"bbox“{bbox[:80]}”应为四个数：西,南,东,北", where="bbox", remedy="例如 119.8,31.9,120.1,32.2"
        )
    west, south, east, north = values
    if south > north or west > east:
        raise InvalidParameter("bbox 的次序应为 西,南,东,北", where="bbox")
    return west, south, east, north


def latest_run(store: Annotated[Store, Depends(get_store)]) -> Run:
    """The newest run; ``NotFound`` where nothing was analysed."""
    runs = store.runs()
    if not runs:
        raise NotFound("还没有分析结果", where="runs", remedy="请先运行 lianpian analyse")
    return runs[-1]


def known_parameters(request: Request, allowed: frozenset[str]) -> None:
    """Refuse a query parameter that means nothing here, instead of ignoring a filter in silence."""
    unknown = sorted(set(request.query_params) - allowed)
    if unknown:
        raise InvalidParameter(
            f"未知参数：{'、'.join(name[:40] for name in unknown)}",
            where="query",
            remedy="可用：" + "、".join(sorted(allowed)),
        )


def cql2(text: str | None, language: str, layer: Layer) -> Filter | None:
    """A CQL2 filter of a request, held against the layer; ``language`` is ``cql2-text`` or ``cql2-json``."""
    if text is None:
        return None
    if language == "cql2-text":
        return parse_filter(text, layer)
    try:
        expression = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidParameter("filter 不是 JSON", where="filter", remedy="请检查 filter-lang") from error
    return parse_filter(expression, layer)


StoreDep = Annotated[Store, Depends(get_store)]
JobsDep = Annotated[ServiceJobs, Depends(get_jobs)]
SettingsDep = Annotated[Settings, Depends(get_settings)]
TilesDep = Annotated[TileSource, Depends(get_tiles)]
BaseUrlDep = Annotated[str, Depends(get_base_url)]
BboxDep = Annotated[Bounds | None, Depends(get_bbox)]
RunDep = Annotated[Run, Depends(latest_run)]
FilterDep = Annotated[str | None, Query(alias="filter", max_length=8192, description="条件（CQL2）")]
FilterLanguageDep = Annotated[str, Query(alias="filter-lang", pattern="^cql2-(text|json)$", description="条件的写法")]
LimitDep = Annotated[int, Query(ge=1, le=10_000, description="每页最多条数")]
