"""How much the answer hangs on the gap: plots and mu for a ladder of gaps, beside groups by distance alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.plots.contiguity import EXACT_M, Relation
from geo.plots.forming import AREA_SLACK_M2, Formed
from geo.plots.parameters import PlotRules
from geo.plots.proximity import groups_within
from geo.units import mu

# A pair shares its border exactly where this much of it coincides; the rest are corners seen at an angle.
_EXACT_SHARE = 0.9
# Pairs that share less than this touch at a corner.
_SHORT_M = 1.0
# Above this share of all common borders, those that do not coincide make a dirty coverage.
DIRTY_SHARE = 0.001


def rung(
    gap_m: float, plots: list[Formed], pieces: NDArray[np.object_], area_m2: NDArray[np.float64], rules: PlotRules
) -> dict[str, float]:
    """Plots and their mu at one gap; beside them the groups that distance alone would give.

    Parameters
    ----------
    plots : plots at this gap
    pieces : (n,) polygons in a metric system · ``area_m2`` (n,) their ellipsoidal areas

    Returns
    -------
    dict
        ``gap_m``, ``plots``, ``mu``, and of groups without frontage, barriers and width: ``groups``, ``groups_mu``
    """
    label = groups_within(pieces, max(gap_m, rules.tolerance_m))
    group_m2 = np.bincount(label, area_m2, minlength=1)
    large = group_m2[group_m2 >= rules.min_area_m2 - AREA_SLACK_M2]
    return {
        "gap_m": gap_m,
        "plots": len(plots),
        "mu": round(mu(sum((plot.area_m2 for plot in plots), 0.0)), 2),
        "groups": len(large),
        "groups_mu": round(float(mu(large.sum())), 2),
    }


def coverage_of(relation: Relation, overlap_m2: float) -> dict[str, Any]:
    """How well the parcels fit together, since tools that go by equal coordinates lose what is off by centimetres.

    Parameters
    ----------
    overlap_m2 : land that several parcels claimed

    Returns
    -------
    dict
        ``shared_m`` length of common borders · ``apart_m`` of these within the tolerance, but not coinciding ·
        ``overlap_m2`` · ``dirty`` whether there is enough of either to mislead a tool that compares coordinates; what
        is found here is found by distances either way
    """
    shared = relation.shared_m
    apart = (shared > _SHORT_M) & (relation.facing_m(EXACT_M) < _EXACT_SHARE * shared)
    apart_m, shared_m = float(shared[apart].sum()), float(shared.sum())
    return {
        "shared_m": round(shared_m, 1),
        "apart_m": round(apart_m, 1),
        "overlap_m2": round(overlap_m2, 2),
        "dirty": bool(apart_m > DIRTY_SHARE * shared_m or overlap_m2 > 1.0),
    }
