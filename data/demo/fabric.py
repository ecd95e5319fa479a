"""The fabric between the zones: what each block is used for, and its parcels.

A block gets a use from where it lies (town core, town edge, industrial side of a town, country, water side); blocks in
the country may get a village or an old works along one side. Then all blocks are divided together until the district
has as many parcels as were asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from data.demo.cutting import Floats, Geometries, Manner, carve, divide, halves, long_axes, polygon_parts
from data.demo.lines import Lines, draw_lake, river_y
from data.demo.plan import Plan, strips_along, town_nearness

# use -> (mean parcel in m² at 20,000 parcels, elongation from which a piece is cut across)
_LOTS: dict[str, tuple[float, float]] = {
    "commercial": (7_000, 1.1),
    "housing": (21_000, 1.2),
    "public": (18_000, 1.1),
    "park": (22_000, 1.4),
    "buffer_green": (16_000, 1.1),
    "utility": (14_000, 1.1),
    "industry": (19_000, 1.15),
    "logistics": (30_000, 1.1),
    "port": (45_000, 1.2),
    "village": (2_600, 1.0),
    "farmland": (46_000, 1.9),
    "pond": (24_000, 1.7),
    "orchard": (30_000, 1.8),
    "forest": (45_000, 1.6),
    "wetland": (38_000, 1.5),
    "works": (7_500, 1.1),  # old industry in villages
    "water": (1e9, 1.0),
    "lake": (1e9, 1.0),
}


@dataclass(frozen=True, slots=True)
class Fabric:
    """Parcels outside the zones: polygon, use, whether it is old scattered industry; blocks as zoning wants them."""

    polygons: Geometries
    use: NDArray[np.object_]
    scattered: NDArray[np.bool_]
    block_polygons: Geometries
    block_use: NDArray[np.object_]
    port: shapely.Point
    no_roads: shapely.Geometry  # port and lake: roads end there


def _port_land(lines: Lines) -> tuple[shapely.Geometry, shapely.Geometry, shapely.Point]:
    """Quay land on the south bank, storage land behind it, and the quay's middle."""
    river = lines.waters[0].surface
    x = np.linspace(-2900, -1550, 60)
    south = shapely.Polygon(np.r_[np.column_stack([x, river_y(x)]), np.column_stack([x[::-1], river_y(x[::-1]) - 620])])
    near, far = shapely.buffer(river, 190), shapely.buffer(river, 380)
    quay = south.intersection(near).difference(shapely.buffer(river, 3))
    storage = south.intersection(far).difference(shapely.buffer(river, 204))
    middle = shapely.Point(-2225, float(river_y(np.array([-2225.0]))[0]) - 100)
    return quay, storage, middle


def _water_parcels(lines: Lines, plan: Plan) -> Geometries:
    """The surfaces of the rivers inside the district, the smaller river ending where it meets the larger."""
    taken = shapely.Polygon()
    parts: list[Geometries] = []
    for water in lines.waters:
        inside = shapely.difference(shapely.intersection(water.pieces, plan.district), taken)
        parts.append(polygon_parts(inside, 400, 4)[0])
        taken = shapely.union(taken, water.surface)
    return np.concatenate(parts)


def _quarters(ring: shapely.Geometry) -> Geometries:
    """A ring in four pieces without a hole."""
    x, y = shapely.get_coordinates(shapely.centroid(shapely.convex_hull(ring)))[0] if not ring.is_empty else (0.0, 0.0)
    far = 1e5
    boxes = shapely.box(
        [x, x - far, x - far, x], [y, y, y - far, y - far], [x + far, x, x, x + far], [y + far, y + far, y, y]
    )
    return np.asarray(shapely.intersection(ring, boxes))


def _block_use(plan: Plan, centre: Floats, rng: np.random.Generator) -> NDArray[np.object_]:
    n = len(centre)
    nearness = town_nearness(plan.towns, centre) * rng.lognormal(0, 0.10, n)
    core = plan.towns.radius_m > 0
    tree = shapely.STRtree(shapely.points(plan.towns.centres[core]))
    town = np.flatnonzero(core)[tree.nearest(shapely.points(centre))]
    away = centre - plan.towns.centres[town]
    side = np.cos(np.arctan2(away[:, 1], away[:, 0]) - plan.towns.industry_angle[town])

    def draw(uses: list[str], shares: list[float]) -> NDArray[np.object_]:
        return rng.choice(np.array(uses, dtype=object), n, p=np.array(shares) / np.sum(shares))

    middle = draw(["commercial", "housing", "public", "park"], [0.5, 0.25, 0.18, 0.07])
    town_use = draw(["housing", "commercial", "public", "park", "industry", "utility"], [60, 8, 11, 8, 9, 2])
    edge = draw(["housing", "industry", "park", "orchard", "farmland", "public"], [30, 12, 10, 8, 34, 6])
    country = draw(["farmland", "pond", "orchard", "forest"], [86, 6, 4, 4])
    use = np.where(nearness < 0.27, middle, np.where(nearness < 1.0, town_use, np.where(nearness < 1.4, edge, country)))
    industrial = (nearness > 0.6) & (nearness < 1.55) & (side > 0.72)
    return np.where(industrial & (rng.random(n) < 0.85), "industry", use).astype(object)


def _villages(
    blocks: Geometries, use: NDArray[np.object_], density: Floats, rng: np.random.Generator
) -> tuple[Geometries, NDArray[np.object_]]:
    """A strip of houses, or an old works, along the long side of some country blocks."""
    country = np.flatnonzero((use == "farmland") & (shapely.area(blocks) > 40_000))
    country = country[rng.random(len(country)) < density[country]]
    land = blocks[country]
    centre, axis, size = long_axes(land)
    side = rng.choice([-1.0, 1.0], len(land))
    depth = rng.uniform(70, 135, len(land))
    normal = np.column_stack([-axis[:, 1], axis[:, 0]])
    origin = centre + normal * (side * (size[:, 1] / 2 - depth))[:, None]
    left, right, _ = halves(land, origin, axis, np.full(len(land), 5.0), size[:, 0] * 2 + 10)
    strip, rest = np.where(side > 0, left, right), np.where(side > 0, right, left)
    strip_parts, strip_of = polygon_parts(strip, 2500, 14)
    rest_parts, _ = polygon_parts(rest, 2500, 14)
    works = rng.random(len(land)) < 0.15
    stay = np.ones(len(blocks), dtype=bool)
    stay[country] = False
    strip_use = np.where(works[strip_of], "works", "village")
    return (
        np.r_[blocks[stay], strip_parts, rest_parts],
        np.r_[use[stay], strip_use, np.full(len(rest_parts), "farmland")].astype(object),
    )


def draw_fabric(plan: Plan, lines: Lines, zones: list[shapely.Polygon], count: int, rng: np.random.Generator) -> Fabric:
    """Parcels of everything outside the zones, ``count`` of them within a few (metres from the district's centre)."""
    quay, storage, port = _port_land(lines)
    port_land = shapely.union_all([quay, storage]).buffer(14)
    surfaces = np.array([water.surface for water in lines.waters], dtype=object)
    motorways = np.array(lines.motorways, dtype=object)
    lake = draw_lake()
    large = [
        shapely.buffer(surfaces, 8),
        shapely.buffer(motorways, 20),
        shapely.buffer([lines.railway], 14),
        shapely.buffer(zones, 15),
    ]
    # What is left over narrower than 24 m becomes road-side ground.
    blocks, _ = carve(plan.blocks, np.concatenate([*large, np.array([port_land, lake.buffer(80)])]), 1500, 12)
    width = np.r_[np.where(shapely.area(surfaces) > 2.5e6, 75.0, 34.0), np.full(len(motorways), 58.0)]
    blocks, strips, followed = strips_along(blocks, np.r_[surfaces, motorways], width)
    centre = shapely.get_coordinates(shapely.centroid(blocks))
    use = _block_use(plan, centre, rng)
    nearness = town_nearness(plan.towns, centre)
    density = np.clip(0.62 - 0.035 * nearness, 0.34, 0.6)
    blocks, use = _villages(blocks, use, density, rng)
    in_town = town_nearness(plan.towns, shapely.get_coordinates(shapely.centroid(strips))) < 1.3
    bank_use = np.where(in_town, "park", np.where(rng.random(len(strips)) < 0.6, "wetland", "forest"))
    strip_use = np.where(followed >= len(surfaces), "buffer_green", bank_use)
    water = _water_parcels(lines, plan)
    ports = polygon_parts(shapely.intersection(np.array([quay, storage], dtype=object), plan.district), 400, 10)[0]
    port_use = np.where(shapely.distance(ports, surfaces[0]) < 50, "port", "logistics")
    shore = polygon_parts(_quarters(lake.buffer(70).difference(lake.buffer(3)).intersection(plan.district)), 900, 10)[0]
    lakes = polygon_parts(np.array([lake.intersection(plan.district)], dtype=object), 900, 10)[0]
    all_blocks = np.r_[blocks, strips, shore, water, lakes, ports]
    waters = [np.full(len(shore), "wetland"), np.full(len(water), "water"), np.full(len(lakes), "lake")]
    all_use = np.concatenate([use, strip_use, *waters, port_use]).astype(object)
    lots = np.array([_LOTS[u] for u in all_use], dtype=float)
    manner = Manner(lots[:, 0], lots[:, 1], wobble_deg=4.5, spread=0.42)
    pieces = divide(all_blocks, manner, rng, count=count, min_area_m2=250, min_width_m=5)
    parcel_use = all_use[pieces.parent]
    n = len(parcel_use)
    # A neighbourhood is not all housing, nor a village all houses.
    other = rng.random(n)
    pick = rng.choice(np.array(["commercial", "public", "park"], dtype=object), n, p=[0.5, 0.25, 0.25])
    parcel_use = np.where((parcel_use == "housing") & (other < 0.10), pick, parcel_use)
    parcel_use = np.where(
        (parcel_use == "industry") & (other < 0.05), rng.choice(["logistics", "utility", "buffer_green"], n), parcel_use
    )
    parcel_use = np.where((parcel_use == "village") & (other < 0.03), "village_service", parcel_use)
    parcel_use = np.where((parcel_use == "village") & (other > 0.94), "pond", parcel_use)
    parcel_use = np.where((parcel_use == "farmland") & (other < 0.02), "facility", parcel_use).astype(object)
    scattered = (parcel_use == "works") | (parcel_use == "industry")
    parcel_use[parcel_use == "works"] = "industry"
    return Fabric(pieces.polygons, parcel_use, scattered, all_blocks, all_use, port, shapely.union(port_land, lake))
