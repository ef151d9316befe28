"""A real Postgres on loopback, of a user that may run one: the server refuses root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.plugins.free_ports import free_port

OWNER = "postgres"
"""The machine's user that runs the server where the tests run as root."""
USER, PASSWORD = "airflow", "s3cret-%of-tests"
"""The password has a sign that addresses must quote."""
QUOTED = "s3cret-%25of-tests"


@dataclass(frozen=True)
class Postgres:
    """One running server."""

    port: int
    folder: Path

    def address(self, database: str, password: str = QUOTED, port: int = 0) -> str:
        return f"postgresql+psycopg2://{USER}:{password}@127.0.0.1:{port or self.port}/{database}"

    def sql(self, statement: str, database: str = "postgres") -> str:
        """What psql prints for a statement of the server's owner."""
        words = ["psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", OWNER, "-d", database]
        done = subprocess.run(
            [*words, "-At", "-c", statement],
            env={**os.environ, "PGPASSWORD": PASSWORD},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def make(self, database: str) -> str:
        """Make an empty database of the user's own; its address."""
        self.sql(f'CREATE DATABASE "{database}" OWNER {USER}')
        return self.address(database)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server with the user of the tests; it is gone at the end."""
    programs, prefix = _programs(), _as_owner()
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    made = Postgres(free_port(), folder)
    password = folder / "password"
    password.write_text(PASSWORD)
    if prefix:
        for path in (folder, password):
            shutil.chown(path, OWNER, OWNER)
    data, server = str(folder / "data"), [*prefix, str(programs / "pg_ctl"), "-w", "-s"]
    make = [*prefix, str(programs / "initdb"), "-D", data, "-U", OWNER, "--no-locale", "-N"]
    make += ["-E", "UTF8", "--auth", "scram-sha-256", "--pwfile", str(password)]
    options = f"-p {made.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
    start = [*server, "-D", data, "-l", str(folder / "log"), "-o", f"{options} -c fsync=off"]
    try:
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd=folder)
        subprocess.run([*start, "start"], check=True, cwd=folder, stdout=subprocess.DEVNULL)
        made.sql(f"CREATE USER {USER} PASSWORD '{PASSWORD}'")
        yield made
    finally:
        subprocess.run([*server, "-D", data, "-m", "immediate", "stop"], cwd=folder)
        shutil.rmtree(folder)


def _programs() -> Path:
    """The folder of the server's programs; a visible skip where this machine has none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not found and not on_path:
        pytest.skip("this machine has no Postgres (Debian: apt install postgresql)")
    return found[-1].parent if found else Path(str(on_path)).resolve().parent


def _as_owner() -> list[str]:
    """What precedes the server's commands."""
    if os.geteuid():
        return []
    if OWNER not in {user.pw_name for user in pwd.getpwall()}:
        pytest.skip(f"Postgres does not run as root, and this machine has no user {OWNER}")
    return ["setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--clear-groups"]
