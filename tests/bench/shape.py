"""Rectangles in plots: milliseconds a plot, beside an erosion at every degree and a scan of pixels.

``python -m tests.bench.shape [plots]``: random concave plots of 27 to 35 ha with holes; CPU times of one run. The peers
answer less: an erosion by the rectangle at every degree finds a place at those angles and proves nothing; the scan (2 m
pixels, every 3 degrees) gives a largest rectangle of pixels without a bound. ``opened`` stands beside the bare formula.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import shapely
import shapely.affinity
from rich.console import Console
from rich.table import Table

from geo.plots import shape
from geo.plots.rectangle import fits, largest_rectangle
from tests.plots.concave import concave_plot, edges_around, largest_of_pixels

SEED = 20260630
FOOTPRINTS_M = ((120, 80), (300, 150), (300, 200), (400, 250))
PEER_PLOTS = 8


def plots(number: int) -> list[shapely.Geometry]:
    """Plots of 27 to 35 ha with around 380 vertices and up to eight holes."""
    rng = np.random.default_rng(SEED)
    return [
        concave_plot(rng, int(rng.integers(250, 480)), int(rng.integers(0, 9)), rng.uniform(27e4, 35e4))
        for _ in range(number)
    ]


def eroded_every_degree(plot: shapely.Geometry, length_m: float, width_m: float) -> bool:
    """Whether a rectangle fits at a whole degree: the outside, dilated by it, must leave a place for its middle."""
    middle = np.array(plot.bounds).reshape(2, 2).mean(axis=0)
    edges = edges_around(plot, middle)
    corner = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * [length_m / 2, width_m / 2]
    around = shapely.affinity.translate(plot, -middle[0], -middle[1])
    for degree in range(180):
        turn = np.radians(degree)
        box = corner @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        # Where the middle may not be: every edge dilated by the box.
        hulls = shapely.convex_hull(shapely.multipoints(
            np.concatenate([edges[:, None, :2] + box, edges[:, None, 2:] + box], axis=1)
        ))  # fmt: skip
        if not shapely.difference(around, shapely.union_all(hulls)).is_empty:
            return True
    return False


def scanned(plot: shapely.Geometry) -> float:
    """The largest rectangle of 2 m pixels over every third degree."""
    west, south, east, north = plot.bounds
    edges = edges_around(plot, np.array([west + east, south + north]) / 2)
    pixels = int(max(east - west, north - south) / 2)
    return max(largest_of_pixels(edges, np.radians(degree), pixels)[0] for degree in range(0, 90, 3))


def timed(ask: Callable[[shapely.Geometry], Any], land: list[shapely.Geometry]) -> tuple[np.ndarray, list[Any]]:
    """CPU milliseconds a plot, after one question that compiles."""
    ask(land[0])
    times, answers = [], []
    for plot in land:
        start = time.process_time()
        answers.append(ask(plot))
        times.append((time.process_time() - start) * 1e3)
    return np.array(times), answers


def run(number: int) -> Table:
    """The table of one run."""
    land = plots(number)
    few = land[:PEER_PLOTS]
    table = Table(title=f"{number} plots, {np.median(shapely.get_num_coordinates(land)):.0f} vertices (median), "
                        f"{sum(len(plot.interiors) for plot in land)} holes; CPU ms a plot")  # fmt: skip
    for head in ("question", "median", "p95", "max", "answers", f"peer, mean of {PEER_PLOTS}", "ratio of means"):
        table.add_column(head)

    def row(name: str, times: np.ndarray, told: str, peer: tuple[str, np.ndarray] | None = None) -> None:
        at = [f"{value:.2f}" for value in np.percentile(times, [50, 95, 100])]
        ratio = ("", "") if peer is None else (f"{peer[0]} {peer[1].mean():.0f}",
                                               f"{peer[1].mean() / times[:PEER_PLOTS].mean():.1f}")  # fmt: skip
        table.add_row(name, *at, told, *ratio)

    for length, width in FOOTPRINTS_M:
        times, found = timed(lambda plot, a=length, b=width: fits(plot, a, b), land)
        counts = {answer: sum(one.fits is answer for one in found) for answer in (True, False, None)}
        peer, seen = timed(lambda plot, a=length, b=width: eroded_every_degree(plot, a, b), few)
        wrong = sum(there and one.fits is False for there, one in zip(seen, found[:PEER_PLOTS], strict=True))
        told = f"yes {counts[True]}, no {counts[False]}, open {counts[None]}; contradicted {wrong}"
        row(f"fits {length} x {width}", times, told, ("every degree", peer))
    times, largest = timed(largest_rectangle, land)
    peer, drawn = timed(scanned, few)
    gaps = np.array([one.gap for one in largest])
    low = max(pixels / one.upper_bound_m2 for pixels, one in zip(drawn, largest[:PEER_PLOTS], strict=True))
    told = f"gap at most {gaps.max():.4f}; pixels at most {low:.3f} of the bound"
    row("largest_rectangle", times, told, ("pixels", peer))
    row("inscribed_circle", *timed(lambda plot: shape.inscribed_circle(np.array([plot], dtype=object)), land)[:1], "")
    plain, _ = timed(lambda plot: plot.buffer(-25, quad_segs=32).buffer(25, quad_segs=32).intersection(plot), few)
    row("opened, 50 m", timed(lambda plot: shape.opened(plot, 50.0), land)[0], "checked", ("unchecked", plain))
    row("wide_parts, 50 m", *timed(lambda plot: shape.wide_parts(plot, 50.0, 0.9), land)[:1], "")
    return table


if __name__ == "__main__":
    Console(width=180).print(run(int(sys.argv[1]) if len(sys.argv) > 1 else 40))
