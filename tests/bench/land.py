"""Idle and inefficient land over a synthetic district: time a parcel, peak memory, and the overlay beside its peers.

``python -m tests.bench.land [parcels …]``; without numbers 10,000, 100,000 and 1,000,000. Half as many buildings as
parcels. Every size runs in a process of its own, so that its peak memory is its own; the peers run in the same process
after it: ``geopandas.overlay(how="intersection")`` and ``sjoin`` with ``intersection`` of its pairs, which clip
footprints and no more, so that their like is ``standing_of``; and, up to 100,000 parcels, overlay with the union by
parcel and the vacant piece by buffers, whose like is ``ground_of``.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from rich.console import Console
from rich.table import Table

from geo.crs import ellipsoidal_area, to_metric
from geo.land.efficiency import assess_inefficiency
from geo.land.ground import ground_of
from geo.land.ground.standing import standing_of
from geo.land.idle import assess_idle
from geo.land.rules import RuleSet, load_rules
from geo.layers.checking.borders import metres_per_degree
from geo.layers.schema import BUILDINGS, PARCELS, Layer

SIZES = (10_000, 100_000, 1_000_000)
WHOLE_PEER_UP_TO = 100_000
SEED = 20260630
AS_OF = np.datetime64("2026-06-30")
_PITCH_M = (100.0, 70.0)
_CORNER = (120.3, 30.9)
# A parcel's ring on the lattice of half steps, and a building's corners: a box, an L.
_RING = np.array([(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0), (0, 0)])
_BOX = np.array([(-1, -1), (1, -1), (1, 0), (1, 1), (0, 1), (-1, 1), (-1, -1)], dtype=float)
_ELL = np.array([(-1, -1), (1, -1), (1, 0), (0, 0), (0, 1), (-1, 1), (-1, -1)], dtype=float)
_KINDS = {"real": "float64", "integer": "Int64", "boolean": "boolean", "date": "datetime64[s]"}


class Row(NamedTuple):
    """One line of a table; the peak is the most that the process has held by then."""

    cpu_s: float
    wall_s: float
    peak_mb: float
    remark: str


def district(parcels: int) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Parcels of eight corners that share their borders, and half as many buildings, boxes and Ls, some across them."""
    rng = np.random.default_rng(SEED)
    columns = int(np.ceil(np.sqrt(parcels)))
    rows = -(-parcels // columns)
    x, y = np.meshgrid(np.arange(2 * columns + 1) * _PITCH_M[0] / 2, np.arange(2 * rows + 1) * _PITCH_M[1] / 2)
    x, y = x + rng.uniform(-9, 9, x.shape), y + rng.uniform(-6, 6, y.shape)
    number = np.arange(parcels)
    up, along = number[:, None] // columns * 2 + _RING[:, 1], number[:, None] % columns * 2 + _RING[:, 0]
    rings = np.stack([x[up, along], y[up, along]], axis=-1)
    buildings = parcels // 2
    of = rng.integers(0, parcels, buildings)
    middle = rings[of].mean(axis=1) + rng.uniform(-1, 1, (buildings, 2)) * [33, 20]
    half = rng.uniform([6, 5], [18, 12], (buildings, 2))
    corners = np.where(rng.random((buildings, 1, 1)) < 0.25, _ELL, _BOX) * half[:, None]
    angle = rng.normal(0, 0.1, (buildings, 1))
    turned = np.stack(
        [corners[..., 0] * np.cos(angle) - corners[..., 1] * np.sin(angle),
         corners[..., 0] * np.sin(angle) + corners[..., 1] * np.cos(angle)], axis=-1
    )  # fmt: skip
    degree = metres_per_degree(np.array([_CORNER[1]]))[0]
    land = shapely.polygons(rings / degree + _CORNER)
    houses = shapely.polygons((turned + middle[:, None]) / degree + _CORNER)
    return _parcels(land, rng), _buildings(houses, rng)


def _parcels(land: Any, rng: np.random.Generator) -> gpd.GeoDataFrame:
    """Seven in ten in use with figures, the rest supplied and not finished; one in ten with an unknown."""
    n = len(land)
    in_use, unknown = rng.random(n) < 0.7, rng.random(n) < 0.1
    due = np.datetime64("2021-01-01") + rng.integers(0, 2200, n).astype("timedelta64[D]")
    frame = _blank(PARCELS, land)
    frame["parcel_id"] = [f"3305{k:015d}" for k in range(n)]
    frame["land_use"] = rng.choice(["100101", "100102", "110101"], n)
    frame["supply_kind"], frame["tenure"] = "grant", "state"
    frame["holder"] = np.char.add("企业", (rng.integers(0, n, n) // 2).astype(str)).astype(object)
    frame["start_due"] = pd.Series(due).astype("datetime64[s]").where(~unknown)
    frame["status"] = np.where(in_use, rng.choice(["producing", "completed", "stopped"], n, p=[0.8, 0.15, 0.05]),
                               rng.choice(["not_started", "building", "suspended"], n))  # fmt: skip
    frame["land_price_yuan"] = rng.uniform(1e6, 1e7, n).round()
    frame["tax_yuan"] = np.where(in_use & ~unknown, rng.lognormal(14.2, 1, n).round(), np.nan)
    frame["above_scale"] = pd.array(rng.random(n) < 0.3, dtype="boolean")
    frame["industry"], frame["industry_edition"] = rng.choice(["1711", "2651", "3440", "3811"], n), "2017"
    frame["far_agreed"] = 0.6
    frame["year"] = pd.array(np.full(n, 2025), dtype="Int64")
    frame["area_m2"] = ellipsoidal_area(land)
    # Four in five declare their floor area; the others have that of their buildings.
    frame["floor_area_m2"] = np.where(rng.random(n) < 0.8, frame["area_m2"] * rng.uniform(0.5, 2.5, n), np.nan).round(2)
    return frame


def _buildings(houses: Any, rng: np.random.Generator) -> gpd.GeoDataFrame:
    frame = _blank(BUILDINGS, houses)
    n = len(houses)
    frame["building_id"] = [f"B{k:07d}" for k in range(n)]
    frame["floors"] = pd.array(rng.integers(1, 6, n), dtype="Int64")
    frame["storey_height_m"] = np.where(rng.random(n) < 0.5, rng.uniform(3, 12, n), np.nan)
    frame["floor_area_m2"] = np.where(rng.random(n) < 0.2, rng.uniform(300, 3000, n), np.nan)
    return frame


def _blank(layer: Layer, geometry: Any) -> gpd.GeoDataFrame:
    empty = {
        item.name: pd.Series(None, index=range(len(geometry)), dtype=_KINDS.get(item.kind, object))
        for item in layer.fields
    }
    return gpd.GeoDataFrame(empty, geometry=geometry, crs=4490)


def overlay(parcels: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The peer that everyone reaches for: pieces of footprints by parcel."""
    return gpd.overlay(buildings[["building_id", "geometry"]], parcels[["parcel_id", "geometry"]], how="intersection")


def sjoin(parcels: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The same by a join and the intersection of its pairs."""
    pairs = buildings[["building_id", "geometry"]].sjoin(parcels[["parcel_id", "geometry"]], predicate="intersects")
    land = parcels.geometry.array[pairs["index_right"].to_numpy()]
    return pairs.assign(geometry=shapely.intersection(np.asarray(pairs.geometry.array), np.asarray(land)))


def overlay_and_vacant(parcels: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame) -> pd.DataFrame:
    """All that ``ground_of`` measures, by overlay, union, buffer and difference of whole arrays."""
    pieces = overlay(parcels, buildings)
    covered = pieces.dissolve("parcel_id").geometry
    lon = float(parcels.total_bounds[[0, 2]].mean())
    land = to_metric(np.asarray(parcels.geometry.array), lon)
    place = pd.Index(parcels["parcel_id"]).get_indexer(pieces["parcel_id"])
    house = pd.Index(buildings["building_id"]).get_indexer(pieces["building_id"])
    order = np.argsort(place, kind="stable")
    standing = to_metric(np.asarray(buildings.geometry.array)[house[order]], lon)
    built, owner = np.unique(place), np.searchsorted(np.unique(place), place[order])
    aprons = shapely.buffer(shapely.multipolygons(standing, indices=owner), 5.0, join_style="mitre")
    parts, of = shapely.get_parts(shapely.difference(land[built], aprons), return_index=True)
    vacant = shapely.area(land)
    vacant[built] = 0.0
    np.maximum.at(vacant, built[of], shapely.area(parts))
    footprint = pd.Series(ellipsoidal_area(np.asarray(covered.array)), index=covered.index)
    return pd.DataFrame(
        {"footprint_m2": footprint.reindex(parcels["parcel_id"]).fillna(0.0).to_numpy(), "vacant_m2": vacant}
    )


def cpu_s(job: Callable[[], Any]) -> tuple[float, float, Any]:
    """CPU and wall seconds of a job, and its result."""
    before, start = time.process_time(), time.perf_counter()
    result = job()
    return time.process_time() - before, time.perf_counter() - start, result


def peak_mb() -> float:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def assess(parcels: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame, rules: RuleSet) -> dict[str, Row]:
    """Every part of the assessment of a district: (CPU s, wall s, peak MB so far, findings)."""
    land, houses = (np.asarray(each.geometry.array, dtype=object) for each in (parcels, buildings))
    found: dict[str, Any] = {}
    jobs: dict[str, Callable[[], Any]] = {
        "standing_of": lambda: standing_of(land, houses),
        "ground_of": lambda: ground_of(parcels, buildings, rules.measures),
        "idle": lambda: assess_idle(parcels, None, rules.idle, AS_OF),
        "inefficient": lambda: assess_inefficiency(parcels, buildings, None, rules, AS_OF, idle=found["idle"]).findings,
    }
    rows: dict[str, Row] = {}
    for name, job in jobs.items():
        cpu, wall, result = cpu_s(job)
        finds = len(result) if name in ("idle", "inefficient") else 0
        found = {name: result} if name == "idle" else found
        rows[name] = Row(cpu, wall, peak_mb(), f"{finds:,} findings" if finds else "")
        del result
    both = rows["idle"], rows["inefficient"]
    rows["idle + inefficient"] = Row(sum(row.cpu_s for row in both), sum(row.wall_s for row in both), peak_mb(), "")
    return rows


def rules_of_bench() -> RuleSet:
    """Tax per mu by firm, plot ratio by industry and stopped production (demo), and vacant land (利辛) in one set."""
    demo, vacant = load_rules("demo"), load_rules("lixin")
    rules = (*demo.inefficient, *(rule for rule in vacant.inefficient if rule.rule in ("VACANT", "FAR_BELOW_AGREED")))
    return demo.model_copy(update={"inefficient": rules})


def measure(parcels: int) -> dict[str, Row]:
    """Rows of one size; runs in a process of its own."""
    rules = rules_of_bench()
    assess(*district(200), rules)  # compiles the kernels outside the clock
    cpu, wall, (land, houses) = cpu_s(lambda: district(parcels))
    rows = {"make the district": Row(cpu, wall, peak_mb(), f"{len(land):,} parcels, {len(houses):,} buildings")}
    for job, row in assess(land, houses, rules).items():
        per = f"{row.cpu_s / parcels * 1e6:.1f} µs a parcel"
        rows[job] = row._replace(remark="; ".join(filter(None, [per, row.remark])))
    peers = {"geopandas.overlay": overlay, "sjoin + intersection": sjoin}
    if parcels <= WHOLE_PEER_UP_TO:
        peers["overlay + dissolve + buffer + difference"] = overlay_and_vacant
    for name, peer in peers.items():
        cpu, wall, found = cpu_s(lambda peer=peer: peer(land, houses))
        remark = " · ".join(f"{cpu / rows[ours].cpu_s:.1f} × {ours}" for ours in ("standing_of", "ground_of"))
        if peer is overlay_and_vacant:
            ours = ground_of(land, houses, rules.measures)
            apart = np.abs(found["footprint_m2"] - ours["footprint_m2"]).max()
            remark = f"{cpu / rows['ground_of'].cpu_s:.1f} × ground_of, whose footprints are within {apart:.0e} m²"
        rows[name] = Row(cpu, wall, peak_mb(), remark)
        del found
    return rows


def main() -> None:
    """Print one table per size; with ``--rows`` the rows of a single size as JSON."""
    if sys.argv[1:2] == ["--rows"]:
        print(json.dumps(measure(int(sys.argv[2]))))
        return
    console = Console(width=130)
    growth = Table("parcels", "standing_of", "ground_of", "idle", "inefficient", "idle + inefficient",
                   title="growth: CPU µs a parcel")  # fmt: skip
    for parcels in [int(text) for text in sys.argv[1:]] or list(SIZES):
        command = [sys.executable, "-m", "tests.bench.land", "--rows", str(parcels)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        rows = {job: Row(*row) for job, row in json.loads(done.stdout.splitlines()[-1]).items()}
        table = Table("job", "CPU s", "wall s", "peak MB", "", title=f"land of {parcels:,} parcels")
        for job, row in rows.items():
            table.add_row(job, f"{row.cpu_s:.2f}", f"{row.wall_s:.2f}", f"{row.peak_mb:,.0f}", row.remark)
        console.print(table)
        names = [str(column.header) for column in growth.columns[1:]]
        growth.add_row(f"{parcels:,}", *(f"{rows[name].cpu_s / parcels * 1e6:.1f}" for name in names))
    console.print(growth)


if __name__ == "__main__":
    main()
