"""GeoParquet 1.1: row groups as they come, zstd, a covering box for each row, the system as PROJJSON.

Source: the GeoParquet specification 1.1.0 (file metadata ``geo``; ``covering.bbox``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from pyproj import CRS

from geo.crs import STORAGE_CRS
from geo.errors import LianpianError
from geo.layers.dictionary import NameRules
from geo.layers.formats.job import Job, told
from geo.layers.formats.spool import GEOMETRY, moved
from geo.layers.formats.stream import Dialect, outgoing

_NAMES = NameRules(reserved=frozenset({GEOMETRY, "bbox"}))
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_BOX = pa.struct([(name, pa.float64()) for name in _CORNERS])
_TYPES = ("Point", "LineString", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon",
          "GeometryCollection")  # fmt: skip


def write_geoparquet(job: Job) -> Iterator[str]:
    """One Parquet file; a layer without geometry is a plain Parquet table."""
    rows = outgoing(job.spool, job.columns(_NAMES), Dialect(promote=False), job.crs)
    located = rows.geometry_type is not None
    plain = pa.schema([pa.field(item.name, item.type) for item in rows.schema])
    schema = plain.append(pa.field("bbox", _BOX)) if located else plain
    said = {"lianpian": json.dumps(dict(job.about.rows()), ensure_ascii=False)}
    if located:  # in the schema from the start: readers look there first
        said["geo"] = json.dumps(_geo(job, _extent(job)), ensure_ascii=False)
    schema = schema.with_metadata(said)
    try:
        with pq.ParquetWriter(job.path, schema, compression="zstd") as writer:
            for batch in rows.reader:
                columns = list(batch.columns)
                if located:
                    boxes = shapely.bounds(shapely.from_wkb(batch[GEOMETRY].to_numpy(zero_copy_only=False)))
                    columns.append(_boxes(boxes))
                writer.write_batch(pa.record_batch(columns, schema=schema.remove_metadata()))
    except (OSError, pa.ArrowException) as error:
        raise rows.failure or LianpianError(f"写出失败：{error}", where=job.path.name) from error
    yield from told(rows)


def _boxes(bounds: np.ndarray[Any, np.dtype[np.float64]]) -> pa.Array:
    missing = pa.array(np.isnan(bounds[:, 0]))
    corners = [pa.array(np.ascontiguousarray(bounds[:, i])) for i in range(4)]
    return pa.StructArray.from_arrays(corners, fields=list(_BOX), mask=missing)


def _extent(job: Job) -> list[float] | None:
    """xmin, ymin, xmax, ymax of all rows in the system of the file."""
    if job.spool.bounds is None or job.crs.equals(CRS(STORAGE_CRS), ignore_axis_order=True):
        return None if job.spool.bounds is None else list(job.spool.bounds)
    boxes = []
    for batch in job.spool.batches():
        geometries = moved(shapely.from_wkb(batch[GEOMETRY].to_numpy(zero_copy_only=False)), job.crs)
        boxes.append(shapely.total_bounds(geometries))
    corners = np.array(boxes)
    return [*np.nanmin(corners[:, :2], axis=0).tolist(), *np.nanmax(corners[:, 2:], axis=0).tolist()]


def _geo(job: Job, extent: list[float] | None) -> dict[str, Any]:
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": sorted({_TYPES[number] for number in job.spool.type_ids}),
        "crs": job.crs.to_json_dict(),
        "edges": "planar",
        "covering": {"bbox": {corner: ["bbox", corner] for corner in _CORNERS}},
    }
    if extent is not None:
        column["bbox"] = extent
    return {"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: column}}
