"""What was the head at a moment, whatever the clocks of the writers said.

A clock that was ahead once stamps an entry later than the entries after it; one that stepped back,
or was not set, stamps it earlier than the entries before. History has an order all the same, its
numbers, and bounds: an entry was there at the latest when a later one says it was, and no earlier
than the as-of of a promotion at or before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import accumulate

from marquee.artefacts.ledger_entry import Entry
from marquee.clock import SET_FROM

FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def entry_at(entries: Sequence[Entry], moment: datetime, now: datetime) -> Entry | None:
    """The entry that was last at `moment`; None before the first.

    `entries` are a ledger's, oldest first. From `now` on it is the last entry, the head.
    """
    if moment >= now:
        return entries[-1] if entries else None
    stamps = _stamps(entries, _bounds(entries, now))
    known_by = _later_first(stamps)
    there = [entry for entry, at in zip(entries, known_by, strict=True) if at <= moment]
    return there[-1] if there else None


def _later_first(moments: Sequence[datetime]) -> list[datetime]:
    """Of each moment and all after it, the earliest."""
    return list(accumulate(reversed(moments), min))[::-1]


def _bounds(entries: Sequence[Entry], now: datetime) -> list[datetime]:
    """What each entry cannot have been there before.

    An as-of that has not come yet, or is later than that of a later promotion, bounds nothing: it
    comes from a clock that was ahead, or was rolled back.
    """
    as_ofs = [entry.as_of if entry.kind == "promote" else LAST for entry in entries]
    earliest = _later_first(as_ofs)
    sound = (
        as_of if as_of <= min(now, least) else FIRST
        for as_of, least in zip(as_ofs, earliest, strict=True)
    )
    return list(accumulate(sound, max))


def _stamps(entries: Sequence[Entry], bounds: Sequence[datetime]) -> list[datetime]:
    """What the writers' clocks said, within the bounds; one that was not set said what the one
    before it said."""
    stamps: list[datetime] = []
    for entry, bound in zip(entries, bounds, strict=True):
        said = entry.at if entry.at >= SET_FROM or not stamps else stamps[-1]
        stamps.append(max(said, bound))
    return stamps
