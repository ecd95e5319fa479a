"""Set-backs: the distance that the law keeps free beside roads, railways, power lines and pipelines.

A barrier's own ``setback_m`` always decides. Without one, the table in force does, where it leaves one answer; where
the answer hangs on a grade, a voltage or a setting that nobody gave, nothing is cut and the barrier is named.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from geo.errors import InvalidParameter
from geo.layers.words import WORDS
from geo.plots.ground import barrier_ground, widths_m

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Setting = Literal["urban", "suburban", "village", "elsewhere"]

# A barrier of unknown width may reach this far from its line; further land cannot depend on the width.
WIDEST_HALF_M = 50.0
_ARC = 16  # segments of a quarter circle: the buffer of 30 m is 4 cm short at most


@dataclass(frozen=True, slots=True)
class Setback:
    """One row of the table: how far from a kind of barrier nothing may be built, and which law says so.

    Parameters
    ----------
    kind : kind of barrier
    metres : distance, metres
    measured_from : ``edge`` of the barrier's ground, or its ``centre`` line
    law, article : source
    status : how sure the value is: ``verified``, ``secondary``, ``unverified``, ``superseded``
    grade : of the road or railway; ``None``: any
    setting : what a railway runs through; ``None``: anything
    voltage_kv : lowest and highest voltage of a power line, both included; ``None``: any
    """

    kind: str
    metres: float
    measured_from: Literal["edge", "centre"]
    law: str
    article: str
    status: str
    grade: str | None = None
    setting: str | None = None
    voltage_kv: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class UnassessedSetback:
    """Barriers near eligible land whose set-back is not known, or only in part, and what would have to be known.

    ``missing`` : ``grade``, ``voltage_kv``, ``setting``, or ``width_m`` (the set-back was measured from the line)
    """

    kind: str
    missing: tuple[str, ...]
    barrier_id: tuple[str, ...]


class SetbackGround(NamedTuple):
    """Ground within the set-backs near the land.

    ``geometry`` (m,) polygons, the barrier included · ``kind`` (m,) · ``applied`` rows of the table that were used ·
    ``unassessed``
    """

    geometry: Geometries
    kind: NDArray[np.object_]
    applied: tuple[Setback, ...]
    unassessed: tuple[UnassessedSetback, ...]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Row(_Strict):
    kind: Annotated[str, Field(description="阻隔类型")]
    grade: Annotated[str | None, Field(description="等级")] = None
    setting: Annotated[Setting | None, Field(description="铁路所处位置")] = None
    voltage_kv: Annotated[tuple[float, float] | None, Field(description="电压下限和上限（kV），含两端")] = None
    metres: Annotated[float, Field(ge=0, le=1000, description="退让距离（米）")]
    measured_from: Annotated[Literal["edge", "centre"], Field(description="从外缘（edge）或中心线（centre）起算")]
    law: Annotated[str, Field(min_length=1, description="法规名称")]
    article: Annotated[str, Field(min_length=1, description="条款")]
    status: Annotated[
        Literal["verified", "secondary", "unverified", "superseded"],
        Field(description="核实状态：verified、secondary、unverified 或 superseded"),
    ]


class _Table(_Strict):
    title: Annotated[str, Field(min_length=1, description="标题")]
    version: Annotated[str, Field(min_length=1, description="版本")]
    railway_setting: Annotated[Setting | None, Field(description="铁路所处位置，未写为未知")] = None
    setbacks: Annotated[tuple[_Row, ...], Field(description="退让距离各行")]


def load_setbacks(path: Path | None = None, *, railway_setting: Setting | None = None) -> tuple[Setback, ...]:
    """The set-backs of a table: the national one that comes with the project, or that of a TOML file.

    Parameters
    ----------
    path : TOML file in the form of ``data/setbacks/national.toml``; ``None`` for that one
    railway_setting : what the railways of the district run through; goes before the table's own ``railway_setting``

    Raises
    ------
    InvalidParameter
        The file cannot be read, or is no table of set-backs: the message names row and key.
    """
    name = path.name if path else "national.toml"
    source = path or files("data") / "setbacks" / name
    try:
        text = source.read_text(encoding="utf-8-sig")
        document = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidParameter(f"退让距离表 {name} 不能读取", where=name, remedy="请检查路径，并存为 UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidParameter(
            f"退让距离表 {name} 不是有效的 TOML（{error}）",
            where=name,
            remedy="请对照 data/setbacks/national.toml 修改",
        ) from error
    try:
        table = _Table.model_validate(document)
    except ValidationError as error:
        # A misspelt key is also a missing one; the misspelling is what to mend.
        first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
        row = next((int(step) + 1 for step in first["loc"] if isinstance(step, int)), None)
        key = next((step for step in reversed(first["loc"]) if isinstance(step, str)), "")
        known = {**_Table.model_fields, **_Row.model_fields}
        told = f"应为：{known[key].description}" if key in known and first["type"] != "missing" else "没有写"
        raise _wrong(name, row, key, told if key in known else "没有这个键") from error
    for number, entry in enumerate(table.setbacks, start=1):
        for key, word in (("kind", entry.kind), ("grade", entry.grade)):
            if word is not None and word not in WORDS[f"barriers.{key}"]:
                raise _wrong(name, number, key, f"没有“{word}”，可用：{'、'.join(WORDS[f'barriers.{key}'])}")
    setting = railway_setting or table.railway_setting
    rows = (row for row in table.setbacks if setting is None or row.setting in (None, setting))
    return tuple(Setback(**row.model_dump()) for row in rows)


def _wrong(name: str, row: int | None, key: str, told: str) -> InvalidParameter:
    place = f"{name} 第 {row} 项" if row else name
    return InvalidParameter(
        f"退让距离表 {place} 的 {key}：{told}", where=place, remedy="请对照 data/setbacks/national.toml 修改"
    )


def setback_ground(barriers: gpd.GeoDataFrame, table: tuple[Setback, ...], land: Geometries) -> SetbackGround:
    """Ground within set-backs: each barrier's own where it has one, else that of the table.

    Parameters
    ----------
    barriers : (b) canonical barriers, metric
    table : rows in force; ``()`` leaves it to each barrier's own ``setback_m``
    land : (n,) polygons in the same system; barriers out of their reach cost nothing and depend on nothing
    """
    geometry = np.asarray(barriers.geometry.array)
    kind = barriers["kind"].to_numpy(dtype=object)
    metres = barriers["setback_m"].to_numpy(dtype=float, na_value=np.nan)
    asked = np.isnan(metres) & np.isin(kind, [row.kind for row in table])
    case, verdicts = _verdicts(barriers, asked, table)
    chosen = np.array([verdict.row.metres if verdict.row else np.nan for verdict in verdicts] + [np.nan])
    metres = np.where(asked, chosen[case], metres)
    centre = np.array([bool(verdict.row and verdict.row.measured_from == "centre") for verdict in verdicts] + [False])
    from_centre = asked & centre[case]

    width = widths_m(barriers)
    half = np.where(from_centre | (shapely.get_dimensions(geometry) == 2), 0.0, width / 2)
    tree = shapely.STRtree(land)
    near = _within(tree, geometry, np.nan_to_num(half) + metres, metres > 0)
    used = np.unique(case[near & asked])

    lacking: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    reach = np.nan_to_num(half, nan=WIDEST_HALF_M)
    widest = np.array([verdict.widest_m for verdict in verdicts] + [0.0])[case]
    unknown = np.array([verdict.row is None for verdict in verdicts] + [False])[case]
    identity = barriers["barrier_id"].to_numpy(dtype=object)
    lacks = asked & (unknown | (np.isnan(half) & (metres > 0)))
    for row in np.flatnonzero(_within(tree, geometry, reach + widest, lacks)):
        missing = verdicts[case[row]].missing or ("width_m",)
        lacking.setdefault((str(kind[row]), missing), []).append(str(identity[row]))

    edged = near & ~from_centre
    ground = np.full(len(barriers), None, dtype=object)
    ground[edged] = shapely.buffer(barrier_ground(barriers[edged]), metres[edged], quad_segs=_ARC)
    central = near & from_centre
    ground[central] = shapely.buffer(geometry[central], metres[central], quad_segs=_ARC)
    return SetbackGround(
        ground[near],
        kind[near],
        tuple(row for place in used if (row := verdicts[place].row) is not None),
        tuple(UnassessedSetback(*key, tuple(sorted(ids))) for key, ids in sorted(lacking.items())),
    )


class _Verdict(NamedTuple):
    """What the table says of a barrier: the row that applies, or what is missing; and the widest that may apply."""

    row: Setback | None
    missing: tuple[str, ...]
    widest_m: float


def _verdicts(
    barriers: gpd.GeoDataFrame, asked: Flags, table: tuple[Setback, ...]
) -> tuple[NDArray[np.int64], list[_Verdict]]:
    """(b,) which verdict each barrier has (the last + 1 where none was asked for), and the verdicts, few in number."""
    case = np.full(len(barriers), 0, dtype=np.int64)
    described = pd.DataFrame(
        {
            "kind": barriers["kind"].to_numpy(dtype=object),
            "grade": _column(barriers, "grade"),
            "voltage_kv": pd.to_numeric(pd.Series(_column(barriers, "voltage_kv")), errors="coerce"),
        }
    )[asked]
    groups = described.groupby(["kind", "grade", "voltage_kv"], dropna=False, sort=True)
    case[asked] = groups.ngroup().to_numpy()
    verdicts = [_verdict(str(kind), grade, voltage, table) for kind, grade, voltage in groups.size().index]
    case[~asked] = len(verdicts)
    return case, verdicts


def _verdict(kind: str, grade: Any, voltage_kv: float, table: Iterable[Setback]) -> _Verdict:
    rows = [row for row in table if row.kind == kind]
    graded = [row for row in rows if row.grade is None or pd.isna(grade) or row.grade == grade]
    fitting = [
        row
        for row in graded
        if row.voltage_kv is None or pd.isna(voltage_kv) or row.voltage_kv[0] <= voltage_kv <= row.voltage_kv[1]
    ]
    if len({(row.metres, row.measured_from) for row in fitting}) == 1:
        return _Verdict(fitting[0], (), fitting[0].metres)
    # What would tell the rows apart; a grade or voltage that the table does not list is as good as none.
    open_rows = fitting or rows
    missing = tuple(
        key for key in ("grade", "voltage_kv", "setting") if len({getattr(row, key) for row in open_rows}) > 1
    )
    return _Verdict(None, missing, max(row.metres for row in open_rows))


def _column(barriers: gpd.GeoDataFrame, name: str) -> NDArray[np.object_]:
    if name not in barriers:
        return np.full(len(barriers), None, dtype=object)
    return np.asarray(barriers[name].to_numpy(dtype=object))


def _within(tree: shapely.STRtree, geometry: Geometries, distance_m: Floats, asked: Flags) -> Flags:
    """(b,) which of the geometries that are asked about have land within their distance."""
    found = np.zeros(len(geometry), dtype=bool)
    rows = np.flatnonzero(asked)
    if len(rows):
        near = tree.query(geometry[rows], predicate="dwithin", distance=distance_m[rows])[0]
        found[rows[np.unique(near)]] = True
    return found
