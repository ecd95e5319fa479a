"""Rule sets: thresholds with their source, per jurisdiction, read from TOML and checked with clear messages."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from geo.land.measures import measure_of
from geo.land.rule_sets.base import Strict
from geo.land.rule_sets.files import fault, resolved, rule_set_names
from geo.land.rule_sets.idle import IdleRules
from geo.land.rule_sets.inefficiency import FromTable, InefficiencyRule, MeasureRules, NotComputed, SectorTable
from geo.land.rule_sets.scoring import Scoring

__all__ = ["IdleRules", "InefficiencyRule", "RuleSet", "Scoring", "load_rules", "rule_set_names"]


class Eligible(Strict):
    """Which parcels may be part of a plot.

    ``land_use`` code prefixes and ``planned_land_use`` values of the zoning layer (at a point of the parcel) each
    restrict; where ``levels`` of findings or ``stock_class`` are given, a parcel needs one of them.
    """

    land_use: tuple[str, ...] = ()
    planned_land_use: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    stock_class: tuple[str, ...] = ()


class SiteRules(Strict):
    """Which single parcels are sites beside the plots."""

    min_parcel_mu: Annotated[float, Field(gt=0)] = 50.0


class _Head(Strict):
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$", description="规则集名称：小写字母、数字、-、_")]
    title: Annotated[str, Field(min_length=1, description="规则集标题")]
    version: Annotated[str, Field(min_length=1, description="版本")]
    extends: Annotated[str | None, Field(description="所继承的规则集：未写的表取自它")] = None


class RuleSet(Strict):
    """One jurisdiction's rules; ``sha256`` identifies exactly what was applied."""

    ruleset: _Head
    idle: IdleRules
    inefficient: tuple[InefficiencyRule, ...] = ()
    not_computed: tuple[NotComputed, ...] = ()
    tables: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")], SectorTable] = Field(default_factory=dict)
    measures: MeasureRules = MeasureRules()
    scoring: Scoring | None = None
    eligible: Eligible = Eligible()
    sites: SiteRules = SiteRules()
    sha256: str

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
        codes = [rule.rule for rule in self.inefficient] + ([self.scoring.rule] if self.scoring else [])
        twice = sorted({code for code in codes if codes.count(code) > 1})
        if twice:
            raise ValueError(f"规则代码重复：{'、'.join(twice)}")
        for rule in self.inefficient:
            for criterion in rule.when:
                self._check_measure(rule.rule, criterion.measure, rule.per)
                bound = criterion.comparison[1]
                if isinstance(bound, FromTable) and bound.table not in self.tables:
                    raise ValueError(f"规则 {rule.rule} 用到的表 tables.{bound.table} 不存在")
        for group in self.scoring.groups if self.scoring else ():
            for component in group.components:
                self._check_measure(f"评分组“{group.name}”", component.measure, "firm")
        return self

    @staticmethod
    def _check_measure(where: str, name: str, per: Literal["parcel", "firm"]) -> None:
        if per not in measure_of(name).of:
            raise ValueError(f"{where}：指标 {name} 只能按宗地计算")


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
        raise fault(error, texts) from error


def rules_of_run(parameters: dict[str, Any]) -> RuleSet:
    """The rule set that a run was made with, from its record: a year later the file may say something else."""
    return RuleSet.model_validate(parameters["rules"])
