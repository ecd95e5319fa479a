"""Commands that bring layers in and take layers out."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import shapely
import typer
from rich.console import Console
from rich.table import Table

from api.cli.program import JsonOption, PublishOption, StoreOption, app, log, opened, print_json, settings, steps
from api.publication import publish_after_commit
from geo.errors import InvalidInput, InvalidParameter, StoreUnreachable
from geo.exporting import Form, Selection, export_layer
from geo.importing import (
    Imported,
    Stored,
    chosen_profile,
    prepare_loads,
    profiles_for,
    refuse_one_over_another,
    store_loads,
)
from geo.layers.checking.report import report_lines
from geo.layers.formats.provenance import Written
from geo.layers.mapping.proposal import Proposal
from geo.layers.profiles import Profile, load_profile, profile_names
from geo.layers.quality import coverage_frame_for_file, quarantine_frame_for_file
from geo.layers.reading import SourceLayer, read_file
from geo.layers.schema import LAYERS
from geo.layers.writing import FORMATS, format_of, write_frame
from geo.store.base import Mode, Store
from geo.units import M2_PER_HA
from maps.qgis_style import qgis_style

LayerOption = Annotated[str | None, typer.Option(help="导入到哪个图层；不写时按文件中的图层名，或由字段推断")]
ProfileOption = Annotated[str | None, typer.Option(help="映射方案：名称或 .toml 路径（lianpian profiles 列出）")]
FieldOption = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        help="字段=列名 或 字段=列名:单位，可多次；例如 --field parcel_id=编号 --field declared_area_m2=面积:亩",
    ),
]
CrsOption = Annotated[str | None, typer.Option(help="坐标系，例如 EPSG:4528；文件已写明时不需要")]
EncodingOption = Annotated[str | None, typer.Option(help="属性文字编码，例如 GB18030；不写时严格检测")]
SwapOption = Annotated[bool, typer.Option("--swap-axes", help="文件中坐标为 纬度,经度 或 北,东 的次序")]
HeaderOption = Annotated[int | None, typer.Option(help="表格的标题在第几行；不写时自动识别", min=1)]
SourceLayerOption = Annotated[str | None, typer.Option(help="文件中的图层名")]
QuarantineOption = Annotated[Path | None, typer.Option(help="把隔离的行与图形衔接问题写成 GeoPackage，可用 QGIS 打开")]
ReportOption = Annotated[Path | None, typer.Option(help="把质量报告写成 JSON 文件")]
DateOption = Annotated[str | None, typer.Option(help="数据现势日期，例如 2026-06-30")]
YesOption = Annotated[bool, typer.Option("--yes", help="接受推断的映射方案，不再询问")]


@app.command("import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            help="GPKG、Shapefile、GDB、GeoJSON、FlatGeobuf、GeoParquet、KML、DXF、CSV、XLSX、界址点 TXT、zip"
        ),
    ],
    layer: LayerOption = None,
    profile: ProfileOption = None,
    field: FieldOption = None,
    crs: CrsOption = None,
    encoding: EncodingOption = None,
    swap_axes: SwapOption = False,
    header_row: HeaderOption = None,
    source_layer: SourceLayerOption = None,
    data_date: DateOption = None,
    append: Annotated[bool, typer.Option("--append", help="追加，而不是替换该图层")] = False,
    update: Annotated[bool, typer.Option("--update", help="按编号更新：已有的行换新，没有的行加入")] = False,
    again: Annotated[bool, typer.Option("--again", help="即使同一文件已导入也重新写入")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只检查，不写入")] = False,
    quarantine: QuarantineOption = None,
    report: ReportOption = None,
    yes: YesOption = False,
    publish: PublishOption = True,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """导入图层：每行都会存入、修复或隔离，数目相符。"""
    if append and update:
        raise InvalidParameter("--append 与 --update 只能选一个", where="mode")
    mode: Mode = "append" if append else "update" if update else "replace"
    for path in (quarantine, report):
        new_file(path)
    read_with = {"crs": crs, "encoding": encoding, "swap_axes": swap_axes, "header_row": header_row}
    with steps() as step:
        step(f"读取 {file.name}")
        chosen = chosen_profile(load_profile(profile) if profile else None, layer, field or [])
        wanted = [source_layer] if source_layer else ([chosen.layer] if chosen and profile is None else None)
        sources = read_file(
            file, layers=wanted, crs=crs, encoding=encoding, swap_axes=swap_axes, header_row=header_row, progress=step
        )
    pairs, skipped = profiles_for(sources, chosen, lambda source, found: _confirmed(source, found, yes=yes))
    if skipped:
        told = f"未导入（不是标准图层名，可用 --source-layer 指明）：{'、'.join(skipped)}"
        log.print(told, highlight=False, soft_wrap=True)
    profiles = {id(source): by for source, by in pairs}
    with steps() as step:
        options = {"data_date": data_date, "read_with": read_with, "progress": step}
        prepared = _prepared_beside(store, pairs, profiles, options)
        if mode == "replace":
            refuse_one_over_another(prepared)
        stored: list[Stored] = []
        if not dry_run:
            # Only now: a file that is refused leaves no store behind.
            with opened(store, create=True) as kept:
                stored = store_loads(kept, prepared, mode, again=again, progress=step)
                if publish:
                    publish_after_commit(kept, settings(store=store), step)
    loads = [done.load for done in stored] or [item.load for item in prepared]
    if quarantine is not None:
        _write_quarantine(prepared, quarantine)
    if report is not None:
        report.write_text(
            json.dumps([asdict(load) for load in loads], ensure_ascii=False, indent=2, default=str), "utf-8"
        )
    if as_json:
        print_json([asdict(load) for load in loads])
        return
    if dry_run:
        for (source, by), item in zip(pairs, prepared, strict=True):
            _told_sample(source, by, item)
    told_loads([asdict(load) for load in loads])
    for done in stored:
        if done.unchanged:
            same = f"同一文件已导入（{done.unchanged}），未重复写入；--again 可强制"
            typer.echo(f"  {LAYERS[done.load.layer].zh}：{same}")
    if any(load.quarantined for load in loads) and quarantine is None:
        typer.echo("  隔离的行可用 --quarantine 文件.gpkg 写出，或 lianpian export quarantine 文件.gpkg")


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="要检查的文件")],
    layer: LayerOption = None,
    profile: ProfileOption = None,
    field: FieldOption = None,
    crs: CrsOption = None,
    encoding: EncodingOption = None,
    swap_axes: SwapOption = False,
    header_row: HeaderOption = None,
    source_layer: SourceLayerOption = None,
    data_date: DateOption = None,
    quarantine: QuarantineOption = None,
    report: ReportOption = None,
    yes: YesOption = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """检查文件，不写入：与 import --dry-run 相同。"""
    import_(
        file, layer, profile, field, crs, encoding, swap_axes, header_row, source_layer, data_date,
        dry_run=True, quarantine=quarantine, report=report, yes=yes, store=store, as_json=as_json,
    )  # fmt: skip


def _confirmed(source: SourceLayer, best: Proposal, *, yes: bool) -> Profile:
    """A proposal as a person sees it, and their yes."""
    log.print(f"推断：{LAYERS[best.profile.layer].zh}，映射方案 {best.profile.name}“{best.profile.title}”"
              f"（{best.score:.0%}，{best.why}）", highlight=False, soft_wrap=True)  # fmt: skip
    for field, column in best.matched.items():
        unit = f"（{best.units[field]}）" if field in best.units else ""
        log.print(f"  {LAYERS[best.profile.layer].field(field).zh} ← {column}{unit}", highlight=False, soft_wrap=True)
    if yes or (sys.stdin.isatty() and typer.confirm("按此导入？", default=True)):
        return best.profile
    flag = f"--profile {best.profile.name}" if best.profile.name in profile_names() else f"--layer {best.profile.layer}"
    raise InvalidInput("映射方案是推断的，需要确认", where=source.file_name, remedy=f"请加 --yes 接受，或写明 {flag}")


def _prepared_beside(
    url: str | None, pairs: list[tuple[SourceLayer, Profile]], profiles: dict[int, Profile], options: dict[str, Any]
) -> list[Imported]:
    """Prepared beside the store where there is one; a check needs none."""

    def prepared(standing: Store | None) -> list[Imported]:
        return prepare_loads([s for s, _ in pairs], lambda s: profiles[id(s)], standing=standing, **options)

    try:
        with opened(url) as kept:
            return prepared(kept)
    except StoreUnreachable:
        return prepared(None)


def _write_quarantine(prepared: list[Imported], path: Path) -> None:
    """Quarantined rows, and the places where a coverage is at fault, as layers to look at in QGIS."""
    rows = places = 0
    for item in prepared:
        if item.load.quarantined:
            apart = quarantine_frame_for_file(item.checked)
            write_frame(apart, path, layer=f"quarantine_{item.load.layer}")
            rows += len(apart)
        faults = coverage_frame_for_file(item.checked)
        if faults is not None and len(faults):
            write_frame(faults, path, layer=f"coverage_{item.load.layer}")
            places += len(faults)
    told = (
        f"已写出 {path.name}：隔离 {rows:,} 行，图形衔接问题 {places:,} 处"
        if rows or places
        else "没有隔离的行，未写出文件"
    )
    log.print(told, highlight=False)


def _told_sample(source: SourceLayer, by: Profile, item: Imported) -> None:
    """What a person checks before saying yes: system, encoding, the first three rows, which column became what."""
    typer.echo(f"{source.file_name}：{source.name} → {LAYERS[by.layer].zh}（映射方案 {by.title}）")
    typer.echo(f"  坐标系 {item.load.source_crs or '无（表格）'}　编码 {source.encoding or '由格式规定'}")
    if item.sample:
        table = Table(title="前三行", title_justify="left", box=None)
        for heading in item.sample[0]:
            table.add_column(heading)
        for row in item.sample:
            table.add_row(*(value if len(value) <= 24 else value[:23] + "…" for value in row.values()))
        Console().print(table)


def told_loads(loads: list[dict[str, Any]]) -> None:
    """What became of every row, for people."""
    table = Table(title="导入", title_justify="left")
    for heading in ("图层", "读取", "存入", "其中修复", "隔离", "面积（公顷）"):
        table.add_column(heading, justify="left" if heading == "图层" else "right")
    for load in loads:
        counts = (load["read"], load["stored"], load["repaired"], load["quarantined"])
        land = ((load["report"].get("coverage") or {}).get("figures") or {}).get("land_m2")
        hectares = "" if land is None else f"{land['value'] / M2_PER_HA:,.1f}"
        table.add_row(LAYERS[load["layer"]].zh, *(f"{count:,}" for count in counts), hectares)
    Console().print(table)
    for load in loads:
        for line in report_lines(load["report"], LAYERS[load["layer"]]):
            typer.echo(f"  {LAYERS[load['layer']].zh}：{line}")


@app.command()
def profiles(as_json: JsonOption = False) -> None:
    """列出映射方案。"""
    found = [load_profile(name) for name in profile_names()]
    if as_json:
        print_json([{"name": one.name, "title": one.title, "layer": one.layer} for one in found])
        return
    for one in found:
        typer.echo(f"{one.name}\t{LAYERS[one.layer].zh}\t{one.title}")


@app.command()
def export(
    layer: Annotated[str, typer.Argument(help="图层名")],
    out: Annotated[
        Path,
        typer.Argument(
            help="输出文件，按后缀定格式：.gpkg、.shp.zip、.geojson、.fgb、.parquet、.kml、"
            ".gdb.zip、.dxf、.xlsx、.csv、.txt（界址点）、.pmtiles"
        ),
    ],
    crs: Annotated[str, typer.Option(help="目标坐标系：EPSG:4490、其 3 度或 6 度带、4326、3857")] = "EPSG:4490",
    where: Annotated[str | None, typer.Option("--where", "--filter", help="条件（CQL2），例如 town = '北镇'")] = None,
    bbox: Annotated[str | None, typer.Option(help="西,南,东,北（经纬度）")] = None,
    polygon: Annotated[Path | None, typer.Option(help="只要与该文件中的多边形相交的行")] = None,
    names: Annotated[
        str | None, typer.Option(help="字段名：canonical（英文）、zh（中文）、short（10 字符以内）")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Shapefile 的编码，默认 GBK")] = None,
    expand_extra: Annotated[bool, typer.Option("--expand-extra", help="把“其他字段”展开成列")] = False,
    store: StoreOption = None,
) -> None:
    """导出一个图层，或其中选定的部分。"""
    if layer not in LAYERS:
        raise InvalidParameter(f"没有图层“{layer}”", where="layer", remedy="可用：" + "、".join(LAYERS))
    new_file(out)
    form = Form(format_of(out), crs, _names(names), encoding, expand_extra)
    selection = Selection(layer, _bbox(bbox), where, _polygon(polygon))
    with opened(store) as kept:
        written = export_layer(
            kept, selection, form, out,
            organisation=settings(store=store).organisation,
            style=qgis_style(layer) if FORMATS[form.format].carries_style else None,
        )  # fmt: skip
    told_written(written, out)


def told_written(written: Written, out: Path) -> None:
    """What was written, for people."""
    log.print(f"已写出 {out.name}：{written.rows:,} 行", highlight=False)
    for note in written.notes:
        log.print(f"  {note}", highlight=False, soft_wrap=True)


def _names(text: str | None) -> Literal["canonical", "zh", "short"] | None:
    match text:
        case None | "canonical" | "zh" | "short":
            return text
        case _:
            raise InvalidParameter(f"没有字段名方式“{text}”", where="names", remedy="可用：canonical、zh、short")


def _bbox(text: str | None) -> tuple[float, float, float, float] | None:
    if text is None:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InvalidParameter(
            "bbox 应为四个数：西,南,东,北", where="bbox", remedy="例如 119.8,31.9,120.1,32.2"
        ) from error
    return west, south, east, north


def _polygon(path: Path | None) -> shapely.geometry.base.BaseGeometry | None:
    if path is None:
        return None
    shapes = [source.frame.geometry.to_crs(4490) for source in read_file(path) if source.crs is not None]
    parts = [shape for series in shapes for shape in series.dropna() if shape.geom_type in ("Polygon", "MultiPolygon")]
    if not parts:
        raise InvalidInput("文件中没有多边形", where=path.name, remedy="请给一个含面的文件")
    return shapely.union_all(parts)


def new_file(path: Path | None) -> None:
    """``InvalidParameter`` where a file cannot be made: it is there already, or its folder is not."""
    if path is None:
        return
    if path.exists():
        # What is there may be the store itself.
        raise InvalidParameter(f"{path.name} 已经存在", where=path.name, remedy="请换一个文件名，或先移走原文件")
    if not path.parent.is_dir():
        raise InvalidParameter(f"没有文件夹 {path.parent}", where=path.name, remedy="请先建好文件夹")
