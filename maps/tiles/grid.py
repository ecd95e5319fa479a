"""The integer grid of an edition: web mercator as 2³² × 2³² cells, row 0 in the north, 9.3 mm wide at the equator.

The cells of a tile of any zoom are whole powers of two of these, so a vertex lands on the same tile cell whatever
feature it belongs to: what shares a border in the store shares it on every tile.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Cells = NDArray[np.uint32]

BITS = 32
SIZE = 2**BITS
# Latitude at which web mercator's square ends.
MAX_LATITUDE = 85.0511287798066


def to_grid(lonlat: Floats) -> Cells:
    """Cells of positions.

    Parameters
    ----------
    lonlat : (n, 2) degrees, EPSG:4490; CGCS2000 and WGS 84 differ by centimetres, and tiles take the one for the other

    Returns
    -------
    (n, 2) uint32, column and row
    """
    latitude = np.clip(lonlat[:, 1], -MAX_LATITUDE, MAX_LATITUDE)
    columns = (lonlat[:, 0] + 180.0) / 360.0 * SIZE
    rows = (0.5 - np.arcsinh(np.tan(np.radians(latitude))) / (2.0 * np.pi)) * SIZE
    both = np.column_stack([columns, rows])
    return np.clip(np.rint(both), 0, SIZE - 1).astype(np.uint32)


def from_grid(cells: NDArray[np.generic]) -> Floats:
    """Longitude and latitude of cells, (n, 2) degrees."""
    both = np.asarray(cells, dtype=np.float64) / SIZE
    latitude = np.degrees(np.arctan(np.sinh(np.pi * (1.0 - 2.0 * both[:, 1]))))
    return np.column_stack([both[:, 0] * 360.0 - 180.0, latitude])
