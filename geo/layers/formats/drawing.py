"""A DXF drawing opened and flattened: outlines, lines, points and labels as plain coordinates.

What is behind a name in a drawing (blocks, arcs, mirrored systems, code pages) ends here; ``dxf.py`` sees polylines.
"""

from __future__ import annotations

import gc
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ezdxf
import numpy as np
from ezdxf import path as curves
from ezdxf import recover
from ezdxf.document import Drawing as Document
from ezdxf.entities import DXFEntity, GeoData
from ezdxf.lldxf.const import DXFError, InvalidGeoDataException
from ezdxf.tools.codepage import toencoding
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError

from geo.errors import InvalidInput
from geo.layers.opening.encodings import choose, mark, told

SAGITTA = 0.01  # arcs become chords that leave them by no more than this, in units of the drawing
APPLICATION = "LIANPIAN"  # the key of a row travels with its entities as extended data under this name
_CLOSING = 1e-6  # of a polyline's size: ends nearer than this are one point
_MAX_ENTITIES = 2_000_000
_MAX_DEPTH = 16
_UTF8_SINCE = "AC1021"
_ESCAPE = re.compile(r"\\U\+([0-9A-Fa-f]{4})")
_CJK = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True)
class Shape:
    """One outline, line or point: (n, 2) coordinates and what the entity says of itself.

    ``key`` is what an export of ours left on it: name of the key field, the key, what it is, in how many pieces.
    ``fill`` numbers the hatch that an outline bounds, -1 for a polyline.
    """

    xy: NDArray[np.float64]
    entity: str
    layer: str
    handle: str
    colour: str
    key: tuple[str, str, str, int] | None = None
    fill: int = -1


@dataclass(frozen=True)
class Label:
    """A text and where it stands."""

    text: str
    x: float
    y: float
    height: float
    layer: str


@dataclass
class Contents:
    """What a drawing holds, sorted by what it can be."""

    closed: list[Shape] = field(default_factory=list)
    open: list[Shape] = field(default_factory=list)
    points: list[Shape] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    arcs: int = 0
    fills: int = 0
    crs: CRS | None = None
    encoding: str | None = None
    notes: list[str] = field(default_factory=list)


def open_drawing(path: Path, encoding: str | None) -> Contents:
    """Open a drawing, the damaged ones too, and flatten its model space.

    Raises
    ------
    InvalidInput
        Not a DXF, damaged beyond repair, undecodable, or blocks that unfold into more than two million entities.
    """
    collecting = gc.isenabled()
    gc.disable()  # a drawing is millions of objects that all stay: looking for garbage among them costs a third
    try:
        return _opened(path, encoding)
    finally:
        if collecting:
            gc.enable()


def _opened(path: Path, encoding: str | None) -> Contents:
    document, used, notes = _document(path, encoding)
    contents = Contents(encoding=used, notes=notes)
    transform = _geodata(document, contents)
    hidden = {layer.dxf.name for layer in document.layers if layer.is_off() or layer.is_frozen()}
    met: set[str] = set()
    try:
        _unfolded_size(document, path.name)
        for entity, layer, handle in _unfolded(document, contents):
            met.add(layer)
            _take(entity, layer, handle, document, contents)
    except (DXFError, ValueError, TypeError, ZeroDivisionError, RecursionError) as error:
        raise InvalidInput(
            f"图形无法解析：{error}", where=path.name, remedy="请在 CAD 中核查（AUDIT）后另存"
        ) from error
    if transform is not None:
        _moved(contents, transform)
    if hidden & met:
        contents.notes.append(f"已关闭或冻结的图层也已读取：{'、'.join(sorted(hidden & met)[:10])}")
    on_paper = sum(len(layout) for layout in document.layouts if layout.name != "Model")
    if on_paper:
        contents.notes.append(f"布局（图纸空间）中的 {on_paper} 个对象未读取")
    return contents


# ---------------------------------------------------------------------------------------------------------- opening


def _document(path: Path, encoding: str | None) -> tuple[Document, str | None, list[str]]:
    raw = path.read_bytes()
    refused = InvalidInput("文件不是可读的 DXF 图形", where=path.name, remedy="请在 CAD 中另存为 AutoCAD 2000/2010 DXF")
    if re.match(rb"AC10\d\d", raw[:6]):
        raise InvalidInput("这是 DWG 图形，不能直接读取", where=path.name, remedy="请在 CAD 中另存为 DXF 后再导入")
    try:
        if raw.startswith(b"AutoCAD Binary DXF"):
            document = ezdxf.readfile(path)
            return document, document.encoding, []
        text, used, notes = _text(raw, encoding, path.name)
        if "SECTION" not in text[:100_000]:
            raise refused
        try:
            return ezdxf.read(io.StringIO(_unescaped(text), newline=None)), used, notes
        except (DXFError, ValueError, TypeError, AttributeError, KeyError, IndexError):
            # Recovery reads bytes and would guess their encoding again; escapes leave it nothing to guess.
            escaped = _ended(text).encode("ascii", errors="dxfreplace")
            document, auditor = recover.read(io.BytesIO(escaped))
            found = len(auditor.errors) + len(auditor.fixes)
            return document, used, [*notes, f"图形文件有损，已按恢复方式读取（{found} 处问题），请核对对象是否齐全"]
    except InvalidInput:
        raise
    # A damaged drawing fails in the parser in any of these ways; none of them is more than "not readable".
    except (DXFError, ValueError, TypeError, AttributeError, KeyError, IndexError, OSError, EOFError) as error:
        raise refused from error


def _text(raw: bytes, encoding: str | None, where: str) -> tuple[str, str, list[str]]:
    """The text of a drawing; its own word on the encoding is held against the bytes, since writers get it wrong."""
    head = raw[:100_000]
    version = re.search(rb"\$ACADVER\s+1\s+(AC\d{4})", head)
    page = re.search(rb"\$DWGCODEPAGE\s+3\s+(\S+)", head)
    stated = toencoding(page.group(1).decode("ascii", "replace")) if page else "cp1252"
    if mark(raw) or (version is not None and version.group(1).decode() >= _UTF8_SINCE):
        stated = "utf-8"
    # Bytes of an Asian code page are hardly ever UTF-8 too, and then not Chinese; those of UTF-8 often are GBK too.
    if encoding is None and stated != "utf-8" and _CJK.search(_utf8(raw)):
        return raw.decode("utf-8"), "UTF-8", [f"图形标明的编码为 {stated}，实际内容是 UTF-8，已按 UTF-8 读取"]
    chosen = choose([raw], stated=stated, forced=encoding, where=where)
    text = raw.decode(chosen.name).removeprefix("\ufeff")
    return text, told(chosen.name), [chosen.note] if chosen.note else []


def _ended(text: str) -> str:
    """A drawing that was cut off, with an end: recovery leaves out the last section of one that has none."""
    lines = text.rstrip().splitlines()
    if lines and lines[-1].strip() == "EOF":
        return text
    whole = lines[: len(lines) // 2 * 2]  # a group code and its value are two lines
    return "\n".join([*whole, "  0", "ENDSEC", "  0", "EOF", ""])


def _unescaped(text: str) -> str:
    """``\\U+5386`` → 历; what is no text (a line end) stays escaped, or it would end a line of the file."""

    def letter(found: re.Match[str]) -> str:
        code = int(found.group(1), 16)
        return chr(code) if code >= 0xA0 else found.group()

    if "\\U+" not in text:
        return text
    halves = _ESCAPE.sub(letter, text)
    return halves.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def escaped_beyond_bmp(text: str) -> str:
    """Characters beyond the basic plane as two escapes of four digits, the only ones that drawings have; one line."""
    line = " ".join(text.splitlines())
    if line.isascii() or max(line) <= "\uffff":
        return line
    return "".join(
        letter if letter <= "\uffff" else "\\U+{:02X}{:02X}\\U+{:02X}{:02X}".format(*letter.encode("utf-16-be"))
        for letter in line
    )


def _utf8(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return ""


def _geodata(document: Document, contents: Contents) -> Any:
    """The matrix into the system that the drawing states (set in ``contents``); ``None`` where it states none."""
    geodata = document.modelspace().get_geodata()
    if not isinstance(geodata, GeoData):
        return None
    try:
        matrix, code = geodata.get_crs_transformation()
        contents.crs = CRS.from_epsg(code)
    except (InvalidGeoDataException, CRSError, ValueError, TypeError) as error:
        contents.notes.append(f"图形带有地理数据，但未能确认其坐标系，未采用（{str(error).splitlines()[0]}）")
        return None
    contents.notes.append(f"坐标系取自图形的地理数据：EPSG:{code}")
    return matrix


def _moved(contents: Contents, matrix: Any) -> None:
    rows = np.array(matrix.get_row(0) + matrix.get_row(1) + matrix.get_row(3)).reshape(3, 4)[:, :2]

    def moved(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return xy @ rows[:2] + rows[2]

    for shapes in (contents.closed, contents.open, contents.points):
        shapes[:] = [Shape(moved(s.xy), s.entity, s.layer, s.handle, s.colour, s.key, s.fill) for s in shapes]
    places = moved(np.array([(label.x, label.y) for label in contents.labels]).reshape(-1, 2))
    contents.labels[:] = [
        Label(label.text, float(x), float(y), label.height, label.layer)
        for label, (x, y) in zip(contents.labels, places, strict=True)
    ]


# --------------------------------------------------------------------------------------------------------- entities


def _unfolded(document: Document, contents: Contents) -> Iterator[tuple[DXFEntity, str, str]]:
    """Entities of the model space with blocks exploded: entity, its layer, and the handle that a person finds."""

    def walk(entities: Any, layer: str, handle: str, depth: int) -> Iterator[tuple[DXFEntity, str, str]]:
        for entity in entities:
            # What is drawn on layer 0 of a block lies on the layer where the block is inserted.
            on = entity.dxf.get("layer", "0")
            on = layer if on == "0" and layer else on
            called = handle or entity.dxf.get("handle") or ""
            if entity.dxftype() != "INSERT":
                yield entity, on, called
                continue
            yield from ((attribute, on, called) for attribute in entity.attribs)
            block = entity.block()
            if block is None or block.block.is_xref or depth >= _MAX_DEPTH:
                contents.others["外部参照或缺失的图块" if depth < _MAX_DEPTH else "嵌套过深的图块"] += 1
                continue
            for single in entity.multi_insert() if entity.mcount > 1 else (entity,):
                yield from walk(single.virtual_entities(), on, called, depth + 1)

    yield from walk(document.modelspace(), "", "", 0)


def _unfolded_size(document: Document, where: str) -> None:
    """Refuse a drawing whose blocks insert each other into more than can be held; counted before any is exploded."""
    known: dict[str, int] = {}

    def size(entities: Any, depth: int) -> int:
        total = 0
        for entity in entities:
            total += 1
            if entity.dxftype() == "INSERT" and depth < _MAX_DEPTH:
                name = entity.dxf.get("name", "")
                if name not in known:
                    known[name] = 0  # a block that inserts itself
                    block = document.blocks.get(name)
                    known[name] = size(block, depth + 1) if block is not None else 0
                total += known[name] * max(entity.mcount, 1)
        return total

    if size(document.modelspace(), 0) > _MAX_ENTITIES:
        raise InvalidInput(f"图块展开后超过 {_MAX_ENTITIES} 个对象", where=where, remedy="请检查嵌套图块，或分幅导出")


def _take(entity: Any, layer: str, handle: str, document: Document, contents: Contents) -> None:
    kind = entity.dxftype()
    if kind in ("LWPOLYLINE", "POLYLINE", "SPLINE", "LINE"):
        outline = _outline(entity, contents)
        if outline is None:
            contents.others[kind] += 1
            return
        xy, closed = outline
        key = _key(entity)
        if closed and key is not None and key[2] == "line":  # a line that ends where it began is no land
            xy, closed = np.vstack([xy, xy[:1]]), False
        shape = Shape(xy, kind, layer, handle, _colour(entity, layer, document), key)
        (contents.closed if closed else contents.open).append(shape)
    elif kind in ("HATCH", "MPOLYGON"):
        colour, number = _colour(entity, layer, document), contents.fills
        contents.fills += 1
        for path in curves.from_hatch(entity):
            for single in path.sub_paths():
                contents.arcs += bool(single.has_curves)
                xy = _flat(single)
                contents.closed.append(Shape(xy, kind, layer, handle, colour, _key(entity), number))
    elif kind in ("TEXT", "ATTRIB"):
        place = entity.get_placement()[1]
        spot = entity.ocs().to_wcs(place)
        _label(entity.plain_text(), spot, entity.dxf.get("height", 1.0), layer, contents)
    elif kind == "MTEXT":
        _label(entity.plain_text(), entity.dxf.insert, entity.dxf.get("char_height", 1.0), layer, contents)
    elif kind == "POINT":
        spot = entity.dxf.location
        shape = Shape(np.array([[spot.x, spot.y]]), kind, layer, handle, _colour(entity, layer, document), _key(entity))
        contents.points.append(shape)
    elif kind != "ATTDEF":
        contents.others[kind] += 1


def _outline(entity: Any, contents: Contents) -> tuple[NDArray[np.float64], bool] | None:
    """Coordinates without a repeated end, and whether they are closed; ``None`` for meshes and circles of two arcs."""
    kind = entity.dxftype()
    curved = kind == "SPLINE" or (kind in ("LWPOLYLINE", "POLYLINE") and entity.has_arc)
    if kind == "LINE":
        xy = np.array([entity.dxf.start.vec2, entity.dxf.end.vec2], dtype=np.float64)
        return xy, False
    if kind == "POLYLINE" and not (entity.is_2d_polyline or entity.is_3d_polyline):
        return None
    flagged = bool(entity.closed if kind in ("LWPOLYLINE", "SPLINE") else entity.is_closed)
    corners = len(entity) if kind != "SPLINE" else 4
    if flagged and curved and corners < 3:
        return None  # a circle drawn as two arcs: the mark of a boundary point, not land
    upright = entity.dxf.get("extrusion") is None or entity.dxf.extrusion.isclose((0, 0, 1))
    if kind == "LWPOLYLINE" and upright and not curved:
        xy = np.array(entity.lwpoints.values, dtype=np.float64).reshape(-1, 5)[:, :2]
    elif kind == "POLYLINE" and upright and not curved and not entity.dxf.flags & 6:
        xy = np.array([vertex.dxf.location.vec2 for vertex in entity.vertices], dtype=np.float64).reshape(-1, 2)
    else:
        contents.arcs += curved
        xy = _flat(curves.make_path(entity))
    if len(xy) > 1:
        size = float(np.ptp(xy, axis=0).max())
        meets = bool(np.abs(xy[0] - xy[-1]).max() <= size * _CLOSING) and len(xy) > 2
        if meets:
            xy = xy[:-1]
        return xy, flagged or meets
    return xy, flagged


def _flat(path: Any) -> NDArray[np.float64]:
    return np.array([(v.x, v.y) for v in path.flattening(SAGITTA)], dtype=np.float64).reshape(-1, 2)


def _label(text: str, spot: Any, height: float, layer: str, contents: Contents) -> None:
    words = " ".join(text.split())
    if words:
        contents.labels.append(Label(words, float(spot.x), float(spot.y), float(height) or 1.0, layer))


def _colour(entity: Any, layer: str, document: Document) -> str:
    """``#rrggbb`` or the number of the AutoCAD colour; that of the layer where the entity has none of its own."""
    if entity.rgb is not None:
        return "#{:02x}{:02x}{:02x}".format(*entity.rgb)
    own = entity.dxf.get("color", 256)
    if own in (0, 256) and layer in document.layers:
        own = abs(document.layers.get(layer).dxf.color)
    return str(own)


def _key(entity: Any) -> tuple[str, str, str, int] | None:
    if not entity.has_xdata(APPLICATION):
        return None
    texts = [tag.value for tag in entity.get_xdata(APPLICATION) if tag.code == 1000]
    numbers = [tag.value for tag in entity.get_xdata(APPLICATION) if tag.code == 1071]
    return (texts[0], texts[1], texts[2], int(numbers[0])) if len(texts) == 3 and numbers else None
