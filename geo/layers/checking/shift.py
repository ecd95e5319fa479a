"""Whether a layer sits beside a reference layer, by how much, and whether that is the shift of a web map."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from geo.layers.checking.borders import metres_per_degree
from geo.layers.checking.map_datums import CONSTANTS, inverse, to_bd09, to_gcj02

Floats = NDArray[np.float64]
_WEB_MAPS = {"GCJ-02": to_gcj02, "BD-09": to_bd09}


@dataclass(frozen=True, slots=True)
class ShiftRules:
    """When two layers are compared and when a shift is suspected.

    Parameters
    ----------
    least_m, most_m : a shift between these is suspected (the size of GCJ-02's)
    fit_m : a vertex that lies so near to a border of the reference fits
    gain : by how much the share of fitting vertices must rise, against no shift and against chance
    agree_share, agree_m : a measured shift agrees with a formula within the larger of the two
    sample : vertices of the layer that are looked at, spread evenly over its rows
    least_points, least_keys : with fewer, nothing is said
    window_m : reach in which vertices of the two layers are paired where nothing else is known
    """

    least_m: float = 100.0
    most_m: float = 700.0
    fit_m: float = 1.0
    gain: float = 0.3
    agree_share: float = 0.05
    agree_m: float = 10.0
    sample: int = 1500
    least_points: int = 24
    least_keys: int = 3
    window_m: float = 1500.0


@dataclass(frozen=True, slots=True)
class Shift:
    """How a layer lies to a reference layer; a suspicion at most, nothing is moved.

    ``dx_m``, ``dy_m`` from the reference to the layer (east, north) in the middle of the layer; ``fit_before`` and
    ``fit_after`` shares of vertices on a border of the reference without and with the shift undone (of matched keys:
    shares of them in place); ``web_map`` GCJ-02 or BD-09 where the shift agrees with its formula there, ``reverse``
    where it is the reference that seems to be shifted. Without ``assessed`` all is ``None`` and ``why`` says why.
    """

    assessed: bool
    suspected: bool
    why: str
    method: str | None = None
    dx_m: float | None = None
    dy_m: float | None = None
    distance_m: float | None = None
    fit_before: float | None = None
    fit_after: float | None = None
    web_map: str | None = None
    reverse: bool = False
    expected_dx_m: float | None = None
    expected_dy_m: float | None = None
    constants: str = CONSTANTS.status

    def as_dict(self) -> dict[str, Any]:
        """The shift as JSON types; ``why`` is the sentence for people."""
        return asdict(self)


def suspect_shift(
    layer: gpd.GeoDataFrame, reference: gpd.GeoDataFrame, key: str | None = None, rules: ShiftRules | None = None
) -> Shift:
    """Measure how a layer lies to a reference layer of the same land.

    Parameters
    ----------
    layer, reference : EPSG:4490, any kind of geometry
    key : column by which rows of the two are the same thing; without it, or without matches, borders decide
    rules : limits

    Notes
    -----
    By borders, the shifts tried are those of GCJ-02 and BD-09 (exact at every vertex) and the one on which pairs of
    vertices of the two layers agree most; each must bring far more vertices onto borders than no shift and than chance.
    """
    rules = rules or ShiftRules()
    here, there = _shapes(layer), _shapes(reference)
    if len(here) == 0 or len(there) == 0:
        return _unknown("没有几何可比较")
    matched = _by_key(layer, reference, key, rules)
    if matched is not None:
        return matched
    return _by_borders(here, there, rules)


def _shapes(frame: gpd.GeoDataFrame) -> NDArray[np.object_]:
    shapes = np.asarray(frame.geometry.array)
    return np.asarray(shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))], dtype=object)


def _unknown(why: str) -> Shift:
    return Shift(False, False, f"未评估：{why}")


def _metres(points: Floats, middle: Floats) -> Floats:
    """Degrees to metres east and north of a place."""
    return np.asarray((points - middle) * metres_per_degree(np.array([middle[1]]))[0])


def _formula_shift(name: str, points: Floats) -> Floats:
    """What a web map's formula adds at places of the true system, in degrees: (n, 2)."""
    lon, lat = _WEB_MAPS[name](points[:, 0], points[:, 1])
    return np.column_stack([lon, lat]) - points


def _undo(name: str, reverse: bool, points: Floats) -> Floats:
    """Points as they would be if the layer (or, reversed, the reference) were in a web map's coordinates."""
    if reverse:
        return points + _formula_shift(name, points)
    return np.column_stack(inverse(_WEB_MAPS[name], points[:, 0], points[:, 1]))


def _by_key(layer: gpd.GeoDataFrame, reference: gpd.GeoDataFrame, key: str | None, rules: ShiftRules) -> Shift | None:
    """The median offset of rows that have the same key; ``None`` where too few have."""
    if key is None or key not in layer or key not in reference:
        return None
    sides = []
    for frame in (layer, reference):
        there = frame[frame[key].notna() & frame.geometry.notna() & ~frame.geometry.is_empty]
        there = there[~there[key].duplicated(keep=False)]
        point = shapely.get_coordinates(shapely.centroid(np.asarray(there.geometry.array)))
        sides.append(pd.DataFrame(point, index=there[key].astype(str), columns=["lon", "lat"]))
    both = sides[0].join(sides[1], how="inner", suffixes=("_here", ""))
    if len(both) < rules.least_keys:
        return None
    here, there = both.iloc[:, :2].to_numpy(), both.iloc[:, 2:].to_numpy()
    middle = np.median(here, axis=0)
    offset = _metres(here, middle) - _metres(there, middle)
    vector = np.median(offset, axis=0)
    before = float((np.hypot(*offset.T) <= rules.fit_m).mean())
    after = float((np.hypot(*(offset - vector).T) <= max(rules.fit_m, rules.agree_share * np.hypot(*vector))).mean())
    shifts = after >= before + rules.gain
    return _judge("key", vector if shifts else np.zeros(2), middle, before, after if shifts else before, rules)


def _by_borders(here: NDArray[np.object_], there: NDArray[np.object_], rules: ShiftRules) -> Shift:
    points = _sample(here, rules.sample)
    if len(points) < rules.least_points:
        return _unknown(f"图层只有 {len(points)} 个顶点")
    middle = np.median(points, axis=0)
    lines, overlap = _nearby(there, points, middle, rules)
    if overlap < 0.2:
        return _unknown("与参照图层几乎没有重叠")
    place = _metres(points, middle)
    tree = shapely.STRtree(lines)

    def fit(moved: Floats) -> float:
        """Share of points with a border of the reference within reach."""
        found = tree.query(shapely.points(moved), predicate="dwithin", distance=rules.fit_m)[0]
        return len(np.unique(found)) / len(moved)

    before = fit(place)
    # What a shift of this size would fit by chance: the same points moved to places that mean nothing.
    angles = np.linspace(0, 2 * np.pi, 8, endpoint=False) + 0.2
    chance = float(np.median([fit(place + 373.0 * np.array([np.cos(turn), np.sin(turn)])) for turn in angles]))
    tried: list[tuple[float, Floats]] = []
    for name in _WEB_MAPS:
        for reverse in (False, True):
            moved = _metres(_undo(name, reverse, points), middle)
            tried.append((fit(moved), np.median(place - moved, axis=0)))
    voted = _vote(place, lines, rules)
    if voted is not None:
        tried.append((fit(place - voted), voted))
    after, vector = max(tried, key=lambda item: item[0])
    if after < before + rules.gain or after < chance + rules.gain:
        if before < chance + rules.gain / 2:
            return _unknown("两个图层没有共同的界线，无法比较")
        return _judge("borders", np.zeros(2), middle, before, before, rules)
    return _judge("borders", vector, middle, before, after, rules)


def _sample(shapes: NDArray[np.object_], count: int) -> Floats:
    """Vertices spread evenly over the rows of a layer, every place once."""
    rows = np.linspace(0, len(shapes) - 1, min(len(shapes), 5000)).astype(int)
    points = np.unique(shapely.get_coordinates(shapes[rows]), axis=0)
    # Ordered by place after np.unique, so even steps spread over the land.
    return np.asarray(points[np.linspace(0, len(points) - 1, min(count, len(points))).astype(int)])


def _nearby(
    there: NDArray[np.object_], points: Floats, middle: Floats, rules: ShiftRules
) -> tuple[NDArray[np.object_], float]:
    """Borders of the reference around the points in metres from the middle, and the share of points near any row."""
    scale = metres_per_degree(np.array([middle[1]]))[0]
    margin = rules.window_m / scale
    bounds = shapely.bounds(there)
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
    near = (bounds[:, 0] <= high[0]) & (bounds[:, 2] >= low[0]) & (bounds[:, 1] <= high[1]) & (bounds[:, 3] >= low[1])
    chosen = there[near]
    if len(chosen) == 0:
        return chosen, 0.0
    tree = shapely.STRtree(shapely.box(*shapely.bounds(chosen).T))
    most = float((rules.most_m / scale).max())
    inside = np.unique(tree.query(shapely.points(points), predicate="dwithin", distance=most)[0])
    areal = shapely.get_dimensions(chosen) == 2
    chosen[areal] = shapely.boundary(chosen[areal])
    return shapely.transform(chosen, lambda xy: (xy - middle) * scale), len(inside) / len(points)


def _vote(here: Floats, lines: NDArray[np.object_], rules: ShiftRules) -> Floats | None:
    """The difference vector on which most pairs of vertices agree, ``None`` where no vector stands out.

    Looks at the vertices in the middle of the layer, so that a shift that varies with the place is one vector; a
    second peak nearly as high (a regular pattern of lots) makes the answer worthless.
    """
    there = np.unique(shapely.get_coordinates(lines), axis=0)
    window = here[np.argsort(np.hypot(*here.T))[:300]]
    reach = rules.most_m + 2 * rules.fit_m
    pairs = cKDTree(there).query_ball_point(window, reach)
    difference = np.concatenate([point - there[near] for point, near in zip(window, pairs, strict=True)])
    if len(difference) == 0:
        return None
    width = 2 * rules.fit_m
    cell = np.floor((difference + reach) / width).astype(np.int64)
    side = int(2 * reach / width) + 2
    votes = np.bincount(cell[:, 0] * side + cell[:, 1], minlength=side * side).reshape(side, side)
    top = np.unravel_index(int(votes.argmax()), votes.shape)
    peak = votes[top]
    around = np.array([slice(max(0, at - 5), at + 6) for at in top], dtype=object)
    rest = votes.copy()
    rest[tuple(around)] = 0
    if peak < 0.1 * len(window) or rest.max() > 0.5 * peak:
        return None
    centre = (np.array(top) + 0.5) * width - reach
    close = difference[np.hypot(*(difference - centre).T) <= 1.5 * width]
    return np.asarray(np.median(close, axis=0))


def _judge(method: str, vector: Floats, middle: Floats, before: float, after: float, rules: ShiftRules) -> Shift:
    distance = float(np.hypot(*vector))
    web_map, reverse, expected = None, False, np.full(2, np.nan)
    best = np.inf
    if distance >= rules.least_m:
        for name in _WEB_MAPS:
            for back in (False, True):
                true = _undo(name, back, middle[None, :])
                would = (_metres(middle[None, :], middle) - _metres(true, middle))[0]
                away = float(np.hypot(*(vector - would)))
                if away <= max(rules.agree_m, rules.agree_share * distance) and away < best:
                    web_map, reverse, expected, best = name, back, would, away
    suspected = rules.least_m <= distance <= rules.most_m or web_map is not None
    return Shift(
        assessed=True, suspected=suspected, method=method, web_map=web_map, reverse=reverse,
        why=_sentence(suspected, vector, distance, web_map, reverse, rules),
        dx_m=round(float(vector[0]), 2), dy_m=round(float(vector[1]), 2), distance_m=round(distance, 2),
        fit_before=round(before, 4), fit_after=round(after, 4),
        expected_dx_m=None if web_map is None else round(float(expected[0]), 2),
        expected_dy_m=None if web_map is None else round(float(expected[1]), 2),
    )  # fmt: skip


def _sentence(
    suspected: bool, vector: Floats, distance: float, web_map: str | None, reverse: bool, rules: ShiftRules
) -> str:
    if not suspected:
        if distance < rules.fit_m:
            return "与参照图层位置一致"
        usual = f"{rules.least_m:.0f}–{rules.most_m:.0f} 米"
        return f"与参照图层相差约 {distance:.0f} 米，不在坐标偏移的可疑范围（{usual}）"
    east = f"{'东' if vector[0] >= 0 else '西'} {abs(vector[0]):.0f} 米"
    north = f"{'北' if vector[1] >= 0 else '南'} {abs(vector[1]):.0f} 米"
    text = f"相对参照图层偏{east}、偏{north}（共 {distance:.0f} 米）"
    if web_map is None:
        return text + "，疑坐标系有误；与 GCJ-02、BD-09 均不相符。未作改正，请核对来源"
    whose = "参照图层" if reverse else "该图层"
    text += f"，与 {web_map} 在此处的偏移相符，疑{whose}为 {web_map} 坐标"
    return text + "（公式为通行公式，未经核实）。未作改正，请核对来源"
