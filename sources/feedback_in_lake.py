"""Feedback on its way between the lake and the hosts that serve (ADR 51).

A host publishes its sealed segments (`feedback_segments`) and fetches those of other hosts. A
published segment is named `<server>-<mark>-<number>-<digest>`. The mark belongs to the folder of
the segments: two hosts whose servers bear one name never mix, and neither does a host that has lost
its disk. The digest is that of the content, so publishing again changes nothing.
"""

from __future__ import annotations

import os
import re
import tempfile
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

from marquee.errors import LakeError, LakeUnavailableError
from marquee.identifiers import digest_bytes
from marquee.lake import Lake
from sources.feedback_lines import (
    SEALED_SUFFIX,
    Segment,
    read_segment,
    sealing_line,
    segment_names,
    timed_lines,
)
from sources.feedback_segments import (
    MARK_FILE,
    OTHERS,
    locked,
    read_mark,
    seal_feedback,
    sync_folder,
)

IN_LAKE = "raw/feedback"
FEEDBACK_FILE = "feedback.jsonl"
_LEAF = re.compile(r"(?P<server>.+)-(?P<number>\d{6})-[0-9a-f]{12}")


@dataclass(frozen=True)
class _Sealed:
    """A sealed segment with lines, as it is published."""

    number: int
    segment: Segment
    data: bytes
    last_time: int
    """The moment from which the last line counts."""

    def leaf(self, start: str) -> str:
        """Its name in the lake; `start` is the server with the mark."""
        return f"{start}-{self.number:06d}-{digest_bytes(self.data)[:12]}"


def publish_feedback(lake: Lake, folder: Path, server: str) -> list[str]:
    """Seal the open segment, publish what the lake lacks, return all lake paths, oldest first.

    Any number of processes may do this at once, and again after a kill at any point. Raises
    LakeError where the lake refuses. Nothing is sealed while it is away, or lacks an earlier
    segment: else each attempt at a full lake would end one.
    """
    found = _publish_sealed(lake, folder, server)
    return _publish_sealed(lake, folder, server) if seal_feedback(folder, server) else found


def fetch_feedback(lake: Lake, folder: Path, server: str) -> int:
    """Fetch the segments of other hosts that this one lacks; returns how many came.

    `read_feedback` reads them from then on. Raises the LakeError of the first damaged one, after
    the others have come.
    """
    ours, found, damaged = _own_name(folder, server), 0, list[LakeError]()
    for leaf in lake.names(IN_LAKE):
        name = _LEAF.fullmatch(leaf)
        if name is None or name["server"] == ours:
            continue
        path = folder / OTHERS / f"{name['server']}-{name['number']}{SEALED_SUFFIX}"
        if path.exists():
            continue
        try:
            _fetch(lake, leaf, path)
            found += 1
        except LakeUnavailableError:
            raise
        except LakeError as error:
            damaged.append(error)
    if damaged:
        raise damaged[0]
    return found


def origin(folder: Path, server: str) -> str:
    """The server's name with its folder's mark, as the lake knows it; "" while it is unknown.

    Where nothing has been sealed, no older code has published, and a mark is chosen. Else the first
    hand-over to the lake finds out.
    """
    if not (folder / MARK_FILE).exists():
        if any(not name.is_open for name in segment_names(folder, server)):
            return ""
        _mark(folder, is_older=False)
    return server + read_mark(folder)


def _publish_sealed(lake: Lake, folder: Path, server: str) -> list[str]:
    taken, sealed = set(lake.names(IN_LAKE)), _sealed(folder, server)
    if not sealed:
        return []
    start = server + _mark(folder, any(one.leaf(server) in taken for one in sealed))
    for one in sealed:
        if one.leaf(start) not in taken:
            _publish(lake, f"{IN_LAKE}/{one.leaf(start)}", one)
    return [f"{IN_LAKE}/{one.leaf(start)}" for one in sealed]


def _sealed(folder: Path, server: str) -> list[_Sealed]:
    names = [name for name in segment_names(folder, server) if not name.is_open]
    segments = [read_segment(name.path) for name in names]
    found = zip(names, segments, timed_lines(segments), strict=True)
    return [
        _Sealed(name.number, segment, _bytes(segment, times), max(times))
        for name, segment, pairs in found
        if (times := [time for _, time in pairs])
    ]


def _bytes(segment: Segment, times: list[int]) -> bytes:
    """The lines in the lake, with the moments from which they count.

    A segment of older code states no moment of sealing. It is published without them, so that its
    digest, and with it its path, stays the same.
    """
    lines = segment.lines
    if segment.sealed_at is not None:
        pairs = zip(lines, times, strict=True)
        lines = [replace(line, effective_time=time) for line, time in pairs]
    return "".join(line.to_json() for line in lines).encode()


def _publish(lake: Lake, path: str, one: _Sealed) -> None:
    with tempfile.TemporaryDirectory(prefix="marquee-") as scratch:
        (Path(scratch) / FEEDBACK_FILE).write_bytes(one.data)
        lake.publish(
            Path(scratch),
            path,
            rows=len(one.segment.lines),
            torn_lines=one.segment.torn_lines,
            sealed_at=one.segment.sealed_at,
            last_time=one.last_time,
        )


def _fetch(lake: Lake, leaf: str, path: Path) -> None:
    """Write one segment as its host holds it: its lines, then the moment of sealing."""
    with tempfile.TemporaryDirectory(prefix="marquee-") as scratch:
        data = (lake.fetch(f"{IN_LAKE}/{leaf}", Path(scratch)) / FEEDBACK_FILE).read_bytes()
    sealed_at = lake.manifest(f"{IN_LAKE}/{leaf}").facts.get("sealed_at")
    end = b"" if sealed_at is None else sealing_line(int(sealed_at)).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, data + end)


def _mark(folder: Path, is_older: bool) -> str:
    """The folder's mark, which the first publisher chooses; it is durable on return."""
    with locked(folder):
        if not (folder / MARK_FILE).exists():
            write_durably(folder / MARK_FILE, _new_mark(is_older))
    return read_mark(folder)


def _new_mark(is_older: bool) -> bytes:
    return b"" if is_older else f"-{uuid.uuid4().hex[:8]}".encode()


def _own_name(folder: Path, server: str) -> str:
    """The name of this folder's segments in the lake; "" where it has none.

    Older code published without a mark, so `server` alone may be another host, or this one before
    it lost its disk.
    """
    has_any = (folder / MARK_FILE).exists() or segment_names(folder, server)
    return server + read_mark(folder) if has_any else ""


def write_durably(path: Path, data: bytes) -> None:
    """Write a small file, whole or not at all, and durably."""
    part = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        with part.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        part.rename(path)
    except OSError:
        part.unlink(missing_ok=True)  # a full disk would gather one at each attempt
        raise
    sync_folder(path.parent)
