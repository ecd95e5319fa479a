"""Hostile files: each is refused with one message, reads nothing else, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import struct
import subprocess
import sys
import tempfile
import textwrap
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from geo.errors import InvalidInput
from geo.layers.opening.limits import Limits
from geo.layers.reading import SUFFIXES, SourceLayer, read_file

QUICK = Limits(time_s=60)


@pytest.fixture(autouse=True)
def nothing_stays(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Temporary folders go here; whatever happens in a test, none is left."""
    home = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    yield home
    assert list(home.iterdir()) == []


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A pipe in place of a private file: whoever opens it waits for ever, and the time limit tells."""
    path = tmp_path / "secret.gpkg"
    os.mkfifo(path)
    return path


def refused(path: Path, limits: Limits = QUICK) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        read_file(path, limits=limits)
    error = caught.value
    assert error.remedy
    assert error.where
    assert "\n" not in str(error)
    assert "停止" not in str(error), "it waited for the secret"
    return error


def outcome(path: Path) -> list[SourceLayer] | InvalidInput:
    """Layers, or the one refusal; anything else fails the test."""
    try:
        return read_file(path, limits=QUICK)
    except InvalidInput as error:
        return error


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(name.replace("__", "."), data)
    return path


def vrt(secret: Path) -> bytes:
    return (
        f'<OGRVRTDataSource><!-- <kml --><OGRVRTLayer name="x"><SrcDataSource>{secret}</SrcDataSource>'
        "</OGRVRTLayer></OGRVRTDataSource>"
    ).encode()


# --- one file made to look like another


@pytest.mark.parametrize("suffix", [each for each in SUFFIXES if each != ".gdb"])
def test_a_vrt_under_any_name_reads_nothing_beside_it(tmp_path: Path, secret: Path, suffix: str) -> None:
    path = tmp_path / f"mask{suffix}"
    path.write_bytes(vrt(secret))
    refused(path)


@pytest.mark.parametrize("suffix", [".kml", ".geojson", ".gpkg", ".shp", ".csv"])
def test_a_vrt_in_an_archive_reads_nothing_beside_it(tmp_path: Path, secret: Path, suffix: str) -> None:
    refused(zipped(tmp_path / "mask.zip", **{f"mask__{suffix[1:]}": vrt(secret)}))


def test_a_vrt_in_a_kmz_reads_nothing_beside_it(tmp_path: Path, secret: Path) -> None:
    refused(zipped(tmp_path / "mask.kmz", doc__kml=vrt(secret)))


@pytest.mark.parametrize(
    "command", ["gdal vector pipeline ! read {secret} ! write x.gpkg", "gdal vector info {secret}"]
)
def test_a_command_line_in_json_is_not_run(tmp_path: Path, secret: Path, command: str) -> None:
    path = tmp_path / "mask.json"
    path.write_text(json.dumps({"type": "gdal_streamed_alg", "command_line": command.format(secret=secret)}))
    refused(path)


def test_a_kml_follows_no_link(tmp_path: Path, secret: Path) -> None:
    path = tmp_path / "a.kml"
    path.write_text(
        '<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document><name>d</name>'
        f"<NetworkLink><Link><href>{secret}</href></Link></NetworkLink>"
        "<Placemark><name>甲</name><Point><coordinates>120,30</coordinates></Point></Placemark></Document></kml>"
    )
    layers = read_file(path, limits=QUICK)
    assert sum(len(layer.frame) for layer in layers) == 1


def test_a_coordinate_system_given_as_an_address_is_not_fetched(tmp_path: Path) -> None:
    asked: list[str] = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

    server = HTTPServer(("127.0.0.1", 0), Listener)
    Thread(target=server.serve_forever, daemon=True).start()
    path = tmp_path / "a.geojson"
    link = {"type": "link", "properties": {"href": f"http://127.0.0.1:{server.server_port}/crs", "type": "ogcwkt"}}
    point = {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [120, 30]}}
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": link, "features": [point]}))
    outcome(path)
    server.shutdown()
    assert asked == []


@pytest.mark.parametrize("suffix", [each for each in SUFFIXES if each != ".gdb"])
def test_an_empty_file_of_any_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.touch()
    assert "空" in str(refused(path))


# --- archives


def with_symlink(folder: Path) -> Path:
    link = zipfile.ZipInfo("a.geojson")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(folder / "a.zip", "w") as packed:
        packed.writestr(link, "/etc/passwd")
    return folder / "a.zip"


def encrypted(folder: Path) -> Path:
    path = zipped(folder / "a.zip", a__geojson=b"{}")
    data = bytearray(path.read_bytes())
    data[6] |= 1  # in the local header
    data[data.rindex(b"PK\x01\x02") + 8] |= 1  # and in the directory
    path.write_bytes(data)
    return path


def duplicated(folder: Path) -> Path:
    path = zipped(folder / "a.zip", a__geojson=b"{}", b__geojson=b"[]")
    path.write_bytes(path.read_bytes().replace(b"b.geojson", b"a.geojson"))
    return path


def liar(folder: Path) -> Path:
    """Says that its member is small, and is not."""
    path = zipped(folder / "a.zip", a__csv=b"1,2\n" * 5_000_000)
    data = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = data.index(mark) + at
        data[start : start + 4] = struct.pack("<I", 100)
    path.write_bytes(data)
    return path


def many(folder: Path) -> Path:
    return zipped(folder / "a.zip", **{f"{number}__csv": b"x" for number in range(5000)})


ARCHIVES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "slip": (lambda folder: zipped(folder / "a.zip", **{"../out.geojson": b"{}"}), "越界"),
    "windows slip": (lambda folder: zipped(folder / "a.zip", **{"..\\..\\out.geojson": b"{}"}), "越界"),
    "absolute": (lambda folder: zipped(folder / "a.zip", **{"/tmp/out.geojson": b"{}"}), "越界"),
    "drive": (lambda folder: zipped(folder / "a.zip", **{"C:\\out.geojson": b"{}"}), "越界"),
    "link": (with_symlink, "链接"),
    "encrypted": (encrypted, "加密"),
    "twice": (duplicated, "重名"),
    "bomb": (lambda folder: zipped(folder / "a.zip", a__csv=b"0" * 200_000_000), "过大"),
    "bomb in xlsx": (lambda folder: zipped(folder / "a.xlsx", **{"xl/workbook.xml": b"0" * 200_000_000}), "过大"),
    "bomb in kmz": (lambda folder: zipped(folder / "a.kmz", doc__kml=b"0" * 200_000_000), "过大"),
    "liar": (liar, "损坏"),
    "many": (many, "5000 个文件"),
    "nested": (lambda folder: zipped(folder / "a.zip", inner__zip=b"PK\x03\x04", a__geojson=b"{}"), "还有压缩包"),
    "unknown": (lambda folder: zipped(folder / "a.zip", readme__exe=b"MZ", a__lnk=b"x"), "没有可读取"),
    "not one": (lambda folder: wrote(folder / "a.zip", b"PK\x03\x04 this is no archive"), "已损坏"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_bad_archives(tmp_path: Path, name: str) -> None:
    make, message = ARCHIVES[name]
    before = set(tmp_path.parent.iterdir())
    assert message in str(refused(make(tmp_path)))
    assert set(tmp_path.parent.iterdir()) == before
    assert not Path("/tmp/out.geojson").exists()


def wrote(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


# --- contents


def geopackage(path: Path, geometry: object = None) -> Path:
    shape = shapely.box(120, 30, 120.01, 30.01) if geometry is None else geometry
    gpd.GeoDataFrame({"parcel_id": ["A"]}, geometry=[shape], crs=4490).to_file(path, layer="parcels")
    return path


def with_geometry(path: Path, wkb: bytes) -> Path:
    """A GeoPackage whose one row has these bytes for geometry, whatever GDAL would have said to them."""
    geopackage(path)
    connection = sqlite3.connect(path)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    header = b"GP\x00\x01" + struct.pack("<i", 4490)
    connection.execute("UPDATE parcels SET geom = ?", (header + wkb,))
    connection.commit()
    connection.close()
    return path


def test_a_polygon_of_ten_million_vertices(tmp_path: Path) -> None:
    turn = np.linspace(0, 2 * np.pi, 10_000_001)
    circle = np.column_stack([120 + np.cos(turn), 30 + np.sin(turn)])
    wkb = struct.pack("<BIII", 1, 3, 1, len(circle)) + circle.tobytes()
    message = str(refused(with_geometry(tmp_path / "a.gpkg", wkb), Limits()))
    assert "个以上顶点，超过上限 2,000,000" in message


def test_geometry_nested_without_end_crashes_nothing(tmp_path: Path) -> None:
    wkb = struct.pack("<BII", 1, 7, 1) * 200_000 + struct.pack("<BIdd", 1, 1, 120.0, 30.0)
    read = outcome(with_geometry(tmp_path / "a.gpkg", wkb))
    assert isinstance(read, InvalidInput) or (read[0].faults[0] and read[0].frame.geometry[0] is None)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("CREATE VIRTUAL TABLE t USING VirtualOGR('{secret}')", "虚拟表"),
        ("CREATE VIRTUAL TABLE t USING csv(filename='{secret}')", "虚拟表"),
        ("CREATE VIEW t AS SELECT load_extension('{secret}')", "视图或触发器"),
        ("CREATE VIEW t AS SELECT readfile('{secret}')", "视图或触发器"),
    ],
)
def test_a_geopackage_whose_schema_reaches_out(tmp_path: Path, secret: Path, statement: str, message: str) -> None:
    path = geopackage(tmp_path / "a.gpkg")
    with sqlite3.connect(path) as connection:
        # The module need not exist here for its name to stand in the schema.
        connection.execute("PRAGMA writable_schema = ON")
        kind = "table" if "VIRTUAL" in statement else "view"
        connection.execute(
            "INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql) VALUES (?, 't', 't', 0, ?)",
            (kind, statement.format(secret=secret)),
        )
    connection.close()
    assert message in str(refused(path))


def test_a_geopackage_cut_short(tmp_path: Path) -> None:
    path = geopackage(tmp_path / "a.gpkg")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "不完整" in str(refused(path))


def test_a_geopackage_with_damaged_pages(tmp_path: Path) -> None:
    path = geopackage(tmp_path / "a.gpkg")
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    refused(path)


def test_parquet_that_says_more_than_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": pa.array(np.zeros(2_000_000, dtype=np.int8))}), path)
    assert "2,000,000 行" in str(refused(path, Limits(rows=1_000_000)))
    path.write_bytes(path.read_bytes()[:50] + b"\xff" * 100 + path.read_bytes()[150:])
    damaged = path.read_bytes()
    path.write_bytes(damaged[:-200] + b"\xff" * 192 + damaged[-8:])
    refused(path)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(file_bytes=1000), "超过上限"),
        (Limits(rows=10), "超过 10 行"),
        (Limits(fields=2), "个字段"),
        (Limits(vertices=100), "顶点"),
        (Limits(output_bytes=2000), "无法读取"),
        (Limits(memory_bytes=150 * 1024**2), "内存|异常退出"),
        (Limits(time_s=0.05), "已停止"),
    ],
    ids=["size", "rows", "fields", "vertices", "output", "memory", "time"],
)
def test_every_limit_is_kept(tmp_path: Path, limits: Limits, message: str) -> None:
    boxes = shapely.box(120 + np.arange(2000) / 1e4, 30, 120.00005 + np.arange(2000) / 1e4, 30.0001)
    table = gpd.GeoDataFrame({"a": "x" * 20, "b": 1, "c": range(2000)}, geometry=boxes, crs=4490)
    table.to_file(tmp_path / "a.gpkg")
    with pytest.raises(InvalidInput, match=message) as caught:
        read_file(tmp_path / "a.gpkg", limits=limits)
    assert caught.value.remedy


def test_the_reading_process_knows_no_secrets_and_writes_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from geo.layers.opening import sandbox

    monkeypatch.setenv("LIANPIAN_STORE", "postgresql://user:password@host/db")
    monkeypatch.setenv("PGPASSWORD", "password")
    environment = sandbox._environment(tmp_path)
    assert not [name for name in environment if name.startswith(("LIANPIAN", "PG"))]
    assert "password" not in json.dumps(environment)
    before = {path.name for path in tmp_path.iterdir()}
    gpd.GeoDataFrame({"a": [1]}, geometry=[shapely.Point(120, 30)], crs=4490).to_file(tmp_path / "a.shp")
    (tmp_path / "a.shx").unlink()
    read_file(tmp_path / "a.shp")
    assert {path.name for path in tmp_path.iterdir()} - before == {"a.shp", "a.dbf", "a.prj", "a.cpg"}


def test_the_folder_is_gone_even_when_the_one_who_asked_is_killed(tmp_path: Path) -> None:
    path = geopackage(tmp_path / "a.gpkg")
    folder = tmp_path / "temporary"
    folder.mkdir()
    script = f"""
        import os, signal, time
        from pathlib import Path
        from geo.layers.opening.limits import Limits
        from geo.layers.opening.sandbox import run_worker
        request = {{"path": {str(path)!r}, "layers": None, "encoding": None, "header_row": None}}
        run_worker(request, Path({str(folder)!r}), Limits(), where="a.gpkg", progress=print)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    end = time.monotonic() + 30
    while folder.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not folder.exists()
