"""`marquee run`: the whole weekly run on real parts, from nothing to answers of the live API."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.markup import escape

from cli import showing
from cli.data import arguments, settings_for, stack_to_start
from cli.local import (
    LEFT_RUNNING,
    Data,
    Unpause,
    bring_up,
    hold,
    paused_sentence,
    ready_airflow,
    say,
    show_addresses,
    stopping_what_was_started,
)
from local_stack.airflow_api import DAG, DONE, AirflowApi
from local_stack.figures import Figures
from local_stack.processes import resident_mb
from local_stack.stack import Stack, undisturbed, unwind_on_term
from marquee.errors import MarqueeError, StackError
from marquee.form import check_form
from marquee.lake import open_lake
from marquee.names import run_slug
from marquee.settings import load_settings
from sources.ratings import take_census

out = showing.console()


def run(
    data: Data = "",
    once: Annotated[
        bool, typer.Option(help="End with the run, and stop the stack unless the run failed.")
    ] = False,
    max_pages: Annotated[
        int | None, typer.Option(help="Pages to crawl at most.", show_default="config's")
    ] = None,
    search: Annotated[str, typer.Option(help="none, quick or full.", show_default="config's")] = "",
    promote: Annotated[str, typer.Option(help="yes, ask or no.", show_default="config's")] = "",
    as_of: Annotated[
        str, typer.Option(help="See only rows before this moment.", show_default="now")
    ] = "",
    force: Annotated[bool, typer.Option(help="Train even where nothing changed.")] = False,
    unpause: Unpause = False,
) -> None:
    """Bring the stack up, run weekly_retrain through Airflow, and show what the API answers.

    Stays up until Ctrl-C, or ends by itself with --once. A failed run ends by itself, with status
    1, and leaves the stack up so that you can look; so is a stack left that ran before.
    """
    unwind_on_term()
    asked: dict[str, Any] = {"max_pages": max_pages, "search": search or None}
    asked |= {"promote": promote or None, "as_of": as_of or None, "force": force or None}
    form = {key: value for key, value in asked.items() if value is not None}
    with arguments():
        check_form(load_settings(), form)
        settings = settings_for(data)
    if settings.ratings.source:
        scale = settings.ratings.lowest, settings.ratings.highest
        with arguments():
            take_census(Path(settings.ratings.source), scale)  # refused before anything starts
    stack = stack_to_start(settings)
    with stopping_what_was_started(stack) as session:
        figures = Figures(stack_up=bring_up(stack))
        succeeded = weekly_run(stack, form, figures, unpause) == "success"
        show_addresses(stack)
        if not succeeded:
            say(LEFT_RUNNING)
        elif not once:
            ends = "stops everything" if stack.started else "ends this; the stack ran before"
            out.print(f"Ctrl-C {ends}; all state stays for the next `make run`.")
            hold(stack, session)
        elif stack.started:
            with out.status("stopping"), undisturbed():
                stack.down()
        else:
            say(f"it ran before: {LEFT_RUNNING}")
    raise typer.Exit(0 if succeeded else 1)


def weekly_run(stack: Stack, form: dict[str, Any], figures: Figures, unpause: bool = False) -> str:
    """Trigger a run, watch it, show its outcome; the run's final state.

    StackError where the DAG is paused: Airflow would keep the run waiting.
    """
    api, paused = ready_airflow(stack, unpause)
    if paused:
        raise StackError(paused_sentence(stack))
    run_id = api.trigger(form)
    out.print(f"\nrun {run_id}\nin the lake: {run_slug(run_id)}", highlight=False)
    state = watch(api, run_id, stack, figures)
    try:
        _show_outcome(api, run_id, stack, figures)
    except (httpx.HTTPError, MarqueeError) as error:
        if state == "success":
            raise
        out.print(f"what the run left cannot be shown: {escape(str(error))}", highlight=False)
    if state != "success":
        showing.failures(out, api, run_id, stack.places.airflow / "logs")
    return state


def _show_outcome(api: AirflowApi, run_id: str, stack: Stack, figures: Figures) -> None:
    place = stack.settings.lake
    lake = open_lake(place.root, place.webhdfs, place.user, drill=place.drill)
    figures.take(api.run(run_id), api.tasks(run_id), lake, run_slug(run_id))
    showing.timings(out, figures)
    showing.verdicts(out, lake, run_slug(run_id))
    showing.answers(out, f"http://127.0.0.1:{stack.settings.stack.port('serving')}")
    path = stack.places.figures / f"{run_slug(run_id)}.json"
    path.write_text(json.dumps(figures.to_json(), indent=1))
    out.print(f"figures of this run: {path}", highlight=False)


def watch(api: AirflowApi, run_id: str, stack: Stack, figures: Figures) -> str:
    """Show each task while it runs and as it ends, and who is waited for; the run's final state.

    StackError where another command stops the stack.
    """
    shown: set[str] = set()
    asked: set[str] = set()
    said = ""
    with showing.Live(out, stack.places.progress) as live:
        while True:
            stack.check_running()
            try:
                state, tasks = api.run(run_id)["state"], api.tasks(run_id)
                waiting = [task for task in tasks if task["state"] == "awaiting_input"]
                for task in showing.ended(tasks, shown):
                    showing.task(out, api, run_id, task)
                for task in waiting:
                    if task["task_id"] not in asked:
                        showing.waiting(out, api, run_id, task, stack.places.airflow)
                        asked.add(task["task_id"])
                idle = not any(task["state"] == "running" for task in tasks)
                behind = _behind(api, run_id) if state == "queued" else ""
                if behind and behind != said:
                    out.print(f"  {behind}", highlight=False)
                    said = behind
                live.tasks(tasks, (behind or _between(api, tasks)) if idle else "")
                figures.resident_mb = max(figures.resident_mb, resident_mb(stack.pids()))
            except (httpx.HTTPError, StackError) as error:
                live.say(str(error))
                time.sleep(1)
                continue
            if state in DONE:
                return str(state)
            time.sleep(1)


def _behind(api: AirflowApi, run_id: str) -> str:
    """Which runs a queued run waits for; empty where it is the next."""
    runs = api.ahead_of(run_id)
    if not runs:
        return ""
    names = " and ".join(runs)
    return f"queued: one run goes at a time, and this one waits for {names} to end"


def _between(api: AirflowApi, tasks: list[dict[str, Any]]) -> str:
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
