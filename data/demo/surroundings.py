"""What lies around the parcels: control lines, zoning, barriers, network, terminals, markets (metres)."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from data.demo.attributes import LAND_USE
from data.demo.cutting import Geometries, polygon_parts
from data.demo.fabric import Fabric
from data.demo.lines import Lines
from data.demo.parameters import Parameters
from data.demo.plan import Plan, town_nearness
from data.demo.zones import PlantedLand

_SPEED = {
    "motorway": 100.0,
    "national": 70.0,
    "provincial": 60.0,
    "county": 50.0,
    "zone": 40.0,
    "street": 30.0,
    "ramp": 40.0,
}
_BUILT = ("housing", "commercial", "public", "park", "industry", "logistics", "utility", "port")


def _frame(geometry: Geometries | list[shapely.Geometry], **columns: object) -> gpd.GeoDataFrame:
    shapes = np.array(geometry, dtype=object)
    return gpd.GeoDataFrame(columns, geometry=shapes, index=pd.RangeIndex(len(shapes)))


def _lines(geometries: Geometries) -> Geometries:
    return geometries[(shapely.get_type_id(geometries) == 1) & ~shapely.is_empty(geometries)]


def draw_control_lines(fabric: Fabric, planted: PlantedLand, plan: Plan, rng: np.random.Generator) -> gpd.GeoDataFrame:
    """Basic farmland, ecological redline, urban boundary and industrial block lines."""
    blocks, use = fabric.block_polygons, fabric.block_use
    nearness = town_nearness(plan.towns, shapely.get_coordinates(shapely.centroid(blocks)))
    zones = shapely.union_all(list(planted.outlines.values()))
    built = np.isin(use, _BUILT) & (nearness < 1.6)
    grown = shapely.union_all(np.r_[shapely.buffer(blocks[built], 110), shapely.buffer(zones, 130)], grid_size=0.1)
    urban = shapely.union_all(
        [shapely.simplify(shapely.buffer(grown, -85), 8), shapely.buffer(zones, 22, join_style="mitre")]
    )
    urban = urban.intersection(plan.district)
    urban = shapely.difference(urban, shapely.union_all(planted.controls.get("outside_urban_boundary", [])))
    urban_parts = polygon_parts(np.array([urban], dtype=object), 30_000)[0]
    urban_parts = np.array(
        [
            shapely.Polygon(p.exterior, [r for r in p.interiors if shapely.Polygon(r).area > 60_000])
            for p in urban_parts
        ],
        dtype=object,
    )
    farm = (use == "farmland") & (nearness > 1.35) & (rng.random(len(use)) < 0.86)
    fields = blocks[farm]
    if len(fields):  # fields that the boundary has swallowed are no basic farmland
        fields = fields[~shapely.intersects(fields, shapely.union_all(urban_parts))]
    wet = blocks[use == "wetland"]
    kinds = {
        "basic_farmland": (np.r_[fields, planted.controls.get("basic_farmland", [])], "永久基本农田"),
        "ecological_redline": (np.r_[wet, planted.controls.get("ecological_redline", [])], "澜江湿地生态保护红线"),
        "urban_boundary": (urban_parts, "城镇开发边界"),
        "industrial_line": (np.array(list(planted.outlines.values()), dtype=object), "工业用地区块线"),
    }
    frames = [_frame(g, kind=kind, name=[f"{name}{k + 1}" for k in range(len(g))]) for kind, (g, name) in kinds.items()]
    frame = gpd.GeoDataFrame(pd.concat(frames, ignore_index=True))
    frame.insert(0, "line_id", [f"KZX{k + 1:06d}" for k in range(len(frame))])
    return frame


def draw_zoning(fabric: Fabric, planted: PlantedLand) -> gpd.GeoDataFrame:
    """Planned use by street block, and industry in the cells of the zones."""
    first = {use: codes[0][0] for use, codes in LAND_USE.items()} | {"works": "0703"}
    cells = [polygon for _, polygon in planted.cells]
    code = [first[str(u)] for u in fabric.block_use] + ["1001"] * len(cells)
    frame = _frame(np.r_[fabric.block_polygons, np.array(cells, dtype=object)], land_use=code)
    frame.insert(0, "zone_id", [f"GH{k + 1:06d}" for k in range(len(frame))])
    return frame


def _roads(
    parameters: Parameters, plan: Plan, lines: Lines, planted: PlantedLand, no_roads: shapely.Geometry
) -> gpd.GeoDataFrame:
    """Centre lines with class and red-line width (county roads end at a zone and at the large river)."""
    zones = shapely.union_all([*planted.outlines.values(), no_roads])
    county = plan.road_class == "county"
    geometry = shapely.difference(plan.roads, zones)
    waters = shapely.union_all([water.surface for water in lines.waters if water.surface.area > 2.5e6])
    geometry[county] = shapely.difference(geometry[county], waters)
    width = {c: parameters.roads[f"{c}_width_m"] for c in ("county", "provincial", "national")}
    streets = shapely.difference(shapely.difference(plan.streets, zones), waters)
    planted_lines = np.array([line for line, _ in planted.roads], dtype=object)
    all_lines = np.concatenate([geometry, streets, planted_lines])
    all_class = np.concatenate([plan.road_class, np.full(len(streets), "street"), np.full(len(planted_lines), "zone")])
    all_width = np.concatenate(
        [
            [width[c] for c in plan.road_class],
            np.maximum(np.floor(plan.street_gap_m * 0.78), 4.0),
            [w for _, w in planted.roads],
        ]
    )
    parts, owner = shapely.get_parts(all_lines, return_index=True)
    parts = np.array([shapely.LineString(p) if shapely.get_type_id(p) == 2 else p for p in parts], dtype=object)
    keep = (shapely.get_type_id(parts) == 1) & (shapely.length(parts) > 5)
    number = np.cumsum(np.r_[True, all_class[1:] != all_class[:-1]])  # roads of one run of classes share a name
    title = {"national": "国道", "provincial": "省道", "county": "县道", "street": "支路", "zone": "园区路"}
    names = np.array([f"{title[c]}{k}" for c, k in zip(all_class, number, strict=True)], dtype=object)
    return _frame(
        parts[keep], road_class=all_class[owner[keep]], width_m=all_width[owner[keep]], name=names[owner[keep]]
    )


def draw_barriers_and_network(
    parameters: Parameters, plan: Plan, lines: Lines, planted: PlantedLand, fabric: Fabric, ramps: Geometries
) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Barriers (roads, railway, motorway, rivers) and network edges (road, rail, water)."""
    roads = _roads(parameters, plan, lines, planted, fabric.no_roads)
    around = shapely.buffer(plan.district, 2000)
    motorways = shapely.intersection(np.array(lines.motorways, dtype=object), around)
    railway = np.array([shapely.intersection(lines.railway, around)], dtype=object)
    surfaces = shapely.intersection(np.array([w.surface for w in lines.waters], dtype=object), plan.district)
    surfaces, of = polygon_parts(surfaces, 100.0)
    motorway_parts, railway_parts = (_lines(shapely.get_parts(g)) for g in (motorways, railway))
    r = parameters.roads
    barriers = [
        _frame(
            motorway_parts,
            kind="motorway",
            name="澜江高速",
            width_m=r["motorway_width_m"],
            setback_m=r["motorway_setback_m"],
        ),
        _frame(railway_parts, kind="railway", name="苏澜铁路", width_m=r["railway_width_m"], setback_m=0.0),
        _frame(surfaces, kind="river", name=[lines.waters[k].name for k in of], width_m=np.nan, setback_m=0.0),
        _frame(
            roads.geometry.to_numpy(), kind="local_road", name=roads["name"], width_m=roads["width_m"], setback_m=0.0
        ),
    ]
    barrier = gpd.GeoDataFrame(pd.concat([b for b in barriers if len(b)], ignore_index=True))
    barrier.insert(0, "barrier_id", [f"ZG{k + 1:06d}" for k in range(len(barrier))])

    tree = shapely.STRtree(roads.geometry.to_numpy())
    ramp_lines = shapely.shortest_line(ramps, roads.geometry.to_numpy()[tree.nearest(ramps)]) if len(ramps) else ramps
    middles = shapely.intersection(np.array([w.middle for w in lines.waters], dtype=object), around)
    middles = _lines(shapely.get_parts(middles))
    edges = [
        _frame(roads.geometry.to_numpy(), mode="road", road_class=roads["road_class"], name=roads["name"]),
        _frame(motorway_parts, mode="road", road_class="motorway", name="澜江高速"),
        _frame(ramp_lines, mode="road", road_class="ramp", name="互通连接线"),
        _frame(railway_parts, mode="rail", road_class="rail", name="苏澜铁路"),
        _frame(middles, mode="water", road_class="waterway", name="澜江航道"),
    ]
    network = gpd.GeoDataFrame(pd.concat([e for e in edges if len(e)], ignore_index=True))
    network = network[network.geometry.length > 1].reset_index(drop=True)
    network["length_m"] = network.geometry.length.round(1)
    network["speed_kmh"] = network["road_class"].map({**_SPEED, "rail": 60.0, "waterway": 12.0})
    network["toll_yuan_per_km"] = np.where(network["road_class"] == "motorway", 1.2, 0.0)
    network.insert(0, "edge_id", [f"LD{k + 1:06d}" for k in range(len(network))])
    return barrier, network


def place_ramps(lines: Lines, half_width_m: float) -> Geometries:
    """Motorway exits: one every six kilometres of easting, at the same places whatever the size."""
    at = np.arange(-9300.0, half_width_m, 6000.0)
    at = np.r_[at, np.arange(-15300.0, -half_width_m, -6000.0)]
    spots: list[NDArray[np.float64]] = []
    for motorway in lines.motorways:
        xy = shapely.get_coordinates(motorway)
        spots.append(np.column_stack([at, np.interp(at, xy[:, 0], xy[:, 1])]))
    return np.asarray(shapely.points(np.concatenate(spots)))


def draw_terminals(
    parameters: Parameters, lines: Lines, plan: Plan, port: shapely.Point, ramps: Geometries
) -> gpd.GeoDataFrame:
    """Motorway exits, the freight yard, the port and two logistics hubs."""
    zone = next(z for z in parameters.zones if z.straight_row >= 0)
    angle = np.radians(zone.angle_deg)
    along = -0.5 * zone.cell_m[0]  # the freight yard's cell is the second of its row
    yard = np.array(lines.railway.interpolate(lines.railway.project(shapely.Point(zone.centre))).coords[0])
    yard = yard + along * np.array([np.cos(angle), np.sin(angle)]) + 80 * np.array([-np.sin(angle), np.cos(angle)])
    rows: list[tuple[str, str, shapely.Point, float, float]] = [
        ("rail_yard", f"{parameters.name}铁路货场", shapely.Point(yard), 18.0, 12.0),
        ("port", "澜江港区码头", port, 14.0, 18.0),
        ("logistics_hub", "澜港多式联运物流园", shapely.Point(yard[0] + 250, yard[1] + 350), 9.0, 6.0),
        ("logistics_hub", "临港综合物流中心", shapely.Point(port.x + 500, port.y - 250), 9.0, 6.0),
    ]
    near = ramps[shapely.distance(ramps, plan.district) < 6000]
    names = ["白苇西", "云溪", "澜港", "青洲", "东湾"]
    rows += [("motorway_ramp", f"{names[k] if k < 5 else k}互通", p, 0.0, 0.1) for k, p in enumerate(near)]
    frame = _frame([row[2] for row in rows], kind=[row[0] for row in rows], name=[row[1] for row in rows])
    frame["handling_yuan_per_t"] = [row[3] for row in rows]
    frame["dwell_h"] = [row[4] for row in rows]
    frame.insert(0, "terminal_id", [f"WL{k + 1:04d}" for k in range(len(frame))])
    return frame


def draw_markets(plan: Plan, port: shapely.Point) -> gpd.GeoDataFrame:
    """Where goods come from and go to: inside the district and at the points where its long roads leave it."""
    west, _, east, _ = plan.district.bounds
    rows = [
        ("云溪城区消费市场", "outbound", (-4700, 2500), 420_000),
        ("澜港经济开发区配套企业", "both", (700, 400), 650_000),
        ("青洲建材市场", "outbound", (7400, 4100), 180_000),
        ("临港粮油交易市场", "inbound", (-1300, -4700), 260_000),
        ("港口外贸出口", "outbound", (port.x, port.y), 900_000),
        ("长三角方向（高速东口）", "outbound", (east, 5600), 1_300_000),
        ("皖北方向（高速西口）", "inbound", (west, 4600), 700_000),
        ("铁路中西部方向", "both", (west, -1500), 520_000),
    ]
    frame = _frame([shapely.Point(r[2]) for r in rows], name=[r[0] for r in rows], direction=[r[1] for r in rows])
    frame["tonnes_per_year"] = [float(r[3]) for r in rows]
    frame.insert(0, "market_id", [f"SC{k + 1:03d}" for k in range(len(frame))])
    return frame


def draw_towns(plan: Plan) -> gpd.GeoDataFrame:
    """Towns as the union of their superblocks; they tile the district."""
    numbers = np.unique(plan.superblock_town)
    shapes = [shapely.union_all(plan.superblocks[plan.superblock_town == k], grid_size=0.01) for k in numbers]
    return _frame(shapes, town_id=[f"{k + 1:03d}" for k in numbers], name=[plan.towns.names[k] for k in numbers])
