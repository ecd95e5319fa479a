"""Scores and grades of firms (亩均论英雄): weights × value / benchmark, then places and percentile cuts.

Formula, and firms without emission data: 黄岩区 2022 年度工业企业综合评价得分计算说明. Percentile grades, and firms not
rated (T): 淮安市工业企业资源集约利用综合评价办法 (2024).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.land.findings import named, parameter
from geo.land.grading import cut_places, places
from geo.land.inputs import Floats, Inputs
from geo.land.judging import missing_of, reason_of
from geo.land.measures import Measure, measure_of
from geo.land.rule_sets.scoring import Component, OfMean, Scoring
from geo.land.score_card import (
    COUNTED,
    LEFT_OUT,
    MEAN,
    NO_BENCHMARK,
    NO_WHOLE,
    UNKNOWN,
    Rows,
    ScoreCard,
    amount_to,
    score_card,
)
from geo.land.shortfall import zh_unit
from geo.land.thresholds import Lack, in_industry
from geo.units import m2

Flags = NDArray[np.bool_]
Texts = NDArray[np.object_]

NOT_RATED = "T"
_NO_GROUP, _UNKNOWN_SIZE = -1, -2


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What the firms of a table score.

    Parameters
    ----------
    frame : (n) rows, aligned with the firms' table: ``score_group`` (text or ``None``), ``score`` (float, ``nan``
        without one), ``rank`` and ``ranked`` (``Int64``: place, and among how many), ``grade`` (``T`` not rated,
        ``None`` without one), ``missing`` (list of names of what would have to be known), ``note`` (Chinese text or
        ``None``: why there is no score or grade, what was taken for granted), ``to_next`` (dict or ``None``: ``grade``
        and the ``score`` that it takes, and the ``value`` in ``unit`` of ``quantity`` (``zh``) that is lacking to it;
        ``value`` is ``None`` where that quantity alone cannot lift the firm so far)
    scoring : the rules that were applied
    """

    frame: pd.DataFrame
    scoring: Scoring
    _firms: Inputs = field(repr=False)
    _cards: tuple[ScoreCard, ...] = field(repr=False)
    _card_of: Rows = field(repr=False)
    _row_of: Rows = field(repr=False)
    _basis: tuple[list[dict[str, Any]], ...] = field(repr=False)

    def parts(self, row: int) -> list[dict[str, Any]]:
        """How one firm's score is made up, a dict per component; the ``points`` of a scored firm add up to its score.

        Made on demand, because half a million firms have millions of parts. Empty for a firm that is in no group.
        ``value`` and ``benchmark`` are in ``unit``; ``points`` is ``None`` where the component does not count.
        """
        if self._card_of[row] < 0:
            return []
        card, at = self._cards[self._card_of[row]], int(self._row_of[row])
        figures = zip(
            card.group.components, self._basis[self._card_of[row]], card.above[at].tolist(), card.below[at].tolist(),
            card.benchmark.tolist(), (card.points[at] * card.scale[at]).tolist(), card.state[at].tolist(), strict=True,
        )  # fmt: skip
        made = []
        for component, basis, above, below, benchmark, points, state in figures:
            of = measure_of(component.measure)
            value = above * of.factor / below if below > 0 else math.nan
            made.append(
                {
                    "measure": of.name, "zh": of.zh, "value": _number(value), "unit": of.unit,
                    "benchmark": _number(benchmark), "weight": component.weight, "status": basis["status"],
                    "points": points if state in (COUNTED, MEAN) else None,
                    "note": self._note(row, component, of, above, below, value, benchmark, state),
                }
            )  # fmt: skip
        return made

    def parameters(self, row: int) -> list[dict[str, Any]]:
        """The values of the rule set that one firm's score and grade rest on, and how sure each is."""
        scoring, grade = self.scoring, self.frame["grade"].iloc[row]
        told = []
        if scoring.exempt_industry:
            told.append(self._value("exempt_industry", "不参评行业", "、".join(scoring.exempt_industry)))
        if scoring.min_land_mu:
            told.append(self._value("min_land_mu", "参评最小用地面积（亩）", scoring.min_land_mu))
        if self._card_of[row] < 0:
            return told
        told += self._basis[self._card_of[row]]
        if (self._cards[self._card_of[row]].above[self._row_of[row]] < 0).any():
            told.append(parameter("scoring.negative", "指标为负按0分计", 0, "unverified"))
        if grade is not None:
            cuts = "、".join(f"{cut.grade} {cut.to_percent:g}%" for cut in scoring.cuts)
            told.append(self._value("cuts", "等级分界（名次百分比）", cuts))
            told.append(parameter("scoring.ties", "并列与取整", "并列取高等级，等级家数四舍五入", "unverified"))
        if grade in scoring.inefficient_grades:
            grades = "、".join(scoring.inefficient_grades)
            told.append(self._value("inefficient_grades", "认定为低效的等级", grades))
        return told

    def _value(self, key: str, zh: str, value: Any) -> dict[str, Any]:
        return parameter(f"scoring.{key}", zh, value, self.scoring.status_of(key))

    def _note(
        self, row: int, component: Component, of: Measure, above: float, below: float, value: float, benchmark: float,
        state: int,
    ) -> str:  # fmt: skip
        notes = []
        if isinstance(component.benchmark, OfMean):
            notes.append(f"基准值为参评企业平均值的{component.benchmark.mean_times:g}倍")
        if state == COUNTED:
            if value < 0:
                notes.append("为负，按0分计")
            elif component.cap is not None and value > component.cap * benchmark:
                notes.append(f"超过上限，按权重的{component.cap:g}倍计")
        elif state == NO_BENCHMARK:
            notes.append("参评企业平均值不大于零，没有基准值")
        else:
            lacking = "、".join(named(name)["zh"] for name in self._lacking(of, row, above, below))
            lacking = lacking if below <= 0 else f"缺少{lacking}"
            then = {
                NO_WHOLE: "，无法计算，权重不计，其余指标按比例放大",
                LEFT_OUT: "，权重不计，其余指标按比例放大",
                MEAN: "，按本组企业此项平均得分计",
                UNKNOWN: "",
            }
            notes.append(lacking + then[state])
        return "；".join(notes)

    def _lacking(self, of: Measure, row: int, above: float, below: float) -> list[str]:
        if below <= 0:
            return [f"{of.denominator}<=0"]
        unknown = [of.numerator] if math.isnan(above) else []
        unknown += [of.denominator] if of.denominator is not None and math.isnan(below) else []
        told = [self._firms.reasons[name][row] if name in self._firms.reasons else None for name in unknown]
        return [name if reason is None else str(reason) for name, reason in zip(unknown, told, strict=True)]


def scored(firms: Inputs, scoring: Scoring, as_of: np.datetime64) -> Scores:
    """Scores, places and grades of firms.

    Parameters
    ----------
    firms : a row per firm with ``land_m2``, ``above_scale``, ``industry``, ``industry_edition``, ``year`` and the
        figures that the components are made of. The table is the population: places, cuts and means are in it
    scoring : groups, benchmarks and cuts; a firm belongs to the first group of its size
    as_of : day; figures older than the calendar year before it are noted

    Notes
    -----
    Places are among the scored firms of a group (or of all); a group is of those that are neither exempt, nor below
    the least land, nor of unknown size or land. A mean is Σ numerator / Σ denominator of those of a group that have
    both. ``to_next`` holds benchmarks and the other firms as they are.
    """
    count = len(firms)
    group, exempt, lacks, notes = _population(firms, scoring)
    cards = []
    card_of, row_of = np.full(count, -1), np.full(count, -1)
    score, name = np.full(count, np.nan), np.full(count, None, dtype=object)
    for index, each in enumerate(scoring.groups):
        rows = np.flatnonzero(group == index)
        card = score_card(firms, rows, each)
        cards.append(card)
        card_of[rows], row_of[rows], name[rows], score[rows] = index, np.arange(len(rows)), each.name, card.score
        lacks += _stuck(firms, card)
    has_score = ~np.isnan(score)
    rank, ranked, grade, to_next = _graded(score, cards, card_of, row_of, scoring)
    grade[exempt] = NOT_RATED
    if not scoring.cuts:
        notes.append(Lack(has_score, "规则没有等级分界，只有得分"))
    notes += _old_figures(firms, as_of, has_score)
    frame = pd.DataFrame(
        {
            "score_group": pd.Series(name, dtype=object),
            "score": score,
            "rank": pd.arrays.IntegerArray(rank, ~has_score),
            "ranked": pd.arrays.IntegerArray(ranked, ~has_score),
            "grade": pd.Series(grade, dtype=object),
            "missing": pd.Series(_named(lacks, count), dtype=object),
            "note": pd.Series(_joined(notes, count), dtype=object),
            "to_next": pd.Series(to_next, dtype=object),
        }
    )
    basis = tuple(_basis_of(card, scoring) for card in cards)
    return Scores(frame, scoring, firms, tuple(cards), card_of, row_of, basis)


def _basis_of(card: ScoreCard, scoring: Scoring) -> list[dict[str, Any]]:
    """Weight, benchmark and cap of each component, as values of the rule set that were used."""
    told = []
    for benchmark, component in zip(card.benchmark.tolist(), card.group.components, strict=True):
        of, status = measure_of(component.measure), component.status or scoring.status_of("groups")
        value = f"权重 {component.weight:g}，基准值 {_shown(benchmark)} {zh_unit(of.unit)}".rstrip()
        value += "" if component.cap is None else f"，得分上限为权重的 {component.cap:g} 倍"
        told.append(parameter(f"scoring.{of.name}", f"{of.zh}的权重、基准值和上限", value, status))
    return told


def _population(firms: Inputs, scoring: Scoring) -> tuple[Rows, Flags, list[Lack], list[Lack]]:
    """The group of each firm (below 0: in none), who is exempt, what leaves the others out, and notes."""
    said, _ = in_industry(firms, scoring.exempt_industry, scoring.industry_edition)
    exempt = said == 1
    unsure = np.isnan(said) if scoring.exempt_industry else np.zeros(len(firms), dtype=bool)
    land = firms.column("land_m2")
    # Without a least area, land matters only where a component is made of it.
    above = firms.column("above_scale")
    limited = np.ones(len(firms), dtype=bool)
    if scoring.min_land_size is not None:
        limited = above != (1.0 if scoring.min_land_size == "below_scale" else 0.0)  # an unknown size may be limited
    asked = ~exempt & limited & (scoring.min_land_mu > 0)
    short = asked & (land > 0) & (land < m2(scoring.min_land_mu) * (1 - 1e-9))
    unsized = short & np.isnan(above) if scoring.min_land_size is not None else np.zeros(len(firms), dtype=bool)
    small = short & ~unsized
    landless = asked & ~(land > 0)
    size = _size_group(above, scoring)
    group = np.where(exempt | small | landless | unsized, _NO_GROUP, size)
    lacks = [
        Lack(landless & np.isnan(land), reason_of(firms, "land_m2")),
        Lack(landless & (land <= 0), "land_m2<=0"),
        Lack(unsized | (~exempt & ~small & (size == _UNKNOWN_SIZE)), reason_of(firms, "above_scale")),
    ]
    notes = [
        Lack(exempt, "行业不参评"),
        Lack(small, f"用地不足{scoring.min_land_mu:g}亩，不在评价范围"),
        Lack(~exempt & ~small & (size == _NO_GROUP), "规则没有该规模企业的评分组"),
        Lack(unsure & (group >= 0), f"行业（GB/T 4754-{scoring.industry_edition}）不明，按参评企业计"),
    ]
    return group, exempt, lacks, notes


def _size_group(above_scale: Floats, scoring: Scoring) -> Rows:
    """The first group that takes a firm of its size; firms of unknown size have one where it makes no difference."""
    large, small = (
        next((i for i, each in enumerate(scoring.groups) if each.size in (None, size)), _NO_GROUP)
        for size in ("above_scale", "below_scale")
    )
    unknown = large if large == small else _UNKNOWN_SIZE
    return np.where(np.isnan(above_scale), unknown, np.where(above_scale > 0, large, small)).astype(np.int64)


def _stuck(firms: Inputs, card: ScoreCard) -> list[Lack]:
    """What keeps firms of a group from a score."""
    lacks = []
    no_score = np.isnan(card.score)
    nothing_left = no_score & np.isin(card.state, (NO_WHOLE, LEFT_OUT)).all(axis=1)

    def lack(inside: Flags, name: str | Texts) -> Lack:
        where = np.zeros(len(firms), dtype=bool)
        where[card.rows] = inside
        return Lack(where, name)

    for j, component in enumerate(card.group.components):
        of, state = measure_of(component.measure), card.state[:, j]
        asked = no_score & ((state == UNKNOWN) | nothing_left)
        lacks.append(lack(asked & (state != NO_WHOLE) & np.isnan(card.above[:, j]), reason_of(firms, of.numerator)))
        if of.denominator is not None:
            lacks.append(lack(asked & np.isnan(card.below[:, j]), reason_of(firms, of.denominator)))
            lacks.append(lack(asked & (card.below[:, j] <= 0), f"{of.denominator}<=0"))
        lacks.append(lack(no_score & (state == NO_BENCHMARK), "threshold"))
    return [each for each in lacks if each.where.any()]


def _graded(
    score: Floats, cards: list[ScoreCard], card_of: Rows, row_of: Rows, scoring: Scoring
) -> tuple[Rows, Rows, Texts, Texts]:
    """Place, number of ranked firms, grade, and what is lacking to the next one."""
    count = len(score)
    rank, ranked = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    grade, to_next = np.full(count, None, dtype=object), np.full(count, None, dtype=object)
    names = np.array([cut.grade for cut in scoring.cuts], dtype=object)
    together = np.zeros(count, dtype=np.int64) if scoring.rank_within == "all" else card_of
    for index in np.unique(together[~np.isnan(score)]):
        rows = np.flatnonzero((together == index) & ~np.isnan(score))
        rank[rows], ranked[rows] = places(score[rows]), len(rows)
        if not scoring.cuts:
            continue
        last = cut_places(scoring.cuts, len(rows))
        level = np.searchsorted(last, rank[rows], side="left")
        grade[rows] = names[level]
        # What the last firm inside the better grade scores is enough, as ties take the better place.
        aim = np.where(level > 0, last[np.maximum(level, 1) - 1], 0)
        ahead = rows[np.argsort(-score[rows], kind="stable")][aim[aim > 0] - 1]
        _aim_at(rows[aim > 0], ahead, score, grade, cards, card_of, row_of, to_next)
    return rank, ranked, grade, to_next


def _aim_at(
    rows: Rows, ahead: Rows, score: Floats, grade: Texts, cards: list[ScoreCard], card_of: Rows, row_of: Rows,
    to_next: Texts,
) -> None:  # fmt: skip
    """Write into ``to_next`` what each of these firms lacks to draw level with the one ahead."""
    for index, card in enumerate(cards):
        mine = card_of[rows] == index
        if not mine.any():
            continue
        of = measure_of(card.group.components[0].measure)
        what = {"quantity": of.numerator, "zh": of.amount_zh or of.zh, "unit": of.amount_unit}
        target = score[ahead[mine]]
        amounts = amount_to(card, row_of[rows[mine]], target)
        to_next[rows[mine]] = [
            {"grade": letter, "score": aim, **what, "value": None if math.isnan(amount) else amount}
            for letter, aim, amount in zip(grade[ahead[mine]], target.tolist(), amounts.tolist(), strict=True)
        ]


def _old_figures(firms: Inputs, as_of: np.datetime64, has_score: Flags) -> list[Lack]:
    """Notes on figures that are older than the year before the day."""
    year, before = firms.column("year"), as_of.astype("datetime64[Y]").astype(int) + 1970 - 1
    old = has_score & (year < before)
    years = np.unique(year[old])
    return [Lack(old & (year == each), f"经营数据为{each:.0f}年度，早于评价日的上一年度") for each in years]


def _named(lacks: list[Lack], count: int) -> list[list[str]]:
    """What is missing in each row; the rows that lack something are few."""
    names: list[list[str]] = [[] for _ in range(count)]
    some = np.flatnonzero(np.logical_or.reduce([np.zeros(count, dtype=bool), *(lack.where for lack in lacks)]))
    for row, each in zip(some.tolist(), missing_of(lacks, some), strict=True):
        names[row] = each
    return names


def _joined(notes: list[Lack], count: int) -> Texts:
    """The notes of each row in one text, ``None`` without any."""
    text = np.full(count, None, dtype=object)
    for where, note in notes:
        first = where & (text == None)  # noqa: E711 - element by element
        more = where & ~first
        text[first] = note
        text[more] = text[more] + f"；{note}"
    return text


def _shown(value: float) -> str:
    return "未知" if math.isnan(value) else f"{value:,.4f}".rstrip("0").rstrip(".")


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
