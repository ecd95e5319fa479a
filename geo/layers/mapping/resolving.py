"""Which column of a table is which field: by a profile, by the names known here, by those of an export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from geo.layers.dictionary import NameRules, columns_of
from geo.layers.formats.table_columns import MU
from geo.layers.mapping.headings import find, find_with_unit
from geo.layers.mapping.origins import ORIGIN_FIELDS, has_origin, mappable
from geo.layers.mapping.profile import UNITLESS, Column, Profile
from geo.layers.schema import LAYERS, PARCELS, Field, Layer
from geo.layers.words import words_of
from geo.units import is_convertible

_AREA_ZH = PARCELS.field("area_m2").zh
_SHOWN = (MU, "代表点经度", "代表点纬度")


@dataclass(frozen=True, slots=True)
class Taken:
    """A column that holds a field: its unit, or the column that states the unit of each row and the words for it."""

    column: str
    unit: str | None = None
    unit_column: str | None = None
    unit_words: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a profile finds among the columns of a table.

    ``found`` field -> column · ``keys`` columns that make the key, each way that is there · ``missing`` fields that the
    profile names and the table lacks -> the spellings looked for · ``without_unit`` fields whose column is there but
    states no unit · ``extra`` the column that holds other attributes as JSON, in a file that was exported from here ·
    ``derived`` columns that such an export adds for people, computed from another · ``origin`` columns in which such an
    export says where its rows came from
    """

    found: dict[str, Taken]
    keys: tuple[tuple[str, ...], ...]
    missing: dict[str, tuple[str, ...]]
    without_unit: dict[str, str]
    extra: str | None
    derived: tuple[str, ...] = ()
    origin: tuple[str, ...] = ()

    @property
    def columns(self) -> set[str]:
        """Columns that hold a field, state a unit or are computed from others; the rest is kept in ``extra``."""
        units = {taken.unit_column for taken in self.found.values() if taken.unit_column}
        # A key of one column is that column; the parts of a longer one stay readable in extra.
        key = set(self.keys[0]) if self.keys and len(self.keys[0]) == 1 else set()
        return {taken.column for taken in self.found.values()} | units | key | {*self.derived, *self.origin}


def resolve(profile: Profile, columns: Sequence[str]) -> Resolution:
    """Which column of a table is which field; nothing is read yet.

    Parameters
    ----------
    profile : the profile
    columns : names of the table's columns
    """
    layer = LAYERS[profile.layer]
    # An export for people shows the ellipsoidal area in mu too; read back it would pass for a declared one.
    derived = tuple(column for column in columns if column in _SHOWN and find_with_unit((_AREA_ZH,), columns))
    exported = _exported_names(layer, columns)
    origin = _origin_columns(layer, columns, exported)
    columns = [column for column in columns if column not in derived and column not in origin]
    found: dict[str, Taken] = {}
    without_unit: dict[str, str] = {}
    for name, wanted in profile.fields.items():
        for entry in wanted:
            taken, silent = _take(layer.field(name), entry, columns)
            if taken is not None:
                found[name] = taken
                break
            if silent is not None:
                without_unit.setdefault(name, silent)
    if not profile.closed:
        for item in mappable(layer):
            if item.name in found or item.name in profile.constants or item.name == "extra":
                continue
            spoken_for = {taken.column for taken in found.values()}
            free = [column for column in columns if column not in spoken_for]
            taken, silent = _by_name(item, free, exported.get(item.name))
            if taken is not None:
                found[item.name] = taken
            elif silent is not None:
                without_unit.setdefault(item.name, silent)
    without_unit = {name: column for name, column in without_unit.items() if name not in found}
    missing = {
        name: tuple(spelling for entry in wanted for spelling in entry.spellings)
        for name, wanted in profile.fields.items()
        if name not in found and name not in without_unit
    }
    ways = (_parts(key, found, columns) for key in profile.key)
    keys = tuple(parts for parts in ways if parts is not None)
    if not profile.key and not profile.key_from_row and layer.key in found:
        keys = ((found[layer.key].column,),)
    extra = find(("extra", "其他字段"), columns) if "extra" in layer.columns else None
    return Resolution(found, keys, missing, without_unit, extra, derived, origin)


def _take(item: Field, entry: Column, columns: Sequence[str]) -> tuple[Taken | None, str | None]:
    """The column of a field with its unit, or one that is there and states none."""
    column = find(entry.spellings, columns)
    if not _has_dimension(item):
        return _plain_number(item, entry.spellings, column, columns), None
    if entry.unit_column is not None:
        states = find((entry.unit_column,), columns)
        if column is not None and (states is not None or entry.unit is not None):
            return Taken(column, entry.unit, states, entry.unit_words), None
        return None, column
    if entry.unit is not None:
        return (None if column is None else Taken(column, entry.unit)), None
    stated = find_with_unit(entry.spellings, columns)
    if stated is not None and is_convertible(stated[1], item.unit):
        return Taken(*stated), None
    return None, column if stated is None else stated[0]


def _has_dimension(item: Field) -> bool:
    return item.kind in ("real", "integer") and item.unit not in UNITLESS


def _plain_number(item: Field, spellings: Sequence[str], column: str | None, columns: Sequence[str]) -> Taken | None:
    """Text, days, ratios and counts need no unit; a count may state one all the same (``从业人数（人）``)."""
    if column is not None:
        return Taken(column)
    stated = find_with_unit(spellings, columns)
    return Taken(*stated) if stated is not None and is_convertible(stated[1], item.unit) else None


def _by_name(item: Field, columns: Sequence[str], exported: str | None) -> tuple[Taken | None, str | None]:
    """The column that is called as the field is here, as a screen calls it, or as sources are known to."""
    unit = item.unit if _has_dimension(item) else None
    if exported is not None and exported in columns:
        return Taken(exported, unit), None
    spellings = (item.name, item.zh, *item.aliases)
    if unit is None:
        return _plain_number(item, spellings, find(spellings, columns), columns), None
    column = find((item.name,), columns)
    if column is not None:
        return Taken(column, unit), None
    # A number under a foreign name has no known unit; it stays in extra until its heading or a profile states one.
    stated = find_with_unit(spellings, columns)
    if stated is not None and is_convertible(stated[1], item.unit):
        return Taken(*stated), None
    return None, find(spellings, columns)


def _origin_columns(layer: Layer, columns: Sequence[str], exported: dict[str, str]) -> tuple[str, ...]:
    """The columns of an export of ours that say where its rows came from; a lone one of these names is anybody's."""
    if not has_origin(layer.name):
        return ()
    fields = [item for item in ORIGIN_FIELDS if item in layer.fields]
    there = [find((item.name, item.zh, exported.get(item.name, item.name)), columns) for item in fields]
    return tuple(column for column in there if column is not None) if None not in there[:2] else ()


def _exported_names(layer: Layer, columns: Sequence[str]) -> dict[str, str]:
    """Field -> column of a file with the short names that an export gives (units then are the stored ones).

    Some of these names are those that sources use too, with units of their own; so the names that only an export gives
    must be there as well, half of them at least.
    """
    short = {
        column.source: column.name for column in columns_of(layer, layer.columns, {}, "short", NameRules("gb18030", 10))
    }
    ours = {
        name
        for source, name in short.items()
        if name.casefold() != source and name not in layer.field(source).aliases
    }  # fmt: skip
    there = set(columns)
    if not ours or 2 * len(ours & there) < len(ours):
        return {}
    return {source: name for source, name in short.items() if name in there and source != "extra"}


def _parts(key: Sequence[str], found: dict[str, Taken], columns: Sequence[str]) -> tuple[str, ...] | None:
    """The columns of a key, whose parts are fields or columns; ``None`` where one is not there."""
    parts = [found[part].column if part in found else find((part,), columns) for part in key]
    return tuple(part for part in parts if part is not None) if None not in parts else None


def lookup(layer: Layer, item: Field, profile: Profile) -> dict[str, str] | None:
    """Spelling -> word of a field that holds words, as a profile reads it; ``None`` for any other field."""
    known = words_of(layer.name, item.name)
    if known is None:
        return None
    spellings = {spelling: word for word, others in known.items() for spelling in (word, *others)}
    return spellings | profile.words.get(item.name, {})
