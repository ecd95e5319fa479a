"""What every table of a rule set has in common: strict keys, and how sure a value is."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Status = Literal["verified", "secondary", "unverified", "superseded"]
STATUS_TITLES: dict[str, str] = {
    "verified": "已核对原文",
    "secondary": "据二手资料",
    "unverified": "未核实",
    "superseded": "已被新版代替",
}
Ratio = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(gt=0)]]


class Strict(BaseModel):
    """A table of a rule file: an unknown key is an error, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Sourced(Strict):
    """A table whose values have a source.

    ``status`` says how sure its values are; ``unverified`` names the keys of this table that are less sure than that.
    """

    source: Annotated[str, Field(min_length=1, description="出处：文件名称、文号、条款")]
    status: Annotated[Status, Field(description="核实状态：verified、secondary、unverified、superseded")]
    unverified: Annotated[tuple[str, ...], Field(description="本表中未核实的键，用到时随结果显示")] = ()

    def status_of(self, key: str) -> Status:
        """How sure the value of ``key`` is."""
        return "unverified" if key in self.unverified else self.status


def fraction(ratio: Ratio) -> Fraction:
    """A ratio as an exact number."""
    return Fraction(*ratio)
