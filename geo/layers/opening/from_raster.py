"""Elevation from a raster: the cells around a box, read in strips into a plain array file.

Runs in the reading process only, and never looks at more of the raster than the box and one cell around it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError
from rasterio.errors import RasterioError
from rasterio.windows import Window

from geo.crs import STORAGE_CRS, crs_name, datum_fault
from geo.errors import InvalidInput
from geo.layers.opening.limits import Limits

DRIVERS = {".tif": "GTiff", ".tiff": "GTiff", ".asc": "AAIGrid"}
# Nothing on dry land is lower or higher; values beyond are a missing-value mark that the file does not declare.
PLAUSIBLE_M = (-500.0, 9000.0)
_METRES = {"": 1.0, "m": 1.0, "metre": 1.0, "meter": 1.0, "metres": 1.0, "meters": 1.0, "米": 1.0,
           "ft": 0.3048, "foot": 0.3048, "feet": 0.3048, "us survey foot": 1200 / 3937}  # fmt: skip
_STRIP_CELLS = 4_000_000
# No side files, no addresses: what is read is this one file.
_OPTIONS = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_PAM_ENABLED": "NO", "GDAL_CACHEMAX": 64}


def read_raster(
    path: Path,
    folder: Path,
    *,
    bounds: tuple[float, float, float, float],
    crs: str | None,
    max_cells: int,
    limits: Limits,
) -> dict[str, Any]:
    """Elevation around a box, in metres, ``nan`` where the raster has none.

    Parameters
    ----------
    path : GeoTIFF or ASCII grid
    folder : where the array goes, as ``elevation.npy``
    bounds : west, south, east, north in EPSG:4490
    crs : system of the raster where it has none itself; ``None``: its own
    max_cells : cells that may be read

    Returns
    -------
    ``transform`` (6,) of the cells read · ``crs`` as WKT · ``rows``, ``columns`` · ``known_cells`` ·
    ``lowest_m``, ``highest_m`` (``None`` where no cell is known)

    Raises
    ------
    InvalidInput
        Not a raster of the drivers allowed, without system or place, rotated, several bands, too many cells, or
        values that no land has.
    """
    driver = DRIVERS.get(path.suffix.lower())
    if driver is None:
        raise InvalidInput(
            f"高程栅格不支持 {path.suffix or '无扩展名'} 格式",
            where=path.name,
            remedy=f"可用：{'、'.join(sorted(DRIVERS))}",
        )
    if path.stat().st_size > limits.file_bytes:
        raise InvalidInput(
            f"文件超过上限 {limits.file_bytes / 1e9:,.1f} GB", where=path.name, remedy="请裁剪到本区范围"
        )
    # A plain name, so that nothing in the user's is taken for a path of GDAL's.
    linked = folder / f"elevation{path.suffix.lower()}"
    linked.symlink_to(path)
    side = path.with_suffix(".prj")
    if driver == "AAIGrid" and crs is None and side.is_file() and side.stat().st_size < 100_000:
        crs = side.read_text("utf-8", "replace")
    try:
        with rasterio.Env(**_OPTIONS), rasterio.open(linked, driver=driver) as opened:
            return _read(opened, path.name, folder / "elevation.npy", bounds, crs, max_cells)
    except (RasterioError, ValueError, OverflowError) as error:
        words = " ".join(str(error).replace(f"{folder}/", "").split())[:200]
        raise InvalidInput(
            f"高程栅格无法读取：内容有误，或不是 {driver} 格式（{words}）",
            where=path.name,
            remedy="请用 GIS 软件检查后另存为 GeoTIFF",
        ) from error


def _read(
    opened: Any, name: str, target: Path, bounds: tuple[float, float, float, float], crs: str | None, max_cells: int
) -> dict[str, Any]:
    system = _system(opened, name, crs)
    factor = _factor(opened, name)
    window = _window(opened, name, system, bounds)
    rows, columns = int(window.height), int(window.width)
    if rows * columns > max_cells:
        raise InvalidInput(
            f"本区范围内有 {rows * columns:,} 个栅格单元，超过上限 {max_cells:,}",
            where=name,
            remedy="请先重采样到 5 米或更粗",
        )
    double = opened.dtypes[0] in ("float64", "int64", "uint64")
    out = np.lib.format.open_memmap(
        target, mode="w+", dtype=np.float64 if double else np.float32, shape=(rows, columns)
    )
    known, lowest, highest = 0, math.inf, -math.inf
    strip = max(1, _STRIP_CELLS // columns)
    for start in range(0, rows, strip):
        height = min(strip, rows - start)
        part = opened.read(1, window=Window(window.col_off, window.row_off + start, columns, height), masked=True)
        values: NDArray[np.float64] = part.astype(np.float64).filled(np.nan)
        values = (values * opened.scales[0] + opened.offsets[0]) * factor
        values[~np.isfinite(values)] = np.nan
        has = ~np.isnan(values)
        if has.any():
            known += int(has.sum())
            lowest, highest = min(lowest, float(values[has].min())), max(highest, float(values[has].max()))
        out[start : start + height] = values
    out.flush()
    if known and (lowest < PLAUSIBLE_M[0] or highest > PLAUSIBLE_M[1]):
        strange = lowest if lowest < PLAUSIBLE_M[0] else highest
        raise InvalidInput(
            f"高程值 {strange:,.6g} 米不可能，应是没有声明的空值",
            where=name,
            remedy="请在栅格中声明空值（nodata）后重试",
        )
    moved = opened.window_transform(window)
    return {
        "transform": list(moved)[:6],
        "crs": system.to_wkt(),
        "rows": rows,
        "columns": columns,
        "known_cells": known,
        "lowest_m": lowest if known else None,
        "highest_m": highest if known else None,
    }


def _system(opened: Any, name: str, given: str | None) -> CRS:
    """The horizontal system of the raster, checked."""
    if opened.count != 1:
        raise InvalidInput(
            f"栅格有 {opened.count} 个波段，不知道哪个是高程", where=name, remedy="请另存为只有高程的单波段栅格"
        )
    if np.dtype(opened.dtypes[0]).kind not in "iuf":
        raise InvalidInput(f"栅格的值是 {opened.dtypes[0]}，不是高程", where=name, remedy="请另存为整数或浮点栅格")
    own = opened.crs.to_wkt() if opened.crs else None
    if own is None and given is None:
        raise InvalidInput("高程栅格没有坐标系", where=name, remedy="请指明坐标系，例如 EPSG:4490，或在栅格中写明")
    try:
        system = CRS.from_user_input(own or given)
    except CRSError as error:
        raise InvalidInput("高程栅格的坐标系无法识别", where=name, remedy="请重投影到 EPSG:4490 后另存") from error
    system = system.sub_crs_list[0] if system.is_compound else system
    if not (system.is_geographic or system.is_projected):
        raise InvalidInput(f"高程栅格的坐标系 {crs_name(system)} 不在地面上", where=name, remedy="请重投影到 EPSG:4490")
    if (fault := datum_fault(system)) is not None:
        raise InvalidInput(fault[0], where=name, remedy="请先转换到 CGCS2000")
    to = opened.transform
    if to.is_identity or to.a <= 0 or to.e >= 0 or to.b != 0 or to.d != 0:
        raise InvalidInput("高程栅格没有定位，或不是正北朝上", where=name, remedy="请用 GIS 软件重投影后另存为 GeoTIFF")
    return system


def _factor(opened: Any, name: str) -> float:
    """Metres in a unit of the raster's values; one that states no unit is in metres, as elevation models are."""
    unit = (opened.units[0] or "").strip().lower()
    if unit not in _METRES:
        raise InvalidInput(f"高程单位“{unit[:20]}”无法识别", where=name, remedy="请换算为米")
    return _METRES[unit]


def _window(opened: Any, name: str, system: CRS, bounds: tuple[float, float, float, float]) -> Window:
    """The cells that a box in EPSG:4490 touches and one more on each side, as far as the raster reaches."""
    try:
        west, south, east, north = Transformer.from_crs(STORAGE_CRS, system, always_xy=True).transform_bounds(*bounds)
    except ProjError as error:
        raise InvalidInput("宗地不在高程栅格坐标系的范围内", where=name, remedy="请检查坐标系") from error
    to = opened.transform
    left, right = math.floor((west - to.c) / to.a) - 1, math.ceil((east - to.c) / to.a) + 1
    top, bottom = math.floor((north - to.f) / to.e) - 1, math.ceil((south - to.f) / to.e) + 1
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, opened.width), min(bottom, opened.height)
    if left >= right or top >= bottom:
        raise InvalidInput("高程栅格与宗地不重叠", where=name, remedy="请检查坐标系，或换用覆盖本区的栅格")
    return Window(left, top, right - left, bottom - top)
