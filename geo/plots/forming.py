"""Forming plots: components that reach the wanted area, cut where their outline is too narrow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.plots import shape
from geo.plots.bridging import Gaps
from geo.plots.contiguity import Relation
from geo.plots.exclusion import Pieces, subtract
from geo.plots.parameters import PlotRules
from geo.plots.polygons import polygonal_parts
from geo.plots.sharing import each

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Below a square millimetre a difference of areas is rounding.
AREA_SLACK_M2 = 1e-6
# A hole of an outline up to this size is no land that anybody lacks.
PINHOLE_M2 = 1.0
_NOTHING = shapely.from_wkt("POLYGON EMPTY")


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
    """A plot: its outline, its land, and whether it was cut from a larger group because of its width."""

    outline: shapely.Geometry
    land: list[Land]
    cut: bool = False

    @property
    def area_m2(self) -> float:
        return float(sum(part.area_m2 for part in self.land))


@dataclass(frozen=True, slots=True)
class Group:
    """Pieces that are connected at one gap and hold enough land.

    ``rows`` of the pieces, ``land`` their polygons, ``grounds`` the same land with the pieces that touch merged,
    ``bridges`` the strips between them.
    """

    rows: Ints
    land: Geometries
    grounds: Geometries
    bridges: Geometries


@dataclass(frozen=True, slots=True)
class Judged:
    """A group after the width test.

    ``outlines`` of the parts that are wide enough · ``inside`` the land of each piece in each part, ``None`` where the
    group stays whole · ``rest`` what the opening removed of each piece.
    """

    outlines: Geometries
    inside: list[Geometries] | None
    rest: Geometries | None


@dataclass(frozen=True, slots=True)
class WidthTest:
    """The outline opened by half the width must stay one and keep its share of the area; a picklable function."""

    min_width_m: float
    keep: float
    tolerance_m: float

    def __call__(self, group: Group) -> Judged:
        outline = _outline(group.grounds, group.bridges, self.tolerance_m)
        parts = shape.wide_parts(outline, self.min_width_m, self.keep)
        if parts is None:
            return Judged(np.array([outline], dtype=object), None, None)
        # A corridor is cut, not the plot thrown away: every piece of the opening is judged by itself.
        # What the opening removes are small bits along the border, so the land is cut by these and not by the parts.
        removed = shapely.get_parts(shapely.difference(outline, shapely.multipolygons(parts)))
        kept, taken = subtract(group.land, removed[shapely.area(removed) > 0])
        taken[shapely.is_missing(taken)] = _NOTHING
        return Judged(parts, _shared_out(kept, parts), taken)


def _shared_out(land: Geometries, parts: Geometries) -> list[Geometries]:
    """The land of each piece in each part: every polygon of it belongs to the part that its inner point lies in."""
    polygons, piece = shapely.get_parts(land, return_index=True)
    some = (shapely.get_dimensions(polygons) == 2) & (shapely.area(polygons) > 0)
    polygons, piece = polygons[some], piece[some]
    inside = [np.full(len(land), _NOTHING, dtype=object) for _ in parts]
    if len(parts) == 0:
        return inside
    point = shapely.point_on_surface(polygons)
    of_part = np.full(len(polygons), -1)
    shapely.prepare(parts)
    for number, part in enumerate(parts):
        of_part[shapely.intersects(part, point)] = number
    # The inner point of a sliver along a part's border may lie outside by rounding.
    lost = np.flatnonzero(of_part < 0)
    if len(lost):
        place, nearest = shapely.STRtree(parts).query_nearest(point[lost], all_matches=False)
        of_part[lost[place]] = nearest
    for number, share in enumerate(inside):
        mine = np.flatnonzero(of_part == number)
        if len(mine) == 0:
            continue
        rows, start = np.unique(piece[mine], return_index=True)
        for row, group in zip(rows, np.split(polygons[mine], start[1:]), strict=True):
            share[row] = group[0] if len(group) == 1 else shapely.multipolygons(group)
    return inside


def groups_at(
    relation: Relation,
    gaps: Gaps,
    pieces: Geometries,
    grounds: Geometries,
    area_m2: Floats,
    reach_m: float,
    rules: PlotRules,
) -> tuple[list[Group], Ints, Floats]:
    """Groups that hold enough land at one gap, with the label of every piece and the land of every label.

    Parameters
    ----------
    pieces : (n,) polygons · ``area_m2`` (n,) their ellipsoidal areas · ``grounds`` of ``merged_where_touching``
    reach_m : float, one of the reaches of the relation
    """
    joined = relation.joined(reach_m, rules.frontage_m)
    label = relation.components(joined)
    land_m2: Floats = np.bincount(label, area_m2, minlength=label.max() + 1 if len(label) else 0).astype(np.float64)
    large = np.flatnonzero(land_m2 >= rules.min_area_m2 - AREA_SLACK_M2)
    if len(large) == 0:
        return [], label, land_m2
    wanted = joined & np.isin(label[relation.pairs[:, 0]], large)
    pair, bridge = gaps.bridges(wanted, reach_m)
    rows, bridges = (
        _by_label(np.arange(len(label)), label, large),
        _by_label(np.arange(len(pair)), label[relation.pairs[pair, 0]], large),
    )
    return (
        [
            Group(mine, pieces[mine], _present(grounds[mine]), bridge[strips])
            for mine, strips in zip(rows, bridges, strict=True)
        ],
        label,
        land_m2,
    )


def _present(geometries: Geometries) -> Geometries:
    return geometries[~shapely.is_missing(geometries)]


def _by_label(rows: Ints, label: Ints, wanted: Ints) -> list[Ints]:
    """Rows of each wanted label, ascending."""
    order = np.argsort(label, kind="stable")
    low = np.searchsorted(label[order], wanted, side="left")
    high = np.searchsorted(label[order], wanted, side="right")
    return [rows[order[a:b]] for a, b in zip(low, high, strict=True)]


def judged(rungs: Sequence[Sequence[Group]], rules: PlotRules, processes: int = 1) -> list[list[Judged]]:
    """The width test of every group of every gap; a group that is the same at several gaps is tested once."""
    test = WidthTest(rules.min_width_m, rules.keep, rules.tolerance_m)
    keys = [[_key(group) for group in rung] for rung in rungs]
    different: dict[tuple[bytes, bytes], Group] = {}
    for names, rung in zip(keys, rungs, strict=True):
        different.update(zip(names, rung, strict=True))
    # The largest first, so that no process is left with it at the end.
    order = sorted(different, key=lambda key: -len(different[key].bridges) - len(different[key].rows))
    answers = dict(zip(order, each(test, (different[key] for key in order), processes), strict=True))
    return [[answers[key] for key in names] for names in keys]


def _key(group: Group) -> tuple[bytes, bytes]:
    return group.rows.tobytes(), b"".join(shapely.to_wkb(group.bridges).tolist())


def form_plots(
    groups: list[Group], results: list[Judged], pieces: Pieces, scale: Floats, rules: PlotRules
) -> tuple[list[Formed], list[Leftover]]:
    """Plots of one gap, and the land of large groups that is in none of them.

    Parameters
    ----------
    groups, results : groups that hold enough land, and their width tests
    scale : (p,) float64, ellipsoidal over plane area of each parcel
    """
    formed: list[Formed] = []
    leftovers: list[Leftover] = []
    for group, result in zip(groups, results, strict=True):
        rows = group.rows
        factor = scale[pieces.parcel[rows]]
        area_m2 = shapely.area(group.land) * factor
        if result.inside is None or result.rest is None:
            land = [Land(*part) for part in zip(group.land, rows.tolist(), area_m2.tolist(), strict=True)]
            formed.append(Formed(result.outlines[0], land))
            continue
        for outline, inside in zip(result.outlines, result.inside, strict=True):
            land = list(_some(inside, rows, shapely.area(inside) * factor))
            total = float(sum(part.area_m2 for part in land))
            if total >= rules.min_area_m2 - AREA_SLACK_M2:
                formed.append(Formed(outline, land, cut=True))
            else:
                leftovers += [Leftover(part, "too_small", total) for part in land]
        rest = _some(result.rest, rows, shapely.area(result.rest) * factor)
        leftovers += [Leftover(part, "too_narrow", float(area_m2.sum())) for part in rest]
    return formed, leftovers


def too_small(pieces: Pieces, area_m2: Floats, label: Ints, land_m2: Floats, rules: PlotRules) -> list[Leftover]:
    """Pieces of groups that do not hold enough land."""
    rows = np.flatnonzero(land_m2[label] < rules.min_area_m2 - AREA_SLACK_M2)
    return [
        Leftover(Land(pieces.geometry[row], int(row), float(area_m2[row])), "too_small", float(land_m2[label[row]]))
        for row in rows
    ]


def _some(land: Geometries, rows: Ints, area_m2: Floats) -> Iterable[Land]:
    return (Land(land[i], int(rows[i]), float(area_m2[i])) for i in np.flatnonzero(area_m2 > 0))


def merged_where_touching(pieces: Geometries, label: Ints, rows: Ints) -> Geometries:
    """The ground of each piece's strict component, (n,) object, for the pieces in ``rows``; the others stay ``None``.

    A larger gap joins whole components, so their inner borders are dissolved once for all gaps.
    """
    ground = np.full(len(pieces), None, dtype=object)
    order = rows[np.argsort(label[rows], kind="stable")]
    _, start = np.unique(label[order], return_index=True)
    for group in np.split(order, start[1:]) if len(order) else ():
        # The first piece of a component carries its ground.
        ground[group[0]] = pieces[group[0]] if len(group) == 1 else _union(pieces[group])
    return ground


def _outline(grounds: Geometries, bridges: Geometries, tolerance_m: float) -> shapely.Geometry:
    """Pieces and bridges as one ground; cracks that the tolerance counts as touching are closed."""
    ground = _union(grounds)
    shapely.prepare(ground)
    # Most stretches across a narrow lane run over land that is in the plot anyway; they add nothing but time.
    strips = bridges[~shapely.covers(ground, bridges)]
    union = _union(np.array([ground, _union(strips)], dtype=object)) if len(strips) else ground
    reach = max(tolerance_m, 0.01) / 2
    closed = shapely.buffer(shapely.buffer(union, reach, join_style="mitre"), -reach, join_style="mitre")
    # Mitres can fold a border over itself, and closing leaves threads: only ground counts.
    whole = polygonal_parts(np.array([_union(np.array([shapely.make_valid(closed), union], dtype=object))]))
    whole = _without_pinholes(whole)
    return whole[0] if len(whole) == 1 else shapely.multipolygons(whole)


def _without_pinholes(polygons: Geometries) -> Geometries:
    """Polygons without the holes that strips leave between them; thousands of these make the width test slow."""
    rings, owner = shapely.get_rings(polygons, return_index=True)
    shell = np.r_[True, owner[1:] != owner[:-1]] if len(owner) else np.empty(0, dtype=bool)
    kept = shell | (shapely.area(shapely.polygons(rings)) > PINHOLE_M2)
    if kept.all():
        return polygons
    return np.asarray(shapely.polygons(rings[kept], indices=owner[kept]))


def _union(polygons: Geometries) -> shapely.Geometry:
    """Union; where rounding leaves two borders crossing that nothing cut, once more on a grid of a tenth of a mm."""
    try:
        return shapely.union_all(polygons)
    except shapely.GEOSException:
        return shapely.union_all(polygons, grid_size=1e-4)
