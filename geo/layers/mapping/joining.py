"""Tables without geometry find their land: firms their parcel, contracts the parcels they were made for.

Nothing that is already known is overwritten, nothing is guessed between several candidates, and every row is counted.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.errors import InvalidParameter
from geo.layers.mapping.origins import mappable
from geo.layers.mapping.values import plain_value
from geo.layers.schema import LAYERS

# Amounts of a contract belong to all of its parcels together; they cannot be copied to each.
_AMOUNTS = frozenset({"m2", "yuan", "yuan/a", "tce/a", "persons", "kVA", "m3/d", "t/h"})
_CANDIDATES = "parcel_candidates"


def fill_parcel_ids(
    enterprises: pd.DataFrame, parcels: pd.DataFrame, *, by_holder: bool = False
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Firms without a parcel get the one that carries their credit code.

    Parameters
    ----------
    enterprises : canonical ``enterprises``; rows with a ``parcel_id`` stay as they are
    parcels : ``parcel_id``, ``credit_code`` and, for ``by_holder``, ``holder``
    by_holder : where no parcel carries the code, take the one whose holder has exactly this name (full and half width
        and blanks are not told apart)

    Returns
    -------
    enterprises : copy; where several parcels would do, ``parcel_id`` stays empty and ``extra["parcel_candidates"]``
        lists them
    counts : Chinese outcome -> rows; they add up to ``len(enterprises)``
    """
    given = enterprises["parcel_id"].notna().to_numpy()
    known = enterprises["parcel_id"].isin(set(parcels["parcel_id"].dropna())).to_numpy()
    found = enterprises["parcel_id"].to_numpy(dtype=object, copy=True)
    candidates: dict[int, list[str]] = {}
    counts = {"已有宗地代码": int((given & known).sum()), "已有宗地代码，但不在宗地图层中": int((given & ~known).sum())}
    open_rows = ~given
    ways = [("credit_code", "信用代码")] + ([("holder", "企业名称")] if by_holder else [])
    for field, zh in ways:
        one, several = _parcels_by(parcels, field)
        name = _comparable(enterprises[field])
        match = name.map(one).to_numpy(dtype=object)
        filled = open_rows & pd.notna(match)
        found[filled] = match[filled]
        many = np.flatnonzero(open_rows & name.isin(several).to_numpy())
        candidates |= {int(row): several[name.iloc[row]] for row in many}
        counts[f"按{zh}补入"] = int(filled.sum())
        counts[f"{zh}对应多宗地，未补入"] = len(many)
        open_rows = open_rows & ~filled
        open_rows[many] = False
    counts["没有对应的宗地"] = int(open_rows.sum())
    joined = enterprises.copy()
    joined["parcel_id"] = found
    if candidates:
        joined["extra"] = _with_extra(joined["extra"], {row: {_CANDIDATES: ids} for row, ids in candidates.items()})
    return joined, counts


def _parcels_by(parcels: pd.DataFrame, field: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Value -> its parcel where there is one, and value -> its parcels where there are several."""
    pairs = pd.DataFrame({"value": _comparable(parcels[field]), "parcel": parcels["parcel_id"].astype(object)})
    pairs = pairs.dropna().drop_duplicates().sort_values("parcel", kind="stable")
    repeated = pairs["value"].duplicated(keep=False)
    one = pairs[~repeated]
    several = pairs[repeated].groupby("value")["parcel"].agg(list)
    return dict(zip(one["value"], one["parcel"], strict=True)), several.to_dict()


def _comparable(values: pd.Series) -> pd.Series:
    """Codes and names without regard to width, case and blanks; ``None`` where there is nothing."""
    distinct = {
        value: unicodedata.normalize("NFKC", str(value)).upper().replace(" ", "") or None
        for value in values.dropna().unique()
    }
    return values.map(distinct).astype(object)


def _with_extra(extra: pd.Series, added: dict[int, dict[str, Any]]) -> list[dict[str, Any] | None]:
    cells = list(extra)
    for row, entries in added.items():
        cells[row] = {**(cells[row] if isinstance(cells[row], dict) else {}), **entries}
    return cells


@dataclass(frozen=True, slots=True)
class Joined:
    """Parcels with what a table adds.

    ``frame`` the parcels, rows and order as before · ``counts`` Chinese outcome -> number · ``conflicts`` one row per
    value that was not taken: ``parcel_id``, ``field``, ``kept``, ``offered``, ``table_row`` (from nought), ``reason`` ·
    ``unmatched`` rows of the table (from nought) that found no parcel · ``changed`` which parcels got something (n,) ·
    ``filled`` one row per value that was taken: ``parcel`` (position), ``field``, ``row`` of the table (from nought)
    """

    frame: gpd.GeoDataFrame | pd.DataFrame
    counts: dict[str, int]
    conflicts: pd.DataFrame
    unmatched: NDArray[np.int64]
    changed: NDArray[np.bool_]
    filled: pd.DataFrame


def join_attributes(
    parcels: gpd.GeoDataFrame | pd.DataFrame,
    table: pd.DataFrame,
    by: Sequence[str] = ("parcel_id", "supervision_no"),
) -> Joined:
    """What a table without geometry says of parcels, in the fields that are empty there.

    Parameters
    ----------
    parcels : canonical parcels
    table : canonical parcel fields without geometry (a profile with ``join`` makes it), any number of rows a parcel
    by : fields that must agree, in this order: a row is matched by the first one that finds a parcel

    Raises
    ------
    InvalidParameter
        One of ``by`` is no field of both.

    Notes
    -----
    A value that is there is never overwritten: a different one is a conflict. Rows that disagree with each other about
    a parcel fill nothing. Amounts (areas, prices, investment) of a row that covers several parcels are theirs together
    and are kept in ``extra`` instead of being counted for each.
    """
    unknown = [name for name in by if name not in parcels.columns or name not in table.columns]
    if unknown:
        raise InvalidParameter(f"不能按“{'、'.join(unknown)}”关联", where="by", remedy="两张表都要有该字段")
    pairs = _pairs(parcels, table, by)
    covers = pairs.groupby("row")["parcel"].transform("size") > 1
    matched = np.zeros(len(table), dtype=bool)
    matched[pairs["row"]] = True
    frame = parcels.copy()
    changed = np.zeros(len(parcels), dtype=bool)
    refused = []
    kept_aside: dict[int, dict[str, Any]] = {}
    filled = [pd.DataFrame({"parcel": [], "row": [], "field": []}).astype({"parcel": np.int64, "row": np.int64})]
    for item in mappable(LAYERS["parcels"]):
        if item.name in (*by, "extra") or item.name not in table.columns or table[item.name].isna().all():
            continue
        offers = pairs.assign(offered=table[item.name].iloc[pairs["row"]].to_numpy(dtype=object), shared=covers)
        offers = offers[pd.notna(offers["offered"])]
        if item.unit in _AMOUNTS:
            for parcel, value in offers.loc[offers["shared"], ["parcel", "offered"]].itertuples(index=False):
                kept_aside.setdefault(parcel, {})[f"合同合计·{item.zh}（{item.unit}）"] = plain_value(value)
            offers = offers[~offers["shared"]]
        standing = frame[item.name].iloc[offers["parcel"]].to_numpy(dtype=object)
        offers = offers.assign(
            kept=np.where(pd.isna(standing), None, standing),
            token=_tokens(offers["offered"]), standing=_tokens(pd.Series(standing, dtype=object)).to_numpy(),
        )  # fmt: skip
        one_voice = offers.groupby("parcel")["token"].transform("nunique") == 1
        empty = offers["standing"].isna()
        taken = offers[empty & one_voice].drop_duplicates("parcel")
        column = frame[item.name].copy()
        column.iloc[taken["parcel"]] = table[item.name].iloc[taken["row"]].astype(column.dtype).array
        frame[item.name] = column
        changed[taken["parcel"]] = True
        filled.append(taken[["parcel", "row"]].assign(field=item.name))
        refused.append(
            offers[~empty & (offers["token"] != offers["standing"])].assign(field=item.name, reason="与现有值不同")
        )
        refused.append(offers[empty & ~one_voice].assign(field=item.name, reason="表中各行不一致"))
    refused += _extras(frame, table, pairs, kept_aside)
    if kept_aside:
        frame["extra"] = _with_extra(frame["extra"], kept_aside)
        changed[list(kept_aside)] = True
    conflicts = _conflicts(refused, parcels)
    counts = {
        "表中记录": len(table), "找到宗地": int(matched.sum()), "没有对应的宗地": int((~matched).sum()),
        "一条记录对应多宗地": int(pairs.loc[covers, "row"].nunique()), "有补充的宗地": int(changed.sum()),
        "补入的值": sum(map(len, filled)), "冲突未采用的值": len(conflicts),
    }  # fmt: skip
    return Joined(frame, counts, conflicts, np.flatnonzero(~matched), changed, pd.concat(filled, ignore_index=True))


def _extras(
    frame: pd.DataFrame, table: pd.DataFrame, pairs: pd.DataFrame, added: dict[int, dict[str, Any]]
) -> list[pd.DataFrame]:
    """Add what no field holds to ``added`` (parcel -> entries); another value under a known name is a conflict."""
    if "extra" not in table.columns:
        return []
    offered_extra, standing_extra = list(table["extra"]), list(frame["extra"])
    refused = []
    for parcel, row in pairs[["parcel", "row"]].itertuples(index=False):
        offered, standing = offered_extra[row], standing_extra[parcel]
        if not isinstance(offered, dict):
            continue
        standing = standing if isinstance(standing, dict) else {}
        for key, value in offered.items():
            known = standing.get(key, added.get(parcel, {}).get(key))
            if known is None:
                added.setdefault(parcel, {})[key] = value
            elif known != value:
                refused.append((row, parcel, value, known, f"extra.{key}", "与现有值不同"))
    return [pd.DataFrame(refused, columns=["row", "parcel", "offered", "kept", "field", "reason"])]


def _pairs(parcels: pd.DataFrame, table: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Rows of the table and positions of the parcels they belong to, each row by the first field that finds one."""
    open_rows = np.arange(len(table))
    found = []
    for name in by:
        left = pd.DataFrame({"value": _comparable(table[name]).to_numpy()[open_rows], "row": open_rows})
        right = pd.DataFrame({"value": _comparable(parcels[name]).to_numpy(), "parcel": np.arange(len(parcels))})
        pairs = left.dropna().merge(right.dropna(), on="value")[["row", "parcel"]]
        found.append(pairs)
        open_rows = np.setdiff1d(open_rows, pairs["row"])
    return pd.concat(found, ignore_index=True).astype(np.int64)


def _tokens(values: pd.Series) -> pd.Series:
    """What two values are compared by: numbers to nine digits, days as days, text without blanks around it."""

    def token(value: Any) -> Any:
        if value is None or pd.isna(value):
            return None
        if isinstance(value, (bool, np.bool_)):
            return bool(value)
        if isinstance(value, (int, float, np.number)):
            return f"{float(value):.9g}"
        return (
            str(pd.Timestamp(value).date()) if isinstance(value, (pd.Timestamp, np.datetime64)) else str(value).strip()
        )

    return values.map(token).astype(object)


def _conflicts(refused: list[pd.DataFrame], parcels: pd.DataFrame) -> pd.DataFrame:
    columns = ["parcel_id", "field", "kept", "offered", "table_row", "reason"]
    there = [part for part in refused if len(part)]
    if not there:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in columns})
    listed = pd.concat(there, ignore_index=True).rename(columns={"row": "table_row"})
    listed["parcel_id"] = parcels["parcel_id"].iloc[listed["parcel"]].to_numpy()
    return listed[columns].sort_values(["table_row", "field"], kind="stable", ignore_index=True)
