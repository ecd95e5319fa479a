"""Pages of features, places in an order, totals and the nearest: the same from either store."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from geo.errors import InvalidParameter
from geo.store.base import Query, Store
from geo.store.nearest import nearest
from geo.store.places import place_from
from tests.store.conftest import Samples

SORT = (("town", "asc"), ("area_m2", "desc"))


@pytest.fixture
def filled(store: Store, make: Samples) -> Store:
    towns = ["甲镇", None, "乙镇"] * 10
    areas = [None if i % 7 == 0 else float(i % 5) for i in range(30)]
    make.fill(store, make.squares(30, town=towns, area_m2=areas))
    return store


def test_pages_give_every_row_once_in_order_with_missing_values_last(filled: Store) -> None:
    query, rows = Query("parcels", sort=SORT, limit=4), []
    while True:
        page = filled.features(query, count_to=100)
        rows += [json.loads(text)["properties"] for text in page.features]
        assert page.matched == 30
        if page.following is None:
            break
        query = replace(query, after=place_from(page.following.token(), SORT))

    def place(row: dict) -> tuple:
        town, area = row["town"], row["area_m2"]
        return town is None, (town or "").encode(), area is None, -(area or 0.0), row["parcel_id"]

    assert len(rows) == 30
    assert rows == sorted(rows, key=place)


def test_a_token_means_nothing_under_another_sort(filled: Store) -> None:
    token = filled.features(Query("parcels", sort=SORT, limit=4)).following.token()  # type: ignore[union-attr]
    for wrong in ((), (("town", "desc"), ("area_m2", "desc"))):
        with pytest.raises(InvalidParameter):
            place_from(token, wrong)


def test_counting_ends_at_its_bound(filled: Store) -> None:
    assert filled.count(Query("parcels"), at_most=7) == 7
    assert filled.features(Query("parcels", limit=5), count_to=29).matched is None
    assert filled.features(Query("parcels", limit=5), count_to=30).matched == 30


def test_totals_are_those_of_the_rows(filled: Store) -> None:
    frame = filled.read(Query("parcels"))
    totals = {total.by[0]: total for total in filled.totals(Query("parcels"), ("town",), ("area_m2",))}
    assert [*totals] == ["乙镇", "甲镇", None]
    for town, total in totals.items():
        own = frame[frame["town"].isna() if town is None else frame["town"] == town]
        assert (total.count, total.sums["area_m2"]) == (len(own), own["area_m2"].sum())
    with pytest.raises(InvalidParameter):
        filled.totals(Query("parcels"), ("extra",))


def test_the_nearest_lie_at_their_distance_on_the_ellipsoid(filled: Store) -> None:
    from pyproj import Geod

    west = 120.0
    found = nearest(filled, Query("parcels"), west - 0.01, 31.0005, 2)
    straight = Geod(ellps="GRS80").inv(west - 0.01, 31.0005, west, 31.0005)[2]
    assert found[0].key == "P000000"
    assert found[0].distance_m == pytest.approx(straight, abs=0.001)
    assert nearest(filled, Query("parcels"), west + 0.0005, 31.0005, 1)[0].distance_m == 0


@pytest.mark.parametrize(("crs", "northing_first"), [("EPSG:4490", True), ("EPSG:4528", True), ("EPSG:3857", False)])
def test_coordinates_come_in_the_axis_order_of_the_authority(filled: Store, crs: str, northing_first: bool) -> None:
    (text,) = filled.features(Query("parcels", limit=1), crs=crs).features
    first, second = json.loads(text)["geometry"]["coordinates"][0][0]
    assert (first < second) is northing_first


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_pages_by_area_go_on_into_the_rows_without_one(filled: Store, direction: str) -> None:
    sort = (("area_m2", direction),)
    whole = filled.features(Query("parcels", sort=sort, limit=100)).keys
    for size in (1, 7, 29):
        query, keys = Query("parcels", sort=sort, limit=size), []
        while True:
            page = filled.features(query)
            keys += page.keys
            if page.following is None:
                break
            query = replace(query, after=page.following)
        assert keys == whole


def test_a_box_takes_what_touches_it_and_nothing_a_hair_away(filled: Store) -> None:
    # The squares are 0.001 wide, 0.002 apart; indexes hold 32 bits, which know 120 to 0.0000076.
    hair, gap_ends = 1e-9, 120.002
    for wide in (0.00001, 0.0009, 5.0):
        box = (gap_ends - wide, 31.0, gap_ends, 31.001)
        assert "P000001" in filled.features(Query("parcels", bbox=box, limit=100)).keys
        box = (gap_ends - wide, 31.0, gap_ends - hair, 31.001)
        assert "P000001" not in filled.features(Query("parcels", bbox=box, limit=100)).keys
