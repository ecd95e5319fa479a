"""How a figure of a test is drawn and asked about: two blocks of 300 mu, and what lies on or between them.

Lengths in metres, answers in mu (2000/3 m²): 400 × 500 m are 300 mu, 800 × 500 m are 600 mu. ``NEAR`` asks about
neighbours alone: it switches the minimum width off, which would cut two blocks at a joint of ten metres, neighbours or
not.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from shapely.geometry import LineString, box

from geo.plots.parameters import PlotRules
from geo.plots.plot import PlotSet, find_plots
from geo.units import mu
from tests.plots.figures import Barrier, Line, Other, layers

FULL = PlotRules(ladder_m=())
NEAR = PlotRules(min_width_m=0, ladder_m=())
TOUCHING = replace(NEAR, gap_m=0)

LEFT, RIGHT = box(0, 0, 400, 500), box(400, 0, 800, 500)


def right(gap: float, up: float = 0.0) -> Any:
    return box(400 + gap, up, 800 + gap, up + 500)


LANE = [LEFT, right(14)]


def across(x: float, south: float = -50, north: float = 550) -> LineString:
    return LineString([(x, south), (x, north)])


@dataclass(frozen=True)
class Figure:
    """A picture, what it is drawn of, and the mu of its plots, largest first."""

    name: str
    picture: str
    land: list[Any]
    mu: list[float]
    drawn: tuple[Barrier | Line | Other, ...] = ()
    rules: PlotRules = NEAR
    place: dict[str, Any] = field(default_factory=dict)


def search(figure: Figure) -> PlotSet:
    return find_plots(**layers(figure.land, *figure.drawn, **figure.place), rules=figure.rules)


def figures(*drawn: Figure) -> Any:
    return pytest.mark.parametrize("figure", [pytest.param(each, id=each.name) for each in drawn])


def check(figure: Figure) -> PlotSet:
    found = search(figure)
    answer = sorted((mu(area) for area in found.plots["area_m2"]), reverse=True)
    assert answer == pytest.approx(figure.mu, abs=0.1), figure.picture
    account = found.balance
    rest = account["cut_m2"] + account["plots_m2"] + account["leftovers_m2"]
    assert rest == pytest.approx(account["eligible_m2"], rel=1e-9, abs=1e-3), figure.picture
    return found
