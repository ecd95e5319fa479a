"""Land-use codes of the editions in circulation, as far as needed to say that a code belongs to none of them.

Sources: 国土空间调查、规划、用途管制用地用海分类指南 (自然资发〔2023〕234号 and the trial edition of 2020);
第三次全国国土调查工作分类 (DLBM); GB/T 21010-2017; GB 50137-2011. The highest number within a class covers both
editions and is generous: a code refused here is in none of them, a code accepted may still be missing in one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# Class -> highest number of its second level (用地用海分类, 2020 and 2023 together).
_LAND_AND_SEA = {
    "01": 3, "02": 5, "03": 4, "04": 3, "05": 7, "06": 4, "07": 4, "08": 7, "09": 4, "10": 3, "11": 2, "12": 9,
    "13": 13, "14": 3, "15": 7, "16": 0, "17": 6, "18": 4, "19": 6, "20": 3, "21": 2, "22": 8, "23": 7, "24": 0,
}  # fmt: skip
# Class -> highest number of its second level (三调 and GB/T 21010-2017 together; letters follow some).
_SURVEY = {
    "00": 6, "01": 3, "02": 4, "03": 7, "04": 4, "05": 8, "06": 4, "07": 2, "08": 10, "09": 6, "10": 9, "11": 10,
    "12": 7,
}  # fmt: skip
_URBAN = re.compile(r"(R[1-3]|A[1-9]|B[1-9]|M[0-4]|W[1-3]|S[1-49]|U[1-49]|G[1-3]|H[1-9]|E[1-39])\d?|[RABMWSUGHE]")
_LETTERED = re.compile(r"0(5H1|8H1|8H2A?)")


def editions_of(code: str) -> tuple[str, ...]:
    """The editions that may hold a code: ``用地用海``, ``国土调查``, ``城市用地`` (GB 50137); empty for none."""
    text = code.strip().upper()
    found = []
    if re.fullmatch(r"\d{2}(\d{2}){0,2}", text) and text[:2] in _LAND_AND_SEA:
        second = int(text[2:4] or 0)
        if (len(text) == 2 or 1 <= second <= _LAND_AND_SEA[text[:2]]) and text[4:] not in ("00",):
            found.append("用地用海")
    if re.fullmatch(r"\d{2}(\d{2}[A-Z]?)?", text) and text[:2] in _SURVEY:
        second = int(text[2:4] or 0)
        if len(text) == 2 or 1 <= second <= _SURVEY[text[:2]]:
            found.append("国土调查")
    elif _LETTERED.fullmatch(text):
        found.append("国土调查")
    if _URBAN.fullmatch(text):
        found.append("城市用地")
    return tuple(found)


def unknown_codes(codes: Iterable[str]) -> set[str]:
    """Those of the codes that belong to no edition."""
    return {code for code in codes if not editions_of(code)}


# Edition -> its codes -> the 用地用海 code that rules speak of, where one stands for one (conversion sheet of 三调 to
# 用地用海). Codes that the sheet splits, such as 1006 and 08H2, are left out; so are those of GB/T 21010-2017 but for
# industry, whose other numbers differ from the survey's. GB 50137-2011: M industry, W logistics and storage.
_IN_LAND_AND_SEA = {
    "三调": {"0601": "1001", "0602": "1002", "0603": "1003", "0508": "1101", "1004": "1207"},
    "GB/T 21010-2017": {"0601": "1001", "0602": "1002", "0603": "1003"},
    "GB 50137-2011": {
        "M": "1001", "M1": "100101", "M2": "100102", "M3": "100103",
        "W": "1101", "W1": "110101", "W2": "110102", "W3": "110103",
    },
}  # fmt: skip
_SPOKEN = ("2020", "2023")  # the industrial and storage classes are the same in both


def land_and_sea_codes(parcels: pd.DataFrame) -> NDArray[np.object_]:
    """The 用地用海 code of each parcel, ``""`` where there is none or its edition cannot be converted.

    The same digits mean different land in different editions (1001 is industry here and railway in 三调), so that a
    rule may only look at codes of its own edition. A code without edition is taken as one of 用地用海.

    Parameters
    ----------
    parcels : ``land_use`` and, where it is known, ``land_use_edition``
    """
    codes = parcels["land_use"].fillna("").astype(str)
    if "land_use_edition" not in parcels:
        return codes.to_numpy(dtype=object)
    edition = parcels["land_use_edition"].fillna("").astype(str)
    found = codes.where(edition.isin(["", *_SPOKEN]), "")
    for name, table in _IN_LAND_AND_SEA.items():
        rows = edition == name
        if rows.any():
            found[rows] = codes[rows].str.upper().map(table).fillna("")
    return found.to_numpy(dtype=object)
