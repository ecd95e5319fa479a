"""Rows with everything that formats stumble over, for the tests of what goes out."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio
import shapely

from geo.layers.formats.provenance import Provenance
from geo.store.base import Frame

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


def by_library(path: Path) -> Frame:
    if path.suffix == ".parquet":
        try:
            return gpd.read_parquet(path)
        except ValueError:  # no geometry
            return pd.read_parquet(path)
    options = {"integer_object_nulls": True}
    return pyogrio.read_dataframe(path, use_arrow=True, datetime_as_string=True, arrow_to_pandas_kwargs=options)
