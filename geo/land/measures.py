"""The measures that rules compare and scores weigh: one table of what each is made of.

A measure is a numerator, over a denominator where it has one, of columns that a parcel or a firm has; that is enough to
compute it, to name what is missing, and to say how much is missing to a threshold. Formulas: 工业项目建设用地控制指标;
开发区土地集约利用评价规程; the 亩均 evaluation of Zhejiang counties.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from geo.layers.schema import ENTERPRISES, PARCELS
from geo.units import M2_PER_MU

Subject = Literal["parcel", "firm"]
_BOTH: tuple[Subject, ...] = ("parcel", "firm")
_PARCEL: tuple[Subject, ...] = ("parcel",)
_EXTRA = re.compile(r"extra:[A-Za-z_\u4e00-\u9fff][A-Za-z0-9_\u4e00-\u9fff]{0,62}")


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure: ``factor`` × ``numerator`` / ``denominator`` in ``unit``.

    ``amount_zh`` names the numerator where something of it is missing, ``amount_unit`` its unit.
    """

    name: str
    zh: str
    unit: str
    numerator: str
    denominator: str | None = None
    factor: float = 1.0
    of: tuple[Subject, ...] = _BOTH
    amount_zh: str = ""
    amount_unit: str = ""


def _per_mu(name: str, zh: str, numerator: str, amount_zh: str, unit: str = "yuan/mu") -> Measure:
    amount_unit = unit.removesuffix("/mu")
    return Measure(name, zh, unit, numerator, "land_m2", M2_PER_MU, amount_zh=amount_zh, amount_unit=amount_unit)


_MEASURES = (
    Measure("far", "容积率", "1", "floor_area_m2", "area_m2", of=_PARCEL, amount_zh="建筑面积", amount_unit="m2"),
    Measure("building_density", "建筑密度", "1", "footprint_m2", "area_m2", of=_PARCEL, amount_zh="建筑基底面积",
            amount_unit="m2"),
    Measure("building_coefficient", "建筑系数", "1", "covered_m2", "area_m2", of=_PARCEL,
            amount_zh="建筑、构筑物与堆场面积", amount_unit="m2"),
    Measure("vacant_mu", "最大连续空地", "mu", "vacant_m2", None, 1 / M2_PER_MU, of=_PARCEL, amount_zh="空地",
            amount_unit="m2"),
    Measure("vacant_share", "最大连续空地占比", "1", "vacant_m2", "area_m2", of=_PARCEL, amount_zh="空地",
            amount_unit="m2"),
    Measure("developed_share", "已动工面积比例", "1", "area_developed_m2", "area_due_m2", of=_PARCEL,
            amount_zh="动工面积", amount_unit="m2"),
    Measure("invested_share", "已投资比例", "1", "investment_made_yuan", "investment_due_yuan", of=_PARCEL,
            amount_zh="投资", amount_unit="yuan"),
    Measure("suspended_months", "停工月数", "months", "suspended_months", of=_PARCEL),
    Measure("stopped_months", "停产月数", "months", "stopped_months", of=_PARCEL),
    Measure("stopped", "已停产", "1", "stopped", of=_PARCEL),
    Measure("land_mu", "用地面积", "mu", "land_m2", None, 1 / M2_PER_MU, amount_zh="用地", amount_unit="m2"),
    Measure("above_scale", "规模以上", "1", "above_scale"),
    Measure("years_without_tax", "连续无税年数", "a", "years_without_tax"),
    _per_mu("tax_per_mu", "亩均税收", "tax_yuan", "税收"),
    _per_mu("output_per_mu", "亩均产值", "output_yuan", "产值"),
    _per_mu("sales_per_mu", "亩均销售额", "sales_yuan", "销售额"),
    _per_mu("revenue_per_mu", "亩均主营收入", "revenue_yuan", "主营收入"),
    _per_mu("value_added_per_mu", "亩均增加值", "value_added_yuan", "增加值"),
    _per_mu("investment_per_mu", "固定资产投资强度", "fixed_assets_yuan", "固定资产投资"),
    _per_mu("employees_per_mu", "亩均从业人数", "employees", "从业人数", "persons/mu"),
    Measure("value_added_per_tce", "单位能耗增加值", "yuan/tce", "value_added_yuan", "energy_tce", amount_zh="增加值",
            amount_unit="yuan"),
    Measure("output_per_tce", "单位能耗产值", "yuan/tce", "output_yuan", "energy_tce", amount_zh="产值",
            amount_unit="yuan"),
    Measure("tax_per_tce", "单位能耗税收", "yuan/tce", "tax_yuan", "energy_tce", amount_zh="税收", amount_unit="yuan"),
    Measure("tax_per_kwh", "单位电耗税收", "yuan/kWh", "tax_yuan", "electricity_kwh", amount_zh="税收",
            amount_unit="yuan"),
    Measure("value_added_per_t", "单位排放增加值", "yuan/t", "value_added_yuan", "emission_t", amount_zh="增加值",
            amount_unit="yuan"),
    Measure("value_added_per_person", "全员劳动生产率", "yuan/persons", "value_added_yuan", "employees",
            amount_zh="增加值", amount_unit="yuan"),
    Measure("rd_share", "研发投入强度", "1", "rd_yuan", "revenue_yuan", amount_zh="研发投入", amount_unit="yuan"),
)  # fmt: skip
MEASURES: dict[str, Measure] = {measure.name: measure for measure in _MEASURES}


def is_measure(name: str) -> bool:
    """Whether a rule may name this: a measure of the table, or a numeric column the source had (``extra:NAME``)."""
    return name in MEASURES or _EXTRA.fullmatch(name) is not None


def measure_of(name: str) -> Measure:
    """The measure called ``name``; ``KeyError`` where there is none."""
    if _EXTRA.fullmatch(name):
        return Measure(name, name.removeprefix("extra:"), "", name, of=_PARCEL)
    return MEASURES[name]


_OWN_COLUMNS = {
    "land_m2": "用地面积", "covered_m2": "建筑、构筑物与堆场面积", "vacant_m2": "最大连续空地",
    "suspended_months": "停工日期", "stopped_months": "停产日期", "years_without_tax": "逐年税收",
    "buildings": "建筑图层",
}  # fmt: skip
_COLUMN_TITLES = (
    {field.name: field.zh for field in ENTERPRISES.fields}
    | {field.name: field.zh for field in PARCELS.fields}
    | _OWN_COLUMNS
)


def zh_of(column: str) -> str:
    """The Chinese name of a column that a measure is made of."""
    return _COLUMN_TITLES.get(column) or column.removeprefix("extra:")
