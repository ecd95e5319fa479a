"""Stock classes beside the idle levels: stated by the source, or what follows from the facts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from geo.land.idle import assess_idle, subject_to_idle
from geo.land.rules import load_rules
from geo.land.stock import stock_classes
from tests.land.tables import parcel_table

GRANTED = {"supply_kind": "grant", "contract_date": "2022-01-01"}
DAY = np.datetime64("2024-01-01")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"stock_class": "approved_unsupplied"}, ("approved_unsupplied", "source")),
        (GRANTED | {"stock_class": "in_use", "status": "not_started"}, ("in_use", "source")),  # the source's word
        (GRANTED | {"status": "not_started"}, ("supplied_unused", "derived")),
        (GRANTED | {"started_on": "2024-01-02"}, ("supplied_unused", "derived")),  # starts tomorrow
        (GRANTED | {"status": "building", "area_due_m2": 9.0, "area_developed_m2": 8.0}, ("partly_used", "derived")),
        (GRANTED | {"status": "building", "area_due_m2": 9.0, "area_developed_m2": 9.0}, (None, None)),
        (GRANTED | {"status": "building", "area_due_m2": 9.0}, (None, None)),
        (GRANTED | {"status": "producing"}, ("in_use", "derived")),
        (GRANTED | {"completed_on": "2023-12-31"}, ("in_use", "derived")),
        (GRANTED | {"completed_on": "2024-01-02"}, (None, None)),  # completed tomorrow, started who knows when
        (GRANTED | {"status": None}, (None, None)),
        ({"status": "not_started"}, (None, None)),  # without a supply nothing follows
        ({"supply_kind": "grant", "contract_date": "2024-01-02", "status": "not_started"}, (None, None)),
    ],
)
def test_stock_class(facts: dict[str, Any], expected: tuple[str | None, str | None]) -> None:
    # Beside another parcel, and under any index.
    table = parcel_table({"status": "building"}, facts).set_index(np.array([7, 3]))
    found = stock_classes(table, DAY)
    assert list(found.index) == [7, 3]
    assert tuple(found.loc[3]) == expected


def test_it_is_never_a_level_of_idle_land() -> None:
    rules = load_rules("national").idle
    unsupplied = parcel_table({"stock_class": "approved_unsupplied", "status": "not_started", "supply_kind": "grant"})
    assert not subject_to_idle(unsupplied).any()
    assert assess_idle(unsupplied, None, rules, DAY).empty
    unused = parcel_table(
        GRANTED | {"stock_class": "supplied_unused", "start_due": "2024-12-31", "status": "not_started"}
    )
    assert assess_idle(unused, None, rules, DAY).empty


def test_no_parcels_no_classes() -> None:
    assert stock_classes(parcel_table({})[:0], DAY).empty
