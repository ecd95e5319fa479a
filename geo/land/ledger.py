"""Findings as the ledger of a land office: a row for each idle finding, or for each parcel with its inefficiency rules.

What the system does not know stays empty for people to fill in. Areas and sums are rounded as they are shown and the
total of a column is the sum of what it shows; a parcel that stands in two rows is added up once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geo.land.calendar import days
from geo.land.ledger_firms import firm_values
from geo.land.statistics import fees_unknown
from geo.layers.formats.ledger_layout import Column, Layout
from geo.layers.formats.ledger_sheet import Ledger, Totals
from geo.layers.schema import FINDINGS, LAYERS
from geo.layers.words import words_of
from geo.units import factor_to_stored, mu

_DAY = np.timedelta64(1, "D")
_SEVERAL = "\x1f"
_SEPARATORS = {"rules": "、", "missing": "、", "enterprise": "、", "firm_ids": _SEVERAL}
# How several findings of a parcel become one row, for what is no text.
_TOGETHER = {"since": "min", "next_date": "min", "days": "max", "fee_yuan": "max", "area_m2": "max",
             "excused_days": "max"}  # fmt: skip
_NUMERIC = ("real", "integer")
_COMPARISONS = {"below": "低于 ", "at_most": "不超过 ", "above": "超过 ", "at_least": "达到 "}


def ledger(
    layout: Layout,
    findings: pd.DataFrame,
    parcels: pd.DataFrame,
    *,
    as_of: np.datetime64,
    rule_titles: Mapping[str, str],
    firms: pd.DataFrame | None = None,
    indicators: pd.DataFrame | None = None,
    enterprises: pd.DataFrame | None = None,
) -> Ledger:
    """The rows of a ledger, of what could not be judged, and the totals.

    Parameters
    ----------
    layout : kind, levels and columns
    findings : canonical findings of a run, of any kind; areas in m2, fees in yuan
    parcels : canonical parcels, at least those that the findings name
    as_of : day of the run, Asia/Shanghai; years of tax are counted back from it
    rule_titles : code -> title of the rules
    firms, indicators : canonical tables of the run, ``None`` where there are none
    enterprises : canonical enterprises, for the tax of earlier years

    Returns
    -------
    Ledger : cells as they are written (text, numbers in the unit of the column, ``None``), columns as in the layout

    Notes
    -----
    Rows are in the order of town, parcel and rule. Several inefficiency findings of a parcel and holder are one row:
    texts joined, the earliest dates, the largest figures.
    """
    mine = findings[findings["kind"] == layout.kind]
    told = _told(mine, rule_titles)
    found = _in_order(told[told["level"].isin(layout.levels)])
    unknown = _in_order(told[told["level"] == "not_assessed"])
    rows = _joined(found) if layout.kind == "inefficient" else found
    sources = _Sources(layout, parcels, firms, indicators, enterprises, as_of)
    cells = {column.name: sources.cells(column, rows) for column in layout.columns}
    asked = {column.name: sources.cells(column, unknown) for column in layout.unassessed}
    sums = {
        column.name: _sum_once(cells[column.name], rows["parcel_id"], column.places)
        for column in layout.columns
        if column.total
    }
    watched = told.loc[~told["level"].isin((*layout.levels, "not_assessed")), "level"].value_counts()
    return Ledger(
        pd.DataFrame(cells, index=rows.index, dtype=object),
        pd.DataFrame(asked, index=unknown.index, dtype=object),
        Totals(
            rows=len(rows),
            parcels=int(rows["parcel_id"].nunique()),
            area_mu=float(mu(rows.groupby("parcel_id")["area_m2"].max().sum())),
            fee_yuan=_fee_once(rows),
            fee_unknown=fees_unknown(mine.loc[mine["level"].isin(layout.levels), "missing"]),
            unassessed=len(unknown),
            unassessed_parcels=int(unknown["parcel_id"].nunique()),
            watched={str(level): int(count) for level, count in watched.items()},
            sums=sums,
            unverified=_counted(found["unverified"]),
        ),
    )


# ------------------------------------------------------------------------------------------------- what findings say


def _told(findings: pd.DataFrame, rule_titles: Mapping[str, str]) -> pd.DataFrame:
    """Findings with what their evidence says as columns of plain values."""
    table = pd.DataFrame(
        {name: findings[name].to_numpy() for name in FINDINGS.columns if name in findings and name != "evidence"}
    )
    evidence = [each if isinstance(each, dict) else {} for each in findings["evidence"]]
    readings = [each.get("reading") or {} for each in evidence]
    titles = table["rule"].map(rule_titles).astype(object).fillna(table["rule"])
    table["rules"] = titles
    table["rule_and_article"] = [
        title + (f"（{where}）" if (where := f"{_text(source)}{_text(article)}") else "")
        for title, source, article in zip(titles, table["source"], table["article"], strict=True)
    ]
    table["missing"] = [
        "、".join(item["zh"] for item in each) or None if isinstance(each, list) else None for each in table["missing"]
    ]
    for name in ("start_due", "excused_days", "idle_since"):
        table[name] = pd.Series([reading.get(name) for reading in readings], dtype=object)
    # Since when a parcel may be taken back is not since when it has been idle.
    known = table["idle_since"].notna() | (table["level"] == "idle_2y")
    table["idle_since"] = table["idle_since"].where(known, pd.Series(_dates(table["since"]), dtype=object))
    table["causes"] = [_causes(reading) for reading in readings]
    meant = [
        [firm for firm in reading.get("firms") or [] if firm.get("level") == level]
        for reading, level in zip(readings, table["level"], strict=True)
    ]
    table["firm_ids"] = [_SEVERAL.join(str(firm["firm_id"]) for firm in each) or None for each in meant]
    table["enterprise"] = ["、".join(_text(firm["holder"]) for firm in each) or None for each in meant]
    table["measured"] = [_measured(*each) for each in zip(readings, meant, strict=True)]
    for name in ("fee_yuan", "area_m2", "days", "excused_days"):
        table[name] = pd.to_numeric(table[name]).astype(float)
    return table


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _causes(reading: Mapping[str, Any]) -> str | None:
    """The causes on record and the days they take out; nothing where none is: that nobody reported one is no cause."""
    told = [_cause(excuse) for excuse in reading.get("excuses") or []]
    if told and reading.get("excused_days"):
        told.append(f"共扣除 {reading['excused_days']} 天")
    return "；".join(told) or None


def _cause(excuse: Mapping[str, Any]) -> str:
    cause = excuse.get("cause")
    name = (words_of("delays", "delay_cause") or {}).get(str(cause), ("未注明原因",))[0]
    head = "政府原因：" if str(cause).startswith("art8") else ""
    begin, end = excuse.get("from"), excuse.get("to")
    parts = [f"{begin or '起始日期不详'} 至 {end or '今'}"] if begin or end else []
    if excuse.get("why_not"):
        parts.append(f"未扣除：{excuse['why_not']}")
    return f"{head}{name}" + (f"（{'，'.join(parts)}）" if parts else "")


def _measured(reading: Mapping[str, Any], firms: list[dict[str, Any]]) -> str | None:
    """Each measure with its value and the threshold, in the unit of the rule; of several firms each its own."""
    if len(firms) > 1:
        return "；".join(f"{firm['holder'] or '无名'}：{_criterion(firm)}" for firm in firms)
    if reading.get("grade"):
        place = f"，第 {reading['rank']}/{reading['ranked']} 名" if reading.get("rank") else ""
        return f"{_criterion({**reading, 'threshold': None})}（{reading['grade']} 级{place}）"
    criteria = reading.get("criteria") or ([reading] if "measure" in reading else [])
    return "；".join(_criterion(one) for one in criteria) or None


def _criterion(one: Mapping[str, Any]) -> str:
    unit = _text(one.get("unit"))

    def figure(value: Any) -> str:
        text = f"{value:.6g}" if isinstance(value, float) else str(value)
        return text if unit in ("", "1") else f"{text} {unit}"

    told = str(one.get("zh") or one["measure"])
    if one.get("value") is not None:
        told += f" {figure(one['value'])}"
    if one.get("threshold") is not None:
        told += f"（标准：{_COMPARISONS.get(str(one.get('comparison')), '')}{figure(one['threshold'])}）"
    return told


# ------------------------------------------------------------------------------------------------------------- rows


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values(["town", "parcel_id", "rule"], na_position="last", kind="stable").reset_index(drop=True)


def _joined(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each parcel and holder, in the order of their first findings."""
    keys = ["parcel_id", "holder"]
    group = table.groupby(keys, dropna=False, sort=False).ngroup().to_numpy()
    first = table[~table.duplicated(keys)].reset_index(drop=True)
    if len(first) == len(table):
        return first
    grouped = table.groupby(group)
    for name in table.columns.difference(keys):
        if name in _TOGETHER:
            first[name] = grouped[name].agg(_TOGETHER[name]).to_numpy()
        else:
            first[name] = _distinct(table[name], group, len(first), _SEPARATORS.get(name, "；"))
    return first


def _distinct(texts: pd.Series, group: NDArray[np.int64], count: int, separator: str) -> pd.Series:
    """The texts of each group as one, each part of them once."""
    parts: list[dict[str, None]] = [{} for _ in range(count)]
    for place, text in zip(group.tolist(), texts, strict=True):
        if isinstance(text, str):
            parts[place].update(dict.fromkeys(text.split(separator)))
    return pd.Series([separator.join(each) or None for each in parts], dtype=object)


def _counted(unverified: pd.Series) -> dict[str, int]:
    """Name of an unverified value -> findings that used it, the most used first."""
    names = unverified.dropna().astype(str).str.split("；").explode()
    return {str(name): int(count) for name, count in names.value_counts().items()}


def _fee_once(rows: pd.DataFrame) -> float | None:
    """Σ of the known fees in yuan, to the cent; a parcel owes one."""
    if not rows["fee_yuan"].notna().any():
        return None
    return round(float(rows.groupby("parcel_id")["fee_yuan"].max().sum()), 2)


def _sum_once(values: list[Any], parcel_id: pd.Series, places: int | None) -> float | None:
    """The sum of the figures that a column shows, a parcel once; ``None`` where there is none."""
    shown = pd.Series(pd.to_numeric(pd.Series(values, dtype=object)).to_numpy(dtype=float))
    if not shown.notna().any():
        return None if len(shown) else 0.0
    total = float(shown.groupby(parcel_id.to_numpy()).max().sum())
    return total if places is None else round(total, places)


# ------------------------------------------------------------------------------------------------------------ cells


class _Sources:
    """The values of columns for rows of a ledger."""

    def __init__(
        self, layout: Layout, parcels: pd.DataFrame, firms: pd.DataFrame | None, indicators: pd.DataFrame | None,
        enterprises: pd.DataFrame | None, as_of: np.datetime64,
    ) -> None:  # fmt: skip
        self._layout, self._as_of = layout, as_of.astype("datetime64[D]")
        self._parcels = _by_parcel(parcels)
        self._indicators = None if indicators is None else _by_parcel(indicators)
        self._firms, self._enterprises = firms, enterprises
        self._of_rows: tuple[pd.DataFrame, pd.DataFrame] | None = None

    def cells(self, column: Column, rows: pd.DataFrame) -> list[Any]:
        """One value for each row, as it is written."""
        if column.source is None:
            return [column.text] * len(rows)
        layer, _, name = column.source.partition(".")
        shown = column.shown
        assert shown is not None
        if layer == "computed":
            values = self._computed(name, rows)
        elif name.startswith("extra:"):
            values = pd.Series(_extra(self._parcel(rows, "extra"), name.removeprefix("extra:")), dtype=object)
        elif layer == "parcels":
            values = self._parcel(rows, name)
        elif layer == "findings":
            values = rows[name] if name in rows else pd.Series([None] * len(rows), dtype=object)
        elif layer == "indicators":
            values = self._indicator(rows, name)
        else:
            values = self._firm(rows)[name]
        if shown.kind in _NUMERIC:
            factor = factor_to_stored(column.unit, shown.unit) if column.unit else 1.0
            return _figures(values, factor, 0 if shown.kind == "integer" else column.places)
        if shown.kind == "date":
            return _dates(values)
        if shown.kind == "boolean":
            return [None if pd.isna(value) else ("是" if value else "否") for value in values]
        return _texts(values, layer, name)

    def _computed(self, name: str, rows: pd.DataFrame) -> pd.Series:
        if name == "number":
            return pd.Series(np.arange(1, len(rows) + 1))
        if name == "idle_days":
            first = days(pd.to_datetime(rows["idle_since"]).to_numpy())
            return pd.Series((self._as_of - first + _DAY) / _DAY)
        if name == "enterprise":
            return rows["enterprise"].where(rows["enterprise"].notna(), rows["holder"])
        if name in ("credit_code", "year", "tax_per_mu_last_year", "tax_per_mu_year_before"):
            return self._firm(rows)[name]
        if name == "disposed_area":
            return self._disposed(rows)
        if name == "remaining_area":
            left = rows["area_m2"].astype(float) - self._disposed(rows)
            # More than there was cannot have been dealt with: one of the two is wrong, so nothing is computed.
            return left.where(left >= 0)
        return rows[name]

    def _disposed(self, rows: pd.DataFrame) -> pd.Series:
        disposed = self._layout.disposed_area
        if disposed is None:
            return pd.Series(np.full(len(rows), np.nan))
        given = _extra(self._parcel(rows, "extra"), disposed.source.partition("extra:")[2])
        number = pd.to_numeric(pd.Series(given, dtype=object), errors="coerce").astype(float)
        return number * factor_to_stored(disposed.unit, "m2")

    def _parcel(self, rows: pd.DataFrame, name: str) -> pd.Series:
        return _of(self._parcels, rows["parcel_id"], name)

    def _indicator(self, rows: pd.DataFrame, name: str) -> pd.Series:
        if self._indicators is None:
            return pd.Series([None] * len(rows), dtype=object)
        return _of(self._indicators, rows["parcel_id"], name)

    def _firm(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The firm of each row; the same for every column."""
        if self._of_rows is None or self._of_rows[0] is not rows:
            known = pd.DataFrame(
                {
                    "firm_ids": rows["firm_ids"].to_numpy(dtype=object),
                    "holder": rows["holder"].to_numpy(dtype=object),
                    "credit_code": self._parcel(rows, "credit_code").to_numpy(dtype=object),
                    "year": self._indicator(rows, "year").to_numpy(dtype=object),
                    "tax_per_mu": self._indicator(rows, "tax_per_mu").to_numpy(dtype=object),
                }
            )
            known["firm_ids"] = [each.split(_SEVERAL) if isinstance(each, str) else [] for each in known["firm_ids"]]
            year = int(self._as_of.astype("datetime64[Y]").astype(int)) + 1970
            self._of_rows = rows, firm_values(known, self._firms, self._enterprises, year)
        return self._of_rows[1]


def _by_parcel(table: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(table).drop_duplicates("parcel_id").set_index("parcel_id", drop=False)


def _of(table: pd.DataFrame, parcel_id: pd.Series, name: str) -> pd.Series:
    if name not in table:
        return pd.Series([None] * len(parcel_id), dtype=object)
    return table[name].reindex(parcel_id).reset_index(drop=True)


def _extra(extra: pd.Series, name: str) -> list[Any]:
    return [each.get(name) if isinstance(each, dict) else None for each in extra]


def _figures(values: pd.Series, factor: float, places: int | None) -> list[float | int | None]:
    """Figures in the unit of the column, half up to its decimals as money and land are rounded."""
    stored = pd.to_numeric(values).to_numpy(dtype=float, na_value=np.nan)
    shown = stored / factor
    if places is not None:
        # What a conversion adds in the sixteenth digit does not decide about half.
        scaled = np.round(np.abs(shown) * 10.0**places, 6)
        shown = np.sign(shown) * np.floor(scaled + 0.5) / 10.0**places
    whole = places == 0
    return [None if np.isnan(value) else (int(value) if whole else float(value)) for value in shown]


def _dates(values: pd.Series) -> list[str | None]:
    day = days(pd.to_datetime(values).to_numpy())
    return [None if text == "NaT" else text for text in np.datetime_as_string(day).tolist()]


def _texts(values: pd.Series, layer: str, name: str) -> list[str | None]:
    """Words of coded fields in Chinese, everything else as it is."""
    known = layer in LAYERS and words_of(layer, name)
    spoken = {word: spellings[0] for word, spellings in known.items()} if known else {}
    return [None if _empty(value) else spoken.get(str(value), str(value)) for value in values]


def _empty(value: Any) -> bool:
    return value is None or (not isinstance(value, (list, dict)) and bool(pd.isna(value))) or value == ""
