"""Runs, findings, plots and the card of a parcel."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

import pandas as pd
from fastapi import APIRouter, Query, Request

from api.dependencies import LimitDep, RunDep, StoreDep, known_parameters
from api.features import plain_records
from geo.errors import InvalidParameter, NotFound
from geo.land.efficiency import in_operation
from geo.land.findings import LEVELS
from geo.land.idle import subject_to_idle
from geo.store.base import Query as LayerQuery
from geo.store.base import Run, Store
from geo.units import mu

router = APIRouter(tags=["分析"])
_BY = Literal["town", "kind", "level", "holder", "rule"]


@router.get("/runs", summary="全部分析批次")
def runs(store: StoreDep) -> dict[str, Any]:
    """All runs, oldest first."""
    return {"runs": [asdict(run) for run in store.runs()]}


@router.get("/runs/latest", summary="最新分析批次")
def latest(store: StoreDep, run: RunDep) -> dict[str, Any]:
    """The newest run with the loads it saw and the extent of its parcels."""
    return _told(store, run)


@router.get("/runs/{run_id}", summary="一个分析批次")
def one_run(run_id: str, store: StoreDep) -> dict[str, Any]:
    """A run by its id: parameters, rule set, summary."""
    for run in store.runs():
        if run.run_id == run_id:
            return _told(store, run)
    raise NotFound(f"没有分析批次“{run_id[:40]}”", where="run_id")


def _told(store: Store, run: Run) -> dict[str, Any]:
    loads = [asdict(load) for load in store.loads() if load.load_id in run.loads]
    title = run.parameters.get("ruleset_title", run.ruleset)
    return {**asdict(run), "ruleset_title": title, "loads": loads, "bounds": store.bounds("parcels")}


@router.get("/loads", summary="全部导入批次")
def loads(store: StoreDep) -> dict[str, Any]:
    """All imports with their counts, oldest first."""
    return {"loads": [asdict(load) for load in store.loads()]}


@router.get("/findings", summary="闲置与低效认定")
def findings(
    request: Request, store: StoreDep, run: RunDep, limit: LimitDep = 100,
    kind: Annotated[Literal["idle", "inefficient"] | None, Query()] = None,
    level: Annotated[str | None, Query(description="可用逗号分隔多个等级")] = None,
    town: Annotated[str | None, Query(max_length=100)] = None,
    after: Annotated[str | None, Query(max_length=200)] = None,
) -> dict[str, Any]:  # fmt: skip
    """Findings of the newest run; ``next`` is the ``after`` of the following page."""
    known_parameters(request, frozenset({"kind", "level", "town", "limit", "after"}))
    equals: dict[str, Any] = {}
    if kind:
        equals["kind"] = kind
    if level:
        equals["level"] = _levels(level)
    if town:
        equals["town"] = town
    query = LayerQuery("findings", equals=equals, limit=limit + 1, after=after, geometry=False)
    found = store.read(query)
    page = [_finding(record, run.parameters["rule_titles"]) for record in plain_records(found.iloc[:limit])]
    return {
        "run_id": run.run_id,
        "matched": store.count(LayerQuery("findings", equals=equals)),
        "findings": page,
        "next": page[-1]["finding_id"] if len(found) > limit else None,
    }


def _levels(text: str) -> tuple[str, ...]:
    wanted = tuple(part for part in text.split(",") if part)
    unknown = [part for part in wanted if part not in LEVELS]
    if unknown or not wanted:
        raise InvalidParameter(
            f"未知等级“{'、'.join(unknown)[:80]}”", where="level", remedy="可用：" + "、".join(LEVELS)
        )
    return wanted


@router.get("/findings/statistics", summary="认定统计")
def statistics(request: Request, store: StoreDep, run: RunDep, by: _BY = "town") -> dict[str, Any]:
    """Parcels and mu of the findings by a field, kind and level; a parcel counts once in each row."""
    known_parameters(request, frozenset({"by"}))
    columns = tuple(dict.fromkeys((by, "kind", "level", "parcel_id", "area_m2", "fee_yuan")))
    found = pd.DataFrame(store.read(LayerQuery("findings", columns=columns, geometry=False)))
    keys = list(dict.fromkeys([by, "kind", "level"]))
    once = found.drop_duplicates([*keys, "parcel_id"])
    grouped = once.groupby(keys, dropna=False, sort=True)
    rows = [
        {"key": _none(key[0]), "kind": key[keys.index("kind")], "level": key[keys.index("level")],
         "count": len(group), "mu": round(float(mu(group["area_m2"].sum())), 2),
         "fee_yuan": None if group["fee_yuan"].isna().all() else round(float(group["fee_yuan"].sum()), 2)}
        for key, group in grouped
    ]  # fmt: skip
    return {"run_id": run.run_id, "by": by, "rows": rows}


def _none(value: Any) -> Any:
    return None if pd.isna(value) else value


@router.get("/parcels/{parcel_id:path}/findings", summary="宗地卡片")
def parcel_card(parcel_id: str, store: StoreDep) -> dict[str, Any]:
    """A parcel with its findings, their evidence and what is missing, and the plots it belongs to.

    ``judged`` says whether any rule applied to it at all: without that, no finding is no clearance.
    """
    parcel = store.read(LayerQuery("parcels", equals={"parcel_id": parcel_id}, limit=1, geometry=False))
    if parcel.empty:
        raise NotFound(f"没有宗地“{parcel_id[:80]}”", where="parcel_id")
    about = plain_records(parcel)[0]
    found = store.read(LayerQuery("findings", equals={"parcel_id": parcel_id}, geometry=False))
    members = store.read(LayerQuery("plot_members", equals={"parcel_id": parcel_id}, geometry=False))
    runs = store.runs()
    titles = runs[-1].parameters["rule_titles"] if runs else {}
    return {
        "parcel": {**about, "area_mu": round(float(mu(about["area_m2"])), 2)},
        "findings": [_finding(record, titles) for record in plain_records(found)],
        "plots": sorted(members["plot_id"].tolist()),
        "judged": bool(len(found)) or _judged(parcel, runs),
    }


def _judged(parcel: pd.DataFrame, runs: list[Run]) -> bool:
    if not runs:
        return False
    land_uses = tuple(runs[-1].parameters["inefficient_land_use"])
    in_use = in_operation(parcel, land_uses) if land_uses else [False]
    return bool(subject_to_idle(parcel)[0] or in_use[0])


def _finding(record: dict[str, Any], titles: dict[str, str]) -> dict[str, Any]:
    evidence = record.pop("evidence") or {}
    return {
        **record,
        "level_title": LEVELS.get(record["level"], record["level"]),
        "rule_title": titles.get(record["rule"], record["rule"]),
        "area_mu": round(float(mu(record["area_m2"])), 2) if record["area_m2"] is not None else None,
        "evidence": evidence.get("used", []),
        "reading": evidence.get("reading", {}),
        "missing": record["missing"] or [],
    }


@router.get("/plots", summary="连片地块")
def plots(store: StoreDep, run: RunDep) -> dict[str, Any]:
    """All plots of the newest run, largest first, without geometry."""
    records = plain_records(store.read(LayerQuery("plots", geometry=False)))
    for record in records:
        record.pop("evidence")
        record["area_mu"] = round(float(mu(record["area_m2"])), 2)
    return {"run_id": run.run_id, "plots": sorted(records, key=lambda record: -record["area_m2"])}


@router.get("/plots/{plot_id}", summary="地块卡片")
def plot_card(plot_id: str, store: StoreDep) -> dict[str, Any]:
    """A plot: its members with their findings, bridges, exclusions and what keeps its neighbours away."""
    found = store.read(LayerQuery("plots", equals={"plot_id": plot_id}, limit=1, geometry=False))
    if found.empty:
        raise NotFound(f"没有连片地块“{plot_id[:40]}”", where="plot_id")
    about = plain_records(found)[0]
    evidence = about.pop("evidence") or {}
    members = pd.DataFrame(store.read(LayerQuery("plot_members", equals={"plot_id": plot_id}, geometry=False)))
    wanted = tuple(members["parcel_id"])
    parcels = store.read(
        LayerQuery("parcels", equals={"parcel_id": wanted}, columns=("holder", "land_use", "address"), geometry=False)
    )
    levels = store.read(
        LayerQuery("findings", equals={"parcel_id": wanted}, columns=("parcel_id", "level"), geometry=False)
    )
    level = levels.groupby("parcel_id")["level"].agg(lambda values: sorted(set(values)))
    table = members.merge(pd.DataFrame(parcels), on="parcel_id", how="left").sort_values("area_m2", ascending=False)
    table["finding_level"] = table["parcel_id"].map(level)
    return {
        "plot": {**about, "area_mu": round(float(mu(about["area_m2"])), 2)},
        "members": [
            {**record, "finding_level": record["finding_level"] or []}
            for record in plain_records(table.drop(columns=["member_id", "run_id"]))
        ],
        "evidence": evidence,
    }
