"""Why a plot is not larger: the nearest land that is not in it, what keeps it out, and what it would add."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo import crs
from geo.plots.evidence import reason_zh
from geo.plots.facing import LENGTH_SLACK_M
from geo.plots.surroundings import Scene, eligible_nearby, excluded_nearby, others_adjoining
from geo.units import mu

Ints = NDArray[np.int64]

_COLUMNS = (
    "group", "reason", "parcel_id", "land_use", "holder", "distance_m", "area_m2", "facing_m", "blocked_m", "kind",
    "name", "plot", "cut", "group_area_m2", "because", "because_zh", "part", "nearest",
)  # fmt: skip

_LEAST_M2 = 1.0


@dataclass(frozen=True, slots=True)
class WhyNot:
    """What keeps further land out of one group.

    ``entries`` what would add most first, each with ``parcel_id``, ``reason``, ``zh``, ``distance_m``, ``area_m2``,
    ``if_added_mu`` and what its reason calls for · ``rest`` how many more there are, ``rest_m2`` what they would add.
    """

    entries: list[dict[str, Any]]
    rest: int
    rest_m2: float


def why_not_larger(scene: Scene, group: Ints | None = None, *, most: int = 20) -> list[WhyNot]:
    """The nearest land that is not in each group, and why.

    Parameters
    ----------
    scene : a finished search
    group : (u,) group of each part of the scene, -1 for none; the plots without it
    most : entries for each group

    Returns
    -------
    list of WhyNot
        One for each group from 0 to the largest. Reasons: ``barrier``, ``short_frontage``, ``corner``, ``too_far``,
        ``cut_corridor``, ``other_plot``, ``excluded``, ``not_eligible``.
    """
    group = scene.parts.plot if group is None else group
    count = int(group.max(initial=-1)) + 1
    area = np.bincount(group[group >= 0], scene.parts.area_m2[group >= 0], minlength=count)
    every = [_of_eligible(scene, group), _of_excluded(scene, group), _of_others(scene, group)]
    filled = [one.reindex(columns=_COLUMNS).astype(object) for one in every if len(one)]
    if not filled:
        return [WhyNot([], 0, 0.0) for _ in range(count)]
    table = pd.concat(filled, ignore_index=True)
    table[["group", "distance_m", "area_m2"]] = table[["group", "distance_m", "area_m2"]].astype(float)
    # What the opening shaves off a corner is no land that anybody misses.
    table = table[table["area_m2"] >= _LEAST_M2]
    table = table.sort_values(
        ["group", "area_m2", "distance_m", "parcel_id"], ascending=[True, False, True, True], kind="stable"
    )
    place = table.groupby("group").cumcount()
    shown = table[place < most].assign(across=_across(scene, table[place < most]))
    hidden = table[place >= most]
    hidden_group = hidden["group"].to_numpy(dtype=np.int64)
    rest = np.bincount(hidden_group, minlength=count)
    rest_m2 = np.bincount(hidden_group, hidden["area_m2"], minlength=count)
    entries: list[list[dict[str, Any]]] = [[] for _ in range(count)]
    for row in shown.to_dict("records"):
        number = int(row["group"])
        entries[number].append(_entry(scene, row, float(area[number])))
    return [WhyNot(told, int(rest[i]), float(rest_m2[i])) for i, told in enumerate(entries)]


def near_misses(scene: Scene, *, most: int = 10, members: int = 20, helps: int = 5) -> list[dict[str, Any]]:
    """The largest groups that are too small to be a plot, what they lack and what would lift them.

    Parameters
    ----------
    most : groups that are told
    members : parcels that are named of each
    helps : further land that is named of each, as for a plot; ``enough`` says whether it would lift the group

    Returns
    -------
    list of dict
        ``parcel_ids``, ``parcel_count``, ``area_m2``, ``short_m2``, ``bounds`` (west, south, east, north), ``help``
    """
    parts, rules = scene.parts, scene.rules
    label = scene.relation.components(scene.joined)[parts.piece]
    small = np.flatnonzero(parts.reason == "too_small")
    # Two parts of an opening come from one component; what they hold tells them apart.
    key = np.column_stack([label[small], np.round(parts.group_area_m2[small] * 1000).astype(np.int64)])
    groups, first, place = np.unique(key, axis=0, return_index=True, return_inverse=True)
    area = parts.group_area_m2[small][first] if len(groups) else np.empty(0)
    chosen = np.argsort(-area, kind="stable")[:most]
    rank = np.full(len(groups), -1, dtype=np.int64)
    rank[chosen] = np.arange(len(chosen))
    group = np.full(len(parts.piece), -1, dtype=np.int64)
    group[small] = rank[place.ravel()]
    told = []
    for number, why in enumerate(why_not_larger(scene, group, most=helps)):
        mine = np.flatnonzero(group == number)
        parcel = scene.pieces.parcel[parts.piece[mine]]
        held = pd.Series(parts.area_m2[mine]).groupby(parcel).sum().sort_values(ascending=False, kind="stable")
        names = scene.eligible["parcel_id"].to_numpy(dtype=object)[held.index.to_numpy()]
        box = crs.to_storage(np.array([shapely.box(*shapely.total_bounds(parts.geometry[mine]))]), scene.lon)
        found = float(area[chosen[number]])
        short = rules.min_area_m2 - found
        told.append(
            {
                "parcel_ids": names[:members].tolist(),
                "parcel_count": len(names),
                "area_m2": round(found, 2),
                "short_m2": round(short, 2),
                "bounds": [round(float(side), 7) for side in shapely.total_bounds(box)],
                "help": [
                    {**entry, "enough": bool(max(entry["area_m2"], entry.get("group_area_m2", 0.0)) >= short)}
                    for entry in why.entries
                ],
            }
        )
    return told


def _of_eligible(scene: Scene, group: Ints) -> pd.DataFrame:
    """Eligible land outside each group, a row for each parcel (or other plot) and reason."""
    parts, rules = scene.parts, scene.rules
    table = eligible_nearby(scene, group)
    if table.empty:
        return table
    part = table["part"].to_numpy(dtype=np.int64)
    same = table["same"].to_numpy(dtype=bool)
    facing, blocked, would, distance = (
        table[name].to_numpy(dtype=float) for name in ("facing_m", "blocked_m", "would_face_m", "distance_m")
    )
    own = np.select(
        [
            same,
            (blocked > 0) & (would >= rules.frontage_m - LENGTH_SLACK_M),
            facing + blocked > 0,
            distance > rules.reach_m,
        ],
        ["cut_corridor", "barrier", "short_frontage", "too_far"],
        default="corner",
    )
    other = parts.plot[part]
    parcel = scene.pieces.parcel[parts.piece[part]]
    table = table.assign(
        reason=np.where(other >= 0, "other_plot", own),
        cut=np.where(other >= 0, own, parts.reason[part]),
        plot=other,
        parcel=parcel,
        area_m2=parts.area_m2[part],
        # Parts that the opening left over stay what they are; others would bring the group that they are in.
        group_area_m2=np.where(same | (other >= 0), parts.area_m2[part], parts.group_area_m2[part]),
        place=np.where(other >= 0, -1 - other, parcel),
    ).sort_values(["distance_m", "part"], kind="stable")
    by = ["group", "reason", "place"]
    added = table.groupby(by, sort=False)["area_m2"].sum().rename("sum_m2")
    one = table.drop_duplicates(by).merge(added, left_on=by, right_index=True)
    plots = np.bincount(parts.plot[parts.plot >= 0], parts.area_m2[parts.plot >= 0], minlength=len(scene.plot_ids))
    to_plot = one["plot"].to_numpy(dtype=np.int64)
    whole = plots[to_plot] if len(plots) else np.zeros(len(one))
    rows = one["parcel"].to_numpy(dtype=np.int64)
    return one.assign(
        area_m2=np.where(to_plot >= 0, whole, one["sum_m2"]),
        plot=np.where(to_plot >= 0, to_plot, None),
        **{name: scene.eligible[name].to_numpy(dtype=object)[rows] for name in ("parcel_id", "land_use", "holder")},
    )


def _of_excluded(scene: Scene, group: Ints) -> pd.DataFrame:
    table = excluded_nearby(scene, group)
    rows = table["parcel"].to_numpy(dtype=np.int64)
    names = {name: scene.eligible[name].to_numpy(dtype=object)[rows] for name in ("parcel_id", "land_use", "holder")}
    return table.assign(reason="excluded", **names)


def _of_others(scene: Scene, group: Ints) -> pd.DataFrame:
    table = others_adjoining(scene, group)
    if scene.others is None or table.empty:
        return table
    rows = table["other"].to_numpy(dtype=np.int64)
    wanted = [name for name in ("parcel_id", "land_use", "holder", "because", "because_zh") if name in scene.others]
    return table.assign(
        reason="not_eligible", **{name: scene.others[name].to_numpy(dtype=object)[rows] for name in wanted}
    )


def _across(scene: Scene, shown: pd.DataFrame) -> list[str]:
    """What may not be crossed and lies between a group and land that is too far from it."""
    told = [""] * len(shown)
    far = np.flatnonzero(((shown["reason"] == "too_far") | (shown["cut"] == "too_far")).to_numpy(dtype=bool))
    walls = scene.pieces.walls
    if len(far) == 0 or len(walls.geometry) == 0:
        return told
    rows = shown.iloc[far]
    way = shapely.shortest_line(
        scene.parts.geometry[rows["part"].to_numpy(dtype=np.int64)],
        scene.parts.geometry[rows["nearest"].to_numpy(dtype=np.int64)],
    )
    line, wall = shapely.STRtree(walls.geometry).query(way, predicate="intersects")
    named: dict[int, dict[str, None]] = {}
    for row, met in zip(line.tolist(), wall.tolist(), strict=True):
        named.setdefault(row, {})[_barrier(walls.kind[met], walls.name[met])] = None
    for row, names in named.items():
        told[far[row]] = "、".join(names)
    return told


def _barrier(kind: Any, name: Any) -> str:
    if kind == "parcel":
        return f"不允许跨接的宗地 {name}"
    return reason_zh(str(kind)) + ("" if pd.isna(name) or name == kind else f"“{name}”")


def _below(value: float, limit: float) -> str:
    """A length that is below (or above) a limit, with as many digits as it takes to see that."""
    for digits in (1, 2, 3):
        if round(value, digits) != round(limit, digits):
            return f"{value:.{digits}f}"
    return f"{value:.4f}"


def _sentence(scene: Scene, row: dict[str, Any], reason: str) -> str:
    rules, distance = scene.rules, row["distance_m"]
    match reason:
        case "barrier":
            return f"被{_barrier(row['kind'], row['name'])}隔开，阻断 {row['blocked_m']:.1f} 米"
        case "short_frontage":
            seen = f"相对边长 {_below(row['facing_m'], rules.frontage_m)} 米，不足 {rules.frontage_m:g} 米"
            blocked = f"（另有 {row['blocked_m']:.1f} 米被{_barrier(row['kind'], row['name'])}阻断）"
            return seen + (blocked if row["blocked_m"] > 0 else "")
        case "too_far":
            across = f"，其间有{row['across']}" if row["across"] else ""
            return f"相距 {_below(distance, rules.reach_m)} 米，超过连片间距 {rules.reach_m:g} 米{across}"
        case "corner":
            return "只有角点相接，没有相对的边" if distance < 0.05 else f"相距 {distance:.1f} 米，但没有相对的边"
        case "cut_corridor":
            if row["cut"] == "too_narrow":
                return f"宽度不足 {rules.min_width_m:g} 米，已从地块中切去"
            return f"只经宽度不足 {rules.min_width_m:g} 米的狭窄处相连，已切开"
        case "other_plot":
            return f"属于另一连片地块 {scene.plot_ids[int(row['plot'])]}：{_sentence(scene, row, row['cut'])}"
        case "excluded":
            return f"全部扣除：{reason_zh(str(row['kind']))}"
        case _:
            because = row["because_zh"]
            return "不符合参选条件" + (f"：{because}" if isinstance(because, str) and because else "")


def _entry(scene: Scene, row: dict[str, Any], area_m2: float) -> dict[str, Any]:
    reason = row["reason"]
    entry: dict[str, Any] = {
        "parcel_id": row["parcel_id"],
        "reason": reason,
        "zh": _sentence(scene, row, reason),
        "distance_m": round(row["distance_m"], 2),
        "area_m2": round(row["area_m2"], 2),
        "if_added_mu": round(float(mu(area_m2 + row["area_m2"])), 2),
        "land_use": None if pd.isna(row["land_use"]) else row["land_use"],
        "holder": None if pd.isna(row["holder"]) else row["holder"],
    }
    met = row["cut"] if reason == "other_plot" else reason
    if met in ("barrier", "excluded"):
        entry["kind"] = row["kind"]
    if met == "barrier":
        entry["name"] = None if pd.isna(row["name"]) else row["name"]
        entry["blocked_m"] = round(row["blocked_m"], 1)
    if met in ("barrier", "short_frontage") or reason == "not_eligible":
        entry["facing_m"] = round(row["facing_m"], 2)
    if reason == "other_plot":
        entry["plot"] = scene.plot_ids[int(row["plot"])]
    elif pd.notna(row["group_area_m2"]) and row["group_area_m2"] > row["area_m2"] + 1:
        # What is joined to it would come along.
        entry["group_area_m2"] = round(row["group_area_m2"], 2)
    if isinstance(row["because"], tuple | list):
        entry["because"] = list(row["because"])
    return entry
