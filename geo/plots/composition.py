"""What a plot consists of: owners, towns, uses and planned uses, idle, inefficient and built-up shares."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo import crs
from geo.plots.polygons import in_metres
from geo.plots.subdividing import TILE_VERTICES, subdivide

UNPLANNED = "unplanned"  # land of a plot in no zone, or in one without a use

# Of a member's area: zones that overlap add up to more than the member has.
_OVERLAP = 1e-6
Records = list[dict[str, Any]]


def level_share(members: pd.DataFrame, findings: pd.DataFrame, levels: tuple[str, ...]) -> pd.Series:
    """Share of each plot's land in parcels that have a finding of one of ``levels``; index ``plot_id``."""
    found = members["parcel_id"].isin(findings.loc[findings["level"].isin(levels), "parcel_id"])
    area = members["area_m2"].astype(float)
    return area.where(found, 0.0).groupby(members["plot_id"]).sum() / area.groupby(members["plot_id"]).sum()


def built_area_m2(land: NDArray[np.object_], buildings: gpd.GeoDataFrame) -> NDArray[np.float64]:
    """Ground that buildings cover inside each of (n,) polygons in EPSG:4490, m² in the local 3-degree zone.

    Overlapping footprints count once.
    """
    result = np.zeros(len(land))
    if len(land) == 0 or buildings.empty:
        return result
    footprints = np.asarray(buildings.geometry.array)
    lon = crs.central_longitude(land)
    row, building = shapely.STRtree(footprints).query(land, predicate="intersects")
    if len(row) == 0:
        return result
    used, place = np.unique(building, return_inverse=True)
    covered = shapely.intersection(in_metres(land, lon)[row], in_metres(footprints[used], lon)[place])
    start = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
    unions = [shapely.union_all(group) for group in np.split(covered, start[1:])]
    result[row[start]] = shapely.area(unions)
    return result


def owners(members: pd.DataFrame, parcels: pd.DataFrame) -> dict[str, Records]:
    """Who holds each plot's land, the largest share first; land without a known holder stays apart as ``None``.

    Parameters
    ----------
    members : ``plot_id``, ``parcel_id``, ``area_m2``
    parcels : ``parcel_id``, ``holder``

    Returns
    -------
    dict of list
        By plot: ``holder``, ``area_m2``, ``parcels`` (their number)
    """
    table = _by(members, parcels, "holder")
    return _told(table.rename(columns={"value": "holder"})[["plot_id", "holder", "area_m2", "parcels"]])


def towns(members: pd.DataFrame, parcels: pd.DataFrame) -> dict[str, Records]:
    """The towns of each plot, the largest share first: ``town``, ``area_m2``."""
    return _told(_by(members, parcels, "town").rename(columns={"value": "town"})[["plot_id", "town", "area_m2"]])


def land_uses(members: pd.DataFrame, parcels: pd.DataFrame) -> dict[str, Records]:
    """The uses of each plot's land by code, the largest share first: ``land_use``, ``area_m2``, ``share``."""
    table = _by(members, parcels, "land_use").rename(columns={"value": "land_use"})
    return _told(_shared(table)[["plot_id", "land_use", "area_m2", "share"]])


def planned_uses(members: gpd.GeoDataFrame, zoning: gpd.GeoDataFrame) -> dict[str, Records]:
    """What the plan has for each plot's land, the largest share first: ``land_use``, ``area_m2``, ``share``.

    Where zones overlap, the land is that of the first; land in no zone is ``unplanned``. Areas are shares of the
    members' ellipsoidal areas, so that they add up to the plot.

    Parameters
    ----------
    members : ``plot_id``, ``area_m2`` and geometry, EPSG:4490
    zoning : ``land_use`` and geometry, EPSG:4490
    """
    land = np.asarray(members.geometry.array, dtype=object)
    area = members["area_m2"].to_numpy(dtype=float)
    if len(land) == 0:
        return {}
    zones = zoning[zoning["land_use"].notna().to_numpy(dtype=bool)]
    use = zones["land_use"].to_numpy(dtype=object)
    member, zone, covered = _overlay(land, np.asarray(zones.geometry.array, dtype=object))
    whole = in_metres(land, crs.central_longitude(land))
    scale = area / np.maximum(shapely.area(whole), 1e-9)
    planned = pd.DataFrame(
        {"plot_id": members["plot_id"].to_numpy(dtype=object)[member], "land_use": use[zone],
         "area_m2": covered * scale[member]}
    )  # fmt: skip
    rest = area - np.bincount(member, planned["area_m2"], minlength=len(land))
    open_ = rest > _OVERLAP * area
    unplanned = pd.DataFrame({"plot_id": members["plot_id"].to_numpy(dtype=object)[open_], "land_use": UNPLANNED,
                              "area_m2": rest[open_]})  # fmt: skip
    table = pd.concat([planned, unplanned], ignore_index=True).groupby(["plot_id", "land_use"], sort=True)["area_m2"]
    return _told(_shared(table.sum().reset_index())[["plot_id", "land_use", "area_m2", "share"]])


def _by(members: pd.DataFrame, parcels: pd.DataFrame, name: str) -> pd.DataFrame:
    """Area and number of parcels of each plot by a field of its parcels; a missing value is a value of its own."""
    field = parcels.drop_duplicates("parcel_id").set_index("parcel_id")[name]
    table = pd.DataFrame(
        {
            "plot_id": members["plot_id"].to_numpy(dtype=object),
            "value": members["parcel_id"].map(field).to_numpy(dtype=object),
            "area_m2": members["area_m2"].to_numpy(dtype=float),
            "parcel_id": members["parcel_id"].to_numpy(dtype=object),
        }
    )
    by = table.groupby(["plot_id", "value"], dropna=False, sort=True)
    found = by.agg(area_m2=("area_m2", "sum"), parcels=("parcel_id", "nunique")).reset_index()
    found["value"] = found["value"].astype(object).where(found["value"].notna(), None)
    return found


def _shared(table: pd.DataFrame) -> pd.DataFrame:
    whole = table.groupby("plot_id")["area_m2"].transform("sum")
    return table.assign(share=(table["area_m2"] / whole.where(whole > 0)).round(4))


def _told(table: pd.DataFrame) -> dict[str, Records]:
    """Rows by plot, the largest area first, areas to a hundredth of a square metre."""
    table = table.sort_values(["plot_id", "area_m2"], ascending=[True, False], kind="stable")
    table["area_m2"] = table["area_m2"].round(2)
    return {
        str(plot): rows.drop(columns="plot_id").to_dict("records") for plot, rows in table.groupby("plot_id", sort=True)
    }


def _overlay(
    land: NDArray[np.object_], zones: NDArray[np.object_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Rows of land and zone that share ground, and how much, m² in the local zone; ground counts for the first zone."""
    nothing = np.empty(0, dtype=np.int64)
    if len(zones) == 0:
        return nothing, nothing, np.empty(0)
    lon = crs.central_longitude(land)
    near = np.unique(shapely.STRtree(zones).query(shapely.box(*shapely.bounds(land).T))[1])
    if len(near) == 0:
        return nothing, nothing, np.empty(0)
    ground, whole = in_metres(land, lon), in_metres(zones[near], lon)
    tiles, owner = _tiled(whole)
    row, tile = shapely.STRtree(tiles).query(ground, predicate="intersects")
    pieces = shapely.intersection(ground[row], tiles[tile])
    real = shapely.area(pieces) > 0
    row, zone, pieces = row[real], owner[tile[real]], pieces[real]
    area = shapely.area(pieces)
    twice = np.bincount(row, area, minlength=len(land)) > shapely.area(ground) * (1 + _OVERLAP)
    # Few members lie where zones overlap; there each zone gets what the ones before it left.
    for member in np.flatnonzero(twice):
        mine = np.flatnonzero(row == member)
        mine = mine[np.argsort(zone[mine], kind="stable")]
        taken: Any = None
        for piece in mine:
            area[piece] = shapely.area(pieces[piece] if taken is None else shapely.difference(pieces[piece], taken))
            taken = pieces[piece] if taken is None else shapely.union(taken, pieces[piece])
    return row, near[zone], area


def _tiled(zones: NDArray[np.object_]) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Zones with many vertices cut into tiles, so that an overlay meets a little of them; the zone of each tile."""
    heavy = np.flatnonzero(shapely.get_num_coordinates(zones) > TILE_VERTICES)
    light = np.setdiff1d(np.arange(len(zones)), heavy)
    cut = [subdivide(zones[[row]]) for row in heavy]
    owner = [light, *(np.full(len(tiles), row) for row, tiles in zip(heavy, cut, strict=True))]
    return np.concatenate([zones[light], *cut]), np.concatenate(owner).astype(np.int64)
