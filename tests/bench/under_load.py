"""An import of many parcels and a new run while clients pull tiles; what the clients felt.

python -m tests.bench.under_load --parcels 100000 --clients 16
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from geo.land.rules import load_rules
from geo.pipeline import analyse_store
from geo.store.opening import open_store
from tests.serving.pulling import Clients, Seen, tiles_of_grid, write_version
from tests.serving.running import running_service


def told(stage: str, seen: Seen, since_s: float) -> None:
    """A line for a stage."""
    rate = len(seen.seconds) / (time.perf_counter() - since_s)
    times = " · ".join(f"p{percent:g} {seen.percentile_ms(percent):.1f} ms" for percent in (50, 90, 99, 99.9))
    faults = f"errors {len(seen.errors)}, mixed {len(seen.mixed)}"
    print(f"{stage}: {len(seen.seconds):,} tiles, {rate:,.0f}/s, {times}, {faults}")


def main() -> None:
    """Run the stages: quiet, import, run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parcels", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--store", help="postgresql://… instead of a GeoPackage")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        address = chosen.store or str(folder / "land.gpkg")
        store = open_store(address)
        write_version(store, chosen.parcels, "first")
        tiles = tiles_of_grid(chosen.parcels, (12, 13, 14, 15, 16))
        settings = {"workers": chosen.workers, "editions": folder / "editions"}
        with running_service(folder, address, **settings) as running:
            running.until("/readyz", 200, 600)
            for stage in ("quiet", "import", "run"):
                began = time.perf_counter()
                with Clients(running.url, tiles, chosen.clients) as clients:
                    if stage == "quiet":
                        time.sleep(10)
                    elif stage == "import":
                        write_version(store, chosen.parcels, "second")
                        while "second" not in clients.seen.versions:
                            time.sleep(0.2)
                    else:
                        analyse_store(store, load_rules("national"), np.datetime64("2026-06-30"))
                        time.sleep(10)
                told(stage, clients.seen, began)
                for error in clients.seen.errors[:3] + clients.seen.mixed[:3]:
                    print("   ", error)
        store.close()


if __name__ == "__main__":
    main()
