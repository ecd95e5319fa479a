"""The search for plots, step by step: cut, relate, group, test the width; nothing is told here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo import crs
from geo.layers.land_use_codes import land_and_sea_codes
from geo.plots.bridging import Gaps, gaps_between
from geo.plots.contiguity import Reaches, Relation, relate
from geo.plots.exclusion import Pieces, Walls, cut, subdivide, subtract
from geo.plots.forming import (
    AREA_SLACK_M2,
    Formed,
    Leftover,
    form_plots,
    groups_at,
    judged,
    merged_where_touching,
    too_small,
)
from geo.plots.members import plot_id
from geo.plots.parameters import PlotRules
from geo.plots.polygons import in_metres
from geo.plots.sensitivity import coverage_of, rung
from geo.plots.surroundings import Scene, parts_of

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, in the metric system of the zone; geometry of ``scene.eligible`` too.

    ``formed`` plots, the largest first · ``leftovers`` · ``gaps`` between pieces of large groups · ``area_m2`` (p,)
    ellipsoidal area of each piece · ``barriers`` as they were given · ``ladder`` and ``coverage`` of ``sensitivity`` ·
    ``scene`` everything that explains them.
    """

    formed: list[Formed]
    leftovers: list[Leftover]
    gaps: Gaps
    area_m2: Floats
    barriers: gpd.GeoDataFrame | None
    ladder: list[dict[str, float]]
    coverage: dict[str, Any]
    scene: Scene


def search(
    eligible: gpd.GeoDataFrame,
    *,
    others: gpd.GeoDataFrame | None = None,
    control_lines: gpd.GeoDataFrame | None = None,
    barriers: gpd.GeoDataFrame | None = None,
    steep: gpd.GeoDataFrame | None = None,
    rules: PlotRules,
    processes: int = 1,
) -> Found:
    """Search for plots; the parameters are those of ``find_plots``, and there is at least one eligible parcel."""
    eligible = eligible.sort_values("parcel_id", kind="stable").reset_index(drop=True)
    lon = crs.central_longitude(np.asarray(eligible.geometry.array))
    land, other_land, walls_drawn = (_metric(layer, lon) for layer in (eligible, others, barriers))
    left_of = partial(
        cut,
        control_lines=_metric(control_lines, lon),
        barriers=walls_drawn,
        rules=rules,
        steep=_metric(steep, lon),
    )
    pieces = left_of(land)
    # A parcel's area is ellipsoidal, its parts share it by the plane: so every account adds up exactly.
    whole_m2 = crs.ellipsoidal_area(np.asarray(eligible.geometry.array))
    plane = shapely.area(np.asarray(land.geometry.array))
    scale = np.divide(whole_m2, plane, out=np.ones_like(plane), where=plane > 0)
    area_m2 = shapely.area(pieces.geometry) * scale[pieces.parcel]
    losses = pieces.losses.assign(
        area_m2=shapely.area(np.asarray(pieces.losses["geometry"], dtype=object))
        * scale[pieces.losses["parcel"].to_numpy(dtype=np.int64)]
    )

    reaches = Reaches(rules.gap_m, rules.tolerance_m, rules.ladder_m, rules.road_gap_m)
    walls = _with_forbidden_bridges(pieces, other_land, rules)
    roads = _open_road(pieces, rules)
    relation = relate(pieces.geometry, walls, reaches, roads, processes=processes)
    large = _large(relation, area_m2, rules)
    gaps = gaps_between(relation, large, pieces.geometry, walls.geometry, roads, reaches, processes=processes)
    strict = relation.components(relation.joined(rules.tolerance_m, rules.frontage_m))
    grounds = merged_where_touching(pieces.geometry, strict, large)

    rungs = [rules.reach_m, *(max(gap, rules.tolerance_m) for gap in rules.ladder_m)]
    grouped = [groups_at(relation, gaps, pieces.geometry, grounds, area_m2, reach, rules) for reach in rungs]
    tested = judged([groups for groups, _, _ in grouped], rules, processes)
    formed_at = [
        form_plots(groups, results, pieces, scale, rules)
        for (groups, _, _), results in zip(grouped, tested, strict=True)
    ]
    formed, leftovers = formed_at[0]
    formed = sorted(formed, key=lambda plot: (-round(plot.area_m2, 3), plot.land[0].piece))
    leftovers = [*leftovers, *too_small(pieces, area_m2, *grouped[0][1:], rules)]
    scene = Scene(
        parts=parts_of(formed, leftovers),
        eligible=land,
        whole_m2=whole_m2,
        pieces=pieces,
        relation=relation,
        joined=relation.joined(rules.reach_m, rules.frontage_m),
        losses=losses,
        plot_ids=[plot_id(row) for row in range(len(formed))],
        others=other_land,
        left_of=left_of,
        # Parcels that a bridge may not cross are no walls here: they are asked whether they would be neighbours.
        related=partial(relate, walls=pieces.walls, reaches=reaches, roads=roads),
        rules=rules,
        lon=lon,
    )
    return Found(
        formed=formed,
        leftovers=leftovers,
        gaps=gaps,
        area_m2=area_m2,
        barriers=walls_drawn,
        ladder=[
            rung(gap, plots, pieces.geometry, area_m2, rules)
            for gap, (plots, _) in zip(rules.ladder_m, formed_at[1:], strict=True)
        ],
        coverage=coverage_of(relation, float(losses.loc[losses["reason"] == "overlap", "area_m2"].sum())),
        scene=scene,
    )


def _open_road(pieces: Pieces, rules: PlotRules) -> Geometries:
    """Ground of the roads that may be bridged, outside the pieces: so its border is met by whoever looks across it."""
    roads = pieces.roads.geometry
    if rules.road_gap_m is None or len(roads) == 0:
        return np.empty(0, dtype=object)
    ground, _ = subtract(subdivide(roads), pieces.geometry)
    return ground[~shapely.is_empty(ground)]


def _large(relation: Relation, area_m2: Floats, rules: PlotRules) -> Ints:
    """Pieces of groups that can hold a plot at the widest gap asked about; only of these the gaps are drawn."""
    label = relation.components(relation.joined(float(relation.levels_m[-1]), rules.frontage_m))
    area = np.bincount(label, area_m2, minlength=1)
    return np.flatnonzero(area[label] >= rules.min_area_m2 - AREA_SLACK_M2)


def _metric(layer: gpd.GeoDataFrame | None, lon: float) -> Any:
    if layer is None or layer.empty:
        return None
    system = crs.metric_crs(lon)
    moved = in_metres(np.asarray(layer.geometry.array), lon)
    return layer.set_geometry(gpd.GeoSeries(moved, index=layer.index, crs=system), crs=system)


def _with_forbidden_bridges(pieces: Pieces, others: gpd.GeoDataFrame | None, rules: PlotRules) -> Walls:
    """Parcels that a bridge may not cross, added to the walls; where they overlap a piece the piece has the land."""
    if rules.bridge_over == "any" or others is None:
        return pieces.walls
    # Codes of any edition as those of 用地用海: 1001 is industry there and a railway in 三调.
    use = pd.Series(land_and_sea_codes(others), index=others.index, dtype=object).fillna("").astype(str)
    allowed = use.str.startswith(rules.bridge_over) if isinstance(rules.bridge_over, tuple) else use.eq("\0")
    blocked = others[~allowed]
    ground, _ = subtract(np.asarray(blocked.geometry.array), pieces.geometry)
    left = ~shapely.is_empty(ground)
    return pieces.walls.and_also(
        Walls(
            ground[left],
            np.full(left.sum(), "parcel", dtype=object),
            blocked["parcel_id"].to_numpy(dtype=object)[left],
        )
    )
