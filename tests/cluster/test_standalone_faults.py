"""A real Standalone master and two workers on loopback: a weekly run's job, and what kills it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local_stack.environment import job_environment
from marquee.errors import AWAY
from marquee.lake import open_lake
from marquee.settings import Settings
from marquee.spark_applications import active_applications, end_applications
from steps.form import Form
from steps.freeze_inputs import freeze_inputs
from steps.load_sources import find_ratings, load_ratings
from steps.run import Run
from steps.spark_submit import submit_command
from tests.cluster.standalone import Standalone, eventually

pytestmark = pytest.mark.timeout(1800)
Submit = Callable[[str, str], "subprocess.Popen[bytes]"]
PARENT = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"
"""A task that starts a driver and waits for it, as Airflow's does."""


def frozen(place: Settings, name: str) -> Run:
    """A run whose inputs are frozen."""
    at, form = datetime(2026, 1, 4, tzinfo=UTC), Form.of(place, {})
    run = Run(name, at, "manual", form, place, open_lake(place.lake.root))
    freeze_inputs(run, load_ratings(run, **find_ratings(run))["path"])
    return run


@pytest.fixture
def submit(place: Settings, log: Path) -> Iterator[Submit]:
    """Start a parent that waits for a job's driver, as a task does; at the end none is left."""
    started: list[subprocess.Popen[bytes]] = []
    environment = job_environment(place)
    Path(environment["TMPDIR"]).mkdir(parents=True, exist_ok=True)

    def start(job: str, run: str) -> subprocess.Popen[bytes]:
        command = submit_command(place, job, run, environment["SPARK_ARCHIVE"])
        with log.open("wb") as out:
            words = [sys.executable, "-c", PARENT, *command]
            started.append(subprocess.Popen(words, env=environment, stdout=out, stderr=out))
        return started[-1]

    yield start
    for task in started:
        task.kill()
        task.wait()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """What the job prints."""
    return tmp_path / "job.log"


def executors_of(cluster: Standalone) -> int:
    """Living workers that run an executor; a dead one keeps its last figures on the page."""
    alive = [one for one in cluster.state()["workers"] if one["state"] == "ALIVE"]
    return sum(one["coresused"] > 0 for one in alive)


def has_begun(cluster: Standalone, log: Path) -> bool:
    """Whether the job has its session, and an executor on each worker."""
    return "[prepare_ratings] session:" in log.read_text() and executors_of(cluster) == 2


def test_a_job_ends_well_although_a_worker_is_killed(
    cluster: Standalone, place: Settings, tmp_path: Path, submit: Submit, log: Path
) -> None:
    run = frozen(place, "manual-1")
    task = submit("prepare_ratings", run.id)
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
    cluster: Standalone, place: Settings, tmp_path: Path, submit: Submit
) -> None:
    run = frozen(place, "manual-2")
    task = submit("prepare_ratings", run.id)
    prefix = f"marquee-prepare_ratings {run.id} try "
    found = eventually(
        lambda: active_applications(cluster.master, [cluster.page], prefix), tmp_path
    )
    assert [one.name for one in found] == [f"{prefix}1"]
    os.kill(task.pid, signal.SIGKILL)  # neither the task nor the driver can say goodbye
    task.wait()
    eventually(lambda: not cluster.state()["activeapps"], tmp_path)
    assert found[0].id in {one["id"] for one in cluster.state()["completedapps"]}
    eventually(lambda: executors_of(cluster) == 0, tmp_path)


def test_an_orphan_is_ended_by_run_and_job_before_the_next_attempt(
    cluster: Standalone, place: Settings, tmp_path: Path, submit: Submit
) -> None:
    """The driver's host may die without a word: then only its name tells whose it was."""
    run = frozen(place, "manual-3")
    task = submit("prepare_ratings", run.id)
    prefix = f"marquee-prepare_ratings {run.id} try "
    eventually(lambda: active_applications(cluster.master, [cluster.page], prefix), tmp_path)
    assert (
        end_applications(cluster.master, [cluster.page], "marquee-prepare_ratings manual-30 try ")
        == []
    )
    ended = end_applications(cluster.master, [cluster.page], prefix)
    assert [one.name for one in ended] == [f"{prefix}1"]
    assert active_applications(cluster.master, [cluster.page], prefix) == []
    assert task.wait() == AWAY, "its driver ends with a status that Airflow retries"
    eventually(lambda: executors_of(cluster) == 0, tmp_path)
    with pytest.raises(ValueError, match="every application"):
        end_applications(cluster.master, [cluster.page], "")
