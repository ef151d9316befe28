"""What every job shares: its flags, its Spark session, its lake, its stopwatch, its way to fail.

def main(argv: Sequence[str] | None = None) -> int:
    return run_job("prepare_ratings", argv, prepare)

def prepare(job: Job) -> None: ...
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from marquee.errors import ConflictError, MarqueeError
from marquee.lake import Lake, Manifest, open_lake
from marquee.names import run_name
from marquee.release.inputs import Inputs, inputs_of
from spark_apps.peak_memory import peak_mb
from spark_apps.shipping import ship_code

BAD_INPUT = 2  # exit status: trying again will not help


@dataclass
class Job:
    """One run of one job. `spark` starts the session when first asked for."""

    name: str
    run: str
    lake: Lake
    scratch: Path
    work: dict[str, float] = field(default_factory=dict)
    session_ready: float = 0.0

    @cached_property
    def spark(self) -> SparkSession:
        """The session, with what small clusters need; master and memory come from spark-submit."""
        session = (
            SparkSession.builder.appName(f"marquee {self.name} {self.run}")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.caseSensitive", "true")
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .getOrCreate()
        )
        session.sparkContext.setLogLevel("WARN")
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
        """Count the seconds of the block under `name`, and say so."""
        started = time.time()
        try:
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
        if self.lake.exists(path):
            return self.lake.manifest(path)
        staged = self.lake.staging(path)
        for name, frame in frames.items():
            target = self.lake.uri(f"{staged}/{name}" if name else staged)
            frame.write.format(format).mode("overwrite").save(target)
        try:
            return self.lake.seal(staged, path, rows, **facts)
        except ConflictError:
            return self.lake.manifest(path)

    def publish_folder(
        self, folder: Path, path: str, rows: int | None = None, **facts: Any
    ) -> Manifest:
        """Publish a local folder; an earlier attempt's stays."""
        if self.lake.exists(path):
            return self.lake.manifest(path)
        return self.lake.publish(folder, path, rows, **facts)

    def write_timings(self, started: float) -> None:
        """Leave `runs/R/timings/<job>.json`; a retry's are not needed twice."""
        path = self.path(f"timings/{self.name}.json")
        if not self.lake.exists(path):
            value = {
                "task": self.name,
                "started": started,
                "session_ready": self.session_ready or started,
                "work": self.work,
                "peak_mb": peak_mb(),
                "finished": time.time(),
            }
            self.lake.create_json(path, value)


def run_job(name: str, argv: Sequence[str] | None, body: Callable[[Job], None]) -> int:
    """Parse the flags, open the lake, run `body`, leave the timings; the exit status."""
    options = _flags(name).parse_args(argv)
    _die_with_parent()
    # spark-submit's own start is part of the job: the operator passes the moment it was launched.
    started = float(os.environ.get("MARQUEE_SUBMITTED_AT") or time.time())
    scratch = Path(tempfile.mkdtemp(prefix=f"marquee-{name}-"))
    try:
        job = Job(name, run_name(options.run), open_lake(options.lake, options.webhdfs), scratch)
        body(job)
        job.write_timings(started)
        return 0
    except MarqueeError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return BAD_INPUT
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _die_with_parent() -> None:
    """End with the JVM that launched this driver: a killed task must not leave a writer behind."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _flags(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=name, description=f"Marquee's job {name}.")
    parser.add_argument("--lake", required=True, help="root of the lake, hdfs://… or file:///…")
    parser.add_argument("--webhdfs", default="", help="NameNode's http://host:port")
    parser.add_argument("--run", required=True, help="the run, as its folder is named")
    return parser
