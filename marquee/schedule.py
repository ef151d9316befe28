"""The schedule: how long its interval is, and what of it a run's tasks may take.

Every task has a time-out, and the longest way through a run ends before the next run is due.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from croniter import croniter

from marquee.errors import SettingsError, SourceError

ORDINARY = datetime(2024, 1, 1, tzinfo=UTC)
"""A moment that every schedule has boundaries around."""


def interval(cron: str, moment: datetime) -> timedelta:
    """The length of the schedule's interval `[start, end)` that holds `moment`, in UTC.

    Raises SettingsError where `cron` is no schedule, or has no boundary that could be found;
    SourceError where `moment` lies so near an end of the calendar that one is missing there.
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


FOLLOWS: Mapping[str, tuple[str, ...]] = {
    "crawl_titles": ("load_titles",),
    "load_titles": ("freeze_inputs",),
    "fetch_ratings": ("load_ratings",),
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
"""What follows each task of a run; both models' groups are alike. A test holds it to the DAG."""
ONE_BY_ONE = {
    "prepare_titles": ("prepare_titles", "prepare_ratings"),
    "prepare_ratings": ("prepare_titles", "prepare_ratings"),
    "train": ("train", "train"),
}
"""Jobs that share Spark's one place: a run waits for both."""
LAST_HOUR = timedelta(hours=1)
"""Before the next run is due, for what follows an approval."""


def time_needed(task: str, minutes: Mapping[str, int]) -> timedelta:
    """The longest that a run may take from the start of `task` to its end, by the time-outs in
    minutes of each task; an approval's own wait, which ends an hour before the next run, counts as
    that hour."""
    if task == "approve":
        return LAST_HOUR
    own = sum(minutes[name] for name in ONE_BY_ONE.get(task, (task,)))
    rest = (time_needed(name, minutes) for name in FOLLOWS[task])
    return timedelta(minutes=own) + max(rest, default=timedelta(0))


def refuse_slow_runs(cron: str, minutes: Mapping[str, int]) -> None:
    """SettingsError where the time-outs let a run last beyond the moment the next one is due."""
    last = time_needed("promote", minutes)
    if last > LAST_HOUR:
        raise SettingsError(
            f"schedule.minutes of promote, verify_serving and report make {_said(last)}: an "
            "approval ends an hour before the next run is due, and what follows takes longer",
            "make them sixty minutes together at most",
        )
    longest = max(FOLLOWS, key=lambda task: time_needed(task, minutes))
    needed, allowed = time_needed(longest, minutes), shortest_interval(cron)
    if needed > allowed:
        raise SettingsError(
            f"a run may take {_said(needed)} from {longest} on, by the time-outs in "
            f"schedule.minutes, and schedule.cron '{cron}' starts one every {_said(allowed)}",
            "lower the time-outs, or start runs less often",
        )


def shortest_interval(cron: str) -> timedelta:
    """The shortest among the next thousand intervals, or a year's; SettingsError as above."""
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


def approval_closes(cron: str, asked: datetime, days: int) -> datetime:
    """Until when an approval asked for at `asked` waits: `days`, and at most until an hour before
    the next run is due. That may have passed; silence then means no at once."""
    return min(asked + timedelta(days=days), next_due(cron, asked) - LAST_HOUR)


def latest_retry(
    cron: str, run_started: datetime, task: str, minutes: Mapping[str, int]
) -> datetime:
    """The latest start of another attempt at `task` with which its run still ends in time: before
    the first run that is due after this one could have ended."""
    start = max(FOLLOWS, key=lambda name: time_needed(name, minutes))
    due = next_due(cron, run_started + time_needed(start, minutes) - timedelta(seconds=1))
    return due - time_needed(task, minutes)


def _said(span: timedelta) -> str:
    hours, minutes = divmod(round(span.total_seconds() / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
