"""What was the head when, in a history some of whose clocks were wrong."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_race import draft
from release_examples import week

from marquee.artefacts.ledger_entry import Entry, Kind
from release.ledger import entry_at

NOW = week(40)
KINDS = get_args(Kind)


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


def entries_stamped(*entries: tuple[str, int, datetime]) -> list[Entry]:
    """Entries of a kind, the week of their bundle's as-of, and what their writer's clock said."""
    return [
        Entry(**vars(draft(f"r{n}", kind=kind, as_of=week(of), at=at)), number=n, previous=None)
        for n, (kind, of, at) in enumerate(entries, start=1)
    ]


HOUR = timedelta(hours=1)
PROMOTED = [("promote", number, week(number) + HOUR) for number in (3, 6)]


@pytest.mark.parametrize(
    "back",
    [
        datetime(1970, 1, 1, 0, 5, tzinfo=NOW.tzinfo),
        datetime(2019, 12, 31, 23, tzinfo=NOW.tzinfo),
        datetime.min.replace(tzinfo=NOW.tzinfo),
        week(3) - timedelta(days=120),
        week(5),
    ],
)
def test_a_clock_that_stepped_back_erases_no_history(back: datetime) -> None:
    """A roll-back in week 7 by a clock before week 6, which its own ledger proves wrong."""
    entries = entries_stamped(*PROMOTED, ("roll_back", 3, back), ("promote", 8, week(8) + HOUR))
    asked = [week(0), week(3) - HOUR, week(3) + HOUR, week(6) - HOUR, week(7), week(8), NOW]
    found = [number_at(entries, moment) for moment in asked]
    assert found == [None, None, 1, 1, 3, 3, 4]


def test_a_clock_that_was_not_set_hides_not_the_moment_of_the_entry_before() -> None:
    entries = entries_stamped(*PROMOTED, ("roll_back", 3, datetime(1970, 1, 1, tzinfo=NOW.tzinfo)))
    asked = [week(6), week(6) + HOUR]
    assert [number_at(entries, moment) for moment in asked] == [1, 3]


def test_a_first_entry_of_a_clock_that_was_not_set_was_there_from_its_as_of() -> None:
    entries = entries_stamped(("promote", 3, datetime(1970, 1, 1, tzinfo=NOW.tzinfo)))
    assert [number_at(entries, moment) for moment in (week(3) - HOUR, week(3))] == [None, 1]


@pytest.mark.parametrize("ahead", [30, 45, 3000])
def test_an_as_of_of_a_clock_that_was_ahead_bounds_nothing_after_it(ahead: int) -> None:
    """Promoted as of a week to come, rolled back, and the weeks went on, in week 10 and 11."""
    entries = entries_stamped(
        *PROMOTED,
        ("promote", ahead, week(ahead) + HOUR),
        ("roll_back", 6, week(7)),
        ("promote", 10, week(10) + HOUR),
        ("promote", 11, week(11) + HOUR),
    )
    asked = [week(6) + 2 * HOUR, week(9), week(10) + HOUR, week(11) + HOUR, week(39)]
    assert [number_at(entries, moment) for moment in asked] == [2, 4, 5, 6, 6]


@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 50), st.datetimes(), st.booleans())),
    st.datetimes(),
)
def test_the_later_the_moment_the_later_the_head(drawn: list[Any], moment: datetime) -> None:
    entries = entries_stamped(
        *(
            (kind, of, at.replace(tzinfo=NOW.tzinfo) if odd else week(of) + HOUR)
            for kind, of, at, odd in drawn
        )
    )
    asked = sorted([moment.replace(tzinfo=NOW.tzinfo), *(week(n) for n in range(0, 42, 6))])
    found = [number_at(entries, one) or 0 for one in asked]
    assert found == sorted(found)
    assert all(0 <= number <= len(entries) for number in found)
