"""``lianpian rules``: what a planner does with rule sets at the command line, up to a threshold changed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import pytest

from api.cli import main
from geo.land.measures import MEASURES
from geo.land.rules import load_rules, rule_set_names


class Done(NamedTuple):
    """How a command ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str


Rules = Callable[..., Done]


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Rules:
    """``lianpian rules …`` in an empty folder, through the program's own door."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["lianpian", "rules", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        return Done(int(left.value.code or 0), *capsys.readouterr())

    return run


def test_list_and_measures_name_everything_there_is(rules: Rules) -> None:
    listed = rules("list")
    assert listed.returncode == 0, listed.stderr
    assert all(f" {name} " in listed.stdout for name in rule_set_names())
    found = {one["name"]: one for one in json.loads(rules("list", "--json").stdout)}
    assert found["far2008"]["extends"] == "national"
    assert "已被新版代替" in found["far2008"]["statuses"]
    measures = rules("measures").stdout
    assert all(name in measures for name in MEASURES)
    assert "税收 ÷ 用地面积" in measures


def test_show_says_every_rule_in_words_and_what_is_not_computed(rules: Rules) -> None:
    text = rules("show", "lixin").stdout
    assert "最大连续空地高于 20 亩" in text
    assert "容积率低于 约定容积率" in text
    assert "停工月数不低于 12 个月" in text
    assert "已核对原文" in text
    assert "第一项：属于禁止类、淘汰类或退二进三的产业：图层中没有产业政策分类" in text
    told = json.loads(rules("show", "taizhou", "--json").stdout)
    assert told["sha256"] == load_rules("taizhou").sha256
    (rule,) = told["inefficient"]
    assert rule["criteria"][0].endswith("；其余 1.2")
    assert "2022-01-01 起签订合同" in rule["scope"]
    assert {one["key"] for one in rule["unverified"]} >= {"applies.contract_from", "applies.exempt_industry"}


def test_a_planner_copies_a_set_changes_a_threshold_and_checks_it(tmp_path: Path, rules: Rules) -> None:
    assert rules("copy", "huzhou", "deqing.toml").returncode == 0
    file = tmp_path / "deqing.toml"
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# 湖州")
    assert 'name = "deqing"' in text
    assert 'extends = "national"' in text
    file.write_text(text.replace("below = 6", "below = 8"), encoding="utf-8")
    checked = json.loads(rules("check", "deqing.toml", "--json").stdout)
    assert (checked["valid"], checked["name"]) == (True, "deqing")
    assert load_rules(str(file)).inefficient[0].when[0].below == 8
    file.write_text(text.replace('unit = "万元/亩"', 'unit = "亩"', 1), encoding="utf-8")
    wrong = rules("check", "deqing.toml")
    line = text[: text.index('unit = "万元/亩"')].count("\n") + 1
    key = "inefficient[1].when[1].unit"
    said = f"规则文件不合要求：deqing.toml 第 {line} 行 {key}：单位“亩”不能用于指标 tax_per_mu（yuan/mu）"
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert said in wrong.stderr
    # The worked example of the reference is this one.
    assert said in (files("data") / "rules" / "README.md").read_text(encoding="utf-8")


def test_a_copy_never_overwrites_and_keeps_a_name_that_will_do(tmp_path: Path, rules: Rules) -> None:
    done = rules("copy", "national", "本地.toml")
    assert (done.returncode, "ruleset.name 未改" in done.stderr) == (0, True)
    assert load_rules(str(tmp_path / "本地.toml")).ruleset.name == "national"
    (tmp_path / "mine.toml").write_text("kept", encoding="utf-8")
    for name, message in (("mine.toml", "已经存在"), ("mine.txt", "应以 .toml 结尾"), ("no/mine.toml", "不能写入")):
        refused = rules("copy", "national", name)
        assert (refused.returncode, message in refused.stderr) == (2, True)
    assert (tmp_path / "mine.toml").read_text(encoding="utf-8") == "kept"
    unknown = rules("show", "huzho")
    assert (unknown.returncode, "是不是“huzhou”？" in unknown.stderr) == (2, True)
