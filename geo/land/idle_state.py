"""Where every parcel stands under the idle-land rules on a day: one computation for findings and for the timeline.

Facts dated after that day do not exist yet. A missing input matters only where the answer depends on it; then the
parcel is "not assessed" and says what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.land.calendar import NEVER, ONE_DAY, Days, add_years, days, years_over
from geo.land.excuses import Clock, Delays, clock_of, delays_of, without_excuses
from geo.land.facts import known_days, status_seen
from geo.land.rule_sets.base import Ratio, fraction
from geo.land.rule_sets.idle import IdleRules
from geo.land.starts import Start, start_of

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
Words = NDArray[np.object_]

_PARTS = ("area_developed_m2", "area_due_m2", "investment_made_yuan", "investment_due_yuan")


@dataclass(frozen=True, slots=True)
class NotStarted:
    """Rule A (办法第二条第一款) for n parcels.

    ``calendar`` the level that the dates alone give, as if nothing was started · ``level`` · ``since`` first day of the
    level · ``next_level``, ``next_date`` what will hold from when on if nothing happens (no date while an excuse runs)
    · ``warn_from`` · ``fee_yuan`` idle fee, nan where none is owed or it cannot be computed · ``no_fee`` why not.
    """

    calendar: Words
    level: Words
    since: Days
    next_level: Words
    next_date: Days
    warn_from: Days
    fee_yuan: Floats
    no_fee: Words


@dataclass(frozen=True, slots=True)
class Stalled:
    """Rule B (办法第二条第二款), or a stricter local rule of slow investment, for n parcels.

    ``over`` first day on which the period is over, ``NaT`` where none runs · ``passed`` whether it is: 1, 0, nan ·
    ``area_low``, ``money_low`` whether the share of land or investment is below: 1, 0, nan · ``low`` either of them.
    """

    level: Words
    since: Days
    next_level: Words
    next_date: Days
    over: Days
    passed: Floats
    area_low: Floats
    money_low: Floats
    low: Floats


@dataclass(frozen=True, slots=True)
class IdleState:
    """All subject parcels on a day. ``clock``: periods ``idle_years``, ``takeback_years`` and, where the rules have a
    rule of slow investment, its ``years``; ``stop_clock``: the suspension. Arrays are (n,), aligned with ``table``.
    """

    table: pd.DataFrame
    rules: IdleRules
    as_of: np.datetime64
    due: Days
    silent: Flags
    unsupplied: Flags
    start: Start
    delays: Delays
    clock: Clock
    stop_delays: Delays
    stop_clock: Clock
    suspended: Days
    not_started: NotStarted
    stalled: Stalled
    slow: Stalled | None

    def verdicts(self) -> dict[str, NotStarted | Stalled]:
        """What each rule says, by its code."""
        found: dict[str, NotStarted | Stalled] = {"IDLE_A": self.not_started, "IDLE_B": self.stalled}
        return found | ({"IDLE_SLOW": self.slow} if self.slow is not None else {})

    def missing(self, rule: str, row: int) -> list[str]:
        """What is missing for the level of a parcel by a rule, or would make its dates and its fee certain."""
        verdict = self.verdicts()[rule]
        level = verdict.level[row]
        if level == "ok":
            return []
        if self.unsupplied[row]:
            return ["contradiction:stock_class"]
        undated = self._undated(row) if np.isnat(self.due[row]) and rule != "IDLE_B" else []
        if isinstance(verdict, NotStarted):
            if level == "not_assessed":
                return undated + self.start.missing(row)
            fee = [verdict.no_fee[row]] if verdict.no_fee[row] else []
            return self._set_aside(self.clock, row, level != "warning") + fee
        clock = self.stop_clock if rule == "IDLE_B" else self.clock
        names = undated + (self.start.missing(row) if rule == "IDLE_B" else [])
        if rule == "IDLE_B" and np.isnan(verdict.passed[row]):
            # Suspended, and building: when it resumed is what is not known.
            names += ["suspended_on" if np.isnat(self.suspended[row]) else "resumed_on"]
        if np.isnan(verdict.low[row]):
            names += self._missing_shares(verdict, row, rule)
        counts = rule == "IDLE_SLOW" or self.rules.excuses_stop_rule_b
        return names + self._set_aside(clock, row, counts and level == "idle_stalled")

    def _undated(self, row: int) -> list[str]:
        return ["start_due", "handover_date"] if self.silent[row] else ["contradiction:start_due"]

    def _set_aside(self, clock: Clock, row: int, matters: bool) -> list[str]:
        undated = ["delay_from"] if matters and clock.undated[row] else []
        return undated + (["delay_cause"] if matters and clock.no_cause[row] else [])

    def _missing_shares(self, verdict: Stalled, row: int, rule: str) -> list[str]:
        unknown = []
        for low, (part, whole) in ((verdict.area_low, _PARTS[:2]), (verdict.money_low, _PARTS[2:])):
            if np.isnan(low[row]) and not (rule == "IDLE_SLOW" and whole == "area_due_m2"):
                values = {name: self.table[name].iloc[row] for name in (part, whole)}
                unknown += [name for name, value in values.items() if pd.isna(value)]
                unknown += [f"{whole}<=0"] if values[whole] <= 0 else []
        return unknown


def idle_state(
    table: pd.DataFrame, delays: pd.DataFrame | None, rules: IdleRules, as_of: np.datetime64
) -> IdleState:  # fmt: skip
    """Where parcels stand on a day.

    Parameters
    ----------
    table : (n) canonical parcels that are subject to the rules, ``RangeIndex``
    delays : canonical ``delays``, or ``None``
    rules : idle part of a rule set
    as_of : day, Asia/Shanghai
    """
    as_of = as_of.astype("datetime64[D]")
    agreed, handover = days(table["start_due"].to_numpy()), days(table["handover_date"].to_numpy())
    silent = np.isnat(agreed)
    due = np.where(silent, add_years(handover, rules.grace_years), agreed)
    # Nobody agrees to have started before the contract, unless the land was handed over before it.
    contract = days(table["contract_date"].to_numpy())
    due = np.where((agreed < contract) & ~(handover < contract), NEVER, due)
    start = start_of(table, as_of)
    unsupplied = _is(table, "stock_class", "approved_unsupplied")
    excuses = delays_of(table, delays, due, silent)
    years = [rules.idle_years, rules.takeback_years]
    years += [rules.slow_investment.years] if rules.slow_investment else []
    clock = clock_of(due, years, excuses, rules, as_of)
    suspended, since_when, unsure = _suspension(table, start, as_of)
    # A hand-over too late to start is no reason to stop.
    stop_excuses = excuses.only(~excuses.late)
    stop_clock = clock_of(suspended, [rules.suspended_years], stop_excuses, rules, as_of)
    if not rules.excuses_stop_rule_b:
        stop_clock = without_excuses(stop_clock, suspended, [rules.suspended_years], rules)
    not_started = _rule_a(table, due, start, clock, unsupplied, rules, as_of)
    # Whether it started matters to rule B where rule A has not said already that it is unknown.
    maybe = np.isnan(start.state) & (not_started.level == "ok")
    return IdleState(
        table, rules, as_of, due, silent, unsupplied, start, excuses, clock, stop_excuses, stop_clock, suspended,
        not_started=not_started,
        stalled=_rule_b(table, start, maybe, stop_clock, since_when, unsure, unsupplied, rules, as_of),
        slow=_rule_slow(table, due, start, clock, unsupplied, rules, as_of),
    )  # fmt: skip


def _is(table: pd.DataFrame, field: str, word: str) -> Flags:
    return np.asarray(table[field].isin((word,)), dtype=bool)


def _rule_a(
    table: pd.DataFrame, due: Days, start: Start, clock: Clock, unsupplied: Flags, rules: IdleRules,
    as_of: np.datetime64,
) -> NotStarted:  # fmt: skip
    idle_on, takeback_on = clock.over[:, 0], clock.over[:, 1]
    warn_from = due - np.timedelta64(rules.warn_days, "D")
    # Later levels first: the last of the days that has come is the level.
    names = np.array(["idle_2y", "idle_1y", "overdue", "warning"], dtype=object)
    begins = [takeback_on, idle_on, due + ONE_DAY, warn_from]
    moving = [clock.running[:, 1], clock.running[:, 0], np.zeros(len(due), bool), np.zeros(len(due), bool)]
    reached = [as_of >= day for day in begins]
    calendar = np.select(reached, list(names), default="ok").astype(object)
    calendar[np.isnat(due)] = "not_assessed"
    level = calendar.copy()
    level[(level != "ok") & (np.isnan(start.state) | unsupplied)] = "not_assessed"
    level[start.state == 1] = "ok"
    since = np.select([level == name for name in names], begins, default=NEVER)
    upcoming = [level == before for before in ("idle_1y", "overdue", "warning")]
    upcoming.append((level == "ok") & (start.state == 0) & ~unsupplied)
    next_level = np.select(upcoming, list(names), default="").astype(object)
    next_date = np.select(upcoming, begins, default=NEVER)
    next_date[np.select(upcoming, moving, default=False)] = NEVER
    fee, no_fee = _fee(table, level == "idle_1y", fraction(rules.fee_rate))
    return NotStarted(calendar, level, since, next_level, next_date, warn_from, fee, no_fee)


def _fee(table: pd.DataFrame, owed: Flags, rate: Fraction) -> tuple[Floats, Words]:
    """Idle fee in yuan, half up to the cent; nan with a reason where it is owed and cannot be computed.

    Collective land is treated by reference, without a fee (办法第三十一条).
    """
    price = table["land_price_yuan"].to_numpy(dtype=float, na_value=np.nan)
    owed = owed & ~_is(table, "tenure", "collective")
    leased = _is(table, "supply_kind", "lease")
    computable = owed & ~leased & (price > 0) & np.isfinite(price)
    # In hundredths of a cent, so that what is half a cent is decided exactly.
    units = np.rint(np.where(computable, price, 0) * 10_000).astype(np.int64)
    divisor = 100 * rate.denominator
    fee = np.where(computable, (2 * units * rate.numerator + divisor) // (2 * divisor) / 100, np.nan)
    why = np.select(
        [owed & leased, owed & (price <= 0), owed & ~computable],
        ["fee_base_of_lease", "land_price_yuan<=0", "land_price_yuan"],
        default="",
    )
    return fee, why.astype(object)


def _suspension(table: pd.DataFrame, start: Start, as_of: np.datetime64) -> tuple[Days, Days, Flags]:
    """Since when work stands still, and where it cannot be told whether or since when.

    Returns
    -------
    suspended : (n,) day, ``NaT`` where no dated suspension is open
    not_before : (n,) day before which an undated suspension cannot have begun
    unsure : (n,) it is said to be suspended without a date, or to be building although nobody says that it resumed
    """
    status = pd.Series(status_seen(table, as_of))
    suspended, resumed = known_days(table, "suspended_on", as_of), known_days(table, "resumed_on", as_of)
    resumed_since = ~np.isnat(suspended) & (resumed >= suspended)
    is_open = ~np.isnat(suspended) & ~resumed_since
    # Work that had not begun could not stand still: since when it does is not known.
    is_open &= ~(suspended < start.since)
    undated = status.eq("suspended").to_numpy(bool) & ~is_open
    not_before = np.where(resumed_since, resumed, start.since)
    building = is_open & status.eq("building").to_numpy(bool)
    return np.where(is_open, suspended, NEVER), np.where(building, suspended, not_before), undated | building


def _rule_b(
    table: pd.DataFrame, start: Start, maybe: Flags, clock: Clock, not_before: Days, unsure: Flags, unsupplied: Flags,
    rules: IdleRules, as_of: np.datetime64,
) -> Stalled:  # fmt: skip
    over = clock.over[:, 0]
    passed = np.where(np.isnat(over), 0.0, (as_of >= over).astype(float))
    # A suspension of unknown date cannot be older than the start or the last resumption.
    could = ~(as_of < years_over(not_before, rules.suspended_years, rules.year_full_on))
    passed[unsure & could & ~((passed == 0) & ~np.isnat(over))] = np.nan
    area = _below(table, _PARTS[0], _PARTS[1], rules.developed_below)
    money = _below(table, _PARTS[2], _PARTS[3], rules.invested_below)
    low = np.where((area == 1) | (money == 1), 1.0, np.where((area == 0) & (money == 0), 0.0, np.nan))
    applies = ((start.state == 1) | maybe) & ~start.finished
    return _stalled(applies, maybe | unsupplied, passed, area, money, low, over, clock.running[:, 0])


def _rule_slow(
    table: pd.DataFrame, due: Days, start: Start, clock: Clock, unsupplied: Flags, rules: IdleRules,
    as_of: np.datetime64,
) -> Stalled | None:  # fmt: skip
    """So many years past the due start, net of excuses, and too little invested, of land that was started."""
    slow = rules.slow_investment
    if slow is None:
        return None
    over = clock.over[:, 2]
    passed = np.where(np.isnat(over), np.nan, (as_of >= over).astype(float))
    money = _below(table, _PARTS[2], _PARTS[3], slow.invested_below)
    applies = (start.state == 1) & ~start.finished
    unknown = np.full(len(due), np.nan)
    return _stalled(applies, unsupplied, passed, unknown, money, money, over, clock.running[:, 2])


def _stalled(
    applies: Flags, doubtful: Flags, passed: Floats, area: Floats, money: Floats, low: Floats, over: Days,
    running: Flags,
) -> Stalled:  # fmt: skip
    candidate = applies & (passed != 0) & (low != 0)
    certain = (passed == 1) & (low == 1) & ~doubtful
    level = np.where(candidate, np.where(certain, "idle_stalled", "not_assessed"), "ok").astype(object)
    since = np.where(level == "idle_stalled", over, NEVER)
    upcoming = applies & (passed == 0) & (low == 1) & ~np.isnat(over) & ~doubtful
    next_level = np.where(upcoming, "idle_stalled", "").astype(object)
    next_date = np.where(upcoming & ~running, over, NEVER)
    return Stalled(level, since, next_level, next_date, over, passed, area, money, low)


def _below(table: pd.DataFrame, part_name: str, whole_name: str, ratio: Ratio) -> Any:
    """part/whole < ratio: 1 true, 0 false, nan unknown. Exactly the ratio is not below, in whatever unit it was given.

    20 mu of 60 mu are exactly a third although neither is a whole number of m²: a relative slack of 1e-12 takes up what
    the conversion of a unit rounds, and is far below a cent in the largest project.
    """
    part, whole = (table[name].to_numpy(dtype=float, na_value=np.nan) for name in (part_name, whole_name))
    known = ~(np.isnan(part) | np.isnan(whole)) & (whole > 0)
    below = part * ratio[1] < whole * ratio[0] * (1 - 1e-12)
    return np.where(known, below.astype(float), np.nan)
