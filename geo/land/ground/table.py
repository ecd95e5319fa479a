"""What stands on each parcel: buildings counted, their ground and floor area, and what they leave vacant."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo.land.ground.floors import ratio_floor_m2
from geo.land.ground.outlines import Flags, Geometries, Ints
from geo.land.ground.standing import standing_of
from geo.land.ground.vacancy import vacant_m2
from geo.land.rule_sets.inefficiency import MeasureRules


@dataclass(frozen=True, slots=True)
class Ground:
    """What stands on parcels, and what stands on none.

    ``table`` as of ``ground_of`` · ``outside`` rows of the buildings that stand on no parcel · ``outside_m2`` ground
    that buildings cover outside all parcels, those across their borders included
    """

    table: pd.DataFrame
    outside: Ints
    outside_m2: float


def ground_of(parcels: gpd.GeoDataFrame, buildings: pd.DataFrame | None, rules: MeasureRules) -> pd.DataFrame:
    """Buildings on parcels by overlay, one row per parcel.

    Parameters
    ----------
    parcels : (n) canonical parcels in EPSG:4490
    buildings : canonical buildings, or ``None`` where there is no such layer. Where a building has a polygon, the
        polygon decides where it stands, whatever its ``parcel_id`` says; one without stands on the parcel it names
    rules : ``apron_m``, ``vacant_width_m``, ``tall_storey_m``

    Returns
    -------
    frame : (n) rows with ``RangeIndex``, areas ellipsoidal m²

        ``building_count`` Int64, unknown where a parcel has no polygon and no building names it · ``footprint_m2``
        ground of the parcel that buildings cover, overlaps once; ``nan`` without layer, or where a building of it has
        no polygon · ``building_floor_m2`` floor area for the plot ratio (``ratio_floor_m2``), by the share of each
        footprint that lies in the parcel; ``nan`` where one is unknown · ``floor_unknown`` whether one is ·
        ``vacant_m2`` largest single vacant piece (``vacant_m2``)

    Notes
    -----
    A building that spills over a border by less than 1 % of its footprint and less than 5 m² belongs whole to the
    parcel that holds the rest (digitising tolerance); the ground it covers is counted where it lies. Ground that no
    parcel holds belongs to none. Sources: 工业项目建设用地控制指标 (容积率, 建筑系数); 利辛县低效用地认定 (连片空地).
    """
    return ground_and_rest(parcels, buildings, rules).table


def ground_and_rest(parcels: gpd.GeoDataFrame, buildings: pd.DataFrame | None, rules: MeasureRules) -> Ground:
    """``ground_of``, with the buildings that stand on no parcel."""
    n = len(parcels)
    nothing = np.full(n, np.nan)
    if buildings is None:
        unknown = pd.array([pd.NA] * n, dtype="Int64")
        return Ground(_table(unknown, nothing, nothing, np.zeros(n, dtype=bool), nothing), np.empty(0, np.int64), 0.0)
    standing = standing_of(_geometries(parcels), _geometries(buildings))
    drawn = standing.footprints.end > standing.footprints.begin
    area = np.where(drawn, standing.footprints.area_m2, np.nan)
    floor = ratio_floor_m2(buildings, area, rules.tall_storey_m)
    stands = standing.share > 0
    named, of_named = _named(parcels, buildings, ~drawn)
    building = np.concatenate([standing.building[stands], named])
    parcel = np.concatenate([standing.parcel[stands], of_named])
    share = np.concatenate([standing.share[stands], np.ones(len(named))])
    count = np.bincount(parcel, minlength=n)
    unknown_floor = np.bincount(parcel, np.isnan(floor[building]), minlength=n) > 0
    total = np.bincount(parcel, share * np.nan_to_num(floor[building]), minlength=n)
    undrawn = np.bincount(of_named, minlength=n) > 0
    nowhere = ~(shapely.area(standing.land) > 0)
    footprint = np.where(undrawn | nowhere, np.nan, standing.footprint_m2)
    vacant = np.where(undrawn | nowhere, np.nan, vacant_m2(standing, rules.apron_m, rules.vacant_width_m))
    # Of a parcel without polygon only the buildings are known that name it.
    blank = nowhere & (count == 0)
    floor_m2 = np.where(unknown_floor | blank, np.nan, total)
    table = _table(pd.arrays.IntegerArray(count, blank), footprint, floor_m2, unknown_floor, vacant)
    held = np.bincount(standing.building, standing.covered_m2, minlength=len(buildings))
    beyond = np.where(drawn, np.maximum(standing.footprints.area_m2 - held, 0.0), 0.0)
    outside = np.flatnonzero(np.bincount(building, minlength=len(buildings)) == 0)
    return Ground(table, outside, float(beyond.sum()))


def _table(count: object, footprint: object, floor: object, unknown: Flags, vacant: object) -> pd.DataFrame:
    return pd.DataFrame(
        {"building_count": count, "footprint_m2": footprint, "building_floor_m2": floor, "floor_unknown": unknown,
         "vacant_m2": vacant}
    )  # fmt: skip


def _geometries(table: pd.DataFrame) -> Geometries:
    """The geometries of a frame as (n,) object array, ``None`` throughout for a plain table."""
    if isinstance(table, gpd.GeoDataFrame) and table.active_geometry_name is not None:
        return np.array(table.geometry.array, dtype=object)
    return np.full(len(table), None, dtype=object)


def _named(parcels: pd.DataFrame, buildings: pd.DataFrame, undrawn: Flags) -> tuple[Ints, Ints]:
    """Buildings without polygon and the (first) parcel that each names."""
    rows = np.flatnonzero(undrawn)
    if len(rows) == 0 or "parcel_id" not in parcels or "parcel_id" not in buildings:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    first = pd.Series(np.arange(len(parcels)), index=parcels["parcel_id"].to_numpy(dtype=object))
    first = first[first.index.notna() & ~first.index.duplicated()]
    parcel = first.index.get_indexer(buildings["parcel_id"].to_numpy(dtype=object)[rows])
    found = parcel >= 0
    return rows[found], first.to_numpy(dtype=np.int64)[parcel[found]]
