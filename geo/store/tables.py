"""What the tables of a store look like in either database: names, indexes, the mark of the schema they are for."""

from __future__ import annotations

import hashlib
import re

from geo.errors import NotFound
from geo.layers.schema import LAYERS, Layer

LAYOUT = 1  # of the tables around the layers; raise it when a store of the earlier layout cannot be read any more

# Fields by which people narrow a layer down; each layer that has one gets an index on it.
INDEXED = ("parcel_id", "plot_id", "town", "kind", "level", "land_use", "layer", "status")
# A layer that keeps all runs is asked for one of them, or for the history of a parcel.
INDEXED_IN_HISTORY = ("run_id", "parcel_id")
# Fields by which people sort a layer on the map; each has an index for either direction.
SORTED = ("area_m2",)

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")


def known_layer(name: str) -> Layer:
    """The canonical layer called ``name``; ``NotFound`` where there is none."""
    layer = LAYERS.get(name)
    if layer is None:
        raise NotFound(f"没有名为“{name}”的图层", where=str(name), remedy="可用图层：" + "、".join(LAYERS))
    return layer


def quoted(identifier: str) -> str:
    """An identifier of the schema in double quotes, as both databases take it.

    Identifiers never come from a request; anything that does not look like one of ours is a fault of the program.
    """
    if not _IDENTIFIER.fullmatch(identifier):
        raise ValueError(f"not an identifier of the schema: {identifier!r}")
    return f'"{identifier}"'


def indexed_fields(layer: Layer) -> tuple[str, ...]:
    """Fields of a layer, beside its key, that carry an index."""
    wanted = INDEXED_IN_HISTORY if layer.keeps_earlier_runs else INDEXED
    return tuple(name for name in wanted if name in layer.columns and name != layer.key)


def sorted_fields(layer: Layer) -> tuple[str, ...]:
    """Fields of a layer with an index in the order of a page, the key last, for either direction."""
    if layer.geometry is None or layer.keeps_earlier_runs:
        return ()
    return tuple(name for name in SORTED if name in layer.columns)


def schema_mark() -> str:
    """A short hash over layers, fields, kinds and indexes: a store that carries it needs no look at its tables."""
    told = [
        (
            layer.name,
            layer.key,
            layer.geometry,
            (indexed_fields(layer), sorted_fields(layer)),
            [(f.name, f.kind) for f in layer.fields],
        )
        for layer in LAYERS.values()
    ]
    return hashlib.sha256(repr((LAYOUT, told)).encode()).hexdigest()[:16]
