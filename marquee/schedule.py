"""The schedule: the interval between runs, and how long a run's tasks may take in it.

Every task has a time-out, and the longest path through a run ends before the next run is due.
Settings check it; the DAG's time-outs, retries and approvals follow from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from croniter import croniter

from marquee.errors import SettingsError, SourceError

ORDINARY = datetime(2024, 1, 1, tzinfo=UTC)
"""A moment with boundaries of every schedule before and after it."""
FOLLOWS: Mapping[str, tuple[str, ...]] = {
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
    "gate": ("approve",),
    "approve": ("promote",),
    "promote": ("verify_serving",),
    "verify_serving": ("report",),
    "report": (),
}
"""The tasks that follow each task of a run, the same for both models. A test compares the DAG."""
ONE_BY_ONE = {
    "prepare_titles": ("prepare_titles", "prepare_ratings"),
    "prepare_ratings": ("prepare_titles", "prepare_ratings"),
    "train": ("train", "train"),
}
"""Spark jobs that wait for each other, because the pool runs one at a time."""
LAST_HOUR = timedelta(hours=1)
"""Kept free before the next run is due, for the tasks that follow an approval."""


def interval(cron: str, moment: datetime) -> timedelta:
    """The length of the schedule's interval `[start, end)` that holds `moment`, in UTC.

    Raises SettingsError where `cron` is not a schedule or has no boundary, and SourceError where
    `moment` lies so near an end of the calendar that a boundary is missing.
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


def _refuse_schedule(cron: str) -> None:
    """SettingsError where `cron` has no interval around an ordinary moment either."""
    try:
        _around(cron, ORDINARY)
    except (ValueError, OverflowError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"schedule.cron '{cron}' gives no interval: {error}", "give five fields, like 0 3 * * 0"
        ) from None


def time_needed(task: str, minutes: Mapping[str, int]) -> timedelta:
    """The longest time from the start of `task` to the end of its run; `minutes` are the time-outs.

    An approval may wait until an hour before the next run is due, so it counts as that hour.
    """
    if task == "approve":
        return LAST_HOUR
    own = sum(minutes[name] for name in ONE_BY_ONE.get(task, (task,)))
    rest = (time_needed(name, minutes) for name in FOLLOWS[task])
    return timedelta(minutes=own) + max(rest, default=timedelta(0))


def refuse_slow_runs(cron: str, minutes: Mapping[str, int]) -> None:
    """Raise SettingsError where the time-outs let a run last until after the next one is due."""
    last = time_needed("promote", minutes)
    if last > LAST_HOUR:
        raise SettingsError(
            f"schedule.minutes of promote, verify_serving and report make {_in_hours(last)}: an "
            "approval ends an hour before the next run is due, and what follows takes longer",
            "make them sixty minutes together at most",
        )
    longest = max(FOLLOWS, key=lambda task: time_needed(task, minutes))
    needed, allowed = time_needed(longest, minutes), shortest_interval(cron)
    if needed > allowed:
        raise SettingsError(
            f"a run may take {_in_hours(needed)} from {longest} on, by the time-outs in "
            f"schedule.minutes, and schedule.cron '{cron}' starts one every {_in_hours(allowed)}",
            "lower the time-outs, or start runs less often",
        )


def shortest_interval(cron: str) -> timedelta:
    """The shortest of a thousand intervals, or of a year's; SettingsError as `interval`."""
    interval(cron, ORDINARY)
    boundaries = croniter(cron, ORDINARY)
    shortest, last = timedelta.max, boundaries.get_next(datetime)
    for _ in range(1000):
        following = boundaries.get_next(datetime)
        shortest, last = min(shortest, following - last), following
        if last > ORDINARY + timedelta(days=366):
            break
    return shortest


def next_due(cron: str, moment: datetime) -> datetime:
    """When the first run after `moment` is due."""
    due: datetime = croniter(cron, moment.astimezone(UTC)).get_next(datetime)
    return due


def approval_closes(cron: str, asked_at: datetime, days: int) -> datetime:
    """Until when the question asked at `asked_at` waits: `days`, and at most until an hour before
    the next run is due. That moment may have passed; then the question times out at once."""
    return min(asked_at + timedelta(days=days), next_due(cron, asked_at) - LAST_HOUR)


def latest_retry(
    cron: str, run_started: datetime, task: str, minutes: Mapping[str, int]
) -> datetime:
    """The latest start of another attempt at `task` that lets its run end in time.

    In time means before the first run that is due after this one could have ended.
    """
    start = max(FOLLOWS, key=lambda name: time_needed(name, minutes))
    due = next_due(cron, run_started + time_needed(start, minutes) - timedelta(seconds=1))
    return due - time_needed(task, minutes)


def _in_hours(span: timedelta) -> str:
    hours, minutes = divmod(round(span.total_seconds() / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
