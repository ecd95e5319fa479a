"""The rows of the firm table that a firm's figures come from, as evidence: field, value, year, load and row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from geo.layers.schema import ENTERPRISES

# A firm's total is one row, a firm on many parcels has many; a finding lists so many of them.
_ROWS_TOLD = 20
_YEARS_TOLD = 3
_SHOWN = frozenset(ENTERPRISES.columns) - {"enterprise_id", "credit_code", "holder", "parcel_id", "year", "extra"}


def figures_stated(
    firms: pd.DataFrame, enterprises: pd.DataFrame | None, fields: Sequence[str]
) -> list[list[dict[str, Any]]]:
    """What firm tables state of some firms, one list of evidence for each.

    Parameters
    ----------
    firms : (k) rows of a firm table: ``firm_id`` (credit code or name), ``holder``, ``year``, ``years_without_tax``
    enterprises : canonical ``enterprises``, or ``None``
    fields : figures that a rule rests on; ``years_without_tax`` asks for the tax of the years before, too
    """
    shown = [name for name in dict.fromkeys(fields) if name in _SHOWN]
    lists: list[list[dict[str, Any]]] = [[] for _ in range(len(firms))]
    if enterprises is None or enterprises.empty or firms.empty or not shown:
        return lists
    back = _YEARS_TOLD if "years_without_tax" in fields else 1
    place: dict[str, int] = {}
    for i, (identity, holder) in enumerate(
        zip(_comparable(firms["firm_id"]), _comparable(firms["holder"]), strict=True)
    ):
        place.setdefault(str(identity), i)
        if holder:
            place.setdefault(str(holder), i)
    newest = firms["year"].to_numpy(dtype=float, na_value=np.nan)
    key = _comparable(enterprises["credit_code"])
    key = key.where(key != "", _comparable(enterprises["holder"]))
    firm = key.map(place)
    rows = enterprises[firm.notna().to_numpy()]
    owner = firm[firm.notna()].to_numpy(dtype=np.int64)
    year = rows["year"].to_numpy(dtype=float, na_value=np.nan)
    current = (year <= newest[owner]) & (year > newest[owner] - back) | (np.isnan(year) & np.isnan(newest[owner]))
    rows, owner = rows[current], owner[current]
    for i, record in zip(owner, rows.to_dict("records"), strict=True):
        if len(lists[i]) < _ROWS_TOLD * len(shown):
            lists[i] += _items(record, shown)
    return lists


def _comparable(texts: pd.Series) -> pd.Series:
    """Full and half width, case and blanks are not told apart, as where firms are identified."""
    told = texts.astype("object").where(texts.notna(), "").astype(str)
    return told.str.normalize("NFKC").str.upper().str.replace(" ", "").reset_index(drop=True)


def _items(record: dict[str, Any], shown: Sequence[str]) -> list[dict[str, Any]]:
    year: Any = record.get("year")
    when = "" if pd.isna(year) else f"，{int(year)}年度"
    load: Any = record.get("load_id")
    row: Any = record.get("source_row")
    source = {"load_id": load, "row": None if pd.isna(row) else int(row)} if isinstance(load, str) else None
    return [
        {"field": name, "zh": f"{ENTERPRISES.field(name).zh}（{record.get('holder') or '企业'}{when}）",
         "value": value.item() if isinstance(value, np.generic) else value, "unit": ENTERPRISES.field(name).unit,
         "source": source}
        for name in shown
        if pd.notna(value := record.get(name))
    ]  # fmt: skip
