"""What stands inside a predicate of a CQL2 filter: fields, constants, arithmetic, patterns, geometries."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import shapely

from geo.errors import InvalidParameter
from geo.layers.schema import Layer

COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
SPATIAL = (
    "s_intersects", "s_within", "s_contains", "s_disjoint", "s_touches", "s_overlaps", "s_crosses", "s_equals",
)  # fmt: skip
_ARITHMETIC = ("+", "-", "*", "/")
_ALLOWED = ("and", "or", "not", *COMPARISONS, "between", "in", "isNull", "like", "casei", *_ARITHMETIC, *SPATIAL)
GEOMETRY_NAMES = ("geom", "geometry")
SMALLEST, LARGEST = 1e-150, 1e150  # operands of arithmetic: no product or quotient of two leaves double precision

_TermKind = Literal["text", "number", "date", "boolean", "moment", "json"]
_KINDS: dict[str, _TermKind] = {
    "text": "text",
    "real": "number",
    "integer": "number",
    "date": "date",
    "boolean": "boolean",
    "json": "json",
}
_KIND_NAMES = {"text": "文本", "number": "数值", "date": "日期", "boolean": "真假", "moment": "时刻", "json": "结构"}
_HOW_TO_WRITE = {
    "text": "文本写作 '甲镇'",
    "number": "数值写作 10000",
    "date": "日期写作 DATE('2024-05-01')",
    "boolean": "真假写作 true 或 false",
}
_GEOMETRY_TYPES = ("Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon")
_EXACT = 2**53  # the parser reads numbers in double precision
_LONGEST_PATTERN = 200
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_CHINA = ZoneInfo("Asia/Shanghai")
_FOLD = str.maketrans({chr(letter): chr(letter + 32) for letter in range(ord("A"), ord("Z") + 1)})


@dataclass(frozen=True, slots=True)
class Term:
    """One side of a comparison in normal form. ``exact`` ones are integer fields, compared as integers."""

    node: Any
    kind: _TermKind
    constant: bool = False
    exact: bool = False


def wrong(detail: str, remedy: str) -> InvalidParameter:
    """An error of a filter."""
    return InvalidParameter(detail, where="filter", remedy=remedy)


def unknown_operator(op: str) -> InvalidParameter:
    """The error for an operator or function that filters do not have."""
    return wrong(f"不支持的运算或函数“{op[:40]}”", "可用：" + "、".join(_ALLOWED))


@dataclass(frozen=True, slots=True)
class Terms:
    """Checks terms against a layer. ``columns`` are the fields that may be seen, ``None`` for all."""

    layer: Layer
    columns: Collection[str] | None = None

    def unknown(self, name: str) -> InvalidParameter:
        """The error for a field that is not there."""
        there = [column for column in self.layer.columns if self.columns is None or column in self.columns]
        if self.layer.geometry is not None:
            there.append("geom")
        return wrong(f"图层“{self.layer.zh}”没有字段“{name[:40]}”", "可用字段：" + "、".join(there))

    def any_property(self, node: Any) -> dict[str, str]:
        """A field of any kind, geometry included (as ``geom``)."""
        if not isinstance(node, dict) or not isinstance(node.get("property"), str):
            raise wrong("这里应为字段名", "可用字段：" + "、".join(self.columns or self.layer.columns))
        name = node["property"]
        if name in self.layer.columns and (self.columns is None or name in self.columns):
            return {"property": name}
        if name in GEOMETRY_NAMES and self.layer.geometry is not None:
            return {"property": "geom"}
        raise self.unknown(name)

    def term(self, node: Any) -> Term:
        """A field, a constant, ``casei`` of one, or arithmetic."""
        if node is None:
            raise wrong("不能与 NULL 比较", "请用 IS NULL 或 IS NOT NULL")
        if isinstance(node, bool):
            return Term(node, "boolean", constant=True)
        if isinstance(node, (int, float)):
            if not math.isfinite(node):
                raise wrong("数值超出范围", "请用有限的数值")
            return Term(float(node), "number", constant=True)
        if isinstance(node, str):
            return Term(_storable(node), "text", constant=True)
        if isinstance(node, dict):
            if "property" in node:
                return self._field(self.any_property(node)["property"])
            if "date" in node:
                return Term({"date": _day(node["date"])}, "date", constant=True)
            if "timestamp" in node:
                return Term(_moment(node["timestamp"]), "moment", constant=True)
            if isinstance(node.get("op"), str) and isinstance(node.get("args"), list):
                return self._operation(node["op"], node["args"])
            if "type" in node or "bbox" in node:
                raise wrong("几何常数不能这样比较", "请用 s_intersects(geom, …) 等空间判断")
            if "interval" in node:
                raise wrong("不支持时间区间", "请用 >= 和 <=，或 BETWEEN")
        raise wrong("这里应为字段或常数", "例如 town = '甲镇'")

    def _field(self, name: str) -> Term:
        if name in GEOMETRY_NAMES and name not in self.layer.columns:
            raise wrong("几何字段不能比较", "请用 s_intersects(geom, …) 等空间判断，或 geom IS NULL")
        kind = self.layer.field(name).kind
        if kind == "json":
            raise wrong(f"结构化字段“{name}”不能比较", "只能用 IS NULL 或 IS NOT NULL")
        return Term({"property": name}, _KINDS[kind], exact=kind == "integer")

    def _operation(self, op: str, given: list[Any]) -> Term:
        if op == "casei" and len(given) == 1:
            inner = self.term(given[0])
            if inner.kind != "text" or (isinstance(inner.node, dict) and "op" in inner.node):
                raise wrong("“casei”只能用于文本字段或文本常数", "例如 CASEI(holder) = CASEI('abc')")
            if inner.constant:
                return Term(inner.node.translate(_FOLD), "text", constant=True)
            return Term({"op": "casei", "args": [inner.node]}, "text")
        if op in _ARITHMETIC and len(given) == 2:
            sides = [self.term(one) for one in given]
            if any(side.kind != "number" for side in sides):
                raise wrong(f"“{op}”只能用于数值", _HOW_TO_WRITE["number"])
            if all(side.constant for side in sides):
                return Term(_calculated(op, sides[0].node, sides[1].node), "number", constant=True)
            return Term({"op": op, "args": [side.node for side in sides]}, "number")
        raise unknown_operator(op)

    @staticmethod
    def check_comparable(one: Term, other: Term) -> None:
        """``InvalidParameter`` where the two are of different kinds."""
        if one.kind == other.kind or (one.kind == "date" and other.kind == "moment"):
            return
        name = f"字段“{one.node['property']}”" if "property" in one.node else "左边"
        raise wrong(
            f"{name}是{_KIND_NAMES[one.kind]}，不能与{_KIND_NAMES[other.kind]}比较",
            _HOW_TO_WRITE.get(one.kind, "请检查字段"),
        )

    @staticmethod
    def value_for(one: Term, other: Term) -> Any:
        """The other side of a comparison; a whole number as ``int`` where the field holds integers."""
        if other.constant and one.exact:
            if abs(other.node) > _EXACT:
                raise wrong(f"数值 {other.node:g} 超出可以精确比较的范围", "请用 ±9007199254740992 以内的整数")
            if other.node == int(other.node):
                return int(other.node)
        return other.node

    @staticmethod
    def pattern(text: str) -> str:
        """A LIKE pattern in normal form: only ``%``, ``_`` and the backslash are escaped."""
        if len(text) > _LONGEST_PATTERN:
            raise wrong(f"匹配式超过 {_LONGEST_PATTERN} 个字符", "请缩短")
        try:
            return "".join(part if wild else re.sub(r"([%_\\])", r"\\\1", part) for part, wild in pattern_parts(text))
        except ValueError:
            raise wrong("匹配式末尾的“\\”后没有字符", "要匹配“\\”本身请写“\\\\”") from None

    @staticmethod
    def geometry(node: Any) -> dict[str, Any]:
        """A valid geometry in longitude and latitude, as GeoJSON."""
        if isinstance(node, dict) and set(node) == {"bbox"}:
            node = _box(node["bbox"])
        if not isinstance(node, dict) or node.get("type") not in _GEOMETRY_TYPES or "coordinates" not in node:
            raise wrong(
                "这里应为几何常数",
                "可用 " + "、".join(name.upper() for name in _GEOMETRY_TYPES) + "、BBOX(西, 南, 东, 北)",
            )
        plain = {"type": node["type"], "coordinates": node["coordinates"]}
        try:
            geometry = shapely.from_geojson(json.dumps(plain, allow_nan=False))
        except (shapely.errors.GEOSException, ValueError, TypeError):
            raise wrong("几何常数的坐标无效", "环至少四个点，首尾相同；每个点为经度、纬度") from None
        if geometry is None or geometry.is_empty:
            raise wrong("几何常数为空", "请给出坐标")
        if geometry.has_z:
            raise wrong("几何常数带有高程", "每个点只要经度、纬度")
        if not (abs(shapely.get_coordinates(geometry)) <= (180.0, 90.0)).all():
            raise wrong("几何常数超出经纬度范围", "坐标应为 EPSG:4490 的经度、纬度，经度在前")
        if not geometry.is_valid:
            raise wrong(f"几何常数无效：{shapely.is_valid_reason(geometry)}", "请修正自相交等问题")
        return plain


def pattern_parts(pattern: str) -> list[tuple[str, bool]]:
    """The characters of a LIKE pattern, and whether each is a wildcard; ``ValueError`` where an escape ends it."""
    parts = []
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            escaped = next(characters, None)
            if escaped is None:
                raise ValueError(pattern)
            parts.append((escaped, False))
        else:
            parts.append((character, character in "%_"))
    return parts


def _storable(text: str) -> str:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise wrong("文本常数含有不能存储的字符", "请去掉 NUL 和不成对的代理字符")
    return text


def _day(text: Any) -> str:
    try:
        if not isinstance(text, str) or not _DAY.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise wrong(f"日期“{str(text)[:40]}”无效", _HOW_TO_WRITE["date"]) from None


def _moment(text: Any) -> dict[str, Any]:
    """A moment as its day in China, and whether it is the beginning of that day."""
    try:
        moment = datetime.fromisoformat(text).astimezone(_CHINA) if _is_moment(text) else None
    except (ValueError, OverflowError):
        moment = None
    if moment is None:
        raise wrong(f"时刻“{str(text)[:40]}”无效", "时刻写作 TIMESTAMP('2024-05-01T08:00:00Z')")
    start = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return {"date": moment.date().isoformat(), "midnight": moment == start}


def _is_moment(text: Any) -> bool:
    form = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})"
    return isinstance(text, str) and re.fullmatch(form, text) is not None


def _calculated(op: str, left: float, right: float) -> float:
    """Arithmetic on constants, by the same rule as on fields."""
    whole = all(side == 0 or SMALLEST <= abs(side) <= LARGEST for side in (left, right))
    if not whole or (op == "/" and right == 0):
        raise wrong(f"算式 {left:g} {op} {right:g} 没有结果", "请检查常数")
    match op:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case _:
            return left / right


def _box(sides: Any) -> dict[str, Any]:
    if (
        not isinstance(sides, list)
        or len(sides) != 4
        or any(isinstance(side, bool) or not isinstance(side, (int, float)) for side in sides)
        or not (sides[0] < sides[2] and sides[1] < sides[3])
    ):
        raise wrong("BBOX 应为四个数：西、南、东、北，西小于东，南小于北", "如 BBOX(120.1, 31.2, 120.2, 31.3)")
    west, south, east, north = sides
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}
