"""A judge of Mapbox Vector Tiles 2.1, with a reader of its own: nothing of it comes from the encoder it judges.

Section numbers are those of the specification (``vector-tile-spec`` 2.1).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

MOVE, LINE, CLOSE = 1, 2, 7
POINT, LINESTRING, POLYGON = 1, 2, 3
Point = tuple[int, int]


@dataclass
class Feature:
    """A feature as it is written; ``geometry`` holds the raw commands."""

    id: int | None = None
    tags: list[int] = field(default_factory=list)
    kind: int = 0
    geometry: list[int] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Layer:
    """A layer as it is written."""

    name: str = ""
    version: int = 1
    extent: int = 4096
    keys: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    features: list[Feature] = field(default_factory=list)


class BadTile(ValueError):
    """Bytes that are no vector tile."""


def read_tile(data: bytes) -> list[Layer]:
    """The layers of a tile (section 4)."""
    return [_layer(body) for number, body in _fields(data) if number == 3]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise BadTile("a number without end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        value: Any
        if wire == 0:
            value, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
            value, at = data[at : at + size], at + size
        elif wire == 2:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
            if len(value) != size:
                raise BadTile("a message longer than the tile")
        else:
            raise BadTile(f"wire type {wire}")
        yield number, value


def _packed(data: bytes) -> list[int]:
    numbers, at = [], 0
    while at < len(data):
        number, at = _varint(data, at)
        numbers.append(number)
    return numbers


def _value(data: bytes) -> Any:
    found = list(_fields(data))
    if len(found) != 1:
        raise BadTile("4.1: a value holds exactly one of its fields")
    number, value = found[0]
    match number:
        case 1:
            return value.decode("utf-8")
        case 2:
            return struct.unpack("<f", value)[0]
        case 3:
            return struct.unpack("<d", value)[0]
        case 4:
            return value - 2**64 if value >= 2**63 else value
        case 5:
            return value
        case 6:
            return unzigzag(value)
        case 7:
            return bool(value)
    raise BadTile(f"value of kind {number}")


def _layer(data: bytes) -> Layer:
    layer = Layer()
    for number, value in _fields(data):
        match number:
            case 1:
                layer.name = value.decode("utf-8")
            case 2:
                layer.features.append(_feature(value))
            case 3:
                layer.keys.append(value.decode("utf-8"))
            case 4:
                layer.values.append(_value(value))
            case 5:
                layer.extent = value
            case 15:
                layer.version = value
    for feature in layer.features:
        pairs = zip(feature.tags[::2], feature.tags[1::2], strict=False)
        feature.attributes = {
            layer.keys[key]: layer.values[value]
            for key, value in pairs
            if key < len(layer.keys) and value < len(layer.values)
        }
    return layer


def _feature(data: bytes) -> Feature:
    feature = Feature()
    for number, value in _fields(data):
        match number:
            case 1:
                feature.id = value
            case 2:
                feature.tags += _packed(value)
            case 3:
                feature.kind = value
            case 4:
                feature.geometry += _packed(value)
    return feature


def unzigzag(number: int) -> int:
    """4.3.2: a signed number from its zig-zag form."""
    return (number >> 1) ^ -(number & 1)


def parts_of(feature: Feature) -> tuple[list[list[Point]], list[str]]:
    """Points, lines or rings (without the closing point), and faults of the commands (4.3.3 and 4.3.4)."""
    parts: list[list[Point]] = []
    faults: list[str] = []
    x = y = at = 0
    expected = {MOVE}
    numbers = feature.geometry
    while at < len(numbers):
        command, count = numbers[at] & 7, numbers[at] >> 3
        at += 1
        if command not in (MOVE, LINE, CLOSE):
            return parts, [*faults, f"4.3.1: command {command}"]
        if command not in expected:
            faults.append(f"4.3.4: command {command} where {sorted(expected)} may stand")
        if command == CLOSE:
            if count != 1:
                faults.append("4.3.3.3: ClosePath counts 1")
            expected = {MOVE}
            continue
        if count == 0:
            faults.append("4.3.3: a command that counts 0")
        if at + 2 * count > len(numbers):
            return parts, [*faults, "4.3.3: parameters missing"]
        for _ in range(count):
            dx, dy = unzigzag(numbers[at]), unzigzag(numbers[at + 1])
            at += 2
            x, y = x + dx, y + dy
            if command == MOVE:
                if feature.kind == POINT and parts:
                    parts[0].append((x, y))
                else:
                    parts.append([(x, y)])
            elif not parts:
                return parts, [*faults, "4.3.4: LineTo without MoveTo"]
            else:
                if (dx, dy) == (0, 0):
                    faults.append("4.3.3.2: LineTo of zero length")
                parts[-1].append((x, y))
        if command == MOVE:
            if feature.kind != POINT and count != 1:
                faults.append("4.3.4: MoveTo of a line or ring counts 1")
            expected = set() if feature.kind == POINT else {LINE}
        else:
            if feature.kind == POLYGON and count < 2:
                faults.append("4.3.4.4: a ring has at least two LineTo")
            expected = {CLOSE} if feature.kind == POLYGON else {MOVE}
    if feature.kind == POLYGON and expected != {MOVE}:
        faults.append("4.3.4.4: a ring that is not closed")
    if feature.kind == LINESTRING and expected == {LINE}:
        faults.append("4.3.4.3: a line of one point")
    if not parts:
        faults.append("4.2: a feature without geometry")
    return parts, faults


def twice_area(ring: list[Point]) -> int:
    """Twice the signed area by the surveyor's formula, exactly: positive for an exterior ring (y runs down)."""
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, [*ring[1:], ring[0]], strict=True))


def polygons_of(rings: list[list[Point]]) -> tuple[list[tuple[list[Point], list[list[Point]]]], list[str]]:
    """4.3.4.4: exteriors with their holes by winding alone, and faults of the rings."""
    polygons: list[tuple[list[Point], list[list[Point]]]] = []
    faults: list[str] = []
    for ring in rings:
        if len(ring) > 1 and ring[0] == ring[-1]:
            faults.append("4.3.4.4: the last LineTo repeats the first point")
        area = twice_area(ring)
        if area == 0:
            faults.append("4.3.4.4: a ring without area")
        elif area > 0:
            polygons.append((ring, []))
        elif not polygons:
            faults.append("4.3.4.4: a hole before any exterior")
        else:
            polygons[-1][1].append(ring)
    return polygons, faults


def geometry_of(feature: Feature) -> shapely.Geometry:
    """The geometry in tile units, y down; holes belong to the exterior before them."""
    parts, _ = parts_of(feature)
    if feature.kind == POINT:
        return shapely.multipoints(np.array(parts[0], dtype=float))
    if feature.kind == LINESTRING:
        return shapely.multilinestrings([shapely.linestrings(np.array(part, dtype=float)) for part in parts])
    polygons, _ = polygons_of([ring for ring in parts if len(ring) >= 3])
    return shapely.multipolygons([shapely.Polygon(exterior, holes) for exterior, holes in polygons])


def faults_of(data: bytes, buffer: int | None = None) -> list[str]:
    """Everything in a tile that the specification does not allow or advises against; empty for a good one.

    A value that two attributes have may stand twice: the advice against it (4.1) is about size alone.

    Parameters
    ----------
    data : an uncompressed tile
    buffer : units that geometry may lie outside of the tile, where that is to be judged
    """
    try:
        layers = read_tile(data)
    except (BadTile, UnicodeDecodeError, struct.error) as error:
        return [str(error)]
    faults = [f"{layer.name}: {fault}" for layer in layers for fault in _layer_faults(layer, buffer)]
    names = [layer.name for layer in layers]
    if len(set(names)) != len(names):
        faults.append("4.1: two layers of one name")
    return faults


def _layer_faults(layer: Layer, buffer: int | None) -> Iterator[str]:
    if layer.version != 2:
        yield f"4.1: version {layer.version}"
    if not layer.name:
        yield "4.1: no name"
    if not layer.features:
        yield "4.1: no feature"
    if layer.extent < 1:
        yield "4.1: no extent"
    if len(set(layer.keys)) != len(layer.keys):
        yield "4.1: a key twice"
    known = [feature.id for feature in layer.features if feature.id is not None]
    if len(set(known)) != len(known):
        yield "4.2: an id twice"
    for place, feature in enumerate(layer.features):
        for fault in _feature_faults(layer, feature, buffer):
            yield f"feature {place} ({feature.id}): {fault}"


def _feature_faults(layer: Layer, feature: Feature, buffer: int | None) -> Iterator[str]:
    keys, values = feature.tags[::2], feature.tags[1::2]
    if len(keys) != len(values):
        yield "4.4: a key without a value"
    if any(key >= len(layer.keys) for key in keys) or any(value >= len(layer.values) for value in values):
        yield "4.4: a tag out of range"
    if len(set(keys)) != len(keys):
        yield "4.4: a key twice on one feature"
    if feature.kind not in (POINT, LINESTRING, POLYGON):
        yield f"4.3.4: type {feature.kind}"
        return
    parts, faults = parts_of(feature)
    yield from faults
    if faults:
        return
    if buffer is not None:
        points = np.concatenate([np.array(part) for part in parts])
        if points.min() < -buffer or points.max() > layer.extent + buffer:
            yield f"outside of the buffer: {points.min(axis=0)} to {points.max(axis=0)}"
    if feature.kind == POLYGON:
        yield from _polygon_faults(parts)


def _polygon_faults(rings: list[list[Point]]) -> Iterator[str]:
    polygons, faults = polygons_of(rings)
    yield from faults
    if faults:
        return
    made: NDArray[np.object_] = np.array([shapely.Polygon(exterior, holes) for exterior, holes in polygons])
    for polygon in made:
        if not shapely.is_valid(polygon):
            yield f"4.3.4.4: {shapely.is_valid_reason(polygon)}"
    for ring in rings:
        if len(set(ring)) != len(ring):
            yield "4.3.4.4: a ring that meets itself"
    if len(made) > 1 and shapely.is_valid(made).all() and not shapely.is_valid(shapely.multipolygons(made)):
        yield "4.3.4.4: polygons of one feature that overlap"
