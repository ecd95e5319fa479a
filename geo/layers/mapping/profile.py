"""What a mapping profile says: which column of a source is which field, in which unit, and what its words mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from geo.errors import InvalidParameter
from geo.layers.mapping.headings import stem_and_unit
from geo.layers.mapping.origins import mappable
from geo.layers.schema import LAYERS, Field
from geo.layers.words import words_of
from geo.units import factor_to_stored, is_convertible

# Numbers of these units mean the same whoever wrote them: counts, years, ratios.
UNITLESS = ("", "1", "persons")


class Column(BaseModel):
    """A column that may hold a field, and how its numbers are to be read.

    ``column`` one spelling or several, of which the first that exists is taken · ``unit`` of all its numbers ·
    ``unit_column`` states the unit of each row, in the words of ``unit_words`` (``"2" = "亩"``) or in those of
    ``geo.units``; ``unit`` then stands in where a row states none. A number with a dimension and neither of them is
    taken only from a heading that states its unit: ``税收（万元）``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    column: str | tuple[str, ...]
    unit: str | None = None
    unit_column: str | None = None
    unit_words: dict[str, str] = {}

    @property
    def spellings(self) -> tuple[str, ...]:
        """The names the column may have."""
        return (self.column,) if isinstance(self.column, str) else self.column


def _listed(value: Any) -> Any:
    """``"TBMJ"``, ``{column = "TBMJ", …}`` and lists of both are all lists of columns."""
    entries = value if isinstance(value, (list, tuple)) else [value]
    return tuple({"column": entry} if isinstance(entry, str) else entry for entry in entries)


def _alternatives(value: Any) -> Any:
    """``["A", "B"]`` is one key made of two columns; ``[["A"], ["B", "C"]]`` are two keys, the first that is there."""
    if isinstance(value, (list, tuple)) and value and all(isinstance(part, str) for part in value):
        return (tuple(value),)
    return value


class Profile(BaseModel):
    """What a source's columns, units and words mean in one canonical layer.

    Parameters
    ----------
    fields : field -> the column or columns that may hold it; the first that exists is taken
    required : fields whose column must be there; ``None`` for all of ``fields``. Others are reported where they lack
    key : columns (or fields mapped above) that make the key, joined by ``-``; of several keys the first whose parts
        are all given in a row. A part that begins with the part before it stands for both (a building number that
        carries its parcel's). The parts stay in ``extra`` unless the key is a single column
    key_from_row : number the rows instead
    constants : field -> value of every row; where the field has a column too, of the rows that it leaves empty
    words : field -> spelling -> canonical word, beside the spellings known everywhere
    closed : columns that ``fields`` does not name stay in ``extra``, even where their name looks known
    join : the table has no geometry of its own: its rows fill fields of stored rows that agree in one of these fields
    layer_names, marks : by which the source is recognised: what the layer is called, and columns that it has and others
        have not, mapped or not; ``name_tells`` where the name tells the source and columns differ from place to place
    duplicate_key : what becomes of a row whose key was there before
    empty_started_on : whether an empty day of start says that nothing has been started
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    title: str
    layer: str
    fields: dict[str, Annotated[tuple[Column, ...], BeforeValidator(_listed)]] = {}
    required: tuple[str, ...] | None = None
    key: Annotated[tuple[tuple[str, ...], ...], BeforeValidator(_alternatives)] = ()
    key_from_row: bool = False
    constants: dict[str, str | float | int | bool] = {}
    words: dict[str, dict[str, str]] = {}
    closed: bool = False
    join: tuple[str, ...] = ()
    layer_names: tuple[str, ...] = ()
    name_tells: bool = False
    marks: tuple[str, ...] = ()
    duplicate_key: Literal["quarantine", "number"] = "quarantine"
    empty_started_on: Literal["unknown", "not_started"] = "unknown"

    @property
    def needed(self) -> tuple[str, ...]:
        """Fields whose column must be there."""
        return tuple(self.fields) if self.required is None else self.required


def check_profile(profile: Profile) -> None:
    """Hold a profile against the schema.

    Raises
    ------
    InvalidParameter
        It names a layer, a field, a word or a unit that does not exist, or reads a dimension in a foreign unit.
    """
    for fault in _faults(profile):
        raise InvalidParameter(fault, where=profile.name, remedy="请对照 data/profiles/ 中的示例修改映射方案")


def _faults(profile: Profile) -> Iterator[str]:
    layer = LAYERS.get(profile.layer)
    if layer is None or layer.origin != "source":
        yield f"映射方案中有未知的图层或字段：{profile.layer}"
        return
    named = [*profile.fields, *profile.constants, *profile.words, *profile.join]
    unknown = sorted(set(named) - set(layer.columns))
    if unknown:
        yield f"映射方案中有未知的图层或字段：{'、'.join(unknown)}"
    written = sorted((set(named) & set(layer.columns)) - {item.name for item in mappable(layer)})
    if written:
        yield f"映射方案不能填写由导入记录的来源字段：{'、'.join(written)}"
    strangers = sorted(set(profile.needed) - set(profile.fields))
    if strangers:
        yield f"required 中有 fields 未列出的字段：{'、'.join(strangers)}"
    for name, columns in profile.fields.items():
        for column in columns:
            yield from _unit_faults(layer.field(name), column)
    for name, spellings in profile.words.items():
        known = words_of(layer.name, name)
        strange = sorted(set(spellings.values()) - set(known or ()))
        if known is None or strange:
            yield f"字段“{name}”没有这些取值：{'、'.join(strange)}"


def _unit_faults(item: Field, column: Column) -> Iterator[str]:
    where = f"字段“{item.name}”（列 {'、'.join(column.spellings)}）"
    if item.kind not in ("real", "integer") or item.unit in UNITLESS:
        if column.unit or column.unit_column:
            yield f"{where}不是有单位的数值，不能写单位"
        return
    for unit in [*([column.unit] if column.unit else []), *column.unit_words.values()]:
        try:
            factor_to_stored(unit, item.unit)
        except InvalidParameter as error:
            yield f"{where}：{error.detail}"
    for spelling in column.spellings:
        stated = stem_and_unit(spelling)[1]
        if stated is not None and column.unit is not None and is_convertible(stated, item.unit):
            said, read = factor_to_stored(stated, item.unit), factor_to_stored(column.unit, item.unit)
            if said != read:
                yield f"{where}：列名写的单位是“{stated}”，方案写的是“{column.unit}”"
