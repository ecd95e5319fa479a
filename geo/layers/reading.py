"""Files → source layers: opened in a separate process, their encoding and system looked at, never assumed."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj import CRS
from pyproj.exceptions import CRSError

from geo.crs import STORAGE_CRS, candidates_in_china, contradiction, crs_name, datum_fault, typical_bounds
from geo.errors import InvalidInput, InvalidParameter
from geo.layers.opening.encodings import python_name
from geo.layers.opening.inspection import SUFFIXES as SUFFIXES
from geo.layers.opening.inspection import inspect
from geo.layers.opening.limits import Limits
from geo.layers.opening.sandbox import run_worker
from geo.layers.opening.transfer import take

Progress = Callable[[str], None]


_FILES_OF_PROJ = re.compile(r"grids\s*=|\+init|\+catalog|PARAMETERFILE", re.IGNORECASE)


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
    path: Path,
    *,
    layers: list[str] | None = None,
    crs: str | None = None,
    encoding: str | None = None,
    swap_axes: bool = False,
    header_row: int | None = None,
    limits: Limits | None = None,
    progress: Progress = lambda step: None,
) -> list[SourceLayer]:
    """The layers of a file or zip.

    Parameters
    ----------
    path : file, FileGDB folder or zip
    layers : names of the layers wanted, ``None`` for all; a file with a single layer gives that one whatever its name
    crs : coordinate system that overrides the one in the file (any pyproj form); held to the same check
    encoding : of the attribute text; overrides what the file says, and is held to strictly
    swap_axes : the file has latitude (northing) first; x and y are exchanged before anything else is judged
    header_row : row of the column names in a table, counted from 1; found where it is not given
    limits : what the file may cost
    progress : called with a line for people while a long file is read

    Raises
    ------
    InvalidInput
        The file is missing, damaged, dangerous, too large or of a kind that is not read; says nothing of its
        coordinate system, or what its coordinates contradict; or its text is in no encoding tried.
    InvalidParameter
        ``crs`` or ``encoding`` is nothing known.
    """
    limits = limits or Limits()
    override = _crs(crs) if crs else None
    if encoding is not None:
        python_name(encoding)
    if not path.exists():
        raise InvalidInput(f"找不到文件 {path.name}", where=path.name, remedy="请检查路径")
    inspect(path, limits)
    request: dict[str, Any] = {
        "path": str(path.resolve()), "layers": layers, "encoding": encoding, "header_row": header_row,
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="lianpian-read-", ignore_cleanup_errors=True) as folder:
        answered = run_worker(request, Path(folder), limits, where=path.name, progress=progress)
        try:
            digest = _sha256(path)
        finally:
            answer = answered()
        out = Path(folder) / "layers"
        found = []
        for item in answer["layers"]:
            try:
                found.append(_layer(item, out, override, swap_axes, path.name, digest))
            except InvalidInput as error:
                if len(answer["layers"]) > 1:
                    error.remedy += "；或用 --source-layer 只读取其他图层"
                raise
    if layers is not None and not found:
        raise InvalidInput(
            f"文件中没有图层 {'、'.join(layers)}", where=path.name,
            remedy="文件中的图层：" + "、".join(answer.get("listed", [])),
        )  # fmt: skip
    return found


def _layer(
    item: dict[str, Any], out: Path, override: CRS | None, swap_axes: bool, file_name: str, digest: str
) -> SourceLayer:
    frame, geometry, faults = take(item, out)
    notes = list(item["notes"])
    if geometry is None:
        return SourceLayer(item["name"], frame, None, file_name, digest, item["encoding"], tuple(notes), faults)
    if swap_axes:
        geometry = shapely.transform(geometry, lambda xy: xy[:, ::-1])
        notes.append("坐标轴已按要求对调")
    where = f"{file_name}: {item['name']}"
    stated = _stated(item["crs"], notes)
    crs = override or stated
    bounds = shapely.bounds(geometry)
    if crs is None and not np.isfinite(bounds).all(axis=1).any():
        crs = CRS.from_user_input(STORAGE_CRS)
        notes.append("没有坐标系，也没有一个坐标可供判断")
    if crs is None:
        raise _no_system(bounds, where)
    if override is not None and stated is not None and crs_name(stated) != crs_name(override):
        notes.append(f"坐标系按 {crs_name(override)} 读取（文件写的是 {crs_name(stated)}）")
    if (wrong := datum_fault(crs) or contradiction(bounds, crs)) is not None:
        raise InvalidInput(wrong[0], where=where, remedy=wrong[1])
    placed = gpd.GeoDataFrame(frame, geometry=geometry, crs=crs)
    return SourceLayer(item["name"], placed, crs, file_name, digest, item["encoding"], tuple(notes), faults)


def _stated(text: str | None, notes: list[str]) -> CRS | None:
    if text is None:
        return None
    try:
        return CRS.from_user_input(text).to_2d()
    except CRSError:
        notes.append("文件写的坐标系无法识别，视为没有写")
        return None


def _no_system(bounds: np.ndarray[Any, Any], where: str) -> InvalidInput:
    middle = typical_bounds(bounds)
    assert middle is not None
    fits = candidates_in_china(middle)
    in_degrees = abs(middle[0]) <= 180 and abs(middle[2]) <= 180 and abs(middle[1]) <= 90 and abs(middle[3]) <= 90
    likely = fits[0].split()[0] if fits and "…" not in fits[0] else "EPSG:4326" if in_degrees else "EPSG:4549"
    swap = " --swap-axes" if fits and "颠倒" in fits[0] else ""
    shown = "；坐标约 " + "，".join(f"{value:,.10g}" for value in middle)
    return InvalidInput(
        "文件没有坐标系" + (f"；坐标范围与 {'、'.join(fits)} 相符" if fits else shown),
        where=where, remedy=f"请用 --crs 指明，例如 --crs {likely}{swap}",
    )  # fmt: skip


def _crs(text: str) -> CRS:
    if _FILES_OF_PROJ.search(text):
        # A grid is a file, and which one would be for the caller to say.
        raise InvalidParameter(
            f"坐标系“{text[:80]}”不能引用文件", where="crs", remedy="请给 EPSG 代码，或只含 +towgs84 参数的 PROJ 定义"
        )
    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise InvalidParameter(f"无法识别坐标系“{text}”", where="crs", remedy="例如 EPSG:4490、EPSG:4528") from error


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    for part in sorted(entry for entry in path.rglob("*") if entry.is_file()) if path.is_dir() else [path]:
        with part.open("rb") as source:
            while chunk := source.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()
