"""All tiles of an edition in one file for a static host: PMTiles or MBTiles, the same bytes as the service's."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer

from geo.errors import InvalidParameter
from maps.tiles.edition import Edition
from maps.tiles.matrices import WEB_MERCATOR_QUAD
from maps.tiles.source import TileSource, Wanted

SUFFIXES = (".pmtiles", ".mbtiles")
_DEGREE = 10_000_000  # PMTiles counts positions in ten-millionths


@dataclass(frozen=True, slots=True)
class Archived:
    """What an archive holds."""

    tiles: int
    tile_bytes: int
    min_zoom: int
    max_zoom: int
    edition: str


def write_archive(
    source: TileSource,
    edition: Edition,
    layers: tuple[str, ...],
    path: Path,
    max_zoom: int = 14,
    columns: tuple[str, ...] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Archived:
    """Every tile of the layers that is not empty, from their first zoom to ``max_zoom``; web mercator.

    Parameters
    ----------
    path : ``.pmtiles`` or ``.mbtiles``; replaced as a whole, when all is written
    columns : attributes, ``None`` for the layers' own choice

    Raises
    ------
    InvalidParameter
        Another suffix, or a zoom below the layers' first.
    """
    document = source.tilejson(layers, "", edition)
    first = int(document["minzoom"])
    if path.suffix not in SUFFIXES:
        raise InvalidParameter(f"不认识的瓦片文件：{path.name}", where="path", remedy="可用：" + "、".join(SUFFIXES))
    if not first <= max_zoom <= 22:
        raise InvalidParameter(f"最大缩放级别 {max_zoom} 无效", where="max-zoom", remedy=f"应在 {first} 到 22 之间")
    metadata = {
        "name": "连片 Lianpian",
        "description": document["description"],
        "version": edition.name,
        "type": "overlay",
        "format": "pbf",
        "vector_layers": document["vector_layers"],
        "edition": edition.name,
        "published_at": edition.published_at,
    }
    bounds = document.get("bounds", [-180.0, -85.0, 180.0, 85.0])
    tiles = _tiles(source, edition, layers, columns, range(first, max_zoom + 1), progress)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.absolute().parent) as folder:
        work = Path(folder) / path.name
        write = _write_pmtiles if path.suffix == ".pmtiles" else _write_mbtiles
        number, size = write(work, tiles, metadata, bounds, first, max_zoom)
        os.replace(work, path)
    return Archived(number, size, first, max_zoom, edition.name)


def _tiles(
    source: TileSource, edition: Edition, layers: tuple[str, ...], columns: tuple[str, ...] | None, zooms: range,
    progress: Callable[[str], None] | None,
) -> Iterator[tuple[int, int, int, bytes]]:  # fmt: skip
    """Tiles in ascending order of their number along PMTiles' curve."""
    boxes = np.vstack([edition.layers[name].levels[0].shapes.boxes for name in layers])
    done = 0
    for z in zooms:
        wanted = WEB_MERCATOR_QUAD.tiles_of(boxes, z).tolist() if len(boxes) else []
        for x, y in sorted(wanted, key=lambda place: int(zxy_to_tileid(z, *place))):
            tile = source.tile(edition, Wanted(layers, WEB_MERCATOR_QUAD, z, x, y, columns))
            done += 1
            if progress is not None and done % 500 == 0:
                progress(f"写入瓦片 第 {z} 级 {done:,}")
            if tile.data:
                yield z, x, y, tile.data


def _write_pmtiles(
    path: Path, tiles: Iterator[tuple[int, int, int, bytes]], metadata: dict[str, Any], bounds: list[float],
    first: int, last: int,
) -> tuple[int, int]:  # fmt: skip
    west, south, east, north = bounds
    number = size = 0
    with path.open("wb") as file:
        writer = Writer(file)
        for z, x, y, data in tiles:
            writer.write_tile(zxy_to_tileid(z, x, y), data)
            number += 1
            size += len(data)
        header = {
            "tile_type": TileType.MVT,
            "tile_compression": Compression.GZIP,
            "min_zoom": first,
            "max_zoom": last,
            "min_lon_e7": round(west * _DEGREE),
            "min_lat_e7": round(south * _DEGREE),
            "max_lon_e7": round(east * _DEGREE),
            "max_lat_e7": round(north * _DEGREE),
            "center_zoom": min(max(first, 12), last),
            "center_lon_e7": round((west + east) / 2 * _DEGREE),
            "center_lat_e7": round((south + north) / 2 * _DEGREE),
        }
        writer.finalize(header, metadata)
    return number, size


def _write_mbtiles(
    path: Path, tiles: Iterator[tuple[int, int, int, bytes]], metadata: dict[str, Any], bounds: list[float],
    first: int, last: int,
) -> tuple[int, int]:  # fmt: skip
    told = {name: value for name, value in metadata.items() if isinstance(value, str)}
    told |= {
        "json": json.dumps({"vector_layers": metadata["vector_layers"]}, ensure_ascii=False),
        "bounds": ",".join(f"{side:.7f}" for side in bounds),
        "center": f"{(bounds[0] + bounds[2]) / 2:.7f},{(bounds[1] + bounds[3]) / 2:.7f},{min(max(first, 12), last)}",
        "minzoom": str(first),
        "maxzoom": str(last),
    }
    number = size = 0
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA application_id = 0x4d504258")
        connection.execute("CREATE TABLE metadata (name TEXT, value TEXT)")
        connection.execute(
            "CREATE TABLE tiles (zoom_level INTEGER, tile_column INTEGER, tile_row INTEGER, tile_data BLOB)"
        )
        connection.executemany("INSERT INTO metadata VALUES (?, ?)", told.items())
        for z, x, y, data in tiles:
            # Rows of MBTiles count from the south.
            connection.execute("INSERT INTO tiles VALUES (?, ?, ?, ?)", (z, x, 2**z - 1 - y, data))
            number += 1
            size += len(data)
        connection.execute("CREATE UNIQUE INDEX tile_index ON tiles (zoom_level, tile_column, tile_row)")
    return number, size
