"""The command that asks whether a building fits into a plot."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from api.cli.program import JsonOption, StoreOption, app, opened, print_json
from api.plot_fit import plot_fit
from geo.errors import InvalidParameter

_SIDES = re.compile(r"(\d+(?:\.\d+)?)\s*[x×X*]\s*(\d+(?:\.\d+)?)")


@app.command()
def fit(
    plot_id: Annotated[str, typer.Argument(help="连片地块编号，如 LP0001")],
    size: Annotated[str, typer.Argument(help="长×宽（米），如 300x200")],
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """判断一个矩形（厂房、堆场）能否放进连片地块，可任意旋转。"""
    sides = _SIDES.fullmatch(size.strip())
    if sides is None:
        raise InvalidParameter(f"尺寸“{size[:40]}”应为长×宽（米）", where="size", remedy="例如 300x200")
    with opened(store) as kept:
        answer = plot_fit(kept, plot_id, float(sides[1]), float(sides[2]))
    if as_json:
        print_json(answer)
        return
    typer.echo(f"{plot_id}　{answer['length_m']:g} × {answer['width_m']:g} 米　{answer['zh']}")
    for lon, lat in answer["corners"] or []:
        typer.echo(f"  {lon:.7f}, {lat:.7f}")
