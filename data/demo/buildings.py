"""Building footprints: rows of rectangles along a parcel's long side, with floors that add up to its floor area."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from data.demo.cutting import Floats, Geometries, Ints, long_axes

# use -> building length, depth, space between, distance from the border (m), most along, most across, floors from, to
_FORMS: dict[str, tuple[float, float, float, float, int, int, int, int]] = {
    "industry": (85, 48, 16, 9, 3, 3, 1, 3),
    "logistics": (120, 60, 24, 12, 3, 3, 1, 2),
    "port": (90, 40, 40, 25, 3, 2, 1, 1),
    "housing": (46, 13, 24, 9, 4, 8, 6, 18),
    "commercial": (48, 26, 16, 7, 3, 2, 2, 12),
    "public": (56, 17, 22, 10, 2, 4, 3, 6),
    "utility": (30, 16, 20, 10, 2, 2, 1, 2),
    "village": (21, 9.5, 6, 2.5, 4, 3, 1, 3),
    "village_service": (24, 10, 8, 4, 2, 2, 1, 3),
    "rail": (140, 22, 40, 20, 2, 1, 1, 1),
    "facility": (60, 11, 14, 8, 2, 5, 1, 1),
}


@dataclass(frozen=True, slots=True)
class Buildings:
    """Footprints (metres), the row of the parcel each stands on, floors, storey height (m) and floor area (m²)."""

    polygons: Geometries
    parcel: Ints
    floors: Ints
    storey_m: Floats
    floor_area_m2: Floats


def draw_buildings(
    polygons: Geometries, use: NDArray[np.object_], floor_area_m2: Floats, rng: np.random.Generator
) -> Buildings:
    """Buildings on parcels of built uses.

    Parameters
    ----------
    polygons : (n,) parcels in metres
    use : (n,) use of each; uses without a form (farmland, water, parks) stay empty
    floor_area_m2 : (n,) what the floor areas of a parcel must add up to; 0 leaves it empty, NaN leaves it free
    """
    rows = np.flatnonzero(np.isin(use, list(_FORMS)) & ~(floor_area_m2 <= 0))
    form = np.array([_FORMS[u] for u in use[rows]], dtype=float)
    centre, axis, size = long_axes(polygons[rows])
    filled = np.sqrt(
        shapely.area(polygons[rows]) / size.prod(axis=1)
    )  # a crooked parcel leaves less room in its rectangle
    room = np.maximum(size * filled[:, None] - 2 * form[:, 3:4], 4.0)
    unit = np.minimum(form[:, :2], room)
    fits = np.floor((room + form[:, 2:3]) / (unit + form[:, 2:3]))
    many = np.clip(fits, 1, form[:, 4:6]).astype(int)
    # What the rows leave over goes to the buildings of sheds (industry), to the space between elsewhere.
    shed = np.isin(use[rows], ("industry", "logistics"))
    grown = (room - (many - 1) * form[:, 2:3]) / many
    unit = np.where(shed[:, None], np.minimum(grown, form[:, :2] * 2.2), unit)
    pitch = np.where(many > 1, (room - unit) / np.maximum(many - 1, 1), 0)
    total = many.prod(axis=1)
    owner = np.repeat(np.arange(len(rows)), total)
    rank = np.arange(len(owner)) - np.repeat(np.cumsum(total) - total, total)
    step = np.column_stack([rank % many[owner, 0], rank // many[owner, 0]])
    offset = step * pitch[owner] - (many[owner] - 1) * pitch[owner] / 2
    dims = unit[owner] * rng.uniform(0.78, 1.0, (len(owner), 2)) / 2
    along, normal = axis[owner], np.column_stack([-axis[owner, 1], axis[owner, 0]])
    middle = centre[owner] + along * offset[:, :1] + normal * offset[:, 1:]
    corners = np.stack(
        [
            middle + along * (sx * dims[:, :1]) + normal * (sy * dims[:, 1:])
            for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        ],
        axis=1,
    )
    rectangles = shapely.polygons(corners)
    keep = shapely.contains_properly(polygons[rows[owner]], rectangles) & (rng.random(len(owner)) > 0.07)
    rectangles, owner = rectangles[keep], owner[keep]
    rectangles, owner = _at_least_one(polygons[rows], axis, rectangles, owner)
    keep = _few_enough(owner, shapely.area(rectangles), floor_area_m2[rows])
    rectangles, owner = rectangles[keep], owner[keep]
    footprint = shapely.area(rectangles)
    wanted = floor_area_m2[rows]
    covered = np.bincount(owner, footprint, minlength=len(rows))
    low, high = form[:, 6].astype(int), form[:, 7].astype(int)
    free = rng.integers(low, high + 1)
    tall = np.where(np.isnan(wanted), free, np.clip(np.ceil(wanted / np.maximum(covered, 1)), 1, 9)).astype(np.int64)
    share = np.where(np.isnan(wanted), tall, wanted / np.maximum(covered, 1))
    storey = np.where(shed, 6.0, 3.2)
    return Buildings(rectangles, rows[owner], tall[owner], storey[owner], footprint * share[owner])


def _at_least_one(
    polygons: Geometries, axis: Floats, rectangles: Geometries, owner: Ints
) -> tuple[Geometries, Ints]:  # fmt: skip
    """A square in the widest place of each parcel on which no row of buildings fits; the order of parcels stays."""
    bare = np.setdiff1d(np.arange(len(polygons)), owner)
    if len(bare) == 0:
        return rectangles, owner
    spokes = shapely.maximum_inscribed_circle(polygons[bare], 1.0)
    ends = shapely.get_coordinates(spokes).reshape(-1, 2, 2)
    half = 0.6 * shapely.length(spokes)[:, None]
    along, normal = axis[bare] * half, np.column_stack([-axis[bare, 1], axis[bare, 0]]) * half
    middle = ends[:, 0]
    squares = shapely.polygons(
        np.stack(
            [middle - along - normal, middle + along - normal, middle + along + normal, middle - along + normal], axis=1
        )
    )
    order = np.argsort(np.r_[owner, bare], kind="stable")
    return np.r_[rectangles, squares][order], np.r_[owner, bare][order]


def _few_enough(owner: Ints, footprint: Floats, wanted_m2: Floats) -> NDArray[np.bool_]:
    """Leaves out the last buildings of a parcel whose floor area would not even fill one storey of them."""
    if len(owner) == 0:
        return np.zeros(0, dtype=bool)
    before = np.cumsum(footprint) - footprint
    first = np.r_[True, owner[1:] != owner[:-1]]
    start = np.maximum.accumulate(np.where(first, np.arange(len(owner)), 0))
    within = before - before[start]
    wanted = wanted_m2[owner]
    return np.asarray(np.isnan(wanted) | first | (within + 0.5 * footprint < wanted))
