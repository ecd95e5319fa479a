"""The command that writes a ledger of what was found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.layers import new_file, told_written
from api.cli.program import StoreOption, app, opened, settings
from api.ledgers import export_ledger
from geo.errors import InvalidParameter
from geo.layers.filters import parse_filter
from geo.layers.formats.ledger_layout import load_layout
from geo.layers.schema import FINDINGS


@app.command()
def ledger(
    kind: Annotated[str, typer.Argument(help="台账：idle（闲置土地）、inefficient（低效用地）")],
    out: Annotated[Path, typer.Argument(help="输出 .xlsx")],
    layout: Annotated[Path | None, typer.Option(help="自己的版式 .toml，可复制 data/ledgers/ 中的修改")] = None,
    town: Annotated[str | None, typer.Option(help="只要这个乡镇街道")] = None,
    where: Annotated[str | None, typer.Option("--where", "--filter", help="认定的条件（CQL2）")] = None,
    store: StoreOption = None,
) -> None:
    """导出最新一次分析的台账（XLSX），列的次序由版式决定。"""
    if out.suffix.lower() != ".xlsx":
        raise InvalidParameter(f"台账是 .xlsx 文件，不是“{out.suffix}”", where=out.name, remedy="请换一个后缀")
    new_file(out)
    chosen = load_layout(kind, layout)
    wanted = None if where is None else parse_filter(where, FINDINGS)
    with opened(store) as kept:
        written = export_ledger(
            kept, chosen, out, town=town, where=wanted, organisation=settings(store=store).organisation
        )
    told_written(written, out)
