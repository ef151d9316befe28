"""What was the head when, in a history some of whose clocks were wrong."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from ledger_race import draft
from release_world import week

from marquee.release.entry import Entry
from marquee.release.timeline import entry_at

NOW = week(40)


def history(*moments: datetime) -> list[Entry]:
    """Entries numbered from 1 whose writers' clocks said `moments`."""
    return [
        Entry(**vars(draft(f"r{n}", at=at)), number=n, previous=None)
        for n, at in enumerate(moments, start=1)
    ]


def number_at(entries: list[Entry], moment: datetime) -> int | None:
    found = entry_at(entries, moment, NOW)
    return found.number if found else None


def test_the_head_at_a_moment_is_the_last_entry_not_after_it() -> None:
    entries = history(week(1), week(2), week(2), week(3))
    second = timedelta(seconds=1)
    asked = (week(0), week(1), week(2) - second, week(2), week(3), NOW)
    assert [number_at(entries, moment) for moment in asked] == [None, 1, 1, 3, 4, 4]
    assert number_at([], week(1)) is number_at([], NOW) is None


@pytest.mark.parametrize("ahead", [week(41), week(300), datetime.max.replace(tzinfo=NOW.tzinfo)])
def test_now_is_the_head_though_a_clock_was_ahead(ahead: datetime) -> None:
    entries = history(week(1), ahead, week(3), ahead)
    assert number_at(entries, NOW) == 4
    # The second was there before the third was written, at week 3; the fourth counts from now on.
    assert [number_at(entries, week(n)) for n in (1, 2, 3, 39)] == [1, 1, 3, 3]


def test_a_clock_set_back_hides_no_entry_before_it() -> None:
    entries = history(week(1), week(5), week(4), week(6))
    assert [number_at(entries, week(n)) for n in (3, 4, 5, 6)] == [1, 3, 3, 4]
