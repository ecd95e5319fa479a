"""CQL2 filters: the same rows from a frame, from either store, in pages; nothing gets through to the database."""

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

from geo.errors import InvalidParameter, LianpianError
from geo.layers.filtering.rows import evaluate
from geo.layers.filters import Filter, parse_filter
from geo.layers.schema import LAYERS, PARCELS
from geo.store.base import Query, Scope, Store
from geo.store.opening import open_store

if TYPE_CHECKING:
    from tests.conftest import Cluster
    from tests.store.conftest import Samples

WORDS = ["甲镇", "乙街道", "a", "A", "ab", "aB", "", "%", "_", "\\", "*", "?", "[a]", "'", '"', "a\nb", "𠮷", "--", "^"]
NUMBERS = [0.0, -0.0, 1.0, -1.0, 0.1, 0.30000000000000004, 2.5, 1e-160, 1e-140, 1e140, 1e160, 1e300, -3.0, 2000.0]
WHOLE = [0, 1, -1, 2, 2000, 2**53, 2**53 + 1, -(2**53) - 1, 2**62]
DAYS = [datetime.date(1999, 12, 31), datetime.date(2024, 1, 1), datetime.date(2024, 2, 29), datetime.date(2024, 5, 1)]


def rows() -> gpd.GeoDataFrame:
    """Two hundred parcels, a third of every column null; squares on a coarse grid, so that borders meet."""
    rng = np.random.default_rng(3)
    n = 200

    def some(values: list[Any]) -> pd.Series:
        chosen = np.empty(n, dtype=object)
        chosen[:] = [values[i] if rng.random() > 0.33 else None for i in rng.integers(0, len(values), n)]
        return pd.Series(chosen, dtype=object)

    west, south = rng.integers(0, 6, n) + 118.0, rng.integers(0, 6, n) + 30.0
    width, height = rng.integers(1, 3, n), rng.integers(1, 3, n)
    squares = shapely.box(west, south, west + width, south + height)
    squares[rng.random(n) < 0.2] = None
    squares[5] = shapely.Polygon()
    squares[6] = shapely.MultiPolygon([shapely.box(118, 30, 119, 31), shapely.box(120, 32, 121, 33)])
    return gpd.GeoDataFrame(
        {
            "parcel_id": [f"P{i:03d}" for i in range(n)],
            "town": some(WORDS),
            "holder": some(WORDS),
            "area_m2": some(NUMBERS),
            "tax_yuan": some(NUMBERS),
            "employees": some(WHOLE),
            "year": some(WHOLE),
            "above_scale": some([True, False]),
            "start_due": some(DAYS),
            "started_on": some(DAYS),
            "extra": some([{"a": 1}, []]),
        },
        geometry=squares,
        crs=4490,
    )


FRAME = rows()
Pair = tuple[Store, Store]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, postgis_cluster: Cluster, make: Samples) -> Iterator[Pair]:
    path = tmp_path_factory.mktemp("filters") / "filters.gpkg"
    stores = open_store(path), open_store(postgis_cluster.fresh_database())
    for store in stores:
        make.fill(store, FRAME)
    yield stores
    for store in stores:
        store.close()


# ---------------------------------------------------------------------- the same rows everywhere

COMPARISON = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])


def field(*names: str) -> st.SearchStrategy[Any]:
    return st.sampled_from([{"property": name} for name in names])


def node(op: str, *args: Any) -> dict[str, Any]:
    return {"op": op, "args": list(args)}


text_field = field("town", "holder", "parcel_id")
folded = text_field.map(lambda inner: node("casei", inner))
word = st.sampled_from(WORDS)
pattern = st.lists(st.sampled_from(["%", "_", "\\%", "\\_", "\\\\", "a", "A", "镇", "*", "[", "\n"]), max_size=4).map(
    "".join
)
number = st.one_of(st.sampled_from([one for one in NUMBERS if abs(one) <= 2**53]), st.integers(-3, 3))
real_field, whole_field = field("area_m2", "tax_yuan"), field("employees", "year")
sum_of = st.recursive(
    st.one_of(real_field, whole_field),
    lambda inner: st.builds(node, st.sampled_from("+-*/"), inner, st.one_of(inner, number.filter(bool))),
    max_leaves=4,
)
day = st.sampled_from(DAYS).map(lambda one: {"date": one.isoformat()})
moment = st.sampled_from(["2023-12-31T16:00:00Z", "2024-02-29T08:00:00+08:00"]).map(lambda one: {"timestamp": one})
day_field = field("start_due", "started_on")


@st.composite
def geometry(draw: st.DrawFn) -> dict[str, Any]:
    west, south = draw(st.integers(236, 248)) / 2, draw(st.integers(60, 74)) / 2
    east, north = west + draw(st.integers(1, 5)) / 2, south + draw(st.integers(1, 5)) / 2
    shape = draw(
        st.sampled_from(
            [
                shapely.box(west, south, east, north),
                shapely.Polygon([(west, south), (east, south), (west, north)]),
                shapely.LineString([(west, south), (east, north)]),
                shapely.Point(west, south),
                shapely.MultiPoint([(west, south), (east, north)]),
            ]
        )
    )
    found: dict[str, Any] = shapely.geometry.mapping(shape)
    return found


SPATIAL = ["intersects", "within", "contains", "disjoint", "touches", "overlaps", "crosses", "equals"]
spatial = st.builds(node, st.sampled_from(SPATIAL).map("s_{}".format), st.just({"property": "geom"}), geometry())
leaf = st.one_of(
    st.builds(node, COMPARISON, text_field, st.one_of(word, text_field, folded)),
    st.builds(node, COMPARISON, folded, st.one_of(word, folded, word.map(lambda one: node("casei", one)))),
    st.builds(node, COMPARISON, st.one_of(real_field, whole_field, sum_of), st.one_of(number, sum_of)),
    st.builds(node, COMPARISON, number, sum_of),
    st.builds(node, COMPARISON, day_field, st.one_of(day, day_field)),
    st.builds(node, st.sampled_from(["<", "<=", ">", ">="]), day_field, moment),
    st.builds(node, st.sampled_from(["=", "<>"]), field("above_scale"), st.booleans()),
    st.builds(node, st.just("in"), text_field, st.lists(word, min_size=1, max_size=3)),
    st.builds(node, st.just("in"), st.one_of(real_field, whole_field), st.lists(number, min_size=1, max_size=3)),
    st.builds(node, st.just("in"), day_field, st.lists(day, min_size=1, max_size=3)),
    st.builds(node, st.just("between"), sum_of, number, number),
    st.builds(node, st.just("between"), day_field, day, day),
    st.builds(node, st.just("like"), st.one_of(text_field, folded), pattern),
    st.builds(node, st.just("isNull"), field(*FRAME.columns[:-1], "geom")),
    field("above_scale"),
    st.booleans(),
    spatial,
    spatial,
)
expressions = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.builds(node, st.just("not"), inner),
        st.lists(inner, min_size=2, max_size=3).flatmap(
            lambda parts: st.sampled_from(["and", "or"]).map(lambda op: node(op, *parts))
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(expression=expressions, limit=st.integers(1, 40), after=st.sampled_from(["", "P050", "P199"]))
def test_a_filter_takes_the_same_rows_everywhere(pair: Pair, expression: Any, limit: int, after: str) -> None:
    filter = parse_filter(node("and", expression, True), PARCELS)
    keys = FRAME["parcel_id"][evaluate(filter, FRAME)].tolist()
    page = [key for key in keys if key > after][:limit]
    for store in pair:
        assert store.read(Query("parcels", filter=filter, columns=(), geometry=False))["parcel_id"].tolist() == keys
        assert store.count(Query("parcels", filter=filter)) == len(keys)
        limited = Query("parcels", filter=filter, columns=("town",), limit=limit, after=after)
        assert store.read(limited)["parcel_id"].tolist() == page


def test_a_filter_is_joined_with_the_rest_of_the_question(pair: Pair) -> None:
    filter = parse_filter("s_intersects(geom, BBOX(118.5, 30.5, 121.5, 33.5)) AND area_m2 >= 0", PARCELS)
    bounds = shapely.bounds(FRAME.geometry.to_numpy())
    meets = (bounds[:, 0] <= 120) & (bounds[:, 2] >= 119.5) & (bounds[:, 1] <= 33) & (bounds[:, 3] >= 30)
    here = evaluate(filter, FRAME) & meets & FRAME["town"].isin(["a", "A", "甲镇", ""]).to_numpy()
    expected = FRAME["parcel_id"][here].tolist()
    assert expected
    for store in pair:
        query = Query("parcels", bbox=(119.5, 30, 120, 33), equals={"town": ("a", "A", "甲镇", "")}, filter=filter)
        assert store.read(query)["parcel_id"].tolist() == expected
        assert store.count(query) == len(expected)
        scoped = store.read(Query("parcels", filter=filter), Scope(towns=frozenset({"a"})))
        assert set(scoped["town"]) == {"a"}


def test_every_way_to_a_page_gives_the_same_page(store: Store, make: Samples) -> None:
    """Wide constants are walked along the keys, narrow ones found through the index."""
    rng = np.random.default_rng(11)
    n = 3000
    x, y = 120 + rng.random(n), 31 + rng.random(n)
    frame = gpd.GeoDataFrame(
        {"parcel_id": np.sort(rng.permutation(n).astype(str)), "area_m2": rng.random(n)},
        geometry=shapely.box(x, y, x + 0.001, y + 0.001),
        crs=4490,
    )
    make.fill(store, frame)
    for radius in (0.01, 0.1, 0.4, 2.0):
        circle = shapely.geometry.mapping(shapely.Point(120.5, 31.5).buffer(radius))
        filter = parse_filter(node("s_within", {"property": "geom"}, circle), PARCELS)
        keys = frame["parcel_id"][evaluate(filter, frame)].tolist()
        assert store.count(Query("parcels", filter=filter)) == len(keys)
        found: list[str] = []
        while page := store.read(
            Query("parcels", filter=filter, limit=400, after=found[-1] if found else None, columns=())
        )["parcel_id"].tolist():
            found += page
        assert found == keys


# ---------------------------------------------------------------------- scope


def test_a_hidden_field_is_unknown(pair: Pair) -> None:
    scope = Scope(columns=frozenset({"town"}))
    for store in pair:
        seen = parse_filter("town = 'a' AND parcel_id > 'P' AND geom IS NOT NULL", PARCELS)
        assert store.count(Query("parcels", filter=seen), scope) > 0
        told = []
        for name in ("holder", "nobody"):
            filter = Filter("parcels", node("isNull", {"property": name}), "")
            for ask in (store.read, store.count, store.stream):
                with pytest.raises(InvalidParameter) as refused:
                    ask(Query("parcels", filter=filter), scope)
                told.append((refused.value.detail.replace(name, "?"), refused.value.remedy))
        assert len(set(told)) == 1
        assert "holder" not in told[0][1]


def test_a_filter_of_another_layer_is_refused(pair: Pair) -> None:
    for store in pair:
        with pytest.raises(InvalidParameter, match="buildings"):
            store.read(Query("parcels", filter=parse_filter("floors > 2", LAYERS["buildings"])))


# ---------------------------------------------------------------------- attacks

PAYLOADS = [
    "'", "''", "' OR '1'='1", "' OR 1=1 --", "'; DROP TABLE parcels; --", "\"; DROP TABLE lianpian.parcels; --",
    "') OR ('1'='1", "' UNION SELECT parcel_id FROM parcels --", "x' AND (SELECT count(*) FROM loads) > 0 --",
    "\\'; DROP TABLE parcels; --", "%' --", "%s", "%(x)s", "%%", "?", ":1", "$1", "{0}", "ʼ; DROP TABLE parcels",
    "’ OR ’1’=’1", "＇ OR １＝１", "/* */", "a\u0000b", "\u202e", "1; ATTACH DATABASE '/tmp/x' AS x",
    "load_extension('x')",
    "pg_sleep(10)", "randomblob(1000000000)", "(SELECT 1)", "CAST(town AS int)", "town::int", "town || 'x'",
    "chr(65)", "E'\\x27'", "$$x$$", "x'41'", "lianpian_meets(geom,0,0,1,1)", "1e999", "0x10", "NaN", "NULL", "[x]",
    "`x`",
]  # fmt: skip
PLACES = [
    "{}",
    "town = {}",
    "town = '{}'",
    "{} = 'x'",
    '"{}" = 1',
    "area_m2 > {}",
    "area_m2 > 1 OR {}",
    "town LIKE '{}'",
    "town IN ('{}', {})",
    "casei({}) = 'x'",
    "{}(town) = 'x'",
    "start_due > DATE('{}')",
    "start_due > TIMESTAMP('{}')",
    "s_intersects(geom, {})",
    "s_intersects(geom, POINT({} 1))",
    "{} IS NULL",
]


@pytest.mark.parametrize("place", PLACES)
def test_attacks_are_refused_or_are_values(pair: Pair, place: str) -> None:
    """Each is refused, or is an ordinary value that takes the same rows as on the frame; the tables stand."""
    for payload in PAYLOADS:
        for told in (place.replace("{}", payload), place.replace("{}", payload.replace("'", "''"))):
            try:
                filter = parse_filter(told, PARCELS)
            except InvalidParameter:
                continue
            expected = FRAME["parcel_id"][evaluate(filter, FRAME)].tolist()
            for store in pair:
                assert store.read(Query("parcels", filter=filter))["parcel_id"].tolist() == expected, told
    for store in pair:
        assert store.count(Query("parcels")) == len(FRAME)
        assert len(store.loads()) == 1


@pytest.mark.parametrize("payload", PAYLOADS)
def test_attacks_in_json(pair: Pair, payload: str) -> None:
    town, geom = {"property": "town"}, {"property": "geom"}
    for expression in (
        node("=", town, payload),
        node("in", town, [payload]),
        node("like", town, payload),
        node("=", {"property": payload}, "x"),
        node("isNull", {"property": payload}),
        node(payload, town, "x"),
        node("=", node(payload, town), "x"),
        node("=", {"property": "start_due"}, {"date": payload}),
        node("s_intersects", geom, {"type": payload, "coordinates": [1, 2]}),
        node("s_intersects", geom, {"type": "Point", "coordinates": [payload, 2]}),
        {"op": "=", "args": [town, "x"], payload: 1},
    ):
        try:
            filter = parse_filter(expression, PARCELS)
        except InvalidParameter:
            continue
        expected = int(evaluate(filter, FRAME).sum())
        assert [store.count(Query("parcels", filter=filter)) for store in pair] == [expected, expected]
    for store in pair:
        assert store.count(Query("parcels")) == len(FRAME)


@pytest.mark.parametrize("name", ["x; DROP TABLE parcels", 'town" OR 1=1 --', "fid", "rowid", "geom)", "r.minx"])
def test_a_filter_made_by_hand_cannot_name_what_is_not_in_the_schema(pair: Pair, name: str) -> None:
    for store in pair:
        for expression in (node("isNull", {"property": name}), node("=", {"property": name}, 1)):
            with pytest.raises(LianpianError):
                store.read(Query("parcels", filter=Filter("parcels", expression, "")))
        with pytest.raises((LianpianError, ValueError)):
            store.read(Query("parcels", filter=Filter("parcels", node(name, {"property": "town"}, 1), "")))
