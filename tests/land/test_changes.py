"""Two runs compared: what is new, cleared or of another level, worked out by hand."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.errors import InvalidInput
from geo.land.changes import changes, changes_summary, past_of
from geo.layers.schema import FINDINGS, PAST_FINDINGS
from geo.store.base import Query, Run, Store

MU_M2 = 2000 / 3


def findings(*rows: tuple[str, str, str, float | None], **columns: Any) -> pd.DataFrame:
    """Findings of (parcel, rule, level, fee); each parcel is three mu in 甲镇."""
    parcel, rule, level, fee = zip(*rows, strict=True) if rows else ((), (), (), ())
    frame = pd.DataFrame(
        {
            "finding_id": [f"{p}:{r}" for p, r in zip(parcel, rule, strict=True)],
            "parcel_id": parcel, "rule": rule, "level": level, "fee_yuan": np.array(fee, dtype=float),
            "kind": ["idle" if r.startswith("IDLE") else "inefficient" for r in rule],
            "town": "甲镇", "holder": "某公司", "since": pd.Timestamp("2024-03-01"), "area_m2": 3 * MU_M2, **columns,
        }
    )  # fmt: skip
    return frame.reindex(columns=[name for name in FINDINGS.columns if name != "run_id"])


BEFORE = findings(
    ("A", "IDLE_A", "idle_1y", 100_000.0),  # stays as it is
    ("B", "IDLE_A", "overdue", None),  # becomes idle
    ("C", "IDLE_A", "idle_1y", 60_000.0),  # was started
    ("D", "IDLE_A", "idle_2y", None),  # was split: the code is gone
    ("D", "TAX", "inefficient", None),
    ("E", "IDLE_A", "warning", None),  # judged by another rule now
)
AFTER = findings(
    ("A", "IDLE_A", "idle_1y", 100_000.0),
    ("B", "IDLE_A", "idle_1y", 50_000.0),
    ("E", "IDLE_B", "idle_stalled", 20_000.0),
    ("D-1", "IDLE_A", "idle_2y", None),
)


def test_past_findings_are_the_findings_under_the_name_of_their_run() -> None:
    spatial = gpd.GeoDataFrame(BEFORE, geometry=[shapely.box(120, 31, 120.1, 31.1)] * 6, crs=4490)
    past = past_of(spatial, "R1")
    assert tuple(past.columns) == PAST_FINDINGS.columns
    assert not isinstance(past, gpd.GeoDataFrame)
    assert past["past_id"].tolist()[:2] == ["R1:A:IDLE_A", "R1:B:IDLE_A"]
    assert set(past["run_id"]) == {"R1"}
    assert past["fee_yuan"].tolist()[0] == 100_000


def test_new_cleared_and_changed_findings() -> None:
    found = changes(past_of(BEFORE, "R1"), past_of(AFTER, "R2"), {"A", "B", "C", "D-1", "E"})
    told = found[["parcel_id", "rule", "change", "before_level", "after_level", "in_layer", "reason"]]
    gone = "宗地已不在图层中"
    assert told.astype(object).where(told.notna(), None).values.tolist() == [
        ["B", "IDLE_A", "changed", "overdue", "idle_1y", None, None],
        ["C", "IDLE_A", "cleared", "idle_1y", None, True, None],
        ["D", "IDLE_A", "cleared", "idle_2y", None, False, gone],
        ["D", "TAX", "cleared", "inefficient", None, False, gone],
        ["D-1", "IDLE_A", "new", None, "idle_2y", None, None],
        ["E", "IDLE_A", "cleared", "warning", None, True, None],
        ["E", "IDLE_B", "new", None, "idle_stalled", None, None],
    ]
    changed, started = found.iloc[0], found.iloc[1]
    assert (changed["change_title"], changed["before_level_title"], changed["after_level_title"]) == (
        "等级变化", "逾期未动工", "闲置满一年",
    )  # fmt: skip
    assert (changed["after_fee_yuan"], started["before_fee_yuan"]) == (50_000, 60_000)
    assert np.isnan([changed["before_fee_yuan"], started["after_fee_yuan"]]).all()
    assert (started["town"], started["kind_title"], started["area_m2"]) == ("甲镇", "闲置土地", 3 * MU_M2)
    assert str(started["before_since"].date()) == "2024-03-01"


def test_the_later_run_says_whose_land_it_is() -> None:
    """Except where it says nothing of the parcel any more. A town that it leaves empty is empty."""
    moved = AFTER.assign(town=None, holder="新公司", area_m2=MU_M2)
    found = changes(BEFORE, moved, same=True).set_index(["parcel_id", "rule"])
    assert found.loc[("A", "IDLE_A"), ["change", "holder", "town", "area_m2"]].tolist() == [
        "same",
        "新公司",
        None,
        MU_M2,
    ]
    assert found.loc[("C", "IDLE_A"), ["holder", "town"]].tolist() == ["某公司", "甲镇"]


def test_where_the_parcels_are_not_known_nothing_is_said_of_them() -> None:
    found = changes(BEFORE, AFTER)
    assert found["in_layer"].isna().all()
    assert found["reason"].isna().all()


def test_the_summary_counts_a_parcel_once() -> None:
    """D is cleared by two idle rules and one of inefficiency: one parcel, three mu, its higher fee in each kind."""
    before = pd.concat([BEFORE, findings(("D", "IDLE_SLOW", "idle_2y", 7.0), ("C", "IDLE_SLOW", "idle_1y", 9.0))])
    rows = changes_summary(changes(before, AFTER, {"A", "B", "C", "D-1", "E"}))
    told = ("kind", "change", "parcels", "mu", "before_fee_yuan", "after_fee_yuan", "not_in_layer")
    assert [tuple(row[name] for name in told) for row in rows] == [
        ("idle", "new", 2, 6.0, None, 20_000.0, 0),
        ("idle", "cleared", 3, 9.0, 60_007.0, None, 1),
        ("idle", "changed", 1, 3.0, None, 50_000.0, 0),
        ("inefficient", "cleared", 1, 3.0, None, None, 1),
    ]
    assert (rows[1]["kind_title"], rows[1]["change_title"]) == ("闲置土地", "消除")


def test_one_rule_speaks_once_of_a_parcel() -> None:
    with pytest.raises(InvalidInput, match=r"A.*IDLE_A"):
        changes(pd.concat([BEFORE, BEFORE.head(1)]), AFTER)


def test_runs_of_a_store_are_compared_after_the_later_has_replaced_the_findings(store: Store) -> None:
    for run_id, frame in (("R1", BEFORE), ("R2", AFTER), ("R3", findings())):
        run = Run(run_id, "2026-06-30", "national", "0" * 64, {}, (), "2026-07-01T08:00:00+08:00")
        store.write_run(run, {"past_findings": past_of(frame, run_id)})
    first, second, third = (
        store.read(Query("past_findings", equals={"run_id": run_id})) for run_id in ("R1", "R2", "R3")
    )
    assert changes(first, second)["change"].value_counts().to_dict() == {"cleared": 4, "new": 2, "changed": 1}
    assert set(changes(second, third)["change"]) == {"cleared"}
    assert set(changes(third, second)["change"]) == {"new"}
    assert changes_summary(changes(third, third)) == []


runs = st.dictionaries(
    st.tuples(st.sampled_from("ABCDE"), st.sampled_from(["IDLE_A", "TAX"])), st.sampled_from(["ok", "overdue"])
).map(lambda levels: findings(*((parcel, rule, level, None) for (parcel, rule), level in levels.items())))


@given(runs, runs)
def test_the_way_back_turns_every_change_round(before: pd.DataFrame, after: pd.DataFrame) -> None:
    """Every finding of either run is told once, and what is new on the way there is cleared on the way back."""
    there, back = (changes(*pair, same=True) for pair in ((before, after), (after, before)))
    turned = {"new": "cleared", "cleared": "new", "changed": "changed", "same": "same"}
    assert [turned[change] for change in there["change"]] == back["change"].tolist()
    assert there["before_level"].tolist() == back["after_level"].tolist()
    assert len(there) == len(pd.concat([before, after]).drop_duplicates(["parcel_id", "rule"]))
    assert int(there["before_level"].notna().sum()) == len(before)
