"""What a measure is compared with: a number, a fraction, an agreed value, a line of cases, a table by industry.

A row whose size, class or industry is unknown may have several thresholds; each of them is carried along, so that a
verdict stands wherever all of them agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.land.inputs import Inputs
from geo.land.measures import Measure
from geo.land.rule_sets.inefficiency import AGREED, Case, Criterion, FromTable, SectorTable
from geo.units import factor_to_stored

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Texts = NDArray[np.object_]


class Lack(NamedTuple):
    """Something that is missing: in which rows (n,), and its name, or a name for each row."""

    where: Flags
    name: str | Texts


class Line(NamedTuple):
    """One threshold that rows may have.

    ``value`` (n,) in the measure's unit, ``nan`` where it is not known · ``possible`` (n,) where it may be the one ·
    ``lacking`` what is missing where the value is
    """

    value: Floats
    possible: Flags
    lacking: str | Texts


class Thresholds(NamedTuple):
    """The thresholds of a criterion: its lines, and what would have to be known to choose between them.

    ``is_unverified`` (n,) where a table's value or its crosswalk was used that nobody has verified
    """

    lines: tuple[Line, ...]
    unsure: tuple[Lack, ...]
    is_unverified: Flags


def thresholds_of(
    criterion: Criterion, measure: Measure, inputs: Inputs, tables: Mapping[str, SectorTable]
) -> Thresholds:
    """The thresholds that each row may have, in the unit of the measure.

    Parameters
    ----------
    criterion : one comparison of a rule
    measure : what it compares
    inputs : (n) parcels or firms
    tables : tables of the rule set by name

    Raises
    ------
    InvalidParameter
        The unit of the rule does not measure what the measure does.
    """
    bound = criterion.comparison[1]
    everywhere = np.ones(len(inputs), dtype=bool)
    if isinstance(bound, FromTable):
        table = tables[bound.table]
        return _from_table(table, factor_into(table.unit or criterion.unit, measure), inputs)
    factor = factor_into(criterion.unit, measure)
    if isinstance(bound, tuple):
        return _from_cases(bound, factor, inputs)
    return Thresholds((_line(bound, factor, inputs, everywhere),), (), ~everywhere)


def factor_into(unit: str, measure: Measure) -> float:
    """The factor that turns a value in the rule's unit into the measure's; a column of the source has no unit to turn.

    Raises
    ------
    InvalidParameter
        The unit does not measure what the measure does.
    """
    if unit in ("", measure.unit) or not measure.unit:
        return 1.0
    if measure.unit == "1" and unit in ("%", "％", "‰"):
        return 0.001 if unit == "‰" else 0.01
    return factor_to_stored(unit, measure.unit)


def unit_of(criterion: Criterion, measure: Measure, tables: Mapping[str, SectorTable]) -> str:
    """The unit in which the rule speaks: the table's, its own, or the measure's."""
    bound = criterion.comparison[1]
    of_table = tables[bound.table].unit if isinstance(bound, FromTable) else ""
    return of_table or criterion.unit or measure.unit


def _line(bound: Any, factor: float, inputs: Inputs, possible: Flags) -> Line:
    if bound in AGREED:
        # A contract's own figure is stored in the unit of its field, whatever unit the rule speaks.
        return Line(inputs.column(bound), possible, bound)
    number = float(Fraction(bound)) if isinstance(bound, str) else bound
    return Line(np.full(len(inputs), number * factor), possible, "threshold")


def _from_cases(cases: Sequence[Case], factor: float, inputs: Inputs) -> Thresholds:
    """The first line of which every condition holds; an unknown condition leaves it open and the next line as well."""
    scale = inputs.column("above_scale")
    unknown_scale = np.isnan(scale) & any(case.size for case in cases)
    lines: list[Line] = []
    unsure = [Lack(unknown_scale, "above_scale")] if unknown_scale.any() else []
    # A firm is above or below scale: where that is unknown both are gone through, and nothing else.
    for assumed in (1.0, 0.0) if unknown_scale.any() else (1.0,):
        still = np.ones(len(inputs), dtype=bool) if assumed else unknown_scale.copy()
        for case in cases:
            holds, unknown = _holds(case, inputs, np.where(np.isnan(scale), assumed, scale))
            lines.append(_line(case.value, factor, inputs, still & (holds != 0)))
            undecided = still & np.isnan(holds)
            unsure += [Lack(undecided & lack.where, lack.name) for lack in unknown]
            still = still & (holds != 1)
        # A row that no line covers has no threshold: silence of the document is not a pass.
        lines.append(Line(np.full(len(inputs), np.nan), still, "threshold"))
    return Thresholds(tuple(lines), tuple(unsure), np.zeros(len(inputs), dtype=bool))


def _holds(case: Case, inputs: Inputs, scale: Floats) -> tuple[Floats, list[Lack]]:
    conditions: list[tuple[Floats, str | Texts]] = []
    if case.size:
        conditions.append(((scale == (case.size == "above_scale")).astype(float), "above_scale"))
    for name in ("land_class", "park_grade"):
        wanted = getattr(case, name)
        if wanted:
            conditions.append((_one_of(_texts(inputs, name), wanted), name))
    if case.land_use:
        conditions.append((_starts(_texts(inputs, "land_use"), case.land_use), "land_use"))
    if case.industry:
        conditions.append(in_industry(inputs, case.industry, case.industry_edition))
    holds = all_hold([one for one, _ in conditions], len(inputs))
    return holds, [Lack(np.isnan(one), name) for one, name in conditions]


def all_hold(parts: Sequence[Floats], n: int) -> Floats:
    """And in three values: one that does not hold decides, otherwise one that is unknown leaves all unknown: (n,)."""
    result = np.ones(n)
    for part in parts:
        result = np.where((result == 0) | (part == 0), 0.0, np.where(np.isnan(result) | np.isnan(part), np.nan, 1.0))
    return result


def of_size(inputs: Inputs, size: str) -> Floats:
    """Whether a firm is above (or below) scale: 1, 0, ``nan`` unknown."""
    scale = inputs.column("above_scale")
    return np.where(np.isnan(scale), np.nan, (scale == (size == "above_scale")).astype(float))


def in_industry(inputs: Inputs, prefixes: Sequence[str], edition: str) -> tuple[Floats, Texts]:
    """Whether the industry is one of these prefixes, and the name of what is missing where that is not known."""
    code, said = industries(inputs)
    known = (code != "") & (said == edition)
    found = pd.Series(code).str.startswith(tuple(prefixes)).to_numpy(dtype=bool)
    # A code shorter than the prefix it begins may be of either kind.
    short = np.isin(code, sorted({prefix[:k] for prefix in prefixes for k in range(1, len(prefix))}))
    holds = np.where(~known | (short & ~found), np.nan, found.astype(float))
    return holds, np.where((code != "") & (said == ""), "industry_edition", "industry").astype(object)


def industries(inputs: Inputs) -> tuple[Texts, Texts]:
    """Code without section letter (``C3841`` is 3841) and edition, each (n,) text, ``""`` where it is unknown."""
    places, names = pd.factorize(_texts(inputs, "industry"))
    code = pd.Series(names, dtype=object).str.strip().str.upper().str.replace(r"^[A-Z]", "", regex=True)
    code = code.where(code.str.fullmatch(r"\d{2,5}").to_numpy(dtype=bool), "")
    return code.to_numpy(dtype=object)[places], _texts(inputs, "industry_edition")


def _texts(inputs: Inputs, name: str) -> Texts:
    if name not in inputs.table:
        return np.full(len(inputs), "", dtype=object)
    return inputs.table[name].fillna("").astype(str).to_numpy(dtype=object)


def _one_of(text: Texts, wanted: Iterable[str]) -> Floats:
    return np.where(text == "", np.nan, np.isin(text, list(wanted)).astype(float))


def _starts(text: Texts, prefixes: tuple[str, ...]) -> Floats:
    found = pd.Series(text, dtype=object).str.startswith(prefixes).to_numpy(dtype=bool)
    return np.where(text == "", np.nan, found.astype(float))


class _Options(NamedTuple):
    """What a table says for one industry and class: values, and why one is missing or several are left."""

    choices: tuple[float, ...]
    lacking: str
    unsure: tuple[str, ...] = ()
    is_unverified: bool = False


def _from_table(table: SectorTable, factor: float, inputs: Inputs) -> Thresholds:
    code, edition = industries(inputs)
    classes = _texts(inputs, "land_class") if table.by_land_class else np.full(len(inputs), "", dtype=object)
    keys = pd.DataFrame({"code": code, "edition": edition, "class": classes})
    # A district has a few hundred industries however many parcels it has.
    group = keys.groupby(list(keys.columns), sort=False).ngroup().to_numpy()
    options = [_options(table, *key) for key in keys.drop_duplicates().itertuples(index=False, name=None)]
    lines = []
    for k in range(max((len(one.choices) for one in options), default=0)):
        value = np.array([one.choices[k] if k < len(one.choices) else np.nan for one in options])
        possible = np.array([k < len(one.choices) for one in options])
        lacking = np.array([one.lacking for one in options], dtype=object)
        lines.append(Line(value[group] * factor, possible[group], lacking[group]))
    unsure = tuple(
        Lack(np.array([name in one.unsure for one in options], dtype=bool)[group], name)
        for name in ("industry", "land_class")
    )
    unverified = np.array([one.is_unverified for one in options], dtype=bool)[group]
    return Thresholds(tuple(lines), unsure, unverified)


def _options(table: SectorTable, code: str, edition: str, land_class: str) -> _Options:
    if code == "":
        return _Options((np.nan,), "industry")
    if edition == "":
        return _Options((np.nan,), "industry_edition")
    crossed: set[str | None] = set()
    if edition == table.edition:
        codes: set[str | None] = {code}
    elif table.crosswalk and edition == table.crosswalk_from:
        crossed = _entries(table.crosswalk, code)
        codes = {to for entry in crossed for to in ((table.crosswalk[entry] or (None,)) if entry else (None,))}
    else:
        return _Options((np.nan,), "industry")
    keys = [f"crosswalk.{entry}" for entry in crossed if entry]
    found: list[set[float | None]] = []
    columns = _columns(table, land_class)
    for name, column in columns.items():
        entries = {key for to in codes for key in (_entries(column, to) if to else {None})}
        keys += [f"values.{name}.{key}" if name else f"values.{key}" for key in entries if key]
        found.append({column[key] if key else None for key in entries})
    values = set().union(*found)
    known = sorted(value for value in values if value is not None)
    several = any(len(each) > 1 for each in found)
    unsure = (*(["industry"] if several else []), *(["land_class"] if len(columns) > 1 else []))
    is_unverified = any(table.status_of(key) == "unverified" for key in keys)
    return _Options((*known, *((np.nan,) if None in values else ())), "threshold", unsure, is_unverified)


def _columns(table: SectorTable, land_class: str) -> dict[str, Mapping[str, float]]:
    """The column of a land class, under its name; without one, every column may be it."""
    entries = table.values.items()  # noqa: PD011 (a field of the rule file)
    if not table.by_land_class:
        return {"": {key: value for key, value in entries if not isinstance(value, dict)}}
    columns: dict[str, Mapping[str, float]] = {key: value for key, value in entries if isinstance(value, dict)}
    return columns if land_class == "" else {land_class: columns.get(land_class, {})}


def _entries(keys: Iterable[str], code: str) -> set[str | None]:
    """The longest key that begins the code; where the code is coarser than keys are, those it may mean."""
    own = max((key for key in keys if code.startswith(key)), key=len, default=None)
    finer: set[str | None] = {key for key in keys if key.startswith(code) and key != code}
    return finer | {own} if finer else {own}
