"""The judge of the format itself: a good tile passes, each fault is named by its section."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mapbox_vector_tile
import pytest
import shapely
from mapbox_vector_tile.Mapbox import vector_tile_pb2

from tests.tiles.mvt_rules import BadTile, faults_of, geometry_of, read_tile


def commands(*parts: Sequence[int]) -> list[int]:
    """Command integers from (command, count, dx, dy, …)."""
    numbers: list[int] = []
    for command, count, *deltas in parts:
        numbers.append(command | count << 3)
        numbers += [delta * 2 if delta >= 0 else -delta * 2 - 1 for delta in deltas]
    return numbers


SQUARE = ((1, 1, 10, 10), (2, 3, 20, 0, 0, 20, -20, 0), (7, 1))
HOLE = ((1, 1, 5, -15), (2, 3, 0, 10, 10, 0, 0, -10), (7, 1))


def tile(*geometry: Sequence[int], kind: int = 3, tags: Sequence[int] = (0, 0), **layer: Any) -> bytes:
    """A tile of one feature as a library writes it."""
    made = vector_tile_pb2.tile()
    one = made.layers.add(**{"name": "land", "version": 2, "extent": 4096, "keys": ["a"], **layer})
    one.values.add().string_value = "x"
    feature = one.features.add()
    feature.id, feature.type = 1, kind
    feature.tags.extend(tags)
    feature.geometry.extend(commands(*geometry))
    return bytes(made.SerializeToString())


def test_a_good_tile_has_no_fault_and_is_read_as_written() -> None:
    ring = shapely.Point(50, 50).buffer(40).difference(shapely.Point(50, 50).buffer(10))
    attributes = {"word": "地", "whole": -7, "real": 1.5, "yes": True}
    data = mapbox_vector_tile.encode(
        [{"name": "a", "features": [{"geometry": ring, "properties": attributes, "id": 3}]}],
        default_options={"y_coord_down": True},
    )
    assert faults_of(data, 0) == []
    feature = read_tile(data)[0].features[0]
    assert (feature.id, feature.attributes) == (3, attributes)
    assert geometry_of(feature).area == pytest.approx(ring.area, rel=0.01)
    assert faults_of(tile(*SQUARE, *HOLE)) == []


@pytest.mark.parametrize(
    ("fault", "data"),
    [
        ("version", tile(*SQUARE, version=1)),
        ("a key twice", tile(*SQUARE, keys=["a", "a"])),
        ("a tag out of range", tile(*SQUARE, tags=(0, 1))),
        ("a key without a value", tile(*SQUARE, tags=(0,))),
        ("zero length", tile((1, 1, 10, 10), (2, 4, 20, 0, 0, 0, 0, 20, -20, 0), (7, 1))),
        ("not closed", tile(*SQUARE[:2])),
        ("repeats the first point", tile((1, 1, 10, 10), (2, 4, 20, 0, 0, 20, -20, 0, 0, -20), (7, 1))),
        ("without area", tile((1, 1, 10, 10), (2, 3, 20, 0, 20, 0, -10, 0), (7, 1))),
        ("at least two LineTo", tile((1, 1, 10, 10), (2, 1, 20, 0), (7, 1))),
        ("a hole before any exterior", tile((1, 1, 10, 10), (2, 3, 0, 20, 20, 0, 0, -20), (7, 1))),
        ("Self-intersection", tile((1, 1, 0, 0), (2, 4, 30, 0, -20, 20, 0, -30, 20, 30), (7, 1))),
        ("meets itself", tile((1, 1, 0, 0), (2, 5, 10, 0, 10, 10, -10, 10, 0, -20, -10, 20), (7, 1))),
        ("Hole lies outside", tile(*SQUARE, (1, 1, 50, 0), *HOLE[1:])),
        ("overlap", tile(*SQUARE, (1, 1, 5, -15), (2, 3, 20, 0, 0, 20, -20, 0), (7, 1))),
        ("MoveTo of a line", tile((1, 2, 1, 1, 2, 2), (2, 1, 3, 3), kind=2)),
        ("a line of one point", tile((1, 1, 1, 1), kind=2)),
        ("command 2 where", tile((1, 1, 1, 1), (2, 1, 3, 3), kind=1)),
        ("outside of the buffer", tile((1, 1, -70, 0), kind=1)),
        ("longer than the tile", tile(*SQUARE)[:-1]),
    ],
)
def test_each_fault_is_found(fault: str, data: bytes) -> None:
    assert any(fault in told for told in faults_of(data, 64)), faults_of(data, 64)


def test_two_features_of_one_id_and_two_layers_of_one_name() -> None:
    once = tile(*SQUARE)
    assert faults_of(once + once) == ["4.1: two layers of one name"]
    made = vector_tile_pb2.tile.FromString(once)
    made.layers[0].features.add().CopyFrom(made.layers[0].features[0])
    assert faults_of(bytes(made.SerializeToString())) == ["land: 4.2: an id twice"]


def test_what_is_no_tile_is_refused() -> None:
    with pytest.raises(BadTile):
        read_tile(b"\x1a\xff")
