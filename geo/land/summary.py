"""What became of every parcel of a run, counted so that the counts add up."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.land.findings import IDLE_LEVELS, INEFFICIENT_LEVELS
from geo.land.stock import stock_classes
from geo.layers.words import WORDS
from geo.units import mu


def assessed(
    parcels: gpd.GeoDataFrame, findings: pd.DataFrame, subject: dict[str, Any], outside: dict[str, Any]
) -> dict[str, Any]:
    """What became of every parcel, for each kind: found, watched, not assessed, nothing found, or why not looked at.

    The counts of a kind add up to the parcels, each in the first of these that holds for it.
    """
    told: dict[str, Any] = {}
    area_mu = mu(parcels["area_m2"].to_numpy(dtype=float))
    for kind, levels in (("idle", IDLE_LEVELS), ("inefficient", INEFFICIENT_LEVELS)):
        mine = findings[findings["kind"] == kind]

        def has(wanted: tuple[str, ...], mine: pd.DataFrame = mine) -> Any:
            return parcels["parcel_id"].isin(mine.loc[mine["level"].isin(wanted), "parcel_id"]).to_numpy()

        looked = np.asarray(subject[kind], dtype=bool)
        state = np.select(
            [has(levels), has(("warning", "overdue")), has(("not_assessed",)), looked],
            ["found", "watched", "not_assessed", "ok"],
            default="not_subject",
        )
        why = pd.Series(outside[kind], dtype=object)[state == "not_subject"].fillna("不在适用范围")
        told[kind] = {
            name: {"count": int((state == name).sum()), "mu": round(float(area_mu[state == name].sum()), 2)}
            for name in ("found", "watched", "not_assessed", "ok", "not_subject")
        } | {"not_subject_why": {str(reason): int(count) for reason, count in why.value_counts().items()}}
    return told


def why_not_idle(parcels: pd.DataFrame, subject: NDArray[np.bool_]) -> NDArray[np.object_]:
    """Why the rules of idle land do not look at a parcel: (n,) text, ``None`` where they do."""
    unsupplied = parcels["stock_class"].eq("approved_unsupplied").to_numpy(dtype=bool)
    why = np.where(unsupplied, "批而未供，不作闲置认定", "没有供地信息").astype(object)
    why[np.asarray(subject, dtype=bool)] = None
    return why


def stock_summary(parcels: gpd.GeoDataFrame, as_of: np.datetime64) -> list[dict[str, Any]]:
    """Parcels and mu of each stock class; these are never added to idle land."""
    classes = stock_classes(parcels, as_of)
    area = parcels["area_m2"].astype(float).reset_index(drop=True)
    by = [classes[name].reset_index(drop=True) for name in ("stock_class", "stock_basis")]
    titles = {word: spellings[0] for word, spellings in WORDS["stock_class"].items()}
    return [
        {"stock_class": None if pd.isna(name) else name, "title": titles.get(str(name), "未分类"),
         "basis": None if pd.isna(basis) else basis, "count": len(group),
         "mu": round(float(mu(group.sum())), 2)}
        for (name, basis), group in area.groupby(by, dropna=False)
    ]  # fmt: skip
