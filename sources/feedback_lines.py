"""What a segment of feedback holds: its lines, and when it was sealed."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from sources.feedback_time import effective_times, in_order

OPEN = ".open.jsonl"
SEALED = ".jsonl"
_NAME = re.compile(r"(?P<server>.+)-(?P<number>\d{6})(?P<kind>\.open\.jsonl|\.jsonl)")


@dataclass(frozen=True)
class Feedback:
    """One line: what a person said of a title, or that they take it back (None)."""

    person: str
    """`p-<name>`: people of our API have an id space of their own."""
    movie_id: int | None
    """None where the person takes back all they have said until now, to whichever server."""
    rating: float | None
    time: int
    """UTC seconds, as the server's clock said."""
    seq: int | None = None
    """Ascends over all lines of a server; None in lines written before there were numbers."""
    effective_time: int | None = None
    """UTC seconds from which the line counts; only in published segments."""

    def to_json(self) -> str:
        """The line as its file holds it; what is not known is not named."""
        always = ("movie_id", "rating")
        known = {k: v for k, v in asdict(self).items() if v is not None or k in always}
        return json.dumps(known) + "\n"


@dataclass(frozen=True)
class Segment:
    """What one segment's file holds."""

    lines: list[Feedback]
    torn: int
    sealed: int | None
    """UTC seconds of its sealing; None while it is open, or where none was kept."""

    def effective_times(self, after: int | None) -> list[int]:
        """When each line counts from; `after` is when the line before the segment does."""
        stamps = [line.time for line in self.lines]
        return stamps if self.sealed is None else effective_times(stamps, self.sealed, after)


@dataclass(frozen=True, order=True)
class SegmentName:
    """A segment's file name, taken apart; ordered by server, then as written."""

    server: str
    number: int
    path: Path

    @property
    def is_open(self) -> bool:
        """Whether serving still appends to it."""
        return self.path.name.endswith(OPEN)


def segment_names(folder: Path, server: str | None = None) -> list[SegmentName]:
    """All segments of a folder, or one server's."""
    found = ((path, _NAME.fullmatch(path.name)) for path in folder.glob(f"*{SEALED}"))
    names = (SegmentName(m["server"], int(m["number"]), path) for path, m in found if m)
    return sorted(name for name in names if server is None or name.server == server)


def read_segment(path: Path) -> Segment:
    """A segment's lines, how many are torn, and when it was sealed."""
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
    """One line, or None where it is torn: such a line was never acknowledged."""
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
    """The last line of a sealed segment: no line above it was said later (UTC seconds)."""
    return json.dumps({"sealed": moment}) + "\n"


def timed_lines(segments: list[Segment]) -> list[list[tuple[Feedback, int]]]:
    """The lines of each of a server's segments, oldest first, with when they count from."""
    after, found = None, []
    for segment in segments:
        times = segment.effective_times(after)
        after = in_order(times)[-1] if times else after
        found.append(list(zip(segment.lines, times, strict=True)))
    return found


def _sealing(data: bytes) -> int | None:
    """The moment a segment's last line says it was sealed; None for any other line."""
    try:
        value = json.loads(data)
        return int(value["sealed"]) if set(value) == {"sealed"} else None
    except (ValueError, TypeError):
        return None
