"""A real Standalone master and two workers on loopback: a weekly run's job, and what kills it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local_stack.environment import job_environment
from marquee.errors import AWAY
from marquee.lake import open_lake
from marquee.settings import Settings
from marquee.spark_master import active_applications, end_applications
from steps.form import Form
from steps.freeze_inputs import freeze_inputs
from steps.load_sources import find_ratings, load_ratings
from steps.run import Run
from steps.spark_submit import submit_command
from tests.cluster.standalone import Standalone, eventually

PARENT = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"
"""A task that starts a driver and waits for it, as Airflow's does."""


def frozen(place: Settings, name: str) -> Run:
    """A run whose inputs are frozen."""
    at, form = datetime(2026, 1, 4, tzinfo=UTC), Form.of(place, {})
    run = Run(name, at, "manual", form, place, open_lake(place.lake.root))
    freeze_inputs(run, load_ratings(run, **find_ratings(run))["path"])
    return run


def submitted(place: Settings, job: str, run: str, log: Path) -> subprocess.Popen[bytes]:
    """A parent that waits for the driver of a job, as a task does."""
    environment = job_environment(place)
    Path(environment["TMPDIR"]).mkdir(parents=True, exist_ok=True)
    command = submit_command(place, job, run, environment["SPARK_ARCHIVE"])
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-c", PARENT, *command], env=environment, stdout=out, stderr=out
        )


def executors_of(cluster: Standalone) -> int:
    return sum(one["coresused"] > 0 for one in cluster.state()["workers"])


def has_begun(cluster: Standalone, log: Path) -> bool:
    """Whether the job has its session, and an executor on each worker."""
    return "[prepare_ratings] session:" in log.read_text() and executors_of(cluster) == 2


def test_a_job_ends_well_although_a_worker_is_killed(
    cluster: Standalone, place: Settings, tmp_path: Path
) -> None:
    run, log = frozen(place, "manual-1"), tmp_path / "job.log"
    task = submitted(place, "prepare_ratings", run.id, log)
    eventually(lambda: task.poll() is not None or has_begun(cluster, log), tmp_path)
    assert task.poll() is None, log.read_text()[-3000:]
    cluster.kill("worker1")
    assert task.wait() == 0
    text = log.read_text()
    assert "rows read" in text, text[-3000:]
    manifest = run.lake.manifest(run.path("prepared/ratings"))
    assert manifest.rows == 800
    assert run.lake.manifest(run.path("split/ratings")).rows == 800
    eventually(lambda: not cluster.state()["activeapps"], tmp_path)
    cluster.add_worker("worker1-again")
    eventually(lambda: cluster.workers_alive() == 2, tmp_path)


def test_a_killed_task_leaves_no_application(
    cluster: Standalone, place: Settings, tmp_path: Path
) -> None:
    run = frozen(place, "manual-2")
    task = submitted(place, "prepare_ratings", run.id, tmp_path / "job.log")
    prefix = f"marquee-prepare_ratings {run.id} try "
    found = eventually(lambda: active_applications([cluster.page], prefix), tmp_path)
    assert [one.name for one in found] == [f"{prefix}1"]
    os.kill(task.pid, signal.SIGKILL)  # neither the task nor the driver can say goodbye
    task.wait()
    eventually(lambda: not cluster.state()["activeapps"], tmp_path)
    assert found[0].id in {one["id"] for one in cluster.state()["completedapps"]}
    eventually(lambda: executors_of(cluster) == 0, tmp_path)


def test_an_orphan_is_ended_by_run_and_job_before_the_next_attempt(
    cluster: Standalone, place: Settings, tmp_path: Path
) -> None:
    """The driver's host may die without a word: then only its name tells whose it was."""
    run = frozen(place, "manual-3")
    task = submitted(place, "prepare_ratings", run.id, tmp_path / "job.log")
    prefix = f"marquee-prepare_ratings {run.id} try "
    eventually(lambda: active_applications([cluster.page], prefix), tmp_path)
    assert end_applications([cluster.page], "marquee-prepare_ratings manual-30 try ") == []
    ended = end_applications([cluster.page], prefix)
    assert [one.name for one in ended] == [f"{prefix}1"]
    assert active_applications([cluster.page], prefix) == []
    assert task.wait() == AWAY, "its driver ends with a status that Airflow retries"
    eventually(lambda: executors_of(cluster) == 0, tmp_path)
    with pytest.raises(ValueError, match="every application"):
        end_applications([cluster.page], "")
