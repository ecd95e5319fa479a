"""The main job on the demo district: the truth table is met exactly, in both stores, with the same answers."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo.store.base import Query
from tests.district import Analysed

DERIVED = ("findings", "past_findings", "indicators", "firms", "plots", "plot_members", "leftovers", "sites")


def test_every_row_read_is_stored_or_quarantined(analysed: Analysed) -> None:
    loads = analysed.store.loads()
    assert {load.layer for load in loads} >= {
        "parcels",
        "buildings",
        "barriers",
        "control_lines",
        "terminals",
        "demands",
    }
    for load in loads:
        assert load.read == load.stored + load.quarantined
        assert analysed.store.count(Query(load.layer)) == load.stored


def test_findings_are_the_planted_ones_and_no_others(analysed: Analysed) -> None:
    found = analysed.store.read(Query("findings"))
    planted = {(row["parcel_id"], row["rule"], row["level"]) for row in analysed.truth["findings"]}
    assert set(zip(found["parcel_id"], found["rule"], found["level"], strict=True)) == planted
    by_key = found.set_index(["parcel_id", "rule"])
    for row in analysed.truth["findings"]:
        finding = by_key.loc[(row["parcel_id"], row["rule"])]
        if row.get("since"):
            assert str(finding["since"].date()) == row["since"], row["why"]
        if row.get("fee_yuan") is not None:
            assert finding["fee_yuan"] == pytest.approx(row["fee_yuan"], abs=0.005), row["why"]
        if row["level"] == "not_assessed":
            assert set(row["missing"]) <= {item["field"] for item in finding["missing"]}, row["why"]


def test_plots_are_the_planted_ones_and_no_others(analysed: Analysed) -> None:
    plots = analysed.store.read(Query("plots")).set_index("plot_id")
    members = analysed.store.read(Query("plot_members"))
    found = {frozenset(group["parcel_id"]): plot_id for plot_id, group in members.groupby("plot_id")}
    assert set(found) == {frozenset(plot["parcel_ids"]) for plot in analysed.truth["plots"]}
    for planted in analysed.truth["plots"]:
        plot = plots.loc[found[frozenset(planted["parcel_ids"])]]
        assert plot["area_m2"] * 3 / 2000 == pytest.approx(planted["area_mu"], abs=planted["tolerance_mu"]), planted[
            "why"
        ]
        is_strict = bool(plot["strict_area_m2"] >= 500 * 2000 / 3)
        assert is_strict == planted["strict"], planted["why"]


def test_what_is_no_plot_is_accounted_for(analysed: Analysed) -> None:
    members = set(analysed.store.read(Query("plot_members"))["parcel_id"])
    leftovers = set(analysed.store.read(Query("leftovers"))["parcel_id"])
    for planted in analysed.truth["not_plots"]:
        assert not members & set(planted["parcel_ids"]), planted["why"]
        assert set(planted["parcel_ids"]) <= leftovers, planted["why"]
    balance = analysed.run.summary["balance"]
    assert balance["eligible_m2"] == pytest.approx(
        balance["cut_m2"] + balance["plots_m2"] + balance["leftovers_m2"], abs=0.01
    )


def test_headline_figures(analysed: Analysed) -> None:
    summary, counts = analysed.run.summary, analysed.truth["counts"]
    for name in ("parcels", "idle", "inefficient", "plots"):
        assert summary[name] == counts[name]
    for name in ("idle_mu", "inefficient_mu"):
        assert summary[name] == pytest.approx(counts[name], abs=0.01)
    assert summary["plots_mu"] == pytest.approx(counts["plots_mu"], abs=3)


def test_a_run_can_be_reproduced_from_its_record(analysed: Analysed) -> None:
    run = analysed.store.runs()[-1]
    assert run == analysed.run
    assert run.parameters["plots"]["gap_m"] == 20
    assert set(run.loads) <= {load.load_id for load in analysed.store.loads()}
    for layer in DERIVED:
        assert set(analysed.store.read(Query(layer))["run_id"]) == {run.run_id}


@pytest.mark.parametrize("layer", DERIVED)
def test_both_stores_found_the_same(analysed_geopackage: Analysed, analysed_postgis: Analysed, layer: str) -> None:
    first, second = (_comparable(each, layer) for each in (analysed_geopackage, analysed_postgis))
    pd.testing.assert_frame_equal(first, second, check_dtype=False)


def _comparable(each: Analysed, layer: str) -> pd.DataFrame:
    """The rows of a layer without what names this one run and these imports."""
    frame = each.store.read(Query(layer))
    named = {load.load_id: load.layer for load in each.store.loads()}
    table = pd.DataFrame(frame.drop(columns=[name for name in ("geometry", "run_id", "past_id") if name in frame]))
    if isinstance(frame, gpd.GeoDataFrame):
        table["wkb"] = shapely.to_wkb(shapely.normalize(np.asarray(frame.geometry.array)))
    if "evidence" in table:
        table["evidence"] = [_renamed(evidence, named) for evidence in table["evidence"]]
    return table


def _renamed(told: Any, named: dict[str, str]) -> Any:
    """JSON with the layer in place of each load."""
    if isinstance(told, dict):
        return {key: named[value] if key == "load_id" and value in named else _renamed(value, named)
                for key, value in told.items()}  # fmt: skip
    return [_renamed(each, named) for each in told] if isinstance(told, list) else told
