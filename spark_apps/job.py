"""What every Spark job shares: flags, lake, stopwatch, publication, exit status.

A job is a `main` of one line and a body that gets a `Job`:

    def main(argv: Sequence[str] | None = None) -> int:
        return run_job("prepare_ratings", argv, prepare)

    def prepare(job: Job) -> None: ...

A job that fails writes one sentence to standard error and returns an exit status (`error_report`).
Airflow's operator reads the status and retries every failure except `BAD_INPUT` (ADR 27).
"""

from __future__ import annotations

import argparse
import errno
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from py4j.protocol import Py4JError
from pydantic import BaseModel
from pyspark.sql import DataFrame, SparkSession

from marquee.artefacts.inputs import Inputs
from marquee.errors import AWAY, BAD_INPUT, ConflictError, MarqueeError, exit_status
from marquee.identifiers import canonical_json, run_name
from marquee.lake import Lake, Manifest, open_lake
from marquee.lifetimes import end_when_orphaned
from marquee.progress import stage
from marquee.run_folder import failure_path, inputs_of, timings_path
from spark_apps.spark_session import peak_mb, start_session

RESOURCE_MINUTES = 30.0
"""Minutes that a job waits for executors where `--resource-minutes` is not given. The DAGs give
`[spark] resource_minutes`."""
OUTAGES = re.compile(
    r"((?:java\.net\.|java\.nio\.channels\.|org\.apache\.hadoop\.(?:hdfs|ipc|net)\.)[\w.$]*Exception"
    r"|java\.lang\.OutOfMemoryError|java\.io\.(?:IOException|EOFException)"
    r"|No space left on device|All masters are unresponsive|ExecutorLostFailure"
    r"|a stopped SparkContext|SparkContext was shut ?down"
    r"|Py4JNetworkError|Connection refused)(?::\s*([^\n]+))?"
)
"""Java's names for outages, in the text of an exception that reaches Python."""
ENDED = "Spark ended this application while it worked — look at the master's page, and at its log"
DENIED = re.compile(r"Permission denied:[^\n]*|AccessControlException[^\n]*")
CONTAINER = re.compile(r"container_(?:e\d+_)?(\d+_\d+)_\d+_\d+")
"""YARN's id of a container: the number of its application, and two more."""
MISSING_PATH = re.compile(r"\[PATH_NOT_FOUND\] ([^\n]+)")
WORKERS_HOST = re.compile(r"\(TID \d+\) \((\S+) executor")
OTHER_PYTHON = re.compile(r"Python in worker has different version: ([\d.]+) than that in driver")
NO_PYTHON = re.compile(r'Cannot run program "([^"]+)"[^\n]*error=(?:2|8|13)\b')
"""Not there, of another processor, or not allowed; without memory (12) it may start next time."""
NO_PACKAGE = re.compile(r"No module named '(numpy|scipy|pyarrow|pydantic)")
"""In a traceback of a worker: packages of `requirements/worker.in`."""
RESOURCE_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.EIO)


AnyRecipe = TypeVar("AnyRecipe", bound=BaseModel)


def run_job(name: str, argv: Sequence[str] | None, body: Callable[[Job], None]) -> int:
    """Parse the flags, open the lake, run `body`, write the timings; returns the exit status."""
    options = _flags(name).parse_args(argv)
    end_when_orphaned()  # so that no writer outlives a killed task
    # The operator passes the moment it launched spark-submit, so the timing includes its start.
    started = float(os.environ.get("MARQUEE_SUBMITTED_AT") or time.time())
    scratch = Path(tempfile.mkdtemp(prefix=f"marquee-{name}-"))
    lake: Lake | None = None
    job: Job | None = None
    try:
        place = (options.lake, options.webhdfs, options.user)
        lake = open_lake(*place, replication=options.replication)
        job = Job(name, run_name(options.run), lake, scratch, options.resource_minutes)
        body(job)
        job.write_timings(started)
        return 0
    except Exception as error:
        sentence, status = error_report(error)
        if not sentence and job and job.was_ended():
            sentence, status = ENDED, AWAY
        if not sentence:
            raise
        print(f"error: {sentence}", file=sys.stderr, flush=True)
        if lake:
            _leave_word(lake, run_name(options.run), name, sentence, status)
        return status
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _leave_word(lake: Lake, run: str, job: str, sentence: str, status: int) -> None:
    """Write how the job failed into the lake, where YARN runs the driver.

    YARN tells the task neither what a driver printed nor its exit status. Without a lake the task
    sees no document and tries again.
    """
    container = CONTAINER.match(os.environ.get("CONTAINER_ID", ""))
    if not container:
        return
    word = {"format": 1, "sentence": sentence, "status": status}
    with suppress(MarqueeError):
        lake.create_json(failure_path(run, job, f"application_{container[1]}"), word)


@dataclass
class Job:
    """One run of one job: the argument of its body."""

    name: str
    run: str
    lake: Lake
    scratch: Path
    """A local folder; it is deleted when the job ends."""
    resource_minutes: float = RESOURCE_MINUTES
    work: dict[str, float] = field(default_factory=dict)
    """Seconds by stage; `stopwatch` adds to them."""
    session_ready: float = 0.0
    """When the Spark session was ready, in seconds since 1970; 0 before."""

    @cached_property
    def spark(self) -> SparkSession:
        """The session; the first access starts it."""
        session = start_session(self.name, self.scratch, self.resource_minutes)
        self.session_ready = time.time()
        return session

    def was_ended(self) -> bool:
        """Whether somebody else ended the session: its master, a person on its page.

        Java's errors after that have many names, each of what the job was about to do.
        """
        if "spark" not in vars(self):
            return False
        java: Any = self.spark.sparkContext._jsc
        try:
            return bool(java.sc().isStopped())
        except Py4JError:  # its JVM has ended, too
            return True

    @cached_property
    def inputs(self) -> Inputs:
        """The frozen inputs of the run."""
        return inputs_of(self.lake, self.run)

    def path(self, below: str) -> str:
        """`runs/R/<below>`: a path in this run's folder of the lake."""
        return f"runs/{self.run}/{below}"

    @contextmanager
    def stopwatch(self, name: str) -> Iterator[None]:
        """Time the block as the stage `name`: add to `work`, and print the seconds."""
        started = time.time()
        try:
            with stage(name):
                yield
        finally:
            self.work[name] = round(self.work.get(name, 0.0) + time.time() - started, 3)
            print(f"[{self.name}] {name}: {time.time() - started:.1f} s", flush=True)

    def publish_frames(
        self,
        frames: Mapping[str, DataFrame],
        path: str,
        rows: int | None = None,
        format: str = "parquet",
        **facts: Any,
    ) -> Manifest:
        """Write each frame to `path/<its name>` and publish them together.

        The name "" stands for `path` itself. A retry keeps the folder that an earlier attempt
        published. That folder holds the same rows, because the run's inputs are frozen.
        """

        def write() -> Manifest:
            staged = self.lake.staging(path)
            for name, frame in frames.items():
                target = self.lake.uri(f"{staged}/{name}" if name else staged)
                frame.write.format(format).mode("overwrite").save(target)
            return self.lake.seal(staged, path, rows, **facts)

        return self._published(path, write)

    def publish_folder(
        self, folder: Path, path: str, rows: int | None = None, **facts: Any
    ) -> Manifest:
        """Publish a local folder; a retry keeps the folder of an earlier attempt."""
        return self._published(path, lambda: self.lake.publish(folder, path, rows, **facts))

    def _published(self, path: str, publish: Callable[[], Manifest]) -> Manifest:
        """Publish, unless another attempt has published at `path`; the manifest there."""
        if not self.lake.exists(path):
            with suppress(ConflictError):
                return publish()
        return self.lake.manifest(path)

    def write_once(self, path: str, value: Callable[[], Mapping[str, Any]]) -> None:
        """Write a JSON document; a retry keeps the document of an earlier attempt.

        The documents of two attempts may differ, for example in the last digit of a mean.
        """
        self.lake.create_once(path, lambda: canonical_json(value()))

    def write_timings(self, started: float) -> None:
        """Write `runs/R/timings/<job>.json`; a retry keeps the first timing."""
        self.write_once(
            timings_path(self.run, self.name),
            lambda: {
                "task": self.name,
                "started": started,
                "session_ready": self.session_ready or started,
                "work": self.work,
                "peak_mb": peak_mb(),
                "finished": time.time(),
            },
        )


def _flags(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=name, description=f"Marquee's job {name}.")
    parser.add_argument("--lake", required=True, help="root of the lake, hdfs://… or file:///…")
    parser.add_argument("--webhdfs", default="", help="NameNode's http://host:port")
    parser.add_argument("--user", default="marquee", help="HDFS user name")
    parser.add_argument("--run", required=True, help="the run, as its folder is named")
    parser.add_argument(
        "--replication", type=int, default=0, help="copies of each block; 0: HDFS decides"
    )
    parser.add_argument(
        "--resource-minutes",
        type=float,
        default=RESOURCE_MINUTES,
        help="give up after so long without an executor",
    )
    return parser


def error_report(error: Exception) -> tuple[str, int]:
    """The sentence and the exit status for an exception.

    The sentence is empty for a fault in our own code; `run_job` then raises the exception.
    """
    if isinstance(error, MarqueeError):
        return str(error), exit_status(error)
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, MemoryError) or getattr(error, "errno", None) in RESOURCE_ERRNOS:
        return f"this machine is short: {text} — look at its disk and memory", AWAY
    if isinstance(error, PermissionError):  # of the local disk; HDFS raises other errors
        return f"this machine refuses: {text} — give its user the right", BAD_INPUT
    if denied := DENIED.search(text):
        return f"HDFS refuses: {denied.group()} — let [lake] user write below the root", BAD_INPUT
    if lost := MISSING_PATH.search(text):
        return f"the lake lacks what the run reads: {lost[1]} — trigger a new run", BAD_INPUT
    if sentence := _fault_of_workers_python(text):
        return sentence, BAD_INPUT  # further attempts would meet the same Python
    if outage := OUTAGES.search(text):
        what = ": ".join(part.strip() for part in outage.groups() if part)
        return f"HDFS or Spark did not hold: {what} — look at their daemons' logs", AWAY
    return "", 1


def _fault_of_workers_python(text: str) -> str:
    """What is wrong with the Python of a Spark worker, and the remedy; "" for another fault."""
    found = WORKERS_HOST.search(text)
    host = found[1] if found else "a worker"
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    if other := OTHER_PYTHON.search(text):
        what = f"the Python of {host} is {other[1]}, the driver's is {ours}"
    elif program := NO_PYTHON.search(text):
        what = f"{host} cannot start {program[1]}"
    elif "PythonException" in text and (package := NO_PACKAGE.search(text)):
        remedy = f"on {host}, install requirements/worker.txt into it"
        return f"the Python of {host} lacks {package[1]} — {remedy}"
    else:
        return ""
    return f"{what} — let [spark] worker_python name a Python {ours} on {host}"


def with_champion(recipes: Sequence[AnyRecipe], champion: AnyRecipe | None) -> list[AnyRecipe]:
    """The recipes, with the champion's own in place of one that differs in `tried_in` alone.

    Which search tries a recipe changes no fit, so a champion of another release stays the same.
    """
    if champion is None:
        return list(recipes)
    searched = {"tried_in": champion.model_dump()["tried_in"]}
    return [champion if r.model_copy(update=searched) == champion else r for r in recipes]
