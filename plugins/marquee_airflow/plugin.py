"""The Airflow plugin: what each process of Airflow loads from this folder."""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

from marquee.identifiers import run_slug
from marquee.lifetimes import tie_forks_to_this_process
from marquee_airflow.approval import ReportLink
from marquee_airflow.form import FormCheck
from marquee_airflow.timetable import DAG_ID, WeeklyTimetable

log = logging.getLogger(__name__)


class Listener:
    """Airflow's listener for two events.

    The scheduler starts: its workers and their tasks must end when it is killed (ADR 4). A run
    ends: where it still waits for an approval, the lake records that the wait has ended (ADR 28).
    """

    @hookimpl
    def on_starting(self, component: Any) -> None:
        """Airflow calls this before a component's executor forks workers.

        `component` has no type yet, so the command line says which component this is.
        """
        if sys.argv[1:2] == ["scheduler"]:
            tie_forks_to_this_process()

    @hookimpl
    def on_dag_run_failed(self, dag_run: Any, msg: str) -> None:
        """Airflow calls this in the scheduler, or in the API server where a person marks a run."""
        _record_end(dag_run)

    @hookimpl
    def on_dag_run_success(self, dag_run: Any, msg: str) -> None:
        """As `on_dag_run_failed`: a person may mark a run as success."""
        _record_end(dag_run)


def _record_end(dag_run: Any) -> None:
    """Record the end in a thread, so that scheduler and API server do not wait for the lake."""
    if dag_run.dag_id == DAG_ID:
        run = run_slug(dag_run.run_id)
        threading.Thread(
            target=_end_approval_waits, args=[run], name=f"end-of-{run}", daemon=True
        ).start()


def _end_approval_waits(run: str) -> None:
    try:
        # Imported here, because most processes that load this file need no lake.
        from marquee.policy import MODELS
        from marquee_airflow.runs import open_lake
        from steps.release_model import end_approval_request

        lake = open_lake()
        for model in MODELS:
            if ended := end_approval_request(lake, run, model):
                log.info("run %s, %s: %s", run, model, ended)
    except Exception as error:  # no caller waits for this thread, so the log is the only place
        log.warning("that run %s has ended could not be written down: %s", run, error)


class MarqueePlugin(AirflowPlugin):
    """Each process that reads a DAG needs the timetable and the button, the API server the form
    check."""

    name = "marquee"
    timetables = (WeeklyTimetable,)
    operator_extra_links = (ReportLink(),)
    fastapi_root_middlewares = ({"name": "the form of weekly_retrain", "middleware": FormCheck},)
    listeners = [Listener()]  # noqa: RUF012 - as Airflow declares it
