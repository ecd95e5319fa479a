"""The tables that the peers read, and the ceiling: ``ST_AsMVT`` itself, by pgbench, without any server in front."""

from __future__ import annotations

import io
import math
import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psycopg2
import shapely

from tests.bench.serving_rig.district import ATTRIBUTES, District
from tests.bench.serving_rig.load import Reading
from tests.cluster import Cluster

SLIM = ("parcel_id", "land_use", "town", "status", "area_m2")
_TYPES = {"contract_date": "date", "floor_area_m2": "double precision", "area_m2": "double precision"}
_BOX = "ST_TileEnvelope({z}, {x}, {y}, margin => 64.0 / 4096)"
# No ``geom IS NOT NULL`` around it: the planner would work ST_AsMVTGeom out twice.
_TILE = (
    "SELECT ST_AsMVT(m, 'parcels', 4096, 'geom', 'id') FROM (SELECT id, {columns}, "
    "ST_AsMVTGeom(geom_3857, ST_TileEnvelope({z}, {x}, {y}), 4096, 64, true) AS geom "
    "FROM ceiling.parcels WHERE geom_3857 && " + _BOX + ") m"
)


def load_peers(cluster: Cluster, district: District) -> str:
    """A database with ``public.parcels`` (EPSG:4326, for tipg and MapServer) and ``ceiling.parcels``; its address.

    Both lie in the order of a Hilbert curve and have the indexes that a careful owner would give them.
    """
    url = cluster.fresh_database()
    frame = district.parcels
    order = np.argsort(frame.geometry.hilbert_distance().to_numpy(), kind="stable")
    frame = frame.iloc[order]
    listed = ", ".join(f"{name} {_TYPES.get(name, 'text')}" for name in ATTRIBUTES)
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE parcels (id bigint PRIMARY KEY, {listed}, geom geometry(Polygon, 4326))")
        table = frame[list(ATTRIBUTES)].copy()
        table.insert(0, "id", np.arange(1, len(frame) + 1))
        table["contract_date"] = table["contract_date"].dt.strftime("%Y-%m-%d")
        table["geom"] = shapely.to_wkb(shapely.set_srid(frame.geometry.to_numpy(), 4326), hex=True, include_srid=True)
        cursor.copy_expert(
            "COPY parcels FROM STDIN WITH (FORMAT csv)",
            io.StringIO(table.to_csv(header=False, index=False)),
        )
        cursor.execute("CREATE INDEX ON parcels USING gist (geom)")
        for name in ("area_m2", "status"):
            cursor.execute(f"CREATE INDEX ON parcels ({name})")
        cursor.execute("CREATE SCHEMA ceiling")
        cursor.execute(
            f"CREATE TABLE ceiling.parcels (id bigint PRIMARY KEY, {listed}, geom geometry(Polygon, 4490), "
            "geom_3857 geometry(Polygon, 3857) GENERATED ALWAYS AS (ST_Transform(geom, 3857)) STORED)"
        )
        names = ", ".join(ATTRIBUTES)
        cursor.execute(
            f"INSERT INTO ceiling.parcels (id, {names}, geom) SELECT id, {names}, ST_SetSRID(geom, 4490) FROM parcels "
            "ORDER BY id"
        )
        cursor.execute("CREATE INDEX ON ceiling.parcels USING gist (geom_3857)")
    cluster.execute("VACUUM ANALYZE parcels", url)
    cluster.execute("VACUUM ANALYZE ceiling.parcels", url)
    return url


def expected_features(url: str, tiles: Sequence[tuple[int, int, int]]) -> int:
    """How many features the tiles hold, each with its buffer of 64/4096, exactly."""
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        found = 0
        for z, x, y in tiles:
            box = _BOX.format(z=z, x=x, y=y)
            cursor.execute(f"SELECT count(*) FROM ceiling.parcels WHERE ST_Intersects(geom_3857, {box})")
            found += cursor.fetchone()[0]
    return found


def run_ceiling(
    cluster: Cluster,
    url: str,
    zoom: int,
    matrix: tuple[int, int, int, int],
    columns: Sequence[str],
    seconds: float,
    clients: int = 2,
) -> Reading:
    """``ST_AsMVT`` by pgbench: prepared, tiles at random out of ``matrix`` (first x, last x, first y, last y)."""
    sql = _TILE.format(z=":z::int", x=":x::int", y=":y::int", columns=", ".join(columns))
    first_x, last_x, first_y, last_y = matrix
    script = f"\\set z {zoom}\n\\set x random({first_x}, {last_x})\n\\set y random({first_y}, {last_y})\n{sql};\n"
    database = re.match(r"postgresql:///(\w+)", url)[1]  # type: ignore[index]
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "tile.sql"
        file.write_text(script)
        command = [
            str(cluster.programs / "pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j", "1",
            "-T", str(max(1, math.ceil(seconds))), "-f", str(file), "--log", f"--log-prefix={name}/log",
            "-h", str(cluster.home), "-U", "lianpian", database,
        ]  # fmt: skip
        environment = {**os.environ, "PGOPTIONS": "-c jit=off"}
        told = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
        logs = [np.loadtxt(log, usecols=2, ndmin=1) for log in Path(name).glob("log*")]
    micros = np.concatenate(logs)
    rate = float(re.search(r"tps = ([\d.]+)", told)[1])  # type: ignore[index]
    return Reading(rate, 0.0, float(np.median(micros)) / 1000, float(np.percentile(micros, 99)) / 1000, 0)
