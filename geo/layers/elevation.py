"""Elevation rasters: read in a process of its own, handed over as an array on disk."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from geo.errors import InvalidInput
from geo.layers.opening.limits import Limits
from geo.layers.opening.sandbox import run_worker

# 200 million cells are a district of 70 × 70 km at 5 m.
MAX_CELLS = 200_000_000


@dataclass(frozen=True, slots=True)
class Elevation:
    """Elevation around a box.

    ``values`` (rows, columns) metres, ``nan`` where unknown, an array on disk · ``transform`` (a, b, c, d, e, f) of
    its upper left corner, north up · ``crs`` · ``file_name`` and ``sha256`` of the raster · ``lowest_m``,
    ``highest_m`` of the known cells read, ``None`` where there is none · ``known_cells``
    """

    values: NDArray[np.floating[Any]]
    transform: tuple[float, ...]
    crs: CRS
    file_name: str
    sha256: str
    known_cells: int
    lowest_m: float | None
    highest_m: float | None


@contextmanager
def elevation_around(
    path: Path,
    bounds: tuple[float, float, float, float],
    *,
    crs: str | None = None,
    max_cells: int = MAX_CELLS,
    limits: Limits | None = None,
) -> Iterator[Elevation]:
    """Elevation of the ground around a box, as long as the block lasts.

    Parameters
    ----------
    path : GeoTIFF or ASCII grid with one band, values in metres unless it states feet
    bounds : west, south, east, north in EPSG:4490; one cell more is read on each side
    crs : system of a raster that states none
    max_cells : cells that may be read
    limits : what the reading may cost

    Raises
    ------
    InvalidInput
        The file is missing, damaged, of another format, without system or place, too large, or misses the box.
    """
    if not path.is_file():
        raise InvalidInput(f"找不到文件 {path.name}", where=path.name, remedy="请检查路径")
    asked = {"bounds": [float(each) for each in bounds], "crs": crs, "max_cells": max_cells}
    with tempfile.TemporaryDirectory(prefix="lianpian-read-", ignore_cleanup_errors=True) as folder:
        request = {"path": str(path.resolve()), "raster": asked}
        answered = run_worker(request, Path(folder), limits or Limits(), where=path.name, progress=_silent)
        try:
            with path.open("rb") as source:
                digest = hashlib.file_digest(source, "sha256").hexdigest()
        finally:
            answer = answered()["raster"]
        yield Elevation(
            values=np.load(Path(folder) / "elevation.npy", mmap_mode="r"),
            transform=tuple(answer["transform"]),
            crs=CRS.from_wkt(answer["crs"]),
            file_name=path.name,
            sha256=digest,
            known_cells=answer["known_cells"],
            lowest_m=answer["lowest_m"],
            highest_m=answer["highest_m"],
        )


def _silent(_: str) -> None:
    """Nobody is told of the progress."""
