"""The plan outside the industrial zones: county roads as a bent lattice, towns, and street blocks with their use.

The lattice is drawn straight (the plan), divided into blocks there, and then bent into the district by ``noise.warp``;
large lines and zones are taken out afterwards. Metres from the district's centre throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from data.demo.cutting import Floats, Geometries, Ints, Manner, carve, divide, polygon_parts
from data.demo.names import town_name
from data.demo.noise import hashed_uniform, warp
from data.demo.parameters import Parameters


@dataclass(frozen=True, slots=True)
class TownPlan:
    """Towns in the order of their numbers: names, centres (n, 2), core radius (n,), side on which industry lies (n,)."""

    names: list[str]
    centres: Floats
    radius_m: Floats
    industry_angle: Floats


@dataclass(frozen=True, slots=True)
class Plan:
    """The district before parcels.

    ``towns_of`` is the town number of each superblock, ``superblocks`` the bent lattice cells (they tile the district);
    ``roads`` are county and higher roads with their class.
    """

    towns: TownPlan
    superblocks: Geometries
    superblock_town: Ints
    district: shapely.Geometry
    roads: Geometries
    road_class: NDArray[np.object_]
    blocks: Geometries
    block_superblock: Ints
    streets: Geometries
    street_gap_m: Floats


def place_towns(parameters: Parameters, half_width_m: float, half_height_m: float) -> TownPlan:
    """The named towns of the parameter file, and towns on a jittered lattice beyond them."""
    named = parameters.towns
    names = [town.name for town in named]
    centres = [np.array([town.at for town in named], dtype=float)]
    radius = [np.array([town.radius_m for town in named])]
    step = parameters.plan["town_spacing_m"]
    reach = int(max(half_width_m, half_height_m) / step) + 2
    i, j = (a.ravel() for a in np.meshgrid(np.arange(-reach, reach + 1), np.arange(-reach, reach + 1), indexing="ij"))
    far = np.maximum(np.abs(i), np.abs(j)) >= 2
    i, j = i[far], j[far]
    order = np.lexsort((i, j, i * i + j * j))
    i, j = i[order], j[order]
    jitter = np.column_stack([hashed_uniform(i, j, 1), hashed_uniform(i, j, 2)]) - 0.5
    extra = (np.column_stack([i, j]) + 0.45 * jitter) * step
    inside = (np.abs(extra[:, 0]) < half_width_m + step) & (np.abs(extra[:, 1]) < half_height_m + step)
    centres.append(extra[inside])
    radius.append(650 + 650 * hashed_uniform(i, j, 3)[inside] ** 2)
    names += [town_name(k) for k in range(int(inside.sum()))]
    xy = np.concatenate(centres)
    angle = 2 * np.pi * hashed_uniform(xy[:, 0].astype(np.int64), xy[:, 1].astype(np.int64), 4)
    return TownPlan(names, xy, np.concatenate(radius), angle)


def _lattice(parameters: Parameters, half_width_m: float, half_height_m: float) -> tuple[Floats, Ints, Ints]:
    step = parameters.plan["lattice_m"]
    nx, ny = int(half_width_m / step) + 2, int(half_height_m / step) + 2
    i, j = np.meshgrid(np.arange(-nx, nx + 1), np.arange(-ny, ny + 1), indexing="ij")
    jitter = np.stack([hashed_uniform(i, j, 5), hashed_uniform(i, j, 6)], axis=-1) - 0.5
    return (np.stack([i, j], axis=-1) + 2 * parameters.plan["lattice_jitter"] * jitter) * step, i, j


def draw_plan(parameters: Parameters, area_m2: float, zone_outlines: list[shapely.Polygon], rng: np.random.Generator) -> Plan:
    """District, towns, roads and street blocks for a district of about ``area_m2``."""
    ratio = parameters.plan["width_to_height"]
    half_height = 0.5 * np.sqrt(area_m2 / ratio) * 1.2
    half_width = half_height * ratio
    half_width, half_height = max(half_width, 11_500.0), max(half_height, 9_000.0)
    nodes, i, j = _lattice(parameters, half_width, half_height)
    ring = np.stack([nodes[:-1, :-1], nodes[1:, :-1], nodes[1:, 1:], nodes[:-1, 1:]], axis=2).reshape(-1, 4, 2)
    quads = shapely.polygons(ring)

    # The district: the superblocks nearest to the centre (in a wobbly ellipse), those at the zones first.
    centre = warp(ring.mean(axis=1))
    angle = np.arctan2(centre[:, 1], centre[:, 0])
    wobble = 1 + 0.10 * np.sin(3 * angle + 0.7) + 0.06 * np.sin(5 * angle + 2.0)
    distance = np.hypot(centre[:, 0] / ratio, centre[:, 1]) / wobble
    to_zone = shapely.distance(shapely.union_all(zone_outlines), shapely.points(centre))
    key = np.minimum(distance, to_zone * 4)
    order = np.argsort(key, kind="stable")
    taken = np.sort(order[: max(1, int(np.searchsorted(np.cumsum(shapely.area(quads)[order]), area_m2)))])
    chosen = np.zeros(len(quads), dtype=bool)
    chosen[taken] = True

    towns = place_towns(parameters, half_width, half_height)
    # Towns own the superblocks nearest to their centre; the zones' town is drawn over a wider reach.
    owner = _nearest(towns, centre[chosen])
    bent = shapely.transform(shapely.segmentize(quads[chosen], 120.0), warp)
    district = shapely.union_all(bent, grid_size=0.01)

    roads, road_class = _lattice_roads(nodes, i, j, chosen.reshape(nodes.shape[0] - 1, nodes.shape[1] - 1))
    blocks, owner_of_block, streets, gaps = _blocks(parameters, quads[chosen], roads, road_class, towns, rng)
    return Plan(
        towns,
        bent,
        owner,
        district,
        shapely.transform(shapely.segmentize(roads, 120.0), warp),
        road_class,
        blocks,
        owner_of_block,
        shapely.transform(shapely.segmentize(streets, 90.0), warp),
        gaps,
    )


def _nearest(towns: TownPlan, xy: Floats) -> Ints:
    tree = shapely.STRtree(shapely.points(towns.centres))
    return np.asarray(tree.nearest(shapely.points(xy)), dtype=np.int64)


def _lattice_roads(nodes: Floats, i: Ints, j: Ints, chosen: NDArray[np.bool_]) -> tuple[Geometries, NDArray[np.object_]]:
    """Lattice edges that border the district, in the plan; every fifth line is national, every other fifth provincial."""
    padded = np.pad(chosen, 1)
    along_x = padded[1:-1, 1:] | padded[1:-1, :-1]  # edge (a, b)-(a+1, b)
    along_y = padded[1:, 1:-1] | padded[:-1, 1:-1]  # edge (a, b)-(a, b+1)
    horizontal = shapely.linestrings(np.stack([nodes[:-1], nodes[1:]], axis=2)[along_x])
    vertical = shapely.linestrings(np.stack([nodes[:, :-1], nodes[:, 1:]], axis=2)[along_y])

    def grade(index: Ints, salt: int) -> NDArray[np.object_]:
        place = (index + salt) % 8
        return np.where(place == 0, "national", np.where(place == 4, "provincial", "county")).astype(object)

    classes = np.r_[grade(j[:-1][along_x], 2), grade(i[:, :-1][along_y], 3)]
    return np.r_[horizontal, vertical], classes


def _blocks(
    parameters: Parameters, quads: Geometries, roads: Geometries, road_class: NDArray[np.object_], towns: TownPlan,
    rng: np.random.Generator,
) -> tuple[Geometries, Ints, Geometries, Floats]:  # fmt: skip
    """Street blocks inside the superblocks, bent; small in towns and large in the country."""
    inset = shapely.buffer(quads, -parameters.roads["county_gap_m"] / 2, join_style="mitre")
    wide = road_class != "county"
    half = np.where(road_class[wide] == "national", parameters.roads["national_gap_m"], parameters.roads["provincial_gap_m"]) / 2
    land, owner = carve(inset, shapely.buffer(roads[wide], half, cap_style="square"), 5000, 30)
    xy = warp(shapely.get_coordinates(shapely.centroid(land)))
    nearness = town_nearness(towns, xy)
    rural = nearness > 1.5
    step = [
        (~rural, 4.0e4, ((0.0, 11.0), (9e4, 15.0), (4e5, 20.0)), 5.0),
        (rural, 2.9e5, ((0.0, 8.0), (9e5, 10.0)), 7.0),
    ]
    blocks, owners, streets, gaps = [], [], [], []
    for mask, target, widths, wobble in step:
        if not mask.any():
            continue
        subset, of = land[mask], owner[mask]
        size = np.full(len(subset), target)
        if target < 1e5:  # blocks grow from the middle of a town outwards
            size *= np.clip(0.7 + 0.9 * nearness[mask], 0.7, 2.2)
        manner = Manner(size, np.full(len(subset), 1.15), wobble, 0.3, widths)
        pieces = divide(subset, manner, rng, min_area_m2=2500, min_width_m=18)
        blocks.append(pieces.polygons)
        owners.append(of[pieces.parent])
        streets.append(pieces.street_lines)
        gaps.append(pieces.street_gap_m)
    bent = shapely.transform(shapely.segmentize(np.concatenate(blocks), 90.0), warp)
    return bent, np.concatenate(owners), np.concatenate(streets), np.concatenate(gaps)


def town_nearness(towns: TownPlan, xy: Floats) -> Floats:
    """Distance to the nearest town core in core radii (points far from every core: large)."""
    core = np.flatnonzero(towns.radius_m > 0)
    tree = shapely.STRtree(shapely.points(towns.centres[core]))
    k = core[tree.nearest(shapely.points(xy))]
    best = np.hypot(*(xy - towns.centres[k]).T) / towns.radius_m[k]
    # A large town may reach farther than a nearer small one.
    big = core[np.argsort(-towns.radius_m[core])[:1]]
    return np.asarray(np.minimum(best, np.hypot(*(xy - towns.centres[big[0]]).T) / towns.radius_m[big[0]]))


def town_of(plan: Plan, geometries: Geometries) -> Ints:
    """Town number of the superblock under each geometry's inner point (the nearest superblock where none is)."""
    tree = shapely.STRtree(plan.superblocks)
    return plan.superblock_town[tree.nearest(shapely.point_on_surface(geometries))]


def carve_large(blocks: Geometries, owner: Ints, cutters: Geometries) -> tuple[Geometries, Ints]:
    """Blocks without the large lines and zones; strips that are left over narrower than 24 m become road-side ground."""
    land, index = carve(blocks, cutters, 1500, 12)
    return land, owner[index]


def strips_along(blocks: Geometries, near: Geometries, width_m: Floats) -> tuple[Geometries, Geometries, Ints]:
    """Blocks without a strip along some lines, the strips, and which line each strip follows.

    One line after the other: where two meet, the first takes the land.
    """
    strips: list[Geometries] = []
    followed: list[Ints] = []
    for k, zone in enumerate(shapely.buffer(near, width_m)):
        hit = np.zeros(len(blocks), dtype=bool)
        hit[shapely.STRtree(blocks).query(zone, predicate="intersects")] = True
        parts, _ = polygon_parts(shapely.intersection(blocks[hit], zone), 1500, 10)
        strips.append(parts)
        followed.append(np.full(len(parts), k, dtype=np.int64))
        rest, _ = polygon_parts(shapely.difference(blocks[hit], zone), 1500, 12)
        blocks = np.r_[blocks[~hit], rest]
    return blocks, np.concatenate(strips), np.concatenate(followed)
