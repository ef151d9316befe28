"""The control groups that limit the hosts' memory: of version 1, or of version 2."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from marquee.errors import StackError

SYS = Path("/sys/fs/cgroup")
MEGABYTE = 2**20


@dataclass(frozen=True)
class MemoryGroups:
    """Where groups are made, and how their version calls what is set and read."""

    root: Path
    limit: str
    peak: str
    events: str
    own: tuple[str, ...]
    """Lines of memory.stat that make up what processes hold without files' pages, in bytes."""

    def make(self, name: str) -> None:
        """Make a group, or find it made."""
        (self.root / name).mkdir(exist_ok=True)

    def set_limit(self, name: str, megabytes: int) -> None:
        """Limit a group; one that uses more at this moment is refused, or shrunk by the kernel."""
        (self.root / name / self.limit).write_text(str(megabytes * MEGABYTE))

    def peak_mb(self, name: str) -> float:
        """The most that the group has used, page cache included, in megabytes of 2^20 bytes.

        Before Linux 5.19, version 2 keeps no peak: then what it uses now.
        """
        folder = self.root / name
        peak = folder / self.peak
        found = peak if peak.is_file() else folder / "memory.current"
        return int(found.read_text()) / MEGABYTE

    def own_mb(self, name: str) -> float:
        """What the group's processes hold now without the pages of files, in megabytes."""
        found = _numbers(self.root / name / "memory.stat")
        return sum(found[key] for key in self.own) / MEGABYTE

    def killed(self, name: str) -> int:
        """How many of the group's processes the kernel has killed for want of memory."""
        return _numbers(self.root / name / self.events)["oom_kill"]

    def processes(self, name: str) -> list[int]:
        """Ids of the group's processes."""
        return [int(pid) for pid in (self.root / name / "cgroup.procs").read_text().split()]


def memory_groups(sys: Path = SYS) -> MemoryGroups:
    """The machine's memory groups; StackError, which says why, where none can be made.

    A machine with both versions has its memory in one of them: version 1 is looked at first.
    """
    first = sys / "memory"
    if os.access(first / "memory.limit_in_bytes", os.W_OK):
        own = ("total_rss", "total_shmem")
        names = ("memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control")
        return MemoryGroups(first, *names, own)
    if "memory" not in _words(sys / "cgroup.controllers"):
        raise StackError(f"{sys} has no writable memory group, neither of version 1 nor of 2")
    _pass_on(sys)
    return MemoryGroups(sys, "memory.max", "memory.peak", "memory.events", ("anon", "shmem"))


def _pass_on(root: Path) -> None:
    """Version 2: let groups below the root have limits of memory."""
    control = root / "cgroup.subtree_control"
    if "memory" in _words(control) and os.access(root, os.W_OK):
        return
    try:
        control.write_text("+memory")
    except OSError as error:
        raise StackError(
            f"{root} is a cgroup of version 2 that gives no memory limits: {error.strerror}"
        ) from None


def _numbers(path: Path) -> dict[str, int]:
    """Lines of a name and a number."""
    return {key: int(value) for key, value in map(str.split, path.read_text().splitlines())}


def _words(path: Path) -> Iterable[str]:
    try:
        return path.read_text().split()
    except OSError:
        return ()
