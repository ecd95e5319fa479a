"""What was known on a day: dated facts after it do not exist yet, and a status is no older than its own date."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.land.calendar import NEVER, Days, days

UNDER_WAY = ("building", "suspended", "completed", "producing", "stopped")
DONE = ("completed", "producing", "stopped")
# The date that makes a status true, and the states that it makes.
_DATED = {
    "started_on": UNDER_WAY,
    "completed_on": DONE,
    "suspended_on": ("suspended",),
    "stopped_on": ("stopped",),
}


def known_days(table: pd.DataFrame, name: str, as_of: np.datetime64) -> Days:
    """A date column as (n,) days; ``NaT`` where it is empty or lies after ``as_of``."""
    value = days(table[name].to_numpy())
    return np.where(value <= as_of, value, NEVER)


def status_seen(table: pd.DataFrame, as_of: np.datetime64) -> NDArray[np.object_]:
    """The status as far as it was true on a day: (n,) words; ``None`` where its own date lies later."""
    status = table["status"].to_numpy(dtype=object, copy=True)
    for field, words in _DATED.items():
        status[np.isin(status.astype(str), words) & (days(table[field].to_numpy()) > as_of)] = None
    return status
