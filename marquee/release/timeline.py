"""What was the head at a moment, whatever the clocks of the writers said.

A clock that was ahead once stamps an entry later than the entries after it. History has an order
all the same, its numbers: an entry was there at the latest when a later one says it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from marquee.release.entry import Entry


def entry_at(entries: Sequence[Entry], moment: datetime, now: datetime) -> Entry | None:
    """The entry that was last at `moment`; None before the first.

    `entries` are a ledger's, oldest first. From `now` on it is the last entry, the head.
    """
    if moment >= now:
        return entries[-1] if entries else None
    known_by: datetime | None = None
    for entry in reversed(entries):
        known_by = entry.at if known_by is None else min(known_by, entry.at)
        if known_by <= moment:
            return entry
    return None
