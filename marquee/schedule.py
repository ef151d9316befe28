"""The schedule, as far as moments are compared with it: how long its interval is."""

from __future__ import annotations

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
