"""What Airflow loads from this folder, in every one of its processes."""

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
from marquee_airflow.timetable import DAG, WeeklyTimetable

log = logging.getLogger(__name__)


class Listener:
    """Reacts to what Airflow does.

    A killed scheduler takes its workers and their tasks along (ADR 4). A run that somebody marks,
    or that lasts too long, may end while a person is still asked: the lake records it (ADR 28).
    """

    @hookimpl
    def on_starting(self, component: Any) -> None:
        """Called before a component's executor forks workers.

        Its job has no type yet, so the command line decides which component this is.
        """
        if sys.argv[1:2] == ["scheduler"]:
            tie_forks_to_this_process()

    @hookimpl
    def on_dag_run_failed(self, dag_run: Any, msg: str) -> None:
        """Called in the scheduler, or in the API server where a person marks the run."""
        _note_end(dag_run)

    @hookimpl
    def on_dag_run_success(self, dag_run: Any, msg: str) -> None:
        """Called as above; a person may mark a run as success, too."""
        _note_end(dag_run)


def _note_end(dag_run: Any) -> None:
    """In a thread of its own: neither scheduler nor API server waits for the lake."""
    if dag_run.dag_id == DAG:
        run = run_slug(dag_run.run_id)
        threading.Thread(target=_end_waits, args=[run], name=f"end-of-{run}", daemon=True).start()


def _end_waits(run: str) -> None:
    try:
        # Imported here: of all processes that load this file, only this one needs the lake.
        from marquee.policy import MODELS
        from marquee_airflow.runs import open_lake
        from steps.release_model import end_wait

        lake = open_lake()
        for model in MODELS:
            if ended := end_wait(lake, run, model):
                log.info("run %s, %s: %s", run, model, ended)
    except Exception as error:  # nobody waits for it, so it can only be logged
        log.warning("that run %s has ended could not be written down: %s", run, error)


class MarqueePlugin(AirflowPlugin):
    """Timetable and button are needed wherever a DAG is read back, the form check in the API
    server."""

    name = "marquee"
    timetables = (WeeklyTimetable,)
    operator_extra_links = (ReportLink(),)
    fastapi_root_middlewares = ({"name": "the form of weekly_retrain", "middleware": FormCheck},)
    listeners = [Listener()]  # noqa: RUF012 - as Airflow declares it
