"""What `marquee run` prints during a run: running and ended tasks, questions, failures."""

from __future__ import annotations

import re
import time
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.status import Status

from cli.run_results import RunFigures
from cli.terminal import as_typed_here
from local_stack.airflow_api import DAG, ENDED_STATES, PRINTED_PREFIX, AirflowApi
from local_stack.environment import ADMIN_USER
from local_stack.processes import memory_mb
from local_stack.stack import Stack
from marquee.clock import iso, offset, parse_moment
from marquee.errors import StackError
from marquee.progress import progress_file, read_progress

SECONDS_BETWEEN_LINES = 30.0
"""Without a terminal, seconds between the lines that replace the live line."""
TIMING = re.compile(r"\[\w+\] [\w -]+: \d+\.\d s$")
"""A line in which a job prints the seconds of one of its stages."""
JOB_LINE_START = "["
"""The start of a job's own lines in the output of spark-submit: `[prepare_ratings] …`."""
END_COLOURS = {"success": "green", "skipped": "yellow", "failed": "red", "upstream_failed": "red"}


def watch(out: Console, api: AirflowApi, run_id: str, stack: Stack, figures: RunFigures) -> str:
    """Print a run's progress until it ends, and return its final state.

    Prints once: each task that ends, each question to a person, and the runs that a queued run
    waits for. Writes the peak memory into `figures`. Raises StackError where another command stops
    the stack.
    """
    ended: set[str] = set()
    waiting: set[str] = set()
    queued = ""
    with LiveLine(out, stack.folders.progress) as live:
        while True:
            stack.check_running()
            try:
                state, tasks = api.run(run_id)["state"], api.tasks(run_id)
                for task in _newly_in(tasks, END_COLOURS, ended):
                    _show_ended(out, api, run_id, task)
                for task in _newly_in(tasks, ("awaiting_input",), waiting):
                    _show_waiting(out, api, run_id, task, stack.folders.airflow)
                idle = not any(task["state"] == "running" for task in tasks)
                behind = _queue_sentence(api, run_id) if state == "queued" else ""
                if behind and behind != queued:
                    out.print(f"  {behind}", highlight=False)
                    queued = behind
                live.tasks(tasks, (behind or _idle_sentence(api, tasks)) if idle else "")
                figures.resident_mb = max(figures.resident_mb, memory_mb(stack.pids()))
            except (httpx.HTTPError, StackError) as error:
                live.say(str(error))
                time.sleep(1)
                continue
            if state in ENDED_STATES:
                return str(state)
            time.sleep(1)


def show_failures(out: Console, api: AirflowApi, run_id: str, logs: Path) -> None:
    """Print each failed task with the last errors in its log and the log's address."""
    failed = [task for task in api.tasks(run_id) if task["state"] == "failed"]
    for found in failed:
        name, attempt = found["task_id"], found["try_number"]
        out.print(f"\n[red]failed[/red] {name}, attempt {attempt}", highlight=False)
        try:
            errors = api.errors(run_id, name, attempt) if attempt else []
        except (httpx.HTTPError, StackError) as error:
            errors = [f"its log cannot be read: {error}"]
        for line in errors[-3:] or ["it said nothing"]:
            out.print(f"    {escape(as_typed_here(line))}", highlight=False)
        file = logs / f"dag_id={DAG}" / f"run_id={run_id}" / f"task_id={name}"
        out.print(f"  log  {api.task_address(run_id, name)}", highlight=False)
        out.print(f"       {escape(str(file / f'attempt={attempt}.log'))}", highlight=False)
    if not failed:
        out.print("\nno task failed: the run itself was marked as failed", highlight=False)


class LiveLine:
    """Shows the running tasks with their start and progress.

    On a terminal it is one line that changes; elsewhere it is a new line every half minute.
    """

    def __init__(self, out: Console, progress: Path) -> None:
        self.out, self.progress = out, progress
        self.printed = time.monotonic()
        self.status: Status | None = None

    def __enter__(self) -> LiveLine:
        if self.out.is_terminal:
            self.status = self.out.status("waiting for the first task")
            self.status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.status:
            self.status.stop()

    def tasks(self, tasks: list[dict[str, Any]], otherwise: str) -> None:
        """Show the running ones of these task instances; `otherwise` where none runs."""
        running = [running_line(t, self.progress) for t in tasks if t["state"] == "running"]
        self.say("; ".join(running) or otherwise)

    def say(self, text: str) -> None:
        """Show a sentence."""
        if self.status:
            self.status.update(escape(text))
        elif time.monotonic() - self.printed >= SECONDS_BETWEEN_LINES:
            self.printed = time.monotonic()
            self.out.print(f"  … {escape(text)}", highlight=False)


def running_line(task: dict[str, Any], progress: Path) -> str:
    """A running task with its start (UTC) and its progress, such as page 40 of 250."""
    if not task["start_date"]:
        return str(task["task_id"])
    started = parse_moment(task["start_date"])
    line = f"{task['task_id']} since {iso(started)[11:]}"
    found = read_progress(progress_file(progress, task["task_id"]))
    # A file older than the task is from an earlier run. The file's time may have a drill's offset;
    # Airflow's time has none.
    if found is None or parse_moment(found.at) - offset() < started.replace(microsecond=0):
        return line
    note = f"; {found.note}" if found.note else ""
    return f"{line}, {found.what} {found.done} of {found.of}{note}"


def _newly_in(
    tasks: list[dict[str, Any]], states: Container[str], shown: set[str]
) -> Iterator[dict[str, Any]]:
    """The task instances in one of `states` that are not in `shown`, by end; adds them to it."""
    new = [t for t in tasks if t["state"] in states and t["task_id"] not in shown]
    for task in sorted(new, key=lambda t: str(t["end_date"])):
        shown.add(task["task_id"])
        yield task


def _show_ended(out: Console, api: AirflowApi, run_id: str, task: dict[str, Any]) -> None:
    """Print one line: the task's state, its seconds, and the last sentence of its log."""
    state, colour = task["state"], END_COLOURS[task["state"]]
    seconds = task["duration"] or 0.0
    out.print(
        f"  [{colour}]{state:8}[/{colour}] {seconds:6.1f} s  {task['task_id']:28} "
        f"{_last_sentence(api, run_id, task)}",
        highlight=False,
    )


def _last_sentence(api: AirflowApi, run_id: str, task: dict[str, Any]) -> str:
    """The last sentence that the task printed, or its error.

    Skips the lines with the seconds of its stages, and lines of JSON.
    """
    if not task["start_date"] or not task["try_number"]:
        return ""
    try:
        lines = api.log(run_id, task["task_id"], task["try_number"])
    except (httpx.HTTPError, StackError):
        return ""
    own = [
        line
        for line in lines
        if line.startswith((PRINTED_PREFIX, JOB_LINE_START)) or "error: " in line
    ]
    for line in (line.removeprefix(PRINTED_PREFIX).strip() for line in reversed(own)):
        if line and not TIMING.search(line) and not line.startswith(("{", "[{")):
            return escape(re.sub(r"^.*?(\[\w+\]|error:)", r"\1", line))
    return ""


def _show_waiting(
    out: Console, api: AirflowApi, run_id: str, task: dict[str, Any], home: Path
) -> None:
    """Print the question to a person and the address where to answer it."""
    question = api.approval_question(run_id, task["task_id"])
    out.print(
        f"  [yellow]waiting[/yellow] for a person: {escape(question)}"
        f"\n    approve or reject at {api.task_address(run_id, task['task_id'])}/required_actions\n"
        f"    (user {ADMIN_USER}, password in {home / 'passwords.json'}); silence until the "
        "time-out is a no",
        highlight=False,
    )


def _queue_sentence(api: AirflowApi, run_id: str) -> str:
    """A sentence with the runs that a queued run waits for; empty where there are none."""
    runs = api.runs_ahead_of(run_id)
    if not runs:
        return ""
    names = " and ".join(runs)
    return f"queued: one run goes at a time, and this one waits for {names} to end"


def _idle_sentence(api: AirflowApi, tasks: list[dict[str, Any]]) -> str:
    """A sentence why no task runs."""
    named = {
        state: ", ".join(task["task_id"] for task in tasks if task["state"] == state)
        for state in ("awaiting_input", "up_for_retry")
    }
    if api.is_paused():
        return f"{DAG} was paused: nothing goes on until it is unpaused in Airflow"
    if named["awaiting_input"]:
        return f"waiting for a person: {named['awaiting_input']}"
    if named["up_for_retry"]:
        return f"failed, and to be tried again: {named['up_for_retry']}"
    return "between tasks"
