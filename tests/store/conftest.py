"""Frames, loads and runs for the tests of the stores."""

from __future__ import annotations

from itertools import count
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo.layers.schema import LAYERS
from geo.store.base import Load, Run, Store

_numbers = count(1)


class Samples:
    """Makes what a store takes."""

    def squares(self, number: int, *, layer: str = "parcels", start: int = 0, **columns: Any) -> gpd.GeoDataFrame:
        """``number`` squares of 0.001° in a row of ten, from 120°E 31°N; their keys are P000000, P000001, …"""
        at = np.arange(start, start + number)
        x, y = 120 + at % 10 * 0.002, 31 + at // 10 * 0.002
        keys = [f"P{i:06d}" for i in at.tolist()]
        return gpd.GeoDataFrame(
            {LAYERS[layer].key: keys, **columns}, geometry=shapely.box(x, y, x + 0.001, y + 0.001), crs=4490
        )

    def nothing(self, layer: str = "quarantine") -> gpd.GeoDataFrame:
        """No rows."""
        return gpd.GeoDataFrame({LAYERS[layer].key: []}, geometry=[], crs=4490)

    def table(self, layer: str, **columns: Any) -> pd.DataFrame:
        """Rows of a layer without geometry."""
        return pd.DataFrame(columns, columns=[name for name in LAYERS[layer].columns if name in columns])

    def load(self, layer: str, stored: int, quarantined: int = 0, **changes: Any) -> Load:
        """The record of an import."""
        told: dict[str, Any] = {
            "load_id": f"load-{next(_numbers)}",
            "layer": layer,
            "file_name": "宗地.shp",
            "sha256": "0" * 64,
            "profile": "默认",
            "source_crs": "EPSG:4528",
            "loaded_at": "2026-05-01T08:00:00+08:00",
            "data_date": None,
            "read": stored + quarantined,
            "stored": stored,
            "repaired": 0,
            "quarantined": quarantined,
            "report": {"重叠": 0},
        }
        return Load(**{**told, **changes})

    def run(self, **changes: Any) -> Run:
        """The record of an analysis."""
        told: dict[str, Any] = {
            "run_id": f"run-{next(_numbers)}",
            "as_of": "2026-05-01",
            "ruleset": "national",
            "ruleset_sha256": "1" * 64,
            "parameters": {"gap_m": 20.0},
            "loads": ("load-1",),
            "started_at": "2026-05-01T09:00:00+08:00",
            "summary": {"plots": 3},
        }
        return Run(**{**told, **changes})

    def fill(self, store: Store, frame: pd.DataFrame, layer: str = "parcels", **how: Any) -> Load:
        """Write a frame as a load; the record of it."""
        load = self.load(layer, len(frame))
        store.write_load(load, frame, self.nothing(), **how)
        return load


@pytest.fixture(scope="session")
def make() -> Samples:
    """The maker of samples."""
    return Samples()
