"""The progress of a long task, for its log and for other processes.

A crawl counts pages, a training job counts sweeps. The log gets a line every few seconds. The
environment variable `MARQUEE_PROGRESS` names a file, or a folder with one file for each Airflow
task. The file holds the latest progress as one JSON object, and `marquee run` shows it:
`{"what": "page", "done": 12, "of": 300, "since": "…Z", "at": "…Z", "note": "2 refused"}`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from marquee.clock import iso, now

PROGRESS = "MARQUEE_PROGRESS"
TASK = "AIRFLOW_CTX_TASK_ID"
"""Airflow sets it in the environment of every process that a task starts."""
LINE_SECONDS = 5.0
"""Least seconds between two lines of the log."""
FILE_SECONDS = 0.5
"""Least seconds between two writes of the file."""


@dataclass(frozen=True)
class Progress:
    """`done` of `of` units; `what` is the unit in the singular, such as `page` or `sweep`."""

    what: str
    done: int
    of: int
    since: str
    """The start of the count, UTC."""
    at: str
    """The moment of this count, UTC. An old moment shows that the task is dead."""
    note: str = ""
    """A remark for people: `2 refused`."""

    def __str__(self) -> str:
        line = f"{self.what} {self.done} of {self.of} since {self.since[11:]}"
        return f"{line}; {self.note}" if self.note else line


@dataclass
class _Latest:
    """The latest progress of one kind, and when it was printed and written."""

    progress: Progress
    line_at: float
    file_at: float


_latest: dict[str, _Latest] = {}
_stages: list[str] = []


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Name the part of a task that runs inside the `with` block, such as one of several fits.

    Only this process knows the name. A caller with worker processes gives them `current_stage()`.
    """
    _stages.append(name)
    try:
        yield
    finally:
        _stages.pop()


def current_stage() -> str:
    """The name of the innermost open stage; empty outside of every stage."""
    return _stages[-1] if _stages else ""


def report_progress(what: str, done: int, of: int, note: str = "") -> None:
    """Report the progress of this process; a caller calls it at every change of the count.

    The log gets a line every `LINE_SECONDS`, the file a write every `FILE_SECONDS`, and both get
    the last count (`done` = `of`). A lower `done` or another `of` starts a new count. The function
    ignores a file that it cannot write.
    """
    moment, clock = iso(now()), time.monotonic()
    latest = _latest.get(what)
    if latest is None or done < latest.progress.done or of != latest.progress.of:
        first = Progress(what, done, of, moment, moment, note)
        latest = _latest[what] = _Latest(first, line_at=clock, file_at=-FILE_SECONDS)
    latest.progress = Progress(what, done, of, latest.progress.since, moment, note)
    if done >= of or clock - latest.line_at >= LINE_SECONDS:
        latest.line_at = clock
        print(latest.progress, flush=True)
    if done >= of or clock - latest.file_at >= FILE_SECONDS:
        latest.file_at = clock
        _write(latest.progress)


def progress_file(folder: Path, task: str) -> Path:
    """The progress file of a task such as `recommender.train`, in a folder of them."""
    return folder / f"{task}.json"


def read_progress(path: Path) -> Progress | None:
    """The latest progress in a file; None where the file is missing or not readable."""
    try:
        return Progress(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _write(progress: Progress) -> None:
    target = os.environ.get(PROGRESS)
    if not target:
        return
    path = Path(target)
    if path.is_dir():
        path = progress_file(path, os.environ.get(TASK, "") or progress.what)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(json.dumps(asdict(progress)) + "\n", encoding="utf-8")
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            beside.unlink()
