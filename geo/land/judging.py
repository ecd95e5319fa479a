"""From criteria to verdicts: 1 a rule is met, 0 it is not, unknown only where the answer depends on what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.land.inputs import Inputs
from geo.land.measures import Measure, measure_of
from geo.land.rule_sets.inefficiency import Applies, Criterion, InefficiencyRule, SectorTable
from geo.land.thresholds import (
    Flags,
    Floats,
    Lack,
    Texts,
    all_hold,
    factor_into,
    in_industry,
    of_size,
    thresholds_of,
    unit_of,
)
from geo.units import M2_PER_MU

# 20 mu of 60 mu are exactly a third although neither is a whole number of m2: what units round is far below a cent.
SLACK = 1e-9
# Months since a date, the date they count from, and the states that say that it is over.
_RUNNING: dict[str, tuple[str, tuple[str, ...]]] = {
    "stopped_months": ("stopped_on", ("producing",)),
    "suspended_months": ("suspended_on", ("building", "completed", "producing")),
}


class Condition(NamedTuple):
    """Something that has to hold beside the criteria: (n,) 1, 0 or ``nan``, and what is missing where it is unknown."""

    holds: Floats
    lacks: tuple[Lack, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """One criterion for each row.

    ``low`` (n,) 1 met, 0 not, ``nan`` unknown · ``value`` and ``threshold`` (n,) in the measure's unit; the threshold
    is the one nearest to passing where several are possible (``several``) · ``is_unverified`` (n,) where it is a
    value of a table that nobody has verified · ``unit`` and ``factor`` of the rule's own way of saying it
    """

    criterion: Criterion
    measure: Measure
    low: Floats
    value: Floats
    threshold: Floats
    several: Flags
    is_unverified: Flags
    lacks: tuple[Lack, ...]
    unit: str
    factor: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """A rule for each row: ``low`` (n,) 1 met, 0 not, ``nan`` unknown, the criteria, and what is missing."""

    low: Floats
    compared: tuple[Compared, ...]
    lacks: tuple[Lack, ...]


def judged(
    rule: InefficiencyRule, inputs: Inputs, tables: Mapping[str, SectorTable], conditions: Sequence[Condition] = ()
) -> Verdict:
    """A rule applied to parcels or firms.

    Parameters
    ----------
    rule : every criterion has to be met
    inputs : (n) parcels or firms, the kind that the rule is for
    tables : tables of the rule set by name
    conditions : what else has to hold, each (n,)

    Raises
    ------
    InvalidParameter
        The unit of a criterion does not measure what its measure does.
    """
    compared = tuple(compare(criterion, inputs, tables) for criterion in rule.when)
    also = [*applying(rule.applies, inputs), *conditions]
    low = all_hold([one.low for one in compared] + [one.holds for one in also], len(inputs))
    open_ = np.isnan(low)
    parts = [(one.low, one.lacks) for one in compared] + [(one.holds, one.lacks) for one in also]
    lacks = [Lack(lack.where & open_ & np.isnan(part), lack.name) for part, of in parts for lack in of]
    return Verdict(low, compared, tuple(lacks))


def compare(criterion: Criterion, inputs: Inputs, tables: Mapping[str, SectorTable]) -> Compared:
    """One criterion for each row; see :func:`judged`."""
    measure = measure_of(criterion.measure)
    value = inputs.value(measure.name)
    thresholds = thresholds_of(criterion, measure, inputs, tables)
    way = criterion.comparison[0]
    n = len(inputs)
    met, unmet, blank = np.zeros(n, bool), np.zeros(n, bool), np.zeros(n, bool)
    at_least = inputs.column(f"{measure.numerator}_open") == 1
    vague = np.zeros(n, dtype=bool)
    lowest, highest = np.full(n, np.inf), np.full(n, -np.inf)
    for line in thresholds.lines:
        outcome = _outcome(way, value, line.value)
        # A count that may be more can pass a threshold but not stay below one.
        outcome[at_least & (outcome == (way in ("below", "at_most")))] = np.nan
        vague |= at_least & line.possible & np.isnan(outcome)
        met |= line.possible & (outcome == 1)
        unmet |= line.possible & (outcome == 0)
        known = line.possible & ~np.isnan(line.value)
        blank |= line.possible & ~known
        lowest = np.where(known, np.minimum(lowest, line.value), lowest)
        highest = np.where(known, np.maximum(highest, line.value), highest)
    low = np.where((met & unmet) | blank | vague | np.isnan(value), np.nan, met.astype(float))
    over = np.zeros(n, dtype=bool)
    if measure.name in _RUNNING and "status" in inputs.table:
        # A firm that produces again has started again; when, the layer does not say.
        over = (low == 1) & inputs.table["status"].isin(_RUNNING[measure.name][1]).to_numpy(dtype=bool)
        low[over] = np.nan
    open_ = np.isnan(low) & ~over
    choice = open_ & ((lowest < highest) | blank)
    chosen = np.logical_or.reduce([lack.where for lack in thresholds.unsure]) if thresholds.unsure else ~open_ & open_
    lacks = [*_unmeasured(measure, inputs)]
    for line in thresholds.lines:
        # Where a condition leaves the line open, that condition is what is missing, not the threshold.
        silent = open_ & line.possible & np.isnan(line.value) & ((line.lacking != "threshold") | ~chosen)
        lacks.append(Lack(silent, line.lacking))
    lacks.append(Lack(vague & ~np.isnan(value), measure.numerator))
    lacks += [Lack(choice & lack.where, lack.name) for lack in thresholds.unsure]
    if over.any():
        lacks.append(Lack(over, f"contradiction:{_RUNNING[measure.name][0]}"))
    nearest = lowest if way in ("below", "at_most") else highest
    unit = unit_of(criterion, measure, tables)
    return Compared(
        criterion, measure, low, value, np.where(np.isfinite(nearest), nearest, np.nan),
        (lowest < highest) & np.isfinite(lowest), thresholds.is_unverified, tuple(lacks), unit,
        factor_into(unit, measure),
    )  # fmt: skip


def _outcome(way: str, value: Floats, bound: Floats) -> Floats:
    """Exactly the threshold is not below it and not above it, in whatever unit either was given: (n,) 1, 0, ``nan``."""
    slack = SLACK * np.abs(bound)
    if way == "below":
        met = value < bound - slack
    elif way == "at_most":
        met = value <= bound + slack
    elif way == "above":
        met = value > bound + slack
    else:
        met = value >= bound - slack
    return np.where(np.isnan(value) | np.isnan(bound), np.nan, met.astype(float))


def _unmeasured(measure: Measure, inputs: Inputs) -> list[Lack]:
    """What is missing of the measure itself; a denominator of nought is named as such."""
    lacks = []
    for name in (measure.numerator, measure.denominator):
        if name is None:
            continue
        column = inputs.column(name)
        unknown = np.isnan(column)
        lacks.append(Lack(unknown, reason_of(inputs, name)))
        if name == measure.denominator:
            lacks.append(Lack(column <= 0, f"{name}<=0"))
    return lacks


def reason_of(inputs: Inputs, name: str) -> str | Texts:
    """What to name where a column is unknown: the column, or what it would have been made of."""
    if name not in inputs.reasons:
        return name
    told = inputs.reasons[name]
    return np.where(pd.isna(told), name, told).astype(object)


def applying(applies: Applies, inputs: Inputs) -> list[Condition]:
    """The conditions of a rule's scope that belong to the parcel or firm: size, land, exempt industry."""
    conditions = []
    if applies.size:
        holds = of_size(inputs, applies.size)
        conditions.append(Condition(holds, (Lack(np.isnan(holds), "above_scale"),)))
    if applies.min_land_mu > 0:
        land = inputs.column("land_m2")
        enough = (land >= applies.min_land_mu * M2_PER_MU * (1 - SLACK)).astype(float)
        holds = np.where(np.isnan(land), np.nan, enough)
        conditions.append(Condition(holds, (Lack(np.isnan(holds), reason_of(inputs, "land_m2")),)))
    if applies.exempt_industry:
        exempt, name = in_industry(inputs, applies.exempt_industry, applies.industry_edition)
        conditions.append(Condition(1 - exempt, (Lack(np.isnan(exempt), name),)))
    return conditions


def missing_of(lacks: Sequence[Lack], rows: NDArray[np.int64]) -> list[list[str]]:
    """The names of what is missing for some rows, each once, in the order of the criteria."""
    names: list[dict[str, None]] = [{} for _ in rows]
    for where, name in lacks:
        for i in np.flatnonzero(where[rows]):
            told = name if isinstance(name, str) else name[rows[i]]
            names[i].update(dict.fromkeys((told,) if isinstance(told, str) else told))
    return [list(each) for each in names]
