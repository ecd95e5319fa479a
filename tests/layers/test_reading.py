"""Files come in safely, or are refused with one clear error and nothing written."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from geo.errors import InvalidInput
from geo.layers.profiles import apply_profile, load_profile, plain_profile, profile_names
from geo.layers.reading import read_file

SQUARES = [shapely.box(120 + i / 100, 32, 120.005 + i / 100, 32.005) for i in range(3)]


def write(path: Path, crs: Any = 4490, driver: str | None = None, **columns: Any) -> Path:
    table = gpd.GeoDataFrame(columns or {"parcel_id": ["A", "B", "C"]}, geometry=SQUARES, crs=crs)
    table.to_file(path, driver=driver, engine="pyogrio", **({"encoding": "UTF-8"} if path.suffix == ".shp" else {}))
    return path


@pytest.mark.parametrize("name", ["a.gpkg", "a.geojson", "a.fgb", "a.shp", "a.parquet"])
def test_formats(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("parquet"):
        gpd.GeoDataFrame({"parcel_id": ["A", "B", "C"]}, geometry=SQUARES, crs=4490).to_parquet(path)
    else:
        write(path)
    (layer,) = read_file(path)
    assert sorted(layer.frame["parcel_id"]) == ["A", "B", "C"]  # FlatGeobuf orders rows along space
    assert layer.crs is not None
    assert len(layer.sha256) == 64


def test_a_zip_from_windows_keeps_its_chinese_names(tmp_path: Path) -> None:
    write(tmp_path / "shape.shp", parcel_id=["甲", "乙", "丙"])
    archive = tmp_path / "工业用地.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for part in tmp_path.glob("shape.*"):
            # cp437 is what Python makes of names that Windows wrote in GBK.
            packed.write(part, f"工业用地{part.suffix}".encode("gb18030").decode("cp437"))
    (layer,) = read_file(archive)
    assert list(layer.frame["parcel_id"]) == ["甲", "乙", "丙"]


@pytest.mark.parametrize("encoding", ["UTF-8", "GB18030"])
def test_a_shapefile_that_does_not_state_its_encoding(tmp_path: Path, encoding: str) -> None:
    table = gpd.GeoDataFrame({"编号": ["甲一", "乙二", "丙三"]}, geometry=SQUARES, crs=4490)
    table.to_file(tmp_path / "a.shp", engine="pyogrio", encoding=encoding)
    (tmp_path / "a.cpg").unlink()
    dbf = (tmp_path / "a.dbf").read_bytes()
    (tmp_path / "a.dbf").write_bytes(dbf[:29] + b"\x00" + dbf[30:])  # nor in the language byte of its header
    (layer,) = read_file(tmp_path / "a.shp")
    assert list(layer.frame["编号"]) == ["甲一", "乙二", "丙三"]


def test_no_coordinate_system_is_an_error_that_names_what_would_fit(tmp_path: Path) -> None:
    path = write(tmp_path / "a.shp", crs=None)
    with pytest.raises(InvalidInput, match=r"没有坐标系.*EPSG:4490"):
        read_file(path)
    (layer,) = read_file(path, crs="EPSG:4490")
    assert layer.crs.to_epsg() == 4490


def test_zone_coordinates_are_recognised(tmp_path: Path) -> None:
    path = tmp_path / "a.shp"
    gpd.GeoDataFrame({"parcel_id": ["A"]}, geometry=SQUARES[:1], crs=4490).to_crs(4528).set_crs(
        None, allow_override=True
    ).to_file(path)
    with pytest.raises(InvalidInput, match="EPSG:4528"):
        read_file(path)


def wrote(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def zip_with(path: Path, name: str, data: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "nothing.gpkg", "找不到文件"),
        (lambda folder: wrote(folder / "a.zip", b"PK\x03\x04 this is no archive"), "已损坏"),
        (lambda folder: zip_with(folder / "a.zip", "../out.geojson", b"{}"), "越界"),
        (lambda folder: zip_with(folder / "a.zip", "a.geojson", b"0" * 200_000_000), "过大"),
        (lambda folder: zip_with(folder / "a.zip", "readme.txt", b"hello"), "恰有一个数据集"),
        (lambda folder: wrote(folder / "a.gpkg", b""), "无法读取"),
        (lambda folder: wrote(folder / "a.exe", b"MZ"), "不支持的文件类型"),
    ],
    ids=["missing", "broken zip", "zip slip", "bomb", "nothing inside", "empty file", "foreign type"],
)  # fmt: skip
def test_bad_files_are_refused_with_one_clear_error(tmp_path: Path, make: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as refused:
        read_file(make(tmp_path))
    assert refused.value.remedy
    assert refused.value.exit_code == 3
    assert not (tmp_path.parent / "out.geojson").exists()


def test_a_zip_in_a_zip_is_not_opened(tmp_path: Path) -> None:
    inner = zip_with(tmp_path / "inner.zip", "a.csv", b"x,y\n" + b"1,2\n" * 1000)
    with pytest.raises(InvalidInput, match="恰有一个数据集"):
        read_file(zip_with(tmp_path / "outer.zip", "inner.zip", inner.read_bytes()))


@pytest.mark.parametrize("name", ["a.gpkg", "a.fgb", "a.parquet"])
def test_long_numbers_with_gaps_stay_exact(tmp_path: Path, name: str) -> None:
    numbers = pd.array([3201150010010000123, 3201150010010000124, None], dtype="Int64")
    table = gpd.GeoDataFrame({"ZDDM": numbers}, geometry=SQUARES, crs=4490)
    table.to_parquet(tmp_path / name) if name.endswith("parquet") else table.to_file(tmp_path / name)
    (layer,) = read_file(tmp_path / name)
    mapped = apply_profile(layer, plain_profile("parcels")).frame
    assert sorted(mapped["parcel_id"].dropna()) == ["3201150010010000123", "3201150010010000124"]


@pytest.mark.parametrize("name", ["mask.geojson", "mask.gpkg", "mask.shp", "mask.kml"])
def test_a_masked_vrt_reads_nothing_beside_it(tmp_path: Path, name: str) -> None:
    secret = write(tmp_path / "secret.gpkg", parcel_id=["SECRET"] * 3)
    (tmp_path / name).write_text(
        f'<OGRVRTDataSource><OGRVRTLayer name="secret"><SrcDataSource>{secret}</SrcDataSource>'
        "</OGRVRTLayer></OGRVRTDataSource>"
    )
    with pytest.raises(InvalidInput, match="无法读取"):
        read_file(tmp_path / name)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    (layer,) = read_file(write(tmp_path / "a.gpkg", number=[1, 2, 3]))
    with pytest.raises(InvalidInput, match="缺少字段 parcel_id"):
        apply_profile(layer, plain_profile("parcels"))
    with pytest.raises(InvalidInput, match="缺少字段“PIN”"):
        apply_profile(layer, load_profile("baltimore-parcels"))


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_loads(name: str) -> None:
    assert load_profile(name).title
