"""Features as a file: the whole selection, whatever its size; ``limit`` bounds it only where it is given."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from starlette.requests import Request

from api.downloads import OnceFile
from api.jobs import Jobs
from api.ogc.asking import Asked
from api.ogc.documents import FORMATS_OF_ITEMS
from geo.errors import InvalidParameter
from geo.exporting import Form, Selection, export_layer
from geo.store.base import Query, Store

_WORDS = {"csv": "csv", "fgb": "fgb", "geoparquet": "parquet"}


@dataclass(frozen=True, slots=True)
class _Question(Selection):
    """A selection that is a question already."""

    question: Query | None = None

    def query(self) -> Query:
        """The question."""
        assert self.question is not None
        return self.question


async def file_of(store: Store, asked: Asked, form: str, request: Request, jobs: Jobs, organisation: str) -> OnceFile:
    """The features as CSV, FlatGeobuf or GeoParquet; read and written in pages, so that memory holds one.

    Raises
    ------
    InvalidParameter
        FlatGeobuf of a layer without geometry; a form that does not go with a page.
    """
    layer = asked.layer
    if form == "fgb" and layer.geometry is None:
        raise InvalidParameter(
            f"图层“{layer.zh}”没有几何，不能写成 FlatGeobuf", where="f", remedy="可用 csv、geoparquet"
        )
    query = asked.query if "limit" in request.query_params else replace(asked.query, limit=None)
    wanted = _Question(layer.name, question=query)
    crs = asked.crs or "EPSG:4490"
    folder = Path(tempfile.mkdtemp(prefix="lianpian-items-"))
    try:
        path = folder / f"{layer.name}.{_WORDS[form]}"

        def job() -> int:
            return export_layer(
                store,
                wanted,
                Form(_WORDS[form], crs, names=None if form == "csv" else "canonical"),
                path,
                organisation=organisation,
            ).rows

        rows = await jobs.run(job)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return OnceFile(
        folder,
        path,
        media_type=FORMATS_OF_ITEMS[form],
        filename=path.name,
        headers={"X-Rows": str(rows), "Cache-Control": "no-store"},
    )
