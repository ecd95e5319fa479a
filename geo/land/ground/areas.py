"""Areas that polygons leave of others, or have in common with them, where the case is plain enough for the kernel."""

from __future__ import annotations

import numpy as np

from geo.land.ground.free import all_free
from geo.land.ground.outlines import Floats, Ints, Outlines
from geo.layers.checking.borders import metres_per_degree


def largest_free_m2(parcel: Ints, start: Ints, house: Ints, land: Outlines, houses: Outlines, apron_m: float) -> Floats:
    """Largest free piece of each parcel, ellipsoidal m²; ``nan`` where the case is not plain.

    Parameters
    ----------
    parcel : (k,) rows of ``land``
    start, house : (k + 1,), (j,) the buildings of parcel ``i`` are ``house[start[i]:start[i + 1]]``
    land, houses : outlines of parcels and buildings
    apron_m : ground around a building that is not free, with mitred corners; buildings of several rings only without
    """
    return _free(parcel, start, house, land, houses, apron_m)[0]


def free_m2(parcel: Ints, start: Ints, house: Ints, land: Outlines, houses: Outlines) -> Floats:
    """All ground of each parcel that its buildings do not cover, ellipsoidal m²; as ``largest_free_m2``."""
    return _free(parcel, start, house, land, houses, 0.0)[1]


def common_m2(one: Ints, other: Ints, these: Outlines, those: Outlines) -> Floats:
    """Ground that polygons ``one`` of ``these`` and ``other`` of ``those`` have in common, ellipsoidal m².

    (k,) rows each; ``nan`` where the case is not plain. Exact to 1e-9 of the polygon of ``these``.
    """
    free = free_m2(one, np.arange(len(one) + 1), other, these, those)
    return np.asarray(np.maximum(these.area_m2[one] - free, 0.0))


def _free(parcel: Ints, start: Ints, house: Ints, land: Outlines, houses: Outlines, apron_m: float) -> Floats:
    """The largest piece and all pieces together: (2, k) ellipsoidal m²."""
    if len(parcel) == 0:
        return np.empty((2, 0))
    free = all_free(
        parcel, start, house, land.xy, land.last, land.begin, land.end, land.turn, land.scale, houses.xy,
        houses.last, houses.begin, houses.end, houses.turn, houses.rings, float(apron_m),
    )  # fmt: skip
    return free[[0, 2]] * metres_per_degree(free[[1, 3]].ravel()).prod(axis=1).reshape(2, -1)
