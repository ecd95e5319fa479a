"""For how many years in a row no tax was paid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geo.land.firm_identity import distinct

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_CENT = 0.005  # less than half a cent is no tax, whatever apportioning left of it


def years_without_tax(
    group: Ints, use: Ints, year: Ints, tax: Floats, uses_of_group: Ints, last_year: int
) -> tuple[Floats, NDArray[np.bool_]]:
    """Consecutive years without tax up to the last finished one, of firms or of parcels.

    A year is without tax where every use of the group is on record in it and their sum is 0 or less; tax was paid where
    what is known of it is more. Only a year with tax ends the count: without one it is a lower bound, which is given
    from two years on and marked as open; a single year, or a last year that is not on record, leaves it unknown.

    Parameters
    ----------
    group, use, year, tax : (k,) each record's firm or parcel, its use of land, its year, what it paid (nan: unknown)
    uses_of_group : (g,) number of uses that each group has
    last_year : the last year that is over

    Returns
    -------
    years : (g,) ``nan`` where unknown
    is_open : (g,) whether it may be more
    """
    groups = len(uses_of_group)
    years, is_open = np.full(groups, np.nan), np.zeros(groups, dtype=bool)
    if not len(group):
        return years, is_open
    # One line a group and year, the newest first, so that the place in the group says which year it should be.
    back = last_year - year
    slot, line = np.unique(group * (back.max() + 1) + back, return_inverse=True)
    of, age = np.divmod(slot, back.max() + 1)
    known = np.isfinite(tax)
    paid = np.bincount(line, np.where(known, tax, 0.0)) > _CENT
    spoken = distinct(line * (use.max() + 1) + use) // (use.max() + 1)
    whole = np.bincount(spoken) == uses_of_group[of]
    nil = ~paid & whole & (np.bincount(line, ~known) == 0)
    start = np.searchsorted(of, np.arange(groups))
    place = np.arange(len(of)) - start[of]
    on_record = age == place
    # The first line that is not a year without tax ends the run.
    ends = np.bincount(of, minlength=groups)
    np.minimum.at(ends, of, np.where(nil & on_record, ends[of], place))
    at = np.minimum(start + ends, len(of) - 1)
    ended = (start + ends < len(of)) & (of[at] == np.arange(groups)) & on_record[at] & paid[at]
    years[ended] = ends[ended]
    is_open = ~ended & (ends >= 2)
    years[is_open] = ends[is_open]
    return years, is_open
