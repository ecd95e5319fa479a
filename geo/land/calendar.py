"""Calendar arithmetic on arrays of days, as the Civil Code counts periods (Art. 200–204), in Asia/Shanghai."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.datetime64]
FullOn = Literal["next_day", "same_day"]

NEVER = np.datetime64("NaT", "D")
ONE_DAY = np.timedelta64(1, "D")


def days(values: object) -> Days:
    """Anything date-like as a (n,) array of calendar days; missing values become ``NaT``."""
    return np.asarray(values, dtype="datetime64[D]")


def add_months(day: Days, months: int | NDArray[np.int64]) -> Days:
    """The same day ``months`` later, or the last of that month where it has no such day (29 Feb + 1 year: 28 Feb)."""
    month = day.astype("datetime64[M]")
    offset = day - month.astype("datetime64[D]")
    target = month + np.asarray(months).astype("timedelta64[M]")
    last = (target + np.timedelta64(1, "M")).astype("datetime64[D]") - np.timedelta64(1, "D")
    return np.minimum(target.astype("datetime64[D]") + offset, last)


def add_years(day: Days, years: int) -> Days:
    """The anniversary ``years`` later; see :func:`add_months`."""
    return add_months(day, 12 * years)


def years_over(day: Days, years: int, full_on: FullOn = "next_day") -> Days:
    """The first day on which ``years`` since ``day`` are over: (n,) days, ``NaT`` without a day.

    A period ends at 24:00 of its anniversary (Civil Code Art. 201-202), so it is over on the day after it; ``same_day``
    is the reading that takes the anniversary itself.
    """
    anniversary = add_years(day, years)
    return anniversary + ONE_DAY if full_on == "next_day" else anniversary


def full_months(since: Days, as_of: np.datetime64) -> NDArray[np.float64]:
    """Calendar months that are complete: (n,) float, ``nan`` without a date, 0 before the first is complete.

    A month is complete at 24:00 of the day that ends it, so it counts from the following day on.
    """
    day = days(since)
    guess = (as_of.astype("datetime64[M]") - day.astype("datetime64[M]")).astype(float)
    known = ~np.isnat(day)
    whole = np.where(known, guess, 0).astype(np.int64)
    # The ends of months of different length: the guess is right or one too many.
    end = add_months(np.where(known, day, np.datetime64("2000-01-01", "D")), whole)
    return np.where(known, np.maximum(whole - (end >= as_of.astype("datetime64[D]")), 0), np.nan)
