"""Forming plots: components that reach the wanted area, cut where their outline is too narrow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.plots import shape
from geo.plots.contiguity import Relation
from geo.plots.exclusion import Pieces, polygonal
from geo.plots.parameters import PlotRules

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]

# Below a square millimetre a difference of areas is rounding.
AREA_SLACK_M2 = 1e-6


@dataclass(frozen=True, slots=True)
class Land:
    """A part of a piece that belongs to a plot or is left over."""

    geometry: shapely.Geometry
    piece: int
    area_m2: float


@dataclass(frozen=True, slots=True)
class Leftover:
    """Land in no plot: why, and how much land the group it came from had."""

    land: Land
    reason: str
    group_area_m2: float


@dataclass(frozen=True, slots=True)
class Formed:
    outline: shapely.Geometry
    land: list[Land]

    @property
    def area_m2(self) -> float:
        return float(sum(part.area_m2 for part in self.land))


def form_plots(
    relation: Relation, pieces: Pieces, scale: Floats, reach_m: float, rules: PlotRules, *, account: bool = True
) -> tuple[list[Formed], list[Leftover]]:
    """Plots at one gap, and with ``account`` the land that is in none of them."""
    joined = relation.joined(reach_m, rules.frontage_m)
    label = relation.components(joined)
    area_m2 = shapely.area(pieces.geometry) * scale[pieces.parcel]
    group_area = np.bincount(label, area_m2, minlength=label.max() + 1 if len(label) else 0)
    large = group_area >= rules.min_area_m2 - AREA_SLACK_M2
    leftovers = [
        Leftover(Land(pieces.geometry[row], int(row), float(area_m2[row])), "too_small", float(group_area[label[row]]))
        for row in (np.flatnonzero(~large[label]) if account else ())
    ]
    bridge_pair, bridge = relation.bridges(joined, reach_m, rules.tolerance_m)
    bridge_label = label[relation.pairs[bridge_pair, 0]] if len(bridge_pair) else np.empty(0, dtype=np.int64)
    formed: list[Formed] = []
    for group in np.flatnonzero(large):
        rows = np.flatnonzero(label == group)
        outline = _outline(pieces.geometry[rows], bridge[bridge_label == group], rules.tolerance_m)
        opened = shape.opened(outline, rules.min_width_m)
        parts = shapely.get_parts(opened)
        parts = parts[(shapely.get_dimensions(parts) == 2) & (shapely.area(parts) > 1.0)]
        one = len(shapely.get_parts(outline)) == 1 and len(parts) == 1
        if one and shapely.area(opened) >= rules.keep * shapely.area(outline):
            land = [Land(pieces.geometry[row], int(row), float(area_m2[row])) for row in rows]
            formed.append(Formed(outline, land))
            continue
        # A corridor is cut, not the plot thrown away: every piece of the opening is judged by itself.
        rest = pieces.geometry[rows].copy()
        for part in parts:
            inside, rest = _split_by(pieces.geometry[rows], rest, part)
            inside_m2 = shapely.area(inside) * scale[pieces.parcel[rows]]
            land = [Land(inside[i], int(rows[i]), float(inside_m2[i])) for i in np.flatnonzero(inside_m2 > 0)]
            total = float(inside_m2.sum())
            if total >= rules.min_area_m2 - AREA_SLACK_M2:
                formed.append(Formed(part, land))
            else:
                leftovers += [Leftover(item, "too_small", total) for item in land]
        rest_m2 = shapely.area(rest) * scale[pieces.parcel[rows]]
        leftovers += [
            Leftover(Land(rest[i], int(rows[i]), float(rest_m2[i])), "too_narrow", float(group_area[group]))
            for i in np.flatnonzero(rest_m2 > 0)
        ]
    return formed, leftovers


def _split_by(whole: Geometries, rest: Geometries, part: shapely.Geometry) -> tuple[Geometries, Geometries]:
    """Each piece inside a part of the opening, and its rest outside; overlay only where the border runs."""
    shapely.prepare(part)
    inside = np.full(len(whole), shapely.from_wkt("POLYGON EMPTY"), dtype=object)
    covered = shapely.covers(part, whole)
    inside[covered] = whole[covered]
    rest = rest.copy()
    rest[covered] = shapely.from_wkt("POLYGON EMPTY")
    border = ~covered & shapely.intersects(part, whole)
    inside[border] = polygonal(shapely.intersection(whole[border], part))
    rest[border] = polygonal(shapely.difference(rest[border], part))
    return inside, rest


def _outline(pieces: Geometries, bridges: Geometries, tolerance_m: float) -> shapely.Geometry:
    """Pieces and bridges as one ground; cracks that the tolerance counts as touching are closed."""
    ground = shapely.union_all(pieces)
    shapely.prepare(ground)
    # Most stretches across a narrow lane run over land that is in the plot anyway; they add nothing but time.
    union = shapely.union_all(np.concatenate([[ground], bridges[~shapely.covers(ground, bridges)]]))
    reach = max(tolerance_m, 0.01) / 2
    closed = shapely.buffer(shapely.buffer(union, reach, join_style="mitre"), -reach, join_style="mitre")
    return shapely.union(closed, union)
