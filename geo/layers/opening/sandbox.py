"""The separate process that parses foreign files: started with nothing it does not need, ended with all it began."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from geo.errors import InvalidInput, InvalidParameter
from geo.layers.opening.limits import Limits

ALLOWED_DRIVERS = frozenset(
    {"GPKG", "ESRI Shapefile", "GeoJSON", "GeoJSONSeq", "FlatGeobuf", "OpenFileGDB", "KML", "LIBKML"}
)
_KEPT = ("PATH", "PROJ_DATA", "PROJ_LIB", "LD_LIBRARY_PATH", "SYSTEMROOT", "TZ")
_CLONE_NEWNET, _CLONE_NEWUSER = 0x40000000, 0x10000000


def run_worker(
    request: dict[str, Any], folder: Path, limits: Limits, *, where: str, progress: Callable[[str], None]
) -> Callable[[], dict[str, Any]]:
    """Start the reading process; the answer is what the returned function waits for.

    Parameters
    ----------
    request : what ``geo.layers.opening.worker`` is asked
    folder : temporary folder, its working directory and all that it may fill; it removes the folder itself if this
        process dies before it
    where : name of the file, for messages

    Raises
    ------
    InvalidInput, InvalidParameter
        By the returned function: what the reading process refused, or that it took too long, too much, or crashed.
    """
    command = [sys.executable, "-P", "-m", "geo.layers.opening.worker"]
    errors = folder / "stderr"
    with errors.open("wb") as sink:
        # The command is this interpreter and this module; the request goes through a pipe, never a shell line.
        process = subprocess.Popen(  # noqa: S603
            command, env=_environment(folder), cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sink,
            start_new_session=True,
        )  # fmt: skip
    requests, lines = process.stdin, process.stdout
    assert requests is not None
    assert lines is not None
    late = threading.Event()

    def end() -> None:
        late.set()
        _kill(process)

    timer = threading.Timer(limits.time_s, end)
    timer.daemon = True
    timer.start()
    line = json.dumps({**request, "limits": asdict(limits), "folder": str(folder)}, ensure_ascii=False) + "\n"
    with suppress(BrokenPipeError):
        # The pipe stays open: its end tells the process that nobody waits any more.
        requests.write(line.encode())
        requests.flush()

    def wait() -> dict[str, Any]:
        answer: dict[str, Any] | None = None
        try:
            for raw in lines:
                told = json.loads(raw)
                if "progress" in told:
                    progress(told["progress"])
                else:
                    answer = told
            process.wait()
        finally:
            timer.cancel()
            _kill(process)
            process.wait()
            with suppress(BrokenPipeError):
                requests.close()
            lines.close()
        if late.is_set():
            raise InvalidInput(f"读取超过 {limits.time_s:,.0f} 秒，已停止", where=where, remedy="请拆分文件")
        if answer is None:
            raise _crashed(process.returncode, errors, where)
        if (refused := answer.get("error")) is not None:
            kind = InvalidParameter if refused["kind"] == "InvalidParameter" else InvalidInput
            raise kind(refused["detail"], where=refused["where"], remedy=refused["remedy"])
        return answer

    return wait


def _environment(folder: Path) -> dict[str, str]:
    """What the process needs and nothing else: no settings, no passwords, no way to the network."""
    # Here, since the process that is started imports this module too, before it knows what it needs.
    import pyogrio

    switched_off = [name for name in pyogrio.list_drivers() if name not in ALLOWED_DRIVERS]
    own = [entry for entry in sys.path if entry and os.path.isabs(entry)]
    return {
        **{name: value for name, value in os.environ.items() if name in _KEPT},
        "PYTHONPATH": os.pathsep.join(own),
        "PYTHONUTF8": "1",
        "LC_ALL": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        # The VRT reader of vectors is called OGR_VRT; skipping VRT alone leaves it on.
        "GDAL_SKIP": ",".join(sorted({*switched_off, "OGR_VRT"})),
        "GDAL_PAM_ENABLED": "NO",
        "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
        # A file may name an address for its coordinate system; where the network cannot be left, nothing answers here.
        "GDAL_HTTP_PROXY": "http://127.0.0.1:1",
        "GDAL_HTTPS_PROXY": "http://127.0.0.1:1",
        "GDAL_HTTP_TIMEOUT": "1",
        "GDAL_HTTP_MAX_RETRY": "0",
        "PROJ_NETWORK": "OFF",
        "OGR_SQLITE_LOAD_EXTENSIONS": "",
        "OGR_GEOJSON_MAX_OBJ_SIZE": "512",
        "SHAPE_RESTORE_SHX": "YES",
        "CPL_TMPDIR": str(folder),
        "OPENBLAS_NUM_THREADS": "1",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
    }


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and all that it started."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _crashed(code: int, errors: Path, where: str) -> InvalidInput:
    words = errors.read_text("utf-8", "replace").strip().splitlines() if errors.exists() else []
    words = [line for line in words if not line.startswith("Warning")]
    last = f"：{words[-1][:160]}" if words else ""
    if code == -signal.SIGKILL or any("MemoryError" in line or "bad_alloc" in line for line in words):
        return InvalidInput("文件无法读取：内存超过上限，已停止", where=where, remedy="请拆分文件")
    return InvalidInput(f"文件无法读取（读取进程异常退出{last}）", where=where, remedy="请用 GIS 软件检查后另存")


def confine(limits: Limits) -> None:
    """Bind the process that calls this: memory, processor time, output, no core dump and, where allowed, no network."""
    import resource

    bounds = {
        resource.RLIMIT_AS: limits.memory_bytes,
        resource.RLIMIT_CPU: int(limits.time_s * 4) + 1,
        resource.RLIMIT_FSIZE: limits.output_bytes,
        resource.RLIMIT_CORE: 0,
    }
    for which, most in bounds.items():
        hard = resource.getrlimit(which)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (most, most))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _without_network()


def _without_network() -> None:
    """Leave the network where the kernel lets a process do so; elsewhere no reader that is allowed uses it anyway."""
    import ctypes

    flags = _CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWNET | _CLONE_NEWUSER
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).unshare(flags)


def leave_with(folder: Path) -> None:
    """End this process, and its temporary folder with it, when the one that started it is gone."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1 << 16):
            pass
        clear(folder)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def clear(folder: Path) -> None:
    """Remove a folder that another thread may still be filling: again until it is gone."""
    for _ in range(500):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.01)
