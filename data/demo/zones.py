"""The industrial zones and the planted groups in them. The same land whatever the size of the district around.

Every cell of a zone is drawn in its own frame (metres, origin in its middle, x along the zone's rows) and then turned
into the frame of the district.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import shapely

from data.demo.cutting import Floats, Geometries, Manner, divide, halves, polygon_parts
from data.demo.lines import turned
from data.demo.parameters import XY, Group, Parameters, Zone

_CELL_ROAD_M = 32.0  # red-line width of the roads between cells: too wide to be bridged
_CELL_GAP_M = 40.0
_FRINGE_M = 12.0  # street around a group
_STREETS = ((80_000.0, 14.0), (500_000.0, 22.0))


@dataclass(slots=True)
class PlantedLand:
    """Parcels of the zones as parallel lists, and what was drawn with them. ``case`` is the planted group or ``""``."""

    polygons: list[shapely.Polygon] = field(default_factory=list)
    use: list[str] = field(default_factory=list)
    case: list[str] = field(default_factory=list)
    zone: list[str] = field(default_factory=list)
    roads: list[tuple[shapely.Geometry, float]] = field(default_factory=list)
    controls: dict[str, list[shapely.Polygon]] = field(default_factory=dict)
    outlines: dict[str, shapely.Polygon] = field(default_factory=dict)
    cells: list[tuple[str, shapely.Polygon]] = field(default_factory=list)


@dataclass(slots=True)
class _Cell:
    """What one cell holds, in its own frame."""

    polygons: list[shapely.Polygon] = field(default_factory=list)
    use: list[str] = field(default_factory=list)
    case: list[str] = field(default_factory=list)
    roads: list[tuple[shapely.Geometry, float]] = field(default_factory=list)
    controls: dict[str, list[shapely.Polygon]] = field(default_factory=dict)

    def add(self, polygons: Geometries, use: list[str] | str, case: str = "") -> None:
        self.polygons += list(polygons)
        self.use += [use] * len(polygons) if isinstance(use, str) else use
        self.case += [case] * len(polygons)


def _industry_mix(rng: np.random.Generator, n: int) -> list[str]:
    uses = ["industry", "logistics", "buffer_green", "commercial", "utility", "housing", "park"]
    return [str(u) for u in rng.choice(uses, n, p=[0.80, 0.06, 0.05, 0.03, 0.02, 0.02, 0.02])]


def _lots(cell: _Cell, land: Geometries, target_m2: float, rng: np.random.Generator, wobble: float = 4.0) -> Geometries:
    """Street blocks and lots of ordinary land; the streets go to the cell."""
    manner = Manner(np.full(len(land), target_m2), np.full(len(land), 1.15), wobble, 0.35, _STREETS)
    pieces = divide(land, manner, rng, min_area_m2=900, min_width_m=9)
    for line, gap in zip(pieces.street_lines, pieces.street_gap_m, strict=True):
        cell.roads.append((line, float(np.floor(gap * 0.86))))
    return pieces.polygons


def _cut_by(lands: list[shapely.Geometry], line: tuple[XY, XY], gap_m: float) -> list[shapely.Geometry]:
    """Polygons in pieces left and right of a line, without the gap around it."""
    given = np.array(lands, dtype=object)
    a, b = np.array(line[0]), np.array(line[1])
    n = len(given)
    along = np.tile((b - a) / np.hypot(*(b - a)), (n, 1))
    left, right, _ = halves(given, np.tile(a, (n, 1)), along, np.full(n, gap_m), np.full(n, 6000.0))
    return list(polygon_parts(np.r_[left, right], 100.0)[0])


def _scaled(outlines: list[shapely.Polygon], area_m2: float) -> list[shapely.Polygon]:
    whole = shapely.union_all(outlines)
    factor = np.sqrt(area_m2 / whole.area)
    centre = np.array(whole.centroid.coords[0])
    return [shapely.transform(p, lambda xy: centre + (xy - centre) * factor) for p in outlines]


def _group_cell(land: shapely.Polygon, group: Group, rng: np.random.Generator) -> _Cell:
    """A cell with a planted group in its middle and ordinary land around it."""
    cell = _Cell()
    outlines = [shapely.Polygon(outline) for outline in group.outlines]
    if group.scale_mu is not None:
        outlines = _scaled(outlines, group.scale_mu * 2000 / 3)
    body = shapely.union_all(outlines)
    fringe = shapely.buffer(body, _FRINGE_M / 2, join_style="mitre").exterior
    controls = {control.kind: shapely.Polygon(control.polygon) for control in group.controls}
    around = [land.difference(shapely.buffer(body, _FRINGE_M, join_style="mitre"))]
    for cut in group.cuts:
        outlines = _cut_by(outlines, cut.line, cut.gap_m)
        around = _cut_by(around, cut.line, cut.gap_m)
        line = shapely.LineString(cut.line)
        if cut.kind == "railway":  # the railway itself is drawn with the large lines
            fringe = fringe.difference(line.buffer(14))
        else:
            cell.roads.append((line.intersection(land), cut.width_m))
    cell.roads.append((fringe, 10.0))
    target = np.full(len(outlines), group.parcel_mu * 2000 / 3)
    manner = Manner(target, np.full(len(outlines), 1.1), wobble_deg=7.0, spread=0.3)
    cell.add(divide(np.array(outlines, dtype=object), manner, rng, until=1.3).polygons, "eligible", group.case)

    # The belt: north and south of the group over the whole cell, then west and east.
    west, south, east, north = body.bounds
    middle = (west + east) / 2
    boxes = [
        (-9e3, north, 9e3, 9e3),
        (-9e3, -9e3, 9e3, south),
        (-9e3, south, middle, north),
        (middle, south, 9e3, north),
    ]
    belt = [piece.intersection(shapely.box(*box)) for box in boxes for piece in around]
    for kind, control in controls.items():
        inside = polygon_parts(np.array([b.intersection(control) for b in belt], dtype=object), 900, 10)[0]
        belt = [b.difference(control) for b in belt]
        use = "wetland" if kind == "ecological_redline" else "farmland"
        cell.add(_lots(cell, inside, 40_000, rng, 6.0), use)
        if kind == "outside_urban_boundary":
            cell.controls.setdefault(kind, []).append(control)
        else:
            cell.controls.setdefault(kind, []).append(control.intersection(land))
    lots = _lots(cell, polygon_parts(np.array(belt, dtype=object), 900, 10)[0], 28_000, rng)
    cell.add(lots, _industry_mix(rng, len(lots)))
    return cell


def _plain_cell(land: shapely.Polygon, use: str, rng: np.random.Generator) -> _Cell:
    """A cell of ordinary industry, of small lots for the single cases, or with a freight yard along its south side."""
    cell = _Cell()
    if use == "single_cases":
        cell.add(_lots(cell, np.array([land], dtype=object), 17_000, rng), "industry", "single")
    elif use == "freight_yard":
        south = land.bounds[1] + 125
        yard = np.array([land.intersection(shapely.box(-9e3, -9e3, 9e3, south))], dtype=object)
        rest = np.array([land.intersection(shapely.box(-9e3, south + 14, 9e3, 9e3))], dtype=object)
        cell.add(divide(yard, Manner(np.array([34_000.0]), np.array([1.0])), rng).polygons, "rail")
        lots = _lots(cell, rest, 30_000, rng)
        near = shapely.get_y(shapely.centroid(lots)) < south + 480
        cell.add(lots, [("logistics" if n else m) for n, m in zip(near, _industry_mix(rng, len(lots)), strict=True)])
    else:
        lots = _lots(cell, np.array([land], dtype=object), 26_000, rng)
        cell.add(lots, _industry_mix(rng, len(lots)))
    return cell


def _nodes(zone: Zone, rng: np.random.Generator) -> Floats:
    """Corners of a zone's cells, (columns + 1, rows + 1, 2) in the zone's frame, unmoved along the railway."""
    c, r = np.meshgrid(np.arange(zone.columns + 1), np.arange(zone.rows + 1), indexing="ij")
    xy = np.stack([(c - zone.columns / 2) * zone.cell_m[0], (r - zone.rows / 2) * zone.cell_m[1]], axis=-1)
    move: Floats = np.asarray(rng.uniform(-32, 32, xy.shape))
    if zone.straight_row >= 0:
        move[:, zone.straight_row, 1] = 0
    return np.asarray(xy + move)


def _quad(nodes: Floats, c: int, r: int) -> shapely.Polygon:
    return shapely.Polygon([nodes[c, r], nodes[c + 1, r], nodes[c + 1, r + 1], nodes[c, r + 1]])


def draw_zones(parameters: Parameters) -> PlantedLand:
    """All zones with their groups, streets and control lines, in metres from the district's centre."""
    planted = PlantedLand()
    for z, zone in enumerate(parameters.zones):
        rng = np.random.default_rng([parameters.seed, 11, z])
        nodes = _nodes(zone, rng)
        contents: list[tuple[tuple[tuple[int, int], ...], Group | str]] = [
            (group.cells, group) for group in parameters.groups if group.zone == zone.key
        ]
        contents += [(((c, r),), use) for (key, c, r), use in parameters.cell_use.items() if key == zone.key]
        for index, (places, content) in enumerate(contents):
            whole = shapely.union_all([_quad(nodes, c, r) for c, r in places])
            middle = np.mean(
                [
                    ((c + 0.5 - zone.columns / 2) * zone.cell_m[0], (r + 0.5 - zone.rows / 2) * zone.cell_m[1])
                    for c, r in places
                ],
                axis=0,
            )
            land = shapely.transform(
                shapely.buffer(whole, -_CELL_GAP_M / 2, join_style="mitre"), lambda xy, m=middle: xy - m
            )
            cell_rng = np.random.default_rng([parameters.seed, 12, z, index])
            cell = (
                _plain_cell(land, content, cell_rng)
                if isinstance(content, str)
                else _group_cell(land, content, cell_rng)
            )

            def place(g: shapely.Geometry, m: Floats = middle, zone: Zone = zone) -> shapely.Geometry:
                return shapely.transform(g, lambda xy: turned(xy + m, zone.angle_deg, zone.centre))

            planted.polygons += [place(p) for p in cell.polygons]
            planted.use += cell.use
            planted.case += cell.case
            planted.zone += [zone.key] * len(cell.polygons)
            planted.roads += [(place(line), width) for line, width in cell.roads]
            for kind, polygons in cell.controls.items():
                planted.controls.setdefault(kind, []).extend(place(p) for p in polygons)
            planted.cells.append((zone.key, place(land)))
        grid = shapely.union_all([_quad(nodes, c, r) for c in range(zone.columns) for r in range(zone.rows)])
        turned_grid = shapely.transform(grid, lambda xy, zone=zone: turned(xy, zone.angle_deg, zone.centre))
        planted.outlines[zone.key] = turned_grid
        planted.roads.append((turned_grid.exterior, 28.0))
        inner = [nodes[c, :] for c in range(1, zone.columns)]
        inner += [nodes[:, r] for r in range(1, zone.rows) if r != zone.straight_row]
        for line in inner:
            planted.roads.append((shapely.LineString(turned(line, zone.angle_deg, zone.centre)), _CELL_ROAD_M))
    return planted
