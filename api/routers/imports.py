"""Uploads: a file as the body of a request takes the same door as a file on the command line."""

from __future__ import annotations

import asyncio
import json
import tempfile
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from api.dependencies import JobsDep, SettingsDep, StoreDep, known_parameters
from api.publication import publish_apart
from geo.errors import Forbidden, InvalidInput, InvalidParameter
from geo.importing import (
    Stored,
    chosen_profile,
    prepare_loads,
    profiles_for,
    refuse_one_over_another,
    store_loads,
)
from geo.layers.checking.report import report_lines
from geo.layers.opening.limits import Limits
from geo.layers.profiles import Profile, load_profile, profile_names
from geo.layers.reading import SUFFIXES, read_file
from geo.layers.schema import LAYERS
from geo.store.base import Mode

router = APIRouter(tags=["导入"])
_PARAMETERS = frozenset(
    {
        "name", "layer", "profile", "field", "crs", "encoding", "swap_axes", "header_row", "source_layer", "data_date",
        "mode", "dry_run", "again",
    }
)  # fmt: skip
# A page of another site may send forms and plain text without asking; it may not send this type.
_GIB = 1024**3
_RECEIVE_S = 600
_LONGEST_NAME = 200  # bytes
_BODY_TYPE = "application/octet-stream"


@router.get("/profiles", summary="映射方案")
def profiles() -> dict[str, Any]:
    """The mapping profiles that come with the service."""
    found = [load_profile(name) for name in profile_names()]
    return {"profiles": [{"name": one.name, "title": one.title, "layer": one.layer} for one in found]}


@router.post(
    "/imports",
    summary="上传一个文件：检查，或检查并导入",
    openapi_extra={
        "requestBody": {"required": True, "content": {_BODY_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
    },
)
async def upload(
    request: Request, store: StoreDep, settings: SettingsDep, jobs: JobsDep,
    name: Annotated[str, Query(max_length=200, description="文件名，后缀说明格式；Shapefile 请打成 zip")],
    layer: Annotated[str | None, Query(max_length=40, description="导入到哪个图层")] = None,
    profile: Annotated[str | None, Query(max_length=60, description="映射方案的名称")] = None,
    field: Annotated[list[str] | None, Query(max_length=60, description="字段=列名 或 字段=列名:单位")] = None,
    crs: Annotated[str | None, Query(max_length=300, description="坐标系，例如 EPSG:4528")] = None,
    encoding: Annotated[str | None, Query(max_length=20, description="属性文字编码")] = None,
    swap_axes: Annotated[bool, Query(description="坐标为 纬度,经度 或 北,东 的次序")] = False,
    header_row: Annotated[int | None, Query(ge=1, le=1000, description="表格标题所在行")] = None,
    source_layer: Annotated[str | None, Query(max_length=200, description="文件中的图层名")] = None,
    data_date: Annotated[str | None, Query(pattern=r"^\d{4}-\d{2}-\d{2}$", description="数据现势日期")] = None,
    mode: Annotated[Mode, Query(description="替换、追加或按编号更新")] = "replace",
    dry_run: Annotated[bool, Query(description="只检查，不写入")] = True,
    again: Annotated[bool, Query(description="即使同一文件已导入也重新写入")] = False,
) -> dict[str, Any]:  # fmt: skip
    """Check a file and say what would become of every row; with ``dry_run=false`` store it."""
    known_parameters(request, _PARAMETERS)
    if settings.uploads == "off" or (settings.uploads == "check" and not dry_run):
        raise Forbidden(
            "本服务不接受上传" if settings.uploads == "off" else "本服务只检查上传的文件，不写入",
            where="uploads", remedy="管理员可设置 LIANPIAN_UPLOADS=import，或用命令行 lianpian import",
        )  # fmt: skip
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _BODY_TYPE:
        raise HTTPException(415)
    chosen = chosen_profile(_profile(profile), layer, field or [])
    limits = Limits(
        file_bytes=settings.upload_bytes, memory_bytes=4 * _GIB, crossing_bytes=_GIB, output_bytes=2 * _GIB, time_s=300
    )
    # The slot is taken before the file comes in, so that uploads that wait cannot fill the disk.
    with jobs.imports.slot(), tempfile.TemporaryDirectory(prefix="lianpian-upload-") as folder:
        path = Path(folder) / _file_name(name)
        await _received(request, path)

        def job() -> dict[str, Any]:
            sources = read_file(
                path, layers=[source_layer] if source_layer else None, crs=crs, encoding=encoding,
                swap_axes=swap_axes, header_row=header_row, limits=limits,
            )  # fmt: skip
            pairs, skipped = profiles_for(sources, chosen)
            by = {id(source): used for source, used in pairs}
            prepared = prepare_loads(
                [source for source, _ in pairs], lambda source: by[id(source)], data_date=data_date, standing=store,
                read_with={"crs": crs, "encoding": encoding, "swap_axes": swap_axes, "header_row": header_row},
            )  # fmt: skip
            if mode == "replace":
                refuse_one_over_another(prepared)
            stored = [Stored(item.load) for item in prepared]
            if not dry_run:
                stored = store_loads(store, prepared, mode, again=again)
                publish_apart(settings)
            return {
                "dry_run": dry_run,
                "skipped": skipped,
                "loads": [
                    {
                        **asdict(done.load),
                        "unchanged": done.unchanged,
                        "sample": item.sample,
                        "lines": report_lines(done.load.report, LAYERS[done.load.layer]),
                    }
                    for done, item in zip(stored, prepared, strict=True)
                ],
            }

        answer = await run_in_threadpool(job)
    # As JSON of our own, so that numbers of numpy and dates are told as everywhere else.
    plain: dict[str, Any] = json.loads(json.dumps(answer, ensure_ascii=False, default=str))
    return plain


async def _received(request: Request, path: Path) -> None:
    """The body of a request as a file; a sender that stalls does not keep others waiting."""

    async def take() -> None:
        with path.open("wb") as sink:
            async for chunk in request.stream():
                await run_in_threadpool(sink.write, chunk)

    try:
        await asyncio.wait_for(take(), _RECEIVE_S)
    except TimeoutError as error:
        raise InvalidInput(f"上传超过 {_RECEIVE_S} 秒，已停止", where=path.name, remedy="请压缩后再传") from error


def _file_name(name: str) -> str:
    """The last part of a name that a request gives, with an ending that can be read; never a path."""
    last = PurePosixPath(name.replace("\\", "/")).name
    odd = not last.isprintable() or last.startswith(".") or len(last.encode(errors="replace")) > _LONGEST_NAME
    if odd or not last.lower().endswith(SUFFIXES):
        raise InvalidParameter(
            f"文件名“{ascii(name[:80]) if odd else name[:80]}”不能导入",
            where="name",
            remedy="可导入：" + "、".join(SUFFIXES),
        )
    return last


def _profile(name: str | None) -> Profile | None:
    if name is not None and name not in profile_names():
        # A path would be a way into the file system.
        raise InvalidParameter(
            f"没有名为“{name}”的映射方案", where="profile", remedy="可用：" + "、".join(profile_names())
        )
    return load_profile(name) if name else None
