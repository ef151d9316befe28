"""The one clock, and how a moment is written and read.

Every decision that depends on the time, and every time stamp that later decisions read, comes from
this clock. A drill may offset it for all processes by the environment variable
`MARQUEE_CLOCK_OFFSET` (seconds, with a sign); `marquee.lake` refuses an offset in a lake that is
not a drill's. Stopwatches measure durations on this machine and keep `time.time`.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta

from marquee.errors import AheadOfClockError, SettingsError, SourceError

OFFSET = "MARQUEE_CLOCK_OFFSET"
SKEW = timedelta(minutes=5)
"""The clocks of two machines may differ by so much without being noticed."""
SET_FROM = datetime(2020, 1, 1, tzinfo=UTC)
"""An earlier reading comes from a clock that has not been set since its machine started."""
_MOMENT = re.compile(
    r"\d{4}(-\d{2}-\d{2}|\d{4}|-?W\d{2}-?\d)"  # a day, by month or by week
    r"([T ]\d{2}(:?\d{2}(:?\d{2}([.,]\d+)?)?)?(Z|[+-]\d{2}(:?\d{2}(:?\d{2})?)?)?)?",
    re.ASCII | re.IGNORECASE,
)


def now() -> datetime:
    """The present moment in UTC, by this clock."""
    return of_machine(datetime.now(UTC))


def seconds() -> float:
    """`now` in seconds since 1970."""
    return now().timestamp()


def of_machine(moment: datetime) -> datetime:
    """A moment that the machine's own clock gave, such as Airflow's, by this clock."""
    try:
        return moment.astimezone(UTC) + offset()
    except OverflowError:
        raise _unusable(os.environ.get(OFFSET, "")) from None


def offset() -> timedelta:
    """What a drill adds to the machine's clock; SettingsError where it is not a number."""
    text = os.environ.get(OFFSET, "").strip()
    try:
        return timedelta(seconds=float(text or 0))
    except (ValueError, OverflowError):
        raise _unusable(text) from None


def refuse_ahead(moment: datetime, what: str, present: datetime | None = None) -> datetime:
    """The moment itself; AheadOfClockError where it is later than `present` by more than `SKEW`.

    `present` is `now`, unless `moment` comes from another clock, such as the machine's.
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
    """A UTC moment as documents spell it: `2026-01-04T03:00:00Z`."""
    # Not strftime, which on Linux writes the year 33 with two digits.
    return whole(moment).replace(tzinfo=None).isoformat() + "Z"


def compact(moment: datetime) -> str:
    """A UTC moment as paths spell it: `20260104T030000Z`."""
    return iso(moment).replace("-", "").replace(":", "")


def whole(moment: datetime) -> datetime:
    """A moment in UTC, cut to the second: the precision of every written moment."""
    return moment.astimezone(UTC).replace(microsecond=0)


def parse_moment(text: str) -> datetime:
    """Read either spelling, or any ISO 8601 with a zone; without one it is taken as UTC.

    A day means its first second. Raises SourceError for what is not a moment, also for a leap
    second (`:60`) and for one that lies before the year 1 or after 9999 in UTC.
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
    """A span in its largest whole unit: `3 days`, `1 hour`."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if (count := int(span.total_seconds() // length)) >= 1:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{int(span.total_seconds())} seconds"
