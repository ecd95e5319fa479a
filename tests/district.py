"""Fixtures of the demo district: made once a session, analysed in either store, served on a free port."""

from __future__ import annotations

import json
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from hypothesis import settings

from api.app import create_app
from api.settings import Settings
from data.demo.generate import build_district, write_district
from geo.importing import prepare_loads, store_loads
from geo.land.rules import load_rules
from geo.layers.reading import read_file
from geo.pipeline import analyse_store
from geo.store.base import Run, Store
from geo.store.opening import open_store

PARCELS = 3000

# The same examples on every machine, however slow it is.
settings.register_profile("lianpian", deadline=None, derandomize=True)
settings.load_profile("lianpian")


@dataclass(frozen=True)
class Made:
    """The files of a demo district and what is known of it."""

    package: Path
    truth: dict[str, Any]


@dataclass(frozen=True)
class Analysed:
    """A store that holds the demo district and its run."""

    store: Store
    run: Run
    truth: dict[str, Any]


@dataclass(frozen=True)
class Served:
    """A running service over an analysed district."""

    url: str
    store: Store
    truth: dict[str, Any]


@pytest.fixture(scope="session")
def district(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The demo district as files."""
    folder = tmp_path_factory.mktemp("district")
    written = write_district(build_district(PARCELS), folder)
    package = next(path for path in written if path.suffix == ".gpkg")
    truth = json.loads(next(path for path in written if path.name == "truth.json").read_text(encoding="utf-8"))
    return Made(package, truth)


def run_main_job(store: Store, district: Made) -> Analysed:
    """Import and analyse the district as ``lianpian demo`` does."""
    store_loads(store, prepare_loads(read_file(district.package), data_date=district.truth["as_of"]))
    run = analyse_store(store, load_rules("demo"), np.datetime64(district.truth["as_of"]))
    return Analysed(store, run, district.truth)


@pytest.fixture(scope="session")
def analysed_geopackage(tmp_path_factory: pytest.TempPathFactory, district: Made) -> Iterator[Analysed]:
    """The analysed district in the embedded store."""
    store = open_store(tmp_path_factory.mktemp("store") / "district.gpkg")
    yield run_main_job(store, district)
    store.close()


@pytest.fixture(scope="session")
def analysed_postgis(postgis_cluster: Any, district: Made) -> Iterator[Analysed]:
    """The analysed district in PostGIS."""
    store = open_store(postgis_cluster.fresh_database())
    yield run_main_job(store, district)
    store.close()


@pytest.fixture(scope="session", params=["geopackage", "postgis"])
def analysed(request: pytest.FixtureRequest) -> Analysed:
    """The analysed district, once in either store."""
    found: Analysed = request.getfixturevalue(f"analysed_{request.param}")
    return found


@contextmanager
def served(analysed: Analysed) -> Iterator[Served]:
    """The service over an analysed store, on a free port of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tempfile.TemporaryDirectory(prefix="lianpian-editions-")
    application = create_app(analysed.store, Settings(editions=folder.name, publish=False))
    application.state.editions.publish()
    config = uvicorn.Config(application, "127.0.0.1", port, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < deadline, "the service did not start"
        time.sleep(0.05)
    yield Served(f"http://127.0.0.1:{port}", analysed.store, analysed.truth)
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture(scope="session")
def served_district(analysed_geopackage: Analysed) -> Iterator[Served]:
    """The service over the embedded store."""
    with served(analysed_geopackage) as running:
        yield running
