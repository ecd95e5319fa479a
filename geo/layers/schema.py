"""The canonical layers and their fields: one table of truth.

Everything that reads, stores, shows or exports a layer asks this table for names, kinds, units and Chinese names.
Geometry is EPSG:4490 (CGCS2000, longitude first) in every layer that has one.
"""

from __future__ import annotations

from geo.layers.canonical.derived import (
    FINDINGS,
    FIRMS,
    INDICATORS,
    LEFTOVERS,
    PAST_FINDINGS,
    PLOT_MEMBERS,
    PLOTS,
    SITES,
)
from geo.layers.canonical.form import Field, Kind, Layer, Origin
from geo.layers.canonical.source import (
    BARRIERS,
    BUILDINGS,
    CONTROL_LINES,
    DELAYS,
    DEMANDS,
    ENTERPRISES,
    MARKETS,
    NETWORK,
    PARCELS,
    QUARANTINE,
    TERMINALS,
    TOWNS,
    ZONING,
)

__all__ = [
    "BARRIERS",
    "BUILDINGS",
    "CONTROL_LINES",
    "DELAYS",
    "DEMANDS",
    "ENTERPRISES",
    "FINDINGS",
    "FIRMS",
    "INDICATORS",
    "LAYERS",
    "LEFTOVERS",
    "MARKETS",
    "NETWORK",
    "PARCELS",
    "PAST_FINDINGS",
    "PLOTS",
    "PLOT_MEMBERS",
    "QUARANTINE",
    "SITES",
    "TERMINALS",
    "TOWNS",
    "ZONING",
    "Field",
    "Kind",
    "Layer",
    "Origin",
]

LAYERS: dict[str, Layer] = {
    layer.name: layer
    for layer in (
        PARCELS, DELAYS, ENTERPRISES, BUILDINGS, ZONING, CONTROL_LINES, BARRIERS, TOWNS, NETWORK, TERMINALS, MARKETS,
        DEMANDS, FINDINGS, PAST_FINDINGS, INDICATORS, FIRMS, PLOTS, PLOT_MEMBERS, LEFTOVERS, SITES, QUARANTINE,
    )
}  # fmt: skip
