"""Steep ground: rasters made here, planes of known slope, and what a raster must not be."""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from pyproj import Geod
from rasterio.transform import from_origin
from shapely.geometry import box

from geo import crs
from geo.errors import InvalidInput
from geo.layers.opening.limits import Limits
from geo.plots.exclusion import cut
from geo.plots.parameters import PlotRules
from geo.plots.slope import slope_pct, steep_ground
from tests.plots.figures import EAST, LON, NORTH, parcels

GK = crs.metric_crs(LON)


def write(path: Path, values: Any, transform: Any, system: Any, *, driver: str = "GTiff", **profile: Any) -> Path:
    values = np.asarray(values)
    values = values if values.ndim == 3 else values[None]
    options = {
        "driver": driver, "height": values.shape[1], "width": values.shape[2], "count": values.shape[0],
        "dtype": values.dtype, "transform": transform, "crs": system, **profile,
    }  # fmt: skip
    with rasterio.open(path, "w", **options) as target:
        target.write(values)
    return path


def plane(path: Path, per_cent: float, *, toward_deg: float = 0.0, cell_m: float = 10.0, **profile: Any) -> Path:
    """A tilted plane around the parcels (2 km square, metres), rising toward a bearing."""
    size = int(2000 / cell_m)
    east, north = np.meshgrid(
        (np.arange(size) + 0.5) * cell_m - 600, 1400 - (np.arange(size) + 0.5) * cell_m
    )  # fmt: skip
    turn = math.radians(toward_deg)
    rise = east * math.sin(turn) + north * math.cos(turn)
    z = (500 + per_cent / 100 * rise).astype(profile.pop("dtype", "float64"))
    return write(path, z, from_origin(EAST - 600, NORTH + 1400, cell_m, cell_m), GK.to_wkt(), **profile)


LAND = (box(0, 0, 400, 500), box(400, 0, 800, 500))


def ground_m2(frame: gpd.GeoDataFrame) -> float:
    """Area of the parcels that the polygons cover."""
    covered = shapely.union_all(crs.to_metric(np.asarray(frame.geometry.array), LON))
    return float(shapely.intersection(covered, shapely.box(EAST, NORTH, EAST + 800, NORTH + 500)).area)


@pytest.mark.parametrize(
    ("per_cent", "toward_deg", "steep"), [(14.9, 0, False), (14.9, 37, False), (15.0, 90, False), (15.1, 37, True)]
)
def test_industry_needs_less_than_fifteen_per_cent(
    tmp_path: Path, per_cent: float, toward_deg: float, steep: bool
) -> None:
    # CJJ 83-2016, 4.0.1; a plane has its slope everywhere. 15 % are 8.53 degrees: a reading in degrees would pass 25 %.
    found = steep_ground(plane(tmp_path / "z.tif", per_cent, toward_deg=toward_deg), parcels(*LAND))
    assert ground_m2(found.ground) == pytest.approx(400_000 if steep else 0, abs=1)
    assert found.facts.not_assessed_m2 == pytest.approx(0, abs=1)
    assert found.ground.crs == 4490


@pytest.mark.parametrize(("per_cent", "steep"), [(14.9, False), (15.1, True)])
@pytest.mark.parametrize("toward", ["north", "east"])
def test_a_raster_in_degrees_is_measured_in_metres(tmp_path: Path, per_cent: float, steep: bool, toward: str) -> None:
    # Cells of one second at 32° N are 30.8 m high and 26.3 m wide: in degrees alone the two would be the same.
    lon, lat = crs.to_storage(np.array([shapely.Point(EAST + 400, NORTH + 250)]), LON)[0].coords[0]
    step, size = 1 / 3600, 80
    x = (np.arange(size) + 0.5 - size / 2) * step
    geod = Geod(ellps="GRS80")
    one = geod.inv(lon, lat, lon + step, lat)[2] if toward == "east" else geod.inv(lon, lat, lon, lat + step)[2]
    rise = np.broadcast_to(x if toward == "east" else -x[:, None], (size, size)) / step * one
    z = 300 + per_cent / 100 * rise
    raster = write(tmp_path / "z.tif", z, from_origin(lon - 40 * step, lat + 40 * step, step, step), "EPSG:4490")
    found = steep_ground(raster, parcels(*LAND))
    assert ground_m2(found.ground) == pytest.approx(400_000 if steep else 0, abs=1)
    assert found.facts.cell_m == pytest.approx((26.26, 30.81), abs=0.05)


@pytest.mark.parametrize(("per_cent", "steep"), [(14.9, False), (15.1, True)])
def test_metres_of_mercator_are_not_metres_on_the_ground(tmp_path: Path, per_cent: float, steep: bool) -> None:
    # At 32° N Mercator's metre is 0.85 m: taken as it is, a slope of 17.5 % would pass for 14.9 %.
    place = crs.reproject(crs.to_storage(np.array([shapely.Point(EAST, NORTH)]), LON), "EPSG:4490", "EPSG:3395")[0]
    lat = math.radians(crs.to_storage(np.array([shapely.Point(EAST, NORTH)]), LON)[0].y)
    e2 = crs.FLATTENING * (2 - crs.FLATTENING)
    scale = math.sqrt(1 - e2 * math.sin(lat) ** 2) / math.cos(lat)
    east = (np.arange(160) + 0.5) * 10
    z = np.broadcast_to(per_cent / 100 * east / scale, (160, 160)).astype("float64")
    raster = write(tmp_path / "z.tif", z, from_origin(place.x - 200, place.y + 900, 10, 10), "EPSG:3395")
    found = steep_ground(raster, parcels(*LAND))
    assert ground_m2(found.ground) == pytest.approx(400_000 if steep else 0, abs=1)


def test_horn_weighs_the_cells_beside_twice() -> None:
    # Horn (1981): ((c + 2f + i) - (a + 2d + g)) / 8 cells; by hand ((3+2·4+5) - (0+2·1+0)) / 80 m = 0.175 east.
    z = np.array([[0.0, 9.0, 3.0], [1.0, 0.0, 4.0], [0.0, 5.5, 5.0]])
    along = ((0 + 2 * 9 + 3) - (0 + 2 * 5.5 + 5)) / 80
    assert slope_pct(z, np.array([10.0]), np.array([10.0]))[0, 0] == pytest.approx(100 * math.hypot(0.175, along))


def test_only_the_steep_part_is_cut_and_it_may_be_bridged(tmp_path: Path) -> None:
    # Flat up to 200 m east, then 20 %. Middles of cells at 195, 205, 215 m lie at 0, 1 and 3 m, so that their slopes
    # are (1 - 0) / 20, (3 - 0) / 20 = 15 %, which is not above the limit, and (5 - 1) / 20: steep from 210 m on.
    east = (np.arange(200) + 0.5) * 10 - 600
    z = np.broadcast_to(np.maximum(east - 200, 0) * 0.2, (200, 200)).astype("float32")
    raster = write(tmp_path / "z.tif", z, from_origin(EAST - 600, NORTH + 1400, 10, 10), GK.to_wkt())
    steep = steep_ground(raster, parcels(*LAND)).ground.to_crs(GK)
    land = parcels(*LAND).to_crs(GK)
    pieces = cut(land, None, None, PlotRules(), steep)
    assert set(pieces.losses["reason"]) == {"steep_slope"}
    lost = shapely.area(np.asarray(pieces.losses["geometry"], dtype=object)).sum()
    assert lost == pytest.approx((800 - 210) * 500, rel=1e-5)
    assert len(pieces.walls.geometry) == 0


def test_ground_without_elevation_is_not_assessed_and_never_flat(tmp_path: Path) -> None:
    # 100 × 100 m without elevation in the first parcel; the slope needs all nine cells, so 120 × 120 m are unknown.
    raster = plane(tmp_path / "a.tif", 5.0)
    with rasterio.open(raster) as opened:
        z, transform = opened.read(1), opened.transform
    z[90 + 30 : 90 + 40, 60 + 10 : 60 + 20] = -9999
    holed = write(tmp_path / "z.tif", z, transform, GK.to_wkt(), nodata=-9999)
    found = steep_ground(holed, parcels(*LAND))
    assert found.not_assessed_m2 == pytest.approx([14_400, 0], rel=1e-3)
    assert found.facts.not_assessed_m2 == pytest.approx(14_400, rel=1e-3)
    assert found.facts.unknown_cells == 100
    assert ground_m2(found.unknown) == pytest.approx(14_400, rel=1e-4)
    assert ground_m2(found.ground) == pytest.approx(0, abs=1)
    # A missing value that the file does not declare would be a cliff of ten kilometres.
    with pytest.raises(InvalidInput, match="-9,999 米不可能"):
        steep_ground(write(tmp_path / "b.tif", z, transform, GK.to_wkt()), parcels(*LAND))


def test_land_beyond_the_raster_is_not_assessed(tmp_path: Path) -> None:
    # The raster ends at 600 m east; its last column of cells has no neighbour, so 210 m of 500 m are unknown.
    z = np.zeros((200, 120), dtype="int16")
    raster = write(tmp_path / "z.tif", z, from_origin(EAST - 600, NORTH + 1400, 10, 10), GK.to_wkt())
    found = steep_ground(raster, parcels(*LAND))
    assert found.not_assessed_m2 == pytest.approx([0, 210 * 500], rel=1e-3)


def test_strips_make_no_seams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    z = np.cumsum(np.cumsum(rng.normal(0, 0.05, (200, 200)), axis=0), axis=1)
    raster = write(tmp_path / "z.tif", z, from_origin(EAST - 600, NORTH + 1400, 10, 10), GK.to_wkt())
    whole = steep_ground(raster, parcels(*LAND), 5.0)
    monkeypatch.setattr("geo.plots.slope._STRIP_CELLS", 1000)
    strips = steep_ground(raster, parcels(*LAND), 5.0)
    assert 1000 < ground_m2(whole.ground) < 399_000
    assert ground_m2(strips.ground) == pytest.approx(ground_m2(whole.ground), abs=0.1)


def test_the_run_can_say_what_it_used(tmp_path: Path) -> None:
    raster = plane(tmp_path / "高程.tif", 5.0, toward_deg=90, dtype="float32")
    facts = steep_ground(raster, parcels(*LAND)).facts
    assert facts.sha256 == hashlib.sha256(raster.read_bytes()).hexdigest()
    assert (facts.file_name, facts.crs, facts.limit_pct) == ("高程.tif", "EPSG:4549", 15.0)
    assert facts.cell_m == pytest.approx((10, 10), abs=0.01)
    # Only the parcels' bounds and a cell or two beside were read: 5 % of some 800 m.
    assert facts.columns * facts.rows < 90 * 60
    assert facts.highest_m is not None
    assert facts.lowest_m is not None
    assert facts.highest_m - facts.lowest_m == pytest.approx(40, abs=2)
    dumps(asdict(facts))


def test_feet_are_feet_and_an_ascii_grid_is_a_raster(tmp_path: Path) -> None:
    raster = plane(tmp_path / "z.tif", 15.1 / 0.3048)
    with rasterio.open(raster, "r+") as opened:
        opened.units = ("ft",)
    assert ground_m2(steep_ground(raster, parcels(*LAND)).ground) == pytest.approx(400_000, abs=1)
    with rasterio.open(raster, "r+") as opened:
        opened.units = ("fathom",)
    with pytest.raises(InvalidInput, match="fathom"):
        steep_ground(raster, parcels(*LAND))
    grid = tmp_path / "z.asc"
    head = f"ncols 200\nnrows 200\nxllcorner {EAST - 600}\nyllcorner {NORTH - 600}\ncellsize 10\nNODATA_value -9999\n"
    row = " ".join(f"{0.16 * 10 * column:.3f}" for column in range(200))
    grid.write_text(head + "\n".join([row] * 200) + "\n")
    with pytest.raises(InvalidInput, match="没有坐标系"):
        steep_ground(grid, parcels(*LAND))
    found = steep_ground(grid, parcels(*LAND), crs="EPSG:4549")
    assert ground_m2(found.ground) == pytest.approx(400_000, abs=1)
    grid.with_suffix(".prj").write_text(GK.to_wkt("WKT1_ESRI"))
    assert ground_m2(steep_ground(grid, parcels(*LAND)).ground) == pytest.approx(400_000, abs=1)


def test_what_is_no_elevation_raster_is_refused(tmp_path: Path) -> None:
    flat = np.zeros((20, 20), dtype="float32")
    near = from_origin(EAST - 600, NORTH + 1400, 100, 100)
    wkt = GK.to_wkt()

    def refused(path: Path, words: str, **options: Any) -> None:
        with pytest.raises(InvalidInput, match=words) as error:
            steep_ground(path, parcels(*LAND), **options)
        assert error.value.remedy
        assert error.value.where == path.name
        assert str(tmp_path) not in str(error.value)

    refused(tmp_path / "none.tif", "找不到文件")
    refused(write(tmp_path / "a.tif", flat, near, None), "没有坐标系")
    refused(write(tmp_path / "b.tif", np.zeros((3, 20, 20), "uint8"), near, wkt), "3 个波段")
    refused(write(tmp_path / "c.png", flat.astype("uint8"), near, wkt, driver="PNG"), "不支持 .png")
    (tmp_path / "d.tif").write_bytes((tmp_path / "c.png").read_bytes())
    refused(tmp_path / "d.tif", "不是 GTiff 格式")
    (tmp_path / "e.tif").write_text('<VRTDataset rasterXSize="20" rasterYSize="20"></VRTDataset>')
    refused(tmp_path / "e.tif", "不是 GTiff 格式")
    refused(write(tmp_path / "f.tif", flat, near @ near.rotation(20), wkt), "正北朝上")
    refused(write(tmp_path / "g.tif", flat, from_origin(EAST + 9e4, NORTH, 10, 10), wkt), "不重叠")
    refused(write(tmp_path / "h.tif", flat.astype("complex64"), near, wkt), "不是高程")
    refused(write(tmp_path / "i.tif", flat, near, "EPSG:2437"), "1954 北京坐标系")
    good = write(tmp_path / "j.tif", flat, near, wkt)
    refused(good, "超过上限 50", max_cells=50)
    refused(good, "超过上限", limits=Limits(file_bytes=10))
    (tmp_path / "k.tif").write_bytes(good.read_bytes()[:-400])
    refused(tmp_path / "k.tif", "无法读取")
    sinusoidal = write(tmp_path / "l.tif", np.zeros((99, 99), "f4"), from_origin(1.02e7, 3.6e6, 3e3, 3e3),
                       "+proj=cea +lat_ts=0 +datum=WGS84 +units=m")  # fmt: skip
    refused(sinusoidal, "比例不同|不重叠")
