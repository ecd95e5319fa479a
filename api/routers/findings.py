"""Findings: the list, its statistics, and the card of a parcel with its timeline and indicators."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pandas as pd
from fastapi import APIRouter, Query, Request

from api.dependencies import (
    FilterDep,
    FilterLanguageDep,
    LimitDep,
    RunDep,
    StoreDep,
    cql2,
    known_parameters,
)
from api.features import plain_records
from api.parcel_card import parcel_card
from geo.errors import InvalidParameter
from geo.land.findings import LEVELS
from geo.land.statistics import GROUPS, statistics_of
from geo.layers.schema import FINDINGS
from geo.store.base import Query as LayerQuery
from geo.units import mu

router = APIRouter(tags=["认定"])
Kind = Literal["idle", "inefficient"]
By = Literal["town", "kind", "level", "holder", "rule"]
_FILTERS = frozenset({"kind", "level", "town", "holder", "rule", "filter", "filter-lang"})


@router.get("/findings", summary="闲置与低效认定")
def findings(
    request: Request, store: StoreDep, run: RunDep, limit: LimitDep = 100,
    kind: Annotated[Kind | None, Query()] = None,
    level: Annotated[str | None, Query(description="可用逗号分隔多个等级")] = None,
    town: Annotated[str | None, Query(max_length=100)] = None,
    holder: Annotated[str | None, Query(max_length=200)] = None,
    rule: Annotated[str | None, Query(max_length=32)] = None,
    filter_text: FilterDep = None, filter_lang: FilterLanguageDep = "cql2-text",
    after: Annotated[str | None, Query(max_length=200)] = None,
) -> dict[str, Any]:  # fmt: skip
    """Findings of the newest run; ``next`` is the ``after`` of the following page."""
    known_parameters(request, _FILTERS | {"limit", "after"})
    equals = _equals(level, kind=kind, town=town, holder=holder, rule=rule)
    wanted = cql2(filter_text, filter_lang, FINDINGS)
    query = LayerQuery("findings", equals=equals, limit=limit + 1, after=after, geometry=False, filter=wanted)
    found = store.read(query)
    page = [finding_view(record, run.parameters["rule_titles"]) for record in plain_records(found.iloc[:limit])]
    return {
        "run_id": run.run_id,
        "as_of": run.as_of,
        "matched": store.count(LayerQuery("findings", equals=equals, filter=wanted)),
        "findings": page,
        "next": page[-1]["finding_id"] if len(found) > limit else None,
    }


def _equals(level: str | None, **stated: str | None) -> dict[str, Any]:
    told: dict[str, Any] = {**stated, "level": _levels(level) if level else None}
    return {name: value for name, value in told.items() if value}


def _levels(text: str) -> tuple[str, ...]:
    wanted = tuple(part for part in text.split(",") if part)
    unknown = [part for part in wanted if part not in LEVELS]
    if unknown or not wanted:
        raise InvalidParameter(
            f"未知等级“{'、'.join(unknown)[:80]}”", where="level", remedy="可用：" + "、".join(LEVELS)
        )
    return wanted


@router.get("/findings/statistics", summary="认定统计")
def statistics(
    request: Request, store: StoreDep, run: RunDep, by: By = "town",
    kind: Annotated[Kind | None, Query()] = None,
    level: Annotated[str | None, Query(description="可用逗号分隔多个等级")] = None,
    town: Annotated[str | None, Query(max_length=100)] = None,
    holder: Annotated[str | None, Query(max_length=200)] = None,
    rule: Annotated[str | None, Query(max_length=32)] = None,
    filter_text: FilterDep = None, filter_lang: FilterLanguageDep = "cql2-text",
) -> dict[str, Any]:  # fmt: skip
    """Parcels, mu and yuan of the findings by a field, kind and level; a parcel counts once in each row."""
    known_parameters(request, _FILTERS | {"by"})
    equals = _equals(level, kind=kind, town=town, holder=holder, rule=rule)
    query = LayerQuery(
        "findings", equals=equals, columns=GROUPS, geometry=False,
        filter=cql2(filter_text, filter_lang, FINDINGS),
    )  # fmt: skip
    rows = statistics_of(pd.DataFrame(store.read(query)), by)
    return {"run_id": run.run_id, "by": by, "rows": rows, "assessed": run.summary.get("assessed"),
            "stock": run.summary.get("stock")}  # fmt: skip


@router.get("/parcels/{parcel_id:path}/findings", summary="宗地卡片")
def card(parcel_id: str, store: StoreDep) -> dict[str, Any]:
    """A parcel with its findings, their evidence and what is missing, its timeline, indicators, firms and plots.

    ``judged`` says whether any rule applied to it at all: without that, no finding is no clearance; ``assessed`` says
    for each kind whether it was looked at and, if not, why.
    """
    told = parcel_card(store, parcel_id)
    titles = told.pop("rule_titles")
    return {**told, "findings": [finding_view(record, titles) for record in told["findings"]]}


def finding_view(record: dict[str, Any], titles: dict[str, str]) -> dict[str, Any]:
    """A finding as the interface tells it: titles, mu, and its evidence in parts."""
    evidence = record.pop("evidence") or {}
    return {
        **record,
        "level_title": LEVELS.get(record["level"], record["level"]),
        "rule_title": titles.get(record["rule"], record["rule"]),
        "area_mu": round(float(mu(record["area_m2"])), 2) if record["area_m2"] is not None else None,
        "evidence": evidence.get("used", []),
        "reading": evidence.get("reading", {}),
        "parameters": evidence.get("parameters", []),
        "missing": record["missing"] or [],
    }
