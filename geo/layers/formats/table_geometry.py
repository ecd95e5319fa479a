"""The geometry in a table of text: a column of WKT, EWKT, WKB in hex or GeoJSON, or two columns of coordinates."""

from __future__ import annotations

import re
import unicodedata

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError

_NAMED = ("wkt", "geom", "geometry", "thegeom", "shape", "wkb", "wkbgeometry", "wktgeometry", "geojson", "ewkt", "ewkb")
_NAMED_ZH = ("几何", "图形", "空间坐标", "坐标串", "空间数据", "边界")
_WKT = re.compile(
    r"\s*(?:SRID\s*=\s*\d+\s*;)?\s*(?:(?:MULTI)?(?:POINT|LINESTRING|POLYGON)|GEOMETRYCOLLECTION)\s*(?:Z|M|ZM)?\s*"
    r"(?:\(|EMPTY)",
    re.IGNORECASE,
)
# Byte order and type, which a code of many digits does not have by chance; flags of EWKB and thousands of ISO allowed.
_HEX = re.compile(r"\s*(?:01[0-9A-F]{2}0[0-3]00[0-9A-F]0|00[0-9A-F]0000[0-3][0-9A-F]{2})[0-9A-F]{8,}\s*", re.IGNORECASE)
_GEOJSON = re.compile(r"\s*\{.*\"(?:coordinates|geometry|geometries)\"", re.DOTALL)
_CURVED = r"\b(?:CIRCULARSTRING|COMPOUNDCURVE|CURVEPOLYGON|MULTICURVE|MULTISURFACE|TIN|POLYHEDRALSURFACE)\b"
_SRID = r"^\s*SRID\s*=\s*(\d+)\s*;"
# Names of the east and the north coordinate; a pair of one line belongs together.
_PAIRS = (
    (("经度", "东经", "lon", "lng", "long", "longitude", "x经度", "经度x"),
     ("纬度", "北纬", "lat", "latitude", "y纬度", "纬度y")),
    (("东坐标", "东坐标y", "y东", "横坐标", "横坐标y", "easting", "east"),
     ("北坐标", "北坐标x", "x北", "纵坐标", "纵坐标x", "northing", "north")),
    (("x", "x坐标", "坐标x", "xcoord", "coordx", "pointx", "中心x", "中心点x"),
     ("y", "y坐标", "坐标y", "ycoord", "coordy", "pointy", "中心y", "中心点y")),
)  # fmt: skip
_DEGREES = r"^\s*([-+]?\d+(?:\.\d+)?)\s*[°度]\s*(?:(\d+(?:\.\d+)?)\s*[′'分]\s*)?(?:(\d+(?:\.\d+)?)\s*[″\"秒]\s*)?$"
_SAMPLE = 50


def with_geometry(
    frame: pd.DataFrame,
) -> tuple[gpd.GeoDataFrame | pd.DataFrame, list[str], dict[int, str]]:
    """The table with its geometry (the columns that held it left out), notes, and faults of rows by position.

    A table without geometry comes back as it is. A cell that cannot be read is a fault of its row; a blank one is a
    row without geometry. The CRS is the SRID of EWKT or EWKB where all rows agree, else none.
    """
    for column in _candidates(frame):
        kind = _kind(frame[column])
        if kind is not None:
            return _from_column(frame, column, kind)
    for easts, norths in _PAIRS:
        east, north = _column(frame, easts), _column(frame, norths)
        if east is not None and north is not None:
            return _from_coordinates(frame, east, north)
    return frame, [], {}


def _plain(name: str) -> str:
    """A heading without brackets and what is in them, blanks, underlines and case."""
    text = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\[(（【].*?[\])）】]|[\s_\-:.]", "", text)


def _column(frame: pd.DataFrame, names: tuple[str, ...]) -> str | None:
    plain = {_plain(str(column)): str(column) for column in reversed(frame.columns)}
    return next((plain[name] for name in names if name in plain), None)


def _candidates(frame: pd.DataFrame) -> list[str]:
    """Columns named like geometry, then all others."""
    columns = [str(column) for column in frame.columns]
    named = [column for column in columns if _plain(column) in _NAMED or _plain(column) in _NAMED_ZH]
    return [*named, *(column for column in columns if column not in named)]


def _kind(column: pd.Series) -> str | None:
    """What geometry the column holds: most of its first cells look so."""
    sample = [str(cell) for cell in column.dropna().head(_SAMPLE)]
    for kind, form in (("WKT", _WKT), ("WKB", _HEX), ("GeoJSON", _GEOJSON)):
        match = form.fullmatch if kind == "WKB" else form.match
        like = [cell for cell in sample if match(cell) is not None]
        # A code of many digits may begin like WKB; it is none if no cell of the kind can be parsed.
        if len(like) > len(sample) / 2 and (kind != "WKB" or _any_wkb(like)):
            return kind
    return None


def _any_wkb(cells: list[str]) -> bool:
    whole = [cell.strip() for cell in cells if len(cell.strip()) % 2 == 0]
    return bool((~shapely.is_missing(shapely.from_wkb(np.array(whole, dtype=object), on_invalid="ignore"))).any())


def _from_column(frame: pd.DataFrame, column: str, kind: str) -> tuple[gpd.GeoDataFrame, list[str], dict[int, str]]:
    texts = frame[column].astype("string")
    there = texts.notna().to_numpy()
    cells = texts.fillna("").str.strip()
    srid = np.zeros(len(frame), dtype=np.int64)
    if kind == "WKT":
        found = cells.str.extract(_SRID, flags=re.IGNORECASE)[0]
        srid = found.fillna("0").astype("int64").to_numpy()
        bare = cells.str.replace(_SRID, "", regex=True, flags=re.IGNORECASE)
        # Arcs have no place in a layer of straight lines, and the library stops at the first one.
        straight = ~bare.str.contains(_CURVED, flags=re.IGNORECASE).to_numpy(dtype=bool)
        geometry = shapely.from_wkt(_objects(bare, there & straight), on_invalid="ignore")
    elif kind == "WKB":
        geometry = shapely.from_wkb(_objects(cells, there), on_invalid="ignore")
        srid = np.where(shapely.is_missing(geometry), 0, shapely.get_srid(geometry))
    else:
        geometry = shapely.from_geojson(_objects(cells, there), on_invalid="ignore")
    finite = np.ones(len(geometry), dtype=bool)
    xy, owner = shapely.get_coordinates(geometry, return_index=True)
    finite[owner[~np.isfinite(xy).all(axis=1)]] = False
    geometry[~finite] = None
    bad = np.flatnonzero(there & shapely.is_missing(geometry))
    faults = {int(i): f"{kind} 无法解析：{cells.iloc[i][:40]}" for i in bad}
    notes = [f"几何取自列“{column}”（{kind}）"]
    crs = None
    stated = sorted(set(srid[there & ~shapely.is_missing(geometry)].tolist()) - {0})
    if len(stated) > 1 or (stated and (srid[there & ~shapely.is_missing(geometry)] == 0).any()):
        notes.append(f"各行的 SRID 不一致（{'、'.join(map(str, stated))}，或部分没有），未指定坐标系")
    elif stated:
        try:
            crs = CRS.from_epsg(stated[0])
            notes.append(f"坐标系由几何的 SRID 确定：EPSG:{stated[0]}")
        except CRSError:
            notes.append(f"几何的 SRID {stated[0]} 不是 EPSG 代码，未指定坐标系")
    rest = frame.drop(columns=column)
    shapes = gpd.GeoSeries(shapely.set_srid(geometry, 0), crs=crs, index=frame.index)
    return gpd.GeoDataFrame(rest, geometry=shapes, crs=crs), notes, faults


def _objects(texts: pd.Series, there: NDArray[np.bool_]) -> NDArray[np.object_]:
    out = texts.to_numpy(dtype=object).copy()
    out[~there] = None
    return out


def _from_coordinates(frame: pd.DataFrame, east: str, north: str) -> tuple[gpd.GeoDataFrame, list[str], dict[int, str]]:
    x, y = _numbers(frame[east]), _numbers(frame[north])
    notes = [f"几何为点，取自列“{east}”“{north}”"]
    sound = np.isfinite(x) & np.isfinite(y)
    # Surveyors call the northing X; seven digits beside six or eight tell.
    if sound.any() and _northing(x[sound]) and not _northing(y[sound]):
        x, y = y, x
        notes.append(f"“{east}”的数值是纵坐标（北），已按测绘习惯 X 为北、Y 为东读取")
    blank = frame[east].isna().to_numpy() & frame[north].isna().to_numpy()
    faults = {
        int(i): f"坐标不是数：{frame[east].iloc[i]}，{frame[north].iloc[i]}" for i in np.flatnonzero(~sound & ~blank)
    }
    geometry = np.full(len(frame), None, dtype=object)
    geometry[sound] = shapely.points(x[sound], y[sound])
    shapes = gpd.GeoSeries(geometry, index=frame.index)
    # The columns stay: a table of points is still asked for its coordinates.
    return gpd.GeoDataFrame(frame, geometry=shapes), notes, faults


def _northing(values: NDArray[np.float64]) -> bool:
    return bool((values > 1e6).all() and (values < 6.2e6).all())


def _numbers(column: pd.Series) -> NDArray[np.float64]:
    """Decimal numbers, and degrees with minutes and seconds."""
    texts = column.astype("string").str.strip()
    plain = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    parts = texts.str.extract(_DEGREES).astype("float64")
    sign = np.where(parts[0] < 0, -1.0, 1.0)
    degrees = sign * (parts[0].abs() + parts[1].fillna(0) / 60 + parts[2].fillna(0) / 3600)
    return np.where(np.isnan(plain), degrees.to_numpy(dtype=np.float64), plain)
