"""A second, slow answer to which land is contiguous, written from the definition of the model with shapely alone.

Nothing of ``geo.plots`` is used but the parameters. Where the model asks for a length, rays are cast: between two
neighbouring breakpoints of a border (vertices, ends and crossings of whatever lies before it, thrown back upon it)
nothing changes, so that a ray decides for the whole stretch between them. An answer that would be another one a hair's
breadth aside is called doubtful instead of being guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo.plots.parameters import PlotRules
from tests.plots.figures import Barrier, Line, Other

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NOTHING = shapely.Polygon()
HAIR_M = 1e-4  # what lies this near a border lies on it
REACH_SLACK_M, FRONTAGE_SLACK_M = 1e-3, 0.02
AREA_SLACK, WIDTH_SLACK, KEEP_SLACK, LAND_SLACK = 0.005, 0.01, 0.004, 0.03


@dataclass(frozen=True)
class Ground:
    """The nodes: polygon pieces of eligible land, the parcel that each is of; what blocks, and roads to bridge."""

    piece: Geometries
    parcel: Ints
    walls: Geometries
    roads: Geometries
    doubtful: set[int]  # parcels


@dataclass(frozen=True)
class Facing:
    """Pairs of pieces, the length along which they face each other, the ground in the gap; least and most it may be."""

    pairs: Ints
    least_m: Floats
    most_m: Floats
    gap_m: Floats
    bridge: Geometries  # what the views of both sides cross
    narrow_bridge: Geometries  # what the views of the first side cross


@dataclass(frozen=True)
class Plot:
    """Land of one plot by parcel."""

    parcels: tuple[int, ...]
    area_m2: tuple[float, ...]

    @property
    def total_m2(self) -> float:
        return float(sum(self.area_m2))


@dataclass(frozen=True)
class Answer:
    ground: Ground
    facing: Facing
    group: Ints  # component of each piece
    plots: list[Plot]
    doubtful: set[int]  # parcels whose plots are too close to call


def polygonal(shape: shapely.Geometry) -> shapely.Geometry:
    """The area of a geometry, without the lines and points that an overlay may leave."""
    parts = shapely.get_parts(shape)
    parts = parts[(shapely.get_dimensions(parts) == 2) & (shapely.area(parts) > 1e-6)]
    return shapely.union_all(parts) if len(parts) else NOTHING


def opened(shape: shapely.Geometry, width_m: float) -> shapely.Geometry:
    return shape.buffer(-width_m / 2, quad_segs=16).buffer(width_m / 2, quad_segs=16) if width_m > 0 else shape


# --- land -------------------------------------------------------------------------------------------------------------


def own_land(parcels: list[shapely.Geometry]) -> tuple[list[shapely.Geometry], set[int]]:
    """Each parcel without what belongs to a smaller one (then the one that comes first)."""
    area = shapely.area(parcels)
    order = sorted(range(len(parcels)), key=lambda row: (round(area[row], 3), row))
    rank = {row: place for place, row in enumerate(order)}
    tree = shapely.STRtree(parcels)
    land, doubtful = [], set()
    for row, parcel in enumerate(parcels):
        over = [other for other in tree.query(parcel, predicate="intersects") if other != row]
        over = [other for other in over if parcel.intersection(parcels[other]).area > 1e-6]
        smaller = [parcels[other] for other in over if rank[other] < rank[row]]
        if any(0 < abs(area[other] - area[row]) < 0.01 and not parcel.equals(parcels[other]) for other in over):
            doubtful.add(row)
        land.append(polygonal(parcel.difference(shapely.union_all(smaller))) if smaller else parcel)
    return land, doubtful


def breadth(barrier: Barrier, more_m: float = 0.0) -> shapely.Geometry:
    """The ground of a barrier, with a set-back to either side: its polygon, or half its width to either side."""
    line = barrier.shape.geom_type == "LineString" and not np.isnan(barrier.width_m)
    half = barrier.width_m / 2 if line else 0.0
    return barrier.shape.buffer(half + more_m, quad_segs=16) if half + more_m > 0 else barrier.shape


def may_be_crossed(barrier: Barrier, rules: PlotRules) -> bool:
    if barrier.kind in ("power_line", "pipeline"):
        return True
    return barrier.kind == "local_road" and barrier.width_m <= rules.road_width_limit_m  # an unknown width is not


def split(shape: shapely.Geometry, lines: list[shapely.Geometry]) -> list[shapely.Geometry]:
    """The pieces into which lines cut a polygon; ends that cut nothing off change nothing."""
    near = [line for line in lines if line.intersects(shape)]
    if not near:
        return [shape]
    network = shapely.union_all([shape.boundary, *near])
    faces = shapely.get_parts(shapely.polygonize([network]))
    inner = [face for face in faces if shape.contains(face.representative_point())]
    return inner if len(inner) > 1 else [shape]


def settle(parcels: list[shapely.Geometry], drawn: list[Barrier | Line | Other], rules: PlotRules) -> Ground:
    """Nodes and walls: overlaps to the smaller, exclusions and barriers cut away, thin leftovers dropped."""
    barriers = [item for item in drawn if isinstance(item, Barrier)]
    lines = [item for item in drawn if isinstance(item, Line) and item.kind in rules.excluded]
    uncrossed = [breadth(item) for item in barriers if not may_be_crossed(item, rules)]
    forbidden = [line.shape for line in lines if line.kind in ("basic_farmland", "ecological_redline")]
    within = [line.shape for line in lines if line.kind == "urban_boundary"]
    set_back = [breadth(item, item.setback_m) for item in barriers if item.setback_m > 0]
    taken = [shape for shape in (*uncrossed, *forbidden, *set_back) if shapely.get_dimensions(shape) == 2]
    threads = [shape for shape in uncrossed if shapely.get_dimensions(shape) == 1]
    tree, inside = shapely.STRtree(taken), shapely.union_all(within) if within else None
    land, doubtful = own_land(parcels)
    pieces: list[shapely.Geometry] = []
    parcel: list[int] = []
    for row, own in enumerate(land):
        near = [taken[index] for index in tree.query(own, predicate="intersects")]
        left = polygonal(own.difference(shapely.union_all(near))) if near else own
        left = polygonal(left.intersection(inside)) if inside is not None else left
        surveyed = [part.normalize() for part in shapely.get_parts(parcels[row])]
        for part in shapely.get_parts(left):
            for piece in split(part, threads):
                as_surveyed = any(piece.normalize().equals_exact(whole, 1e-9) for whole in surveyed)
                if not as_surveyed and opened(piece, rules.sliver_width_m * 1.05).area < 1e-6:
                    if opened(piece, rules.sliver_width_m * 0.95).area > 1e-6:
                        doubtful.add(row)
                    continue
                pieces.append(piece)
                parcel.append(row)
    piece = np.array(pieces, dtype=object)
    closed = [item.shape for item in drawn if isinstance(item, Other) and not may_be_bridged(item, rules)]
    pieces_tree = shapely.STRtree(piece)
    for shape in closed:  # where an ineligible parcel overlaps eligible land, the eligible land is bridged by itself
        ours = piece[pieces_tree.query(shape, predicate="intersects")]
        uncrossed.append(polygonal(shape.difference(shapely.union_all(ours))))
    walls = [shape for shape in (*uncrossed, *forbidden) if not shape.is_empty]
    roads = [breadth(item) for item in barriers if item.kind == "local_road" and may_be_crossed(item, rules)]
    return Ground(piece, np.array(parcel, dtype=np.int64), as_array(walls), as_array(roads), doubtful)


def as_array(shapes: list[shapely.Geometry]) -> Geometries:
    array = np.empty(len(shapes), dtype=object)
    array[:] = shapes
    return array


def may_be_bridged(other: Other, rules: PlotRules) -> bool:
    if isinstance(rules.bridge_over, tuple):
        return other.land_use.startswith(rules.bridge_over)
    return rules.bridge_over == "any"


# --- facing -----------------------------------------------------------------------------------------------------------


def face(ground: Ground, rules: PlotRules) -> Facing:
    """Who faces whom, along how much of their borders."""
    piece, reach = ground.piece, rules.reach_m
    furthest = max(reach, rules.road_gap_m or 0.0) + 2 * REACH_SLACK_M
    left, right = shapely.STRtree(piece).query(piece, predicate="dwithin", distance=furthest)
    pairs = np.column_stack([left, right])[left < right]
    k = len(pairs)
    shapely.prepare(piece)
    walls = between(ground.walls, piece, pairs, furthest)
    roads = between(ground.roads if rules.road_gap_m is not None else ground.roads[:0], piece, pairs, furthest)
    scene = as_array([
        shapely.union_all([*(outline_of(item) for item in all_of if item is not None)])
        for all_of in zip(piece[pairs[:, 0]], piece[pairs[:, 1]], walls, roads, strict=True)
    ])  # fmt: skip
    lengths = np.zeros((2, 2, k))  # side, least and most
    gap = np.full(k, np.inf)
    views: list[list[list[shapely.Geometry]]] = [[[], []] for _ in range(k)]
    for side in (0, 1):
        source, target = piece[pairs[:, side]], piece[pairs[:, 1 - side]]
        pair, start, end = borders(source, target, furthest)
        along = end - start
        length = np.hypot(*along.T)
        unit = along / length[:, None]
        out = np.column_stack([unit[:, 1], -unit[:, 0]])  # the piece lies to the left of its rings
        depths = {furthest, reach, rules.road_gap_m or reach}
        strips = [shapely.polygons(np.stack([start, end, end + out * m, start + out * m], axis=1)) for m in depths]
        row, low, high = stretches(strips, start, unit, length, scene[pair])
        # Nothing is seen from most stretches; from the others two rays tell how what is seen slopes.
        middle = start[row] + unit[row] * ((low + high) / 2)[:, None]
        ray = shapely.linestrings(np.stack([middle - out[row] * HAIR_M, middle + out[row] * furthest], axis=1))
        hits = shapely.intersects(target[pair[row]], ray)
        row, low, high = row[hits], low[hits], high[hits]
        seen_at = []
        visible_least, visible_most = np.ones(len(row), dtype=bool), np.ones(len(row), dtype=bool)
        for part in (0.25, 0.75):
            at = start[row] + unit[row] * (low + part * (high - low))[:, None]
            which = pair[row]
            seen = first_hit(at, out[row], -HAIR_M, furthest, target[which])
            own = first_hit(at, out[row], HAIR_M, furthest, source[which])
            wall = first_hit(at, out[row], -HAIR_M, furthest, walls[which])
            road = first_hit(at, out[row], -HAIR_M, furthest, roads[which])
            limit = np.where(road <= seen, rules.road_gap_m or 0.0, reach)
            clear = np.isfinite(seen) & ~(own < seen - HAIR_M) & ~(wall <= seen + HAIR_M)
            visible_least &= clear & (seen <= limit - REACH_SLACK_M * (limit > rules.tolerance_m))
            visible_most &= clear & (seen <= limit + REACH_SLACK_M)
            seen_at.append(seen)
        for kind, visible in enumerate((visible_least, visible_most)):
            lengths[side, kind] = np.bincount(pair[row[visible]], (high - low)[visible], minlength=k)
        near, far = (1.5 * seen_at[0] - 0.5 * seen_at[1], 1.5 * seen_at[1] - 0.5 * seen_at[0])
        for index in np.flatnonzero(visible_most):
            r, which = row[index], pair[row[index]]
            gap[which] = min(gap[which], near[index], far[index])
            foot = [start[r] + unit[r] * value for value in (low[index], high[index])]
            head = [foot[0] + out[r] * max(near[index], 0), foot[1] + out[r] * max(far[index], 0)]
            views[which][side].append(shapely.Polygon([*foot, head[1], head[0]]))
    least, most = lengths.min(axis=0)
    if rules.min_width_m == 0:  # nobody asks for the ground
        views = [[[], []]] * k
    both = as_array([shapely.union_all([*view[0], *view[1]], grid_size=HAIR_M) for view in views])
    one = as_array([shapely.union_all(view[0], grid_size=HAIR_M) for view in views])
    return Facing(pairs, least, most, np.maximum(gap, 0.0), both, one)


def between(shapes: Geometries, piece: Geometries, pairs: Ints, reach_m: float) -> Geometries:
    """For each pair what of some shapes may lie between the two, ``None`` where nothing does."""
    found = np.full(len(pairs), None, dtype=object)
    if len(shapes) == 0:
        return found
    box_a = shapely.buffer(shapely.envelope(piece[pairs[:, 0]]), reach_m, join_style="mitre")
    box_b = shapely.buffer(shapely.envelope(piece[pairs[:, 1]]), reach_m, join_style="mitre")
    room = shapely.intersection(box_a, box_b)
    row, shape = shapely.STRtree(shapes).query(room, predicate="intersects")
    for pair in np.unique(row):
        found[pair] = shapely.union_all(shapes[shape[row == pair]])
    return found


def borders(source: Geometries, target: Geometries, reach_m: float) -> tuple[Ints, Floats, Floats]:
    """The edges of each source that come near its target: row, start, end; the source lies to the left."""
    rings, owner = shapely.get_rings(shapely.orient_polygons(source), return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    edge = np.flatnonzero((ring[1:] == ring[:-1]) & (np.hypot(*np.diff(points, axis=0).T) > 1e-9))
    row, start, end = owner[ring[edge]], points[edge], points[edge + 1]
    near = shapely.dwithin(shapely.linestrings(np.stack([start, end], axis=1)), target[row], reach_m)
    return row[near], start[near], end[near]


def stretches(
    strips: list[Geometries], start: Floats, unit: Floats, length: Floats, scene: Geometries
) -> tuple[Ints, Floats, Floats]:
    """Each edge cut where the view over its strips may change: edge, from, to (metres along it)."""
    edges = np.arange(len(start))
    rows, marks = [edges, edges], [np.zeros(len(start)), length]
    for strip in strips:
        points, row = shapely.get_coordinates(shapely.intersection(strip, scene), return_index=True)
        rows.append(row)
        marks.append(np.einsum("ij,ij->i", points - start[row], unit[row]))
    row, mark = np.concatenate(rows), np.concatenate(marks)
    mark = np.clip(mark, 0, length[row])
    order = np.lexsort((mark, row))
    row, mark = row[order], mark[order]
    keep = (row[1:] == row[:-1]) & (np.diff(mark) > 1e-6)
    return row[1:][keep], mark[:-1][keep], mark[1:][keep]


def outline_of(shape: shapely.Geometry) -> shapely.Geometry:
    """The lines of a shape in which polygons and lines may be mixed."""
    parts = shapely.get_parts(shape)
    area = shapely.get_dimensions(parts) == 2
    return shapely.union_all([*shapely.boundary(parts[area]), *parts[~area]])


def first_hit(at: Floats, out: Floats, near_m: float, far_m: float, shape: Geometries) -> Floats:
    """How far each ray runs before it meets its shape; infinite where it does not."""
    hit = np.full(len(at), np.inf)
    there = np.flatnonzero(~shapely.is_missing(shape))
    ray = shapely.linestrings(np.stack([at + out * near_m, at + out * far_m], axis=1)[there])
    metres = shapely.distance(shapely.points(at[there]), shapely.intersection(ray, shape[there]))
    hit[there] = np.where(np.isnan(metres), np.inf, metres)
    return hit


# --- plots ------------------------------------------------------------------------------------------------------------


def components(nodes: int, pairs: Ints) -> Ints:
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(nodes, nodes))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


@dataclass(frozen=True)
class Outline:
    """The pieces of a component with its bridges, and what the opening leaves of them."""

    rows: Ints
    outline_m2: float
    whole: bool  # one piece of ground
    parts: list[shapely.Geometry]
    land: list[Geometries]  # of each part, what is inside of each piece


def outlined(ground: Ground, rows: Ints, bridges: Geometries, tolerance_m: float, width_m: float) -> Outline:
    pieces = ground.piece[rows]
    outline = shapely.union_all([*pieces, *bridges], grid_size=1e-4)
    hairline = max(tolerance_m, 0.01) / 2  # a crack within the tolerance is no border
    outline = outline.buffer(hairline, join_style="mitre").buffer(-hairline, join_style="mitre")
    parts = [part for part in shapely.get_parts(opened(outline, width_m)) if part.area > 1]
    land = [as_array([polygonal(piece.intersection(part)) for piece in pieces]) for part in parts]
    return Outline(rows, outline.area, outline.geom_type == "Polygon", parts, land)


def judged(ground: Ground, outline: Outline, min_area_m2: float, keep: float) -> list[Plot]:
    """The plots of a component: the whole of it where it is wide enough, else each part that reaches the area."""
    left_m2 = sum(part.area for part in outline.parts)
    if outline.whole and len(outline.parts) == 1 and left_m2 >= keep * outline.outline_m2:
        return [shared(ground, outline.rows, ground.piece[outline.rows])]
    enough = [land for land in outline.land if shapely.area(land).sum() >= min_area_m2]
    return [shared(ground, outline.rows, land) for land in enough]


def shared(ground: Ground, rows: Ints, land: Geometries) -> Plot:
    area = np.bincount(ground.parcel[rows], shapely.area(land))
    held = np.flatnonzero(area > 0)
    return Plot(tuple(int(row) for row in held), tuple(float(value) for value in area[held]))


def much_the_same(some: list[Plot], others: list[Plot]) -> bool:
    """Whether two answers have the same plots, but for a margin of their land."""
    one, two = (sorted(plots, key=lambda plot: plot.parcels) for plots in (some, others))
    return [plot.parcels for plot in one] == [plot.parcels for plot in two] and all(
        np.allclose(a.area_m2, b.area_m2, rtol=LAND_SLACK, atol=50) for a, b in zip(one, two, strict=True)
    )


def form(ground: Ground, facing: Facing, group: Ints, rules: PlotRules) -> tuple[list[Plot], set[int]]:
    """Plots, and the parcels of components that would give others if a number or a bridge were a little different."""
    joined = facing.least_m >= rules.frontage_m
    found: list[Plot] = []
    doubtful: set[int] = set()
    group_m2 = np.bincount(group, shapely.area(ground.piece))
    for number in np.flatnonzero(group_m2 >= rules.min_area_m2 * (1 - AREA_SLACK)):
        rows = np.flatnonzero(group == number)
        reaches = group_m2[number] >= rules.min_area_m2
        if abs(group_m2[number] / rules.min_area_m2 - 1) < 1e-4:
            doubtful |= set(ground.parcel[rows].tolist())
        if rules.min_width_m == 0:
            found += [shared(ground, rows, ground.piece[rows])] if reaches else []
            continue
        if not reaches:
            continue
        mine = joined & np.isin(facing.pairs[:, 0], rows)
        usual = outlined(ground, rows, facing.bridge[mine], rules.tolerance_m, rules.min_width_m)
        plots = judged(ground, usual, rules.min_area_m2, rules.keep)
        found += plots
        for bridge, wide in ((facing.bridge, 1 - WIDTH_SLACK), (facing.narrow_bridge, 1 + WIDTH_SLACK)):
            other = outlined(ground, rows, bridge[mine], rules.tolerance_m, rules.min_width_m * wide)
            for more, keep in product((1 - AREA_SLACK, 1 + AREA_SLACK), (-KEEP_SLACK, KEEP_SLACK)):
                if not much_the_same(judged(ground, other, rules.min_area_m2 * more, rules.keep + keep), plots):
                    doubtful |= set(ground.parcel[rows].tolist())
    return found, doubtful


def answer(parcels: list[shapely.Geometry], drawn: list[Barrier | Line | Other], rules: PlotRules) -> Answer:
    """Plots of a district in metres, and the parcels whose answer hangs on a hair."""
    ground = settle(parcels, drawn, rules)
    facing = face(ground, rules)
    sure = facing.least_m >= rules.frontage_m + FRONTAGE_SLACK_M
    perhaps = facing.most_m >= rules.frontage_m - FRONTAGE_SLACK_M
    close = set(ground.parcel[facing.pairs[perhaps & ~sure]].ravel().tolist())
    group = components(len(ground.piece), facing.pairs[facing.least_m >= rules.frontage_m])
    plots, cut_close = form(ground, facing, group, rules)
    return Answer(ground, facing, group, plots, ground.doubtful | close | cut_close)
