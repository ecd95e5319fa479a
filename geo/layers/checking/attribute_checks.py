"""Values that cannot be right, told with count and examples; the value itself is stored as the source has it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from geo.layers.checking.rules import QualityRules
from geo.layers.land_use_codes import unknown_codes
from geo.layers.schema import Field, Layer

# 宗地代码: county 6, district 3, sub-district 3, two letters of the feature code, serial 5.
# ``#2`` is this project's own number of a repeated key.
PARCEL_CODE = r"^\d{12}[GJZ][ABCDEFGHSXWY]\d{5}(#\d+)?$"
_PARCEL_CODE_LIKE = r"^\d{6}.{13}(#\d+)?$"
# 统一社会信用代码 (GB 32100-2015): 18 characters, without I, O, S, V, Z.
CREDIT_CODE = re.compile(r"[0-9A-HJ-NPQRTUWXY]{18}")

# Days that must follow one another, field by field.
_ORDER = (
    ("contract_date", "start_due"),
    ("contract_date", "started_on"),
    ("start_due", "completion_due"),
    ("started_on", "completed_on"),
    ("started_on", "suspended_on"),
    ("suspended_on", "resumed_on"),
    ("delay_from", "delay_to"),
)
# Days of things that have happened: none can lie after the day of the data.
_HAPPENED = (
    "contract_date", "started_on", "completed_on", "suspended_on", "resumed_on", "permit_date", "pit_done_date",
    "piles_done_date", "stopped_on",
)  # fmt: skip
# A part and the whole that it cannot exceed.
_PARTS = (("area_developed_m2", "area_due_m2"), ("footprint_m2", "area_m2"))
_MAY_BE_NEGATIVE = ("tax_yuan", "value_added_yuan")  # refunds, losses


@dataclass(frozen=True, slots=True)
class ValueWarning:
    """One kind of doubtful value in one field (or pair of fields).

    ``limit`` what was expected, in words; ``examples`` of ``key``, ``value`` and ``source_row`` (1 is the first row).
    """

    kind: str
    field: str
    zh: str
    limit: str
    unit: str
    count: int
    examples: tuple[dict[str, Any], ...]

    def as_dict(self) -> dict[str, Any]:
        """The warning as JSON types."""
        return asdict(self) | {"examples": list(self.examples)}


class _Table:
    """The stored rows with their places in the source, and the warnings found in them."""

    def __init__(self, frame: pd.DataFrame, layer: Layer, source_row: NDArray[np.intp], rules: QualityRules) -> None:
        self.frame, self.layer, self.source_row, self.rules = frame, layer, source_row, rules
        self.found: list[ValueWarning] = []
        self._numbers: dict[str, NDArray[np.float64]] = {}
        self._days: dict[str, NDArray[np.datetime64]] = {}

    def number(self, name: str) -> NDArray[np.float64] | None:
        """A numeric column as floats with NaN, ``None`` where the layer lacks it or it is empty."""
        if name not in self.frame:
            return None
        if name not in self._numbers:
            self._numbers[name] = self.frame[name].to_numpy(dtype=float, na_value=np.nan)
        values = self._numbers[name]
        return None if np.isnan(values).all() else values

    def day(self, name: str) -> NDArray[np.datetime64] | None:
        """A column of days with NaT, ``None`` where the layer lacks it or it is empty."""
        if name not in self.frame:
            return None
        if name not in self._days:
            self._days[name] = self.frame[name].to_numpy().astype("datetime64[D]")
        values = self._days[name]
        return None if np.isnat(values).all() else values

    def warn(
        self,
        kind: str,
        field: str,
        rows: NDArray[Any],
        limit: str,
        *,
        value: Callable[[int], Any] | None = None,
        zh: str | None = None,
        worst: NDArray[np.float64] | None = None,
    ) -> None:
        """Keep a warning for the rows of a mask; examples are the first, or those with the largest ``worst``."""
        where = np.flatnonzero(rows)
        if len(where) == 0:
            return
        chosen = where if worst is None else where[np.argsort(-worst[where], kind="stable")]
        item = next((item for item in self.layer.fields if item.name == field), Field(field, "text", field))
        keys = self.frame[self.layer.key].to_numpy()
        column = self.frame[field]
        examples = tuple(
            {
                "key": str(keys[row]),
                "value": _plain(value(row) if value else column.iloc[row]),
                "source_row": int(self.source_row[row]),
            }
            for row in chosen[: self.rules.examples]
        )
        self.found.append(ValueWarning(kind, field, zh or item.zh, limit, item.unit, len(where), examples))


def attribute_warnings(
    frame: pd.DataFrame, layer: Layer, source_row: NDArray[np.intp], rules: QualityRules, data_date: str | None = None
) -> list[ValueWarning]:
    """Doubtful values of the rows that are stored.

    Parameters
    ----------
    frame : the rows, canonical columns
    layer : their layer
    source_row : (n,) number of each row in the source, 1 first
    rules : ranges and tolerances
    data_date : the day (ISO) that the data describe
    """
    plain = pd.DataFrame(frame.drop(columns=frame.geometry.name)) if isinstance(frame, gpd.GeoDataFrame) else frame
    table = _Table(plain, layer, source_row, rules)
    if len(plain) == 0:
        return []
    for item in layer.fields:
        if item.kind in ("real", "integer"):
            _check_range(table, item)
    _check_days(table, data_date)
    _check_parts(table)
    _check_codes(table)
    _check_declared_area(table)
    return table.found


def _range(item: Field, rules: QualityRules) -> tuple[float, float]:
    special: dict[str, tuple[float, float]] = {
        "year": (rules.year_first, rules.year_last),
        "far_agreed": (0, rules.far_max),
        "floors": (0, rules.floors_max),
        "height_m": (0, rules.height_max_m),
        "storey_height_m": (0, rules.height_max_m),
        "speed_kmh": (0, rules.speed_max_kmh),
    }
    if item.name in special:
        return special[item.name]
    if item.unit == "%":
        return rules.percent
    return (-np.inf if item.name in _MAY_BE_NEGATIVE else 0.0), np.inf


def _check_range(table: _Table, item: Field) -> None:
    values = table.number(item.name)
    if values is None:
        return
    low, high = _range(item, table.rules)
    limit = f"{low:g} 至 {high:g}" if np.isfinite(high) else "不小于 0"
    with np.errstate(invalid="ignore"):
        table.warn("out_of_range", item.name, (values < low) | (values > high), limit)


def _check_days(table: _Table, data_date: str | None) -> None:
    rules = table.rules
    first = np.datetime64(f"{rules.year_first}-01-01")
    last = np.datetime64(f"{rules.year_last}-12-31")
    told = np.datetime64(data_date[:10], "D") if data_date else None
    if told is not None:
        last = min(last, told + np.timedelta64(round(365.2425 * rules.years_ahead), "D"))
    for item in table.layer.fields:
        if item.kind != "date":
            continue
        day = table.day(item.name)
        if day is None:
            continue
        table.warn("date_out_of_range", item.name, (day < first) | (day > last), f"{first} 至 {last}")
        if told is not None and item.name in _HAPPENED:
            table.warn("date_after_data", item.name, (day > told) & (day <= last), f"不晚于数据日期 {told}")
    for before, after in _ORDER:
        earlier, later = table.day(before), table.day(after)
        if earlier is None or later is None:
            continue
        names = [table.layer.field(name).zh for name in (before, after)]
        table.warn(
            "date_order", after, later < earlier, f"{names[1]}不早于{names[0]}", zh=f"{names[0]} / {names[1]}",
            value=partial(_both_days, earlier, later),
        )  # fmt: skip


def _both_days(earlier: NDArray[np.datetime64], later: NDArray[np.datetime64], row: int) -> str:
    return f"{earlier[row]} / {later[row]}"


def _check_parts(table: _Table) -> None:
    for part, whole in _PARTS:
        inner, outer = table.number(part), table.number(whole)
        if inner is None or outer is None:
            continue
        with np.errstate(invalid="ignore"):
            over = inner > outer * (1 + table.rules.declared_area_share) + table.rules.declared_area_m2
        table.warn("part_exceeds_whole", part, over, f"不大于{table.layer.field(whole).zh}")


def _check_codes(table: _Table) -> None:
    frame = table.frame
    if "parcel_id" in frame:
        # Only what has the length of a 宗地代码 and begins like one is held to its pattern.
        text = pa.array(frame["parcel_id"], pa.string(), from_pandas=True)
        alike, good = (pc.match_substring_regex(text, pattern) for pattern in (_PARCEL_CODE_LIKE, PARCEL_CODE))
        wrong = pc.fill_null(pc.and_not(alike, good), False)
        table.warn("parcel_code_form", "parcel_id", wrong.to_numpy(False), "12 位数字 + 2 位特征码 + 5 位数字")
    if "credit_code" in frame and frame["credit_code"].notna().any():
        codes = frame["credit_code"]
        good = codes.astype("str").str.fullmatch(CREDIT_CODE, na=False) | codes.isna()
        table.warn("credit_code_form", "credit_code", ~good.to_numpy(dtype=bool), "18 位数字和大写字母")
    if "land_use" in frame:
        codes = frame["land_use"]
        unknown = unknown_codes(str(code) for code in codes.dropna().unique())
        if unknown:
            table.warn(
                "land_use_unknown", "land_use", codes.isin(unknown).to_numpy(dtype=bool), "某一版用途分类中的代码"
            )


def _check_declared_area(table: _Table) -> None:
    declared, computed = table.number("declared_area_m2"), table.number("area_m2")
    if declared is None or computed is None:
        return
    rules = table.rules
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = np.abs(declared - computed)
        share = np.where(computed > 0, difference / computed, np.inf)
        differs = difference > np.maximum(rules.declared_area_m2, rules.declared_area_share * computed)
        ratio = float(np.nanmedian(declared / np.where(computed > 0, computed, np.nan)))
    limit = f"与椭球面积相差不超过 {rules.declared_area_m2:g} 平方米或 {rules.declared_area_share:.0%}"
    table.warn(
        "area_differs", "declared_area_m2", differs, limit + _unit_hint(ratio), worst=share,
        value=lambda row: f"登记 {declared[row]:.2f}，椭球 {computed[row]:.2f}",
    )  # fmt: skip


def _unit_hint(ratio: float) -> str:
    """What the median of declared / computed says when it sits on the factor of another unit (within 5 %)."""
    for name, factor in (("亩", 3 / 2000), ("公顷", 1e-4), ("平方公里", 1e-6)):
        if abs(ratio / factor - 1) < 0.05:
            return f"；登记面积的单位疑为{name}"
    return ""


def _plain(value: Any) -> Any:
    if value is None or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, (np.datetime64, pd.Timestamp)):
        return str(value)[:10]
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, (str, int, float, bool)) else str(value)
