"""GDAL's driver of OGC API – Features reads the service: every page, filters done by the server, other systems."""

from __future__ import annotations

import subprocess
from pathlib import Path

import geopandas as gpd
import httpx
import pytest
import shapely

from geo.layers.schema import LAYERS
from geo.store.base import Query
from tests.district import Served


def run(*words: str) -> str:
    """What a GDAL program says; its failure is the test's."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    except FileNotFoundError:
        pytest.fail(f"{words[0]} is missing and no test may skip it: apt-get install gdal-bin", pytrace=False)
    assert done.returncode == 0, done.stderr
    assert "ERROR" not in done.stderr, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def parcels(served_district: Served) -> gpd.GeoDataFrame:
    """What the store holds."""
    frame = served_district.store.read(Query("parcels"))
    assert isinstance(frame, gpd.GeoDataFrame)
    return frame


def test_every_collection_is_a_layer(served_district: Served) -> None:
    told = run("ogrinfo", "-ro", "-q", f"OAPIF:{served_district.url}")
    names = {line.split(": ", 1)[1].split(" ")[0] for line in told.splitlines() if ": " in line}
    assert set(LAYERS) <= names


def test_every_feature_comes_page_by_page(served_district: Served, parcels: gpd.GeoDataFrame, tmp_path: Path) -> None:
    copy = tmp_path / "parcels.gpkg"
    # Debian's GDAL does not read the size of a page from the definition; later ones do.
    pages = ("-oo", "PAGE_SIZE=1000")
    told = run("ogr2ogr", "--debug", "on", *pages, "-f", "GPKG", str(copy), f"OAPIF:{served_district.url}", "parcels")
    asked = sum("/items?" in line and "limit=1000" in line for line in told.splitlines())
    assert asked == 1 + len(parcels) / 1000  # once for the fields, then every page
    read = gpd.read_file(copy).set_index("parcel_id")
    assert len(read) == len(parcels)
    stored = parcels.set_index("parcel_id").geometry
    assert shapely.equals_exact(read.geometry.to_numpy(), stored[read.index].to_numpy(), 1e-6).all()


@pytest.mark.parametrize(
    ("where", "passes"),
    [
        ("town = '临港街道'", lambda frame: frame["town"] == "临港街道"),
        ("area_m2 > 50000 AND town = '临港街道'",
         lambda frame: (frame["area_m2"] > 50_000) & (frame["town"] == "临港街道")),
    ],
)  # fmt: skip
def test_attribute_filters_are_done_by_the_server(
    served_district: Served, parcels: gpd.GeoDataFrame, where: str, passes: object
) -> None:
    told = run(
        "ogrinfo", "-ro", "-so", "--debug", "on", "-where", where, f"OAPIF:{served_district.url}", "parcels"
    )  # fmt: skip
    wanted = int(passes(parcels).sum())  # type: ignore[operator]
    assert f"Feature Count: {wanted}" in told
    asked = [line for line in told.splitlines() if "/items?" in line]
    assert any("town=" in line or "filter=" in line for line in asked), asked


def test_a_box_is_done_by_the_server(served_district: Served, parcels: gpd.GeoDataFrame) -> None:
    box = ("119.9", "32.0", "119.93", "32.02")
    told = run(
        "ogrinfo", "-ro", "-so", "--debug", "on", "-spat", *box, f"OAPIF:{served_district.url}", "parcels"
    )  # fmt: skip
    wanted = len(parcels.cx[119.9:119.93, 32.0:32.02])
    assert f"Feature Count: {wanted}" in told
    assert any("bbox=" in line for line in told.splitlines() if "/items?" in line)


def test_one_feature_by_its_address(served_district: Served, parcels: gpd.GeoDataFrame) -> None:
    key = parcels["parcel_id"].iloc[0]
    told = run("ogrinfo", "-ro", "-al", f"{served_district.url}/collections/parcels/items/{key}")
    assert f"parcel_id (String) = {key}" in told


@pytest.mark.parametrize("form", ["csv", "fgb", "geoparquet"])
def test_the_files_of_a_selection(
    served_district: Served, parcels: gpd.GeoDataFrame, tmp_path: Path, form: str
) -> None:
    answer = httpx.get(
        f"{served_district.url}/collections/parcels/items", params={"f": form, "filter": "area_m2 > 50000"}, timeout=60
    )
    assert answer.status_code == 200, answer.text
    wanted = int((parcels["area_m2"] > 50_000).sum())
    path = tmp_path / f"parcels.{'parquet' if form == 'geoparquet' else form}"
    path.write_bytes(answer.content)
    read = gpd.read_parquet(path) if form == "geoparquet" else gpd.read_file(path)
    assert len(read) == wanted == int(answer.headers["x-rows"])
