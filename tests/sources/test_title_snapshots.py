"""When a record was fetched, and what a snapshot states of its records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sources.title_snapshots import FetchSpan, fetch_moment

MISREAD = [
    "2026-02-22T03:04:00+18:30", "2026-02-22T03:04:00-23:59", "2026-02-22T03:04:00+04:75",
    "0001-01-01T00:00:00+01:00", "0000-05-06T07:08:09", "2026-02-22T03:04:00Z\n",
    "٢٠٢٦-02-22T03:04:00Z", "2026-02-22T24:00:00Z", "2026-02-22T03:04:60Z",
]  # fmt: skip
"""What one of Python and Spark reads as a moment and the other does not, or once did not."""
LOADED = datetime(2026, 3, 1, 3, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("2026-02-22T03:04:00Z", datetime(2026, 2, 22, 3, 4, tzinfo=UTC)),
        ("2026-02-22T03:04:00.5Z", datetime(2026, 2, 22, 3, 4, 0, 500_000, tzinfo=UTC)),
        ("2026-02-22T03:04:00+02:00", datetime(2026, 2, 22, 1, 4, tzinfo=UTC)),
        ("2026-02-22 03:04:00", datetime(2026, 2, 22, 3, 4, tzinfo=UTC)),
        ("2026-03-01T03:13:00Z", LOADED + timedelta(minutes=4)),  # two clocks may differ so much
    ],
)
def test_a_record_states_when(stated: str, expected: datetime) -> None:
    assert fetch_moment(stated, LOADED, LOADED) == expected


@pytest.mark.parametrize(
    "stated",
    [
        None, "", "soon", 1_700_000_000, ["2026-02-22T03:04:00Z"], "2026", "2026-02-22", "03:04:00",
        "2026-13-22T03:04:00Z", "2026-02-30T03:04:00Z", "0000-01-01T00:00:00Z",
        "2026-03-01T03:15:00Z", "9999-12-31T23:59:59-14:00",
        *MISREAD,
    ],
)  # fmt: skip
def test_a_record_without_a_moment_counts_from_its_load(stated: Any) -> None:
    assert fetch_moment(stated, LOADED, LOADED) == LOADED


def test_without_a_moment_of_the_load_a_records_own_counts() -> None:
    filed = datetime(2020, 6, 7, 3, tzinfo=UTC)
    assert fetch_moment("2026-02-22T03:04:00Z", filed, None) > filed


def test_a_span_is_read_back_from_its_facts() -> None:
    records = [
        {"fetched_at": "2026-02-22T03:04:00Z", "release_date": "1999-05-04"},
        {"fetched_at": None, "release_date": None, "year": 2027},
        {"fetched_at": "2026-02-23T03:04:00Z", "release_date": "2026-04"},
    ]
    facts = FetchSpan(LOADED, LOADED).of(records).facts
    assert facts == {
        "first_fetched": "2026-02-22T03:04:00Z",
        "last_fetched": "2026-03-01T03:09:00Z",
        "last_release": "2027",
    }
    assert FetchSpan.from_facts(facts, LOADED).facts == facts
