"""The HTTP service: routers over one store. Thin: parse, call, answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp

from api.compression import Compression
from api.dependencies import ServiceJobs
from api.front import Front, TwoDoors
from api.jobs import Jobs
from api.limits import BodyLimit
from api.logs import RequestLog
from api.metrics import Figures
from api.pressure import FREE, Places, Pressure
from api.problems import add_problem_handlers
from api.publication import Watcher
from api.routers import analysis, collections, exports, findings, imports, ledgers, pages, rules, service, sites, tiles
from api.settings import Settings
from geo.errors import LianpianError
from geo.store.base import Store
from maps.tiles.keeping import Editions
from maps.tiles.source import TileSource
from maps.workbench import dist_folder

# Beside the questions: two exports, an import, and what asks how the service is.
_FURTHER_THREADS = 5
_COUNTS_S = 1.0


class Service(FastAPI):
    """FastAPI with a front before it, and a door of their own for tiles.

    ``around`` makes the whole of the framework and of what answers tiles, at the addresses of ``tile_routes``.
    """

    around: Callable[[ASGIApp, ASGIApp], ASGIApp]
    tile_routes: Sequence[BaseRoute]

    def build_middleware_stack(self) -> ASGIApp:
        """The layers around the router; without the outermost of the framework, whose errors are no problems."""
        outermost = super().build_middleware_stack()
        if not isinstance(outermost, ServerErrorMiddleware):
            raise TypeError("the framework has another outermost layer")
        usual = outermost.app
        of_tile = ExceptionMiddleware(Router(self.tile_routes), handlers=dict(self.exception_handlers))
        return self.around(usual, of_tile)


def create_app(
    store: Store, settings: Settings | None = None, counts: Path | None = None, log: RequestLog | None = None
) -> FastAPI:
    """The application over an open store, which it closes when it stops.

    Parameters
    ----------
    store : what is served
    settings : how
    counts : a folder that the workers of one service share for their figures; ``None`` where there is one process
    log : where every request has its line; ``None`` for none
    """
    settings = settings or Settings()
    path = getattr(store, "path", None)
    if path is not None and "store" not in settings.model_fields_set:
        settings = settings.model_copy(update={"store": str(path)})  # its editions are beside this store
    questions = Places(settings.store_threads, settings.requests_waiting, settings.wait_s)
    of_tiles = Places(settings.tiles_in_work, settings.tiles_waiting, settings.wait_s)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = settings.store_threads + _FURTHER_THREADS
        watcher = Watcher(app.state.editions, settings) if settings.publish else None
        if watcher is not None:
            watcher.start()
            app.state.watched = True
        warming = asyncio.create_task(asyncio.to_thread(_warm, app.state.tiles, app.state.editions))
        counting = asyncio.create_task(_publish_counts(app.state.figures))
        try:
            yield
        finally:
            counting.cancel()
            await warming
            if watcher is not None:
                await asyncio.to_thread(watcher.stop)
            store.close()

    app = Service(
        title="连片 Lianpian",
        summary="闲置与低效用地、集中连片工业用地、项目选址",
        version="0.1.0",
        docs_url=None,
        openapi_url=None,  # api.openapi describes all routes
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.store = store
    app.state.settings = settings
    app.state.jobs = ServiceJobs(imports=Jobs("导入", 1), exports=Jobs("导出", 2))
    app.state.editions = Editions(settings.editions_folder, store, settings.editions_kept)
    app.state.tiles = TileSource(settings.editions_folder, cache_bytes=settings.tile_cache_mb * 1024**2)
    app.state.figures = Figures(
        counts,
        lambda: {
            "questions_in_work": questions.in_work,
            "questions_waiting": questions.in_queue,
            "tiles_in_work": of_tiles.in_work,
            "tiles_waiting": of_tiles.in_queue,
        },
        lambda: app.state.tiles.stats(),
    )
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, larger={"/imports": settings.upload_bytes})
    app.add_middleware(Compression)
    app.add_middleware(Pressure, places=questions, free=FREE)
    add_problem_handlers(app)
    modules = (tiles, collections, analysis, findings, rules, ledgers, sites, imports, exports, service, pages)
    app.tile_routes = tiles.tile_routes()
    templates = {
        route.endpoint: route.path for module in modules for route in module.router.routes if isinstance(route, Route)
    }
    app.around = lambda usual, of_tile: Front(
        TwoDoors(usual, Pressure(of_tile, of_tiles)), app.state.figures, log, templates
    )
    for module in modules:
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=dist_folder()), name="static")
    return app


def _warm(tiles: TileSource, editions: Editions) -> None:
    with suppress(LianpianError):  # the first edition is still to come
        tiles.warm(editions.current())


async def _publish_counts(figures: Figures) -> None:
    while True:
        with suppress(OSError):
            figures.publish()
        await asyncio.sleep(_COUNTS_S)
