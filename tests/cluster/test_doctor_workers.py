"""The doctor's job on a real Standalone cluster: what each worker is, and a Python that is not."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from cli import stack_commands
from cli.stack_commands import check_spark_job
from local_stack.java_setup import cache_folder, java_home
from local_stack.spark_checks import check_spark
from marquee.settings import Settings, load_settings
from tests.cluster.conftest import PLACE
from tests.cluster.standalone import Standalone, standalone
from tests.plugins.free_ports import free_port

pytestmark = pytest.mark.timeout(1800)


def roomy(place: Settings) -> Settings:
    """The place, on a made-up machine that wants one megabyte of disk."""
    return place.model_copy(update={"stack": place.stack.model_copy(update={"disk_mb": 1})})


def test_a_real_cluster_is_as_its_file_says(cluster: Standalone, place: Settings) -> None:
    findings = list(check_spark(place.spark))
    assert [str(one) for one in findings if not one.passed] == []
    names = {one.name for one in findings}
    assert {"driver's host", "Spark master in charge", "Spark workers"} <= names
    assert f"Spark master 127.0.0.1:{cluster.port}" in names
    assert {"Spark on 127.0.0.1", "clock of 127.0.0.1"} <= names
    assert sum(name.startswith("Spark worker 127.0.0.1:") for name in names) == 2


def test_an_executor_that_no_worker_can_hold_is_named(place: Settings) -> None:
    spark = place.spark.model_copy(update={"executor_memory": "900g"})
    wrong = [str(one) for one in check_spark(spark) if not one.passed]
    assert len(wrong) == 2
    assert all("raise SPARK_WORKER_MEMORY on 127.0.0.1" in line for line in wrong)


def test_every_worker_reports_its_python_and_packages(place: Settings) -> None:
    host = socket.gethostname()
    found = {one.name: one for one in check_spark_job(roomy(place))}
    assert [str(one) for one in found.values() if not (one.passed or one.warning)] == []
    assert {
        f"{what} {host}" for what in ("Python on", "packages on", "clock of", "disk on")
    } <= set(found)
    own = ".".join(map(str, sys.version_info[:3]))
    assert found[f"Python on {host}"].detail == f"{own}, the driver's is {own}"


def test_a_python_that_a_worker_lacks_is_one_line(place: Settings) -> None:
    spark = place.spark.model_copy(update={"worker_python": "/opt/moon/bin/python3"})
    found = list(check_spark_job(roomy(place).model_copy(update={"spark": spark})))
    (wrong,) = [str(one) for one in found if not one.passed]
    host = socket.gethostname()
    assert wrong.startswith(f"Python on {host}: /opt/moon/bin/python3 does not start: ")
    assert "not found" in wrong and f"install it on {host}" in wrong and "\n" not in wrong


JAVA = """#!/bin/sh
case "$*" in *CoarseGrainedExecutorBackend*) exit 1;; esac
exec {java} "$@"
"""


def test_executors_that_end_at_once_are_counted_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real worker whose Java starts the worker itself, and no executor."""
    monkeypatch.setattr(stack_commands, "PROBE_MINUTES", 0.1)
    program = tmp_path / "java" / "bin" / "java"
    program.parent.mkdir(parents=True)
    java = java_home(cache_folder(load_settings("local"))) / "bin" / "java"
    program.write_text(JAVA.format(java=java))
    program.chmod(0o755)
    with standalone(tmp_path, workers=0) as made:
        made.add_worker("worker", JAVA_HOME=str(tmp_path / "java"))
        settings = place_at(tmp_path, made.master, made.page)
        (wrong,) = [str(one) for one in check_spark_job(roomy(settings)) if not one.passed]
        assert made.state()["activeapps"] == []
    assert "executors ended before they reached the driver; no Spark executor for" in wrong
    assert "stderr on its worker's page" in wrong and "\n" not in wrong


def test_a_step_by_hand_ends_in_one_line_where_the_master_is_away(tmp_path: Path) -> None:
    port = free_port()
    place_at(tmp_path, f"spark://127.0.0.1:{port}", f"http://127.0.0.1:{free_port()}")
    environment = os.environ | {
        "MARQUEE_PLACE": str(tmp_path / "place.toml"),
        "MARQUEE_STATE": str(tmp_path / "state"),
    }
    command = [sys.executable, "-m", "cli", "step", "prepare_ratings", "--run", "manual-1"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    errors = done.stderr.strip().splitlines()
    assert (done.returncode, len(errors)) == (1, 1), done.stdout + done.stderr
    assert f"127.0.0.1:{port}" in errors[0] and " — " in errors[0]
    assert [one.name for one in tmp_path.iterdir()] == ["place.toml"]


def test_ctrl_c_ends_the_doctor_with_a_word_while_a_host_is_silent(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes a connection, and never answers
        page = f"http://127.0.0.1:{silent.getsockname()[1]}"
        place_at(tmp_path, f"spark://127.0.0.1:{free_port()}", page)
        heard = ["env", "--default-signal=INT"]  # whoever runs the tests may ignore Ctrl-C
        command = [
            *heard,
            sys.executable,
            "-m",
            "cli",
            "doctor",
            "--place",
            str(tmp_path / "place.toml"),
        ]
        asks = subprocess.Popen(command, stdout=PIPE, stderr=PIPE, text=True)
        connection, _ = silent.accept()
        asks.send_signal(signal.SIGINT)
        _, errors = asks.communicate()
        connection.close()
    assert (asks.returncode, errors.strip()) == (130, "interrupted")


def place_at(folder: Path, master: str, page: str) -> Settings:
    """A place of its own file, whose master and page are these."""
    file = folder / "place.toml"
    file.write_text(PLACE.format(python=sys.executable, folder=folder, master=master, page=page))
    return load_settings(str(file)).model_copy(update={"state": str(folder / "state")})
