"""The tables of a GeoPackage store: the container's own, the layers and the records (OGC 12-128r18).

All of it is written on one connection, inside the transaction of whoever calls.
"""

from __future__ import annotations

import sqlite3
import uuid

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.enums import WktVersion

from geo.errors import InvalidInput
from geo.layers.schema import LAYERS, Layer
from geo.store import rtree
from geo.store.blobs import SRS_ID
from geo.store.records import LOAD_COLUMNS, RUN_COLUMNS
from geo.store.tables import indexed_fields, quoted, schema_mark, sorted_fields

_SQL_TYPES = {
    "text": "TEXT",
    "real": "DOUBLE",
    "integer": "INTEGER",
    "date": "DATE",
    "boolean": "BOOLEAN",
    "json": "TEXT",
}
_APPLICATION_ID = 0x47504B47  # "GPKG"
_USER_VERSION = 10300  # GDAL before 3.7 warns of anything newer
_RTREE_DEFINITION = "http://www.geopackage.org/spec120/#extension_rtree"
_SCHEMA_DEFINITION = "http://www.geopackage.org/spec121/#extension_schema"

_CONTAINER = (
    "CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY, "
    "organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL, "
    "definition TEXT NOT NULL, description TEXT)",
    "CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, "
    "identifier TEXT UNIQUE, description TEXT DEFAULT '', "
    "last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')), "
    "min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER, "
    "CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id))",
    "CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL, "
    "geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL, "
    "CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name), CONSTRAINT uk_gc_table_name UNIQUE (table_name), "
    "CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name), "
    "CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id))",
    "CREATE TABLE gpkg_extensions (table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, "
    "definition TEXT NOT NULL, scope TEXT NOT NULL, "
    "CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name))",
    "CREATE TABLE gpkg_data_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL, name TEXT, title TEXT, "
    "description TEXT, mime_type TEXT, constraint_name TEXT, "
    "CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name), CONSTRAINT gdc_tn UNIQUE (table_name, name))",
    "CREATE TABLE gpkg_data_column_constraints (constraint_name TEXT NOT NULL, constraint_type TEXT NOT NULL, "
    "value TEXT, min NUMERIC, min_is_inclusive BOOLEAN, max NUMERIC, max_is_inclusive BOOLEAN, description TEXT, "
    "CONSTRAINT gdcc_ntv UNIQUE (constraint_name, constraint_type, value))",
    # Not in gpkg_contents: one row, of no interest to a GIS.
    "CREATE TABLE store_state (store_id TEXT NOT NULL, revision INTEGER NOT NULL, schema_mark TEXT NOT NULL)",
)


def is_blank(connection: sqlite3.Connection) -> bool:
    """Whether the file holds nothing yet."""
    return connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0


def is_store(connection: sqlite3.Connection) -> bool:
    """Whether the file is a store of ours."""
    return (
        connection.execute(
            "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'store_state'"
        ).fetchone()[0]
        == 1
    )


def is_current(connection: sqlite3.Connection) -> bool:
    """Whether the tables are those of the schema as it is now."""
    return connection.execute("SELECT schema_mark FROM store_state").fetchone() == (schema_mark(),)


def create_container(connection: sqlite3.Connection) -> None:
    """Everything a new store has: the container's tables, all layers (empty) and the records."""
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {_USER_VERSION}")
    for statement in _CONTAINER:
        connection.execute(statement)
    connection.executemany("INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, ?)", _reference_systems())
    connection.executemany(
        "INSERT INTO gpkg_extensions VALUES (?, NULL, 'gpkg_schema', ?, 'read-write')",
        [(table, _SCHEMA_DEFINITION) for table in ("gpkg_data_columns", "gpkg_data_column_constraints")],
    )
    for name, zh, columns in (("loads", "导入记录", LOAD_COLUMNS), ("runs", "分析记录", RUN_COLUMNS)):
        listed = ", ".join(f"{quoted(column)} {_SQL_TYPES[kind]}" for column, (kind, _) in columns.items())
        connection.execute(f"CREATE TABLE {quoted(name)} (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, {listed})")
        connection.execute(
            f"CREATE UNIQUE INDEX {quoted(name + '_key')} ON {quoted(name)} ({quoted(next(iter(columns)))})"
        )
        _announce(connection, name, "attributes", zh)
        _describe(connection, name, [(column, words, "", kind) for column, (kind, words) in columns.items()])
    for layer in LAYERS.values():
        _create_layer(connection, layer)
    connection.execute("INSERT INTO store_state VALUES (?, 0, ?)", (uuid.uuid4().hex[:12], schema_mark()))


def bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Add layers and fields that the schema has gained since the store was made.

    Raises
    ------
    InvalidInput
        A field has changed its kind; the files have to be imported again.
    """
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for layer in LAYERS.values():
        if layer.name not in tables:
            _create_layer(connection, layer)
            continue
        kinds = {row[1]: row[2] for row in connection.execute(f"PRAGMA table_info({quoted(layer.name)})")}
        for field in layer.fields:
            wanted = _SQL_TYPES[field.kind]
            if field.name not in kinds:
                connection.execute(f"ALTER TABLE {quoted(layer.name)} ADD COLUMN {quoted(field.name)} {wanted}")
            elif kinds[field.name] != wanted:
                raise InvalidInput(
                    f"数据库由其他版本建立：字段 {layer.name}.{field.name} 的类型不同",
                    where=layer.name,
                    remedy="请新建数据库并重新导入",
                )
        create_indexes(connection, layer)
        connection.execute("DELETE FROM gpkg_data_columns WHERE table_name = ?", (layer.name,))
        _describe(connection, layer.name, [(f.name, f.zh, f.unit, f.kind) for f in layer.fields])
    connection.execute("UPDATE store_state SET schema_mark = ?", (schema_mark(),))


def _create_layer(connection: sqlite3.Connection, layer: Layer) -> None:
    _announce(connection, layer.name, "attributes" if layer.geometry is None else "features", layer.zh)
    _describe(connection, layer.name, [(f.name, f.zh, f.unit, f.kind) for f in layer.fields])
    if layer.geometry is not None:
        # GEOMETRY: a layer holds single and multi-part geometries as they came.
        connection.execute(
            "INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', 'GEOMETRY', ?, 0, 0)", (layer.name, SRS_ID)
        )
        connection.execute(
            "INSERT INTO gpkg_extensions VALUES (?, 'geom', 'gpkg_rtree_index', ?, 'write-only')",
            (layer.name, _RTREE_DEFINITION),
        )
    create_table(connection, layer)
    finish_table(connection, layer)


def drop_table(connection: sqlite3.Connection, layer: Layer) -> None:
    """Drop a layer's table with its indexes, triggers and R-tree."""
    rtree.drop_rtree(connection, layer.name)
    connection.execute(f"DROP TABLE IF EXISTS {quoted(layer.name)}")


def create_table(connection: sqlite3.Connection, layer: Layer) -> None:
    """The bare table of a layer and its empty R-tree, ready to be filled in bulk."""
    columns = [
        f"{quoted(f.name)} {_SQL_TYPES[f.kind]}{' NOT NULL' if f.name == layer.key else ''}" for f in layer.fields
    ]
    if layer.geometry is not None:
        columns.append('"geom" GEOMETRY')  # last, so that attributes are read without its overflow pages
    connection.execute(
        f"CREATE TABLE {quoted(layer.name)} (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, {', '.join(columns)})"
    )
    if layer.geometry is not None:
        rtree.create_rtree(connection, layer.name)


def finish_table(connection: sqlite3.Connection, layer: Layer) -> None:
    """Indexes and triggers of a layer, after the bulk of its rows."""
    create_indexes(connection, layer)
    if layer.geometry is not None:
        rtree.create_triggers(connection, layer.name)


def create_indexes(connection: sqlite3.Connection, layer: Layer) -> None:
    """The unique index on the key, and those on the fields by which people narrow down or sort."""
    table = quoted(layer.name)
    connection.execute(
        f"CREATE UNIQUE INDEX IF NOT EXISTS {quoted(layer.name + '_key')} ON {table} ({quoted(layer.key)})"
    )
    for name in indexed_fields(layer):
        connection.execute(
            f"CREATE INDEX IF NOT EXISTS {quoted(f'{layer.name}_by_{name}')} ON {table} ({quoted(name)})"
        )
    for name in sorted_fields(layer):
        for direction in ("asc", "desc"):  # SQLite walks the rising one in two parts, to give rows without value last
            index = quoted(f"{layer.name}_{direction}_{name}")
            order = f"{quoted(name)} {direction.upper()}, {quoted(layer.key)}"
            connection.execute(f"CREATE INDEX IF NOT EXISTS {index} ON {table} ({order})")


def note_change(
    connection: sqlite3.Connection, layer: Layer, geometries: NDArray[np.object_] | None, *, replaced: bool
) -> None:
    """Put time and exact extent of a layer in the container's list after rows were added, or all were replaced."""
    connection.execute(
        "UPDATE gpkg_contents SET last_change = strftime('%Y-%m-%dT%H:%M:%fZ','now') WHERE table_name = ?",
        (layer.name,),
    )
    if geometries is None:
        return
    if replaced:
        connection.execute(
            "UPDATE gpkg_contents SET min_x = NULL, min_y = NULL, max_x = NULL, max_y = NULL WHERE table_name = ?",
            (layer.name,),
        )
    bounds = shapely.total_bounds(geometries).tolist() if len(geometries) else [float("nan")] * 4
    if bounds[0] == bounds[0]:  # not NaN: there is a geometry
        connection.execute(
            "UPDATE gpkg_contents SET min_x = min(ifnull(min_x, ?1), ?1), min_y = min(ifnull(min_y, ?2), ?2), "
            "max_x = max(ifnull(max_x, ?3), ?3), max_y = max(ifnull(max_y, ?4), ?4) WHERE table_name = ?5",
            (*bounds, layer.name),
        )


def note_update(connection: sqlite3.Connection, layer: Layer) -> None:
    """Put time and exact extent of a layer in the container's list after some of its rows were replaced."""
    extent = rtree.exact_extent(connection, layer.name) if layer.geometry is not None else None
    connection.execute(
        "UPDATE gpkg_contents SET last_change = strftime('%Y-%m-%dT%H:%M:%fZ','now'), "
        "min_x = ?, min_y = ?, max_x = ?, max_y = ? WHERE table_name = ?",
        (*(extent or (None,) * 4), layer.name),
    )


def _announce(connection: sqlite3.Connection, table: str, data_type: str, zh: str) -> None:
    connection.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, srs_id) VALUES (?, ?, ?, ?, ?)",
        (table, data_type, zh, zh, SRS_ID if data_type == "features" else None),
    )


def _describe(connection: sqlite3.Connection, table: str, columns: list[tuple[str, str, str, str]]) -> None:
    """Chinese names (once each, GDAL's alias), units and the kind of json columns, as a GIS shows them."""
    seen = [zh for _, zh, _, _ in columns]
    connection.executemany(
        "INSERT INTO gpkg_data_columns (table_name, column_name, name, title, description, mime_type) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                table,
                name,
                zh if seen.count(zh) == 1 else f"{zh} {name}",
                zh,
                unit or None,
                "application/json" if kind == "json" else None,
            )
            for name, zh, unit, kind in columns
        ],
    )


def _reference_systems() -> list[tuple[str, int, str, int, str, str]]:
    def known(code: int) -> tuple[str, int, str, int, str, str]:
        crs = CRS.from_epsg(code)
        wkt = crs.to_wkt(WktVersion.WKT1_GDAL)
        return crs.name, code, "EPSG", code, wkt, "longitude/latitude coordinates in decimal degrees"

    return [
        ("Undefined Cartesian SRS", -1, "NONE", -1, "undefined", "undefined Cartesian coordinate reference system"),
        ("Undefined geographic SRS", 0, "NONE", 0, "undefined", "undefined geographic coordinate reference system"),
        known(4326),
        known(SRS_ID),
    ]
