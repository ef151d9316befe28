"""Names that go into paths: moments, runs, people."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from math import inf

from marquee.errors import LakeError, SourceError

_MOMENT = re.compile(
    r"\d{4}(-\d{2}-\d{2}|\d{4}|-?W\d{2}-?\d)"  # a day, by month or by week
    r"([T ]\d{2}(:?\d{2}(:?\d{2}([.,]\d+)?)?)?(Z|[+-]\d{2}(:?\d{2}(:?\d{2})?)?)?)?",
    re.ASCII | re.IGNORECASE,
)
LONGEST_STEP, LONGEST_PATH = 255, 3_000
"""Bytes of UTF-8: what Linux and HDFS hold, with room for the folder the path is relative to."""


def compact(moment: datetime) -> str:
    """A UTC moment as paths spell it: `20260104T030000Z`."""
    return iso(moment).replace("-", "").replace(":", "")


def iso(moment: datetime) -> str:
    """A UTC moment as documents spell it: `2026-01-04T03:00:00Z`."""
    # Not strftime, which on Linux writes the year 33 with two digits.
    return whole(moment).replace(tzinfo=None).isoformat() + "Z"


def whole(moment: datetime) -> datetime:
    """A moment in UTC, cut to the second: what is left once it is written down."""
    return moment.astimezone(UTC).replace(microsecond=0)


def parse_moment(text: str) -> datetime:
    """Read either spelling, or any ISO 8601 with a zone; without one it is taken as UTC.

    A day means its first second. Raises SourceError for what is no moment, also for a leap second
    (`:60`) and for one that lies before the year 1 or after 9999 in UTC.
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


def run_slug(run_id: str) -> str:
    """A run id made safe for a path: a slug and eight characters of its hash.

    Never starts with `_` or `.`, holds no `%`, `:` or `+` (HDFS refuses them, Spark unescapes).
    """
    slug = re.sub(r"[^A-Za-z0-9]+", "-", run_id).strip("-").lower()[:60] or "run"
    return f"{slug}-{hashlib.sha256(run_id.encode()).hexdigest()[:8]}"


def run_name(text: str) -> str:
    """A run's name as its folder bears it (`run_slug` makes such); SourceError where it is none."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,99}", text):
        raise SourceError(
            f"{_short(text)} is not the name of a run",
            "name it as its folder below runs/ in the lake: a to z, digits, hyphens; at most 100",
        )
    return text


def inside(path: str, what: str = "a path") -> str:
    """The path, where it stays in the folder it is relative to; LakeError where it may not.

    It is `/`-separated, normalised, neither empty nor absolute, and short enough for a file system.
    """
    steps = path.split("/")
    if {"", ".", ".."}.intersection(steps) or re.search(r"[\\\x00-\x1f\x7f]", path):
        raise LakeError(
            f"{what} {_short(path)} does not name a place inside its folder",
            "names are relative, without '..', empty steps, backslashes or control characters",
        )
    refuse_long(path, what)
    return path


def refuse_long(path: str, what: str) -> None:
    """LakeError where no file system bears the path."""
    if _bytes(path) > LONGEST_PATH or max(map(_bytes, path.split("/"))) > LONGEST_STEP:
        raise LakeError(
            f"{what} {_short(path)} is no name a file can bear",
            f"a name is at most {LONGEST_STEP} bytes of UTF-8 long, a path {LONGEST_PATH}",
        )


def _bytes(name: str) -> float:
    """Length in UTF-8; infinite where a name, by half a surrogate pair, has none."""
    try:
        return len(name.encode())
    except UnicodeEncodeError:
        return inf


def _short(name: str) -> str:
    """A name as a sentence shows it."""
    return repr(name if len(name) <= 100 else f"{name[:100]}…")


def person_id(name: str) -> int:
    """The user id of a person of our own API: negative, so never one of MovieLens'.

    The first 62 bits of the name's sha256: two of a million people share one with a
    probability of about 1e-7.
    """
    return -1 - (int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 2)


def text_id(text: str) -> int:
    """The number of a person or title that its release names by text: never negative.

    The first 53 bits of the text's sha256, so that a browser's numbers hold it whole. Two of
    100,000 names share one with a probability of about 5e-7; prepare_ratings looks and refuses.
    """
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 11
