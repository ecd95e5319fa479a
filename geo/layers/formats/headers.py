"""Rows of cells → a table: where the heading is, how many levels it has, and which rows are no data.

Ledgers have titles above the heading, headings of two or three levels with merged cells, a row that numbers the
columns, sums between and below the data, and remarks at the end. What is left out is said in the notes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd

Row = list[str | None]

_SAMPLE_ROWS = 40
_LEVELS = 3
_FULL_ENOUGH = 0.6  # of the widest row: less is a title
_SHOWN = 5
_VALUE = re.compile(r"[-+]?[\d,]*\.?\d+(?:[eE][-+]?\d+)?%?|\d{4}[-/.年]\d{1,2}(?:[-/.月]\d{1,2}日?)?(?:[ T].*)?")
_REMARK = re.compile(r"[^：:]{1,12}[：:]")
_SUM = re.compile(r"[^\d]{0,12}(?:合计|总计|小计|共计)(?:[（(][^）)]*[）)])?[:：]?")
_FOOT = re.compile(r"(?:附?注|备注|说明|填表|填报|制表|审核|复核|负责人|联系|统计|单位负责)[^，,]{0,8}[:：]|注[:：\d]")
_COUNTING = re.compile(r"[（(]?(\d{1,3})[）)]?|[甲乙丙丁]")


@dataclass(frozen=True)
class Table:
    """A table of text (``None`` where a cell is blank), the row of the file that each row was, and notes."""

    frame: pd.DataFrame
    source_rows: list[int]
    notes: tuple[str, ...]


def table(rows: list[Row], header_row: int | None) -> Table | None:
    """The table in these rows; ``None`` where all of them are blank.

    Parameters
    ----------
    rows : all rows of a sheet, blank ones too, so that positions are row numbers (less one)
    header_row : number of the (upper) row of the heading, 1-based; ``None`` to find it
    """
    width = max((len(row) for row in rows), default=0)
    width = max((i + 1 for i in range(width) if any(i < len(row) and row[i] for row in rows)), default=0)
    if not width:
        return None
    notes: list[str] = []
    start = _heading(rows, width) if header_row is None else header_row - 1
    if start is None or start >= len(rows) or not _filled(rows[start]):
        said = "没有找到表头" if header_row is None else f"第 {header_row} 行不是表头"
        notes.append(f"{said}，列名按“列1、列2…”编号")
        levels: list[Row] = []
        start = 0
    else:
        start, levels = _levels(rows, start, width, header_row is None)
        if start:
            notes.append(f"表头取第 {start + 1} 行，其上 {_blank_free(rows[:start])} 行标题或说明未作为数据读取")
        else:
            shown = "、".join(cell for cell in rows[0] if cell)
            notes.append(f"表头取第 1 行：{shown if len(shown) <= 60 else shown[:59] + '…'}")
        if len(levels) > 1:
            notes.append(f"表头为 {len(levels)} 行，合并为“上级_下级”")
    names, named = _names(levels, rows, width)
    body = range(start + len(levels), len(rows))
    kept, left_out = _data_rows(rows, body, levels, width)
    notes += left_out
    used = [i for i in range(width) if named[i] or any(i < len(rows[at]) and rows[at][i] for at in kept)]
    columns = {names[i]: [rows[at][i] if i < len(rows[at]) else None for at in kept] for i in used}
    return Table(pd.DataFrame(columns, dtype=object), [at + 1 for at in kept], tuple(notes))


def _filled(row: Row) -> list[int]:
    return [i for i, cell in enumerate(row) if cell]


def _blank_free(rows: list[Row]) -> int:
    return sum(bool(_filled(row)) for row in rows)


def _is_value(cell: str) -> bool:
    return _VALUE.fullmatch(cell.strip()) is not None


def _heading(rows: list[Row], width: int) -> int | None:
    """The first row that is nearly as wide as the table and made of different words."""
    sample = rows[:_SAMPLE_ROWS]
    widest = max(len(_filled(row)) for row in sample)
    for at, row in enumerate(sample):
        cells = [row[i] or "" for i in _filled(row)]
        words = [cell for cell in cells if not _is_value(cell)]
        wide = len(cells) >= max(min(2, width), _FULL_ENOUGH * widest)
        said = [cell for cell in cells if _REMARK.match(cell) and len(cells) < widest]
        if wide and not said and len(words) >= _FULL_ENOUGH * len(cells) and not _is_value(cells[0]):
            return at
    return None


def _levels(rows: list[Row], start: int, width: int, look_above: bool) -> tuple[int, list[Row]]:
    """The rows of the heading: the one found, one above it that groups its columns, and those below that divide it."""
    levels = [rows[start]]
    below = start + 1
    if look_above and start and _groups(rows[start - 1], rows[start]):
        start -= 1
        levels.insert(0, rows[start])
    while below < len(rows) and len(levels) < _LEVELS and _divides(levels[-1], rows[below], width):
        levels.append(rows[below])
        below += 1
    return start, levels


def _groups(upper: Row, lower: Row) -> bool:
    """Whether a row above the heading names groups of its columns: several words, and all that the heading lacks."""
    filled = _filled(upper)
    if len(filled) < 2 or any(_is_value(upper[i] or "") or _REMARK.match(upper[i] or "") for i in filled):
        return False
    return all(i in filled for i in range(len(lower)) if not lower[i])


def _divides(upper: Row, lower: Row, width: int) -> bool:
    """Whether a row below the heading only names columns where the heading above is merged over several."""
    filled = set(_filled(upper))
    merged: set[int] = set()
    for i in range(width):
        if i in filled:
            run = [i]
        else:
            run = [*run, i] if i and run else []
            merged |= set(run) if len(run) > 1 else set()
    under = set(_filled(lower))
    blank_above = {i for i in merged if i not in filled}
    if not under or not blank_above or not blank_above <= under:
        return False
    # A group of one column is not merged; it is divided all the same, where other columns go on in one cell and the row
    # below holds names only.
    named = not any(_is_value(lower[i] or "") for i in under)
    return under <= merged or (named and bool(filled - under))


def _names(levels: list[Row], rows: list[Row], width: int) -> tuple[list[str], list[bool]]:
    """A name for each column, unique, and whether the heading gives it one."""
    spread: list[list[str]] = []
    for depth, level in enumerate(levels):
        texts = [_heading_text(level[i]) if i < len(level) else "" for i in range(width)]
        if depth + 1 < len(levels):
            deeper = levels[depth + 1 :]
            for i in range(1, width):
                # A merged cell has its text in the first column only; it reaches as far as there are names below it.
                below = any(i < len(row) and row[i] for row in deeper)
                same_parent = all(above[i] == above[i - 1] for above in spread)
                if not texts[i] and below and same_parent and any(len(row) > i - 1 and row[i - 1] for row in deeper):
                    texts[i] = texts[i - 1]
        spread.append(texts)
    names: list[str] = []
    named: list[bool] = []
    for i in range(width):
        parts = list(dict.fromkeys(level[i] for level in spread if level[i]))
        named.append(bool(parts))
        proposal = "_".join(parts) or f"列{i + 1}"
        name, number = proposal, 1
        while name in names:
            number += 1
            name = f"{proposal}_{number}"
        names.append(name)
    return names, named


def _heading_text(cell: str | None) -> str:
    text = re.sub(r"\s*[\r\n]+\s*", "" if re.search(r"[\u3400-\u9fff]", cell or "") else " ", cell or "")
    return text.strip()


def _data_rows(rows: list[Row], body: range, levels: list[Row], width: int) -> tuple[list[int], list[str]]:
    """Positions of the rows that are data, and notes on those that are not."""
    kept: list[int] = []
    blank = 0
    sums: list[int] = []
    again: list[int] = []
    notes: list[str] = []
    heads = [tuple(_filled_cells(level)) for level in levels]
    for at in body:
        cells = _filled_cells(rows[at])
        if not cells:
            blank += 1
        elif heads and tuple(cells) in heads:
            again.append(at + 1)
        elif width > 1 and any(_SUM.fullmatch(re.sub(r"\s", "", cell)) for cell in _first(rows[at])):
            sums.append(at + 1)
        elif not kept and not again and _counts(cells):
            notes.append(f"第 {at + 1} 行是列号，未作为数据读取")
        else:
            kept.append(at)
    feet: list[int] = []
    while kept and width >= 3 and _is_foot(rows[kept[-1]]):
        feet.insert(0, kept.pop() + 1)
    if sums:
        notes.append(f"{len(sums)} 行合计未作为数据读取（第 {_listed(sums)} 行）")
    if again:
        notes.append(f"{len(again)} 行重复的表头未作为数据读取（第 {_listed(again)} 行）")
    if feet:
        notes.append(f"表尾 {len(feet)} 行说明未作为数据读取（第 {_listed(feet)} 行）")
    inner = sum(1 for at in body if not _filled(rows[at]) and kept and at < kept[-1])
    if inner:
        notes.append(f"{inner} 行空行已跳过")
    return kept, notes


def _filled_cells(row: Row) -> list[str]:
    return [cell for cell in row if cell]


def _first(row: Row) -> list[str]:
    """The first filled cell and, where that is a number of order, the one behind it; in the first three columns."""
    cells = [cell for cell in row[:3] if cell][:2]
    return cells if cells and _is_value(cells[0]) else cells[:1]


def _counts(cells: list[str]) -> bool:
    """Whether the cells number the columns: 1, 2, 3 … or 甲, 1, 2 …"""
    found = [_COUNTING.fullmatch(cell.strip()) for cell in cells]
    if len(cells) < 3 or not all(found):
        return False
    numbers = [int(each.group(1)) for each in found if each is not None and each.group(1)]
    return numbers == list(range(numbers[0], numbers[0] + len(numbers))) if len(numbers) > 1 else False


def _is_foot(row: Row) -> bool:
    cells = _filled_cells(row)
    return len(cells) <= max(2, len(row) // 2) and _FOOT.match(re.sub(r"\s", "", cells[0])) is not None


def _listed(rows: list[int]) -> str:
    return "、".join(str(row) for row in rows[:_SHOWN]) + (" 等" if len(rows) > _SHOWN else "")
