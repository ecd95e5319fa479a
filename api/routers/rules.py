"""Rule sets that come with the project, for a look: names and the whole of one."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from geo.errors import NotFound
from geo.land.rules import load_rules, rule_set_names

router = APIRouter(tags=["规则"])


@router.get("/rules", summary="规则集清单")
def rules() -> dict[str, Any]:
    """Name, title and version of every rule set."""
    sets = [load_rules(name) for name in rule_set_names()]
    return {"rules": [{**one.ruleset.model_dump(), "sha256": one.sha256} for one in sets]}


@router.get("/rules/{name}", summary="一个规则集")
def rule_set(name: str) -> dict[str, Any]:
    """All of a rule set: thresholds, sources, how sure each is."""
    if name not in rule_set_names():
        raise NotFound(f"没有名为“{name[:40]}”的规则集", where="name", remedy="可用：" + "、".join(rule_set_names()))
    told: dict[str, Any] = load_rules(name).model_dump(mode="json")
    return told
