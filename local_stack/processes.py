"""The stacks of this repository, as the machine's process table shows them.

A stack is found by its supervisord, from any terminal, whatever that terminal's settings say: the
environment of supervisord names its state folder, its ports and its lake. A leftover is a process
that outlived its supervisord. It is found by its environment, or by its process group or session,
because Airflow's workers write over their environment. Commands and `Stack` ask this module.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from marquee.settings import REPOSITORY

SECONDS_TO_END = 10
SUPERVISORD = "supervisor.supervisord"
PREFIX = "MARQUEE_"


@dataclass(frozen=True)
class RunningStack:
    """A stack whose supervisord lives: its state folder, and the settings of its processes."""

    state: Path
    pid: int
    environment: dict[str, str] = field(hash=False, repr=False)

    @property
    def world(self) -> str:
        """The world it serves."""
        return self.environment.get("MARQUEE_WORLD", self.state.name)

    def __str__(self) -> str:
        return f"'{self.world}' ({self.state})"


def running_stacks() -> list[RunningStack]:
    """Every running stack of this repository and user, sorted by state folder."""
    found: dict[Path, RunningStack] = {}
    for process in psutil.process_iter():
        try:
            if SUPERVISORD not in process.cmdline() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            environment = process.environ()
        except (psutil.Error, OSError):
            continue
        if not environment.get("STATE") or environment.get("PYTHONPATH") != str(REPOSITORY):
            continue
        ours = {name: value for name, value in environment.items() if name.startswith(PREFIX)}
        state = Path(environment["STATE"])
        # A child of supervisord looks like supervisord until it runs its own program.
        if state not in found or process.pid < found[state].pid:
            found[state] = RunningStack(state, process.pid, ours)
    return [found[state] for state in sorted(found)]


def is_alive(process: psutil.Process) -> bool:
    """Whether it still runs; a zombie has ended, even before its parent has noticed."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def leftovers(state: Path) -> list[psutil.Process]:
    """Every process that belongs to the stack of `state`, its supervisord too.

    A process belongs to it that has this STATE in its environment, or is in the process group or
    session of a process that a supervisord started here, and so do all its descendants. The
    caller and its ancestors are never among them.
    """
    numbers, caller = _numbers(state), {os.getpid(), *(p.pid for p in psutil.Process().parents())}
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        if process.pid in caller or not is_alive(process):
            continue
        if _carries(process, state) or _belongs(process, state, numbers):
            for each in [process, *_children(process)]:
                if each.pid not in caller:
                    found[each.pid] = each
    return list(found.values())


def end_leftovers(state: Path) -> int:
    """End every leftover of `state`, by TERM and then by KILL; how many there were."""
    found = leftovers(state)
    for how in ("terminate", "kill"):
        alive = [process for process in found if is_alive(process)]
        for process in alive:
            _signal(process, how)
        psutil.wait_procs(alive, timeout=SECONDS_TO_END)
    return len(found)


def resident_mb(pids: Iterable[int]) -> float:
    """Proportional set size of these processes and all their descendants, in MB (Linux)."""
    total = 0
    for pid in pids:
        try:
            family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
        total += sum(_pss(p.pid) for p in family)
    return total / 1024


def _numbers(state: Path) -> set[int]:
    """Process groups and sessions of this state, from the log of its supervisord."""
    logs = sorted((state / "logs").glob("supervisord.log*"))
    line = r"(?:spawned: '\S+'|supervisord started) with pid (\d+)"
    return {int(pid) for p in logs for pid in re.findall(line, p.read_text("utf-8", "replace"))}


def _belongs(process: psutil.Process, state: Path, numbers: set[int]) -> bool:
    """In a group or session of this state, and working here: the system reuses numbers."""
    try:
        if {os.getpgid(process.pid), os.getsid(process.pid)}.isdisjoint(numbers):
            return False
        another = process.environ().get("STATE") or str(state)
        return Path(process.cwd()) == REPOSITORY and another == str(state)
    except (psutil.Error, OSError):
        return False


def _carries(process: psutil.Process, state: Path) -> bool:
    try:
        return bool(process.environ().get("STATE") == str(state))
    except (psutil.Error, OSError):
        return False


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.Error:
        return []


def _signal(process: psutil.Process, how: str) -> None:
    try:
        getattr(process, how)()
    except psutil.Error:
        return


def _pss(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except (OSError, ValueError):
        pass
    return 0
