"""Ledgers of idle and of inefficient land as workbooks."""

from __future__ import annotations

import shutil
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse

from api.dependencies import FilterDep, FilterLanguageDep, JobsDep, SettingsDep, StoreDep, cql2, known_parameters
from api.downloads import OnceFile
from api.ledgers import export_ledger
from geo.layers.formats.ledger_layout import load_layout
from geo.layers.formats.provenance import Written
from geo.layers.schema import FINDINGS
from geo.layers.writing import FORMATS

router = APIRouter(tags=["导出"])
_PARAMETERS = frozenset({"town", "filter", "filter-lang"})
_NOTES_LENGTH = 1000


@router.get("/ledgers/{kind}.xlsx", summary="闲置或低效用地台账", response_class=FileResponse)
async def download(
    kind: str, request: Request, store: StoreDep, settings: SettingsDep, jobs: JobsDep,
    town: Annotated[str | None, Query(max_length=100, description="乡镇街道")] = None,
    filter_text: FilterDep = None, filter_lang: FilterLanguageDep = "cql2-text",
) -> FileResponse:  # fmt: skip
    """The ledger of the newest run, ``idle`` or ``inefficient``; a filter is one on the findings."""
    known_parameters(request, _PARAMETERS)
    layout = load_layout(kind)
    where = cql2(filter_text, filter_lang, FINDINGS)
    folder = Path(tempfile.mkdtemp(prefix="lianpian-ledger-"))
    path = folder / f"{kind}.xlsx"
    try:

        def job() -> Written:
            return export_ledger(store, layout, path, town=town, where=where, organisation=settings.organisation)

        written = await jobs.exports.run(job)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    day = datetime.now(ZoneInfo("Asia/Shanghai")).strftime("%Y%m%d")
    return OnceFile(
        folder,
        path,
        media_type=FORMATS["xlsx"].media_type,
        filename=f"{layout.title}_{day}.xlsx",
        headers={
            "X-Rows": str(written.rows),
            # Percent-encoded, for headers hold no Chinese.
            "X-Notes": quote("；".join(written.notes)[:_NOTES_LENGTH]),
            "Cache-Control": "no-store",
        },
    )
