"""How a rule was read for the rows that become findings: values against thresholds, what is short, values used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.land.findings import parameter
from geo.land.inputs import Inputs
from geo.land.judging import Compared, Verdict
from geo.land.rule_sets.inefficiency import AGREED, Case, FromTable, InefficiencyRule, MeasureRules, SectorTable
from geo.land.shortfall import Gap, gaps, line_of, threshold_text, zh_unit

Rows = NDArray[np.int64]
_LAND_ZH = {"used": "企业填报的用地面积，未填报的取宗地椭球面积", "parcel": "宗地椭球面积", "declared": "宗地登记面积"}
# What a computed column of a parcel is made of, where that is not the field of the same name.
_MADE_OF: dict[str, tuple[str, ...]] = {
    "land_m2": ("area_m2", "area_used_m2"),
    "years_without_tax": ("years_without_tax", "tax_yuan", "year"),
    "covered_m2": ("footprint_m2", "yard_area_m2"),
    "vacant_m2": ("area_m2",),
    "stopped_months": ("stopped_on", "status"),
    "stopped": ("stopped_on", "status"),
    "suspended_months": ("suspended_on", "resumed_on", "status"),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """How a rule was read for one row.

    ``told`` as the finding carries it · ``line`` what is short · ``parameters`` values of the rules that were used ·
    ``used`` evidence beside the parcel's own fields
    """

    told: dict[str, Any]
    line: str = ""
    parameters: list[dict[str, Any]] = field(default_factory=list)
    used: list[dict[str, Any]] = field(default_factory=list)


def readings_of(
    verdict: Verdict, inputs: Inputs, rows: Rows, rule: InefficiencyRule, measures: MeasureRules,
    tables: Mapping[str, SectorTable],
) -> list[Reading]:  # fmt: skip
    """The readings of a rule for some rows (k) of its parcels or firms.

    The first criterion stands in front, all of them follow under ``criteria`` where there are several.
    """
    ways = [gaps(one, inputs, rows) for one in verdict.compared]
    figures = [_figures(one, rows, rule, tables) for one in verdict.compared]
    basis = [_basis(one, inputs, rows, measures) for one in verdict.compared]
    common = _common_parameters(rule, measures)
    # Firms that are large enough are no longer low by a rule for small ones.
    also = ["达到规模以上"] if rule.applies.size == "below_scale" else []
    low = (verdict.low[rows] == 1).tolist()
    kinds = np.column_stack(
        [part for one in verdict.compared for part in (one.threshold[rows], one.several[rows], one.is_unverified[rows])]
    )
    # A rule has few thresholds however many rows it finds.
    first, kind = np.unique(np.nan_to_num(kinds, nan=-1.0), axis=0, return_index=True, return_inverse=True)[1:]
    made = [[*_bound_parameters(verdict.compared, int(rows[at]), rule, tables), *common] for at in first]
    readings = []
    for i, of_kind in enumerate(kind.reshape(-1).tolist()):
        of_row = [way[i] for way in ways] if low[i] else []
        told = {**figures[0][i], "per": rule.per, **basis[0][i], **_amounts(of_row)}
        if len(figures) > 1:
            told["criteria"] = [{**each[i], **part[i]} for each, part in zip(figures, basis, strict=True)]
        readings.append(Reading(told, line_of(of_row, also if of_row else ()), made[of_kind]))
    return readings


def _amounts(ways: Sequence[Gap | None]) -> dict[str, Any]:
    """The missing amounts: the first in front, and by kind where it is money or area."""
    told: dict[str, Any] = {}
    for way in ways:
        if way is None or way.value is None:
            continue
        told.setdefault("shortfall", way.as_dict())
        name = {"yuan": "shortfall_yuan", "m2": "shortfall_m2"}.get(way.unit)
        if name:
            told.setdefault(name, round(way.value, 2))
    return told


def _figures(
    compared: Compared, rows: Rows, rule: InefficiencyRule, tables: Mapping[str, SectorTable]
) -> list[dict[str, Any]]:
    unit, way = zh_unit(compared.unit), compared.criterion.comparison[0]
    value, threshold = (
        numbers(compared.value[rows] / compared.factor),
        numbers(compared.threshold[rows] / compared.factor),
    )
    unverified, verified = "unverified", _status(compared, rule, tables)
    return [
        {"measure": compared.measure.zh, "value": value[i], "comparison": way, "threshold": threshold[i], "unit": unit,
         "status": unverified if unsure else verified}
        for i, unsure in enumerate(compared.is_unverified[rows].tolist())
    ]  # fmt: skip


def numbers(values: NDArray[np.float64]) -> list[float | None]:
    """Numbers as JSON has them: ten significant digits, nothing for what is not known."""
    known = np.isfinite(values) & (values != 0)
    size = np.floor(np.log10(np.abs(np.where(known, values, 1.0))))
    scale = 10.0 ** np.clip(9 - size, -300, 300)
    told: list[float] = np.where(known, np.round(values * scale) / scale, values).tolist()
    return [None if value != value else value for value in told]


def _basis(compared: Compared, inputs: Inputs, rows: Rows, measures: MeasureRules) -> list[dict[str, Any]]:
    """On which area and which floor area or footprint a value rests."""
    of = compared.measure
    told: list[dict[str, Any]] = [{} for _ in rows]
    if "land_m2" in (of.numerator, of.denominator):
        known = inputs.table["land_basis"].to_numpy(dtype=object)[rows] if "land_basis" in inputs.table else None
        for i, each in enumerate(told):
            each["area_basis"] = known[i] if known is not None and isinstance(known[i], str) else measures.land
    elif of.denominator == "area_m2" or of.numerator == "vacant_m2":
        for each in told:
            each["area_basis"] = "椭球面积"
    name = f"{of.numerator.removesuffix('_m2')}_basis"
    if name in inputs.table and name != "land_basis":
        for each, word in zip(told, inputs.table[name].to_numpy(dtype=object)[rows], strict=True):
            if isinstance(word, str):
                each[name] = word
    return told


def _status(compared: Compared, rule: InefficiencyRule, tables: Mapping[str, SectorTable]) -> str:
    bound = compared.criterion.comparison[1]
    return tables[bound.table].status_of("values") if isinstance(bound, FromTable) else rule.status_of("when")


def _bound_parameters(
    compared: Sequence[Compared], row: int, rule: InefficiencyRule, tables: Mapping[str, SectorTable]
) -> list[dict[str, Any]]:
    """The thresholds that a row was compared with; what a contract agreed is evidence, not a value of the rules."""
    used = []
    for one in compared:
        threshold = one.threshold[row]
        if np.isnan(threshold) or (isinstance(one.criterion.comparison[1], str) and _is_agreed(one)):
            continue
        text = threshold_text(one, float(threshold)) + ("（或更严）" if one.several[row] else "")
        key = f"{rule.rule}.{one.measure.name}"
        status = "unverified" if one.is_unverified[row] else _status(one, rule, tables)
        used.append(parameter(key, f"{one.measure.zh}标准", text, status))
    return used


def _is_agreed(compared: Compared) -> bool:
    return compared.criterion.comparison[1] in AGREED


def _common_parameters(rule: InefficiencyRule, measures: MeasureRules) -> list[dict[str, Any]]:
    """Values that shaped what was measured and who was looked at."""
    names = {criterion.measure for criterion in rule.when}
    used = []
    if names & {"vacant_mu", "vacant_share"}:
        # No document says how much ground around a building counts as used.
        used.append(parameter("measures.apron_m", "建筑外围计为已用的距离", f"{measures.apron_m:g} 米", "unverified"))
        if measures.vacant_width_m > 0:
            text = f"{measures.vacant_width_m:g} 米"
            used.append(parameter("measures.vacant_width_m", "空地的最小宽度", text, "unverified"))
    if "far" in names:
        text = f"{measures.tall_storey_m:g} 米"
        used.append(parameter("measures.tall_storey_m", "计两倍建筑面积的层高", text, "secondary"))
    if any(name.endswith("_per_mu") or name == "land_mu" for name in names):
        used.append(parameter("measures.land", "用地面积口径", _LAND_ZH[measures.land], rule.status_of("land")))
    applies = rule.applies
    for key, zh, text in (
        ("min_land_mu", "用地面积下限", f"{applies.min_land_mu:g} 亩" if applies.min_land_mu > 0 else ""),
        ("contract_from", "适用的合同起始日期", str(applies.contract_from or "")),
        ("exempt_industry", "不适用的行业", "、".join(applies.exempt_industry)),
    ):
        if text:
            used.append(parameter(f"{rule.rule}.{key}", zh, text, rule.status_of(f"applies.{key}")))
    return used


def fields_used(rule: InefficiencyRule, compared: Sequence[Compared], measures: MeasureRules) -> list[str]:
    """Fields of parcels and firms that a rule rests on, as evidence lists them."""
    applies = rule.applies
    names = ["holder", "status"]
    for one in compared:
        of, bound = one.measure, one.criterion.comparison[1]
        for column in (of.numerator, of.denominator):
            if column is not None:
                names += _MADE_OF.get(column, (column,))
        if "land_m2" in (of.numerator, of.denominator) and measures.land == "declared":
            names.append("declared_area_m2")
        if of.numerator.endswith("_yuan") or of.numerator in ("employees", "energy_tce"):
            names.append("year")
        names += _bound_fields(bound)
    names += ["above_scale"] if applies.size else []
    names += ["contract_date"] if applies.contract_from else []
    names += ["industry", "industry_edition"] if applies.exempt_industry else []
    return list(dict.fromkeys(names))


def _bound_fields(bound: Any) -> list[str]:
    if isinstance(bound, FromTable):
        return ["industry", "industry_edition", "land_class"]
    if isinstance(bound, str):
        return [bound] if bound in AGREED else []
    if not isinstance(bound, tuple):
        return []
    names: list[str] = []
    for case in bound:
        names += _case_fields(case)
    return names


def _case_fields(case: Case) -> list[str]:
    told = {"size": "above_scale", "land_class": "land_class", "park_grade": "park_grade", "land_use": "land_use"}
    names = [field_name for key, field_name in told.items() if getattr(case, key)]
    names += ["industry", "industry_edition"] if case.industry else []
    return [*names, *_bound_fields(case.value)]
