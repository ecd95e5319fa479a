"""A tile as a function of an edition, an address, columns and a selection; nothing else goes into it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.errors import InvalidParameter, NotFound
from geo.layers.filtering.rows import evaluate
from geo.layers.filters import Filter, properties
from geo.layers.schema import LAYERS
from geo.store.base import Scope
from maps.tiles.drawing import draw, put_polygons
from maps.tiles.edition import LayerEdition, Level
from maps.tiles.index import meeting
from maps.tiles.layers import TILE_LAYERS, TileLayer
from maps.tiles.levels import FEW_FEATURES, gathered, last_zoom
from maps.tiles.matrices import TileMatrixSet
from maps.tiles.mending import in_tile_units, mended_commands
from maps.tiles.mvt import gather, key_messages, layer_message, vertex_count, write_features
from maps.tiles.publishing import gathered_level, state_numbers
from maps.tiles.shapes import geometries_of, polygons_of, vertices_of

# A tile with more features than this shows them gathered, and says so.
MOST_FEATURES = 30_000
_NOTHING = np.empty(0, dtype=np.int64)


class Tile(NamedTuple):
    """A tile as it goes over the wire, before compression.

    ``features`` tells how many are drawn, ``gathered`` by which fields where they are gathered, else nothing.
    """

    data: bytes
    features: int
    gathered: tuple[str, ...]


class Drawable:
    """A layer, or the rows of it that are shown.

    Parameters
    ----------
    layer : as it was published
    mask : (n,) rows that are shown; ``None`` for all
    columns : attributes that may be seen; ``None`` for all
    """

    def __init__(
        self, layer: LayerEdition, mask: NDArray[np.bool_] | None = None, columns: frozenset[str] | None = None
    ) -> None:
        self.layer = layer
        self.mask = mask
        self.columns = columns
        self._anew: dict[int, Level] = {}
        self._gathering = threading.Lock()

    def level(self, place: int) -> tuple[Level, NDArray[np.bool_] | None]:
        """A level and the rows of it that are shown; gathered features of a part of the rows are gathered anew."""
        level = self.layer.levels[place]
        if self.mask is None or not level.gathered:
            return level, self.mask
        rows = np.flatnonzero(self.mask)
        if len(rows) <= FEW_FEATURES:
            return self.layer.levels[self.layer.individual(place)], self.mask
        with self._gathering:
            if place not in self._anew:
                self._anew[place] = _gathered_anew(self.layer, place, rows)
            return self._anew[place], None


def whole(layer: LayerEdition) -> Drawable:
    """A layer without selection."""
    return Drawable(layer)


def selected(layer: LayerEdition, filter: Filter | None, scope: Scope) -> Drawable:
    """The part of a layer that a filter and a scope leave.

    Raises
    ------
    InvalidParameter
        The filter asks for geometry, which an edition holds for drawing only, or for a field that tiles do not have.
    """
    kind = TILE_LAYERS[layer.name]
    seen = None if scope.columns is None else scope.columns | {kind.key, "count", layer.measure}
    return Drawable(layer, _mask(layer, kind, filter, scope), seen)


def tile_layer(
    drawable: Drawable, matrices: TileMatrixSet, z: int, x: int, y: int, columns: Sequence[str] | None = None
) -> Tile:
    """One layer of a tile.

    Parameters
    ----------
    columns : attributes that features carry; those of the layer's own choice where ``None``. Gathered features always
        carry their state and their sums.

    Returns
    -------
    Tile with empty data where nothing falls into it
    """
    layer = drawable.layer
    zoom = matrices.detail(z)
    if zoom < layer.min_zoom:
        return Tile(b"", 0, ())
    west, north, east, south = matrices.box(z, x, y)
    place = layer.level_at(zoom)
    while True:
        level, mask = drawable.level(place)
        shapes = level.shapes
        features = meeting(shapes.boxes, shapes.nodes, shapes.storeys, west, north, east, south)
        if mask is not None and len(features):
            features = features[mask[shapes.rows[features]]]
        coarser = layer.coarser(place)
        if len(features) <= MOST_FEATURES or coarser is None:
            break
        place = coarser
    if not len(features):
        return Tile(b"", 0, ())
    table = level.table
    if level.gathered:
        names = list(table.names)
    else:
        names = list(TILE_LAYERS[layer.name].columns if columns is None else columns)
    if drawable.columns is not None:
        names = [name for name in names if name in drawable.columns]
    drawn = draw(
        shapes.xy, shapes.ring_start, shapes.ring_hole, shapes.feature_start, shapes.kinds, features,
        matrices.geographic, matrices.deeper, z, x, y,
    )  # fmt: skip
    at = np.flatnonzero(drawn.faulty)
    mended, mended_bounds = _mended(level, features[at], matrices, z, x, y) if len(at) else _none_mended()
    written, used, number = write_features(
        drawn.commands, drawn.bounds, mended, mended_bounds, at, features, shapes.kinds, shapes.rows,
        table.ids, table.codes, np.array([table.place(name) for name in names], dtype=np.int64), len(table.starts),
    )  # fmt: skip
    if number == 0:
        return Tile(b"", 0, ())
    values = gather(table.messages, table.starts, used)
    data = layer_message(layer.name.encode(), key_messages(names), written.tobytes(), values.tobytes())
    return Tile(data, int(number), level.gathered)


def vertices_in(layer: LayerEdition, matrices: TileMatrixSet, z: int, x: int, y: int) -> int:
    """How many vertices the features of a tile have: what its making will cost."""
    zoom = matrices.detail(z)
    if zoom < layer.min_zoom:
        return 0
    shapes = layer.levels[layer.level_at(zoom)].shapes
    features = meeting(shapes.boxes, shapes.nodes, shapes.storeys, *matrices.box(z, x, y))
    return int(vertex_count(shapes.ring_start, shapes.feature_start, features))


def checked_columns(name: str, columns: Sequence[str], scope: Scope) -> tuple[str, ...]:
    """Attributes of a layer that a tile may carry, in the order asked for, each once.

    Raises
    ------
    InvalidParameter
        A field that the layer does not have, that tiles do not carry, or that the scope hides.
    """
    layer = LAYERS[TILE_LAYERS[name].source]
    there = {
        field.name for field in layer.fields
        if field.kind != "json" and (scope.columns is None or field.name in scope.columns or field.name == layer.key)
    }  # fmt: skip
    for column in columns:
        if column not in there:
            raise InvalidParameter(
                f"瓦片图层“{layer.zh}”没有属性“{column[:40]}”", where="properties",
                remedy="可用：" + "、".join(name for name in layer.columns if name in there),
            )  # fmt: skip
    return tuple(dict.fromkeys(columns))


def tile_kind(name: str) -> TileLayer:
    """The layer of this name; ``NotFound`` with the names there are."""
    if name not in TILE_LAYERS:
        raise NotFound(f"没有瓦片图层“{name[:40]}”", where="layer", remedy="可用：" + "、".join(TILE_LAYERS))
    return TILE_LAYERS[name]


def _mask(layer: LayerEdition, kind: TileLayer, filter: Filter | None, scope: Scope) -> NDArray[np.bool_] | None:
    table = layer.table
    mask: NDArray[np.bool_] | None = None
    if scope.towns is not None and "town" in table.names:
        mask = table.series("town").isin(scope.towns).to_numpy(dtype=bool)
    if filter is None:
        return mask
    wanted = properties(filter.expression)
    if "geom" in wanted:
        raise InvalidParameter(
            "瓦片的条件不能含空间函数", where="filter", remedy="请改用 /collections/…/items，或只按属性筛选瓦片"
        )
    checked_columns(kind.name, sorted(wanted), scope)
    taken = evaluate(
        filter, pd.DataFrame({name: table.series(name) for name in sorted(wanted)}, index=range(len(table)))
    )
    return taken if mask is None else mask & taken


def _gathered_anew(layer: LayerEdition, place: int, rows: NDArray[np.int64]) -> Level:
    """A level of gathered features made of some rows only."""
    kind, level = TILE_LAYERS[layer.name], layer.levels[place]
    finer = layer.levels[layer.individual(place)].shapes
    chosen = np.zeros(len(layer.table), dtype=bool)
    chosen[rows] = True
    features = np.flatnonzero(chosen[finer.rows])
    rows = finer.rows[features].astype(np.int64)
    geometries = geometries_of(finer, features)
    boxes = finer.boxes[features].astype(np.float64)
    groups = gathered(
        geometries, (boxes[:, :2] + boxes[:, 2:]) / 2, state_numbers(kind, layer.table, rows), level.cell_zoom,
        last_zoom(level.min_zoom),
    )  # fmt: skip
    return gathered_level(
        kind, groups, level.min_zoom, level.cell_zoom, layer.table, rows, layer.measures, layer.measure
    )


def _mended(
    level: Level, features: NDArray[np.int64], matrices: TileMatrixSet, z: int, x: int, y: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    vertices = vertices_of(level.shapes, features)
    units = in_tile_units(level.shapes.xy[vertices], matrices, z, x, y)
    return mended_commands(polygons_of(level.shapes, features, units))


def _none_mended() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    return put_polygons(_NOTHING, _NOTHING, np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64))
