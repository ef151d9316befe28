"""`marquee step`: one step of a weekly run from a shell, as Airflow would call it."""

from __future__ import annotations

import os
import subprocess
from typing import Annotated

import typer

from cli.data import arguments, running_settings, settings_for, the_running
from local_stack.environment import stack_environment
from local_stack.stack import place_locally
from marquee.clock import now, refuse_ahead
from marquee.errors import SettingsError
from marquee.form import Form
from marquee.lake import check_world, open_lake
from marquee.names import parse_moment, run_name, whole
from marquee.policy import MODELS, Model
from marquee.settings import Settings
from marquee.spark_submit import submit_command
from steps.crawl_titles import crawl_titles
from steps.evaluate import evaluate
from steps.fetch_ratings import fetch_ratings
from steps.freeze_inputs import freeze_inputs
from steps.gate import gate
from steps.load_feedback import load_feedback
from steps.load_ratings import load_ratings
from steps.load_titles import load_titles
from steps.promote import promote
from steps.report import report
from steps.run import Run
from steps.verify_serving import verify_serving

JOBS = ("prepare_titles", "prepare_ratings", "train_recommender", "train_budget")
WHOLE = {
    "crawl_titles": crawl_titles,
    "load_titles": load_titles,
    "load_feedback": load_feedback,
    "report": report,
}
OF_A_MODEL = {"evaluate": evaluate, "gate": gate}


def mount(app: typer.Typer) -> None:
    """Add this command to `app`."""
    app.command()(step)


def step(
    name: Annotated[str, typer.Argument(help="A task's name: crawl_titles, evaluate, …")],
    run: Annotated[str, typer.Option(help="The run's name in the lake.")],
    model: Annotated[str, typer.Option(help="recommender or budget, where the step has one.")] = "",
    as_of: Annotated[str, typer.Option(help="See only rows before this moment; empty: now.")] = "",
    force: Annotated[bool, typer.Option(help="Train even where nothing changed.")] = False,
    data: Annotated[str, typer.Option(help="As for `marquee run`.")] = "",
) -> None:
    """Run one step of a weekly run against the running stack, without Airflow.

    Repeats what a task did (a step that is done already keeps what it left), and is what the
    benchmark compares Airflow with.
    """
    with arguments():
        run_name(run)
        _check(name, model)
        moment = refuse_ahead(parse_moment(as_of), "--as-of") if as_of else now()
        found = the_running(data)
        settings = running_settings(found) if found else place_locally(settings_for(data))
    place = settings.lake
    lake = open_lake(place.root, place.webhdfs, place.user, drill=place.drill)
    check_world(lake, settings.world)
    if name in JOBS:
        raise typer.Exit(_submit(settings, name, run))
    form = Form.of(settings, {"force": force})
    _call(name, Run(run, whole(moment), "manual", form, settings, lake), model)


def _check(name: str, model: str) -> None:
    """SettingsError for a step or a model that is not there, before a lake is asked."""
    known = [*WHOLE, *OF_A_MODEL, "load_ratings", "freeze_inputs", "promote", *JOBS]
    if name not in known:
        raise SettingsError(f"there is no step '{name}'", f"give one of: {', '.join(known)}")
    if name in OF_A_MODEL or name == "promote":
        _model(model)


def _call(name: str, run: Run, model: str) -> None:
    if name in WHOLE:
        WHOLE[name](run)
    elif name in OF_A_MODEL:
        OF_A_MODEL[name](run, _model(model))
    elif name == "load_ratings":
        load_ratings(run, **fetch_ratings(run))
    elif name == "freeze_inputs":
        freeze_inputs(run, load_ratings(run, **fetch_ratings(run))["path"])
    else:
        bundle = promote(run, _model(model))["bundle"]
        verify_serving(run, _model(model), bundle)


def _model(name: str) -> Model:
    for model in MODELS:
        if model == name:
            return model
    raise SettingsError(f"there is no model '{name}'", f"give --model {' or '.join(MODELS)}")


def _submit(settings: Settings, job: str, run: str) -> int:
    environment = os.environ | stack_environment(settings)
    command = submit_command(settings, job, run, environment["SPARK_ARCHIVE"])
    return subprocess.run(command, env=environment).returncode
