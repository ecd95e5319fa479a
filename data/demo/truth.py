"""The truth table: what must be found, and the land of each planted plot.

Areas here are measured on the planted parcels by plain shapely differences, independently of the code that finds plots.
"""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from data.demo.cutting import Floats, Geometries
from data.demo.kinds import Finding
from data.demo.parameters import Parameters
from geo.crs import central_longitude, ellipsoidal_area, to_metric, to_storage
from geo.units import mu

ELIGIBLE_LEVELS = ("idle_1y", "idle_2y", "idle_stalled", "inefficient")
ELIGIBLE_STOCK = ("approved_unsupplied", "supplied_unused")
WIDEST_BRIDGED_ROAD_M = 24.0
MIN_WIDTH_M = 50.0


def eligible_rows(parcels: pd.DataFrame, findings: list[Finding]) -> NDArray[np.bool_]:
    """Industrial and reserve parcels with a finding that frees land, or in an unused stock class."""
    found = {f["parcel_id"] for f in findings if f["level"] in ELIGIBLE_LEVELS}
    use = parcels["land_use"].astype(str)
    industrial = use.str.startswith("1001") | use.str.startswith("1101") | use.str.startswith("16")
    free = parcels["parcel_id"].isin(found) | parcels["stock_class"].isin(ELIGIBLE_STOCK)
    return np.asarray(industrial & free)


def remaining_land(
    polygons: Geometries, control_lines: gpd.GeoDataFrame, barriers: gpd.GeoDataFrame
) -> Geometries:  # fmt: skip
    """What is left of eligible parcels after control lines, barriers and set-backs (all in one metric system)."""
    land = polygons.copy()

    def near(geometries: Geometries) -> Any:
        hit = np.unique(shapely.STRtree(geometries).query(land, predicate="intersects")[1])
        return shapely.union_all(geometries[hit])  # an empty collection where nothing is near

    kind = control_lines["kind"].to_numpy()
    lines = control_lines.geometry.to_numpy()
    land = shapely.intersection(land, near(lines[kind == "urban_boundary"]))
    land = shapely.difference(land, near(lines[np.isin(kind, ["basic_farmland", "ecological_redline"])]))
    width = barriers["width_m"].fillna(0).to_numpy(dtype=float)
    setback = barriers["setback_m"].fillna(0).to_numpy(dtype=float)
    road = (barriers["kind"] == "local_road").to_numpy()
    cut = ~road | (width > WIDEST_BRIDGED_ROAD_M) | (setback > 0)
    zones = shapely.buffer(barriers.geometry.to_numpy()[cut], width[cut] / 2 + setback[cut], cap_style="flat")
    return np.asarray(shapely.difference(land, near(zones[~shapely.is_empty(zones)])))


def _widest_piece(pieces: Geometries) -> Geometries:
    """The largest piece of the outline opened by half the least width, as land of the parcels."""
    outline = shapely.union_all(pieces, grid_size=0.001)
    opened = shapely.buffer(shapely.buffer(outline, -MIN_WIDTH_M / 2), MIN_WIDTH_M / 2)
    parts = shapely.get_parts(opened)
    return np.asarray(shapely.intersection(pieces, parts[np.argmax(shapely.area(parts))]))


def area_in_mu(polygons: Geometries, lon: float) -> float:
    """Ellipsoidal area of metric polygons in mu."""
    whole = polygons[~shapely.is_empty(polygons)]
    parts = shapely.get_parts(whole)
    return float(mu(ellipsoidal_area(to_storage(parts[shapely.get_type_id(parts) == 3], lon)).sum()))


def plot_truth(
    parameters: Parameters, parcels: gpd.GeoDataFrame, case: NDArray[np.object_], control_lines: gpd.GeoDataFrame,
    barriers: gpd.GeoDataFrame,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:  # fmt: skip
    """Planted plots and planted groups that are none, with the land that remains of each (frames in EPSG:4490)."""
    lon = central_longitude(parcels.geometry.to_numpy())

    def metric(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        return frame.assign(geometry=to_metric(frame.geometry.to_numpy(), lon))

    planted = np.flatnonzero(np.isin(case, [g.case for g in parameters.groups]))
    polygons = to_metric(parcels.geometry.to_numpy()[planted], lon)
    land = remaining_land(polygons, metric(control_lines), metric(barriers))
    plots, none = [], []
    for group in parameters.groups:
        mine = case[planted] == group.case
        pieces = _widest_piece(land[mine]) if group.cut_by_width else land[mine]
        member = shapely.area(pieces) > 1.0
        ids = [str(i) for i in parcels["parcel_id"].to_numpy()[planted[mine][member]]]
        row: dict[str, Any] = {
            "case": group.case,
            "parcel_ids": sorted(ids),
            "area_mu": round(area_in_mu(pieces, lon), 4),
        }
        if group.plot:
            tolerance = 3.0 if group.cut_by_width else 0.05
            plots.append(row | {"tolerance_mu": tolerance, "strict": group.strict, "why": group.why})
        else:
            none.append(row | {"reason": group.reason, "why": group.why})
    return plots, none


def count_truth(
    findings: list[Finding], parcel_id: NDArray[np.object_], area_m2: Floats, plots: list[dict[str, Any]]
) -> dict[str, Any]:
    """How many parcels, idle and inefficient ones and plots there are, and the mu of each."""
    area = dict(zip(parcel_id, area_m2, strict=True))
    idle = {f["parcel_id"] for f in findings if f["level"] in ("idle_1y", "idle_2y", "idle_stalled")}
    inefficient = {f["parcel_id"] for f in findings if f["level"] == "inefficient"}
    return {
        "parcels": len(parcel_id),
        "idle": len(idle),
        "idle_mu": round(float(mu(sum(area[i] for i in sorted(idle)))), 4),
        "inefficient": len(inefficient),
        "inefficient_mu": round(float(mu(sum(area[i] for i in sorted(inefficient)))), 4),
        "plots": len(plots),
        "plots_mu": round(sum(p["area_mu"] for p in plots), 4),
    }
