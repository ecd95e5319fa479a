"""The firm of each row of a ledger, and its tax per mu in the two years before the day of the run."""

from __future__ import annotations

import numpy as np
import pandas as pd

from geo.layers.schema import FIRMS
from geo.units import M2_PER_MU

_FIELDS = tuple(field.name for field in FIRMS.fields if field.kind != "json")


def firm_values(
    known: pd.DataFrame, firms: pd.DataFrame | None, enterprises: pd.DataFrame | None, year: int
) -> pd.DataFrame:
    """Figures of the firm of each row; empty where there is none, or more than one.

    Parameters
    ----------
    known : (n) of each row ``firm_ids`` (list: those that a rule found inefficient on the parcel), and of the parcel
        its ``holder``, ``credit_code``, ``year`` of figures and ``tax_per_mu`` (yuan/mu)
    firms : canonical firms of the run
    enterprises : canonical enterprises, for years that ``firms`` does not hold
    year : year of the run; tax is that of the two years before

    Returns
    -------
    DataFrame : (n) the fields of ``firms`` (``year`` and ``credit_code`` of the parcel where no firm is meant; codes of
        several firms joined), ``tax_per_mu_last_year`` and ``tax_per_mu_year_before`` in yuan/mu
    """
    if firms is None or firms.empty:
        table = pd.DataFrame({name: pd.Series(dtype=object) for name in ("firm_id", *_FIELDS)})
    else:
        table = pd.DataFrame(firms).reset_index(drop=True)
    pairs = _pairs(known["firm_ids"], table)
    single = pairs.drop_duplicates("row", keep=False)
    several = known["firm_ids"].map(len).to_numpy() > 1
    place = np.full(len(known), -1)
    place[single["row"].to_numpy()] = single["firm"].to_numpy()
    place[several] = -1
    found = table.reindex(columns=list(_FIELDS)).astype(object).reindex(place).reset_index(drop=True)
    found = found.where(found.notna(), None)

    pairs["code"] = table["credit_code"].to_numpy(dtype=object)[pairs["firm"]]
    codes = pairs.dropna(subset="code").groupby("row")["code"].agg("、".join)
    found["credit_code"] = codes.reindex(np.arange(len(known))).to_numpy(dtype=object)
    alone = known["firm_ids"].map(len).to_numpy() == 0
    own_code = known["credit_code"].where(known["credit_code"].notna(), _code_of_name(known["holder"], table))
    found["credit_code"] = found["credit_code"].where(~alone, own_code)
    found["year"] = found["year"].where(place >= 0, known["year"])
    earlier = _tax_by_year(table, enterprises)
    for name, wanted in (("tax_per_mu_last_year", year - 1), ("tax_per_mu_year_before", year - 2)):
        tax = _of_year(found["year"], found["tax_per_mu"], wanted)
        if wanted in earlier:
            tax = np.where(np.isnan(tax) & (place >= 0), earlier[wanted][place], tax)
        # What the parcel's own figures say, where the finding is not one of a firm.
        found[name] = np.where(alone, _of_year(known["year"], known["tax_per_mu"], wanted), tax)
    return found


def _pairs(firm_ids: pd.Series, firms: pd.DataFrame) -> pd.DataFrame:
    """Row of the ledger and row of the firm, for each firm that is on record."""
    by_id = pd.Series(np.arange(len(firms)), index=firms["firm_id"].to_numpy(dtype=object), dtype=float)
    each = firm_ids.reset_index(drop=True).explode().dropna()
    pairs = pd.DataFrame({"row": each.index.to_numpy(), "firm": each.map(by_id).to_numpy(dtype=float)}).dropna()
    return pairs.astype(int)


def _code_of_name(holder: pd.Series, firms: pd.DataFrame) -> pd.Series:
    """The credit code of the one firm that has a name."""
    codes = firms["credit_code"]
    only = _only(_comparable(firms["holder"]))
    place = _comparable(holder).map(only)
    code = codes.reindex(place.fillna(-1).astype(int)).to_numpy(dtype=object)
    return pd.Series(np.where(place.notna(), code, None), index=holder.index, dtype=object)


def _of_year(year: pd.Series, value: pd.Series, wanted: int) -> np.ndarray:
    years = pd.to_numeric(year).to_numpy(dtype=float, na_value=np.nan)
    values = pd.to_numeric(value).to_numpy(dtype=float, na_value=np.nan)
    return np.where(years == wanted, values, np.nan)


def _comparable(texts: pd.Series) -> pd.Series:
    """Names and codes as the firms are told apart: width, case and blanks set aside."""
    text = texts.astype("string").str.normalize("NFKC").str.upper().str.replace(" ", "", regex=False)
    return text.mask(text == "").astype(object).where(text.notna() & (text != ""), None)


def _only(keys: pd.Series) -> pd.Series:
    """Key -> row, of keys that one row has."""
    single = keys.dropna().drop_duplicates(keep=False)
    return pd.Series(single.index, index=single.to_numpy(dtype=object), dtype=float)


def _tax_by_year(firms: pd.DataFrame, enterprises: pd.DataFrame | None) -> dict[int, np.ndarray]:
    """Year -> tax per mu of each firm (f,), ``nan`` where it is not known.

    The land is that of the year where every row of it states an area, else the firm's. Rows of a whole firm beside rows
    of its parcels, or several of the former, would count tax twice: then it is not known.
    """
    if enterprises is None or firms.empty or enterprises.empty:
        return {}
    rows = pd.DataFrame(enterprises)
    by_code, by_name = (
        _only(_comparable(firms["credit_code"].reset_index(drop=True))),
        _only(_comparable(firms["holder"].reset_index(drop=True))),
    )
    firm = _comparable(rows["credit_code"]).map(by_code)
    firm = firm.where(firm.notna(), _comparable(rows["holder"]).map(by_name))
    table = pd.DataFrame(
        {
            "firm": firm.to_numpy(dtype=float),
            "year": pd.to_numeric(rows["year"]).to_numpy(dtype=float, na_value=np.nan),
            "tax": pd.to_numeric(rows["tax_yuan"]).to_numpy(dtype=float, na_value=np.nan),
            "land": pd.to_numeric(rows["area_used_m2"]).to_numpy(dtype=float, na_value=np.nan),
            "whole": rows["parcel_id"].isna().to_numpy(),
        }
    ).dropna(subset=["firm", "year"])
    if table.empty:
        return {}
    grouped = table.groupby(["firm", "year"])
    sums = grouped.agg(rows=("tax", "size"), taxes=("tax", "count"), tax=("tax", "sum"), whole=("whole", "sum"),
                       lands=("land", "count"), land=("land", "sum")).reset_index()  # fmt: skip
    sums["firm"] = sums["firm"].astype(int)
    own_land = pd.to_numeric(firms["land_m2"]).to_numpy(dtype=float, na_value=np.nan)[sums["firm"]]
    land = np.where(sums["lands"] == sums["rows"], sums["land"], own_land)
    sure = (sums["taxes"] == sums["rows"]) & ((sums["whole"] == 0) | (sums["rows"] == 1)) & (land > 0)
    per_mu = np.divide(sums["tax"] * M2_PER_MU, land, out=np.full(len(sums), np.nan), where=sure.to_numpy())
    found = {}
    for year in sums["year"].unique():
        values = np.full(len(firms), np.nan)
        of = (sums["year"] == year).to_numpy()
        values[sums.loc[of, "firm"]] = per_mu[of]
        found[int(year)] = values
    return found
