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
    # Under construction again: before the work was taken up, it was not.
    "resumed_on": ("building",),
}


def known_days(table: pd.DataFrame, name: str, as_of: np.datetime64) -> Days:
    """A date column as (n,) days; ``NaT`` where it is empty or lies after ``as_of``."""
    value = days(table[name].to_numpy())
    return np.where(value <= as_of, value, NEVER)


def dated_later(table: pd.DataFrame, name: str, as_of: np.datetime64) -> NDArray[np.bool_]:
    """Where a date column has a date after ``as_of``: (n,) bool; on that day it had not happened, which is certain."""
    return np.asarray(days(table[name].to_numpy()) > as_of)


def status_seen(table: pd.DataFrame, as_of: np.datetime64) -> NDArray[np.object_]:
    """The status as far as it was true on a day: (n,) words; ``None`` where its own date lies later."""
    status = table["status"].to_numpy(dtype=object, copy=True)
    for field, words in _DATED.items():
        later = days(table[field].to_numpy()) > as_of
        if later.any():
            status[later & table["status"].isin(words).to_numpy(dtype=bool)] = None
    return status


def supply_dated(parcels: pd.DataFrame) -> NDArray[np.bool_]:
    """Which parcels have a date that only a supply brings: contract, agreed start, hand-over; (n,) bool."""
    dates = parcels[["contract_date", "start_due", "handover_date"]]
    return dates.notna().any(axis=1).to_numpy(dtype=bool)


def supply_known(parcels: pd.DataFrame, as_of: np.datetime64 | None = None) -> NDArray[np.bool_]:
    """Which parcels were supplied to a user as far as is known: a kind of supply, a contract, a hand-over; (n,) bool.

    On a day, land of which the contract is of a later day was not yet supplied, unless an earlier hand-over or agreed
    start shows that it was. Without a day whatever the dates.
    """
    supplied = supply_dated(parcels) | parcels["supply_kind"].notna().to_numpy(dtype=bool)
    if as_of is None:
        return supplied
    earlier = ~np.isnat(known_days(parcels, "handover_date", as_of)) | ~np.isnat(
        known_days(parcels, "start_due", as_of)
    )
    return supplied & ~(dated_later(parcels, "contract_date", as_of) & ~earlier)
