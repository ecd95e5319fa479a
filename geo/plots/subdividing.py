"""Subtraction of large constraints: cut into tiles first, and only land that meets a tile is touched."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.plots.polygons import EMPTY, ROUNDING_M2, none_without_area, polygonal, polygonal_parts, union_by

Geometries = NDArray[np.object_]

# Constraints with more vertices are cut into tiles: parcels minus two redlines of 249,000 vertices took 302 s with the
# whole polygons and 0.7 s with tiles, areas equal.
TILE_VERTICES = 256


def subdivide(geometries: Geometries, max_vertices: int = TILE_VERTICES) -> Geometries:
    """Polygons cut into tiles of at most ``max_vertices`` vertices each, halving the longer side of the box.

    Parameters
    ----------
    geometries : (n,) polygons or multipolygons
    max_vertices : int, at least 8

    Returns
    -------
    (m,) polygons with disjoint interiors that cover the same ground
    """
    todo = shapely.get_parts(geometries)
    done: list[Geometries] = []
    while len(todo):
        heavy = shapely.get_num_coordinates(todo) > max(max_vertices, 8)
        done.append(todo[~heavy])
        todo = todo[heavy]
        if len(todo) == 0:
            break
        west, south, east, north = shapely.bounds(todo).T
        wide = (east - west) >= (north - south)
        x, y = (west + east) / 2, (south + north) / 2
        first = shapely.box(west, south, np.where(wide, x, east), np.where(wide, north, y))
        second = shapely.box(np.where(wide, x, west), np.where(wide, south, y), east, north)
        halves = np.concatenate([shapely.intersection(todo, first), shapely.intersection(todo, second)])
        todo = polygonal_parts(halves)
    return np.concatenate(done) if done else np.empty(0, dtype=object)


def subtract(targets: Geometries, constraints: Geometries) -> tuple[Geometries, Geometries]:
    """Targets minus constraints, and what was taken; only targets that meet a constraint are touched.

    Parameters
    ----------
    targets : (n,) polygons
    constraints : (m,) polygons, of any size and overlapping each other or not

    Returns
    -------
    kept : (n,) geometries, empty where nothing is left
    taken : (n,) geometries, ``None`` where nothing was taken
    """
    kept = targets.copy()
    taken = np.full(len(targets), None, dtype=object)
    if len(targets) == 0 or len(constraints) == 0:
        return kept, taken
    tree = shapely.STRtree(targets)
    tiles = subdivide(_near(tree, constraints))
    if len(tiles) == 0:
        return kept, taken
    tile, target = tree.query(tiles, predicate="intersects")
    # Land that one tile covers needs no overlay; inside a large constraint that is nearly all of it.
    whole = np.zeros(len(targets), dtype=bool)
    whole[tree.query(tiles, predicate="covers")[1]] = True
    kept[whole], taken[whole] = EMPTY, targets[whole]
    crossed = ~whole[target]
    tile, target = tile[crossed], target[crossed]
    if len(tile):
        rows, groups = union_by(target, tiles[tile])
        kept[rows] = polygonal(shapely.difference(targets[rows], groups))
        taken[rows] = none_without_area(polygonal(shapely.intersection(targets[rows], groups)))
    # What a constraint only touches stays as it was drawn, and what it covers but for rounding is gone.
    untouched = shapely.is_missing(taken)
    kept[untouched] = targets[untouched]
    gone = ~untouched & (shapely.area(kept) <= ROUNDING_M2)
    kept[gone], taken[gone] = EMPTY, targets[gone]
    return kept, taken


def _near(tree: shapely.STRtree, constraints: Geometries) -> Geometries:
    """Constraints whose box meets that of a target: a province's layer is not cut into tiles for a town."""
    return constraints[np.unique(tree.query(constraints)[0])]
