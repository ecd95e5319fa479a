"""The description of the interface as OpenAPI 3.0.3, which ``/conf/oas30`` asks for and GDAL and QGIS read.

The framework writes 3.1; what 3.0 cannot say is put in its words. Plain routes tell of themselves: ``OPENAPI_PATHS``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from fastapi import FastAPI

VERSION = "3.0.3"
MEDIA_TYPE = "application/vnd.oai.openapi+json;version=3.0"
_NEWER = ("contentMediaType", "contentEncoding", "prefixItems", "$schema", "propertyNames", "unevaluatedProperties")


def description(app: FastAPI, modules: Iterable[ModuleType]) -> dict[str, Any]:
    """The document of all routes.

    Parameters
    ----------
    modules : those that tell of plain routes by ``OPENAPI_PATHS`` (path -> path item)
    """
    document = in_words_of_3_0(copy.deepcopy(app.openapi()))
    document["openapi"] = VERSION
    info = document["info"]
    if "summary" in info:  # a word of 3.1
        info.setdefault("description", info.pop("summary"))
    paths: dict[str, Any] = document.setdefault("paths", {})
    for path, item in paths.items():
        for operation in item.values():
            _tell_problems(operation, path)
    for module in modules:
        for path, item in getattr(module, "OPENAPI_PATHS", {}).items():
            paths[path] = {**paths.get(path, {}), **item}
    document.setdefault("servers", [{"url": "/"}])
    return document


def problem_response(told: str) -> dict[str, Any]:
    """An answer that is a problem document (``api.problems``)."""
    schema = {
        "type": "object",
        "required": ["type", "status", "detail"],
        "properties": {
            "type": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "where": {"type": "string"},
            "remedy": {"type": "string"},
        },
    }
    return {"description": told, "content": {"application/problem+json": {"schema": schema}}}


def _tell_problems(operation: dict[str, Any], path: str) -> None:
    """The problems that any route of the framework may answer; it tells of none but its own 422, in a form not ours."""
    answers = operation.setdefault("responses", {})
    answers.pop("422", None)
    problems = {"400": "请求参数不合要求", "404": "没有这样的数据", "500": "服务内部错误", "503": "稍后再试"}
    if "requestBody" in operation:
        problems |= {"413": "请求内容过大", "422": "请求内容不合要求"}
    if path.startswith("/editions/"):
        problems["410"] = "版本已不保留"
    for status, told in problems.items():
        answers[status] = problem_response(told)


def in_words_of_3_0(node: Any) -> Any:
    """A document of OpenAPI 3.1 in the words of 3.0: ``nullable``, one ``example``, ``enum``, exclusive bounds."""
    if isinstance(node, list):
        return [in_words_of_3_0(one) for one in node]
    if not isinstance(node, dict):
        return node
    told = {name: in_words_of_3_0(value) for name, value in node.items() if name not in _NEWER}
    if "contentMediaType" in node and told.get("type") == "string":
        told["format"] = "binary"
    if "prefixItems" in node:
        told["items"] = {"oneOf": in_words_of_3_0(node["prefixItems"])}
    if "const" in told:
        told["enum"] = [told.pop("const")]
    for word, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(told.get(word), int | float) and not isinstance(told[word], bool):
            told[bound], told[word] = told[word], True
    if isinstance(told.get("examples"), list):
        examples = told.pop("examples")
        if examples:
            told["example"] = examples[0]
    if isinstance(told.get("type"), list):
        kinds = [kind for kind in told["type"] if kind != "null"]
        told |= {"nullable": True} if "null" in told["type"] else {}
        told.pop("type")
        told |= {"type": kinds[0]} if len(kinds) == 1 else {"anyOf": [{"type": kind} for kind in kinds]}
    for word in ("anyOf", "oneOf"):
        if isinstance(told.get(word), list) and {"type": "null"} in told[word]:
            rest = [one for one in told.pop(word) if one != {"type": "null"}]
            if len(rest) == 1 and "$ref" not in rest[0]:
                told = {**rest[0], **told, "nullable": True}
            else:
                told |= {word: rest, "nullable": True}
    return told
