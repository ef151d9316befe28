"""Dates as files and pages write them: read, or not read with the reason, and never guessed."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marquee.normalise.dates import MONTHS, date_of, read_date
from marquee.normalise.text import Unreadable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2007", "2007"),
        ("2007.0", "2007"),
        ("2007-11", "2007-11"),
        ("2007-11-00", "2007-11"),
        ("2007-00-00", "2007"),
        ("20071109", "2007-11-09"),
        ("2007/11/9", "2007-11-09"),
        ("2007-11-09T23:30:00-08:00", "2007-11-09"),
        ("2007-11-09 00:00:00.000", "2007-11-09"),
        ("9 November 2007", "2007-11-09"),
        ("9th of November, 2007 (UK)", "2007-11-09"),
        ("Nov 9, 2007", "2007-11-09"),
        ("November, 2007", "2007-11"),
        ("09-Nov-2007", "2007-11-09"),
        ("2007 Nov 9", "2007-11-09"),
        ("Fri, 09 Nov 2007 10:00:00 GMT", "2007-11-09"),
        ("Freitag, 9. März 2007", "2007-03-09"),
        ("1er décembre 2007", "2007-12-01"),
        ("9 de febrero de 2007", "2007-02-09"),
        ("9.11.2007", "2007-11-09"),
        ("11/2007", "2007-11"),
        ("25/11/2007", "2007-11-25"),
        ("11/25/2007", "2007-11-25"),
        ("11/11/2007", "2007-11-11"),
    ],
)
def test_a_date_in_another_form_is_read(text, expected):
    assert read_date(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("09/11/2007", "may be 2007-11-09 or 2007-09-11"),
        ("9-11-2007", "may be"),
        ("9/11/07", "two digits"),
        ("9 Nov 07", "two digits"),
        ("2007-02-30", "no calendar"),
        ("31 November 2007", "no calendar"),
        ("31/11/2007", "no calendar"),
        ("2007-14", "no calendar"),
        ("0007-11-09", "film's year"),
        ("9 November 9999", "film's year"),
        ("9 Novembruary 2007", "no date"),
        ("Autumn 2007", "no date"),
        ("2007-2009", "no date"),
        ("1194566400", "no date"),
        ("39395", "no date"),
        ("TBA", "no date"),
        ("", "no date"),
    ],
)
def test_what_is_no_date_says_why(text, reason):
    found = read_date(text)
    assert isinstance(found, Unreadable) and reason in found.reason


@given(
    st.dates(date(1874, 1, 1), date(2100, 12, 31)),
    st.sampled_from(["%d %B %Y", "%B %d, %Y", "%d-%b-%Y", "%A, %d %B %Y", "%Y%m%d", "%d.%m.%Y"]),
)
def test_every_day_reads_back(day, form):
    assert read_date(day.strftime(form)) == day.isoformat()


@given(st.text(max_size=30))
def test_any_text_is_an_iso_date_or_a_reason(text):
    found = read_date(text)
    if isinstance(found, Unreadable):
        assert found.reason
    else:
        assert date_of(*found.split("-")) == found


@pytest.mark.parametrize("name", sorted(MONTHS))
def test_every_months_name_is_read(name):
    assert read_date(f"9 {name.title()} 2007") == f"2007-{MONTHS[name]:02d}-09"
