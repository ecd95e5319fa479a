"""Single planted cases: boundary dates, excuses, exact shares, missing facts, firms with two parcels.

All are written for the as-of date 2026-06-30 of the parameter file; a case that must give no finding is listed with an
empty level, so that tests can look at it too.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from data.demo.attributes import TAX_ABOVE_SCALE, TAX_BELOW_SCALE, far_minimum
from data.demo.cutting import Ints
from data.demo.kinds import Finding, finding, idle_a, not_started, operating, suspended
from data.demo.table import ParcelTable


@dataclass(slots=True)
class Planting:
    """What planting has produced so far."""

    findings: list[Finding] = field(default_factory=list)
    delays: list[dict[str, Any]] = field(default_factory=list)
    cases: list[dict[str, Any]] = field(default_factory=list)


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

    listed = tomllib.loads(Path(__file__).with_name("cases.toml").read_text(encoding="utf-8"))
    for case in listed["not_started"]:
        rows = take()
        _plant_not_started(table, rows, case, planting, rng)
        note(case["name"], rows, "IDLE_A", case.get("level", ""), case["why"])
    for case in listed["stalled"]:
        rows = take()
        planting.findings += _plant_stalled(table, rows, case, rng)
        note(case["name"], rows, "IDLE_B", case.get("level", ""), case["why"])
    for name, rule, rows, findings, why in _inefficient(table, take):
        planting.findings += findings
        note(name, rows, rule, findings[0]["level"] if findings else "", why)
    return planting


def _plant_stalled(table: ParcelTable, rows: Ints, case: dict[str, Any], rng: np.random.Generator) -> list[Finding]:
    suspended(table, rows, np.array([case["suspended_on"]], dtype="datetime64[D]"), 0.2, 0.2, rng)
    table.put(
        rows,
        area_developed_m2=case["area_m2"]["done"],
        area_due_m2=case["area_m2"]["due"],
        investment_made_yuan=case["invested_yuan"].get("done"),
        investment_due_yuan=case["invested_yuan"]["due"],
    )
    if "resumed_on" in case:
        table.put(rows, resumed_on=date.fromisoformat(case["resumed_on"]), status="building")
    if "level" not in case:
        return []
    parcel_id, missing = table.parcel_id[rows[0]], case.get("missing", [])
    return [finding(parcel_id, "IDLE_B", case["level"], case["why"], case.get("since"), None, missing)]


def _plant_not_started(
    table: ParcelTable, rows: Ints, case: dict[str, Any], planting: Planting, rng: np.random.Generator
) -> None:
    parcel_id, level = str(table.parcel_id[rows[0]]), case.get("level", "")
    facts = {name: None if value == "" else value for name, value in case.get("facts", {}).items()}
    handover = date.fromisoformat(facts.pop("handover_date", None) or "2023-06-01")
    # Where the contract names no day, the clock starts a year after the hand-over.
    effective = case.get("start_due") or handover.replace(year=handover.year + 1).isoformat()
    not_started(table, rows, np.array([effective], dtype="datetime64[D]"), rng)
    table.put(rows, **facts)
    if level == "not_assessed":
        planting.findings.append(finding(parcel_id, "IDLE_A", level, case["why"], missing=["start_due"]))
    elif level:
        planting.findings += idle_a(table, rows, level, case["why"], case.get("excused_days", 0))
    if "start_due" not in case:
        known = None if level == "not_assessed" else handover
        contract = np.datetime64(handover) - np.timedelta64(60, "D")
        table.put(rows, start_due=None, handover_date=known, contract_date=contract, completion_due=None)
    for k, (cause, start, end) in enumerate(case.get("delays", [])):
        number = len(planting.delays) + 1
        paper = "企业说明" if cause == "own" else f"澜政发〔{start[:4]}〕{16 + number}号"
        row = {"delay_id": f"YW{number:04d}", "parcel_id": parcel_id, "delay_cause": cause}
        planting.delays.append(row | {"delay_from": start, "delay_to": end or None, "evidence": paper})
        if k == 0:  # the parcel carries the first of its delays
            first, last = np.datetime64(start, "D"), np.datetime64(end or "NaT", "D")
            table.put(rows, delay_cause=cause, delay_from=first, delay_to=last)


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
        done.append(
            (
                name,
                "LOW_TAX",
                rows,
                [finding(i, "LOW_TAX", "inefficient", why) for i in table.parcel_id[rows] if low],
                why,
            )
        )

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
        done.append(
            (
                name,
                "LOW_TAX",
                rows,
                [finding(i, "LOW_TAX", "inefficient", why) for i in table.parcel_id[rows] if low],
                why,
            )
        )
    rows = sound(1, False)
    table.put(rows, tax_yuan=None)
    why = "缺少税收数据，亩均税收未评定"
    done.append(
        (
            "tax_missing",
            "LOW_TAX",
            rows,
            [finding(table.parcel_id[rows[0]], "LOW_TAX", "not_assessed", why, missing=["tax_yuan"])],
            why,
        )
    )
    for name, share, low, why in (
        ("low_far", 0.55, True, "容积率为行业下限的55%"),
        ("low_far_slightly", 0.9, True, "容积率为行业下限的90%"),
        ("far_exactly_at_minimum", 1.0, False, "容积率恰为行业下限，不低于"),
    ):
        rows = sound(1, True)
        floor = np.ceil(table["area_m2"][rows] * far_minimum(table["industry"][rows]) * share * 100 + 1) / 100
        table.put(rows, floor_area_m2=floor)
        done.append(
            (
                name,
                "LOW_FAR",
                rows,
                [finding(i, "LOW_FAR", "inefficient", why) for i in table.parcel_id[rows] if low],
                why,
            )
        )
    for name, day, low, why in (
        ("stopped", "2024-11-30", True, "2024-11-30停产，已满12个月"),
        ("stopped_recently", "2025-12-01", False, "停产未满12个月"),
    ):
        rows = sound(1, True)
        table.put(rows, status="stopped", stopped_on=date.fromisoformat(day), year=float(day[:4]) - 1)
        done.append(
            (
                name,
                "STOPPED",
                rows,
                [finding(i, "STOPPED", "inefficient", why) for i in table.parcel_id[rows] if low],
                why,
            )
        )
    rows = sound(1, True)
    why = "停产、亩均税收与容积率三项均不达标"
    table.put(
        rows, status="stopped", stopped_on=date(2024, 5, 20), year=2023.0, tax_yuan=np.round(mu_of(rows) * 12_000),
        floor_area_m2=np.round(table["area_m2"][rows] * far_minimum(table["industry"][rows]) * 0.5, 1),
    )  # fmt: skip
    three = [finding(table.parcel_id[rows[0]], rule, "inefficient", why) for rule in ("LOW_TAX", "LOW_FAR", "STOPPED")]
    done.append(("all_three", "LOW_TAX", rows, three, why))
    return done
