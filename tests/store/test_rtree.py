"""The R-tree that is packed in bulk is one that SQLite itself could have made."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import numpy as np
import pytest
import shapely

from geo.store.blobs import from_blobs, register_functions, to_blobs
from geo.store.rtree import create_rtree, fill_rtree


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:")
    create_rtree(opened, "parcels")
    yield opened
    opened.close()


@pytest.mark.parametrize("n", [0, 1, 40, 51, 52, 80, 81, 2040, 2041, 20_000])
def test_packed_tree(connection: sqlite3.Connection, n: int) -> None:
    rng = np.random.default_rng(n)
    x, y = rng.uniform(-180, 179, n), rng.uniform(-90, 89, n)
    size = rng.choice([0.0, 1e-12, 1e-5, 0.5], n)
    geometries = np.array(shapely.box(x, y, x + size, y + size), dtype=object).reshape(n)
    geometries[3::17] = None
    geometries[5::19] = shapely.Polygon()
    fill_rtree(connection, "parcels", geometries)
    assert connection.execute("SELECT rtreecheck('rtree_parcels_geom')").fetchone() == ("ok",)
    bounds = shapely.bounds(geometries)
    there = ~np.isnan(bounds[:, 0])
    assert connection.execute("SELECT count(*) FROM rtree_parcels_geom").fetchone() == (there.sum(),)
    for box in ((-180, -90, 180, 90), (0, 0, 10, 10), (100.0, 30.0, 100.5, 30.5)):
        meets = there & (bounds[:, 0] <= box[2]) & (bounds[:, 2] >= box[0])
        meets &= (bounds[:, 1] <= box[3]) & (bounds[:, 3] >= box[1])
        found = connection.execute(
            "SELECT id FROM rtree_parcels_geom WHERE minx <= ? AND maxx >= ? AND miny <= ? AND maxy >= ?",
            (box[2], box[0], box[3], box[1]),
        )
        # Rounded outwards: every match is there, and what is too much lies within the rounding.
        candidates = np.array(sorted(row[0] - 1 for row in found), dtype=int)
        assert np.isin(np.flatnonzero(meets), candidates).all()
        extra = np.setdiff1d(candidates, np.flatnonzero(meets))
        over = np.maximum.reduce(
            [bounds[extra, 0] - box[2], box[0] - bounds[extra, 2], bounds[extra, 1] - box[3], box[1] - bounds[extra, 3]]
        )
        assert (over < 5e-5).all()


def test_packed_tree_takes_later_rows(connection: sqlite3.Connection) -> None:
    x = np.arange(3000) * 0.01
    fill_rtree(connection, "parcels", shapely.box(x, 0, x + 0.005, 1))
    rows = [(10_000 + i, i * 0.003, i * 0.003 + 1, 0, 1) for i in range(3000)]
    connection.executemany("INSERT INTO rtree_parcels_geom VALUES (?, ?, ?, ?, ?)", rows)
    connection.execute("DELETE FROM rtree_parcels_geom WHERE id % 3 = 0")
    assert connection.execute("SELECT rtreecheck('rtree_parcels_geom')").fetchone() == ("ok",)
    assert connection.execute("SELECT count(*) FROM rtree_parcels_geom").fetchone() == (4000,)


def test_blobs_carry_what_gdal_expects() -> None:
    geometries = np.array(
        [
            shapely.box(120, 31, 121, 32),
            None,
            shapely.Polygon(),
            shapely.Point(1, 2),
            shapely.LineString([(0, 0), (3, 4)]),
        ],
        dtype=object,
    )
    blobs = to_blobs(geometries)
    assert [None if blob is None else (blob[:2], blob[3], len(blob)) for blob in blobs] == [
        (b"GP", 0b0011, 40 + 93),
        None,
        (b"GP", 0b10001, 8 + 9),
        (b"GP", 0b0001, 8 + 21),
        (b"GP", 0b0011, 40 + 41),
    ]
    again = from_blobs(blobs)
    assert shapely.to_wkb(again).tolist() == shapely.to_wkb(geometries).tolist()
    connection = sqlite3.connect(":memory:")
    register_functions(connection)
    for blob, geometry in zip(blobs, geometries, strict=True):
        sides = connection.execute(
            "SELECT ST_MinX(?1), ST_MinY(?1), ST_MaxX(?1), ST_MaxY(?1), ST_IsEmpty(?1)", (blob,)
        ).fetchone()
        if geometry is None:
            assert sides == (None,) * 5
        elif geometry.is_empty:
            assert sides == (None,) * 4 + (1,)
        else:
            assert sides == (*geometry.bounds, 0)
    connection.close()


def test_blobs_of_others_are_read() -> None:
    """Big-endian, with other envelopes, as GDAL and ArcGIS may write them."""
    point = shapely.Point(120.5, 31.25)
    big = b"GP\x00\x00" + (4490).to_bytes(4, "big") + shapely.to_wkb(point, byte_order=0)
    with_z = b"GP\x00\x05" + (4490).to_bytes(4, "little") + np.array([120.5, 120.5, 31.25, 31.25, 0, 9]).tobytes()
    with_z += shapely.to_wkb(shapely.Point(120.5, 31.25, 9.0), byte_order=1)
    assert shapely.to_wkb(from_blobs([big, with_z])).tolist() == [point.wkb, point.wkb]
    connection = sqlite3.connect(":memory:")
    register_functions(connection)
    for blob in (big, with_z):
        assert connection.execute("SELECT ST_MinX(?1), ST_MaxY(?1), ST_IsEmpty(?1)", (blob,)).fetchone() == (
            120.5,
            31.25,
            0,
        )
        assert connection.execute("SELECT lianpian_meets(?, 120, 31, 121, 32)", (blob,)).fetchone() == (1,)
    connection.close()
