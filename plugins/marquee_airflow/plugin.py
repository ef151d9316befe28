"""What Airflow loads from this folder."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from marquee_airflow.form import FormDoor
from marquee_airflow.report_link import ReportLink
from marquee_airflow.timetable import WeeklyTimetable


class MarqueePlugin(AirflowPlugin):
    """The timetable and the button have to be known wherever a DAG is read back; the door stands
    in the API server."""

    name = "marquee"
    timetables = (WeeklyTimetable,)
    operator_extra_links = (ReportLink(),)
    fastapi_root_middlewares = ({"name": "the form of weekly_retrain", "middleware": FormDoor},)
