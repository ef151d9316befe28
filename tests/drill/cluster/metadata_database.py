"""Airflow's metadata on the Airflow host: Postgres where this machine has it, else SQLite."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
from pathlib import Path

from tests.drill.cluster.hosts import Network

DRIVERS = ("psycopg2", "asyncpg")
"""What Airflow imports to speak with Postgres: its scheduler the first, its API the second."""
OWNER = "postgres"
"""The machine's user that may run Postgres, which refuses root."""
AS_OWNER = ("setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--clear-groups")
FOLDER = "/srv/data/postgres"
ADDRESS = "postgresql+psycopg2://airflow:{password}@127.0.0.1/postgres"


def why_sqlite() -> str:
    """Why the metadata lie in SQLite; empty where they lie in Postgres."""
    if not _binaries():
        return "this machine has no Postgres"
    if OWNER not in {user.pw_name for user in pwd.getpwall()}:
        return f"this machine has no user {OWNER}"
    missing = [name for name in DRIVERS if importlib.util.find_spec(name) is None]
    return f"the environment lacks {' and '.join(missing)}" if missing else ""


def make_database(network: Network, host: str) -> str:
    """Make the database's folder on the host's disk; the address that Airflow is given."""
    folder, password = network.data(host) / "postgres", secrets.token_urlsafe(18)
    folder.mkdir(mode=0o700)
    (folder.parent / "postgres.password").write_text(password + "\n")
    owner = pwd.getpwnam(OWNER)
    for path in (folder, folder.parent / "postgres.password"):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    make = [f"{_binaries()}/initdb", "-D", FOLDER, "--username", "airflow", "--no-locale"]
    make += ["--encoding", "UTF8", "--auth", "scram-sha-256", "--pwfile", f"{FOLDER}.password"]
    network.run(host, [*AS_OWNER, *make], {"PATH": "/usr/bin:/bin"})
    return ADDRESS.format(password=password)


def database_command() -> tuple[str, ...]:
    """The database's process, on loopback alone."""
    options = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "shared_buffers": "32MB",
    }
    flags = [flag for name, value in options.items() for flag in ("-c", f"{name}={value}")]
    return (*AS_OWNER, f"{_binaries()}/postgres", "-D", FOLDER, *flags)


def _binaries() -> str:
    """The folder of Postgres' programs; empty where there is none."""
    found = shutil.which("postgres")
    return str(Path(found).resolve().parent) if found else ""
