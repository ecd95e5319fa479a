"""The command line ``lianpian``: data to stdout, progress to stderr, documented exit codes.

0 ok · 1 failure · 2 usage · 3 invalid input · 5 store unreachable
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import numpy as np
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from api.settings import Settings
from geo.errors import InvalidInput, InvalidParameter, LianpianError
from geo.land.rules import load_rules
from geo.layers.profiles import Profile, load_profile, plain_profile
from geo.layers.reading import SourceLayer, read_file
from geo.layers.schema import LAYERS
from geo.layers.writing import write_layer
from geo.matching.demand import Demand
from geo.matching.ranking import search_sites
from geo.pipeline import analyse_store, prepare_loads, store_loads
from geo.plots.parameters import PlotRules
from geo.store.base import Query, Run, Store
from geo.store.opening import open_store
from geo.units import m2, mu

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="连片：闲置低效用地、500 亩以上连片工业用地、项目选址。",
)
_log = Console(stderr=True)

StoreOption = Annotated[str | None, typer.Option("--store", help="GeoPackage 路径或 postgresql:// 地址")]
JsonOption = Annotated[bool, typer.Option("--json", help="以 JSON 输出")]


def _settings(**given: Any) -> Settings:
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = "LIANPIAN_" + "_".join(str(part) for part in first["loc"]).upper()
        raise InvalidParameter(f"设置 {name} 的值不合要求：{first['input']}", where=name) from error


@contextmanager
def _opened(url: str | None, *, create: bool = False) -> Iterator[Store]:
    address = _settings(store=url).store
    if create and "://" not in address:
        Path(address).parent.mkdir(parents=True, exist_ok=True)
    store = open_store(address, create=create)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def _steps() -> Iterator[Callable[[str], None]]:
    """Steps as they begin, with the time they take; plain lines where nobody watches."""
    if not _log.is_terminal:
        yield lambda step: _log.print(f"· {step}", highlight=False)
        return
    columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=_log) as progress:
        current: list[Any] = []

        def step(name: str) -> None:
            if current:
                progress.update(current[-1], total=1, completed=1)
            current.append(progress.add_task(name, total=None))

        yield step
        if current:
            progress.update(current[-1], total=1, completed=1)


def _print_json(document: Any) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2, default=str))


@app.command()
def demo(
    parcels: Annotated[int, typer.Option(help="宗地数量", min=1000, max=2_000_000)] = 20_000,
    serve_it: Annotated[bool, typer.Option("--serve/--no-serve", help="完成后启动服务")] = True,
    store: StoreOption = None,
    host: Annotated[str | None, typer.Option(help="监听地址")] = None,
    port: Annotated[int | None, typer.Option(help="监听端口")] = None,
) -> None:
    """生成示范区，导入、分析，并在本机打开地图。"""
    from data.demo.generate import build_district, write_district

    with _opened(store, create=True) as opened, _steps() as step, tempfile.TemporaryDirectory() as folder:
        step(f"生成示范区（{parcels:,} 宗地）")
        written = write_district(build_district(parcels), Path(folder))
        package = next(path for path in written if path.suffix == ".gpkg")
        truth = json.loads(next(path for path in written if path.name == "truth.json").read_text(encoding="utf-8"))
        step("读取文件")
        sources = [source for source in read_file(package) if source.name in LAYERS]
        prepared = prepare_loads(sources, data_date=truth["as_of"], progress=step)
        loads = store_loads(opened, prepared, progress=step)
        run = analyse_store(opened, load_rules("demo"), np.datetime64(truth["as_of"]), progress=step)
    _told_loads([asdict(load) for load in loads])
    _told(run)
    if serve_it:
        _serve(_settings(store=store, host=host, port=port))


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="GPKG、Shapefile、GDB、GeoJSON、FlatGeobuf、GeoParquet、KML、CSV、zip")],
    layer: Annotated[str | None, typer.Option(help="导入到哪个图层；不写时按文件中的图层名")] = None,
    profile: Annotated[str | None, typer.Option(help="映射方案：名称或 .toml 路径")] = None,
    crs: Annotated[str | None, typer.Option(help="坐标系，例如 EPSG:4528；文件已写明时不需要")] = None,
    encoding: Annotated[str | None, typer.Option(help="属性文字编码，例如 GB18030")] = None,
    source_layer: Annotated[str | None, typer.Option(help="文件中的图层名")] = None,
    data_date: Annotated[str | None, typer.Option(help="数据现势日期，例如 2026-06-30")] = None,
    append: Annotated[bool, typer.Option(help="追加，而不是替换该图层")] = False,
    dry_run: Annotated[bool, typer.Option(help="只检查，不写入")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """导入图层：每行都会存入、修复或隔离，数目相符。"""
    with _steps() as step:
        step(f"读取 {file.name}")
        sources, profile_of = _sources(file, layer, profile, crs, encoding, source_layer)
        prepared = prepare_loads(sources, profile_of, data_date=data_date, progress=step)
        if not dry_run:
            # Only now: a file that is refused leaves no store behind.
            with _opened(store, create=True) as opened:
                store_loads(opened, prepared, "append" if append else "replace", step)
    loads = [item.load for item in prepared]
    if as_json:
        _print_json([asdict(load) for load in loads])
    else:
        _told_loads([asdict(load) for load in loads])


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="要检查的文件")],
    layer: Annotated[str | None, typer.Option(help="按哪个图层检查")] = None,
    profile: Annotated[str | None, typer.Option(help="映射方案")] = None,
    crs: Annotated[str | None, typer.Option(help="坐标系")] = None,
    encoding: Annotated[str | None, typer.Option(help="属性文字编码")] = None,
    source_layer: Annotated[str | None, typer.Option(help="文件中的图层名")] = None,
    as_json: JsonOption = False,
) -> None:
    """检查文件，不写入：与 import --dry-run 相同。"""
    import_(file, layer, profile, crs, encoding, source_layer, None, False, True, None, as_json)


def _sources(
    file: Path, layer: str | None, profile: str | None, crs: str | None, encoding: str | None, source_layer: str | None
) -> tuple[list[SourceLayer], Callable[[SourceLayer], Profile]]:
    chosen = load_profile(profile) if profile else (plain_profile(layer) if layer else None)
    if chosen and layer and chosen.layer != layer:
        raise InvalidParameter(f"映射方案用于图层“{chosen.layer}”，不是“{layer}”", where="profile")
    wanted = [source_layer] if source_layer else ([chosen.layer] if chosen else None)
    sources = read_file(file, layers=wanted, crs=crs, encoding=encoding)
    if chosen:
        if len(sources) != 1:
            names = "、".join(source.name for source in sources)
            raise InvalidInput(f"文件中有多个图层：{names}", where=file.name, remedy="请用 --source-layer 指明一个")
        return sources, lambda source: chosen
    known = [source for source in sources if source.name in LAYERS]
    if not known:
        names = "、".join(source.name for source in sources)
        raise InvalidInput(
            f"文件中的图层（{names}）不是标准图层名", where=file.name, remedy="请用 --layer 指明导入到哪个图层"
        )
    if skipped := [source.name for source in sources if source.name not in LAYERS]:
        _log.print(
            f"未导入（不是标准图层名，可用 --layer 指明）：{'、'.join(skipped)}", highlight=False, soft_wrap=True
        )
    return known, lambda source: plain_profile(source.name)


@app.command()
def analyse(
    as_of: Annotated[str | None, typer.Option(help="截止日期，默认今天（Asia/Shanghai）")] = None,
    rules: Annotated[str, typer.Option(help="规则集：名称或 .toml 路径")] = "national",
    gap_m: Annotated[float, typer.Option(help="连片间距（米）")] = 20.0,
    frontage_m: Annotated[float, typer.Option(help="相对边长（米）")] = 10.0,
    min_area_mu: Annotated[float, typer.Option(help="连片面积下限（亩）")] = 500.0,
    min_width_m: Annotated[float, typer.Option(help="最小宽度（米）")] = 50.0,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """认定闲置与低效用地，寻找连片地块，生成候选地块。"""
    plot_rules = PlotRules(gap_m=gap_m, frontage_m=frontage_m, min_area_m2=m2(min_area_mu), min_width_m=min_width_m)
    rule_set, day = load_rules(rules), _day(as_of)
    with _opened(store) as opened, _steps() as step:
        run = analyse_store(opened, rule_set, day, plot_rules, step)
    if as_json:
        _print_json(asdict(run))
    else:
        _told(run)


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
    with _opened(store) as opened:
        found = opened.read(Query("plots", geometry=False))
    table = found.drop(columns="evidence").assign(area_mu=mu(found["area_m2"]).round(2))
    if as_json:
        _print_json(json.loads(table.to_json(orient="records", force_ascii=False)))
        return
    shown = Table(title="连片地块", title_justify="left")
    for heading in ("编号", "名称", "亩", "零间距亩", "宗地", "权利人", "闲置", "低效", "内切圆半径 m"):
        shown.add_column(heading, justify="left" if heading in ("编号", "名称") else "right")
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
    with _opened(store) as opened:
        runs = opened.runs()
        if not runs:
            raise InvalidParameter("还没有分析结果", where="runs", remedy="请先运行 lianpian analyse")
        answer = search_sites(opened.read(Query("sites")), need, np.datetime64(runs[-1].as_of))
    if as_json:
        _print_json(answer)
        return
    typer.echo(f"符合 {answer['matched']} 个，不符合 {answer['excluded_total']} 个")
    for site in answer["sites"]:
        typer.echo(f"{site['rank']:>3}. {site['name']}  {site['area_mu']:.1f} 亩  {site['score']:.3f}")
        for condition in site["conditions"]:
            typer.echo(f"       {'✓' if condition['outcome'] == 'pass' else '？'} {condition['text']}")
    for site in answer["excluded"][:10]:
        typer.echo(f"  ✗ {site['name']}：{'；'.join(site['reasons'])}")


@app.command()
def export(
    layer: Annotated[str, typer.Argument(help="图层名")],
    out: Annotated[Path, typer.Argument(help="输出文件：.gpkg、.geojson、.fgb")],
    store: StoreOption = None,
) -> None:
    """导出一个图层。"""
    if layer not in LAYERS:
        raise InvalidParameter(f"没有图层“{layer}”", where="layer", remedy="可用：" + "、".join(LAYERS))
    if out.exists():
        # What is there may be the store itself.
        raise InvalidParameter(f"{out.name} 已经存在", where=out.name, remedy="请换一个文件名，或先移走原文件")
    if not out.parent.is_dir():
        raise InvalidParameter(f"没有文件夹 {out.parent}", where=out.name, remedy="请先建好文件夹")
    with _opened(store) as opened:
        frame = opened.read(Query(layer))
    write_layer(frame, layer, out)
    _log.print(f"已写出 {out.name}：{len(frame):,} 行")


@app.command()
def sheet(
    out: Annotated[Path, typer.Argument(help="输出 .html")] = Path("plots.html"), store: StoreOption = None
) -> None:
    """连片地块图：一个不需要网络的 HTML 文件。"""
    from maps.sheet import SheetParameters, plots_sheet

    with _opened(store) as opened:
        plots_sheet(opened, out, SheetParameters(unit=_settings(store=store).organisation))
    _log.print(f"已写出 {out.name}")


@app.command()
def doctor(store: StoreOption = None) -> None:
    """检查运行环境：几何库、驱动、页面、数据库。"""
    import pyogrio
    import shapely

    from maps.workbench import dist_folder

    settings = _settings(store=store)
    rows = [("GEOS", ".".join(map(str, shapely.geos_version))), ("GDAL", pyogrio.__gdal_version_string__)]
    try:
        rows.append(("页面", f"已构建（{len(list(dist_folder().iterdir()))} 个文件）"))
    except LianpianError as error:
        rows.append(("页面", f"{error.detail}：{error.remedy}"))
    shown = settings.store if "://" not in settings.store else "postgresql://…"
    try:
        with _opened(store) as opened:
            rows.append((f"数据库 {shown}", f"正常，{len(opened.loads())} 次导入，{len(opened.runs())} 次分析"))
    except LianpianError as error:
        rows.append((f"数据库 {shown}", error.detail))
    for name, value in rows:
        typer.echo(f"{name}\t{value}")


@app.command()
def serve(
    store: StoreOption = None,
    host: Annotated[str | None, typer.Option(help="监听地址")] = None,
    port: Annotated[int | None, typer.Option(help="监听端口")] = None,
) -> None:
    """启动服务：地图、瓦片、查询接口。"""
    _serve(_settings(store=store, host=host, port=port))


def _serve(settings: Settings) -> None:
    import uvicorn

    from api.app import create_app

    application = create_app(open_store(settings.store, create=False), settings.public_url)
    typer.echo(f"打开浏览器访问 http://{settings.host}:{settings.port}/ （Ctrl+C 结束）")
    uvicorn.run(application, host=settings.host, port=settings.port, log_level="warning", access_log=False)


def _told_loads(loads: list[dict[str, Any]]) -> None:
    table = Table(title="导入", title_justify="left")
    for heading in ("图层", "读取", "存入", "其中修复", "隔离"):
        table.add_column(heading, justify="left" if heading == "图层" else "right")
    for load in loads:
        counts = (load["read"], load["stored"], load["repaired"], load["quarantined"])
        table.add_row(LAYERS[load["layer"]].zh, *(f"{count:,}" for count in counts))
    Console().print(table)
    for load in loads:
        for reason, count in {**load["report"]["repaired"], **load["report"]["quarantined"]}.items():
            typer.echo(f"  {LAYERS[load['layer']].zh}：{reason} {count:,}")
        for name, happened in load["report"]["notes"].items():
            for what, count in happened.items():
                typer.echo(f"  {LAYERS[load['layer']].zh}.{name}：{what} {count:,}")


def _told(run: Run) -> None:
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
    if found["not_assessed"]:
        typer.echo(f"未能评估（缺少数据）：{found['not_assessed']:,} 宗")
    ladder = "　".join(f"{step['gap_m']:g} m：{step['plots']:.0f} 块 {step['mu']:,.0f} 亩" for step in found["ladder"])
    typer.echo(f"不同连片间距下的地块数　{ladder}")


def main() -> None:
    """Run the command line; errors for people become one message and an exit code here and nowhere else."""
    try:
        app()
    except LianpianError as error:
        where = f"（{error.where}）" if error.where else ""
        _log.print(f"[bold red]错误[/]：{_escaped(error.detail)}{_escaped(where)}", highlight=False, soft_wrap=True)
        if error.remedy:
            _log.print(f"办法：{_escaped(error.remedy)}", highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")


if __name__ == "__main__":
    main()
