"""Streams: the rows of ``read`` in pages, out of one snapshot, and nothing kept open when they are left early."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from geopandas.testing import assert_geodataframe_equal

from geo.errors import InvalidParameter, NotFound
from geo.layers.filters import parse_filter
from geo.layers.schema import PARCELS
from geo.store.base import Query, Scope, Store

if TYPE_CHECKING:
    import geopandas as gpd

    from tests.store.conftest import Samples


def towns(make: Samples, number: int, start: int = 0) -> gpd.GeoDataFrame:
    return make.squares(number, start=start, town=[("甲镇", "乙街道", None)[i % 3] for i in range(number)])


@pytest.mark.parametrize(
    "question",
    [
        Query("parcels"),
        Query("parcels", bbox=(120.0, 31.0, 120.0101, 31.02)),
        Query("parcels", equals={"town": "甲镇"}, columns=("town",)),
        Query("parcels", filter=parse_filter("s_intersects(geom, BBOX(120, 31, 120.006, 31.02))", PARCELS)),
        Query("parcels", filter=parse_filter("town IS NULL OR s_disjoint(geom, BBOX(120, 31, 121, 31.01))", PARCELS)),
        Query("parcels", after="P000013", limit=50),
    ],
    ids=["all", "box", "columns", "filter", "disjunction", "limit"],
)
@pytest.mark.parametrize("rows", [1, 10, 37, 1000])
def test_pages_are_the_rows_of_read(store: Store, make: Samples, question: Query, rows: int) -> None:
    make.fill(store, towns(make, 100))
    pages = list(store.stream(question, rows=rows))
    assert all(len(page) == rows for page in pages[:-1])
    assert 0 < len(pages[-1]) <= rows
    together = pd.concat(pages, ignore_index=True)
    assert_geodataframe_equal(together, store.read(question))


def test_nothing_found_is_one_page_that_tells_the_columns(store: Store, make: Samples) -> None:
    make.fill(store, towns(make, 10))
    for question in (Query("parcels", equals={"town": "丙镇"}), Query("delays"), Query("parcels", limit=0)):
        (page,) = store.stream(question)
        assert len(page) == 0
        assert list(page.columns) == list(store.read(question).columns)
        assert page.dtypes.equals(store.read(question).dtypes)


def test_a_load_between_two_pages_is_not_seen(store: Store, make: Samples) -> None:
    make.fill(store, towns(make, 40))
    before = store.read(Query("parcels"))
    with closing(store.stream(Query("parcels"), rows=15)) as pages:
        seen = [next(pages)]
        make.fill(store, towns(make, 40, start=20), mode="update")
        make.fill(store, towns(make, 5, start=90))
        seen += pages
    assert_geodataframe_equal(pd.concat(seen, ignore_index=True), before)
    assert store.count(Query("parcels")) == 5


def test_many_streams_at_once_and_left_early(store: Store, make: Samples) -> None:
    """An iterator that is closed ends its snapshot and gives its connection back; the next answer is a new one."""
    make.fill(store, towns(make, 40))
    meets = parse_filter("s_intersects(geom, BBOX(120, 31, 120.0051, 31.02))", PARCELS)
    other = parse_filter("s_intersects(geom, BBOX(120.0079, 31, 121, 31.02))", PARCELS)
    for _ in range(70):  # more than a server has connections
        with (
            closing(store.stream(Query("parcels", filter=meets), rows=3)) as one,
            closing(store.stream(Query("parcels", filter=other), rows=3)) as two,
        ):
            pairs = [(next(one), next(two)) for _ in range(2)]
            assert [frame["parcel_id"].tolist() for pair in pairs for frame in pair] == [
                ["P000000", "P000001", "P000002"],
                ["P000004", "P000005", "P000006"],
                ["P000010", "P000011", "P000012"],
                ["P000007", "P000008", "P000009"],
            ]
    make.fill(store, towns(make, 7))
    assert store.count(Query("parcels")) == 7
    assert sum(map(len, store.stream(Query("parcels"), rows=2))) == 7


def test_scope_and_faults_are_told_at_once(store: Store, make: Samples) -> None:
    make.fill(store, towns(make, 9))
    for page in store.stream(Query("parcels"), Scope(towns=frozenset({"甲镇"}), columns=frozenset({"town"})), rows=2):
        assert set(page["town"]) == {"甲镇"}
        assert list(page.columns) == ["parcel_id", "town", "geometry"]
    for question, scope, fault in (
        (Query("nothing"), Scope(), NotFound),
        (Query("parcels"), Scope(layers=frozenset({"towns"})), NotFound),
        (Query("parcels", columns=("mu",)), Scope(), InvalidParameter),
    ):
        with pytest.raises(fault):
            store.stream(question, scope)
    for rows in (0, -1, True, 2.5):
        with pytest.raises(InvalidParameter, match="行数"):
            store.stream(Query("parcels"), rows=rows)


def test_a_page_can_be_taken_in_another_thread(store: Store, make: Samples) -> None:
    make.fill(store, towns(make, 20))
    pages = store.stream(Query("parcels"), rows=5)
    found = []
    for _ in range(4):
        with ThreadPoolExecutor(1) as pool:
            found += pool.submit(lambda: list(islice(pages, 1))).result()
    assert sum(map(len, found)) == 20
    assert list(pages) == []
