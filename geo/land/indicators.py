"""What is measured of parcels and firms before any rule looks at it: ground, buildings, figures, and what is missing.

Formulas are in :mod:`geo.land.measures`; here are the inputs, where each comes from, and the layers that show them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from geo.land.calendar import days, full_months
from geo.land.facts import DONE, known_days, status_seen
from geo.land.findings import named
from geo.land.firm_identity import Objects
from geo.land.firms import SUMMED, firms_on
from geo.land.inputs import Inputs
from geo.land.measures import MEASURES, measure_of
from geo.land.rule_sets.inefficiency import MeasureRules
from geo.land.uses import firsts, floats
from geo.layers.land_use_codes import land_and_sea_codes
from geo.layers.schema import FIRMS, INDICATORS

# Fields of a parcel that are taken as they are.
_TEXTS = ("parcel_id", "town", "holder", "credit_code", "land_class", "park_grade")
_NUMBERS = (
    "area_m2", "far_agreed", "tax_agreed_yuan_per_mu", "area_due_m2", "area_developed_m2", "investment_due_yuan",
    "investment_made_yuan", "declared_area_m2",
)  # fmt: skip
_OF_FIRMS = ("years_without_tax", "years_without_tax_open", "year", "firm_count", "apportioned_by", "figures_basis")
_BOTH_BASES = {"declared": "登记", "buildings": "建筑图层叠加"}


@dataclass(frozen=True, slots=True)
class Measured:
    """Inputs of measures for parcels and for the firms on them.

    ``uses`` one row for each firm on a parcel: ``firm`` and ``parcel`` (rows of the tables), ``land_m2``, ``share`` of
    the firm's land, and the part of each figure of the firm that belongs to the parcel
    """

    parcels: Inputs
    firms: Inputs
    uses: pd.DataFrame


def measured(
    parcels: gpd.GeoDataFrame,
    ground: pd.DataFrame,
    enterprises: pd.DataFrame | None,
    rules: MeasureRules,
    as_of: np.datetime64,
) -> Measured:
    """Everything that measures are made of.

    Parameters
    ----------
    parcels : (n) canonical parcels with ``area_m2`` (ellipsoidal, m²), ``RangeIndex``; those in the scope of a rule
    ground : (n) what stands on each, see :func:`geo.land.ground.ground_of`
    enterprises : canonical ``enterprises``, or ``None``
    rules : how measures are taken
    as_of : day; what is dated later does not exist yet
    """
    on_land = firms_on(parcels, enterprises, rules.land, as_of)
    reasons: dict[str, Objects] = dict(on_land.parcel_reasons)
    table = pd.DataFrame({name: parcels[name].array for name in _TEXTS})
    table["land_use"] = pd.Series(land_and_sea_codes(parcels), dtype=object)
    table["contract_date"] = known_days(parcels, "contract_date", as_of).astype("datetime64[s]")
    for name in _NUMBERS:
        table[name] = floats(parcels, name)
    for name in ("land_m2", "land_basis", "above_scale", *SUMMED, *_OF_FIRMS):
        table[name] = on_land.parcels[name]
    largest = _firm_with_most_land(on_land.uses, len(parcels))
    has_industry = parcels["industry"].notna()
    for name in ("industry", "industry_edition"):
        of_firm = pd.Series(on_land.firms[name].array.take(largest), dtype=object)
        table[name] = parcels[name].astype(object).where(has_industry, of_firm)
    _buildings(table, reasons, parcels, ground, rules)
    _standstill(table, reasons, parcels, as_of)
    return Measured(Inputs("parcel", table, reasons), Inputs("firm", on_land.firms, on_land.firm_reasons), on_land.uses)


def indicators_frame(measured: Measured) -> pd.DataFrame:
    """The layer ``indicators`` without run id, one row per parcel.

    ``missing`` names, for each parcel, the inputs that would have to be known for the indicators that are empty.
    """
    inputs = measured.parcels
    own = ("parcel_id", "town", "holder", "land_basis", "firms", "run_id", "missing")
    frame = _layer(inputs, [name for name in INDICATORS.columns if name not in own])
    for name in ("holder", "town", "parcel_id"):
        frame.insert(0, name, inputs.table[name])
    frame["firms"] = _firms_of_parcels(measured)
    frame["missing"] = _missing(inputs, [name for name in INDICATORS.columns if name in MEASURES])
    return frame[[name for name in INDICATORS.columns if name != "run_id"]]


def _firms_of_parcels(measured: Measured) -> pd.Series:
    """The ids of the firms on each parcel, the one with most land first."""
    uses = measured.uses.sort_values(["parcel", "land_m2", "firm"], ascending=[True, False, True])
    ids = measured.firms.table["firm_id"].to_numpy(dtype=object)[uses["firm"].to_numpy()]
    ends = np.searchsorted(uses["parcel"].to_numpy(), np.arange(1, len(measured.parcels) + 1), side="left")
    return pd.Series([each.tolist() for each in np.split(ids, ends)[:-1]], dtype=object)


def firms_frame(measured: Measured, scores: pd.DataFrame | None = None) -> pd.DataFrame:
    """The layer ``firms`` without run id, one row per firm.

    Parameters
    ----------
    measured : see there
    scores : aligned with the firms: ``score_group``, ``score``, ``rank``, ``ranked``, ``grade``, ``missing``,
        ``parts``, ``to_next``; ``missing`` then says what the score lacks, else what the indicators lack
    """
    inputs = measured.firms
    scored = ("score_group", "score", "rank", "ranked", "grade")
    frame = _layer(inputs, [name for name in FIRMS.columns if name not in (*scored, "run_id", "evidence", "missing")])
    for name in scored:
        kind = FIRMS.field(name).kind
        empty = pd.Series(None, index=frame.index, dtype="Int64" if kind == "integer" else object)
        frame[name] = empty if scores is None else scores[name].to_numpy()
    for name in ("rank", "ranked"):
        frame[name] = frame[name].astype("Int64")
    frame["score"] = frame["score"].astype(float)
    basis = [{"figures_basis": text if isinstance(text, str) else None} for text in inputs.table["figures_basis"]]
    if scores is None:
        frame["missing"] = _missing(inputs, [name for name in FIRMS.columns if name in MEASURES])
        frame["evidence"] = basis
    else:
        frame["missing"] = pd.Series([[named(one) for one in names] for names in scores["missing"]], dtype=object)
        frame["evidence"] = [
            {**one, "parts": parts, "to_next": to_next if isinstance(to_next, dict) else None}
            for one, parts, to_next in zip(basis, scores["parts"], scores["to_next"], strict=True)
        ]
    return frame[[name for name in FIRMS.columns if name != "run_id"]]


def _firm_with_most_land(uses: pd.DataFrame, count: int) -> np.ndarray:
    """The row of the firm with most land on each parcel; of equals the first."""
    firm, parcel = uses["firm"].to_numpy(), uses["parcel"].to_numpy()
    first = firsts(parcel, count, -uses["land_m2"].to_numpy(), firm)
    found = np.zeros(count, dtype=np.int64)
    found[parcel[first]] = firm[first]
    return found


def _buildings(
    table: pd.DataFrame, reasons: dict[str, Objects], parcels: pd.DataFrame, ground: pd.DataFrame, rules: MeasureRules
) -> None:
    """Floor area and footprint from the source that the rules put first, the other standing in for it."""
    floor_unknown = ground["floor_unknown"].to_numpy(dtype=bool)
    for name, overlay, order in (
        ("floor_area_m2", "building_floor_m2", rules.floor_area),
        ("footprint_m2", "footprint_m2", rules.footprint),
    ):
        values = {"declared": floats(parcels, name), "buildings": floats(ground, overlay)}
        other = "buildings" if order == "declared" else "declared"
        value = np.where(np.isnan(values[order]), values[other], values[order])
        basis = _either(np.isnan(values[order]), _BOTH_BASES[other], _BOTH_BASES[order])
        basis[np.isnan(value)] = None
        table[name], table[name.replace("_m2", "_basis")] = value, pd.Series(basis, dtype=object)
    reasons["floor_area_m2"] = _either(floor_unknown, "buildings.floor_area_m2", None)
    yard = floats(parcels, "yard_area_m2")
    footprint = table["footprint_m2"].to_numpy()
    table["covered_m2"] = footprint + yard
    reasons["covered_m2"] = _either(np.isnan(footprint), "footprint_m2", "yard_area_m2")
    table["building_count"] = ground["building_count"].to_numpy()
    table["vacant_m2"] = floats(ground, "vacant_m2")
    reasons["vacant_m2"] = _either(np.isnan(table["vacant_m2"].to_numpy()), "buildings", None)


def _standstill(table: pd.DataFrame, reasons: dict[str, Objects], parcels: pd.DataFrame, as_of: np.datetime64) -> None:
    """How long building or production has stood still, as far as it was known on the day."""
    status = status_seen(parcels, as_of)
    number, words = pd.factorize(status)
    said = number >= 0

    def is_(*named: str) -> np.ndarray:
        return np.append(np.isin(words.astype(str), named), False)[number]  # -1, for none, is the last

    table["status"] = pd.Series(status, dtype=object)
    suspended, resumed = known_days(parcels, "suspended_on", as_of), known_days(parcels, "resumed_on", as_of)
    # A stop that only came later, that ended, or after which the work was finished is none.
    later = days(parcels["suspended_on"].to_numpy()) > as_of
    over = (resumed >= suspended) | (~np.isnat(suspended) & is_(*DONE))
    anew = over & is_("suspended")  # it stopped again, nobody says when
    other = said & ~is_("suspended")
    months = np.where(np.isnat(suspended), np.where(other | later, 0.0, np.nan), full_months(suspended, as_of))
    table["suspended_on"] = suspended.astype("datetime64[s]")
    table["suspended_months"] = np.where(anew, np.nan, np.where(over, 0.0, months))
    reasons["suspended_months"] = _either(said, "suspended_on", "status")

    stopped = known_days(parcels, "stopped_on", as_of)
    later = days(parcels["stopped_on"].to_numpy()) > as_of
    other = said & ~is_("stopped")
    months = np.where(np.isnat(stopped), np.where(other | later, 0.0, np.nan), full_months(stopped, as_of))
    # A firm that produces has started again; when, the layer does not say.
    again = is_("producing") & ~np.isnat(stopped)
    table["stopped_on"] = stopped.astype("datetime64[s]")
    table["stopped_months"] = np.where(again, np.nan, months)
    reasons["stopped_months"] = _either(said, "stopped_on", "status")
    reasons["stopped_months"][again] = "contradiction:stopped_on"
    table["stopped"] = np.where(is_("stopped"), 1.0, np.where(other | later, 0.0, np.nan))
    reasons["stopped"] = np.full(len(parcels), "status", dtype=object)


def _either(where: np.ndarray, one: str | None, other: str | None) -> Objects:
    return np.array([other, one], dtype=object)[where.astype(np.int64)]


def _layer(inputs: Inputs, names: Sequence[str]) -> pd.DataFrame:
    """Columns of a layer from the table, or as the measure of that name."""
    columns: dict[str, Any] = {}
    layer = INDICATORS if inputs.subject == "parcel" else FIRMS
    for name in names:
        kind = layer.field(name).kind
        if name in MEASURES and name not in inputs.table:
            columns[name] = inputs.value(name)
        elif kind in ("integer", "boolean"):
            values = pd.array(np.round(inputs.column(name)), dtype="Float64")
            columns[name] = pd.Series(values).astype("Int64" if kind == "integer" else "boolean")
        elif kind == "real":
            columns[name] = inputs.column(name)
        else:
            columns[name] = inputs.table[name]
    return pd.DataFrame(columns, index=inputs.table.index)


def _missing(inputs: Inputs, measures: Sequence[str]) -> pd.Series:
    """The names of what is unknown in each row, made once for every pattern of unknown inputs."""
    pattern = np.zeros(len(inputs), dtype=np.int64)
    for name in measures:
        of = measure_of(name)
        for column in (of.numerator, of.denominator):
            if column is None:
                continue
            state = _state(inputs, column, column == of.denominator)
            pattern = np.unique(pattern * (state.max(initial=0) + 1) + state, return_inverse=True)[1]
    rows = np.unique(pattern, return_index=True)[1]
    lists = np.empty(len(rows), dtype=object)
    for i, row in enumerate(rows):
        names = dict.fromkeys(one for name in measures for one in inputs.missing(name, int(row)))
        lists[i] = [named(one) for one in names]
    return pd.Series(lists[pattern] if len(rows) else [], index=inputs.table.index, dtype=object)


def _state(inputs: Inputs, column: str, is_whole: bool) -> np.ndarray:
    """0 where a value is known, 1 where it is a whole of nought or less, else a number for the reason."""
    value = inputs.column(column)
    unknown = np.isnan(value)
    state = ((value <= 0) & is_whole).astype(np.int64)
    state[unknown] = 2
    if column in inputs.reasons:
        state[unknown] = 2 + pd.factorize(inputs.reasons[column][unknown], use_na_sentinel=False)[0]
    return state
