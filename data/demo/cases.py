"""Single planted cases: boundary dates, excuses, exact shares, missing facts, firms with two parcels.

All are written for the as-of date 2026-06-30 of the parameter file; a case that must give no finding is listed with an
empty level, so that tests can look at it too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from data.demo.attributes import TAX_ABOVE_SCALE, TAX_BELOW_SCALE, far_minimum
from data.demo.cutting import Ints
from data.demo.kinds import Finding, finding, idle_a, not_started, operating, suspended
from data.demo.table import ParcelTable

Delay = tuple[str, str | None, str | None]


@dataclass(slots=True)
class Planting:
    """What planting has produced so far."""

    findings: list[Finding] = field(default_factory=list)
    delays: list[dict[str, Any]] = field(default_factory=list)
    cases: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class NotStarted:
    """A case of rule A: agreed start, level that must come out, excuses, and facts to overwrite."""

    name: str
    start_due: str | None
    level: str
    why: str
    delays: tuple[Delay, ...] = ()
    excused_days: int = 0
    facts: dict[str, Any] = field(default_factory=dict)


_A = (
    NotStarted("plain_1y", "2025-03-15", "idle_1y", "约定2025-03-15动工，满一年未动工"),
    NotStarted("day_after_anniversary", "2025-06-29", "idle_1y", "2026-06-29满一年，次日即为闲置"),
    NotStarted("on_anniversary", "2025-06-30", "overdue", "2026-06-30当日才满一年，次日起方为闲置"),
    NotStarted("leap_day", "2024-02-29", "idle_2y", "闰日约定动工：2025-02-28满一年，2026-02-28满二年"),
    NotStarted("plain_2y", "2023-09-01", "idle_2y", "约定2023-09-01动工，满二年未动工"),
    NotStarted("day_after_second_anniversary", "2024-06-29", "idle_2y", "2026-06-29满二年，次日起可无偿收回"),
    NotStarted("on_second_anniversary", "2024-06-30", "idle_1y", "2026-06-30当日才满二年，仍为满一年"),
    NotStarted("silent_contract", None, "idle_1y", "合同未约定动工日期，自2024-03-20交地起一年为动工日期", facts={"handover_date": date(2024, 3, 20)}),
    NotStarted("silent_contract_2y", None, "idle_2y", "合同未约定动工日期，自2023-05-10交地起一年为动工日期", facts={"handover_date": date(2023, 5, 10)}),
    NotStarted("excuse_stops_clock", "2025-03-01", "overdue", "政府未按约定交地275天，扣除后未满一年", (("art8_1", "2025-04-01", "2025-12-31"),), 275),
    NotStarted("own_cause", "2025-02-10", "idle_1y", "企业自身原因不停止计算", (("own", "2025-03-01", "2026-03-01"),)),
    NotStarted("excuse_too_late", "2023-04-01", "idle_2y", "满二年之后才发生的规划修改不影响认定", (("art8_2", "2025-10-01", "2026-05-31"),)),
    NotStarted("government_caused", "2024-12-01", "idle_1y", "规划依法修改停算100天，扣除后仍满一年", (("art8_2", "2025-03-01", "2025-06-08"),), 100),
    NotStarted(
        "two_excuses_overlap", "2024-11-15", "idle_1y", "两段事由重叠，重叠部分只计一次，共停算92天",
        (("force_majeure", "2025-01-01", "2025-02-28"), ("art8_4", "2025-02-10", "2025-04-02")), 92,
    ),
    NotStarted("excuse_running", "2025-04-20", "overdue", "信访事项至今未了结，停算仍在继续", (("art8_4", "2025-08-01", None),), 334),
    NotStarted("no_dates", None, "not_assessed", "既无约定动工日期也无交地日期", facts={"handover_date": None}),
    NotStarted("collective", "2025-01-20", "idle_1y", "集体经营性建设用地参照认定，不计闲置费", facts={"tenure": "collective"}),
    NotStarted("no_price", "2025-05-05", "idle_1y", "缺少土地价款，闲置费未知", facts={"land_price_yuan": None}),
    NotStarted("allocation", "2025-04-08", "idle_1y", "划拨土地按划拨价款的20%计", facts={"supply_kind": "allocation"}),
    NotStarted("overdue", "2026-02-01", "overdue", "约定动工日期已过，未满一年"),
    NotStarted("warning", "2026-08-20", "warning", "距约定动工日期不足90天"),
    NotStarted("not_due_yet", "2026-12-15", "", "约定动工日期尚远，无提示"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stalled:
    """A case of rule B: suspension, developed area and investment as (made, due), level that must come out."""

    name: str
    suspended_on: str
    area: tuple[float, float]
    invested: tuple[float | None, float]
    level: str
    why: str
    since: str | None = None
    missing: tuple[str, ...] = ()
    resumed_on: str | None = None


_B = (
    Stalled("both_low", "2024-10-12", (4000, 20000), (9e6, 6e7), "idle_stalled", "开发面积20%、投资15%，中止满一年", "2025-10-13"),
    Stalled("area_low_investment_missing", "2024-12-01", (3000, 15000), (None, 5e7), "idle_stalled", "开发面积20%即可认定，投资额缺失不影响", "2025-12-02"),
    Stalled("investment_low", "2025-01-18", (9000, 18000), (7.5e6, 5e7), "idle_stalled", "投资15%，低于25%", "2026-01-19"),
    Stalled("area_exactly_third", "2024-09-01", (7000, 21000), (2.4e7, 6e7), "", "开发面积恰为三分之一，不低于"),
    Stalled("investment_exactly_quarter", "2024-08-15", (9000, 18000), (2e7, 8e7), "", "投资恰为25%，不低于"),
    Stalled("suspension_on_anniversary", "2025-06-30", (4000, 20000), (6e6, 6e7), "", "中止建设当日才满一年，次日起方可认定"),
    Stalled("suspension_day_after", "2025-06-29", (4000, 20000), (6e6, 6e7), "idle_stalled", "中止建设满一年的次日", "2026-06-30"),
    Stalled("resumed", "2024-03-10", (4000, 20000), (9e6, 6e7), "", "已复工，不再中止", resumed_on="2025-09-01"),
    Stalled("investment_decides_but_missing", "2024-11-05", (8000, 20000), (None, 6e7), "not_assessed", "开发面积40%，是否认定取决于缺失的投资额", missing=("investment_made_yuan",)),
)  # fmt: skip


def plant_cases(table: ParcelTable, free: Ints, rng: np.random.Generator) -> Planting:
    """Write every single case to one (or two) of the ``free`` parcels.

    ``free`` are ordinary industrial parcels in the order in which they may be taken.
    """
    planting = Planting()
    queue = iter(free)

    def take(count: int = 1) -> Ints:
        return np.array([next(queue) for _ in range(count)], dtype=np.int64)

    def note(name: str, rows: Ints, rule: str, level: str, why: str) -> None:
        ids = [str(i) for i in table.parcel_id[rows]]
        planting.cases.append({"case": name, "parcel_ids": ids, "rule": rule, "level": level or None, "why": why})

    for a in _A:
        rows = take()
        _plant_not_started(table, rows, a, planting, rng)
        note(a.name, rows, "IDLE_A", a.level, a.why)
    for b in _B:
        rows = take()
        suspended(table, rows, np.array([b.suspended_on], dtype="datetime64[D]"), 0.2, 0.2, rng)
        table.put(
            rows, area_developed_m2=b.area[0], area_due_m2=b.area[1], investment_made_yuan=b.invested[0],
            investment_due_yuan=b.invested[1],
        )  # fmt: skip
        if b.resumed_on:
            table.put(rows, resumed_on=date.fromisoformat(b.resumed_on), status="building")
        if b.level:
            planting.findings.append(finding(table.parcel_id[rows[0]], "IDLE_B", b.level, b.why, b.since, None, b.missing))
        note(b.name, rows, "IDLE_B", b.level, b.why)
    for name, rule, rows, findings, why in _inefficient(table, take):
        planting.findings += findings
        note(name, rows, rule, findings[0]["level"] if findings else "", why)
    return planting


def _plant_not_started(table: ParcelTable, rows: Ints, case: NotStarted, planting: Planting, rng: np.random.Generator) -> None:
    parcel_id = str(table.parcel_id[rows[0]])
    handover = case.facts.get("handover_date")
    effective = case.start_due or (handover.replace(year=handover.year + 1).isoformat() if handover else "2025-01-01")
    not_started(table, rows, np.array([effective], dtype="datetime64[D]"), rng)
    table.put(rows, **{k: v for k, v in case.facts.items() if k != "handover_date"})
    if case.level == "not_assessed":
        planting.findings.append(finding(parcel_id, "IDLE_A", case.level, case.why, missing=["start_due"]))
    elif case.level:
        planting.findings += idle_a(table, rows, case.level, case.why, case.excused_days)
    if case.start_due is None:
        contract = np.datetime64(handover or date(2023, 6, 1)) - np.timedelta64(60, "D")
        table.put(rows, start_due=None, handover_date=handover, contract_date=contract, completion_due=None)
    for k, (cause, start, end) in enumerate(case.delays):
        planting.delays.append(
            {
                "delay_id": f"YW{len(planting.delays) + 1:04d}",
                "parcel_id": parcel_id,
                "delay_cause": cause,
                "delay_from": start,
                "delay_to": end,
                "evidence": "企业说明" if cause == "own" else f"澜政发〔{(start or '2025')[:4]}〕{17 + len(planting.delays)}号",
            }
        )
        if k == 0:  # the parcel carries the first of its delays
            table.put(rows, delay_cause=cause, delay_from=np.datetime64(start, "D"), delay_to=np.datetime64(end or "NaT", "D"))


def _inefficient(table: ParcelTable, take: Any) -> list[tuple[str, str, Ints, list[Finding], str]]:
    """Cases of the inefficiency rules: name, rule, rows, findings, why."""
    done: list[tuple[str, str, Ints, list[Finding], str]] = []

    def mu_of(rows: Ints) -> Any:
        return table["area_m2"][rows] * 3 / 2000

    def sound(count: int, above: bool) -> Ints:
        rows = take(count)
        table.put(rows, above_scale=above)
        operating(table, rows)
        return np.asarray(rows)

    def taxed(name: str, above: bool, share: float, why: str, low: bool) -> None:
        rows = sound(1, above)
        limit = TAX_ABOVE_SCALE if above else TAX_BELOW_SCALE
        # Up to the next fen, so that "exactly the threshold" is not below it after any rounding.
        tax = np.ceil(mu_of(rows) * limit * share * 100 + 1) / 100
        table.put(rows, tax_yuan=tax, output_yuan=np.round(tax * 15, -3))
        done.append((name, "LOW_TAX", rows, [finding(i, "LOW_TAX", "inefficient", why) for i in table.parcel_id[rows] if low], why))

    taxed("low_tax_above_scale", True, 0.7, "规上企业亩均税收4.2万元，低于6万元", True)
    taxed("low_tax_below_scale", False, 0.6, "规下企业亩均税收1.8万元，低于3万元", True)
    taxed("tax_exactly_at_threshold", True, 1.0, "亩均税收恰为6万元，不低于", False)
    for name, shares, low, why in (
        ("firm_one_weak_one_sound", (0.5, 3.0), False, "同一企业两宗地合计达标，单宗偏低不认定"),
        ("firm_both_weak", (0.4, 0.9), True, "同一企业两宗地合计低于6万元"),
    ):
        rows = sound(2, True)
        table.put(rows, holder=table["holder"][rows[0]], industry=table["industry"][rows[0]])
        operating(table, rows)  # again, now that both are of one trade
        # Shares of the threshold, weighted so that land of different size does not change the answer.
        tax = np.round(mu_of(rows).mean() * TAX_ABOVE_SCALE * np.array(shares))
        table.put(rows, tax_yuan=tax)
        done.append((name, "LOW_TAX", rows, [finding(i, "LOW_TAX", "inefficient", why) for i in table.parcel_id[rows] if low], why))
    rows = sound(1, False)
    table.put(rows, tax_yuan=None)
    why = "缺少税收数据，亩均税收未评定"
    done.append(("tax_missing", "LOW_TAX", rows, [finding(table.parcel_id[rows[0]], "LOW_TAX", "not_assessed", why, missing=["tax_yuan"])], why))
    for name, share, low, why in (
        ("low_far", 0.55, True, "容积率为行业下限的55%"),
        ("low_far_slightly", 0.9, True, "容积率为行业下限的90%"),
        ("far_exactly_at_minimum", 1.0, False, "容积率恰为行业下限，不低于"),
    ):
        rows = sound(1, True)
        floor = np.ceil(table["area_m2"][rows] * far_minimum(table["industry"][rows]) * share * 100 + 1) / 100
        table.put(rows, floor_area_m2=floor)
        done.append((name, "LOW_FAR", rows, [finding(i, "LOW_FAR", "inefficient", why) for i in table.parcel_id[rows] if low], why))
    for name, day, low, why in (
        ("stopped", "2024-11-30", True, "2024-11-30停产，已满12个月"),
        ("stopped_recently", "2025-12-01", False, "停产未满12个月"),
    ):
        rows = sound(1, True)
        table.put(rows, status="stopped", stopped_on=date.fromisoformat(day), year=float(day[:4]) - 1)
        done.append((name, "STOPPED", rows, [finding(i, "STOPPED", "inefficient", why) for i in table.parcel_id[rows] if low], why))
    rows = sound(1, True)
    why = "停产、亩均税收与容积率三项均不达标"
    table.put(
        rows, status="stopped", stopped_on=date(2024, 5, 20), year=2023.0, tax_yuan=np.round(mu_of(rows) * 12_000),
        floor_area_m2=np.round(table["area_m2"][rows] * far_minimum(table["industry"][rows]) * 0.5, 1),
    )  # fmt: skip
    three = [finding(table.parcel_id[rows[0]], rule, "inefficient", why) for rule in ("LOW_TAX", "LOW_FAR", "STOPPED")]
    done.append(("all_three", "LOW_TAX", rows, three, why))
    return done
