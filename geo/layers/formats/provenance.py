"""What an export says of itself, and what a writer of one format answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Provenance:
    """Where the rows of an export come from; every format carries it in its own way.

    Parameters
    ----------
    layer, title : name of the canonical layer and what a person calls it
    crs : the system of the coordinates as text, such as ``EPSG:4549 (CGCS2000 / 3-degree Gauss-Kruger CM 120E)``
    run_id : the analysis that the rows belong to, ``None`` for what was imported
    data_date : the day that the data describe (ISO), where known
    made_at : when the export was written (ISO)
    organisation : who gives it out
    selection : what was chosen, in words: all rows, a filter, a drawn polygon
    area_method : how areas were computed
    """

    layer: str
    title: str
    crs: str
    run_id: str | None
    data_date: str | None
    made_at: str
    organisation: str
    selection: str
    area_method: str

    def rows(self) -> list[tuple[str, str]]:
        """Chinese label and value, in the order in which a reader asks; what is unknown says so."""
        return [
            ("图层", f"{self.title}（{self.layer}）"),
            ("坐标系", self.crs or "无（表格）"),
            ("分析批次", self.run_id or "无（源数据）"),
            ("数据日期", self.data_date or "未注明"),
            ("导出时间", self.made_at),
            ("数据产生单位", self.organisation or "未注明"),
            ("选择范围", self.selection or "全部"),
            ("面积算法", self.area_method or "未注明"),
        ]


@dataclass(frozen=True)
class Written:
    """What a writer did: rows written, and what a person should know of it, in Chinese."""

    rows: int
    notes: tuple[str, ...] = ()
