"""Import with full quality control beside ``ogr2ogr`` doing the bare copy.

``python -m tests.bench.imports [parcels [folder]]``; the folder keeps the files for the next time.

The same file, the same machine, the same run: GeoPackage and Shapefile into either store. ``ogr2ogr`` looks at nothing
and copies the rows (GPKG to GPKG, and with COPY into PostGIS); the import reads in a separate process, maps, repairs,
measures areas and the coverage, and stores in one transaction.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyogrio
from rich.console import Console
from rich.table import Table

from data.demo.generate import build_district, write_district
from geo.importing import prepare_loads, store_loads
from geo.layers.profiles import plain_profile
from geo.layers.reading import read_file
from geo.store.opening import open_store
from tests.bench.main_job import cpu_s
from tests.cluster import private_cluster


def parcels_as_files(parcels: int, folder: Path) -> dict[str, Path]:
    """The parcels of a demo district as a GeoPackage and as a Shapefile in GBK; made once where the folder is kept."""
    files = {"GeoPackage": folder / "parcels.gpkg", "Shapefile": folder / "parcels.shp"}
    if all(file.exists() for file in files.values()):
        return files
    package = next(path for path in write_district(build_district(parcels), folder) if path.suffix == ".gpkg")
    land = pyogrio.read_dataframe(package, layer="parcels")
    pyogrio.write_dataframe(land, files["GeoPackage"], layer="parcels")
    # Ten bytes a name: the Chinese ones are cut, the values are what counts here.
    short = land.rename(columns={name: name[:10] for name in land.columns if name != "geometry"})
    short = short.loc[:, ~short.columns.duplicated()]
    short = short.rename(columns={"parcel_id": "ZDDM"})
    pyogrio.write_dataframe(short, files["Shapefile"], encoding="GB18030")
    return files


def import_into(url: str, file: Path) -> None:
    """Everything that ``lianpian import`` does."""
    store = open_store(url)
    profile = plain_profile("parcels")
    prepared = prepare_loads(read_file(file), lambda source: profile, standing=store)
    store_loads(store, prepared)
    store.close()


def copy(arguments: list[str]) -> None:
    """One run of ``ogr2ogr``."""
    environment = {**os.environ, "PG_USE_COPY": "YES"}
    subprocess.run(["ogr2ogr", *arguments], check=True, capture_output=True, env=environment)


def measure(parcels: int, kept: Path | None) -> list[tuple[str, float, float, str]]:
    """Rows of (job, CPU s, wall s, ratio of wall seconds to its peer)."""
    rows: list[tuple[str, float, float, str]] = []
    with tempfile.TemporaryDirectory() as name, private_cluster() as cluster:
        folder = Path(name)
        for kind, file in parcels_as_files(parcels, kept or folder).items():
            options = ["-nlt", "PROMOTE_TO_MULTI"] if kind == "Shapefile" else []
            target = folder / f"copy-{kind}.gpkg"
            database = cluster.fresh_database()
            jobs: dict[str, tuple[Any, Any]] = {
                "GeoPackage": (
                    lambda o=options, t=target, f=file: copy([*o, "-f", "GPKG", str(t), str(f)]),
                    lambda k=kind, f=file: import_into(str(folder / f"store-{k}.gpkg"), f),
                ),
                "PostGIS": (
                    lambda o=options, d=database, f=file: copy(
                        [*o, "-f", "PostgreSQL", f"PG:{as_dsn(d)}", str(f), "-nln", "copied", "-lco", "PRECISION=NO"]
                    ),
                    lambda f=file: import_into(cluster.fresh_database(), f),
                ),
            }
            for store, (peer, ours) in jobs.items():
                bare_cpu, bare, _ = cpu_s(peer)
                rows.append((f"ogr2ogr {kind} → {store}", bare_cpu, bare, "1.0"))
                cpu, wall, _ = cpu_s(ours)
                rows.append((f"import {kind} → {store}", cpu, wall, f"{wall / bare:.1f} × copy"))
    return rows


def as_dsn(url: str) -> str:
    """``postgresql:///name?host=…&user=…`` as GDAL writes it."""
    name, _, rest = url.removeprefix("postgresql:///").partition("?")
    return " ".join([f"dbname={name}", *rest.split("&")])


def main() -> None:
    """Print one table."""
    parcels = int(sys.argv[1]) if sys.argv[1:] else 200_000
    kept = Path(sys.argv[2]) if sys.argv[2:] else None
    table = Table("job", "CPU s", "wall s", "ratio", title=f"import of {parcels:,} parcels")
    for job, cpu, wall, ratio in measure(parcels, kept):
        table.add_row(job, f"{cpu:.2f}", f"{wall:.2f}", ratio)
    Console().print(table)


if __name__ == "__main__":
    main()
