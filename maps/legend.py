"""What the colours and hatches on every map mean: the palette and the legend.

The page, the sheet and the tests take their colours and words from here. Colours of land states stay apart for
colour-blind readers and in grey print; where two come close in grey, a hatch tells them apart.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from geo.land.findings import LEVELS

Symbol = Literal["fill", "hatch", "line", "dash", "outline", "rail", "point"]

GROUND = "#f6f3ec"
INK = "#24312f"
WATER = "#c3dce8"
OLIVE = "#8b9446"
GREEN = "#2f7d5c"
VIOLET = "#8c4f8f"
BROWN = "#8a5a2b"
MOTORWAY = "#efb36f"
MOTORWAY_EDGE = "#b97a33"
ROAD_EDGE = "#c6bdac"
RAIL = "#5f6663"
TOWN = "#8d8577"

# Land states. Warm for time lost, blue for poor use, green for land that waits for a project.
STATES: dict[str, str] = {
    "warning": "#f7ecb5",
    "overdue": "#ecd06a",
    "idle_1y": "#ef9a1d",
    "idle_2y": "#c2341d",
    "idle_stalled": "#6f2561",
    "inefficient": "#4a7fb5",
    "not_assessed": "#b8b5ac",
    "reserve": "#0c5f54",
}

# 用地用海分类 (2023), by the first two digits of the code: name, English, tint of the ground.
LAND_USE_GROUPS: dict[str, tuple[str, str, str]] = {
    "01": ("耕地", "Cropland", "#f0f0dc"),
    "02": ("园地", "Orchard", "#e8efd8"),
    "03": ("林地", "Woodland", "#dfead3"),
    "04": ("草地", "Grassland", "#e9efd9"),
    "05": ("湿地", "Wetland", "#dbe9e4"),
    "06": ("农业设施建设用地", "Farm facilities", "#ece9d5"),
    "07": ("居住用地", "Residential", "#f4eadb"),
    "08": ("公共管理与公共服务用地", "Public services", "#f1e4e4"),
    "09": ("商业服务业用地", "Commercial", "#f5e2da"),
    "10": ("工矿用地", "Industry and mining", "#e9dfd2"),
    "11": ("仓储用地", "Storage", "#e5dfeb"),
    "12": ("交通运输用地", "Transport", "#fbfaf7"),
    "13": ("公用设施用地", "Utilities", "#e0e7ea"),
    "14": ("绿地与开敞空间用地", "Green space", "#dcead2"),
    "15": ("特殊用地", "Special", "#e6e4dc"),
    "16": ("留白用地", "Reserved blank", "#f3f3f1"),
    "17": ("陆地水域", "Inland water", "#cfe2ea"),
    "23": ("其他土地", "Other land", "#efece3"),
}
# Road classes as sources spell them (network.road_class): motorways, and what leads through a district.
MOTORWAYS = ("motorway", "motorway_link", "expressway", "高速公路")
MAIN_ROADS = ("trunk", "primary", "national", "provincial", "国道", "省道", "主干路")
LAND_USE_OTHER = "#efece4"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A hatch that the client draws into a square tile: parallel lines at an angle in degrees, or both diagonals."""

    colour: str
    spacing_px: int
    width_px: float
    angle: Literal[0, 45, 90, 135] = 45
    cross: bool = False


PATTERNS: dict[str, Pattern] = {
    "hatch-basic_farmland": Pattern(OLIVE, 8, 0.8, 45),
    "hatch-ecological_redline": Pattern(GREEN, 10, 1.0, 135, cross=True),
    "hatch-idle_stalled": Pattern("#ffffff", 6, 1.4, 135),
    "hatch-not_assessed": Pattern("#77736a", 6, 1.0, 0),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the legend. ``pattern`` names a hatch that lies over ``colour``."""

    key: str
    zh: str
    en: str
    colour: str
    symbol: Symbol
    pattern: str = ""
    stroke: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Entries that are switched together, the style layers that show them and the canonical layers behind them."""

    key: str
    zh: str
    en: str
    entries: tuple[Entry, ...]
    layers: tuple[str, ...]
    sources: tuple[str, ...]
    visible: bool = True


def _state(key: str, en: str, pattern: str = "") -> Entry:
    return Entry(key, LEVELS[key], en, STATES[key], "hatch" if pattern else "fill", pattern)


_SHOWN_USES = ("10", "11", "07", "09", "08", "13", "14", "01", "17")

LEGEND: tuple[Group, ...] = (
    Group(
        "plots",
        "连片地块",
        "Contiguous plots",
        (Entry("reserve", "连片工业用地", "Contiguous industrial land", STATES["reserve"], "outline"),),
        ("plots-fill", "plots-casing", "plots-line", "plot-members-line", "plots-label"),
        ("plots",),
    ),
    Group(
        "idle",
        "疑似闲置",
        "Suspected idle",
        (
            _state("idle_1y", "Not started for a year"),
            _state("idle_2y", "Not started for two years"),
            _state("idle_stalled", "Stalled", "hatch-idle_stalled"),
        ),
        ("idle-fill", "idle-hatch", "idle-line"),
        ("findings",),
    ),
    Group(
        "inefficient",
        "疑似低效",
        "Suspected inefficient",
        (_state("inefficient", "Inefficient use"),),
        ("inefficient-fill", "inefficient-line"),
        ("findings",),
    ),
    Group(
        "due",
        "逾期与预警",
        "Overdue and warning",
        (
            _state("overdue", "Overdue, less than a year"),
            _state("warning", "Due date near"),
        ),
        ("due-fill", "due-line"),
        ("findings",),
    ),
    Group(
        "not_assessed",
        "未能评估",
        "Not assessed",
        (_state("not_assessed", "Data missing, not assessed", "hatch-not_assessed"),),
        ("not-assessed-fill", "not-assessed-hatch"),
        ("findings",),
        visible=False,
    ),
    Group(
        "constraints",
        "控制线",
        "Control lines",
        (
            Entry("basic_farmland", "永久基本农田", "Basic farmland", "", "hatch", "hatch-basic_farmland", OLIVE),
            Entry("ecological_redline", "生态保护红线", "Redline", "", "hatch", "hatch-ecological_redline", GREEN),
            Entry("urban_boundary", "城镇开发边界", "Urban boundary", VIOLET, "dash"),
            Entry("industrial_line", "工业用地区块线", "Industrial block line", BROWN, "dash"),
        ),
        ("farmland-hatch", "redline-hatch", "constraints-line", "urban-boundary-line", "industrial-line"),
        ("control_lines",),
    ),
    Group(
        "transport",
        "交通与水系",
        "Transport and water",
        (
            Entry("motorway", "高速公路", "Motorway", MOTORWAY, "line", stroke=MOTORWAY_EDGE),
            Entry("road", "道路", "Road", "#ffffff", "line", stroke=ROAD_EDGE),
            Entry("railway", "铁路", "Railway", RAIL, "rail"),
            Entry("river", "河流", "River", WATER, "fill"),
            Entry("terminal", "物流节点", "Logistics terminal", INK, "point"),
        ),
        (
            "river-fill", "river-line", "waterway-line", "road-casing", "road-line", "motorway-casing", "motorway-line",
            "railway-line", "railway-dash", "power-line", "pipeline-line", "road-label", "river-label",
            "terminals-circle", "terminals-mark", "terminals-label",
        ),
        ("network", "barriers", "terminals"),
    ),
    Group(
        "parcels",
        "宗地（按用途）",
        "Parcels by use",
        tuple(Entry(f"use_{code}", *LAND_USE_GROUPS[code], "fill", stroke="#d2c9b8") for code in _SHOWN_USES),
        ("parcels-fill", "parcels-line", "buildings-fill"),
        ("parcels", "buildings"),
    ),
    Group(
        "towns",
        "乡镇街道",
        "Towns",
        (Entry("town", "乡镇街道界", "Town boundary", TOWN, "dash"),),
        ("towns-line", "towns-label"),
        ("towns",),
    ),
)  # fmt: skip


def legend() -> list[dict[str, Any]]:
    """``LEGEND`` as plain JSON: groups with their entries, style layers and source layers."""
    return [asdict(group) for group in LEGEND]
