"""The editions beside a store: published after a commit, kept in a stated number, opened without reading them.

``layers/`` holds the layers' arrays, ``editions/`` what belongs together at one moment, ``current`` names the newest.
An edition that somebody pinned stays until it is unpinned; of the others the newest few stay.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from geo.errors import Busy, Gone, InvalidParameter
from geo.layers.schema import LAYERS
from geo.store.base import Store
from maps.tiles.cache import Shared
from maps.tiles.edition import FORMAT, Edition, LayerEdition, open_layer
from maps.tiles.layers import TILE_LAYERS
from maps.tiles.publishing import publish_layer
from maps.tiles.source import pregenerate

KEPT = 8
MOST_PINNED = 64
_TRIES = 5


def editions_folder(store_url: str, configured: str = "") -> Path:
    """Where the editions of a store are: as configured, else beside a GeoPackage, else under ``var``."""
    if configured:
        return Path(configured).absolute()
    if "://" in store_url:
        return Path("var/editions").absolute()
    return Path(store_url).absolute().with_suffix(".editions")


class Editions:
    """The editions of one store.

    Parameters
    ----------
    folder : where they are; made with the first one
    store : what they show; ``None`` where they are only read
    kept : how many stay beside those that are pinned
    """

    def __init__(self, folder: Path, store: Store | None = None, kept: int = KEPT) -> None:
        self.folder = folder
        self._store = store
        self._kept = max(kept, 1)
        self._opened: dict[str, Edition] = {}
        self._layers: dict[str, LayerEdition] = {}
        self._current: tuple[tuple[int, int], Edition] | None = None
        self._lock = threading.Lock()

    @property
    def can_publish(self) -> bool:
        """Whether the store is at hand."""
        return self._store is not None

    def current(self) -> Edition:
        """The newest edition; one look at a file where it is open already.

        Raises
        ------
        Busy
            There is none yet: the first one is still being made.
        """
        mark = self._mark()
        if mark is None:
            raise Busy("地图数据正在首次发布", where="editions", remedy="请稍后再试")
        held = self._current
        if held is not None and held[0] == mark:
            return held[1]
        edition = self.edition((self.folder / "current").read_text(encoding="utf-8").strip())
        self._current = (mark, edition)
        return edition

    def edition(self, name: str) -> Edition:
        """An edition by its name.

        Raises
        ------
        Gone
            It was removed, or never was.
        """
        held = self._opened.get(name)
        if held is not None and self._path(name).exists():
            return held
        with self._lock:
            try:
                manifest = self._manifest(name)
                layers = {}
                for layer, told in manifest["layers"].items():
                    folder = told["folder"]
                    if folder not in self._layers:
                        self._layers[folder] = open_layer(self.folder / "layers" / folder)
                    layers[layer] = self._layers[folder]
            except FileNotFoundError:
                raise Gone(f"数据版本“{name[:40]}”已不保留", where="edition", remedy="请使用当前版本") from None
            opened = Edition(name, manifest["revision"], manifest["published_at"], layers)
            # Only what is still there stays open.
            self._opened = {kept: one for kept, one in self._opened.items() if self._path(kept).exists()}
            self._opened[name] = opened
            used = {layer.folder.name for one in self._opened.values() for layer in one.layers.values()}
            self._layers = {folder: layer for folder, layer in self._layers.items() if folder in used}
            return opened

    def is_current(self) -> bool:
        """Whether the newest edition shows the store as it is."""
        try:
            manifest = self._manifest((self.folder / "current").read_text(encoding="utf-8").strip())
        except FileNotFoundError:
            return False
        return manifest["format"] == FORMAT and manifest["revision"] == self._reading().revision()

    def publish(self, progress: Callable[[str], None] | None = None) -> Edition:
        """An edition of the store as it is; only layers that changed are written. One publisher at a time."""
        store = self._reading()
        with self._publisher():
            if self.is_current():
                return self.current()
            before = known = self._newest()
            for _ in range(_TRIES):
                revision = store.revision()
                sources = _sources(store)
                layers = self._publish_layers(store, sources, known, progress)
                if store.revision() == revision:
                    break
                # Somebody committed meanwhile: what it changed is read again, so that an edition is of one moment.
                known = {**known, "layers": layers}
            else:
                raise Busy("数据库不断有新的写入，暂时无法发布", where="editions", remedy="请稍后再试")
            fresh = {
                layer: open_layer(self.folder / "layers" / told["folder"])
                for layer, told in layers.items()
                if told != before["layers"].get(layer)
            }
            pregenerate(self.folder, fresh, progress)
            name = self._write(before["number"] + 1, revision, layers)
            self._sweep(name)
        return self.edition(name)

    # ------------------------------------------------------------------ pins

    def names(self) -> list[str]:
        """All editions, oldest first."""
        return sorted(path.stem for path in (self.folder / "editions").glob("*.json"))

    def pinned(self) -> list[str]:
        """Editions that stay until they are unpinned."""
        return sorted(path.stem for path in (self.folder / "pins").glob("*"))

    def pin(self, name: str) -> None:
        """Keep an edition, as a permalink wants it.

        Raises
        ------
        Gone
            It is there no more.
        InvalidParameter
            As many as may be are pinned.
        """
        with self._publisher():
            self.edition(name)
            if len(self.pinned()) >= MOST_PINNED and name not in self.pinned():
                raise InvalidParameter(
                    f"固定的数据版本已达 {MOST_PINNED} 个", where="edition", remedy="请先取消不再需要的固定"
                )
            (self.folder / "pins").mkdir(exist_ok=True)
            (self.folder / "pins" / name).touch()

    def unpin(self, name: str) -> None:
        """Let an edition go with the others."""
        if name in self.pinned():
            (self.folder / "pins" / name).unlink()

    # ------------------------------------------------------------------ files

    def _reading(self) -> Store:
        if self._store is None:
            raise ValueError("these editions were opened without their store")
        return self._store

    def _mark(self) -> tuple[int, int] | None:
        try:
            told = os.stat(self.folder / "current")
        except FileNotFoundError:
            return None
        return told.st_ino, told.st_mtime_ns

    def _path(self, name: str) -> Path:
        if not name.replace("-", "").isalnum():
            raise Gone("数据版本的名称无效", where="edition", remedy="请使用当前版本")
        return self.folder / "editions" / f"{name}.json"

    def _manifest(self, name: str) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads(self._path(name).read_text(encoding="utf-8"))
        return manifest

    def _newest(self) -> dict[str, Any]:
        """What the newest edition was made of; nothing where there is none of this format."""
        names = self.names()
        number = int(names[-1].partition("-")[0]) if names else 0
        try:
            manifest = self._manifest((self.folder / "current").read_text(encoding="utf-8").strip())
        except FileNotFoundError:
            return {"number": number, "layers": {}}
        return {"number": number, "layers": manifest["layers"] if manifest["format"] == FORMAT else {}}

    def _publish_layers(
        self, store: Store, sources: dict[str, str], before: dict[str, Any], progress: Callable[[str], None] | None
    ) -> dict[str, dict[str, str]]:
        layers = {}
        for name, kind in TILE_LAYERS.items():
            known = before["layers"].get(name)
            source = sources[kind.source]
            if known and known["source"] == source and (self.folder / "layers" / known["folder"]).exists():
                layers[name] = known
                continue
            folder = publish_layer(store, kind, self.folder / "layers", progress)
            layers[name] = {"folder": folder.name, "source": source}
        return layers

    def _write(self, number: int, revision: str, layers: dict[str, dict[str, str]]) -> str:
        told = json.dumps(layers, sort_keys=True)
        name = f"{number:06d}-{hashlib.sha256((revision + told).encode()).hexdigest()[:8]}"
        manifest = {
            "format": FORMAT,
            "revision": revision,
            "published_at": datetime.now(ZoneInfo("Asia/Shanghai")).isoformat(timespec="seconds"),
            "layers": layers,
        }
        (self.folder / "editions").mkdir(exist_ok=True)
        _replace(self._path(name), json.dumps(manifest, ensure_ascii=False, indent=1))
        _replace(self.folder / "current", name)
        return name

    def _sweep(self, current: str) -> None:
        """Remove the editions that are neither among the newest nor pinned, and layers that none of the rest has."""
        pinned = set(self.pinned())
        free = [name for name in self.names() if name not in pinned]
        for name in free[: -self._kept]:
            if name != current:
                self._path(name).unlink(missing_ok=True)
        used = {told["folder"] for name in self.names() for told in self._manifest(name)["layers"].values()}
        for folder in (self.folder / "layers").iterdir():
            if folder.name not in used:
                # Who has it mapped goes on reading; the space is given back when the last one lets go.
                shutil.rmtree(folder, ignore_errors=True)
        Shared(self.folder).sweep(used)

    @contextmanager
    def _publisher(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _sources(store: Store) -> dict[str, str]:
    """For each canonical layer what its rows came from: its loads, or the newest run."""
    loads: dict[str, list[str]] = {}
    for load in store.loads():
        loads.setdefault(load.layer, []).append(load.load_id)
    runs = store.runs()
    newest = runs[-1].run_id if runs else ""
    told = {}
    for name, layer in LAYERS.items():
        text = newest if layer.origin == "derived" else "|".join(loads.get(name, []))
        told[name] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return told


def _replace(path: Path, text: str) -> None:
    work = path.with_name(f".{path.name}.{os.getpid()}")
    with work.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(work, path)
