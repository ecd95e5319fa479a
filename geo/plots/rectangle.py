"""Rectangles in a plot: does a building of W x H fit, at any rotation, and how large is the largest that does.

Both answers come with a certificate: a placement that an independent test confirms (GEOS ``covers``), or a subdivision
of all places and angles that leaves no room (``rectangle_search``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.errors import InvalidParameter
from geo.plots import rectangle_search as search
from geo.plots.sharing import each

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]

# Ground is surveyed to the millimetre: a side that is less than this over the border counts as touching it.
HAIR_M = 1e-3
# Above so many edges the proofs look at a simpler outline, and allow for how far it may lie from the true one.
_MANY_EDGES = 400
# Drift that the proof of the largest rectangle allows itself, as a share of the side of a square of the same area.
_DRIFT = 8e-4
_SIMPLER_M = 0.02
_DIRECTIONS = 32
_LEAST_SIDE_M = 0.01
# A rectangle whose long side is below 2 cm is none.
_POINT_M2 = 4e-4
# Poses tested before the search gives up and says what is left open; some microseconds each.
MOST_POSES = 300_000


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a rectangle fits, and why.

    Attributes
    ----------
    fits : bool or None
        True: the rectangle, a hair (1 mm) less on every side, lies at ``corners``. False: even so shrunk it lies
        nowhere, at no angle. None: undecided, and never to be read as a no.
    corners : (4, 2) float64 or None, counter-clockwise in the polygon's system, the long side first
    angle_deg : float or None, of the length, counter-clockwise from east, 0 <= angle < 180
    proof : "area" (the polygon is smaller), "placement", "angles" (every range of places and angles is excluded), and
        for an undecided one "tolerance" (a rectangle shorter by ``tolerance_m`` in both sides may fit) or "limit"
    tolerance_m : float, of the question
    angles_tested : int, poses (a place and an angle, each with the range around it) tested
    """

    fits: bool | None
    corners: Floats | None
    angle_deg: float | None
    proof: str
    tolerance_m: float
    angles_tested: int


@dataclass(frozen=True, slots=True)
class Rectangle:
    """The largest rectangle found in a polygon, and the bound that none exceeds.

    Attributes
    ----------
    corners : (4, 2) float64 or None, counter-clockwise, the long side first; None when nothing of the least width fits
    length_m, width_m, area_m2 : float
    angle_deg : float, of the length, counter-clockwise from east, 0 <= angle < 180; NaN without corners
    upper_bound_m2 : float, no rectangle of the least width in the polygon, at any angle, is larger
    poses_tested : int
    """

    corners: Floats | None
    length_m: float
    width_m: float
    angle_deg: float
    area_m2: float
    upper_bound_m2: float
    poses_tested: int

    @property
    def gap(self) -> float:
        """What may be missing: the bound's excess as a share of the area (infinite without a rectangle)."""
        return self.upper_bound_m2 / self.area_m2 - 1 if self.area_m2 > 0 else np.inf


@dataclass(frozen=True, slots=True)
class Rectangles:
    """Largest rectangles of n polygons, row by row as ``Rectangle``; NaN and 0 where there is none."""

    corners: Floats
    length_m: Floats
    width_m: Floats
    angle_deg: Floats
    area_m2: Floats
    upper_bound_m2: Floats


@dataclass(frozen=True, slots=True)
class _Outline:
    """A polygon as arrays around its own middle."""

    polygon: shapely.Geometry
    middle: Floats
    reach: Floats
    exact: Floats
    simple: Floats
    drift_m: float
    directions: Floats


def fits(
    polygon: shapely.Geometry,
    length_m: float,
    width_m: float,
    *,
    tolerance_m: float = 0.5,
    most_poses: int = MOST_POSES,
) -> Fit:
    """Whether a rectangle fits into a polygon at any rotation, and where.

    The answer is consistent: what fits still fits smaller, what does not fit never fits larger; only "undecided" may
    lie between.

    Parameters
    ----------
    polygon : polygon or multipolygon, metric, concave or with holes; of a multipolygon any one part
    length_m, width_m : float, sides in metres, in either order
    tolerance_m : float, metres by which both sides may be too long before the answer has to be a no
    most_poses : int, work limit

    Raises
    ------
    InvalidParameter
        A side or the tolerance is no number of at least 1 cm.
    """
    for name, value in (("length_m", length_m), ("width_m", width_m), ("tolerance_m", tolerance_m)):
        if not (np.isfinite(value) and value >= _LEAST_SIDE_M):
            raise InvalidParameter(
                f"矩形检验的参数不可小于 {_LEAST_SIDE_M} 米，实为 {value}", where=name, remedy="请给出以米为单位的正数"
            )
    hw, hh = max(length_m, width_m) / 2, min(length_m, width_m) / 2
    tested, proof = 0, "area"
    for part in _parts(polygon):
        if shapely.area(part) < 4 * (hw - HAIR_M) * (hh - HAIR_M):
            continue
        proof = "angles" if proof == "area" else proof
        outline = _outline(part, drift_m=min(2 * _SIMPLER_M, tolerance_m / 10))
        # Half of the hair decides, the other half is left to the rounding of the check.
        verdict, x, y, angle, poses = search.find_box(
            outline.simple, outline.exact, outline.reach[0], outline.reach[1], hw - HAIR_M / 2, hh - HAIR_M / 2,
            outline.drift_m, HAIR_M / 4, tolerance_m / 2 - HAIR_M, outline.directions, most_poses - tested,
        )  # fmt: skip
        tested += poses
        box = np.array([-hw, hw, -hh, hh])
        if verdict == search.YES and _lies_inside(outline, _corners(outline, (x, y, angle), box, HAIR_M)):
            corners = _corners(outline, (x, y, angle), box)
            return Fit(True, corners, float(np.degrees(angle) % 180 % 180), "placement", tolerance_m, tested)
        if verdict != search.NO:
            proof = "limit" if verdict == search.LIMIT else "tolerance"
    return Fit(False if proof in ("area", "angles") else None, None, None, proof, tolerance_m, tested)


def largest_rectangle(
    polygon: shapely.Geometry,
    *,
    accuracy: float = 0.02,
    least_width_m: float = 0.0,
    most_poses: int = MOST_POSES,
) -> Rectangle:
    """The largest rectangle in a polygon at any rotation, with a bound that none exceeds.

    Parameters
    ----------
    polygon : polygon or multipolygon, metric, concave or with holes; of a multipolygon any one part
    accuracy : float, the search ends when the bound is within this share of the area found
    least_width_m : float, metres; narrower rectangles do not count, neither as an answer nor for the bound
    most_poses : int, work limit; when it is reached the bound stays where it is and ``gap`` tells

    Raises
    ------
    InvalidParameter
        The accuracy is not between 0 and 1, or the least width is negative.
    """
    if not 0 < accuracy < 1:
        raise InvalidParameter(f"精度须在 0 与 1 之间，实为 {accuracy}", where="accuracy", remedy="例如 0.02")
    if not (np.isfinite(least_width_m) and least_width_m >= 0):
        raise InvalidParameter(f"最小宽度不可为负，实为 {least_width_m}", where="least_width_m", remedy="请给出米数")
    best = Rectangle(None, 0.0, 0.0, np.nan, 0.0, _POINT_M2, 0)
    upper, tested = _POINT_M2, 0
    for part in _parts(polygon):
        if shapely.area(part) <= max(best.area_m2, least_width_m**2, _POINT_M2):
            break  # the others are smaller still
        # The bound is wider by the drift on every side: of a plot of 500 mu by less than half a per cent.
        outline = _outline(part, drift_m=float(np.clip(_DRIFT * np.sqrt(shapely.area(part)), 2 * _SIMPLER_M, 0.5)))
        seed = shapely.get_coordinates(shapely.point_on_surface(part))[0] - outline.middle
        area, bound, pose, box, poses = search.find_largest(
            outline.simple, outline.exact, seed[0], seed[1], outline.reach[0], outline.reach[1],
            float(shapely.area(part)), best.area_m2, least_width_m / 2, outline.drift_m, accuracy, outline.directions,
            most_poses - tested,
        )  # fmt: skip
        upper, tested = max(upper, bound), tested + poses
        if area > best.area_m2 and _lies_inside(outline, _corners(outline, pose, box, HAIR_M)):
            best = _long_side_first(outline, pose, box)
    return replace(best, upper_bound_m2=upper, poses_tested=tested)


def _long_side_first(outline: _Outline, pose: Floats, box: Floats) -> Rectangle:
    if box[1] - box[0] < box[3] - box[2]:  # turned by a right angle: u' = v and v' = -u
        pose, box = pose + np.array([0.0, 0.0, np.pi / 2]), np.array([box[2], box[3], -box[1], -box[0]])
    length, width = float(box[1] - box[0]), float(box[3] - box[2])
    angle = float(np.degrees(pose[2]) % 180 % 180)
    return Rectangle(_corners(outline, pose, box), length, width, angle, length * width, 0.0, 0)


def inscribed_rectangles(
    outlines: Geometries,
    *,
    accuracy: float = 0.02,
    least_width_m: float = 0.0,
    most_poses: int = MOST_POSES,
    processes: int = 1,
) -> Rectangles:
    """``largest_rectangle`` of (n,) polygons as arrays: corners (n, 4, 2), the others (n,)."""
    work = partial(largest_rectangle, accuracy=accuracy, least_width_m=least_width_m, most_poses=most_poses)
    found = list(each(work, outlines, processes))
    nowhere = np.full((4, 2), np.nan)
    corners = np.array([nowhere if one.corners is None else one.corners for one in found]).reshape(-1, 4, 2)
    names = ("length_m", "width_m", "angle_deg", "area_m2", "upper_bound_m2")
    return Rectangles(corners, *(np.array([getattr(one, name) for one in found], dtype=float) for name in names))


def _parts(polygon: shapely.Geometry) -> Geometries:
    """The polygons of a geometry, repaired if need be, the largest first."""
    if polygon is None or shapely.is_empty(polygon):
        return np.empty(0, dtype=object)
    if not shapely.is_valid(polygon):
        polygon = shapely.make_valid(polygon)
    parts = np.asarray(shapely.get_parts(shapely.get_parts(polygon)))
    return parts[np.argsort(-shapely.area(parts), kind="stable")]


def _edges(part: shapely.Geometry, middle: Floats) -> Floats:
    xy, ring = shapely.get_coordinates(shapely.get_rings(part), return_index=True)
    xy = xy - middle
    same = (ring[1:] == ring[:-1]) & (xy[1:] != xy[:-1]).any(axis=1)
    return np.ascontiguousarray(np.hstack([xy[:-1], xy[1:]])[same])


def _outline(part: shapely.Geometry, drift_m: float) -> _Outline:
    low_x, low_y, high_x, high_y = shapely.bounds(part)
    middle = np.array([low_x + high_x, low_y + high_y]) / 2
    exact = _edges(part, middle)
    simple, drift = exact.copy(), 0.0
    if len(exact) > _MANY_EDGES:
        # A dropped border lies within the tolerance of what replaces it, the end of a ring within twice as much.
        fewer = _edges(shapely.simplify(part, drift_m / 2, preserve_topology=True), middle)
        if len(fewer) < 0.8 * len(exact):
            simple, drift = fewer, drift_m
    reach = np.array([high_x - low_x, high_y - low_y]) / 2
    return _Outline(part, middle, reach, exact, simple, drift, _strongest(simple))


def _strongest(edges: Floats) -> Floats:
    """Directions (radians, modulo a half turn) along and across the edges, those with the greatest length first."""
    along = edges[:, 2:] - edges[:, :2]
    length = np.hypot(along[:, 0], along[:, 1])
    angle = np.arctan2(along[:, 1], along[:, 0]) % (np.pi / 2)
    cell = np.round(angle / np.deg2rad(0.1)).astype(np.int64) % 900
    weight = np.bincount(cell, length, minlength=900)
    # Of each cell its longest edge speaks, so that a rectangle is found at its own angle to the last digit.
    order = np.lexsort((-length, cell))
    first = order[np.r_[True, cell[order][1:] != cell[order][:-1]]]
    chosen = first[np.argsort(-weight[cell[first]], kind="stable")][:_DIRECTIONS]
    return np.column_stack([angle[chosen], angle[chosen] + np.pi / 2]).ravel()


def _corners(outline: _Outline, pose: tuple[float, float, float] | Floats, box: Floats, less_m: float = 0.0) -> Floats:
    """Corners of a box of a pose in the polygon's system, its sides moved inward by ``less_m``."""
    west, east, south, north = box + np.array([less_m, -less_m, less_m, -less_m])
    cos, sin = np.cos(pose[2]), np.sin(pose[2])
    at = np.array([(west, south), (east, south), (east, north), (west, north)])
    return at @ np.array([[cos, sin], [-sin, cos]]) + np.array([pose[0], pose[1]]) + outline.middle


def _lies_inside(outline: _Outline, corners: Floats) -> bool:
    return bool(shapely.covers(outline.polygon, shapely.polygons(corners)))
