"""What ``/conformance`` declares is known, complete, and every requirement of it has a test under its number."""

from __future__ import annotations

import importlib
from pathlib import Path

from tests.conformance.conftest import Api
from tests.conformance.requirements import NEEDS, REQUIREMENTS, class_address, listed


def covered() -> set[str]:
    """The numbers that tests of this folder stand for."""
    found = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        module = importlib.import_module(f"tests.conformance.{path.stem}")
        for name in dir(module):
            marks = getattr(getattr(module, name), "pytestmark", []) if name.startswith("test_") else []
            for mark in marks:
                if mark.name == "parametrize" and mark.args[0] == "requirement":
                    found |= set(mark.args[1])
    return found


def test_every_requirement_has_a_test_and_every_test_a_requirement() -> None:
    assert covered() == listed()


def test_every_declared_class_has_its_requirements_listed(api: Api) -> None:
    declared = api.json("/conformance")["conformsTo"]
    assert len(declared) == len(set(declared))
    assert set(declared) == {class_address(one) for one in REQUIREMENTS}


def test_what_a_class_stands_on_is_declared() -> None:
    for needs in NEEDS.values():
        assert set(needs) <= set(REQUIREMENTS)
