"""How much of a parcel's land belongs to each of the firms on it, and how that is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from geo.land.firm_identity import Ints, Objects
from geo.land.uses import Bools, Floats, Uses, floats

LandBasis = Literal["used", "parcel", "declared"]
# Why a value is unknown; of several reasons for a sum the last one is told. The first is none, the second the value.
REASONS = np.array([None, None, "year", "declared_area_m2", "area_m2", "enterprises", "apportionment"], dtype=object)
KNOWN, ITSELF, NO_YEAR, DECLARED, AREA, ROWS, APPORTIONMENT = range(len(REASONS))
# What land is measured by and how a parcel of several firms is divided; several may be true of a firm or a parcel.
_STATED, _ELLIPSOIDAL, _REGISTERED, _BY_AREA, _BY_STAFF = 1, 2, 4, 8, 16
_BASES = {_STATED: "各企业填报", _ELLIPSOIDAL: "椭球面积", _REGISTERED: "登记面积"}
_WAYS = {_BY_AREA: "各企业用地面积", _BY_STAFF: "从业人数"}


@dataclass(frozen=True, slots=True)
class LandOfUses:
    """Land of uses (u) and of parcels (n), with bits that say how it was taken.

    ``fraction`` (u,) of the parcel's whole that a use stands for, ``nan`` where that is unknown · ``why``,
    ``parcel_why`` numbers of ``REASONS`` · ``basis``, ``parcel_basis`` bits
    """

    land_m2: Floats
    fraction: Floats
    why: Ints
    basis: Ints
    parcel_land_m2: Floats
    parcel_why: Ints
    parcel_basis: Ints


def land_of(
    parcels: pd.DataFrame, uses: Uses, stated_m2: Floats, employees: Floats, land: LandBasis, is_sole: Bools
) -> LandOfUses:
    """Land of each use.

    A parcel of several firms is divided by the areas they state where all do and these are not all nought, else by
    their employees on the same condition, else not at all.

    Parameters
    ----------
    parcels : (n) with ``area_m2`` and ``declared_area_m2``
    stated_m2, employees : (u,) what the rows of each use's firm state for it
    land : see ``MeasureRules.land``; ``used`` takes stated areas as they are
    is_sole : (u,) whether the firm is alone on its parcel
    """
    count = len(parcels)
    by_area = _portion(stated_m2, uses.parcel, count)
    by_staff = _portion(employees, uses.parcel, count)
    fraction = np.where(is_sole, 1.0, np.where(np.isnan(by_area), by_staff, by_area))
    way = np.where(is_sole | np.isnan(fraction), 0, np.where(np.isnan(by_area), _BY_STAFF, _BY_AREA))
    ground = floats(parcels, "declared_area_m2" if land == "declared" else "area_m2")
    ground_bit, ground_why = (_REGISTERED, DECLARED) if land == "declared" else (_ELLIPSOIDAL, AREA)
    is_stated = ~np.isnan(stated_m2) if land == "used" else np.zeros(len(fraction), dtype=bool)
    on_ground = ground[uses.parcel]
    land_m2 = np.where(is_stated, stated_m2, on_ground * fraction)
    why = np.where(np.isnan(on_ground), ground_why, np.where(np.isnan(fraction), APPORTIONMENT, KNOWN))
    # All firms of a parcel together use what they state, else the parcel, however it is divided.
    all_stated = np.bincount(uses.parcel, ~is_stated, minlength=count) == 0
    parcel_land = np.where(all_stated, np.bincount(uses.parcel, np.where(is_stated, stated_m2, 0), count), ground)
    divided = union(way, uses.parcel, count)
    return LandOfUses(
        land_m2, fraction, np.where(is_stated, KNOWN, why), np.where(is_stated, _STATED, ground_bit | way),
        parcel_land, np.where(np.isnan(parcel_land), ground_why, KNOWN),
        np.where(all_stated, _STATED, ground_bit) | divided,
    )  # fmt: skip


def union(bits: Ints, group: Ints, groups: int) -> Ints:
    """The bits that any member of a group has: (groups,)."""
    found = np.zeros(groups, dtype=np.int64)
    np.bitwise_or.at(found, group, bits)
    return found


def land_texts(bits: Ints) -> Objects:
    """How the land was taken, in words."""
    return texts(bits, lambda one: _joined(_BASES, one, "与") + _bracketed(_joined(_WAYS, one, "与")))


def ways_texts(bits: Ints) -> Objects:
    """What a parcel of several firms was divided by, in words; ``None`` where it was not."""
    return texts(bits, lambda one: _joined(_WAYS, one, "与"))


def texts(bits: Ints, told: Callable[[int], str]) -> Objects:
    """A text for each pattern of bits, made once a pattern; an empty one is ``None``."""
    patterns, at = np.unique(bits, return_inverse=True)
    return np.array([told(int(one)) or None for one in patterns], dtype=object)[at]


def _joined(words: dict[int, str], bits: int, by: str) -> str:
    return by.join(word for bit, word in words.items() if bits & bit)


def _bracketed(text: str) -> str:
    return f"（按{text}分摊）" if text else ""


def _portion(value: Floats, group: Ints, groups: int) -> Floats:
    """Each value over the sum of its group; ``nan`` where one is unknown or the sum is not above 0."""
    whole = np.bincount(group, value, minlength=groups)[group]
    return np.divide(value, whole, out=np.full(len(value), np.nan), where=whole > 0)
