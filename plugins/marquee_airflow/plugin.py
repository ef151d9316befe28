"""What Airflow loads from this folder."""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

from marquee.lifetimes import tie_forks_to_this_process
from marquee.names import run_slug
from marquee_airflow.form import FormDoor
from marquee_airflow.report_link import ReportLink
from marquee_airflow.timetable import DAG, WeeklyTimetable

log = logging.getLogger(__name__)


class Listener:
    """What Airflow tells of its own doings.

    A scheduler that is killed takes its workers and their tasks along (ADR 4). A run that somebody
    marks, or that lasts too long, ends while a person is still asked (ADR 37).
    """

    @hookimpl
    def on_starting(self, component: Any) -> None:
        """Called when a component makes its job, which is before its executor forks workers. The
        job has no type yet, so the command line says which component this is."""
        if sys.argv[1:2] == ["scheduler"]:
            tie_forks_to_this_process()

    @hookimpl
    def on_dag_run_failed(self, dag_run: Any, msg: str) -> None:
        """Called in the scheduler, or in the API server where a person marks the run."""
        _note_end(dag_run)

    @hookimpl
    def on_dag_run_success(self, dag_run: Any, msg: str) -> None:
        """A run may be marked so, too."""
        _note_end(dag_run)


def _note_end(dag_run: Any) -> None:
    """In a thread of its own: neither scheduler nor API server waits for a lake that is away."""
    if dag_run.dag_id == DAG:
        run = run_slug(dag_run.run_id)
        threading.Thread(target=_end_waits, args=[run], name=f"end-of-{run}", daemon=True).start()


def _end_waits(run: str) -> None:
    try:
        # Airflow loads this file everywhere; only who hears of a run's end needs the lake.
        from marquee.policy import MODELS
        from marquee_airflow.connections import open_lake
        from steps.approve import end_wait

        lake = open_lake()
        for model in MODELS:
            if ended := end_wait(lake, run, model):
                log.info("run %s, %s: %s", run, model, ended)
    except Exception as error:  # nobody waits for it: a word is all there can be
        log.warning("that run %s has ended could not be written down: %s", run, error)


class MarqueePlugin(AirflowPlugin):
    """The timetable and the button have to be known wherever a DAG is read back; the door stands
    in the API server."""

    name = "marquee"
    timetables = (WeeklyTimetable,)
    operator_extra_links = (ReportLink(),)
    fastapi_root_middlewares = ({"name": "the form of weekly_retrain", "middleware": FormDoor},)
    listeners = [Listener()]  # noqa: RUF012 - as Airflow declares it
