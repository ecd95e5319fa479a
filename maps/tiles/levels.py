"""What lower zooms show: the same features with fewer vertices, then what they add up to.

Neighbours are simplified together, so that a border between two stays one border (``shapely.coverage_simplify``).
Where a layer has too many features for a screen they are gathered by state and by cell, cells being whole tiles of a
deeper zoom, with their number and their area: nothing is left out, and the sums are those of the layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray

from maps.tiles.grid import BITS
from maps.tiles.shapes import made_valid

# Full detail from here.
FULL_ZOOM = 14
# Levels with fewer vertices, by the zoom from which they are shown.
SIMPLER_ZOOMS = (13, 12)
# Levels of gathered features, by the zoom from which they are shown: the highest zoom that shows them, and the zoom
# whose tiles are their cells.
GATHERED_ZOOMS = ((10, 11, 14), (8, 9, 12), (6, 7, 10), (0, 5, 8))
# A layer with no more features than this is not gathered.
FEW_FEATURES = 5_000
# Side of the square that a removed triangle may equal, in pixels of a tile that is 512 wide.
_PIXELS = 0.6
# Units of a tile of the highest zoom on whose grid gathered features lie: whole ones one zoom lower too.
_UNITS = 2


@dataclass(frozen=True, slots=True)
class Gathered:
    """Features gathered by cell and state.

    Parameters
    ----------
    geometries : (g,) in cells of the grid
    group : (n,) group of each row
    first : (g,) a row of each group, for its state
    cells : (g,) number of the cell
    """

    geometries: NDArray[np.object_]
    group: NDArray[np.int64]
    first: NDArray[np.int64]
    cells: NDArray[np.int64]


def last_zoom(first: int) -> int:
    """The highest zoom that shows a level of gathered features, by the zoom from which it is shown."""
    return next(last for begin, last, _ in GATHERED_ZOOMS if begin == first)


def tolerance_cells(zoom: int) -> float:
    """Tolerance of a level in cells of the grid."""
    return _PIXELS * 2.0 ** (BITS - 9 - zoom)


def simplified(geometries: NDArray[np.object_], zoom: int) -> NDArray[np.object_]:
    """Geometries for ``zoom`` with fewer vertices; each keeps its place, and none is lost.

    Parameters
    ----------
    geometries : (n,) in cells of the grid
    """
    tolerance = tolerance_cells(zoom)
    dimension = shapely.get_dimensions(geometries)
    out = geometries.copy()
    areal = dimension == 2
    if areal.any():
        # What is invalid or flat would end the simplification of all; it is small, and stays as it is.
        areal &= shapely.is_valid(geometries) & (shapely.area(geometries) > 0)
        out[areal] = _simpler_coverage(geometries[areal], tolerance)
    linear = dimension == 1
    if linear.any():
        out[linear] = shapely.simplify(geometries[linear], tolerance)
    return out


def _simpler_coverage(polygons: NDArray[np.object_], tolerance: float) -> NDArray[np.object_]:
    try:
        simple = np.asarray(shapely.coverage_simplify(polygons, tolerance))
    except shapely.errors.GEOSException:  # an overlap that the library cannot make sense of: each by itself
        simple = np.asarray(shapely.simplify(polygons, tolerance))
    lost = shapely.is_missing(simple) | shapely.is_empty(simple)
    return np.where(lost, polygons, simple)


def gathered(
    geometries: NDArray[np.object_],
    places: NDArray[np.float64],
    states: NDArray[np.int64],
    cell_zoom: int,
    zoom: int,
) -> Gathered:
    """One geometry for all of a state whose place is in one cell, its vertices on whole tile units of two zooms.

    So rounding moves nothing there any more, and what a unit separates at ``zoom`` has grown together.

    Parameters
    ----------
    geometries : (n,) in cells of the grid
    places : (n, 2) position that decides the cell, inside or near the geometry
    states : (n,) number of the state
    cell_zoom : cells are tiles of this zoom of web mercator
    zoom : the highest zoom that shows the result
    """
    grid_cells = _UNITS * 2.0 ** (BITS - 12 - zoom)
    cell = np.floor(places / 2.0 ** (BITS - cell_zoom)).astype(np.int64)
    number = cell[:, 1] * 2**cell_zoom + cell[:, 0]
    order = np.lexsort((states, number))
    begins = np.ones(len(order), dtype=bool)
    begins[1:] = (np.diff(number[order]) != 0) | (np.diff(states[order]) != 0)
    group = np.empty(len(order), dtype=np.int64)
    group[order] = np.cumsum(begins) - 1
    starts = np.append(np.flatnonzero(begins), len(order))
    united = np.empty(len(starts) - 1, dtype=object)
    for k, (begin, end) in enumerate(pairwise(starts)):
        united[k] = together(geometries[order[begin:end]], grid_cells)
    first = order[starts[:-1]]
    areal = shapely.get_dimensions(geometries[first]) == 2
    united = simplified(_never_lost(united, areal, places[first], grid_cells), zoom)
    return Gathered(united, group, first, number[order[starts[:-1]]])


def together(geometries: NDArray[np.object_], grid_cells: float) -> shapely.Geometry:
    """One geometry of several on a grid: neighbours melt along the borders that they share."""
    there = geometries[~(shapely.is_missing(geometries) | shapely.is_empty(geometries))]
    dimension = shapely.get_dimensions(there)
    kinds = [there[dimension == k] for k in (0, 1, 2)]
    united = []
    if len(kinds[2]):
        united.append(_united_polygons(kinds[2], grid_cells))
    if len(kinds[1]):
        united.append(shapely.line_merge(shapely.union_all(kinds[1])))
    if len(kinds[0]):
        # Points stand for each other: one in the middle.
        united.append(shapely.centroid(shapely.multipoints(shapely.get_coordinates(kinds[0]))))
    if len(united) == 1:
        return united[0]
    return shapely.geometrycollections([part for one in united for part in shapely.get_parts(one)])


def _united_polygons(polygons: NDArray[np.object_], grid_cells: float) -> shapely.Geometry:
    """Polygons that only touch melt when they are put on the grid; those that overlap take the slower way."""
    try:
        return shapely.set_precision(shapely.multipolygons(shapely.get_parts(polygons)), grid_cells)
    except shapely.errors.GEOSException:
        return shapely.union_all(made_valid(polygons), grid_size=grid_cells)


def _never_lost(
    united: NDArray[np.object_], areal: NDArray[np.bool_], places: NDArray[np.float64], grid_cells: float
) -> NDArray[np.object_]:
    """Geometries; a group of polygons too small for the grid becomes a square of it."""
    flat = areal & (shapely.is_empty(united) | (shapely.get_dimensions(united) < 2))
    if flat.any():
        low = np.floor(places[flat] / grid_cells) * grid_cells
        united[flat] = shapely.box(low[:, 0], low[:, 1], low[:, 0] + grid_cells, low[:, 1] + grid_cells)
    return united
