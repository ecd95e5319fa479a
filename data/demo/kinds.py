"""Planted kinds: how a parcel looks that is idle, stalled, badly used or in reserve, and the findings it must give.

Each kind writes to some rows of the table and answers the rows of the truth table. The dates are drawn so that the
level holds with a margin of two weeks; boundary cases are in ``cases``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from data.demo.attributes import TAX_ABOVE_SCALE, TAX_BELOW_SCALE, far_minimum, lay_utilities
from data.demo.cutting import Ints
from data.demo.table import Days, ParcelTable, days, iso, plus_years, uniform

Finding = dict[str, Any]
ONE_DAY = np.timedelta64(1, "D")


def finding(
    parcel_id: str,
    rule: str,
    level: str,
    why: str,
    since: str | None = None,
    fee_yuan: float | None = None,
    missing: Sequence[str] = (),
) -> Finding:
    """One row of the truth table."""
    kind = "idle" if rule.startswith("IDLE") else "inefficient"
    row: Finding = {"parcel_id": parcel_id, "kind": kind, "rule": rule, "level": level, "why": why}
    row |= {"since": since, "fee_yuan": fee_yuan, "missing": list(missing)}
    return row


def not_started(table: ParcelTable, rows: Ints, start_due: Days, rng: np.random.Generator) -> None:
    """Supplied land on which nothing has begun, with the given agreed dates of starting."""
    n = len(rows)
    contract = start_due - days(rng, 330, 460, n)
    table.put(
        rows,
        supply_kind="grant",
        contract_date=contract,
        handover_date=contract + days(rng, 20, 80, n),
        start_due=start_due,
        completion_due=start_due + np.timedelta64(730, "D"),
        started_on=None,
        completed_on=None,
        suspended_on=None,
        status="not_started",
        stock_class="supplied_unused",
        investment_made_yuan=0.0,
        area_developed_m2=0.0,
        floor_area_m2=0.0,
        **_NO_FIGURES,
    )
    _offer(table, rows, rng)


_NO_FIGURES = {
    "tax_yuan": None,
    "output_yuan": None,
    "value_added_yuan": None,
    "energy_tce": None,
    "employees": None,
    "year": None,
    "fixed_assets_yuan": None,
    "stopped_on": None,
}


def _offer(table: ParcelTable, rows: Ints, rng: np.random.Generator) -> None:
    """A price and a date of delivery, on industrial and reserve land only."""
    use = table["land_use"][rows].astype(str)
    rows = rows[np.char.startswith(use, "10") | np.char.startswith(use, "11") | np.char.startswith(use, "16")]
    table.put(
        rows,
        price_yuan_per_mu=np.round(uniform(rng, 2.4e5, 3.9e5, len(rows)), -3),
        available_from=np.datetime64("2026-08-01") + days(rng, 0, 330, len(rows)),
    )


def suspended(
    table: ParcelTable, rows: Ints, suspended_on: Days, developed: Any, invested: Any, rng: np.random.Generator
) -> None:
    """Begun and suspended; ``developed`` and ``invested`` are shares of what is due (scalar or array)."""
    n = len(rows)
    started = suspended_on - days(rng, 120, 420, n)
    start_due = started + np.timedelta64(25, "D")
    contract = start_due - days(rng, 330, 460, n)
    table.put(
        rows,
        supply_kind="grant",
        contract_date=contract,
        handover_date=contract + days(rng, 20, 80, n),
        start_due=start_due,
        completion_due=start_due + np.timedelta64(730, "D"),
        started_on=started,
        completed_on=None,
        suspended_on=suspended_on,
        status="suspended",
        stock_class="partly_used",
        floor_area_m2=np.round(table["area_m2"][rows] * 0.12, 1),
        area_developed_m2=np.round(table["area_due_m2"][rows] * developed, 2),
        investment_made_yuan=np.round(table["investment_due_yuan"][rows] * invested, 0),
        **_NO_FIGURES,
    )
    _offer(table, rows, rng)


def reserve(table: ParcelTable, rows: Ints, rng: np.random.Generator) -> None:
    """Land approved for construction and not yet supplied, held by the land reserve centre."""
    use = np.where(rng.random(len(rows)) < 0.75, "16", "100101")
    table.put(
        rows,
        land_use=use,
        holder="澜港区土地储备中心",
        supply_kind=None,
        contract_date=None,
        handover_date=None,
        start_due=None,
        completion_due=None,
        started_on=None,
        completed_on=None,
        status=None,
        stock_class="approved_unsupplied",
        industry=None,
        land_price_yuan=None,
        investment_due_yuan=None,
        investment_made_yuan=None,
        area_due_m2=None,
        area_developed_m2=None,
        floor_area_m2=0.0,
        above_scale=None,
        **_NO_FIGURES,
    )
    _offer(table, rows, rng)


def operating(table: ParcelTable, rows: Ints) -> None:
    """Completed long ago and producing, whatever the rows were before (their figures stay)."""
    n = len(rows)
    contract = np.datetime64("2012-03-15") + (np.arange(n) * 11 % 2400).astype("timedelta64[D]")
    table.put(
        rows,
        supply_kind="grant",
        contract_date=contract,
        handover_date=contract + np.timedelta64(45, "D"),
        start_due=contract + np.timedelta64(300, "D"),
        completion_due=contract + np.timedelta64(1000, "D"),
        started_on=contract + np.timedelta64(260, "D"),
        completed_on=contract + np.timedelta64(900, "D"),
        status="producing",
        stock_class="in_use",
        year=2025.0,
        investment_made_yuan=table["investment_due_yuan"][rows],
        area_developed_m2=table["area_due_m2"][rows],
    )
    mu = table["area_m2"][rows] * 3 / 2000
    floor = table["area_m2"][rows] * far_minimum(table["industry"][rows]) * 1.35
    above = table["above_scale"][rows].astype(bool)
    tax = np.round(mu * np.where(above, 95_000.0, 48_000.0))
    table.put(rows, floor_area_m2=np.round(floor, 1), tax_yuan=tax, output_yuan=tax * 15, value_added_yuan=tax * 4)
    table.put(rows, employees=np.round(mu * 6) + 5, energy_tce=np.round(tax * 15 / 1e4 * 0.06, 1))


def plant(table: ParcelTable, rows: Ints, kind: str, as_of: date, rng: np.random.Generator) -> list[Finding]:
    """Make ``rows`` parcels of a planted kind.

    Returns the findings that must result: for the kinds ``reserve`` and ``supplied`` none.
    """
    n = len(rows)
    today = np.datetime64(as_of)
    ids = table.parcel_id[rows]
    if kind == "reserve":
        reserve(table, rows, rng)
        return []
    if kind in _SPANS:
        low, high = _SPANS[kind]
        start_due = today - days(rng, low, high, n)
        not_started(table, rows, start_due, rng)
        return [] if kind == "supplied" else idle_a(table, rows, kind)
    if kind == "idle_stalled":
        since = today - days(rng, 385, 1200, n)
        suspended(table, rows, since, uniform(rng, 0.05, 0.29, n), uniform(rng, 0.05, 0.22, n), rng)
        first = iso(plus_years(since, 1) + ONE_DAY)
        why = "已动工但开发面积不足三分之一且投资不足25%，中止开发满一年"
        return [finding(i, "IDLE_B", kind, why, s) for i, s in zip(ids, first, strict=True)]
    operating(table, rows)
    _offer(table, rows, rng)
    mu = table["area_m2"][rows] * 3 / 2000
    if kind == "low_tax":
        above = table["above_scale"][rows].astype(bool)
        limit = np.where(above, TAX_ABOVE_SCALE, TAX_BELOW_SCALE)
        per_mu = limit * uniform(rng, 0.2, 0.88, n)
        tax = np.round(per_mu * mu)
        table.put(rows, tax_yuan=tax, output_yuan=np.round(tax * 22, -3), value_added_yuan=np.round(tax * 5, -3))
        return [
            finding(i, "LOW_TAX", "inefficient", f"亩均税收约{p / 1e4:.1f}万元，低于{m / 1e4:.0f}万元")
            for i, p, m in zip(ids, per_mu, limit, strict=True)
        ]
    if kind == "low_far":
        minimum = far_minimum(table["industry"][rows])
        far = minimum * uniform(rng, 0.3, 0.87, n)
        table.put(rows, floor_area_m2=np.round(far * table["area_m2"][rows], 1))
        return [
            finding(i, "LOW_FAR", "inefficient", f"容积率约{f:.2f}，低于行业下限{m:.1f}")
            for i, f, m in zip(ids, far, minimum, strict=True)
        ]
    if kind == "stopped":
        stopped_on = today - days(rng, 400, 1500, n)
        year = stopped_on.astype("datetime64[Y]").astype(int) + 1970 - 1
        table.put(rows, status="stopped", stopped_on=stopped_on, year=year.astype(float))
        return [
            finding(i, "STOPPED", "inefficient", f"{s}停产，已满12个月")
            for i, s in zip(ids, iso(stopped_on), strict=True)
        ]
    raise ValueError(kind)


# kind -> days between the agreed start and the as-of day (negative: the agreed start is still to come)
_SPANS = {
    "supplied": (-300, -110),
    "warning": (-80, -12),
    "overdue": (15, 340),
    "idle_1y": (385, 710),
    "idle_2y": (750, 1900),
}
_WHY = {
    "warning": "距约定动工日期不足90天，尚未动工",
    "overdue": "约定动工日期已过，未满一年，尚未动工",
    "idle_1y": "超过约定动工日期满一年未动工",
    "idle_2y": "超过约定动工日期满二年未动工",
}


def idle_a(table: ParcelTable, rows: Ints, level: str, why: str | None = None, excused_days: int = 0) -> list[Finding]:
    """Truth rows of rule A for land that was not started, from the agreed start in the table."""
    start_due: Days = table["start_due"][rows]
    years = {"idle_1y": 1, "idle_2y": 2}.get(level)
    if years is None:
        since = np.full(len(rows), None, dtype=object)
        if level == "overdue" and not excused_days:
            since = iso(np.asarray(start_due + ONE_DAY, dtype="datetime64[D]"))
    else:
        since = iso(plus_years(start_due, years) + np.timedelta64(excused_days + 1, "D"))
    price, collective = table["land_price_yuan"][rows], table["tenure"][rows] == "collective"
    fee = [
        None if level != "idle_1y" or np.isnan(p) or c else round(float(p) * 0.2, 2)
        for p, c in zip(price, collective, strict=True)
    ]
    return [
        finding(i, "IDLE_A", level, why or _WHY[level], s, f)
        for i, s, f in zip(table.parcel_id[rows], since, fee, strict=True)
    ]


def draw_kinds(mix: dict[str, int], n: int, rng: np.random.Generator) -> np.ndarray:
    """``n`` kinds in the proportion of ``mix``, each at least once where there is room, in random order."""
    names = np.array(list(mix), dtype=object)
    share = np.array(list(mix.values()), dtype=float)
    cuts = np.round(np.cumsum(share) / share.sum() * n).astype(int)
    return np.asarray(rng.permutation(np.repeat(names, np.diff(np.r_[0, cuts]))))


def serve_group(table: ParcelTable, rows: Ints, number: int) -> None:
    """Utilities of a planted group: the same at every parcel, different from group to group."""
    lay_utilities(table, rows, np.full(len(rows), (4.0, 6.0, 2.5, 3.0, 1.5, 8.0)[number % 6]))
