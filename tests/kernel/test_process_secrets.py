"""Which process is given which secret: the table, and each door through which one is started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local_stack.supervisor import Supervisor
from marquee.daemon_settings import KAFKA_PASSWORD, KAFKA_USERNAME
from marquee.document_settings import DOCUMENTS_PASSWORD, DOCUMENTS_USER
from marquee.errors import StackError
from marquee.host_needs import AIRFLOW, STACK
from marquee.process_secrets import (
    CONNECT_SECRET,
    CONNECT_TOKEN,
    SPARK_SECRET,
    is_reserved,
    variables_for,
    write_private,
)
from marquee.settings import REPOSITORY

DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
SECRETS = {
    DATABASE: "postgresql://a:b@c/d",
    "AIRFLOW__CORE__FERNET_KEY": "fernet",
    "AIRFLOW__API__SECRET_KEY": "signing",
    "AIRFLOW__API_AUTH__JWT_SECRET": "tokens",
    "AIRFLOW__API_AUTH__JWT_SECRET_CMD": "cat tokens",
    "AIRFLOW_CONN_HDFS_LAKE": "{}",
    SPARK_SECRET: "spark",
    DOCUMENTS_USER: "writer",
    DOCUMENTS_PASSWORD: "documents",
    CONNECT_TOKEN: "of the server",
    CONNECT_SECRET: "of the worker",
    KAFKA_USERNAME: "bob",
    KAFKA_PASSWORD: "of the broker",
}
PLAIN = {"PATH": os.environ["PATH"], "STATE": "/s", "MARQUEE_WORLD": "synthetic"}
DOCUMENTS = {DOCUMENTS_USER, DOCUMENTS_PASSWORD}
KAFKA = {KAFKA_USERNAME, KAFKA_PASSWORD}
API = set(SECRETS) - {SPARK_SECRET, CONNECT_TOKEN, CONNECT_SECRET} - DOCUMENTS - KAFKA
TOKENS = {"AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API_AUTH__JWT_SECRET_CMD"}
SCHEDULER = API - {"AIRFLOW__API__SECRET_KEY"}
OTHERS = ("namenode", "datanode", "replica", "crawl", "supervisord", "")
GIVEN: dict[str, set[str]] = {
    "airflow-api": API,
    "airflow-scheduler": SCHEDULER | DOCUMENTS | KAFKA,
    "documents": DOCUMENTS,
    "airflow-dags": SCHEDULER - TOKENS,
    "airflow-triggerer": SCHEDULER - TOKENS,
    "spark-master": {SPARK_SECRET},
    "spark-worker": {SPARK_SECRET},
    "serving": {CONNECT_SECRET} | KAFKA,
    "stream": KAFKA,
    "connect-server": {CONNECT_TOKEN},
    "connect-worker": {CONNECT_TOKEN, CONNECT_SECRET},
    **{name: set() for name in OTHERS},
}


@pytest.mark.parametrize("process", sorted(GIVEN))
def test_a_process_is_given_what_it_needs_and_no_more(process: str) -> None:
    given = variables_for(process, PLAIN | SECRETS)
    assert given.items() >= PLAIN.items()
    assert {name for name in given if is_reserved(name) or name == SPARK_SECRET} == GIVEN[process]


def test_the_table_knows_every_process_of_the_stack() -> None:
    assert set(STACK) <= GIVEN.keys() and set(AIRFLOW) <= GIVEN.keys()


def test_a_secret_s_file_is_of_its_owner_alone(tmp_path: Path) -> None:
    write_private(tmp_path / "folder" / "file", "word")
    assert (tmp_path / "folder" / "file").stat().st_mode & 0o777 == 0o600
    (tmp_path / "older").write_text("left open by older code")
    (tmp_path / "older").chmod(0o644)
    write_private(tmp_path / "older", "word")
    assert (tmp_path / "older").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "older").read_text() == "word"


def test_supervisord_has_no_secret_and_gives_each_process_its_own(tmp_path: Path) -> None:
    """Quotes, percent signs and lines of a password survive, and those of the folder's name."""
    secret = "p'%s\"$(x)\nend"
    home, seen = tmp_path / "it's $HOME", tmp_path / "seen"
    for folder in (home, seen):
        folder.mkdir()
    stack = Supervisor(home / "state")
    code = f'import os; out = open("{seen}/" + os.environ["NAME"], "w"); '
    code += f'out.write(os.environ.get("{DATABASE}", "-")); out.close()'
    command = f"NAME={{}} exec '{sys.executable}' -c '{code}; import time; time.sleep(600)'"
    processes = {name: command.format(name) for name in ("airflow-dags", "serving")}
    stack.launch(processes, home, {**PLAIN, DATABASE: secret})
    try:
        daemon = stack.process()
        for name in processes:
            stack.start(name)
        while not all((seen / name).exists() and (seen / name).read_text() for name in processes):
            assert stack.is_running()
        assert (seen / "airflow-dags").read_text() == secret
        assert (seen / "serving").read_text() == "-"
        assert daemon is None or DATABASE not in daemon.environ()
        assert secret not in (home / "state" / "supervisord.conf").read_text()
    finally:
        stack.shut_down([list(processes)])


@pytest.mark.parametrize("name", ["100%s", "a ;b", "a #b"])
def test_a_folder_that_supervisord_misreads_is_refused_in_one_line(
    tmp_path: Path, name: str
) -> None:
    """Supervisord's own message would show every variable of the environment."""
    with pytest.raises(StackError, match="has a sign that supervisord cannot read") as raised:
        Supervisor(tmp_path / name).launch({"serving": "true"}, tmp_path, PLAIN)
    assert "PATH" not in raised.value.message and not (tmp_path / name).exists()


def test_spark_submit_passes_on_nothing_of_airflow_s(tmp_path: Path) -> None:
    """The stand-in for Spark's own program prints its environment."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "spark-submit").write_text("#!/bin/sh\nenv\n")
    (tmp_path / "bin" / "spark-submit").chmod(0o755)
    write_private(tmp_path / "secret", "spark-word\n")
    environment = PLAIN | SECRETS | {"SPARK_HOME": str(tmp_path)}
    environment |= {"MARQUEE_SPARK__SECRET_FILE": str(tmp_path / "secret")}
    environment |= {"MARQUEE_SPARK__AUTHENTICATE": "true"}
    wrapper = REPOSITORY / "plugins" / "marquee_airflow" / "bin" / "spark-submit"
    command = [sys.executable, str(wrapper)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "MARQUEE_WORLD=synthetic" in done.stdout and "AIRFLOW" not in done.stdout
    assert f"{SPARK_SECRET}=spark-word\n" in done.stdout
