"""Words of coded fields: the canonical word, its Chinese name, and the other spellings that sources use."""

from __future__ import annotations

# Words in coded fields: canonical word -> (Chinese, other spellings that sources use).
WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    # The two-digit codes are those of QSXZ in the land survey.
    "tenure": {
        "state": ("国有", "国有土地", "国有土地使用权", "国有土地所有权", "国家所有", "G", "10", "20", "21"),
        "collective": (
            "集体",
            "集体土地",
            "集体土地使用权",
            "集体土地所有权",
            "集体所有",
            "J",
            "30",
            "31",
            "32",
            "33",
            "34",
            "40",
            "41",
        ),
    },
    "supply_kind": {
        "grant": ("出让", "招拍挂出让", "招标出让", "拍卖出让", "挂牌出让", "协议出让", "有偿出让"),
        "allocation": ("划拨", "行政划拨", "国有土地划拨"),
        "lease": ("租赁", "国有土地租赁", "长期租赁"),
    },
    "status": {
        "not_started": ("未动工", "未开工"),
        "building": ("在建", "建设中", "已动工", "已开工", "动工", "开工"),
        "suspended": ("停工", "停建", "中止建设"),
        "completed": ("已竣工", "竣工", "建成", "已建成"),
        "producing": ("投产", "在产", "已投产", "正常生产", "生产"),
        "stopped": ("停产", "已停产", "关停"),
    },
    "stock_class": {
        "approved_unsupplied": ("批而未供",),
        "supplied_unused": ("供而未用",),
        "partly_used": ("用而未尽",),
        "in_use": ("已供已用",),
    },
    "delay_cause": {
        "art8_1": ("未按约定交地",),
        "art8_2": ("规划依法修改",),
        "art8_3": ("国家政策变化",),
        "art8_4": ("信访",),
        "art8_5": ("军事管制或文物保护",),
        "art8_6": ("政府其他行为",),
        "force_majeure": ("不可抗力",),
        "own": ("企业自身原因",),
    },
    "foundation_kind": {"pit": ("深基坑",), "pile": ("桩基",), "other": ("其他",)},
    "control_lines.kind": {
        "basic_farmland": ("永久基本农田", "YJJBNT", "YJJBNTHX", "JBNTBHTB"),
        "ecological_redline": ("生态保护红线", "STBHHX", "STBHHX_LD", "STBHHX_HY"),
        "urban_boundary": ("城镇开发边界", "CZKFBJ", "CSKFBJ"),
        "industrial_line": ("工业用地区块线", "GYQKX", "GYQKX_SQ"),
    },
    "barriers.kind": {
        "motorway": ("高速公路",),
        "railway": ("铁路",),
        "river": ("河流",),
        "local_road": ("地方道路", "城镇村道路"),
        "power_line": ("电力线路",),
        "pipeline": ("油气管道",),
    },
    # Grades of the laws that set distances: roads, then railways.
    "barriers.grade": {
        "motorway": ("高速公路",),
        "national": ("国道",),
        "provincial": ("省道",),
        "county": ("县道",),
        "township": ("乡道",),
        "village": ("村道",),
        "street": ("城市道路", "城市支路", "支路", "次干路", "主干路", "快速路", "园区路"),
        "high_speed": ("高速铁路", "高铁"),
        "conventional": ("普速铁路", "普通铁路", "普铁"),
    },
    "terminals.kind": {
        "motorway_ramp": ("高速互通",),
        "rail_yard": ("铁路货场",),
        "port": ("港口",),
        "logistics_hub": ("物流枢纽",),
    },
    "network.mode": {"road": ("公路",), "rail": ("铁路",), "water": ("水路",)},
    "findings.kind": {"idle": ("闲置土地",), "inefficient": ("低效用地",)},
    "findings.level": {
        "ok": ("所评条款中未发现",),
        "warning": ("即将到期",),
        "overdue": ("逾期未动工",),
        "idle_1y": ("闲置满一年",),
        "idle_2y": ("闲置满两年",),
        "idle_stalled": ("中止开发",),
        "inefficient": ("低效用地",),
        "not_assessed": ("未能评估",),
    },
    "findings.confidence": {"suspected": ("疑似，待确认",)},
    "sites.kind": {"plot": ("连片地块",), "parcel": ("单宗地块",)},
}


def words_of(layer: str, field: str) -> dict[str, tuple[str, ...]] | None:
    """The words that a field may hold, each with its spellings; ``None`` where the field is free text."""
    return WORDS.get(f"{layer}.{field}") or WORDS.get(field)
