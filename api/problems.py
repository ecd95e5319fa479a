"""Errors as RFC 9457 problem+json: a stable type, a Chinese detail, where it is, how to mend it, a request id."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Scope

from geo.errors import LianpianError

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_S = 5  # a store that does not answer, a job that is running

_HTTP_KIND = {
    404: "not-found",
    405: "method-not-allowed",
    408: "timeout",
    413: "too-large",
    415: "unsupported-media-type",
}
_HTTP_DETAIL = {
    404: "没有这个地址",
    405: "不支持这种请求方法",
    408: "请求内容发送得太慢",
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


def failure(scope: Scope) -> JSONResponse:
    """What the caller hears of an error that nobody expected; its cause is in the log under the request id."""
    return problem(Request(scope), 500, "failure", "服务内部错误，请把请求编号告诉管理员")


def busy(scope: Scope, retry_after_s: int) -> JSONResponse:
    """What the caller hears where every place and the queue are taken."""
    told = problem(Request(scope), 503, "busy", "请求过多，服务暂时应接不暇", remedy=f"请在 {retry_after_s} 秒后再试")
    told.headers["Retry-After"] = str(retry_after_s)
    return told


def add_problem_handlers(app: FastAPI) -> None:
    """Turn every error of the application into a problem document; the one place where that is done."""

    @app.exception_handler(LianpianError)
    async def ours(request: Request, error: LianpianError) -> JSONResponse:
        told = problem(request, error.status, error.kind, error.detail, where=error.where, remedy=error.remedy)
        if error.status == 503:
            told.headers["Retry-After"] = str(_RETRY_AFTER_S)
        return told

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
        kind = _HTTP_KIND.get(error.status_code, "http")
        told = problem(request, error.status_code, kind, _HTTP_DETAIL.get(error.status_code, str(error.detail)))
        told.headers.update(error.headers or {})
        return told
