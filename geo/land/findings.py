"""The form of a finding: rule, level, dates, the evidence used and the evidence missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.land.calendar import Days
from geo.layers.schema import FINDINGS, PARCELS
from geo.layers.words import WORDS

LEVELS: dict[str, str] = {level: spellings[0] for level, spellings in WORDS["findings.level"].items()}
RULE_TITLES = {"IDLE_A": "逾期未动工开发", "IDLE_B": "动工后中止开发"}
# Levels that make a parcel idle or inefficient; a warning or an overdue date is not yet a finding of either.
IDLE_LEVELS = ("idle_1y", "idle_2y", "idle_stalled")
INEFFICIENT_LEVELS = ("inefficient",)


def findings_frame(
    rows: Sequence[int] | NDArray[np.int64],
    table: gpd.GeoDataFrame,
    *,
    kind: str = "",
    rule: str = "",
    level: Any = (),
    since: Any = (),
    next_date: Any = (),
    fee_yuan: Any = (),
    evidence: Sequence[Any] = (),
    missing: Sequence[list[str]] = (),
    source: str = "",
    as_of: np.datetime64 | None = None,
) -> gpd.GeoDataFrame:
    """Canonical findings (without run id) for some rows of a parcel table; one value per row in each sequence."""
    chosen = table.iloc[np.asarray(rows, dtype=np.int64)]
    count = len(chosen)
    first: Days = np.asarray(since, dtype="datetime64[D]") if count else np.empty(0, "datetime64[D]")
    held = (as_of - first).astype(float) + 1 if count and as_of is not None else np.full(count, np.nan)
    held[np.isnat(first)] = np.nan
    # A warning starts before the date it warns of, so it has no days yet.
    held[held < 1] = np.nan
    frame = pd.DataFrame(
        {
            "finding_id": [f"{identity}:{rule}" for identity in chosen["parcel_id"]],
            "parcel_id": chosen["parcel_id"].to_numpy(dtype=object),
            "town": chosen["town"].to_numpy(dtype=object),
            "holder": chosen["holder"].to_numpy(dtype=object),
            "kind": kind,
            "rule": rule,
            "level": np.asarray(level, dtype=object),
            "since": pd.Series(first.astype("datetime64[s]")),
            "days": held,
            "next_date": pd.Series(np.asarray(next_date, dtype="datetime64[s]")),
            "fee_yuan": np.asarray(fee_yuan, dtype=float),
            "area_m2": chosen["area_m2"].to_numpy(dtype=float),
            "evidence": list(evidence),
            "missing": [[_named(name) for name in names] for names in missing],
            "confidence": "suspected",
            "source": source,
        }
    )
    return gpd.GeoDataFrame(frame, geometry=np.asarray(chosen.geometry.array), crs=table.crs)


def evidence_of(
    table: pd.DataFrame, rows: NDArray[np.int64], fields: Sequence[str], reading: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """For each row the fields that have a value, in words, and the parameters by which the rule was read."""
    records = table[list(fields)].iloc[rows].to_dict("records")
    return [
        {"used": [_item(name, value) for name, value in record.items() if pd.notna(value)], "reading": read}
        for record, read in zip(records, reading, strict=True)
    ]


def _item(name: str, value: Any) -> dict[str, Any]:
    field = PARCELS.field(name)
    shown = str(pd.Timestamp(value).date()) if field.kind == "date" else value
    if isinstance(shown, np.generic):
        shown = shown.item()
    return {"field": name, "zh": field.zh, "value": shown, "unit": field.unit}


_SPECIAL = {
    "contradiction:started_on": "动工证据相互矛盾",
    "contradiction:stopped_on": "停产日期与在产状态矛盾",
    "buildings.floor_area_m2": "部分建筑的建筑面积",
    "fee_base_of_lease": "租赁土地的计费基数（办法未规定）",
    "land_price_yuan<=0": "土地价款为零或负数",
}


def _named(name: str) -> dict[str, str]:
    known = {field.name: field.zh for field in PARCELS.fields}
    if name.endswith("<=0") and name not in _SPECIAL:
        return {"field": name, "zh": f"{known[name.removesuffix('<=0')]}为零或负数"}
    return {"field": name, "zh": _SPECIAL.get(name) or known.get(name, name)}


def empty_findings(crs: Any) -> gpd.GeoDataFrame:
    """A findings table without rows."""
    columns = {name: pd.Series(dtype=object) for name in FINDINGS.columns if name != "run_id"}
    return gpd.GeoDataFrame(columns, geometry=[], crs=crs)
