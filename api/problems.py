"""Errors as RFC 9457 problem+json: a stable type, a Chinese detail, where it is, how to mend it, a request id."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geo.errors import LianpianError

_log = logging.getLogger("lianpian")
MEDIA_TYPE = "application/problem+json"

_HTTP_DETAIL = {
    404: "没有这个地址",
    405: "不支持这种请求方法",
    413: "请求内容过大",
    415: "请求内容应为 application/octet-stream",
}


_CHINESE = {
    "missing": "缺少该字段",
    "extra_forbidden": "不认识的字段",
    "json_invalid": "不是有效的 JSON",
    "greater_than": "须大于 {gt}",
    "greater_than_equal": "须不小于 {ge}",
    "less_than": "须小于 {lt}",
    "less_than_equal": "须不大于 {le}",
    "float_parsing": "须为数字",
    "float_type": "须为数字",
    "int_parsing": "须为整数",
    "int_type": "须为整数",
    "finite_number": "须为有限的数",
    "string_pattern_mismatch": "格式不符，应匹配 {pattern}",
    "string_too_long": "不得超过 {max_length} 个字符",
    "too_long": "不得超过 {max_length} 项",
    "literal_error": "可用值：{expected}",
    "enum": "可用值：{expected}",
}


def _in_chinese(item: Any) -> str:
    """A validation message in Chinese; one that this project raised is Chinese already."""
    template = _CHINESE.get(item["type"])
    return template.format(**item.get("ctx", {})) if template else str(item["msg"]).removeprefix("Value error, ")


def problem(
    request: Request, status: int, kind: str, detail: str, *, where: str = "", remedy: str = "", errors: Any = None
) -> JSONResponse:
    """One problem document."""
    body = {
        "type": f"/problems/{kind}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "request_id": getattr(request.state, "request_id", ""),
    }
    if where:
        body["where"] = where
    if remedy:
        body["remedy"] = remedy
    if errors is not None:
        body["errors"] = errors
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE)


class Failures:
    """Middleware that turns what nobody expected into a problem; inside ``Headers``, so that it carries them too.

    The cause goes to the log under the request id, never to the caller.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; only HTTP is touched."""
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            if scope["type"] != "http" or begun:
                raise
            request = Request(scope)
            _log.error("request %s failed", getattr(request.state, "request_id", ""), exc_info=error)
            answer = problem(request, 500, "failure", "服务内部错误，请把请求编号告诉管理员")
            await answer(scope, receive, send)


def add_problem_handlers(app: FastAPI) -> None:
    """Turn every error of the application into a problem document; the one place where that is done."""

    @app.exception_handler(LianpianError)
    async def ours(request: Request, error: LianpianError) -> JSONResponse:
        return problem(request, error.status, error.kind, error.detail, where=error.where, remedy=error.remedy)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        errors = [
            {"pointer": "/" + "/".join(str(part) for part in item["loc"]), "detail": _in_chinese(item)}
            for item in error.errors()
        ]
        # A bad address or query is the caller's wording (400); a body that does not fit its schema is 422.
        in_body = any(item["loc"] and item["loc"][0] == "body" for item in error.errors())
        status = 422 if in_body else 400
        return problem(request, status, "invalid-parameter", "请求参数不合要求", errors=errors)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        kind = {404: "not-found", 405: "method-not-allowed", 413: "too-large", 415: "unsupported-media-type"}.get(
            error.status_code, "http"
        )
        told = problem(request, error.status_code, kind, _HTTP_DETAIL.get(error.status_code, str(error.detail)))
        told.headers.update(error.headers or {})
        return told
