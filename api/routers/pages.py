"""Pages for people: the workbench, the documentation of the interface, their assets; all from this host."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse

from api.dependencies import BaseUrlDep, StoreDep
from api.routers.collections import landing_page
from maps.workbench import dist_folder

router = APIRouter(include_in_schema=False)

_DOCS = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>连片 接口文档</title>
<link rel="icon" href="/favicon.svg"><link rel="stylesheet" href="/static/vendor/swagger-ui.css"></head>
<body><div id="swagger-ui"></div><script src="/static/vendor/swagger-ui-bundle.js"></script>
<script src="/static/docs.js"></script></body></html>"""


@router.get("/")
def home(request: Request, base_url: BaseUrlDep) -> Response:
    """The workbench; a client that asks for JSON gets the landing page of the features interface."""
    accept = request.headers.get("accept", "")
    if request.query_params.get("f") == "json" or ("json" in accept and "text/html" not in accept):
        return JSONResponse(landing_page(base_url))
    return FileResponse(dist_folder() / "index.html", headers={"Cache-Control": "no-cache"})


@router.get("/favicon.svg")
def favicon() -> FileResponse:
    """The mark of the product."""
    return FileResponse(dist_folder() / "favicon.svg", media_type="image/svg+xml")


@router.get("/docs")
def docs() -> HTMLResponse:
    """Swagger UI with assets of this host."""
    return HTMLResponse(_DOCS)


@router.get("/healthz")
def health(store: StoreDep) -> dict[str, Any]:
    """Whether the store answers."""
    return {"status": "ok", "revision": store.revision()}
