"""GDAL's MVT driver reads the tiles: saved, and straight from the service."""

from __future__ import annotations

import math
import re
import subprocess
from pathlib import Path
from typing import Any

import pyogrio
import pytest
import shapely

from tests.clients.tiled import get, tile_at, tiled_district
from tests.tiles.mvt_rules import read_tile

tiled = tiled_district


def ogrinfo(source: str, *options: str) -> str:
    """What ``ogrinfo`` of the machine says, which is older than the library's."""
    done = subprocess.run(
        ["ogrinfo", "-ro", "-al", "-so", source, *options], capture_output=True, text=True, timeout=60, check=True
    )
    assert "ERROR" not in done.stderr, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    return done.stdout


@pytest.mark.parametrize("zoom", [8, 11, 13, 16])
def test_a_saved_tile(tiled: Any, tmp_path: Path, zoom: int) -> None:
    z, x, y = tile_at(tiled.store, zoom)
    data = get(f"{tiled.url}/tiles/parcels/{z}/{x}/{y}.mvt")
    (layer,) = read_tile(data)
    path = tmp_path / "tile.mvt"
    path.write_bytes(data)
    told = ogrinfo(f"MVT:{path}", "-oo", f"X={x}", "-oo", f"Y={y}", "-oo", f"Z={z}")
    assert f"Feature Count: {len(layer.features)}" in told
    assert "Layer name: parcels" in told
    for field in layer.keys:
        assert f"\n{field}: " in told
    west, south, east, north = map(float, re.search(r"Extent: \((.+), (.+)\) - \((.+), (.+)\)", told).groups())  # type: ignore[union-attr]
    size = 2 * 20_037_508.342789244 / 2**z
    assert x * size - 20_037_509 <= west < east <= (x + 1) * size - 20_037_508
    assert 20_037_508 - (y + 1) * size - 1 <= south < north <= 20_037_509 - y * size


def test_a_tile_of_several_layers_straight_from_the_service(tiled: Any) -> None:
    z, x, y = tile_at(tiled.store, 13)
    address = f"{tiled.url}/tiles/parcels,plots,towns/{z}/{x}/{y}.mvt"
    layers = {layer.name: layer for layer in read_tile(get(address))}
    assert {"parcels", "towns"} <= layers.keys()
    told = ogrinfo(f"MVT:{address}")
    for name, layer in layers.items():
        assert re.search(rf"Layer name: {name}\n.*?Feature Count: {len(layer.features)}\n", told, re.DOTALL), name


def test_land_lies_where_the_store_has_it(tiled: Any, tmp_path: Path) -> None:
    z, x, y = tile_at(tiled.store, 15)
    path = tmp_path / "tile.mvt"
    path.write_bytes(get(f"{tiled.url}/tiles/parcels/{z}/{x}/{y}.mvt"))
    frame = pyogrio.read_dataframe(path, layer="parcels", X=str(x), Y=str(y), Z=str(z), CLIP="NO").to_crs(4490)
    true = tiled.parcels.set_index("parcel_id").loc[frame["parcel_id"]]
    south, north = (math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * row / 2**z)))) for row in (y + 1, y))
    tile = shapely.box(x / 2**z * 360 - 180, south, (x + 1) / 2**z * 360 - 180, north)
    inside = shapely.contains_properly(tile, true.geometry.array)
    assert inside.sum() > 5
    degree = 360 / 2**z / 4096
    apart = shapely.hausdorff_distance(frame.geometry.array[inside], true.geometry.array[inside])
    assert apart.max() < 1.5 * degree
