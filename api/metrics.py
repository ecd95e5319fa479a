"""Figures of the service as Prometheus reads them, summed over the workers.

Each worker counts in plain dictionaries and writes them to a file in a folder that the workers share, once a second;
whoever is asked adds up the files. A counter of a worker that died stays in the sum, its gauges do not.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_GAUGES = ("in_flight", "questions_in_work", "questions_waiting", "tiles_in_work", "tiles_waiting")
# Of what the tile engine tells, these go up and down; everything else only grows.
_TILE_GAUGES = ("held_",)


class Figures:
    """What one worker has counted.

    Parameters
    ----------
    folder : where the workers put their counts; ``None`` for a service of one process
    now : further gauges of this worker, asked for when they are told
    tiles : what the tile engine tells of its cache (``hits``, ``misses``, ``bytes`` …)
    """

    def __init__(
        self,
        folder: Path | None = None,
        now: Callable[[], Mapping[str, float]] = dict,
        tiles: Callable[[], Mapping[str, float]] = dict,
    ) -> None:
        self.in_flight = 0
        self._folder = folder
        self._now = now
        self._tiles = tiles
        self._requests: defaultdict[tuple[str, str, int], int] = defaultdict(int)
        self._times: defaultdict[str, list[float]] = defaultdict(lambda: [0.0] * (len(BUCKETS_S) + 2))

    def count(self, route: str, method: str, status: int, duration_s: float) -> None:
        """One request that was answered; ``route`` is its template, never its address."""
        self._requests[route, method, status] += 1
        times = self._times[route]
        times[bisect_left(BUCKETS_S, duration_s)] += 1
        times[-1] += duration_s

    def snapshot(self) -> dict[str, Any]:
        """The counts as they are now, as JSON can hold them."""
        return {
            "pid": os.getpid(),
            "requests": [[*key, number] for key, number in list(self._requests.items())],
            "times": {route: list(times) for route, times in list(self._times.items())},
            "gauges": {"in_flight": float(self.in_flight), **self._now()},
            "tiles": {name: float(value) for name, value in self._tiles().items()},
        }

    def publish(self) -> None:
        """Put the counts where the other workers find them."""
        if self._folder is not None:
            path = self._folder / f"{os.getpid()}.json"
            new = path.with_suffix(".new")
            new.write_text(json.dumps(self.snapshot()), "utf-8")
            new.replace(path)

    def told(self) -> bytes:
        """The sum of all workers in Prometheus' text form."""
        registry = CollectorRegistry()
        registry.register(_Sum([self.snapshot(), *self._others()]))
        return generate_latest(registry)

    def workers(self) -> int:
        """Workers that live."""
        return 1 + sum(_lives(int(other["pid"])) for other in self._others())

    def _others(self) -> list[dict[str, Any]]:
        if self._folder is None:
            return []
        mine = f"{os.getpid()}.json"
        found = []
        for path in sorted(self._folder.glob("*.json")):
            if path.name != mine:
                found.append(json.loads(path.read_text("utf-8")))
        return found


class _Sum:
    """A collector of the counts of several workers."""

    def __init__(self, snapshots: list[dict[str, Any]]) -> None:
        self._snapshots = snapshots
        self._living = [each for each in snapshots if each["pid"] == os.getpid() or _lives(each["pid"])]

    def collect(self) -> Iterable[Metric]:
        """Every figure."""
        requests = CounterMetricFamily(
            "lianpian_http_requests", "Requests answered", labels=["route", "method", "status"]
        )
        counted: defaultdict[tuple[str, str, str], float] = defaultdict(float)
        times: dict[str, list[float]] = {}
        for snapshot in self._snapshots:
            for route, method, status, number in snapshot["requests"]:
                counted[route, method, str(status)] += number
            for route, row in snapshot["times"].items():
                times[route] = [a + b for a, b in zip(times.get(route, [0.0] * len(row)), row, strict=True)]
        for labels, number in sorted(counted.items()):
            requests.add_metric(labels, number)
        yield requests
        seconds = HistogramMetricFamily("lianpian_http_request_seconds", "Time to answer", labels=["route"])
        for route, row in sorted(times.items()):
            below, buckets = 0.0, []
            for limit, number in zip([*map(str, BUCKETS_S), "+Inf"], row[:-1], strict=True):
                below += number
                buckets.append((limit, below))
            seconds.add_metric([route], buckets, row[-1])
        yield seconds
        yield GaugeMetricFamily("lianpian_workers", "Workers that live", value=len(self._living))
        for name in _GAUGES:
            value = sum(snapshot["gauges"].get(name, 0.0) for snapshot in self._living)
            yield GaugeMetricFamily(f"lianpian_requests_{name}", "Requests now", value=value)
        yield from self._tile_figures()

    def _tile_figures(self) -> Iterable[Metric]:
        names = sorted({name for snapshot in self._snapshots for name in snapshot["tiles"]})
        for name in names:
            if name.startswith(_TILE_GAUGES):
                value = sum(snapshot["tiles"].get(name, 0.0) for snapshot in self._living)
                yield GaugeMetricFamily(f"lianpian_tiles_{name}", "Tiles in memory", value=value)
            else:
                value = sum(snapshot["tiles"].get(name, 0.0) for snapshot in self._snapshots)
                yield CounterMetricFamily(f"lianpian_tiles_{name}", "Tiles since the start", value=value)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
