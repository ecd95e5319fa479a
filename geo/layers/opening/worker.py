"""The separate process in which files are opened: ``python -m geo.layers.opening.worker``, one request on stdin.

Started by ``geo.layers.opening.sandbox`` with every GDAL driver outside the allow-list switched off in the
environment, which has to happen before GDAL loads. Leaves one Arrow file per layer; tells progress and, last, its
answer as lines of JSON.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from geo.errors import InvalidInput, LianpianError
from geo.layers.opening.inspection import ARCHIVE_SUFFIXES, GDAL_SUFFIXES, inspect
from geo.layers.opening.limits import Limits
from geo.layers.opening.sandbox import clear, confine, leave_with
from geo.layers.opening.transfer import GEOMETRY, Outgoing, Progress
from geo.layers.opening.unpacking import survey, unpack

# Formats whose readers pass Arrow on and never make a data frame.
_ARROW_SUFFIXES = (*GDAL_SUFFIXES, ".dbf", ".parquet", ".geoparquet")
_NESTED_ZIP = (".xlsx",)


def main(request: dict[str, Any], tell: Progress) -> dict[str, Any]:
    """Open a file and read its layers.

    Parameters
    ----------
    request : ``path``, ``layers`` (names or ``None``), ``encoding``, ``header_row``, ``folder`` (temporary),
        ``limits``; or, for a raster, ``path``, ``raster`` (see ``geo.layers.opening.from_raster.read_raster``),
        ``folder``, ``limits``

    Returns
    -------
    ``layers`` (see ``geo.layers.opening.transfer.Outgoing.answer``) and ``listed``: the names of all layers there are;
    for a raster ``raster``
    """
    path, folder, limits = Path(request["path"]), Path(request["folder"]), Limits(**request["limits"])
    if "raster" in request:
        from geo.layers.opening.from_raster import read_raster

        return {"raster": read_raster(path, folder, **request["raster"], limits=limits)}
    out, prepared = folder / "layers", folder / "prepared"
    out.mkdir()
    prepared.mkdir()
    notes: list[str] = []
    paths = _datasets(path, folder, limits, notes)
    if all(each.suffix.lower() in _ARROW_SUFFIXES for each in paths):
        _without_frames()
    wanted: list[str] | None = request["layers"]
    found: list[Outgoing] = []
    listed: list[str] = []
    for each in paths:
        layers, names = _read(each, request, out, prepared, limits, tell)
        for layer in layers:
            layer.notes[:0] = notes
        found += layers
        listed += names
    if wanted is not None and len(found) > 1:
        found = [layer for layer in found if layer.name in wanted]
    return {"layers": [layer.answer() for layer in found], "listed": listed}


def _datasets(path: Path, folder: Path, limits: Limits, notes: list[str]) -> tuple[Path, ...]:
    """What there is to read: the file itself, or what its archive holds; looked at before any reader sees it."""
    inspect(path, limits)
    if path.suffix.lower() not in ARCHIVE_SUFFIXES:
        paths: tuple[Path, ...] = (path,)
    else:
        inside = folder / "unpacked"
        inside.mkdir()
        held = unpack(path, inside, limits)
        paths = held.paths
        if held.left:
            more = f" 等 {len(held.left)} 个" if len(held.left) > 3 else ""
            notes.append(f"压缩包内未读取：{'、'.join(held.left[:3])}{more}")
        for each in paths:
            inspect(each, limits)
    for each in paths:
        if each.suffix.lower() in _NESTED_ZIP:
            survey(each, limits)
    return paths


def _read(
    path: Path, request: dict[str, Any], out: Path, prepared: Path, limits: Limits, tell: Progress
) -> tuple[list[Outgoing], list[str]]:
    encoding, header_row = request["encoding"], request["header_row"]
    suffix = path.suffix.lower()
    if suffix == ".shp":
        from geo.layers.opening.from_shapefile import read_shapefile

        layer = read_shapefile(path, out, folder=prepared, encoding=encoding, limits=limits, progress=tell)
        return [layer], [layer.name]
    if suffix == ".dbf":
        from geo.layers.opening.from_shapefile import read_table

        layer = read_table(path, out, encoding=encoding, limits=limits, progress=tell)
        return [layer], [layer.name]
    if suffix in (".parquet", ".geoparquet"):
        from geo.layers.opening.from_parquet import read_parquet

        layer = read_parquet(path, out, limits=limits, progress=tell)
        return [layer], [layer.name]
    if suffix in GDAL_SUFFIXES:
        from geo.layers.opening.from_gdal import read_gdal

        return read_gdal(
            path, out, folder=prepared, wanted=request["layers"], encoding=encoding, limits=limits, progress=tell
        )
    raws = _own(path, suffix, encoding, header_row)
    layers = [_outgoing(raw, out, limits, path.name, tell) for raw in raws]
    return layers, [layer.name for layer in layers]


def _own(path: Path, suffix: str, encoding: str | None, header_row: int | None) -> list[Any]:
    """The project's own readers; what their libraries throw at a damaged file is one error here."""
    try:
        if suffix == ".dxf":
            from geo.layers.formats.dxf import read_dxf

            return list(read_dxf(path, encoding))
        if suffix == ".txt":
            from geo.layers.formats.boundary_txt import read_boundary_txt

            return list(read_boundary_txt(path, encoding))
        from geo.layers.formats.spreadsheet import read_csv, read_xlsx

        return list(read_xlsx(path, header_row) if suffix == ".xlsx" else read_csv(path, encoding, header_row))
    except (LianpianError, MemoryError):
        raise
    except Exception as error:  # any parser may fail in any way at a file that was made to break it
        raise InvalidInput(
            f"文件无法读取：内容有误（{type(error).__name__}：{str(error)[:200]}）", where=path.name,
            remedy="请用原软件检查后另存",
        ) from error  # fmt: skip


def _outgoing(raw: Any, out: Path, limits: Limits, where: str, tell: Progress) -> Outgoing:
    import geopandas as gpd
    import pandas as pd
    import pyarrow as pa
    import shapely

    layer = Outgoing(
        raw.name, out / f"{len(list(out.iterdir()))}.arrow", limits, where, encoding=raw.encoding, notes=list(raw.notes)
    )
    frame = raw.frame.reset_index(drop=True)
    wkb = None
    if isinstance(frame, gpd.GeoDataFrame):
        layer.crs = frame.crs.to_wkt() if frame.crs is not None else None
        wkb = pa.array(shapely.to_wkb(shapely.force_2d(frame.geometry.array), include_srid=False), pa.binary())
        frame = pd.DataFrame(frame.drop(columns=frame.geometry.name))
    columns = {str(name): _column(frame[name]) for name in frame.columns}
    table = pa.table(columns) if columns or wkb is None else pa.table({GEOMETRY: wkb})
    if columns and wkb is not None:
        table = table.append_column(GEOMETRY, wkb)
    at = table.num_columns - 1 if wkb is not None else None
    layer.write(table.schema, table.to_batches(), at, progress=tell)
    layer.faults |= raw.faults
    return layer


def _column(values: Any) -> Any:
    """A column as Arrow; one that mixes numbers, dates and words becomes words."""
    import pyarrow as pa

    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if value is None or value != value else str(value) for value in values], pa.string())


def _without_frames() -> None:
    """Load pyogrio without the libraries that it would load only to know of them: half of the start of this process."""
    hidden = [name for name in ("geopandas", "pandas") if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        import pyogrio  # noqa: F401
    finally:
        for name in hidden:
            del sys.modules[name]


def _tell(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    try:
        return main(request, lambda text: _tell({"progress": text}))
    except LianpianError as error:
        return _refusal(type(error).__name__, error.detail, error.where, error.remedy)
    except MemoryError:
        return _refusal("InvalidInput", "文件无法读取：内存超过上限，已停止", Path(request["path"]).name, "请拆分文件")
    except OSError as error:
        # Full disks and files too large to write; readers turn what the file itself causes into their own errors.
        detail = f"文件无法读取：{error.strerror or error}"
        return _refusal("InvalidInput", detail, Path(request["path"]).name, "请检查磁盘空间和文件权限")


def _refusal(kind: str, detail: str, where: str, remedy: str) -> dict[str, Any]:
    # Words of a library may quote the file, line breaks and control characters included.
    words = {"detail": detail, "where": where, "remedy": remedy}
    return {"error": {"kind": kind, **{name: _one_line(text) for name, text in words.items()}}}


def _one_line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


if __name__ == "__main__":
    asked = json.loads(sys.stdin.readline())
    confine(Limits(**asked["limits"]))
    leave_with(Path(asked["folder"]))
    try:
        _tell(_answer(asked))
    except BrokenPipeError:
        # Nobody waits any more, and nobody else will clear up.
        clear(Path(asked["folder"]))
    # Libraries may keep threads; nothing is left that they could still do.
    os._exit(0)
