"""Append feedback to segments on the serving host, and seal the segments.

Feedback is the ratings that people give through our own API. A folder holds segments: files of JSON
lines of the `feedback` contract. A null rating withdraws a rating.

    local-000001.jsonl        sealed: no more writes; its last line is the moment of sealing
    local-000002.open.jsonl   serving appends here

Appending and sealing hold the folder's lock. So a sealed segment holds every line that was
acknowledged before the sealing, and never gets another. `feedback_in_lake` brings sealed segments
to the lake.

The sequence number (`seq`) decides which line of a person is the last. `time` is the clock's stamp.
Publishing adds `effective_time`, the moment from which a line counts (`feedback_lines`).
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from marquee.clock import seconds
from marquee.errors import AwayError, SourceError
from sources.feedback_lines import (
    OPEN_SUFFIX,
    SEALED_SUFFIX,
    Feedback,
    ascending_times,
    parse_line,
    read_segment,
    sealing_line,
    segment_names,
    timed_lines,
)

OTHERS = "others"
"""The folder below, with the sealed segments that `feedback_in_lake` has fetched of other hosts."""
MARK_FILE = "mark"
"""Beside the segments. It is empty where older code has published segments of that folder."""
TAIL_BYTES = 1 << 16
"""Bytes at a segment's end that are searched first for its last line."""
SECONDS_BETWEEN_ATTEMPTS = 0.02
"""Seconds between two attempts at a lock that another process holds."""


def append_feedback(
    folder: Path, server: str, lines: Sequence[Feedback], seconds_to_wait: float | None = None
) -> None:
    """Number the lines and add them to the open segment; they are durable on return.

    Raises OSError where the disk refuses, AwayError where the folder stays locked for
    `seconds_to_wait` (None waits for ever). After an error the segment holds none of the lines.
    """
    with locked(folder, seconds_to_wait):
        path = folder / f"{server}-{_open_number(folder, server):06d}{OPEN_SUFFIX}"
        first = _next_seq(folder, server)
        numbered = (replace(line, seq=first + place) for place, line in enumerate(lines))
        _append(path, "".join(line.to_json() for line in numbered))


def check_writable(folder: Path) -> None:
    """Test, without writing a line or waiting, whether `append_feedback` can write.

    Raises OSError where the disk refuses, SourceError where the path is no folder, AwayError where
    the folder is locked.
    """
    with locked(folder, 0.0), tempfile.TemporaryFile(dir=folder) as probe:
        os.write(probe.fileno(), bytes(4096))
        os.fsync(probe.fileno())


def read_feedback(folder: Path) -> Iterator[Feedback]:
    """The whole lines of all segments, of other hosts too; a later line replaces an earlier one.

    Lines of one server keep their order. Lines of several servers are ordered by the moment from
    which they count, then by the server's name. A line that came twice, in a segment and over a
    topic, is returned once.
    """
    found: list[tuple[int, str, int, Feedback]] = []
    for server, pairs in _pairs_by_server(folder).items():
        lines = _each_once(pairs)
        times = ascending_times([time for _, time in lines])
        found += [(time, server, n, lines[n][0]) for n, time in enumerate(times)]
    found.sort(key=lambda item: item[:3])
    return (line for *_, line in found)


def _pairs_by_server(folder: Path) -> dict[str, list[tuple[Feedback, int]]]:
    """By server, its lines and the moments from which they count; those of a topic come last."""
    found: dict[str, list[tuple[Feedback, int]]] = {}
    over_topic: list[tuple[Feedback, int]] = []
    names = [*segment_names(folder), *segment_names(folder / OTHERS)]
    for (parent, server), group in groupby(names, lambda name: (name.path.parent, name.server)):
        segments = [read_segment(name.path) for name in group]
        known = server + read_mark(folder) if parent == folder else server
        for pair in (pair for pairs in timed_lines(segments) for pair in pairs):
            (found.setdefault(known, []) if pair[0].server is None else over_topic).append(pair)
    for pair in over_topic:
        found.setdefault(str(pair[0].server), []).append(pair)
    return found


def _each_once(pairs: list[tuple[Feedback, int]]) -> list[tuple[Feedback, int]]:
    """The lines of one server by their numbers; of several with one number the first."""
    if all(line.server is None for line, _ in pairs):
        return pairs
    first: dict[int, tuple[Feedback, int]] = {}
    for pair in pairs:
        if pair[0].seq is not None:
            first.setdefault(pair[0].seq, pair)
    unnumbered = [pair for pair in pairs if pair[0].seq is None]
    return [*unnumbered, *(first[seq] for seq in sorted(first))]


def read_mark(folder: Path) -> str:
    """The mark of a folder of segments; "" where it has none (`feedback_in_lake`)."""
    path = folder / MARK_FILE
    return path.read_text(encoding="ascii") if path.exists() else ""


def seal_feedback(folder: Path, server: str) -> bool:
    """Seal the open segment, and return whether there was one; the next line starts a new one."""
    if not folder.is_dir():
        return False
    with locked(folder):
        found = [name.path for name in segment_names(folder, server) if name.is_open]
        for path in found:
            _append(path, sealing_line(int(seconds())))
            path.rename(folder / (path.name.removesuffix(OPEN_SUFFIX) + SEALED_SUFFIX))
        sync_folder(folder)
    return bool(found)


def _append(path: Path, text: str) -> None:
    """Add whole lines; they are durable on return."""
    is_new = not path.exists()
    # After a line that a crash cut off, a line break keeps the next line whole.
    data = text.encode() if is_new or _ends_whole(path) else b"\n" + text.encode()
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.fstat(handle).st_size
        try:
            while data:
                data = data[os.write(handle, data) :]
            os.fsync(handle)
        except OSError:
            # A full disk may have written some of the lines; the API acknowledges none of them.
            os.ftruncate(handle, size)
            raise
    finally:
        os.close(handle)
    if is_new:
        sync_folder(path.parent)


def _next_seq(folder: Path, server: str) -> int:
    """One more than the last line's number.

    A new folder starts at the clock's microseconds, above every number of a folder that was lost.
    """
    for name in reversed(segment_names(folder, server)):
        if (line := _last_line(name.path)) is not None:
            return _first_seq() if line.seq is None else line.seq + 1
    return _first_seq()


def _first_seq() -> int:
    return max(1, int(seconds() * 1_000_000))


def _last_line(path: Path) -> Feedback | None:
    """The last whole line of a segment, searched from its end; None without any."""
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        for start in (max(0, size - TAIL_BYTES), 0):
            stream.seek(start)
            for data in reversed(stream.read().splitlines()):
                if (line := parse_line(data)) is not None:
                    return line
    return None


def _open_number(folder: Path, server: str) -> int:
    """The number of the open segment, or of the next one."""
    names = segment_names(folder, server)
    if not names:
        return 1
    return names[-1].number + (0 if names[-1].is_open else 1)


def _ends_whole(path: Path) -> bool:
    size = path.stat().st_size
    if size == 0:
        return True
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"


@contextmanager
def locked(folder: Path, seconds_to_wait: float | None = None) -> Iterator[None]:
    """Hold the folder's lock; the system releases the lock when the process dies."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise SourceError(
            f"feedback cannot be kept in {folder}: {error.strerror}",
            "give --feedback a folder that can be written",
        ) from None
    try:
        _take(handle, folder, seconds_to_wait)
        yield
    finally:
        os.close(handle)


def _take(handle: int, folder: Path, seconds_to_wait: float | None) -> None:
    """Lock the file; AwayError where another process holds it longer than `seconds_to_wait`."""
    if seconds_to_wait is None:
        fcntl.flock(handle, fcntl.LOCK_EX)
        return
    until = time.monotonic() + seconds_to_wait
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise AwayError(
                    f"{folder} stays locked by another process",
                    "look whether a load_feedback hangs, then try again",
                ) from None
        time.sleep(SECONDS_BETWEEN_ATTEMPTS)


def sync_folder(folder: Path) -> None:
    """Make the name of a new or renamed file durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
