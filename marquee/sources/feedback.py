"""Feedback: ratings given through our own API, from the serving host's disk into the lake.

A folder holds segments, JSON lines of the `feedback` contract (a null rating takes one back):

    local-000001.jsonl        sealed: never written again
    local-000002.open.jsonl   serving appends here

Whoever appends or seals holds the folder's lock for that moment, so no acknowledged line is ever
left out of a sealed segment or added to one. A segment is published under the digest of its
content: publishing twice is a no-op, and there is no cursor to lose.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from marquee.digest import digest_bytes
from marquee.errors import SourceError
from marquee.lake import Lake

OPEN = ".open.jsonl"
SEALED = ".jsonl"
_SEGMENT = re.compile(r"(?P<server>.+)-(?P<seq>\d{6})(?P<kind>\.open\.jsonl|\.jsonl)")


@dataclass(frozen=True)
class Feedback:
    """One line: what a person said of a title, or that they take it back (None)."""

    person: str
    """`p-<name>`: people of our API have an id space of their own."""
    movie_id: int
    rating: float | None
    time: int
    """UTC seconds."""


def append_feedback(folder: Path, server: str, lines: Sequence[Feedback]) -> None:
    """Add lines to the open segment; they are on the disk when this returns."""
    data = "".join(json.dumps(asdict(line)) + "\n" for line in lines).encode()
    with _lock(folder):
        path = folder / f"{server}-{_sequence(folder, server):06d}{OPEN}"
        is_new = not path.exists()
        with path.open("ab") as stream:
            # A line torn by a crash must not swallow the next one.
            stream.write(data if _ends_whole(path) else b"\n" + data)
            stream.flush()
            os.fsync(stream.fileno())
        if is_new:
            _sync_folder(folder)


def read_feedback(folder: Path) -> Iterator[Feedback]:
    """Every line of every segment, oldest segment first; torn lines are passed over."""
    for path in _segments(folder):
        for line in path.read_bytes().splitlines():
            if (found := parse_line(line)) is not None:
                yield found


def parse_line(line: bytes) -> Feedback | None:
    """One line, or None where it is torn: such a line was never acknowledged."""
    try:
        value = json.loads(line)
        rating = value["rating"]
        return Feedback(
            str(value["person"]),
            int(value["movie_id"]),
            None if rating is None else float(rating),
            int(value["time"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def publish_feedback(lake: Lake, folder: Path, server: str) -> list[str]:
    """Seal what is open and publish every sealed segment; their lake paths, oldest first.

    A server that has heard nothing publishes nothing. Raises LakeError where the lake refuses.
    """
    seal_feedback(folder, server)
    sealed = [p for p in _segments(folder) if not p.name.endswith(OPEN) and _is_of(p, server)]
    return [path for segment in sealed if (path := _publish(lake, segment))]


def seal_feedback(folder: Path, server: str) -> None:
    """Close the open segment, if there is one: the next line starts another."""
    if not folder.is_dir():
        return
    with _lock(folder):
        for path in _segments(folder):
            if path.name.endswith(OPEN) and _is_of(path, server):
                path.rename(path.with_name(path.name.removesuffix(OPEN) + SEALED))
        _sync_folder(folder)


def _publish(lake: Lake, segment: Path) -> str:
    """The lake path of one sealed segment; empty where it holds no whole line."""
    lines = segment.read_bytes().splitlines()
    whole = [found for line in lines if (found := parse_line(line)) is not None]
    if not whole:
        return ""
    data = "".join(json.dumps(asdict(line)) + "\n" for line in whole).encode()
    path = f"raw/feedback/{segment.name.removesuffix(SEALED)}-{digest_bytes(data)[:12]}"
    facts: dict[str, Any] = {"torn_lines": sum(bool(line.strip()) for line in lines) - len(whole)}
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "feedback.jsonl").write_bytes(data)
        lake.publish(Path(scratch), path, rows=len(whole), **facts)
    return path


def _segments(folder: Path) -> list[Path]:
    """All segments, in the order they were written (of one server)."""
    return sorted(p for p in folder.glob(f"*{SEALED}") if _SEGMENT.fullmatch(p.name))


def _is_of(path: Path, server: str) -> bool:
    match = _SEGMENT.fullmatch(path.name)
    return match is not None and match["server"] == server


def _sequence(folder: Path, server: str) -> int:
    """The number of the segment that is open, or of the next one."""
    found = [_SEGMENT.fullmatch(p.name) for p in _segments(folder) if _is_of(p, server)]
    numbers = [(int(m["seq"]), m["kind"] == OPEN) for m in found if m]
    last, is_open = max(numbers, default=(0, False))
    return last if is_open else last + 1


def _ends_whole(path: Path) -> bool:
    size = path.stat().st_size
    if size == 0:
        return True
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the system lets go of it when the process dies."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise SourceError(
            f"feedback cannot be kept in {folder}: {error.strerror}",
            "give --feedback a folder that can be written",
        ) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    """Make a new or renamed file's *name* durable too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
