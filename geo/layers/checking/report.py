"""The report of a load for people: the same facts as in its JSON, as sections of rows and as lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from geo.layers.schema import Layer

# Keys of the JSON, in the order in which a person reads them, and what they are called.
LABELS: dict[str, str] = {
    "balance": "行数",
    "crs": "坐标系",
    "encoding": "文字编码",
    "reader": "读取说明",
    "units": "单位换算",
    "notes": "字段说明",
    "repaired": "已修复",
    "quarantined": "已隔离",
    "warnings": "存疑的值（原样存入）",
    "identical": "几何完全相同",
    "coverage": "图形衔接",
    "shift": "位置比较",
}
_UNIT_ZH = {"m2": "平方米", "m": "米"}
# Figures of the coverage that are worth a line; the others stand in the JSON.
_SHOWN = ("overlaps", "overlap_m2", "gaps", "gap_m2", "holes", "slivers", "unclean_m", "node_m")


@dataclass(frozen=True, slots=True)
class Row:
    """One fact: ``section`` a key of ``LABELS``, ``what``, how many (``None`` where nothing is counted), more words."""

    section: str
    what: str
    count: int | float | None
    detail: str = ""


def report_rows(report: Mapping[str, Any], layer: Layer) -> list[Row]:
    """The facts of a load's report, those that say that nothing happened left out.

    Parameters
    ----------
    report : ``Checked.report``, with what the reader and the mapping add (``encoding``, ``reader``, ``mapping``,
        ``shift``)
    layer : the layer that was loaded
    """
    return [row for part in _PARTS for row in part(report, layer)]


def report_lines(report: Mapping[str, Any], layer: Layer) -> list[str]:
    """The same facts as lines of text."""
    lines = []
    for row in report_rows(report, layer):
        count = "" if row.count is None else f" {row.count:,}"
        lines.append(f"{LABELS[row.section]}：{row.what}{count}" + (f"（{row.detail}）" if row.detail else ""))
    return lines


def load_report(load: Mapping[str, Any], layer: Layer) -> dict[str, Any]:
    """A load's record as one JSON object with stable keys, each section with its Chinese label.

    Parameters
    ----------
    load : the record as a dict (``read``, ``stored``, ``repaired``, ``quarantined``, ``source_crs``, ``report`` …)
    layer : the layer that was loaded

    Returns
    -------
    ``layer``, ``layer_zh``, ``file_name``, ``sha256``, ``profile``, ``data_date``, ``loaded_at``, ``balance`` (with
    ``adds_up``) and ``sections``: key -> ``{"label", "rows"}`` of ``what``, ``count``, ``detail``; ``report`` as kept.
    """
    read, stored, quarantined = (int(load[name]) for name in ("read", "stored", "quarantined"))
    rows = [
        Row("balance", "读取", read),
        Row("balance", "存入", stored, f"其中修复 {int(load['repaired']):,}" if load["repaired"] else ""),
        Row("balance", "隔离", quarantined),
    ]
    if load.get("source_crs"):
        rows.append(Row("crs", str(load["source_crs"]), None, "存为 EPSG:4490"))
    rows += report_rows(load["report"], layer)
    sections: dict[str, dict[str, Any]] = {}
    for row in rows:
        section = sections.setdefault(row.section, {"label": LABELS[row.section], "rows": []})
        section["rows"].append({"what": row.what, "count": row.count, "detail": row.detail})
    names = ("load_id", "file_name", "sha256", "profile", "source_crs", "data_date", "loaded_at")
    return {
        "layer": layer.name,
        "layer_zh": layer.zh,
        **{name: load.get(name) for name in names},
        "balance": {
            "read": read,
            "stored": stored,
            "repaired": int(load["repaired"]),
            "quarantined": quarantined,
            "adds_up": read == stored + quarantined,
        },
        "sections": sections,
        "report": dict(load["report"]),
    }


def _encoding(report: Mapping[str, Any], layer: Layer) -> Iterator[Row]:
    if report.get("encoding"):
        yield Row("encoding", str(report["encoding"]), None)


def _reader(report: Mapping[str, Any], layer: Layer) -> Iterator[Row]:
    for note in report.get("reader") or ():
        yield Row("reader", str(note), None)


def _units(report: Mapping[str, Any], layer: Layer) -> Iterator[Row]:
    """Only units that differ from the stored one were converted."""
    for name, taken in ((report.get("mapping") or {}).get("fields") or {}).items():
        stored = _field(layer, name, "unit")
        if taken.get("unit") and taken["unit"] not in (stored, stored.split("/")[0]):
            yield Row("units", f"{_field(layer, name, 'zh')} ← {taken['column']}", None, f"{taken['unit']} → {stored}")


def _notes(report: Mapping[str, Any], layer: Layer) -> Iterator[Row]:
    for name, happened in (report.get("notes") or {}).items():
        for what, count in happened.items():
            yield Row("notes", f"{_field(layer, name, 'zh')} {what}", count)


def _outcomes(report: Mapping[str, Any], layer: Layer) -> Iterator[Row]:
    for section in ("repaired", "quarantined"):
        for reason, count in (report.get(section) or {}).items():
            yield Row(section, reason, count)
    for name, count in (report.get("emptied") or {}).items():
        yield Row("notes", f"{_field(layer, name, 'zh')} 已有的值被更新为空", count)


def _warnings(report: Mapping[str, Any], layer: Layer) -> Iterator[Row]:
    for warning in report.get("warnings") or ():
        examples = "、".join(
            f"{one['key']}={one['value']}（第 {one['source_row']} 行）" for one in warning["examples"][:2]
        )
        yield Row("warnings", warning["zh"], warning["count"], f"要求：{warning['limit']}；例：{examples}")


def _identical(report: Mapping[str, Any], layer: Layer) -> Iterator[Row]:
    found = report.get("identical")
    if found and found["groups"]:
        examples = "、".join("=".join(keys) for keys in found["examples"][:2])
        yield Row("identical", "组", found["groups"], f"多出 {found['surplus']:,} 个；例：{examples}")


def _coverage(report: Mapping[str, Any], layer: Layer) -> Iterator[Row]:
    measured = report.get("coverage")
    if not measured:
        return
    if measured["clean"]:
        yield Row("coverage", "公共界线完全一致，没有重叠", None)
    for name in _SHOWN:
        figure = measured["figures"][name]
        if figure["value"]:
            unit = _UNIT_ZH.get(figure["unit"], figure["unit"])
            limit = "" if figure["tolerance"] is None else f"容差 {figure['tolerance']:g} "
            limit += _UNIT_ZH.get(figure["tolerance_unit"], figure["tolerance_unit"]) if limit else ""
            yield Row("coverage", f"{figure['zh']}，{unit}", figure["value"], limit)


def _shift(report: Mapping[str, Any], layer: Layer) -> Iterator[Row]:
    found = report.get("shift")
    if found and found.get("why"):
        yield Row("shift", str(found["why"]), None)


_PARTS = (_encoding, _reader, _units, _notes, _outcomes, _warnings, _identical, _coverage, _shift)


def _field(layer: Layer, name: str, what: str) -> str:
    """The Chinese name or the unit of a field; ``geometry`` is a column too."""
    item = next((item for item in layer.fields if item.name == name), None)
    if item is None:
        return {"zh": {"geometry": "几何"}.get(name, name), "unit": ""}[what]
    return str(getattr(item, what))
