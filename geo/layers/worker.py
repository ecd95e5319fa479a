"""The separate process in which files are opened: ``python -m geo.layers.worker REQUEST``.

Started by ``geo.layers.reading`` with every GDAL driver outside the allow-list switched off in the environment, which
has to happen before GDAL loads. Reads the layers asked for and leaves one Arrow file each (geometry as WKB); the answer
is one JSON line on stdout.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyarrow as pa
import pyarrow.feather as feather
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError


def main(request: dict[str, Any]) -> dict[str, Any]:
    """List or read; returns what was found, or ``{"error": …}``."""
    path, out = Path(request["path"]), Path(request["out"])
    wanted: list[str] | None = request["layers"]
    try:
        if path.suffix.lower() in (".parquet", ".geoparquet"):
            return {"layers": [_keep(_read_parquet(path), path.stem, out)]}
        listed = [str(name) for name in pyogrio.list_layers(path)[:, 0]]
        chosen = listed if wanted is None else [name for name in listed if name in wanted]
        if wanted is not None and not chosen and len(listed) == 1:
            chosen = listed
        found = []
        for name in chosen:
            found.append(_keep(_read(path, name, request["encoding"]), name, out))
        return {"layers": found, "listed": listed}
    except (DataSourceError, DataLayerError, ValueError, OSError, UnicodeDecodeError, pa.ArrowException) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def _read(path: Path, layer: str, encoding: str | None) -> Any:
    """One layer; text that does not state its encoding is UTF-8 if it strictly is, else GB18030, else refused."""
    unstated = path.suffix.lower() == ".csv" or (path.suffix.lower() == ".shp" and not _states_encoding(path))
    if encoding is None and not unstated:
        # Through Arrow whole numbers with gaps stay whole.
        whole = {"integer_object_nulls": True}
        return pyogrio.read_dataframe(
            path, layer=layer, datetime_as_string=True, use_arrow=True, arrow_to_pandas_kwargs=whole
        )
    tries = [encoding] if encoding else ["UTF-8", "GB18030"]
    for attempt in tries[:-1]:
        try:
            return pyogrio.read_dataframe(path, layer=layer, encoding=attempt, datetime_as_string=True)
        except UnicodeDecodeError:
            continue
    return pyogrio.read_dataframe(path, layer=layer, encoding=tries[-1], datetime_as_string=True)


def _states_encoding(path: Path) -> bool:
    return any(path.with_suffix(suffix).exists() for suffix in (".cpg", ".CPG"))


def _read_parquet(path: Path) -> Any:
    try:
        return gpd.read_parquet(path)
    except ValueError:
        import pandas as pd

        return pd.read_parquet(path)


def _keep(frame: Any, name: str, out: Path) -> dict[str, Any]:
    crs = None
    has_geometry = isinstance(frame, gpd.GeoDataFrame) and frame.active_geometry_name is not None
    if has_geometry:
        crs = frame.crs.to_wkt() if frame.crs is not None else None
        wkb = shapely.to_wkb(shapely.force_2d(frame.geometry.array), include_srid=False)
        frame = frame.drop(columns=frame.active_geometry_name)
        table = pa.Table.from_pandas(frame, preserve_index=False).append_column("__wkb__", pa.array(wkb, pa.binary()))
    else:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    # Numbered, since a layer may be called anything, a path included.
    target = out / f"{len(list(out.iterdir()))}.arrow"
    feather.write_feather(table, target, compression="lz4")
    return {"name": name, "file": target.name, "crs": crs, "rows": table.num_rows, "geometry": has_geometry}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1])), ensure_ascii=False))
