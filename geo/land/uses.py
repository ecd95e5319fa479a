"""Which firm uses which parcel, and which rows of which years speak of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow.compute as pc
from numpy.typing import NDArray

from geo.land.firm_identity import Identities, Ints, Objects, arrow_texts, distinct, identify

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
UNDATED = -1
_NO_YEAR = -2
# Figures of a year; a parcel of its own has some of them.
FIGURES = (
    "tax_yuan", "output_yuan", "sales_yuan", "revenue_yuan", "value_added_yuan", "rd_yuan", "energy_tce",
    "electricity_kwh", "emission_t", "employees",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Records:
    """Rows that speak of uses of land, one record for each use that a row speaks of.

    ``use`` · ``year`` (``UNDATED`` without) · ``source`` row of the firm table, or after all of them the position of a
    parcel · ``is_total`` the row names no parcel and speaks of all of the firm's · ``part`` what part of the row is
    the use's: by ellipsoidal area for totals, else 1
    """

    use: Ints
    year: Ints
    source: Ints
    is_total: Bools
    part: Floats


@dataclass(frozen=True, slots=True)
class Uses:
    """Uses of land, a firm on a parcel each.

    ``firm``, ``parcel`` (u,) row of the firm and position of the parcel, sorted · ``is_own`` (u,) no row of a firm
    table speaks of the parcel, so that its holder uses it with the parcel's own figures · ``is_holder`` (u,) the firm
    holds the parcel · ``firm_id``, ``credit_code``, ``holder`` (f,) sorted by ``firm_id`` · ``records`` ·
    ``total_firm``, ``total_year``, ``total_source`` (t,) rows without parcel, once each
    """

    firm: Ints
    parcel: Ints
    is_own: Bools
    is_holder: Bools
    firm_id: Objects
    credit_code: Objects
    holder: Objects
    records: Records
    total_firm: Ints
    total_year: Ints
    total_source: Ints


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of the firm table that count: ``place`` position of the parcel, -1 for totals; ``firm`` number."""

    source: Ints
    year: Ints
    place: Ints
    firm: Ints

    @property
    def is_total(self) -> Bools:
        return self.place < 0

    def of(self, firm: Ints) -> _Rows:
        return _Rows(self.source, self.year, self.place, firm)


def uses_of(parcels: pd.DataFrame, rows: pd.DataFrame, last_year: int) -> Uses:
    """Who uses what, as far as it was on record when ``last_year`` was over.

    A row that names its parcel says that its firm uses it; a row without parcel speaks of every parcel that the firm
    holds or that another row of it names. Of the rows that speak of a parcel the newest year decides who is on it, so
    that a tenant who has left is not counted. Where none speaks of it, its holder uses it.

    Parameters
    ----------
    parcels : (n) canonical parcels with ``area_m2``
    rows : (m) canonical ``enterprises``; rows of later years and of parcels that are not here are left out
    last_year : the last year that is over
    """
    count = max(len(parcels), 1)
    year = _years(rows)
    place = _places(rows["parcel_id"], parcels["parcel_id"])
    kept = np.flatnonzero((year <= last_year) & (rows["parcel_id"].isna().to_numpy() | (place >= 0)))
    who = identify(parcels, rows.iloc[kept], place[kept])
    table = _Rows(kept, year[kept], place[kept], who.of_row)

    pair = _spoken_pairs(table, who, count)
    is_spoken_of = np.zeros(len(parcels), dtype=bool)
    is_spoken_of[pair % count] = True
    own = np.flatnonzero(~is_spoken_of)
    pair = np.r_[pair, who.of_parcel[own] * count + own]
    is_own = np.arange(len(pair)) >= len(pair) - len(own)

    row_of_number = np.full(2 + max(who.of_parcel.max(initial=-1), who.of_row.max(initial=-1)), -1)
    row_of_number[pair // count] = 0
    numbers = np.flatnonzero(row_of_number == 0)
    rank = ranks(who.firm_ids(numbers))
    numbers_by_rank = np.empty_like(numbers)
    numbers_by_rank[rank] = numbers
    row_of_number[numbers] = rank  # the last entry stays -1, for rows without a firm

    key = row_of_number[pair // count] * count + pair % count
    order = np.argsort(key)
    firm, parcel = np.divmod(key[order], count)
    is_own = is_own[order]
    table = table.of(row_of_number[table.firm])
    holders = row_of_number[who.of_parcel]
    total = np.flatnonzero(table.is_total & (table.firm >= 0))
    return Uses(
        firm, parcel, is_own, holders[parcel] == firm,
        who.firm_ids(numbers_by_rank), who.credit_codes(numbers_by_rank),
        _names(table, rows, holders, parcels, len(numbers)),
        _records(table, total, firm, parcel, is_own, parcels, len(rows), last_year),
        table.firm[total], table.year[total], table.source[total],
    )  # fmt: skip


def ranks(texts: pd.Series | Objects) -> Ints:
    """The place of each text in order, equal texts the same place; no text comes last."""
    coded = arrow_texts(texts).dictionary_encode()
    place = np.empty(len(coded.dictionary) + 1, dtype=np.int64)
    place[pc.array_sort_indices(coded.dictionary).to_numpy()] = np.arange(len(coded.dictionary))
    place[-1] = len(coded.dictionary)
    return place[coded.indices.fill_null(len(coded.dictionary)).to_numpy(zero_copy_only=False)]


def firsts(group: Ints, groups: int, *keys: Floats | Ints | Bools) -> Ints:
    """The members of each group that come first by these keys, all of them where several are equal."""
    left = np.arange(len(group))
    for key in keys:
        value = np.nan_to_num(key[left].astype(float), nan=np.inf)
        best = np.full(groups, np.inf)
        np.minimum.at(best, group[left], value)
        left = left[value == best[group[left]]]
    return left


def first_of(group: Ints, groups: int, keys: Sequence[Floats | Ints | Bools], text: Objects) -> Ints:
    """The member of each group that comes first by numbers, then by text: (groups,), -1 for a group without members.

    Texts are put in order only where the numbers leave a choice, as that is slow.
    """
    left = firsts(group, groups, *keys)
    first = np.full(groups, -1)
    first[group[left]] = left
    differs = np.zeros(groups, dtype=bool)
    differs[group[left[text[left] != text[first[group[left]]]]]] = True
    open_ = left[differs[group[left]]]
    last_to_first = open_[np.argsort(ranks(text[open_]), kind="stable")[::-1]]
    first[group[last_to_first]] = last_to_first
    return first


def or_none(texts: Objects, at: Ints) -> Objects:
    """The text at each place, ``None`` at -1."""
    found = np.full(len(at), None, dtype=object)
    found[at >= 0] = texts[at[at >= 0]]
    return found


def floats(table: pd.DataFrame, name: str) -> Floats:
    """A column as (n,) float, ``nan`` where it is empty or the table has none."""
    if name not in table:
        return np.full(len(table), np.nan)
    return table[name].to_numpy(dtype=float, na_value=np.nan)


def _years(table: pd.DataFrame) -> Ints:
    return np.nan_to_num(floats(table, "year"), nan=UNDATED).astype(np.int64)


def _places(named: pd.Series, parcel_id: pd.Series) -> Ints:
    """Position of the parcel that each row names, -1 for none."""
    found = pc.index_in(arrow_texts(named), value_set=arrow_texts(parcel_id), skip_nulls=True)
    return found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)


def _spoken_pairs(table: _Rows, who: Identities, count: int) -> Ints:
    """Firm number × count + parcel of every pair that the newest rows of its parcel speak of."""
    firms = 1 + max(who.of_parcel.max(initial=-1), table.firm.max(initial=-1))
    named, total = ~table.is_total, table.is_total & (table.firm >= 0)
    newest_total = np.full(firms, _NO_YEAR)
    np.maximum.at(newest_total, table.firm[total], table.year[total])
    held = np.flatnonzero(newest_total[who.of_parcel] > _NO_YEAR)
    named_firm = table.firm[named]
    pair = np.r_[named_firm * count + table.place[named], who.of_parcel[held] * count + held]
    year = np.r_[np.maximum(table.year[named], newest_total[named_firm]), newest_total[who.of_parcel[held]]]
    parcel = pair % count
    newest = np.full(count, _NO_YEAR)
    np.maximum.at(newest, parcel, year)
    return distinct(pair[year == newest[parcel]])


def _records(
    table: _Rows, total: Ints, firm: Ints, parcel: Ints, is_own: Bools, parcels: pd.DataFrame, n_rows: int,
    last_year: int,
) -> Records:  # fmt: skip
    count = max(len(parcels), 1)
    # Rows that name a use that counts.
    named = np.flatnonzero(~table.is_total & (table.firm >= 0))
    key = firm * count + parcel
    use = np.searchsorted(key, table.firm[named] * count + table.place[named])
    hit = key[np.minimum(use, len(key) - 1)] == table.firm[named] * count + table.place[named] if len(key) else use < 0
    named, use = named[hit], use[hit]
    # Totals, on each parcel of their firm.
    first, after = np.searchsorted(firm, table.firm[total]), np.searchsorted(firm, table.firm[total], side="right")
    each = after - first
    on = np.repeat(first - np.r_[0, np.cumsum(each)[:-1]], each) + np.arange(each.sum()) if len(each) else each
    area = floats(parcels, "area_m2")[parcel]
    whole = np.bincount(firm, area)[firm] if len(firm) else area
    part = np.divide(area, whole, out=np.full(len(area), np.nan), where=whole > 0)
    spread = np.repeat(total, each)
    # Parcels that only speak for themselves.
    own_year = _years(parcels)
    has_figures = np.zeros(len(parcels), dtype=bool)
    for name in FIGURES:
        has_figures |= ~np.isnan(floats(parcels, name))
    own = np.flatnonzero(is_own & (own_year <= last_year)[parcel] & has_figures[parcel])
    return Records(
        np.r_[use, on, own],
        np.r_[table.year[named], table.year[spread], own_year[parcel[own]]],
        np.r_[table.source[named], table.source[spread], n_rows + parcel[own]],
        np.r_[np.zeros(len(named), bool), np.ones(len(on), bool), np.zeros(len(own), bool)],
        np.r_[np.ones(len(named)), part[on], np.ones(len(own))],
    )


def _names(table: _Rows, rows: pd.DataFrame, holders: Ints, parcels: pd.DataFrame, firms: int) -> Objects:
    """What each firm is called: as its newest row writes it, else as a register of parcels does."""
    text = np.r_[rows["holder"].to_numpy(dtype=object)[table.source], parcels["holder"].to_numpy(dtype=object)]
    firm = np.r_[table.firm, holders]
    year = np.r_[table.year, np.full(len(parcels), _NO_YEAR)]
    at = np.flatnonzero(pd.notna(text) & (firm >= 0))
    first = first_of(firm[at], firms, (-year[at],), text[at])
    return or_none(text[at], first)
