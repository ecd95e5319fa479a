"""What a reader of one format returns: a layer as the file has it, before anything is known of its meaning."""

from __future__ import annotations

from dataclasses import dataclass, field

import geopandas as gpd
import pandas as pd


@dataclass(frozen=True, slots=True)
class RawLayer:
    """One layer of a file.

    Parameters
    ----------
    name : the layer's name in the file
    frame : one row for each record read, attributes as they are; a ``GeoDataFrame`` where there is geometry, with the
        CRS that the file states, or none
    encoding : how its text was decoded; ``None`` where the format fixes it
    notes : what a person should know of the reading, in Chinese: entities that are no rows, a header that was found …
    faults : row position -> why the row cannot be taken (its geometry is then missing), in Chinese
    """

    name: str
    frame: gpd.GeoDataFrame | pd.DataFrame
    encoding: str | None = None
    notes: tuple[str, ...] = ()
    faults: dict[int, str] = field(default_factory=dict)
