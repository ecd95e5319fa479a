"""The service as an office runs it: started by the command, in processes of its own, on a free port of this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

START_S = 90


@dataclass(frozen=True)
class Running:
    """A service that runs: its address, its first process, what it says on stderr."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def workers(self) -> list[int]:
        """Processes that answer requests."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(path.read_text().rpartition(")")[2].split()[1])
                command = (path.parent / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == self.process.pid and b"spawn_main" in command:
                found.append(int(path.parent.name))
        return found

    def until(self, path: str, status: int, within_s: float = 30) -> httpx.Response:
        """The answer to ``path`` once it has this status."""
        deadline = time.monotonic() + within_s
        while True:
            try:
                answer = httpx.get(self.url + path, timeout=30)
                if answer.status_code == status:
                    return answer
                said = f"{answer.status_code} {answer.text[:200]}"
            except httpx.TransportError as error:
                said = repr(error)
            assert time.monotonic() < deadline, f"{path}: {said}\n{self.log.read_text()[-2000:]}"
            time.sleep(0.1)


@contextmanager
def running_service(folder: Path, store: str, **settings: object) -> Iterator[Running]:
    """A service over a store, with further ``LIANPIAN_*`` settings; stopped at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "service.log"
    given = {"STORE": store, "PORT": port, "LOG_FORM": "json", **settings}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LIANPIAN_")}
    environment |= {f"LIANPIAN_{name.upper()}": str(value) for name, value in given.items()}
    with log.open("wb") as words:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli", "serve"], env=environment, stdout=subprocess.DEVNULL, stderr=words
        )
    running = Running(f"http://127.0.0.1:{port}", process, log)
    try:
        running.until("/healthz", 200, START_S)
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
