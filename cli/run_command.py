"""The weekly run from a shell: `marquee run`, and a single step of it, `marquee step`.

`run` starts the stack, triggers a run in Airflow, and prints answers of the live API. `step` runs
one task's step without Airflow.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.markup import escape

from cli.run_results import RunFigures, show_answers, show_seconds, show_verdicts
from cli.run_watch import show_failures, watch
from cli.stack_commands import (
    DataFlag,
    UnpauseFlag,
    bring_up,
    ready_airflow,
    show_addresses,
)
from cli.terminal import (
    STAYS_UP,
    console,
    ignoring_signals,
    print_sentence,
    stay_up,
    stop_on_interrupt,
    unwind_on_signals,
)
from cli.world_and_lake import (
    checking_arguments,
    lake_of,
    running_settings,
    running_stack,
    settings_for,
    stack_to_start,
)
from local_stack.airflow_api import AirflowApi
from local_stack.environment import job_environment, stack_environment, with_local_addresses
from local_stack.stack import Stack
from marquee.clock import now, parse_moment, refuse_ahead, to_whole_second
from marquee.errors import MarqueeError, SettingsError, StackError
from marquee.identifiers import run_name, run_slug
from marquee.lake import check_world
from marquee.place_preflight import require_hosts
from marquee.policy import MODELS, Model
from marquee.settings import Settings, load_settings
from sources.ratings_release import take_census
from steps.crawl_titles import crawl_titles
from steps.evaluate import evaluate
from steps.form import Form, check_form
from steps.freeze_inputs import freeze_inputs
from steps.load_sources import find_ratings, load_feedback, load_ratings, load_titles
from steps.release_model import gate, promote, verify_serving
from steps.run import Run
from steps.run_report import report
from steps.spark_submit import submit_command

out = console()
SPARK_JOBS = (
    *("prepare_titles", "prepare_ratings"),
    *("train_recommender", "train_budget", "forecast_recommender"),
)
STEPS = {
    "crawl_titles": crawl_titles,
    "load_titles": load_titles,
    "load_feedback": load_feedback,
    "report": report,
}
STEPS_OF_A_MODEL = {"evaluate": evaluate, "gate": gate}


def run(
    data: DataFlag = "",
    once: Annotated[
        bool, typer.Option(help="End with the run, and stop the stack unless the run failed.")
    ] = False,
    max_pages: Annotated[
        int | None, typer.Option(help="Pages to crawl at most.", show_default="config's")
    ] = None,
    search: Annotated[
        str | None, typer.Option(help="none, quick or full.", show_default="config's")
    ] = None,
    promote: Annotated[
        str | None, typer.Option(help="yes, ask or no.", show_default="config's")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="See only rows before this moment.", show_default="now")
    ] = None,
    force: Annotated[bool, typer.Option(help="Train even where nothing changed.")] = False,
    recommender_recipe: Annotated[
        str | None, typer.Option(help="Train this recipe alone.", show_default="by --search")
    ] = None,
    budget_recipe: Annotated[
        str | None, typer.Option(help="Train this recipe alone.", show_default="by --search")
    ] = None,
    unpause: UnpauseFlag = False,
) -> None:
    """Bring the stack up, run weekly_retrain through Airflow, and show what the API answers.

    The command stays until Ctrl-C, and then stops the stack. With --once it stops the stack and
    ends after the run. After a failed run it ends with status 1 and leaves the stack up, so that
    you can look. A stack that ran before stays up in any case.
    """
    unwind_on_signals()
    given: dict[str, Any] = {"max_pages": max_pages, "search": search, "promote": promote}
    given |= {"as_of": as_of, "force": force or None}
    given |= {"recommender_recipe": recommender_recipe, "budget_recipe": budget_recipe}
    form = {key: value for key, value in given.items() if value is not None}
    with checking_arguments():
        check_form(load_settings(), form)
        settings = settings_for(data)
    if settings.ratings.source:
        scale = settings.ratings.lowest, settings.ratings.highest
        with checking_arguments():
            take_census(Path(settings.ratings.source), scale)  # refuse before anything starts
    stack = stack_to_start(settings)
    with stop_on_interrupt(stack) as session:
        figures = RunFigures(stack_up=bring_up(stack))
        succeeded = weekly_run(stack, form, figures, unpause) == "success"
        stops = succeeded and once and stack.started
        if not stops:
            show_addresses(stack)
        if not succeeded:
            print_sentence(STAYS_UP)
        elif not once:
            ends = "stops everything" if stack.started else "ends this; the stack ran before"
            out.print(f"Ctrl-C {ends}; all state stays for the next `make run`.")
            stay_up(stack, session)
        elif stops:
            with out.status("stopping"), ignoring_signals():
                stack.down()
            print_sentence(
                "the stack has stopped; models and history stay: `marquee up` shows them"
            )
        else:
            print_sentence(f"it ran before: {STAYS_UP}")
    raise typer.Exit(0 if succeeded else 1)


def weekly_run(
    stack: Stack, form: dict[str, Any], figures: RunFigures, unpause: bool = False
) -> str:
    """Trigger a run, watch it, show its outcome, and return its final state.

    Raises StackError where the DAG is paused, because Airflow would not start the run.
    """
    api, paused = ready_airflow(stack, unpause)
    if paused:
        raise StackError(api.paused_sentence())
    run_id = api.trigger(form)
    out.print(f"\nrun {run_id}\nin the lake: {run_slug(run_id)}", highlight=False)
    state = watch(out, api, run_id, stack, figures)
    try:
        _show_outcome(api, run_id, stack, figures)
    except (httpx.HTTPError, MarqueeError) as error:
        if state == "success":
            raise
        out.print(f"what the run left cannot be shown: {escape(str(error))}", highlight=False)
    if state != "success":
        show_failures(out, api, run_id, stack.folders.airflow / "logs")
    return state


def _show_outcome(api: AirflowApi, run_id: str, stack: Stack, figures: RunFigures) -> None:
    lake, slug = lake_of(stack.settings), run_slug(run_id)
    figures.read_run(api.run(run_id), api.tasks(run_id), lake, slug)
    show_seconds(out, figures)
    show_verdicts(out, lake, slug)
    show_answers(out, stack.settings.serving_url)
    path = stack.folders.figures / f"{slug}.json"
    path.write_text(json.dumps(figures.to_json(), indent=1))
    out.print(f"figures of this run: {path}", highlight=False)


def step(
    name: Annotated[str, typer.Argument(help="A task's name: crawl_titles, evaluate, …")],
    run: Annotated[str, typer.Option(help="The run's name in the lake.")],
    model: Annotated[str, typer.Option(help="recommender or budget, where the step has one.")] = "",
    as_of: Annotated[str, typer.Option(help="See only rows before this moment; empty: now.")] = "",
    force: Annotated[bool, typer.Option(help="Train even where nothing changed.")] = False,
    data: Annotated[str, typer.Option(help="As for `marquee run`.")] = "",
) -> None:
    """Run one step of a weekly run against the running stack, without Airflow.

    A step that was done before keeps what it has written. The benchmark of Airflow's overhead uses
    this command.
    """
    with checking_arguments():
        run_name(run)
        _check_step(name, model)
        moment = refuse_ahead(parse_moment(as_of), "--as-of") if as_of else now()
        found = running_stack(data)
        settings = running_settings(found) if found else with_local_addresses(settings_for(data))
    if name in SPARK_JOBS:
        require_hosts(settings, settings.lake.root)
    lake = lake_of(settings)
    check_world(lake, settings.world)
    if name in SPARK_JOBS:
        raise typer.Exit(_submit(settings, name, run))
    form = Form.of(settings, {"force": force})
    _run_step(name, Run(run, to_whole_second(moment), "manual", form, settings, lake), model)


def _check_step(name: str, model: str) -> None:
    """Raise SettingsError for an unknown step or model."""
    known = [*STEPS, *STEPS_OF_A_MODEL, "load_ratings", "freeze_inputs", "promote", *SPARK_JOBS]
    if name not in known:
        raise SettingsError(f"there is no step '{name}'", f"give one of: {', '.join(known)}")
    if name in STEPS_OF_A_MODEL or name == "promote":
        _model(model)


def _run_step(name: str, run: Run, model: str) -> None:
    if name in STEPS:
        STEPS[name](run)
    elif name in STEPS_OF_A_MODEL:
        STEPS_OF_A_MODEL[name](run, _model(model))
    elif name == "load_ratings":
        load_ratings(run, **find_ratings(run))
    elif name == "freeze_inputs":
        freeze_inputs(run, load_ratings(run, **find_ratings(run))["path"])
    else:
        bundle = promote(run, _model(model))["bundle"]
        verify_serving(run, _model(model), bundle)


def _model(name: str) -> Model:
    for model in MODELS:
        if model == name:
            return model
    raise SettingsError(f"there is no model '{name}'", f"give --model {' or '.join(MODELS)}")


def _submit(settings: Settings, job: str, run: str) -> int:
    # Airflow's database and keys are no business of a job that runs elsewhere.
    made = stack_environment(settings) if settings.runs_hdfs else job_environment(settings)
    environment = os.environ | made
    command = submit_command(settings, job, run, environment["SPARK_ARCHIVE"])
    return subprocess.run(command, env=environment).returncode
