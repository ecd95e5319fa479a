"""What there is to say of one parcel: findings, timeline, indicators, firms, plots, and why a rule did not apply."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from api.features import plain_records
from geo.errors import NotFound
from geo.land.efficiency import not_subject
from geo.land.idle import subject_to_idle
from geo.land.planning import planned_land_uses
from geo.land.rules import RuleSet, rules_of_run
from geo.land.stock import stock_classes
from geo.land.summary import why_not_idle
from geo.land.timeline import timeline_of
from geo.layers.schema import FIRMS, INDICATORS
from geo.layers.words import WORDS
from geo.store.base import Frame, Query, Run, Store
from geo.store.records import standing_loads
from geo.units import mu

# Columns of the two tables that say who and when, not how much.
_ABOUT = frozenset({"parcel_id", "firm_id", "run_id", "town", "holder", "credit_code", "missing", "evidence", "firms"})


def parcel_card(store: Store, parcel_id: str) -> dict[str, Any]:
    """Everything that the newest run and the layers know of a parcel.

    Raises
    ------
    NotFound
        There is no such parcel.
    """
    parcel = store.read(Query("parcels", equals={"parcel_id": parcel_id}, limit=1))
    if parcel.empty:
        raise NotFound(f"没有宗地“{parcel_id[:80]}”", where="parcel_id")
    about = plain_records(parcel)[0]
    mine = {"parcel_id": parcel_id}
    found = store.read(Query("findings", equals=mine, geometry=False))
    members = store.read(Query("plot_members", equals=mine, geometry=False))
    runs = store.runs()
    told: dict[str, Any] = {
        "parcel": {**about, "area_mu": round(float(mu(about["area_m2"])), 2)},
        "findings": plain_records(found),
        "plots": sorted(members["plot_id"].tolist()),
        "rule_titles": runs[-1].parameters["rule_titles"] if runs else {},
        "judged": bool(len(found)),
        "run": None,
    }
    if not runs or "rules" not in runs[-1].parameters:
        return told
    run, rules = runs[-1], rules_of_run(runs[-1].parameters)
    as_of = np.datetime64(run.as_of)
    assessed = _assessed(store, parcel, rules, as_of)
    stock = stock_classes(parcel, as_of).iloc[0]
    return told | {
        "run": {"run_id": run.run_id, "as_of": run.as_of, "ruleset": rules.edition,
                "ruleset_title": rules.ruleset.title,
                # Findings are the run's; what is computed here is of the layers as they are now.
                "stale": {load.load_id for load in standing_loads(store.loads())} != set(run.loads)},
        "judged": told["judged"] or any(kind["subject"] for kind in assessed.values()),
        "assessed": assessed,
        "stock": _stock(stock),
        "timeline": timeline_of(parcel, store.read(Query("delays", equals=mine)), rules.idle, as_of),
        **_indicators(store, parcel_id),
        "loads": _loads(store, run, parcel),
    }  # fmt: skip


def _assessed(store: Store, parcel: Frame, rules: RuleSet, as_of: np.datetime64) -> dict[str, Any]:
    """For each kind whether the parcel was looked at, by which rules, and if not, why."""
    asks = any(rule.applies.planned_land_use for rule in rules.inefficient)
    planned = None
    if asks:
        west, south, east, north = (float(value) for value in parcel.total_bounds)
        planned = planned_land_uses(parcel, store.read(Query("zoning", bbox=(west, south, east, north))))
    firms = store.read(Query("enterprises", equals={"parcel_id": parcel.iloc[0]["parcel_id"]}))
    why = not_subject(parcel, rules, as_of, planned, firms)[0]
    idle = bool(subject_to_idle(parcel, as_of)[0])
    return {
        "idle": {"subject": idle, "why": why_not_idle(parcel, np.array([idle]))[0], "not_computed": []},
        "inefficient": {
            "subject": why is None,
            "why": why,
            "rules": [{"rule": code, "title": title} for code, title in rules.rule_titles.items()],
            "not_computed": [clause.model_dump() for clause in rules.not_computed],
        },
    }


def _stock(stock: pd.Series) -> dict[str, Any]:
    name = None if pd.isna(stock["stock_class"]) else str(stock["stock_class"])
    titles = {word: spellings[0] for word, spellings in WORDS["stock_class"].items()}
    return {"stock_class": name, "title": titles.get(name or ""), "basis": stock["stock_basis"]}


def _indicators(store: Store, parcel_id: str) -> dict[str, Any]:
    """The parcel's measured values and those of the firms that use it, with names and units."""
    rows = plain_records(store.read(Query("indicators", equals={"parcel_id": parcel_id}, limit=1)))
    if not rows:
        return {"indicators": None, "firms": []}
    firms = tuple(rows[0].get("firms") or ())
    users = plain_records(store.read(Query("firms", equals={"firm_id": firms}))) if firms else []
    return {
        "indicators": {"values": _values(INDICATORS, rows[0]), "missing": rows[0]["missing"] or []},
        "firms": [
            {"firm_id": firm["firm_id"], "holder": firm["holder"], "credit_code": firm["credit_code"],
             "values": _values(FIRMS, firm), "evidence": firm["evidence"], "missing": firm["missing"] or []}
            for firm in users
        ],
    }  # fmt: skip


def _values(layer: Any, record: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"field": field.name, "zh": field.zh, "value": record[field.name], "unit": field.unit}
        for field in layer.fields
        if field.name not in _ABOUT and record[field.name] is not None
    ]


def _loads(store: Store, run: Run, parcel: Frame) -> dict[str, Any]:
    """The imports that the parcel's values come from: file and data date by load."""
    row = parcel.iloc[0]
    named = {row["load_id"], *(load for load, _ in (row["field_sources"] or {}).values())}
    return {
        load.load_id: {"layer": load.layer, "file_name": load.file_name, "data_date": load.data_date,
                       "loaded_at": load.loaded_at}
        for load in store.loads()
        if load.load_id in named or load.load_id in run.loads
    }  # fmt: skip
