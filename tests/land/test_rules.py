"""Rule files: what the shipped ones say, and what a person is told about a file that is wrong."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from geo.errors import InvalidParameter
from geo.land.rule_sets.files import MAX_FILE_BYTES
from geo.land.rule_sets.lines import line_of, lines_of
from geo.land.rules import RuleSet, load_rules, rule_set_names

# --- what the shipped files say


@pytest.mark.parametrize("name", rule_set_names())
def test_a_rule_set_comes_back_from_the_record_of_a_run_unchanged(name: str) -> None:
    rules = load_rules(name)
    assert rules.ruleset.name == name
    assert RuleSet.model_validate(rules.model_dump(mode="json")) == rules


def rule_of(name: str, code: str) -> Any:
    return next(rule for rule in load_rules(name).inefficient if rule.rule == code)


def comparisons(name: str, code: str) -> list[tuple[str, str, Any, str]]:
    return [(one.measure, *one.comparison, one.unit) for one in rule_of(name, code).when]


def test_huzhou_2021_names_three_kinds_of_firms() -> None:
    rules = load_rules("huzhou").inefficient
    assert [(rule.per, rule.applies.size, rule.status) for rule in rules] == [
        ("firm", "above_scale", "secondary"), ("firm", "below_scale", "secondary"), ("firm", None, "secondary"),
    ]  # fmt: skip
    assert comparisons("huzhou", "LOW_TAX_ABOVE") == [("tax_per_mu", "below", 6, "万元/亩")]
    assert comparisons("huzhou", "LOW_TAX_BELOW") == [("tax_per_mu", "below", 3, "万元/亩")]
    assert comparisons("huzhou", "LARGE_BELOW_SCALE") == [
        ("land_mu", "at_least", 10, ""), ("above_scale", "at_most", 0, ""),
    ]  # fmt: skip


def test_lixin_computes_items_3_to_6_and_says_what_it_does_not() -> None:
    rules = load_rules("lixin")
    assert [rule.article for rule in rules.inefficient] == ["第三项", "第四项", "第五项", "第六项"]
    assert {rule.status for rule in rules.inefficient} == {"verified"}
    assert comparisons("lixin", "VACANT") == [("vacant_mu", "above", 20, "")]
    assert comparisons("lixin", "FAR_BELOW_AGREED") == [("far", "below", "far_agreed", "")]
    suspended = rule_of("lixin", "SUSPENDED").applies
    assert suspended.state == "under_construction"
    assert set(suspended.except_levels) == {"idle_1y", "idle_2y", "idle_stalled"}
    silent = " ".join(clause.title for clause in rules.not_computed)
    assert all(item in silent for item in ("第一项", "第二项", "第七项"))


def test_minhou_2018_leaves_exactly_a_third_and_exactly_a_quarter_out() -> None:
    assert comparisons("minhou", "UNFINISHED") == [
        ("developed_share", "above", "1/3", ""), ("invested_share", "above", "1/4", ""),
        ("suspended_months", "at_least", 12, ""),
    ]  # fmt: skip
    assert comparisons("minhou", "NO_TAX") == [("years_without_tax", "at_least", 2, "")]
    assert rule_of("minhou", "NO_TAX").per == "firm"
    assert comparisons("minhou", "TAX_BELOW_AGREED") == [("tax_per_mu", "below", "tax_agreed_yuan_per_mu", "")]
    assert any("第三类" in clause.title for clause in load_rules("minhou").not_computed)


def test_taizhou_2021_94_goes_by_park_grade_and_says_what_nobody_verified() -> None:
    rule = rule_of("taizhou", "LOW_FAR")
    riverside, good, rest = rule.when[0].below
    assert [case.value for case in (riverside, good, rest)] == [1.5, 1.3, 1.2]
    assert ("沿江A级" in riverside.park_grade, "A级" in good.park_grade, "沿江B级" in good.park_grade) == (True,) * 3
    assert rule.applies.contract_from == date(2022, 1, 1)
    assert rule.status_of("applies.contract_from") == rule.status_of("applies.exempt_industry") == "unverified"
    assert rule.status_of("when") == "secondary"


# 2017 code -> minima of the 2008 edition (its own codes are of 2002); two values: it may be either.
@pytest.mark.parametrize(
    ("code", "minima"),
    [
        ("13", {1.0}), ("17", {0.8}), ("25", {0.5}), ("26", {0.6}), ("29", {0.8, 1.0}), ("291", {0.8}), ("292", {1.0}),
        ("30", {0.7}), ("31", {0.6}), ("32", {0.6}), ("33", {0.7}), ("34", {0.7}), ("35", {0.7}), ("36", {0.7}),
        ("37", {0.7}), ("38", {0.7}), ("39", {1.0}), ("40", {1.0}), ("41", {1.0}), ("42", {0.7}), ("43", set()),
    ],
)  # fmt: skip
def test_the_minima_of_2008_hold_for_codes_of_2017(code: str, minima: set[float]) -> None:
    table = load_rules("far2008").tables["far"]
    assert {table.values[old] for old in table.crosswalk[code]} == minima


def test_the_minima_of_2008_say_that_they_are_superseded() -> None:
    rules = load_rules("far2008")
    table = rules.tables["far"]
    assert {rule.status for rule in rules.inefficient} == {table.status} == {"superseded"}
    assert set(table.values) == {str(code) for code in range(13, 44)} - {"38"}  # 2002 has no division 38
    assert {code: table.status_of(f"values.{code}") for code in ("33", "34", "43")} == {
        "33": "superseded", "34": "unverified", "43": "unverified",
    }  # fmt: skip
    assert table.status_of("crosswalk.29") == "unverified"


# --- what a person is told

HEAD = '[ruleset]\nname = "mine"\ntitle = "t"\nversion = "1"\nextends = "national"\n'  # lines 1 to 5
RULE = '[[inefficient]]\nrule = "LOW"\ntitle = "t"\nsource = "s"\nstatus = "verified"\n'  # lines 6 to 10
WHEN = 'when = [{ measure = "far", below = 1 }]\n'
TABLE = '[tables.far]\nsource = "s"\nstatus = "verified"\nedition = "2017"\n'
GROUP = (
    '[scoring]\nsource = "s"\nstatus = "verified"\npopulation = "p"\n[[scoring.groups]]\nname = "g"\n'
    '[[scoring.groups.components]]\nmeasure = "tax_per_mu"\nweight = 1\n'
)


def told(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidParameter) as caught:
        load_rules(str(path))
    assert caught.value.where.startswith("mine.toml")
    assert caught.value.remedy
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "key", "message"),
    [
        (HEAD + RULE.replace('source = "s"\n', "") + WHEN, 6, "inefficient[1].source", "缺少这个键（出处"),
        (HEAD + RULE + 'disposal = ["x"]\n' + WHEN, 11, "inefficient[1].disposal", "是不是“disposals”？"),
        (HEAD + RULE.replace("title", "titel") + WHEN, 8, "inefficient[1].titel", "没有这个键，是不是“title”？"),
        (HEAD + "[inefficent]\nx = 1\n", 6, "inefficent", "是不是“inefficient”？"),
        (HEAD + "[colour]\nred = 1\n", 6, "colour", "此处可用：ruleset、idle、inefficient"),
        ('[ruleset]\nname = "m"\ntitle = "t"\nversion = "1"\n', None, "idle", 'extends = "national"'),
        ("measures = 3\n" + HEAD, 1, "measures", "应为表 { … }，写的是 3"),
        (HEAD + '[sites]\nmin_parcel_mu = "a"\n', 7, "sites.min_parcel_mu", "应为数，写的是“a”"),
        (HEAD + "[sites]\n# 亩\nmin_parcel_mu = -1\n", 8, "sites.min_parcel_mu", "应大于 0，写的是 -1"),
        (HEAD + "[sites]\nmin_parcel_mu = nan\n", 7, "sites.min_parcel_mu", "应为有限的数"),
        (HEAD + "[measures]\napron_m = true\n", 7, "measures.apron_m", "不能写 true 或 false"),
        (HEAD + "[measures]\napron_m = 101\n", 7, "measures.apron_m", "应不大于 100，写的是 101"),
        (HEAD.replace('"mine"', '"我的"'), 2, "ruleset.name", "应以小写字母开头"),
        (HEAD + RULE + 'per = "firms"\n' + WHEN, 11, "inefficient[1].per", "应为 parcel、firm 之一，写的是“firms”"),
        (HEAD + RULE + 'applies = { contract_from = "soon" }\n' + WHEN, 11, "inefficient[1].applies.contract_from",
         "应为日期（如 2022-01-01"),
        (HEAD + RULE + WHEN + '[inefficient.applies]\nland_use = [\n  "1001",\n  "工业",\n]\n', 15,
         "inefficient[1].applies.land_use[2]", "应为 2 至 6 位数字"),
        (HEAD + RULE + "when = []\n", 11, "inefficient[1].when", "至少要有 1 项"),
        (HEAD + RULE + 'when = [\n  { measure = "far", below = 1 },\n  { measure = "tax_per_um", below = 6 },\n]\n',
         13, "inefficient[1].when[2].measure", "没有指标“tax_per_um”，是不是“tax_per_mu”？"),
        (HEAD + RULE + 'when = [{ measure = "far" }]\n', 11, "inefficient[1].when[1]", "中应恰有一个"),
        (HEAD + RULE + WHEN.replace("1 }", '"1/x" }'), 11, "inefficient[1].when[1].below", "应为数、分数（如 1/3）"),
        (HEAD + RULE + WHEN.replace("1 }", "2020-01-01 }"), 11, "inefficient[1].when[1].below",
         "应为数或文字（加引号）或表 { … }或列表 [ … ]"),
        (HEAD + RULE + WHEN.replace("1 }", '[{ size = "above", value = 1 }] }'), 11,
         "inefficient[1].when[1].below[1].size", "应为 above_scale、below_scale 之一"),
        (HEAD + RULE + WHEN.replace("1 }", '{ tabel = "far" } }'), 11, "inefficient[1].when[1].below.tabel",
         "是不是“table”？"),
        (HEAD + RULE + WHEN.replace("1 }", '{ table = "fra" } }') + TABLE + "values = { 13 = 1.0 }\n", 11,
         "inefficient[1].when[1].below", "没有表 [tables.fra]，是不是“far”？"),
        (HEAD + RULE + WHEN.replace("1 }", '1, unit = "石" }'), 11, "inefficient[1].when[1].unit", "没有单位“石”"),
        (HEAD + RULE + 'when = [{ measure = "tax_per_mu", below = 6, unit = "亩" }]\n', 11,
         "inefficient[1].when[1].unit", "单位“亩”不能用于指标 tax_per_mu"),
        (HEAD + RULE + 'when = [{ measure = "tax_per_mu", below = "far_agreed" }]\n', 11,
         "inefficient[1].when[1].below", "不能与指标 tax_per_mu 比较"),
        (HEAD + RULE + 'per = "firm"\n' + WHEN, 12, "inefficient[1].when[1].measure", "只能按宗地计算"),
        (HEAD + RULE + WHEN + "\n" + RULE + WHEN, 14, "inefficient[2].rule", "规则代码重复：LOW"),
        (HEAD + RULE + 'unverified = [\n  "when",\n  "aplies",\n]\n' + WHEN, 13, "inefficient[1].unverified[2]",
         "本表没有键“aplies”，是不是“applies”？"),
        (HEAD + RULE + 'unverified = ["applies.contract_form"]\n' + WHEN, 11, "inefficient[1].unverified[1]",
         "是不是“contract_from”？"),
        (HEAD + TABLE + "[tables.far.values]\n13 = 1.0\nC14 = 2.0\n", 12, "tables.far.values.C14", "2 至 4 位数字"),
        (HEAD + TABLE + "[tables.far.values]\n13 = 1.0\n14 = -2\n", 12, "tables.far.values.14", "应大于 0"),
        (HEAD + TABLE.replace("far", "Far") + "values = { 13 = 1 }\n", 6, "tables.Far", "应以小写字母开头"),
        (HEAD + GROUP + 'benchmark = { mean = 2 }\n', 15, "scoring.groups[1].components[1].benchmark.mean",
         "没有这个键，是不是“mean_times”？"),
        (HEAD + GROUP + 'benchmark = "x"\n', 15, "scoring.groups[1].components[1].benchmark", "应为数或表 { … }"),
        (HEAD + GROUP + 'benchmark = 1\nunit = "人"\n', 16, "scoring.groups[1].components[1].unit", "不能用于指标"),
        (HEAD.replace("national", "nationl"), 5, "ruleset.extends", "没有名为“nationl”的规则集，是不是“national”？"),
        (HEAD.replace("national", "other.toml"), 5, "ruleset.extends", "找不到规则文件 other.toml"),
        (HEAD.replace("national", "mine.toml"), 5, "ruleset.extends", "规则集相互继承"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_file_line_key_and_what_is_expected(
    tmp_path: Path, text: str, line: int | None, key: str, message: str
) -> None:
    said = told(tmp_path, text)
    place = "mine.toml" if line is None else f"mine.toml 第 {line} 行"
    assert f"{place} {key}：" in said
    assert message in said
    assert "\n" not in said, "one fault, told once"
    assert not re.search(r"function-after|tuple\[|constrained|\[key\]", said)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('[ruleset]\nname = mine\n', 2, "文字要加英文引号"),
        ('[ruleset]\nname "mine"\n', 2, "键后面应是等号"),
        ('[ruleset]\nname = "a" title = "b"\n', 2, "多余的内容"),
        ('[ruleset]\nname = "a"\nname = "b"\n', 3, "重复"),
        ('[ruleset]\n[idle]\n[ruleset]\n', 3, "表重复"),
        ('[ruleset]\nname = "a\ntitle = "t"\n', 2, "引号没有成对"),
        ('[ruleset]\nname = “a”\n', 2, "英文引号"),
        ('[ruleset]\nlist = [1, 2\n', 2, "缺少 ]"),
        ('[ruleset\nname = "a"\n', 1, "缺少 ]"),
        ('[ruleset]\na = { b = 1,\n  c = 2 }\n', 2, "键的写法不对"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_toml_is_told_with_its_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    said = told(tmp_path, text)
    assert f"mine.toml 第 {line} 行" in said
    assert message in said


def test_the_first_three_faults_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    text = HEAD + "[measures]\napron_m = -1\nvacant_width_m = -1\ntall_storey_m = -1\nland = 'x'\ncolour = 1\n"
    first, *rest = told(tmp_path, text).split("\n")
    assert first == "规则文件有 5 处不合要求："
    assert [line.split("：")[0].strip() for line in rest] == [
        "mine.toml 第 7 行 measures.apron_m", "mine.toml 第 8 行 measures.vacant_width_m",
        "mine.toml 第 9 行 measures.tall_storey_m", "另有 2 处",
    ]  # fmt: skip


def test_a_fault_in_what_is_taken_over_is_told_in_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text(HEAD + "\n[sites]\nmin_parcel_mu = 0\n", encoding="utf-8")
    (tmp_path / "mine.toml").write_text(HEAD.replace("national", "base.toml"), encoding="utf-8")
    with pytest.raises(InvalidParameter, match=r"base\.toml 第 8 行 sites\.min_parcel_mu：应大于 0"):
        load_rules(str(tmp_path / "mine.toml"))
    # A table of one's own replaces the whole table.
    (tmp_path / "mine.toml").write_text(
        HEAD.replace("national", "base.toml") + "[sites]\nmin_parcel_mu = 7\n", encoding="utf-8"
    )
    assert load_rules(str(tmp_path / "mine.toml")).sites.min_parcel_mu == 7


def test_two_sets_that_extend_each_other_are_refused(tmp_path: Path) -> None:
    for own, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{own}.toml").write_text(HEAD.replace("national", f"{other}.toml"), encoding="utf-8")
    with pytest.raises(InvalidParameter, match=r"b\.toml 第 5 行 ruleset\.extends：规则集相互继承，又回到 a\.toml"):
        load_rules(str(tmp_path / "a.toml"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"#" * (MAX_FILE_BYTES + 1), "超过 1 MB"),
        (HEAD.replace('"t"', '"规则"').encode("gb18030"), "第 3 行不是 UTF-8"),
        (b"a = " + b"[" * 5000, "嵌套太深"),
    ],
)
def test_a_file_that_is_no_rule_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(InvalidParameter, match=message):
        load_rules(str(path))


@pytest.mark.parametrize("name", ["../national", "/etc/passwd", "national.toml/", "data/rules/national", ""])
def test_a_rule_set_is_a_known_name_or_a_toml_file(name: str) -> None:
    with pytest.raises(InvalidParameter, match="没有名为"):
        load_rules(name)


def test_a_file_saved_on_windows_is_read_with_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbf" + (HEAD + "[sites]\nmin_parcel_mu = 7\n").replace("\n", "\r\n").encode())
    assert load_rules(str(path)).sites.min_parcel_mu == 7


# --- lines


def test_lines_are_found_through_every_way_of_writing_toml() -> None:
    text = '''# a comment with [brackets] and = signs
top = 1
"quoted key" = "# no comment" # comment
dotted.'a.b'.c = 2
[table]   # comment
text = """
[not a table]
no = "key" \\""" ""
"""
raw = \'\'\'
a = 1\'\'\'
list = [ # comment ]
  1, [2, 3],
  { x = "]", y = { z = 1 } },
]
[[rows]]
n = 1
[rows.inner]
m = 2020-01-01 10:00:00
[[rows.deep]]
k = 1
[[rows]]
n = 2
[[rows.deep]]
[[rows.deep]]
k = 3
'''
    tomllib.loads(text)
    lines = lines_of(text)
    wanted = {
        ("top",): 2, ("quoted key",): 3, ("dotted",): 4, ("dotted", "a.b", "c"): 4, ("table",): 5, ("table", "text"): 6,
        ("table", "raw"): 10, ("table", "list"): 12, ("table", "list", 1, 1): 13, ("table", "list", 2, "y", "z"): 14,
        ("rows",): 16, ("rows", 0): 16, ("rows", 0, "n"): 17, ("rows", 0, "inner", "m"): 19,
        ("rows", 0, "deep", 0, "k"): 21, ("rows", 1): 22, ("rows", 1, "deep", 0): 24, ("rows", 1, "deep", 1, "k"): 26,
    }  # fmt: skip
    assert {path: lines[path] for path in wanted} == wanted
    assert ("not a table",) not in lines
    assert line_of(lines, ("rows", 1, "n", "x", 3)) == 23
    assert line_of(lines, ("elsewhere",)) is None


def paths_of(value: Any, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path} | {found for key, each in inside for found in paths_of(each, (*path, key))}


KEYS = st.sampled_from(["a", "b-1", '"x.y"', "'#'", '"键"', "7"])
VALUES = st.recursive(
    st.sampled_from(["1", "true", '"]#"', "'{'", "-1.5e3", "2020-01-01", '"""\n]\n"""', "'''\n#'''", '"\\""', '""']),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda all_: "[\n" + ", # ,\n".join(all_) + "\n]"),
        st.dictionaries(KEYS, inner, max_size=3).map(
            lambda all_: "{ " + ", ".join(f"{key} = {value}" for key, value in all_.items()) + " }"
        ),
    ),
    max_leaves=4,
)


@given(st.lists(st.tuples(KEYS, VALUES), max_size=5, unique_by=lambda one: one[0]))
def test_every_key_of_a_document_has_the_line_on_which_it_is_written(entries: list[tuple[str, str]]) -> None:
    text = "".join(f"[[rows]] # {i}\n{key} = {value}\n" for i, (key, value) in enumerate(entries))
    document, lines = tomllib.loads(text), lines_of(text)
    assert paths_of(document) - {()} == set(lines)
    rows = text.split("\n")
    for path, line in lines.items():
        if len(path) == 3:
            assert rows[line - 1].startswith(entries[path[1]][0])  # type: ignore[index]


# --- the reference


def models_in(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation} | {
            found for field in annotation.model_fields.values() for found in models_in(field.annotation)
        }
    return {found for inner in get_args(annotation) for found in models_in(inner)}


def test_every_key_and_every_allowed_word_is_in_the_reference() -> None:
    text = (files("data") / "rules" / "README.md").read_text(encoding="utf-8")

    def words(annotation: Any) -> set[str]:
        inner = get_args(annotation)
        return {one for one in inner if isinstance(one, str)} | {word for each in inner for word in words(each)}

    found = [(model, name, field) for model in models_in(RuleSet) for name, field in model.model_fields.items()]
    assert len(found) > 80
    for model, name, field in found:
        if name == "sha256":
            continue
        assert field.description, f"{model.__name__}.{name} has no description"
        heading = model is RuleSet and re.search(rf"`\[+{name}(\.名称)?\]+`", text)
        assert f"`{name}`" in text or heading, f"{model.__name__}.{name} is not in the reference"
        for word in words(field.annotation):
            assert f"`{word}`" in text, f"{model.__name__}.{name} = {word} is not in the reference"
