"""CQL2: what may be asked, what may not, and what it means on a frame."""

from __future__ import annotations

import json
import time
from datetime import date
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from geo.errors import InvalidParameter
from geo.layers.filtering.rows import evaluate
from geo.layers.filters import parse_filter, properties
from geo.layers.schema import LAYERS, PARCELS

FRAME = gpd.GeoDataFrame(
    {
        "parcel_id": list("abcdef"),
        "town": ["甲镇", "乙街道", None, "甲镇", "100%_\\", "Ab\nC"],
        "holder": ["甲镇", "ab", "x", None, "*?[", "AB"],
        "area_m2": [10.0, 20.0, 30.0, None, 0.0, -5.5],
        "tax_yuan": [1.0, 0.0, None, 4.0, 5.0, 11.0],
        "employees": pd.array([1, 2, None, 2**53 + 1, 5, -6], dtype="Int64"),
        "above_scale": pd.array([True, False, None, True, False, None], dtype="boolean"),
        "start_due": pd.Series(pd.to_datetime(["2024-01-01", "2024-05-31", None, "2020-02-29", None, "1999-12-31"])),
        "extra": [{"a": 1}, None, None, {}, None, None],
    },
    geometry=[
        shapely.box(0, 0, 1, 1),
        shapely.box(1, 0, 2, 1),
        shapely.box(5, 5, 6, 6),
        None,
        shapely.box(0.25, 0.25, 0.5, 0.5),
        shapely.Polygon(),
    ],
    crs=4490,
)


def taken(given: str | dict[str, Any]) -> str:
    """Keys of the rows that a filter takes, end to end."""
    return "".join(FRAME["parcel_id"][evaluate(parse_filter(given, PARCELS), FRAME)])


def meeting(coordinates: list[Any]) -> dict[str, Any]:
    """The filter of what meets a line."""
    line = {"type": "LineString", "coordinates": coordinates}
    return {"op": "s_intersects", "args": [{"property": "geom"}, line]}


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("town = '甲镇'", "ad"),
        ("town <> '甲镇'", "bef"),  # null is neither
        ("NOT town = '甲镇'", "bef"),
        ("town IS NULL", "c"),
        ("town IS NOT NULL AND NOT (holder IS NULL)", "abef"),
        ("town = holder", "a"),
        ("'甲镇' = town", "ad"),
        ("town IN ('甲镇', '乙街道')", "abd"),
        ("town NOT IN ('甲镇', '乙街道')", "ef"),
        ("town LIKE '%镇'", "ad"),
        ("town NOT LIKE '%镇'", "bef"),
        ("town LIKE '_街_'", "b"),
        ("town LIKE '100\\%\\_\\\\'", "e"),
        ("town LIKE 'Ab_C'", "f"),  # the wildcard takes a line break
        ("town LIKE 'ab%'", ""),  # case counts
        ("casei(town) LIKE casei('aB_c')", "f"),
        ("casei(holder) = casei('Ab')", "bf"),
        ("casei(holder) = 'AB'", ""),  # one side folded only
        ("holder LIKE '*?['", "e"),
        ("town < '甲镇'", "bef"),  # by code point
        ("area_m2 >= 10 AND area_m2 < 30", "ab"),
        ("area_m2 BETWEEN 10 AND 20", "ab"),
        ("area_m2 NOT BETWEEN 10 AND 20", "cef"),
        ("10 < area_m2", "bc"),
        ("area_m2 = -5.5", "f"),
        ("area_m2 / tax_yuan > 5", "a"),  # nothing where the divisor is nought or null
        ("area_m2 - tax_yuan * 2 = 8", "a"),
        ("area_m2 > 20000 / 2000 + 5", "bc"),
        ("-employees > 5", "f"),
        ("employees = 2", "b"),
        ("employees < 1.5", "af"),
        ("employees > 9007199254740992", "d"),  # as integers, beyond double precision
        ("employees > area_m2", "e"),
        ("above_scale", "ad"),
        ("NOT above_scale", "be"),
        ("above_scale = false", "be"),
        ("above_scale IN (true, false)", "abde"),
        ("start_due = DATE('2024-01-01')", "a"),
        ("start_due > DATE('2020-02-28') AND start_due <= DATE('2024-01-01')", "ad"),
        ("start_due IN (DATE('1999-12-31'), DATE('2024-05-31'))", "bf"),
        ("start_due BETWEEN DATE('2020-01-01') AND DATE('2024-03-01')", "ad"),
        ("start_due < TIMESTAMP('2023-12-31T16:00:00Z')", "df"),  # midnight in China
        ("start_due <= TIMESTAMP('2023-12-31T15:59:59Z')", "df"),
        ("start_due < TIMESTAMP('2023-12-31T16:00:01Z')", "adf"),
        ("start_due >= TIMESTAMP('2023-12-31T16:00:01Z')", "b"),
        ("start_due = TIMESTAMP('2023-12-31T16:00:00Z')", "a"),
        ("extra IS NULL", "bcef"),
        ("geom IS NULL", "d"),
        ("geometry IS NOT NULL", "abcef"),
        ("s_intersects(geom, POINT(1 0.5))", "ab"),
        ("s_intersects(geom, BBOX(0.9, 0, 1.5, 1))", "ab"),
        ("s_within(geom, POLYGON((0 0, 1 0, 1 1, 0 1, 0 0)))", "ae"),
        ("s_contains(POLYGON((0 0, 1 0, 1 1, 0 1, 0 0)), geom)", "ae"),
        ("s_contains(geom, POINT(0.3 0.3))", "ae"),
        ("s_disjoint(geom, BBOX(-1, -1, 3, 3))", "cf"),  # an empty geometry meets nothing, a missing one is unknown
        ("NOT s_intersects(geom, BBOX(-1, -1, 3, 3))", "cf"),
        ("s_touches(geom, BBOX(1, 0, 2, 1))", "a"),
        ("s_overlaps(geom, BBOX(0.5, 0.5, 1.5, 1.5))", "ab"),
        ("s_crosses(geom, LINESTRING(-1 0.4, 0.4 0.4))", "ae"),
        ("s_equals(geom, POLYGON((1 1, 1 0, 2 0, 2 1, 1 1)))", "b"),
        ("s_intersects(geom, MULTIPOLYGON(((5 5, 6 5, 6 6, 5 5)), ((0 0, 0.1 0, 0 0.1, 0 0))))", "ac"),
        ("town = '甲镇' OR area_m2 > 25", "acd"),
        ("town = 'x' OR area_m2 IS NULL", "d"),
        ("NOT (town = '甲镇' AND area_m2 > 5)", "bef"),  # the row without area is unknown
        ("true", "abcdef"),
        ("false OR (town = '甲镇' AND true)", "ad"),
    ],
)
def test_meaning(text: str, keys: str) -> None:
    assert taken(text) == keys


def test_text_json_and_normal_form_are_one() -> None:
    text = "NOT (casei(holder) LIKE casei('A%') AND area_m2 BETWEEN 1 AND 2) OR s_within(geom, BBOX(0, 0, 1, 1))"
    as_json = {
        "op": "or",
        "args": [
            {
                "op": "not",
                "args": [
                    {
                        "op": "and",
                        "args": [
                            {
                                "op": "like",
                                "args": [
                                    {"op": "casei", "args": [{"property": "holder"}]},
                                    {"op": "casei", "args": ["A%"]},
                                ],
                            },
                            {"op": "between", "args": [{"property": "area_m2"}, 1, 2]},
                        ],
                    }
                ],
            },
            {"op": "s_within", "args": [{"property": "geometry"}, {"bbox": [0, 0, 1, 1]}]},
        ],
    }
    one, other, third = (parse_filter(given, PARCELS) for given in (text, as_json, json.dumps(as_json)))
    assert one.expression == other.expression == third.expression
    assert parse_filter(one.expression, PARCELS).expression == one.expression
    assert properties(one.expression) == {"holder", "area_m2", "geom"}
    assert one.layer == "parcels"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "语法"),
        ("area_m2 >", "表达式未完"),
        ("town = ‘甲镇’", "第 8 个字符"),
        ("area_m2 > 1\nAND town = ;", "第 2 行第 12 个字符"),
        ("(town = 'x'", "左括号"),
        ("town = 'x')", "右括号"),
        ("mu > 500", "没有字段“mu”"),
        ("extra.a = 1", "没有字段“extra.a”"),
        ("\"town; DROP TABLE parcels\" = 'x'", "没有字段"),
        ("pg_sleep(10)", "pg_sleep"),
        ("length(version()) > 5", "length"),
        ("accenti(town) = 'x'", "accenti"),
        ("t_after(start_due, DATE('2024-01-01'))", "t_after"),
        ("area_m2 ^ 2 > 4", "“^”"),
        ("s_dwithin(geom, POINT(1 2), 10)", "s_dwithin"),
        ("town = 5", "文本，不能与数值比较"),
        ("area_m2 = '5'", "数值，不能与文本比较"),
        ("start_due > '2024-01-01'", "日期，不能与文本比较"),
        ("start_due > DATE('2024-02-30')", "2024-02-30"),
        ("start_due > DATE('20240201')", "20240201"),
        ("start_due > TIMESTAMP('2024-02-01')", "时刻"),
        ("start_due = TIMESTAMP('2024-02-01T08:00:00Z')", "某一时刻"),
        ("above_scale > false", "比较大小"),
        ("above_scale = 1", "真假"),
        ("town", "不是真假字段"),
        ("town = NULL", "NULL"),
        ("town IN ('x', NULL)", "NULL"),
        ("town IN ('x', holder)", "常数"),
        ("town IN ('x', 5)", "数值"),
        ("1 = 1", "常数"),
        ("'a' = 'a' OR town = 'x'", "常数"),
        ("(town = 'a') = true", "不支持的运算"),
        ("area_m2 + town > 5", "只能用于数值"),
        ("area_m2 > 1 / 0", "没有结果"),
        ("area_m2 > 1e400", "超出范围"),
        ("employees = 9007199254740993000", "精确"),
        ("extra = 'x'", "结构化"),
        ("geom = POINT(1 2)", "几何字段不能比较"),
        ("town LIKE holder", "常数"),
        ("area_m2 LIKE '5%'", "文本"),
        ("town LIKE 'x\\'", "末尾"),
        ("town LIKE '" + "x" * 201 + "'", "200"),
        ("town = 'a\0b'", "不能存储的字符"),
        ("s_intersects(geom, geom)", "几何常数"),
        ("s_intersects(town, POINT(1 2))", "不是几何"),
        ("s_intersects(geom, POINT(200 10))", "超出经纬度"),
        ("s_intersects(geom, POLYGON((0 0, 1 1, 1 0, 0 1, 0 0)))", "无效"),
        ("s_intersects(geom, POLYGON((0 0, 1 1, 1 0)))", "坐标无效"),
        ("s_intersects(geom, POLYGON EMPTY)", "空"),
        ("s_intersects(geom, POINT Z(1 2 3))", "高程"),
        ("s_intersects(geom, BBOX(2, 0, 1, 1))", "BBOX"),
        ("s_intersects(geom, GEOMETRYCOLLECTION(POINT(1 2)))", "几何常数"),
    ],
)
def test_refused(text: str, told: str) -> None:
    with pytest.raises(InvalidParameter, match=told.replace("^", r"\^")) as refused:
        parse_filter(text, PARCELS)
    assert refused.value.where == "filter"
    assert refused.value.remedy


@pytest.mark.parametrize(
    "given",
    [
        [],
        5,
        None,
        "{",
        "{}",
        '{"op": "="}',
        '{"op": "=", "args": []}',
        '{"op": "=", "args": [{"property": "area_m2"}, NaN]}',
        '{"op": "=", "args": [{"property": "area_m2"}, 1' + "0" * 400 + "]}",
        '{"op": "=", "args": [{"property": ["town"]}, "x"]}',
        '{"op": "and", "args": [{"op": "isNull", "args": [{"property": "town"}]}]}',
        '{"op": "in", "args": [{"property": "town"}, []]}',
        '{"op": "like", "args": [{"property": "town"}, 5]}',
        '{"op": "casei", "args": []}',
        '{"op": "=", "args": [{"property": "town"}, "\\ud800"]}',
        '{"op": "s_intersects", "args": [{"property": "geom"}, {"type": "Polygon", "coordinates": "x"}]}',
        '{"op": "s_intersects", "args": [{"property": "geom"}, {"type": "Polygon", "coordinates": [[["a", 1]]]}]}',
        '{"op": "s_intersects", "args": [{"property": "geom"}, {"type": "Point"}]}',
        {"op": "=", "args": [{"property": "area_m2"}, float("inf")]},
        {"op": "=", "args": [{"property": "area_m2"}, object()]},
    ],
)
def test_json_that_is_no_filter(given: Any) -> None:
    with pytest.raises(InvalidParameter):
        parse_filter(given, PARCELS)


@pytest.mark.parametrize(
    "given",
    [
        "(" * 4000 + "area_m2 = 1" + ")" * 4000,
        "(" * 3000,
        "area_m2 IN " + "(" * 1000,
        "area_m2 IN " + "(" * 20 + "1" + ",1)" * 20,
        "(" * 16 + " AND ".join(["area_m2=1"] * 600) + " = ;" + ")" * 16,
        "casei(" * 1300 + "town" + ")" * 1300 + " = 'x'",
        "NOT " * 2000 + "area_m2 = 1",
        "area_m2 = " + "-" * 8000 + "1",
        "area_m2 = area_m2" + "+1" * 3000,
        "area_m2" + "=1" * 3000,
        "area_m2 = 2" + "^2" * 4000,
        " AND ".join(["area_m2=1"] * 600),
        "area_m2 IN (" + ",".join(["1"] * 1001) + ")",
        "town = '" + "x" * 9000 + "'",
        " OR ".join(["s_intersects(geom, POINT(1 2))"] * 11),
        '{"op":"not","args":[' * 5000,
        '{"op":"not","args":[' * 100 + "true" + "]}" * 100,
        {
            "op": "s_intersects",
            "args": [{"property": "geom"}, {"type": "LineString", "coordinates": [[1, 2]] * 10_001}],
        },
        {"op": "s_intersects", "args": [{"property": "geom"}, {"type": "LineString", "coordinates": [[]] * 30_000}]},
        {"op": "=", "args": [{"property": "town"}, "x" * 9000]},
    ],
    ids=range(20),
)
def test_what_is_too_much_is_refused_soon(given: Any) -> None:
    """The parser would recurse until the process dies, or look at the same bracket 2**n times."""
    start = time.monotonic()
    with pytest.raises(InvalidParameter):
        parse_filter(given, PARCELS)
    assert time.monotonic() - start < 3


def test_a_drawn_outline_of_many_vertices_is_taken_as_json() -> None:
    ring = shapely.Point(0, 0).buffer(3, quad_segs=2400)  # 9,601 vertices
    meets = {"op": "s_within", "args": [{"property": "geom"}, json.loads(shapely.to_geojson(ring))]}
    assert taken(meets) == "abe"


def test_hidden_fields_are_answered_like_unknown_ones() -> None:
    seen = frozenset({"town"})
    assert parse_filter("town = 'x' AND parcel_id = 'y' AND geom IS NULL", PARCELS, seen).layer == "parcels"
    messages = []
    for name in ("holder", "nobody"):
        with pytest.raises(InvalidParameter) as refused:
            parse_filter(f"{name} = 'x'", PARCELS, seen)
        messages.append((refused.value.detail.replace(name, "?"), refused.value.remedy, refused.value.where))
    assert messages[0] == messages[1]
    assert "holder" not in messages[0][1]


def test_a_layer_without_geometry_has_no_geometry_field() -> None:
    with pytest.raises(InvalidParameter, match="没有字段“geom”"):
        parse_filter("s_intersects(geom, POINT(1 2))", LAYERS["delays"])


def test_missing_columns_are_null() -> None:
    frame = pd.DataFrame({"parcel_id": ["a", "b"], "start_due": [date(2024, 1, 1), None]})
    for text, expected in (
        ("town IS NULL", [True, True]),
        ("town <> 'x' OR area_m2 > 1 OR employees < 5 OR above_scale", [False, False]),
        ("start_due = DATE('2024-01-01') OR s_intersects(geom, POINT(1 2))", [True, False]),
    ):
        assert evaluate(parse_filter(text, PARCELS), frame).tolist() == expected
    assert evaluate(parse_filter("town = 'x'", PARCELS), frame.head(0)).tolist() == []
