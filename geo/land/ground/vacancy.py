"""Vacant land inside a parcel: the largest single piece without buildings and the aprons around them."""

from __future__ import annotations

import numpy as np
import shapely

from geo import crs
from geo.land.ground.areas import largest_free_m2
from geo.land.ground.free import MITRE_LIMIT
from geo.land.ground.outlines import Floats, Geometries, Ints, attempted, outlines_of, rows_of
from geo.land.ground.standing import CHUNK, Standing

# Where two aprons, or an apron and the border, touch, rounding leaves slits; through a millimetre no piece goes on.
_SLIT_M = 1e-3


def vacant_m2(standing: Standing, apron_m: float, width_m: float) -> Floats:
    """Largest vacant piece of each parcel, ellipsoidal m²; ``nan`` where a parcel has no polygon.

    Parameters
    ----------
    standing : buildings on parcels; one that only spills onto a parcel takes nothing from it, one that stands across a
        border has its apron on either side, and one that stands beside it has its apron on its own side alone
    apron_m : ground around a building that is not vacant, with mitred corners
    width_m : what is narrower than this is not vacant (morphological opening); 0 for whatever width

    Notes
    -----
    Aprons are drawn in metres by the length of a degree at the parcel's own latitude, which is as exact as a projection
    for the size of a parcel (1e-5 for 1 km). They are half a millimetre wider than asked for, so that a slit of up to a
    millimetre between two buildings joins no pieces.
    """
    apron_m += _SLIT_M / 2
    result = np.full(len(standing.land), np.nan)
    stands = standing.share > 0
    building, parcel = standing.building[stands], standing.parcel[stands]
    for first in range(0, len(result), CHUNK):
        rows = np.arange(first, min(first + CHUNK, len(result)))
        low, high = np.searchsorted(parcel, (first, first + CHUNK))
        start = np.searchsorted(parcel[low:high], np.append(rows, rows[-1] + 1))
        result[rows] = _in_chunk(standing, rows, building[low:high], start, apron_m, width_m)
    return result


def _in_chunk(standing: Standing, rows: Ints, house: Ints, start: Ints, apron_m: float, width_m: float) -> Floats:
    land = standing.land[rows]
    outlines = outlines_of(land)
    vacant = np.where(outlines.end > outlines.begin, outlines.area_m2, np.nan)
    several = np.flatnonzero(shapely.get_num_geometries(land) > 1)
    vacant[several] = _largest_part(land[several])
    built = start[1:] > start[:-1]
    if width_m > 0:
        left = np.flatnonzero(outlines.end > outlines.begin)
    else:
        on = np.flatnonzero(built)
        vacant[on] = largest_free_m2(on, np.append(start[on], start[-1]), house, outlines, standing.footprints, apron_m)
        left = on[np.isnan(vacant[on]) & (outlines.end[on] > outlines.begin[on])]
    if len(left):
        origin, scale = outlines.xy[outlines.begin[left]], outlines.scale[left]
        vacant[left] = _by_clipping(standing, land[left], left, house, start, origin, scale, apron_m, width_m)
    return vacant


def _by_clipping(
    standing: Standing, land: Geometries, rows: Ints, house: Ints, start: Ints, origin: Floats, scale: Floats,
    apron_m: float, width_m: float,
) -> Floats:  # fmt: skip
    """The same by buffers and differences, in metres around each parcel's ``origin``."""
    count = start[rows + 1] - start[rows]
    owner = np.repeat(np.arange(len(rows)), count)
    member = house[rows_of(start, rows)]
    free = _shifted(land, origin, scale)
    if len(owner):
        houses = _shifted(standing.houses[member], origin[owner], scale[owner])
        parts, of = shapely.get_parts(houses, return_index=True)
        built, groups = shapely.multipolygons(parts, indices=owner[of]), np.unique(owner)
        built = built[groups] if len(built) == len(rows) else built
        aprons = attempted(lambda each: _widened(each, apron_m), built)
        free[groups] = attempted(shapely.difference, free[groups], aprons)
    if width_m > 0:
        core = attempted(lambda each: _widened(each, -width_m / 2), free)
        free = attempted(shapely.intersection, attempted(lambda each: _widened(each, width_m / 2), core), free)
    return _largest_part(_shifted(free, -origin * scale, 1 / scale))


def _widened(geometries: Geometries, by_m: float) -> Geometries:
    return np.asarray(shapely.buffer(geometries, by_m, join_style="mitre", mitre_limit=MITRE_LIMIT), dtype=object)


def _shifted(geometries: Geometries, origin: Floats, scale: Floats) -> Geometries:
    """Each geometry in its own plane: minus its ``origin`` (n, 2), times its ``scale`` (n, 2)."""
    result = np.array(shapely.force_2d(geometries), dtype=object)
    xy, of = shapely.get_coordinates(result, return_index=True)
    shapely.set_coordinates(result, (xy - origin[of]) * scale[of])
    return result


def _largest_part(geometries: Geometries) -> Floats:
    """Ellipsoidal area of the largest polygon of each geometry in EPSG:4490, m²; ``nan`` for ``None``."""
    parts, of = shapely.get_parts(geometries, return_index=True)
    largest = np.zeros(len(geometries))
    np.maximum.at(largest, of, crs.ellipsoidal_area(parts))
    return np.where(shapely.is_missing(geometries), np.nan, largest)
