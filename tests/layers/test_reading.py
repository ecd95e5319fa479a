"""Files come in safely, or are refused with one clear error and nothing written."""

from __future__ import annotations

import json
import sqlite3
import struct
import zipfile
from pathlib import Path
from typing import Any

import ezdxf
import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

from geo.crs import crs_name
from geo.errors import InvalidInput, InvalidParameter
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


# --- text


def shapefile(folder: Path, encoding: str, stated: bytes | None = None, language: int = 0, **columns: Any) -> Path:
    """A Shapefile in one encoding that states another, or none."""
    table = gpd.GeoDataFrame(columns, geometry=SQUARES[: len(next(iter(columns.values())))], crs=4490)
    table.to_file(folder / "a.shp", engine="pyogrio", encoding=encoding)
    (folder / "a.cpg").unlink()
    if stated is not None:
        (folder / "a.cpg").write_bytes(stated)
    dbf = (folder / "a.dbf").read_bytes()
    (folder / "a.dbf").write_bytes(dbf[:29] + bytes([language]) + dbf[30:])
    return folder / "a.shp"


@pytest.mark.parametrize(
    ("encoding", "stated", "language", "used", "noted"),
    [
        ("UTF-8", None, 0, "UTF-8", False),
        ("GB18030", None, 0, "GB18030", True),
        ("GB18030", b"GBK", 0, "GB18030", False),
        ("GB18030", None, 0x4D, "GB18030", False),
        ("GB18030", b"UTF-8", 0, "GB18030", True),
        ("UTF-8", b"GBK", 0, "UTF-8", True),
        ("GB18030", None, 0x57, "GB18030", True),
        ("BIG5", b"950", 0, "cp950", False),
    ],
    ids=["utf8", "gbk", "gbk+cpg", "gbk+byte", "cpg lies", "cpg lies back", "byte lies", "big5"],
)
def test_text_of_a_shapefile(
    tmp_path: Path, encoding: str, stated: bytes | None, language: int, used: str, noted: bool
) -> None:
    (layer,) = read_file(shapefile(tmp_path, encoding, stated, language, 編號=["甲一有限公司", "乙二", "丙三街道"]))
    assert list(layer.frame["編號"]) == ["甲一有限公司", "乙二", "丙三街道"]
    assert layer.encoding == used
    assert any("GB18030" in note or "UTF-8" in note for note in layer.notes) == noted


def test_accented_text_is_not_taken_for_chinese(tmp_path: Path) -> None:
    (layer,) = read_file(shapefile(tmp_path, "ISO-8859-1", None, 0x57, name=["Café Zürich", "Málaga", "Besançon"]))
    assert list(layer.frame["name"]) == ["Café Zürich", "Málaga", "Besançon"]


def test_the_encoding_that_the_user_names_is_held_to(tmp_path: Path) -> None:
    path = shapefile(tmp_path, "windows-1251", name=["Кириллица", "Смешаный", "и"])
    (layer,) = read_file(path, encoding="windows-1251")
    assert list(layer.frame["name"]) == ["Кириллица", "Смешаный", "и"]
    with pytest.raises(InvalidInput, match="不是 UTF-8 编码"):
        read_file(path, encoding="UTF-8")
    with pytest.raises(InvalidParameter, match="没有名为"):
        read_file(path, encoding="klingon")


def test_text_in_no_encoding_is_refused_and_never_replaced(tmp_path: Path) -> None:
    path = shapefile(tmp_path, "ISO-8859-1", name=["é", "ü", "ÿ"])
    with pytest.raises(InvalidInput, match="既不是 UTF-8 也不是 GB18030") as refused:
        read_file(path)
    assert "--encoding" in refused.value.remedy


def test_names_and_values_that_were_cut_inside_a_character(tmp_path: Path) -> None:
    values = ["用" * 84 + "地", "短", None]
    with pytest.warns(RuntimeWarning):
        gpd.GeoDataFrame({"规划用途代码": values, "规划用途名称": values}, geometry=SQUARES, crs=4490).to_file(
            tmp_path / "a.shp", engine="pyogrio", encoding="UTF-8"
        )
    with pytest.raises(UnicodeDecodeError):
        pyogrio.read_dataframe(tmp_path / "a.shp")  # so this file is lost to others
    dbf = bytearray((tmp_path / "a.dbf").read_bytes())
    first = int.from_bytes(dbf[8:10], "little") + 1
    width = dbf[32 + 16]
    dbf[first : first + width] = ("x" + "用" * 85).encode()[:width]
    (tmp_path / "a.dbf").write_bytes(dbf)
    (layer,) = read_file(tmp_path / "a.shp")
    assert list(layer.frame.columns) == ["规划用", "规划_1", "geometry"]
    assert layer.frame["规划用"][0] == "x" + "用" * ((width - 1) // 3)
    assert sum("截断" in note for note in layer.notes) >= 2


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-8-SIG", "GB18030", "UTF-16"])
@pytest.mark.parametrize("suffix", [".geojson", ".kml"])
def test_text_formats_in_other_encodings(tmp_path: Path, suffix: str, encoding: str) -> None:
    driver = "KML" if suffix == ".kml" else "GeoJSON"
    path = write(tmp_path / f"a{suffix}", crs=4326, driver=driver, Name=["甲", "乙", "丙有限公司"])
    text = path.read_text("utf-8").replace('encoding="UTF-8"', f'encoding="{encoding.removesuffix("-SIG")}"')
    path.write_bytes(text.encode(encoding))
    (layer,) = read_file(path)
    assert list(layer.frame["Name"]) == ["甲", "乙", "丙有限公司"]


def test_numbers_that_are_none_become_empty_and_are_told(tmp_path: Path) -> None:
    path = shapefile(tmp_path, "UTF-8", area=[1.5, 2.5, 3.5], code=[1, 2, 3])
    dbf = (tmp_path / "a.dbf").read_bytes()
    start = int.from_bytes(dbf[8:10], "little")
    (tmp_path / "a.dbf").write_bytes(dbf[: start + 1] + b"?" * 24 + dbf[start + 25 :])
    (layer,) = read_file(path)
    assert list(layer.frame["area"])[1:] == [2.5, 3.5]
    assert pd.isna(layer.frame["area"][0])
    assert any("不是数字" in note for note in layer.notes)
    (tmp_path / "a.dbf").write_bytes(dbf[: start + 1] + b"*" * 24 + dbf[start + 25 :])
    (layer,) = read_file(path)  # stars are how dBase writes that there is no number
    assert pd.isna(layer.frame["area"][0])
    assert not any("不是数字" in note for note in layer.notes)


# --- where it lies


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


@pytest.mark.parametrize(
    ("make", "stated", "message", "remedy"),
    [
        (4528, 4549, "东坐标带有带号", "--crs EPSG:4528"),
        (4549, 4528, "东坐标不带带号", "--crs EPSG:4549"),
        (4549, 4326, "超出经纬度范围", "--crs"),
        (4490, 4549, "坐标却像经纬度", "--crs EPSG:4490"),
    ],
)
def test_coordinates_that_contradict_the_stated_system(
    tmp_path: Path, make: int, stated: int, message: str, remedy: str
) -> None:
    table = gpd.GeoDataFrame({"parcel_id": list("ABC")}, geometry=SQUARES, crs=4490).to_crs(make)
    table.set_crs(stated, allow_override=True).to_file(tmp_path / "a.gpkg")
    with pytest.raises(InvalidInput, match=message) as refused:
        read_file(tmp_path / "a.gpkg")
    assert remedy in refused.value.remedy
    (layer,) = read_file(tmp_path / "a.gpkg", crs=f"EPSG:{make}")
    assert layer.crs.to_epsg() == make
    assert any(f"EPSG:{stated}" in note for note in layer.notes)
    with pytest.raises(InvalidInput):
        read_file(tmp_path / "a.gpkg", crs="EPSG:2804")  # what the user says is held to the same check


@pytest.mark.parametrize("crs", [4490, 4549, 4528])
def test_swapped_axes(tmp_path: Path, crs: int) -> None:
    true = gpd.GeoDataFrame({"parcel_id": list("ABC")}, geometry=SQUARES, crs=4490).to_crs(crs)
    swapped = true.set_geometry(shapely.transform(np.asarray(true.geometry.array), lambda xy: xy[:, ::-1]), crs=crs)
    swapped.to_file(tmp_path / "a.gpkg")
    with pytest.raises(InvalidInput, match="坐标轴颠倒") as refused:
        read_file(tmp_path / "a.gpkg")
    assert "--swap-axes" in refused.value.remedy
    (layer,) = read_file(tmp_path / "a.gpkg", swap_axes=True)
    assert shapely.equals_exact(layer.frame.geometry.array, true.geometry.array, 1e-9).all()


def test_one_row_elsewhere_does_not_condemn_the_layer(tmp_path: Path) -> None:
    rows = [*SQUARES, shapely.box(32, 120, 32.1, 120.1)]
    gpd.GeoDataFrame({"parcel_id": list("ABCD")}, geometry=rows, crs=4490).to_file(tmp_path / "a.gpkg")
    (layer,) = read_file(tmp_path / "a.gpkg")
    assert len(layer.frame) == 4


# --- containers


def test_several_shapefiles_in_an_archive_are_several_layers(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    write(inside / "parcels.shp")
    write(inside / "towns.shp")
    (inside / "说明.txt").write_text("hello")
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for part in inside.iterdir():
            packed.write(part, f"数据/{part.name}")
    layers = read_file(archive)
    assert sorted(layer.name for layer in layers) == ["parcels", "towns"]
    assert "说明.txt" in layers[0].notes[0]
    (one,) = read_file(archive, layers=["towns"])
    assert one.name == "towns"


@pytest.mark.parametrize("packed_as", ["folder", "zip", "zip without folder"])
def test_a_file_geodatabase(tmp_path: Path, packed_as: str) -> None:
    folder = tmp_path / "土地.gdb"
    write(folder, driver="OpenFileGDB", 编号=["甲", "乙", "丙"])
    path = folder
    if packed_as != "folder":
        path = tmp_path / "土地.gdb.zip"
        with zipfile.ZipFile(path, "w") as packed:
            for part in folder.iterdir():
                packed.write(part, part.name if "without" in packed_as else f"土地.gdb/{part.name}")
    (layer,) = read_file(path)
    assert sorted(layer.frame["编号"]) == ["丙", "乙", "甲"]
    assert len(layer.frame.columns) == 2 + sum(name.startswith("Shape") for name in layer.frame.columns)


@pytest.mark.parametrize("name", ["!a.geojson", "a!b.gpkg", "http:x.geojson", "A.GEOJSON"])
def test_names_that_gdal_would_read_as_instructions(tmp_path: Path, name: str) -> None:
    table = gpd.GeoDataFrame({"parcel_id": ["A", "B", "C"]}, geometry=SQUARES, crs=4490)
    plain = tmp_path / f"plain{Path(name).suffix.lower()}"
    table.to_file(plain, layer="parcels")
    plain.rename(tmp_path / name)
    (layer,) = read_file(tmp_path / name)
    assert len(layer.frame) == 3


def test_a_shapefile_without_its_companions(tmp_path: Path) -> None:
    path = write(tmp_path / "a.shp")
    (tmp_path / "a.shx").unlink()
    (tmp_path / "a.dbf").unlink()
    (layer,) = read_file(path)
    assert len(layer.frame) == 3
    assert sorted(note[:7] for note in layer.notes) == ["缺少属性表（.", "缺少索引文件（"]


def test_deleted_records_are_left_out_and_told(tmp_path: Path) -> None:
    path = shapefile(tmp_path, "UTF-8", parcel_id=["A", "B", "C"])
    dbf = bytearray((tmp_path / "a.dbf").read_bytes())
    start, width = int.from_bytes(dbf[8:10], "little"), int.from_bytes(dbf[10:12], "little")
    dbf[start + width] = ord("*")
    (tmp_path / "a.dbf").write_bytes(dbf)
    (layer,) = read_file(path)
    assert list(layer.frame["parcel_id"]) == ["A", "C"]
    assert shapely.equals(layer.frame.geometry.array, [SQUARES[0], SQUARES[2]]).all()
    assert any("1 条已标记删除" in note for note in layer.notes)


def geojson(path: Path, *geometries: dict[str, Any]) -> Path:
    rows = [{"type": "Feature", "properties": {"n": n}, "geometry": each} for n, each in enumerate(geometries)]
    path.write_text(json.dumps({"type": "FeatureCollection", "name": "parcels", "features": rows}))
    return path


def test_geometry_that_is_none_is_a_fault_of_its_row(tmp_path: Path) -> None:
    ring = [[120, 32], [120.1, 32], [120.1, 32.1], [120, 32]]
    (layer,) = read_file(
        geojson(
            tmp_path / "a.geojson",
            {"type": "Polygon", "coordinates": [ring]},
            {"type": "Polygon", "coordinates": [[*ring[:-1], [120, 32.05]]]},
            {"type": "LineString", "coordinates": [[120, 32]]},
            {"type": "Polygon", "coordinates": [[[120, 32], [120, 32]]]},
        )
    )
    assert layer.name == "parcels"
    assert list(layer.frame["n"]) == [0, 1, 2, 3]
    assert layer.faults == {
        1: "几何无法读取：环没有闭合",
        2: "几何无法读取：线只有一个点",
        3: "几何无法读取：环的点数不足",
    }
    assert layer.frame.geometry.isna().tolist() == [False, True, True, True]


def test_arcs_become_lines_and_heights_are_dropped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg")
    compound = struct.pack("<BIII", 1, 10, 1, 0)[:9]  # a curve polygon of one ring
    arc = struct.pack("<BII", 1, 8, 5) + struct.pack("<10d", 120, 32, 120.1, 32.1, 120.2, 32, 120.1, 31.9, 120, 32)
    with sqlite3.connect(path) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        blob = b"GP\x00\x01" + struct.pack("<i", 4490) + compound + arc
        connection.execute("UPDATE a SET geom = ? WHERE fid = 1", (blob,))
    connection.close()
    (layer,) = read_file(path)
    assert layer.frame.geometry[0].area == pytest.approx(np.pi * 0.01, rel=1e-2)
    assert any("折线" in note for note in layer.notes)
    gpd.GeoDataFrame({"a": [1]}, geometry=[shapely.force_3d(SQUARES[0], 7.0)], crs=4490).to_file(tmp_path / "z.gpkg")
    (layer,) = read_file(tmp_path / "z.gpkg")
    assert not layer.frame.geometry.has_z.any()


def test_a_field_called_geometry_is_kept(tmp_path: Path) -> None:
    table = pd.DataFrame({"geometry": ["方形"], "面积": [1.5]})
    table.to_csv(tmp_path / "plain.csv", index=False)
    (layer,) = read_file(tmp_path / "plain.csv")
    assert "方形" in layer.frame.iloc[0].tolist()


def test_an_empty_layer_is_a_layer(tmp_path: Path) -> None:
    gpd.GeoDataFrame({"parcel_id": []}, geometry=[], crs=None).to_file(tmp_path / "a.gpkg", geometry_type="Polygon")
    (layer,) = read_file(tmp_path / "a.gpkg")
    assert len(layer.frame) == 0


def test_progress_is_told_in_words(tmp_path: Path) -> None:
    told: list[str] = []
    read_file(write(tmp_path / "a.gpkg"), progress=told.append)
    assert told[-1] == "读取 a 3/3"


def test_tables_drawings_and_boundary_points_come_through_the_same_door(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('编号,WKT\n甲,"POLYGON((120 32,120.1 32,120.1 32.1,120 32))"\n', "gb18030")
    (layer,) = read_file(tmp_path / "a.csv", crs="EPSG:4490")
    assert (list(layer.frame["编号"]), layer.encoding) == (["甲"], "GB18030")
    pd.DataFrame({"宗地代码": ["320115001001GB00001"], "税收": [1.5]}).to_excel(tmp_path / "a.xlsx", index=False)
    (layer,) = read_file(tmp_path / "a.xlsx")
    assert layer.crs is None
    assert list(layer.frame["宗地代码"]) == ["320115001001GB00001"]
    drawing = ezdxf.new("R2000")
    drawing.modelspace().add_lwpolyline([(500_000, 3.5e6), (500_100, 3.5e6), (500_100, 3_500_100)], close=True)
    drawing.saveas(tmp_path / "a.dxf")
    (layer,) = read_file(tmp_path / "a.dxf", crs="EPSG:4549")
    assert layer.frame.geometry.area.tolist() == [5000.0]
    points = "J1,1,3500000,40500000\nJ2,1,3500000,40500100\nJ3,1,3500100,40500100\nJ1,1,3500000,40500000\n"
    (tmp_path / "a.txt").write_text(
        "[属性描述]\n坐标系=2000国家大地坐标系\n几度分带=3\n投影类型=高斯克吕格\n计量单位=米\n带号=40\n[地块坐标]\n"
        f"4,0.5,1,甲地,面,,工业,0601,@\n{points}", "gb18030",
    )  # fmt: skip
    (layer,) = read_file(tmp_path / "a.txt")
    assert crs_name(layer.crs) == "EPSG:4528"
    assert layer.frame.geometry.area.tolist() == [5000.0]


# --- refusals


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
        (lambda folder: zip_with(folder / "a.zip", "readme.md", b"hello"), "没有可读取的数据集"),
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
    with pytest.raises(InvalidInput, match="还有压缩包"):
        read_file(zip_with(tmp_path / "outer.zip", "inner.zip", inner.read_bytes()))


@pytest.mark.parametrize("name", ["a.gpkg", "a.fgb", "a.parquet"])
def test_long_numbers_with_gaps_stay_exact(tmp_path: Path, name: str) -> None:
    numbers = pd.array([3201150010010000123, 3201150010010000124, None], dtype="Int64")
    table = gpd.GeoDataFrame({"ZDDM": numbers}, geometry=SQUARES, crs=4490)
    table.to_parquet(tmp_path / name) if name.endswith("parquet") else table.to_file(tmp_path / name)
    (layer,) = read_file(tmp_path / name)
    mapped = apply_profile(layer, plain_profile("parcels")).frame
    assert sorted(mapped["parcel_id"].dropna()) == ["3201150010010000123", "3201150010010000124"]


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    (layer,) = read_file(write(tmp_path / "a.gpkg", number=[1, 2, 3]))
    with pytest.raises(InvalidInput, match="缺少字段 parcel_id"):
        apply_profile(layer, plain_profile("parcels"))
    with pytest.raises(InvalidInput, match="缺少字段“PIN”"):
        apply_profile(layer, load_profile("baltimore-parcels"))


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_loads(name: str) -> None:
    assert load_profile(name).title
