"""The database may go and come back; public questions cannot write."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg2
import pytest

from geo.errors import InvalidParameter
from geo.store.base import Query
from geo.store.postgis import PostGISStore
from tests.cluster import Cluster, private_cluster
from tests.district import Made, run_main_job
from tests.serving.running import Running, running_service

ROLE = "lianpian_reader"


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    """A server of these tests alone, which they may stop."""
    with private_cluster() as cluster:
        yield cluster
        if not (cluster.home / "data" / "postmaster.pid").exists():  # left by a test that failed half way
            start(cluster, stop=False)


def start(cluster: Cluster, *, stop: bool) -> None:
    """Start the server of these tests, or stop it as a failing machine would."""
    data = str(cluster.home / "data")
    if stop:
        cluster.run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    else:
        options = f"-c listen_addresses='' -c unix_socket_directories={cluster.home} -c max_connections=60"
        cluster.run("pg_ctl", "-D", data, "-o", options, "-l", str(cluster.home / "log"), "-w", "-t", "60", "start")


def test_the_service_outlives_its_database(own_cluster: Cluster, district: Made, tmp_path: Path) -> None:
    url = own_cluster.fresh_database()
    store = PostGISStore(url)
    run_main_job(store, district)
    store.make_reader(ROLE)
    store.close()
    with running_service(tmp_path, url, workers=2, store_readonly=ROLE, editions=tmp_path / "editions") as running:
        running.until("/readyz", 200, 240)
        assert httpx.get(f"{running.url}/collections/parcels/items?limit=5", timeout=30).status_code == 200
        tilejson = httpx.get(f"{running.url}/tiles/parcels.json", timeout=30).json()
        tile = _tile_of(tilejson)
        before = httpx.get(running.url + tile, timeout=30)
        assert before.status_code == 200

        start(own_cluster, stop=True)
        for _ in range(6):  # both workers
            answer = httpx.get(f"{running.url}/collections/parcels/items?limit=5", timeout=30)
            assert answer.status_code == 503
            assert answer.headers["content-type"] == "application/problem+json"
            assert int(answer.headers["retry-after"]) > 0
            assert answer.json()["request_id"] == answer.headers["x-request-id"]
            assert httpx.get(f"{running.url}/healthz").status_code == 200
            assert httpx.get(running.url + tile).content == before.content
        running.until("/readyz", 503, 10)
        # A worker that takes another's place meanwhile needs no database to begin.
        old = running.workers()
        os.kill(old[0], signal.SIGKILL)
        deadline = time.monotonic() + 60
        while len(set(running.workers()) - set(old)) < 1 or "lianpian_workers 2.0" not in _metrics(running):
            assert time.monotonic() < deadline, running.log.read_text()[-2000:]
            time.sleep(0.2)
        for _ in range(6):
            assert httpx.get(running.url + tile, timeout=30).content == before.content

        start(own_cluster, stop=False)
        running.until("/readyz", 200, 30)
        for _ in range(6):
            assert httpx.get(f"{running.url}/collections/parcels/items?limit=5", timeout=30).status_code == 200


def _metrics(running: Running) -> str:
    return httpx.get(f"{running.url}/metrics", timeout=30).text


def _tile_of(tilejson: dict) -> str:
    west, south, east, north = tilejson["bounds"]
    z = 14
    x = int(((west + east) / 2 + 180) / 360 * 2**z)
    y = int((1 - math.asinh(math.tan(math.radians((south + north) / 2))) / math.pi) / 2 * 2**z)
    return f"/tiles/parcels/{z}/{x}/{y}.mvt"


def test_the_role_reads_and_cannot_write(postgis_url: str) -> None:
    writer = PostGISStore(postgis_url)
    writer.make_reader(ROLE)
    writer.make_reader(ROLE)  # mends, does not complain
    reading = PostGISStore(postgis_url, readonly=ROLE, ready=True)
    assert len(reading.read(Query("parcels"))) == writer.count(Query("parcels"))
    with reading._connections.borrowed() as reader:
        cursor = reader.connection.cursor()
        # Not by the courtesy of a setting that a statement could change, but because the role may not.
        cursor.execute("SET default_transaction_read_only = off")
        for statement in (
            "DELETE FROM lianpian.parcels",
            "UPDATE lianpian.store_state SET revision = 0",
            "CREATE TABLE lianpian.more (x int)",
        ):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(statement)
    reading.close()
    writer.close()


def test_a_role_has_the_name_of_a_role() -> None:
    with pytest.raises(InvalidParameter):
        PostGISStore("postgresql:///nowhere", readonly='x"; DROP ROLE y', ready=True)


def test_a_question_heard_again_is_prepared_and_answers_the_same(postgis_url: str) -> None:
    store = PostGISStore(postgis_url)
    question = Query("parcels", bbox=(119.0, 31.0, 121.0, 33.0), minimum={"employees": 0.5}, limit=7)
    first, second, third = (store.read(question) for _ in range(3))
    assert first.equals(second)
    assert first.equals(third)
    with store._connections.borrowed() as reader:
        assert reader.rows("SELECT count(*) > 0 FROM pg_prepared_statements", None) == [(True,)]
        for number in range(200):  # ever new shapes, each twice
            for _ in range(2):
                reader.rows(f"SELECT {number}", None)
        ((kept,),) = reader.rows("SELECT count(*) FROM pg_prepared_statements", None)
    assert kept <= 48
    store.close()
