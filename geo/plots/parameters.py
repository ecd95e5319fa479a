"""Every number of the contiguity model, in one frozen dataclass that is kept with the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from geo.errors import InvalidParameter
from geo.plots.setbacks import Setback
from geo.units import m2

# Whatever the gap, these are never crossed; a local road may be, up to its width limit.
NEVER_CROSSED = ("motorway", "railway", "river")
# Excluded land that also blocks the gap; the outside of the urban boundary only costs land.
FORBIDDEN_LAND = ("basic_farmland", "ecological_redline")


@dataclass(frozen=True, slots=True)
class PlotRules:
    """Parameters of the search for contiguous plots; lengths in metres in the local 3-degree zone, areas ellipsoidal.

    Parameters
    ----------
    gap_m : widest strip of other land across which two pieces are still neighbours
    tolerance_m : digitising slop that counts as touching; never added to a gap above it
    frontage_m : length along which two neighbours must face each other
    min_area_m2 : land a plot must hold (pieces, not bridged gaps); 500 mu
    min_width_m, keep : the outline opened by half the width must stay one and keep this share of its area
    sliver_width_m : what cutting leaves narrower than this is dropped and reported
    road_width_limit_m : a local road up to this width may be bridged
    bridge_over : what may lie in a bridged gap: ``any`` land, ``unparcelled`` ground only, or land-use codes (prefixes)
    excluded : control-line kinds that are cut away
    road_gap_m : reach across a local road that may be bridged; ``None`` leaves it to the gap
    slope_limit_pct : natural slope above which ground is cut where an elevation model is given (CJJ 83-2016, 4.0.1)
    setbacks : set-backs of the law in force for barriers without their own; none: only each barrier's ``setback_m``
    near_m : how far around a plot the answer to "why not larger" looks
    road_near_m : outline within this distance of a road is frontage
    ladder_m : gaps for which the number of plots is reported beside the result
    """

    gap_m: float = 20.0
    tolerance_m: float = 0.1
    frontage_m: float = 10.0
    min_area_m2: float = m2(500.0)
    min_width_m: float = 50.0
    keep: float = 0.9
    sliver_width_m: float = 5.0
    road_width_limit_m: float = 24.0
    bridge_over: Literal["any", "unparcelled"] | tuple[str, ...] = "any"
    excluded: tuple[str, ...] = ("basic_farmland", "ecological_redline", "urban_boundary")
    road_gap_m: float | None = None
    slope_limit_pct: float = 15.0
    setbacks: tuple[Setback, ...] = ()
    near_m: float = 100.0
    road_near_m: float = 30.0
    ladder_m: tuple[float, ...] = (0.0, 5.0, 10.0, 20.0, 30.0, 45.0)

    def __post_init__(self) -> None:
        limits = {
            "gap_m": (0, 100),
            "tolerance_m": (0, 5),
            "frontage_m": (0, 1000),
            "min_area_m2": (0, 1e9),
            "min_width_m": (0, 1000),
            "keep": (0, 1),
            "sliver_width_m": (0, 100),
            "road_width_limit_m": (0, 200),
            "road_gap_m": (0, 100),
            "slope_limit_pct": (0, 1000),
            "near_m": (1, 1000),
            "road_near_m": (0, 1000),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise InvalidParameter(f"{name} = {value} 超出范围 {low}～{high}", where=name)
        if any(not 0 <= gap <= 100 for gap in self.ladder_m):
            raise InvalidParameter("ladder_m 中的间距须在 0～100 米之间", where="ladder_m")

    @property
    def reach_m(self) -> float:
        """Distance within which two pieces can be neighbours."""
        return max(self.gap_m, self.tolerance_m)
