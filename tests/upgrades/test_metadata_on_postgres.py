"""Airflow's metadata on a real Postgres: made, migrated, refused, never harmed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_stack import airflow_database, airflow_postgres
from local_stack.airflow_api import AirflowApi
from local_stack.airflow_database import airflow_revisions, prepare_database
from local_stack.airflow_postgres import DATABASE
from local_stack.stack import Stack
from marquee.errors import MarqueeError, SettingsError, StackError
from marquee.settings import REPOSITORY, Settings
from tests.plugins.free_ports import free_port
from tests.plugins.local_stack import stack_settings
from tests.upgrades.airflow_at import OLDER, airflow, environment_at
from tests.upgrades.postgres import PASSWORD, Postgres, postgres

PREPARE = """
import os
from local_stack import airflow_database
migrate = airflow_database.migrate_airflow
airflow_database.migrate_airflow = lambda environment: print("migrated") or migrate(environment)
airflow_database.prepare_database(os.environ)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as made:
        yield made


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A stack of Airflow's API alone, whose metadata lie in Postgres."""
    made = stack_settings(tmp_path_factory.mktemp("state"))
    stack = made.stack.model_copy(update={"processes": ("airflow-api",)})
    database = made.airflow.model_copy(update={"database": "postgres"})
    return made.model_copy(update={"stack": stack, "airflow": database})


@pytest.fixture(scope="module")
def database(server: Postgres) -> str:
    return server.make("airflow")


@pytest.mark.timeout(900)
def test_a_stack_starts_on_postgres_and_a_user_signs_in(
    place: Settings, server: Postgres, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATABASE, database)
    stack = Stack(place)
    try:
        assert "airflow-api" in [name for name, _ in stack.up()]
        api = AirflowApi(stack.settings, stack.folders.airflow)
        api.create_pools()
        assert {"spark", "crawl"} <= {pool["name"] for pool in api.call("GET", "/pools")["pools"]}
    finally:
        stack.down()
    assert int(server.sql("SELECT count(*) FROM slot_pool", "airflow")) >= 3
    assert revision(server) == airflow_revisions()[1]
    assert not (stack.folders.airflow / "airflow.db").exists()
    text = [p.read_text(errors="replace") for p in stack.folders.logs.rglob("*.log")]
    assert text and not any(PASSWORD in one or database in one for one in text)


@pytest.mark.timeout(900)
def test_an_older_database_is_migrated_once_by_hosts_that_start_together(
    server: Postgres, database: str, tmp_path: Path
) -> None:
    """It keeps what is in it. The second host waits, finds the work done, and runs nothing."""
    environment = environment_at(tmp_path / "airflow", database)
    airflow(environment, "db", "downgrade", "--to-version", OLDER, "--yes")
    assert revision(server) != airflow_revisions()[1]
    before = server.sql("SELECT pool, slots FROM slot_pool ORDER BY 1", "airflow")
    hosts = [
        subprocess.Popen(
            [sys.executable, "-c", PREPARE],
            cwd=REPOSITORY,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    printed = [host.communicate()[0] for host in hosts]
    assert [host.returncode for host in hosts] == [0, 0]
    assert sorted(printed) == ["", "migrated\n"]
    assert revision(server) == airflow_revisions()[1]
    assert server.sql("SELECT pool, slots FROM slot_pool ORDER BY 1", "airflow") == before != ""


def test_a_host_that_goes_on_running_lets_the_others_migrate(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is given back, although the process that took it lives."""
    address = server.make("shared")
    monkeypatch.setattr(airflow_database, "migrate_airflow", lambda _: None)
    prepare_database({DATABASE: address})
    assert server.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0"
    connections = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'shared'"
    assert server.sql(connections) == "0"


def test_a_newer_database_is_refused_and_left(
    server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = server.make("newer")
    make = "CREATE TABLE alembic_version (version_num varchar(32)); GRANT ALL ON alembic_version TO"
    server.sql(f"{make} airflow; INSERT INTO alembic_version VALUES ('fffffffffff1')", "newer")
    monkeypatch.setattr(airflow_database, "migrate_airflow", lambda _: pytest.fail("it ran"))
    with pytest.raises(StackError, match=r"^a newer Airflow made Postgres at 127.0.0.1:\d+ \(rev"):
        prepare_database({DATABASE: address})
    assert server.sql("SELECT version_num FROM alembic_version", "newer") == "fffffffffff1"


@pytest.mark.parametrize(
    ("wrong", "says", "remedy"),
    [
        ("password", "refuses the user or the password", "correct both in AIRFLOW__DATABASE"),
        ("user", "refuses the user or the password", "correct both in AIRFLOW__DATABASE"),
        ("database", "has no database 'nowhere'", "createdb --owner airflow nowhere"),
        ("port", "does not listen", "start Postgres there"),
        ("host", "has no address", "correct the host in AIRFLOW__DATABASE"),
        ("owner", "lets airflow make no table in 'postgres'", "ALTER DATABASE"),
    ],
)
def test_what_is_wrong_is_one_line_with_host_and_remedy(
    server: Postgres, wrong: str, says: str, remedy: str
) -> None:
    address = {
        "password": server.address("postgres", "hush"),
        "user": server.address("postgres").replace("airflow:", "nobody:"),
        "database": server.address("nowhere"),
        "port": server.address("postgres", port=free_port()),
        "host": server.address("postgres").replace("127.0.0.1", "no-such-host.invalid"),
        "owner": server.address("postgres"),
    }[wrong]
    said = refusal(address)
    host = "no-such-host.invalid" if wrong == "host" else "127.0.0.1"
    assert said.startswith(f"Postgres at {host}:") and f" {says}" in said
    assert remedy in said.partition(" — ")[2]


def test_who_may_not_connect_is_told_so(server: Postgres) -> None:
    server.sql("CREATE DATABASE closed")
    server.sql("REVOKE CONNECT ON DATABASE closed FROM PUBLIC")
    said = refusal(server.address("closed"))
    assert "lets airflow not into 'closed' — as its owner: GRANT CONNECT ON DATABASE" in said


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("sslmode=require", "this host do not agree on SSL — correct sslmode"),
        ("sslmode=verify-full&sslrootcert=/no/such.pem", "do not agree on SSL"),
        ("sslmode=nonsense", "cannot be asked so — correct the port, or what follows '?'"),
        ("nonsense=1", "cannot be asked so"),
        ("host=/no/such/folder", "Postgres at /no/such/folder:"),
    ],
)
def test_options_that_do_not_fit_are_named(server: Postgres, options: str, says: str) -> None:
    address = server.address("postgres")
    if options.startswith("host"):
        address = address.replace("127.0.0.1", "")
    assert says in refusal(f"{address}?{options}")


def test_a_server_that_breaks_off_is_one_line(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner ends the connection while this host waits for the lock."""

    def end(_: object) -> None:
        server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'cut'")

    address = server.make("cut")
    monkeypatch.setattr(airflow_postgres, "_require_fit", end)
    assert "broke off" in refusal(address)


def test_a_server_that_is_too_old_is_refused(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This machine has one Postgres, so Airflow's oldest is set above it."""
    monkeypatch.setattr(airflow_postgres, "OLDEST_POSTGRES", 99)
    assert "Airflow wants 99 or newer" in refusal(server.address("postgres"))


@pytest.mark.parametrize(
    "address",
    [
        "hush",
        "mysql://a:hush@h/b",
        "postgresql://a:hush@h/b",
        "postgresql+psycopg2://a:hush@h",
        "postgresql+psycopg2://a:not@hush@h/b",
        "postgresql+psycopg2://a:hush@h:port/b",
        "postgresql+pg8000://h/b",
    ],
)
def test_an_address_that_is_none_is_refused_unseen(address: str) -> None:
    assert "set AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=postgresql+psycopg2://" in refusal(address)
    with pytest.raises(SettingsError):
        prepare_database({DATABASE: address})


def test_the_address_may_come_from_a_command(server: Postgres) -> None:
    command = f"echo {server.address('nowhere')}"
    with pytest.raises(StackError, match="has no database 'nowhere'"):
        prepare_database({f"{DATABASE}_CMD": command})
    with pytest.raises(SettingsError, match="_CMD cannot run"):
        prepare_database({f"{DATABASE}_CMD": "/no/such/program"})
    with pytest.raises(SettingsError, match="_CMD cannot run: No closing quotation"):
        prepare_database({f"{DATABASE}_CMD": "echo 'half"})


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (
            "sh -c 'echo no key of hush >&2; exit 3'",
            "sh, which .*_CMD runs, ended with status 3: no",
        ),
        ("true hush", "true, which .*_CMD runs, printed nothing"),
        ("sh -c 'kill -9 $$'", "was killed by signal 9"),
        ("sh -c 'echo \"$1\" is no key >&2; exit 1' sh true-hush", "ended with status 1: … is no"),
        ("postgresql+psycopg2://airflow:true-hush@db/airflow", "cannot run: No such file"),
        (" ", "cannot run: it is blank"),
    ],
)
def test_a_command_that_gives_no_address_is_named_with_its_end(command: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says) as caught:
        prepare_database({f"{DATABASE}_CMD": command})
    assert "hush" not in str(caught.value).replace("no key of hush", "")
    assert f"correct {DATABASE}_CMD" in caught.value.remedy or caught.value.remedy == "correct it"


def test_a_command_that_says_nothing_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow_database, "SECONDS_TO_SAY", 0.2)
    with pytest.raises(SettingsError, match=r"sleep, which .* gave no address in .* was ended"):
        prepare_database({f"{DATABASE}_CMD": "sleep 1000"})


def revision(server: Postgres) -> set[str]:
    return set(server.sql("SELECT version_num FROM alembic_version", "airflow").splitlines())


def refusal(address: str) -> str:
    """The one line that is said, which never shows a password."""
    with pytest.raises(MarqueeError) as raised:
        prepare_database({DATABASE: address})
    said = str(raised.value)
    assert "\n" not in said and " — " in said
    assert not any(secret in said for secret in (PASSWORD, "hush", "s3cret"))
    return said
