"""Which parcels may be part of a plot: the conditions, and the fields that a filter among them may ask for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from geo.errors import InvalidParameter
from geo.land.rule_sets.base import Strict, wrong
from geo.layers.filters import parse_filter, properties
from geo.layers.schema import PARCELS, Layer
from geo.layers.schema import Field as Column

# What a filter of eligible parcels may ask for: the fields of a parcel, and what an analysis knows of it besides.
ELIGIBILITY = Layer(
    "eligibility",
    "参选条件",
    PARCELS.geometry,
    PARCELS.key,
    (
        *PARCELS.fields,
        Column("idle_level", "text", "闲置等级"),
        Column("inefficient", "boolean", "低效"),
        Column("planned_land_use", "text", "规划用途"),
    ),
    "derived",
)

StatusWord = Literal["not_started", "building", "suspended", "completed", "producing", "stopped"]
ControlLine = Literal["industrial_line", "urban_boundary", "basic_farmland", "ecological_redline"]


class Eligible(Strict):
    """Which parcels may be part of a plot; every condition that is given restricts.

    ``land_use`` code prefixes; ``planned_land_use`` values of the zoning layer (at a point of the parcel); where
    ``levels`` of findings or ``stock_class`` are given, a parcel needs one of them; ``status`` words; ``inside``
    control lines, in each of which a point of the parcel has to lie; ``filter`` CQL2 text over the fields of
    ``ELIGIBILITY``.
    """

    land_use: Annotated[tuple[str, ...], Field(description="用地用海代码（前缀），空列表为不限")] = ()
    planned_land_use: Annotated[tuple[str, ...], Field(description="规划图层中的规划用途，空列表为不限")] = ()
    levels: Annotated[tuple[str, ...], Field(description="须有其中一个认定等级，空列表为不限")] = ()
    stock_class: Annotated[tuple[str, ...], Field(description="或属于其中一个存量类别")] = ()
    status: Annotated[tuple[StatusWord, ...], Field(description="建设状态须为其中之一，空列表为不限")] = ()
    inside: Annotated[tuple[ControlLine, ...], Field(description="须位于这些控制线内，空列表为不限")] = ()
    filter: Annotated[str, Field(description="CQL2 条件：宗地字段和 idle_level、inefficient、planned_land_use")] = ""

    @field_validator("filter")
    @classmethod
    def _asks_what_there_is(cls, text: str) -> str:
        if text:
            try:
                parse_filter(text, ELIGIBILITY)
            except InvalidParameter as error:
                raise wrong(f"{error.detail}（{error.remedy}）") from error
        return text

    @property
    def needs_planned_land_use(self) -> bool:
        """Whether a condition asks what the plan has for a parcel."""
        asked = properties(parse_filter(self.filter, ELIGIBILITY).expression) if self.filter else frozenset()
        return bool(self.planned_land_use) or "planned_land_use" in asked
