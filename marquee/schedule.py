"""The schedule: the interval between runs, and how long a run's tasks may take.

Every task has a time-out. `refuse_slow_runs` checks that the time-outs on the longest path through
a run end before the next run is due. The DAG takes its time-outs, its last retries and the
deadlines of approvals from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from croniter import croniter

from marquee.errors import SettingsError, SourceError

EXAMPLE_MOMENT = datetime(2024, 1, 1, tzinfo=UTC)
"""A moment in the middle of the calendar, to test a cron expression with."""
NEXT_TASKS: Mapping[str, tuple[str, ...]] = {
    "crawl_titles": ("load_titles",),
    "load_titles": ("freeze_inputs",),
    "find_ratings": ("load_ratings",),
    "load_ratings": ("freeze_inputs",),
    "load_feedback": ("freeze_inputs",),
    "freeze_inputs": ("prepare_titles", "prepare_ratings"),
    "prepare_titles": ("train",),
    "prepare_ratings": ("train",),
    "train": ("evaluate",),
    "evaluate": ("gate",),
    "gate": ("approve", "forecast"),
    "forecast": ("report",),
    "approve": ("promote",),
    "promote": ("verify_serving", "export"),
    "verify_serving": ("publish_documents",),
    "export": ("publish_documents",),
    "publish_documents": ("report",),
    "report": (),
}
"""The tasks that directly follow each task, for either model. A test compares the DAG.

`export` and `publish_documents` are in the graph where the settings ask for them, and are counted
always."""
SERIAL_SPARK_JOBS = {
    "prepare_titles": ("prepare_titles", "prepare_ratings"),
    "prepare_ratings": ("prepare_titles", "prepare_ratings"),
    "train": ("train", "train"),
}
"""Spark jobs that may run one after the other, because Airflow's pool runs one Spark job at a time.
A run has one `train` for each of its two models."""
LAST_HOUR = timedelta(hours=1)
"""The time before the next run that is reserved for the tasks after an approval."""


def interval(cron: str, moment: datetime) -> timedelta:
    """The length of the schedule's interval `[start, end)` that holds `moment`, in UTC.

    Raises SettingsError where `cron` is not a schedule. Raises SourceError where the interval
    would reach beyond the years 1 to 9999.
    """
    try:
        return _around(cron, moment)
    except (ValueError, OverflowError, TypeError, AttributeError):
        _refuse_schedule(cron)
        raise SourceError(
            f"no interval of the schedule holds {moment:%Y-%m-%d %H:%M}: the calendar, years 1 to "
            "9999, ends there",
            "give a moment within it",
        ) from None


def _around(cron: str, moment: datetime) -> timedelta:
    end = croniter(cron, moment.astimezone(UTC)).get_next(datetime)
    start = croniter(cron, end).get_prev(datetime)
    return timedelta(seconds=(end - start).total_seconds())


def seconds_to_next(cron: str, moment: datetime) -> float:
    """Seconds from `moment` until the schedule's next run is due; 0 is never returned."""
    start = moment.astimezone(UTC)
    return float((croniter(cron, start).get_next(datetime) - start).total_seconds())


def _refuse_schedule(cron: str) -> None:
    """Raise SettingsError where `cron` gives no interval around `EXAMPLE_MOMENT`."""
    try:
        _around(cron, EXAMPLE_MOMENT)
    except (ValueError, OverflowError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"schedule.cron '{cron}' gives no interval: {error}", "give five fields, like 0 3 * * 0"
        ) from None


def time_needed(task: str, minutes: Mapping[str, int]) -> timedelta:
    """The longest time from the start of `task` to the end of its run, by the time-outs `minutes`.

    An approval may wait until an hour before the next run, so `approve` needs that last hour.
    """
    if task == "approve":
        return LAST_HOUR
    own = sum(minutes[name] for name in SERIAL_SPARK_JOBS.get(task, (task,)))
    rest = (time_needed(name, minutes) for name in NEXT_TASKS[task])
    return timedelta(minutes=own) + max(rest, default=timedelta(0))


def refuse_slow_runs(cron: str, minutes: Mapping[str, int]) -> None:
    """Raise SettingsError where the time-outs allow a run to last longer than its interval."""
    last = time_needed("promote", minutes)
    if last > LAST_HOUR:
        raise SettingsError(
            "schedule.minutes of promote, verify_serving, publish_documents and report make "
            f"{_in_hours(last)}: an approval ends an hour before the next run is due, and what "
            "follows takes longer",
            "make them sixty minutes together at most",
        )
    longest = max(NEXT_TASKS, key=lambda task: time_needed(task, minutes))
    needed, allowed = time_needed(longest, minutes), shortest_interval(cron)
    if needed > allowed:
        raise SettingsError(
            f"a run may take {_in_hours(needed)} from {longest} on, by the time-outs in "
            f"schedule.minutes, and schedule.cron '{cron}' starts one every {_in_hours(allowed)}",
            "lower the time-outs, or start runs less often",
        )


def shortest_interval(cron: str) -> timedelta:
    """The shortest interval of the schedule, among a thousand intervals or those of one year.

    Raises SettingsError where `cron` is not a schedule.
    """
    interval(cron, EXAMPLE_MOMENT)
    boundaries = croniter(cron, EXAMPLE_MOMENT)
    shortest, last = timedelta.max, boundaries.get_next(datetime)
    for _ in range(1000):
        following = boundaries.get_next(datetime)
        shortest, last = min(shortest, following - last), following
        if last > EXAMPLE_MOMENT + timedelta(days=366):
            break
    return shortest


def next_run_due(cron: str, moment: datetime) -> datetime:
    """The due moment of the first run after `moment`."""
    due: datetime = croniter(cron, moment.astimezone(UTC)).get_next(datetime)
    return due


def approval_closes(cron: str, asked_at: datetime, days: int) -> datetime:
    """The deadline of an approval that is requested at `asked_at`.

    The deadline is `days` later, or an hour before the next run is due, whichever is earlier. A
    deadline in the past means that the request times out at once.
    """
    return min(asked_at + timedelta(days=days), next_run_due(cron, asked_at) - LAST_HOUR)


def latest_retry(
    cron: str, run_started: datetime, task: str, minutes: Mapping[str, int]
) -> datetime:
    """The latest moment at which a retry of `task` may start.

    A run that starts late may end after the next due moment. So the deadline of a run is the first
    due moment after `run_started` plus the longest duration of a run. The latest retry starts
    `time_needed(task)` before that deadline.
    """
    start = max(NEXT_TASKS, key=lambda name: time_needed(name, minutes))
    due = next_run_due(cron, run_started + time_needed(start, minutes) - timedelta(seconds=1))
    return due - time_needed(task, minutes)


def _in_hours(span: timedelta) -> str:
    hours, minutes = divmod(round(span.total_seconds() / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
