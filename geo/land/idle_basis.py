"""What a finding of idle land rests on: the values of the rule set it used, their articles, and what may be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.land.excuses import CAUSES, Delays
from geo.land.findings import parameter
from geo.land.idle_state import IdleState, NotStarted, Stalled
from geo.land.rule_sets.base import STATUS_TITLES
from geo.land.rule_sets.idle import Disposal, IdleRules

Flags = NDArray[np.bool_]

_ZH = {
    "grace_years": "约定不明时的动工宽限年数",
    "idle_years": "构成闲置的逾期年数",
    "takeback_years": "可无偿收回的逾期年数",
    "suspended_years": "中止开发年数",
    "developed_below": "已动工面积比例",
    "invested_below": "已投资比例",
    "fee_rate": "土地闲置费比例",
    "warn_days": "到期前提醒天数",
    "year_full_on": "满年的读法",
    "excuses_stop_rule_b": "停工期间扣除政府原因与不可抗力",
    "late_handover_excuses": "扣除迟延交地的天数",
    "excusing": "可扣除的延误原因",
    "slow_investment.years": "投资缓慢：超过约定动工日期的年数",
    "slow_investment.invested_below": "投资缓慢：已投资比例",
}
_YEARS = {"overdue": ("idle_years",), "idle_1y": ("idle_years", "takeback_years"), "idle_2y": ("takeback_years",)}
# A delay that these set aside is none, whatever the rule set says of causes.
_NONE = ("later", "undated", "reversed", "no_cause", "no_clock", "before")


@dataclass(frozen=True, slots=True)
class Basis:
    """Which delays played a part for each parcel (n,), from which the basis of its findings follows.

    ``weighed`` a delay was weighed under rule A · ``late`` a late hand-over was · ``excused`` some days were counted ·
    ``stop_weighed`` a delay falls into the suspension · ``stop_excused`` one that excuses does.
    """

    state: IdleState
    weighed: Flags
    late: Flags
    excused: Flags
    stop_weighed: Flags
    stop_excused: Flags
    collective: Flags

    def keys(self, rule: str, row: int) -> tuple[str, ...]:
        """Names of the values of the rule set that decided about a parcel, no others."""
        state, verdict = self.state, self.state.verdicts()[rule]
        silent = ("grace_years",) if state.silent[row] and not np.isnat(state.due[row]) else ()
        if isinstance(verdict, NotStarted):
            return silent + self._keys_a(verdict, row)
        if rule == "IDLE_SLOW":
            shares = ("slow_investment.invested_below",) if not np.isnan(verdict.low[row]) else ()
            years = ("slow_investment.years", "year_full_on") if not np.isnat(verdict.over[row]) else ()
            return silent + years + shares + self._keys_of_delays(row)
        years = ("suspended_years", "year_full_on") if not np.isnat(verdict.over[row]) else ()
        stop = ("excusing", "excuses_stop_rule_b") if self.stop_weighed[row] else ()
        return years + _shares(verdict, row) + stop

    def _keys_a(self, verdict: NotStarted, row: int) -> tuple[str, ...]:
        level = verdict.calendar[row]
        if level == "warning":
            return ("warn_days",)
        if level not in _YEARS:
            return ()
        fee = ("fee_rate",) if not np.isnan(verdict.fee_yuan[row]) else ()
        return (*_YEARS[level], "year_full_on", *self._keys_of_delays(row), *fee)

    def _keys_of_delays(self, row: int) -> tuple[str, ...]:
        weighed = ("excusing",) if self.weighed[row] else ()
        return weighed + (("late_handover_excuses",) if self.late[row] else ())

    def article(self, rule: str, row: int, keys: Sequence[str]) -> str:
        """The articles of the rule, of the level and of the values used, as the rule set names them."""
        rules = self.state.rules
        level = self.state.verdicts()[rule].level[row]
        own = rules.slow_investment.article if rule == "IDLE_SLOW" and rules.slow_investment else ""
        excused = ["excuses"] if (self.stop_excused if rule == "IDLE_B" else self.excused)[row] else []
        named = [own, *(rules.articles.get(key, "") for key in (rule, level, *keys, *excused))]
        return "、".join(dict.fromkeys(text for text in named if text))

    def disposals(self, rule: str, row: int) -> tuple[Disposal, ...]:
        """What the rule set allows for the level, the causes of the delay and the tenure of a parcel.

        The clock leaves excused days out, so a level that is reached all the same is the holder's; where a cause of the
        government counted for other days, what is allowed for that is told beside it, for a person to choose.
        """
        level = self.state.verdicts()[rule].level[row]
        excused = (self.stop_excused if rule == "IDLE_B" else self.excused)[row]
        causes = ("any", "holder", *(("government",) if excused else ()))
        tenure = "collective" if self.collective[row] else "state"
        fitting = (each for each in self.state.rules.disposals if level in each.levels and each.cause in causes)
        return tuple(each for each in fitting if tenure in each.tenure)


def basis_of(state: IdleState) -> Basis:
    """The basis of all findings of a state."""
    n = len(state.table)
    why, stop_why = state.clock.why_not, state.stop_clock.why_not
    real = ~np.isin(why.astype(str), _NONE)
    counted = np.asarray((state.clock.counted > 0).any(axis=1))
    stop_real = ~np.isin(stop_why.astype(str), _NONE)
    stopping = np.isin(stop_why.astype(str), ("", "not_rule_b"))
    return Basis(
        state,
        weighed=_rows(state.delays, real & ~state.delays.late, n),
        late=_rows(state.delays, real & state.delays.late, n),
        excused=_rows(state.delays, counted, n),
        stop_weighed=_rows(state.stop_delays, stop_real, n),
        stop_excused=_rows(state.stop_delays, stopping, n),
        collective=np.asarray(state.table["tenure"].isin(("collective",)), dtype=bool),
    )


def parameters_of(rules: IdleRules, keys: Sequence[str]) -> list[dict[str, Any]]:
    """The named values of a rule set, each with what it says and how sure it is."""
    found = []
    for key in keys:
        table: Any = rules
        name = key
        if key.startswith("slow_investment."):
            table, name = rules.slow_investment, key.removeprefix("slow_investment.")
        value = getattr(table, name)
        if name == "excusing":
            value = [CAUSES.get(cause, cause) for cause in value]
        elif isinstance(value, tuple):
            value = f"{value[0]}/{value[1]}"
        found.append(parameter(key, _ZH[key], value, table.status_of(name)))
    return found


def told_disposals(disposals: Sequence[Disposal]) -> list[dict[str, Any]]:
    """Measures as JSON."""
    return [
        {"measure": each.measure, "article": each.article, "paper": each.paper, "limit": each.limit,
         "status": each.status, "status_title": STATUS_TITLES[each.status]}
        for each in disposals
    ]  # fmt: skip


def _shares(verdict: Stalled, row: int) -> tuple[str, ...]:
    """Which share decided: the one that is below, or both where neither is known to be."""
    area, money = verdict.area_low[row], verdict.money_low[row]
    known = [("developed_below", area), ("invested_below", money)]
    below = tuple(name for name, low in known if low == 1)
    return below or tuple(name for name, low in known if not np.isnan(low))


def _rows(delays: Delays, chosen: Flags, n: int) -> Flags:
    """Parcels that have one of the chosen delays."""
    found = np.zeros(n, dtype=bool)
    found[delays.parcel[chosen]] = True
    return found
