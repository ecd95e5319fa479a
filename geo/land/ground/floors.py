"""Floor area of buildings for the plot ratio: given, or floors × footprint; storeys above 8 m counted twice."""

from __future__ import annotations

import numpy as np
import pandas as pd

from geo.land.ground.outlines import Floats


def ratio_floor_m2(buildings: pd.DataFrame, footprint_m2: Floats, tall_storey_m: float) -> Floats:
    """Floor area that counts for the plot ratio, (m,) m²; ``nan`` where nothing tells it.

    Parameters
    ----------
    buildings : canonical buildings; their floor area, else floors × footprint. Storey height is the given one, else
        height / floors where both are known; a building whose storey height nobody knows counts once
    footprint_m2 : (m,) ellipsoidal, ``nan`` where a building has no polygon
    tall_storey_m : storeys higher than this count twice (工业项目建设用地控制指标: 层高超过 8 米的，计算容积率时按两倍)
    """
    floors, height = _known(buildings, "floors"), _known(buildings, "height_m")
    storey = _known(buildings, "storey_height_m")
    storey = np.where(np.isnan(storey), height / floors, storey)
    given = _known(buildings, "floor_area_m2", zero=True)
    area = np.where(np.isnan(given), floors * footprint_m2, given)
    # A height that units or division left a hair above the limit is not above it.
    return np.asarray(np.where(storey > tall_storey_m * (1 + 1e-9), 2.0, 1.0) * area)


def _known(buildings: pd.DataFrame, name: str, zero: bool = False) -> Floats:
    """A column as float, ``nan`` where it is missing or no possible size."""
    if name not in buildings:
        return np.full(len(buildings), np.nan)
    value = buildings[name].to_numpy(dtype=float, na_value=np.nan)
    return np.where((value > 0) | (zero & (value == 0)), value, np.nan)
