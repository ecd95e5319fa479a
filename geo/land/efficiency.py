"""Inefficient land: in use, but below a rule set's thresholds. Rules are data; the arithmetic is here."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.land.calendar import NEVER, add_months, days
from geo.land.findings import empty_findings, evidence_of, findings_frame
from geo.land.rules import PlotRatio, RuleSet, StoppedMonths, TaxPerMu
from geo.layers.land_use_codes import land_and_sea_codes
from geo.units import M2_PER_MU

_OPERATING = ("completed", "producing", "stopped")
_FIGURES = ("tax_yuan", "output_yuan", "value_added_yuan", "employees")
_DAY = np.timedelta64(1, "D")


def subject_to_inefficiency(parcels: pd.DataFrame, rules: RuleSet) -> NDArray[np.bool_]:
    """Which parcels any rule of the set applies to: land in use, of the land uses that a rule covers."""
    land_uses = tuple(prefix for rule in rules.inefficient for prefix in rule.land_use)
    return in_operation(parcels, land_uses) if land_uses else np.zeros(len(parcels), dtype=bool)


def in_operation(parcels: pd.DataFrame, land_uses: tuple[str, ...]) -> NDArray[np.bool_]:
    """Parcels of these land uses (code prefixes) that are completed, producing or stopped, or may well be.

    Without a status, figures of operation are a reason to look, not a proof: what is below a threshold there is not
    assessed, and says that the status is missing.
    """
    covered = pd.Series(land_and_sea_codes(parcels), index=parcels.index).str.startswith(land_uses)
    operating = parcels["status"].isna() & parcels[list(_FIGURES)].notna().any(axis=1)
    return ((parcels["status"].isin(_OPERATING) | operating) & covered).to_numpy(dtype=bool)


def assess_inefficiency(
    parcels: gpd.GeoDataFrame, buildings: pd.DataFrame | None, rules: RuleSet, as_of: np.datetime64
) -> gpd.GeoDataFrame:
    """Findings of inefficient land, one row per parcel and rule.

    Parameters
    ----------
    parcels : canonical parcels with ``area_m2`` (ellipsoidal, m²); completed, producing or stopped ones are subject
    buildings : canonical buildings, or ``None``; their floor area stands in where a parcel declares none
    rules : rule set; each rule names the land uses it covers
    as_of : day

    Returns
    -------
    findings : canonical ``findings`` without run id; level ``inefficient`` or ``not_assessed``
    """
    frames = []
    for rule in rules.inefficient:
        table = parcels[in_operation(parcels, rule.land_use)].reset_index(drop=True)
        if table.empty:
            continue
        if isinstance(rule, TaxPerMu):
            frames.append(_low_tax(table, rule, as_of))
        elif isinstance(rule, PlotRatio):
            frames.append(_low_far(table, buildings, rule, as_of))
        else:
            frames.append(_stopped(table, rule, as_of))
    frames = [frame for frame in frames if len(frame)]
    if not frames:
        return empty_findings(parcels.crs)
    return gpd.GeoDataFrame(pd.concat(frames, ignore_index=True), crs=parcels.crs)


def _low_tax(table: gpd.GeoDataFrame, rule: TaxPerMu, as_of: np.datetime64) -> gpd.GeoDataFrame:
    """Σ tax of a holder over Σ of its land, per mu (湖州: by firm, so that one weak parcel of a sound firm is none)."""
    # A parcel without holder stands for itself.
    holder = table["holder"].where(table["holder"].notna(), table["parcel_id"])
    tax = table["tax_yuan"].astype(float)
    total = tax.groupby(holder).transform(lambda values: values.sum(skipna=False)).to_numpy()
    land_mu = (table["area_m2"].groupby(holder).transform("sum") / M2_PER_MU).to_numpy()
    scale = table["above_scale"].astype("boolean")
    above = scale.groupby(holder).transform("max").to_numpy(dtype=float, na_value=np.nan)
    # Yuan to the cent: exactly the threshold is not below it.
    per_mu = np.round(total / land_mu, 2)
    below_high, below_low = per_mu < rule.above_scale_below, per_mu < rule.below_scale_below
    low = np.where(np.isnan(above), np.where(below_high == below_low, below_high, np.nan), 0.0)
    low = np.where(above == 1, below_high, np.where(above == 0, below_low, low)).astype(float)
    low[np.isnan(per_mu)] = np.nan
    missing = [
        ["tax_yuan"] if np.isnan(per_mu[i]) else (["above_scale"] if np.isnan(low[i]) else [])
        for i in range(len(table))
    ]
    threshold = np.where(above == 1, rule.above_scale_below, rule.below_scale_below)
    reading = [
        {"measure": "亩均税收", "value": _number(per_mu[i]), "threshold": _number(threshold[i]), "unit": "元/亩",
         "per": "holder", "area_basis": "ellipsoidal", "status": rule.status,
         "shortfall_yuan": _number(np.round((threshold[i] - per_mu[i]) * land_mu[i], 2))}
        for i in range(len(table))
    ]  # fmt: skip
    return _frame(table, rule, low, missing, reading, ("tax_yuan", "above_scale", "year", "holder"), as_of)


def _low_far(
    table: gpd.GeoDataFrame, buildings: pd.DataFrame | None, rule: PlotRatio, as_of: np.datetime64
) -> gpd.GeoDataFrame:
    """Floor area over site area against the minimum of the sector."""
    floor = table["floor_area_m2"].astype(float)
    partly = np.zeros(len(table), dtype=bool)
    if buildings is not None and len(buildings):
        built, unknown = _floor_area(buildings)
        partly = (floor.isna() & table["parcel_id"].isin(unknown)).to_numpy()
        floor = floor.fillna(table["parcel_id"].map(built).astype(float))
    ratio = floor.to_numpy() / table["area_m2"].to_numpy(dtype=float)
    # Ledgers write the section letter before the digits or leave it out.
    sector = table["industry"].astype("object").str.replace(r"^[A-Z]", "", regex=True).str[:2]
    edition = table["industry_edition"].to_numpy(dtype=object)
    # Codes of another edition of GB/T 4754 mean other sectors.
    minimum = np.where(
        edition == rule.industry_edition, sector.map(rule.minimum).to_numpy(dtype=float, na_value=np.nan), np.nan
    )
    low = np.where(np.isnan(ratio) | np.isnan(minimum), np.nan, (ratio < minimum * (1 - 1e-9)).astype(float))
    missing = [
        (["buildings.floor_area_m2" if partly[i] else "floor_area_m2"] if np.isnan(ratio[i]) else [])
        + (["industry"] if np.isnan(minimum[i]) else [])
        for i in range(len(table))
    ]
    shortfall = np.round((minimum - ratio) * table["area_m2"].to_numpy(dtype=float), 1)
    reading = [
        {"measure": "容积率", "value": _number(ratio[i]), "threshold": _number(minimum[i]), "unit": "",
         "status": rule.status, "shortfall_m2": _number(shortfall[i])}
        for i in range(len(table))
    ]  # fmt: skip
    return _frame(table, rule, low, missing, reading, ("floor_area_m2", "industry", "industry_edition"), as_of)


def _floor_area(buildings: pd.DataFrame) -> tuple[pd.Series, pd.Index]:
    """Floor area by parcel, storeys above 8 m counted twice (控制指标), and the parcels where one is unknown."""
    double = buildings["storey_height_m"].astype(float) > 8 if "storey_height_m" in buildings else False
    area = buildings["floor_area_m2"].astype(float) * np.where(double, 2, 1)
    by_parcel = area.groupby(buildings["parcel_id"])
    complete = by_parcel.count() == by_parcel.size()
    return by_parcel.sum()[complete], complete.index[~complete]


def _stopped(table: gpd.GeoDataFrame, rule: StoppedMonths, as_of: np.datetime64) -> gpd.GeoDataFrame:
    """Production stopped for full calendar months."""
    said = days(table["stopped_on"].to_numpy())
    stopped = np.where(said <= as_of, said, NEVER)
    since = add_months(stopped, rule.at_least) + _DAY
    low = np.where(np.isnat(stopped), 0.0, (as_of >= since).astype(float))
    status = table["status"].to_numpy(dtype=object)
    # A firm that produces has started again; when, the layer does not say.
    again = (status == "producing") & (low == 1)
    low[again | ((status == "stopped") & np.isnat(said))] = np.nan
    missing = [
        ["contradiction:stopped_on" if again[i] else "stopped_on"] if np.isnan(low[i]) else [] for i in range(len(low))
    ]
    reading = [
        {"measure": "停产月数", "threshold": rule.at_least, "unit": "月", "status": rule.status}
        for _ in range(len(table))
    ]
    return _frame(table, rule, low, missing, reading, ("stopped_on", "status"), as_of, since)


def _frame(
    table: gpd.GeoDataFrame,
    rule: TaxPerMu | PlotRatio | StoppedMonths,
    low: NDArray[np.float64],
    missing: list[list[str]],
    reading: list[dict[str, Any]],
    fields: tuple[str, ...],
    as_of: np.datetime64,
    since: Any = None,
) -> gpd.GeoDataFrame:
    undecided = table["status"].isna().to_numpy() & (low != 0)
    low = np.where(undecided, np.nan, low)
    missing = [[*(["status"] if undecided[i] else []), *names] for i, names in enumerate(missing)]
    rows = np.flatnonzero(low != 0)
    first = np.full(len(rows), NEVER) if since is None else np.where(low[rows] == 1, since[rows], NEVER)
    return findings_frame(
        rows, table, kind="inefficient", rule=rule.rule,
        level=np.where(low[rows] == 1, "inefficient", "not_assessed"), since=first,
        next_date=np.full(len(rows), NEVER), fee_yuan=np.full(len(rows), np.nan),
        evidence=evidence_of(table, rows, fields, [reading[i] for i in rows]),
        missing=[missing[i] for i in rows], source=rule.source, as_of=as_of,
    )  # fmt: skip


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
