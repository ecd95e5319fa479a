"""The R-tree of a GeoPackage layer: its making in bulk, its triggers, its question.

SQLite inserts a row into an R-tree in about 30 µs; a tree packed here, level by level in Hilbert order, costs less than
1 µs a row and is tighter. The node format is part of SQLite's file format (ext/rtree/rtree.c); ``rtreecheck`` proves
the result in the tests. Coordinates are 32-bit floats rounded outwards, so the tree gives candidates only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.store.base import Bounds
from geo.store.blobs import envelope

_CELL = np.dtype([("id", ">i8"), ("box", ">f4", 4)])  # box: min x, max x, min y, max y
_ROOT = 1
_FILL = 40  # of 51 cells in a node; room for later rows without a split

# A candidate whose 32-bit box reaches further into the question than this (relative to its coordinates) is certain:
# rounding moves a side by at most 2.4e-7 of it.
_ROUNDING = 1e-6


def create_rtree(connection: sqlite3.Connection, table: str) -> None:
    """Make the empty R-tree of a layer's ``geom``."""
    connection.execute(f'CREATE VIRTUAL TABLE "rtree_{table}_geom" USING rtree(id, minx, maxx, miny, maxy)')


def drop_rtree(connection: sqlite3.Connection, table: str) -> None:
    """Drop the R-tree of a layer where there is one."""
    connection.execute(f'DROP TABLE IF EXISTS "rtree_{table}_geom"')


def fill_rtree(connection: sqlite3.Connection, table: str, geometries: NDArray[np.object_]) -> None:
    """Fill the empty R-tree of a layer whose rows have the fids 1 … n in the order of ``geometries``.

    Parameters
    ----------
    geometries : (n,) object array; missing and empty ones are not in the tree
    """
    _pack(connection, table, shapely.bounds(geometries), np.arange(1, len(geometries) + 1))


def rebuild_rtree(connection: sqlite3.Connection, table: str) -> None:
    """Make the R-tree of a layer anew from its rows; several times quicker than to change a good part of them."""
    drop_rtree(connection, table)
    create_rtree(connection, table)
    rows = connection.execute(f'SELECT fid, substr(geom, 1, 40), geom FROM "{table}" WHERE geom IS NOT NULL')  # noqa: S608
    fids: list[int] = []
    bounds: list[Bounds] = []
    for fid, head, blob in rows:
        box = envelope(head if (head[3] >> 1) & 7 else blob)
        if box is not None:
            fids.append(fid)
            bounds.append(box)
    _pack(connection, table, np.array(bounds, dtype=np.float64).reshape(-1, 4), np.array(fids, dtype=np.int64))


def _pack(connection: sqlite3.Connection, table: str, bounds: NDArray[np.float64], fids: NDArray[np.int64]) -> None:
    """Fill an empty R-tree; (n, 4) west, south, east, north, NaN for rows that are not in it."""
    filled = ~np.isnan(bounds[:, 0])
    if not filled.any():
        return
    fids, boxes = fids[filled], _rounded_outwards(bounds[filled][:, [0, 2, 1, 3]])
    order = np.argsort(_hilbert(boxes), kind="stable")
    name = f"rtree_{table}_geom"  # of the schema, never of a request
    (size,) = connection.execute(f'SELECT length(data) FROM "{name}_node" WHERE nodeno = ?', (_ROOT,)).fetchone()  # noqa: S608
    capacity = (size - 4) // _CELL.itemsize
    connection.execute(f'DELETE FROM "{name}_node"')  # noqa: S608
    for level, (numbers, data, children, parents) in enumerate(_levels(fids[order], boxes[order], size, capacity)):
        nodes = ((number, data[at * size : (at + 1) * size]) for at, number in enumerate(numbers.tolist()))
        connection.executemany(f'INSERT INTO "{name}_node" VALUES (?, ?)', nodes)  # noqa: S608
        kind = "rowid" if level == 0 else "parent"
        by_child = np.argsort(children)  # rows of a table are quickest written in their order
        pairs = zip(children[by_child].tolist(), parents[by_child].tolist(), strict=True)
        connection.executemany(f'INSERT INTO "{name}_{kind}" VALUES (?, ?)', pairs)  # noqa: S608


def insert_into_rtree(
    connection: sqlite3.Connection, table: str, geometries: NDArray[np.object_], fids: NDArray[np.int64]
) -> None:
    """Add rows to the R-tree of a layer, as its trigger would, but without five calls of Python for each.

    Parameters
    ----------
    geometries : (n,) object array; missing and empty ones are left out
    fids : (n,) their rows
    """
    bounds = shapely.bounds(geometries)
    filled = np.flatnonzero(~np.isnan(bounds[:, 0]))
    boxes = bounds[filled][:, [0, 2, 1, 3]].T.tolist()
    connection.executemany(
        f'INSERT INTO "rtree_{table}_geom" VALUES (?, ?, ?, ?, ?)',  # noqa: S608
        zip(fids[filled].tolist(), *boxes, strict=True),
    )


def delete_from_rtree(connection: sqlite3.Connection, table: str, fids: NDArray[np.int64]) -> None:
    """Take rows out of the R-tree of a layer; those without a geometry are not in it."""
    connection.executemany(
        f'DELETE FROM "rtree_{table}_geom" WHERE id = ?',  # noqa: S608
        zip(fids.tolist(), strict=True),
    )


def exact_extent(connection: sqlite3.Connection, table: str) -> Bounds | None:
    """West, south, east, north of a layer as its rows are now, ``None`` where none has a geometry.

    The tree is rounded outwards, in order: the row that reaches furthest has the outermost rounded side.
    """
    tree = f'"rtree_{table}_geom"'
    sides = []
    for function, side in (("min", "minx"), ("min", "miny"), ("max", "maxx"), ("max", "maxy")):
        exact = f"ST_{side[:3].capitalize()}{side[3].upper()}"
        ((value,),) = connection.execute(
            f'SELECT {function}({exact}(t.geom)) FROM {tree} AS r CROSS JOIN "{table}" AS t ON t.fid = r.id '  # noqa: S608
            f"WHERE r.{side} = (SELECT {function}({side}) FROM {tree})"
        ).fetchall()
        if value is None:
            return None
        sides.append(value)
    west, south, east, north = sides
    return west, south, east, north


def _levels(
    ids: NDArray[np.int64], boxes: NDArray[np.float32], size: int, capacity: int
) -> Iterator[tuple[NDArray[np.int64], bytes, NDArray[np.int64], NDArray[np.int64]]]:
    """Nodes from the leaves up: numbers, data end to end, the ids in their cells, the node of each id."""
    following = _ROOT + 1
    depth = 0
    while True:
        is_root = len(ids) <= capacity
        fill = len(ids) if is_root else min(_FILL, capacity)
        count = -(-len(ids) // fill)
        numbers = np.array([_ROOT]) if is_root else np.arange(following, following + count)
        following += count
        node_of, slot = np.divmod(np.arange(len(ids)), fill)
        pad = size - 4 - capacity * _CELL.itemsize
        nodes = np.zeros(
            count, dtype=[("depth", ">u2"), ("cells", ">u2"), ("cell", _CELL, (capacity,)), ("pad", "u1", (pad,))]
        )
        nodes["depth"] = depth if is_root else 0  # only the root tells the depth
        nodes["cells"] = np.bincount(node_of, minlength=count)
        nodes["cell"]["id"][node_of, slot] = ids
        nodes["cell"]["box"][node_of, slot] = boxes
        yield numbers, nodes.tobytes(), ids, numbers[node_of]
        if is_root:
            return
        first = np.arange(0, len(ids), fill)
        low = np.minimum.reduceat(boxes[:, [0, 2]], first)
        high = np.maximum.reduceat(boxes[:, [1, 3]], first)
        boxes = np.column_stack([low[:, 0], high[:, 0], low[:, 1], high[:, 1]])
        ids = numbers
        depth += 1


def _rounded_outwards(boxes: NDArray[np.float64]) -> NDArray[np.float32]:
    """Boxes (min x, max x, min y, max y) as 32-bit floats that contain them."""
    rounded = boxes.astype(np.float32)
    for column, direction in enumerate((-np.inf, np.inf, -np.inf, np.inf)):
        wrong = rounded[:, column] > boxes[:, column] if direction < 0 else rounded[:, column] < boxes[:, column]
        rounded[wrong, column] = np.nextafter(rounded[wrong, column], np.float32(direction))
    return rounded


def _hilbert(boxes: NDArray[np.float32]) -> NDArray[np.int64]:
    """Place of each box's middle along a Hilbert curve over all of them (16 bits a side)."""
    middle = np.column_stack([boxes[:, 0] + boxes[:, 1], boxes[:, 2] + boxes[:, 3]]).astype(np.float64)
    span = np.maximum(np.ptp(middle, axis=0), 1e-12)
    x, y = ((middle - middle.min(axis=0)) / span * 65535).astype(np.int64).T
    place = np.zeros(len(boxes), dtype=np.int64)
    side = 1 << 15
    while side:
        right, upper = (x & side) > 0, (y & side) > 0
        place += side * side * ((3 * right) ^ upper)
        flip = ~upper & right
        x, y = np.where(flip, 65535 - x, x), np.where(flip, 65535 - y, y)
        x, y = np.where(upper, x, y), np.where(upper, y, x)
        side >>= 1
    return place


def box_condition(box: Bounds) -> tuple[str, list[float]]:
    """SQL over ``r`` (the R-tree) and ``t`` (the layer) for rows whose exact envelope meets the box, edges included.

    Only candidates that touch the box's own border by less than the rounding are looked at exactly.
    """
    west, south, east, north = box
    reach = [max(abs(value), 1.0) * _ROUNDING for value in box]
    sure = [east - reach[2], west + reach[0], north - reach[3], south + reach[1]]
    sql = (
        "r.minx <= ? AND r.maxx >= ? AND r.miny <= ? AND r.maxy >= ? "
        "AND ((r.minx <= ? AND r.maxx >= ? AND r.miny <= ? AND r.maxy >= ?) "
        "OR lianpian_meets(t.geom, ?, ?, ?, ?))"
    )
    return sql, [east, west, north, south, *sure, west, south, east, north]


def candidate_condition(box: Bounds) -> tuple[str, list[float]]:
    """SQL over ``r`` (the R-tree) for rows whose envelope may meet the box: all that do, and few others."""
    west, south, east, north = box
    return "r.minx <= ? AND r.maxx >= ? AND r.miny <= ? AND r.maxy >= ?", [east, west, north, south]


def drop_triggers(connection: sqlite3.Connection, table: str) -> None:
    """Drop the triggers, so that rows can be added in bulk."""
    for name, *_ in _TRIGGERS:
        connection.execute(f'DROP TRIGGER IF EXISTS "rtree_{table}_geom_{name}"')


def create_triggers(connection: sqlite3.Connection, table: str) -> None:
    """The triggers that keep the R-tree right when anyone edits the layer (GeoPackage 1.4, annex F.3)."""
    for name, event, condition, action in _TRIGGERS:
        tree = f"rtree_{table}_geom"
        head = f'CREATE TRIGGER "{tree}_{name}" AFTER {event} ON "{table}" WHEN {condition} BEGIN '
        connection.execute(head + action.replace("$rtree", f'"{tree}"') + " END")


_FILLED = '({0}."geom" NOTNULL AND NOT ST_IsEmpty({0}."geom"))'
_GONE = '({0}."geom" ISNULL OR ST_IsEmpty({0}."geom"))'
_SIDES = 'ST_MinX(NEW."geom"), ST_MaxX(NEW."geom"), ST_MinY(NEW."geom"), ST_MaxY(NEW."geom")'
_SAME = 'OLD."fid" = NEW."fid" AND '
_MOVED = 'OLD."fid" != NEW."fid" AND '
_INSERT = f'INSERT OR REPLACE INTO $rtree VALUES (NEW."fid", {_SIDES});'  # noqa: S608
_UPDATE = (
    'UPDATE $rtree SET minx = ST_MinX(NEW."geom"), maxx = ST_MaxX(NEW."geom"), '
    'miny = ST_MinY(NEW."geom"), maxy = ST_MaxY(NEW."geom") WHERE id = NEW."fid";'
)
_DELETE = 'DELETE FROM $rtree WHERE id = OLD."fid";'
_NEW, _OLD = "NEW", "OLD"

_TRIGGERS = (
    ("insert", "INSERT", _FILLED.format(_NEW), _INSERT),
    ("update6", 'UPDATE OF "geom"', _SAME + _FILLED.format(_NEW) + " AND " + _FILLED.format(_OLD), _UPDATE),
    ("update7", 'UPDATE OF "geom"', _SAME + _FILLED.format(_NEW) + " AND " + _GONE.format(_OLD), _INSERT),
    ("update2", 'UPDATE OF "geom"', _SAME + _GONE.format(_NEW), _DELETE),
    ("update5", "UPDATE", _MOVED + _FILLED.format(_NEW), _DELETE + " " + _INSERT),
    (
        "update4",
        "UPDATE",
        _MOVED + _GONE.format(_NEW),
        'DELETE FROM $rtree WHERE id IN (OLD."fid", NEW."fid");',
    ),
    ("delete", "DELETE", 'OLD."geom" NOT NULL', _DELETE),
)
