"""Canonical tables for tests of land: parcels and delays from plain records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo.layers.schema import DELAYS, PARCELS

_KINDS = {"real": "float64", "integer": "Int64", "boolean": "boolean", "date": "datetime64[s]"}


def parcel_table(*records: dict[str, Any]) -> gpd.GeoDataFrame:
    """Parcels ``P0``, ``P1``, … of 10 000 m², each with the given facts and no others."""
    columns = {item.name: _column(item.name, item.kind, records) for item in PARCELS.fields}
    columns["parcel_id"] = pd.Series([each.get("parcel_id", f"P{i}") for i, each in enumerate(records)], dtype=object)
    columns["area_m2"] = pd.Series([record.get("area_m2", 10_000.0) for record in records], dtype="float64")
    west = 120 + np.arange(len(records)) / 100
    return gpd.GeoDataFrame(columns, geometry=shapely.box(west, 32, west + 0.001, 32.001), crs=4490)


def delay_table(*records: dict[str, Any]) -> pd.DataFrame:
    """Rows of ``delays``."""
    columns = {item.name: _column(item.name, item.kind, records) for item in DELAYS.fields}
    columns["delay_id"] = pd.Series([f"D{i}" for i in range(len(records))], dtype=object)
    return pd.DataFrame(columns)


def delays_of(*spans: tuple[str | None, str | None, str | None], parcel_id: str = "P0") -> pd.DataFrame:
    """Delays of one parcel from (cause, first day, last day)."""
    return delay_table(
        *({"parcel_id": parcel_id, "delay_cause": cause, "delay_from": first, "delay_to": last}
          for cause, first, last in spans)
    )  # fmt: skip


def _column(name: str, kind: str, records: Iterable[dict[str, Any]]) -> pd.Series:
    return pd.Series([record.get(name) for record in records], dtype=_KINDS.get(kind, object))
