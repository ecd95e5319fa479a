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
from geo.plots.facing import LENGTH_SLACK_M
from geo.plots.ground import barrier_ground
from geo.plots.parameters import PlotRules

Geometries = NDArray[np.object_]
Ints = NDArray[np.int64]

_REASON_ZH = {
    "overlap": "与他宗重叠", "setback": "退让范围", "sliver": "细碎余地", "steep_slope": "坡度超限",
    "parcel": "不允许跨接的宗地",
}  # fmt: skip
_SETBACK = "setback_"


def reason_zh(reason: str) -> str:
    """What took land away, in Chinese: a control line, a barrier, its set-back (``setback_<kind>``), a slope …"""
    if reason.startswith(_SETBACK):
        return f"{reason_zh(reason.removeprefix(_SETBACK))}退让范围"
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
        shared = shapely.area(shapely.intersection(bridge[row], np.asarray(others.geometry.array)[parcel]))
        # Along a winding border a bridge is many small strips: what they cross counts together.
        _, place = np.unique(np.column_stack([bridge_pair[row], parcel]), axis=0, return_inverse=True)
        overlap = np.bincount(place.ravel(), shared, minlength=1)[place.ravel()] > 1.0
        identity, use, holder = (others[name].to_numpy(dtype=object) for name in ("parcel_id", "land_use", "holder"))
        for pair, index in zip(bridge_pair[row[overlap]], parcel[overlap], strict=True):
            found.setdefault(int(pair), {})[str(identity[index])] = {
                "parcel_id": identity[index], "land_use": _none(use[index]), "holder": _none(holder[index]),
            }  # fmt: skip
    if barriers is not None:
        ground = barrier_ground(barriers)
        row, barrier = shapely.STRtree(ground).query(bridge, predicate="intersects")
        met = shapely.intersection(bridge[row], ground[barrier])
        # What only touches a bridge does not lie in it.
        real = np.where(shapely.get_dimensions(ground[barrier]) == 2, shapely.area(met), shapely.length(met)) > 1e-3
        row, barrier = row[real], barrier[real]
        kind, name, width = (barriers[column].to_numpy(dtype=object) for column in ("kind", "name", "width_m"))
        for pair, index in zip(bridge_pair[row], barrier, strict=True):
            found.setdefault(int(pair), {})[f"barrier {index}"] = {
                "barrier": kind[index], "name": _none(name[index]), "width_m": _none(width[index]),
            }  # fmt: skip
    return {pair: list(items.values()) for pair, items in found.items()}


def blocked_pairs(relation: Relation, joined: NDArray[np.bool_], rules: PlotRules) -> pd.DataFrame:
    """Pairs that a barrier keeps apart along the frontage: ``pair``, ``kind``, ``name``, ``blocked_m``."""
    table = relation.blockers(rules.reach_m)
    table = table[
        ~joined[table["pair"].to_numpy(dtype=np.int64)] & (table["blocked_m"] >= rules.frontage_m - LENGTH_SLACK_M)
    ]
    return table.sort_values(["pair", "blocked_m"], ascending=[True, False], kind="stable")


def separations(
    blocked: pd.DataFrame,
    relation: Relation,
    own: NDArray[np.bool_],
    pieces: Pieces,
    parcel_id: NDArray[np.object_],
    plot_of: NDArray[np.object_] | None = None,
) -> list[dict[str, Any]]:
    """Parcels that a barrier keeps away from a plot.

    Parameters
    ----------
    blocked : as ``blocked_pairs`` makes it
    own : (p,) bool, which pieces are the plot's own
    parcel_id : (n,) of the eligible parcels
    plot_of : (p,) plot that holds each piece, ``None`` where none does
    """
    rows = blocked["pair"].to_numpy(dtype=np.int64)
    ends = own[relation.pairs[rows]].reshape(-1, 2)
    outward = ends.sum(axis=1) == 1
    found = []
    for row, here, kind, name, metres in zip(
        rows[outward],
        ends[outward].argmax(axis=1),
        blocked["kind"][outward],
        blocked["name"][outward],
        blocked["blocked_m"][outward],
        strict=True,
    ):
        mine, other = relation.pairs[row, here], relation.pairs[row, 1 - here]
        found.append(
            {
                "parcel_id": parcel_id[pieces.parcel[mine]],
                "neighbour": parcel_id[pieces.parcel[other]],
                "neighbour_plot": None if plot_of is None else plot_of[other],
                "barrier_kind": kind,
                "barrier": _none(name),
                "blocked_m": round(float(metres), 1),
            }
        )
    return found


def _none(value: Any) -> Any:
    return None if pd.isna(value) else value
