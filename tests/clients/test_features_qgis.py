"""QGIS, headless, opens a collection by the address of the service alone."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest

from geo.store.base import Query
from tests.district import Served

SCRIPT = Path(__file__).with_name("qgis_features.py")
BOX = (119.9, 32.0, 119.93, 32.02)


@pytest.fixture(scope="module")
def told(served_district: Served, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What QGIS says of the parcels."""
    home = str(tmp_path_factory.mktemp("qgis"))
    done = subprocess.run(
        ["/usr/bin/python3", str(SCRIPT), served_district.url, "parcels", *map(str, BOX), "area_m2 > 50000"],
        capture_output=True, text=True, timeout=180, check=False,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "HOME": home, "XDG_RUNTIME_DIR": home},
    )  # fmt: skip
    if done.returncode and "No module named 'qgis'" in done.stderr:
        pytest.fail("QGIS is missing and no test may skip it: apt-get install python3-qgis", pytrace=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.fixture(scope="module")
def parcels(served_district: Served) -> gpd.GeoDataFrame:
    """What the store holds."""
    frame = served_district.store.read(Query("parcels"))
    assert isinstance(frame, gpd.GeoDataFrame)
    return frame


def test_the_layer_is_valid_with_its_fields(told: dict[str, Any]) -> None:
    assert told["valid"], told["error"]
    assert {"parcel_id", "town", "area_m2", "contract_date"} <= set(told["fields"])
    assert told["geometry"] in ("Polygon", "MultiPolygon")


def test_every_feature_comes_page_by_page(told: dict[str, Any], parcels: gpd.GeoDataFrame) -> None:
    assert told["all"] == told["count"] == len(parcels)


def test_features_in_a_box(told: dict[str, Any], parcels: gpd.GeoDataFrame) -> None:
    west, south, east, north = BOX
    bounds = parcels.geometry.bounds
    meeting = (bounds.minx <= east) & (bounds.maxx >= west) & (bounds.miny <= north) & (bounds.maxy >= south)
    assert 0 < len(told["in_box"]) < len(parcels)
    assert told["in_box"] == sorted(parcels["parcel_id"][meeting])


def test_a_filter(told: dict[str, Any], parcels: gpd.GeoDataFrame) -> None:
    assert told["set"]
    assert told["filtered"] == sorted(parcels["parcel_id"][parcels["area_m2"] > 50_000])
