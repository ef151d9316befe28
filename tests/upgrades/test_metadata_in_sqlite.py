"""Airflow's metadata in SQLite: a start migrates an older file and never harms one."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from local_stack import airflow_database
from local_stack.airflow_database import airflow_revisions, prepare_database
from local_stack.airflow_postgres import DATABASE
from marquee.errors import SettingsError, StackError
from tests.upgrades.airflow_at import OLDER, airflow, environment_at


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of an older Airflow, with a variable in it."""
    home = tmp_path_factory.mktemp("older")
    environment = environment_at(home)
    prepare_database(environment)
    assert revisions(home / "airflow.db") == airflow_revisions()[1]
    airflow(environment, "db", "downgrade", "--to-version", OLDER, "--yes")
    ask(home / "airflow.db", "INSERT INTO variable (key, val) VALUES ('kept', 'word')")
    return home / "airflow.db"


@pytest.fixture
def home(older: Path, tmp_path: Path) -> Path:
    shutil.copy(older, tmp_path / "airflow.db")
    return tmp_path


@pytest.mark.timeout(900)
def test_an_older_file_is_migrated_and_kept_beside(home: Path) -> None:
    environment = environment_at(home)
    before = revisions(home / "airflow.db")
    assert before and before != airflow_revisions()[1]
    prepare_database(environment)
    assert revisions(home / "airflow.db") == airflow_revisions()[1]
    assert ask(home / "airflow.db", "SELECT val FROM variable") == [("word",)]
    (kept,) = home.glob("airflow.db.*")
    assert revisions(kept) == before and kept.name == f"airflow.db.{before.pop()}"


def test_a_second_start_runs_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (latest,) = airflow_revisions()[1]
    ask(home / "airflow.db", f"UPDATE alembic_version SET version_num = '{latest}'")
    monkeypatch.setattr(airflow_database, "migrate_airflow", lambda _: pytest.fail("it ran"))
    prepare_database(environment_at(home))
    assert [p.name for p in home.glob("airflow.db*")] == ["airflow.db"]


def test_a_migration_that_is_killed_leaves_the_file_and_the_next_start_repeats_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = revisions(home / "airflow.db")

    def torn(environment: dict[str, str]) -> None:
        copy = Path(environment[DATABASE].removeprefix("sqlite:///"))
        ask(copy, "DROP TABLE variable")
        raise KeyboardInterrupt

    monkeypatch.setattr(airflow_database, "migrate_airflow", torn)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            prepare_database(environment_at(home))
        assert revisions(home / "airflow.db") == before
        assert ask(home / "airflow.db", "SELECT val FROM variable") == [("word",)]


def test_options_behind_the_file_s_name_are_not_its_name(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (latest,) = airflow_revisions()[1]
    ask(home / "airflow.db", f"UPDATE alembic_version SET version_num = '{latest}'")
    monkeypatch.setattr(airflow_database, "migrate_airflow", lambda _: pytest.fail("it ran"))
    prepare_database({DATABASE: f"sqlite:///{home}/airflow.db?timeout=30"})
    assert [p.name for p in home.glob("airflow.db*")] == ["airflow.db"]


@pytest.mark.parametrize("address", ["sqlite://", "sqlite:///", "sqlite:///airflow.db"])
def test_an_address_without_a_whole_path_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match=r"names no file of SQLite — set .*=sqlite:////"):
        prepare_database({DATABASE: address})


def test_a_folder_that_cannot_be_written_is_said_in_one_line(home: Path) -> None:
    with pytest.raises(StackError, match=r"could not be migrated, and is as it was: .* — make roo"):
        prepare_database({DATABASE: f"sqlite:///{home}/airflow.db/below/airflow.db"})


def test_a_newer_file_is_refused_and_left(home: Path) -> None:
    ask(home / "airflow.db", "UPDATE alembic_version SET version_num = 'fffffffffff1'")
    before = (home / "airflow.db").read_bytes()
    with pytest.raises(StackError, match=r"^a newer Airflow made .*fffffffffff1\) — go back"):
        prepare_database(environment_at(home))
    assert (home / "airflow.db").read_bytes() == before


def test_a_file_that_is_no_database_is_refused(home: Path) -> None:
    (home / "airflow.db").write_bytes(b"no database" * 100)
    with pytest.raises(StackError, match=r"airflow.db cannot be read: .* — restore it"):
        prepare_database(environment_at(home))


def test_a_file_that_was_half_made_is_laid_aside(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a start before this release left it, where it was killed."""
    ask(home / "airflow.db", "DROP TABLE alembic_version")
    made = sqlite3.connect
    monkeypatch.setattr(
        airflow_database,
        "migrate_airflow",
        lambda environment: made(environment[DATABASE].removeprefix("sqlite:///")).close(),
    )
    prepare_database(environment_at(home))
    assert (home / "airflow.db.unfinished").is_file() and (home / "airflow.db").is_file()


def revisions(path: Path) -> set[str]:
    return {name for (name,) in ask(path, "SELECT version_num FROM alembic_version")}


def ask(path: Path, statement: str) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(path)) as db, db:
        return db.execute(statement).fetchall()
