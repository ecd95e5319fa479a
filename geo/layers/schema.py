"""The canonical layers and their fields: one table of truth.

Everything that reads, stores, shows or exports a layer asks this table for names, kinds, units and Chinese names.
Geometry is EPSG:4490 (CGCS2000, longitude first) in every layer that has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "real", "integer", "date", "boolean", "json"]
Origin = Literal["source", "derived"]


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a canonical layer.

    ``unit`` is what a stored number means; ``zh`` is what a screen says; ``aliases`` are the spellings met in sources.
    """

    name: str
    kind: Kind
    zh: str
    unit: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layer:
    """A canonical layer: its fields, its key and the geometry it carries (``None`` for a plain table)."""

    name: str
    zh: str
    geometry: Literal["polygon", "line", "point", "any"] | None
    key: str
    fields: tuple[Field, ...]
    origin: Origin = "source"

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the attribute columns, in the order in which they are stored."""
        return tuple(field.name for field in self.fields)

    def field(self, name: str) -> Field:
        """The field called ``name``; ``KeyError`` where the layer has none."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)


def _text(name: str, zh: str, *aliases: str) -> Field:
    return Field(name, "text", zh, "", aliases)


def _real(name: str, zh: str, unit: str = "", *aliases: str) -> Field:
    return Field(name, "real", zh, unit, aliases)


def _date(name: str, zh: str, *aliases: str) -> Field:
    return Field(name, "date", zh, "", aliases)


_EXTRA = Field("extra", "json", "其他字段")
_TOWN = _text("town", "乡镇街道", "XZMC", "所属乡镇", "街道")
_NAME = _text("name", "名称", "MC", "NAME")

PARCELS = Layer(
    "parcels",
    "宗地",
    "polygon",
    "parcel_id",
    (
        _text("parcel_id", "宗地代码", "ZDDM", "ZDBH", "宗地编号", "宗地号", "地块编号", "地块代码", "DKBH"),
        _text("land_use", "土地用途代码", "YT", "DLBM", "XZYT", "GHYT", "地类编码", "用途代码"),
        _text("land_use_edition", "用途代码版本"),
        _text("tenure", "所有权性质", "QSXZ", "权属性质"),
        _text("holder", "使用权人", "XZTDSYR", "权利人", "土地使用权人", "用地单位", "企业名称"),
        _text("credit_code", "统一社会信用代码", "XYDM", "TYSHXYDM", "信用代码"),
        _text("supervision_no", "电子监管号", "DZJGH", "监管号"),
        _TOWN,
        _text("address", "坐落", "ZL", "DKZL", "位置", "土地坐落", "项目位置"),
        _text("supply_kind", "供应方式", "GYFS", "QLXZ", "供地方式", "权利性质"),
        _date("contract_date", "合同签订日期", "HTQDRQ", "签订日期", "合同签订时间"),
        _date("handover_date", "交地日期", "约定交地时间", "JDSJ"),
        _date("start_due", "约定动工日期", "约定开工时间", "约定动工时间"),
        _date("completion_due", "约定竣工日期", "约定竣工时间"),
        _date("started_on", "实际动工日期", "实际开工时间", "实际动工时间"),
        _date("completed_on", "实际竣工日期", "实际竣工时间"),
        _date("suspended_on", "停工日期"),
        _date("resumed_on", "复工日期"),
        _text("foundation_kind", "基础形式"),
        _date("permit_date", "施工许可日期"),
        _date("pit_done_date", "基坑完成日期"),
        _date("piles_done_date", "桩基完成日期"),
        _real("foundation_pct", "基础完成比例", "%"),
        _real("far_agreed", "约定容积率", "1", "约定容积率下限", "容积率下限"),
        _real("tax_agreed_yuan_per_mu", "约定亩均税收", "yuan/mu", "承诺亩均税收"),
        _text("park_grade", "园区等级"),
        _text("delay_cause", "延误原因"),
        _date("delay_from", "延误起"),
        _date("delay_to", "延误止"),
        _real("land_price_yuan", "土地价款", "yuan", "成交价款", "成交价格", "出让价款", "出让金"),
        _real("investment_due_yuan", "约定总投资", "yuan", "总投资", "总投资额", "YJZTZ"),
        _real("investment_made_yuan", "已完成投资", "yuan", "已投资额", "已完成投资额", "WCTZ"),
        _real("area_due_m2", "应动工面积", "m2"),
        _real("area_developed_m2", "已动工面积", "m2"),
        _real(
            "declared_area_m2",
            "登记面积",
            "m2",
            "ZDMJ",
            "DJMJ",
            "TBMJ",
            "DKMJ",
            "MJ",
            "宗地面积",
            "土地面积",
            "用地面积",
            "地块面积",
            "图斑面积",
            "面积",
        ),
        _real("area_m2", "椭球面积", "m2"),
        _real("floor_area_m2", "总建筑面积", "m2", "ZJZMJ", "建筑面积"),
        _real("footprint_m2", "建筑基底面积", "m2", "ZZDMJ", "基底面积", "建筑占地面积"),
        _text("industry", "行业代码", "HYDM", "HYFL", "CYLX"),
        _text("industry_edition", "行业分类版本"),
        _real("fixed_assets_yuan", "固定资产投资", "yuan", "固定资产投资额", "GDZCTZ"),
        _real("output_yuan", "产值", "yuan/a", "ZCZ", "工业总产值", "总产值"),
        _real("tax_yuan", "税收", "yuan/a", "SSZE", "税收总额", "实缴税金", "入库税收", "入库税金", "上缴税收"),
        _real("value_added_yuan", "增加值", "yuan/a", "工业增加值"),
        _real("energy_tce", "综合能耗", "tce/a", "能耗", "综合能源消费量"),
        Field("employees", "integer", "从业人数", "persons", ("QYRS", "从业人员", "职工人数", "员工人数")),
        Field("above_scale", "boolean", "规模以上", "", ("是否规上", "规上企业", "是否规模以上")),
        _date("stopped_on", "停产日期"),
        Field("year", "integer", "经营数据年度"),
        _real("power_kva", "供电容量", "kVA"),
        _real("water_m3d", "供水能力", "m3/d"),
        _real("gas_m3d", "供气能力", "m3/d"),
        _real("steam_th", "供热能力", "t/h"),
        _real("sewage_m3d", "污水处理能力", "m3/d"),
        _real("price_yuan_per_mu", "参考地价", "yuan/mu"),
        _date("available_from", "可交付日期"),
        _text("status", "建设状态", "SYZK", "XMZT"),
        _text("stock_class", "存量类别"),
        _EXTRA,
    ),
)

DELAYS = Layer(
    "delays",
    "延误原因",
    None,
    "delay_id",
    (
        _text("delay_id", "编号"),
        _text("parcel_id", "宗地代码", "ZDDM"),
        _text("delay_cause", "延误原因"),
        _date("delay_from", "延误起"),
        _date("delay_to", "延误止"),
        _text("evidence", "证明材料"),
        _EXTRA,
    ),
)

ENTERPRISES = Layer(
    "enterprises",
    "企业",
    None,
    "enterprise_id",
    (
        _text("enterprise_id", "编号"),
        _text("credit_code", "统一社会信用代码", "XYDM", "TYSHXYDM", "信用代码"),
        _text("holder", "企业名称", "QYMC", "单位名称", "企业"),
        _text("parcel_id", "宗地代码", "ZDDM", "宗地编号"),
        Field("year", "integer", "年度", "", ("年份", "评价年度", "数据年度")),
        _real("area_used_m2", "用地面积", "m2", "QYYDMJ", "占地面积", "实际用地面积", "企业用地面积"),
        _text("industry", "行业代码", "HYDM", "行业分类代码"),
        _text("industry_edition", "行业分类版本"),
        _real("tax_yuan", "税收", "yuan/a", "SSZE", "税收总额", "实缴税金", "入库税收", "入库税金", "上缴税收"),
        _real("output_yuan", "产值", "yuan/a", "ZCZ", "工业总产值", "总产值"),
        _real("sales_yuan", "销售额", "yuan/a", "销售收入"),
        _real("revenue_yuan", "主营收入", "yuan/a", "ZSR", "主营业务收入", "营业收入", "总收入"),
        _real("value_added_yuan", "增加值", "yuan/a", "工业增加值"),
        _real("rd_yuan", "研发投入", "yuan/a", "研发经费", "研发费用"),
        _real("energy_tce", "综合能耗", "tce/a", "能耗", "综合能源消费量"),
        _real("electricity_kwh", "用电量", "kWh/a", "年用电量"),
        _real("emission_t", "污染物排放", "t/a"),
        Field("employees", "integer", "从业人数", "persons", ("QYRS", "从业人员", "职工人数", "员工人数")),
        Field("above_scale", "boolean", "规模以上", "", ("是否规上", "规上企业", "是否规模以上")),
        _EXTRA,
    ),
)

BUILDINGS = Layer(
    "buildings",
    "建筑",
    "polygon",
    "building_id",
    (
        _text("building_id", "建筑编号", "ZRZH"),
        _text("parcel_id", "宗地代码", "ZDDM"),
        Field("floors", "integer", "层数", "", ("ZCS", "总层数")),
        _real("height_m", "高度", "m", "JZWGD"),
        _real("storey_height_m", "层高", "m"),
        _real("floor_area_m2", "建筑面积", "m2", "SCJZMJ", "实测建筑面积"),
        _EXTRA,
    ),
)

ZONING = Layer(
    "zoning",
    "规划用途",
    "polygon",
    "zone_id",
    (_text("zone_id", "编号"), _text("land_use", "规划用途代码", "GHYT"), _NAME, _EXTRA),
)

CONTROL_LINES = Layer(
    "control_lines",
    "控制线",
    "polygon",
    "line_id",
    (_text("line_id", "编号"), _text("kind", "类型"), _NAME, _EXTRA),
)

BARRIERS = Layer(
    "barriers",
    "阻隔",
    "any",
    "barrier_id",
    (
        _text("barrier_id", "编号"),
        _text("kind", "类型"),
        _NAME,
        _real("width_m", "宽度", "m"),
        _real("setback_m", "退让距离", "m"),
        _EXTRA,
    ),
)

TOWNS = Layer("towns", "乡镇街道", "polygon", "town_id", (_text("town_id", "编号"), _NAME, _EXTRA))

NETWORK = Layer(
    "network",
    "交通网络",
    "line",
    "edge_id",
    (
        _text("edge_id", "编号"),
        _text("mode", "方式"),
        _text("road_class", "等级"),
        _NAME,
        _real("length_m", "长度", "m"),
        _real("speed_kmh", "速度", "km/h"),
        _real("toll_yuan_per_km", "通行费", "yuan/km"),
        _EXTRA,
    ),
)

TERMINALS = Layer(
    "terminals",
    "物流节点",
    "point",
    "terminal_id",
    (
        _text("terminal_id", "编号"),
        _text("kind", "类型"),
        _NAME,
        _real("handling_yuan_per_t", "装卸费", "yuan/t"),
        _real("dwell_h", "停留时间", "h"),
        _EXTRA,
    ),
)

MARKETS = Layer(
    "markets",
    "市场",
    "point",
    "market_id",
    (
        _text("market_id", "编号"),
        _NAME,
        _text("direction", "流向"),
        _real("tonnes_per_year", "年货运量", "t/a"),
        _EXTRA,
    ),
)

DEMANDS = Layer(
    "demands",
    "项目需求",
    None,
    "demand_id",
    (_text("demand_id", "编号"), _NAME, Field("need", "json", "需求"), _EXTRA),
)

FINDINGS = Layer(
    "findings",
    "认定",
    "polygon",
    "finding_id",
    (
        _text("finding_id", "编号"),
        _text("run_id", "分析批次"),
        _text("parcel_id", "宗地代码"),
        _TOWN,
        _text("holder", "使用权人"),
        _text("kind", "类别"),
        _text("rule", "规则"),
        _text("level", "等级"),
        _date("since", "起始日期"),
        Field("days", "integer", "天数", "d"),
        _date("next_date", "下一节点"),
        _real("fee_yuan", "闲置费", "yuan"),
        _real("area_m2", "面积", "m2"),
        Field("evidence", "json", "依据"),
        Field("missing", "json", "缺少"),
        _text("confidence", "确认状态"),
        _text("source", "条款来源"),
    ),
    "derived",
)

PLOTS = Layer(
    "plots",
    "连片地块",
    "polygon",
    "plot_id",
    (
        _text("plot_id", "编号"),
        _text("run_id", "分析批次"),
        _NAME,
        _TOWN,
        _real("area_m2", "面积", "m2"),
        _real("outline_area_m2", "轮廓面积", "m2"),
        _real("strict_area_m2", "零间距面积", "m2"),
        Field("parcel_count", "integer", "宗地数"),
        Field("holder_count", "integer", "权利人数"),
        Field("bridge_count", "integer", "跨接数"),
        _real("idle_share", "闲置占比", "1"),
        _real("inefficient_share", "低效占比", "1"),
        _real("built_share", "建筑密度", "1"),
        _real("inscribed_radius_m", "内切圆半径", "m"),
        _real("compactness", "紧凑度", "1"),
        Field("evidence", "json", "依据"),
    ),
    "derived",
)

PLOT_MEMBERS = Layer(
    "plot_members",
    "地块成员",
    "polygon",
    "member_id",
    (
        _text("member_id", "编号"),
        _text("run_id", "分析批次"),
        _text("plot_id", "连片地块"),
        _text("parcel_id", "宗地代码"),
        _real("area_m2", "计入面积", "m2"),
        _real("share", "占宗地比例", "1"),
    ),
    "derived",
)

LEFTOVERS = Layer(
    "leftovers",
    "未成片",
    "polygon",
    "leftover_id",
    (
        _text("leftover_id", "编号"),
        _text("run_id", "分析批次"),
        _text("parcel_id", "宗地代码"),
        _text("reason", "原因"),
        _real("area_m2", "面积", "m2"),
        _real("group_area_m2", "所在组面积", "m2"),
    ),
    "derived",
)

SITES = Layer(
    "sites",
    "候选地块",
    "polygon",
    "site_id",
    (
        _text("site_id", "编号"),
        _text("run_id", "分析批次"),
        _text("kind", "类型"),
        _NAME,
        _TOWN,
        _real("area_m2", "面积", "m2"),
        _text("land_use", "土地用途代码"),
        Field("parcel_count", "integer", "宗地数"),
        Field("holder_count", "integer", "权利人数"),
        _real("inscribed_radius_m", "内切圆半径", "m"),
        _real("price_yuan_per_mu", "参考地价", "yuan/mu"),
        _date("available_from", "可交付日期"),
        _real("power_kva", "供电容量", "kVA"),
        _real("water_m3d", "供水能力", "m3/d"),
        _real("gas_m3d", "供气能力", "m3/d"),
        _real("steam_th", "供热能力", "t/h"),
        _real("sewage_m3d", "污水处理能力", "m3/d"),
        _real("motorway_ramp_km", "距高速互通", "km"),
        _real("rail_yard_km", "距铁路货场", "km"),
        _real("port_km", "距港口", "km"),
        _real("logistics_hub_km", "距物流枢纽", "km"),
        Field("evidence", "json", "依据"),
    ),
    "derived",
)

QUARANTINE = Layer(
    "quarantine",
    "隔离记录",
    "any",
    "row_id",
    (
        _text("row_id", "编号"),
        _text("load_id", "导入批次"),
        _text("layer", "图层"),
        Field("source_row", "integer", "源文件行"),
        _text("reason", "原因"),
        Field("extra", "json", "原始属性"),
    ),
)

LAYERS: dict[str, Layer] = {
    layer.name: layer
    for layer in (
        PARCELS, DELAYS, ENTERPRISES, BUILDINGS, ZONING, CONTROL_LINES, BARRIERS, TOWNS, NETWORK, TERMINALS, MARKETS,
        DEMANDS, FINDINGS, PLOTS, PLOT_MEMBERS, LEFTOVERS, SITES, QUARANTINE,
    )
}  # fmt: skip
