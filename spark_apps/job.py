"""What every job shares: its flags, its Spark session, its lake, its stopwatch, its way to fail.

def main(argv: Sequence[str] | None = None) -> int:
    return run_job("prepare_ratings", argv, prepare)

def prepare(job: Job) -> None: ...
"""

from __future__ import annotations

import argparse
import errno
import os
import re
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pyspark.sql import DataFrame, SparkSession

from marquee.artefacts.inputs import Inputs, inputs_of
from marquee.digest import canonical_json
from marquee.errors import ConflictError, MarqueeError, retry_helps
from marquee.lake import Lake, Manifest, open_lake
from marquee.lifetimes import end_when_orphaned
from marquee.names import run_name
from marquee.progress import stage
from spark_apps.peak_memory import peak_mb
from spark_apps.shipping import ship_code

BAD_INPUT = 2  # exit status: the input is wrong, and trying again will not help
AWAY = os.EX_TEMPFAIL  # 75: a part of the world did not answer; trying again may help
RESOURCE_MINUTES = 30.0
"""How long a job waits for executors where its flags do not say; `[spark] resource_minutes`."""
SAY_AFTER = 120.0
"""Seconds without an executor after which a job says so."""
LOOK_EVERY = 2.0
"""Seconds between two looks at the executors."""

OUTAGES = re.compile(
    r"((?:java\.net\.|java\.nio\.channels\.|org\.apache\.hadoop\.(?:hdfs|ipc|net)\.)[\w.$]*Exception"
    r"|java\.lang\.OutOfMemoryError|java\.io\.(?:IOException|EOFException)"
    r"|No space left on device|All masters are unresponsive|ExecutorLostFailure"
    r"|a stopped SparkContext|SparkContext was shut ?down"
    r"|Py4JNetworkError|Connection refused)(?::\s*([^\n]+))?"
)
"""What Java calls a world that is away, in the text of an exception that reached Python."""
DENIED = re.compile(r"Permission denied:[^\n]*|AccessControlException[^\n]*")
LOST = re.compile(r"\[PATH_NOT_FOUND\] ([^\n]+)")
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.EIO)


@dataclass
class Job:
    """One run of one job. `spark` starts the session when first asked for."""

    name: str
    run: str
    lake: Lake
    scratch: Path
    resource_minutes: float = RESOURCE_MINUTES
    work: dict[str, float] = field(default_factory=dict)
    session_ready: float = 0.0

    @cached_property
    def spark(self) -> SparkSession:
        """The session, with what small clusters need; master and memory come from spark-submit."""
        watch = ResourceWatch(self)
        watch.start()
        session = (
            SparkSession.builder.appName(f"marquee {self.name} {self.run}")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.caseSensitive", "true")
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .getOrCreate()
        )
        session.sparkContext.setLogLevel("WARN")
        watch.session = session
        ship_code(session.sparkContext, self.scratch)
        self.session_ready = time.time()
        return session

    @cached_property
    def inputs(self) -> Inputs:
        """The frozen inputs of the run."""
        return inputs_of(self.lake, self.run)

    def path(self, below: str) -> str:
        """A path inside this run's own folder."""
        return f"runs/{self.run}/{below}"

    @contextmanager
    def stopwatch(self, name: str) -> Iterator[None]:
        """Count the seconds of the block under `name`, and say so; what counts in it says it is
        this stage's."""
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
        """Write each frame below one staged folder (name "" is the folder itself), then seal it.

        A retry that finds the folder published keeps what is there: the run's inputs are frozen,
        so it holds the same content, though Spark's part names never repeat.
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
        """Publish a local folder; an earlier attempt's stays."""
        return self._published(path, lambda: self.lake.publish(folder, path, rows, **facts))

    def _published(self, path: str, publish: Callable[[], Manifest]) -> Manifest:
        """What an earlier attempt published at `path`, also one that ended just now, else what
        `publish` does."""
        if not self.lake.exists(path):
            with suppress(ConflictError):
                return publish()
        return self.lake.manifest(path)

    def write_once(self, path: str, value: Callable[[], Mapping[str, Any]]) -> None:
        """Leave a JSON document; an earlier attempt's stays, for its figures differ in the last
        digits and its times altogether."""
        self.lake.create_once(path, lambda: canonical_json(value()))

    def write_timings(self, started: float) -> None:
        """Leave `runs/R/timings/<job>.json`; a retry writes no second timing."""
        self.write_once(
            self.path(f"timings/{self.name}.json"),
            lambda: {
                "task": self.name,
                "started": started,
                "session_ready": self.session_ready or started,
                "work": self.work,
                "peak_mb": peak_mb(),
                "finished": time.time(),
            },
        )


@dataclass
class Patience:
    """A job that no executor works for says so after two minutes, and gives up in the end."""

    most: float
    """Seconds to wait."""
    since: float | None = None
    """When there was an executor last, or the first look."""
    has_told: bool = False

    def look(self, executors: int, now: float) -> Literal["", "tell", "give up"]:
        """What to do, with so many executors at `now` (seconds of any clock)."""
        if executors or self.since is None:
            self.since = now
        if now - self.since >= self.most:
            return "give up"
        if now - self.since < SAY_AFTER or self.has_told:
            return ""
        self.has_told = True
        return "tell"


class ResourceWatch(threading.Thread):
    """Looks at the job's executors from its first word to Spark, for Spark itself waits for ever.

    In `local` mode the driver works itself: there is nothing to watch once the session stands.
    """

    def __init__(self, job: Job) -> None:
        super().__init__(daemon=True, name="resource-watch")
        self.job = job
        self.session: SparkSession | None = None
        self.patience = Patience(job.resource_minutes * 60)

    def run(self) -> None:
        """Look until the session ends."""
        while (executors := self._executors()) is not None:
            match self.patience.look(executors, time.monotonic()):
                case "tell":
                    print(f"[{self.job.name}] {self._waiting()}", flush=True)
                case "give up":
                    self._give_up()
            time.sleep(LOOK_EVERY)

    def _executors(self) -> int | None:
        """How many there are beside the driver; None where there is nothing to watch (any more)."""
        if self.session is None:
            return 0
        try:
            context = self.session.sparkContext
            if context.master == "local" or context.master.startswith("local["):
                return None
            java: Any = context._jsc
            return int(java.sc().getExecutorMemoryStatus().size()) - 1
        except Exception:  # the session was stopped, or Java is gone: its job says why
            return None

    def _waiting(self) -> str:
        master = self.session.sparkContext.master if self.session else "the cluster"
        return (
            f"waiting for Spark since {SAY_AFTER / 60:.0f} minutes: {master} gives this job no "
            "executor. Look at the master's page: is a worker alive, with a free core and "
            "[spark] executor_memory to spare, or does another application hold them all? "
            f"The job gives up after {self.patience.most / 60:.0f} minutes."
        )

    def _give_up(self) -> None:
        minutes = self.patience.most / 60
        what = f"no Spark executor for {minutes:.0f} minutes"
        remedy = "look at Spark's master and workers, then clear this task"
        print(f"error: {what} — {remedy}", file=sys.stderr, flush=True)
        shutil.rmtree(self.job.scratch, ignore_errors=True)
        os._exit(AWAY)


def run_job(name: str, argv: Sequence[str] | None, body: Callable[[Job], None]) -> int:
    """Parse the flags, open the lake, run `body`, leave the timings; the exit status."""
    options = _flags(name).parse_args(argv)
    end_when_orphaned()  # a killed task must not leave a writer behind
    # spark-submit's own start is part of the job: the operator passes the moment it was launched.
    started = float(os.environ.get("MARQUEE_SUBMITTED_AT") or time.time())
    scratch = Path(tempfile.mkdtemp(prefix=f"marquee-{name}-"))
    try:
        lake = open_lake(options.lake, options.webhdfs)
        job = Job(name, run_name(options.run), lake, scratch, options.resource_minutes)
        body(job)
        job.write_timings(started)
        return 0
    except Exception as error:
        sentence, status = judged(error)
        if not sentence:
            raise
        print(f"error: {sentence}", file=sys.stderr, flush=True)
        return status
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def judged(error: Exception) -> tuple[str, int]:
    """The sentence and the exit status of a job that ended so; no sentence for a fault of ours,
    whose traceback says more."""
    if isinstance(error, MarqueeError):
        return str(error), AWAY if retry_helps(error) else BAD_INPUT
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, MemoryError) or getattr(error, "errno", None) in NO_ROOM:
        return f"this machine is short: {said} — look at its disk and memory", AWAY
    if isinstance(error, PermissionError):  # Python's own: HDFS's come through Spark or our lake
        return f"this machine refuses: {said} — give its user the right", BAD_INPUT
    if denied := DENIED.search(said):
        return f"HDFS refuses: {denied.group()} — let [lake] user write below the root", BAD_INPUT
    if lost := LOST.search(said):
        return f"the lake lacks what the run reads: {lost[1]} — trigger a new run", BAD_INPUT
    if outage := OUTAGES.search(said):
        what = ": ".join(part.strip() for part in outage.groups() if part)
        return f"HDFS or Spark did not hold: {what} — look at their daemons' logs", AWAY
    return "", 1


def _flags(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=name, description=f"Marquee's job {name}.")
    parser.add_argument("--lake", required=True, help="root of the lake, hdfs://… or file:///…")
    parser.add_argument("--webhdfs", default="", help="NameNode's http://host:port")
    parser.add_argument("--run", required=True, help="the run, as its folder is named")
    parser.add_argument(
        "--resource-minutes",
        type=float,
        default=RESOURCE_MINUTES,
        help="give up after so long without an executor",
    )
    return parser
