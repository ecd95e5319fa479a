"""Tiles and items beside their peers, in one run: ``python -m tests.bench.serving [parcels] [--zooms 8-16] …``.

The same synthetic parcels are put into a GeoPackage store, a PostGIS store (a private server), and a table for the
peers. Then the same requests go, in interleaved rounds of which the median is told, to

- this service over either store, as ``lianpian serve --workers 2``: *cold* with its caches off, so that every tile is
  made anew, *warm* with them; with its slim columns and with the eleven attributes that the peers show;
- tipg as shipped (one worker) and with two;
- MapServer, two FastCGI processes behind lighttpd;
- the ceiling: ``ST_AsMVT`` by pgbench, prepared, on an indexed 3857 column, two clients; no server in front, no gzip.

What it needs beside the tests' packages: ``apt-get install wrk``. The peers are optional, a missing one is told:
``python3 -m venv var/tipg && var/tipg/bin/pip install tipg uvicorn`` (or elsewhere and ``--tipg FOLDER``);
``apt-get install cgi-mapserver lighttpd lighttpd-mod-deflate``.

Read the ratios: absolute figures depend on the machine and on what else it does. ``complete`` is the share of the
features of the buffered tile that the tile holds, summed over the tiles looked at; an aggregate is told as such.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import multiprocessing
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import geopandas as gpd
import mapbox_vector_tile
import numpy as np
from rich.console import Console
from rich.table import Table

from geo.layers.schema import LAYERS
from geo.store.base import Load
from geo.store.opening import open_store
from maps.tiles.keeping import Editions, editions_folder
from tests.bench.serving_rig.district import ATTRIBUTES, District, make_district
from tests.bench.serving_rig.load import Reading, generator_missing, median, pull
from tests.bench.serving_rig.peers_database import SLIM, expected_features, load_peers, run_ceiling
from tests.bench.serving_rig.targets import (
    Target,
    Tile,
    get,
    mapserver,
    mapserver_programs,
    this_service,
    tipg,
    tipg_program,
)
from tests.cluster import private_cluster

ALL_COLUMNS = "properties=" + ",".join(name for name in ATTRIBUTES if name != "parcel_id")
TIPG, CEILING, CEILING_SLIM = "tipg, 1 worker", "ST_AsMVT, 11 columns", "ST_AsMVT, slim"
LOOKED_AT = 6  # tiles of each zoom that are decoded
Row = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What a run does."""

    parcels: int
    zooms: tuple[int, ...]
    seconds: float
    rounds: int
    tiles: int
    large: int
    tipg: Path
    only: str


def matrix(bounds: Sequence[float], zoom: int) -> tuple[int, int, int, int]:
    """First and last column, first and last row of the tiles over a box in degrees."""

    def at(longitude: float, latitude: float) -> tuple[int, int]:
        y = (1 - math.asinh(math.tan(math.radians(latitude))) / math.pi) / 2
        return math.floor((longitude + 180) / 360 * 2**zoom), math.floor(y * 2**zoom)

    west, south, east, north = bounds
    (first_x, first_y), (last_x, last_y) = at(west, north), at(east, south)
    return first_x, last_x, first_y, last_y


def tiles_of(bounds: Sequence[float], zoom: int, most: int) -> list[Tile]:
    """At most so many tiles over the district, in random order, the same in every run."""
    first_x, last_x, first_y, last_y = matrix(bounds, zoom)
    grid = np.stack(np.meshgrid(np.arange(first_x, last_x + 1), np.arange(first_y, last_y + 1)), -1).reshape(-1, 2)
    chosen = np.random.default_rng(zoom).permutation(grid)[:most]
    return [(zoom, int(x), int(y)) for x, y in chosen]


def fill(url: str, district: District) -> float:
    """Store the parcels as an import does; seconds."""
    load = Load(
        "bench", "parcels", "bench.gpkg", "0" * 64, "bench", "EPSG:4490", "2026-01-01T00:00:00+08:00", "2026-01-01",
        len(district.parcels), len(district.parcels), 0, 0,
    )  # fmt: skip
    nothing = gpd.GeoDataFrame({LAYERS["quarantine"].key: []}, geometry=[], crs=4490)
    store = open_store(url)
    start = time.perf_counter()
    store.write_load(load, district.parcels, nothing)
    took = time.perf_counter() - start
    store.close()
    return took


def publish(url: str, folder: str) -> tuple[float, float]:
    """Publish an edition in this process; seconds and peak MiB of the process."""
    start = time.perf_counter()
    store = open_store(url)
    Editions(Path(folder), store).publish()
    store.close()
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def published(url: str, folder: Path) -> tuple[float, float]:
    """``publish`` in a process of its own, whose memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(publish, (url, str(folder)))


# ---------------------------------------------------------------------- tiles


@dataclass(frozen=True)
class Asked:
    """A column of the tables: a name, and how tiles are asked there."""

    name: str
    target: Target
    query: str = ""

    def path(self, tile: Tile) -> str:
        """Address of a tile on the target."""
        path = self.target.tile(tile)
        return f"{path}{'&' if '?' in path else '?'}{self.query}" if self.query else path


def looked_at(asked: Asked, tiles: Sequence[Tile]) -> tuple[int, int, bool]:
    """Features of some tiles by an independent decoder, bytes, and whether one of them is an aggregate."""
    features = size = 0
    aggregated = False
    for tile in tiles:
        status, headers, body = get(asked.target.base + asked.path(tile), {"Accept-Encoding": "gzip"})
        if status not in (200, 204):
            raise RuntimeError(f"{asked.name}: {status} for {tile}: {body[:300]!r}")
        size += len(body)
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        if body:
            # Features alone are counted, so coordinates may stay as they are.
            layers = mapbox_vector_tile.decode(body, default_options={"geojson": False})
            features += sum(len(layer["features"]) for layer in layers.values())
        aggregated |= headers.get("x-tile-aggregated", "").lower() not in ("", "false", "0")
    return features, size, aggregated


def measure_tiles(
    plan: Plan,
    zoom: int,
    bounds: Sequence[float],
    columns: Sequence[Asked],
    ceilings: dict[str, Callable[..., Reading]],
    peers: str,
) -> list[Row]:
    """One row for each target at one zoom."""
    tiles = tiles_of(bounds, zoom, plan.tiles)
    sample = tiles[:LOOKED_AT]
    expected = expected_features(peers, sample)
    connections = 8 if zoom >= 14 else 2
    readings: dict[str, list[Reading]] = {}
    seen = {asked.name: looked_at(asked, sample) for asked in columns}
    for asked in columns:
        if "warm" in asked.name:
            for tile in tiles:
                get(asked.target.base + asked.path(tile), {"Accept-Encoding": "gzip"})
    for _ in range(plan.rounds):
        for asked in columns:
            reading = pull(asked.target.base, [asked.path(tile) for tile in tiles], plan.seconds, connections)
            readings.setdefault(asked.name, []).append(reading)
        for name, ceiling in ceilings.items():
            readings.setdefault(name, []).append(ceiling(zoom, matrix(bounds, zoom), plan.seconds))
    middle = {name: median(each) for name, each in readings.items()}
    base, top = middle.get(TIPG), middle.get(CEILING)
    rows = []
    for name, reading in middle.items():
        features, _, aggregated = seen.get(name, (0, 0, False))
        slim = middle.get(CEILING_SLIM) if "slim" in name else top
        rows.append(
            {
                "zoom": zoom,
                "target": name,
                **asdict(reading),
                "times_tipg": reading.per_second / base.per_second if base else None,
                "times_ceiling": reading.per_second / slim.per_second if slim else None,
                "complete": None if name in ceilings else features / max(expected, 1),
                "features": None if name in ceilings else features,
                "aggregated": aggregated,
            }
        )
    return rows


def measure_conditional(plan: Plan, zoom: int, bounds: Sequence[float], columns: Sequence[Asked]) -> list[Row]:
    """Requests that carry the ETag of the answer before; a target without one is asked the same."""
    tiles = tiles_of(bounds, zoom, plan.tiles)
    etags: dict[str, dict[str, str]] = {}
    for asked in columns:
        etags[asked.name] = {}
        for tile in tiles:
            headers = get(asked.target.base + asked.path(tile), {"Accept-Encoding": "gzip"})[1]
            etags[asked.name][asked.path(tile)] = headers.get("etag", '"none"')
    readings: dict[str, list[Reading]] = {}
    for _ in range(plan.rounds):
        for asked in columns:
            known = etags[asked.name]
            readings.setdefault(asked.name, []).append(pull(asked.target.base, list(known), plan.seconds, 8, known))
    return _beside_tipg(readings, {"zoom": zoom})


def _beside_tipg(readings: dict[str, list[Reading]], told: Row) -> list[Row]:
    middle = {name: median(each) for name, each in readings.items()}
    base = middle.get(TIPG)
    return [
        {
            **told, "target": name, **asdict(reading),
            "times_tipg": reading.per_second / base.per_second if base else None,
        }
        for name, reading in middle.items()
    ]  # fmt: skip


# ---------------------------------------------------------------------- items


def item_requests(district: District) -> dict[str, tuple[list[str], list[str]]]:
    """Name of a request -> paths here, paths on tipg; a deep page is added by who can follow links."""
    generator = np.random.default_rng(6)
    west, south, east, north = district.bounds

    def boxes(km: float) -> list[str]:
        high, wide = km / 111.2, km / 111.2 / math.cos(math.radians(south))
        x = generator.uniform(west, max(east - wide, west + 1e-6), 200)
        y = generator.uniform(south, max(north - high, south + 1e-6), 200)
        return [f"{a:.6f},{b:.6f},{a + wide:.6f},{b + high:.6f}" for a, b in zip(x, y, strict=True)]

    here, there = "/collections/parcels/items", "/collections/public.parcels/items"
    rows = generator.integers(0, len(district.parcels), 500)
    keys = district.parcels["parcel_id"].to_numpy()[rows]
    asked: dict[str, tuple[list[str], list[str]]] = {}
    for name, km, limit in (("bbox 1 km, limit 100", 1, 100), ("bbox 5 km, limit 1000", 5, 1000)):
        queries = [f"?bbox={box}&limit={limit}" for box in boxes(km)]
        asked[name] = ([here + query for query in queries], [there + query for query in queries])
    asked["one item"] = ([f"{here}/{key}" for key in keys], [f"{there}/{row + 1}" for row in rows])
    filters = [quote(f"area_m2 > {area} AND status = 'not_started'") for area in range(20_000, 30_000, 200)]
    queries = [f"?filter={text}&filter-lang=cql2-text&limit=100" for text in filters]
    asked["CQL2 on two columns, limit 100"] = (
        [here + query for query in queries],
        [there + query for query in queries],
    )
    query = "?sortby=-area_m2&limit=100"
    asked["sorted by area, limit 100"] = ([here + query], [there + query])
    return asked


def deep_pages(target: Target, parcels: int) -> list[str]:
    """Paths of pages of 100 beyond the middle of the layer, reached by the ``next`` links alone."""
    step = 10_000 if parcels >= 100_000 else 1000
    path, passed, deep = f"/collections/parcels/items?limit={step}", 0, []
    while path and passed < parcels * 0.95:
        page = json.loads(get(target.base + path)[2])
        passed += len(page["features"])
        link = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
        path = "/" + link.split("/", 3)[3] if link else ""
        if path and passed >= parcels * 0.45:
            deep.append(path.replace(f"limit={step}", "limit=100"))
    return deep


def measure_items(plan: Plan, district: District, here: Sequence[Target], peer: Target | None) -> list[Row]:
    """Requests to items, beside tipg."""
    rows: list[Row] = []
    requests = item_requests(district)
    count = len(district.parcels)
    offsets = np.linspace(count * 0.5, count * 0.95, 10).astype(int).tolist()
    requests["page beyond the middle, limit 100"] = (
        [], [f"/collections/public.parcels/items?limit=100&offset={offset}" for offset in offsets],
    )  # fmt: skip
    for name, (ours, theirs) in requests.items():
        columns = [(target, ours or deep_pages(target, count)) for target in here]
        columns += [(peer, theirs)] if peer else []
        told: dict[str, Row] = {}
        for target, paths in columns:
            status, _, body = get(target.base + paths[0])
            document = json.loads(body) if status == 200 else {}
            found = len(document["features"]) if "features" in document else int("geometry" in document)
            told[target.name] = {"status": status, "features": found}
        readings: dict[str, list[Reading]] = {}
        for _ in range(plan.rounds):
            for target, paths in columns:
                readings.setdefault(target.name, []).append(pull(target.base, paths, plan.seconds, 4))
        rows += [{**row, **told[row["target"]]} for row in _beside_tipg(readings, {"request": name})]
    return rows


# ---------------------------------------------------------------------- the run


def run(plan: Plan, console: Console) -> dict[str, Any]:
    """All measurements, as one document."""
    report: dict[str, Any] = {"parcels": plan.parcels, "not installed": []}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lianpian-bench-")))
        folder.chmod(0o755)
        cluster = stack.enter_context(private_cluster("shared_buffers=512MB", "max_parallel_workers_per_gather=0"))
        district = make_district(plan.parcels)
        report["parcels"] = len(district.parcels)
        stores = {"GeoPackage": str(folder / "bench.gpkg"), "PostGIS": cluster.fresh_database()}
        places = {kind: folder / kind for kind in stores}
        report["preparing"] = []
        for kind, url in stores.items():
            places[kind].mkdir()
            console.print(f"storing and publishing: {kind}")
            stored_s = fill(url, district)
            editions = editions_folder(url, "" if "://" not in url else str(places[kind] / "editions"))
            published_s, peak_mib = published(url, editions)
            size = sum(file.stat().st_size for file in editions.rglob("*") if file.is_file()) / 2**20
            report["preparing"].append(
                {"store": kind, "stored_s": stored_s, "published_s": published_s, "peak_mib": peak_mib, "mib": size}
            )
        console.print("the peers' tables")
        peers = load_peers(cluster, district)
        database = peers.removeprefix("postgresql:///").partition("?")[0]

        cold, warm = [], []
        for kind, url in stores.items():
            cold.append(stack.enter_context(this_service(f"{kind}, cold", url, places[kind], cached=False)))
            warm.append(stack.enter_context(this_service(f"{kind}, warm", url, places[kind])))
        columns = [Asked(f"{target.name}, 11 columns", target, ALL_COLUMNS) for target in cold]
        columns += [Asked(f"{target.name}, slim", target) for target in cold]
        columns += [Asked(f"{target.name}, 11 columns", target, ALL_COLUMNS) for target in warm]
        program = tipg_program(plan.tipg)
        peer_targets: list[Target] = []
        if program is None:
            report["not installed"].append("tipg")
        else:
            for workers in (1, 2):
                log = folder / f"tipg{workers}.log"
                peer_targets.append(stack.enter_context(tipg(program, cluster.home, database, workers, log)))
        programs = mapserver_programs()
        if programs is None:
            report["not installed"].append("MapServer")
        else:
            peer_targets.append(stack.enter_context(mapserver(programs, cluster.home, database, folder / "mapserver")))
        columns = [Asked(target.name, target) for target in peer_targets] + columns
        ceilings = {
            name: lambda zoom, range_, seconds, columns=chosen: run_ceiling(
                cluster, peers, zoom, range_, columns, seconds
            )
            for name, chosen in ((CEILING, ATTRIBUTES), (CEILING_SLIM, SLIM))
        }
        report["tiles"] = []
        if plan.only in ("", "tiles"):
            for zoom in plan.zooms:
                console.print(f"tiles at z{zoom}")
                report["tiles"] += measure_tiles(plan, zoom, district.bounds, columns, ceilings, peers)
                console.print(_tiles_table([row for row in report["tiles"] if row["zoom"] == zoom]))
            shown = [Asked(target.name, target) for target in (*peer_targets[:1], *warm)]
            report["conditional"] = measure_conditional(plan, min(14, max(plan.zooms)), district.bounds, shown)
        peer = peer_targets[0] if program is not None else None
        if plan.only in ("", "items"):
            report["items"] = measure_items(plan, district, [replace(t, name=t.name.split(",")[0]) for t in warm], peer)
        report["servers"] = []
        for target in (*peer_targets, *cold, *warm):
            peak_mib, share_mib = target.memory_mib()
            report["servers"].append(
                {"target": target.name, "start_s": target.start_s, "peak_mib": peak_mib, "share_mib": share_mib}
            )
        if plan.large:
            report["large"] = measure_large(plan, folder, cold[0], district.bounds, stack, console)
    return report


def measure_large(
    plan: Plan, folder: Path, small: Target, bounds: Sequence[float], stack: ExitStack, console: Console
) -> list[Row]:
    """Tiles of a district with many more parcels beside those of the small one: the same density, so the same tiles."""
    console.print(f"{plan.large:,} parcels")
    district = make_district(plan.large)
    place = folder / "large"
    place.mkdir()
    url = str(place / "large.gpkg")
    stored_s = fill(url, district)
    published_s, peak_mib = published(url, editions_folder(url))
    rows: list[Row] = [
        {"parcels": len(district.parcels), "stored_s": stored_s, "published_s": published_s, "peak_mib": peak_mib}
    ]
    large = stack.enter_context(this_service("large, cold", url, place, cached=False))
    for zoom in plan.zooms:
        wanted = {"small": (small, tiles_of(bounds, zoom, plan.tiles))}
        wanted["large"] = (large, tiles_of(district.bounds, zoom, plan.tiles))
        readings: dict[str, list[Reading]] = {}
        for target, tiles in wanted.values():
            pull(target.base, [target.tile(tile) for tile in tiles], 1, 2)
        for _ in range(plan.rounds):
            for name, (target, tiles) in wanted.items():
                readings.setdefault(name, []).append(
                    pull(target.base, [target.tile(tile) for tile in tiles], plan.seconds, 8 if zoom >= 14 else 2)
                )
        few, many = median(readings["small"]), median(readings["large"])
        rows.append(
            {
                "zoom": zoom, "small_per_second": few.per_second, "large_per_second": many.per_second,
                "time_ratio": few.per_second / many.per_second, "small_kib": few.kib, "large_kib": many.kib,
            }
        )  # fmt: skip
    return rows


def _tiles_table(rows: Sequence[Row]) -> Table:
    return _table("tiles, gzip accepted", rows)


_FORMS: dict[str, Callable[[Any], str]] = {
    "times_tipg": lambda value: f"{value:.2f} ×",
    "times_ceiling": lambda value: f"{value:.2f} ×",
    "time_ratio": lambda value: f"{value:.2f} ×",
    "complete": lambda value: f"{value:.1%}",
    "per_second": lambda value: f"{value:,.1f}",
}


def _table(title: str, rows: Sequence[Row]) -> Table:
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(*names, title=title)
    for row in rows:
        cells = []
        for name in names:
            value = row.get(name)
            if value is None:
                cells.append("")
            elif name in _FORMS:
                cells.append(_FORMS[name](value))
            else:
                cells.append(f"{value:,.1f}" if isinstance(value, float) else str(value))
        table.add_row(*cells)
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """Tables to stderr as they are made and to stdout at the end, then one JSON document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parcels", nargs="?", type=int, default=202_500)
    parser.add_argument("--zooms", default="8-16", help="as in 8,10,12-16")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tiles", type=int, default=400, help="at most so many different tiles a zoom")
    parser.add_argument("--large", type=int, default=0, help="tile times again with so many parcels, e.g. 1000000")
    parser.add_argument("--tipg", type=Path, default=Path("var/tipg"), help="virtual environment with tipg")
    parser.add_argument("--only", choices=("", "tiles", "items"), default="")
    parser.add_argument("--json", type=Path, help="write the document here instead of to stdout")
    chosen = parser.parse_args(arguments)
    if missing := generator_missing():
        sys.exit(missing)
    zooms: list[int] = []
    for part in chosen.zooms.split(","):
        first, _, last = part.partition("-")
        zooms += range(int(first), int(last or first) + 1)
    plan = Plan(
        chosen.parcels, tuple(zooms), chosen.seconds, chosen.rounds, chosen.tiles,
        chosen.large, chosen.tipg, chosen.only,
    )  # fmt: skip
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped too
    report = run(plan, Console(stderr=True, width=170))
    console = Console(width=None if sys.stdout.isatty() else 170)
    for name, rows in report.items():
        if isinstance(rows, list) and rows and isinstance(rows[0], dict):
            console.print(_table(name, rows))
    for peer in report["not installed"]:
        console.print(f"{peer}: not installed")
    document = json.dumps(report, ensure_ascii=False, indent=1)
    if chosen.json:
        chosen.json.write_text(document + "\n", encoding="utf-8")
    else:
        sys.stdout.write(document + "\n")


if __name__ == "__main__":
    main()
