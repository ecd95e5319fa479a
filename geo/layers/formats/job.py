"""One export on its way: what is written, where, in which system, under which names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyogrio.raw
from pyproj import CRS

from geo.errors import LianpianError
from geo.layers.dictionary import Column, NameRules, Names, columns_of
from geo.layers.formats.provenance import Provenance
from geo.layers.formats.spool import GEOMETRY, Spool
from geo.layers.formats.stream import Outgoing


@dataclass(frozen=True, slots=True)
class Job:
    """What the writer of a format is given.

    Parameters
    ----------
    spool : the rows
    path : the file to write; nothing is there yet, and it lies in a folder that is removed afterwards
    crs : system of the coordinates in the file
    names : how fields are called
    about : where the rows come from
    style : QML for formats that carry a style
    encoding : of the text, where the format leaves a choice
    """

    spool: Spool
    path: Path
    crs: CRS
    names: Names
    about: Provenance
    style: str | None = None
    encoding: str | None = None

    @property
    def crs_text(self) -> str:
        """The system as drivers take it."""
        authority = self.crs.to_authority()
        return ":".join(authority) if authority else self.crs.to_wkt()

    def columns(self, rules: NameRules) -> tuple[Column, ...]:
        """The columns of the file under the names that the format allows."""
        present = [item.name for item in self.spool.fields]
        if self.spool.extra and not self.spool.extra_rest:
            present = [name for name in present if name != "extra"]
        return columns_of(self.spool.layer, present, self.spool.extra, self.names, rules)


def write_with_gdal(rows: Outgoing, path: Path, driver: str, layer: str, crs: str, **options: Any) -> None:
    """Hand a stream to a GDAL driver.

    Raises
    ------
    LianpianError
        What went wrong inside the stream, or that the driver could not write.
    """
    try:
        pyogrio.raw.write_arrow(
            rows.reader,
            path,
            layer=layer,
            driver=driver,
            geometry_name=None if rows.geometry_type is None else GEOMETRY,
            geometry_type=rows.geometry_type,
            crs=None if rows.geometry_type is None else crs,
            **options,
        )
    except (RuntimeError, OSError, pa.ArrowException) as error:
        if rows.failure is not None:
            raise rows.failure from error
        raise LianpianError(
            f"写出失败：{str(error)[:300]}", where=layer, remedy="请检查磁盘空间与写入权限，或改用其他格式"
        ) from error
    if rows.failure is not None:
        raise rows.failure


def told(rows: Outgoing) -> Iterator[str]:
    """What a person should know of a stream that was written."""
    if rows.reduced:
        yield f"{rows.reduced} 行的几何集合只写出了其中维数最高的部分"
    if rows.replaced:
        yield f"{rows.replaced} 个文本值中的控制字符被替换为“�”，该格式不能存放它们"
