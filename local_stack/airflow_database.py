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
import json
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

from local_stack.airflow_api import pools
from local_stack.airflow_postgres import DATABASE, connected, where
from local_stack.environment import admin_password, stack_environment
from marquee.errors import SettingsError, StackError
from marquee.settings import Settings
from marquee.state_folders import StateFolders

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

SECONDS_TO_SAY = 60.0
"""For a command, or a secrets backend, that gives the address."""
LOCK = 7_214_015
"""Number of the advisory lock of those that migrate; Airflow's own locks are below 200."""
REVISION = re.compile(r'^revision\b[^=\n]*= *["\'](\w+)["\']', re.MULTILINE)
PARENT = re.compile(r'^down_revision\b[^=\n]*= *["\'](\w+)["\']', re.MULTILINE)
ERROR = re.compile(r"[\w.]+(Error|Exception): ")
"""An error of Python's; SQLAlchemy prints the statement and an address of its own below."""


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
        if _is_behind(_postgres_revisions(connection), where(connection.engine.url)):
            migrate_airflow(environment)


def database_address(environment: Mapping[str, str]) -> str:
    """The address of the database; where a command or a secrets backend has it, these are asked."""
    if address := environment.get(DATABASE):
        return address
    words = [sys.executable, "-m", "airflow", "config", "get-value", "database", "sql_alchemy_conn"]
    try:
        if command := environment.get(f"{DATABASE}_CMD"):
            words = shlex.split(command)  # Airflow runs it so, without a shell
        done = subprocess.run(
            words,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=SECONDS_TO_SAY,
        )
    except (OSError, ValueError, IndexError) as error:  # the latter: blanks are no command
        why = error.strerror if isinstance(error, OSError) else error
        why = "it is blank" if isinstance(error, IndexError) else why
        raise SettingsError(f"{DATABASE}_CMD cannot run: {why}", "correct it") from None
    except subprocess.TimeoutExpired:
        said = f"{_asked(command)} gave no address in {SECONDS_TO_SAY:.0f} s and was ended"
        raise SettingsError(said, f"run it by hand as this user, or correct {DATABASE}") from None
    if done.returncode or not done.stdout.strip():
        raise _unsaid(command, done)
    return done.stdout.strip().splitlines()[-1]


def _unsaid(command: str | None, done: subprocess.CompletedProcess[str]) -> SettingsError:
    """Why nothing has said the address: how the command ended, and its last word."""
    if not command:
        said = "the address of Airflow's database is given by nobody"
        return SettingsError(said, f"set {DATABASE}")
    errors = [_without_words(line, command) for line in done.stderr.strip().splitlines()[-1:]]
    how = f"ended with status {done.returncode}" if done.returncode else "printed nothing"
    if done.returncode < 0:
        how = f"was killed by signal {-done.returncode}"
    said = f"{_asked(command)} {how}{': ' if errors else ''}{''.join(errors)}"
    return SettingsError(said[:400], f"run it by hand as this user, or correct {DATABASE}_CMD")


def _asked(command: str | None) -> str:
    """Who was to say the address; of a command its program alone, for its words may be secret."""
    return f"{shlex.split(command)[0]}, which {DATABASE}_CMD runs," if command else "Airflow"


def _without_words(line: str, command: str) -> str:
    """A line that a command printed, without the words that it was given."""
    for word in sorted(shlex.split(command)[1:], key=len, reverse=True):
        line = line.replace(word, "…") if len(word) > 2 else line
    return line


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


def prepare_airflow(settings: Settings) -> None:
    """Make or migrate Airflow's database; make the pools that are missing, and the password."""
    for folder in StateFolders(settings.state_folder).of_tasks:
        folder.mkdir(parents=True, exist_ok=True)
    environment = stack_environment(settings)
    admin_password(Path(environment["AIRFLOW_HOME"]))
    prepare_database(environment)
    known = {pool["pool"] for pool in json.loads(_pools(environment, "list", "-o", "json"))}
    wanted = pools(settings)
    for name, slots in wanted.items():
        if name not in known:
            _pools(environment, "set", name, str(slots), "made by Marquee")
    print(f"Airflow's database is ready, with the pools {', '.join(wanted)}", flush=True)


def _pools(environment: dict[str, str], *words: str) -> str:
    """`airflow pools …`; its output, without the lines before a JSON list."""
    command = [sys.executable, "-m", "airflow", "pools", *words]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    if done.returncode:
        last = (done.stdout + done.stderr).strip().splitlines()[-1:] or ["no word"]
        raise StackError(f"airflow pools {words[0]} failed: {last[0]}", "is its database there?")
    return done.stdout[done.stdout.find("[") :]


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
    """A connection that holds the lock of those that migrate; the lock ends with it."""
    from sqlalchemy import text

    with connected(address) as connection:
        connection.execute(text("SELECT pg_advisory_lock(:id)"), {"id": LOCK})
        yield connection


def _postgres_revisions(connection: Connection) -> set[str]:
    from sqlalchemy import inspect, text

    if not inspect(connection).has_table("alembic_version"):
        return set()
    return set(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())
