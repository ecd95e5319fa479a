"""One real layer in many containers, and a collection of broken files: what becomes of each.

``python tests/real_land/test_formats.py`` prints both tables as Markdown.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from geo.crs import STORAGE_CRS, crs_name, ellipsoidal_area, reproject
from geo.errors import InvalidInput
from geo.layers.opening.inspection import SUFFIXES
from geo.layers.reading import SourceLayer, read_file
from geo.units import M2_PER_MU

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
HANGZHOU, UGLY = DATA / "formats_hangzhou", DATA / "ugly"
pytestmark = [
    pytest.mark.real_land,
    pytest.mark.skipif(not HANGZHOU.is_dir(), reason="the shared real layers are not on this machine"),
]
EXPECTED_HA = 11_643.4
NOT_STATED = {"crs": "EPSG:4549"}


@dataclass(frozen=True)
class Variant:
    """A file, what it says when it is read as it is (``None``: it reads), and the options that it needs then."""

    file: str
    refusal: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    rows: int = 1040
    encoding: str | None = None


VARIANTS = [
    Variant("landuse_4549.gpkg"),
    Variant("landuse_4549.gdb.zip", rows=1047),  # multi-part features were split by its writer
    Variant("landuse.kml"),
    Variant("landuse_wgs84.fgb"),
    Variant("landuse_wgs84.geojson"),
    Variant("landuse_4549_crsmember.geojson"),
    Variant("landuse_latlon_swapped.geojson", "坐标轴颠倒", {"swap_axes": True}),
    Variant("shp_gbk_cgcs2000_3deg_cm120_nocpg/工业用地.shp", encoding="GB18030"),
    Variant("shp_gbk_nocpg.zip", encoding="GB18030"),
    Variant("shp_gbk_cgcs2000_zone40_withcpg/industrial_z40.shp", encoding="GB18030"),
    Variant("shp_utf8_cgcs2000_geographic/landuse_4490.shp", encoding="UTF-8"),
    Variant("shp_utf8_zone40_noprj/industrial_noprj.shp", "EPSG:4528", {"crs": "EPSG:4528"}, encoding="UTF-8"),
    Variant("landuse_4549_wkt_gbk.csv", "没有坐标系", NOT_STATED, encoding="GB18030"),
    Variant("landuse_4549_wkt_utf8bom.csv", "没有坐标系", NOT_STATED, encoding="UTF-8"),
    Variant("landuse_4549_gdalhatch.dxf", "没有坐标系", NOT_STATED, rows=1047),
    Variant("landuse_4549_lwpolyline_R2010.dxf", "没有坐标系", NOT_STATED, rows=743),
    Variant("landuse_4549_lwpolyline_R2000_gbk.dxf", "没有坐标系", NOT_STATED, rows=743, encoding="GB18030"),
    Variant("landuse_points.xlsx", "没有坐标系", {"crs": "EPSG:4490"}),
]
DRAWN = "lwpolyline"  # the drawings hold industrial and farm land alone, every ring a closed line


def area_ha(layers: list[SourceLayer]) -> float:
    """Ellipsoidal area of all polygons; of a table with points, the sum that it states in mu."""
    total = 0.0
    for layer in layers:
        if layer.crs is None:
            continue
        stored = reproject(np.asarray(layer.frame.geometry.array), layer.crs, STORAGE_CRS)
        total += float(ellipsoidal_area(stored).sum()) / 10_000
        if "面积_亩" in layer.frame:
            total += float(layer.frame["面积_亩"].astype(float).sum()) * M2_PER_MU / 10_000
    return total


@pytest.fixture(scope="module")
def reference() -> gpd.GeoDataFrame:
    """The layer as the GeoPackage has it."""
    (layer,) = read_file(HANGZHOU / "landuse_4549.gpkg")
    return layer.frame


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.file)
def test_every_container_gives_the_same_land(variant: Variant, reference: gpd.GeoDataFrame) -> None:
    path = HANGZHOU / variant.file
    if variant.refusal is not None:
        with pytest.raises(InvalidInput, match=variant.refusal) as refused:
            read_file(path)
        assert ("--crs" if "crs" in variant.options else "--swap-axes") in refused.value.remedy
    (layer,) = read_file(path, **variant.options)
    assert layer.faults == {}
    assert len(layer.frame) == variant.rows
    expected = drawn_ha(reference) if DRAWN in variant.file else EXPECTED_HA
    assert area_ha([layer]) == pytest.approx(expected, rel=1e-4)
    assert variant.encoding is None or layer.encoding == variant.encoding


def drawn_ha(reference: gpd.GeoDataFrame) -> float:
    """What the drawings hold: industrial and farm land."""
    chosen = reference[reference["fclass"].isin(["industrial", "farm"])]
    stored = reproject(np.asarray(chosen.geometry.array), chosen.crs, STORAGE_CRS)
    return float(ellipsoidal_area(stored).sum()) / 10_000


def test_chinese_text_is_the_same_everywhere(reference: gpd.GeoDataFrame) -> None:
    names = sorted(name for name in reference["名称"].dropna() if name)
    for variant in VARIANTS:
        if variant.file.endswith((".shp", ".csv", ".zip", ".geojson", ".fgb")):
            (layer,) = read_file(HANGZHOU / variant.file, **variant.options)
            if len(layer.frame) == 1040:
                assert sorted(name for name in layer.frame["名称"].dropna() if name) == names


def ugly_files() -> list[Path]:
    """Every file that somebody might try to import, readable endings and others."""
    companions = {".shx", ".prj", ".cpg", ".sbn", ".sbx", ".cst", ".md", ".xsd", ""}
    found = (path for path in sorted(UGLY.rglob("*")) if path.is_file() and path.suffix.lower() not in companions)
    return [path for path in found if path.suffix != ".dbf" or not path.with_suffix(".shp").exists()]


def read(path: Path) -> list[SourceLayer] | InvalidInput:
    """What becomes of a file as it lies; where it lacks a system, as if it were in that of its look."""
    try:
        return read_file(path)
    except InvalidInput as error:
        return error


def swept(paths: list[Path]) -> list[list[SourceLayer] | InvalidInput]:
    """All of them, two at a time: each is a process of its own."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(read, paths))


def test_ugly_files_end_in_layers_or_in_one_clear_refusal() -> None:
    # Every fourth, since each is a process of its own; run this file as a program for all of them.
    paths = ugly_files()[::4]
    for path, outcome in zip(paths, swept(paths), strict=True):
        if isinstance(outcome, InvalidInput):
            assert outcome.remedy, path
            assert outcome.where, path
            assert "\n" not in str(outcome), path
            assert "异常退出" not in str(outcome), path
            assert path.suffix.lower() in SUFFIXES or "不支持" in str(outcome) or ".gz" in str(outcome), path
        else:
            for layer in outcome:
                geometry = layer.frame.geometry if isinstance(layer.frame, gpd.GeoDataFrame) else None
                assert geometry is None or geometry.iloc[list(layer.faults)].isna().all(), path
                assert "\ufffd" not in layer.frame.to_csv(), path


def test_known_traps_are_read_right() -> None:
    (chinese,) = read_file(UGLY / "geotools_shapes" / "chinese_poly.shp")
    assert list(chinese.frame["NAME"]) == ["黑龙江省"]
    (russian,) = read_file(UGLY / "geotools_shapes" / "rus-windows-1251.shp", encoding="windows-1251")
    assert list(russian.frame["TEXT"]) == ["Кириллица", "Смешаный 12345"]
    (bang,) = read_file(UGLY / "fiona_tests" / "!test.geojson")
    assert len(bang.frame) == 1
    (deleted,) = read_file(UGLY / "geotools_shapefile_plugin" / "deleted" / "archsites.shp")
    assert len(deleted.frame) == 21
    for name in ("curve", "curvepolygon", "multisurface"):
        (curved,) = read_file(UGLY / "pyogrio_fixtures" / f"{name}.gpkg")
        assert curved.faults == {}
        assert not shapely.is_empty(curved.frame.geometry.array).any()
    (tin,) = read_file(UGLY / "fiona_tests" / "test_tin.shp")
    assert "TIN" in tin.faults[0]


def table(rows: list[tuple[str, str, str, str]]) -> str:
    """A Markdown table of file, outcome, rows and area."""
    head = ["| 文件 | 结果 | 行 | 公顷 |", "|---|---|---:|---:|"]
    return "\n".join([*head, *("| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in rows)])


def told(path: Path, root: Path, outcome: list[SourceLayer] | InvalidInput, how: str = "") -> tuple[str, str, str, str]:
    """One row of the table."""
    name = str(path.relative_to(root))
    if isinstance(outcome, InvalidInput):
        return name, f"拒绝：{outcome}；{outcome.remedy}", "", ""
    rows = sum(len(layer.frame) for layer in outcome)
    faults = sum(len(layer.faults) for layer in outcome)
    words = [f"{len(outcome)} 个图层" if len(outcome) > 1 else "读入", how]
    words += sorted({crs_name(layer.crs) for layer in outcome if layer.crs is not None})
    words += sorted({layer.encoding for layer in outcome if layer.encoding})
    if faults:
        words.append(
            f"{faults} 行有误：" + "、".join(sorted({why for layer in outcome for why in layer.faults.values()}))
        )
    words += list(dict.fromkeys(note for layer in outcome for note in layer.notes))
    area = area_ha(outcome)
    shown = f"{area:,.1f}" if np.isfinite(area) and area else ""
    return name, "；".join(word for word in words if word), f"{rows:,}", shown


def variant_row(variant: Variant) -> tuple[str, str, str, str]:
    """One row of the first table: read as it is and, where that is refused, as the refusal says."""
    path = HANGZHOU / variant.file
    first = read(path)
    if not isinstance(first, InvalidInput):
        return told(path, HANGZHOU, first)
    options = [
        f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}")
        for name, value in variant.options.items()
    ]
    return told(path, HANGZHOU, read_file(path, **variant.options), f"先拒绝（{first}），加 {' '.join(options)}")


if __name__ == "__main__":
    files = ugly_files()
    ugly = [told(path, UGLY, outcome) for path, outcome in zip(files, swept(files), strict=True)]
    sys.stdout.write(f"{table([variant_row(each) for each in VARIANTS])}\n\n{table(ugly)}\n")
