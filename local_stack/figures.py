"""What a run measured: seconds a task, and how they divide."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from marquee.errors import NotFoundError
from marquee.lake import Lake


@dataclass
class TaskSeconds:
    """One task's wall time, divided. `airflow` is what is left when the rest is taken away."""

    task: str
    started: float
    total: float
    waited: float
    """Between the moment it could have started and its start (scheduler, pool)."""
    jvm: float = 0.0
    """From spark-submit to a Spark session that answers."""
    work: dict[str, float] = field(default_factory=dict)

    @property
    def worked(self) -> float:
        """Seconds of the job's own work, I/O included."""
        return sum(self.work.values())

    @property
    def io(self) -> float:
        """Seconds of reading from and writing to the lake, as the job named them."""
        return sum(v for k, v in self.work.items() if k in ("read", "publish", "write"))

    @property
    def airflow(self) -> float:
        """What Airflow, process start and imports cost."""
        return max(0.0, self.total - self.jvm - self.worked)


@dataclass
class Figures:
    """The figures of one `make run`."""

    stack_up: float = 0.0
    """Seconds until every part was ready."""
    resident_mb: float = 0.0
    """Proportional set size of every process of the stack together, at its highest."""
    run_seconds: float = 0.0
    tasks: list[TaskSeconds] = field(default_factory=list)

    def take(self, run: dict[str, Any], tasks: list[dict[str, Any]], lake: Lake, slug: str) -> None:
        """Read Airflow's task instances and the jobs' own timings."""
        self.run_seconds = _seconds(run["start_date"], run["end_date"])
        for task in tasks:
            if task["start_date"] and task["end_date"] and task["state"] != "skipped":
                self.tasks.append(_task(task, lake, slug))
        self.tasks.sort(key=lambda t: t.started)

    def to_json(self) -> dict[str, Any]:
        """For the file beside the run, and for benchmarks."""
        return asdict(self)


def _task(task: dict[str, Any], lake: Lake, slug: str) -> TaskSeconds:
    started = _moment(task["start_date"])
    seconds = TaskSeconds(
        task=task["task_id"],
        started=started,
        total=_seconds(task["start_date"], task["end_date"]),
        waited=_seconds(task["scheduled_when"] or task["start_date"], task["start_date"]),
    )
    timings = _timings(lake, slug, task["task_id"])
    if timings:
        seconds.jvm = timings["session_ready"] - timings["started"]
        seconds.work = timings["work"]
    return seconds


def _timings(lake: Lake, slug: str, task_id: str) -> dict[str, Any] | None:
    """`recommender.train` is the job `train_recommender`, `prepare_titles` itself."""
    group, _, name = task_id.rpartition(".")
    job = f"{name}_{group}" if group else name
    try:
        found: dict[str, Any] = lake.read_json(f"runs/{slug}/timings/{job}.json")
    except NotFoundError:
        return None
    return found


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _seconds(start: str | None, end: str | None) -> float:
    return max(0.0, _moment(end) - _moment(start)) if start and end else 0.0
