"""What may not be built on is cut from the parcels first; every cut says what it cost.

Order: overlaps (to the smaller parcel), control lines, barriers that may not be crossed, set-backs, steep ground,
slivers. Land that two exclusions claim is told with the first, so the order is fixed and never that of the rows. What
is left are the *pieces*, the nodes of the contiguity relation. All geometry here is in the local metric zone.
"""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo.layers.words import WORDS
from geo.plots.overlaps import resolve_overlaps
from geo.plots.parameters import FORBIDDEN_LAND, PlotRules
from geo.plots.polygons import EMPTY, none_without_area, parts_with_owner, polygonal
from geo.plots.setbacks import Setback, UnassessedSetback, setback_ground
from geo.plots.splitting import split_along
from geo.plots.subdividing import TILE_VERTICES, subdivide, subtract
from geo.plots.walls import Walls, areal, bridgeable_roads, forbidden_land, no_walls, walls_of

__all__ = ["TILE_VERTICES", "Pieces", "Walls", "cut", "polygonal", "resolve_overlaps", "subdivide", "subtract"]

Geometries = NDArray[np.object_]
Ints = NDArray[np.int64]

_BARRIER_KINDS = tuple(WORDS["barriers.kind"])


@dataclass(frozen=True, slots=True)
class Pieces:
    """What is left of the eligible parcels.

    ``geometry`` (n,) polygons · ``parcel`` (n,) row of the parcel each belongs to, ascending · ``losses`` one row per
    parcel and reason with the metric ``geometry`` that was taken (``overlap``, a control-line kind, a barrier kind,
    ``setback_`` and a barrier kind, ``steep_slope``, ``sliver``) · ``walls`` what the gap may not cross · ``roads``
    ground of the local roads that may be bridged · ``unassessed`` local roads whose width is missing ·
    ``unassessed_setbacks`` barriers near the land whose set-back is not known, and what is missing · ``setbacks`` rows
    of the table that were applied near the land.
    """

    geometry: Geometries
    parcel: Ints
    losses: pd.DataFrame
    walls: Walls
    roads: Walls
    unassessed: tuple[str, ...] = ()
    unassessed_setbacks: tuple[UnassessedSetback, ...] = ()
    setbacks: tuple[Setback, ...] = ()


class _Account:
    """The land while it is being cut, and what each cut took, so that kept and taken add up to what there was."""

    def __init__(self, land: Geometries) -> None:
        self.land = land
        self.is_cut = np.zeros(len(land), dtype=bool)
        self._losses: list[pd.DataFrame] = []

    def take(self, reason: str, kept: Geometries, taken: Geometries) -> None:
        """Go on with what was kept; write down what was taken."""
        rows = np.flatnonzero(~shapely.is_missing(taken))
        self.land = kept
        self.tell(reason, rows, taken[rows])

    def cut(self, reason: str, ground: Geometries) -> None:
        """Take the ground from the land."""
        if len(ground):
            self.take(reason, *subtract(self.land, ground))

    def tell(self, reason: str, rows: Ints, geometry: Geometries) -> None:
        """Write down what was taken from parcels."""
        self.is_cut[rows] = True
        if len(rows):
            self._losses.append(pd.DataFrame({"parcel": rows, "reason": reason, "geometry": geometry}))

    def split(self, lines: Geometries) -> None:
        """Split the land along lines, which take no area."""
        split = split_along(self.land, lines)
        if split is not self.land:
            self.is_cut |= np.fromiter(map(_is_other, split, self.land), dtype=bool, count=len(split))
            self.land = split

    @property
    def losses(self) -> pd.DataFrame:
        """One row per parcel and reason."""
        if self._losses:
            return pd.concat(self._losses, ignore_index=True)
        nothing = np.empty(0, dtype=object)
        return pd.DataFrame({"parcel": np.empty(0, dtype=np.int64), "reason": nothing, "geometry": nothing})


def cut(
    parcels: gpd.GeoDataFrame,
    control_lines: gpd.GeoDataFrame | None,
    barriers: gpd.GeoDataFrame | None,
    rules: PlotRules,
    steep: gpd.GeoDataFrame | None = None,
) -> Pieces:
    """Cut exclusions and barriers from the eligible parcels.

    Parameters
    ----------
    parcels : eligible parcels with ``parcel_id``, repaired, in the metric zone
    control_lines, barriers : layers in the same system, or ``None`` where the district has none
    steep : polygons of ground steeper than the limit in the same system; costs land and may be bridged
    """
    drawn = np.asarray(parcels.geometry.array)
    account = _Account(drawn)
    account.take("overlap", *resolve_overlaps(drawn, parcels["parcel_id"].to_numpy(dtype=object)))

    walls, unassessed = walls_of(barriers, rules)
    forbidden = no_walls()
    if control_lines is not None and not control_lines.empty:
        forbidden = forbidden_land(control_lines, rules)
        _cut_control_lines(account, control_lines, forbidden, rules)
    ground = areal(walls)
    for kind in _BARRIER_KINDS:
        account.cut(kind, walls.geometry[ground & (walls.kind == kind)])
    unassessed_setbacks: tuple[UnassessedSetback, ...] = ()
    applied: tuple[Setback, ...] = ()
    if barriers is not None and not barriers.empty:
        near = setback_ground(barriers, rules.setbacks, drawn)
        unassessed_setbacks, applied = near.unassessed, near.applied
        for kind in _BARRIER_KINDS:
            account.cut(f"setback_{kind}", near.geometry[near.kind == kind])
    if steep is not None and not steep.empty:
        account.cut("steep_slope", np.asarray(steep.geometry.array))
    account.split(walls.geometry[~ground])

    geometry, parcel = parts_with_owner(account.land)
    narrow = _slivers(geometry, parcel, account.is_cut, drawn, rules.sliver_width_m)
    account.tell("sliver", parcel[narrow], geometry[narrow])
    walls, roads = walls.and_also(forbidden), bridgeable_roads(barriers, rules)
    return Pieces(
        geometry[~narrow], parcel[~narrow], account.losses, walls, roads, unassessed, unassessed_setbacks, applied
    )


def _is_other(one: shapely.Geometry, other: shapely.Geometry) -> bool:
    return one is not other


def _cut_control_lines(account: _Account, control_lines: gpd.GeoDataFrame, forbidden: Walls, rules: PlotRules) -> None:
    kinds = control_lines["kind"].to_numpy(dtype=object)
    lines = np.asarray(control_lines.geometry.array)
    for kind in rules.excluded:
        chosen = lines[kinds == kind]
        if len(chosen) == 0:
            continue
        if kind in FORBIDDEN_LAND:
            account.cut(kind, forbidden.geometry[forbidden.kind == kind])  # in tiles already
            continue
        if kind != "urban_boundary":
            account.cut(kind, chosen)
            continue
        # The outside is what is cut: what the boundary does not cover.
        outside, inside = subtract(account.land, chosen)
        lost = none_without_area(outside)
        kept = np.where(shapely.is_missing(inside), EMPTY, inside)
        account.take(kind, np.where(shapely.is_missing(lost), account.land, kept), lost)


def _slivers(
    geometry: Geometries, parcel: Ints, is_cut: NDArray[np.bool_], drawn: Geometries, width_m: float
) -> NDArray[np.bool_]:
    """Which pieces are narrower than ``width_m``, by opening.

    Parts of a parcel that nothing cut are land as surveyed, however narrow; only leftovers of cutting are slivers.
    """
    narrow = np.zeros(len(geometry), dtype=bool)
    rows = np.flatnonzero(is_cut[parcel])
    if len(rows) == 0:
        return narrow
    cut_parcels = np.flatnonzero(is_cut)
    rows = rows[~_as_surveyed(geometry[rows], parcel[rows], drawn[cut_parcels], cut_parcels)]
    narrow[rows] = shapely.is_empty(shapely.buffer(geometry[rows], -width_m / 2))
    return narrow


def _as_surveyed(pieces: Geometries, parcel: Ints, drawn: Geometries, row: Ints) -> NDArray[np.bool_]:
    """Which pieces are whole parts of their parcel: the same parcel, box and area, to a tenth of a millimetre."""

    def signature(shapes: Geometries, owner: Ints) -> pd.MultiIndex:
        marks = np.round(np.column_stack([shapely.bounds(shapes).reshape(-1, 4), shapely.area(shapes)]), 4)
        return pd.MultiIndex.from_arrays([owner, *marks.T])

    parts, owner = parts_with_owner(drawn)
    return np.asarray(signature(pieces, parcel).isin(signature(parts, row[owner])))
