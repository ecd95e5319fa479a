"""Two runs of a store side by side: which findings are new, cleared or of another level."""

from __future__ import annotations

import pandas as pd

from geo.errors import NotFound
from geo.land.changes import changes
from geo.store.base import Query, Run, Store


def compared(store: Store, run_id: str | None = None, since: str | None = None) -> tuple[Run, Run, pd.DataFrame]:
    """The earlier run, the later one, and the findings that differ.

    Parameters
    ----------
    run_id : the later run; the newest where none is named
    since : the earlier run; the one before the later where none is named

    Raises
    ------
    NotFound
        A run does not exist, or there is none before.
    """
    runs = store.runs()
    place = {run.run_id: number for number, run in enumerate(runs)}
    if not runs:
        raise NotFound("还没有分析结果", where="runs", remedy="请先运行 lianpian analyse")
    for name in (run_id, since):
        if name is not None and name not in place:
            raise NotFound(f"没有分析批次“{name[:40]}”", where="run_id", remedy="可用：" + "、".join(list(place)[-5:]))
    later = place[run_id] if run_id else len(runs) - 1
    earlier = place[since] if since else later - 1
    if earlier < 0:
        raise NotFound("之前没有可比较的分析批次", where="since", remedy="请再运行一次 lianpian analyse")
    before, after = runs[earlier], runs[later]
    for run in (before, after):
        # Runs made before findings were kept have none on record, which is not the same as none found.
        if "rules" not in run.parameters:
            raise NotFound(f"批次 {run.run_id} 的认定没有保留，不能比较", where="run_id", remedy="请选较新的批次")
    sides = [store.read(Query("past_findings", equals={"run_id": run.run_id})) for run in (before, after)]
    gone = set(sides[0]["parcel_id"]) - set(sides[1]["parcel_id"])
    there = store.read(Query("parcels", equals={"parcel_id": tuple(sorted(gone))}, columns=(), geometry=False))
    still = pd.Index(there["parcel_id"]).union(pd.Index(sides[1]["parcel_id"]))
    return before, after, changes(sides[0], sides[1], still)
