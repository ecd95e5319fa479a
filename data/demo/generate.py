"""The one program that makes the demo district: a fictional district with known answers.

The zones with the planted groups are drawn first and are the same at every size; the rest of the district grows around
them until it has the parcels that were asked for.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from numpy.typing import NDArray
from pyproj import Transformer

from data.demo import surroundings
from data.demo.attributes import fill_ordinary
from data.demo.buildings import Buildings, draw_buildings
from data.demo.cases import Planting, plant_cases
from data.demo.cutting import Floats, Geometries, Ints
from data.demo.fabric import draw_fabric
from data.demo.kinds import draw_kinds, plant, serve_group
from data.demo.lines import draw_lines
from data.demo.names import credit_codes
from data.demo.parameters import Parameters, read_parameters
from data.demo.plan import draw_plan, town_of
from data.demo.table import ParcelTable
from data.demo.truth import count_truth, plot_truth
from data.demo.zones import draw_zones
from geo.crs import STORAGE_CRS, ellipsoidal_area, reproject
from geo.errors import InvalidParameter
from geo.store.base import Frame


@dataclass(frozen=True)
class District:
    """The demo district.

    ``layers`` are canonical source layers by name (geometry in EPSG:4490, dates as ISO text, ``need`` of the demands as
    JSON text); ``truth`` is what an analysis as of ``truth["as_of"]`` must find.
    """

    layers: dict[str, Frame]
    truth: dict[str, Any]


def build_district(parcels: int = 20_000, seed: int | None = None) -> District:
    """Make the district.

    Parameters
    ----------
    parcels : how many parcels; the planted cases need some 1,200 of them
    seed : takes the place of the seed in ``district.toml``

    Raises
    ------
    InvalidParameter
        Too few parcels to hold the planted cases.
    """
    parameters = read_parameters()
    if seed is not None:
        parameters = replace(parameters, seed=seed)
    planted = draw_zones(parameters)
    rest = parcels - len(planted.polygons)
    if rest < 250:
        raise InvalidParameter(
            f"示范区至少需要{len(planted.polygons) + 250}宗地", where="parcels", remedy="请增大宗地数量"
        )  # fmt: skip
    rng = np.random.default_rng([parameters.seed, 1])
    area_m2 = max(parcels * parameters.plan["hectares_per_parcel"] * 1e4, parameters.plan["smallest_km2"] * 1e6)
    outlines = list(planted.outlines.values())
    plan = draw_plan(parameters, area_m2, outlines, rng)
    west, south, east, north = plan.district.bounds
    half_width = max(-west, east)
    lines = draw_lines(parameters, half_width, max(-south, north))
    fabric = draw_fabric(plan, lines, outlines, rest, rng)

    polygons = np.r_[np.array(planted.polygons, dtype=object), fabric.polygons]
    use = np.r_[np.array(planted.use, dtype=object), fabric.use]
    case = np.r_[np.array(planted.case, dtype=object), np.full(len(fabric.polygons), "", dtype=object)]
    scattered = np.r_[np.zeros(len(planted.polygons), dtype=bool), fabric.scattered]
    town = town_of(plan, polygons)
    place = _Placer(parameters)
    stored = place(polygons)
    table = ParcelTable.empty(_parcel_ids(parameters, town))
    table["town"][:] = np.array(plan.towns.names, dtype=object)[town]
    table["area_m2"][:] = ellipsoidal_area(stored)
    # Planted land draws from streams of its own, so that it does not change with the size of the district.
    n_planted = len(planted.polygons)
    _fill(table, use, n_planted, parameters)
    planting = _plant_all(table, polygons, use, case, scattered, parameters)
    houses = _build(table, polygons, use, n_planted, parameters)

    ramps = surroundings.place_ramps(lines, half_width)
    barriers, network = surroundings.draw_barriers_and_network(parameters, plan, lines, planted, fabric, ramps)
    controls = surroundings.draw_control_lines(fabric, planted, plan, np.random.default_rng([parameters.seed, 5]))
    layers: dict[str, Frame] = {
        "parcels": gpd.GeoDataFrame(_parcel_frame(table), geometry=stored, crs=STORAGE_CRS),
        "delays": pd.DataFrame(planting.delays),
        "enterprises": _enterprises(table),
        "buildings": _building_frame(table, houses, place),
    }
    drawn = {
        "zoning": surroundings.draw_zoning(fabric, planted),
        "control_lines": controls,
        "barriers": barriers,
        "towns": surroundings.draw_towns(plan),
        "network": network,
        "terminals": surroundings.draw_terminals(parameters, lines, plan, fabric.port, ramps),
        "markets": surroundings.draw_markets(plan, fabric.port),
    }
    for name, frame in drawn.items():
        layers[name] = gpd.GeoDataFrame(
            frame.drop(columns="geometry"), geometry=place(frame.geometry.to_numpy()), crs=STORAGE_CRS
        )
    layers["demands"] = _demands()
    return District(layers, _truth(parameters, layers, table, case, planting))


@dataclass(frozen=True)
class _Placer:
    """Metres from the district's centre → stored longitude and latitude."""

    parameters: Parameters

    def __call__(self, geometries: Geometries) -> Geometries:
        crs = self.parameters.metric_crs
        x, y = Transformer.from_crs(STORAGE_CRS, crs, always_xy=True).transform(*self.parameters.centre_lon_lat)
        origin = np.array([round(x), round(y)], dtype=float)
        return reproject(shapely.transform(geometries, lambda xy: xy + origin), crs, STORAGE_CRS)


def _parcel_ids(parameters: Parameters, town: Ints) -> NDArray[np.object_]:
    """宗地代码: county, town as cadastral district, a sub-district for every 900 parcels, GB, serial number."""
    order = np.argsort(town, kind="stable")
    first = np.r_[0, np.flatnonzero(np.diff(town[order])) + 1]
    start = np.repeat(first, np.diff(np.r_[first, len(town)]))
    rank = np.empty(len(town), dtype=np.int64)
    rank[order] = np.arange(len(town)) - start
    return np.array(
        [
            f"{parameters.county_code}{t + 1:03d}{s + 1:03d}GB{k + 1:05d}"
            for t, s, k in zip(town, rank // 900, rank % 900, strict=True)
        ],
        dtype=object,
    )


def _fill(table: ParcelTable, use: NDArray[np.object_], n_planted: int, parameters: Parameters) -> None:
    """Ordinary attributes, for planted land and for the rest from different random streams."""
    for number, part in enumerate((slice(0, n_planted), slice(n_planted, None))):
        view = ParcelTable(table.parcel_id[part], {name: column[part] for name, column in table.columns.items()})
        fill_ordinary(view, use[part], parameters.as_of, np.random.default_rng([parameters.seed, 2 + number]), number)


def _plant_all(
    table: ParcelTable, polygons: Geometries, use: NDArray[np.object_], case: NDArray[np.object_],
    scattered: NDArray[np.bool_], parameters: Parameters,
) -> Planting:  # fmt: skip
    """Single cases, groups, scattered old industry and idle housing land, in this order."""
    rng = np.random.default_rng([parameters.seed, 4])
    mu = table["area_m2"] * 3 / 2000
    single = np.flatnonzero((case == "single") & (mu > 9) & (mu < 34))
    planting = plant_cases(table, rng.permutation(single), rng)
    for number, group in enumerate(parameters.groups):
        rows = np.flatnonzero(case == group.case)
        kinds = draw_kinds(group.mix, len(rows), rng)
        for kind in group.mix:
            planting.findings += plant(table, rows[kinds == kind], kind, parameters.as_of, rng)
        serve_group(table, rows, number)

    groups = polygons[np.isin(case, [g.case for g in parameters.groups])]
    rng = np.random.default_rng([parameters.seed, 6])
    old = np.flatnonzero(scattered & (use == "industry") & (mu < 60))
    old = old[rng.random(len(old)) < parameters.scattered_share]
    old = old[_far_from(polygons[old], groups)]
    kinds = draw_kinds(parameters.scattered_mix, len(old), rng)
    for kind in parameters.scattered_mix:
        planting.findings += plant(table, old[kinds == kind], kind, parameters.as_of, rng)
    other = np.flatnonzero(np.isin(use, ("housing", "commercial")) & (case == ""))
    other = other[rng.random(len(other)) < parameters.other_idle_share * 2]
    kinds = rng.choice(np.array(["idle_1y", "idle_2y", "overdue"], dtype=object), len(other))
    for kind in ("idle_1y", "idle_2y", "overdue"):
        planting.findings += plant(table, other[kinds == kind], kind, parameters.as_of, rng)
    return planting


def _far_from(polygons: Geometries, others: Geometries, distance_m: float = 200.0) -> NDArray[np.bool_]:
    near = shapely.STRtree(others).query(polygons, predicate="dwithin", distance=distance_m)[0]
    far = np.ones(len(polygons), dtype=bool)
    far[near] = False
    return far


def _build(
    table: ParcelTable, polygons: Geometries, use: NDArray[np.object_], n_planted: int, parameters: Parameters
) -> Buildings:
    """Buildings; floor and ground area of parcels whose floor area was still open follow from them."""
    idle = np.isin(table["status"].astype(str), ["not_started"]) | (table["stock_class"] == "approved_unsupplied")
    floor = np.where(idle, 0.0, table["floor_area_m2"])
    form = np.where(use == "eligible", "industry", use)
    parts = []
    for first, last, stream in ((0, n_planted, 7), (n_planted, len(use), 8)):
        rng = np.random.default_rng([parameters.seed, stream])
        some = draw_buildings(polygons[first:last], form[first:last], floor[first:last], rng)
        parts.append(replace(some, parcel=some.parcel + first))
    a, b = parts
    fields = ("polygons", "parcel", "floors", "storey_m", "floor_area_m2")
    houses = Buildings(*(np.concatenate([getattr(a, f), getattr(b, f)]) for f in fields))
    n = len(use)
    footprint = np.bincount(houses.parcel, shapely.area(houses.polygons), minlength=n)
    total = np.bincount(houses.parcel, houses.floor_area_m2, minlength=n)
    table["footprint_m2"][:] = np.round(footprint, 1)
    open_ = np.isnan(table["floor_area_m2"])
    table["floor_area_m2"][open_] = np.round(total[open_], 1)
    return houses


def _parcel_frame(table: ParcelTable) -> pd.DataFrame:
    frame = table.frame()
    frame.insert(2, "land_use_edition", "2023")
    frame["industry_edition"] = frame["industry"].notna().map({True: "2017", False: None})
    return frame


def _enterprises(table: ParcelTable) -> pd.DataFrame:
    """One row for each operating parcel and year, with the parcel's own figures."""
    frame = table.frame()
    frame = frame[frame["status"].isin(["producing", "stopped"]) & frame["industry"].notna()].reset_index(drop=True)
    holders = pd.factorize(frame["holder"])[0]
    codes = np.array(credit_codes(int(holders.max()) + 1), dtype=object)
    columns = [
        "holder",
        "parcel_id",
        "year",
        "tax_yuan",
        "output_yuan",
        "value_added_yuan",
        "energy_tce",
        "employees",
        "above_scale",
    ]
    rows = frame[columns].copy()
    rows.insert(0, "credit_code", codes[holders])
    rows.insert(0, "enterprise_id", [f"QY{k + 1:06d}" for k in range(len(rows))])
    rows["area_used_m2"] = frame["area_m2"]
    rows["sales_yuan"] = (frame["output_yuan"] * 0.97).round(-3)
    rows["revenue_yuan"] = (frame["output_yuan"] * 0.98).round(-3)
    rows["electricity_kwh"] = (frame["energy_tce"] * 3200).round()
    return rows


def _building_frame(table: ParcelTable, houses: Buildings, place: _Placer) -> gpd.GeoDataFrame:
    data = {
        "building_id": [f"LZ{k + 1:07d}" for k in range(len(houses.parcel))],
        "parcel_id": table.parcel_id[houses.parcel],
        "floors": houses.floors,
        "height_m": np.round(houses.floors * houses.storey_m, 1),
        "storey_height_m": houses.storey_m,
        "floor_area_m2": np.round(houses.floor_area_m2, 1),
    }
    return gpd.GeoDataFrame(data, geometry=place(houses.polygons), crs=STORAGE_CRS)


def _demands() -> pd.DataFrame:
    raw = tomllib.loads(Path(__file__).with_name("demands.toml").read_text(encoding="utf-8"))["demands"]
    needs = [json.dumps({"name": d["name"], **d["need"]}, ensure_ascii=False) for d in raw]
    return pd.DataFrame(
        {"demand_id": [f"XM{k + 1:03d}" for k in range(len(raw))], "name": [d["name"] for d in raw], "need": needs}
    )


def _truth(
    parameters: Parameters, layers: dict[str, Frame], table: ParcelTable, case: NDArray[np.object_], planting: Planting
) -> dict[str, Any]:
    plots, not_plots = plot_truth(parameters, layers["parcels"], case, layers["control_lines"], layers["barriers"])
    findings = sorted(planting.findings, key=lambda f: (f["parcel_id"], f["rule"]))
    area: Floats = table["area_m2"]
    return {
        "as_of": parameters.as_of.isoformat(),
        "seed": parameters.seed,
        "counts": count_truth(findings, table.parcel_id, area, plots),
        "findings": findings,
        "cases": planting.cases,
        "plots": plots,
        "not_plots": not_plots,
    }


def write_district(district: District, folder: Path) -> list[Path]:
    """Write ``district.gpkg`` (all layers, plain tables included) and ``truth.json``; existing files are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    package, truth = folder / "district.gpkg", folder / "truth.json"
    package.unlink(missing_ok=True)
    for name, frame in district.layers.items():
        pyogrio.write_dataframe(frame, package, layer=name, driver="GPKG", append=package.exists())
    truth.write_text(json.dumps(district.truth, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return [package, truth]
