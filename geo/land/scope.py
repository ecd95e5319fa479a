"""Which parcels the rules of inefficiency look at, and why they do not look at the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.errors import InvalidParameter
from geo.land.calendar import Days, days
from geo.land.facts import DONE, known_days, status_seen
from geo.land.rule_sets.inefficiency import Applies
from geo.land.rule_sets.scoring import Scoring
from geo.land.rules import RuleSet
from geo.layers.land_use_codes import land_and_sea_codes

Flags = NDArray[np.bool_]
Texts = NDArray[np.object_]
_FIGURES = ("tax_yuan", "output_yuan", "value_added_yuan", "employees")


class Scope(NamedTuple):
    """The parcels whose land and figures a rule adds up: a state, land uses (prefixes) and planned land uses."""

    state: str = "in_use"
    land_use: tuple[str, ...] = ("1001", "1101")
    planned_land_use: tuple[str, ...] = ()

    @classmethod
    def of(cls, applies: Applies | Scoring) -> Scope:
        """The scope of a rule, or of the firms that are scored."""
        if isinstance(applies, Scoring):
            return cls(land_use=applies.land_use)
        return cls(applies.state, applies.land_use, applies.planned_land_use)


class Standing(NamedTuple):
    """What decides whether a parcel is in a scope, for each (n,): state, codes, and whether figures of operation exist.

    ``completed`` a date of completion is known · ``started`` of a start · ``stopped`` of a stop · ``signed`` the day of
    the contract
    """

    status: Texts
    code: Texts
    planned: Texts | None
    figures: Flags
    started: Flags
    completed: Flags
    stopped: Flags
    signed: Days


def standing_of(
    parcels: pd.DataFrame,
    as_of: np.datetime64,
    planned_land_use: Texts | None = None,
    enterprises: pd.DataFrame | None = None,
) -> Standing:
    """How parcels stand on a day.

    Parameters
    ----------
    parcels : (n) canonical parcels
    as_of : day
    planned_land_use : (n,) planned use, ``None`` where there is no zoning layer
    enterprises : canonical enterprises; figures of a firm on a parcel are a sign that it operates
    """
    figures = parcels[list(_FIGURES)].notna().any(axis=1).to_numpy(dtype=bool)
    if enterprises is not None and len(enterprises):
        reporting = enterprises.loc[enterprises[list(_FIGURES)].notna().any(axis=1), "parcel_id"].dropna()
        figures = figures | parcels["parcel_id"].isin(reporting).to_numpy(dtype=bool)
    started, completed, stopped = (
        ~np.isnat(known_days(parcels, name, as_of)) for name in ("started_on", "completed_on", "stopped_on")
    )
    return Standing(
        status_seen(parcels, as_of), land_and_sea_codes(parcels), planned_land_use, figures, started, completed,
        stopped, days(parcels["contract_date"].to_numpy()),
    )  # fmt: skip


def reach(scope: Scope, standing: Standing) -> tuple[Flags, Flags]:
    """The parcels of a scope, and those of them whose state is unknown: each (n,) bool.

    Without a status, figures of operation are a reason to look, not a proof: what is found there is not assessed and
    says that the status is missing.

    Raises
    ------
    InvalidParameter
        The scope names planned land uses and there is no zoning layer.
    """
    inside = in_land_use(scope, standing) & in_plan(scope, standing)
    within, unsure = _in_state(scope, standing)
    return inside & within, inside & within & unsure


def in_land_use(scope: Scope, standing: Standing) -> Flags:
    """Parcels of the land uses of a scope: (n,) bool."""
    if not scope.land_use:
        return np.ones(len(standing.code), dtype=bool)
    return pd.Series(standing.code, dtype=object).str.startswith(scope.land_use).to_numpy(dtype=bool)


def in_plan(scope: Scope, standing: Standing) -> Flags:
    """Parcels of the planned land uses of a scope: (n,) bool; see :func:`reach`."""
    if not scope.planned_land_use:
        return np.ones(len(standing.code), dtype=bool)
    if standing.planned is None:
        raise InvalidParameter("规则集按规划用途筛选，但没有规划图层", where="zoning", remedy="请先导入 zoning 图层")
    return np.isin(np.where(pd.isna(standing.planned), "", standing.planned).astype(str), scope.planned_land_use)


def _in_state(scope: Scope, standing: Standing) -> tuple[Flags, Flags]:
    status = np.where(pd.isna(standing.status), "", standing.status).astype(str)
    silent, done = status == "", np.isin(status, DONE)
    if scope.state == "any":
        return np.ones(len(status), dtype=bool), np.zeros(len(status), dtype=bool)
    if scope.state == "under_construction":
        building = np.isin(status, ("building", "suspended")) | standing.started & ~done
        return building & ~standing.completed, silent & standing.figures
    maybe = silent & ~standing.completed & (standing.figures | standing.stopped)
    return done | maybe | (silent & standing.completed), maybe


def scopes_of(rules: RuleSet) -> dict[Scope, None]:
    """Every scope that the rules and the scoring of a set have, each once."""
    scoring = [Scope.of(rules.scoring)] if rules.scoring else []
    return dict.fromkeys([*(Scope.of(rule.applies) for rule in rules.inefficient), *scoring])


def subject_to(rules: RuleSet, standing: Standing) -> Flags:
    """The parcels that any rule can call inefficient: (n,) bool.

    A contract that is known to be older than a rule puts the parcel outside it; a scoring of which no grade is
    inefficient looks at firms, but can find nothing.
    """
    looks = [np.zeros(len(standing.code), dtype=bool)]
    for rule in rules.inefficient:
        looks.append(reach(Scope.of(rule.applies), standing)[0] & ~_older(rule.applies, standing))
    if rules.scoring and rules.scoring.inefficient_grades:
        looks.append(reach(Scope.of(rules.scoring), standing)[0])
    return np.logical_or.reduce(looks)


def _older(applies: Applies, standing: Standing) -> Flags:
    if applies.contract_from is None:
        return np.zeros(len(standing.signed), dtype=bool)
    return standing.signed < np.datetime64(applies.contract_from, "D")  # an unknown day is not older


def not_subject(
    parcels: pd.DataFrame,
    rules: RuleSet,
    as_of: np.datetime64,
    planned_land_use: Texts | None = None,
    enterprises: pd.DataFrame | None = None,
) -> Texts:
    """Why no rule of inefficiency looks at a parcel, in a few words: (n,) text, ``None`` where one does.

    Raises
    ------
    InvalidParameter
        A rule names planned land uses and there is no zoning layer.
    """
    scopes = list(scopes_of(rules))
    n = len(parcels)
    if not rules.inefficient and (rules.scoring is None or not rules.scoring.inefficient_grades):
        return np.full(n, "只评分，没有低效规则" if rules.scoring else "没有低效规则", dtype=object)
    standing = standing_of(parcels, as_of.astype("datetime64[D]"), planned_land_use, enterprises)

    def some(flags: Iterable[Flags]) -> Flags:
        return np.logical_or.reduce(list(flags))

    subject = subject_to(rules, standing)
    reached = some(reach(scope, standing)[0] for scope in scopes)
    used = [in_land_use(scope, standing) for scope in scopes]
    planned = [use & in_plan(scope, standing) for use, scope in zip(used, scopes, strict=True)]
    silent = pd.isna(standing.status)
    awaited = some(here & (scope.state == "in_use") for here, scope in zip(planned, scopes, strict=True))
    why = np.select(
        [subject, reached, ~some(used) & (standing.code == ""), ~some(used), ~some(planned), silent, awaited],
        [
            "",
            "合同早于规则适用之日",
            "土地用途不明",
            "不在适用用地内",
            "规划用途不在范围",
            "建设状态不明",
            "未投入使用",
        ],
        default="不在适用的建设阶段",
    ).astype(object)
    why[subject] = None
    return why
