"""Stores that the service of these tests stands on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.district import Analysed


@pytest.fixture(scope="module")
def district_copy(analysed_geopackage: Analysed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The analysed district as a file of its own, which the tests of a file may change."""
    source = Path(str(analysed_geopackage.store.path))  # type: ignore[attr-defined]
    copy = tmp_path_factory.mktemp("served") / "district.gpkg"
    for suffix in ("", "-wal"):
        part = source.with_name(source.name + suffix)
        if part.exists():
            shutil.copyfile(part, copy.with_name(copy.name + suffix))
    return copy
