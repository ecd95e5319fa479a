"""The plan outside the industrial zones: county roads as a bent lattice, towns, and street blocks with their use.

The lattice is drawn straight (the plan), divided into blocks there, and then bent into the district by ``noise.warp``;
large lines and zones are taken out afterwards. Metres from the district's centre throughout.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from data.demo.cutting import Floats, Geometries, Ints, Manner, carve, divide, polygon_parts
from data.demo.names import town_names
from data.demo.noise import hashed_uniform, warp
from data.demo.outline import draw_border
from data.demo.parameters import Parameters


@dataclass(frozen=True, slots=True)
class TownPlan:
    """Towns in the order of their numbers: names, centres (n, 2), core radius (n,), side of the industry (n,)."""

    names: list[str]
    centres: Floats
    radius_m: Floats
    industry_angle: Floats


@dataclass(frozen=True, slots=True)
class Plan:
    """The district before parcels.

    ``superblocks`` are the bent lattice cells, cut at the border (they tile the district), ``superblock_town`` their
    town numbers; ``roads`` are county and higher roads with their class; ``streets`` run between ``blocks``.
    """

    towns: TownPlan
    superblocks: Geometries
    superblock_town: Ints
    district: shapely.Geometry
    roads: Geometries
    road_class: NDArray[np.object_]
    blocks: Geometries
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
    names += town_names(int(inside.sum()), names)
    xy = np.concatenate(centres)
    angle = 2 * np.pi * hashed_uniform(xy[:, 0].astype(np.int64), xy[:, 1].astype(np.int64), 4)
    return TownPlan(names, xy, np.concatenate(radius), angle)


def _lattice(parameters: Parameters, half_width_m: float, half_height_m: float) -> tuple[Floats, Ints, Ints]:
    step = parameters.plan["lattice_m"]
    nx, ny = int(half_width_m / step) + 2, int(half_height_m / step) + 2
    i, j = np.meshgrid(np.arange(-nx, nx + 1), np.arange(-ny, ny + 1), indexing="ij")
    jitter = np.stack([hashed_uniform(i, j, 5), hashed_uniform(i, j, 6)], axis=-1) - 0.5
    return (np.stack([i, j], axis=-1) + 2 * parameters.plan["lattice_jitter"] * jitter) * step, i, j


def draw_plan(
    parameters: Parameters, area_m2: float, zone_outlines: list[shapely.Polygon], rng: np.random.Generator
) -> Plan:
    """District, towns, roads and street blocks for a district of about ``area_m2``."""
    district = draw_border(area_m2, parameters.plan["width_to_height"], zone_outlines)
    shapely.prepare(district)
    west, south, east, north = district.bounds
    half_width, half_height = max(-west, east, 11_500.0), max(-south, north, 9_000.0)
    nodes, i, j = _lattice(parameters, half_width, half_height)
    ring = np.stack([nodes[:-1, :-1], nodes[1:, :-1], nodes[1:, 1:], nodes[:-1, 1:]], axis=2).reshape(-1, 4, 2)
    quads = shapely.polygons(ring)
    bent = shapely.transform(shapely.segmentize(quads, 120.0), warp)
    chosen = shapely.intersects(bent, district)

    towns = place_towns(parameters, half_width, half_height)
    towns, owner = _owners(parameters, towns, bent[chosen], zone_outlines)
    roads, road_class = _lattice_roads(nodes, i, j, chosen.reshape(nodes.shape[0] - 1, nodes.shape[1] - 1))
    blocks, streets, gaps = _blocks(parameters, quads[chosen], roads, road_class, towns, rng)
    return Plan(
        towns,
        _inside(bent[chosen], district),
        owner,
        district,
        _inside(shapely.transform(shapely.segmentize(roads, 120.0), warp), district),
        road_class,
        polygon_parts(_inside(blocks, district), 2000, 14)[0],
        _inside(shapely.transform(shapely.segmentize(streets, 90.0), warp), district),
        gaps,
    )


def _inside(geometries: Geometries, district: shapely.Geometry) -> Geometries:
    """Geometries cut at the district's border; only those that cross it are touched."""
    result = geometries.copy()
    crossing = ~shapely.contains_properly(district, geometries)
    result[crossing] = shapely.intersection(result[crossing], district)
    return result


def _owners(
    parameters: Parameters, towns: TownPlan, superblocks: Geometries, zones: list[shapely.Polygon]
) -> tuple[TownPlan, Ints]:
    """Town of each superblock: the nearest centre; a zone lies in one town; a far town of a few blocks is no town."""
    centre = shapely.get_coordinates(shapely.centroid(superblocks))
    owner = _nearest(towns, centre, np.arange(len(towns.names)))
    few = np.bincount(owner, minlength=len(towns.names)) < 9
    few[: len(parameters.towns)] = False
    if few.any():
        lost = few[owner]
        owner[lost] = _nearest(towns, centre[lost], np.flatnonzero(~few))
    names = [town.name for town in parameters.towns]
    for zone, outline in zip(parameters.zones, zones, strict=True):
        owner[shapely.intersects(superblocks, outline)] = names.index(zone.town)
    return replace(towns, radius_m=np.where(few, 0.0, towns.radius_m)), owner


def _nearest(towns: TownPlan, xy: Floats, among: Ints) -> Ints:
    tree = shapely.STRtree(shapely.points(towns.centres[among]))
    return among[tree.nearest(shapely.points(xy))]


def _lattice_roads(
    nodes: Floats, i: Ints, j: Ints, chosen: NDArray[np.bool_]
) -> tuple[Geometries, NDArray[np.object_]]:
    """Lattice edges that border the district; of eight lines one is national and one provincial."""
    padded = np.pad(chosen, 1)
    along_x = padded[1:-1, 1:] | padded[1:-1, :-1]  # edge (a, b)-(a+1, b)
    along_y = padded[1:, 1:-1] | padded[:-1, 1:-1]  # edge (a, b)-(a, b+1)
    horizontal = shapely.linestrings(np.stack([nodes[:-1], nodes[1:]], axis=2)[along_x])
    vertical = shapely.linestrings(np.stack([nodes[:, :-1], nodes[:, 1:]], axis=2)[along_y])

    def grade(index: Ints, salt: int) -> NDArray[np.object_]:
        place = (index + salt) % 8
        return np.where(place == 0, "national", np.where(place == 4, "provincial", "county")).astype(object)

    classes = np.r_[grade(j[:-1][along_x], 3), grade(i[:, :-1][along_y], 3)]
    return np.r_[horizontal, vertical], classes


def _blocks(
    parameters: Parameters, quads: Geometries, roads: Geometries, road_class: NDArray[np.object_], towns: TownPlan,
    rng: np.random.Generator,
) -> tuple[Geometries, Geometries, Floats]:  # fmt: skip
    """Street blocks inside the superblocks, bent; small in towns and large in the country."""
    inset = shapely.buffer(quads, -parameters.roads["county_gap_m"] / 2, join_style="mitre")
    wide = road_class != "county"
    gap = {c: parameters.roads[f"{c}_gap_m"] for c in ("national", "provincial")}
    half = np.array([gap[c] for c in road_class[wide]]) / 2
    land, _ = carve(inset, shapely.buffer(roads[wide], half, cap_style="square"), 5000, 30)
    xy = warp(shapely.get_coordinates(shapely.centroid(land)))
    nearness = town_nearness(towns, xy)
    rural = nearness > 1.5
    step = [
        (~rural, 4.0e4, ((0.0, 11.0), (9e4, 15.0), (4e5, 20.0)), 5.0),
        (rural, 2.9e5, ((0.0, 8.0), (9e5, 10.0)), 7.0),
    ]
    blocks, streets, gaps = [], [], []
    for mask, target, widths, wobble in step:
        if not mask.any():
            continue
        subset = land[mask]
        size = np.full(len(subset), target)
        if target < 1e5:  # blocks grow from the middle of a town outwards
            size *= np.clip(0.7 + 0.9 * nearness[mask], 0.7, 2.2)
        manner = Manner(size, np.full(len(subset), 1.15), wobble, 0.3, widths)
        pieces = divide(subset, manner, rng, min_area_m2=2500, min_width_m=18)
        blocks.append(pieces.polygons)
        streets.append(pieces.street_lines)
        gaps.append(pieces.street_gap_m)
    bent = shapely.transform(shapely.segmentize(np.concatenate(blocks), 90.0), warp)
    return bent, np.concatenate(streets), np.concatenate(gaps)


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
    inner = shapely.point_on_surface(geometries)
    town = np.full(len(geometries), -1, dtype=np.int64)
    which, superblock = tree.query(inner, predicate="intersects")
    town[which[::-1]] = plan.superblock_town[superblock[::-1]]
    lost = town < 0
    town[lost] = plan.superblock_town[tree.nearest(inner[lost])]
    return town


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
