"""Contiguity beside its peers, the same gap in the same run: ``python -m tests.bench.contiguity [parcels …]``.

Every method works on the same polygons (metres, all parcels of the demo district, or a GeoParquet file such as
Baltimore's parcels given as ``file=PATH``) in a process of its own: CPU and wall seconds from polygons in memory to the
label of each, peak memory above that of the loaded layer, number of groups, and whether the partition is that of
``STRtree.query(dwithin)``. A peer that is not installed is said to be absent: ``pip install libpysal duckdb``.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo import crs
from geo.plots.contiguity import Reaches, relate
from geo.plots.exclusion import Walls
from geo.plots.proximity import groups_within
from tests.bench.main_job import cpu_s

Labels = NDArray[Any]
FRONTAGE_M = 10.0
_SLACK_M = 1e-9


def components(first: Any, second: Any, count: int) -> Labels:
    """Labels of connected components from pairs."""
    graph = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1])


def own_gap(land: Any, gap_m: float) -> Labels:
    return groups_within(land, gap_m)


def own_relation(land: Any, gap_m: float, walls: Walls | None = None) -> Labels:
    nothing = np.empty(0, dtype=object)
    reaches = Reaches(gap_m, 0.1)
    relation = relate(land, walls or Walls(nothing, nothing, nothing), reaches)
    return relation.components(relation.joined(reaches.reach_m, FRONTAGE_M))


def own_relation_with_barriers(land: Any, gap_m: float) -> Labels:
    """Straight barriers every 500 m across the whole layer, never crossed."""
    west, south, east, north = shapely.total_bounds(land)
    across = [shapely.LineString([(x, south), (x + 200, north)]) for x in np.arange(west, east, 500.0)]
    along = [shapely.LineString([(west, y), (east, y + 200)]) for y in np.arange(south, north, 500.0)]
    lines = np.array([*across, *along], dtype=object)
    # In lengths of about a kilometre, as a layer of railways has them.
    lines = shapely.segmentize(lines, 1000.0)
    parts = np.concatenate(
        [shapely.linestrings(np.stack([xy[:-1], xy[1:]], axis=1)) for xy in map(shapely.get_coordinates, lines)]
    )
    kinds = np.full(len(parts), "railway", dtype=object)
    return own_relation(land, gap_m, Walls(parts, kinds, kinds))


def shapely_dwithin(land: Any, gap_m: float) -> Labels:
    first, second = shapely.STRtree(land).query(land, predicate="dwithin", distance=gap_m + _SLACK_M)
    return components(first, second, len(land))


def geopandas_sjoin(land: Any, gap_m: float) -> Labels:
    frame = gpd.GeoDataFrame(geometry=land)
    joined = gpd.sjoin(frame, frame, predicate="dwithin", distance=gap_m + _SLACK_M)
    return components(joined.index.to_numpy(), joined["index_right"].to_numpy(), len(land))


def libpysal_fuzzy(land: Any, gap_m: float) -> Labels:
    from libpysal.graph import Graph

    frame = gpd.GeoDataFrame(geometry=land)
    graph = Graph.build_fuzzy_contiguity(frame, buffer=max(gap_m / 2, 1e-9))
    return np.asarray(graph.component_labels)


def duckdb_join(land: Any, gap_m: float) -> Labels:
    import duckdb

    connection = duckdb.connect()
    connection.execute("LOAD spatial")
    wkb = shapely.to_wkb(land)
    table = gpd.pd.DataFrame({"id": np.arange(len(land)), "wkb": wkb})
    connection.register("raw", table)
    connection.execute("CREATE TABLE land AS SELECT id, ST_GeomFromWKB(wkb) AS geom FROM raw")
    pairs = connection.execute(
        "SELECT a.id, b.id FROM land a JOIN land b ON ST_DWithin(a.geom, b.geom, ?)", [gap_m + _SLACK_M]
    ).fetchnumpy()
    first, second = pairs.values()
    return components(first, second, len(land))


def geos_clusters(land: Any, gap_m: float) -> Labels:
    if not hasattr(shapely, "cluster_geometry_distance"):
        raise ImportError("this shapely does not wrap GEOS's clusters")
    return np.asarray(shapely.cluster_geometry_distance(land, gap_m))


METHODS: dict[str, Callable[[Any, float], Labels]] = {
    "own: gap only": own_gap,
    "own: frontage, evidence of each pair": own_relation,
    "own: the same with barriers every 500 m": own_relation_with_barriers,
    "shapely STRtree dwithin + scipy": shapely_dwithin,
    "geopandas sjoin dwithin + scipy": geopandas_sjoin,
    "libpysal fuzzy_contiguity": libpysal_fuzzy,
    "DuckDB spatial join + scipy": duckdb_join,
    "GEOS clusters by shapely": geos_clusters,
}
POSTGIS = "PostGIS ST_ClusterDBSCAN, loaded"


def peak_mb() -> float:
    """Peak resident memory of this process since ``reset_peak``."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def reset_peak() -> float:
    """Forget the peak; the memory that is held now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return peak_mb()


def one(method: str, layer: Path, gap_m: float, out: Path) -> None:
    """Run one method in this process and write down what it took."""
    land = shapely.from_wkb(np.load(layer, allow_pickle=True))
    work = METHODS[method]
    try:
        work(land[:50], gap_m)  # imports and compiles outside the clock
        before = reset_peak()
        cpu, wall, label = cpu_s(lambda: work(land, gap_m))
    except Exception as error:  # a peer that is absent or gives up is a row of the table
        out.write_text(json.dumps({"failed": f"{type(error).__name__}: {str(error)[:80]}"}), encoding="utf-8")
        return
    groups = np.unique(label, return_inverse=True)[1]
    np.save(out.with_suffix(".npy"), groups)
    told = {"cpu": cpu, "wall": wall, "mb": peak_mb() - before, "groups": int(groups.max()) + 1}
    out.write_text(json.dumps(told), encoding="utf-8")


def same(one_label: Labels, other: Labels) -> bool:
    """Whether two labellings are the same partition."""
    pairs = np.unique(np.column_stack([one_label, other]), axis=0)
    return len(pairs) == one_label.max() + 1 == other.max() + 1


def backend_cpu(pid: int) -> float:
    """CPU seconds of a PostgreSQL backend."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def dbscan(url: str, gap_m: float, out: Path) -> None:
    """PostGIS's row: CPU and memory of its backend, loading apart."""
    import psycopg2

    connection = psycopg2.connect(url)
    pid = connection.info.backend_pid
    cursor = connection.cursor()
    cursor.execute("SET max_parallel_workers_per_gather = 0")
    before, start = backend_cpu(pid), time.perf_counter()
    cursor.execute("SELECT id, ST_ClusterDBSCAN(geom, %s, 1) OVER () AS c FROM land", (gap_m + _SLACK_M,))
    rows = np.array(cursor.fetchall(), dtype=np.int64)
    wall, used = time.perf_counter() - start, backend_cpu(pid) - before
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    mb = int(status.split("VmHWM:")[1].split()[0]) / 1024
    label = np.empty(len(rows), dtype=np.int64)
    label[rows[:, 0]] = np.unique(rows[:, 1], return_inverse=True)[1]
    np.save(out.with_suffix(".npy"), label)
    told = {"cpu": used, "wall": wall, "mb": mb, "groups": int(label.max()) + 1}
    out.write_text(json.dumps(told), encoding="utf-8")
    connection.close()


def load_postgis(url: str, land: Any) -> None:
    """The layer in PostGIS, with an index."""
    import io

    import psycopg2

    connection = psycopg2.connect(url)
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE land (id int PRIMARY KEY, geom geometry)")
    hexed = shapely.to_wkb(land, hex=True)
    cursor.copy_expert(
        "COPY land FROM STDIN", io.StringIO("".join(f"{row}\t{text}\n" for row, text in enumerate(hexed)))
    )
    cursor.execute("CREATE INDEX ON land USING gist (geom)")
    connection.commit()
    connection.close()


def measure(name: str, land: Any, gap_m: float, table: Table) -> None:
    """All methods on one layer."""
    from tests.cluster import private_cluster

    vertices = int(shapely.get_num_coordinates(land).sum())
    truth: Labels | None = None
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        layer = Path(folder) / "land.npy"
        np.save(layer, shapely.to_wkb(land), allow_pickle=True)
        for number, method in enumerate((*METHODS, POSTGIS)):
            out = Path(folder) / f"{number}.json"
            if method == POSTGIS:
                with private_cluster() as cluster:
                    url = cluster.fresh_database()
                    load_postgis(url, land)
                    dbscan(url, gap_m, out)
            else:
                command = [sys.executable, "-m", "tests.bench.contiguity", "--one", method, str(layer), str(gap_m)]
                subprocess.run([*command, str(out)], check=True)
            rows[method] = json.loads(out.read_text(encoding="utf-8"))
            if out.with_suffix(".npy").exists():
                rows[method]["label"] = np.load(out.with_suffix(".npy"))
        truth = rows["shapely STRtree dwithin + scipy"].get("label")
    base = rows["own: gap only"]["cpu"]
    for method, row in rows.items():
        if "failed" in row:
            table.add_row(name, f"{len(land):,}", method, "—", "—", "—", "—", "—", row["failed"])
            continue
        equal = "yes" if truth is not None and same(row["label"], truth) else "no"
        if method.startswith("own: ") and "gap" not in method:
            equal = "by frontage"
        table.add_row(
            name, f"{len(land):,}", method, f"{row['cpu']:.2f}", f"{row['cpu'] / base:.1f}", f"{row['wall']:.2f}",
            f"{row['mb']:.0f}", f"{row['groups']:,}", equal,
        )  # fmt: skip
    table.add_section()
    print(f"{name}: {len(land):,} polygons, {vertices:,} vertices", file=sys.stderr)


def layer_of(text: str) -> tuple[str, Any]:
    """A layer in metres: the demo district with so many parcels, or the polygons of a GeoParquet file."""
    if text.startswith("file="):
        frame = gpd.read_parquet(text.removeprefix("file="))
        land = np.asarray(frame.to_crs(4490).geometry.make_valid().array)
        parts = shapely.get_parts(land)
        land = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
        return Path(text).parent.name, crs.to_metric(land, crs.central_longitude(land))
    from data.demo.generate import build_district

    land = np.asarray(build_district(int(text)).layers["parcels"].geometry.array)
    return "demo", crs.to_metric(land, crs.central_longitude(land))


def main() -> None:
    """One table for all layers."""
    if sys.argv[1:2] == ["--one"]:
        _, _, method, layer, gap, out = sys.argv
        one(method, Path(layer), float(gap), Path(out))
        return
    table = Table(
        "layer", "parcels", "method", "CPU s", "× own", "wall s", "MB above", "groups", "same as dwithin",
        title="contiguity, gap 20 m",
    )  # fmt: skip
    for text in sys.argv[1:] or ["10000", "100000"]:
        measure(*layer_of(text), 20.0, table)
    Console(width=150).print(table)
    print(f"peak of the parent {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB", file=sys.stderr)


if __name__ == "__main__":
    main()
