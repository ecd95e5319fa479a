"""What rules and scores compute with: one row per parcel or firm, a column for everything a measure is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.land.measures import Subject, measure_of

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Inputs:
    """A table of parcels or firms with the columns that measures and conditions speak of.

    Parameters
    ----------
    subject : what a row is
    table : (n) rows, ``RangeIndex``. Both kinds: ``parcel_id`` or ``firm_id``, ``town``, ``holder``, ``land_m2``,
        ``above_scale`` (1, 0, nan), ``industry``, ``industry_edition``, ``years_without_tax``, and the figures of the
        year in stored units; parcels also ``area_m2`` and everything that belongs to ground and building
    reasons : column -> (n,) what is missing where its value is, ``None`` for the column itself
    """

    subject: Subject
    table: pd.DataFrame
    reasons: Mapping[str, NDArray[np.object_]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.table)

    def column(self, name: str) -> Floats:
        """A column as (n,) float, ``nan`` where nothing is known; a column that nobody has is unknown throughout."""
        if name not in self.table:
            return np.full(len(self.table), np.nan)
        return self.table[name].to_numpy(dtype=float, na_value=np.nan)

    def value(self, measure: str) -> Floats:
        """A measure as (n,) float in its own unit; ``nan`` where an input is unknown or a whole is not above 0."""
        of = measure_of(measure)
        above = self.column(of.numerator)
        if of.denominator is None:
            return above * of.factor
        below = self.column(of.denominator)
        return np.divide(above * of.factor, below, out=np.full(len(above), np.nan), where=below > 0)

    def is_uncomputable(self, measure: str) -> NDArray[np.bool_]:
        """Where the denominator is known and not above 0 (no staff, no energy): (n,) bool."""
        of = measure_of(measure)
        return np.zeros(len(self), dtype=bool) if of.denominator is None else self.column(of.denominator) <= 0

    def missing(self, measure: str, row: int) -> list[str]:
        """What would have to be known for a measure of one row; ``name<=0`` for a denominator that is none."""
        of = measure_of(measure)
        names = []
        for name in (of.numerator, of.denominator):
            if name is None:
                continue
            value = self.column(name)[row] if name in self.table else np.nan
            if np.isnan(value):
                reason = self.reasons[name][row] if name in self.reasons else None
                names.append(name if reason is None else str(reason))
            elif name == of.denominator and value <= 0:
                names.append(f"{name}<=0")
        return names
