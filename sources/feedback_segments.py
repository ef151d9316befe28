"""Feedback on the serving host's disk and its way into the lake: appended, sealed, published.

Feedback is the ratings that people give through our own API. A folder holds segments, JSON lines of
the `feedback` contract (a null rating takes one back):

    local-000001.jsonl        sealed: no more writes; its last line is the moment of sealing
    local-000002.open.jsonl   serving appends here

Whoever appends or seals holds the folder's lock meanwhile, so that a sealed segment has every line
that was acknowledged before, and gets none after. The digest of its content names a published
segment: publishing it again changes nothing, and there is no cursor to lose.

The sequence number of a line (`seq`) decides which line of a person is the last; no clock does.
`time` keeps the clock's own stamp. Publishing adds the moment from which a line counts
(`feedback_lines`).
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from marquee.clock import seconds
from marquee.errors import AwayError, SourceError
from marquee.identifiers import digest_bytes
from marquee.lake import Lake
from sources.feedback_lines import (
    OPEN,
    SEALED,
    Feedback,
    Segment,
    ascending_times,
    parse_line,
    read_segment,
    sealing_line,
    segment_names,
    timed_lines,
)

TAIL = 1 << 16
"""Bytes at a segment's end that are searched first for its last line."""
SECONDS_BETWEEN = 0.02
"""Between two attempts at a lock that another process holds."""


def append_feedback(
    folder: Path, server: str, lines: Sequence[Feedback], seconds_to_wait: float | None = None
) -> None:
    """Number the lines and add them to the open segment; they are on the disk on return.

    Where this raises, the segment holds none of them: OSError where the disk refuses, AwayError
    where the folder stays locked for `seconds_to_wait` (None: for ever).
    """
    with _lock(folder, seconds_to_wait):
        path = folder / f"{server}-{_open_number(folder, server):06d}{OPEN}"
        first = _next_seq(folder, server)
        numbered = (replace(line, seq=first + place) for place, line in enumerate(lines))
        _append(path, "".join(line.to_json() for line in numbered))


def check_writable(folder: Path) -> None:
    """Raise what `append_feedback` would raise now; write no line and wait for nothing.

    OSError where the disk refuses, SourceError where the path is no folder, AwayError where it is
    locked.
    """
    with _lock(folder, 0.0), tempfile.TemporaryFile(dir=folder) as probe:
        os.write(probe.fileno(), bytes(4096))
        os.fsync(probe.fileno())


def read_feedback(folder: Path) -> Iterator[Feedback]:
    """The lines of all segments in order: of two lines about one title, the later one holds.

    One server's lines keep their own order; those of several are ordered by the moment they count
    from, then by the server's name. Torn lines are left out.
    """
    found: list[tuple[int, str, int, Feedback]] = []
    for server in sorted({name.server for name in segment_names(folder)}):
        segments = [read_segment(name.path) for name in segment_names(folder, server)]
        lines = [pair for pairs in timed_lines(segments) for pair in pairs]
        times = ascending_times([time for _, time in lines])
        found += [(time, server, n, lines[n][0]) for n, time in enumerate(times)]
    found.sort(key=lambda item: item[:3])
    return (line for *_, line in found)


def publish_feedback(lake: Lake, folder: Path, server: str) -> list[str]:
    """Seal the open segment and publish all sealed ones; returns their lake paths, oldest first.

    A server without feedback publishes nothing. Raises LakeError where the lake refuses.
    """
    seal_feedback(folder, server)
    names = [name for name in segment_names(folder, server) if not name.is_open]
    segments = [read_segment(name.path) for name in names]
    found = zip(names, segments, timed_lines(segments), strict=True)
    return [_publish(lake, n.path.stem, segment, pairs) for n, segment, pairs in found if pairs]


def seal_feedback(folder: Path, server: str) -> None:
    """Seal the open segment, if there is one; the next line then starts another."""
    if not folder.is_dir():
        return
    with _lock(folder):
        for name in segment_names(folder, server):
            if name.is_open:
                _append(name.path, sealing_line(int(seconds())))
                name.path.rename(folder / (name.path.name.removesuffix(OPEN) + SEALED))
        _sync_folder(folder)


def _publish(lake: Lake, name: str, segment: Segment, pairs: list[tuple[Feedback, int]]) -> str:
    """Publish one sealed segment; returns its lake path.

    A segment of earlier code, without a moment of sealing, is published without effective times, as
    it was then: so its name stays the same.
    """
    lines = segment.lines
    if segment.sealed is not None:
        lines = [replace(line, effective_time=time) for line, time in pairs]
    data = "".join(line.to_json() for line in lines).encode()
    path = f"raw/feedback/{name}-{digest_bytes(data)[:12]}"
    with tempfile.TemporaryDirectory(prefix="marquee-") as scratch:
        (Path(scratch) / "feedback.jsonl").write_bytes(data)
        lake.publish(
            Path(scratch),
            path,
            rows=len(lines),
            torn_lines=segment.torn,
            sealed_at=segment.sealed,
            last_time=max(time for _, time in pairs),
        )
    return path


def _append(path: Path, text: str) -> None:
    """Add whole lines; they are on the disk on return."""
    is_new = not path.exists()
    # A line torn by a crash must not swallow the next one.
    data = text.encode() if is_new or _ends_whole(path) else b"\n" + text.encode()
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.fstat(handle).st_size
        try:
            while data:
                data = data[os.write(handle, data) :]
            os.fsync(handle)
        except OSError:
            # A full disk may have taken some of the lines, which the API does not acknowledge.
            os.ftruncate(handle, size)
            raise
    finally:
        os.close(handle)
    if is_new:
        _sync_folder(path.parent)


def _next_seq(folder: Path, server: str) -> int:
    """One more than the last line's number.

    The first number is the clock's microseconds, so that a new folder goes on after a lost one.
    """
    for name in reversed(segment_names(folder, server)):
        if (line := _last_line(name.path)) is not None:
            return _first_seq() if line.seq is None else line.seq + 1
    return _first_seq()


def _first_seq() -> int:
    return max(1, int(seconds() * 1_000_000))


def _last_line(path: Path) -> Feedback | None:
    """The last whole line of a segment, searched from its end; None where there is none."""
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        for start in (max(0, size - TAIL), 0):
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
def _lock(folder: Path, seconds_to_wait: float | None = None) -> Iterator[None]:
    """Hold the folder's lock; the system releases it when the process dies."""
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
    """Lock the file; AwayError where another holds it for longer than `seconds_to_wait`."""
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
        time.sleep(SECONDS_BETWEEN)


def _sync_folder(folder: Path) -> None:
    """Make a new or renamed file's *name* durable too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
