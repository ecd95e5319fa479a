"""An edition of one layer as files: flat arrays that all workers map into memory, with a sum for each.

A folder is written under a temporary name and renamed, so that it is there whole or not at all; it never changes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.errors import InvalidInput
from maps.tiles.columns import Table
from maps.tiles.shapes import Shapes

# Of the files and of what the encoder makes of them; another one makes all tiles anew.
FORMAT = 1
_TABLE_PARTS = ("codes", "messages", "starts", "bases", "ids")
_DESCRIPTION = "layer.json"


@dataclass(frozen=True, slots=True)
class Level:
    """What is shown from ``min_zoom`` on, up to the next level.

    Parameters
    ----------
    gathered : fields by which features were gathered, empty where each is there itself
    cell_zoom : zoom of the tiles that are the cells of gathered features, else 0
    table : its attributes; each row of ``shapes.rows`` is one there
    """

    min_zoom: int
    gathered: tuple[str, ...]
    cell_zoom: int
    shapes: Shapes
    table: Table


@dataclass(frozen=True, slots=True)
class LayerEdition:
    """A layer as it was published.

    Parameters
    ----------
    name : of the tile layer
    token : of its content; the same rows give the same token from either store
    folder : where its files are
    min_zoom : first zoom at which it is drawn
    levels : from the most detailed one to the coarsest
    measures : (n,) mu of each polygon, kilometres of each line, 1 for a point: what gathered features add up
    measure : name of that figure, ``area_mu``, ``length_km`` or none
    bounds : west, south, east, north in degrees; ``None`` where it has no features
    """

    name: str
    token: str
    folder: Path
    min_zoom: int
    levels: tuple[Level, ...]
    measures: NDArray[np.float64]
    measure: str
    bounds: tuple[float, float, float, float] | None

    @property
    def table(self) -> Table:
        """Attributes of the rows themselves."""
        return self.levels[0].table

    def level_at(self, zoom: int) -> int:
        """Place of the level that is shown at a zoom of web mercator."""
        for place, level in enumerate(self.levels):
            if zoom >= level.min_zoom:
                return place
        return len(self.levels) - 1

    def coarser(self, place: int) -> int | None:
        """Place of the next level of gathered features; ``None`` where there is none."""
        return next((k for k in range(place + 1, len(self.levels)) if self.levels[k].gathered), None)

    def individual(self, place: int) -> int:
        """Place of the level next to this one on which each feature is there itself."""
        return next(k for k in range(place, -1, -1) if not self.levels[k].gathered)


@dataclass(frozen=True, slots=True)
class Edition:
    """What was published at one moment.

    Parameters
    ----------
    name : of the edition, in addresses
    revision : of the store that it shows
    published_at : ISO 8601 with offset
    layers : by name
    """

    name: str
    revision: str
    published_at: str
    layers: dict[str, LayerEdition]


def write_layer(
    parent: Path,
    name: str,
    min_zoom: int,
    levels: tuple[Level, ...],
    measures: NDArray[np.float64],
    measure: str,
    bounds: tuple[float, float, float, float] | None,
) -> Path:
    """The files of a layer in a folder of ``parent`` that is named after their content; as it is where it is there."""
    parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=parent))
    try:
        sums: dict[str, str] = {}
        told = []
        for place, level in enumerate(levels):
            for part in Shapes.parts():
                _save(work, f"{place}.{part}", getattr(level.shapes, part), sums)
            own = place == 0 or level.table is not levels[0].table
            if own:
                for part in _TABLE_PARTS:
                    _save(work, f"{place}.{part}", getattr(level.table, part), sums)
            told.append(
                {
                    "min_zoom": level.min_zoom,
                    "gathered": list(level.gathered),
                    "cell_zoom": level.cell_zoom,
                    "table": place if own else 0,
                    "columns": [list(one) for one in zip(level.table.names, level.table.kinds, strict=True)],
                }
            )
        _save(work, "measures", measures, sums)
        described = {
            "format": FORMAT,
            "name": name,
            "min_zoom": min_zoom,
            "measure": measure,
            "bounds": bounds,
            "levels": told,
            "sha256": sums,
        }
        text = json.dumps(described, ensure_ascii=False, indent=1, sort_keys=True)
        token = hashlib.sha256(text.encode()).hexdigest()[:12]
        _write_synced(work / _DESCRIPTION, text.encode())
        final = parent / f"{name}-{token}"
        if final.exists():
            shutil.rmtree(work)
        else:
            os.replace(work, final)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return final


def open_layer(folder: Path) -> LayerEdition:
    """A published layer, mapped into memory.

    Raises
    ------
    InvalidInput
        The files are those of another version of this program, or not whole.
    FileNotFoundError
        The folder was removed.
    """
    described = _described(folder)
    tables: dict[int, Table] = {}
    levels = []
    for place, told in enumerate(described["levels"]):
        shapes = Shapes(**{part: _load(folder, f"{place}.{part}") for part in Shapes.parts()})
        at = told["table"]
        if at not in tables:
            names, kinds = zip(*told["columns"], strict=True) if told["columns"] else ((), ())
            tables[at] = Table(tuple(names), tuple(kinds), **{p: _load(folder, f"{at}.{p}") for p in _TABLE_PARTS})
        levels.append(Level(told["min_zoom"], tuple(told["gathered"]), told["cell_zoom"], shapes, tables[at]))
    bounds = described["bounds"]
    return LayerEdition(
        described["name"],
        folder.name.rpartition("-")[2],
        folder,
        described["min_zoom"],
        tuple(levels),
        _load(folder, "measures"),
        described["measure"],
        None if bounds is None else tuple(bounds),
    )


def check_layer(folder: Path) -> list[str]:
    """Names of the files whose content is not what was written; empty where all is well."""
    described = _described(folder)
    return [name for name, expected in described["sha256"].items() if _sum(folder / f"{name}.npy") != expected]


def _described(folder: Path) -> dict[str, Any]:
    described: dict[str, Any] = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
    if described.get("format") != FORMAT:
        raise InvalidInput(
            "瓦片版本的格式不是本程序的", where=folder.name, remedy="请重新发布：lianpian tiles --publish"
        )
    return described


def _save(folder: Path, name: str, array: NDArray[Any], sums: dict[str, str]) -> None:
    path = folder / f"{name}.npy"
    with path.open("wb") as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    sums[name] = _sum(path)


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _load(folder: Path, name: str) -> NDArray[Any]:
    path = folder / f"{name}.npy"
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:  # nothing to map where there is nothing
        mapped = np.load(path, allow_pickle=False)
        mapped.flags.writeable = False
    # A plain view: the encoder tells arrays apart by their class, and a mapped one costs it more time than a tile.
    return mapped.view(np.ndarray)
