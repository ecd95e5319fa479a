"""Geometries as the flat arrays of a level, and back."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import shapely
from numpy.typing import NDArray

from maps.tiles.drawing import LINE, POINT, POLYGON
from maps.tiles.grid import SIZE
from maps.tiles.index import pack

_POINTS, _LINES, _POLYGON = (0,), (1, 2), 3
_COLLECTION = 4  # this and above


@dataclass(frozen=True, slots=True)
class Shapes:
    """Features of one level; rows are attribute rows, and one with points, lines and polygons is several features.

    Parameters
    ----------
    xy : (v, 2) uint32, cells of the grid; rings closed, outer ones positive by the surveyor's formula
    ring_start : (r + 1,) int64
    ring_hole : (r,) uint8, 1 for an inner ring
    feature_start : (f + 1,) int64
    kinds : (f,) uint8: point, line, polygon
    rows : (f,) int32
    boxes : (f, 4) uint32: west, north, east, south
    nodes, storeys : the packed tree over ``boxes``
    """

    xy: NDArray[np.uint32]
    ring_start: NDArray[np.int64]
    ring_hole: NDArray[np.uint8]
    feature_start: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    rows: NDArray[np.int32]
    boxes: NDArray[np.uint32]
    nodes: NDArray[np.uint32]
    storeys: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.kinds)

    @staticmethod
    def parts() -> tuple[str, ...]:
        """Names of the arrays."""
        return tuple(field.name for field in fields(Shapes))


def flattened(geometries: NDArray[np.object_]) -> Shapes:
    """Arrays of geometries in (exact or rounded) cells of the grid, rows downwards.

    Parameters
    ----------
    geometries : (n,) in the order of the attribute rows; missing and empty ones give no feature
    """
    parts, owner = shapely.get_parts(geometries, return_index=True)
    while (shapely.get_type_id(parts) >= _COLLECTION).any():
        parts, place = shapely.get_parts(parts, return_index=True)
        owner = owner[place]
    there = ~shapely.is_empty(parts)
    parts, owner = parts[there], owner[there]
    types = shapely.get_type_id(parts)
    kinds = np.where(types == _POLYGON, POLYGON, np.where(np.isin(types, _LINES), LINE, POINT)).astype(np.uint8)
    order = np.lexsort((kinds, owner))  # stable: the parts of one feature keep their order
    parts, owner, kinds = parts[order], owner[order], kinds[order]
    areal = kinds == POLYGON
    rings, place = shapely.get_rings(parts[areal], return_index=True)
    part_of_ring = np.concatenate([np.flatnonzero(areal)[place], np.flatnonzero(~areal)])
    every = np.concatenate([rings, parts[~areal]])
    hole = np.zeros(len(every), dtype=np.uint8)
    hole[1 : len(rings)] = place[1:] == place[:-1]
    order = np.argsort(part_of_ring, kind="stable")
    every, hole, part_of_ring = every[order], hole[order], part_of_ring[order]
    coordinates, ring_of_vertex = shapely.get_coordinates(every, return_index=True)
    xy = np.clip(np.rint(coordinates), 0, SIZE - 1).astype(np.uint32)
    ring_start = np.searchsorted(ring_of_vertex, np.arange(len(every) + 1)).astype(np.int64)
    _turn_rings(xy, ring_start, hole, kinds[part_of_ring] == POLYGON)
    begins = np.ones(len(parts), dtype=bool)
    begins[1:] = (owner[1:] != owner[:-1]) | (kinds[1:] != kinds[:-1])
    feature_of_part = np.cumsum(begins) - 1
    feature_of_ring = feature_of_part[part_of_ring] if len(parts) else np.empty(0, dtype=np.int64)
    number = int(begins.sum())
    feature_start = np.searchsorted(feature_of_ring, np.arange(number + 1)).astype(np.int64)
    boxes = _boxes(xy, ring_start[feature_start])
    nodes, storeys = pack(boxes)
    return Shapes(
        xy, ring_start, hole, feature_start, kinds[begins], owner[begins].astype(np.int32), boxes, nodes, storeys
    )


def _turn_rings(
    xy: NDArray[np.uint32], ring_start: NDArray[np.int64], hole: NDArray[np.uint8], closed: NDArray[np.bool_]
) -> None:
    """Turn rings in place: outer ones positive by the surveyor's formula, inner ones negative.

    By the area that a ring has on the grid: rounding turns slivers over, and an area of floats would not know.
    """
    if not len(hole):
        return
    # Relative to the first vertex of the ring, so that the products stay exact in 64 bits.
    near = xy.astype(np.int64) - np.repeat(xy[ring_start[:-1]].astype(np.int64), np.diff(ring_start), axis=0)
    crossed = np.zeros(len(xy), dtype=np.int64)
    crossed[:-1] = near[:-1, 0] * near[1:, 1] - near[1:, 0] * near[:-1, 1]
    crossed[ring_start[1:] - 1] = 0  # from the end of a ring there is no edge to the next
    area = np.add.reduceat(crossed, ring_start[:-1])
    for ring in np.flatnonzero(closed & (np.where(hole == 1, -area, area) < 0)):
        begin, end = ring_start[ring], ring_start[ring + 1]
        xy[begin:end] = xy[begin:end][::-1].copy()


def _boxes(xy: NDArray[np.uint32], starts: NDArray[np.int64]) -> NDArray[np.uint32]:
    if len(starts) == 1:
        return np.empty((0, 4), dtype=np.uint32)
    low = np.minimum.reduceat(xy, starts[:-1], axis=0)
    high = np.maximum.reduceat(xy, starts[:-1], axis=0)
    return np.hstack([low, high])


def polygons_of(
    shapes: Shapes, features: NDArray[np.int64], in_units: NDArray[np.float64] | None = None
) -> NDArray[np.object_]:
    """Polygonal features as shapely geometries.

    Parameters
    ----------
    features : (n,) places of polygonal features
    in_units : (v', 2) coordinates to take for the vertices of these features, one after the other; else cells
    """
    rings = _ranges(shapes.feature_start, features)
    vertices = _ranges(shapes.ring_start, rings)
    coordinates = shapes.xy[vertices].astype(np.float64) if in_units is None else in_units
    lengths = np.diff(shapes.ring_start)[rings]
    linear = shapely.linearrings(coordinates, indices=np.repeat(np.arange(len(rings)), lengths))
    hole = shapes.ring_hole[rings] == 1
    polygon_of_ring = np.cumsum(~hole) - 1
    outers = linear[~hole]
    polygons = shapely.polygons(outers) if not hole.any() else _with_holes(outers, linear[hole], polygon_of_ring[hole])
    number = np.diff(shapes.feature_start)[features]
    feature_of_ring = np.repeat(np.arange(len(features)), number)
    return shapely.multipolygons(polygons, indices=feature_of_ring[~hole])


def geometries_of(shapes: Shapes, features: NDArray[np.int64]) -> NDArray[np.object_]:
    """Features of any kind as shapely geometries in cells of the grid."""
    out = np.empty(len(features), dtype=object)
    for kind, simple, many in (
        (LINE, shapely.linestrings, shapely.multilinestrings),
        (POINT, shapely.points, shapely.multipoints),
    ):
        chosen = np.flatnonzero(shapes.kinds[features] == kind)
        if len(chosen):
            lines = _ranges(shapes.feature_start, features[chosen])
            vertices = shapes.xy[_ranges(shapes.ring_start, lines)].astype(np.float64)
            lengths = np.diff(shapes.ring_start)[lines]
            line_of_vertex = np.repeat(np.arange(len(lines)), lengths)
            parts = simple(vertices, indices=line_of_vertex) if kind == LINE else simple(vertices)
            owner = np.repeat(np.arange(len(chosen)), np.diff(shapes.feature_start)[features[chosen]])
            out[chosen] = many(parts, indices=owner)
    areal = np.flatnonzero(shapes.kinds[features] == POLYGON)
    if len(areal):
        out[areal] = polygons_of(shapes, features[areal])
    return out


def made_valid(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    """Geometries, the invalid ones of them made valid: to do it to all costs far more than to ask."""
    faulty = ~shapely.is_valid(geometries)
    if not faulty.any():
        return geometries
    out = geometries.copy()
    out[faulty] = shapely.make_valid(geometries[faulty], method="structure")
    return out


def vertices_of(shapes: Shapes, features: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places of the vertices of features, in the order in which ``polygons_of`` takes them."""
    return _ranges(shapes.ring_start, _ranges(shapes.feature_start, features))


def _with_holes(
    outers: NDArray[np.object_], inners: NDArray[np.object_], owner: NDArray[np.int64]
) -> NDArray[np.object_]:
    polygons = np.asarray(shapely.polygons(outers))
    for k in np.unique(owner):  # few have holes
        polygons[k] = shapely.polygons(outers[k], holes=inners[owner == k])
    return polygons


def _ranges(starts: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """All places from ``starts[k]`` to ``starts[k + 1]`` for each wanted ``k``."""
    sizes = starts[wanted + 1] - starts[wanted]
    shift = np.repeat(starts[wanted] - (np.cumsum(sizes) - sizes), sizes)
    return np.arange(sizes.sum()) + shift
