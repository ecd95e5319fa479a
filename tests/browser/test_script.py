"""The page's pure functions, under Node's own test runner."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

WORKBENCH = Path(__file__).resolve().parents[2] / "maps" / "workbench"


def test_the_pure_functions_of_the_page() -> None:
    node = shutil.which("node")
    assert node, "Node is missing and no test may skip it: make workbench"
    files = sorted(str(path) for path in (WORKBENCH / "test").glob("*.test.js"))
    assert files
    done = subprocess.run([node, "--test", *files], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout
    assert "# pass 0" not in done.stdout


def test_the_types_of_the_page() -> None:
    checker = WORKBENCH / "node_modules" / "typescript" / "bin" / "tsc"
    assert checker.is_file(), "the page's packages are missing: make workbench"
    node = shutil.which("node")
    assert node
    done = subprocess.run([node, str(checker), "-p", str(WORKBENCH)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
