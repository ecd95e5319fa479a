"""Values as JSON text, in the one form in which stores keep them and files carry them."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import numpy as np
import pandas as pd


def plain_json(value: Any) -> Any:
    """What JSON does not know, as something it knows."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} 不能写成 JSON")


_strict = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=plain_json)


def json_text(value: Any) -> str:
    """A value as JSON text without needless spaces, Chinese as it is; ``ValueError`` for numbers that are none."""
    return _strict.encode(value)
