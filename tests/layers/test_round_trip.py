"""What goes out comes back: every format, from both stores, read by the format's own library and by our reader."""

from __future__ import annotations

import csv
import io
import json
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import ezdxf
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest
import shapely

from geo.errors import InvalidParameter
from geo.layers.dictionary import cut
from geo.layers.reading import read_file
from geo.layers.schema import LAYERS, Layer
from geo.layers.writing import FORMATS, format_of, write_layer
from geo.store.base import Frame, Load, Query, Run, Store
from tests.layers.samples import ABOUT, FINDINGS, GIVEN, LONG, NOTHING, PARCELS, PLOTS, by_library


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
