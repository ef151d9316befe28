"""How a job ends where it cannot go on: the cause in one sentence and one exit status."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from marquee.errors import (
    AWAY,
    BAD_INPUT,
    ContractError,
    LakeFullError,
    LakeUnavailableError,
    StackError,
)
from marquee.lake import open_lake
from marquee.settings import REPOSITORY
from spark_apps.job import Job, error_report, run_job
from spark_apps.spark_session import REPORT_AFTER, ExecutorWait

STAGE = "Py4JJavaError: An error occurred while calling o91.parquet.\n: "
WRONG = [
    ContractError("prepared/ratings lacks a column: time", "run prepare_ratings again"),
    RuntimeError("[PATH_NOT_FOUND] Path does not exist: hdfs://h/raw/titles/x. SQLSTATE: 42K03"),
    RuntimeError(STAGE + "org.apache.hadoop.security.AccessControlException: Permission denied: x"),
]
GONE = [
    LakeUnavailableError("HDFS did not answer"),
    LakeFullError("HDFS is full"),
    StackError("serving is dead"),
    OSError(errno.ENOSPC, "No space left on device", "/tmp/scratch"),
    MemoryError(),
    RuntimeError(STAGE + "java.net.ConnectException: Call From a to b:8020 failed\n\tat x"),
    RuntimeError(
        "Job aborted due to stage failure: Task 1 failed 4 times: "
        "org.apache.hadoop.hdfs.BlockMissingException: Could not obtain block: BP-7 file=/m/p"
    ),
    RuntimeError(STAGE + "org.apache.hadoop.ipc.RemoteException(SafeModeException): Name node is"),
    RuntimeError(STAGE + "java.lang.OutOfMemoryError: Java heap space"),
    RuntimeError("All masters are unresponsive! Giving up."),
    RuntimeError(STAGE + "IllegalStateException: Cannot call methods on a stopped SparkContext."),
]


@pytest.mark.parametrize(
    ("error", "status"), [(e, BAD_INPUT) for e in WRONG] + [(e, AWAY) for e in GONE]
)
def test_wrong_input_and_an_outage_end_in_different_ways(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], error: Exception, status: int
) -> None:
    def body(_: Job) -> None:
        raise error

    flags = ["--lake", f"file://{tmp_path}/lake", "--run", "r-1"]
    assert run_job("prepare_titles", flags, body) == status
    sentence = capsys.readouterr().err
    assert sentence.startswith("error: ") and sentence.count("\n") == 1 and "\tat " not in sentence


def test_the_words_of_hdfs_reach_the_person() -> None:
    sentence, _ = error_report(GONE[6])
    assert "BlockMissingException: Could not obtain block: BP-7 file=/m/p" in sentence


LOST = "Lost task 0.0 in stage 0.0 (TID 0) (pi3 executor 1): "
WORKERS_FAULT = LOST + "org.apache.spark.api.python.PythonException: Traceback (most recent call)\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            WORKERS_FAULT
            + "[PYTHON_VERSION_MISMATCH] Python in worker has different version: 3.99 "
            "than that in driver: 3.11, PySpark cannot run with different minor versions.",
            ("the Python of pi3 is 3.99, the driver's is", "worker_python"),
        ),
        (
            LOST + 'java.io.IOException: Cannot run program "/opt/moon/python3": error=2',
            ("pi3 cannot start /opt/moon/python3", "worker_python"),
        ),
        (
            WORKERS_FAULT + "ModuleNotFoundError: No module named 'numpy'",
            ("the Python of pi3 lacks numpy", "requirements/worker.txt"),
        ),
    ],
)
def test_a_workers_python_is_named_and_not_tried_again(text: str, words: tuple[str, str]) -> None:
    """Texts of Spark 4.1.3, shortened."""
    sentence, status = error_report(RuntimeError(text + "\n\tat org.apache.spark.Thing"))
    assert status == BAD_INPUT and all(word in sentence for word in (*words, "pi3"))
    assert "\n" not in sentence


def test_a_worker_without_memory_for_its_python_is_tried_again() -> None:
    text = LOST + 'java.io.IOException: Cannot run program "python3": error=12, Cannot allocate'
    sentence, status = error_report(RuntimeError(text))
    assert status == AWAY and "Cannot run program" in sentence


def test_a_fault_of_ours_keeps_its_traceback(tmp_path: Path) -> None:
    def body(_: Job) -> None:
        raise KeyError("colour")

    with pytest.raises(KeyError):
        run_job("prepare_titles", ["--lake", f"file://{tmp_path}/lake", "--run", "r-1"], body)


def test_a_job_without_executors_reports_once_and_gives_up() -> None:
    wait = ExecutorWait(limit=600)
    assert wait.next_step(0, 1000.0) == ""
    assert wait.next_step(0, 1000 + REPORT_AFTER - 1) == ""
    assert wait.next_step(0, 1000 + REPORT_AFTER) == "report"
    assert wait.next_step(0, 1000 + REPORT_AFTER + 5) == ""
    assert wait.next_step(0, 1600.0) == "give up"


def test_the_wait_is_counted_from_the_last_executor() -> None:
    wait = ExecutorWait(limit=600)
    assert [wait.next_step(n, at) for n, at in [(0, 0), (2, 599), (0, 700)]] == ["", "", ""]
    assert wait.next_step(0, 599 + REPORT_AFTER) == "report"
    assert wait.next_step(0, 599 + 600) == "give up"


def test_a_short_patience_gives_up_before_it_reports() -> None:
    wait = ExecutorWait(limit=60)
    assert [wait.next_step(0, at) for at in (0, 60)] == ["", "give up"]


def test_what_a_late_attempt_published_stands(tmp_path: Path) -> None:
    """A killed attempt may publish between another's check and its publishing."""
    lake = open_lake(f"file://{tmp_path}/lake")
    job = Job("train_budget", "r-1", lake, tmp_path)
    for name, score in (("one", "0.41"), ("two", "0.4100001")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "card.json").write_text(score)
    first = lake.publish(tmp_path / "one", "runs/r-1/models/budget", rows=1)

    class Blind(type(lake)):  # type: ignore[misc]
        """Checks just before the other attempt publishes."""

        def exists(self, path: str) -> bool:
            return False

    job.lake = Blind(lake.root)
    assert job.publish_folder(tmp_path / "two", "runs/r-1/models/budget", rows=1) == first
    job.write_once("runs/r-1/timings/x.json", lambda: {"finished": 1.0})
    job.write_once("runs/r-1/timings/x.json", lambda: {"finished": 2.0})
    assert lake.read_json("runs/r-1/timings/x.json") == {"finished": 1.0}


SCHEDULER = """
import multiprocessing, os, subprocess, time
from marquee.lifetimes import tie_forks_to_this_process

def worker():
    if os.fork() == 0:
        subprocess.Popen(["spark-submit"])
    time.sleep(600)

tie_forks_to_this_process()
multiprocessing.get_context("fork").Process(target=worker).start()
time.sleep(600)
"""
"""As Airflow's: a worker, which forks a task, which submits a job."""

SUBMIT = f"""#!{sys.executable}
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", os.environ["DRIVER"]])
time.sleep(600)
"""
"""What stands for the JVM. Before it comes the wrapper that is ours."""

DRIVER = """
import os, pathlib, time
from marquee.lifetimes import end_when_orphaned
end_when_orphaned()
pathlib.Path(os.environ["SEEN"]).write_text(str(os.getpid()))
time.sleep(600)
"""


def test_a_killed_scheduler_leaves_no_driver(tmp_path: Path) -> None:
    """Workers, tasks, the JVM and the driver's Python end with it, so that a successor's driver is
    alone."""
    (tmp_path / "bin").mkdir()
    submit = tmp_path / "bin" / "spark-submit"
    submit.write_text(SUBMIT)
    submit.chmod(0o755)
    wrapper = REPOSITORY / "plugins" / "marquee_airflow" / "bin"
    seen = tmp_path / "seen"
    environment = os.environ | {
        "PATH": f"{wrapper}:{os.environ['PATH']}",
        "SPARK_HOME": str(tmp_path),
        "PYTHONPATH": str(REPOSITORY),
        "SEEN": str(seen),
        "DRIVER": DRIVER,
    }
    command = [sys.executable, "-c", SCHEDULER]
    with subprocess.Popen(command, env=environment) as scheduler:
        try:
            wait_until(lambda: seen.exists() and seen.read_text())
            family = psutil.Process(scheduler.pid).children(recursive=True)
            assert int(seen.read_text()) in {process.pid for process in family}
            assert len(family) == 4, "a worker, a task, the JVM, the driver"
        finally:
            scheduler.kill()
    _, alive = psutil.wait_procs(family, timeout=30)
    for process in alive:
        process.kill()
    assert alive == []


def wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_this_machines_own_refusal_is_not_hdfs_word() -> None:
    sentence, status = error_report(PermissionError(13, "Permission denied", "/scratch/a"))
    assert (
        sentence.startswith("this machine refuses")
        and "HDFS" not in sentence
        and status == BAD_INPUT
    )


ENDED_FROM_OUTSIDE = """
import sys
from spark_apps.job import run_job
from pyspark.sql import Observation, functions as F

def body(job):
    frame = job.spark.range(9)
    job.spark.sparkContext._jsc.sc().stop()  # as Spark does when its master has killed it
    frame.observe(Observation("rows"), F.count(F.lit(1)))

sys.exit(run_job("prepare_ratings", sys.argv[1:], body))
"""


def test_a_session_that_was_ended_from_outside_is_an_outage(tmp_path: Path) -> None:
    """Whatever Java's error is called, here `LiveListenerBus is stopped`."""
    flags = ["--lake", f"file://{tmp_path}", "--run", "r"]
    done = subprocess.run(
        [sys.executable, "-c", ENDED_FROM_OUTSIDE, *flags],
        env=os.environ
        | {"PYTHONPATH": str(REPOSITORY), "PYSPARK_SUBMIT_ARGS": "--master local[1] pyspark-shell"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == AWAY, done.stderr[-3000:]
    assert "error: Spark ended this application while it worked" in done.stderr
