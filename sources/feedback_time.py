"""When a line of feedback counts from: its stamp, bounded by what the order of lines proves.

A server's lines have an order, their sequence numbers; its clock may step back, be ahead, or start
in 1970 where it has no battery. A line is no older than the lines before it, and no newer than the
sealing of its segment. So the lines that count before a moment are the first so many of a server:
training learns what the API said at that moment. All times are UTC seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from marquee import clock

SET_FROM = int(clock.SET_FROM.timestamp())
"""Stamps below come from a clock that was not set."""


def effective_times(stamps: Sequence[int], sealed: int, after: int | None = None) -> list[int]:
    """When each line of a segment counts from; never descending.

    `sealed` is when the segment was sealed; `after` is when the line before it counts from. A stamp
    later than the sealing gives way to the next line's, at the latest to the sealing; the stamp of
    a clock that was not set gives way to the line before.
    """
    upper = sealed if sealed >= SET_FROM else None
    known = list(stamps) if upper is None else _not_ahead(stamps, upper)
    if after is None or (upper is not None and after > upper):
        after = next((time for time in known if time >= SET_FROM), min(known, default=0))
    if after >= SET_FROM:
        known = [time if time >= SET_FROM else after for time in known]
    return list(accumulate(known, max, initial=after))[1:]


def in_order(times: Sequence[int]) -> list[int]:
    """Times of all lines of one server, made to ascend: a later line proves an earlier one's.

    Needed where a segment was sealed by a clock that was ahead, or before sealings were kept.
    """
    bound, bounded = None, []
    for time in reversed(times):
        if time >= SET_FROM:
            bound = time if bound is None else min(bound, time)
        bounded.append(time if bound is None else bound)
    return list(accumulate(reversed(bounded), max))


def _not_ahead(stamps: Sequence[int], upper: int) -> list[int]:
    """The stamps, with the next good one for those after `upper`, or `upper` itself."""
    following, found = upper, []
    for stamp in reversed(stamps):
        time = following if stamp > upper else stamp
        following = time if time >= SET_FROM else following
        found.append(time)
    return found[::-1]
