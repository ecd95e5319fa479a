"""Loads and runs as rows, and what must hold before one is written."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Literal, get_args

from geo.errors import InvalidInput, InvalidParameter
from geo.layers.schema import Layer
from geo.store.base import Load, Mode, Run
from geo.store.columns import Rows, check_text, json_text
from geo.store.tables import known_layer

# name -> (kind of the stored value, Chinese)
LOAD_COLUMNS: dict[str, tuple[Literal["text", "integer", "json"], str]] = {
    "load_id": ("text", "导入批次"),
    "layer": ("text", "图层"),
    "file_name": ("text", "文件"),
    "sha256": ("text", "文件摘要"),
    "profile": ("text", "映射方案"),
    "source_crs": ("text", "来源坐标系"),
    "loaded_at": ("text", "导入时间"),
    "data_date": ("text", "数据日期"),
    "read": ("integer", "读取行数"),
    "stored": ("integer", "入库行数"),
    "repaired": ("integer", "修复行数"),
    "quarantined": ("integer", "隔离行数"),
    "report": ("json", "质量报告"),
}
RUN_COLUMNS: dict[str, tuple[Literal["text", "integer", "json"], str]] = {
    "run_id": ("text", "分析批次"),
    "as_of": ("text", "截止日期"),
    "ruleset": ("text", "规则集"),
    "ruleset_sha256": ("text", "规则集摘要"),
    "parameters": ("json", "参数"),
    "loads": ("json", "导入批次"),
    "started_at": ("text", "开始时间"),
    "summary": ("json", "摘要"),
}


def record_values(record: Load | Run) -> list[Any]:
    """The values of a record in stored form, in the order of its columns."""
    columns = LOAD_COLUMNS if isinstance(record, Load) else RUN_COLUMNS
    try:
        values = [
            json_text(getattr(record, name)) if kind == "json" else getattr(record, name)
            for name, (kind, _) in columns.items()
        ]
        for value in values:
            if isinstance(value, str):
                check_text(value)
    except (ValueError, TypeError) as error:
        raise InvalidInput(
            f"批次记录不能存储：{error}", where=type(record).__name__, remedy="请检查参数与报告"
        ) from error
    return values


def load_from(row: tuple[Any, ...]) -> Load:
    """A load from its stored values."""
    return Load(**_decoded(LOAD_COLUMNS, row))


def run_from(row: tuple[Any, ...]) -> Run:
    """A run from its stored values."""
    values = _decoded(RUN_COLUMNS, row)
    return Run(**{**values, "loads": tuple(values["loads"])})


def _decoded(
    columns: dict[str, tuple[Literal["text", "integer", "json"], str]], row: tuple[Any, ...]
) -> dict[str, Any]:
    return {
        name: json.loads(value) if kind == "json" else value
        for (name, (kind, _)), value in zip(columns.items(), row, strict=True)
    }


def loadable(load: Load, mode: Mode) -> Layer:
    """The layer of a load; ``InvalidParameter`` where the layer is not one that files fill, or the mode is none."""
    if mode not in get_args(Mode):
        raise InvalidParameter(f"不认识的写入方式“{mode}”", where="mode", remedy="可用：" + "、".join(get_args(Mode)))
    layer = known_layer(load.layer)
    if layer.name == "quarantine":
        raise InvalidParameter("隔离记录随导入写入，不能单独导入", where="quarantine", remedy="请指定来源图层")
    return layer


def runnable(name: str) -> Layer:
    """A layer that a run may fill; ``InvalidParameter`` for layers that come from files."""
    layer = known_layer(name)
    if layer.origin != "derived":
        raise InvalidParameter(f"分析不能改写来源图层“{layer.zh}”", where=name, remedy="只有派生图层可由分析写入")
    return layer


def with_counts(load: Load, *, updated: int, added: int) -> Load:
    """The record of an update that tells in its report how many rows took the place of others, and how many are new."""
    return replace(load, report={**load.report, "updated": updated, "added": added})


def standing_loads(loads: list[Load]) -> list[Load]:
    """The loads whose rows are in the store: for each layer the last that replaced it and what came on top since.

    An update is on top like an append: rows of the earlier loads that it did not replace still stand.

    Parameters
    ----------
    loads : all loads, oldest first; ``report["mode"]`` tells how each was written (``replace`` where it does not)
    """
    standing: dict[str, list[Load]] = {}
    for load in loads:
        before = standing.get(load.layer, []) if load.report.get("mode") in ("append", "update") else []
        standing[load.layer] = [*before, load]
    return [load for kept in standing.values() for load in kept]


def earlier_load(loads: list[Load], load: Load) -> Load | None:
    """The load by which the rows of the same file already are in a layer, read and mapped in the same way.

    ``None`` where there is none, and where a later update has replaced any row of the layer: the file then may say
    something else than the store. The newest one where there are several.

    Parameters
    ----------
    loads : all loads, oldest first
    load : the one that is to be stored; what was said to the reader is in its report (``read_with``)
    """

    def told(one: Load) -> tuple[str, str, Any]:
        return one.sha256, one.profile, one.report.get("read_with")

    for standing in reversed([one for one in standing_loads(loads) if one.layer == load.layer]):
        if told(standing) == told(load):
            return standing
        if standing.report.get("mode") == "update" and standing.report.get("updated") != 0:
            return None
    return None


def check_balance(load: Load, rows: Rows, apart: Rows) -> None:
    """``InvalidInput`` where the record of a load does not tell what became of every row.

    A table that is joined onto a layer writes other rows than its own; its report says how many (``rows_written``).
    """
    written = load.report.get("rows_written", load.stored)
    if load.read != load.stored + load.quarantined or (written, load.quarantined) != (len(rows), len(apart)):
        raise InvalidInput(
            f"导入记录不平：读取 {load.read}，入库 {load.stored}（实有 {len(rows)}），"
            f"隔离 {load.quarantined}（实有 {len(apart)}）",
            where=load.load_id,
            remedy="读取行数应等于入库与隔离之和",
        )
