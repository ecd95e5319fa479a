"""Every row is stored, repaired or quarantined; values are read once, in stated units, and nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS, Geod

from geo import crs
from geo.layers.profiles import Profile, apply_profile, importable_layers, load_profile, plain_profile
from geo.layers.quality import QualityRules, check, quarantine_frame_for_file
from geo.layers.reading import SourceLayer
from geo.layers.schema import LAYERS
from geo.store.base import Load, Query, Store

SQUARE = shapely.box(120, 32, 120.001, 32.001)
BOW_TIE = shapely.Polygon([(120, 32), (120.001, 32.001), (120.001, 32), (120, 32.001)])


def source(geometry: list[Any], crs: int = 4490, **columns: Any) -> SourceLayer:
    frame = gpd.GeoDataFrame(columns, geometry=geometry, crs=crs)
    return SourceLayer("parcels", frame, CRS.from_epsg(crs), "a.gpkg", "0" * 64)


def checked(geometry: list[Any], profile: Profile | None = None, **columns: Any) -> Any:
    chosen = profile or plain_profile("parcels")
    return check(apply_profile(source(geometry, **columns), chosen), "parcels", chosen.duplicate_key)


def test_the_three_outcomes() -> None:
    found = checked(
        [SQUARE, BOW_TIE, None, shapely.Point(120, 32), SQUARE, SQUARE],
        parcel_id=["A", "B", "C", "D", "A", None],
    )
    assert list(found.features["parcel_id"]) == ["A", "B"]
    assert found.features.geometry.is_valid.all()
    assert found.repaired == 1
    reasons = dict(zip(found.quarantine["source_row"], found.quarantine["reason"], strict=True))
    assert reasons == {3: "没有几何", 4: "几何类型不符（需要面）", 5: "宗地代码重复", 6: "缺少宗地代码"}


def test_duplicates_are_numbered_where_the_profile_says_so() -> None:
    found = checked(
        [SQUARE] * 3, load_profile("baltimore-parcels"), PIN=["7", "7", "7"], OWNER="a", FULLADDR="b", NEIGHBORHOOD="c"
    )
    assert list(found.features["parcel_id"]) == ["7", "7#2", "7#3"]
    assert found.report["repaired"] == {"重复的键已编号": 2}


def test_area_is_ellipsoidal_whatever_the_source_system() -> None:
    there = gpd.GeoSeries([SQUARE], crs=4490).to_crs(4528)
    mapped = apply_profile(source(list(there), crs=4528, parcel_id=["A"]), plain_profile("parcels"))
    stored = check(mapped, "parcels").features
    assert stored.crs.to_epsg() == 4490
    geographiclib = Geod(a=6_378_137.0, rf=298.257222101).geometry_area_perimeter(SQUARE)[0]
    assert stored["area_m2"][0] == pytest.approx(geographiclib, rel=1e-7)


def test_words_dates_and_units_are_read_once() -> None:
    profile = Profile.model_validate(
        {"name": "p", "title": "t", "layer": "parcels",
         "fields": {"declared_area_m2": {"column": "面积", "unit": "亩"},
                    "land_price_yuan": {"column": "价款", "unit": "万元"}},
         "words": {"status": {"荒着": "not_started"}}}
    )  # fmt: skip
    found = checked(
        [SQUARE] * 5, profile, 宗地代码=list("ABCDE"), 面积=["1.5", "15", "?", None, "0"], 价款=[1, 2, 3, 4, 5],
        建设状态=["未开工", "荒着", "在产", "瞎写", None],
        约定动工日期=["2024-02-29", "2024/3/1", "2024年3月1日", "20240301", "2024-03-01T20:00:00Z"],
        自定义=["x", None, "y", "z", "w"],
    ).features  # fmt: skip
    assert found["declared_area_m2"].tolist()[:2] == pytest.approx([1000, 10_000])
    assert found["land_price_yuan"].tolist() == [10_000, 20_000, 30_000, 40_000, 50_000]
    assert [None if pd.isna(word) else word for word in found["status"]] == [
        "not_started",
        "not_started",
        "producing",
        None,
        None,
    ]
    assert [str(day.date()) for day in found["start_due"]] == [
        "2024-02-29",
        "2024-03-01",
        "2024-03-01",
        "2024-03-01",
        "2024-03-02",
    ]
    # What could not be read is kept, with everything that was not mapped.
    assert found["extra"][2] == {"面积": "?", "自定义": "y"}
    assert found["extra"][3]["建设状态"] == "瞎写"
    assert found["extra"][1] is None


def test_a_number_under_a_foreign_name_is_not_given_a_unit() -> None:
    found = checked([SQUARE], parcel_id=["A"], ZDMJ=[15.0]).features
    assert np.isnan(found["declared_area_m2"][0])
    assert found["extra"][0] == {"ZDMJ": 15.0}


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-03-01 08:00:00.123", "2024-03-01"), ("2024-03-01T00:00:00.000", "2024-03-01"),
        ("2024-02-29T20:00:00.5Z", "2024-03-01"), ("2024-03-01T01:00:00+08:00", "2024-03-01"),
        (20240301.0, "2024-03-01"), ("20240301", "2024-03-01"), ("2024.3.1", "2024-03-01"),
        ("2024年3月1日", "2024-03-01"),
        ("2024", None), ("2024年3月", None), ("2024-13-01", None), ("1/3/2024", None), ("下月", None),
    ],
)  # fmt: skip
def test_days_as_sources_write_them(text: Any, day: str | None) -> None:
    found = checked([SQUARE] * 2, parcel_id=["A", "B"], start_due=pd.Series([text, None], dtype=object)).features
    assert (None if pd.isna(found["start_due"][0]) else str(found["start_due"][0].date())) == day
    assert (found["extra"][0] is None) == (day is not None)


def test_numbers_pass_over_those_that_the_source_uses() -> None:
    profile = plain_profile("parcels").model_copy(update={"duplicate_key": "number"})
    found = checked([SQUARE] * 4, profile, parcel_id=["A", "A", "A#2", "A"])
    assert list(found.features["parcel_id"]) == ["A", "A#3", "A#2", "A#4"]


def test_a_geometry_of_a_higher_dimension_is_quarantined_too() -> None:
    frame = gpd.GeoDataFrame({"kind": ["port", "port"]}, geometry=[SQUARE, SQUARE.centroid], crs=4490)
    layer = SourceLayer("terminals", frame, CRS.from_epsg(4490), "a.gpkg", "0" * 64)
    found = check(apply_profile(layer, plain_profile("terminals")), "terminals")
    assert (len(found.features), len(found.quarantine)) == (1, 1)


def warnings_of(found: Any) -> dict[tuple[str, str], dict[str, Any]]:
    return {(warning["kind"], warning["field"]): warning for warning in found.report["warnings"]}


# --- geometry


def test_a_repair_that_changes_the_area_is_told() -> None:
    # Software sums a bow-tie to nothing; its two triangles are half of the square. The spike has no area at all.
    spike = shapely.Polygon([(120, 32), (120.001, 32), (120.001, 32.001), (120.001, 32.002), (120.001, 32.001),
                             (120, 32.001)])  # fmt: skip
    found = checked([BOW_TIE, spike, SQUARE], parcel_id=["A", "B", "C"])
    assert sum(found.report["repaired"].values()) == found.repaired == 2
    warning = warnings_of(found)["area_changed_by_repair", "geometry"]
    assert warning["count"] == 1
    assert [(one["key"], one["source_row"]) for one in warning["examples"]] == [("A", 1)]
    assert "修复前 0.00，修复后 52" in warning["examples"][0]["value"]


def test_the_tolerance_of_a_repair_is_a_parameter() -> None:
    mapped = apply_profile(source([BOW_TIE], parcel_id=["A"]), plain_profile("parcels"))
    relaxed = check(mapped, "parcels", rules=QualityRules(repair_area_share=1.0))
    assert relaxed.repaired == 1
    assert ("area_changed_by_repair", "geometry") not in warnings_of(relaxed)
    assert relaxed.report["rules"]["repair_area_share"] == 1.0


def test_structure_is_kept_by_a_repair() -> None:
    # A hole that touches its shell along an edge is land cut away, not land twice.
    bitten = shapely.Polygon(SQUARE.exterior, [[(120, 32), (120.0005, 32), (120.0005, 32.0005), (120, 32.0005)]])
    found = checked([bitten], parcel_id=["A"]).features
    whole, quarter = crs.ellipsoidal_area(np.array([SQUARE, shapely.box(120, 32, 120.0005, 32.0005)]))
    assert found["area_m2"][0] == pytest.approx(whole - quarter, rel=1e-9)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (shapely.Polygon([(120, 32), (120.001, 32), (120.002, 32)]), "几何退化（修复后没有剩余）"),
        (shapely.Polygon([(120, 32), (120.001, np.nan), (120.001, 32.001)]), "坐标不是有限数"),
        (shapely.Polygon([(120, 32), (np.inf, 32), (120.001, 32.001)]), "坐标不是有限数"),
        (shapely.box(40_500_000, 3_540_000, 40_500_100, 3_540_100), "坐标超出坐标系范围"),
        (shapely.box(20, 32, 20.001, 32.001), "超出坐标系的适用范围"),
        (shapely.GeometryCollection([shapely.Point(120, 32)]), "几何类型不符（需要面）"),
        (shapely.Polygon(), "没有几何"),
    ],
)
def test_geometry_that_cannot_be_stored(shape: Any, reason: str) -> None:
    found = checked([SQUARE, shape, SQUARE], parcel_id=["A", "B", "C"])
    assert found.report["quarantined"] == {reason: 1}
    assert list(found.quarantine["source_row"]) == [2]


def test_a_row_outside_the_zone_is_quarantined_one_just_over_its_edge_is_not() -> None:
    there = gpd.GeoSeries([SQUARE, shapely.box(121.9, 32, 121.901, 32.001), shapely.box(126, 32, 126.001, 32.001)])
    there = there.set_crs(4490).to_crs(4549)
    mapped = apply_profile(source(list(there), crs=4549, parcel_id=["A", "B", "C"]), plain_profile("parcels"))
    found = check(mapped, "parcels")
    assert list(found.features["parcel_id"]) == ["A", "B"]
    assert found.report["quarantined"] == {"超出坐标系的适用范围": 1}


def test_a_layer_that_lies_elsewhere_as_a_whole_is_told_and_stored() -> None:
    found = checked([shapely.box(-76.6, 39.3, -76.599, 39.301)] * 2, parcel_id=["A", "B"])
    assert len(found.features) == 2
    assert found.report["notes"]["geometry"] == {"在坐标系适用范围之外（整层如此，未隔离）": 2}


def test_coordinates_of_the_stored_system_come_through_to_the_last_bit() -> None:
    odd = shapely.Polygon([(120.1234567890123, 32.1, 5), (120.2, 32.1, 5), (120.2, 32.7654321098765, 5)])
    for code in (4490, 4326):
        stored = check(apply_profile(source([odd], crs=code, parcel_id=["A"]), plain_profile("parcels")), "parcels")
        assert shapely.equals_identical(np.asarray(stored.features.geometry)[0], shapely.force_2d(odd))


def test_collections_give_their_polygons_however_deep() -> None:
    other = shapely.box(120.01, 32, 120.011, 32.001)
    inner = shapely.GeometryCollection([shapely.MultiPolygon([other]), shapely.Point(120, 32)])
    found = checked(
        [shapely.GeometryCollection([SQUARE]), shapely.GeometryCollection([SQUARE, inner]),
         shapely.GeometryCollection([shapely.Point(120, 32)])],
        parcel_id=["A", "B", "C"],
    )  # fmt: skip
    assert [shape.geom_type for shape in found.features.geometry] == ["Polygon", "MultiPolygon"]
    assert shapely.equals(np.asarray(found.features.geometry)[1], shapely.union(SQUARE, other))
    assert found.report["repaired"] == {"几何集合已转为面": 1, "混合几何中只保留面部分": 1}
    assert len(found.quarantine) == 1


def test_stacked_polygons_are_counted_and_named() -> None:
    turned = shapely.Polygon([(120.001, 32.001), (120, 32.001), (120, 32), (120.001, 32)])  # the same, begun elsewhere
    same_bounds = shapely.Polygon([(120, 32), (120.001, 32), (120.001, 32.001)])
    found = checked([SQUARE, turned, same_bounds, SQUARE], parcel_id=["A", "B", "C", "D"])
    assert found.report["identical"] == {"groups": 1, "rows": 3, "surplus": 2, "examples": [["A", "B", "D"]]}
    assert len(found.features) == 4


# --- values: stored as they are, and told


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("foundation_pct", 130.0, "out_of_range"), ("land_price_yuan", -1.0, "out_of_range"),
        ("employees", -3, "out_of_range"), ("far_agreed", 99.0, "out_of_range"), ("year", 1899, "out_of_range"),
        ("year", 2101, "out_of_range"), ("started_on", "1900-01-01", "date_out_of_range"),
        ("start_due", "2099-01-01", "date_out_of_range"), ("started_on", "2027-01-01", "date_after_data"),
        ("footprint_m2", 1e6, "part_exceeds_whole"), ("credit_code", "91330100", "credit_code_form"),
        ("land_use", "9999", "land_use_unknown"), ("declared_area_m2", 1e4, "area_differs"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_right_is_stored_and_told(field: str, value: Any, kind: str) -> None:
    columns = {"parcel_id": ["A", "B"], field: pd.Series([None, value], dtype=object)}
    mapped = apply_profile(source([SQUARE] * 2, **columns), plain_profile("parcels"))
    found = check(mapped, "parcels", data_date="2026-06-30")
    stored = found.features[field][1]
    assert (str(stored.date()) if hasattr(stored, "date") else stored) == value
    assert set(warnings_of(found)) == {(kind, field)}
    (example,) = warnings_of(found)[kind, field]["examples"]
    assert (example["key"], example["source_row"]) == ("B", 2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("foundation_pct", 100.0), ("tax_yuan", -1.0), ("year", 2025), ("land_use", "1001"), ("land_use", "05H1"),
        ("land_use", "M2"), ("land_use", "100102"), ("credit_code", "91330100MA2AAAAA1X"), ("start_due", "2060-01-01"),
        ("parcel_id", "330106001001GB00017"), ("parcel_id", "TB-17"),
    ],
)  # fmt: skip
def test_values_that_may_be_right_are_not_told(field: str, value: Any) -> None:
    columns: dict[str, Any] = {"parcel_id": ["A"], field: pd.Series([value], dtype=object)}
    mapped = apply_profile(source([SQUARE], **columns), plain_profile("parcels"))
    assert check(mapped, "parcels", data_date="2026-06-30").report["warnings"] == []


def test_days_that_run_backwards_are_told_as_pairs() -> None:
    found = checked(
        [SQUARE] * 3, parcel_id=["A", "B", "C"], contract_date=["2020-01-01"] * 3,
        started_on=["2019-12-31", "2020-05-01", "2020-05-01"], completed_on=[None, "2020-04-01", "2021-01-01"],
        suspended_on=["2020-01-01", None, "2020-04-30"],
    )  # fmt: skip
    told = {field: [one["key"] for one in warning["examples"]] for (_, field), warning in warnings_of(found).items()}
    assert told == {"started_on": ["A"], "completed_on": ["B"], "suspended_on": ["C"]}
    assert warnings_of(found)["date_order", "completed_on"]["examples"][0]["value"] == "2020-05-01 / 2020-04-01"


def test_a_code_of_nineteen_characters_is_held_to_the_pattern() -> None:
    found = checked([SQUARE] * 2, parcel_id=["330106001001GB00017", "330106001001XX00017"])
    assert warnings_of(found)["parcel_code_form", "parcel_id"]["examples"][0]["key"] == "330106001001XX00017"


def test_declared_areas_in_another_unit_are_recognised_and_not_converted() -> None:
    area = crs.ellipsoidal_area(np.array([SQUARE]))[0]
    found = checked([SQUARE] * 2, parcel_id=["A", "B"], declared_area_m2=[area * 3 / 2000, area * 3 / 2000 * 1.01])
    assert found.features["declared_area_m2"][0] == pytest.approx(area * 3 / 2000)
    assert "单位疑为亩" in warnings_of(found)["area_differs", "declared_area_m2"]["limit"]


def test_examples_are_the_worst_and_at_most_five() -> None:
    area = crs.ellipsoidal_area(np.array([SQUARE]))[0]
    declared = area * np.array([1.0, 1.02, 1.5, 1.03, 3.0, 1.04, 1.05, 1.06])
    found = checked([SQUARE] * 8, parcel_id=list("ABCDEFGH"), declared_area_m2=declared)
    warning = warnings_of(found)["area_differs", "declared_area_m2"]
    assert warning["count"] == 7
    assert [one["key"] for one in warning["examples"]] == ["E", "C", "H", "G", "F"]


# --- counts


_JUNK: list[Any] = [None, "", "?", "2024-02-30", -1, 1e300, float("inf"), True, "12.5", "G", b"\xff", "=1+1"]
_SHAPES: list[Any] = [
    SQUARE, BOW_TIE, None, shapely.Polygon(), shapely.Point(120, 32), shapely.LineString([(120, 32), (120.1, 32)]),
    shapely.LineString([(120, 32), (120, 32)]), shapely.box(500, 0, 501, 1), shapely.box(10, 0, 10.1, 1),
    shapely.Polygon([(120, 32), (120.001, np.nan), (120.001, 32.001)]), shapely.Point(np.inf, 32),
    shapely.Polygon([(120, 32), (120.001, 32), (120.002, 32)]), shapely.MultiPolygon([SQUARE, SQUARE]),
    shapely.GeometryCollection([SQUARE, shapely.Point(120, 32)]), shapely.GeometryCollection(),
    shapely.GeometryCollection([shapely.GeometryCollection([BOW_TIE, shapely.LineString([(120, 32), (121, 32)])])]),
    shapely.Point(120, 32, 7), shapely.MultiPoint([(120, 32), (120.1, 32)]),
]  # fmt: skip


def broken_source(layer_name: str, rows: list[tuple[int, str | None, int, bool]]) -> SourceLayer:
    """A layer whose rows are (shape, key, junk in every field, whether the reader refused it)."""
    layer = LAYERS[layer_name]
    columns: dict[str, Any] = {
        item.name: pd.Series([_JUNK[(junk + at) % len(_JUNK)] for _, _, junk, _ in rows], dtype=object)
        for at, item in enumerate(layer.fields)
        if item.name != "extra"
    }
    columns[layer.key] = pd.Series([key for _, key, _, _ in rows], dtype=object)
    faults = {at: "读取失败" for at, row in enumerate(rows) if row[3]}
    geometry = [None if refused else _SHAPES[shape] for shape, _, _, refused in rows]
    frame = gpd.GeoDataFrame(columns, geometry=geometry, crs=4490)
    if layer.geometry is None:
        frame = pd.DataFrame(frame.drop(columns="geometry"))
    return SourceLayer(layer_name, frame, CRS.from_epsg(4490), "a.gpkg", "0" * 64, faults=faults)


def assert_nothing_is_lost(found: Any, layer_name: str, read: int) -> None:
    layer = LAYERS[layer_name]
    assert len(found.features) + len(found.quarantine) == read
    assert sum(found.report["quarantined"].values()) == len(found.quarantine)
    assert sum(found.report["repaired"].values()) == found.repaired <= len(found.features)
    assert found.features[layer.key].is_unique
    assert found.features[layer.key].notna().all()
    assert found.quarantine["source_row"].is_unique
    assert found.quarantine["reason"].notna().all()
    if layer.geometry is not None:
        assert found.features.geometry.is_valid.all()
        assert not found.features.geometry.is_empty.any()
        assert len(quarantine_frame_for_file(found)) == len(found.quarantine)
    json.dumps(found.report, allow_nan=False)


_ROWS = st.lists(
    st.tuples(
        st.integers(0, len(_SHAPES) - 1), st.sampled_from(["A", "B", "A#2", None, ""]),
        st.integers(0, len(_JUNK) - 1), st.sampled_from([False, False, False, True]),
    ),
    max_size=12,
)  # fmt: skip


@settings(max_examples=60)
@given(st.sampled_from(importable_layers()), _ROWS, st.sampled_from(["quarantine", "number"]))
def test_counts_always_add_up(layer: str, rows: list[tuple[int, str | None, int, bool]], duplicate_key: Any) -> None:
    profile = plain_profile(layer).model_copy(update={"duplicate_key": duplicate_key})
    found = check(apply_profile(broken_source(layer, rows), profile), layer, duplicate_key)
    assert_nothing_is_lost(found, layer, len(rows))


def test_both_stores_take_whatever_is_left(store: Store) -> None:
    keys = ["A", "B", "A", None]
    rows = [(at % len(_SHAPES), f"{keys[at % 4]}{at % 9}" if at % 4 < 3 else None, at % len(_JUNK), at % 11 == 10)
            for at in range(60)]  # fmt: skip
    for layer in importable_layers():
        found = check(apply_profile(broken_source(layer, rows), plain_profile(layer)), layer)
        assert_nothing_is_lost(found, layer, len(rows))
        load = Load(
            load_id=f"L-{layer}", layer=layer, file_name="a.gpkg", sha256="0" * 64, profile="canonical",
            source_crs="EPSG:4490", loaded_at="2026-06-30T00:00:00+08:00", data_date=None, read=len(rows),
            stored=len(found.features), repaired=found.repaired, quarantined=len(found.quarantine), report=found.report,
        )  # fmt: skip
        apart = found.quarantine.assign(load_id=load.load_id, row_id=[f"{layer}/{n}" for n in range(load.quarantined)])
        store.write_load(load, found.features, apart)
        assert len(store.read(Query(layer))) == load.stored
        kept = store.read(Query("quarantine"))
        assert (kept["layer"] == layer).sum() == load.quarantined
    assert {load.layer: load.report["quarantined"] for load in store.loads()}.keys() == set(importable_layers())


# --- the file of quarantined rows


def test_quarantined_rows_open_as_a_file_with_their_faults(tmp_path: Path) -> None:
    found = checked(
        [SQUARE, BOW_TIE, None, SQUARE], parcel_id=["A", None, "C", "A"], holder=["甲", "乙", None, "丁"],
        Reason=["x", "y", "z", "w"],
    )  # fmt: skip
    path = tmp_path / "quarantine.gpkg"
    quarantine_frame_for_file(found).to_file(path, layer="quarantine", engine="pyogrio")
    back = gpd.read_file(path)
    assert list(back["source_row"]) == [2, 3, 4]
    assert list(back["reason"]) == ["缺少宗地代码", "没有几何", "宗地代码重复"]
    assert list(back["Reason_2"]) == ["y", "z", "w"]
    assert [None if pd.isna(name) else name for name in back["holder"]] == ["乙", None, "丁"]
    assert shapely.equals_identical(back.geometry[0], BOW_TIE)
    assert not back.geometry[0].is_valid
    assert back.geometry[1] is None
