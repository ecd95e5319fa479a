"""DXF: what a survey delivery means by its lines, and drawings that CAD and GIS software show with Chinese intact."""

from __future__ import annotations

from pathlib import Path

import ezdxf
import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely
from ezdxf.document import Drawing
from pyproj import CRS
from shapely import LineString, MultiLineString, MultiPolygon, Point, Polygon, box

from geo.crs import STORAGE_CRS, ellipsoidal_area, reproject
from geo.errors import InvalidInput
from geo.layers.formats.dxf import read_dxf, write_dxf
from geo.layers.formats.provenance import Provenance
from geo.layers.formats.raw import RawLayer
from geo.layers.schema import BARRIERS, NETWORK, PARCELS, TERMINALS

ABOUT = Provenance(
    "parcels", "宗地", "EPSG:4549", None, "2024-06-30", "2024-07-01T08:00:00", "某局", "全部", "椭球面积"
)
GK = CRS.from_epsg(4549)
E, N = 500_000.0, 3_346_000.0


def square(x: float, y: float, size: float) -> list[tuple[float, float]]:
    return [(E + x, N + y), (E + x + size, N + y), (E + x + size, N + y + size), (E + x, N + y + size)]


def drawing(version: str = "R2010") -> Drawing:
    return ezdxf.new(version)


def read(folder: Path, document: Drawing) -> list[RawLayer]:
    path = folder / "图.dxf"
    document.saveas(path)
    return read_dxf(path, None)


def noted(layer: RawLayer, words: str) -> bool:
    return any(words in note for note in layer.notes)


# ---------------------------------------------------------------------------------------------------------- reading


def test_closed_outlines_are_rows_and_the_rest_is_counted(tmp_path):
    document = drawing()
    model = document.modelspace()
    model.add_lwpolyline(square(0, 0, 100), close=True, dxfattribs={"layer": "宗地", "color": 3})
    model.add_lwpolyline([*square(200, 0, 100), square(200, 0, 100)[0]], dxfattribs={"layer": "宗地"})  # not flagged
    model.add_polyline2d(square(400, 0, 100), close=True, dxfattribs={"layer": "房屋"})
    model.add_polyline3d([(*xy, 7) for xy in square(600, 0, 100)], close=True, dxfattribs={"layer": "房屋"})
    model.add_lwpolyline(square(800, 0, 100)[:3], dxfattribs={"layer": "宗地"})
    model.add_line((E, N), (E + 1, N))
    model.add_circle((E + 50, N + 50), 0.5, dxfattribs={"layer": "宗地"})
    model.add_lwpolyline([(E, N, 1), (E + 1, N, 1)], format="xyb", close=True, dxfattribs={"layer": "宗地"})
    (layer,) = read(tmp_path, document)
    assert layer.name == "面"
    assert layer.frame["layer"].tolist() == ["宗地", "宗地", "房屋", "房屋"]
    assert layer.frame["colour"][0] == "3"
    assert layer.frame.area.tolist() == [10_000] * 4
    assert layer.frame.crs is None
    assert noted(layer, "CIRCLE 1、LINE 1、LWPOLYLINE 2")


def test_arcs_are_flattened_within_a_centimetre(tmp_path):
    document = drawing()
    model = document.modelspace()
    corners = [(E, N, 0.0), (E + 100, N, 1.0), (E + 100, N + 100, 0.0), (E, N + 100, 0.0)]  # a half circle to the east
    model.add_lwpolyline(corners, format="xyb", close=True)
    (layer,) = read(tmp_path, document)
    assert layer.frame.area[0] == pytest.approx(10_000 + np.pi * 2_500 / 2, abs=0.01 * 157)
    assert noted(layer, "弦高不超过 0.01")


def test_an_outline_inside_another_is_a_hole_unless_it_has_a_text_of_its_own(tmp_path):
    document = drawing()
    model = document.modelspace()
    on = {"layer": "宗地"}
    for x, y, size in ((0, 0, 100), (10, 10, 20), (15, 15, 5), (60, 60, 20)):
        model.add_lwpolyline(square(x, y, size), close=True, dxfattribs=on)
    model.add_lwpolyline(square(40, 5, 10), close=True, dxfattribs={"layer": "房屋"})  # another layer never cuts
    model.add_text("飞地", height=2, dxfattribs={**on, "insert": (E + 70, N + 70)})
    model.add_text("A-1", height=2, dxfattribs={**on, "insert": (E + 5, N + 90)})
    model.add_text("甲厂", height=2, dxfattribs={"layer": "注记", "insert": (E + 5, N + 80)})
    model.add_text("砼3", height=2, dxfattribs={"layer": "注记", "insert": (E + 45, N + 10)})
    model.add_text("图外", height=2, dxfattribs={"layer": "注记", "insert": (E - 45, N)})
    (layer,) = read(tmp_path, document)
    rows = {row.label or "岛": row for row in layer.frame.itertuples()}
    assert {label: row.geometry.area for label, row in rows.items()} == {
        "A-1": 10_000 - 400, "岛": 25, "飞地": 400, "砼3": 100,
    }  # fmt: skip
    assert rows["A-1"].text == "A-1；甲厂"
    assert noted(layer, "1 个闭合线在同图层另一闭合线之内，作为其孔洞")
    assert noted(layer, "作为独立地块，外面的面未扣除")
    assert noted(layer, "1 个文字不在任何面内")


def test_an_outline_hollowed_by_half_is_pointed_out(tmp_path):
    document = drawing()
    for x, size in ((0, 100), (5, 90)):
        document.modelspace().add_lwpolyline(square(x, x, size), close=True)
    (layer,) = read(tmp_path, document)
    assert noted(layer, "请核对是否为范围线")


def test_hatches_are_polygons_with_holes_and_the_paint_of_an_outline_is_no_second_parcel(tmp_path):
    document = drawing()
    model = document.modelspace()
    hatch = model.add_hatch(dxfattribs={"layer": "耕地"})
    hatch.paths.add_polyline_path(square(0, 0, 100), is_closed=True)
    hatch.paths.add_polyline_path(square(10, 10, 10), is_closed=True)
    hatch.paths.add_polyline_path(square(200, 0, 50), is_closed=True)
    painted = model.add_hatch(dxfattribs={"layer": "宗地"})
    painted.paths.add_polyline_path(square(400, 0, 100), is_closed=True)
    model.add_lwpolyline(square(400, 0, 100), close=True, dxfattribs={"layer": "宗地"})
    (layer,) = read(tmp_path, document)
    assert layer.frame.set_index("layer").area.to_dict() == {"耕地": 10_000 - 100 + 2_500, "宗地": 10_000}
    assert layer.frame["entity"].tolist() == ["HATCH", "LWPOLYLINE"]
    assert noted(layer, "只取闭合线")


def test_blocks_are_exploded_with_their_place_layer_and_texts(tmp_path):
    document = drawing()
    inner = document.blocks.new("内")
    inner.add_lwpolyline([(0, 0), (10, 0), (10, 10), (0, 10)], close=True)  # on layer 0: that of the insert
    outer = document.blocks.new("外")
    outer.add_blockref("内", (5, 5))
    document.modelspace().add_blockref("外", (E, N), dxfattribs={"layer": "宗地", "xscale": 2, "yscale": 2}).add_attrib(
        "编号", "B-9", (E + 20, N + 20)
    )
    (layer,) = read(tmp_path, document)
    assert layer.frame["layer"].tolist() == ["宗地"]
    assert layer.frame.geometry[0].equals(box(E + 10, N + 10, E + 30, N + 30))
    assert layer.frame["label"].tolist() == ["B-9"]


def test_mirrored_outlines_lie_where_cad_shows_them(tmp_path):
    document = drawing()
    document.modelspace().add_lwpolyline([(0, 0), (10, 0), (10, 5)], close=True, dxfattribs={"extrusion": (0, 0, -1)})
    (layer,) = read(tmp_path, document)
    assert layer.frame.total_bounds.tolist() == [-10, 0, 0, 5]


def test_a_closed_outline_of_two_points_is_a_fault_of_its_row(tmp_path):
    document = drawing()
    model = document.modelspace()
    model.add_lwpolyline(square(0, 0, 100), close=True)
    model.add_lwpolyline([(E, N), (E + 1, N)], close=True)
    (layer,) = read(tmp_path, document)
    assert len(layer.frame) == 2
    assert "不足 3 个不同的点" in layer.faults[1]
    assert layer.frame.geometry[1] is None


def test_lines_are_rows_only_where_there_are_no_outlines_and_points_only_where_there_are_no_lines(tmp_path):
    document = drawing()
    model = document.modelspace()
    model.add_point((E, N))
    (points,) = read(tmp_path, document)
    assert (points.name, len(points.frame)) == ("点", 1)
    model.add_line((E, N), (E + 5, N))
    model.add_lwpolyline(square(0, 0, 10)[:3])
    (lines,) = read(tmp_path, document)
    assert (lines.name, lines.frame.length.tolist()) == ("线", [5, 20])
    assert noted(lines, "POINT 1")
    model.add_lwpolyline(square(0, 0, 10), close=True)
    (polygons,) = read(tmp_path, document)
    assert (polygons.name, len(polygons.frame)) == ("面", 1)


@pytest.mark.parametrize(
    ("version", "page", "encoding"),
    [
        ("R2000", "ANSI_936", "gbk"),
        ("R2000", "ANSI_1252", "gbk"),  # the page of a western system on a Chinese file
        ("R2000", "ANSI_1252", "utf-8"),  # what GDAL writes
        ("R2000", "ANSI_936", "utf-8"),
        ("R2010", "ANSI_936", "utf-8"),
    ],
)
def test_chinese_is_read_whatever_the_file_says_of_its_encoding(tmp_path, version, page, encoding):
    document = drawing(version)
    document.modelspace().add_lwpolyline(square(0, 0, 100), close=True, dxfattribs={"layer": "LLLL"})
    document.modelspace().add_text("TTTT", height=2, dxfattribs={"insert": (E + 5, N + 5)})
    document.modelspace().add_text(r"\U+5386", height=2, dxfattribs={"insert": (E + 5, N + 1)})
    path = tmp_path / "a.dxf"
    document.saveas(path)
    text = (
        path.read_text(encoding="utf-8", errors="replace").replace("LLLL", "工业用地").replace("TTTT", "甲厂一期工程")
    )
    text = text.replace("ANSI_1252", page)
    path.write_bytes(text.encode(encoding))
    (layer,) = read_dxf(path, None)
    assert layer.frame["layer"].tolist() == ["工业用地"]
    assert layer.frame["text"].tolist() == ["甲厂一期工程；历"]


def test_a_damaged_drawing_is_recovered_and_says_so(tmp_path):
    document = drawing("R2000")
    document.encoding = "gbk"
    document.header["$DWGCODEPAGE"] = "ANSI_936"
    document.modelspace().add_lwpolyline(square(0, 0, 100), close=True, dxfattribs={"layer": "宗地"})
    path = tmp_path / "a.dxf"
    document.saveas(path)
    cut_off = path.read_bytes().decode("gbk").split("  0\nENDSEC\n  0\nSECTION\n  2\nOBJECTS")[0]
    path.write_bytes(cut_off.encode("gbk"))
    (layer,) = read_dxf(path, None)
    assert layer.frame["layer"].tolist() == ["宗地"]
    assert layer.frame.area.tolist() == [10_000]
    assert noted(layer, "恢复")


@pytest.mark.parametrize(
    "raw", [b"", b"AC1027\x00\x00rest of a DWG", b"hello", b"  0\nSECTION\n  2\nENTI", b"\x00" * 99]
)
def test_what_is_no_drawing_is_refused(tmp_path, raw):
    path = tmp_path / "a.dxf"
    path.write_bytes(raw)
    with pytest.raises(InvalidInput):
        read_dxf(path, None)


def test_blocks_that_unfold_without_end_are_refused(tmp_path):
    document = drawing()
    below = None
    for depth in range(9):
        block = document.blocks.new(f"b{depth}")
        for i in range(10):
            _ = block.add_blockref(below, (i, 0)) if below else block.add_point((i, 0))
        below = f"b{depth}"
    document.modelspace().add_blockref(below, (0, 0))
    with pytest.raises(InvalidInput, match="图块展开"):
        read(tmp_path, document)


def test_the_system_is_taken_from_geodata_alone(tmp_path):
    document = drawing()
    model = document.modelspace()
    model.add_lwpolyline([(0, 0), (10, 0), (10, 10), (0, 10)], close=True)
    geodata = model.new_geodata()
    geodata.setup_local_grid(design_point=(0, 0), reference_point=(500_000, 3_346_000))
    geodata.coordinate_system_definition = (
        '<?xml version="1.0" encoding="UTF-16" standalone="no" ?><Dictionary version="1.0">'
        '<Alias id="32650" type="CoordinateSystem"><ObjectId>U</ObjectId><Namespace>EPSG Code</Namespace></Alias>'
        "<Axis><CoordinateSystemAxis><AxisOrder>1</AxisOrder><AxisAbbreviation>E</AxisAbbreviation>"
        "</CoordinateSystemAxis></Axis></Dictionary>"
    )
    (layer,) = read(tmp_path, document)
    assert layer.frame.crs.to_epsg() == 32650
    assert layer.frame.total_bounds.tolist() == [500_000, 3_346_000, 500_010, 3_346_010]


# ---------------------------------------------------------------------------------------------------------- writing


def parcels() -> gpd.GeoDataFrame:
    holed = Polygon(square(0, 0, 100), [square(10, 10, 20)])
    several = MultiPolygon([box(E + 200, N, E + 250, N + 50), box(E + 15, N + 15, E + 25, N + 25)])
    keys = ["3301060000000000019", "囍-㐂号\U00020bb7", "A 3"]
    return gpd.GeoDataFrame(
        {"parcel_id": keys, "area_m2": [9_600.0, None, None]}, geometry=[holed, several, None], crs=GK
    )


def test_keys_rings_and_chinese_survive_a_drawing(tmp_path):
    path = tmp_path / "宗地.dxf"
    frame = parcels()
    done = write_dxf(iter([frame.iloc[:1], frame.iloc[1:]]), PARCELS, path, GK, ABOUT)
    assert done.rows == 2
    assert any("A 3" in note for note in done.notes)
    assert any("GBK 以外" in note for note in done.notes)

    (layer,) = read_dxf(path, None)
    assert layer.frame["parcel_id"].tolist() == frame["parcel_id"].tolist()[:2]
    assert (
        layer.frame.geometry.geom_equals_exact(frame.geometry[:2].set_crs(None, allow_override=True), 1e-6).all()
        or (
            layer.frame.geometry.normalize().geom_equals_exact(
                frame.geometry[:2].set_crs(None, allow_override=True).normalize(), 1e-6
            )
        ).all()
    )
    assert layer.frame["layer"].tolist() == ["宗地", "宗地"]
    assert layer.frame["label"].tolist()[0] == "3301060000000000019 14.40亩"
    assert not noted(layer, "轮廓数与写出时不同")

    document = ezdxf.readfile(path)
    assert (document.dxfversion, document.header["$DWGCODEPAGE"]) == ("AC1015", "ANSI_936")
    assert {entity.dxftype() for entity in document.modelspace()} == {"LWPOLYLINE", "TEXT"}
    assert all(line.closed for line in document.modelspace().query("LWPOLYLINE"))
    assert document.audit().errors == []

    seen = pyogrio.read_dataframe(path)
    assert (seen["Layer"] == "宗地").sum() == 4
    assert "坐标系：EPSG:4549" in seen["Text"].tolist()
    assert (seen["Text"] == "3301060000000000019 14.40亩").sum() == 1


def test_a_key_drawn_twice_is_noticed(tmp_path):
    path = tmp_path / "a.dxf"
    write_dxf(iter([parcels().iloc[:1]]), PARCELS, path, GK, ABOUT)
    document = ezdxf.readfile(path)
    outline = document.modelspace().query("LWPOLYLINE").first
    document.modelspace().add_entity(outline.copy().translate(500, 0, 0))
    document.saveas(path)
    (layer,) = read_dxf(path, None)
    assert noted(layer, "轮廓数与写出时不同")


def test_lines_and_points_and_mixtures_keep_their_keys(tmp_path):
    loop = LineString([*square(0, 0, 10), square(0, 0, 10)[0]])
    two = MultiLineString([[(E, N), (E + 5, N)], [(E + 9, N), (E + 9, N + 9)]])
    lines = gpd.GeoDataFrame({"edge_id": ["e1", "e2"]}, geometry=[loop, two], crs=GK)
    write_dxf(iter([lines]), NETWORK, tmp_path / "a.dxf", GK, ABOUT)
    (layer,) = read_dxf(tmp_path / "a.dxf", None)
    assert (layer.name, layer.frame["edge_id"].tolist()) == ("线", ["e1", "e2"])
    assert [a.equals(b) for a, b in zip(layer.frame.geometry, [loop, two], strict=True)] == [True, True]

    points = gpd.GeoDataFrame({"terminal_id": ["铁路货场"]}, geometry=[Point(E, N)], crs=GK)
    write_dxf(iter([points]), TERMINALS, tmp_path / "b.dxf", GK, ABOUT)
    (layer,) = read_dxf(tmp_path / "b.dxf", None)
    assert (layer.name, layer.frame["terminal_id"].tolist()) == ("点", ["铁路货场"])

    mixed = gpd.GeoDataFrame({"barrier_id": ["河", "路"]}, geometry=[Polygon(square(0, 0, 9)), two], crs=GK)
    write_dxf(iter([mixed]), BARRIERS, tmp_path / "c.dxf", GK, ABOUT)
    areas, edges = read_dxf(tmp_path / "c.dxf", None)
    assert (areas.frame["barrier_id"].tolist(), edges.frame["barrier_id"].tolist()) == (["河"], ["路"])


def test_a_key_longer_than_extended_data_is_cut_on_a_character_and_told(tmp_path):
    frame = gpd.GeoDataFrame({"parcel_id": ["长" * 200]}, geometry=[Polygon(square(0, 0, 9))], crs=GK)
    done = write_dxf(iter([frame]), PARCELS, tmp_path / "a.dxf", GK, ABOUT)
    (layer,) = read_dxf(tmp_path / "a.dxf", None)
    assert layer.frame["parcel_id"].tolist() == ["长" * 124]
    assert any("255 字节" in note for note in done.notes)


def test_degrees_keep_a_tenth_of_a_millimetre(tmp_path):
    shape = box(120.123456789, 30.1, 120.2, 30.2)
    frame = gpd.GeoDataFrame({"parcel_id": ["A"]}, geometry=[shape], crs=4490)
    write_dxf(iter([frame]), PARCELS, tmp_path / "a.dxf", CRS.from_epsg(4490), ABOUT)
    (layer,) = read_dxf(tmp_path / "a.dxf", None)
    assert shapely.equals_exact(shapely.normalize(layer.frame.geometry[0]), shapely.normalize(shape), 1e-9)


def test_no_rows_still_make_a_drawing(tmp_path):
    done = write_dxf(iter([parcels().iloc[:0]]), PARCELS, tmp_path / "a.dxf", GK, ABOUT)
    assert done.rows == 0
    assert ezdxf.readfile(tmp_path / "a.dxf").layers.has_entry("宗地")


# -------------------------------------------------------------------------------------------------------- real files

HANGZHOU = Path(__file__).resolve().parents[3] / "shared" / "data" / "formats_hangzhou"


def _area_ha(layer: RawLayer) -> float:
    areas = ellipsoidal_area(reproject(layer.frame.geometry.to_numpy(), "EPSG:4549", STORAGE_CRS))
    return float(areas.sum()) / 1e4


@pytest.mark.real_land
@pytest.mark.skipif(not HANGZHOU.is_dir(), reason="the shared real layers are not on this machine")
def test_hangzhou_hatches():
    (layer,) = read_dxf(HANGZHOU / "landuse_4549_gdalhatch.dxf", None)
    assert (len(layer.frame), layer.faults) == (1_047, {})
    assert _area_ha(layer) == pytest.approx(11_643.4, rel=1e-4)
    assert set(layer.frame["layer"]) == {"工业用地"}


@pytest.mark.real_land
@pytest.mark.skipif(not HANGZHOU.is_dir(), reason="the shared real layers are not on this machine")
@pytest.mark.parametrize("name", ["landuse_4549_lwpolyline_R2000_gbk.dxf", "landuse_4549_lwpolyline_R2010.dxf"])
def test_hangzhou_polylines_are_the_industrial_land_and_the_fields_of_the_source(name):
    (layer,) = read_dxf(HANGZHOU / name, None)
    source = gpd.read_file(HANGZHOU / "landuse_4549.gpkg").query("类别 in ['工业用地', '耕地']").explode()
    assert (len(layer.frame), layer.faults) == (len(source), {})
    whole = ellipsoidal_area(reproject(source.geometry.to_numpy(), "EPSG:4549", STORAGE_CRS)).sum() / 1e4
    assert _area_ha(layer) == pytest.approx(whole, rel=1e-6)
    assert shapely.get_num_interior_rings(layer.frame.geometry.to_numpy()).sum() == 1
    assert set(source["名称"].dropna()) - {""} <= {
        text for cell in layer.frame["text"].dropna() for text in cell.split("；")
    }
