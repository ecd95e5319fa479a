"""One service, several processes: it stays up, stops in good order, and says what it does."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.serving.running import Running, running_service


@pytest.fixture(scope="module")
def service(district_copy: Path) -> Iterator[Running]:
    with running_service(district_copy.parent, str(district_copy), workers=2) as running:
        running.until("/readyz", 200, 180)
        yield running


def test_a_killed_worker_is_replaced_while_others_answer(service: Running) -> None:
    before = service.workers()
    assert len(before) == 2
    refused: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                answer = httpx.get(f"{service.url}/runs", timeout=60)
                if answer.status_code != 200:
                    refused.append(f"{answer.status_code}")
            except httpx.TransportError as error:
                refused.append(type(error).__name__)

    clients = [threading.Thread(target=ask) for _ in range(4)]
    for client in clients:
        client.start()
    time.sleep(0.5)
    os.kill(before[0], signal.SIGKILL)
    deadline = time.monotonic() + 150
    while (now := service.workers()) == before or len(now) < 2:
        assert time.monotonic() < deadline, f"no new worker beside {now}"
        time.sleep(0.1)
    time.sleep(1)
    stop.set()
    for client in clients:
        client.join()
    # What the dead worker had accepted is lost, as a closed connection; nothing after that.
    assert len(refused) <= 4
    assert set(refused) <= {"RemoteProtocolError", "ReadError", "ConnectError"}
    assert before[1] in service.workers()


def test_the_replaced_worker_answers_too(service: Running) -> None:
    """Also where several die one after the other, at whatever moment the parent looks."""
    for _ in range(3):
        killed = service.workers()[0]
        os.kill(killed, signal.SIGKILL)
        deadline = time.monotonic() + 150
        while killed in (now := service.workers()) or len(now) < 2:
            assert time.monotonic() < deadline, f"no new worker beside {now}"
            time.sleep(0.05)
    deadline = time.monotonic() + 150
    while "lianpian_workers 2.0" not in httpx.get(f"{service.url}/metrics", timeout=60).text:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_it_stops_on_sigterm_after_what_runs(district_copy: Path, tmp_path: Path) -> None:
    with running_service(tmp_path, str(district_copy), workers=1, publish=False) as running:
        answers: list[int] = []
        path = "/collections/parcels/items?limit=3000"
        asking = threading.Thread(target=lambda: answers.append(httpx.get(running.url + path, timeout=60).status_code))
        asking.start()
        deadline = time.monotonic() + 30
        while "lianpian_requests_questions_in_work 1.0" not in httpx.get(f"{running.url}/metrics").text:
            if answers:  # too quick to be seen in work: ask again
                asking = threading.Thread(
                    target=lambda: answers.append(httpx.get(running.url + path, timeout=60).status_code)
                )
                answers.clear()
                asking.start()
            assert time.monotonic() < deadline
        running.process.send_signal(signal.SIGTERM)
        asking.join()
        assert answers == [200]
        assert running.process.wait(30) in (0, -signal.SIGTERM)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{running.url}/healthz")


def test_every_request_has_a_line_with_its_id_and_no_query(service: Running) -> None:
    answer = httpx.get(f"{service.url}/collections?secret=1234", headers={"X-Request-Id": "desk-7.request"})
    assert answer.headers["x-request-id"] == "desk-7.request"
    odd = httpx.get(f"{service.url}/collections", headers={"X-Request-Id": 'a"b c'})
    assert odd.headers["x-request-id"] != 'a"b c'
    time.sleep(0.2)
    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    (line,) = [line for line in lines if line.get("request_id") == "desk-7.request"]
    assert line["event"] == "request"
    assert (line["method"], line["path"], line["route"]) == ("GET", "/collections", "/collections")
    assert line["status"] == answer.status_code
    assert line["worker"] in service.workers()
    assert line["duration_ms"] > 0
    assert "1234" not in service.log.read_text()


def test_figures_are_summed_over_the_workers(service: Running) -> None:
    for _ in range(30):
        httpx.get(f"{service.url}/loads")  # each on a connection of its own, so that both workers have some
    deadline = time.monotonic() + 10
    wanted = 'lianpian_http_requests_total{method="GET",route="/loads",status="200"} 30.0'
    while wanted not in (told := httpx.get(f"{service.url}/metrics").text):
        assert time.monotonic() < deadline, told
        time.sleep(0.2)
    assert "lianpian_workers 2.0" in told
    assert 'lianpian_http_request_seconds_bucket{le="+Inf",route="/loads"} 30.0' in told


def test_metrics_name_routes_and_never_addresses(service: Running) -> None:
    httpx.get(f"{service.url}/runs/unheard-of")
    httpx.get(f"{service.url}/nowhere/at/all")
    time.sleep(1.5)
    told = httpx.get(f"{service.url}/metrics").text
    assert 'route="/runs/{run_id}",status="404"' in told
    assert "unheard-of" not in told
    assert "nowhere" not in told
