"""Barriers in the gap: those that are never crossed, and the local roads that may be bridged."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from geo.plots.ground import barrier_ground, joints, widths_m
from geo.plots.parameters import FORBIDDEN_LAND, NEVER_CROSSED, PlotRules
from geo.plots.subdividing import subdivide

Geometries = NDArray[np.object_]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Walls:
    """What may not be crossed in a gap: ``geometry`` (b,), its ``kind`` and ``name`` (b,)."""

    geometry: Geometries
    kind: NDArray[np.object_]
    name: NDArray[np.object_]

    def and_also(self, other: Walls) -> Walls:
        """These and others."""
        return Walls(
            np.concatenate([self.geometry, other.geometry]),
            np.concatenate([self.kind, other.kind]),
            np.concatenate([self.name, other.name]),
        )


def no_walls() -> Walls:
    """Nothing in the way."""
    nothing = np.empty(0, dtype=object)
    return Walls(nothing, nothing, nothing)


def walls_of(barriers: gpd.GeoDataFrame | None, rules: PlotRules) -> tuple[Walls, tuple[str, ...]]:
    """Barriers that may not be crossed, as ground (polygons, or lines without width), and those not assessable.

    A local road without a width cannot be shown to be narrow enough, so it is not crossed, and is named.
    """
    if barriers is None or barriers.empty:
        return no_walls(), ()
    unknown = (barriers["kind"].to_numpy(dtype=object) == "local_road") & np.isnan(widths_m(barriers))
    return _as_walls(barriers, not_crossed(barriers, rules)), tuple(
        barriers["barrier_id"].to_numpy(dtype=object)[unknown]
    )


def not_crossed(barriers: gpd.GeoDataFrame, rules: PlotRules) -> Flags:
    """(b,) which barriers a bridge may not cross; a local road of unknown width is one of them."""
    width, kind = widths_m(barriers), barriers["kind"].to_numpy(dtype=object)
    local = kind == "local_road"
    return np.isin(kind, NEVER_CROSSED) | (local & ~(width <= rules.road_width_limit_m))


def bridgeable_roads(barriers: gpd.GeoDataFrame | None, rules: PlotRules) -> Walls:
    """Ground of the local roads that may be bridged: of known width, no wider than the limit."""
    if barriers is None or barriers.empty:
        return no_walls()
    local = barriers["kind"].to_numpy(dtype=object) == "local_road"
    return _as_walls(barriers, local & (widths_m(barriers) <= rules.road_width_limit_m))


def forbidden_land(control_lines: gpd.GeoDataFrame, rules: PlotRules) -> Walls:
    """Basic farmland and ecological redline, where they are excluded: walls too, in tiles, since they are large."""
    kind = control_lines["kind"].to_numpy(dtype=object)
    lines = np.asarray(control_lines.geometry.array)
    found = no_walls()
    for each in FORBIDDEN_LAND:
        chosen = lines[kind == each]
        if each in rules.excluded and len(chosen):
            tiles = subdivide(chosen)
            nameless = np.full(len(tiles), None, dtype=object)
            found = found.and_also(Walls(tiles, np.full(len(tiles), each, dtype=object), nameless))
    return found


def _as_walls(barriers: gpd.GeoDataFrame, which: Flags) -> Walls:
    chosen = barriers[which]
    discs, owner = joints(chosen)
    kind, name = (chosen[column].to_numpy(dtype=object) for column in ("kind", "name"))
    return Walls(
        np.concatenate([barrier_ground(chosen), discs]),
        np.concatenate([kind, kind[owner]]),
        np.concatenate([name, name[owner]]),
    )


def areal(walls: Walls) -> Flags:
    """(b,) which walls are polygons; the others are lines without width."""
    return np.asarray(shapely.get_dimensions(walls.geometry) == 2)
