"""The rules of the house: who may import whom, where SQL lives, what is committed, what a wheel carries."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("geo", "maps", "api", "data")
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-node.lock")

# Every room and the rooms that it may know. A room that is not listed may not exist.
GROUND = {"geo.units", "geo.crs", "geo.errors"}
LAYERS = GROUND | {"geo.layers"}
FINDERS = {"geo.land", "geo.plots", "geo.logistics"}
GEO = (
    LAYERS
    | FINDERS
    | {"geo.matching", "geo.store", "geo.importing", "geo.exporting", "geo.comparing", "geo.eligibility"}
)
MAY_KNOW = {
    "geo": GEO,
    "geo.units": GROUND,
    "geo.crs": GROUND,
    "geo.errors": GROUND,
    "geo.layers": LAYERS,
    "geo.store": LAYERS,
    "geo.land": LAYERS,
    "geo.plots": LAYERS,
    "geo.logistics": LAYERS,
    "geo.matching": LAYERS | FINDERS,
    "geo.importing": LAYERS | {"geo.store"},
    "geo.exporting": LAYERS | {"geo.store"},
    "geo.eligibility": LAYERS | {"geo.land"},
    "geo.pipeline": GEO,
    "geo.comparing": LAYERS | {"geo.store", "geo.land"},
    "data": GEO | {"geo.pipeline"},
    "maps": GEO | {"geo.pipeline", "data"},
    "api": GEO | {"geo.pipeline", "data", "maps"},
}
DATABASE_LIBRARIES = {"sqlite3", "psycopg2", "psycopg", "sqlalchemy", "duckdb", "asyncpg"}
SQL = re.compile(
    r"\bSELECT\b.+\bFROM\b|\b(INSERT|REPLACE)\s+INTO\b|\bUPDATE\b.+\bSET\b|\bDELETE\s+FROM\b|\bMERGE\s+INTO\b"
    r"|\b(CREATE|DROP|ALTER)\s+(TEMP\s+|UNIQUE\s+|OR\s+REPLACE\s+|VIRTUAL\s+)*(TABLE|INDEX|VIEW|SCHEMA|EXTENSION|FUNCTION|TRIGGER)\b"
    r"|\bPRAGMA\s+\w|\bBEGIN\s+IMMEDIATE\b|\bST_[A-Z]\w+\(",
    re.DOTALL,
)


@cache
def modules() -> dict[str, Path]:
    """Dotted name -> file of every module of the project."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if "node_modules" not in parts:
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def tree_of(path: Path) -> ast.Module:
    """The parsed source of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports_of(name: str) -> Iterator[str]:
    """Every dotted name that a module imports, relative ones resolved, those inside functions included."""
    path = modules()[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                yield inner if inner in modules() else source


def room_of(name: str) -> str:
    """The room of a module: ``geo.plots`` for ``geo.plots.shape``, ``maps`` for ``maps.tiles.mvt``."""
    parts = name.split(".")
    return ".".join(parts[:2]) if parts[0] == "geo" else parts[0]


def tracked_files() -> list[Path]:
    """The files that are, or would be, committed."""
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        listing = subprocess.run(
            [git, "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        names = [name for name in listing.stdout.decode().split("\0") if name]
    else:  # an unpacked archive
        made = {".git", ".venv", ".cache", "node_modules", "dist", "build", "var", "screenshots", "__pycache__"}
        made |= {".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"}
        names = []
        for folder, folders, files in os.walk(ROOT):
            folders[:] = [each for each in folders if each not in made]
            names += [os.path.relpath(os.path.join(folder, each), ROOT) for each in files]
    return [ROOT / name for name in sorted(names) if (ROOT / name).is_file()]


def text_of(path: Path) -> str | None:
    """The text of a file, ``None`` of a binary one."""
    content = path.read_bytes()
    return None if b"\0" in content else content.decode("utf-8", errors="replace")


@cache
def lock(name: str) -> dict[str, list[str]]:
    """Package -> pinned versions (several where markers choose) of a lock file."""
    pins: dict[str, list[str]] = {}
    for line in (ROOT / name).read_text().splitlines():
        if match := re.match(r"([a-z0-9][a-z0-9.-]*)==([^ ;\\]+)", line):
            pins.setdefault(match[1], []).append(match[2])
    return pins


@cache
def project() -> dict:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


# --- rooms


def test_every_module_knows_only_the_rooms_below_it() -> None:
    wrong = []
    for name in modules():
        room = room_of(name)
        if room not in MAY_KNOW:
            wrong.append(f"{name}: the design has no room {room}")
            continue
        for other in imports_of(name):
            if other.split(".")[0] in (*PACKAGES, "tests"):
                known = room_of(other)
                if known != room and known not in MAY_KNOW[room]:
                    wrong.append(f"{name} imports {other}")
    assert not wrong, "\n".join(wrong)


def test_the_rooms_have_no_circles() -> None:
    """Between modules too: a circle inside a room is as hard to read as one between rooms."""
    edges = {name: {other for other in imports_of(name) if other in modules() and other != name} for name in modules()}
    done: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, "a circle: " + " → ".join([*path[path.index(name) :], name])
        if name not in done:
            for other in sorted(edges[name]):
                walk(other, (*path, name))
            done.add(name)

    for name in sorted(edges):
        walk(name, ())


def test_sql_lives_in_the_store_alone() -> None:
    wrong = []
    for name, path in modules().items():
        # A foreign GeoPackage is a database too; its schema is looked at before GDAL may open it.
        # Finished tiles lie in SQLite files of their own: pictures for a worker or a static host, not land to be asked.
        if room_of(name) == "geo.store" or name.endswith((".sqlite_check", "tiles.cache", "tiles.archives")):
            continue
        wrong += [f"{name} imports {each}" for each in imports_of(name) if each.split(".")[0] in DATABASE_LIBRARIES]
        tree = tree_of(path)
        prose = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        wrong += [
            f"{name}:{node.lineno}: {node.value.strip()[:60]}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in prose
            and SQL.search(node.value)
        ]
    assert not wrong, "\n".join(wrong)


# --- what is committed


def test_no_download_address_and_no_machine_path_is_committed() -> None:
    registry = re.compile(
        r"https?://[^/\s\"']*(registry|pypi|pythonhosted|npmjs|mirror)"
        r"|(^|\s)--?(extra-index-url|index-url|find-links|registry)[ =]\S*(://|/)"
    )
    machine = re.compile(r"(?<![\w.])/(root|home/\w+|Users/\w+|work|opt)/")
    wrong = []
    for path in tracked_files():
        if (text := text_of(path)) is None or path == Path(__file__):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if registry.search(line) or machine.search(line):
                wrong.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert not wrong, "\n".join(wrong)


def test_no_built_bundle_and_no_secret_is_committed() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in tracked_files()}
    built = {name for name in names if name.startswith("maps/workbench/dist/") or "node_modules/" in name}
    assert not built
    assert not {name for name in names if Path(name).name == ".env" or name.endswith((".pem", ".key"))}


@pytest.mark.parametrize("name", LOCKS)
def test_python_locks_pin_every_package_by_hash(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text
    blocks = [block for block in re.split(r"\n(?=\S)", text) if block.strip() and not block.startswith("#")]
    assert blocks
    for block in blocks:
        assert re.match(r"[a-z0-9][a-z0-9.-]*==\S+", block), block[:60]
        assert "--hash=sha256:" in block, block[:60]


def test_the_node_lock_pins_every_package_by_hash() -> None:
    text = (ROOT / "maps/workbench/package-lock.json").read_text()
    assert '"resolved"' not in text
    packages = json.loads(text)["packages"]
    assert len(packages) > 1
    assert not [name for name, entry in packages.items() if name and not entry.get("integrity")]


def test_the_locks_hold_what_the_project_asks_for() -> None:
    runtime, dev = lock("requirements.lock"), lock("requirements-dev.lock")
    extras = project()["project"]["optional-dependencies"]
    asked = [
        *((runtime, each) for each in project()["project"]["dependencies"] + extras["build"]),
        *((dev, each) for each in extras["dev"]),
    ]
    for pins, line in asked:
        wanted = Requirement(line)
        assert wanted.name in pins, f"{line}: not locked; run make lock"
        assert all(wanted.specifier.contains(version) for version in pins[wanted.name]), f"{line}: run make lock"
    assert extras["build"] == project()["build-system"]["requires"]
    assert {name: dev.get(name) for name in runtime} == runtime, "the tests run on other libraries than the service"


# --- what is shipped


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The files inside a wheel built now."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_a_wheel_carries_the_data_and_the_page(wheel_names: set[str]) -> None:
    workbench = ROOT / "maps" / "workbench"
    committed = [path for path in tracked_files() if path.relative_to(ROOT).parts[0] in PACKAGES]
    shipped = [path for path in committed if workbench not in path.parents or path.suffix == ".py"]
    expected = {path.relative_to(ROOT).as_posix() for path in shipped}
    for folder in ("data/ledgers/", "data/rules/", "data/profiles/", "data/demo/"):
        assert any(name.startswith(folder) and name.endswith(".toml") for name in expected), f"nothing in {folder}"
    page = {path.relative_to(ROOT).as_posix() for path in (workbench / "dist").rglob("*") if path.is_file()}
    assert not (expected | page) - wheel_names
    if os.environ.get("CI"):  # there the page has been built
        assert "maps/workbench/dist/index.html" in wheel_names


def test_a_wheel_carries_nothing_else(wheel_names: set[str]) -> None:
    assert {name.split("/")[0] for name in wheel_names} - {*PACKAGES} == {
        f"lianpian-{project()['project']['version']}.dist-info"
    }
    assert "maps/workbench/__init__.py" in wheel_names
    strays = (
        "node_modules/",
        "__pycache__/",
        "maps/workbench/src/",
        "maps/workbench/test/",
        "package.json",
        "build.js",
    )
    assert not [name for name in wheel_names if any(stray in name for stray in strays)]


def test_an_office_starts_postgis_and_the_service() -> None:
    compose = ROOT / "docker-compose.yml"
    services = yaml.safe_load(compose.read_text())["services"]
    assert set(services) == {"db", "service"}
    assert services["service"]["depends_on"]["db"]["condition"] == "service_healthy"
    assert services["service"]["environment"]["LIANPIAN_STORE"].startswith("postgresql://")
    assert all(port.startswith("127.0.0.1:") for port in services["service"]["ports"])
    assert "healthcheck" in services["db"]
    assert "\nHEALTHCHECK " in (ROOT / "Dockerfile").read_text()
    # No password is written down: both come from the environment, and without it nothing starts.
    for service, key in (("db", "POSTGRES_PASSWORD"), ("service", "PGPASSWORD")):
        assert re.fullmatch(r"\$\{LIANPIAN_DB_PASSWORD:\?[^}]+\}", services[service]["environment"][key])
    for command in (["docker", "compose"], ["docker-compose"]):
        there = shutil.which(command[0]) and subprocess.run([*command, "version"], capture_output=True).returncode == 0
        if there:
            config = [*command, "--file", str(compose), "config", "--quiet"]
            without = {key: value for key, value in os.environ.items() if key != "LIANPIAN_DB_PASSWORD"}
            given = subprocess.run(config, env={**without, "LIANPIAN_DB_PASSWORD": "x"}, capture_output=True, text=True)
            assert given.returncode == 0, given.stderr
            missing = subprocess.run([*config, "--env-file", os.devnull], env=without, capture_output=True, text=True)
            assert missing.returncode != 0


def test_the_image_is_made_by_the_makefile() -> None:
    steps = (ROOT / "Dockerfile").read_text()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = {
        target
        for line in re.findall(r"^RUN make (.+)$", steps, re.MULTILINE)
        for target in line.split(" && ")[0].split()
    }
    assert used == {"setup", "workbench"}
    assert used <= targets
    assert "pip install" not in steps
    assert "npm " not in steps
    assert re.search(r"^USER (?!root)\w+$", steps, re.MULTILINE)


def test_the_readme_names_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in readme
    assert "make test" in readme
