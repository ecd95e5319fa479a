"""What an export promises: systems, names, metadata, mixed geometry, nothing lost unsaid, nothing left behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
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
from geo.layers.schema import LAYERS
from geo.layers.writing import FORMATS, target_crs, write_frame, write_layer
from geo.store.base import Frame
from tests.layers.samples import ABOUT, PARCELS, PLOTS, RING, by_library


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
