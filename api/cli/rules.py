"""Commands about rule sets: what there is, what one says in words, whether a file is right, a copy to change."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from api.cli.program import JsonOption, app, log, print_json
from geo.errors import InvalidParameter
from geo.land.measures import MEASURES, Measure, measure_of, zh_of
from geo.land.rule_sets.files import rule_text
from geo.land.rule_sets.inefficiency import FromTable
from geo.land.rule_sets.lines import lines_of
from geo.land.rules import load_rules, rule_set_names
from geo.land.shortfall import zh_unit
from geo.land.wording import criterion_text, held, statuses, told_rules

rules = typer.Typer(no_args_is_help=True, help="规则集：查看、检查、复制后改写阈值。")
app.add_typer(rules, name="rules")

_SUBJECTS = {"parcel": "宗地", "firm": "企业"}
NameArgument = Annotated[str, typer.Argument(help="规则集：名称或 .toml 路径", show_default=False)]


@rules.command("list")
def list_(as_json: JsonOption = False) -> None:
    """列出自带的规则集。"""
    found = [load_rules(name) for name in rule_set_names()]
    rows = [{**one.ruleset.model_dump(), "holds": held(one), "statuses": statuses(one)} for one in found]
    if as_json:
        print_json(rows)
        return
    _show(
        ("名称", "标题", "版本", "继承", "内容", "核实状态"),
        [
            (row["name"], row["title"], row["version"], row["extends"] or "—", "、".join(row["holds"]),
             "、".join(row["statuses"]))
            for row in rows
        ],
    )  # fmt: skip


@rules.command()
def show(name: NameArgument, as_json: JsonOption = False) -> None:
    """用文字说明一个规则集：每条规则看什么、比什么、出处、核实状态，以及不能判断的条款。"""
    told = told_rules(load_rules(name))
    if as_json:
        print_json(told)
        return
    typer.echo(f"{told['name']}　{told['title']}　{told['version']}" + _if("　继承 ", told["extends"]))
    _show_idle(told["idle"])
    for rule in told["inefficient"]:
        typer.echo(f"\n低效用地　{rule['rule']}　{rule['title']}")
        typer.echo(f"  范围：按{rule['per']}；{rule['scope']}")
        typer.echo(f"  条件：{' 且 '.join(rule['criteria'])}")
        _show_sureness(rule, rule["article"])
        if rule["disposals"]:
            typer.echo(f"  措施：{'、'.join(rule['disposals'])}")
    for table in told["tables"]:
        edition = f"GB/T 4754-{table['edition']}" + _if("，可由 ", table["crosswalk_from"], " 版代码换算")
        typer.echo(f"\n标准值表　{table['name']}（{edition}）" + _if("　单位 ", table["unit"]))
        for code, value in table["values"].items():
            each = "　".join(f"{at} {one:g}" for at, one in value.items()) if isinstance(value, dict) else f"{value:g}"
            typer.echo(f"  {code}　{each}")
        _show_sureness(table)
    if told["scoring"]:
        _show_scoring(told["scoring"])
    if told["not_computed"]:
        typer.echo("\n不能由图层判断的条款（不列入认定，不等于合格）")
        for clause in told["not_computed"]:
            typer.echo(f"  {clause['title']}：{clause['reason']}")
    for title, part in (("指标口径", "measures"), ("参与连片的宗地", "eligible"), ("候选地块", "sites")):
        typer.echo(f"\n{title}")
        _show_values(told[part])


@rules.command()
def check(file: NameArgument, as_json: JsonOption = False) -> None:
    """检查一个规则文件；有错时指出文件、行、键和应写什么（退出码 2）。"""
    found = load_rules(file)
    if as_json:
        print_json({"valid": True, **found.ruleset.model_dump(), "sha256": found.sha256, "holds": held(found)})
        return
    typer.echo(f"可用：{found.ruleset.title}（{found.edition}）：{'、'.join(held(found))}")
    for rule in found.inefficient:
        for criterion in rule.when:
            unit = measure_of(criterion.measure).unit
            if (
                unit.startswith("yuan")
                and not criterion.unit
                and not isinstance(criterion.comparison[1], str | FromTable)
            ):
                typer.echo(f"注意：{rule.rule} 没有写单位，{criterion_text(criterion)}；按万元写时请加 unit")


@rules.command()
def copy(
    name: NameArgument, file: Annotated[Path, typer.Argument(help="新文件，以 .toml 结尾", show_default=False)]
) -> None:
    """复制一个规则集为可改写的文件，连同注释；不覆盖已有文件。"""
    if file.suffix.lower() != ".toml":
        raise InvalidParameter(f"{file.name} 应以 .toml 结尾", where=file.name, remedy=f"例如 {file.stem}.toml")
    load_rules(name)
    text = rule_text(name).text
    renamed = _renamed(text, file.stem)
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(renamed or text)
    except FileExistsError as error:
        raise InvalidParameter(
            f"{file.name} 已经存在", where=file.name, remedy="请换一个文件名，或先移走原文件"
        ) from error
    except OSError as error:
        raise InvalidParameter(f"不能写入 {file}", where=file.name, remedy="请检查文件夹与权限") from error
    log.print(f"已写出 {file.name}", highlight=False, soft_wrap=True, markup=False)
    if renamed is None:
        told = "  文件名不能用作规则集名称（小写字母、数字、-、_），ruleset.name 未改，请自行改写"
        log.print(told, highlight=False, soft_wrap=True)
    log.print(
        f"  改好后：lianpian rules check {file}，lianpian analyse --rules {file}",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )


@rules.command()
def measures(as_json: JsonOption = False) -> None:
    """列出规则可用的指标：名称、单位、由什么算得。"""
    if as_json:
        print_json(
            [
                {"name": one.name, "zh": one.zh, "unit": one.unit, "numerator": one.numerator,
                 "denominator": one.denominator, "of": list(one.of)}
                for one in MEASURES.values()
            ]
        )  # fmt: skip
        return
    rows = [
        (one.name, one.zh, zh_unit(one.unit), _made_of(one), "、".join(_SUBJECTS[of] for of in one.of))
        for one in MEASURES.values()
    ]
    _show(("名称", "指标", "单位", "算法", "可按"), [*rows, ("extra:列名", "来源文件中的数字列", "", "原值", "宗地")])


def _made_of(one: Measure) -> str:
    above = one.amount_zh or (zh_of(one.numerator) if one.denominator else one.zh)
    return f"{above} ÷ {zh_of(one.denominator)}" if one.denominator else above


def _renamed(text: str, name: str) -> str | None:
    """The text with another ``ruleset.name``; ``None`` where the name will not do."""
    line = lines_of(text).get(("ruleset", "name"))
    if line is None or not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", name):
        return None
    rows = text.split("\n")
    rows[line - 1], changed = re.subn(
        r"\bname(\s*=\s*)(\"[^\"]*\"|'[^']*')", lambda found: f'name{found[1]}"{name}"', rows[line - 1], count=1
    )
    return "\n".join(rows) if changed else None


def _show(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """A table; wide where nobody watches, so that a line stays a line."""
    table = Table(*headings)
    table.columns[0].no_wrap = True
    for row in rows:
        table.add_row(*row)
    console = Console()
    Console(width=None if console.is_terminal else 240).print(table)


def _show_idle(idle: dict[str, Any]) -> None:
    typer.echo("\n闲置土地")
    _show_values(idle["values"])
    if idle["slow_investment"]:
        typer.echo("  逾期而投资不足")
        _show_values(idle["slow_investment"]["values"], indent=4)
        _show_sureness(idle["slow_investment"], indent=4)
    _show_sureness(idle, "，".join(f"{level} {article}" for level, article in idle["articles"].items()))
    for each in idle["disposals"]:
        about = (each["cause_title"], each["article"], each["limit"], each["paper"], each["status_title"])
        told = "；".join(part for part in about if part)
        typer.echo(f"  措施：{'、'.join(each['levels'])}：{each['measure']}（{told}）")


def _show_scoring(scoring: dict[str, Any]) -> None:
    typer.echo(f"\n亩均评价　{scoring['rule']}　{scoring['title']}")
    _show_values(scoring["values"])
    for group in scoring["groups"]:
        typer.echo(f"  {group['name']}")
        for text in group["components"]:
            typer.echo(f"    {text}")
    if scoring["cuts"]:
        typer.echo(f"  分级：{'、'.join(scoring['cuts'])}")
    _show_sureness(scoring, scoring["article"])
    if scoring["disposals"]:
        typer.echo(f"  措施：{'、'.join(scoring['disposals'])}")


def _show_values(values: list[dict[str, Any]], indent: int = 2) -> None:
    for one in values:
        typer.echo(f"{' ' * indent}{one['zh']}：{_said(one['value'], one['zh'])}　[{one['key']}]")


def _show_sureness(part: dict[str, Any], article: str = "", indent: int = 2) -> None:
    typer.echo(f"{' ' * indent}出处：{part['source']}{_if('，', article)}（{part['status_title']}）")
    if part["unverified"]:
        names = "；".join(f"{one['key']}（{one['zh']}）" if one["zh"] else one["key"] for one in part["unverified"])
        typer.echo(f"{' ' * indent}其中未核实：{names}")


def _said(value: Any, zh: str) -> str:
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, list):
        if len(value) == 2 and all(isinstance(one, int) for one in value):
            return f"{value[0]}/{value[1]}"
        return "、".join(str(one) for one in value) or ("不限" if "不限" in zh else "无")
    if isinstance(value, float):
        return f"{value:g}"
    return "—" if value in (None, "") else str(value)


def _if(before: str, text: str | None, after: str = "") -> str:
    return f"{before}{text}{after}" if text else ""
