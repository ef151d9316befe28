"""How far a long task has come, for its log and for whoever watches from another process.

A crawl tells pages, a training job sweeps. The log gets a line every few seconds; the file named by
the environment variable `MARQUEE_PROGRESS` (or, where that is a folder, the file of Airflow's task
in it) always holds the latest word, as one JSON object:
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

from marquee.clock import now
from marquee.names import iso

PROGRESS = "MARQUEE_PROGRESS"
TASK = "AIRFLOW_CTX_TASK_ID"
"""Airflow says so to whatever a task starts."""
LINE_SECONDS = 5.0
"""At most one line of the log in so many seconds."""
FILE_SECONDS = 0.5
"""At most one writing of the file in so many seconds."""


@dataclass(frozen=True)
class Progress:
    """`done` of `of` pages, sweeps or whatever `what` names, in the singular."""

    what: str
    done: int
    of: int
    since: str
    """When the first was told, UTC."""
    at: str
    """When this was told, UTC; a task that died leaves its last word behind."""
    note: str = ""
    """What else is worth a glance: `2 refused`."""

    def __str__(self) -> str:
        line = f"{self.what} {self.done} of {self.of} since {self.since[11:]}"
        return f"{line}; {self.note}" if self.note else line


@dataclass
class _Told:
    """What this process said last of one kind of thing."""

    progress: Progress
    line_at: float
    file_at: float


_told: dict[str, _Told] = {}
_stages: list[str] = []


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Around a part of a task whose counting would else look like that of another: one fit of
    several. Only this process knows it; hand `stage_now()` to those that do the work."""
    _stages.append(name)
    try:
        yield
    finally:
        _stages.pop()


def stage_now() -> str:
    """The innermost stage under way; empty where there is none."""
    return _stages[-1] if _stages else ""


def report_progress(what: str, done: int, of: int, note: str = "") -> None:
    """Say how far this process is; call it as often as there is something to say.

    Lines and files are spaced, but the last of all (`done` = `of`) always comes through. Counting
    that starts again (a second fit) is a progress of its own. A file that cannot be written is no
    reason for a task to fail, and is passed over.
    """
    moment, clock = iso(now()), time.monotonic()
    told = _told.get(what)
    if told is None or done < told.progress.done or of != told.progress.of:
        first = Progress(what, done, of, moment, moment, note)
        told = _told[what] = _Told(first, line_at=clock, file_at=-FILE_SECONDS)
    told.progress = Progress(what, done, of, told.progress.since, moment, note)
    if done >= of or clock - told.line_at >= LINE_SECONDS:
        told.line_at = clock
        print(told.progress, flush=True)
    if done >= of or clock - told.file_at >= FILE_SECONDS:
        told.file_at = clock
        _write(told.progress)


def task_file(folder: Path, task: str) -> Path:
    """The progress file of a task, `recommender.train`, in a folder of them."""
    return folder / f"{task}.json"


def read_progress(path: Path) -> Progress | None:
    """The latest word in a progress file; None where there is none that can be read."""
    try:
        return Progress(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _write(progress: Progress) -> None:
    place = os.environ.get(PROGRESS)
    if not place:
        return
    path = Path(place)
    if path.is_dir():
        path = task_file(path, os.environ.get(TASK, "") or progress.what)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(json.dumps(asdict(progress)) + "\n", encoding="utf-8")
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            beside.unlink()
