"""What differs between the findings of two runs: new ones, cleared ones, and those of another level.

A finding is known again by its parcel and its rule. A parcel that was split, merged or given another code is another
parcel here: its old findings are cleared (and the parcel is no longer in the layer), those of its successors are new.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from geo.errors import InvalidInput
from geo.land.findings import LEVELS
from geo.layers.schema import PAST_FINDINGS
from geo.layers.words import WORDS
from geo.units import mu

CHANGES = {"new": "新增", "cleared": "消除", "changed": "等级变化", "same": "未变"}
KINDS = {kind: spellings[0] for kind, spellings in WORDS["findings.kind"].items()}
GONE = "宗地已不在图层中"
_CHANGES_OF_MERGE = {"right_only": "new", "left_only": "cleared", "both": "changed"}
_FINDING = ["parcel_id", "rule"]
_TOLD: dict[str, Any] = {
    **dict.fromkeys(("parcel_id", "rule", "kind", "level", "town", "holder"), object),
    "since": "datetime64[s]", "area_m2": float, "fee_yuan": float,
}  # fmt: skip
_COLUMNS = (
    "change", "change_title", "kind", "kind_title", "parcel_id", "rule", "town", "holder", "area_m2", "before_level",
    "before_level_title", "after_level", "after_level_title", "before_since", "after_since", "before_fee_yuan",
    "after_fee_yuan", "in_layer", "reason",
)  # fmt: skip
_TEXTS = [name for name in _COLUMNS if not name.endswith(("_m2", "_since", "_yuan")) and name != "in_layer"]


def past_of(findings: pd.DataFrame, run_id: str) -> pd.DataFrame:
    """The findings of a run as the layer ``past_findings`` keeps them after later runs have replaced them.

    Parameters
    ----------
    findings : canonical ``findings`` (n,), with or without geometry
    run_id : the run that made them; ``past_id`` is ``run_id:finding_id``

    Returns
    -------
    pandas.DataFrame
        (n,) canonical ``past_findings``
    """
    names = [name for name in PAST_FINDINGS.columns if name not in ("past_id", "run_id")]
    past = pd.DataFrame(findings[names]).reset_index(drop=True)
    past.insert(0, "past_id", pd.Series([f"{run_id}:{name}" for name in findings["finding_id"]], dtype=object))
    past.insert(1, "run_id", np.full(len(past), run_id, dtype=object))
    return past


def changes(
    before: pd.DataFrame,
    after: pd.DataFrame,
    parcels_now: Collection[str] | pd.Index | None = None,
    *,
    same: bool = False,
) -> pd.DataFrame:
    """The findings that differ between two runs.

    Parameters
    ----------
    before, after : ``past_findings`` (or ``findings``) of the earlier and of the later run
    parcels_now : codes of the parcels in the layer now; ``None`` where that is not known
    same : also tell the findings whose level is the same

    Returns
    -------
    pandas.DataFrame
        One row for each finding, in order of parcel and rule: ``change`` (``new``, ``cleared``, ``changed``, ``same``),
        levels, days and fees (yuan) before and after, and ``kind``, ``town``, ``holder``, ``area_m2`` as the later run
        has them, the earlier one where the finding is cleared; of a cleared one ``in_layer`` (boolean, missing where it
        is not known) and ``reason``. Every code has its Chinese ``_title``.

    Raises
    ------
    InvalidInput
        A run holds two findings of one rule on a parcel, so that they cannot be told apart.

    Notes
    -----
    Parcels are known by their code alone: splits, mergers and new codes are not followed.
    """
    for run in (before, after):
        again = run.duplicated(_FINDING)
        if again.any():
            parcel, rule = run.loc[again, _FINDING].iloc[0]
            raise InvalidInput(
                f"宗地“{parcel}”按规则“{rule}”有两条认定，不能比较", where="past_findings", remedy="请重新运行分析"
            )
    sides = [pd.DataFrame(run[list(_TOLD)]).astype(_TOLD) for run in (before, after)]
    both = sides[0].merge(sides[1], on=_FINDING, how="outer", suffixes=("_before", "_after"), indicator="_merge")
    change = both["_merge"].map(_CHANGES_OF_MERGE).to_numpy(dtype=object)
    change[(change == "changed") & (both["level_before"] == both["level_after"]).to_numpy()] = "same"
    found: dict[str, Any] = {"change": change, "parcel_id": both["parcel_id"], "rule": both["rule"]}
    cleared = change == "cleared"
    for name in ("kind", "town", "holder", "area_m2"):
        found[name] = both[f"{name}_after"].where(~cleared, both[f"{name}_before"])
    for name in ("level", "since", "fee_yuan"):
        for side in ("before", "after"):
            found[f"{side}_{name}"] = both[f"{name}_{side}"]
    there = pd.array(np.full(len(both), None), dtype="boolean")
    if parcels_now is not None:
        there[cleared] = both["parcel_id"].isin(pd.Index(parcels_now))[cleared].to_numpy()
    found["in_layer"] = there
    found["reason"] = np.full(len(both), None, dtype=object)
    found["reason"][(~there).fillna(False)] = GONE
    frame = pd.DataFrame(found)
    for name, titles in (("change", CHANGES), ("kind", KINDS), ("before_level", LEVELS), ("after_level", LEVELS)):
        frame[f"{name}_title"] = frame[name].map(titles)
    for name in _TEXTS:
        frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
    wanted = frame if same else frame[change != "same"]
    return wanted[list(_COLUMNS)].sort_values(_FINDING, kind="stable", ignore_index=True)


def changes_summary(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """How many parcels changed, by kind and change.

    Parameters
    ----------
    frame : what ``changes`` gives

    Returns
    -------
    list of dict
        ``kind``, ``kind_title``, ``change``, ``change_title``, ``parcels``, ``mu``, ``before_fee_yuan`` and
        ``after_fee_yuan`` (``None`` where no fee is known), ``not_in_layer`` (cleared because the parcel is gone). A
        parcel counts once in each row, with its highest fee, whatever the number of its findings.
    """
    gone = frame.assign(gone=frame["reason"].eq(GONE))
    of_parcel = gone.groupby(["kind", "change", "parcel_id"], as_index=False).agg(
        area_m2=("area_m2", "max"), gone=("gone", "all"),
        before=("before_fee_yuan", "max"), after=("after_fee_yuan", "max"),
    )  # fmt: skip
    rows = of_parcel.groupby(["kind", "change"]).agg(
        parcels=("parcel_id", "size"), area_m2=("area_m2", "sum"), gone=("gone", "sum"),
        before=("before", lambda fees: fees.sum(min_count=1)), after=("after", lambda fees: fees.sum(min_count=1)),
    )  # fmt: skip
    order = list(CHANGES)
    listed = [
        {
            "kind": kind, "kind_title": KINDS.get(kind, kind), "change": change, "change_title": CHANGES[change],
            "parcels": int(row["parcels"]), "mu": round(float(mu(row["area_m2"])), 2),
            "before_fee_yuan": _yuan(row["before"]), "after_fee_yuan": _yuan(row["after"]),
            "not_in_layer": int(row["gone"]),
        }
        for (kind, change), row in rows.iterrows()
    ]  # fmt: skip
    return sorted(listed, key=lambda row: (str(row["kind"]), order.index(str(row["change"]))))


def _yuan(value: Any) -> float | None:
    return None if pd.isna(value) else round(float(value), 2)
