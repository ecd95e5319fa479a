"""What every table of a rule set has in common: strict keys, and how sure a value is."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

Status = Literal["verified", "secondary", "unverified", "superseded"]
STATUS_TITLES: dict[str, str] = {
    "verified": "已核对原文",
    "secondary": "据二手资料",
    "unverified": "未核实",
    "superseded": "已被新版代替",
}
Ratio = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(gt=0)]]


def wrong(message: str, *at: str | int) -> PydanticCustomError:
    """What a check of several keys raises: a message for people, and the key at fault within the table checked."""
    return PydanticCustomError("rule", "{message}", {"message": message, "at": at})


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The known word nearest to a misspelt one, as a question; empty where none is near."""
    each = list(known)
    near = get_close_matches(word, each, n=1) or [one for one in each if len(word) > 2 and one.startswith(word)]
    return f"，是不是“{near[0]}”？" if near else ""


class Strict(BaseModel):
    """A table of a rule file: an unknown key is an error, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _true_is_no_number(cls, table: Any) -> Any:
        for key, value in table.items() if isinstance(table, dict) else ():
            field = cls.model_fields.get(key)
            if isinstance(value, bool) and field is not None and field.annotation is not bool:
                raise wrong("不能写 true 或 false", key)
        return table


class Sourced(Strict):
    """A table whose values have a source.

    ``status`` says how sure its values are; ``unverified`` names the keys of this table that are less sure than that,
    a key inside one of its tables with a dot (``applies.contract_from``).
    """

    source: Annotated[str, Field(min_length=1, description="出处：文件名称、文号、条款")]
    status: Annotated[Status, Field(description="核实状态：verified、secondary、unverified、superseded")]
    unverified: Annotated[tuple[str, ...], Field(description="本表中未核实的键，用到时随结果显示")] = ()

    def status_of(self, key: str) -> Status:
        """How sure the value of ``key`` is; naming a table in ``unverified`` names all that is in it."""
        parts = key.split(".")
        unsure = any(".".join(parts[:end]) in self.unverified for end in range(1, len(parts) + 1))
        return "unverified" if unsure else self.status

    @model_validator(mode="after")
    def _unverified_are_keys(self) -> Sourced:
        for i, key in enumerate(self.unverified):
            near = _lacking(self, key.split("."))
            if near is not None:
                raise wrong(f"本表没有键“{key}”{near}", "unverified", i)
        return self


def _lacking(table: Any, parts: list[str]) -> str | None:
    """``None`` where a key leads to something, else the known key that may have been meant, as a question."""
    if not parts:
        return None
    if isinstance(table, BaseModel) and parts[0] in type(table).model_fields:
        return _lacking(getattr(table, parts[0]), parts[1:])
    if isinstance(table, dict) and parts[0] in table:
        return _lacking(table[parts[0]], parts[1:])
    return did_you_mean(parts[0], type(table).model_fields if isinstance(table, BaseModel) else ())


def fraction(ratio: Ratio) -> Fraction:
    """A ratio as an exact number."""
    return Fraction(*ratio)
