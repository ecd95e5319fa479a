"""The tables of a PostGIS store, in a schema of their own. Everything runs in the transaction of whoever calls."""

from __future__ import annotations

import uuid
from typing import Any

from geo.errors import InvalidInput
from geo.layers.schema import LAYERS, Layer
from geo.store.records import LOAD_COLUMNS, RUN_COLUMNS
from geo.store.tables import indexed_fields, quoted, schema_mark, sorted_fields

SCHEMA = "lianpian"

# Text orders by its bytes, as SQLite does. ``json``, not ``jsonb``: it gives back what was put in, with the order of
# its keys, as the other store does; a query may still cast it.
_SQL_TYPES = {
    "text": 'text COLLATE "C"',
    "real": "double precision",
    "integer": "bigint",
    "date": "date",
    "boolean": "boolean",
    "json": "json",
}
_OPENING_LOCK = 4490_2000  # advisory lock: one process at a time makes tables


def table(name: str) -> str:
    """A table of the store, as SQL names it."""
    return f"{quoted(SCHEMA)}.{quoted(name)}"


def is_current(cursor: Any) -> bool:
    """Whether the tables are there and are those of the schema as it is now."""
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{SCHEMA}.store_state",))
    if not cursor.fetchone()[0]:
        return False
    cursor.execute(f"SELECT schema_mark FROM {table('store_state')}")  # noqa: S608
    return bool(cursor.fetchone() == (schema_mark(),))


def bring_up_to_date(cursor: Any) -> None:
    """Make what is missing: schema, layers, fields, indexes, records.

    Raises
    ------
    InvalidInput
        A field has changed its kind; the files have to be imported again.
    """
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_OPENING_LOCK,))
    if is_current(cursor):  # another process was first
        return
    cursor.execute("SELECT count(*) FROM pg_extension WHERE extname = 'postgis'")
    if not cursor.fetchone()[0]:
        cursor.execute("CREATE EXTENSION postgis")
    cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(SCHEMA)}")
    for layer in LAYERS.values():
        _make_layer(cursor, layer)
    for name, zh, columns in (("loads", "导入记录", LOAD_COLUMNS), ("runs", "分析记录", RUN_COLUMNS)):
        key = next(iter(columns))
        listed = ", ".join(f"{quoted(column)} {_SQL_TYPES[kind]}" for column, (kind, _) in columns.items())
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {table(name)} (fid bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {listed}, "
            f"UNIQUE ({quoted(key)}))"
        )
        _comment(cursor, name, zh, [(column, words) for column, (_, words) in columns.items()])
    cursor.execute(
        f"CREATE TABLE IF NOT EXISTS {table('store_state')} "
        "(store_id text NOT NULL, revision bigint NOT NULL, schema_mark text NOT NULL)"
    )
    cursor.execute(f"UPDATE {table('store_state')} SET schema_mark = %s", (schema_mark(),))  # noqa: S608
    if cursor.rowcount == 0:
        cursor.execute(
            f"INSERT INTO {table('store_state')} VALUES (%s, 0, %s)",  # noqa: S608
            (uuid.uuid4().hex[:12], schema_mark()),
        )


def make_reader(cursor: Any, role: str) -> None:
    """Make a role that may read every table of the store, those to come included, and nothing else."""
    name = quoted(role)
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
    if cursor.fetchone() is None:
        cursor.execute(f"CREATE ROLE {name} NOLOGIN")
    cursor.execute(f"GRANT USAGE ON SCHEMA {quoted(SCHEMA)} TO {name}")
    cursor.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {quoted(SCHEMA)} TO {name}")
    cursor.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA {quoted(SCHEMA)} GRANT SELECT ON TABLES TO {name}")
    cursor.execute("SELECT NOT pg_has_role(current_user, %s, 'MEMBER')", (role,))
    if cursor.fetchone()[0]:
        cursor.execute(f"GRANT {name} TO CURRENT_USER")


def _make_layer(cursor: Any, layer: Layer) -> None:
    name = table(layer.name)
    columns = ["fid bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"]
    columns += [
        f"{quoted(f.name)} {_SQL_TYPES[f.kind]}{' NOT NULL' if f.name == layer.key else ''}" for f in layer.fields
    ]
    if layer.geometry is not None:
        columns.append("geom geometry(Geometry, 4490)")
    cursor.execute(f"CREATE TABLE IF NOT EXISTS {name} ({', '.join(columns)})")
    cursor.execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
        (SCHEMA, layer.name),
    )
    kinds = dict(cursor.fetchall())
    for field in layer.fields:
        wanted = _SQL_TYPES[field.kind]
        if field.name not in kinds:
            cursor.execute(f"ALTER TABLE {name} ADD COLUMN {quoted(field.name)} {wanted}")
        elif kinds[field.name] != wanted.removesuffix(' COLLATE "C"'):
            raise InvalidInput(
                f"数据库由其他版本建立：字段 {layer.name}.{field.name} 的类型不同",
                where=layer.name,
                remedy="请新建数据库并重新导入",
            )
    cursor.execute(f"CREATE UNIQUE INDEX IF NOT EXISTS {quoted(layer.name + '_key')} ON {name} ({quoted(layer.key)})")
    for field_name in indexed_fields(layer):
        index = quoted(f"{layer.name}_by_{field_name}")
        cursor.execute(f"CREATE INDEX IF NOT EXISTS {index} ON {name} ({quoted(field_name)})")
    for field_name in sorted_fields(layer):
        for direction in ("asc", "desc"):
            index = quoted(f"{layer.name}_{direction}_{field_name}")
            order = f"{quoted(field_name)} {direction.upper()} NULLS LAST, {quoted(layer.key)}"
            cursor.execute(f"CREATE INDEX IF NOT EXISTS {index} ON {name} ({order})")
    if layer.geometry is not None:
        cursor.execute(f"CREATE INDEX IF NOT EXISTS {quoted(layer.name + '_geom')} ON {name} USING gist (geom)")
    _comment(cursor, layer.name, layer.zh, [(f.name, f"{f.zh} ({f.unit})" if f.unit else f.zh) for f in layer.fields])


def _comment(cursor: Any, name: str, zh: str, columns: list[tuple[str, str]]) -> None:
    """Chinese names, as a GIS shows them."""
    cursor.execute(f"COMMENT ON TABLE {table(name)} IS %s", (zh,))
    for column, words in columns:
        cursor.execute(f"COMMENT ON COLUMN {table(name)}.{quoted(column)} IS %s", (words,))
