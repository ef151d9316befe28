"""Processes that outlived their keeper.

A scheduler killed with -9 leaves its idle workers behind, a keeper killed so leaves everything.
Whoever carries this world's STATE in its environment, or belongs to the group of a process that
the keeper once started here (Airflow's workers write over their environment), is ours to end.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import psutil

from marquee.settings import REPOSITORY

SECONDS_TO_END = 10


def end_leftovers(state: Path) -> int:
    """Ask every leftover of `state` to end, then make it; how many there were."""
    groups = _groups(state)
    left = [p for p in psutil.process_iter() if _carries(p, state) or _belongs(p, groups)]
    for process in left:
        _signal(process, "terminate")
    _, stubborn = psutil.wait_procs(left, timeout=SECONDS_TO_END)
    for process in stubborn:
        _signal(process, "kill")
    psutil.wait_procs(stubborn, timeout=SECONDS_TO_END)
    return len(left)


def _groups(state: Path) -> set[int]:
    """Process groups of everything the keeper started: it gives each process its own."""
    logs = sorted((state / "logs").glob("supervisord.log*"))
    found = (re.findall(r"spawned: '\S+' with pid (\d+)", p.read_text("utf-8")) for p in logs)
    return {int(pid) for pids in found for pid in pids}


def _belongs(process: psutil.Process, groups: set[int]) -> bool:
    """In one of the groups, and working here: a number may have been given anew since."""
    try:
        return os.getpgid(process.pid) in groups and Path(process.cwd()) == REPOSITORY
    except (psutil.Error, OSError):
        return False


def _carries(process: psutil.Process, state: Path) -> bool:
    try:
        return bool(process.environ().get("STATE") == str(state))
    except (psutil.Error, OSError):
        return False


def _signal(process: psutil.Process, how: str) -> None:
    try:
        getattr(process, how)()
    except psutil.NoSuchProcess:
        return
