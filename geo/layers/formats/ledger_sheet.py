"""A ledger as a workbook that a land office prints and goes on with: merged heads, totals as values, no formula.

Row 1 the title, row 2 who, when, by which rules and in which units, rows 3 and 4 the heads, data from row 5, the total
last. Then a sheet of what could not be judged and a sheet that says where everything comes from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter

from geo.errors import InvalidParameter
from geo.layers.formats.cells import CELL_LENGTH, safe
from geo.layers.formats.ledger_layout import STATUS_ZH, Column, Layout
from geo.layers.formats.provenance import Written
from geo.layers.formats.spreadsheet import ABOUT_SHEET, ABOUT_TITLE, SHEET_ROWS
from geo.layers.words import words_of

UNASSESSED_SHEET = "未能评估"
HEAD_ROWS = 4
_BOXED_ROWS = 5_000
_PAPER_A3 = 8
_TITLE_FONT, _BOLD = Font(bold=True, size=18), Font(bold=True)
_LINE = Side(style="thin", color="FF999999")
_BOX = Border(left=_LINE, right=_LINE, top=_LINE, bottom=_LINE)
_HEAD_FILL = PatternFill("solid", fgColor="FFEFEFEF")
_CENTRE = Alignment(horizontal="center", vertical="center", wrap_text=True)
_WRAPPED = Alignment(vertical="center", wrap_text=True)
_RIGHT = Alignment(horizontal="right", vertical="center")


@dataclass(frozen=True)
class Totals:
    """The figures of a ledger; a parcel counts once.

    ``area_mu`` and ``fee_yuan`` exact, ``fee_unknown`` rows that owe a fee nobody can compute, ``watched`` level ->
    findings of other levels that are not listed, ``sums`` column -> what its cells add up to, ``unverified`` name of a
    rule value that nobody has verified -> findings that used it.
    """

    rows: int
    parcels: int
    area_mu: float
    fee_yuan: float | None
    fee_unknown: int
    unassessed: int
    unassessed_parcels: int
    watched: dict[str, int] = field(default_factory=dict)
    sums: dict[str, float | None] = field(default_factory=dict)
    unverified: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Ledger:
    """Cells of a ledger as they are written: columns as in the layout, and the figures."""

    rows: pd.DataFrame
    unassessed: pd.DataFrame
    totals: Totals


@dataclass(frozen=True)
class LedgerAbout:
    """Where a ledger comes from.

    Parameters
    ----------
    run_id, as_of, ruleset, ruleset_sha256 : the analysis, its day, the title and version of its rules
    organisation : who fills it in, empty where not known
    selection : which findings were chosen, in words; empty for all
    loads : layer, file and data date of each import that the analysis saw
    made_at : when it was written (ISO)
    area_method : how areas were computed
    remarks : what else a reader should know
    """

    run_id: str
    as_of: str
    ruleset: str
    ruleset_sha256: str
    organisation: str
    selection: str
    loads: tuple[tuple[str, str, str | None], ...]
    made_at: str
    area_method: str
    remarks: tuple[str, ...] = ()


def write_ledger(ledger: Ledger, layout: Layout, path: Path, about: LedgerAbout) -> Written:
    """Write a ledger as a workbook; rows go to the file as they come, so that 100,000 of them need little memory.

    Raises
    ------
    InvalidParameter
        More rows than a sheet holds.
    """
    most = max(len(ledger.rows), len(ledger.unassessed)) + HEAD_ROWS + 1
    if most > SHEET_ROWS:
        raise InvalidParameter(
            f"台账有 {most:,} 行，超过一张工作表的上限 {SHEET_ROWS:,} 行", where=layout.title, remedy="请按乡镇分开导出"
        )
    book = openpyxl.Workbook(write_only=True)
    subtitle = _subtitle(layout, about)
    cut = _sheet(book, layout.title, subtitle, layout.columns, ledger.rows, layout.frozen_columns, ledger.totals.sums)
    title = f"{layout.title}：{UNASSESSED_SHEET}"
    cut += _sheet(book, title, subtitle, layout.unassessed, ledger.unassessed, 0, None, name=UNASSESSED_SHEET)
    notes = (f"{cut} 个文本超过 Excel 单元格上限 {CELL_LENGTH} 字，已截断",) if cut else ()
    _about_sheet(book, ledger, layout, about, notes)
    book.save(path)
    return Written(len(ledger.rows), (*about.remarks, *notes))


def _subtitle(layout: Layout, about: LedgerAbout) -> str:
    parts = [
        f"填报单位：{about.organisation}",
        f"截至日期：{about.as_of}",
        f"规则集：{about.ruleset}",
        f"单位：{'、'.join(layout.units) or '见各列'}",
    ]
    return "　　".join(parts)


# ------------------------------------------------------------------------------------------------------- one table


def _sheet(
    book: Any, title: str, subtitle: str, columns: tuple[Column, ...], rows: pd.DataFrame, frozen: int,
    sums: dict[str, float | None] | None, name: str = "",
) -> int:  # fmt: skip
    """A table with its heads and, where there are ``sums``, its total; how many texts were cut."""
    sheet = book.create_sheet(_sheet_name(name or title))
    width = len(columns)
    last = get_column_letter(width)
    for i, column in enumerate(columns, 1):
        sheet.column_dimensions[get_column_letter(i)].width = column.width
    heights = {1: 30, 2: 20, 3: 24, 4: 32}
    for row, height in heights.items():
        sheet.row_dimensions[row].height = height
    sheet.freeze_panes = f"{get_column_letter(min(frozen, width - 1) + 1)}{HEAD_ROWS + 1}"
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = _PAPER_A3
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = f"1:{HEAD_ROWS}"
    sheet.page_margins.left = sheet.page_margins.right = 0.4
    sheet.page_margins.top = sheet.page_margins.bottom = 0.5
    sheet.oddFooter.center.text = "第 &P 页，共 &N 页"
    for merged in (f"A1:{last}1", f"A2:{last}2", *_merged_heads(columns)):
        sheet.merged_cells.add(merged)

    sheet.append([_cell(sheet, title, font=_TITLE_FONT, alignment=_CENTRE)])
    sheet.append([_cell(sheet, subtitle, alignment=Alignment(vertical="center"))])
    for texts in _heads(columns):
        head = {"font": _BOLD, "alignment": _CENTRE, "border": _BOX, "fill": _HEAD_FILL}
        sheet.append([_cell(sheet, text, **head) for text in texts])
    styles = [_Styles(sheet, column) for column in columns]
    # Boxes to write in are for people; nobody fills in tens of thousands of rows, and each costs time.
    boxed = len(rows) <= _BOXED_ROWS
    cut = 0
    for values in zip(*(rows[column.name] for column in columns), strict=True):
        cut += sum(isinstance(value, str) and len(value) > CELL_LENGTH for value in values)
        sheet.append(
            [
                style.of(value) if boxed or value is not None else None
                for style, value in zip(styles, values, strict=True)
            ]
        )
    if sums is not None:
        cells = [style.of(sums.get(column.name)) for style, column in zip(styles, columns, strict=True)]
        label = _cell(sheet, "合计", font=_BOLD, alignment=_CENTRE, border=_BOX)
        sheet.append([label, *cells[1:]])
    return cut


def _sheet_name(title: str) -> str:
    return "".join("_" if letter in "[]:*?/\\：" else letter for letter in title)[:31]


def _heads(columns: tuple[Column, ...]) -> tuple[list[str | None], list[str | None]]:
    """The two rows of the head: the group over its first column, what stands alone in the upper row."""
    upper: list[str | None] = []
    lower: list[str | None] = []
    for group, members in groupby(columns, key=lambda column: column.group):
        headings = [column.heading for column in members]
        upper += [group, *[None] * (len(headings) - 1)] if group else headings
        lower += headings if group else [None] * len(headings)
    return upper, lower


def _merged_heads(columns: tuple[Column, ...]) -> list[str]:
    found = []
    first = 1
    for group, members in groupby(columns, key=lambda column: column.group):
        last = first + len(list(members)) - 1
        if not group:
            found += [f"{letter}3:{letter}4" for letter in map(get_column_letter, range(first, last + 1))]
        elif last > first:
            found.append(f"{get_column_letter(first)}3:{get_column_letter(last)}3")
        first = last + 1
    return found


def _cell(sheet: Any, text: str | None, **style: Any) -> Cell:
    """A cell of text with its style, never a formula."""
    told = None if text is None else safe(sheet, text, always=True)
    cell = told if isinstance(told, Cell) else WriteOnlyCell(sheet)
    for name, value in style.items():
        setattr(cell, name, value)
    return cell


class _Styles:
    """The cells of one column: a row is written before the next is made, so that the same cells serve all rows."""

    def __init__(self, sheet: Any, column: Column) -> None:
        self._sheet = sheet
        shown = column.shown
        numeric = shown is not None and shown.kind in ("real", "integer")
        places = 0 if shown is not None and shown.kind == "integer" else column.places
        self._plain, self._quoted = WriteOnlyCell(sheet), WriteOnlyCell(sheet)
        for cell in (self._plain, self._quoted):
            cell.border = _BOX
            cell.alignment = _RIGHT if numeric else _WRAPPED
            if numeric:
                cell.number_format = "General" if places is None else f"0.{'0' * places}" if places else "0"
            elif shown is not None:
                cell.number_format = "@"  # a code that is edited stays text, as does a date
        self._quoted.quotePrefix = True

    def of(self, value: Any) -> Cell:
        """A cell for a value; text is text whatever it begins with."""
        if not isinstance(value, str):
            self._plain.value = value
            return self._plain
        told = safe(self._sheet, value)
        quoted = isinstance(told, Cell) and told.quotePrefix
        cell = self._quoted if quoted else self._plain
        cell.value = told.value if isinstance(told, Cell) else told
        cell.data_type = "s"
        return cell


# --------------------------------------------------------------------------------------------- where it comes from


def _about_sheet(book: Any, ledger: Ledger, layout: Layout, about: LedgerAbout, notes: tuple[str, ...]) -> None:
    sheet = book.create_sheet(ABOUT_SHEET)
    for letter, width in (("A", 30), ("B", 60), ("C", 14), ("D", 10)):
        sheet.column_dimensions[letter].width = width
    found = ledger.totals
    levels = {word: spellings[0] for word, spellings in (words_of("findings", "level") or {}).items()}
    watched = "；".join(f"{levels.get(level, level)} {count:,} 条" for level, count in found.watched.items())
    fee = "无" if found.fee_yuan is None else f"{found.fee_yuan:,.2f} 元"
    origin: list[tuple[str, ...]] = [
        ("台账", layout.title),
        ("分析批次", about.run_id),
        ("截至日期", about.as_of),
        ("规则集", about.ruleset),
        ("规则集摘要", about.ruleset_sha256),
        ("填报单位", about.organisation or "未注明"),
        ("选择范围", about.selection or "全部"),
        ("导出时间", about.made_at),
        ("面积算法", f"{about.area_method}；1 亩 = 2000/3 平方米"),
        ("版式出处", layout.source),
        ("版式核实状态", STATUS_ZH[layout.status]),
        ("列入的等级", "、".join(levels.get(level, level) for level in layout.levels)),
    ]
    figures: list[tuple[str, ...]] = [
        ("行数", f"{found.rows:,}"),
        ("宗地数", f"{found.parcels:,}"),
        ("面积合计（每宗计一次，未经取整）", f"{found.area_mu:,.4f} 亩"),
        *([("闲置费合计（未经取整）", fee), ("应缴而不能计算闲置费的行数", f"{found.fee_unknown:,}")]
          if layout.kind == "idle" else []),
        ("未能评估", f"{found.unassessed:,} 条，{found.unassessed_parcels:,} 宗，见“{UNASSESSED_SHEET}”"),
        ("未列入的其他等级", watched or "无"),
        ("合计行", "为本列所示各数之和，同一宗地只计一次；不是公式"),
        ("空白列", "系统不掌握的内容，由填报人填写"),
    ]  # fmt: skip
    loads: list[tuple[str, ...]] = [
        ("数据", f"{layer}：{file}", date or "数据日期未注明") for layer, file, date in about.loads
    ]
    remarks: list[tuple[str, ...]] = [("备注", note) for note in (*about.remarks, *notes)]
    unverified: list[tuple[str, ...]] = [(name, f"{count:,} 条认定用到") for name, count in found.unverified.items()]
    columns: list[tuple[str, ...]] = [
        (column.name, _content(column), column.unit_zh, "合计" if column.total else "") for column in layout.columns
    ]
    blocks: list[list[tuple[str, ...]]] = [
        [(ABOUT_TITLE,)], origin, figures, loads, remarks,
        [(), ("未核实的规则取值", "用到的认定")], unverified or [("无", "")],
        [(), ("列名", "内容", "单位", "合计")], columns,
    ]  # fmt: skip
    for block in blocks:
        for row in block:
            sheet.append([safe(sheet, text) for text in row])


def _content(column: Column) -> str:
    if column.shown is None:
        return f"固定填写“{column.text}”" if column.text else "由填报人填写"
    return f"{column.shown.zh}（{column.source}）"
