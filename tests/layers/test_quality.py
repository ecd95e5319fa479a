"""Every row is stored, repaired or quarantined; values are read once, in stated units, and nothing is lost."""

from __future__ import annotations

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

from geo.layers.profiles import Profile, apply_profile, load_profile, plain_profile
from geo.layers.quality import check
from geo.layers.reading import SourceLayer
from geo.layers.writing import FORMATS, write_layer

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


_SHAPES = st.sampled_from(
    [SQUARE, BOW_TIE, None, shapely.Point(120, 32), shapely.Polygon(), shapely.box(500, 0, 501, 1)]
)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(_SHAPES, st.sampled_from(["A", "B", None, ""])), min_size=1, max_size=12), st.booleans())
def test_counts_always_add_up(rows: list[tuple[Any, str | None]], number: bool) -> None:
    profile = plain_profile("parcels").model_copy(update={"duplicate_key": "number" if number else "quarantine"})
    found = checked([shape for shape, _ in rows], profile, parcel_id=pd.Series([key for _, key in rows], dtype=object))
    assert len(found.features) + len(found.quarantine) == len(rows)
    assert found.features["parcel_id"].is_unique
    assert found.features.geometry.is_valid.all()
    assert sum(found.report["quarantined"].values()) == len(found.quarantine)


@pytest.mark.parametrize("suffix", list(FORMATS))
def test_round_trip(tmp_path: Path, suffix: str) -> None:
    stored = checked(
        [SQUARE, BOW_TIE], parcel_id=["甲", "乙"], 约定动工日期=["2024-02-29", None], 备注=["好", None]
    ).features
    path = tmp_path / f"out{suffix}"
    write_layer(stored, "parcels", path)
    back = gpd.read_file(path)
    assert list(back["parcel_id"]) == ["甲", "乙"]
    assert back["area_m2"].tolist() == pytest.approx(stored["area_m2"].tolist())
    assert shapely.hausdorff_distance(np.asarray(back.geometry), np.asarray(stored.geometry)).max() < 1e-6
