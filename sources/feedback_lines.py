"""The lines of a feedback segment, and the moment from which each line counts.

Sequence numbers order the lines of a server. Clocks cannot: a clock may step back, run ahead, or
start in 1970 without a battery. A line counts no earlier than the line before it, and no later than
the sealing of its segment. So the lines that count at a moment are the first n lines of a server.
The API answered from the same lines at that moment. `spark_apps/preparation/raw_ratings.py` applies
the same rules. All times are UTC seconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path

from marquee import clock

OPEN_SUFFIX = ".open.jsonl"
SEALED_SUFFIX = ".jsonl"
_NAME = re.compile(r"(?P<server>.+)-(?P<number>\d{6})(?P<kind>\.open\.jsonl|\.jsonl)")
TOPIC_PREFIX = "topic-"
"""Of the names of segments that came over a topic; their lines name their servers (`broker`)."""
FIRST_TRUSTED_TIME = int(clock.EARLIEST_CREDIBLE.timestamp())
"""UTC seconds. A clock that shows an earlier time was never set."""


@dataclass(frozen=True)
class Feedback:
    """One line: a person rates a title, or withdraws the rating (`rating` is None)."""

    person: str
    """`p-<name>`: an id of our own API, distinct from every id of a release."""
    movie_id: int | None
    """None withdraws all ratings that the person gave before, on every server."""
    rating: float | None
    time: int
    """UTC seconds by the server's clock."""
    seq: int | None = None
    """Ascends over all lines of a server; None in lines that older code wrote."""
    effective_time: int | None = None
    """UTC seconds from which the line counts; only published segments state it."""
    server: str | None = None
    """Who numbered the line, where it came over a topic; elsewhere the segment's name says it."""

    def to_json(self) -> str:
        """The line as JSON, without optional fields that are None."""
        always = ("movie_id", "rating")
        known = {k: v for k, v in asdict(self).items() if v is not None or k in always}
        return json.dumps(known) + "\n"


@dataclass(frozen=True)
class Segment:
    """The content of one segment's file."""

    lines: list[Feedback]
    torn_lines: int
    """The number of torn lines."""
    sealed_at: int | None
    """UTC seconds of the sealing; None for an open segment, and for one of older code."""

    def effective_times(self, after: int | None) -> list[int]:
        """The moment from which each line counts.

        `after`: the moment from which the line before this segment counts.
        """
        stamps = [line.time for line in self.lines]
        return stamps if self.sealed_at is None else effective_times(stamps, self.sealed_at, after)


@dataclass(frozen=True, order=True)
class SegmentName:
    """The fields of a segment's file name; names sort by server, then by number."""

    server: str
    number: int
    path: Path

    @property
    def is_open(self) -> bool:
        """Whether serving still appends to it."""
        return self.path.name.endswith(OPEN_SUFFIX)


def segment_names(folder: Path, server: str | None = None) -> list[SegmentName]:
    """The segments of a folder, of all servers or of one."""
    found = ((path, _NAME.fullmatch(path.name)) for path in folder.glob(f"*{SEALED_SUFFIX}"))
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
    """One line; None where it is torn. The API acknowledges no torn line."""
    try:
        value = json.loads(line)
        movie_id, rating, seq = value["movie_id"], value["rating"], value.get("seq")
        server = value.get("server")
        if movie_id is None and rating is not None:
            return None
        return Feedback(
            str(value["person"]),
            None if movie_id is None else int(movie_id),
            None if rating is None else float(rating),
            int(value["time"]),
            None if seq is None else int(seq),
            server=None if server is None else str(server),
        )
    except (ValueError, KeyError, TypeError, OverflowError):
        return None


def sealing_line(moment: int) -> str:
    """The last line of a sealed segment: every line above it was written before `moment`."""
    return json.dumps({"sealed": moment}) + "\n"


def timed_lines(segments: list[Segment]) -> list[list[tuple[Feedback, int]]]:
    """Each segment's lines with the moments they count from.

    `segments`: all segments of one server, oldest first.
    """
    after, found = None, []
    for segment in segments:
        times = segment.effective_times(after)
        after = ascending_times(times)[-1] if times else after
        found.append(list(zip(segment.lines, times, strict=True)))
    return found


def effective_times(stamps: Sequence[int], sealed: int, after: int | None = None) -> list[int]:
    """The moments from which the lines of a segment count, ascending.

    `stamps`: the clock's times; `sealed`: the moment of the sealing; `after`: the moment of the
    line before the segment. A stamp later than `sealed` becomes the next line's moment, or `sealed`
    after the last line. A stamp of an unset clock becomes the moment of the line before.
    """
    upper = sealed if sealed >= FIRST_TRUSTED_TIME else None
    known = list(stamps) if upper is None else _not_ahead(stamps, upper)
    if after is None or (upper is not None and after > upper):
        after = next((time for time in known if time >= FIRST_TRUSTED_TIME), min(known, default=0))
    if after >= FIRST_TRUSTED_TIME:
        known = [time if time >= FIRST_TRUSTED_TIME else after for time in known]
    return list(accumulate(known, max, initial=after))[1:]


def ascending_times(times: Sequence[int]) -> list[int]:
    """The times of all lines of one server, ascending: a line counts no later than the next.

    `times` may descend where a clock was ahead at a sealing, and in segments of older code.
    """
    bound, bounded = None, []
    for time in reversed(times):
        if time >= FIRST_TRUSTED_TIME:
            bound = time if bound is None else min(bound, time)
        bounded.append(time if bound is None else bound)
    return list(accumulate(reversed(bounded), max))


def _not_ahead(stamps: Sequence[int], upper: int) -> list[int]:
    """The stamps, where one later than `upper` becomes the next line's, or `upper`."""
    following, found = upper, []
    for stamp in reversed(stamps):
        time = following if stamp > upper else stamp
        following = time if time >= FIRST_TRUSTED_TIME else following
        found.append(time)
    return found[::-1]


def _sealing(data: bytes) -> int | None:
    """The moment in a sealing line; None for any other line."""
    try:
        value = json.loads(data)
        return int(value["sealed"]) if set(value) == {"sealed"} else None
    except (ValueError, TypeError):
        return None
