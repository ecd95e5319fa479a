"""The served demo district with its edition published, and tiles over its middle."""

from __future__ import annotations

import gzip
import math
import urllib.request
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import pytest

from geo.store.base import Query, Store
from maps.tiles.keeping import Editions, editions_folder


@dataclass(frozen=True)
class Tiled:
    """A running service with an edition."""

    url: str
    store: Store
    parcels: gpd.GeoDataFrame


@pytest.fixture(scope="module")
def tiled_district(served_district: Any) -> Tiled:
    """The service, after its edition was published."""
    store = served_district.store
    Editions(editions_folder(str(store.path)), store).publish()
    return Tiled(served_district.url.rstrip("/"), store, store.read(Query("parcels", columns=())))


def tile_at(store: Store, zoom: int) -> tuple[int, int, int]:
    """The tile under the parcel in the middle of all."""
    parcels = store.read(Query("parcels", columns=())).geometry
    west, south, east, north = parcels.total_bounds
    middle = gpd.points_from_xy([(west + east) / 2], [(south + north) / 2])[0]
    nearest = parcels.iloc[int(parcels.sindex.nearest(middle, return_all=False)[1][0])].representative_point()
    y = (1 - math.asinh(math.tan(math.radians(nearest.y))) / math.pi) / 2
    return zoom, math.floor((nearest.x + 180) / 360 * 2**zoom), math.floor(y * 2**zoom)


def get(url: str) -> bytes:
    """The body of an answer, decompressed."""
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept-Encoding": "gzip"}), timeout=60) as answer:
        body: bytes = answer.read()
        return gzip.decompress(body) if answer.headers.get("Content-Encoding") == "gzip" else body
