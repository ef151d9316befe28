"""Airflow's metadata at a start: the database is found fit, made, or migrated, and never harmed.

`prepare_database` is right before every start. It compares the revision that the database bears
with those of the installed Airflow:

- none: the tables are made;
- the latest: nothing runs;
- an earlier one: Airflow's migrations run. Of SQLite they run on a copy, which then takes the
  place of the file, so that a killed migration changes nothing; the old file stays beside it.
  Postgres has transactions;
- one that this Airflow does not know, of a newer version: it is refused.

On Postgres a lock lets one host migrate, and the others find its work done. No error shows an
address whole: it holds a password.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from marquee.errors import SettingsError, StackError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection

DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
DATABASE_VARIABLES = (DATABASE, f"{DATABASE}_CMD", f"{DATABASE}_SECRET")
"""The variables in which Airflow looks for the address of its database."""
OLDEST_POSTGRES = 14
"""The oldest server that Airflow 3.3 supports (its page "Set up a Database Backend")."""
DRIVER = "postgresql+psycopg2"
SECONDS_TO_CONNECT = 10
LOCK = 7_214_015
"""Number of the advisory lock of those that migrate; Airflow's own locks are below 200."""
REVISION = re.compile(r'^revision\b[^=\n]*= *["\'](\w+)["\']', re.MULTILINE)
PARENT = re.compile(r'^down_revision\b[^=\n]*= *["\'](\w+)["\']', re.MULTILINE)
ERROR = re.compile(r"[\w.]+(Error|Exception): ")
"""An error of Python's; SQLAlchemy prints the statement and an address of its own below."""
CREATE = "create it: sudo -u postgres createdb --owner {user} {database}"
GRANT = 'as its owner: GRANT CONNECT ON DATABASE "{database}" TO "{user}"'
CAUSES = (
    ("could not translate host name", "has no address", "correct the host in {variable}"),
    ("authentication failed", "refuses the user or the password", "correct both in {variable}"),
    ("no password supplied", "wants a password", "put it into {variable}"),
    ('role "', "knows no such user", "create it: sudo -u postgres createuser --pwprompt {user}"),
    ("pg_hba.conf", "lets no such user in from here", "add this host to its pg_hba.conf"),
    ("permission denied", "lets {user} not into '{database}'", GRANT),
    ("SSL", "and this host do not agree on SSL", "correct sslmode and sslrootcert in {variable}"),
    ("invalid", "cannot be asked so", "correct the port, or what follows '?', in {variable}"),
    ("on socket", "has no socket there", "start Postgres there, or correct {variable}"),
    ('database "', "has no database '{database}'", CREATE),
    ("Connection refused", "does not listen", "start Postgres there, or correct {variable}"),
    ("timeout expired", "does not answer", "open its port in the firewall, or correct {variable}"),
    ("No route to host", "cannot be reached", "correct the host in {variable}"),
    ("starting up", "is starting", "wait until it accepts connections"),
    ("too many", "has no connection left", "raise its max_connections"),
)
"""What libpq says (in English; else the last line of `_refusal`), what we say, the remedy."""


def prepare_database(environment: Mapping[str, str]) -> None:
    """Make or migrate the database that the environment names, unless it is as Airflow wants it.

    Raises SettingsError for an address that is none, StackError for a database that cannot be
    reached, is too old or too new, or whose migration fails.
    """
    address = database_address(environment)
    if address.startswith("sqlite"):
        _prepare_sqlite(_sqlite_path(address), environment)
        return
    with _locked(address) as connection:
        if _is_behind(_postgres_revisions(connection), _where(connection.engine.url)):
            migrate_airflow(environment)


def database_address(environment: Mapping[str, str]) -> str:
    """The address of the database; where a command or a secrets backend has it, these are asked."""
    if address := environment.get(DATABASE):
        return address
    words = [sys.executable, "-m", "airflow", "config", "get-value", "database", "sql_alchemy_conn"]
    try:
        if command := environment.get(f"{DATABASE}_CMD"):
            words = shlex.split(command)
        done = subprocess.run(words, env=os.environ | environment, capture_output=True, text=True)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{DATABASE}_CMD cannot run: {error}", "correct it") from None
    if done.returncode or not done.stdout.strip():
        raise SettingsError(
            "the address of Airflow's database is given by nobody", f"set {DATABASE}"
        )
    return done.stdout.strip().splitlines()[-1]


def migrate_airflow(environment: Mapping[str, str]) -> None:
    """Run Airflow's own migrations; StackError with Airflow's last error if that fails."""
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        printed = (done.stdout + done.stderr).strip().splitlines()
        errors = [line for line in printed if ERROR.match(line)]
        raise StackError(
            f"Airflow's database could not be made: {(errors or printed or ['no word'])[-1]}",
            f"look at {environment['AIRFLOW_HOME']}",
        )


def airflow_revisions() -> tuple[set[str], set[str]]:
    """All revisions of the installed Airflow's database, and the latest, without importing it."""
    spec = importlib.util.find_spec("airflow")
    found = list(spec.submodule_search_locations or ()) if spec else []
    files = [one for folder in found for one in Path(folder, "migrations/versions").glob("*.py")]
    texts = [file.read_text("utf-8") for file in files]
    known = {name for text in texts for name in REVISION.findall(text)}
    if not known:
        raise StackError("Airflow's migrations are not installed here", "run `make setup`")
    return known, known - {name for text in texts for name in PARENT.findall(text)}


def _is_behind(found: set[str], where: str) -> bool:
    """Whether migrations must run; StackError where a newer Airflow has run its own."""
    known, latest = airflow_revisions()
    if unknown := ", ".join(sorted(found - known)):
        raise StackError(
            f"a newer Airflow made {where} (revision {unknown})",
            "go back to that version of Marquee, or to the backup taken before it was installed",
        )
    return found != latest


def _sqlite_path(address: str) -> Path:
    """The file of an address, without the options behind it."""
    path = Path(address.partition("///")[2].partition("?")[0])
    if not path.is_absolute():
        raise SettingsError(
            f"{DATABASE} names no file of SQLite", f"set {DATABASE}=sqlite:////path/airflow.db"
        )
    return path


def _prepare_sqlite(path: Path, environment: Mapping[str, str]) -> None:
    try:
        _migrate_sqlite(path, environment)
    except (OSError, sqlite3.Error) as error:
        raise StackError(
            f"{path} could not be migrated, and is as it was: {error}",
            "make room there, or give its user the right to write, then start again",
        ) from None


def _migrate_sqlite(path: Path, environment: Mapping[str, str]) -> None:
    """Migrate a copy, then let it take the file's place; both steps are one rename."""
    found = _sqlite_revisions(path)
    if path.is_file() and not found:  # a killed first migration of a release before this one
        path.replace(path.with_suffix(".db.unfinished"))
    if not _is_behind(found, str(path)):
        return
    copy = path.with_suffix(".db.migrating")
    for old in path.parent.glob(f"{copy.name}*"):
        old.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    if found:
        _copy_sqlite(path, path.with_suffix(f".db.{'-'.join(sorted(found))}"))
        _copy_sqlite(path, copy)
    migrate_airflow({**environment, DATABASE: f"sqlite:///{copy}"})
    for one in (path, copy):
        _fold_in_the_log(one)
    copy.replace(path)


def _sqlite_revisions(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    try:
        with closing(sqlite3.connect(path)) as db:
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
            if "alembic_version" not in tables:
                return set()
            return {name for (name,) in db.execute("SELECT version_num FROM alembic_version")}
    except sqlite3.Error as error:
        raise StackError(
            f"{path} cannot be read: {error}",
            "restore it from a backup, or move it away: Airflow's history is in it, no model is",
        ) from None


def _copy_sqlite(source: Path, target: Path) -> None:
    """A whole copy, with what SQLite's write-ahead log still holds."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _fold_in_the_log(path: Path) -> None:
    """Let no log beside the file be taken for that of the file which replaces it."""
    if path.is_file():
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for log in (f"{path}-wal", f"{path}-shm"):
        Path(log).unlink(missing_ok=True)


@contextmanager
def _locked(address: str) -> Iterator[Connection]:
    """A connection that holds the lock of those that migrate, on a server that is fit.

    The lock ends with the connection, so none is kept in a pool.
    """
    from sqlalchemy import NullPool, create_engine, text
    from sqlalchemy.exc import SQLAlchemyError

    url, options = _url(address), {"connect_timeout": SECONDS_TO_CONNECT}
    try:
        engine = create_engine(url, connect_args=options, poolclass=NullPool)
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    except ImportError as error:
        raise StackError(
            f"Python cannot speak with Postgres: {error}", "run `make setup`"
        ) from None
    except SQLAlchemyError as error:
        raise _refusal(url, str(getattr(error, "orig", ""))) from None
    try:
        with closing(connection):
            _require_fit(connection)
            connection.execute(text("SELECT pg_advisory_lock(:id)"), {"id": LOCK})
            yield connection
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", "")).strip().splitlines() or [type(error).__name__]
        raise StackError(
            f"{_where(url)} broke off: {said[0]}", "look at its log, then start again"
        ) from None


def _url(address: str) -> URL:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    remedy = f"set {DATABASE}={DRIVER}://user:password@host/airflow (in both, @ is written %40)"
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise SettingsError(f"{DATABASE} is no address of a database", remedy) from None
    # The driver is named: SQLAlchemy 2.1 takes `postgresql://` for another one than before.
    if url.drivername != DRIVER or not url.database or "@" in (url.host or ""):
        raise SettingsError(f"{DATABASE} names no database of {DRIVER}://", remedy)
    return url


def _refusal(url: URL, said: str) -> StackError:
    words = {"user": url.username, "database": url.database, "variable": DATABASE}
    for sign, what, remedy in CAUSES:
        if sign in said:
            return StackError(f"{_where(url)} {what.format(**words)}", remedy.format(**words))
    return StackError(f"{_where(url)} refuses the connection", f"try psql, then correct {DATABASE}")


def _require_fit(connection: Connection) -> None:
    """Refuse a server that is too old, and one where this user may make no table."""
    from sqlalchemy import text

    url = connection.engine.url
    version = int(connection.execute(text("SHOW server_version_num")).scalar_one()) // 10_000
    if version < OLDEST_POSTGRES:
        raise StackError(
            f"{_where(url)} is Postgres {version}",
            f"Airflow wants {OLDEST_POSTGRES} or newer: see docs/guides/upgrade.md",
        )
    may = connection.execute(
        text("SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)")
    ).scalar_one()
    if not may:  # since Postgres 15 only the owner of a database may, unless told otherwise
        raise StackError(
            f"{_where(url)} lets {url.username} make no table in '{url.database}'",
            f'as its owner: ALTER DATABASE "{url.database}" OWNER TO "{url.username}"',
        )


def _postgres_revisions(connection: Connection) -> set[str]:
    from sqlalchemy import inspect, text

    if not inspect(connection).has_table("alembic_version"):
        return set()
    return set(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())


def _where(url: URL) -> str:
    host = url.host or url.query.get("host") or "localhost"
    return f"Postgres at {host}:{url.port or 5432}"
