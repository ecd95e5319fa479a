"""Cutting exclusions beside the usual overlay, in one run: ``python -m tests.bench.exclusion [parcels]``.

Land: parcels on a jittered lattice turned against the axes, in blocks of two rows with streets between; every third
parcel has a vertex that its neighbour lacks. Constraints: two winding redlines of 249,000 vertices together, with
holes. The peers see a sample of the parcels and are extrapolated, since they take minutes; the areas of the sample
must agree. CPU seconds of this process.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from geo.plots.exclusion import cut
from geo.plots.overlaps import resolve_overlaps
from geo.plots.parameters import PlotRules
from geo.plots.subdividing import subdivide, subtract
from geo.plots.walls import walls_of

Geometries = NDArray[np.object_]

PARCELS = 100_000
CONSTRAINT_VERTICES = 249_000
SAMPLE = 300
_LOT_M, _DEPTH_M, _STREET_M = 30.0, 45.0, 14.0


def lots(count: int, rng: np.random.Generator) -> Geometries:
    """Parcels in blocks of two rows of twenty, metres."""
    side = int(np.ceil(np.sqrt(count)))
    column, row = np.divmod(np.arange(count), side)
    x = column * _LOT_M + column // 20 * _STREET_M
    y = row * _DEPTH_M + row // 2 * _STREET_M
    middle = rng.uniform(0.3, 0.7, count) * _LOT_M
    extra = np.where(np.arange(count) % 3 == 0, _DEPTH_M, _DEPTH_M / 2)
    ring = np.stack([
        np.stack([x, y], 1), np.stack([x + middle, y], 1), np.stack([x + _LOT_M, y], 1),
        np.stack([x + _LOT_M, y + extra], 1), np.stack([x + _LOT_M, y + _DEPTH_M], 1), np.stack([x, y + _DEPTH_M], 1),
    ], axis=1)  # fmt: skip
    turn = np.radians(17.0)
    turned = ring @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return np.asarray(shapely.polygons(turned + np.array([500_000.0, 3_540_000.0])))


def redlines(around: tuple[float, float, float, float], vertices: int, rng: np.random.Generator) -> Geometries:
    """Two winding polygons with holes over a third of the ground."""
    west, south, east, north = around
    found = []
    for place in (0.3, 0.72):
        middle = np.array([west + place * (east - west), south + place * (north - south)])
        radius = 0.24 * min(east - west, north - south)
        rings = []
        for share, size in ((0.9, 1.0), (0.1, 0.3)):
            angle = np.linspace(0, 2 * np.pi, int(vertices * share / 2), endpoint=False)
            waves = sum(rng.uniform(0.2, 1) / k * np.sin(k * angle + rng.uniform(0, 7)) for k in (3, 5, 9, 17, 40, 90))
            distance = radius * size * (1 + 0.15 * waves)
            rings.append(middle + distance[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]))
        found.append(shapely.Polygon(rings[0], [rings[1]]))
    return np.array(found, dtype=object)


def roads(around: tuple[float, float, float, float], every_m: float, rng: np.random.Generator) -> gpd.GeoDataFrame:
    """Railways, rivers, power lines and local roads across the ground, some of them without width."""
    west, south, east, north = around
    at = np.arange(west, east, every_m)
    y = np.linspace(south, north, 200)
    winding = [np.column_stack([x + 60 * np.sin(y / rng.uniform(300, 900)), y]) for x in at]
    kind = np.array(["railway", "river", "power_line", "local_road", "railway"], dtype=object)[np.arange(len(at)) % 5]
    return gpd.GeoDataFrame(
        {
            "barrier_id": [f"B{k}" for k in range(len(at))],
            "kind": kind,
            "name": None,
            "width_m": np.array([15.0, 40.0, np.nan, 12.0, np.nan])[np.arange(len(at)) % 5],
            "setback_m": np.where(kind == "power_line", 15.0, 0.0),
        },
        geometry=shapely.linestrings(np.array(winding)),
    )


def cpu_s(job: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of a job, and its result."""
    before = time.process_time()
    result = job()
    return time.process_time() - before, result


def plain_overlaps(geometries: Geometries) -> int:
    """The usual way: pairs that intersect and do not touch, and the area of their intersection."""
    first, second = shapely.STRtree(geometries).query(geometries, predicate="intersects")
    upper = first < second
    first, second = first[upper], second[upper]
    inner = ~shapely.touches(geometries[first], geometries[second])
    first, second = first[inner], second[inner]
    return int((shapely.area(shapely.intersection(geometries[first], geometries[second])) > 1e-3).sum())


def main() -> None:
    """Print one table; fails where areas differ."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else PARCELS
    rng = np.random.default_rng(3)
    land = lots(count, rng)
    names = np.array([f"P{k:07d}" for k in range(count)], dtype=object)
    around = tuple(float(each) for each in shapely.total_bounds(land))
    lines = redlines(around, CONSTRAINT_VERTICES, rng)  # type: ignore[arg-type]
    barriers = roads(around, 800.0, rng)  # type: ignore[arg-type]
    parcels = gpd.GeoDataFrame({"parcel_id": names}, geometry=land)
    control = gpd.GeoDataFrame({"line_id": ["A", "B"], "kind": "ecological_redline", "name": None}, geometry=lines)
    resolve_overlaps(land[:100], names[:100])  # compiles the kernel outside the clock

    vertices = int(shapely.get_num_coordinates(lines).sum())
    table = Table(
        "job", "CPU s", "", title=f"{count:,} parcels, constraints of {vertices:,} vertices, {len(barriers)} barriers"
    )
    tiling, tiles = cpu_s(lambda: subdivide(lines))
    table.add_row("subdivide", f"{tiling:.2f}", f"{len(tiles):,} tiles")
    ours, (kept, taken) = cpu_s(lambda: subtract(land, lines))
    left = shapely.area(kept)
    lost = np.where(shapely.is_missing(taken), 0.0, shapely.area(taken))
    apart = np.abs(left + lost - shapely.area(land)).max()
    table.add_row("subtract, subdivided", f"{ours:.2f}", f"kept + taken within {apart:.0e} m² of what there was")

    # Of the parcels that meet a constraint, since the others cost the peers hardly anything.
    hit = np.flatnonzero(lost > 0)
    sample = np.sort(rng.choice(hit, min(SAMPLE, len(hit)), replace=False))
    some = parcels.iloc[sample]
    peers: dict[str, Callable[[], Any]] = {
        "geopandas.overlay": lambda: gpd.overlay(some, control[["line_id", "geometry"]], how="difference"),
        "difference with whole polygons": lambda: shapely.difference(land[sample], shapely.union_all(lines)),
    }
    for name, peer in peers.items():
        seconds, found = cpu_s(peer)
        whole = seconds * len(hit) / len(sample)
        shapes = np.asarray(found.geometry.array) if isinstance(found, gpd.GeoDataFrame) else found
        difference = abs(float(shapely.area(shapes).sum()) - float(left[sample].sum()))
        if difference > 1e-3:
            raise SystemExit(f"{name}: areas differ by {difference} m²")
        table.add_row(
            name, f"{whole:.0f}", f"{whole / ours:.0f} × · from {len(sample)} of {len(hit):,} parcels that meet one, "
            f"areas within {difference:.0e} m²",
        )  # fmt: skip

    ours, _ = cpu_s(lambda: resolve_overlaps(land, names))
    usual, pairs = cpu_s(lambda: plain_overlaps(land))
    table.add_row("overlaps of a clean coverage", f"{ours:.2f}", f"{ours / count * 1e6:.1f} µs a parcel")
    table.add_row("intersects, touches, intersection", f"{usual:.2f}", f"{usual / ours:.1f} × · {pairs} overlaps")
    dirty = land.copy()
    moved = rng.random(count) < 0.05
    dirty[moved] = shapely.transform(dirty[moved], lambda xy: xy + 0.05)
    ours, _ = cpu_s(lambda: resolve_overlaps(dirty, names))
    usual, pairs = cpu_s(lambda: plain_overlaps(dirty))
    table.add_row("overlaps, 5 % of parcels off by 5 cm", f"{ours:.2f}", f"{ours / count * 1e6:.1f} µs a parcel")
    table.add_row("intersects, touches, intersection", f"{usual:.2f}", f"{usual / ours:.1f} × · {pairs:,} overlaps")

    rules = PlotRules()
    seconds, _ = cpu_s(lambda: walls_of(barriers, rules))
    table.add_row("walls", f"{seconds:.2f}", "")
    seconds, pieces = cpu_s(lambda: cut(parcels, control, barriers, rules))
    table.add_row(
        "the whole cut", f"{seconds:.2f}",
        f"{seconds / count * 1e6:.1f} µs a parcel · {len(pieces.geometry):,} pieces, {len(pieces.losses):,} losses",
    )  # fmt: skip
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
