"""Commands that analyse what the store holds and show what was found."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from api.cli.program import JsonOption, PublishOption, StoreOption, app, log, opened, print_json, settings, steps
from api.publication import publish_after_commit
from geo.errors import InvalidInput, InvalidParameter
from geo.land.rules import eligible_by, load_rules
from geo.matching.demand import Demand
from geo.matching.ranking import search_sites
from geo.pipeline import analyse_store
from geo.plots.parameters import PlotRules
from geo.plots.setbacks import Setback, load_setbacks
from geo.store.base import Query, Run
from geo.units import m2, mu


@app.command()
def analyse(
    as_of: Annotated[str | None, typer.Option(help="截止日期，默认今天（Asia/Shanghai）")] = None,
    rules: Annotated[str, typer.Option(help="规则集：名称或 .toml 路径")] = "national",
    gap_m: Annotated[float, typer.Option(help="连片间距（米）")] = 20.0,
    frontage_m: Annotated[float, typer.Option(help="相对边长（米）")] = 10.0,
    min_area_mu: Annotated[float, typer.Option(help="连片面积下限（亩）")] = 500.0,
    min_width_m: Annotated[float, typer.Option(help="最小宽度（米）")] = 50.0,
    road_gap_m: Annotated[float | None, typer.Option(help="跨越可跨接支路时的间距（米），默认同连片间距")] = None,
    road_width_limit_m: Annotated[float, typer.Option(help="可跨接支路的最大宽度（米）")] = 24.0,
    tolerance_m: Annotated[float, typer.Option(help="视为相接的数字化误差（米）")] = 0.1,
    ladder_m: Annotated[str, typer.Option(help="同时报告的各档间距（米），以逗号分隔")] = "0,5,10,20,30,45",
    bridge_over: Annotated[
        str, typer.Option(help="跨接处可为：any 任何用地、unparcelled 无宗地，或用地代码前缀，以逗号分隔")
    ] = "any",
    eligible: Annotated[
        str | None, typer.Option(help="参与连片的宗地，CQL2；代替规则集的条件，如 idle_level IN ('idle_1y','idle_2y')")
    ] = None,
    setbacks: Annotated[str, typer.Option(help="退让距离表：law 法定，none 只按图层，或 .toml 路径")] = "law",
    elevation: Annotated[Path | None, typer.Option(help="高程栅格（GeoTIFF、ASCII），用于扣除陡坡")] = None,
    slope_limit_pct: Annotated[float, typer.Option(help="自然坡度上限（%）")] = 15.0,
    processes: Annotated[int, typer.Option(help="寻找连片地块所用进程数，十万宗以上才合算", min=1, max=64)] = 1,
    publish: PublishOption = True,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """认定闲置与低效用地，寻找连片地块，生成候选地块。"""
    plot_rules = PlotRules(
        gap_m=gap_m, frontage_m=frontage_m, min_area_m2=m2(min_area_mu), min_width_m=min_width_m,
        road_gap_m=road_gap_m, road_width_limit_m=road_width_limit_m, tolerance_m=tolerance_m,
        ladder_m=_lengths(ladder_m), bridge_over=_bridged(bridge_over), setbacks=_setbacks(setbacks),
        slope_limit_pct=slope_limit_pct,
    )  # fmt: skip
    rule_set, day = load_rules(rules), _day(as_of)
    if eligible is not None:
        rule_set = eligible_by(rule_set, eligible)
    with opened(store) as kept, steps() as step:
        run = analyse_store(kept, rule_set, day, plot_rules, step, elevation=elevation, processes=processes)
        if publish:
            publish_after_commit(kept, settings(store=store), step)
    if as_json:
        print_json(asdict(run))
    else:
        told_run(run)


def _lengths(text: str) -> tuple[float, ...]:
    try:
        return tuple(sorted({float(part) for part in text.split(",") if part.strip()}))
    except ValueError as error:
        raise InvalidParameter(f"间距“{text[:60]}”应写作 0,5,10,20", where="ladder_m") from error


def _bridged(text: str) -> Any:
    if text in ("any", "unparcelled"):
        return text
    prefixes = tuple(part.strip() for part in text.split(",") if part.strip())
    if not prefixes or not all(prefix.isdecimal() for prefix in prefixes):
        raise InvalidParameter(
            f"“{text[:40]}”没有写明跨接处可为何种用地",
            where="bridge_over",
            remedy="any、unparcelled，或用地代码前缀，例如 12,14",
        )
    return prefixes


def _setbacks(text: str) -> tuple[Setback, ...]:
    if text == "none":
        return ()
    return load_setbacks(None if text == "law" else Path(text))


def _day(text: str | None) -> np.datetime64:
    if text is None:
        return np.datetime64(datetime.now(ZoneInfo("Asia/Shanghai")).date(), "D")
    try:
        return np.datetime64(datetime.strptime(text, "%Y-%m-%d").date(), "D")
    except ValueError as error:
        raise InvalidParameter(f"日期“{text}”应写作 2026-06-30", where="as_of") from error


@app.command()
def plots(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """列出最新一次分析的连片地块。"""
    with opened(store) as kept:
        found = kept.read(Query("plots", geometry=False))
    table = found.drop(columns="evidence").assign(area_mu=mu(found["area_m2"]).round(2))
    if as_json:
        print_json(json.loads(table.to_json(orient="records", force_ascii=False)))
        return
    shown = Table(title="连片地块", title_justify="left", padding=0)
    for heading in ("编号", "名称", "亩", "零间距亩", "宗地", "权利人", "闲置", "低效", "内切圆 m"):
        # Chinese has no blanks to break at: fold, or a narrow terminal shows names cut off.
        shown.add_column(heading, justify="left" if heading in ("编号", "名称") else "right", overflow="fold")
    for row in table.sort_values("area_m2", ascending=False).itertuples():
        areas = (f"{row.area_mu:,.1f}", f"{mu(row.strict_area_m2):,.1f}")
        counts = (str(row.parcel_count), str(row.holder_count))
        shares = ("—" if share != share else f"{share:.0%}" for share in (row.idle_share, row.inefficient_share))
        shown.add_row(row.plot_id, row.name, *areas, *counts, *shares, f"{row.inscribed_radius_m:.0f}")
    Console().print(shown)


@app.command()
def match(
    demand: Annotated[Path, typer.Argument(help="项目需求 JSON 文件")],
    top: Annotated[int | None, typer.Option(help="最多列出几个", min=1, max=200)] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """为一个项目找地：排好序的候选地块、理由，以及其余为何不合。"""
    try:
        need = Demand.model_validate_json(demand.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"项目需求文件不合要求：{error}", where=demand.name, remedy="请对照 /docs 中的 Demand"
        ) from error
    if top is not None:
        need = need.model_copy(update={"limit": top})
    with opened(store) as kept:
        runs = kept.runs()
        if not runs:
            raise InvalidParameter("还没有分析结果", where="runs", remedy="请先运行 lianpian analyse")
        answer = search_sites(kept.read(Query("sites")), need, np.datetime64(runs[-1].as_of))
    if as_json:
        print_json(answer)
        return
    typer.echo(f"符合 {answer['matched']} 个，不符合 {answer['excluded_total']} 个")
    for site in answer["sites"]:
        typer.echo(f"{site['rank']:>3}. {site['name']}  {site['area_mu']:.1f} 亩  {site['score']:.3f}")
        for condition in site["conditions"]:
            typer.echo(f"       {'✓' if condition['outcome'] == 'pass' else '？'} {condition['text']}")
    for site in answer["excluded"][:10]:
        typer.echo(f"  ✗ {site['name']}：{'；'.join(site['reasons'])}")


@app.command()
def sheet(
    out: Annotated[Path, typer.Argument(help="输出 .html")] = Path("plots.html"), store: StoreOption = None
) -> None:
    """连片地块图：一个不需要网络的 HTML 文件。"""
    from maps.sheet import SheetParameters, plots_sheet

    with opened(store) as kept:
        plots_sheet(kept, out, SheetParameters(unit=settings(store=store).organisation))
    log.print(f"已写出 {out.name}")


def told_run(run: Run) -> None:
    """The headline figures of a run, for people."""
    found = run.summary
    table = Table(title=f"{run.parameters['ruleset_title']}　截至 {run.as_of}", title_justify="left")
    for heading in ("", "宗数", "亩"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, count, area in (
        ("宗地", "parcels", "parcels_mu"),
        ("闲置土地（疑似，待确认）", "idle", "idle_mu"),
        ("低效用地（疑似，待确认）", "inefficient", "inefficient_mu"),
        (f"{run.parameters['plots']['min_area_m2'] * 3 / 2000:g} 亩以上集中连片工业用地", "plots", "plots_mu"),
    ):
        # Nothing to judge by is not the same as nothing found.
        known = found[count] is not None
        table.add_row(name, *((f"{found[count]:,}", f"{found[area]:,.1f}") if known else ("未评估", "—")))
    Console().print(table)
    for kind, title in (("idle", "闲置"), ("inefficient", "低效")):
        told = found["assessed"][kind]
        why = "、".join(f"{reason} {count:,}" for reason, count in told["not_subject_why"].items())
        words = (("found", "疑似"), ("watched", "临期或逾期"), ("not_assessed", "未能评估（缺少数据）"),
                 ("ok", "所评条款中未发现"), ("not_subject", "不在范围"))  # fmt: skip
        counts = "，".join(f"{word} {told[name]['count']:,}" for name, word in words)
        typer.echo(f"{title}：{counts}" + (f"（{why}）" if why else ""))
    for clause in run.parameters.get("not_computed", []):
        typer.echo(f"未能由图层判定：{clause['title']}（{clause['reason']}）")
    stock = "，".join(f"{one['title']} {one['count']:,} 宗 {one['mu']:,.0f} 亩" for one in found["stock"])
    if stock:
        typer.echo(f"存量类别（不计入闲置）：{stock}")
    ladder = "　".join(f"{step['gap_m']:g} m：{step['plots']:.0f} 块 {step['mu']:,.0f} 亩" for step in found["ladder"])
    if ladder:
        typer.echo(f"不同连片间距下的地块数　{ladder}")
    for caveat in plot_caveats(found, run.parameters["plots"]):
        typer.echo(caveat)


_LACKING = {"grade": "等级", "voltage_kv": "电压", "setting": "所处位置", "width_m": "宽度"}
_KINDS = {"motorway": "高速公路", "railway": "铁路", "river": "河流", "local_road": "地方道路",
          "power_line": "电力线路", "pipeline": "油气管道"}  # fmt: skip


def plot_caveats(found: dict[str, Any], rules: dict[str, Any]) -> list[str]:
    """What the number of plots rests on and could not be assessed, in sentences; ``found`` is a run's summary."""
    told = []
    coverage = found.get("coverage") or {}
    if coverage.get("dirty"):
        apart, overlap = f"{coverage['apart_m']:,.0f} 米", f"{coverage['overlap_m2']:,.0f} 平方米"
        told.append(f"参选宗地的图形衔接有误差：相邻界线不重合 {apart}，重叠 {overlap}；连片按距离判断，重叠只计一次")
    if no_width := len(found.get("unassessed_barriers") or []):
        told.append(f"{no_width:,} 条地方道路没有宽度，按不可跨接处理：请在阻隔图层补 width_m")
    for one in found.get("unassessed_setbacks") or []:
        lacking = "、".join(_LACKING.get(name, name) for name in one["missing"])
        kind = _KINDS.get(one["kind"], one["kind"])
        told.append(f"退让未能评估：{kind} {len(one['barrier_id']):,} 条，缺少{lacking}")
    slope = found.get("slope") or {}
    if slope.get("not_assessed_m2"):
        told.append(f"坡度未能评估：{mu(slope['not_assessed_m2']):,.0f} 亩没有高程，未扣除陡坡")
    if misses := len(found.get("near_misses") or []):
        told.append(f"差一点够 {rules['min_area_m2'] * 3 / 2000:g} 亩的列出 {misses} 组，见地图左栏")
    return told
