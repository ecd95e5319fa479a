"""Hard conditions and scored criteria of a demand, over all sites at once.

A condition passes, fails or is not assessed; missing data never passes. A criterion scores 0…1 on a fixed scale, never
on one made from the candidates, so that adding a site cannot reorder the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.land.calendar import days
from geo.layers.schema import SITES
from geo.logistics.access import DISTANCES
from geo.matching.demand import Criterion as CriterionName
from geo.matching.demand import Demand
from geo.units import mu

Floats = NDArray[np.float64]
PASS, FAIL, UNKNOWN = 1, 0, -1
_UNITS_ZH = {"m3/d": "m³/日", "t/h": "吨/时"}
OUTCOMES = {PASS: "pass", FAIL: "fail", UNKNOWN: "not_assessed"}


@dataclass(frozen=True, slots=True)
class Condition:
    """A hard condition: the measured ``values`` (n,) against ``limit``; ``margin`` (n,) is positive where it passes."""

    name: str
    zh: str
    unit: str
    sense: Literal["min", "max", "in", "by"]
    limit: float | str
    values: NDArray[np.object_]
    outcome: NDArray[np.int8]
    margin: Floats


@dataclass(frozen=True, slots=True)
class Criterion:
    """A scored criterion: ``score`` (n,) in 0…1, 0 where the value is unknown (``known`` says which)."""

    name: str
    zh: str
    unit: str
    weight: float
    values: Floats
    score: Floats
    known: NDArray[np.bool_]
    scale: str


def conditions(sites: pd.DataFrame, demand: Demand) -> list[Condition]:
    """The hard conditions of a demand over (n,) sites, in the order in which they are told."""
    found: list[Condition] = []
    area_mu = mu(_numbers(sites, "area_m2"))
    if demand.area_mu.min is not None:
        found.append(_bound("area_min", "面积", "亩", "min", demand.area_mu.min, area_mu))
    if demand.area_mu.max is not None:
        found.append(_bound("area_max", "面积", "亩", "max", demand.area_mu.max, area_mu))
    if demand.land_use:
        found.append(_use(sites, demand.land_use))
    for kind, limit in demand.max_km.items():
        column = DISTANCES[kind]
        found.append(_bound(column, SITES.field(column).zh, "km", "max", limit, _numbers(sites, column)))
    for factor, limit in demand.min_factors.items():
        item = SITES.field(factor)
        unit = _UNITS_ZH.get(item.unit, item.unit)
        found.append(_bound(factor, item.zh, unit, "min", limit, _numbers(sites, factor)))
    if demand.max_price_yuan_per_mu is not None:
        price = _numbers(sites, "price_yuan_per_mu")
        found.append(_bound("price", "参考地价", "元/亩", "max", demand.max_price_yuan_per_mu, price))
    if demand.min_inscribed_radius_m is not None:
        radius = _numbers(sites, "inscribed_radius_m")
        found.append(_bound("inscribed_radius", "内切圆半径", "m", "min", demand.min_inscribed_radius_m, radius))
    if demand.deadline is not None:
        found.append(_deadline(sites, np.datetime64(demand.deadline, "D")))
    return found


@dataclass(frozen=True, slots=True)
class Scale:
    """A monotone or tent-shaped value function: ``score`` at ``knots`` (in the criterion's unit), linear between."""

    knots: tuple[float, ...]
    score: tuple[float, ...]
    told: str


# Proposals of this project, not rules of law; shown beside every score.
DISTANCE_SCALE = Scale((0, 30), (1, 0), "0 km 为 1 分，30 km 为 0 分")
PRICE_SCALE = Scale((0, 600_000), (1, 0), "0 为 1 分，60 万元/亩为 0 分")
WAIT_SCALE = Scale((0, 1096), (1, 0), "即可交付 1 分，三年后 0 分")


def area_scale(low_mu: float, high_mu: float | None) -> Scale:
    """1 inside the wanted range, falling to 0 at half of its lower and double of its upper end.

    With no maximum the closer to the minimum the better, 0 at five times it: land beyond it waits for another project.
    """
    if high_mu is None:
        knots = (low_mu / 2, low_mu, low_mu, max(low_mu * 5, 1.0))
    else:
        knots = (low_mu / 2, low_mu, high_mu, 2 * high_mu)
    return Scale(knots, (0, 1, 1, 0), "需求范围内 1 分，向外线性降为 0")


def criteria(sites: pd.DataFrame, demand: Demand, as_of: np.datetime64) -> list[Criterion]:
    """The scored criteria over (n,) sites: area, the distances that matter to the demand, price, wait for delivery."""
    size = area_scale(demand.area_mu.min or 0.0, demand.area_mu.max)
    found = [_scored(demand, "area", "面积适配", "亩", mu(_numbers(sites, "area_m2")), size)]
    for kind, column in DISTANCES.items():
        if kind in demand.max_km or kind in demand.weights:
            item = SITES.field(column)
            found.append(_scored(demand, kind, item.zh, item.unit, _numbers(sites, column), DISTANCE_SCALE))
    found.append(_scored(demand, "price", "参考地价", "元/亩", _numbers(sites, "price_yuan_per_mu"), PRICE_SCALE))
    found.append(_scored(demand, "delivery", "交付等待", "天", _days_until(sites, as_of), WAIT_SCALE))
    return found


def _numbers(sites: pd.DataFrame, column: str) -> Floats:
    return sites[column].to_numpy(dtype=float, na_value=np.nan)


def _bound(name: str, zh: str, unit: str, sense: Literal["min", "max"], limit: float, values: Floats) -> Condition:
    margin = values - limit if sense == "min" else limit - values
    # Figures are shown to six decimals; what shows as the limit meets it.
    outcome = np.where(np.isnan(values), UNKNOWN, np.where(margin >= -1e-6, PASS, FAIL)).astype(np.int8)
    return Condition(name, zh, unit, sense, limit, values.astype(object), outcome, margin)


def _use(sites: pd.DataFrame, prefixes: tuple[str, ...]) -> Condition:
    values = sites["land_use"].astype(object).where(sites["land_use"].notna(), None)
    fits = values.fillna("").astype(str).str.startswith(prefixes).to_numpy()
    outcome = np.where(values.isna(), UNKNOWN, np.where(fits, PASS, FAIL)).astype(np.int8)
    margin = np.full(len(sites), np.nan)
    return Condition(
        "land_use", "土地用途", "", "in", "、".join(prefixes), values.to_numpy(dtype=object), outcome, margin
    )


def _deadline(sites: pd.DataFrame, deadline: np.datetime64) -> Condition:
    ready = days(sites["available_from"].to_numpy())
    known = ~np.isnat(ready)
    spare = np.where(known, (deadline - ready).astype(float), np.nan)
    outcome = np.where(known, np.where(spare >= 0, PASS, FAIL), UNKNOWN).astype(np.int8)
    shown = ready.astype(str).astype(object)
    shown[~known] = None
    return Condition("deadline", "可交付日期", "天", "by", str(deadline), shown, outcome, spare)


def _days_until(sites: pd.DataFrame, as_of: np.datetime64) -> Floats:
    ready = days(sites["available_from"].to_numpy())
    return np.where(np.isnat(ready), np.nan, np.maximum((ready - as_of.astype("datetime64[D]")).astype(float), 0.0))


def _scored(demand: Demand, name: CriterionName, zh: str, unit: str, values: Floats, scale: Scale) -> Criterion:
    known = ~np.isnan(values)
    points = np.where(known, np.interp(np.where(known, values, scale.knots[0]), scale.knots, scale.score), 0.0)
    return Criterion(name, zh, unit, float(demand.weights.get(name, 1)), values, points, known, scale.told)
