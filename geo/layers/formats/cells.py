"""Cells of a workbook: what they hold as text, and text as a cell that no program computes."""

from __future__ import annotations

import re
import zipfile
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ERROR_CODES
from openpyxl.utils import get_column_letter

from geo.errors import InvalidInput
from geo.layers.formats.headers import Row
from geo.layers.formats.table_columns import FORMULA

CELL_LENGTH = 32_767
_EXACT_DIGITS = 15
_SHOWN = 5
_MOST_ROWS = 1_048_576
_MOST_COLUMNS = 1_000
_MOST_BLANK_ROWS = 100_000
# XML has no control characters, and a carriage return in it becomes a line feed; a workbook writes their numbers.
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_NUMBERED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def sheet_rows(sheet: Any) -> tuple[list[Row], list[str]]:
    """All rows of a sheet as text, and notes on cells that are not what they were."""
    sheet.reset_dimensions()  # what a file says of its own size is often wrong
    rows: list[Row] = []
    errors: list[str] = []
    blunt: list[str] = []
    blank_rows = 0
    # A file of a few bytes may claim a cell at the far end of a sheet, and the rows up to it would all be made.
    for at, cells in enumerate(sheet.iter_rows(values_only=True), 1):
        if at > _MOST_ROWS or any(value is not None for value in cells[_MOST_COLUMNS:]):
            raise InvalidInput(
                f"工作表“{sheet.title}”超过 {_MOST_ROWS:,} 行或 {_MOST_COLUMNS:,} 列", where=sheet.title,
                remedy="请删去数据之外的行和列，另存后再导入",
            )  # fmt: skip
        blank_rows = 0 if any(value is not None for value in cells) else blank_rows + 1
        if blank_rows > _MOST_BLANK_ROWS:
            raise InvalidInput(
                f"工作表“{sheet.title}”在第 {at - blank_rows:,} 行之后有 {_MOST_BLANK_ROWS:,} 行以上的空行",
                where=sheet.title, remedy="请删去空行，另存后再导入",
            )  # fmt: skip
        row: Row = []
        for column, value in enumerate(cells, 1):
            if isinstance(value, str) and value in ERROR_CODES:
                errors.append(f"{get_column_letter(column)}{at}")
                value = None
            elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= 10**_EXACT_DIGITS:
                blunt.append(f"{get_column_letter(column)}{at}")
            row.append(_cell_text(value))
        rows.append(row)
    while rows and not any(rows[-1]):
        rows.pop()
    notes = []
    if errors:
        notes.append(f"{len(errors)} 个单元格是公式错误值，按空值读取（{_cells(errors)}）")
    if blunt:
        notes.append(
            f"{len(blunt)} 个单元格是超过 {_EXACT_DIGITS} 位的数值，Excel 不能保存全部位数，末尾可能已失真"
            f"（{_cells(blunt)}）；长编号应以文本保存"
        )
    return rows, notes


def _cells(names: list[str]) -> str:
    return "、".join(names[:_SHOWN]) + (" 等" if len(names) > _SHOWN else "")


def _cell_text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        text = _NUMBERED.sub(lambda found: chr(int(found.group(1), 16)), value) if "_x" in value else value
        return text if text.strip() else None
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time(0) else value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


def uncomputed(path: Path, title: str, rows: list[Row]) -> list[str]:
    """Formulas whose result is not in the file: a program wrote it that computes nothing."""
    with zipfile.ZipFile(path) as packed:
        parts = [name for name in packed.namelist() if name.startswith("xl/worksheets/")]
        if not any(_holds_formula(packed, name) for name in parts):
            return []
    book = openpyxl.load_workbook(path, read_only=True)
    try:
        sheet = book[title]
        sheet.reset_dimensions()
        found = [
            cell.coordinate
            for at, cells in enumerate(sheet.iter_rows())
            for column, cell in enumerate(cells)
            if cell.data_type == "f" and (at >= len(rows) or column >= len(rows[at]) or rows[at][column] is None)
        ]
    finally:
        book.close()
    return (
        [f"{len(found)} 个公式没有保存结果，按空值读取（{_cells(found)}）；请在 Excel 中打开保存一次"] if found else []
    )


def _holds_formula(packed: zipfile.ZipFile, name: str) -> bool:
    with packed.open(name) as part:
        tail = b""
        while chunk := part.read(1 << 20):
            if b"<f>" in tail + chunk or b"<f " in tail + chunk:
                return True
            tail = chunk[-2:]
    return False


def safe(sheet: Any, value: Any, always: bool = False) -> Any:
    """A cell value; text that would be computed, or taken for an error, is a cell that is text and says so."""
    if not isinstance(value, str):
        return value
    text = _UNWRITABLE.sub(lambda found: f"_x{ord(found.group()):04X}_", value)[:CELL_LENGTH]
    formula = FORMULA.match(text) is not None
    if not (always or formula or text in ERROR_CODES):
        return text
    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"
    cell.quotePrefix = formula
    return cell
