"""The parameters of the demo district, read from ``district.toml`` beside this file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

XY = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Town:
    """A town near the centre: name, place in metres from the district's centre, radius of its built-up core."""

    name: str
    at: XY
    radius_m: float


@dataclass(frozen=True, slots=True)
class Zone:
    """An industrial zone: a turned grid of cells with wide roads between them."""

    name: str
    key: str
    town: str
    centre: XY
    angle_deg: float
    columns: int
    rows: int
    cell_m: XY
    straight_row: int = -1


@dataclass(frozen=True, slots=True)
class Cut:
    """A street or railway through a group: a line in the frame of the cell, gap between parcels, width of the way."""

    line: tuple[XY, XY]
    gap_m: float
    width_m: float
    kind: str = "local_road"


@dataclass(frozen=True, slots=True)
class Control:
    """A control line drawn over a cell, in the frame of the cell."""

    kind: str
    polygon: tuple[XY, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A planted group of eligible parcels and what is known about it."""

    case: str
    zone: str
    cells: tuple[tuple[int, int], ...]
    outlines: tuple[tuple[XY, ...], ...]
    parcel_mu: float
    mix: dict[str, int]
    plot: bool
    why: str
    scale_mu: float | None = None
    strict: bool = False
    cut_by_width: bool = False
    reason: str = ""
    cuts: tuple[Cut, ...] = ()
    controls: tuple[Control, ...] = ()


@dataclass(frozen=True, slots=True)
class Parameters:
    """Everything that shapes the demo district. ``plan`` and ``roads`` are plain numbers by name."""

    seed: int
    as_of: date
    name: str
    county_code: str
    centre_lon_lat: XY
    metric_crs: str
    plan: dict[str, float]
    roads: dict[str, float]
    towns: tuple[Town, ...]
    zones: tuple[Zone, ...]
    groups: tuple[Group, ...]
    cell_use: dict[tuple[str, int, int], str]
    scattered_share: float
    scattered_mix: dict[str, int]
    other_idle_share: float


def _points(rows: list[list[float]]) -> tuple[XY, ...]:
    return tuple((float(x), float(y)) for x, y in rows)


def _group(raw: dict[str, Any]) -> Group:
    given = dict(raw)
    given["cells"] = tuple((int(c), int(r)) for c, r in given["cells"])
    given["outlines"] = tuple(_points(outline) for outline in given["outlines"])
    given["cuts"] = tuple(
        Cut(_points([c["from"], c["to"]]), c["gap_m"], c["width_m"], c.get("kind", "local_road"))  # type: ignore[arg-type]
        for c in given.get("cuts", [])
    )
    given["controls"] = tuple(Control(c["kind"], _points(c["polygon"])) for c in given.get("controls", []))
    return Group(**given)


def _zone(raw: dict[str, Any]) -> Zone:
    return Zone(**{**raw, "centre": tuple(raw["centre"]), "cell_m": tuple(raw["cell_m"])})


def read_parameters(path: Path | None = None) -> Parameters:
    """Read the parameter file (the one beside this module by default)."""
    with (path or Path(__file__).with_name("district.toml")).open("rb") as file:
        raw = tomllib.load(file)
    return Parameters(
        seed=raw["seed"],
        as_of=date.fromisoformat(raw["as_of"]),
        name=raw["name"],
        county_code=raw["county_code"],
        centre_lon_lat=tuple(raw["centre_lon_lat"]),
        metric_crs=raw["metric_crs"],
        plan=raw["plan"],
        roads=raw["roads"],
        towns=tuple(Town(t["name"], tuple(t["at"]), t["radius_m"]) for t in raw["towns"]),
        zones=tuple(_zone(z) for z in raw["zones"]),
        groups=tuple(_group(g) for g in raw["groups"]),
        cell_use={(c["zone"], c["cell"][0], c["cell"][1]): c["use"] for c in raw["cells"]},
        scattered_share=raw["scattered"]["share"],
        scattered_mix=raw["scattered"]["mix"],
        other_idle_share=raw["scattered"]["other_idle_share"],
    )
