"""Whether construction has started in the sense of the law, and since when (办法第三十条), in three-valued logic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.land.calendar import NEVER, Days, days
from geo.land.facts import DONE, UNDER_WAY, dated_later, known_days, status_seen

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]

_FACT = {"pit": "pit_done_date", "pile": "piles_done_date", "other": "foundation_pct"}


@dataclass(frozen=True, slots=True)
class Start:
    """Whether and when the construction of each parcel started.

    ``state`` (n,) 1 started, 0 not, nan unknown · ``since`` (n,) day on which permit and foundation were both there,
    or the stated day where the foundation is not known, ``NaT`` where no day is known · ``finished`` (n,) completed ·
    ``contradictory`` (n,) the evidence contradicts itself · ``permit``, ``foundation`` (n,) 1 there, 0 not, nan unknown
    · ``fact`` (n,) field that tells of the foundation, empty where its kind is unknown.
    """

    state: Floats
    since: Days
    finished: Flags
    contradictory: Flags
    permit: Floats
    foundation: Floats
    fact: NDArray[np.object_]

    def missing(self, row: int) -> list[str]:
        """What would have to be known to decide whether this parcel was started; empty where it is decided."""
        if not np.isnan(self.state[row]):
            return []
        if self.contradictory[row]:
            return ["contradiction:started_on"]
        if not self.fact[row]:
            return ["started_on"]
        permit = ["permit_date"] if np.isnan(self.permit[row]) else []
        return permit + ([str(self.fact[row])] if np.isnan(self.foundation[row]) else [])


def start_of(table: pd.DataFrame, as_of: np.datetime64) -> Start:
    """Whether construction had started on a day.

    Parameters
    ----------
    table : (n) canonical parcels
    as_of : day; what is dated after it had not happened

    Notes
    -----
    Started means that the construction permit is there and the pit is dug, all piles are driven, or a third of another
    foundation is done (办法第三十条). These facts decide where they are given; a stated start that lies before them
    contradicts them, and then nothing is believed. What is completed was started, whatever is known of its foundation.
    """
    said, stated = known_days(table, "started_on", as_of), days(table["started_on"].to_numpy())
    permit_on = days(table["permit_date"].to_numpy())
    kind = table["foundation_kind"]
    by_facts = kind.notna().to_numpy(dtype=bool)
    pit, pile = kind.eq("pit").fillna(False).to_numpy(bool), kind.eq("pile").fillna(False).to_numpy(bool)
    done_on = np.select(
        [pit, pile],
        [days(table["pit_done_date"].to_numpy()), days(table["piles_done_date"].to_numpy())],
        default=NEVER,
    )
    permit = _reached(permit_on, as_of)
    foundation = np.where(pit | pile, _reached(done_on, as_of), _third(table, as_of))
    foundation[~by_facts] = np.nan

    facts = np.where((permit == 1) & (foundation == 1), 1.0, np.nan)
    # One of the two known to be short decides alone.
    facts[(permit == 0) | (foundation == 0)] = 0.0

    status = pd.Series(status_seen(table, as_of))
    not_started = status.eq("not_started").to_numpy(bool)
    completed = ~np.isnat(known_days(table, "completed_on", as_of))
    finished = completed | status.isin(DONE).to_numpy(bool)
    under_way = status.isin(UNDER_WAY).to_numpy(bool) | ~np.isnat(said)
    # Where the kind of foundation is known, being under way is not yet a start in the sense of the law.
    claimed = np.where(under_way & ~by_facts, 1.0, np.nan)
    claimed[not_started | dated_later(table, "started_on", as_of)] = 0.0
    state = np.where(np.isnan(facts), claimed, facts)

    known = ~np.isnat(said)
    contradictory = known & ((facts == 0) | (said < permit_on) | (said < done_on))
    contradictory = contradictory & ~finished | not_started & (known | (facts == 1) | completed)
    state[finished] = 1.0
    state[contradictory] = np.nan

    # How far a foundation is bears no date: there the stated day stands.
    dated = np.where(pit | pile, np.maximum(permit_on, done_on), stated)
    since = np.where((state == 1) & (facts == 1), dated, np.where(state == 1, said, NEVER))
    fact = kind.map(_FACT).fillna("foundation_pct").where(kind.notna(), "").to_numpy(dtype=object)
    return Start(state, since, finished, contradictory, permit, foundation, fact)


def _reached(on: Days, as_of: np.datetime64) -> Floats:
    """1 where the day has come, 0 where it lies ahead, nan where none is known."""
    return np.where(np.isnat(on), np.nan, (on <= as_of).astype(float))


def _third(table: pd.DataFrame, as_of: np.datetime64) -> Floats:
    """Whether a third of the foundation is done: 1, 0, nan. The share is today's, so a later start makes it unknown."""
    percent = table["foundation_pct"].to_numpy(dtype=float, na_value=np.nan)
    done = np.where(np.isnan(percent), np.nan, (3 * percent >= 100).astype(float))
    done[dated_later(table, "started_on", as_of)] = np.nan
    return done
