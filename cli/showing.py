"""What people see of a run: tasks as they run and end, who is waited for, what failed and why,
seconds, verdicts, answers of the API."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

from local_stack.airflow import USER
from local_stack.airflow_api import DAG, PRINTED, AirflowApi
from local_stack.figures import Figures, TaskSeconds
from marquee.artefacts.verdict import read_verdict
from marquee.clock import offset
from marquee.errors import NotFoundError, StackError
from marquee.lake import Lake
from marquee.names import iso, parse_moment
from marquee.policy import MODELS
from marquee.progress import read_progress, task_file
from marquee.settings import REPOSITORY
from release.bundles import model_folder
from steps.report import read_report

COMMANDS = (
    "run|up|down|status|doctor|history|ledger|champion|rollback|accept-world|evaluate|compare|"
    "recommend-all|parse-pages|step"
)
LINE_SECONDS = 30.0
"""Where no terminal shows a live line, one is printed so often."""
TIMING = re.compile(r"\[\w+\] [\w -]+: \d+\.\d s$")
"""How a job says how long one of its stages took."""
SUBMITTED = "["  # a job's own lines come through spark-submit, "[prepare_ratings] …"
ENDED = {"success": "green", "skipped": "yellow", "failed": "red", "upstream_failed": "red"}


def console() -> Console:
    """Where commands print: as wide as the terminal, and wide enough where there is none."""
    return Console(soft_wrap=True, width=None if sys.stdout.isatty() else 120)


def typed(text: str) -> str:
    """`text` with every `marquee …` it names as this shell can run it."""
    if shutil.which("marquee"):
        return text
    launcher, here = REPOSITORY / ".venv" / "bin" / "marquee", Path.cwd()
    if not launcher.exists():
        command = f"{os.path.relpath(sys.executable, here)} -m cli"
    elif launcher.is_relative_to(here):
        command = str(launcher.relative_to(here))
    else:
        command = str(launcher)
    return re.sub(rf"(?<![\w./-])marquee(?= (?:--|(?:{COMMANDS})\b))", command, text)


def ended(tasks: list[dict[str, Any]], shown: set[str]) -> Iterator[dict[str, Any]]:
    """Task instances that have ended since the last look, in order of their end."""
    new = [t for t in tasks if t["state"] in ENDED and t["task_id"] not in shown]
    for task in sorted(new, key=lambda t: str(t["end_date"])):
        shown.add(task["task_id"])
        yield task


def task(out: Console, api: AirflowApi, run_id: str, found: dict[str, Any]) -> None:
    """One line a task: its state, its seconds, and the telling line of its log."""
    state, colour = found["state"], ENDED[found["state"]]
    seconds = found["duration"] or 0.0
    out.print(
        f"  [{colour}]{state:8}[/{colour}] {seconds:6.1f} s  {found['task_id']:28} "
        f"{_telling(api, run_id, found)}",
        highlight=False,
    )


def _telling(api: AirflowApi, run_id: str, found: dict[str, Any]) -> str:
    """The last sentence the task itself printed, or its error: what came of it, not how long its
    stages took, nor figures for programs."""
    if not found["start_date"] or not found["try_number"]:
        return ""
    try:
        lines = api.log(run_id, found["task_id"], found["try_number"])
    except (httpx.HTTPError, StackError):
        return ""
    told = [line for line in lines if line.startswith((PRINTED, SUBMITTED)) or "error: " in line]
    said = [line.removeprefix(PRINTED).strip() for line in told]
    return escape(
        next(
            (
                re.sub(r"^.*?(\[\w+\]|error:)", r"\1", line)
                for line in reversed(said)
                if line and not TIMING.search(line) and not line.startswith(("{", "[{"))
            ),
            "",
        )
    )


class Live:
    """What runs now, since when and how far: a line that changes, or where nobody looks at a
    terminal one every half minute."""

    def __init__(self, out: Console, progress: Path) -> None:
        self.out, self.progress = out, progress
        self.printed = time.monotonic()
        self.status: Status | None = None

    def __enter__(self) -> Live:
        if self.out.is_terminal:
            self.status = self.out.status("waiting for the first task")
            self.status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.status:
            self.status.stop()

    def tasks(self, tasks: list[dict[str, Any]], otherwise: str) -> None:
        """Show these task instances; `otherwise` where none of them runs."""
        running = [running_line(t, self.progress) for t in tasks if t["state"] == "running"]
        self.say("; ".join(running) or otherwise)

    def say(self, text: str) -> None:
        """Show a sentence."""
        if self.status:
            self.status.update(escape(text))
        elif time.monotonic() - self.printed >= LINE_SECONDS:
            self.printed = time.monotonic()
            self.out.print(f"  … {escape(text)}", highlight=False)


def running_line(task: dict[str, Any], progress: Path) -> str:
    """A running task, since when (UTC), and the page or sweep it has reached."""
    if not task["start_date"]:
        return str(task["task_id"])
    started = parse_moment(task["start_date"])
    line = f"{task['task_id']} since {iso(started)[11:]}"
    found = read_progress(task_file(progress, task["task_id"]))
    # A file that is older than the task is an earlier run's. Airflow's clock is never offset.
    if found is None or parse_moment(found.at) - offset() < started.replace(microsecond=0):
        return line
    note = f"; {found.note}" if found.note else ""
    return f"{line}, {found.what} {found.done} of {found.of}{note}"


def waiting(out: Console, api: AirflowApi, run_id: str, found: dict[str, Any], home: Path) -> None:
    """Who is waited for, and where to click."""
    out.print(
        f"  [yellow]waiting[/yellow] for a person: {escape(api.question(run_id, found['task_id']))}"
        f"\n    approve or reject at {api.address(run_id, found['task_id'])}/required_actions\n"
        f"    (user {USER}, password in {home / 'passwords.json'}); silence until the time-out is "
        "a no",
        highlight=False,
    )


def failures(out: Console, api: AirflowApi, run_id: str, logs: Path) -> None:
    """Each task that failed: the last lines of error it said itself, and where its log is."""
    failed = [task for task in api.tasks(run_id) if task["state"] == "failed"]
    for found in failed:
        name, attempt = found["task_id"], found["try_number"]
        out.print(f"\n[red]failed[/red] {name}, attempt {attempt}", highlight=False)
        try:
            said = api.errors(run_id, name, attempt) if attempt else []
        except (httpx.HTTPError, StackError) as error:
            said = [f"its log cannot be read: {error}"]
        for line in said[-3:] or ["it said nothing"]:
            out.print(f"    {escape(typed(line))}", highlight=False)
        file = logs / f"dag_id={DAG}" / f"run_id={run_id}" / f"task_id={name}"
        out.print(f"  log  {api.address(run_id, name)}", highlight=False)
        out.print(f"       {escape(str(file / f'attempt={attempt}.log'))}", highlight=False)
    if not failed:
        out.print("\nno task failed: the run itself was marked as failed", highlight=False)


def timings(out: Console, figures: Figures) -> None:
    """Seconds a task: JVM start-up, work, of that I/O, and the rest."""
    table = Table("task", title="seconds per task", title_justify="left")
    for column in ("total", "waited", "JVM start", "work", "of it I/O", "Airflow, start"):
        table.add_column(column, justify="right")
    for row in figures.tasks:
        table.add_row(row.task, *_cells(row))
    out.print(table)
    out.print(
        f"the run took {figures.run_seconds:.0f} s, the stack {figures.stack_up:.0f} s to start; "
        f"everything together held at most {figures.resident_mb:.0f} MB (PSS)\n",
        highlight=False,
    )


def _cells(row: TaskSeconds) -> list[str]:
    values = (row.total, row.waited, row.jvm, row.worked, row.io, row.airflow)
    return [f"{value:.1f}" if value else "" for value in values]


def verdicts(out: Console, lake: Lake, slug: str) -> None:
    """Each model's outcome and the conditions of its verdict."""
    for model in MODELS:
        try:
            report = read_report(lake, slug)["models"][model]
        except NotFoundError:
            out.print("the run left no report: look at the failed task's log")
            return
        sentence = escape(typed(report["sentence"]))
        out.print(f"[bold]{model}[/bold]: {sentence}", highlight=False)
        _conditions(out, lake, slug, model)


def _conditions(out: Console, lake: Lake, slug: str, model: str) -> None:
    try:
        verdict = read_verdict(lake.read_bytes(f"{model_folder(slug, model)}/verdict.json"))
    except NotFoundError:
        return
    table = Table("", "condition", "why", show_header=False)
    for found in verdict.conditions:
        mark = "[green]holds[/green]" if found.passed else "[red]fails[/red]"
        table.add_row(mark, f"{found.number} {found.group}", escape(typed(found.sentence)))
    out.print(table)


def answers(out: Console, url: str) -> None:
    """A sample of what people get: recommendations and a budget estimate, from the live API."""
    try:
        _answers(out, url)
    except (httpx.HTTPError, ValueError) as error:
        out.print(f"the API does not answer: {escape(str(error))}", highlight=False)


def _answers(out: Console, url: str) -> None:
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as http:
        recommended = http.get("/v1/users/1/recommendations", params={"n": 5}).json()
        _recommendations(out, recommended)
        query = {"directors": ["unknown director"], "genres": ["Drama"], "year": 2015}
        titles = recommended.get("recommendations") or []
        known = next((t for t in titles if t.get("genres")), None)
        if known:
            query |= {"genres": known["genres"]}
        estimate = http.post("/v1/budget-estimates", json=query | {"rating": 7.0})
        _estimate(out, query, estimate.json())


def _recommendations(out: Console, answer: dict[str, Any]) -> None:
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


def _estimate(out: Console, query: dict[str, Any], answer: dict[str, Any]) -> None:
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
