"""CQL2 filters: parsed by a library, held against the schema, evaluated on frames (stores turn them into SQL)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Filter:
    """A CQL2 expression over the fields of one layer; ``expression`` is its CQL2-JSON, every name from the schema."""

    layer: str
    expression: dict[str, Any]
    text: str
