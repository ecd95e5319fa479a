"""Set-backs: the distances of the law, each barrier's own before them, and nothing guessed."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from shapely.geometry import LineString, box

from geo import crs
from geo.errors import InvalidParameter
from geo.plots.exclusion import Pieces, cut
from geo.plots.parameters import PlotRules
from geo.plots.setbacks import Setback, load_setbacks
from tests.plots.figures import LON, barriers, parcels

GK = crs.metric_crs(LON)
LAW = PlotRules(setbacks=load_setbacks())
LAND = box(0, 0, 400, 500)


def cut_by(kind: str, rules: PlotRules = LAW, at_m: float = 0.0, **fields: Any) -> Pieces:
    """The land with a barrier of 10 m along its western edge, the edge of the barrier ``at_m`` from the land."""
    line = LineString([(-5 - at_m, -100), (-5 - at_m, 600)])
    frame = barriers(kind, line, width_m=fields.pop("width_m", 10.0), setback_m=fields.pop("setback_m", np.nan))
    for name, value in fields.items():
        frame[name] = value
    return cut(parcels(LAND).to_crs(GK), None, frame.to_crs(GK), rules)


def depth_m(pieces: Pieces) -> float:
    """How deep the land was cut, metres."""
    return round(float(shapely.area(np.asarray(pieces.losses["geometry"], dtype=object)).sum()) / 500, 2)


@pytest.mark.parametrize(
    ("kind", "fields", "metres"),
    [
        ("motorway", {}, 30),  # 公路安全保护条例 Art. 11, from the edge of the road's land
        ("local_road", {"grade": "national"}, 20),
        ("local_road", {"grade": "provincial"}, 15),
        ("local_road", {"grade": "county"}, 10),
        ("local_road", {"grade": "township"}, 5),
        ("local_road", {"grade": "street"}, 0),  # a street is no 公路
        ("power_line", {"voltage_kv": 10.0}, 5),  # 电力设施保护条例 Art. 10, from the outer conductor
        ("power_line", {"voltage_kv": 35.0}, 10),
        ("power_line", {"voltage_kv": 110.0}, 10),
        ("power_line", {"voltage_kv": 220.0}, 15),
        ("power_line", {"voltage_kv": 500.0}, 20),
        ("pipeline", {}, 0),  # 管道保护法 Art. 30: 5 m from the centre line, which here is 5 m away
        ("river", {}, 0),
    ],
)
def test_distances_of_the_law(kind: str, fields: dict[str, Any], metres: float) -> None:
    pieces = cut_by(kind, **fields)
    assert depth_m(pieces) == metres
    assert set(pieces.losses["reason"]) == ({f"setback_{kind}"} if metres else set())
    assert pieces.unassessed_setbacks == ()


@pytest.mark.parametrize(
    ("grade", "setting", "metres"),
    [
        # 铁路安全管理条例 Art. 27
        ("high_speed", "urban", 10), ("high_speed", "suburban", 12), ("high_speed", "village", 15),
        ("high_speed", "elsewhere", 20), ("conventional", "urban", 8), ("conventional", "suburban", 10),
        ("conventional", "village", 12), ("conventional", "elsewhere", 15),
    ],
)  # fmt: skip
def test_railways_by_grade_and_setting(grade: str, setting: Any, metres: float) -> None:
    rules = PlotRules(setbacks=load_setbacks(railway_setting=setting))
    assert depth_m(cut_by("railway", rules, grade=grade)) == metres


def test_a_pipeline_is_measured_from_its_centre() -> None:
    assert depth_m(cut_by("pipeline", at_m=-3.0, width_m=1.0)) == 3.0


def test_a_barriers_own_setback_goes_before_the_law() -> None:
    assert depth_m(cut_by("motorway", setback_m=8.0)) == 8.0
    assert depth_m(cut_by("motorway", setback_m=0.0)) == 0.0
    own = cut_by("railway", setback_m=0.0)
    assert own.unassessed_setbacks == ()
    assert depth_m(cut_by("river", setback_m=50.0)) == 50.0


def test_without_a_table_only_the_barriers_own_counts() -> None:
    nothing = cut_by("motorway", PlotRules())
    assert depth_m(nothing) == 0
    assert nothing.unassessed_setbacks == ()


@pytest.mark.parametrize(
    ("kind", "fields", "setting", "missing"),
    [
        ("railway", {}, None, ("grade", "setting")),
        ("railway", {"grade": "high_speed"}, None, ("setting",)),
        ("railway", {}, "urban", ("grade",)),
        ("local_road", {}, None, ("grade",)),
        ("local_road", {"grade": "village"}, None, ("grade",)),  # 村道: Art. 11 does not list it
        ("local_road", {"grade": "high_speed"}, None, ("grade",)),
        ("power_line", {}, None, ("voltage_kv",)),
        ("power_line", {"voltage_kv": 1000.0}, None, ("voltage_kv",)),
    ],
)
def test_what_is_not_known_is_not_guessed(kind: str, fields: dict[str, Any], setting: Any, missing: Any) -> None:
    pieces = cut_by(kind, PlotRules(setbacks=load_setbacks(railway_setting=setting)), **fields)
    assert depth_m(pieces) == 0
    assert [(each.kind, each.missing, each.barrier_id) for each in pieces.unassessed_setbacks] == [
        (kind, missing, (f"{kind}0",))
    ]


def test_only_what_the_answer_hangs_on_is_named() -> None:
    # A railway keeps 20 m free at most: 19 m away its grade matters, 21 m away it does not.
    assert cut_by("railway", at_m=19).unassessed_setbacks
    assert cut_by("railway", at_m=21).unassessed_setbacks == ()
    # Where all grades agree, none is missing.
    same = tuple(row for row in load_setbacks(railway_setting="urban") if row.kind == "railway")
    alike = PlotRules(setbacks=tuple(Setback(**{**asdict(row), "metres": 9.0}) for row in same))
    agreed = cut_by("railway", alike)
    assert (depth_m(agreed), agreed.unassessed_setbacks) == (9.0, ())


def test_a_line_of_unknown_width_is_measured_from_the_line_and_named() -> None:
    # 30 m from the line, which lies 5 m off the land: 25 m are certain, more would need the width.
    pieces = cut_by("motorway", width_m=np.nan)
    assert depth_m(pieces) == 25
    assert pieces.unassessed_setbacks[0].missing == ("width_m",)
    assert cut_by("motorway", at_m=90, width_m=np.nan).unassessed_setbacks == ()


def test_what_was_applied_is_known_with_its_law() -> None:
    applied = cut_by("local_road", grade="county").setbacks
    assert [(row.metres, row.law, row.article, row.status) for row in applied] == [
        (10, "公路安全保护条例", "第十一条", "verified")
    ]
    assert cut_by("local_road", at_m=11, grade="county").setbacks == ()


def test_many_barriers_in_one_layer_keep_their_own_answers() -> None:
    line = LineString([(-5, -100), (-5, 600)])
    frame = barriers("local_road", line, LineString([(405, -100), (405, 600)]), LineString([(0, 505), (1, 505)]),
                     width_m=10)  # fmt: skip
    frame["grade"] = ["county", "national", None]
    frame["setback_m"] = [np.nan, np.nan, 0.0]
    pieces = cut(parcels(LAND).to_crs(GK), None, frame.to_crs(GK), LAW)
    assert shapely.area(pieces.geometry).sum() == pytest.approx(370 * 500)
    assert sorted(row.metres for row in pieces.setbacks) == [10, 20]


def test_the_parameters_of_a_run_hold_the_table() -> None:
    kept = json.loads(json.dumps(asdict(LAW)))
    assert {row["kind"] for row in kept["setbacks"]} == {"motorway", "local_road", "railway", "power_line", "pipeline"}
    assert all(row["law"] and row["article"] and row["status"] for row in kept["setbacks"])


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "本地.toml"
    head = 'title = "本地"\nversion = "1"\nrailway_setting = "urban"\nsetbacks = [\n'
    row = '{{ kind = "{}", metres = {}, measured_from = "edge", law = "条例", article = "一", status = "verified" }},\n'
    path.write_text(head + row.format("river", 50) + "]\n", encoding="utf-8")
    assert depth_m(cut_by("river", PlotRules(setbacks=load_setbacks(path)))) == 50
    for text, words in [
        (head + row.format("brook", 50) + "]", "brook"),
        (head + row.format("river", -1) + "]", "metres"),
        (head + row.format("river", 5).replace("metres", "meters") + "]", "meters"),
        ("title = ", "TOML"),
    ]:
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InvalidParameter, match=words):
            load_setbacks(path)
    with pytest.raises(InvalidParameter, match="不能读取"):
        load_setbacks(tmp_path / "none.toml")


def test_sources_may_write_grades_in_chinese() -> None:
    from geo.layers.words import words_of

    known = words_of("barriers", "grade")
    assert known is not None
    spoken = {spelling: word for word, spellings in known.items() for spelling in spellings}
    assert [spoken[word] for word in ("高速公路", "国道", "省道", "县道", "乡道", "高速铁路", "普速铁路")] == [
        "motorway", "national", "provincial", "county", "township", "high_speed", "conventional",
    ]  # fmt: skip
