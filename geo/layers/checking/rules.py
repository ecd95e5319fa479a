"""Every tolerance of quality control, in two frozen dataclasses that are kept with each load."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CoverageRules:
    """What counts as a fault between polygons that should cover land once and without slits.

    Parameters
    ----------
    tolerance_m : borders nearer than this are meant to be one border
    overlap_min_m2 : overlaps above it are counted as overlaps, those below as unclean borders only
    gap_width_m : a strip of ground narrower than this between polygons is a slit, not a lane
    gap_min_m2 : slits smaller than this are unclean borders only
    hole_area_m2 : enclosed ground up to this area is a gap, whatever its width
    sliver_width_m : a polygon whose mean width 2A/P is below this is a sliver
    worst : how many places of each kind are kept for the map
    """

    tolerance_m: float = 0.1
    overlap_min_m2: float = 1.0
    gap_width_m: float = 1.0
    gap_min_m2: float = 0.1
    hole_area_m2: float = 10.0
    sliver_width_m: float = 1.0
    worst: int = 200


@dataclass(frozen=True, slots=True)
class QualityRules:
    """Tolerances and ranges of the checks of a load.

    Parameters
    ----------
    repair_area_share : a repair that changes the area by more than this share is reported as 面积变化
    area_of_use_margin_deg : how far a row may lie outside the area of use of its coordinate system (districts are
        delivered in one zone although they reach over its edge)
    tiny_area_m2 : smaller polygons are reported
    declared_area_share, declared_area_m2 : declared and ellipsoidal area may differ by the larger of the two
    percent : range of percentages
    year_first, year_last : range of years; no date lies before the first of January of the first
    years_ahead : dates may lie so many years after the date of the data (without one: at the end of ``year_last``)
    far_max, floors_max, height_max_m, speed_max_kmh : above them a value is reported
    examples : how many examples each finding carries
    coverage : rules of the coverage, ``None`` to leave it unmeasured
    """

    repair_area_share: float = 0.01
    area_of_use_margin_deg: float = 1.0
    tiny_area_m2: float = 1.0
    declared_area_share: float = 0.01
    declared_area_m2: float = 10.0
    percent: tuple[float, float] = (0.0, 100.0)
    year_first: int = 1949
    year_last: int = 2100
    years_ahead: int = 50
    far_max: float = 30.0
    floors_max: int = 200
    height_max_m: float = 1000.0
    speed_max_kmh: float = 400.0
    examples: int = 5
    coverage: CoverageRules | None = CoverageRules()
