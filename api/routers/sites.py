"""Sites for a project."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
from fastapi import APIRouter

from api.dependencies import RunDep, StoreDep
from api.features import plain_records
from geo.errors import InvalidParameter, NotFound
from geo.matching.demand import Demand
from geo.matching.ranking import search_sites
from geo.store.base import Query, Run, Store

router = APIRouter(tags=["选址"])


@router.post("/sites/search", summary="为项目找地")
def search(demand: Demand, store: StoreDep, run: RunDep) -> dict[str, Any]:
    """Ranked sites with the reasons, and the excluded ones with the reason why."""
    return _answer(store, run, demand)


@router.get("/demands/{demand_id}/matches", summary="已登记项目的候选地块")
def matches(demand_id: str, store: StoreDep, run: RunDep) -> dict[str, Any]:
    """The same answer for a demand that is kept in the store."""
    found = store.read(Query("demands", equals={"demand_id": demand_id}, limit=1))
    if found.empty:
        raise NotFound(f"没有项目需求“{demand_id[:40]}”", where="demand_id")
    return _answer(store, run, demand_of(plain_records(found)[0]))


def demand_of(record: dict[str, Any]) -> Demand:
    """The demand kept in a row of the ``demands`` layer."""
    try:
        return Demand.model_validate({"name": record["name"] or "", **(record["need"] or {})})
    except ValueError as error:
        raise InvalidParameter(f"项目需求的内容不合要求：{error}", where=str(record["demand_id"])) from error


def _answer(store: Store, run: Run, demand: Demand) -> dict[str, Any]:
    sites = store.read(Query("sites"))
    assert isinstance(sites, gpd.GeoDataFrame)
    answer = search_sites(sites, demand, np.datetime64(run.as_of))
    return {"run_id": run.run_id, "as_of": run.as_of, "demand": demand.model_dump(mode="json"), **answer}
