"""Commands that run the service, show it in a demo, or look at what it stands on."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from api.cli.analysis import told_run
from api.cli.layers import told_loads
from api.cli.program import StoreOption, app, opened, settings, steps
from api.publication import publish_after_commit
from api.settings import Settings
from geo.errors import InvalidParameter, LianpianError
from geo.importing import prepare_loads, store_loads
from geo.land.rules import load_rules
from geo.layers.reading import read_file
from geo.layers.schema import LAYERS
from geo.pipeline import analyse_store
from maps.tiles.keeping import Editions


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

    with opened(store, create=True) as kept, steps() as step, tempfile.TemporaryDirectory() as folder:
        step(f"生成示范区（{parcels:,} 宗地）")
        written = write_district(build_district(parcels), Path(folder))
        package = next(path for path in written if path.suffix == ".gpkg")
        truth = json.loads(next(path for path in written if path.name == "truth.json").read_text(encoding="utf-8"))
        step("读取文件")
        sources = [source for source in read_file(package) if source.name in LAYERS]
        prepared = prepare_loads(sources, data_date=truth["as_of"], progress=step)
        loads = store_loads(kept, prepared, progress=step)
        run = analyse_store(kept, load_rules("demo"), np.datetime64(truth["as_of"]), progress=step)
        publish_after_commit(kept, settings(store=store), step)
    told_loads([asdict(done.load) for done in loads])
    told_run(run)
    if serve_it:
        _serve(settings(store=store, host=host, port=port))


@app.command()
def doctor(store: StoreOption = None) -> None:
    """检查运行环境：几何库、驱动、页面、数据库。"""
    import pyogrio
    import shapely

    from maps.workbench import dist_folder

    chosen = settings(store=store)
    rows = [("GEOS", ".".join(map(str, shapely.geos_version))), ("GDAL", pyogrio.__gdal_version_string__)]
    try:
        rows.append(("页面", f"已构建（{len(list(dist_folder().iterdir()))} 个文件）"))
    except LianpianError as error:
        rows.append(("页面", f"{error.detail}：{error.remedy}"))
    shown = chosen.store if "://" not in chosen.store else "postgresql://…"
    try:
        with opened(store) as kept:
            rows.append((f"数据库 {shown}", f"正常，{len(kept.loads())} 次导入，{len(kept.runs())} 次分析"))
    except LianpianError as error:
        rows.append((f"数据库 {shown}", error.detail))
    try:
        rows.append(("瓦片版本", _edition_told(chosen)))
    except LianpianError as error:
        rows.append(("瓦片版本", error.detail))
    rows.append(("服务进程", f"{chosen.worker_count}，各 {chosen.store_threads} 个查询线程"))
    for name, value in rows:
        typer.echo(f"{name}\t{value}")


@app.command()
def serve(
    store: StoreOption = None,
    host: Annotated[str | None, typer.Option(help="监听地址")] = None,
    port: Annotated[int | None, typer.Option(help="监听端口")] = None,
    workers: Annotated[int | None, typer.Option(help="进程数，默认每核一个、至多 4 个", min=1, max=64)] = None,
) -> None:
    """启动服务：地图、瓦片、查询接口。"""
    _serve(settings(store=store, host=host, port=port, workers=workers))


@app.command()
def reader(
    role: Annotated[str, typer.Argument(help="角色名称")] = "lianpian_reader",
    store: StoreOption = None,
) -> None:
    """在 PostGIS 中建立只读角色：服务的查询以它的身份进行，不能写入。"""
    from geo.store.postgis import PostGISStore

    with opened(store) as kept:
        if not isinstance(kept, PostGISStore):
            raise InvalidParameter("GeoPackage 没有角色，读取时总是只读打开", where="store")
        kept.make_reader(role)
    typer.echo(f"已建立只读角色 {role}；请设置 LIANPIAN_STORE_READONLY={role}")


def _serve(chosen: Settings) -> None:
    from api.worker import run_service

    processes = f"，{chosen.worker_count} 个进程" if chosen.worker_count > 1 else ""
    typer.echo(f"打开浏览器访问 http://{chosen.host}:{chosen.port}/ （Ctrl+C 结束{processes}）")
    run_service(chosen)


def _edition_told(chosen: Settings) -> str:
    """What is published, in a line."""
    folder = chosen.editions_folder
    if not folder.is_dir():
        return f"尚未发布（{folder}）"
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return f"{Editions(folder, None, chosen.editions_kept).current().name}，{folder} 共 {size / 1e6:,.1f} MB"
