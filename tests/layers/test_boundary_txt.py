"""Boundary-point TXT: every dialect comes to the same polygons, and what is written is read back to the millimetre."""

from __future__ import annotations

import tempfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS
from shapely import MultiPolygon, Polygon, box
from shapely.affinity import rotate, translate

from geo.crs import STORAGE_CRS, ellipsoidal_area, reproject
from geo.errors import InvalidInput, InvalidParameter
from geo.layers.formats.boundary_txt import read_boundary_txt, write_boundary_txt
from geo.layers.formats.provenance import Provenance
from geo.layers.schema import NETWORK, PARCELS

ABOUT = Provenance(
    "parcels", "宗地", "EPSG:4528", None, "2024-06-30", "2024-07-01T08:00:00", "某市自然资源局", "全部", "椭球面积"
)
HEAD = (
    "[属性描述]\n格式版本号=1.01版本\n坐标系=2000国家大地坐标系\n几度分带=3\n投影类型=高斯克吕格\n"
    "计量单位=米\n带号=40\n精度=0.001\n转换参数=0,0,0,0,0,0,0\n[地块坐标]\n"
)
E, N = 40_500_000, 3_346_000
# A square of 100 m with a hole, an island in the hole, and a part beside it.
SQUARE = [(0, 100), (100, 100), (100, 0), (0, 0)]
HOLE = [(20, 80), (20, 20), (80, 20), (80, 80)]
ISLAND = [(40, 60), (60, 60), (60, 40), (40, 40)]
BESIDE = [(200, 100), (300, 100), (300, 0), (200, 0)]
NESTED_AREA_M2 = 10_000 - 3_600 + 400 + 10_000


def points(
    rings: list[list[tuple[float, float]]],
    *,
    numbering: str = "continuing",
    close: bool = True,
    prefix: str = "J",
    swap: bool = False,
    easting: float = E,
) -> str:
    """Rings as lines, as the exporters number them."""
    lines, number = [], 1
    for ring, corners in enumerate(rings, 1):
        first = 1 if numbering == "restarting" else number
        names = [first + i for i in range(len(corners))]
        if close:
            names.append(first if numbering != "without reuse" else first + len(corners))
        for name, (x, y) in zip(names, [*corners, corners[0]] if close else corners, strict=True):
            pair = (N + y, easting + x)
            lines.append("{}{},{},{:.3f},{:.3f}".format(prefix, name, ring, *(pair[::-1] if swap else pair)))
        number = max(names) + (1 if numbering == "without reuse" or not close else 0)
        number += numbering == "continuing" and close
    return "\n".join(lines) + "\n"


def read(folder: Path, text: str, encoding: str = "gb18030", newline: str = "\r\n") -> gpd.GeoDataFrame:
    path = folder / "界址点.txt"
    path.write_bytes(text.replace("\n", newline).encode(encoding))
    (layer,) = read_boundary_txt(path, None)
    return layer


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\r\n", "\n", "\n\n"])
def test_every_encoding_and_line_end_reads_the_same(tmp_path, encoding, newline):
    layer = read(
        tmp_path, HEAD + "5,1,A-1,甲厂,面,H51G,工业用地,0601,@\n" + points([SQUARE]), encoding, newline=newline
    )
    assert layer.frame.loc[0, ["地块编号", "地块名称", "地块用途", "地类编码"]].tolist() == [
        "A-1", "甲厂", "工业用地", "0601",
    ]  # fmt: skip
    assert layer.frame.area.tolist() == [10_000]
    assert layer.frame.crs.to_epsg() == 4528
    assert layer.faults == {}


@pytest.mark.parametrize("numbering", ["continuing", "restarting", "without reuse"])
@pytest.mark.parametrize("close", [True, False])
@pytest.mark.parametrize("prefix", ["J", ""])
@pytest.mark.parametrize("swap", [True, False])
def test_numbering_closing_prefix_and_order_of_axes_do_not_matter(tmp_path, numbering, close, prefix, swap):
    body = points([SQUARE, HOLE, ISLAND, BESIDE], numbering=numbering, close=close, prefix=prefix, swap=swap)
    layer = read(tmp_path, HEAD + "20,1,A,甲,面,,,,@\n" + body)
    shape = layer.frame.geometry[0]
    assert shape.is_valid
    assert shape.area == NESTED_AREA_M2
    assert len(shape.geoms) == 3
    assert shape.bounds == (E, N, E + 300, N + 100)
    assert any("已闭合" in note for note in layer.notes) is not close
    assert any("横坐标（东）在前" in note for note in layer.notes) is swap


def test_loops_under_one_ring_number_are_rings_of_their_own(tmp_path):
    body = points([SQUARE]) + points([HOLE])  # both numbered 1
    layer = read(tmp_path, HEAD + "10,1,A,甲,面,,,,@\n" + body)
    assert layer.frame.geometry[0].area == 6_400


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "5,1.0,B-7,乙厂,面,图1,工业,0601,@",
            {"点数": "5", "面积": "1.0", "地块编号": "B-7", "地块名称": "乙厂", "图形属性": "面", "图幅号": "图1",
             "地块用途": "工业", "地类编码": "0601"},
        ),
        ("B-7,乙厂,建设,,@", {"地块编号": "B-7", "地块名称": "乙厂", "类型": "建设"}),
        ("4,乙厂,建设,工业,@", {"点数": "4", "地块名称": "乙厂", "类型": "建设", "地块用途": "工业"}),
        ("5,乙厂,面,建设,@", {"点数": "5", "地块名称": "乙厂", "图形属性": "面", "类型": "建设"}),
        ("5,1.0,,乙厂,,,,耕地,@", {"点数": "5", "面积": "1.0", "地块名称": "乙厂", "地块用途": "耕地"}),
        ("5,1.0,B-7,,,,,,另,@", {"点数": "5", "面积": "1.0", "地块编号": "B-7", "字段9": "另"}),
        ("@", {}),
    ],
)  # fmt: skip
def test_parcel_lines_of_every_dialect_give_their_fields(tmp_path, line, expected):
    frame = read(tmp_path, HEAD + line + "\n" + points([SQUARE])).frame
    row = frame.drop(columns=["geometry", "表头原文"], errors="ignore").loc[0]
    assert {name: value for name, value in row.items() if value is not None} == expected


@pytest.mark.parametrize(("count", "noted"), [(10, False), (9, False), (8, False), (7, True), ("x", True)])
def test_point_count_is_not_trusted_but_a_strange_one_is_noted(tmp_path, count, noted):
    layer = read(tmp_path, HEAD + f"{count},1,A,甲,面,,,,@\n" + points([SQUARE, HOLE]))
    assert layer.frame.geometry[0].area == 6_400
    assert any("点数与实际" in note for note in layer.notes) is noted


def test_a_bad_line_is_the_fault_of_its_parcel_alone(tmp_path):
    text = (
        HEAD
        + "5,1,A,甲,面,,,,@\n" + points([SQUARE])
        + "5,1,B,乙,面,,,,@\n" + points([SQUARE]).replace("J3,1,", "J3,1,3346O00.0")
        + "2,1,C,丙,面,,,,@\n" + points([SQUARE[:2]])
        + "0,1,D,丁,面,,,,@\n"
        + "5,1,E,戊,面,,,,@\n" + points([BESIDE])
    )  # fmt: skip
    layer = read(tmp_path, text, newline="\n")
    assert sorted(layer.faults) == [1, 2, 3]
    assert "第 20 行" in layer.faults[1]
    assert "只有 2 个点" in layer.faults[2]
    assert "没有界址点" in layer.faults[3]
    assert layer.frame.geometry.isna().tolist() == [False, True, True, True, False]
    assert layer.frame["地块编号"].tolist() == list("ABCDE")


@pytest.mark.parametrize(
    ("change", "easting", "epsg"),
    [
        (("", ""), 40_500_000, 4528),
        (("", ""), 500_000, 4549),
        (("带号=40\n", "带号=39\n"), 40_500_000, None),
        (("几度分带=3\n", "几度分带=6\n"), 40_500_000, None),
        (("2000国家大地坐标系", "1980西安坐标系"), 40_500_000, None),
        (("2000国家大地坐标系", "北京54坐标系"), 40_500_000, None),
        (("2000国家大地坐标系", "杭州城市坐标系"), 40_500_000, None),
        (("投影类型=高斯克吕格\n", "投影类型=墨卡托\n"), 40_500_000, None),
        (("带号=40\n", ""), 40_500_000, None),
        (("坐标系=2000国家大地坐标系\n", ""), 40_500_000, None),
        (("2000国家大地坐标系", "CGCS2000"), 500_000, 4549),
    ],
)
def test_the_head_gives_a_system_only_where_the_coordinates_agree(tmp_path, change, easting, epsg):
    layer = read(tmp_path, HEAD.replace(*change) + "5,1,A,甲,面,,,,@\n" + points([SQUARE], easting=easting))
    assert (layer.frame.crs.to_epsg() if layer.frame.crs else None) == epsg
    assert any("坐标系" in note for note in layer.notes)


def test_six_degree_zones(tmp_path):
    head = HEAD.replace("几度分带=3", "几度分带=6").replace("带号=40", "带号=20")
    for easting, epsg in ((20_500_000, 4498), (500_000, 4509)):
        layer = read(tmp_path, head + "5,1,A,甲,面,,,,@\n" + points([SQUARE], easting=easting))
        assert layer.frame.crs.to_epsg() == epsg


def test_joined_files_with_other_heads_are_layers_of_their_own(tmp_path):
    parcel = "5,1,A,甲,面,,,,@\n"
    path = tmp_path / "合并.txt"
    path.write_text(
        HEAD + parcel + points([SQUARE]) + HEAD + parcel + points([BESIDE])
        + HEAD.replace("带号=40", "带号=39") + parcel + points([SQUARE], easting=39_500_000),
        encoding="utf-8",
    )  # fmt: skip
    layers = read_boundary_txt(path, None)
    assert [(len(layer.frame), layer.frame.crs.to_epsg()) for layer in layers] == [(2, 4528), (1, 4527)]


@pytest.mark.parametrize("raw", [b"", b"hello", b"\xff\xff\xff\x00\x81", HEAD.encode("gb18030")])
def test_what_is_no_boundary_file_is_refused(tmp_path, raw):
    path = tmp_path / "a.txt"
    path.write_bytes(raw)
    with pytest.raises(InvalidInput):
        read_boundary_txt(path, None)


def parcels(shapes: list[object], crs: int = 4528, **columns: list[object]) -> gpd.GeoDataFrame:
    keys = [f"33010600{i:011d}" for i in range(len(shapes))]
    return gpd.GeoDataFrame({"parcel_id": keys, **columns}, geometry=shapes, crs=crs)


def test_the_file_is_written_to_the_letter(tmp_path):
    shape = Polygon([(E + x, N + y) for x, y in SQUARE[::-1]], [[(E + x, N + y) for x, y in HOLE[::-1]]])
    frame = parcels([shape], holder=["甲,乙公司@"], land_use=["0601"], area_m2=[6_400.0])
    path = tmp_path / "out.txt"
    done = write_boundary_txt(iter([frame]), PARCELS, path, CRS.from_epsg(4528), ABOUT)
    lines = path.read_bytes().decode("gb18030").split("\r\n")
    assert lines[0] == "[属性描述]"
    assert {"坐标系=2000国家大地坐标系", "几度分带=3", "带号=40", "数据产生日期=2024-06-30"} <= set(lines)
    start = lines.index("[地块坐标]") + 1
    assert lines[start] == "10,0.6400,3301060000000000000,甲，乙公司＠,面,,,0601,@"
    corners = [line.split(",") for line in lines[start + 1 : -1]]
    assert [c[0] for c in corners] == ["J1", "J2", "J3", "J4", "J1", "J5", "J6", "J7", "J8", "J5"]
    assert [c[1] for c in corners] == ["1"] * 5 + ["2"] * 5
    assert corners[0][2:] == ["3346100.000", "40500000.000"]  # the north-western corner, northing first
    assert corners[1][2:] == ["3346100.000", "40500100.000"]  # on to the east: clockwise
    assert corners[6][2:] == ["3346020.000", "40500020.000"]  # the hole to the south: counter-clockwise
    assert done.rows == 1
    assert "全角" in done.notes[0]


def test_area_is_ellipsoidal_where_the_rows_have_none(tmp_path):
    path = tmp_path / "out.txt"
    shape = box(E + 100_000, N, E + 101_000, N + 1_000)
    write_boundary_txt(iter([parcels([shape])]), PARCELS, path, CRS.from_epsg(4528), ABOUT)
    (layer,) = read_boundary_txt(path, None)
    (area,) = ellipsoidal_area(reproject(np.array([shape]), "EPSG:4528", STORAGE_CRS))
    assert float(layer.frame["面积"][0]) == round(area / 1e4, 4) != 100


@pytest.mark.parametrize("epsg", [4490, 4326, 3857, 2437])
def test_other_systems_are_refused_with_what_to_use(tmp_path, epsg):
    with pytest.raises(InvalidParameter) as caught:
        write_boundary_txt(iter([]), PARCELS, tmp_path / "a.txt", CRS.from_epsg(epsg), ABOUT)
    assert "EPSG:4528" in caught.value.remedy


def test_lines_cannot_be_boundary_points(tmp_path):
    with pytest.raises(InvalidParameter):
        write_boundary_txt(iter([]), NETWORK, tmp_path / "a.txt", CRS.from_epsg(4528), ABOUT)


def test_rows_without_land_are_named_not_dropped_silently(tmp_path):
    speck = box(E, N, E + 0.0001, N + 0.0001)
    frame = parcels([None, speck, box(E, N, E + 9, N + 9)])
    done = write_boundary_txt(iter([frame]), PARCELS, tmp_path / "a.txt", CRS.from_epsg(4528), ABOUT)
    assert done.rows == 1
    assert frame["parcel_id"][0] in done.notes[0]
    assert frame["parcel_id"][1] in done.notes[1]


@st.composite
def shapes(draw: st.DrawFn) -> list[Polygon | MultiPolygon]:
    """Land of many forms: star-shaped rings, holes in them, islands in the holes, parts beside each other."""
    made = []
    for number in range(draw(st.integers(1, 5))):
        parts = []
        for part in range(draw(st.integers(1, 3))):
            corners = draw(st.integers(3, 9))
            radii = [draw(st.floats(0.8, 1.0)) for _ in range(corners)]
            angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
            star = np.column_stack([np.cos(angles) * radii, np.sin(angles) * radii])
            size = draw(st.floats(20, 400))
            shell = Polygon(star * size, [star[::-1] * size * 0.6] if draw(st.booleans()) else [])
            pieces = [shell]
            if shell.interiors and draw(st.booleans()):
                pieces.append(Polygon(star * size * 0.3))
            turn = draw(st.floats(0, 360))
            at = (part * 1_000 + draw(st.floats(-50, 50)), number * 1_000)
            parts += [translate(rotate(piece, turn, origin=(0, 0)), E + at[0], N + at[1]) for piece in pieces]
        made.append(parts[0] if len(parts) == 1 else MultiPolygon(parts))
    return made


@given(shapes())
def test_what_is_written_is_read_back_within_a_millimetre(land):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.txt"
        frame = parcels(land)
        pages = (frame.iloc[i : i + 2] for i in range(0, len(frame), 2))
        done = write_boundary_txt(pages, PARCELS, path, CRS.from_epsg(4528), ABOUT)
        (layer,) = read_boundary_txt(path, None)
    assert done.rows == len(land)
    assert layer.faults == {}
    assert layer.frame.crs.to_epsg() == 4528
    assert layer.frame["地块编号"].tolist() == frame["parcel_id"].tolist()
    back = layer.frame.geometry.to_numpy()
    for a, b in zip(land, back, strict=True):
        assert shapely.hausdorff_distance(a.boundary, b.boundary) < 0.001
        assert len(shapely.get_parts(a)) == len(shapely.get_parts(b))
        assert sum(len(p.interiors) for p in shapely.get_parts(a)) == sum(
            len(p.interiors) for p in shapely.get_parts(b)
        )
