"""Runs, what changed between two of them, loads and plots."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

import pandas as pd
from fastapi import APIRouter, Query, Request

from api.dependencies import LimitDep, RunDep, StoreDep, known_parameters
from api.features import plain_records
from api.plot_fit import plot_fit
from geo.comparing import compared
from geo.errors import NotFound
from geo.land.changes import changes_summary
from geo.store.base import Query as LayerQuery
from geo.store.base import Run, Store
from geo.units import mu

router = APIRouter(tags=["分析"])


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


@router.get("/runs/{run_id}/changes", summary="两次分析之间的变化")
def run_changes(
    run_id: str, request: Request, store: StoreDep,
    since: Annotated[str | None, Query(max_length=64, description="与之比较的批次，默认前一次")] = None,
    kind: Annotated[Literal["idle", "inefficient"] | None, Query()] = None,
    change: Annotated[Literal["new", "cleared", "changed"] | None, Query()] = None,
    town: Annotated[str | None, Query(max_length=100)] = None,
    limit: LimitDep = 100,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> dict[str, Any]:  # fmt: skip
    """Findings that are new, cleared or of another level than in an earlier run, with a summary by kind."""
    known_parameters(request, frozenset({"since", "kind", "change", "town", "limit", "offset"}))
    before, after, told = compared(store, run_id, since)
    summary = changes_summary(told)
    for name, value in (("kind", kind), ("change", change), ("town", town)):
        if value is not None:
            told = told[told[name] == value]
    page = told.iloc[offset : offset + limit]
    return {
        "before": {"run_id": before.run_id, "as_of": before.as_of, "ruleset": before.ruleset},
        "after": {"run_id": after.run_id, "as_of": after.as_of, "ruleset": after.ruleset},
        "ruleset_changed": before.ruleset_sha256 != after.ruleset_sha256,
        "summary": summary,
        "matched": len(told),
        "changes": plain_records(page),
        "next_offset": offset + limit if offset + limit < len(told) else None,
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


_Side = Annotated[float, Query(gt=0, le=100_000, allow_inf_nan=False, description="米")]


@router.get("/plots/{plot_id}/fit", summary="矩形能否放进地块")
def fit(plot_id: str, length_m: _Side, width_m: _Side, request: Request, store: StoreDep) -> dict[str, Any]:
    """Whether a footprint fits into a plot at any rotation: a placement, or a proof that there is none."""
    known_parameters(request, frozenset({"length_m", "width_m"}))
    return plot_fit(store, plot_id, length_m, width_m)
