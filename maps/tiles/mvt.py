"""One vector tile from the features of a box: moved to tile coordinates, clipped, rounded on whole arrays, encoded.

The encoder is the mapbox-vector-tile library; this file is the seam behind which another can take its place.
"""

from __future__ import annotations

import math
from typing import Any

import geopandas as gpd
import mapbox_vector_tile
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

EXTENT = 4096
BUFFER = 64
MAX_ZOOM = 22


def tile_bounds(z: int, x: int, y: int, buffer: int = BUFFER) -> tuple[float, float, float, float]:
    """West, south, east, north in degrees of a WebMercatorQuad tile with ``buffer`` tile units around it.

    CGCS2000 and WGS 84 differ by centimetres; tiles take the one for the other, as the national tile service does.
    """
    margin = buffer / EXTENT
    size = 2**z

    def lon(column: float) -> float:
        return column / size * 360 - 180

    def lat(row: float) -> float:
        return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * row / size))))

    return lon(x - margin), lat(y + 1 + margin), lon(x + 1 + margin), lat(y - margin)


def _to_tile(geometries: NDArray[np.object_], z: int, x: int, y: int) -> NDArray[np.object_]:
    size = 2**z

    def forward(lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
        column = (lonlat[:, 0] + 180) / 360 * size
        row = (1 - np.arcsinh(np.tan(np.radians(lonlat[:, 1]))) / np.pi) / 2 * size
        return np.column_stack([(column - x) * EXTENT, (row - y) * EXTENT])

    return shapely.transform(geometries, forward)


def encode_tile(
    frame: gpd.GeoDataFrame, layer: str, key: str, columns: tuple[str, ...], z: int, x: int, y: int
) -> bytes:
    """An MVT 2 tile with one layer; empty bytes where nothing falls into it.

    Parameters
    ----------
    frame : features of the buffered box, EPSG:4490
    layer : name of the layer in the tile
    key : column that identifies a feature; the feature id is its row hash, stable over tiles
    columns : attribute columns to carry; nulls are left out
    """
    if frame.empty:
        return b""
    shapes = _to_tile(np.asarray(frame.geometry.array), z, x, y)
    shapes = shapely.clip_by_rect(shapes, -BUFFER, -BUFFER, EXTENT + BUFFER, EXTENT + BUFFER)
    areal = shapely.get_dimensions(np.asarray(frame.geometry.array)) == 2
    # Rounding to the grid keeps polygons valid ("pointwise" would not); what collapses below a pixel is dropped.
    shapes = shapely.set_precision(shapes, 1.0)
    shapes[areal] = shapely.orient_polygons(shapes[areal])
    keep = ~(shapely.is_empty(shapes) | shapely.is_missing(shapes))
    keep &= ~areal | (shapely.get_dimensions(shapes) == 2)
    if not keep.any():
        return b""
    rows = np.flatnonzero(keep)
    ids = pd.util.hash_array(frame[key].to_numpy(dtype=object)[rows]) >> np.uint64(11)  # exact in a double
    records = _properties(frame.iloc[rows], columns)
    features = [
        {"geometry": shape, "properties": properties, "id": int(identity)}
        for shape, properties, identity in zip(shapes[rows], records, ids, strict=True)
    ]
    encoded: bytes = mapbox_vector_tile.encode(
        [{"name": layer, "features": features}],
        default_options={"y_coord_down": True, "extents": EXTENT, "check_winding_order": False},
    )
    return encoded


def _properties(frame: pd.DataFrame, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    table = frame[list(columns)]
    plain = table.astype(object).where(table.notna(), None)
    return [
        {name: _plain(value) for name, value in record.items() if value is not None}
        for record in plain.to_dict("records")
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, (float, np.floating)):
        return round(float(value), 2)
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, (str, int, bool)) else str(value)
