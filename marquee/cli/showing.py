"""What people see of a run: tasks as they end, seconds, verdicts, answers of the API."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from marquee.errors import NotFoundError, StackError
from marquee.lake import Lake
from marquee.release.bundles import model_folder
from marquee.release.verdict import read_verdict
from marquee.stack.airflow_api import PRINTED, AirflowApi
from marquee.stack.figures import Figures, TaskSeconds
from marquee.steps.report import read_report
from marquee.steps.run import MODELS

SUBMITTED = "["  # a job's own lines come through spark-submit, "[prepare_ratings] …"
ENDED = {"success": "green", "skipped": "yellow", "failed": "red", "upstream_failed": "red"}


def console() -> Console:
    """Where commands print: as wide as the terminal, and wide enough where there is none."""
    return Console(soft_wrap=True, width=None if sys.stdout.isatty() else 120)


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
        overflow="ellipsis",
        no_wrap=True,
    )


def _telling(api: AirflowApi, run_id: str, found: dict[str, Any]) -> str:
    """The last line the task itself printed: what came of it."""
    if not found["start_date"] or not found["try_number"]:
        return ""
    try:
        lines = api.log(run_id, found["task_id"], found["try_number"])
    except (httpx.HTTPError, StackError):
        return ""
    told = [line for line in lines if line.startswith((PRINTED, SUBMITTED)) or "error: " in line]
    text = told[-1].removeprefix(PRINTED).strip() if told else ""
    return escape(re.sub(r"^.*?(\[\w+\]|error:)", r"\1", text))


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
        out.print(f"[bold]{model}[/bold]: {report['sentence']}", highlight=False)
        _conditions(out, lake, slug, model)


def _conditions(out: Console, lake: Lake, slug: str, model: str) -> None:
    try:
        verdict = read_verdict(lake.read_bytes(f"{model_folder(slug, model)}/verdict.json"))
    except NotFoundError:
        return
    table = Table("", "condition", "why", show_header=False)
    for found in verdict.conditions:
        mark = "[green]holds[/green]" if found.passed else "[red]fails[/red]"
        table.add_row(mark, f"{found.number} {found.group}", escape(found.sentence))
    out.print(table)


def answers(out: Console, url: str) -> None:
    """A sample of what people get: recommendations and a budget estimate, from the live API."""
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
