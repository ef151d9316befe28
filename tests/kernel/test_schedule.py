"""The schedule's interval around a moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from marquee.errors import SettingsError, SourceError
from marquee.schedule import interval

SUNDAY = datetime(2026, 1, 4, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "moment", "hours"),
    [
        ("0 3 * * 0", SUNDAY, 168),
        ("0 3 * * 0", SUNDAY - timedelta(seconds=1), 168),
        ("0 3 * * 1,4", SUNDAY, 96),
        ("0 3 * * 1,4", SUNDAY + timedelta(days=1), 72),
        ("@daily", SUNDAY.astimezone(timezone(timedelta(hours=9))), 24),
        ("0 0 1 * *", datetime(2024, 2, 9, tzinfo=UTC), 29 * 24),
    ],
)
def test_the_interval_that_holds_a_moment(cron: str, moment: datetime, hours: int) -> None:
    assert interval(cron, moment) == timedelta(hours=hours)


@pytest.mark.parametrize("cron", ["", "weekly", "0 3 * *", "0 3 31 2 *", "61 * * * *"])
def test_what_is_no_schedule_says_so(cron: str) -> None:
    with pytest.raises(SettingsError, match="gives no interval"):
        interval(cron, SUNDAY)


@pytest.mark.parametrize("moment", [datetime.min, datetime.max])
@pytest.mark.parametrize("cron", ["0 3 * * 0", "30 4 * * *"])
def test_at_the_ends_of_time_the_moment_is_blamed(cron: str, moment: datetime) -> None:
    with pytest.raises(SourceError, match="the calendar, years 1 to 9999, ends there"):
        interval(cron, moment.replace(tzinfo=UTC))


@pytest.mark.parametrize("cron", ["nightly", "0 3 30 2 *"])
def test_there_too_what_is_no_schedule_says_so(cron: str) -> None:
    with pytest.raises(SettingsError, match="gives no interval"):
        interval(cron, datetime.min.replace(tzinfo=UTC))
