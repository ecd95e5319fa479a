"""Clients that pull tiles while the land under them changes, and what they saw."""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field

import geopandas as gpd
import httpx
import mapbox_vector_tile
import numpy as np
import shapely

from geo.layers.schema import QUARANTINE
from geo.store.base import Load, Store

WEST, SOUTH, STEP_DEG = 119.90, 31.90, 0.0006


def grid_of_parcels(number: int, version: str) -> gpd.GeoDataFrame:
    """About ``number`` square parcels side by side, all of them in the name of one ``version``."""
    side = math.isqrt(number)
    column, row = np.meshgrid(np.arange(side), np.arange(side))
    west, south = WEST + column.ravel() * STEP_DEG, SOUTH + row.ravel() * STEP_DEG
    squares = shapely.box(west, south, west + STEP_DEG, south + STEP_DEG)
    keys = [f"P{one:07d}" for one in range(len(squares))]
    columns = {"parcel_id": keys, "holder": [version] * len(keys)}
    return gpd.GeoDataFrame(columns, geometry=squares, crs="EPSG:4490")


def write_version(store: Store, number: int, version: str) -> None:
    """Commit the parcels of a version in the place of those before."""
    parcels = grid_of_parcels(number, version)
    load = Load(
        version, "parcels", f"{version}.gpkg", hashlib.sha256(version.encode()).hexdigest(), "canonical", "EPSG:4490",
        "2026-01-01T00:00:00+08:00", None, len(parcels), len(parcels), 0, 0,
    )  # fmt: skip
    apart = gpd.GeoDataFrame(
        {field.name: [] for field in QUARANTINE.fields}, geometry=gpd.GeoSeries([], crs="EPSG:4490"), crs="EPSG:4490"
    )
    store.write_load(load, parcels, apart)


def tiles_of_grid(number: int, zooms: tuple[int, ...]) -> list[str]:
    """Addresses, as ``z/x/y``, of the tiles that the grid falls into."""
    extent = math.isqrt(number) * STEP_DEG
    found = []
    for zoom in zooms:
        left, low = _place(WEST, SOUTH, zoom)
        right, high = _place(WEST + extent, SOUTH + extent, zoom)
        found += [f"{zoom}/{x}/{y}" for x in range(left, right + 1) for y in range(high, low + 1)]
    return found


def _place(lon: float, lat: float, zoom: int) -> tuple[int, int]:
    y = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2
    return int((lon + 180) / 360 * 2**zoom), int(y * 2**zoom)


@dataclass
class Seen:
    """What the clients got."""

    errors: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    bodies: defaultdict[tuple[str, str], set[bytes]] = field(default_factory=lambda: defaultdict(set))
    mixed: list[str] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)

    def percentile_ms(self, percent: float) -> float:
        """Time within which so many per cent of the tiles were answered."""
        return float(np.percentile(self.seconds, percent) * 1000)


class Clients:
    """``number`` clients that each pull tiles, one after the other, until they are told to stop."""

    def __init__(self, url: str, addresses: list[str], number: int = 16) -> None:
        self.seen = Seen()
        self._url = url
        self._addresses = addresses
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._pull, args=(one,), daemon=True) for one in range(number)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _pull(self, number: int) -> None:
        order = np.random.default_rng(number)
        with httpx.Client(base_url=self._url, timeout=60) as client:
            while not self._stop.is_set():
                address = self._addresses[order.integers(len(self._addresses))]
                began = time.perf_counter()
                try:
                    answer = client.get(f"/tiles/parcels/{address}.mvt?properties=holder")
                except httpx.TransportError as error:
                    self.seen.errors.append(f"{address}: {error!r}")
                    continue
                self.seen.seconds.append(time.perf_counter() - began)
                if answer.status_code not in (200, 204):
                    self.seen.errors.append(f"{address}: {answer.status_code} {answer.text[:200]}")
                elif answer.status_code == 200:
                    self._look(address, answer)

    def _look(self, address: str, answer: httpx.Response) -> None:
        self.seen.bodies[address, answer.headers["etag"]].add(hashlib.sha256(answer.content).digest())
        layer = mapbox_vector_tile.decode(answer.content).get("parcels", {"features": []})
        versions = {str(one["properties"]["holder"]) for one in layer["features"] if "holder" in one["properties"]}
        self.seen.versions |= versions
        if len(versions) > 1:
            self.seen.mixed.append(f"{address}: {sorted(versions)}")
