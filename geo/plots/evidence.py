"""Why a plot is as it is: what its bridges cross, what exclusions are called, what keeps its neighbours away."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo.layers.words import WORDS
from geo.plots.contiguity import Relation
from geo.plots.exclusion import Pieces
from geo.plots.parameters import PlotRules

Geometries = NDArray[np.object_]
Ints = NDArray[np.int64]

_REASON_ZH = {"overlap": "与他宗重叠", "setback": "退让范围", "sliver": "细碎余地"}


def reason_zh(reason: str) -> str:
    for field in ("control_lines.kind", "barriers.kind"):
        if reason in WORDS[field]:
            return "城镇开发边界外" if reason == "urban_boundary" else WORDS[field][reason][0]
    return _REASON_ZH.get(reason, reason)


def land_between(
    bridge_pair: Ints, bridge: Geometries, others: gpd.GeoDataFrame | None, barriers: gpd.GeoDataFrame | None
) -> dict[int, list[dict[str, Any]]]:
    """What lies in each bridged gap: parcels with use and holder, and barriers that were allowed to be crossed."""
    found: dict[int, dict[str, dict[str, Any]]] = {}
    if len(bridge) == 0:
        return {}
    if others is not None:
        row, parcel = shapely.STRtree(np.asarray(others.geometry.array)).query(bridge, predicate="intersects")
        overlap = shapely.area(shapely.intersection(bridge[row], np.asarray(others.geometry.array)[parcel])) > 1.0
        identity, use, holder = (others[name].to_numpy(dtype=object) for name in ("parcel_id", "land_use", "holder"))
        for pair, index in zip(bridge_pair[row[overlap]], parcel[overlap], strict=True):
            found.setdefault(int(pair), {})[str(identity[index])] = {
                "parcel_id": identity[index], "land_use": _none(use[index]), "holder": _none(holder[index]),
            }  # fmt: skip
    if barriers is not None:
        row, barrier = shapely.STRtree(np.asarray(barriers.geometry.array)).query(bridge, predicate="intersects")
        kind, name, width = (barriers[column].to_numpy(dtype=object) for column in ("kind", "name", "width_m"))
        for pair, index in zip(bridge_pair[row], barrier, strict=True):
            found.setdefault(int(pair), {})[f"barrier {index}"] = {
                "barrier": kind[index], "name": _none(name[index]), "width_m": _none(width[index]),
            }  # fmt: skip
    return {pair: list(items.values()) for pair, items in found.items()}


def separations(
    relation: Relation,
    joined: NDArray[np.bool_],
    ends: Ints,
    pieces: Pieces,
    parcel_id: NDArray[np.object_],
    rules: PlotRules,
) -> dict[int, list[dict[str, Any]]]:
    """For each plot: parcels outside it that a barrier keeps away, and which barrier."""
    found: dict[int, dict[tuple[str, ...], dict[str, Any]]] = {}
    pair, kind, name, metres = relation.blockers(rules.reach_m)
    for index, barrier_kind, barrier_name, blocked in zip(pair, kind, name, metres, strict=True):
        if joined[index] or blocked < rules.frontage_m:
            continue
        for side in (0, 1):
            plot = int(ends[index, side])
            if plot < 0 or plot == ends[index, 1 - side]:
                continue
            here, there = (str(parcel_id[pieces.parcel[relation.pairs[index, end]]]) for end in (side, 1 - side))
            known = found.setdefault(plot, {})
            key = (here, there, str(barrier_kind), str(barrier_name))
            # Both directions see the same barrier; the longer view says how much it blocks.
            if key not in known or known[key]["blocked_m"] < blocked:
                known[key] = {
                    "parcel_id": here, "neighbour": there, "barrier_kind": barrier_kind,
                    "barrier": _none(barrier_name), "blocked_m": round(float(blocked), 1),
                }  # fmt: skip
    return {plot: list(rows.values()) for plot, rows in found.items()}


def _none(value: Any) -> Any:
    return None if pd.isna(value) else value
