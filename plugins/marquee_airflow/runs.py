"""From Airflow's context to the kernel's `Run`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, get_args

from airflow.sdk import get_current_context

from marquee.names import parse_moment, run_slug
from marquee.release.subject import RunType
from marquee.settings import load_settings
from marquee.steps.run import Form, Run
from marquee_airflow.connections import open_lake


def current_run(context: Any = None) -> Run:
    """The run this task belongs to."""
    context = context or get_current_context()
    settings = load_settings()
    dag_run = context["dag_run"]
    params = dict(context["params"])
    return Run(
        id=run_slug(dag_run.run_id),
        as_of=as_of(params, dag_run),
        run_type=run_type(dag_run),
        form=Form.of(settings, params),
        settings=settings,
        lake=open_lake(),
    )


def as_of(params: dict[str, Any], dag_run: Any) -> datetime:
    """The form's moment, else the data interval's end, else when the run was triggered.

    `run_after` stands for the run's start: clearing a run resets the start, never this.
    """
    if params.get("as_of"):
        return parse_moment(str(params["as_of"]))
    moment: datetime = dag_run.data_interval_end or dag_run.run_after
    return moment


def run_type(dag_run: Any) -> RunType:
    """manual, scheduled or backfill, by the run's type, never by its id."""
    kind = str(getattr(dag_run.run_type, "value", dag_run.run_type))
    return next((known for known in get_args(RunType) if known == kind), "manual")
