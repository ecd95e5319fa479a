"""The parcel table while it is being filled: one array a column, dates as ``datetime64[D]``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.demo.cutting import Floats, Ints

Days = NDArray[np.datetime64]

TEXT = (
    "land_use",
    "tenure",
    "holder",
    "town",
    "address",
    "supply_kind",
    "delay_cause",
    "industry",
    "status",
    "stock_class",
)
DATES = (
    "contract_date", "handover_date", "start_due", "completion_due", "started_on", "completed_on", "suspended_on",
    "resumed_on", "delay_from", "delay_to", "stopped_on", "available_from",
)  # fmt: skip
REALS = (
    "land_price_yuan", "investment_due_yuan", "investment_made_yuan", "area_due_m2", "area_developed_m2",
    "declared_area_m2", "area_m2", "floor_area_m2", "footprint_m2", "fixed_assets_yuan", "output_yuan", "tax_yuan",
    "value_added_yuan", "energy_tce", "employees", "year", "power_kva", "water_m3d", "gas_m3d", "steam_th",
    "sewage_m3d", "price_yuan_per_mu",
)  # fmt: skip


@dataclass(slots=True)
class ParcelTable:
    """Columns of all parcels; ``put`` writes to some rows. ``above_scale`` holds True, False or None."""

    parcel_id: NDArray[np.object_]
    columns: dict[str, NDArray[Any]]

    @classmethod
    def empty(cls, parcel_id: NDArray[np.object_]) -> ParcelTable:
        """A table with a row for each id and no value in any column."""
        n = len(parcel_id)
        columns: dict[str, NDArray[Any]] = {name: np.full(n, None, dtype=object) for name in (*TEXT, "above_scale")}
        columns |= {name: np.full(n, np.datetime64("NaT", "D")) for name in DATES}
        columns |= {name: np.full(n, np.nan) for name in REALS}
        return cls(parcel_id, columns)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    def put(self, rows: Ints, **values: Any) -> None:
        """Write scalars or arrays of the length of ``rows``; ``None`` empties a cell of any kind."""
        for name, value in values.items():
            column = self.columns[name]
            if value is None and column.dtype != object:
                value = np.datetime64("NaT", "D") if name in DATES else np.nan
            elif isinstance(value, date):
                value = np.datetime64(value, "D")
            column[rows] = value

    def frame(self) -> pd.DataFrame:
        """The table as canonical parcel columns: dates as ISO text, whole numbers as nullable integers."""
        data: dict[str, Any] = {"parcel_id": self.parcel_id}
        for name in (*TEXT, *DATES, *REALS):
            column = self.columns[name]
            data[name] = iso(column) if name in DATES else column
        frame = pd.DataFrame(data)
        for name in ("employees", "year"):
            frame[name] = frame[name].round().astype("Int64")
        frame["above_scale"] = pd.array(self.columns["above_scale"], dtype="boolean")
        return frame


def iso(days: Days) -> NDArray[np.object_]:
    """Days as ISO text, ``None`` where there is none."""
    text = np.datetime_as_string(days, unit="D").astype(object)
    text[np.isnat(days)] = None
    return text


def plus_years(days: Days, years: int) -> Days:
    """The same calendar day ``years`` later; 29 February becomes 28 February in a common year."""
    later = pd.DatetimeIndex(days.astype("datetime64[s]")) + pd.DateOffset(years=years)
    return np.asarray(later.to_numpy().astype("datetime64[D]"))


def days(rng: np.random.Generator, low: int, high: int, n: int) -> NDArray[np.timedelta64]:
    """Random spans of whole days in [low, high]."""
    return rng.integers(low, high + 1, n).astype("timedelta64[D]")


def uniform(rng: np.random.Generator, low: float, high: float, n: int) -> Floats:
    """Random numbers, for brevity."""
    return np.asarray(rng.uniform(low, high, n))
