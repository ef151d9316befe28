"""What a segment of feedback holds, and the moment from which each of its lines counts.

A server's lines have an order, their sequence numbers, but its clock may step back, run ahead, or
start in 1970 where it has no battery. A line is no older than the lines before it, and no newer
than the sealing of its segment. So the lines that count before a moment are always the first so
many of a server, and training learns what the API answered at that moment. `spark_apps` orders
lines by the same rules (`preparation/raw_ratings.py`). All times are UTC seconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path

from marquee import clock

OPEN = ".open.jsonl"
SEALED = ".jsonl"
_NAME = re.compile(r"(?P<server>.+)-(?P<number>\d{6})(?P<kind>\.open\.jsonl|\.jsonl)")
SET_FROM = int(clock.SET_FROM.timestamp())
"""An earlier stamp comes from a clock that was not set."""


@dataclass(frozen=True)
class Feedback:
    """One line: a person's rating of a title, or that they take it back (None)."""

    person: str
    """`p-<name>`: people of our API have their own space of ids."""
    movie_id: int | None
    """None where the person takes back all ratings until now, on every server."""
    rating: float | None
    time: int
    """UTC seconds by the server's clock."""
    seq: int | None = None
    """Ascends over all lines of a server; None in lines of the time before the numbers."""
    effective_time: int | None = None
    """UTC seconds from which the line counts; published segments alone have it."""

    def to_json(self) -> str:
        """The line as its file holds it, without unknown optional fields."""
        always = ("movie_id", "rating")
        known = {k: v for k, v in asdict(self).items() if v is not None or k in always}
        return json.dumps(known) + "\n"


@dataclass(frozen=True)
class Segment:
    """The content of one segment's file."""

    lines: list[Feedback]
    torn: int
    """The number of torn lines."""
    sealed: int | None
    """UTC seconds of its sealing; None while it is open, and in segments of earlier code."""

    def effective_times(self, after: int | None) -> list[int]:
        """From when each line counts; `after`: from when the line before the segment does."""
        stamps = [line.time for line in self.lines]
        return stamps if self.sealed is None else effective_times(stamps, self.sealed, after)


@dataclass(frozen=True, order=True)
class SegmentName:
    """The fields of a segment's file name, in the order of servers and of their writing."""

    server: str
    number: int
    path: Path

    @property
    def is_open(self) -> bool:
        """Whether serving still appends to it."""
        return self.path.name.endswith(OPEN)


def segment_names(folder: Path, server: str | None = None) -> list[SegmentName]:
    """The segments of a folder, of all servers or of one."""
    found = ((path, _NAME.fullmatch(path.name)) for path in folder.glob(f"*{SEALED}"))
    names = (SegmentName(m["server"], int(m["number"]), path) for path, m in found if m)
    return sorted(name for name in names if server is None or name.server == server)


def read_segment(path: Path) -> Segment:
    """The content of a segment's file."""
    lines, torn, sealed = [], 0, None
    for data in path.read_bytes().splitlines():
        if (line := parse_line(data)) is not None:
            lines.append(line)
        elif (moment := _sealing(data)) is not None:
            sealed = moment
        else:
            torn += bool(data.strip())
    return Segment(lines, torn, sealed)


def parse_line(line: bytes) -> Feedback | None:
    """One line, or None where it is torn: the API never acknowledged such a line."""
    try:
        value = json.loads(line)
        movie_id, rating, seq = value["movie_id"], value["rating"], value.get("seq")
        if movie_id is None and rating is not None:
            return None
        return Feedback(
            str(value["person"]),
            None if movie_id is None else int(movie_id),
            None if rating is None else float(rating),
            int(value["time"]),
            None if seq is None else int(seq),
        )
    except (ValueError, KeyError, TypeError, OverflowError):
        return None


def sealing_line(moment: int) -> str:
    """The last line of a sealed segment: every line above it was written before `moment`."""
    return json.dumps({"sealed": moment}) + "\n"


def timed_lines(segments: list[Segment]) -> list[list[tuple[Feedback, int]]]:
    """The lines of each of a server's segments, oldest first, with the moment they count from."""
    after, found = None, []
    for segment in segments:
        times = segment.effective_times(after)
        after = ascending_times(times)[-1] if times else after
        found.append(list(zip(segment.lines, times, strict=True)))
    return found


def effective_times(stamps: Sequence[int], sealed: int, after: int | None = None) -> list[int]:
    """The moments from which the lines of a segment count; they never descend.

    `sealed`: the moment of the sealing; `after`: that of the line before the segment. A stamp after
    the sealing is replaced by the next line's, at the latest by the sealing. The stamp of a clock
    that was not set is replaced by the line before.
    """
    upper = sealed if sealed >= SET_FROM else None
    known = list(stamps) if upper is None else _not_ahead(stamps, upper)
    if after is None or (upper is not None and after > upper):
        after = next((time for time in known if time >= SET_FROM), min(known, default=0))
    if after >= SET_FROM:
        known = [time if time >= SET_FROM else after for time in known]
    return list(accumulate(known, max, initial=after))[1:]


def ascending_times(times: Sequence[int]) -> list[int]:
    """The times of all lines of one server, ascending: a later line bounds an earlier one.

    The times descend only where a clock was ahead at a sealing, or where earlier code left none.
    """
    bound, bounded = None, []
    for time in reversed(times):
        if time >= SET_FROM:
            bound = time if bound is None else min(bound, time)
        bounded.append(time if bound is None else bound)
    return list(accumulate(reversed(bounded), max))


def _not_ahead(stamps: Sequence[int], upper: int) -> list[int]:
    """The stamps; one after `upper` is replaced by the next possible one, or by `upper`."""
    following, found = upper, []
    for stamp in reversed(stamps):
        time = following if stamp > upper else stamp
        following = time if time >= SET_FROM else following
        found.append(time)
    return found[::-1]


def _sealing(data: bytes) -> int | None:
    """The moment in a sealing line; None for any other line."""
    try:
        value = json.loads(data)
        return int(value["sealed"]) if set(value) == {"sealed"} else None
    except (ValueError, TypeError):
        return None
