"""Which parcels may be part of a plot, and by which condition the others may not, in three-valued logic.

A condition that cannot be judged because a value is missing keeps a parcel out, and says that this is why.
"""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo.errors import InvalidParameter
from geo.land.findings import INEFFICIENT_LEVELS
from geo.land.rule_sets.eligible import ELIGIBILITY
from geo.land.rules import Eligible
from geo.layers.filtering.rows import Known, known
from geo.layers.filters import parse_filter, properties
from geo.layers.land_use_codes import land_and_sea_codes
from geo.layers.words import WORDS

Flags = NDArray[np.bool_]
Texts = NDArray[np.object_]

# Of several findings of a parcel the gravest tells its level; what was found counts more than what was not assessed,
# and that more than a date that comes near.
_IDLE_GRAVEST_FIRST = ("idle_2y", "idle_1y", "idle_stalled", "not_assessed", "overdue", "warning")


@dataclass(frozen=True, slots=True)
class Eligibility:
    """Which of (n,) parcels may be part of a plot.

    ``chosen`` (n,) bool · ``because`` (n,) tuples of the conditions that a parcel does not meet: ``land_use``,
    ``planned_land_use``, ``finding``, ``status``, ``outside_line``, ``filter``, and with ``unknown_`` before it one
    that could not be judged; empty for a chosen parcel · ``told`` (n,) the same in Chinese, ``""`` for a chosen one.
    """

    chosen: Flags
    because: Texts
    told: Texts


@dataclass(frozen=True, slots=True)
class _Condition:
    """One condition: its code, what failing it and not knowing it are called, and where it is true and false."""

    code: str
    failed: str
    unknown: str
    known: Known


def eligible_parcels(
    parcels: gpd.GeoDataFrame,
    findings: pd.DataFrame,
    planned_land_use: Texts | None,
    control_lines: gpd.GeoDataFrame | None,
    wanted: Eligible,
) -> Eligibility:
    """Judge every parcel by the conditions.

    Parameters
    ----------
    parcels : (n) canonical parcels, EPSG:4490
    findings : ``parcel_id``, ``kind`` and ``level`` of what was found of them
    planned_land_use : (n,) planned use of each parcel, ``None`` where it was not worked out
    control_lines : canonical layer, or ``None`` where the district has none
    wanted : the conditions; every one that is given restricts

    Raises
    ------
    InvalidParameter
        A condition asks for the plan or a control line of a kind that the district does not have.
    """
    conditions = [
        *_land_use(parcels, wanted),
        *_planned(planned_land_use, wanted),
        *_finding(parcels, findings, wanted),
        *_status(parcels, wanted),
        *_inside(parcels, control_lines, wanted),
        *_filter(parcels, findings, planned_land_use, wanted),
    ]
    count = len(parcels)
    chosen = np.logical_and.reduce([np.ones(count, dtype=bool), *(one.known.true for one in conditions)])
    # There are few combinations of conditions, so that each is written once and not for each parcel.
    case = np.zeros(count, dtype=np.int64)
    for one in conditions:
        case = case * 3 + np.where(one.known.true, 0, np.where(one.known.false, 1, 2))
    cases, place = np.unique(case, return_inverse=True)
    codes, told = np.empty(len(cases), dtype=object), np.empty(len(cases), dtype=object)
    for row, packed in enumerate(cases.tolist()):
        codes[row], told[row] = _unpacked(packed, conditions)
    return Eligibility(chosen, codes[place], told[place])


def _unpacked(packed: int, conditions: list[_Condition]) -> tuple[tuple[str, ...], str]:
    """Codes and words of the conditions that are not met, from their states as digits to the base of three."""
    codes, words = [], []
    for one in reversed(conditions):
        packed, state = divmod(packed, 3)
        if state:
            codes.append(one.code if state == 1 else f"unknown_{one.code}")
            words.append(one.failed if state == 1 else one.unknown)
    return tuple(dict.fromkeys(reversed(codes))), "、".join(reversed(words))


def _among(values: Texts, true: Flags) -> Known:
    """A condition on a value; where the value is missing it is unknown."""
    missing = pd.isna(values)
    return Known(true & ~missing, ~true & ~missing)


def _land_use(parcels: pd.DataFrame, wanted: Eligible) -> list[_Condition]:
    if not wanted.land_use:
        return []
    code = pd.Series(land_and_sea_codes(parcels), dtype=object)
    met = code.str.startswith(wanted.land_use).to_numpy(dtype=bool)
    told = "用途不明，或其代码版本不能换算"
    return [_Condition("land_use", "用途", told, _among(code.where(code != "", None).to_numpy(dtype=object), met))]


def _planned(planned: Texts | None, wanted: Eligible) -> list[_Condition]:
    if not wanted.planned_land_use:
        return []
    uses = _plan(planned)
    met = pd.Series(uses, dtype=object).isin(wanted.planned_land_use).to_numpy(dtype=bool)
    return [_Condition("planned_land_use", "规划用途", "没有规划用途", _among(uses, met))]


def _plan(planned: Texts | None) -> Texts:
    if planned is None:
        raise InvalidParameter("参选条件要看规划用途，但没有规划图层", where="zoning", remedy="请先导入 zoning 图层")
    return planned


def _finding(parcels: pd.DataFrame, findings: pd.DataFrame, wanted: Eligible) -> list[_Condition]:
    """One of the levels or one of the stock classes; a class that no source states is none."""
    if not wanted.levels and not wanted.stock_class:
        return []
    found = parcels["parcel_id"].isin(findings.loc[findings["level"].isin(wanted.levels), "parcel_id"])
    met = (found | parcels["stock_class"].isin(wanted.stock_class)).to_numpy(dtype=bool)
    kinds = {"inefficient" if level in INEFFICIENT_LEVELS else "idle" for level in wanted.levels}
    open_ = findings["level"].eq("not_assessed") & findings["kind"].isin(kinds)
    unknown = ~met & parcels["parcel_id"].isin(findings.loc[open_, "parcel_id"]).to_numpy(dtype=bool)
    return [_Condition("finding", "未认定为闲置、低效或存量用地", "因缺数据未能认定", Known(met, ~met & ~unknown))]


def _status(parcels: pd.DataFrame, wanted: Eligible) -> list[_Condition]:
    if not wanted.status:
        return []
    status = parcels["status"].to_numpy(dtype=object)
    met = parcels["status"].isin(wanted.status).to_numpy(dtype=bool)
    return [_Condition("status", "建设状态", "建设状态不明", _among(status, met))]


def _inside(parcels: gpd.GeoDataFrame, control_lines: gpd.GeoDataFrame | None, wanted: Eligible) -> list[_Condition]:
    if not wanted.inside:
        return []
    point = shapely.point_on_surface(np.asarray(parcels.geometry.array))
    tree = shapely.STRtree(point)
    placed = ~shapely.is_missing(point) & ~shapely.is_empty(point)
    conditions = []
    for kind in dict.fromkeys(wanted.inside):
        zh = WORDS["control_lines.kind"][kind][0]
        lines = None if control_lines is None else control_lines[control_lines["kind"].eq(kind).to_numpy(dtype=bool)]
        if lines is None or lines.empty:
            raise InvalidParameter(
                f"参选条件要求位于{zh}内，但没有{zh}",
                where="control_lines",
                remedy="请先导入控制线图层，或去掉这一条件",
            )
        # The lines are asked and not the points: what is asked is prepared once, however many vertices it has.
        within = np.zeros(len(parcels), dtype=bool)
        within[tree.query(np.asarray(lines.geometry.array), predicate="intersects")[1]] = True
        conditions.append(
            _Condition("outside_line", f"不在{zh}内", f"位置不明，不知是否在{zh}内", Known(within, ~within & placed))
        )
    return conditions


def _filter(
    parcels: gpd.GeoDataFrame, findings: pd.DataFrame, planned: Texts | None, wanted: Eligible
) -> list[_Condition]:
    if not wanted.filter:
        return []
    parsed = parse_filter(wanted.filter, ELIGIBILITY)
    asked = properties(parsed.expression)
    columns: dict[str, Texts] = {}
    if "idle_level" in asked:
        columns["idle_level"] = _idle_level(parcels, findings)
    if "inefficient" in asked:
        columns["inefficient"] = _inefficient(parcels, findings)
    if "planned_land_use" in asked:
        columns["planned_land_use"] = _plan(planned)
    answer = known(parsed, parcels.assign(**columns), ELIGIBILITY)
    return [_Condition("filter", "筛选条件", "筛选条件所需的数据缺失", answer)]


def _idle_level(parcels: pd.DataFrame, findings: pd.DataFrame) -> Texts:
    """The gravest level of each parcel's idle findings: ``ok`` where there is none, ``None`` where it is not known."""
    mine = findings[findings["kind"].eq("idle").to_numpy(dtype=bool)]
    rank = pd.Categorical(mine["level"], categories=_IDLE_GRAVEST_FIRST, ordered=True).codes
    gravest = pd.Series(rank, index=mine["parcel_id"].to_numpy(dtype=object)).groupby(level=0).min()
    code = parcels["parcel_id"].map(gravest).fillna(len(_IDLE_GRAVEST_FIRST)).to_numpy(dtype=np.int64)
    words = np.array([*_IDLE_GRAVEST_FIRST, "ok"], dtype=object)
    words[words == "not_assessed"] = None
    return np.asarray(words[code])


def _inefficient(parcels: pd.DataFrame, findings: pd.DataFrame) -> Texts:
    """Whether each parcel was found to be inefficient: ``None`` where that could not be assessed."""
    mine = findings[findings["kind"].eq("inefficient").to_numpy(dtype=bool)]
    low = parcels["parcel_id"].isin(mine.loc[mine["level"].isin(INEFFICIENT_LEVELS), "parcel_id"]).to_numpy(dtype=bool)
    open_ = parcels["parcel_id"].isin(mine.loc[mine["level"].eq("not_assessed"), "parcel_id"]).to_numpy(dtype=bool)
    told = np.array([False, None, True], dtype=object)
    return np.asarray(told[np.where(low, 2, open_.astype(np.int64))])
