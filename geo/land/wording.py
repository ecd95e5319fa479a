"""A rule set in words: what each rule looks at, measures and compares with, where that is from and how sure it is."""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import BaseModel

from geo.land.findings import LEVELS
from geo.land.measures import measure_of
from geo.land.rule_sets.base import STATUS_TITLES, Sourced
from geo.land.rule_sets.idle import IdleRules
from geo.land.rule_sets.inefficiency import (
    AGREED,
    Applies,
    Case,
    Criterion,
    FromTable,
    InefficiencyRule,
    Plain,
    SectorTable,
)
from geo.land.rule_sets.scoring import Component, Scoring
from geo.land.rules import RuleSet
from geo.land.shortfall import zh_unit
from geo.layers.schema import PARCELS

_WAYS = {"below": "低于", "at_most": "不高于", "above": "高于", "at_least": "不低于"}
_SIZES = {"above_scale": "规上企业", "below_scale": "规下企业"}
# Measures that are either 1 or 0 need no number.
_PLAIN_WORDS: dict[tuple[str, str, Any], str] = {
    ("above_scale", "at_most", 0.0): "规下企业",
    ("above_scale", "at_least", 1.0): "规上企业",
    ("stopped", "at_least", 1.0): "已停产",
}
_STATES = {"in_use": "已建成", "under_construction": "在建", "any": "不论建设状态"}
_MISSING = {"not_assessed": "缺数据则不评分", "drop": "缺数据则去掉此项", "mean": "缺数据则取平均得分"}


def held(rules: RuleSet) -> list[str]:
    """What a rule set holds, a few words each."""
    own = [f"低效规则 {len(rules.inefficient)} 条"] if rules.inefficient else []
    own += [f"行业表 {len(rules.tables)} 张"] if rules.tables else []
    own += [f"评分 {len(rules.scoring.groups)} 组"] if rules.scoring else []
    own += [f"不能判断的条款 {len(rules.not_computed)} 条"] if rules.not_computed else []
    return ["闲置认定", *own]


def statuses(rules: RuleSet) -> list[str]:
    """How sure the values are: every status that occurs, the key by key ones included."""
    parts: list[Sourced] = [rules.idle, *rules.inefficient, *rules.tables.values()]
    parts += [rules.scoring] if rules.scoring else []
    found = {part.status for part in parts} | {"unverified" for part in parts if part.unverified}
    if rules.scoring:
        found |= {each.status for group in rules.scoring.groups for each in group.components if each.status}
    found |= {disposal.status for disposal in rules.idle.disposals}
    return [title for status, title in STATUS_TITLES.items() if status in found]


_CAUSES = {"holder": "", "government": "另有已扣除的政府原因或不可抗力时", "any": ""}


def told_rules(rules: RuleSet) -> dict[str, Any]:
    """A rule set as a document in words, for a listing or for JSON."""
    return {
        **rules.ruleset.model_dump(),
        "sha256": rules.sha256,
        "holds": held(rules),
        "idle": _told_idle(rules.idle),
        "inefficient": [_told_rule(rule) for rule in rules.inefficient],
        "tables": [_told_table(name, table) for name, table in rules.tables.items()],
        "scoring": _told_scoring(rules.scoring) if rules.scoring else None,
        "not_computed": [clause.model_dump() for clause in rules.not_computed],
        "measures": _settings(rules.measures),
        "eligible": _settings(rules.eligible),
        "sites": _settings(rules.sites),
    }


def criterion_text(criterion: Criterion) -> str:
    """One comparison: ``亩均税收低于 6 万元/亩``."""
    measure = measure_of(criterion.measure)
    way, bound = criterion.comparison
    if not isinstance(bound, tuple | FromTable) and (measure.name, way, bound) in _PLAIN_WORDS:
        return _PLAIN_WORDS[measure.name, way, bound]
    unit = zh_unit(criterion.unit or measure.unit)
    if isinstance(bound, FromTable):
        text = f"行业标准值（表 {bound.table}）"
    elif isinstance(bound, tuple):
        text = "；".join(f"{case_text(case)} {_bound(case.value, unit)}" for case in bound)
    else:
        text = _bound(bound, unit)
    return f"{measure.zh}{_WAYS[way]} {text}"


def case_text(case: Case) -> str:
    """The conditions of one line of a threshold: ``规上企业``; ``其余`` without any."""
    parts = [_SIZES[case.size]] if case.size else []
    for name, zh in (
        ("land_class", "土地等别"),
        ("park_grade", "园区等级"),
        ("land_use", "用途"),
        ("industry", "行业"),
    ):
        values = getattr(case, name)
        parts += [f"{zh} {'、'.join(values)}"] if values else []
    return "，".join(parts) or "其余"


def scope_text(applies: Applies) -> str:
    """Which parcels a rule looks at: ``已建成；用途 1001、1101``."""
    parts = [_STATES[applies.state]]
    parts += [f"用途 {'、'.join(applies.land_use)}"] if applies.land_use else []
    parts += [f"规划用途 {'、'.join(applies.planned_land_use)}"] if applies.planned_land_use else []
    parts += [_SIZES[applies.size]] if applies.size else []
    parts += [f"用地不小于 {applies.min_land_mu:g} 亩"] if applies.min_land_mu else []
    parts += [f"{applies.contract_from:%Y-%m-%d} 起签订合同"] if applies.contract_from else []
    parts += (
        [f"行业 {'、'.join(applies.exempt_industry)} 除外（{applies.industry_edition} 版）"]
        if (applies.exempt_industry)
        else []
    )
    parts += [f"已属{'、'.join(LEVELS[each] for each in applies.except_levels)}的除外"] if applies.except_levels else []
    return "；".join(parts)


def _bound(bound: Plain, unit: str) -> str:
    if isinstance(bound, str):
        return PARCELS.field(bound).zh if bound in AGREED else f"{bound} {unit}".strip()
    return f"{bound:g} {unit}".strip()


def _sureness(part: Sourced) -> dict[str, Any]:
    return {
        "source": part.source,
        "status": part.status,
        "status_title": STATUS_TITLES[part.status],
        "unverified": [{"key": key, "zh": _key_zh(part, key)} for key in part.unverified],
    }


def _key_zh(part: BaseModel, key: str) -> str:
    """What a key is, from the description of the model that has it; the key of a table of values as it is."""
    table: Any = part
    for name in key.split("."):
        if not isinstance(table, BaseModel):
            return name
        said = type(table).model_fields[name].description or name
        table = getattr(table, name)
    return said


def _settings(table: BaseModel, skip: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Every plain value of a table with its key and what it is."""
    return [
        {"key": name, "zh": field.description, "value": _value(getattr(table, name))}
        for name, field in type(table).model_fields.items()
        if name not in skip
    ]


def _value(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def _told_idle(idle: IdleRules) -> dict[str, Any]:
    structured = ("source", "status", "unverified", "disposals", "slow_investment", "articles")
    return {
        **_sureness(idle),
        "articles": dict(idle.articles),
        "values": _settings(idle, structured),
        "slow_investment": idle.slow_investment
        and {**_sureness(idle.slow_investment), "values": _settings(idle.slow_investment, structured)},
        "disposals": [
            {**each.model_dump(), "levels": [LEVELS[level] for level in each.levels],
             "cause_title": _CAUSES[each.cause], "status_title": STATUS_TITLES[each.status]}
            for each in idle.disposals
        ],
    }  # fmt: skip


def _told_rule(rule: InefficiencyRule) -> dict[str, Any]:
    return {
        "rule": rule.rule,
        "title": rule.title,
        "article": rule.article,
        **_sureness(rule),
        "per": {"parcel": "宗地", "firm": "企业"}[rule.per],
        "scope": scope_text(rule.applies),
        "criteria": [criterion_text(criterion) for criterion in rule.when],
        "disposals": list(rule.disposals),
    }


def _told_table(name: str, table: SectorTable) -> dict[str, Any]:
    return {
        "name": name,
        **_sureness(table),
        "edition": table.edition,
        "unit": zh_unit(table.unit),
        "values": dict(table.values),
        "crosswalk_from": table.crosswalk_from,
        "crosswalk": {code: list(codes) for code, codes in table.crosswalk.items()},
    }


def _told_scoring(scoring: Scoring) -> dict[str, Any]:
    structured = ("source", "status", "unverified", "groups", "cuts", "rule", "title", "article", "disposals")
    return {
        "rule": scoring.rule,
        "title": scoring.title,
        "article": scoring.article,
        **_sureness(scoring),
        "disposals": list(scoring.disposals),
        "values": _settings(scoring, structured),
        "cuts": [f"{cut.grade} 至前 {cut.to_percent:g}%" for cut in scoring.cuts],
        "groups": [
            {"name": group.name, "components": [_component_text(each, scoring) for each in group.components]}
            for group in scoring.groups
        ],
    }


def _component_text(component: Component, scoring: Scoring) -> str:
    measure = measure_of(component.measure)
    unit = zh_unit(component.unit or measure.unit)
    if isinstance(component.benchmark, float):
        benchmark = f"{component.benchmark:g} {unit}".strip()
    else:
        benchmark = f"平均值的 {component.benchmark.mean_times:g} 倍"
    parts = [f"{measure.zh} 权重 {component.weight:g}", f"基准 {benchmark}"]
    parts += [f"至多 {component.cap:g} 倍权重"] if component.cap else []
    return "，".join([*parts, _MISSING[component.missing], STATUS_TITLES[component.status or scoring.status]])
