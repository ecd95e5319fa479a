"""Units as sources write them, converted exactly, and refused where they measure something else."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.errors import InvalidParameter
from geo.units import factor_to_stored, is_convertible, is_unit, m2, mu


@pytest.mark.parametrize(
    ("unit", "stored", "factor"),
    [
        ("㎡", "m2", 1), ("m²", "m2", 1), ("平方米", "m2", 1), ("亩", "m2", Fraction(2000, 3)), ("公顷", "m2", 10_000),
        ("万平方米", "m2", 10_000), ("平方千米", "m2", 1_000_000), ("万亩", "m2", Fraction(20_000_000, 3)),
        ("公里", "m", 1000), ("千元", "yuan", 1000), ("万元", "yuan/a", 10_000), ("万元/年", "yuan/a", 10_000),
        ("亿元", "yuan", 100_000_000), ("万元/亩", "yuan/mu", 10_000), ("元/平方米", "yuan/mu", Fraction(2000, 3)),
        ("万元/公顷", "yuan/mu", Fraction(10_000, 15)), ("吨标准煤", "tce/a", 1), ("万千瓦时", "kWh/a", 10_000),
        ("度", "kWh/a", 1), ("MVA", "kVA", 1000), ("立方米/小时", "m3/d", 24), ("吨/小时", "t/h", 1),
        ("千克", "t/a", Fraction(1, 1000)),
        ("人", "persons", 1), ("万人", "persons", 10_000), ("公里/小时", "km/h", 1), ("天", "h", 24), ("％", "%", 1),
    ],
)  # fmt: skip
def test_units_of_sources(unit: str, stored: str, factor: Fraction | int) -> None:
    assert is_unit(unit)
    assert is_convertible(unit, stored)
    assert factor_to_stored(unit, stored) == float(factor)


@pytest.mark.parametrize(
    ("unit", "stored", "said"),
    [
        ("斤", "m2", "未知单位"), ("万元/斤", "yuan/mu", "未知单位"), ("万元", "m2", "不能换算"),
        # An amount is no rate, and a rate no amount: 亩均税收 in 万元 has lost its 亩.
        ("万元", "yuan/mu", "不能换算"), ("万元/亩", "yuan/a", "不能换算"), ("亩", "m", "不能换算"),
        ("元/吨", "yuan/mu", "不能换算"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(unit: str, stored: str, said: str) -> None:
    assert not is_convertible(unit, stored)
    with pytest.raises(InvalidParameter, match=said):
        factor_to_stored(unit, stored)


@given(st.floats(0, 1e12, allow_nan=False))
def test_mu_there_and_back(area_m2: float) -> None:
    assert m2(mu(area_m2)) == pytest.approx(area_m2, rel=1e-15)
    assert mu(area_m2) * factor_to_stored("亩", "m2") == pytest.approx(area_m2, rel=1e-14)
