"""The present moment, and how a moment is written and read.

Decisions and time stamps take the time from this module. A drill may offset the time of all
processes by the environment variable `MARQUEE_CLOCK_OFFSET` (seconds, with a sign).
`marquee.lake` refuses an offset in a lake that is not a drill's. Code that only measures a
duration uses `time.time`.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta

from marquee.errors import AheadOfClockError, SettingsError, SourceError

OFFSET = "MARQUEE_CLOCK_OFFSET"
SKEW = timedelta(minutes=5)
"""The tolerated difference between the clocks of two machines."""
EARLIEST_CREDIBLE = datetime(2020, 1, 1, tzinfo=UTC)
"""A machine without a battery starts in an earlier year until its clock is set."""
_MOMENT = re.compile(
    r"\d{4}(-\d{2}-\d{2}|\d{4}|-?W\d{2}-?\d)"  # a day, by month or by week
    r"([T ]\d{2}(:?\d{2}(:?\d{2}([.,]\d+)?)?)?(Z|[+-]\d{2}(:?\d{2}(:?\d{2})?)?)?)?",
    re.ASCII | re.IGNORECASE,
)


def now() -> datetime:
    """The present moment in UTC, with a drill's offset."""
    return from_machine_clock(datetime.now(UTC))


def seconds() -> float:
    """`now` in seconds since 1970."""
    return now().timestamp()


def from_machine_clock(moment: datetime) -> datetime:
    """A moment of the machine's own clock, such as Airflow's, with a drill's offset."""
    try:
        return moment.astimezone(UTC) + offset()
    except OverflowError:
        raise _unusable(os.environ.get(OFFSET, "")) from None


def offset() -> timedelta:
    """The seconds that a drill adds to the machine's clock; zero without a drill.

    Raises SettingsError where the environment variable holds no number.
    """
    text = os.environ.get(OFFSET, "").strip()
    try:
        return timedelta(seconds=float(text or 0))
    except (ValueError, OverflowError):
        raise _unusable(text) from None


def refuse_ahead(moment: datetime, what: str, present: datetime | None = None) -> datetime:
    """The moment itself; AheadOfClockError where it is later than `present` by more than `SKEW`.

    `present` defaults to `now`. A caller with a moment of the machine's clock gives that clock's
    present.
    """
    present = present or now()
    if moment - present > SKEW:
        raise AheadOfClockError(
            f"{what}, {iso(moment)}, is {_length(moment - present)} ahead of the clock, "
            f"{iso(present)}",
            "give a moment that has passed; where the clock is wrong, set it",
        )
    return moment


def iso(moment: datetime) -> str:
    """A moment in UTC, as documents write it: `2026-01-04T03:00:00Z`."""
    # Not strftime, which on Linux writes the year 33 with two digits.
    return to_whole_second(moment).replace(tzinfo=None).isoformat() + "Z"


def compact(moment: datetime) -> str:
    """A moment in UTC, as paths write it: `20260104T030000Z`."""
    return iso(moment).replace("-", "").replace(":", "")


def to_whole_second(moment: datetime) -> datetime:
    """A moment in UTC, cut to the second: the precision of every written moment."""
    return moment.astimezone(UTC).replace(microsecond=0)


def parse_moment(text: str) -> datetime:
    """Read a moment in ISO 8601, such as the output of `iso` or `compact`.

    A moment without a zone is UTC. A day means its first second. Raises SourceError for any other
    text, for a leap second (`:60`), and for a moment before the year 1 or after 9999 in UTC.
    """
    try:
        if not _MOMENT.fullmatch(text.strip()):
            raise ValueError(text)
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise SourceError(
            f"'{text[:60]}' is not a moment", "write it like 2026-01-04T03:00:00Z"
        ) from None


def _unusable(text: str) -> SettingsError:
    return SettingsError(
        f"{OFFSET} is '{text}', which is no number of seconds a clock can be set by",
        "give a number such as 604800 or -3600, or leave it unset",
    )


def _length(span: timedelta) -> str:
    """A span in whole days, else hours, else minutes, else seconds: `3 days`, `1 hour`."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if (count := int(span.total_seconds() // length)) >= 1:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{int(span.total_seconds())} seconds"
