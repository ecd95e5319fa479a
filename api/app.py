"""The HTTP service: routers over one store. Thin: parse, call, answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.staticfiles import StaticFiles

from api.dependencies import ServiceJobs
from api.headers import Headers
from api.jobs import Jobs
from api.limits import BodyLimit
from api.problems import Failures, add_problem_handlers
from api.routers import analysis, collections, exports, findings, imports, ledgers, pages, rules, sites, tiles
from api.settings import Settings
from geo.store.base import Store
from maps.tiles.source import TileSource
from maps.workbench import dist_folder


def create_app(store: Store, settings: Settings | None = None) -> FastAPI:
    """The application over an open store, which it closes when it stops."""
    settings = settings or Settings()

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
    app.state.settings = settings
    app.state.jobs = ServiceJobs(imports=Jobs("导入", 1), exports=Jobs("导出", 2))
    app.state.tiles = TileSource(store)
    # Tiles come compressed from their cache; what is short gains nothing.
    app.add_middleware(GZipMiddleware, minimum_size=2048)
    app.add_middleware(BodyLimit, larger={"/imports": settings.upload_bytes})
    app.add_middleware(Failures)
    app.add_middleware(Headers)
    add_problem_handlers(app)
    for module in (tiles, collections, analysis, findings, rules, ledgers, sites, imports, exports, pages):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=dist_folder()), name="static")
    return app
