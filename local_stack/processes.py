"""Find the processes of this repository's stacks in the machine's process table.

Commands and `Stack` call it. A running stack is found by its supervisord, whose environment names
the state folder, the ports and the lake. So a command finds it from any terminal. Other processes
of a stack may outlive their supervisord. They are found by their environment, or by their process
group or session, because Airflow's workers overwrite their environment.
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
SETTINGS_PREFIX = "MARQUEE_"


@dataclass(frozen=True)
class RunningStack:
    """A stack whose supervisord is alive; `environment` has its variables named `MARQUEE_…`."""

    state: Path
    pid: int
    environment: dict[str, str] = field(hash=False, repr=False)

    @property
    def world(self) -> str:
        """The name of the stack's world."""
        return self.environment.get("MARQUEE_WORLD", self.state.name)

    def __str__(self) -> str:
        return f"'{self.world}' ({self.state})"


def running_stacks() -> list[RunningStack]:
    """All running stacks of this repository and user, sorted by state folder."""
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
        ours = {
            name: value for name, value in environment.items() if name.startswith(SETTINGS_PREFIX)
        }
        state = Path(environment["STATE"])
        # A new child of supervisord has the same command line until it starts its own program.
        if state not in found or process.pid < found[state].pid:
            found[state] = RunningStack(state, process.pid, ours)
    return [found[state] for state in sorted(found)]


def is_alive(process: psutil.Process) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def stack_processes(state: Path) -> list[psutil.Process]:
    """All processes of the stack of `state`, supervisord included.

    These are the processes with this STATE in their environment, those in the process group or
    session of a process that supervisord started, and all their descendants. The caller and its
    ancestors are left out.
    """
    groups, caller = _groups(state), {os.getpid(), *(p.pid for p in psutil.Process().parents())}
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        if process.pid in caller or not is_alive(process):
            continue
        if _has_state(process, state) or _is_in_group(process, state, groups):
            for each in [process, *_children(process)]:
                if each.pid not in caller:
                    found[each.pid] = each
    return list(found.values())


def end_stack_processes(state: Path) -> int:
    """End all processes of the stack of `state`, by TERM, then by KILL; returns their number."""
    found = stack_processes(state)
    for how in ("terminate", "kill"):
        alive = [process for process in found if is_alive(process)]
        for process in alive:
            _signal(process, how)
        psutil.wait_procs(alive, timeout=SECONDS_TO_END)
    return len(found)


def memory_mb(pids: Iterable[int]) -> float:
    """Memory (proportional set size) of processes and all their descendants, in MB (Linux only)."""
    total = 0
    for pid in pids:
        try:
            family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
        total += sum(_pss(p.pid) for p in family)
    return total / 1024


def _groups(state: Path) -> set[int]:
    """Ids of the process groups and sessions of this state, from the log of its supervisord."""
    logs = sorted((state / "logs").glob("supervisord.log*"))
    line = r"(?:spawned: '\S+'|supervisord started) with pid (\d+)"
    return {int(pid) for p in logs for pid in re.findall(line, p.read_text("utf-8", "replace"))}


def _is_in_group(process: psutil.Process, state: Path, groups: set[int]) -> bool:
    """Whether the process is in one of the groups or sessions, and works in this repository.

    The second condition is needed because the system uses the ids of ended groups again.
    """
    try:
        if {os.getpgid(process.pid), os.getsid(process.pid)}.isdisjoint(groups):
            return False
        another = process.environ().get("STATE") or str(state)
        return Path(process.cwd()) == REPOSITORY and another == str(state)
    except (psutil.Error, OSError):
        return False


def _has_state(process: psutil.Process, state: Path) -> bool:
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
