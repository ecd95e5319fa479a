"""Who is who: one firm behind the credit codes and names that registers and firm tables write."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Objects = NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Identities:
    """The firm of each parcel and of each row of a firm table, as numbers.

    ``of_parcel`` (n,) · ``of_row`` (m,), -1 for a row that names neither firm nor parcel
    """

    of_parcel: Ints
    of_row: Ints
    _codes: pa.Array
    _names: pa.Array
    _parcel_ids: Objects

    def firm_ids(self, firms: Ints) -> Objects:
        """Readable identifiers (k,) of firm numbers: the credit code, else the name, else ``宗地`` and the parcel."""
        return self._texts(firms, self._codes, 0, self._texts(firms, self._names, len(self._codes), self._land(firms)))

    def credit_codes(self, firms: Ints) -> Objects:
        """Credit codes (k,), ``None`` for firms known by name only."""
        return self._texts(firms, self._codes, 0, np.full(len(firms), None, dtype=object))

    def _land(self, firms: Ints) -> Objects:
        first = len(self._codes) + len(self._names)
        found = np.full(len(firms), None, dtype=object)
        alone = firms >= first
        # No name contains a blank once it is made comparable, so this is never a firm's name.
        found[alone] = [f"宗地 {identity}" for identity in self._parcel_ids[firms[alone] - first]]
        return found

    @staticmethod
    def _texts(firms: Ints, texts: pa.Array, first: int, rest: Objects) -> Objects:
        inside = (firms >= first) & (firms < first + len(texts))
        found = rest.copy()
        found[inside] = texts.take(pa.array(firms[inside] - first)).to_numpy(zero_copy_only=False)
        return found


def identify(parcels: pd.DataFrame, rows: pd.DataFrame, position: Ints) -> Identities:
    """Number the firms behind parcels and rows.

    The credit code decides, else the name. A name without code is the firm of the one code that goes with this name
    anywhere; where several do, it stays a firm of its own. A row without either is the firm that holds its parcel, and
    a parcel without either stands for itself. Full and half width, case and blanks are not told apart.

    Parameters
    ----------
    parcels : (n) ``parcel_id``, ``credit_code``, ``holder``
    rows : (m) ``credit_code``, ``holder``
    position : (m,) row of the parcel that each row names, -1 for none
    """
    count = len(parcels)
    code, codes = _numbered(parcels["credit_code"], rows["credit_code"])
    name, names = _numbered(parcels["holder"], rows["holder"])
    firm = np.where(code >= 0, code, -1)
    by_name = _codes_of_names(name, code, names, codes)
    named = (firm < 0) & (name >= 0)
    firm[named] = by_name[name[named]]
    of_parcel, of_row = firm[:count], firm[count:]
    alone = of_parcel < 0
    of_parcel[alone] = len(codes) + len(names) + np.flatnonzero(alone)
    silent = (of_row < 0) & (position >= 0)
    of_row[silent] = of_parcel[position[silent]]
    return Identities(of_parcel, of_row, codes, names, parcels["parcel_id"].to_numpy(dtype=object))


def arrow_texts(values: pd.Series | Objects) -> pa.Array:
    """Texts as Arrow keeps them, where they are compared and put in order many times faster than as objects."""
    found = pa.array(values, type=pa.large_string(), from_pandas=True)
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def distinct(values: Ints) -> Ints:
    """The distinct numbers in order; sorting is several times faster than the hashing of ``np.unique``."""
    ordered = np.sort(values)
    return ordered[np.diff(ordered, prepend=ordered[:1] - 1) != 0]


def _numbered(parcels: pd.Series, rows: pd.Series) -> tuple[Ints, pa.Array]:
    """Each text as its number among the distinct comparable ones, -1 for none, and these."""
    written = pa.concat_arrays([arrow_texts(parcels), arrow_texts(rows)]).dictionary_encode()
    comparable = _comparable(written.dictionary).dictionary_encode()
    return _numbers(comparable)[_numbers(written)[:-1]], comparable.dictionary


def _numbers(coded: pa.DictionaryArray) -> Ints:
    """Number of each text, and one more for -1: none."""
    return np.append(coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64), -1)


def _comparable(text: pa.Array) -> pa.Array:
    text = pc.replace_substring(pc.utf8_upper(pc.utf8_normalize(text, form="NFKC")), " ", "")
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.large_string()), text)


def _codes_of_names(name: Ints, code: Ints, names: pa.Array, codes: pa.Array) -> Ints:
    """The firm that a bare name stands for: (names,) numbers, those of the codes before those of the names."""
    found = len(codes) + np.arange(len(names))
    both = (name >= 0) & (code >= 0)
    pairs = distinct(name[both] * max(len(codes), 1) + code[both])
    owner, of = np.divmod(pairs, max(len(codes), 1))
    one = np.bincount(owner, minlength=len(names)) == 1
    found[owner[one[owner]]] = of[one[owner]]
    # A register that writes the credit code where the name belongs.
    written = pc.index_in(names, value_set=codes).fill_null(-1).to_numpy(zero_copy_only=False)
    return np.where(written >= 0, written, found).astype(np.int64)
