"""The form of a canonical layer and of its fields, and the fields that several layers share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "real", "integer", "date", "boolean", "json"]
Origin = Literal["source", "derived"]


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a canonical layer.

    ``unit`` is what a stored number means; ``zh`` is what a screen says; ``aliases`` are the spellings met in sources.
    """

    name: str
    kind: Kind
    zh: str
    unit: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layer:
    """A canonical layer: its fields, its key and the geometry it carries (``None`` for a plain table).

    A derived layer holds the newest run; one that ``keeps_earlier_runs`` holds the rows of all of them.
    """

    name: str
    zh: str
    geometry: Literal["polygon", "line", "point", "any"] | None
    key: str
    fields: tuple[Field, ...]
    origin: Origin = "source"
    keeps_earlier_runs: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the attribute columns, in the order in which they are stored."""
        return tuple(field.name for field in self.fields)

    def field(self, name: str) -> Field:
        """The field called ``name``; ``KeyError`` where the layer has none."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)


def text(name: str, zh: str, *aliases: str) -> Field:
    """A field of text."""
    return Field(name, "text", zh, "", aliases)


def real(name: str, zh: str, unit: str = "", *aliases: str) -> Field:
    """A field of real numbers in ``unit``."""
    return Field(name, "real", zh, unit, aliases)


def date(name: str, zh: str, *aliases: str) -> Field:
    """A field of calendar days."""
    return Field(name, "date", zh, "", aliases)


EXTRA = Field("extra", "json", "其他字段")
# Where a row comes from: written by the import, never by a source.
ORIGIN = (text("load_id", "来源批次"), Field("source_row", "integer", "来源行"))
TOWN = text("town", "乡镇街道", "XZMC", "所属乡镇", "街道", "乡镇", "乡镇街道", "镇街")
NAME = text("name", "名称", "MC", "NAME")
