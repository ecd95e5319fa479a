"""Counts and sums of a selection as a document; areas in mu beside square metres."""

from __future__ import annotations

from typing import Any

from api.ogc.asking import Asked
from geo.errors import InvalidParameter
from geo.store.base import Store, Total
from geo.units import M2_PER_MU

_MOST_BY = 3
_MOST_SUMS = 10
_MOST_GROUPS = 10_000


def totals_document(store: Store, asked: Asked, by: tuple[str, ...], sums: tuple[str, ...]) -> dict[str, Any]:
    """Count and sums by the values of up to three fields, and of all rows together.

    Raises
    ------
    InvalidParameter
        Unknown fields, too many of them, more groups than a person can use.
    """
    if len(by) > _MOST_BY or len(sums) > _MOST_SUMS:
        raise InvalidParameter(f"by 最多 {_MOST_BY} 个字段，sum 最多 {_MOST_SUMS} 个", where="by", remedy="请减少字段")
    layer = asked.layer
    if not sums and "area_m2" in layer.columns:
        sums = ("area_m2",)
    groups = store.totals(asked.query, by, sums) if by else []
    if len(groups) > _MOST_GROUPS:
        raise InvalidParameter(f"分组超过 {_MOST_GROUPS:,} 个", where="by", remedy="请选值较少的字段")
    (whole,) = store.totals(asked.query, (), sums)
    return {
        "collection": layer.name,
        "by": list(dict.fromkeys(by)),
        "sum": list(dict.fromkeys(sums)),
        "groups": [{"key": dict(zip(dict.fromkeys(by), one.by, strict=True)), **_told(one)} for one in groups],
        "total": _told(whole),
    }


def _told(total: Total) -> dict[str, Any]:
    told: dict[str, Any] = {"count": total.count, "sums": dict(total.sums)}
    if "area_m2" in total.sums:
        area_m2 = total.sums["area_m2"]
        told["area_mu"] = None if area_m2 is None else area_m2 / M2_PER_MU
    return told
