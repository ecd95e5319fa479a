"""What GDAL reads: GeoPackage, FileGDB, GeoJSON, FlatGeobuf, KML, and the geometry of Shapefiles.

Runs in the reading process only. Attributes and geometry stay Arrow from the driver to the file that crosses.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, GeometryError
from pyogrio.raw import open_arrow

from geo.errors import InvalidInput
from geo.layers.opening.encodings import Encoding, as_utf8
from geo.layers.opening.inspection import path_that_gdal_takes
from geo.layers.opening.limits import Limits
from geo.layers.opening.transfer import CurvesFound, Outgoing, Progress

FAILURES = (DataSourceError, DataLayerError, FeatureError, GeometryError, ValueError, OSError, pa.ArrowException)
_MANY_LAYERS = (".gpkg", ".gdb", ".kml")
_COUNTED = (".gpkg", ".gdb", ".fgb")
_BATCH_ROWS = 32_768
# GDAL's words -> a sentence for people.
_WORDS = (
    (r"malformed|not a database|disk image|corrupt", "数据库已损坏"),
    (r"JSON parsing error|JSON", "GeoJSON 结构不合规范"),
    (r"XML parsing|libkml|KML", "KML 结构不合规范"),
    (r"not recognized as being in a supported file format", "不是可识别的格式"),
    (r"\.shx", "缺少索引文件（.shx），且无法重建"),
    (r"No such file", "缺少组成文件"),
    (r"codec can't decode|utf-8|utf8", "文字编码有误"),
    (r"[Mm]emory|bad_alloc", "内存不足"),
)


def told(error: BaseException, *folders: Path) -> str:
    """GDAL's words as a Chinese sentence, the original in brackets without paths of this machine."""
    words = " ".join(str(error).split())
    for folder in folders:
        words = words.replace(f"{folder}/", "").replace(str(folder), "")
    sentence = next((text for sign, text in _WORDS if re.search(sign, words)), "内容有误")
    speaker = "GDAL" if isinstance(error, (DataSourceError, DataLayerError, FeatureError, GeometryError)) else ""
    return f"{sentence}（{speaker or type(error).__name__}：{words[:200]}）"


def read_gdal(
    path: Path,
    out: Path,
    *,
    folder: Path,
    wanted: list[str] | None,
    encoding: str | None,
    limits: Limits,
    progress: Progress,
) -> tuple[list[Outgoing], list[str]]:
    """Read the layers of one dataset into Arrow files under ``out``.

    Parameters
    ----------
    path, folder : the dataset, and a folder for what has to be prepared
    wanted : names of layers, ``None`` for all

    Returns
    -------
    (layers, names of all layers there are)

    Raises
    ------
    InvalidInput
        GDAL does not open it, or no layer of it can be read.
    """
    suffix = path.suffix.lower()
    prepared, used = path, Encoding("UTF-8")
    if suffix in (".geojson", ".json", ".geojsonl", ".kml"):
        stated = _xml_encoding(path) if suffix == ".kml" else None
        prepared, used = as_utf8(path, folder / f"utf8{suffix}", stated=stated, forced=encoding)
        if suffix == ".kml" and prepared != path:
            _declare_utf8(prepared)
    prepared = path_that_gdal_takes(prepared, folder)
    listed = _listed(path, prepared)
    chosen = listed if wanted is None else [name for name in listed if name in wanted]
    if wanted is not None and not chosen and len(listed) == 1:
        chosen = listed
    if len(chosen) > limits.layers:
        raise InvalidInput(
            f"文件有 {len(chosen)} 个图层，超过上限 {limits.layers}",
            where=path.name,
            remedy="请用 --source-layer 指明一个",
        )
    found: list[Outgoing] = []
    failed: list[tuple[str, str]] = []
    for name in chosen:
        # Numbered, since a layer may be called anything, a path included.
        target = out / f"{len(list(out.iterdir()))}.arrow"
        layer = Outgoing(name, target, limits, path.name, encoding=used.name, notes=[used.note] if used.note else [])
        try:
            _read(prepared, name if suffix in _MANY_LAYERS else None, layer, progress)
        except FAILURES as error:
            failed.append((name, told(error, prepared.parent, path.parent, folder)))
        else:
            found.append(layer)
    if failed and (not found or wanted is not None):
        raise InvalidInput(
            f"文件无法读取：{failed[0][1]}", where=f"{path.name}: {failed[0][0]}" if len(listed) > 1 else path.name,
            remedy="请检查文件是否完整，并用 GIS 软件检查后另存",
        )  # fmt: skip
    for layer in found:
        layer.notes += [f"同一文件的图层“{name}”无法读取：{why}" for name, why in failed]
    return found, listed


def _listed(path: Path, prepared: Path) -> list[str]:
    suffix = path.suffix.lower()
    if suffix not in _MANY_LAYERS:
        return [_single_name(path)]
    try:
        with _quiet():
            return [str(name) for name in pyogrio.list_layers(prepared)[:, 0]]
    except FAILURES as error:
        raise InvalidInput(
            f"文件无法读取：{told(error, prepared.parent, path.parent)}", where=path.name,
            remedy="请检查文件是否完整，并用 GIS 软件检查后另存",
        ) from error  # fmt: skip


def _single_name(path: Path) -> str:
    """The name that a GeoJSON collection gives itself before its features begin, else the file's."""
    if path.suffix.lower() in (".geojson", ".json"):
        with path.open("rb") as source:
            head = source.read(4096).split(b'"features"')[0]
        if head.count(b"{") == 1 and (match := re.search(rb'"name"\s*:\s*"([^"\\]{1,200})"', head)):
            try:
                return match[1].decode("utf-8")
            except UnicodeDecodeError:
                pass
    if path.suffix.lower() == ".fgb":
        with _quiet():
            try:
                return str(pyogrio.list_layers(path)[0, 0]) or path.stem
            except FAILURES:
                pass
    return path.stem


def _read(path: Path, name: str | None, layer: Outgoing, progress: Progress) -> None:
    with _quiet():
        expected = None
        if path.suffix.lower() in _COUNTED:
            expected = int(pyogrio.read_info(path, layer=name)["features"])
        try:
            _stream(path, name, layer, progress, expected, None)
        except CurvesFound:
            layer.notes.append("圆弧等曲线已化为折线")
            layer.faults.clear()
            # The other reader of the same rows turns arcs into lines.
            linear = pyogrio.raw.read(path, layer=name, columns=[], force_2d=True)[2]
            _stream(path, name, layer, progress, expected, linear)


def _stream(
    path: Path, name: str | None, layer: Outgoing, progress: Progress, expected: int | None, linear: Any
) -> None:
    with open_arrow(path, layer=name, use_pyarrow=True, datetime_as_string=True, batch_size=_BATCH_ROWS) as (
        meta,
        reader,
    ):
        layer.crs = meta["crs"]
        geometry = geometry_column(reader.schema, meta)
        layer.write(reader.schema, reader, geometry, linear=linear, progress=progress, expected=expected)


def geometry_column(schema: pa.Schema, meta: dict[str, Any]) -> int | None:
    """Position of the geometry in an Arrow stream of GDAL: an attribute may bear the same name."""
    if meta["geometry_type"] is None:
        return None
    marked = [
        at for at, each in enumerate(schema)
        if (each.metadata or {}).get(b"ARROW:extension:name", b"").endswith(b"wkb")
        or (isinstance(each.type, pa.ExtensionType) and each.type.extension_name.endswith("wkb"))
    ]  # fmt: skip
    if marked:
        return marked[-1]
    name = meta["geometry_name"] or "wkb_geometry"
    named = [at for at, each in enumerate(schema.names) if each == name]
    return named[-1] if named else None


def read_shapes(path: Path) -> tuple[np.ndarray[Any, Any], str | None]:
    """The geometry of a Shapefile without its table: (rows,) WKB in the order of the file, and its system."""
    with _quiet():
        meta, table = pyogrio.raw.read_arrow(path, columns=[], batch_size=_BATCH_ROWS)
        at = geometry_column(table.schema, meta)
    assert at is not None
    return table.column(at), meta["crs"]


def _xml_encoding(path: Path) -> str | None:
    with path.open("rb") as source:
        match = re.search(rb'<\?xml[^>]*encoding=["\']([\w.-]+)', source.read(200))
    return match[1].decode("ascii") if match else None


def _declare_utf8(path: Path) -> None:
    """A document that was rewritten in UTF-8 says so; the declaration keeps its length."""
    with path.open("r+b") as both:
        head = both.read(200)
        both.seek(0)
        both.write(re.sub(rb"<\?xml[^>]*\?>", lambda match: b" " * len(match[0]), head, count=1))


@contextmanager
def _quiet() -> Iterator[None]:
    """GDAL's warnings are for its own users; what matters of them is told as notes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
