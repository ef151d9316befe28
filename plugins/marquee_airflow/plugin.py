"""What Airflow loads from this folder."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from marquee_airflow.timetable import WeeklyTimetable


class MarqueePlugin(AirflowPlugin):
    """The timetable has to be known wherever a DAG is read back from the database."""

    name = "marquee"
    timetables = (WeeklyTimetable,)
