"""One load generator for every HTTP target: wrk over a list of addresses, each asked in turn, gzip accepted."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Lua has no JSON: what it measured is printed as one line of numbers behind a mark.
_SCRIPT = """
local requests = {}
local at = 0
local wrong = 0
function init(args)
  for path, etag in io.open(args[1]):read("*a"):gmatch("([^\\t\\n]+)\\t([^\\n]*)\\n") do
    local headers = {["Accept-Encoding"] = "gzip"}
    if etag ~= "" then headers["If-None-Match"] = etag end
    requests[#requests + 1] = wrk.format("GET", path, headers)
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary, latency, each)
  local errors = summary.errors
  print(string.format("MEASURED %d %d %d %d %f %f", summary.requests, summary.duration, summary.bytes,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Reading:
    """What one round of load gave: answers a second, KiB an answer as sent, milliseconds, failed answers."""

    per_second: float
    kib: float
    p50_ms: float
    p99_ms: float
    errors: int


def generator_missing() -> str | None:
    """What to install where wrk is missing."""
    return None if shutil.which("wrk") else "wrk is missing: apt-get install wrk"


def pull(
    base: str, paths: Sequence[str], seconds: float, connections: int, etags: Mapping[str, str] | None = None
) -> Reading:
    """Ask for the paths in turn for some seconds.

    Parameters
    ----------
    base : ``http://127.0.0.1:port``
    paths : what to ask for, with its query
    seconds, connections : how long, and over how many connections that stay open
    etags : path -> ETag to send as ``If-None-Match``
    """
    with tempfile.TemporaryDirectory() as name:
        script, wanted = Path(name) / "pull.lua", Path(name) / "paths"
        script.write_text(_SCRIPT)
        wanted.write_text("".join(f"{path}\t{(etags or {}).get(path, '')}\n" for path in paths))
        command = [
            "wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "60s", "-s", str(script),
            base, "--", str(wanted),
        ]  # fmt: skip
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    answers, micros, size, errors, p50, p99 = map(float, told.split("MEASURED ", 1)[1].split())
    return Reading(answers / (micros / 1e6), size / 1024 / max(answers, 1), p50 / 1000, p99 / 1000, int(errors))


def median(readings: Sequence[Reading]) -> Reading:
    """The reading of the middle round, by answers a second; errors of all rounds."""
    middle = sorted(readings, key=lambda reading: reading.per_second)[len(readings) // 2]
    return Reading(middle.per_second, middle.kib, middle.p50_ms, middle.p99_ms, sum(each.errors for each in readings))


def as_json(rows: Sequence[Mapping[str, object]]) -> str:
    """One JSON document of all rows."""
    return json.dumps(list(rows), ensure_ascii=False, indent=1, default=vars)
