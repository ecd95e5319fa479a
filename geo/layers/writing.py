"""Layers → files: any canonical layer in the formats that a land office opens, Chinese intact and nothing lost unsaid.

Pages are streamed: memory holds one page, whatever the number of rows. A file appears under its name when it is whole;
a failure leaves nothing behind.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import geopandas as gpd
from pyproj import CRS
from pyproj.exceptions import CRSError

from geo.crs import STORAGE_CRS
from geo.errors import InvalidParameter, LianpianError
from geo.layers.dictionary import Names, fitting_names
from geo.layers.formats.gdal_writing import GPKG_NAMES
from geo.layers.formats.job import Job
from geo.layers.formats.provenance import Provenance, Written
from geo.layers.formats.spool import Bounds, Frame, Spool, missing, plain_text, spool
from geo.layers.schema import Layer

# 3-degree zones 25 … 45 and 6-degree zones 13 … 23 of CGCS2000, with the zone in the easting and without.
_ZONES: dict[int, int] = {
    **{4488 + zone: 3 * zone for zone in range(25, 46)},
    **{4509 + zone: 3 * zone for zone in range(25, 46)},
    **{4478 + zone: 6 * zone - 3 for zone in range(13, 24)},
    **{4489 + zone: 6 * zone - 3 for zone in range(13, 24)},
}
_SIX_DEGREES = range(4491, 4513)
_ALLOWED = "EPSG:4490（经纬度）、4513…4533（3 度带，含带号）、4534…4554（3 度带）、4491…4512（6 度带）、4326、3857"
_FARTHEST_DEG = 10.0


@dataclass(frozen=True, slots=True)
class Format:
    """A format that layers go out in.

    Parameters
    ----------
    word : what a person types; ``suffix``: how its files end
    title : what a screen says
    media_type : for an answer over HTTP
    zipped : whether the file is a zip of several
    tables : whether it carries a layer without geometry
    projected : whether its coordinates have to be metres
    crs : the only system that it knows, ``None`` where there is a choice
    names : how fields are called unless one says otherwise
    writer : module and function below ``geo.layers.formats``
    carries_style : whether a QGIS style travels in the file
    """

    word: str
    suffix: str
    title: str
    media_type: str
    writer: str
    zipped: bool = False
    tables: bool = False
    projected: bool = False
    crs: Literal["EPSG:4326", "EPSG:3857"] | None = None
    names: Names = "canonical"
    carries_style: bool = False


_FORMATS = (
    Format("gpkg", ".gpkg", "GeoPackage", "application/geopackage+sqlite3", "gdal_writing.write_geopackage",
           tables=True, carries_style=True),
    Format("shp", ".shp.zip", "Shapefile 压缩包", "application/zip", "shapefile.write_shapefile", zipped=True,
           names="short"),
    Format("geojson", ".geojson", "GeoJSON", "application/geo+json", "gdal_writing.write_geojson", tables=True,
           crs="EPSG:4326"),
    Format("fgb", ".fgb", "FlatGeobuf", "application/octet-stream", "gdal_writing.write_flatgeobuf"),
    Format("parquet", ".parquet", "GeoParquet", "application/vnd.apache.parquet", "geoparquet.write_geoparquet",
           tables=True),
    Format("kml", ".kml", "KML（奥维、Google Earth）", "application/vnd.google-earth.kml+xml",
           "gdal_writing.write_kml", crs="EPSG:4326", names="zh"),
    Format("gdb", ".gdb.zip", "FileGDB 压缩包", "application/zip", "gdal_writing.write_filegdb", zipped=True,
           tables=True),
    Format("dxf", ".dxf", "DXF（CAD）", "image/vnd.dxf", "dxf.write_dxf", projected=True, names="zh"),
    Format("xlsx", ".xlsx", "Excel 工作簿", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
           "spreadsheet.write_xlsx", tables=True, names="zh"),
    Format("csv", ".csv", "CSV 表格", "text/csv; charset=utf-8", "spreadsheet.write_csv", tables=True, names="zh"),
    Format("txt", ".txt", "界址点坐标 TXT", "text/plain; charset=gb18030", "boundary_txt.write_boundary_txt",
           projected=True, names="zh"),
    Format("pmtiles", ".pmtiles", "PMTiles 矢量切片", "application/vnd.pmtiles", "pmtiles.write_pmtiles",
           crs="EPSG:3857"),
)  # fmt: skip
FORMATS: dict[str, Format] = {item.word: item for item in _FORMATS}
# Endings and other spellings of the words.
_ALSO = {item.suffix: item.word for item in _FORMATS} | {
    ".zip": "shp", "shapefile": "shp", "geopackage": "gpkg", ".json": "geojson", "json": "geojson",
    "flatgeobuf": "fgb", ".geoparquet": "parquet", "geoparquet": "parquet", "filegdb": "gdb",
}  # fmt: skip

# These take pages in the target system; they know their own names and need nothing of all rows beforehand.
_BY_PAGES = frozenset({"dxf", "xlsx", "csv", "txt"})


def format_of(name: str | Path) -> str:
    """The word of a format, from one of its spellings (``shapefile``) or a file by its ending (``宗地.shp.zip``).

    Raises
    ------
    InvalidParameter
        There is no such format.
    """
    word = str(name).lower()
    if isinstance(name, str) and (word in FORMATS or word in _ALSO):
        return _ALSO.get(word, word)
    for ending in sorted((each for each in _ALSO if each.startswith(".")), key=len, reverse=True):
        if word.endswith(ending):
            return _ALSO[ending]
    raise InvalidParameter(
        f"不能导出为“{Path(name).suffix or name}”",
        where=Path(name).name,
        remedy="可用：" + "、".join(f"{item.word}（{item.suffix}）" for item in _FORMATS),
    )


def target_crs(format: str, crs: str | CRS, bounds: Bounds | None) -> CRS:
    """The system in which a format will be written.

    Parameters
    ----------
    format : word of a format
    crs : what was asked for: ``EPSG:4490``, its zones with the zone in the easting (3-degree 4513…4533, 6-degree
        4491…4501) or without (4534…4554, 4502…4512), 4326, 3857
    bounds : west, south, east, north of the data in degrees; they choose the local 3-degree zone (zone in the easting,
        which coordinates then tell) for formats in metres that were asked for in EPSG:4490

    Raises
    ------
    InvalidParameter
        A system that is not offered, one that the format cannot carry, or a zone far from the data.
    """
    target, code = FORMATS[format_of(format)], _code(crs)
    if target.crs is not None:
        if code not in (4490, int(target.crs[5:]), 4326):
            raise InvalidParameter(
                f"{target.title} 只有 {target.crs} 一种坐标系，不能写成 EPSG:{code}",
                where="crs",
                remedy="请不指定坐标系，或改用 GeoPackage、Shapefile 等格式",
            )
        return CRS.from_user_input(target.crs)
    if target.projected and code == 4490:
        if bounds is None:
            return CRS.from_epsg(4488 + 40)  # nothing to place: any zone will do
        code = 4488 + min(45, max(25, round((bounds[0] + bounds[2]) / 6)))
    if target.projected and code not in _ZONES:
        raise InvalidParameter(
            f"{target.title} 的坐标要以米为单位，不能用 EPSG:{code}",
            where="crs",
            remedy="请用 3 度带或 6 度带（EPSG:4491…4554），或不指定坐标系",
        )
    far = _beyond(code, bounds)
    if far > _FARTHEST_DEG:
        raise InvalidParameter(
            f"数据距 EPSG:{code} 的中央经线 {_ZONES[code]}° 有 {far:.1f} 度，带号或中央经线可能选错",
            where="crs",
            remedy=f"数据在东经 {bounds[0]:.2f}°至 {bounds[2]:.2f}°" if bounds else "",
        )
    return CRS.from_epsg(code)


def _code(crs: str | CRS) -> int:
    try:
        code = CRS.from_user_input(int(crs) if isinstance(crs, str) and crs.strip().isdigit() else crs).to_epsg()
    except CRSError as error:
        raise InvalidParameter(f"无法识别坐标系“{crs}”", where="crs", remedy=f"可用：{_ALLOWED}") from error
    if code is None or (code not in _ZONES and code not in (4490, 4326, 3857)):
        raise InvalidParameter(f"不能导出到坐标系“{crs}”", where="crs", remedy=f"可用：{_ALLOWED}")
    return code


def _beyond(code: int, bounds: Bounds | None) -> float:
    """Degrees between a zone's meridian and the farthest point of the data; 0 without a zone."""
    if bounds is None or code not in _ZONES:
        return 0.0
    return max(abs(bounds[0] - _ZONES[code]), abs(bounds[2] - _ZONES[code]))


def write_layer(
    pages: Iterable[Frame],
    layer: Layer,
    path: Path,
    *,
    format: str | None = None,
    crs: str | CRS = STORAGE_CRS,
    names: Names | None = None,
    about: Provenance,
    style: str | None = None,
    encoding: str | None = None,
    expand_extra: bool = False,
    overwrite: bool = False,
) -> Written:
    """Write the rows of a layer into the file ``path``.

    Parameters
    ----------
    pages : canonical frames in EPSG:4490, all with the same columns; gone over once, so a generator will do
    format : word of a format; ``None`` for the one that the ending of ``path`` names
    crs : system of the coordinates, see ``target_crs``
    names : how fields are called; ``None`` for the habit of the format
    about : where the rows come from; its ``crs`` is replaced by the system that is written
    style : QML that becomes the default style in a GeoPackage
    encoding : of a Shapefile's text: GBK (unless a character needs GB18030), GB18030, UTF-8
    expand_extra : whether the keys of ``extra`` become columns; JSON text in one column otherwise
    overwrite : whether a file of this name may be replaced

    Raises
    ------
    InvalidParameter
        The format, the system, the names or the encoding cannot be had; the file is there already; the data do not fit
        into the format.
    InvalidInput
        Rows that are not of the layer.
    """
    target = FORMATS[format_of(format or path)]
    _check_request(target, layer, path, names, encoding, expand_extra, overwrite)
    target_crs(target.word, crs, None)  # a wrong request is refused before rows are read
    # Beside the target, so that renaming is one step; whatever happens, the folder goes.
    with tempfile.TemporaryDirectory(prefix=".lianpian-write-", dir=path.parent) as name:
        folder = Path(name)
        rows = spool(pages, layer, folder / "rows.arrow", expand_extra=expand_extra)
        if not rows.has_geometry and not target.tables:
            raise InvalidParameter(
                f"图层“{layer.zh}”没有几何，不能写成 {target.title}",
                where=layer.name,
                remedy="可用：" + "、".join(item.word for item in _FORMATS if item.tables),
            )
        chosen = target_crs(target.word, crs, rows.bounds)
        told = replace(about, crs=crs_words(chosen) if rows.has_geometry else "")
        ready = folder / path.name
        job = Job(rows, ready, chosen, names or target.names, told, style, encoding)
        done = _write(target, job)
        notes = [*_crs_notes(target, chosen, rows), *done.notes]
        if rows.replaced:
            notes.append(f"{rows.replaced} 个文本值含 NUL 或不成对的代理字符，已替换为“�”")
        _put(ready, path, overwrite)
    return Written(done.rows, tuple(notes))


def write_frame(frame: Frame, path: Path, *, layer: str) -> None:
    """Add rows that are of no canonical layer (quarantined ones with their own columns) to a GeoPackage.

    Parameters
    ----------
    frame : any columns; what is neither number, truth value nor time is written as text
    path : GeoPackage to make, or to put one more layer into
    layer : name of the layer, which the file does not have yet
    """
    import pyogrio

    geometry = frame.active_geometry_name if isinstance(frame, gpd.GeoDataFrame) else None
    columns = [name for name in frame.columns if name != geometry]
    out = frame.copy()
    for name in columns:
        if out[name].dtype == object:
            out[name] = [None if missing(value) else plain_text(value) for value in out[name].tolist()]
    names = fitting_names([str(name) for name in columns], GPKG_NAMES)
    out = out.rename(columns=dict(zip(columns, names, strict=True)))
    try:
        pyogrio.write_dataframe(out, path, layer=layer, driver="GPKG", append=path.exists(), VERSION="1.2")
    except (RuntimeError, OSError) as error:
        raise LianpianError(f"写出失败：{error}", where=path.name, remedy="请检查磁盘空间与写入权限") from error


def crs_words(crs: CRS) -> str:
    """A system as people read it: code and name."""
    return f"{':'.join(crs.to_authority() or ('', ''))} ({crs.name})".strip()


def _check_request(
    target: Format,
    layer: Layer,
    path: Path,
    names: Names | None,
    encoding: str | None,
    expand_extra: bool,
    overwrite: bool,
) -> None:
    if not path.parent.is_dir():
        raise InvalidParameter(f"没有文件夹 {path.parent}", where=path.name, remedy="请先建好文件夹")
    if path.exists() and not (overwrite and path.is_file()):
        raise _in_the_way(path)
    if encoding is not None and target.word != "shp":
        raise InvalidParameter(
            f"{target.title} 的编码是固定的，不能另选", where="encoding", remedy="只有 Shapefile 可选编码"
        )
    if target.word in _BY_PAGES and (expand_extra or (names is not None and names != target.names)):
        raise InvalidParameter(
            f"{target.title} 的字段名是固定的，也不展开其他字段",
            where="expand_extra" if expand_extra else "names",
            remedy="请去掉这个选项",
        )
    if expand_extra and "extra" not in layer.columns:
        raise InvalidParameter(f"图层“{layer.zh}”没有其他字段可展开", where="expand_extra", remedy="请去掉这个选项")


def _in_the_way(path: Path) -> InvalidParameter:
    # What is there may be the store itself.
    return InvalidParameter(f"{path.name} 已经存在", where=path.name, remedy="请换一个文件名，或先移走原文件")


def _crs_notes(target: Format, chosen: CRS, rows: Spool) -> Iterator[str]:
    if not rows.has_geometry or rows.bounds is None:
        return
    code = chosen.to_epsg() or 0
    if target.projected:
        yield f"坐标以米为单位，坐标系为 {crs_words(chosen)}"
    half = 3.0 if code in _SIX_DEGREES else 1.5
    if (far := _beyond(code, rows.bounds)) > half + 0.05:
        yield f"部分数据在该分带以外（距中央经线 {far:.2f} 度，带宽一半为 {half:g} 度），长度和面积变形较大"


def _write(target: Format, job: Job) -> Written:
    module, function = target.writer.split(".")
    writer: Callable[..., Any] = getattr(import_module(f"geo.layers.formats.{module}"), function)
    if target.word not in _BY_PAGES:
        return Written(job.spool.rows, tuple(writer(job)))
    done: Written = writer(job.spool.frames(job.crs), job.spool.layer, job.path, job.crs, job.about)
    return done


def _put(ready: Path, path: Path, overwrite: bool) -> None:
    """Give the finished file its name; never over another one that has come meanwhile."""
    if not overwrite:
        try:
            os.link(ready, path)
        except FileExistsError as error:
            raise _in_the_way(path) from error
        except OSError:  # a file system without links
            if path.exists():
                raise _in_the_way(path) from None
        else:
            return
    try:
        ready.replace(path)
    except OSError as error:
        raise LianpianError(f"写出失败：{error.strerror}", where=path.name, remedy="请检查写入权限") from error
