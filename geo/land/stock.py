"""Stock classes of construction land (批而未供, 供而未用, 用而未尽, 已供已用): never one of the idle levels."""

from __future__ import annotations

import numpy as np
import pandas as pd

from geo.land.facts import supply_known
from geo.land.starts import start_of


def stock_classes(parcels: pd.DataFrame, as_of: np.datetime64) -> pd.DataFrame:
    """The stock class of each parcel: what its source states, else what follows from its facts.

    Parameters
    ----------
    parcels : (n) canonical parcels
    as_of : day; what is dated after it had not happened

    Returns
    -------
    classes : (n) rows with the index of ``parcels``: ``stock_class`` (``None`` where nothing follows) and
        ``stock_basis``: ``source``, ``derived`` or ``None``

    Notes
    -----
    Of what was supplied, land that is completed is in use (whether it produces is another matter), land that is not
    started is supplied and unused, and land that is started is partly used where less than what was due is known to be
    developed. Without a supply nothing is derived: that land was approved at all is for the source to say.
    """
    as_of = as_of.astype("datetime64[D]")
    start = start_of(parcels.reset_index(drop=True), as_of)
    supplied = supply_known(parcels, as_of)
    developed, whole = (
        parcels[name].to_numpy(dtype=float, na_value=np.nan) for name in ("area_developed_m2", "area_due_m2")
    )
    started = supplied & (start.state == 1)
    cases = {
        "supplied_unused": supplied & (start.state == 0),
        "partly_used": started & ~start.finished & (developed < whole),
        "in_use": started & start.finished,
    }
    found = np.select(list(cases.values()), list(cases), default="").astype(object)
    stated = parcels["stock_class"].notna().to_numpy(dtype=bool)
    basis = np.select([stated, found != ""], ["source", "derived"], default="").astype(object)
    found[stated] = parcels["stock_class"].to_numpy(dtype=object)[stated]
    found[basis == ""], basis[basis == ""] = None, None
    return pd.DataFrame({"stock_class": found, "stock_basis": basis}, index=parcels.index, dtype=object)
