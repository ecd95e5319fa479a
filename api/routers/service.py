"""How the service is: whether it lives, whether it can work, what it has counted."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from api.metrics import MEDIA_TYPE, Figures
from geo.errors import LianpianError

router = APIRouter(include_in_schema=False)
_READY_S = 3.0


@router.get("/healthz")
async def alive() -> dict[str, Any]:
    """The process lives and its loop turns; neither store nor files are asked."""
    return {"status": "ok"}


@router.get("/readyz")
async def ready(request: Request) -> JSONResponse:
    """Whether the store answers and an edition is published; 503 and what is missing where not."""
    state = request.app.state
    checks: dict[str, str] = {}
    try:
        revision = await asyncio.wait_for(run_in_threadpool(state.store.revision), _READY_S)
        checks["store"] = "ok"
    except LianpianError as error:
        revision, checks["store"] = None, error.detail
    except TimeoutError:
        revision, checks["store"] = None, f"{_READY_S:g} 秒内没有应答"
    try:
        state.editions.current()
        checks["edition"] = "ok"
    except LianpianError as error:
        checks["edition"] = error.detail
    well = all(told == "ok" for told in checks.values())
    body = {"status": "ok" if well else "unready", "revision": revision, **checks}
    return JSONResponse(body, 200 if well else 503, headers={} if well else {"Retry-After": "5"})


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """Figures of all workers for Prometheus."""
    figures: Figures = request.app.state.figures
    return Response(figures.told(), media_type=MEDIA_TYPE)
