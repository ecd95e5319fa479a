"""Places and grades by percentile: ties take the better one, cuts round to whole firms, half up."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from geo.land.inputs import Floats
from geo.land.rule_sets.scoring import Cut

# Scores that differ by less than this share of themselves are one score: the noise of floats makes no order.
SAME_SCORE = 1e-9


def places(score: Floats) -> NDArray[np.int64]:
    """The place of each of (n,) known scores, 1 for the highest; firms of one score share the best of their places."""
    order = np.argsort(-score, kind="stable")
    falling = score[order]
    first = np.ones(len(score), dtype=bool)
    first[1:] = falling[:-1] - falling[1:] > SAME_SCORE * np.abs(falling[:-1])
    place = np.empty(len(score), dtype=np.int64)
    place[order] = np.maximum.accumulate(np.where(first, np.arange(1, len(score) + 1), 0))
    return place


def cut_places(cuts: Sequence[Cut], ranked: int) -> NDArray[np.int64]:
    """The last place of each grade among so many ranked firms: percent of them, whole firms, half up, exactly."""
    # The decimal that the rule file says (12.5), not the binary number nearest to it; the floor of x + 1/2.
    exact = [Fraction(str(cut.to_percent)) * ranked / 100 + Fraction(1, 2) for cut in cuts]
    return np.array([int(place) for place in exact], dtype=np.int64)
