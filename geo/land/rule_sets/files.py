"""Rule files: TOML documents, those that come with the project and any other, one taking over tables from another."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from geo.errors import InvalidParameter
from geo.land.rule_sets.base import did_you_mean
from geo.land.rule_sets.lines import line_of, lines_of

MAX_FILE_BYTES = 1_000_000

# What the parser says -> what the person has to do.
_SYNTAX = {
    "Invalid value": "值的写法不对：文字要加英文引号，数不要带单位",
    "Expected '=' after a key": "键后面应是等号",
    "Expected newline or end of document": "值后面有多余的内容，或数的写法不对",
    "Cannot overwrite a value": "键或表重复",
    "Cannot declare": "表重复",
    "Cannot mutate immutable namespace": "表重复",
    "Duplicate inline table key": "键重复",
    "Unclosed array": "列表缺少 ]",
    "Unclosed inline table": "表缺少 }，或 { } 中换了行",
    "Illegal character": "有不能用的字符，或引号没有成对",
    "Expected \"'''\"": "多行文字缺少结尾的 '''",
    'Expected \'"""\'': '多行文字缺少结尾的 """',
    "Unterminated string": "引号没有成对",
    "Expected ']": "表名缺少 ]",
    "Invalid statement": "不是“键 = 值”，也不是 [表]",
    "Invalid initial character": "键的写法不对，或多了一个逗号",
    "Unescaped": "文字中的 \\ 应写作 \\\\，或改用单引号",
}


@dataclass(frozen=True)
class RuleText:
    """The text of a rule set, the file it is in and the folder from which it names others (none: by name only)."""

    file: str
    text: str
    folder: Path | None

    @property
    def identity(self) -> str:
        """Tells two files of the same name apart."""
        return self.file if self.folder is None else str(self.folder / self.file)


def rule_set_names() -> list[str]:
    """Names of the rule sets that come with the project."""
    found = (entry.name for entry in (files("data") / "rules").iterdir())
    return sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml"))


def rule_text(name: str, folder: Path | None = None) -> RuleText:
    """The text of a rule set by name, or by the path of a TOML file (relative to ``folder``).

    Raises
    ------
    InvalidParameter
        There is no such set or file, or it is too large or not UTF-8.
    """
    if name.lower().endswith(".toml"):
        path = (folder or Path()) / name
        return RuleText(path.name, _read(path), path.resolve().parent)
    if name not in rule_set_names():
        raise InvalidParameter(
            f"没有名为“{name[:40]}”的规则集{did_you_mean(name[:40], rule_set_names())}",
            where="rules",
            remedy="可用：" + "、".join(rule_set_names()) + "，或给出 .toml 路径",
        )
    return RuleText(f"{name}.toml", (files("data") / "rules" / f"{name}.toml").read_text(encoding="utf-8"), None)


def resolved(name: str) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """A document with what it takes over from the set it extends: whole tables that it does not have itself.

    Returns
    -------
    (document, [(file name, text) of it and of each set it extends, nearest first])

    Raises
    ------
    InvalidParameter
        A file that cannot be read or is not TOML, an ``extends`` that leads nowhere or in a circle.
    """
    return _resolved(rule_text(name), ())


def _resolved(own: RuleText, within: tuple[str, ...]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    document = _parsed(own)
    head = document.get("ruleset")
    base = head.get("extends") if isinstance(head, dict) else None
    if not isinstance(base, str):
        return document, [(own.file, own.text)]
    place = f"{own.file} 第 {line_of(lines_of(own.text), ('ruleset', 'extends'))} 行"
    try:
        taken = rule_text(base, own.folder)
    except InvalidParameter as error:
        raise InvalidParameter(f"{place} ruleset.extends：{error.detail}", where=place, remedy=error.remedy) from error
    if taken.identity in (*within, own.identity):
        raise InvalidParameter(
            f"{place} ruleset.extends：规则集相互继承，又回到 {taken.file}",
            where=place,
            remedy="请去掉其中一处 extends",
        )
    inherited, texts = _resolved(taken, (*within, own.identity))
    return {**inherited, **document}, [(own.file, own.text), *texts]


def _read(path: Path) -> str:
    if not path.is_file():
        raise InvalidParameter(f"找不到规则文件 {path.name}", where="rules", remedy="请检查路径")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise InvalidParameter(
                f"规则文件 {path.name} 超过 {MAX_FILE_BYTES // 1_000_000} MB",
                where=path.name,
                remedy="请检查是否选错文件",
            )
        # Windows puts a mark before UTF-8, and ends lines in its own way.
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise InvalidParameter(f"规则文件 {path.name} 不能读取", where=path.name, remedy="请检查权限") from error
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InvalidParameter(
            f"规则文件 {path.name} 第 {line} 行不是 UTF-8 编码", where=path.name, remedy="请另存为 UTF-8"
        ) from error


def _parsed(own: RuleText) -> dict[str, Any]:
    try:
        return tomllib.loads(own.text)
    except tomllib.TOMLDecodeError as error:
        line = _line_told(str(error), own.text)
        hint = next((told for start, told in _SYNTAX.items() if str(error).startswith(start)), "写法不对")
        place = f"{own.file} 第 {line} 行"
        raise InvalidParameter(
            f"规则文件不是有效的 TOML：{place}：{hint}", where=place, remedy="请对照 data/rules/ 中的示例修改该行"
        ) from error
    except RecursionError as error:
        raise InvalidParameter(f"规则文件 {own.file} 的列表嵌套太深", where=own.file, remedy="请检查括号") from error


def _line_told(message: str, text: str) -> int:
    told = re.search(r"at line (\d+)", message)
    last = text.count("\n", 0, len(text.rstrip())) + 1
    return min(int(told[1]), last) if told else last
