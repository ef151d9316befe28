"""Names that go into paths."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marquee.errors import SourceError
from marquee.names import compact, iso, parse_moment, person_id, run_slug


def test_moments_are_spelled_in_utc() -> None:
    moment = datetime(2026, 1, 4, 5, 0, tzinfo=timezone(timedelta(hours=2)))
    assert compact(moment) == "20260104T030000Z"
    assert iso(moment) == "2026-01-04T03:00:00Z"
    assert parse_moment(compact(moment)) == parse_moment(iso(moment)) == moment
    assert parse_moment("2026-01-04") == datetime(2026, 1, 4, tzinfo=UTC)


def test_what_is_no_moment_is_refused() -> None:
    with pytest.raises(SourceError, match="next Sunday"):
        parse_moment("next Sunday")


@given(st.text())
def test_slugs_are_safe_for_hdfs_and_spark(run_id: str) -> None:
    slug = run_slug(run_id)
    assert slug[0] not in "_."
    assert not set("%:+/ ") & set(slug)
    assert slug.isascii()


@given(st.lists(st.text(), unique=True, max_size=20))
def test_slugs_and_people_stay_apart(names: list[str]) -> None:
    assert len({run_slug(name) for name in names}) == len(names)
    people = {person_id(name) for name in names}
    assert len(people) == len(names)
    assert all(-(2**63) <= person < 0 for person in people)
