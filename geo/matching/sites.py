"""Sites: everything that can be offered to a project: plots, and single parcels that are large enough."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from geo import crs
from geo.layers.schema import SITES
from geo.logistics.access import METHOD, straight_distances
from geo.plots.plot import PlotSet
from geo.plots.shape import inscribed_circle
from geo.units import m2

# Capacities add up over the members of a plot.
_ADDED = ("power_kva", "water_m3d", "gas_m3d", "steam_th", "sewage_m3d")


def build_sites(
    found: PlotSet, eligible: gpd.GeoDataFrame, terminals: gpd.GeoDataFrame | None, min_parcel_mu: float
) -> gpd.GeoDataFrame:
    """Sites of a run, canonical columns without run id, EPSG:4490.

    Parameters
    ----------
    found : result of the search for plots
    eligible : parcels that were eligible, with factors and price
    terminals : for the straight-line distances
    min_parcel_mu : a single parcel that has at least this much land left after cutting is a site of its own

    Notes
    -----
    A capacity is the sum over the members by their share; where any member does not state it the site's is unknown,
    and ``evidence`` says how many did not. The price is the mean by area, the date of delivery the latest, likewise.
    """
    parcels = eligible.drop_duplicates("parcel_id").set_index("parcel_id")
    of_plots = _plot_sites(found.plots, found.members, parcels)
    of_parcels = _parcel_sites(found.land[found.land["area_m2"].astype(float) >= m2(min_parcel_mu)], parcels)
    sites = gpd.GeoDataFrame(pd.concat([of_plots, of_parcels], ignore_index=True), crs=crs.STORAGE_CRS)
    km, nearest = straight_distances(sites, terminals)
    for column, values in km.items():
        sites[column] = values
    for row in range(len(sites)):
        sites["evidence"].iloc[row]["logistics"] = {
            "method": METHOD, "nearest": {column: names[row] for column, names in nearest.items()}
        }  # fmt: skip
    return sites


def _plot_sites(plots: gpd.GeoDataFrame, members: gpd.GeoDataFrame, parcels: pd.DataFrame) -> gpd.GeoDataFrame:
    joined = pd.DataFrame(members[["plot_id", "parcel_id", "area_m2", "share"]]).join(
        parcels[[*_ADDED, "price_yuan_per_mu", "available_from", "land_use"]], on="parcel_id"
    )
    by_plot = joined.groupby("plot_id")
    table = pd.DataFrame(
        {
            "site_id": plots["plot_id"].to_numpy(dtype=object),
            "kind": "plot",
            "name": plots["name"].to_numpy(dtype=object),
            "town": plots["town"].to_numpy(dtype=object),
            "area_m2": plots["area_m2"].to_numpy(dtype=float),
        },
        index=pd.Index(plots["plot_id"]),
    )
    if len(plots):
        for column in ("parcel_count", "holder_count", "inscribed_radius_m"):
            table[column] = plots[column].to_numpy()
        missing: dict[str, pd.Series] = {}
        for column in _ADDED:
            part = joined[column].astype(float) * joined["share"].clip(upper=1)
            table[column] = (
                part.groupby(joined["plot_id"]).sum(min_count=1).where(by_plot[column].count() == by_plot.size())
            )
            missing[column] = by_plot.size() - by_plot[column].count()
        priced = joined["price_yuan_per_mu"].astype(float) * joined["area_m2"]
        table["price_yuan_per_mu"] = (
            priced.groupby(joined["plot_id"]).sum(min_count=1) / by_plot["area_m2"].sum()
        ).where(by_plot["price_yuan_per_mu"].count() == by_plot.size())
        missing["price_yuan_per_mu"] = by_plot.size() - by_plot["price_yuan_per_mu"].count()
        table["available_from"] = (
            by_plot["available_from"].max().where(by_plot["available_from"].count() == by_plot.size())
        )
        missing["available_from"] = by_plot.size() - by_plot["available_from"].count()
        use = joined.sort_values("area_m2", ascending=False).groupby("plot_id")["land_use"].first()
        table["land_use"] = use.reindex(table.index)
        gaps = pd.DataFrame(missing).reindex(table.index)
        table["evidence"] = [
            {"members_without": {name: int(count) for name, count in row.items() if count}}
            for row in gaps.to_dict("records")
        ]
    return gpd.GeoDataFrame(_complete(table), geometry=np.asarray(plots.geometry.array), crs=crs.STORAGE_CRS)


def _parcel_sites(land: gpd.GeoDataFrame, parcels: pd.DataFrame) -> gpd.GeoDataFrame:
    """Single parcels, with the land that exclusions and barriers left of them."""
    attributes = pd.DataFrame(parcels).drop(columns=["geometry", "area_m2"])
    table = pd.DataFrame(land.drop(columns=land.geometry.name)).join(attributes, on="parcel_id").reset_index(drop=True)
    geometry = np.asarray(land.geometry.array)
    table["site_id"] = table["parcel_id"]
    table["kind"] = "parcel"
    table["name"] = table["address"].where(table["address"].notna(), table["parcel_id"])
    table["parcel_count"] = 1
    table["holder_count"] = table["holder"].notna().astype(int)
    metric = crs.to_metric(geometry, crs.central_longitude(geometry)) if len(geometry) else geometry
    table["inscribed_radius_m"] = inscribed_circle(metric)[1]
    table["evidence"] = [
        {"members_without": {}, "cut_m2": round(float(cut), 2)} for cut in table["cut_m2"].astype(float)
    ]
    return gpd.GeoDataFrame(_complete(table), geometry=geometry, crs=crs.STORAGE_CRS)


def _complete(table: pd.DataFrame) -> pd.DataFrame:
    kinds: dict[str, Any] = {"real": "float64", "integer": "Int64", "date": "datetime64[s]"}
    table = table.reset_index(drop=True)
    for item in SITES.fields:
        if item.name not in table.columns:
            table[item.name] = pd.Series([None] * len(table), dtype=kinds.get(item.kind, object))
    return table[[name for name in SITES.columns if name != "run_id"]]
