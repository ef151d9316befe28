"""Single values as pages spell them: numbers, durations, ids. None where unreadable."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from marquee.normalise.text import clean

_TITLE_ID = re.compile(r"tt\d{7,10}")
_COUNT = re.compile(
    r"(?P<whole>\d{1,3}(?P<mark>[.,'’ _])\d{3}(?:(?P=mark)\d{3})*|\d{1,2}(?:,\d\d)+,\d{3}|\d+)"
    r"(?:(?P<decimal>[.,])0+)?"
)
_LARGEST = 1e18
_YEAR_ZERO = re.compile(r"(?<![-+\d])0\d{3,}")


def title_id_in(text: str) -> str | None:
    """The first title id in a text, such as a URL."""
    found = _TITLE_ID.search(text)
    return found.group() if found else None


def header_date(text: str | None) -> datetime | None:
    """The moment of an HTTP header (RFC 9110, 5.6.7), in UTC; None for what is no date at all."""
    if text and _YEAR_ZERO.search(text):  # which the parser takes for the year 2000
        return None
    try:
        moment = parsedate_to_datetime(text or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def whole(value: Any) -> int | None:
    """A count: a number, or digits, perhaps in groups of three (`1,234`, `1.234`) or India's, and
    with decimals that are zeros (`1234.0`)."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if not isinstance(value, str):
        return int(value) if abs(value) < _LARGEST and value == int(value) else None
    found = _COUNT.fullmatch(clean(value))
    if found is None or (found["mark"] and found["mark"] == found["decimal"]):
        return None
    digits = re.sub(r"\D", "", found["whole"])
    return int(digits) if len(digits) < 16 else None


def score(value: Any) -> float | None:
    """A rating: a number, or text with either decimal mark (`8.4`, `8,4`)."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if not isinstance(value, str):
        return float(value) if abs(value) < _LARGEST else None
    found = re.fullmatch(r"\d{1,2}(?:[.,]\d+)?", value.strip())
    return float(found.group().replace(",", ".")) if found else None
