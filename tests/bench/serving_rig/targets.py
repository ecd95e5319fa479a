"""Servers under test as real processes on this machine: this service, tipg, MapServer. Each says how it is asked."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

Tile = tuple[int, int, int]
_START_S = 300.0


@dataclass(frozen=True)
class Target:
    """A running server.

    ``tile`` z, x, y -> path; ``items`` name of a request -> paths; ``start_s`` seconds from the command to the first
    answer; ``root`` id of its first process.
    """

    name: str
    base: str
    tile: Callable[[Tile], str]
    start_s: float
    root: int

    def memory_mib(self) -> tuple[float, float]:
        """Sum over its processes of the peak resident set, and of the proportional share now (shared pages once)."""
        peak = share = 0.0
        for process in _family(self.root):
            try:
                status = Path(f"/proc/{process}/status").read_text()
                rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
            except OSError:  # it has just ended
                continue
            peak += _kib(status, "VmHWM:")
            share += _kib(rollup, "Pss:")
        return peak / 1024, share / 1024


def _kib(text: str, mark: str) -> float:
    return next((float(line.split()[1]) for line in text.splitlines() if line.startswith(mark)), 0.0)


def _family(root: int) -> list[int]:
    """A process and all that it started."""
    found, at = [root], 0
    while at < len(found):
        for task in Path(f"/proc/{found[at]}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
        at += 1
    return found


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def get(url: str, headers: Mapping[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (lower case) and body, as they are sent."""
    asked = urllib.request.Request(url, headers=dict(headers or {}))
    try:
        with urllib.request.urlopen(asked, timeout=120) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, {name.lower(): value for name, value in error.headers.items()}, error.read()


@contextmanager
def running(
    name: str,
    command: Sequence[str],
    port: int,
    ready: str,
    tile: Callable[[Tile], str],
    log: Path,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[Target]:
    """Start a server, wait until ``ready`` answers, and stop it with all its processes at the end."""
    base = f"http://127.0.0.1:{port}"
    start = time.perf_counter()
    with log.open("ab") as words:
        server = subprocess.Popen(
            command, stdout=words, stderr=words, cwd=cwd, env={**os.environ, **(environment or {})},
            start_new_session=True,
        )  # fmt: skip
    try:
        while True:
            try:
                if get(base + ready)[0] < 500:
                    break
            except OSError:
                pass
            if server.poll() is not None or time.perf_counter() - start > _START_S:
                raise RuntimeError(f"{name} did not start:\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.02)
        yield Target(name, base, tile, time.perf_counter() - start, server.pid)
    finally:
        # Its own session, so its group holds its workers and nothing else.
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(10)


@contextmanager
def this_service(
    name: str, store: str, folder: Path, query: str = "", workers: int = 2, cached: bool = True
) -> Iterator[Target]:
    """``lianpian serve`` over a store; ``query`` goes with every tile; without ``cached`` each tile is made anew."""
    port = free_port()
    command = [
        str(Path(sys.executable).with_name("lianpian")), "serve", "--store", store, "--port", str(port),
        "--workers", str(workers),
    ]  # fmt: skip
    environment = {"LIANPIAN_LOG_REQUESTS": "0"}  # as the peers: no line for every request
    if "://" in store:
        environment["LIANPIAN_EDITIONS"] = str(folder / "editions")
    if not cached:
        environment["LIANPIAN_TILE_CACHE_MB"] = "0"
    suffix = f"?{query}" if query else ""

    def tile(address: Tile) -> str:
        z, x, y = address
        return f"/tiles/parcels/{z}/{x}/{y}.mvt{suffix}"

    with running(name, command, port, "/healthz", tile, folder / "lianpian.log", environment, folder) as target:
        yield target


def tipg_program(venv: Path) -> Path | None:
    """Uvicorn of the environment that tipg is installed in; ``None`` where there is none."""
    program = venv / "bin" / "uvicorn"
    return program if program.exists() and list(venv.glob("lib/python*/site-packages/tipg")) else None


@contextmanager
def tipg(program: Path, socket_folder: Path, database: str, workers: int, log: Path) -> Iterator[Target]:
    """tipg as shipped, over a database on a unix socket."""
    port = free_port()
    host = str(socket_folder).replace("/", "%2F")
    command = [
        str(program), "tipg.main:app", "--host", "127.0.0.1", "--port", str(port), "--workers", str(workers),
        "--no-access-log", "--log-level", "warning",
    ]  # fmt: skip
    environment = {"DATABASE_URL": f"postgresql://lianpian@{host}:5432/{database}"}

    def tile(address: Tile) -> str:
        z, x, y = address
        return f"/collections/public.parcels/tiles/WebMercatorQuad/{z}/{x}/{y}"

    ready = "/collections/public.parcels"
    with running(
        f"tipg, {workers} worker{'s' * (workers > 1)}", command, port, ready, tile, log, environment
    ) as target:
        yield target


_MAPFILE = """MAP
  NAME "bench"
  SIZE 256 256
  PROJECTION "init=epsg:3857" END
  OUTPUTFORMAT
    NAME "mvt"
    DRIVER MVT
    MIMETYPE "application/x-protobuf"
    FORMATOPTION "EXTENT=4096"
    FORMATOPTION "EDGE_BUFFER=64"
  END
  WEB METADATA "ows_enable_request" "*" "ows_title" "bench" "ows_onlineresource" "http://127.0.0.1/" END END
  LAYER
    NAME "parcels"
    TYPE POLYGON
    STATUS ON
    CONNECTIONTYPE POSTGIS
    CONNECTION "host={host} user=lianpian dbname={database}"
    DATA "geom FROM parcels USING UNIQUE id USING SRID=4326"
    PROCESSING "CLOSE_CONNECTION=DEFER"
    PROJECTION "init=epsg:4326" END
    METADATA "gml_include_items" "all" "ows_title" "parcels" END
    CLASS STYLE COLOR 0 0 0 END END
  END
END
"""
_CONFIG = 'CONFIG\n ENV MS_MAP_PATTERN "." END\n MAPS bench "{mapfile}" END\nEND\n'
_LIGHTTPD = """server.modules = ("mod_fastcgi", "mod_deflate")
server.document-root = "{folder}"
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = "{folder}/lighttpd.err"
deflate.allowed-encodings = ("gzip")
deflate.mimetypes = ("application/x-protobuf", "application/vnd.mapbox-vector-tile", "application/json")
fastcgi.server = ("/map" => ((
  "socket" => "{folder}/mapserv.sock", "bin-path" => "{mapserv}", "check-local" => "disable",
  "min-procs" => 2, "max-procs" => 2, "bin-environment" => (
  "MS_MAPFILE" => "{mapfile}", "MAPSERVER_CONFIG_FILE" => "{config}"))))
"""


def mapserver_programs() -> tuple[str, str] | None:
    """mapserv and lighttpd; ``None`` where one is missing."""
    mapserv = shutil.which("mapserv") or next(
        (path for path in ("/usr/lib/cgi-bin/mapserv",) if os.path.exists(path)), None
    )
    lighttpd = shutil.which("lighttpd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return (mapserv, lighttpd) if mapserv and lighttpd else None


@contextmanager
def mapserver(programs: tuple[str, str], socket_folder: Path, database: str, folder: Path) -> Iterator[Target]:
    """MapServer by FastCGI behind lighttpd, two processes that keep their connections."""
    mapserv, lighttpd = programs
    port = free_port()
    folder.mkdir(exist_ok=True)
    mapfile, config, settings = folder / "bench.map", folder / "mapserver.conf", folder / "lighttpd.conf"
    mapfile.write_text(_MAPFILE.format(host=socket_folder, database=database))
    config.write_text(_CONFIG.format(mapfile=mapfile))
    settings.write_text(_LIGHTTPD.format(folder=folder, port=port, mapserv=mapserv, mapfile=mapfile, config=config))

    def tile(address: Tile) -> str:
        z, x, y = address
        return f"/map?map=bench&mode=tile&tilemode=gmap&layers=parcels&map.imagetype=mvt&tile={x}+{y}+{z}"

    command = [lighttpd, "-D", "-f", str(settings)]
    ready = tile((8, 213, 104))
    with running("MapServer, 2 processes", command, port, ready, tile, folder / "lighttpd.log") as target:
        yield target
