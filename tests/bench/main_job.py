"""The main job beside bare peers, in one run: ``python tests/bench/main_job.py [parcels …]``.

Import against ``ogr2ogr`` copying the same file without looking at it; the search for plots against the usual
``STRtree.query(dwithin)`` + ``scipy`` components, which gives groups, but neither frontage, barriers, width nor
evidence.
CPU seconds of this process (and of the one it waits for), peak memory of the whole run.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from rich.console import Console
from rich.table import Table
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from data.demo.generate import build_district, write_district
from geo import crs
from geo.eligibility import eligible_parcels
from geo.importing import prepare_loads, store_loads
from geo.land.efficiency import assess_inefficiency
from geo.land.idle import assess_idle
from geo.land.rules import load_rules
from geo.layers.reading import read_file
from geo.plots.parameters import PlotRules
from geo.plots.plot import find_plots
from geo.store.base import Query
from geo.store.opening import open_store

ONE_GAP = PlotRules(ladder_m=(20.0,))


def cpu_s(job: Callable[[], Any]) -> tuple[float, float, Any]:
    """CPU seconds (children included), wall seconds and the result of a job."""

    def used() -> float:
        each = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(usage.ru_utime + usage.ru_stime for usage in each)

    before, start = used(), time.perf_counter()
    result = job()
    return used() - before, time.perf_counter() - start, result


def clusters(geometries: Any, gap_m: float) -> int:
    """The peer: pairs within the gap, connected components."""
    metric = crs.to_metric(geometries, crs.central_longitude(geometries))
    first, second = shapely.STRtree(metric).query(metric, predicate="dwithin", distance=gap_m)
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(len(metric), len(metric)))
    return int(connected_components(graph, directed=False)[0])


def measure(parcels: int) -> list[tuple[str, float, float, str]]:
    """Rows of (job, CPU s, wall s, ratio to its peer)."""
    rows: list[tuple[str, float, float, str]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cpu, wall, district = cpu_s(lambda: build_district(parcels))
        rows.append((f"generate {parcels:,}", cpu, wall, ""))
        package = next(path for path in write_district(district, folder) if path.suffix == ".gpkg")
        copy = ["ogr2ogr", "-f", "GPKG", str(folder / "copy.gpkg"), str(package)]
        bare, wall, _ = cpu_s(lambda: subprocess.run(copy, check=True, capture_output=True))
        rows.append(("ogr2ogr bare copy", bare, wall, "1.0"))
        store = open_store(folder / "store.gpkg")
        cpu, wall, _ = cpu_s(lambda: store_loads(store, prepare_loads(read_file(package))))
        rows.append(("import with quality control", cpu, wall, f"{cpu / bare:.1f} × copy"))
        rules, day = load_rules("demo"), np.datetime64(district.truth["as_of"])
        wanted = ("parcels", "delays", "enterprises", "buildings", "control_lines", "barriers")
        layers = {layer: store.read(Query(layer)) for layer in wanted}
        land = layers["parcels"]
        cpu, wall, idle = cpu_s(lambda: assess_idle(land, layers["delays"], rules.idle, day))
        rows.append(("idle land", cpu, wall, f"{cpu / parcels * 1e6:.0f} µs a parcel"))
        firms = layers["enterprises"]
        cpu, wall, low = cpu_s(lambda: assess_inefficiency(land, layers["buildings"], firms, rules, day))
        rows.append(("inefficient land", cpu, wall, f"{cpu / parcels * 1e6:.0f} µs a parcel"))
        findings = pd.concat([idle, low.findings], ignore_index=True)
        chosen = {"demo's eligible parcels": eligible_parcels(land, findings, None, None, rules.eligible).chosen}
        chosen["every parcel"] = np.ones(len(land), dtype=bool)
        for what, mask in chosen.items():
            eligible = land[mask]
            peer, wall, _ = cpu_s(lambda eligible=eligible: clusters(np.asarray(eligible.geometry.array), 20.0))
            rows.append((f"dwithin + components, {what} ({len(eligible):,})", peer, wall, "1.0"))
            search = {"control_lines": layers["control_lines"], "barriers": layers["barriers"]}
            find_plots(eligible.iloc[:2], rules=ONE_GAP)  # compiles the kernel outside the clock
            cpu, wall, _ = cpu_s(lambda eligible=eligible, search=search: find_plots(eligible, rules=ONE_GAP, **search))
            rows.append((f"plots with evidence, {what}", cpu, wall, f"{cpu / peer:.1f} × dwithin"))
        store.close()
    return rows


def main() -> None:
    """Print one table."""
    table = Table("job", "CPU s", "wall s", "ratio", title="main job")
    for parcels in [int(text) for text in sys.argv[1:]] or [20_000]:
        for job, cpu, wall, ratio in measure(parcels):
            table.add_row(job, f"{cpu:.2f}", f"{wall:.2f}", ratio)
    Console().print(table)
    Console().print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
