"""The answer to a demand: which sites fit, in which order and why, and why the others do not."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from geo.matching.criteria import FAIL, OUTCOMES, UNKNOWN, Condition, Criterion, conditions, criteria
from geo.matching.demand import Demand
from geo.units import mu

MAX_EXCLUDED = 100


def search_sites(sites: gpd.GeoDataFrame, demand: Demand, as_of: np.datetime64) -> dict[str, Any]:
    """Rank sites for a demand.

    Parameters
    ----------
    sites : canonical sites of one run
    demand : what the project needs
    as_of : day of the run

    Returns
    -------
    dict with ``matched`` (sites that fail no condition), ``sites`` (the best, ranked: those with every condition
        assessed first, then by score, then by id), ``excluded`` (why not, fewest failures first, at most
        ``MAX_EXCLUDED``) and ``excluded_total``
    """
    hard = conditions(sites, demand)
    soft = criteria(sites, demand, as_of)
    count = len(sites)
    outcome = np.stack([item.outcome for item in hard]) if hard else np.empty((0, count), np.int8)
    failed = (outcome == FAIL).sum(axis=0)
    unknown = (outcome == UNKNOWN).sum(axis=0)
    weight = sum(item.weight for item in soft)
    total = sum((item.weight * item.score for item in soft), np.zeros(count))
    score = total / weight if weight > 0 else np.zeros(count)
    identity = sites["site_id"].to_numpy(dtype=object).astype(str)
    order = np.lexsort((identity, -np.round(score, 9), unknown > 0))
    fits = [int(row) for row in order if failed[row] == 0]
    out = np.lexsort((identity, -np.round(score, 9), failed))
    misses = [int(row) for row in out if failed[row] > 0]
    shown = fits[: demand.limit]
    return {
        "matched": len(fits),
        "sites": [
            {
                **_about(sites, row),
                "rank": rank,
                "score": round(float(score[row]), 4),
                "complete": bool(unknown[row] == 0),
                "conditions": [_told(item, row) for item in hard],
                "criteria": [_scored(item, row) for item in soft],
            }
            for rank, row in enumerate(shown, start=1)
        ],
        "excluded": [_excluded(sites, row, hard) for row in misses[:MAX_EXCLUDED]],
        "excluded_total": len(misses),
    }


def _about(sites: gpd.GeoDataFrame, row: int) -> dict[str, Any]:
    site = sites.iloc[row]
    shape = site.geometry
    centre = shapely.point_on_surface(shape)
    return {
        "site_id": site["site_id"],
        "kind": site["kind"],
        "name": site["name"],
        "town": site["town"],
        "area_m2": round(float(site["area_m2"]), 2),
        "area_mu": round(float(mu(site["area_m2"])), 2),
        "centroid": [round(centre.x, 6), round(centre.y, 6)],
        "bbox": [round(value, 6) for value in shape.bounds],
    }


def _excluded(sites: gpd.GeoDataFrame, row: int, hard: list[Condition]) -> dict[str, Any]:
    failed = [_told(item, row) for item in hard if item.outcome[row] == FAIL]
    site = sites.iloc[row]
    return {
        "site_id": site["site_id"], "kind": site["kind"], "name": site["name"],
        "area_mu": round(float(mu(site["area_m2"])), 2), "reasons": [item["text"] for item in failed], "failed": failed,
    }  # fmt: skip


def _told(item: Condition, row: int) -> dict[str, Any]:
    value, outcome = item.values[row], int(item.outcome[row])
    known = outcome != UNKNOWN
    margin = float(item.margin[row])
    told = {
        "condition": item.name,
        "zh": item.zh,
        "value": _plain(value) if known else None,
        "limit": item.limit,
        "unit": item.unit,
        "margin": None if np.isnan(margin) else round(margin, 3),
        "outcome": OUTCOMES[outcome],
    }
    return {**told, "text": _sentence(item, value, margin, outcome)}


def _sentence(item: Condition, value: Any, margin: float, outcome: int) -> str:
    if outcome == UNKNOWN:
        return f"{item.zh}：未能评估（缺少数据）"
    if item.sense == "in":
        return f"{item.zh} {value}，{'符合' if outcome else '不符合'} {item.limit}"
    if item.sense == "by":
        return f"{item.zh} {value}，{'早于' if outcome else '晚于'}要求的 {item.limit} {abs(margin):.0f} 天"
    limit = f"{'不少于' if item.sense == 'min' else '不超过'} {_figure(float(item.limit))} {item.unit}"
    gap = "符合" if outcome else f"{'差' if item.sense == 'min' else '超出'} {_figure(abs(margin))} {item.unit}"
    return f"{item.zh} {_figure(float(value))} {item.unit}，要求{limit}，{gap}"


def _figure(value: float) -> str:
    """Thousands apart, two decimals where they say something."""
    return f"{value:,.0f}" if abs(value) >= 10_000 or value == round(value) else f"{value:,.2f}"


def _scored(item: Criterion, row: int) -> dict[str, Any]:
    return {
        "criterion": item.name, "zh": item.zh, "unit": item.unit, "weight": item.weight, "scale": item.scale,
        "value": round(float(item.values[row]), 3) if item.known[row] else None,
        "score": round(float(item.score[row]), 4) if item.known[row] else None,
    }  # fmt: skip


def _plain(value: Any) -> Any:
    return round(float(value), 3) if isinstance(value, (float, np.floating)) else value
