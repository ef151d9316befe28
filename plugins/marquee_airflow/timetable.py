"""The weekly timetable: real data intervals, no boundary lost, and no run on unpausing.

Airflow asks a timetable for the next run whenever it reads the DAG file (every half minute) and
after each run it creates. Asked a second after a boundary, the timetable must still name that
boundary. So it reads its previous reply back from where Airflow keeps it, in `DagModel`.
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

DAG = "weekly_retrain"


@dataclass(frozen=True)
class Known:
    """The state of the schedule in Airflow's database."""

    due: DateTime | None = None
    """The boundary that the timetable named last; None before the first time."""
    is_paused: bool = True
    last_end: DateTime | None = None
    """End of the last scheduled run's interval, of those that end by the next boundary."""


class WeeklyTimetable(CronDataIntervalTimetable):
    """Airflow's, except that the first scheduled run is the next one due, not the last one missed.

    Airflow starts a run for the last interval as soon as a new DAG is unpaused, which surprises
    people who only explore. Here:

    - A run is due at each boundary that passes while the DAG is not paused.
    - One run, for the latest interval, makes up for the boundaries that pass while Airflow is down.
    - A boundary that passes while the DAG is paused, or before it was first read, starts no run.
      So a backfilled run, which Airflow counts as automated, starts no live run.
    - A run that was created while the clock was ahead delays nothing once the clock is right.
    - The machine's clock decides, as for Airflow's scheduler: a drill does not offset it.
    - The interval of a manual run reaches from the last boundary to its own moment.
    """

    def __init__(self, cron: str, timezone: Any, dag_id: str = DAG) -> None:
        super().__init__(cron, timezone)
        self.dag_id = dag_id

    def serialize(self) -> dict[str, Any]:
        return {**super().serialize(), "dag_id": self.dag_id}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> WeeklyTimetable:
        return cls(data["expression"], parse_timezone(data["timezone"]), data.get("dag_id", DAG))

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
        known = known_of(self.dag_id, self._get_next(now))
        info = self.next_run(last and last.end, known, now)
        is_late = restriction.latest is not None and info.logical_date > restriction.latest
        return None if is_late else info

    def next_run(self, last_end: DateTime | None, known: Known, now: DateTime) -> DagRunInfo:
        """The run that comes next.

        `last_end` is the end of the last automated run's interval, live or backfilled.
        """
        latest, coming = self._align_to_prev(now), self._get_next(now)
        if last_end and last_end > coming:  # the clock was ahead when that run was created
            last_end = known.last_end
        is_missing = last_end is None or last_end < latest
        if is_missing and _was_due(known, now, coming):
            return self._ending(latest)
        return self._ending(self._get_next(max(now, last_end) if last_end else now))

    def next_run_info_from_dag_model(self, *, dag_model: Any) -> DagRunInfo | None:
        """The run that the scheduler creates now; after an outage, before the DAG file is read."""
        info = super().next_run_info_from_dag_model(dag_model=dag_model)
        latest = self._align_to_prev(_now())
        return self._ending(latest) if info and info.run_after < latest else info

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """From the last boundary to the logical date.

        Raises ValueError, which Airflow shows, where the date has not come or lies at the very end
        or start of the calendar.
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


def _was_due(known: Known, now: DateTime, coming: DateTime) -> bool:
    """Whether a boundary has passed unpaused since the timetable named it.

    A named boundary later than the coming one was named while the clock was ahead, so that the
    boundaries before it were left out. Then a schedule that has run goes on after its last run, and
    one that has not run has lost nothing.
    """
    if known.due is None or known.is_paused:
        return False
    return known.due <= now or (known.due > coming and known.last_end is not None)


def known_of(dag_id: str, coming: DateTime) -> Known:
    """The schedule's state in the database, with `coming` as the next boundary.

    It uses a session of its own, because Airflow's is in the middle of changing that row.
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
        Known(coerce_datetime(row[0]), bool(row[1]), coerce_datetime(last_end)) if row else Known()
    )


def _now() -> DateTime:
    moment: DateTime = coerce_datetime(utcnow())
    return moment
