"""Questions: boxes, values, limits, pages, scopes, and what must not be asked."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo.errors import InvalidParameter, NotFound
from geo.layers.schema import LAYERS
from geo.store.base import Query, Scope, Store
from geo.store.opening import open_store

if TYPE_CHECKING:
    from tests.store.conftest import Samples


@pytest.fixture(scope="module", params=["geopackage", "postgis"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, make: Samples) -> Iterator[Store]:
    """Forty parcels in four rows of ten; towns 甲, 乙, none in turn; area 0 … 39; every fifth without tax."""
    frame = make.squares(
        40,
        town=[("甲镇", "乙街道", None)[i % 3] for i in range(40)],
        holder=[f"公司{i % 4}" for i in range(40)],
        area_m2=np.arange(40.0),
        tax_yuan=[None if i % 5 == 0 else i * 0.1 for i in range(40)],
        employees=[None if i % 7 == 0 else i for i in range(40)],
        above_scale=[None if i % 4 == 0 else i % 4 == 1 for i in range(40)],
        start_due=[None if i == 3 else datetime.date(2020, 1, 1 + i % 10) for i in range(40)],
    )
    if request.param == "geopackage":
        store = open_store(tmp_path_factory.mktemp("filled") / "filled.gpkg")
    else:
        store = open_store(request.getfixturevalue("postgis_cluster").fresh_database())
    make.fill(store, frame)
    yield store
    store.close()


def numbers(store: Store, scope: Scope | None = None, **question: Any) -> list[int]:
    """Which of the forty parcels answer; ``count`` must agree."""
    query = Query("parcels", **question)
    found = store.read(query, scope) if scope else store.read(query)
    keys: list[str] = found["parcel_id"].tolist()
    assert keys == sorted(keys)
    if query.limit is None and query.after is None:
        assert (store.count(query, scope) if scope else store.count(query)) == len(keys)
    return [int(key[1:]) for key in keys]


def test_box(filled: Store) -> None:
    assert numbers(filled, bbox=(120.0, 31.0, 120.0025, 31.0025)) == [0, 1, 10, 11]
    assert numbers(filled, bbox=(0, 0, 1, 1)) == []
    assert numbers(filled, bbox=(-180, -90, 180, 90)) == list(range(40))
    assert numbers(filled, bbox=(120.0005, 31.0005, 120.0005, 31.0005)) == [0]  # a point within
    assert numbers(filled, bbox=(120.001, 31.0, 120.002, 31.001)) == [0, 1]  # edges count


def test_box_compares_exact_envelopes(store: Store, make: Samples) -> None:
    """Both indexes hold 32-bit floats; a box one 64-bit step beside an envelope still misses it."""
    edges = np.array([120.1, 31.123456789, 120.2, 31.3])
    frame = make.squares(1).set_geometry([shapely.box(*edges)], crs=4490)
    make.fill(store, frame)
    west, south, east, north = edges
    assert store.bounds("parcels") == tuple(edges)
    down, up = (lambda value: np.nextafter(value, -np.inf)), (lambda value: np.nextafter(value, np.inf))
    for touching, beside in (
        ((0, south, west, north), (0, south, down(west), north)),
        ((east, south, 180, north), (up(east), south, 180, north)),
        ((west, 0, east, south), (west, 0, east, down(south))),
        ((west, north, east, 90), (west, up(north), east, 90)),
    ):
        assert store.count(Query("parcels", bbox=touching)) == 1
        assert store.count(Query("parcels", bbox=beside)) == 0
        assert len(store.read(Query("parcels", bbox=touching, limit=5))) == 1
        assert len(store.read(Query("parcels", bbox=beside, limit=5))) == 0


def test_box_on_points_and_on_rows_without_geometry(store: Store, make: Samples) -> None:
    points = [shapely.Point(120.1, 31.1), None, shapely.Point(), shapely.Point(120.3, 31.3)]
    frame = gpd.GeoDataFrame({"terminal_id": list("abcd")}, geometry=points, crs=4490)
    make.fill(store, frame, "terminals")
    whole = (-180.0, -90.0, 180.0, 90.0)
    assert store.read(Query("terminals", bbox=whole))["terminal_id"].tolist() == ["a", "d"]
    assert store.count(Query("terminals", bbox=(120.1, 31.1, 120.1, 31.1))) == 1
    assert store.count(Query("terminals", bbox=(120.1, 31.1, np.nextafter(120.1, 121), 31.1))) == 1
    assert store.count(Query("terminals", bbox=(np.nextafter(120.1, 121), 31.1, 120.2, 31.2))) == 0
    assert store.count(Query("terminals")) == 4
    assert store.bounds("terminals") == (120.1, 31.1, 120.3, 31.3)


def test_values(filled: Store) -> None:
    assert numbers(filled, equals={"parcel_id": "P000007"}) == [7]
    assert numbers(filled, equals={"town": "甲镇"}) == list(range(0, 40, 3))
    assert numbers(filled, equals={"town": ("乙街道", "丙镇", None)}) == list(range(1, 40, 3))
    assert numbers(filled, equals={"town": None}) == []
    assert numbers(filled, equals={"town": ()}) == []
    assert numbers(filled, equals={"holder": ["公司1"], "town": "甲镇"}) == [9, 21, 33]
    assert numbers(filled, equals={"employees": 8}) == numbers(filled, equals={"employees": "8"}) == [8]
    assert numbers(filled, equals={"employees": 8.5}) == numbers(filled, equals={"employees": 2**70}) == []
    assert numbers(filled, equals={"tax_yuan": (3 * 0.1, 12 * 0.1)}) == [3, 12]
    assert numbers(filled, equals={"above_scale": True}) == numbers(filled, equals={"above_scale": "true"})
    assert numbers(filled, equals={"above_scale": np.bool_(False)}) == [i for i in range(40) if i % 4 in (2, 3)]
    assert numbers(filled, equals={"start_due": "2020-01-04"}) == [13, 23, 33]
    assert numbers(filled, equals={"start_due": pd.Timestamp("2020-01-04 05:00")}) == [13, 23, 33]
    many = tuple(f"P{i:06d}" for i in range(5, 60_000))
    assert numbers(filled, equals={"parcel_id": many}) == list(range(5, 40))


def test_limits(filled: Store) -> None:
    assert numbers(filled, minimum={"area_m2": 38}) == [38, 39]
    assert numbers(filled, maximum={"area_m2": 1.0}) == [0, 1]
    assert numbers(filled, minimum={"employees": 36.2}, maximum={"employees": 38.9}) == [37, 38]
    assert numbers(filled, minimum={"employees": 1e30}) == []
    assert len(numbers(filled, maximum={"employees": 1e30})) == 40 - 6  # rows without a value never match
    assert len(numbers(filled, minimum={"tax_yuan": float("-inf")})) == 32
    assert numbers(filled, minimum={"start_due": "2020-01-09"}, maximum={"area_m2": 9}) == [8, 9]


def test_columns(filled: Store) -> None:
    found = filled.read(Query("parcels", columns=("area_m2", "town"), limit=1))
    assert list(found.columns) == ["parcel_id", "town", "area_m2", "geometry"]
    bare = filled.read(Query("parcels", columns=(), geometry=False, limit=1))
    assert list(bare.columns) == ["parcel_id"]
    assert type(bare) is pd.DataFrame


@pytest.mark.parametrize("bbox", [None, (120.003, 31.0, 120.02, 31.01), (119.0, 30.0, 121.0, 32.0)])
@pytest.mark.parametrize("size", [1, 7, 40])
def test_pages_cover_every_row_once(filled: Store, bbox: Any, size: int) -> None:
    whole = numbers(filled, bbox=bbox)
    pages: list[int] = []
    after = None
    while page := numbers(filled, bbox=bbox, limit=size, after=after):
        pages += page
        after = f"P{page[-1]:06d}"
    assert pages == whole
    assert numbers(filled, bbox=bbox, limit=0) == []


def test_keys_are_in_binary_order(store: Store, make: Samples) -> None:
    keys = ["a", "B", "_", "ä", "é", "宗", "龥", "𠮷", "\ufffd", "aa", "a b", "A", "10", "9", "~", "-"]
    make.fill(store, make.squares(len(keys)).assign(parcel_id=keys))
    expected = sorted(keys, key=lambda key: key.encode())
    assert store.read(Query("parcels"))["parcel_id"].tolist() == expected
    for i, key in enumerate(expected):
        rest = store.read(Query("parcels", after=key, limit=3))
        assert rest["parcel_id"].tolist() == expected[i + 1 : i + 4]


def test_count_knows_no_page(filled: Store) -> None:
    assert filled.count(Query("parcels", limit=3, after="P000020")) == 40


@pytest.mark.parametrize(
    "question",
    [
        {"equals": {"no_such": 1}},
        {"minimum": {"holder": 1}},
        {"maximum": {"above_scale": 1}},
        {"minimum": {"area_m2": float("nan")}},
        {"minimum": {"area_m2": "many"}},
        {"equals": {"extra": "{}"}},
        {"equals": {"geometry": "x"}},
        {"equals": {"geom": "x"}},
        {"equals": {"fid": 1}},
        {"equals": {"holder": 5}},
        {"equals": {"start_due": "yesterday"}},
        {"equals": {"above_scale": "maybe"}},
        {"columns": ("parcel_id", "geom")},
        {"bbox": (2.0, 0.0, 1.0, 1.0)},
        {"bbox": (0.0, float("nan"), 1.0, 1.0)},
        {"bbox": (0.0, 0.0, float("inf"), 1.0)},
        {"bbox": (0.0, 1.0)},
        {"limit": -1},
        {"limit": True},
        {"after": "a\0"},
    ],
    ids=repr,
)
def test_questions_that_make_no_sense(store: Store, question: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameter):
        store.read(Query("parcels", **question))


def test_layers_that_are_not_there(store: Store) -> None:
    for name in ("nothing", "store_state", "loads", "gpkg_contents", 'parcels"; --', ""):
        for question in (store.read, store.count):
            with pytest.raises(NotFound):
                question(Query(name))
        with pytest.raises(NotFound):
            store.bounds(name)
    with pytest.raises(InvalidParameter):
        store.count(Query("demands", bbox=(0, 0, 1, 1)))


# What people type into a form to see whether it breaks; the shapes of sqlmap's first tries.
INJECTIONS = (
    "'",
    '"',
    "' OR '1'='1",
    '" OR 1=1 --',
    "'; DROP TABLE parcels; --",
    '"; DROP TABLE lianpian.parcels; --',
    "x') UNION SELECT name FROM sqlite_master --",
    "1; SELECT pg_sleep(9)",
    "' AND 1=CAST((SELECT version()) AS int) --",
    "\\'; DELETE FROM parcels; --",
    "%",
    "_______",
    "%s",
    "%(a)s",
    "?",
    "$1",
    ":1",
    "{}",
    "\0",
    "\ud800",
    "parcel_id\0",
    'parcel_id" = "parcel_id',
    "宗地'; --",
)


@pytest.mark.parametrize("text", INJECTIONS, ids=ascii)
def test_injections_are_only_text(filled: Store, text: str) -> None:
    for field in ("parcel_id", "town", "holder"):
        assert filled.count(Query("parcels", equals={field: text})) == 0
        assert len(filled.read(Query("parcels", equals={field: (text, "公司1")}))) == (10 if field == "holder" else 0)
    for question in (
        {"equals": {text: 1}},
        {"minimum": {text: 1}},
        {"maximum": {text: 1}},
        {"columns": (text,)},
        {"equals": {"area_m2": text}},
        {"minimum": {"area_m2": text}},
        {"equals": {"start_due": text}},
        {"equals": {"above_scale": text}},
        {"bbox": (text, 0, 1, 1)},
        {"limit": text},
    ):
        with pytest.raises(InvalidParameter):
            filled.read(Query("parcels", **question))  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        filled.read(Query(text))
    if "\0" not in text and "\ud800" not in text:
        after = filled.read(Query("parcels", after=text))
        assert after["parcel_id"].tolist() == [f"P{i:06d}" for i in range(40) if f"P{i:06d}" > text]
    assert filled.count(Query("parcels"), Scope(towns=frozenset({text}))) == 0
    assert filled.count(Query("parcels")) == 40


def test_injections_are_kept_as_text(store: Store, make: Samples) -> None:
    texts = [text for text in INJECTIONS if "\0" not in text and "\ud800" not in text]
    frame = make.squares(len(texts), holder=texts, extra=[{text: text} for text in texts])
    make.fill(store, frame.assign(parcel_id=texts))
    for text in texts:
        found = store.read(Query("parcels", equals={"parcel_id": text, "holder": text}))
        assert found["extra"].tolist() == [{text: text}]


class TestScope:
    """What a scope hides is in no answer: not in rows, not in counts, not in bounds."""

    def test_layers(self, filled: Store) -> None:
        scope = Scope(layers=frozenset({"plots"}))
        for ask in (lambda: filled.read(Query("parcels"), scope), lambda: filled.count(Query("parcels"), scope)):
            with pytest.raises(NotFound) as hidden:
                ask()
            assert "parcels" not in hidden.value.remedy
        with pytest.raises(NotFound):
            filled.bounds("parcels", scope)
        assert filled.count(Query("plots"), scope) == 0
        with pytest.raises(NotFound):
            filled.read(Query("no_such"), Scope(layers=frozenset({"no_such"})))

    def test_towns(self, filled: Store) -> None:
        scope = Scope(towns=frozenset({"乙街道"}))
        expected = list(range(1, 40, 3))
        assert numbers(filled, scope) == expected
        assert numbers(filled, scope, equals={"town": "甲镇"}) == []
        assert numbers(filled, scope, equals={"town": ("甲镇", "乙街道")}) == expected
        assert numbers(filled, scope, bbox=(120, 31, 120.0025, 31.0025), limit=9) == [1, 10]
        assert numbers(filled, scope, limit=2, after="P000004") == [7, 10]
        assert numbers(filled, Scope(towns=frozenset())) == []

    def test_towns_narrow_the_bounds(self, store: Store, make: Samples) -> None:
        make.fill(store, make.squares(3, town=["甲镇", "乙街道", None]))
        second = store.read(Query("parcels", equals={"parcel_id": "P000001"})).total_bounds
        assert store.bounds("parcels", Scope(towns=frozenset({"乙街道"}))) == tuple(second)
        assert store.bounds("parcels", Scope(columns=frozenset({"holder"}))) == store.bounds("parcels")
        assert store.bounds("parcels", Scope(towns=frozenset({"丙镇"}))) is None

    def test_towns_leave_layers_without_towns_alone(self, store: Store, make: Samples) -> None:
        make.fill(store, make.squares(2, layer="buildings"), "buildings")
        assert store.count(Query("buildings"), Scope(towns=frozenset())) == 2

    def test_columns(self, filled: Store) -> None:
        scope = Scope(columns=frozenset({"area_m2", "holder"}))
        found = filled.read(Query("parcels", limit=1), scope)
        assert list(found.columns) == ["parcel_id", "holder", "area_m2", "geometry"]
        assert filled.count(Query("parcels", equals={"parcel_id": "P000001"}), scope) == 1
        for question in (
            {"columns": ("town",)},
            {"equals": {"town": "甲镇"}},
            {"minimum": {"tax_yuan": 0}},
            {"maximum": {"tax_yuan": 0}},
        ):
            for ask in (filled.read, filled.count):
                with pytest.raises(InvalidParameter) as hidden:
                    ask(Query("parcels", **question), scope)
                assert "tax_yuan" not in hidden.value.remedy
        # Rows are narrowed by a column that may not be seen.
        assert numbers(filled, Scope(columns=frozenset(), towns=frozenset({"甲镇"}))) == list(range(0, 40, 3))

    def test_a_hidden_column_is_answered_like_one_that_is_not_there(self, filled: Store) -> None:
        def words(name: str, scope: Scope) -> str:
            with pytest.raises(InvalidParameter) as error:
                filled.read(Query("parcels", columns=(name,)), scope)
            return str(error.value.detail).replace(name, "") + error.value.remedy

        scope = Scope(columns=frozenset({"holder"}))
        assert words("tax_yuan", scope) == words("no_such_column", scope)


def test_every_layer_takes_every_question(store: Store) -> None:
    for layer in LAYERS.values():
        for field in layer.fields:
            value = {"text": "a", "real": 1.5, "integer": 1, "boolean": True, "date": "2020-01-01"}.get(field.kind)
            if value is not None:
                assert store.count(Query(layer.name, equals={field.name: value})) == 0
            if field.kind in ("real", "integer"):
                bounded = {"minimum": {field.name: -0.5}, "maximum": {field.name: float("inf")}}
                assert len(store.read(Query(layer.name, **bounded, limit=3, after="a"))) == 0
