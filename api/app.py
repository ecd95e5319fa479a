"""The HTTP service: routers over one store. Thin: parse, call, answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.staticfiles import StaticFiles

from api.headers import Headers
from api.limits import BodyLimit
from api.problems import Failures, add_problem_handlers
from api.routers import analysis, collections, pages, sites, tiles
from geo.store.base import Store
from maps.tiles.source import TileSource
from maps.workbench import dist_folder


def create_app(store: Store, public_url: str = "") -> FastAPI:
    """The application over an open store, which it closes when it stops; links start with ``public_url`` if given."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        store.close()

    app = FastAPI(
        title="连片 Lianpian",
        summary="闲置与低效用地、集中连片工业用地、项目选址",
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.store = store
    app.state.public_url = public_url.rstrip("/")
    app.state.tiles = TileSource(store)
    # Tiles come compressed from their cache; what is short gains nothing.
    app.add_middleware(GZipMiddleware, minimum_size=2048)
    app.add_middleware(BodyLimit)
    app.add_middleware(Failures)
    app.add_middleware(Headers)
    add_problem_handlers(app)
    for module in (tiles, collections, analysis, sites, pages):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=dist_folder()), name="static")
    return app
