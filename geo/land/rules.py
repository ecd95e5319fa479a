"""Rule sets: thresholds with their source, per jurisdiction, read from TOML and checked with clear messages."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from geo.land.findings import RULE_TITLES
from geo.land.measures import measure_of
from geo.land.rule_sets.base import Strict, did_you_mean, wrong
from geo.land.rule_sets.eligible import ELIGIBILITY, Eligible
from geo.land.rule_sets.faults import fault
from geo.land.rule_sets.files import resolved, rule_set_names
from geo.land.rule_sets.idle import IdleRules
from geo.land.rule_sets.inefficiency import (
    FromTable,
    InefficiencyRule,
    MeasureRules,
    NotComputed,
    SectorTable,
    check_unit,
)
from geo.land.rule_sets.scoring import Scoring
from geo.layers.filters import parse_filter

__all__ = ["Eligible", "IdleRules", "InefficiencyRule", "RuleSet", "Scoring", "load_rules", "rule_set_names"]


class SiteRules(Strict):
    """Which single parcels are sites beside the plots."""

    min_parcel_mu: Annotated[float, Field(gt=0, description="单宗达到此面积（亩）也列为候选地块")] = 50.0


class _Head(Strict):
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$", description="规则集名称：小写字母、数字、-、_")]
    title: Annotated[str, Field(min_length=1, description="规则集标题")]
    version: Annotated[str, Field(min_length=1, description="版本")]
    extends: Annotated[str | None, Field(description="所继承的规则集：未写的表取自它")] = None


class RuleSet(Strict):
    """One jurisdiction's rules; ``sha256`` identifies exactly what was applied."""

    ruleset: Annotated[_Head, Field(description="规则集的名称与版本")]
    idle: Annotated[IdleRules, Field(description="闲置土地")]
    inefficient: Annotated[tuple[InefficiencyRule, ...], Field(description="低效用地的各条规则")] = ()
    not_computed: Annotated[tuple[NotComputed, ...], Field(description="文件中不能由图层判断的条款")] = ()
    tables: Annotated[
        dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")], SectorTable],
        Field(default_factory=dict, description="按行业（和土地等别）的标准值表"),
    ]
    measures: Annotated[MeasureRules, Field(description="指标的取数口径")] = MeasureRules()
    scoring: Annotated[Scoring | None, Field(description="亩均评价：评分与分级")] = None
    eligible: Annotated[Eligible, Field(description="参与连片的宗地")] = Eligible()
    sites: Annotated[SiteRules, Field(description="候选地块")] = SiteRules()
    sha256: Annotated[str, Field(description="所用文本的摘要，由程序计算")]

    @property
    def edition(self) -> str:
        """Name and version, as findings cite them."""
        return f"{self.ruleset.name} {self.ruleset.version}"

    @property
    def rule_titles(self) -> dict[str, str]:
        """Title of every rule of inefficiency by its code, the grade included."""
        titles = {rule.rule: rule.title for rule in self.inefficient}
        return titles | ({self.scoring.rule: self.scoring.title} if self.scoring else {})

    @model_validator(mode="after")
    def _fitting(self) -> RuleSet:
        codes = [rule.rule for rule in self.inefficient]
        for i, rule in enumerate(self.inefficient):
            if rule.rule in codes[:i] or rule.rule in RULE_TITLES:
                raise wrong(f"规则代码重复：{rule.rule}", "inefficient", i, "rule")
            for j, criterion in enumerate(rule.when):
                at = ("inefficient", i, "when", j)
                _check_subject(criterion.measure, rule.per, *at)
                way, bound = criterion.comparison
                if isinstance(bound, FromTable):
                    self._check_table(criterion.measure, bound.table, *at, way)
        if self.scoring is None:
            return self
        if self.scoring.rule in codes or self.scoring.rule in RULE_TITLES:
            raise wrong(f"规则代码重复：{self.scoring.rule}", "scoring", "rule")
        for i, group in enumerate(self.scoring.groups):
            for j, component in enumerate(group.components):
                _check_subject(component.measure, "firm", "scoring", "groups", i, "components", j)
        return self

    def _check_table(self, measure: str, name: str, *at: str | int) -> None:
        if name not in self.tables:
            raise wrong(f"没有表 [tables.{name}]{did_you_mean(name, self.tables)}", *at)
        try:
            check_unit(measure, self.tables[name].unit)
        except PydanticCustomError as error:
            raise wrong((error.context or {})["message"], "tables", name, "unit") from error


def _check_subject(measure: str, per: Literal["parcel", "firm"], *at: str | int) -> None:
    if per not in measure_of(measure).of:
        raise wrong(f"指标 {measure} 只能按宗地计算，不能按企业", *at, "measure")


def load_rules(name: str) -> RuleSet:
    """A rule set by its name (one that comes with the project) or by the path of a TOML file.

    Raises
    ------
    InvalidParameter
        No such rule set, or a value that does not fit; the message names file, line, key and what is expected.
    """
    document, texts = resolved(name)
    digest = hashlib.sha256("".join(text for _, text in texts).encode()).hexdigest()
    try:
        return RuleSet.model_validate({**document, "sha256": digest})
    except ValidationError as error:
        raise fault(error, texts, RuleSet) from error


def eligible_by(rules: RuleSet, text: str) -> RuleSet:
    """A rule set whose conditions for being part of a plot are replaced by one CQL2 expression.

    Parameters
    ----------
    text : CQL2 over the fields of a parcel and ``idle_level``, ``inefficient``, ``planned_land_use``

    Raises
    ------
    InvalidParameter
        The expression asks for what is not there, or cannot be read; the message names the field and the mend.
    """
    parse_filter(text, ELIGIBILITY)
    # Another condition is another set: two runs that differ in it must not look alike.
    mark = hashlib.sha256(f"{rules.sha256}\n{text}".encode()).hexdigest()
    return rules.model_copy(update={"eligible": Eligible(filter=text), "sha256": mark})


def rules_of_run(parameters: dict[str, Any]) -> RuleSet:
    """The rule set that a run was made with, from its record: a year later the file may say something else."""
    return RuleSet.model_validate(parameters["rules"])
