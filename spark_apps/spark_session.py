"""A job's Spark session: its start, its wait for executors, peak memory.

`spark_apps.job` starts the session. Spark itself waits for executors without a limit. A job prints
a line after two minutes without an executor, and ends as `AWAY` after `[spark] resource_minutes`.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pyspark import SparkConf
from pyspark.sql import SparkSession

from marquee.errors import AWAY, StackError

REPORT_AFTER = 120.0
"""Seconds without an executor after which a job prints that it waits."""
SECONDS_BETWEEN_CHECKS = 2.0
NOT_TAKEN = re.compile(
    "masters are unresponsive|stopped SparkContext|SparkContext was shut ?down|NullPointerException"
    "|IllegalStateException|SaslException|AuthenticationException"
)
"""Java's words where a session ends before its master has answered."""
ROWS_PER_PARTITION = 500_000
"""Rows that one task sorts or joins in memory; about 50 MB of ratings."""


def start_session(job: str, scratch: Path, resource_minutes: float) -> SparkSession:
    """Start the session; spark-submit sets master, name, memory and the code for executors.

    The process ends with status `AWAY` after `resource_minutes` without an executor.
    """
    watch = ExecutorWatch(job, scratch, resource_minutes)
    watch.start()
    builder = (
        SparkSession.builder.config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.caseSensitive", "true")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
    )
    try:
        session = builder.getOrCreate()
    except Exception as error:
        raise _refusal(error, SparkConf().get("spark.master") or "") or error from None
    session.sparkContext.setLogLevel("WARN")
    watch.session = session
    return session


def _refusal(error: Exception, master: str) -> StackError | None:
    """What to say where a Standalone master has not taken the job; None for another error."""
    if not (master.startswith("spark://") and NOT_TAKEN.search(str(error))):
        return None
    return StackError(
        f"{master} does not take this job",
        "does a master run there, and are [spark] authenticate and secret_file its own?",
    )


def partitions_of(rows: int, rows_each: int = ROWS_PER_PARTITION) -> int:
    """How many partitions `rows` take, at least one."""
    return max(1, -(-rows // rows_each))


def raise_shuffle_partitions(session: SparkSession, partitions: int) -> None:
    """Raise the partitions of a shuffle to `partitions`; more that were set before stay."""
    key = "spark.sql.shuffle.partitions"
    session.conf.set(key, str(max(int(session.conf.get(key) or 1), partitions)))


class ExecutorWatch(threading.Thread):
    """Counts the job's executors from the session's start until its end.

    The watch ends at once in `local` mode, where the driver runs the tasks itself.
    """

    def __init__(self, job: str, scratch: Path, resource_minutes: float) -> None:
        super().__init__(daemon=True, name="executor-watch")
        self.job, self.scratch = job, scratch
        self.session: SparkSession | None = None
        self.wait = ExecutorWait(resource_minutes * 60)

    def run(self) -> None:
        """Count until the session ends."""
        while (executors := self._executors()) is not None:
            match self.wait.next_step(executors, time.monotonic()):
                case "report":
                    print(f"[{self.job}] {self._waiting()}", flush=True)
                case "give up":
                    self._give_up()
            time.sleep(SECONDS_BETWEEN_CHECKS)

    def _executors(self) -> int | None:
        """The number of executors beside the driver; None in local mode and without a session."""
        if self.session is None:
            return 0
        try:
            context = self.session.sparkContext
            if context.master == "local" or context.master.startswith("local["):
                return None
            java: Any = context._jsc
            return int(java.sc().getExecutorMemoryStatus().size()) - 1
        except Exception:  # the session or its JVM has ended; the job reports why
            return None

    def _waiting(self) -> str:
        master = self.session.sparkContext.master if self.session else "the cluster"
        return (
            f"waiting for Spark since {REPORT_AFTER / 60:.0f} minutes: {master} gives this job no "
            "executor. Look at the master's page: is a worker alive, with a free core and "
            "[spark] executor_memory to spare, or does another application hold them all? If it "
            "lists executor after executor as EXITED, read the stderr of one on its worker's page. "
            f"The job gives up after {self.wait.limit / 60:.0f} minutes."
        )

    def _give_up(self) -> None:
        minutes = self.wait.limit / 60
        what = f"no Spark executor for {minutes:.0f} minutes"
        remedy = "look at Spark's master and at its workers' executors, then clear this task"
        print(f"error: {what} — {remedy}", file=sys.stderr, flush=True)
        shutil.rmtree(self.scratch, ignore_errors=True)
        os._exit(AWAY)


@dataclass
class ExecutorWait:
    """How long a job waits for an executor, and when it reports the wait (once)."""

    limit: float
    """Most seconds without an executor."""
    since: float | None = None
    """The last count that found an executor, else the first count."""
    has_reported: bool = False

    def next_step(self, executors: int, now: float) -> Literal["", "report", "give up"]:
        """What the job does with this many executors at `now` (seconds of a monotonic clock)."""
        if executors or self.since is None:
            self.since = now
        if now - self.since >= self.limit:
            return "give up"
        if now - self.since < REPORT_AFTER or self.has_reported:
            return ""
        self.has_reported = True
        return "report"


def peak_mb() -> dict[str, float]:
    """Peak resident megabytes of the Python driver and of the JVM that started it.

    A process without a readable `/proc` entry is omitted. In local mode the JVM's figure includes
    the executors.
    """
    processes = {"Python driver": os.getpid(), "Spark's JVM": os.getppid()}
    found = {name: _high_water(pid) for name, pid in processes.items() if _is_ours(pid)}
    return {name: mb for name, mb in found.items() if mb is not None}


def _is_ours(pid: int) -> bool:
    """Whether the process is this one or a JVM. In a test the parent is a shell."""
    if pid == os.getpid():
        return True
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "java"
    except OSError:
        return False


def _high_water(pid: int) -> float | None:
    """VmHWM of /proc/PID/status (proc(5)), which is in kilobytes."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return None
    return round(int(found.group(1)) / 1024, 1) if found else None
