"""Jobs of a weekly run on a real ResourceManager and NodeManager, their drivers in containers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local_stack.environment import job_environment
from marquee.errors import BAD_INPUT
from marquee.lake import Lake, open_lake
from marquee.run_folder import read_timings
from marquee.settings import Settings
from marquee.spark_applications import active_applications, end_applications
from marquee_airflow.drivers import LastWord, failed_application, last_word
from steps.form import Form
from steps.freeze_inputs import freeze_inputs
from steps.load_sources import find_ratings, load_ratings
from steps.run import Run
from steps.spark_submit import all_attempts, submit_command
from tests.yarn.daemons import Yarn

pytestmark = [pytest.mark.timeout(1800), pytest.mark.hdfs]
Submit = Callable[[str, str], "subprocess.Popen[bytes]"]


@pytest.fixture
def lake(place: Settings) -> Lake:
    """The lake of the place."""
    return open_lake(place.lake.root, place.lake.webhdfs, place.lake.user)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """What spark-submit prints."""
    return tmp_path / "submit.log"


@pytest.fixture
def submit(place: Settings, cluster: Yarn, log: Path) -> Iterator[Submit]:
    """Start a submission; at the end none is left."""
    started: list[subprocess.Popen[bytes]] = []
    environment = job_environment(place)
    # A driver would look for the scheduler at YARN's own port 8030, which a test must not take.
    environment["HADOOP_CONF_DIR"] = str(cluster.conf)
    Path(environment["TMPDIR"]).mkdir(parents=True, exist_ok=True)

    def start(job: str, run: str) -> subprocess.Popen[bytes]:
        command = submit_command(place, job, run, environment["SPARK_ARCHIVE"])
        with log.open("wb") as out:
            started.append(subprocess.Popen(command, env=environment, stdout=out, stderr=out))
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.wait()


def frozen(place: Settings, lake: Lake, name: str) -> Run:
    """A run whose inputs are frozen."""
    at, form = datetime(2026, 1, 4, tzinfo=UTC), Form.of(place, {})
    run = Run(name, at, "manual", form, place, lake)
    freeze_inputs(run, load_ratings(run, **find_ratings(run))["path"])
    return run


def test_a_driver_in_a_container_does_the_job(
    place: Settings, lake: Lake, submit: Submit, log: Path
) -> None:
    run = frozen(place, lake, "manual-1")
    assert submit("prepare_ratings", run.id).wait() == 0, log.read_text()[-3000:]
    assert lake.manifest(run.path("prepared/ratings")).rows == 800
    assert lake.manifest(run.path("split/ratings")).rows == 800
    timings = read_timings(lake, run.id, "prepare_ratings")
    assert timings["started"] < timings["session_ready"], "YARN's own wait counts"
    assert "Python driver" in timings["peak_mb"]


def test_a_driver_that_refuses_its_input_leaves_its_word(
    place: Settings, lake: Lake, submit: Submit, log: Path
) -> None:
    assert submit("prepare_ratings", "manual-nothing").wait() != 0
    application = failed_application(log.read_text())
    word = last_word(lake, "manual-nothing", "prepare_ratings", application)
    assert word is not None, log.read_text()[-3000:]
    assert word == LastWord(word.sentence, BAD_INPUT)
    assert "run manual-nothing has frozen no inputs" in word.sentence
    assert last_word(lake, "manual-nothing", "prepare_titles", application) is None
    assert failed_application("Error code is: 2.") == ""


def test_an_application_is_ended_by_run_and_job(
    place: Settings, lake: Lake, cluster: Yarn, submit: Submit, log: Path
) -> None:
    """What a killed task does, and what the next attempt does where the task could not."""
    run, pages = frozen(place, lake, "manual-2"), place.spark.pages
    task = submit("prepare_ratings", run.id)
    prefix = all_attempts("prepare_ratings", run.id)
    cluster.until(lambda: bool(active_applications("yarn", pages, prefix)))
    other = all_attempts("prepare_ratings", "manual-20")
    assert end_applications("yarn", pages, other) == []
    ended = end_applications("yarn", pages, prefix)
    assert len(ended) == 1, ended
    assert active_applications("yarn", pages, prefix) == []
    assert task.wait() != 0
    assert "killed" in log.read_text().lower()
