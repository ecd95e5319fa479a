"""Which mapping profile fits a file: proposed with a score and reasons, for a person to confirm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from geo.layers.mapping.applying import importable_layers, plain_profile
from geo.layers.mapping.headings import plain, stem_and_unit
from geo.layers.mapping.origins import mappable
from geo.layers.mapping.profile import Column, Profile
from geo.layers.mapping.resolving import Resolution, lookup, resolve
from geo.layers.mapping.values import convert
from geo.layers.profiles import load_profile, profile_names
from geo.layers.schema import LAYERS

# Share of the score: how much of the profile is there, how much of the file it explains, and the layer's name.
_COVERED, _EXPLAINED, _NAMED = 0.6, 0.2, 0.2
# So many distinctive columns (of a shipped profile, of names known here), or this share of all that are looked for, are
# as good as all of them.
_ENOUGH, _ENOUGH_KNOWN, _MOST = 8.0, 4.0, 0.6
# Where the layer's name tells the source, it weighs so much; names that happen to be known weigh less than a profile.
_NAME_TELLS, _BY_NAME = 0.65, 0.9
# Below this nothing speaks for a profile but names that many sources share.
_WORTH_SHOWING = 0.3
# Columns that every GIS adds.
_TECHNICAL = frozenset(
    {"fid", "ogcfid", "objectid", "id", "gid", "shapeleng", "shapelength", "shapearea", "geometry", "geom", "wkt"}
    | {"indexlevel0", "indexlevel", "序号"}
)
_DIMENSIONS = {"point": "point", "line": "line", "polygon": "polygon", "surface": "polygon", "curve": "line"}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A profile that may fit.

    ``score`` 0…1 · ``matched`` field -> column · ``missing`` fields of the profile that the file lacks · ``unmatched``
    columns that will be kept in ``extra`` · ``why`` in Chinese, for the person who confirms · ``units`` field -> the
    unit in which its numbers will be read, or the column that states it
    """

    profile: Profile
    score: float
    matched: dict[str, str]
    missing: tuple[str, ...]
    unmatched: tuple[str, ...]
    why: str
    units: dict[str, str] = field(default_factory=dict)


def propose(columns: Sequence[str], sample: pd.DataFrame, geometry: str | None, layer_name: str) -> list[Proposal]:
    """Profiles that may fit a table, best first; none where only chance speaks for one.

    Parameters
    ----------
    columns : names of the attribute columns
    sample : some rows, to see whether values can be read as the profile would read them; may be empty
    geometry : type of the geometry (``polygon``, ``MultiPolygon``, ``LineString`` …), ``None`` for a plain table
    layer_name : what the layer, sheet or file is called

    Notes
    -----
    Numbers are proposed only with a unit: the profile's own, or one that the heading states.
    """
    kind = _kind(geometry)
    shipped = [load_profile(name) for name in profile_names()]
    generic = [plain_profile(name) for name in importable_layers()]
    asked = [column for column in columns if _bare(column) not in _TECHNICAL]
    found: list[Proposal] = []
    for profiles, looked_for in ((shipped, _named_columns), (generic, _known_columns)):
        wanted = [looked_for(profile) for profile in profiles]
        shared = Counter(name for names in wanted for name in frozenset[str]().union(*names))
        for profile, names in zip(profiles, wanted, strict=True):
            resolved = resolve(profile, columns)
            if not _fits_geometry(profile, kind) or not _usable(profile, resolved):
                continue
            evidence = _evidence(profile, names, shared, asked, layer_name)
            unread = _unreadable(profile, resolved, sample)
            score = _score(profile, evidence, len(asked)) * (1 - len(unread) / max(1, len(resolved.found)))
            if score >= _WORTH_SHOWING:
                found.append(_proposal(profile, resolved, columns, round(score, 3), evidence, unread))
    # A shipped profile goes before names that happen to be known; the file's order decides nothing.
    rank = {name: number for number, name in enumerate(profile_names())}
    return sorted(found, key=lambda one: (-one.score, rank.get(one.profile.name, len(rank)), one.profile.layer))


def _kind(geometry: str | None) -> str | None:
    if geometry is None:
        return None
    name = geometry.casefold()
    return next((kind for part, kind in _DIMENSIONS.items() if part in name), "any")


def _fits_geometry(profile: Profile, kind: str | None) -> bool:
    wanted = None if profile.join else LAYERS[profile.layer].geometry
    if kind is None or wanted is None:
        return kind is None and wanted is None
    return "any" in (kind, wanted) or kind == wanted


def _named_columns(profile: Profile) -> list[frozenset[str]]:
    """What a shipped profile looks for: the spellings of each field, of each part of the key, and the marks."""
    fields = [
        frozenset(plain(name) for each in wanted for name in each.spellings) for wanted in profile.fields.values()
    ]
    parts = {part for key in profile.key for part in key} - set(profile.fields)
    return list(dict.fromkeys([*fields, *(frozenset({plain(name)}) for name in (*sorted(parts), *profile.marks))]))


def _known_columns(profile: Profile) -> list[frozenset[str]]:
    """What the names known here look for in a layer: the spellings of each field."""
    return [
        frozenset(map(plain, (item.name, item.zh, *item.aliases)))
        for item in mappable(LAYERS[profile.layer])
        if item.name != "extra"
    ]


def _usable(profile: Profile, resolved: Resolution) -> bool:
    if any(name in resolved.missing or name in resolved.without_unit for name in profile.needed):
        return False
    if profile.join:
        return bool(set(profile.join) & set(resolved.found))
    return bool(resolved.keys) or profile.key_from_row or (not profile.key and profile.layer != "parcels")


@dataclass(frozen=True, slots=True)
class _Evidence:
    """``met`` weight of what is there, of ``whole`` · ``explained`` columns looked for · ``marks`` that are there."""

    met: float
    whole: float
    explained: int
    marks: tuple[str, ...]
    named: bool


def _evidence(
    profile: Profile, names: list[frozenset[str]], shared: Counter[str], asked: Sequence[str], layer_name: str
) -> _Evidence:
    guises = [{plain(column), stem_and_unit(column)[0]} for column in asked]
    there = frozenset[str]().union(*guises)
    # A name that many sources use says little; one that is nobody else's says most.
    weight = [(1 / min(shared[name] for name in group & there or group), bool(group & there)) for group in names]
    everything = frozenset[str]().union(*names)
    return _Evidence(
        met=sum(value for value, is_there in weight if is_there),
        whole=sum(value for value, _ in weight),
        explained=sum(1 for guise in guises if guise & everything),
        marks=tuple(mark for mark in profile.marks if plain(mark) in there),
        named=_named(profile, layer_name),
    )


def _score(profile: Profile, evidence: _Evidence, asked: int) -> float:
    """0…1; nought where nothing but names that everybody uses speaks for the profile."""
    if not evidence.named and (evidence.met < 1 or evidence.explained < 2):
        return 0.0
    enough = _ENOUGH if _is_shipped(profile) else _ENOUGH_KNOWN
    covered = min(1.0, evidence.met / max(min(enough, _MOST * evidence.whole), 1e-9))
    explained = evidence.explained / max(1, asked)
    if profile.name_tells:
        return _NAME_TELLS * evidence.named + (1 - _NAME_TELLS) * (covered + explained) / 2
    score = _COVERED * covered + _EXPLAINED * explained + _NAMED * evidence.named
    return score if _is_shipped(profile) else _BY_NAME * score


def _is_shipped(profile: Profile) -> bool:
    return profile.name != "canonical"


def _proposal(
    profile: Profile,
    resolved: Resolution,
    columns: Sequence[str],
    score: float,
    evidence: _Evidence,
    unread: list[str],
) -> Proposal:
    found = Proposal(
        profile,
        score,
        {name: taken.column for name, taken in resolved.found.items()},
        tuple(resolved.missing),
        tuple(column for column in columns if column not in resolved.columns and column != resolved.extra),
        _why(profile, resolved, evidence, unread),
        {name: unit for name, taken in resolved.found.items() if (unit := taken.unit_column or taken.unit)},
    )
    return found if _is_shipped(profile) else replace(found, profile=_spelled_out(profile, resolved))


def _named(profile: Profile, layer_name: str) -> bool:
    layer = LAYERS[profile.layer]
    said = plain(layer_name)
    if not profile.layer_names:
        return said in (plain(layer.name), plain(layer.zh))
    return any(plain(name) in said for name in profile.layer_names)


def _unreadable(profile: Profile, resolved: Resolution, sample: pd.DataFrame) -> list[str]:
    """Fields whose column holds values that mostly cannot be read as the field."""
    layer = LAYERS[profile.layer]
    bad = []
    for name, taken in resolved.found.items():
        if taken.column not in sample.columns:
            continue
        values = sample[taken.column]
        present = int(values.notna().sum())
        item = layer.field(name)
        _, unread = convert(values.reset_index(drop=True), item, lookup(layer, item, profile))
        if present and int(np.count_nonzero(unread)) > present / 2:
            bad.append(name)
    return bad


def _why(profile: Profile, resolved: Resolution, evidence: _Evidence, unread: list[str]) -> str:
    layer = LAYERS[profile.layer]
    fields = len(profile.fields) if _is_shipped(profile) else len(mappable(layer)) - 1
    parts = [f"{fields} 个字段中识别出 {len(resolved.found)} 个"] if fields else []
    if resolved.keys:
        parts.append(f"键 {'-'.join(resolved.keys[0])}")
    elif not profile.join:
        parts.append("没有键，按行编号")
    if marks := evidence.marks:
        parts.append(f"特征字段 {'、'.join(marks[:6])}" + (f" 等 {len(marks)} 个" if len(marks) > 6 else ""))
    if evidence.named:
        parts.append("图层名相符")
    units = [
        f"{layer.field(name).zh}按{taken.unit_column or taken.unit}"
        for name, taken in resolved.found.items()
        if taken.unit or taken.unit_column
    ]
    if units:
        parts.append("单位：" + "、".join(units))
    if resolved.without_unit:
        parts.append(f"没有写单位而不采用：{'、'.join(resolved.without_unit.values())}")
    if unread:
        parts.append(f"多数值不能识别：{'、'.join(resolved.found[name].column for name in unread)}")
    return "；".join(parts)


def _spelled_out(profile: Profile, resolved: Resolution) -> Profile:
    """The names known here as a profile of its own, every column and unit stated."""
    layer = LAYERS[profile.layer]
    fields: dict[str, tuple[Column, ...]] = {
        name: (Column(column=taken.column, unit=taken.unit),) for name, taken in resolved.found.items()
    }
    key = ((layer.key,),) if layer.key in fields else ()
    return Profile(
        name="by-name", title=f"按字段名识别（{layer.zh}）", layer=layer.name, fields=fields, key=key,
        key_from_row=not key, closed=True,
    )  # fmt: skip


def _bare(column: str) -> str:
    return plain(column).replace("_", "").rstrip("123")
