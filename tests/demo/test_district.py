"""The demo district: the same every time, valid, without overlaps, and with the answers that its truth table names.

The oracles below are written on their own, one parcel at a time, from the definitions of the law and of contiguity.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from data.demo.attributes import FAR_MINIMUM
from data.demo.generate import District, build_district, write_district
from data.demo.parameters import read_parameters
from data.demo.truth import eligible_rows, remaining_land
from geo.crs import central_longitude, ellipsoidal_area, to_metric, to_storage
from geo.errors import InvalidParameter
from geo.layers.schema import LAYERS
from geo.layers.words import WORDS

SMALL = 1500
SOURCES = [name for name, layer in LAYERS.items() if layer.origin == "source" and name != "quarantine"]


@pytest.fixture(scope="module")
def small() -> District:
    return build_district(SMALL)


@pytest.fixture(scope="module")
def large() -> District:
    return build_district(20_000)


@pytest.fixture(params=["small", "large"])
def district(request: pytest.FixtureRequest) -> District:
    return request.getfixturevalue(request.param)


def as_dates(frame: pd.DataFrame) -> list[dict]:
    """Rows as dicts with ``None`` for what is missing and dates as dates."""
    fields = {f.name: f.kind for f in LAYERS["parcels"].fields}
    rows = frame.drop(columns="geometry").astype(object).where(frame.drop(columns="geometry").notna(), None)
    return [
        {k: date.fromisoformat(v) if v is not None and fields.get(k) == "date" else v for k, v in row.items()}
        for row in rows.to_dict("records")
    ]


def plus_years(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


# --- shape ------------------------------------------------------------------------------------------------------------


def test_same_seed_same_district(small: District) -> None:
    again = build_district(SMALL)
    assert again.truth == small.truth
    for name, frame in small.layers.items():
        if isinstance(frame, gpd.GeoDataFrame):
            assert (shapely.to_wkb(frame.geometry.values) == shapely.to_wkb(again.layers[name].geometry.values)).all()
            pd.testing.assert_frame_equal(frame.drop(columns="geometry"), again.layers[name].drop(columns="geometry"))
        else:
            pd.testing.assert_frame_equal(frame, again.layers[name])


def test_another_seed_is_another_district(small: District) -> None:
    other = build_district(SMALL, seed=7)
    assert not other.layers["parcels"].geometry.iloc[0].equals(small.layers["parcels"].geometry.iloc[0])
    assert {p["case"] for p in other.truth["plots"]} == {p["case"] for p in small.truth["plots"]}


def test_planted_land_does_not_change_with_the_size(small: District, large: District) -> None:
    for key in ("plots", "not_plots", "cases"):
        assert small.truth[key] == large.truth[key]
    planted = sorted({i for p in small.truth["plots"] + small.truth["not_plots"] for i in p["parcel_ids"]})
    a, b = (d.layers["parcels"].set_index("parcel_id").loc[planted] for d in (small, large))
    assert (shapely.to_wkb(a.geometry.values) == shapely.to_wkb(b.geometry.values)).all()
    pd.testing.assert_frame_equal(a.drop(columns="geometry"), b.drop(columns="geometry"))


def test_counts_ids_and_layers(district: District) -> None:
    parcels = district.layers["parcels"]
    assert len(parcels) == pytest.approx(20_000 if len(parcels) > 10_000 else SMALL, rel=0.01)
    assert district.truth["counts"]["parcels"] == len(parcels)
    assert parcels["parcel_id"].is_unique
    assert parcels["parcel_id"].str.fullmatch(r"320899\d{6}GB\d{5}").all()
    assert set(district.layers) == set(SOURCES)
    for name, frame in district.layers.items():
        assert len(frame) > 0, name
        layer = LAYERS[name]
        assert set(frame.columns) - {"geometry"} <= set(layer.columns), name
        assert frame[layer.key].is_unique, name
        assert frame[layer.key].notna().all(), name


def test_coded_words_and_dates(district: District) -> None:
    parcels = district.layers["parcels"]
    for name in ("tenure", "supply_kind", "status", "stock_class", "delay_cause"):
        assert set(parcels[name].dropna()) <= set(WORDS[name]), name
    for layer in ("control_lines", "barriers", "terminals"):
        assert set(district.layers[layer]["kind"]) <= set(WORDS[f"{layer}.kind"])
    assert set(district.layers["network"]["mode"]) == set(WORDS["network.mode"])
    assert set(district.layers["terminals"]["kind"]) == set(WORDS["terminals.kind"])
    for layer in ("parcels", "delays"):
        frame = district.layers[layer]
        for field in LAYERS[layer].fields:
            if field.kind == "date" and field.name in frame:
                assert frame[field.name].dropna().str.fullmatch(r"\d{4}-\d\d-\d\d").all(), field.name
    assert set(district.layers["delays"]["parcel_id"]) <= set(parcels["parcel_id"])
    assert set(district.layers["buildings"]["parcel_id"]) <= set(parcels["parcel_id"])


def test_geometry_is_valid_and_in_place(district: District) -> None:
    bounds = district.layers["towns"].total_bounds
    kinds = {"polygon": {"Polygon", "MultiPolygon"}, "line": {"LineString"}, "point": {"Point"}}
    for name, frame in district.layers.items():
        if not isinstance(frame, gpd.GeoDataFrame):
            continue
        assert frame.crs.to_epsg() == 4490
        assert frame.geometry.is_valid.all(), name
        assert not frame.geometry.is_empty.any(), name
        if LAYERS[name].geometry in kinds:
            assert set(frame.geom_type) <= kinds[LAYERS[name].geometry], name
        slack = 0.001 if name in ("parcels", "buildings", "zoning", "control_lines") else 0.07
        west, south, east, north = frame.total_bounds
        assert west > bounds[0] - slack, name
        assert south > bounds[1] - slack, name
        assert east < bounds[2] + slack, name
        assert north < bounds[3] + slack, name


def test_parcels_do_not_overlap_and_are_no_slivers(district: District) -> None:
    parcels = district.layers["parcels"].geometry.to_numpy()
    metric = to_metric(parcels, central_longitude(parcels))
    a, b = shapely.STRtree(metric).query(metric, predicate="intersects")
    a, b = a[a < b], b[a < b]
    overlap = shapely.area(shapely.intersection(metric[a], metric[b]))
    # Straight edges in metres and in degrees differ by a millimetre where three parcels meet.
    assert overlap.max() < 1.0
    assert (overlap / shapely.length(shapely.intersection(metric[a], metric[b])).clip(1)).max() < 0.01
    opened = shapely.buffer(metric, -1.5)
    assert (shapely.area(opened) > 0).all()
    towns = district.layers["towns"].geometry.to_numpy()
    town_area = shapely.area(to_metric(towns, central_longitude(parcels))).sum()
    assert 0.80 < shapely.area(metric).sum() / town_area < 1.0
    union = shapely.union_all(to_metric(towns, central_longitude(parcels)), grid_size=0.01)
    assert shapely.area(union) == pytest.approx(town_area, rel=1e-6)


def test_buildings_stand_on_their_parcels(district: District) -> None:
    parcels = district.layers["parcels"].set_index("parcel_id")
    buildings = district.layers["buildings"]
    ground = parcels.loc[buildings["parcel_id"]]
    assert shapely.covers(ground.geometry.values, buildings.geometry.values).all()
    industrial = parcels[parcels["industry"].notna() & parcels["status"].isin(["producing", "stopped"])]
    floors = buildings.groupby("parcel_id")["floor_area_m2"].sum()
    both = industrial.loc[industrial.index.intersection(floors.index)]
    assert len(both) > 0.95 * len(industrial)
    np.testing.assert_allclose(floors.loc[both.index], both["floor_area_m2"], atol=1.0)
    if len(parcels) > 10_000:
        assert 20_000 < len(buildings) < 45_000


def test_control_lines_follow_the_map(district: District) -> None:
    parcels, lines = district.layers["parcels"], district.layers["control_lines"]
    fields = lines[lines["kind"] == "basic_farmland"].geometry.to_numpy()
    inner = shapely.point_on_surface(parcels.geometry.to_numpy())
    tree = shapely.STRtree(fields)
    inside = np.zeros(len(parcels), dtype=bool)
    inside[tree.query(inner, predicate="within")[0]] = True
    groups = {i for p in district.truth["not_plots"] for i in p["parcel_ids"]}
    use = parcels.loc[inside & ~parcels["parcel_id"].isin(groups), "land_use"]
    assert len(use) > 0
    assert (use.str.startswith(("01", "06"))).mean() > 0.97


# --- findings ---------------------------------------------------------------------------------------------------------


def oracle_idle(row: dict, delays: list[dict], as_of: date) -> tuple[str, str, date | None, list[str]] | None:
    """Level of one parcel by the national rule: (rule, level, since, missing), ``None`` where nothing is to be said."""
    if row["supply_kind"] is None or row["completed_on"] is not None:
        return None
    if row["started_on"] is None:
        due = row["start_due"] or (plus_years(row["handover_date"], 1) if row["handover_date"] else None)
        if due is None:
            return "IDLE_A", "not_assessed", None, ["start_due"]
        second = plus_years(due, 2)
        excused: set[date] = set()
        for delay in delays:
            begin, end = delay["delay_from"], delay["delay_to"] or as_of
            if delay["delay_cause"] == "own" or begin > second:
                continue
            day = max(begin, due + timedelta(1))
            while day <= min(end, as_of):
                excused.add(day)
                day += timedelta(1)
        for years, level in ((2, "idle_2y"), (1, "idle_1y")):
            since = plus_years(due, years) + timedelta(len(excused) + 1)
            if since <= as_of:
                return "IDLE_A", level, since, []
        if as_of > due:
            return "IDLE_A", "overdue", None if excused else due + timedelta(1), []
        return ("IDLE_A", "warning", None, []) if (due - as_of).days <= 90 else None
    if row["suspended_on"] is None or row["resumed_on"] is not None:
        return None
    since = plus_years(row["suspended_on"], 1) + timedelta(1)
    if since > as_of:
        return None

    def below(part: float | None, whole: float, numerator: int, denominator: int) -> bool | None:
        return None if part is None else Decimal(str(part)) * denominator < Decimal(str(whole)) * numerator

    area = below(row["area_developed_m2"], row["area_due_m2"], 1, 3)
    money = below(row["investment_made_yuan"], row["investment_due_yuan"], 1, 4)
    if area or money:
        return "IDLE_B", "idle_stalled", since, []
    return ("IDLE_B", "not_assessed", None, ["investment_made_yuan"]) if money is None else None


def found_by_oracle(district: District) -> dict[tuple[str, str], tuple[str, date | None, tuple[str, ...]]]:
    as_of = date.fromisoformat(district.truth["as_of"])
    rows = as_dates(district.layers["parcels"])
    delays: dict[str, list[dict]] = defaultdict(list)
    for d in district.layers["delays"].astype(object).where(district.layers["delays"].notna(), None).to_dict("records"):
        dated = {k: date.fromisoformat(d[k]) if d[k] else None for k in ("delay_from", "delay_to")}
        delays[d["parcel_id"]].append({**d, **dated})
    found: dict[tuple[str, str], tuple[str, date | None, tuple[str, ...]]] = {}
    firms: dict[str, list[dict]] = defaultdict(list)
    for row in rows:
        idle = oracle_idle(row, delays[row["parcel_id"]], as_of)
        if idle:
            found[row["parcel_id"], idle[0]] = (idle[1], idle[2], tuple(idle[3]))
        if row["land_use"].startswith(("1001", "1101")) and row["status"] in ("completed", "producing", "stopped"):
            firms[row["holder"]].append(row)
            if row["floor_area_m2"] / row["area_m2"] < FAR_MINIMUM[row["industry"][:2]]:
                found[row["parcel_id"], "LOW_FAR"] = ("inefficient", None, ())
            if row["stopped_on"] and plus_years(row["stopped_on"], 1) < as_of:
                found[row["parcel_id"], "STOPPED"] = ("inefficient", None, ())
    for members in firms.values():
        mu = sum(m["area_m2"] for m in members) * 3 / 2000
        limit = 60_000 if members[0]["above_scale"] else 30_000
        for m in members:
            if m["tax_yuan"] is None:
                found[m["parcel_id"], "LOW_TAX"] = ("not_assessed", None, ("tax_yuan",))
            elif all(x["tax_yuan"] is not None for x in members) and sum(x["tax_yuan"] for x in members) / mu < limit:
                found[m["parcel_id"], "LOW_TAX"] = ("inefficient", None, ())
    return found


def test_findings_are_complete_and_right(district: District) -> None:
    truth = {
        (f["parcel_id"], f["rule"]): (f["level"], f["since"] and date.fromisoformat(f["since"]), tuple(f["missing"]))
        for f in district.truth["findings"]
    }
    assert len(truth) == len(district.truth["findings"])
    assert found_by_oracle(district) == truth


def test_every_level_is_planted(small: District) -> None:
    seen = defaultdict(int)
    for f in small.truth["findings"]:
        seen[f["rule"], f["level"]] += 1
    for level in ("idle_1y", "idle_2y", "overdue"):
        assert seen["IDLE_A", level] >= 3, level
    assert seen["IDLE_A", "warning"] >= 1
    assert seen["IDLE_B", "idle_stalled"] >= 3
    for rule in ("LOW_TAX", "LOW_FAR", "STOPPED"):
        assert seen[rule, "inefficient"] >= 3
    for rule in ("IDLE_A", "IDLE_B", "LOW_TAX"):
        assert seen[rule, "not_assessed"] >= 1


def test_single_cases_are_what_they_say(small: District) -> None:
    found = {(f["parcel_id"], f["rule"]): f for f in small.truth["findings"]}
    cases = {c["case"]: c for c in small.truth["cases"]}
    for case in cases.values():
        for parcel_id in case["parcel_ids"]:
            assert found.get((parcel_id, case["rule"]), {"level": None})["level"] == case["level"], case["case"]
    rows = {r["parcel_id"]: r for r in as_dates(small.layers["parcels"])}

    def of(name: str) -> tuple[dict, dict | None]:
        case = cases[name]
        return rows[case["parcel_ids"][0]], found.get((case["parcel_ids"][0], case["rule"]))

    assert of("leap_day")[0]["start_due"] == date(2024, 2, 29)
    assert of("leap_day")[1]["since"] == "2026-03-01"
    assert of("silent_contract")[0]["start_due"] is None
    assert of("day_after_anniversary")[1]["since"] == "2026-06-30"
    price, fine = of("plain_1y")
    assert fine["fee_yuan"] == pytest.approx(price["land_price_yuan"] * 0.2, abs=0.005)
    assert of("collective")[0]["tenure"] == "collective"
    assert of("collective")[1]["fee_yuan"] is None
    assert of("no_price")[1]["fee_yuan"] is None
    third = of("area_exactly_third")[0]
    assert third["area_developed_m2"] * 3 == third["area_due_m2"]
    quarter = of("investment_exactly_quarter")[0]
    assert quarter["investment_made_yuan"] * 4 == quarter["investment_due_yuan"]
    exact = of("tax_exactly_at_threshold")[0]
    assert exact["tax_yuan"] / (exact["area_m2"] * 3 / 2000) == pytest.approx(60_000, rel=1e-6)
    firm = cases["firm_one_weak_one_sound"]["parcel_ids"]
    assert len({rows[i]["holder"] for i in firm}) == 1


def test_ordinary_industry_stays_clear_of_the_thresholds(large: District) -> None:
    """At least a tenth between every operating parcel and each threshold, but for the cases that are planted on it."""
    special = {f["parcel_id"] for f in large.truth["findings"]} | {
        i for c in large.truth["cases"] for i in c["parcel_ids"]
    }
    p = large.layers["parcels"]
    p = p[p["status"].isin(["producing", "stopped"]) & p["industry"].notna() & ~p["parcel_id"].isin(special)]
    assert len(p) > 500
    per_mu = p["tax_yuan"] / (p["area_m2"] * 3 / 2000)
    assert (per_mu / np.where(p["above_scale"], 60_000, 30_000)).min() > 1.1
    assert (p["floor_area_m2"] / p["area_m2"] / p["industry"].str[:2].map(FAR_MINIMUM)).min() > 1.1
    assert p["holder"].is_unique
    firms = large.layers["parcels"].loc[lambda q: q["industry"].notna()].groupby("holder").size()
    assert sorted(firms[firms > 1]) == [2, 2]  # the two planted firms with two parcels
    assert large.layers["towns"]["name"].is_unique
    assert 8 <= len(large.layers["towns"]) <= 10


# --- plots ------------------------------------------------------------------------------------------------------------


def clusters(district: District, gap_m: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Eligible land that remains, its parcels, the cluster of each piece within ``gap_m``, the mu of each cluster."""
    parcels = district.layers["parcels"]
    chosen = eligible_rows(parcels, district.truth["findings"])
    lon = central_longitude(parcels.geometry.to_numpy())
    metric = {
        name: district.layers[name].assign(geometry=to_metric(district.layers[name].geometry.to_numpy(), lon))
        for name in ("control_lines", "barriers")
    }
    land = remaining_land(
        to_metric(parcels.geometry.to_numpy()[chosen], lon), metric["control_lines"], metric["barriers"]
    )
    pieces, owner = shapely.get_parts(land, return_index=True)
    keep = (shapely.get_type_id(pieces) == 3) & (shapely.area(pieces) > 1)
    pieces, owner = pieces[keep], owner[keep]
    a, b = shapely.STRtree(pieces).query(pieces, predicate="dwithin", distance=gap_m)
    n = len(pieces)
    _, label = connected_components(coo_matrix((np.ones(len(a)), (a, b)), shape=(n, n)))
    mu = np.bincount(label, ellipsoidal_area(to_storage(pieces, lon)) * 3 / 2000)
    return pieces, parcels["parcel_id"].to_numpy()[chosen][owner], label, mu


def test_no_other_group_can_reach_500_mu(district: District) -> None:
    """Upper bound: everything eligible within 20 m joined, barriers ignored; only planted groups may reach 500 mu."""
    _, ids, label, mu = clusters(district, 20.0)
    planted = {frozenset(p["parcel_ids"]): p["case"] for p in district.truth["plots"] + district.truth["not_plots"]}
    of = {i: case for members, case in planted.items() for i in members}
    reached = {of.get(ids[np.flatnonzero(label == k)[0]], "unplanted") for k in np.flatnonzero(mu >= 499.99)}
    plots = {p["case"] for p in district.truth["plots"]}
    assert "unplanted" not in reached
    assert plots <= reached
    # These join within 20 m as the crow flies, and what keeps them apart is what their reason says.
    assert reached - plots == {"railway", "corner_only"}


def test_plot_areas_and_strict_variants(small: District) -> None:
    _, ids, label, mu = clusters(small, 20.0)
    _, ids0, label0, mu0 = clusters(small, 0.1)
    for plot in small.truth["plots"]:
        k, k0 = (np.unique(lab[np.isin(i, plot["parcel_ids"])]) for lab, i in ((label, ids), (label0, ids0)))
        assert len(k) == 1, plot["case"]
        if plot["case"] != "dumbbell":
            assert mu[k[0]] == pytest.approx(plot["area_mu"], abs=0.01), plot["case"]
            assert set(ids[label == k[0]]) == set(plot["parcel_ids"])
        assert (mu0[k0].max() >= 500) == plot["strict"], plot["case"]
        assert plot["area_mu"] >= 500
    for group in small.truth["not_plots"]:
        if group["reason"] in ("farmland", "too_small"):
            assert group["area_mu"] < 500
        else:
            assert group["area_mu"] >= 500
            assert mu0[np.unique(label0[np.isin(ids0, group["parcel_ids"])])].max() < 500 or group["reason"] == "corner"


def test_planted_groups_are_what_the_issue_asks_for(small: District) -> None:
    plots = {p["case"]: p for p in small.truth["plots"]}
    none = {p["case"]: p for p in small.truth["not_plots"]}
    wanted = {
        "solid": 700, "across_local_roads": 1050, "only_with_gap": 600, "redline_at_edge": 560, "dumbbell": 530,
        "just_over": 503, "across_urban_boundary": 530, "mixed": 580,
    }  # fmt: skip
    assert {k: pytest.approx(v["area_mu"], rel=0.03) for k, v in plots.items()} == wanted
    assert {k: v["reason"] for k, v in none.items()} == {
        "railway": "railway", "loses_to_farmland": "farmland", "near_miss": "too_small", "corner_only": "corner",
        "wide_road": "road_too_wide",
    }  # fmt: skip
    assert none["near_miss"]["area_mu"] == pytest.approx(498, abs=0.01)
    assert plots["just_over"]["area_mu"] == pytest.approx(503, abs=0.01)
    halves = parts_mu(small, none["railway"])
    assert halves == pytest.approx([330, 360], abs=8)


def parts_mu(district: District, group: dict) -> list[float]:
    """Areas in mu of the pieces of a group that do not touch, ascending."""
    parcels = district.layers["parcels"].set_index("parcel_id").loc[group["parcel_ids"]].geometry.to_numpy()
    union = shapely.union_all(to_metric(parcels, central_longitude(parcels)), grid_size=0.01)
    return sorted(shapely.area(shapely.get_parts(union)) * 3 / 2000)


def test_groups_keep_their_distance(district: District) -> None:
    parcels = district.layers["parcels"]
    chosen = eligible_rows(parcels, district.truth["findings"])
    metric = to_metric(parcels.geometry.to_numpy(), central_longitude(parcels.geometry.to_numpy()))
    ids = parcels["parcel_id"].to_numpy()
    parameters = read_parameters()
    groups = district.truth["plots"] + district.truth["not_plots"]
    assert len(groups) == len(parameters.groups)
    everyone = {i for g in groups for i in g["parcel_ids"]}
    for group in groups:
        mine = np.isin(ids, group["parcel_ids"])
        others = chosen & ~mine
        if group["case"] in ("dumbbell", "loses_to_farmland"):  # members that the cut has removed belong to the group
            near = shapely.dwithin(metric, shapely.union_all(metric[mine]), 5.0) & ~np.isin(ids, list(everyone))
            reach = chosen & near
            for _ in range(20):
                grown = chosen & ~mine & shapely.dwithin(metric, shapely.union_all(metric[mine | reach]), 5.0)
                if (grown == reach).all():
                    break
                reach = grown
            others = others & ~reach
        assert shapely.distance(shapely.union_all(metric[mine]), metric[others]).min() > 150, group["case"]


# --- demands, files ---------------------------------------------------------------------------------------------------


def test_demands(small: District) -> None:
    demands = small.layers["demands"]
    assert len(demands) == 12
    known = {
        "name", "industry", "area_mu", "land_use", "max_km", "min_factors", "max_price_yuan_per_mu",
        "min_inscribed_radius_m", "deadline",
    }  # fmt: skip
    for need in map(json.loads, demands["need"]):
        assert set(need) <= known
        assert need["area_mu"]["min"] <= need["area_mu"]["max"]
        assert set(need.get("max_km", {})) <= set(WORDS["terminals.kind"])
        if "industry" in need:
            assert re.fullmatch(r"\d{4}", need["industry"])
    largest = max(p["area_mu"] for p in small.truth["plots"])
    least = min(n["area_mu"]["min"] for n in map(json.loads, demands["need"]) if n["area_mu"]["min"] > largest)
    assert 0 < least - largest < 60


def test_written_files_read_back(small: District, tmp_path) -> None:
    package, truth = write_district(small, tmp_path)
    assert json.loads(truth.read_text(encoding="utf-8")) == small.truth
    assert {name for name, _ in pyogrio.list_layers(package)} == set(SOURCES)
    parcels = pyogrio.read_dataframe(package, layer="parcels")
    given = small.layers["parcels"]
    assert list(parcels["parcel_id"]) == list(given["parcel_id"])
    assert (shapely.to_wkb(parcels.geometry.values) == shapely.to_wkb(given.geometry.values)).all()
    assert parcels["start_due"].dropna().tolist() == given["start_due"].dropna().tolist()
    needs = pyogrio.read_dataframe(package, layer="demands")["need"]
    assert [json.loads(n)["name"] for n in needs] == [json.loads(n)["name"] for n in small.layers["demands"]["need"]]
    write_district(small, tmp_path)  # a second time replaces the first


def test_too_few_parcels_is_one_clear_error() -> None:
    with pytest.raises(InvalidParameter, match="至少需要"):
        build_district(500)
