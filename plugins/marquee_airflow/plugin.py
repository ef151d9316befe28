"""What Airflow loads from this folder."""

from __future__ import annotations

import sys
from typing import Any

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

from marquee.stack.airflow import tie_forks_to_this_process
from marquee_airflow.form import FormDoor
from marquee_airflow.report_link import ReportLink
from marquee_airflow.timetable import WeeklyTimetable


class SchedulerListener:
    """A scheduler that is killed takes its workers and their tasks along (ADR 4)."""

    @hookimpl
    def on_starting(self, component: Any) -> None:
        """Called when a component makes its job, which is before its executor forks workers. The
        job has no type yet, so the command line says which component this is."""
        if sys.argv[1:2] == ["scheduler"]:
            tie_forks_to_this_process()


class MarqueePlugin(AirflowPlugin):
    """The timetable and the button have to be known wherever a DAG is read back; the door stands
    in the API server."""

    name = "marquee"
    timetables = (WeeklyTimetable,)
    operator_extra_links = (ReportLink(),)
    fastapi_root_middlewares = ({"name": "the form of weekly_retrain", "middleware": FormDoor},)
    listeners = [SchedulerListener()]  # noqa: RUF012 - as Airflow declares it
