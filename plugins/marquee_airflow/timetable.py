"""The weekly timetable: real data intervals, no interval lost, and no run on unpausing.

A boundary is a moment of the cron schedule: one data interval ends there and the next one starts.
Airflow asks for the next run each time it reads the DAG file (every half minute) and after each run
it creates. Airflow may ask only after a boundary has passed. The reply must then be the passed
boundary: otherwise its run is lost. So the timetable reads its previous reply from Airflow's table
`DagModel`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow._shared.timezones.timezone import coerce_datetime, parse_timezone, utcnow
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable
from pendulum import DateTime

from marquee.clock import iso, refuse_ahead
from marquee.errors import SourceError

DAG_ID = "weekly_retrain"


@dataclass(frozen=True)
class ScheduleState:
    """The state of the schedule in Airflow's database."""

    due: DateTime | None = None
    """The boundary of the timetable's previous reply; None before the first reply."""
    is_paused: bool = True
    last_end: DateTime | None = None
    """The latest end of a scheduled run's interval that is not after the next boundary."""


class WeeklyTimetable(CronDataIntervalTimetable):
    """Airflow's cron timetable, but unpausing a new DAG starts no run for the past interval.

    - A run is due at each boundary that passes while the DAG is not paused.
    - After an outage of Airflow, one run for the latest interval replaces all missed runs.
    - A boundary starts no run where it passes while the DAG is paused or not yet known to Airflow.
      This holds after a backfill too, though Airflow counts backfilled runs as automated.
    - A run that was created while the clock was ahead does not delay later runs.
    - The machine's clock counts, as for Airflow's scheduler; a drill's offset does not.
    - The interval of a manual run reaches from the last boundary to its logical date.
    """

    def __init__(self, cron: str, timezone: Any, dag_id: str = DAG_ID) -> None:
        super().__init__(cron, timezone)
        self.dag_id = dag_id

    def serialize(self) -> dict[str, Any]:
        return {**super().serialize(), "dag_id": self.dag_id}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> WeeklyTimetable:
        return cls(data["expression"], parse_timezone(data["timezone"]), data.get("dag_id", DAG_ID))

    def next_dagrun_info(
        self,
        *,
        last_automated_data_interval: DataInterval | None,
        restriction: TimeRestriction,
    ) -> DagRunInfo | None:
        last = last_automated_data_interval
        if restriction.catchup:
            return super().next_dagrun_info(
                last_automated_data_interval=last, restriction=restriction
            )
        now = _now()
        state = read_schedule_state(self.dag_id, self._get_next(now))
        info = self.next_run(last and last.end, state, now)
        is_late = restriction.latest is not None and info.logical_date > restriction.latest
        return None if is_late else info

    def next_run(
        self, last_end: DateTime | None, state: ScheduleState, now: DateTime
    ) -> DagRunInfo:
        """The run that comes next.

        `last_end` is the end of the last automated run's interval, live or backfilled.
        """
        latest, coming = self._align_to_prev(now), self._get_next(now)
        if last_end and last_end > coming:  # that run was created while the clock was ahead
            last_end = state.last_end
        is_missing = last_end is None or last_end < latest
        if is_missing and _was_due(state, now, coming):
            return self._ending(latest)
        return self._ending(self._get_next(max(now, last_end) if last_end else now))

    def next_run_info_from_dag_model(self, *, dag_model: Any) -> DagRunInfo | None:
        """The run that the scheduler creates now: the stored one, or the latest after an outage."""
        info = super().next_run_info_from_dag_model(dag_model=dag_model)
        latest = self._align_to_prev(_now())
        return self._ending(latest) if info and info.run_after < latest else info

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """From the last boundary to the logical date.

        Raises ValueError, which Airflow shows, where the date lies in the future or so near the
        start or end of the calendar that no boundary exists.
        """
        try:
            refuse_ahead(run_after, "the logical date", _now())
            return DataInterval(start=self._align_to_prev(run_after), end=run_after)
        except SourceError as error:
            raise ValueError(str(error)) from None
        except OverflowError:
            raise ValueError(f"no week ends by the logical date {iso(run_after)}") from None

    def _ending(self, end: DateTime) -> DagRunInfo:
        return DagRunInfo.interval(start=self._get_prev(end), end=end)


def _was_due(state: ScheduleState, now: DateTime, coming: DateTime) -> bool:
    """Whether a boundary has passed since the previous reply, while the DAG was not paused.

    Where the previous reply is later than the coming boundary, the clock was ahead when it was
    given, and boundaries were skipped. Then a run is due, if there was a scheduled run before.
    """
    if state.due is None or state.is_paused:
        return False
    return state.due <= now or (state.due > coming and state.last_end is not None)


def read_schedule_state(dag_id: str, coming: DateTime) -> ScheduleState:
    """The schedule's state in the database; `coming` is the next boundary.

    It opens a new session, because Airflow's own session is changing the same row.
    """
    from airflow.models.dag import DagModel  # imported here: workers read timetables and may not
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunType
    from sqlalchemy import func, select

    columns = (DagModel.next_dagrun_create_after, DagModel.is_paused)
    runs = select(func.max(DagRun.data_interval_end)).where(
        DagRun.dag_id == dag_id,
        DagRun.run_type == DagRunType.SCHEDULED,
        DagRun.data_interval_end <= coming,
    )
    with create_session(scoped=False) as session:
        row = session.execute(select(*columns).where(DagModel.dag_id == dag_id)).first()
        last_end = session.scalar(runs) if row else None
    return (
        ScheduleState(coerce_datetime(row[0]), bool(row[1]), coerce_datetime(last_end))
        if row
        else ScheduleState()
    )


def _now() -> DateTime:
    moment: DateTime = coerce_datetime(utcnow())
    return moment
