"""The processes of the service: one or several workers behind one port, each with its own store and event loop."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from socket import socket

from fastapi import FastAPI
from uvicorn import Config, Server
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from api.logs import set_up_logs
from api.settings import Settings
from geo.store.opening import open_store

_log = logging.getLogger("lianpian")
_KEEP_ALIVE_S = 65  # longer than a proxy keeps a connection, so that the proxy closes it and not we
# A worker that does not answer its parent for so long hangs and is replaced; a long import holds the interpreter too.
_HANGS_S = 120


def worker_app(settings: Settings, folder: str, parent: int) -> FastAPI:
    """The application of one worker, as its server asks for it after the process has begun.

    The tables were looked at by the parent; a worker that takes another's place while the database is away starts all
    the same, serves tiles, and asks the store when it is back.
    """
    from api.app import create_app

    log = set_up_logs(settings.log_form, every=settings.log_requests)
    if parent != os.getpid():
        threading.Thread(target=_leave_with, args=(parent,), name="parent", daemon=True).start()
    store = open_store(
        settings.store, create=False, readonly=settings.store_readonly, read_s=settings.read_s, ready=True
    )
    return create_app(store, settings, Path(folder), log)


class Workers(Multiprocess):
    """The parent of the workers: starts another where one died or hangs.

    The server's own parent waits for the answer of each worker in turn, so one that dies between question and answer,
    or hangs, keeps it from the others; this one never waits.
    """

    def __init__(self, config: Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        self._asked: dict[Process, float] = {}

    def keep_subprocess_alive(self) -> None:
        """Replace the workers that died or hang; give up only when not one of them can start."""
        for place, worker in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            if worker.process.is_alive() and not self._hangs(worker):
                continue
            self._asked.pop(worker, None)
            worker.kill()
            worker.join()
            if worker.exitcode == STARTUP_FAILURE and not any(one.process.is_alive() for one in self.processes):
                _log.error("no worker can start")
                self.should_exit.set()
                return
            _log.warning("worker ended, another takes its place", extra={"fields": {"ended": worker.pid}})
            self.processes[place] = Process(self.config, self.sockets)
            self.processes[place].start()

    def _hangs(self, worker: Process) -> bool:
        try:
            if worker not in self._asked:
                worker.parent_conn.send(b"ping")
                self._asked[worker] = time.monotonic()
            elif worker.parent_conn.poll(0):
                worker.parent_conn.recv()
                del self._asked[worker]
            else:
                return time.monotonic() - self._asked[worker] > _HANGS_S
        except (OSError, EOFError):
            return True
        return False


def run_service(settings: Settings) -> None:
    """Serve until told to stop: SIGTERM or SIGINT let running requests finish within ``shutdown_s``, then close.

    Raises
    ------
    LianpianError
        The store is not there, or is none of ours.
    """
    open_store(settings.store, create=False).close()
    set_up_logs(settings.log_form, every=settings.log_requests)
    folder = tempfile.mkdtemp(prefix="lianpian-workers-")
    try:
        config = Config(
            partial(worker_app, settings, folder, os.getpid()),
            factory=True,
            host=settings.host,
            port=settings.port,
            workers=settings.worker_count,
            loop="uvloop",
            http="httptools",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=settings.shutdown_s,
        )
        if settings.worker_count == 1:
            Server(config).run()
        else:
            Workers(config, [config.bind_socket()]).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _leave_with(parent: int) -> None:
    """End this worker in good order when its parent is gone: nobody would ever stop it."""
    pause = threading.Event()
    while os.getppid() == parent:
        pause.wait(1.0)
    os.kill(os.getpid(), signal.SIGTERM)
