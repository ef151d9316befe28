"""`marquee run`: the whole weekly run on real parts, from nothing to answers of the live API."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from marquee.cli import showing
from marquee.cli.data import settings_for
from marquee.cli.local import Data, bring_up, ready_airflow, show_addresses
from marquee.errors import StackError
from marquee.lake import open_lake
from marquee.names import run_slug
from marquee.sources.ratings import take_census
from marquee.stack.airflow_api import DONE, AirflowApi
from marquee.stack.figures import Figures
from marquee.stack.memory import resident_mb
from marquee.stack.stack import Stack, unwind_on_term

out = showing.console()


def run(
    data: Data = "",
    once: Annotated[bool, typer.Option(help="Stop the stack when the run has ended.")] = False,
    max_pages: Annotated[int, typer.Option(help="Pages to crawl at most; -1: config's.")] = -1,
    search: Annotated[str, typer.Option(help="none, quick or full; empty: config's.")] = "",
    promote: Annotated[str, typer.Option(help="yes, ask or no; empty: config's.")] = "",
    force: Annotated[bool, typer.Option(help="Train even where nothing changed.")] = False,
) -> None:
    """Bring the stack up, run weekly_retrain through Airflow, and show what the API answers.

    Stays up until Ctrl-C, or ends by itself with --once. The status is 1 where the run failed.
    """
    unwind_on_term()
    settings = settings_for(data)
    if settings.ratings.source:
        scale = settings.ratings.lowest, settings.ratings.highest
        take_census(Path(settings.ratings.source), scale)  # refused before anything starts
    stack = Stack(settings)
    asked: dict[str, Any] = {"max_pages": max_pages if max_pages >= 0 else None}
    asked |= {"search": search or None, "promote": promote or None, "force": force or None}
    try:
        figures = Figures(stack_up=bring_up(stack))
        state = weekly_run(stack, {k: v for k, v in asked.items() if v is not None}, figures)
        show_addresses(stack)
        if not once and state == "success":
            out.print("Ctrl-C stops everything; all state stays for the next `make run`.")
            while True:
                time.sleep(3600)
    except KeyboardInterrupt:
        state = "success"
        out.print()
    finally:
        with out.status("stopping"):
            stack.down()
    raise typer.Exit(0 if state == "success" else 1)


def weekly_run(stack: Stack, form: dict[str, Any], figures: Figures) -> str:
    """Trigger a run, watch it, show its outcome; the run's final state."""
    api = ready_airflow(stack)
    run_id = api.trigger(form)
    out.print(f"\nrun {run_id}", highlight=False)
    state = watch(api, run_id, stack, figures)
    place = stack.settings.lake
    lake = open_lake(place.root, place.webhdfs, place.user, drill=place.drill)
    figures.take(api.run(run_id), api.tasks(run_id), lake, run_slug(run_id))
    showing.timings(out, figures)
    showing.verdicts(out, lake, run_slug(run_id))
    showing.answers(out, f"http://127.0.0.1:{stack.settings.stack.port('serving')}")
    path = stack.places.figures / f"{run_slug(run_id)}.json"
    path.write_text(json.dumps(figures.to_json(), indent=1))
    out.print(f"figures of this run: {path}", highlight=False)
    return state


def watch(api: AirflowApi, run_id: str, stack: Stack, figures: Figures) -> str:
    """Show each task as it ends; the run's final state."""
    shown: set[str] = set()
    with out.status("waiting for the first task") as status:
        while True:
            try:
                state, tasks = api.run(run_id)["state"], api.tasks(run_id)
            except (httpx.HTTPError, StackError) as error:
                status.update(f"Airflow does not answer: {error}")
                time.sleep(1)
                continue
            for task in showing.ended(tasks, shown):
                showing.task(out, api, run_id, task)
            running = [t["task_id"] for t in tasks if t["state"] == "running"]
            figures.resident_mb = max(figures.resident_mb, resident_mb(stack.pids()))
            status.update(", ".join(running) or "between tasks")
            if state in DONE:
                return str(state)
            time.sleep(1)
