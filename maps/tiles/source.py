"""Tiles of the editions of a store, compressed once and kept; what a service, an archive and a test all ask."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isal import igzip

from geo.errors import InvalidParameter, NotFound
from geo.layers.filters import Filter
from geo.layers.schema import LAYERS
from geo.store.base import EVERYTHING, Scope
from maps.tiles.cache import LIGHT_VERTICES, Held, Key, Packed, Shared
from maps.tiles.edition import Edition, LayerEdition
from maps.tiles.engine import Drawable, Tile, checked_columns, selected, tile_kind, tile_layer, vertices_in, whole
from maps.tiles.layers import TILE_LAYERS
from maps.tiles.matrices import WEB_MERCATOR_QUAD, TileMatrixSet

_CACHE_BYTES = 256 * 1024 * 1024
_COMPRESSION = 1
MAX_DATA_ZOOM = 16
MOST_LAYERS = len(TILE_LAYERS)
_SELECTIONS = 32
PREGENERATED_ZOOM = 13


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tile that somebody asks for.

    Parameters
    ----------
    layers : names, in the order in which they stand in the tile
    columns : attributes, ``None`` for the layers' own choice
    filters : one for each layer, or none at all
    """

    layers: tuple[str, ...]
    matrices: TileMatrixSet
    z: int
    x: int
    y: int
    columns: tuple[str, ...] | None = None
    filters: tuple[Filter, ...] = ()


class TileSource:
    """Tiles of the editions of one store.

    Parameters
    ----------
    folder : of the editions, for what workers share
    scope : what may be seen
    cache_bytes : of finished tiles in memory; 0 keeps none, here or in the shared file
    """

    def __init__(self, folder: Path, scope: Scope = EVERYTHING, cache_bytes: int = _CACHE_BYTES) -> None:
        self._scope = scope
        self._scope_text = "" if scope == EVERYTHING else repr(
            [sorted(one) if one is not None else None for one in (scope.layers, scope.towns, scope.columns)]
        )  # fmt: skip
        self._held = Held(cache_bytes)
        self._shared = Shared(folder) if cache_bytes else None
        self._drawables: OrderedDict[tuple[str, str], Drawable] = OrderedDict()
        self._selecting = threading.Lock()
        self._counts = dict.fromkeys(("hits", "shared_hits", "made", "made_s", "sent_bytes"), 0.0)

    def wanted(self, edition: Edition, wanted: Wanted) -> Key:
        """What the tile is a function of; checks that it can be asked for.

        Raises
        ------
        NotFound
            No such layer, or a tile outside the matrix.
        InvalidParameter
            An attribute that a layer does not have.
        """
        folders = []
        for name in wanted.layers:
            tile_kind(name)
            layer = edition.layers.get(name)
            if layer is None or (self._scope.layers is not None and TILE_LAYERS[name].source not in self._scope.layers):
                raise NotFound(f"没有瓦片图层“{name}”", where="layer", remedy="可用：" + "、".join(edition.layers))
            folders.append(layer.folder.name)
            if wanted.columns is not None:
                checked_columns(name, wanted.columns, self._scope)
        if not wanted.matrices.holds(wanted.z, wanted.x, wanted.y):
            raise NotFound(f"瓦片 {wanted.z}/{wanted.x}/{wanted.y} 不在瓦片矩阵内", where="z/x/y")
        columns = "" if wanted.columns is None else "?" + ",".join(wanted.columns)
        selection = self._scope_text
        if wanted.filters:
            selection += repr([filter.expression for filter in wanted.filters])
        return Key(tuple(folders), wanted.matrices.name, wanted.z, wanted.x, wanted.y, columns, selection)

    def held(self, key: Key) -> Packed | None:
        """A tile that is in memory."""
        tile = self._held.get(key)
        if tile is not None:
            self._counts["hits"] += 1
            self._counts["sent_bytes"] += len(tile.data)
        return tile

    def is_light(self, edition: Edition, wanted: Wanted, key: Key) -> bool:
        """Whether the tile is sooner made than fetched: then it needs no thread of its own."""
        if key.selection:
            return False
        total = 0
        for name in wanted.layers:
            layer = edition.layers[name]
            total += vertices_in(layer, wanted.matrices, wanted.z, wanted.x, wanted.y)
            if total > LIGHT_VERTICES:
                return False
        return True

    def tile(self, edition: Edition, wanted: Wanted, key: Key | None = None, *, light: bool = False) -> Packed:
        """A tile, compressed; from wherever it is soonest had.

        Parameters
        ----------
        key : as ``wanted`` gave it
        light : whether ``is_light`` said so
        """
        key = key or self.wanted(edition, wanted)
        tile = self.held(key)
        if tile is not None:
            return tile
        if light or self._shared is None or key.selection:
            tile = self._made(edition, wanted, key)
        else:
            tile = self._shared.get(key)
            if tile is None:
                with self._shared.making(key):
                    tile = self._shared.get(key)
                    if tile is None:
                        tile = self._made(edition, wanted, key)
                        self._shared.put([(key, tile)])
                    else:
                        self._counts["shared_hits"] += 1
            else:
                self._counts["shared_hits"] += 1
        self._held.put(key, tile)
        self._counts["sent_bytes"] += len(tile.data)
        return tile

    def warm(self, edition: Edition) -> None:
        """Load the compiled encoder before the first tile is asked for, by making one."""
        for layer in edition.layers.values():
            boxes = layer.levels[0].shapes.boxes
            if len(boxes):
                z = MAX_DATA_ZOOM
                x, y = (int(cell) >> (32 - z) for cell in boxes[0, :2])
                tile_layer(whole(layer), WEB_MERCATOR_QUAD, z, x, y)
                vertices_in(layer, WEB_MERCATOR_QUAD, z, x, y)
                return

    def stats(self) -> dict[str, float]:
        """What was counted since the start: hits in memory and in the shared file, tiles made and how long it took."""
        return {**self._counts, "held_tiles": float(len(self._held)), "held_bytes": float(self._held.bytes)}

    def tilejson(
        self, names: tuple[str, ...], base_url: str, edition: Edition, *, pinned: bool = False
    ) -> dict[str, Any]:
        """TileJSON 3.0.0 of one or several layers; ``pinned`` to this edition, whose tiles never change."""
        layers = [(tile_kind(name), self._layer(edition, name)) for name in names]
        place = f"/editions/{edition.name}" if pinned else ""
        first = min(layer.min_zoom for _, layer in layers)
        document: dict[str, Any] = {
            "tilejson": "3.0.0",
            "name": ",".join(names),
            "description": "、".join(LAYERS[kind.source].zh for kind, _ in layers),
            "version": "1.0.0",
            "tiles": [f"{base_url}{place}/tiles/{','.join(names)}/{{z}}/{{x}}/{{y}}.mvt"],
            "minzoom": first,
            "maxzoom": max(first, MAX_DATA_ZOOM),
            "vector_layers": [
                {
                    "id": kind.name,
                    "description": LAYERS[kind.source].zh,
                    "minzoom": layer.min_zoom,
                    "maxzoom": MAX_DATA_ZOOM,
                    "fields": fields_of(layer),
                }
                for kind, layer in layers
            ],
        }
        every = [layer.bounds for _, layer in layers if layer.bounds is not None]
        if every:
            west, south = (min(bounds[k] for bounds in every) for k in (0, 1))
            east, north = (max(bounds[k] for bounds in every) for k in (2, 3))
            document["bounds"] = [west, south, east, north]
            document["center"] = [(west + east) / 2, (south + north) / 2, max(first, 12)]
        return document

    # ------------------------------------------------------------------ making

    def _layer(self, edition: Edition, name: str) -> LayerEdition:
        layer = edition.layers.get(name)
        if layer is None:
            raise NotFound(f"这个数据版本没有图层“{name}”", where="layer", remedy="可用：" + "、".join(edition.layers))
        return layer

    def _made(self, edition: Edition, wanted: Wanted, key: Key) -> Packed:
        began = time.perf_counter()
        tiles: list[Tile] = []
        for place, name in enumerate(wanted.layers):
            layer = edition.layers[name]
            filter = wanted.filters[place] if wanted.filters else None
            drawable = whole(layer) if not key.selection else self._selected(layer, filter, key.selection)
            columns = checked_columns(name, wanted.columns, self._scope) if wanted.columns is not None else None
            tiles.append(tile_layer(drawable, wanted.matrices, wanted.z, wanted.x, wanted.y, columns))
        data = b"".join(tile.data for tile in tiles)
        packed = Packed(
            igzip.compress(data, _COMPRESSION, mtime=0) if data else b"",
            sum(tile.features for tile in tiles),
            tuple(name for name, tile in zip(wanted.layers, tiles, strict=True) if tile.gathered),
        )
        self._counts["made"] += 1
        self._counts["made_s"] += time.perf_counter() - began
        return packed

    def _selected(self, layer: LayerEdition, filter: Filter | None, selection: str) -> Drawable:
        """A selection is worked out for a whole layer once, and serves all its tiles."""
        key = (layer.folder.name, selection)
        with self._selecting:
            known = self._drawables.get(key)
            if known is not None:
                self._drawables.move_to_end(key)
                return known
        known = selected(layer, filter, self._scope)
        with self._selecting:
            self._drawables[key] = known
            while len(self._drawables) > _SELECTIONS:
                self._drawables.popitem(last=False)
        return known


def fields_of(layer: LayerEdition) -> dict[str, str]:
    """Attributes of a layer's tiles and what they mean: its own, and at low zooms those of gathered features."""
    kind = TILE_LAYERS[layer.name]
    source = LAYERS[kind.source]
    told = {name: source.field(name).zh for name in kind.columns}
    if any(level.gathered for level in layer.levels):
        told |= {"count": "汇总的要素数量（低缩放级别）"}
        if layer.measure:
            told |= {layer.measure: {"area_mu": "汇总面积（亩）", "length_km": "汇总长度（千米）"}[layer.measure]}
    return told


def checked_layers(text: str) -> tuple[str, ...]:
    """Layers of an address, separated by commas, each once.

    Raises
    ------
    NotFound
        One that does not exist.
    InvalidParameter
        One stands there twice.
    """
    names = tuple(text.split(",", MOST_LAYERS))
    for name in names:
        tile_kind(name)
    if len(set(names)) != len(names):
        raise InvalidParameter("同一图层出现了两次", where="layer", remedy="每个图层只写一次")
    return names


def pregenerate(folder: Path, layers: dict[str, LayerEdition], progress: Callable[[str], None] | None = None) -> int:
    """Make the tiles of low zooms that take long, before anybody waits for them; how many there are.

    Parameters
    ----------
    folder : of the editions
    layers : by name, as they will be published
    """
    source = TileSource(folder)
    edition = Edition("", "", "", layers)
    made = 0
    for name, layer in layers.items():
        boxes = layer.levels[0].shapes.boxes
        if not len(boxes):
            continue
        for z in range(layer.min_zoom, PREGENERATED_ZOOM + 1):
            for x, y in WEB_MERCATOR_QUAD.tiles_of(boxes, z).tolist():
                wanted = Wanted((name,), WEB_MERCATOR_QUAD, z, x, y)
                key = source.wanted(edition, wanted)
                if not source.is_light(edition, wanted, key):
                    source.tile(edition, wanted, key)
                    made += 1
        if progress is not None:
            progress(f"发布 低缩放级别瓦片 {made:,}")
    return made
