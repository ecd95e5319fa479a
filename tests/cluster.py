"""A private PostgreSQL server with PostGIS, for tests and benches: on a unix socket, in a temporary folder."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg2

TEMPLATE = "lianpian_template"
_numbers = count(1)


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL server of our own: its programs, its data, its socket; no TCP."""

    programs: Path
    home: Path
    account: str | None  # the account that owns the server; None where it is ours

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs as the server's owner; its words are in the error when it fails."""
        command = [str(self.programs / program), *arguments]
        if self.account is not None:
            command = ["setpriv", f"--reuid={self.account}", f"--regid={self.account}", "--clear-groups", *command]
        log = self.home / f"{program}.out"
        with log.open("wb") as words:  # a pipe would stay open as long as the server that pg_ctl starts
            done = subprocess.run(command, stdout=words, stderr=words, cwd=self.home, timeout=120, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{log.read_text(errors='replace')}")

    def url(self, database: str) -> str:
        """The address of a database."""
        return f"postgresql:///{database}?host={self.home}&user=lianpian"

    def execute(self, statement: str, url: str | None = None) -> None:
        """Run one statement outside a transaction."""
        connection = psycopg2.connect(url or self.url("postgres"))
        connection.autocommit = True
        try:
            connection.cursor().execute(statement)
        finally:
            connection.close()

    def fresh_database(self) -> str:
        """The address of a new, empty database with PostGIS."""
        name = f"test_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return self.url(name)


def _programs() -> Path:
    """The newest installed server that has PostGIS."""
    controls = glob.glob("/usr/share/postgresql/*/extension/postgis.control")
    versions = sorted((path.split("/")[4] for path in controls), key=int)
    found = [path for version in versions if os.path.exists(path := f"/usr/lib/postgresql/{version}/bin/initdb")]
    if not found:
        on_path = shutil.which("initdb")
        found = [os.path.realpath(on_path)] if on_path else []
    if not found:
        raise RuntimeError("PostGIS is missing and no test may skip it: apt-get install postgresql postgis")
    return Path(found[-1]).parent


@contextmanager
def private_cluster(*further: str) -> Iterator[Cluster]:
    """A private PostGIS server on a unix socket in a temporary folder, stopped at the end.

    ``further`` settings as ``name=value``.
    """
    # /tmp and a short name: the path of a unix socket may have about 100 characters.
    home = Path(tempfile.mkdtemp(prefix="lianpian-pg-", dir="/tmp"))
    account = None
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        try:
            account = "postgres" if pwd.getpwnam("postgres") else None
        except KeyError:
            account = "nobody"
        shutil.chown(home, account)
    home.chmod(0o755)
    cluster = Cluster(_programs(), home, account)
    data = str(home / "data")
    settings = (
        f"-c listen_addresses='' -c unix_socket_directories={home} -c fsync=off -c synchronous_commit=off "
        "-c full_page_writes=off -c max_connections=60 -c shared_buffers=64MB -c autovacuum=off"
    ) + "".join(f" -c {setting}" for setting in further)
    try:
        cluster.run("initdb", "-D", data, "-E", "UTF8", "--locale=C.UTF-8", "-A", "trust", "-U", "lianpian", "-N")
        cluster.run("pg_ctl", "-D", data, "-o", settings, "-l", str(home / "log"), "-w", "-t", "60", "start")
        try:
            cluster.execute(f"CREATE DATABASE {TEMPLATE}")
            cluster.execute("CREATE EXTENSION postgis", cluster.url(TEMPLATE))
            yield cluster
        finally:
            cluster.run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(home, ignore_errors=True)
