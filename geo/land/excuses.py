"""What stops a clock: delays that the government or force majeure caused (办法第八条), and the days they take out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.land.calendar import ONE_DAY, Days, days, years_over
from geo.land.rule_sets.idle import IdleRules
from geo.layers.words import WORDS

Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]

CAUSES: dict[str, str] = {cause: spellings[0] for cause, spellings in WORDS["delay_cause"].items()}
# Land handed over after the agreed start is the first ground of Art. 8 for the days between.
LATE_HANDOVER = "art8_1"
WHY_NOT = {
    "later": "评估日尚未发生",
    "own": "企业自身原因，不予扣除",
    "other_cause": "不属于可扣除的原因",
    "no_cause": "未注明原因",
    "undated": "没有起始日期",
    "reversed": "止期早于起期",
    "not_rule_b": "本规则集的停工期间不扣除",
    "switched_off": "本规则集不扣除迟延交地的天数",
    "no_clock": "应动工日期不明",
    "before": "在起算日之前已经结束",
    "after": "期满之后才开始，不再扣除",
    "overlap": "与其他期间重叠，不重复扣除",
}


@dataclass(frozen=True, slots=True)
class Delays:
    """The delays of the parcels of a table, one row each (k,).

    ``parcel`` position of the parcel · ``cause`` · ``begin``, ``end`` first and last day, both included · ``late``
    stands for a late hand-over rather than a row of a source · ``evidence``, ``load_id``, ``source_row`` as imported.
    """

    parcel: Ints
    cause: NDArray[np.object_]
    begin: Days
    end: Days
    late: Flags
    evidence: NDArray[np.object_]
    load_id: NDArray[np.object_]
    source_row: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.parcel)

    def only(self, chosen: Flags) -> Delays:
        """Some of the delays."""
        return Delays(*(getattr(self, name)[chosen] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Clock:
    """When periods of years are over, net of excuses, for n parcels, p periods and k delays.

    ``over`` (n, p) first day on which each period is over, ``NaT`` without a day to count from · ``taken`` (n, p) days
    that excuses took out of it · ``running`` (n, p) an excuse of it still runs, so ``over`` is still moving ·
    ``counted`` (k, p) days of each delay that were counted · ``why_not`` (k,) key of ``WHY_NOT``, empty where it
    counted · ``undated``, ``no_cause`` (n,) a delay without beginning or cause was set aside and might have counted.
    """

    over: Days
    taken: Ints
    running: Flags
    counted: Ints
    why_not: NDArray[np.object_]
    undated: Flags
    no_cause: Flags


def delays_of(table: pd.DataFrame, delays: pd.DataFrame | None, due: Days, silent: Flags) -> Delays:
    """Everything on record that may excuse a delay: rows of ``delays``, the parcel's own first one, late hand-over.

    Parameters
    ----------
    table : (n) canonical parcels, ``RangeIndex``
    delays : canonical ``delays`` of these or more parcels, or ``None``
    due : (n,) day on which construction is due
    silent : (n,) the contract names no such day, so that it follows from the hand-over
    """
    frames = []
    if delays is not None and len(delays):
        place = pd.Series(np.arange(len(table)), index=table["parcel_id"].to_numpy(dtype=object))
        place = place[~place.index.duplicated()]
        position = place.reindex(delays["parcel_id"].to_numpy(dtype=object)).to_numpy()
        known = ~np.isnan(position)
        frames.append(_rows(delays[known], position[known], late=False))
    own = table[["delay_cause", "delay_from", "delay_to"]].notna().any(axis=1).to_numpy()
    frames.append(_rows(table[own], np.flatnonzero(own), late=False, own=True))
    handover = days(table["handover_date"].to_numpy())
    late = ~silent & (handover > due)
    as_delay = table[late].assign(
        delay_cause=LATE_HANDOVER, delay_from=due[late], delay_to=handover[late], evidence="交地日期晚于约定动工日期"
    )
    frames.append(_rows(as_delay, np.flatnonzero(late), late=True))
    found = pd.concat([frame for frame in frames if len(frame)], ignore_index=True) if any(map(len, frames)) else None
    if found is None:
        found = _rows(table[:0], np.empty(0), late=False)
    # The parcel repeats the first of its delays: once is enough.
    same = found.duplicated(["parcel", "cause", "begin", "end"]) & found["own"]
    found = found[~same.to_numpy(dtype=bool)]
    return Delays(
        found["parcel"].to_numpy(dtype=np.int64),
        found["cause"].to_numpy(dtype=object),
        days(found["begin"].to_numpy()),
        days(found["end"].to_numpy()),
        found["late"].to_numpy(dtype=bool),
        found["evidence"].to_numpy(dtype=object),
        found["load_id"].to_numpy(dtype=object),
        found["source_row"].to_numpy(dtype=object),
    )


def _rows(frame: pd.DataFrame, parcel: Any, *, late: bool, own: bool = False) -> pd.DataFrame:
    def column(name: str) -> Any:
        return frame[name].to_numpy(dtype=object) if name in frame else np.full(len(frame), None, dtype=object)

    return pd.DataFrame(
        {
            "parcel": np.asarray(parcel).astype(np.int64), "cause": column("delay_cause"),
            "begin": days(frame["delay_from"].to_numpy()).astype("datetime64[s]"),
            "end": days(frame["delay_to"].to_numpy()).astype("datetime64[s]"),
            "late": np.full(len(frame), late), "own": np.full(len(frame), own),
            "evidence": column("evidence"), "load_id": column("load_id"), "source_row": column("source_row"),
        }
    )  # fmt: skip


def clock_of(origin: Days, years: Sequence[int], delays: Delays, rules: IdleRules, as_of: np.datetime64) -> Clock:
    """When periods counted from a day are over, net of the excuses.

    Parameters
    ----------
    origin : (n,) day from which the periods are counted; it is not itself counted (Civil Code Art. 201)
    years : (p,) lengths of the periods in years
    delays : of these parcels
    rules : says which causes excuse, and when a year is full
    as_of : day; a delay that begins after it does not exist yet, one that ends after it is still running

    Notes
    -----
    Overlapping excuses count once. An excuse counts for a period only when it began before the period was over on the
    clock net of the excuses counted before (办法第八条; 最高人民法院 (2017)最高法行申5480号).
    """
    n, k, p = len(origin), len(delays), len(years)
    over = np.stack([years_over(origin, length, rules.year_full_on) for length in years], axis=1)
    taken, running = np.zeros((n, p), np.int64), np.zeros((n, p), bool)
    counted, why_not = np.zeros((k, p), np.int64), np.full(k, "", dtype=object)

    parcel, begin, end = delays.parcel, delays.begin, delays.end
    open_end = np.isnat(end) | (end > as_of)
    last = np.where(open_end, as_of, end)
    first = np.maximum(begin, origin[parcel] + ONE_DAY)
    no_cause = pd.isna(delays.cause)
    causes = delays.cause.astype(str)
    excusing = np.isin(causes, rules.excusing)
    late_off = delays.late & (not rules.late_handover_excuses)
    conditions = {
        "later": begin > as_of, "own": causes == "own", "no_cause": no_cause, "other_cause": ~excusing,
        "switched_off": late_off, "no_clock": np.isnat(origin[parcel]), "before": end <= origin[parcel],
        "undated": np.isnat(begin), "reversed": end < begin, "before_": last < first,
    }  # fmt: skip
    for name, holds in conditions.items():
        why_not[holds & (why_not == "")] = name.rstrip("_")

    usable = np.flatnonzero(why_not == "")
    keys = (causes[usable], last[usable], first[usable], parcel[usable])
    order = usable[np.lexsort(keys)]
    # One round per excuse of the parcel that has most of them: the second waits for the clock that the first has moved.
    turn = np.arange(len(order)) - np.searchsorted(parcel[order], parcel[order], side="left")
    by_turn = order[np.argsort(turn, kind="stable")]
    ends = np.cumsum(np.bincount(turn)) if len(turn) else np.empty(0, np.int64)
    covered = origin.copy()
    for low, high in zip(np.r_[0, ends[:-1]], ends, strict=True) if len(ends) else ():
        row = by_turn[low:high]
        owner, to = parcel[row], last[row]
        fresh = np.maximum(first[row], covered[owner] + ONE_DAY)
        gained = np.maximum((to - fresh).astype(np.int64) + 1, 0)
        in_time = fresh[:, None] < over[owner]
        counted[row] = np.where(in_time, gained[:, None], 0)
        taken[owner] += counted[row]
        over[owner] += counted[row].astype("timedelta64[D]")
        running[owner] |= open_end[row, None] & in_time
        covered[owner] = np.maximum(covered[owner], to)
        why_not[row] = np.where(gained == 0, "overlap", np.where(in_time.any(axis=1), "", "after"))

    undated, unknown_cause = np.zeros(n, bool), np.zeros(n, bool)
    undated[parcel[why_not == "undated"]] = True
    might = (why_not == "no_cause") & ~(last < first) & ~(begin >= over[parcel, -1])
    unknown_cause[parcel[might]] = True
    return Clock(over, taken, running, counted, why_not, undated, unknown_cause)


def without_excuses(clock: Clock, origin: Days, years: Sequence[int], rules: IdleRules) -> Clock:
    """The same clock where the rules let nothing stop it: what would have counted is set aside and says so."""
    over = np.stack([years_over(origin, length, rules.year_full_on) for length in years], axis=1)
    why_not = np.where(clock.why_not == "", "not_rule_b", clock.why_not)
    return replace(
        clock, over=over, taken=np.zeros_like(clock.taken), running=np.zeros_like(clock.running),
        counted=np.zeros_like(clock.counted), why_not=why_not,
    )  # fmt: skip


def told(delays: Delays, clock: Clock, row: int, as_of: np.datetime64) -> dict[str, Any]:
    """One delay in words, as JSON: from when to when, its cause, whether it counts, where it is from."""
    cause, begin, end = delays.cause[row], delays.begin[row], delays.end[row]
    running = bool((np.isnat(end) or end > as_of) and not begin > as_of)
    source = delays.load_id[row], delays.source_row[row]
    return {
        "from": _day(begin), "to": None if running else _day(end), "running": running,
        "cause": cause if isinstance(cause, str) else None, "zh": CAUSES.get(cause, "未注明"),
        **reason(clock.why_not[row]), "late_handover": bool(delays.late[row]),
        "evidence": delays.evidence[row] if isinstance(delays.evidence[row], str) else None,
        "source": {"load_id": source[0], "row": None if pd.isna(source[1]) else int(source[1])}
        if isinstance(source[0], str) else None,
    }  # fmt: skip


def reason(why_not: str) -> dict[str, Any]:
    """Whether a delay counts, and the words for why it does not."""
    return {"counts": why_not == "", "why_not": WHY_NOT[why_not] if why_not else None}


def _day(day: np.datetime64) -> str | None:
    return None if np.isnat(day) else str(day)
