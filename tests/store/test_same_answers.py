"""The same question to either store gives the same answer, on frames that nobody thought of."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from geo.layers.schema import PARCELS
from geo.store.base import Query, Scope, Store
from geo.store.opening import open_store

if TYPE_CHECKING:
    from tests.store.conftest import Samples

Pair = tuple[Store, Store]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, postgis_url: str) -> Iterator[Pair]:
    stores = open_store(tmp_path_factory.mktemp("pair") / "pair.gpkg"), open_store(postgis_url)
    yield stores
    for store in stores:
        store.close()


text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8)
few_words = st.sampled_from(["甲镇", "乙街道", "a", "A", "", "\\", "'"])
real = st.floats(allow_nan=False, allow_infinity=False)
whole = st.integers(-(2**63), 2**63 - 1)
day = st.dates(datetime.date(1, 1, 1), datetime.date(9999, 12, 31))
number_in_json = st.one_of(st.integers(-(2**53), 2**53), real)
structure = st.recursive(
    st.one_of(st.none(), st.booleans(), number_in_json, text),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(text, inner, max_size=3)),
    max_leaves=6,
)
# Steps of 1e-7°: many envelopes share edges with each other and with the boxes that are asked for.
place = st.integers(0, 30).map(lambda step: 120 + step * 1e-7)
corner = st.tuples(place, place.map(lambda x: x - 89))


@st.composite
def polygon(draw: st.DrawFn) -> shapely.Geometry:
    boxes = []
    for (x0, y0), (x1, y1) in draw(st.lists(st.tuples(corner, corner), min_size=1, max_size=2)):
        boxes.append(shapely.box(min(x0, x1), min(y0, y1), max(x0, x1) + 1e-7, max(y0, y1) + 1e-7))
    return boxes[0] if len(boxes) == 1 else shapely.MultiPolygon(boxes)


VALUES = {
    "land_use": few_words,
    "town": few_words,
    "holder": text,
    "area_m2": real,
    "tax_yuan": st.sampled_from([0.1, 0.2, 0.1 + 0.2, -0.0, 1e300, 5e-324]),
    "employees": whole,
    "year": st.integers(2020, 2023),
    "above_scale": st.booleans(),
    "start_due": day,
    "extra": structure.filter(lambda value: value is not None),
}


@st.composite
def frames(draw: st.DrawFn) -> gpd.GeoDataFrame:
    keys = draw(st.lists(text.filter(bool), max_size=12, unique=True))
    n = len(keys)

    def column(values: st.SearchStrategy[Any]) -> pd.Series:
        drawn = draw(st.lists(st.one_of(st.none(), values), min_size=n, max_size=n))
        objects = np.empty(n, dtype=object)
        objects[:] = drawn
        return pd.Series(objects, dtype=object)

    columns = {"parcel_id": pd.Series(keys, dtype=object)}
    columns |= {name: column(values) for name, values in VALUES.items() if draw(st.booleans())}
    return gpd.GeoDataFrame(columns, geometry=column(polygon()).to_numpy(), crs=4490)


@st.composite
def questions(draw: st.DrawFn) -> tuple[Query, Scope]:
    (x0, y0), (x1, y1) = draw(st.tuples(corner, corner))
    box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    equals = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "town": st.lists(few_words, max_size=3).map(tuple),
                "tax_yuan": VALUES["tax_yuan"],
                "year": st.one_of(st.none(), st.integers(2020, 2023)),
                "above_scale": st.booleans(),
            },
        )
    )
    ends = st.one_of(st.floats(allow_nan=False), st.integers())
    numbers = st.fixed_dictionaries({}, optional={"employees": ends, "area_m2": ends, "tax_yuan": ends})
    query = Query(
        "parcels",
        bbox=draw(st.one_of(st.none(), st.just(box))),
        equals=equals,
        minimum=draw(numbers),
        maximum=draw(numbers),
        columns=draw(st.one_of(st.none(), st.lists(st.sampled_from(PARCELS.columns), max_size=4).map(tuple))),
        limit=draw(st.one_of(st.none(), st.integers(0, 5))),
        after=draw(st.one_of(st.none(), text)),
        geometry=draw(st.booleans()),
    )
    return query, Scope(towns=draw(st.one_of(st.none(), st.frozensets(few_words, max_size=2))))


def table(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame with its geometry as WKB, so that every bit is compared."""
    plain = pd.DataFrame(frame).copy()
    if "geometry" in plain:
        plain["geometry"] = pd.Series(shapely.to_wkb(np.asarray(frame["geometry"].array, dtype=object)), dtype=object)
    return plain


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(frame=frames(), asked=st.lists(questions(), min_size=6, max_size=6))
def test_same_answers(pair: Pair, make: Samples, frame: gpd.GeoDataFrame, asked: list[tuple[Query, Scope]]) -> None:
    for store in pair:
        make.fill(store, frame)
    one, other = (table(store.read(Query("parcels"))) for store in pair)
    assert_frame_equal(one, other)
    given_columns = [name for name in PARCELS.columns if name in frame.columns]
    stored = frame.sort_values("parcel_id", key=lambda keys: keys.map(str.encode)).reset_index(drop=True)
    for name in given_columns:
        for put, got in zip(stored[name], one[name], strict=True):
            assert pd.isna(got) if put is None else got == (pd.Timestamp(put) if name == "start_due" else put)
    assert one["geometry"].tolist() == table(stored)["geometry"].tolist()
    assert pair[0].bounds("parcels") == pair[1].bounds("parcels")
    for query, scope in asked:
        one, other = (table(store.read(query, scope)) for store in pair)
        assert_frame_equal(one, other)
        assert pair[0].count(query, scope) == pair[1].count(query, scope)
        assert pair[0].bounds("parcels", scope) == pair[1].bounds("parcels", scope)


def test_same_answers_on_many_rows(pair: Pair, make: Samples) -> None:
    """Enough rows for several levels of the R-tree and both ways of making a page."""
    rng = np.random.default_rng(7)
    n = 6000
    x, y = 120 + rng.random(n), 31 + rng.random(n)
    size = rng.choice([1e-9, 1e-4, 0.05], n)
    frame = gpd.GeoDataFrame(
        {
            "parcel_id": rng.permutation(n).astype(str),
            "town": rng.choice(["甲镇", "乙街道"], n),
            "area_m2": rng.random(n),
        },
        geometry=shapely.box(x, y, x + size, y + size),
        crs=4490,
    )
    for store in pair:
        make.fill(store, frame.head(5000))
        make.fill(store, frame.tail(1000), mode="append")
    bounds = shapely.bounds(frame.geometry.to_numpy())
    for _ in range(40):
        west, south = 120 + rng.random(), 31 + rng.random()
        width = rng.choice([0.001, 0.1, 2.0])
        box = (west, south, west + width, south + width)
        meets = (
            (bounds[:, 0] <= box[2]) & (bounds[:, 2] >= box[0]) & (bounds[:, 1] <= box[3]) & (bounds[:, 3] >= box[1])
        )
        expected = sorted(frame["parcel_id"][meets])
        for limit in (None, 3):
            for store in pair:
                found = store.read(Query("parcels", bbox=box, limit=limit, columns=("town",)))
                assert found["parcel_id"].tolist() == expected[:limit]
        assert [store.count(Query("parcels", bbox=box)) for store in pair] == [len(expected)] * 2
