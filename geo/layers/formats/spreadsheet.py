"""CSV and XLSX: tables of text with whatever geometry they hold; rows as tables that Excel opens and never computes.

Everything is read as text, so that codes of nineteen digits and leading zeros stay what they are; the mapping of a
layer makes numbers and dates of it. Numbers that Excel keeps come as the shortest text that gives them back.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import openpyxl
import pandas as pd
import shapely
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException
from pyproj import CRS

from geo.errors import InvalidInput
from geo.layers.formats.cells import CELL_LENGTH, safe, sheet_rows, uncomputed
from geo.layers.formats.headers import Row, Table, table
from geo.layers.formats.provenance import Provenance, Written
from geo.layers.formats.raw import RawLayer
from geo.layers.formats.table_columns import (
    MU,
    attribute_columns,
    field_rows,
    guarded,
    headings,
    mu_values,
    places,
    plain,
    unguarded,
)  # fmt: skip
from geo.layers.formats.table_geometry import with_geometry
from geo.layers.opening.encodings import decode
from geo.layers.schema import Layer

ABOUT_SHEET = "说明"
ABOUT_TITLE = "连片导出说明"
SHEET_ROWS = 1_048_576
_FIELD_BYTES = 1 << 30  # a polygon of a million points is one cell
_DELIMITERS = (",", ";", "\t", "|")
_SNIFFED_RECORDS = 30


# ---------------------------------------------------------------------------------------------------------- reading


def read_csv(path: Path, encoding: str | None, header_row: int | None) -> list[RawLayer]:
    """A delimited text file as one layer of text columns, with geometry where it holds any.

    Parameters
    ----------
    path : the file; comma, semicolon, tab or bar between its cells
    encoding : of its text, ``None`` to tell it from the bytes
    header_row : 1-based record of the heading, ``None`` to find it

    Raises
    ------
    InvalidInput
        The text cannot be decoded, a quotation mark is never closed, or there is nothing in it.
    """
    text, used = decode(path.read_bytes(), forced=encoding, where=path.name)
    rows = _records(text, path.name)
    found = table(rows, header_row)
    if found is None:
        raise InvalidInput("文件中没有内容", where=path.name, remedy="请检查文件")
    frame = found.frame.apply(unguarded)
    first = [used.note] if used.note else []
    return [_layer(path.stem, Table(frame, found.source_rows, found.notes), used.name, first)]


def _records(text: str, where: str) -> list[Row]:
    before = csv.field_size_limit(_FIELD_BYTES)
    try:
        delimiter = _delimiter(text)
        try:
            records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                raise InvalidInput("有引号没有成对，其后的内容无法分行", where=where, remedy="请补全引号") from error
            records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
            if any("\n" in cell or "\r" in cell for record in records for cell in record):
                # A quotation mark in the middle of a cell: rows after it may have been drawn into the cell.
                raise InvalidInput("有引号放错了位置，其后的内容无法分行", where=where, remedy="请检查引号") from error
    finally:
        csv.field_size_limit(before)
    return [[cell if cell.strip() else None for cell in record] for record in records]


def _delimiter(text: str) -> str:
    """The delimiter that gives the first records most evenly several cells."""
    best, score = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        reader = csv.reader(io.StringIO(text[:1_000_000], newline=""), delimiter=delimiter)
        widths = Counter(len(record) for record, _ in zip(reader, range(_SNIFFED_RECORDS), strict=False) if record)
        if not widths:
            continue
        width, count = widths.most_common(1)[0]
        here = (count / widths.total(), width) if width > 1 else (0.0, 0)
        if here > score:
            best, score = delimiter, here
    return best


def read_xlsx(path: Path, header_row: int | None) -> list[RawLayer]:
    """The sheets of a workbook, a layer each; empty and hidden ones, and the 说明 of an export of ours, are noted.

    Parameters
    ----------
    path : the workbook
    header_row : 1-based row of the (upper) heading, ``None`` to find it

    Raises
    ------
    InvalidInput
        Not a workbook, encrypted, or without any row.
    """
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise InvalidInput("文件不是可读的 XLSX 工作簿", where=path.name, remedy="请在 Excel 中另存为 xlsx") from error
    layers: list[RawLayer] = []
    notes: list[str] = []
    try:
        for sheet in book.worksheets:
            if sheet.sheet_state != "visible":
                notes.append(f"隐藏的工作表“{sheet.title}”未读取")
                continue
            rows, said = sheet_rows(sheet)
            if rows and rows[0] and rows[0][0] == ABOUT_TITLE:
                continue
            found = table(rows, header_row)
            if found is None:
                notes.append(f"空工作表“{sheet.title}”未读取")
                continue
            layers.append(_layer(sheet.title, found, None, [*said, *uncomputed(path, sheet.title, rows)]))
    finally:
        book.close()
    if not layers:
        raise InvalidInput("工作簿中没有可见的数据", where=path.name, remedy="请检查工作表是否隐藏或为空")
    return [RawLayer(each.name, each.frame, None, (*each.notes, *notes), each.faults) for each in layers]


def _layer(name: str, found: Table, encoding: str | None, notes: list[str]) -> RawLayer:
    frame, about_geometry, faults = with_geometry(found.frame)
    reasons = {position: f"第 {found.source_rows[position]} 行：{reason}" for position, reason in faults.items()}
    return RawLayer(name, frame, encoding, (*notes, *found.notes, *about_geometry), reasons)


# ---------------------------------------------------------------------------------------------------------- writing


def write_csv(
    pages: Iterator[gpd.GeoDataFrame | pd.DataFrame], layer: Layer, path: Path, crs: CRS | None, about: Provenance
) -> Written:
    """Write rows as CSV that Excel opens (UTF-8 with a mark, CRLF), geometry as WKT, page by page.

    Text that a sheet would compute begins with ``'``, which ``read_csv`` takes off again. Beside it, a file
    ``….说明.txt`` says where the rows come from and what the columns are.

    Parameters
    ----------
    pages : frames in ``crs``, all with the same columns
    layer : what the rows are
    path : the file to write
    crs : the system of the pages, ``None`` for a plain table
    about : for the page beside it
    """
    rows = 0
    titles: dict[str, str] | None = None
    decimals = 9 if crs is not None and crs.is_geographic else 4
    with path.open("w", encoding="utf-8-sig", newline="") as sink:
        writer = csv.writer(sink)
        for page in pages:
            if titles is None:
                titles = _titles(layer, page)
                writer.writerow(guarded([*titles.values(), *(["WKT"] if isinstance(page, gpd.GeoDataFrame) else [])]))
            columns = _columns(page, layer, titles)
            cells = [guarded(values) for values in columns.values()]
            if isinstance(page, gpd.GeoDataFrame):
                cells.append(list(shapely.to_wkt(page.geometry.to_numpy(), rounding_precision=decimals, trim=True)))
            writer.writerows(zip(*cells, strict=True))
            rows += len(page)
    lines = [f"{label}：{value}" for label, value in about.rows()]
    lines += ["", "字段：", *(" | ".join(row) for row in field_rows(layer, titles or {}))]
    text = "\r\n".join(lines) + "\r\n"
    path.with_name(f"{path.stem}.说明.txt").write_text(text, encoding="utf-8-sig", newline="")
    return Written(rows)


def write_xlsx(
    pages: Iterator[gpd.GeoDataFrame | pd.DataFrame], layer: Layer, path: Path, crs: CRS | None, about: Provenance
) -> Written:
    """Write rows as a workbook: identifiers text, numbers numbers, dates dates, nothing a formula; page by page.

    Geometry is not written; points give 经度 and 纬度, other shapes a point that lies in them. More rows than a sheet
    holds go on in further sheets. The last sheet, 说明, says where the rows come from and what the columns are.

    Parameters
    ----------
    pages : frames in ``crs``, all with the same columns
    layer : what the rows are
    path : the file to write
    crs : the system of the pages, ``None`` for a plain table
    about : for the sheet 说明
    """
    book = openpyxl.Workbook(write_only=True)
    titles: dict[str, str] | None = None
    sheet: Any = None
    at = SHEET_ROWS
    rows = cut = 0
    sheets: list[Any] = []
    for page in pages:
        if titles is None:
            titles = _titles(layer, page, places_of=layer)
        columns = _columns(page, layer, titles)
        if isinstance(page, gpd.GeoDataFrame) and crs is not None:
            columns["__lon"], columns["__lat"] = places(page, crs)
        for values in zip(*columns.values(), strict=True):
            if at >= SHEET_ROWS:
                _finish(sheet, at, len(titles))
                sheet = _new_sheet(book, layer, titles, len(sheets))
                sheets.append(sheet)
                at = 1
            written = [safe(sheet, value) for value in values]
            cut += sum(isinstance(value, str) and len(value) > CELL_LENGTH for value in values)
            sheet.append(written)
            at += 1
            rows += 1
    if sheet is None:
        sheet = _new_sheet(book, layer, titles or {}, 0)
        sheets.append(sheet)
        at = 1
    _finish(sheet, at, len(titles or {}))
    notes = []
    if len(sheets) > 1:
        notes.append(f"行数超过一张工作表的上限，分为 {len(sheets)} 张")
    if cut:
        notes.append(f"{cut} 个文本超过 Excel 单元格上限 {CELL_LENGTH} 字，已截断")
    if crs is not None and layer.geometry not in (None, "point"):
        notes.append("工作簿不含图形，只有代表点的经纬度")
    _about_sheet(book, layer, titles or {}, about, notes)
    book.save(path)
    return Written(rows, tuple(notes))


def _titles(layer: Layer, page: pd.DataFrame, places_of: Layer | None = None) -> dict[str, str]:
    """Column -> heading, the area in mu behind ``area_m2``, and the place of each row last where it is wanted."""
    titles: dict[str, str] = {}
    for column, title in headings(layer, attribute_columns(page)).items():
        titles[column] = title
        if column == "area_m2" and MU not in page:
            titles["__mu"] = MU
    if places_of is not None and isinstance(page, gpd.GeoDataFrame):
        point = layer.geometry == "point"
        titles["__lon"], titles["__lat"] = ("经度", "纬度") if point else ("代表点经度", "代表点纬度")
    return titles


def _columns(page: pd.DataFrame, layer: Layer, titles: dict[str, str]) -> dict[str, list[Any]]:
    values = plain(page, layer)
    if "__mu" in titles:
        values["__mu"] = mu_values(page)
    return {column: values[column] for column in titles if column in values}


def _new_sheet(book: Any, layer: Layer, titles: dict[str, str], number: int) -> Any:
    sheet = book.create_sheet(layer.zh if number == 0 else f"{layer.zh}_{number + 1}")
    sheet.freeze_panes = "B2"
    for i, title in enumerate(titles.values(), 1):
        # A Chinese character is as wide as two digits.
        width = sum(2 if ord(letter) > 0x2E7F else 1 for letter in title)
        sheet.column_dimensions[get_column_letter(i)].width = min(max(width + 4, 12), 40)
    head = []
    for title in titles.values():
        cell = safe(sheet, title, always=True)
        cell.font = Font(bold=True)
        cell.alignment = Alignment(wrap_text=True, vertical="center")
        head.append(cell)
    sheet.append(head)
    return sheet


def _finish(sheet: Any, rows: int, width: int) -> None:
    if sheet is not None and width:
        sheet.auto_filter.ref = f"A1:{get_column_letter(width)}{rows}"


def _about_sheet(book: Any, layer: Layer, titles: dict[str, str], about: Provenance, notes: list[str]) -> None:
    sheet = book.create_sheet(ABOUT_SHEET)
    for letter, width in (("A", 28), ("B", 40), ("C", 14), ("D", 14)):
        sheet.column_dimensions[letter].width = width
    named = {"__mu": "area_m2（亩，1 亩 = 2000/3 平方米）", "__lon": "EPSG:4490", "__lat": "EPSG:4490"}
    fields = [(title, named.get(field, field), kind, unit) for title, field, kind, unit in field_rows(layer, titles)]
    remarks = [("备注", note) for note in notes]
    blocks: tuple[Sequence[tuple[str, ...]], ...] = (
        [(ABOUT_TITLE,)], about.rows(), remarks, [()], [("列名", "字段", "类型", "单位")], fields,
    )  # fmt: skip
    for block in blocks:
        for row in block:
            sheet.append([safe(sheet, cell) for cell in row])
