"""From the parameters of a request to a question for the store; every one of them is checked, none is ignored."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from api.ogc.systems import box_condition, known_system, plain_box, to_lon_lat
from api.ogc.temporal import during
from geo.errors import InvalidParameter, NotFound
from geo.layers.filters import Filter, all_of, parse_filter
from geo.layers.schema import LAYERS, Layer
from geo.store.base import Query
from geo.store.places import Place, Sort, place_from

DEFAULT_LIMIT, MAX_LIMIT = 1000, 10_000
_MOST_DIGITS = 18
_LONGEST_FILTER = 1024 * 1024

SELECTING = ("bbox", "bbox-crs", "datetime", "filter", "filter-lang", "filter-crs")
PAGING = ("limit", "after", "sortby")
SHOWING = ("crs", "properties", "f", "lang")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks of a layer: the question, and the system of the coordinates in the answer."""

    layer: Layer
    query: Query
    crs: str | None


def known_layer(name: str) -> Layer:
    """The layer of a collection; ``NotFound`` where there is none."""
    if name not in LAYERS:
        raise NotFound(f"没有图层“{name[:40]}”", where="collection", remedy="可用：" + "、".join(LAYERS))
    return LAYERS[name]


def queryables(layer: Layer) -> tuple[str, ...]:
    """The fields that are parameters of their own (/req/queryables-query-parameters)."""
    return tuple(field.name for field in layer.fields if field.kind != "json")


def asked(layer: Layer, given: Mapping[str, str], allowed: Collection[str]) -> Asked:
    """The question of the parameters of an address.

    Parameters
    ----------
    given : parameter -> text
    allowed : what has a meaning here, beside the fields of the layer

    Raises
    ------
    InvalidParameter
        An unknown parameter (/req/core/query-param-unknown) or a bad value (/req/core/query-param-invalid).
    """
    fields = queryables(layer)
    unknown = [name for name in given if name not in allowed and name not in fields]
    if unknown:
        raise InvalidParameter(
            f"未知参数：{'、'.join(name[:40] for name in sorted(unknown))}",
            where=unknown[0][:40],
            remedy=f"可用：{'、'.join(sorted(allowed))}；字段：{'、'.join(fields)}",
        )
    for name, text in given.items():
        check_text(text, name)
    conditions = [_filter(layer, given)] if "filter" in given else []
    for name in ("filter-lang", "filter-crs"):
        if name in given and "filter" not in given:  # checked all the same
            _language(given) if name == "filter-lang" else known_system(given[name], name)
    bbox, further = _box(layer, given)
    conditions += [parse_filter(part, layer) for part in further]
    if "datetime" in given:
        within = during(given["datetime"], layer)
        conditions += [parse_filter(within, layer)] if within is not None else []
    sort = _sort(given.get("sortby"), layer)
    query = Query(
        layer.name,
        bbox=bbox,
        equals={name: given[name] for name in fields if name in given},
        columns=names_of(given["properties"]) if "properties" in given else None,
        limit=limit_of(given.get("limit")),
        sort=sort,
        after=_after(given.get("after"), sort),
        filter=all_of(conditions, layer),
    )
    return Asked(layer, query, known_system(given["crs"], "crs") if "crs" in given else None)


def check_text(text: str, where: str) -> None:
    """Refuse what no database holds: NUL, half a surrogate pair."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidParameter("参数含有 NUL 或不成对的代理字符", where=where, remedy="请检查编码")


def limit_of(text: str | None) -> int:
    """``limit``: more than the largest page is the largest page (/req/core/fc-limit-response-1)."""
    if text is None:
        return DEFAULT_LIMIT
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit()) or int(digits[: _MOST_DIGITS + 2]) < 1:
        raise InvalidParameter(f"limit“{text[:40]}”应为正整数", where="limit", remedy=f"1 至 {MAX_LIMIT}")
    return MAX_LIMIT if len(digits) > _MOST_DIGITS else min(int(digits), MAX_LIMIT)


def number_of(text: str, where: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InvalidParameter(f"{where}“{text[:40]}”不是数", where=where, remedy="例如 120.15")
    return value


def names_of(text: str) -> tuple[str, ...]:
    """A list with commas."""
    return tuple(name for name in (part.strip() for part in text.split(",")) if name)


def _sort(text: str | None, layer: Layer) -> Sort:
    """``sortby=+a,-b``; a plus in an address is a blank."""
    if not text:
        return ()
    listed: dict[str, Any] = {}
    for part in text.split(","):
        name = part.strip().removeprefix("+").removeprefix("-")
        if name not in queryables(layer) or name in listed:
            raise InvalidParameter(
                f"不能按“{part[:40]}”排序", where="sortby", remedy="可用字段：" + "、".join(queryables(layer))
            )
        listed[name] = "desc" if part.strip().startswith("-") else "asc"
    if len(listed) > 8:
        raise InvalidParameter("排序字段超过 8 个", where="sortby", remedy="请减少字段")
    return tuple(listed.items())


def _after(text: str | None, sort: Sort) -> Place | None:
    return None if text is None else place_from(text, sort)


def _language(given: Mapping[str, str]) -> str:
    language = given.get("filter-lang", "cql2-text")
    if language not in ("cql2-text", "cql2-json"):
        raise InvalidParameter(
            f"不支持的过滤语言“{language[:40]}”", where="filter-lang", remedy="可用：cql2-text、cql2-json"
        )
    return language


def _filter(layer: Layer, given: Mapping[str, str]) -> Filter:
    """``filter`` in its language and system (/req/filter/filter-param, filter-lang-param, filter-crs-param)."""
    text = given["filter"]
    expression: Any = text
    if _language(given) == "cql2-json":
        try:
            expression = json.loads(text) if len(text) <= _LONGEST_FILTER else None
        except (ValueError, RecursionError):
            expression = None
        if isinstance(expression, bool):
            expression = "TRUE" if expression else "FALSE"
        elif not isinstance(expression, dict):
            raise InvalidParameter("filter 不是 CQL2-JSON 对象", where="filter", remedy="请检查 filter-lang")
    elif text.lstrip().startswith("{"):
        raise InvalidParameter("filter 不是 CQL2 文本", where="filter", remedy="CQL2-JSON 请加 filter-lang=cql2-json")
    crs = known_system(given["filter-crs"], "filter-crs") if "filter-crs" in given else None
    if crs is None:
        return parse_filter(expression, layer)
    return parse_filter(expression, layer, placed=lambda geometry: to_lon_lat(geometry, crs, "filter"))


def _box(
    layer: Layer, given: Mapping[str, str]
) -> tuple[tuple[float, float, float, float] | None, list[dict[str, Any]]]:
    """``bbox`` in ``bbox-crs``: a plain box, or conditions where it is none."""
    crs = known_system(given["bbox-crs"], "bbox-crs") if "bbox-crs" in given else None
    if "bbox" not in given:
        return None, []
    values = [number_of(part, "bbox") for part in given["bbox"].split(",")]
    if len(values) not in (4, 6):
        raise InvalidParameter("bbox 应为 4 个或 6 个数", where="bbox", remedy="例如 119.8,31.9,120.1,32.2")
    if len(values) == 6:  # heights are of no account: the land has none here
        if values[2] > values[5]:
            raise InvalidParameter("bbox 的最低高程应不大于最高高程", where="bbox")
        values = [values[0], values[1], values[3], values[4]]
    box = (values[0], values[1], values[2], values[3])
    plain, condition = plain_box(box, crs), None
    if plain is None:
        condition = box_condition(box, crs)
    if layer.geometry is None:  # not associated with a place, so that every row is taken
        return None, []
    return plain, [] if condition is None or isinstance(condition, bool) else [condition]
