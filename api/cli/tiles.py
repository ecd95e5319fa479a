"""Commands around editions and their tiles."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from api.cli.program import JsonOption, StoreOption, app, opened, print_json, settings, steps
from maps.tiles.archives import write_archive
from maps.tiles.edition import check_layer
from maps.tiles.keeping import Editions
from maps.tiles.layers import TILE_LAYERS
from maps.tiles.source import TileSource, checked_layers

_DEFAULT_LAYERS = "parcels,findings,plots,plot_members,control_lines,barriers,towns,network,terminals"


@app.command()
def tiles(
    out: Annotated[Path, typer.Argument(help="写到哪里：.pmtiles 或 .mbtiles")],
    layers: Annotated[str, typer.Option("--layers", help=f"图层，逗号分隔；可用：{'、'.join(TILE_LAYERS)}")] = (
        _DEFAULT_LAYERS
    ),
    max_zoom: Annotated[int, typer.Option(help="最大缩放级别", min=0, max=22)] = 14,
    properties: Annotated[str | None, typer.Option(help="要带的属性，逗号分隔；默认各图层自己的")] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """把矢量瓦片写成一个文件，放到静态服务器或 CDN；与服务发出的瓦片逐字节相同。"""
    chosen = settings(store=store)
    names = checked_layers(layers)
    columns = None if properties is None else tuple(name for name in properties.split(",") if name)
    with opened(store) as kept, steps() as step:
        edition = Editions(chosen.editions_folder, kept, chosen.editions_kept).publish(step)
        source = TileSource(chosen.editions_folder)
        written = write_archive(source, edition, names, out, max_zoom, columns, step)
    if as_json:
        print_json({"path": str(out), **asdict(written)})
    else:
        typer.echo(
            f"{out}\t{written.tiles:,} 个瓦片\t{written.tile_bytes / 1024**2:.1f} MiB\t"
            f"第 {written.min_zoom}–{written.max_zoom} 级\t数据版本 {written.edition}"
        )


@app.command()
def editions(
    pin: Annotated[str | None, typer.Option(help="固定一个数据版本，使它的链接一直有效")] = None,
    unpin: Annotated[str | None, typer.Option(help="取消固定")] = None,
    publish: Annotated[bool, typer.Option("--publish", help="现在就发布")] = False,
    check: Annotated[bool, typer.Option("--check", help="核对当前版本的文件与校验和")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """地图数据的各个版本：列出、固定、发布、核对。"""
    chosen = settings(store=store)
    with opened(store) as kept, steps() as step:
        known = Editions(chosen.editions_folder, kept, chosen.editions_kept)
        if pin is not None:
            known.pin(pin)
        if unpin is not None:
            known.unpin(unpin)
        if publish:
            known.publish(step)
        current = known.current()
        faulty = [
            f"{layer.folder.name}/{name}"
            for layer in (current.layers.values() if check else ())
            for name in check_layer(layer.folder)
        ]
    pinned = set(known.pinned())
    if as_json:
        print_json({"current": current.name, "editions": known.names(), "pinned": sorted(pinned), "faulty": faulty})
    else:
        for name in known.names():
            notes = [word for word, holds in (("当前", name == current.name), ("已固定", name in pinned)) if holds]
            typer.echo("\t".join([name, *notes]))
        for name in faulty:
            typer.echo(f"校验和不符\t{name}")
    if faulty:
        raise typer.Exit(3)
