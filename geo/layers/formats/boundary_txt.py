"""Boundary-point TXT, the format of land approval (勘测定界界址点): read in all its dialects, written to the letter.

A head of ``label=value`` lines, then parcels: a line of fields that ends in ``@``, and a line for each boundary point
``J1,ring,X,Y`` with X the northing. What exporters disagree on is never trusted: point counts, point numbers, which
ring is a hole, and which of the two numbers is the northing are all told by the coordinates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geo.errors import InvalidInput, InvalidParameter
from geo.layers.formats import boundary_points
from geo.layers.formats.areas import area_m2
from geo.layers.formats.provenance import Provenance, Written
from geo.layers.formats.raw import RawLayer
from geo.layers.opening.encodings import decode
from geo.layers.schema import Layer
from geo.units import M2_PER_HA

COLUMNS = ("点数", "面积", "地块编号", "地块名称", "图形属性", "图幅号", "地块用途", "地类编码")
THREE_DEGREE_ZONES = range(25, 46)
SIX_DEGREE_ZONES = range(13, 24)
_SHOWN = 5
_POINT = re.compile(r"[^,，=]*[,，][^,，=]*[,，]\s*-?\d")
_CHINESE = re.compile(r"[\u3400-\u9fff]")


@dataclass
class _Section:
    """One head with the parcels under it, as line positions and texts."""

    facts: dict[str, str] = field(default_factory=dict)
    heads: list[tuple[int, str]] = field(default_factory=list)  # line number, header line of a parcel
    lines: list[str] = field(default_factory=list)  # lines of boundary points …
    numbers: list[int] = field(default_factory=list)  # … their line numbers
    parcel: list[int] = field(default_factory=list)  # … and the parcel each belongs to


def read_boundary_txt(path: Path, encoding: str | None) -> list[RawLayer]:
    """The parcels of a boundary-point file; one layer, or one for each different head where files were joined.

    A parcel with a line that is no point, or with a ring of fewer than three points, is a fault of its row.

    Parameters
    ----------
    path : the file
    encoding : of its text, ``None`` to tell it from the bytes

    Raises
    ------
    InvalidInput
        The text cannot be decoded, or there is no parcel in it.
    """
    text, used = decode(path.read_bytes(), forced=encoding, where=path.name)
    sections = [section for section in _sections(text) if section.heads]
    if not sections:
        raise InvalidInput(
            "文件中没有界址点坐标（找不到以“@”结尾的地块行）", where=path.name, remedy="请检查是否为部格式界址点文件"
        )
    several = len(sections) > 1
    layers = [
        _layer(section, f"{path.stem}_{i + 1}" if several else path.stem, used.name)
        for i, section in enumerate(sections)
    ]
    first = next((fault for layer in layers for fault in layer.faults.values()), None)
    if first is not None and all(len(layer.faults) == len(layer.frame) for layer in layers):
        # Some other text, or none of its parcels can be drawn: one word is clearer than a table of faults.
        raise InvalidInput(f"文件中没有可用的地块：{first}", where=path.name, remedy="请检查是否为部格式界址点文件")
    return layers


def _sections(text: str) -> list[_Section]:
    """Lines sorted by what they are; a second head with other facts opens a section of its own."""
    sections: list[_Section] = []
    head: dict[str, str] | None = {}  # None below the head
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line:
            continue
        if line.startswith("[") and "属性" in line:
            head = {} if head is None else head
            continue
        parcel = line.rstrip(",， ").endswith("@")
        if head is not None:
            if not (parcel or line.startswith("[") or _POINT.match(line)):
                label, _, value = line.partition("=")
                head[label.strip()] = value.strip()
                continue
            sections = _opened(sections, head)
            head = None
        if line.startswith("["):
            continue
        current = sections[-1]
        if parcel or not current.heads:  # points before any parcel line are a parcel without attributes
            current.heads.append((number, line if parcel else "@"))
        if not parcel:
            current.lines.append(line)
            current.numbers.append(number)
            current.parcel.append(len(current.heads) - 1)
    return sections


def _opened(sections: list[_Section], facts: dict[str, str]) -> list[_Section]:
    if sections and _telling(facts) == _telling(sections[-1].facts):
        return sections
    return [*sections, _Section(facts)]


def _telling(facts: dict[str, str]) -> tuple[str, ...]:
    return tuple(facts.get(label, "") for label in ("坐标系", "几度分带", "投影类型", "计量单位", "带号", "转换参数"))


def _layer(section: _Section, name: str, encoding: str) -> RawLayer:
    points = boundary_points.parsed(section.lines, np.array(section.parcel, dtype=np.int64))
    parcels = len(section.heads)
    numbers = np.array(section.numbers, dtype=np.int64)
    notes = [f"文件头 {label}={value}" for label, value in section.facts.items() if value.strip(", ")]
    faults: dict[int, str] = {}
    for position in np.flatnonzero(points.bad).tolist():
        owner = int(points.parcel[position])
        faults.setdefault(owner, f"第 {numbers[position]} 行不是界址点坐标：{section.lines[position][:40]}")
    counted = np.bincount(points.parcel, minlength=parcels)
    for owner in np.flatnonzero(counted == 0).tolist():
        faults.setdefault(owner, f"第 {section.heads[owner][0]} 行的地块没有界址点")

    good = ~points.bad & ~np.isin(points.parcel, list(faults))
    easting_first, order_notes = boundary_points.easting_first(points, good, parcels)
    swapped = easting_first[points.parcel]
    x = np.where(swapped, points.first, points.second)[good]
    y = np.where(swapped, points.second, points.first)[good]
    made = boundary_points.assembled(
        points.parcel[good], points.ring[good], np.column_stack([x, y]), parcels, numbers[good]
    )
    faults |= {owner: reason for owner, reason in made.faults.items() if owner not in faults}
    notes += order_notes + made.notes
    if points.with_height:
        notes.append(f"{points.with_height} 个界址点带有第五列（高程等），未采用")

    crs, crs_note = stated_crs(section.facts, x)
    notes.append(crs_note)
    frame, head_notes = _attributes(section, counted, made.rings)
    for owner in np.flatnonzero(frame["图形属性"].isin(["点", "线"])).tolist():
        faults.setdefault(
            int(owner), f"第 {section.heads[owner][0]} 行的图形属性为“{frame['图形属性'][owner]}”，不是面"
        )
    notes += head_notes
    made.geometry[list(faults)] = None
    table = gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries(made.geometry, crs=crs), crs=crs)
    return RawLayer(name, table, encoding, tuple(notes), dict(sorted(faults.items())))


def stated_crs(facts: dict[str, str], eastings: NDArray[np.float64]) -> tuple[CRS | None, str]:
    """The system that a head states, if the eastings agree with it, and a note that says so or why not.

    Parameters
    ----------
    facts : label -> value of the head
    eastings : (n,) metres
    """
    system = facts.get("坐标系", "")
    if not system:
        return None, "文件头没有写明坐标系，未指定坐标系"
    upper = system.upper()
    if not ("CGCS2000" in upper or ("2000" in system and ("国家" in system or "大地" in system))):
        return None, f"文件头的坐标系为“{system}”，不是 2000 国家大地坐标系，未指定坐标系"
    projection = facts.get("投影类型", "")
    if "高斯" not in projection and "GAUSS" not in projection.upper():
        said = f"为“{projection}”" if projection else "未写明"
        return None, f"文件头的投影类型{said}，不是高斯克吕格，未指定坐标系"
    unit = facts.get("计量单位", "")
    if unit and unit not in ("米", "m", "M", "公尺"):
        return None, f"文件头的计量单位为“{unit}”，不是米，未指定坐标系"
    zone_text, width_text = facts.get("带号", ""), facts.get("几度分带", "")
    digits = re.search(r"\d+", zone_text)
    if digits is None:
        return None, "文件头没有写明带号，未指定坐标系"
    zone = int(digits.group())
    width_word = re.search(r"[36三六]", width_text)
    width = {"3": 3, "6": 6, "三": 3, "六": 6}[width_word.group()] if width_word else None
    implied = 3 if zone in THREE_DEGREE_ZONES else 6 if zone in SIX_DEGREE_ZONES else None
    if implied is None or (width is not None and width != implied):
        return None, f"文件头的带号 {zone} 与几度分带“{width_text}”不符，未指定坐标系"
    if not len(eastings):
        return None, "没有可用的坐标，未指定坐标系"
    low, high = float(eastings.min()), float(eastings.max())
    if low >= 1e7:
        if int(low // 1e6) != zone or int(high // 1e6) != zone:
            return None, f"横坐标的带号（{int(low // 1e6)}）与文件头的带号 {zone} 不符，未指定坐标系"
        code = (4488 if implied == 3 else 4478) + zone
        form = f"横坐标含带号 {zone}"
    elif low > 5e4 and high < 9.5e5:
        code = (4509 if implied == 3 else 4489) + zone
        form = "横坐标不含带号"
    else:
        return None, f"横坐标 {low:.0f}…{high:.0f} 与高斯克吕格第 {zone} 带不符，未指定坐标系"
    return CRS.from_epsg(
        code
    ), f"坐标系由文件头确定：EPSG:{code}（2000 国家大地坐标系 {implied} 度带第 {zone} 带，{form}）"


def _attributes(
    section: _Section, counted: NDArray[np.int64], rings: NDArray[np.int64]
) -> tuple[pd.DataFrame, list[str]]:
    """Fields of the parcel lines; lines of a dialect keep their own text in ``表头原文`` too."""
    rows: list[dict[str, str]] = []
    disagree: list[int] = []
    for owner, (number, line) in enumerate(section.heads):
        parts = [part.strip() for part in line.rstrip(",， ").removesuffix("@").rstrip().removesuffix(",").split(",")]
        # Exporters write every point, or leave out the closing one, of each ring or of all.
        habits = {int(counted[owner]), int(counted[owner]) - 1, int(counted[owner]) - int(rings[owner])}
        row = _named(parts, habits)
        if len(parts) != len(COLUMNS) and any(parts):
            row["表头原文"] = line
        stated = row.get("点数", "")
        if stated and (not stated.isdigit() or int(stated) not in habits):
            disagree.append(number)
        rows.append(row)
    frame = pd.DataFrame(rows, columns=list(dict.fromkeys([*COLUMNS, *(name for row in rows for name in row)])))
    frame = frame.astype(object).where(frame.notna() & (frame != ""), None)
    notes = []
    if disagree:
        shown = "、".join(str(number) for number in disagree[:_SHOWN]) + (" 等" if len(disagree) > _SHOWN else "")
        notes.append(f"{len(disagree)} 个地块的点数与实际界址点不符（第 {shown} 行），以实际界址点为准")
    return frame, notes


def _named(parts: list[str], habits: set[int]) -> dict[str, str]:
    """Column -> value of a parcel line, by how many fields it has and what they hold."""
    if len(parts) == 8:
        row = dict(zip(COLUMNS, parts, strict=True))
        # One dialect leaves 地块用途 empty and writes it behind.
        if not row["地块用途"] and _CHINESE.search(row["地类编码"]):
            row["地块用途"], row["地类编码"] = row["地类编码"], ""
        return row
    if len(parts) == 4:
        if not (parts[0].isdigit() and (int(parts[0]) in habits or parts[3])):
            return dict(zip(("地块编号", "地块名称", "类型", "地块用途"), parts, strict=True))
        if parts[2] in ("面", "线", "点"):
            return dict(zip(("点数", "地块名称", "图形属性", "类型"), parts, strict=True))
        return dict(zip(("点数", "地块名称", "类型", "地块用途"), parts, strict=True))
    if len(parts) > 8:
        row = dict(zip(COLUMNS, parts, strict=False))
        return row | {f"字段{i + 1}": part for i, part in enumerate(parts) if i >= 8}
    if len(parts) > 4:
        return dict(zip(COLUMNS, parts, strict=False))
    return {f"字段{i + 1}": part for i, part in enumerate(parts) if part}


# ---------------------------------------------------------------------------------------------------------- writing


def write_boundary_txt(
    pages: Iterator[gpd.GeoDataFrame], layer: Layer, path: Path, crs: CRS, about: Provenance
) -> Written:
    """Write polygons as a boundary-point file (GB18030, CRLF, millimetres), page by page.

    Northing first; each ring starts at the vertex nearest the north-west corner, outer rings clockwise, inner ones
    counter-clockwise; point numbers go on over the rings of a parcel and the closing point repeats its ring's first.

    Parameters
    ----------
    pages : frames in ``crs``; ``area_m2`` is taken where it is there, else computed (ellipsoidal)
    layer : what the rows are
    path : the file to write
    crs : a 3- or 6-degree Gauss–Krüger zone of CGCS2000
    about : for the head of the file

    Raises
    ------
    InvalidParameter
        Another system, or a layer without polygons.
    """
    if layer.geometry not in ("polygon", "any"):
        raise InvalidParameter(f"图层“{layer.zh}”不是面，不能写成界址点文件", where=layer.name, remedy="请改用其他格式")
    width, zone = _zone(crs)
    empty: list[str] = []
    lost: list[str] = []
    cleaned = 0
    rows = 0
    with path.open("w", encoding="gb18030", newline="\r\n") as sink:
        sink.write(_head(about, width, zone))
        for page in pages:
            usable = np.flatnonzero(np.isin(shapely.get_type_id(page.geometry.to_numpy()), (3, 6)))
            keys = _texts(page, layer.key)
            empty += [keys[i] for i in np.setdiff1d(np.arange(len(page)), usable)]
            chosen = page.iloc[usable]
            fields, changed = _fields(chosen, layer, crs)
            cleaned += changed
            blocks = boundary_points.written(chosen.geometry.to_numpy())
            for i, (count, body) in enumerate(blocks):
                if count == 0:
                    lost.append(keys[usable[i]])
                    continue
                sink.write(f"{count},{','.join(fields[i])},@\n{body}")
                rows += 1
    notes = []
    if empty:
        notes.append(f"{len(empty)} 行没有面，未写入：{_shown(empty)}")
    if lost:
        notes.append(f"{len(lost)} 行在毫米精度下不成面，未写入：{_shown(lost)}")
    if cleaned:
        notes.append(f"{cleaned} 个字段中的逗号、@ 或换行已换成全角字符（它们在本格式中是分隔符）")
    if rows:
        notes.append("界址点文件只有编号、名称、面积、用途等固定的几项，其余字段未写出")
    return Written(rows, tuple(notes))


def _shown(keys: list[str]) -> str:
    return "、".join(keys[:_SHOWN]) + (" 等" if len(keys) > _SHOWN else "")


def _zone(crs: CRS) -> tuple[int, int]:
    code = crs.to_epsg() or 0
    for width, zones, numbered, central in ((3, THREE_DEGREE_ZONES, 4488, 4509), (6, SIX_DEGREE_ZONES, 4478, 4489)):
        for zone in zones:
            if code in (numbered + zone, central + zone):
                return width, zone
    raise InvalidParameter(
        f"界址点文件要用 2000 国家大地坐标系的 3 度或 6 度高斯克吕格投影，不能用“{crs.name}”",
        where="crs",
        remedy="例如 EPSG:4528（3 度带第 40 带，含带号）或 EPSG:4549（中央经线 120°）；"
        "带号形式为 EPSG:4513…4533、4491…4501，中央经线形式为 EPSG:4534…4554、4502…4512",
    )


def _head(about: Provenance, width: int, zone: int) -> str:
    facts = (
        ("格式版本号", "1.01版本"),
        ("数据产生单位", about.organisation),
        ("数据产生日期", (about.data_date or about.made_at)[:10]),
        ("坐标系", "2000国家大地坐标系"),
        ("几度分带", str(width)),
        ("投影类型", "高斯克吕格"),
        ("计量单位", "米"),
        ("带号", str(zone)),
        ("精度", "0.001"),
        ("转换参数", "0,0,0,0,0,0,0"),
    )
    lines = [f"{label}={' '.join(value.split())}" for label, value in facts]
    return "\n".join(["[属性描述]", *lines, "[地块坐标]", ""])


def _texts(page: pd.DataFrame, column: str) -> list[str]:
    if column not in page:
        return [""] * len(page)
    return ["" if pd.isna(value) else str(value) for value in page[column]]


def _fields(page: gpd.GeoDataFrame, layer: Layer, crs: CRS) -> tuple[list[tuple[str, ...]], int]:
    """面积（公顷）, 编号, 名称, 图形属性, 图幅号, 用途, 地类编码 of each row; and how many held a separator."""
    changed = 0

    def clean(texts: list[str]) -> list[str]:
        nonlocal changed
        swap = str.maketrans({",": "，", "@": "＠", "\r": " ", "\n": " "})
        out = [text.translate(swap).strip() for text in texts]
        changed += sum(a != b for a, b in zip(texts, out, strict=True))
        return out

    name = next((column for column in ("name", "holder", "address") if column in page), "name")
    columns = [
        [f"{value:.4f}" for value in area_m2(page, crs) / M2_PER_HA],
        clean(_texts(page, layer.key)),
        clean(_texts(page, name)),
        ["面"] * len(page),
        clean(_texts(page, "图幅号")),
        clean(_texts(page, "地块用途")),
        clean(_texts(page, "land_use")),
    ]
    return list(zip(*columns, strict=True)), changed
