"""Files → source layers: opened in a separate process with an allow-list of drivers, their system never assumed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.feather as feather
import pyogrio
import shapely
from pyproj import CRS
from pyproj.exceptions import CRSError

from geo.crs import candidates_in_china
from geo.errors import InvalidInput, InvalidParameter
from geo.layers.unpacking import unpack

ALLOWED_DRIVERS = frozenset(
    {
        "GPKG",
        "ESRI Shapefile",
        "GeoJSON",
        "GeoJSONSeq",
        "FlatGeobuf",
        "OpenFileGDB",
        "KML",
        "LIBKML",
        "CSV",
        "XLSX",
        "DXF",
    }
)
# GDAL decides by content, not by name; only these names are offered to it at all.
SUFFIXES = (
    ".gpkg", ".shp", ".geojson", ".json", ".geojsonl", ".fgb", ".gdb", ".kml", ".kmz", ".csv", ".xlsx", ".dxf",
    ".parquet", ".geoparquet", ".zip",
)  # fmt: skip
TIMEOUT_S = 900


@dataclass(frozen=True, slots=True)
class SourceLayer:
    """One layer as the file has it.

    ``frame`` attributes and geometry in ``crs`` (``None`` for a plain table); ``sha256`` of the file as it came;
    ``encoding``, ``notes`` and ``faults`` as in ``geo.layers.formats.raw.RawLayer``.
    """

    name: str
    frame: gpd.GeoDataFrame | pd.DataFrame
    crs: CRS | None
    file_name: str
    sha256: str
    encoding: str | None = None
    notes: tuple[str, ...] = ()
    faults: dict[int, str] = field(default_factory=dict)


def read_file(
    path: Path, *, layers: list[str] | None = None, crs: str | None = None, encoding: str | None = None
) -> list[SourceLayer]:
    """The layers of a file or zip.

    Parameters
    ----------
    path : file, FileGDB folder or zip
    layers : names of the layers wanted, ``None`` for all; a file with a single layer gives that one whatever its name
    crs : coordinate system that overrides the one in the file (any pyproj form)
    encoding : of the attribute text, where the file does not tell

    Raises
    ------
    InvalidInput
        The file is missing, damaged, of a kind that is not read, or says nothing of its coordinate system.
    """
    if not path.exists():
        raise InvalidInput(f"找不到文件 {path.name}", where=path.name, remedy="请检查路径")
    override = _crs(crs) if crs else None
    digest = _sha256(path)
    with tempfile.TemporaryDirectory(prefix="lianpian-read-") as folder:
        target = path
        if path.suffix.lower() in (".zip", ".kmz"):
            inside = Path(folder) / "unpacked"
            inside.mkdir()
            unpack(path, inside)
            target = _only_dataset(inside, path.name)
        if target.suffix.lower() not in SUFFIXES:
            raise InvalidInput(
                f"不支持的文件类型“{target.suffix}”", where=path.name, remedy="可导入：" + "、".join(SUFFIXES)
            )
        out = Path(folder) / "layers"
        out.mkdir()
        answer = _ask_worker(
            {"path": str(target.resolve()), "out": str(out), "layers": layers, "encoding": encoding}, path.name
        )
        found = [_layer(item, out, override, path.name, digest) for item in answer["layers"]]
    if layers is not None and not found:
        raise InvalidInput(
            f"文件中没有图层 {'、'.join(layers)}",
            where=path.name,
            remedy="文件中的图层：" + "、".join(answer.get("listed", [])),
        )
    return found


def _ask_worker(request: dict[str, Any], file_name: str) -> dict[str, Any]:
    switched_off = [name for name in pyogrio.list_drivers() if name not in ALLOWED_DRIVERS]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("GDAL_", "OGR_", "CPL_"))},
        # The VRT reader answers to another name than the one it is listed under.
        "GDAL_SKIP": ",".join([*switched_off, "VRT", "OGR_VRT"]),
        "GDAL_HTTP_TIMEOUT": "1",
        "OGR_GEOJSON_MAX_OBJ_SIZE": "512",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-m", "geo.layers.worker", json.dumps(request)]
    try:
        # The command is this interpreter and this module; the request is one JSON argument, never a shell line.
        answered = subprocess.run(  # noqa: S603
            command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise InvalidInput(f"读取超过 {TIMEOUT_S} 秒，已停止", where=file_name, remedy="请拆分文件") from error
    if answered.returncode != 0:
        raise InvalidInput("文件无法读取（读取进程异常退出）", where=file_name, remedy="请用 GIS 软件检查后另存")
    answer: dict[str, Any] = json.loads(answered.stdout.strip().splitlines()[-1])
    if "error" in answer:
        raise InvalidInput(
            f"文件无法读取：{answer['error']}", where=file_name, remedy="请检查文件是否完整、格式是否与后缀一致"
        )
    return answer


def _layer(item: dict[str, Any], out: Path, override: CRS | None, file_name: str, digest: str) -> SourceLayer:
    # Whole numbers with gaps stay whole: an identifier of 19 digits does not fit a float.
    table = feather.read_table(out / item["file"]).to_pandas(integer_object_nulls=True)
    if not item["geometry"]:
        return SourceLayer(item["name"], table, None, file_name, digest)
    geometry = shapely.from_wkb(table.pop("__wkb__").to_numpy(dtype=object), on_invalid="ignore")
    crs = override or (CRS.from_wkt(item["crs"]) if item["crs"] else None)
    where = f"{file_name}: {item['name']}"
    if crs is None:
        bounds = tuple(float(value) for value in shapely.total_bounds(geometry))
        fits = candidates_in_china(bounds) if np.isfinite(bounds).all() else []  # type: ignore[arg-type]
        likely = fits[0].split()[0] if fits and "…" not in fits[0] else "EPSG:4549"
        remedy = f"请用 --crs 指明，例如 --crs {likely}"
        raise InvalidInput(
            "文件没有坐标系" + (f"；坐标范围与 {'、'.join(fits)} 相符" if fits else f"；坐标范围 {bounds}"),
            where=where,
            remedy=remedy,
        )
    return SourceLayer(item["name"], gpd.GeoDataFrame(table, geometry=geometry, crs=crs), crs, file_name, digest)


def _crs(text: str) -> CRS:
    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise InvalidParameter(f"无法识别坐标系“{text}”", where="crs", remedy="例如 EPSG:4490、EPSG:4528") from error


def _only_dataset(folder: Path, archive: str) -> Path:
    folders = [entry for entry in folder.rglob("*.gdb") if entry.is_dir()]
    # An archive inside an archive would be opened past the limits that the outer one was held to.
    readable = set(SUFFIXES) - {".zip", ".kmz"}
    files = [entry for entry in folder.rglob("*") if entry.is_file() and entry.suffix.lower() in readable]
    files = [entry for entry in files if not any(parent.suffix == ".gdb" for parent in entry.parents)]
    datasets = folders + files
    if len(datasets) != 1:
        names = "、".join(sorted(entry.name for entry in datasets)) or "无"
        raise InvalidInput(f"压缩包内应恰有一个数据集，现有：{names}", where=archive, remedy="请每个数据集单独压缩")
    return datasets[0]


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    for part in sorted(entry for entry in path.rglob("*") if entry.is_file()) if path.is_dir() else [path]:
        with part.open("rb") as source:
            while chunk := source.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()
