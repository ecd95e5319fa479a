"""Small tables as land offices have them, one for each profile that comes with the project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from geo.layers.reading import SourceLayer

VILLAGE = "3301100010020000000"


@dataclass(frozen=True)
class Table:
    """What a file holds: the layer's name, the type of its geometry, its columns."""

    name: str
    geometry: str | None
    columns: dict[str, list[Any]]

    @property
    def frame(self) -> pd.DataFrame:
        """The columns as readers give them."""
        return pd.DataFrame(self.columns)

    def source(self, **replaced: list[Any]) -> SourceLayer:
        """The layer as it was read, columns replaced or (with an empty list) left out."""
        columns = {**self.columns, **replaced}
        frame = pd.DataFrame({name: values for name, values in columns.items() if values})
        return layer_of(frame, self.name, spatial=self.geometry is not None)


def layer_of(frame: pd.DataFrame, name: str = "layer", *, spatial: bool = True) -> SourceLayer:
    """A table as it was read, one square for each row where it is spatial."""
    if not spatial:
        return SourceLayer(name, frame, None, "a.xlsx", "0" * 64)
    squares = [shapely.box(120 + i / 1000, 30, 120.0005 + i / 1000, 30.0005) for i in range(len(frame))]
    there = gpd.GeoDataFrame(frame, geometry=squares, crs=4490)
    return SourceLayer(name, there, there.crs, "a.gpkg", "0" * 64)


TABLES = {
    "dltb": Table("DLTB", "Polygon", {
        "BSM": ["330110201000000001", "330110201000000002", None], "YSDM": ["2001010100"] * 3,
        "TBYBH": ["1", "2", "3"], "TBBH": ["0001", "0002", "0003"], "DLBM": ["0601", "0508", "1001"],
        "DLMC": ["工业用地", "物流仓储用地", "铁路用地"], "QSXZ": ["20", "30", "31"], "QSDWDM": [VILLAGE] * 3,
        "QSDWMC": ["甲村"] * 3, "ZLDWDM": [VILLAGE] * 3, "ZLDWMC": ["甲村"] * 3, "TBMJ": [6666.67, 1000.0, 500.0],
        "KCDLBM": [None, None, "1203"], "KCXS": [0.0, 0.0, 0.1], "KCMJ": [0.0, 0.0, 50.0],
        "TBDLMJ": [6666.67, 1000.0, 450.0], "CZCSXM": ["201", "203A", None], "SJNF": [2023, 2023, 2023],
    }),
    "dltb-2010": Table("DLTB", "Polygon", {
        "BSM": [1, 2], "YSDM": ["2001010100"] * 2, "TBBH": ["0001", "0002"], "DLBM": ["203", "204"],
        "DLMC": ["村庄", "采矿用地"], "QSXZ": ["30", "20"], "QSDWDM": [VILLAGE] * 2, "ZLDWDM": [VILLAGE] * 2,
        "ZLDWMC": ["甲村"] * 2, "GDPDJ": [None, None], "XZDWMJ": [0.0, 12.5], "LXDWMJ": [0.0, 0.0],
        "TKXS": [0.0, 0.0], "TKMJ": [0.0, 0.0], "TBMJ": [900.0, 800.0], "TBDLMJ": [900.0, 787.5],
        "BGRQ": [None, "20141231"],
    }),
    "zdjbxx": Table("ZDJBXX", "MultiPolygon", {
        "bsm": [1, 2, 3], "ysdm": ["6001010000"] * 3,
        "zddm": ["330110001002GB00001", "330110001002JB00002", "330110001002ZB00003"],
        "bdcdyh": ["330110001002GB00001W00000000"] * 3, "zdtzm": ["GB", "JB", "ZB"],
        "zl": ["某路1号", "某路2号", "某路3号"], "zdmj": [15.0, 6666.67, 2.0], "mjdw": ["2", "1", "9"],
        "yt": ["0601", "0601", "0604"], "qllx": ["3", "7", "3"], "qlxz": ["102", "203", "101"],
        "rjl": [None, "1.2", None], "zdszd": ["甲路", "乙路", "丙路"],
    }),
    "supply": Table("供地地块", "Polygon", {
        "gdbs": ["a"], "zdbs": ["b"], "gddkbs": ["3303-1"], "xmmc": ["某项目"], "dkmc": ["地块一"], "dkbh": ["1"],
        "dkmj": [1.2], "gdzmj": [1.2], "gymj": [1.2], "pzrq": ["2020-01-01"], "hyfl": ["C34"], "tdyt": ["0601"],
        "gyfs": ["挂牌出让"], "xzzt": ["否"], "xmzt": ["在建"], "dzjgh": ["3303002020B00001"],
    }),
    "contracts": Table("Sheet1", None, {
        "行政区": ["某县"], "电子监管号": ["3301102020B00001"], "项目名称": ["某厂"], "项目位置": ["某路"],
        "面积（公顷）": [1.5], "土地来源": ["新增建设用地"], "土地用途": ["工业用地"], "供地方式": ["挂牌出让"],
        "土地使用年限": [50], "行业分类": ["通用设备制造业"], "土地级别": ["三级"], "成交价格(万元)": ["1,500.5"],
        "土地使用权人": ["甲公司"], "约定容积率下限": [1.2], "约定容积率上限": [2.5], "约定交地时间": ["2020年5月1日"],
        "约定开工时间": ["2020年11月1日"], "约定竣工时间": ["2022年11月1日"], "合同签订日期": ["2020年4月1日"],
    }),
    "dcdytb": Table("DCDYTB", "Polygon", {
        "DCDYBH": ["330110-001"], "XZMC": ["甲镇"], "DCQBH": ["1"], "ZDBH": ["330110001002GB00001"], "MJ": [100.0],
        "SYZK": ["停产"], "QZLSYLYDMJ": [0.0], "SFCZC": ["否"], "SFDX": ["是"], "CQR": ["甲公司"], "DJMJ": [90.0],
        "SYQLX": ["11"], "XZTDSYR": ["乙公司"], "QSXZ": ["国有"], "XZYT": ["1001"], "CYLX": ["C34"], "RJL": [0.5],
        "DJGDZCTZ": [100.0], "DJRKSJ": [2.0],
    }),
    "ktt-fw-zrz": Table("KTT_FW_ZRZ", "Polygon", {
        "YSDM": ["6001030110"] * 2, "BDCDYH": ["330110001002GB00001F00010001"] * 2,
        "ZDDM": ["330110001002GB00001"] * 2, "ZRZH": ["F0001", "330110001002GB00001F0002"],
        "XMMC": ["某厂"] * 2, "JZWMC": ["一号车间", "二号车间"], "JGRQ": ["2010-01-01"] * 2, "JZWGD": [12.0, 9.5],
        "ZZDMJ": [100.0, 50.0], "SCJZMJ": [300.0, 50.0], "ZCS": [3, 1], "DSCS": [3, 1], "DXCS": [0, 0],
        "GHYT": ["20"] * 2, "FWJG": ["3"] * 2,
    }),
    "enterprises": Table("2023年亩均评价", None, {
        "序号": [1, 2, 3], "企业名称": ["甲公司", "乙公司", "丙作坊"],
        "统一社会信用代码": ["91330110MA00000001", "91330110MA00000002", None], "年度": [2023, 2023, 2023],
        "所属园区": ["东区", "东区", None], "用地面积（亩）": [30.0, 15.0, None], "税收（万元）": [120.5, None, 3.0],
        "工业增加值(万元)": [500.0, 80.0, 9.0], "综合能耗(吨标煤)": [100.0, 5.0, None], "利润": [7.0, 8.0, 9.0],
        "从业人数": [50, 8, 2], "是否规上": ["是", "否", "否"], "评价等级": ["A", "D", None],
    }),
    "storage": Table("在储备地块", "Polygon", {
        "dkbh": ["CB1"], "dkmc": ["某地块"], "dkmj": [1.0], "dkzl": ["某路"], "ghyt": ["1001"], "qdfs": ["收回"],
        "zdqk": ["已征"], "nfcr": ["是"], "crjh": ["2024"], "cbjgmc": ["某中心"],
    }),
    "farmland": Table("YJJBNTTB", "MultiPolygon", {
        "BSM": ["330110301000000001", None], "YSDM": ["2005010300"] * 2, "XZQDM": ["330110"] * 2, "MJ": [1.0, 2.0],
    }),
    "redline": Table("STBHHX_LD", "MultiPolygon", {"BSM": ["1"], "YSDM": ["2003"], "HXMC": ["某红线"], "MJ": [1.0]}),
    "boundary": Table("CZKFBJ", "MultiPolygon", {"BSM": ["1"], "YSDM": ["2004"], "GHFQMC": ["建设区"], "MJ": [1.0]}),
    "baltimore-parcels": Table("parcels", "Polygon", {
        "PIN": ["1001 001"], "FULLADDR": ["1 MAIN ST"], "OWNER": ["DOE"], "CURRLAND": [5.0], "CURRIMPR": [6.0],
        "YEAR_BUILD": [1920], "NEIGHBORHOOD": ["Canton"],
    }),
    "baltimore-zoning": Table("zoning", "Polygon", {
        "zoning": ["I-2"], "overlay": [None], "label": ["I-2"], "category_zoning": ["Industrial Districts"],
        "name_zoning": ["General Industrial"], "category_overlay": [None], "name_overlay": [None],
    }),
    "baltimore-buildings": Table("buildings", "Polygon", {"BID": ["7"], "AREA_SQFT": [1000.0], "SRCYEAR": [2018]}),
}  # fmt: skip
