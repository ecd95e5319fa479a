"""DXF: closed outlines of a drawing as rows with their labels; rows as a drawing that CAD shows with Chinese intact.

Reading, where a drawing leaves it open, goes by what survey deliveries mean: a closed outline inside another one of
the same layer is a hole of it, unless a text of that layer stands in it; then it is land of its own, and the outline
around it is left whole. Open polylines and points are counted, and are rows only in a drawing without closed outlines
(or where an export of this project wrote them). Circles, solids and regions are counted.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import ezdxf
import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from ezdxf.document import Drawing as Document
from numpy.typing import NDArray
from pyproj import CRS

from geo.errors import InvalidInput
from geo.layers.formats import rings as ring_rules
from geo.layers.formats.areas import area_m2
from geo.layers.formats.drawing import APPLICATION, SAGITTA, Contents, Shape, escaped_beyond_bmp, open_drawing
from geo.layers.formats.dxf_entities import EntityStream
from geo.layers.formats.labelling import labels_of, with_own_label
from geo.layers.formats.provenance import Provenance, Written
from geo.layers.formats.raw import RawLayer
from geo.layers.schema import Layer
from geo.units import mu

_SHOWN = 5
_FILLS = ("HATCH", "MPOLYGON")
_END_OF_ENTITIES = "\n  0\nENDSEC\n  0\nSECTION\n  2\nOBJECTS\n"
_DECIMALS_M, _DECIMALS_DEGREES = 4, 10


def read_dxf(path: Path, encoding: str | None) -> list[RawLayer]:
    """The outlines of a drawing as the layer ``面``; lines (``线``) or points (``点``) where it has no outlines.

    Columns: ``layer``, ``handle``, ``colour``, ``entity``, ``label`` (the first text inside in reading order), ``text``
    (all of them), and the key field of an export of ours.

    Parameters
    ----------
    path : a DXF of any version, binary or text, damaged ones included
    encoding : of its text, ``None`` to tell it from the file

    Raises
    ------
    InvalidInput
        Not a DXF, undecodable, or without anything that can be a row.
    """
    contents = open_drawing(path, encoding)
    layers = []
    if contents.closed:
        layers.append(_polygons(contents))
    keyed = [shape for shape in contents.open if shape.key is not None]
    if keyed or not layers:
        lines = keyed or contents.open
        if lines:
            layers.append(_simple(contents, "线", lines, 2, shapely.linestrings))
    pinned = [shape for shape in contents.points if shape.key is not None]
    if pinned or not layers:
        points = pinned or contents.points
        if not points:
            raise InvalidInput(
                "图形中没有可读取的面、线或点",
                where=path.name,
                remedy="请检查模型空间；DWG 代理对象要先分解再另存为 DXF",
            )
        layers.append(_simple(contents, "点", points, 1, lambda xy: shapely.points(xy[0])))
    common = [*contents.notes, *_leftovers(contents, {layer.name for layer in layers}, keyed, pinned)]
    return [
        RawLayer(layer.name, layer.frame, contents.encoding, (*layer.notes, *common), layer.faults) for layer in layers
    ]


def _leftovers(contents: Contents, taken: set[str], keyed: list[Shape], pinned: list[Shape]) -> list[str]:
    others = Counter(contents.others)
    if "线" not in taken or keyed:
        others.update(shape.entity for shape in contents.open if shape.key is None)
    if "点" not in taken or pinned:
        others.update(shape.entity for shape in contents.points if shape.key is None)
    notes = []
    if others:
        listed = "、".join(f"{kind} {count}" for kind, count in sorted(others.items()))
        notes.append(f"未作为要素读取的对象：{listed}（不闭合的线、点、圆、填充面等）")
    if contents.arcs:
        notes.append(f"{contents.arcs} 条含圆弧或样条的线已展成折线，弦高不超过 {SAGITTA} 图形单位")
    return notes


# --------------------------------------------------------------------------------------------------------- polygons


def _polygons(contents: Contents) -> RawLayer:
    """Outlines → rows: each polyline that is land, each hatch, all outlines under one key."""
    shapes = contents.closed
    notes: list[str] = []
    faults: dict[int, str] = {}
    sound = np.flatnonzero(_sound(shapes))
    # Rings may lie in each other within a layer, within a hatch, and within what an export wrote under one key.
    names = [
        f"fill {shape.fill}" if shape.fill >= 0 else f"key {shape.key[:2]}" if shape.key else f"layer {shape.layer}"
        for shape in shapes
    ]
    group = np.unique(names, return_inverse=True)[1].astype(np.int64)
    free = np.array([shape.fill < 0 and shape.key is None for shape in shapes])

    rings = _rings([shapes[i].xy for i in sound])
    first = ring_rules.nest(rings, group[sound])
    labelled = with_own_label(rings, [shapes[i].layer for i in sound], contents.labels)
    own_land = labelled & (first.depth > 0) & free[sound]
    nested = ring_rules.nest(rings, group[sound], never_inside=own_land) if own_land.any() else first
    parts, outer = ring_rules.polygons(rings, nested)
    notes += _nesting_notes(rings, nested, own_land, [shapes[i] for i in sound], free[sound])

    # One row for each outline that is land; the parts of one hatch, or under one key, share a row.
    whole = [f"ring {i}" if free[i] else names[i] for i in sound[outer]]
    row, leader = _numbered(whole)
    geometry = _joined(parts, row, len(leader))
    chosen = [shapes[sound[outer[i]]] for i in leader]
    geometry, chosen, dropped = _without_fills(geometry, chosen)
    if dropped:
        notes.append(f"{dropped} 个填充与同图层的闭合线轮廓相同，只取闭合线")
    notes += _key_notes(shapes)

    frame = _attributes(chosen)
    first_text, texts, outside = labels_of(geometry, [shape.layer for shape in chosen], contents.labels)
    frame["label"], frame["text"] = pd.Series(first_text, dtype=object), pd.Series(texts, dtype=object)
    if outside:
        notes.append(f"{outside} 个文字不在任何面内，未读取")
    broken = [shapes[i] for i in np.setdiff1d(np.arange(len(shapes)), sound)]
    if broken:
        rest = _attributes(broken)
        for i, shape in enumerate(broken, len(frame)):
            faults[i] = f"{shape.entity}（句柄 {shape.handle}）闭合，但不足 3 个不同的点或坐标不是数"
        frame = pd.concat([frame, rest], ignore_index=True)
        frame = frame.astype(object).where(frame.notna(), None)
        geometry = np.r_[geometry, np.full(len(broken), None)]
    table = gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries(geometry, crs=contents.crs), crs=contents.crs)
    return RawLayer("面", table, None, tuple(notes), faults)


def _sound(shapes: list[Shape]) -> NDArray[np.bool_]:
    """(n,) bool: at least three points that differ from the one before, all of them numbers."""
    sizes = np.array([len(shape.xy) for shape in shapes])
    owner = np.repeat(np.arange(len(shapes)), sizes)
    xy = np.concatenate([shape.xy for shape in shapes])
    before = np.roll(xy, 1, axis=0)
    starts = (np.cumsum(sizes) - sizes)[sizes > 0]
    before[starts] = xy[(np.cumsum(sizes) - 1)[sizes > 0]]
    turns = np.bincount(owner, (xy != before).any(axis=1), minlength=len(shapes))
    broken = np.bincount(owner, ~np.isfinite(xy).all(axis=1), minlength=len(shapes))
    return (turns >= 3) & (broken == 0)


def _rings(outlines: list[NDArray[np.float64]]) -> NDArray[np.object_]:
    if not outlines:
        return np.zeros(0, dtype=object)
    indices = np.repeat(np.arange(len(outlines)), [len(xy) for xy in outlines])
    return np.asarray(shapely.linearrings(np.concatenate(outlines), indices=indices), dtype=object)


def _nesting_notes(
    rings: NDArray[np.object_],
    nested: ring_rules.Nest,
    own_land: NDArray[np.bool_],
    shapes: list[Shape],
    free: NDArray[np.bool_],
) -> list[str]:
    notes = []
    holes = np.flatnonzero(nested.is_hole & free)
    if len(holes):
        notes.append(f"{len(holes)} 个闭合线在同图层另一闭合线之内，作为其孔洞：{_handles(shapes, holes)}")
        sizes = shapely.area(shapely.polygons(rings))
        cut = np.bincount(nested.parent[holes], sizes[holes], minlength=len(rings))
        hollow = np.flatnonzero(cut > sizes / 2)
        if len(hollow):
            notes.append(
                f"{len(hollow)} 个面的一半以上被挖去，请核对是否为范围线而不是地块：{_handles(shapes, hollow)}"
            )
    if own_land.any():
        inner = np.flatnonzero(own_land)
        notes.append(
            f"{len(inner)} 个闭合线在另一闭合线之内但有自己的注记，作为独立地块，外面的面未扣除："
            + _handles(shapes, inner)
        )
    return notes


def _handles(shapes: list[Shape], positions: NDArray[np.int64]) -> str:
    shown = "、".join(shapes[i].handle for i in positions[:_SHOWN])
    return f"句柄 {shown}" + (" 等" if len(positions) > _SHOWN else "")


def _numbered(names: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number of each name in order of first appearance, and the position of that appearance."""
    codes, unique = pd.factorize(np.array(names, dtype=object))
    leader = np.full(len(unique), len(names), dtype=np.int64)
    np.minimum.at(leader, codes, np.arange(len(names)))
    return codes, leader


def _joined(parts: NDArray[np.object_], row: NDArray[np.int64], rows: int) -> NDArray[np.object_]:
    geometry = np.full(rows, None, dtype=object)
    single = np.bincount(row, minlength=rows)[row] == 1
    geometry[row[single]] = parts[single]
    several, order = row[~single], np.argsort(row[~single], kind="stable")
    if len(several):
        which, indices = np.unique(several[order], return_inverse=True)
        geometry[which] = shapely.multipolygons(parts[~single][order], indices=indices)
    return geometry


def _without_fills(geometry: NDArray[np.object_], shapes: list[Shape]) -> tuple[NDArray[np.object_], list[Shape], int]:
    """A hatch with the outline of a polyline on its layer is how that polyline is painted, not a second parcel."""
    fill = np.array([shape.entity in _FILLS for shape in shapes], dtype=bool)
    if not fill.any() or fill.all():
        return geometry, shapes, 0
    measures = np.column_stack([shapely.bounds(geometry), np.sqrt(shapely.area(geometry))]).round(2)
    marks = [(shape.layer, *row) for shape, row in zip(shapes, measures.tolist(), strict=True)]
    drawn = {mark for mark, is_fill in zip(marks, fill, strict=True) if not is_fill}
    keep = np.array([not is_fill or mark not in drawn for mark, is_fill in zip(marks, fill, strict=True)])
    return geometry[keep], [shapes[i] for i in np.flatnonzero(keep)], int((~keep).sum())


def _key_notes(shapes: list[Shape]) -> list[str]:
    """Keys whose outlines are no longer as many as were written: copied, or partly deleted."""
    found = Counter(shape.key for shape in shapes if shape.key is not None and shape.fill < 0)
    changed = [key[1] for key, count in found.items() if key[3] != count]
    if not changed:
        return []
    more = " 等" if len(changed) > _SHOWN else ""
    return [f"{len(changed)} 个编号的轮廓数与写出时不同（复制过或有缺失）：{'、'.join(changed[:_SHOWN])}{more}"]


def _attributes(shapes: list[Shape]) -> pd.DataFrame:
    columns: dict[str, list[str | None]] = {
        "layer": [shape.layer for shape in shapes],
        "handle": [shape.handle or None for shape in shapes],
        "colour": [shape.colour for shape in shapes],
        "entity": [shape.entity for shape in shapes],
        "label": [None] * len(shapes),
        "text": [None] * len(shapes),
    }
    for name in sorted({shape.key[0] for shape in shapes if shape.key is not None}):
        columns[name] = [shape.key[1] if shape.key and shape.key[0] == name else None for shape in shapes]
    return pd.DataFrame(columns, dtype=object)


# -------------------------------------------------------------------------------------------------- lines and points


def _simple(
    contents: Contents, name: str, shapes: list[Shape], least: int, made: Callable[[NDArray[np.float64]], object]
) -> RawLayer:
    """Open polylines or points as rows; those under one key share a row."""
    faults = {}
    whole = [f"key {shape.key[:2]}" if shape.key else f"one {i}" for i, shape in enumerate(shapes)]
    row, leader = _numbered(whole)
    pieces: list[list[object]] = [[] for _ in leader]
    for shape, position in zip(shapes, row.tolist(), strict=True):
        if len(shape.xy) >= least and np.isfinite(shape.xy).all():
            pieces[position].append(made(shape.xy))
        else:
            faults[position] = f"{shape.entity}（句柄 {shape.handle}）的点不足或坐标不是数"
    geometry = np.full(len(leader), None, dtype=object)
    for position, found in enumerate(pieces):
        if position not in faults:
            several = shapely.multilinestrings if least == 2 else shapely.multipoints
            geometry[position] = found[0] if len(found) == 1 else several(found)
    chosen = [shapes[i] for i in leader]
    notes = _key_notes(shapes)
    frame = _attributes(chosen)
    if contents.labels and least == 1:
        notes.append(f"{len(contents.labels)} 个文字未与点对应")
    table = gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries(geometry, crs=contents.crs), crs=contents.crs)
    return RawLayer(name, table, None, tuple(notes), faults)


# ---------------------------------------------------------------------------------------------------------- writing


def write_dxf(pages: Iterator[gpd.GeoDataFrame], layer: Layer, path: Path, crs: CRS, about: Provenance) -> Written:
    """Write rows as an AutoCAD 2000 drawing in GBK: the version whose Chinese CAD and GIS software both show.

    Polygons are closed polylines, one for each ring (holes on the same layer), lines open ones, points points; each
    row has a text with its key (and area in mu) on the layer ``…_注记``, and its key as extended data on every entity.
    The drawing says where it comes from in texts below it on the layer ``说明``. Pages are written as they come.

    Parameters
    ----------
    pages : frames in ``crs``
    layer : what the rows are; its Chinese name is the layer of the drawing
    path : the file to write
    crs : the system of the pages; a drawing itself carries none
    about : for the texts below the drawing
    """
    document = _frame(layer, crs)
    metres = 1 / 111_000 if crs.is_geographic else 1.0
    empty: list[str] = []
    rows = 0
    extent = np.array([np.inf, np.inf, -np.inf, -np.inf])
    with tempfile.TemporaryFile() as spooled:
        owner = document.modelspace().layout_key
        stream = EntityStream(spooled, owner, layer.key, _DECIMALS_DEGREES if crs.is_geographic else _DECIMALS_M)
        for page in pages:
            shapes = shapely.force_2d(page.geometry.to_numpy())
            present = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
            every = ["" if pd.isna(value) else str(value) for value in page[layer.key]]
            empty += [every[i] for i in np.flatnonzero(~present)]
            if not present.any():
                continue
            shapes, keys = shapes[present], [every[i] for i in np.flatnonzero(present)]
            stream.rows(shapes, keys, layer.zh)
            _labels(stream, shapes, keys, area_m2(page[present], crs), layer, metres)
            box = shapely.total_bounds(shapes)
            extent = np.r_[np.minimum(extent[:2], box[:2]), np.maximum(extent[2:], box[2:])]
            rows += len(shapes)
        if rows:
            _legend(document, about, extent, metres)
        document.entitydb.handles.reset(stream.next_handle)
        _assemble(document, spooled, path)
    notes = ["DXF 不携带坐标系，重新导入时请指明：" + about.crs]
    if empty:
        more = " 等" if len(empty) > _SHOWN else ""
        notes.append(f"{len(empty)} 行没有图形，未写入：{'、'.join(empty[:_SHOWN])}{more}")
    if stream.escaped:
        notes.append(f"{stream.escaped} 行的编号含 GBK 以外的字，已写成 \\U+ 转义（CAD 能正常显示）")
    if stream.shortened:
        notes.append(f"{stream.shortened} 行的编号过长，扩展数据中只保留前 255 字节")
    return Written(rows, tuple(notes))


def _frame(layer: Layer, crs: CRS) -> Document:
    """A drawing without entities: code page, units, layers and a text style."""
    document = ezdxf.new("R2000")
    document.encoding = "gbk"
    document.header["$DWGCODEPAGE"] = "ANSI_936"
    document.header["$INSUNITS"] = 0 if crs.is_geographic else 6
    document.appids.add(APPLICATION)
    # The fonts that every CAD sold in China has; without a big font Chinese shows as question marks.
    document.styles.add("HZ", font="txt.shx").dxf.bigfont = "gbcbig.shx"
    for name, colour in ((layer.zh, 1), (f"{layer.zh}_注记", 3), ("说明", 7)):
        document.layers.add(name, color=colour)
    return document


def _labels(
    stream: EntityStream,
    shapes: NDArray[np.object_],
    keys: list[str],
    areas: NDArray[np.float64],
    layer: Layer,
    metres: float,
) -> None:
    """Key and area in mu of each row at a point that lies in it, as large as the row is."""
    polygon = shapely.get_dimensions(shapes) == 2
    texts = [
        " ".join(f"{key} {mu(area):.2f}亩".split()) if is_area else " ".join(key.split())
        for key, area, is_area in zip(keys, areas.tolist(), polygon.tolist(), strict=True)
    ]
    sizes = np.sqrt(shapely.area(shapes)) / metres
    heights = np.where(polygon, np.clip(sizes / 25, 0.5, 20), 2.5) * metres
    stream.texts(texts, shapely.get_coordinates(shapely.point_on_surface(shapes)), heights, f"{layer.zh}_注记")


def _legend(document: Document, about: Provenance, extent: NDArray[np.float64], metres: float) -> None:
    """Texts below the drawing that say where it comes from, and the view and extent that show it."""
    model = document.modelspace()
    height = float(max(extent[3] - extent[1], 50 * metres)) / 60
    for line, (label, value) in enumerate(about.rows(), 1):
        place = (float(extent[0]), float(extent[1]) - 2 * height * line)
        text = escaped_beyond_bmp(" ".join(f"{label}：{value}".split()))
        model.add_text(text, height=height, dxfattribs={"layer": "说明", "style": "HZ"}).set_placement(place)
    x, y = ((extent[:2] + extent[2:]) / 2).tolist()
    document.set_modelspace_vport(height * 80, (x, y))
    document.header["$EXTMIN"], document.header["$EXTMAX"] = (*extent[:2].tolist(), 0), (*extent[2:].tolist(), 0)


def _assemble(document: Document, entities: BinaryIO, path: Path) -> None:
    """The drawing with the spooled entities at the end of its section of entities."""
    text = io.StringIO()
    document.write(text)
    head, _, tail = text.getvalue().partition(_END_OF_ENTITIES)
    entities.seek(0)
    with path.open("wb") as sink:
        sink.write(f"{head}\n".encode("gbk", errors="dxfreplace"))
        shutil.copyfileobj(entities, sink)
        sink.write(f"{_END_OF_ENTITIES[1:]}{tail}".encode("gbk", errors="dxfreplace"))
