"""What is wrong with a rule file, in words a planner understands: file, line, key, and what is expected there."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from geo.errors import InvalidParameter
from geo.land.rule_sets.base import did_you_mean
from geo.land.rule_sets.lines import KeyPath, line_of, lines_of

TOLD_FAULTS = 3

# A member of a union that does not take a value of this kind at all says so with one of these.
_KINDS = {
    "int_type": "整数", "int_parsing": "整数", "int_from_float": "整数", "float_type": "数", "float_parsing": "数",
    "string_type": "文字（加引号）", "bool_type": "true 或 false", "bool_parsing": "true 或 false",
    "tuple_type": "列表 [ … ]", "list_type": "列表 [ … ]", "dict_type": "表 { … }", "model_type": "表 { … }",
    "model_attributes_type": "表 { … }", "date_type": "日期（如 2022-01-01，不加引号）",
    "date_parsing": "日期（如 2022-01-01，不加引号）", "date_from_datetime_parsing": "日期（如 2022-01-01，不加引号）",
    "date_from_datetime_inexact": "日期（如 2022-01-01，不加引号）",
}  # fmt: skip
_PATTERNS = {
    r"^\d{2,4}$": "应为 2 至 4 位数字的行业代码，加引号",
    r"^\d{2,6}$": "应为 2 至 6 位数字的用地用海代码，加引号",
    r"^[A-Z][A-Z0-9_]{1,31}$": "应以大写字母开头，只用大写字母、数字、下划线，2 至 32 个字符",
    r"^[A-Z]$": "应为一个大写字母",
    r"^[a-z][a-z0-9_-]{0,31}$": "应以小写字母开头，只用小写字母、数字、-、_，至多 32 个字符",
    r"^[a-z][a-z0-9_]{0,31}$": "应以小写字母开头，只用小写字母、数字、下划线，至多 32 个字符",
}


@dataclass(frozen=True)
class _Spot:
    """A place of a document that an error speaks of, without the names of the union members that came that way."""

    path: KeyPath
    labels: tuple[tuple[int, str], ...]
    value: Any
    models: tuple[type[BaseModel], ...]

    @property
    def fields(self) -> dict[str, str]:
        """Keys of the table at this place, and what each is."""
        return {name: field.description or "" for each in self.models for name, field in each.model_fields.items()}


def fault(error: ValidationError, texts: list[tuple[str, str]], model: type[BaseModel]) -> InvalidParameter:
    """The faults of a rule set, the first three in full.

    Parameters
    ----------
    error : what the check of the whole document found
    texts : (file name, text) of the file and of each that it extends, nearest first; all of them parse
    model : the model that was checked, for the keys that there are
    """
    documents = [tomllib.loads(text) for _, text in texts]
    whole: dict[str, Any] = {}
    for document in reversed(documents):
        whole |= document
    lines = [lines_of(text) for _, text in texts]
    told: list[tuple[int, int, str]] = []
    for path, where, message in _messages(error, whole, model):
        # The file of a key is the nearest one that has its table: whole tables are taken over.
        file = next((i for i, document in enumerate(documents) if where and where[0] in document), 0)
        told.append((file, line_of(lines[file], where) or 0, f"{_shown(path)}：{message}" if path else message))
    told = sorted(dict.fromkeys(told))
    places = [f"{texts[file][0]} 第 {line} 行" if line else texts[file][0] for file, line, _ in told]
    each = [f"{place} {text}" for place, (_, _, text) in zip(places, told, strict=True)]
    if len(each) == 1:
        detail = f"规则文件不合要求：{each[0]}"
    else:
        rest = [f"另有 {len(each) - TOLD_FAULTS} 处"] if len(each) > TOLD_FAULTS else []
        detail = "\n  ".join([f"规则文件有 {len(each)} 处不合要求：", *each[:TOLD_FAULTS], *rest])
    return InvalidParameter(detail, where=places[0], remedy="键与可用的词见 data/rules/README.md")


def _messages(
    error: ValidationError, document: dict[str, Any], model: type[BaseModel]
) -> Iterable[tuple[KeyPath, KeyPath, str]]:
    """(key as told, place to look for its line, message) of every fault."""
    found = [(_spot(each["loc"], each["type"], document, model), each) for each in error.errors()]
    found = [one for one in _likely(found) if not _is_echo(*one)]
    extra = [spot for spot, each in found if each["type"] == "extra_forbidden"]
    misspelt = {(*spot.path[:-1], name) for spot in extra for name in spot.fields if _near(spot, name)}
    for spot, each in found:
        kind, context = each["type"], each.get("ctx", {})
        if kind == "rule":
            path = (*spot.path, *context["at"])
            yield path, path, context["message"]
        elif kind == "missing":
            # A misspelt key is one fault, not an unknown one and a missing one.
            if spot.path not in misspelt:
                yield spot.path, spot.path[:-1], _missing(spot)
        elif kind == "kinds":
            yield spot.path, spot.path, f"应为{'或'.join(dict.fromkeys(context['kinds']))}{_written(spot.value)}"
        else:
            yield spot.path, spot.path, _translated(kind, context, spot)


def _spot(loc: tuple[str | int, ...], kind: str, document: Any, model: type[BaseModel]) -> _Spot:
    """Follows a location through the document; what is no key or index there is the name of a union member."""
    value: Any = document
    path: list[str | int] = []
    labels: list[tuple[int, str]] = []
    models: tuple[type[BaseModel], ...] = (model,)
    around = models
    for i, part in enumerate(loc):
        inside = (isinstance(value, dict) and part in value) or (
            isinstance(value, list) and isinstance(part, int) and part < len(value)
        )
        if not inside and not (kind == "missing" and i == len(loc) - 1):
            labels.append((len(path), str(part)))
            models = tuple(each for each in models if each.__name__ in str(part)) or models
            continue
        path.append(part)
        around = models
        value = value[part] if inside else None
        if isinstance(part, str) and any(part in each.model_fields for each in models):
            models = tuple(
                found
                for each in models
                if part in each.model_fields
                for found in _models_in(each.model_fields[part].annotation)
            )
    return _Spot(tuple(path), tuple(labels), value, around)


def _models_in(annotation: Any) -> tuple[type[BaseModel], ...]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (annotation,)
    return tuple(found for inner in get_args(annotation) for found in _models_in(inner))


def _likely(found: list[tuple[_Spot, Any]]) -> list[tuple[_Spot, Any]]:
    """Of the members of a union those that take a value of the kind that is written; else one error for all of them."""
    unions: dict[KeyPath, list[int]] = {}
    for i, (spot, _) in enumerate(found):
        for at, _label in spot.labels:
            unions.setdefault(spot.path[:at], []).append(i)
    dropped: set[int] = set()
    merged: dict[int, tuple[_Spot, Any]] = {}
    for path, members in unions.items():
        other = [i for i in members if found[i][0].path == path and found[i][1]["type"] in _KINDS]
        if len(other) < len(members):
            dropped.update(other)
        else:
            kinds = [_KINDS[found[i][1]["type"]] for i in members]
            merged[members[0]] = (found[members[0]][0], {"type": "kinds", "ctx": {"kinds": kinds}})
            dropped.update(members[1:])
    return [merged.get(i, one) for i, one in enumerate(found) if i not in dropped]


def _is_echo(spot: _Spot, each: Any) -> bool:
    """A list whose only elements are at fault is called empty too; it is not."""
    return each["type"] == "too_short" and isinstance(spot.value, list) and len(spot.value) > 0


def _near(spot: _Spot, name: str) -> bool:
    return f"“{name}”" in did_you_mean(str(spot.path[-1]), spot.fields)


def _missing(spot: _Spot) -> str:
    name = spot.path[-1]
    if isinstance(name, int):
        return "列表少一项"
    hint = f"（{spot.fields[name]}）" if spot.fields.get(name) else ""
    if len(spot.path) == 1:
        return f'缺少表 [{name}]{hint}；可在 [ruleset] 中写 extends = "national" 取自国家规定'
    return f"缺少这个键{hint}"


def _translated(kind: str, context: Mapping[str, Any], spot: _Spot) -> str:
    written = _written(spot.value)
    limits = {"greater_than": ("gt", "大于"), "greater_than_equal": ("ge", "不小于"), "less_than": ("lt", "小于"),
              "less_than_equal": ("le", "不大于")}  # fmt: skip
    if kind in _KINDS:
        return f"应为{_KINDS[kind]}{written}"
    if kind in limits:
        name, words = limits[kind]
        return f"应{words} {context[name]:g}{written}"
    match kind:
        case "extra_forbidden":
            near = did_you_mean(str(spot.path[-1]), spot.fields)
            return f"没有这个键{near or '；此处可用：' + '、'.join(spot.fields)}"
        case "literal_error":
            choices = re.findall(r"'([^']*)'", context["expected"])
            near = did_you_mean(spot.value, choices) if isinstance(spot.value, str) else ""
            return f"应为 {'、'.join(choices)} 之一{written}{near}"
        case "string_pattern_mismatch":
            of_key = bool(spot.labels) and spot.labels[-1][1] == "[key]"
            return f"{_PATTERNS.get(context['pattern'], '写法不合要求')}{'' if of_key else written}"
        case "string_too_short":
            return "不能为空"
        case "too_short":
            return f"至少要有 {context['min_length']} 项"
        case "too_long":
            return f"最多 {context['max_length']} 项，写了 {context['actual_length']} 项"
        case "finite_number":
            return "应为有限的数"
        case "value_error":
            said = str(context["error"])
            return said if str(spot.value) in said else f"{said}{written}"
        case _:
            return f"不合要求{written}"


def _written(value: Any) -> str:
    """The value as the file has it, where it is short enough to say."""
    if isinstance(value, bool):
        return f"，写的是 {str(value).lower()}"
    if isinstance(value, str):
        return f"，写的是“{value[:40]}”"
    return f"，写的是 {value}" if isinstance(value, int | float) else ""


def _shown(path: KeyPath) -> str:
    """A key as people write it, elements of lists counted from 1."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text
