"""The schedule's interval around a moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from marquee.errors import SettingsError, SourceError
from marquee.schedule import (
    NEXT_TASKS,
    approval_closes,
    interval,
    latest_retry,
    refuse_slow_runs,
    time_needed,
)

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


MINUTES = dict.fromkeys(NEXT_TASKS, 10)


def test_the_longest_way_counts_jobs_that_wait_for_each_other() -> None:
    # From promote to report within the last hour; train twice; both prepares
    assert time_needed("report", MINUTES) == timedelta(minutes=10)
    assert time_needed("promote", MINUTES) == timedelta(minutes=40)
    assert time_needed("gate", MINUTES) == timedelta(minutes=70)
    assert time_needed("train", MINUTES) == timedelta(minutes=100)
    assert time_needed("crawl_titles", MINUTES) == timedelta(minutes=150)


@pytest.mark.parametrize(
    ("cron", "changed", "says"),
    [
        ("0 */2 * * *", {}, r"2 h 30 min from crawl_titles on.*every 2 h"),
        ("0 3 * * 1,2", {"load_ratings": 1400}, r"25 h 40 min from find_ratings on.*every 24 h"),
        ("0 3 * * 0", {"report": 31}, "publish_documents and report make 1 h 1 min"),
    ],
)
def test_time_outs_beyond_the_next_run_are_refused(
    cron: str, changed: dict[str, int], says: str
) -> None:
    with pytest.raises(SettingsError, match=says):
        refuse_slow_runs(cron, MINUTES | changed)


@pytest.mark.parametrize("cron", ["0 3 * * 0", "0 */3 * * *", "30 4 1 * *"])
def test_time_outs_that_fit_are_taken(cron: str) -> None:
    refuse_slow_runs(cron, MINUTES)


@pytest.mark.parametrize(
    ("asked", "days", "closes"),
    [
        (SUNDAY, 6, SUNDAY + timedelta(days=6)),
        (SUNDAY, 7, SUNDAY + timedelta(days=7, hours=-1)),
        (SUNDAY - timedelta(hours=5), 6, SUNDAY - timedelta(hours=1)),
        (SUNDAY - timedelta(minutes=20), 6, SUNDAY - timedelta(hours=1)),
    ],
)
def test_an_approval_closes_an_hour_before_the_next_run(
    asked: datetime, days: int, closes: datetime
) -> None:
    assert approval_closes("0 3 * * 0", asked, days) == closes


def test_the_last_retry_leaves_time_for_what_follows() -> None:
    started = SUNDAY + timedelta(seconds=30)
    latest = latest_retry("0 3 * * 0", started, "train", MINUTES)
    assert latest == SUNDAY + timedelta(days=7) - timedelta(minutes=100)
    # Started too late to end by the next boundary: the one after is its own.
    late = latest_retry("0 3 * * 0", SUNDAY - timedelta(hours=2), "report", MINUTES)
    assert late == SUNDAY + timedelta(days=7) - timedelta(minutes=10)
