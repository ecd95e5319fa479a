"""Where finished tiles wait: in the memory of a worker by bytes, and in a file that all workers share.

A key names content that never changes, so nothing here is ever invalidated; what belongs to no edition any more is
swept out.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import struct
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

# A tile whose making is no longer than this is sooner made than fetched; in vertices, of which a core does ten a µs.
LIGHT_VERTICES = 20_000
_BUSY_S = 0.2
_SLOTS = 1 << 30


class Packed(NamedTuple):
    """A tile as it is sent: compressed, with what its headers tell. Empty data where nothing is drawn."""

    data: bytes
    features: int
    gathered: tuple[str, ...]


class Key(NamedTuple):
    """What a tile is a function of.

    ``layers`` are the folders of the layers' editions, ``columns`` and ``selection`` what was asked for, as text.
    """

    layers: tuple[str, ...]
    matrices: str
    z: int
    x: int
    y: int
    columns: str
    selection: str


class Held:
    """Tiles in memory, the least used go first.

    Parameters
    ----------
    most_bytes : of tiles; what Python needs around each is counted in
    """

    _OVERHEAD = 400

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._tiles: OrderedDict[Key, Packed] = OrderedDict()
        self._lock = threading.Lock()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._tiles)

    def get(self, key: Key) -> Packed | None:
        """A tile that is here."""
        with self._lock:
            tile = self._tiles.get(key)
            if tile is not None:
                self._tiles.move_to_end(key)
            return tile

    def put(self, key: Key, tile: Packed) -> None:
        """Keep a tile as long as there is room."""
        with self._lock:
            if key in self._tiles:
                return
            self._tiles[key] = tile
            self.bytes += len(tile.data) + self._OVERHEAD
            while self.bytes > self._most_bytes:
                _, gone = self._tiles.popitem(last=False)
                self.bytes -= len(gone.data) + self._OVERHEAD


class Shared:
    """Tiles in one SQLite file beside the editions, and a lock for each, so that a tile is made once by all workers.

    It may be deleted at any time; a fault of it costs time, never a tile.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._local = threading.local()

    def get(self, key: Key) -> Packed | None:
        """A tile that a worker, or the publication, has made before."""
        with suppress(sqlite3.Error):
            row = self._connection().execute(
                "SELECT tile, features, gathered FROM tiles WHERE layers = ? AND matrices = ? AND z = ? AND x = ? "
                "AND y = ? AND columns = ?",
                ("+".join(key.layers), *key[1:6]),
            ).fetchone()  # fmt: skip
            if row is not None:
                return Packed(row[0], row[1], tuple(row[2].split(",")) if row[2] else ())
        return None

    def put(self, tiles: Iterable[tuple[Key, Packed]]) -> None:
        """Keep tiles for the others."""
        rows = [("+".join(key.layers), *key[1:6], *tile[:2], ",".join(tile.gathered)) for key, tile in tiles]
        with suppress(sqlite3.Error):
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.executemany("INSERT OR IGNORE INTO tiles VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            finally:
                connection.execute("COMMIT")

    def sweep(self, used: set[str]) -> None:
        """Remove the tiles of layers that no edition has any more."""
        with suppress(sqlite3.Error):
            connection = self._connection()
            for (layers,) in connection.execute("SELECT DISTINCT layers FROM tiles").fetchall():
                if not set(layers.split("+")) <= used:
                    connection.execute("DELETE FROM tiles WHERE layers = ?", (layers,))

    @contextmanager
    def making(self, key: Key) -> Iterator[None]:
        """The right to make a tile, held by one of all workers; the system gives it back when its holder dies."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = os.open(self._folder / "making.lock", os.O_RDWR | os.O_CREAT, 0o644)
        slot = zlib.crc32(repr(key).encode()) % _SLOTS
        try:
            # Locks of the open file, not of the process: they hold between threads too, and go with the descriptor.
            fcntl.fcntl(file, _OFD_SETLKW, _range_lock(slot))
            yield
        finally:
            os.close(file)

    def _connection(self) -> sqlite3.Connection:
        known: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if known is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            known = sqlite3.connect(self._folder / "tiles.sqlite", timeout=_BUSY_S, isolation_level=None)
            known.execute("PRAGMA journal_mode = WAL")
            known.execute("PRAGMA synchronous = OFF")
            known.execute(
                "CREATE TABLE IF NOT EXISTS tiles (layers TEXT, matrices TEXT, z INTEGER, x INTEGER, y INTEGER, "
                "columns TEXT, tile BLOB, features INTEGER, gathered TEXT, "
                "PRIMARY KEY (layers, matrices, z, x, y, columns)) WITHOUT ROWID"
            )
            self._local.connection = known
        return known


# fcntl.h of Linux; the module names it from Python 3.9 on where the system has it.
_OFD_SETLKW: int = getattr(fcntl, "F_OFD_SETLKW", 38)


def _range_lock(slot: int) -> bytes:
    """``struct flock`` for one byte to write to."""
    return struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, slot, 1, 0)
