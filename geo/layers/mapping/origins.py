"""Where rows and values come from: the load and the row of its source layer, for every row that an import stores.

``load_id`` and ``source_row`` (from one) stand for all values of a row; ``field_sources`` names the values of a parcel
that another load brought. A source never fills these fields: what an export of ours says in them is about another day.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from geo.layers.canonical.form import ORIGIN
from geo.layers.schema import LAYERS, PARCELS, Field, Layer

FIELD_SOURCES = PARCELS.field("field_sources")
ORIGIN_FIELDS = (*ORIGIN, FIELD_SOURCES)
ORIGIN_NAMES = frozenset(item.name for item in ORIGIN_FIELDS)

Frame = TypeVar("Frame", bound=pd.DataFrame)
Source = list[Any]  # load and row; both ``None`` where a value was stored before rows had an origin


def mappable(layer: Layer) -> tuple[Field, ...]:
    """Fields of a layer that a source may fill."""
    return tuple(item for item in layer.fields if item not in ORIGIN_FIELDS)


def has_origin(layer_name: str) -> bool:
    """Whether rows of a layer say where they come from."""
    return ORIGIN[0] in LAYERS[layer_name].fields


def of_load(features: Frame, layer_name: str, load_id: str) -> Frame:
    """The rows of a load, with its name on each where the layer keeps it."""
    return features.assign(load_id=np.full(len(features), load_id, object)) if has_origin(layer_name) else features


def has_field_sources(layer_name: str) -> bool:
    """Whether single values of a layer's rows may say that they come from elsewhere than their row."""
    return FIELD_SOURCES in LAYERS[layer_name].fields


def sources_of_joined(before: pd.Series, filled: pd.DataFrame, load_id: str) -> pd.Series:
    """``field_sources`` of parcels after a table has filled some of their fields.

    Parameters
    ----------
    before : ``field_sources`` of the parcels (n,), objects or ``None``
    filled : a row for each value that was taken: ``parcel`` (position among the n), ``field``, ``row`` of the table
        (from nought)
    load_id : the load of the table
    """
    cells = before.to_numpy(dtype=object, copy=True)
    ordered = filled.sort_values(["parcel", "row"], kind="stable")
    parcel, row = ordered["parcel"].to_numpy(), ordered["row"].to_numpy()
    names = ordered["field"].tolist()
    starts = np.ones(len(ordered), dtype=bool)
    starts[1:] = (parcel[1:] != parcel[:-1]) | (row[1:] != row[:-1])
    first = np.flatnonzero(starts).tolist()
    # One turn for each row of the table that filled something, however many fields.
    for start, end in zip(first, [*first[1:], len(ordered)], strict=True):
        told: Source = [load_id, int(row[start]) + 1]
        at = parcel[start]
        cells[at] = _told(cells[at]) | dict.fromkeys(names[start:end], told)
    return pd.Series(cells, index=before.index, dtype=object)


def sources_of_kept(standing: pd.DataFrame, kept: Sequence[str]) -> list[dict[str, Source] | None]:
    """``field_sources`` of rows whose file had no column for some fields, so that the stored values stay.

    Parameters
    ----------
    standing : the rows as they stood (n,), with their origin; rows that were not there are null throughout
    kept : names of the fields whose values stay
    """
    if not kept:
        return [None] * len(standing)
    there = np.packbits(np.column_stack([standing[name].notna().to_numpy() for name in kept]), axis=1)
    width, marks = there.shape[1], there.tobytes()
    loads = standing["load_id"].astype(object).where(standing["load_id"].notna(), None).tolist()
    rows = standing["source_row"].astype("Int64").to_numpy(dtype=object, na_value=None).tolist()
    names: dict[bytes, list[str]] = {}  # rows that keep the same fields share the list of their names
    cells: list[dict[str, Source] | None] = []
    for at, (load, row, before) in enumerate(zip(loads, rows, standing["field_sources"].tolist(), strict=True)):
        mark = marks[at * width : (at + 1) * width]
        wanted = names.get(mark)
        if wanted is None:
            chosen = np.unpackbits(there[at], count=len(kept))
            wanted = names[mark] = [name for name, is_there in zip(kept, chosen, strict=True) if is_there]
        origin = [load, row]
        sources: dict[str, Source] = dict.fromkeys(wanted, origin)
        if isinstance(before, dict):  # some of them came from elsewhere already
            sources |= {name: before[name] for name in wanted if name in before}
        cells.append(sources or None)
    return cells


def _told(cell: Any) -> dict[str, Source]:
    return cell if isinstance(cell, dict) else {}
