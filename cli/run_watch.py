"""What `marquee run` shows of a run on its way: tasks as they run and end, questions, failures."""

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
from local_stack.airflow_api import DAG, DONE, PRINTED, AirflowApi
from local_stack.environment import USER
from local_stack.processes import resident_mb
from local_stack.stack import Stack
from marquee.clock import iso, offset, parse_moment
from marquee.errors import StackError
from marquee.progress import read_progress, task_file

LINE_SECONDS = 30.0
"""Without a terminal there is no live line; a new line is printed so often instead."""
TIMING = re.compile(r"\[\w+\] [\w -]+: \d+\.\d s$")
"""How a job prints the seconds of one of its stages."""
SUBMITTED = "["
"""Before a job's own lines, which come through spark-submit: `[prepare_ratings] …`."""
ENDED = {"success": "green", "skipped": "yellow", "failed": "red", "upstream_failed": "red"}


def watch(out: Console, api: AirflowApi, run_id: str, stack: Stack, figures: RunFigures) -> str:
    """Show a run until it ends; its final state.

    Prints each task as it ends, each person waited for and the runs a queued run waits for, once,
    and keeps the highest memory in `figures`. StackError where another command stops the stack.
    """
    ended: set[str] = set()
    waiting: set[str] = set()
    queued = ""
    with LiveLine(out, stack.folders.progress) as live:
        while True:
            stack.check_running()
            try:
                state, tasks = api.run(run_id)["state"], api.tasks(run_id)
                for task in _newly(tasks, ENDED, ended):
                    _show_ended(out, api, run_id, task)
                for task in _newly(tasks, ("awaiting_input",), waiting):
                    _show_waiting(out, api, run_id, task, stack.folders.airflow)
                idle = not any(task["state"] == "running" for task in tasks)
                behind = _behind(api, run_id) if state == "queued" else ""
                if behind and behind != queued:
                    out.print(f"  {behind}", highlight=False)
                    queued = behind
                live.tasks(tasks, (behind or _why_idle(api, tasks)) if idle else "")
                figures.resident_mb = max(figures.resident_mb, resident_mb(stack.pids()))
            except (httpx.HTTPError, StackError) as error:
                live.say(str(error))
                time.sleep(1)
                continue
            if state in DONE:
                return str(state)
            time.sleep(1)


def show_failures(out: Console, api: AirflowApi, run_id: str, logs: Path) -> None:
    """Each task that failed: the last errors in its log, and where its log is."""
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
        out.print(f"  log  {api.address(run_id, name)}", highlight=False)
        out.print(f"       {escape(str(file / f'attempt={attempt}.log'))}", highlight=False)
    if not failed:
        out.print("\nno task failed: the run itself was marked as failed", highlight=False)


class LiveLine:
    """What runs now, since when and how far: a line that changes on a terminal, and without one a
    new line every half minute."""

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


def _newly(
    tasks: list[dict[str, Any]], states: Container[str], shown: set[str]
) -> Iterator[dict[str, Any]]:
    """Task instances that have come into one of `states` since the last call, in order of end."""
    new = [t for t in tasks if t["state"] in states and t["task_id"] not in shown]
    for task in sorted(new, key=lambda t: str(t["end_date"])):
        shown.add(task["task_id"])
        yield task


def _show_ended(out: Console, api: AirflowApi, run_id: str, task: dict[str, Any]) -> None:
    """One line: the task's state, its seconds, and the last sentence of its log."""
    state, colour = task["state"], ENDED[task["state"]]
    seconds = task["duration"] or 0.0
    out.print(
        f"  [{colour}]{state:8}[/{colour}] {seconds:6.1f} s  {task['task_id']:28} "
        f"{_last_sentence(api, run_id, task)}",
        highlight=False,
    )


def _last_sentence(api: AirflowApi, run_id: str, task: dict[str, Any]) -> str:
    """The last sentence that the task printed itself, or its error.

    Skips the seconds of its stages and its figures for programs: they do not say what came of it.
    """
    if not task["start_date"] or not task["try_number"]:
        return ""
    try:
        lines = api.log(run_id, task["task_id"], task["try_number"])
    except (httpx.HTTPError, StackError):
        return ""
    own = [line for line in lines if line.startswith((PRINTED, SUBMITTED)) or "error: " in line]
    for line in (line.removeprefix(PRINTED).strip() for line in reversed(own)):
        if line and not TIMING.search(line) and not line.startswith(("{", "[{")):
            return escape(re.sub(r"^.*?(\[\w+\]|error:)", r"\1", line))
    return ""


def _show_waiting(
    out: Console, api: AirflowApi, run_id: str, task: dict[str, Any], home: Path
) -> None:
    """What a person is asked, and where to click."""
    out.print(
        f"  [yellow]waiting[/yellow] for a person: {escape(api.question(run_id, task['task_id']))}"
        f"\n    approve or reject at {api.address(run_id, task['task_id'])}/required_actions\n"
        f"    (user {USER}, password in {home / 'passwords.json'}); silence until the time-out is "
        "a no",
        highlight=False,
    )


def _behind(api: AirflowApi, run_id: str) -> str:
    """Which runs a queued run waits for; empty where it is the next."""
    runs = api.ahead_of(run_id)
    if not runs:
        return ""
    names = " and ".join(runs)
    return f"queued: one run goes at a time, and this one waits for {names} to end"


def _why_idle(api: AirflowApi, tasks: list[dict[str, Any]]) -> str:
    """Why no task runs."""
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
