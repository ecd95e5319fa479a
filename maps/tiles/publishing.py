"""A layer of a store as an edition: read in pages, put in order along space, generalised, written."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import Geod

from geo.crs import ellipsoidal_area
from geo.layers.canonical.form import Field
from geo.layers.schema import LAYERS
from geo.store.base import EVERYTHING, Query, Store
from geo.units import mu
from maps.tiles.columns import Gathering, Table, feature_ids
from maps.tiles.edition import Level, write_layer
from maps.tiles.grid import to_grid
from maps.tiles.index import hilbert_order
from maps.tiles.layers import TileLayer
from maps.tiles.levels import (
    FEW_FEATURES,
    FULL_ZOOM,
    GATHERED_ZOOMS,
    SIMPLER_ZOOMS,
    Gathered,
    gathered,
    simplified,
)
from maps.tiles.shapes import flattened

Progress = Callable[[str], None]
_PAGE_ROWS = 20_000


def publish_layer(store: Store, kind: TileLayer, parent: Path, progress: Progress | None = None) -> Path:
    """The edition of a layer as it is in the store now; the folder that holds it.

    Parameters
    ----------
    parent : folder of all layers' editions
    progress : told what is being done
    """
    layer = LAYERS[kind.source]
    say = progress or (lambda step: None)
    columns = Gathering(layer.fields)
    keys: list[str] = []
    pages: list[NDArray[np.object_]] = []
    extents: list[NDArray[np.float64]] = []
    measured: list[NDArray[np.float64]] = []
    total = store.count(Query(layer.name), EVERYTHING)
    stream = store.stream(Query(layer.name), EVERYTHING, rows=_PAGE_ROWS)
    with closing(stream):  # type: ignore[type-var]
        for frame in stream:
            geometries = np.asarray(frame.geometry.array)
            columns.add(frame)
            keys.extend(frame[layer.key])
            measured.append(_measures(geometries, frame))
            if kind.labels:
                geometries = shapely.point_on_surface(geometries)
            if len(geometries):
                extents.append(shapely.total_bounds(geometries))
            pages.append(shapely.transform(geometries, _cells))
            say(f"发布 {layer.zh}：读取 {len(keys):,}/{total:,}")
    geometries = np.concatenate(pages)
    boxes = np.nan_to_num(shapely.bounds(geometries)).astype(np.uint32)
    order = hilbert_order(boxes)
    detailed = geometries = geometries[order]
    table = columns.table(feature_ids(keys), order)
    measures = np.concatenate(measured)[order]
    levels = [Level(FULL_ZOOM, (), 0, flattened(geometries), table)]
    measure = "" if kind.labels else {"polygon": "area_mu", "line": "length_km"}.get(str(layer.geometry), "")
    for zoom in SIMPLER_ZOOMS:
        if kind.min_zoom > zoom:
            break
        say(f"发布 {layer.zh}：第 {zoom} 级")
        geometries = simplified(geometries, zoom)
        levels.append(Level(zoom, (), 0, flattened(geometries), table))
    if len(table) > FEW_FEATURES and not kind.labels:
        levels += _gathered_levels(kind, detailed, boxes[order], table, measures, measure, say)
    else:
        for _, zoom, _ in GATHERED_ZOOMS:
            if kind.min_zoom > zoom:
                break
            geometries = simplified(geometries, zoom)
            levels.append(Level(_from_zoom(zoom), (), 0, flattened(geometries), table))
    say(f"发布 {layer.zh}：写入")
    return write_layer(parent, kind.name, kind.min_zoom, tuple(levels), measures, measure, _total(extents))


def gathered_table(
    kind: TileLayer, table: Table, groups: Gathered, rows: NDArray[np.int64], measures: NDArray[np.float64],
    measure: str, cell_zoom: int, order: NDArray[np.int64],
) -> Table:  # fmt: skip
    """Attributes of gathered features: their state, how many they are, and what they add up to.

    Parameters
    ----------
    rows : (n,) the row of ``table`` behind each row that was gathered
    order : order of the groups in the result
    """
    number = len(groups.geometries)
    states = {name: table.series(name).iloc[rows[groups.first]].reset_index(drop=True) for name in kind.states}
    frame = pd.DataFrame(states)
    frame["count"] = np.bincount(groups.group, minlength=number)
    fields = [LAYERS[kind.source].field(name) for name in kind.states] + [Field("count", "integer", "数量")]
    if measure:
        frame[measure] = np.round(np.bincount(groups.group, weights=measures[rows], minlength=number), 6)
        fields.append(Field(measure, "real", "合计"))
    columns = Gathering(fields)
    columns.add(frame)
    told = zip(groups.cells, *(frame[name] for name in kind.states), strict=True)
    return columns.table(feature_ids(f"{cell_zoom}/{'/'.join(map(str, one))}" for one in told), order)


def state_numbers(kind: TileLayer, table: Table, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number for the state of each row."""
    if not kind.states:
        return np.zeros(len(rows), dtype=np.int64)
    codes = np.stack([table.codes[table.place(name)][rows] for name in kind.states])
    return np.unique(codes, axis=1, return_inverse=True)[1].astype(np.int64).ravel()


def gathered_level(
    kind: TileLayer, groups: Gathered, min_zoom: int, cell_zoom: int, table: Table, rows: NDArray[np.int64],
    measures: NDArray[np.float64], measure: str,
) -> Level:  # fmt: skip
    """A level of gathered features, in order along space."""
    geometries = groups.geometries
    order = hilbert_order(np.nan_to_num(shapely.bounds(geometries)).astype(np.uint32))
    attributes = gathered_table(kind, table, groups, rows, measures, measure, cell_zoom, order)
    return Level(min_zoom, (*kind.states, "count"), cell_zoom, flattened(geometries[order]), attributes)


def _gathered_levels(
    kind: TileLayer, geometries: NDArray[np.object_], boxes: NDArray[np.uint32], table: Table,
    measures: NDArray[np.float64], measure: str, say: Progress,
) -> list[Level]:  # fmt: skip
    rows = np.flatnonzero(~(shapely.is_missing(geometries) | shapely.is_empty(geometries)))
    states = state_numbers(kind, table, rows)
    places = (boxes[rows, :2].astype(np.float64) + boxes[rows, 2:]) / 2

    # From the features each time: what was gathered and put on a grid has lost the borders by which it melts fast.
    def one(zoom: int, cell_zoom: int) -> Level:
        groups = gathered(geometries[rows], places, states, cell_zoom, zoom)
        say(f"发布 {LAYERS[kind.source].zh}：第 {zoom} 级汇总")
        return gathered_level(kind, groups, _from_zoom(zoom), cell_zoom, table, rows, measures, measure)

    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:  # GEOS lets go of the interpreter
        begun = [threads.submit(one, zoom, cell_zoom) for _, zoom, cell_zoom in GATHERED_ZOOMS if kind.min_zoom <= zoom]
        return [level.result() for level in begun]


def _from_zoom(zoom: int) -> int:
    return next(first for first, last, _ in GATHERED_ZOOMS if last == zoom)


def _cells(lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
    return to_grid(lonlat).astype(np.float64)


def _measures(geometries: NDArray[np.object_], frame: pd.DataFrame) -> NDArray[np.float64]:
    """Mu of polygons, kilometres of lines, 1 for points."""
    dimension = shapely.get_dimensions(geometries)
    out = np.ones(len(geometries))
    areal = dimension == 2
    if areal.any():
        area_m2 = ellipsoidal_area(geometries[areal])
        if "area_m2" in frame.columns:
            stated = frame["area_m2"].to_numpy(dtype=np.float64)[areal]
            area_m2 = np.where(np.isnan(stated), area_m2, stated)
        out[areal] = mu(area_m2)
    linear = np.flatnonzero(dimension == 1)
    if len(linear):
        # EPSG:4490 stands on the ellipsoid of CGCS2000, which is GRS 80 but for its last digits of flattening.
        geod = Geod(a=6378137.0, rf=298.257222101)
        out[linear] = [geod.geometry_length(geometries[k]) / 1000 for k in linear]
    return out


def _total(extents: list[NDArray[np.float64]]) -> tuple[float, float, float, float] | None:
    every = np.array([extent for extent in extents if not np.isnan(extent).any()])
    if not len(every):
        return None
    west, south = every[:, :2].min(axis=0)
    east, north = every[:, 2:].max(axis=0)
    return float(west), float(south), float(east), float(north)
