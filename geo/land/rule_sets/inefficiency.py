"""The inefficient-land part of a rule set: which parcels a rule looks at, what it measures, and the threshold."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from geo.land.measures import MEASURES, is_measure, measure_of
from geo.land.rule_sets.base import Sourced, Strict, did_you_mean, wrong
from geo.land.rule_sets.idle import IdleLevel
from geo.layers.schema import PARCELS
from geo.units import is_convertible, is_unit

# Fields of a parcel that hold what its contract agreed: a rule may compare with them instead of with a number.
AGREED = ("far_agreed", "tax_agreed_yuan_per_mu")
Size = Literal["above_scale", "below_scale"]
_FRACTION = re.compile(r"\d+/[1-9]\d*")


def _known_measure(name: str) -> str:
    if not is_measure(name):
        near = did_you_mean(name, MEASURES) or "，可用的指标见 lianpian rules measures"
        raise ValueError(f"没有指标“{name}”{near}")
    return name


def _known_unit(text: str) -> str:
    if text and not is_unit(text):
        raise ValueError(f"没有单位“{text}”")
    return text


def check_unit(measure: str, unit: str) -> None:
    """Refuses a unit that does not measure what the measure does; a column of the source takes any.

    Raises
    ------
    PydanticCustomError
        The unit does not fit; the fault is at the key ``unit``.
    """
    own = measure_of(measure).unit
    share = own == "1" and unit in ("%", "％", "‰")
    if unit and own and not share and not is_convertible(unit, own):
        raise wrong(f"单位“{unit}”不能用于指标 {measure}（{own}）", "unit")


def _known_bound(text: str) -> str:
    if text not in AGREED and not _FRACTION.fullmatch(text):
        raise ValueError(f"应为数、分数（如 1/3）或约定字段（{'、'.join(AGREED)}）")
    return text


MeasureName = Annotated[str, AfterValidator(_known_measure)]
Unit = Annotated[str, AfterValidator(_known_unit)]
Industry = Annotated[str, Field(pattern=r"^\d{2,4}$")]
LandUse = Annotated[str, Field(pattern=r"^\d{2,6}$")]
Edition = Literal["2002", "2011", "2017"]
# A number, an exact fraction ("1/3") or the name of an agreed field.
# Strict, so that a number in quotes is told and not taken.
Plain = Annotated[float, Field(allow_inf_nan=False, strict=True, ge=0)] | Annotated[str, AfterValidator(_known_bound)]


class Case(Strict):
    """One line of a threshold that differs by size, land class, park grade, land use or industry.

    The first line of which every condition holds counts. A line without conditions holds for the rest.
    """

    value: Annotated[Plain, Field(description="此种情形的标准值：数、分数或约定字段")]
    size: Annotated[Size | None, Field(description="企业规模：above_scale 规上、below_scale 规下")] = None
    land_class: Annotated[tuple[str, ...], Field(description="土地等别")] = ()
    park_grade: Annotated[tuple[str, ...], Field(description="园区等级")] = ()
    land_use: Annotated[tuple[LandUse, ...], Field(description="用地用海代码（前缀）")] = ()
    industry: Annotated[tuple[Industry, ...], Field(description="行业代码（前缀）")] = ()
    industry_edition: Annotated[Edition, Field(description="行业代码的版本")] = "2017"


class FromTable(Strict):
    """A threshold that a table of the rule set holds for the industry (and land class) of the parcel or firm."""

    table: Annotated[str, Field(description="[tables.名称] 中的名称")]


Bound = Plain | FromTable | Annotated[tuple[Case, ...], Field(min_length=1)]


class SectorTable(Sourced):
    """Thresholds by industry: code prefix -> value, or land class -> code prefix -> value.

    ``crosswalk`` turns codes of the edition ``crosswalk_from`` (prefix, the longest that fits counts) into codes of
    ``edition``; several codes for one mean that it may be any of them. A code with an empty list has no counterpart.
    """

    edition: Annotated[Edition, Field(description="values 中行业代码的版本（GB/T 4754）")]
    unit: Annotated[Unit, Field(description="标准值的单位，不写时为指标自己的单位")] = ""
    values: Annotated[
        dict[str, Annotated[float, Field(gt=0)] | dict[Industry, Annotated[float, Field(gt=0)]]],
        Field(description="行业代码（前缀）→ 标准值，或 土地等别 → 行业代码 → 标准值"),
    ]
    crosswalk_from: Annotated[Edition | None, Field(description="crosswalk 从哪一版的代码换算")] = None
    crosswalk: Annotated[
        dict[Industry, tuple[Industry, ...]],
        Field(default_factory=dict, description="代码换算：crosswalk_from 版的代码 → edition 版的代码，空列表为无对应"),
    ]

    @property
    def by_land_class(self) -> bool:
        """Whether the values differ by land class too."""
        return any(isinstance(value, dict) for value in self.values.values())

    @model_validator(mode="after")
    def _one_kind(self) -> SectorTable:
        kinds = {isinstance(value, dict) for value in self.values.values()}
        if len(kinds) > 1:
            raise wrong("要么全按行业，要么全按土地等别再按行业", "values")
        for code in () if self.by_land_class else self.values:
            if not re.fullmatch(r"\d{2,4}", code):
                raise wrong("应为 2 至 4 位数字的行业代码", "values", code)
        if bool(self.crosswalk) != (self.crosswalk_from is not None):
            raise wrong("crosswalk 与 crosswalk_from 应同时给出", "crosswalk" if self.crosswalk else "crosswalk_from")
        return self


class Criterion(Strict):
    """One comparison: a measure against a bound, which is in ``unit`` (the measure's own where it says none)."""

    measure: Annotated[MeasureName, Field(description="指标，或 extra:列名（来源文件中的数字列）")]
    below: Annotated[Bound | None, Field(description="低于，恰好等于不算")] = None
    at_most: Annotated[Bound | None, Field(description="不高于，等于也算")] = None
    above: Annotated[Bound | None, Field(description="高于，恰好等于不算")] = None
    at_least: Annotated[Bound | None, Field(description="不低于，等于也算")] = None
    unit: Annotated[Unit, Field(description="标准值的单位，不写时为指标自己的单位")] = ""

    @model_validator(mode="after")
    def _one_bound(self) -> Criterion:
        if sum(bound is not None for bound in (self.below, self.at_most, self.above, self.at_least)) != 1:
            raise ValueError("below、at_most、above、at_least 中应恰有一个")
        check_unit(self.measure, self.unit)
        way, bound = self.comparison
        for case in bound if isinstance(bound, tuple) else (bound,):
            agreed = case.value if isinstance(case, Case) else case
            if agreed in AGREED and PARCELS.field(agreed).unit != measure_of(self.measure).unit:
                raise wrong(f"约定字段 {agreed} 不能与指标 {self.measure} 比较", way)
        return self

    @property
    def comparison(self) -> tuple[Literal["below", "at_most", "above", "at_least"], Any]:
        """Which way it compares, and with what."""
        if self.below is not None:
            return "below", self.below
        if self.at_most is not None:
            return "at_most", self.at_most
        if self.above is not None:
            return "above", self.above
        return "at_least", self.at_least


class Applies(Strict):
    """Which parcels a rule looks at; every condition has to hold.

    ``state``: ``in_use`` completed, producing or stopped; ``under_construction`` started and not completed; ``any``.
    ``land_use`` prefixes of 用地用海 codes and ``planned_land_use`` values of the zoning layer; empty for all.
    ``min_land_mu`` land of the firm (or of the parcel, for a rule per parcel). ``except_levels``: parcels with an idle
    finding of these levels are left to it.
    """

    state: Annotated[
        Literal["in_use", "under_construction", "any"],
        Field(description="状态：in_use 已建成（在产或停产）、under_construction 在建、any 不限"),
    ] = "in_use"
    land_use: Annotated[tuple[LandUse, ...], Field(description="用地用海代码（前缀），空列表为不限")] = ("1001", "1101")
    planned_land_use: Annotated[tuple[str, ...], Field(description="规划图层中的规划用途，空列表为不限")] = ()
    size: Annotated[Size | None, Field(description="企业规模：above_scale 规上、below_scale 规下")] = None
    min_land_mu: Annotated[float, Field(ge=0, description="用地面积不小于（亩）")] = 0.0
    exempt_industry: Annotated[tuple[Industry, ...], Field(description="不适用的行业代码（前缀）")] = ()
    industry_edition: Annotated[Edition, Field(description="行业代码的版本（GB/T 4754）")] = "2017"
    contract_from: Annotated[date | None, Field(description="只看此日及以后签订合同的宗地")] = None
    except_levels: Annotated[tuple[IdleLevel, ...], Field(description="已有这些闲置等级的宗地不再按本条认定")] = ()


class InefficiencyRule(Sourced):
    """A parcel (or a firm, and with it its parcels) that meets every criterion is inefficient."""

    rule: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{1,31}$", description="规则代码：大写字母、数字、下划线")]
    title: Annotated[str, Field(min_length=1, description="规则名称")]
    article: Annotated[str, Field(description="条款")] = ""
    per: Annotated[Literal["parcel", "firm"], Field(description="按宗地还是按企业判断")] = "parcel"
    applies: Annotated[Applies, Field(description="适用范围")] = Applies()
    when: Annotated[tuple[Criterion, ...], Field(min_length=1, description="须同时成立的条件")]
    disposals: Annotated[tuple[str, ...], Field(description="可采取的措施")] = ()


class NotComputed(Strict):
    """A clause of the document that no layer can decide; shown, so that silence is not taken for a pass."""

    title: Annotated[str, Field(min_length=1, description="条款")]
    reason: Annotated[str, Field(min_length=1, description="为何不能由图层判断")]


class MeasureRules(Strict):
    """How measures are taken.

    ``apron_m`` ground around a building that counts as built when vacant land is looked for; ``vacant_width_m`` vacant
    land narrower than this is none (0: whatever the width); ``tall_storey_m`` storeys higher than this count twice;
    ``floor_area`` which source counts first; ``land`` what a firm's land is: ``used`` its stated area and the parcel's
    where it states none, ``parcel`` the ellipsoidal area of its parcels, ``declared`` their declared area.
    """

    apron_m: Annotated[float, Field(ge=0, le=100, description="建筑外围计为已用的距离（米）")] = 5.0
    vacant_width_m: Annotated[float, Field(ge=0, le=200, description="空地的最小宽度（米），0 为不限")] = 0.0
    tall_storey_m: Annotated[float, Field(gt=0, description="层高超过此值的楼层计两倍建筑面积（米）")] = 8.0
    floor_area: Annotated[Literal["declared", "buildings"], Field(description="建筑面积先取登记值还是建筑图层")] = (
        "declared"
    )
    footprint: Annotated[Literal["buildings", "declared"], Field(description="基底面积先取叠加值还是登记值")] = (
        "buildings"
    )
    land: Annotated[Literal["used", "parcel", "declared"], Field(description="企业用地面积的口径")] = "used"
