"""Properties of the idle-land rules on random parcels, many at a time, and the agreement with a day-by-day oracle."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from geo.land.idle import assess_idle
from geo.land.rule_sets.idle import IdleRules
from geo.land.rules import load_rules
from tests.land.idle_oracle import Reading, assess
from tests.land.tables import delay_table, parcel_table

RULES = load_rules("national").idle
HAINAN = load_rules("hainan").idle
RANK = {"not_assessed": 0, "warning": 1, "overdue": 2, "idle_stalled": 3, "idle_1y": 3, "idle_2y": 4}
MANY = 150
# A seed cannot be made simpler, so a failure is told at once.
PHASES = (Phase.explicit, Phase.generate)
STATUSES = ("not_started",) * 4 + ("building", "suspended", "suspended", "completed", None)
CAUSES = ("art8_1", "art8_2", "force_majeure", "own", None)
seeds = st.integers(0, 2**32 - 1)


def some_day(rng: np.random.Generator, absent: float, first: str = "2020-01-01", days: int = 2400) -> str | None:
    day = np.datetime64(first) + np.timedelta64(int(rng.integers(0, days)), "D")
    return None if rng.random() < absent else str(day)


def some_parcel(rng: np.random.Generator) -> dict[str, Any]:
    """Any mixture of facts, contradictory ones too; dates cluster, so that boundaries are met."""
    pick = rng.choice
    return {
        "supply_kind": pick(np.array(["grant", "allocation", "lease", None], dtype=object)),
        "tenure": pick(np.array(["state", "state", "collective", None], dtype=object)),
        "stock_class": pick(np.array([None] * 6 + ["supplied_unused", "approved_unsupplied"], dtype=object)),
        "status": pick(np.array(STATUSES, dtype=object)),
        "contract_date": some_day(rng, 0.5, "2019-06-01"),
        "start_due": some_day(rng, 0.25), "handover_date": some_day(rng, 0.5),
        "started_on": some_day(rng, 0.6), "completed_on": some_day(rng, 0.95),
        "suspended_on": some_day(rng, 0.6), "resumed_on": some_day(rng, 0.9),
        "foundation_kind": pick(np.array([None] * 5 + ["pit", "pile", "other"], dtype=object)),
        "permit_date": some_day(rng, 0.7), "pit_done_date": some_day(rng, 0.7), "piles_done_date": some_day(rng, 0.7),
        "foundation_pct": pick(np.array([None, 20.0, 33.0, 34.0, 90.0], dtype=object)),
        "land_price_yuan": pick(np.array([None, 0.0, 1_000_000.03, 77_777.77, 5_000_000.0], dtype=object)),
        "area_due_m2": pick(np.array([None, 0.0, 30_000.0], dtype=object)),
        "area_developed_m2": pick(np.array([None, 9_999.99, 10_000.0, 500.0], dtype=object)),
        "investment_due_yuan": pick(np.array([None, 100_000_000.0], dtype=object)),
        "investment_made_yuan": pick(np.array([None, 25_000_000.0, 24_999_999.99], dtype=object)),
    }  # fmt: skip


def some_delays(rng: np.random.Generator, n: int, most: int = 4) -> list[dict[str, Any]]:
    found = []
    for i in range(n):
        for _ in range(int(rng.integers(0, most + 1))):
            begin = some_day(rng, 0.08)
            length = int(rng.choice([1, 5, 30, 200, 700]))
            end = (
                None if begin is None or rng.random() < 0.2 else str(np.datetime64(begin) + np.timedelta64(length, "D"))
            )
            cause = CAUSES[int(rng.integers(len(CAUSES)))]
            found.append({"parcel_id": f"P{i}", "delay_cause": cause, "delay_from": begin, "delay_to": end})
    return found


def as_dates(record: dict[str, Any]) -> dict[str, Any]:
    dated = {
        name for name in record if name.endswith(("_date", "_on", "_due")) and not name.startswith(("area", "inv"))
    }
    return {name: date.fromisoformat(value) if name in dated and value else value for name, value in record.items()}


READINGS = [
    ({}, RULES),
    ({"same_day": True, "excuses_stop_rule_b": True}, RULES),
    ({"late_handover_excuses": False, "slow_years": 2}, HAINAN),
    ({"slow_years": 2, "excuses_stop_rule_b": True}, HAINAN),
]


def rules_of(changes: dict[str, Any], rules: IdleRules) -> IdleRules:
    own = {name: value for name, value in changes.items() if name not in ("same_day", "slow_years")}
    return rules.model_copy(update=own | {"year_full_on": "same_day" if changes.get("same_day") else "next_day"})


@settings(max_examples=12, phases=PHASES)
@given(seeds, st.integers(0, len(READINGS) - 1), st.integers(400, 2600))
def test_agrees_with_the_definitions_day_by_day(seed: int, reading: int, offset: int) -> None:
    rng = np.random.default_rng(seed)
    parcels, delays = [some_parcel(rng) for _ in range(MANY)], some_delays(rng, MANY)
    as_of = np.datetime64("2020-01-01") + np.timedelta64(offset, "D")
    changes, rules = READINGS[reading]
    found = assess_idle(parcel_table(*parcels), delay_table(*delays), rules_of(changes, rules), as_of)
    got: dict[int, dict[str, Any]] = {}
    for row in found.itertuples():
        got.setdefault(int(row.parcel_id[1:]), {})[row.rule] = row
    for i, parcel in enumerate(parcels):
        own = [d for d in delays if d["parcel_id"] == f"P{i}"]
        spans = [tuple(as_dates({"a_on": d["delay_from"], "b_on": d["delay_to"]}).values()) for d in own]
        spans = [(d["delay_cause"], *span) for d, span in zip(own, spans, strict=True)]
        expected = assess(as_dates(parcel), spans, date.fromisoformat(str(as_of)), Reading(**changes))
        rows = got.get(i, {})
        about = (i, str(as_of), parcel, spans)
        assert {rule: row.level for rule, row in rows.items()} == expected.levels, about
        for rule, row in rows.items():
            assert (None if pd.isna(row.since) else row.since.date()) == expected.since[rule], about
            assert row.level != "not_assessed" or row.missing, about
        if "IDLE_A" in rows:
            row = rows["IDLE_A"]
            assert (None if pd.isna(row.next_date) else row.next_date.date()) == expected.next_date, about
            assert (None if np.isnan(row.fee_yuan) else row.fee_yuan) == (
                None if expected.fee is None else float(expected.fee)
            ), about


def ranks(parcels: Any, delays: Any, as_of: Any, rules: IdleRules = RULES) -> pd.DataFrame:
    """Rank of the level of each parcel under each rule; a parcel or rule without finding has rank 0."""
    found = assess_idle(parcels, delays, rules, as_of)
    wide = found.assign(rank=found["level"].map(RANK)).pivot_table(index="parcel_id", columns="rule", values="rank")
    return wide.reindex(index=parcels["parcel_id"], columns=["IDLE_A", "IDLE_B", "IDLE_SLOW"]).fillna(0)


def never_started(rng: np.random.Generator, n: int = MANY) -> Any:
    dues = [some_day(rng, 0.0) for _ in range(n)]
    return parcel_table(*({"supply_kind": "grant", "status": "not_started", "start_due": due} for due in dues))


def stalled(rng: np.random.Generator, n: int = MANY) -> Any:
    return parcel_table(
        *({"supply_kind": "grant", "status": "suspended", "started_on": "2019-06-01", "start_due": "2019-06-01",
           "suspended_on": some_day(rng, 0.0), "area_due_m2": 3.0, "area_developed_m2": 0.5} for _ in range(n))
    )  # fmt: skip


@settings(max_examples=6, phases=PHASES)
@given(seeds, st.integers(300, 2400), st.integers(1, 900), st.sampled_from(["next_day", "same_day"]))
def test_time_alone_never_lowers_a_level(seed: int, offset: int, later: int, full_on: str) -> None:
    rng = np.random.default_rng(seed)
    early = np.datetime64("2020-01-01") + np.timedelta64(offset, "D")
    rules = RULES.model_copy(update={"excuses_stop_rule_b": True, "year_full_on": full_on})
    for parcels in (never_started(rng), stalled(rng)):
        # Every excuse began by the first day, so nothing happens between the two.
        past = [each for each in some_delays(rng, MANY) if each["delay_from"] and each["delay_from"] <= str(early)]
        delays = delay_table(*past)
        late = early + np.timedelta64(later, "D")
        assert (ranks(parcels, delays, early, rules) <= ranks(parcels, delays, late, rules)).all(axis=None)


@settings(max_examples=6, phases=PHASES)
@given(seeds, st.integers(300, 2600), st.booleans())
def test_an_excuse_never_makes_it_worse(seed: int, offset: int, stops: bool) -> None:
    rng = np.random.default_rng(seed)
    as_of = np.datetime64("2020-01-01") + np.timedelta64(offset, "D")
    rules = HAINAN.model_copy(update={"excuses_stop_rule_b": stops})
    for parcels in (never_started(rng), stalled(rng)):
        few = some_delays(rng, MANY, 2)
        more = few + some_delays(rng, MANY, 2)
        before = ranks(parcels, delay_table(*few), as_of, rules)
        assert (ranks(parcels, delay_table(*more), as_of, rules) <= before).all(axis=None)


def same(first: pd.DataFrame, second: pd.DataFrame) -> bool:
    names = ["parcel_id", "rule", "level", "since", "next_date", "fee_yuan", "article", "disposals", "unverified"]
    one, other = (each[names].sort_values(["parcel_id", "rule"], ignore_index=True) for each in (first, second))
    return bool(one.equals(other))


@settings(max_examples=5, phases=PHASES)
@given(seeds)
def test_the_order_of_rows_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    parcels = parcel_table(*(some_parcel(rng) for _ in range(MANY)))
    delays = delay_table(*some_delays(rng, MANY))
    as_of = np.datetime64("2025-03-01")
    shuffled = parcels.sample(frac=1, random_state=int(rng.integers(1000)))
    turned = delays.sample(frac=1, random_state=int(rng.integers(1000)))
    assert same(assess_idle(parcels, delays, HAINAN, as_of), assess_idle(shuffled, turned, HAINAN, as_of))


@settings(max_examples=5, phases=PHASES)
@given(seeds, st.booleans())
def test_an_excuse_in_two_adjoining_parts_is_the_same_excuse(seed: int, stops: bool) -> None:
    rng = np.random.default_rng(seed)
    as_of = np.datetime64("2025-03-01")
    whole, parts = some_delays(rng, MANY), []
    for each in whole:
        first = np.datetime64(each["delay_from"] or "NaT", "D")
        days = (np.datetime64(each["delay_to"] or "2027-01-01") - first).astype(int)
        cut = first + np.timedelta64(int(rng.integers(0, days)), "D") if days > 0 else None
        if cut is None or cut == as_of:  # a part that begins tomorrow is not known today
            parts.append(each)
            continue
        parts += [{**each, "delay_to": str(cut)}, {**each, "delay_from": str(cut + np.timedelta64(1, "D"))}]
    rules = RULES.model_copy(update={"excuses_stop_rule_b": stops})
    for parcels in (never_started(rng), stalled(rng)):
        one, two = (assess_idle(parcels, delay_table(*each), rules, as_of) for each in (whole, parts))
        assert same(one, two)


@pytest.fixture
def zones() -> Iterator[Any]:
    kept = os.environ.get("TZ")

    def go(zone: str) -> None:
        os.environ["TZ"] = zone
        time.tzset()

    yield go
    os.environ.pop("TZ") if kept is None else go(kept)
    time.tzset()


def test_the_zone_of_the_machine_changes_nothing(zones: Any) -> None:
    rng = np.random.default_rng(4)
    records, spans = [some_parcel(rng) for _ in range(MANY)], some_delays(rng, MANY)
    found = []
    for zone in ("Asia/Shanghai", "America/Los_Angeles", "Pacific/Kiritimati"):
        zones(zone)
        found.append(assess_idle(parcel_table(*records), delay_table(*spans), RULES, np.datetime64("2025-03-01")))
    assert len(found[0]) > 20
    assert same(found[0], found[1])
    assert same(found[0], found[2])
