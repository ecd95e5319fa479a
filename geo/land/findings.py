"""The form of a finding: rule, level, dates, the evidence used and the evidence missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.land.calendar import Days
from geo.land.measures import zh_of
from geo.land.rule_sets.base import STATUS_TITLES
from geo.layers.schema import FINDINGS, PARCELS
from geo.layers.words import WORDS

LEVELS: dict[str, str] = {level: spellings[0] for level, spellings in WORDS["findings.level"].items()}
RULE_TITLES = {"IDLE_A": "逾期未动工开发", "IDLE_B": "动工后中止开发", "IDLE_SLOW": "逾期两年投资不足"}
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
    article: Any = "",
    ruleset: str = "",
    disposals: Any = "",
    shortfall: Any = "",
    unverified: Sequence[Sequence[str]] | None = None,
    as_of: np.datetime64 | None = None,
) -> gpd.GeoDataFrame:
    """Canonical findings (without run id) for some rows of a parcel table; one value per row in each sequence.

    ``article``, ``disposals`` and ``shortfall`` are one text for all rows or a text each; ``unverified`` holds for each
    row the names (in Chinese) of the rule values that were used and are not verified.
    """
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
            "missing": [[named(name) for name in names] for names in missing],
            "confidence": "suspected",
            "source": source,
            "article": _texts(article, count),
            "ruleset": ruleset or None,
            "disposals": _texts(disposals, count),
            "shortfall": _texts(shortfall, count),
            "unverified": _texts(
                ["；".join(name.replace("；", "，") for name in names) for names in unverified]
                if unverified is not None
                else "",
                count,
            ),
        }
    )
    return gpd.GeoDataFrame(frame, geometry=np.asarray(chosen.geometry.array), crs=table.crs)


def _texts(value: Any, count: int) -> list[str | None]:
    """A text each; an empty one is none."""
    each = [value] * count if isinstance(value, str) else list(value)
    return [text or None for text in each]


def evidence_of(
    table: pd.DataFrame,
    rows: NDArray[np.int64],
    fields: Sequence[str],
    reading: Sequence[dict[str, Any]],
    parameters: Sequence[Sequence[dict[str, Any]]] | None = None,
) -> list[dict[str, Any]]:
    """For each row the fields that have a value, in words and with their source, and how the rule was read.

    Parameters
    ----------
    table : parcels; where it has ``load_id``, ``source_row`` and ``field_sources`` each value says where it came from
    rows : (k,) positions in the table
    fields : names of parcel fields
    reading : what the rule computed on the way, for each row
    parameters : values of the rule set that were used, for each row, as ``parameter`` makes them
    """
    chosen = table.iloc[rows]
    used: list[list[dict[str, Any]]] = [[] for _ in range(len(chosen))]
    source = _sources(chosen)
    for name in fields:
        field, values = PARCELS.field(name), chosen[name]
        there = np.flatnonzero(values.notna().to_numpy()).tolist()
        about = {"field": name, "zh": field.zh, "unit": field.unit}
        for i, value in zip(there, _plain(values.iloc[there], field.kind), strict=True):
            used[i].append({**about, "value": value, "source": source(i, name)})
    told = parameters if parameters is not None else [()] * len(chosen)
    return [
        {"used": items, "reading": read, "parameters": list(values)}
        for items, read, values in zip(used, reading, told, strict=True)
    ]


def _plain(values: pd.Series, kind: str) -> list[Any]:
    """Values as JSON takes them; dates as ISO days."""
    if kind == "date":
        return [str(day) for day in values.to_numpy().astype("datetime64[D]")]
    return list(values.astype(object).tolist())


def _sources(table: pd.DataFrame) -> Callable[[int, str], dict[str, Any] | None]:
    """The load and the row that a value of a row came from: (row, field) -> where."""
    if "load_id" not in table:
        return lambda i, name: None
    whole: list[dict[str, Any] | None] = [
        None if not isinstance(load, str) else {"load_id": load, "row": None if pd.isna(row) else int(row)}
        for load, row in zip(table["load_id"].tolist(), table["source_row"].tolist(), strict=True)
    ]
    parts: list[Any] = table["field_sources"].tolist() if "field_sources" in table else [None] * len(table)

    def source(i: int, name: str) -> dict[str, Any] | None:
        told = parts[i]
        if isinstance(told, dict) and name in told:
            load, row = told[name]
            return {"load_id": load, "row": row}
        return whole[i]

    return source


def parameter(key: str, zh: str, value: Any, status: str) -> dict[str, Any]:
    """A value of the rule set that was used: what it is called, what it says and how sure it is."""
    return {"key": key, "zh": zh, "value": value, "status": status, "status_title": STATUS_TITLES[status]}


def unverified_of(parameters: Sequence[dict[str, Any]]) -> list[str]:
    """Names of the used values that nobody has verified, and of those that a newer edition has replaced."""
    return [
        one["zh"] if one["status"] == "unverified" else f"{one['zh']}（{one['status_title']}）"
        for one in parameters
        if one["status"] in ("unverified", "superseded")
    ]


_SPECIAL = {
    "contradiction:started_on": "动工证据相互矛盾",
    "contradiction:start_due": "约定动工日期早于合同签订日期",
    "contradiction:stopped_on": "停产日期与在产状态矛盾",
    "contradiction:suspended_on": "停工日期与在建状态矛盾",
    "contradiction:stock_class": "批而未供与供地信息矛盾",
    "buildings": "建筑图层",
    "buildings.floor_area_m2": "部分建筑的建筑面积",
    "enterprises": "企业逐年数据",
    "apportionment": "一宗多企的分摊依据（各企业用地面积或从业人数）",
    "threshold": "适用的标准值",
    "population": "参评企业范围",
    "fee_base_of_lease": "租赁土地的计费基数（办法未规定）",
    "land_price_yuan<=0": "土地价款为零或负数",
}


def named(name: str) -> dict[str, str]:
    """A missing input with its Chinese name; ``x<=0`` for a whole that is none."""
    if name in _SPECIAL:
        return {"field": name, "zh": _SPECIAL[name]}
    if name.endswith("<=0"):
        return {"field": name, "zh": f"{zh_of(name.removesuffix('<=0'))}为零或负数"}
    return {"field": name, "zh": zh_of(name)}


def empty_findings(crs: Any) -> gpd.GeoDataFrame:
    """A findings table without rows."""
    columns = {name: pd.Series(dtype=object) for name in FINDINGS.columns if name != "run_id"}
    return gpd.GeoDataFrame(columns, geometry=[], crs=crs)
