"""Moments as documents and paths spell them, and every spelling that is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marquee.clock import compact, iso, parse_moment, to_whole_second
from marquee.errors import SourceError


def test_moments_are_spelled_in_utc() -> None:
    moment = datetime(2026, 1, 4, 5, 0, tzinfo=timezone(timedelta(hours=2)))
    assert compact(moment) == "20260104T030000Z"
    assert iso(moment) == "2026-01-04T03:00:00Z"
    assert parse_moment(compact(moment)) == parse_moment(iso(moment)) == moment
    assert parse_moment("2026-01-04") == datetime(2026, 1, 4, tzinfo=UTC)


NO_MOMENT = [
    "next Sunday", "", " ", "2026", "1767495600", "99999-01-01", "12026-01-01T00:00:00Z", "nan",
    "2026-02-30T00:00:00Z", "2026-12-31T23:59:60Z", "2026-01-04T24:30:00Z", "0000-01-01",
    "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-01-04T03:00:00+99:00",
    "2026-W54-1", "2026-01-04x03:00:00Z", "２０２６-01-04T03:00:00Z", "2026-01-04T03:00:00Zulu",
    "None", "\ud800", "2026-01-04T03:00:00Z; 2027",
]  # fmt: skip
SPELLINGS = [
    "2026-01-04T03:00:00Z", "2026-01-04T03:00:00+00:00", "2026-01-04T05:30:00+02:30",
    "20260104T030000Z", "2026-01-04 03:00", "2026-01-04T03:00:00", "2026-W01-7T03:00:00Z",
    "2026-01-04T03:00:00.000Z", " 2026-01-04T03:00:00Z ", "2026-01-03T22:00:00-0500",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_MOMENT)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(SourceError, match="is not a moment"):
        parse_moment(text)


@pytest.mark.parametrize("text", SPELLINGS)
def test_one_moment_has_many_spellings(text: str) -> None:
    assert parse_moment(text) == datetime(2026, 1, 4, 3, tzinfo=UTC)


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_of_any_year_is_read_back_as_it_was_written(moment: datetime) -> None:
    assert parse_moment(iso(moment)) == parse_moment(compact(moment)) == to_whole_second(moment)
    assert len(iso(moment)) == 20 and len(compact(moment)) == 16


@given(st.text(alphabet="0123456789-:+TZW. ", max_size=30))
def test_a_text_is_a_moment_or_refused(text: str) -> None:
    try:
        moment = parse_moment(text)
    except SourceError:
        return
    assert moment.tzinfo is UTC
