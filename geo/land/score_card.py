"""What the firms of one group earn in each component of their score, and what would earn them more."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geo.land.inputs import Floats, Inputs
from geo.land.measures import Measure, measure_of
from geo.land.rule_sets.scoring import Component, OfMean, ScoreGroup
from geo.units import factor_to_stored

Rows = NDArray[np.int64]

# What became of one component of one firm: it counts; the denominator is none (no staff, no energy) or the figure is
# missing, and the weight is left out; the mean of the others stands in; nothing can be said.
COUNTED, NO_WHOLE, LEFT_OUT, MEAN, UNKNOWN, NO_BENCHMARK = range(6)
# A missing amount is told in whole steps, rounded up, so that it suffices.
_STEPS = {"yuan": 0.01, "persons": 1.0}
_SLACK = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class ScoreCard:
    """Points of the (m) firms of a group in its (k) components.

    ``rows`` (m,) positions in the firms' table · ``above``, ``below`` (m, k) numerators and denominators ·
    ``benchmark`` (k,) in the measures' own units, ``nan`` without one · ``points`` (m, k) · ``state`` (m, k) ·
    ``scale`` (m,) makes up for weights that are left out · ``score`` (m,), ``nan`` where it cannot be said
    """

    group: ScoreGroup
    rows: Rows
    above: Floats
    below: Floats
    benchmark: Floats
    points: Floats
    state: NDArray[np.int8]
    scale: Floats
    score: Floats


def score_card(firms: Inputs, rows: Rows, group: ScoreGroup) -> ScoreCard:
    """Points of the firms of a group (positions ``rows``), which are the population of its means.

    Land of no area is a fault of the data, not an indicator that cannot be computed, so no score comes of it.
    """
    shape = (len(rows), len(group.components))
    above, below, points = np.empty(shape), np.empty(shape), np.empty(shape)
    state, benchmark = np.empty(shape, dtype=np.int8), np.empty(shape[1])
    for j, component in enumerate(group.components):
        of = measure_of(component.measure)
        above[:, j] = firms.column(of.numerator)[rows]
        below[:, j] = 1.0 if of.denominator is None else firms.column(of.denominator)[rows]
        value = firms.value(component.measure)[rows]
        known = ~np.isnan(value)
        benchmark[j] = _benchmark(component, of, above[known, j], below[known, j])
        points[:, j] = component.weight * np.clip(value / benchmark[j], 0, component.cap)
        absent = {"not_assessed": UNKNOWN, "drop": LEFT_OUT, "mean": MEAN}[component.missing]
        if absent == MEAN:
            # With nobody to take a mean of, the figure is simply missing.
            absent = MEAN if known.any() and not np.isnan(benchmark[j]) else UNKNOWN
            points[~known, j] = math.fsum(points[known, j]) / max(known.sum(), 1)
        no_whole = UNKNOWN if of.denominator == "land_m2" else NO_WHOLE
        comparable = NO_BENCHMARK if np.isnan(benchmark[j]) else COUNTED
        state[:, j] = np.where(known, comparable, np.where(below[:, j] <= 0, no_whole, absent))
    weight = np.array([component.weight for component in group.components])
    counts = (state == COUNTED) | (state == MEAN)
    weight_left = (counts * weight).sum(axis=1)
    stuck = ((state == UNKNOWN) | (state == NO_BENCHMARK)).any(axis=1) | (weight_left == 0)
    full = np.where(counts.all(axis=1), weight_left, weight.sum())
    scale = np.divide(full, weight_left, out=np.ones(len(rows)), where=~stuck)
    score = np.where(stuck, np.nan, np.where(counts, points, 0.0).sum(axis=1) * scale)
    return ScoreCard(group, rows, above, below, benchmark, points, state, scale, score)


def _benchmark(component: Component, of: Measure, above: Floats, below: Floats) -> float:
    if not isinstance(component.benchmark, OfMean):
        return component.benchmark * (factor_to_stored(component.unit, of.unit) if component.unit else 1.0)
    # Exact sums: the order of the firms must not show. A mean that is not above 0 measures nothing.
    total, whole = math.fsum(above), math.fsum(below)
    return component.benchmark.mean_times * of.factor * total / whole if total > 0 and whole > 0 else math.nan


def amount_to(card: ScoreCard, at: Rows, target: Floats) -> Floats:
    """How much more of the first component's numerator lifts firms of a group to a score, all else as it is.

    Every component that is made of the same numerator rises with it, each up to its cap.

    Parameters
    ----------
    at : (q,) positions in the card
    target : (q,) scores above the firms' own

    Returns
    -------
    (q,) amount in the unit of the numerator, yuan to the cent and persons whole, rounded up; ``nan`` where it cannot
    do it: the caps are in the way, the firm's first component does not count, or more of it lowers another component
    """
    components = card.group.components
    measures = [measure_of(component.measure) for component in components]
    first = measures[0]
    if any(each.denominator == first.numerator for each in measures):
        return np.full(len(at), np.nan)
    rising = np.flatnonzero([each.numerator == first.numerator for each in measures])
    here = np.ix_(at, rising)
    counted, scale = card.state[here] == COUNTED, card.scale[at, None]
    weight = np.array([components[j].weight for j in rising])
    cap = np.array([components[j].cap or np.inf for j in rising])
    # The amount that earns a component just its weight.
    par = card.below[here] * card.benchmark[rising] / np.array([measures[j].factor for j in rising])
    slope = np.divide(weight * scale, par, out=np.zeros(par.shape), where=counted)
    full_at = np.multiply(cap, par, out=np.zeros(par.shape), where=counted)
    others = card.score[at] - (np.where(counted, card.points[here], 0.0) * scale).sum(axis=1)
    amount = np.maximum(_reaching(target - others, slope, full_at) - card.above[at, 0], 0)
    step = _STEPS.get(first.amount_unit)
    # A millionth of a step is noise, not a reason for one more.
    return amount if step is None else np.round(np.ceil(amount / step - 1e-6) * step, 2)


def _reaching(gain: Floats, slope: Floats, full_at: Floats) -> Floats:
    """The amount at which points that rise by ``slope`` up to ``full_at`` (both (q, k)) add up to ``gain`` (q,)."""
    order = np.argsort(full_at, axis=1)
    slope, full_at = np.take_along_axis(slope, order, 1), np.take_along_axis(full_at, order, 1)
    amount, capped = np.full(len(gain), np.nan), np.zeros(len(gain))
    # The sum rises along a line that bends at each cap: the first stretch that is long enough holds the answer.
    for j in range(slope.shape[1]):
        rising = slope[:, j:].sum(axis=1)
        reached = np.divide(gain - capped, rising, out=np.full(len(gain), np.nan), where=rising > 0)
        amount = np.where(np.isnan(amount) & (reached <= full_at[:, j] * (1 + _SLACK)), reached, amount)
        capped += slope[:, j] * np.where(np.isfinite(full_at[:, j]), full_at[:, j], 0.0)
    return amount
