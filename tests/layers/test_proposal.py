"""A file is recognised by its columns: the right profile comes first, with reasons, and nonsense gets none."""

from __future__ import annotations

import random

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.layers.mapping.proposal import Proposal, propose
from geo.layers.profiles import apply_profile, profile_names
from geo.layers.schema import LAYERS
from tests.layers.tables import TABLES, layer_of


def proposed(columns: dict[str, list], geometry: str | None = "Polygon", name: str = "layer") -> list[Proposal]:
    frame = pd.DataFrame(columns)
    return propose(list(frame.columns), frame, geometry, name)


@pytest.mark.parametrize("name", profile_names())
def test_each_source_is_recognised(name: str) -> None:
    table = TABLES[name]
    best = proposed(table.columns, table.geometry, table.name)[0]
    assert best.profile.name == name
    assert best.score >= 0.6  # what the command line asks to confirm
    assert set(best.matched.values()) | set(best.unmatched) <= set(table.columns)
    assert not set(best.matched.values()) & set(best.unmatched)
    assert best.why


@pytest.mark.parametrize("name", ["dltb", "dltb-2010", "zdjbxx", "supply", "dcdytb", "ktt-fw-zrz", "storage"])
def test_columns_alone_tell_a_source_whose_layer_was_renamed(name: str) -> None:
    table = TABLES[name]
    found = proposed(table.columns, table.geometry, "图层1")
    assert found[0].profile.name == name
    assert 0.6 <= found[0].score < proposed(table.columns, table.geometry, table.name)[0].score


@pytest.mark.parametrize("name", ["dltb", "zdjbxx", "ktt-fw-zrz"])
def test_a_source_without_half_of_its_columns_is_still_recognised(name: str) -> None:
    table = TABLES[name]
    needed = {"DLBM", "BSM", "zddm", "ZDDM", "ZRZH"}
    others = [column for column in table.columns if column not in needed]
    kept = needed | set(random.Random(7).sample(others, len(others) // 2))
    found = proposed(
        {column: values for column, values in table.columns.items() if column in kept}, "Polygon", table.name
    )
    assert found[0].profile.name == name
    assert 0.5 < found[0].score < 1


def test_known_names_make_a_profile_with_units_from_the_headings_alone() -> None:
    columns = {
        "宗地代码": ["330110001002GB00001"], "使用权人": ["甲公司"], "坐落": ["某路"], "宗地面积(亩)": [15.0],
        "税收": [3.0], "约定开工时间": ["2024-03-01"], "备注": ["x"],
    }  # fmt: skip
    best = proposed(columns)[0]
    assert (best.profile.name, best.profile.layer) == ("by-name", "parcels")
    assert best.matched == {
        "parcel_id": "宗地代码", "holder": "使用权人", "address": "坐落", "declared_area_m2": "宗地面积(亩)",
        "start_due": "约定开工时间",
    }  # fmt: skip
    assert best.units == {"declared_area_m2": "亩"}
    assert best.unmatched == ("税收", "备注")
    assert "没有写单位而不采用：税收" in best.why
    mapped = apply_profile(layer_of(pd.DataFrame(columns)), best.profile).frame
    assert mapped["declared_area_m2"][0] == pytest.approx(10_000)
    assert mapped["tax_yuan"].isna().all()
    assert mapped["extra"][0] == {"税收": 3.0, "备注": "x"}


@pytest.mark.parametrize(
    ("columns", "geometry", "name"),
    [
        ({"osm_id": ["1"], "code": [7], "fclass": ["x"], "name": ["y"]}, "Polygon", "landuse"),
        ({"列1": ["a"], "备注": [1], "名称": ["x"], "编号": ["y"]}, None, "Sheet1"),
        ({"NAME": ["x"], "POP_EST": [1], "ISO_A3": ["CHN"], "CONTINENT": ["Asia"]}, "MultiPolygon", "countries"),
        ({"osm_id": ["1"], "name": ["x"], "ref": ["G1"], "oneway": ["F"], "maxspeed": [0]}, "LineString", "roads"),
        ({"OBJECTID": [1], "Shape_Length": [1.0], "Shape_Area": [1.0]}, "Polygon", "新建图层"),
        ({}, None, "Sheet1"),
    ],
)
def test_nonsense_gets_no_proposal(columns: dict[str, list], geometry: str | None, name: str) -> None:
    assert proposed(columns, geometry, name) == []


@given(st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=12), st.sampled_from([None, "Polygon", "Point"]))
def test_random_names_get_none(names: list[str], geometry: str | None) -> None:
    assert propose(names, pd.DataFrame(columns=names), geometry, "x") == []


def test_geometry_must_fit() -> None:
    dltb = TABLES["dltb"]
    assert proposed(dltb.columns, "Point", "DLTB") == []
    assert not any(
        one.profile.layer == "parcels" and not one.profile.join for one in proposed(dltb.columns, None, "DLTB")
    )


def test_a_needed_key_decides() -> None:
    zdjbxx = {name: values for name, values in TABLES["zdjbxx"].columns.items() if name != "zddm"}
    assert all(one.profile.name != "zdjbxx" for one in proposed(zdjbxx, "Polygon", "ZDJBXX"))


def test_values_that_cannot_be_read_count_against_a_profile() -> None:
    good = TABLES["contracts"].columns
    bad = {**good, **{name: ["待定"] for name in good if name.startswith("约定") or "(" in name or "（" in name}}
    assert proposed(bad, None, "Sheet1")[0].score < proposed(good, None, "Sheet1")[0].score
    assert "多数值不能识别" in proposed(bad, None, "Sheet1")[0].why


@pytest.mark.parametrize("name", profile_names())
def test_every_number_that_is_proposed_has_a_unit(name: str) -> None:
    table = TABLES[name]
    for one in proposed(table.columns, table.geometry, table.name):
        for field in one.matched:
            item = LAYERS[one.profile.layer].field(field)
            if item.kind == "real" and item.unit not in ("", "1"):
                assert one.units[field]
