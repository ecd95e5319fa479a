"""What ordinary parcels say about themselves. Nothing written here gives a finding.

Supplied land has been built in time, operating industry pays well above the tax thresholds and is built well above the
plot-ratio minimum of its sector; land without a contract carries no dates at all.
"""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

from data.demo.cutting import Ints
from data.demo.names import developer_names, firm_names, village_names
from data.demo.table import ParcelTable, days, uniform

# use -> land-use codes of the 2023 edition and their shares
LAND_USE: dict[str, tuple[tuple[str, float], ...]] = {
    "industry": (("100101", 0.62), ("100102", 0.29), ("100103", 0.09)),
    "logistics": (("110101", 1.0),),
    "housing": (("0701", 1.0),),
    "commercial": (("0901", 0.65), ("0902", 0.35)),
    "public": (("080403", 0.45), ("080404", 0.15), ("0801", 0.15), ("0806", 0.15), ("0803", 0.10)),
    "park": (("1401", 0.8), ("1403", 0.2)),
    "buffer_green": (("1402", 1.0),),
    "utility": (("1302", 0.5), ("1303", 0.5)),
    "village": (("0703", 1.0),),
    "village_service": (("0704", 1.0),),
    "farmland": (("0101", 0.7), ("0102", 0.3)),
    "pond": (("1704", 1.0),),
    "orchard": (("0201", 1.0),),
    "forest": (("0301", 1.0),),
    "wetland": (("0506", 1.0),),
    "facility": (("0602", 1.0),),
    "water": (("1701", 1.0),),
    "lake": (("1702", 1.0),),
    "rail": (("1201", 1.0),),
    "port": (("1204", 1.0),),
    "eligible": (("100101", 1.0),),
}

# Plot-ratio minima by the first two digits of the 2017 industry code (2002-edition values of the national indicators).
FAR_MINIMUM = {
    "13": 1.0, "14": 1.0, "17": 0.8, "18": 1.0, "20": 0.8, "21": 0.8, "22": 0.8, "26": 0.6, "27": 0.7, "29": 0.8,
    "30": 0.7, "33": 0.7, "34": 0.7, "35": 0.7, "36": 0.7, "38": 0.7, "39": 1.0, "40": 1.0,
}  # fmt: skip
TAX_ABOVE_SCALE = 60_000.0  # yuan per mu, Huzhou 2021
TAX_BELOW_SCALE = 30_000.0

_INDUSTRY = (
    "1311", "1353", "1371", "1432", "1711", "1751", "1819", "2021", "2110", "2221", "2231", "2641", "2651", "2720",
    "2770", "2911", "2922", "2929", "3021", "3311", "3311", "3360", "3441", "3451", "3484", "3484", "3532", "3562",
    "3670", "3670", "3670", "3821", "3825", "3831", "3841", "3841", "3912", "3973", "3982", "4011", "4014",
)  # fmt: skip
_STORAGE = ("1311", "1353", "1371", "1432")  # warehouses of the food trade

AGRICULTURE = ("farmland", "pond", "orchard", "forest", "wetland", "facility", "village", "village_service")


def far_minimum(industry: NDArray[np.object_]) -> NDArray[np.float64]:
    """Plot-ratio minimum of each four-digit industry code."""
    return np.array([FAR_MINIMUM[code[:2]] for code in industry], dtype=float)


def fill_ordinary(
    table: ParcelTable, use: NDArray[np.object_], as_of: date, rng: np.random.Generator, part: int
) -> None:
    """Fill the columns of every parcel as ordinary land of its use; ``town`` and ``area_m2`` are there already.

    ``part`` (0 or 1) keeps the firms of planted land and of the rest apart.
    """
    n = len(use)
    for name, codes in LAND_USE.items():
        rows = np.flatnonzero(use == name)
        words, shares = zip(*codes, strict=True)
        table["land_use"][rows] = rng.choice(np.array(words, dtype=object), len(rows), p=shares)
    agriculture = np.isin(use, AGRICULTURE)
    table["tenure"][:] = np.where(agriculture, "collective", "state")
    table["declared_area_m2"][:] = np.round(table["area_m2"], 2)
    villages = np.array(village_names(60), dtype=object)
    # A village's land lies together: parcels come in the order of their blocks.
    town_number = np.unique(table["town"].astype(str), return_inverse=True)[1]
    village = villages[(town_number * 7 + np.arange(n) // 160) % len(villages)]
    place = np.where(agriculture, village, "")
    table["address"][:] = table["town"] + place
    table["holder"][:] = np.where(
        agriculture,
        table["town"] + village + "村民委员会",
        table["town"] + np.where(np.isin(use, ("water", "lake")), "水务站", "人民政府"),
    )
    _supply(table, use, as_of, rng)
    rows = np.flatnonzero(np.isin(use, ("industry", "logistics", "eligible")))
    _operate(table, rows, use, rng, part)


def _supply(table: ParcelTable, use: NDArray[np.object_], as_of: date, rng: np.random.Generator) -> None:
    granted = np.isin(use, ("industry", "logistics", "eligible", "housing", "commercial"))
    rows = np.flatnonzero(granted | np.isin(use, ("public", "utility", "rail", "port")))
    n = len(rows)
    area, mu = table["area_m2"][rows], table["area_m2"][rows] * 3 / 2000
    contract = np.datetime64("2005-03-01") + days(rng, 0, 6000, n)
    recent = granted[rows] & (rng.random(n) < 0.045)
    contract = np.where(recent, np.datetime64("2023-10-01") + days(rng, 0, 480, n), contract)
    handover = contract + days(rng, 15, 90, n)
    start_due = handover + days(rng, 180, 365, n)
    started = start_due - days(rng, 10, 100, n)
    completed = started + days(rng, 380, 900, n)
    building = recent & (completed + np.timedelta64(30, "D") > np.datetime64(as_of))
    completed = np.where(
        completed + np.timedelta64(30, "D") > np.datetime64(as_of), np.datetime64("NaT", "D"), completed
    )
    industrial = np.isin(use[rows], ("industry", "logistics", "eligible"))
    price = np.select([industrial, use[rows] == "housing", use[rows] == "commercial"], [3.1e5, 3.6e6, 2.9e6], 1.6e5)
    invest = np.where(industrial, 4.2e6, 7.5e6) * uniform(rng, 0.7, 1.4, n) * mu
    table.put(
        rows,
        supply_kind=np.where(granted[rows], "grant", "allocation"),
        contract_date=contract,
        handover_date=handover,
        start_due=start_due,
        completion_due=start_due + days(rng, 540, 900, n),
        started_on=started,
        completed_on=completed,
        land_price_yuan=np.round(price * uniform(rng, 0.75, 1.3, n) * mu, -2),
        investment_due_yuan=np.round(invest, -4),
        investment_made_yuan=np.round(
            invest * np.where(building, uniform(rng, 0.4, 0.85, n), uniform(rng, 0.93, 1.2, n)), -4
        ),
        area_due_m2=np.round(area, 2),
        area_developed_m2=np.round(area * np.where(building, uniform(rng, 0.45, 0.9, n), uniform(rng, 0.9, 1.0, n)), 2),
        status=np.where(building, "building", np.where(industrial, "producing", "completed")),
        stock_class=np.where(building, "partly_used", "in_use"),
    )
    table["holder"][rows] = np.where(
        granted[rows], np.array(developer_names(n, rng), dtype=object), table["holder"][rows]
    )


def _operate(table: ParcelTable, rows: Ints, use: NDArray[np.object_], rng: np.random.Generator, part: int) -> None:
    """Operating figures and utilities of industrial land, above every threshold by a tenth at least."""
    n = len(rows)
    mu = table["area_m2"][rows] * 3 / 2000
    industry = rng.choice(np.array(_INDUSTRY, dtype=object), n)
    industry = np.where(use[rows] == "logistics", rng.choice(np.array(_STORAGE, dtype=object), n), industry)
    table["holder"][rows] = firm_names(np.array([code[:2] for code in industry], dtype=object), rng, part)
    above = rng.random(n) < 0.58
    per_mu = np.where(above, 68_000 + rng.gamma(1.6, 65_000, n), 34_500 + rng.gamma(1.5, 26_000, n))
    producing = table["status"][rows] == "producing"
    tax = np.where(producing, np.round(per_mu * mu), np.nan)
    output = tax * uniform(rng, 11, 24, n)
    floor = table["area_m2"][rows] * far_minimum(industry) * uniform(rng, 1.13, 1.9, n)
    table.put(
        rows,
        industry=industry,
        above_scale=above.astype(object),
        tax_yuan=tax,
        output_yuan=np.round(output, -3),
        value_added_yuan=np.round(output * uniform(rng, 0.19, 0.31, n), -3),
        fixed_assets_yuan=np.round(table["investment_made_yuan"][rows] * uniform(rng, 0.7, 1.0, n), -3),
        energy_tce=np.round(output / 1e4 * uniform(rng, 0.03, 0.12, n), 1),
        employees=np.where(producing, np.round(mu * uniform(rng, 3, 14, n)) + 5, np.nan),
        year=np.where(producing, 2025, np.nan),
        floor_area_m2=np.where(producing, np.round(floor, 1), np.round(floor * 0.4, 1)),
    )
    lay_utilities(table, rows, rng.choice(np.array([0.4, 0.7, 1.0, 1.6]), n))


def lay_utilities(table: ParcelTable, rows: Ints, scale: NDArray[np.float64]) -> None:
    """Utility capacity at the parcel's border, by a scale (1 = a usual zone road)."""
    table.put(
        rows,
        power_kva=np.round(10_000 * scale, -2),
        water_m3d=np.round(2_000 * scale, -1),
        gas_m3d=np.round(6_000 * scale, -1),
        steam_th=np.round(np.maximum(12 * scale - 4, 0), 0),
        sewage_m3d=np.round(1_500 * scale, -1),
    )
