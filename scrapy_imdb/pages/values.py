"""Single values as pages spell them: numbers, durations, ids. None where unreadable."""

from __future__ import annotations

import re
from typing import Any

_TITLE_ID = re.compile(r"tt\d{7,10}")
_DURATION = re.compile(r"P(?:\d+D)?T(?:(\d+)H)?(?:(\d+)M)?(?:\d+S)?")


def title_id_in(text: str) -> str | None:
    """The first title id in a text, such as a URL."""
    found = _TITLE_ID.search(text)
    return found.group() if found else None


def whole(value: Any) -> int | None:
    """A count: a number, or digits in groups (`1,234`, `1.234`)."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return int(value) if float(value).is_integer() else None
    digits = re.sub(r"[\s.,'’\u00a0\u202f]", "", str(value))
    return int(digits) if digits.isdecimal() and len(digits) < 16 else None


def score(value: Any) -> float | None:
    """A rating: a number, or text with either decimal mark (`8.4`, `8,4`)."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value)
    found = re.fullmatch(r"\d{1,2}(?:[.,]\d+)?", str(value).strip())
    return float(found.group().replace(",", ".")) if found else None


def minutes(duration: str | None) -> int | None:
    """Minutes of an ISO 8601 duration (`PT134M`, `PT2H14M`)."""
    found = _DURATION.fullmatch((duration or "").strip())
    if not found or not any(found.groups()):
        return None
    return int(found.group(1) or 0) * 60 + int(found.group(2) or 0)
