"""Calendar arithmetic on arrays of days, as the Civil Code counts periods (Art. 200–204), in Asia/Shanghai."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.datetime64]

NEVER = np.datetime64("NaT", "D")


def days(values: object) -> Days:
    """Anything date-like as a (n,) array of calendar days; missing values become ``NaT``."""
    return np.asarray(values, dtype="datetime64[D]")


def add_months(day: Days, months: int) -> Days:
    """The same day ``months`` later, or the last of that month where it has no such day (29 Feb + 1 year: 28 Feb)."""
    month = day.astype("datetime64[M]")
    offset = day - month.astype("datetime64[D]")
    target = month + np.timedelta64(months, "M")
    last = (target + np.timedelta64(1, "M")).astype("datetime64[D]") - np.timedelta64(1, "D")
    return np.minimum(target.astype("datetime64[D]") + offset, last)


def add_years(day: Days, years: int) -> Days:
    """The anniversary ``years`` later; see :func:`add_months`."""
    return add_months(day, 12 * years)
