"""Small figures in metres, drawn at a corner of a 3-degree zone, as the layers that the search reads."""

from __future__ import annotations

from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import shapely
import shapely.affinity

from geo import crs
from geo.plots.members import land_left, leftovers_table, members_table
from geo.plots.parameters import PlotRules
from geo.plots.search import search

EAST, NORTH, LON = 500_000.0, 3_540_000.0, 120.0


class Barrier(NamedTuple):
    """A barrier as it is drawn: a line or a polygon, in metres."""

    kind: str
    shape: shapely.Geometry
    width_m: float = np.nan
    setback_m: float = np.nan


class Line(NamedTuple):
    """A polygon of a control line, in metres."""

    kind: str
    shape: shapely.Geometry


class Other(NamedTuple):
    """A parcel that is not eligible, in metres."""

    shape: shapely.Geometry
    land_use: str = "1207"


def stored(*shapes: shapely.Geometry, turn: float = 0.0, shift: tuple[float, float] = (0.0, 0.0)) -> Any:
    """Figures moved to the zone and into EPSG:4490."""
    placed = [
        shapely.affinity.translate(
            shapely.affinity.rotate(shape, turn, origin=(0, 0)), EAST + shift[0], NORTH + shift[1]
        )
        for shape in shapes
    ]
    return crs.to_storage(np.array(placed, dtype=object), LON)


def parcels(*shapes: shapely.Geometry, prefix: str = "P", **place: Any) -> gpd.GeoDataFrame:
    names = [f"{prefix}{number:03d}" for number in range(len(shapes))]
    columns = {"parcel_id": names, "holder": "甲公司", "land_use": "100101", "town": "东镇"}
    return gpd.GeoDataFrame(columns, geometry=stored(*shapes, **place), crs=4490)


def barriers(
    kind: str, *shapes: shapely.Geometry, width_m: float = np.nan, setback_m: float = np.nan, **place: Any
) -> gpd.GeoDataFrame:
    columns = {
        "barrier_id": [f"{kind}{number}" for number in range(len(shapes))], "kind": kind, "name": kind,
        "width_m": float(width_m), "setback_m": float(setback_m),
    }  # fmt: skip
    return gpd.GeoDataFrame(columns, geometry=stored(*shapes, **place), crs=4490)


def control_lines(kind: str, *shapes: shapely.Geometry, **place: Any) -> gpd.GeoDataFrame:
    columns = {"line_id": [f"{kind}{number}" for number in range(len(shapes))], "kind": kind, "name": kind}
    return gpd.GeoDataFrame(columns, geometry=stored(*shapes, **place), crs=4490)


def layers(land: list[shapely.Geometry], *drawn: Barrier | Line | Other, **place: Any) -> dict[str, Any]:
    """A whole figure as the arguments of ``find_plots``; layers of which nothing is drawn are left out."""
    found: dict[str, Any] = {"eligible": parcels(*land, **place)}
    walls = [item for item in drawn if isinstance(item, Barrier)]
    lines = [item for item in drawn if isinstance(item, Line)]
    rest = [item for item in drawn if isinstance(item, Other)]
    if walls:
        table = barriers("", *(wall.shape for wall in walls), **place)
        table["kind"] = [wall.kind for wall in walls]
        table["name"] = [f"{wall.kind}{number}" for number, wall in enumerate(walls)]
        table["barrier_id"] = table["name"]
        table["width_m"] = [float(wall.width_m) for wall in walls]
        table["setback_m"] = [float(wall.setback_m) for wall in walls]
        found["barriers"] = table
    if lines:
        found["control_lines"] = control_lines("", *(line.shape for line in lines), **place).assign(
            kind=[line.kind for line in lines], line_id=[f"{line.kind}{number}" for number, line in enumerate(lines)]
        )
    if rest:
        found["others"] = parcels(*(item.shape for item in rest), prefix="R", **place).assign(
            land_use=[item.land_use for item in rest]
        )
    return found


class Shares(NamedTuple):
    """Which land is in which plot: what ``find_plots`` answers but for the describing, which takes most time."""

    members: gpd.GeoDataFrame
    leftovers: gpd.GeoDataFrame
    land: gpd.GeoDataFrame
    balance: dict[str, float]


def shares(tables: dict[str, Any], rules: PlotRules, processes: int = 1) -> Shares:
    found = search(**tables, rules=rules, processes=processes)
    scene = found.scene
    members = members_table(found.formed, scene.eligible, scene.whole_m2, scene.pieces, scene.lon)
    rest = leftovers_table(found.leftovers, scene.pieces, scene.eligible, scene.lon)
    land = land_left(scene.eligible, scene.whole_m2, scene.pieces, found.area_m2, scene.lon)
    balance = {
        "eligible_m2": float(scene.whole_m2.sum()), "cut_m2": float(scene.losses["area_m2"].sum()),
        "plots_m2": float(members["area_m2"].sum()), "leftovers_m2": float(rest["area_m2"].sum()),
    }  # fmt: skip
    return Shares(members.drop(columns="parcel"), rest, land, balance)
