"""The tile matrix sets: WebMercatorQuad, and CGCS2000Quad for overlays on the national service's ``c`` tiles.

CGCS2000Quad has the layout of the OGC's WorldCRS84Quad on EPSG:4490: two tiles side by side at level 0. The national
service counts from 1, so its level is ours plus one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from geo.errors import NotFound
from maps.tiles.grid import BITS, from_grid, to_grid

EXTENT = 4096
BUFFER = 64
MAX_ZOOM = 22

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class TileMatrixSet:
    """A pyramid of tiles.

    Parameters
    ----------
    name : identifier in addresses
    crs : URI of the coordinate reference system
    geographic : whether rows are equal in latitude instead of in mercator
    deeper : level of web mercator that shows the same detail as level 0
    """

    name: str
    title: str
    crs: str
    geographic: bool
    deeper: int

    def shape(self, z: int) -> tuple[int, int]:
        """Columns and rows of level ``z``."""
        return 2 ** (z + self.deeper), 2**z

    def holds(self, z: int, x: int, y: int) -> bool:
        """Whether there is such a tile."""
        if not 0 <= z <= MAX_ZOOM - self.deeper:
            return False
        columns, rows = self.shape(z)
        return 0 <= x < columns and 0 <= y < rows

    def detail(self, z: int) -> int:
        """Zoom of web mercator whose generalisation suits level ``z``."""
        return z + self.deeper

    def box(self, z: int, x: int, y: int, buffer: int = BUFFER) -> Box:
        """Cells that a tile with ``buffer`` tile units around it can draw: west, north, east, south, edges included.

        A position is drawn where it rounds to, so the box is half a tile unit wider.
        """
        margin = (buffer + 0.5) / EXTENT
        unit = 2.0 ** (BITS - z - self.deeper)
        west, east = (x - margin) * unit, (x + 1 + margin) * unit
        if self.geographic:
            latitudes = (90.0 - (y - margin) * 180.0 / 2**z, 90.0 - (y + 1 + margin) * 180.0 / 2**z)
            north, south = (float(to_grid(np.array([[0.0, latitude]]))[0, 1]) for latitude in latitudes)
        else:
            north, south = (y - margin) * unit, (y + 1 + margin) * unit
        last = 2**BITS - 1
        return (
            max(math.floor(west), 0), max(math.floor(north), 0),
            min(math.ceil(east), last), min(math.ceil(south), last),
        )  # fmt: skip

    def lonlat_bounds(self, z: int, x: int, y: int) -> tuple[float, float, float, float]:
        """West, south, east, north of a tile in degrees."""
        columns, rows = self.shape(z)
        if self.geographic:
            west, east = (column / columns * 360.0 - 180.0 for column in (x, x + 1))
            north, south = (90.0 - row / rows * 180.0 for row in (y, y + 1))
        else:
            unit = 2.0 ** (BITS - z)
            (west, north), (east, south) = from_grid(np.array([[x * unit, y * unit], [(x + 1) * unit, (y + 1) * unit]]))
        return float(west), float(south), float(east), float(north)

    def tiles_of(self, boxes: np.ndarray, z: int) -> np.ndarray:
        """Tiles of level ``z`` whose buffered box meets one of ``boxes``.

        Parameters
        ----------
        boxes : (n, 4) cells: west, north, east, south

        Returns
        -------
        (m, 2) int64 columns and rows, in order
        """
        columns, rows = self.shape(z)
        margin = (BUFFER + 1.0) / EXTENT
        unit = 2.0 ** (BITS - z - self.deeper)
        west = np.clip(np.floor(boxes[:, 0] / unit - margin), 0, columns - 1).astype(np.int64)
        east = np.clip(np.floor(boxes[:, 2] / unit + margin), 0, columns - 1).astype(np.int64)
        tops, bottoms = boxes[:, 1].astype(np.float64), boxes[:, 3].astype(np.float64)
        if self.geographic:
            upper, lower = (
                (90.0 - from_grid(np.column_stack([np.zeros_like(side), side]))[:, 1]) / 180.0 * rows
                for side in (tops, bottoms)
            )
        else:
            upper, lower = tops / unit, bottoms / unit
        north = np.clip(np.floor(upper - margin), 0, rows - 1).astype(np.int64)
        south = np.clip(np.floor(lower + margin), 0, rows - 1).astype(np.int64)
        wide, high = east - west + 1, south - north + 1
        number = wide * high
        owner = np.repeat(np.arange(len(boxes)), number)
        nth = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
        found = (north[owner] + nth // wide[owner]) * columns + west[owner] + nth % wide[owner]
        found = np.unique(found)
        return np.column_stack([found % columns, found // columns])

    def document(self) -> dict[str, Any]:
        """The OGC tile matrix set (17-083r4, JSON encoding)."""
        geographic = self.geographic
        half = 180.0 if geographic else math.pi * 6378137.0
        # Axis order as the registry has it: latitude first for EPSG:4490, easting first for EPSG:3857.
        origin = [90.0, -180.0] if geographic else [-half, half]
        metres_per_unit = 6378137.0 * math.pi / 180.0 if geographic else 1.0
        matrices = []
        for z in range(MAX_ZOOM - self.deeper + 1):
            columns, rows = self.shape(z)
            cell = 2 * half / columns / 256
            matrices.append(
                {
                    "id": str(z),
                    "scaleDenominator": cell * metres_per_unit / 0.00028,
                    "cellSize": cell,
                    "cornerOfOrigin": "topLeft",
                    "pointOfOrigin": origin,
                    "tileWidth": 256,
                    "tileHeight": 256,
                    "matrixWidth": columns,
                    "matrixHeight": rows,
                }
            )
        document: dict[str, Any] = {
            "id": self.name,
            "title": self.title,
            "crs": self.crs,
            "orderedAxes": ["Lat", "Lon"] if geographic else ["E", "N"],
            "tileMatrices": matrices,
        }
        if not geographic:
            document["uri"] = "http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad"
            document["wellKnownScaleSet"] = "http://www.opengis.net/def/wkss/OGC/1.0/GoogleMapsCompatible"
        return document


WEB_MERCATOR_QUAD = TileMatrixSet(
    "WebMercatorQuad", "Google Maps Compatible for the World",
    "http://www.opengis.net/def/crs/EPSG/0/3857", geographic=False, deeper=0,
)  # fmt: skip
CGCS2000_QUAD = TileMatrixSet(
    "CGCS2000Quad", "CGCS2000 经纬度（与天地图 c 切片相同的网格）",
    "http://www.opengis.net/def/crs/EPSG/0/4490", geographic=True, deeper=1,
)  # fmt: skip
MATRIX_SETS = {one.name: one for one in (WEB_MERCATOR_QUAD, CGCS2000_QUAD)}


def matrix_set(name: str) -> TileMatrixSet:
    """The tile matrix set of this name; ``NotFound`` with the names there are."""
    if name not in MATRIX_SETS:
        raise NotFound(f"没有瓦片矩阵集“{name[:40]}”", where="tileMatrixSet", remedy="可用：" + "、".join(MATRIX_SETS))
    return MATRIX_SETS[name]
