"""What tests of several rooms share: a private PostGIS, and an empty store of either kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from geo.store.base import Store
from geo.store.opening import open_store
from tests.cluster import Cluster, private_cluster

EMPTY_TABLES = """
DO $$ DECLARE found text; BEGIN
  FOR found IN SELECT tablename FROM pg_tables WHERE schemaname = 'lianpian' AND tablename <> 'store_state'
  LOOP EXECUTE format('DELETE FROM lianpian.%I', found); END LOOP;
END $$
"""


@pytest.fixture(scope="session")
def postgis_cluster() -> Iterator[Cluster]:
    """A private PostGIS server, stopped at the end."""
    with private_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def postgis_url(postgis_cluster: Cluster) -> str:
    """The address of an empty PostGIS database for the tests of one file."""
    return postgis_cluster.fresh_database()


@pytest.fixture(params=["geopackage", "postgis"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store of either kind: a file that is not there yet, or a database without rows."""
    if request.param == "geopackage":
        return str(tmp_path / "测试 store#1.gpkg")
    cluster: Cluster = request.getfixturevalue("postgis_cluster")
    url: str = request.getfixturevalue("postgis_url")
    cluster.execute(EMPTY_TABLES, url)  # quicker than a new database for each test
    return url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An empty open store of either kind."""
    opened = open_store(store_url)
    yield opened
    opened.close()
