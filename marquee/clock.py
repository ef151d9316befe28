"""The one clock: whoever decides by the time, or stamps what others decide by, asks it.

A drill may offset it for all processes by the environment variable `MARQUEE_CLOCK_OFFSET` (seconds,
with a sign). `marquee.lake` refuses an offset in a lake that is not a drill's. Stopwatches measure
the machine, not the world, and keep `time.time`.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from marquee.errors import AheadOfClockError, SettingsError

OFFSET = "MARQUEE_CLOCK_OFFSET"
SKEW = timedelta(minutes=5)
"""How far the clocks of two machines may lie apart without being noticed."""
SET_FROM = datetime(2020, 1, 1, tzinfo=UTC)
"""A clock that says less has not been set since its machine started, and says nothing."""


def now() -> datetime:
    """The present moment in UTC, by the clock every room decides by."""
    return of_machine(datetime.now(UTC))


def seconds() -> float:
    """`now` in seconds since 1970."""
    return now().timestamp()


def of_machine(moment: datetime) -> datetime:
    """A moment that the machine's own clock said, such as Airflow's, by this clock."""
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

    `present` is `now` unless the moment is of another clock, the machine's.
    """
    present = present or now()
    if moment - present > SKEW:
        raise AheadOfClockError(
            f"{what}, {_said(moment)}, is {_long(moment - present)} ahead of the clock, "
            f"{_said(present)}",
            "give a moment that has passed; where the clock is wrong, set it",
        )
    return moment


def _unusable(text: str) -> SettingsError:
    return SettingsError(
        f"{OFFSET} is '{text}', which is no number of seconds a clock can be set by",
        "give a number such as 604800 or -3600, or leave it unset",
    )


def _said(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _long(span: timedelta) -> str:
    """A span in its largest whole unit: `3 days`, `1 hour`."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if (count := int(span.total_seconds() // length)) >= 1:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{int(span.total_seconds())} seconds"
