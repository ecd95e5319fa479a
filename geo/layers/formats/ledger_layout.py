"""The layout of a ledger: which columns in which order, what stands in them and in which unit; data, not code.

Land offices each have their own table, and no official template is known, so the layout is a TOML file that an office
copies and changes. What a column may show is a closed list: a field of a layer, or a value that is computed by name.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from geo.errors import InvalidParameter, NotFound
from geo.layers.formats.table_columns import UNITS_ZH
from geo.layers.schema import FINDINGS, FIRMS, INDICATORS, PARCELS, Kind
from geo.layers.words import words_of
from geo.units import is_convertible, is_unit

LedgerKind = Literal["idle", "inefficient"]
LEDGER_KINDS: tuple[LedgerKind, ...] = get_args(LedgerKind)
STATUS_ZH = {"verified": "已核对原件", "secondary": "据二手资料", "unverified": "未核实"}
_SHOWN_LAYERS = {layer.name: layer for layer in (FINDINGS, PARCELS, FIRMS, INDICATORS)}
_EXTRA = "extra:"
_ADDED_UP = ("m2", "yuan")
# Decimals of a figure by the unit that it is shown in.
_DECIMALS = {"亩": 4, "公顷": 4, "平方米": 2, "m2": 2, "万元": 2, "元": 2, "yuan": 2, "万元/亩": 2, "元/亩": 2}


@dataclass(frozen=True, slots=True)
class Shown:
    """What a source holds: kind and stored unit of its values, what it is called, and the ledgers that know it."""

    kind: Kind
    unit: str
    zh: str
    ledgers: tuple[LedgerKind, ...] = LEDGER_KINDS


# Values that are no field of a layer; ``geo.land.ledger`` computes each.
COMPUTED: dict[str, Shown] = {
    "number": Shown("integer", "", "序号"),
    "rules": Shown("text", "", "规则名称，多条以顿号相连"),
    "rule_and_article": Shown("text", "", "规则名称及其文件、条款"),
    "missing": Shown("text", "", "缺少的资料"),
    "start_due": Shown("date", "", "认定所依据的应动工日期（含按交地日期推算的）", ("idle",)),
    "idle_since": Shown("date", "", "闲置起始日期（构成闲置的首日）", ("idle",)),
    "idle_days": Shown("integer", "d", "自闲置起始日至截止日期的天数，首尾都计", ("idle",)),
    "excused_days": Shown("integer", "d", "因政府原因、不可抗力扣除的天数", ("idle",)),
    "causes": Shown("text", "", "闲置原因：已登记的政府原因、不可抗力、企业自身原因及起止日期", ("idle",)),
    "year": Shown("integer", "", "经营数据年度", ("inefficient",)),
    "enterprise": Shown("text", "", "企业名称，没有企业数据时为使用权人", ("inefficient",)),
    "credit_code": Shown("text", "", "统一社会信用代码，取企业数据，没有时取宗地", ("inefficient",)),
    "tax_per_mu_last_year": Shown("real", "yuan/mu", "截止日期上一年度的亩均税收", ("inefficient",)),
    "tax_per_mu_year_before": Shown("real", "yuan/mu", "截止日期前第二年度的亩均税收", ("inefficient",)),
    "measured": Shown("text", "", "认定所用指标的现值与标准", ("inefficient",)),
    "disposed_area": Shown("real", "m2", "已处置面积（版式的 disposed_area 指明出处）", ("inefficient",)),
    "remaining_area": Shown("real", "m2", "剩余面积：占地面积减已处置面积，两者都有才计算", ("inefficient",)),
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Disposed(_Strict):
    """Where the area that has been dealt with stands: a column that the parcels' source had, and its unit."""

    source: Annotated[str, Field(pattern=r"^parcels\.extra:.{1,60}$")]
    unit: str

    @field_validator("unit")
    @classmethod
    def _area(cls, unit: str) -> str:
        if not is_convertible(unit, "m2"):
            raise ValueError(f"“{unit}”不是面积单位")
        return unit


class Column(_Strict):
    """One column: a heading (under a group), and what stands in it; nothing where people are to fill it in.

    ``source`` is ``layer.field``, ``parcels.extra:NAME`` or ``computed.NAME``; ``text`` the same words in every row.
    ``unit`` the unit that a figure is shown in, ``decimals`` its decimals, ``total`` whether the sheet adds it up.
    """

    heading: Annotated[str, Field(min_length=1, max_length=60)]
    group: Annotated[str, Field(max_length=60)] = ""
    source: str | None = None
    text: Annotated[str, Field(max_length=200)] | None = None
    unit: str = ""
    decimals: Annotated[int, Field(ge=0, le=8)] | None = None
    total: bool = False
    width: Annotated[float, Field(ge=3, le=100)] = 12

    @property
    def name(self) -> str:
        """Group and heading, as a reader of the sheet joins them."""
        return f"{self.group}_{self.heading}" if self.group and self.group != self.heading else self.heading

    @property
    def shown(self) -> Shown | None:
        """What the source holds; ``None`` for a column that people fill in or that says the same in every row."""
        return None if self.source is None else shown_by(self.source)

    @property
    def places(self) -> int | None:
        """Decimals that a figure is rounded to, ``None`` for as many as it has."""
        if self.decimals is not None:
            return self.decimals
        return _DECIMALS.get(self.unit or (self.shown.unit if self.shown else ""))

    @property
    def unit_zh(self) -> str:
        """The unit of what is shown, for people; empty for text."""
        stored = self.shown.unit if self.shown else ""
        return self.unit or UNITS_ZH.get(stored, "" if stored == "1" else stored)

    @model_validator(mode="after")
    def _sound(self) -> Column:
        if self.source is None:
            if self.unit or self.decimals is not None or self.total:
                raise ValueError("没有 source 的列不能写 unit、decimals、total")
            return self
        if self.text is not None:
            raise ValueError("source 与 text 只能写一个")
        shown = shown_by(self.source)
        numeric = shown.kind in ("real", "integer")
        if self.unit and not (numeric and shown.unit and is_unit(self.unit) and is_convertible(self.unit, shown.unit)):
            stored = UNITS_ZH.get(shown.unit, shown.unit) or "不带单位"
            raise ValueError(f"{self.source} 的值（{stored}）不能以“{self.unit}”表示")
        if self.decimals is not None and not numeric:
            raise ValueError(f"{self.source} 不是数值，不能写 decimals")
        # A firm with several parcels stands in several rows.
        if self.total and (shown.unit not in _ADDED_UP or self.source.startswith(("firms.", "indicators."))):
            raise ValueError(f"{self.source} 不能合计，只有宗地的面积和金额可以")
        return self


def shown_by(source: str) -> Shown:
    """What a source holds.

    Raises
    ------
    ValueError
        There is no such source; the message names those there are.
    """
    layer_name, _, name = source.partition(".")
    if layer_name == "computed":
        if name not in COMPUTED:
            raise ValueError(f"没有计算值“{source}”，可用：" + "、".join(f"computed.{one}" for one in COMPUTED))
        return COMPUTED[name]
    if layer_name not in _SHOWN_LAYERS:
        known = "、".join((*_SHOWN_LAYERS, "computed"))
        raise ValueError(f"没有来源“{source}”，应为 图层.字段，图层可用：{known}")
    layer = _SHOWN_LAYERS[layer_name]
    if layer is PARCELS and name.startswith(_EXTRA) and len(name) > len(_EXTRA):
        return Shown("text", "", f"宗地的其他字段“{name.removeprefix(_EXTRA)}”")
    found = {field.name: field for field in layer.fields if field.kind != "json"}
    if name not in found:
        raise ValueError(f"{layer.zh}没有字段“{name}”，可用：" + "、".join(found))
    field = found[name]
    return Shown(field.kind, field.unit, f"{layer.zh}：{field.zh}")


class Layout(_Strict):
    """A ledger: title, the levels that it lists, its columns, and those of the sheet of what could not be judged."""

    kind: LedgerKind
    title: Annotated[str, Field(min_length=1, max_length=60)]
    source: Annotated[str, Field(min_length=1)]
    status: Literal["verified", "secondary", "unverified"]
    levels: Annotated[tuple[str, ...], Field(min_length=1)]
    frozen_columns: Annotated[int, Field(ge=0, le=20)] = 0
    disposed_area: Disposed | None = None
    columns: Annotated[tuple[Column, ...], Field(min_length=2)]
    unassessed: Annotated[tuple[Column, ...], Field(min_length=2)]

    @field_validator("levels")
    @classmethod
    def _known_levels(cls, levels: tuple[str, ...]) -> tuple[str, ...]:
        known = [level for level in words_of("findings", "level") or {} if level not in ("ok", "not_assessed")]
        unknown = [level for level in levels if level not in known]
        if unknown:
            raise ValueError(f"没有等级“{'、'.join(unknown)}”，可用：{'、'.join(known)}")
        return levels

    @model_validator(mode="after")
    def _sound(self) -> Layout:
        for label, columns in (("columns", self.columns), ("unassessed", self.unassessed)):
            names = [column.name for column in columns]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{label} 中列名重复：{'、'.join(twice)}")
            if columns[0].total:
                raise ValueError(f"{label} 的第一列写“合计”二字，不能 total")
            for column in columns:
                if column.shown is not None and self.kind not in column.shown.ledgers:
                    raise ValueError(f"{label} 的“{column.heading}”：{column.source} 不适用于这种台账")
        return self

    @property
    def units(self) -> tuple[str, ...]:
        """Units of the areas and sums of money in the table, in the order in which they come."""
        found = [c.unit_zh for c in self.columns if c.shown and c.shown.unit in _ADDED_UP]
        return tuple(dict.fromkeys(found))


def load_layout(kind: str, path: Path | None = None) -> Layout:
    """The layout of a kind of ledger: the one that comes with the project, or one's own file.

    Raises
    ------
    NotFound
        No such ledger.
    InvalidParameter
        The file is not there or is no layout of this ledger; the message says which entry is wrong and what may stand
        there.
    """
    if kind not in LEDGER_KINDS:
        raise NotFound(f"没有台账“{kind[:40]}”", where="kind", remedy="可用：" + "、".join(LEDGER_KINDS))
    if path is None:
        return _parsed((files("data") / "ledgers" / f"{kind}.toml").read_text(encoding="utf-8"), f"{kind}.toml")
    if not path.is_file():
        raise InvalidParameter(f"找不到台账版式 {path.name}", where="layout", remedy="请检查路径")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidParameter(
            f"台账版式 {path.name} 不是 UTF-8 编码", where=path.name, remedy="请另存为 UTF-8"
        ) from error
    layout = _parsed(text, path.name)
    if layout.kind != kind:
        raise InvalidParameter(
            f"版式 {path.name} 是“{layout.kind}”的，不是“{kind}”的", where=f"{path.name}: kind", remedy="请换一个版式"
        )
    return layout


def _parsed(text: str, where: str) -> Layout:
    document: Any = {}
    try:
        document = tomllib.loads(text)
        return Layout.model_validate(document)
    except tomllib.TOMLDecodeError as error:
        raise InvalidParameter(f"台账版式不是有效的 TOML：{error}", where=where, remedy="请检查该行的写法") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = _place(first["loc"], document)
        raise InvalidParameter(
            f"台账版式不合要求：{place}{_in_chinese(first)}", where=f"{where}: {_key(first['loc'])}",
            remedy="请对照 data/ledgers/ 中的示例修改",
        ) from error  # fmt: skip


_CHINESE = {
    "missing": "缺少这一项",
    "extra_forbidden": "不认识这一项",
    "string_type": "应为文本",
    "string_too_short": "不能为空",
    "string_too_long": "不得超过 {max_length} 个字",
    "string_pattern_mismatch": "写法应匹配 {pattern}",
    "literal_error": "可用：{expected}",
    "bool_type": "应为 true 或 false",
    "bool_parsing": "应为 true 或 false",
    "float_type": "应为数",
    "float_parsing": "应为数",
    "int_type": "应为整数",
    "int_parsing": "应为整数",
    "int_from_float": "应为整数",
    "greater_than_equal": "应不小于 {ge}",
    "less_than_equal": "应不大于 {le}",
    "too_short": "至少 {min_length} 项",
    "tuple_type": "应为列表",
    "model_type": "应为表",
}


def _in_chinese(item: Any) -> str:
    template = _CHINESE.get(item["type"])
    return template.format(**item.get("ctx", {})) if template else str(item["msg"]).removeprefix("Value error, ")


def _key(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc) or "columns"


def _place(loc: tuple[int | str, ...], document: Any) -> str:
    """Where a fault is, as a person counts: the column with its heading, then the key."""
    if len(loc) < 2 or not isinstance(loc[1], int):
        return f"{_key(loc)}：" if loc else ""
    told = document[loc[0]][loc[1]]
    heading = told.get("heading") if isinstance(told, dict) else None
    named = f"“{heading}”" if isinstance(heading, str) else ""
    key = f"的 {_key(loc[2:])}" if len(loc) > 2 else ""
    return f"{loc[0]} 第 {loc[1] + 1} 列{named}{key}："
