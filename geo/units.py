"""Conversions between the units of land offices and the stored ones; the one place for them.

Stored are square metres, yuan, metres, tonnes. 1 mu = 2000/3 m² exactly (15 mu = 1 ha); 666.67 and 666.6667 are
roundings in circulation and are not used.
"""

from __future__ import annotations

import unicodedata
from fractions import Fraction
from typing import Any, TypeVar

from geo.errors import InvalidParameter

M2_PER_MU = 2000 / 3
M2_PER_HA = 10_000.0

Number = TypeVar("Number", bound=Any)

# what a unit measures (named by the unit it is kept in) -> factor into it -> how sources write it
_SPELLINGS: dict[str, dict[Fraction, tuple[str, ...]]] = {
    "m2": {
        Fraction(1): ("m2", "㎡", "平方米", "平米", "平方公尺", "sqm"),
        Fraction(2000, 3): ("mu", "亩", "市亩"),
        Fraction(20_000_000, 3): ("万亩",),
        Fraction(10_000): ("ha", "hm2", "公顷", "万平方米", "万平米", "万m2"),
        Fraction(1_000_000): ("km2", "平方公里", "平方千米"),
        Fraction(9_290_304, 100_000_000): ("sqft", "平方英尺"),
        Fraction(40_468_564_224, 10_000_000): ("acre", "英亩"),
    },
    "m": {Fraction(1): ("m", "米"), Fraction(1000): ("km", "公里", "千米"), Fraction(1, 100): ("cm", "厘米")},
    "yuan": {
        Fraction(1): ("yuan", "元", "人民币元", "rmb"),
        Fraction(1000): ("千元",),
        Fraction(10_000): ("万元", "万", "万元人民币", "人民币万元"),
        Fraction(1_000_000): ("百万元",),
        Fraction(10_000_000): ("千万元",),
        Fraction(100_000_000): ("亿元",),
    },
    "tce": {
        Fraction(1): ("tce", "吨标准煤", "吨标煤"),
        Fraction(10_000): ("万吨标准煤", "万吨标煤"),
        Fraction(1, 1000): ("kgce", "千克标准煤"),
    },
    "kWh": {
        Fraction(1): ("kwh", "千瓦时", "度"),
        Fraction(1000): ("mwh", "兆瓦时"),
        Fraction(10_000): ("万千瓦时", "万度", "万kwh"),
    },
    "t": {
        Fraction(1): ("t", "吨"), Fraction(10_000): ("万吨", "万t"), Fraction(1, 1000): ("kg", "千克", "公斤"),
    },
    "kV": {Fraction(1): ("kv", "千伏"), Fraction(1, 1000): ("v", "伏")},
    "kVA": {Fraction(1): ("kva", "千伏安"), Fraction(1000): ("mva", "兆伏安")},
    "m3": {Fraction(1): ("m3", "立方米", "方"), Fraction(10_000): ("万立方米", "万m3", "万方")},
    "persons": {Fraction(1): ("persons", "人", "名"), Fraction(10_000): ("万人",)},
    "%": {Fraction(1): ("%", "百分比"), Fraction(1, 10): ("‰",)},
    "1": {Fraction(1): ("1",)},
    # A day is 24 hours; a year stands for itself, as figures of a year are never made from daily ones.
    "h": {Fraction(1): ("h", "小时", "时"), Fraction(24): ("d", "天", "日")},
    "a": {Fraction(1): ("a", "年")},
}  # fmt: skip
_UNITS: dict[str, tuple[str, Fraction]] = {
    unicodedata.normalize("NFKC", spelling).casefold(): (measured, factor)
    for measured, factors in _SPELLINGS.items()
    for factor, spellings in factors.items()
    for spelling in spellings
}


def mu(area_m2: Number) -> Number:
    """Area in mu of an area in square metres (scalar, array or Series)."""
    return area_m2 * 3 / 2000


def m2(area_mu: Number) -> Number:
    """Area in square metres of an area in mu (scalar, array or Series)."""
    return area_mu * 2000 / 3


def is_unit(text: str) -> bool:
    """Whether a text is a unit that is known, alone (``公顷``) or as a rate (``万元/亩``)."""
    return _parsed(text) is not None


def is_convertible(unit: str, stored: str) -> bool:
    """Whether values in ``unit`` can be turned into the stored unit."""
    return _factor(unit, stored) is not None


def factor_to_stored(unit: str, stored: str) -> float:
    """The factor that turns a value in ``unit`` into the stored unit.

    Parameters
    ----------
    unit : str
        Unit as a source writes it: ``亩``, ``公顷``, ``万元``, ``万元/亩`` …; full and half width are the same.
    stored : str
        Unit of the canonical field. Figures of a year (``yuan/a``) may leave the year out, ``万元`` or ``万元/年``;
        any other rate (``yuan/mu``) must be stated as one.

    Raises
    ------
    InvalidParameter
        The unit is unknown, or measures something else.
    """
    if _parsed(unit) is None:
        known = "、".join(next(iter(spellings)) for each in _SPELLINGS.values() for spellings in each.values())
        raise InvalidParameter(f"未知单位“{unit}”", where=stored, remedy=f"可用单位：{known}")
    factor = _factor(unit, stored)
    if factor is None:
        raise InvalidParameter(f"单位“{unit}”不能换算为“{stored}”", where=stored, remedy="请检查映射方案中的单位")
    return float(factor)


def _parsed(unit: str) -> tuple[tuple[str, Fraction], tuple[str, Fraction] | None] | None:
    above, slash, below = unicodedata.normalize("NFKC", unit).casefold().replace(" ", "").partition("/")
    numerator, denominator = _UNITS.get(above), _UNITS.get(below)
    if numerator is None or (slash and denominator is None):
        return None
    return numerator, denominator


def _factor(unit: str, stored: str) -> Fraction | None:
    given, wanted = _parsed(unit), _parsed(stored)
    if given is None or wanted is None or given[0][0] != wanted[0][0]:
        return None
    factor = given[0][1] / wanted[0][1]
    below, wanted_below = given[1], wanted[1]
    if below is None:
        return factor if wanted_below is None or wanted_below[0] == "a" else None
    if wanted_below is None or below[0] != wanted_below[0]:
        return None
    return factor * wanted_below[1] / below[1]
