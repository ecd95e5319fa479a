"""What a project needs (项目需求): a document that is checked before it is asked."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

TerminalKind = Literal["motorway_ramp", "rail_yard", "port", "logistics_hub"]
Factor = Literal["power_kva", "water_m3d", "gas_m3d", "steam_th", "sewage_m3d"]
Criterion = Literal["area", "motorway_ramp", "rail_yard", "port", "logistics_hub", "price", "delivery"]
_Positive = Annotated[float, Field(gt=0, le=1e9)]


class AreaNeed(BaseModel):
    """Land wanted, in mu; at least one bound."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    min: _Positive | None = Field(default=None, description="最小面积（亩）")
    max: _Positive | None = Field(default=None, description="最大面积（亩）")

    @model_validator(mode="after")
    def _ordered(self) -> AreaNeed:
        if self.min is None and self.max is None:
            raise ValueError("面积至少要有下限或上限")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("面积下限大于上限")
        return self


class Demand(BaseModel):
    """A project's need. What is not stated is no condition."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Annotated[str, Field(max_length=200)] = ""
    industry: Annotated[str, Field(pattern=r"^\d{2,4}$")] | None = Field(
        default=None, description="GB/T 4754 行业代码（只登记，尚不参与匹配）"
    )
    area_mu: AreaNeed
    land_use: tuple[Annotated[str, Field(pattern=r"^[0-9A-Z]{1,8}$")], ...] = Field(
        default=(), max_length=20, description="土地用途代码（前缀）"
    )
    max_km: dict[TerminalKind, _Positive] = Field(default={}, description="到各类节点的最大直线距离（公里）")
    min_factors: dict[Factor, _Positive] = Field(default={}, description="要素下限")
    max_price_yuan_per_mu: _Positive | None = Field(default=None, description="地价上限（元/亩）")
    min_inscribed_radius_m: _Positive | None = Field(default=None, description="内切圆半径下限（米）")
    deadline: date | None = Field(default=None, description="最迟交付日期")
    weights: dict[Criterion, Annotated[float, Field(ge=0, le=100)]] = Field(default={}, description="各项权重，默认 1")
    limit: Annotated[int, Field(ge=1, le=200)] = Field(default=20, description="最多返回的候选地块数")
