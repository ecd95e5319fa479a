"""Findings in numbers: parcels, mu and yuan by a field, kind and level."""

from __future__ import annotations

from typing import Any

import pandas as pd

from geo.units import mu

# What the statistics are made of.
GROUPS = ("parcel_id", "town", "kind", "level", "holder", "rule", "area_m2", "fee_yuan", "missing")
_FEE_INPUTS = frozenset({"land_price_yuan", "land_price_yuan<=0", "fee_base_of_lease"})


def fees_unknown(missing: pd.Series) -> int:
    """How many findings owe a fee and lack what it is computed from, by what each says is missing."""
    return sum(_lacks_fee(one) for one in missing)


def _lacks_fee(missing: list[dict[str, str]] | None) -> bool:
    return isinstance(missing, list) and any(one["field"] in _FEE_INPUTS for one in missing)


def statistics_of(findings: pd.DataFrame, by: str) -> list[dict[str, Any]]:
    """Rows of (key, kind, level, count, mu, fee_yuan), in ascending order.

    Parameters
    ----------
    findings : rows with the columns ``GROUPS``
    by : ``town``, ``kind``, ``level``, ``holder`` or ``rule``

    Notes
    -----
    A parcel counts once in each row, whatever the number of its findings. ``fee_yuan`` is the sum of the known fees, or
    ``None`` where none is known; ``fee_unknown`` counts the parcels that owe one and lack what it is computed from.
    """
    keys = list(dict.fromkeys([by, "kind", "level"]))
    once = findings.sort_values(["parcel_id", "fee_yuan"]).drop_duplicates([*keys, "parcel_id"])
    once = once.assign(unknown=[_lacks_fee(missing) for missing in once["missing"]])
    grouped = once.groupby(keys, dropna=False, sort=True)
    table = grouped.agg(
        count=("parcel_id", "size"), area_m2=("area_m2", "sum"), fee_yuan=("fee_yuan", "sum"),
        fees=("fee_yuan", "count"), unknown=("unknown", "sum"),
    ).reset_index()  # fmt: skip
    return [
        {"key": None if pd.isna(row[by]) else row[by], "kind": row["kind"], "level": row["level"],
         "count": int(row["count"]), "mu": round(float(mu(row["area_m2"])), 2),
         "fee_yuan": round(float(row["fee_yuan"]), 2) if row["fees"] else None,
         "fee_unknown": int(row["unknown"])}
        for row in table.to_dict("records")
    ]  # fmt: skip
