"""What would make it efficient: the amount that is missing to a threshold, in numbers and in a line of words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geo.land.inputs import Inputs
from geo.land.judging import Compared
from geo.layers.schema import ENTERPRISES, PARCELS
from geo.units import mu

# Measures of which less is better: what exceeds the threshold has to go.
_SCARCE = ("vacant_mu", "vacant_share", "land_mu")
# Measures that an act ends, whatever its amount.
_ACTS = {
    "stopped_months": "恢复生产",
    "stopped": "恢复生产",
    "suspended_months": "复工",
    "years_without_tax": "恢复纳税",
    "above_scale": "达到规模以上",
}
_ZH_UNITS = {
    "yuan": "元", "mu": "亩", "m2": "m²", "persons": "人", "tce": "吨标准煤", "kwh": "千瓦时", "t": "吨", "a": "年",
    "months": "个月", "1": "", "ha": "公顷",
}  # fmt: skip
_YEARLY = {
    field.name for layer in (PARCELS, ENTERPRISES) for field in layer.fields if field.unit.endswith("/a")
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Gap:
    """One way out of a finding: its words, and the amount where it has one (``unit`` as stored: yuan, m2, persons)."""

    text: str
    quantity: str = ""
    value: float | None = None
    unit: str = ""

    def as_dict(self) -> dict[str, object]:
        """The amount as readings carry it."""
        return {"quantity": self.quantity, "value": self.value, "unit": zh_unit(self.unit)}


def gaps(compared: Compared, inputs: Inputs, rows: NDArray[np.int64]) -> list[Gap | None]:
    """For some rows that meet a criterion: what would have to change so that they no longer do.

    ``None`` where nothing sensible would: a rule that picks parcels of at least a third developed is not left by
    developing less.
    """
    of, way = compared.measure, compared.criterion.comparison[0]
    name = of.name
    short = way in ("below", "at_most")
    met = compared.low[rows] == 1
    if name in _ACTS:
        # Being above scale is no fault; being below it is, and the others are faults the longer they last.
        return [Gap(_ACTS[name]) if one and short == (name == "above_scale") else None for one in met]
    if short == (name in _SCARCE) and not name.startswith("extra:"):
        return [None] * len(rows)
    above = inputs.column(of.numerator)[rows]
    below = np.ones(len(rows)) if of.denominator is None else inputs.column(of.denominator)[rows]
    wanted = compared.threshold[rows] * below / of.factor
    amount = np.where(short, wanted - above, above - wanted)
    yearly = of.numerator in _YEARLY
    each, which = np.unique(compared.threshold[rows], return_inverse=True)
    text = [threshold_text(compared, float(value)) for value in each]
    target = [text[k] for k in which.tolist()]
    least = np.where(compared.several[rows], "至少", "")
    return [
        Gap(_words(compared, float(gap), target[i], yearly, str(least[i])), of.amount_zh or of.zh,
            round(max(float(gap), 0.0), 4), of.amount_unit)
        if met[i] and not math.isnan(gap) else None
        for i, gap in enumerate(amount)
    ]  # fmt: skip


def line_of(ways: Sequence[Gap | None], also: Sequence[str] = ()) -> str:
    """The line of a finding: each of its ways out, any one of which suffices."""
    return " 或 ".join(dict.fromkeys([*(way.text for way in ways if way), *also]))


def _words(compared: Compared, gap: float, target: str, yearly: bool, least: str) -> str:
    of, way = compared.measure, compared.criterion.comparison[0]
    if of.name == "land_mu":
        return f"用地减少 {amount_text(gap, 'm2', area_in_mu=True)}（低于 {target}）"
    if of.name in _SCARCE:
        over = amount_text(gap, "m2", area_in_mu=of.name == "vacant_mu")
        return f"{of.zh.removesuffix('占比')}超出 {over}（标准 {target}）：再建设或退出"
    amount = amount_text(gap, of.amount_unit, yearly=yearly)
    if way in ("above", "at_least"):
        return f"{of.zh}超出 {amount}（标准 {target}）"
    reach = "超过" if way == "at_most" else "达到"
    named = "" if "/" in (compared.unit or "") else of.zh
    return f"{of.amount_zh or of.zh}{least}还差 {amount}（{named}{reach} {target}）"


def amount_text(value: float, unit: str, *, yearly: bool = False, area_in_mu: bool = False) -> str:
    """An amount in the unit that people use, rounded up so that what it says suffices."""
    per_year = "/年" if yearly else ""
    if unit == "m2" and area_in_mu:
        return f"{_up(mu(value), 2):,.2f} 亩"
    if unit == "m2":
        return f"{_up(value, 0):,.0f} m²"
    if unit == "yuan":
        return f"{_up(value / 1e4, 2):,.2f} 万元{per_year}"
    if unit == "persons":
        return f"{_up(value, 0):,.0f} 人"
    return f"{_up(value, 4):,.10g} {zh_unit(unit)}".strip()


def _up(value: float, digits: int) -> float:
    scale = 10.0**digits
    return math.ceil(max(value, 0.0) * scale * (1 - 1e-9) - 1e-6) / scale


def threshold_text(compared: Compared, value: float) -> str:
    """A threshold as the rule says it: ``6 万元/亩``, ``1/3``."""
    bound = compared.criterion.comparison[1]
    if isinstance(bound, str) and "/" in bound:
        return f"{bound} {zh_unit(compared.unit)}".strip()
    return f"{value / compared.factor:,.6g} {zh_unit(compared.unit)}".strip()


def zh_unit(unit: str) -> str:
    """A unit in Chinese; one that is written so already stays."""
    return "/".join(_ZH_UNITS.get(part.casefold(), part) for part in unit.split("/"))
