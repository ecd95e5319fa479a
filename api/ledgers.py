"""A ledger out of the store: the newest run's findings with what the layers know of their parcels and firms."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from geo.errors import InvalidParameter, NotFound
from geo.exporting import AREA_METHOD
from geo.land.ledger import ledger
from geo.layers.filters import Filter
from geo.layers.formats.ledger_layout import Layout
from geo.layers.formats.ledger_sheet import LedgerAbout, write_ledger
from geo.layers.formats.provenance import Written
from geo.layers.schema import LAYERS, PARCELS
from geo.store.base import EVERYTHING, Query, Run, Scope, Store
from geo.store.records import standing_loads

_CHINA = ZoneInfo("Asia/Shanghai")
# What the rows need of a parcel whatever the columns are.
_ALWAYS = ("credit_code",)


def export_ledger(
    store: Store,
    layout: Layout,
    path: Path,
    *,
    town: str | None = None,
    where: Filter | None = None,
    organisation: str = "",
    scope: Scope = EVERYTHING,
) -> Written:
    """Write the ledger of the newest run into a new workbook.

    Parameters
    ----------
    layout : kind of ledger and its columns
    path : file to make
    town : only findings of this town
    where : only findings for which this holds; a filter on the layer ``findings``
    organisation : who fills the ledger in
    scope : what the reader may see

    Raises
    ------
    NotFound
        Nothing was analysed yet, or a layer is outside the scope.
    InvalidParameter
        The store changed while it was read, or a sheet cannot hold the rows.
    """
    runs = store.runs()
    if not runs:
        raise NotFound("还没有分析结果", where="runs", remedy="请先运行 lianpian analyse")
    run, revision = runs[-1], store.revision()
    equals = {"kind": layout.kind, **({"town": town} if town else {})}
    findings = store.read(Query("findings", equals=equals, filter=where, geometry=False), scope)
    tables = {
        name: store.read(Query(name, geometry=False), scope) if layout.kind == "inefficient" else None
        for name in ("firms", "indicators", "enterprises")
    }
    parcels = _parcels(store, layout, findings["parcel_id"], scope)
    if store.revision() != revision:
        raise InvalidParameter("导出期间数据有更新，已停止", where=layout.title, remedy="请重新导出")
    made = ledger(
        layout, findings, parcels, as_of=np.datetime64(run.as_of), rule_titles=run.parameters["rule_titles"], **tables
    )
    return write_ledger(made, layout, path, _about(store, run, organisation, _told(town, where)))


def _parcels(store: Store, layout: Layout, wanted: pd.Series, scope: Scope) -> pd.DataFrame:
    """The parcels that findings name, with the fields that the columns show."""
    shown = [column.source or "" for column in (*layout.columns, *layout.unassessed)]
    named = {source.partition(".")[2] for source in shown if source.startswith("parcels.")}
    fields = {name.partition(":")[0] for name in named} | set(_ALWAYS)
    if layout.disposed_area is not None:
        fields.add("extra")
    columns = tuple(name for name in PARCELS.columns if name in fields)
    wanted = wanted.drop_duplicates()
    pages = [
        page[page["parcel_id"].isin(wanted)]
        for page in store.stream(Query("parcels", columns=columns, geometry=False), scope)
    ]
    return pd.concat(pages, ignore_index=True)


def _told(town: str | None, where: Filter | None) -> str:
    parts = ([f"乡镇街道 {town}"] if town else []) + ([f"条件 {where.text}"] if where else [])
    return "；".join(parts)


def _about(store: Store, run: Run, organisation: str, selection: str) -> LedgerAbout:
    loads = store.loads()
    standing = {load.load_id for load in standing_loads(loads)}
    remarks = []
    if standing != set(run.loads):
        remarks.append("分析之后数据有更新：认定取自分析批次，宗地的其他信息取自当前数据；请重新运行 lianpian analyse")
    return LedgerAbout(
        run_id=run.run_id,
        as_of=run.as_of,
        ruleset=f"{run.parameters['ruleset_title']} {run.parameters['ruleset_version']}",
        ruleset_sha256=run.ruleset_sha256,
        organisation=organisation,
        selection=selection,
        loads=tuple(
            (LAYERS[load.layer].zh, load.file_name, load.data_date) for load in loads if load.load_id in run.loads
        ),
        made_at=datetime.now(_CHINA).isoformat(timespec="seconds"),
        area_method=AREA_METHOD,
        remarks=tuple(remarks),
    )
