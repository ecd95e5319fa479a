"""Firms and their land: how much each uses where, and with what figures of which year.

Evaluation is per firm (湖州“三低”; 亩均论英雄): Σ of a figure over Σ of the land. Rows of one firm and year are added;
a row without parcel is the firm's total and is spread over its parcels by their ellipsoidal area. Figures of a year
exist when the year is over, and all figures of a firm are of its newest year. A sum with an unknown part is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from geo.land.apportionment import (
    APPORTIONMENT,
    ITSELF,
    KNOWN,
    NO_YEAR,
    REASONS,
    ROWS,
    LandBasis,
    LandOfUses,
    land_of,
    land_texts,
    texts,
    union,
    ways_texts,
)
from geo.land.firm_identity import Ints, Objects, distinct
from geo.land.tax_years import years_without_tax
from geo.land.uses import FIGURES, UNDATED, Bools, Floats, Uses, first_of, floats, or_none, uses_of
from geo.layers.land_use_codes import land_and_sea_codes
from geo.layers.schema import ENTERPRISES

SUMMED = (*FIGURES, "fixed_assets_yuan")
_FROM_ROWS, _FROM_PARCELS, _WITHOUT_YEAR, _SPREAD = 1, 2, 4, 8
# Rows that name a parcel may exceed the total of their firm by so much, for amounts rounded to 万元.
_ROUNDING = 1e-3


@dataclass(frozen=True, slots=True)
class FirmsOnLand:
    """Firms, the parcels they use, and their figures.

    ``firms`` (f) sorted by ``firm_id``: identity, ``year``, ``land_m2``, ``above_scale`` (1, 0, nan), industry, the
    figures of ``SUMMED``, ``years_without_tax`` with ``years_without_tax_open`` (it may be more), how land and figures
    were taken (``land_basis``, ``figures_basis``), and ``town``, ``land_use``, ``land_class``, ``park_grade`` of the
    parcel with most of its land ·
    ``uses`` (u): ``firm`` and ``parcel`` (rows of the other two), ``land_m2``, ``share`` of the firm's land, and what
    of each figure belongs to this parcel ·
    ``parcels`` (n) aligned with the parcels: land and figures of all firms on each, ``firm_count``, ``apportioned_by``,
    and the bases · ``firm_reasons``, ``parcel_reasons`` column -> what is missing where its value is, ``None`` for the
    column itself
    """

    firms: pd.DataFrame
    uses: pd.DataFrame
    parcels: pd.DataFrame
    firm_reasons: Mapping[str, Objects]
    parcel_reasons: Mapping[str, Objects]


@dataclass(frozen=True, slots=True)
class _Case:
    """What every step needs: the tables, the uses, the year of each firm, and which records are of it.

    ``year`` (f,) · ``of_year`` (r,) the record is of its firm's year · ``counts`` (r,) and its figures count: where a
    total stands, rows that name a parcel only say where the firm is · ``has_total`` (f,) · ``is_sole`` (u,)
    """

    parcels: pd.DataFrame
    rows: pd.DataFrame
    uses: Uses
    year: Ints
    of_year: Bools
    counts: Bools
    has_total: Bools
    is_sole: Bools

    def both(self, name: str) -> Floats:
        """A figure of every source of records: of the rows, then of the parcels."""
        own = np.full(len(self.parcels), np.nan) if name == "area_used_m2" else floats(self.parcels, name)
        return np.r_[floats(self.rows, name), own]

    def of_uses(self, value: Floats, chosen: Bools) -> Floats:
        """Σ of the chosen records of each use: (u,), ``nan`` where one is unknown or there is none."""
        records, count = self.uses.records, len(self.uses.firm)
        use = records.use[chosen]
        summed = np.bincount(use, value[records.source[chosen]] * records.part[chosen], minlength=count)
        return np.where(np.bincount(use, minlength=count) > 0, summed, np.nan)


def firms_on(
    parcels: pd.DataFrame, enterprises: pd.DataFrame | None, land: LandBasis, as_of: np.datetime64
) -> FirmsOnLand:
    """Firms that use these parcels.

    Parameters
    ----------
    parcels : (n) canonical parcels with ``area_m2`` (ellipsoidal, m²), those in the scope of a rule
    enterprises : canonical ``enterprises`` or ``None``; a parcel of which no row speaks stands for its holder with its
        own figures
    land : ``used`` the area that rows state, else the parcel's ellipsoidal area; ``parcel`` ellipsoidal; ``declared``
    as_of : day; only years that are over are seen
    """
    rows = enterprises if enterprises is not None else pd.DataFrame(columns=list(ENTERPRISES.columns), dtype=object)
    last_year = int(as_of.astype("datetime64[Y]").astype(np.int64)) + 1969
    case = _case(parcels, rows, uses_of(parcels, rows, last_year))
    uses, n, f = case.uses, len(parcels), len(case.uses.firm_id)

    figures, of_firm, why, why_firm = {}, {}, {}, {}
    for name in FIGURES:
        figures[name], of_firm[name], why[name], why_firm[name] = _figure(case, name)
    ground = land_of(parcels, uses, _stated_area(case), figures["employees"], land, case.is_sole)
    assets = floats(parcels, "fixed_assets_yuan")
    figures["fixed_assets_yuan"] = assets[uses.parcel] * ground.fraction
    of_firm["fixed_assets_yuan"] = _sum(figures["fixed_assets_yuan"], uses.firm, f)
    unknown = np.where(np.isnan(assets[uses.parcel]), ITSELF, np.where(np.isnan(ground.fraction), APPORTIONMENT, KNOWN))
    why_firm["fixed_assets_yuan"] = _worst(unknown, uses.firm, f)
    why_firm["land_m2"] = _worst(ground.why, uses.firm, f)

    firms = _firms_table(case, ground, of_firm)
    firms["years_without_tax"], firms["years_without_tax_open"], why_firm["years_without_tax"] = _tax_years(
        case, uses.firm, f, last_year
    )
    on = _parcels_table(case, ground, figures, firms)
    why_parcel = {name: _worst(why[name], uses.parcel, n) for name in FIGURES} | {"land_m2": ground.parcel_why}
    on["fixed_assets_yuan"] = assets
    on["years_without_tax"], on["years_without_tax_open"], why_parcel["years_without_tax"] = _tax_years(
        case, uses.parcel, n, last_year
    )
    firm_land = firms["land_m2"].to_numpy()[uses.firm]
    share = np.divide(ground.land_m2, firm_land, out=np.full(len(firm_land), np.nan), where=firm_land > 0)
    table = pd.DataFrame(
        {"firm": uses.firm, "parcel": uses.parcel, "land_m2": ground.land_m2, "share": share, **figures}
    )
    return FirmsOnLand(
        firms, table, on, {name: REASONS[one] for name, one in why_firm.items()},
        {name: REASONS[one] for name, one in why_parcel.items()},
    )  # fmt: skip


def _case(parcels: pd.DataFrame, rows: pd.DataFrame, uses: Uses) -> _Case:
    """The newest year of each firm and the records that are of it."""
    records, count = uses.records, len(uses.firm_id)
    firm = uses.firm[records.use]
    year = np.full(count, UNDATED)
    np.maximum.at(year, firm, records.year)
    has_total = np.zeros(count, dtype=bool)
    has_total[uses.total_firm[uses.total_year == year[uses.total_firm]]] = True
    of_year = records.year == year[firm]
    on_parcel = np.bincount(uses.parcel, minlength=len(parcels))
    return _Case(
        parcels, rows, uses, year, of_year, of_year & (records.is_total | ~has_total[firm]), has_total,
        on_parcel[uses.parcel] == 1,
    )  # fmt: skip


def _figure(case: _Case, name: str) -> tuple[Floats, Floats, Ints, Ints]:
    """A figure of each use and of each firm, and why it is unknown: (u,), (f,), (u,), (f,)."""
    uses, records, count = case.uses, case.uses.records, len(case.uses.firm_id)
    value = case.both(name)
    of_use = case.of_uses(value, case.counts)
    has_record = np.zeros(len(uses.firm), dtype=bool)
    has_record[records.use[case.counts]] = True
    own = uses.is_own & np.isnan(value[len(case.rows) + uses.parcel])
    absent = np.where(has_record | own, ITSELF, np.where(uses.is_own, NO_YEAR, ROWS))
    why = np.where(np.isnan(of_use), absent, KNOWN)
    of_firm = _sum(of_use, uses.firm, count)
    why_firm = _worst(why, uses.firm, count)
    if not case.has_total.any():
        return of_use, of_firm, why, why_firm
    # A total is taken as it stands, not as the sum of what was spread.
    now = uses.total_year == case.year[uses.total_firm]
    total = np.bincount(uses.total_firm[now], value[uses.total_source[now]], minlength=count)
    of_firm = np.where(case.has_total, total, of_firm)
    why_firm = np.where(case.has_total, np.where(np.isnan(total), ITSELF, KNOWN), why_firm)
    # Rows for single parcels that come to more than the total contradict it.
    named = case.of_year & ~case.counts
    part = np.nan_to_num(value[records.source[named]])
    parts = np.bincount(uses.firm[records.use[named]], part, minlength=count)
    contrary = case.has_total & (parts > of_firm + _ROUNDING * np.abs(of_firm))
    of_firm[contrary], why_firm[contrary] = np.nan, ROWS
    of_use[contrary[uses.firm]], why[contrary[uses.firm]] = np.nan, ROWS
    return of_use, of_firm, why, why_firm


def _stated_area(case: _Case) -> Floats:
    """The area that each firm states for each use: by its total, else by the rows that name the parcel."""
    area, is_total = case.both("area_used_m2"), case.uses.records.is_total
    of_total = case.of_uses(area, case.of_year & is_total)
    return np.where(np.isnan(of_total), case.of_uses(area, case.of_year & ~is_total), of_total)


def _firms_table(case: _Case, ground: LandOfUses, figures: Mapping[str, Floats]) -> pd.DataFrame:
    uses, parcels, count = case.uses, case.parcels, len(case.uses.firm_id)
    size = np.where(np.isnan(ground.land_m2), floats(parcels, "area_m2")[uses.parcel], ground.land_m2)
    largest = uses.parcel[first_of(uses.firm, count, (-size,), _objects(parcels, "parcel_id")[uses.parcel])]
    industry, edition = _industry(case, size)
    land_use = land_and_sea_codes(parcels)
    return _table(
        {
            "firm_id": uses.firm_id, "holder": uses.holder, "credit_code": uses.credit_code,
            "year": np.where(case.year == UNDATED, np.nan, case.year),
            "parcel_count": np.bincount(uses.firm, minlength=count),
            "land_m2": _sum(ground.land_m2, uses.firm, count),
            "land_basis": land_texts(union(ground.basis, uses.firm, count)),
            "figures_basis": _figures_texts(case, uses.firm, count),
            "above_scale": _above_scale(case), "industry": industry, "industry_edition": edition,
            "land_use": land_use[largest],
            **{name: _objects(parcels, name)[largest] for name in ("town", "land_class", "park_grade")},
            **figures,
        }
    )  # fmt: skip


def _parcels_table(case: _Case, ground: LandOfUses, figures: Mapping[str, Floats], firms: pd.DataFrame) -> pd.DataFrame:
    uses, n = case.uses, len(case.parcels)
    year = firms["year"].to_numpy()[uses.firm]
    above = firms["above_scale"].to_numpy()[uses.firm]
    newest, oldest = np.full(n, -np.inf), np.full(n, np.inf)
    np.maximum.at(newest, uses.parcel, np.nan_to_num(year, nan=np.inf))
    np.minimum.at(oldest, uses.parcel, np.nan_to_num(year, nan=-np.inf))
    spread = (union(_bits(case), uses.parcel, n) & _SPREAD) > 0
    ways = ways_texts(ground.parcel_basis)
    return _table(
        {
            "land_m2": ground.parcel_land_m2, "land_basis": land_texts(ground.parcel_basis),
            "firm_count": np.bincount(uses.parcel, minlength=n),
            "apportioned_by": np.where(spread & pd.isna(ways), "企业合计按宗地面积", ways),
            "year": np.where(newest == oldest, newest, np.nan),
            "figures_basis": _figures_texts(case, uses.parcel, n),
            "above_scale": _any_of(above, uses.parcel, n),
            **{name: _sum(figures[name], uses.parcel, n) for name in FIGURES},
        }
    )  # fmt: skip


def _speaks_of_firm(case: _Case) -> Bools:
    """Uses whose parcel's own industry and size are those of the firm: it holds the parcel or is alone on it."""
    return case.is_sole | case.uses.is_holder


def _above_scale(case: _Case) -> Floats:
    """1 where any row of the firm's year says so, 0 where all deny it, else ``nan``; parcels speak for silent rows."""
    uses, records, count = case.uses, case.uses.records, len(case.uses.firm_id)
    own = np.where(_speaks_of_firm(case), floats(case.parcels, "above_scale")[uses.parcel], np.nan)
    use = records.use[case.of_year]
    said = case.both("above_scale")[records.source[case.of_year]]
    said = np.where(np.isnan(said), own[use], said)
    silent = np.ones(len(uses.firm), dtype=bool)
    silent[use] = False
    silent &= ~np.isnan(own)
    found = _any_of(np.r_[said, own[silent]], np.r_[uses.firm[use], uses.firm[silent]], count)
    return found


def _industry(case: _Case, size: Floats) -> tuple[Objects, Objects]:
    """The industry of each firm and its edition: of its rows, else of its parcels, where they differ of the largest."""
    uses, records, count = case.uses, case.uses.records, len(case.uses.firm_id)
    code = np.r_[_objects(case.rows, "industry"), _objects(case.parcels, "industry")]
    edition = np.r_[_objects(case.rows, "industry_edition"), _objects(case.parcels, "industry_edition")]
    told = np.flatnonzero(case.of_year & (records.source < len(case.rows)))
    fallback = np.flatnonzero(_speaks_of_firm(case))
    use = np.r_[records.use[told], fallback]
    source = np.r_[records.source[told], len(case.rows) + uses.parcel[fallback]]
    later = np.arange(len(use)) >= len(told)
    known = pd.notna(code[source])
    use, source, later = use[known], source[known], later[known]
    text = code[source] + " " + np.where(pd.isna(edition[source]), "", edition[source])
    first = first_of(uses.firm[use], count, (later, -size[use]), text)
    return or_none(code[source], first), or_none(edition[source], first)


def _tax_years(case: _Case, group: Ints, groups: int, last_year: int) -> tuple[Floats, Bools, Ints]:
    """Years without tax of groups of uses, whether they may be more, and why they are unknown."""
    uses, records = case.uses, case.uses.records
    base = last_year + 2
    with_total = distinct(uses.total_firm * base + uses.total_year + 1)
    covered = np.isin(uses.firm[records.use] * base + records.year + 1, with_total) & ~records.is_total
    dated = (records.year != UNDATED) & ~covered
    use, tax = records.use[dated], case.both("tax_yuan")[records.source[dated]] * records.part[dated]
    count = np.bincount(group, minlength=groups)
    years, is_open = years_without_tax(group[use], use, records.year[dated], tax, count, last_year)
    of_record = group[records.use]
    has_year = np.bincount(of_record, records.year != UNDATED, minlength=groups) > 0
    has_none = np.bincount(of_record, records.year == UNDATED, minlength=groups) > 0
    return years, is_open, np.where(np.isnan(years), np.where(has_none & ~has_year, NO_YEAR, ROWS), KNOWN)


def _bits(case: _Case) -> Ints:
    """Where the figures of each use come from: (u,) bits."""
    records = case.uses.records
    kind = np.where(records.source < len(case.rows), _FROM_ROWS, _FROM_PARCELS)
    kind = kind | np.where(records.year == UNDATED, _WITHOUT_YEAR, 0) | np.where(records.part < 1, _SPREAD, 0)
    return union(kind[case.counts].astype(np.int64), records.use[case.counts], len(case.uses.firm))


def _figures_texts(case: _Case, group: Ints, groups: int) -> Objects:
    def told(bits: int) -> str:
        parts = [zh for bit, zh in ((_FROM_ROWS, "企业数据"), (_FROM_PARCELS, "宗地数据")) if bits & bit]
        return "与".join(parts) + ("，年度未注明" if bits & _WITHOUT_YEAR else "")

    return texts(union(_bits(case) & ~_SPREAD, group, groups), told)


def _table(columns: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """A table whose texts stay objects: what pandas makes of them otherwise costs more than all the arithmetic."""
    return pd.DataFrame(
        {name: pd.Series(value, dtype=object if value.dtype == object else None) for name, value in columns.items()}
    )


def _objects(table: pd.DataFrame, name: str) -> Objects:
    if name not in table:
        return np.full(len(table), None, dtype=object)
    return table[name].to_numpy(dtype=object, na_value=None)


def _sum(value: Floats, group: Ints, groups: int) -> Floats:
    """Σ by group, unknown where one is unknown."""
    return np.bincount(group, value, minlength=groups).astype(float)


def _worst(why: Ints, group: Ints, groups: int) -> Ints:
    found = np.zeros(groups, dtype=np.int64)
    np.maximum.at(found, group, why)
    return found


def _any_of(value: Floats, group: Ints, groups: int) -> Floats:
    """1 where any member is, 0 where all are known not to be, else ``nan``: (groups,)."""
    yes = np.bincount(group, value == 1, minlength=groups) > 0
    no = np.bincount(group, value == 0, minlength=groups)
    members = np.bincount(group, minlength=groups)
    return np.where(yes, 1.0, np.where((no == members) & (members > 0), 0.0, np.nan))
