"""The schedule, as far as moments are compared with it: how long its interval is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from croniter import croniter

from marquee.errors import SettingsError


def interval(cron: str, moment: datetime) -> timedelta:
    """The length of the schedule's interval `[start, end)` that holds `moment`, in UTC.

    Raises SettingsError where `cron` is no schedule, or has no boundary that could be found.
    """
    try:
        end = croniter(cron, moment.astimezone(UTC)).get_next(datetime)
        start = croniter(cron, end).get_prev(datetime)
    except (ValueError, OverflowError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"schedule.cron '{cron}' gives no interval around {moment:%Y-%m-%d %H:%M}: {error}",
            "give five fields, like 0 3 * * 0",
        ) from None
    return timedelta(seconds=(end - start).total_seconds())
