"""Imports while clients pull tiles: no error, no tile of two editions, and what is new arrives by itself."""

from __future__ import annotations

import time
from pathlib import Path

import httpx

from geo.store.opening import open_store
from tests.serving.pulling import Clients, tiles_of_grid, write_version
from tests.serving.running import running_service

PARCELS = 6_000


def test_imports_under_sixteen_clients(tmp_path: Path) -> None:
    address = tmp_path / "land.gpkg"
    store = open_store(address)
    write_version(store, PARCELS, "first")
    tiles = tiles_of_grid(PARCELS, (14, 15, 16))
    with running_service(tmp_path, str(address), workers=2) as running:
        running.until("/readyz", 200, 120)
        with Clients(running.url, tiles) as clients:
            for version in ("second", "third"):
                write_version(store, PARCELS, version)
                deadline = time.monotonic() + 300
                while version not in clients.seen.versions:
                    assert time.monotonic() < deadline, (
                        f"{version} was not published\n{running.log.read_text()[-2000:]}"
                    )
                    time.sleep(0.2)
            time.sleep(1)
        seen = clients.seen
        assert not seen.errors
        assert not seen.mixed
        assert seen.versions == {"first", "second", "third"}
        # A tag means bytes: whoever holds a tile under it may keep it.
        assert all(len(bodies) == 1 for bodies in seen.bodies.values())
        assert len(seen.seconds) > 200
        assert seen.percentile_ms(99) < 5000
        # When all is quiet, every tile is of the last one.
        answer = httpx.get(f"{running.url}/tiles/parcels/{tiles[0]}.mvt?properties=holder", timeout=30)
        assert b"third" in answer.content
        assert b"second" not in answer.content
    store.close()
