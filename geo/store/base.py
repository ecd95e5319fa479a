"""The protocol of a store: what is kept, what can be asked, and the one place that every read of land data passes.

A store keeps canonical layers (``geo.layers.schema``), loads and runs. Frames come out as they went in: canonical
columns in schema order, dates as ``datetime64[s]``, text as ``object`` with ``None``, integers as ``Int64``, booleans
as ``boolean``, ``json`` fields as Python objects, geometry in EPSG:4490. The same question to either store gives the
same answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

import geopandas as gpd
import pandas as pd

from geo.layers.filters import Filter
from geo.store.places import Place, Sort

Bounds = tuple[float, float, float, float]
Frame: TypeAlias = gpd.GeoDataFrame | pd.DataFrame
Mode: TypeAlias = Literal["replace", "append", "update"]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a reader may see: ``None`` means all. Every read takes one; accounts fill it in later.

    Parameters
    ----------
    layers : names of layers that may be read; reading another raises ``NotFound``
    towns : values of ``town``; rows of other towns do not exist for this reader (in layers that have the field)
    columns : names of attribute columns; the key and geometry always come along
    """

    layers: frozenset[str] | None = None
    towns: frozenset[str] | None = None
    columns: frozenset[str] | None = None


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class Query:
    """A question to one layer.

    Parameters
    ----------
    layer : canonical layer name
    bbox : west, south, east, north in EPSG:4490; rows whose envelope meets it (edges included)
    equals : field -> value or tuple of values (any of them); fields from the schema only, ``None`` never matches
    minimum, maximum : field -> number, both inclusive; rows without a value do not match
    columns : attribute columns wanted, ``None`` for all; the key always comes along
    limit : at most so many rows, ``None`` for all
    sort : fields to sort by; equal rows, and all rows where it is empty, come in ascending order of the key (binary
        order of its UTF-8); rows without a value come last
    after : place of the last row of the page before (``geo.store.places``), or its key where there is no ``sort``
    geometry : whether geometry is wanted
    filter : a CQL2 expression, parsed and held against the schema (``geo.layers.filters``)
    """

    layer: str
    bbox: Bounds | None = None
    equals: Mapping[str, Any] = field(default_factory=dict)
    minimum: Mapping[str, float] = field(default_factory=dict)
    maximum: Mapping[str, float] = field(default_factory=dict)
    columns: tuple[str, ...] | None = None
    limit: int | None = None
    sort: Sort = ()
    after: Place | str | None = None
    geometry: bool = True
    filter: Filter | None = None


@dataclass(frozen=True, slots=True)
class FeaturePage:
    """Rows as GeoJSON Features.

    Parameters
    ----------
    keys, features : one a row, in order; the features are JSON text
    following : place of the last row, ``None`` where no row follows it
    matched : how many rows the question has without ``limit`` and ``after``; ``None`` where they were not counted
    """

    keys: list[str]
    features: list[str]
    following: Place | None
    matched: int | None


@dataclass(frozen=True, slots=True)
class Total:
    """What the rows with the same values of some fields come to; ``sums`` is ``None`` where no row has a value."""

    by: tuple[Any, ...]
    count: int
    sums: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Load:
    """One import: which file, what came of its rows. ``read == stored + quarantined``; ``repaired`` ones are stored."""

    load_id: str
    layer: str
    file_name: str
    sha256: str
    profile: str
    source_crs: str
    loaded_at: str  # ISO 8601 with offset, Asia/Shanghai
    data_date: str | None
    read: int
    stored: int
    repaired: int
    quarantined: int
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """One analysis: as-of date, rule set, parameters and the loads it saw, and a summary of what it found."""

    run_id: str
    as_of: str
    ruleset: str
    ruleset_sha256: str
    parameters: dict[str, Any]
    loads: tuple[str, ...]
    started_at: str
    summary: dict[str, Any] = field(default_factory=dict)


class Store(Protocol):
    """What both stores can do. A store is opened per process and may be used from several threads."""

    def revision(self) -> str:
        """A token that changes with every committed load or run, and only then."""

    def write_load(self, load: Load, features: Frame, quarantine: gpd.GeoDataFrame, mode: Mode = "replace") -> None:
        """Store the rows of one import, its quarantine and its record in one transaction.

        ``features`` holds the canonical columns of ``load.layer`` (missing ones are stored as null). ``replace`` takes
        the place of the layer's rows (and of its earlier quarantine); ``append`` adds and raises ``InvalidInput`` when
        a key is there already; ``update`` adds too, but a row whose key is there takes the place of that row as a whole
        (a missing column becomes null), and the report of the load, as ``loads`` gives it back, has the counts
        ``updated`` and ``added``. Append and update keep the quarantine of earlier loads. Nothing is written when
        anything fails.
        """

    def write_run(self, run: Run, layers: Mapping[str, Frame]) -> None:
        """Store a run and its derived layers in one transaction; rows of earlier runs are replaced.

        The record of earlier runs (parameters, summary) stays, and so do their rows in a layer that keeps them
        (``Layer.keeps_earlier_runs``): there the rows are added, and a key that is there already raises
        ``InvalidInput``. Nothing is written when anything fails.
        """

    def read(self, query: Query, scope: Scope = EVERYTHING) -> Frame:
        """Rows of a layer in the order of the query; a ``GeoDataFrame`` where there is geometry and it is wanted.

        Raises
        ------
        NotFound
            The layer does not exist or is outside the scope.
        InvalidParameter
            A field that the layer does not have.
        """

    def stream(self, query: Query, scope: Scope = EVERYTHING, rows: int = 50_000) -> Iterator[Frame]:
        """The rows of ``read`` in pages of at most ``rows``, all out of one snapshot, taken with the first page.

        Memory holds a page, not the answer. Where no row answers there is one page without rows, so that the columns
        are known. An iterator that is left early is to be closed (``contextlib.closing``), which ends the snapshot; the
        store stays usable meanwhile, loads that are committed between two pages included.

        Raises
        ------
        NotFound, InvalidParameter
            As ``read``, at once and not with the first page; also where ``rows`` is not positive.
        """

    def features(
        self, query: Query, scope: Scope = EVERYTHING, *, crs: str | None = None, count_to: int = 0
    ) -> FeaturePage:
        """The rows of ``read`` as GeoJSON, written by the database; ``query.limit`` is needed.

        Parameters
        ----------
        crs : ``EPSG:n`` of the coordinates, axes in the order of its authority; ``None`` for longitude, latitude
        count_to : rows of the whole question are counted as far as this; beyond, and where it is 0, they are not told

        Raises
        ------
        NotFound, InvalidParameter
            As ``read``; also where there is no ``limit``.
        """

    def totals(
        self, query: Query, by: tuple[str, ...], sums: tuple[str, ...] = (), scope: Scope = EVERYTHING
    ) -> list[Total]:
        """Rows of a query without ``limit`` and ``after``, counted and summed by the values of fields, in their order.

        Parameters
        ----------
        by : fields of any kind but ``json``; none for one total. A missing value is a value of its own, the last
        sums : fields of numbers

        Raises
        ------
        NotFound, InvalidParameter
            As ``read``; also a field that cannot be grouped or summed.
        """

    def count(self, query: Query, scope: Scope = EVERYTHING, *, at_most: int | None = None) -> int:
        """How many rows ``read`` would give without ``limit`` and ``after``; counting ends at ``at_most``."""

    def bounds(self, layer: str, scope: Scope = EVERYTHING) -> Bounds | None:
        """West, south, east, north of a layer; ``None`` where it is empty or has no geometry."""

    def loads(self) -> list[Load]:
        """All loads, oldest first."""

    def runs(self) -> list[Run]:
        """All runs, oldest first."""

    def close(self) -> None:
        """Release connections and files."""
