"""The weekly timetable: real data intervals, and an unpaused DAG that starts nothing by itself."""

from __future__ import annotations

from datetime import timedelta

from airflow._shared.timezones.timezone import coerce_datetime, utcnow
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable
from pendulum import DateTime

MADE_UP = timedelta(weeks=4)
"""A gap of up to this long is made up by one run; a longer one is history."""


class WeeklyTimetable(CronDataIntervalTimetable):
    """As Airflow's, but the first scheduled run is the next one due, not the last one missed.

    Airflow starts a run for the last interval as soon as a new DAG is unpaused; somebody who only
    wants to look would be surprised. A week or a few that were missed are made up by one run for
    the latest interval. Backfilled runs count as automated too: one that replays old weeks must
    not set off a live run, so after a longer gap the next run due is again the first.
    A run by hand sees up to its own moment, so its interval reaches from the last boundary to it.
    """

    def next_dagrun_info(
        self,
        *,
        last_automated_data_interval: DataInterval | None,
        restriction: TimeRestriction,
    ) -> DagRunInfo | None:
        last = last_automated_data_interval
        now = coerce_datetime(utcnow())
        if restriction.catchup or (last is not None and now - last.end < MADE_UP):
            return super().next_dagrun_info(
                last_automated_data_interval=last_automated_data_interval, restriction=restriction
            )
        start = self._align_to_prev(now)
        if restriction.latest is not None and start > restriction.latest:
            return None
        return DagRunInfo.interval(start=start, end=self._get_next(start))

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        return DataInterval(start=self._align_to_prev(run_after), end=run_after)
