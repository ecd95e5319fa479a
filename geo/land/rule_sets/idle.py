"""The idle-land part of a rule set: periods in calendar years, ratios as exact fractions, measures by level."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from geo.land.rule_sets.base import Ratio, Sourced, Status, Strict, fraction, wrong

# What may stop the clock; the holder's own cause never does.
Cause = Literal["art8_1", "art8_2", "art8_3", "art8_4", "art8_5", "art8_6", "force_majeure"]
IdleLevel = Literal["warning", "overdue", "idle_1y", "idle_2y", "idle_stalled"]


class Disposal(Strict):
    """What the rules allow to be done with a parcel of these levels (处置措施).

    ``cause`` says which parcels: ``government`` those of whose delay an excusing cause counted for some days,
    ``holder`` and ``any`` all that reach the level, since the clock leaves excused days out. ``tenure``: collective
    land is treated by reference, without fee and take-back, so a measure is for state-owned land unless it says more.
    """

    levels: Annotated[tuple[IdleLevel, ...], Field(min_length=1, description="适用的等级")]
    cause: Annotated[Literal["holder", "government", "any"], Field(description="原因：企业、政府或不可抗力、不限")]
    measure: Annotated[str, Field(min_length=1, description="措施")]
    article: Annotated[str, Field(description="条款")]
    paper: Annotated[str, Field(description="文书")] = ""
    limit: Annotated[str, Field(description="期限或条件")] = ""
    status: Annotated[Status, Field(description="核实状态")] = "secondary"
    tenure: Annotated[
        tuple[Literal["state", "collective"], ...], Field(description="土地性质：state 国有、collective 集体")
    ] = ("state",)


class SlowInvestment(Sourced):
    """A stricter local rule: so many years past the agreed start, and less than a share of the investment made."""

    years: Annotated[int, Field(ge=1, le=10, description="超过约定动工日期满几年")]
    invested_below: Annotated[Ratio, Field(description="已投资额／总投资额低于")]
    article: Annotated[str, Field(description="条款")] = ""


class IdleRules(Sourced):
    """Idle land (闲置土地处置办法)."""

    grace_years: Annotated[int, Field(ge=0, le=10, description="约定不明时：交地之日起几年为应动工日期")]
    idle_years: Annotated[int, Field(ge=1, le=10, description="逾期满几年构成闲置")]
    takeback_years: Annotated[int, Field(ge=1, le=10, description="逾期满几年可无偿收回")]
    suspended_years: Annotated[int, Field(ge=1, le=10, description="中止开发满几年")]
    developed_below: Annotated[Ratio, Field(description="已动工面积／应动工面积低于（分数）")]
    invested_below: Annotated[Ratio, Field(description="已投资额／总投资额低于（分数）")]
    fee_rate: Annotated[Ratio, Field(description="土地闲置费占出让或划拨价款的比例（分数）")]
    warn_days: Annotated[int, Field(ge=0, le=3650, description="到期前几天提醒")]
    year_full_on: Annotated[
        Literal["next_day", "same_day"], Field(description="满年：next_day 期满日次日起，same_day 期满当日起")
    ]
    excuses_stop_rule_b: Annotated[bool, Field(description="政府原因、不可抗力是否也中断停工满一年的计算")]
    late_handover_excuses: Annotated[bool, Field(description="交地晚于约定动工日期的天数是否按第八条第一项扣除")]
    excusing: Annotated[tuple[Cause, ...], Field(description="可扣除的延误原因")]
    articles: Annotated[dict[str, str], Field(default_factory=dict, description="规则或等级所依据的条款")]
    disposals: Annotated[tuple[Disposal, ...], Field(description="各等级可采取的措施")] = ()
    slow_investment: Annotated[SlowInvestment | None, Field(description="更严的地方规定：逾期几年而投资不足")] = None

    @model_validator(mode="after")
    def _fitting(self) -> IdleRules:
        if self.takeback_years < self.idle_years:
            raise wrong("可无偿收回的年数不应少于构成闲置的年数", "takeback_years")
        for name in ("developed_below", "invested_below", "fee_rate"):
            if fraction(getattr(self, name)) > 1:
                raise wrong("比例不应大于 1", name)
        return self
