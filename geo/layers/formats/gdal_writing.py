"""GeoPackage, GeoJSON, FlatGeobuf, KML and FileGDB: what GDAL writes, with what each needs to keep everything."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyogrio.raw

from geo.errors import InvalidParameter
from geo.layers.dictionary import Column, NameRules, dictionary_csv
from geo.layers.formats.archive import pack, read_me
from geo.layers.formats.job import Job, told, write_with_gdal
from geo.layers.formats.stream import FAMILIES_ZH, Dialect, families, outgoing

_INT32 = 2**31 - 1

# Each format keeps the names of its own columns to itself; a field of such a name is numbered.
GPKG_NAMES = NameRules(reserved=frozenset({"fid", "geom", "geometry", "rowid", "oid", "_rowid_", "ogc_fid"}))
_JSON_NAMES = NameRules(reserved=frozenset({"id", "geometry", "properties", "type", "__key__"}))
_FGB_NAMES = NameRules(reserved=frozenset({"fid", "geometry"}))
# The driver does not escape names, so that no name may hold what XML reads as its own.
_KML_NAMES = NameRules(
    reserved=frozenset({
        "id", "name", "description", "geometry", "timestamp", "begin", "end", "altitudemode", "tessellate", "extrude",
        "visibility", "draworder", "icon", "snippet",
    }),
    forbidden=r"[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff<>&\"']",
)  # fmt: skip
_GDB_NAMES = NameRules(
    max_bytes=60,
    forbidden=r"\W",
    letter_first=True,
    reserved=frozenset({
        "objectid", "shape", "shape_length", "shape_area", "geometry", "fid", "add", "alter", "and", "between", "by",
        "column", "create", "date", "delete", "desc", "drop", "exists", "for", "from", "group", "in", "insert", "into",
        "is", "like", "not", "null", "or", "order", "select", "set", "table", "update", "values", "where",
    }),
)  # fmt: skip


def write_geopackage(job: Job) -> Iterator[str]:
    """One layer with Chinese aliases, spatial index, metadata and, where there is one, its default style."""
    dialect = Dialect(json_type=True)
    rows = outgoing(job.spool, job.columns(GPKG_NAMES), dialect, job.crs)
    layer = job.spool.layer
    said = dict(job.about.rows())
    write_with_gdal(
        rows,
        job.path,
        "GPKG",
        layer.name,
        job.crs_text,
        layer_metadata=said,
        dataset_options={"VERSION": "1.2"},  # newer ones are beyond ArcGIS 10 and older GDAL
        layer_options={
            "IDENTIFIER": f"{layer.zh} {layer.name}",
            "DESCRIPTION": "；".join(f"{label}：{value}" for label, value in job.about.rows()),
            "FID": "fid",
            "GEOMETRY_NAME": "geom",
            "SPATIAL_INDEX": "YES",
        },
    )
    if job.style and rows.geometry_type is not None:
        if job.names == "canonical":
            _add_style(job)
        else:
            yield "样式按完整字段名编写，换了字段名的文件未附样式"
    yield from told(rows)


def _add_style(job: Job) -> None:
    """The table from which QGIS takes a layer's default style."""
    layer = job.spool.layer
    values: dict[str, list[Any]] = {
        "f_table_catalog": [""],
        "f_table_schema": [""],
        "f_table_name": [layer.name],
        "f_geometry_column": ["geom"],
        "styleName": [layer.zh],
        "styleQML": [job.style],
        "styleSLD": [None],
        "useAsDefault": [True],
        "description": [f"{layer.zh}默认样式"],
        "owner": [""],
        "ui": [None],
        "update_time": [datetime.now(UTC).replace(tzinfo=None)],
    }
    kinds = {"useAsDefault": pa.bool_(), "update_time": pa.timestamp("ms")}
    table = pa.table({name: pa.array(column, kinds.get(name, pa.string())) for name, column in values.items()})
    pyogrio.raw.write_arrow(
        table, job.path, layer="layer_styles", driver="GPKG", append=True, layer_options={"FID": "id"}
    )


def write_geojson(job: Job) -> Iterator[str]:
    """RFC 7946: WGS 84, longitude first, nine decimals (0.1 mm), the key as ``id`` and long numbers as strings."""
    spool = job.spool
    columns = job.columns(_JSON_NAMES)
    keyed = any(item.name == spool.layer.key for item in spool.fields)
    # The driver takes the id out of the properties, so that the key is handed over twice.
    identity = (Column("__key__", spool.layer.key, "text", "__key__"),) if keyed else ()
    rows = outgoing(spool, (*columns, *identity), Dialect(json_type=True, promote=False, wide_as_text=True), job.crs)
    options = {
        "RFC7946": "YES" if spool.has_geometry else "NO",
        "COORDINATE_PRECISION": "9",
        "DESCRIPTION": "；".join(f"{label}：{value}" for label, value in job.about.rows()),
    }
    if keyed:
        options |= {"ID_FIELD": "__key__", "ID_TYPE": "String"}
    # To GDAL the coordinates are those of WGS 84 already: the two differ by less than the survey knows.
    write_with_gdal(rows, job.path, "GeoJSON", spool.layer.name, "EPSG:4326", layer_options=options)
    yield from told(rows)


def write_flatgeobuf(job: Job) -> Iterator[str]:
    """With the packed index.

    Raises
    ------
    InvalidParameter
        A row has no geometry: such a row cannot be in an index, and without one GDAL's Arrow reader (3.12) crashes on
        it.
    """
    if job.spool.without_geometry:
        raise InvalidParameter(
            f"{job.spool.without_geometry} 行没有几何，FlatGeobuf 不能存放",
            where=job.spool.layer.name,
            remedy="请改用 GeoPackage，或用条件排除这些行",
        )
    rows = outgoing(job.spool, job.columns(_FGB_NAMES), Dialect(json_type=True), job.crs)
    write_with_gdal(
        rows,
        job.path,
        "FlatGeobuf",
        job.spool.layer.name,
        job.crs_text,
        layer_metadata=dict(job.about.rows()),
        layer_options={"SPATIAL_INDEX": "YES", "TEMPORARY_DIR": str(job.path.parent)},
    )
    yield from told(rows)


def write_kml(job: Job) -> Iterator[str]:
    """WGS 84, attributes as extended data, the key as the name of a placemark.

    The plain KML driver writes as it reads; ``LIBKML`` keeps the whole document in memory (3.4 GB for 200,000 parcels
    against 0.2).
    """
    spool = job.spool
    key = next((item.name for item in spool.fields if item.name == spool.layer.key), None)
    called = (Column("Name", key, "text", "Name"),) if key else ()
    dialect = Dialect(date="text", narrow=True, promote=False, xml=True)
    rows = outgoing(spool, (*called, *job.columns(_KML_NAMES)), dialect, job.crs)
    plain = job.path.with_name("plain.kml")
    write_with_gdal(rows, plain, "KML", spool.layer.name, "EPSG:4326")
    _introduce(plain, job)
    yield from told(rows)


def _introduce(plain: Path, job: Job) -> None:
    """Copy the document with its title and provenance, which the driver has no option for."""
    said = "<br/>".join(f"{escape(label)}：{escape(value)}" for label, value in job.about.rows())
    words = f"<name>{escape(job.about.title)}</name>\n<description><![CDATA[{said}]]></description>\n"
    with plain.open("rb") as source, job.path.open("wb") as target:
        for line in source:
            target.write(line)
            if line.lstrip().startswith(b"<Document"):
                target.write(words.encode())
                break
        shutil.copyfileobj(source, target, 1 << 20)
    plain.unlink()


def write_filegdb(job: Job) -> Iterator[str]:
    """A zipped File Geodatabase that ArcGIS 10 opens: one feature class for each family of geometry.

    Only ArcGIS Pro 3.2 and later know 64-bit numbers, so they are declared where a number needs them, and days are
    midnights, which every version reads.
    """
    spool = job.spool
    dialect = Dialect(date="moment", narrow=True, collections=False)
    folder = job.path.with_name(f"{spool.layer.name}.gdb")
    columns = job.columns(_GDB_NAMES)
    ranges = [*spool.integers.values(), *spool.extra_integers.values()]
    wide = any(max(-low, high) > _INT32 for low, high in ranges)
    present = families(spool, dialect) if spool.has_geometry else (None,)
    notes: list[str] = []
    for number, family in enumerate(present):
        rows = outgoing(spool, columns, dialect, job.crs, only=family, without_geometry=number == 0)
        name = spool.layer.name if len(present) == 1 else f"{spool.layer.name}_{family}"
        options = {"LAYER_ALIAS": spool.layer.zh if family is None or len(present) == 1 else
                   f"{spool.layer.zh}（{FAMILIES_ZH[family]}）"}  # fmt: skip
        if wide:
            options["TARGET_ARCGIS_VERSION"] = "ARCGIS_PRO_3_2_OR_LATER"
        write_with_gdal(rows, folder, "OpenFileGDB", name, job.crs_text, append=number > 0, layer_options=options)
        notes += told(rows)
    if len(present) > 1:
        notes.append("不同类型的几何分写为多个要素类：" + "、".join(FAMILIES_ZH[kind] for kind in present if kind))
    if wide:
        notes.append("有超过 32 位的整数，需要 ArcGIS Pro 3.2 以上版本打开")
    pack(job.path, folder, {"字段对照表.csv": dictionary_csv(columns), "说明.txt": read_me(job.about, notes)})
    yield from notes
