"""Conversions between the units of land offices and the stored ones; the one place for them.

Stored are square metres, yuan, metres, tonnes. 1 mu = 2000/3 m² exactly (15 mu = 1 ha); 666.67 and 666.6667 are
roundings in circulation and are not used.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, TypeVar

from geo.errors import InvalidParameter

M2_PER_MU = 2000 / 3
M2_PER_HA = 10_000.0

Number = TypeVar("Number", bound=Any)

# unit as written in a mapping profile -> (canonical unit, factor)
_FACTORS: dict[str, tuple[str, Fraction]] = {
    "m2": ("m2", Fraction(1)),
    "㎡": ("m2", Fraction(1)),
    "平方米": ("m2", Fraction(1)),
    "mu": ("m2", Fraction(2000, 3)),
    "亩": ("m2", Fraction(2000, 3)),
    "ha": ("m2", Fraction(10_000)),
    "公顷": ("m2", Fraction(10_000)),
    "km2": ("m2", Fraction(1_000_000)),
    "平方公里": ("m2", Fraction(1_000_000)),
    "sqft": ("m2", Fraction(9_290_304, 100_000_000)),
    "m": ("m", Fraction(1)),
    "米": ("m", Fraction(1)),
    "km": ("m", Fraction(1000)),
    "yuan": ("yuan", Fraction(1)),
    "元": ("yuan", Fraction(1)),
    "万元": ("yuan", Fraction(10_000)),
    "亿元": ("yuan", Fraction(100_000_000)),
    "%": ("%", Fraction(1)),
    "1": ("1", Fraction(1)),
}


def mu(area_m2: Number) -> Number:
    """Area in mu of an area in square metres (scalar, array or Series)."""
    return area_m2 * 3 / 2000


def m2(area_mu: Number) -> Number:
    """Area in square metres of an area in mu (scalar, array or Series)."""
    return area_mu * 2000 / 3


def factor_to_stored(unit: str, stored: str) -> float:
    """The factor that turns a value in ``unit`` into the stored unit.

    Parameters
    ----------
    unit : str
        Unit as a mapping profile writes it: ``亩``, ``公顷``, ``万元`` …
    stored : str
        Unit of the canonical field. A rate such as ``yuan/a`` is compared by what stands before the slash.

    Raises
    ------
    InvalidParameter
        The unit is unknown, or measures something else.
    """
    base = stored.split("/")[0]
    known = _FACTORS.get(unit)
    if known is None:
        raise InvalidParameter(f"未知单位“{unit}”", where=stored, remedy="可用单位：" + "、".join(_FACTORS))
    if known[0] != base:
        raise InvalidParameter(f"单位“{unit}”不能换算为“{stored}”", where=stored, remedy="请检查映射方案中的单位")
    return float(known[1])
