"""Downloads: a layer or a selection of it in any format, through the store's one door."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo

import shapely
from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import BboxDep, JobsDep, SettingsDep, StoreDep, known_parameters
from api.downloads import OnceFile
from api.jobs import Jobs
from api.settings import Settings
from geo.errors import InvalidParameter
from geo.exporting import Form, Selection, export_layer, exported_layer
from geo.layers.formats.provenance import Written
from geo.layers.writing import FORMATS
from geo.store.base import Bounds, Store
from maps.qgis_style import qgis_style

router = APIRouter(tags=["导出"])
_PARAMETERS = frozenset({"f", "crs", "filter", "bbox", "names", "encoding", "expand_extra"})
_NOTES_LENGTH = 1000
Names = Literal["canonical", "zh", "short"]


class ExportRequest(BaseModel):
    """A selection and the form in which it is wanted."""

    model_config = ConfigDict(extra="forbid")
    layer: str = Field(max_length=40, description="图层")
    format: str = Field("gpkg", max_length=20, description="格式")
    crs: str = Field("EPSG:4490", max_length=20, description="目标坐标系")
    filter: str | dict[str, Any] | None = Field(None, description="条件：CQL2 文本或 JSON")
    bbox: Bounds | None = Field(None, description="西,南,东,北（经纬度）")
    polygon: dict[str, Any] | None = Field(None, description="绘制的多边形：GeoJSON 几何（经纬度）")
    names: Names | None = Field(None, description="字段名：英文、中文、10 字符以内")
    encoding: str | None = Field(None, max_length=20, description="Shapefile 的编码")
    expand_extra: bool = Field(False, description="把“其他字段”展开成列")


@router.get("/exports", summary="导出格式")
def formats() -> dict[str, Any]:
    """The formats that a layer can be taken out in."""
    return {
        "formats": [
            {"format": name, "title": one.title, "suffix": one.suffix, "media_type": one.media_type}
            for name, one in FORMATS.items()
        ]
    }


@router.get("/exports/{layer}", summary="导出一个图层", response_class=FileResponse)
async def export(
    layer: str, request: Request, store: StoreDep, settings: SettingsDep, jobs: JobsDep, bbox: BboxDep,
    f: Annotated[str, Query(max_length=20, description="格式")] = "gpkg",
    crs: Annotated[str, Query(max_length=20, description="目标坐标系")] = "EPSG:4490",
    filter: Annotated[str | None, Query(max_length=8192, description="条件（CQL2 文本）")] = None,
    names: Annotated[Names | None, Query(description="字段名：英文、中文、10 字符以内")] = None,
    encoding: Annotated[str | None, Query(max_length=20, description="Shapefile 的编码")] = None,
    expand_extra: Annotated[bool, Query(description="把“其他字段”展开成列")] = False,
) -> FileResponse:  # fmt: skip
    """The layer, or the rows that a box and a CQL2 filter leave of it, as a file."""
    known_parameters(request, _PARAMETERS)
    form = Form(f, crs, names, encoding, expand_extra)
    return await _answer(Selection(layer, bbox, filter), form, store, settings, jobs.exports)


@router.post("/exports", summary="导出选定的部分", response_class=FileResponse)
async def export_selection(
    wanted: ExportRequest, store: StoreDep, settings: SettingsDep, jobs: JobsDep
) -> FileResponse:
    """The same with a drawn polygon or a filter in JSON."""
    form = Form(wanted.format, wanted.crs, wanted.names, wanted.encoding, wanted.expand_extra)
    selection = Selection(wanted.layer, wanted.bbox, wanted.filter, _drawn(wanted.polygon))
    return await _answer(selection, form, store, settings, jobs.exports)


async def _answer(selection: Selection, form: Form, store: Store, settings: Settings, jobs: Jobs) -> FileResponse:
    layer = exported_layer(selection.layer)
    kind = FORMATS.get(form.format)
    if kind is None:
        raise InvalidParameter(f"没有格式“{form.format}”", where="f", remedy="可用：" + "、".join(FORMATS))
    folder = Path(tempfile.mkdtemp(prefix="lianpian-export-"))
    try:
        path = folder / f"{layer.name}{kind.suffix}"
        style = qgis_style(layer.name) if kind.carries_style else None

        def job() -> tuple[Written, Path]:
            written = export_layer(store, selection, form, path, organisation=settings.organisation, style=style)
            # What a format says of itself in a second file goes along.
            return written, path if len(list(folder.iterdir())) == 1 else _together(folder, path)

        written, ready = await jobs.run(job)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    day = datetime.now(ZoneInfo("Asia/Shanghai")).strftime("%Y%m%d")
    suffix = ready.name.removeprefix(layer.name)
    return OnceFile(
        folder,
        ready,
        media_type=kind.media_type if ready == path else "application/zip",
        filename=f"{layer.zh}_{day}{suffix}",
        headers={
            "X-Rows": str(written.rows),
            # What a person should know of the file; percent-encoded, for headers hold no Chinese.
            "X-Notes": quote("；".join(written.notes)[:_NOTES_LENGTH]),
            "Cache-Control": "no-store",
        },
    )


def _together(folder: Path, path: Path) -> Path:
    """One zip of the files of an export."""
    packed = folder / f"{path.name}.zip"
    parts = sorted(part for part in folder.iterdir() if part != packed)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in parts:
            archive.write(part, part.name)
    return packed


def _drawn(polygon: dict[str, Any] | None) -> shapely.geometry.base.BaseGeometry | None:
    if polygon is None:
        return None
    try:
        return shapely.from_geojson(json.dumps(polygon))
    except (shapely.errors.GEOSException, ValueError, TypeError) as error:
        raise InvalidParameter("polygon 不是 GeoJSON 几何", where="polygon", remedy="请给 Polygon") from error
