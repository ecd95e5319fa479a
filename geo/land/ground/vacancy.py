"""Vacant land inside a parcel: the largest single piece without buildings and the aprons around them."""

from __future__ import annotations

import numpy as np
import shapely

from geo import crs
from geo.land.ground.areas import largest_free_m2
from geo.land.ground.free import MITRE_LIMIT
from geo.land.ground.outlines import Floats, Geometries, Ints, Outlines, attempted, outlines_of, rows_of, unions
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
    aprons = _Aprons(standing.houses, standing.footprints, apron_m)
    for first in range(0, len(result), CHUNK):
        rows = np.arange(first, min(first + CHUNK, len(result)))
        low, high = np.searchsorted(parcel, (first, first + CHUNK))
        start = np.searchsorted(parcel[low:high], np.append(rows, rows[-1] + 1))
        result[rows] = _in_chunk(standing.land[rows], building[low:high], start, aprons, width_m)
    return result


class _Aprons:
    """Buildings with the ground around them, as polygons in EPSG:4490; drawn when first asked for, and once."""

    def __init__(self, houses: Geometries, footprints: Outlines, width_m: float) -> None:
        self.houses, self.footprints, self.width_m = houses, footprints, width_m
        self._drawn = np.full(len(houses), None, dtype=object)

    def of(self, building: Ints) -> Geometries:
        """The aprons of (k,) buildings."""
        wanted = np.zeros(len(self._drawn), dtype=bool)
        wanted[building] = True
        new = np.flatnonzero(wanted & shapely.is_missing(self._drawn))
        origin, scale = self.footprints.xy[self.footprints.begin[new]], self.footprints.scale[new]
        flat = _shifted(self.houses[new], origin, scale)
        wide = attempted(lambda each: _widened(each, self.width_m), flat)
        self._drawn[new] = _shifted(wide, -origin * scale, 1 / scale)
        return np.asarray(self._drawn[building])


def _in_chunk(land: Geometries, house: Ints, start: Ints, aprons: _Aprons, width_m: float) -> Floats:
    outlines = outlines_of(land)
    drawn = outlines.end > outlines.begin
    vacant = np.where(drawn, outlines.area_m2, np.nan)
    several = np.flatnonzero(shapely.get_num_geometries(land) > 1)
    vacant[several] = _largest_part(land[several])
    built = np.flatnonzero((start[1:] > start[:-1]) & drawn)
    if width_m > 0:
        free = land.copy()
        free[built] = _without(land, built, house, start, aprons)
        left = np.flatnonzero(drawn)
        vacant[left] = _largest_part(_opened(free[left], outlines, left, width_m))
        return vacant
    # Simple outlines are widened by the kernel; the rest once a building, whose bays and recesses their aprons fill.
    count = np.append(0, np.cumsum(start[built + 1] - start[built]))
    members = house[rows_of(start, built)]
    vacant[built] = largest_free_m2(built, count, members, outlines, aprons.footprints, aprons.width_m)
    built = built[np.isnan(vacant[built])]
    if len(built):
        count = np.append(0, np.cumsum(start[built + 1] - start[built]))
        used, place = np.unique(house[rows_of(start, built)], return_inverse=True)
        vacant[built] = largest_free_m2(built, count, place, outlines, outlines_of(aprons.of(used)), 0.0)
        built = built[np.isnan(vacant[built])]
        # Parcels that lie on one another (flats of one estate) have the same answer, which for hundreds of buildings
        # takes a while.
        _, one, same = np.unique(shapely.to_wkb(land[built]), return_index=True, return_inverse=True)
        vacant[built] = _largest_part(_without(land, built[one], house, start, aprons))[same]
    return vacant


def _without(land: Geometries, rows: Ints, house: Ints, start: Ints, aprons: _Aprons) -> Geometries:
    """Parcels ``rows`` minus the aprons of their buildings, by GEOS."""
    owner = np.repeat(np.arange(len(rows)), start[rows + 1] - start[rows])
    _, taken = unions(aprons.of(house[rows_of(start, rows)]), owner)
    return attempted(shapely.difference, land[rows], taken)


def _opened(free: Geometries, outlines: Outlines, rows: Ints, width_m: float) -> Geometries:
    """What is left of (k,) geometries where nothing narrower than ``width_m`` counts, in metres around each parcel."""
    origin, scale = outlines.xy[outlines.begin[rows]], outlines.scale[rows]
    flat = _shifted(free, origin, scale)
    core = attempted(lambda each: _widened(each, -width_m / 2), flat)
    opened = attempted(shapely.intersection, attempted(lambda each: _widened(each, width_m / 2), core), flat)
    return _shifted(opened, -origin * scale, 1 / scale)


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
