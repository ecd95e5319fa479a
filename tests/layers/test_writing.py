"""What goes out comes back: every format, from both stores, read by the format's own library and by our own reader."""

from __future__ import annotations

import csv
import io
import json
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ezdxf
import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS, Transformer

from geo.errors import InvalidInput, InvalidParameter, LianpianError
from geo.layers.dictionary import NameRules, columns_of, cut
from geo.layers.formats.provenance import Provenance
from geo.layers.reading import read_file
from geo.layers.schema import LAYERS, Layer
from geo.layers.writing import FORMATS, format_of, target_crs, write_frame, write_layer
from geo.store.base import Frame, Load, Query, Run, Store

ABOUT = Provenance(
    "parcels", "宗地", "", None, "2024-01-01", "2024-06-01T08:00:00+08:00", "某区自然资源局", "全部", "椭球面积"
)
RING = shapely.Polygon(
    [(120.1, 31.1), (120.1031234567, 31.1), (120.103, 31.1029876543), (120.1, 31.103)],
    [[(120.101, 31.101), (120.101, 31.102), (120.102, 31.102), (120.102, 31.101)]],
)
TWO = shapely.MultiPolygon([shapely.box(120.2, 31.1, 120.201, 31.101), shapely.box(120.203, 31.1, 120.204, 31.101)])
LONG = "长" * 126 + "𠮷" + "尾" * 20
PARCELS = gpd.GeoDataFrame(
    {
        "parcel_id": ["3205000010010000001", "3205000010010000002", "Ｂ-𠮷野㙍", "d"],
        "holder": ["=1+1", LONG, "甲公司 <b>&\"'乙</b>", None],
        "address": ["江苏路·1号—东", None, "@SUM(A1)", "第一行\n第二行"],
        "tenure": ["state", None, "collective", "state"],
        "start_due": pd.to_datetime(["2024-02-29", None, "1999-12-31", "2100-01-01"]),
        "area_m2": [12345.678901234567, None, 0.1, 98765432.125],
        "land_price_yuan": [12_345_678_901.25, 0.0, None, 1e-6],
        "employees": pd.array([0, None, 2_147_483_647, -5], dtype="Int64"),
        "above_scale": pd.array([True, False, None, True], dtype="boolean"),
        "extra": [{"备注": "好", "year": 7, "YEAR": "八", "嵌": [1, None, {"a": 0.5}]}, None, {"year": 8}, {}],
    },
    geometry=[RING, TWO, shapely.box(120.3, 31.2, 120.3001, 31.2001), RING],
    crs=4490,
)
PLOTS = gpd.GeoDataFrame(
    {
        "plot_id": ["P1", "P2"],
        "name": ["北镇一号", "北镇二号"],
        "area_m2": [333_333.3333, 500_000.5],
        "parcel_count": pd.array([12, 40], dtype="Int64"),
        "compactness": [0.75, None],
        "evidence": [{"members": ["3205000010010000001"], "gap_m": 20.0}, None],
    },
    geometry=[TWO, RING],
    crs=4490,
)
FINDINGS = gpd.GeoDataFrame(
    {
        "finding_id": ["F1", "F2"],
        "kind": ["idle", "inefficient"],
        "since": pd.to_datetime(["2022-03-01", None]),
        "days": pd.array([800, None], dtype="Int64"),
        "fee_yuan": [1_000_000.0, None],
        "evidence": [{"条款": "第二十一条"}, {"x": [1, 2]}],
        "missing": [["start_due"], None],
    },
    geometry=[RING, TWO],
    crs=4490,
)
DELAYS = pd.DataFrame(
    {
        "delay_id": ["1", "2"],
        "parcel_id": ["3205000010010000001", "d"],
        "delay_from": pd.to_datetime(["2023-05-01", None]),
        "evidence": ["会议纪要〔2023〕5号", None],
    }
)
GIVEN: dict[str, Frame] = {"parcels": PARCELS, "plots": PLOTS, "findings": FINDINGS, "delays": DELAYS}
NOTHING = gpd.GeoDataFrame({"row_id": []}, geometry=[], crs=4490)


@pytest.fixture
def filled(store: Store) -> Store:
    """A store of either kind that holds the layers above."""
    for number, name in enumerate(("parcels", "delays")):
        rows = len(GIVEN[name])
        load = Load(
            f"l{number}", name, "宗地.shp", "0" * 64, "默认", "EPSG:4528", "2024-05-01T08:00:00+08:00", None,
            rows, rows, 0, 0,
        )  # fmt: skip
        store.write_load(load, GIVEN[name], NOTHING)
    run = Run("r1", "2024-05-01", "national", "1" * 64, {}, ("l0",), "2024-05-01T09:00:00+08:00")
    store.write_run(run, {"plots": PLOTS, "findings": FINDINGS})
    return store


def exported(store: Store, name: str, path: Path, **options: Any) -> Frame:
    """Write a layer out of a store in pages of two rows; the rows as the store has them."""
    written = write_layer(store.stream(Query(name), rows=2), LAYERS[name], path, about=ABOUT, **options)
    stored = store.read(Query(name))
    assert written.rows == len(stored) == len(GIVEN[name])
    assert [each.name for each in path.parent.iterdir() if each.name.startswith(".lianpian")] == []
    return stored


def by_library(path: Path) -> Frame:
    if path.suffix == ".parquet":
        try:
            return gpd.read_parquet(path)
        except ValueError:  # no geometry
            return pd.read_parquet(path)
    options = {"integer_object_nulls": True}
    return pyogrio.read_dataframe(path, use_arrow=True, datetime_as_string=True, arrow_to_pandas_kwargs=options)


def plain(kind: str, value: Any) -> Any:
    """A value as every format can tell it."""
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    match kind:
        case "json":
            return json.loads(value) if isinstance(value, str) else value
        case "date":
            return str(value)[:10].replace("/", "-")
        case "boolean":
            return {"true": True, "false": False}.get(str(value).lower(), bool(value) if value in (0, 1) else value)
        case "integer":
            return int(value)
        case "real":
            return float(value)
    return value


def assert_same(
    stored: Frame, back: Frame, layer: Layer, names: dict[str, str] | None = None, tolerance_m: float = 0.001
) -> None:
    """Same rows, same values, same places; ``names`` canonical field -> name in the file."""
    called = names or {}
    back = back.set_index(called.get(layer.key, layer.key), drop=False).loc[list(stored[layer.key])]
    for field in layer.fields:
        expected = [plain(field.kind, value) for value in stored[field.name].tolist()]
        found = [plain(field.kind, value) for value in back[called.get(field.name, field.name)].tolist()]
        if field.kind == "real":
            assert found == [None if value is None else pytest.approx(value, rel=1e-14) for value in expected]
        else:
            assert found == expected, field.name
    if layer.geometry is not None:
        there = np.asarray(back.geometry.to_crs(4549).array, dtype=object)
        here = np.asarray(stored.geometry.to_crs(4549).array, dtype=object)
        assert shapely.hausdorff_distance(here, there).max() < tolerance_m
        assert shapely.area(there) == pytest.approx(shapely.area(here), abs=4 * 400 * tolerance_m)


@pytest.mark.parametrize("ending", [".gpkg", ".geojson", ".fgb", ".parquet", ".gdb.zip"])
def test_round_trip(filled: Store, tmp_path: Path, ending: str) -> None:
    for name, layer in ((name, LAYERS[name]) for name in GIVEN):
        path = tmp_path / f"输出 {name}{ending}"
        if layer.geometry is None and not FORMATS[format_of(path)].tables:
            with pytest.raises(InvalidParameter, match="没有几何"):
                exported(filled, name, path)
            assert not path.exists()
        else:
            assert_same(exported(filled, name, path), by_library(path), layer)


def expected_of_shapefile(path: Path, stored: Frame, name: str, encoding: str | None, names: str) -> dict[str, str]:
    """What the zip says of itself, checked: canonical field -> name in the table."""
    with zipfile.ZipFile(path) as packed:
        assert {Path(each).suffix for each in packed.namelist()} == {
            ".shp", ".shx", ".dbf", ".prj", ".cpg", ".csv", ".txt",
        }  # fmt: skip
        beyond = name == "parcels"  # than GBK: 𠮷 and 㙍
        assert packed.read(f"{name}.cpg").decode().strip() == (encoding or ("GB18030" if beyond else "GBK"))
        rows = list(csv.DictReader(io.StringIO(packed.read("字段对照表.csv").decode("utf-8-sig"))))
        assert "2000" in packed.read(f"{name}.prj").decode()
    called = {row["字段"]: row["文件中的字段名"] for row in rows}
    assert list(called) == list(LAYERS[name].columns)
    codec = "utf-8" if encoding == "UTF-8" else "gbk"
    assert all(len(each.encode(codec)) <= 10 for each in called.values())
    assert names == "zh" or all(each.isascii() for each in called.values())
    if beyond:  # only the long text is cut, and says so
        assert [row["说明"] for row in rows if row["字段"] == "holder"] == ["1 行超过 254 字节，已截断"]
        stored.loc[stored["parcel_id"] == "3205000010010000002", "holder"] = cut(LONG, 254, encoding or "GB18030")
    return called


@pytest.mark.parametrize(("encoding", "names"), [(None, "short"), (None, "zh"), ("UTF-8", "short"), ("GB18030", "zh")])
def test_shapefile_round_trip(filled: Store, tmp_path: Path, encoding: str | None, names: Any) -> None:
    for name in ("parcels", "plots", "findings"):
        path = tmp_path / f"{name}.shp.zip"
        stored = exported(filled, name, path, encoding=encoding, names=names).copy()
        called = expected_of_shapefile(path, stored, name, encoding, names)
        assert_same(stored, by_library(path), LAYERS[name], called)


ZH = {field.name: field.zh for field in LAYERS["parcels"].fields}


def test_kml_round_trip(filled: Store, tmp_path: Path) -> None:
    path = tmp_path / "out.kml"
    stored = exported(filled, "parcels", path)
    back = by_library(path)
    assert_same(stored, back, LAYERS["parcels"], ZH)
    assert sorted(back["Name"]) == sorted(stored["parcel_id"])
    text = path.read_text(encoding="utf-8")
    assert "某区自然资源局" in text
    assert "<b>" not in text


def test_formats_of_other_trades(filled: Store, tmp_path: Path) -> None:
    for word in ("dxf", "xlsx", "csv", "txt"):
        exported(filled, "plots", tmp_path / f"out.{word}")
    drawing = ezdxf.readfile(tmp_path / "out.dxf")
    assert len([each for each in drawing.modelspace().query("LWPOLYLINE") if each.closed]) == 4  # 1 + 1 rings, 2 parts
    cells = [str(cell.value) for row in openpyxl.load_workbook(tmp_path / "out.xlsx").worksheets[0] for cell in row]
    for text in (
        " ".join(cells),
        (tmp_path / "out.csv").read_text(encoding="utf-8-sig"),
        (tmp_path / "out.txt").read_text(encoding="gb18030"),
        " ".join(each.dxf.text for each in drawing.modelspace().query("TEXT")),
    ):
        assert "北镇一号" in text or "P1" in text
        assert "北镇二号" in text or "P2" in text


@pytest.mark.parametrize("word", [word for word in FORMATS if word != "pmtiles"])
def test_what_goes_out_can_come_in(tmp_path: Path, word: str) -> None:
    path = tmp_path / f"宗地{FORMATS[word].suffix}"
    write_layer([PARCELS], LAYERS["parcels"], path, about=ABOUT)
    crs = {"dxf": "EPSG:4528", "csv": "EPSG:4490"}.get(word)  # these say nothing of their system
    frame = next(layer for layer in read_file(path, crs=crs) if layer.name != "layer_styles").frame
    if FORMATS[word].projected:
        assert sorted(frame.to_crs(4549).area) == pytest.approx(sorted(PARCELS.to_crs(4549).area), rel=1e-4)
        return
    if word in ("xlsx", "csv"):  # their headings name units; the values are looked at with the format
        assert sorted(frame["宗地代码"]) == sorted(PARCELS["parcel_id"])
        if word == "csv":
            assert sorted(frame.to_crs(4549).area) == pytest.approx(sorted(PARCELS.to_crs(4549).area), rel=1e-6)
        return
    stored, called = PARCELS, dict[str, str]()
    if word == "shp":
        stored = PARCELS.copy()
        with zipfile.ZipFile(path) as packed:
            rows = csv.DictReader(io.StringIO(packed.read("字段对照表.csv").decode("utf-8-sig")))
        called = {row["字段"]: row["文件中的字段名"] for row in rows}
        stored.loc[1, "holder"] = cut(LONG, 254, "GB18030")
    elif word == "kml":
        called = ZH
    present = {field for field in PARCELS.columns if field in LAYERS["parcels"].columns}
    fields = tuple(field for field in LAYERS["parcels"].fields if field.name in present)
    assert_same(stored, frame, replace(LAYERS["parcels"], fields=fields), called)


def test_pmtiles_show_every_row_where_it_is(filled: Store, tmp_path: Path) -> None:
    path = tmp_path / "out.pmtiles"
    stored = exported(filled, "parcels", path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # GDAL says that tiles may be cut
        tiles = pyogrio.read_dataframe(path)
    assert set(tiles["parcel_id"]) == set(stored["parcel_id"])
    whole = tiles.dissolve("parcel_id").to_crs(4549)
    here = stored.set_index("parcel_id").to_crs(4549)
    apart = whole.geometry.hausdorff_distance(here.geometry.reindex(whole.index))
    assert apart.max() < 0.5
    first = tiles.set_index("parcel_id").loc["3205000010010000001"]
    first = first if isinstance(first, pd.Series) else first.iloc[0]
    assert (first["holder"], first["start_due"], first["above_scale"]) == ("=1+1", "2024-02-29", True)


@pytest.mark.parametrize("word", list(FORMATS))
def test_a_layer_without_rows_is_a_file_without_rows(tmp_path: Path, word: str) -> None:
    path = tmp_path / f"空{FORMATS[word].suffix}"
    if word == "pmtiles":
        with pytest.raises(InvalidParameter, match="没有带几何的行"):
            write_layer([], LAYERS["plots"], path, about=ABOUT)
        assert list(tmp_path.iterdir()) == []
        return
    assert write_layer([], LAYERS["plots"], path, about=ABOUT).rows == 0
    if word in ("gpkg", "shp", "geojson", "fgb", "parquet", "gdb"):
        assert len(by_library(path)) == 0


DEGREES = (4490, 4326)


@pytest.mark.parametrize("code", [4490, 4528, 4549, 4498, 4509, 4326, 3857])
@pytest.mark.parametrize("ending", [".gpkg", ".shp.zip", ".parquet", ".gdb.zip"])
def test_target_systems(tmp_path: Path, ending: str, code: int) -> None:
    path = tmp_path / f"a{ending}"
    write_layer([PLOTS], LAYERS["plots"], path, crs=f"EPSG:{code}", about=ABOUT)
    back = by_library(path)
    assert back.crs.to_epsg() == code
    moved = Transformer.from_crs(4490, code, always_xy=True)  # easting first, the zone in it where the code says so
    expected = [shapely.transform(each, moved.transform, interleaved=False) for each in PLOTS.geometry]
    found = back.set_index("PLOT_ID" if ending == ".shp.zip" else "plot_id").geometry.loc[["P1", "P2"]]
    assert shapely.hausdorff_distance(np.asarray(found.array), expected).max() < (1e-8 if code in DEGREES else 0.001)


def test_systems_that_cannot_be_had() -> None:
    bounds = (120.1, 31.1, 120.3, 31.2)
    assert target_crs("gpkg", "EPSG:4490", bounds).to_epsg() == 4490
    assert target_crs("shp", "4549", bounds).to_epsg() == 4549
    # Local zone: 120°E is the meridian of zone 40, with the zone in the easting.
    assert target_crs("dxf", "EPSG:4490", bounds).to_epsg() == 4528
    assert target_crs("txt", "EPSG:4490", (118.6, 31, 118.7, 32)).to_epsg() == 4528
    assert target_crs("txt", "EPSG:4490", (118.2, 31, 118.3, 32)).to_epsg() == 4527
    assert target_crs("kml", "EPSG:4490", bounds).to_epsg() == 4326
    for word, crs, why in (
        ("gpkg", "EPSG:27700", "EPSG:4490"), ("gpkg", "nonsense", "无法识别"), ("gpkg", "EPSG:4610", "不能导出"),
        ("geojson", "EPSG:4549", "只有"), ("kml", "EPSG:4528", "只有"), ("dxf", "EPSG:4326", "以米为单位"),
        ("txt", "EPSG:3857", "以米为单位"), ("gpkg", "EPSG:4513", "中央经线"),
    ):  # fmt: skip
        with pytest.raises(InvalidParameter) as caught:
            target_crs(word, crs, bounds)
        assert why in caught.value.detail + caught.value.remedy


def test_a_zone_beside_the_data_is_said(tmp_path: Path) -> None:
    written = write_layer([PLOTS], LAYERS["plots"], tmp_path / "a.gpkg", crs="EPSG:4527", about=ABOUT)
    assert any("分带以外" in note for note in written.notes)
    assert write_layer([PLOTS], LAYERS["plots"], tmp_path / "b.gpkg", crs="EPSG:4528", about=ABOUT).notes == ()


def test_a_geopackage_explains_itself(tmp_path: Path) -> None:
    path = tmp_path / "宗地.gpkg"
    write_layer([PARCELS], LAYERS["parcels"], path, about=ABOUT, style="<qgis version='3.22'/>")
    info = pyogrio.read_info(path, layer="parcels")
    assert info["layer_metadata"]["数据产生单位"] == "某区自然资源局"
    assert info["layer_metadata"]["坐标系"].startswith("EPSG:4490")
    assert info["geometry_type"] == "MultiPolygon"
    assert info["capabilities"]["fast_spatial_filter"]
    schema = pyogrio.raw.read_arrow(path, layer="parcels")[1].schema
    assert schema.field("holder").metadata[b"GDAL:OGR:alternative_name"].decode() == "使用权人"
    (style,) = pyogrio.read_dataframe(path, layer="layer_styles").to_dict("records")
    assert style["styleQML"].startswith("<qgis")
    assert (style["f_table_name"], style["f_geometry_column"], bool(style["useAsDefault"])) == ("parcels", "geom", True)


def test_geoparquet_states_what_the_specification_asks(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_layer([PARCELS], LAYERS["parcels"], path, crs="EPSG:4528", about=ABOUT)
    file = pq.ParquetFile(path)
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    geo = json.loads(file.metadata.metadata[b"geo"])
    column = geo["columns"][geo["primary_column"]]
    assert (geo["version"], column["encoding"]) == ("1.1.0", "WKB")
    assert CRS.from_json_dict(column["crs"]).to_epsg() == 4528
    assert column["geometry_types"] == ["MultiPolygon", "Polygon"]
    assert column["bbox"] == pytest.approx(PARCELS.to_crs(4528).total_bounds)
    assert column["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]
    west, south, east, north = PARCELS.to_crs(4528).total_bounds
    assert len(gpd.read_parquet(path, bbox=(east - 1, north - 1, east, north))) == 1
    assert len(gpd.read_parquet(path, bbox=(west, south, east, north))) == 4


def test_geojson_keeps_identifiers_whole(tmp_path: Path) -> None:
    frame = PARCELS.assign(extra=[{"n": 91320500123456789012, "m": 2**53 + 1, "k": 7}] * 4)
    path = tmp_path / "a.geojson"
    write_layer([frame], LAYERS["parcels"], path, about=ABOUT)
    said = json.loads(path.read_text(encoding="utf-8"))
    first = said["features"][0]
    assert first["id"] == first["properties"]["parcel_id"] == "3205000010010000001"
    assert first["properties"]["extra"] == {"n": "91320500123456789012", "m": "9007199254740993", "k": 7}
    assert "crs" not in said
    shell = np.array(first["geometry"]["coordinates"][0])
    assert shapely.LinearRing(shell).is_ccw  # the right-hand rule


MIXED = gpd.GeoDataFrame(
    {"barrier_id": ["a", "b", "c", "d"], "kind": ["river", "railway", "river", None]},
    geometry=[
        shapely.box(120, 31, 120.1, 31.01),
        shapely.LineString([(120, 31), (120.1, 31.1)]),
        shapely.GeometryCollection([shapely.Point(120, 31), shapely.box(120, 31, 120.05, 31.01)]),
        None,
    ],
    crs=4490,
)


@pytest.mark.parametrize("ending", [".gpkg", ".geojson", ".fgb", ".parquet", ".kml"])
def test_mixed_geometry_in_formats_that_mix(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    rows = MIXED
    if ending == ".fgb":  # a row without geometry makes GDAL's own reader crash
        with pytest.raises(InvalidParameter, match="1 行没有几何"):
            write_layer([MIXED], LAYERS["barriers"], path, about=ABOUT)
        rows = MIXED.iloc[:3]
    write_layer([rows], LAYERS["barriers"], path, about=ABOUT, names="canonical")
    back = by_library(path).set_index("barrier_id")
    assert len(back) == len(rows)
    assert back.geometry["b"].geom_type.removeprefix("Multi") == "LineString"
    assert back.geometry["c"].geom_type == "GeometryCollection"
    assert ending == ".fgb" or back.geometry["d"] is None


@pytest.mark.parametrize(("ending", "key"), [(".shp.zip", "BARRIER_ID"), (".gdb.zip", "barrier_id")])
def test_mixed_geometry_in_formats_of_one_type_each(tmp_path: Path, ending: str, key: str) -> None:
    path = tmp_path / f"a{ending}"
    written = write_layer([MIXED], LAYERS["barriers"], path, about=ABOUT)
    inside = {str(name): pyogrio.read_dataframe(path, layer=name) for name, _ in pyogrio.list_layers(path)}
    assert {name: set(frame[key]) for name, frame in inside.items()} == {
        "barriers_polygon": {"a", "c", "d"},
        "barriers_line": {"b"},
    }
    assert any("面、线" in note for note in written.notes)
    assert any(note.startswith("1 行的几何集合") for note in written.notes)


@pytest.mark.parametrize("ending", [".gpkg", ".geojson", ".fgb", ".parquet", ".gdb.zip", ".kml", ".shp.zip"])
def test_keys_of_extra_become_columns(tmp_path: Path, ending: str) -> None:
    frame = PARCELS.assign(
        extra=[
            {"year": 7, "YEAR": "八", "fid": "f", "select": 1.5, "编 号\"<'&;": "x", "嵌": {"a": [1]}, "id": 10**17},
            None,
            {"year": 8, "select": 2},
            {},
        ]
    ).assign(year=pd.array([2023, 2024, None, None], dtype="Int64"))  # fmt: skip
    path = tmp_path / f"a{ending}"
    write_layer([frame], LAYERS["parcels"], path, about=ABOUT, expand_extra=True)
    back = by_library(path)
    key = {".kml": "宗地代码", ".shp.zip": "ZDDM"}.get(ending, "parcel_id")
    rows = back.set_index(key)
    assert "extra" not in back.columns
    first = rows.loc["3205000010010000001"]
    values = [str(value) for value in first.tolist()]
    for expected in ("八", "f", "x", str(10**17)):
        assert values.count(expected) == 1, expected
    assert {"7", "2023"} <= {value.removesuffix(".0") for value in values}
    assert any(value in ('{"a":[1]}', "{'a': [1]}") for value in values)
    assert len({str(name).casefold() for name in back.columns}) == len(back.columns)


def test_characters_that_no_file_can_hold(tmp_path: Path) -> None:
    frame = PARCELS.assign(holder=pd.Series(["a\0b", "x\ud842y", "bell\x07", "fine"], dtype=object))
    for ending, others in ((".gpkg", 0), (".kml", 1), (".geojson", 0), (".shp.zip", 0)):
        path = tmp_path / f"a{ending}"
        written = write_layer([frame], LAYERS["parcels"], path, about=ABOUT)
        assert any(note.startswith("2 个文本值含 NUL") for note in written.notes)
        assert sum("控制字符" in note for note in written.notes) == others
        column = {".kml": "使用权人", ".shp.zip": "XZTDSYR"}.get(ending, "holder")
        found = by_library(path)[column].tolist()
        assert found[:2] == ["a\ufffdb", "x\ufffdy"]
        assert found[2] == ("bell\ufffd" if others else "bell\x07")


def test_a_shapefile_says_before_what_it_cannot_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.shp.zip"
    for options, why in (
        ({"names": "canonical"}, "10 个字节"),
        ({"names": "zh", "encoding": "UTF-8"}, "中文字段名"),
        ({"encoding": "Big5"}, "不支持编码"),
    ):
        with pytest.raises(InvalidParameter, match=why):
            write_layer([PARCELS], LAYERS["parcels"], path, about=ABOUT, **options)
    monkeypatch.setattr("geo.layers.formats.shapefile.MAX_FILE_BYTES", 2_000)
    with pytest.raises(InvalidParameter, match="2 GB"):
        write_layer([PARCELS], LAYERS["parcels"], path, about=ABOUT)
    assert list(tmp_path.iterdir()) == []


def broken() -> Iterator[Frame]:
    yield PARCELS.iloc[:2]
    raise LianpianError("数据库断开")


@pytest.mark.parametrize("word", [word for word in FORMATS if word != "pmtiles"])
def test_a_failure_leaves_nothing_behind(tmp_path: Path, word: str) -> None:
    with pytest.raises(LianpianError, match="数据库断开"):
        write_layer(broken(), LAYERS["parcels"], tmp_path / f"a{FORMATS[word].suffix}", about=ABOUT)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    path.write_text("mine")
    with pytest.raises(InvalidParameter, match="已经存在"):
        write_layer([PLOTS], LAYERS["plots"], path, about=ABOUT)
    assert path.read_text() == "mine"

    def meanwhile() -> Iterator[Frame]:
        yield PLOTS
        (tmp_path / "b.gpkg").write_text("theirs")

    with pytest.raises(InvalidParameter, match="已经存在"):
        write_layer(meanwhile(), LAYERS["plots"], tmp_path / "b.gpkg", about=ABOUT)
    assert (tmp_path / "b.gpkg").read_text() == "theirs"
    write_layer([PLOTS], LAYERS["plots"], path, about=ABOUT, overwrite=True)
    assert len(by_library(path)) == 2
    assert {each.name for each in tmp_path.iterdir()} == {"a.gpkg", "b.gpkg"}


def test_rows_that_are_not_of_the_layer(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    for frame, why in (
        (PLOTS.assign(surprise=1), "surprise"),
        (PLOTS.assign(area_m2="x"), "面积"),
        (PLOTS.to_crs(4528), "4490"),
        (PLOTS.set_geometry([shapely.Point(np.inf, 31)] * 2, crs=4490), "有限"),
    ):
        with pytest.raises(InvalidInput) as caught:
            write_layer([frame], LAYERS["plots"], path, about=ABOUT)
        assert why in caught.value.detail
    with pytest.raises(InvalidParameter, match="doc"):
        write_layer([PLOTS], LAYERS["plots"], tmp_path / "a.doc", about=ABOUT)
    with pytest.raises(InvalidParameter, match="没有文件夹"):
        write_layer([PLOTS], LAYERS["plots"], tmp_path / "no" / "a.gpkg", about=ABOUT)


def test_quarantined_rows_with_their_own_columns(tmp_path: Path) -> None:
    path = tmp_path / "q.gpkg"
    rows = gpd.GeoDataFrame(
        {"原因": ["没有几何", "重复"], "FID": ["a", "b"], "值": [1, "x"], "表": [{"a": 1}, None]},
        geometry=[None, RING],
        crs=4490,
    )  # fmt: skip
    write_frame(rows, path, layer="quarantine_parcels")
    write_frame(rows, path, layer="quarantine_buildings")
    assert pyogrio.list_layers(path)[:, 0].tolist() == ["quarantine_parcels", "quarantine_buildings"]
    back = pyogrio.read_dataframe(path, layer="quarantine_parcels")
    assert back["FID_2"].tolist() == ["a", "b"]
    assert back["值"].tolist() == ["1", "x"]
    assert back["表"].fillna("").tolist() == ['{"a":1}', ""]


@given(
    st.lists(st.text(max_size=14), unique=True, max_size=12),
    st.sampled_from(["canonical", "zh", "short"]),
    st.sampled_from([NameRules(), NameRules("gbk", 10, frozenset({"fid", "shape"}), r"\W", True)]),
)
def test_names_are_unique_and_fit(keys: list[str], names: Any, rules: NameRules) -> None:
    layer = LAYERS["sites"]
    columns = columns_of(layer, layer.columns, dict.fromkeys(keys, "text"), names, rules)
    called = [column.name for column in columns]
    assert len({name.casefold() for name in called}) == len(called) == len(layer.columns) + len(keys)
    assert all(name and len(name.encode(rules.encoding)) <= rules.max_bytes for name in called)
    assert not {name.casefold() for name in called} & rules.reserved
    # A field is called the same whichever fields go out.
    alone = columns_of(layer, ["area_m2"], {}, names, rules)
    assert alone[0].name == called[layer.columns.index("area_m2")]


@given(st.text(alphabet="aé甲㙍𠮷", max_size=40), st.integers(0, 60), st.sampled_from(["gbk", "gb18030", "utf-8"]))
def test_text_is_cut_between_characters(text: str, limit: int, codec: str) -> None:
    text = "".join(letter for letter in text if codec != "gbk" or letter in "a甲")
    kept = cut(text, limit, codec)
    assert text.startswith(kept)
    assert len(kept.encode(codec)) <= limit
    assert kept == text or len(text[: len(kept) + 1].encode(codec)) > limit
