"""What `marquee run` prints after a run: seconds by task, verdicts, answers of the live API.

Benchmarks read the seconds from a JSON file in the stack's folder `figures`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.terminal import as_typed_here
from marquee.artefacts.verdict import read_verdict
from marquee.errors import NotFoundError
from marquee.lake import Lake
from marquee.policy import MODELS
from marquee.run_folder import read_timings, verdict_path
from steps.run_report import read_report


@dataclass
class TaskSeconds:
    """One task's wall time in seconds, split into its parts: total = jvm + worked + airflow."""

    task: str
    started: float
    total: float
    waited: float
    """From the moment when the task could start to its start; not part of `total`."""
    jvm: float = 0.0
    """From spark-submit to a Spark session that answers."""
    work: dict[str, float] = field(default_factory=dict)

    @property
    def worked(self) -> float:
        """Seconds of the job's own work, I/O included."""
        return sum(self.work.values())

    @property
    def io(self) -> float:
        """Seconds of reading from and writing to the lake; part of `worked`."""
        return sum(v for k, v in self.work.items() if k in ("read", "publish", "write"))

    @property
    def airflow(self) -> float:
        """Seconds of Airflow, process start and imports."""
        return max(0.0, self.total - self.jvm - self.worked)


@dataclass
class RunFigures:
    """The figures of one `make run`."""

    stack_up: float = 0.0
    """Seconds until every process was ready."""
    resident_mb: float = 0.0
    """The peak of the stack's memory: the proportional set sizes of all its processes, summed."""
    run_seconds: float = 0.0
    tasks: list[TaskSeconds] = field(default_factory=list)

    def read_run(
        self, run: dict[str, Any], tasks: list[dict[str, Any]], lake: Lake, slug: str
    ) -> None:
        """Read Airflow's task instances and the jobs' own timings."""
        self.run_seconds = _seconds(run["start_date"], run["end_date"])
        for task in tasks:
            if task["start_date"] and task["end_date"] and task["state"] != "skipped":
                self.tasks.append(_task(task, lake, slug))
        self.tasks.sort(key=lambda t: t.started)

    def to_json(self) -> dict[str, Any]:
        """The figures as JSON, for benchmarks."""
        return asdict(self)


def _task(task: dict[str, Any], lake: Lake, slug: str) -> TaskSeconds:
    started = _moment(task["start_date"])
    seconds = TaskSeconds(
        task=task["task_id"],
        started=started,
        total=_seconds(task["start_date"], task["end_date"]),
        waited=_seconds(task["scheduled_when"] or task["start_date"], task["start_date"]),
    )
    if timings := read_timings(lake, slug, _job(task["task_id"])):
        seconds.jvm = timings["session_ready"] - timings["started"]
        seconds.work = timings["work"]
    return seconds


def _job(task_id: str) -> str:
    """The job of a task: `train_budget` for `budget.train`; else the name of the task."""
    group, _, name = task_id.rpartition(".")
    return f"{name}_{group}" if group else name


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _seconds(start: str | None, end: str | None) -> float:
    return max(0.0, _moment(end) - _moment(start)) if start and end else 0.0


def show_seconds(out: Console, figures: RunFigures) -> None:
    """Print the seconds of each task as a table."""
    table = Table("task", title="seconds per task", title_justify="left")
    for column in ("total", "waited", "JVM start", "work", "of it I/O", "Airflow, start"):
        table.add_column(column, justify="right")
    for row in figures.tasks:
        table.add_row(row.task, *_cells(row))
    out.print(table)
    sentence = f"the run took {figures.run_seconds:.0f} s"
    if figures.resident_mb:  # unknown where the processes are in other containers
        sentence += f", the stack {figures.stack_up:.0f} s to start; everything together held at "
        sentence += f"most {figures.resident_mb:.0f} MB (PSS)"
    out.print(f"{sentence}\n", highlight=False)


def _cells(row: TaskSeconds) -> list[str]:
    values = (row.total, row.waited, row.jvm, row.worked, row.io, row.airflow)
    return [f"{value:.1f}" if value else "" for value in values]


def show_verdicts(out: Console, lake: Lake, slug: str) -> None:
    """Print each model's outcome and the conditions of its verdict; what came of documents."""
    for model in MODELS:
        try:
            report = read_report(lake, slug)["models"][model]
        except NotFoundError:
            out.print("the run left no report: look at the failed task's log")
            return
        sentence = escape(as_typed_here(report["sentence"]))
        out.print(f"[bold]{model}[/bold]: {sentence}", highlight=False)
        _show_conditions(out, lake, slug, model)
    if note := read_report(lake, slug).get("documents"):
        out.print(f"[bold]documents[/bold]: {escape(as_typed_here(note))}", highlight=False)


def _show_conditions(out: Console, lake: Lake, slug: str, model: str) -> None:
    try:
        verdict = read_verdict(lake.read_bytes(verdict_path(slug, model)))
    except NotFoundError:
        return
    table = Table("", "condition", "why", show_header=False)
    for found in verdict.conditions:
        mark = "[green]holds[/green]" if found.passed else "[red]fails[/red]"
        reason = escape(as_typed_here(found.sentence))
        table.add_row(mark, f"{found.number} {found.group}", reason)
    out.print(table)


def show_answers(out: Console, url: str) -> None:
    """Print a person's recommendations and a budget estimate from the live API."""
    try:
        _show_answers(out, url)
    except (httpx.HTTPError, ValueError) as error:
        out.print(f"the API does not answer: {escape(str(error))}", highlight=False)


def _show_answers(out: Console, url: str) -> None:
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as http:
        recommended = http.get("/v1/users/1/recommendations", params={"n": 5}).json()
        _show_recommendations(out, recommended)
        query = {"directors": ["unknown director"], "genres": ["Drama"], "year": 2015}
        titles = recommended.get("recommendations") or []
        known = next((t for t in titles if t.get("genres")), None)
        if known:
            query |= {"genres": known["genres"]}
        estimate = http.post("/v1/budget-estimates", json=query | {"rating": 7.0})
        _show_estimate(out, query, estimate.json())


def _show_recommendations(out: Console, answer: dict[str, Any]) -> None:
    if "recommendations" not in answer:
        out.print(f"recommendations: {answer.get('detail') or answer}", highlight=False)
        return
    table = Table(
        "title",
        "year",
        "genres",
        "expected rating",
        "why",
        title="GET /v1/users/1/recommendations?n=5",
        title_justify="left",
    )
    for found in answer["recommendations"]:
        rating = found.get("predicted_rating")
        table.add_row(
            str(found.get("title")),
            str(found.get("year")),
            ", ".join(found.get("genres") or []),
            f"{rating:.2f}" if rating is not None else "",
            str(found.get("strategy")),
        )
    out.print(table)


def _show_estimate(out: Console, query: dict[str, Any], answer: dict[str, Any]) -> None:
    if "median" not in answer:
        out.print(f"budget estimate: {answer.get('detail') or answer}", highlight=False)
        return
    genres = ", ".join(query["genres"])
    out.print(
        f"POST /v1/budget-estimates for {genres} of {query['year']} rated 7.0: "
        f"[bold]${answer['median']:,.0f}[/bold] (80 % between ${answer['low']:,.0f} and "
        f"${answer['high']:,.0f}, in dollars of {answer.get('price_year')})",
        highlight=False,
    )
