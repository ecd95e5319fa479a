"""Rule sets: thresholds with their source, per jurisdiction, read from TOML and checked with clear messages."""

from __future__ import annotations

import hashlib
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from geo.errors import InvalidParameter

Status = Literal["verified", "secondary", "unverified", "superseded"]
Ratio = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(gt=0)]]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class IdleRules(_Strict):
    """Idle land (闲置土地处置办法): periods in calendar years, ratios as exact fractions."""

    source: str
    status: Status
    grace_years: Annotated[int, Field(ge=0, le=10)]
    idle_years: Annotated[int, Field(ge=1, le=10)]
    takeback_years: Annotated[int, Field(ge=1, le=10)]
    suspended_years: Annotated[int, Field(ge=1, le=10)]
    developed_below: Ratio
    invested_below: Ratio
    fee_rate: Ratio
    warn_days: Annotated[int, Field(ge=0, le=3650)]
    year_full_on: Literal["next_day", "same_day"]
    excuses_stop_rule_b: bool
    excusing: tuple[str, ...]
    unverified: tuple[str, ...] = ()


class _Inefficient(_Strict):
    rule: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{1,31}$")]
    title: str
    source: str
    status: Status
    land_use: tuple[str, ...] = ("1001", "1101")


class TaxPerMu(_Inefficient):
    """Tax per mu of a holder's industrial land below a threshold by size of firm, yuan per mu and year."""

    measure: Literal["tax_per_mu"]
    per: Literal["holder"] = "holder"
    above_scale_below: Annotated[float, Field(gt=0)]
    below_scale_below: Annotated[float, Field(gt=0)]


class PlotRatio(_Inefficient):
    """Plot ratio (容积率) below the minimum of the sector, by the first two digits of the industry code."""

    measure: Literal["far"]
    industry_edition: Literal["2002", "2017"]
    minimum: dict[Annotated[str, Field(pattern=r"^\d{2}$")], Annotated[float, Field(gt=0)]]


class StoppedMonths(_Inefficient):
    """Production stopped for at least so many calendar months."""

    measure: Literal["stopped_months"]
    at_least: Annotated[int, Field(ge=1, le=240)]


class Eligible(_Strict):
    """Which parcels may be part of a plot.

    ``land_use`` code prefixes and ``planned_land_use`` values of the zoning layer (at a point of the parcel) each
    restrict; where ``levels`` of findings or ``stock_class`` are given, a parcel needs one of them.
    """

    land_use: tuple[str, ...] = ()
    planned_land_use: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    stock_class: tuple[str, ...] = ()


class SiteRules(_Strict):
    """Which single parcels are sites beside the plots."""

    min_parcel_mu: Annotated[float, Field(gt=0)] = 50.0


class _Head(_Strict):
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
    title: str
    version: str
    extends: str | None = None


class RuleSet(_Strict):
    """One jurisdiction's rules; ``sha256`` identifies exactly what was applied."""

    ruleset: _Head
    idle: IdleRules
    inefficient: tuple[Annotated[TaxPerMu | PlotRatio | StoppedMonths, Field(discriminator="measure")], ...] = ()
    eligible: Eligible = Eligible()
    sites: SiteRules = SiteRules()
    sha256: str


def rule_set_names() -> list[str]:
    """Names of the rule sets that come with the project."""
    return sorted(entry.name.removesuffix(".toml") for entry in (files("data") / "rules").iterdir())


def load_rules(name: str) -> RuleSet:
    """A rule set by its name (one that comes with the project) or by the path of a TOML file.

    Raises
    ------
    InvalidParameter
        No such rule set, or a value that does not fit; the message names file, key and what is expected.
    """
    document, text, where = _resolved(name, ())
    try:
        return RuleSet.model_validate({**document, "sha256": hashlib.sha256(text.encode()).hexdigest()})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InvalidParameter(
            f"规则文件不合要求：{key}：{first['msg']}",
            where=f"{where}: {key}",
            remedy="请对照 data/rules/ 中的示例修改",
        ) from error


def _resolved(name: str, within: tuple[str, ...]) -> tuple[dict[str, Any], str, str]:
    """A document with what it takes over from the set it extends: whole tables that it does not have itself."""
    text, where = _text(name)
    document = _parse(text, where)
    head = document.get("ruleset")
    base = head.get("extends") if isinstance(head, dict) else None
    if not isinstance(base, str):
        return document, text, where
    if base in (*within, name):
        raise InvalidParameter(f"规则集相互继承：{'、'.join((*within, name, base))}", where=f"{where}: ruleset.extends")
    inherited, more, _ = _resolved(base, (*within, name))
    return {**inherited, **document}, text + more, where


def _text(name: str) -> tuple[str, str]:
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise InvalidParameter(f"找不到规则文件 {path.name}", where="rules", remedy="请检查路径")
        try:
            return path.read_text(encoding="utf-8"), path.name
        except UnicodeDecodeError as error:
            raise InvalidParameter(
                f"规则文件 {path.name} 不是 UTF-8 编码", where=path.name, remedy="请另存为 UTF-8"
            ) from error
    if name not in rule_set_names():
        raise InvalidParameter(
            f"没有名为“{name}”的规则集",
            where="rules",
            remedy="可用：" + "、".join(rule_set_names()) + "，或给出 .toml 路径",
        )
    return (files("data") / "rules" / f"{name}.toml").read_text(encoding="utf-8"), f"{name}.toml"


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidParameter(f"规则文件不是有效的 TOML：{error}", where=where, remedy="请检查该行的写法") from error
