"""Layers that files fill."""

from __future__ import annotations

from geo.layers.canonical.form import EXTRA, NAME, ORIGIN, TOWN, Field, Layer, date, real, text

PARCELS = Layer(
    "parcels",
    "宗地",
    "polygon",
    "parcel_id",
    (
        text("parcel_id", "宗地代码", "ZDDM", "ZDBH", "宗地编号", "宗地号", "地块编号", "地块代码", "DKBH"),
        text("land_use", "土地用途代码", "YT", "DLBM", "XZYT", "GHYT", "地类编码", "用途代码"),
        text("land_use_edition", "用途代码版本"),
        text("tenure", "所有权性质", "QSXZ", "权属性质"),
        text("holder", "使用权人", "XZTDSYR", "权利人", "土地使用权人", "用地单位", "企业名称"),
        text("credit_code", "统一社会信用代码", "XYDM", "TYSHXYDM", "信用代码"),
        text("supervision_no", "电子监管号", "DZJGH", "监管号"),
        TOWN,
        text("address", "坐落", "ZL", "DKZL", "位置", "土地坐落", "项目位置"),
        text("supply_kind", "供应方式", "GYFS", "QLXZ", "供地方式", "权利性质"),
        date("contract_date", "合同签订日期", "HTQDRQ", "签订日期", "合同签订时间"),
        date("handover_date", "交地日期", "约定交地时间", "JDSJ"),
        date("start_due", "约定动工日期", "约定开工时间", "约定动工时间"),
        date("completion_due", "约定竣工日期", "约定竣工时间"),
        date("started_on", "实际动工日期", "实际开工时间", "实际动工时间"),
        date("completed_on", "实际竣工日期", "实际竣工时间"),
        date("suspended_on", "停工日期"),
        date("resumed_on", "复工日期"),
        text("foundation_kind", "基础形式"),
        date("permit_date", "施工许可日期"),
        date("pit_done_date", "基坑完成日期"),
        date("piles_done_date", "桩基完成日期"),
        real("foundation_pct", "基础完成比例", "%"),
        real("far_agreed", "约定容积率", "1", "约定容积率下限", "容积率下限"),
        real("tax_agreed_yuan_per_mu", "约定亩均税收", "yuan/mu", "承诺亩均税收"),
        text("park_grade", "园区等级"),
        text("land_class", "土地等别", "土地等级", "工业用地等别"),
        text("delay_cause", "延误原因"),
        date("delay_from", "延误起"),
        date("delay_to", "延误止"),
        real("land_price_yuan", "土地价款", "yuan", "成交价款", "成交价格", "出让价款", "出让金"),
        real("investment_due_yuan", "约定总投资", "yuan", "总投资", "总投资额", "YJZTZ"),
        real("investment_made_yuan", "已完成投资", "yuan", "已投资额", "已完成投资额", "WCTZ"),
        real("area_due_m2", "应动工面积", "m2"),
        real("area_developed_m2", "已动工面积", "m2"),
        real(
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
        real("area_m2", "椭球面积", "m2"),
        real("floor_area_m2", "总建筑面积", "m2", "ZJZMJ", "建筑面积"),
        real("footprint_m2", "建筑基底面积", "m2", "ZZDMJ", "基底面积", "建筑占地面积"),
        real("yard_area_m2", "构筑物与堆场面积", "m2", "LTCD", "露天堆场面积", "堆场面积"),
        text("industry", "行业代码", "HYDM", "HYFL", "CYLX"),
        text("industry_edition", "行业分类版本"),
        real("fixed_assets_yuan", "固定资产投资", "yuan", "固定资产投资额", "GDZCTZ"),
        real("output_yuan", "产值", "yuan/a", "ZCZ", "工业总产值", "总产值"),
        real("tax_yuan", "税收", "yuan/a", "SSZE", "税收总额", "实缴税金", "入库税收", "入库税金", "上缴税收"),
        real("value_added_yuan", "增加值", "yuan/a", "工业增加值"),
        real("energy_tce", "综合能耗", "tce/a", "能耗", "综合能源消费量"),
        Field("employees", "integer", "从业人数", "persons", ("QYRS", "从业人员", "职工人数", "员工人数")),
        Field("above_scale", "boolean", "规模以上", "", ("是否规上", "规上企业", "是否规模以上")),
        date("stopped_on", "停产日期"),
        Field("year", "integer", "经营数据年度"),
        real("power_kva", "供电容量", "kVA"),
        real("water_m3d", "供水能力", "m3/d"),
        real("gas_m3d", "供气能力", "m3/d"),
        real("steam_th", "供热能力", "t/h"),
        real("sewage_m3d", "污水处理能力", "m3/d"),
        real("price_yuan_per_mu", "参考地价", "yuan/mu"),
        date("available_from", "可交付日期"),
        text("status", "建设状态", "SYZK", "XMZT"),
        text("stock_class", "存量类别"),
        *ORIGIN,
        Field("field_sources", "json", "字段来源"),  # field -> [load_id, source_row] where another load filled it
        EXTRA,
    ),
)

DELAYS = Layer(
    "delays",
    "延误原因",
    None,
    "delay_id",
    (
        text("delay_id", "编号"),
        text("parcel_id", "宗地代码", "ZDDM"),
        text("delay_cause", "延误原因"),
        date("delay_from", "延误起"),
        date("delay_to", "延误止"),
        text("evidence", "证明材料"),
        *ORIGIN,
        EXTRA,
    ),
)

ENTERPRISES = Layer(
    "enterprises",
    "企业",
    None,
    "enterprise_id",
    (
        text("enterprise_id", "编号"),
        text("credit_code", "统一社会信用代码", "XYDM", "TYSHXYDM", "信用代码"),
        text("holder", "企业名称", "QYMC", "单位名称", "企业"),
        text("parcel_id", "宗地代码", "ZDDM", "宗地编号"),
        Field("year", "integer", "年度", "", ("年份", "评价年度", "数据年度")),
        real("area_used_m2", "用地面积", "m2", "QYYDMJ", "占地面积", "实际用地面积", "企业用地面积"),
        text("industry", "行业代码", "HYDM", "行业分类代码"),
        text("industry_edition", "行业分类版本"),
        real("tax_yuan", "税收", "yuan/a", "SSZE", "税收总额", "实缴税金", "入库税收", "入库税金", "上缴税收"),
        real("output_yuan", "产值", "yuan/a", "ZCZ", "工业总产值", "总产值"),
        real("sales_yuan", "销售额", "yuan/a", "销售收入"),
        real("revenue_yuan", "主营收入", "yuan/a", "ZSR", "主营业务收入", "营业收入", "总收入"),
        real("value_added_yuan", "增加值", "yuan/a", "工业增加值"),
        real("rd_yuan", "研发投入", "yuan/a", "研发经费", "研发费用"),
        real("energy_tce", "综合能耗", "tce/a", "能耗", "综合能源消费量"),
        real("electricity_kwh", "用电量", "kWh/a", "年用电量"),
        real("emission_t", "污染物排放", "t/a"),
        Field("employees", "integer", "从业人数", "persons", ("QYRS", "从业人员", "职工人数", "员工人数")),
        Field("above_scale", "boolean", "规模以上", "", ("是否规上", "规上企业", "是否规模以上")),
        *ORIGIN,
        EXTRA,
    ),
)

BUILDINGS = Layer(
    "buildings",
    "建筑",
    "polygon",
    "building_id",
    (
        text("building_id", "建筑编号", "ZRZH"),
        text("parcel_id", "宗地代码", "ZDDM"),
        Field("floors", "integer", "层数", "", ("ZCS", "总层数")),
        real("height_m", "高度", "m", "JZWGD"),
        real("storey_height_m", "层高", "m"),
        real("floor_area_m2", "建筑面积", "m2", "SCJZMJ", "实测建筑面积"),
        *ORIGIN,
        EXTRA,
    ),
)

ZONING = Layer(
    "zoning",
    "规划用途",
    "polygon",
    "zone_id",
    (text("zone_id", "编号"), text("land_use", "规划用途代码", "GHYT"), NAME, EXTRA),
)

CONTROL_LINES = Layer(
    "control_lines",
    "控制线",
    "polygon",
    "line_id",
    (text("line_id", "编号"), text("kind", "类型"), NAME, EXTRA),
)

BARRIERS = Layer(
    "barriers",
    "阻隔",
    "any",
    "barrier_id",
    (
        text("barrier_id", "编号"),
        text("kind", "类型"),
        NAME,
        text("grade", "等级", "行政等级", "公路行政等级"),
        real("voltage_kv", "电压", "kV", "电压等级", "额定电压"),
        real("width_m", "宽度", "m"),
        real("setback_m", "退让距离", "m"),
        EXTRA,
    ),
)

TOWNS = Layer("towns", "乡镇街道", "polygon", "town_id", (text("town_id", "编号"), NAME, EXTRA))

NETWORK = Layer(
    "network",
    "交通网络",
    "line",
    "edge_id",
    (
        text("edge_id", "编号"),
        text("mode", "方式"),
        text("road_class", "等级"),
        NAME,
        real("length_m", "长度", "m"),
        real("speed_kmh", "速度", "km/h"),
        real("toll_yuan_per_km", "通行费", "yuan/km"),
        EXTRA,
    ),
)

TERMINALS = Layer(
    "terminals",
    "物流节点",
    "point",
    "terminal_id",
    (
        text("terminal_id", "编号"),
        text("kind", "类型"),
        NAME,
        real("handling_yuan_per_t", "装卸费", "yuan/t"),
        real("dwell_h", "停留时间", "h"),
        EXTRA,
    ),
)

MARKETS = Layer(
    "markets",
    "市场",
    "point",
    "market_id",
    (
        text("market_id", "编号"),
        NAME,
        text("direction", "流向"),
        real("tonnes_per_year", "年货运量", "t/a"),
        EXTRA,
    ),
)

DEMANDS = Layer(
    "demands",
    "项目需求",
    None,
    "demand_id",
    (text("demand_id", "编号"), NAME, Field("need", "json", "需求"), EXTRA),
)

QUARANTINE = Layer(
    "quarantine",
    "隔离记录",
    "any",
    "row_id",
    (
        text("row_id", "编号"),
        text("load_id", "导入批次"),
        text("layer", "图层"),
        Field("source_row", "integer", "源文件行"),
        text("reason", "原因"),
        Field("extra", "json", "原始属性"),
    ),
)
