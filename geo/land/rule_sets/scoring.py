"""The scoring part of a rule set (亩均论英雄): weighted measures against benchmarks, grades by percentile."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from geo.land.rule_sets.base import Sourced, Status, Strict
from geo.land.rule_sets.inefficiency import Edition, Industry, MeasureName, Size, Unit


class OfMean(Strict):
    """A benchmark made of the population: so many times its mean, Σ numerator over Σ denominator."""

    mean_times: Annotated[float, Field(gt=0)]


class Component(Strict):
    """One measure of a score: ``weight`` × value / ``benchmark``, not below 0, at most ``cap`` × ``weight``.

    ``missing``: what becomes of a firm of which the figure is missing: ``not_assessed`` the whole score is; ``drop``
    the weight is left out and the rest scaled up; ``mean`` it gets the mean of the others. A denominator of nought
    (no staff, no energy) always drops the weight.
    """

    measure: MeasureName
    weight: Annotated[float, Field(gt=0)]
    benchmark: Annotated[float, Field(gt=0)] | OfMean
    unit: Unit = ""
    cap: Annotated[float, Field(gt=0)] | None = None
    missing: Literal["not_assessed", "drop", "mean"] = "not_assessed"
    status: Status | None = None


class ScoreGroup(Strict):
    """Firms that are scored by the same measures and ranked among themselves."""

    name: Annotated[str, Field(min_length=1)]
    size: Size | None = None
    components: Annotated[tuple[Component, ...], Field(min_length=1)]


class Cut(Strict):
    """The worst place, in percent of the ranked firms, that still has a grade."""

    grade: Annotated[str, Field(pattern=r"^[A-Z]$")]
    to_percent: Annotated[float, Field(gt=0, le=100)]


class Scoring(Sourced):
    """Score and grade of firms. Ties take the better grade; cuts round to whole firms, half up.

    ``population`` states in words which firms are ranked. Firms of an ``exempt_industry`` are not rated (T); those with
    less land than ``min_land_mu`` are outside the population. Without ``cuts`` there are scores and no grades.
    """

    rule: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{1,31}$")] = "GRADE"
    title: Annotated[str, Field(min_length=1)] = "亩均评价等级"
    article: str = ""
    population: Annotated[str, Field(min_length=1, description="评价范围")]
    min_land_mu: Annotated[float, Field(ge=0)] = 0.0
    land_use: tuple[str, ...] = ("1001", "1101")
    exempt_industry: tuple[Industry, ...] = ()
    industry_edition: Edition = "2017"
    groups: Annotated[tuple[ScoreGroup, ...], Field(min_length=1)]
    rank_within: Annotated[Literal["group", "all"], Field(description="按组排名还是统一排名")] = "group"
    cuts: tuple[Cut, ...] = ()
    inefficient_grades: Annotated[tuple[str, ...], Field(description="认定为低效的等级")] = ()
    disposals: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _rising(self) -> Scoring:
        places = [cut.to_percent for cut in self.cuts]
        if places != sorted(set(places)) or (places and places[-1] != 100):
            raise ValueError("cuts 的百分位应递增，最后一个为 100")
        unknown = set(self.inefficient_grades) - {cut.grade for cut in self.cuts}
        if unknown:
            raise ValueError(f"inefficient_grades 中的等级 {'、'.join(sorted(unknown))} 不在 cuts 中")
        return self
