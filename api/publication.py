"""Publishing editions: right after a commit by whoever made it, and by a watcher for commits that others made.

The watcher of one worker asks every other second whether the store has moved on; the edition is then made in a process
of its own, so that no tile waits for it.
"""

from __future__ import annotations

import fcntl
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit, urlunsplit

from api.settings import Settings
from geo.errors import LianpianError
from geo.store.base import Store
from geo.store.opening import open_store
from maps.tiles.keeping import Editions

_log = logging.getLogger("lianpian")
_EVERY_S = 2.0
_LONGEST_PAUSE_S = 60.0
_STOP_S = 5.0


def publish_after_commit(store: Store, settings: Settings, progress: Callable[[str], None] | None = None) -> None:
    """Publish what the store holds now; the commit stands whatever becomes of this.

    Raises
    ------
    LianpianError
        The store does not answer, or the folder of editions cannot be written.
    """
    Editions(settings.editions_folder, store, settings.editions_kept).publish(progress)


class Watcher:
    """A thread that publishes when the store has moved on, in one worker of all.

    Parameters
    ----------
    editions : the editions of the service, with its store
    settings : where the store and the editions are
    every_s : how often the store is asked
    """

    def __init__(self, editions: Editions, settings: Settings, every_s: float = _EVERY_S) -> None:
        self._editions = editions
        self._settings = settings
        self._every_s = every_s
        self._stop = threading.Event()
        self._publishing: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._watch, name="publication", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; an edition that is being made is given up, and its unfinished files with it."""
        self._stop.set()
        with suppress(ProcessLookupError):
            if (running := self._publishing) is not None:
                running.terminate()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def _watch(self) -> None:
        folder = self._settings.editions_folder
        pause_s, silent = self._every_s, False
        while not self._stop.is_set():
            try:
                folder.mkdir(parents=True, exist_ok=True)
                # The one who holds the lock watches; when it dies, the lock is free and another takes over.
                with _held(folder / ".watching") as mine:
                    while mine and not self._stop.wait(pause_s):
                        current = self._editions.is_current()
                        silent = False
                        failed = not current and not self._publish()
                        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S) if failed else self._every_s
            except (LianpianError, OSError) as error:
                if not silent:  # once, not every two seconds while a database is down
                    _log.warning("cannot watch the store: %s", error)
                silent = True
            self._stop.wait(self._every_s)

    def _publish(self) -> bool:
        self._publishing = _begun(self._settings)
        done = _finished(self._publishing, told=not self._stop.is_set())
        self._publishing = None
        return done


def publish_apart(settings: Settings) -> bool:
    """Publish in a process of its own and wait for it; whether it came off. What went wrong is in the log.

    For a worker of the service: its interpreter goes on answering.
    """
    return _finished(_begun(settings))


def _begun(settings: Settings) -> subprocess.Popen[bytes]:
    store, environment = _without_password(settings.store)
    folder, kept = str(settings.editions_folder), str(settings.editions_kept)
    child = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "api.publication", store, folder, kept],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    with suppress(OSError):  # tiles first
        os.setpriority(os.PRIO_PROCESS, child.pid, 10)
    return child


def _finished(child: subprocess.Popen[bytes], *, told: bool = True) -> bool:
    _, said = child.communicate()
    if child.returncode == 0:
        _log.info("edition published")
    elif told:
        _log.error("an edition could not be published: %s", said.decode(errors="replace")[-2000:])
    return child.returncode == 0


def main(store: str, folder: str, kept: str) -> None:
    """Publish in a process of its own: ``python -m api.publication STORE FOLDER KEPT``."""
    opened = open_store(store, create=False, ready=True)
    try:
        Editions(Path(folder), opened, int(kept)).publish()
    finally:
        opened.close()


@contextmanager
def _held(path: Path) -> Iterator[bool]:
    """Whether the lock is ours, for the length of the block."""
    file: IO[str]
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _without_password(store: str) -> tuple[str, dict[str, str]]:
    """The address as others may see it in the list of processes, and an environment that carries its password."""
    environment = dict(os.environ)
    if "://" not in store:
        return store, environment
    parts = urlsplit(store)
    if parts.password is None:
        return store, environment
    environment["PGPASSWORD"] = unquote(parts.password)
    before, _, place = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{before.partition(':')[0]}@{place}")), environment


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except LianpianError as error:
        sys.exit(f"{error.detail} {error.remedy}")
