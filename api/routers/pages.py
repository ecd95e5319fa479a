"""Pages for people: the workbench, the documentation of the interface, their assets; all from this host."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse

from api.ogc.negotiating import wanted_form
from api.ogc.pages import Pages
from api.openapi import MEDIA_TYPE, description
from api.routers import collections, tiles
from maps.workbench import dist_folder

router = APIRouter(include_in_schema=False)

_DOCS = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>连片 接口文档</title>
<link rel="icon" href="/favicon.svg"><link rel="stylesheet" href="/static/vendor/swagger-ui.css"></head>
<body><div id="swagger-ui"></div><script src="/static/vendor/swagger-ui-bundle.js"></script>
<script src="/static/docs.js"></script></body></html>"""


@router.get("/")
def home(request: Request) -> Response:
    """The workbench; a client that asks for JSON, or for ``f``, gets the landing page of the features interface.

    The workbench carries what the landing page tells, for who reads it as HTML (/req/html/content).
    """
    accept = request.headers.get("accept", "")
    if "f" in request.query_params or ("json" in accept and "text/html" not in accept):
        return collections.landing(request)
    page = (dist_folder() / "index.html").read_text(encoding="utf-8")
    links = Pages.links_of(collections.landing_document(request))
    return HTMLResponse(
        page.replace("</body>", f"{links}</body>"), headers={"Cache-Control": "no-cache", "Vary": "Accept"}
    )


@router.get("/openapi.json")
def definition(request: Request) -> Response:
    """The description of the interface, OpenAPI 3.0, made once; its page for who asks for HTML."""
    if wanted_form(request, {"json": MEDIA_TYPE, "html": "text/html"}, "json") == "html":
        return docs()
    state = request.app.state
    if not hasattr(state, "openapi"):
        state.openapi = description(request.app, (collections, tiles))
    return Response(JSONResponse(state.openapi).body, media_type=MEDIA_TYPE)


@router.get("/favicon.svg")
def favicon() -> FileResponse:
    """The mark of the product."""
    return FileResponse(dist_folder() / "favicon.svg", media_type="image/svg+xml")


@router.get("/docs")
def docs() -> HTMLResponse:
    """Swagger UI with assets of this host."""
    return HTMLResponse(_DOCS)
