"""The scoring part of a rule set (亩均论英雄): weighted measures against benchmarks, grades by percentile."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from geo.land.rule_sets.base import Sourced, Status, Strict, wrong
from geo.land.rule_sets.inefficiency import Edition, Industry, LandUse, MeasureName, Size, Unit, check_unit


class OfMean(Strict):
    """A benchmark made of the population: so many times its mean, Σ numerator over Σ denominator."""

    mean_times: Annotated[float, Field(gt=0, description="参评企业平均值的几倍")]


class Component(Strict):
    """One measure of a score: ``weight`` × value / ``benchmark``, not below 0, at most ``cap`` × ``weight``.

    ``missing``: what becomes of a firm of which the figure is missing: ``not_assessed`` the whole score is; ``drop``
    the weight is left out and the rest scaled up; ``mean`` it gets the mean of the others. A denominator of nought
    (no staff, no energy) always drops the weight.
    """

    measure: Annotated[MeasureName, Field(description="指标")]
    weight: Annotated[float, Field(gt=0, description="权重（满分）")]
    benchmark: Annotated[
        Annotated[float, Field(gt=0)] | OfMean, Field(description="基准值：数，或 { mean_times = 平均值的倍数 }")
    ]
    unit: Annotated[Unit, Field(description="基准值的单位，不写时为指标自己的单位")] = ""
    cap: Annotated[float | None, Field(gt=0, description="得分上限，为权重的几倍；不写为不封顶")] = None
    missing: Annotated[
        Literal["not_assessed", "drop", "mean"],
        Field(description="缺数据时：not_assessed 不评分、drop 去掉该项并放大其余权重、mean 取其他企业的平均得分"),
    ] = "not_assessed"
    status: Annotated[Status | None, Field(description="本项的核实状态，不写时同 [scoring]")] = None

    @model_validator(mode="after")
    def _fitting_unit(self) -> Component:
        check_unit(self.measure, self.unit)
        return self


class ScoreGroup(Strict):
    """Firms that are scored by the same measures and ranked among themselves."""

    name: Annotated[str, Field(min_length=1, description="评分组名称")]
    size: Annotated[Size | None, Field(description="企业规模：above_scale 规上、below_scale 规下")] = None
    components: Annotated[tuple[Component, ...], Field(min_length=1, description="评分的各项指标")]


class Cut(Strict):
    """The worst place, in percent of the ranked firms, that still has a grade."""

    grade: Annotated[str, Field(pattern=r"^[A-Z]$", description="等级：一个大写字母")]
    to_percent: Annotated[float, Field(gt=0, le=100, description="排名到百分之几为止")]


class Scoring(Sourced):
    """Score and grade of firms. Ties take the better grade; cuts round to whole firms, half up.

    ``population`` states in words which firms are ranked. Firms of an ``exempt_industry`` are not rated (T); those with
    less land than ``min_land_mu`` (of the size ``min_land_size``) are outside the population. Without ``cuts`` there
    are scores and no grades.
    """

    rule: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{1,31}$", description="规则代码")] = "GRADE"
    title: Annotated[str, Field(min_length=1, description="规则名称")] = "亩均评价等级"
    article: Annotated[str, Field(description="条款")] = ""
    population: Annotated[str, Field(min_length=1, description="评价范围")]
    min_land_mu: Annotated[float, Field(ge=0, description="用地少于此面积（亩）的企业不参评")] = 0.0
    min_land_size: Annotated[
        Size | None, Field(description="min_land_mu 只限此规模的企业：above_scale、below_scale；不写为不论规模")
    ] = None
    land_use: Annotated[tuple[LandUse, ...], Field(description="用地用海代码（前缀），空列表为不限")] = ("1001", "1101")
    exempt_industry: Annotated[tuple[Industry, ...], Field(description="不评级的行业代码（前缀）")] = ()
    industry_edition: Annotated[Edition, Field(description="行业代码的版本（GB/T 4754）")] = "2017"
    groups: Annotated[tuple[ScoreGroup, ...], Field(min_length=1, description="评分组")]
    rank_within: Annotated[Literal["group", "all"], Field(description="按组排名还是统一排名")] = "group"
    cuts: Annotated[tuple[Cut, ...], Field(description="分级，由好到差；不写则只评分不分级")] = ()
    inefficient_grades: Annotated[tuple[str, ...], Field(description="认定为低效的等级")] = ()
    disposals: Annotated[tuple[str, ...], Field(description="可采取的措施")] = ()

    @model_validator(mode="after")
    def _rising(self) -> Scoring:
        places = [cut.to_percent for cut in self.cuts]
        if places != sorted(set(places)) or (places and places[-1] != 100):
            raise wrong("百分位应递增，最后一个为 100", "cuts")
        unknown = set(self.inefficient_grades) - {cut.grade for cut in self.cuts}
        if unknown:
            raise wrong(f"等级 {'、'.join(sorted(unknown))} 不在 cuts 中", "inefficient_grades")
        return self
