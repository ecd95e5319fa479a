"""Commands that show what was found, and what changed between two runs."""

from __future__ import annotations

import json
from typing import Annotated

import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from api.cli.program import JsonOption, StoreOption, app, opened, print_json
from geo.comparing import compared
from geo.errors import InvalidParameter
from geo.land.changes import changes_summary
from geo.land.findings import LEVELS
from geo.land.statistics import GROUPS, statistics_of
from geo.layers.filters import parse_filter
from geo.layers.schema import FINDINGS
from geo.layers.words import WORDS
from geo.store.base import Query, Run
from geo.units import mu

_BY = {"town": "乡镇街道", "kind": "类别", "level": "等级", "holder": "使用权人", "rule": "规则"}
WhereOption = Annotated[str | None, typer.Option("--where", "--filter", help="条件（CQL2），例如 level = 'idle_1y'")]


@app.command()
def findings(
    by: Annotated[str, typer.Option(help="统计口径：town、kind、level、holder、rule")] = "town",
    where: WhereOption = None,
    listed: Annotated[bool, typer.Option("--list", help="逐条列出，而不是统计")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """最新一次分析的闲置、低效认定：统计或清单。"""
    if by not in _BY:
        raise InvalidParameter(f"没有统计口径“{by}”", where="by", remedy="可用：" + "、".join(_BY))
    wanted = None if where is None else parse_filter(where, FINDINGS)
    with opened(store) as kept:
        runs = kept.runs()
        if not runs:
            raise InvalidParameter("还没有分析结果", where="runs", remedy="请先运行 lianpian analyse")
        columns = None if listed else GROUPS
        found = pd.DataFrame(kept.read(Query("findings", columns=columns, filter=wanted, geometry=False)))
    if listed:
        _told_findings(found, runs[-1], as_json)
        return
    rows = statistics_of(found, by)
    if as_json:
        print_json({"run_id": runs[-1].run_id, "by": by, "rows": rows, "assessed": runs[-1].summary.get("assessed")})
        return
    table = Table(title=f"{runs[-1].parameters['ruleset_title']}　截至 {runs[-1].as_of}", title_justify="left")
    for heading in (_BY[by], "类别", "等级", "宗数", "亩", "闲置费（万元）"):
        table.add_column(heading, justify="right" if heading in ("宗数", "亩", "闲置费（万元）") else "left")
    kinds = {word: spellings[0] for word, spellings in WORDS["findings.kind"].items()}
    for row in rows:
        fee = "—" if row["fee_yuan"] is None else f"{row['fee_yuan'] / 1e4:,.2f}"
        told = fee + (f"（另 {row['fee_unknown']} 宗价款不明）" if row["fee_unknown"] else "")
        level = LEVELS.get(row["level"], row["level"])
        table.add_row(
            str(row["key"] or "未注明"), kinds[row["kind"]], level, f"{row['count']:,}", f"{row['mu']:,.2f}", told
        )
    Console().print(table)


def _told_findings(found: pd.DataFrame, run: Run, as_json: bool) -> None:
    if as_json:
        typer.echo(found.to_json(orient="records", force_ascii=False, date_format="iso"))
        return
    titles = run.parameters["rule_titles"]
    for row in found.to_dict("records"):
        since = "" if pd.isna(row["since"]) else f"　自 {row['since']:%Y-%m-%d}"
        missing = "、".join(one["zh"] for one in row["missing"] or [])
        typer.echo(
            f"{row['parcel_id']}　{LEVELS[row['level']]}　{titles.get(row['rule'], row['rule'])}{since}　"
            f"{mu(row['area_m2']):,.2f} 亩　{row['holder'] or ''}"
            + (f"　{row['shortfall']}" if row["shortfall"] else "")
            + (f"　缺少：{missing}" if missing else "")
        )


@app.command()
def changes(
    to: Annotated[str | None, typer.Option(help="后一次分析批次，默认最新")] = None,
    since: Annotated[str | None, typer.Option(help="前一次分析批次，默认再前一次")] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """比较两次分析：新增、消除、等级变化的认定。"""
    with opened(store) as kept:
        before, after, told = compared(kept, to, since)
    if as_json:
        rows = json.loads(told.to_json(orient="records", force_ascii=False, date_format="iso"))
        print_json({"before": before.run_id, "after": after.run_id, "summary": changes_summary(told), "changes": rows})
        return
    sides = (f"{run.run_id}（截至 {run.as_of}，{run.ruleset}）" for run in (before, after))
    typer.echo(" → ".join(sides))
    if before.ruleset_sha256 != after.ruleset_sha256:
        typer.echo("注意：两次分析所用的规则集不同，变化可能来自规则而不是地块。")
    names = {"new": "新增", "cleared": "消除", "changed": "等级变化"}
    titles = after.parameters["rule_titles"] | before.parameters["rule_titles"]
    table = Table("变化", "宗地", "乡镇", "使用权人", "规则", "原等级", "现等级", "亩")
    for row in told.itertuples():
        levels = (LEVELS.get(row.before_level, "—"), LEVELS.get(row.after_level, "—"))
        whose = (row.parcel_id, row.town or "", row.holder or "", titles.get(row.rule, row.rule))
        table.add_row(names[row.change], *whose, *levels, f"{mu(row.area_m2):,.2f}")
    Console().print(table)
