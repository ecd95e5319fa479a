"""The real parcels of Baltimore, read in place where they lie; independent counts are in the folder's PROVENANCE.md."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from geo.importing import prepare_loads, store_loads
from geo.land.rules import load_rules
from geo.layers.profiles import load_profile
from geo.layers.reading import read_file
from geo.pipeline import analyse_store
from geo.store.base import Query, Store
from geo.store.opening import open_store

LAND = Path(__file__).resolve().parents[3] / "shared" / "data" / "baltimore"
pytestmark = [
    pytest.mark.real_land,
    pytest.mark.skipif(not LAND.is_dir(), reason="the shared real layers are not on this machine"),
]


@pytest.fixture(scope="module")
def baltimore(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = open_store(tmp_path_factory.mktemp("baltimore") / "baltimore.gpkg")
    for layer in ("parcels", "zoning", "buildings"):
        profile = load_profile(f"baltimore-{layer}")
        store_loads(store, prepare_loads(read_file(LAND / f"{layer}.parquet"), lambda source, profile=profile: profile))
    analyse_store(store, load_rules("baltimore"), np.datetime64("2026-06-30"))
    return store


def test_every_parcel_is_stored_repaired_or_quarantined(baltimore: Store) -> None:
    load = next(load for load in baltimore.loads() if load.layer == "parcels")
    assert load.read == 238_025
    assert load.read == load.stored + load.quarantined
    assert load.quarantined == len(baltimore.read(Query("quarantine"))) <= 5
    assert load.repaired > 49  # the invalid polygons, and the condominium units that share a number


def test_industrial_land_equals_the_independent_count(baltimore: Store) -> None:
    summary = baltimore.runs()[-1].summary
    assert summary["eligible"] == pytest.approx(4816, abs=10)
    land_m2 = summary["balance"]["eligible_m2"] - summary["balance"]["cut_m2"]
    assert land_m2 / 10_000 == pytest.approx(3797, abs=2)  # stacked polygons count once


def test_plots_are_real(baltimore: Store) -> None:
    plots = baltimore.read(Query("plots"))
    # 20 clusters at gap 0 and 21 at 20 m when corners count as contact; frontage and width make fewer and cut some.
    assert len(plots) == 20
    assert plots["area_m2"].max() / 10_000 > 538  # the largest cluster of touching parcels, joined across streets
    assert (plots["area_m2"] >= 500 * 2000 / 3).all()
    assert (plots["inscribed_radius_m"] >= 25).all()
    shapes = np.asarray(plots.geometry.array)
    assert isinstance(plots, gpd.GeoDataFrame)
    first, second = np.triu_indices(len(shapes), 1)
    assert shapely.area(shapely.intersection(shapes[first], shapes[second])).max() < 1e-8


def test_every_parcel_is_judged_or_explained(baltimore: Store) -> None:
    run = baltimore.runs()[-1]
    for kind in ("idle", "inefficient"):
        told = run.summary["assessed"][kind]
        states = ("found", "watched", "not_assessed", "ok", "not_subject")
        assert sum(told[state]["count"] for state in states) == run.summary["parcels"]
        assert sum(told["not_subject_why"].values()) == told["not_subject"]["count"]
    # No contract is on record: nothing is called idle, and that is not a clearance.
    assert run.summary["assessed"]["idle"]["not_subject"]["count"] == run.summary["parcels"]
    assert run.summary["idle"] is None


def test_unimproved_land_equals_a_plain_overlay(baltimore: Store) -> None:
    parcels, zoning, buildings = (baltimore.read(Query(name)) for name in ("parcels", "zoning", "buildings"))
    assert isinstance(parcels, gpd.GeoDataFrame)
    assert isinstance(zoning, gpd.GeoDataFrame)
    industrial = zoning[zoning["land_use"] == "Industrial Districts"]
    points = parcels[["parcel_id", "area_m2"]].set_geometry(parcels.geometry.representative_point(), crs=4490)
    inside = parcels["parcel_id"].isin(points.sjoin(industrial[["geometry"]])["parcel_id"])
    worthless = parcels["extra"].map(lambda extra: float(extra["CURRIMPR"])) == 0
    wanted = parcels.loc[inside & worthless, ["parcel_id", "geometry"]].to_crs(26985)  # Maryland, metres
    pieces = wanted.overlay(buildings[["geometry"]].to_crs(26985), how="intersection").dissolve("parcel_id")
    share = (pieces.area / wanted.set_index("parcel_id").area).reindex(wanted["parcel_id"]).fillna(0)
    plain = set(share.index[share < 0.05])
    found = baltimore.read(Query("findings", equals={"rule": "UNIMPROVED"}, geometry=False))
    assert set(found.loc[found["level"] == "inefficient", "parcel_id"]) ^ plain <= set(
        share.index[(share - 0.05).abs() < 1e-3]
    )
    assert len(plain) > 100
    assert (found["unverified"].notna()).all()  # the threshold is an example, and says so
