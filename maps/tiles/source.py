"""Tiles of a store: a box query, encoded, kept in memory under the store's revision.

A tile depends on (revision, layer, z, x, y) alone, so a kept tile never goes stale: a commit changes the revision.
"""

from __future__ import annotations

import gzip
import math
import threading
from collections import OrderedDict
from typing import Any

import numpy as np
import shapely

from geo.errors import NotFound
from geo.layers.schema import LAYERS
from geo.store.base import EVERYTHING, Query, Scope, Store
from maps.tiles.layers import TILE_LAYERS, TileLayer
from maps.tiles.mvt import MAX_ZOOM, encode_tile, tile_bounds

_CACHE_BYTES = 256 * 1024 * 1024
# A layer with more features than this starts a zoom deeper for every fourfold.
_FEATURES_FROM_MIN_ZOOM = 50_000
MAX_DATA_ZOOM = 16


class TileSource:
    """Tiles of one store, gzip-compressed, with a cache by bytes.

    Parameters
    ----------
    store : where the features are
    scope : what may be seen
    """

    def __init__(self, store: Store, scope: Scope = EVERYTHING, cache_bytes: int = _CACHE_BYTES) -> None:
        self._store = store
        self._scope = scope
        self._cache: OrderedDict[tuple[Any, ...], bytes] = OrderedDict()
        self._cache_bytes = cache_bytes
        self._held = 0
        self._lock = threading.Lock()
        self._first_zoom: dict[tuple[str, str], int] = {}

    def tile(self, layer: str, z: int, x: int, y: int, revision: str) -> bytes:
        """A gzip-compressed tile of a revision, empty bytes where nothing falls into it.

        Raises
        ------
        NotFound
            No such layer, or a tile outside the matrix.
        """
        kind = tile_layer(layer)
        first = self.min_zoom(layer, revision)
        if not (0 <= z <= MAX_ZOOM and 0 <= x < 2**z and 0 <= y < 2**z):
            raise NotFound(f"瓦片 {z}/{x}/{y} 不在瓦片矩阵内", where="z/x/y")
        key = (revision, layer, z, x, y)
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        tile = self._make(kind, z, x, y) if z >= first else b""
        with self._lock:
            if key not in self._cache:
                self._cache[key] = tile
                self._held += len(tile)
                while self._held > self._cache_bytes and self._cache:
                    self._held -= len(self._cache.popitem(last=False)[1])
        return tile

    def min_zoom(self, layer: str, revision: str) -> int:
        """First zoom at which a layer is drawn: a layer of many features starts deeper, and its TileJSON says so.

        Every feature of a tile is in it; a tile that would hold too many is not made instead of being thinned out.
        """
        kind = tile_layer(layer)
        key = (revision, layer)
        if key not in self._first_zoom:
            count = self._store.count(Query(kind.source), self._scope)
            deeper = math.ceil(math.log(max(count / _FEATURES_FROM_MIN_ZOOM, 1), 4))
            current = {known: zoom for known, zoom in self._first_zoom.items() if known[0] == revision}
            self._first_zoom = {**current, key: kind.min_zoom + deeper}
        return self._first_zoom[key]

    def tilejson(self, layer: str, base_url: str) -> dict[str, Any]:
        """TileJSON 3.0.0 of one layer."""
        kind = tile_layer(layer)
        first = self.min_zoom(layer, self._store.revision())
        bounds = self._store.bounds(kind.source, self._scope)
        fields = {name: LAYERS[kind.source].field(name).zh for name in kind.columns}
        document: dict[str, Any] = {
            "tilejson": "3.0.0",
            "name": kind.name,
            "description": LAYERS[kind.source].zh,
            "tiles": [f"{base_url}/tiles/{kind.name}/{{z}}/{{x}}/{{y}}.mvt"],
            "minzoom": first,
            "maxzoom": MAX_DATA_ZOOM,
            "version": "1.0.0",
            "vector_layers": [{"id": kind.name, "minzoom": first, "maxzoom": MAX_DATA_ZOOM, "fields": fields}],
        }
        if bounds is not None:
            west, south, east, north = bounds
            document["bounds"] = list(bounds)
            document["center"] = [(west + east) / 2, (south + north) / 2, max(first, 12)]
        return document

    def _make(self, kind: TileLayer, z: int, x: int, y: int) -> bytes:
        names = LAYERS[kind.source].columns
        columns = tuple(name for name in kind.columns if name in names)
        frame = self._store.read(Query(kind.source, bbox=tile_bounds(z, x, y), columns=columns), self._scope)
        if kind.labels and len(frame):
            # A label stands at one point, chosen from the whole feature, so that no tile draws it twice.
            frame = frame.set_geometry(shapely.point_on_surface(np.asarray(frame.geometry.array)), crs=frame.crs)
        encoded = encode_tile(frame, kind.name, kind.key, columns, z, x, y)
        return gzip.compress(encoded, compresslevel=3, mtime=0) if encoded else b""


def tile_layer(name: str) -> TileLayer:
    """The layer of this name; ``NotFound`` with the names there are."""
    if name not in TILE_LAYERS:
        raise NotFound(f"没有瓦片图层“{name}”", where="layer", remedy="可用：" + "、".join(TILE_LAYERS))
    return TILE_LAYERS[name]
