"""What is told of each plot: areas, shape, members, bridges, what it lost and what keeps its neighbours away."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo import crs
from geo.plots import shape
from geo.plots.composition import land_uses, owners, towns
from geo.plots.evidence import blocked_pairs, land_between, reason_zh, separations
from geo.plots.facing import LENGTH_SLACK_M
from geo.plots.forming import Formed
from geo.plots.rectangle import inscribed_rectangles
from geo.plots.search import Found
from geo.plots.walls import not_crossed
from geo.plots.why_not import WhyNot, why_not_larger

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PLOT_COLUMNS = (
    "plot_id", "name", "town", "area_m2", "outline_area_m2", "bridged_m2", "convex_area_m2", "strict_area_m2",
    "parcel_count", "piece_count", "holder_count", "bridge_count", "inscribed_radius_m", "rectangle_length_m",
    "rectangle_width_m", "compactness", "reock", "rectangularity", "road_frontage_m", "evidence",
)  # fmt: skip

# Ground of a bridge that is still in a plot after its corridors were cut; less is rounding along the cut.
_BRIDGE_LEFT_M2 = 1.0
# Work for the largest rectangle of a plot, about a second at most; what it leaves open is told by the upper bound.
_RECTANGLE_POSES = 60_000


def describe(
    found: Found, members: gpd.GeoDataFrame, roads: gpd.GeoDataFrame | None, processes: int = 1
) -> gpd.GeoDataFrame:
    """The plots as a canonical layer without run id, EPSG:4490.

    Parameters
    ----------
    members : of ``members_table``
    roads : lines of the road network in the metric zone, ``None`` where there are none
    processes : int, processes that share the search for the rectangles
    """
    scene, formed = found.scene, found.formed
    outlines = np.empty(len(formed), dtype=object)
    outlines[:] = [plot.outline for plot in formed]
    shapes, drawn = _shapes(outlines, roads, scene.lon, scene.rules.road_near_m, processes)
    bridges = _bridges(found, outlines)
    blocked = blocked_pairs(scene.relation, scene.joined, scene.rules)
    plot_of = np.full(len(scene.pieces.geometry), None, dtype=object)
    for name, plot in zip(scene.plot_ids, formed, strict=True):
        plot_of[[part.piece for part in plot.land]] = name
    strict = scene.relation.components(scene.relation.joined(scene.rules.tolerance_m, scene.rules.frontage_m))
    held_by, lies_in, uses = (of(members, scene.eligible) for of in (owners, towns, land_uses))
    reasons = why_not_larger(scene)
    parcel_id = scene.eligible["parcel_id"].to_numpy(dtype=object)
    by_plot = members.groupby("plot_id", sort=False).indices
    # What a parcel lost is told once: where it is in several plots, by its land in each.
    in_plots = members.groupby("parcel")["area_m2"].transform("sum").to_numpy(dtype=float)
    in_plot = np.divide(
        members["area_m2"].to_numpy(dtype=float), in_plots, out=np.ones(len(members)), where=in_plots > 0
    )
    records: list[dict[str, Any]] = []
    for row, (name, plot) in enumerate(zip(scene.plot_ids, formed, strict=True)):
        mine = members.iloc[by_plot[name]]
        parcels = mine["parcel"].to_numpy(dtype=np.int64)
        its_town = next((one["town"] for one in lies_in.get(name, []) if one["town"] is not None), None)
        own = np.zeros(len(plot_of), dtype=bool)
        own[[part.piece for part in plot.land]] = True
        area_m2 = plot.area_m2
        records.append(
            {
                "plot_id": name,
                "name": f"{its_town or ''}{row + 1}号连片地块",
                "town": its_town,
                "area_m2": area_m2,
                "bridged_m2": max(shapes["outline_area_m2"][row] - area_m2, 0.0),
                "strict_area_m2": _strict_m2(plot, strict),
                "parcel_count": len(mine),
                "holder_count": int(scene.eligible["holder"].iloc[parcels].dropna().nunique()),
                "bridge_count": len(bridges[row]),
                **{column: values[row] for column, values in shapes.items()},
                "evidence": {
                    "bridges": bridges[row],
                    "exclusions": _exclusions(scene.losses, parcels, in_plot[by_plot[name]]),
                    "separated_by": separations(blocked, scene.relation, own, scene.pieces, parcel_id, plot_of),
                    "why_not_larger": _told(reasons, row),
                    "owners": held_by.get(name, []),
                    "towns": lies_in.get(name, []),
                    "land_use": uses.get(name, []),
                    "cut_at_corridor": plot.cut,
                    **{what: places[row] for what, places in drawn.items()},
                    "method": {
                        "area": "CGCS2000 椭球面积",
                        "metric_crs": crs.metric_crs(scene.lon).name,
                        "circle_tolerance_m": shape.CIRCLE_TOLERANCE_M,
                        "road_near_m": scene.rules.road_near_m,
                    },
                },
            }
        )
    geometry = crs.to_storage(outlines, scene.lon) if len(outlines) else outlines
    return gpd.GeoDataFrame(pd.DataFrame(records, columns=PLOT_COLUMNS), geometry=geometry, crs=crs.STORAGE_CRS)


def _shapes(
    outlines: Geometries, roads: gpd.GeoDataFrame | None, lon: float, road_near_m: float, processes: int
) -> tuple[dict[str, NDArray[Any]], dict[str, list[Any]]]:
    """Columns of measures, and what of them is drawn: circle and rectangle in longitude and latitude."""
    centre, radius = shape.inscribed_circle(outlines)
    boxes = inscribed_rectangles(outlines, most_poses=_RECTANGLE_POSES, processes=processes)
    nothing = np.full(len(outlines), np.nan)
    columns = {
        "outline_area_m2": _ellipsoidal(outlines, lon),
        "convex_area_m2": _ellipsoidal(shapely.convex_hull(outlines), lon),
        "piece_count": shape.piece_count(outlines),
        "inscribed_radius_m": radius,
        "rectangle_length_m": boxes.length_m,
        "rectangle_width_m": boxes.width_m,
        "compactness": shape.compactness(outlines),
        "reock": shape.reock(outlines),
        "rectangularity": shape.rectangularity(outlines),
        "road_frontage_m": nothing
        if roads is None
        else shape.road_frontage_m(outlines, np.asarray(roads.geometry.array), road_near_m),
    }
    circles = _lon_lat(centre, lon)
    corners = _lon_lat(boxes.corners.reshape(-1, 2), lon).reshape(-1, 4, 2)
    drawn: dict[str, list[Any]] = {
        "inscribed_circle": [
            {
                "lon": float(at[0]),
                "lat": float(at[1]),
                "radius_m": round(float(r), 1),
                "tolerance_m": shape.CIRCLE_TOLERANCE_M,
            }
            for at, r in zip(circles, radius, strict=True)
        ],
        "inscribed_rectangle": [
            None
            if np.isnan(corners[row]).any()
            else {
                "corners": np.round(corners[row], 8).tolist(),
                "length_m": round(float(boxes.length_m[row]), 1),
                "width_m": round(float(boxes.width_m[row]), 1),
                "angle_deg": round(float(boxes.angle_deg[row]), 1),
                "area_m2": round(float(boxes.area_m2[row]), 1),
                "upper_bound_m2": round(float(boxes.upper_bound_m2[row]), 1),
            }
            for row in range(len(outlines))
        ],
    }
    return columns, drawn


def _ellipsoidal(geometries: Geometries, lon: float) -> Floats:
    return crs.ellipsoidal_area(crs.to_storage(geometries, lon)) if len(geometries) else np.empty(0)


def _lon_lat(points: Floats, lon: float) -> Floats:
    """Points of the metric zone in degrees; those that are not known stay unknown."""
    result = np.full(points.shape, np.nan)
    known = ~np.isnan(points).any(axis=1)
    if known.any():
        result[known] = shapely.get_coordinates(crs.to_storage(shapely.points(points[known]), lon))
    return result


def _bridges(found: Found, outlines: Geometries) -> list[list[dict[str, Any]]]:
    """Of each plot the pairs that are neighbours across a gap, the narrowest gap and what lies in it."""
    scene = found.scene
    relation, rules, pieces = scene.relation, scene.rules, scene.pieces
    gap, facing, shared = relation.gap_m(rules.reach_m), relation.facing_m(rules.reach_m), relation.shared_m
    wide = scene.joined & (gap > rules.tolerance_m)
    pair, ground = found.gaps.bridges(wide, rules.reach_m)
    crossed = None if found.barriers is None else found.barriers[~not_crossed(found.barriers, rules)]
    between = land_between(pair, ground, scene.others, crossed)
    parcel_id = scene.eligible["parcel_id"].to_numpy(dtype=object)[pieces.parcel]
    own = np.zeros(relation.piece_count, dtype=bool)
    candidates = np.flatnonzero(wide)
    ends = relation.pairs[candidates]
    told = []
    for plot, outline in zip(found.formed, outlines, strict=True):
        # A piece that the opening cut may belong to two plots, so each plot looks at its own.
        rows = [part.piece for part in plot.land]
        own[rows] = True
        inside = candidates[own[ends].all(axis=1)]
        own[rows] = False
        apart = np.zeros(len(inside))
        if plot.cut and len(inside):
            mine = np.isin(pair, inside)
            shapely.prepare(outline)
            left = shapely.area(shapely.intersection(outline, ground[mine])) > _BRIDGE_LEFT_M2
            inside = np.intersect1d(inside, pair[mine][left])
            # The land that is left of the two may lie further apart than the pieces did, or too far to be bridged.
            land = np.full(relation.piece_count, None, dtype=object)
            for part in plot.land:
                land[part.piece] = part.geometry
            apart = shapely.distance(land[relation.pairs[inside, 0]], land[relation.pairs[inside, 1]])
            near = apart <= (rules.road_gap_m or rules.reach_m) + LENGTH_SLACK_M
            inside, apart = inside[near], apart[near]
        told.append(
            [
                {
                    "a": parcel_id[relation.pairs[row, 0]],
                    "b": parcel_id[relation.pairs[row, 1]],
                    "gap_m": round(max(float(gap[row]), float(metres)), 2),
                    "shared_m": round(float(shared[row]), 1),
                    "facing_m": round(float(facing[row]), 1),
                    "between": between.get(int(row), []),
                }
                for row, metres in zip(inside, apart, strict=True)
            ]
        )
    return told


def _exclusions(losses: pd.DataFrame, parcels: Ints, share: Floats) -> list[dict[str, Any]]:
    """What each kind of exclusion took from parcels, of each the share that counts here."""
    factor = losses["parcel"].map(pd.Series(share, index=parcels))
    taken = losses.assign(area_m2=losses["area_m2"] * factor)[factor.notna().to_numpy(dtype=bool)]
    cost = taken.groupby("reason", sort=False)["area_m2"].sum()
    return [{"kind": kind, "zh": reason_zh(str(kind)), "area_m2": round(float(lost), 2)} for kind, lost in cost.items()]


def _strict_m2(plot: Formed, strict: Ints) -> float:
    """The largest part of a plot that hangs together without bridging anything."""
    groups = strict[[part.piece for part in plot.land]]
    return float(np.bincount(groups, [part.area_m2 for part in plot.land]).max())


def _told(reasons: list[WhyNot], row: int) -> dict[str, Any]:
    # A plot around which nothing was found has no entry where it is the last.
    why = reasons[row] if row < len(reasons) else WhyNot([], 0, 0.0)
    return {"entries": why.entries, "rest": why.rest, "rest_m2": round(why.rest_m2, 2)}
