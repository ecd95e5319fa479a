"""What every command shares: the application, its options, the open store, steps shown while they run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from api.settings import Settings
from geo.errors import InvalidParameter, LianpianError
from geo.store.base import Store
from geo.store.opening import open_store

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="连片：闲置低效用地、500 亩以上连片工业用地、项目选址。",
)
log = Console(stderr=True)

StoreOption = Annotated[str | None, typer.Option("--store", help="GeoPackage 路径或 postgresql:// 地址")]
PublishOption = Annotated[bool, typer.Option("--publish/--no-publish", help="写入后发布瓦片版本")]
JsonOption = Annotated[bool, typer.Option("--json", help="以 JSON 输出")]


def settings(**given: Any) -> Settings:
    """The settings, flags that were given before all else."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = "LIANPIAN_" + "_".join(str(part) for part in first["loc"]).upper()
        raise InvalidParameter(f"设置 {name} 的值不合要求：{first['input']}", where=name) from error


@contextmanager
def opened(url: str | None, *, create: bool = False) -> Iterator[Store]:
    """The store of a command, closed when it ends."""
    address = settings(store=url).store
    if create and "://" not in address:
        Path(address).parent.mkdir(parents=True, exist_ok=True)
    store = open_store(address, create=create)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """Steps as they begin, with the time they take; plain lines where nobody watches.

    A step that comes again with other figures (``读取 宗地 120,000/200,000``) moves on in its own line.
    """
    if not log.is_terminal:
        before = ""

        def plain(name: str) -> None:
            nonlocal before
            if _without_figures(name) != before:
                log.print(f"· {name}", highlight=False)
            before = _without_figures(name)

        yield plain
        return
    columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=log) as progress:
        current: list[tuple[Any, str]] = []

        def step(name: str) -> None:
            told = _without_figures(name)
            if current and current[-1][1] == told:
                progress.update(current[-1][0], description=name)
                return
            if current:
                progress.update(current[-1][0], total=1, completed=1)
            current.append((progress.add_task(name, total=None), told))

        yield step
        if current:
            progress.update(current[-1][0], total=1, completed=1)


def _without_figures(step: str) -> str:
    return "".join(character for character in step if not character.isdigit() and character != ",").strip("/ ")


def print_json(document: Any) -> None:
    """A document on stdout."""
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2, default=str))


def main() -> None:
    """Run the command line; errors for people become one message and an exit code here and nowhere else."""
    try:
        app()
    except LianpianError as error:
        where = f"（{error.where}）" if error.where else ""
        log.print(f"[bold red]错误[/]：{_escaped(error.detail)}{_escaped(where)}", highlight=False, soft_wrap=True)
        if error.remedy:
            log.print(f"办法：{_escaped(error.remedy)}", highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")
